/*
 * What modules ask of the sequencer beyond checking: records staged along, commands that wait, alarms, and detours. A small module plays
 * the part: a gate that one command at a time may pass, and an alarm on each clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "core/staging.h"
#include "core/write_fixture.h"
#include "doc/write.h"

#define TEST(name) static void name(void **state)

enum { GATE_TAG = 7 };

/* ---- The module -------------------------------------------------------------------------- */

static const struct module gate_module;

/* A projection like any other: whether the gate's record is there. */
static bool taken;
static int64_t alarm_wall, alarm_monotonic;
static int alarms_refused;
/* Work in the background: how much is to be done, how far it is, and how it ended. */
static int labour_wanted, labour_hops, labour_ended;
static bool labour_under_way, labour_fails;
static stet_status labour_status;
static struct space *home;

static void gate_reset(void *state) {
    (void)state;
    taken = false;
}
static stet_status gate_load(void *state, const struct store_change *head, stet_error *err) {
    (void)state, (void)err;
    if (view_equal(head->type, VIEW("stet.gate"))) taken = true;
    return STET_OK;
}
static void gate_apply(void *state, const struct store_change *change) {
    (void)state;
    if (view_equal(change->type, VIEW("stet.gate"))) {
        taken = change->op != STORE_DELETE;
        if (!taken) space_wake_held(home, GATE_TAG);
    }
    if (view_equal(change->type, VIEW("stet.alarm"))) alarm_wall = alarm_monotonic = MODULE_NEVER;
}

enum gate_wish { WISH_ENTER, WISH_LEAVE, WISH_LABOUR };
struct gate_request {
    enum gate_wish wish;
    int64_t until;
};

static stet_status gate_decide(void *state, struct staging *staging, struct stet_command *command,
                               const struct module_time *now, stet_error *err) {
    (void)state;
    const struct gate_request *request = command->module_data;
    if (request->wish == WISH_LABOUR)
        return staging_put(staging, VIEW("stet.note"), VIEW("done"), VIEW("{}"), VIEW("labour"),
                           NULL, err);
    if (request->wish == WISH_LEAVE)
        return staging_delete(staging, VIEW("stet.gate"), VIEW("it"), VIEW("leave"), err);
    if (!taken)
        return staging_put(staging, VIEW("stet.gate"), VIEW("it"), VIEW("{}"), VIEW("enter"), NULL,
                           err);
    if (command->wait_over || request->until <= now->monotonic)
        return error_set(err, STET_LOCKED, "the gate is taken");
    return staging_hold(staging, GATE_TAG, request->until, err);
}

static void gate_next_due(void *state, struct module_time *at) {
    (void)state;
    at->wall = alarm_wall;
    at->monotonic = labour_wanted > 0 && !labour_under_way ? 0 : alarm_monotonic;
}

static stet_status labour(struct stet_command *command, struct store_reader *reader,
                          stet_error *err) {
    assert_non_null(reader);
    assert_true(command->background);
    labour_hops++;
    return labour_fails ? error_set(err, STET_FUNCTION_FAILED, "as it was told to") : STET_OK;
}

static bool begin_labour(struct stet_command *command) {
    struct gate_request *request = arena_zalloc(&command->arena, 1, sizeof *request);
    assert_non_null(request);
    request->wish = WISH_LABOUR;
    command->kind = COMMAND_MODULE;
    command->module_data = request;
    command->hop = labour;
    labour_wanted--;
    labour_under_way = true;
    return true;
}

static void gate_ended(void *state, struct stet_command *command) {
    (void)state;
    assert_true(labour_under_way);
    labour_under_way = false;
    labour_ended++;
    labour_status = command->status;
}

