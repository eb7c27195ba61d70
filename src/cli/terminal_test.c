#include "cli/terminal.h"

#include "base/view.h"
#include "cli/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static char *shown;
static size_t shown_size;
static struct terminal terminal;

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 4096);
    terminal = (struct terminal){.stream = open_memstream(&shown, &shown_size)};
    return terminal.stream == NULL;
}

static int teardown(void **state) {
    (void)state;
    fclose(terminal.stream);
    free(shown);
    arena_done(&arena);
    return 0;
}

static void check_shown(const char *text) {
    fflush(terminal.stream);
    assert_string_equal(shown, text);
}

static void must_show_json(const char *text) {
    struct doc doc;
    stet_error err;
    assert_int_equal(answer_parse(&arena, view_of(text), &doc, &err), STET_OK);
    terminal_json(&terminal, &doc, 0);
}

static void json_is_indented_and_keeps_its_spelling(void **state) {
    (void)state;
    must_show_json("{\"a\":[1.10,{}],\"b\":{\"c\":12345678901234567890}}");
    check_shown("{\n  \"a\": [\n    1.10,\n    {}\n  ],\n  \"b\": {\n    \"c\": "
                "12345678901234567890\n  }\n}\n");
}

static void records_cannot_steer_the_terminal(void **state) {
    (void)state;
    must_show_json("\"\xC2\x9B"
                   "31m\x7F\"");
    check_shown("\"\\u009b31m\\u007f\"\n");
}

static void colors_surround_the_text_only(void **state) {
    (void)state;
    terminal.color = true;
    terminal_text(&terminal, COLOR_RED, VIEW("a\033b"));
    check_shown("\033[31ma\\u001bb\033[0m");
}

static void columns_are_aligned_by_characters(void **state) {
    (void)state;
    struct table table;
    table_init(&table, &arena, 2);
    table_add(&table, COLOR_NONE, VIEW("\xC3\xA4"));
    table_add(&table, COLOR_NONE, VIEW("x"));
    table_add(&table, COLOR_NONE, VIEW("abc"));
    table_add(&table, COLOR_NONE, VIEW("y"));
    assert_int_equal(table_print(&table, &terminal, " ", NULL), STET_OK);
    check_shown(" \xC3\xA4    x\n abc  y\n");
}

static void what_turns_the_direction_is_escaped(void **state) {
    (void)state;
    terminal_text(&terminal, COLOR_NONE,
                  VIEW("a\xE2\x80\xAE"
                       "b\xE2\x81\xA6"
                       "c\xD7\x90\xC2\x9B"));
    check_shown("a\\u202eb\\u2066c\xD7\x90\\u009b");
}

static void columns_are_what_terminals_draw(void **state) {
    (void)state;
    assert_int_equal(terminal_columns(VIEW("\xE6\xBC\xA2\xE5\xAD\x97")), 4); /* two ideographs */
    assert_int_equal(terminal_columns(VIEW("\xF0\x9F\x98\x80")), 2);         /* an emoji */
    assert_int_equal(terminal_columns(VIEW("e\xCC\x81")), 1); /* an accent on its letter */
    assert_int_equal(terminal_columns(VIEW("\xC2\xA0\xE2\x80\xA6")), 2);
    assert_int_equal(terminal_columns(VIEW("\033\xE2\x80\xAE")), 12);
    assert_int_equal(terminal_columns(VIEW("\xE6\xBC\xFF\x80\xF0")), 5); /* not UTF-8 */
    assert_int_equal(terminal_cut(VIEW("\xE6\xBC\xA2\xE5\xAD\x97"), 3).size, 3);
    assert_int_equal(terminal_cut(VIEW("ab"), 2).size, 2);
}

static void only_the_last_column_is_cut(void **state) {
    (void)state;
    struct table table;
    terminal.width = 20;
    table_init(&table, &arena, 2);
    table_add(&table, COLOR_NONE, VIEW("abcdef"));
    table_add(&table, COLOR_NONE, VIEW("0123456789\xC3\xA4ghijkl"));
    assert_int_equal(table_print(&table, &terminal, "", NULL), STET_OK);
    check_shown("abcdef  0123456789\xC3\xA4\xE2\x80\xA6\n");
}

static void a_note_stands_below_its_row_and_widens_no_column(void **state) {
    (void)state;
    struct table table;
    table_init(&table, &arena, 2);
    table_add(&table, COLOR_NONE, VIEW("ab"));
    table_add(&table, COLOR_NONE, VIEW("x"));
    table_note(&table, VIEW("longer than\033all of it"));
    table_add(&table, COLOR_NONE, VIEW("abc"));
    table_add(&table, COLOR_NONE, VIEW("y"));
    assert_int_equal(table_width(&table), 6);
    assert_int_equal(table_print(&table, &terminal, " ", NULL), STET_OK);
    check_shown(" ab   x\n      longer than\\u001ball of it\n abc  y\n");
}

static void many_cells_are_kept(void **state) {
    (void)state;
    struct table table;
    table_init(&table, &arena, 1);
    for (int i = 0; i < 1000; i++)
        table_add(&table, COLOR_NONE, VIEW("x"));
    assert_int_equal(table_print(&table, &terminal, "", NULL), STET_OK);
    fflush(terminal.stream);
    assert_int_equal(shown_size, 2000);
}

static void times_are_shown_to_the_second(void **state) {
    (void)state;
    assert_true(view_equal(answer_time(&arena, VIEW("2026-03-01T12:00:00.123456789Z")),
                           VIEW("2026-03-01 12:00:00")));
    assert_true(view_equal(answer_time(&arena, VIEW("soon")), VIEW("soon")));
}

#define TEST_ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST_ROW(json_is_indented_and_keeps_its_spelling),
        TEST_ROW(records_cannot_steer_the_terminal),
        TEST_ROW(colors_surround_the_text_only),
        TEST_ROW(columns_are_aligned_by_characters),
        TEST_ROW(what_turns_the_direction_is_escaped),
        TEST_ROW(columns_are_what_terminals_draw),
        TEST_ROW(only_the_last_column_is_cut),
        TEST_ROW(a_note_stands_below_its_row_and_widens_no_column),
        TEST_ROW(many_cells_are_kept),
        TEST_ROW(times_are_shown_to_the_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
