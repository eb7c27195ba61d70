/*
 * What the files of this folder share: asking for a stretch of time, and what is booked in it.
 */
#ifndef CALENDAR_INTERNAL_H
#define CALENDAR_INTERNAL_H

#include "core/access.h"
#include "core/exclusive.h"
#include "core/repeat.h"
#include "modules/calendar/calendar.h"

/* From one instant to another, in nanoseconds UTC. */
struct stretch {
    int64_t from, to;
};

/*
 * Reads a stretch as people ask for it: dates and times in the zone (empty: UTC), or with an offset of their own. from empty: `now`; to
 * empty: days_default later. STET_INVALID_TIME, STET_TOO_LARGE: err->field is "from", "to" or "zone".
 */
stet_status stretch_read(stet_view from, stet_view to, stet_view zone, int64_t now,
                         int days_default, struct stretch *stretch, stet_error *err);

/* The type's policy, with a reference; STET_BAD_REQUEST: it has no calendar. */
stet_status calendar_policy(struct space *space, stet_view type, const struct policy **policy,
                            stet_error *err);

/* One thing that is booked in it. */
struct hit {
    uint64_t record;
    int64_t start, end, original_start, held_until;
    stet_view resource;
    const struct exclusive *exclusive;
};

struct hits {
    struct arena *arena;
    struct hit *list;
    size_t count, room;
};

/* All that is booked in a stretch, by the declaration for a field or (empty) by all, of some resources or (none) of all: by start, then by record. STET_TOO_LARGE: more than CALENDAR_HITS_MAX. */
stet_status hits_gather(struct hits *hits, struct store_reader *reader, const struct policy *policy,
                        stet_view field, const stet_view *resources, size_t resource_count,
                        const struct stretch *stretch, int64_t now, stet_error *err);

/* Copies the names of resources into the arena, each once. STET_BAD_REQUEST: one is empty or too long, or they are too many. */
stet_status resources_copy(struct arena *arena, const stet_view *names, size_t count,
                           stet_view **copies, size_t *kept, stet_error *err);

/* One record for who looks: its change, and what of its data they may see. */
struct shown {
    struct store_change change;
    struct doc doc; /* Redacted. */
    struct repeat
        repeat; /* Of the redacted data; there false: they may not see when it takes place. */
    stet_view series, original_start; /* Of an exception; else empty. */
};

/* *seen false: they may not see it, or it is gone. STET_OK or a failure. */
stet_status shown_read(struct arena *arena, struct store_reader *reader, const struct sight *sight,
                       const struct hit *hit, struct shown *shown, bool *seen, stet_error *err);

/* A text of a shown record; empty where there is none. */
stet_view shown_text(struct arena *arena, const struct shown *shown, stet_view pointer);

/* The range as iCalendar, into `out`. ics.c */
stet_status ics_write(struct stet_command *command, struct store_reader *reader,
                      const struct sight *sight, const struct hits *hits,
                      const struct stretch *stretch, const stet_calendar_fields *fields,
                      struct buffer *out, stet_error *err);

/* `data` with a value put at a pointer, objects on the way made; JSON of the value, or empty to remove it. New text in the arena. */
stet_status put_value(struct arena *arena, stet_view data, stet_view pointer, stet_view json,
                      stet_view *out, stet_error *err);
stet_status put_text(struct arena *arena, stet_view data, stet_view pointer, stet_view text,
                     stet_view *out, stet_error *err);

/* Writes a time to where a declaration has it: as one text, or as a date and a time of day. */
stet_status put_time(struct arena *arena, stet_view data, const struct exclusive_time *where,
                     const struct wall *wall, stet_view *out, stet_error *err);

/* "2026-03-01", "2026-03-01T09:00:00", "2026-03-01T09:00:00+01:00"; in the arena. */
stet_view time_text(struct arena *arena, const struct wall *wall);

#endif
