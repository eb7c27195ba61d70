/*
 * Time zones: what a local time in "Europe/Berlin" is in UTC, and the other way round.
 *
 * The rules are the system's own (tzdata: /usr/share/zoneinfo, or the folder that TZDIR names, as for libc), read from the compiled files
 * (RFC 9636) into one sorted table per zone. The rule at a file's end, which holds from the last listed change on, is written out for 400
 * years; after that the calendar repeats. A zone is read once for the process and never changes or goes away: a conversion takes no
 * lock and does no I/O, so the sequencer may ask.
 *
 * Local times that do not exist or exist twice, in both directions:
 *
 *   gap     02:30 on the night the clock goes from 02:00 to 03:00: read with the offset before the gap, as RFC 5545 (3.3.5) says, so it is
 *           the instant that the clock shows as 03:30.
 *   repeat  02:30 on the night the clock goes from 03:00 back to 02:00: the first of the two. The second can be written with its
 *           offset ("2026-10-25T02:30:00+01:00").
 *
 * Threads: any.
 */
#ifndef CALENDAR_ZONE_H
#define CALENDAR_ZONE_H

#include "calendar/civil.h"

struct zone;

/*
 * The zone with an IANA name ("Europe/Berlin", "UTC"). Reads files when it is asked for the first time.
 *
 * @return STET_OK
 *         STET_INVALID_TIME  there is no such zone; the message names it.
 *         STET_UNAVAILABLE   no zone data is installed; the message names the package.
 *         STET_NO_MEMORY, STET_IO, STET_CORRUPT
 */
stet_status zone_find(stet_view name, const struct zone **zone, stet_error *err);
const struct zone *zone_utc(void);
stet_view zone_name(const struct zone *zone);

enum zone_fit {
    ZONE_ONCE,
    ZONE_GAP,   /* The clock never showed it. */
    ZONE_TWICE, /* The clock showed it twice. */
};

struct zone_moment {
    int64_t utc; /* Seconds since 1970-01-01 UTC. */
    int32_t
        offset; /* Seconds east of UTC by which utc was found: utc + offset is the local time that was asked for. */
    enum zone_fit fit;
};

/* local: of the years 1 to 9999. Cannot fail: see above for gaps and repeats. */
struct zone_moment zone_resolve(const struct zone *zone, int64_t local);
/* Seconds east of UTC at an instant. */
int32_t zone_offset(const struct zone *zone, int64_t utc);
/* Whether the clock shows daylight-saving time, or whatever the zone calls so. */
bool zone_is_dst(const struct zone *zone, int64_t utc);
/* The first instant after `utc` at which the offset changes; false: there is none. */
bool zone_next_change(const struct zone *zone, int64_t utc, int64_t *change);

/* "2025b": which tzdata this process reads; "unknown" where it does not say. Static. */
stet_view zone_data_version(void);

#endif
