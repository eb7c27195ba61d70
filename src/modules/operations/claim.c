/*
 * Taking work. A claim takes what is next in its lane for its agent, within the hands that the agent has; where there is nothing it
 * waits. Of those who wait only as many are woken as there is work for, in the order in which they came.
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/operations/internal.h"

#include <assert.h>

/* ---- Waiting ----------------------------------------------------------------------------- */

static void waiter_join(struct operations *operations, struct lane *lane, struct waiter *waiter) {
    waiter->lane = lane;
    waiter->tag = ++operations->last_tag;
    waiter->next = NULL;
    waiter->previous = lane->last;
    if (lane->last != NULL) {
        lane->last->next = waiter;
    } else {
        lane->first = waiter;
    }
    lane->last = waiter;
}

static void waiter_leave(struct waiter *waiter) {
    struct lane *lane = waiter->lane;
    if (lane == NULL) return;
    if (waiter->previous != NULL) {
        waiter->previous->next = waiter->next;
    } else {
        lane->first = waiter->next;
    }
    if (waiter->next != NULL) {
        waiter->next->previous = waiter->previous;
    } else {
        lane->last = waiter->previous;
    }
    waiter->lane = NULL;
    lane->dirty = true; /* It may have been woken, and taken nothing. */
}

static void claim_left(struct stet_command *command) {
    struct task *task = command->module_data;
    waiter_leave(&task->waiter);
}

/* Whether this agent could take something now. */
static bool may_take(struct operations *operations, const struct lane *lane,
                     const struct waiter *waiter) {
    struct queue_entry *entry;
    const struct queue_taker taker = {.as = QUEUE_FOR_AGENT, .agent = waiter->agent};
    return queue_next(operations->queue, lane->queue, &taker, &entry) == QUEUE_TAKE &&
           lane_in_hand(lane, waiter->agent) < waiter->hands;
}

/* How many could take something, if all that is ready were for them. */
static size_t room_of(const struct lane *lane) {
    const struct queue_lane *queue = lane->queue;
    size_t urgent = (size_t)queue->ready[STET_CLASS_URGENT] + queue->ready[STET_CLASS_STRUCTURAL];
    size_t free_places =
        lane->settings.width > queue->places ? lane->settings.width - queue->places : 0;
    size_t room = free_places > urgent ? free_places : urgent;
    return room < queue->ready_count ? room : queue->ready_count;
}

static void lane_wake(struct operations *operations, struct lane *lane) {
    size_t room = room_of(lane);
    lane->dirty = false;
    for (struct waiter *waiter = lane->first; waiter != NULL && room > 0; waiter = waiter->next) {
        if (!waiter->woken) {
            if (!may_take(operations, lane, waiter)) continue;
            waiter->woken = true;
            space_wake_held(operations->space, waiter->tag);
        }
        room--;
    }
}

void claims_wake(struct operations *operations) {
    for (struct lane *lane = operations->lanes; lane != NULL; lane = lane->next)
        if (lane->dirty && lane->queue != NULL) lane_wake(operations, lane);
}

/* ---- Taking ------------------------------------------------------------------------------ */

unsigned claims_waiting(const struct lane *lane) {
    unsigned count = 0, looked = 0;
    for (const struct waiter *waiter = lane->first; waiter != NULL && looked < ESTIMATE_RUNS_MAX;
         waiter = waiter->next, looked++)
        count += lane_in_hand(lane, waiter->agent) < waiter->hands;
    return count;
}

stet_status operation_check_start(struct staging *staging, const struct operation *operation,
                                  enum doom *doom, stet_error *err) {
    struct store_head head;
    struct operation_record other;
    *doom = operation->doom == DOOM_ASK ? DOOM_NONE : operation->doom;
    for (size_t i = 0; i < operation->dependency_count && *doom == DOOM_NONE; i++) {
        stet_status status =
            operations_get(staging, operation->dependencies[i].id, &head, NULL, &other, err);
        if (status == STET_OK && other.status != OPERATION_COMPLETED) *doom = DOOM_DEPENDENCY;
        if (status != STET_OK && status != STET_NOT_FOUND) return status;
    }
    if (operation->parent.size > 0 && *doom == DOOM_NONE) {
        stet_status status = operations_get(staging, operation->parent, &head, NULL, &other, err);
        if (status == STET_OK && other.status == OPERATION_CANCELLED) *doom = DOOM_PARENT;
        if (status != STET_OK && status != STET_NOT_FOUND) return status;
    }
    if (err != NULL) *err = (stet_error){0};
    return STET_OK;
}

