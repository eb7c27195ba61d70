/*
 * What time does: leases end, runs take too long, deadlines pass, notes become versions, and what cannot be started any more is ended.
 * Each is a command of its own, so that one that fails does not keep the others.
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/operations/internal.h"

enum { RETRY_S = 5 };

static struct operation *of_timer(struct queue_timer *timer, size_t offset) {
    return timer == NULL ? NULL : (struct operation *)((char *)timer - offset);
}

#define FIRST(timers, member) of_timer(timers_first(timers), offsetof(struct operation, member))

static void note_ready(void *context, struct queue_entry *entry) {
    (void)context;
    ((struct lane *)entry->lane->context)->dirty = true;
}

void operations_tick(struct operations *operations) {
    queue_tick(operations->queue, operations->now, note_ready, NULL);
}

/* ---- Decisions --------------------------------------------------------------------------- */

stet_status operation_end(struct operations *operations, struct staging *staging, stet_view id,
                          struct operation_record *record, enum operation_event event,
                          stet_view reason, const struct store_change **row, stet_error *err) {
    record_let_go(record);
    record->reason = reason;
    return operations_move(operations, staging, id, record, event, row, err);
}

static stet_status decide_lost(struct operations *operations, struct staging *staging,
                               struct task *task, stet_error *err) {
    const struct operation *operation = operations_find(operations, task->id);
    struct operation_record *record;
    if (operation == NULL || !operation->state.held || operation->lease.at > operations->monotonic)
        return STET_OK;
    bool too_long = operation->run_ends <= operations->monotonic;
    unsigned timeout_s =
        operation->timeout_s != 0 ? operation->timeout_s : operation->lane->settings.timeout_s;
    stet_status status = record_now(staging, operation, &record, err);
    if (status != STET_OK) return status;
    if (too_long) {
        const struct failing failing = {
            .error =
                arena_format(staging_arena(staging), "the run took longer than %u s", timeout_s),
            .retry = true};
        if (failing.error.bytes == NULL) return no_memory(err);
        return operation_fail(operations, staging, operation, record, &failing, NULL, err);
    }
    record_let_go(record);
    record->attempts++;
    enum operation_event event = OPERATION_EVENT_QUEUED;
    if (record->attempts >= OPERATION_ATTEMPTS_MAX) {
        event = OPERATION_EVENT_FAILED;
        record->error = arena_format(staging_arena(staging), "its workers were lost %u times",
                                     record->attempts);
        if (record->error.bytes == NULL) return no_memory(err);
    }
    atomic_fetch_add_explicit(&operations->metrics.leases_expired, 1, memory_order_relaxed);
    return operations_move(operations, staging, task->id, record, event, NULL, err);
}

static stet_status decide_expired(struct operations *operations, struct staging *staging,
                                  struct task *task, stet_error *err) {
    const struct operation *operation = operations_find(operations, task->id);
    struct operation_record *record;
    if (operation == NULL || operation->deadline > staging->now) return STET_OK;
    stet_status status = record_now(staging, operation, &record, err);
    if (status != STET_OK) return status;
    return operation_end(operations, staging, task->id, record, OPERATION_EVENT_EXPIRED,
                         VIEW("its deadline passed"), NULL, err);
}

static stet_status decide_flush(struct operations *operations, struct staging *staging,
                                struct task *task, stet_error *err) {
    struct operation *operation = operations_find(operations, task->id);
    if (operation == NULL || operation->note == NULL) return STET_OK;
    return progress_flush(operations, staging, operation, err);
}

static stet_status decide_doomed(struct operations *operations, struct staging *staging,
                                 struct task *task, stet_error *err) {
    struct operation *operation = operations_find(operations, task->id);
    struct operation_record *record;
    enum doom doom;
    if (operation == NULL || operation->doom == DOOM_NONE) return STET_OK;
    stet_status status = operation_check_start(staging, operation, &doom, err);
    if (status != STET_OK) return status;
    if (doom == DOOM_NONE) {
        operation_undoom(operation);
        return STET_OK;
    }
    bool by_parent = doom == DOOM_PARENT;
    status = record_now(staging, operation, &record, err);
    if (status != STET_OK) return status;
    stet_view reason = by_parent ? VIEW("what it is a part of was cancelled")
                                 : VIEW("an operation that it depends on was not completed");
    return operation_end(operations, staging, task->id, record,
                         by_parent ? OPERATION_EVENT_CANCELLED : OPERATION_EVENT_REJECTED, reason,
                         NULL, err);
}

