/*
 * Types over real sockets: preconditions, entity tags, envelopes, problems, and surveys that run on other threads than the writes.
 */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEALS "/v1/main/types/deals"
#define TYPES "/v1/main/types"
#define JSON "Content-Type: application/json\r\n"

static int setup(void **state) {
    (void)state;
    serve_plainly();
    return 0;
}

static void a_definition_is_put_read_and_deleted(void **state) {
    (void)state;
    call("PUT", DEALS, JSON "If-None-Match: *\r\n", "{\"title\":\"Deals\"}");
    expect_status(201);
    expect_header("ETag", "\"1\"");
    expect_header("Location", DEALS);
    call("PUT", DEALS, JSON "If-None-Match: *\r\n", "{\"title\":\"Deals\"}");
    expect_problem(412, "ALREADY_EXISTS", NULL);
    call("PUT", DEALS, JSON, "{}");
    expect_problem(428, "PRECONDITION_REQUIRED", NULL);
    call("PUT", DEALS, JSON "If-Match: \"9\"\r\n", "{}");
    expect_problem(412, "CONCURRENT_MODIFICATION", NULL);
    call("PUT", DEALS "?base_version=1", JSON "Idempotency-Key: k\r\n", "{\"title\":\"Offers\"}");
    expect_status(200);
    call("PUT", DEALS "?base_version=1", JSON "Idempotency-Key: k\r\n", "{\"title\":\"Offers\"}");
    expect_header("Idempotency-Replayed", "true");
    call("PUT", DEALS, "Content-Type: application/stet+json\r\n",
         "{\"base_version\":2,\"data\":{\"title\":\"Bids\"}}");
    expect_status(200);
    call("GET", DEALS, "", NULL);
    expect_header("ETag", "\"3\"");
    expect_body("\"title\":\"Bids\"");
    call("GET", DEALS, "If-None-Match: \"3\"\r\n", NULL);
    expect_status(304);
    call("GET", TYPES, "", NULL);
    expect_body("{\"types\":[{\"id\":\"deals\",\"version\":3");
    call("GET", "/v1/main/records/stet.type/deals/history", "", NULL);
    expect_status(200);
    call("DELETE", DEALS, "If-Match: \"3\"\r\n", NULL);
    expect_status(200);
    call("GET", DEALS, "", NULL);
    expect_problem(404, "DELETED", NULL);
}

static void what_is_wrong_is_named(void **state) {
    (void)state;
    call("PUT", DEALS, JSON, "{\"fields\":{\"/a\":{\"type\":\"text\"}}}");
    expect_problem(422, "INVALID_TYPE", "/fields/~1a/type");
    call("PUT", DEALS, JSON, "");
    expect_problem(400, "BAD_JSON", "body");
    call("PUT", DEALS "?on_conflict=merge", JSON, "{}");
    expect_problem(400, "BAD_REQUEST", "on_conflict");
    call("PUT", DEALS, "Content-Type: text/plain\r\n", "{}");
    expect_problem(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type");
    call("PUT", "/v1/main/types/stet.type", JSON, "{}");
    expect_problem(403, "SYSTEM_TYPE", "type");
    call("PUT", TYPES, JSON, "{\"types\":{\"a/b\":{\"ask\":1}}}");
    expect_problem(422, "INVALID_TYPE", "/types/a~1b/ask");
    call("PUT", TYPES, JSON, "{}");
    expect_problem(400, "BAD_REQUEST", "/types");
    call("PUT", "/v1/main/records/stet.type/deals", JSON, "{}");
    expect_problem(403, "SYSTEM_TYPE", NULL);
}

static void put_deal(int number, const char *data) {
    char target[64];
    snprintf(target, sizeof target, "/v1/main/records/deals/%d", number);
    call("PUT", target, JSON, data);
}

static void existing_records_are_looked_through(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++)
        put_deal(i, i < 3 ? "{\"amount\":1}" : "{\"amount\":5}");
    call("PUT", DEALS, JSON, "{\"fields\":{\"/amount\":{\"minimum\":2}}}");
    expect_problem(409, "TYPE_VIOLATED", "/fields");
    expect_body(
        "\"violations\":{\"count\":3,\"forcible\":true,\"examples\":[{\"address\":\"deals/0\"");
    call("PUT", DEALS "?force=1", JSON, "{\"fields\":{\"/amount\":{\"minimum\":2}}}");
    expect_status(201);
    expect_body("\"forced\":{\"violations\":3");
    put_deal(99, "{\"amount\":1}");
    expect_problem(422, "INVALID_DATA", "/amount");
    call("PUT", DEALS, JSON "If-Match: \"1\"\r\n", "{\"unique\":[\"/amount\"]}");
    expect_problem(409, "TYPE_VIOLATED", "/unique");
    expect_body("\"taken_by\":\"deals/");
}

static void a_unique_value_stays_unique_under_many_writers(void **state) {
    (void)state;
    struct wire writers[8];
    unsigned created = 0;
    call("PUT", DEALS, JSON, "{\"unique\":[\"/number\"]}");
    expect_status(201);
    for (int i = 0; i < 8; i++) {
        writers[i] = wire_open();
        wire_send(&writers[i],
                  "PUT /v1/main/records/deals/w%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" JSON
                  "Content-Length: 12\r\n\r\n{\"number\":7}",
                  i, port);
    }
    for (int i = 0; i < 8; i++) {
        struct answer answer = {0};
        assert_true(wire_answer(&writers[i], false, &answer));
        created += answer.status == 201;
        assert_true(answer.status == 201 || answer.status == 409);
        answer_done(&answer);
        wire_close(&writers[i]);
    }
    assert_int_equal(created, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_definition_is_put_read_and_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(existing_records_are_looked_through, setup, teardown),
        cmocka_unit_test_setup_teardown(a_unique_value_stays_unique_under_many_writers, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
