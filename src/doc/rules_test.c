#include "doc/rules.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "doc/decimal.h"
#include "doc/doc_testing.h"

/* ---- Merging by rules ---- */

static const struct doc_rules *must_compile(const char *fields, const char *units) {
    struct doc definition =
        must_parse_view(arena_format(&test_arena, "{\"fields\":%s,\"units\":%s}", fields, units));
    struct doc_rules *rules = NULL;
    stet_error err = {0};
    stet_status status =
        rules_compile(&test_arena, &definition, doc_member(&definition, 0, VIEW("fields")),
                      doc_member(&definition, 0, VIEW("units")), &rules, &err);
    if (status != STET_OK) fail_msg("%s: %s", err.field, err.message);
    return rules;
}

static struct doc_merge_result merge_by(const struct doc_rules *rules, const char *base,
                                        const char *current, const char *yours) {
    struct doc docs[] = {must_parse(base), must_parse(current), must_parse(yours)};
    struct doc_merge_result result;
    assert_int_equal(doc_merge(&test_arena, &docs[0], &docs[1], &docs[2], rules, 0, &result, NULL),
                     STET_OK);
    return result;
}

/* Merges one field "f" by a rule; "-" stands for absent. Its merged text, or "conflict". */
static void check_field(const char *rule, const char *base, const char *current, const char *yours,
                        const char *expected) {
    const char *sides[] = {base, current, yours};
    char texts[3][512];
    for (int i = 0; i < 3; i++)
        snprintf(texts[i], sizeof texts[i], strcmp(sides[i], "-") == 0 ? "{}" : "{\"f\":%s}",
                 sides[i]);
    char fields[512];
    snprintf(fields, sizeof fields, "{\"/f\":%s}", rule);
    struct doc_merge_result result =
        merge_by(must_compile(fields, "[]"), texts[0], texts[1], texts[2]);
    if (strcmp(expected, "conflict") == 0) {
        assert_false(result.clean);
        assert_int_equal(result.field_count, 1);
        check_view(result.fields[0].pointer, "/f");
        assert_int_equal(result.fields[0].state, DOC_CONFLICT);
        check_view(result.merged, texts[1]);
        return;
    }
    if (!result.clean) fail_msg("expected %s, got a conflict", expected);
    char merged[600];
    snprintf(merged, sizeof merged, strcmp(expected, "-") == 0 ? "{}" : "{\"f\":%s}", expected);
    check_view(result.merged, merged);
}

/* Fields as "pointer state" lines, and what a rule dropped. */
static void check_fields(const struct doc_merge_result *result, const char *expected) {
    static const char *const states[] = {"same", "yours", "current", "merged", "conflict"};
    static const char *const dropped[] = {"", " -yours", " -current"};
    char text[1024] = "";
    size_t size = 0;
    for (size_t i = 0; i < result->field_count; i++) {
        const struct doc_merge_field *field = &result->fields[i];
        size += (size_t)snprintf(text + size, sizeof text - size, "%.*s %s%s by %s\n",
                                 VIEW_ARG(field->pointer), states[field->state],
                                 dropped[field->dropped], field->rule);
    }
    assert_string_equal(text, expected);
}

static void one_side_wins_where_the_owner_said_so(void **state) {
    (void)state;
    check_field("{\"merge\":\"last_writer_wins\"}", "1", "2", "3", "3");
    check_field("{\"merge\":\"last_writer_wins\"}", "1", "2", "-", "-");
    check_field("{\"merge\":\"first\"}", "1", "2", "3", "2");
    check_field("{\"merge\":\"first\"}", "1", "-", "3", "-");
    check_field("{\"merge\":\"reject\"}", "1", "2", "3", "conflict");
}

static void a_loser_is_named(void **state) {
    (void)state;
    const struct doc_rules *rules =
        must_compile("{\"/l\":{\"merge\":\"last_writer_wins\"},\"/f\":{\"merge\":\"first\"},"
                     "\"/min\":{\"merge\":\"min\"},\"/max\":{\"merge\":\"max\"}}",
                     "[]");
    struct doc_merge_result result =
        merge_by(rules, "{\"l\":1,\"f\":1,\"min\":5,\"max\":5}",
                 "{\"l\":2,\"f\":2,\"min\":2,\"max\":6}", "{\"l\":3,\"f\":3,\"min\":3,\"max\":7}");
    check_fields(&result, "/l merged -current by last_writer_wins\n/f merged -yours by first\n"
                          "/min merged -yours by min\n/max merged -current by max\n");
    check_view(result.merged, "{\"l\":3,\"f\":2,\"min\":2,\"max\":7}");
}

