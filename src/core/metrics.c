/*
 * Samples of one name must follow one another, so each metric walks the spaces. The walk holds the registry's lock: the visitor only
 * formats.
 */
#include "core/metrics.h"

#include "base/view.h"

#include <math.h>
#include <stdio.h>

struct visit {
    stet_engine *engine;
    stet_metric_visit *visit;
    void *context;
};

struct counter {
    const char *name;
    const char *help;
    stet_metric_kind kind;
    size_t offset; /* In struct space_counters. */
};

#define COUNTER(name, help, member)                                                                \
    { name, help, STET_METRIC_COUNTER, offsetof(struct space_counters, member) }

static const struct counter counters[] = {
    COUNTER("stet_changes_total", "Changes committed.", writes),
    COUNTER("stet_write_commands_total", "Writes decided, whatever became of them.", commands),
    COUNTER("stet_unchanged_total", "Writes whose result equalled the state.", unchanged),
    {"stet_conflicts_open", "Conflicts that wait for a person.", STET_METRIC_GAUGE,
     offsetof(struct space_counters, conflicts_open)},
    COUNTER("stet_conflicts_opened_total", "Writes that began to wait for a person.",
            conflicts_opened),
    COUNTER("stet_conflicts_resolved_total", "Waiting conflicts that somebody settled.",
            conflicts_resolved),
    COUNTER("stet_conflicts_expired_total", "Waiting conflicts that their deadline settled.",
            conflicts_expired),
    COUNTER("stet_conflict_notices_total", "Notices to people whose values were replaced.",
            notices),
    COUNTER("stet_replays_total", "Writes answered from their mutation key.", replays),
    COUNTER("stet_refusals_total", "Writes refused for a reason other than a conflict.", refused),
    COUNTER("stet_retries_total", "Preparations repeated because the record had moved on.",
            retries),
    COUNTER("stet_merge_detours_total", "Merges too dear for the sequencer, sent to a worker.",
            merge_detours),
    COUNTER("stet_reservations_total", "Reservations of records by operations that lost too often.",
            reservations),
    COUNTER("stet_reservation_waits_total", "Writes that waited for a reservation.",
            reservation_waits),
    COUNTER("stet_reservation_timeouts_total",
            "Writes turned away because a reservation outlasted their wait.", reservation_timeouts),
    COUNTER("stet_reservation_rejections_total",
            "Writes of class low that gave way to a reservation.", reservation_rejections),
    COUNTER("stet_access_failures_total", "Access rules that could not be judged, and so denied.",
            access_failures),
    COUNTER("stet_busy_total", "Submissions turned away because too much was waiting.", busy),
    COUNTER("stet_commit_failures_total", "Commits that failed.", commit_failures),
    COUNTER("stet_cache_hits_total", "Reads answered from a read cache.", cache_hits),
    COUNTER("stet_cache_misses_total", "Reads that went to the store.", cache_misses),
    COUNTER("stet_feed_events_total", "Events delivered to subscribers.", events),
    {"stet_feed_subscribers", "Subscribers of the feed.", STET_METRIC_GAUGE,
     offsetof(struct space_counters, subscribers)},
};

static uint64_t value_of(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void sample(const struct visit *visit, const char *name, const char *help,
                   stet_metric_kind kind, const char *suffix, const struct space *space,
                   const char *more, double value) {
    enum {
        MORE_BYTES_MAX = CONTENTION_LABEL_BYTES_MAX > METRIC_LABEL_BYTES_MAX
                             ? CONTENTION_LABEL_BYTES_MAX
                             : METRIC_LABEL_BYTES_MAX
    };
    char labels[SPACE_NAME_BYTES_MAX + MORE_BYTES_MAX + 32];
    snprintf(labels, sizeof labels, "space=\"%s\"%s", space->name, more);
    visit->visit(visit->context, name, help, kind, suffix, labels, value);
}

static void visit_counters(const struct visit *visit) {
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        for (struct space *space = visit->engine->spaces; space != NULL; space = space->next) {
            if (space->state != SPACE_OPEN) continue;
            const _Atomic uint64_t *counter =
                (const _Atomic uint64_t *)((const char *)&space->counters + counters[i].offset);
            sample(visit, counters[i].name, counters[i].help, counters[i].kind, "", space, "",
                   (double)value_of(counter));
        }
    }
}

static void visit_conflicts(const struct visit *visit) {
    static const char *const types[] = {"version_mismatch", "concurrent_edit", "agent_override"};
    for (struct space *space = visit->engine->spaces; space != NULL; space = space->next) {
        for (size_t i = 0; i < 3 && space->state == SPACE_OPEN; i++) {
            char more[64];
            snprintf(more, sizeof more, ",conflict_type=\"%s\"", types[i]);
            sample(visit, "stet_conflicts_total",
                   "Writes refused because of a conflict, by its type.", STET_METRIC_COUNTER, "",
                   space, more, (double)value_of(&space->counters.conflicts[i]));
        }
    }
}

