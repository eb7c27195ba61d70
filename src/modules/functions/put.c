/*
 * Commands that write definitions, one or many at once, and those that show them. A definition is compiled on the client's thread, so that a
 * mistake is told with its line before anything is decided.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/client.h"
#include "core/read.h"
#include "core/render.h"
#include "doc/pointer.h"
#include "modules/functions/internal.h"

/* command->module_data of a write of definitions. */
struct put_request {
    bool apply;
    bool prune;
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a function");
}

/* ---- Preparing --------------------------------------------------------------------------- */

static stet_status check_source(struct stet_command *command, const struct mutation *mutation,
                                stet_error *err) {
    struct definition *definition = NULL;
    struct sandbox_pool *pool = functions_pool(command->space);
    struct sandbox *sandbox = NULL;
    stet_status status = definition_parse(mutation->id, mutation->body, &definition, err);
    if (status != STET_OK) return status;
    sandbox = sandbox_pool_take(pool, err);
    if (sandbox == NULL) {
        status = STET_NO_MEMORY;
        goto done;
    }
    status = sandbox_check(sandbox, &definition->chunk, err);
    if (status == STET_INVALID_FUNCTION || status == STET_TOO_LARGE)
        error_field(err, "/source", err->limit);
done:
    sandbox_pool_give(pool, sandbox);
    definition_unref(definition);
    return status;
}

/* An apply names no bases: what differs from what is there now is written onto that. */
static stet_status base_on_now(struct store_reader *reader, struct mutation *mutation,
                               stet_error *err) {
    struct store_head head;
    if (mutation->base.kind != STET_BASE_NONE) return STET_OK;
    stet_status status = store_head(reader, TYPE_FUNCTION, mutation->id, &head, err);
    if (status != STET_OK) return status;
    bool lives = head.version > 0 && !head.deleted;
    mutation->base.kind = lives ? STET_BASE_VERSION : STET_BASE_ABSENT;
    mutation->base.value = lives ? head.version : 0;
    return STET_OK;
}

static bool is_named(const struct stet_command *command, stet_view name) {
    for (size_t i = 0; i < command->mutation_count; i++)
        if (view_equal(command->mutations[i].id, name)) return true;
    return false;
}

struct pruning {
    struct stet_command *command;
    stet_view *gone;
    size_t count, capacity;
};

static stet_status note_gone(void *context, const struct store_change *change, stet_error *err) {
    struct pruning *pruning = context;
    struct arena *arena = &pruning->command->arena;
    if (is_named(pruning->command, change->id)) return STET_OK;
    if (pruning->count == pruning->capacity) {
        size_t capacity = pruning->capacity == 0 ? 16 : 2 * pruning->capacity;
        stet_view *gone = arena_alloc(arena, capacity * sizeof *gone);
        if (gone == NULL) return no_memory(err);
        if (pruning->count > 0) memcpy(gone, pruning->gone, pruning->count * sizeof *gone);
        pruning->gone = gone;
        pruning->capacity = capacity;
    }
    pruning->gone[pruning->count++] = change->id;
    return STET_OK;
}

/* Adds a deletion of each function that is there and not named. */
static stet_status add_pruned(struct stet_command *command, struct store_reader *reader,
                              stet_error *err) {
    struct put_request *request = command->module_data;
    struct arena *arena = &command->arena;
    struct pruning pruning = {.command = command};
    size_t named = command->mutation_count;
    stet_status status = read_each_live(reader, arena, TYPE_FUNCTION, note_gone, &pruning, err);
    if (status != STET_OK) return status;
    request->prune = false; /* Done: a submission that was refused as busy comes here again. */
    if (pruning.count == 0) return STET_OK;
    struct mutation *mutations = arena_zalloc(arena, named + pruning.count, sizeof *mutations);
    if (mutations == NULL) return no_memory(err);
    memcpy(mutations, command->mutations, named * sizeof *mutations);
    for (size_t i = 0; i < pruning.count; i++)
        mutations[named + i] =
            (struct mutation){.op = STET_OP_DELETE, .type = TYPE_FUNCTION, .id = pruning.gone[i]};
    command->mutations = mutations;
    command->mutation_count = named + pruning.count;
    return STET_OK;
}