static void a_policy_holds_for_all_below(void **state) {
    (void)state;
    const struct doc_rules *rules =
        must_compile("{\"\":{\"merge\":\"last_writer_wins\"},\"/o\":{\"merge\":\"first\"},"
                     "\"/o/n\":{\"merge\":\"delta\"}}",
                     "[]");
    struct doc_merge_result result =
        merge_by(rules, "{\"a\":{\"b\":1,\"c\":1},\"o\":{\"n\":1,\"m\":1}}",
                 "{\"a\":{\"b\":2,\"c\":2},\"o\":{\"n\":2,\"m\":2}}",
                 "{\"a\":{\"b\":3,\"c\":1},\"o\":{\"n\":3,\"m\":3}}");
    check_view(result.merged, "{\"a\":{\"b\":3,\"c\":2},\"o\":{\"n\":4,\"m\":2}}");
    assert_true(result.clean);
    rules = must_compile("{\"\":{\"merge\":\"first\"},\"/l\":{\"merge\":\"by_key\",\"key\":\"k\"}}",
                         "[]");
    result = merge_by(rules, "{\"l\":[{\"k\":1,\"n\":1}]}", "{\"l\":[{\"k\":1,\"n\":2}]}",
                      "{\"l\":[{\"k\":1,\"n\":3}]}");
    check_fields(&result, "/l/0/n merged -yours by first\n");
}

static void the_smaller_and_the_larger_are_found_exactly(void **state) {
    (void)state;
    check_field("{\"merge\":\"max\"}", "1", "18446744073709551616", "18446744073709551617",
                "18446744073709551617");
    check_field("{\"merge\":\"min\"}", "1", "1e-400", "1e-401", "1e-401");
    check_field("{\"merge\":\"max\"}", "\"\"", "\"2026-03-02T00:00:00Z\"",
                "\"2026-03-01T00:00:00Z\"", "\"2026-03-02T00:00:00Z\"");
    check_field("{\"merge\":\"max\"}", "1", "2", "\"3\"", "conflict");
    check_field("{\"merge\":\"max\"}", "1", "2", "-", "conflict");
    check_field("{\"merge\":\"max\"}", "[]", "[1]", "[2]", "conflict");
}

static void changes_of_a_number_add_up(void **state) {
    (void)state;
    const char *delta = "{\"merge\":\"delta\"}";
    check_field(delta, "10", "12", "15", "17");
    check_field(delta, "10", "11", "11", "12");
    check_field(delta, "10", "7", "4", "1");
    check_field(delta, "10", "4", "1", "-5");
    check_field(delta, "0.1", "0.3", "0.2", "0.4");
    check_field(delta, "1.00", "2.10", "1.90", "3.00");
    check_field(delta, "100", "99", "1", "0");
    check_field(delta, "9999999999999999999999", "10000000000000000000000",
                "10000000000000000000000", "10000000000000000000001");
    check_field(delta, "1e2", "1.5e2", "2E2", "250");
    check_field(delta, "0", "1e30", "1e30", "2e30");
    check_field(delta, "0", "1e-30", "2e-30", "3e-30");
    check_field(delta, "0", "-1.5", "1.5", "0.0");
    check_field(delta, "-0", "-0.5", "-0.25", "-0.75");
    check_field(delta, "-", "2", "3", "5");
}

static void what_cannot_be_added_is_a_conflict(void **state) {
    (void)state;
    const char *delta = "{\"merge\":\"delta\"}";
    check_field(delta, "1", "1e1000000000", "2", "conflict");
    check_field(delta, "1e1000000000", "1", "2", "conflict");
    check_field(delta, "0", "1e1000", "1", "conflict"); /* More than 100 digits. */
    check_field(delta, "0", "9e1000", "9e1000", "conflict");
    check_field(delta, "1", "2", "\"3\"", "conflict");
    check_field(delta, "1", "2", "-", "conflict");
    check_field(delta, "null", "2", "3", "conflict");
}

static void a_delta_stays_within_its_bounds(void **state) {
    (void)state;
    const char *stock = "{\"merge\":\"delta\",\"minimum\":0,\"maximum\":10}";
    check_field(stock, "5", "3", "2", "0");
    check_field(stock, "5", "2", "2", "conflict");
    check_field(stock, "5", "8", "7", "10");
    check_field(stock, "5", "8", "8", "conflict");
    check_field(stock, "5", "5", "-1", "-1"); /* One side alone: for validation to judge. */
}

static void sets_take_what_was_added_and_leave_what_was_removed(void **state) {
    (void)state;
    const char *set = "{\"merge\":\"set\"}";
    check_field(set, "[1,2,3]", "[1,3,4]", "[2,3,5]", "[3,4,5]");
    check_field(set, "[1,2]", "[2,1]", "[1,2,3]", "[2,1,3]");
    check_field(set, "-", "[\"a\"]", "[\"b\",\"a\"]", "[\"a\",\"b\"]");
    check_field(set, "[{\"a\":1}]", "[{\"a\":1},1.0]", "[{ \"a\":1e0 },1,2]", "[{\"a\":1},1.0,2]");
    check_field(set, "[1]", "[1,2,2]", "[1,1,3]", "[1,2,3]"); /* A double counts once. */
    check_field(set, "[1]", "[1,2]", "{}", "conflict");
    check_field(set, "[1]", "[1,2]", "-", "conflict");
}

