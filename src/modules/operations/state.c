/*
 * The projection: unfinished operations and lanes in memory, as their records say. A version is known here in two steps: what it needs of
 * memory is made when it is staged (pending), and it moves the state when it is accepted (apply), which cannot fail. Loading
 * takes the same way, so that both agree. What is memory only (leases' ends, notes) goes on over a reset.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/reservations.h"
#include "modules/operations/internal.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS_FIRST = 256 };

/* ---- Operations by id -------------------------------------------------------------------- */

static struct operation **bucket_of(const struct operations *operations, uint64_t hash) {
    return &operations->buckets[hash & (operations->bucket_count - 1)];
}

static struct operation *find_any(const struct operations *operations, stet_view id) {
    uint64_t hash = view_hash(id, operations->space->hash_seed);
    struct operation *operation = *bucket_of(operations, hash);
    while (operation != NULL && (operation->hash != hash || !view_equal(operation->id, id)))
        operation = operation->bucket_next;
    return operation;
}

struct operation *operations_find(const struct operations *operations, stet_view id) {
    struct operation *operation = find_any(operations, id);
    return operation == NULL || operation->stale ? NULL : operation;
}

/* Longer rows cost time, not correctness: without memory the buckets stay as they are. */
static void grow_buckets(struct operations *operations) {
    size_t count = operations->bucket_count * 2, old_count = operations->bucket_count;
    struct operation **old = operations->buckets;
    struct operation **buckets = calloc(count, sizeof(struct operation *));
    if (buckets == NULL) return;
    operations->buckets = buckets;
    operations->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct operation *operation = old[i];
            old[i] = operation->bucket_next;
            struct operation **bucket = bucket_of(operations, operation->hash);
            operation->bucket_next = *bucket;
            *bucket = operation;
        }
    }
    free(old);
}

static void table_add(struct operations *operations, struct operation *operation) {
    operation->hash = view_hash(operation->id, operations->space->hash_seed);
    if (operations->count >= operations->bucket_count) grow_buckets(operations);
    struct operation **bucket = bucket_of(operations, operation->hash);
    operation->bucket_next = *bucket;
    *bucket = operation;
    operations->count++;
}

static void table_remove(struct operations *operations, struct operation *operation) {
    struct operation **slot = bucket_of(operations, operation->hash);
    while (*slot != operation)
        slot = &(*slot)->bucket_next;
    *slot = operation->bucket_next;
    operations->count--;
}

/* ---- Making one -------------------------------------------------------------------------- */

static stet_view put_bytes(char **next, stet_view text) {
    stet_view kept = view_make(*next, text.size);
    if (text.size > 0) memcpy(*next, text.bytes, text.size);
    *next += text.size;
    return kept;
}

static struct hand *hand_create(const struct operation_record *record) {
    struct hand *hand = malloc(sizeof *hand + record->current_agent.size + record->worker.size +
                               record->claimed_by.size);
    if (hand == NULL) return NULL;
    char *next = hand->bytes;
    hand->agent = put_bytes(&next, record->current_agent);
    hand->worker = put_bytes(&next, record->worker);
    hand->actor = put_bytes(&next, record->claimed_by);
    return hand;
}

static void operation_free(struct operation *operation) {
    if (operation == NULL) return;
    free(operation->dependencies);
    free(operation->hand);
    free(operation->note);
    free(operation);
}

static struct operation *operation_create(stet_view id, const struct operation_record *record) {
    size_t bytes = id.size + record->by.size + record->agent.size + record->function.size +
                   record->op_type.size + record->parent.size + record->batch_key.size;
    size_t count = record->depends_on.count;
    size_t depends_bytes = 0;
    for (size_t i = 0; i < count; i++)
        depends_bytes += record->depends_on.items[i].size;
    struct operation *operation = calloc(1, sizeof *operation + bytes);
    if (operation == NULL) return NULL;
    char *next = operation->bytes;
    operation->id = put_bytes(&next, id);
    operation->by = put_bytes(&next, record->by);
    operation->agent = put_bytes(&next, record->agent);
    operation->function = put_bytes(&next, record->function);
    operation->op_type = put_bytes(&next, record->op_type);
    operation->parent = put_bytes(&next, record->parent);
    operation->batch_key = put_bytes(&next, record->batch_key);
    operation->class_ = record->class_;
    operation->effective = record->effective;
    operation->depth = record->depth;
    operation->max_retries = record->max_retries;
    operation->timeout_s = record->timeout_s;
    operation->turn = record->turn;
    operation->tag = record->tag;
    operation->created_at = record->created_at;
    operation->queued_at = record->queued_at;
    operation->not_before = record->not_before;
    operation->deadline = record->deadline;
    if (count == 0) return operation;
    operation->dependencies = calloc(1, count * sizeof *operation->dependencies + depends_bytes);
    if (operation->dependencies == NULL) {
        operation_free(operation);
        return NULL;
    }
    next = (char *)(operation->dependencies + count);
    operation->dependency_count = count;
    for (size_t i = 0; i < count; i++)
        operation->dependencies[i] = (struct dependency){
            .waiter = operation, .id = put_bytes(&next, record->depends_on.items[i])};
    return operation;
}

