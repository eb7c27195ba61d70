/*
 * Shared by the files of this folder.
 *
 *   alerts.c  the module: what is due, and the records it makes
 *   book.c    which alerts there are: the projection
 *   watch.c   thresholds: what was measured, for how long it has been out of bounds
 *   list.c    listing them
 */
#ifndef MODULES_ALERTS_INTERNAL_H
#define MODULES_ALERTS_INTERNAL_H

#include "base/arena.h"
#include "base/limits.h"
#include "core/space.h"
#include "core/threshold.h"
#include "modules/alerts/alerts.h"

#include <stdatomic.h>

#define ALERT_TYPE VIEW("stet.alert")
#define SETTINGS_TYPE VIEW("stet.settings")
#define OPERATION_TYPE VIEW("stet.operation")

/* ---- book.c ------------------------------------------------------------------------------ */

enum { ALERT_ID_BYTES_MAX = ALERT_NAME_BYTES_MAX + 24 };

/* One record. */
struct alert {
    char id[ALERT_ID_BYTES_MAX + 1];
    char name[ALERT_NAME_BYTES_MAX + 1];
    bool firing, critical;
    bool event;    /* Of a rejection: no threshold stands behind it. */
    int64_t stamp; /* Of its last version: since when it is as it is. */
};

struct book {
    struct alert *alerts;
    size_t count, capacity;
    _Atomic uint64_t firing[2]; /* For /metrics: warnings, critical ones. */
    _Atomic uint64_t raised;    /* Since the space was opened. */
};

void book_done(struct book *book);
void book_clear(struct book *book);
/* Room for one more, so that book_note cannot fail. */
stet_status book_reserve(struct book *book, stet_error *err);
/* A record is as this change says; after book_reserve where it is new. */
void book_note(struct book *book, const struct store_change *change);
struct alert *book_find(const struct book *book, stet_view id);
/* The one that stands for a threshold; NULL: none does. */
struct alert *book_firing(const struct book *book, stet_view name);

/* ---- watch.c ----------------------------------------------------------------------------- */

enum { WINDOW_S = 60 };

/* Sums at the moments of the last minute; the difference between the newest and the oldest is what happened in it. */
struct window {
    struct {
        int64_t at;
        uint64_t part, whole;
    } samples[WINDOW_S + 1];
    unsigned next, count;
};

/* One threshold and how it stands. */
struct watched {
    struct threshold threshold;
    double value;
    int64_t past_since;  /* Monotonic; 0: it is not above. */
    int64_t clear_since; /* 0: it is not clear. */
    uint64_t rejections; /* Of its lane and class. */
    struct window window;
};

struct watch {
    struct arena arena; /* Of what follows. */
    struct watched *list;
    size_t count;
};

void watch_init(struct watch *watch);
void watch_done(struct watch *watch);
/* Takes the settings' data; empty: none. What keeps its name and measure keeps what was seen of it. */
stet_status watch_set(struct watch *watch, stet_view settings, stet_error *err);
struct watched *watch_find(const struct watch *watch, stet_view name);
/* Measures all of them. */
void watch_sample(struct watch *watch, const struct space *space, const struct module_time *now);
void watch_rejected(struct watch *watch, stet_view lane, stet_class class_);
/* Whether it has been out of bounds, or back in them, for long enough. */
bool watch_fires(const struct watched *watched, int64_t now);
bool watch_clears(const struct watched *watched, int64_t now);

#endif
