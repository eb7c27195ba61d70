/*
 * Conflicts that wait, over HTTP: parked, listed, settled by one or many, opened again, in the inbox and in the feed.
 */
#include "wire.h"

#include <stdio.h>
#include <string.h>

#define ONE "/v1/main/records/deals/1"
#define ANN "Stet-Actor: ann\r\n"
#define BEN "Stet-Actor: ben\r\n"

static int setup(void **state) {
    (void)state;
    serve_plainly();
    return 0;
}

/* A target under …/conflicts; valid until the next call. */
static const char *of(const char *id, const char *rest) {
    static char target[160];
    snprintf(target, sizeof target, "/v1/main/conflicts/%s%s", id, rest);
    return target;
}

/* ann's write, which waits. Returns the conflict's id. */
static const char *parked(const char *record) {
    static char ids[8][64];
    static int next;
    char target[128];
    snprintf(target, sizeof target, "/v1/main/records/deals/%s", record);
    call("PUT", target, JSON BEN, "{\"amount\":1}");
    call("PUT", target, JSON BEN "If-Match: \"1\"\r\n", "{\"amount\":2}");
    snprintf(target, sizeof target, "/v1/main/records/deals/%s?on_conflict=ask", record);
    call("PUT", target, JSON ANN "If-Match: \"1\"\r\n", "{\"amount\":3}");
    expect_status(202);
    char *id = ids[next++ % 8];
    snprintf(id, sizeof ids[0], "%s", member("conflict_id"));
    return id;
}

static void a_parked_write_is_listed_shown_and_settled(void **state) {
    (void)state;
    const char *id = parked("1");
    expect_body("\"fallback\":\"server_wins\"");
    call("GET", "/v1/main/conflicts?type=deals&record=deals%2F1&person=ann&older_than=0", "", NULL);
    expect_status(200);
    expect_body(id);
    expect_body("\"open\":1");
    call("GET", "/v1/main/records/deals/1/concurrency", "", NULL);
    expect_body("\"has_conflicts\":true");
    call("GET", of(id, ""), ANN, NULL);
    expect_status(200);
    expect_header("ETag", "\"1\"");
    char body[256];
    const char *token = member("resolution_token");
    snprintf(body, sizeof body,
             "{\"choice\":\"yours\",\"resolution_token\":\"%s\",\"yours\":{\"amount\":4}}", token);
    call("POST", of(id, "/resolve"), JSON ANN, body);
    expect_problem(400, "BAD_REQUEST", "yours");
    snprintf(body, sizeof body,
             "{\"choice\":\"yours\",\"resolution_token\":\"%s\",\"yours\":{\"amount\":3}}", token);
    call("POST", of(id, "/resolve"), JSON ANN, body);
    expect_status(200);
    expect_body("\"state\":\"resolved\"");
    expect_body("\"data\":{\"amount\":3}");
    call("POST", of(id, "/resolve"), JSON ANN, body);
    expect_problem(409, "ALREADY_RESOLVED", NULL);
    expect_body("\"resolved_by\":\"ann\"");
    call("GET", ONE, "", NULL);
    expect_body("\"version\":3");
}

static void what_a_resolution_must_say(void **state) {
    (void)state;
    const char *id = parked("1");
    call("POST", of(id, "/resolve"), JSON ANN, "{\"choice\":\"yours\"}");
    expect_problem(400, "BAD_REQUEST", "resolution_token");
    call("POST", of(id, "/resolve"), JSON ANN, "{\"choice\":\"best\"}");
    expect_problem(400, "BAD_REQUEST", "/choice");
    call("POST", of(id, "/resolve"), JSON ANN, "{\"choice\":\"current\",\"deadline\":1}");
    expect_problem(400, "BAD_REQUEST", "/deadline");
    call("POST", of(id, "/resolve"), JSON ANN,
         "{\"choice\":\"yours\",\"resolution_token\":\"AAAA\"}");
    expect_problem(400, "TOKEN_INVALID", "resolution_token");
    call("POST", of(id, "/resolve"), JSON ANN "Idempotency-Key: k\r\n", "{\"choice\":\"current\"}");
    expect_problem(400, "BAD_REQUEST", "Idempotency-Key");
    call("POST", of("nothing", "/resolve"), JSON ANN, "{\"choice\":\"current\"}");
    expect_problem(404, "NOT_FOUND", "id");
    call("GET", "/v1/main/conflicts?state=shut", "", NULL);
    expect_problem(400, "BAD_REQUEST", "state");
    call("GET", "/v1/main/conflicts?limit=501", "", NULL);
    expect_problem(400, "BAD_REQUEST", "limit");
    call("GET", "/v1/main/conflicts?limit=0", "", NULL);
    expect_problem(400, "BAD_REQUEST", "limit");
}

