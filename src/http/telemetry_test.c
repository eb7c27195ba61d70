#include "http/telemetry.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct telemetry_report report;
static stet_error err;

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 4096);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

static stet_status read_text(const char *text) {
    struct doc doc;
    assert_int_equal(doc_parse(&arena, view_of(text), NULL, &doc, NULL), STET_OK);
    return telemetry_read(&arena, &doc, &report, &err);
}

static void check_bad(const char *text, const char *field) {
    memset(&report, 0x5a, sizeof report);
    struct telemetry_report before = report;
    assert_int_equal(read_text(text), STET_BAD_REQUEST);
    assert_string_equal(err.field, field);
    assert_memory_equal(&report, &before, sizeof report);
}

static void what_is_left_out_is_nothing(void **state) {
    (void)state;
    static const struct telemetry_report none;
    assert_int_equal(read_text("{}"), STET_OK);
    assert_memory_equal(&report, &none, sizeof none);
}

static void counts_and_times_find_their_place(void **state) {
    (void)state;
    assert_int_equal(
        read_text("{\"writes\":4,\"rollbacks\":1000000,\"resolve_ms\":{\"counts\":[1,2,3,4,5,6,7,8,"
                  "9,10,11,12,13,14],\"sum\":184.5}}"),
        STET_OK);
    assert_int_equal(report.counts[0], 4);
    assert_int_equal(report.counts[6], 1000000);
    assert_int_equal(report.times[1].sum_us, 184500);
    assert_int_equal(report.times[1].counts[0], 1);
    assert_int_equal(report.times[1].counts[13], 14);
    assert_int_equal(report.times[0].sum_us, 0);
}

static void what_is_not_as_it_should_be_is_pointed_at(void **state) {
    (void)state;
    check_bad("[]", "body");
    check_bad("{\"writers\":1}", "/writers");
    check_bad("{\"writes\":-1}", "/writes");
    check_bad("{\"writes\":1.5}", "/writes");
    check_bad("{\"writes\":\"1\"}", "/writes");
    check_bad("{\"writes\":null}", "/writes");
    check_bad("{\"confirm_ms\":7}", "/confirm_ms");
    check_bad("{\"confirm_ms\":{\"total\":7}}", "/confirm_ms/total");
    check_bad("{\"confirm_ms\":{\"sum\":-0.5}}", "/confirm_ms/sum");
    check_bad("{\"confirm_ms\":{\"sum\":1e13}}", "/confirm_ms/sum");
    check_bad("{\"confirm_ms\":{\"sum\":\"7\"}}", "/confirm_ms/sum");
    check_bad("{\"confirm_ms\":{\"counts\":[1,2]}}", "/confirm_ms/counts");
    check_bad("{\"confirm_ms\":{\"counts\":[0,0,0,0,0,0,0,0,0,0,0,0,0,true]}}",
              "/confirm_ms/counts/13");
    /* 30 bytes and two characters of two. */
    check_bad("{\"123456789012345678901234567890\xc3\xa9\xc3\xa9\":1}",
              "/123456789012345678901234567890\xc3\xa9");
    check_bad("{\"1234567890123456789012345678901\xc3\xa9\":1}",
              "/1234567890123456789012345678901");
}

static void a_number_past_the_bound_is_too_large(void **state) {
    (void)state;
    assert_int_equal(read_text("{\"merged\":1000001}"), STET_TOO_LARGE);
    assert_string_equal(err.field, "/merged");
    assert_int_equal(err.limit, 1000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_is_nothing),
        cmocka_unit_test(counts_and_times_find_their_place),
        cmocka_unit_test(what_is_not_as_it_should_be_is_pointed_at),
        cmocka_unit_test(a_number_past_the_bound_is_too_large),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
