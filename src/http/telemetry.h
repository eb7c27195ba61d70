/*
 * What clients count of themselves and report: how many writes, conflicts and so on, and how long things took as people saw it.
 * A report says what happened since the one before, so counters can simply be added up.
 */
#ifndef HTTP_TELEMETRY_H
#define HTTP_TELEMETRY_H

#include "base/arena.h"
#include "doc/doc.h"
#include "stet.h"

enum { TELEMETRY_COUNTS = 7, TELEMETRY_TIMES = 3, TELEMETRY_BUCKETS = 13 };

struct telemetry_report {
    uint64_t counts[TELEMETRY_COUNTS];
    struct telemetry_time {
        uint64_t sum_us;
        uint64_t counts[TELEMETRY_BUCKETS + 1]; /* The last: longer than all bounds. */
    } times[TELEMETRY_TIMES];
};

/* By index of `counts` and `times`: the member of a report and, behind "stet_client_", the metric. */
extern const struct telemetry_name {
    const char *member;
    const char *metric;
    const char *help;
} telemetry_counts[TELEMETRY_COUNTS], telemetry_times[TELEMETRY_TIMES];

/* Upper bounds of the buckets, ascending. */
extern const unsigned telemetry_bounds_ms[TELEMETRY_BUCKETS];

/**
 * Reads a report. What is left out is 0.
 *
 * @param report  Out: changed on success only.
 * @return STET_OK
 *         STET_BAD_REQUEST  err->field is the pointer of what is not as it should be.
 *         STET_TOO_LARGE    a number is past TELEMETRY_COUNT_MAX; err->limit says it.
 */
stet_status telemetry_read(struct arena *arena, const struct doc *doc,
                           struct telemetry_report *report, stet_error *err);

#endif
