/*
 * Bad input and the gate: each is answered by a problem document that names the field, the
 * connection survives, nothing is written.
 */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ONE "/v1/main/records/t/1"

static int setup(void **state) {
    (void)state;
    serve_plainly();
    return 0;
}

/* After it the connection is the same and the space is empty. */
static void nothing_was_written(int fd) {
    assert_int_equal(wire.fd, fd);
    call("GET", "/v1/main/stats", "", NULL);
    expect_status(200);
    expect_body("\"seq\":0,");
    assert_int_equal(wire.fd, fd);
}

static void bad_documents_are_refused_by_name(void **state) {
    static const struct {
        const char *body;
        int status;
        const char *code;
        const char *field;
    } cases[] = {
        {"", 400, "BAD_JSON", "body"},
        {"{", 400, "BAD_JSON", "body"},
        {"{\"a\":1}x", 400, "BAD_JSON", "body"},
        {"{\"a\":1,\"a\":2}", 400, "BAD_JSON", "/a"},
        {"{\"a\":01}", 400, "BAD_JSON", "body"},
        {"{\"a\":\"\xff\"}", 400, "BAD_JSON", "body"},
        {"{\"a\":\"\\ud800\"}", 400, "BAD_JSON", "body"},
        {"{\"a\":NaN}", 400, "BAD_JSON", "body"},
    };
    int fd = wire.fd;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        call("PUT", ONE, JSON, cases[i].body);
        expect_problem(cases[i].status, cases[i].code, cases[i].field);
    }
    /* An object is asked for; other JSON is well-formed and still not a record. */
    static const char *const others[] = {"[]", "1", "\"a\"", "null"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        call("PUT", ONE, JSON, others[i]);
        expect_status(400);
    }
    nothing_was_written(fd);
}

static void deep_and_huge_documents_name_the_limit(void **state) {
    char deep[1024];
    int fd = wire.fd;
    (void)state;
    int size = snprintf(deep, sizeof deep, "{\"a\":");
    memset(deep + size, '[', 200);
    memset(deep + size + 200, ']', 200);
    memcpy(deep + size + 400, "}", 2);
    call("PUT", ONE, JSON, deep);
    expect_problem(413, "TOO_LARGE", NULL);
    expect_body("\"limit\":128");
    size_t big_size = 1100 * 1024;
    char *big = malloc(big_size + 1);
    size = snprintf(big, 16, "{\"a\":\"");
    memset(big + size, 'x', big_size - (size_t)size);
    memcpy(big + big_size - 2, "\"}", 3);
    call("PUT", ONE, JSON, big);
    free(big);
    expect_problem(413, "TOO_LARGE", NULL);
    expect_body("\"limit\":1048576");
    nothing_was_written(fd);
}

static void huge_numbers_keep_their_spelling(void **state) {
    (void)state;
    call("PUT", ONE, JSON, "{\"n\":123456789012345678901234567890.10,\"e\":1e400}");
    expect_status(201);
    call("GET", ONE, "", NULL);
    expect_body("{\"n\":123456789012345678901234567890.10,\"e\":1e400}");
}

