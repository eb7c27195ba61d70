/* Users, sessions and links: who gets in, who stays in, and what is kept of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/people/people_testing.h"

#define TEST(name) static void name(void **state)

/* ---- Logging in -------------------------------------------------------------------------- */

TEST(a_session_stands_for_its_user) {
    (void)state;
    stet_identity identity;
    must(add_user("Ann", "sales"));
    struct answer in = must(log_in("ANN", PASSWORD));
    check_json(in.body, "/user", "\"ann\"");
    check_json(in.body, "/roles", "[\"sales\"]");
    check_json(in.body, "/admin", "false");
    assert_int_equal(identify(text_at(in, "/token"), STET_USE, &identity), STET_OK);
    assert_string_equal(identity.actor, "ann");
    assert_string_equal(identity.roles[0], "sales");
    assert_int_equal(identity.role_count, 1);
    assert_int_equal(identity.scopes, STET_SCOPES_DEFAULT);
    assert_string_equal(identity.session, text_at(in, "/session"));
    assert_string_equal(identity.csrf, text_at(in, "/csrf"));
    assert_string_equal(identity.space, "main");
    assert_false(identity.admin);
}

TEST(what_is_wrong_is_not_told) {
    (void)state;
    must(add_user("ann", NULL));
    must(add_user("bob", NULL));
    must(make_user((stet_user){.id = VIEW("cid")}));
    must(patch_user("bob", "{\"disabled\":true}"));
    struct answer wrong = log_in("ann", "wrong password");
    check_status(wrong, STET_LOGIN_FAILED);
    struct answer others[] = {log_in("nobody", PASSWORD), log_in("bob", PASSWORD),
                              log_in("cid", PASSWORD), log_in("cid", ""), log_in("ann", "")};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        check_status(others[i], STET_LOGIN_FAILED);
        assert_string_equal(others[i].body, wrong.body);
    }
}

TEST(the_token_is_in_the_answer_only_when_asked_for) {
    (void)state;
    must(add_user("ann", NULL));
    struct stet_command *command = fresh();
    stet_login login = {.user = VIEW("ann"), .password = VIEW(PASSWORD)};
    assert_int_equal(people_fill_login(command, &login, NULL), STET_OK);
    fixture_finish(&world.fixture, submitted(command));
    struct answer answer = answer_of(command);
    must(answer);
    check_no_json(answer.body, "/token");
    const char *token = world_text(people_secret(command));
    assert_null(strstr(answer.body, token));
    command_destroy(command);
    assert_int_equal(use(token), STET_OK);
}

static bool is_stored(const char *needle) {
    struct store_reader *reader = store_writer_reader(world.fixture.space->store);
    for (uint64_t seq = 1; seq <= seq_now(); seq++) {
        struct store_change change;
        stet_status status = store_change_at(reader, &world.arena, seq, &change, NULL);
        /* What was let go has no data. */
        if (status == STET_OK && change.data.size > 0 &&
            memmem(change.data.bytes, change.data.size, needle, strlen(needle)) != NULL)
            return true;
    }
    return false;
}

TEST(only_hashes_are_stored) {
    (void)state;
    must(add_user("ann", NULL));
    const char *session = must_log_in("ann");
    const char *link =
        text_at(make_link((stet_link){.kind = STET_LINK_RESET, .user = VIEW("ann")}), "/token");
    assert_false(is_stored(PASSWORD));
    assert_false(is_stored(session + strlen(SESSION_PREFIX)));
    assert_false(is_stored(link + strlen(LINK_PREFIX)));
    assert_true(is_stored("$argon2id$"));
}

TEST(an_old_password_is_not_kept_in_the_history) {
    (void)state;
    must(add_user("ann", NULL));
    struct store_change change;
    struct store_reader *reader = store_writer_reader(world.fixture.space->store);
    assert_int_equal(store_change_at(reader, &world.arena, seq_now(), &change, NULL), STET_OK);
    const char *data = world_text(change.data);
    const char *old = unquoted(json_at(data, "/_password"));
    assert_true(is_stored(old));
    must(set_password("ann", "", "another password"));
    assert_false(is_stored(old));
    check_status(log_in("ann", PASSWORD), STET_LOGIN_FAILED);
    must(log_in("ann", "another password"));
}

static const char *stored_password(const char *id) {
    struct change *head = NULL;
    assert_int_equal(client_head(world.fixture.client, world.fixture.space, VIEW("stet.user"),
                                 view_of(id), &head, NULL),
                     STET_OK);
    const char *password = unquoted(json_at(world_text(head->row.data), "/_password"));
    change_unref(head);
    return password;
}

