/*
 * What is settled of a rule by the actor alone, and the bounds of what is left.
 */
#include "expr/expr_testing.h"

static const stet_view roles[] = {{"sales", 5}, {"emea", 4}};
static const struct expr_subject ann = {
    .actor_id = {"ann \"a\"", 7}, .actor_roles = roles, .actor_role_count = 2};

static struct expr *must_parse_rule(const char *text) {
    struct expr_options options = {.roots = EXPR_ROOT_ACTOR | EXPR_ROOT_OLD_NEW};
    struct expr *expr = NULL;
    stet_error err = {0};
    if (expr_parse(&test_arena, view_of(text), &options, &expr, &err) != STET_OK)
        fail_msg("%s: %s", text, err.message);
    return expr;
}

static void check_truth(const char *text, enum expr_truth expected) {
    enum expr_truth truth = expr_truth(must_parse_rule(text), &ann);
    if (truth != expected) fail_msg("%s: %d", text, (int)truth);
}

/* Of /a, of the rule and the condition together. */
static void check_point(const char *rule, const char *also, const char *expected) {
    struct expr_bounds bounds;
    struct expr *settled = NULL;
    const struct expr *where = also == NULL ? NULL : must_parse_expr(also);
    assert_int_equal(expr_for_actor(&test_arena, must_parse_rule(rule), &ann, where, &settled),
                     STET_OK);
    expr_bounds(settled, VIEW("/a"), &bounds);
    bool points = bounds.kind == EXPR_BOUNDS_POINT || bounds.kind == EXPR_BOUNDS_POINTS;
    stet_view point = points ? doc_text(bounds.doc, bounds.point) : VIEW("none");
    if (!view_equal(point, view_of(expected))) fail_msg("%s: %.*s", rule, VIEW_ARG(point));
}

static void who_somebody_is_settles_what_it_can(void **state) {
    (void)state;
    check_truth("actor.roles contains 'sales'", EXPR_TRUE);
    check_truth("'hr' in actor.roles", EXPR_FALSE);
    check_truth("a = 1", EXPR_DEPENDS);
    check_truth("$created_by = actor.id", EXPR_DEPENDS);
    check_truth("old.a is null", EXPR_DEPENDS);
    check_truth("actor.id is null", EXPR_FALSE);
    check_truth("a = 1 || actor.roles contains 'sales'", EXPR_TRUE);
    check_truth("a = 1 || actor.roles contains 'hr'", EXPR_DEPENDS);
    check_truth("a = 1 && actor.roles contains 'hr'", EXPR_FALSE);
    check_truth("a = 1 && actor.roles contains 'sales'", EXPR_DEPENDS);
    check_truth("!(a = 1 && actor.roles contains 'hr')", EXPR_TRUE);
    check_truth("!(a = 1)", EXPR_DEPENDS);
}

static void what_is_left_has_the_bounds_of_the_actor(void **state) {
    (void)state;
    check_point("a = actor.id || actor.roles contains 'hr'", NULL, "\"ann \\\"a\\\"\"");
    check_point("actor.id = a && actor.roles contains 'sales' && b = 1", NULL, "\"ann \\\"a\\\"\"");
    check_point("a in actor.roles", NULL, "[\"sales\",\"emea\"]");
    check_point("a = actor.id || b = actor.id", NULL, "none");
    check_point("!(a = actor.id)", NULL, "none");
    check_point("b = actor.id", NULL, "none");
}

static void both_conditions_bound(void **state) {
    (void)state;
    check_point("b = actor.id && c = 5", "d = 1 && a = 'x'", "\"x\"");
    check_point("c = 5 && a = actor.id", "d = 1 && b = 'x'", "\"ann \\\"a\\\"\"");
    check_point("c = 5 && a = 7", "b in [1,2]", "7");
}

static void a_where_is_left_as_it_was(void **state) {
    (void)state;
    struct expr_bounds bounds;
    struct expr *settled = NULL;
    struct expr *where = must_parse_expr("a = 1");
    assert_int_equal(
        expr_for_actor(&test_arena, must_parse_rule("b = actor.id"), &ann, where, &settled),
        STET_OK);
    expr_bounds(where, VIEW("/b"), &bounds);
    assert_int_equal(bounds.kind, EXPR_BOUNDS_NONE);
    expr_bounds(settled, VIEW("/b"), &bounds);
    assert_int_equal(bounds.kind, EXPR_BOUNDS_POINT);
}

static void old_and_new_are_found_wherever_they_stand(void **state) {
    (void)state;
    assert_true(expr_names_old(must_parse_rule("a = 1 || !(b = 2 && old.c is null)")));
    assert_false(expr_names_new(must_parse_rule("a = 1 || !(b = 2 && old.c is null)")));
    assert_true(expr_names_new(must_parse_rule("a = new.a")));
    assert_false(expr_names_old(must_parse_rule("new.old = 1")));
}

static void all_fields_are_known(void **state) {
    (void)state;
    stet_view pointers[2];
    size_t count = expr_fields(must_parse_rule("!(a = actor.id) || (b.c in d && $version > old.e)"),
                               pointers, 2);
    assert_int_equal(count, 3);
    assert_true(view_equal(pointers[0], VIEW("/a")));
    assert_true(view_equal(pointers[1], VIEW("/b/c")));
    assert_int_equal(expr_fields(must_parse_rule("actor.id = 'x'"), pointers, 2), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(who_somebody_is_settles_what_it_can),
        ARENA_TEST(what_is_left_has_the_bounds_of_the_actor),
        ARENA_TEST(both_conditions_bound),
        ARENA_TEST(a_where_is_left_as_it_was),
        ARENA_TEST(all_fields_are_known),
        ARENA_TEST(old_and_new_are_found_wherever_they_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