static void logs_only_grow(void **state) {
    (void)state;
    const char *append = "{\"merge\":\"append\"}";
    check_field(append, "[1]", "[1,2]", "[1,3,4]", "[1,2,3,4]");
    check_field(append, "[1]", "[1,2]", "[1,2]", "[1,2,2]");
    check_field(append, "-", "[1]", "[2]", "[1,2]");
    check_field(append, "[1]", "[1,2]", "[3]", "conflict");
    check_field(append, "[1]", "[]", "[1,3]", "conflict");
}

static void texts_merge_by_line_and_then_by_word(void **state) {
    (void)state;
    const char *text = "{\"merge\":\"text\"}";
    check_field(text, "\"a\\nb\\nc\"", "\"A\\nb\\nc\"", "\"a\\nb\\nC\"", "\"A\\nb\\nC\"");
    check_field(text, "\"the cat sat\"", "\"a cat sat\"", "\"the cat stood\"", "\"a cat stood\"");
    check_field(text, "\"a\\nb\\n\"", "\"a\\nx\\nb\\n\"", "\"a\\nb\\ny\\n\"",
                "\"a\\nx\\nb\\ny\\n\"");
    check_field(text, "\"\\u0061 b\"", "\"x b\"", "\"a \\u00e4\"", "\"x \xc3\xa4\"");
    check_field(text, "\"a b c\"", "\"a x c\"", "\"a y c\"", "conflict");
    check_field(text, "\"\"", "\"a\"", "\"b\"", "conflict");
    check_field(text, "\"at 10:30\"", "\"at 11:30\"", "\"at 10:45\"", "conflict");
    check_field(text, "\"a b\"", "\"b\"", "\"a\"", "conflict");
    check_field(text, "-", "\"a\"", "\"b\"", "conflict");
    check_field(text, "\"a\"", "\"b\"", "-", "conflict");
    check_field(text, "\"a\"", "\"b\"", "1", "conflict");
}

static void what_is_immutable_stays(void **state) {
    (void)state;
    const char *immutable = "{\"merge\":\"immutable\"}";
    check_field(immutable, "1", "1", "2", "conflict");
    check_field(immutable, "1", "1", "-", "conflict");
    check_field(immutable, "1", "2", "3", "conflict");
    check_field(immutable, "1", "2", "1", "2");
    check_field(immutable, "-", "-", "1", "1");
    check_field(immutable, "-", "1", "2", "conflict");
    const struct doc_rules *rules = must_compile("{\"/o/id\":{\"merge\":\"immutable\"}}", "[]");
    struct doc_merge_result result =
        merge_by(rules, "{\"o\":{\"id\":1}}", "{\"o\":{\"id\":1}}", "{}");
    check_fields(&result, "/o conflict by immutable\n");
    result = merge_by(rules, "{\"o\":{\"x\":1}}", "{\"o\":{\"x\":1}}", "{}");
    assert_true(result.clean);
}

static void an_atomic_object_is_one_value(void **state) {
    (void)state;
    check_field("{\"merge\":\"atomic\"}", "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}",
                "{\"a\":1,\"b\":2}", "conflict");
    check_field("{\"merge\":\"atomic\"}", "{\"a\":1}", "{\"a\":1}", "{\"a\":2}", "{\"a\":2}");
}

/* ---- Lists by key ---- */

static const char lines[] = "{\"merge\":\"by_key\",\"key\":\"k\",\"fields\":{\"/n\":{\"merge\":"
                            "\"delta\"},\"/id\":{\"merge\":\"immutable\"}}}";

static void elements_are_found_by_their_key(void **state) {
    (void)state;
    check_field(lines, "[{\"k\":1,\"n\":1},{\"k\":2,\"n\":1}]",
                "[{\"k\":1,\"n\":2},{\"k\":2,\"n\":1,\"x\":1}]",
                "[{\"k\":1.0,\"n\":5},{\"k\":2,\"n\":1},{\"k\":3}]",
                "[{\"k\":1,\"n\":6},{\"k\":2,\"n\":1,\"x\":1},{\"k\":3}]");
    check_field("{\"merge\":\"by_key\",\"key\":\"/a/b\"}", "[{\"a\":{\"b\":1},\"v\":1}]",
                "[{\"a\":{\"b\":1},\"v\":2}]", "[{\"a\":{\"b\":0}},{\"a\":{\"b\":1},\"v\":1}]",
                "[{\"a\":{\"b\":0}},{\"a\":{\"b\":1},\"v\":2}]");
}

