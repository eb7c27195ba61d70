/*
 * What needs a password judged: logging in, setting a password, redeeming a link. Each is one transaction: the attempts are counted where it is
 * submitted, the password is judged away from the sequencer (passwords.c), and what came of that is decided against the records as they
 * stand there.
 *
 *   submit ──attempts──► judge ──► decide ──► the user's record is another one by now: judge again
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/people/internal.h"

#include <sodium.h>

/* What the commands of this file have in common; first in each. */
struct judged {
    struct task task;
    struct judging judging;
    stet_view account, address; /* Whose attempts are counted. */
    uint64_t wait_s;
    struct opening *opening; /* The session it opens; NULL: none. */
};

/* ---- Sessions that begin ----------------------------------------------------------------- */

static stet_status copy_text(struct arena *arena, stet_view from, size_t bytes_max,
                             const char *field, stet_view *to, stet_error *err) {
    if (from.size == 0) return STET_OK;
    stet_status status = check_word(from, bytes_max, field, err);
    if (status != STET_OK) return status;
    *to = arena_copy(arena, from);
    return to->bytes == NULL ? out_of_memory(err) : STET_OK;
}

stet_status opening_fill(struct stet_command *command, struct opening *opening, stet_view name,
                         stet_view address, bool show_token, stet_error *err) {
    struct arena *arena = &command->arena;
    opening->show_token = show_token;
    stet_status status =
        copy_text(arena, name, SESSION_NAME_BYTES_MAX, "name", &opening->name, err);
    if (status != STET_OK) return status;
    return copy_text(arena, address, SESSION_NAME_BYTES_MAX, "address", &opening->address, err);
}

/* Once the space is known, which the token's first letters tell. */
static void make_token(struct stet_command *command, struct opening *opening) {
    const stet_engine *engine = command->client->engine;
    bool home = command->space == engine->home;
    secret_make(engine->entropy, home ? ADMIN_PREFIX : SESSION_PREFIX, opening->token);
    secret_hash(view_of(opening->token), &opening->hash);
}

/* The one that was not used for longest makes room. */
static stet_status make_room(struct people *people, struct staging *staging, stet_view user,
                             stet_error *err) {
    stet_view *ids;
    int64_t *used;
    size_t count, oldest = 0;
    stet_status status =
        roster_of_user(&people->roster, staging_arena(staging), user, &ids, &used, &count, err);
    if (status != STET_OK || count < SESSIONS_PER_USER_MAX) return status;
    for (size_t i = 1; i < count; i++)
        if (used[i] < used[oldest]) oldest = i;
    return staging_forget(staging, SESSION_TYPE, ids[oldest], err);
}

stet_status opening_decide(struct people *people, struct staging *staging, struct opening *opening,
                           stet_view user, const struct rights *rights, stet_error *err) {
    if (people->roster.count >= SESSIONS_MAX) {
        error_set(err, STET_TOO_LARGE, "there are %u sessions in space \"%s\" already",
                  SESSIONS_MAX, people->space->name);
        error_field(err, "sessions", SESSIONS_MAX);
        return STET_TOO_LARGE;
    }
    staging->command->actor = (stet_actor){.id = user};
    stet_status status = make_room(people, staging, user, err);
    if (status != STET_OK) return status;
    opening->user = user;
    opening->rights = *rights;
    opening->record = (struct session_record){
        .user = user,
        .name = opening->name,
        .address = opening->address,
        .hash = secret_text(&opening->hash),
        .created_at = staging->now,
        .ends_at = staging->now + SESSION_TTL_S * CLOCK_NS_PER_S,
        .used_at = staging->now,
        .idle_ns = SESSION_IDLE_S * CLOCK_NS_PER_S,
    };
    return put_session(people, staging, secret_id(&opening->hash), &opening->record, err);
}

static void render_time(struct json_writer *writer, stet_view key, int64_t time) {
    json_key(writer, key);
    json_rfc3339(writer, time);
}

