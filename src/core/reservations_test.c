/*
 * Reservations: who waits, who passes, who gives way, and how every wait and every reservation ends. A small module plays the queue's
 * part: when the record of a job is written, the job's reservations are given back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/reservations.h"
#include "core/write_fixture.h"
#include "store/driver.h"

#define TEST(name) static void name(void **state)
#define MS(count) ((count)*INT64_C(1000000))

/* ---- The module -------------------------------------------------------------------------- */

static const struct module jobs_module;

static stet_status jobs_open(struct space *space, void **state, stet_error *err) {
    (void)err;
    *state = space;
    return STET_OK;
}

static stet_status jobs_load(void *state, const struct store_change *head, stet_error *err) {
    (void)state, (void)head, (void)err;
    return STET_OK;
}

static void jobs_reset(void *state) { (void)state; }

static void jobs_apply(void *state, const struct store_change *change) {
    if (view_equal(change->type, VIEW("stet.job"))) reservations_release(state, change->id);
}

static const char *const job_types[] = {"stet.job", NULL};
static const struct module jobs_module = {
    .name = "jobs",
    .types = job_types,
    .space = "main",
    .open = jobs_open,
    .reset = jobs_reset,
    .load = jobs_load,
    .apply = jobs_apply,
};
static const struct module *const with_jobs[] = {&jobs_module, NULL};

static int open_jobs(void **state) {
    (void)state;
    world_open_with(with_jobs, NULL);
    must_put("hot", none, "{\"n\":1}");
    return 0;
}

/* ---- Words ------------------------------------------------------------------------------- */

static int64_t now_monotonic(void) { return clock_monotonic_ns(&world.clock.clock); }

static struct rank ranked(const char *operation, stet_class class_, unsigned level, int64_t stamp) {
    return (struct rank){
        .level = level, .class_ = class_, .stamp = stamp, .operation = view_of(operation)};
}

static void reserve(struct rank rank, const char *id, int64_t ms) {
    const struct reserved_record record = {.type = VIEW("task"), .id = view_of(id)};
    reservations_take(world.fixture.space, &rank, &record, 1, now_monotonic() + MS(ms));
}

/* Held by the operation "first" for ten seconds. */
static void reserve_hot(void) { reserve(ranked("first", STET_CLASS_HIGH, 3, 1), "hot", 10000); }

/* A write that has a rank; rank NULL: a plain one. */
static struct stet_command *send(const struct rank *rank, stet_mutation one) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_non_null(command);
    const stet_write write = {.mutations = &one, .mutation_count = 1};
    assert_int_equal(command_fill_write(command, &write, NULL), STET_OK);
    if (rank != NULL) {
        struct rank *own = arena_alloc(&command->arena, sizeof *own);
        assert_non_null(own);
        *own = *rank;
        command->rank = own;
    }
    return submitted(command);
}

static struct stet_command *send_put(const struct rank *rank, const char *id, stet_version base,
                                     const char *data) {
    return send(rank, mutation(STET_OP_PUT, id, at(base), data));
}

/* The job's record is written: it is over. */
static struct stet_command *finish(const char *operation) {
    struct stet_command *command = send(NULL, (stet_mutation){.op = STET_OP_CREATE,
                                                              .type = VIEW("stet.job"),
                                                              .id = view_of(operation),
                                                              .body = VIEW("{}")});
    command->owner = &jobs_module;
    return command;
}

static void work(void) {
    engine_step(world.fixture.engine);
    while (client_next(world.fixture.client) != NULL)
        ;
}

static void pass(int64_t ms) {
    clock_manual_advance(&world.clock, MS(ms));
    work();
}

static uint64_t counted(const _Atomic uint64_t *counter) { return atomic_load(counter); }
#define COUNTED(member) counted(&world.fixture.space->counters.member)

/* ---- Rank -------------------------------------------------------------------------------- */

