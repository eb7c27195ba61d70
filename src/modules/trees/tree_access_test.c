/* Whole trees under access rules: who may read, replace, delete, copy and merge them, and what becomes of what they do not see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "modules/trees/trees_fixture.h"

#include "core/access_fixture.h"
#include "core/policy_fixture.h"

#define MARK "s3cr3t"
#define BOSS "actor.roles contains 'boss'"

/* a with its secret, under it b; b's data is the caller's. */
static void plant(const char *below) {
    declare_type(STET_STRATEGY_MERGE, "{}");
    give_access("{`read`:`!private || " BOSS "`,`create`:true,`update`:true,`delete`:true,"
                "`fields`:{`/secret`:{`hidden`:`!(" BOSS ")`}}}");
    as("zoe", "boss");
    must_put("a", none, "{\"n\":1,\"secret\":\"" MARK "\"}");
    must(put_under("b", none, "task/a", below));
}

static struct answer fork_of(const char *id, const char *new_id, bool tree) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    const stet_fork fork = {
        .type = VIEW("task"), .id = view_of(id), .new_id = view_of(new_id), .tree = tree};
    return finish(command, trees_fill_fork(command, &fork, &err), &err);
}

static struct answer merge_of(const char *id, stet_version base) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    const stet_merge merge = {.type = VIEW("task"), .id = view_of(id), .base_version = base};
    return finish(command, trees_fill_merge(command, &merge, &err), &err);
}

TEST(a_tree_with_a_record_they_may_not_read_is_not_theirs) {
    (void)state;
    plant("{\"private\":true,\"note\":\"" MARK "\"}");
    const char *seen = must(tree_of("a")).body;
    as("ann", NULL);
    assert_null(strstr(must(tree_of("a")).body, MARK));
    check_status(put_tree("a", seen, "{\"id\":\"a\",\"type\":\"task\",\"data\":{}}"),
                 STET_FORBIDDEN);
    check_status(delete_tree("a", seen), STET_FORBIDDEN);
    check_status(fork_of("a", "copy", true), STET_FORBIDDEN);
    /* Of one whose top they may not read, there is nothing. */
    check_status(tree_of("b"), STET_NOT_FOUND);
    check_status(fork_of("b", "copy", false), STET_NOT_FOUND);
    check_status(merge_of("b", 1), STET_NOT_FOUND);
    as("zoe", "boss");
    must_delete("b", at(1));
    as("ann", NULL);
    check_status(tree_of("b"), STET_NOT_FOUND);
}

TEST(what_is_hidden_stays_when_a_tree_is_replaced) {
    (void)state;
    plant("{}");
    as("ann", NULL);
    struct answer seen = must(tree_of("a"));
    assert_null(strstr(seen.body, MARK));
    struct answer put = put_tree("a", seen.body,
                                 "{\"id\":\"a\",\"type\":\"task\",\"data\":{\"n\":2},\"children\":"
                                 "[{\"id\":\"b\",\"type\":\"task\",\"data\":{}}]}");
    check_status(put, STET_OK);
    assert_null(strstr(put.body, MARK));
    as("zoe", "boss");
    check_data("a", 2, "{\"n\":2,\"secret\":\"" MARK "\"}");
}

TEST(a_tree_put_as_it_was_seen_is_unchanged) {
    (void)state;
    plant("{}");
    as("ann", NULL);
    struct answer seen = must(tree_of("a"));
    struct answer put = put_tree("a", seen.body,
                                 "{\"id\":\"a\",\"type\":\"task\",\"data\":{\"n\":1},\"children\":"
                                 "[{\"id\":\"b\",\"type\":\"task\",\"data\":{}}]}");
    check_status(put, STET_OK);
    assert_true(put.unchanged);
}

TEST(who_sees_not_all_gives_no_hidden_field_a_value) {
    (void)state;
    plant("{}");
    as("ann", NULL);
    struct answer seen = must(tree_of("a"));
    check_status(
        put_tree("a", seen.body, "{\"id\":\"a\",\"type\":\"task\",\"data\":{\"secret\":1}}"),
        STET_FORBIDDEN);
}

TEST(a_node_that_is_only_moved_or_touched_keeps_all_it_has) {
    (void)state;
    plant("{\"secret\":\"" MARK "b\"}");
    as("ann", NULL);
    struct answer seen = must(tree_of("a"));
    struct answer put = put_tree("a", seen.body,
                                 "{\"id\":\"a\",\"type\":\"task\",\"children\":"
                                 "[{\"id\":\"c\",\"type\":\"task\",\"data\":{},\"children\":"
                                 "[{\"id\":\"b\",\"type\":\"task\"}]}]}");
    check_status(put, STET_OK);
    as("zoe", "boss");
    check_data("b", 2, "{\"secret\":\"" MARK "b\"}");
    check_data("a", 2, "{\"n\":1,\"secret\":\"" MARK "\"}");
}

TEST(a_copy_is_for_who_sees_all_of_it) {
    (void)state;
    plant("{}");
    as("ann", NULL);
    struct answer refused = fork_of("a", "copy", false);
    check_status(refused, STET_FORBIDDEN);
    assert_null(strstr(refused.body, MARK));
    check_status(fork_of("b", "copy", false), STET_OK);
    as("zoe", "boss");
    check_status(fork_of("a", "copy2", true), STET_OK);
    check_json(read_record("copy2").body, "/data/secret", "\"" MARK "\"");
    /* Nor do they bring back what is in a fork of somebody else's. */
    as("zoe", "boss");
    must(apply(STET_OP_PATCH, "copy2", at(1), "{\"secret\":\"" MARK "2\"}"));
    as("ann", NULL);
    refused = merge_of("copy2", 2);
    check_status(refused, STET_FORBIDDEN);
    assert_null(strstr(refused.body, MARK));
    as("zoe", "boss");
    check_status(merge_of("copy2", 2), STET_OK);
    check_json(read_record("a").body, "/data/secret", "\"" MARK "2\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_tree_with_a_record_they_may_not_read_is_not_theirs),
        WORLD(what_is_hidden_stays_when_a_tree_is_replaced),
        WORLD(a_tree_put_as_it_was_seen_is_unchanged),
        WORLD(who_sees_not_all_gives_no_hidden_field_a_value),
        WORLD(a_node_that_is_only_moved_or_touched_keeps_all_it_has),
        WORLD(a_copy_is_for_who_sees_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
