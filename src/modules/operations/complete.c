/*
 * Completing: record changes, result and the end of the operation in one transaction. When the changes meet somebody else's, none of them is
 * stored, and neither is the result; but that it happened is, with the operation's count of retries, although the caller is refused: so
 * the count is right after a crash, too.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "core/render.h"
#include "core/reservations.h"
#include "core/retry.h"
#include "modules/operations/internal.h"

#include <sodium.h>

/* What became of each mutation, so that a repeated completion can be answered alike: seq * 4 + flags, as in keys. */
static stet_view results_of(struct stet_command *command) {
    struct buffer buffer;
    struct json_writer writer;
    if (command->mutation_count == 0) return (stet_view){0};
    buffer_init(&buffer, &command->arena, 0);
    json_begin(&writer, &buffer);
    json_array_begin(&writer);
    for (size_t i = 0; i < command->mutation_count; i++)
        json_u64(&writer, command->mutations[i].after_seq);
    json_array_end(&writer);
    return json_end(&writer) == STET_OK ? buffer_view(&buffer) : (stet_view){0};
}

/* A completion that was done already, or comes too late. */
static stet_status decide_repeated(struct staging *staging, struct task *task, stet_error *err) {
    const stet_operation_completion *completion = &task->completion;
    struct operation_record record;
    struct store_head head;
    task->shown =
        (struct shown){0}; /* It may have been decided otherwise in a batch that failed. */
    stet_status status = actor_demand(&staging->command->actor, STET_SCOPE_WORK, err);
    if (status == STET_OK)
        status = operations_get(staging, task->id, &head, &task->shown.row, &record, err);
    if (status != STET_OK) return status;
    task->repeated = record.status == OPERATION_COMPLETED && record.token == completion->lease &&
                     view_equal(record.done, task->done);
    return task->repeated ? STET_OK
                          : lease_refuse_finished(task->id, completion->lease, &record, err);
}

static struct rank rank_of(const struct operation_record *record, stet_view id) {
    return (struct rank){.level = record->level,
                         .class_ = record->effective,
                         .stamp = record->created_at,
                         .operation = id};
}

/* What it wanted to change is its own until the next try. */
static void reserve(struct staging *staging, const struct operation_record *record, stet_view id) {
    const struct stet_command *command = staging->command;
    const struct rank rank = rank_of(record, id);
    struct reserved_record *records =
        arena_alloc(staging_arena(staging), command->mutation_count * sizeof *records);
    if (records == NULL) return; /* It is a favour, no duty. */
    for (size_t i = 0; i < command->mutation_count; i++)
        records[i] = (struct reserved_record){.type = command->mutations[i].type,
                                              .id = command->mutations[i].id};
    reservations_take(staging->space, &rank, records, command->mutation_count,
                      staging->time.monotonic + RESERVATION_MS_MAX * CLOCK_NS_PER_MS);
}

/* It lost against another write, once more. Stores only that. */
static stet_status note_conflict(struct operations *operations, struct staging *staging,
                                 struct task *task, const struct operation *operation,
                                 struct operation_record *record, bool gives_way, stet_error *err) {
    struct stet_command *command = staging->command;
    staging_take_back(staging);
    unsigned conflicts = record->retries + 1;
    const struct retry_step step = retry_next(record->effective, conflicts, record->max_retries,
                                              false, entropy_u64(staging->space->engine->entropy));
    bool exhausted = gives_way || step.kind == RETRY_EXHAUSTED;
    if (exhausted) {
        record->reason = VIEW("others were in the way too often");
        record_let_go(record);
    } else {
        record->retries = conflicts;
    }
    record->level = step.level;
    if (!exhausted && step.reserves) reserve(staging, record, task->id);
    stet_status status =
        operations_move(operations, staging, operation->id, record,
                        exhausted ? OPERATION_EVENT_REJECTED : OPERATION_EVENT_CONFLICT, NULL, err);
    if (status != STET_OK) return status;
    task->retries_known = true;
    task->retries = record->retries;
    task->retries_left =
        record->max_retries > record->retries ? record->max_retries - record->retries : 0;
    task->level = step.level;
    task->delay_ns = step.delay_ns;
    command->keeps_staged = true;
    return exhausted ? error_set(err, STET_OPERATION_REJECTED,
                                 "others were in the way of operation \"%.*s\" too often",
                                 VIEW_ARG(task->id))
                     : STET_CONCURRENT_MODIFICATION;
}