void opening_render(struct stet_command *command, const struct opening *opening,
                    struct json_writer *writer) {
    const struct session_record *record = &opening->record;
    bool admin = rights_are_admin(&opening->rights);
    char csrf[65];
    csrf_of(command->space, secret_id(&opening->hash), csrf);
    json_object_begin(writer);
    json_member_text(writer, VIEW("session"), secret_id(&opening->hash));
    json_member_text(writer, VIEW("user"), opening->user);
    if (record->name.size > 0) json_member_text(writer, VIEW("name"), record->name);
    json_member_bool(writer, VIEW("admin"), admin);
    rights_show(writer, &opening->rights, admin);
    render_time(writer, VIEW("created_at"), record->created_at);
    render_time(writer, VIEW("expires_at"),
                roster_over_at(record->ends_at, record->idle_ns, record->used_at));
    render_time(writer, VIEW("ends_at"), record->ends_at);
    json_member_text(writer, VIEW("csrf"), view_of(csrf));
    if (opening->show_token) json_member_text(writer, VIEW("token"), view_of(opening->token));
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_object_end(writer);
}

/* ---- What all of them do ----------------------------------------------------------------- */

static stet_status judge_hop(struct stet_command *command, struct store_reader *reader,
                             stet_error *err) {
    struct judged *judged = command->module_data;
    return judge(command, reader, &judged->judging, err);
}

static stet_status prepare_judged(struct stet_command *command, stet_error *err) {
    struct judged *judged = command->module_data;
    if (judged->opening != NULL) {
        make_token(command, judged->opening);
        judged->task.secret = judged->opening->token;
    }
    return take_attempts(command, judged->account, judged->address, &judged->wait_s, err);
}

static void explain_wait(struct stet_command *command, struct json_writer *writer) {
    const struct judged *judged = command->module_data;
    if (command->status == STET_TOO_MANY_REQUESTS)
        json_member_u64(writer, VIEW("retry_after"), judged->wait_s);
}

static void release(struct stet_command *command) {
    struct judged *judged = command->module_data;
    stet_view body = command->outcome.body;
    judging_wipe(&judged->judging);
    if (judged->opening == NULL) return;
    sodium_memzero(judged->opening->token, sizeof judged->opening->token);
    if (judged->opening->show_token && body.size > 0)
        sodium_memzero((void *)(uintptr_t)body.bytes, body.size);
}

/* Judged anew, because the record is another one by now. */
static stet_status judge_again(struct stet_command *command, stet_error *err) {
    if (command->hops >= PREPARE_RETRIES_MAX)
        return error_set(err, STET_BUSY, "the user changes too fast");
    command->hop = judge_hop;
    return STET_OK;
}

static void *fill_judged(struct stet_command *command, size_t size, stet_status *status,
                         stet_error *err) {
    struct judged *judged = task_fill(command, size, status, err);
    if (judged == NULL) return NULL;
    command->prepare = prepare_judged;
    command->hop = judge_hop;
    command->judges = true;
    command->release = release;
    command->explain = explain_wait;
    return judged;
}

/* The last step of filling: from here on it is a command. */
static stet_status fill_end(struct stet_command *command, stet_status status) {
    if (status == STET_OK) command->kind = COMMAND_MODULE;
    return status;
}

static stet_status copy_secret(struct arena *arena, stet_view from, stet_view *to,
                               stet_error *err) {
    if (from.size == 0) return STET_OK;
    *to = arena_copy(arena, from);
    return to->bytes == NULL ? out_of_memory(err) : STET_OK;
}

static void count_login(struct people *people, enum login_result result) {
    atomic_fetch_add_explicit(&people->logins[result], 1, memory_order_relaxed);
}

/* ---- Logging in -------------------------------------------------------------------------- */

struct login {
    struct judged judged;
    struct opening opening;
};

