/* Operations under access rules: functions in the queue with the rights of who asked, and reactions to records that not everybody may read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "modules/handlers/handlers.h"
#include "modules/operations/operations.h"
#include "modules/types/types.h"

#define FUNCTIONS_BESIDE &types_module, &operations_module, &handlers_module,
#include "modules/functions/functions_testing.h"
#include "modules/operations/operations_testing.h"

static const stet_view sales[] = {{"sales", 5}};

static const char rules[] =
    "{\"access\":{\"read\":\"owner = actor.id\",\"create\":true,\"update\":\"owner = actor.id\","
    "\"fields\":{\"/cost\":{\"hidden\":true}}}}";

static void am_seller(const char *actor) {
    am(actor);
    world.fixture.actor.roles = sales;
    world.fixture.actor.role_count = 1;
}

static void fill(void) {
    const stet_type_write type = {.name = VIEW("task"), .definition = view_of(rules)};
    be("root");
    struct stet_command *command = fresh();
    assert_int_equal(types_fill_write(command, &type, NULL), STET_OK);
    must(take(submitted(command)));
    must_put("bens", none, "{\"owner\":\"ben\",\"n\":1,\"cost\":\"SECRET\"}");
    must_put("evas", none, "{\"owner\":\"eva\",\"n\":2,\"cost\":\"SECRET\"}");
}

static int begin(void **state) {
    functions_setup(state);
    fill();
    return 0;
}

static int begin_in_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/stet-operations-XXXXXX");
    assert_non_null(mkdtemp(folder));
    world_open_with(function_modules, folder);
    fill();
    return 0;
}

static void must_define_as(const char *name, const char *more, const char *source) {
    const char *plain = definition_of(source);
    struct buffer buffer;
    be("root");
    buffer_init(&buffer, &world.arena, 0);
    buffer_append_format(&buffer, "%.*s,%s}", (int)strlen(plain) - 1, plain, more);
    must(put_definition(name, none, world_text(buffer_view(&buffer))));
}

static struct answer ask_function(const char *id, const char *function) {
    return submit((stet_operation_request){
        .id = view_of(id), .lane = VIEW("l"), .function = view_of(function)});
}

static const char sees[] = "local all = list('task') local mine = get('task', 'bens')\n"
                           "return {#all, mine and mine.cost or 'none'}";

/* ---- Functions --------------------------------------------------------------------------- */

TEST(a_function_in_the_queue_has_the_rights_of_who_asked) {
    (void)state;
    must_define("look", none, sees);
    am_seller("ben");
    must(ask_function("bens", "look"));
    be("root");
    must(ask_function("roots", "look"));
    work();
    pass(1);
    be("root");
    check_is("bens", "/result", "[1,\"none\"]");
    check_is("roots", "/result", "[2,\"SECRET\"]");
}

TEST(a_function_in_the_queue_may_run_as_an_administrator) {
    (void)state;
    must_define_as("look", "\"run_as\":\"admin\",\"roles\":[\"sales\"]", sees);
    am("mia");
    check_status(ask_function("mias", "look"), STET_FORBIDDEN);
    am_seller("ben");
    must(ask_function("bens", "look"));
    work();
    pass(1);
    check_is("bens", "/result", "[2,\"SECRET\"]");
}

TEST(rights_are_kept_over_a_restart) {
    (void)state;
    must_define("look", none, sees);
    must(put_lane("l", "{\"paused\":true}"));
    am_seller("ben");
    must(ask_function("bens", "look"));
    fixture_close(&world.fixture);
    world_reopen();
    be("root");
    must(move_lane("l", STET_LANE_RESUME));
    work();
    pass(1);
    check_is("bens", "/result", "[1,\"none\"]");
}

/* ---- Reactions --------------------------------------------------------------------------- */

static void must_handle(const char *definition) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    const stet_handler_write write = {
        .name = VIEW("h"), .definition = view_of(definition), .base = none};
    be("root");
    must(finish(command, handlers_fill_write(command, &write, &err), &err));
}

static struct answer claimed(const char *agent) {
    return must(
        claim_with((stet_claim){.lane = VIEW("l"), .agent = view_of(agent), .hands = 9, .max = 9}));
}

TEST(a_worker_is_told_what_they_may_see_of_the_record) {
    (void)state;
    be("root");
    must(put_lane("l", "{\"width\":9}"));
    must_handle("{\"on\":[\"create\"],\"type\":\"task\",\"agent\":\"x\",\"lane\":\"l\"}");
    work();
    must_put("one", none, "{\"owner\":\"ben\",\"n\":3,\"cost\":\"SECRET\"}");
    must_put("two", none, "{\"owner\":\"eva\",\"n\":\"SECRET\"}");
    work();
    pass(1);
    am_seller("ben");
    struct answer answer = claimed("x");
    check_json(answer.body, "/operations/0/input/change/data", "{\"owner\":\"ben\",\"n\":3}");
    check_json(answer.body, "/operations/1/input/change/address", "\"task/two\"");
    check_no_json(answer.body, "/operations/1/input/change/data");
    assert_null(strstr(answer.body, "SECRET"));
    be("root");
    const char *id = world_text(view_of(json_at(answer.body, "/operations/1/id")));
    struct answer whole = must(get(world_text(view_make(id + 1, strlen(id) - 2))));
    check_json(whole.body, "/input/change/data/n", "\"SECRET\"");
}

TEST(a_reaction_s_function_runs_as_an_administrator) {
    (void)state;
    must_define("note", none, "put('note', 'n', input.change.data)");
    must_handle("{\"on\":[\"create\"],\"type\":\"task\",\"function\":\"note\"}");
    work();
    am_seller("ben");
    must_put("one", none, "{\"owner\":\"eva\"}");
    for (int turn = 0; turn < 4; turn++)
        pass(1);
    assert_int_equal(fixture_version(&world.fixture, "note", "n"), 1);
}

#define ACCESS(test) cmocka_unit_test_setup_teardown(test, begin, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        ACCESS(a_function_in_the_queue_has_the_rights_of_who_asked),
        ACCESS(a_function_in_the_queue_may_run_as_an_administrator),
        cmocka_unit_test_setup_teardown(rights_are_kept_over_a_restart, begin_in_folder,
                                        teardown_folder),
        ACCESS(a_worker_is_told_what_they_may_see_of_the_record),
        ACCESS(a_reaction_s_function_runs_as_an_administrator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
