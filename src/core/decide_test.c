/*
 * The table of outcomes: every operation on a record that never existed, lives, or is deleted, from every kind of base, under each
 * strategy; then the rules of single cells. Mutation keys are in keys_test.c, transactions in transaction_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/write_fixture.h"

#define TEST(name) static void name(void **state)

/* ---- The table --------------------------------------------------------------------------- */

enum existence { NEVER, LIVE, GONE };
enum { STALE = 1, LIVE_HEAD = 2, GONE_HEAD = 3, FUTURE = 99 };

/* A record of its own for each cell: versions 1 and 2, and a tombstone as the third. */
static void make(const char *id, enum existence existence) {
    if (existence == NEVER) return;
    must_put(id, none, "{\"n\":1}");
    must_put(id, at(1), "{\"n\":2}");
    if (existence == GONE) must_delete(id, at(2));
}

struct cell {
    stet_op op;
    enum existence existence;
    stet_base base;
    stet_status rejecting; /* With the strategy reject. */
    stet_status winning;   /* With last_writer_wins. */
};

#define CONFLICT STET_CONCURRENT_MODIFICATION
#define SAME(status) status, status

#define NO_BASE                                                                                    \
    { .kind = STET_BASE_NONE }
#define BASE(number)                                                                               \
    { .kind = STET_BASE_VERSION, .value = (number) }
#define ONLY_ABSENT                                                                                \
    { .kind = STET_BASE_ABSENT }