TEST(a_password_is_kept_with_new_parameters_when_its_user_comes) {
    (void)state;
    must(add_user("ann", NULL));
    const char *token = must_log_in("ann"), *before = stored_password("ann");
    must_log_in("ann");
    assert_string_equal(stored_password("ann"), before);
    world.fixture.engine->seams.password_ops = 2;
    check_status(log_in("ann", "wrong password"), STET_LOGIN_FAILED);
    assert_string_equal(stored_password("ann"), before);
    must_log_in("ann");
    assert_non_null(strstr(before, "t=1,"));
    assert_non_null(strstr(stored_password("ann"), "t=2,"));
    assert_int_equal(use(token), STET_OK);
    must_log_in("ann");
}

TEST(one_wrong_character_is_another_session) {
    (void)state;
    must(add_user("ann", NULL));
    char *token = (char *)(uintptr_t)must_log_in("ann");
    size_t last = strlen(token) - 2;
    token[last] = token[last] == 'x' ? 'y' : 'x';
    assert_int_equal(use(token), STET_UNAUTHENTICATED);
    assert_int_equal(use(SESSION_PREFIX), STET_UNAUTHENTICATED);
    assert_int_equal(use(ADMIN_PREFIX), STET_UNAUTHENTICATED);
}

TEST(bad_requests_name_their_field) {
    (void)state;
    static char long_password[PASSWORD_BYTES_MAX + 1];
    memset(long_password, 'x', sizeof long_password);
    stet_view huge = view_make(long_password, sizeof long_password);
    must(add_user("ann", NULL));
    struct answer refused = login_as((stet_login){.user = VIEW("ann"), .password = huge});
    check_status(refused, STET_TOO_LARGE);
    assert_string_equal(refused.field, "password");
    assert_int_equal(refused.limit, PASSWORD_BYTES_MAX);
    refused = make_user((stet_user){.id = VIEW("b b"), .password = VIEW(PASSWORD)});
    assert_string_equal(refused.field, "id");
    refused = make_user((stet_user){.id = VIEW("bob"), .password = VIEW("short")});
    check_status(refused, STET_INVALID_DATA);
    assert_string_equal(refused.field, "password");
    refused = make_user((stet_user){.id = VIEW("bob"), .email = VIEW("a\nb")});
    assert_string_equal(refused.field, "email");
    refused = patch_user("ann", "{\"roles\":\"x\"}");
    check_status(refused, STET_BAD_REQUEST);
    assert_string_equal(refused.field, "/roles");
    refused = patch_user("ann", "{\"scopes\":[\"everything\"]}");
    assert_string_equal(refused.field, "/scopes");
    refused = patch_user("ann", "{\"scopes\":[]}");
    assert_string_equal(refused.field, "/scopes");
    refused = patch_user("ann", "{\"_password\":\"x\"}");
    check_status(refused, STET_BAD_REQUEST);
    assert_string_equal(refused.field, "/_password");
    refused = make_link((stet_link){.kind = STET_LINK_RESET});
    assert_string_equal(refused.field, "user");
    assert_string_equal(add_user("Stet", "admin").field, "id");
    check_status(add_user("ann", NULL), STET_ALREADY_EXISTS);
    check_status(add_user("ANN", NULL), STET_ALREADY_EXISTS);
}

/* ---- How sessions end -------------------------------------------------------------------- */

TEST(logging_out_ends_one_session_and_not_the_others) {
    (void)state;
    must(add_user("ann", NULL));
    const char *first = must_log_in("ann"), *second = must_log_in("ann");
    become(first);
    check_json(must(end_session("")).body, "/ended", "1");
    assert_int_equal(use(first), STET_SESSION_ENDED);
    assert_int_equal(use(second), STET_OK);
    check_status(end_session(""), STET_SESSION_ENDED);
}

TEST(a_write_in_a_session_that_is_over_is_refused) {
    (void)state;
    must(add_user("ann", NULL));
    become(must_log_in("ann"));
    struct answer before = must(keyed(mutation(STET_OP_CREATE, "1", none, "{}"), "k1"));
    assert_int_equal(before.version, 1);
    world.fixture.actor.admin = true; /* A race: admitted, and logged out before it is decided. */
    stet_mutation late = mutation(STET_OP_CREATE, "2", none, "{}");
    struct stet_command *out = fresh();
    assert_int_equal(people_fill_session_end(out, (stet_view){0}, NULL), STET_OK);
    submitted(out);
    struct stet_command *write = start(&(stet_write){.mutations = &late, .mutation_count = 1});
    must(take(out));
    check_status(take(write), STET_SESSION_ENDED);
    check_status(read_record("2"), STET_NOT_FOUND);
    /* Nor does it learn what became of an earlier one. */
    check_status(keyed(mutation(STET_OP_CREATE, "1", none, "{}"), "k1"), STET_SESSION_ENDED);
}