static stet_status decide_login(struct people *people, struct staging *staging, struct task *task,
                                const struct module_time *now, stet_error *err) {
    struct login *login = (struct login *)task;
    struct judging *judging = &login->judged.judging;
    struct user_record user;
    struct store_head head;
    bool found;
    (void)now;
    stet_status status = staged_user(staging, judging->user, &found, &head, &user, err);
    if (status != STET_OK) return status;
    if (!judging_holds(judging, &user, found)) return judge_again(staging->command, err);
    if (!found || user.disabled || !judging->fits) {
        count_login(people, LOGIN_REFUSED);
        return error_set(err, STET_LOGIN_FAILED, "the name or the password is not right");
    }
    status = opening_decide(people, staging, &login->opening, judging->user, &user.rights, err);
    if (status == STET_OK && judging->encoded.size > 0) {
        user.password = judging->encoded;
        status = put_user(people, staging, judging->user, &user, err);
    }
    if (status == STET_OK) count_login(people, LOGIN_OK);
    return status;
}

static stet_status answer_login(struct stet_command *command, struct json_writer *writer,
                                stet_error *err) {
    struct login *login = command->module_data;
    (void)err;
    give_attempts(command, login->judged.account, login->judged.address);
    command->outcome.created = true;
    opening_render(command, &login->opening, writer);
    return STET_OK;
}

stet_status people_fill_login(struct stet_command *command, const stet_login *asked,
                              stet_error *err) {
    struct arena *arena = &command->arena;
    stet_status status;
    struct login *login = fill_judged(command, sizeof *login, &status, err);
    if (login == NULL) return status;
    struct judging *judging = &login->judged.judging;
    login->judged.opening = &login->opening;
    login->judged.task.decide = decide_login;
    judging->verifies = judging->renews = true;
    command->answer = answer_login;
    status = user_name(arena, asked->user, "user", &judging->user, err);
    if (status == STET_OK) status = check_password(asked->password, "password", err);
    if (status == STET_OK)
        status = opening_fill(command, &login->opening, asked->name, asked->address,
                              asked->show_token, err);
    if (status == STET_OK) status = copy_secret(arena, asked->password, &judging->password, err);
    login->judged.account = judging->user;
    login->judged.address = login->opening.address;
    return fill_end(command, status);
}

/* ---- Setting a password ------------------------------------------------------------------ */

struct setting {
    struct judged judged;
    stet_view asked; /* The user's name as it was given; empty: the actor. */
    bool own;
    size_t ended;
    struct store_change row;
    struct user_record user;
};

static stet_status prepare_setting(struct stet_command *command, stet_error *err) {
    struct setting *setting = command->module_data;
    struct judging *judging = &setting->judged.judging;
    const stet_actor *actor = &command->actor;
    stet_view self = {0};
    stet_status status = user_name(&command->arena, actor->id, "actor", &self, NULL);
    if (status == STET_NO_MEMORY) return out_of_memory(err);
    judging->user = setting->asked.size > 0 ? setting->asked : self;
    setting->own = self.size > 0 && view_equal(judging->user, self);
    if (!setting->own) {
        status = need_admin(command, "set the passwords of others", err);
        if (status != STET_OK) return status;
    }
    /* Whoever sits down at somebody's screen must not keep their account; whoever has an administrator's token needs no password. */
    judging->verifies = setting->own && (!actor->admin || actor->session.size > 0);
    if (!judging->verifies) return STET_OK;
    setting->judged.account = judging->user;
    return prepare_judged(command, err);
}

static stet_status decide_setting(struct people *people, struct staging *staging, struct task *task,
                                  const struct module_time *now, stet_error *err) {
    struct setting *setting = (struct setting *)task;
    struct judging *judging = &setting->judged.judging;
    struct user_record *user = &setting->user;
    struct store_head head;
    bool found;
    stet_status status = STET_OK;
    if (!setting->own) status = still_admin(staging, "set the passwords of others", err);
    if (status == STET_OK) status = staged_user(staging, judging->user, &found, &head, user, err);
    if (status != STET_OK) return status;
    if (!judging_holds(judging, user, found)) return judge_again(staging->command, err);
    if (!found)
        return error_set(err, STET_NOT_FOUND, "there is no user \"%.*s\"", VIEW_ARG(judging->user));
    if (judging->verifies && (!judging->fits || user->disabled)) {
        count_login(people, LOGIN_REFUSED);
        error_set(err, STET_LOGIN_FAILED, "the old password is not right");
        error_field(err, "old", 0);
        return STET_LOGIN_FAILED;
    }
    user->password = judging->encoded;
    user->password_set_at = now->wall;
    status = put_user(people, staging, judging->user, user, err);
    stet_view keep = setting->own ? staging->command->actor.session : (stet_view){0};
    if (status == STET_OK)
        status = end_sessions(people, staging, judging->user, keep, &setting->ended, err);
    if (status != STET_OK) return status;
    return staging_read(staging, USER_TYPE, judging->user, &head, &setting->row, err);
}

