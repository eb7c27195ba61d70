#include "http/params.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;

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

static void expect_decoded(const char *raw, const char *text) {
    stet_view out;
    stet_error err;
    assert_int_equal(percent_decode(&arena, view_of(raw), false, "id", &out, &err), STET_OK);
    assert_true(view_equal(out, view_of(text)));
    stet_view again;
    stet_view encoded = percent_encode(&arena, out);
    assert_int_equal(percent_decode(&arena, encoded, false, "id", &again, &err), STET_OK);
    assert_true(view_equal(out, again));
}

static void escapes_are_decoded(void **state) {
    (void)state;
    expect_decoded("plain", "plain");
    expect_decoded("a%2Fb%2fc", "a/b/c");
    expect_decoded("%C3%A9+%25", "\xC3\xA9+%");
    static const char *const bad[] = {"%", "%2", "a%g0", "%0g", "%00", "%0A", "%7f", "%FF", "%C3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        stet_view out;
        stet_error err;
        assert_int_equal(percent_decode(&arena, view_of(bad[i]), false, "id", &out, &err),
                         STET_BAD_REQUEST);
        assert_string_equal(err.field, "id");
    }
}

static void parse(const char *query, struct params *params) {
    assert_int_equal(params_parse(&arena, view_of(query), params, NULL), STET_OK);
}

static void parameters_are_taken_once_and_by_name(void **state) {
    struct params params;
    stet_error err;
    stet_view text = {0};
    uint64_t number = 0;
    bool flag = false;
    (void)state;
    parse("a=x+y%20z&n=12&f=1&&empty=", &params);
    assert_int_equal(params_text(&params, "a", &text, &err), STET_OK);
    assert_true(view_equal(text, VIEW("x y z")));
    assert_int_equal(params_u64(&params, "n", 100, &number, &err), STET_OK);
    assert_int_equal(number, 12);
    assert_int_equal(params_flag(&params, "f", &flag, &err), STET_OK);
    assert_true(flag);
    assert_int_equal(params_text(&params, "absent", &text, &err), STET_OK);
    assert_int_equal(params_finish(&params, &err), STET_BAD_REQUEST);
    assert_string_equal(err.field, "empty");
    assert_int_equal(params_text(&params, "empty", &text, &err), STET_BAD_REQUEST);
}

static void doubtful_parameters_are_refused(void **state) {
    struct params params;
    stet_error err;
    uint64_t number;
    bool flag;
    stet_time time;
    (void)state;
    parse("n=1&n=2&m=101&x=1x&f=yes&t=soon", &params);
    assert_int_equal(params_u64(&params, "n", 100, &number, &err), STET_BAD_REQUEST);
    assert_int_equal(params_u64(&params, "m", 100, &number, &err), STET_BAD_REQUEST);
    assert_int_equal(err.limit, 100);
    assert_int_equal(params_u64(&params, "x", 100, &number, &err), STET_BAD_REQUEST);
    assert_int_equal(params_flag(&params, "f", &flag, &err), STET_BAD_REQUEST);
    assert_int_equal(params_time(&params, "t", &time, &err), STET_BAD_REQUEST);
    assert_string_equal(err.field, "t");
    char many[2 * PARAMS_MAX + 4];
    for (int i = 0; i <= PARAMS_MAX; i++) {
        many[2 * i] = 'a';
        many[2 * i + 1] = '&';
    }
    many[2 * PARAMS_MAX + 1] = '\0';
    assert_int_equal(params_parse(&arena, view_of(many), &params, &err), STET_TOO_LARGE);
    assert_int_equal(err.limit, PARAMS_MAX);
}

static void repeated_parameters_are_walked(void **state) {
    struct params params;
    unsigned cursor = 0;
    stet_view value;
    (void)state;
    parse("type=a&x=1&type=b", &params);
    assert_true(params_next(&params, "type", &cursor, &value));
    assert_true(view_equal(value, VIEW("a")));
    assert_true(params_next(&params, "type", &cursor, &value));
    assert_true(view_equal(value, VIEW("b")));
    assert_false(params_next(&params, "type", &cursor, &value));
}

