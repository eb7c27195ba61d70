/*
 * Asking for work: checks on the caller's thread, then a new operation in its lane. Modules that react to something come the same way
 * (operations_spawn), without a lane's limits.
 */
#include "base/error.h"
#include "base/uuid.h"
#include "base/view.h"
#include "core/function.h"
#include "core/render.h"
#include "core/retry.h"
#include "modules/operations/internal.h"

#include <math.h>
#include <sodium.h>

/* ---- On the caller's thread -------------------------------------------------------------- */

static stet_status check_json(struct stet_command *command, stet_view text, size_t bytes_max,
                              const char *field, stet_error *err) {
    struct doc doc;
    if (text.size > bytes_max) {
        error_set(err, STET_TOO_LARGE, "\"%s\" has more than %zu bytes", field, bytes_max);
        error_field(err, field, bytes_max);
        return STET_TOO_LARGE;
    }
    if (view_is_empty(text)) return STET_OK;
    stet_status status = doc_parse(&command->arena, text, NULL, &doc, err);
    if (status == STET_BAD_JSON) error_field(err, field, 0);
    return status;
}

static stet_status copy_depends(struct stet_command *command, stet_operation_request *request,
                                stet_error *err) {
    size_t count = request->depends_on_count;
    if (count > OPERATION_DEPENDS_MAX)
        return bad_field(err, "depends_on", OPERATION_DEPENDS_MAX,
                         "an operation depends on at most %d others", OPERATION_DEPENDS_MAX);
    if (count == 0) return STET_OK;
    stet_view *ids = arena_zalloc(&command->arena, count, sizeof *ids);
    if (ids == NULL) return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        stet_status status = check_id(request->depends_on[i], "depends_on", err);
        if (status != STET_OK) return status;
        ids[i] = arena_copy(&command->arena, request->depends_on[i]);
        if (ids[i].bytes == NULL) return no_memory(err);
        for (size_t j = 0; j < i; j++)
            if (view_equal(ids[i], ids[j]))
                return bad_field(err, "depends_on", 0, "\"%.*s\" is named twice", VIEW_ARG(ids[i]));
    }
    request->depends_on = ids;
    return STET_OK;
}

static stet_status new_id(struct stet_command *command, stet_view *id, stet_error *err) {
    const struct stet_engine *engine = command->client->engine;
    uint8_t uuid[UUID_BYTES];
    char *text = arena_bytes(&command->arena, UUID_TEXT_BYTES);
    if (text == NULL) return no_memory(err);
    uuid_v7(engine->clock, engine->entropy, uuid);
    uuid_format(uuid, text);
    *id = view_make(text, UUID_TEXT_BYTES);
    return STET_OK;
}

static stet_status check_names(const stet_operation_request *request, stet_error *err) {
    if (!view_is_empty(request->agent) && !view_is_empty(request->function))
        return bad_field(err, "function", 0, "an operation is for an agent or for a function");
    if (request->id.size > OPERATION_ID_BYTES_MAX)
        return bad_field(err, "id", OPERATION_ID_BYTES_MAX,
                         "an operation's id has at most %d bytes", OPERATION_ID_BYTES_MAX);
    if (request->class_ > STET_CLASS_STRUCTURAL)
        return bad_field(err, "class", 0, "a class is low, normal, high, urgent or structural");
    if (request->timeout_s > OPERATION_TIMEOUT_S_MAX)
        return bad_field(err, "timeout_s", OPERATION_TIMEOUT_S_MAX, "timeout_s is at most %d",
                         OPERATION_TIMEOUT_S_MAX);
    if (request->not_before < 0) return bad_field(err, "not_before", 0, "not_before is no time");
    if (request->deadline < 0) return bad_field(err, "deadline", 0, "deadline is no time");
    if (request->deadline > 0 && request->not_before >= request->deadline)
        return bad_field(err, "deadline", 0, "the deadline is before not_before");
    return STET_OK;
}