static bool gate_due(void *state, const struct module_time *now, bool refused,
                     struct stet_command *command) {
    (void)state;
    bool wall = alarm_wall <= now->wall && !now->wall_held;
    if (labour_wanted > 0 && !labour_under_way) return begin_labour(command);
    if (!wall && alarm_monotonic > now->monotonic) return false;
    alarms_refused += refused;
    /* The first try contradicts itself when it is told to; the second does what cannot be refused. */
    const stet_mutation ring = {
        .op = STET_OP_CREATE, .type = VIEW("stet.alarm"), .id = VIEW("rang"), .body = VIEW("{}")};
    const stet_mutation wrong = {.op = STET_OP_PUT,
                                 .type = VIEW("task"),
                                 .id = VIEW("1"),
                                 .base = at_time(1),
                                 .body = VIEW("{\"n\":1}")};
    const stet_mutation both[] = {ring, wrong};
    const stet_write write = {.mutations = both,
                              .mutation_count = wall && !refused ? 2 : 1,
                              .transaction = wall && !refused};
    command->actor.id = VIEW("clock");
    return command_fill_write(command, &write, NULL) == STET_OK;
}

static const char *const gate_types[] = {"stet.gate", "stet.alarm", "stet.note", NULL};

/* Keeps a note of every task that is written. */
static stet_status gate_open(struct space *space, void **state, stet_error *err) {
    (void)err;
    home = space;
    *state = NULL;
    return STET_OK;
}

static const struct module gate_module = {
    .name = "gate",
    .types = gate_types,
    .space = "main",
    .open = gate_open,
    .reset = gate_reset,
    .load = gate_load,
    .apply = gate_apply,
    .decide = gate_decide,
    .next_due = gate_next_due,
    .due = gate_due,
    .ended = gate_ended,
};
static const struct module *const with_gate[] = {&gate_module, NULL};

static int open_gate(void **state) {
    (void)state;
    alarm_wall = alarm_monotonic = MODULE_NEVER;
    alarms_refused = 0;
    labour_wanted = labour_hops = labour_ended = 0;
    labour_under_way = labour_fails = false;
    world_open_with(with_gate, NULL);
    return 0;
}

static stet_status answer_gate(struct stet_command *command, struct json_writer *writer,
                               stet_error *err) {
    (void)command, (void)err;
    json_object_begin(writer);
    json_object_end(writer);
    return STET_OK;
}

static struct stet_command *ask(enum gate_wish wish, int64_t wait_s) {
    struct stet_command *command = command_create(world.fixture.client);
    struct gate_request *request = arena_zalloc(&command->arena, 1, sizeof *request);
    assert_non_null(request);
    request->wish = wish;
    request->until = clock_monotonic_ns(&world.clock.clock) + wait_s * CLOCK_NS_PER_S;
    command->kind = COMMAND_MODULE;
    command->owner = &gate_module;
    command->module_data = request;
    command->answer = answer_gate;
    return submitted(command);
}

static void work(void) {
    engine_step(world.fixture.engine);
    while (client_next(world.fixture.client) != NULL)
        ;
}

/* Time goes by: everything that becomes due meanwhile is done. */
static void pass(int64_t seconds) {
    clock_manual_advance(&world.clock, seconds * CLOCK_NS_PER_S);
    work();
}

static bool has_rung(void) { return fixture_version(&world.fixture, "stet.alarm", "rang") > 0; }

/* ---- Waiting ----------------------------------------------------------------------------- */

TEST(a_command_waits_until_it_is_woken) {
    (void)state;
    check_status(take(ask(WISH_ENTER, 0)), STET_OK);
    struct stet_command *waiting = ask(WISH_ENTER, 30);
    work();
    assert_false(waiting->done);
    check_status(take(ask(WISH_LEAVE, 0)), STET_OK);
    check_status(take(waiting), STET_OK);
}

TEST(waiting_commands_are_woken_in_the_order_they_came) {
    (void)state;
    check_status(take(ask(WISH_ENTER, 0)), STET_OK);
    struct stet_command *first = ask(WISH_ENTER, 30);
    struct stet_command *second = ask(WISH_ENTER, 30);
    work();
    check_status(take(ask(WISH_LEAVE, 0)), STET_OK);
    check_status(take(first), STET_OK);
    assert_false(second->done);
    check_status(take(ask(WISH_LEAVE, 0)), STET_OK);
    check_status(take(second), STET_OK);
}

