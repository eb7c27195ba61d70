/*
 * Live connections on several loops at once: those at one record see each other come, write and go, whichever thread they are on. Of suite
 * "threads", so that the thread sanitizer sees it.
 */
#include "wire.h"

#include <stdio.h>
#include <string.h>

#define SHAKE                                                                                      \
    "GET /v1/main/live HTTP/1.1\r\nHost: localhost:%d\r\nConnection: Upgrade\r\nUpgrade: "         \
    "websocket\r\nStet-Actor: p%d\r\n"                                                             \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"                 \
    "Sec-WebSocket-Protocol: stet.v1\r\n\r\n"

enum { LOOPS = 4, PEOPLE = 12, ROUNDS = 20 };

static struct wire people[PEOPLE];

static int setup(void **state) {
    static const struct http_options options = {.no_auth = true, .io_threads = LOOPS};
    (void)state;
    serve(&options);
    call("PUT", "/v1/main/records/t/1", JSON, "{}");
    expect_status(201);
    for (int i = 0; i < PEOPLE; i++) {
        people[i] = wire_open();
        wire_send(&people[i], SHAKE, port, i);
    }
    for (int i = 0; i < PEOPLE; i++)
        assert_true(wire_until(&people[i], "\r\n\r\n"));
    return 0;
}

/* Masked with zeros: the text stays readable. */
static void say(struct wire *live, const char *text) {
    size_t size = strlen(text);
    unsigned char head[8] = {0x81, (unsigned char)(0x80 | (size < 126 ? size : 126))};
    if (size >= 126) {
        head[2] = (unsigned char)(size >> 8);
        head[3] = (unsigned char)size;
    }
    wire_send_bytes(live, head, size < 126 ? 6 : 8);
    wire_send_bytes(live, text, size);
}

static void all_say(const char *text) {
    for (int i = 0; i < PEOPLE; i++)
        say(&people[i], text);
}

static void close_from(int first) {
    for (int i = first; i < PEOPLE; i++)
        wire_close(&people[i]);
}

static int leave(void **state) {
    close_from(0);
    return teardown(state);
}

static void all_hear(const char *text) {
    for (int i = 0; i < PEOPLE; i++)
        assert_true(wire_until(&people[i], text));
}

static void people_on_all_loops_come_and_go_at_one_record(void **state) {
    char text[64];
    (void)state;
    all_say("{\"id\":1,\"op\":\"subscribe\",\"sub\":\"a\",\"ids\":[\"t/1\"]}");
    for (int round = 0; round < ROUNDS; round++) {
        all_say("{\"id\":2,\"op\":\"present\",\"address\":\"t/1\",\"version\":1}");
        all_say("{\"id\":3,\"op\":\"absent\",\"address\":\"t/1\"}");
    }
    all_say("{\"id\":4,\"op\":\"present\",\"address\":\"t/1\",\"version\":1}");
    snprintf(text, sizeof text, "\"count\":%d}", PEOPLE);
    all_hear(text);
    close_from(PEOPLE / 2);
    snprintf(text, sizeof text, "stet_http_present %d\n", PEOPLE / 2);
    wait_for_metric(text);
    snprintf(text, sizeof text, "\"count\":%d}", PEOPLE / 2);
    assert_true(wire_until(&people[0], text));
}

static void all_write_and_hear_of_all(void **state) {
    char text[256];
    (void)state;
    all_say("{\"id\":1,\"op\":\"subscribe\",\"sub\":\"a\",\"type\":[\"w\"]}");
    all_hear("\"event\":\"ready\"");
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PEOPLE; i++) {
            snprintf(
                text, sizeof text,
                "{\"id\":%d,\"op\":\"mutate\",\"mutations\":[{\"op\":\"create\",\"type\":\"w\","
                "\"id\":\"%d-%d\",\"data\":{}}]}",
                round + 2, i, round);
            say(&people[i], text);
        }
    }
    /* The last of all changes: one for each write, and the one of the setup. */
    snprintf(text, sizeof text, "\"event\":\"change\",\"id\":%d,", PEOPLE * ROUNDS + 1);
    all_hear(text);
}

static void a_stop_ends_all_of_them_at_once(void **state) {
    (void)state;
    all_say("{\"id\":1,\"op\":\"present\",\"address\":\"t/1\"}");
    all_hear("{\"id\":1,\"status\":200");
    serve_stop();
    all_hear("{\"event\":\"end\",\"data\":{\"code\":\"SHUTTING_DOWN\"}}");
    all_hear("\x88\x02\x03\xE9"); /* Close, 1001. */
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, leave)
        TEST(people_on_all_loops_come_and_go_at_one_record),
        TEST(all_write_and_hear_of_all),
        TEST(a_stop_ends_all_of_them_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