TEST(ranks_are_a_total_order) {
    (void)state;
    const struct rank order[] = {
        ranked("a", STET_CLASS_LOW, 4, 9),        ranked("a", STET_CLASS_STRUCTURAL, 3, 5),
        ranked("a", STET_CLASS_STRUCTURAL, 3, 6), ranked("a", STET_CLASS_HIGH, 3, 1),
        ranked("a", STET_CLASS_NORMAL, 3, 1),     ranked("b", STET_CLASS_DEFAULT, 3, 1),
        ranked("", STET_CLASS_NORMAL, 0, 1),
    };
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        for (size_t j = 0; j < sizeof order / sizeof order[0]; j++)
            assert_int_equal(rank_is_higher(&order[i], &order[j]), i < j);
}

/* ---- Waiting ----------------------------------------------------------------------------- */

TEST(a_plain_write_waits_until_the_operation_is_over) {
    (void)state;
    reserve_hot();
    struct stet_command *plain = send_put(NULL, "hot", 1, "{\"n\":2}");
    work();
    assert_false(plain->done);
    check_data("hot", 1, "{\"n\":1}");
    check_status(take(finish("first")), STET_OK);
    check_status(take(plain), STET_OK);
    check_data("hot", 2, "{\"n\":2}");
    assert_int_equal(COUNTED(reservation_waits), 1);
    assert_int_equal(COUNTED(reservation_timeouts), 0);
}

TEST(other_records_and_reads_do_not_wait) {
    (void)state;
    reserve_hot();
    must_put("cold", none, "{}");
    check_data("hot", 1, "{\"n\":1}");
    const stet_mutation both[] = {mutation(STET_OP_CHECK, "hot", at(1), NULL),
                                  mutation(STET_OP_CREATE, "other", none, "{}")};
    must(transact(both, 2, NULL));
    assert_int_equal(COUNTED(reservation_waits), 0);
}

TEST(the_operation_itself_passes) {
    (void)state;
    reserve_hot();
    const struct rank first = ranked("first", STET_CLASS_HIGH, 3, 1);
    check_status(take(send_put(&first, "hot", 1, "{\"n\":2}")), STET_OK);
}

TEST(who_ranks_higher_passes_and_who_ranks_lower_waits) {
    (void)state;
    reserve_hot();
    const struct rank higher = ranked("higher", STET_CLASS_NORMAL, 4, 9);
    const struct rank lower = ranked("lower", STET_CLASS_STRUCTURAL, 2, 0);
    struct stet_command *waits = send_put(&lower, "hot", 2, "{\"n\":3}");
    check_status(take(send_put(&higher, "hot", 1, "{\"n\":2}")), STET_OK);
    assert_false(waits->done);
    check_status(take(finish("first")), STET_OK);
    check_status(take(waits), STET_OK);
}

TEST(who_is_of_class_low_gives_way_at_once) {
    (void)state;
    reserve_hot();
    const struct rank low = ranked("low", STET_CLASS_LOW, 2, 0);
    check_status(take(send_put(&low, "hot", 1, "{\"n\":2}")), STET_OPERATION_REJECTED);
    assert_int_equal(COUNTED(reservation_rejections), 1);
    /* Where nobody keeps it out it writes as anybody else. */
    check_status(take(send(&low, mutation(STET_OP_CREATE, "cold", none, "{}"))), STET_OK);
}

TEST(those_who_wait_go_on_in_their_order_and_before_newcomers) {
    (void)state;
    reserve_hot();
    struct stet_command *first = send_put(NULL, "hot", 1, "{\"by\":\"first\"}");
    struct stet_command *second = send_put(NULL, "hot", 1, "{\"by\":\"second\"}");
    work();
    struct stet_command *over = finish("first");
    engine_step_batch(world.fixture.engine, world.fixture.space, 1);
    struct stet_command *late = send_put(NULL, "hot", 1, "{\"by\":\"late\"}");
    check_status(take(over), STET_OK);
    check_status(take(first), STET_OK);
    check_status(take(second), STET_CONCURRENT_MODIFICATION);
    check_status(take(late), STET_CONCURRENT_MODIFICATION);
    check_data("hot", 2, "{\"by\":\"first\"}");
}

