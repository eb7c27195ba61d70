/*
 * What is measured of a space's runs. Written on the thread a run takes place on; read on any.
 */
#ifndef MODULES_FUNCTIONS_METRICS_H
#define MODULES_FUNCTIONS_METRICS_H

#include "core/module.h"

#include <stdatomic.h>

/* Bounds are 16 µs, then four times the one before: up to 16 s, past what any run may take in time of its own. */
#define RUN_FIRST_S 16e-6
enum { RUN_BUCKETS = 11 };

/* Where a run takes place, and what it may cost there. */
enum run_place {
    RUN_WORKER,
    RUN_CACHED,    /* On the client's thread, briefly. */
    RUN_SEQUENCER, /* Alone, briefly. */
    RUN_EXCLUSIVE, /* Alone, for EXCLUSIVE_MS_MAX. */
    RUN_MERGE,     /* Of a merge rule; briefly where somebody waits. */
    RUN_PLACES,
};

/* How one ends. Whether what it read still holds is found later: runs that were in vain are among those that are done. */
enum run_end {
    RUN_DONE,
    RUN_FAILED,
    RUN_OVERTAKEN, /* What it read changed while it ran. */
    RUN_TOO_LONG,  /* For where it was tried: it is run once more where it may take its time. */
    RUN_ENDS,
};

struct run_metrics {
    _Atomic uint64_t runs[RUN_PLACES][RUN_ENDS];
    _Atomic uint64_t buckets[RUN_BUCKETS + 1];
    _Atomic uint64_t sum_ns;
};

void run_metrics_note(struct run_metrics *metrics, enum run_place place, enum run_end end,
                      int64_t ns);

/* Their state begins with the struct run_metrics. */
extern const struct module_metric functions_metrics[];

#endif
