/*
 * Live connections over time: pings, positions, and the end of those who are not there any more. With a heartbeat of a second.
 */
#include "wire.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define SHAKE                                                                                      \
    "GET /v1/main/live HTTP/1.1\r\nHost: localhost:%d\r\nConnection: Upgrade\r\nUpgrade: "         \
    "websocket\r\n"                                                                                \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"                 \
    "Sec-WebSocket-Protocol: stet.v1\r\n\r\n"

static const struct http_options options = {
    .no_auth = true, .bookmark_s = 1, .body_timeout_s = 1, .idle_timeout_s = 2, .io_threads = 1};

static int setup(void **state) {
    (void)state;
    serve(&options);
    return 0;
}

static struct wire live_open(void) {
    struct wire live = wire_open();
    wire_send(&live, SHAKE, port);
    assert_true(wire_until(&live, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert_true(wire_until(&live, "\r\n\r\n"));
    return live;
}

/* Masked with zeros: the text stays readable. */
static void say(struct wire *live, const char *text) {
    unsigned char head[6] = {0x81, (unsigned char)(0x80 | strlen(text))};
    assert_true(strlen(text) < 126);
    wire_send_bytes(live, head, sizeof head);
    wire_send_bytes(live, text, strlen(text));
}

static void pong(struct wire *live) { wire_send_bytes(live, "\x8A\x80\0\0\0\0", 6); }

static void who_answers_pings_stays(void **state) {
    struct wire live = live_open();
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_true(wire_until(&live, "\x89"));
        pong(&live);
    }
    say(&live, "{\"id\":1,\"op\":\"hello\"}");
    assert_true(wire_until(&live, "\"heartbeat_s\":1,"));
    wire_close(&live);
}

static void who_answers_nothing_is_dropped(void **state) {
    struct wire live = live_open();
    (void)state;
    assert_true(wire_until(&live, "\x89"));
    assert_true(wire_closed(&live, 5000));
    wire_close(&live);
    wait_for_metric("stet_http_live_connections 0\n");
    wait_for_metric("stet_http_slow_clients_total{phase=\"idle\"} 1\n");
}

static void a_quiet_subscription_gets_its_position(void **state) {
    struct wire live = live_open();
    (void)state;
    call("PUT", "/v1/main/records/t/1", JSON, "{}");
    say(&live, "{\"id\":1,\"op\":\"subscribe\",\"sub\":\"a\"}");
    assert_true(
        wire_until(&live, "\"sub\":\"a\",\"event\":\"ready\",\"id\":1,\"data\":{\"seq\":1}}"));
    assert_true(wire_until(&live, "\x89"));
    pong(&live);
    assert_true(
        wire_until(&live, "\"sub\":\"a\",\"event\":\"bookmark\",\"id\":1,\"data\":{\"seq\":1}}"));
    wire_close(&live);
}

static void a_message_must_be_whole_in_time(void **state) {
    struct wire live = live_open();
    (void)state;
    wire_send_bytes(&live, "\x01\x80\0\0\0\0", 6);
    for (int i = 0; i < 3; i++) {
        if (!wire_until(&live, "\x89")) break;
        pong(&live);
        if (wire_closed(&live, 10)) break;
    }
    wire_close(&live);
    wait_for_metric("stet_http_slow_clients_total{phase=\"body\"} 1\n");
}

static void a_reader_that_takes_nothing_is_cut_off(void **state) {
    static char data[600 * 1024];
    struct wire live = live_open();
    (void)state;
    say(&live, "{\"id\":1,\"op\":\"subscribe\",\"sub\":\"a\"}");
    memset(data, 'x', sizeof data - 1);
    memcpy(data, "{\"x\":\"", 6);
    memcpy(data + sizeof data - 3, "\"}", 3);
    bool lags = false;
    for (int i = 0; i < 200 && !lags; i++) {
        char target[64];
        snprintf(target, sizeof target, "/v1/main/records/t/%d", i);
        call("PUT", target, JSON, data);
        expect_status(201);
        pong(&live); /* So that it is not for its silence. */
        call("GET", "/metrics", "", NULL);
        lags = strstr(got.body, "stet_http_live_lagging 1\n") != NULL;
    }
    assert_true(lags);
    wait_for_metric("stet_http_live_connections 0\n");
    wait_for_metric("stet_http_live_lagging 0\n");
    wire_close(&live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(who_answers_pings_stays),
        TEST(who_answers_nothing_is_dropped),
        TEST(a_quiet_subscription_gets_its_position),
        TEST(a_message_must_be_whole_in_time),
        TEST(a_reader_that_takes_nothing_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