/* The request as it is kept. */
static stet_status copy_request(struct stet_command *command, const stet_operation_request *given,
                                stet_operation_request *kept, stet_error *err) {
    stet_view type, id;
    stet_status status = check_names(given, err);
    *kept = *given;
    if (status == STET_OK && !view_is_empty(given->id)) status = check_id(given->id, "id", err);
    if (view_is_empty(kept->lane)) kept->lane = VIEW("default");
    if (status == STET_OK) status = check_id(kept->lane, "lane", err);
    if (status == STET_OK && !view_is_empty(given->parent))
        status = check_id(given->parent, "parent", err);
    if (status == STET_OK)
        status = operations_text(command, kept->lane, LANE_BYTES_MAX, "lane", &kept->lane, err);
    if (status == STET_OK)
        status = operations_text(command, given->id, OPERATION_ID_BYTES_MAX, "id", &kept->id, err);
    if (status == STET_OK)
        status = operations_text(command, given->op_type, AGENT_BYTES_MAX, "op_type",
                                 &kept->op_type, err);
    if (status == STET_OK)
        status =
            operations_text(command, given->agent, AGENT_BYTES_MAX, "agent", &kept->agent, err);
    if (status == STET_OK)
        status = operations_text(command, given->function, AGENT_BYTES_MAX, "function",
                                 &kept->function, err);
    if (status == STET_OK)
        status = operations_text(command, given->batch_key, AGENT_BYTES_MAX, "batch_key",
                                 &kept->batch_key, err);
    if (status == STET_OK)
        status =
            operations_text(command, given->parent, ID_BYTES_MAX, "parent", &kept->parent, err);
    if (status == STET_OK)
        status = check_json(command, given->input, OPERATION_INPUT_BYTES_MAX, "input", err);
    kept->input = arena_copy(&command->arena, given->input);
    kept->target = arena_copy(&command->arena, given->target);
    if (status == STET_OK && (kept->input.bytes == NULL || kept->target.bytes == NULL))
        status = no_memory(err);
    if (status == STET_OK && !view_is_empty(given->target)) {
        status = address_parse(&command->arena, given->target, &type, &id, err);
        if (status == STET_BAD_REQUEST) error_field(err, "target", 0);
    }
    if (status == STET_OK) status = copy_depends(command, kept, err);
    if (kept->class_ == STET_CLASS_DEFAULT) kept->class_ = STET_CLASS_NORMAL;
    return status;
}

static void mix(crypto_generichash_state *hash, stet_view text) {
    uint64_t size = text.size;
    crypto_generichash_update(hash, (const unsigned char *)&size, sizeof size);
    if (size > 0) crypto_generichash_update(hash, (const unsigned char *)text.bytes, size);
}

/* What makes two requests with one key the same. */
static void hash_request(struct stet_command *command, const stet_operation_request *request) {
    crypto_generichash_state hash;
    const uint64_t numbers[] = {request->class_,          (uint64_t)request->not_before,
                                request->timeout_s,       (uint64_t)request->deadline,
                                request->max_retries,     request->sets_max_retries,
                                request->depends_on_count};
    const stet_view texts[] = {
        VIEW("operation"), request->id,    request->lane,   request->op_type, request->agent,
        request->function, request->input, request->target, request->parent,  request->batch_key};
    crypto_generichash_init(&hash, NULL, 0, STORE_HASH_BYTES);
    crypto_generichash_update(&hash, (const unsigned char *)numbers, sizeof numbers);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        mix(&hash, texts[i]);
    for (size_t i = 0; i < request->depends_on_count; i++)
        mix(&hash, request->depends_on[i]);
    crypto_generichash_final(&hash, command->request_hash, STORE_HASH_BYTES);
}

static void explain_full(struct stet_command *command, struct json_writer *writer) {
    const struct task *task = command->module_data;
    if (command->status != STET_QUEUE_FULL) return;
    double seconds = ceil(task->retry_after_s);
    json_member_u64(writer, VIEW("retry_after"),
                    seconds < 1                     ? 1
                    : seconds > QUEUE_RETRY_AFTER_S ? QUEUE_RETRY_AFTER_S
                                                    : (uint64_t)seconds);
}

/* The operation that a repeated request asked for, as it is now. */
static stet_status answer_submit(struct stet_command *command, struct json_writer *writer,
                                 stet_error *err) {
    struct task *task = command->module_data;
    size_t offset = 0;
    uint64_t seq;
    unsigned flags;
    struct store_reader *reader;
    if (!command->replayed) return answer_shown(command, writer, err);
    task->shown = (struct shown){0};
    if (!command_decode_result(command->replay.result, &offset, &seq, &flags) || seq == 0)
        return error_set(err, STET_CORRUPT, "the receipt of an operation is damaged");
    stet_status status = space_reader_take(command->space, &reader, err);
    if (status != STET_OK) return status;
    status = store_change_at(reader, &command->arena, seq, &task->shown.row, err);
    struct store_head head;
    if (status == STET_OK)
        status = store_head(reader, OPERATION_TYPE, task->shown.row.id, &head, err);
    if (status == STET_OK && !head.deleted && head.seq <= ring_published(&command->space->ring))
        status = store_change_at(reader, &command->arena, head.seq, &task->shown.row, err);
    space_reader_give(command->space, reader);
    if (status != STET_OK) return status;
    if (task->shown.row.pruned)
        return error_set(err, STET_PRUNED,
                         "operation \"%.*s\" was finished and is not kept any more",
                         VIEW_ARG(task->shown.row.id));
    command->outcome.replayed = true;
    return answer_shown(command, writer, err);
}

