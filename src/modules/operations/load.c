/*
 * Opening, loading and forgetting. Loading takes the same way as a version that was accepted, so that both agree; what is memory only goes on over
 * a reset.
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/operations/state.h"

#include <stdlib.h>

enum { BUCKETS_FIRST = 256 };

/* ---- Loading ----------------------------------------------------------------------------- */

static stet_status load_lane(struct operations *operations, struct arena *arena,
                             const struct store_change *head, stet_error *err) {
    struct lane_settings settings;
    struct doc doc;
    stet_status status = change_parse(arena, head->data, &doc, err);
    struct lane *lane = status == STET_OK ? lanes_need(operations, head->id) : NULL;
    if (status != STET_OK) return status;
    if (lane == NULL) return no_memory(err);
    lane_settings_default(&settings);
    struct {
        const char *name;
        unsigned *value;
    } numbers[] = {{"width", &settings.width},
                   {"max_queued", &settings.max_queued},
                   {"max_queued_per_actor", &settings.max_queued_per_actor},
                   {"age_s", &settings.age_s},
                   {"timeout_s", &settings.timeout_s},
                   {"keep_s", &settings.keep_s}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uint64_t value;
        doc_node node = doc_member(&doc, 0, view_of(numbers[i].name));
        if (node != DOC_NONE && doc_u64(&doc, node, &value) && value <= UINT32_MAX)
            *numbers[i].value = (unsigned)value;
    }
    doc_node node = doc_member(&doc, 0, VIEW("paused"));
    if (node != DOC_NONE) doc_bool(&doc, node, &settings.paused);
    node = doc_member(&doc, 0, VIEW("draining"));
    if (node != DOC_NONE) doc_bool(&doc, node, &settings.draining);
    node = doc_member(&doc, 0, VIEW("declared"));
    if (node != DOC_NONE) doc_bool(&doc, node, &settings.declared);
    settings.fair = doc_member(&doc, 0, VIEW("fair")) != DOC_NONE;
    if (lane->version == 0) operations->lanes_recorded++;
    lane->version = head->version;
    lane->seq = head->seq;
    lane_settle(operations, lane, &settings);
    return STET_OK;
}

/* What is memory only goes on where it was before the reset. */
static void take_over(struct operations *operations, struct operation *operation,
                      struct operation *old) {
    bool same =
        operation->state.held && old->state.held && operation->state.token == old->state.token;
    if (same) {
        operation->lease_ends = old->lease_ends;
        operation->run_ends = old->run_ends;
        operation->told_at = old->told_at;
        operation->reported_at = old->reported_at;
        operation->at_work = old->at_work;
        operation->run_at = old->run_at;
        operation->note = old->note;
        old->note = NULL;
        operation_lease_timer(operations, operation);
        if (operation->note != NULL)
            timers_set(&operations->flushes, &operation->flush, operation->told_at);
    }
}

static stet_status load_operation(struct operations *operations, struct arena *arena,
                                  const struct store_change *head, stet_error *err) {
    struct operation_record record;
    stet_status status = record_read(arena, head->data, &record, err);
    if (status == STET_OK && status_finished(record.status))
        prune_note_finished(operations, head->seq);
    if (status != STET_OK || status_finished(record.status)) return status;
    struct operation *operation = operation_create(head->id, &record);
    struct hand *hand = record.held ? hand_create(&record) : NULL;
    if (operation == NULL || (record.held && hand == NULL)) {
        status = no_memory(err);
    } else {
        status = operation_reserve(operations, operation, &record, err);
    }
    if (status != STET_OK) {
        operation_free(operation);
        free(hand);
        return status;
    }
    struct operation *old = operations_find_any(operations, head->id);
    if (old != NULL) operations_take_out(operations, old);
    operation_join(operations, operation);
    /* Nobody knows yet whether what it waits for is there: see operations_loaded. */
    operation->missing = operation->dependency_count;
    struct operation_state state = operation_state_of(&record, head->version, head->seq);
    operation_set(operations, operation, &state, hand);
    if (old != NULL) {
        take_over(operations, operation, old);
        operation_free(old);
    }
    return STET_OK;
}

stet_status operations_load(void *state, const struct store_change *head, stet_error *err) {
    struct operations *operations = state;
    struct arena arena;
    bool is_lane = view_equal(head->type, LANE_TYPE);
    if (!is_lane && !view_equal(head->type, OPERATION_TYPE)) return STET_OK;
    int64_t now = clock_wall_ns(operations->space->engine->clock);
    operations->monotonic = clock_monotonic_ns(operations->space->engine->clock);
    operations->now = now > operations->now ? now : operations->now;
    arena_init(&arena, 4096);
    stet_status status = is_lane ? load_lane(operations, &arena, head, err)
                                 : load_operation(operations, &arena, head, err);
    arena_done(&arena);
    return status;
}

