#include "doc/doc_testing.h"

static stet_view must_patch(const char *target, const char *patch) {
    struct doc target_doc;
    if (target != NULL) target_doc = must_parse(target);
    struct doc patch_doc = must_parse(patch);
    stet_view out;
    assert_int_equal(
        doc_merge_patch(&test_arena, target == NULL ? NULL : &target_doc, &patch_doc, &out, NULL),
        STET_OK);
    return out;
}

/* What the table in the RFC's appendix is about, one line for each of its ideas. */
static void the_rfc_holds(void **state) {
    (void)state;
    static const struct {
        const char *target, *patch, *result;
    } cases[] = {
        {"{\"k\":\"old\"}", "{\"k\":\"new\"}", "{\"k\":\"new\"}"},
        {"{\"k\":\"old\"}", "{\"l\":\"new\"}", "{\"k\":\"old\",\"l\":\"new\"}"},
        {"{\"k\":\"old\"}", "{\"k\":null}", "{}"},
        {"{\"k\":\"old\",\"l\":1}", "{\"k\":null}", "{\"l\":1}"},
        {"{\"k\":[\"x\"]}", "{\"k\":\"y\"}", "{\"k\":\"y\"}"},
        {"{\"k\":\"y\"}", "{\"k\":[\"x\"]}", "{\"k\":[\"x\"]}"},
        {"{\"k\":{\"l\":\"m\"}}", "{\"k\":{\"l\":\"n\",\"o\":null}}", "{\"k\":{\"l\":\"n\"}}"},
        {"{\"k\":[{\"l\":\"m\"}]}", "{\"k\":[1]}", "{\"k\":[1]}"},
        {"[\"x\",\"y\"]", "[\"z\",\"w\"]", "[\"z\",\"w\"]"},
        {"{\"k\":\"x\"}", "[\"z\"]", "[\"z\"]"},
        {"{\"k\":\"x\"}", "null", "null"},
        {"{\"k\":\"x\"}", "\"word\"", "\"word\""},
        {"{\"n\":null}", "{\"k\":1}", "{\"n\":null,\"k\":1}"},
        {"[1,2]", "{\"k\":\"x\",\"l\":null}", "{\"k\":\"x\"}"},
        {"{}", "{\"k\":{\"kk\":{\"kkk\":null}}}", "{\"k\":{\"kk\":{}}}"},
        {"{}", "{\"k\":[null,{\"l\":null}]}", "{\"k\":[null,{\"l\":null}]}"},
        {NULL, "{\"k\":{\"l\":null,\"m\":1}}", "{\"k\":{\"m\":1}}"},
        {NULL, "7", "7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_json(must_patch(cases[i].target, cases[i].patch), cases[i].result);
    }
}

static void what_is_not_touched_is_not_rewritten(void **state) {
    (void)state;
    check_view(
        must_patch(
            "{ \"a\" : 1.10 ,\n \"b\" : [ 1 , 2 ],\t\"c\" : 9007199254740993 , \"d\":\"\\u0041\" }",
            "{\"c\":1e2}"),
        "{\"a\" : 1.10 ,\n \"b\" : [ 1 , 2 ],\"c\":1e2,\"d\":\"\\u0041\"}");
    check_view(must_patch(" { \"a\" : 1 } ", "{}"), "{ \"a\" : 1 }");
    check_view(must_patch("{\"a\":1,\"b\":2,\"c\":3}", "{\"b\":null}"), "{\"a\":1,\"c\":3}");
}

static void keys_are_the_same_however_they_are_spelled(void **state) {
    (void)state;
    check_view(must_patch("{\"\\u0061\":1}", "{\"a\":2}"), "{\"\\u0061\":2}");
    check_view(must_patch("{\"a\":1,\"b\":2}", "{\"\\u0061\":null}"), "{\"b\":2}");
}

static void a_result_past_the_limit_is_refused(void **state) {
    (void)state;
    size_t half = doc_limits_default.bytes_max - 100;
    char *text = malloc(half);
    assert_non_null(text);
    memset(text, 'x', half);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + half - 2, "\"}", 2);
    struct doc target = must_parse_view(view_make(text, half));
    text[2] = 'b';
    struct doc patch = must_parse_view(view_make(text, half));
    stet_error err;
    stet_view out;
    assert_int_equal(doc_merge_patch(&test_arena, &target, &patch, &out, &err), STET_TOO_LARGE);
    assert_string_equal(err.field, "bytes");
    assert_int_equal(err.limit, doc_limits_default.bytes_max);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(the_rfc_holds),
        ARENA_TEST(what_is_not_touched_is_not_rewritten),
        ARENA_TEST(keys_are_the_same_however_they_are_spelled),
        ARENA_TEST(a_result_past_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
