/* Tokens: shown once, kept as a hash, good until they expire, are revoked or replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/write_fixture.h"
#include "modules/auth/auth.h"

#define TEST(name) static void name(void **state)

static const struct module *const modules[] = {&auth_module, NULL};

static int setup(void **state) {
    (void)state;
    world_open_with(modules, NULL);
    space_unref(world.fixture.space);
    return engine_space(world.fixture.engine, VIEW("stet"), &world.fixture.space, NULL);
}

static struct answer create(stet_token_request request) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    stet_status status = auth_fill_create(command, &request, &err);
    if (status == STET_OK) return take(submitted(command));
    command_destroy(command);
    return (struct answer){
        .status = status, .body = "", .message = "", .field = world_text(view_of(err.field))};
}

static struct answer revoke(const char *id) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_int_equal(auth_fill_revoke(command, view_of(id), NULL), STET_OK);
    return take(submitted(command));
}

static struct answer list(void) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_int_equal(auth_fill_list(command, NULL), STET_OK);
    return take(submitted(command));
}

static const char *unquoted(const char *json) {
    assert_non_null(json);
    return world_text(view_make(json + 1, strlen(json) - 2));
}

static const char *must_token(stet_token_request request) {
    return unquoted(json_at(must(create(request)).body, "/token"));
}

static const stet_token_request bobs = {.actor = {.bytes = "bob", .size = 3},
                                        .name = {.bytes = "laptop", .size = 6}};

static stet_status identify(const char *token, stet_identity *identity) {
    return auth_identify(world.fixture.client, view_of(token), identity, NULL);
}

TEST(a_token_stands_for_its_actor) {
    (void)state;
    stet_identity identity;
    assert_int_equal(identify(must_token(bobs), &identity), STET_OK);
    assert_string_equal(identity.actor, "bob");
    assert_false(identity.admin);
    stet_token_request admin = {.actor = VIEW("root"), .admin = true};
    assert_int_equal(identify(must_token(admin), &identity), STET_OK);
    assert_true(identity.admin);
}

TEST(a_token_is_shown_once_and_only_its_hash_is_kept) {
    (void)state;
    struct answer made = must(create(bobs));
    const char *token = unquoted(json_at(made.body, "/token"));
    check_json(made.body, "/actor", "\"bob\"");
    check_no_json(made.body, "/_hash");
    const char *listed = must(list()).body;
    assert_null(strstr(listed, token));
    assert_null(strstr(listed, "hash"));
    check_json(listed, "/tokens/0/name", "\"laptop\"");
    struct store_reader *reader = store_writer_reader(world.fixture.space->store);
    struct store_change change;
    assert_int_equal(store_change_at(reader, &world.arena, 1, &change, NULL), STET_OK);
    assert_null(memmem(change.data.bytes, change.data.size, token + 5, strlen(token) - 5));
}

TEST(one_wrong_character_makes_another_token) {
    (void)state;
    stet_identity identity;
    char *token = (char *)(uintptr_t)must_token(bobs);
    size_t last = strlen(token) - 2;
    token[last] = token[last] == 'x' ? 'y' : 'x';
    assert_int_equal(identify(token, &identity), STET_UNAUTHENTICATED);
    assert_int_equal(identify("", &identity), STET_UNAUTHENTICATED);
}

TEST(a_revoked_token_stands_for_nobody_at_once) {
    (void)state;
    stet_identity identity;
    struct answer made = must(create(bobs));
    const char *token = unquoted(json_at(made.body, "/token"));
    assert_int_equal(identify(token, &identity), STET_OK);
    must(revoke(unquoted(json_at(made.body, "/id"))));
    assert_int_equal(identify(token, &identity), STET_UNAUTHENTICATED);
    check_no_json(must(list()).body, "/tokens/0");
}

TEST(a_token_expires_at_its_time) {
    (void)state;
    stet_identity identity;
    stet_token_request brief = bobs;
    brief.expires_at = world.clock.wall_ns + CLOCK_NS_PER_S;
    const char *token = must_token(brief);
    assert_int_equal(identify(token, &identity), STET_OK);
    clock_manual_advance(&world.clock, CLOCK_NS_PER_S);
    assert_int_equal(identify(token, &identity), STET_UNAUTHENTICATED);
}

TEST(replacing_revokes_the_older_of_that_name_in_the_same_transaction) {
    (void)state;
    stet_identity identity;
    const char *old = must_token(bobs);
    const char *other =
        must_token((stet_token_request){.actor = VIEW("bob"), .name = VIEW("phone")});
    stet_token_request again = bobs;
    again.replace = true;
    const char *new = must_token(again);
    assert_int_equal(identify(old, &identity), STET_UNAUTHENTICATED);
    assert_int_equal(identify(other, &identity), STET_OK);
    assert_int_equal(identify(new, &identity), STET_OK);
}

TEST(a_token_has_roles_and_scopes) {
    (void)state;
    stet_identity identity;
    bool changed = true;
    stet_view roles[] = {VIEW("sales"), VIEW("support")};
    stet_token_request request = bobs;
    request.roles = roles;
    request.role_count = 2;
    request.scopes = STET_SCOPE_READ;
    struct answer made = must(create(request));
    check_json(made.body, "/roles", "[\"sales\",\"support\"]");
    const char *token = unquoted(json_at(made.body, "/token"));
    assert_int_equal(identify(token, &identity), STET_OK);
    assert_int_equal(identity.role_count, 2);
    assert_string_equal(identity.roles[1], "support");
    assert_int_equal(identity.scopes, STET_SCOPE_READ);
    assert_string_equal(identity.token, unquoted(json_at(made.body, "/id")));
    check_json(must(list()).body, "/tokens/0/scopes", "[\"read\"]");
    assert_int_equal(auth_check(world.fixture.client, &identity, &changed, NULL), STET_OK);
    assert_false(changed);
    must(revoke(identity.token));
    assert_int_equal(auth_check(world.fixture.client, &identity, NULL, NULL), STET_UNAUTHENTICATED);
    request.scopes = 4096;
    assert_string_equal(create(request).field, "scopes");
}

TEST(only_an_administrator_manages_tokens) {
    (void)state;
    world.fixture.actor.admin = false;
    check_status(create(bobs), STET_FORBIDDEN);
    check_status(list(), STET_FORBIDDEN);
    check_status(revoke("x"), STET_FORBIDDEN);
}

TEST(bad_requests_name_their_field) {
    (void)state;
    struct answer refused = create((stet_token_request){.name = VIEW("x")});
    check_status(refused, STET_BAD_REQUEST);
    assert_string_equal(refused.field, "actor");
    refused = create((stet_token_request){.actor = VIEW("bob"), .expires_at = -1});
    check_status(refused, STET_BAD_REQUEST);
    assert_string_equal(refused.field, "expires_at");
    refused = create((stet_token_request){.actor = VIEW("bob"), .expires_at = world.clock.wall_ns});
    assert_string_equal(refused.field, "expires_at");
    check_status(revoke("no-such-token"), STET_NOT_FOUND);
}

TEST(the_first_token_can_be_told) {
    (void)state;
    bool any = true;
    assert_int_equal(auth_any(world.fixture.client, &any, NULL), STET_OK);
    assert_false(any);
    must_token(bobs);
    assert_int_equal(auth_any(world.fixture.client, &any, NULL), STET_OK);
    assert_true(any);
}

TEST(tokens_are_neither_read_nor_written_as_records) {
    (void)state;
    const char *id = unquoted(json_at(must(create(bobs)).body, "/id"));
    struct stet_command *command = command_create(world.fixture.client);
    command->kind = COMMAND_READ;
    command->read =
        (stet_read){.type = VIEW("stet.token"), .id = arena_copy(&command->arena, view_of(id))};
    struct answer read = take(submitted(command));
    check_status(read, STET_FORBIDDEN);
    assert_null(strstr(read.body, "hash"));
    stet_mutation write = {.op = STET_OP_CREATE,
                           .type = VIEW("stet.token"),
                           .id = VIEW("mine"),
                           .body = VIEW("{\"actor\":\"eve\",\"admin\":true}")};
    check_status(apply_one(write), STET_SYSTEM_TYPE);
}

#define HOME(test) cmocka_unit_test_setup_teardown(test, setup, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        HOME(a_token_stands_for_its_actor),
        HOME(a_token_is_shown_once_and_only_its_hash_is_kept),
        HOME(one_wrong_character_makes_another_token),
        HOME(a_revoked_token_stands_for_nobody_at_once),
        HOME(a_token_expires_at_its_time),
        HOME(replacing_revokes_the_older_of_that_name_in_the_same_transaction),
        HOME(a_token_has_roles_and_scopes),
        HOME(only_an_administrator_manages_tokens),
        HOME(bad_requests_name_their_field),
        HOME(the_first_token_can_be_told),
        HOME(tokens_are_neither_read_nor_written_as_records),
    };
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
