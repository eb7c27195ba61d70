/*
 * The request queue over real sockets: who waits for work, who leaves with work in hand, and what those who asked for it see.
 */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPERATIONS "/v1/main/operations"
#define LANE "/v1/main/lanes/agents"
#define CLAIM LANE "/claim"
#define ANN "Stet-Actor: ann\r\n"

static char id[128];

static int setup(void **state) {
    (void)state;
    serve_plainly();
    return 0;
}

static void keep_id(void) { snprintf(id, sizeof id, "%s", member("id")); }

static void submit(void) {
    call("POST", OPERATIONS, ANN JSON, "{\"lane\":\"agents\",\"input\":{\"n\":1}}");
    expect_status(202);
    keep_id();
}

/* A claim on a connection of its own. Leases last far longer than the tests. */
static void send_claim(struct wire *one, const char *more) {
    char body[160];
    int size =
        snprintf(body, sizeof body, "{\"agent\":\"bob\",\"hands\":100,\"ttl_s\":600%s}", more);
    wire_send(one,
              "POST " CLAIM " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: %d\r\n" JSON
              "\r\n%s",
              port, size, body);
}

static void must_claim(struct wire *one, const char *more) {
    struct answer answer = {0};
    send_claim(one, more);
    assert_true(wire_answer(one, false, &answer));
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body, "\"lease\":{\"token\":"));
    answer_done(&answer);
}

/* By another agent: it gets what is there before its time is up. */
static unsigned long claim_as_zoe(void) {
    call("POST", CLAIM, JSON, "{\"agent\":\"zoe\",\"hands\":100,\"wait_s\":9,\"ttl_s\":600}");
    expect_status(200);
    expect_body(id);
    return strtoul(member("token"), NULL, 10);
}

static void act(const char *verb, const char *body) {
    char target[256];
    snprintf(target, sizeof target, OPERATIONS "/%s/%s", id, verb);
    call("POST", target, JSON, body);
}

static void act_with_lease(const char *verb, unsigned long token, const char *more) {
    char body[256];
    snprintf(body, sizeof body, "{\"lease\":%lu%s}", token, more);
    act(verb, body);
}

static void until_status(const char *status) {
    char target[192], text[64];
    snprintf(target, sizeof target, OPERATIONS "/%s", id);
    snprintf(text, sizeof text, "\"status\":\"%s\"", status);
    do {
        call("GET", target, "", NULL);
        expect_status(200);
    } while (strstr(got.body, text) == NULL);
}

/* ---- From the request to the result ------------------------------------------------------ */

static void a_request_is_accepted_and_says_where_it_stands(void **state) {
    (void)state;
    submit();
    submit();
    char target[192];
    snprintf(target, sizeof target, OPERATIONS "/%s", id);
    expect_header("Location", target);
    expect_body("\"status\":\"queued\"");
    expect_body("\"position\":2");
    expect_body("\"ahead\":1");
    call("GET", target, "", NULL);
    expect_status(200);
    expect_body("\"input\":{\"n\":1}");
    call("POST", OPERATIONS, JSON,
         "{\"agent\":\"a\",\"lane\":\"quoted\",\"id\":\"say \\\"so\\\"\"}");
    expect_status(202);
    expect_header("Location", OPERATIONS "/say%20%22so%22");
    call("GET", OPERATIONS "?lane=agents&status=open&limit=1", "", NULL);
    expect_status(200);
    expect_body("\"next\"");
    call("GET", LANE, "", NULL);
    expect_status(200);
    expect_body("\"normal\":2");
}

static void a_dry_run_leaves_nothing(void **state) {
    (void)state;
    call("POST", OPERATIONS "?dry_run=1", JSON, "{\"lane\":\"agents\"}");
    expect_status(202);
    assert_null(header("Location"));
    call("GET", OPERATIONS, "", NULL);
    expect_body("\"operations\":[]");
}

static void a_repeated_request_is_the_same_one(void **state) {
    (void)state;
    call("POST", OPERATIONS, JSON "Idempotency-Key: k\r\n", "{\"lane\":\"agents\"}");
    expect_status(202);
    keep_id();
    call("POST", OPERATIONS, JSON "Idempotency-Key: k\r\n", "{\"lane\":\"agents\"}");
    expect_status(202);
    expect_header("Idempotency-Replayed", "true");
    expect_body(id);
    call("POST", OPERATIONS, JSON "Idempotency-Key: k\r\n", "{\"lane\":\"others\"}");
    expect_problem(422, "KEY_REUSED", NULL);
}

