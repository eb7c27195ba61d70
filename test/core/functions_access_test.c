/* Functions under access rules: what they see and may write as their caller, and as an administrator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "modules/types/types.h"

#define FUNCTIONS_BESIDE &types_module,
#include "modules/functions/functions_testing.h"

#define TEST(name) static void name(void **state)

static const stet_view sales[] = {{"sales", 5}};

/* Sellers see and change what is theirs, and not what it costs; nobody but an administrator closes a task. */
static const char rules[] =
    "{\"index\":[[\"/owner\"]],"
    "\"access\":{\"read\":\"owner = actor.id\",\"create\":\"owner = actor.id\","
    "\"update\":\"new.owner = actor.id && new.closed is null\",\"delete\":\"owner = actor.id\","
    "\"fields\":{\"/cost\":{\"hidden\":true}}}}";

static void am_seller(const char *actor) {
    be(actor);
    world.fixture.actor.admin = false;
    world.fixture.actor.roles = sales;
    world.fixture.actor.role_count = 1;
}

static void declare(const char *definition) {
    struct stet_command *command = empty_command();
    const stet_type_write type = {
        .name = VIEW("task"), .base = none, .definition = view_of(definition)};
    stet_error err = {0};
    if (types_fill_write(command, &type, &err) != STET_OK) fail_msg("type: %s", err.message);
    must(take(submitted(command)));
}

static int setup(void **state) {
    functions_setup(state);
    be("root");
    declare(rules);
    must_put("bens", none, "{\"owner\":\"ben\",\"n\":1,\"cost\":\"SECRET\"}");
    must_put("evas", none, "{\"owner\":\"eva\",\"n\":2,\"cost\":\"SECRET\"}");
    return 0;
}

static void must_define_as(const char *name, const char *more, const char *source) {
    struct buffer buffer;
    be("root");
    buffer_init(&buffer, &world.arena, 0);
    const char *plain = definition_of(source);
    buffer_append_format(&buffer, "%.*s,%s}", (int)strlen(plain) - 1, plain, more);
    must(put_definition(name, none, world_text(buffer_view(&buffer))));
}

static void must_not_tell(const char *body) { assert_null(strstr(body, "SECRET")); }

/* ---- Reading ----------------------------------------------------------------------------- */

TEST(what_the_caller_does_not_see_is_not_there) {
    (void)state;
    be("root");
    must_define("look", none, "return {get('task', 'evas') == nil, (get('task', 'bens'))}");
    am_seller("ben");
    struct answer answer = must(call("look", "null"));
    check_json(answer.body, "/result", "[true,{\"owner\":\"ben\",\"n\":1}]");
    be("root");
    check_json(must(call("look", "null")).body, "/result/1/cost", "\"SECRET\"");
}

TEST(a_list_has_what_the_caller_sees) {
    (void)state;
    be("root");
    must_define("all", none, "return list('task')");
    must_define("dear", none, "return #list('task', {where = 'cost = \"SECRET\"'})");
    am_seller("ben");
    struct answer answer = must(call("all", "null"));
    must_not_tell(answer.body);
    check_json(answer.body, "/result/0/id", "\"bens\"");
    check_no_json(answer.body, "/result/1");
    check_json(must(call("dear", "null")).body, "/result", "0");
    be("root");
    check_json(must(call("dear", "null")).body, "/result", "2");
}

TEST(its_own_writes_are_listed_as_the_caller_sees_them) {
    (void)state;
    must_define_as("plant", "\"run_as\":\"admin\"",
                   "put('task', 'new', {owner = 'eva', cost = 'SECRET'})\n"
                   "put('task', 'mine', {owner = 'ben', cost = 'SECRET'})");
    be("root");
    must_define("both", none,
                "call('plant', nil)\n"
                "return {list('task', {sort = 'owner'}), get('task', 'new') == nil,\n"
                "        get('task', 'mine'), #list('task', {where = 'cost = \"SECRET\"'})}");
    am_seller("ben");
    struct answer answer = must(call("both", "null"));
    must_not_tell(answer.body);
    check_json(answer.body, "/result/1", "true");
    check_json(answer.body, "/result/2", "{\"owner\":\"ben\"}");
    check_json(answer.body, "/result/3", "0");
    check_no_json(answer.body, "/result/0/2");
}

