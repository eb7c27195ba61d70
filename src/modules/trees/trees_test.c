/* Trees: parents, whole trees read and written, and what happens when others write meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/trees/trees_fixture.h"

/* ---- Parents ----------------------------------------------------------------------------- */

TEST(a_record_names_its_parent_until_it_is_moved) {
    (void)state;
    must_put("a", none, "{}");
    must(put_under("b", none, "task/a", "{\"n\":1}"));
    check_json(read_record("b").body, "/parent", "\"task/a\"");
    must_put("b", at(1), "{\"n\":2}");
    check_json(read_record("b").body, "/parent", "\"task/a\"");
    must(put_under("b", at(2), "", "{\"n\":2}"));
    check_no_json(read_record("b").body, "/parent");
    const char *history = history_of("b").body;
    check_json(history, "/changes/1/parent", "\"task/a\"");
    check_no_json(history, "/changes/0/parent");
}

TEST(a_parent_must_be_there) {
    (void)state;
    struct answer refused = put_under("b", none, "task/a", "{}");
    check_status(refused, STET_NOT_FOUND);
    assert_string_equal(refused.field, "parent");
    must_put("a", none, "{}");
    must_delete("a", at(1));
    check_status(put_under("b", none, "task/a", "{}"), STET_NOT_FOUND);
    check_status(put_under("b", none, "nonsense", "{}"), STET_BAD_REQUEST);
    check_status(put_under("b", none, "task/b", "{}"), STET_TREE_CYCLE);
}

TEST(a_circle_is_refused) {
    (void)state;
    chain();
    struct answer refused = put_under("a", at(1), "task/c", "{}");
    check_status(refused, STET_TREE_CYCLE);
    assert_string_equal(refused.field, "parent");
    check_status(put_under("a", at(1), "task/a", "{}"), STET_TREE_CYCLE);
}

TEST(two_moves_in_one_batch_make_no_circle) {
    (void)state;
    must_put("a", none, "{}");
    must_put("b", none, "{}");
    stet_mutation one = under(mutation(STET_OP_PUT, "a", at(1), "{}"), "task/b");
    stet_mutation two = under(mutation(STET_OP_PUT, "b", at(1), "{}"), "task/a");
    struct stet_command *first = start(&(stet_write){.mutations = &one, .mutation_count = 1});
    struct stet_command *second = start(&(stet_write){.mutations = &two, .mutation_count = 1});
    must(take(first));
    check_status(take(second), STET_TREE_CYCLE);
}

TEST(a_tree_is_at_most_so_deep) {
    (void)state;
    char id[16], parent[24] = "";
    for (int i = 0; i < TREE_DEPTH_MAX; i++) {
        snprintf(id, sizeof id, "d%d", i);
        must(put_under(id, none, parent, "{}"));
        snprintf(parent, sizeof parent, "task/%s", id);
    }
    struct answer refused = put_under("more", none, parent, "{}");
    check_status(refused, STET_TOO_LARGE);
    assert_int_equal(refused.limit, TREE_DEPTH_MAX);
    /* A move takes along what is below. */
    must_put("x", none, "{}");
    must(put_under("y", none, "task/x", "{}"));
    check_status(put_under("x", at(1), "task/d30", "{}"), STET_TOO_LARGE);
    must(put_under("x", at(1), "task/d29", "{}"));
}

TEST(who_has_children_is_not_deleted) {
    (void)state;
    chain();
    struct answer refused = apply(STET_OP_DELETE, "b", at(1), NULL);
    check_status(refused, STET_HAS_CHILDREN);
    assert_non_null(strstr(refused.message, "task/c"));
    const stet_mutation both[] = {mutation(STET_OP_DELETE, "c", at(1), NULL),
                                  mutation(STET_OP_DELETE, "b", at(1), NULL)};
    must(transact(both, 2, NULL));
    must_delete("a", at(1));
}

