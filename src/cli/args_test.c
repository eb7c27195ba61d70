#include "cli/args.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static_assert(KEY_RETENTION_S == 604800, "the table says so in words");

static struct arena arena;
static struct args args;
static stet_error err;

/* The environment of a test: pairs, the last name NULL. */
static const char *pairs[8];

static const char *environment(const char *name) {
    for (size_t i = 0; pairs[i] != NULL; i += 2) {
        if (strcmp(pairs[i], name) == 0) return pairs[i + 1];
    }
    return NULL;
}

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 4096);
    pairs[0] = NULL;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

#define PARSE(...) parse((const char *[]){"stet", __VA_ARGS__, NULL})

static stet_status parse(const char *const *argv) {
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    return args_parse(&args, &arena, argc, argv, environment, &err);
}

static void must_refuse(stet_status status, const char *words) {
    assert_int_equal(status, STET_BAD_REQUEST);
    if (strstr(err.message, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
}

static void options_may_stand_anywhere(void **state) {
    (void)state;
    assert_int_equal(PARSE("put", "--base", "12", "tasks/1", "--key=k", "{}"), STET_OK);
    assert_int_equal(args.command, COMMAND_PUT);
    assert_int_equal(args.argument_count, 2);
    assert_string_equal(args.arguments[1], "{}");
    assert_int_equal(args_number(&args, OPTION_BASE), 12);
    assert_string_equal(args_text(&args, OPTION_KEY), "k");
    assert_false(args_switch(&args, OPTION_JSON));
}

static void commands_of_two_words_are_one(void **state) {
    (void)state;
    assert_int_equal(PARSE("token", "revoke", "x"), STET_OK);
    assert_int_equal(args.command, COMMAND_TOKEN_REVOKE);
    assert_int_equal(args.argument_count, 1);
    must_refuse(PARSE("token"), "token create, token list, token revoke");
    must_refuse(PARSE("token", "burn"), "token create");
    must_refuse(PARSE("fetch"), "\"fetch\"");
}

static void dashes_end_the_options(void **state) {
    (void)state;
    assert_int_equal(PARSE("get", "--json", "--", "--odd/1"), STET_OK);
    assert_string_equal(args.arguments[0], "--odd/1");
    assert_int_equal(PARSE("import", "-"), STET_OK);
    must_refuse(PARSE("get", "-x", "tasks/1"), "-x");
}

static void what_a_command_does_not_take_is_refused(void **state) {
    (void)state;
    must_refuse(PARSE("get", "tasks/1", "--base", "1"), "no option --base");
    must_refuse(PARSE("get", "tasks/1", "--key"), "no option --key");
    must_refuse(PARSE("put", "tasks/1", "{}", "--key"), "needs a value");
    must_refuse(PARSE("put", "tasks/1"), "missing");
    must_refuse(PARSE("get", "tasks/1", "tasks/2"), "too many");
    must_refuse(PARSE("get", "--json=1", "tasks/1"), "takes no value");
    must_refuse(PARSE("put", "tasks/1", "{}", "--base", "x"), "must be a number");
    must_refuse(PARSE("put", "tasks/1", "{}", "--base", "1", "--base", "2"), "twice");
    must_refuse(PARSE("list", "tasks", "--limit", "1001"), "the most is 1000");
}

static void one_name_may_be_two_options(void **state) {
    (void)state;
    assert_int_equal(PARSE("token", "create", "--actor", "ada"), STET_OK);
    assert_string_equal(args_text(&args, OPTION_TOKEN_ACTOR), "ada");
    assert_null(args_text(&args, OPTION_ACTOR));
    assert_int_equal(PARSE("get", "tasks/1", "--actor", "ada"), STET_OK);
    assert_string_equal(args_text(&args, OPTION_ACTOR), "ada");
}

static char *must_write_config(const char *text) {
    static char path[64];
    strcpy(path, "/tmp/stet-args-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static void the_command_line_wins_over_environment_file_and_default(void **state) {
    (void)state;
    char *path =
        must_write_config("# here\nlisten = 127.0.0.1:3\n log_level=warn\ndata = /file\n\n");
    assert_int_equal(PARSE("serve"), STET_OK);
    assert_string_equal(args_text(&args, OPTION_LISTEN), "127.0.0.1:7838");
    assert_int_equal(PARSE("serve", "--config", path), STET_OK);
    assert_string_equal(args_text(&args, OPTION_LISTEN), "127.0.0.1:3");
    assert_string_equal(args_text(&args, OPTION_LOG_LEVEL), "warn");
    pairs[0] = "STET_LISTEN", pairs[1] = "127.0.0.1:2", pairs[2] = "STET_CONFIG", pairs[3] = path,
    pairs[4] = NULL;
    assert_int_equal(PARSE("serve"), STET_OK);
    assert_string_equal(args_text(&args, OPTION_LISTEN), "127.0.0.1:2");
    assert_string_equal(args_text(&args, OPTION_DATA), "/file");
    assert_int_equal(PARSE("serve", "--listen", "127.0.0.1:1"), STET_OK);
    assert_string_equal(args_text(&args, OPTION_LISTEN), "127.0.0.1:1");
    unlink(path);
}

static void a_list_is_repeated_or_separated_by_commas(void **state) {
    (void)state;
    assert_int_equal(PARSE("serve", "--allow-origin", "a", "--allow-origin", "b"), STET_OK);
    assert_int_equal(args.values[OPTION_ALLOW_ORIGIN].count, 2);
    pairs[0] = "STET_ALLOW_ORIGIN", pairs[1] = "a, b ,c", pairs[2] = NULL;
    assert_int_equal(PARSE("serve"), STET_OK);
    assert_int_equal(args.values[OPTION_ALLOW_ORIGIN].count, 3);
    assert_string_equal(args.values[OPTION_ALLOW_ORIGIN].texts[1], "b");
    char *path = must_write_config("allow_origin = x\nallow_origin = y\n");
    assert_int_equal(PARSE("serve", "--config", path), STET_OK);
    assert_int_equal(args.values[OPTION_ALLOW_ORIGIN].count, 3);
    pairs[0] = NULL;
    assert_int_equal(PARSE("serve", "--config", path), STET_OK);
    assert_int_equal(args.values[OPTION_ALLOW_ORIGIN].count, 2);
    unlink(path);
}

static void a_switch_is_true_or_false_elsewhere(void **state) {
    (void)state;
    char *path = must_write_config("access_log = yes\n");
    assert_int_equal(PARSE("serve", "--config", path), STET_OK);
    assert_true(args_switch(&args, OPTION_ACCESS_LOG));
    pairs[0] = "STET_ACCESS_LOG", pairs[1] = "false", pairs[2] = NULL;
    assert_int_equal(PARSE("serve", "--config", path), STET_OK);
    assert_false(args_switch(&args, OPTION_ACCESS_LOG));
    pairs[1] = "maybe";
    must_refuse(PARSE("serve"), "true or false");
    unlink(path);
}

static void a_mistake_in_the_file_names_its_line(void **state) {
    (void)state;
    char *path = must_write_config("listen = 127.0.0.1:1\nlistn = x\n");
    must_refuse(PARSE("serve", "--config", path), "line 2: \"listn\" is not an option");
    unlink(path);
    path = must_write_config("listen\n");
    must_refuse(PARSE("serve", "--config", path), "line 1: must be key = value");
    unlink(path);
    assert_int_equal(PARSE("serve", "--config", "/nowhere/at/all"), STET_IO);
}

static void the_table_is_consistent(void **state) {
    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = option_row((enum option_id)i);
        assert_non_null(row->name);
        assert_true(row->commands != 0);
        assert_true((row->argument == NULL) == (row->kind == OPTION_SWITCH));
        assert_true(row->words[strlen(row->words) - 1] != '.');
        for (size_t j = 0; j < i; j++) {
            const struct option_row *other = option_row((enum option_id)j);
            assert_true(strcmp(row->name, other->name) != 0 ||
                        (row->commands & other->commands) == 0);
            if (row->environment != NULL && other->environment != NULL) {
                assert_string_not_equal(row->environment, other->environment);
            }
        }
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command_row *row = command_row((enum command_id)i);
        assert_non_null(row->name);
        assert_true(row->arguments_min <= row->arguments_max);
    }
    assert_null(exit_words(7));
}

#define TEST_ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_ROW(options_may_stand_anywhere),
        TEST_ROW(commands_of_two_words_are_one),
        TEST_ROW(dashes_end_the_options),
        TEST_ROW(what_a_command_does_not_take_is_refused),
        TEST_ROW(one_name_may_be_two_options),
        TEST_ROW(the_command_line_wins_over_environment_file_and_default),
        TEST_ROW(a_list_is_repeated_or_separated_by_commas),
        TEST_ROW(a_switch_is_true_or_false_elsewhere),
        TEST_ROW(a_mistake_in_the_file_names_its_line),
        TEST_ROW(the_table_is_consistent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
