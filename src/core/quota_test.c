/* Limits of a space: what is counted, for whom, when there is room again, and that what fails takes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/write_fixture.h"

#include <unistd.h>

#define TEST(name) static void name(void **state)

static void limit(struct quota_limits limits) { quota_limit(world.fixture.space, &limits); }

static void limit_writes(double rate, uint64_t burst) {
    limit((struct quota_limits){
        .rate = rate, .burst = burst, .records = QUOTA_NONE, .bytes = QUOTA_NONE});
}

static void limit_records(uint64_t records) {
    limit((struct quota_limits){.records = records, .bytes = QUOTA_NONE});
}

static void limit_bytes(uint64_t bytes) {
    limit((struct quota_limits){.records = QUOTA_NONE, .bytes = bytes});
}

static void be_member(const char *actor) {
    be(actor);
    world.fixture.actor.admin = false;
}

static void pass_ms(int64_t ms) { clock_manual_advance(&world.clock, ms * CLOCK_NS_PER_MS); }

static struct answer create(const char *id) { return try_put(id, absent, "{\"a\":1}"); }

static uint64_t records(void) { return world.fixture.space->quota.now.records; }

static struct answer stats(void) {
    struct stet_command *command = command_create(world.fixture.client);
    command->kind = COMMAND_STATS;
    return take(submitted(command));
}

/* ---- Writes of one actor ----------------------------------------------------------------- */

TEST(who_writes_too_fast_is_told_when_to_come_again) {
    (void)state;
    be_member("bob");
    limit_writes(0.5, 2);
    must(create("1"));
    must(create("2"));
    struct answer refused = create("3");
    check_status(refused, STET_TOO_MANY_REQUESTS);
    assert_string_equal(refused.field, "writes_per_actor");
    assert_int_equal(refused.limit, 2);
    check_json(refused.body, "/retry_after", "2");
    pass_ms(1999);
    check_status(create("3"), STET_TOO_MANY_REQUESTS);
    pass_ms(1);
    must(create("3"));
    check_status(create("4"), STET_TOO_MANY_REQUESTS);
}

TEST(one_actor_does_not_use_up_what_another_has) {
    (void)state;
    limit_writes(1, 1);
    be_member("bob");
    must(create("1"));
    check_status(create("2"), STET_TOO_MANY_REQUESTS);
    be_member("cleo");
    must(create("2"));
}

TEST(administrators_write_as_fast_as_they_like) {
    (void)state;
    limit_writes(1, 1);
    be("ann");
    for (int i = 0; i < 5; i++)
        must(create(world_text(arena_format(&world.arena, "%d", i))));
}

TEST(every_mutation_of_a_transaction_counts_but_its_checks) {
    (void)state;
    be_member("bob");
    stet_version one = must_put("1", absent, "{}");
    limit_writes(1, 3);
    const stet_mutation mutations[] = {mutation(STET_OP_CHECK, "1", at(one), NULL),
                                       mutation(STET_OP_PUT, "2", absent, "{}"),
                                       mutation(STET_OP_PUT, "3", absent, "{}")};
    must(transact(mutations, 3, NULL));
    must(create("4"));
    check_status(create("5"), STET_TOO_MANY_REQUESTS);
}

TEST(a_transaction_larger_than_the_burst_passes_a_full_bucket_and_owes_the_rest) {
    (void)state;
    be_member("bob");
    limit_writes(1, 2);
    const stet_mutation mutations[] = {
        mutation(STET_OP_PUT, "1", absent, "{}"), mutation(STET_OP_PUT, "2", absent, "{}"),
        mutation(STET_OP_PUT, "3", absent, "{}"), mutation(STET_OP_PUT, "4", absent, "{}")};
    must(transact(mutations, 4, NULL));
    struct answer refused = create("5");
    check_status(refused, STET_TOO_MANY_REQUESTS);
    check_json(refused.body, "/retry_after", "3");
    pass_ms(3000);
    must(create("5"));
    pass_ms(1000);
    const stet_mutation more[] = {mutation(STET_OP_PUT, "6", absent, "{}"),
                                  mutation(STET_OP_PUT, "7", absent, "{}"),
                                  mutation(STET_OP_PUT, "8", absent, "{}")};
    check_status(transact(more, 3, NULL), STET_TOO_MANY_REQUESTS);
    pass_ms(1000);
    must(transact(more, 3, NULL));
}

