/* What becomes of stale writes: each strategy with each operation, who is told, and what history keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/write_fixture.h"

#include "core/policy_fixture.h"
#include "core/provenance.h"

#define TEST(name) static void name(void **state)
#define CONFLICT STET_CONCURRENT_MODIFICATION

static stet_mutation with(stet_strategy strategy, stet_op op, stet_base base, const char *body) {
    stet_mutation one = mutation(op, "1", base, body);
    one.on_conflict = strategy;
    return one;
}

static struct answer try_with(stet_strategy strategy, stet_op op, stet_base base,
                              const char *body) {
    return apply_one(with(strategy, op, base, body));
}

static struct answer merge_put(stet_base base, const char *body) {
    return try_with(STET_STRATEGY_MERGE, STET_OP_PUT, base, body);
}

static struct answer dry(stet_mutation one) {
    return run(&(stet_write){.mutations = &one, .mutation_count = 1, .dry_run = true});
}

/* Version 1 by ann, 2 by bob: b was 1 and is 2. */
static void two_versions(void) {
    be("ann");
    must_put("1", none, "{\"a\":1,\"b\":1,\"c\":1}");
    be("bob");
    must_put("1", at(1), "{\"a\":1,\"b\":2,\"c\":1}");
    be("ann");
    told.count = 0;
}

/* ---- Moves ------------------------------------------------------------------------------- */

static struct answer move(stet_strategy strategy, stet_base base, const char *body,
                          const char *parent) {
    stet_mutation one = with(strategy, STET_OP_PUT, base, body);
    one.sets_parent = true;
    one.parent = view_of(parent);
    return apply_one(one);
}

TEST(two_moves_to_different_parents_are_a_conflict_under_every_strategy) {
    (void)state;
    static const stet_strategy strategies[] = {STET_STRATEGY_MERGE, STET_STRATEGY_LAST_WRITER_WINS,
                                               STET_STRATEGY_ASK};
    must_put("p", none, "{}");
    must_put("q", none, "{}");
    must_put("1", none, "{\"a\":1}");
    must(move(STET_STRATEGY_DEFAULT, at(1), "{\"a\":1}", "task/p"));
    for (size_t i = 0; i < sizeof strategies / sizeof strategies[0]; i++) {
        struct answer refused = move(strategies[i], at(1), "{\"a\":2}", "task/q");
        check_status(refused, CONFLICT);
        assert_non_null(strstr(refused.body, "its parent is now task/p"));
    }
    check_data("1", 2, "{\"a\":1}");
}

/* What waits is data; the move would be forgotten. */
TEST(a_move_does_not_wait_with_its_data) {
    (void)state;
    told.parks = true;
    must_put("p", none, "{}");
    two_versions();
    check_status(move(STET_STRATEGY_ASK, at(1), "{\"a\":1,\"b\":3,\"c\":1}", "task/p"), CONFLICT);
    assert_true(must(move(STET_STRATEGY_ASK, at(1), "{\"a\":1,\"b\":3,\"c\":1}", "")).parked);
}

TEST(a_move_beside_an_edit_keeps_both) {
    (void)state;
    must_put("p", none, "{}");
    two_versions();
    struct answer moved =
        must(move(STET_STRATEGY_MERGE, at(1), "{\"a\":1,\"b\":1,\"c\":1}", "task/p"));
    assert_int_equal(moved.version, 3);
    check_json(moved.body, "/parent", "\"task/p\"");
    check_json(moved.body, "/data/b", "2");
    /* The same move again, from as stale a base, changes nothing more. */
    moved = must(move(STET_STRATEGY_MERGE, at(1), "{\"a\":1,\"b\":1,\"c\":1}", "task/p"));
    assert_true(moved.unchanged);
}

/* ---- Merge ------------------------------------------------------------------------------- */

TEST(a_stale_put_on_other_fields_merges) {
    (void)state;
    two_versions();
    struct answer merged = must(merge_put(at(1), "{\"a\":9,\"b\":1,\"c\":1}"));
    assert_true(merged.merged);
    assert_int_equal(merged.version, 3);
    check_data("1", 3, "{\"a\":9,\"b\":2,\"c\":1}");
    check_told(SETTLEMENT_MERGED);
    assert_int_equal(told.loss_count, 0);
    assert_int_equal(told.head_version, 2);
    assert_string_equal(told.result, "{\"a\":9,\"b\":2,\"c\":1}");
}

TEST(a_merge_says_where_each_value_came_from) {
    (void)state;
    two_versions();
    struct answer merged = must(merge_put(at(1), "{\"a\":9,\"b\":1,\"c\":1}"));
    check_json(merged.body, "/merge/strategy", "\"merge\"");
    check_json(merged.body, "/merge/parents", "[1,2]");
    check_json(merged.body, "/merge/fields",
               "{\"/a\":{\"from\":\"yours\"},\"/b\":{\"from\":\"current\"}}");
    check_json(merged.body, "/merge/conflict_id", "\"seq-3\"");
    check_json(history_of("1").body, "/changes/0/merge/conflict_id", "\"seq-3\"");
    check_json(history_of("1").body, "/changes/0/base_version", "1");
}

TEST(a_stale_patch_merges_what_it_made_of_its_base) {
    (void)state;
    two_versions();
    must(try_with(STET_STRATEGY_MERGE, STET_OP_PATCH, at(1), "{\"a\":null,\"d\":4}"));
    check_data("1", 3, "{\"b\":2,\"c\":1,\"d\":4}");
}

TEST(a_stale_json_patch_merges) {
    (void)state;
    two_versions();
    must(try_with(STET_STRATEGY_MERGE, STET_OP_PATCH_JSON, at(1),
                  "[{\"op\":\"test\",\"path\":\"/b\",\"value\":1},"
                  "{\"op\":\"replace\",\"path\":\"/c\",\"value\":7}]"));
    check_data("1", 3, "{\"a\":1,\"b\":2,\"c\":7}");
}

TEST(a_patch_that_does_not_fit_its_base_is_refused_also_when_stale) {
    (void)state;
    two_versions();
    check_status(try_with(STET_STRATEGY_MERGE, STET_OP_PATCH_JSON, at(1),
                          "[{\"op\":\"remove\",\"path\":\"/none\"}]"),
                 STET_PATCH_FAILED);
}

