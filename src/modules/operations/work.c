/*
 * Work in hand: telling how far it is, and ending it badly. All of it needs the lease; a lease that was lost is found out here, in the
 * transaction in which it would have mattered.
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/operations/internal.h"

#include <math.h>
#include <stdlib.h>

/* ---- The lease --------------------------------------------------------------------------- */

static stet_status lease_lost(stet_view id, uint64_t lease, stet_error *err) {
    error_set(err, STET_LEASE_LOST, "operation \"%.*s\" is not held with lease %llu any more",
              VIEW_ARG(id), (unsigned long long)lease);
    error_field(err, "lease", 0);
    return STET_LEASE_LOST;
}

/* Of one that may be finished: what became of it, for who still believes to have it. */
stet_status lease_refuse_finished(stet_view id, uint64_t lease,
                                  const struct operation_record *record, stet_error *err) {
    if (!status_finished(record->status) || record->token != lease)
        return lease_lost(id, lease, err);
    return error_set(err, STET_OPERATION_FINISHED, "operation \"%.*s\" is %s already", VIEW_ARG(id),
                     status_name(record->status));
}

stet_status lease_check(struct operations *operations, struct staging *staging,
                        const struct operation *operation, uint64_t lease, stet_error *err) {
    const stet_actor *actor = &staging->command->actor;
    stet_status status = actor_demand(actor, STET_SCOPE_WORK, err);
    if (status != STET_OK) return status;
    if (!operation->state.held || operation->state.token != lease ||
        operation->lease_ends <= operations->monotonic)
        return lease_lost(operation->id, lease, err);
    if (actor->admin || view_equal(operation->hand->actor, actor->id)) return STET_OK;
    return error_set(err, STET_FORBIDDEN, "operation \"%.*s\" is in the hands of %.*s",
                     VIEW_ARG(operation->id), VIEW_ARG(operation->hand->actor));
}

void record_let_go(struct operation_record *record) {
    record->held = false;
    record->current_agent = record->worker = record->claimed_by = (stet_view){0};
    record->batch = 0;
    record->ttl_s = 0;
}

void record_take_note(struct operation_record *record, const struct operation *operation) {
    const struct note *note = operation->note;
    if (note == NULL) return;
    if (record->update_count == PROGRESS_UPDATES_KEPT) {
        for (size_t i = 1; i < PROGRESS_UPDATES_KEPT; i++)
            record->updates[i - 1] = record->updates[i];
        record->update_count--;
    }
    record->updates[record->update_count++] = (struct progress_update){
        .at = note->at,
        .has_percent = note->has_percent,
        .percent = note->percent,
        .message = note->message,
        .agent = operation->hand == NULL ? (stet_view){0} : operation->hand->agent,
    };
    if (note->has_percent) {
        record->has_percent = true;
        record->percent = note->percent;
    }
    if (!view_is_empty(note->message)) record->message = note->message;
    record->estimated_s = note->estimated_s;
}

/* The record with what was said since, in the arena: the memory may go before the answer is made. */
stet_status record_now(struct staging *staging, const struct operation *operation,
                       struct operation_record **record, stet_error *err) {
    struct store_head head;
    *record = arena_zalloc(staging_arena(staging), 1, sizeof **record);
    if (*record == NULL) return no_memory(err);
    stet_status status = operations_get(staging, operation->id, &head, NULL, *record, err);
    if (status == STET_OK) record_take_note(*record, operation);
    return status;
}

/* ---- Progress ---------------------------------------------------------------------------- */

static double percent_of(const struct operation *operation) {
    if (operation->note != NULL && operation->note->has_percent) return operation->note->percent;
    return operation->state.has_percent ? operation->state.percent : 0;
}

/* What was said, with what was said before and no version says yet. NULL: memory is out. */
static struct note *note_create(const struct note *old, const stet_operation_progress *progress,
                                int64_t at) {
    stet_view message = progress->message;
    if (view_is_empty(message) && old != NULL) message = old->message;
    struct note *note = malloc(sizeof *note + message.size);
    if (note == NULL) return NULL;
    *note = (struct note){
        .has_percent = progress->sets_percent || (old != NULL && old->has_percent),
        .percent = progress->sets_percent ? progress->percent
                   : old != NULL          ? old->percent
                                          : 0,
        .estimated_s = progress->estimated_s,
        .at = at,
        .message = view_make(note->bytes, message.size),
    };
    if (message.size > 0) memcpy(note->bytes, message.bytes, message.size);
    return note;
}

