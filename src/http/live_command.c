/*
 * Writes on a live connection, and the reads that presence asks for first. They are done in no particular order and answered as they
 * are; an answer stays in its command until there is room for it.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/live_connection.h"
#include "http/live_frame.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Under way ---- */

static struct live_command *command_create(struct live *live, const struct live_message *message,
                                           stet_error *err) {
    if (live->command_count >= LIVE_COMMANDS_MAX) {
        error_set(err, STET_BUSY, "at most %d messages may be under way on a connection",
                  LIVE_COMMANDS_MAX);
        error_field(err, "/op", LIVE_COMMANDS_MAX);
        return NULL;
    }
    struct live_command *command =
        calloc(1, sizeof *command + message->type.size + message->id_of.size);
    stet_command *inner = command == NULL ? NULL : stet_command_create(live->loop->client);
    if (inner == NULL) {
        free(command);
        error_set(err, STET_NO_MEMORY, "out of memory");
        return NULL;
    }
    command->live = live;
    command->id = message->id;
    command->command = inner;
    if (message->type.size > 0) {
        memcpy(command->bytes, message->type.bytes, message->type.size);
        memcpy(command->bytes + message->type.size, message->id_of.bytes, message->id_of.size);
    }
    command->type = view_make(command->bytes, message->type.size);
    command->id_of = view_make(command->bytes + message->type.size, message->id_of.size);
    return command;
}

static void command_free(struct live_command *command) {
    stet_command_destroy(command->command);
    free(command);
}

static void unlink_command(struct live *live, struct live_command *command) {
    *(command->prev != NULL ? &command->prev->next : &live->commands) = command->next;
    if (command->next != NULL) command->next->prev = command->prev;
}

static void done_later(struct live *live, struct live_command *command) {
    command->next = NULL;
    *(live->done_last != NULL ? &live->done_last->next : &live->done_first) = command;
    live->done_last = command;
}

static void command_done(struct waiter *waiter, stet_command *inner) {
    struct live_command *command = (struct live_command *)waiter;
    struct live *live = command->live;
    (void)inner;
    live->loop->commands--;
    unlink_command(live, command);
    if (live->dead) {
        command_free(command);
    } else {
        done_later(live, command);
        live_wake(live);
    }
    live_settle(live);
}

/* Takes the command over. It is answered in live_commands_fill, at the earliest by the end of this very turn. */
static void submit(struct live *live, struct live_command *command, const stet_actor *actor) {
    stet_error err = {0};
    command->waiter.done = command_done;
    if (stet_submit(live->space, actor, command->command, &command->waiter, &err) != STET_OK) {
        live_refuse(live, command->id, &err, NULL);
        command_free(command);
        return;
    }
    live->command_count++;
    if (stet_command_is_done(command->command)) {
        done_later(live, command);
        return;
    }
    live->loop->commands++;
    live->pending++;
    command->prev = NULL;
    command->next = live->commands;
    if (live->commands != NULL) live->commands->prev = command;
    live->commands = command;
}

void live_commands_drop(struct live *live) {
    while (live->done_first != NULL) {
        struct live_command *command = live->done_first;
        live->done_first = command->next;
        command_free(command);
    }
    live->done_last = NULL;
    for (struct live_command *command = live->commands; command != NULL; command = command->next)
        command->cancelled = true;
}

/* ---- Writes ---- */

/*
 * As a request with the same credential would be: that counts as a use of the session. What came with a ticket, or is no one's, has been
 * checked as far as it can be when the turn began.
 */
static stet_status authenticate(struct live *live, stet_identity *identity,
                                stet_view roles[STET_ROLES_MAX], stet_actor *actor,
                                stet_error *err) {
    *actor = live->actor;
    if (!live->proven) {
        error_set(err, STET_CSRF_REQUIRED,
                  "a write with a cookie needs \"csrf\" in a hello, as the session says it");
        error_field(err, "/csrf", 0);
        return STET_CSRF_REQUIRED;
    }
    if (live->credential.size == 0) return STET_OK;
    stet_status status = stet_authenticate_in(live->loop->client, live->space, live->credential,
                                              STET_USE, identity, err);
    if (status == STET_OK) stet_identity_actor(identity, live->space_name, roles, actor);
    return status;
}

