/*
 * A version becomes known in two steps: what it needs of memory is made when it is staged (pending), and it moves the state when it is accepted
 * (apply), which cannot fail.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/outbound.h"
#include "core/reservations.h"
#include "modules/operations/state.h"

#include <assert.h>
#include <stdlib.h>

/* ---- Staging ----------------------------------------------------------------------------- */

static void pending_free(struct pending *pending) {
    if (pending == NULL) return;
    operation_free(pending->fresh);
    free(pending->hand);
    free(pending);
}

void operations_drop_pending(struct operations *operations) {
    if (operations->pending == NULL && !operations->lanes_to_sweep) return;
    while (operations->pending != NULL) {
        struct pending *pending = operations->pending;
        operations->pending = pending->next;
        pending_free(pending);
    }
    operations->pending_count = 0;
    lanes_sweep(operations);
}

static struct pending *pending_create(stet_view id) {
    struct pending *pending = calloc(1, sizeof *pending + id.size);
    if (pending == NULL) return NULL;
    memcpy(pending->bytes, id.bytes, id.size);
    pending->id = view_make(pending->bytes, id.size);
    return pending;
}

/* One that this command created, or that is there. NULL: a new one, or one that was finished. */
static const struct operation *known(const struct operations *operations, stet_view id) {
    for (const struct pending *pending = operations->pending; pending != NULL;
         pending = pending->next)
        if (pending->lane == NULL && view_equal(pending->id, id) && pending->fresh != NULL)
            return pending->fresh;
    return operations_find(operations, id);
}

stet_status operations_move(struct operations *operations, struct staging *staging, stet_view id,
                            struct operation_record *record, enum operation_event event,
                            const struct store_change **row, stet_error *err) {
    struct store_head after;
    enum operation_status from = record->status;
    assert(event != OPERATION_EVENT_REDELIVERED || view_equal(record->agent, WEBHOOK_AGENT));
    record->status = status_after(from, event);
    /* One that waits hears of those who work on parts of it. */
    if (event == OPERATION_EVENT_PROGRESS && record->status == OPERATION_NONE)
        record->status = from;
    assert(record->status != OPERATION_NONE);
    record->event = view_of(status_event_name(event));
    operations->now = staging->now > operations->now ? staging->now : operations->now;
    operations->monotonic = staging->time.monotonic;
    if (status_finished(record->status)) record->finished_at = staging->now;
    stet_view data = record_write(staging_arena(staging), record);
    struct pending *pending = pending_create(id);
    if (view_is_empty(data) || pending == NULL) {
        free(pending);
        return no_memory(err);
    }
    bool is_new = known(operations, id) == NULL && !status_finished(record->status);
    stet_status status = STET_OK;
    if (is_new) {
        pending->fresh = operation_create(id, record);
        status = pending->fresh == NULL
                     ? no_memory(err)
                     : operation_reserve(operations, pending->fresh, record, err);
    }
    if (status == STET_OK && record->held) {
        pending->hand = hand_create(record);
        if (pending->hand == NULL) status = no_memory(err);
    }
    if (status == STET_OK)
        status =
            staging_put(staging, OPERATION_TYPE, id, data, staging->command->source, &after, err);
    if (status != STET_OK) {
        pending_free(pending);
        return status;
    }
    pending->seq = after.seq;
    pending->state = operation_state_of(record, after.version, after.seq);
    pending->next = operations->pending;
    operations->pending = pending;
    operations->pending_count++;
    if (row != NULL) *row = &staging->command->extra->mutation.change->row;
    return STET_OK;
}

stet_status operations_get(struct staging *staging, stet_view id, struct store_head *head,
                           struct store_change *row, struct operation_record *record,
                           stet_error *err) {
    struct store_change read;
    stet_status status = staging_read(staging, OPERATION_TYPE, id, head, &read, err);
    if (status != STET_OK) return status;
    if (head->version == 0 || head->deleted) return no_operation(id, "id", err);
    if (row != NULL) *row = read;
    return record_read(staging_arena(staging), read.data, record, err);
}

stet_view payload_id(struct arena *arena, stet_view operation, const char *what) {
    return arena_format(arena, "%.*s.%s", VIEW_ARG(operation), what);
}

stet_status payload_put(struct staging *staging, stet_view operation, const char *what,
                        stet_view json, stet_error *err) {
    struct buffer buffer;
    struct json_writer writer;
    stet_view id = payload_id(staging_arena(staging), operation, what);
    buffer_init(&buffer, staging_arena(staging), 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_raw(&writer, VIEW("value"), json);
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK || id.bytes == NULL) return no_memory(err);
    return staging_put(staging, PAYLOAD_TYPE, id, buffer_view(&buffer), (stet_view){0}, NULL, err);
}

