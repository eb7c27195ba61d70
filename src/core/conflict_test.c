/* The conflict document: it stands on its own, and says who changed what in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "core/write_fixture.h"

#define TEST(name) static void name(void **state)

static struct answer conflict(stet_op op, stet_base base, const char *body) {
    struct answer lost = apply(op, "1", base, body);
    check_status(lost, STET_CONCURRENT_MODIFICATION);
    check_json(lost.body, "/code", "\"CONCURRENT_MODIFICATION\"");
    return lost;
}

TEST(the_document_holds_all_three_sides_and_who_was_last) {
    (void)state;
    must_put("1", none, "{\"title\":\"a\",\"done\":false}");
    be("bob");
    must_put("1", at(1), "{\"title\":\"b\",\"done\":false}");
    be("ann");
    struct answer lost = conflict(STET_OP_PUT, at(1), "{\"title\":\"c\",\"done\":false}");
    check_json(lost.body, "/address", "\"task/1\"");
    check_json(lost.body, "/expected_version", "1");
    check_json(lost.body, "/current_version", "2");
    check_json(lost.body, "/last_modified_by", "\"bob\"");
    check_json(lost.body, "/base", "{\"title\":\"a\",\"done\":false}");
    check_json(lost.body, "/current", "{\"title\":\"b\",\"done\":false}");
    check_json(lost.body, "/yours", "{\"title\":\"c\",\"done\":false}");
    check_json(lost.body, "/conflict_type", "\"concurrent_edit\"");
    check_json(lost.body, "/clean", "false");
    check_json(lost.body, "/fields/~1title/state", "\"conflict\"");
    check_json(lost.body, "/fields/~1title/by", "\"bob\"");
    check_json(lost.body, "/fields/~1title/version", "2");
    check_no_json(lost.body, "/fields/~1done");
    assert_non_null(strstr(lost.message, "bob changed /title"));
}

TEST(edits_of_different_fields_merge_clean_and_are_offered) {
    (void)state;
    must_put("1", none, "{\"a\":1,\"b\":1}");
    must_put("1", at(1), "{\"a\":2,\"b\":1}");
    struct answer lost = conflict(STET_OP_PATCH, at(1), "{\"b\":3}");
    check_json(lost.body, "/conflict_type", "\"version_mismatch\"");
    check_json(lost.body, "/clean", "true");
    check_json(lost.body, "/merged", "{\"a\":2,\"b\":3}");
    check_json(lost.body, "/fields/~1a/state", "\"clean_current\"");
    check_json(lost.body, "/fields/~1b/state", "\"clean_yours\"");
    check_json(lost.body, "/resolution_options",
               "[\"yours\",\"current\",\"merged\",\"fields\",\"custom\"]");
}

TEST(a_conflict_of_fields_offers_no_merged) {
    (void)state;
    must_put("1", none, "{\"a\":1}");
    must_put("1", at(1), "{\"a\":2}");
    check_json(conflict(STET_OP_PUT, at(1), "{\"a\":3}").body, "/resolution_options",
               "[\"yours\",\"current\",\"fields\",\"custom\"]");
}

TEST(each_field_names_who_changed_it_last) {
    (void)state;
    must_put("1", none, "{\"a\":1,\"b\":1,\"c\":1}");
    be("bob");
    must_put("1", at(1), "{\"a\":2,\"b\":1,\"c\":1}");
    be("cid");
    must_put("1", at(2), "{\"a\":2,\"b\":2,\"c\":1}");
    be("bob");
    must_put("1", at(3), "{\"a\":2,\"b\":2,\"c\":2}");
    be("ann");
    struct answer lost = conflict(STET_OP_PUT, at(1), "{\"a\":9,\"b\":9,\"c\":9}");
    check_json(lost.body, "/fields/~1a/by", "\"bob\"");
    check_json(lost.body, "/fields/~1a/version", "2");
    check_json(lost.body, "/fields/~1b/by", "\"cid\"");
    check_json(lost.body, "/fields/~1b/version", "3");
    check_json(lost.body, "/fields/~1c/version", "4");
}

TEST(a_field_changed_too_long_ago_has_nobody_to_name) {
    (void)state;
    must_put("1", none, "{\"a\":1,\"n\":1}");
    must_put("1", at(1), "{\"a\":2,\"n\":1}");
    for (stet_version version = 2; version < CONFLICT_BLAME_VERSIONS_MAX + 10; version++) {
        char data[64];
        snprintf(data, sizeof data, "{\"a\":2,\"n\":%llu}", (unsigned long long)version);
        must_put("1", at(version), data);
    }
    struct answer lost = conflict(STET_OP_PUT, at(1), "{\"a\":3,\"n\":0}");
    check_json(lost.body, "/fields/~1a/state", "\"conflict\"");
    check_no_json(lost.body, "/fields/~1a/by");
    check_json(lost.body, "/fields/~1n/by", "\"ann\"");
    assert_non_null(strstr(lost.message, "somebody changed /a"));
}

/* {"f0": …, "f1": …, "n": n}: so many fields that a few versions are all that may be compared. */
static const char *wide(int fields, int value, int n) {
    char *text = arena_bytes(&world.arena, (size_t)fields * 16 + 32);
    char *p = text + sprintf(text, "{\"n\":%d", n);
    for (int i = 0; i < fields; i++)
        p += sprintf(p, ",\"f%d\":%d", i, value);
    sprintf(p, "}");
    return text;
}

