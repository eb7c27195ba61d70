#include "expr/expr_testing.h"

#include <stdio.h>

/* The bounds of /a as one line: "point 1", "[1,2]", "prefix \"x\"", "(1 .. 5]". */
static void check_bounds(const char *text, const char *expected) {
    struct expr_bounds bounds;
    char shown[200] = "none";
    expr_bounds(must_parse_expr(text), VIEW("/a"), &bounds);
    stet_view point = bounds.point == DOC_NONE ? VIEW("") : doc_text(bounds.doc, bounds.point);
    switch (bounds.kind) {
    case EXPR_BOUNDS_NONE: break;
    case EXPR_BOUNDS_POINT: sprintf(shown, "point %.*s", VIEW_ARG(point)); break;
    case EXPR_BOUNDS_POINTS: sprintf(shown, "points %.*s", VIEW_ARG(point)); break;
    case EXPR_BOUNDS_PREFIX: sprintf(shown, "prefix %.*s", VIEW_ARG(point)); break;
    case EXPR_BOUNDS_RANGE: {
        stet_view low = bounds.low == DOC_NONE ? VIEW("") : doc_text(bounds.doc, bounds.low);
        stet_view high = bounds.high == DOC_NONE ? VIEW("") : doc_text(bounds.doc, bounds.high);
        sprintf(shown, "%c%.*s .. %.*s%c", bounds.low_exclusive ? '(' : '[', VIEW_ARG(low),
                VIEW_ARG(high), bounds.high_exclusive ? ')' : ']');
        break;
    }
    }
    if (strcmp(shown, expected) != 0) fail_msg("%s: %s, not %s", text, shown, expected);
}

static void a_comparison_bounds_its_field(void **state) {
    (void)state;
    check_bounds("a = 1", "point 1");
    check_bounds("1 = a", "point 1");
    check_bounds("a = null", "point null");
    check_bounds("a is null", "point null");
    check_bounds("a in [1,'x']", "points [1,\"x\"]");
    check_bounds("a starts_with 'x'", "prefix \"x\"");
    check_bounds("a >= 1", "[1 .. ]");
    check_bounds("a > 1", "(1 .. ]");
    check_bounds("5 > a", "[ .. 5)");
    check_bounds("a <= 'm'", "[ .. \"m\"]");
}

static void parts_joined_by_and_narrow(void **state) {
    (void)state;
    check_bounds("a > 1 && b = 2 && a <= 5", "(1 .. 5]");
    check_bounds("a >= 1 && (a > 1 && a < 9) && a < 7.5", "(1 .. 7.5)");
    check_bounds("a > 1 && a = 3", "point 3");
    check_bounds("a in [1,2] && a > 1", "points [1,2]");
    check_bounds("a > 1 && a < 'x'", "(1 .. ]");
}

static void nothing_else_bounds(void **state) {
    (void)state;
    check_bounds("b = 1", "none");
    check_bounds("a = 1 || b = 2", "none");
    check_bounds("!(a = 1)", "none");
    check_bounds("a != 1", "none");
    check_bounds("a is not null", "none");
    check_bounds("b is null", "none");
    check_bounds("a = b", "none");
    check_bounds("a contains 1", "none");
    check_bounds("1 in a", "none");
    check_bounds("'x' starts_with a", "none");
    check_bounds("old.a = 1", "none");
    check_bounds("a", "none");
    check_bounds("a > null", "none");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(a_comparison_bounds_its_field),
        ARENA_TEST(parts_joined_by_and_narrow),
        ARENA_TEST(nothing_else_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