stet_status operations_fill_submit(struct stet_command *command,
                                   const stet_operation_request *request, stet_error *err) {
    struct task *task = operations_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    stet_operation_request *kept = &task->spawn.request;
    stet_status status = copy_request(command, request, kept, err);
    if (status == STET_OK && request->mutation_key.size > 0) {
        status = command_set_key(command, request->mutation_key, err);
        if (status == STET_OK) hash_request(command, kept);
    }
    if (status == STET_OK && view_is_empty(kept->id)) status = new_id(command, &kept->id, err);
    if (status != STET_OK) return status;
    command->dry_run = request->dry_run;
    command->explain = explain_full;
    task->decide = decide_submit;
    operations_finish(command, task, answer_submit);
    return STET_OK;
}

/* ---- On the sequencer -------------------------------------------------------------------- */

static stet_status check_room(struct operations *operations, struct task *task,
                              const struct lane *lane, stet_view by, stet_error *err) {
    const struct lane_settings *settings = &lane->settings;
    double per_s;
    size_t waiting = lane->queue->ready_count + lane->queue->delayed_count;
    task->retry_after_s = 1;
    if (estimate_rate(lane->estimate, settings->width, &per_s) && per_s > 0)
        task->retry_after_s = 1 / per_s;
    if (settings->draining) {
        task->retry_after_s = QUEUE_RETRY_AFTER_S;
        return error_set(err, STET_QUEUE_FULL, "lane \"%.*s\" is being drained",
                         VIEW_ARG(lane->name));
    }
    if (waiting >= settings->max_queued) {
        error_set(err, STET_QUEUE_FULL, "%zu operations wait in lane \"%.*s\" already", waiting,
                  VIEW_ARG(lane->name));
        error_field(err, "max_queued", settings->max_queued);
        return STET_QUEUE_FULL;
    }
    if (queue_count(operations->queue) >= OPERATIONS_WAITING_MAX) {
        error_set(err, STET_QUEUE_FULL, "the space has %u operations in its lanes already",
                  OPERATIONS_WAITING_MAX);
        error_field(err, "operations_waiting", OPERATIONS_WAITING_MAX);
        return STET_QUEUE_FULL;
    }
    if (queue_actor_waiting(operations->queue, lane->queue, by) >= settings->max_queued_per_actor) {
        error_set(err, STET_QUEUE_FULL, "%u operations of %.*s wait in lane \"%.*s\" already",
                  settings->max_queued_per_actor, VIEW_ARG(by), VIEW_ARG(lane->name));
        error_field(err, "max_queued_per_actor", settings->max_queued_per_actor);
        return STET_QUEUE_FULL;
    }
    return STET_OK;
}

/* Where it stands below its parents. */
static stet_status place_below(struct operations *operations, struct staging *staging,
                               const stet_actor *actor, const stet_operation_request *request,
                               struct operation_record *record, stet_error *err) {
    struct store_head head;
    struct operation_record above;
    record->effective = record->class_;
    if (view_is_empty(request->parent)) return STET_OK;
    if (view_equal(request->parent, request->id))
        return bad_field(err, "parent", 0, "an operation is not its own parent");
    const struct operation *parent = operations_find(operations, request->parent);
    if (parent != NULL && !rights_see_open(staging->space, actor, parent)) {
        return no_operation(request->parent, "parent", err);
    }
    if (parent != NULL) {
        above.depth = parent->depth;
        above.effective = parent->effective;
        above.status = parent->state.status;
    } else {
        stet_status status = operations_get(staging, request->parent, &head, NULL, &above, err);
        if (status == STET_OK && !rights_see(staging->space, actor, above.by, above.claimed_by))
            status = no_operation(request->parent, "parent", err);
        if (status == STET_NOT_FOUND) error_field(err, "parent", 0);
        if (status != STET_OK) return status;
    }
    record->depth = above.depth + 1;
    if (above.effective > record->effective) record->effective = above.effective;
    if (record->depth <= OPERATION_DEPTH_MAX) return STET_OK;
    error_set(err, STET_OPERATION_DEPTH, "operation \"%.*s\" is %u levels below its topmost parent",
              VIEW_ARG(request->parent), above.depth);
    error_field(err, "parent", OPERATION_DEPTH_MAX);
    return STET_OPERATION_DEPTH;
}

