/*
 * Sessions as people see and end them. Whoever acts in a session that is over does not come so far (people_enter).
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/people/internal.h"

#include <stdlib.h>

static stet_status not_found(stet_error *err) {
    error_set(err, STET_NOT_FOUND, "there is no such session");
    error_field(err, "session", 0);
    return STET_NOT_FOUND;
}

/* The actor as a user of this space; empty: theirs is no name of a user. */
static stet_status self_of(struct stet_command *command, stet_view *self, stet_error *err) {
    *self = (stet_view){0};
    stet_status status = user_name(&command->arena, command->actor.id, "actor", self, NULL);
    return status == STET_NO_MEMORY ? out_of_memory(err) : STET_OK;
}

/* The user a command is about: the one that was named, or the actor. Others than oneself: administrators. */
static stet_status whose(struct stet_command *command, stet_view named, stet_view *user,
                         stet_error *err) {
    stet_view self;
    stet_status status = self_of(command, &self, err);
    if (status != STET_OK) return status;
    *user = named.size > 0 ? named : self;
    if (self.size > 0 && view_equal(*user, self)) return STET_OK;
    return need_admin(command, "do this to the sessions of others", err);
}

/* ---- Ending ------------------------------------------------------------------------------ */

struct ending {
    struct task task;
    stet_view id;   /* Of one session; empty: of the actor's own. */
    stet_view user; /* Of all of them. */
    bool keep_own;
    size_t ended;
};

/* A live session that the actor may do something to. */
static stet_status own_session(struct staging *staging, stet_view id,
                               struct session_record *session, stet_error *err) {
    struct store_head head;
    stet_view self;
    bool found;
    stet_status status = self_of(staging->command, &self, err);
    if (status == STET_OK) status = staged_session(staging, id, &found, &head, session, err);
    if (status != STET_OK) return status;
    if (!found) return not_found(err);
    bool own = self.size > 0 && view_equal(self, session->user);
    return own || staging->command->actor.admin ? STET_OK : not_found(err);
}

static stet_status decide_end(struct people *people, struct staging *staging, struct task *task,
                              const struct module_time *now, stet_error *err) {
    struct ending *ending = (struct ending *)task;
    struct session_record session;
    stet_view id = ending->id.size > 0 ? ending->id : staging->command->actor.session;
    (void)people, (void)now;
    if (id.size == 0)
        return error_set(err, STET_NOT_FOUND, "you are not in a session that could be ended here");
    stet_status status = own_session(staging, id, &session, err);
    if (status == STET_OK) status = staging_forget(staging, SESSION_TYPE, id, err);
    ending->ended = 1;
    return status;
}

static stet_status decide_end_all(struct people *people, struct staging *staging, struct task *task,
                                  const struct module_time *now, stet_error *err) {
    struct ending *ending = (struct ending *)task;
    stet_view user;
    (void)now;
    stet_status status = whose(staging->command, ending->user, &user, err);
    if (status != STET_OK) return status;
    stet_view keep = ending->keep_own ? staging->command->actor.session : (stet_view){0};
    return end_sessions(people, staging, user, keep, &ending->ended, err);
}

static stet_status answer_ended(struct stet_command *command, struct json_writer *writer,
                                stet_error *err) {
    const struct ending *ending = command->module_data;
    (void)err;
    json_object_begin(writer);
    json_member_u64(writer, VIEW("ended"), ending->ended);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_object_end(writer);
    return STET_OK;
}

stet_status people_fill_session_end(struct stet_command *command, stet_view id, stet_error *err) {
    stet_status status;
    struct ending *ending = task_fill(command, sizeof *ending, &status, err);
    if (ending == NULL) return status;
    if (id.size > 0) status = check_id(id, "session", err);
    if (status != STET_OK) return status;
    ending->task.decide = decide_end;
    ending->id = arena_copy(&command->arena, id);
    if (ending->id.bytes == NULL) return out_of_memory(err);
    command->answer = answer_ended;
    command->kind = COMMAND_MODULE;
    return STET_OK;
}

stet_status people_fill_session_end_all(struct stet_command *command, stet_view user, bool keep_own,
                                        stet_error *err) {
    stet_status status;
    struct ending *ending = task_fill(command, sizeof *ending, &status, err);
    if (ending == NULL) return status;
    if (user.size > 0) status = user_name(&command->arena, user, "user", &ending->user, err);
    if (status != STET_OK) return status;
    ending->task.decide = decide_end_all;
    ending->keep_own = keep_own;
    command->answer = answer_ended;
    command->kind = COMMAND_MODULE;
    return STET_OK;
}

/* ---- Showing ----------------------------------------------------------------------------- */

static void render_time(struct json_writer *writer, stet_view key, int64_t time) {
    json_key(writer, key);
    json_rfc3339(writer, time);
}

static void render_session(struct json_writer *writer, stet_view id, int64_t used_at,
                           const struct session_record *session, stet_view own) {
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), id);
    json_member_text(writer, VIEW("user"), session->user);
    if (session->name.size > 0) json_member_text(writer, VIEW("name"), session->name);
    if (session->address.size > 0) json_member_text(writer, VIEW("address"), session->address);
    render_time(writer, VIEW("created_at"), session->created_at);
    render_time(writer, VIEW("used_at"), used_at);
    render_time(writer, VIEW("expires_at"),
                roster_over_at(session->ends_at, session->idle_ns, used_at));
    render_time(writer, VIEW("ends_at"), session->ends_at);
    if (own.size > 0 && view_equal(own, id)) json_member_bool(writer, VIEW("current"), true);
    json_object_end(writer);
}

