/* Operations that the server does itself, with a function that is played by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/function.h"
#include "core/reservations.h"
#include "modules/operations/operations_testing.h"

/* ---- The function ------------------------------------------------------------------------ */

/* "count" adds one to task/n: from the head that it finds, or, as long as `stale` lasts, from one that nobody has any more. */
static int runs, stale, running_alone;
static bool is_short;
static stet_status fails;
static int64_t reserve_when_alone; /* ms; that happens while it runs alone, once. */

/* Somebody who comes before everybody reserves task/n for that long. */
static void reserve_for_another(int64_t ms) {
    const struct rank rank = {
        .level = 1000, .class_ = STET_CLASS_STRUCTURAL, .operation = VIEW("another")};
    const struct reserved_record record = {.type = VIEW("task"), .id = VIEW("n")};
    reservations_take(world.fixture.space, &rank, &record, 1,
                      clock_monotonic_ns(&world.clock.clock) + ms * CLOCK_NS_PER_MS);
}

static stet_status count_up(struct stet_command *command, struct store_reader *reader,
                            struct staging *staging, struct function_call *call, stet_error *err) {
    struct store_head head = {0};
    call->too_long = call->brief && !is_short;
    if (call->too_long) return STET_OK;
    runs++;
    call->line = 0;
    read_set_init(&call->reads, &command->arena, command->space->seq);
    if (fails != STET_OK) {
        call->line = 7;
        return error_set(err, fails, "it does not work");
    }
    stet_status status;
    if (staging != NULL) {
        running_alone++;
        if (reserve_when_alone > 0) reserve_for_another(reserve_when_alone);
        reserve_when_alone = 0;
        call->reads.current = true;
        status = staging_read(staging, VIEW("task"), VIEW("n"), &head, NULL, err);
    } else {
        status = store_head(reader, VIEW("task"), VIEW("n"), &head, err);
    }
    if (status != STET_OK) return status;
    uint64_t version = head.version;
    if (staging == NULL && stale > 0) {
        stale--;
        version--;
    }
    if (staging == NULL)
        status = read_set_point(&call->reads, VIEW("task"), VIEW("n"), version, err);
    stet_view body = arena_format(&command->arena, "{\"n\":%d}", runs);
    const stet_mutation one = {.op = STET_OP_PUT,
                               .type = VIEW("task"),
                               .id = VIEW("n"),
                               .base = at(version),
                               .body = body};
    const stet_write write = {.mutations = &one, .mutation_count = 1, .transaction = true};
    command_drop_mutations(command);
    command->kind = COMMAND_EMPTY;
    if (status == STET_OK) status = command_fill_write(command, &write, err);
    command->kind = COMMAND_MODULE;
    if (status == STET_OK) status = command_prepare(command, err);
    call->result = arena_copy(&command->arena, call->input);
    return status;
}

static bool exists(struct staging *staging, stet_view name) {
    (void)staging;
    return view_equal(name, VIEW("count"));
}

static const struct function_runner runner = {.run = count_up, .exists = exists};
static const struct module player = {.name = "player", .functions = &runner};
static const struct module *const modules[] = {&operations_module, &player, NULL};

static int open_counting(void **state) {
    (void)state;
    runs = stale = running_alone = 0;
    reserve_when_alone = 0;
    is_short = false;
    fails = STET_OK;
    snprintf(folder, sizeof folder, "/tmp/stet-operations-XXXXXX");
    assert_non_null(mkdtemp(folder));
    world_open_with(modules, folder);
    must_put("n", none, "{\"n\":-1}");
    must_put("n", at(1), "{\"n\":0}");
    return 0;
}

static void must_ask(const char *id, stet_class class_) {
    must(submit((stet_operation_request){.id = view_of(id),
                                         .lane = VIEW("l"),
                                         .class_ = class_,
                                         .function = VIEW("count"),
                                         .input = VIEW("{\"i\":1}")}));
}

static void settle(void) {
    for (int i = 0; i < 8; i++)
        work();
}

/* ---- Tests ------------------------------------------------------------------------------- */

TEST(a_function_is_run_and_its_changes_are_kept) {
    (void)state;
    must_ask("a", STET_CLASS_NORMAL);
    settle();
    check_is("a", "/status", "\"completed\"");
    check_is("a", "/result", "{\"i\":1}");
    check_is("a", "/agents_involved", "[\"count\"]");
    check_data("n", 3, "{\"n\":1}");
    assert_int_equal(runs, 1);
}

TEST(a_function_nobody_knows_is_refused) {
    (void)state;
    struct answer refused =
        submit((stet_operation_request){.lane = VIEW("l"), .function = VIEW("nobody")});
    check_status(refused, STET_NOT_FOUND);
    assert_string_equal(refused.field, "function");
}

TEST(a_function_that_fails_says_where) {
    (void)state;
    fails = STET_FUNCTION_FAILED;
    must_ask("a", STET_CLASS_NORMAL);
    settle();
    check_is("a", "/status", "\"failed\"");
    check_is("a", "/error", "\"line 7: it does not work\"");
    assert_int_equal(runs, 1);
}

TEST(a_function_that_met_others_is_run_again) {
    (void)state;
    stale = 1;
    must_ask("a", STET_CLASS_NORMAL);
    settle();
    check_is("a", "/status", "\"completed\"");
    check_is("a", "/retries", "1");
    check_data("n", 3, "{\"n\":2}");
}