static stet_status check_depends(struct operations *operations, struct staging *staging,
                                 const stet_actor *actor, const stet_operation_request *request,
                                 stet_error *err) {
    for (size_t i = 0; i < request->depends_on_count; i++) {
        stet_view id = request->depends_on[i];
        struct store_head head;
        struct operation_record on;
        const struct operation *open = operations_find(operations, id);
        if (open != NULL && rights_see_open(staging->space, actor, open)) continue;
        stet_status status = operations_get(staging, id, &head, NULL, &on, err);
        if (status == STET_OK && !rights_see(staging->space, actor, on.by, on.claimed_by))
            status = no_operation(id, "depends_on", err);
        if (status == STET_NOT_FOUND) error_field(err, "depends_on", 0);
        if (status != STET_OK) return status;
        if (!status_finished(on.status) || on.status == OPERATION_COMPLETED) continue;
        error_set(err, STET_OPERATION_STATUS, "operation \"%.*s\" %s: nothing can wait for it",
                  VIEW_ARG(id), on.status == OPERATION_FAILED ? "failed" : "was given up");
        error_field(err, "depends_on", 0);
        return STET_OPERATION_STATUS;
    }
    return STET_OK;
}

static stet_status check_function(struct staging *staging, stet_view name, stet_error *err) {
    const struct function_runner *functions = staging->space->engine->functions;
    if (view_is_empty(name)) return STET_OK;
    if (functions != NULL && functions->exists(staging, name))
        return functions->allows == NULL
                   ? STET_OK
                   : functions->allows(staging->space, name, &staging->command->actor, err);
    error_set(err, STET_NOT_FOUND, "there is no function \"%.*s\"", VIEW_ARG(name));
    error_field(err, "function", 0);
    return STET_NOT_FOUND;
}

static void fill_record(const struct operation_spawn *spawn, struct staging *staging,
                        struct operation_record *record) {
    const stet_operation_request *request = &spawn->request;
    const struct space *space = staging->space;
    unsigned retries = class_retries(record->class_);
    record->lane = request->lane;
    record->op_type = request->op_type;
    record->agent = request->agent;
    record->function = request->function;
    record->handler = spawn->handler;
    record->cause_seq = spawn->cause_seq;
    record->by = spawn->by;
    record->input = request->input;
    record->target = request->target;
    record->parent = request->parent;
    record->batch_key = request->batch_key;
    record->depends_on =
        (struct text_list){.items = request->depends_on, .count = request->depends_on_count};
    record->not_before = request->not_before;
    record->deadline = request->deadline;
    record->timeout_s = request->timeout_s;
    record->max_retries = request->sets_max_retries && request->max_retries < retries
                              ? request->max_retries
                              : retries;
    /* The numbers that its first version will have. */
    record->turn = space->seq + 1;
    record->created_at = space->stamp + 1 > staging->now ? space->stamp + 1 : staging->now;
    record->queued_at = staging->now;
    record->input_apart =
        request->input.size > OPERATION_INLINE_BYTES || spawn->input_for_those_who_may_read;
    record->input_veiled = spawn->input_for_those_who_may_read;
    if (record->input_apart) record->input = (stet_view){0};
}

/* The operation's record comes first: it is what the receipt of its key is about. */
static stet_status stage_new(struct operations *operations, struct staging *staging,
                             const struct operation_spawn *spawn, struct operation_record *record,
                             enum operation_event event, const struct store_change **row,
                             stet_error *err) {
    const stet_operation_request *request = &spawn->request;
    record->status = OPERATION_NONE;
    fill_record(spawn, staging, record);
    record->tag = queue_tag(operations->queue, record->lane, record->effective, record->by);
    stet_status status = operations_move(operations, staging, request->id, record, event, row, err);
    if (status == STET_OK && record->input_apart)
        status = payload_put(staging, request->id, "input", request->input, err);
    if (status == STET_OK) status = lanes_put_first(operations, staging, request->lane, err);
    return status;
}

