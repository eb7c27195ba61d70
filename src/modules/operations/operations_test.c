/* Operations: from asking to the end, cancelling, trying again, limits, and what a restart leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/operations/internal.h"
#include "modules/operations/operations_testing.h"

TEST(an_operation_is_queued_claimed_told_of_and_completed) {
    (void)state;
    struct answer asked = must(submit((stet_operation_request){
        .id = VIEW("a"), .lane = VIEW("l"), .op_type = VIEW("plan"), .input = VIEW("{\"n\":1}")}));
    check_json(asked.body, "/status", "\"queued\"");
    check_json(asked.body, "/event", "\"OperationQueued\"");
    check_json(asked.body, "/position", "1");
    check_json(asked.body, "/ahead", "0");
    check_json(asked.body, "/created_by", "\"ann\"");
    struct answer taken = must(claim_with(claim_of("planner")));
    check_json(taken.body, "/operations/0/input", "{\"n\":1}");
    check_json(taken.body, "/operations/0/status", "\"running\"");
    check_json(taken.body, "/operations/0/current_agent", "\"planner\"");
    check_json(taken.body, "/operations/0/lease/ttl_s", "15");
    uint64_t lease = lease_at(taken.body, 0);
    must(tell("a", lease, 40, "half way"));
    check_is("a", "/progress/percent", "40");
    check_is("a", "/progress/message", "\"half way\"");
    struct answer done = must(complete("a", lease));
    check_json(done.body, "/operation/status", "\"completed\"");
    check_is("a", "/result", "{\"done\":true}");
    check_is("a", "/progress/percent", "100");
    check_is("a", "/agents_involved", "[\"planner\"]");
}

TEST(a_completion_changes_records_in_its_own_transaction) {
    (void)state;
    must_submit("a");
    uint64_t lease = must_claim("x", "a");
    const stet_mutation changes[] = {mutation(STET_OP_CREATE, "r", none, "{\"n\":1}"),
                                     mutation(STET_OP_CREATE, "s", none, "{\"n\":2}")};
    struct answer done = must(complete_with("a", lease, "1", changes, 2));
    check_json(done.body, "/results/1/data", "{\"n\":2}");
    check_data("r", 1, "{\"n\":1}");
    struct answer again = must(complete_with("a", lease, "1", changes, 2));
    assert_true(again.replayed);
    check_json(again.body, "/results/0/data", "{\"n\":1}");
    check_json(again.body, "/operation/status", "\"completed\"");
    check_data("r", 1, "{\"n\":1}");
}

TEST(a_completion_with_another_body_comes_too_late) {
    (void)state;
    must_submit("a");
    uint64_t lease = must_claim("x", "a");
    must(complete_with("a", lease, "1", NULL, 0));
    check_status(complete_with("a", lease, "2", NULL, 0), STET_OPERATION_FINISHED);
    check_status(complete_with("a", lease + 1, "1", NULL, 0), STET_LEASE_LOST);
}

TEST(a_completion_that_meets_another_write_stores_only_that_it_did) {
    (void)state;
    stet_version first = must_put("r", none, "{\"n\":1}");
    must_submit("a");
    uint64_t lease = must_claim("x", "a");
    stet_version theirs = must_put("r", at(first), "{\"n\":2}");
    const stet_mutation stale[] = {mutation(STET_OP_CREATE, "s", none, "{}"),
                                   mutation(STET_OP_PUT, "r", at(first), "{\"n\":3}")};
    struct answer refused = complete_with("a", lease, "1", stale, 2);
    check_status(refused, STET_CONCURRENT_MODIFICATION);
    check_json(refused.body, "/conflicts/0/index", "1");
    check_json(refused.body, "/conflicts/0/current", "{\"n\":2}");
    check_json(refused.body, "/retry/retries", "1");
    check_json(refused.body, "/retry/left", "4");
    check_json(refused.body, "/retry/delay_ms", "0");
    check_status(read_record("s"), STET_NOT_FOUND);
    check_data("r", theirs, "{\"n\":2}");
    check_is("a", "/status", "\"retrying\"");
    check_is("a", "/event", "\"OperationConflict\"");
    check_is("a", "/retries", "1");
    const stet_mutation better = mutation(STET_OP_PUT, "r", at(theirs), "{\"n\":3}");
    must(complete_with("a", lease, "1", &better, 1));
    check_data("r", theirs + 1, "{\"n\":3}");
}

TEST(a_completion_changes_no_record_of_the_systems_own) {
    (void)state;
    static const char *const types[] = {"stet.operation", "stet.lane", "stet.payload", "stet.type"};
    must_submit("a");
    uint64_t lease = must_claim("x", "a");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        stet_mutation forged = mutation(STET_OP_CREATE, "forged", none, "{}");
        forged.type = view_of(types[i]);
        check_status(complete_with("a", lease, "1", &forged, 1), STET_SYSTEM_TYPE);
    }
    check_is("a", "/status", "\"running\"");
    must(complete("a", lease));
}

TEST(conflicts_that_use_up_its_retries_reject_it) {
    (void)state;
    stet_version first = must_put("r", none, "{\"n\":1}");
    stet_version theirs = must_put("r", at(first), "{\"n\":2}");
    must(submit((stet_operation_request){
        .id = VIEW("a"), .lane = VIEW("l"), .sets_max_retries = true, .max_retries = 1}));
    uint64_t lease = must_claim("x", "a");
    const stet_mutation stale = mutation(STET_OP_PUT, "r", at(first), "{\"n\":3}");
    check_status(complete_with("a", lease, "1", &stale, 1), STET_CONCURRENT_MODIFICATION);
    struct answer refused = complete_with("a", lease, "1", &stale, 1);
    check_status(refused, STET_OPERATION_REJECTED);
    check_json(refused.body, "/code", "\"OPERATION_REJECTED\"");
    check_is("a", "/status", "\"rejected\"");
    check_is("a", "/event", "\"OperationRejected\"");
    /* The conflict after which there was no other run is none of them. */
    check_json(refused.body, "/retry/retries", "1");
    check_json(refused.body, "/retry/left", "0");
    check_is("a", "/retries", "1");
    check_data("r", theirs, "{\"n\":2}");
}

