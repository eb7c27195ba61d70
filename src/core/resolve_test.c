/* Resolving by token: every choice, and every way a token may be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "core/write_fixture.h"

#define TEST(name) static void name(void **state)

/* The record moved from base to current; somebody who wrote yours from base holds this token. */
static const char base_data[] = "{\"a\":1,\"b\":1,\"c\":1}";
static const char current_data[] = "{\"a\":2,\"b\":2,\"c\":1}";
static const char yours_data[] = "{\"a\":3,\"b\":1,\"c\":3}";

static const char *token_of(struct answer lost) {
    check_status(lost, STET_CONCURRENT_MODIFICATION);
    const char *quoted = json_at(lost.body, "/resolution_token");
    assert_non_null(quoted);
    return world_text(view_make(quoted + 1, strlen(quoted) - 2));
}

static const char *meet_conflict(void) {
    must_put("1", none, base_data);
    must_put("1", at(1), current_data);
    return token_of(try_put("1", at(1), yours_data));
}

static struct answer resolve(stet_resolution resolution) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    if (resolution.type.size == 0) resolution.type = VIEW("task");
    if (resolution.id.size == 0) resolution.id = VIEW("1");
    stet_status status = resolve_fill(command, &resolution, &err);
    if (status == STET_OK) return take(submitted(command));
    command_destroy(command);
    return (struct answer){.status = status,
                           .body = "",
                           .message = world_text(view_of(err.message)),
                           .field = world_text(view_of(err.field))};
}

static struct answer choose(const char *token, stet_choice choice) {
    return resolve(
        (stet_resolution){.token = view_of(token), .choice = choice, .yours = view_of(yours_data)});
}

static struct answer choose_fields(const char *token, const char *fields) {
    return resolve((stet_resolution){.token = view_of(token),
                                     .choice = STET_CHOICE_FIELDS,
                                     .yours = view_of(yours_data),
                                     .fields = view_of(fields)});
}

TEST(yours_replaces_the_current_data_and_the_history_says_why) {
    (void)state;
    struct answer answer = must(choose(meet_conflict(), STET_CHOICE_YOURS));
    assert_int_equal(answer.version, 3);
    check_data("1", 3, yours_data);
    const char *history = history_of("1").body;
    check_json(history, "/changes/0/source", "\"resolve\"");
    check_json(
        history, "/changes/0/merge",
        "{\"strategy\":\"resolve\",\"choice\":\"yours\",\"parents\":[1,2],\"fields\":{\"/a\":{"
        "\"from\":\"yours\"},\"/b\":{\"from\":\"yours\"},\"/c\":{\"from\":\"yours\"}}}");
}

TEST(the_history_says_where_each_chosen_value_comes_from) {
    (void)state;
    must(choose_fields(meet_conflict(), "{\"/a\":\"base\",\"/c\":{\"value\":9}}"));
    check_json(
        history_of("1").body, "/changes/0/merge/fields",
        "{\"/a\":{\"from\":\"base\"},\"/b\":{\"from\":\"current\"},\"/c\":{\"from\":\"custom\"}}");
}

TEST(current_leaves_the_record_and_uses_the_token_up) {
    (void)state;
    const char *token = meet_conflict();
    assert_true(must(choose(token, STET_CHOICE_CURRENT)).unchanged);
    check_data("1", 2, current_data);
    check_status(choose(token, STET_CHOICE_YOURS), STET_ALREADY_RESOLVED);
}

TEST(merged_is_refused_while_fields_conflict) {
    (void)state;
    struct answer refused = choose(meet_conflict(), STET_CHOICE_MERGED);
    check_status(refused, STET_BAD_REQUEST);
    assert_string_equal(refused.field, "choice");
}

TEST(merged_stores_both_changes_when_they_are_apart) {
    (void)state;
    must_put("1", none, base_data);
    must_put("1", at(1), "{\"a\":2,\"b\":1,\"c\":1}");
    const char *token = token_of(try_put("1", at(1), "{\"a\":1,\"b\":1,\"c\":3}"));
    must(resolve((stet_resolution){.token = view_of(token),
                                   .choice = STET_CHOICE_MERGED,
                                   .yours = VIEW("{\"a\":1,\"b\":1,\"c\":3}")}));
    check_data("1", 3, "{\"a\":2,\"b\":1,\"c\":3}");
}

TEST(fields_settles_each_conflict_and_merges_the_rest) {
    (void)state;
    must(choose_fields(meet_conflict(), "{\"/a\":\"current\"}"));
    check_data("1", 3, "{\"a\":2,\"b\":2,\"c\":3}");
}