/* ---- Writing ----------------------------------------------------------------------------- */

TEST(hidden_fields_stay_as_they_are) {
    (void)state;
    be("root");
    must_define("set", none, "put('task', 'bens', {owner = 'ben', n = 5})");
    must_define("raise", none, "patch('task', 'bens', {n = 6})");
    am_seller("ben");
    must(call("set", "null"));
    must(call("raise", "null"));
    be("root");
    check_data("bens", 3, "{\"n\":6,\"owner\":\"ben\",\"cost\":\"SECRET\"}");
}

TEST(hidden_fields_are_given_no_value) {
    (void)state;
    be("root");
    must_define("set", none, "put('task', 'bens', {owner = 'ben', cost = 'free'})");
    must_define("make", none, "put('task', 'fresh', {owner = 'ben', cost = 'free'})");
    am_seller("ben");
    struct answer refused = call("set", "null");
    check_status(refused, STET_FUNCTION_FAILED); /* The function is told, and may catch it. */
    assert_non_null(strstr(refused.message, "not yours to see or to give a value"));
    check_status(call("make", "null"), STET_FORBIDDEN);
}

TEST(what_rules_forbid_a_function_does_not_do_either) {
    (void)state;
    be("root");
    must_define("close", none, "patch('task', 'bens', {closed = true})");
    must_define("give", none, "patch('task', 'bens', {owner = 'eva'})");
    must_define("take", none, "put('task', 'evas', {owner = 'ben'})");
    must_define("make", none, "create('task', 'evas', {owner = 'ben'})");
    must_define("drop", none, "delete('task', 'evas')");
    am_seller("ben");
    check_status(call("close", "null"), STET_FORBIDDEN);
    check_status(call("give", "null"), STET_FORBIDDEN);
    check_status(call("take", "null"), STET_FUNCTION_FAILED);
    check_status(call("make", "null"), STET_FUNCTION_FAILED);
    check_status(call("drop", "null"), STET_FUNCTION_FAILED);
}

TEST(one_that_runs_as_an_administrator_does_it_for_whoever_may_call_it) {
    (void)state;
    must_define_as("close", "\"run_as\":\"admin\",\"roles\":[\"sales\"]",
                   "local task = patch('task', input, {closed = true})\nreturn task.cost");
    am_seller("ben");
    check_json(must(call("close", "\"evas\"")).body, "/result", "\"SECRET\"");
    am_seller("ben");
    world.fixture.actor.role_count = 0;
    check_status(call("close", "\"bens\""), STET_FORBIDDEN);
    be("root");
    must(call("close", "\"bens\""));
}

TEST(the_history_says_that_rules_were_passed_by) {
    (void)state;
    must_define_as("close", "\"run_as\":\"admin\"", "patch('task', 'bens', {closed = true})");
    am_seller("ben");
    must(call("close", "null"));
    be("root");
    struct answer answer = history_of("bens");
    check_json(answer.body, "/changes/0/by", "\"ben\"");
    assert_non_null(strstr(answer.body, "\"function\":\"close@"));
    assert_non_null(strstr(answer.body, "\"bypass\":true"));
}

/* ---- Functions that call functions --------------------------------------------------------- */

TEST(the_one_that_is_called_has_its_own_right_and_leaves_it) {
    (void)state;
    must_define_as("count", "\"run_as\":\"admin\"", "return #list('task')");
    be("root");
    must_define("mine", none, "return {#list('task'), call('count', nil), #list('task')}");
    must_define_as("caught", "\"run_as\":\"admin\"", "error('no')");
    must_define("after", none, "pcall(call, 'caught', nil) return #list('task')");
    am_seller("ben");
    check_json(must(call("mine", "null")).body, "/result", "[1,2,1]");
    check_json(must(call("after", "null")).body, "/result", "1");
}

TEST(a_caller_is_not_lent_the_right_of_what_it_calls) {
    (void)state;
    must_define_as("touch", "\"run_as\":\"admin\"", "patch('task', 'bens', {touched = true})");
    be("root");
    must_define("launder", none, "patch('task', 'bens', {closed = true}) call('touch', nil)");
    must_define("reverse", none, "call('touch', nil) patch('task', 'bens', {closed = true})");
    am_seller("ben");
    check_status(call("launder", "null"), STET_FORBIDDEN);
    check_status(call("reverse", "null"), STET_FORBIDDEN);
    must(call("touch", "null"));
}