static void many_are_settled_by_name_each_for_itself(void **state) {
    (void)state;
    char body[512];
    const char *first = parked("1");
    const char *second = parked("2");
    snprintf(body, sizeof body,
             "{\"conflicts\":[{\"id\":\"%s\",\"choice\":\"current\"},"
             "{\"id\":\"none\",\"choice\":\"current\"},{\"id\":\"%s\",\"choice\":\"merged\"}]}",
             first, second);
    call("POST", "/v1/main/conflicts/resolve", JSON, body);
    expect_status(200);
    expect_body("\"resolved\":1,\"refused\":2");
    expect_body("\"id\":\"none\",\"resolved\":false,\"code\":\"NOT_FOUND\"");
    call("GET", of(second, ""), "", NULL);
    expect_body("\"state\":\"open\"");
    call("POST", "/v1/main/conflicts/resolve", JSON, "{\"conflicts\":[]}");
    expect_problem(413, "TOO_LARGE", "/conflicts");
    call("POST", "/v1/main/conflicts/resolve", JSON, "{\"conflicts\":[{\"id\":\"1\"}]}");
    expect_problem(400, "BAD_REQUEST", "/conflicts/0/choice");
}

static void many_are_settled_by_what_a_list_asks(void **state) {
    (void)state;
    parked("1");
    parked("2");
    call("POST", "/v1/main/conflicts/resolve", JSON,
         "{\"filter\":{\"record\":\"deals/1\"},\"choice\":\"current\"}");
    expect_body("\"resolved\":1,\"refused\":0");
    call("POST", "/v1/main/conflicts/resolve", JSON,
         "{\"filter\":{\"type\":\"deals\"},\"choice\":\"yours\"}");
    expect_problem(400, "BAD_REQUEST", "/choice");
    call("POST", "/v1/main/conflicts/resolve", JSON, "{\"filter\":{},\"choice\":\"current\"}");
    expect_body("\"resolved\":1,\"refused\":0");
    call("POST", "/v1/main/conflicts/resolve", JSON, "{\"filter\":{},\"choice\":\"current\"}");
    expect_body("\"results\":[]");
    call("POST", "/v1/main/conflicts/resolve", JSON, "{\"choice\":\"current\"}");
    expect_problem(400, "BAD_REQUEST", "/conflicts");
}

static void the_inbox_holds_what_waits_and_what_was_overwritten(void **state) {
    (void)state;
    parked("1");
    call("GET", "/v1/main/inbox?unread=1", ANN, NULL);
    expect_body("\"unread\":1");
    call("PUT", ONE "?on_conflict=last_writer_wins", JSON ANN "If-Match: \"1\"\r\n",
         "{\"amount\":9}");
    expect_status(200);
    call("GET", "/v1/main/inbox", BEN, NULL);
    expect_body("\"state\":\"overwritten\"");
    expect_body("\"overwritten_by\":\"ann\"");
    char target[128], body[128], id[64];
    snprintf(id, sizeof id, "%s", member("id"));
    snprintf(body, sizeof body, "{\"ids\":[\"%s\"]}", id);
    call("POST", "/v1/main/inbox/read", JSON BEN, body);
    expect_body("\"marked\":1,\"unread\":0");
    call("POST", "/v1/main/inbox/read", JSON BEN, "{\"all\":true}");
    expect_body("\"marked\":0,\"unread\":0");
    call("POST", "/v1/main/inbox/read", JSON BEN, "{}");
    expect_problem(400, "BAD_REQUEST", "/ids");
    call("POST", of(id, "/reopen"), JSON BEN, "{}");
    expect_problem(428, "PRECONDITION_REQUIRED", NULL);
    snprintf(target, sizeof target, "/v1/main/inbox/%s", id);
    call("DELETE", target, BEN, NULL);
    expect_status(200);
    call("POST", of(id, "/reopen"), BEN "If-Match: \"3\"\r\n", NULL);
    expect_status(200);
    expect_body("\"event\":\"reopened\"");
    call("DELETE", target, BEN, NULL);
    expect_problem(403, "FORBIDDEN", "id");
}

static void who_asks_for_conflicts_hears_of_them(void **state) {
    (void)state;
    const char *id = parked("1");
    call("POST", of(id, "/resolve"), JSON BEN, "{\"choice\":\"current\"}");
    expect_status(200);
    call("GET", "/v1/main/changes?since=0&events=conflict", "", NULL);
    expect_body("\"event\":\"opened\",\"user\":\"ann\",\"address\":\"deals/1\"");
    expect_body("\"affected_data\":[\"/amount\"]");
    expect_body("\"resolution_options\":[\"yours\",\"current\",\"fields\",\"custom\"]");
    expect_body("\"auto_resolve_in\":86400");
    expect_body("\"event\":\"resolved\",\"user\":\"ben\"");
    expect_no_body("\"record\":{");
    call("GET", "/v1/main/changes?since=0", "", NULL);
    expect_no_body("\"event\":\"opened\"");
    call("GET", "/v1/main/changes?events=weather", "", NULL);
    expect_problem(400, "BAD_REQUEST", "events");
    struct wire stream = wire_open();
    wire_send(&stream,
              "GET /v1/main/changes?since=0&type=stet.conflict HTTP/1.1\r\nHost: "
              "127.0.0.1:%d\r\nAccept: text/event-stream\r\n\r\n",
              port);
    assert_true(wire_until(&stream, "event: conflict"));
    wire_close(&stream);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_parked_write_is_listed_shown_and_settled, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_resolution_must_say, setup, teardown),
        cmocka_unit_test_setup_teardown(many_are_settled_by_name_each_for_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(many_are_settled_by_what_a_list_asks, setup, teardown),
        cmocka_unit_test_setup_teardown(the_inbox_holds_what_waits_and_what_was_overwritten, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_asks_for_conflicts_hears_of_them, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