static const struct cell cells[] = {
    {STET_OP_CREATE, NEVER, NO_BASE, SAME(STET_OK)},
    {STET_OP_CREATE, NEVER, ONLY_ABSENT, SAME(STET_OK)},
    {STET_OP_CREATE, NEVER, BASE(STALE), SAME(STET_BAD_REQUEST)},
    {STET_OP_CREATE, LIVE, NO_BASE, SAME(STET_ALREADY_EXISTS)},
    {STET_OP_CREATE, LIVE, ONLY_ABSENT, SAME(STET_ALREADY_EXISTS)},
    {STET_OP_CREATE, LIVE, BASE(LIVE_HEAD), SAME(STET_BAD_REQUEST)},
    {STET_OP_CREATE, GONE, NO_BASE, SAME(STET_OK)},
    {STET_OP_CREATE, GONE, ONLY_ABSENT, SAME(STET_OK)},

    {STET_OP_PUT, NEVER, NO_BASE, SAME(STET_OK)},
    {STET_OP_PUT, NEVER, ONLY_ABSENT, SAME(STET_OK)},
    {STET_OP_PUT, NEVER, BASE(STALE), SAME(STET_NOT_FOUND)},
    {STET_OP_PUT, NEVER, BASE(0), SAME(STET_BAD_REQUEST)},
    {STET_OP_PUT, LIVE, NO_BASE, SAME(STET_PRECONDITION_REQUIRED)},
    {STET_OP_PUT, LIVE, ONLY_ABSENT, SAME(STET_ALREADY_EXISTS)},
    {STET_OP_PUT, LIVE, BASE(LIVE_HEAD), SAME(STET_OK)},
    {STET_OP_PUT, LIVE, BASE(STALE), CONFLICT, STET_OK},
    {STET_OP_PUT, LIVE, BASE(FUTURE), CONFLICT, STET_OK},
    {STET_OP_PUT, GONE, NO_BASE, SAME(STET_OK)},
    {STET_OP_PUT, GONE, ONLY_ABSENT, SAME(STET_OK)},
    {STET_OP_PUT, GONE, BASE(GONE_HEAD), SAME(STET_OK)},
    {STET_OP_PUT, GONE, BASE(STALE), CONFLICT, STET_OK},
    {STET_OP_PUT, GONE, BASE(FUTURE), CONFLICT, STET_OK},

    {STET_OP_PATCH, NEVER, NO_BASE, SAME(STET_NOT_FOUND)},
    {STET_OP_PATCH, NEVER, BASE(STALE), SAME(STET_NOT_FOUND)},
    {STET_OP_PATCH, NEVER, ONLY_ABSENT, SAME(STET_BAD_REQUEST)},
    {STET_OP_PATCH, LIVE, NO_BASE, SAME(STET_PRECONDITION_REQUIRED)},
    {STET_OP_PATCH, LIVE, BASE(LIVE_HEAD), SAME(STET_OK)},
    {STET_OP_PATCH, LIVE, BASE(STALE), CONFLICT, STET_OK},
    {STET_OP_PATCH, LIVE, BASE(FUTURE), CONFLICT, STET_OK},
    {STET_OP_PATCH, GONE, NO_BASE, SAME(STET_DELETED)},
    {STET_OP_PATCH, GONE, BASE(GONE_HEAD), SAME(STET_DELETED)},
    {STET_OP_PATCH, GONE, BASE(STALE), CONFLICT, STET_OK},
    {STET_OP_PATCH, GONE, BASE(FUTURE), CONFLICT, CONFLICT},

    {STET_OP_PATCH_JSON, NEVER, NO_BASE, SAME(STET_NOT_FOUND)},
    {STET_OP_PATCH_JSON, NEVER, BASE(STALE), SAME(STET_NOT_FOUND)},
    {STET_OP_PATCH_JSON, NEVER, ONLY_ABSENT, SAME(STET_BAD_REQUEST)},
    {STET_OP_PATCH_JSON, LIVE, NO_BASE, SAME(STET_PRECONDITION_REQUIRED)},
    {STET_OP_PATCH_JSON, LIVE, BASE(LIVE_HEAD), SAME(STET_OK)},
    {STET_OP_PATCH_JSON, LIVE, BASE(STALE), CONFLICT, STET_OK},
    {STET_OP_PATCH_JSON, LIVE, BASE(FUTURE), CONFLICT, STET_OK},
    {STET_OP_PATCH_JSON, GONE, NO_BASE, SAME(STET_DELETED)},
    {STET_OP_PATCH_JSON, GONE, BASE(GONE_HEAD), SAME(STET_DELETED)},
    {STET_OP_PATCH_JSON, GONE, BASE(STALE), CONFLICT, STET_OK},
    {STET_OP_PATCH_JSON, GONE, BASE(FUTURE), CONFLICT, CONFLICT},

    {STET_OP_DELETE, NEVER, NO_BASE, SAME(STET_NOT_FOUND)},
    {STET_OP_DELETE, NEVER, BASE(STALE), SAME(STET_NOT_FOUND)},
    {STET_OP_DELETE, NEVER, ONLY_ABSENT, SAME(STET_BAD_REQUEST)},
    {STET_OP_DELETE, LIVE, NO_BASE, SAME(STET_PRECONDITION_REQUIRED)},
    {STET_OP_DELETE, LIVE, BASE(LIVE_HEAD), SAME(STET_OK)},
    {STET_OP_DELETE, LIVE, BASE(STALE), CONFLICT, STET_OK},
    {STET_OP_DELETE, LIVE, BASE(FUTURE), CONFLICT, STET_OK},
    {STET_OP_DELETE, GONE, NO_BASE, SAME(STET_DELETED)},
    {STET_OP_DELETE, GONE, BASE(GONE_HEAD), SAME(STET_DELETED)},
    {STET_OP_DELETE, GONE, BASE(STALE), SAME(STET_DELETED)},
    {STET_OP_DELETE, GONE, BASE(FUTURE), SAME(STET_DELETED)},

    {STET_OP_CHECK, NEVER, NO_BASE, SAME(STET_PRECONDITION_REQUIRED)},
    {STET_OP_CHECK, NEVER, ONLY_ABSENT, SAME(STET_OK)},
    {STET_OP_CHECK, NEVER, BASE(STALE), SAME(STET_NOT_FOUND)},
    {STET_OP_CHECK, LIVE, NO_BASE, SAME(STET_PRECONDITION_REQUIRED)},
    {STET_OP_CHECK, LIVE, ONLY_ABSENT, SAME(STET_ALREADY_EXISTS)},
    {STET_OP_CHECK, LIVE, BASE(LIVE_HEAD), SAME(STET_OK)},
    {STET_OP_CHECK, LIVE, BASE(STALE), SAME(CONFLICT)},
    {STET_OP_CHECK, LIVE, BASE(FUTURE), SAME(CONFLICT)},
    {STET_OP_CHECK, GONE, NO_BASE, SAME(STET_PRECONDITION_REQUIRED)},
    {STET_OP_CHECK, GONE, ONLY_ABSENT, SAME(STET_OK)},
    {STET_OP_CHECK, GONE, BASE(GONE_HEAD), SAME(CONFLICT)},
    {STET_OP_CHECK, GONE, BASE(STALE), SAME(CONFLICT)},

    {STET_OP_REVERT, NEVER, NO_BASE, SAME(STET_NOT_FOUND)},
    {STET_OP_REVERT, NEVER, BASE(STALE), SAME(STET_NOT_FOUND)},
    {STET_OP_REVERT, NEVER, ONLY_ABSENT, SAME(STET_BAD_REQUEST)},
    {STET_OP_REVERT, LIVE, NO_BASE, SAME(STET_PRECONDITION_REQUIRED)},
    {STET_OP_REVERT, LIVE, BASE(LIVE_HEAD), SAME(STET_OK)},
    {STET_OP_REVERT, LIVE, BASE(STALE), CONFLICT, STET_OK},
    {STET_OP_REVERT, LIVE, BASE(FUTURE), CONFLICT, STET_OK},
    {STET_OP_REVERT, GONE, NO_BASE, SAME(STET_PRECONDITION_REQUIRED)},
    {STET_OP_REVERT, GONE, BASE(GONE_HEAD), SAME(STET_OK)},
    {STET_OP_REVERT, GONE, BASE(STALE), CONFLICT, STET_OK},
    {STET_OP_REVERT, GONE, BASE(FUTURE), CONFLICT, STET_OK},
};

