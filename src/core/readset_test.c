/*
 * What a computation read, against what became of it. A small module plays the part of the computation: its command carries a read set and
 * is refused when that does not hold any more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/index.h"
#include "core/list.h"
#include "core/policy.h"
#include "core/query.h"
#include "core/readset.h"
#include "core/write_fixture.h"

#define TEST(name) static void name(void **state)

/* ---- The computation --------------------------------------------------------------------- */

static stet_status reliant_decide(void *state, struct staging *staging,
                                  struct stet_command *command, const struct module_time *now,
                                  stet_error *err) {
    (void)state, (void)now;
    return staging_validate_reads(staging, command->module_data, NULL, err);
}

static stet_status nothing_to_say(struct stet_command *command, struct json_writer *writer,
                                  stet_error *err) {
    (void)command, (void)err;
    json_object_begin(writer);
    json_object_end(writer);
    return STET_OK;
}

static const char *const reliant_types[] = {"stet.reliant", NULL};
static const struct module reliant_module = {
    .name = "reliant", .types = reliant_types, .decide = reliant_decide};
static const struct module *const reliant_modules[] = {&reliant_module, NULL};

static struct read_set reads;

static int setup(void **state) {
    (void)state;
    world_open_with(reliant_modules, NULL);
    return 0;
}

/* From now on what is read is as of now. */
static void begin_reading(void) { read_set_init(&reads, &world.arena, seq_now()); }

static void read_point(const char *id, uint64_t version) {
    assert_int_equal(read_set_point(&reads, VIEW("task"), view_of(id), version, NULL), STET_OK);
}

static struct stet_command *rely(void) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_non_null(command);
    command->kind = COMMAND_MODULE;
    command->owner = &reliant_module;
    command->module_data = &reads;
    command->answer = nothing_to_say;
    return submitted(command);
}

#define check_holds() check_status(take(rely()), STET_OK)
#define check_stale() check_status(take(rely()), STET_CONCURRENT_MODIFICATION)

/* ---- An index ---------------------------------------------------------------------------- */

static const struct index_field by_amount_fields[] = {{.pointer = VIEW("/amount")}};
static struct index_def by_amount = {
    .number = STORE_INDEX_FIRST, .field_count = 1, .fields = by_amount_fields};
static struct index_def *const indexes[] = {&by_amount};

static void declare(bool indexed) {
    static uint64_t versions;
    struct arena arena;
    arena_init(&arena, 1024);
    struct policy *policy = arena_zalloc(&arena, 1, sizeof *policy);
    assert_non_null(policy);
    atomic_init(&policy->refs, 1);
    policy->arena = arena;
    policy->type = VIEW("task");
    policy->version = policy->seq = ++versions;
    policy->overrides = ~0u;
    policy->indexes = indexes;
    policy->index_count = indexed ? 1 : 0;
    assert_int_equal(policies_reserve(world.fixture.space->policies, NULL), STET_OK);
    policies_stage(world.fixture.space->policies, VIEW("task"), policy);
    policies_publish(world.fixture.space->policies);
}

static stet_status count_row(void *context, const struct store_change *change, stet_error *err) {
    (void)change, (void)err;
    ++*(size_t *)context;
    return STET_OK;
}

/* Lists as of now and notes what was looked at. Returns how many there were. */
static size_t list_where(const char *where, const char *sort, unsigned limit) {
    size_t count = 0;
    stet_error err = {0};
    struct store_reader *reader;
    const stet_list list = {
        .type = VIEW("task"), .where = view_of(where), .sort = view_of(sort), .limit = limit};
    struct list_collect collect = {.space = world.fixture.space,
                                   .actor = &world.fixture.actor,
                                   .list = &list,
                                   .snapshot = reads.seq,
                                   .reads = &reads,
                                   .take = count_row,
                                   .context = &count};
    assert_int_equal(query_parse(&world.arena, &list, &collect.query, &err), STET_OK);
    assert_int_equal(space_reader_take(world.fixture.space, &reader, &err), STET_OK);
    if (list_collect(&collect, reader, &err) != STET_OK) fail_msg("list: %s", err.message);
    space_reader_give(world.fixture.space, reader);
    return count;
}

/* ---- Points ------------------------------------------------------------------------------ */

TEST(a_point_holds_until_its_record_changes) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    must_put("b", none, "{\"n\":1}");
    begin_reading();
    read_point("a", 1);
    check_holds();
    must_put("b", at(1), "{\"n\":2}");
    check_holds();
    must_put("a", at(1), "{\"n\":2}");
    check_stale();
}

TEST(what_was_absent_must_stay_absent) {
    (void)state;
    begin_reading();
    read_point("a", 0);
    check_holds();
    must_put("a", none, "{}");
    check_stale();
}

TEST(a_tombstone_is_a_version_like_others) {
    (void)state;
    must_put("a", none, "{}");
    must_delete("a", at(1));
    begin_reading();
    read_point("a", 2);
    check_holds();
    must_put("a", at(2), "{}");
    check_stale();
}

