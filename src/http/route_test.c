#include "http/route.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena arena;
static struct route_match match;
static stet_error err;

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

static void expect_route(const char *path, const char *pattern) {
    assert_int_equal(route_find(&arena, view_of(path), &match, &err), STET_OK);
    if (pattern == NULL) {
        assert_null(match.route);
        return;
    }
    assert_non_null(match.route);
    assert_string_equal(match.route->pattern, pattern);
}

static void paths_find_their_route(void **state) {
    (void)state;
    expect_route("/", "/");
    expect_route("/healthz", "/healthz");
    expect_route("/assets/console-4QEULA72.js", "/assets/{name}");
    expect_route("/assets/", NULL);
    expect_route("/assets/a/b", NULL);
    expect_route("/sdk/", "/sdk/");
    expect_route("/sdk", NULL);
    expect_route("/sdk/stet-client.tgz", "/sdk/{name}");
    expect_route("/v1", "/v1");
    expect_route("/v1/stet/tokens", "/v1/stet/tokens");
    expect_route("/v1/main", "/v1/{space}");
    expect_route("/v1/main/telemetry", "/v1/{space}/telemetry");
    expect_route("/v1/main/records/t", "/v1/{space}/records/{type}");
    expect_route("/v1/main/records/t/1/history", "/v1/{space}/records/{type}/{id}/history");
    expect_route("", NULL);
    expect_route("//", NULL);
    expect_route("v1", NULL);
    expect_route("/v1/", NULL);
    expect_route("/v1/main/", NULL);
    expect_route("/v1/main/records/t/", NULL);
    expect_route("/v1/main/records/t/1/2/3/4/5", NULL);
    expect_route("/V1", NULL);
}

static void segments_are_decoded_after_the_split(void **state) {
    (void)state;
    expect_route("/v1/main/records/a%20b/c%2Fd", "/v1/{space}/records/{type}/{id}");
    assert_true(view_equal(match.captures[CAPTURE_SPACE], VIEW("main")));
    assert_true(view_equal(match.captures[CAPTURE_TYPE], VIEW("a b")));
    assert_true(view_equal(match.captures[CAPTURE_ID], VIEW("c/d")));
}

static void bad_segments_are_named(void **state) {
    (void)state;
    assert_int_equal(route_find(&arena, VIEW("/v1/main/records/t/%0a"), &match, &err),
                     STET_BAD_REQUEST);
    assert_string_equal(err.field, "id");
    assert_int_equal(route_find(&arena, VIEW("/v1/main/records/%zz/1"), &match, &err),
                     STET_BAD_REQUEST);
    assert_string_equal(err.field, "type");
}

static void allow_names_each_method(void **state) {
    char allow[ROUTE_ALLOW_BYTES];
    (void)state;
    for (unsigned i = 0; i < route_count; i++) {
        route_allow(&routes[i], allow);
        assert_non_null(strstr(allow, "OPTIONS"));
        assert_int_equal(strstr(allow, "HEAD") != NULL, routes[i].calls[METHOD_GET].handle != NULL);
    }
    assert_int_equal(method_parse(VIEW("PATCH")), METHOD_PATCH);
    assert_int_equal(method_parse(VIEW("patch")), METHOD_OTHER);
    assert_string_equal(method_name(METHOD_OTHER), "OTHER");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(paths_find_their_route),
        TEST(segments_are_decoded_after_the_split),
        TEST(bad_segments_are_named),
        TEST(allow_names_each_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