struct listing {
    stet_view id;
    int64_t used_at;
};

static int compare_listed(const void *a, const void *b) {
    const struct listing *left = a, *right = b;
    if (left->used_at != right->used_at) return left->used_at < right->used_at ? 1 : -1;
    return view_compare(left->id, right->id);
}

/* One session of the list, if it is stored, published and not over. */
static stet_status list_one(struct stet_command *command, struct store_reader *reader,
                            const struct listing *listed, struct json_writer *writer,
                            stet_error *err) {
    struct session_record session;
    struct store_change row;
    struct store_head head;
    stet_status status = store_head(reader, SESSION_TYPE, listed->id, &head, err);
    if (status != STET_OK || head.version == 0 || head.deleted) return status;
    status = store_change_at(reader, &command->arena, head.seq, &row, err);
    if (status == STET_OK) status = session_read(&command->arena, row.data, &session, err);
    if (status != STET_OK) return status;
    int64_t now = clock_wall_ns(command->client->engine->clock);
    if (now >= roster_over_at(session.ends_at, session.idle_ns, listed->used_at)) return STET_OK;
    render_session(writer, listed->id, listed->used_at, &session, command->actor.session);
    return STET_OK;
}

/* On a worker: whose sessions there are is in the roster, which any thread may look at; what they say is in the store. */
static stet_status list_sessions(struct stet_command *command, struct store_reader *reader,
                                 struct buffer *out, stet_error *err) {
    const stet_view *named = command->module_data;
    struct people *people = people_of(command->space);
    struct json_writer writer;
    stet_view *ids, user;
    int64_t *used;
    size_t count;
    command->decided_seq = ring_published(&command->space->ring);
    stet_status status = whose(command, *named, &user, err);
    if (status == STET_OK)
        status = roster_of_user(&people->roster, &command->arena, user, &ids, &used, &count, err);
    if (status != STET_OK) return status;
    struct listing *listing = arena_zalloc(&command->arena, count + 1, sizeof *listing);
    if (listing == NULL) return out_of_memory(err);
    for (size_t i = 0; i < count; i++)
        listing[i] = (struct listing){.id = ids[i], .used_at = used[i]};
    qsort(listing, count, sizeof *listing, compare_listed);
    json_begin(&writer, out);
    json_object_begin(&writer);
    json_key(&writer, VIEW("sessions"));
    json_array_begin(&writer);
    for (size_t i = 0; i < count && status == STET_OK; i++)
        status = list_one(command, reader, &listing[i], &writer, err);
    json_array_end(&writer);
    json_object_end(&writer);
    return status;
}

stet_status people_fill_session_list(struct stet_command *command, stet_view user,
                                     stet_error *err) {
    stet_status status;
    stet_view *named = task_fill(command, sizeof *named, &status, err);
    if (named == NULL) return status;
    if (user.size > 0) status = user_name(&command->arena, user, "user", named, err);
    if (status != STET_OK) return status;
    command->read_rows = list_sessions;
    command->kind = COMMAND_MODULE_READ;
    return STET_OK;
}

/* ---- Naming ------------------------------------------------------------------------------ */

struct renaming {
    struct task task;
    stet_view id, name;
    struct session_record session;
};

static stet_status decide_rename(struct people *people, struct staging *staging, struct task *task,
                                 const struct module_time *now, stet_error *err) {
    struct renaming *renaming = (struct renaming *)task;
    (void)now;
    stet_status status = own_session(staging, renaming->id, &renaming->session, err);
    if (status != STET_OK) return status;
    renaming->session.name = renaming->name;
    return put_session(people, staging, renaming->id, &renaming->session, err);
}

static stet_status answer_rename(struct stet_command *command, struct json_writer *writer,
                                 stet_error *err) {
    const struct renaming *renaming = command->module_data;
    int64_t used_at = renaming->session.used_at;
    (void)err;
    roster_touch(&people_of(command->space)->roster, renaming->id, STET_LOOK, 0, &used_at);
    render_session(writer, renaming->id, used_at, &renaming->session, command->actor.session);
    return STET_OK;
}

stet_status people_fill_session_rename(struct stet_command *command, stet_view id, stet_view name,
                                       stet_error *err) {
    stet_status status;
    struct renaming *renaming = task_fill(command, sizeof *renaming, &status, err);
    if (renaming == NULL) return status;
    status = check_id(id, "session", err);
    if (status == STET_OK) status = check_word(name, SESSION_NAME_BYTES_MAX, "name", err);
    if (status != STET_OK) return status;
    renaming->task.decide = decide_rename;
    renaming->id = arena_copy(&command->arena, id);
    renaming->name = arena_copy(&command->arena, name);
    if (renaming->id.bytes == NULL || renaming->name.bytes == NULL) return out_of_memory(err);
    command->answer = answer_rename;
    command->kind = COMMAND_MODULE;
    return STET_OK;
}