static void an_agent_takes_tells_and_finishes(void **state) {
    (void)state;
    submit();
    unsigned long token = claim_as_zoe();
    expect_body("\"input\":{\"n\":1}");
    act_with_lease("progress", token, ",\"percent\":40,\"message\":\"looking\"");
    expect_status(200);
    expect_body("\"cancel\":false");
    char target[192];
    snprintf(target, sizeof target, OPERATIONS "/%s", id);
    call("GET", target, "", NULL);
    expect_body("\"percent\":40");
    expect_body("looking");
    act_with_lease("progress", token, ",\"percent\":39");
    expect_problem(400, "BAD_REQUEST", "/percent");
    act_with_lease("complete", token + 1, "");
    expect_problem(409, "LEASE_LOST", "/lease");
    act_with_lease("complete", token,
                   ",\"result\":{\"days\":3},\"mutations\":[{\"op\":\"create\",\"type\":\"trips\","
                   "\"id\":\"1\",\"data\":{\"city\":\"Rome\"}}]");
    expect_status(200);
    expect_body("\"status\":\"completed\"");
    expect_body("\"address\":\"trips/1\"");
    call("GET", "/v1/main/records/trips/1", "", NULL);
    expect_status(200);
    act_with_lease("progress", token, "");
    expect_problem(409, "OPERATION_FINISHED", NULL);
}

static void a_run_that_failed_says_when_to_try_again(void **state) {
    (void)state;
    submit();
    unsigned long token = claim_as_zoe();
    act_with_lease("fail", token, ",\"error\":\"closed on Sunday\",\"retry_after_s\":600");
    expect_problem(400, "BAD_REQUEST", "/retry_after_s");
    act_with_lease("fail", token, ",\"error\":\"closed\",\"retry\":true,\"retry_after_s\":2592001");
    expect_problem(400, "BAD_REQUEST", "/retry_after_s");
    act_with_lease("fail", token, ",\"error\":\"closed\",\"retry\":true,\"retry_after_s\":600");
    expect_status(200);
    expect_body("\"status\":\"retrying\"");
    char target[192];
    snprintf(target, sizeof target, OPERATIONS "/%s", id);
    call("GET", target, "", NULL);
    expect_body("\"delayed\":true");
}

static void a_commit_that_meets_a_conflict_stays_with_its_agent(void **state) {
    (void)state;
    call("PUT", "/v1/main/records/trips/1", JSON, "{\"n\":1}");
    submit();
    unsigned long token = claim_as_zoe();
    call("PUT", "/v1/main/records/trips/1?base_version=1", JSON, "{\"n\":2}");
    act_with_lease("complete", token,
                   ",\"mutations\":[{\"op\":\"put\",\"type\":\"trips\",\"id\":\"1\","
                   "\"base_version\":1,\"data\":{\"n\":9}}]");
    expect_problem(409, "CONCURRENT_MODIFICATION", NULL);
    expect_body("\"retry\":{\"retries\":1");
    act_with_lease("complete", token,
                   ",\"mutations\":[{\"op\":\"put\",\"type\":\"trips\",\"id\":\"1\","
                   "\"base_version\":2,\"data\":{\"n\":9}}]");
    expect_status(200);
}

static void a_lane_that_is_full_says_when_to_come_back(void **state) {
    (void)state;
    call("PUT", LANE, JSON, "{\"max_queued\":1}");
    expect_status(200);
    submit();
    call("POST", OPERATIONS, JSON, "{\"lane\":\"agents\"}");
    expect_problem(429, "QUEUE_FULL", NULL);
    assert_non_null(header("Retry-After"));
    expect_body("\"retry_after\":");
}

static void settings_may_be_changed_under_a_version(void **state) {
    (void)state;
    call("PUT", LANE, JSON, "{\"width\":2}");
    expect_status(200);
    expect_header("ETag", "\"1\"");
    call("PUT", LANE, JSON, "{\"age_s\":60}");
    expect_status(200);
    expect_body("\"width\":2");
    call("PUT", LANE, JSON "If-Match: \"1\"\r\n", "{\"width\":3}");
    expect_problem(412, "CONCURRENT_MODIFICATION", NULL);
    call("PUT", LANE "?base_version=1", JSON, "{\"width\":3}");
    expect_problem(409, "CONCURRENT_MODIFICATION", NULL);
    call("PUT", LANE, STET, "{\"base_version\":2,\"data\":{\"width\":null}}");
    expect_status(200);
    expect_body("\"width\":1");
}

