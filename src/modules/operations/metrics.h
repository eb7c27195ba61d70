/*
 * What is measured of the lanes of a space. Written on the sequencer's thread; read on any.
 */
#ifndef MODULES_OPERATIONS_METRICS_H
#define MODULES_OPERATIONS_METRICS_H

#include "core/module.h"
#include "modules/operations/queue.h"
#include "modules/operations/status.h"

#include <stdatomic.h>

/* Bounds are 1 ms, then four times the one before: up to more than four hours. */
#define DURATION_FIRST_S 0.001
enum { DURATION_BUCKETS = 13 };

struct duration_metric {
    _Atomic uint64_t buckets[DURATION_BUCKETS + 1];
    _Atomic uint64_t sum_us;
};

struct lane_metrics {
    struct lane_metrics *next;
    _Atomic uint64_t waiting[QUEUE_CLASSES];
    _Atomic uint64_t oldest[QUEUE_LEVELS]; /* Since when, by the wall clock; 0: nobody waits. */
    _Atomic uint64_t running;
    struct duration_metric waited, took;
    /* The sequencer's own: smoothed. */
    double wait_s;
    uint64_t waits;
    size_t name_bytes;
    char name[];
};

struct metrics {
    _Atomic(struct lane_metrics *) lanes;
    _Atomic uint64_t ended[OPERATION_STATUS_COUNT];
    _Atomic uint64_t leases_expired, retries;
    _Atomic uint64_t bytes;
};

struct lane_metrics *metrics_for(struct metrics *metrics, stet_view lane);
void metrics_done(struct metrics *metrics);

/* All accept NULL: a lane that is not measured. */
void metrics_waited(struct lane_metrics *lane, int64_t ns);
void metrics_took(struct lane_metrics *lane, int64_t ns);
void metrics_note(struct lane_metrics *metrics, const struct queue_lane *lane);

extern const struct module_metric operations_metrics[];
bool operations_gauge(void *state, enum module_measure what, stet_view lane, stet_class class_,
                      const struct module_time *now, double *value);

#endif
