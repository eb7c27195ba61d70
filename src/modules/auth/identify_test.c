#include "modules/auth/auth.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine_fixture.h"
#include "doc/doc.h"

static struct fixture fixture;
static struct clock_manual manual_clock;

static int open_engine(void **state) {
    static const struct module *const modules[] = {&auth_module, NULL};
    (void)state;
    clock_manual_init(&manual_clock, INT64_C(1800000000) * CLOCK_NS_PER_S);
    const struct engine_seams seams = {.manual = true, .clock = &manual_clock.clock};
    fixture_open_with(&fixture, NULL, &seams, modules);
    return 0;
}

static int close_engine(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

/* Submits to the home space and gives the outcome's member as text, for free(); NULL when there is none. */
static char *run(struct stet_command *command, const char *name) {
    struct space *home = fixture.engine->home;
    struct arena arena;
    struct doc doc;
    stet_view text;
    char *copy = NULL;
    assert_int_equal(command_submit(home, &fixture.actor, command, NULL, NULL), STET_OK);
    fixture_finish(&fixture, command);
    command_render(command);
    assert_int_equal(command->outcome.status, STET_OK);
    arena_init(&arena, 4096);
    assert_int_equal(doc_parse(&arena, command->outcome.body, NULL, &doc, NULL), STET_OK);
    doc_node node = doc_member(&doc, 0, view_of(name));
    if (node != DOC_NONE && doc_string(&arena, &doc, node, &text) == STET_OK)
        copy = strndup(text.bytes, text.size);
    arena_done(&arena);
    command_destroy(command);
    return copy;
}

static char *must_create(const char *actor, int64_t expires_at) {
    struct stet_command *command = command_create(fixture.client);
    const stet_token_request request = {.actor = view_of(actor), .expires_at = expires_at};
    assert_int_equal(auth_fill_create(command, &request, NULL), STET_OK);
    char *token = run(command, "token");
    assert_non_null(token);
    return token;
}

static void check_identity(const char *token, const char *actor) {
    stet_identity identity;
    assert_int_equal(auth_identify(fixture.client, view_of(token), &identity, NULL), STET_OK);
    assert_string_equal(identity.actor, actor);
}

static void check_refused(const char *token) {
    stet_identity identity;
    assert_int_equal(auth_identify(fixture.client, view_of(token), &identity, NULL),
                     STET_UNAUTHENTICATED);
}

static void many_tokens_are_told_apart_again_and_again(void **state) {
    enum { TOKENS = 200 }; /* More than are remembered. */
    char *tokens[TOKENS];
    char actor[16];
    (void)state;
    for (int i = 0; i < TOKENS; i++) {
        snprintf(actor, sizeof actor, "actor%d", i);
        tokens[i] = must_create(actor, 0);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < TOKENS; i++) {
            snprintf(actor, sizeof actor, "actor%d", i);
            check_identity(tokens[i], actor);
            check_identity(tokens[i], actor);
        }
    }
    for (int i = 0; i < TOKENS; i++)
        free(tokens[i]);
}

static void a_remembered_token_is_refused_once_revoked(void **state) {
    (void)state;
    struct stet_command *command = command_create(fixture.client);
    const stet_token_request request = {.actor = VIEW("ann")};
    char *other = must_create("bob", 0);
    assert_int_equal(auth_fill_create(command, &request, NULL), STET_OK);
    assert_int_equal(command_submit(fixture.engine->home, &fixture.actor, command, NULL, NULL),
                     STET_OK);
    fixture_finish(&fixture, command);
    command_render(command);
    struct arena arena;
    struct doc doc;
    stet_view id, text;
    arena_init(&arena, 4096);
    assert_int_equal(doc_parse(&arena, command->outcome.body, NULL, &doc, NULL), STET_OK);
    doc_string(&arena, &doc, doc_member(&doc, 0, VIEW("id")), &id);
    doc_string(&arena, &doc, doc_member(&doc, 0, VIEW("token")), &text);
    char *token = strndup(text.bytes, text.size);
    check_identity(token, "ann");
    check_identity(token, "ann");
    struct stet_command *revocation = command_create(fixture.client);
    assert_int_equal(auth_fill_revoke(revocation, id, NULL), STET_OK);
    free(run(revocation, "id"));
    check_refused(token);
    check_refused(token);
    check_identity(other, "bob");
    command_destroy(command);
    arena_done(&arena);
    free(token);
    free(other);
}

static void a_remembered_token_expires(void **state) {
    (void)state;
    int64_t now = clock_wall_ns(&manual_clock.clock);
    char *token = must_create("ann", now + 10 * CLOCK_NS_PER_S);
    check_identity(token, "ann");
    clock_manual_advance(&manual_clock, 9 * CLOCK_NS_PER_S);
    check_identity(token, "ann");
    clock_manual_advance(&manual_clock, CLOCK_NS_PER_S);
    check_refused(token);
    free(token);
}

static void nonsense_is_nobody(void **state) {
    (void)state;
    check_refused("");
    check_refused("stet_");
    check_refused("stet_nobody");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_tokens_are_told_apart_again_and_again, open_engine,
                                        close_engine),
        cmocka_unit_test_setup_teardown(a_remembered_token_is_refused_once_revoked, open_engine,
                                        close_engine),
        cmocka_unit_test_setup_teardown(a_remembered_token_expires, open_engine, close_engine),
        cmocka_unit_test_setup_teardown(nonsense_is_nobody, open_engine, close_engine),
    };
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