static void a_lane_that_is_paused_starts_nothing(void **state) {
    (void)state;
    submit();
    call("POST", LANE "/pause", "", NULL);
    expect_status(200);
    expect_body("\"paused\":true");
    call("POST", CLAIM, JSON, "{\"agent\":\"zoe\"}");
    expect_status(200);
    expect_body("\"operations\":[]");
    call("POST", LANE "/resume", "", NULL);
    expect_status(200);
    claim_as_zoe();
    call("POST", LANE "/drain", JSON, "{}");
    expect_status(200);
    call("POST", OPERATIONS, JSON, "{\"lane\":\"agents\"}");
    expect_problem(429, "QUEUE_FULL", NULL);
}

/* ---- Connections ------------------------------------------------------------------------- */

static void a_claim_waits_for_work(void **state) {
    (void)state;
    struct answer answer = {0};
    struct wire bob = wire_open();
    send_claim(&bob, ",\"wait_s\":60");
    submit();
    assert_true(wire_answer(&bob, false, &answer));
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body, id));
    answer_done(&answer);
    wire_close(&bob);
    until_status("running"); /* Only what is bound ends with its connection. */
}

static void a_client_that_leaves_claims_nothing(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct wire bob = wire_open();
        send_claim(&bob, ",\"wait_s\":60");
        wire_close(&bob);
        submit();
        act_with_lease("complete", claim_as_zoe(), "");
        expect_status(200);
    }
}

/* Its leaving and the operation's coming meet in every order. */
static void a_bound_claim_that_ends_while_it_is_answered_is_given_back(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct wire bob = wire_open();
        send_claim(&bob, ",\"wait_s\":60,\"bind\":true");
        submit();
        wire_close(&bob);
        act_with_lease("complete", claim_as_zoe(), "");
        expect_status(200);
    }
}

static void what_is_bound_is_given_back_with_the_connection(void **state) {
    (void)state;
    submit();
    struct wire bob = wire_open();
    must_claim(&bob, ",\"bind\":true");
    until_status("running");
    wire_close(&bob);
    act_with_lease("complete", claim_as_zoe(), "");
    expect_status(200);
    wait_for_metric("stet_http_leases_returned_total 1");
}

static void what_is_claimed_with_a_completion_is_bound_as_well(void **state) {
    (void)state;
    char first[128], body[128];
    submit();
    struct wire bob = wire_open();
    struct answer answer = {0};
    send_claim(&bob, ",\"bind\":true");
    assert_true(wire_answer(&bob, false, &answer));
    unsigned long token = strtoul(strstr(answer.body, "\"token\":") + 8, NULL, 10);
    answer_done(&answer);
    snprintf(first, sizeof first, "%s", id);
    submit();
    int size =
        snprintf(body, sizeof body, "{\"lease\":%lu,\"claim_next\":true,\"bind\":true}", token);
    wire_send(&bob,
              "POST " OPERATIONS "/%s/complete HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" JSON
              "Content-Length: %d\r\n\r\n%s",
              first, port, size, body);
    assert_true(wire_answer(&bob, false, &answer));
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body, id));
    answer_done(&answer);
    wire_close(&bob);
    claim_as_zoe();
    wait_for_metric("stet_http_leases_returned_total 1");
}

static void what_is_finished_is_not_given_back(void **state) {
    (void)state;
    struct answer answer = {0};
    submit();
    struct wire bob = wire_open();
    send_claim(&bob, ",\"bind\":true");
    assert_true(wire_answer(&bob, false, &answer));
    unsigned long token = strtoul(strstr(answer.body, "\"token\":") + 8, NULL, 10);
    answer_done(&answer);
    act_with_lease("complete", token, ""); /* Over another connection. */
    expect_status(200);
    wire_close(&bob);
    wait_for_metric("stet_http_leases_returned_total 1");
    until_status("completed");
}