TEST(an_idle_session_ends_and_a_used_one_goes_on) {
    (void)state;
    must(add_user("ann", NULL));
    const char *idle = must_log_in("ann"), *used = must_log_in("ann");
    for (int hour = 0; hour < 48; hour += 5) {
        assert_int_equal(use(used), STET_OK);
        settle_down();
        pass_s(5 * 3600);
    }
    assert_int_equal(use(idle), STET_SESSION_ENDED);
    assert_int_equal(use(used), STET_OK);
}

TEST(looking_does_not_keep_a_session_from_being_idle) {
    (void)state;
    must(add_user("ann", NULL));
    const char *token = must_log_in("ann");
    for (int hour = 0; hour < 23; hour++) {
        assert_int_equal(look(token), STET_OK);
        pass_s(3600);
    }
    pass_s(3600);
    assert_int_equal(look(token), STET_SESSION_ENDED);
}

TEST(the_end_of_a_session_is_the_end_however_much_it_is_used) {
    (void)state;
    must(add_user("ann", NULL));
    const char *token = must_log_in("ann");
    for (int day = 0; day < 60; day++) {
        assert_int_equal(use(token), STET_OK);
        settle_down();
        pass_s(DAY_S / 2);
    }
    assert_int_equal(use(token), STET_SESSION_ENDED);
}

/* Its version tells how often its use was written down. */
static uint64_t session_version(const char *id) {
    struct change *head = NULL;
    assert_int_equal(client_head(world.fixture.client, world.fixture.space, VIEW("stet.session"),
                                 view_of(id), &head, NULL),
                     STET_OK);
    uint64_t version = head->row.version;
    change_unref(head);
    return version;
}

TEST(use_is_noted_once_in_a_quarter_of_the_idle_time) {
    (void)state;
    must(add_user("ann", NULL));
    struct answer in = must(log_in("ann", PASSWORD));
    const char *token = text_at(in, "/token"), *id = text_at(in, "/session");
    for (int i = 0; i < 50; i++)
        assert_int_equal(use(token), STET_OK);
    settle_down();
    assert_int_equal(session_version(id), 1);
    pass_s(SESSION_IDLE_S / 4);
    for (int i = 0; i < 50; i++)
        assert_int_equal(use(token), STET_OK);
    settle_down();
    assert_int_equal(session_version(id), 2);
    for (int i = 0; i < 50; i++)
        assert_int_equal(use(token), STET_OK);
    settle_down();
    assert_int_equal(session_version(id), 2);
}

TEST(sessions_that_are_over_are_removed) {
    (void)state;
    must(add_user("ann", NULL));
    for (int i = 0; i < 3 * SESSIONS_PER_SWEEP; i++) {
        must_log_in("ann");
        pass_s(100); /* So that attempts are not what ends it. */
    }
    struct people *people = people_of(world.fixture.space);
    assert_int_equal(people->roster.count, 3 * SESSIONS_PER_SWEEP);
    pass_s(2 * SESSION_IDLE_S);
    settle_down();
    assert_int_equal(people->roster.count, 0);
}

TEST(a_user_has_only_so_many_sessions_and_the_oldest_goes) {
    (void)state;
    must(add_user("ann", NULL));
    const char *first = must_log_in("ann"), *second = NULL;
    pass_s(1);
    for (int i = 1; i <= SESSIONS_PER_USER_MAX; i++) {
        const char *token = must_log_in("ann");
        if (i == 1) second = token;
        pass_s(1);
    }
    assert_int_equal(use(first), STET_SESSION_ENDED);
    assert_int_equal(use(second), STET_OK);
    assert_int_equal(people_of(world.fixture.space)->roster.count, SESSIONS_PER_USER_MAX);
}

TEST(ending_all_may_leave_the_own_one) {
    (void)state;
    must(add_user("ann", NULL));
    must(add_user("bob", NULL));
    const char *own = must_log_in("ann"), *other = must_log_in("ann"), *bobs = must_log_in("bob");
    become(own);
    check_json(must(end_all("", true)).body, "/ended", "1");
    assert_int_equal(use(own), STET_OK);
    assert_int_equal(use(other), STET_SESSION_ENDED);
    check_status(end_all("bob", false), STET_FORBIDDEN);
    assert_int_equal(use(bobs), STET_OK);
    check_json(must(end_all("", false)).body, "/ended", "1");
    assert_int_equal(use(own), STET_SESSION_ENDED);
}