/* "a" lost three times. theirs: the version of "r" now. */
static uint64_t lose_often(stet_version *theirs) {
    stet_version first = must_put("r", none, "{\"n\":1}");
    *theirs = must_put("r", at(first), "{\"n\":2}");
    must_submit("a");
    uint64_t lease = must_claim("x", "a");
    const stet_mutation stale = mutation(STET_OP_PUT, "r", at(first), "{\"n\":3}");
    for (int i = 0; i < RESERVATION_LEVEL; i++)
        check_status(complete_with("a", lease, "1", &stale, 1), STET_CONCURRENT_MODIFICATION);
    return lease;
}

static struct stet_command *start_put(const char *id, stet_version base, const char *data) {
    stet_mutation one = mutation(STET_OP_PUT, id, at(base), data);
    struct stet_command *command = start(&(stet_write){.mutations = &one, .mutation_count = 1});
    work();
    return command;
}

TEST(one_that_lost_often_has_its_records_for_itself_until_it_is_done) {
    (void)state;
    stet_version theirs;
    uint64_t lease = lose_often(&theirs);
    struct stet_command *waiting = start_put("r", theirs, "{\"n\":4}");
    assert_false(waiting->done);
    const stet_mutation better = mutation(STET_OP_PUT, "r", at(theirs), "{\"n\":3}");
    must(complete_with("a", lease, "1", &better, 1));
    check_status(take(waiting), STET_CONCURRENT_MODIFICATION);
    check_data("r", theirs + 1, "{\"n\":3}");
}

TEST(one_that_is_given_back_gives_its_records_back) {
    (void)state;
    stet_version theirs;
    uint64_t lease = lose_often(&theirs);
    struct stet_command *waiting = start_put("r", theirs, "{\"n\":4}");
    assert_false(waiting->done);
    must(fail_with((stet_operation_failure){.id = VIEW("a"), .lease = lease, .release = true}));
    check_status(take(waiting), STET_OK);
}

TEST(one_of_class_low_gives_way_and_is_rejected) {
    (void)state;
    stet_version theirs;
    lose_often(&theirs);
    must(submit((stet_operation_request){
        .id = VIEW("b"), .lane = VIEW("other"), .class_ = STET_CLASS_LOW}));
    stet_claim claim = claim_of("y");
    claim.lane = VIEW("other");
    uint64_t lease = lease_at(must(claim_with(claim)).body, 0);
    const stet_mutation change = mutation(STET_OP_PUT, "r", at(theirs), "{\"n\":5}");
    check_status(complete_with("b", lease, "1", &change, 1), STET_OPERATION_REJECTED);
    check_is("b", "/status", "\"rejected\"");
    check_is("b", "/event", "\"OperationRejected\"");
    check_data("r", theirs, "{\"n\":2}");
}