void live_mutate(struct live *live, const struct live_message *message) {
    stet_identity identity;
    stet_view roles[STET_ROLES_MAX];
    stet_actor actor;
    stet_error err = {0};
    struct live_command *command = NULL;
    const stet_write write = {
        .mutations = message->mutations,
        .mutation_count = message->mutation_count,
        .transaction = message->transaction,
        .mutation_key = message->terms.key,
    };
    stet_status status = authenticate(live, &identity, roles, &actor, &err);
    if (status == STET_OK) {
        command = command_create(live, message, &err);
        status = command == NULL ? err.status : stet_command_write(command->command, &write, &err);
    }
    if (status == STET_OK) {
        submit(live, command, &actor);
        return;
    }
    if (command != NULL) command_free(command);
    live_refuse(live, message->id, &err, NULL);
}

static void answer_write(struct live *live, const struct live_command *command) {
    const stet_outcome *outcome = stet_command_outcome(command->command);
    if (outcome->status != STET_OK) {
        stet_error err = outcome->error;
        err.status = outcome->status;
        live_refuse(live, command->id, &err, outcome);
        return;
    }
    const struct live_answer answer = {
        .id = command->id,
        .status = terms_http(outcome),
        .replayed = outcome->replayed,
        .body = outcome->body,
    };
    live_put_answer(live->out, &answer);
}

/* ---- Presence ---- */

void live_present(struct live *live, const struct live_message *message) {
    stet_error err = {0};
    struct live_command *command = command_create(live, message, &err);
    const stet_read read = {.type = message->type, .id = message->id_of};
    if (command != NULL && stet_command_read(command->command, &read, &err) == STET_OK) {
        command->presents = true;
        command->version = message->version;
        submit(live, command, &live->actor);
        return;
    }
    if (command != NULL) command_free(command);
    live_refuse(live, message->id, &err, NULL);
}

static void answer_record(struct live *live, uint64_t id, stet_view address) {
    char body[ADDRESS_BYTES_MAX + 32];
    /* An address is encoded: nothing in it has to be escaped. */
    int size = snprintf(body, sizeof body, "{\"address\":\"%.*s\"}", VIEW_ARG(address));
    live_answer(live, id, 200, view_make(body, (size_t)size));
}

/* They may read it, so they may be seen there. */
static void come(struct live *live, const struct live_command *command) {
    stet_error err = {0};
    struct live_seat *seat = live_seat_get(live, command->type, command->id_of, &err);
    if (seat != NULL && !command->cancelled &&
        live_seat_come(seat, command->version, &err) != STET_OK) {
        live_seat_release(seat);
        seat = NULL;
    }
    if (seat == NULL) {
        live_refuse(live, command->id, &err, NULL);
        return;
    }
    answer_record(live, command->id, seat->address);
    live_seat_release(seat); /* One that is not needed, after all. */
}

static void answer_present(struct live *live, const struct live_command *command) {
    const stet_outcome *outcome = stet_command_outcome(command->command);
    if (outcome->status == STET_OK) {
        come(live, command);
        return;
    }
    stet_error err = outcome->error;
    err.status = outcome->status;
    error_field(&err, "/address", 0);
    live_refuse(live, command->id, &err, outcome);
}

/* Those who are about to come, too: their answer may still be on its way. */
static void cancel_presents(struct live_command *command, const struct live_message *message) {
    for (; command != NULL; command = command->next)
        if (command->presents && view_equal(command->type, message->type) &&
            view_equal(command->id_of, message->id_of))
            command->cancelled = true;
}

void live_absent(struct live *live, const struct live_message *message, struct arena *arena) {
    struct live_seat *seat = live_seat_find(live, message->type, message->id_of);
    stet_view type = percent_encode(arena, message->type);
    stet_view id = percent_encode(arena, message->id_of);
    stet_view address = arena_format(arena, "%.*s/%.*s", VIEW_ARG(type), VIEW_ARG(id));
    stet_error err;
    if (type.bytes == NULL || id.bytes == NULL || address.bytes == NULL) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        live_refuse(live, message->id, &err, NULL);
        return;
    }
    if (address.size > ADDRESS_BYTES_MAX) {
        error_set(&err, STET_BAD_REQUEST, "/address is too long");
        error_field(&err, "/address", ADDRESS_BYTES_MAX);
        live_refuse(live, message->id, &err, NULL);
        return;
    }
    cancel_presents(live->commands, message);
    cancel_presents(live->done_first, message);
    if (seat != NULL) live_seat_go(seat);
    answer_record(live, message->id, address);
}

/* ---- Answers ---- */

void live_commands_fill(struct live *live) {
    while (live->done_first != NULL && live->out->size < LIVE_CHUNK_BYTES) {
        struct live_command *command = live->done_first;
        live->done_first = command->next;
        if (live->done_first == NULL) live->done_last = NULL;
        if (command->presents) {
            answer_present(live, command);
        } else {
            answer_write(live, command);
        }
        command_free(command);
        live->command_count--;
    }
}