TEST(a_short_one_that_met_others_is_run_against_the_winner) {
    (void)state;
    is_short = true;
    stale = 100;
    must_ask("a", STET_CLASS_NORMAL);
    settle();
    check_is("a", "/status", "\"completed\"");
    check_is("a", "/retries", "1");
    check_data("n", 3, "{\"n\":2}");
    assert_int_equal(running_alone, 1);
}

TEST(a_short_one_of_class_low_gives_way_to_a_reservation) {
    (void)state;
    is_short = true;
    stale = 1;
    reserve_when_alone = 60000;
    must_ask("a", STET_CLASS_LOW);
    settle();
    check_is("a", "/status", "\"rejected\"");
    check_is("a", "/reason", "\"it gave way to others\"");
    check_data("n", 2, "{\"n\":0}");
}

TEST(a_function_that_met_others_too_often_is_rejected) {
    (void)state;
    stale = 1000;
    must_ask("a", STET_CLASS_LOW);
    for (int i = 0; i < 100; i++)
        pass_ms(200);
    check_is("a", "/status", "\"rejected\"");
    assert_int_equal(runs, 4); /* Once, and three times more. */
    check_data("n", 2, "{\"n\":0}");
}

TEST(a_structural_one_runs_alone_at_last) {
    (void)state;
    stale = 1000;
    must_ask("a", STET_CLASS_STRUCTURAL);
    for (int i = 0; i < 300; i++)
        pass_ms(200);
    check_is("a", "/status", "\"completed\"");
    assert_int_equal(running_alone, 1);
}

static void must_ask_structural(const char *id) {
    must(submit((stet_operation_request){.id = view_of(id),
                                         .lane = VIEW("l"),
                                         .class_ = STET_CLASS_STRUCTURAL,
                                         .sets_max_retries = true,
                                         .max_retries = 1,
                                         .function = VIEW("count")}));
}

/* Before it is done alone somebody who comes first has what it wants; what it read by then is worth nothing when that is over. */
TEST(one_that_waited_alone_looks_once_more) {
    (void)state;
    stale = 1;
    must_ask_structural("a");
    reserve_when_alone = 500;
    settle();
    check_is("a", "/status", "\"running\"");
    assert_int_equal(running_alone, 1);
    check_data("n", 2, "{\"n\":0}");
    pass_ms(600);
    settle();
    check_is("a", "/status", "\"completed\"");
    check_is("a", "/retries", "1");
    assert_int_equal(running_alone, 2);
    check_data("n", 3, "{\"n\":3}");
}

TEST(one_that_waits_alone_for_too_long_is_run_again) {
    (void)state;
    stale = 1;
    must_ask_structural("a");
    reserve_when_alone = 5000;
    settle();
    assert_int_equal(running_alone, 1);
    for (int i = 0; i < 100; i++)
        pass_ms(100);
    settle();
    check_is("a", "/status", "\"completed\"");
    check_data("n", 3, arena_format(&world.arena, "{\"n\":%d}", runs).bytes);
}

TEST(one_that_a_crash_found_running_is_run_again) {
    (void)state;
    must(put_lane("l", "{\"paused\":true}"));
    must_ask("a", STET_CLASS_NORMAL);
    must(move_lane("l", STET_LANE_RESUME));
    /* Started, and not yet run. */
    while (runs == 0 && json_at(must(get("a")).body, "/started_at") == NULL)
        engine_step(world.fixture.engine);
    runs = 0;
    reopen();
    be("ann");
    settle();
    check_is("a", "/status", "\"completed\"");
    check_is("a", "/attempts", "0");
}

TEST(a_lane_as_wide_as_one_runs_one_after_the_other) {
    (void)state;
    char id[8];
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "a%d", i);
        must_ask(id, STET_CLASS_NORMAL);
    }
    for (int i = 0; i < 60; i++)
        settle();
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "a%d", i);
        check_is(id, "/status", "\"completed\"");
        check_is(id, "/retries", "0");
    }
    check_data("n", 22, "{\"n\":20}");
}

TEST(a_cancelled_one_stores_nothing) {
    (void)state;
    must(put_lane("l", "{\"paused\":true}"));
    must_ask("a", STET_CLASS_NORMAL);
    must(cancel("a"));
    must(move_lane("l", STET_LANE_RESUME));
    settle();
    assert_int_equal(runs, 0);
    check_is("a", "/status", "\"cancelled\"");
}

#define FUNCTIONS(name) cmocka_unit_test_setup_teardown(name, open_counting, teardown_folder)

int main(void) {
    (void)setup, (void)setup_folder;
    const struct CMUnitTest tests[] = {
        FUNCTIONS(a_function_is_run_and_its_changes_are_kept),
        FUNCTIONS(a_function_nobody_knows_is_refused),
        FUNCTIONS(a_function_that_fails_says_where),
        FUNCTIONS(a_function_that_met_others_is_run_again),
        FUNCTIONS(a_short_one_that_met_others_is_run_against_the_winner),
        FUNCTIONS(a_short_one_of_class_low_gives_way_to_a_reservation),
        FUNCTIONS(a_function_that_met_others_too_often_is_rejected),
        FUNCTIONS(a_structural_one_runs_alone_at_last),
        FUNCTIONS(one_that_waited_alone_looks_once_more),
        FUNCTIONS(one_that_waits_alone_for_too_long_is_run_again),
        FUNCTIONS(one_that_a_crash_found_running_is_run_again),
        FUNCTIONS(a_lane_as_wide_as_one_runs_one_after_the_other),
        FUNCTIONS(a_cancelled_one_stores_nothing),
    };
    return cmocka_run_group_tests_name("function_run", tests, NULL, NULL);
}