static void visit_settled(const struct visit *visit) {
    static const char *const ways[SETTLED_WAYS] = {
        [SETTLED_MERGED] = "merged",   [SETTLED_APPLIED] = "applied",
        [SETTLED_DROPPED] = "dropped", [SETTLED_UNCHANGED] = "unchanged",
        [SETTLED_PARKED] = "parked",   [SETTLED_REFUSED] = "conflict",
    };
    for (struct space *space = visit->engine->spaces; space != NULL; space = space->next) {
        if (space->state != SPACE_OPEN) continue;
        for (int strategy = STET_STRATEGY_REJECT; strategy <= STET_STRATEGY_ASK; strategy++) {
            for (size_t way = 0; way < SETTLED_WAYS; way++) {
                uint64_t value = value_of(&space->counters.settled[strategy][way]);
                char more[96];
                if (value == 0) continue;
                snprintf(more, sizeof more, ",strategy=\"%s\",outcome=\"%s\"",
                         strategy_name((stet_strategy)strategy), ways[way]);
                sample(visit, "stet_stale_writes_total",
                       "Writes made from a version that was no longer the newest, by what became "
                       "of them.",
                       STET_METRIC_COUNTER, "", space, more, (double)value);
            }
        }
    }
}

struct contended {
    const struct visit *visit;
    const struct space *space;
};

static void visit_contended(void *context, const char *labels, uint64_t count) {
    const struct contended *contended = context;
    sample(contended->visit, "stet_contended_fields_total",
           "Conflicts by type, first field in conflict and strategy.", STET_METRIC_COUNTER, "",
           contended->space, labels, (double)count);
}

static void visit_contention(const struct visit *visit) {
    for (struct space *space = visit->engine->spaces; space != NULL; space = space->next) {
        struct contended contended = {.visit = visit, .space = space};
        if (space->state == SPACE_OPEN)
            contention_visit(&space->contention, visit_contended, &contended);
    }
}

/* A histogram of buckets whose upper bounds double from `first`; the last one is open. */
static void visit_histogram(const struct visit *visit, const char *name, const char *help,
                            const struct space *space, const _Atomic uint64_t *buckets,
                            size_t count, double first, double sum) {
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        char more[64];
        total += value_of(&buckets[i]);
        if (i + 1 < count) {
            snprintf(more, sizeof more, ",le=\"%g\"", ldexp(first, (int)i));
        } else {
            snprintf(more, sizeof more, ",le=\"+Inf\"");
        }
        sample(visit, name, help, STET_METRIC_HISTOGRAM, "_bucket", space, more, (double)total);
    }
    sample(visit, name, help, STET_METRIC_HISTOGRAM, "_sum", space, "", sum);
    sample(visit, name, help, STET_METRIC_HISTOGRAM, "_count", space, "", (double)total);
}

/* How long conflicts waited: buckets by powers of four, from a second to a month. */
static void visit_resolutions(const struct visit *visit) {
    static const char name[] = "stet_conflict_resolution_seconds";
    static const char help[] = "Time from the opening of a conflict to its end.";
    for (struct space *space = visit->engine->spaces; space != NULL; space = space->next) {
        uint64_t total = 0;
        for (size_t i = 0; i < RESOLUTION_BUCKETS && space->state == SPACE_OPEN; i++) {
            char more[64] = ",le=\"+Inf\"";
            total += value_of(&space->counters.resolution_bucket[i]);
            if (i + 1 < RESOLUTION_BUCKETS)
                snprintf(more, sizeof more, ",le=\"%g\"", ldexp(1, 2 * (int)i));
            sample(visit, name, help, STET_METRIC_HISTOGRAM, "_bucket", space, more, (double)total);
        }
        if (space->state != SPACE_OPEN) continue;
        sample(visit, name, help, STET_METRIC_HISTOGRAM, "_sum", space, "",
               (double)value_of(&space->counters.resolution_s_sum));
        sample(visit, name, help, STET_METRIC_HISTOGRAM, "_count", space, "", (double)total);
    }
}

static void visit_histograms(const struct visit *visit) {
    for (struct space *space = visit->engine->spaces; space != NULL; space = space->next) {
        if (space->state != SPACE_OPEN) continue;
        visit_histogram(visit, "stet_commit_seconds", "Time of a durable commit.", space,
                        space->counters.commit_ns_bucket, 16, 64e-6,
                        (double)value_of(&space->counters.commit_ns_sum) / 1e9);
    }
    for (struct space *space = visit->engine->spaces; space != NULL; space = space->next) {
        if (space->state != SPACE_OPEN) continue;
        visit_histogram(visit, "stet_batch_commands", "Commands in one commit.", space,
                        space->counters.batch_bucket, 12, 1,
                        (double)value_of(&space->counters.batch_sum));
    }
    for (struct space *space = visit->engine->spaces; space != NULL; space = space->next) {
        if (space->state != SPACE_OPEN) continue;
        visit_histogram(visit, "stet_feed_lag_changes",
                        "Changes published since the one a subscriber was given.", space,
                        space->counters.lag_bucket, 18, 1,
                        (double)value_of(&space->counters.lag_sum));
    }
}