TEST(sessions_are_listed_named_and_taken_from_afar) {
    (void)state;
    must(add_user("ann", NULL));
    must(add_user("bob", NULL));
    struct answer in = must(login_as((stet_login){.user = VIEW("ann"),
                                                  .password = VIEW(PASSWORD),
                                                  .name = VIEW("laptop"),
                                                  .address = VIEW("192.0.2.1")}));
    pass_s(1);
    struct answer phone = must(log_in("ann", PASSWORD));
    struct answer bobs = must(log_in("bob", PASSWORD));
    become(text_at(phone, "/token"));
    const char *listed = must(list_sessions("")).body;
    check_json(listed, "/sessions/0/current", "true");
    check_json(listed, "/sessions/1/name", "\"laptop\"");
    check_json(listed, "/sessions/1/address", "\"192.0.2.1\"");
    check_no_json(listed, "/sessions/2");
    assert_null(strstr(listed, "_hash"));
    check_status(list_sessions("bob"), STET_FORBIDDEN);
    check_status(end_session(text_at(bobs, "/session")), STET_NOT_FOUND);
    const char *id = text_at(in, "/session");
    check_json(
        must(ANSWER(people_fill_session_rename(command, view_of(id), VIEW("desk"), &err))).body,
        "/name", "\"desk\"");
    check_json(must(list_sessions("")).body, "/sessions/1/name", "\"desk\"");
    must(end_session(id));
    assert_int_equal(use(text_at(in, "/token")), STET_SESSION_ENDED);
    check_no_json(must(list_sessions("")).body, "/sessions/1");
}

/* ---- Passwords and rights ---------------------------------------------------------------- */

TEST(a_new_password_needs_the_old_one_and_ends_the_other_sessions) {
    (void)state;
    must(add_user("ann", NULL));
    must(add_user("bob", NULL));
    const char *own = must_log_in("ann"), *other = must_log_in("ann");
    become(own);
    check_status(set_password("", "wrong password", "another password"), STET_LOGIN_FAILED);
    check_status(set_password("", "", "another password"), STET_LOGIN_FAILED);
    check_status(set_password("bob", PASSWORD, "another password"), STET_FORBIDDEN);
    check_status(set_password("", PASSWORD, "short"), STET_INVALID_DATA);
    assert_int_equal(use(other), STET_OK);
    struct answer set = must(set_password("", PASSWORD, "another password"));
    check_json(set.body, "/ended", "1");
    check_no_json(set.body, "/_password");
    assert_int_equal(use(own), STET_OK);
    assert_int_equal(use(other), STET_SESSION_ENDED);
}

TEST(an_administrator_sets_any_password_and_ends_all_sessions) {
    (void)state;
    must(add_user("ann", NULL));
    const char *token = must_log_in("ann");
    check_json(must(set_password("ann", "", "another password")).body, "/ended", "1");
    assert_int_equal(use(token), STET_SESSION_ENDED);
    check_status(set_password("nobody", "", "another password"), STET_NOT_FOUND);
}

TEST(who_is_disabled_is_out_at_once) {
    (void)state;
    must(add_user("ann", NULL));
    const char *token = must_log_in("ann");
    check_json(must(patch_user("ann", "{\"disabled\":true}")).body, "/ended", "1");
    assert_int_equal(use(token), STET_SESSION_ENDED);
    check_status(log_in("ann", PASSWORD), STET_LOGIN_FAILED);
    must(patch_user("ann", "{\"disabled\":false}"));
    assert_int_equal(use(token), STET_SESSION_ENDED);
    must_log_in("ann");
}

TEST(new_roles_hold_from_the_next_request_on) {
    (void)state;
    stet_identity identity;
    bool changed;
    must(add_user("ann", "sales"));
    const char *token = must_log_in("ann");
    assert_int_equal(identify(token, STET_USE, &identity), STET_OK);
    assert_int_equal(
        people_check(world.fixture.client, world.fixture.space, &identity, &changed, NULL),
        STET_OK);
    assert_false(changed);
    must(patch_user("ann", "{\"roles\":[\"boss\",\"boss\"],\"scopes\":[\"read\",\"operate\"]}"));
    assert_int_equal(
        people_check(world.fixture.client, world.fixture.space, &identity, &changed, NULL),
        STET_OK);
    assert_true(changed);
    assert_int_equal(identify(token, STET_USE, &identity), STET_OK);
    assert_int_equal(identity.role_count, 1);
    assert_string_equal(identity.roles[0], "boss");
    assert_int_equal(identity.scopes, STET_SCOPE_READ | STET_SCOPE_OPERATE);
    must(patch_user("ann", "{\"roles\":null}"));
    assert_int_equal(identify(token, STET_USE, &identity), STET_OK);
    assert_int_equal(identity.role_count, 0);
}

