/*
 * What is measured of runs, in the places where they happen. No names of functions: there may be FUNCTIONS_MAX of them in each space, and
 * history says which function made a version.
 */
#include "modules/functions/metrics.h"

#include <assert.h>
#include <stdio.h>

static void add(_Atomic uint64_t *value, uint64_t more) {
    atomic_fetch_add_explicit(value, more, memory_order_relaxed);
}

static double get(const _Atomic uint64_t *value) {
    return (double)atomic_load_explicit((_Atomic uint64_t *)value, memory_order_relaxed);
}

void run_metrics_note(struct run_metrics *metrics, enum run_place place, enum run_end end,
                      int64_t ns) {
    double seconds = ns < 0 ? 0 : (double)ns / 1e9;
    unsigned bucket = 0;
    assert(place < RUN_PLACES);
    assert(end < RUN_ENDS);
    for (double bound = RUN_FIRST_S; bucket < RUN_BUCKETS && seconds > bound; bound *= 4)
        bucket++;
    add(&metrics->runs[place][end], 1);
    add(&metrics->buckets[bucket], 1);
    add(&metrics->sum_ns, ns < 0 ? 0 : (uint64_t)ns);
}

static void visit_runs(void *state, module_sample *sample, void *context) {
    static const char *const places[RUN_PLACES] = {
        [RUN_WORKER] = "worker",       [RUN_CACHED] = "client", [RUN_SEQUENCER] = "sequencer",
        [RUN_EXCLUSIVE] = "exclusive", [RUN_MERGE] = "merge",
    };
    static const char *const ends[RUN_ENDS] = {
        [RUN_DONE] = "done",
        [RUN_FAILED] = "failed",
        [RUN_OVERTAKEN] = "overtaken",
        [RUN_TOO_LONG] = "too_long",
    };
    const struct run_metrics *metrics = state;
    char labels[METRIC_LABEL_BYTES_MAX];
    for (int place = 0; place < RUN_PLACES; place++) {
        for (int end = 0; end < RUN_ENDS; end++) {
            snprintf(labels, sizeof labels, ",place=\"%s\",outcome=\"%s\"", places[place],
                     ends[end]);
            sample(context, "", labels, get(&metrics->runs[place][end]));
        }
    }
}

static void visit_seconds(void *state, module_sample *sample, void *context) {
    const struct run_metrics *metrics = state;
    char labels[METRIC_LABEL_BYTES_MAX];
    double total = 0, bound = RUN_FIRST_S;
    for (unsigned i = 0; i < RUN_BUCKETS; i++, bound *= 4) {
        total += get(&metrics->buckets[i]);
        snprintf(labels, sizeof labels, ",le=\"%.10g\"", bound);
        sample(context, "_bucket", labels, total);
    }
    total += get(&metrics->buckets[RUN_BUCKETS]);
    sample(context, "_bucket", ",le=\"+Inf\"", total);
    sample(context, "_sum", "", get(&metrics->sum_ns) / 1e9);
    sample(context, "_count", "", total);
}

const struct module_metric functions_metrics[] = {
    {"stet_function_runs_total", "Runs of functions, by where and how they ended",
     STET_METRIC_COUNTER, visit_runs},
    {"stet_function_seconds", "How long runs of functions took", STET_METRIC_HISTOGRAM,
     visit_seconds},
    {NULL, NULL, STET_METRIC_GAUGE, NULL},
};