TEST(a_replay_costs_nothing_and_neither_does_a_dry_run) {
    (void)state;
    be_member("bob");
    limit_writes(1, 2);
    stet_mutation one = mutation(STET_OP_PUT, "1", absent, "{}");
    must(keyed(one, "k"));
    for (int i = 0; i < 5; i++)
        assert_true(must(keyed(one, "k")).replayed);
    stet_mutation two = mutation(STET_OP_PUT, "2", absent, "{}");
    for (int i = 0; i < 5; i++)
        must(run(&(stet_write){.mutations = &two, .mutation_count = 1, .dry_run = true}));
    must(create("2"));
    check_status(create("3"), STET_TOO_MANY_REQUESTS);
    assert_true(must(keyed(one, "k")).replayed);
}

TEST(what_was_refused_can_be_repeated_with_its_key) {
    (void)state;
    be_member("bob");
    limit_writes(1, 1);
    must(create("1"));
    stet_mutation two = mutation(STET_OP_PUT, "2", absent, "{}");
    check_status(keyed(two, "k"), STET_TOO_MANY_REQUESTS);
    pass_ms(1000);
    struct answer again = must(keyed(two, "k"));
    assert_false(again.replayed);
    check_data("2", 1, "{}");
}

TEST(a_conflict_costs_what_a_write_costs) {
    (void)state;
    be("ann");
    stet_version first = must_put("1", absent, "{\"a\":1}");
    must_put("1", at(first), "{\"a\":2}");
    be_member("bob");
    limit_writes(1, 1);
    check_status(try_put("1", at(first), "{\"a\":3}"), STET_CONCURRENT_MODIFICATION);
    check_status(try_put("1", at(first), "{\"a\":3}"), STET_TOO_MANY_REQUESTS);
}

TEST(a_new_rate_holds_at_once) {
    (void)state;
    be_member("bob");
    limit_writes(0.01, 1);
    must(create("1"));
    check_status(create("2"), STET_TOO_MANY_REQUESTS);
    limit_writes(100, 2);
    must(create("2"));
    must(create("3"));
    check_status(create("4"), STET_TOO_MANY_REQUESTS);
    limit((struct quota_limits){.records = QUOTA_NONE, .bytes = QUOTA_NONE});
    must(create("4"));
}

/* More actors than are remembered: who owes most is remembered longest in their row. */
TEST(memory_is_bounded_and_forgets_those_first_who_may_write_most) {
    enum { OTHERS = 3 * WRITERS_REMEMBERED_MAX };
    (void)state;
    limit_writes(0.01, 1);
    be_member("bob");
    must(transact((const stet_mutation[]){mutation(STET_OP_PUT, "1", absent, "{}"),
                                          mutation(STET_OP_PUT, "2", absent, "{}")},
                  2, NULL));
    for (int i = 0; i < OTHERS; i++) {
        char name[32];
        snprintf(name, sizeof name, "actor %d", i);
        be_member(name);
        /* Refused for its base; it counts all the same. */
        struct stet_command *command = command_create(world.fixture.client);
        stet_mutation one = mutation(STET_OP_PUT, "1", none, "{}");
        assert_int_equal(command_fill_write(
                             command, &(stet_write){.mutations = &one, .mutation_count = 1}, NULL),
                         STET_OK);
        submitted(command);
        fixture_finish(&world.fixture, command);
        assert_true(command->status == STET_OK || command->status == STET_PRECONDITION_REQUIRED);
        command_destroy(command);
    }
    be_member("bob");
    check_status(create("3"), STET_TOO_MANY_REQUESTS);
}

/* ---- Records ----------------------------------------------------------------------------- */