static void envelopes_refuse_what_they_do_not_know(void **state) {
    static const struct {
        const char *body;
        const char *field;
    } cases[] = {
        {"{\"data\":{},\"color\":1}", "/color"},
        {"{\"data\":{},\"a/b~\":1}", "/a~1b~0"},
        {"{\"data\":[]}", "/data"},
        {"{}", "/data"},
        {"[]", "body"},
        {"{\"data\":{},\"base_version\":\"1\"}", "/base_version"},
        {"{\"data\":{},\"base_version\":1.5}", "/base_version"},
        {"{\"data\":{},\"base_version\":-1}", "/base_version"},
        {"{\"data\":{},\"base_version\":0}", "/base_version"},
        {"{\"data\":{},\"base_version\":123456789012345678901234567890}", "/base_version"},
        {"{\"data\":{},\"base_updated_at\":\"now\"}", "/base_updated_at"},
        {"{\"data\":{},\"modified_at\":\"2026-13-01T00:00:00Z\"}", "/modified_at"},
        {"{\"data\":{},\"on_conflict\":\"perhaps\"}", "/on_conflict"},
        {"{\"data\":{},\"client_mutation_id\":7}", "/client_mutation_id"},
        {"{\"data\":{},\"client_mutation_id\":\"\\u0000\"}", "/client_mutation_id"},
        {"{\"data\":{},\"parent\":7}", "/parent"},
        {"{\"data\":{},\"lock\":\"x\"}", "/lock"},
        {"{\"data\":{},\"id\":\"2\"}", "/id"},
    };
    int fd = wire.fd;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        call("PUT", ONE, STET, cases[i].body);
        expect_problem(400, "BAD_REQUEST", cases[i].field);
    }
    nothing_was_written(fd);
}

static void names_are_checked_in_paths(void **state) {
    static const struct {
        const char *target;
        const char *field;
    } cases[] = {
        {"/v1/main/records/t/a%00b", "id"},
        {"/v1/main/records/t/a%0Ab", "id"},
        {"/v1/main/records/t/%FF", "id"},
        {"/v1/main/records/t/%ED%A0%80", "id"},
        {"/v1/main/records/t/a%2", "id"},
        {"/v1/main/records/t/a%zz", "id"},
        {"/v1/main/records/%01/a", "type"},
        {"/v1/main/records/t/1?version=x", "version"},
        {"/v1/main/records/t/1?vers=1", "vers"},
        {"/v1/main/records/t/1?version=1&version=2", "version"},
        {"/v1/main/records/t/1?version=99999999999999999999999", "version"},
        {"/v1/main/records/t/1?at=%FF", "at"},
        {"/v1/main/changes?since=-1", "since"},
        {"/v1/main/changes?wait_s=61", "wait_s"},
    };
    int fd = wire.fd;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        call("GET", cases[i].target, "", NULL);
        expect_problem(400, "BAD_REQUEST", cases[i].field);
    }
    char long_id[700] = "/v1/main/records/t/";
    memset(long_id + strlen(long_id), 'a', 600);
    call("GET", long_id, "", NULL);
    expect_problem(400, "BAD_REQUEST", "id");
    expect_body("\"limit\":512");
    nothing_was_written(fd);
}

static void encoded_ids_work(void **state) {
    (void)state;
    call("PUT", "/v1/main/records/t/a%2Fb%3F%23%25%C3%A9%20c", JSON, "{}");
    expect_status(201);
    expect_body("\"id\":\"a/b?#%\xC3\xA9 c\"");
    call("GET", "/v1/main/records/t/a%2fb%3f%23%25%c3%a9%20c", "", NULL);
    expect_status(200);
    call("GET", "/v1/main/records/t/..", "", NULL);
    expect_status(404);
}