TEST(fields_may_take_the_base_or_a_new_value) {
    (void)state;
    must(choose_fields(meet_conflict(), "{\"/a\":{\"value\":[7]},\"/b\":\"base\"}"));
    check_data("1", 3, "{\"a\":[7],\"b\":1,\"c\":3}");
}

TEST(fields_must_settle_every_conflict) {
    (void)state;
    const char *token = meet_conflict();
    struct answer refused = choose_fields(token, "{\"/b\":\"yours\"}");
    check_status(refused, STET_BAD_REQUEST);
    assert_string_equal(refused.field, "/a");
    refused = choose_fields(token, "{\"/a\":\"mine\"}");
    check_status(refused, STET_BAD_REQUEST);
    assert_string_equal(refused.field, "/a");
    check_status(choose_fields(token, "[]"), STET_BAD_REQUEST);
    check_status(choose_fields(token, "{"), STET_BAD_JSON);
    check_data("1", 2, current_data);
}

TEST(custom_stores_what_was_sent) {
    (void)state;
    const char *token = meet_conflict();
    stet_resolution custom = {.token = view_of(token), .choice = STET_CHOICE_CUSTOM};
    struct answer empty = resolve(custom);
    check_status(empty, STET_BAD_REQUEST);
    assert_string_equal(empty.field, "data");
    custom.data = VIEW("[]");
    check_status(resolve(custom), STET_BAD_REQUEST);
    custom.data = VIEW("{\"z\":0}");
    must(resolve(custom));
    check_data("1", 3, "{\"z\":0}");
}

TEST(yours_must_be_what_lost) {
    (void)state;
    const char *token = meet_conflict();
    stet_resolution other = {
        .token = view_of(token), .choice = STET_CHOICE_YOURS, .yours = VIEW("{\"a\":4}")};
    struct answer refused = resolve(other);
    check_status(refused, STET_BAD_REQUEST);
    assert_string_equal(refused.field, "yours");
    other.yours = (stet_view){0};
    check_status(resolve(other), STET_BAD_REQUEST);
    other.yours = VIEW("{\"c\":3,\"b\":1,\"a\":3.0}");
    must(resolve(other));
}

TEST(a_token_works_once) {
    (void)state;
    const char *token = meet_conflict();
    must(choose(token, STET_CHOICE_YOURS));
    check_status(choose(token, STET_CHOICE_YOURS), STET_ALREADY_RESOLVED);
    check_data("1", 3, yours_data);
}

TEST(a_dry_run_uses_no_token_up) {
    (void)state;
    const char *token = meet_conflict();
    must(resolve((stet_resolution){.token = view_of(token),
                                   .choice = STET_CHOICE_YOURS,
                                   .yours = view_of(yours_data),
                                   .dry_run = true}));
    check_data("1", 2, current_data);
    must(choose(token, STET_CHOICE_YOURS));
}

TEST(a_forged_token_is_not_valid) {
    (void)state;
    const char *token = meet_conflict();
    size_t size = strlen(token);
    for (size_t i = 0; i < size; i++) {
        char *forged = (char *)(uintptr_t)world_text(view_of(token));
        forged[i] = forged[i] == 'A' ? 'B' : 'A';
        struct answer refused = choose(forged, STET_CHOICE_YOURS);
        check_status(refused, STET_TOKEN_INVALID);
        assert_string_equal(refused.field, "resolution_token");
    }
    check_status(choose("", STET_CHOICE_YOURS), STET_TOKEN_INVALID);
    check_status(choose("no token", STET_CHOICE_YOURS), STET_TOKEN_INVALID);
    check_data("1", 2, current_data);
}

TEST(a_token_expires) {
    (void)state;
    const char *token = meet_conflict();
    clock_manual_advance(&world.clock, (RESOLUTION_TOKEN_TTL_S + 1) * CLOCK_NS_PER_S);
    struct answer refused = choose(token, STET_CHOICE_YOURS);
    check_status(refused, STET_TOKEN_INVALID);
    assert_non_null(strstr(refused.message, "expired"));
}

TEST(a_token_is_for_its_record_and_actor_only) {
    (void)state;
    const char *token = meet_conflict();
    must_put("2", none, base_data);
    must_put("2", at(1), current_data);
    check_status(resolve((stet_resolution){.id = VIEW("2"),
                                           .token = view_of(token),
                                           .choice = STET_CHOICE_YOURS,
                                           .yours = view_of(yours_data)}),
                 STET_TOKEN_INVALID);
    be("bob");
    check_status(choose(token, STET_CHOICE_YOURS), STET_TOKEN_INVALID);
}