stet_status lanes_put(struct operations *operations, struct staging *staging, stet_view name,
                      const struct lane_settings *settings, stet_error *err) {
    struct buffer buffer;
    struct json_writer writer;
    struct store_head after;
    buffer_init(&buffer, staging_arena(staging), 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_u64(&writer, VIEW("width"), settings->width);
    json_member_u64(&writer, VIEW("max_queued"), settings->max_queued);
    json_member_u64(&writer, VIEW("max_queued_per_actor"), settings->max_queued_per_actor);
    json_member_u64(&writer, VIEW("age_s"), settings->age_s);
    json_member_u64(&writer, VIEW("timeout_s"), settings->timeout_s);
    json_member_u64(&writer, VIEW("keep_s"), settings->keep_s);
    if (settings->fair) json_member_text(&writer, VIEW("fair"), VIEW("actor"));
    json_member_bool(&writer, VIEW("paused"), settings->paused);
    json_member_bool(&writer, VIEW("draining"), settings->draining);
    if (settings->declared) json_member_bool(&writer, VIEW("declared"), true);
    json_object_end(&writer);
    struct pending *pending = pending_create(name);
    struct lane *lane = lanes_need(operations, name);
    if (json_end(&writer) != STET_OK || pending == NULL || lane == NULL) {
        pending_free(pending);
        return no_memory(err);
    }
    stet_status status =
        staging_put(staging, LANE_TYPE, name, buffer_view(&buffer), (stet_view){0}, &after, err);
    if (status != STET_OK) {
        pending_free(pending);
        return status;
    }
    pending->lane = lane;
    pending->settings = *settings;
    pending->seq = after.seq;
    pending->next = operations->pending;
    operations->pending = pending;
    operations->pending_count++;
    return STET_OK;
}

stet_status lanes_check_count(const struct operations *operations, stet_error *err) {
    size_t count = operations->lanes_recorded;
    for (const struct pending *pending = operations->pending; pending != NULL;
         pending = pending->next)
        if (pending->lane != NULL && pending->lane->version == 0) count++;
    if (count < LANES_MAX) return STET_OK;
    error_set(err, STET_TOO_LARGE, "there are %d lanes already", LANES_MAX);
    error_field(err, "lane", LANES_MAX);
    return STET_TOO_LARGE;
}

stet_status lanes_put_first(struct operations *operations, struct staging *staging, stet_view name,
                            stet_error *err) {
    struct lane_settings settings;
    struct store_head head;
    if (lanes_find(operations, name) != NULL) return STET_OK;
    stet_status status = staging_read(staging, LANE_TYPE, name, &head, NULL, err);
    if (status != STET_OK || (head.version > 0 && !head.deleted)) return status;
    status = lanes_check_count(operations, err);
    if (status != STET_OK) return status;
    lane_settings_default(&settings);
    return lanes_put(operations, staging, name, &settings, err);
}

/* What was prepared for a change, taken out of the list. What a refused command left there may have the same seq, but stands behind. */
static struct pending *take_pending(struct operations *operations,
                                    const struct store_change *change, bool is_lane) {
    for (struct pending **slot = &operations->pending; *slot != NULL; slot = &(*slot)->next) {
        struct pending *pending = *slot;
        if (pending->seq != change->seq || (pending->lane != NULL) != is_lane ||
            !view_equal(pending->id, change->id))
            continue;
        *slot = pending->next;
        operations->pending_count--;
        return pending;
    }
    return NULL;
}

/* It goes with the next sweep; who waits in it keeps it in memory. */
static void lane_forgotten(struct operations *operations, stet_view name) {
    struct lane *lane = lanes_find(operations, name);
    if (lane == NULL) return;
    timers_set(&operations->idle, &lane->idle, QUEUE_NEVER);
    lane->version = lane->seq = 0;
    operations->lanes_recorded--;
    operations->lanes_to_sweep = true;
}

void operations_apply(void *state, const struct store_change *change) {
    struct operations *operations = state;
    bool is_lane = view_equal(change->type, LANE_TYPE);
    if (!is_lane && !view_equal(change->type, OPERATION_TYPE)) return;
    if (change->op == STORE_DELETE) { /* Of what was finished long ago. */
        if (is_lane) lane_forgotten(operations, change->id);
        return;
    }
    struct pending *pending = take_pending(operations, change, is_lane);
    assert(pending != NULL);
    if (is_lane) {
        if (pending->lane->version == 0) operations->lanes_recorded++;
        pending->lane->version = change->version;
        pending->lane->seq = change->seq;
        lane_settle(operations, pending->lane, &pending->settings);
        lane_note_load(operations, pending->lane);
        pending_free(pending);
        return;
    }
    struct operation *operation = operations_find(operations, change->id);
    bool is_new = pending->fresh != NULL;
    if (is_new) {
        assert(operation == NULL);
        operation = pending->fresh;
        pending->fresh = NULL;
        operation_join(operations, operation);
        operation_link_up(operations, operation);
    }
    if (status_finished(pending->state.status)) prune_note_finished(operations, change->seq);
    if (operation != NULL) {
        operation_set(operations, operation, &pending->state, pending->hand);
        if (is_new && operation->entry.state != QUEUE_OUT)
            estimate_queued(operation->lane->estimate, (enum queue_level)operation->entry.level,
                            operations->now);
        pending->hand = NULL;
    }
    /* Nobody is at work on it any more, so nobody shall wait for that. */
    if (!pending->state.held) reservations_release(operations->space, change->id);
    pending_free(pending);
}