static void the_order_of_a_list_is_kept(void **state) {
    (void)state;
#define K(n) "{\"k\":" #n "}"
    /* Additions stand where they stood, current's before yours. */
    check_field(lines, "[" K(1) "," K(2) "]", "[" K(1) "," K(3) "," K(2) "," K(4) "]",
                "[" K(5) "," K(1) "," K(6) "," K(2) "," K(7) "]",
                "[" K(5) "," K(1) "," K(3) "," K(6) "," K(2) "," K(4) "," K(7) "]");
    /* Who moved gives the order. */
    check_field(lines, "[" K(1) "," K(2) "]", "[" K(1) "," K(2) "," K(3) "]", "[" K(2) "," K(1) "]",
                "[" K(2) "," K(3) "," K(1) "]");
    check_field(lines, "[" K(1) "," K(2) "," K(3) "]", "[" K(3) "," K(1) "," K(2) "]",
                "[" K(1) "," K(3) "]", "[" K(3) "," K(1) "]");
    check_field(lines, "[" K(1) "," K(2) "," K(3) "]", "[" K(3) "," K(1) "," K(2) "]",
                "[" K(2) "," K(1) "," K(3) "]", "conflict");
}

static void a_list_that_cannot_be_told_apart_is_a_conflict(void **state) {
    (void)state;
    check_field(lines, "[]", "[" K(1) "," K(1) "]", "[" K(2) "]", "conflict");
    check_field(lines, "[]", "[{}]", "[" K(2) "]", "conflict");
    check_field(lines, "[]", "[{\"k\":null}]", "[" K(2) "]", "conflict");
    check_field(lines, "[1]", "[" K(1) "]", "[" K(2) "]", "conflict");
    check_field(lines, "[]", "[" K(1) "]", "{}", "conflict");
    check_field(lines, "[]", "[]", "[" K(1) "," K(1) "]", "[" K(1) "," K(1) "]");
    check_field(lines, "[]", "[" K(1) "," K(1) "]", "[" K(1) "," K(1) "]", "[" K(1) "," K(1) "]");
}

static void deleting_an_edited_element_is_a_conflict_of_the_list(void **state) {
    (void)state;
    check_field(lines, "[{\"k\":1,\"n\":1},{\"k\":2}]", "[{\"k\":1,\"n\":2},{\"k\":2}]",
                "[{\"k\":2}]", "conflict");
    check_field(lines, "[{\"k\":1,\"n\":1},{\"k\":2}]", "[{\"k\":2}]",
                "[{\"k\":1,\"n\":2},{\"k\":2}]", "conflict");
    check_field(lines, "[{\"k\":1,\"id\":1}]", "[{\"k\":1,\"id\":1}]", "[]", "conflict");
}

static void fields_of_elements_are_named_in_the_merged_list(void **state) {
    (void)state;
    struct doc_merge_result result = merge_by(
        must_compile("{\"/l\":{\"merge\":\"by_key\",\"key\":\"k\"},\"/l/*/n\":{\"merge\":\"max\"}}",
                     "[]"),
        "{\"l\":[{\"k\":1,\"v\":1,\"n\":1}]}", "{\"l\":[{\"k\":0},{\"k\":1,\"v\":2,\"n\":2}]}",
        "{\"l\":[{\"k\":1,\"v\":3,\"n\":3}]}");
    check_view(result.merged, "{\"l\":[{\"k\":0},{\"k\":1,\"v\":2,\"n\":3}]}");
    check_fields(&result, "/l merged by by_key\n/l/1/v conflict by reject\n"
                          "/l/1/n merged -current by max\n");
    assert_null(result.fields[0].list.bytes);
    check_view(result.fields[0].merged, "[{\"k\":0},{\"k\":1,\"v\":2,\"n\":3}]");
    check_view(result.fields[1].list, "/l");
}

static void lists_in_lists_merge_too(void **state) {
    (void)state;
    check_field("{\"merge\":\"by_key\",\"key\":\"k\",\"fields\":{\"/l\":{\"merge\":\"by_key\","
                "\"key\":\"id\",\"fields\":{\"/n\":{\"merge\":\"delta\"}}}}}",
                "[{\"k\":1,\"l\":[{\"id\":\"a\",\"n\":1}]}]",
                "[{\"k\":1,\"l\":[{\"id\":\"a\",\"n\":2}]}]",
                "[{\"k\":1,\"l\":[{\"id\":\"b\"},{\"id\":\"a\",\"n\":2}]},{\"k\":2}]",
                "[{\"k\":1,\"l\":[{\"id\":\"b\"},{\"id\":\"a\",\"n\":3}]},{\"k\":2}]");
}

/* ---- Units ---- */