static const char *body_for(stet_op op) {
    if (op == STET_OP_PATCH_JSON) return "[{\"op\":\"add\",\"path\":\"/n\",\"value\":9}]";
    if (op == STET_OP_DELETE || op == STET_OP_CHECK || op == STET_OP_REVERT) return NULL;
    return "{\"n\":9}";
}

static stet_mutation mutation_of(const struct cell *cell, const char *id, stet_strategy strategy) {
    stet_mutation one = mutation(cell->op, id, cell->base, body_for(cell->op));
    one.on_conflict = strategy;
    if (cell->op == STET_OP_REVERT) one.revert_to = 1;
    return one;
}

/* The version of a record, counting its tombstone. */
static stet_version version_of(const char *id) { return read_record(id).version; }

static void check_cell(size_t index, stet_strategy strategy) {
    const struct cell *cell = &cells[index];
    stet_status expected =
        strategy == STET_STRATEGY_LAST_WRITER_WINS ? cell->winning : cell->rejecting;
    char id[32];
    snprintf(id, sizeof id, "%zu", index);
    make(id, cell->existence);
    stet_mutation one = mutation_of(cell, id, strategy);
    stet_version before = version_of(id);
    uint64_t seq = seq_now();

    struct answer dry = run(&(stet_write){.mutations = &one, .mutation_count = 1, .dry_run = true});
    if (dry.status != expected || seq_now() != seq || version_of(id) != before)
        fail_msg("cell %zu, strategy %d, dry run: %s: %s", index, strategy, status_code(dry.status),
                 dry.body);
    struct answer answer = apply_one(one);
    if (answer.status != expected)
        fail_msg("cell %zu, strategy %d: %s, expected %s: %s", index, strategy,
                 status_code(answer.status), status_code(expected), answer.body);
    bool writes = expected == STET_OK && cell->op != STET_OP_CHECK;
    if (version_of(id) != before + writes || seq_now() != seq + writes)
        fail_msg("cell %zu, strategy %d: version %llu became %llu", index, strategy,
                 (unsigned long long)before, (unsigned long long)version_of(id));
    if (!writes) return;
    assert_int_equal(answer.version, before + 1);
    assert_int_equal(answer.seq, seq + 1);
    assert_int_equal(answer.created, cell->op != STET_OP_DELETE && cell->existence != LIVE);
    assert_int_equal(answer.merged, cell->rejecting == CONFLICT);
    assert_int_equal(dry.version, answer.version);
    if (cell->op != STET_OP_DELETE)
        check_data(id, before + 1, cell->op == STET_OP_REVERT ? "{\"n\":1}" : "{\"n\":9}");
}