/* Which of many definitions an error is about. */
static void prefix_field(struct arena *arena, stet_view name, stet_error *err) {
    struct pointer_path root = {0};
    struct pointer_path functions = {.parent = &root, .key = VIEW("functions")};
    struct pointer_path function = {.parent = &functions, .key = name};
    stet_view pointer;
    if (pointer_format(arena, &function, &pointer) != STET_OK) return;
    stet_view field = arena_format(arena, "%.*s%s", VIEW_ARG(pointer), err->field);
    if (field.bytes != NULL) error_field_view(err, field, err->limit);
}

static stet_status prepare(struct stet_command *command, stet_error *err) {
    struct put_request *request = command->module_data;
    struct store_reader *reader;
    stet_status status = space_reader_take(command->space, &reader, err);
    if (status != STET_OK) return status;
    if (request->prune) status = add_pruned(command, reader, err);
    for (size_t i = 0; status == STET_OK && i < command->mutation_count; i++) {
        struct mutation *mutation = &command->mutations[i];
        if (request->apply) status = base_on_now(reader, mutation, err);
        if (status != STET_OK || mutation->op == STET_OP_DELETE) continue;
        status = check_source(command, mutation, err);
        if (status != STET_OK && request->apply) prefix_field(&command->arena, mutation->id, err);
    }
    space_reader_give(command->space, reader);
    return status;
}

/* ---- Answering --------------------------------------------------------------------------- */

static void explain_mutation(struct stet_command *command, size_t index,
                             struct json_writer *writer) {
    json_member_text(writer, VIEW("function"), command->mutations[index].id);
}

/* Of an apply. */
static stet_status answer(struct stet_command *command, struct json_writer *writer,
                          stet_error *err) {
    (void)err;
    json_object_begin(writer);
    json_key(writer, VIEW("functions"));
    json_object_begin(writer);
    for (size_t i = 0; i < command->mutation_count; i++) {
        const struct mutation *mutation = &command->mutations[i];
        stet_view change = VIEW("unchanged");
        if (mutation->decision == DECISION_STAGED) {
            change = VIEW("changed");
            if (mutation->change->row.op == STORE_CREATE) change = VIEW("created");
            if (mutation->change->row.op == STORE_DELETE) change = VIEW("deleted");
        }
        json_key(writer, mutation->id);
        json_object_begin(writer);
        json_member_text(writer, VIEW("change"), change);
        json_member_u64(writer, VIEW("version"), mutation->after_version);
        json_object_end(writer);
    }
    json_object_end(writer);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    if (command->key.size > 0) json_member_text(writer, VIEW("client_mutation_id"), command->key);
    if (command->dry_run) json_member_bool(writer, VIEW("dry_run"), true);
    json_object_end(writer);
    return STET_OK;
}

/* ---- Filling ----------------------------------------------------------------------------- */

static stet_status begin_put(struct stet_command *command, bool apply, bool prune,
                             stet_error *err) {
    struct put_request *request = arena_zalloc(&command->arena, 1, sizeof *request);
    if (request == NULL) return no_memory(err);
    *request = (struct put_request){.apply = apply, .prune = prune};
    command->request_hash[0] ^= (uint8_t)prune;
    command->owner = &functions_module;
    command->render = RENDER_FLAT;
    command->prepare = prepare;
    command->explain_mutation = explain_mutation;
    command->module_data = request;
    return STET_OK;
}

