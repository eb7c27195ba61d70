/*
 * Users as administrators and they themselves see and change them.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/read.h"
#include "modules/people/internal.h"

#include <stdio.h>

/* ---- Showing ----------------------------------------------------------------------------- */

void render_user(struct json_writer *writer, const struct store_change *row,
                 const struct created *created, const struct user_record *user) {
    render_flat_head(writer, row, created);
    if (user->name.size > 0) json_member_text(writer, VIEW("name"), user->name);
    if (user->email.size > 0) json_member_text(writer, VIEW("email"), user->email);
    rights_show(writer, &user->rights, rights_are_admin(&user->rights));
    json_member_bool(writer, VIEW("admin"), rights_are_admin(&user->rights));
    json_member_bool(writer, VIEW("disabled"), user->disabled);
    json_member_bool(writer, VIEW("has_password"), user->password.size > 0);
    if (user->password_set_at == 0) return;
    json_key(writer, VIEW("password_set_at"));
    json_rfc3339(writer, user->password_set_at);
}

stet_status check_users(const struct people *people, stet_error *err) {
    if (people->roster.users_count < USERS_MAX) return STET_OK;
    error_set(err, STET_TOO_LARGE, "there are %u users in space \"%s\" already", USERS_MAX,
              people->space->name);
    error_field(err, "users", USERS_MAX);
    return STET_TOO_LARGE;
}

static stet_status no_such_user(stet_view id, stet_error *err) {
    error_set(err, STET_NOT_FOUND, "there is no user \"%.*s\"", VIEW_ARG(id));
    error_field(err, "user", 0);
    return STET_NOT_FOUND;
}

/* ---- Getting and listing: on a worker ---------------------------------------------------- */

struct asking {
    stet_view id, after;
    unsigned limit;
};

static stet_status get_user(struct stet_command *command, struct store_reader *reader,
                            struct buffer *out, stet_error *err) {
    const struct asking *asking = command->module_data;
    struct arena *arena = &command->arena;
    struct json_writer writer;
    struct store_change row;
    struct user_record user;
    struct created created;
    stet_view self = {0}, id = asking->id;
    bool found;
    stet_status status = user_name(arena, command->actor.id, "actor", &self, NULL);
    if (status == STET_NO_MEMORY) return out_of_memory(err);
    if (id.size == 0) id = self;
    status = self.size > 0 && view_equal(id, self) ? STET_OK
                                                   : need_admin(command, "look at the users", err);
    if (status != STET_OK) return status;
    command->decided_seq = ring_published(&command->space->ring);
    status = stored_user(reader, arena, id, &found, &row, &user, err);
    if (status == STET_OK && !found) return no_such_user(id, err);
    if (status == STET_OK) status = read_created(reader, arena, &row, &created, err);
    if (status != STET_OK) return status;
    command->outcome.version = row.version;
    command->outcome.updated_at = row.stamp;
    json_begin(&writer, out);
    json_object_begin(&writer);
    render_user(&writer, &row, &created, &user);
    json_object_end(&writer);
    return STET_OK;
}

enum { USERS_CHUNK = 256 };

static stet_status list_users(struct stet_command *command, struct store_reader *reader,
                              struct buffer *out, stet_error *err) {
    const struct asking *asking = command->module_data;
    struct arena *arena = &command->arena;
    struct json_writer writer;
    stet_view after = asking->after, last = {0};
    size_t count = USERS_CHUNK, shown = 0;
    bool more = false;
    stet_status status = need_admin(command, "look at the users", err);
    struct store_row *rows = arena_zalloc(arena, USERS_CHUNK, sizeof *rows);
    if (status != STET_OK) return status;
    if (rows == NULL) return out_of_memory(err);
    command->decided_seq = ring_published(&command->space->ring);
    json_begin(&writer, out);
    json_object_begin(&writer);
    json_key(&writer, VIEW("users"));
    json_array_begin(&writer);
    while (status == STET_OK && count == USERS_CHUNK && !more) {
        status = store_scan(reader, arena, USER_TYPE, after, USERS_CHUNK, rows, &count, err);
        for (size_t i = 0; status == STET_OK && i < count && !more; i++) {
            struct store_change row;
            struct user_record user;
            struct created created;
            bool found;
            after = rows[i].id;
            status = stored_user(reader, arena, after, &found, &row, &user, err);
            if (status != STET_OK || !found) continue;
            more = asking->limit > 0 && shown == asking->limit;
            if (more) continue;
            status = read_created(reader, arena, &row, &created, err);
            if (status != STET_OK) continue;
            json_object_begin(&writer);
            render_user(&writer, &row, &created, &user);
            json_object_end(&writer);
            last = after;
            shown++;
        }
    }
    json_array_end(&writer);
    if (more) json_member_text(&writer, VIEW("next"), last);
    json_object_end(&writer);
    return status;
}