static struct operation_state state_of(const struct operation_record *record, uint64_t version,
                                       uint64_t seq) {
    return (struct operation_state){
        .status = record->status,
        .version = version,
        .seq = seq,
        .attempts = record->attempts,
        .retries = record->retries,
        .level = record->level,
        .held = record->held,
        .token = record->token,
        .ttl_s = record->ttl_s,
        .started_at = record->started_at,
        .after = record->after,
        .batch = record->batch,
        .has_percent = record->has_percent,
        .percent = record->percent,
        .estimated_s = record->estimated_s,
    };
}

static struct queue_place place_of(const struct operation *operation) {
    int64_t since = operation->queued_at;
    return (struct queue_place){
        .lane = operation->lane->name,
        .class_ = operation->effective,
        .for_ = operation->function.size > 0 ? QUEUE_FOR_SERVER
                : operation->agent.size > 0  ? QUEUE_FOR_AGENT
                                             : QUEUE_FOR_ANYONE,
        .agent = operation->agent,
        .actor = operation->by,
        .batch_key = operation->batch_key,
        .turn = operation->turn,
        .tag = operation->tag,
        .since = operation->not_before > since ? operation->not_before : since,
    };
}

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

static struct lane *find_lane(const struct operations *operations, stet_view name) {
    struct queue_lane *lane = queue_lane_find(operations->queue, name);
    return lane == NULL ? NULL : lane->context;
}

struct lane *lanes_find(const struct operations *operations, stet_view name) {
    struct lane *lane = find_lane(operations, name);
    return lane == NULL || lane->version == 0 ? NULL : lane;
}