static stet_status claim_next(struct operations *operations, struct staging *staging,
                              struct task *task, const struct operation *operation,
                              stet_error *err) {
    struct task *next = task->next;
    if (next == NULL) return STET_OK;
    next->claim.lane = operation->lane->name;
    next->claim.agent = arena_copy(staging_arena(staging), operation->hand->agent);
    next->claim.worker = arena_copy(staging_arena(staging), operation->hand->worker);
    if (next->claim.agent.bytes == NULL || next->claim.worker.bytes == NULL) return no_memory(err);
    next->claim.ttl_s = operation->state.ttl_s;
    next->claim.max = next->claim.batch = 1;
    unsigned freed = operation_shares(operation) ? 0 : 1;
    next->claim.hands = lane_in_hand(operation->lane, operation->hand->agent);
    return claim_take(operations, staging, next, freed, err);
}

/* The mutations are the agent's own, not the module's: they are held to what holds for any write, such as that system types are not its to change. */
static stet_status decide_mutations(struct staging *staging) {
    struct stet_command *command = staging->command;
    const struct module *owner = command->owner;
    command->owner = NULL;
    stet_status status = staging_decide(staging);
    command->owner = owner;
    return status;
}

static stet_status decide_complete(struct operations *operations, struct staging *staging,
                                   struct task *task, stet_error *err) {
    struct stet_command *command = staging->command;
    const stet_operation_completion *completion = &task->completion;
    const struct operation *operation = operations_find(operations, task->id);
    struct operation_record *record;
    const struct store_change *row;
    if (operation == NULL) return decide_repeated(staging, task, err);
    stet_status status = lease_check(operations, staging, operation, completion->lease, err);
    if (status == STET_OK) status = record_now(staging, operation, &record, err);
    if (status != STET_OK) return status;
    if (command->mutation_count > 0) {
        struct rank *rank = arena_zalloc(staging_arena(staging), 1, sizeof *rank);
        if (rank == NULL) return no_memory(err);
        *rank = rank_of(record, task->id);
        command->rank = rank;
        status = decide_mutations(staging);
    }
    if (command->held || command->hop != NULL) return STET_OK;
    if (status == STET_CONCURRENT_MODIFICATION || status == STET_OPERATION_REJECTED)
        return note_conflict(operations, staging, task, operation, record,
                             status == STET_OPERATION_REJECTED, err);
    if (status != STET_OK) return status;
    record->done = task->done;
    record->results = results_of(command);
    record->result = completion->result;
    record->result_apart = completion->result.size > OPERATION_INLINE_BYTES;
    if (record->result_apart) record->result = (stet_view){0};
    record->error = record->reason = (stet_view){0};
    record_let_go(record);
    if (record->has_percent) record->percent = 100;
    status = operations_move(operations, staging, task->id, record, OPERATION_EVENT_COMPLETED, &row,
                             err);
    if (status == STET_OK) shown_staged(&task->shown, row, record);
    if (status == STET_OK && record->result_apart)
        status = payload_put(staging, task->id, "result", completion->result, err);
    if (status == STET_OK) status = claim_next(operations, staging, task, operation, err);
    return status;
}