TEST(what_is_staged_before_it_in_the_same_batch_counts) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    begin_reading();
    read_point("a", 1);
    stet_mutation one = mutation(STET_OP_PUT, "a", at(1), "{\"n\":2}");
    struct stet_command *write = start(&(stet_write){.mutations = &one, .mutation_count = 1});
    struct stet_command *second = rely();
    check_status(take(second), STET_CONCURRENT_MODIFICATION);
    check_status(take(write), STET_OK);
}

TEST(many_points_are_each_found_once) {
    (void)state;
    char id[16];
    begin_reading();
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 3000; i++) {
            snprintf(id, sizeof id, "r%d", i);
            read_point(id, (uint64_t)i);
        }
    assert_int_equal(reads.point_count, 3000);
    for (int i = 0; i < 3000; i++) {
        snprintf(id, sizeof id, "r%d", i);
        const struct read_point *point = read_set_find(&reads, VIEW("task"), view_of(id));
        assert_non_null(point);
        assert_int_equal(point->version, i);
    }
    assert_null(read_set_find(&reads, VIEW("task"), VIEW("r3000")));
    assert_null(read_set_find(&reads, VIEW("other"), VIEW("r1")));
}

/* ---- Ranges ------------------------------------------------------------------------------ */

TEST(a_scan_relies_on_its_whole_type) {
    (void)state;
    must_put("a", none, "{\"amount\":1}");
    begin_reading();
    assert_int_equal(list_where("amount > 5", NULL, 10), 0);
    check_holds();
    must_put("b", none, "{\"amount\":1}");
    check_stale();
}

TEST(a_scan_does_not_mind_other_types) {
    (void)state;
    stet_mutation other = mutation(STET_OP_PUT, "x", none, "{}");
    other.type = VIEW("other");
    must_put("a", none, "{\"amount\":1}");
    begin_reading();
    list_where("amount > 5", NULL, 10);
    must(apply_one(other));
    check_holds();
}

TEST(a_range_of_an_index_minds_only_what_comes_into_it_or_leaves) {
    (void)state;
    declare(true);
    must_put("low", none, "{\"amount\":1}");
    must_put("high", none, "{\"amount\":10}");
    begin_reading();
    assert_int_equal(list_where("amount >= 5 && amount <= 20", NULL, 10), 1);
    must_put("lower", none, "{\"amount\":2}");
    must_put("low", at(1), "{\"amount\":30}");
    check_holds();
    must_put("phantom", none, "{\"amount\":7}");
    check_stale();
}

TEST(a_record_that_leaves_a_range_is_missed) {
    (void)state;
    declare(true);
    must_put("high", none, "{\"amount\":10}");
    begin_reading();
    assert_int_equal(list_where("amount >= 5 && amount <= 20", NULL, 10), 1);
    must_put("high", at(1), "{\"amount\":1}");
    check_stale();
}

/* Its key stays, and so the index knows nothing of it; that it was looked at must be known. */
TEST(a_record_that_was_looked_at_and_did_not_match_counts) {
    (void)state;
    declare(true);
    must_put("a", none, "{\"amount\":10,\"open\":false}");
    begin_reading();
    assert_int_equal(list_where("amount >= 5 && amount <= 20 && open = true", NULL, 10), 0);
    check_holds();
    must_put("a", at(1), "{\"amount\":10,\"open\":true}");
    check_stale();
}

TEST(a_list_that_ended_early_relies_on_what_it_saw) {
    (void)state;
    char id[16], data[32];
    declare(true);
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "r%02d", i);
        snprintf(data, sizeof data, "{\"amount\":%d}", i);
        must_put(id, none, data);
    }
    begin_reading();
    assert_int_equal(list_where("amount >= 0", "amount", 3), 3);
    must_put("r90", at(1), "{\"amount\":95}");
    check_holds();
    must_put("first", none, "{\"amount\":1}");
    check_stale();
}

TEST(an_index_that_is_no_longer_declared_tells_nothing) {
    (void)state;
    declare(true);
    must_put("a", none, "{\"amount\":10}");
    begin_reading();
    list_where("amount >= 5", NULL, 10);
    check_holds();
    declare(false);
    check_stale();
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, setup, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_point_holds_until_its_record_changes),
        WORLD(what_was_absent_must_stay_absent),
        WORLD(a_tombstone_is_a_version_like_others),
        WORLD(what_is_staged_before_it_in_the_same_batch_counts),
        WORLD(many_points_are_each_found_once),
        WORLD(a_scan_relies_on_its_whole_type),
        WORLD(a_scan_does_not_mind_other_types),
        WORLD(a_range_of_an_index_minds_only_what_comes_into_it_or_leaves),
        WORLD(a_record_that_leaves_a_range_is_missed),
        WORLD(a_record_that_was_looked_at_and_did_not_match_counts),
        WORLD(a_list_that_ended_early_relies_on_what_it_saw),
        WORLD(an_index_that_is_no_longer_declared_tells_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
