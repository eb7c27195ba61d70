#include "core/activity.h"

#include "core/contention.h"
#include "core/policy.h"
#include "core/sequencer.h"
#include "core/space.h"

static uint64_t value_of(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void show_writes(const struct space_counters *counters, struct json_writer *writer) {
    json_member_u64(writer, VIEW("commands"), value_of(&counters->commands));
    json_member_u64(writer, VIEW("changes"), value_of(&counters->writes));
    json_member_u64(writer, VIEW("unchanged"), value_of(&counters->unchanged));
    json_member_u64(writer, VIEW("replays"), value_of(&counters->replays));
    json_member_u64(writer, VIEW("refusals"), value_of(&counters->refused));
    json_member_u64(writer, VIEW("retries"), value_of(&counters->retries));
    json_member_u64(writer, VIEW("busy"), value_of(&counters->busy));
}

/* Of stale writes, over all strategies. */
static void show_stale(const struct space_counters *counters, struct json_writer *writer) {
    static const char *const ways[SETTLED_WAYS] = {
        [SETTLED_MERGED] = "merged",   [SETTLED_APPLIED] = "applied",
        [SETTLED_DROPPED] = "dropped", [SETTLED_UNCHANGED] = "unchanged",
        [SETTLED_PARKED] = "parked",   [SETTLED_REFUSED] = "conflict",
    };
    json_key(writer, VIEW("stale"));
    json_object_begin(writer);
    for (size_t way = 0; way < SETTLED_WAYS; way++) {
        uint64_t sum = 0;
        for (int strategy = 0; strategy <= STET_STRATEGY_ASK; strategy++)
            sum += value_of(&counters->settled[strategy][way]);
        json_member_u64(writer, view_of(ways[way]), sum);
    }
    json_object_end(writer);
}

static void show_contended(struct arena *arena, struct space *space, struct json_writer *writer) {
    uint64_t other = 0;
    struct contention_count *counts = arena_zalloc(arena, CONTENTION_LABELS_MAX, sizeof *counts);
    if (counts == NULL) return;
    size_t count = contention_counts(&space->contention, counts, &other);
    json_key(writer, VIEW("contended"));
    json_array_begin(writer);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(writer);
        json_member_text(writer, VIEW("type"), view_of(counts[i].type));
        json_member_text(writer, VIEW("field"), view_of(counts[i].field));
        json_member_text(writer, VIEW("strategy"), view_of(strategy_name(counts[i].strategy)));
        json_member_u64(writer, VIEW("conflicts"), counts[i].count);
        json_object_end(writer);
    }
    json_array_end(writer);
    json_member_u64(writer, VIEW("contended_elsewhere"), other);
}

/* Bucket k holds commits of up to 64 µs times 2^k, and no less than the bucket before; the last one whatever took longer. */
static void show_commits(const struct space_counters *counters, struct json_writer *writer) {
    json_key(writer, VIEW("commits"));
    json_object_begin(writer);
    json_member_u64(writer, VIEW("failures"), value_of(&counters->commit_failures));
    json_member_u64(writer, VIEW("first_bucket_us"), 64);
    json_key(writer, VIEW("buckets"));
    json_array_begin(writer);
    for (size_t i = 0; i < sizeof counters->commit_ns_bucket / sizeof counters->commit_ns_bucket[0];
         i++)
        json_u64(writer, value_of(&counters->commit_ns_bucket[i]));
    json_array_end(writer);
    json_member_u64(writer, VIEW("sum_us"), value_of(&counters->commit_ns_sum) / 1000);
    json_object_end(writer);
}

static uint64_t waiting(struct space *space) {
    pthread_mutex_lock(&space->sequencer->lock);
    size_t count = space->queue_count;
    pthread_mutex_unlock(&space->sequencer->lock);
    return count;
}

void activity_show(struct arena *arena, struct space *space, struct json_writer *writer) {
    const struct space_counters *counters = &space->counters;
    json_object_begin(writer);
    show_writes(counters, writer);
    json_key(writer, VIEW("conflicts"));
    json_object_begin(writer);
    json_member_u64(writer, VIEW("version_mismatch"), value_of(&counters->conflicts[0]));
    json_member_u64(writer, VIEW("concurrent_edit"), value_of(&counters->conflicts[1]));
    json_member_u64(writer, VIEW("agent_override"), value_of(&counters->conflicts[2]));
    json_object_end(writer);
    show_stale(counters, writer);
    show_contended(arena, space, writer);
    json_key(writer, VIEW("cache"));
    json_object_begin(writer);
    json_member_u64(writer, VIEW("hits"), value_of(&counters->cache_hits));
    json_member_u64(writer, VIEW("misses"), value_of(&counters->cache_misses));
    json_object_end(writer);
    json_key(writer, VIEW("feed"));
    json_object_begin(writer);
    json_member_u64(writer, VIEW("subscribers"), value_of(&counters->subscribers));
    json_member_u64(writer, VIEW("events"), value_of(&counters->events));
    json_object_end(writer);
    show_commits(counters, writer);
    json_member_u64(writer, VIEW("waiting"), waiting(space));
    json_member_bool(writer, VIEW("halted"), atomic_load(&space->halted));
    json_object_end(writer);
}
