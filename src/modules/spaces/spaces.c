#include "modules/spaces/spaces.h"

#include "base/error.h"
#include "base/view.h"
#include "core/read.h"
#include "core/render.h"

#include <sodium.h>
#include <stdlib.h>

#define TYPE VIEW("stet.space")
enum { SUFFIX_BYTES = 4 };

static bool is_built_in(stet_view name) {
    return view_equal(name, VIEW("main")) || view_equal(name, VIEW("stet"));
}

static stet_status check_name(stet_view name, stet_error *err) {
    bool valid = name.size > 0 && name.size <= SPACE_NAME_BYTES_MAX && name.bytes[0] >= 'a' &&
                 name.bytes[0] <= 'z';
    for (size_t i = 0; valid && i < name.size; i++) {
        char c = name.bytes[i];
        valid = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    }
    if (valid) return STET_OK;
    error_set(err, STET_BAD_REQUEST,
              "a space's name is a lower-case letter, then letters, digits, \"_\" and \"-\"");
    error_field(err, "space", SPACE_NAME_BYTES_MAX);
    return STET_BAD_REQUEST;
}

/* ---- Projection: how many there are ------------------------------------------------------ */

struct spaces {
    uint64_t count;
};

static stet_status open_state(struct space *space, void **state, stet_error *err) {
    (void)space;
    *state = calloc(1, sizeof(struct spaces));
    return *state == NULL ? error_set(err, STET_NO_MEMORY, "out of memory for a space") : STET_OK;
}

static void reset(void *state) { ((struct spaces *)state)->count = 0; }

static stet_status load(void *state, const struct store_change *head, stet_error *err) {
    (void)head;
    (void)err;
    ((struct spaces *)state)->count++;
    return STET_OK;
}

static void apply(void *state, const struct store_change *change) {
    struct spaces *spaces = state;
    if (!view_equal(change->type, TYPE)) return;
    if (change->op == STORE_CREATE) spaces->count++;
    if (change->op == STORE_DELETE) spaces->count--;
}

static stet_status check(void *state, const struct proposal *proposal, stet_error *err) {
    const struct spaces *spaces = state;
    if (!view_equal(proposal->type, TYPE)) return STET_OK;
    if (!proposal->actor->admin)
        return error_set(err, STET_FORBIDDEN, "only an administrator may manage spaces");
    if (proposal->op != STORE_CREATE || spaces->count + 2 < SPACES_MAX) return STET_OK;
    error_set(err, STET_TOO_LARGE, "there are %d spaces already", SPACES_MAX);
    error_field(err, "spaces", SPACES_MAX);
    return STET_TOO_LARGE;
}

static void published(void *state, struct space *space, const struct store_change *change) {
    (void)state;
    if (view_equal(change->type, TYPE) && change->op == STORE_DELETE)
        engine_space_drop(space->engine, change->id, change->data);
}

/* ---- Commands ---------------------------------------------------------------------------- */

stet_status spaces_fill_create(struct stet_command *command, stet_view name, stet_error *err) {
    struct arena *arena = &command->arena;
    uint8_t suffix[SUFFIX_BYTES];
    char hex[SUFFIX_BYTES * 2 + 1];
    stet_status status = check_name(name, err);
    if (status != STET_OK) return status;
    if (is_built_in(name)) {
        error_set(err, STET_ALREADY_EXISTS, "the space \"%.*s\" always exists", VIEW_ARG(name));
        error_field(err, "space", 0);
        return STET_ALREADY_EXISTS;
    }
    const struct entropy *entropy = command->client->engine->entropy;
    entropy->fill(entropy->context, suffix, sizeof suffix);
    sodium_bin2hex(hex, sizeof hex, suffix, sizeof suffix);
    stet_view data = arena_format(arena, "{\"name\":\"%.*s\",\"_file\":\"%.*s-%s.db\"}",
                                  VIEW_ARG(name), VIEW_ARG(name), hex);
    if (data.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    stet_mutation mutation = {.op = STET_OP_CREATE, .type = TYPE, .id = name, .body = data};
    stet_write write = {.mutations = &mutation, .mutation_count = 1};
    status = command_fill_write(command, &write, err);
    if (status != STET_OK) return status;
    command->owner = &spaces_module;
    command->render = RENDER_FLAT;
    return STET_OK;
}

/* Deleting a space has no base: whatever stands there is what is meant. */
static stet_status prepare_delete(struct stet_command *command, stet_error *err) {
    struct mutation *mutation = &command->mutations[0];
    struct change *head;
    stet_status status =
        client_head(command->client, command->space, mutation->type, mutation->id, &head, err);
    if (status == STET_NOT_FOUND)
        return error_set(err, STET_NOT_FOUND, "there is no space \"%.*s\"", VIEW_ARG(mutation->id));
    if (status != STET_OK) return status;
    mutation->base = (stet_base){.kind = STET_BASE_VERSION, .value = head->row.version};
    change_unref(head);
    return STET_OK;
}

stet_status spaces_fill_delete(struct stet_command *command, stet_view name, stet_error *err) {
    stet_status status = check_name(name, err);
    if (status != STET_OK) return status;
    if (is_built_in(name)) {
        error_set(err, STET_FORBIDDEN, "the space \"%.*s\" cannot be deleted", VIEW_ARG(name));
        error_field(err, "space", 0);
        return STET_FORBIDDEN;
    }
    stet_mutation mutation = {.op = STET_OP_DELETE, .type = TYPE, .id = name};
    stet_write write = {.mutations = &mutation, .mutation_count = 1};
    status = command_fill_write(command, &write, err);
    if (status != STET_OK) return status;
    command->owner = &spaces_module;
    command->render = RENDER_FLAT;
    command->prepare = prepare_delete;
    return STET_OK;
}

static void render_space(struct json_writer *writer, stet_view name,
                         const struct store_change *change) {
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), name);
    json_member_text(writer, VIEW("name"), name);
    if (change != NULL) {
        json_key(writer, VIEW("created_at"));
        json_rfc3339(writer, change->stamp);
        json_member_text(writer, VIEW("created_by"), change->by);
    } else {
        json_member_bool(writer, VIEW("built_in"), true);
    }
    json_object_end(writer);
}

static stet_status show_space(void *context, const struct store_change *change, stet_error *err) {
    (void)err;
    render_space(context, change->id, change);
    return STET_OK;
}

static stet_status list(struct stet_command *command, struct store_reader *reader,
                        struct buffer *out, stet_error *err) {
    struct json_writer writer;
    command->decided_seq = ring_published(&command->space->ring);
    json_begin(&writer, out);
    json_object_begin(&writer);
    json_key(&writer, VIEW("spaces"));
    json_array_begin(&writer);
    render_space(&writer, VIEW("main"), NULL);
    render_space(&writer, VIEW("stet"), NULL);
    stet_status status = read_each_live(reader, &command->arena, TYPE, show_space, &writer, err);
    json_array_end(&writer);
    json_object_end(&writer);
    return status;
}

stet_status spaces_fill_list(struct stet_command *command, stet_error *err) {
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    command->kind = COMMAND_MODULE_READ;
    command->read_rows = list;
    return STET_OK;
}

static const char *const types[] = {"stet.space", NULL};

const struct module spaces_module = {
    .name = "spaces",
    .types = types,
    .space = "stet",
    .open = open_state,
    .close = free,
    .reset = reset,
    .load = load,
    .check = check,
    .apply = apply,
    .published = published,
};
