#include "http/problem.h"

#include "base/view.h"
#include "doc/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena arena;
static struct doc document;

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 1024);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

/* Writes a problem, which must be JSON without duplicate members, into `document`. */
static void write_problem(const struct problem *problem) {
    struct buffer buffer;
    stet_error err = {0};
    buffer_init(&buffer, &arena, 0);
    problem_write(&buffer, &arena, problem);
    assert_int_equal(buffer_status(&buffer), STET_OK);
    if (doc_parse(&arena, buffer_view(&buffer), NULL, &document, &err) != STET_OK)
        fail_msg("%s", err.message);
}

static void expect_member(const char *name, const char *json) {
    doc_node node = doc_member(&document, 0, view_of(name));
    if (json == NULL) {
        assert_int_equal(node, DOC_NONE);
        return;
    }
    assert_int_not_equal(node, DOC_NONE);
    assert_true(view_equal(doc_text(&document, node), view_of(json)));
}

static void it_names_field_and_limit(void **state) {
    (void)state;
    write_problem(&(struct problem){.status = STET_TOO_LARGE,
                                    .http = 431,
                                    .detail = VIEW("too \"long\""),
                                    .field = VIEW("headers"),
                                    .limit = 7168,
                                    .request_id = VIEW("r1")});
    expect_member("type", "\"urn:stet:problem:TOO_LARGE\"");
    expect_member("title", "\"a size limit was passed\"");
    expect_member("status", "431");
    expect_member("code", "\"TOO_LARGE\"");
    expect_member("detail", "\"too \\\"long\\\"\"");
    expect_member("field", "\"headers\"");
    expect_member("limit", "7168");
    expect_member("request_id", "\"r1\"");
}

static void members_are_spliced_in_once(void **state) {
    (void)state;
    write_problem(&(struct problem){
        .status = STET_CONCURRENT_MODIFICATION,
        .http = 412,
        .detail = VIEW("ours"),
        .request_id = VIEW("r1"),
        .members = VIEW("{\"type\":\"x\",\"title\":\"y\",\"status\":409,\"request_id\":1,"
                        "\"code\":\"CONCURRENT_MODIFICATION\",\"detail\":\"theirs\",\"base\":{}}"),
    });
    expect_member("status", "412");
    expect_member("detail", "\"theirs\"");
    expect_member("base", "{}");
    expect_member("type", "\"urn:stet:problem:CONCURRENT_MODIFICATION\"");
    expect_member("request_id", "\"r1\"");
}

static void what_is_no_object_is_left_out(void **state) {
    (void)state;
    write_problem(&(struct problem){
        .status = STET_BUSY, .http = 503, .detail = VIEW("wait"), .members = VIEW("[1]")});
    expect_member("code", "\"BUSY\"");
    expect_member("field", NULL);
    expect_member("limit", NULL);
    expect_member("request_id", NULL);
}

static void waiting_is_advised_only_where_it_helps(void **state) {
    (void)state;
    assert_int_equal(problem_retry_after_s(STET_BAD_REQUEST), 0);
    assert_true(problem_retry_after_s(STET_BUSY) > 0);
    assert_true(problem_retry_after_s(STET_COMMIT_UNKNOWN) > 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_names_field_and_limit),
        TEST(members_are_spliced_in_once),
        TEST(what_is_no_object_is_left_out),
        TEST(waiting_is_advised_only_where_it_helps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