static stet_status fill_asking(struct stet_command *command, struct asking **asking,
                               stet_error *err) {
    stet_status status;
    *asking = task_fill(command, sizeof **asking, &status, err);
    return status;
}

stet_status people_fill_user_get(struct stet_command *command, stet_view id, stet_error *err) {
    struct asking *asking;
    stet_status status = fill_asking(command, &asking, err);
    if (status == STET_OK && id.size > 0)
        status = user_name(&command->arena, id, "user", &asking->id, err);
    if (status != STET_OK) return status;
    command->read_rows = get_user;
    command->kind = COMMAND_MODULE_READ;
    return STET_OK;
}

stet_status people_fill_user_list(struct stet_command *command, stet_view after, unsigned limit,
                                  stet_error *err) {
    struct asking *asking;
    stet_status status = fill_asking(command, &asking, err);
    if (status != STET_OK) return status;
    asking->limit = limit;
    asking->after = arena_copy(&command->arena, after);
    if (asking->after.bytes == NULL) return out_of_memory(err);
    command->read_rows = list_users;
    command->kind = COMMAND_MODULE_READ;
    return STET_OK;
}

/* ---- Creating ---------------------------------------------------------------------------- */

/* A command that writes a user; the answer shows them. */
struct writing {
    struct task task;
    struct judging judging; /* Of a new user's password. */
    stet_view id;
    struct user_record user;
    struct store_change row;
    size_t ended;
    /* Of a patch. */
    struct doc patch;
    stet_base base;
    uint64_t current_version;
};

static stet_status finish(struct people *people, struct staging *staging, struct writing *writing,
                          stet_error *err) {
    struct store_head head;
    stet_status status = put_user(people, staging, writing->id, &writing->user, err);
    if (status != STET_OK) return status;
    return staging_read(staging, USER_TYPE, writing->id, &head, &writing->row, err);
}

stet_status still_admin(struct staging *staging, const char *what, stet_error *err) {
    struct stet_command *command = staging->command;
    struct user_record user;
    struct store_head head;
    bool found;
    stet_status status = need_admin(command, what, err);
    if (status != STET_OK || command->actor.session.size == 0) return status;
    status = staged_user(staging, command->actor.id, &found, &head, &user, err);
    if (status != STET_OK) return status;
    if (found && !user.disabled && rights_are_admin(&user.rights)) return STET_OK;
    return error_set(err, STET_FORBIDDEN, "you are no administrator any more");
}

static stet_status decide_create(struct people *people, struct staging *staging, struct task *task,
                                 const struct module_time *now, stet_error *err) {
    struct writing *writing = (struct writing *)task;
    struct user_record there;
    struct store_head head;
    bool found;
    stet_status status = still_admin(staging, "make users", err);
    if (status == STET_OK) status = staged_user(staging, writing->id, &found, &head, &there, err);
    if (status != STET_OK) return status;
    if (found) {
        error_set(err, STET_ALREADY_EXISTS, "there is a user \"%.*s\" already",
                  VIEW_ARG(writing->id));
        error_field(err, "id", 0);
        return STET_ALREADY_EXISTS;
    }
    status = check_users(people, err);
    if (status != STET_OK) return status;
    writing->user.password = writing->judging.encoded;
    writing->user.password_set_at = writing->judging.encoded.size > 0 ? now->wall : 0;
    return finish(people, staging, writing, err);
}

static stet_status answer_user(struct stet_command *command, struct json_writer *writer,
                               stet_error *err) {
    struct writing *writing = command->module_data;
    struct created created;
    stet_status status = client_created(command->client, command->space, &writing->row,
                                        &command->arena, &created, err);
    if (status != STET_OK) return status;
    command->outcome.version = writing->row.version;
    command->outcome.updated_at = writing->row.stamp;
    command->outcome.created = writing->row.op == STORE_CREATE;
    json_object_begin(writer);
    render_user(writer, &writing->row, &created, &writing->user);
    if (writing->ended > 0) json_member_u64(writer, VIEW("ended"), writing->ended);
    json_object_end(writer);
    return STET_OK;
}