/* ---- What is due ------------------------------------------------------------------------- */

void operations_decided(void *state) {
    struct operations *operations = state;
    operations_drop_pending(operations);
    claims_wake(operations);
}

void operations_next_due(void *state, struct module_time *at) {
    struct operations *operations = state;
    const struct queue_timer *lease = timers_first(&operations->leases);
    const struct queue_timer *flush = timers_first(&operations->flushes);
    const struct queue_timer *deadline = timers_first(&operations->deadlines);
    operations_drop_pending(operations);
    claims_wake(operations);
    if (lease != NULL) at->monotonic = lease->at;
    if (flush != NULL && flush->at < at->monotonic) at->monotonic = flush->at;
    if (operations->doomed != NULL) at->monotonic = 0;
    int64_t functions = functions_next(operations);
    if (functions < at->monotonic) at->monotonic = functions;
    int64_t prune = prune_next(operations);
    if (prune < at->monotonic) at->monotonic = prune;
    if (at->monotonic < operations->blocked_until) at->monotonic = operations->blocked_until;
    at->wall = queue_next_tick(operations->queue);
    /* What is overdue and could not be done is looked at again with the rest. */
    if (deadline != NULL && deadline->at < at->wall &&
        (deadline->at > operations->now || operations->blocked_until <= operations->monotonic))
        at->wall = deadline->at;
}

static struct operation *what_is_due(struct operations *operations, const struct module_time *now,
                                     struct task *task) {
    struct operation *operation = operations->doomed;
    if (operation != NULL) {
        task->decide = decide_doomed;
        return operation;
    }
    operation = FIRST(&operations->leases, lease);
    if (operation != NULL && operation->lease.at <= now->monotonic) {
        task->decide = decide_lost;
        return operation;
    }
    operation = FIRST(&operations->deadlines, deadline_timer);
    if (operation != NULL && !now->wall_held && operation->deadline_timer.at <= now->wall) {
        task->decide = decide_expired;
        return operation;
    }
    operation = FIRST(&operations->flushes, flush);
    if (operation != NULL && operation->flush.at <= now->monotonic) {
        task->decide = decide_flush;
        return operation;
    }
    return NULL;
}

/* False: nothing is due, or memory is out. */
static bool fill_due(struct operations *operations, const struct module_time *now,
                     struct stet_command *command) {
    struct task *task = arena_zalloc(&command->arena, 1, sizeof *task);
    if (task == NULL) return false;
    operations->starting = NULL;
    operations->prune_starting = false;
    const struct operation *operation = what_is_due(operations, now, task);
    if (operation != NULL) {
        task->id = arena_copy(&command->arena, operation->id);
        if (task->id.bytes == NULL) return false;
    } else if (!functions_due(operations, task, command)) {
        operations->prune_starting = prune_due(operations, task, command);
        if (!operations->prune_starting) return false;
    }
    command->kind = COMMAND_MODULE;
    command->actor.id = SYSTEM_ACTOR;
    command->module_data = task;
    return true;
}

bool operations_due(void *state, const struct module_time *now, bool refused,
                    struct stet_command *command) {
    struct operations *operations = state;
    struct task nothing;
    operations->monotonic = now->monotonic;
    if (now->wall > operations->now && !now->wall_held) operations->now = now->wall;
    operations_tick(operations);
    if (refused && operations->starting != NULL) {
        functions_not_started(operations);
    } else if (refused && operations->prune_starting) {
        prune_not_started(operations);
    } else if (refused) {
        operations->blocked_until = now->monotonic + RETRY_S * CLOCK_NS_PER_S;
    }
    if (operations->blocked_until > now->monotonic) return false;
    if (fill_due(operations, now, command)) return true;
    /* Without memory it would be asked again and again. */
    if (what_is_due(operations, now, &nothing) != NULL || functions_next(operations) == 0 ||
        prune_next(operations) <= now->monotonic)
        operations->blocked_until = now->monotonic + RETRY_S * CLOCK_NS_PER_S;
    return false;
}