TEST(a_lease_that_ends_puts_it_back_at_its_place) {
    (void)state;
    must_submit("a");
    must_submit("b");
    uint64_t lease = must_claim("x", "a");
    pass(14);
    must(heartbeat("a", lease));
    pass(14);
    must_find_nothing(claim_of("y"));
    pass(2);
    check_is("a", "/status", "\"queued\"");
    check_is("a", "/attempts", "1");
    check_is("a", "/position", "1");
    check_status(heartbeat("a", lease), STET_LEASE_LOST);
    check_status(complete("a", lease), STET_LEASE_LOST);
    uint64_t next = must_claim("y", "a");
    assert_true(next > lease);
    check_status(complete("a", lease), STET_LEASE_LOST);
    must(complete("a", next));
}

TEST(an_operation_whose_workers_are_lost_too_often_fails) {
    (void)state;
    must_submit("a");
    for (int i = 0; i < OPERATION_ATTEMPTS_MAX; i++) {
        must_claim("x", "a");
        pass(16);
    }
    check_is("a", "/status", "\"failed\"");
    check_is("a", "/event", "\"OperationFailed\"");
}

TEST(a_run_that_takes_too_long_is_tried_again) {
    (void)state;
    must(submit((stet_operation_request){.id = VIEW("a"), .lane = VIEW("l"), .timeout_s = 10}));
    uint64_t lease = must_claim("x", "a");
    pass(9);
    must(heartbeat("a", lease));
    pass(2);
    check_status(heartbeat("a", lease), STET_LEASE_LOST);
    check_is("a", "/status", "\"retrying\"");
    check_is("a", "/retries", "1");
    check_is("a", "/error", "\"the run took longer than 10 s\"");
    must_find_nothing(claim_of("y"));
    pass(2);
    must_claim("y", "a");
}

TEST(cancelling_one_that_waits_ends_it_at_once) {
    (void)state;
    must_submit("a");
    must(cancel("a"));
    check_is("a", "/status", "\"cancelled\"");
    check_is("a", "/reason", "\"enough\"");
    must_find_nothing(claim_of("x"));
    check_status(cancel("a"), STET_OPERATION_FINISHED);
}

TEST(who_works_on_a_cancelled_one_is_told_and_cannot_commit) {
    (void)state;
    must_submit("a");
    uint64_t lease = must_claim("x", "a");
    must(cancel("a"));
    struct answer told = must(heartbeat("a", lease));
    check_json(told.body, "/cancel", "true");
    check_status(complete("a", lease), STET_OPERATION_FINISHED);
    must_submit("b");
    must_claim("x", "b");
}

TEST(one_that_failed_is_tried_again_at_the_end) {
    (void)state;
    must_submit("a");
    must_submit("b");
    uint64_t lease = must_claim("x", "a");
    must(fail_with(
        (stet_operation_failure){.id = VIEW("a"), .lease = lease, .error = VIEW("no idea")}));
    check_is("a", "/status", "\"failed\"");
    check_is("a", "/error", "\"no idea\"");
    struct answer again = must(retry("a"));
    check_json(again.body, "/status", "\"queued\"");
    check_json(again.body, "/position", "2");
    check_status(retry("a"), STET_OPERATION_STATUS);
    must_claim("x", "b");
}

TEST(one_that_was_completed_is_not_tried_again) {
    (void)state;
    must_submit("a");
    must(complete("a", must_claim("x", "a")));
    check_status(retry("a"), STET_OPERATION_STATUS);
    check_is("a", "/result", "{\"done\":true}");
}

TEST(one_that_is_given_back_stands_where_it_stood) {
    (void)state;
    must_submit("a");
    must_submit("b");
    uint64_t lease = must_claim("x", "a");
    must(fail_with((stet_operation_failure){.id = VIEW("a"), .lease = lease, .release = true}));
    check_is("a", "/status", "\"queued\"");
    check_is("a", "/attempts", "0");
    must_claim("y", "a");
}