TEST(every_kind_of_write_waits) {
    (void)state;
    must_put("hot", at(1), "{\"n\":2}");
    must_put("side", none, "{}");
    reserve_hot();
    stet_mutation revert = mutation(STET_OP_REVERT, "hot", at(2), NULL);
    revert.revert_to = 1;
    const stet_mutation both[] = {mutation(STET_OP_PUT, "side", at(1), "{\"n\":1}"),
                                  mutation(STET_OP_PATCH, "hot", at(2), "{\"n\":3}")};
    const stet_origin origin = {0};
    stet_mutation import = mutation(STET_OP_CREATE, "hot", none, "{\"n\":4}");
    import.origin = &origin;
    const stet_write writes[] = {
        {.mutations = &revert, .mutation_count = 1},
        {.mutations = both, .mutation_count = 2, .transaction = true},
        {.mutations = &import, .mutation_count = 1, .source = VIEW("import")},
        {.mutations = &both[1], .mutation_count = 1, .dry_run = true},
    };
    enum { COUNT = sizeof writes / sizeof writes[0] };
    struct stet_command *commands[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        commands[i] = command_create(world.fixture.client);
        assert_int_equal(command_fill_write(commands[i], &writes[i], NULL), STET_OK);
        submitted(commands[i]);
    }
    work();
    for (size_t i = 0; i < COUNT; i++)
        assert_false(commands[i]->done);
    check_data("side", 1, "{}");
    pass(RESERVATION_WAIT_MS_MAX);
    for (size_t i = 0; i < COUNT; i++)
        check_status(take(commands[i]), STET_BUSY);
}

TEST(a_repeated_write_is_answered_from_its_key_without_waiting) {
    (void)state;
    stet_mutation one = mutation(STET_OP_PUT, "hot", at(1), "{\"n\":2}");
    must(keyed(one, "mine"));
    reserve_hot();
    assert_true(must(keyed(one, "mine")).replayed);
}

/* ---- The end of waiting ------------------------------------------------------------------ */

TEST(a_wait_ends_with_busy) {
    (void)state;
    reserve_hot();
    struct stet_command *plain = send_put(NULL, "hot", 1, "{\"n\":2}");
    work();
    pass(RESERVATION_WAIT_MS_MAX - 1);
    assert_false(plain->done);
    pass(1);
    assert_true(plain->done);
    struct answer answer = take(plain);
    check_status(answer, STET_BUSY);
    assert_int_equal(answer.limit, RESERVATION_WAIT_MS_MAX);
    assert_int_equal(COUNTED(reservation_timeouts), 1);
    check_data("hot", 1, "{\"n\":1}");
}

TEST(being_woken_by_one_and_met_by_another_does_not_prolong_it) {
    (void)state;
    reserve_hot();
    struct stet_command *plain = send_put(NULL, "hot", 1, "{\"n\":2}");
    work();
    pass(RESERVATION_WAIT_MS_MAX / 2);
    reserve(ranked("second", STET_CLASS_HIGH, 4, 1), "hot", 10000);
    check_status(take(finish("first")), STET_OK);
    work();
    assert_false(plain->done);
    pass(RESERVATION_WAIT_MS_MAX / 2);
    check_status(take(plain), STET_BUSY);
    assert_int_equal(COUNTED(reservation_waits), 1);
}

TEST(a_wait_can_be_cancelled) {
    (void)state;
    reserve_hot();
    struct stet_command *plain = send_put(NULL, "hot", 1, "{\"n\":2}");
    work();
    command_cancel(plain);
    work();
    check_status(take(plain), STET_CANCELLED);
}

/* ---- The end of a reservation ------------------------------------------------------------ */

TEST(one_whose_agent_died_ends_by_itself) {
    (void)state;
    reserve(ranked("first", STET_CLASS_HIGH, 3, 1), "hot", 300);
    struct stet_command *plain = send_put(NULL, "hot", 1, "{\"n\":2}");
    work();
    pass(299);
    assert_false(plain->done);
    pass(1);
    assert_true(plain->done);
    check_status(take(plain), STET_OK);
    assert_int_equal(reservations_next(world.fixture.space), MODULE_NEVER);
}