TEST(a_child_that_comes_in_the_same_batch_keeps_its_parent_alive) {
    (void)state;
    must_put("a", none, "{}");
    stet_mutation child = under(mutation(STET_OP_CREATE, "b", none, "{}"), "task/a");
    stet_mutation gone = mutation(STET_OP_DELETE, "a", at(1), NULL);
    struct stet_command *first = start(&(stet_write){.mutations = &child, .mutation_count = 1});
    struct stet_command *second = start(&(stet_write){.mutations = &gone, .mutation_count = 1});
    must(take(first));
    check_status(take(second), STET_HAS_CHILDREN);
}

/* ---- Reading ----------------------------------------------------------------------------- */

TEST(a_tree_is_read_nested) {
    (void)state;
    chain();
    must(put_under("d", none, "task/a", "{\"n\":4}"));
    const char *tree = must(tree_of("a")).body;
    check_json(tree, "/count", "4");
    check_json(tree, "/tree/id", "\"a\"");
    check_json(tree, "/tree/children/0/id", "\"b\"");
    check_json(tree, "/tree/children/0/children/0/id", "\"c\"");
    check_json(tree, "/tree/children/1/data", "{\"n\":4}");
    check_json(tree, "/tree/children/1/children", "[]");
    check_json(must(tree_of("b")).body, "/count", "2");
    check_status(tree_of("nobody"), STET_NOT_FOUND);
}

/* ---- Writing ----------------------------------------------------------------------------- */

TEST(putting_back_what_was_read_changes_nothing) {
    (void)state;
    chain();
    const char *tree = must(tree_of("a")).body;
    uint64_t seq = seq_now();
    struct answer answer = must(put_tree("a", tree, json_at(tree, "/tree")));
    check_json(answer.body, "/unchanged", "true");
    assert_true(answer.unchanged);
    assert_int_equal(seq_now(), seq);
}

TEST(only_what_differs_and_what_is_above_is_written) {
    (void)state;
    chain();
    must(put_under("d", none, "task/a", "{}"));
    const char *before = must(tree_of("a")).body;
    struct answer answer = must(put_tree(
        "a", before,
        "{\"children\":[{\"type\":\"task\",\"id\":\"b\",\"children\":[{\"type\":\"task\",\"id\":"
        "\"c\",\"data\":{\"n\":9}}]},{\"type\":\"task\",\"id\":\"d\"}]}"));
    check_json(answer.body, "/changes/0/change", "\"touched\"");
    check_json(answer.body, "/changes/0/address", "\"task/a\"");
    check_json(answer.body, "/changes/2/change", "\"changed\"");
    check_no_json(answer.body, "/changes/3");
    check_data("a", 2, "{}");
    check_data("c", 2, "{\"n\":9}");
    check_data("d", 1, "{}");
    /* The answer's tree version is that of the tree as it is now. */
    check_json(put_tree("a", answer.body, "{}").body, "/unchanged", "true");
}

TEST(nodes_come_go_and_move_together) {
    (void)state;
    chain();
    must(put_under("d", none, "task/a", "{\"n\":4}"));
    const char *before = must(tree_of("a")).body;
    /* c comes under d, b goes, e is new. */
    struct answer answer =
        must(put_tree("a", before,
                      "{\"children\":[{\"id\":\"d\",\"children\":[{\"id\":\"c\"}]},"
                      "{\"id\":\"e\",\"data\":{\"n\":5},\"children\":[{\"data\":{\"n\":6}}]}]}"));
    check_json(answer.body, "/count", "5");
    check_json(read_record("c").body, "/parent", "\"task/d\"");
    check_status(read_record("b"), STET_DELETED);
    const char *after = must(tree_of("a")).body;
    check_json(after, "/tree_version", json_at(answer.body, "/tree_version"));
    check_json(after, "/tree/children/1/children/0/data", "{\"n\":6}");
    check_json(history_of("c").body, "/changes/0/transaction", json_at(answer.body, "/seq"));
}