static void a_unit_merges_only_whole(void **state) {
    (void)state;
    const struct doc_rules *rules =
        must_compile("{}", "[[\"/start\",\"/end\"],[\"/a/tz\",\"/b\"]]");
    struct doc_merge_result result =
        merge_by(rules, "{\"start\":1,\"end\":2,\"x\":1}", "{\"start\":0,\"end\":2,\"x\":1}",
                 "{\"start\":1,\"end\":3,\"x\":2}");
    check_fields(&result, "/start conflict by unit\n/end conflict by unit\n/x yours by reject\n");
    check_view(result.merged, "{\"start\":0,\"end\":2,\"x\":2}");
    result = merge_by(rules, "{\"start\":1,\"end\":2}", "{\"start\":1,\"end\":2}",
                      "{\"start\":5,\"end\":6}");
    check_fields(&result, "/start yours by unit\n/end yours by unit\n");
    result = merge_by(rules, "{\"start\":1,\"end\":2}", "{\"start\":5,\"end\":6}",
                      "{\"start\":5,\"end\":6}");
    assert_true(result.clean);
    result = merge_by(rules, "{\"start\":1,\"end\":2}", "{\"start\":5,\"end\":2}",
                      "{\"start\":5,\"end\":6}");
    check_fields(&result, "/start conflict by unit\n/end conflict by unit\n");
    /* A part of it went with what held it. */
    result =
        merge_by(rules, "{\"a\":{\"tz\":1},\"b\":1}", "{\"b\":1}", "{\"a\":{\"tz\":1},\"b\":2}");
    check_fields(&result, "/b conflict by unit\n/a conflict by unit\n");
}

/* ---- Compiling ---- */

static void check_refused(const char *definition_text, stet_status expected, const char *field,
                          const char *message) {
    struct doc definition = must_parse(definition_text);
    struct doc_rules *rules = NULL;
    stet_error err = {0};
    stet_status status =
        rules_compile(&test_arena, &definition, doc_member(&definition, 0, VIEW("fields")),
                      doc_member(&definition, 0, VIEW("units")), &rules, &err);
    if (status != expected) fail_msg("%s: status %d", definition_text, (int)status);
    assert_string_equal(err.field, field);
    if (strstr(err.message, message) == NULL) fail_msg("%s", err.message);
    assert_null(rules);
}

/* ---- Functions ---- */

/* Stands in for what can run one: puts the three sides into a list, or says of "none" that it settles nothing. */
static stet_status list_sides(void *context, struct arena *arena, stet_view name, stet_view base,
                              stet_view current, stet_view yours, stet_view *merged,
                              stet_error *err) {
    (void)err;
    unsigned *calls = context;
    ++*calls;
    *merged = view_equal(name, VIEW("none"))
                  ? (stet_view){0}
                  : arena_format(arena, "[\"%.*s\",%.*s,%.*s,%.*s]", VIEW_ARG(name), VIEW_ARG(base),
                                 VIEW_ARG(current), VIEW_ARG(yours));
    return STET_OK;
}

static stet_status merge_with(const struct doc_rules *rules, const struct doc_functions *functions,
                              uint64_t steps_max, struct doc_merge_result *result) {
    struct doc docs[] = {must_parse("{\"f\":1,\"g\":1}"), must_parse("{\"f\":2,\"g\":1}"),
                         must_parse("{\"f\":3,\"g\":4}")};
    return doc_merge_with(&test_arena, &docs[0], &docs[1], &docs[2], rules, functions, steps_max,
                          result, NULL);
}

static void a_function_merges_what_both_changed(void **state) {
    (void)state;
    unsigned calls = 0;
    const struct doc_functions functions = {.merge = list_sides, .context = &calls};
    const struct doc_rules *rules = must_compile(
        "{\"/f\":{\"merge\":\"function:mean\"},\"/g\":{\"merge\":\"function:mean\"}}", "[]");
    struct doc_merge_result result;
    assert_int_equal(merge_with(rules, &functions, 0, &result), STET_OK);
    assert_true(result.clean);
    check_view(result.merged, "{\"f\":[\"mean\",1,2,3],\"g\":4}");
    check_fields(&result, "/f merged by function\n/g yours by function\n");
    assert_int_equal(calls, 1);
}

static void what_a_function_leaves_is_in_conflict(void **state) {
    (void)state;
    unsigned calls = 0;
    const struct doc_functions functions = {.merge = list_sides, .context = &calls};
    struct doc_merge_result result;
    const struct doc_rules *rules = must_compile("{\"/f\":{\"merge\":\"function:none\"}}", "[]");
    assert_int_equal(merge_with(rules, &functions, 0, &result), STET_OK);
    assert_false(result.clean);
    assert_int_equal(calls, 1);
    /* As is everything where nobody can run any. */
    assert_int_equal(merge_with(rules, NULL, 0, &result), STET_OK);
    assert_false(result.clean);
}

static stet_status fail_as_told(void *context, struct arena *arena, stet_view name, stet_view base,
                                stet_view current, stet_view yours, stet_view *merged,
                                stet_error *err) {
    (void)arena, (void)name, (void)base, (void)current, (void)yours, (void)merged;
    const stet_status *status = context;
    return error_set(err, *status, "told to");
}