TEST(a_restart_forgets_it) {
    (void)state;
    reserve_hot();
    fixture_close(&world.fixture);
    world_reopen();
    must_put("hot", none, "{\"n\":1}");
    must_put("hot", at(1), "{\"n\":2}");
}

TEST(what_is_given_back_in_a_batch_is_free_for_the_rest_of_it) {
    (void)state;
    reserve_hot();
    struct stet_command *over = finish("first");
    struct stet_command *plain = send_put(NULL, "hot", 1, "{\"n\":2}");
    assert_true(engine_step_batch(world.fixture.engine, world.fixture.space, 8));
    check_status(take(over), STET_OK);
    check_status(take(plain), STET_OK);
    assert_int_equal(COUNTED(reservation_waits), 0);
}

static stet_status failing_commit(struct store *store, const struct store_batch *batch,
                                  const struct store_plan *plan, stet_error *err) {
    (void)store, (void)batch, (void)plan;
    return error_set(err, STET_NO_SPACE, "the disk is full");
}

TEST(a_batch_that_fails_gives_nothing_back) {
    (void)state;
    struct store *store = world.fixture.space->store;
    const struct store_driver *sound = store->driver;
    struct store_driver full = *sound;
    full.commit = failing_commit;
    reserve_hot();
    struct stet_command *plain = send_put(NULL, "hot", 1, "{\"n\":2}");
    work();
    store->driver = &full;
    check_status(take(finish("first")), STET_NO_SPACE);
    store->driver = sound;
    work();
    assert_false(plain->done);
    check_status(take(finish("first")), STET_OK);
    check_status(take(plain), STET_OK);
}

TEST(a_refused_end_gives_nothing_back) {
    (void)state;
    check_status(take(finish("first")), STET_OK);
    reserve_hot();
    struct stet_command *plain = send_put(NULL, "hot", 1, "{\"n\":2}");
    check_status(take(finish("first")), STET_ALREADY_EXISTS);
    assert_false(plain->done);
    pass(RESERVATION_WAIT_MS_MAX);
    check_status(take(plain), STET_BUSY);
}

/* ---- Taking ------------------------------------------------------------------------------ */

TEST(who_reserves_anew_gives_up_what_it_had) {
    (void)state;
    reserve_hot();
    struct stet_command *plain = send_put(NULL, "hot", 1, "{\"n\":2}");
    work();
    reserve(ranked("first", STET_CLASS_HIGH, 4, 1), "other", 10000);
    check_status(take(plain), STET_OK);
    struct stet_command *other = send(NULL, mutation(STET_OP_CREATE, "other", none, "{}"));
    work();
    assert_false(other->done);
    reservations_release(world.fixture.space, VIEW("first"));
    must_put("cold", none, "{}");
    check_status(take(other), STET_OK);
}

TEST(a_higher_rank_takes_over_and_a_lower_one_gets_nothing) {
    (void)state;
    const struct rank second = ranked("second", STET_CLASS_HIGH, 4, 1);
    const struct rank third = ranked("third", STET_CLASS_HIGH, 3, 5);
    const struct rank first = ranked("first", STET_CLASS_HIGH, 3, 1);
    reserve_hot();
    reserve(second, "hot", 10000);
    reserve(third, "hot", 10000);
    struct stet_command *lower = send_put(&third, "hot", 2, "{\"n\":3}");
    struct stet_command *before = send_put(&first, "hot", 2, "{\"n\":4}");
    check_status(take(send_put(&second, "hot", 1, "{\"n\":2}")), STET_OK);
    assert_false(lower->done);
    assert_false(before->done);
    check_status(take(finish("second")), STET_OK);
    check_status(take(lower), STET_OK);
    check_status(take(before), STET_CONCURRENT_MODIFICATION);
}

