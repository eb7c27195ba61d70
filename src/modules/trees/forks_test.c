/* Forks: copies that know where they come from, and what brings them back. Also a model of trees that random puts are compared with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/trees/trees_fixture.h"

/* ---- In a word --------------------------------------------------------------------------- */

static struct answer fork_with(stet_fork asked) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    asked.type = VIEW("task");
    return finish(command, trees_fill_fork(command, &asked, &err), &err);
}

static struct answer fork_of(const char *id, const char *new_id) {
    return fork_with((stet_fork){.id = view_of(id), .new_id = view_of(new_id)});
}

static struct answer fork_tree(const char *id, const char *new_id) {
    return fork_with((stet_fork){.id = view_of(id), .new_id = view_of(new_id), .tree = true});
}

static struct answer merge_with(stet_merge asked) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    asked.type = VIEW("task");
    return finish(command, trees_fill_merge(command, &asked, &err), &err);
}

static struct answer merge_of(const char *id, stet_version base) {
    return merge_with((stet_merge){.id = view_of(id), .base_version = base});
}

static struct answer merge_tree(const char *id, stet_version base) {
    return merge_with((stet_merge){.id = view_of(id), .base_version = base, .tree = true});
}

/* The id of the copy of a node, from a fork's answer. */
static const char *copy_of(const char *answer, const char *original) {
    char pointer[48], from[48];
    for (int i = 0;; i++) {
        snprintf(pointer, sizeof pointer, "/results/%d/forked_from", i);
        const char *text = json_at(answer, pointer);
        assert_non_null(text);
        snprintf(from, sizeof from, "\"task/%s@", original);
        if (strncmp(text, from, strlen(from)) != 0) continue;
        snprintf(pointer, sizeof pointer, "/results/%d/id", i);
        const char *id = json_at(answer, pointer);
        return world_text(view_make(id + 1, strlen(id) - 2));
    }
}

/* ---- Forks ------------------------------------------------------------------------------- */

TEST(a_fork_is_a_copy_that_says_of_what) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    must_put("a", at(1), "{\"n\":2}");
    struct answer answer = must(fork_of("a", "f"));
    check_json(answer.body, "/results/0/forked_from", "\"task/a@2\"");
    check_data("f", 1, "{\"n\":2}");
    check_json(read_record("f").body, "/forked_from", "\"task/a@2\"");
    must_put("f", at(1), "{\"n\":3}");
    check_json(read_record("f").body, "/forked_from", "\"task/a@2\"");
    check_data("a", 2, "{\"n\":2}");
    check_status(fork_of("a", "f"), STET_ALREADY_EXISTS);
    check_status(fork_of("nobody", "g"), STET_NOT_FOUND);
}

TEST(a_fork_may_have_a_parent_and_a_made_up_id) {
    (void)state;
    chain();
    struct answer answer = must(fork_with((stet_fork){.id = VIEW("c"), .parent = VIEW("task/a")}));
    check_json(answer.body, "/results/0/parent", "\"task/a\"");
    check_status(fork_with((stet_fork){.id = VIEW("c"), .parent = VIEW("task/nobody")}),
                 STET_NOT_FOUND);
}

TEST(a_whole_tree_is_forked) {
    (void)state;
    chain();
    must(put_under("d", none, "task/a", "{\"n\":4}"));
    struct answer answer = must(fork_tree("a", "f"));
    const char *tree = must(tree_of("f")).body;
    check_json(tree, "/count", "4");
    check_no_json(tree, "/tree/parent");
    check_json(tree, "/tree/children/0/forked_from", "\"task/b@1\"");
    check_json(tree, "/tree/children/0/children/0/forked_from", "\"task/c@1\"");
    check_json(tree, "/tree/children/1/data", "{\"n\":4}");
    check_json(must(tree_of("a")).body, "/count", "4");
    check_json(tree, "/seq", json_at(answer.body, "/seq"));
}

