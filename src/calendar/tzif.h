/*
 * Compiled time zone files (RFC 9636): bytes in, a table out. Knows no files and keeps nothing.
 */
#ifndef CALENDAR_TZIF_H
#define CALENDAR_TZIF_H

#include "stet.h"

struct tzif_period {
    int64_t from;   /* Seconds UTC; INT64_MIN for the first. */
    int32_t offset; /* Seconds east of UTC. */
    bool dst;
};

struct tzif {
    struct tzif_period *periods; /* Ascending; neighbours differ. malloc'ed: free. */
    size_t count;                /* At least one. */
    /* From here on the last 400 years of the table repeat for ever; INT64_MAX: the last period has no end. */
    int64_t repeats_from;
};

/* STET_OK, STET_NO_MEMORY, or STET_CORRUPT: these bytes are no such file. */
stet_status tzif_read(stet_view bytes, struct tzif *tzif, stet_error *err);

/* 400 Gregorian years: the same dates on the same days of the week. */
#define TZIF_CYCLE_S (INT64_C(146097) * 86400)

#endif