/* Its place is only known when it has one. */
static void submit_left(struct stet_command *command) {
    struct task *task = command->module_data;
    const struct operation *operation = operations_find(task->operations, task->spawn.request.id);
    if (operation != NULL) shown_fill(task->operations, operation, &task->shown);
}

stet_status decide_submit(struct operations *operations, struct staging *staging, struct task *task,
                          stet_error *err) {
    stet_operation_request *request = &task->spawn.request;
    const stet_actor *actor = &staging->command->actor;
    struct operation_record *record = arena_zalloc(staging_arena(staging), 1, sizeof *record);
    struct store_head head;
    const struct store_change *row;
    if (record == NULL) return no_memory(err);
    task->spawn.by = actor->id;
    record->class_ = request->class_;
    rights_keep(record, actor);
    stet_status status = actor_demand(actor, STET_SCOPE_WRITE, err);
    if (status == STET_OK && request->class_ > STET_CLASS_NORMAL) {
        status = actor_demand(actor, STET_SCOPE_PRIORITY, err);
        if (status != STET_OK) error_field(err, "class", 0);
    }
    if (status == STET_OK)
        status = staging_read(staging, OPERATION_TYPE, request->id, &head, NULL, err);
    if (status != STET_OK) return status;
    if (head.version > 0 && !head.deleted) {
        error_set(err, STET_ALREADY_EXISTS, "there is an operation \"%.*s\" already",
                  VIEW_ARG(request->id));
        error_field(err, "id", 0);
        return STET_ALREADY_EXISTS;
    }
    if (request->deadline > 0 && request->deadline <= staging->now)
        return bad_field(err, "deadline", 0, "the deadline has passed already");
    status = check_function(staging, request->function, err);
    if (status == STET_OK) status = place_below(operations, staging, actor, request, record, err);
    if (status == STET_OK) status = check_depends(operations, staging, actor, request, err);
    const struct lane *lane = lanes_find(operations, request->lane);
    if (status == STET_OK && lane != NULL)
        status = check_room(operations, task, lane, actor->id, err);
    if (status == STET_OK)
        status =
            stage_new(operations, staging, &task->spawn, record, OPERATION_EVENT_QUEUED, &row, err);
    if (status == STET_OK) status = quota_check_bytes(staging, err);
    if (status != STET_OK) return status;
    task->shown = (struct shown){0};
    shown_staged(&task->shown, row, record);
    if (!staging->command->dry_run) staging->command->left = submit_left;
    return STET_OK;
}

stet_status operations_spawn(void *state, struct staging *staging,
                             const struct operation_spawn *spawn, stet_error *err) {
    struct operations *operations = state;
    struct arena *arena = staging_arena(staging);
    struct operation_record *record = arena_zalloc(arena, 1, sizeof *record);
    struct operation_spawn *kept = arena_alloc(arena, sizeof *kept);
    struct store_head head;
    stet_error why = {0};
    if (record == NULL || kept == NULL) return no_memory(err);
    *kept = *spawn;
    if (view_is_empty(kept->request.lane)) kept->request.lane = VIEW("default");
    if (kept->request.class_ == STET_CLASS_DEFAULT) kept->request.class_ = STET_CLASS_NORMAL;
    stet_status status = staging_read(staging, OPERATION_TYPE, kept->request.id, &head, NULL, err);
    if (status != STET_OK || (head.version > 0 && !head.deleted)) return status;
    record->class_ = kept->request.class_;
    /* Only administrators say what is reacted to; what is done then is done with their right. */
    record->by_admin = true;
    const stet_actor author = {.id = spawn->by, .admin = true};
    status = place_below(operations, staging, &author, &kept->request, record, &why);
    /* What caused it may have been pruned: then it stands for itself. */
    if (status == STET_NOT_FOUND) {
        kept->request.parent = (stet_view){0};
        status = STET_OK;
    }
    if (status == STET_OPERATION_DEPTH) {
        record->reason = arena_format(arena, "%s", why.message);
        if (record->reason.bytes == NULL) return no_memory(err);
        return stage_new(operations, staging, kept, record, OPERATION_EVENT_REJECTED, NULL, err);
    }
    if (status != STET_OK) {
        if (err != NULL) *err = why;
        return status;
    }
    return stage_new(operations, staging, kept, record, OPERATION_EVENT_QUEUED, NULL, err);
}