TEST(people_change_their_own_name_and_nothing_else) {
    (void)state;
    must(add_user("ann", "sales"));
    must(add_user("bob", NULL));
    become(must_log_in("ann"));
    check_json(must(patch_user("ann", "{\"name\":\"Ann A.\",\"email\":\"a@example.org\"}")).body,
               "/name", "\"Ann A.\"");
    check_status(patch_user("ann", "{\"roles\":[\"admin\"]}"), STET_FORBIDDEN);
    check_status(patch_user("bob", "{\"name\":\"x\"}"), STET_FORBIDDEN);
    check_status(add_user("eve", NULL), STET_FORBIDDEN);
    check_status(get_user("bob"), STET_FORBIDDEN);
    check_status(ANSWER(people_fill_user_list(command, (stet_view){0}, 0, &err)), STET_FORBIDDEN);
    check_status(ANSWER(people_fill_link_list(command, &err)), STET_FORBIDDEN);
    check_status(make_link((stet_link){.name = VIEW("x")}), STET_FORBIDDEN);
    struct answer own = must(get_user(""));
    check_json(own.body, "/email", "\"a@example.org\"");
    check_json(own.body, "/has_password", "true");
    assert_null(strstr(own.body, "argon2"));
}

TEST(an_administrator_does_not_lock_themself_out) {
    (void)state;
    must(add_user("root", "admin"));
    must(add_user("boss", "admin"));
    const char *root = must_log_in("root"), *boss = must_log_in("boss");
    become(root);
    assert_true(world.fixture.actor.admin);
    check_status(patch_user("root", "{\"roles\":[]}"), STET_FORBIDDEN);
    check_status(patch_user("root", "{\"disabled\":true}"), STET_FORBIDDEN);
    /* Two who demote one another at once: the second is none any more. */
    must(patch_user("boss", "{\"roles\":[]}"));
    world.fixture.actor = (stet_actor){.id = VIEW("boss"), .admin = true};
    stet_identity identity;
    assert_int_equal(identify(boss, STET_USE, &identity), STET_OK);
    world.fixture.actor.session = view_of(identity.session);
    check_status(patch_user("root", "{\"roles\":[]}"), STET_FORBIDDEN);
}

TEST(a_patch_may_name_its_version) {
    (void)state;
    must(add_user("ann", NULL));
    must(patch_user("ann", "{\"name\":\"A\"}"));
    struct answer stale =
        ANSWER(people_fill_user_patch(command, VIEW("ann"), VIEW("{\"name\":\"B\"}"), at(1), &err));
    check_status(stale, STET_CONCURRENT_MODIFICATION);
    check_json(stale.body, "/current_version", "2");
    must(ANSWER(
        people_fill_user_patch(command, VIEW("ann"), VIEW("{\"name\":\"B\"}"), at(2), &err)));
}

TEST(users_are_listed_by_name_in_pages) {
    (void)state;
    must(add_user("bob", NULL));
    must(add_user("ann", NULL));
    must(add_user("cid", NULL));
    struct answer page = must(ANSWER(people_fill_user_list(command, (stet_view){0}, 2, &err)));
    check_json(page.body, "/users/0/id", "\"ann\"");
    check_json(page.body, "/users/1/id", "\"bob\"");
    check_json(page.body, "/next", "\"bob\"");
    page = must(ANSWER(people_fill_user_list(command, VIEW("bob"), 2, &err)));
    check_json(page.body, "/users/0/id", "\"cid\"");
    check_no_json(page.body, "/next");
    assert_null(strstr(page.body, "argon2"));
}

TEST(system_records_are_neither_read_nor_written_as_records) {
    (void)state;
    must(add_user("ann", NULL));
    struct stet_command *command = fresh();
    command->kind = COMMAND_READ;
    command->read = (stet_read){.type = VIEW("stet.user"), .id = VIEW("ann")};
    struct answer read = take(submitted(command));
    assert_int_not_equal(read.status, STET_OK);
    assert_null(strstr(read.body, "argon2"));
    const char *types[] = {"stet.user", "stet.session", "stet.link"};
    for (size_t i = 0; i < 3; i++) {
        stet_mutation write = {.op = STET_OP_PUT,
                               .type = view_of(types[i]),
                               .id = VIEW("eve"),
                               .body = VIEW("{\"roles\":[\"admin\"]}")};
        check_status(apply_one(write), STET_SYSTEM_TYPE);
    }
}

/* ---- Attempts ---------------------------------------------------------------------------- */