TEST(a_repeated_fork_makes_no_second_copy) {
    (void)state;
    must_put("a", none, "{}");
    const stet_fork asked = {.id = VIEW("a"), .mutation_key = VIEW("k")};
    struct answer first = must(fork_with(asked));
    struct answer again = must(fork_with(asked));
    assert_true(again.replayed);
    assert_string_equal(json_at(first.body, "/results/0/id"), json_at(again.body, "/results/0/id"));
}

/* ---- Merges ------------------------------------------------------------------------------ */

TEST(what_changed_in_a_fork_comes_back) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    must(fork_of("a", "f"));
    must_put("f", at(1), "{\"n\":2}");
    struct answer answer = must(merge_of("f", 2));
    check_json(answer.body, "/results/0/address", "\"task/a\"");
    check_data("a", 2, "{\"n\":2}");
    check_data("f", 3, "{\"n\":2}");
    check_json(read_record("f").body, "/forked_from", "\"task/a@2\"");
    /* There is nothing left to bring. */
    answer = must(merge_of("f", 3));
    assert_true(answer.unchanged);
    check_json(answer.body, "/unchanged", "true");
    check_data("a", 2, "{\"n\":2}");
}

TEST(a_fork_that_did_not_change_brings_nothing) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    must(fork_of("a", "f"));
    must_put("a", at(1), "{\"n\":5}");
    assert_true(must(merge_of("f", 1)).unchanged);
    check_data("a", 2, "{\"n\":5}");
}

TEST(a_merge_must_name_the_fork_as_it_is) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    must(fork_of("a", "f"));
    must_put("f", at(1), "{\"n\":2}");
    check_status(merge_of("f", 0), STET_PRECONDITION_REQUIRED);
    struct answer refused = merge_of("f", 1);
    check_status(refused, STET_CONCURRENT_MODIFICATION);
    check_json(refused.body, "/conflicts/0/address", "\"task/f\"");
    check_data("a", 1, "{\"n\":1}");
    check_status(merge_of("a", 1), STET_BAD_REQUEST);
}

TEST(what_both_changed_is_a_conflict_that_a_person_settles) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    must(fork_of("a", "f"));
    must_put("f", at(1), "{\"n\":2}");
    must_put("a", at(1), "{\"n\":3}");
    struct answer refused = merge_of("f", 2);
    check_status(refused, STET_CONCURRENT_MODIFICATION);
    check_json(refused.body, "/conflicts/0/address", "\"task/a\"");
    check_json(refused.body, "/conflicts/0/yours", "{\"n\":2}");
    check_data("f", 2, "{\"n\":2}");
    const stet_merge by_hand = {
        .id = VIEW("f"), .base_version = 2, .data = VIEW("{\"n\":5}"), .into_version = 2};
    must(merge_with(by_hand));
    check_data("a", 3, "{\"n\":5}");
    check_data("f", 3, "{\"n\":5}");
    check_json(read_record("f").body, "/forked_from", "\"task/a@3\"");
    assert_true(must(merge_of("f", 3)).unchanged);
}

/* Else the next merge would take what the fork never saw for the fork's own change. */
TEST(a_fork_whose_changes_are_there_already_takes_over_the_rest) {
    (void)state;
    must_put("a", none, "{\"n\":1,\"m\":1}");
    must(fork_of("a", "f"));
    must_put("f", at(1), "{\"n\":2,\"m\":1}");
    must_put("a", at(1), "{\"n\":2,\"m\":9}");
    must(merge_of("f", 2));
    check_data("a", 2, "{\"n\":2,\"m\":9}");
    check_data("f", 3, "{\"n\":2,\"m\":9}");
    must_put("f", at(3), "{\"n\":3,\"m\":9}");
    must(merge_of("f", 4));
    check_data("a", 3, "{\"n\":3,\"m\":9}");
}

