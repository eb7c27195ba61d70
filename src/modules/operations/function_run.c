/*
 * Operations that the server does itself: those with a function. One that may start is started by `due` as any agent would, with a lease that
 * nobody renews; then it is run on a worker, in the background, and its result and its record changes are decided as one transaction with
 * the end of the operation. What others changed meanwhile makes it run again, by its class.
 *
 *   queued ──due: start──► running ──due: background──► worker ──decide──► completed, failed, rejected
 *                             ▲                                     │
 *                             └────────── retrying: run again ◄─────┘
 *
 * A restart finds it running with nobody at work, and runs it again: nothing of the run before was stored.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/function.h"
#include "core/reservations.h"
#include "core/retry.h"
#include "modules/operations/internal.h"

/* What one run needs on the worker; in the command's arena. */
struct function_work {
    struct function_call call;
    struct operation_cause cause;
    struct rank rank;
    uint64_t token;
    stet_status failed;
    stet_error failure;
};

enum { AGAIN_S = 1 };

/* ---- Starting ---------------------------------------------------------------------------- */

/* The first that may start now. NULL: none. */
static struct operation *startable(const struct operations *operations) {
    const struct queue_taker server = {.as = QUEUE_FOR_SERVER};
    struct queue_entry *entry;
    if (operations->functions_running >= FUNCTIONS_RUNNING_MAX) return NULL;
    for (const struct queue_lane *lane = queue_server_lanes(operations->queue); lane != NULL;
         lane = lane->server_next)
        if (queue_next(operations->queue, lane, &server, &entry) == QUEUE_TAKE)
            return operation_of(entry);
    return NULL;
}

static stet_status decide_start(struct operations *operations, struct staging *staging,
                                struct task *task, stet_error *err) {
    struct operation *operation = operations_find(operations, task->id);
    enum doom doom;
    if (operation == NULL || operation->entry.state != QUEUE_READY) return STET_OK;
    stet_status status = operation_check_start(staging, operation, &doom, err);
    if (status != STET_OK) return status;
    if (doom != DOOM_NONE) {
        operation_doom(operations, operation, doom);
        return STET_OK;
    }
    const struct start start = {.agent = operation->function, .actor = SYSTEM_ACTOR};
    return operation_start(operations, staging, operation, &start, NULL, err);
}

/* ---- Running ----------------------------------------------------------------------------- */

static void begin_run(struct stet_command *command, struct function_work *work) {
    const struct stet_engine *engine = command->client->engine;
    work->call.now = clock_wall_ns(engine->clock);
    work->call.brief = false;
    work->call.seed = entropy_u64(engine->entropy);
    work->failed = STET_OK;
    work->failure = (stet_error){0};
    command_drop_mutations(command);
}

static stet_status read_head(struct arena *arena, struct store_reader *reader, stet_view type,
                             stet_view id, struct store_change *row, stet_error *err) {
    struct store_head head;
    stet_status status = store_head(reader, type, id, &head, err);
    if (status != STET_OK) return status;
    if (head.version == 0 || head.deleted)
        return error_set(err, STET_CORRUPT, "the operation is not there any more");
    return store_change_at(reader, arena, head.seq, row, err);
}

/* What was asked for is the same in every version. */
static stet_status read_input(struct stet_command *command, struct store_reader *reader,
                              struct function_work *work, stet_error *err) {
    struct arena *arena = &command->arena;
    struct operation_record record;
    struct store_change row;
    struct doc doc;
    stet_status status = read_head(arena, reader, OPERATION_TYPE, work->cause.id, &row, err);
    if (status == STET_OK) status = record_read(arena, row.data, &record, err);
    /* It sees and does what they could when they asked for it. */
    if (status == STET_OK) status = rights_restore(arena, &record, &command->actor, err);
    if (status != STET_OK) return status;
    work->call.input = record.input;
    if (!record.input_apart) return STET_OK;
    stet_view id = payload_id(arena, work->cause.id, "input");
    if (id.bytes == NULL) return no_memory(err);
    status = read_head(arena, reader, PAYLOAD_TYPE, id, &row, err);
    if (status == STET_OK) status = change_parse(arena, row.data, &doc, err);
    if (status != STET_OK) return status;
    doc_node value = doc_member(&doc, 0, VIEW("value"));
    if (value != DOC_NONE) work->call.input = doc_text(&doc, value);
    return STET_OK;
}

/* On a worker. */
static stet_status hop_run(struct stet_command *command, struct store_reader *reader,
                           stet_error *err) {
    struct task *task = command->module_data;
    struct function_work *work = task->work;
    (void)err;
    begin_run(command, work);
    command->made.operation = work->cause.id;
    command->rank = &work->rank;
    work->failed = read_input(command, reader, work, &work->failure);
    if (work->failed == STET_OK)
        work->failed = command->client->engine->functions->run(command, reader, NULL, &work->call,
                                                               &work->failure);
    if (work->failed != STET_OK) command_drop_mutations(command);
    return STET_OK; /* The sequencer says so, in its turn. */
}

/* ---- Ending ------------------------------------------------------------------------------ */