static void only_one_version_is_a_precondition(void **state) {
    stet_version version = 99;
    (void)state;
    assert_int_equal(etag_parse(VIEW("\"12\""), &version, NULL), STET_OK);
    assert_int_equal(version, 12);
    assert_int_equal(etag_parse(VIEW(" W/\"13\" "), &version, NULL), STET_OK);
    assert_int_equal(version, 13);
    assert_int_equal(etag_parse(VIEW("*"), &version, NULL), STET_OK);
    assert_int_equal(version, STET_VERSION_NONE);
    static const char *const bad[] = {"",       "12",     "\"\"",    "\"0\"",
                                      "\"x\"",  "\"12",   "w/\"1\"", "\"1\", \"2\"",
                                      "\"-1\"", "\"1\"x", "W/ \"1\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(etag_parse(view_of(bad[i]), &version, NULL), STET_BAD_REQUEST);
    assert_true(etag_list_has(VIEW("\"1\", W/\"2\",\"x\""), 2));
    assert_true(etag_list_has(VIEW("*"), 7));
    assert_true(etag_list_names(VIEW("\"1\", W/\"abc\""), VIEW("\"abc\"")));
    assert_true(etag_list_names(VIEW("*"), VIEW("\"abc\"")));
    assert_false(etag_list_names(VIEW("\"abcd\", abc"), VIEW("\"abc\"")));
    assert_false(etag_list_has(VIEW("\"1\", \"22\""), 2));
}

static void keys_are_quoted_or_bare(void **state) {
    stet_view key;
    char long_key[140];
    (void)state;
    assert_int_equal(key_parse(VIEW("\"a b\""), "k", &key, NULL), STET_OK);
    assert_true(view_equal(key, VIEW("a b")));
    assert_int_equal(key_parse(VIEW("a"), "k", &key, NULL), STET_OK);
    assert_int_equal(key_parse(VIEW("\"\""), "k", &key, NULL), STET_BAD_REQUEST);
    memset(long_key, 'k', sizeof long_key);
    assert_int_equal(key_parse(view_make(long_key, 129), "k", &key, NULL), STET_TOO_LARGE);
    assert_int_equal(key_parse(view_make(long_key, 128), "k", &key, NULL), STET_OK);
}

static void media_types_and_preferences(void **state) {
    (void)state;
    assert_int_equal(media_parse(VIEW("application/json")), MEDIA_JSON);
    assert_int_equal(media_parse(VIEW("APPLICATION/Json ; charset=\"UTF-8\"")), MEDIA_JSON);
    assert_int_equal(media_parse(VIEW("application/json; charset=latin1")), MEDIA_OTHER);
    assert_int_equal(media_parse(VIEW("application/stet+json")), MEDIA_STET);
    assert_int_equal(media_parse(VIEW("application/jsonx")), MEDIA_OTHER);
    assert_int_equal(media_parse(VIEW("")), MEDIA_NONE);
    assert_int_equal(prefer_parse(VIEW("wait=5, return=minimal;x=y")), PREFER_MINIMAL);
    assert_int_equal(prefer_parse(VIEW("return=representation")), PREFER_REPRESENTATION);
    assert_int_equal(prefer_parse(VIEW("respond-async")), PREFER_NONE);
}

static void accept_ranges(void **state) {
    (void)state;
    assert_true(accept_allows(VIEW(""), "application", "json"));
    assert_true(accept_allows(VIEW("*/*"), "application", "json"));
    assert_true(accept_allows(VIEW("text/html, application/*;q=0.5"), "application", "json"));
    assert_false(accept_allows(VIEW("text/html"), "application", "json"));
    assert_false(accept_allows(VIEW("*/*, application/json;q=0.0"), "application", "json"));
    assert_true(accept_names(VIEW("text/event-stream"), "text", "event-stream"));
    assert_false(accept_names(VIEW("*/*"), "text", "event-stream"));
}

static void times_and_request_ids(void **state) {
    stet_time time;
    (void)state;
    assert_true(time_parse(VIEW("1970-01-01T00:00:01Z"), &time));
    assert_int_equal(time, 1000000000);
    assert_true(time_parse(VIEW("77"), &time));
    assert_int_equal(time, 77);
    assert_false(time_parse(VIEW("99999999999999999999"), &time));
    assert_false(time_parse(VIEW("tomorrow"), &time));
    assert_true(request_id_is_valid(VIEW("a-B_9.x")));
    assert_false(request_id_is_valid(VIEW("")));
    assert_false(request_id_is_valid(VIEW("a b")));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(escapes_are_decoded),
        TEST(parameters_are_taken_once_and_by_name),
        TEST(doubtful_parameters_are_refused),
        TEST(repeated_parameters_are_walked),
        TEST(only_one_version_is_a_precondition),
        TEST(keys_are_quoted_or_bare),
        TEST(media_types_and_preferences),
        TEST(accept_ranges),
        TEST(times_and_request_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