TEST(a_fork_may_win) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    must(fork_of("a", "f"));
    must_put("f", at(1), "{\"n\":2}");
    must_put("a", at(1), "{\"n\":3}");
    must(merge_with((stet_merge){
        .id = VIEW("f"), .base_version = 2, .on_conflict = STET_STRATEGY_LAST_WRITER_WINS}));
    check_data("a", 3, "{\"n\":2}");
}

TEST(a_forked_tree_comes_back_node_by_node) {
    (void)state;
    chain();
    must(put_under("d", none, "task/a", "{}"));
    const char *fork = must(fork_tree("a", "f")).body;
    const char *b = copy_of(fork, "b"), *c = copy_of(fork, "c"), *d = copy_of(fork, "d");
    char address[64];
    /* In the fork: b changes, c moves to the top, d goes, e is new under c. */
    must_put(b, at(1), "{\"n\":2}");
    must(put_under(c, at(1), "task/f", "{}"));
    must_delete(d, at(1));
    snprintf(address, sizeof address, "task/%s", c);
    must(put_under("e", none, address, "{\"n\":5}"));
    must(merge_tree("f", 1));
    check_data("b", 2, "{\"n\":2}");
    check_json(read_record("c").body, "/parent", "\"task/a\"");
    check_status(read_record("d"), STET_DELETED);
    const char *tree = must(tree_of("a")).body;
    check_json(tree, "/count", "4");
    check_json(tree, "/tree/children/1/children/0/data", "{\"n\":5}");
    check_json(must(tree_of("f")).body, "/count", "4");
    /* A second time there is nothing to do: what was new has an original now. */
    assert_true(must(merge_tree("f", 1)).unchanged);
}

TEST(a_tree_whose_node_conflicts_is_not_merged_at_all) {
    (void)state;
    chain();
    const char *fork = must(fork_tree("a", "f")).body;
    const char *b = copy_of(fork, "b"), *c = copy_of(fork, "c");
    must_put(b, at(1), "{\"n\":2}");
    must_delete(c, at(1));
    must_put("c", at(1), "{\"mine\":1}");
    struct answer refused = merge_tree("f", 1);
    check_status(refused, STET_CONCURRENT_MODIFICATION);
    check_json(refused.body, "/conflicts/0/address", "\"task/c\"");
    check_data("b", 1, "{}");
    check_data("c", 2, "{\"mine\":1}");
}

/* ---- A model ----------------------------------------------------------------------------- */

enum { MODEL_IDS = 12, MODEL_ROUNDS = 300 };

/* Node 0 is the top. parent -1: it is not in the tree. */
struct model {
    int parent[MODEL_IDS];
    int value[MODEL_IDS];
};

static uint64_t seed;
static unsigned pick(unsigned below) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

static bool is_below(const struct model *model, int node, int above) {
    for (; node > 0; node = model->parent[node])
        if (node == above) return true;
    return node == above;
}

static void drop(struct model *model, int node) {
    for (int i = 1; i < MODEL_IDS; i++)
        if (model->parent[i] == node) drop(model, i);
    model->parent[node] = -1;
}

/* Ids are used once: what was deleted does not come back under its old one. */
static void mutate(struct model *model, bool *used) {
    for (unsigned steps = 1 + pick(4); steps > 0; steps--) {
        int node = (int)pick(MODEL_IDS), to = (int)pick(MODEL_IDS);
        bool there = node == 0 || model->parent[node] >= 0;
        bool to_there = to == 0 || model->parent[to] >= 0;
        switch (pick(4)) {
        case 0:
            if (there) model->value[node] = (int)pick(3);
            break;
        case 1:
            if (!there && !used[node] && to_there) {
                model->parent[node] = to;
                used[node] = true;
            }
            break;
        case 2:
            if (there && node != 0 && to_there && !is_below(model, to, node))
                model->parent[node] = to;
            break;
        case 3:
            if (there && node != 0 && pick(3) == 0) drop(model, node);
            break;
        }
    }
}