static void bodies_need_a_media_type(void **state) {
    int fd = wire.fd;
    (void)state;
    call("PUT", ONE, "", "{}");
    expect_problem(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type");
    call("PUT", ONE, "Content-Type: text/plain\r\n", "{}");
    expect_problem(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type");
    call("PUT", ONE, "Content-Type: application/json; charset=latin1\r\n", "{}");
    expect_problem(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type");
    nothing_was_written(fd);
    call("PUT", ONE, "Content-Type: Application/JSON; charset=UTF-8\r\n", "{}");
    expect_status(201);
}

static void long_keys_and_actors_are_refused(void **state) {
    char line[600];
    int fd = wire.fd;
    (void)state;
    int size = snprintf(line, sizeof line, JSON "Idempotency-Key: ");
    memset(line + size, 'k', 129);
    memcpy(line + size + 129, "\r\n", 3);
    call("PUT", ONE, line, "{}");
    expect_problem(413, "TOO_LARGE", "Idempotency-Key");
    expect_body("\"limit\":128");
    size = snprintf(line, sizeof line, JSON "Stet-Actor: ");
    memset(line + size, 'k', 257);
    memcpy(line + size + 257, "\r\n", 3);
    call("PUT", ONE, line, "{}");
    expect_problem(400, "BAD_REQUEST", "Stet-Actor");
    call("PUT", ONE, JSON "Stet-Actor: \xff\r\n", "{}");
    expect_problem(400, "BAD_REQUEST", "Stet-Actor");
    call("PUT", ONE, JSON "Idempotency-Key: \"\"\r\n", "{}");
    expect_problem(400, "BAD_REQUEST", "Idempotency-Key");
    nothing_was_written(fd);
}

static void headers_have_a_limit(void **state) {
    char line[9000] = "X-Long: ";
    (void)state;
    memset(line + 8, 'x', 7150);
    memcpy(line + 8 + 7150, "\r\n", 3);
    call("GET", ONE, line, NULL);
    expect_status(431);
    memset(line + 8, 'x', 6800);
    memcpy(line + 8 + 6800, "\r\n", 3);
    call("GET", ONE, line, NULL);
    expect_problem(404, "NOT_FOUND", NULL); /* There is room for the answer's headers. */
}

static void any_number_of_parameters_is_answered(void **state) {
    static const unsigned counts[] = {100, 129, 600, 1000};
    char target[7168];
    int fd = wire.fd;
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        size_t size = (size_t)snprintf(target, sizeof target, "%s?", ONE);
        for (unsigned k = 0; k < counts[i]; k++)
            size += (size_t)snprintf(target + size, sizeof target - size, "&p%u=", k);
        call("GET", target, "", NULL);
        if (counts[i] <= 128) {
            expect_problem(400, "BAD_REQUEST", "p0");
        } else {
            expect_problem(413, "TOO_LARGE", "query");
            expect_body("\"limit\":128");
        }
    }
    nothing_was_written(fd);
}

static void headers_that_must_stand_once_are_refused_twice(void **state) {
    int fd = wire.fd;
    (void)state;
    call("PUT", ONE, JSON "If-Match: \"1\"\r\nIf-Match: \"2\"\r\n", "{}");
    expect_problem(400, "BAD_REQUEST", "If-Match");
    call("PUT", ONE, JSON "Idempotency-Key: a\r\nIdempotency-Key: b\r\n", "{}");
    expect_problem(400, "BAD_REQUEST", "Idempotency-Key");
    nothing_was_written(fd);
}

static void foreign_hosts_are_refused(void **state) {
    char line[64];
    (void)state;
    call("GET", ONE, "Host: evil.example\r\n", NULL);
    expect_problem(421, "MISDIRECTED", "Host");
    call("GET", ONE, "Host: localhost:1\r\n", NULL);
    expect_problem(421, "MISDIRECTED", "Host");
    call("GET", "/healthz", "Host: evil.example\r\n", NULL);
    expect_status(200); /* Whoever watches over the server may use any name. */
    snprintf(line, sizeof line, "Host: 127.0.0.1:%d\r\n", port);
    call("GET", "/v1", line, NULL);
    expect_status(200);
    snprintf(line, sizeof line, "Host: [::1]:%d\r\n", port);
    call("GET", "/v1", line, NULL);
    expect_status(200);
    wire_send(&wire, "GET /v1 HTTP/1.1\r\n\r\n");
    assert_true(wire_answer(&wire, false, &got));
    expect_status(400);
}

static void a_target_may_name_the_server(void **state) {
    char target[64];
    (void)state;
    snprintf(target, sizeof target, "http://127.0.0.1:%d/v1?x=1", port);
    call("GET", target, "", NULL);
    expect_problem(400, "BAD_REQUEST", "x");
    *strchr(target, '?') = '\0';
    call("GET", target, "", NULL);
    expect_status(200);
    call("GET", "http://evil.example/v1", "", NULL); /* It counts, not Host. */
    expect_problem(421, "MISDIRECTED", "Host");
    call("GET", "HTTPS://evil.example", "", NULL);
    expect_problem(404, "NOT_FOUND", "path");
}

static void pages_of_other_origins_may_not_write(void **state) {
    char line[128];
    (void)state;
    call("PUT", ONE, JSON "Origin: https://evil.example\r\n", "{}");
    expect_problem(403, "FORBIDDEN", "Origin");
    call("POST", ONE "/revert?to=1&base_version=1", "Origin: null\r\n", NULL);
    expect_problem(403, "FORBIDDEN", "Origin");
    call("DELETE", ONE "?base_version=1", "Sec-Fetch-Site: cross-site\r\n", NULL);
    expect_problem(403, "FORBIDDEN", "Sec-Fetch-Site");
    snprintf(line, sizeof line, JSON "Origin: http://localhost:%d\r\n", port);
    call("PUT", ONE, line, "{}");
    expect_status(201);
    expect_header("Access-Control-Allow-Origin", NULL);
}

static void allowed_origins_get_cors(void **state) {
    static const char *const origins[] = {"https://app.example"};
    struct http_options options = {
        .no_auth = true, .allow_origins = origins, .allow_origin_count = 1, .io_threads = 1};
    (void)state;
    serve(&options);
    call("OPTIONS", ONE,
         "Origin: https://app.example\r\nAccess-Control-Request-Method: PUT\r\n"
         "Access-Control-Request-Headers: if-match\r\n",
         NULL);
    expect_status(204);
    expect_header("Access-Control-Allow-Origin", "https://app.example");
    expect_header("Access-Control-Allow-Methods", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    assert_non_null(strstr(header("Access-Control-Allow-Headers"), "If-Match"));
    assert_non_null(strstr(header("Access-Control-Allow-Headers"), "Stet-CSRF"));
    expect_header("Access-Control-Allow-Credentials", "true");
    expect_header("Access-Control-Max-Age", "600");
    call("PUT", ONE, JSON "Origin: https://app.example\r\n", "{}");
    expect_status(201);
    expect_header("Access-Control-Allow-Origin", "https://app.example");
    expect_header("Vary", "Authorization, Cookie, Origin");
    assert_non_null(strstr(header("Access-Control-Expose-Headers"), "ETag"));
    call("GET", ONE, "Origin: https://evil.example\r\n", NULL);
    expect_status(200);
    expect_header("Access-Control-Allow-Origin", NULL);
    call("OPTIONS", ONE, "Origin: https://evil.example\r\nAccess-Control-Request-Method: PUT\r\n",
         NULL);
    expect_header("Access-Control-Allow-Methods", NULL);
}

static void without_a_token_nothing_is_shown(void **state) {
    struct http_options options = {.local_token = "local-secret", .io_threads = 1};
    char bearer[256];
    (void)state;
    serve(&options);
    call("GET", ONE, "", NULL);
    expect_problem(401, "UNAUTHENTICATED", "Authorization");
    expect_header("WWW-Authenticate", "Bearer realm=\"stet\"");
    call("GET", ONE, "Authorization: Bearer wrong\r\n", NULL);
    expect_problem(401, "UNAUTHENTICATED", "Authorization");
    call("GET", ONE, "Authorization: Basic YTpi\r\n", NULL);
    expect_problem(401, "UNAUTHENTICATED", "Authorization");
    call("GET", ONE "?access_token=local-secret", "", NULL);
    expect_status(401);
    call("GET", "/healthz", "", NULL);
    expect_status(200);
    call("GET", "/metrics", "", NULL);
    expect_status(200); /* Only this machine can listen. */
    call("GET", "/metrics", "X-Forwarded-For: 1.2.3.4\r\n", NULL);
    expect_status(401); /* A proxy asks for somebody else. */

    call("GET", "/v1", "Authorization: Bearer local-secret\r\n", NULL);
    expect_body("\"actor\":\"local\"");
    call("GET", "/v1", "Authorization: Bearer local-secret\r\nStet-Actor: ann\r\n", NULL);
    expect_body("\"actor\":\"ann\"");
    call("POST", "/v1/stet/tokens", JSON "Authorization: Bearer local-secret\r\n",
         "{\"actor\":\"bob\"}");
    expect_status(201);
    expect_header("Cache-Control", "no-store");
    char id[128];
    snprintf(id, sizeof id, "/v1/stet/tokens/%s", member("id"));
    snprintf(bearer, sizeof bearer, JSON "Authorization: Bearer %s\r\n", member("token"));
    call("PUT", ONE, bearer, "{}");
    expect_status(201);
    expect_body("\"updated_by\":\"bob\"");
    char line[512];
    snprintf(line, sizeof line, "%sStet-Actor: ann\r\n", bearer);
    call("GET", "/v1", line, NULL);
    expect_body("\"actor\":\"bob\""); /* A token of its own stands for one actor. */
    expect_no_body("\"name\":\"stet\",\"built_in\"");
    call("GET", "/v1/stet/tokens", bearer, NULL);
    expect_problem(403, "FORBIDDEN", NULL);
    call("GET", "/v1/stet/stats", bearer, NULL);
    expect_problem(403, "FORBIDDEN", NULL);
    call("PUT", "/v1/team", bearer, NULL);
    expect_problem(403, "FORBIDDEN", NULL);
    call("GET", "/v1/stet/tokens", "Authorization: Bearer local-secret\r\n", NULL);
    expect_status(200);
    expect_body("\"actor\":\"bob\"");
    expect_no_body("\"token\":\"");
    call("DELETE", id, "Authorization: Bearer local-secret\r\n", NULL);
    expect_status(200);
    call("GET", ONE, bearer, NULL);
    expect_problem(401, "UNAUTHENTICATED", NULL);
}

static void a_base_path_stands_before_everything(void **state) {
    struct http_options options = {.no_auth = true, .base_path = "/db/", .io_threads = 1};
    (void)state;
    serve(&options);
    call("PUT", "/db" ONE, JSON, "{}");
    expect_status(201);
    expect_header("Location", "/db" ONE);
    call("POST", "/db/v1/main/records/t?id=x%2Fy", JSON, "{}");
    expect_header("Location", "/db/v1/main/records/t/x%2Fy");
    call("GET", ONE, "", NULL);
    expect_problem(404, "NOT_FOUND", "path");
    call("GET", "/dbx" ONE, "", NULL);
    expect_status(404);
    call("GET", "/healthz", "", NULL);
    expect_status(200);
}

static void the_base_path_without_its_slash_leads_to_the_page(void **state) {
    struct http_options options = {.no_auth = true, .base_path = "/db/", .io_threads = 1};
    (void)state;
    serve(&options);
    call("GET", "/db", "", NULL);
    expect_status(308);
    expect_header("Location", "/db/");
    call("GET", "/db?x=1", "", NULL);
    expect_problem(400, "BAD_REQUEST", "x");
    call("POST", "/db", JSON, "{}");
    expect_status(405);
    call("GET", "/db/", "", NULL);
    expect_status(200);
}

static void a_public_url_names_another_host(void **state) {
    struct http_options options = {
        .no_auth = true, .public_url = "https://stet.example.org", .io_threads = 1};
    (void)state;
    serve(&options);
    call("GET", "/v1", "Host: stet.example.org\r\n", NULL);
    expect_status(200);
    call("GET", "/v1", "Host: STET.example.org:443\r\n", NULL);
    expect_status(200);
    call("PUT", ONE, "Host: stet.example.org\r\nOrigin: https://stet.example.org\r\n" JSON, "{}");
    expect_status(201);
}

static void terms_that_would_not_be_heeded_are_refused(void **state) {
    static const struct {
        const char *method, *target, *headers, *body, *field;
    } cases[] = {
        {"PUT", "/v1/main/types/t?parent=t/2", JSON, "{}", "parent"},
        {"PUT", "/v1/main/types/t?lock=a&lock_token=1", JSON, "{}", "lock"},
        {"PUT", "/v1/main/types/t", STET, "{\"data\":{},\"modified_at\":\"2026-01-01T00:00:00Z\"}",
         "/modified_at"},
        {"DELETE", ONE "?parent=t/2", "", NULL, "parent"},
        {"DELETE", ONE, JSON, "{\"parent\":\"t/2\"}", "/parent"},
        {"POST", ONE "/revert", JSON, "{\"to\":1,\"parent\":null}", "/parent"},
        {"POST", ONE "/merge?modified_at=1", JSON, "{}", "modified_at"},
        {"POST", ONE "/merge?base_updated_at=1", JSON, "{}", "base_updated_at"},
        {"POST", ONE "/resolve", "Idempotency-Key: k\r\n" JSON, "{}", "Idempotency-Key"},
        {"POST", ONE "/merge-preview", JSON, "{\"data\":{},\"client_mutation_id\":\"k\"}",
         "/client_mutation_id"},
        {"POST", "/v1/main/conflicts/c/reopen?on_conflict=merge", "", NULL, "on_conflict"},
        {"POST", "/v1/main/conflicts/c/reopen?dry_run=1", "", NULL, "dry_run"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        call(cases[i].method, cases[i].target, cases[i].headers, cases[i].body);
        expect_problem(400, "BAD_REQUEST", cases[i].field);
    }
}

static void bad_options_are_refused(void **state) {
    static const struct {
        struct http_options options;
        const char *field;
    } cases[] = {
        {{.no_auth = true, .listen = "0.0.0.0:0"}, "no-auth"},
        {{.listen = "127.0.0.1"}, "listen"},
        {{.listen = "127.0.0.1:99999"}, "listen"},
        {{.listen = "::1:0"}, "listen"},
        {{.listen = "127.0.0.1:0", .tls_cert = "/nowhere"}, "tls-cert"},
        {{.listen = "127.0.0.1:0", .tls_cert = "/nowhere", .tls_key = "/nowhere"}, "tls-cert"},
        {{.listen = "127.0.0.1:0", .base_path = "x"}, "base-path"},
        {{.listen = "127.0.0.1:0", .public_url = "example.org"}, "public-url"},
    };
    (void)state;
    assert_int_equal(stet_open(NULL, &engine, NULL), STET_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stet_error err = {0};
        assert_int_not_equal(http_server_start(engine, &cases[i].options, &server, &err), STET_OK);
        assert_string_equal(err.field, cases[i].field);
        assert_null(server);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define OWN_SERVER(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        TEST(bad_documents_are_refused_by_name),
        TEST(deep_and_huge_documents_name_the_limit),
        TEST(huge_numbers_keep_their_spelling),
        TEST(envelopes_refuse_what_they_do_not_know),
        TEST(names_are_checked_in_paths),
        TEST(encoded_ids_work),
        TEST(bodies_need_a_media_type),
        TEST(long_keys_and_actors_are_refused),
        TEST(headers_that_must_stand_once_are_refused_twice),
        TEST(any_number_of_parameters_is_answered),
        TEST(headers_have_a_limit),
        TEST(foreign_hosts_are_refused),
        TEST(a_target_may_name_the_server),
        TEST(pages_of_other_origins_may_not_write),
        TEST(terms_that_would_not_be_heeded_are_refused),
        OWN_SERVER(allowed_origins_get_cors),
        OWN_SERVER(without_a_token_nothing_is_shown),
        OWN_SERVER(a_base_path_stands_before_everything),
        OWN_SERVER(the_base_path_without_its_slash_leads_to_the_page),
        OWN_SERVER(a_public_url_names_another_host),
        OWN_SERVER(bad_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