TEST(every_cell_of_the_table_answers_as_declared_when_conflicts_are_rejected) {
    (void)state;
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
        check_cell(i, i % 2 == 0 ? STET_STRATEGY_REJECT : STET_STRATEGY_DEFAULT);
}

TEST(every_cell_of_the_table_answers_as_declared_when_the_last_writer_wins) {
    (void)state;
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
        check_cell(i, STET_STRATEGY_LAST_WRITER_WINS);
}

/* ---- Single rules ------------------------------------------------------------------------ */

TEST(put_loses_to_a_writer_that_committed_first) {
    (void)state;
    stet_version read = must_put("1", none, "{\"paid\":false}");
    stet_version won = must_put("1", at(read), "{\"paid\":true}");
    struct answer lost = try_put("1", at(read), "{\"paid\":null}");
    check_status(lost, CONFLICT);
    assert_int_equal(lost.version, won);
    check_data("1", won, "{\"paid\":true}");
}

TEST(a_result_equal_in_value_is_unchanged_and_stores_nothing) {
    (void)state;
    must_put("1", none, "{\"a\":1.0,\"b\":{\"x\":\"\\u0041\",\"y\":[1,2]}}");
    uint64_t seq = seq_now();
    struct answer same = must(try_put("1", at(1), "{\"b\":{\"y\":[1e0,2],\"x\":\"A\"},\"a\":1}"));
    assert_true(same.unchanged);
    assert_int_equal(same.version, 1);
    check_json(same.body, "/unchanged", "true");
    assert_int_equal(seq_now(), seq);
    check_data("1", 1, "{\"a\":1.0,\"b\":{\"x\":\"\\u0041\",\"y\":[1,2]}}");
}

TEST(an_equal_result_is_unchanged_even_from_a_stale_base) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    must_put("1", at(1), "{\"n\":2}");
    assert_true(must(try_put("1", at(1), "{\"n\":2}")).unchanged);
    assert_true(must(apply(STET_OP_PATCH, "1", at(1), "{\"n\":2}")).unchanged);
}

TEST(an_equal_put_without_a_base_is_still_refused) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    check_status(try_put("1", none, "{\"n\":1}"), STET_PRECONDITION_REQUIRED);
}

TEST(an_equal_creation_is_still_refused_because_only_one_may_win) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    check_status(apply(STET_OP_CREATE, "1", none, "{\"n\":1}"), STET_ALREADY_EXISTS);
    check_status(try_put("1", absent, "{\"n\":1}"), STET_ALREADY_EXISTS);
}

TEST(numbers_that_differ_only_beyond_a_double_are_a_change) {
    (void)state;
    must_put("1", none, "{\"n\":9007199254740993}");
    assert_int_equal(must_put("1", at(1), "{\"n\":9007199254740992}"), 2);
}

TEST(a_patch_that_changes_nothing_is_unchanged) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    assert_true(must(apply(STET_OP_PATCH, "1", at(1), "{}")).unchanged);
    assert_true(must(apply(STET_OP_PATCH, "1", at(1), "{\"gone\":null}")).unchanged);
}