TEST(a_full_space_takes_no_record_more_from_anybody) {
    (void)state;
    limit_records(2);
    must(create("1"));
    stet_version two = must(create("2")).version;
    struct answer refused = create("3");
    check_status(refused, STET_QUOTA_EXCEEDED);
    assert_string_equal(refused.field, "records");
    assert_int_equal(refused.limit, 2);
    assert_int_equal(read_record("3").status, STET_NOT_FOUND);
    two = must_put("2", at(two), "{\"a\":2}");
    must_delete("2", at(two));
    must(create("3"));
    check_status(create("2"), STET_QUOTA_EXCEEDED);
    assert_int_equal(records(), 2);
}

TEST(a_transaction_is_judged_by_what_it_leaves) {
    (void)state;
    limit_records(1);
    stet_version one = must(create("1")).version;
    const stet_mutation swap[] = {mutation(STET_OP_PUT, "2", absent, "{}"),
                                  mutation(STET_OP_DELETE, "1", at(one), NULL)};
    must(transact(swap, 2, NULL));
    assert_int_equal(records(), 1);
    const stet_mutation two[] = {mutation(STET_OP_PUT, "3", absent, "{}"),
                                 mutation(STET_OP_PUT, "4", absent, "{}")};
    uint64_t seq = seq_now();
    check_status(transact(two, 2, NULL), STET_QUOTA_EXCEEDED);
    assert_int_equal(seq_now(), seq);
    assert_int_equal(records(), 1);
}

TEST(a_limit_below_what_is_there_refuses_the_new_and_keeps_the_old) {
    (void)state;
    stet_version one = must(create("1")).version;
    must(create("2"));
    must(create("3"));
    limit_records(1);
    check_status(create("4"), STET_QUOTA_EXCEEDED);
    must_delete("1", at(one));
    check_status(create("4"), STET_QUOTA_EXCEEDED);
    check_data("2", 1, "{\"a\":1}");
}

/* All in one batch: the first takes the place, and the ones behind it are judged against what is staged. */
TEST(a_batch_holds_no_more_than_fits) {
    struct stet_command *commands[6];
    int taken = 0;
    (void)state;
    limit_records(3);
    for (int i = 0; i < 6; i++) {
        stet_mutation one =
            mutation(STET_OP_PUT, world_text(arena_format(&world.arena, "%d", i)), absent, "{}");
        commands[i] = start(&(stet_write){.mutations = &one, .mutation_count = 1});
    }
    for (int i = 0; i < 6; i++) {
        struct answer answer = take(commands[i]);
        assert_int_equal(answer.status, i < 3 ? STET_OK : STET_QUOTA_EXCEEDED);
        taken += answer.status == STET_OK;
    }
    assert_int_equal(taken, 3);
    assert_int_equal(records(), 3);
}

TEST(a_refused_write_and_a_dry_run_take_no_place) {
    (void)state;
    limit_records(1);
    stet_mutation one = mutation(STET_OP_PUT, "1", absent, "{}");
    must(run(&(stet_write){.mutations = &one, .mutation_count = 1, .dry_run = true}));
    assert_int_equal(records(), 0);
    const stet_mutation mutations[] = {one, mutation(STET_OP_DELETE, "none", at(7), NULL)};
    check_status(transact(mutations, 2, NULL), STET_NOT_FOUND);
    assert_int_equal(records(), 0);
    must(create("1"));
    assert_int_equal(records(), 1);
}

TEST(stats_say_how_full_it_is) {
    (void)state;
    must(create("1"));
    check_json(must(stats()).body, "/limits", "{}");
    limit((struct quota_limits){.rate = 2.5, .burst = 9, .records = 10, .bytes = 1000000});
    struct answer told = must(stats());
    check_json(told.body, "/limits/records", "{\"used\":1,\"limit\":10}");
    check_json(told.body, "/limits/writes_per_actor", "{\"rate\":2.5,\"burst\":9}");
    check_json(told.body, "/limits/bytes/limit", "1000000");
    assert_true(strtoull(json_at(told.body, "/limits/bytes/used"), NULL, 10) > 100);
}