TEST(a_wake_up_in_the_batch_that_begins_to_wait_is_not_missed) {
    (void)state;
    check_status(take(ask(WISH_ENTER, 0)), STET_OK);
    struct stet_command *waiting = ask(WISH_ENTER, 30);
    struct stet_command *leaving = ask(WISH_LEAVE, 0);
    work();
    check_status(take(leaving), STET_OK);
    check_status(take(waiting), STET_OK);
}

static uint64_t commits(void) { return atomic_load(&world.fixture.space->counters.commits); }

TEST(whoever_a_batch_wakes_is_decided_in_it) {
    (void)state;
    check_status(take(ask(WISH_ENTER, 0)), STET_OK);
    struct stet_command *first = ask(WISH_ENTER, 30);
    struct stet_command *second = ask(WISH_ENTER, 30);
    work();
    uint64_t before = commits();
    struct stet_command *leaving = ask(WISH_LEAVE, 0);
    work();
    assert_int_equal(commits(), before + 1);
    check_status(take(leaving), STET_OK);
    check_status(take(first), STET_OK);
    assert_false(second->done);

    /* Also who was only about to wait in that batch, but behind those who waited before. */
    before = commits();
    struct stet_command *third = ask(WISH_ENTER, 30);
    leaving = ask(WISH_LEAVE, 0);
    work();
    assert_int_equal(commits(), before + 1);
    check_status(take(leaving), STET_OK);
    check_status(take(second), STET_OK);
    assert_false(third->done);
    before = commits();
    struct stet_command *fourth = ask(WISH_ENTER, 30);
    leaving = ask(WISH_LEAVE, 0);
    work();
    assert_int_equal(commits(), before + 1);
    check_status(take(leaving), STET_OK);
    check_status(take(third), STET_OK);
    check_status(take(ask(WISH_LEAVE, 0)), STET_OK);
    check_status(take(fourth), STET_OK);

    before = commits();
    struct stet_command *fifth = ask(WISH_ENTER, 30);
    leaving = ask(WISH_LEAVE, 0);
    work();
    assert_int_equal(commits(), before + 1);
    check_status(take(leaving), STET_OK);
    check_status(take(fifth), STET_OK);
}

TEST(a_full_batch_leaves_whom_it_woke_to_the_next) {
    (void)state;
    check_status(take(ask(WISH_ENTER, 0)), STET_OK);
    struct stet_command *waiting = ask(WISH_ENTER, 30);
    work();
    uint64_t before = commits();
    struct stet_command *leaving = ask(WISH_LEAVE, 0);
    assert_true(sequencer_step(world.fixture.space->sequencer, 1));
    assert_int_equal(commits(), before + 1);
    assert_false(waiting->done);
    work();
    check_status(take(leaving), STET_OK);
    check_status(take(waiting), STET_OK);
}

TEST(a_wait_is_over_at_its_time) {
    (void)state;
    check_status(take(ask(WISH_ENTER, 0)), STET_OK);
    struct stet_command *waiting = ask(WISH_ENTER, 30);
    work();
    pass(29);
    assert_false(waiting->done);
    pass(1);
    assert_true(waiting->done);
    check_status(take(waiting), STET_LOCKED);
}

TEST(a_cancelled_wait_ends_and_takes_nothing) {
    (void)state;
    check_status(take(ask(WISH_ENTER, 0)), STET_OK);
    struct stet_command *waiting = ask(WISH_ENTER, 30);
    work();
    command_cancel(waiting);
    work();
    check_status(take(waiting), STET_CANCELLED);
    check_status(take(ask(WISH_LEAVE, 0)), STET_OK);
    assert_false(taken);
}

TEST(one_cancelled_before_it_was_decided_ends_as_well) {
    (void)state;
    check_status(take(ask(WISH_ENTER, 0)), STET_OK);
    struct stet_command *waiting = ask(WISH_ENTER, 30);
    command_cancel(waiting);
    work();
    check_status(take(waiting), STET_CANCELLED);
}

static int left_count;
static void note_left(struct stet_command *command) {
    assert_false(command->done);
    left_count++;
    space_wake_held(home, GATE_TAG);
}