TEST(last_writer_wins_with_an_equal_outcome_is_unchanged_and_not_merged) {
    (void)state;
    must_put("1", none, "{\"n\":1,\"m\":1}");
    must_put("1", at(1), "{\"n\":2,\"m\":2}");
    stet_mutation one = mutation(STET_OP_PATCH, "1", at(1), "{\"n\":2}");
    one.on_conflict = STET_STRATEGY_LAST_WRITER_WINS;
    struct answer same = must(apply_one(one));
    assert_true(same.unchanged);
    assert_false(same.merged);
    check_data("1", 2, "{\"n\":2,\"m\":2}");
}

TEST(last_writer_wins_applies_a_patch_on_top_and_says_over_what) {
    (void)state;
    must_put("1", none, "{\"n\":1,\"m\":1}");
    must_put("1", at(1), "{\"n\":2,\"m\":1}");
    must_put("1", at(2), "{\"n\":3,\"m\":1}");
    stet_mutation one = mutation(STET_OP_PATCH, "1", at(1), "{\"m\":9}");
    one.on_conflict = STET_STRATEGY_LAST_WRITER_WINS;
    struct answer won = must(apply_one(one));
    check_json(won.body, "/merge/strategy", "\"last_writer_wins\"");
    check_json(won.body, "/merge/parents", "[1,3]");
    check_json(won.body, "/merge/over", "{\"from\":2,\"to\":3}");
    check_data("1", 4, "{\"n\":3,\"m\":9}");
    check_json(history_of("1").body, "/changes/0/merge/parents", "[1,3]");
    check_json(history_of("1").body, "/changes/0/base_version", "1");
}

TEST(versions_go_on_after_a_deletion) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    assert_int_equal(must_delete("1", at(1)), 2);
    struct answer again = must(apply(STET_OP_CREATE, "1", none, "{\"n\":3}"));
    assert_int_equal(again.version, 3);
    assert_true(again.created);
    check_data("1", 3, "{\"n\":3}");
}

TEST(a_deletion_keeps_the_last_data_in_its_change) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    must_delete("1", at(1));
    struct change *head;
    assert_int_equal(client_head(world.fixture.client, world.fixture.space, VIEW("task"), VIEW("1"),
                                 &head, NULL),
                     STET_OK);
    assert_true(view_equal(head->row.data, VIEW("{\"n\":1}")));
    change_unref(head);
}

TEST(a_read_of_a_deleted_record_names_the_tombstone) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    must_delete("1", at(1));
    struct answer gone = read_record("1");
    check_status(gone, STET_DELETED);
    check_json(gone.body, "/version", "2");
    check_json(apply(STET_OP_DELETE, "1", at(2), NULL).body, "/version", "2");
}

TEST(a_json_patch_whose_test_fails_is_a_conflict) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    struct answer lost = apply(
        STET_OP_PATCH_JSON, "1", at(1),
        "[{\"op\":\"test\",\"path\":\"/n\",\"value\":2},{\"op\":\"remove\",\"path\":\"/n\"}]");
    check_status(lost, CONFLICT);
    check_data("1", 1, "{\"n\":1}");
}

TEST(a_patch_that_does_not_fit_is_refused_and_points_at_its_operation) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    struct answer bad =
        apply(STET_OP_PATCH_JSON, "1", at(1), "[{\"op\":\"remove\",\"path\":\"/m\"}]");
    check_status(bad, STET_PATCH_FAILED);
    assert_string_equal(bad.field, "/0/path");
    check_status(
        apply(STET_OP_PATCH_JSON, "1", at(1), "[{\"op\":\"replace\",\"path\":\"\",\"value\":1}]"),
        STET_PATCH_FAILED);
}

TEST(a_patch_may_not_grow_a_record_past_the_limit) {
    (void)state;
    size_t size = DATA_BYTES_MAX * 3 / 4;
    char *body = malloc(size + 16);
    memset(body, 'x', size);
    memcpy(body, "{\"a\":\"", 6);
    memcpy(body + size, "\"}", 3);
    must_put("1", none, body);
    body[2] = 'b';
    struct answer big = apply(STET_OP_PATCH, "1", at(1), body);
    free(body);
    check_status(big, STET_TOO_LARGE);
    assert_int_equal(big.limit, DATA_BYTES_MAX);
    assert_int_equal(version_of("1"), 1);
}

