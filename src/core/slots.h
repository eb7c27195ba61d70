/*
 * What is booked of resources, in memory: pages of slots, and questions to them. A slot is a span as others meet it: with its buffers.
 *
 * A page holds the slots of one resource that touch SLOT_PAGE_NS of time, ordered by begin, so that what overlaps an interval is found by
 * binary search and a walk over the hits (and over what lies as far before them as the page's longest slot reaches). One source of
 * pages is the sequencer's cache (core/spans.h), another one a store's reader, for those who ask outside of it.
 *
 * Threads: a page belongs to its source.
 */
#ifndef CORE_SLOTS_H
#define CORE_SLOTS_H

#include "core/exclusive.h"
#include "store/store.h"

#define SLOT_PAGE_NS (INT64_C(32) * 86400 * 1000000000)

struct slot {
    int64_t begin, end;
    int64_t held_until;
    uint64_t record;
    uint32_t weight;
};

/* Grows by malloc. */
struct slot_list {
    struct slot *slots;
    size_t count, capacity;
};
stet_status slot_list_add(struct slot_list *list, const struct slot *slot);
void slot_list_done(struct slot_list *list);

struct slot_page {
    struct slot_list list; /* By begin. */
    int64_t longest;       /* No slot of it is longer. */
};

static inline int64_t slot_page_number(int64_t at) {
    return at / SLOT_PAGE_NS - (at % SLOT_PAGE_NS < 0);
}

/* Only what touches the page may be put in. Putting in what is there and taking out what is not does nothing. */
stet_status slot_page_put(struct slot_page *page, const struct slot *slot);
void slot_page_take(struct slot_page *page, const struct slot *slot);

/* The slot of a key; false: it is the key of something else. resource: borrowed from the key. */
bool slot_of_key(stet_view key, uint64_t record, stet_view *resource, struct slot *slot);

/* Reads a page from the store. page: empty; owned by the caller, also after a failure. */
stet_status slot_page_load(struct slot_page *page, struct store_reader *reader, uint32_t index,
                           stet_view resource, int64_t number, stet_error *err);

/* Where pages come from. */
struct slot_source {
    /* The page with this number of a resource. Borrowed until the next call. */
    stet_status (*page)(struct slot_source *source, stet_view resource, int64_t number,
                        const struct slot_page **page, stet_error *err);
    /* What a command is about to change beyond that; may be NULL. Adds slots that touch from <= t < to, or has `skip` say which count no
       longer. */
    stet_status (*more)(struct slot_source *source, stet_view resource, int64_t from, int64_t to,
                        struct slot_list *hits);
    bool (*skip)(struct slot_source *source, stet_view resource, const struct slot *slot);
    int64_t now; /* Held slots count until theirs is over. */
};

/* Every slot that overlaps from <= t < to, added to hits, in no particular order. */
stet_status slots_gather(struct slot_source *source, stet_view resource, int64_t from, int64_t to,
                         struct slot_list *hits, stet_error *err);

/*
 * The greatest sum of weights at any instant of from <= t < to, and the first instant that has it. hits: all that overlap; they are put into
 * another order.
 */
uint64_t slots_peak(struct slot_list *hits, int64_t from, int64_t to, int64_t *at);

/* What is looked for: one time at which all resources have room for it. begin and length are with buffers. */
struct slot_wish {
    const stet_view *resources; /* As keys have them. */
    size_t resource_count;
    uint32_t weight, capacity;
    int64_t length;
    uint64_t record; /* A record whose own slots are not in the way; 0: none. */
};

/*
 * The first begin, `from` or later and before `until`, at which there is room; *found false: there is none, or more than *steps places would
 * have to be looked at. steps: how many may be; what is left of them afterwards.
 */
stet_status slots_next(struct slot_source *source, const struct slot_wish *wish, int64_t from,
                       int64_t until, size_t *steps, bool *found, int64_t *begin, stet_error *err);

/* A source that reads from the store: for one index, by one thread. Keeps what it read. */
struct slot_reader {
    struct slot_source source;
    struct store_reader *reader;
    uint32_t index;
    struct slot_reader_page *pages;
};
void slot_reader_init(struct slot_reader *slots, struct store_reader *reader, uint32_t index,
                      int64_t now);
void slot_reader_done(struct slot_reader *slots);

#endif
