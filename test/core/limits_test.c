/* Limits of a space where work is not a plain write: functions, the queue, agents, reactions, and writes that wait for a person. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "modules/conflicts/conflicts.h"
#include "modules/handlers/handlers.h"
#include "modules/operations/operations.h"
#include "modules/settings/settings.h"
#include "modules/types/types.h"

#define FUNCTIONS_BESIDE                                                                           \
    &types_module, &conflicts_module, &operations_module, &handlers_module, &settings_module,
#include "modules/functions/functions_testing.h"
#include "modules/operations/operations_testing.h"

static const char adds[] =
    "local n = (get('task', 'n') or {n = 0}).n + 1 put('task', 'n', {n = n}) return n";

static int begin(void **state) {
    functions_setup(state);
    be("root");
    must_define("add", none, adds);
    must(put_lane("l", "{\"width\":9}"));
    return 0;
}

static void limit(const char *limits) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    be("root");
    stet_status status = settings_fill_put(command, view_of(limits), none, VIEW(""), false, &err);
    must(finish(command, status, &err));
}

static struct answer ask_function(const char *id) {
    return submit(
        (stet_operation_request){.id = view_of(id), .lane = VIEW("l"), .function = VIEW("add")});
}

/* ---- Functions --------------------------------------------------------------------------- */

TEST(what_a_function_writes_is_its_callers) {
    (void)state;
    limit("{\"limits\":{\"writes_per_actor\":{\"rate\":1,\"burst\":2}}}");
    am("ben");
    must(call("add", "null"));
    must_put("mine", none, "{}");
    struct answer refused = call("add", "null");
    check_status(refused, STET_TOO_MANY_REQUESTS);
    check_json(refused.body, "/retry_after", "1");
    check_data("n", 1, "{\"n\":1}");
    pass(1);
    check_json(must(call("add", "null")).body, "/result", "2");
}

TEST(a_function_that_writes_nothing_costs_nothing) {
    (void)state;
    must_define("look", none, "return get('task', 'n')");
    limit("{\"limits\":{\"writes_per_actor\":{\"rate\":0.01,\"burst\":1}}}");
    am("ben");
    for (int i = 0; i < 4; i++)
        must(call("look", "null"));
    must(call("add", "null"));
}

/* Each of them in the end, and none of them is failed for its asker's haste. */
TEST(a_function_in_the_queue_waits_until_its_asker_may_write) {
    (void)state;
    limit("{\"limits\":{\"writes_per_actor\":{\"rate\":0.5,\"burst\":1}}}");
    am("ben");
    must(ask_function("1"));
    must(ask_function("2"));
    must(ask_function("3"));
    work();
    pass(0);
    be("root");
    check_data("n", 1, "{\"n\":1}");
    check_is("2", "/status", "\"running\"");
    check_is("3", "/status", "\"running\"");
    for (int i = 0; i < 10; i++)
        pass(1);
    check_data("n", 3, "{\"n\":3}");
    check_is("1", "/status", "\"completed\"");
    check_is("2", "/status", "\"completed\"");
    check_is("3", "/status", "\"completed\"");
}

TEST(a_function_in_the_queue_that_finds_no_room_fails_and_says_so) {
    (void)state;
    limit("{\"limits\":{\"records\":0}}");
    am("ben");
    must(ask_function("1"));
    work();
    pass(1);
    be("root");
    check_is("1", "/status", "\"failed\"");
    check_is("1", "/error", "\"the space has no room left: it may hold 0 records\"");
    assert_int_equal(read_record("n").status, STET_NOT_FOUND);
}

/* ---- Agents ------------------------------------------------------------------------------ */

TEST(an_agent_that_must_wait_keeps_its_lease_and_completes_again) {
    (void)state;
    am("ben");
    must_submit("1");
    limit("{\"limits\":{\"writes_per_actor\":{\"rate\":1,\"burst\":1}}}");
    am("worker");
    uint64_t lease = must_claim("worker", "1");
    must_put("mine", none, "{}");
    const stet_mutation result = mutation(STET_OP_PUT, "made", absent, "{}");
    check_status(complete_with("1", lease, "null", &result, 1), STET_TOO_MANY_REQUESTS);
    must(heartbeat("1", lease));
    pass(1);
    must(complete_with("1", lease, "null", &result, 1));
    check_data("made", 1, "{}");
    must(get("1"));
}

