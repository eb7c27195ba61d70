/*
 * What the files of this folder share: the module's state in one space, that of the engine, and the tasks its commands stand for.
 */
#ifndef MODULES_PEOPLE_INTERNAL_H
#define MODULES_PEOPLE_INTERNAL_H

#include "core/staging.h"
#include "modules/people/attempts.h"
#include "modules/people/people.h"
#include "modules/people/record.h"
#include "modules/people/roster.h"
#include "modules/people/tickets.h"

#define SYSTEM_ACTOR VIEW("stet")
enum { ENCODED_BYTES = 128 }; /* Of a password as libsodium writes it. */

/* Of the engine: what all spaces have together. Made when the first space is opened. */
struct crowd {
    struct attempts *attempts;
    struct tickets *tickets;
    pthread_mutex_t lock; /* Of what is below. */
    /* A password nobody has, judged where there is none to judge, so that it takes as long. */
    char dummy[ENCODED_BYTES];
};

enum login_result { LOGIN_OK, LOGIN_REFUSED, LOGIN_LIMITED, LOGIN_RESULTS };

struct people {
    struct space *space;
    struct roster roster;
    int64_t sweep_at;                       /* Monotonic: when to look for what is over. */
    int64_t notes_at;                       /* And not before then for what is to be noted. */
    _Atomic uint64_t logins[LOGIN_RESULTS]; /* For metrics. */
};

/* The state in a space; any thread, for what has a lock of its own. NULL: the module is not there. */
struct people *people_of(struct space *space);
struct crowd *crowd_of(const stet_engine *engine);

/* What a command of this module wants. Stands first in what module_data points at. */
struct task {
    stet_status (*decide)(struct people *people, struct staging *staging, struct task *task,
                          const struct module_time *now, stet_error *err);
    const char *secret; /* What stet_command_secret shows; NULL: nothing. */
};

/* Gives an empty command a task of `size` bytes, zeroed. NULL: *status says why. */
void *task_fill(struct stet_command *command, size_t size, stet_status *status, stet_error *err);

stet_status out_of_memory(stet_error *err);
stet_status need_admin(const struct stet_command *command, const char *what, stet_error *err);

/* A live record of a type: *found false where there is none. Views in the command's arena. */
stet_status staged_user(struct staging *staging, stet_view id, bool *found, struct store_head *head,
                        struct user_record *user, stet_error *err);
stet_status staged_session(struct staging *staging, stet_view id, bool *found,
                           struct store_head *head, struct session_record *session,
                           stet_error *err);
stet_status staged_link(struct staging *staging, stet_view id, bool *found,
                        struct link_record *link, stet_error *err);

/* The same of what is stored, on a worker. */
stet_status stored_user(struct store_reader *reader, struct arena *arena, stet_view id, bool *found,
                        struct store_change *row, struct user_record *user, stet_error *err);
stet_status stored_link(struct store_reader *reader, struct arena *arena, stet_view id, bool *found,
                        struct link_record *link, stet_error *err);

/* Stage a record, and let the version before it go: what it said is nobody's business any more, least of all an old password. */
stet_status put_user(struct people *people, struct staging *staging, stet_view id,
                     const struct user_record *user, stet_error *err);
stet_status put_session(struct people *people, struct staging *staging, stet_view id,
                        const struct session_record *session, stet_error *err);
stet_status put_link(struct people *people, struct staging *staging, stet_view id,
                     const struct link_record *link, stet_error *err);

/* Ends the sessions of a user but the one with the id `keep` (empty: all of them). *ended: how many. */
stet_status end_sessions(struct people *people, struct staging *staging, stet_view user,
                         stet_view keep, size_t *ended, stet_error *err);

/* ---- Passwords: passwords.c -------------------------------------------------------------- */

/* One judging of passwords: on threads of its own, before the sequencer decides. Texts in the command's arena. */
struct judging {
    stet_view user; /* Whose. */
    bool verifies;  /* `password` is to be theirs. */
    bool
        renews; /* If it is, and was made with other parameters than are asked for now, it is encoded anew. */
    stet_view password;     /* To be verified. */
    stet_view new_password; /* To be set; empty: none. */
    /* Found: what it was compared with, empty where there was none; whether it fits; the new one as it is to be kept. */
    stet_view stored;
    bool fits;
    stet_view encoded;
};

/* STET_INVALID_DATA, STET_TOO_LARGE: how long a new password may be; and one that is to be compared. */
stet_status check_new_password(stet_view password, const char *field, stet_error *err);
stet_status check_password(stet_view password, const char *field, stet_error *err);
/* The hop of a command with a judging: judging_of finds it. */
stet_status judge(struct stet_command *command, struct store_reader *reader,
                  struct judging *judging, stet_error *err);
/* Whether what was found still holds for the user as they are now; else the command is to be judged again (command->hop). */
bool judging_holds(const struct judging *judging, const struct user_record *user, bool found);
void judging_wipe(struct judging *judging);

/* Takes attempts of an account (empty: none) and of an address. STET_TOO_MANY_REQUESTS: *wait_s says how long. */
stet_status take_attempts(struct stet_command *command, stet_view account, stet_view address,
                          uint64_t *wait_s, stet_error *err);
void give_attempts(struct stet_command *command, stet_view account, stet_view address);

/* ---- New sessions: login.c --------------------------------------------------------------- */

/* A session that a command opens, and its answer. */
struct opening {
    char token[SECRET_TEXT_BYTES];
    struct secret_hash hash;
    stet_view name, address;
    bool show_token;
    /* Decided. */
    stet_view user;
    struct rights rights;
    struct session_record record;
};

stet_status opening_fill(struct stet_command *command, struct opening *opening, stet_view name,
                         stet_view address, bool show_token, stet_error *err);
/* Stages the session; the command's changes are made by the user from then on. */
stet_status opening_decide(struct people *people, struct staging *staging, struct opening *opening,
                           stet_view user, const struct rights *rights, stet_error *err);
void opening_render(struct stet_command *command, const struct opening *opening,
                    struct json_writer *writer);

/* ---- Users: users.c ---------------------------------------------------------------------- */

/*
 * As need_admin, on the sequencer: an administrator who acts in a session of this space is one as long as their own record says so. It may have
 * changed since they came in.
 */
stet_status still_admin(struct staging *staging, const char *what, stet_error *err);
/* Whether one more user is too many. */
stet_status check_users(const struct people *people, stet_error *err);
/* {"id", "version", …}: a user as answers show them. The members only. */
void render_user(struct json_writer *writer, const struct store_change *row,
                 const struct created *created, const struct user_record *user);

/* The proof that a cookie's writes bring along; at most 64 bytes, NUL-terminated. identify.c */
void csrf_of(const struct space *space, stet_view session, char csrf[65]);

#endif