TEST(who_waits_when_a_record_is_taken_over_goes_on_after_the_one_who_took_it) {
    (void)state;
    reserve_hot();
    struct stet_command *plain = send_put(NULL, "hot", 1, "{\"n\":2}");
    work();
    reserve(ranked("second", STET_CLASS_HIGH, 4, 1), "hot", 10000);
    work();
    assert_false(plain->done);
    check_status(take(finish("second")), STET_OK);
    check_status(take(plain), STET_OK);
    assert_int_equal(COUNTED(reservation_waits), 1);
}

TEST(an_operation_reserves_no_more_than_it_may) {
    (void)state;
    struct reserved_record records[RESERVATION_RECORDS_MAX + 1];
    char ids[RESERVATION_RECORDS_MAX + 1][8];
    for (size_t i = 0; i <= RESERVATION_RECORDS_MAX; i++) {
        snprintf(ids[i], sizeof ids[i], "%zu", i);
        records[i] = (struct reserved_record){.type = VIEW("task"), .id = view_of(ids[i])};
    }
    const struct rank first = ranked("first", STET_CLASS_HIGH, 3, 1);
    reservations_take(world.fixture.space, &first, records, RESERVATION_RECORDS_MAX + 1,
                      now_monotonic() + MS(10000));
    must_put(ids[RESERVATION_RECORDS_MAX], none, "{}");
    struct stet_command *held =
        send(NULL, mutation(STET_OP_CREATE, ids[RESERVATION_RECORDS_MAX - 1], none, "{}"));
    work();
    assert_false(held->done);
    pass(RESERVATION_WAIT_MS_MAX);
    check_status(take(held), STET_BUSY);
}

TEST(no_more_operations_reserve_than_may) {
    (void)state;
    char name[16], id[16];
    for (unsigned i = 0; i <= RESERVATIONS_MAX; i++) {
        snprintf(name, sizeof name, "op%u", i);
        snprintf(id, sizeof id, "r%u", i);
        /* In any order of their ends. */
        reserve(ranked(name, STET_CLASS_HIGH, 3, i), id, 1000 + (i * 37) % 500);
    }
    assert_int_equal(COUNTED(reservations), RESERVATIONS_MAX);
    must_put(id, none, "{}");
    assert_int_equal(reservations_next(world.fixture.space), now_monotonic() + MS(1000));
    pass(1250);
    assert_true(reservations_next(world.fixture.space) > now_monotonic());
    pass(250);
    assert_int_equal(reservations_next(world.fixture.space), MODULE_NEVER);
}

int main(void) {
#define WORLD(test) cmocka_unit_test_setup_teardown(test, open_jobs, world_close)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_a_total_order),
        WORLD(a_plain_write_waits_until_the_operation_is_over),
        WORLD(other_records_and_reads_do_not_wait),
        WORLD(the_operation_itself_passes),
        WORLD(who_ranks_higher_passes_and_who_ranks_lower_waits),
        WORLD(who_is_of_class_low_gives_way_at_once),
        WORLD(those_who_wait_go_on_in_their_order_and_before_newcomers),
        WORLD(every_kind_of_write_waits),
        WORLD(a_repeated_write_is_answered_from_its_key_without_waiting),
        WORLD(a_wait_ends_with_busy),
        WORLD(being_woken_by_one_and_met_by_another_does_not_prolong_it),
        WORLD(a_wait_can_be_cancelled),
        WORLD(one_whose_agent_died_ends_by_itself),
        WORLD(a_restart_forgets_it),
        WORLD(what_is_given_back_in_a_batch_is_free_for_the_rest_of_it),
        WORLD(a_batch_that_fails_gives_nothing_back),
        WORLD(a_refused_end_gives_nothing_back),
        WORLD(who_reserves_anew_gives_up_what_it_had),
        WORLD(a_higher_rank_takes_over_and_a_lower_one_gets_nothing),
        WORLD(who_waits_when_a_record_is_taken_over_goes_on_after_the_one_who_took_it),
        WORLD(an_operation_reserves_no_more_than_it_may),
        WORLD(no_more_operations_reserve_than_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