TEST(a_repeated_request_is_the_same_operation) {
    (void)state;
    const stet_operation_request request = {.lane = VIEW("l"), .mutation_key = VIEW("k1")};
    struct answer first = must(submit(request));
    struct answer again = must(submit(request));
    assert_true(again.replayed);
    assert_string_equal(json_at(first.body, "/id"), json_at(again.body, "/id"));
    stet_operation_request other = request;
    other.class_ = STET_CLASS_LOW;
    check_status(submit(other), STET_KEY_REUSED);
}

TEST(classes_above_normal_need_a_permission) {
    (void)state;
    const stet_operation_request request = {.lane = VIEW("l"), .class_ = STET_CLASS_HIGH};
    am("bob");
    struct answer refused = submit(request);
    check_status(refused, STET_FORBIDDEN);
    be("ann");
    must(submit(request));
}

TEST(a_full_lane_says_when_to_come_again) {
    (void)state;
    must(put_lane("l", "{\"max_queued\":2,\"max_queued_per_actor\":1}"));
    am("bob");
    must(submit((stet_operation_request){.lane = VIEW("l")}));
    struct answer own = submit((stet_operation_request){.lane = VIEW("l")});
    check_status(own, STET_QUEUE_FULL);
    assert_string_equal(own.field, "max_queued_per_actor");
    check_json(own.body, "/retry_after", "1");
    am("cyd");
    must(submit((stet_operation_request){.lane = VIEW("l")}));
    am("dan");
    struct answer full = submit((stet_operation_request){.lane = VIEW("l")});
    check_status(full, STET_QUEUE_FULL);
    assert_string_equal(full.field, "max_queued");
    assert_int_equal(full.limit, 2);
}

TEST(what_depends_on_others_waits_for_them) {
    (void)state;
    must_submit("a");
    const stet_view on[] = {VIEW("a")};
    must(submit((stet_operation_request){
        .id = VIEW("b"), .lane = VIEW("l"), .depends_on = on, .depends_on_count = 1}));
    must_submit("c");
    check_is("b", "/delayed", "true");
    uint64_t lease = must_claim("x", "a");
    must(complete("a", lease));
    must_claim("x", "b");
}

TEST(what_depends_on_one_that_failed_is_rejected) {
    (void)state;
    must_submit("a");
    const stet_view on[] = {VIEW("a")};
    must(submit((stet_operation_request){
        .id = VIEW("b"), .lane = VIEW("l"), .depends_on = on, .depends_on_count = 1}));
    uint64_t lease = must_claim("x", "a");
    must(fail_with((stet_operation_failure){.id = VIEW("a"), .lease = lease}));
    work();
    check_is("b", "/status", "\"rejected\"");
    check_status(submit((stet_operation_request){
                     .id = VIEW("d"), .lane = VIEW("l"), .depends_on = on, .depends_on_count = 1}),
                 STET_OPERATION_STATUS);
}

TEST(parts_are_cancelled_with_the_whole_and_name_their_agents) {
    (void)state;
    must_submit("a");
    must(submit((stet_operation_request){
        .id = VIEW("b"), .lane = VIEW("m"), .parent = VIEW("a"), .class_ = STET_CLASS_LOW}));
    check_is("b", "/effective_class", "\"normal\"");
    stet_claim claim = claim_of("helper");
    claim.lane = VIEW("m");
    must(claim_with(claim));
    check_is("a", "/agents_involved", "[\"helper\"]");
    must(submit((stet_operation_request){.id = VIEW("c"), .lane = VIEW("m"), .parent = VIEW("a")}));
    must(cancel("a"));
    work();
    check_is("b", "/status", "\"cancelled\"");
    check_is("c", "/status", "\"cancelled\"");
}

TEST(a_part_in_hand_is_cancelled_with_the_whole_in_spite_of_a_crash) {
    (void)state;
    must_submit("whole");
    must(submit((stet_operation_request){
        .id = VIEW("part"), .lane = VIEW("parts"), .parent = VIEW("whole")}));
    must(submit((stet_operation_request){
        .id = VIEW("other"), .lane = VIEW("others"), .parent = VIEW("whole")}));
    must(claim_with((stet_claim){.lane = VIEW("parts"), .agent = VIEW("a")}));
    /* The crash is between the end of the whole and what follows from it. */
    struct operations *operations = world.fixture.space->modules[0].state;
    operations->blocked_until = INT64_MAX;
    must(cancel("whole"));
    check_is("part", "/status", "\"running\"");
    reopen();
    be("ann");
    work();
    check_is("part", "/status", "\"cancelled\"");
    must_find_nothing((stet_claim){.lane = VIEW("others"), .agent = VIEW("a")});
    work();
    check_is("other", "/status", "\"cancelled\"");
}

