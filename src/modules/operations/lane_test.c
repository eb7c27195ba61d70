/* Lanes that nobody declared come and go, and what is refused holds nobody up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/operations/internal.h"
#include "modules/operations/operations_testing.h"

static struct operations *operations_here(void) { return world.fixture.space->modules[0].state; }

static struct answer submit_to(const char *lane, const char *id) {
    return submit((stet_operation_request){.id = view_of(id), .lane = view_of(lane)});
}

/* Somebody used the lane once. */
static void use(const char *lane) {
    must(submit_to(lane, lane));
    must(cancel(lane));
}

static void check_gone(const char *lane) { check_status(get_lane(lane), STET_NOT_FOUND); }

/* ---- Forgetting -------------------------------------------------------------------------- */

TEST(names_that_were_invented_do_not_exhaust_the_lanes) {
    struct stet_command *claims[20];
    char name[32];
    (void)state;
    /* Who only waits in a lane takes none away. */
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "wait%d", i);
        claims[i] = start_claim(
            (stet_claim){.lane = view_of(name), .agent = VIEW("a"), .wait_s = WAIT_S_MAX});
    }
    for (int i = 0; i < LANES_MAX; i++) {
        snprintf(name, sizeof name, "lane%d", i);
        use(name);
    }
    check_status(submit_to("more", "more"), STET_TOO_LARGE);
    check_status(put_lane("more", "{\"width\":2}"), STET_TOO_LARGE);
    for (int i = 0; i < 20; i++)
        command_cancel(claims[i]);
    work();
    for (int i = 0; i < 20; i++)
        check_status(take(claims[i]), STET_CANCELLED);
    pass(LANE_IDLE_S);
    check_gone("lane0");
    assert_int_equal(operations_here()->lane_count, 0);
    assert_int_equal(operations_here()->lanes_recorded, 0);
    must(submit_to("more", "more"));
    must(submit_to("lane7", "again"));
    must(claim_with((stet_claim){.lane = VIEW("lane7"), .agent = VIEW("a")}));
    check_is("again", "/status", "\"running\"");
}

TEST(a_lane_that_is_used_is_not_forgotten) {
    (void)state;
    must_submit("a");
    pass(LANE_IDLE_S);
    must(get_lane("l"));
    must_claim("agent", "a");
    pass(30);
    must(cancel("a"));
    pass(LANE_IDLE_S - 10);
    must_submit("b"); /* Its time begins anew when that is over. */
    must(cancel("b"));
    pass(20);
    must(get_lane("l"));
    pass(LANE_IDLE_S);
    check_gone("l");
}

TEST(a_declared_lane_stays_until_its_settings_are_taken_back) {
    (void)state;
    must(put_lane("l", "{\"width\":1}"));
    must(put_lane("m", "{\"width\":3,\"age_s\":7}"));
    use("paused");
    must(move_lane("paused", STET_LANE_PAUSE));
    pass(2 * LANE_IDLE_S);
    must(get_lane("l"));
    must(get_lane("paused"));
    must(put_lane("l", "{\"width\":null}"));
    must(put_lane("m", "{\"width\":null}"));
    must(move_lane("paused", STET_LANE_RESUME));
    pass(LANE_IDLE_S);
    check_gone("l");
    check_gone("paused");
    check_json(must(get_lane("m")).body, "/age_s", "7");
    must(put_lane("m", "{\"age_s\":null}"));
    pass(LANE_IDLE_S);
    check_gone("m");
}

TEST(what_is_tried_again_has_a_lane_again) {
    (void)state;
    must_submit("a");
    must(cancel("a"));
    pass(LANE_IDLE_S);
    check_gone("l");
    must(retry("a"));
    must(get_lane("l"));
    must_claim("agent", "a");
}

TEST(a_claim_outlives_the_lane_it_waits_in) {
    (void)state;
    use("l");
    pass(LANE_IDLE_S - 10);
    stet_claim claim = claim_of("agent");
    claim.wait_s = 60;
    struct stet_command *waiting = start_claim(claim);
    pass(15);
    check_gone("l");
    assert_false(waiting->done);
    must_submit("b");
    work();
    assert_true(waiting->done);
    check_json(must(take(waiting)).body, "/operations/0/id", "\"b\"");
    check_is("b", "/status", "\"running\"");
}