/* Frees what a reset left and nobody loaded again. */
static void sweep_operations(struct operations *operations) {
    for (size_t i = 0; i < operations->bucket_count; i++) {
        struct operation **slot = &operations->buckets[i];
        while (*slot != NULL) {
            struct operation *operation = *slot;
            if (!operation->stale) {
                slot = &operation->bucket_next;
                continue;
            }
            *slot = operation->bucket_next;
            operations->count--;
            operation_free(operation);
        }
    }
}

stet_status operations_loaded(void *state, stet_error *err) {
    struct operations *operations = state;
    (void)err;
    sweep_operations(operations);
    lanes_sweep(operations);
    for (size_t i = 0; i < operations->bucket_count; i++) {
        for (struct operation *operation = operations->buckets[i]; operation != NULL;
             operation = operation->bucket_next) {
            operation->missing = 0;
            operation_link_up(operations, operation);
            /* What it is a part of may have been cancelled, and the crash been faster than what follows from that. */
            if (operation->state.held && operation->parent.size > 0 && operation->above == NULL)
                operation_doom(operations, operation, DOOM_ASK);
            if (operation->dependency_count > 0 && !operation->state.held)
                queue_delay(operations->queue, &operation->entry, operation_eligible_at(operation));
        }
    }
    for (struct lane *lane = operations->lanes; lane != NULL; lane = lane->next)
        lane_note_idle(operations, lane);
    queue_tick(operations->queue, operations->now, NULL, NULL);
    return STET_OK;
}

/* ---- Opening ----------------------------------------------------------------------------- */

stet_status operations_open(struct space *space, void **state, stet_error *err) {
    struct operations *operations = calloc(1, sizeof *operations);
    if (operations == NULL) return no_memory(err);
    operations->space = space;
    operations->bucket_count = BUCKETS_FIRST;
    operations->prune.from = operations->prune.at = PRUNE_NOTHING;
    operations->buckets = calloc(BUCKETS_FIRST, sizeof(struct operation *));
    stet_status status = operations->buckets == NULL
                             ? no_memory(err)
                             : queue_create(space->hash_seed, &operations->queue, err);
    if (status != STET_OK) {
        operations_close(operations);
        return status;
    }
    *state = operations;
    return STET_OK;
}

void operations_close(void *state) {
    struct operations *operations = state;
    if (operations == NULL) return;
    operations_drop_pending(operations);
    for (size_t i = 0; operations->buckets != NULL && i < operations->bucket_count; i++) {
        while (operations->buckets[i] != NULL) {
            struct operation *operation = operations->buckets[i];
            operations->buckets[i] = operation->bucket_next;
            operation_free(operation);
        }
    }
    while (operations->lanes != NULL) {
        struct lane *lane = operations->lanes;
        operations->lanes = lane->next;
        lane->idle.index = 0;
        lane_free(lane);
    }
    metrics_done(&operations->metrics);
    timers_done(&operations->idle);
    timers_done(&operations->leases);
    timers_done(&operations->deadlines);
    timers_done(&operations->flushes);
    queue_destroy(operations->queue);
    free(operations->buckets);
    free(operations);
}

/* Operations and lanes stay for a moment, as a memory of what is not in their records. */
void operations_reset(void *state) {
    struct operations *operations = state;
    operations_drop_pending(operations);
    for (size_t i = 0; i < operations->bucket_count; i++) {
        for (struct operation *operation = operations->buckets[i]; operation != NULL;
             operation = operation->bucket_next) {
            operation->stale = true;
            operation->lease.index = operation->flush.index = operation->deadline_timer.index = 0;
            operation->running_next = NULL;
            memset(operation->by_id, 0, sizeof operation->by_id);
            operation->running_link = operation->to_run_link = NULL;
            operation->dependents = NULL;
            operation->above = operation->below = operation->beside = NULL;
            operation->doom = DOOM_NONE;
        }
    }
    operations->idle.count = operations->leases.count = operations->flushes.count =
        operations->deadlines.count = 0;
    operations->refusals = (struct refusals){0};
    operations->lanes_recorded = 0;
    operations->doomed = operations->doomed_later = operations->to_run = operations->starting =
        NULL;
    operations->by_id = operations->held_by_id = NULL;
    for (struct lane *lane = operations->lanes; lane != NULL; lane = lane->next) {
        lane->queue = NULL;
        lane->version = lane->seq = 0;
        lane->idle.index = 0;
        lane->running = NULL;
        lane->by_id = NULL;
    }
    queue_reset(operations->queue);
}