static stet_status answer_setting(struct stet_command *command, struct json_writer *writer,
                                  stet_error *err) {
    struct setting *setting = command->module_data;
    struct created created;
    if (setting->judged.judging.verifies)
        give_attempts(command, setting->judged.account, setting->judged.address);
    stet_status status = client_created(command->client, command->space, &setting->row,
                                        &command->arena, &created, err);
    if (status != STET_OK) return status;
    command->outcome.version = setting->row.version;
    json_object_begin(writer);
    render_user(writer, &setting->row, &created, &setting->user);
    json_member_u64(writer, VIEW("ended"), setting->ended);
    json_object_end(writer);
    return STET_OK;
}

stet_status people_fill_password(struct stet_command *command, const stet_password_change *asked,
                                 stet_error *err) {
    struct arena *arena = &command->arena;
    stet_status status;
    struct setting *setting = fill_judged(command, sizeof *setting, &status, err);
    if (setting == NULL) return status;
    struct judging *judging = &setting->judged.judging;
    setting->judged.task.decide = decide_setting;
    command->prepare = prepare_setting;
    command->answer = answer_setting;
    if (asked->user.size > 0) status = user_name(arena, asked->user, "user", &setting->asked, err);
    if (status == STET_OK) status = check_password(asked->old_password, "old", err);
    if (status == STET_OK) status = check_new_password(asked->new_password, "new", err);
    if (status == STET_OK)
        status = copy_text(arena, asked->address, SESSION_NAME_BYTES_MAX, "address",
                           &setting->judged.address, err);
    if (status == STET_OK)
        status = copy_secret(arena, asked->old_password, &judging->password, err);
    if (status == STET_OK)
        status = copy_secret(arena, asked->new_password, &judging->new_password, err);
    return fill_end(command, status);
}

/* ---- Redeeming a link -------------------------------------------------------------------- */

struct redemption {
    struct judged judged;
    struct opening opening;
    struct secret_hash hash; /* Of the link. */
    stet_view user;          /* As it was asked for; empty: the link's. */
    stet_view name;
};

static stet_status link_invalid(stet_error *err) {
    return error_set(err, STET_LINK_INVALID, "the link was used, was taken back, or is too old");
}

static stet_status check_link(const struct redemption *redemption, bool found,
                              const struct link_record *link, int64_t now, stet_error *err) {
    if (!found || !secret_equal(&redemption->hash, link->hash) || now >= link->expires_at)
        return link_invalid(err);
    if (link->user.size == 0 && redemption->user.size == 0) {
        error_set(err, STET_BAD_REQUEST, "the link leaves it to you to choose a login name");
        error_field(err, "user", 0);
        return STET_BAD_REQUEST;
    }
    if (link->user.size > 0 && redemption->user.size > 0 &&
        !view_equal(link->user, redemption->user)) {
        error_set(err, STET_BAD_REQUEST, "the link is for somebody else");
        error_field(err, "user", 0);
        return STET_BAD_REQUEST;
    }
    return STET_OK;
}

/* A link that is no good is found out before anything dear is done for it. */
static stet_status redeem_hop(struct stet_command *command, struct store_reader *reader,
                              stet_error *err) {
    struct redemption *redemption = command->module_data;
    struct link_record link;
    bool found;
    stet_status status =
        stored_link(reader, &command->arena, secret_id(&redemption->hash), &found, &link, err);
    int64_t now = clock_wall_ns(command->client->engine->clock);
    if (status == STET_OK) status = check_link(redemption, found, &link, now, err);
    return status == STET_OK ? judge(command, reader, &redemption->judged.judging, err) : status;
}