TEST(looking_back_over_many_fields_ends_early) {
    (void)state;
    enum { FIELDS = 5000, ENOUGH = CONFLICT_BLAME_STEPS_MAX / FIELDS + 2 };
    must_put("1", none, wide(FIELDS, 1, 1));
    for (stet_version version = 1; version < ENOUGH + 2; version++)
        must_put("1", at(version), wide(FIELDS, 2, (int)version));
    struct answer lost = conflict(STET_OP_PUT, at(1), wide(FIELDS, 3, 0));
    check_no_json(lost.body, "/fields/~1f7/by");
    check_json(lost.body, "/fields/~1n/by", "\"ann\"");
}

TEST(a_deletion_against_an_edit_is_a_conflict_without_a_merge) {
    (void)state;
    must_put("1", none, "{\"a\":1}");
    be("bob");
    must_delete("1", at(1));
    be("ann");
    struct answer lost = conflict(STET_OP_PUT, at(1), "{\"a\":2}");
    check_json(lost.body, "/deleted", "true");
    check_json(lost.body, "/base", "{\"a\":1}");
    check_json(lost.body, "/current", "null");
    check_json(lost.body, "/merged", "null");
    check_json(lost.body, "/current_version", "2");
    check_json(lost.body, "/resolution_options", "[\"yours\",\"current\",\"custom\"]");
    assert_non_null(strstr(lost.message, "bob deleted"));
}

TEST(an_edit_against_a_deletion_shows_no_yours) {
    (void)state;
    must_put("1", none, "{\"a\":1}");
    must_put("1", at(1), "{\"a\":2}");
    struct answer lost = conflict(STET_OP_DELETE, at(1), NULL);
    check_json(lost.body, "/yours", "null");
    check_json(lost.body, "/current", "{\"a\":2}");
    assert_non_null(json_at(lost.body, "/resolution_token"));
}

TEST(a_base_that_never_was_has_no_data) {
    (void)state;
    must_put("1", none, "{\"a\":1}");
    struct answer lost = conflict(STET_OP_PUT, at(9), "{\"a\":2}");
    check_json(lost.body, "/base", "null");
    check_json(lost.body, "/expected_version", "9");
    check_json(lost.body, "/current_version", "1");
}

TEST(a_failed_test_of_a_patch_says_so) {
    (void)state;
    must_put("1", none, "{\"a\":1}");
    struct answer lost =
        conflict(STET_OP_PATCH_JSON, at(1), "[{\"op\":\"test\",\"path\":\"/a\",\"value\":2}]");
    assert_non_null(strstr(lost.message, "\"test\""));
    check_json(lost.body, "/current", "{\"a\":1}");
    check_no_json(lost.body, "/resolution_token");
}