/* Those above it hear who works on a part of them. */
static stet_status tell_parents(struct operations *operations, struct staging *staging,
                                stet_view parent, stet_view agent, stet_error *err) {
    struct arena *arena = staging_arena(staging);
    for (unsigned depth = 0; parent.size > 0 && depth < OPERATION_DEPTH_MAX; depth++) {
        struct operation_record *above = arena_zalloc(arena, 1, sizeof *above);
        struct store_head head;
        if (above == NULL) return no_memory(err);
        stet_status status = operations_get(staging, parent, &head, NULL, above, err);
        if (status == STET_NOT_FOUND) {
            if (err != NULL) *err = (stet_error){0};
            return STET_OK;
        }
        if (status != STET_OK) return status;
        if (status_finished(above->status) || text_list_has(&above->agents, agent) ||
            above->agents.count >= AGENTS_INVOLVED_MAX)
            return STET_OK;
        if (!text_list_add(arena, &above->agents, agent)) return no_memory(err);
        const struct operation *known = operations_find(operations, parent);
        if (known != NULL) record_take_note(above, known);
        status = operations_move(operations, staging, parent, above, OPERATION_EVENT_PROGRESS, NULL,
                                 err);
        if (status != STET_OK) return status;
        parent = above->parent;
    }
    return STET_OK;
}

stet_status operation_start(struct operations *operations, struct staging *staging,
                            const struct operation *operation, const struct start *start,
                            struct shown *shown, stet_error *err) {
    const struct store_change *row;
    struct arena *arena = staging_arena(staging);
    struct operation_record *record = arena_zalloc(arena, 1, sizeof *record);
    struct store_head head;
    if (record == NULL) return no_memory(err);
    stet_status status = operations_get(staging, operation->id, &head, NULL, record, err);
    if (status != STET_OK) return status;
    record->token = space_next_version(staging->space, &head);
    record->held = true;
    record->ttl_s = start->ttl_s;
    record->claimed_by = start->actor;
    record->current_agent = start->agent;
    record->worker = start->worker;
    record->batch = start->batch;
    record->after = 0;
    record->started_at = staging->now;
    record->has_percent = false;
    record->percent = record->estimated_s = 0;
    record->message = (stet_view){0};
    if (!text_list_has(&record->agents, start->agent) &&
        record->agents.count < AGENTS_INVOLVED_MAX &&
        !text_list_add(arena, &record->agents, start->agent))
        return no_memory(err);
    status = operations_move(operations, staging, operation->id, record, OPERATION_EVENT_STARTED,
                             &row, err);
    if (status == STET_OK && shown != NULL) shown_staged(shown, row, record);
    if (status == STET_OK)
        status = tell_parents(operations, staging, record->parent, start->agent, err);
    return status;
}

static stet_status take_one(struct operations *operations, struct staging *staging,
                            struct task *task, const struct operation *operation, uint64_t batch,
                            stet_error *err) {
    const stet_claim *claim = &task->claim;
    struct shown *shown = &task->taken[task->taken_count];
    const struct start start = {.agent = claim->agent,
                                .worker = claim->worker,
                                .actor = staging->command->actor.id,
                                .ttl_s = claim->ttl_s,
                                .batch = batch};
    *shown = (struct shown){
        .leased = true,
        .ttl_s = claim->ttl_s,
        .expires_at = staging->now + (int64_t)claim->ttl_s * CLOCK_NS_PER_S,
    };
    stet_status status = operation_start(operations, staging, operation, &start, shown, err);
    if (status != STET_OK) return status;
    shown->token = shown->row.version;
    task->taken_count++;
    return STET_OK;
}

/* Takes one and those of its batch. *last: the last one. */
static stet_status take_batch(struct operations *operations, struct staging *staging,
                              struct task *task, const struct queue_taker *taker,
                              struct queue_entry **last, stet_error *err) {
    unsigned most = task->claim.batch;
    struct queue_entry *mate = most > 1 ? queue_batch_next(operations->queue, *last, taker) : NULL;
    uint64_t batch = mate == NULL ? 0 : operation_of(*last)->turn;
    stet_status status = take_one(operations, staging, task, operation_of(*last), batch, err);
    for (unsigned count = 1; status == STET_OK && mate != NULL && count < most; count++) {
        *last = mate;
        mate = queue_batch_next(operations->queue, *last, taker);
        status = take_one(operations, staging, task, operation_of(*last), batch, err);
    }
    return status;
}

