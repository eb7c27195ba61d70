/* The sequencer: stamps under a clock that jumps, bounded batches and queues, projections after a failure, halting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "core/write_fixture.h"
#include "store/driver.h"

#define TEST(name) static void name(void **state)

TEST(times_increase_though_the_clock_stands_still_or_goes_back) {
    (void)state;
    stet_time last = 0;
    char id[16];
    static const int64_t moves[] = {0, 0, -CLOCK_NS_PER_S, -3600 * CLOCK_NS_PER_S, 5, 0};
    for (int i = 0; i < 6; i++) {
        world.clock.wall_ns += moves[i];
        snprintf(id, sizeof id, "%d", i);
        stet_time now = must(try_put(id, none, "{}")).updated_at;
        assert_true(now > last);
        last = now;
    }
}

TEST(a_clock_that_jumped_ahead_and_back_leaves_times_increasing) {
    (void)state;
    world.clock.wall_ns += 86400 * CLOCK_NS_PER_S;
    stet_time ahead = must(try_put("1", none, "{}")).updated_at;
    assert_int_equal(ahead, world.clock.wall_ns);
    world.clock.wall_ns -= 86400 * CLOCK_NS_PER_S;
    assert_int_equal(must(try_put("2", none, "{}")).updated_at, ahead + 1);
}

TEST(an_aborted_write_gives_its_time_and_position_back) {
    (void)state;
    stet_time first = must(try_put("1", none, "{}")).updated_at;
    stet_mutation one = mutation(STET_OP_CREATE, "2", none, "{}");
    must(run(&(stet_write){.mutations = &one, .mutation_count = 1, .dry_run = true}));
    struct answer second = must(apply_one(one));
    assert_int_equal(second.updated_at, first + 1);
    assert_int_equal(second.seq, 2);
}

/* ---- Batches ----------------------------------------------------------------------------- */

static struct stet_command *start_create(const char *id, const char *data) {
    stet_mutation one = mutation(STET_OP_CREATE, id, none, data);
    return start(&(stet_write){.mutations = &one, .mutation_count = 1});
}

TEST(what_waits_is_one_commit) {
    (void)state;
    struct stet_command *commands[20];
    char id[16];
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "%d", i);
        commands[i] = start_create(id, "{}");
    }
    for (int i = 0; i < 20; i++)
        assert_int_equal(must(take(commands[i])).seq, i + 1);
    assert_int_equal(atomic_load(&world.fixture.space->counters.commits), 1);
}

TEST(a_full_queue_refuses_and_the_same_command_may_come_again) {
    (void)state;
    static struct stet_command *commands[QUEUE_COMMANDS_MAX + 1];
    stet_mutation one = mutation(STET_OP_CREATE, NULL, none, "{}");
    const stet_write write = {.mutations = &one, .mutation_count = 1};
    stet_status status = STET_OK;
    stet_error err;
    size_t count = 0;
    while (status == STET_OK && count <= QUEUE_COMMANDS_MAX) {
        commands[count] = command_create(world.fixture.client);
        assert_int_equal(command_fill_write(commands[count], &write, NULL), STET_OK);
        status = command_submit(world.fixture.space, &world.fixture.actor, commands[count++], NULL,
                                &err);
    }
    assert_int_equal(status, STET_BUSY);
    assert_true(err.limit == QUEUE_COMMANDS_MAX || err.limit == QUEUE_BYTES_MAX);
    struct stet_command *one_more = commands[--count];
    assert_int_equal(
        command_submit(world.fixture.space, &world.fixture.actor, one_more, NULL, &err), STET_BUSY);
    for (size_t i = 0; i < count; i++)
        must(take(commands[i]));
    assert_int_equal(must(take(submitted(one_more))).seq, count + 1);
}

/* ---- Projections and failures ------------------------------------------------------------ */

/* Counts live tasks; as every projection a function of the live heads. */
static int live, resets;

static void count_reset(void *unused) {
    (void)unused;
    live = 0;
    resets++;
}
static stet_status count_load(void *unused, const struct store_change *head, stet_error *err) {
    (void)unused, (void)head, (void)err;
    live++;
    return STET_OK;
}
static void count_apply(void *unused, const struct store_change *change) {
    (void)unused;
    if (change->op == STORE_CREATE) live++;
    if (change->op == STORE_DELETE) live--;
}

static const struct module counting = {
    .name = "counting",
    .loads_all = true,
    .space = "main",
    .reset = count_reset,
    .load = count_load,
    .apply = count_apply,
};
static const struct module *const with_counting[] = {&counting, NULL};

/* A driver in front of the memory driver whose commits fail as told. */
static stet_status fail_with;
static stet_view culprit; /* A commit that holds this record is too large. */
static struct store_driver failing;

static stet_status failing_commit(struct store *store, const struct store_batch *batch,
                                  const struct store_plan *plan, stet_error *err) {
    if (fail_with != STET_OK) return error_set(err, fail_with, "told to fail");
    for (size_t i = 0; i < batch->change_count && culprit.size > 0; i++)
        if (view_equal(batch->changes[i].id, culprit))
            return error_set(err, STET_TOO_LARGE, "told to fail");
    return store_memory_driver.commit(store, batch, plan, err);
}

