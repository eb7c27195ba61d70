/*
 * Links: what an administrator makes for somebody who cannot log in yet, or no more. How they are used is in login.c.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/read.h"
#include "modules/people/internal.h"

#include <sodium.h>

struct making {
    struct task task;
    char token[SECRET_TEXT_BYTES];
    struct secret_hash hash;
    struct link_record link;
    unsigned expires_s;
    bool replace;
    stet_view *replaced; /* Found on a worker: those that may be in its place. */
    size_t replaced_count;
};

static void render_link(struct json_writer *writer, stet_view id, const struct link_record *link) {
    json_member_text(writer, VIEW("id"), id);
    json_member_text(writer, VIEW("kind"), view_of(link_kind_name(link->kind)));
    if (link->user.size > 0) json_member_text(writer, VIEW("user"), link->user);
    if (link->name.size > 0) json_member_text(writer, VIEW("name"), link->name);
    if (link->kind == STET_LINK_INVITE)
        rights_show(writer, &link->rights, rights_are_admin(&link->rights));
    json_key(writer, VIEW("expires_at"));
    json_rfc3339(writer, link->expires_at);
}

/* ---- Walking ----------------------------------------------------------------------------- */

typedef stet_status link_visit(void *context, const struct store_change *change,
                               const struct link_record *link, stet_error *err);

struct link_walk {
    struct arena *arena;
    link_visit *visit;
    void *context;
};

static stet_status visit_change(void *context, const struct store_change *change, stet_error *err) {
    const struct link_walk *walk = context;
    struct link_record link;
    stet_status status = link_read(walk->arena, change->data, &link, err);
    return status == STET_OK ? walk->visit(walk->context, change, &link, err) : status;
}

static stet_status visit_links(struct store_reader *reader, struct arena *arena, link_visit *visit,
                               void *context, stet_error *err) {
    struct link_walk walk = {.arena = arena, .visit = visit, .context = context};
    return read_each_live(reader, arena, LINK_TYPE, visit_change, &walk, err);
}

/* ---- Making ------------------------------------------------------------------------------ */

static stet_status note_replaced(void *context, const struct store_change *change,
                                 const struct link_record *link, stet_error *err) {
    struct making *making = context;
    const struct link_record *made = &making->link;
    (void)err;
    bool same = made->user.size > 0 ? view_equal(link->user, made->user)
                                    : link->user.size == 0 && view_equal(link->name, made->name);
    if (same && making->replaced_count < LINKS_MAX)
        making->replaced[making->replaced_count++] = change->id;
    return STET_OK;
}

static stet_status find_replaced(struct stet_command *command, struct store_reader *reader,
                                 stet_error *err) {
    struct making *making = command->module_data;
    stet_status status = need_admin(command, "make links", err);
    if (status != STET_OK) return status;
    making->replaced = arena_zalloc(&command->arena, LINKS_MAX, sizeof *making->replaced);
    making->replaced_count = 0;
    if (making->replaced == NULL) return out_of_memory(err);
    return visit_links(reader, &command->arena, note_replaced, making, err);
}

/* Whom the link is for, as they are now. */
static stet_status check_target(struct staging *staging, struct link_record *link,
                                stet_error *err) {
    struct user_record user;
    struct store_head head;
    bool found;
    if (link->user.size == 0) return STET_OK;
    stet_status status = staged_user(staging, link->user, &found, &head, &user, err);
    if (status != STET_OK) return status;
    if (link->kind == STET_LINK_INVITE && found) {
        error_set(err, STET_ALREADY_EXISTS, "there is a user \"%.*s\" already",
                  VIEW_ARG(link->user));
        error_field(err, "user", 0);
        return STET_ALREADY_EXISTS;
    }
    if (link->kind == STET_LINK_RESET && !found) {
        error_set(err, STET_NOT_FOUND, "there is no user \"%.*s\"", VIEW_ARG(link->user));
        error_field(err, "user", 0);
        return STET_NOT_FOUND;
    }
    link->password_set_at = user.password_set_at;
    return STET_OK;
}

static stet_status decide_link(struct people *people, struct staging *staging, struct task *task,
                               const struct module_time *now, stet_error *err) {
    struct making *making = (struct making *)task;
    struct link_record *link = &making->link;
    stet_status status = still_admin(staging, "make links", err);
    if (status == STET_OK) status = check_target(staging, link, err);
    for (size_t i = 0; i < making->replaced_count && status == STET_OK; i++)
        status = staging_forget(staging, LINK_TYPE, making->replaced[i], err);
    if (status != STET_OK) return status;
    if (people->roster.link_count >= LINKS_MAX + making->replaced_count) {
        error_set(err, STET_TOO_LARGE, "%u links wait to be used in space \"%s\" already",
                  LINKS_MAX, people->space->name);
        error_field(err, "links", LINKS_MAX);
        return STET_TOO_LARGE;
    }
    link->expires_at = now->wall + (int64_t)making->expires_s * CLOCK_NS_PER_S;
    return put_link(people, staging, secret_id(&making->hash), link, err);
}

static stet_status answer_link(struct stet_command *command, struct json_writer *writer,
                               stet_error *err) {
    const struct making *making = command->module_data;
    (void)err;
    command->outcome.created = true;
    json_object_begin(writer);
    render_link(writer, secret_id(&making->hash), &making->link);
    json_member_text(writer, VIEW("token"), view_of(making->token));
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_object_end(writer);
    return STET_OK;
}

static void release(struct stet_command *command) {
    struct making *making = command->module_data;
    stet_view body = command->outcome.body;
    sodium_memzero(making->token, sizeof making->token);
    if (body.size > 0) sodium_memzero((void *)(uintptr_t)body.bytes, body.size);
}