TEST(a_patch_may_follow_the_creation_whose_answer_is_still_out) {
    (void)state;
    stet_mutation create = mutation(STET_OP_CREATE, "1", none, "{\"n\":1}");
    stet_mutation patch = mutation(STET_OP_PATCH, "1", at(1), "{\"m\":2}");
    struct stet_command *first = start(&(stet_write){.mutations = &create, .mutation_count = 1});
    struct stet_command *second = start(&(stet_write){.mutations = &patch, .mutation_count = 1});
    must(take(first));
    assert_int_equal(must(take(second)).version, 2);
    check_data("1", 2, "{\"n\":1,\"m\":2}");
}

TEST(a_revert_may_name_a_version_whose_answer_is_still_out) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    stet_mutation put = mutation(STET_OP_PUT, "1", at(1), "{\"n\":2}");
    stet_mutation more = mutation(STET_OP_PUT, "1", at(2), "{\"n\":3}");
    stet_mutation back = mutation(STET_OP_REVERT, "1", at(3), NULL);
    back.revert_to = 2;
    struct stet_command *first = start(&(stet_write){.mutations = &put, .mutation_count = 1});
    struct stet_command *second = start(&(stet_write){.mutations = &more, .mutation_count = 1});
    struct stet_command *third = start(&(stet_write){.mutations = &back, .mutation_count = 1});
    must(take(first));
    must(take(second));
    assert_int_equal(must(take(third)).version, 4);
    check_data("1", 4, "{\"n\":2}");
}

TEST(a_revert_says_where_it_comes_from) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    must_put("1", at(1), "{\"n\":2}");
    stet_mutation back = mutation(STET_OP_REVERT, "1", at(2), NULL);
    back.revert_to = 1;
    assert_int_equal(must(apply_one(back)).version, 3);
    check_json(history_of("1").body, "/changes/0/reverted_to", "1");
    check_data("1", 3, "{\"n\":1}");
}

TEST(a_revert_to_the_current_data_is_unchanged) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    stet_mutation back = mutation(STET_OP_REVERT, "1", at(1), NULL);
    back.revert_to = 1;
    assert_true(must(apply_one(back)).unchanged);
}

TEST(a_revert_to_what_is_not_there_names_the_field) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    must_delete("1", at(1));
    must_put("1", at(2), "{\"n\":3}");
    stet_mutation back = mutation(STET_OP_REVERT, "1", at(3), NULL);
    back.revert_to = 7;
    struct answer missing = apply_one(back);
    check_status(missing, STET_NOT_FOUND);
    assert_string_equal(missing.field, "to");
    back.revert_to = 2;
    check_status(apply_one(back), STET_NOT_FOUND);
}

TEST(a_base_in_time_is_the_version_with_exactly_that_time) {
    (void)state;
    struct answer first = must(try_put("1", none, "{\"n\":1}"));
    clock_manual_advance(&world.clock, 5);
    struct answer second = must(try_put("1", at_time(first.updated_at), "{\"n\":2}"));
    assert_true(second.updated_at > first.updated_at);
    struct answer lost = try_put("1", at_time(first.updated_at), "{\"n\":3}");
    check_status(lost, CONFLICT);
    check_json(lost.body, "/expected_version", "1");
    check_status(try_put("1", at_time(second.updated_at + 1), "{\"n\":3}"), CONFLICT);
    check_status(try_put("1", at_time(first.updated_at + 1), "{\"n\":3}"), CONFLICT);
    must(apply(STET_OP_DELETE, "1", at_time(second.updated_at), NULL));
}

TEST(system_types_are_written_by_nobody_but_their_module) {
    (void)state;
    stet_mutation one = {
        .op = STET_OP_CREATE, .type = VIEW("stet.token"), .id = VIEW("1"), .body = VIEW("{}")};
    check_status(apply_one(one), STET_SYSTEM_TYPE);
    one.type = VIEW("stet.anything");
    check_status(apply_one(one), STET_SYSTEM_TYPE);
}