/* Who the link makes, or gives a new password. */
static stet_status redeemed_user(struct people *people, const struct link_record *link,
                                 const struct redemption *redemption, bool found, stet_view id,
                                 struct user_record *user, stet_error *err) {
    if (link->kind == STET_LINK_RESET) {
        if (!found || user->disabled || user->password_set_at != link->password_set_at)
            return link_invalid(err);
        return STET_OK;
    }
    if (found) {
        error_set(err, STET_ALREADY_EXISTS, "there is a user \"%.*s\" already", VIEW_ARG(id));
        error_field(err, "user", 0);
        return STET_ALREADY_EXISTS;
    }
    *user = (struct user_record){.name = redemption->name.size > 0 ? redemption->name : link->name,
                                 .rights = link->rights};
    return check_users(people, err);
}

static stet_status decide_redemption(struct people *people, struct staging *staging,
                                     struct task *task, const struct module_time *now,
                                     stet_error *err) {
    struct redemption *redemption = (struct redemption *)task;
    stet_view link_id = secret_id(&redemption->hash);
    struct link_record link;
    struct user_record user;
    struct store_head head;
    bool found;
    size_t ended;
    stet_status status = staged_link(staging, link_id, &found, &link, err);
    if (status == STET_OK) status = check_link(redemption, found, &link, now->wall, err);
    if (status != STET_OK) return status;
    stet_view id = link.user.size > 0 ? link.user : redemption->user;
    status = staged_user(staging, id, &found, &head, &user, err);
    if (status == STET_OK) status = redeemed_user(people, &link, redemption, found, id, &user, err);
    if (status != STET_OK) return status;
    user.password = redemption->judged.judging.encoded;
    /* Two resets in one instant: the second link must be void all the same. */
    user.password_set_at = now->wall > user.password_set_at ? now->wall : user.password_set_at + 1;
    staging->command->actor = (stet_actor){.id = id};
    status = put_user(people, staging, id, &user, err);
    if (status == STET_OK) status = staging_forget(staging, LINK_TYPE, link_id, err);
    if (status == STET_OK) status = end_sessions(people, staging, id, (stet_view){0}, &ended, err);
    if (status == STET_OK)
        status = opening_decide(people, staging, &redemption->opening, id, &user.rights, err);
    return status;
}

static stet_status answer_redemption(struct stet_command *command, struct json_writer *writer,
                                     stet_error *err) {
    struct redemption *redemption = command->module_data;
    (void)err;
    give_attempts(command, redemption->judged.account, redemption->judged.address);
    command->outcome.created = true;
    opening_render(command, &redemption->opening, writer);
    return STET_OK;
}

stet_status people_fill_link_redeem(struct stet_command *command, const stet_redemption *asked,
                                    stet_error *err) {
    struct arena *arena = &command->arena;
    stet_status status;
    struct redemption *redemption = fill_judged(command, sizeof *redemption, &status, err);
    if (redemption == NULL) return status;
    redemption->judged.opening = &redemption->opening;
    redemption->judged.task.decide = decide_redemption;
    command->hop = redeem_hop;
    command->answer = answer_redemption;
    secret_hash(asked->token, &redemption->hash);
    if (asked->user.size > 0)
        status = new_user_name(arena, asked->user, "user", &redemption->user, err);
    if (status == STET_OK)
        status = copy_text(arena, asked->name, USER_NAME_BYTES_MAX, "name", &redemption->name, err);
    if (status == STET_OK) status = check_new_password(asked->password, "password", err);
    if (status == STET_OK)
        status = opening_fill(command, &redemption->opening, asked->device, asked->address,
                              asked->show_token, err);
    if (status == STET_OK)
        status = copy_secret(arena, asked->password, &redemption->judged.judging.new_password, err);
    redemption->judged.address = redemption->opening.address;
    return fill_end(command, status);
}