TEST(a_token_is_shorter_than_its_limit) {
    (void)state;
    must_put("1", none, "{\"a\":1}");
    must_put("1", at(1), "{\"a\":2}");
    const char *token =
        json_at(conflict(STET_OP_PUT, at(1), "{\"a\":3}").body, "/resolution_token");
    assert_true(strlen(token) - 2 < RESOLUTION_TOKEN_BYTES_MAX);
}

TEST(ids_with_slashes_are_encoded_in_the_address) {
    (void)state;
    must_put("a/b c", none, "{\"a\":1}");
    struct answer lost = try_put("a/b c", at(9), "{}");
    check_json(lost.body, "/address", "\"task/a%2Fb%20c\"");
}

TEST(a_conflict_is_counted_by_its_kind) {
    (void)state;
    must_put("1", none, "{\"a\":1,\"b\":1}");
    must_put("1", at(1), "{\"a\":2,\"b\":1}");
    conflict(STET_OP_PUT, at(1), "{\"a\":3,\"b\":1}");
    conflict(STET_OP_PUT, at(1), "{\"a\":1,\"b\":3}");
    struct space_counters *counters = &world.fixture.space->counters;
    assert_int_equal(atomic_load(&counters->conflicts[0]), 1);
    assert_int_equal(atomic_load(&counters->conflicts[1]), 1);
}

/* On behalf of an operation. */
static struct answer put_for_operation(stet_version base, const char *data) {
    struct stet_command *command = command_create(world.fixture.client);
    const stet_mutation one = mutation(STET_OP_PUT, "1", at(base), data);
    const stet_write write = {.mutations = &one, .mutation_count = 1};
    assert_non_null(command);
    assert_int_equal(command_fill_write(command, &write, NULL), STET_OK);
    command->made.operation = VIEW("op-7");
    return take(submitted(command));
}

TEST(a_conflict_with_an_operation_is_an_override_by_an_agent) {
    (void)state;
    must_put("1", none, "{\"a\":1}");
    must(put_for_operation(1, "{\"a\":2}"));
    check_json(must(history_of("1")).body, "/changes/0/operation", "\"op-7\"");
    check_json(conflict(STET_OP_PUT, at(1), "{\"a\":3}").body, "/conflict_type",
               "\"agent_override\"");
    must_put("1", at(2), "{\"a\":4}");
    check_json(conflict(STET_OP_PUT, at(1), "{\"a\":3}").body, "/conflict_type",
               "\"concurrent_edit\"");
    struct answer lost = put_for_operation(1, "{\"a\":5}");
    check_status(lost, STET_CONCURRENT_MODIFICATION);
    check_json(lost.body, "/conflict_type", "\"agent_override\"");
    assert_int_equal(atomic_load(&world.fixture.space->counters.conflicts[2]), 2);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(the_document_holds_all_three_sides_and_who_was_last),
        WORLD(edits_of_different_fields_merge_clean_and_are_offered),
        WORLD(a_conflict_of_fields_offers_no_merged),
        WORLD(each_field_names_who_changed_it_last),
        WORLD(a_field_changed_too_long_ago_has_nobody_to_name),
        WORLD(looking_back_over_many_fields_ends_early),
        WORLD(a_deletion_against_an_edit_is_a_conflict_without_a_merge),
        WORLD(an_edit_against_a_deletion_shows_no_yours),
        WORLD(a_base_that_never_was_has_no_data),
        WORLD(a_failed_test_of_a_patch_says_so),
        WORLD(a_token_is_shorter_than_its_limit),
        WORLD(ids_with_slashes_are_encoded_in_the_address),
        WORLD(a_conflict_is_counted_by_its_kind),
        WORLD(a_conflict_with_an_operation_is_an_override_by_an_agent),
    };
    return cmocka_run_group_tests_name("conflict", tests, NULL, NULL);
}
