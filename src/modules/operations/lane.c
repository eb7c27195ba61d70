/*
 * Lanes in memory. One is there while it has a record, or somebody waits or is about to wait in it. The record
 * of one that nobody declared goes when nothing was in it for a while, so that names somebody once used do not count for ever.
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/operations/state.h"

#include <assert.h>
#include <stdlib.h>

/* ---- Lanes ------------------------------------------------------------------------------- */

void lane_settings_default(struct lane_settings *settings) {
    *settings = (struct lane_settings){
        .width = 1,
        .max_queued = LANE_QUEUED_DEFAULT,
        .max_queued_per_actor = LANE_QUEUED_DEFAULT,
        .age_s = LANE_AGE_S_DEFAULT,
        .timeout_s = OPERATION_TIMEOUT_S_DEFAULT,
        .keep_s = OPERATION_KEEP_S,
    };
}

bool lane_settings_are_default(const struct lane_settings *settings) {
    struct lane_settings normal;
    lane_settings_default(&normal);
    return settings->width == normal.width && settings->max_queued == normal.max_queued &&
           settings->max_queued_per_actor == normal.max_queued_per_actor &&
           settings->age_s == normal.age_s && settings->timeout_s == normal.timeout_s &&
           settings->keep_s == normal.keep_s && !settings->fair && !settings->paused &&
           !settings->draining && !settings->declared;
}

static struct lane *lanes_find_any(const struct operations *operations, stet_view name) {
    struct queue_lane *lane = queue_lane_find(operations->queue, name);
    return lane == NULL ? NULL : lane->context;
}

struct lane *lanes_find(const struct operations *operations, stet_view name) {
    struct lane *lane = lanes_find_any(operations, name);
    return lane == NULL || lane->version == 0 ? NULL : lane;
}

void lane_settle(struct operations *operations, struct lane *lane,
                 const struct lane_settings *settings) {
    const struct queue_lane_settings queued = {
        .width = settings->width,
        .age_s = settings->age_s,
        .fair = settings->fair,
        .paused = settings->paused,
        .draining = settings->draining,
    };
    lane->settings = *settings;
    lane->dirty = true;
    queue_lane_set(operations->queue, lane->queue, &queued);
    queue_tick(operations->queue, operations->now, NULL, NULL);
}

void lane_free(struct lane *lane) {
    if (lane == NULL) return;
    assert(lane->idle.index == 0);
    estimate_destroy(lane->estimate);
    free(lane);
}

/* Found, taken over from before a reset, or made. NULL: memory is out. */
struct lane *lanes_need(struct operations *operations, stet_view name) {
    struct queue_lane *queued;
    struct lane *lane = lanes_find_any(operations, name);
    if (lane != NULL) return lane;
    for (lane = operations->lanes; lane != NULL; lane = lane->next)
        if (view_equal(lane->name, name)) break;
    if (lane == NULL) {
        if (timers_reserve(&operations->idle, operations->lane_count + 1, NULL) != STET_OK)
            return NULL;
        lane = calloc(1, sizeof *lane + name.size);
        if (lane == NULL) return NULL;
        memcpy(lane->bytes, name.bytes, name.size);
        lane->name = view_make(lane->bytes, name.size);
        if (estimate_create(&lane->estimate, NULL) != STET_OK) {
            lane_free(lane);
            return NULL;
        }
        lane->next = operations->lanes;
        operations->lanes = lane;
        operations->lane_count++;
        lane_settings_default(&lane->settings);
    }
    if (queue_lane_make(operations->queue, lane->name, &queued, NULL) != STET_OK) return NULL;
    queued->context = lane;
    lane->queue = queued;
    lane_settle(operations, lane, &lane->settings);
    return lane;
}

static bool has_entries(const struct lane *lane) {
    return lane->queue != NULL && (lane->queue->ready_count > 0 || lane->queue->delayed_count > 0 ||
                                   lane->queue->running_count > 0);
}

static bool is_idle(const struct lane *lane) {
    return lane->version > 0 && lane->by_id == NULL && !has_entries(lane) &&
           lane_settings_are_default(&lane->settings);
}

void lane_note_idle(struct operations *operations, struct lane *lane) {
    bool idle = is_idle(lane);
    if (idle == (lane->idle.index != 0)) return;
    timers_set(&operations->idle, &lane->idle,
               idle ? operations->monotonic + LANE_IDLE_S * CLOCK_NS_PER_S : QUEUE_NEVER);
}

stet_status lanes_forget(struct operations *operations, struct staging *staging, stet_view name,
                         stet_error *err) {
    struct lane *lane = lanes_find(operations, name);
    if (lane == NULL) return STET_OK;
    if (!is_idle(lane)) {
        lane_note_idle(operations, lane);
        return STET_OK;
    }
    return staging_forget(staging, LANE_TYPE, name, err);
}

void lanes_sweep(struct operations *operations) {
    operations->lanes_to_sweep = false;
    for (struct lane **slot = &operations->lanes; *slot != NULL;) {
        struct lane *lane = *slot;
        if (lane->version > 0 || lane->first != NULL || has_entries(lane)) {
            slot = &lane->next;
            continue;
        }
        *slot = lane->next;
        operations->lane_count--;
        if (lane->queue != NULL) queue_lane_remove(operations->queue, lane->queue);
        lane_free(lane);
    }
}

unsigned lane_in_hand(const struct lane *lane, stet_view agent) {
    unsigned count = 0;
    for (const struct operation *operation = lane->running; operation != NULL;
         operation = operation->running_next) {
        if (operation->leads && operation->hand != NULL &&
            view_equal(operation->hand->agent, agent))
            count++;
    }
    return count;
}

/* What the estimates go by. */
void lane_note_load(struct operations *operations, struct lane *lane) {
    estimate_load(lane->estimate, lane->queue->places, lane->queue->ready_count, operations->now);
    if (lane->metrics == NULL && lane->version > 0)
        lane->metrics = metrics_for(&operations->metrics, lane->name);
    metrics_note(lane->metrics, lane->queue);
    lane_note_idle(operations, lane);
    atomic_store_explicit(&operations->metrics.bytes, queue_bytes(operations->queue),
                          memory_order_relaxed);
}