TEST(attempts_at_an_account_are_limited) {
    (void)state;
    must(add_user("ann", NULL));
    must(add_user("bob", NULL));
    const char *token = must_log_in("ann");
    for (int i = 0; i < LOGIN_ATTEMPTS_ACCOUNT; i++)
        check_status(log_in("ann", "wrong password"), STET_LOGIN_FAILED);
    struct answer limited = log_in("Ann", PASSWORD);
    check_status(limited, STET_TOO_MANY_REQUESTS);
    check_json(limited.body, "/retry_after", "90");
    must_log_in("bob");
    assert_int_equal(use(token), STET_OK);
    pass_s(90);
    must_log_in("ann");
}

TEST(attempts_at_nobody_are_limited_like_others) {
    (void)state;
    for (int i = 0; i < LOGIN_ATTEMPTS_ACCOUNT; i++)
        check_status(log_in("nobody", PASSWORD), STET_LOGIN_FAILED);
    check_status(log_in("nobody", PASSWORD), STET_TOO_MANY_REQUESTS);
}

static struct answer log_in_from(const char *user, const char *address) {
    return login_as((stet_login){
        .user = view_of(user), .password = VIEW("wrong password"), .address = view_of(address)});
}

TEST(attempts_from_an_address_are_limited) {
    (void)state;
    char name[16], address[64];
    for (int i = 0; i < LOGIN_ATTEMPTS_ADDRESS; i++) {
        snprintf(name, sizeof name, "user-%d", i);
        snprintf(address, sizeof address, "2001:db8::%x", i + 1);
        check_status(log_in_from(name, address), STET_LOGIN_FAILED);
    }
    /* Whoever has one address of a network has all of it. */
    check_status(log_in_from("another", "2001:db8::ffff"), STET_TOO_MANY_REQUESTS);
    check_status(log_in_from("another", "2001:db8:0:1::1"), STET_LOGIN_FAILED);
}

TEST(who_gets_in_has_lost_no_attempt) {
    (void)state;
    must(add_user("ann", NULL));
    for (int i = 0; i < 3 * LOGIN_ATTEMPTS_ACCOUNT; i++)
        must_log_in("ann");
}

TEST(the_old_password_cannot_be_guessed_either) {
    (void)state;
    must(add_user("ann", NULL));
    become(must_log_in("ann"));
    for (int i = 0; i < LOGIN_ATTEMPTS_ACCOUNT; i++)
        check_status(set_password("", "wrong password", "another password"), STET_LOGIN_FAILED);
    check_status(set_password("", PASSWORD, "another password"), STET_TOO_MANY_REQUESTS);
}

/* ---- Links ------------------------------------------------------------------------------- */

TEST(an_invitation_makes_a_user_once) {
    (void)state;
    stet_view roles[] = {VIEW("sales")};
    struct answer made =
        must(make_link((stet_link){.name = VIEW("for Ann"), .roles = roles, .role_count = 1}));
    const char *token = text_at(made, "/token");
    check_status(redeem(token, "", PASSWORD), STET_BAD_REQUEST);
    check_status(redeem(token, "ann", "short"), STET_INVALID_DATA);
    struct answer in = must(redeem(token, "Ann", PASSWORD));
    check_json(in.body, "/user", "\"ann\"");
    check_json(in.body, "/roles", "[\"sales\"]");
    assert_int_equal(use(text_at(in, "/token")), STET_OK);
    check_status(redeem(token, "bob", PASSWORD), STET_LINK_INVALID);
    must_log_in("ann");
    check_no_json(must(ANSWER(people_fill_link_list(command, &err))).body, "/links/0");
}

TEST(a_taken_name_leaves_the_invitation_good) {
    (void)state;
    must(add_user("ann", NULL));
    const char *token = text_at(make_link((stet_link){0}), "/token");
    check_status(redeem(token, "ann", PASSWORD), STET_ALREADY_EXISTS);
    must(redeem(token, "ann2", PASSWORD));
}

static struct stet_command *redeeming(const char *token, const char *user) {
    struct stet_command *command = fresh();
    stet_redemption redemption = {
        .token = view_of(token), .user = view_of(user), .password = VIEW(PASSWORD)};
    assert_int_equal(people_fill_link_redeem(command, &redemption, NULL), STET_OK);
    return submitted(command);
}

TEST(of_two_who_use_a_link_at_once_one_wins) {
    (void)state;
    const char *token = text_at(make_link((stet_link){0}), "/token");
    struct stet_command *ann = redeeming(token, "ann"), *bob = redeeming(token, "bob");
    must(take(ann));
    check_status(take(bob), STET_LINK_INVALID);
    check_status(get_user("bob"), STET_NOT_FOUND);
}