static void open_failing(void) {
    world_close(NULL);
    world_open_with(with_counting, NULL);
    fail_with = STET_OK;
    culprit = (stet_view){0};
    failing = store_memory_driver;
    failing.commit = failing_commit;
    world.fixture.space->store->driver = &failing;
}

TEST(a_failed_commit_takes_everything_back) {
    (void)state;
    open_failing();
    must_put("1", none, "{\"n\":1}");
    assert_int_equal(live, 1);
    resets = 0;
    fail_with = STET_NO_SPACE;
    stet_mutation stale = mutation(STET_OP_PUT, "1", at(1), "{\"n\":3}");
    stet_mutation fresh = mutation(STET_OP_PUT, "1", at(1), "{\"n\":2}");
    struct stet_command *create = start_create("2", "{}");
    struct stet_command *put = start(&(stet_write){.mutations = &fresh, .mutation_count = 1});
    struct stet_command *lost = start(
        &(stet_write){.mutations = &stale, .mutation_count = 1, .mutation_key = VIEW("lost")});
    check_status(take(create), STET_NO_SPACE);
    check_status(take(put), STET_NO_SPACE);
    /* It was refused against a version that does not exist: that refusal must not leave. */
    check_status(take(lost), STET_NO_SPACE);
    assert_int_equal(live, 1);
    assert_int_equal(resets, 1);
    fail_with = STET_OK;
    check_json(receipt_of("lost").body, "/status", "\"unknown\"");
    check_data("1", 1, "{\"n\":1}");
    assert_int_equal(must(apply_one(stale)).version, 2);
    assert_int_equal(must(apply(STET_OP_CREATE, "2", none, "{}")).seq, 3);
    assert_int_equal(live, 2);
}

TEST(one_bad_command_does_not_take_its_batch_with_it) {
    (void)state;
    open_failing();
    culprit = VIEW("bad");
    struct stet_command *first = start_create("1", "{}");
    struct stet_command *bad = start_create("bad", "{}");
    struct stet_command *again = start_create("1", "{}");
    struct stet_command *last = start_create("2", "{}");
    assert_int_equal(must(take(first)).seq, 1);
    check_status(take(bad), STET_TOO_LARGE);
    check_status(take(again), STET_ALREADY_EXISTS);
    assert_int_equal(must(take(last)).seq, 2);
    assert_int_equal(live, 2);
    check_status(read_record("bad"), STET_NOT_FOUND);
}

TEST(a_patch_of_a_version_that_failed_is_computed_anew) {
    (void)state;
    open_failing();
    must_put("1", none, "{\"n\":1}");
    culprit = VIEW("bad");
    const stet_mutation pair[] = {mutation(STET_OP_PUT, "1", at(1), "{\"from\":\"lost\"}"),
                                  mutation(STET_OP_CREATE, "bad", none, "{}")};
    const stet_mutation other = mutation(STET_OP_PUT, "1", at(1), "{\"from\":\"kept\"}");
    const stet_mutation patch = mutation(STET_OP_PATCH, "1", at(2), "{\"p\":1}");
    struct stet_command *lost = fixture_submit_write(&world.fixture, pair, 2, NULL);
    struct stet_command *kept = fixture_submit_write(&world.fixture, &other, 1, NULL);
    struct stet_command *patched = fixture_submit_write(&world.fixture, &patch, 1, NULL);
    check_status(take(lost), STET_TOO_LARGE);
    must(take(kept));
    must(take(patched));
    check_data("1", 3, "{\"from\":\"kept\",\"p\":1}");
}

TEST(an_unknown_outcome_halts_the_space_until_it_is_opened_again) {
    (void)state;
    open_failing();
    must_put("1", none, "{\"n\":1}");
    fail_with = STET_COMMIT_UNKNOWN;
    check_status(try_put("1", at(1), "{\"n\":2}"), STET_COMMIT_UNKNOWN);
    fail_with = STET_OK;
    struct answer halted = try_put("1", at(1), "{\"n\":2}");
    check_status(halted, STET_UNAVAILABLE);
    assert_non_null(strstr(halted.message, "outcome"));
    check_data("1", 1, "{\"n\":1}");
}

TEST(a_replay_is_answered_even_when_the_space_is_halted) {
    (void)state;
    open_failing();
    stet_mutation one = mutation(STET_OP_CREATE, "1", none, "{}");
    must(keyed(one, "k"));
    fail_with = STET_COMMIT_UNKNOWN;
    check_status(try_put("2", none, "{}"), STET_COMMIT_UNKNOWN);
    assert_true(must(keyed(one, "k")).replayed);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(times_increase_though_the_clock_stands_still_or_goes_back),
        WORLD(a_clock_that_jumped_ahead_and_back_leaves_times_increasing),
        WORLD(an_aborted_write_gives_its_time_and_position_back),
        WORLD(what_waits_is_one_commit),
        WORLD(a_full_queue_refuses_and_the_same_command_may_come_again),
        WORLD(a_failed_commit_takes_everything_back),
        WORLD(one_bad_command_does_not_take_its_batch_with_it),
        WORLD(a_patch_of_a_version_that_failed_is_computed_anew),
        WORLD(an_unknown_outcome_halts_the_space_until_it_is_opened_again),
        WORLD(a_replay_is_answered_even_when_the_space_is_halted),
    };
    return cmocka_run_group_tests_name("sequencer", tests, NULL, NULL);
}