static void a_function_that_fails_leaves_a_conflict_and_its_reason(void **state) {
    (void)state;
    stet_status told = STET_FUNCTION_LIMIT;
    const struct doc_functions functions = {.merge = fail_as_told, .context = &told};
    const struct doc_rules *rules = must_compile("{\"/f\":{\"merge\":\"function:f\"}}", "[]");
    struct doc_merge_result result;
    assert_int_equal(merge_with(rules, &functions, 0, &result), STET_OK);
    assert_false(result.clean);
    check_fields(&result, "/f conflict by function\n/g yours by reject\n");
    assert_int_equal(result.fields[0].error->status, STET_FUNCTION_LIMIT);
    check_view(result.fields[0].error->function, "f");
    check_view(result.fields[0].error->detail, "told to");
    assert_null(result.fields[1].error);
    told = STET_NO_MEMORY; /* Says nothing about the function. */
    assert_int_equal(merge_with(rules, &functions, 0, &result), STET_NO_MEMORY);
}

static void where_functions_may_not_run_they_are_too_dear(void **state) {
    (void)state;
    const struct doc_functions elsewhere = {.merge = NULL};
    struct doc_merge_result result;
    const struct doc_rules *rules = must_compile("{\"/f\":{\"merge\":\"function:mean\"}}", "[]");
    assert_int_equal(merge_with(rules, &elsewhere, 1000, &result), STET_TOO_LARGE);
}

static void a_function_for_whole_records_must_leave_one(void **state) {
    (void)state;
    unsigned calls = 0;
    const struct doc_functions functions = {.merge = list_sides, .context = &calls};
    struct doc_rules *rules;
    struct doc_merge_result result;
    assert_int_equal(rules_of_function(&test_arena, VIEW("mean"), &rules), STET_OK);
    assert_int_equal(merge_with(rules, &functions, 0, &result), STET_OK);
    assert_int_equal(calls, 1);
    assert_false(result.clean); /* A list is no record. */
    assert_non_null(result.fields[0].error);
    check_view(result.fields[0].error->function, "mean");
}

static void shapes_are_checked(void **state) {
    (void)state;
    check_refused("{\"fields\":[]}", STET_INVALID_TYPE, "/fields", "is an object");
    check_refused("{\"fields\":{\"/a\":1}}", STET_INVALID_TYPE, "/fields/~1a", "is an object");
    check_refused("{\"fields\":{\"a\":{}}}", STET_INVALID_TYPE, "/fields/a", "JSON pointer");
    check_refused("{\"fields\":{\"/~2\":{\"merge\":\"set\"}}}", STET_INVALID_TYPE, "/fields/~1~02",
                  "JSON pointer");
    check_refused("{\"fields\":{\"/a\":{\"merge\":1}}}", STET_INVALID_TYPE, "/fields/~1a/merge",
                  "last_writer_wins");
    check_refused("{\"fields\":{\"/a\":{\"merge\":\"sum\"}}}", STET_INVALID_TYPE,
                  "/fields/~1a/merge", "possible are reject");
    check_refused("{\"fields\":{\"/a\":{\"merge\":\"function:\"}}}", STET_INVALID_TYPE,
                  "/fields/~1a/merge", "names a function");
    check_refused("{\"units\":{}}", STET_INVALID_TYPE, "/units", "list of lists");
    check_refused("{\"units\":[[]]}", STET_INVALID_TYPE, "/units/0", "is a list");
    check_refused("{\"units\":[[\"/a\",1]]}", STET_INVALID_TYPE, "/units/0/1", "JSON pointer");
    check_refused("{\"units\":[[\"/a\",\"b\"]]}", STET_INVALID_TYPE, "/units/0/1", "JSON pointer");
    check_refused("{\"units\":[[\"/a\",\"\"]]}", STET_INVALID_TYPE, "/units/0/1", "whole record");
    check_refused("{\"units\":[[\"/a/*\"]]}", STET_INVALID_TYPE, "/units/0/0", "one by one");
}

static void options_are_checked(void **state) {
    (void)state;
    check_refused("{\"fields\":{\"/a\":{\"merge\":\"by_key\"}}}", STET_INVALID_TYPE,
                  "/fields/~1a/key", "by_key needs it");
    check_refused("{\"fields\":{\"/a\":{\"merge\":\"by_key\",\"key\":\"/~\"}}}", STET_INVALID_TYPE,
                  "/fields/~1a/key", "neither");
    check_refused("{\"fields\":{\"/a\":{\"merge\":\"set\",\"key\":\"x\"}}}", STET_INVALID_TYPE,
                  "/fields/~1a/key", "belongs to the rule by_key");
    check_refused("{\"fields\":{\"/a\":{\"merge\":\"by_key\",\"key\":\"x\",\"fields\":{\"/n\":{"
                  "\"merge\":\"sum\"}}}}}",
                  STET_INVALID_TYPE, "/fields/~1a/fields/~1n/merge", "possible are");
    check_refused("{\"fields\":{\"/a\":{\"merge\":\"delta\",\"minimum\":\"1\"}}}",
                  STET_INVALID_TYPE, "/fields/~1a/minimum", "not a number");
    check_refused("{\"fields\":{\"/a\":{\"merge\":\"delta\",\"maximum\":1e1000000000}}}",
                  STET_INVALID_TYPE, "/fields/~1a/maximum", "exponent");
    check_refused("{\"fields\":{\"/a\":{\"merge\":\"delta\",\"minimum\":2,\"maximum\":1}}}",
                  STET_INVALID_TYPE, "/fields/~1a/minimum", "above \"maximum\"");
}

