/*
 * What time does: leases end, runs take too long, deadlines pass, notes become versions, and what cannot be started any more is ended.
 * Each is a command of its own, so that one that fails does not keep the others.
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/operations/internal.h"

enum {
    RETRY_S = 5,
    REFUSED_MAX = 16, /* Within that time; past it, it is not them: all wait. */
};

/* What a timer stands in. */
#define HOLDER(timer, type, member) ((type *)(void *)((char *)(timer)-offsetof(type, member)))

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

static stet_status decide_idle(struct operations *operations, struct staging *staging,
                               struct task *task, stet_error *err) {
    return lanes_forget(operations, staging, task->id, err);
}

/* ---- What was refused -------------------------------------------------------------------- */

/* What was asked for last is put off, so that what is due beside it has its turn. */
static void put_off(struct operations *operations) {
    struct refusals *refusals = &operations->refusals;
    int64_t again = RETRY_S * CLOCK_NS_PER_S;
    if (refusals->doomed != NULL) {
        if (operations->doomed_later == NULL)
            operations->doomed_again_at = operations->monotonic + again;
        operation_doom_later(operations, refusals->doomed);
    } else if (refusals->timer != NULL) {
        bool wall = refusals->timers == &operations->deadlines;
        timers_set(refusals->timers, refusals->timer,
                   (wall ? operations->now : operations->monotonic) + again);
    }
    if (operations->monotonic - refusals->since >= again) {
        refusals->since = operations->monotonic;
        refusals->count = 0;
    }
    if (++refusals->count >= REFUSED_MAX) {
        refusals->blocked_until = operations->monotonic + again;
        refusals->count = 0;
    }
}

static void take_up_doomed(struct operations *operations) {
    if (operations->doomed != NULL || operations->doomed_later == NULL ||
        operations->doomed_again_at > operations->monotonic)
        return;
    operations->doomed = operations->doomed_later;
    operations->doomed->doomed_link = &operations->doomed;
    operations->doomed_later = NULL;
}

/* ---- What is due ------------------------------------------------------------------------- */

void operations_decided(void *state) {
    struct operations *operations = state;
    operations_drop_pending(operations);
    claims_wake(operations);
}

static void at_most(int64_t *at, int64_t other) {
    if (other < *at) *at = other;
}

static int64_t first_at(const struct timers *timers) {
    const struct queue_timer *first = timers_first(timers);
    return first == NULL ? MODULE_NEVER : first->at;
}

void operations_next_due(void *state, struct module_time *at) {
    struct operations *operations = state;
    int64_t blocked_until = operations->refusals.blocked_until;
    int64_t deadline = first_at(&operations->deadlines);
    operations_drop_pending(operations);
    claims_wake(operations);
    at_most(&at->monotonic, first_at(&operations->leases));
    at_most(&at->monotonic, first_at(&operations->flushes));
    at_most(&at->monotonic, first_at(&operations->idle));
    if (operations->doomed_later != NULL) at_most(&at->monotonic, operations->doomed_again_at);
    if (operations->doomed != NULL) at->monotonic = 0;
    if (at->monotonic < blocked_until) at->monotonic = blocked_until;
    at_most(&at->monotonic, functions_next(operations));
    at_most(&at->monotonic, prune_next(operations));
    if (at->monotonic < operations->blocked_until) at->monotonic = operations->blocked_until;
    if (blocked_until < operations->blocked_until) blocked_until = operations->blocked_until;
    at->wall = queue_next_tick(operations->queue);
    /* What is overdue and could not be done is looked at again with the rest. */
    if (deadline > operations->now || blocked_until <= operations->monotonic) {
        at_most(&at->wall, deadline);
    } else {
        at_most(&at->monotonic, blocked_until);
    }
}

static bool is_timer_due(struct timers *timers, int64_t now, struct refusals *asked) {
    struct queue_timer *first = timers_first(timers);
    if (first == NULL || first->at > now) return false;
    asked->timer = first;
    asked->timers = timers;
    return true;
}

/* False: nothing of operations and lanes. Else task->id is borrowed, and `asked` knows what it is. */
static bool what_is_due(struct operations *operations, const struct module_time *now,
                        struct task *task) {
    struct refusals *asked = &operations->refusals;
    asked->doomed = NULL;
    asked->timer = NULL;
    if (asked->blocked_until > now->monotonic) return false;
    take_up_doomed(operations);
    if (operations->doomed != NULL) {
        asked->doomed = operations->doomed;
        task->decide = decide_doomed;
        task->id = operations->doomed->id;
    } else if (is_timer_due(&operations->leases, now->monotonic, asked)) {
        task->decide = decide_lost;
        task->id = HOLDER(asked->timer, struct operation, lease)->id;
    } else if (!now->wall_held && is_timer_due(&operations->deadlines, now->wall, asked)) {
        task->decide = decide_expired;
        task->id = HOLDER(asked->timer, struct operation, deadline_timer)->id;
    } else if (is_timer_due(&operations->flushes, now->monotonic, asked)) {
        task->decide = decide_flush;
        task->id = HOLDER(asked->timer, struct operation, flush)->id;
    } else if (is_timer_due(&operations->idle, now->monotonic, asked)) {
        task->decide = decide_idle;
        task->id = HOLDER(asked->timer, struct lane, idle)->name;
    } else {
        return false;
    }
    return true;
}

/* False: nothing is due, or memory is out. */
static bool fill_due(struct operations *operations, const struct module_time *now,
                     struct stet_command *command) {
    struct task *task = arena_zalloc(&command->arena, 1, sizeof *task);
    if (task == NULL) return false;
    operations->starting = NULL;
    operations->prune_starting = false;
    if (what_is_due(operations, now, task)) {
        task->id = arena_copy(&command->arena, task->id);
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
        put_off(operations);
    }
    if (operations->blocked_until > now->monotonic) return false;
    if (fill_due(operations, now, command)) return true;
    /* Without memory it would be asked again and again. */
    if (what_is_due(operations, now, &nothing) || functions_next(operations) == 0 ||
        prune_next(operations) <= now->monotonic)
        operations->blocked_until = now->monotonic + RETRY_S * CLOCK_NS_PER_S;
    return false;
}
