/*
 * For the tests of this folder: people in a word. Everything asserts; include it after cmocka.h. Texts live until the world closes.
 */
#ifndef MODULES_PEOPLE_PEOPLE_TESTING_H
#define MODULES_PEOPLE_PEOPLE_TESTING_H

#include "core/write_fixture.h"
#include "modules/people/internal.h"
#include "modules/people/people.h"

#define PASSWORD "correct horse"
#define DAY_S (24 * 3600)

static const struct module *const people_modules[] = {&people_module, NULL};

static inline int people_world(void **state) {
    (void)state;
    world_open_with(people_modules, NULL);
    return 0;
}

/* In the space of the server's own people. */
static inline int people_home(void **state) {
    (void)state;
    world_open_with(people_modules, NULL);
    space_unref(world.fixture.space);
    return engine_space(world.fixture.engine, VIEW("stet"), &world.fixture.space, NULL);
}

static inline struct stet_command *fresh(void) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_non_null(command);
    return command;
}

/* What came of filling a command, and if that went well of the command. */
static inline struct answer outcome(struct stet_command *command, stet_status filled,
                                    const stet_error *err) {
    if (filled == STET_OK) return take(submitted(command));
    command_destroy(command);
    return (struct answer){.status = filled,
                           .body = "",
                           .message = world_text(view_of(err->message)),
                           .field = world_text(view_of(err->field)),
                           .limit = err->limit};
}

#define ANSWER(call)                                                                               \
    ({                                                                                             \
        struct stet_command *command = fresh();                                                    \
        stet_error err = {0};                                                                      \
        stet_status filled = (call);                                                               \
        outcome(command, filled, &err);                                                            \
    })

static inline const char *unquoted(const char *json) {
    assert_non_null(json);
    return world_text(view_make(json + 1, strlen(json) - 2));
}
static inline const char *text_at(struct answer answer, const char *pointer) {
    return unquoted(json_at(must(answer).body, pointer));
}

/* ---- Doing ------------------------------------------------------------------------------- */

static inline struct answer make_user(stet_user user) {
    return ANSWER(people_fill_user_create(command, &user, &err));
}
static inline struct answer add_user(const char *id, const char *role) {
    stet_view roles[] = {view_of(role)};
    return make_user((stet_user){.id = view_of(id),
                                 .roles = roles,
                                 .role_count = role == NULL ? 0 : 1,
                                 .password = VIEW(PASSWORD)});
}
static inline struct answer login_as(stet_login login) {
    login.show_token = true;
    return ANSWER(people_fill_login(command, &login, &err));
}
static inline struct answer log_in(const char *user, const char *password) {
    return login_as((stet_login){.user = view_of(user), .password = view_of(password)});
}
static inline const char *must_log_in(const char *user) {
    return text_at(log_in(user, PASSWORD), "/token");
}
static inline struct answer patch_user(const char *id, const char *patch) {
    return ANSWER(people_fill_user_patch(command, view_of(id), view_of(patch), none, &err));
}
static inline struct answer get_user(const char *id) {
    return ANSWER(people_fill_user_get(command, view_of(id), &err));
}
static inline struct answer set_password(const char *user, const char *old, const char *new) {
    stet_password_change change = {
        .user = view_of(user), .old_password = view_of(old), .new_password = view_of(new)};
    return ANSWER(people_fill_password(command, &change, &err));
}
static inline struct answer end_session(const char *id) {
    return ANSWER(people_fill_session_end(command, view_of(id), &err));
}
static inline struct answer end_all(const char *user, bool keep_own) {
    return ANSWER(people_fill_session_end_all(command, view_of(user), keep_own, &err));
}
static inline struct answer list_sessions(const char *user) {
    return ANSWER(people_fill_session_list(command, view_of(user), &err));
}
static inline struct answer make_link(stet_link link) {
    return ANSWER(people_fill_link_create(command, &link, &err));
}
static inline struct answer redeem(const char *token, const char *user, const char *password) {
    stet_redemption redemption = {.token = view_of(token),
                                  .user = view_of(user),
                                  .password = view_of(password),
                                  .show_token = true};
    return ANSWER(people_fill_link_redeem(command, &redemption, &err));
}

/* ---- Being ------------------------------------------------------------------------------- */

static inline stet_status identify(const char *token, stet_use use, stet_identity *identity) {
    return people_identify(world.fixture.client, world.fixture.space, view_of(token), use, identity,
                           NULL);
}
static inline stet_status use(const char *token) {
    stet_identity identity;
    return identify(token, STET_USE, &identity);
}
static inline stet_status look(const char *token) {
    stet_identity identity;
    return identify(token, STET_LOOK, &identity);
}

/* From here on, whoever the token stands for. */
static inline void become(const char *token) {
    static stet_identity identity;
    static stet_view roles[STET_ROLES_MAX];
    assert_int_equal(identify(token, STET_USE, &identity), STET_OK);
    for (unsigned i = 0; i < identity.role_count; i++)
        roles[i] = view_of(identity.roles[i]);
    world.fixture.actor = (stet_actor){.id = view_of(identity.actor),
                                       .admin = identity.admin,
                                       .scopes = identity.scopes,
                                       .roles = roles,
                                       .role_count = identity.role_count,
                                       .session = view_of(identity.session)};
}

/* What is in the background is done. */
static inline void settle_down(void) {
    while (engine_step(world.fixture.engine))
        ;
}
static inline void pass_s(int64_t seconds) {
    clock_manual_advance(&world.clock, seconds * CLOCK_NS_PER_S);
}

#endif