static stet_status encode_hop(struct stet_command *command, struct store_reader *reader,
                              stet_error *err) {
    struct writing *writing = command->module_data;
    stet_status status = need_admin(command, "make users", err);
    return status == STET_OK ? judge(command, reader, &writing->judging, err) : status;
}

static void release(struct stet_command *command) {
    struct writing *writing = command->module_data;
    judging_wipe(&writing->judging);
}

static stet_status copy_text(struct arena *arena, stet_view from, size_t bytes_max,
                             const char *field, stet_view *to, stet_error *err) {
    *to = (stet_view){0};
    if (from.size == 0) return STET_OK;
    stet_status status = check_word(from, bytes_max, field, err);
    if (status != STET_OK) return status;
    *to = arena_copy(arena, from);
    return to->bytes == NULL ? out_of_memory(err) : STET_OK;
}

stet_status people_fill_user_create(struct stet_command *command, const stet_user *asked,
                                    stet_error *err) {
    struct arena *arena = &command->arena;
    stet_status status;
    struct writing *writing = task_fill(command, sizeof *writing, &status, err);
    if (writing == NULL) return status;
    struct user_record *user = &writing->user;
    writing->task.decide = decide_create;
    status = new_user_name(arena, asked->id, "id", &writing->id, err);
    if (status == STET_OK)
        status = copy_text(arena, asked->name, USER_NAME_BYTES_MAX, "name", &user->name, err);
    if (status == STET_OK)
        status = copy_text(arena, asked->email, USER_EMAIL_BYTES_MAX, "email", &user->email, err);
    if (status == STET_OK)
        status =
            rights_fill(arena, asked->roles, asked->role_count, asked->scopes, &user->rights, err);
    if (status == STET_OK && asked->password.size > 0)
        status = check_new_password(asked->password, "password", err);
    if (status != STET_OK) return status;
    user->disabled = asked->disabled;
    if (asked->password.size > 0) {
        writing->judging.new_password = arena_copy(arena, asked->password);
        if (writing->judging.new_password.bytes == NULL) return out_of_memory(err);
        command->hop = encode_hop;
        command->judges = true;
        command->release = release;
    }
    command->answer = answer_user;
    command->kind = COMMAND_MODULE;
    return STET_OK;
}

/* ---- Changing ---------------------------------------------------------------------------- */

/* A text that a patch names: null or empty takes it away. field: with its slash. */
static stet_status patch_text(struct arena *arena, const struct doc *patch, const char *field,
                              size_t bytes_max, stet_view *text, stet_error *err) {
    stet_view given = {0};
    doc_node node = doc_member(patch, 0, view_of(field + 1));
    if (node == DOC_NONE) return STET_OK;
    stet_status status = STET_OK;
    if (doc_kind(patch, node) != DOC_NULL) status = doc_string(arena, patch, node, &given);
    if (status == STET_BAD_REQUEST) {
        error_set(err, STET_BAD_REQUEST, "%s is a text", field + 1);
        error_field(err, field, 0);
        return status;
    }
    if (status != STET_OK) return out_of_memory(err);
    return copy_text(arena, given, bytes_max, field + 1, text, err);
}

enum { NAME, EMAIL, ROLES, SCOPES, DISABLED, MEMBERS };
static const char *const member_names[MEMBERS] = {"name", "email", "roles", "scopes", "disabled"};

/* Which members a patch has, a bit for each; one that no user has is refused. */
static stet_status named_members(struct arena *arena, const struct doc *patch, unsigned *members,
                                 stet_error *err) {
    *members = 0;
    for (doc_node node = doc_first(patch, 0); node != DOC_NONE; node = doc_next(patch, node)) {
        stet_view key;
        unsigned member = 0;
        if (doc_key(arena, patch, node, &key) != STET_OK) return out_of_memory(err);
        while (member < MEMBERS && !view_equal(key, view_of(member_names[member])))
            member++;
        if (member == MEMBERS) {
            char field[1 + 64 + 1];
            snprintf(field, sizeof field, "/%.*s", key.size > 64 ? 64 : (int)key.size, key.bytes);
            error_set(err, STET_BAD_REQUEST, "a user has no member \"%s\" that can be changed",
                      field + 1);
            error_field(err, field, 0);
            return STET_BAD_REQUEST;
        }
        *members |= 1u << member;
    }
    return STET_OK;
}