TEST(a_stale_revert_merges) {
    (void)state;
    two_versions();
    must_put("1", at(2), "{\"a\":5,\"b\":2,\"c\":1}");
    stet_mutation back = with(STET_STRATEGY_MERGE, STET_OP_REVERT, at(2), NULL);
    back.revert_to = 1;
    must(apply_one(back));
    check_data("1", 4, "{\"a\":5,\"b\":1,\"c\":1}");
}

TEST(the_same_field_is_a_conflict_and_nothing_is_staged) {
    (void)state;
    two_versions();
    struct answer lost = merge_put(at(1), "{\"a\":1,\"b\":3,\"c\":1}");
    check_status(lost, CONFLICT);
    check_json(lost.body, "/conflict_type", "\"concurrent_edit\"");
    assert_int_equal(told.count, 0);
    check_data("1", 2, "{\"a\":1,\"b\":2,\"c\":1}");
}

TEST(a_deletion_merges_with_nothing_but_itself) {
    (void)state;
    two_versions();
    check_status(try_with(STET_STRATEGY_MERGE, STET_OP_DELETE, at(1), NULL), CONFLICT);
    must_put("1", at(2), "{\"c\":1,\"b\":1,\"a\":1}");
    struct answer gone = must(try_with(STET_STRATEGY_MERGE, STET_OP_DELETE, at(1), NULL));
    assert_int_equal(gone.version, 4);
    assert_true(gone.merged);
    check_status(read_record("1"), STET_DELETED);
}

TEST(an_edit_of_what_was_deleted_is_a_conflict) {
    (void)state;
    two_versions();
    must_delete("1", at(2));
    check_status(merge_put(at(2), "{\"a\":2}"), CONFLICT);
    check_status(try_with(STET_STRATEGY_MERGE, STET_OP_PATCH, at(1), "{\"a\":2}"), CONFLICT);
}

TEST(a_base_the_record_never_had_is_a_conflict) {
    (void)state;
    two_versions();
    check_status(merge_put(at(99), "{\"a\":9,\"b\":2,\"c\":1}"), CONFLICT);
    assert_true(must(merge_put(at(99), "{\"a\":1,\"b\":2,\"c\":1}")).unchanged);
}

TEST(merging_with_a_head_of_the_same_batch) {
    (void)state;
    must_put("1", none, "{\"a\":1,\"b\":1}");
    stet_mutation first = with(STET_STRATEGY_MERGE, STET_OP_PUT, at(1), "{\"a\":2,\"b\":1}");
    stet_mutation second = with(STET_STRATEGY_MERGE, STET_OP_PATCH, at(1), "{\"b\":2}");
    stet_mutation third = with(STET_STRATEGY_MERGE, STET_OP_PATCH, at(2), "{\"c\":3}");
    struct stet_command *one = start(&(stet_write){.mutations = &first, .mutation_count = 1});
    struct stet_command *two = start(&(stet_write){.mutations = &second, .mutation_count = 1});
    struct stet_command *three = start(&(stet_write){.mutations = &third, .mutation_count = 1});
    must(take(one));
    assert_true(must(take(two)).merged);
    assert_true(must(take(three)).merged);
    check_data("1", 4, "{\"a\":2,\"b\":2,\"c\":3}");
}

TEST(a_replay_of_a_merge_says_so) {
    (void)state;
    two_versions();
    stet_mutation one = with(STET_STRATEGY_MERGE, STET_OP_PATCH, at(1), "{\"a\":9}");
    must(keyed(one, "k"));
    struct answer again = must(keyed(one, "k"));
    assert_true(again.replayed && again.merged);
    check_json(again.body, "/merge/parents", "[1,2]");
    assert_int_equal(again.version, 3);
}

TEST(a_type_that_merges_by_default_merges) {
    (void)state;
    declare_type(STET_STRATEGY_MERGE, "{}");
    two_versions();
    must(apply(STET_OP_PATCH, "1", at(1), "{\"a\":9}"));
    check_data("1", 3, "{\"a\":9,\"b\":2,\"c\":1}");
}

TEST(a_merge_may_span_more_versions_than_memory_knows) {
    (void)state;
    must_put("1", none, "{\"a\":1,\"b\":1}");
    for (stet_version v = 1; v <= 40; v++) {
        char text[40];
        snprintf(text, sizeof text, "{\"a\":1,\"b\":%d}", (int)v + 1);
        must_put("1", at(v), text);
    }
    must(try_with(STET_STRATEGY_MERGE, STET_OP_PATCH, at(7), "{\"a\":2}"));
    check_data("1", 42, "{\"a\":2,\"b\":41}");
}