TEST(a_token_is_for_its_space_only) {
    (void)state;
    const char *token = meet_conflict();
    struct space *main = world.fixture.space;
    assert_int_equal(engine_space(world.fixture.engine, VIEW("stet"), &world.fixture.space, NULL),
                     STET_OK);
    must_put("1", none, base_data);
    must_put("1", at(1), current_data);
    check_status(choose(token, STET_CHOICE_YOURS), STET_TOKEN_INVALID);
    space_unref(world.fixture.space);
    world.fixture.space = main;
}

TEST(when_the_record_moved_on_there_is_a_new_conflict_to_resolve) {
    (void)state;
    const char *token = meet_conflict();
    be("bob");
    must_put("1", at(2), "{\"a\":5,\"b\":5,\"c\":5}");
    be("ann");
    struct answer lost = choose(token, STET_CHOICE_YOURS);
    check_json(lost.body, "/expected_version", "2");
    check_json(lost.body, "/current_version", "3");
    check_json(lost.body, "/yours", yours_data);
    must(choose(token_of(lost), STET_CHOICE_YOURS));
    check_data("1", 4, yours_data);
}

TEST(yours_brings_a_deleted_record_back_and_the_history_says_why) {
    (void)state;
    must_put("1", none, base_data);
    must_delete("1", at(1));
    const char *token = token_of(try_put("1", at(1), yours_data));
    struct answer answer = must(choose(token, STET_CHOICE_YOURS));
    assert_true(answer.created);
    check_data("1", 3, yours_data);
    check_json(history_of("1").body, "/changes/0/merge/choice", "\"yours\"");
}

TEST(current_lets_a_deleted_record_go) {
    (void)state;
    must_put("1", none, base_data);
    must_delete("1", at(1));
    const char *token = token_of(try_put("1", at(1), yours_data));
    struct answer answer = must(choose(token, STET_CHOICE_CURRENT));
    assert_true(answer.unchanged);
    check_status(read_record("1"), STET_DELETED);
    check_status(choose(token, STET_CHOICE_YOURS), STET_ALREADY_RESOLVED);
}

TEST(a_deletion_that_lost_may_still_delete) {
    (void)state;
    must_put("1", none, base_data);
    must_put("1", at(1), current_data);
    const char *token = token_of(apply(STET_OP_DELETE, "1", at(1), NULL));
    check_status(resolve((stet_resolution){.token = view_of(token), .choice = STET_CHOICE_MERGED}),
                 STET_BAD_REQUEST);
    check_status(resolve((stet_resolution){
                     .token = view_of(token), .choice = STET_CHOICE_FIELDS, .fields = VIEW("{}")}),
                 STET_BAD_REQUEST);
    must(resolve((stet_resolution){.token = view_of(token), .choice = STET_CHOICE_YOURS}));
    check_status(read_record("1"), STET_DELETED);
    check_json(history_of("1").body, "/changes/0/merge/choice", "\"yours\"");
}

TEST(a_conflict_of_a_patch_is_resolved_with_what_the_patch_made) {
    (void)state;
    must_put("1", none, base_data);
    must_put("1", at(1), current_data);
    struct answer lost = apply(STET_OP_PATCH, "1", at(1), "{\"c\":null,\"a\":3}");
    const char *token = token_of(lost);
    must(resolve((stet_resolution){.token = view_of(token),
                                   .choice = STET_CHOICE_YOURS,
                                   .yours = view_of(json_at(lost.body, "/yours"))}));
    check_data("1", 3, "{\"a\":3,\"b\":1}");
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(yours_replaces_the_current_data_and_the_history_says_why),
        WORLD(the_history_says_where_each_chosen_value_comes_from),
        WORLD(current_leaves_the_record_and_uses_the_token_up),
        WORLD(merged_is_refused_while_fields_conflict),
        WORLD(merged_stores_both_changes_when_they_are_apart),
        WORLD(fields_settles_each_conflict_and_merges_the_rest),
        WORLD(fields_may_take_the_base_or_a_new_value),
        WORLD(fields_must_settle_every_conflict),
        WORLD(custom_stores_what_was_sent),
        WORLD(yours_must_be_what_lost),
        WORLD(a_token_works_once),
        WORLD(a_dry_run_uses_no_token_up),
        WORLD(a_forged_token_is_not_valid),
        WORLD(a_token_expires),
        WORLD(a_token_is_for_its_record_and_actor_only),
        WORLD(a_token_is_for_its_space_only),
        WORLD(when_the_record_moved_on_there_is_a_new_conflict_to_resolve),
        WORLD(yours_brings_a_deleted_record_back_and_the_history_says_why),
        WORLD(current_lets_a_deleted_record_go),
        WORLD(a_deletion_that_lost_may_still_delete),
        WORLD(a_conflict_of_a_patch_is_resolved_with_what_the_patch_made),
    };
    return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
