/*
 * Writing handlers, and looking at them with how far they have come.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/actor.h"
#include "core/function.h"
#include "core/render.h"
#include "core/staging.h"
#include "doc/write.h"
#include "modules/handlers/internal.h"

/* command->module_data of a write. */
struct put {
    stet_view name, definition;
    struct handler *handler; /* A reference; NULL: a deletion. */
};

/* command->module_data of a get or a list; begins as struct follow, which decide looks at. */
struct show {
    struct follow task;
    stet_view name; /* Empty: all. */
    struct shown *rows;
    size_t count, capacity;
};

struct shown {
    struct store_change row;
    bool known;
    struct progress progress;
    uint64_t lag;
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a handler");
}

/* ---- Writing ----------------------------------------------------------------------------- */

static void release_put(struct stet_command *command) {
    struct put *put = command->module_data;
    if (put == NULL) return;
    handler_unref(put->handler);
    put->handler = NULL;
}

/* Only what the base held can be kept: a write from any other base is refused anyway. */
static stet_status find_kept(struct stet_command *command, stet_view *kept, stet_error *err) {
    const struct mutation *mutation = &command->mutations[0];
    struct change *head = NULL;
    *kept = (stet_view){0};
    if (mutation->base.kind != STET_BASE_VERSION && mutation->base.kind != STET_BASE_UPDATED_AT)
        return STET_OK;
    stet_status status =
        client_head(command->client, command->space, mutation->type, mutation->id, &head, err);
    if (status == STET_NOT_FOUND) return STET_OK;
    if (status != STET_OK) return status;
    if (!change_is_delete(head)) {
        *kept = arena_copy(&command->arena, head->row.data);
        if (kept->bytes == NULL) status = no_memory(err);
    }
    change_unref(head);
    return status;
}

static stet_status prepare(struct stet_command *command, stet_error *err) {
    struct put *put = command->module_data;
    struct mutation *mutation = &command->mutations[0];
    stet_view kept, text;
    if (mutation->op == STET_OP_DELETE) return STET_OK;
    release_put(command); /* Of a submission that was refused as busy. */
    stet_status status = find_kept(command, &kept, err);
    if (status == STET_OK)
        status = handler_store_text(&command->arena, put->definition, kept, &text, err);
    if (status == STET_OK) status = handler_compile(put->name, text, &put->handler, err);
    if (status != STET_OK) return status;
    mutation->body = text;
    return doc_parse(&command->arena, text, NULL, &mutation->body_doc, err);
}

static stet_status begin(struct staging *staging, stet_error *err) {
    const struct put *put = staging->command->module_data;
    const struct function_runner *functions = staging->space->engine->functions;
    if (put->handler == NULL || put->handler->kind != REACTION_FUNCTION) return STET_OK;
    if (functions != NULL && functions->exists(staging, put->handler->target)) return STET_OK;
    error_set(err, STET_INVALID_HANDLER, "/function names \"%.*s\", and there is no such function",
              VIEW_ARG(put->handler->target));
    error_field(err, "/function", 0);
    return STET_INVALID_HANDLER;
}

stet_status handlers_fill_write(struct stet_command *command, const stet_handler_write *write,
                                stet_error *err) {
    stet_mutation mutation = {
        .op = write->deletes ? STET_OP_DELETE : STET_OP_PUT,
        .type = HANDLER_TYPE,
        .id = write->name,
        .base = write->base,
        .body = write->deletes ? (stet_view){0} : write->definition,
        .on_conflict = STET_STRATEGY_REJECT,
    };
    stet_write filled = {.mutations = &mutation,
                         .mutation_count = 1,
                         .mutation_key = write->mutation_key,
                         .dry_run = write->dry_run};
    stet_status status = command_fill_write(command, &filled, err);
    if (status != STET_OK) return status;
    struct put *put = arena_zalloc(&command->arena, 1, sizeof *put);
    if (put == NULL) return no_memory(err);
    put->name = command->mutations[0].id;
    put->definition = command->mutations[0].body;
    command->owner = &handlers_module;
    command->render = RENDER_FLAT;
    command->prepare = prepare;
    command->begin = begin;
    command->release = release_put;
    command->module_data = put;
    return STET_OK;
}

/* ---- Showing ----------------------------------------------------------------------------- */

static stet_status add_row(void *context, const struct store_change *change, stet_error *err) {
    struct stet_command *command = context;
    struct show *show = command->module_data;
    if (show->count == show->capacity) {
        size_t capacity = show->capacity == 0 ? 16 : show->capacity * 2;
        struct shown *rows = arena_zalloc(&command->arena, capacity, sizeof *rows);
        if (rows == NULL) return no_memory(err);
        if (show->count > 0) memcpy(rows, show->rows, show->count * sizeof *rows);
        show->rows = rows;
        show->capacity = capacity;
    }
    show->rows[show->count++] = (struct shown){.row = *change};
    return STET_OK;
}

static stet_status no_handler(const struct show *show, stet_error *err) {
    error_set(err, STET_NOT_FOUND, "there is no handler \"%.*s\"", VIEW_ARG(show->name));
    error_field(err, "name", 0);
    return STET_NOT_FOUND;
}