stet_status progress_flush(struct operations *operations, struct staging *staging,
                           struct operation *operation, stet_error *err) {
    struct operation_record *record;
    stet_status status = record_now(staging, operation, &record, err);
    if (status == STET_OK)
        status = operations_move(operations, staging, operation->id, record,
                                 OPERATION_EVENT_PROGRESS, NULL, err);
    if (status == STET_OK) operation->told_at = operations->monotonic;
    return status;
}

/* As a version, or in memory until the next one may be made. */
static stet_status say(struct operations *operations, struct staging *staging,
                       struct operation *operation, const stet_operation_progress *progress,
                       stet_error *err) {
    struct note *old = operation->note;
    struct note *note = note_create(old, progress, staging->now);
    int64_t at = operation->told_at + PROGRESS_MS_MIN * CLOCK_NS_PER_MS;
    if (note == NULL) return no_memory(err);
    operation->note = note;
    stet_status status = STET_OK;
    if (at <= operations->monotonic) status = progress_flush(operations, staging, operation, err);
    if (status != STET_OK) {
        operation->note = old;
        free(note);
        return status;
    }
    /* It goes when the version is accepted; should that fail, it is told later. */
    free(old);
    operation->reported_at = staging->now;
    timers_set(&operations->flushes, &operation->flush, at);
    return STET_OK;
}

static stet_status decide_progress(struct operations *operations, struct staging *staging,
                                   struct task *task, stet_error *err) {
    const stet_operation_progress *progress = &task->progress;
    struct operation *operation = operations_find(operations, progress->id);
    struct operation_record record;
    struct store_head head;
    if (operation == NULL) {
        stet_status status = actor_demand(&staging->command->actor, STET_SCOPE_WORK, err);
        if (status == STET_OK)
            status = operations_get(staging, progress->id, &head, NULL, &record, err);
        if (status != STET_OK) return status;
        task->cancel = record.token == progress->lease &&
                       (record.status == OPERATION_CANCELLED || record.status == OPERATION_EXPIRED);
        task->expires_at = record.finished_at;
        return task->cancel ? STET_OK
                            : lease_refuse_finished(task->id, progress->lease, &record, err);
    }
    stet_status status = lease_check(operations, staging, operation, progress->lease, err);
    if (status != STET_OK) return status;
    if (progress->sets_percent && progress->percent < percent_of(operation))
        return bad_field(err, "percent", 0, "it was at %.10g percent already",
                         percent_of(operation));
    operation_extend(operations, operation, operation->state.ttl_s);
    task->expires_at = staging->now + operation->lease.at - operations->monotonic;
    if (!progress->sets_percent && view_is_empty(progress->message) && progress->estimated_s == 0)
        return STET_OK;
    return say(operations, staging, operation, progress, err);
}

static stet_status answer_progress(struct stet_command *command, struct json_writer *writer,
                                   stet_error *err) {
    const struct task *task = command->module_data;
    (void)err;
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), task->id);
    json_key(writer, VIEW("expires_at"));
    json_rfc3339(writer, task->expires_at);
    json_member_bool(writer, VIEW("cancel"), task->cancel);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_object_end(writer);
    return STET_OK;
}

stet_status operations_fill_progress(struct stet_command *command,
                                     const stet_operation_progress *progress, stet_error *err) {
    stet_status status = check_id(progress->id, "id", err);
    if (status != STET_OK) return status;
    if (progress->sets_percent && !(progress->percent >= 0 && progress->percent <= 100))
        return bad_field(err, "percent", 100, "percent is from 0 to 100");
    if (!(progress->estimated_s >= 0) || progress->estimated_s > OPERATION_TIMEOUT_S_MAX)
        return bad_field(err, "estimated_s", OPERATION_TIMEOUT_S_MAX, "estimated_s is from 0 to %d",
                         OPERATION_TIMEOUT_S_MAX);
    struct task *task = operations_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    task->progress = *progress;
    status = operations_text(command, progress->id, ID_BYTES_MAX, "id", &task->id, err);
    if (status == STET_OK)
        status = operations_text(command, progress->message, OPERATION_MESSAGE_BYTES_MAX, "message",
                                 &task->progress.message, err);
    if (status != STET_OK) return status;
    task->progress.id = task->id;
    task->decide = decide_progress;
    operations_finish(command, task, answer_progress);
    return STET_OK;
}