TEST(a_part_in_hand_outlives_a_whole_that_was_completed) {
    (void)state;
    must_submit("whole");
    must(submit((stet_operation_request){
        .id = VIEW("part"), .lane = VIEW("parts"), .parent = VIEW("whole")}));
    must(claim_with((stet_claim){.lane = VIEW("parts"), .agent = VIEW("a")}));
    must(complete("whole", must_claim("a", "whole")));
    reopen();
    be("ann");
    work();
    check_is("part", "/status", "\"running\"");
}

static void submit_mates(int count) {
    for (int i = 0; i < count; i++) {
        const char id[] = {(char)('1' + i), '\0'};
        must(submit((stet_operation_request){
            .id = view_of(id), .lane = VIEW("l"), .batch_key = VIEW("x")}));
    }
}

TEST(what_is_left_of_a_batch_still_takes_a_hand) {
    (void)state;
    must(put_lane("l", "{\"width\":10}"));
    submit_mates(3);
    must_submit("4");
    stet_claim claim = claim_of("a");
    claim.batch = 3;
    struct answer taken = must(claim_with(claim));
    check_json(taken.body, "/operations/2/id", "\"3\"");
    for (int i = 0; i < 3; i++) {
        const char id[] = {(char)('1' + i), '\0'};
        must_find_nothing(claim_of("a"));
        must(complete(id, lease_at(taken.body, i)));
    }
    must_claim("a", "4");
}

TEST(a_deadline_that_passes_ends_it) {
    (void)state;
    int64_t deadline = clock_wall_ns(&world.clock.clock) + 5 * CLOCK_NS_PER_S;
    must(
        submit((stet_operation_request){.id = VIEW("a"), .lane = VIEW("l"), .deadline = deadline}));
    pass(4);
    check_is("a", "/status", "\"queued\"");
    pass(2);
    check_is("a", "/status", "\"expired\"");
    check_is("a", "/event", "\"OperationExpired\"");
}

TEST(what_is_not_to_be_started_yet_lets_others_by) {
    (void)state;
    int64_t later = clock_wall_ns(&world.clock.clock) + 5 * CLOCK_NS_PER_S;
    must(submit((stet_operation_request){.id = VIEW("a"), .lane = VIEW("l"), .not_before = later}));
    must_submit("b");
    uint64_t lease = must_claim("x", "b");
    must(complete("b", lease));
    must_find_nothing(claim_of("x"));
    pass(6);
    must_claim("x", "a");
}

TEST(progress_never_goes_back_nor_past_the_end) {
    (void)state;
    must_submit("a");
    uint64_t lease = must_claim("x", "a");
    must(tell("a", lease, 50, NULL));
    struct answer back = tell("a", lease, 49, NULL);
    check_status(back, STET_BAD_REQUEST);
    assert_string_equal(back.field, "percent");
    check_status(tell("a", lease, 101, NULL), STET_BAD_REQUEST);
    must(tell("a", lease, 50, NULL));
}

TEST(progress_that_comes_fast_is_one_version_a_tenth_of_a_second) {
    (void)state;
    must_submit("a");
    uint64_t lease = must_claim("x", "a");
    must(tell("a", lease, 1, "one"));
    uint64_t before = seq_now();
    for (int i = 2; i < 50; i++)
        must(tell("a", lease, i, "more"));
    assert_int_equal(seq_now(), before);
    pass_ms(100);
    assert_int_equal(seq_now(), before + 1);
    check_is("a", "/progress/percent", "49");
    must(tell("a", lease, 50, "late"));
    must(complete("a", lease));
    check_is("a", "/progress/message", "\"late\"");
}

TEST(large_inputs_and_results_stand_apart) {
    (void)state;
    char text[4000], quoted[4003];
    memset(text, 'x', sizeof text);
    snprintf(quoted, sizeof quoted, "\"%.*s\"", (int)sizeof text, text);
    must(submit(
        (stet_operation_request){.id = VIEW("a"), .lane = VIEW("l"), .input = view_of(quoted)}));
    struct answer taken = must(claim_with(claim_of("x")));
    check_json(taken.body, "/operations/0/input", quoted);
    uint64_t lease = lease_at(taken.body, 0);
    must(complete_with("a", lease, quoted, NULL, 0));
    check_is("a", "/input", quoted);
    check_is("a", "/result", quoted);
}