static stet_status check_link(const stet_link *asked, stet_error *err) {
    const char *field = NULL;
    const char *what = "";
    if (asked->kind != STET_LINK_INVITE && asked->kind != STET_LINK_RESET)
        return error_set(err, STET_MISUSE, "there is no such kind of link");
    if (asked->kind == STET_LINK_RESET && asked->user.size == 0) {
        field = "user";
        what = "a link for a new password names its user";
    } else if (asked->kind == STET_LINK_RESET && (asked->role_count > 0 || asked->scopes != 0)) {
        field = "roles";
        what = "a link for a new password gives no roles or scopes";
    } else if (asked->expires_s > LINK_TTL_S_MAX) {
        field = "expires_s";
        what = "the link would live too long";
    }
    if (field == NULL) return STET_OK;
    error_set(err, STET_BAD_REQUEST, "%s", what);
    error_field(err, field, asked->expires_s > LINK_TTL_S_MAX ? LINK_TTL_S_MAX : 0);
    return STET_BAD_REQUEST;
}

stet_status people_fill_link_create(struct stet_command *command, const stet_link *asked,
                                    stet_error *err) {
    struct arena *arena = &command->arena;
    stet_status status;
    struct making *making = task_fill(command, sizeof *making, &status, err);
    if (making == NULL) return status;
    struct link_record *link = &making->link;
    status = check_link(asked, err);
    link->kind = asked->kind;
    if (status == STET_OK && asked->user.size > 0)
        status = new_user_name(arena, asked->user, "user", &link->user, err);
    if (status == STET_OK && asked->name.size > 0)
        status = check_word(asked->name, USER_NAME_BYTES_MAX, "name", err);
    if (status == STET_OK)
        status =
            rights_fill(arena, asked->roles, asked->role_count, asked->scopes, &link->rights, err);
    if (status != STET_OK) return status;
    link->name = arena_copy(arena, asked->name);
    if (link->name.bytes == NULL) return out_of_memory(err);
    secret_make(command->client->engine->entropy, LINK_PREFIX, making->token);
    secret_hash(view_of(making->token), &making->hash);
    link->hash = secret_text(&making->hash);
    making->task.secret = making->token;
    making->expires_s = asked->expires_s == 0 ? LINK_TTL_S_DEFAULT : asked->expires_s;
    making->task.decide = decide_link;
    if (asked->replace) command->hop = find_replaced;
    command->answer = answer_link;
    command->release = release;
    command->kind = COMMAND_MODULE;
    return STET_OK;
}

/* ---- Showing and taking back ------------------------------------------------------------- */

struct link_list {
    struct json_writer *writer;
    int64_t now;
};

static stet_status show_link(void *context, const struct store_change *change,
                             const struct link_record *link, stet_error *err) {
    struct link_list *list = context;
    (void)err;
    if (link->expires_at <= list->now) return STET_OK;
    json_object_begin(list->writer);
    render_link(list->writer, change->id, link);
    json_key(list->writer, VIEW("created_at"));
    json_rfc3339(list->writer, change->stamp);
    json_member_text(list->writer, VIEW("created_by"), change->by);
    json_object_end(list->writer);
    return STET_OK;
}

static stet_status list_links(struct stet_command *command, struct store_reader *reader,
                              struct buffer *out, stet_error *err) {
    struct json_writer writer;
    struct link_list list = {.writer = &writer,
                             .now = clock_wall_ns(command->client->engine->clock)};
    stet_status status = need_admin(command, "look at the links", err);
    if (status != STET_OK) return status;
    command->decided_seq = ring_published(&command->space->ring);
    json_begin(&writer, out);
    json_object_begin(&writer);
    json_key(&writer, VIEW("links"));
    json_array_begin(&writer);
    status = visit_links(reader, &command->arena, show_link, &list, err);
    json_array_end(&writer);
    json_object_end(&writer);
    return status;
}

stet_status people_fill_link_list(struct stet_command *command, stet_error *err) {
    stet_status status;
    if (task_fill(command, sizeof(struct task), &status, err) == NULL) return status;
    command->read_rows = list_links;
    command->kind = COMMAND_MODULE_READ;
    return STET_OK;
}

struct taking {
    struct task task;
    stet_view id;
};

static stet_status decide_taking(struct people *people, struct staging *staging, struct task *task,
                                 const struct module_time *now, stet_error *err) {
    struct taking *taking = (struct taking *)task;
    struct link_record link;
    bool found;
    (void)people, (void)now;
    stet_status status = still_admin(staging, "take links back", err);
    if (status == STET_OK) status = staged_link(staging, taking->id, &found, &link, err);
    if (status == STET_OK && !found) {
        error_set(err, STET_NOT_FOUND, "there is no such link");
        error_field(err, "link", 0);
        return STET_NOT_FOUND;
    }
    return status == STET_OK ? staging_forget(staging, LINK_TYPE, taking->id, err) : status;
}

static stet_status answer_taken(struct stet_command *command, struct json_writer *writer,
                                stet_error *err) {
    const struct taking *taking = command->module_data;
    (void)err;
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), taking->id);
    json_member_bool(writer, VIEW("revoked"), true);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_object_end(writer);
    return STET_OK;
}

stet_status people_fill_link_revoke(struct stet_command *command, stet_view id, stet_error *err) {
    stet_status status;
    struct taking *taking = task_fill(command, sizeof *taking, &status, err);
    if (taking == NULL) return status;
    status = check_id(id, "link", err);
    if (status != STET_OK) return status;
    taking->task.decide = decide_taking;
    taking->id = arena_copy(&command->arena, id);
    if (taking->id.bytes == NULL) return out_of_memory(err);
    command->answer = answer_taken;
    command->kind = COMMAND_MODULE;
    return STET_OK;
}
