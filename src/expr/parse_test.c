#include "base/limits.h"
#include "expr/expr_testing.h"

/* Every row of the README's table of refusals. */
static void the_refusals_say_what_the_readme_says(void **state) {
    (void)state;
    FILE *file = must_open_readme();
    struct readme_row row;
    int line = 0;
    int rows = 0;
    while (next_row(file, &line, &row)) {
        struct expr *expr = NULL;
        stet_error err = {0};
        if (row.count != 2) continue;
        assert_int_equal(try_parse(row.cells[0], &expr, &err), STET_BAD_REQUEST);
        if (strcmp(err.message, row.cells[1]) != 0)
            fail_msg("README.md:%d: %s: %s", row.line, row.cells[0], err.message);
        assert_string_equal(err.field, "where");
        rows++;
    }
    fclose(file);
    assert_in_range(rows, 10, 100);
}

static void check_refused(stet_view text, stet_status expected, uint64_t limit) {
    struct expr_options options = {.field = "where"};
    struct expr *expr = NULL;
    stet_error err = {0};
    assert_int_equal(expr_parse(&test_arena, text, &options, &expr, &err), expected);
    assert_null(expr);
    assert_int_equal(err.limit, limit);
    assert_string_equal(err.field, "where");
}

/* `before` times over, then the middle, then `after` as often. */
static stet_view nested(const char *before, const char *middle, const char *after, int times) {
    struct buffer text;
    buffer_init(&text, &test_arena, 0);
    for (int index = 0; index < times; index++)
        buffer_append_text(&text, before);
    buffer_append_text(&text, middle);
    for (int index = 0; index < times; index++)
        buffer_append_text(&text, after);
    return buffer_view(&text);
}

static void depth_is_bounded(void **state) {
    (void)state;
    struct expr_options options = {.field = "where"};
    struct expr *expr = NULL;
    stet_view deep = nested("(", "a", ")", EXPR_DEPTH_MAX);
    assert_int_equal(expr_parse(&test_arena, deep, &options, &expr, NULL), STET_OK);
    expr = NULL;
    check_refused(nested("(", "a", ")", EXPR_DEPTH_MAX + 1), STET_TOO_LARGE, EXPR_DEPTH_MAX);
    check_refused(nested("!", "a", "", EXPR_DEPTH_MAX + 1), STET_TOO_LARGE, EXPR_DEPTH_MAX);
    check_refused(nested("!(", "a", ")", EXPR_DEPTH_MAX), STET_TOO_LARGE, EXPR_DEPTH_MAX);
    /* One after the other is not inside one another. */
    assert_int_equal(expr_parse(&test_arena, nested("(a)&&", "a", "", 100), &options, &expr, NULL),
                     STET_OK);
}

static void size_is_bounded(void **state) {
    (void)state;
    check_refused(nested("a||", "a", "", EXPR_NODES_MAX), STET_TOO_LARGE, EXPR_NODES_MAX);
    check_refused(nested("1,", "", "", 0), STET_BAD_REQUEST, 0);
    check_refused(nested("", "a in [1", ",1", EXPR_NODES_MAX), STET_TOO_LARGE, EXPR_NODES_MAX);
    check_refused(nested(" ", "a", " ", EXPR_BYTES_MAX / 2), STET_TOO_LARGE, EXPR_BYTES_MAX);
}

static void bytes_that_are_no_text_are_refused(void **state) {
    (void)state;
    check_refused(VIEW("a = \"\xff\""), STET_BAD_REQUEST, 0);
    check_refused(VIEW("a = \"\0\""), STET_BAD_REQUEST, 0);
    check_refused(VIEW("a\0= 1"), STET_BAD_REQUEST, 0);
    check_refused(VIEW("a = '\\ud800'"), STET_BAD_REQUEST, 0);
    check_refused(VIEW("a = '\\udc00'"), STET_BAD_REQUEST, 0);
    check_refused(VIEW("a = '\\u12g4'"), STET_BAD_REQUEST, 0);
    check_refused(VIEW("a = '\\"), STET_BAD_REQUEST, 0);
}

static void both_halves_of_a_pair_are_one_character(void **state) {
    (void)state;
    struct doc data = must_parse("{\"a\":\"\xf0\x9f\x98\x80\"}");
    assert_true(matches_example(must_parse_expr("a = '\\ud83d\\ude00'"), &data));
}

static void elsewhere_actor_and_old_are_fields(void **state) {
    (void)state;
    struct expr_options options = {0};
    struct expr *expr = NULL;
    struct doc data = must_parse("{\"actor\":{\"name\":1},\"old\":2}");
    struct expr_subject subject = {.data = &data};
    assert_int_equal(
        expr_parse(&test_arena, VIEW("actor.name = 1 && old = 2"), &options, &expr, NULL), STET_OK);
    assert_true(expr_matches(expr, &subject));
    expr = must_parse_expr("$data.actor.name = 1 && $data.old = 2");
    assert_true(expr_matches(expr, &subject));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(the_refusals_say_what_the_readme_says),
        ARENA_TEST(depth_is_bounded),
        ARENA_TEST(size_is_bounded),
        ARENA_TEST(bytes_that_are_no_text_are_refused),
        ARENA_TEST(both_halves_of_a_pair_are_one_character),
        ARENA_TEST(elsewhere_actor_and_old_are_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
