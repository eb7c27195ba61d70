#include "doc/doc_testing.h"
#include "doc/rule.h"

struct merged {
    struct doc base, current, yours;
    struct doc_merge_result result;
};

static struct merged must_merge_by(const struct doc_rules *rules, const char *base,
                                   const char *current, const char *yours) {
    struct merged merged = {
        .base = must_parse(base), .current = must_parse(current), .yours = must_parse(yours)};
    assert_int_equal(doc_merge(&test_arena, &merged.base, &merged.current, &merged.yours, rules, 0,
                               &merged.result, NULL),
                     STET_OK);
    return merged;
}

static struct merged must_merge(const char *base, const char *current, const char *yours) {
    return must_merge_by(NULL, base, current, yours);
}

/* Fields as "pointer state=merged" lines. */
static void check_fields(const struct merged *merged, const char *expected) {
    static const char *const states[] = {"same", "yours", "current", "merged", "conflict"};
    char text[1024] = "";
    size_t size = 0;
    for (size_t i = 0; i < merged->result.field_count; i++) {
        const struct doc_merge_field *field = &merged->result.fields[i];
        size += (size_t)snprintf(text + size, sizeof text - size, "%.*s %s=%.*s\n",
                                 VIEW_ARG(field->pointer), states[field->state],
                                 VIEW_ARG(field->merged));
    }
    assert_string_equal(text, expected);
}

static void changes_of_different_fields_go_together(void **state) {
    (void)state;
    struct merged merged = must_merge("{\"a\":1,\"b\":2,\"c\":{\"d\":3,\"e\":4}}",
                                      "{\"a\":10,\"b\":2,\"c\":{\"d\":3,\"e\":40}}",
                                      "{\"a\":1,\"b\":20,\"c\":{\"d\":30,\"e\":4}}");
    assert_true(merged.result.clean);
    check_view(merged.result.merged, "{\"a\":10,\"b\":20,\"c\":{\"d\":30,\"e\":40}}");
    check_fields(&merged, "/a current=10\n/b yours=20\n/c/d yours=30\n/c/e current=40\n");
}

static void the_same_field_changed_differently_is_a_conflict(void **state) {
    (void)state;
    struct merged merged =
        must_merge("{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}", "{\"a\":3,\"b\":2}");
    assert_false(merged.result.clean);
    check_view(merged.result.merged, "{\"a\":2,\"b\":2}");
    check_fields(&merged, "/a conflict=2\n/b yours=2\n");
    const struct doc_merge_field *field = &merged.result.fields[0];
    assert_string_equal(field->rule, "reject");
    check_view(doc_text(&merged.base, field->base), "1");
    check_view(doc_text(&merged.current, field->current), "2");
    check_view(doc_text(&merged.yours, field->yours), "3");
}

static void the_same_change_twice_is_no_conflict(void **state) {
    (void)state;
    struct merged merged =
        must_merge("{\"a\":1,\"b\":2}", "{\"a\":2.0,\"n\":{}}", "{\"a\":2,\"n\":{}}");
    assert_true(merged.result.clean);
    check_view(merged.result.merged, "{\"a\":2.0,\"n\":{}}");
    check_fields(&merged, "/a same=2.0\n/n same={}\n/b same=\n");
}

static void additions_and_deletions_are_changes(void **state) {
    (void)state;
    struct merged merged = must_merge("{\"a\":1,\"b\":2,\"c\":3}", "{\"b\":2,\"c\":3,\"d\":4}",
                                      "{\"a\":1,\"c\":3,\"e\":5}");
    assert_true(merged.result.clean);
    check_view(merged.result.merged, "{\"c\":3,\"d\":4,\"e\":5}");
    check_fields(&merged, "/b yours=\n/d current=4\n/a current=\n/e yours=5\n");
}

static void delete_against_edit_is_a_conflict(void **state) {
    (void)state;
    struct merged deleted = must_merge("{\"a\":{\"b\":1}}", "{}", "{\"a\":{\"b\":2}}");
    assert_false(deleted.result.clean);
    check_view(deleted.result.merged, "{}");
    check_fields(&deleted, "/a conflict=\n");
    struct merged edited = must_merge("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2}}", "{}");
    check_view(edited.result.merged, "{\"a\":{\"b\":2}}");
    check_fields(&edited, "/a conflict={\"b\":2}\n");
}

static void lists_are_one_value(void **state) {
    (void)state;
    struct merged merged = must_merge("{\"l\":[1,2]}", "{\"l\":[1,2,3]}", "{\"l\":[0,1,2]}");
    assert_false(merged.result.clean);
    check_fields(&merged, "/l conflict=[1,2,3]\n");
}

static void objects_added_by_both_are_merged(void **state) {
    (void)state;
    struct merged merged =
        must_merge("{}", "{\"o\":{\"a\":1,\"c\":1}}", "{\"o\":{\"b\":2,\"c\":2}}");
    assert_false(merged.result.clean);
    check_view(merged.result.merged, "{\"o\":{\"a\":1,\"c\":1,\"b\":2}}");
    check_fields(&merged, "/o/a current=1\n/o/c conflict=1\n/o/b yours=2\n");
}

