/* Claims: waiting for work, hands, batches, lanes that are wide, paused or drained, and going on with the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/operations/operations_testing.h"

static stet_claim waiting(const char *agent, unsigned wait_s) {
    stet_claim claim = claim_of(agent);
    claim.wait_s = wait_s;
    return claim;
}

static void must_get(struct stet_command *command, const char *id) {
    struct answer answer = must(take(command));
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", id);
    check_json(answer.body, "/operations/0/id", quoted);
}

TEST(a_claim_waits_for_work) {
    (void)state;
    struct stet_command *command = start_claim(waiting("x", 20));
    assert_false(command->done);
    must_submit("a");
    work();
    assert_true(command->done);
    must_get(command, "a");
}

TEST(a_claim_that_waited_long_enough_is_told_so) {
    (void)state;
    struct stet_command *command = start_claim(waiting("x", 20));
    pass(19);
    assert_false(command->done);
    pass(2);
    struct answer answer = must(take(command));
    check_json(answer.body, "/operations", "[]");
}

TEST(of_those_who_wait_only_as_many_are_woken_as_there_is_work_for) {
    (void)state;
    struct stet_command *first = start_claim(waiting("x", 20));
    struct stet_command *second = start_claim(waiting("y", 20));
    must_submit("a");
    work();
    assert_true(first->done);
    assert_false(second->done);
    must_get(first, "a");
    command_cancel(second);
    work();
    check_status(take(second), STET_CANCELLED);
}

TEST(a_claim_that_was_cancelled_took_nothing) {
    (void)state;
    struct stet_command *command = start_claim(waiting("x", 20));
    command_cancel(command);
    must_submit("a");
    work();
    check_status(take(command), STET_CANCELLED);
    check_is("a", "/status", "\"queued\"");
    must_claim("y", "a");
}

TEST(work_for_somebody_else_wakes_them_and_nobody_else) {
    (void)state;
    must(put_lane("l", "{\"width\":4}"));
    struct stet_command *first = start_claim(waiting("x", 20));
    struct stet_command *second = start_claim(waiting("y", 20));
    must(submit((stet_operation_request){.id = VIEW("a"), .lane = VIEW("l"), .agent = VIEW("y")}));
    work();
    assert_false(first->done);
    must_get(second, "a");
    must_submit("b");
    work();
    must_get(first, "b");
}

TEST(an_agent_has_one_at_a_time_whatever_workers_it_has) {
    (void)state;
    must(put_lane("l", "{\"width\":8}"));
    must_submit("a");
    must_submit("b");
    must_submit("c");
    stet_claim claim = claim_of("x");
    claim.worker = VIEW("one");
    must(claim_with(claim));
    claim.worker = VIEW("two");
    must_find_nothing(claim);
    claim.hands = 2;
    must(claim_with(claim));
    must_find_nothing(claim);
    must_claim("y", "c");
}

TEST(who_finishes_makes_room_for_who_waits) {
    (void)state;
    must_submit("a");
    must_submit("b");
    uint64_t lease = must_claim("x", "a");
    struct stet_command *next = start_claim(waiting("y", 20));
    assert_false(next->done);
    must(complete("a", lease));
    work();
    must_get(next, "b");
}

TEST(what_is_lost_goes_to_who_waits) {
    (void)state;
    must_submit("a");
    must_claim("x", "a");
    struct stet_command *next = start_claim(waiting("y", 60));
    pass(14);
    assert_false(next->done);
    pass(2);
    must_get(next, "a");
}

TEST(what_is_not_to_be_started_yet_wakes_who_waits_in_time) {
    (void)state;
    int64_t later = clock_wall_ns(&world.clock.clock) + 5 * CLOCK_NS_PER_S;
    must(submit((stet_operation_request){.id = VIEW("a"), .lane = VIEW("l"), .not_before = later}));
    struct stet_command *command = start_claim(waiting("x", 20));
    pass(4);
    assert_false(command->done);
    pass(2);
    must_get(command, "a");
}

TEST(several_are_taken_as_far_as_the_lane_is_wide) {
    (void)state;
    must(put_lane("l", "{\"width\":2}"));
    must_submit("a");
    must_submit("b");
    must_submit("c");
    stet_claim claim = claim_of("x");
    claim.hands = claim.max = 5;
    struct answer answer = must(claim_with(claim));
    check_json(answer.body, "/operations/1/id", "\"b\"");
    check_no_json(answer.body, "/operations/2");
}

TEST(a_batch_takes_one_place) {
    (void)state;
    const char *const ids[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++)
        must(submit((stet_operation_request){
            .id = view_of(ids[i]), .lane = VIEW("l"), .batch_key = VIEW("k")}));
    must_submit("d");
    stet_claim claim = claim_of("x");
    claim.batch = 2;
    struct answer answer = must(claim_with(claim));
    check_json(answer.body, "/operations/1/id", "\"b\"");
    check_no_json(answer.body, "/operations/2");
    must_find_nothing(claim_of("y"));
    must(complete("a", lease_at(answer.body, 0)));
    must_find_nothing(claim_of("y"));
    must(complete("b", lease_at(answer.body, 1)));
    must_claim("y", "c");
}

TEST(urgent_ones_start_though_the_lane_is_full) {
    (void)state;
    must_submit("a");
    must_claim("x", "a");
    must_submit("b");
    must(submit(
        (stet_operation_request){.id = VIEW("u"), .lane = VIEW("l"), .class_ = STET_CLASS_URGENT}));
    must_claim("y", "u");
    must_find_nothing(claim_of("z"));
}

TEST(a_paused_lane_starts_nothing_and_a_drained_one_takes_nothing) {
    (void)state;
    must_submit("a");
    must(move_lane("l", STET_LANE_PAUSE));
    must_find_nothing(claim_of("x"));
    struct stet_command *command = start_claim(waiting("x", 20));
    must(move_lane("l", STET_LANE_RESUME));
    work();
    must_get(command, "a");
    must(move_lane("l", STET_LANE_DRAIN));
    check_status(submit((stet_operation_request){.lane = VIEW("l")}), STET_QUEUE_FULL);
    must(move_lane("l", STET_LANE_RESUME));
    must(submit((stet_operation_request){.lane = VIEW("l")}));
}

TEST(who_completes_goes_on_with_the_next) {
    (void)state;
    must_submit("a");
    must_submit("b");
    uint64_t lease = must_claim("x", "a");
    for (int i = 0; i < 2; i++) {
        struct stet_command *command = fresh();
        const stet_operation_completion completion = {
            .id = i == 0 ? VIEW("a") : VIEW("b"), .lease = lease, .claims_next = true};
        assert_int_equal(operations_fill_complete(command, &completion, NULL), STET_OK);
        struct answer answer = must(take(submitted(command)));
        if (i == 1) {
            check_json(answer.body, "/next", "null");
            return;
        }
        check_json(answer.body, "/next/id", "\"b\"");
        lease = strtoull(json_at(answer.body, "/next/lease/token"), NULL, 10);
    }
}

TEST(only_who_has_the_lease_may_use_it) {
    (void)state;
    must_submit("a");
    am("bob");
    uint64_t lease = must_claim("x", "a");
    am("eve");
    check_status(complete("a", lease), STET_FORBIDDEN);
    check_status(heartbeat("a", lease), STET_FORBIDDEN);
    am("bob");
    must(complete("a", lease));
}

TEST(what_is_asked_wrongly_is_told_with_its_name) {
    (void)state;
    stet_claim claim = claim_of("x");
    claim.wait_s = WAIT_S_MAX + 1;
    assert_string_equal(claim_with(claim).field, "wait_s");
    claim = claim_of("x");
    claim.ttl_s = LEASE_TTL_S_MAX + 1;
    assert_string_equal(claim_with(claim).field, "ttl_s");
    claim = claim_of("");
    assert_string_equal(claim_with(claim).field, "agent");
    claim = claim_of("x");
    claim.max = claim.batch = 20;
    assert_string_equal(claim_with(claim).field, "max");
    assert_string_equal(
        submit((stet_operation_request){.agent = VIEW("x"), .function = VIEW("f")}).field,
        "function");
    assert_string_equal(submit((stet_operation_request){.input = VIEW("{")}).field, "input");
    assert_string_equal(submit((stet_operation_request){.parent = VIEW("nobody")}).field, "parent");
    assert_string_equal(
        submit((stet_operation_request){.id = VIEW("p"), .parent = VIEW("p")}).field, "parent");
    const stet_view on[] = {VIEW("nobody")};
    assert_string_equal(
        submit((stet_operation_request){.depends_on = on, .depends_on_count = 1}).field,
        "depends_on");
    check_status(heartbeat("nobody", 1), STET_NOT_FOUND);
    assert_string_equal(put_lane("l", "{\"width\":0}").field, "/width");
    assert_string_equal(put_lane("l", "{\"colour\":1}").field, "/colour");
    assert_string_equal(put_lane("l", "{\"fair\":\"no\"}").field, "/fair");
    check_status(get_lane("nobody"), STET_NOT_FOUND);
}

TEST(parts_below_parts_end_at_the_bound) {
    (void)state;
    char id[8], above[8] = "";
    for (int depth = 0; depth <= OPERATION_DEPTH_MAX + 1; depth++) {
        snprintf(id, sizeof id, "d%d", depth);
        struct answer answer = submit((stet_operation_request){
            .id = view_of(id), .lane = VIEW("l"), .parent = view_of(above)});
        check_status(answer, depth <= OPERATION_DEPTH_MAX ? STET_OK : STET_OPERATION_DEPTH);
        memcpy(above, id, sizeof id);
    }
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, world_close)

int main(void) {
    (void)setup_folder, (void)teardown_folder;
    const struct CMUnitTest tests[] = {
        CLAIM(a_claim_waits_for_work),
        CLAIM(a_claim_that_waited_long_enough_is_told_so),
        CLAIM(of_those_who_wait_only_as_many_are_woken_as_there_is_work_for),
        CLAIM(a_claim_that_was_cancelled_took_nothing),
        CLAIM(work_for_somebody_else_wakes_them_and_nobody_else),
        CLAIM(an_agent_has_one_at_a_time_whatever_workers_it_has),
        CLAIM(who_finishes_makes_room_for_who_waits),
        CLAIM(what_is_lost_goes_to_who_waits),
        CLAIM(what_is_not_to_be_started_yet_wakes_who_waits_in_time),
        CLAIM(several_are_taken_as_far_as_the_lane_is_wide),
        CLAIM(a_batch_takes_one_place),
        CLAIM(urgent_ones_start_though_the_lane_is_full),
        CLAIM(a_paused_lane_starts_nothing_and_a_drained_one_takes_nothing),
        CLAIM(who_completes_goes_on_with_the_next),
        CLAIM(only_who_has_the_lease_may_use_it),
        CLAIM(what_is_asked_wrongly_is_told_with_its_name),
        CLAIM(parts_below_parts_end_at_the_bound),
    };
    return cmocka_run_group_tests_name("claim", tests, NULL, NULL);
}