TEST(a_restart_knows_which_lanes_were_declared) {
    (void)state;
    must(put_lane("mine", "{\"width\":1}"));
    use("l");
    use("gone");
    pass(LANE_IDLE_S - 10);
    must(submit_to("l", "l2"));
    must(cancel("l2"));
    pass(20);
    check_gone("gone");
    reopen();
    be("ann");
    work();
    check_gone("gone");
    must(get_lane("l"));
    assert_int_equal(operations_here()->lane_count, 2);
    assert_int_equal(operations_here()->lanes_recorded, 2);
    pass(LANE_IDLE_S);
    check_gone("l");
    must(get_lane("mine"));
}

/* ---- What is refused --------------------------------------------------------------------- */

/* What time makes due now; refused: what was given last was. "" when there is nothing. */
static const char *next_due(bool refused) {
    struct module_time now = {.wall = clock_wall_ns(&world.clock.clock),
                              .monotonic = clock_monotonic_ns(&world.clock.clock)};
    struct stet_command *command = fresh();
    const char *id = "";
    if (operations_due(operations_here(), &now, refused, command))
        id = world_text(((struct task *)command->module_data)->id);
    command_destroy(command);
    return id;
}

/* Three leases have ended, in this order, and nobody has looked yet. */
static void lose_three(void) {
    must(put_lane("l", "{\"width\":3}"));
    for (int i = 0; i < 3; i++) {
        const char id[] = {(char)('a' + i), 0};
        const char agent[] = {(char)('x' + i), 0};
        must_submit(id);
        must_claim(agent, id);
        clock_manual_advance(&world.clock, CLOCK_NS_PER_MS);
    }
    clock_manual_advance(&world.clock, (LEASE_TTL_S_DEFAULT + 1) * CLOCK_NS_PER_S);
}

TEST(who_is_refused_holds_up_no_other) {
    (void)state;
    lose_three();
    assert_string_equal(next_due(false), "a");
    assert_string_equal(next_due(true), "b");
    assert_string_equal(next_due(true), "c");
    assert_string_equal(next_due(false), "c");
    work();
    check_is("a", "/status", "\"running\"");
    check_is("b", "/status", "\"running\"");
    check_is("c", "/status", "\"queued\"");
    pass(5);
    check_is("a", "/status", "\"queued\"");
    check_is("b", "/status", "\"queued\"");
}

TEST(an_end_that_is_refused_lets_leases_end) {
    (void)state;
    lose_three();
    struct operations *operations = operations_here();
    operations->blocked_until = INT64_MAX;
    must_submit("whole");
    must(submit((stet_operation_request){
        .id = VIEW("part"), .lane = VIEW("parts"), .parent = VIEW("whole")}));
    must(cancel("whole"));
    operations->blocked_until = 0;
    assert_string_equal(next_due(false), "part");
    assert_string_equal(next_due(true), "a");
    check_is("whole", "/status", "\"cancelled\""); /* And the engine asks anew what is due. */
    work();
    check_is("a", "/status", "\"queued\"");
    check_is("part", "/status", "\"queued\"");
    pass(5);
    check_is("part", "/status", "\"cancelled\"");
}

TEST(when_all_are_refused_time_moves_none_for_a_while) {
    (void)state;
    lose_three();
    struct operations *operations = operations_here();
    operations->refusals.since = clock_monotonic_ns(&world.clock.clock);
    operations->refusals.count = 14;
    assert_string_equal(next_due(false), "a");
    assert_string_equal(next_due(true), "b");
    assert_string_equal(next_due(true), "");
    assert_string_equal(next_due(false), "");
    work();
    check_is("c", "/status", "\"running\"");
    pass(5);
    check_is("c", "/status", "\"queued\"");
}

#define LANE(name) cmocka_unit_test_setup_teardown(name, setup, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        LANE(names_that_were_invented_do_not_exhaust_the_lanes),
        LANE(a_lane_that_is_used_is_not_forgotten),
        LANE(a_declared_lane_stays_until_its_settings_are_taken_back),
        LANE(what_is_tried_again_has_a_lane_again),
        LANE(a_claim_outlives_the_lane_it_waits_in),
        cmocka_unit_test_setup_teardown(a_restart_knows_which_lanes_were_declared, setup_folder,
                                        teardown_folder),
        LANE(who_is_refused_holds_up_no_other),
        LANE(an_end_that_is_refused_lets_leases_end),
        LANE(when_all_are_refused_time_moves_none_for_a_while),
    };
    return cmocka_run_group_tests_name("lane", tests, NULL, NULL);
}