static void work_in_hand_keeps_its_connection(void **state) {
    (void)state;
    const struct http_options options = {.no_auth = true, .idle_timeout_s = 1};
    struct answer answer = {0};
    teardown(NULL);
    serve(&options);
    submit();
    struct wire bob = wire_open();
    send_claim(&bob, ",\"bind\":true");
    assert_true(wire_answer(&bob, false, &answer));
    unsigned long token = strtoul(strstr(answer.body, "\"token\":") + 8, NULL, 10);
    answer_done(&answer);
    /* One that came later is closed meanwhile. */
    struct wire idle = wire_open();
    wire_send(&idle, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", port);
    assert_true(wire_answer(&idle, false, &answer));
    answer_done(&answer);
    assert_true(wire_closed(&idle, 10000));
    until_status("running");
    assert_false(wire_closed(&bob, 0));
    act_with_lease("complete", token, "");
    expect_status(200);
    assert_true(wire_closed(&bob, 10000));
    wire_close(&idle);
    wire_close(&bob);
}

static void stopping_answers_claims_that_wait(void **state) {
    (void)state;
    struct answer answer = {0};
    struct wire bob = wire_open();
    call("PUT", LANE, JSON, "{}");
    send_claim(&bob, ",\"wait_s\":60");
    do {
        call("GET", LANE, "", NULL);
        expect_status(200);
    } while (strstr(got.body, "\"waiting_claims\":1") == NULL);
    serve_stop();
    assert_true(wire_answer(&bob, false, &answer));
    assert_int_equal(answer.status, 503);
    answer_done(&answer);
    wire_close(&bob);
}

/* ---- Following --------------------------------------------------------------------------- */

static struct wire follow(const char *query) {
    struct wire stream = wire_open();
    wire_send(&stream,
              "GET /v1/main/changes?%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
              "Accept: text/event-stream\r\n\r\n",
              query, port);
    assert_true(wire_until(&stream, "event: ready\n"));
    return stream;
}

static void a_stream_tells_the_place_and_then_what_happens(void **state) {
    (void)state;
    const struct http_options options = {.no_auth = true, .places_ms = 1};
    char query[192];
    teardown(NULL);
    serve(&options);
    submit();
    submit();
    snprintf(query, sizeof query, "id=stet.operation/%s", id);
    struct wire stream = follow(query);
    assert_true(wire_until(&stream, "event: queue\ndata: {\"operations\":[{\"id\":"));
    assert_true(wire_until(&stream, "\"position\":2"));
    struct wire bob = wire_open();
    must_claim(&bob, ""); /* The other one. */
    assert_true(wire_until(&stream, "\"position\":1"));
    call("PUT", LANE, JSON, "{\"width\":2}");
    expect_status(200);
    unsigned long token = claim_as_zoe();
    assert_true(wire_until(&stream, "event: operation\n"));
    assert_true(wire_until(&stream, "\"event\":\"OperationStarted\""));
    /* Given back, it has a place again. */
    act_with_lease("release", token, "");
    expect_status(200);
    assert_true(wire_until(&stream, "event: queue\n"));
    assert_true(wire_until(&stream, "\"position\":1"));
    wire_close(&bob);
    wire_close(&stream);
}

static void a_long_poll_tells_what_happened(void **state) {
    (void)state;
    submit();
    call("GET", "/v1/main/changes?since=0&events=operation", "", NULL);
    expect_status(200);
    expect_body("\"event\":\"OperationQueued\"");
    expect_body(id);
    call("GET", "/v1/main/changes?since=0", "", NULL);
    expect_no_body("OperationQueued");
}

/* ---- Bad input --------------------------------------------------------------------------- */

static void nonsense_is_refused_by_name(void **state) {
    (void)state;
    const struct {
        const char *target, *body, *field;
    } bad[] = {
        {OPERATIONS, "{\"colour\":1}", "/colour"},
        {OPERATIONS, "{\"lane\":7}", "/lane"},
        {OPERATIONS, "{\"lane\":\"\"}", "/lane"},
        {OPERATIONS, "{\"class\":\"royal\"}", "/class"},
        {OPERATIONS, "{\"depends_on\":\"x\"}", "/depends_on"},
        {OPERATIONS, "{\"depends_on\":[1]}", "/depends_on"},
        {OPERATIONS, "{\"timeout_s\":0}", "/timeout_s"},
        {OPERATIONS, "{\"timeout_s\":-1}", "/timeout_s"},
        {OPERATIONS, "{\"timeout_s\":1e99}", "/timeout_s"},
        {OPERATIONS, "{\"max_retries\":4294967296}", "/max_retries"},
        {OPERATIONS, "{\"not_before\":\"soon\"}", "/not_before"},
        {OPERATIONS, "{\"deadline\":\"1960-01-01T00:00:00Z\"}", "/deadline"},
        {OPERATIONS, "{\"target\":\"nowhere\"}", "/target"},
        {OPERATIONS, "{\"agent\":\"a\",\"function\":\"f\"}", "/function"},
        {OPERATIONS, "{\"client_mutation_id\":\"\"}", "/client_mutation_id"},
        {OPERATIONS "?lane=x", "{}", "lane"},
        {OPERATIONS "/x/progress", "{\"percent\":1}", "/lease"},
        {OPERATIONS "/x/progress", "{\"lease\":\"1\"}", "/lease"},
        {OPERATIONS "/x/progress", "{\"lease\":1,\"percent\":\"1\"}", "/percent"},
        {OPERATIONS "/x/progress", "{\"lease\":1,\"percent\":101}", "/percent"},
        {OPERATIONS "/x/progress", "{\"lease\":1,\"percent\":-1}", "/percent"},
        {OPERATIONS "/x/complete", "{\"lease\":1,\"mutations\":[{\"op\":\"put\"}]}",
         "/mutations/0/data"},
        {OPERATIONS "/x/complete", "{\"lease\":1,\"mutations\":{}}", "/mutations"},
        {OPERATIONS "/x/complete", "{\"lease\":1,\"bind\":true}", "/bind"},
        {OPERATIONS "/x/fail", "{\"lease\":1,\"error\":7}", "/error"},
        {OPERATIONS "/x/release", "{\"lease\":1,\"error\":\"x\"}", "/error"},
        {OPERATIONS "/x/cancel", "{\"reason\":7}", "/reason"},
        {OPERATIONS "/x/retry", "{\"now\":true}", "/now"},
        {CLAIM, "{}", "/agent"},
        {CLAIM, "{\"agent\":\"a\",\"hands\":0}", "/hands"},
        {CLAIM, "{\"agent\":\"a\",\"hands\":1000000}", "/hands"},
        {CLAIM, "{\"agent\":\"a\",\"wait_s\":61}", "/wait_s"},
        {CLAIM, "{\"agent\":\"a\",\"bind\":1}", "/bind"},
        {CLAIM "?wait_s=1", "{\"agent\":\"a\"}", "wait_s"},
        {LANE "/pause", "{\"x\":1}", "/x"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        call("POST", bad[i].target, JSON, bad[i].body);
        expect_problem(400, "BAD_REQUEST", bad[i].field);
    }
}

static void limits_are_told(void **state) {
    (void)state;
    char target[256], name[80], body[200];
    memset(name, 'x', 65);
    name[65] = '\0';
    snprintf(target, sizeof target, "/v1/main/lanes/%s/claim", name);
    call("POST", target, JSON, "{\"agent\":\"a\"}");
    expect_body("\"limit\":64");
    snprintf(body, sizeof body, "{\"lane\":\"%s\"}", name);
    call("POST", OPERATIONS, JSON, body);
    expect_body("\"limit\":64");
    expect_body("\"field\":\"/lane\"");
    call("POST", OPERATIONS, "Content-Type: text/plain\r\n", "x");
    expect_problem(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type");
    call("POST", OPERATIONS, JSON, "{\"parent\":\"nobody\"}");
    expect_problem(404, "NOT_FOUND", "/parent");
    call("POST", OPERATIONS, JSON, "{\"depends_on\":[\"nobody\"]}");
    expect_problem(404, "NOT_FOUND", "/depends_on");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_accepted_and_says_where_it_stands),
        TEST(a_dry_run_leaves_nothing),
        TEST(a_repeated_request_is_the_same_one),
        TEST(an_agent_takes_tells_and_finishes),
        TEST(a_run_that_failed_says_when_to_try_again),
        TEST(a_commit_that_meets_a_conflict_stays_with_its_agent),
        TEST(a_lane_that_is_full_says_when_to_come_back),
        TEST(settings_may_be_changed_under_a_version),
        TEST(a_lane_that_is_paused_starts_nothing),
        TEST(a_claim_waits_for_work),
        TEST(a_client_that_leaves_claims_nothing),
        TEST(a_bound_claim_that_ends_while_it_is_answered_is_given_back),
        TEST(what_is_bound_is_given_back_with_the_connection),
        TEST(what_is_claimed_with_a_completion_is_bound_as_well),
        TEST(what_is_finished_is_not_given_back),
        TEST(work_in_hand_keeps_its_connection),
        TEST(stopping_answers_claims_that_wait),
        TEST(a_stream_tells_the_place_and_then_what_happens),
        TEST(a_long_poll_tells_what_happened),
        TEST(nonsense_is_refused_by_name),
        TEST(limits_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