/* ---- Failing ----------------------------------------------------------------------------- */

/* A run failed: the pauses are longer than after a conflict, for what is broken stays so for a while. */
static int64_t failure_pause(const struct staging *staging, unsigned retries,
                             unsigned retry_after_s) {
    int64_t most = FAILURE_RETRY_BASE_MS * CLOCK_NS_PER_MS;
    int64_t cap = FAILURE_RETRY_CAP_S * CLOCK_NS_PER_S;
    for (unsigned i = 1; i < retries && most < cap; i++)
        most *= 2;
    if (most > cap) most = cap;
    uint64_t draw = entropy_u64(staging->space->engine->entropy);
    int64_t pause = most / 2 + (int64_t)(draw % (uint64_t)(most / 2));
    int64_t asked = (int64_t)retry_after_s * CLOCK_NS_PER_S;
    return pause > asked ? pause : asked;
}

stet_status operation_fail(struct operations *operations, struct staging *staging,
                           const struct operation *operation, struct operation_record *record,
                           const struct failing *failing, const struct store_change **row,
                           stet_error *err) {
    enum operation_event event = OPERATION_EVENT_FAILED;
    record_let_go(record);
    record->error = failing->error;
    if (failing->retry && record->retries < record->max_retries) {
        record->retries++;
        record->after =
            staging->now + failure_pause(staging, record->retries, failing->retry_after_s);
        event = OPERATION_EVENT_RETRYING;
    }
    return operations_move(operations, staging, operation->id, record, event, row, err);
}

static stet_status decide_fail(struct operations *operations, struct staging *staging,
                               struct task *task, stet_error *err) {
    const stet_operation_failure *failure = &task->failure;
    const struct operation *operation = operations_find(operations, task->id);
    struct operation_record *record;
    const struct store_change *row = NULL;
    if (operation == NULL) {
        struct operation_record finished;
        struct store_head head;
        stet_status status = actor_demand(&staging->command->actor, STET_SCOPE_WORK, err);
        if (status == STET_OK)
            status = operations_get(staging, task->id, &head, NULL, &finished, err);
        return status == STET_OK ? lease_refuse_finished(task->id, failure->lease, &finished, err)
                                 : status;
    }
    stet_status status = lease_check(operations, staging, operation, failure->lease, err);
    if (status == STET_OK) status = record_now(staging, operation, &record, err);
    if (status != STET_OK) return status;
    if (failure->release) {
        record_let_go(record);
        status = operations_move(operations, staging, task->id, record, OPERATION_EVENT_QUEUED,
                                 &row, err);
    } else {
        const struct failing failing = {.error = failure->error,
                                        .retry = failure->retry,
                                        .retry_after_s = failure->retry_after_s};
        status = operation_fail(operations, staging, operation, record, &failing, &row, err);
    }
    if (status == STET_OK) shown_staged(&task->shown, row, record);
    return status;
}

stet_status operations_fill_fail(struct stet_command *command,
                                 const stet_operation_failure *failure, stet_error *err) {
    stet_status status = check_id(failure->id, "id", err);
    if (status != STET_OK) return status;
    if (failure->retry && failure->release)
        return bad_field(err, "release", 0, "it is tried again or given back, not both");
    if (failure->retry_after_s > OPERATION_TIMEOUT_S_MAX)
        return bad_field(err, "retry_after_s", OPERATION_TIMEOUT_S_MAX,
                         "retry_after_s is at most %d", OPERATION_TIMEOUT_S_MAX);
    struct task *task = operations_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    task->failure = *failure;
    status = operations_text(command, failure->id, ID_BYTES_MAX, "id", &task->id, err);
    if (status == STET_OK)
        status = operations_text(command, failure->error, OPERATION_ERROR_BYTES_MAX, "error",
                                 &task->failure.error, err);
    if (status != STET_OK) return status;
    task->decide = decide_fail;
    operations_finish(command, task, answer_shown);
    return STET_OK;
}