/* What is reacted to, and where it is told, is for those who work on everything or look after the queue. */
static bool may_look(const stet_actor *actor) {
    return actor->admin || actor_has_role(actor, ROLE_MEMBER) ||
           actor_has_scopes(actor, STET_SCOPE_OPERATE);
}

/* For others there are none. */
static stet_status no_handler_to_see(const struct show *show, stet_error *err) {
    return view_is_empty(show->name) ? STET_OK : no_handler(show, err);
}

/* On a worker: the records. How far they have come is known on the sequencer, where the command goes next. */
static stet_status show_hop(struct stet_command *command, struct store_reader *reader,
                            stet_error *err) {
    struct show *show = command->module_data;
    struct store_head head;
    struct store_change row;
    if (!may_look(&command->actor)) return no_handler_to_see(show, err);
    if (view_is_empty(show->name))
        return read_each_live(reader, &command->arena, HANDLER_TYPE, add_row, command, err);
    stet_status status = store_head(reader, HANDLER_TYPE, show->name, &head, err);
    if (status == STET_OK && (head.version == 0 || head.deleted)) return no_handler(show, err);
    if (status == STET_OK) status = store_change_at(reader, &command->arena, head.seq, &row, err);
    return status == STET_OK ? add_row(command, &row, err) : status;
}

stet_status show_decide(struct handlers *handlers, struct stet_command *command, stet_error *err) {
    struct show *show = command->module_data;
    (void)err;
    for (size_t i = 0; i < show->count; i++) {
        struct shown *shown = &show->rows[i];
        const struct entry *entry = handlers_find(handlers, shown->row.id);
        if (entry == NULL) continue;
        shown->known = entry->placed;
        shown->progress = entry->progress;
        if (!entry->placed && entry->has_state) {
            shown->known = true;
            shown->progress = entry->noted;
        }
        if (entry->placed && entry->progress.position < handlers->space->seq)
            shown->lag = handlers->space->seq - entry->progress.position;
        if (!entry->placed && shown->known)
            shown->lag = handlers->space->seq - entry->noted.position;
    }
    return STET_OK;
}

static stet_status render_shown(struct stet_command *command, const struct shown *shown,
                                struct json_writer *writer, stet_error *err) {
    const struct progress *progress = &shown->progress;
    struct created created;
    stet_status status = client_created(command->client, command->space, &shown->row,
                                        &command->arena, &created, err);
    if (status != STET_OK) return status;
    json_object_begin(writer);
    render_flat_members(writer, &shown->row, &created);
    if (shown->known) {
        json_member_u64(writer, VIEW("position"), progress->position);
        json_member_u64(writer, VIEW("lag"), shown->lag);
    }
    json_member_u64(writer, VIEW("reactions"), progress->reactions);
    json_member_u64(writer, VIEW("failed"), progress->failed);
    json_member_u64(writer, VIEW("missed"), progress->missed);
    if (progress->last_error_at != 0) {
        json_member_text(writer, VIEW("last_error"), view_of(progress->last_error));
        json_key(writer, VIEW("last_error_at"));
        json_rfc3339(writer, progress->last_error_at);
    }
    json_object_end(writer);
    return STET_OK;
}

static stet_status answer_get(struct stet_command *command, struct json_writer *writer,
                              stet_error *err) {
    const struct show *show = command->module_data;
    command->outcome.version = show->rows[0].row.version;
    command->outcome.updated_at = show->rows[0].row.stamp;
    return render_shown(command, &show->rows[0], writer, err);
}

static stet_status answer_list(struct stet_command *command, struct json_writer *writer,
                               stet_error *err) {
    const struct show *show = command->module_data;
    stet_status status = STET_OK;
    json_object_begin(writer);
    json_key(writer, VIEW("handlers"));
    json_array_begin(writer);
    for (size_t i = 0; status == STET_OK && i < show->count; i++)
        status = render_shown(command, &show->rows[i], writer, err);
    if (status != STET_OK) return status;
    json_array_end(writer);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_object_end(writer);
    return STET_OK;
}

static stet_status fill_show(struct stet_command *command, stet_view name, stet_error *err) {
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    struct show *show = arena_zalloc(&command->arena, 1, sizeof *show);
    if (show == NULL) return no_memory(err);
    show->task.kind = TASK_SHOW;
    show->name = arena_copy(&command->arena, name);
    if (show->name.bytes == NULL) return no_memory(err);
    command->owner = &handlers_module;
    command->module_data = show;
    command->hop = show_hop;
    command->kind = COMMAND_MODULE;
    return STET_OK;
}

stet_status handlers_fill_get(struct stet_command *command, stet_view name, stet_error *err) {
    stet_status status = check_id(name, "name", err);
    if (status == STET_OK) status = fill_show(command, name, err);
    if (status == STET_OK) command->answer = answer_get;
    return status;
}

stet_status handlers_fill_list(struct stet_command *command, stet_error *err) {
    stet_status status = fill_show(command, (stet_view){0}, err);
    if (status == STET_OK) command->answer = answer_list;
    return status;
}