/* ---- Bytes ------------------------------------------------------------------------------- */

static const char *large(void) {
    static char text[20000];
    memset(text, 'x', sizeof text);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + sizeof text - 3, "\"}", 3);
    return text;
}

static uint64_t used(void) {
    uint64_t bytes;
    assert_int_equal(store_used(world.fixture.space->store, &bytes), STET_OK);
    return bytes;
}

TEST(a_space_out_of_bytes_takes_deletions_only) {
    (void)state;
    stet_version one = must_put("1", absent, large());
    limit_bytes(used() + 25000);
    stet_version two = must_put("2", absent, large());
    struct answer refused = try_put("3", absent, large());
    check_status(refused, STET_QUOTA_EXCEEDED);
    assert_string_equal(refused.field, "bytes");
    check_status(try_put("2", at(two), large() + 0), STET_OK); /* Unchanged: takes nothing. */
    check_status(apply(STET_OP_PATCH, "2", at(two), "{\"b\":1}"), STET_QUOTA_EXCEEDED);
    must_delete("1", at(one));
    limit_bytes(QUOTA_NONE);
    must_put("3", absent, large());
}

/* Twenty in one batch, of which the store knows nothing yet. */
TEST(what_a_batch_has_staged_counts) {
    struct stet_command *commands[20];
    int taken = 0;
    (void)state;
    limit_bytes(used() + 100000);
    for (int i = 0; i < 20; i++) {
        stet_mutation one =
            mutation(STET_OP_PUT, world_text(arena_format(&world.arena, "%d", i)), absent, large());
        commands[i] = start(&(stet_write){.mutations = &one, .mutation_count = 1});
    }
    for (int i = 0; i < 20; i++)
        taken += take(commands[i]).status == STET_OK;
    assert_true(taken >= 3 && taken <= 5);
}

/* ---- On disk ----------------------------------------------------------------------------- */