/* ---- Imports ----------------------------------------------------------------------------- */

static struct answer import(const char *id, const char *data, const stet_origin *origin) {
    stet_mutation one = mutation(STET_OP_CREATE, id, none, data);
    one.origin = origin;
    return run(&(stet_write){.mutations = &one, .mutation_count = 1, .source = VIEW("import")});
}

static const stet_origin elsewhere = {
    .version = 41,
    .created_at = 1000000000000000001,
    .created_by = {.bytes = "eve", .size = 3},
    .updated_at = 1100000000000000002,
    .updated_by = {.bytes = "bob", .size = 3},
};

TEST(an_import_sets_the_first_version_and_who_made_it_when) {
    (void)state;
    struct answer first = must(import("1", "{\"n\":1}", &elsewhere));
    assert_int_equal(first.version, 41);
    assert_int_equal(first.updated_at, elsewhere.updated_at);
    check_json(first.body, "/created_by", "\"eve\"");
    check_json(first.body, "/created_at", "\"2001-09-09T01:46:40.000000001Z\"");
    check_json(first.body, "/updated_by", "\"bob\"");
    check_json(first.body, "/updated_at", "\"2004-11-09T11:33:20.000000002Z\"");
}

TEST(an_imported_record_goes_on_from_its_version) {
    (void)state;
    must(import("1", "{\"n\":1}", &elsewhere));
    struct answer next = must(try_put("1", at(41), "{\"n\":2}"));
    assert_int_equal(next.version, 42);
    check_json(next.body, "/created_by", "\"eve\"");
    check_json(next.body, "/updated_by", "\"ann\"");
    check_status(try_put("1", at(1), "{\"n\":3}"), CONFLICT);
    must(try_put("1", at_time(next.updated_at), "{\"n\":3}"));
}

TEST(an_imports_own_time_is_its_base_in_time) {
    (void)state;
    must(import("1", "{\"n\":1}", &elsewhere));
    assert_int_equal(must(try_put("1", at_time(elsewhere.updated_at), "{\"n\":2}")).version, 42);
}

TEST(a_repeated_import_is_unchanged_and_another_is_refused) {
    (void)state;
    must(import("1", "{\"n\":1}", &elsewhere));
    uint64_t seq = seq_now();
    assert_true(must(import("1", "{\"n\":1.0}", &elsewhere)).unchanged);
    check_status(import("1", "{\"n\":2}", &elsewhere), STET_ALREADY_EXISTS);
    assert_int_equal(seq_now(), seq);
}

TEST(an_import_does_not_bring_back_what_was_deleted) {
    (void)state;
    must(import("1", "{\"n\":1}", &elsewhere));
    must(apply_one(mutation(STET_OP_DELETE, "1", at(41), "")));
    check_status(import("1", "{\"n\":1}", &elsewhere), STET_DELETED);
    check_status(import("1", "{\"n\":1}", &(stet_origin){0}), STET_DELETED);
}

TEST(a_dear_patch_does_not_run_while_the_space_waits) {
    (void)state;
    enum { VALUES = 2000, OPERATIONS = 1000 };
    struct buffer data, patch;
    buffer_init(&data, &world.arena, 0);
    buffer_init(&patch, &world.arena, 0);
    buffer_append_text(&data, "{\"n\":1,\"list\":[0");
    for (int i = 1; i < VALUES; i++)
        buffer_append_format(&data, ",%d", i);
    buffer_append_text(&data, "]}");
    buffer_append_text(&patch, "[{\"op\":\"replace\",\"path\":\"/n\",\"value\":2}");
    for (int i = 1; i < OPERATIONS; i++)
        buffer_append_text(&patch, ",{\"op\":\"test\",\"path\":\"/list/0\",\"value\":0}");
    buffer_append_text(&patch, "]");
    must_put("1", none, world_text(buffer_view(&data)));
    must(apply_one(mutation(STET_OP_PATCH, "1", at(1), "{\"other\":1}")));
    stet_mutation one = mutation(STET_OP_PATCH_JSON, "1", at(1), world_text(buffer_view(&patch)));
    one.on_conflict = STET_STRATEGY_LAST_WRITER_WINS;
    check_status(apply_one(one), STET_TOO_LARGE);
    one.base = at(2);
    must(apply_one(one));
}