static stet_status end_failed(struct operations *operations, struct staging *staging,
                              const struct function_work *work, struct operation_record *record,
                              stet_error *err) {
    struct arena *arena = staging_arena(staging);
    const char *words =
        work->failure.message[0] != '\0' ? work->failure.message : status_words(work->failed);
    record_let_go(record);
    record->error = work->call.line > 0 ? arena_format(arena, "line %u: %s", work->call.line, words)
                                        : arena_format(arena, "%s", words);
    if (record->error.bytes == NULL) return no_memory(err);
    return operations_move(operations, staging, work->cause.id, record, OPERATION_EVENT_FAILED,
                           NULL, err);
}

static stet_status end_completed(struct operations *operations, struct staging *staging,
                                 const struct function_work *work, struct operation_record *record,
                                 stet_error *err) {
    stet_view result = work->call.result;
    record_let_go(record);
    record->result_apart = result.size > OPERATION_INLINE_BYTES;
    record->result = record->result_apart ? (stet_view){0} : result;
    record->error = record->reason = (stet_view){0};
    stet_status status = operations_move(operations, staging, work->cause.id, record,
                                         OPERATION_EVENT_COMPLETED, NULL, err);
    if (status == STET_OK && record->result_apart)
        status = payload_put(staging, work->cause.id, "result", result, err);
    return status;
}

/* The machine's trouble is not the function's, nor that who asked for it writes too fast: it is run again. */
static bool is_trouble(stet_status status) {
    return status == STET_NO_MEMORY || status == STET_IO || status == STET_BUSY ||
           status == STET_TOO_MANY_REQUESTS;
}

static stet_status end_given_way(struct operations *operations, struct staging *staging,
                                 const struct function_work *work, struct operation_record *record,
                                 stet_error *err) {
    record_let_go(record);
    record->reason = VIEW("it gave way to others");
    return operations_move(operations, staging, work->cause.id, record, OPERATION_EVENT_REJECTED,
                           NULL, err);
}

/*
 * Alone: nothing can come between, but a reservation of somebody who comes first; then it waits, and is run once more. brief: only a
 * short one, for others wait meanwhile. *done false: it was too long, and nothing came of it.
 */
static stet_status run_here(struct operations *operations, struct staging *staging,
                            struct function_work *work, struct operation_record *record, bool brief,
                            bool *done, stet_error *err) {
    struct stet_command *command = staging->command;
    const struct read_set looked_at = work->call.reads;
    begin_run(command, work);
    work->call.brief = brief;
    work->failed =
        staging->space->engine->functions->run(command, NULL, staging, &work->call, &work->failure);
    *done = !brief || (!work->call.too_long && work->failed != STET_CONCURRENT_MODIFICATION);
    if (!*done) {
        command_drop_mutations(command);
        work->call.reads = looked_at; /* What is to be reserved. */
        return STET_OK;
    }
    if (work->failed == STET_OK && command->mutation_count > 0)
        work->failed = function_stage(staging, &work->call, &work->failure);
    if (command->held || command->hop != NULL) return STET_OK;
    if (work->failed == STET_OK) return end_completed(operations, staging, work, record, err);
    if (work->failure.message[0] == '\0') work->failure = command->error;
    staging_take_back(staging);
    command_drop_mutations(command);
    if (work->failed == STET_OPERATION_REJECTED)
        return end_given_way(operations, staging, work, record, err);
    if (is_trouble(work->failed) || work->failed == STET_CONCURRENT_MODIFICATION) {
        if (err != NULL) *err = work->failure;
        return work->failed;
    }
    return end_failed(operations, staging, work, record, err);
}

/* Others were faster. */
static stet_status run_again(struct operations *operations, struct staging *staging,
                             struct function_work *work, struct operation *operation,
                             struct operation_record *record, stet_error *err) {
    staging_take_back(staging);
    unsigned conflicts = record->retries + 1;
    const struct retry_step step = retry_next(record->effective, conflicts, record->max_retries,
                                              true, entropy_u64(staging->space->engine->entropy));
    if (step.kind != RETRY_EXHAUSTED) record->retries = conflicts;
    record->level = work->rank.level = step.level;
    bool done = false;
    stet_status status = STET_OK;
    switch (step.kind) {
    case RETRY_EXCLUSIVE: return run_here(operations, staging, work, record, false, &done, err);
    case RETRY_EXHAUSTED:
        record_let_go(record);
        record->reason = VIEW("others were in the way too often");
        return operations_move(operations, staging, work->cause.id, record,
                               OPERATION_EVENT_REJECTED, NULL, err);
    case RETRY_AGAIN:
        /* Against the winner, where nobody overtakes it any more. */
        status = run_here(operations, staging, work, record, true, &done, err);
        if (done || status != STET_OK) return status;
        break;
    }
    if (step.reserves) function_reserve(staging, &work->call, &work->rank);
    operation->run_at = operations->monotonic + step.delay_ns;
    return operations_move(operations, staging, work->cause.id, record, OPERATION_EVENT_CONFLICT,
                           NULL, err);
}