TEST(a_reset_ends_all_sessions_and_other_resets) {
    (void)state;
    must(add_user("ann", NULL));
    const char *session = must_log_in("ann");
    stet_link reset = {.kind = STET_LINK_RESET, .user = VIEW("ann")};
    const char *first = text_at(make_link(reset), "/token");
    const char *second = text_at(make_link(reset), "/token");
    check_status(redeem(first, "bob", "another password"), STET_BAD_REQUEST);
    must(redeem(first, "", "another password"));
    assert_int_equal(use(session), STET_SESSION_ENDED);
    check_status(log_in("ann", PASSWORD), STET_LOGIN_FAILED);
    check_status(redeem(second, "", PASSWORD), STET_LINK_INVALID);
    must(log_in("ann", "another password"));
}

TEST(links_grow_old_are_taken_back_and_replaced) {
    (void)state;
    stet_link invite = {.name = VIEW("first administrator"), .expires_s = 100, .replace = true};
    const char *old = text_at(make_link(invite), "/token");
    struct answer made = must(make_link(invite));
    check_status(redeem(old, "ann", PASSWORD), STET_LINK_INVALID);
    const char *id = text_at(made, "/id");
    must(ANSWER(people_fill_link_revoke(command, view_of(id), &err)));
    check_status(redeem(text_at(made, "/token"), "ann", PASSWORD), STET_LINK_INVALID);
    const char *aging = text_at(make_link(invite), "/token");
    pass_s(100);
    check_status(redeem(aging, "ann", PASSWORD), STET_LINK_INVALID);
    settle_down();
    assert_int_equal(people_of(world.fixture.space)->roster.link_count, 0);
    check_status(make_link((stet_link){.expires_s = LINK_TTL_S_MAX + 1}), STET_BAD_REQUEST);
}

/* ---- Spaces ------------------------------------------------------------------------------ */

TEST(a_session_is_of_one_space) {
    (void)state;
    struct space *home = NULL;
    stet_identity identity;
    must(add_user("ann", "admin"));
    const char *token = must_log_in("ann");
    assert_int_equal(engine_space(world.fixture.engine, VIEW("stet"), &home, NULL), STET_OK);
    assert_int_equal(
        people_identify(world.fixture.client, home, view_of(token), STET_USE, &identity, NULL),
        STET_UNAUTHENTICATED);
    assert_int_equal(
        people_identify(world.fixture.client, NULL, view_of(token), STET_USE, &identity, NULL),
        STET_UNAUTHENTICATED);
    space_unref(home);
}

TEST(the_servers_administrators_are_known_everywhere_and_its_other_people_are_not) {
    (void)state;
    struct space *main_space = NULL;
    stet_identity identity;
    bool any = true;
    assert_int_equal(people_any_admin(world.fixture.client, &any, NULL), STET_OK);
    assert_false(any);
    must(add_user("root", "admin"));
    must(add_user("guest", NULL));
    assert_int_equal(people_any_admin(world.fixture.client, &any, NULL), STET_OK);
    assert_true(any);
    const char *root = must_log_in("root"), *guest = must_log_in("guest");
    assert_int_equal(engine_space(world.fixture.engine, VIEW("main"), &main_space, NULL), STET_OK);
    assert_int_equal(
        people_identify(world.fixture.client, main_space, view_of(root), STET_USE, &identity, NULL),
        STET_OK);
    assert_true(identity.admin);
    assert_string_equal(identity.space, "stet");
    assert_int_equal(people_identify(world.fixture.client, main_space, view_of(guest), STET_USE,
                                     &identity, NULL),
                     STET_UNAUTHENTICATED);
    assert_int_equal(use(guest), STET_OK);
    must(patch_user("root", "{\"roles\":[]}"));
    assert_int_equal(people_check(world.fixture.client, main_space, &identity, NULL, NULL),
                     STET_UNAUTHENTICATED);
    space_unref(main_space);
}

/* ---- Tickets ----------------------------------------------------------------------------- */

TEST(a_ticket_is_good_once_and_for_a_while) {
    (void)state;
    stet_identity identity, other;
    stet_ticket ticket, late;
    struct stet_client *client = world.fixture.client;
    struct space *space = world.fixture.space, *home = world.fixture.engine->home;
    must(add_user("ann", NULL));
    assert_int_equal(identify(must_log_in("ann"), STET_USE, &identity), STET_OK);
    assert_int_equal(people_ticket_create(client, space, &identity, &ticket, NULL), STET_OK);
    assert_int_equal(people_ticket_create(client, space, &identity, &late, NULL), STET_OK);
    assert_int_equal(people_ticket_redeem(client, home, view_of(ticket.text), &other, NULL),
                     STET_UNAUTHENTICATED);
    assert_int_equal(people_ticket_redeem(client, space, view_of(ticket.text), &other, NULL),
                     STET_OK);
    assert_string_equal(other.actor, "ann");
    assert_string_equal(other.session, identity.session);
    assert_int_equal(people_ticket_redeem(client, space, view_of(ticket.text), &other, NULL),
                     STET_UNAUTHENTICATED);
    pass_s(TICKET_TTL_S);
    assert_int_equal(people_ticket_redeem(client, space, view_of(late.text), &other, NULL),
                     STET_UNAUTHENTICATED);
}