TEST(only_an_administrator_imports) {
    (void)state;
    world.fixture.actor.admin = false;
    check_status(import("1", "{\"n\":1}", &elsewhere), STET_FORBIDDEN);
}

/* ---- What modules refuse ----------------------------------------------------------------- */

static stet_status refuse_secrets(void *unused, const struct proposal *proposal, stet_error *err) {
    (void)unused;
    if (memmem(proposal->data.bytes, proposal->data.size, "secret", 6) == NULL) return STET_OK;
    error_set(err, STET_FORBIDDEN, "no secrets here");
    error_field(err, "/secret", 0);
    return STET_FORBIDDEN;
}

TEST(a_modules_check_refuses_a_write_with_its_own_words) {
    (void)state;
    static const struct module checking = {.name = "checking", .check = refuse_secrets};
    static const struct module *const modules[] = {&checking, NULL};
    world_close(NULL);
    world_open_with(modules, NULL);
    must_put("1", none, "{\"n\":1}");
    struct answer refused = try_put("1", at(1), "{\"secret\":1}");
    check_status(refused, STET_FORBIDDEN);
    check_json(refused.body, "/detail", "\"no secrets here\"");
    check_json(refused.body, "/field", "\"/secret\"");
    check_data("1", 1, "{\"n\":1}");
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(every_cell_of_the_table_answers_as_declared_when_conflicts_are_rejected),
        WORLD(every_cell_of_the_table_answers_as_declared_when_the_last_writer_wins),
        WORLD(put_loses_to_a_writer_that_committed_first),
        WORLD(a_result_equal_in_value_is_unchanged_and_stores_nothing),
        WORLD(an_equal_result_is_unchanged_even_from_a_stale_base),
        WORLD(an_equal_put_without_a_base_is_still_refused),
        WORLD(an_equal_creation_is_still_refused_because_only_one_may_win),
        WORLD(numbers_that_differ_only_beyond_a_double_are_a_change),
        WORLD(a_patch_that_changes_nothing_is_unchanged),
        WORLD(last_writer_wins_with_an_equal_outcome_is_unchanged_and_not_merged),
        WORLD(last_writer_wins_applies_a_patch_on_top_and_says_over_what),
        WORLD(versions_go_on_after_a_deletion),
        WORLD(a_deletion_keeps_the_last_data_in_its_change),
        WORLD(a_read_of_a_deleted_record_names_the_tombstone),
        WORLD(a_json_patch_whose_test_fails_is_a_conflict),
        WORLD(a_patch_that_does_not_fit_is_refused_and_points_at_its_operation),
        WORLD(a_patch_may_not_grow_a_record_past_the_limit),
        WORLD(a_patch_may_follow_the_creation_whose_answer_is_still_out),
        WORLD(a_revert_may_name_a_version_whose_answer_is_still_out),
        WORLD(a_revert_says_where_it_comes_from),
        WORLD(a_revert_to_the_current_data_is_unchanged),
        WORLD(a_revert_to_what_is_not_there_names_the_field),
        WORLD(a_base_in_time_is_the_version_with_exactly_that_time),
        WORLD(system_types_are_written_by_nobody_but_their_module),
        WORLD(an_import_sets_the_first_version_and_who_made_it_when),
        WORLD(an_imported_record_goes_on_from_its_version),
        WORLD(an_imports_own_time_is_its_base_in_time),
        WORLD(a_repeated_import_is_unchanged_and_another_is_refused),
        WORLD(an_import_does_not_bring_back_what_was_deleted),
        WORLD(a_dear_patch_does_not_run_while_the_space_waits),
        WORLD(only_an_administrator_imports),
        WORLD(a_modules_check_refuses_a_write_with_its_own_words),
    };
    return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