static void write_model(const struct model *model, int node, struct buffer *out) {
    char text[64];
    snprintf(text, sizeof text, "{\"id\":\"m%d\",\"data\":{\"n\":%d},\"children\":[", node,
             model->value[node]);
    buffer_append_text(out, text);
    bool first = true;
    for (int i = 1; i < MODEL_IDS; i++) {
        if (model->parent[i] != node) continue;
        if (!first) buffer_append_char(out, ',');
        first = false;
        write_model(model, i, out);
    }
    buffer_append_text(out, "]}");
}

static int count_model(const struct model *model) {
    int count = 1;
    for (int i = 1; i < MODEL_IDS; i++)
        count += model->parent[i] >= 0;
    return count;
}

/* Every node of the model is where the model says, with its data. */
static void check_model(const struct model *model) {
    char id[8], expected[32];
    for (int i = 0; i < MODEL_IDS; i++) {
        snprintf(id, sizeof id, "m%d", i);
        struct answer answer = read_record(id);
        if (i > 0 && model->parent[i] < 0) {
            assert_int_not_equal(answer.status, STET_OK);
            continue;
        }
        check_status(answer, STET_OK);
        snprintf(expected, sizeof expected, "{\"n\":%d}", model->value[i]);
        check_json(answer.body, "/data", expected);
        snprintf(expected, sizeof expected, "\"task/m%d\"", i == 0 ? 0 : model->parent[i]);
        if (i > 0) check_json(answer.body, "/parent", expected);
    }
    snprintf(expected, sizeof expected, "%d", count_model(model));
    check_json(must(tree_of("m0")).body, "/count", expected);
}

TEST(random_puts_make_the_tree_what_the_model_says) {
    (void)state;
    const char *given = getenv("STET_SEED");
    uint64_t start_seed = given != NULL ? strtoull(given, NULL, 10) : 20261122;
    print_message("seed %llu\n", (unsigned long long)start_seed);
    for (int round = 0; round < MODEL_ROUNDS; round++) {
        struct model model;
        bool used[MODEL_IDS] = {true};
        seed = start_seed * 1000003 + (uint64_t)round + 1;
        world_close(NULL);
        open_world(NULL);
        for (int i = 0; i < MODEL_IDS; i++)
            model = (struct model){0};
        for (int i = 0; i < MODEL_IDS; i++)
            model.parent[i] = -1;
        must_put("m0", none, "{\"n\":0}");
        const char *seen = must(tree_of("m0")).body;
        for (int put = 0; put < 6; put++) {
            struct buffer text;
            mutate(&model, used);
            buffer_init(&text, &world.arena, 0);
            write_model(&model, 0, &text);
            struct answer answer = put_tree("m0", seen, world_text(buffer_view(&text)));
            if (answer.status != STET_OK)
                fail_msg("round %d: %s %s", round, answer.message, answer.body);
            check_model(&model);
            seen = answer.body;
            check_json(must(tree_of("m0")).body, "/tree_version", json_at(seen, "/tree_version"));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_fork_is_a_copy_that_says_of_what),
        WORLD(a_fork_may_have_a_parent_and_a_made_up_id),
        WORLD(a_whole_tree_is_forked),
        WORLD(a_repeated_fork_makes_no_second_copy),
        WORLD(what_changed_in_a_fork_comes_back),
        WORLD(a_fork_that_did_not_change_brings_nothing),
        WORLD(a_merge_must_name_the_fork_as_it_is),
        WORLD(what_both_changed_is_a_conflict_that_a_person_settles),
        WORLD(a_fork_whose_changes_are_there_already_takes_over_the_rest),
        WORLD(a_fork_may_win),
        WORLD(a_forked_tree_comes_back_node_by_node),
        WORLD(a_tree_whose_node_conflicts_is_not_merged_at_all),
        WORLD(random_puts_make_the_tree_what_the_model_says),
    };
    return cmocka_run_group_tests_name("forks", tests, NULL, NULL);
}