TEST(a_module_is_told_once_when_one_that_waited_is_answered) {
    (void)state;
    left_count = 0;
    check_status(take(ask(WISH_ENTER, 0)), STET_OK);
    struct stet_command *cancelled = ask(WISH_ENTER, 30);
    struct stet_command *other = ask(WISH_ENTER, 30);
    cancelled->left = other->left = note_left;
    work();
    assert_int_equal(left_count, 0);
    command_cancel(cancelled);
    work();
    assert_int_equal(left_count, 1);
    check_status(take(cancelled), STET_CANCELLED);
    check_status(take(ask(WISH_LEAVE, 0)), STET_OK);
    check_status(take(other), STET_OK);
    assert_int_equal(left_count, 2);
}

TEST(stopping_completes_what_waits) {
    (void)state;
    check_status(take(ask(WISH_ENTER, 0)), STET_OK);
    struct stet_command *waiting = ask(WISH_ENTER, 30);
    work();
    for (size_t i = 0; i < world.fixture.engine->sequencer_count; i++)
        sequencer_stop(&world.fixture.engine->sequencers[i]);
    while (client_next(world.fixture.client) != NULL)
        ;
    assert_true(waiting->done);
    check_status(answer_of(waiting), STET_SHUTTING_DOWN);
    command_destroy(waiting);
}

/* ---- Alarms ------------------------------------------------------------------------------ */

/* The sequencer learns of an alarm after a batch. */
static void set_alarm(int64_t wall_s, int64_t monotonic_s) {
    if (wall_s > 0) alarm_wall = world.clock.wall_ns + wall_s * CLOCK_NS_PER_S;
    if (monotonic_s > 0)
        alarm_monotonic = clock_monotonic_ns(&world.clock.clock) + monotonic_s * CLOCK_NS_PER_S;
    must_put("1", none, "{}");
}

TEST(an_alarm_rings_at_its_time_and_nobody_needs_to_ask) {
    (void)state;
    set_alarm(0, 60);
    pass(59);
    assert_false(has_rung());
    pass(1);
    assert_true(has_rung());
}

TEST(a_refused_alarm_is_asked_for_another_way) {
    (void)state;
    set_alarm(60, 0);
    for (int i = 0; i < 7; i++)
        pass(10);
    assert_true(has_rung());
    assert_int_equal(alarms_refused, 1);
    check_data("1", 1, "{}");
}

TEST(a_wall_clock_that_jumps_ahead_rings_no_alarm_until_it_lasts) {
    (void)state;
    set_alarm(3600, 0);
    world.clock.wall_ns += 7200 * CLOCK_NS_PER_S;
    must_put("2", none, "{}");
    pass(DUE_RECHECK_S);
    assert_false(has_rung());
    for (int i = 0; i < CLOCK_CONFIRM_S / DUE_RECHECK_S + 1; i++)
        pass(DUE_RECHECK_S);
    assert_true(has_rung());
}

TEST(a_wall_clock_that_jumps_ahead_and_back_rings_none) {
    (void)state;
    set_alarm(3600, 0);
    world.clock.wall_ns += 7200 * CLOCK_NS_PER_S;
    must_put("2", none, "{}");
    world.clock.wall_ns -= 7200 * CLOCK_NS_PER_S;
    for (int i = 0; i < 10; i++)
        pass(DUE_RECHECK_S);
    assert_false(has_rung());
}

/* ---- Detours ----------------------------------------------------------------------------- */

static int hops_left;

static stet_status hop_on(struct stet_command *command, struct store_reader *reader,
                          stet_error *err) {
    (void)reader;
    if (hops_left < 0) return error_set(err, STET_TOO_LARGE, "too far");
    if (--hops_left > 0) command->hop = hop_on;
    return STET_OK;
}