static void explain_retry(struct stet_command *command, struct json_writer *writer) {
    const struct task *task = command->module_data;
    if (!task->retries_known) return;
    json_key(writer, VIEW("retry"));
    json_object_begin(writer);
    json_member_u64(writer, VIEW("retries"), task->retries);
    json_member_u64(writer, VIEW("left"), task->retries_left);
    json_member_u64(writer, VIEW("delay_ms"),
                    (uint64_t)((task->delay_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS));
    json_member_u64(writer, VIEW("level"), task->level);
    json_object_end(writer);
}

/* The first answer's results once more, from the changes that the record names. */
static stet_status render_repeated(struct stet_command *command, struct json_writer *writer,
                                   const struct task *task, stet_error *err) {
    struct operation_record record;
    struct doc doc;
    struct store_reader *reader;
    struct viewer viewer = command_viewer(command);
    stet_status status = record_read(&command->arena, task->shown.row.data, &record, err);
    command->outcome.replayed = true;
    if (status != STET_OK || view_is_empty(record.results)) return status;
    status = change_parse(&command->arena, record.results, &doc, err);
    if (status == STET_OK) status = space_reader_take(command->space, &reader, err);
    if (status != STET_OK) return status;
    for (doc_node child = doc_first(&doc, 0); child != DOC_NONE && status == STET_OK;
         child = doc_next(&doc, child)) {
        struct store_change row;
        struct created created;
        uint64_t seq = 0;
        json_object_begin(writer);
        doc_u64(&doc, child, &seq);
        status = seq == 0 ? STET_PRUNED : store_change_at(reader, &command->arena, seq, &row, err);
        if (status == STET_OK)
            status = client_created(command->client, command->space, &row, &command->arena,
                                    &created, err);
        if (status == STET_OK) render_record_members(writer, &viewer, &row, &created);
        if (status == STET_PRUNED) status = STET_OK;
        json_object_end(writer);
    }
    space_reader_give(command->space, reader);
    return status;
}

static stet_status answer_complete(struct stet_command *command, struct json_writer *writer,
                                   stet_error *err) {
    struct task *task = command->module_data;
    json_object_begin(writer);
    json_key(writer, VIEW("operation"));
    stet_status status = shown_render(command, writer, &task->shown, SHOW_BARE, err);
    if (status != STET_OK) return status;
    command->outcome.version = task->shown.row.version;
    json_key(writer, VIEW("results"));
    json_array_begin(writer);
    status = task->repeated ? render_repeated(command, writer, task, err)
                            : command_render_results(command, writer, err);
    if (status != STET_OK) return status;
    json_array_end(writer);
    if (task->next != NULL) {
        json_key(writer, VIEW("next"));
        if (task->next->taken_count == 0) {
            json_null(writer);
        } else {
            status = shown_render(command, writer, &task->next->taken[0], SHOW_WHOLE, err);
            if (status != STET_OK) return status;
        }
    }
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_object_end(writer);
    return STET_OK;
}

static void mix(crypto_generichash_state *hash, stet_view text) {
    uint64_t size = text.size;
    crypto_generichash_update(hash, (const unsigned char *)&size, sizeof size);
    if (size > 0) crypto_generichash_update(hash, (const unsigned char *)text.bytes, size);
}

/* What makes two completions the same. */
static stet_status hash_completion(struct stet_command *command,
                                   const stet_operation_completion *completion, stet_view *hash,
                                   stet_error *err) {
    enum { HASH_BYTES = crypto_generichash_BYTES_MIN };
    crypto_generichash_state state;
    unsigned char bytes[HASH_BYTES];
    char *text = arena_alloc(&command->arena, 2 * HASH_BYTES + 1);
    if (text == NULL) return no_memory(err);
    crypto_generichash_init(&state, NULL, 0, HASH_BYTES);
    mix(&state, completion->result);
    for (size_t i = 0; i < completion->mutation_count; i++) {
        const stet_mutation *mutation = &completion->mutations[i];
        const uint64_t numbers[] = {mutation->op,         mutation->base.kind,
                                    mutation->base.value, mutation->on_conflict,
                                    mutation->revert_to,  mutation->lock_token};
        crypto_generichash_update(&state, (const unsigned char *)numbers, sizeof numbers);
        mix(&state, mutation->type);
        mix(&state, mutation->id);
        mix(&state, mutation->body);
        mix(&state, mutation->parent);
        mix(&state, mutation->lock);
    }
    crypto_generichash_final(&state, bytes, HASH_BYTES);
    sodium_bin2hex(text, 2 * HASH_BYTES + 1, bytes, HASH_BYTES);
    *hash = view_make(text, 2 * HASH_BYTES);
    return STET_OK;
}

static stet_status fill_result(struct stet_command *command, struct task *task, stet_view result,
                               stet_error *err) {
    struct doc doc;
    if (result.size > OPERATION_RESULT_BYTES_MAX) {
        error_set(err, STET_TOO_LARGE, "\"result\" has more than %u bytes",
                  OPERATION_RESULT_BYTES_MAX);
        error_field(err, "result", OPERATION_RESULT_BYTES_MAX);
        return STET_TOO_LARGE;
    }
    task->completion.result = arena_copy(&command->arena, result);
    if (task->completion.result.bytes == NULL) return no_memory(err);
    if (view_is_empty(result)) return STET_OK;
    stet_status status = doc_parse(&command->arena, task->completion.result, NULL, &doc, err);
    if (status == STET_BAD_JSON) error_field(err, "result", 0);
    return status;
}

stet_status operations_fill_complete(struct stet_command *command,
                                     const stet_operation_completion *completion, stet_error *err) {
    stet_status status = check_id(completion->id, "id", err);
    if (status != STET_OK) return status;
    struct task *task = operations_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    task->completion.lease = completion->lease;
    status = operations_text(command, completion->id, ID_BYTES_MAX, "id", &task->id, err);
    if (status == STET_OK) status = fill_result(command, task, completion->result, err);
    if (status == STET_OK) status = hash_completion(command, completion, &task->done, err);
    if (status == STET_OK && completion->mutation_count > 0) {
        const stet_write write = {.mutations = completion->mutations,
                                  .mutation_count = completion->mutation_count,
                                  .transaction = true};
        status = command_fill_write(command, &write, err);
        command->made.operation = task->id;
    }
    if (status == STET_OK && completion->claims_next) {
        task->next = arena_zalloc(&command->arena, 1, sizeof *task->next);
        if (task->next == NULL) return no_memory(err);
        task->next->taken = arena_zalloc(&command->arena, 1, sizeof *task->next->taken);
        if (task->next->taken == NULL) return no_memory(err);
    }
    if (status != STET_OK) return status;
    command->explain = explain_retry;
    task->decide = decide_complete;
    operations_finish(command, task, answer_complete);
    return STET_OK;
}