static stet_status decide_done(struct operations *operations, struct staging *staging,
                               struct task *task, stet_error *err) {
    struct stet_command *command = staging->command;
    struct function_work *work = task->work;
    struct operation *operation = operations_find(operations, task->id);
    struct operation_record *record;
    /* It was cancelled, or took too long, meanwhile. */
    if (operation == NULL || !operation->state.held || operation->state.token != work->token)
        return STET_OK;
    stet_status status = record_now(staging, operation, &record, err);
    if (status != STET_OK) return status;
    stet_status ran = work->failed;
    if (ran == STET_OK && work->call.reads.current) {
        /* What it read alone held for that moment only: it waited since, or its batch failed. */
        ran = STET_CONCURRENT_MODIFICATION;
    } else if (ran == STET_OK && command->mutation_count > 0)
        ran = function_stage(staging, &work->call, &work->failure);
    if (command->held || command->hop != NULL) return STET_OK;
    if (ran == STET_CONCURRENT_MODIFICATION)
        return run_again(operations, staging, work, operation, record, err);
    if (ran == STET_OK) return end_completed(operations, staging, work, record, err);
    if (is_trouble(ran)) {
        if (work->failure.message[0] == '\0') work->failure = command->error;
        if (err != NULL) *err = work->failure;
        return ran;
    }
    if (ran == STET_OPERATION_REJECTED) {
        staging_take_back(staging);
        return end_given_way(operations, staging, work, record, err);
    }
    work->failed = ran;
    for (size_t i = 0; i < command->mutation_count; i++)
        if (command->mutations[i].error != NULL && work->failure.message[0] == '\0')
            work->failure = *command->mutations[i].error;
    if (work->failure.message[0] == '\0') work->failure = command->error;
    staging_take_back(staging);
    return end_failed(operations, staging, work, record, err);
}

static int64_t again_s(const struct stet_command *command) {
    return command->status == STET_TOO_MANY_REQUESTS && command->retry_after_s > AGAIN_S
               ? (int64_t)command->retry_after_s
               : AGAIN_S;
}

void functions_ended(struct operations *operations, struct stet_command *command) {
    const struct task *task = command->module_data;
    operations->functions_running--;
    struct operation *operation = operations_find(operations, task->id);
    if (operation == NULL || operation->state.token != task->work->token) return;
    operation->at_work = false;
    if (command->status != STET_OK && operation->state.held)
        operation->run_at = operations->monotonic + again_s(command) * CLOCK_NS_PER_S;
}

/* ---- What is due ------------------------------------------------------------------------- */

/* One that is to be run now. *at: when the next one is, else. */
static struct operation *runnable(const struct operations *operations, int64_t *at) {
    *at = MODULE_NEVER;
    if (operations->functions_running >= FUNCTIONS_RUNNING_MAX) return NULL;
    for (struct operation *operation = operations->to_run; operation != NULL;
         operation = operation->to_run_next) {
        if (operation->at_work) continue;
        if (operation->run_at <= operations->monotonic) return operation;
        if (operation->run_at < *at) *at = operation->run_at;
    }
    return NULL;
}

int64_t functions_next(const struct operations *operations) {
    int64_t at;
    if (operations->space->engine->functions == NULL) return MODULE_NEVER;
    if (startable(operations) != NULL || runnable(operations, &at) != NULL) return 0;
    return at;
}

/* The work of a background command; NULL: memory is out. */
static struct function_work *work_for(struct stet_command *command,
                                      const struct operation *operation) {
    struct arena *arena = &command->arena;
    struct function_work *work = arena_zalloc(arena, 1, sizeof *work);
    if (work == NULL) return NULL;
    work->token = operation->state.token;
    work->cause = (struct operation_cause){.id = arena_copy(arena, operation->id),
                                           .class_ = operation->effective,
                                           .depth = operation->depth,
                                           .retries = operation->state.retries,
                                           .stamp = operation->created_at};
    work->rank = (struct rank){.level = operation->state.level,
                               .class_ = operation->effective,
                               .stamp = operation->created_at,
                               .operation = work->cause.id};
    work->call.name = arena_copy(arena, operation->function);
    work->call.operation = &work->cause;
    return work->cause.id.bytes == NULL || work->call.name.bytes == NULL ? NULL : work;
}

bool functions_due(struct operations *operations, struct task *task, struct stet_command *command) {
    int64_t at;
    if (operations->space->engine->functions == NULL) return false;
    struct operation *operation = runnable(operations, &at);
    if (operation != NULL) {
        task->work = work_for(command, operation);
        if (task->work == NULL) return false;
        task->decide = decide_done;
        task->id = task->work->cause.id;
        command->hop = hop_run;
        operation->at_work = true;
        operations->starting = operation;
        operations->functions_running++;
        return true;
    }
    operation = startable(operations);
    if (operation == NULL) return false;
    task->decide = decide_start;
    task->id = arena_copy(&command->arena, operation->id);
    return task->id.bytes != NULL;
}

void functions_not_started(struct operations *operations) {
    struct operation *operation = operations->starting;
    if (operation == NULL) return;
    operations->starting = NULL;
    operations->functions_running--;
    operation->at_work = false;
    operation->run_at = operations->monotonic + AGAIN_S * CLOCK_NS_PER_S;
}
