/*
 * What the server counts. Each loop has its own counters, written by its thread alone and summed up
 * when /metrics is asked for; so counting costs no contended cache line.
 */
#ifndef HTTP_METRICS_H
#define HTTP_METRICS_H

#include "http/route.h"
#include "http/telemetry.h"

#include <stdatomic.h>

enum {
    METRICS_CODES = 30,
    METRICS_METHODS = METHOD_OTHER + 1,
    METRICS_BUCKETS = 14,
};

typedef _Atomic uint64_t metric;

/* One writer: a plain load and store, no locked instruction. */
static inline void metric_add(metric *counter, uint64_t amount) {
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + amount, memory_order_relaxed);
}
static inline void metric_sub(metric *counter, uint64_t amount) {
    metric_add(counter, UINT64_C(0) - amount);
}
static inline uint64_t metric_read(const metric *counter) {
    return atomic_load_explicit((metric *)counter, memory_order_relaxed);
}

struct metrics {
    /* The last row is for paths without a route. */
    metric requests[ROUTES_MAX + 1][METRICS_METHODS][METRICS_CODES];
    metric buckets[ROUTES_MAX + 1][METRICS_BUCKETS + 1];
    metric nanoseconds[ROUTES_MAX + 1];
    metric bytes_in, bytes_out;
    metric cut_header, cut_body, cut_idle; /* Slow clients, by the deadline they passed. */
    metric aborted;                        /* Gone before their answer was sent. */
    metric streams, streams_total, streams_lagging, stream_events;
    metric long_polls;
    metric lives, lives_total, lives_lagging, live_messages, live_events;
    metric retries_told;                    /* Answers with Retry-After. */
    metric client_counts[TELEMETRY_COUNTS]; /* What clients reported. */
    struct {
        metric sum_us;
        metric counts[TELEMETRY_BUCKETS + 1];
    } client_times[TELEMETRY_TIMES];
    metric leases_returned; /* Leases of operations, given back for a client that left. */
};

/* route: an index into routes, or route_count for none. */
void metrics_count(struct metrics *metrics, unsigned route, enum method method, int http,
                   int64_t elapsed_ns, uint64_t bytes_in, uint64_t bytes_out);

#endif
