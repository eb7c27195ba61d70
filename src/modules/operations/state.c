/*
 * How the memory follows the records: operation_set makes an operation what its newest version says, and tells those that wait for it or are a
 * part of it. What is memory only (leases' ends, notes) begins and ends here.
 */
#include "modules/operations/state.h"
#include "base/error.h"
#include "base/view.h"

#include <assert.h>
#include <stdlib.h>

/* ---- Links between operations ------------------------------------------------------------ */

static void doomed_link(struct operation **list, struct operation *operation) {
    operation->doomed_next = *list;
    operation->doomed_link = list;
    if (*list != NULL) (*list)->doomed_link = &operation->doomed_next;
    *list = operation;
}

void operation_doom(struct operations *operations, struct operation *operation, enum doom doom) {
    if (operation->doom != DOOM_NONE) return;
    operation->doom = doom;
    doomed_link(&operations->doomed, operation);
}

void operation_undoom(struct operation *operation) {
    if (operation->doom == DOOM_NONE) return;
    *operation->doomed_link = operation->doomed_next;
    if (operation->doomed_next != NULL)
        operation->doomed_next->doomed_link = operation->doomed_link;
    operation->doom = DOOM_NONE;
}

void operation_doom_later(struct operations *operations, struct operation *operation) {
    enum doom doom = operation->doom;
    operation_undoom(operation);
    operation->doom = doom;
    doomed_link(&operations->doomed_later, operation);
}

/* Finds what it waits for and what it is a part of. Those that are not there any more are finished. */
void operation_link_up(struct operations *operations, struct operation *operation) {
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
    operation_undoom(operation);
}

/* Earlier than this it is not to be started. */
int64_t operation_eligible_at(const struct operation *operation) {
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
            queue_delay(operations->queue, &waiter->entry, operation_eligible_at(waiter));
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

static void run_link(struct operations *operations, struct operation *operation) {
    struct lane *lane = operation->lane;
    operation->running_next = lane->running;
    operation->running_link = &lane->running;
    if (lane->running != NULL) lane->running->running_link = &operation->running_next;
    lane->running = operation;
    by_id_insert(&operations->held_by_id, BY_ID_HELD, operation);
}

static void run_unlink(struct operations *operations, struct operation *operation) {
    if (operation->running_link == NULL) return;
    by_id_remove(&operations->held_by_id, BY_ID_HELD, operation);
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

/* It leaves the lane's running ones; of its batch another one counts from now on. */
static void hand_back(struct operations *operations, struct operation *operation) {
    run_unlink(operations, operation);
    if (!operation->leads) return;
    operation->leads = false;
    struct queue_entry *mate = mate_of(operation, operation->state.batch);
    if (mate != NULL) operation_of(mate)->leads = true;
}

static void lease_drop(struct operations *operations, struct operation *operation) {
    hand_back(operations, operation);
    to_run_unlink(operation);
    timers_set(&operations->leases, &operation->lease, QUEUE_NEVER);
    note_drop(operations, operation);
    free(operation->hand);
    operation->hand = NULL;
    operation->at_work = false;
}

void operation_lease_timer(struct operations *operations, struct operation *operation) {
    timers_set(&operations->leases, &operation->lease,
               operation->lease_ends < operation->run_ends ? operation->lease_ends
                                                           : operation->run_ends);
}

void operation_extend(struct operations *operations, struct operation *operation, unsigned ttl_s) {
    operation->lease_ends = operations->monotonic + (int64_t)ttl_s * CLOCK_NS_PER_S;
    operation_lease_timer(operations, operation);
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
    operation_lease_timer(operations, operation);
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
    operations_take_out(operations, operation);
    operation_free(operation);
    lane->dirty = true;
    lane_note_load(operations, lane);
}

/* Makes the memory say what the newest version says. hand: taken over. */
void operation_set(struct operations *operations, struct operation *operation,
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
        struct queue_place place = operation_place(operation);
        if (operation->entry.state == QUEUE_OUT) {
            queue_insert_running(operations->queue, &operation->entry, &place, mate);
        } else if (operation->entry.state != QUEUE_RUNNING) {
            if (operation->entry.state == QUEUE_DELAYED)
                queue_delay(operations->queue, &operation->entry, 0);
            queue_start(operations->queue, &operation->entry, mate);
            int64_t since = operation_eligible_at(operation);
            if (since < operation->queued_at) since = operation->queued_at;
            metrics_waited(lane->metrics, operations->now - since);
        }
        operation->hand = hand;
        operation->leads = mate == NULL;
        run_link(operations, operation);
        lease_begin(operations, operation);
    } else {
        free(hand);
        switch ((enum queue_state)operation->entry.state) {
        case QUEUE_OUT: {
            struct queue_place place = operation_place(operation);
            queue_insert(operations->queue, &operation->entry, &place,
                         operation_eligible_at(operation));
            break;
        }
        case QUEUE_RUNNING:
            queue_return(operations->queue, &operation->entry, operation_eligible_at(operation));
            break;
        case QUEUE_READY:
        case QUEUE_DELAYED:
            queue_delay(operations->queue, &operation->entry, operation_eligible_at(operation));
            break;
        }
        lane->dirty = true;
    }
    lane_note_load(operations, lane);
}

/* Room for all that moving it will need. */
stet_status operation_reserve(struct operations *operations, struct operation *operation,
                              const struct operation_record *record, stet_error *err) {
    operation->lane = lanes_need(operations, record->lane);
    size_t count = operations->count + operations->pending_count + 1;
    if (operation->lane == NULL) return no_memory(err);
    struct queue_place place = operation_place(operation);
    stet_status status = timers_reserve(&operations->leases, count, err);
    if (status == STET_OK) status = timers_reserve(&operations->flushes, count, err);
    if (status == STET_OK) status = timers_reserve(&operations->deadlines, count, err);
    return status == STET_OK ? queue_reserve(operations->queue, &place, err) : status;
}

/* A new one takes its place. */
void operation_join(struct operations *operations, struct operation *operation) {
    operations_add(operations, operation);
    if (operation->deadline > 0)
        timers_set(&operations->deadlines, &operation->deadline_timer, operation->deadline);
}