TEST(nobody_hoards_tickets) {
    (void)state;
    stet_identity ann = {.actor = "ann"}, bob = {.actor = "bob"};
    stet_ticket ticket;
    struct stet_client *client = world.fixture.client;
    struct space *space = world.fixture.space;
    for (int i = 0; i < TICKETS_PER_ACTOR_MAX; i++)
        assert_int_equal(people_ticket_create(client, space, &ann, &ticket, NULL), STET_OK);
    assert_int_equal(people_ticket_create(client, space, &ann, &ticket, NULL),
                     STET_TOO_MANY_REQUESTS);
    assert_int_equal(people_ticket_create(client, space, &bob, &ticket, NULL), STET_OK);
    pass_s(TICKET_TTL_S);
    assert_int_equal(people_ticket_create(client, space, &ann, &ticket, NULL), STET_OK);
}

#define PEOPLE(test) cmocka_unit_test_setup_teardown(test, people_world, world_close)
#define HOME(test) cmocka_unit_test_setup_teardown(test, people_home, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        PEOPLE(a_session_stands_for_its_user),
        PEOPLE(what_is_wrong_is_not_told),
        PEOPLE(the_token_is_in_the_answer_only_when_asked_for),
        PEOPLE(only_hashes_are_stored),
        PEOPLE(an_old_password_is_not_kept_in_the_history),
        PEOPLE(a_password_is_kept_with_new_parameters_when_its_user_comes),
        PEOPLE(one_wrong_character_is_another_session),
        PEOPLE(bad_requests_name_their_field),
        PEOPLE(logging_out_ends_one_session_and_not_the_others),
        PEOPLE(a_write_in_a_session_that_is_over_is_refused),
        PEOPLE(an_idle_session_ends_and_a_used_one_goes_on),
        PEOPLE(looking_does_not_keep_a_session_from_being_idle),
        PEOPLE(the_end_of_a_session_is_the_end_however_much_it_is_used),
        PEOPLE(use_is_noted_once_in_a_quarter_of_the_idle_time),
        PEOPLE(sessions_that_are_over_are_removed),
        PEOPLE(a_user_has_only_so_many_sessions_and_the_oldest_goes),
        PEOPLE(ending_all_may_leave_the_own_one),
        PEOPLE(sessions_are_listed_named_and_taken_from_afar),
        PEOPLE(a_new_password_needs_the_old_one_and_ends_the_other_sessions),
        PEOPLE(an_administrator_sets_any_password_and_ends_all_sessions),
        PEOPLE(who_is_disabled_is_out_at_once),
        PEOPLE(new_roles_hold_from_the_next_request_on),
        PEOPLE(people_change_their_own_name_and_nothing_else),
        PEOPLE(an_administrator_does_not_lock_themself_out),
        PEOPLE(a_patch_may_name_its_version),
        PEOPLE(users_are_listed_by_name_in_pages),
        PEOPLE(system_records_are_neither_read_nor_written_as_records),
        PEOPLE(attempts_at_an_account_are_limited),
        PEOPLE(attempts_at_nobody_are_limited_like_others),
        PEOPLE(attempts_from_an_address_are_limited),
        PEOPLE(who_gets_in_has_lost_no_attempt),
        PEOPLE(the_old_password_cannot_be_guessed_either),
        PEOPLE(an_invitation_makes_a_user_once),
        PEOPLE(a_taken_name_leaves_the_invitation_good),
        PEOPLE(of_two_who_use_a_link_at_once_one_wins),
        PEOPLE(a_reset_ends_all_sessions_and_other_resets),
        PEOPLE(links_grow_old_are_taken_back_and_replaced),
        PEOPLE(a_session_is_of_one_space),
        HOME(the_servers_administrators_are_known_everywhere_and_its_other_people_are_not),
        PEOPLE(a_ticket_is_good_once_and_for_a_while),
        PEOPLE(nobody_hoards_tickets),
    };
    return cmocka_run_group_tests_name("people", tests, NULL, NULL);
}