static stet_status apply_patch(struct arena *arena, const struct doc *patch,
                               struct user_record *user, stet_error *err) {
    stet_status status = patch_text(arena, patch, "/name", USER_NAME_BYTES_MAX, &user->name, err);
    if (status == STET_OK)
        status = patch_text(arena, patch, "/email", USER_EMAIL_BYTES_MAX, &user->email, err);
    if (status == STET_OK) status = rights_read(arena, patch, &user->rights, err);
    if (status != STET_OK) return status;
    doc_node disabled = doc_member(patch, 0, VIEW("disabled"));
    if (disabled == DOC_NONE) return STET_OK;
    if (doc_kind(patch, disabled) == DOC_NULL) {
        user->disabled = false;
    } else if (!doc_bool(patch, disabled, &user->disabled)) {
        error_set(err, STET_BAD_REQUEST, "disabled is true or false");
        error_field(err, "/disabled", 0);
        return STET_BAD_REQUEST;
    }
    return STET_OK;
}

static stet_status stale(struct writing *writing, uint64_t version, stet_error *err) {
    writing->current_version = version;
    error_set(err, STET_CONCURRENT_MODIFICATION,
              "somebody else changed the user; they are at version %llu now",
              (unsigned long long)version);
    return STET_CONCURRENT_MODIFICATION;
}

static void explain_stale(struct stet_command *command, struct json_writer *writer) {
    const struct writing *writing = command->module_data;
    if (command->status == STET_CONCURRENT_MODIFICATION)
        json_member_u64(writer, VIEW("current_version"), writing->current_version);
}

static stet_status decide_patch(struct people *people, struct staging *staging, struct task *task,
                                const struct module_time *now, stet_error *err) {
    struct writing *writing = (struct writing *)task;
    struct stet_command *command = staging->command;
    struct arena *arena = &command->arena;
    struct store_head head;
    stet_view self = {0};
    unsigned members;
    bool found;
    (void)now;
    stet_status status = user_name(arena, command->actor.id, "actor", &self, NULL);
    if (status == STET_NO_MEMORY) return out_of_memory(err);
    bool own = self.size > 0 && view_equal(self, writing->id);
    status = named_members(arena, &writing->patch, &members, err);
    if (status == STET_OK && (!own || (members & ~(1u << NAME | 1u << EMAIL)) != 0))
        status = still_admin(staging, "change this of a user", err);
    if (status == STET_OK)
        status = staged_user(staging, writing->id, &found, &head, &writing->user, err);
    if (status != STET_OK) return status;
    if (!found) return no_such_user(writing->id, err);
    if (writing->base.kind == STET_BASE_VERSION && writing->base.value != head.version)
        return stale(writing, head.version, err);
    bool was_admin = rights_are_admin(&writing->user.rights), was_disabled = writing->user.disabled;
    status = apply_patch(arena, &writing->patch, &writing->user, err);
    if (status != STET_OK) return status;
    bool loses = (was_admin && !rights_are_admin(&writing->user.rights)) ||
                 (!was_disabled && writing->user.disabled);
    /* So the last one cannot lock everybody out, not even two who do it to one another at once. */
    if (own && loses && command->actor.session.size > 0)
        return error_set(err, STET_FORBIDDEN,
                         "an administrator's own rights are taken by another administrator");
    status = finish(people, staging, writing, err);
    if (status == STET_OK && writing->user.disabled)
        status = end_sessions(people, staging, writing->id, (stet_view){0}, &writing->ended, err);
    return status;
}

stet_status people_fill_user_patch(struct stet_command *command, stet_view id, stet_view patch,
                                   stet_base base, stet_error *err) {
    struct arena *arena = &command->arena;
    stet_status status;
    struct writing *writing = task_fill(command, sizeof *writing, &status, err);
    if (writing == NULL) return status;
    writing->task.decide = decide_patch;
    status = user_name(arena, id, "user", &writing->id, err);
    stet_view text = arena_copy(arena, patch);
    if (status == STET_OK && text.bytes == NULL) status = out_of_memory(err);
    if (status == STET_OK) status = doc_parse(arena, text, NULL, &writing->patch, err);
    if (status != STET_OK) return status;
    if (doc_kind(&writing->patch, 0) != DOC_OBJECT)
        return error_set(err, STET_BAD_REQUEST, "a user's patch is an object");
    if (base.kind != STET_BASE_NONE && base.kind != STET_BASE_VERSION) {
        error_set(err, STET_BAD_REQUEST, "the patch of a user names a version, or none");
        error_field(err, "base_version", 0);
        return STET_BAD_REQUEST;
    }
    writing->base = base;
    command->answer = answer_user;
    command->explain = explain_stale;
    command->kind = COMMAND_MODULE;
    return STET_OK;
}