TEST(a_detour_ends_at_the_sequencer) {
    (void)state;
    stet_mutation one = mutation(STET_OP_CREATE, "1", none, "{\"n\":1}");
    struct stet_command *command = command_create(world.fixture.client);
    assert_int_equal(
        command_fill_write(command, &(stet_write){.mutations = &one, .mutation_count = 1}, NULL),
        STET_OK);
    hops_left = 3;
    command->hop = hop_on;
    assert_int_equal(must(take(submitted(command))).version, 1);
    assert_int_equal(hops_left, 0);
}

TEST(a_detour_that_fails_is_the_answer) {
    (void)state;
    stet_mutation one = mutation(STET_OP_CREATE, "1", none, "{}");
    struct stet_command *command = command_create(world.fixture.client);
    assert_int_equal(
        command_fill_write(command, &(stet_write){.mutations = &one, .mutation_count = 1}, NULL),
        STET_OK);
    hops_left = -1;
    command->hop = hop_on;
    check_status(take(submitted(command)), STET_TOO_LARGE);
    check_status(read_record("1"), STET_NOT_FOUND);
}

TEST(work_in_the_background_is_decided_and_its_module_told) {
    (void)state;
    labour_wanted = 3;
    sequencer_poke(home->sequencer, home);
    while (engine_step(world.fixture.engine))
        ;
    check_status(read_record("none"), STET_NOT_FOUND);
    assert_int_equal(labour_hops, 3);
    assert_int_equal(labour_ended, 3);
    assert_int_equal(labour_status, STET_OK);
    assert_int_equal(fixture_version(&world.fixture, "stet.note", "done"), 3);
}

TEST(work_in_the_background_that_fails_is_told) {
    (void)state;
    labour_wanted = 1;
    labour_fails = true;
    sequencer_poke(home->sequencer, home);
    while (engine_step(world.fixture.engine))
        ;
    assert_int_equal(labour_ended, 1);
    assert_int_equal(labour_status, STET_FUNCTION_FAILED);
    assert_int_equal(fixture_version(&world.fixture, "stet.note", "done"), 0);
}

/* It is on its way to a worker, or back from one, when the engine closes. */
TEST(work_in_the_background_ends_with_the_engine) {
    (void)state;
    for (int steps = 0; steps < 3; steps++) {
        labour_wanted = 1;
        labour_under_way = false;
        labour_ended = 0;
        sequencer_poke(home->sequencer, home);
        while (steps > 0 && !labour_under_way)
            sequencer_step(home->sequencer, 16);
        if (steps > 1) workers_step(&world.fixture.engine->workers);
        fixture_close(&world.fixture);
        int ended = labour_ended;
        labour_wanted = 0;
        world_reopen();
        assert_int_equal(ended, steps == 0 ? 0 : 1);
    }
}

int main(void) {
#define WORLD(name) cmocka_unit_test_setup_teardown(name, open_gate, world_close)
    const struct CMUnitTest tests[] = {
        WORLD(a_command_waits_until_it_is_woken),
        WORLD(waiting_commands_are_woken_in_the_order_they_came),
        WORLD(a_wake_up_in_the_batch_that_begins_to_wait_is_not_missed),
        WORLD(whoever_a_batch_wakes_is_decided_in_it),
        WORLD(a_full_batch_leaves_whom_it_woke_to_the_next),
        WORLD(a_wait_is_over_at_its_time),
        WORLD(a_cancelled_wait_ends_and_takes_nothing),
        WORLD(one_cancelled_before_it_was_decided_ends_as_well),
        WORLD(a_module_is_told_once_when_one_that_waited_is_answered),
        WORLD(stopping_completes_what_waits),
        WORLD(an_alarm_rings_at_its_time_and_nobody_needs_to_ask),
        WORLD(a_refused_alarm_is_asked_for_another_way),
        WORLD(a_wall_clock_that_jumps_ahead_rings_no_alarm_until_it_lasts),
        WORLD(a_wall_clock_that_jumps_ahead_and_back_rings_none),
        WORLD(a_detour_ends_at_the_sequencer),
        WORLD(a_detour_that_fails_is_the_answer),
        WORLD(work_in_the_background_is_decided_and_its_module_told),
        WORLD(work_in_the_background_that_fails_is_told),
        WORLD(work_in_the_background_ends_with_the_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
