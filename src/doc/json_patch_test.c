#include "base/limits.h"
#include "doc/doc_testing.h"

static stet_error error;

static stet_status patch(const char *target, const char *operations, stet_view *out) {
    struct doc target_doc = must_parse(target);
    struct doc patch_doc = must_parse(operations);
    error = (stet_error){0};
    return doc_json_patch(&test_arena, &target_doc, &patch_doc, out, &error);
}

static void check_patched(const char *target, const char *operations, const char *expected) {
    stet_view out;
    stet_status status = patch(target, operations, &out);
    if (status != STET_OK) fail_msg("%s: %s", operations, error.message);
    check_view(out, expected);
}

static void check_refused(const char *target, const char *operations, stet_status status,
                          const char *field) {
    stet_view out;
    assert_int_equal(patch(target, operations, &out), status);
    assert_string_equal(error.field, field);
}

#define OP(text) "[{\"op\":" text "}]"

static void each_operation_does_its_work(void **state) {
    (void)state;
    check_patched("{\"a\":1}", OP("\"add\",\"path\":\"/b\",\"value\":[2]"), "{\"a\":1,\"b\":[2]}");
    check_patched("[1,2]", OP("\"add\",\"path\":\"/1\",\"value\":9"), "[1,9,2]");
    check_patched("[1,2]", OP("\"add\",\"path\":\"/-\",\"value\":9"), "[1,2,9]");
    check_patched("[1,2]", OP("\"add\",\"path\":\"/2\",\"value\":9"), "[1,2,9]");
    check_patched("[1,2]", OP("\"remove\",\"path\":\"/0\""), "[2]");
    check_patched("{\"a\":1,\"b\":2,\"c\":3}", OP("\"remove\",\"path\":\"/b\""),
                  "{\"a\":1,\"c\":3}");
    check_patched("{\"a\":{\"b\":1}}", OP("\"replace\",\"path\":\"/a/b\",\"value\":null"),
                  "{\"a\":{\"b\":null}}");
    check_patched("{\"a\":{\"b\":1},\"c\":{}}", OP("\"move\",\"from\":\"/a/b\",\"path\":\"/c/d\""),
                  "{\"a\":{},\"c\":{\"d\":1}}");
    check_patched("{\"a\":{\"b\":1}}", OP("\"copy\",\"from\":\"/a\",\"path\":\"/a/c\""),
                  "{\"a\":{\"b\":1,\"c\":{\"b\":1}}}");
    check_patched("{\"a\":1.0}", OP("\"test\",\"path\":\"/a\",\"value\":1"), "{\"a\":1.0}");
    check_patched("1", OP("\"replace\",\"path\":\"\",\"value\":{\"x\":1}"), "{\"x\":1}");
    check_patched("{\"a\":1}", OP("\"move\",\"from\":\"/a\",\"path\":\"/a\""), "{\"a\":1}");
    check_patched("{}", OP("\"add\",\"path\":\"/a~1b~0\\n\\\"\",\"value\":1"),
                  "{\"a/b~\\n\\\"\":1}");
    check_patched("{\"a\":[1,2,3]}", "[]", "{\"a\":[1,2,3]}");
}

static void operations_see_the_ones_before(void **state) {
    (void)state;
    check_patched("{}",
                  "[{\"op\":\"add\",\"path\":\"/l\",\"value\":[]},{\"op\":\"add\",\"path\":\"/l/"
                  "-\",\"value\":{\"n\":1}},"
                  "{\"op\":\"copy\",\"from\":\"/l/0\",\"path\":\"/l/"
                  "-\"},{\"op\":\"replace\",\"path\":\"/l/1/n\",\"value\":2},"
                  "{\"op\":\"test\",\"path\":\"\",\"value\":{\"l\":[{\"n\":1},{\"n\":2}]}},"
                  "{\"op\":\"test\",\"path\":\"/l/"
                  "0\",\"value\":{\"n\":1}},{\"op\":\"remove\",\"path\":\"/l/0\"}]",
                  "{\"l\":[{\"n\":2}]}");
    check_patched("{\"a\":{\"x\":1},\"l\":[]}",
                  "[{\"op\":\"add\",\"path\":\"/a/y\",\"value\":2},{\"op\":\"copy\",\"from\":\"/"
                  "a\",\"path\":\"/b\"},"
                  "{\"op\":\"remove\",\"path\":\"/a/x\"},{\"op\":\"move\",\"from\":\"/"
                  "a\",\"path\":\"/b/z\"}]",
                  "{\"l\":[],\"b\":{\"x\":1,\"y\":2,\"z\":{\"y\":2}}}");
}

