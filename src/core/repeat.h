/*
 * When a record takes place, by a declaration of exclusive intervals: its first interval as it is written, its zone, and what it repeats by, read
 * out of its data; and its occurrences.
 *
 * A series is booked for SERIES_DAYS_MAX from its first occurrence: what a record books is a function of its data alone, so the rows in the store
 * never depend on when they were made, and no occurrence appears later that may find its slot taken.
 *
 * Threads: any. No I/O but for a zone that is asked for the first time.
 */
#ifndef CORE_REPEAT_H
#define CORE_REPEAT_H

#include "calendar/series.h"
#include "core/exclusive.h"

struct repeat {
    struct series series; /* from, to and occurrences_max as for booking. */
    bool there;           /* False: the record is not planned for any time; nothing else is set. */
    bool repeats;         /* It has a rule, or dates that are added. */
    bool all_day;
    stet_view zone_name; /* As the record or the declaration has it; empty: none. */
};

/* STET_OK, or STET_INVALID_TIME with err->field the pointer in the data, STET_UNAVAILABLE (no tzdata), STET_NO_MEMORY. */
stet_status repeat_read(struct arena *arena, const struct exclusive *exclusive,
                        const struct doc *data, struct repeat *repeat, stet_error *err);

/* Its occurrences between series.from and series.to; as series_expand, with err->field the pointer in the data. */
stet_status repeat_expand(struct arena *arena, const struct exclusive *exclusive,
                          const struct repeat *repeat, struct occurrence **list, size_t *count,
                          stet_error *err);

/* The value at a pointer; DOC_NONE: there is none, or null, or no pointer. */
doc_node repeat_value(const struct doc *data, stet_view pointer);

/* A text in the data, empty where there is none or null. */
stet_status repeat_text(struct arena *arena, const struct doc *data, stet_view pointer,
                        stet_view *text, stet_error *err);

/* Whether a record stands for one occurrence of another's series; which one is told as it is written. */
stet_status repeat_exception(struct arena *arena, const struct exclusive *exclusive,
                             const struct doc *data, stet_view *series, stet_view *original_start,
                             stet_error *err);

#endif