/* After a restart nothing of a record is in memory but what is staged. */
TEST(a_base_is_found_wherever_it_lies) {
    enum { VERSIONS = 20 };
    char folder[] = "/tmp/stet-settle-XXXXXX", text[64], command[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    world_open_with(told_modules, folder);
    for (stet_version v = 1; v <= VERSIONS; v++) {
        snprintf(text, sizeof text, "{\"b\":%d}", (int)v);
        must_put("1", v == 1 ? none : at(v - 1), text);
    }
    for (stet_version v = 1; v < VERSIONS; v++) {
        struct stet_command *commands[3];
        fixture_close(&world.fixture);
        world_reopen();
        for (int i = 0; i < 3; i++) {
            snprintf(text, sizeof text, "{\"b\":%d,\"%c%d\":%d}", (int)v, "pqr"[i], (int)v, (int)v);
            stet_mutation one =
                with(STET_STRATEGY_MERGE, i < 2 ? STET_OP_PUT : STET_OP_PATCH, at(v), text);
            commands[i] = start(&(stet_write){.mutations = &one, .mutation_count = 1});
        }
        for (int i = 0; i < 3; i++)
            assert_true(must(take(commands[i])).merged);
    }
    struct answer all = must(read_record("1"));
    assert_int_equal(all.version, VERSIONS + 3 * (VERSIONS - 1));
    check_json(all.body, "/data/b", "20");
    for (int v = 1; v < VERSIONS; v++) {
        char pointer[16], value[16];
        snprintf(value, sizeof value, "%d", v);
        for (int i = 0; i < 3; i++) {
            snprintf(pointer, sizeof pointer, "/data/%c%d", "pqr"[i], v);
            check_json(all.body, pointer, value);
        }
    }
    world_close(state);
    snprintf(command, sizeof command, "rm -rf -- '%s'", folder);
    assert_int_equal(system(command), 0);
}

TEST(bases_that_have_left_memory_are_found_in_the_store) {
    (void)state;
    char folder[] = "/tmp/stet-settle-XXXXXX", command[64];
    assert_non_null(mkdtemp(folder));
    world_close(NULL);
    world_open_with(told_modules, folder);
    for (const char *const *id = (const char *const[]){"seen", "unseen", NULL}; *id != NULL; id++) {
        must_put(*id, none, "{\"a\":1,\"b\":1}");
        must_put(*id, at(1), "{\"a\":1,\"b\":2}");
        must_put(*id, at(2), "{\"a\":1,\"b\":3}");
    }
    fixture_close(&world.fixture);
    world_reopen();
    must(read_record("seen"));
    for (stet_version base = 2; base >= 1; base--) {
        stet_mutation one = mutation(STET_OP_PUT, "seen", at(base), "");
        one.body = arena_format(&world.arena, "{\"a\":1,\"b\":%d,\"c%d\":1}", (int)base, (int)base);
        one.on_conflict = STET_STRATEGY_MERGE;
        assert_true(must(apply_one(one)).merged);
    }
    check_json(read_record("seen").body, "/data", "{\"a\":1,\"b\":3,\"c2\":1,\"c1\":1}");
    stet_mutation one = mutation(STET_OP_PUT, "unseen", at(1), "{\"a\":1,\"b\":9}");
    one.on_conflict = STET_STRATEGY_LAST_WRITER_WINS;
    be("bob");
    told.count = 0;
    must(apply_one(one));
    check_told(SETTLEMENT_APPLIED);
    check_loss(0, "/b", "ann", 3);
    world_close(NULL);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    told_open(NULL);
}

/* ---- Rules ------------------------------------------------------------------------------- */

TEST(counters_add_up_also_when_two_write_the_same) {
    (void)state;
    declare_type(STET_STRATEGY_MERGE, "{\"/b\":{\"merge\":\"delta\"}}");
    two_versions();
    struct answer merged = must(try_put("1", at(1), "{\"a\":1,\"b\":2,\"c\":1}"));
    assert_true(merged.merged);
    assert_false(merged.unchanged);
    check_data("1", 3, "{\"a\":1,\"b\":3,\"c\":1}");
    check_json(merged.body, "/merge/fields",
               "{\"/b\":{\"from\":\"rule\",\"rule\":\"delta\",\"yours\":2}}");
}

TEST(a_rule_that_gives_up_the_current_value_names_its_author) {
    (void)state;
    declare_type(STET_STRATEGY_MERGE, "{\"/b\":{\"merge\":\"last_writer_wins\"}}");
    two_versions();
    be("cyd");
    must_put("1", at(2), "{\"a\":1,\"b\":2,\"c\":7}");
    be("ann");
    told.count = 0;
    struct answer merged = must(try_put("1", at(1), "{\"a\":1,\"b\":3,\"c\":1}"));
    check_data("1", 4, "{\"a\":1,\"b\":3,\"c\":7}");
    check_told(SETTLEMENT_MERGED);
    assert_int_equal(told.loss_count, 1);
    check_loss(0, "/b", "bob", 2);
    check_json(merged.body, "/merge/fields/~1b/dropped", "\"current\"");
}

TEST(a_rule_that_gives_up_all_of_yours_drops_the_write) {
    (void)state;
    declare_type(STET_STRATEGY_MERGE, "{\"/b\":{\"merge\":\"first\"}}");
    two_versions();
    struct answer dropped = must(try_put("1", at(1), "{\"a\":1,\"b\":3,\"c\":1}"));
    assert_true(dropped.dropped);
    check_json(dropped.body, "/applied", "false");
    check_told(SETTLEMENT_DROPPED);
    check_data("1", 2, "{\"a\":1,\"b\":2,\"c\":1}");
}

TEST(what_two_made_together_may_break_the_rules_and_is_a_conflict) {
    (void)state;
    declare_type(STET_STRATEGY_MERGE, "{\"/b\":{\"merge\":\"delta\",\"maximum\":3}}");
    two_versions();
    check_status(try_put("1", at(1), "{\"a\":1,\"b\":3,\"c\":1}"), CONFLICT);
}

/* ---- Provenance: yours again ------------------------------------------------------------- */

static void check_yours(const char *base, const char *yours) {
    struct stet_command *command = command_create(world.fixture.client);
    struct change *head = NULL;
    struct doc expected, found;
    stet_view rebuilt;
    stet_error err = {0};
    assert_int_equal(client_head(world.fixture.client, world.fixture.space, VIEW("task"), VIEW("1"),
                                 &head, NULL),
                     STET_OK);
    if (provenance_yours(&command->arena, view_of(base), &head->row, &rebuilt, &err) != STET_OK)
        fail_msg("%s", err.message);
    assert_int_equal(doc_parse(&command->arena, rebuilt, NULL, &found, NULL), STET_OK);
    assert_int_equal(doc_parse(&command->arena, view_of(yours), NULL, &expected, NULL), STET_OK);
    if (!doc_equal(&found, 0, &expected, 0)) fail_msg("%s, not %s", world_text(rebuilt), yours);
    change_unref(head);
    command_destroy(command);
}

TEST(yours_can_be_had_again_from_a_merge) {
    (void)state;
    declare_type(STET_STRATEGY_MERGE,
                 "{\"/n\":{\"merge\":\"delta\"},\"/w\":{\"merge\":\"last_writer_wins\"},"
                 "\"/f\":{\"merge\":\"first\"},\"/s\":{\"merge\":\"set\"},"
                 "\"/l\":{\"merge\":\"by_key\",\"key\":\"id\",\"fields\":{\"/q\":{\"merge\":"
                 "\"delta\"}}}}");
    const char *base = "{\"n\":1,\"w\":1,\"f\":1,\"s\":[1,2],\"o\":{\"x\":1,\"y\":1},\"gone\":1,"
                       "\"l\":[{\"id\":1,\"q\":1},{\"id\":2,\"q\":2}],\"t\":0}";
    const char *current = "{\"n\":3,\"w\":2,\"f\":2,\"s\":[2,3],\"o\":{\"x\":2,\"y\":1},\"gone\":1,"
                          "\"l\":[{\"id\":2,\"q\":3},{\"id\":1,\"q\":1},{\"id\":3,\"q\":1}],"
                          "\"new\":{\"c\":1},\"t\":1}";
    const char *yours = "{\"n\":4,\"w\":3,\"f\":3,\"s\":[1,4],\"o\":{\"x\":1,\"y\":2},"
                        "\"l\":[{\"id\":1,\"q\":9},{\"id\":2,\"q\":4}],\"new\":{\"d\":2},\"t\":1}";
    must_put("1", none, base);
    must_put("1", at(1), current);
    must(try_put("1", at(1), yours));
    check_yours(base, yours);
}

TEST(yours_can_be_had_again_where_a_rule_gave_it_up) {
    (void)state;
    declare_type(STET_STRATEGY_MERGE, "{\"/f\":{\"merge\":\"first\"}}");
    must_put("1", none, "{\"f\":1,\"g\":1}");
    must_put("1", at(1), "{\"f\":2,\"g\":1}");
    must(try_put("1", at(1), "{\"g\":2}"));
    check_data("1", 3, "{\"f\":2,\"g\":2}");
    check_yours("{\"f\":1,\"g\":1}", "{\"g\":2}");
}

/* ---- Last writer wins -------------------------------------------------------------------- */

TEST(the_last_writer_replaces_and_the_loser_is_named) {
    (void)state;
    two_versions();
    must(try_with(STET_STRATEGY_LAST_WRITER_WINS, STET_OP_PUT, at(1), "{\"a\":9,\"b\":1,\"c\":1}"));
    check_told(SETTLEMENT_APPLIED);
    assert_int_equal(told.loss_count, 1);
    check_loss(0, "/b", "bob", 2);
    check_data("1", 3, "{\"a\":9,\"b\":1,\"c\":1}");
}

TEST(a_patch_of_other_fields_takes_nothing_from_anybody) {
    (void)state;
    two_versions();
    must(try_with(STET_STRATEGY_LAST_WRITER_WINS, STET_OP_PATCH, at(1), "{\"a\":9}"));
    check_told(SETTLEMENT_APPLIED);
    assert_int_equal(told.loss_count, 0);
    check_data("1", 3, "{\"a\":9,\"b\":2,\"c\":1}");
}

TEST(nobody_is_told_of_a_loss_to_themselves) {
    (void)state;
    two_versions();
    be("bob");
    must(try_with(STET_STRATEGY_LAST_WRITER_WINS, STET_OP_PUT, at(1), "{\"a\":9,\"b\":1,\"c\":1}"));
    check_told(SETTLEMENT_APPLIED);
    assert_int_equal(told.loss_count, 0);
}

TEST(each_author_loses_what_they_wrote_last) {
    (void)state;
    two_versions();
    be("cyd");
    must_put("1", at(2), "{\"a\":1,\"b\":2,\"c\":3}");
    be("bob");
    must_put("1", at(3), "{\"a\":4,\"b\":2,\"c\":3}");
    be("cyd");
    must_put("1", at(4), "{\"a\":5,\"b\":2,\"c\":3}");
    be("ann");
    told.count = 0;
    must(try_with(STET_STRATEGY_LAST_WRITER_WINS, STET_OP_DELETE, at(1), NULL));
    check_told(SETTLEMENT_APPLIED);
    assert_true(told.deletes);
    assert_int_equal(told.loss_count, 3);
    check_loss(0, "/a", "cyd", 5);
    check_loss(1, "/c", "cyd", 3);
    check_loss(2, "/b", "bob", 2);
}

TEST(everybody_loses_what_they_put_into_a_list) {
    (void)state;
    must_put("1", none, "{\"tags\":[],\"a\":1}");
    be("bob");
    must_put("1", at(1), "{\"tags\":[\"b\"],\"a\":2}");
    be("cyd");
    must_put("1", at(2), "{\"tags\":[\"b\",\"c\"],\"a\":3}");
    must_put("1", at(3), "{\"tags\":[\"b\",\"c\",\"d\"],\"a\":3}");
    be("dee");
    must_put("1", at(4), "{\"tags\":[\"b\",\"c\",\"d\"],\"a\":3,\"z\":1}");
    be("ann");
    told.count = 0;
    must(try_with(STET_STRATEGY_LAST_WRITER_WINS, STET_OP_PUT, at(1),
                  "{\"tags\":[\"x\"],\"a\":9,\"z\":1}"));
    check_told(SETTLEMENT_APPLIED);
    assert_int_equal(told.loss_count, 3);
    check_loss(0, "/tags", "cyd", 4);
    check_loss(1, "/a", "cyd", 3);
    check_loss(2, "/tags", "bob", 2);
}

/* The newest version is the writer's own; what it was merged with is somebody else's. */
TEST(everybody_loses_what_a_rule_added_up) {
    (void)state;
    declare_type(STET_STRATEGY_MERGE, "{\"/n\":{\"merge\":\"delta\"}}");
    must_put("1", none, "{\"n\":0}");
    be("bob");
    must_put("1", at(1), "{\"n\":5}");
    be("cyd");
    must(try_with(STET_STRATEGY_MERGE, STET_OP_PUT, at(1), "{\"n\":3}"));
    be("ann");
    must(try_with(STET_STRATEGY_MERGE, STET_OP_PUT, at(1), "{\"n\":1}"));
    check_data("1", 4, "{\"n\":9}");
    declare_type(STET_STRATEGY_LAST_WRITER_WINS, "{\"/n\":{\"merge\":\"delta\"}}");
    told.count = 0;
    must(try_with(STET_STRATEGY_LAST_WRITER_WINS, STET_OP_PUT, at(1), "{\"n\":1}"));
    check_told(SETTLEMENT_APPLIED);
    assert_int_equal(told.loss_count, 2);
    check_loss(0, "/n", "cyd", 3);
    check_loss(1, "/n", "bob", 2);
}

TEST(who_deleted_is_told_when_the_record_comes_back) {
    (void)state;
    two_versions();
    be("bob");
    must_delete("1", at(2));
    be("ann");
    told.count = 0;
    must(try_with(STET_STRATEGY_LAST_WRITER_WINS, STET_OP_PUT, at(1), "{\"a\":9}"));
    check_told(SETTLEMENT_APPLIED);
    assert_int_equal(told.loss_count, 1);
    check_loss(0, "", "bob", 3);
}

TEST(a_base_too_far_back_does_not_win) {
    (void)state;
    must_put("1", none, "{\"n\":0}");
    for (stet_version v = 1; v <= OVERWRITE_VERSIONS_MAX + 1; v++) {
        char text[40];
        snprintf(text, sizeof text, "{\"n\":%d}", (int)v);
        must_put("1", at(v), text);
    }
    be("bob");
    struct answer lost = try_with(STET_STRATEGY_LAST_WRITER_WINS, STET_OP_PUT, at(1), "{\"n\":-1}");
    check_status(lost, CONFLICT);
    assert_string_equal(lost.field, "base_version");
    assert_int_equal(lost.limit, OVERWRITE_VERSIONS_MAX);
    told.count = 0;
    must(try_with(STET_STRATEGY_LAST_WRITER_WINS, STET_OP_PUT, at(2), "{\"n\":-1}"));
    check_told(SETTLEMENT_APPLIED);
    check_loss(0, "/n", "ann", OVERWRITE_VERSIONS_MAX + 2);
}

TEST(who_loses_too_much_to_tell_apart_loses_the_whole_record) {
    (void)state;
    enum { VERSIONS = 12, BYTES = DATA_BYTES_MAX - 100 };
    static const char *const authors[] = {"bob", "cyd", "dee"};
    char *text = malloc(BYTES + 64);
    must_put("1", none, "{\"n\":0,\"pad\":\"\"}");
    for (stet_version v = 1; v <= VERSIONS; v++) {
        int size = snprintf(text, 64, "{\"n\":%d,\"pad\":\"", v == 1 ? 1 : 2);
        memset(text + size, 'a' + (int)v, BYTES);
        memcpy(text + size + BYTES, "\"}", 3);
        be(authors[v % 3]);
        must_put("1", at(v), text);
    }
    free(text);
    be("ann");
    told.count = 0;
    must(try_with(STET_STRATEGY_LAST_WRITER_WINS, STET_OP_PUT, at(1), "{\"n\":0,\"pad\":\"\"}"));
    check_told(SETTLEMENT_APPLIED);
    bool all[3] = {false};
    for (size_t i = 0; i < told.loss_count; i++)
        for (int a = 0; a < 3; a++)
            if (strcmp(told.losses[i].by, authors[a]) == 0) all[a] = true;
    assert_true(all[0] && all[1] && all[2]);
}

static void put_lists(stet_base base, int value) {
    enum { LISTS = 1200 };
    struct buffer text;
    buffer_init(&text, &world.arena, 0);
    for (int i = 0; i < LISTS; i++)
        buffer_append_format(&text, "%s\"%d\":[%d]", i == 0 ? "{" : ",", i, value);
    buffer_append_char(&text, '}');
    must_put("1", base, world_text(buffer_view(&text)));
}

TEST(one_version_may_be_too_much_to_tell_apart) {
    (void)state;
    put_lists(none, 1);
    be("bob");
    put_lists(at(1), 2);
    be("cyd");
    put_lists(at(2), 3);
    be("ann");
    told.count = 0;
    must(try_with(STET_STRATEGY_LAST_WRITER_WINS, STET_OP_PUT, at(1), "{}"));
    check_told(SETTLEMENT_APPLIED);
    assert_in_range(told.loss_count, 1200 + 1, 2 * 1200 - 1);
}

/* ---- Newest ------------------------------------------------------------------------------ */

enum { START = WORLD_START_S };

static stet_mutation dated(stet_op op, stet_base base, const char *body, int64_t seconds) {
    stet_mutation one = with(STET_STRATEGY_NEWEST, op, base, body);
    one.modified_at = (START + seconds) * CLOCK_NS_PER_S;
    return one;
}

TEST(the_newer_of_two_offline_writes_stands_whichever_came_first) {
    (void)state;
    must_put("1", none, "{\"n\":0}");
    clock_manual_advance(&world.clock, 100 * CLOCK_NS_PER_S);
    must(apply_one(dated(STET_OP_PUT, at(1), "{\"n\":50}", 50)));
    be("bob");
    struct answer late = must(apply_one(dated(STET_OP_PUT, at(1), "{\"n\":40}", 40)));
    assert_true(late.dropped);
    check_json(late.body, "/applied", "false");
    check_json(late.body, "/data", "{\"n\":50}");
    told.count = 0;
    assert_true(must(apply_one(dated(STET_OP_PUT, at(1), "{\"n\":60}", 60))).merged);
    check_told(SETTLEMENT_APPLIED);
    check_loss(0, "/n", "ann", 2);
    check_data("1", 3, "{\"n\":60}");
    check_json(history_of("1").body, "/changes/0/origin/modified_at",
               "\"2023-11-14T22:14:20.000000000Z\"");
}

TEST(of_two_writes_of_the_same_instant_the_first_stands) {
    (void)state;
    must_put("1", none, "{\"n\":0}");
    clock_manual_advance(&world.clock, 100 * CLOCK_NS_PER_S);
    must(apply_one(dated(STET_OP_PUT, at(1), "{\"n\":1}", 50)));
    assert_true(must(apply_one(dated(STET_OP_PUT, at(1), "{\"n\":2}", 50))).dropped);
}

TEST(a_write_without_its_time_counts_by_when_it_was_stored) {
    (void)state;
    must_put("1", none, "{\"n\":0}");
    clock_manual_advance(&world.clock, 100 * CLOCK_NS_PER_S);
    must_put("1", at(1), "{\"n\":1}");
    assert_true(must(apply_one(dated(STET_OP_PUT, at(1), "{\"n\":2}", 50))).dropped);
    must(apply_one(dated(STET_OP_PUT, at(1), "{\"n\":3}", 150)));
    check_data("1", 3, "{\"n\":3}");
}

TEST(newest_demands_a_time_only_when_it_must_compare) {
    (void)state;
    must_put("1", none, "{\"n\":0}");
    must(try_with(STET_STRATEGY_NEWEST, STET_OP_PUT, at(1), "{\"n\":1}"));
    struct answer bad = try_with(STET_STRATEGY_NEWEST, STET_OP_PUT, at(1), "{\"n\":2}");
    check_status(bad, STET_BAD_REQUEST);
    assert_string_equal(bad.field, "modified_at");
}

TEST(a_time_that_has_not_come_is_refused) {
    (void)state;
    must_put("1", none, "{\"n\":0}");
    struct answer bad = apply_one(dated(STET_OP_PUT, at(1), "{\"n\":1}", STAMP_JUMP_MAX_S + 5));
    check_status(bad, STET_BAD_REQUEST);
    assert_string_equal(bad.field, "modified_at");
    assert_int_equal(bad.limit, STAMP_JUMP_MAX_S);
    must(apply_one(dated(STET_OP_PUT, at(1), "{\"n\":1}", STAMP_JUMP_MAX_S - 5)));
}

TEST(a_deletion_can_be_the_newest) {
    (void)state;
    must_put("1", none, "{\"n\":0}");
    clock_manual_advance(&world.clock, 100 * CLOCK_NS_PER_S);
    must(apply_one(dated(STET_OP_PUT, at(1), "{\"n\":1}", 50)));
    assert_true(must(apply_one(dated(STET_OP_DELETE, at(1), NULL, 40))).dropped);
    must(apply_one(dated(STET_OP_DELETE, at(1), NULL, 60)));
    assert_true(must(apply_one(dated(STET_OP_PUT, at(1), "{\"n\":2}", 55))).dropped);
    must(apply_one(dated(STET_OP_PUT, at(1), "{\"n\":3}", 65)));
    check_data("1", 4, "{\"n\":3}");
}

/* ---- Server wins ------------------------------------------------------------------------- */

TEST(the_server_wins_over_every_stale_write_and_says_so) {
    (void)state;
    static const stet_op ops[] = {STET_OP_PUT, STET_OP_PATCH, STET_OP_DELETE};
    two_versions();
    uint64_t seq = seq_now();
    for (size_t i = 0; i < 3; i++) {
        struct answer dropped = must(try_with(STET_STRATEGY_SERVER_WINS, ops[i], at(1),
                                              ops[i] == STET_OP_DELETE ? NULL : "{\"a\":9}"));
        assert_true(dropped.dropped);
        assert_false(dropped.unchanged);
        assert_int_equal(dropped.version, 2);
        check_json(dropped.body, "/applied", "false");
        check_told(SETTLEMENT_DROPPED);
    }
    assert_int_equal(seq_now(), seq);
    must(try_with(STET_STRATEGY_SERVER_WINS, STET_OP_PATCH, at(2), "{\"a\":9}"));
    check_data("1", 3, "{\"a\":9,\"b\":2,\"c\":1}");
}

TEST(a_dropped_write_uses_its_key_up) {
    (void)state;
    two_versions();
    stet_mutation one = with(STET_STRATEGY_SERVER_WINS, STET_OP_PATCH, at(1), "{\"a\":9}");
    must(keyed(one, "k"));
    must_put("1", at(2), "{\"z\":1}");
    struct answer again = must(keyed(one, "k"));
    assert_true(again.replayed && again.dropped);
    check_json(again.body, "/applied", "false");
    check_json(again.body, "/data", "{\"a\":1,\"b\":2,\"c\":1}");
    check_json(receipt_of("k").body, "/status", "\"confirmed\"");
    check_json(receipt_of("k").body, "/results/0/applied", "false");
}

TEST(whoever_wants_no_body_still_learns_that_the_write_was_dropped) {
    (void)state;
    two_versions();
    stet_mutation one = with(STET_STRATEGY_SERVER_WINS, STET_OP_PATCH, at(1), "{\"a\":9}");
    struct answer dropped =
        must(run(&(stet_write){.mutations = &one, .mutation_count = 1, .minimal = true}));
    check_json(dropped.body, "/applied", "false");
}

/* ---- Ask --------------------------------------------------------------------------------- */

TEST(ask_merges_what_can_be_merged) {
    (void)state;
    told.parks = true;
    two_versions();
    struct answer merged = must(try_with(STET_STRATEGY_ASK, STET_OP_PATCH, at(1), "{\"a\":9}"));
    assert_true(merged.merged);
    assert_false(merged.parked);
    check_json(merged.body, "/merge/strategy", "\"ask\"");
    check_told(SETTLEMENT_MERGED);
}

TEST(ask_parks_what_cannot_be_merged) {
    (void)state;
    told.parks = true;
    two_versions();
    struct answer parked = must(try_with(STET_STRATEGY_ASK, STET_OP_PATCH, at(1), "{\"b\":9}"));
    assert_true(parked.parked);
    check_told(SETTLEMENT_PARKED);
    assert_true(told.has_merge && !told.clean);
    check_json(parked.body, "/status", "\"parked\"");
    check_json(parked.body, "/conflict_id", "\"waiting-1\"");
    check_json(parked.body, "/address", "\"task/1\"");
    check_json(parked.body, "/fallback", "\"server_wins\"");
    check_json(parked.body, "/deadline", "\"2030-01-01T00:00:00Z\"");
    check_json(parked.body, "/applied", "false");
    check_data("1", 2, "{\"a\":1,\"b\":2,\"c\":1}");
}

TEST(ask_parks_deletions_and_edits_of_what_was_deleted) {
    (void)state;
    told.parks = true;
    two_versions();
    assert_true(must(try_with(STET_STRATEGY_ASK, STET_OP_DELETE, at(1), NULL)).parked);
    assert_true(told.deletes);
    must_delete("1", at(2));
    assert_true(must(try_with(STET_STRATEGY_ASK, STET_OP_PUT, at(1), "{\"a\":9}")).parked);
}

TEST(a_parked_write_is_replayed_and_its_receipt_follows_it) {
    (void)state;
    told.parks = true;
    two_versions();
    stet_mutation one = with(STET_STRATEGY_ASK, STET_OP_PATCH, at(1), "{\"b\":9}");
    must(keyed(one, "k"));
    struct answer again = must(keyed(one, "k"));
    assert_true(again.replayed && again.parked);
    check_json(again.body, "/conflict_id", "\"waiting-1\"");
    assert_int_equal(told.parked, 1);
    check_json(receipt_of("k").body, "/status", "\"pending\"");
    check_json(receipt_of("k").body, "/conflict_id", "\"waiting-1\"");
}

TEST(where_nobody_keeps_what_waits_it_is_a_conflict) {
    (void)state;
    two_versions();
    check_status(try_with(STET_STRATEGY_ASK, STET_OP_PATCH, at(1), "{\"b\":9}"), CONFLICT);
    told.refuses = STET_TOO_MANY_CONFLICTS;
    check_status(try_with(STET_STRATEGY_ASK, STET_OP_PATCH, at(1), "{\"b\":9}"),
                 STET_TOO_MANY_CONFLICTS);
    assert_int_equal(seq_now(), 2);
}

TEST(in_a_transaction_nothing_waits) {
    (void)state;
    told.parks = true;
    two_versions();
    stet_mutation both[] = {with(STET_STRATEGY_ASK, STET_OP_PATCH, at(1), "{\"b\":9}"),
                            mutation(STET_OP_CREATE, "2", none, "{}")};
    check_status(transact(both, 2, NULL), CONFLICT);
    both[0].body = VIEW("{\"a\":9}");
    must(transact(both, 2, NULL));
    check_data("1", 3, "{\"a\":9,\"b\":2,\"c\":1}");
}

TEST(a_dry_run_of_what_would_wait_stores_nothing) {
    (void)state;
    told.parks = true;
    two_versions();
    struct answer tried = must(dry(with(STET_STRATEGY_ASK, STET_OP_PATCH, at(1), "{\"b\":9}")));
    assert_true(tried.parked);
    check_json(tried.body, "/dry_run", "true");
    check_no_json(tried.body, "/conflict_id");
    assert_int_equal(seq_now(), 2);
}

/* ---- Previews ---------------------------------------------------------------------------- */

static struct answer preview(stet_mutation one) {
    return run(&(stet_write){.mutations = &one, .mutation_count = 1, .preview = true});
}

TEST(a_preview_says_what_a_write_would_become_and_stores_nothing) {
    (void)state;
    two_versions();
    struct answer merged =
        must(preview(with(STET_STRATEGY_MERGE, STET_OP_PATCH, at(1), "{\"a\":9}")));
    check_json(merged.body, "/outcome", "\"merged\"");
    check_json(merged.body, "/result", "{\"a\":9,\"b\":2,\"c\":1}");
    check_json(merged.body, "/fields/~1a/state", "\"clean_yours\"");
    check_json(merged.body, "/yours", "{\"a\":9,\"b\":1,\"c\":1}");
    check_json(merged.body, "/clean", "true");
    check_no_json(merged.body, "/resolution_token");
    struct answer fresh = must(preview(with(STET_STRATEGY_MERGE, STET_OP_PUT, at(2), "{}")));
    check_json(fresh.body, "/outcome", "\"fresh\"");
    struct answer created = must(preview(mutation(STET_OP_PUT, "2", none, "{\"n\":1}")));
    check_json(created.body, "/outcome", "\"created\"");
    check_json(created.body, "/result", "{\"n\":1}");
    struct answer lost =
        must(preview(with(STET_STRATEGY_MERGE, STET_OP_PATCH, at(1), "{\"b\":9}")));
    check_json(lost.body, "/outcome", "\"conflict\"");
    check_json(lost.body, "/fields/~1b/state", "\"conflict\"");
    struct answer same =
        must(preview(with(STET_STRATEGY_REJECT, STET_OP_PATCH, at(1), "{\"b\":2}")));
    check_json(same.body, "/outcome", "\"unchanged\"");
    struct answer over =
        must(preview(with(STET_STRATEGY_LAST_WRITER_WINS, STET_OP_PUT, at(1), "{\"b\":9}")));
    check_json(over.body, "/outcome", "\"applied\"");
    check_json(over.body, "/result", "{\"b\":9}");
    check_status(preview(mutation(STET_OP_PATCH, "3", at(1), "{}")), STET_NOT_FOUND);
    assert_int_equal(seq_now(), 2);
}

/* ---- Which strategies may be asked for --------------------------------------------------- */

TEST(a_strategy_the_type_does_not_allow_is_refused_also_when_fresh) {
    (void)state;
    declare_type(STET_STRATEGY_REJECT, "{}");
    must_put("1", none, "{\"n\":0}");
    struct answer refused =
        try_with(STET_STRATEGY_LAST_WRITER_WINS, STET_OP_PUT, at(1), "{\"n\":1}");
    check_status(refused, STET_STRATEGY_NOT_ALLOWED);
    assert_string_equal(refused.field, "on_conflict");
    must(try_with(STET_STRATEGY_REJECT, STET_OP_PUT, at(1), "{\"n\":1}"));
    must(try_with(STET_STRATEGY_MERGE, STET_OP_PUT, at(2), "{\"n\":2}"));
}

/* ---- Dear merges ------------------------------------------------------------------------- */

enum { DEAR_FIELDS = 30000 };

/* A record whose merge takes more steps than the sequencer spends. */
static const char *dear_body(int changed, int value) {
    struct buffer text;
    buffer_init(&text, &world.arena, 0);
    buffer_append_text(&text, "{\"hot\":0");
    for (int i = 0; i < DEAR_FIELDS; i++)
        buffer_append_format(&text, ",\"f%d\":%d", i, i == changed ? value : 0);
    buffer_append_text(&text, "}");
    return world_text(buffer_view(&text));
}

static uint64_t detours(void) { return atomic_load(&world.fixture.space->counters.merge_detours); }

TEST(a_dear_merge_takes_a_detour_and_is_made) {
    (void)state;
    must_put("1", none, dear_body(-1, 0));
    must(apply(STET_OP_PATCH, "1", at(1), "{\"f1\":1}"));
    stet_mutation one = with(STET_STRATEGY_MERGE, STET_OP_PUT, at(1), dear_body(2, 2));
    assert_true(must(apply_one(one)).merged);
    struct answer now = read_record("1");
    check_json(now.body, "/data/f1", "1");
    check_json(now.body, "/data/f2", "2");
}

TEST(a_dear_merge_makes_progress_although_the_record_never_rests) {
    (void)state;
    must_put("1", none, dear_body(-1, 0));
    stet_mutation one = with(STET_STRATEGY_MERGE, STET_OP_PUT, at(1), dear_body(2, 2));
    struct stet_command *dear = NULL;
    for (stet_version version = 1; version < 20 && (dear == NULL || !dear->done); version++) {
        stet_mutation hot = mutation(STET_OP_PATCH, "1", at(version), "");
        hot.body = arena_format(&world.arena, "{\"hot\":%llu}", (unsigned long long)version);
        struct stet_command *storm = start(&(stet_write){.mutations = &hot, .mutation_count = 1});
        /* Behind the first of them, so that it is stale from the start. */
        if (dear == NULL) dear = start(&(stet_write){.mutations = &one, .mutation_count = 1});
        while (!storm->done) {
            assert_true(engine_step(world.fixture.engine));
            while (client_next(world.fixture.client) != NULL)
                ;
        }
        assert_true(answer_of(storm).status == STET_OK || dear->done);
        command_destroy(storm);
    }
    assert_true(dear->done);
    assert_true(must(answer_of(dear)).merged);
    assert_true(detours() > 0 && detours() <= PREPARE_RETRIES_MAX);
    command_destroy(dear);
    check_json(read_record("1").body, "/data/f2", "2");
}

/* ---- Many writers ------------------------------------------------------------------------ */

TEST(no_increment_is_lost_whatever_the_order) {
    (void)state;
    enum { WRITERS = 64, ROUNDS = 40 };
    uint64_t seed = 20240607;
    int64_t expected = 0;
    printf("seed %llu\n", (unsigned long long)seed);
    declare_type(STET_STRATEGY_MERGE,
                 "{\"/n\":{\"merge\":\"delta\"},\"/tags\":{\"merge\":\"set\"}}");
    must_put("1", none, "{\"n\":0,\"tags\":[]}");
    for (int round = 0; round < ROUNDS; round++) {
        struct stet_command *commands[WRITERS];
        struct answer now = read_record("1");
        int64_t n = strtoll(json_at(now.body, "/data/n"), NULL, 10);
        assert_int_equal(n, expected);
        for (int w = 0; w < WRITERS; w++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            int by = (int)(seed >> 60) - 4;
            stet_mutation one = mutation(STET_OP_PATCH, "1", at(now.version), "");
            one.body = arena_format(&world.arena, "{\"n\":%lld,\"tags\":[%d]}", (long long)n + by,
                                    round * WRITERS + w);
            expected += by;
            commands[w] = start(&(stet_write){.mutations = &one, .mutation_count = 1});
        }
        for (int w = 0; w < WRITERS; w++)
            must(take(commands[w]));
    }
    check_json(read_record("1").body, "/data/n",
               world_text(arena_format(&world.arena, "%lld", (long long)expected)));
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, told_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(two_moves_to_different_parents_are_a_conflict_under_every_strategy),
        WORLD(a_move_does_not_wait_with_its_data),
        WORLD(a_move_beside_an_edit_keeps_both),
        WORLD(a_stale_put_on_other_fields_merges),
        WORLD(a_merge_says_where_each_value_came_from),
        WORLD(a_stale_patch_merges_what_it_made_of_its_base),
        WORLD(a_stale_json_patch_merges),
        WORLD(a_patch_that_does_not_fit_its_base_is_refused_also_when_stale),
        WORLD(a_stale_revert_merges),
        WORLD(the_same_field_is_a_conflict_and_nothing_is_staged),
        WORLD(a_deletion_merges_with_nothing_but_itself),
        WORLD(an_edit_of_what_was_deleted_is_a_conflict),
        WORLD(a_base_the_record_never_had_is_a_conflict),
        WORLD(merging_with_a_head_of_the_same_batch),
        WORLD(a_replay_of_a_merge_says_so),
        WORLD(a_type_that_merges_by_default_merges),
        WORLD(a_merge_may_span_more_versions_than_memory_knows),
        cmocka_unit_test(a_base_is_found_wherever_it_lies),
        WORLD(bases_that_have_left_memory_are_found_in_the_store),
        WORLD(counters_add_up_also_when_two_write_the_same),
        WORLD(a_rule_that_gives_up_the_current_value_names_its_author),
        WORLD(a_rule_that_gives_up_all_of_yours_drops_the_write),
        WORLD(what_two_made_together_may_break_the_rules_and_is_a_conflict),
        WORLD(yours_can_be_had_again_from_a_merge),
        WORLD(yours_can_be_had_again_where_a_rule_gave_it_up),
        WORLD(the_last_writer_replaces_and_the_loser_is_named),
        WORLD(a_patch_of_other_fields_takes_nothing_from_anybody),
        WORLD(nobody_is_told_of_a_loss_to_themselves),
        WORLD(each_author_loses_what_they_wrote_last),
        WORLD(everybody_loses_what_they_put_into_a_list),
        WORLD(everybody_loses_what_a_rule_added_up),
        WORLD(who_deleted_is_told_when_the_record_comes_back),
        WORLD(a_base_too_far_back_does_not_win),
        WORLD(who_loses_too_much_to_tell_apart_loses_the_whole_record),
        WORLD(one_version_may_be_too_much_to_tell_apart),
        WORLD(the_newer_of_two_offline_writes_stands_whichever_came_first),
        WORLD(of_two_writes_of_the_same_instant_the_first_stands),
        WORLD(a_write_without_its_time_counts_by_when_it_was_stored),
        WORLD(newest_demands_a_time_only_when_it_must_compare),
        WORLD(a_time_that_has_not_come_is_refused),
        WORLD(a_deletion_can_be_the_newest),
        WORLD(the_server_wins_over_every_stale_write_and_says_so),
        WORLD(a_dropped_write_uses_its_key_up),
        WORLD(whoever_wants_no_body_still_learns_that_the_write_was_dropped),
        WORLD(ask_merges_what_can_be_merged),
        WORLD(ask_parks_what_cannot_be_merged),
        WORLD(ask_parks_deletions_and_edits_of_what_was_deleted),
        WORLD(a_parked_write_is_replayed_and_its_receipt_follows_it),
        WORLD(where_nobody_keeps_what_waits_it_is_a_conflict),
        WORLD(in_a_transaction_nothing_waits),
        WORLD(a_dry_run_of_what_would_wait_stores_nothing),
        WORLD(a_preview_says_what_a_write_would_become_and_stores_nothing),
        WORLD(a_strategy_the_type_does_not_allow_is_refused_also_when_fresh),
        WORLD(a_dear_merge_takes_a_detour_and_is_made),
        WORLD(a_dear_merge_makes_progress_although_the_record_never_rests),
        WORLD(no_increment_is_lost_whatever_the_order),
    };
    return cmocka_run_group_tests_name("settle", tests, NULL, NULL);
}
