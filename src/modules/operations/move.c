/*
 * Looking at one operation, cancelling it, and queueing it once more.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/outbound.h"
#include "modules/operations/internal.h"

static stet_status fill_one(struct stet_command *command, stet_view id, struct task **task,
                            stet_error *err) {
    stet_status status = check_id(id, "id", err);
    if (status != STET_OK) return status;
    *task = operations_begin(command, err);
    if (*task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    return operations_text(command, id, ID_BYTES_MAX, "id", &(*task)->id, err);
}

/* ---- Looking ----------------------------------------------------------------------------- */

static stet_status decide_get(struct operations *operations, struct staging *staging,
                              struct task *task, stet_error *err) {
    const struct operation *operation = operations_find(operations, task->id);
    struct store_head head;
    stet_status status =
        rights_demand(&staging->command->actor, STET_SCOPE_READ, STET_SCOPE_OPERATE, err);
    if (status == STET_OK)
        status = staging_read(staging, OPERATION_TYPE, task->id, &head, &task->shown.row, err);
    if (status != STET_OK) return status;
    if (head.version == 0 || head.deleted ||
        !operations_may_read(staging->space, &staging->command->actor, &task->shown.row))
        return no_operation(task->id, "id", err);
    if (operation != NULL) shown_fill(operations, operation, &task->shown);
    return STET_OK;
}

stet_status operations_fill_get(struct stet_command *command, stet_view id, stet_error *err) {
    struct task *task;
    stet_status status = fill_one(command, id, &task, err);
    if (status != STET_OK) return status;
    task->decide = decide_get;
    operations_finish(command, task, answer_shown);
    return STET_OK;
}

/* ---- Cancelling -------------------------------------------------------------------------- */

static stet_status decide_cancel(struct operations *operations, struct staging *staging,
                                 struct task *task, stet_error *err) {
    const struct operation *operation = operations_find(operations, task->id);
    struct operation_record *record;
    const struct store_change *row;
    if (operation == NULL) {
        struct operation_record finished;
        struct store_head head;
        stet_status status = operations_get(staging, task->id, &head, NULL, &finished, err);
        if (status == STET_OK)
            status = rights_steer(staging->space, &staging->command->actor, task->id, finished.by,
                                  finished.claimed_by, err);
        if (status != STET_OK) return status;
        return error_set(err, STET_OPERATION_FINISHED, "operation \"%.*s\" is %s already",
                         VIEW_ARG(task->id), status_name(finished.status));
    }
    stet_status status = record_now(staging, operation, &record, err);
    if (status == STET_OK)
        status = rights_steer(staging->space, &staging->command->actor, task->id, record->by,
                              record->claimed_by, err);
    if (status == STET_OK)
        status = operation_end(operations, staging, task->id, record, OPERATION_EVENT_CANCELLED,
                               task->reason, &row, err);
    if (status == STET_OK) shown_staged(&task->shown, row, record);
    return status;
}

stet_status operations_fill_cancel(struct stet_command *command, stet_view id, stet_view reason,
                                   stet_error *err) {
    struct task *task;
    stet_status status = fill_one(command, id, &task, err);
    if (status == STET_OK)
        status = operations_text(command, reason, OPERATION_MESSAGE_BYTES_MAX, "reason",
                                 &task->reason, err);
    if (status != STET_OK) return status;
    task->decide = decide_cancel;
    operations_finish(command, task, answer_shown);
    return STET_OK;
}

/* ---- Once more --------------------------------------------------------------------------- */

static void retry_left(struct stet_command *command) {
    struct task *task = command->module_data;
    const struct operation *operation = operations_find(task->operations, task->id);
    if (operation != NULL) shown_fill(task->operations, operation, &task->shown);
}

static stet_status decide_retry(struct operations *operations, struct staging *staging,
                                struct task *task, stet_error *err) {
    struct operation_record *record = arena_zalloc(staging_arena(staging), 1, sizeof *record);
    struct store_head head;
    const struct store_change *row;
    if (record == NULL) return no_memory(err);
    stet_status status = operations_get(staging, task->id, &head, NULL, record, err);
    if (status == STET_OK)
        status = rights_steer(staging->space, &staging->command->actor, task->id, record->by,
                              record->claimed_by, err);
    if (status != STET_OK) return status;
    /* What a webhook's other side has answered may be lost there, so that it wants it again. */
    bool redelivers =
        record->status == OPERATION_COMPLETED && view_equal(record->agent, WEBHOOK_AGENT);
    if (!status_finished(record->status) || (record->status == OPERATION_COMPLETED && !redelivers))
        return error_set(err, STET_OPERATION_STATUS,
                         "operation \"%.*s\" is %s: only what was not completed is tried again",
                         VIEW_ARG(task->id), status_name(record->status));
    if (record->depth > OPERATION_DEPTH_MAX)
        return error_set(err, STET_OPERATION_STATUS,
                         "operation \"%.*s\" is too deep below its parents", VIEW_ARG(task->id));
    /* As if it had been asked for now. What it was to be done by is over. */
    if (record->deadline != 0 && record->deadline <= staging->now) record->deadline = 0;
    record->retries = record->attempts = record->level = 0;
    record->turn = staging->space->seq + 1;
    record->tag = queue_tag(operations->queue, record->lane, record->effective, record->by);
    record->queued_at = staging->now;
    record->started_at = record->finished_at = record->after = 0;
    record->error = record->reason = (stet_view){0};
    record->has_percent = false;
    record->percent = record->estimated_s = 0;
    record->message = (stet_view){0};
    if (record->result_apart) {
        stet_view payload = payload_id(staging_arena(staging), task->id, "result");
        if (payload.bytes == NULL) return no_memory(err);
        status = staging_forget(staging, PAYLOAD_TYPE, payload, err);
        if (status != STET_OK) return status;
        record->result_apart = false;
    }
    record->result = record->done = record->results = (stet_view){0};
    status = operations_move(operations, staging, task->id, record,
                             redelivers ? OPERATION_EVENT_REDELIVERED : OPERATION_EVENT_QUEUED,
                             &row, err);
    /* Its lane may have been forgotten since. */
    if (status == STET_OK) status = lanes_put_first(operations, staging, record->lane, err);
    if (status != STET_OK) return status;
    shown_staged(&task->shown, row, record);
    staging->command->left = retry_left;
    return STET_OK;
}

stet_status operations_fill_retry(struct stet_command *command, stet_view id, stet_error *err) {
    struct task *task;
    stet_status status = fill_one(command, id, &task, err);
    if (status != STET_OK) return status;
    task->decide = decide_retry;
    operations_finish(command, task, answer_shown);
    return STET_OK;
}