stet_status claim_take(struct operations *operations, struct staging *staging, struct task *task,
                       unsigned freed, stet_error *err) {
    const stet_claim *claim = &task->claim;
    const struct lane *lane = lanes_find(operations, claim->lane);
    const struct queue_taker taker = {.as = QUEUE_FOR_AGENT, .agent = claim->agent};
    struct queue_entry *entry = NULL;
    task->taken_count = 0;
    if (lane == NULL) return STET_OK;
    estimate_claimed(lane->estimate, operations->now);
    unsigned in_hand = lane_in_hand(lane, claim->agent) - freed;
    unsigned room = claim->hands > in_hand ? claim->hands - in_hand : 0;
    if (room > claim->max) room = claim->max;
    /* The queue moves only when all that the command does is accepted. */
    struct queue_supposed supposed = {
        .places = lane->queue->places - freed,
        .urgent = queue_urgent_running(operations->queue),
    };
    for (unsigned taken = 0; taken < room; taken++) {
        if (queue_next_as_if(operations->queue, lane->queue, &taker, &supposed, &entry) !=
            QUEUE_TAKE)
            return STET_OK;
        enum doom doom;
        stet_status status = operation_check_start(staging, operation_of(entry), &doom, err);
        if (status != STET_OK) return status;
        if (doom != DOOM_NONE) {
            /* It is ended before the next batch; who waits is woken by that. */
            operation_doom(operations, operation_of(entry), doom);
            return STET_OK;
        }
        status = take_batch(operations, staging, task, &taker, &entry, err);
        if (status != STET_OK) return status;
        supposed.behind = entry;
        supposed.places++;
        if (entry->level == QUEUE_TOP) supposed.urgent++;
    }
    return STET_OK;
}

static stet_status decide_claim(struct operations *operations, struct staging *staging,
                                struct task *task, stet_error *err) {
    struct stet_command *command = staging->command;
    if (atomic_load(&command->cancelled))
        return error_set(err, STET_CANCELLED, "cancelled while it waited");
    task->waiter.woken = false;
    stet_status status = actor_demand(&command->actor, STET_SCOPE_WORK, err);
    if (status == STET_OK) status = claim_take(operations, staging, task, 0, err);
    if (status != STET_OK || task->taken_count > 0) return status;
    if (task->until == 0)
        task->until = operations->monotonic + (int64_t)task->claim.wait_s * CLOCK_NS_PER_S;
    if (command->wait_over || task->until <= operations->monotonic) return STET_OK;
    if (task->waiter.lane == NULL) {
        struct lane *lane = lanes_need(operations, task->claim.lane);
        if (lane == NULL) return no_memory(err);
        task->waiter.agent = task->claim.agent;
        task->waiter.hands = task->claim.hands;
        waiter_join(operations, lane, &task->waiter);
        command->left = claim_left;
    }
    return staging_hold(staging, task->waiter.tag, task->until, err);
}

/* ---- On the caller's thread -------------------------------------------------------------- */

static stet_status check_number(unsigned *value, unsigned normally, unsigned most,
                                const char *field, stet_error *err) {
    if (*value == 0) *value = normally;
    return *value <= most ? STET_OK : bad_field(err, field, most, "%s is at most %u", field, most);
}

stet_status claim_copy(struct stet_command *command, const stet_claim *claim, stet_claim *kept,
                       stet_error *err) {
    *kept = *claim;
    if (view_is_empty(kept->lane)) kept->lane = VIEW("default");
    stet_status status = need_text(claim->agent, "agent", err);
    if (status == STET_OK) status = check_id(kept->lane, "lane", err);
    if (status == STET_OK)
        status = operations_text(command, kept->lane, LANE_BYTES_MAX, "lane", &kept->lane, err);
    if (status == STET_OK)
        status =
            operations_text(command, claim->agent, AGENT_BYTES_MAX, "agent", &kept->agent, err);
    if (status == STET_OK)
        status =
            operations_text(command, claim->worker, AGENT_BYTES_MAX, "worker", &kept->worker, err);
    if (status == STET_OK) status = check_number(&kept->hands, 1, CLAIM_HANDS_MAX, "hands", err);
    if (status == STET_OK) status = check_number(&kept->max, 1, CLAIM_OPERATIONS_MAX, "max", err);
    if (status == STET_OK)
        status = check_number(&kept->batch, 1, CLAIM_OPERATIONS_MAX, "batch", err);
    if (status == STET_OK) status = check_number(&kept->wait_s, 0, WAIT_S_MAX, "wait_s", err);
    if (status == STET_OK)
        status = check_number(&kept->ttl_s, LEASE_TTL_S_DEFAULT, LEASE_TTL_S_MAX, "ttl_s", err);
    return status;
}

stet_status operations_fill_claim(struct stet_command *command, const stet_claim *claim,
                                  stet_error *err) {
    struct task *task = operations_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    stet_status status = claim_copy(command, claim, &task->claim, err);
    if (status != STET_OK) return status;
    size_t most = (size_t)task->claim.max * task->claim.batch;
    if (most > CLAIM_OPERATIONS_MAX)
        return bad_field(err, "max", CLAIM_OPERATIONS_MAX,
                         "a claim takes at most %d operations: max times batch",
                         CLAIM_OPERATIONS_MAX);
    task->taken = arena_zalloc(&command->arena, most, sizeof *task->taken);
    if (task->taken == NULL) return no_memory(err);
    task->decide = decide_claim;
    operations_finish(command, task, answer_claim);
    return STET_OK;
}
