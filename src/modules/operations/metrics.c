/*
 * What is measured of the lanes. Every lane with a record has a block of atomics that stays as long as the space is open, in a list that only
 * grows, so that any thread may read it while the sequencer writes.
 */
#include "modules/operations/metrics.h"

#include "base/clock.h"
#include "base/view.h"
#include "modules/operations/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void set(_Atomic uint64_t *value, uint64_t now) {
    atomic_store_explicit(value, now, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *value) {
    return atomic_load_explicit((_Atomic uint64_t *)value, memory_order_relaxed);
}

static void add(_Atomic uint64_t *value, uint64_t more) {
    atomic_fetch_add_explicit(value, more, memory_order_relaxed);
}

/* ---- Writing: the sequencer's thread ----------------------------------------------------- */

/* NULL: memory is out, and the lane is not measured. */
struct lane_metrics *metrics_for(struct metrics *metrics, stet_view lane) {
    struct lane_metrics *found = atomic_load(&metrics->lanes);
    size_t count = 0;
    for (; found != NULL && !view_equal(view_make(found->name, found->name_bytes), lane); count++)
        found = found->next;
    /* Lanes are forgotten, but what was measured is not: names must not add up. */
    if (found != NULL || count >= LANES_MAX) return found;
    found = calloc(1, sizeof *found + lane.size);
    if (found == NULL) return NULL;
    memcpy(found->name, lane.bytes, lane.size);
    found->name_bytes = lane.size;
    found->next = atomic_load(&metrics->lanes);
    atomic_store(&metrics->lanes, found);
    return found;
}

void metrics_done(struct metrics *metrics) {
    struct lane_metrics *lane = atomic_load(&metrics->lanes);
    while (lane != NULL) {
        struct lane_metrics *next = lane->next;
        free(lane);
        lane = next;
    }
}

static void observe(struct duration_metric *metric, int64_t ns) {
    double seconds = ns < 0 ? 0 : (double)ns / 1e9;
    unsigned bucket = 0;
    for (double bound = DURATION_FIRST_S; bucket < DURATION_BUCKETS && seconds > bound; bound *= 4)
        bucket++;
    add(&metric->buckets[bucket], 1);
    add(&metric->sum_us, (uint64_t)(seconds * 1e6));
}

void metrics_waited(struct lane_metrics *lane, int64_t ns) {
    if (lane == NULL) return;
    observe(&lane->waited, ns);
    double seconds = ns < 0 ? 0 : (double)ns / 1e9;
    lane->wait_s = lane->waits++ == 0 ? seconds : lane->wait_s + (seconds - lane->wait_s) / 16;
}

void metrics_took(struct lane_metrics *lane, int64_t ns) {
    if (lane != NULL) observe(&lane->took, ns);
}

void metrics_note(struct lane_metrics *metrics, const struct queue_lane *lane) {
    if (metrics == NULL) return;
    for (int i = STET_CLASS_LOW; i <= STET_CLASS_STRUCTURAL; i++)
        set(&metrics->waiting[i], (uint64_t)lane->ready[i] + lane->delayed[i]);
    for (int level = QUEUE_LOW; level < QUEUE_LEVELS; level++) {
        int64_t since = queue_lane_oldest(lane, (enum queue_level)level);
        set(&metrics->oldest[level], since == QUEUE_NEVER ? 0 : (uint64_t)since);
    }
    set(&metrics->running, lane->running_count);
}

/* ---- Reading: any thread ----------------------------------------------------------------- */

/* A label's value may hold anything. */
static int put_lane_label(const struct lane_metrics *lane, char *labels, size_t size) {
    char escaped[2 * LANE_BYTES_MAX + 1];
    size_t used = 0;
    for (size_t i = 0; i < lane->name_bytes && used + 2 < sizeof escaped; i++) {
        char c = lane->name[i];
        if (c == '\n')
            c = 'n', escaped[used++] = '\\';
        else if (c == '"' || c == '\\')
            escaped[used++] = '\\';
        escaped[used++] = c;
    }
    return snprintf(labels, size, ",lane=\"%.*s\"", (int)used, escaped);
}