/* Neighbours in an object are not neighbours in the list they are copied to: their keys stay behind. */
static void members_copied_into_a_list_lose_their_keys(void **state) {
    (void)state;
    check_patched("{\"o\":{\"a\":1,\"b\":2},\"l\":[]}",
                  "[{\"op\":\"copy\",\"from\":\"/o/a\",\"path\":\"/l/"
                  "-\"},{\"op\":\"copy\",\"from\":\"/o/b\",\"path\":\"/l/-\"}]",
                  "{\"o\":{\"a\":1,\"b\":2},\"l\":[1,2]}");
    check_patched("{\"o\":{\"a\":1,\"b\":2},\"p\":{}}",
                  "[{\"op\":\"copy\",\"from\":\"/o/b\",\"path\":\"/p/"
                  "a\"},{\"op\":\"copy\",\"from\":\"/o/a\",\"path\":\"/p/b\"}]",
                  "{\"o\":{\"a\":1,\"b\":2},\"p\":{\"a\":2,\"b\":1}}");
}

static void what_is_not_touched_is_not_rewritten(void **state) {
    (void)state;
    check_patched("{ \"a\" : 1.10,  \"b\" : { \"c\" : [ 1 ,2 ] } , \"z\":0}",
                  OP("\"replace\",\"path\":\"/z\",\"value\":1e2"),
                  "{\"a\" : 1.10,  \"b\" : { \"c\" : [ 1 ,2 ] },\"z\":1e2}");
}

static void a_failed_test_is_a_conflict(void **state) {
    (void)state;
    check_refused("{\"a\":[1]}", OP("\"test\",\"path\":\"/a/0\",\"value\":2"),
                  STET_CONCURRENT_MODIFICATION, "/a/0");
    check_refused("{\"a\":[1]}", OP("\"test\",\"path\":\"/b\",\"value\":null"),
                  STET_CONCURRENT_MODIFICATION, "/b");
    check_refused("{\"a\":[1]}", OP("\"test\",\"path\":\"/a/7\",\"value\":2"),
                  STET_CONCURRENT_MODIFICATION, "/a/7");
}

static void a_patch_that_does_not_fit_says_where(void **state) {
    (void)state;
    const stet_status failed = STET_PATCH_FAILED;
    check_refused("{}", OP("\"add\",\"path\":\"/a/b\",\"value\":1"), failed, "/0/path");
    check_refused("[1]", OP("\"add\",\"path\":\"/2\",\"value\":1"), failed, "/0/path");
    check_refused("[1]", OP("\"add\",\"path\":\"/01\",\"value\":1"), failed, "/0/path");
    check_refused("[1]", OP("\"add\",\"path\":\"/x\",\"value\":1"), failed, "/0/path");
    check_refused("[1]", OP("\"remove\",\"path\":\"/-\""), failed, "/0/path");
    check_refused("{}", OP("\"remove\",\"path\":\"/a\""), failed, "/0/path");
    check_refused("{}", OP("\"remove\",\"path\":\"\""), failed, "/0/path");
    check_refused("{}", OP("\"replace\",\"path\":\"/a\",\"value\":1"), failed, "/0/path");
    check_refused("{\"a\":1}", OP("\"add\",\"path\":\"/a/b\",\"value\":1"), failed, "/0/path");
    check_refused("{}", OP("\"move\",\"from\":\"/a\",\"path\":\"/b\""), failed, "/0/from");
    check_refused("{}", OP("\"copy\",\"from\":\"/a\",\"path\":\"/b\""), failed, "/0/from");
    check_refused("{\"a\":{}}", OP("\"move\",\"from\":\"/a\",\"path\":\"/a/b\""), failed,
                  "/0/path");
    check_refused("{\"a\":1}",
                  "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1},{\"op\":\"move\",\"from\":\"/"
                  "a\",\"path\":\"/b/c\"}]",
                  failed, "/1/path");
}

