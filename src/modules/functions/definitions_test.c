/* Functions as records: what is accepted, what a mistake is told, many at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/functions/functions_testing.h"

#define TEST(name) static void name(void **state)

TEST(a_function_is_a_record_with_versions) {
    (void)state;
    assert_int_equal(must_define("one", none, "return 1"), 1);
    check_json(must(call("one", "null")).body, "/result", "1");
    assert_int_equal(must_define("one", at(1), "return 2"), 2);
    check_json(must(call("one", "null")).body, "/result", "2");
    check_status(put_definition("one", at(1), definition_of("return 3")),
                 STET_CONCURRENT_MODIFICATION);
}

TEST(a_mistake_is_told_with_its_line) {
    (void)state;
    struct answer bad = put_definition("bad", none, definition_of("local x = 1\nreturn x +\n"));
    check_status(bad, STET_INVALID_FUNCTION);
    assert_non_null(strstr(bad.message, "3"));
    assert_string_equal(bad.field, "/source");
}

TEST(each_member_is_checked) {
    (void)state;
    static const char *const bad[][2] = {
        {"{}", "/source"},
        {"{\"source\":1}", "/source"},
        {"{\"source\":\"return 1\",\"code\":1}", "/code"},
        {"{\"source\":\"return 1\",\"description\":1}", "/description"},
        {"{\"source\":\"return 1\",\"class\":\"royal\"}", "/class"},
        {"{\"source\":\"return 1\",\"limits\":1}", "/limits"},
        {"{\"source\":\"return 1\",\"limits\":{\"hope\":1}}", "/limits/hope"},
        {"{\"source\":\"return 1\",\"limits\":{\"reads\":0}}", "/limits/reads"},
        {"{\"source\":\"return 1\",\"limits\":{\"writes\":100000}}", "/limits/writes"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct answer answer = put_definition("f", none, bad[i][0]);
        check_status(answer, STET_INVALID_FUNCTION);
        assert_string_equal(answer.field, bad[i][1]);
        assert_int_equal(strncmp(answer.message, answer.field, strlen(answer.field)), 0);
    }
}

TEST(only_an_administrator_declares) {
    (void)state;
    world.fixture.actor.admin = false;
    check_status(put_definition("one", none, definition_of("return 1")), STET_FORBIDDEN);
}

TEST(records_of_functions_are_not_written_by_other_roads) {
    (void)state;
    stet_mutation sly = mutation(STET_OP_PUT, "f", none, "{\"source\":\"return 1\"}");
    sly.type = VIEW("stet.function");
    check_status(apply_one(sly), STET_SYSTEM_TYPE);
    must_define("writer", none, "put('stet.function', 'f', {source = 'return 1'})");
    struct answer answer = call("writer", "null");
    check_status(answer, STET_FUNCTION_FAILED);
}

static struct answer apply_functions(const char *functions, bool prune, bool dry_run) {
    struct stet_command *command = empty_command();
    stet_error err = {0};
    const stet_functions_apply apply = {
        .functions = view_of(functions), .prune = prune, .dry_run = dry_run};
    stet_status status = functions_fill_apply(command, &apply, &err);
    if (status != STET_OK) return refused_at_filling(command, status, &err);
    return take(submitted(command));
}

TEST(many_are_applied_at_once) {
    (void)state;
    must_define("old", none, "return 0");
    must_define("kept", none, "return 1");
    static const char folder[] =
        "{\"kept\":{\"source\":\"return 1\"},\"new\":{\"source\":\"return 2\"}}";
    struct answer dry = must(apply_functions(folder, true, true));
    check_json(dry.body, "/functions/old/change", "\"deleted\"");
    check_json(must(call("old", "null")).body, "/result", "0");
    struct answer applied = must(apply_functions(folder, true, false));
    check_json(applied.body, "/functions/kept/change", "\"unchanged\"");
    check_json(applied.body, "/functions/new/change", "\"created\"");
    check_json(applied.body, "/functions/old/change", "\"deleted\"");
    check_status(call("old", "null"), STET_NOT_FOUND);
    check_json(must(call("new", "null")).body, "/result", "2");
}

TEST(one_mistake_refuses_all_of_them_and_is_named) {
    (void)state;
    struct answer answer = apply_functions(
        "{\"good\":{\"source\":\"return 1\"},\"bad\":{\"source\":\"return +\"}}", false, false);
    check_status(answer, STET_INVALID_FUNCTION);
    assert_string_equal(answer.field, "/functions/bad/source");
    check_status(call("good", "null"), STET_NOT_FOUND);
}

TEST(they_are_shown_and_survive_a_reopening) {
    (void)state;
    char path[] = "/tmp/stet-functions-XXXXXX";
    assert_non_null(mkdtemp(path));
    world_close(NULL);
    world_open_with(function_modules, path);
    must_define("one", none, "return 1");
    fixture_close(&world.fixture);
    world_reopen();
    check_json(must(call("one", "null")).body, "/result", "1");
    struct stet_command *command = empty_command();
    assert_int_equal(functions_fill_list(command, NULL), STET_OK);
    struct answer list = must(take(submitted(command)));
    check_json(list.body, "/functions/0/id", "\"one\"");
    check_json(list.body, "/functions/0/source", "\"return 1\"");
    command = empty_command();
    assert_int_equal(functions_fill_get(command, VIEW("one"), NULL), STET_OK);
    check_json(must(take(submitted(command))).body, "/version", "1");
    char remove[128];
    snprintf(remove, sizeof remove, "rm -rf %s", path);
    assert_int_equal(system(remove), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FUNCTIONS(a_function_is_a_record_with_versions),
        FUNCTIONS(a_mistake_is_told_with_its_line),
        FUNCTIONS(each_member_is_checked),
        FUNCTIONS(only_an_administrator_declares),
        FUNCTIONS(records_of_functions_are_not_written_by_other_roads),
        FUNCTIONS(many_are_applied_at_once),
        FUNCTIONS(one_mistake_refuses_all_of_them_and_is_named),
        FUNCTIONS(they_are_shown_and_survive_a_reopening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