TEST(one_that_runs_as_its_caller_does_so_below_one_that_does_not) {
    (void)state;
    be("root");
    must_define("count", none, "return #list('task')");
    must_define_as("wide", "\"run_as\":\"admin\"", "return {#list('task'), call('count', nil)}");
    am_seller("ben");
    check_json(must(call("wide", "null")).body, "/result", "[2,1]");
}

/* ---- What is told of it -------------------------------------------------------------------- */

TEST(inputs_name_only_what_the_caller_met) {
    (void)state;
    must_define_as("sum", "\"run_as\":\"admin\"", "return get('task', 'evas').n");
    be("root");
    must_define("add", none,
                "local mine = get('task', 'bens') patch('task', 'bens', {n = mine.n + call('sum', "
                "nil)})");
    am_seller("ben");
    must(call("add", "null"));
    be("root");
    struct answer answer = history_of("bens");
    assert_non_null(strstr(answer.body, "task/bens@1"));
    assert_null(strstr(answer.body, "task/evas"));
}

TEST(scopes_say_what_may_be_called) {
    (void)state;
    be("root");
    must_define("look", none, "return 1");
    must_define("write", none, "patch('task', 'bens', {n = 3})");
    am_seller("ben");
    world.fixture.actor.scopes = STET_SCOPE_READ;
    must(call("look", "null"));
    check_status(call("write", "null"), STET_FORBIDDEN);
    world.fixture.actor.scopes = STET_SCOPE_WORK;
    check_status(call("look", "null"), STET_FORBIDDEN);
    world.fixture.actor.scopes = STET_SCOPES_DEFAULT;
    const stet_function_call high = {.name = VIEW("look"), .class_ = STET_CLASS_HIGH};
    check_status(call_of(&high), STET_FORBIDDEN);
    world.fixture.actor.scopes = STET_SCOPES_DEFAULT | STET_SCOPE_PRIORITY;
    must(call_of(&high));
}

TEST(it_knows_the_roles_of_its_caller) {
    (void)state;
    be("root");
    must_define("who", none, "return {actor.roles, actor.admin == true}");
    check_json(must(call("who", "null")).body, "/result", "[[\"member\"],true]");
    am_seller("ben");
    check_json(must(call("who", "null")).body, "/result", "[[\"sales\"],false]");
}

TEST(declarations_are_checked) {
    (void)state;
    be("root");
    const char *bad[][2] = {{"{\"source\":\"return 1\",\"run_as\":\"root\"}", "/run_as"},
                            {"{\"source\":\"return 1\",\"run_as\":1}", "/run_as"},
                            {"{\"source\":\"return 1\",\"roles\":[]}", "/roles"},
                            {"{\"source\":\"return 1\",\"roles\":\"sales\"}", "/roles"},
                            {"{\"source\":\"return 1\",\"roles\":[\"\"]}", "/roles"},
                            {"{\"source\":\"return 1\",\"roles\":[1]}", "/roles"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct answer refused = put_definition("f", none, bad[i][0]);
        check_status(refused, STET_INVALID_FUNCTION);
        assert_string_equal(refused.field, bad[i][1]);
    }
}

#define ACCESS(test) cmocka_unit_test_setup_teardown(test, setup, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        ACCESS(what_the_caller_does_not_see_is_not_there),
        ACCESS(a_list_has_what_the_caller_sees),
        ACCESS(its_own_writes_are_listed_as_the_caller_sees_them),
        ACCESS(hidden_fields_stay_as_they_are),
        ACCESS(hidden_fields_are_given_no_value),
        ACCESS(what_rules_forbid_a_function_does_not_do_either),
        ACCESS(one_that_runs_as_an_administrator_does_it_for_whoever_may_call_it),
        ACCESS(the_history_says_that_rules_were_passed_by),
        ACCESS(the_one_that_is_called_has_its_own_right_and_leaves_it),
        ACCESS(a_caller_is_not_lent_the_right_of_what_it_calls),
        ACCESS(one_that_runs_as_its_caller_does_so_below_one_that_does_not),
        ACCESS(inputs_name_only_what_the_caller_met),
        ACCESS(scopes_say_what_may_be_called),
        ACCESS(it_knows_the_roles_of_its_caller),
        ACCESS(declarations_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