TEST(a_restart_leaves_the_lanes_as_they_were) {
    (void)state;
    must(put_lane("l", "{\"width\":2}"));
    must_submit("a");
    must_submit("b");
    must_submit("c");
    must_submit("d");
    uint64_t lease = must_claim("x", "a");
    must(tell("a", lease, 30, "on it"));
    pass(10);
    must(move_lane("l", STET_LANE_PAUSE));
    reopen();
    be("ann");
    struct answer lane = must(get_lane("l"));
    check_json(lane.body, "/width", "2");
    check_json(lane.body, "/paused", "true");
    check_json(lane.body, "/running", "1");
    check_json(lane.body, "/queued/normal", "3");
    check_is("c", "/position", "2");
    must_find_nothing(claim_of("y"));
    must(move_lane("l", STET_LANE_RESUME));
    /* The lease has its whole time again. */
    pass(14);
    must(heartbeat("a", lease));
    must_claim("y", "b");
    must(complete("a", lease));
    must_claim("z", "c");
}

/* It is deleted, and no version of it says anything any more. */
static void must_be_silent(const char *type, const char *id) {
    struct store_change rows[16];
    struct store_head head;
    size_t count = 0;
    struct store_reader *reader = store_writer_reader(world.fixture.space->store);
    assert_int_equal(store_head(reader, view_of(type), view_of(id), &head, NULL), STET_OK);
    assert_true(head.deleted);
    assert_int_equal(store_history(reader, &world.arena, &head, 0, 16, true, rows, &count, NULL),
                     STET_OK);
    assert_true(count > 1 && count < 16);
    assert_int_equal(rows[0].op, STORE_DELETE);
    assert_true(view_equal(rows[0].data, VIEW("{}")));
    for (size_t i = 1; i < count && !rows[i].pruned; i++)
        fail_msg("version %d of %s/%s is still there", (int)rows[i].version, type, id);
}

TEST(payloads_go_with_their_operation_and_only_who_changed_them_stays) {
    (void)state;
    char text[3000], quoted[3003], note[3003];
    memset(text, 'x', sizeof text);
    snprintf(quoted, sizeof quoted, "\"%.*s\"", (int)sizeof text, text);
    snprintf(note, sizeof note, "[\"%.*s\"]", 2000, text);
    must(put_lane("l", "{\"keep_s\":1000}"));
    must(submit(
        (stet_operation_request){.id = VIEW("a"), .lane = VIEW("l"), .input = view_of(quoted)}));
    uint64_t lease = must_claim("x", "a");
    must(tell("a", lease, 40, "half way"));
    pass(1);
    must(complete_with("a", lease, note, NULL, 0));
    check_is("a", "/input", quoted);
    check_is("a", "/result", note);
    for (int i = 0; i < 20; i++)
        pass(100);
    check_status(get("a"), STET_NOT_FOUND);
    must_be_silent("stet.payload", "a.input");
    must_be_silent("stet.payload", "a.result");
    must_be_silent("stet.operation", "a");
    reopen();
    be("ann");
    check_status(get("a"), STET_NOT_FOUND);
    must_be_silent("stet.payload", "a.result");
    /* The id is free again, and what stood there does not come back. */
    must_submit("a");
    assert_null(json_at(must(get("a")).body, "/input"));
}

TEST(a_repeated_request_for_what_was_forgotten_is_told_that_it_is_gone) {
    (void)state;
    const stet_operation_request request = {
        .id = VIEW("a"), .lane = VIEW("l"), .mutation_key = VIEW("k1")};
    must(put_lane("l", "{\"keep_s\":60}"));
    must(submit(request));
    must(cancel("a"));
    assert_true(must(submit(request)).replayed);
    for (int i = 0; i < 20; i++)
        pass(60);
    check_status(get("a"), STET_NOT_FOUND);
    check_status(submit(request), STET_PRUNED);
}