static void what_is_no_patch_is_a_bad_request(void **state) {
    (void)state;
    const stet_status bad = STET_BAD_REQUEST;
    check_refused("{}", "{}", bad, "");
    check_refused("{}", "[1]", bad, "/0");
    check_refused("{}", "[{}]", bad, "/0/op");
    check_refused("{}", OP("1,\"path\":\"/a\""), bad, "/0/op");
    check_refused("{}", OP("\"put\",\"path\":\"/a\""), bad, "/0/op");
    check_refused("{}", OP("\"remove\""), bad, "/0/path");
    check_refused("{}", OP("\"remove\",\"path\":1"), bad, "/0/path");
    check_refused("{}", OP("\"remove\",\"path\":\"a\""), bad, "/0/path");
    check_refused("{}", OP("\"remove\",\"path\":\"/~2\""), bad, "/0/path");
    check_refused("{}", OP("\"add\",\"path\":\"/a\""), bad, "/0/value");
    check_refused("{}", OP("\"copy\",\"path\":\"/a\""), bad, "/0/from");
}

/* Builds a patch of `count` times the same operation around a target. */
static char *repeat(const char *first, const char *operation, size_t count) {
    char *text = malloc(strlen(first) + count * (strlen(operation) + 1) + 16);
    assert_non_null(text);
    char *p = text + sprintf(text, "[%s", first);
    for (size_t i = 0; i < count; i++)
        p += sprintf(p, "%s%s", i == 0 && *first == '\0' ? "" : ",", operation);
    strcpy(p, "]");
    return text;
}

static void copies_of_copies_are_stopped(void **state) {
    (void)state;
    char *bomb = repeat("", "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"}", 64);
    check_refused("{\"a\":[0]}", bomb, STET_TOO_LARGE, "bytes");
    assert_int_equal(error.limit, DATA_BYTES_MAX);
    free(bomb);
}

static void replacing_a_copy_again_and_again_is_not_growth(void **state) {
    (void)state;
    char *target = malloc(400000);
    assert_non_null(target);
    memset(target, 'x', 400000);
    memcpy(target, "{\"a\":\"", 6);
    strcpy(target + 399996, "\"}");
    char *operations = repeat("", "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"}", 100);
    stet_view out;
    assert_int_equal(patch(target, operations, &out), STET_OK);
    free(operations);
    free(target);
}

static void results_too_deep_are_stopped(void **state) {
    (void)state;
    char *wrap = repeat("",
                        "{\"op\":\"add\",\"path\":\"/"
                        "w\",\"value\":[]},{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/w/0\"},"
                        "{\"op\":\"move\",\"from\":\"/w\",\"path\":\"/a\"}",
                        200);
    check_refused("{\"a\":0}", wrap, STET_TOO_LARGE, "depth");
    assert_int_equal(error.limit, JSON_DEPTH_MAX);
    free(wrap);
}

static void too_many_operations_are_refused(void **state) {
    (void)state;
    char *text = repeat("", "{\"op\":\"test\",\"path\":\"\",\"value\":0}", PATCH_OPS_MAX + 1);
    check_refused("0", text, STET_TOO_LARGE, "operations");
    free(text);
}

/* 10,000 insertions at the front of a list of 1,000 are fine; of one of 400,000, they are refused before they hurt. */
static void work_is_bounded(void **state) {
    (void)state;
    char *operations = repeat("", "{\"op\":\"add\",\"path\":\"/0\",\"value\":7}", PATCH_OPS_MAX);
    char *target = malloc(900000);
    assert_non_null(target);
    stet_view out;
    memset(target, '0', 900000);
    for (size_t i = 0; i < 2001; i += 2)
        target[i] = ',';
    target[0] = '[';
    strcpy(target + 2000, "]");
    assert_int_equal(patch(target, operations, &out), STET_OK);
    memset(target, '0', 900000);
    for (size_t i = 0; i < 400001; i += 2)
        target[i] = ',';
    target[0] = '[';
    strcpy(target + 400000, "]");
    check_refused(target, operations, STET_TOO_LARGE, "steps");
    assert_int_equal(error.limit, PATCH_STEPS_MAX);
    free(operations);
    free(target);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(each_operation_does_its_work),
        ARENA_TEST(operations_see_the_ones_before),
        ARENA_TEST(members_copied_into_a_list_lose_their_keys),
        ARENA_TEST(what_is_not_touched_is_not_rewritten),
        ARENA_TEST(a_failed_test_is_a_conflict),
        ARENA_TEST(a_patch_that_does_not_fit_says_where),
        ARENA_TEST(what_is_no_patch_is_a_bad_request),
        ARENA_TEST(copies_of_copies_are_stopped),
        ARENA_TEST(replacing_a_copy_again_and_again_is_not_growth),
        ARENA_TEST(results_too_deep_are_stopped),
        ARENA_TEST(too_many_operations_are_refused),
        ARENA_TEST(work_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