TEST(parent_and_child_may_change_places) {
    (void)state;
    chain();
    const char *before = must(tree_of("a")).body;
    must(put_tree("a", before,
                  "{\"children\":[{\"id\":\"c\",\"children\":[{\"id\":\"b\",\"children\":[]}]}]}"));
    check_json(read_record("c").body, "/parent", "\"task/a\"");
    check_json(read_record("b").body, "/parent", "\"task/c\"");
}

TEST(children_that_are_not_mentioned_stay) {
    (void)state;
    chain();
    const char *before = must(tree_of("a")).body;
    struct answer answer = must(put_tree("a", before, "{\"data\":{\"n\":1}}"));
    check_json(answer.body, "/count", "3");
    check_data("a", 2, "{\"n\":1}");
    check_data("c", 1, "{}");
    must(put_tree("a", answer.body, "{\"children\":[]}"));
    check_status(read_record("c"), STET_DELETED);
}

TEST(what_is_wrong_in_a_tree_is_pointed_at) {
    (void)state;
    chain();
    const char *before = must(tree_of("a")).body;
    static const char *const bad[][2] = {
        {"{\"children\":{}}", "/tree/children"},
        {"{\"children\":[{\"id\":\"c\"},{\"id\":\"c\"}]}", "/tree/children/1"},
        {"{\"children\":[{\"id\":\"new\"}]}", "/tree/children/0/data"},
        {"{\"children\":[{\"id\":7}]}", "/tree/children/0/id"},
        {"{\"children\":[{\"data\":[]}]}", "/tree/children/0/data"},
        {"{\"id\":\"b\"}", "/tree/id"},
        {"{\"children\":[7]}", "/tree/children/0"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct answer refused = put_tree("a", before, bad[i][0]);
        check_status(refused, STET_BAD_REQUEST);
        assert_string_equal(refused.field, bad[i][1]);
    }
    check_status(put_tree("a", "{\"tree_version\":\"x\"}", "{}"), STET_BAD_REQUEST);
    check_status(put_tree("a", "{\"tree_version\":\"\"}", "{}"), STET_PRECONDITION_REQUIRED);
}

TEST(a_node_that_exists_elsewhere_is_named) {
    (void)state;
    chain();
    must_put("other", none, "{}");
    const char *before = must(tree_of("a")).body;
    struct answer refused =
        put_tree("a", before, "{\"children\":[{\"id\":\"b\"},{\"id\":\"other\",\"data\":{}}]}");
    check_status(refused, STET_ALREADY_EXISTS);
    check_json(refused.body, "/conflicts/0/address", "\"task/other\"");
    check_data("a", 1, "{}");
}

TEST(a_tree_that_changed_is_refused_with_names) {
    (void)state;
    chain();
    must(put_under("d", none, "task/a", "{}"));
    must(put_under("m", none, "task/d", "{}"));
    const char *before = must(tree_of("a")).body;
    be("bob");
    must_put("c", at(1), "{\"n\":7}");
    must(put_under("e", none, "task/b", "{}"));
    must(put_under("m", at(1), "", "{}"));
    struct answer refused = put_tree("a", before, json_at(before, "/tree"));
    check_status(refused, STET_CONCURRENT_MODIFICATION);
    check_json(refused.body, "/nodes/0/address", "\"task/c\"");
    check_json(refused.body, "/nodes/0/change", "\"changed\"");
    check_json(refused.body, "/nodes/0/by", "\"bob\"");
    check_json(refused.body, "/nodes/1/address", "\"task/e\"");
    check_json(refused.body, "/nodes/1/change", "\"added\"");
    check_json(refused.body, "/nodes/2/address", "\"task/m\"");
    check_json(refused.body, "/nodes/2/change", "\"moved\"");
    check_no_json(refused.body, "/nodes/3");
}

TEST(a_deleted_node_is_named) {
    (void)state;
    chain();
    const char *before = must(tree_of("a")).body;
    must_delete("c", at(1));
    struct answer refused = put_tree("a", before, json_at(before, "/tree"));
    check_status(refused, STET_CONCURRENT_MODIFICATION);
    check_json(refused.body, "/nodes/0/change", "\"deleted\"");
    refused = put_tree("a", before, "{\"data\":{}}");
    check_status(refused, STET_CONCURRENT_MODIFICATION);
    check_json(refused.body, "/nodes/0/address", "\"task/c\"");
    check_json(refused.body, "/nodes/0/change", "\"deleted\"");
}

TEST(who_left_the_tree_is_named_though_nobody_asked) {
    (void)state;
    chain();
    must(put_under("d", none, "task/a", "{}"));
    must(put_under("e", none, "task/d", "{}"));
    const char *before = must(tree_of("a")).body;
    must_put("elsewhere", none, "{}");
    be("bob");
    must_delete("e", at(1));
    must(put_under("d", at(1), "", "{}"));
    struct answer refused = put_tree("a", before, "{\"data\":{\"n\":2}}");
    check_status(refused, STET_CONCURRENT_MODIFICATION);
    check_json(refused.body, "/nodes/0/address", "\"task/d\"");
    check_json(refused.body, "/nodes/0/change", "\"moved\"");
    check_json(refused.body, "/nodes/0/by", "\"bob\"");
    check_json(refused.body, "/nodes/1/address", "\"task/e\"");
    check_json(refused.body, "/nodes/1/change", "\"deleted\"");
    check_no_json(refused.body, "/nodes/2");
}

TEST(a_whole_tree_is_deleted_at_once) {
    (void)state;
    chain();
    const char *before = must(tree_of("a")).body;
    must_put("b", at(1), "{\"n\":1}");
    check_status(delete_tree("a", before), STET_CONCURRENT_MODIFICATION);
    must(delete_tree("a", must(tree_of("a")).body));
    check_status(read_record("a"), STET_DELETED);
    check_status(read_record("c"), STET_DELETED);
}

TEST(a_repeated_put_answers_as_the_first_time) {
    (void)state;
    chain();
    const char *before = must(tree_of("a")).body;
    struct answer first = must(keyed_tree("a", before, "{\"data\":{\"n\":1}}", "k"));
    struct answer again = must(keyed_tree("a", before, "{\"data\":{\"n\":1}}", "k"));
    assert_true(again.replayed);
    check_json(again.body, "/seq", json_at(first.body, "/seq"));
    check_status(keyed_tree("a", before, "{\"data\":{\"n\":2}}", "k"), STET_KEY_REUSED);
}

TEST(a_dry_run_of_a_tree_writes_nothing) {
    (void)state;
    chain();
    const char *before = must(tree_of("a")).body;
    struct answer answer = must(dry_tree("a", before, "{\"children\":[]}"));
    check_json(answer.body, "/dry_run", "true");
    check_json(answer.body, "/changes/1/change", "\"deleted\"");
    check_data("c", 1, "{}");
}

/* ---- Schedules: what a tree was made from, against a write of one node, at every step ------------- */

static stet_mutation node_write(int which) {
    switch (which) {
    case 0: return mutation(STET_OP_PUT, "c", at(1), "{\"n\":7}");
    case 1: return under(mutation(STET_OP_CREATE, "e", none, "{}"), "task/b");
    case 2: return mutation(STET_OP_DELETE, "c", at(1), NULL);
    case 3: return under(mutation(STET_OP_PUT, "c", at(1), "{}"), "task/a");
    default: return under(mutation(STET_OP_PUT, "c", at(1), "{}"), "");
    }
}

/*
 * The tree is put in steps: submitted, planned on a worker, decided. The other write is decided before the plan, after it in an
 * earlier batch, after it in the same batch, or after the tree. Whoever is decided second must find out.
 */
TEST(a_tree_and_a_node_never_both_win) {
    (void)state;
    for (int which = 0; which < 5; which++) {
        for (int step = 0; step < 4; step++) {
            world_close(NULL);
            open_world(NULL);
            chain();
            const char *before = must(tree_of("a")).body;
            const stet_mutation node = node_write(which);
            const stet_write write = {.mutations = &node, .mutation_count = 1};
            struct stet_engine *engine = world.fixture.engine;
            struct stet_command *put = start_tree(
                "a", before,
                "{\"children\":[{\"id\":\"b\",\"children\":[{\"id\":\"c\",\"data\":{\"t\":1}}]}]}");
            struct stet_command *other = NULL;
            if (step == 0) must(take(start(&write)));
            if (step == 1) other = start(&write);
            assert_true(step == 0 || workers_step(&engine->workers));
            if (step == 2) other = start(&write);
            if (step == 3) engine_step_batch(engine, world.fixture.space, 10);
            if (step == 3) other = start(&write);
            bool node_first = step < 2;
            check_status(take(put), node_first ? STET_CONCURRENT_MODIFICATION : STET_OK);
            if (step == 0) continue;
            struct answer answer = take(other);
            /* A new child of b is no matter of who wrote c before. */
            bool may = node_first || which == 1;
            check_status(answer, may ? STET_OK : STET_CONCURRENT_MODIFICATION);
        }
    }
}

/* What is below each of them is counted while everybody waits. */
TEST(a_transaction_does_not_move_trees_without_end) {
    (void)state;
    enum { CHILDREN = TREE_NODES_MAX - 1, MOVES = TREE_MOVED_MAX / TREE_NODES_MAX };
    stet_mutation mutations[CHILDREN];
    char ids[CHILDREN][8];
    must_put("a", none, "{}");
    must_put("p", none, "{}");
    must_put("q", none, "{}");
    for (int i = 0; i < CHILDREN; i++) {
        snprintf(ids[i], sizeof ids[i], "c%d", i);
        mutations[i] = under(mutation(STET_OP_PUT, ids[i], none, "{}"), "task/a");
    }
    must(transact(mutations, CHILDREN, NULL));
    for (int i = 0; i <= MOVES; i++)
        mutations[i] = under(mutation(STET_OP_PUT, "a", at((stet_version)i + 1), "{}"),
                             i % 2 == 0 ? "task/p" : "task/q");
    struct answer refused = transact(mutations, MOVES + 1, NULL);
    check_status(refused, STET_TOO_LARGE);
    must(transact(mutations, MOVES, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_record_names_its_parent_until_it_is_moved),
        WORLD(a_parent_must_be_there),
        WORLD(a_circle_is_refused),
        WORLD(two_moves_in_one_batch_make_no_circle),
        WORLD(a_tree_is_at_most_so_deep),
        WORLD(who_has_children_is_not_deleted),
        WORLD(a_child_that_comes_in_the_same_batch_keeps_its_parent_alive),
        WORLD(a_tree_is_read_nested),
        WORLD(putting_back_what_was_read_changes_nothing),
        WORLD(only_what_differs_and_what_is_above_is_written),
        WORLD(nodes_come_go_and_move_together),
        WORLD(parent_and_child_may_change_places),
        WORLD(children_that_are_not_mentioned_stay),
        WORLD(what_is_wrong_in_a_tree_is_pointed_at),
        WORLD(a_node_that_exists_elsewhere_is_named),
        WORLD(a_tree_that_changed_is_refused_with_names),
        WORLD(a_deleted_node_is_named),
        WORLD(who_left_the_tree_is_named_though_nobody_asked),
        WORLD(a_whole_tree_is_deleted_at_once),
        WORLD(a_repeated_put_answers_as_the_first_time),
        WORLD(a_dry_run_of_a_tree_writes_nothing),
        WORLD(a_tree_and_a_node_never_both_win),
        WORLD(a_transaction_does_not_move_trees_without_end),
    };
    return cmocka_run_group_tests_name("trees", tests, NULL, NULL);
}