TEST(what_was_finished_long_ago_is_forgotten) {
    (void)state;
    char text[3000], quoted[3003];
    memset(text, 'x', sizeof text);
    snprintf(quoted, sizeof quoted, "\"%.*s\"", (int)sizeof text, text);
    must(put_lane("l", "{\"keep_s\":1000}"));
    must(submit(
        (stet_operation_request){.id = VIEW("a"), .lane = VIEW("l"), .input = view_of(quoted)}));
    must(submit((stet_operation_request){.id = VIEW("b"), .lane = VIEW("m")}));
    must(cancel("a"));
    must(cancel("b"));
    must_submit("c");
    pass(900);
    check_is("a", "/status", "\"cancelled\"");
    for (int i = 0; i < 10; i++)
        pass(100);
    check_status(get("a"), STET_NOT_FOUND);
    check_is("b", "/status", "\"cancelled\"");
    check_is("c", "/status", "\"queued\"");
    struct store_head head;
    struct store_reader *reader = store_writer_reader(world.fixture.space->store);
    assert_int_equal(store_head(reader, VIEW("stet.payload"), VIEW("a.input"), &head, NULL),
                     STET_OK);
    assert_true(head.deleted);
    reopen();
    be("ann");
    for (int i = 0; i < 8 * 24; i++)
        pass(3600);
    check_status(get("b"), STET_NOT_FOUND);
    check_is("c", "/status", "\"queued\"");
}

#define OPERATIONS(name) cmocka_unit_test_setup_teardown(name, setup, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        OPERATIONS(an_operation_is_queued_claimed_told_of_and_completed),
        OPERATIONS(a_completion_changes_records_in_its_own_transaction),
        OPERATIONS(a_completion_with_another_body_comes_too_late),
        OPERATIONS(a_completion_that_meets_another_write_stores_only_that_it_did),
        OPERATIONS(a_completion_changes_no_record_of_the_systems_own),
        OPERATIONS(conflicts_that_use_up_its_retries_reject_it),
        OPERATIONS(one_that_lost_often_has_its_records_for_itself_until_it_is_done),
        OPERATIONS(one_that_is_given_back_gives_its_records_back),
        OPERATIONS(one_of_class_low_gives_way_and_is_rejected),
        OPERATIONS(a_lease_that_ends_puts_it_back_at_its_place),
        OPERATIONS(an_operation_whose_workers_are_lost_too_often_fails),
        OPERATIONS(a_run_that_takes_too_long_is_tried_again),
        OPERATIONS(cancelling_one_that_waits_ends_it_at_once),
        OPERATIONS(who_works_on_a_cancelled_one_is_told_and_cannot_commit),
        OPERATIONS(one_that_failed_is_tried_again_at_the_end),
        OPERATIONS(one_that_was_completed_is_not_tried_again),
        OPERATIONS(one_that_is_given_back_stands_where_it_stood),
        OPERATIONS(a_repeated_request_is_the_same_operation),
        OPERATIONS(classes_above_normal_need_a_permission),
        OPERATIONS(a_full_lane_says_when_to_come_again),
        OPERATIONS(what_depends_on_others_waits_for_them),
        OPERATIONS(what_depends_on_one_that_failed_is_rejected),
        OPERATIONS(parts_are_cancelled_with_the_whole_and_name_their_agents),
        OPERATIONS(what_is_left_of_a_batch_still_takes_a_hand),
        OPERATIONS(a_deadline_that_passes_ends_it),
        OPERATIONS(what_is_not_to_be_started_yet_lets_others_by),
        OPERATIONS(progress_never_goes_back_nor_past_the_end),
        OPERATIONS(progress_that_comes_fast_is_one_version_a_tenth_of_a_second),
        OPERATIONS(large_inputs_and_results_stand_apart),
        cmocka_unit_test_setup_teardown(
            payloads_go_with_their_operation_and_only_who_changed_them_stays, setup_folder,
            teardown_folder),
        OPERATIONS(a_repeated_request_for_what_was_forgotten_is_told_that_it_is_gone),
        cmocka_unit_test_setup_teardown(what_was_finished_long_ago_is_forgotten, setup_folder,
                                        teardown_folder),
        cmocka_unit_test_setup_teardown(
            a_part_in_hand_is_cancelled_with_the_whole_in_spite_of_a_crash, setup_folder,
            teardown_folder),
        cmocka_unit_test_setup_teardown(a_part_in_hand_outlives_a_whole_that_was_completed,
                                        setup_folder, teardown_folder),
        cmocka_unit_test_setup_teardown(a_restart_leaves_the_lanes_as_they_were, setup_folder,
                                        teardown_folder),
    };
    return cmocka_run_group_tests_name("operations", tests, NULL, NULL);
}
