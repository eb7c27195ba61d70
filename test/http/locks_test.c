/*
 * Locks between clients on real sockets: who waits, who leaves, and what the server does with those who wait when it stops.
 */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCK "/v1/main/locks/nightly"
#define ANN "Stet-Actor: ann\r\n"
#define BOB "Stet-Actor: bob\r\n"

static int setup(void **state) {
    (void)state;
    serve_plainly();
    return 0;
}

static unsigned long acquire(const char *actor) {
    call("POST", LOCK "?ttl_s=600", actor, NULL);
    expect_status(201);
    return strtoul(member("token"), NULL, 10);
}

static void release(const char *actor, unsigned long token) {
    char target[96];
    snprintf(target, sizeof target, LOCK "?token=%lu", token);
    call("DELETE", target, actor, NULL);
    expect_status(200);
}

/* Sends an acquisition that waits. */
static struct wire wait_as(const char *actor) {
    struct wire waiting = wire_open();
    wire_send(&waiting,
              "POST " LOCK "?wait_s=60&ttl_s=600 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
              "Content-Length: 0\r\n%s\r\n",
              port, actor);
    return waiting;
}

/* Asks until so many wait. */
static void until_waiting(int count) {
    char text[32];
    snprintf(text, sizeof text, "\"waiting\":%d", count);
    do {
        call("GET", LOCK, "", NULL);
        expect_status(200);
    } while (strstr(got.body, text) == NULL);
}

static void a_lock_goes_from_one_client_to_the_next(void **state) {
    (void)state;
    struct answer answer = {0};
    unsigned long token = acquire(ANN);
    call("POST", LOCK, BOB, NULL);
    expect_problem(423, "LOCKED", NULL);
    expect_body("\"holder\":\"ann\"");
    expect_header("Retry-After", "600");
    struct wire bob = wait_as(BOB);
    until_waiting(1);
    release(ANN, token);
    assert_true(wire_answer(&bob, false, &answer));
    assert_int_equal(answer.status, 201);
    assert_non_null(strstr(answer.body, "\"holder\":\"bob\""));
    call("GET", "/v1/main/locks", "", NULL);
    expect_body("\"holder\":\"bob\"");
    answer_done(&answer);
    wire_close(&bob);
}

static void a_client_that_leaves_does_not_get_the_lock(void **state) {
    (void)state;
    unsigned long token = acquire(ANN);
    struct wire bob = wait_as(BOB);
    until_waiting(1);
    wire_close(&bob);
    until_waiting(0);
    release(ANN, token);
    call("GET", LOCK, "", NULL);
    expect_problem(404, "NOT_FOUND", NULL);
    acquire(ANN);
}

static void stopping_answers_those_who_wait(void **state) {
    (void)state;
    struct answer answer = {0};
    acquire(ANN);
    struct wire bob = wait_as(BOB);
    until_waiting(1);
    serve_stop();
    assert_true(wire_answer(&bob, false, &answer));
    assert_int_equal(answer.status, 503);
    assert_non_null(strstr(answer.body, "SHUTTING_DOWN"));
    answer_done(&answer);
    wire_close(&bob);
}

static void a_space_that_is_deleted_answers_those_who_wait(void **state) {
    (void)state;
    struct answer answer = {0};
    call("PUT", "/v1/team", JSON, "{}");
    expect_status(201);
    call("POST", "/v1/team/locks/x", ANN, NULL);
    expect_status(201);
    struct wire bob = wire_open();
    wire_send(&bob,
              "POST /v1/team/locks/x?wait_s=60 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
              "Content-Length: 0\r\n\r\n",
              port);
    do {
        call("GET", "/v1/team/locks/x", "", NULL);
    } while (strstr(got.body, "\"waiting\":1") == NULL);
    call("DELETE", "/v1/team", "", NULL);
    assert_true(wire_answer(&bob, false, &answer));
    assert_int_equal(answer.status, 404);
    answer_done(&answer);
    wire_close(&bob);
}

static void renewing_and_releasing_need_the_token(void **state) {
    (void)state;
    unsigned long token = acquire(ANN);
    call("PUT", LOCK, ANN JSON, "{\"ttl_s\":60}");
    expect_problem(400, "BAD_REQUEST", "token");
    char body[64];
    snprintf(body, sizeof body, "{\"token\":%lu,\"ttl_s\":60}", token);
    call("PUT", LOCK, ANN JSON, body);
    expect_status(200);
    expect_body("\"ttl_s\":60");
    call("PUT", LOCK, BOB JSON, body);
    expect_problem(403, "FORBIDDEN", NULL);
    call("PUT", LOCK "?ttl_s=4000", ANN, NULL);
    expect_problem(400, "BAD_REQUEST", "ttl_s");
    call("PUT", LOCK "?ttl_s=0", ANN, NULL);
    expect_problem(400, "BAD_REQUEST", "ttl_s");
    call("POST", LOCK, ANN JSON, "{\"ttl_s\":0}");
    expect_problem(400, "BAD_REQUEST", "/ttl_s");
    release(ANN, token);
    call("PUT", LOCK, ANN JSON, body);
    expect_problem(409, "LOCK_LOST", "token");
}

static void a_write_may_rely_on_a_lock(void **state) {
    (void)state;
    char target[128], body[160];
    unsigned long token = acquire(ANN);
    snprintf(target, sizeof target, "/v1/main/records/runs/1?lock=nightly&lock_token=%lu", token);
    call("PUT", target, JSON, "{\"n\":1}");
    expect_status(201);
    snprintf(
        body, sizeof body,
        "{\"base_version\":1,\"data\":{\"n\":2},\"lock\":{\"name\":\"nightly\",\"token\":%lu}}",
        token);
    call("PUT", "/v1/main/records/runs/1", STET, body);
    expect_status(200);
    release(ANN, token);
    call("PUT", "/v1/main/records/runs/2?lock=nightly&lock_token=1", JSON, "{}");
    expect_problem(409, "LOCK_LOST", "lock");
    snprintf(body, sizeof body,
             "{\"mutations\":[{\"op\":\"create\",\"type\":\"runs\",\"id\":\"2\",\"data\":{},"
             "\"lock\":{\"name\":\"nightly\",\"token\":%lu}}]}",
             token);
    call("POST", "/v1/main/transactions", JSON, body);
    expect_problem(409, "LOCK_LOST", NULL);
    call("PUT", "/v1/main/records/runs/2?lock=nightly", JSON, "{}");
    expect_problem(400, "BAD_REQUEST", "lock_token");
}

static void a_repeated_acquisition_is_the_same_one(void **state) {
    (void)state;
    call("POST", LOCK, ANN JSON "Idempotency-Key: k1\r\n", "{\"ttl_s\":60,\"note\":\"backup\"}");
    expect_status(201);
    call("POST", LOCK, ANN JSON "Idempotency-Key: k1\r\n", "{\"ttl_s\":60,\"note\":\"backup\"}");
    expect_status(201);
    expect_header("Idempotency-Replayed", "true");
    expect_body("\"note\":\"backup\"");
    call("POST", LOCK, ANN JSON, "{\"ttl_s\":60}");
    expect_problem(423, "LOCKED", NULL);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_lock_goes_from_one_client_to_the_next),
        TEST(a_client_that_leaves_does_not_get_the_lock),
        TEST(stopping_answers_those_who_wait),
        TEST(a_space_that_is_deleted_answers_those_who_wait),
        TEST(renewing_and_releasing_need_the_token),
        TEST(a_write_may_rely_on_a_lock),
        TEST(a_repeated_acquisition_is_the_same_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