stet_status functions_fill_write(struct stet_command *command, const stet_function_write *write,
                                 stet_error *err) {
    stet_status status = check_id(write->name, "function", err);
    if (status != STET_OK) return status;
    const stet_mutation mutation = {
        .op = write->deletes ? STET_OP_DELETE : STET_OP_PUT,
        .type = TYPE_FUNCTION,
        .id = write->name,
        .base = write->base,
        .body = write->deletes ? (stet_view){0} : write->definition,
        .on_conflict = STET_STRATEGY_REJECT,
    };
    const stet_write filled = {.mutations = &mutation,
                               .mutation_count = 1,
                               .mutation_key = write->mutation_key,
                               .dry_run = write->dry_run};
    status = command_fill_write(command, &filled, err);
    return status == STET_OK ? begin_put(command, false, false, err) : status;
}

/* One member of what is applied. */
static stet_status fill_one(struct arena *arena, const struct doc *doc, doc_node member,
                            stet_mutation *mutation, stet_error *err) {
    *mutation = (stet_mutation){.op = STET_OP_PUT,
                                .type = TYPE_FUNCTION,
                                .body = doc_text(doc, member),
                                .on_conflict = STET_STRATEGY_REJECT};
    if (doc_key(arena, doc, member, &mutation->id) != STET_OK) return no_memory(err);
    stet_status status = check_id(mutation->id, "function", err);
    if (status == STET_OK && doc_kind(doc, member) != DOC_OBJECT) {
        error_set(err, STET_INVALID_FUNCTION, "the definition of a function is an object");
        error_field(err, "", 0);
        prefix_field(arena, mutation->id, err);
        status = STET_INVALID_FUNCTION;
    }
    return status;
}

stet_status functions_fill_apply(struct stet_command *command, const stet_functions_apply *apply,
                                 stet_error *err) {
    struct arena *arena = &command->arena;
    struct doc_limits limits = doc_limits_default;
    struct doc doc;
    stet_error local = {0};
    if (err == NULL) err = &local;
    limits.bytes_max = TRANSACTION_BYTES_MAX;
    stet_view text = arena_copy(arena, apply->functions);
    if (text.bytes == NULL) return no_memory(err);
    stet_status status = doc_parse(arena, text, &limits, &doc, err);
    if (status != STET_OK) return status;
    size_t count = doc_kind(&doc, 0) == DOC_OBJECT ? doc_count(&doc, 0) : 0;
    if (count == 0 || count > FUNCTIONS_MAX) {
        error_set(err, STET_BAD_REQUEST,
                  "functions is an object from 1 to %d names to their definitions", FUNCTIONS_MAX);
        error_field(err, "/functions", FUNCTIONS_MAX);
        return STET_BAD_REQUEST;
    }
    stet_mutation *mutations = arena_zalloc(arena, count, sizeof *mutations);
    if (mutations == NULL) return no_memory(err);
    size_t i = 0;
    for (doc_node member = doc_first(&doc, 0); member != DOC_NONE;
         member = doc_next(&doc, member)) {
        status = fill_one(arena, &doc, member, &mutations[i++], err);
        if (status != STET_OK) return status;
    }
    const stet_write filled = {.mutations = mutations,
                               .mutation_count = count,
                               .transaction = true,
                               .mutation_key = apply->mutation_key,
                               .dry_run = apply->dry_run};
    status = command_fill_write(command, &filled, err);
    if (status == STET_OK) status = begin_put(command, true, apply->prune, err);
    if (status == STET_OK) command->answer = answer;
    return status;
}

stet_status functions_fill_get(struct stet_command *command, stet_view name, stet_error *err) {
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = check_id(name, "function", err);
    if (status != STET_OK) return status;
    command->read.type = TYPE_FUNCTION;
    command->read.id = arena_copy(&command->arena, name);
    if (command->read.id.bytes == NULL) return no_memory(err);
    command->kind = COMMAND_READ;
    command->render = RENDER_FLAT;
    return STET_OK;
}

static stet_status list(struct stet_command *command, struct store_reader *reader,
                        struct buffer *out, stet_error *err) {
    return read_list_live(command, reader, TYPE_FUNCTION, VIEW("functions"), out, err);
}

stet_status functions_fill_list(struct stet_command *command, stet_error *err) {
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    command->kind = COMMAND_MODULE_READ;
    command->read_rows = list;
    return STET_OK;
}