/* Only of spaces that have the limit. */
static void visit_quotas(const struct visit *visit) {
    static const char limit_help[] = "What a space may hold, by its settings.";
    static const char used_help[] = "What a space holds of what is limited.";
    for (int used = 0; used < 2; used++) {
        for (struct space *space = visit->engine->spaces; space != NULL; space = space->next) {
            struct quota *quota = &space->quota;
            const struct {
                enum quota_kind kind;
                uint64_t limit, used;
            } rows[] = {
                {QUOTA_RECORDS, value_of(&quota->shown_records), value_of(&quota->used_records)},
                {QUOTA_BYTES, value_of(&quota->shown_bytes), value_of(&quota->used_bytes)}};
            for (size_t i = 0; i < 2 && space->state == SPACE_OPEN; i++) {
                char more[64];
                if (rows[i].limit == QUOTA_NONE) continue;
                snprintf(more, sizeof more, ",limit=\"%s\"", quota_name(rows[i].kind));
                sample(visit, used ? "stet_quota_used" : "stet_quota_limit",
                       used ? used_help : limit_help, STET_METRIC_GAUGE, "", space, more,
                       (double)(used ? rows[i].used : rows[i].limit));
            }
        }
    }
    for (struct space *space = visit->engine->spaces; space != NULL; space = space->next) {
        for (int kind = 0; kind < QUOTA_KINDS && space->state == SPACE_OPEN; kind++) {
            char more[64];
            snprintf(more, sizeof more, ",limit=\"%s\"", quota_name((enum quota_kind)kind));
            sample(visit, "stet_quota_refusals_total",
                   "Commands refused by a limit of the space's settings.", STET_METRIC_COUNTER, "",
                   space, more, (double)value_of(&space->quota.refused[kind]));
        }
    }
}

struct gauge {
    const char *name;
    const char *help;
    double (*read)(struct space *space);
};

static double read_queue(struct space *space) {
    pthread_mutex_lock(&space->sequencer->lock);
    size_t count = space->queue_count;
    pthread_mutex_unlock(&space->sequencer->lock);
    return (double)count;
}

static double read_published(struct space *space) { return (double)ring_published(&space->ring); }

static double read_halted(struct space *space) { return atomic_load(&space->halted) ? 1 : 0; }

static double read_file_bytes(struct space *space) {
    struct store_usage usage;
    store_usage(space->store, &usage);
    return (double)usage.file_bytes;
}

static double read_log_bytes(struct space *space) {
    struct store_usage usage;
    store_usage(space->store, &usage);
    return (double)usage.log_bytes;
}

static void visit_gauges(const struct visit *visit) {
    static const struct gauge gauges[] = {
        {"stet_queue_commands", "Writes waiting for the sequencer.", read_queue},
        {"stet_seq", "The position up to which changes are published.", read_published},
        {"stet_halted", "1 when a commit's outcome is unknown and the space takes no writes.",
         read_halted},
        {"stet_store_bytes", "Size of the space's file.", read_file_bytes},
        {"stet_store_log_bytes", "Size of the write-ahead log.", read_log_bytes},
    };
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++)
        for (struct space *space = visit->engine->spaces; space != NULL; space = space->next)
            if (space->state == SPACE_OPEN)
                sample(visit, gauges[i].name, gauges[i].help, STET_METRIC_GAUGE, "", space, "",
                       gauges[i].read(space));
}

struct module_visit {
    const struct visit *visit;
    const struct module_metric *metric;
    const struct space *space;
};

static void module_visited(void *context, const char *suffix, const char *labels, double value) {
    const struct module_visit *of = context;
    sample(of->visit, of->metric->name, of->metric->help, of->metric->kind, suffix, of->space,
           labels, value);
}

static void visit_modules(const struct visit *visit) {
    for (const struct module *const *module = visit->engine->modules; *module != NULL; module++) {
        for (const struct module_metric *metric = (*module)->metrics;
             metric != NULL && metric->name != NULL; metric++) {
            for (struct space *space = visit->engine->spaces; space != NULL; space = space->next) {
                struct module_visit of = {.visit = visit, .metric = metric, .space = space};
                for (size_t m = 0; m < space->module_count && space->state == SPACE_OPEN; m++)
                    if (space->modules[m].module == *module)
                        metric->visit(space->modules[m].state, module_visited, &of);
            }
        }
    }
}

void metrics_visit(stet_engine *engine, stet_metric_visit *visit_sample, void *context) {
    struct visit visit = {.engine = engine, .visit = visit_sample, .context = context};
    pthread_mutex_lock(&engine->spaces_lock);
    visit_counters(&visit);
    visit_conflicts(&visit);
    visit_settled(&visit);
    visit_contention(&visit);
    visit_histograms(&visit);
    visit_resolutions(&visit);
    visit_gauges(&visit);
    visit_quotas(&visit);
    visit_modules(&visit);
    pthread_mutex_unlock(&engine->spaces_lock);
    pthread_mutex_lock(&engine->copies_lock);
    for (struct engine_companion *companion = engine->companions; companion != NULL;
         companion = companion->next)
        companion->metrics(companion, visit_sample, context);
    pthread_mutex_unlock(&engine->copies_lock);
}