TEST(a_restart_counts_the_same) {
    char dir[] = "/tmp/stet-quota-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(dir));
    world_open_with(fixture_no_modules, dir);
    must(create("1"));
    stet_version two = must(create("2")).version;
    must_delete("2", at(two));
    must_put("3", absent, large());
    uint64_t before = used();
    fixture_close(&world.fixture);
    world_reopen();
    assert_int_equal(records(), 2);
    assert_true(used() <= before);
    limit_bytes(used());
    check_status(try_put("4", absent, large()), STET_QUOTA_EXCEEDED);
    limit_bytes(used() + 100000);
    must_put("4", absent, large());
    assert_true(used() >= before + 20000 - 4096);
    world_close(state);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

/* ---- Words ------------------------------------------------------------------------------- */

TEST(limits_that_make_no_sense_are_refused_where_they_stand) {
    static const struct {
        const char *text, *field; /* NULL: it is fine. */
    } rows[] = {
        {"{}", NULL},
        {"{\"records\":0,\"bytes\":9007199254740993}", NULL},
        {"{\"writes_per_actor\":{\"rate\":0.01}}", NULL},
        {"{\"writes_per_actor\":{\"rate\":1e6,\"burst\":1000000}}", NULL},
        {"[]", "/limits"},
        {"null", "/limits"},
        {"{\"record\":1}", "/limits"},
        {"{\"records\":-1}", "/limits/records"},
        {"{\"records\":1.5}", "/limits/records"},
        {"{\"records\":null}", "/limits/records"},
        {"{\"records\":\"1\"}", "/limits/records"},
        {"{\"records\":18446744073709551615}", "/limits/records"},
        {"{\"records\":99999999999999999999}", "/limits/records"},
        {"{\"bytes\":-1}", "/limits/bytes"},
        {"{\"bytes\":{}}", "/limits/bytes"},
        {"{\"writes_per_actor\":5}", "/limits/writes_per_actor"},
        {"{\"writes_per_actor\":{\"rate\":5,\"per\":1}}", "/limits/writes_per_actor"},
        {"{\"writes_per_actor\":{}}", "/limits/writes_per_actor/rate"},
        {"{\"writes_per_actor\":{\"rate\":0}}", "/limits/writes_per_actor/rate"},
        {"{\"writes_per_actor\":{\"rate\":-1}}", "/limits/writes_per_actor/rate"},
        {"{\"writes_per_actor\":{\"rate\":0.009}}", "/limits/writes_per_actor/rate"},
        {"{\"writes_per_actor\":{\"rate\":1e400}}", "/limits/writes_per_actor/rate"},
        {"{\"writes_per_actor\":{\"rate\":\"5\"}}", "/limits/writes_per_actor/rate"},
        {"{\"writes_per_actor\":{\"rate\":5,\"burst\":0}}", "/limits/writes_per_actor/burst"},
        {"{\"writes_per_actor\":{\"rate\":5,\"burst\":1.5}}", "/limits/writes_per_actor/burst"},
        {"{\"writes_per_actor\":{\"rate\":5,\"burst\":1000001}}", "/limits/writes_per_actor/burst"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct doc doc;
        struct quota_limits limits;
        stet_error err = {0};
        assert_int_equal(doc_parse(&world.arena, view_of(rows[i].text), NULL, &doc, &err), STET_OK);
        stet_status status = quota_read(&doc, 0, &limits, &err);
        bool right = rows[i].field == NULL
                         ? status == STET_OK
                         : status == STET_INVALID_SETTINGS && strcmp(err.field, rows[i].field) == 0;
        if (!right) fail_msg("%s: %s at %s", rows[i].text, status_code(status), err.field);
    }
}

TEST(a_burst_is_a_second_unless_it_says_otherwise) {
    struct doc doc;
    struct quota_limits limits;
    (void)state;
    assert_int_equal(
        doc_parse(&world.arena, VIEW("{\"writes_per_actor\":{\"rate\":2.5}}"), NULL, &doc, NULL),
        STET_OK);
    assert_int_equal(quota_read(&doc, 0, &limits, NULL), STET_OK);
    assert_int_equal(limits.burst, 3);
    assert_true(limits.rate == 2.5);
    assert_true(limits.records == QUOTA_NONE && limits.bytes == QUOTA_NONE);
}

#define WITH_WORLD(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(who_writes_too_fast_is_told_when_to_come_again),
        WITH_WORLD(one_actor_does_not_use_up_what_another_has),
        WITH_WORLD(administrators_write_as_fast_as_they_like),
        WITH_WORLD(every_mutation_of_a_transaction_counts_but_its_checks),
        WITH_WORLD(a_transaction_larger_than_the_burst_passes_a_full_bucket_and_owes_the_rest),
        WITH_WORLD(a_replay_costs_nothing_and_neither_does_a_dry_run),
        WITH_WORLD(what_was_refused_can_be_repeated_with_its_key),
        WITH_WORLD(a_conflict_costs_what_a_write_costs),
        WITH_WORLD(a_new_rate_holds_at_once),
        WITH_WORLD(memory_is_bounded_and_forgets_those_first_who_may_write_most),
        WITH_WORLD(a_full_space_takes_no_record_more_from_anybody),
        WITH_WORLD(a_transaction_is_judged_by_what_it_leaves),
        WITH_WORLD(a_limit_below_what_is_there_refuses_the_new_and_keeps_the_old),
        WITH_WORLD(a_batch_holds_no_more_than_fits),
        WITH_WORLD(a_refused_write_and_a_dry_run_take_no_place),
        WITH_WORLD(stats_say_how_full_it_is),
        WITH_WORLD(a_space_out_of_bytes_takes_deletions_only),
        WITH_WORLD(what_a_batch_has_staged_counts),
        cmocka_unit_test(a_restart_counts_the_same),
        WITH_WORLD(limits_that_make_no_sense_are_refused_where_they_stand),
        WITH_WORLD(a_burst_is_a_second_unless_it_says_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