static void a_value_that_both_turned_into_objects_is_a_conflict(void **state) {
    (void)state;
    struct merged merged = must_merge("{\"o\":5}", "{\"o\":{\"a\":1}}", "{\"o\":{\"b\":2}}");
    check_fields(&merged, "/o conflict={\"a\":1}\n");
}

static void roots_that_are_no_objects_are_one_value(void **state) {
    (void)state;
    struct merged merged = must_merge("1", "1", "[2]");
    check_view(merged.result.merged, "[2]");
    check_fields(&merged, " yours=[2]\n");
    struct merged conflict = must_merge("1", "2", "3");
    assert_false(conflict.result.clean);
    check_view(conflict.result.merged, "2");
}

static void nothing_changed_is_no_field(void **state) {
    (void)state;
    struct merged merged =
        must_merge("{\"a\":1,\"b\":{}}", "{ \"b\":{}, \"a\":1.0 }", "{\"a\":1e0,\"b\":{}}");
    check_fields(&merged, "");
    check_view(merged.result.merged, "{ \"b\":{}, \"a\":1.0 }");
}

static void steps_are_bounded_and_repeat(void **state) {
    (void)state;
    struct merged merged = must_merge("{\"a\":[1,2,3]}", "{\"a\":[1,2,4]}", "{\"a\":[1,2,5]}");
    uint64_t steps = merged.result.steps;
    struct doc_merge_result result = {0};
    stet_error err;
    assert_int_equal(doc_merge(&test_arena, &merged.base, &merged.current, &merged.yours, NULL,
                               steps, &result, &err),
                     STET_OK);
    assert_int_equal(result.steps, steps);
    assert_int_equal(doc_merge(&test_arena, &merged.base, &merged.current, &merged.yours, NULL,
                               steps - 1, &result, &err),
                     STET_TOO_LARGE);
    assert_string_equal(err.field, "steps");
    assert_int_equal(err.limit, steps - 1);
    assert_true(result.steps > steps - 1);
}

/* A rule of the kind the seam is for: concatenates what both made of a string. */
static stet_status settle_both(const struct rule_question *question, struct rule_answer *answer,
                               stet_error *err) {
    (void)err;
    stet_view current = doc_text(question->current_doc, question->current);
    stet_view yours = doc_text(question->yours_doc, question->yours);
    *answer = (struct rule_answer){
        .state = DOC_MERGED,
        .merged = arena_format(question->arena, "[%.*s,%.*s]", VIEW_ARG(current), VIEW_ARG(yours)),
        .steps = 7,
    };
    return STET_OK;
}
static const struct doc_rule rule_both = {.name = "both", .settle = settle_both};
static const struct doc_rule rule_whole = {.name = "whole", .settle = settle_both};

static void rules_are_found_by_path(void **state) {
    (void)state;
    const struct doc_rules note = {.token = VIEW("note"), .rule = &rule_both};
    const struct doc_rules *const under_any[] = {&note};
    const struct doc_rules whole = {.token = VIEW("whole"), .rule = &rule_whole};
    const struct doc_rules *const members[] = {&whole};
    const struct doc_rules any = {.children = under_any, .child_count = 1};
    const struct doc_rules rules = {.children = members, .child_count = 1, .any = &any};
    struct merged merged =
        must_merge_by(&rules, "{\"x\":{\"note\":1,\"other\":1},\"whole\":{\"a\":1,\"b\":1}}",
                      "{\"x\":{\"note\":2,\"other\":2},\"whole\":{\"a\":2,\"b\":1}}",
                      "{\"x\":{\"n\\u006fte\":3,\"other\":3},\"whole\":{\"a\":1,\"b\":2}}");
    check_fields(&merged, "/x/note merged=[2,3]\n/x/other conflict=2\n/whole "
                          "merged=[{\"a\":2,\"b\":1},{\"a\":1,\"b\":2}]\n");
    check_view(
        merged.result.merged,
        "{\"x\":{\"note\":[2,3],\"other\":2},\"whole\":[{\"a\":2,\"b\":1},{\"a\":1,\"b\":2}]}");
    assert_string_equal(merged.result.fields[0].rule, "both");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(changes_of_different_fields_go_together),
        ARENA_TEST(the_same_field_changed_differently_is_a_conflict),
        ARENA_TEST(the_same_change_twice_is_no_conflict),
        ARENA_TEST(additions_and_deletions_are_changes),
        ARENA_TEST(delete_against_edit_is_a_conflict),
        ARENA_TEST(lists_are_one_value),
        ARENA_TEST(objects_added_by_both_are_merged),
        ARENA_TEST(a_value_that_both_turned_into_objects_is_a_conflict),
        ARENA_TEST(roots_that_are_no_objects_are_one_value),
        ARENA_TEST(nothing_changed_is_no_field),
        ARENA_TEST(steps_are_bounded_and_repeat),
        ARENA_TEST(rules_are_found_by_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