static void lane_settle(struct operations *operations, struct lane *lane,
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

static void lane_free(struct lane *lane) {
    if (lane == NULL) return;
    estimate_destroy(lane->estimate);
    free(lane);
}

/* Found, taken over from before a reset, or made. NULL: memory is out. */
struct lane *lanes_need(struct operations *operations, stet_view name) {
    struct queue_lane *queued;
    struct lane *lane = find_lane(operations, name);
    if (lane != NULL) return lane;
    for (lane = operations->lanes; lane != NULL; lane = lane->next)
        if (view_equal(lane->name, name)) break;
    if (lane == NULL) {
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

void lanes_sweep(struct operations *operations) {
    for (struct lane **slot = &operations->lanes; *slot != NULL;) {
        struct lane *lane = *slot;
        bool has_entries = lane->queue != NULL &&
                           (lane->queue->ready_count > 0 || lane->queue->delayed_count > 0 ||
                            lane->queue->running_count > 0);
        if (lane->version > 0 || lane->first != NULL || has_entries) {
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
        bool is_mate = operation->state.batch != 0 && operation->state.batch != operation->turn;
        if (!is_mate && operation->hand != NULL && view_equal(operation->hand->agent, agent))
            count++;
    }
    return count;
}

/* What the estimates go by. */
static void note_load(struct operations *operations, struct lane *lane) {
    estimate_load(lane->estimate, lane->queue->places, lane->queue->ready_count, operations->now);
    if (lane->metrics == NULL && lane->version > 0)
        lane->metrics = metrics_for(&operations->metrics, lane->name);
    metrics_note(lane->metrics, lane->queue);
    atomic_store_explicit(&operations->metrics.bytes, queue_bytes(operations->queue),
                          memory_order_relaxed);
}

/* ---- Links between operations ------------------------------------------------------------ */

void operation_doom(struct operations *operations, struct operation *operation, enum doom doom) {
    if (operation->doom != DOOM_NONE) return;
    operation->doom = doom;
    operation->doomed_next = operations->doomed;
    operation->doomed_link = &operations->doomed;
    if (operations->doomed != NULL) operations->doomed->doomed_link = &operation->doomed_next;
    operations->doomed = operation;
}

static void undoom(struct operation *operation) {
    if (operation->doom == DOOM_NONE) return;
    *operation->doomed_link = operation->doomed_next;
    if (operation->doomed_next != NULL)
        operation->doomed_next->doomed_link = operation->doomed_link;
    operation->doom = DOOM_NONE;
}

/* Finds what it waits for and what it is a part of. Those that are not there any more are finished. */
static void link_up(struct operations *operations, struct operation *operation) {
    for (size_t i = 0; i < operation->dependency_count; i++) {
        struct dependency *dependency = &operation->dependencies[i];
        struct operation *on = operations_find(operations, dependency->id);
        if (on == NULL || dependency->on != NULL) continue;
        dependency->on = on;
        dependency->next = on->dependents;
        dependency->link = &on->dependents;
        if (on->dependents != NULL) on->dependents->link = &dependency->next;
        on->dependents = dependency;
        operation->missing++;
    }
    struct operation *above =
        operation->parent.size == 0 ? NULL : operations_find(operations, operation->parent);
    if (above == NULL || operation->above != NULL) return;
    operation->above = above;
    operation->beside = above->below;
    operation->beside_link = &above->below;
    if (above->below != NULL) above->below->beside_link = &operation->beside;
    above->below = operation;
}

static void unlink_child(struct operation *operation) {
    if (operation->above == NULL) return;
    *operation->beside_link = operation->beside;
    if (operation->beside != NULL) operation->beside->beside_link = operation->beside_link;
    operation->above = NULL;
    operation->beside = NULL;
    operation->beside_link = NULL;
}

static void unlink_dependency(struct dependency *dependency) {
    if (dependency->on == NULL) return;
    *dependency->link = dependency->next;
    if (dependency->next != NULL) dependency->next->link = dependency->link;
    dependency->on = NULL;
}

static void unlink_own(struct operation *operation) {
    for (size_t i = 0; i < operation->dependency_count; i++)
        unlink_dependency(&operation->dependencies[i]);
    unlink_child(operation);
    undoom(operation);
}

/* Earlier than this it is not to be started. */
static int64_t eligible_at(const struct operation *operation) {
    if (operation->missing > 0) return QUEUE_NEVER;
    return operation->state.after > operation->not_before ? operation->state.after
                                                          : operation->not_before;
}

/* It is over: those that waited for it may go on, or never can. */
static void tell_others(struct operations *operations, struct operation *operation,
                        enum operation_status how) {
    while (operation->dependents != NULL) {
        struct dependency *dependency = operation->dependents;
        struct operation *waiter = dependency->waiter;
        unlink_dependency(dependency);
        waiter->missing--;
        if (how != OPERATION_COMPLETED) {
            operation_doom(operations, waiter, DOOM_DEPENDENCY);
        } else if (waiter->missing == 0 && !waiter->state.held) {
            queue_delay(operations->queue, &waiter->entry, eligible_at(waiter));
            waiter->lane->dirty = true;
        }
    }
    while (operation->below != NULL) {
        struct operation *child = operation->below;
        unlink_child(child);
        if (how == OPERATION_CANCELLED) operation_doom(operations, child, DOOM_PARENT);
    }
}

/* ---- Moving ------------------------------------------------------------------------------ */

static void run_link(struct operation *operation) {
    struct lane *lane = operation->lane;
    operation->running_next = lane->running;
    operation->running_link = &lane->running;
    if (lane->running != NULL) lane->running->running_link = &operation->running_next;
    lane->running = operation;
}

static void run_unlink(struct operation *operation) {
    if (operation->running_link == NULL) return;
    *operation->running_link = operation->running_next;
    if (operation->running_next != NULL)
        operation->running_next->running_link = operation->running_link;
    operation->running_next = NULL;
    operation->running_link = NULL;
}

/* A running one of the same batch. NULL: there is none. */
static struct queue_entry *mate_of(const struct operation *operation, uint64_t batch) {
    if (batch == 0) return NULL;
    for (struct operation *other = operation->lane->running; other != NULL;
         other = other->running_next)
        if (other->state.batch == batch && other != operation) return &other->entry;
    return NULL;
}

bool operation_shares(const struct operation *operation) {
    return mate_of(operation, operation->state.batch) != NULL;
}

static void note_drop(struct operations *operations, struct operation *operation) {
    timers_set(&operations->flushes, &operation->flush, QUEUE_NEVER);
    free(operation->note);
    operation->note = NULL;
}

static void to_run_link(struct operations *operations, struct operation *operation) {
    operation->run_at = 0;
    operation->to_run_next = operations->to_run;
    operation->to_run_link = &operations->to_run;
    if (operations->to_run != NULL) operations->to_run->to_run_link = &operation->to_run_next;
    operations->to_run = operation;
}

static void to_run_unlink(struct operation *operation) {
    if (operation->to_run_link == NULL) return;
    *operation->to_run_link = operation->to_run_next;
    if (operation->to_run_next != NULL)
        operation->to_run_next->to_run_link = operation->to_run_link;
    operation->to_run_next = NULL;
    operation->to_run_link = NULL;
}

static void lease_drop(struct operations *operations, struct operation *operation) {
    run_unlink(operation);
    to_run_unlink(operation);
    timers_set(&operations->leases, &operation->lease, QUEUE_NEVER);
    note_drop(operations, operation);
    free(operation->hand);
    operation->hand = NULL;
    operation->at_work = false;
}

static void lease_timer(struct operations *operations, struct operation *operation) {
    timers_set(&operations->leases, &operation->lease,
               operation->lease_ends < operation->run_ends ? operation->lease_ends
                                                           : operation->run_ends);
}

void operation_extend(struct operations *operations, struct operation *operation, unsigned ttl_s) {
    operation->lease_ends = operations->monotonic + (int64_t)ttl_s * CLOCK_NS_PER_S;
    lease_timer(operations, operation);
}

static void lease_begin(struct operations *operations, struct operation *operation) {
    unsigned timeout_s =
        operation->timeout_s != 0 ? operation->timeout_s : operation->lane->settings.timeout_s;
    operation->run_ends = operations->monotonic + (int64_t)timeout_s * CLOCK_NS_PER_S;
    operation->told_at = operations->monotonic - PROGRESS_MS_MIN * CLOCK_NS_PER_MS;
    operation_extend(operations, operation, operation->state.ttl_s);
    if (operation->function.size == 0) return;
    /* The server does not lose itself; it only may take too long. */
    operation->lease_ends = INT64_MAX;
    lease_timer(operations, operation);
    to_run_link(operations, operation);
}

/* The operation is over. */
static void operation_finish(struct operations *operations, struct operation *operation,
                             const struct operation_state *state) {
    struct lane *lane = operation->lane;
    if (state->status == OPERATION_COMPLETED && operation->state.started_at > 0) {
        int64_t took = operations->now - operation->state.started_at;
        stet_view who = operation->hand != NULL ? operation->hand->agent : operation->agent;
        if (operation->function.size > 0) who = operation->function;
        estimate_finished(lane->estimate, estimate_kind(lane->estimate, who, operation->op_type),
                          took < 0 ? 0 : took, operations->now);
        metrics_took(lane->metrics, took);
    }
    atomic_fetch_add_explicit(&operations->metrics.ended[state->status], 1, memory_order_relaxed);
    lease_drop(operations, operation);
    timers_set(&operations->deadlines, &operation->deadline_timer, QUEUE_NEVER);
    unlink_own(operation);
    tell_others(operations, operation, state->status);
    queue_remove(operations->queue, &operation->entry);
    table_remove(operations, operation);
    operation_free(operation);
    lane->dirty = true;
    note_load(operations, lane);
}

/* Makes the memory say what the newest version says. hand: taken over. */
static void operation_set(struct operations *operations, struct operation *operation,
                          const struct operation_state *state, struct hand *hand) {
    struct lane *lane = operation->lane;
    bool was_held = operation->state.held && operation->entry.state == QUEUE_RUNNING;
    bool same_lease = was_held && state->held && operation->state.token == state->token;
    if (state->retries > operation->state.retries && operation->entry.state != QUEUE_OUT)
        atomic_fetch_add_explicit(&operations->metrics.retries, 1, memory_order_relaxed);
    if (status_finished(state->status)) {
        free(hand);
        operation_finish(operations, operation, state);
        return;
    }
    if (same_lease) {
        note_drop(operations, operation); /* The version has it. */
        free(operation->hand);
        operation->hand = hand;
        operation->state = *state;
        return;
    }
    if (was_held) lease_drop(operations, operation);
    operation->state = *state;
    if (state->held) {
        struct queue_entry *mate = mate_of(operation, state->batch);
        struct queue_place place = place_of(operation);
        if (operation->entry.state == QUEUE_OUT) {
            queue_insert_running(operations->queue, &operation->entry, &place, mate);
        } else if (operation->entry.state != QUEUE_RUNNING) {
            if (operation->entry.state == QUEUE_DELAYED)
                queue_delay(operations->queue, &operation->entry, 0);
            queue_start(operations->queue, &operation->entry, mate);
            int64_t since = eligible_at(operation);
            if (since < operation->queued_at) since = operation->queued_at;
            metrics_waited(lane->metrics, operations->now - since);
        }
        operation->hand = hand;
        run_link(operation);
        lease_begin(operations, operation);
    } else {
        free(hand);
        switch ((enum queue_state)operation->entry.state) {
        case QUEUE_OUT: {
            struct queue_place place = place_of(operation);
            queue_insert(operations->queue, &operation->entry, &place, eligible_at(operation));
            break;
        }
        case QUEUE_RUNNING:
            queue_return(operations->queue, &operation->entry, eligible_at(operation));
            break;
        case QUEUE_READY:
        case QUEUE_DELAYED:
            queue_delay(operations->queue, &operation->entry, eligible_at(operation));
            break;
        }
        lane->dirty = true;
    }
    note_load(operations, lane);
}

/* Room for all that moving it will need. */
static stet_status reserve(struct operations *operations, struct operation *operation,
                           const struct operation_record *record, stet_error *err) {
    operation->lane = lanes_need(operations, record->lane);
    size_t count = operations->count + operations->pending_count + 1;
    if (operation->lane == NULL) return no_memory(err);
    struct queue_place place = place_of(operation);
    stet_status status = timers_reserve(&operations->leases, count, err);
    if (status == STET_OK) status = timers_reserve(&operations->flushes, count, err);
    if (status == STET_OK) status = timers_reserve(&operations->deadlines, count, err);
    return status == STET_OK ? queue_reserve(operations->queue, &place, err) : status;
}

/* A new one takes its place. */
static void operation_join(struct operations *operations, struct operation *operation) {
    table_add(operations, operation);
    if (operation->deadline > 0)
        timers_set(&operations->deadlines, &operation->deadline_timer, operation->deadline);
}

/* ---- Staging ----------------------------------------------------------------------------- */

static void pending_free(struct pending *pending) {
    if (pending == NULL) return;
    operation_free(pending->fresh);
    free(pending->hand);
    free(pending);
}

void operations_drop_pending(struct operations *operations) {
    if (operations->pending == NULL) return;
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
        status = pending->fresh == NULL ? no_memory(err)
                                        : reserve(operations, pending->fresh, record, err);
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
    pending->state = state_of(record, after.version, after.seq);
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

void operations_apply(void *state, const struct store_change *change) {
    struct operations *operations = state;
    bool is_lane = view_equal(change->type, LANE_TYPE);
    if (!is_lane && !view_equal(change->type, OPERATION_TYPE)) return;
    if (change->op == STORE_DELETE) return; /* Of what was finished long ago. */
    struct pending *pending = take_pending(operations, change, is_lane);
    assert(pending != NULL);
    if (is_lane) {
        pending->lane->version = change->version;
        pending->lane->seq = change->seq;
        lane_settle(operations, pending->lane, &pending->settings);
        note_load(operations, pending->lane);
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
        link_up(operations, operation);
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
    settings.fair = doc_member(&doc, 0, VIEW("fair")) != DOC_NONE;
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
        lease_timer(operations, operation);
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
        status = reserve(operations, operation, &record, err);
    }
    if (status != STET_OK) {
        operation_free(operation);
        free(hand);
        return status;
    }
    struct operation *old = find_any(operations, head->id);
    if (old != NULL) table_remove(operations, old);
    operation_join(operations, operation);
    /* Nobody knows yet whether what it waits for is there: see operations_loaded. */
    operation->missing = operation->dependency_count;
    struct operation_state state = state_of(&record, head->version, head->seq);
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
            link_up(operations, operation);
            if (operation->dependency_count > 0 && !operation->state.held)
                queue_delay(operations->queue, &operation->entry, eligible_at(operation));
        }
    }
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
        lane_free(lane);
    }
    metrics_done(&operations->metrics);
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
            operation->running_link = operation->to_run_link = NULL;
            operation->dependents = NULL;
            operation->above = operation->below = operation->beside = NULL;
            operation->doom = DOOM_NONE;
        }
    }
    operations->leases.count = operations->flushes.count = operations->deadlines.count = 0;
    operations->doomed = operations->to_run = operations->starting = NULL;
    for (struct lane *lane = operations->lanes; lane != NULL; lane = lane->next) {
        lane->queue = NULL;
        lane->version = lane->seq = 0;
        lane->running = NULL;
    }
    queue_reset(operations->queue);
}
