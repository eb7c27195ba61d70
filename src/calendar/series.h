/*
 * Series: what a first interval, a zone, a recurrence rule and single dates come to, as instants.
 *
 * Each occurrence begins at its local time in the zone (gaps and repeats: calendar/zone.h) and lasts exactly as long as the first; of a
 * series of whole days, as many days. Dates left out win over the rule and over dates that are added.
 */
#ifndef CALENDAR_SERIES_H
#define CALENDAR_SERIES_H

#include "base/arena.h"
#include "calendar/zone.h"

struct series {
    /* With has_date. One that has its own offset is taken into the zone, or, without a zone, repeats at that offset. */
    struct wall start, end;
    const struct zone *zone; /* NULL: UTC, or the start's own offset. */
    stet_view rrule;         /* Empty: no rule. */
    /* Times as they are written, also as iCalendar does ("20260301T090000Z"). A date without a time leaves out, or adds, that day's. */
    const stet_view *exdates, *rdates;
    size_t exdate_count, rdate_count;
    int64_t from,
        to; /* Seconds UTC: occurrences that end by then or start at it or later are not told. */
    size_t occurrences_max;
    /* What its rule may take of RRULE_STEPS_MAX, less what it took; NULL: all of them. */
    uint64_t *steps;
};

struct occurrence {
    int64_t start, end; /* Nanoseconds since 1970 UTC. */
    int64_t
        local; /* What the clock shows at the start: seconds. In a gap, what it would have shown. */
    int32_t offset; /* Seconds east of UTC at the start. */
};

/* What was wrong, for who knows its name. */
enum series_part { SERIES_START, SERIES_END, SERIES_RRULE, SERIES_EXDATE, SERIES_RDATE };

/**
 * @param list  Out: in the arena, ascending, each start once.
 * @param part  Out, on failure: what of it.
 * @return STET_OK
 *         STET_INVALID_TIME  a rule or a date that is none; end <= start.
 *         STET_TOO_LARGE     more than occurrences_max (err->limit) between from and to, or a rule that needs more than RRULE_STEPS_MAX
 *                            (err->limit), or than what is left in steps.
 *         STET_NO_MEMORY
 */
stet_status series_expand(struct arena *arena, const struct series *series,
                          struct occurrence **list, size_t *count, enum series_part *part,
                          stet_error *err);

/* The instant of one time by the series' zone: what the occurrence with that original start is compared by. Nanoseconds. */
int64_t series_instant(const struct series *series, const struct wall *wall);

/* As wall_parse, and as iCalendar writes: "20260301", "20260301T090000", "20260301T090000Z". */
bool series_parse_time(stet_view text, struct wall *wall);

#endif