static void contradictions_are_refused(void **state) {
    (void)state;
    check_refused("{\"fields\":{\"/a\":{\"merge\":\"atomic\"},\"/a/b\":{\"merge\":\"delta\"}}}",
                  STET_INVALID_TYPE, "/fields/~1a~1b/merge", "lies below \"/fields/~1a\"");
    check_refused("{\"fields\":{\"/a/b\":{\"merge\":\"delta\"},\"/*\":{\"merge\":\"set\"}}}",
                  STET_INVALID_TYPE, "/fields/~1a~1b/merge", "lies below \"/fields/~1*\"");
    check_refused("{\"fields\":{\"/a\":{\"merge\":\"by_key\",\"key\":\"k\"},\"/a/0\":{\"merge\":"
                  "\"set\"}}}",
                  STET_INVALID_TYPE, "/fields/~1a~10/merge", "every element");
    check_refused("{\"fields\":{\"/a\":{\"merge\":\"by_key\",\"key\":\"k\",\"fields\":{\"/n\":{"
                  "\"merge\":\"set\"}}},\"/a/*/n\":{\"merge\":\"delta\"}}}",
                  STET_INVALID_TYPE, "/fields/~1a~1*~1n", "has a rule already");
    check_refused("{\"units\":[[\"/a\",\"/b\"],[\"/c\",\"/b\"]]}", STET_INVALID_TYPE, "/units/1/1",
                  "overlaps with \"/units/0/1\"");
    check_refused("{\"units\":[[\"/a/b\"],[\"/a\"]]}", STET_INVALID_TYPE, "/units/1/0", "overlaps");
    check_refused("{\"units\":[[\"/a\"],[\"/a/b\"]]}", STET_INVALID_TYPE, "/units/1/0", "overlaps");
    check_refused("{\"fields\":{\"/a\":{\"merge\":\"delta\"}},\"units\":[[\"/a\",\"/b\"]]}",
                  STET_INVALID_TYPE, "/units/0/0", "rule of its own");
    check_refused("{\"fields\":{\"/a/x\":{\"merge\":\"delta\"}},\"units\":[[\"/a\",\"/b\"]]}",
                  STET_INVALID_TYPE, "/units/0/0", "rule of its own");
    check_refused("{\"fields\":{\"/a\":{\"merge\":\"atomic\"}},\"units\":[[\"/a/x\",\"/b\"]]}",
                  STET_INVALID_TYPE, "/units/0/0", "lies below");
}

static void the_number_of_rules_is_bounded(void **state) {
    (void)state;
    struct buffer text;
    buffer_init(&text, &test_arena, 0);
    buffer_append_text(&text, "{\"fields\":{");
    for (int i = 0; i <= TYPE_FIELDS_MAX; i++)
        buffer_append_format(&text, "%s\"/f%d\":{}", i == 0 ? "" : ",", i);
    buffer_append_text(&text, "}}");
    buffer_append_char(&text, '\0');
    check_refused(text.bytes, STET_TOO_LARGE, "/fields", "at most 1000");

    /* Each pattern is exact in another place, so every combination of them is a rule of its own. */
    buffer_init(&text, &test_arena, 0);
    buffer_append_text(&text, "{\"fields\":{");
    for (int i = 0; i < 20; i++) {
        buffer_append_text(&text, i == 0 ? "\"" : ",\"");
        for (int j = 0; j < 20; j++)
            buffer_append_text(&text, i == j ? "/a" : "/*");
        buffer_append_text(&text, "\":{\"merge\":\"set\"}");
    }
    buffer_append_text(&text, "}}");
    buffer_append_char(&text, '\0');
    check_refused(text.bytes, STET_TOO_LARGE, "/fields", "combination");
}

static void no_rule_is_deeper_than_a_record(void **state) {
    (void)state;
    struct buffer text;
    buffer_init(&text, &test_arena, 0);
    buffer_append_text(&text, "{\"fields\":{\"");
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        buffer_append_text(&text, "/a");
    buffer_append_text(&text,
                       "\":{\"merge\":\"by_key\",\"key\":\"k\",\"fields\":{\"/x\":{\"merge\":"
                       "\"set\"}}}}}");
    buffer_append_char(&text, '\0');
    struct doc definition = must_parse(text.bytes);
    struct doc_rules *rules;
    stet_error err = {0};
    assert_int_equal(rules_compile(&test_arena, &definition,
                                   doc_member(&definition, 0, VIEW("fields")), DOC_NONE, &rules,
                                   &err),
                     STET_TOO_LARGE);
    assert_int_equal(err.limit, JSON_DEPTH_MAX);
}