#define EACH_LANE(state, lane)                                                                     \
    for (const struct lane_metrics *lane =                                                         \
             atomic_load(&((struct operations *)(state))->metrics.lanes);                          \
         lane != NULL; lane = lane->next)

static void visit_waiting(void *state, module_sample *sample, void *context) {
    char labels[METRIC_LABEL_BYTES_MAX];
    EACH_LANE(state, lane) {
        int used = put_lane_label(lane, labels, sizeof labels);
        for (int i = STET_CLASS_LOW; i <= STET_CLASS_STRUCTURAL; i++) {
            snprintf(labels + used, sizeof labels - (size_t)used, ",class=\"%s\"",
                     class_text((stet_class)i).bytes);
            sample(context, "", labels, (double)get(&lane->waiting[i]));
        }
    }
}

static void visit_oldest(void *state, module_sample *sample, void *context) {
    static const char *const levels[] = {"low", "normal", "high", "urgent"};
    char labels[METRIC_LABEL_BYTES_MAX];
    int64_t now = clock_wall_ns(((struct operations *)state)->space->engine->clock);
    EACH_LANE(state, lane) {
        int used = put_lane_label(lane, labels, sizeof labels);
        for (int level = QUEUE_LOW; level < QUEUE_LEVELS; level++) {
            int64_t since = (int64_t)get(&lane->oldest[level]);
            snprintf(labels + used, sizeof labels - (size_t)used, ",class=\"%s\"", levels[level]);
            sample(context, "", labels,
                   since == 0 || since > now ? 0 : (double)(now - since) / 1e9);
        }
    }
}

static void visit_running(void *state, module_sample *sample, void *context) {
    char labels[METRIC_LABEL_BYTES_MAX];
    EACH_LANE(state, lane) {
        put_lane_label(lane, labels, sizeof labels);
        sample(context, "", labels, (double)get(&lane->running));
    }
}

static void sample_duration(const struct lane_metrics *lane, const struct duration_metric *metric,
                            module_sample *sample, void *context) {
    char labels[METRIC_LABEL_BYTES_MAX];
    uint64_t total = 0;
    int used = put_lane_label(lane, labels, sizeof labels);
    double bound = DURATION_FIRST_S;
    for (unsigned i = 0; i < DURATION_BUCKETS; i++, bound *= 4) {
        total += get(&metric->buckets[i]);
        snprintf(labels + used, sizeof labels - (size_t)used, ",le=\"%.10g\"", bound);
        sample(context, "_bucket", labels, (double)total);
    }
    total += get(&metric->buckets[DURATION_BUCKETS]);
    snprintf(labels + used, sizeof labels - (size_t)used, ",le=\"+Inf\"");
    sample(context, "_bucket", labels, (double)total);
    labels[used] = '\0';
    sample(context, "_sum", labels, (double)get(&metric->sum_us) / 1e6);
    sample(context, "_count", labels, (double)total);
}

static void visit_waited(void *state, module_sample *sample, void *context) {
    EACH_LANE(state, lane) sample_duration(lane, &lane->waited, sample, context);
}

static void visit_took(void *state, module_sample *sample, void *context) {
    EACH_LANE(state, lane) sample_duration(lane, &lane->took, sample, context);
}

static void visit_ended(void *state, module_sample *sample, void *context) {
    const struct metrics *metrics = &((struct operations *)state)->metrics;
    char labels[METRIC_LABEL_BYTES_MAX];
    for (int i = OPERATION_COMPLETED; i < OPERATION_STATUS_COUNT; i++) {
        snprintf(labels, sizeof labels, ",status=\"%s\"", status_name((enum operation_status)i));
        sample(context, "", labels, (double)get(&metrics->ended[i]));
    }
}

static void visit_expired(void *state, module_sample *sample, void *context) {
    sample(context, "", "", (double)get(&((struct operations *)state)->metrics.leases_expired));
}

static void visit_retries(void *state, module_sample *sample, void *context) {
    sample(context, "", "", (double)get(&((struct operations *)state)->metrics.retries));
}