TEST(work_goes_on_in_a_space_without_room_but_no_more_is_taken_on) {
    (void)state;
    am("ben");
    must_submit("1");
    limit("{\"limits\":{\"bytes\":1}}");
    am("ben");
    struct answer refused =
        submit((stet_operation_request){.id = VIEW("2"), .lane = VIEW("l"), .input = VIEW("7")});
    check_status(refused, STET_QUOTA_EXCEEDED);
    assert_string_equal(refused.field, "bytes");
    assert_int_equal(get("2").status, STET_NOT_FOUND);
    uint64_t lease = must_claim("worker", "1");
    must(heartbeat("1", lease));
    const stet_mutation result = mutation(STET_OP_PUT, "made", absent, "{}");
    check_status(complete_with("1", lease, "null", &result, 1), STET_QUOTA_EXCEEDED);
    must(complete("1", lease));
}

/* ---- Reactions --------------------------------------------------------------------------- */

TEST(reactions_are_the_servers_and_not_the_writers) {
    const stet_handler_write write = {.name = VIEW("h"),
                                      .definition = VIEW("{\"on\":[\"create\"],\"type\":\"task\","
                                                         "\"agent\":\"x\",\"lane\":\"l\"}"),
                                      .base = none};
    struct stet_command *command = fresh();
    stet_error err = {0};
    (void)state;
    be("root");
    must(finish(command, handlers_fill_write(command, &write, &err), &err));
    limit("{\"limits\":{\"writes_per_actor\":{\"rate\":0.01,\"burst\":2}}}");
    work();
    am("ben");
    must_put("1", none, "{}");
    work();
    pass(1);
    must_put("2", none, "{}");
    work();
    pass(1);
    stet_claim claim = claim_of("x");
    claim.hands = claim.max = 9;
    struct answer taken = must(claim_with(claim));
    assert_int_not_equal(lease_at(taken.body, 1), 0);
    check_status(try_put("3", none, "{}"), STET_TOO_MANY_REQUESTS);
}

/* ---- Writes that wait -------------------------------------------------------------------- */

static struct answer park(const char *by, const char *id, stet_version base, const char *data) {
    am(by);
    return try_put(id, at(base), data);
}

TEST(a_write_that_waits_takes_its_room_when_it_is_asked_for) {
    const stet_type_write type = {.name = VIEW("task"),
                                  .definition =
                                      VIEW("{\"on_conflict\":\"ask\",\"ask\":{\"deadline_s\":60,"
                                           "\"fallback\":\"last_writer_wins\"}}")};
    (void)state;
    be("root");
    struct stet_command *command = fresh();
    assert_int_equal(types_fill_write(command, &type, NULL), STET_OK);
    must(take(submitted(command)));
    stet_version one = must_put("1", none, "{\"a\":1}");
    must_put("1", at(one), "{\"a\":2}");
    struct answer parked = park("ben", "1", one, "{\"a\":3}");
    assert_true(parked.parked);
    limit("{\"limits\":{\"bytes\":1}}");
    check_status(park("eva", "1", one, "{\"a\":4}"), STET_QUOTA_EXCEEDED);
    pass(120);
    be("root");
    check_data("1", 3, "{\"a\":3}");
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, begin, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(what_a_function_writes_is_its_callers),
        WITH(a_function_that_writes_nothing_costs_nothing),
        WITH(a_function_in_the_queue_waits_until_its_asker_may_write),
        WITH(a_function_in_the_queue_that_finds_no_room_fails_and_says_so),
        WITH(an_agent_that_must_wait_keeps_its_lease_and_completes_again),
        WITH(work_goes_on_in_a_space_without_room_but_no_more_is_taken_on),
        WITH(reactions_are_the_servers_and_not_the_writers),
        WITH(a_write_that_waits_takes_its_room_when_it_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