static void an_exact_name_goes_before_a_pattern(void **state) {
    (void)state;
    const struct doc_rules *rules = must_compile(
        "{\"/a/x\":{\"merge\":\"first\"},\"/*/x\":{\"merge\":\"max\"},\"/*/y\":{\"merge\":\"min\"},"
        "\"/a~1b\":{\"merge\":\"last_writer_wins\"}}",
        "[]");
    struct doc_merge_result result =
        merge_by(rules, "{\"a\":{\"x\":1,\"y\":9},\"b\":{\"x\":1,\"y\":9},\"a/b\":1}",
                 "{\"a\":{\"x\":2,\"y\":2},\"b\":{\"x\":2,\"y\":2},\"a/b\":2}",
                 "{\"a\":{\"x\":3,\"y\":3},\"b\":{\"x\":3,\"y\":3},\"\\u0061/b\":3}");
    check_view(result.merged, "{\"a\":{\"x\":2,\"y\":2},\"b\":{\"x\":3,\"y\":2},\"a/b\":3}");
}

static void counting_rules_are_told(void **state) {
    (void)state;
    assert_false(rules_count(NULL));
    assert_false(rules_count(must_compile("{\"/a\":{\"merge\":\"set\"}}", "[]")));
    assert_true(rules_count(must_compile("{\"/a/*/b\":{\"merge\":\"delta\"}}", "[]")));
    assert_true(rules_count(must_compile(
        "{\"/a\":{\"merge\":\"by_key\",\"key\":\"k\",\"fields\":{\"/l\":{\"merge\":\"append\"}}}}",
        "[]")));
    assert_null(must_compile("{\"/a\":{\"type\":\"string\"}}", "[]"));
}

static void a_dear_text_is_a_conflict_and_soon(void **state) {
    (void)state;
    struct buffer sides[3];
    for (int side = 0; side < 3; side++) {
        buffer_init(&sides[side], &test_arena, 0);
        buffer_append_text(&sides[side], "{\"f\":\"");
        for (int i = 0; i < 20000; i++)
            buffer_append_format(&sides[side], "%d\\n", i * 3 + side);
        buffer_append_text(&sides[side], "\"}");
        buffer_append_char(&sides[side], '\0');
    }
    struct doc_merge_result result = merge_by(must_compile("{\"/f\":{\"merge\":\"text\"}}", "[]"),
                                              sides[0].bytes, sides[1].bytes, sides[2].bytes);
    assert_false(result.clean);
    assert_true(result.steps > MERGE_TEXT_STEPS_MAX);
    assert_true(result.steps < MERGE_TEXT_STEPS_MAX + 200000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(one_side_wins_where_the_owner_said_so),
        ARENA_TEST(a_loser_is_named),
        ARENA_TEST(a_policy_holds_for_all_below),
        ARENA_TEST(the_smaller_and_the_larger_are_found_exactly),
        ARENA_TEST(changes_of_a_number_add_up),
        ARENA_TEST(what_cannot_be_added_is_a_conflict),
        ARENA_TEST(a_delta_stays_within_its_bounds),
        ARENA_TEST(sets_take_what_was_added_and_leave_what_was_removed),
        ARENA_TEST(logs_only_grow),
        ARENA_TEST(texts_merge_by_line_and_then_by_word),
        ARENA_TEST(what_is_immutable_stays),
        ARENA_TEST(an_atomic_object_is_one_value),
        ARENA_TEST(elements_are_found_by_their_key),
        ARENA_TEST(the_order_of_a_list_is_kept),
        ARENA_TEST(a_list_that_cannot_be_told_apart_is_a_conflict),
        ARENA_TEST(deleting_an_edited_element_is_a_conflict_of_the_list),
        ARENA_TEST(fields_of_elements_are_named_in_the_merged_list),
        ARENA_TEST(lists_in_lists_merge_too),
        ARENA_TEST(a_unit_merges_only_whole),
        ARENA_TEST(a_function_merges_what_both_changed),
        ARENA_TEST(what_a_function_leaves_is_in_conflict),
        ARENA_TEST(a_function_that_fails_leaves_a_conflict_and_its_reason),
        ARENA_TEST(where_functions_may_not_run_they_are_too_dear),
        ARENA_TEST(a_function_for_whole_records_must_leave_one),
        ARENA_TEST(shapes_are_checked),
        ARENA_TEST(options_are_checked),
        ARENA_TEST(contradictions_are_refused),
        ARENA_TEST(the_number_of_rules_is_bounded),
        ARENA_TEST(no_rule_is_deeper_than_a_record),
        ARENA_TEST(an_exact_name_goes_before_a_pattern),
        ARENA_TEST(counting_rules_are_told),
        ARENA_TEST(a_dear_text_is_a_conflict_and_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