static void visit_bytes(void *state, module_sample *sample, void *context) {
    sample(context, "", "", (double)get(&((struct operations *)state)->metrics.bytes));
}

const struct module_metric operations_metrics[] = {
    {"stet_lane_depth", "Operations that wait", STET_METRIC_GAUGE, visit_waiting},
    {"stet_lane_oldest_seconds", "How long the oldest operation that could be started has waited",
     STET_METRIC_GAUGE, visit_oldest},
    {"stet_lane_running", "Operations in somebody's hands", STET_METRIC_GAUGE, visit_running},
    {"stet_operation_wait_seconds", "From queueing to the start", STET_METRIC_HISTOGRAM,
     visit_waited},
    {"stet_operation_processing_seconds", "From the start to the completion", STET_METRIC_HISTOGRAM,
     visit_took},
    {"stet_operations_total", "Operations that ended, by how", STET_METRIC_COUNTER, visit_ended},
    {"stet_leases_expired_total", "Leases on operations whose worker was lost", STET_METRIC_COUNTER,
     visit_expired},
    {"stet_operation_retries_total", "Runs of operations that are to be repeated",
     STET_METRIC_COUNTER, visit_retries},
    {"stet_operations_memory_bytes", "Memory of the lanes", STET_METRIC_GAUGE, visit_bytes},
    {NULL, NULL, STET_METRIC_GAUGE, NULL},
};

/* ---- For alerts: the sequencer's thread -------------------------------------------------- */

static enum queue_level level_of(stet_class class_) {
    switch (class_) {
    case STET_CLASS_LOW: return QUEUE_LOW;
    case STET_CLASS_DEFAULT:
    case STET_CLASS_NORMAL: return QUEUE_NORMAL;
    case STET_CLASS_HIGH: return QUEUE_HIGH;
    case STET_CLASS_URGENT:
    case STET_CLASS_STRUCTURAL: break;
    }
    return QUEUE_TOP;
}

static bool measure(const struct lane *lane, enum module_measure what, stet_class class_,
                    int64_t now, double *value) {
    int64_t oldest = QUEUE_NEVER;
    switch (what) {
    case MEASURE_QUEUE_DEPTH:
        *value = class_ == STET_CLASS_DEFAULT
                     ? (double)lane->queue->ready_count + lane->queue->delayed_count
                     : (double)lane->queue->ready[class_] + lane->queue->delayed[class_];
        return true;
    case MEASURE_QUEUE_WAIT_S:
        if (lane->metrics == NULL || lane->metrics->waits == 0) return false;
        *value = lane->metrics->wait_s;
        return true;
    case MEASURE_OLDEST_WAIT_S:
        for (int level = QUEUE_LOW; level < QUEUE_LEVELS; level++) {
            if (class_ != STET_CLASS_DEFAULT && level_of(class_) != (enum queue_level)level)
                continue;
            int64_t since = queue_lane_oldest(lane->queue, (enum queue_level)level);
            if (since < oldest) oldest = since;
        }
        *value = oldest < now ? (double)(now - oldest) / 1e9 : 0;
        return true;
    case MEASURE_PROCESSING_S: return estimate_lane_processing(lane->estimate, value);
    case MEASURE_CONFLICT_RATE:
    case MEASURE_REJECTIONS:
    case MEASURES: break;
    }
    return false;
}

bool operations_gauge(void *state, enum module_measure what, stet_view lane, stet_class class_,
                      const struct module_time *now, double *value) {
    const struct operations *operations = state;
    bool known = false;
    double sum = 0;
    for (const struct lane *each = operations->lanes; each != NULL; each = each->next) {
        double one;
        if (each->version == 0 || each->queue == NULL) continue;
        if (!view_is_empty(lane) && !view_equal(lane, each->name)) continue;
        if (!measure(each, what, class_, now->wall, &one)) continue;
        /* All lanes together: depths add up, of times the longest is told. */
        sum = what == MEASURE_QUEUE_DEPTH ? sum + one : one > sum ? one : sum;
        known = true;
    }
    if (known) *value = sum;
    return known;
}
