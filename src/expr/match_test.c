#include "expr/expr_testing.h"

/* Every row of the README's table of meanings. */
static void the_examples_are_true(void **state) {
    (void)state;
    FILE *file = must_open_readme();
    struct readme_row row;
    int line = 0;
    int rows = 0;
    while (next_row(file, &line, &row)) {
        if (row.count != 3) continue;
        struct doc data = must_parse(row.cells[0]);
        const struct expr *expr = must_parse_expr(row.cells[1]);
        bool expected = strcmp(row.cells[2], "yes") == 0;
        assert_true(expected || strcmp(row.cells[2], "no") == 0);
        if (matches_example(expr, &data) != expected)
            fail_msg("README.md:%d: %s on %s is not %s", row.line, row.cells[1], row.cells[0],
                     row.cells[2]);
        rows++;
    }
    fclose(file);
    assert_in_range(rows, 60, 1000);
}

static void nothing_known_matches_only_what_asks_for_nothing(void **state) {
    (void)state;
    struct expr_subject nothing = {0};
    assert_true(expr_matches(must_parse_expr("a is null && $id is null"), &nothing));
    assert_false(expr_matches(must_parse_expr("a = 1 || $version > 0"), &nothing));
    assert_false(expr_matches(must_parse_expr("actor.roles contains 'x'"), &nothing));
}

/* Escaped texts are searched where they lie, in one pass. */
static void a_long_escaped_text_is_searched_in_one_pass(void **state) {
    (void)state;
    enum { SIZE = 900 * 1024 };
    char *text = malloc(SIZE + 64);
    size_t size = (size_t)sprintf(text, "{\"a\":\"\\u0061");
    memset(text + size, 'a', SIZE);
    size += SIZE;
    size += (size_t)sprintf(text + size, "b\\n\"}");
    struct doc data = must_parse_view(view_make(text, size));
    char needle[3000];
    size_t from = (size_t)sprintf(needle, "a contains '");
    memset(needle + from, 'a', 2000);
    strcpy(needle + from + 2000, "b\\n'");
    assert_true(matches_example(must_parse_expr(needle), &data));
    strcpy(needle + from + 2000, "c\\n'");
    assert_false(matches_example(must_parse_expr(needle), &data));
    free(text);
}

static void check_field(const char *text, enum expr_meta meta, const char *pointer) {
    struct expr_options options = {.field = "sort"};
    struct expr_field field;
    stet_error err = {0};
    if (expr_field_parse(&test_arena, view_of(text), &options, &field, &err) != STET_OK)
        fail_msg("%s: %s", text, err.message);
    assert_int_equal(field.meta, meta);
    check_view(field.pointer, pointer);
}

static void a_field_is_a_path_a_pointer_or_metadata(void **state) {
    (void)state;
    check_field("amount", EXPR_META_NONE, "/amount");
    check_field(" a.b[2]['x/y'] ", EXPR_META_NONE, "/a/b/2/x~1y");
    check_field("/a~1b/c d", EXPR_META_NONE, "/a~1b/c d");
    check_field("$updated_at", EXPR_META_UPDATED_AT, "");
    check_field("$data.true", EXPR_META_NONE, "/true");
}

static void what_is_no_field_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"", "1", "'a'", "a b", "a =", "/a~2", "$no", "a,b", "!a"};
    for (size_t index = 0; index < sizeof texts / sizeof texts[0]; index++) {
        struct expr_options options = {.field = "sort"};
        struct expr_field field;
        stet_error err = {0};
        assert_int_equal(
            expr_field_parse(&test_arena, view_of(texts[index]), &options, &field, &err),
            STET_BAD_REQUEST);
        assert_string_equal(err.field, "sort");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(the_examples_are_true),
        ARENA_TEST(nothing_known_matches_only_what_asks_for_nothing),
        ARENA_TEST(a_long_escaped_text_is_searched_in_one_pass),
        ARENA_TEST(a_field_is_a_path_a_pointer_or_metadata),
        ARENA_TEST(what_is_no_field_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
