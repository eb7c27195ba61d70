/*
 * Live connections where memory ends: every allocation that the loop makes for one, from the handshake to its end, fails in turn, once and for good.
 * Each message is answered rightly or refused, or the connection ends; nothing is left of it, and the next one is served.
 *
 * Only this thread's allocations fail, which are the loop's: the engine's own are test/faults/no_memory_test.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "failing_memory.h"
#include "http/live.h"
#include "http/presence.h"
#include "http/request.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- A server of one loop, driven by this thread ------------------------------------------- */

enum { ROUNDS_MAX = 20000, HEARD_BYTES_MAX = 256 * 1024 };

static struct http_server server;
static struct loop *loop;

static void wake(void *context, unsigned index) {
    (void)context;
    (void)index;
    atomic_store(&loop->presence_due, true);
    loop_wake(loop);
}

static int setup(void **state) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7838)};
    struct sockaddr_storage storage = {0};
    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(&storage, &address, sizeof address);
    server.options = (struct http_options){
        .listen = "127.0.0.1:7838",
        .no_auth = true,
        .io_threads = 1,
        .connections_max = 100,
        .header_timeout_s = HTTP_HEADER_TIMEOUT_S,
        .body_timeout_s = HTTP_BODY_TIMEOUT_S,
        .idle_timeout_s = HTTP_IDLE_TIMEOUT_S,
        .bookmark_s = FEED_BOOKMARK_S,
    };
    assert_int_equal(stet_open(NULL, &server.engine, NULL), STET_OK);
    assert_int_equal(gate_init(&server.gate, &server.options, &storage, 1, NULL), STET_OK);
    loop = calloc(1, sizeof *loop);
    assert_non_null(loop);
    server.loops = loop;
    server.loop_count = 1;
    assert_int_equal(presence_create(1, wake, NULL, &server.presence, NULL), STET_OK);
    assert_int_equal(loop_prepare(loop, &server, 0, NULL), STET_OK);
    assert_int_equal(loop_init(loop, NULL), STET_OK);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    loop_done(loop);
    loop_unprepare(loop);
    gate_done(&server.gate);
    presence_destroy(server.presence);
    stet_close(server.engine);
    free(loop);
    return 0;
}

/* ---- One connection ------------------------------------------------------------------------ */

static int client_fd;
static char heard[HEARD_BYTES_MAX]; /* All that came, NUL-terminated. */
static size_t heard_size;
static bool over;

static void dial(void) {
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    atomic_fetch_add(&server.connections, 1);
    client_fd = pair[1];
    heard_size = 0;
    heard[0] = '\0';
    over = false;
    loop_add_socket(loop, pair[0]);
}

static void round_once(int wait_ms) {
    loop_round(loop, wait_ms);
    for (;;) {
        ssize_t size =
            recv(client_fd, heard + heard_size, sizeof heard - 1 - heard_size, MSG_DONTWAIT);
        if (size == 0) over = true;
        if (size <= 0) return;
        heard_size += (size_t)size;
        assert_true(heard_size < sizeof heard - 1);
        heard[heard_size] = '\0';
    }
}

static const char *find(const char *text) { return memmem(heard, heard_size, text, strlen(text)); }

/* False: the connection ended without it. */
static bool hears(const char *text) {
    for (int i = 0; i < ROUNDS_MAX; i++) {
        if (find(text) != NULL) return true;
        if (over) return false;
        round_once(1);
    }
    fail_msg("neither \"%s\" nor an end came: %s", text, heard);
    return false;
}

/* Masked with zeros: the text stays readable. */
static void say(const char *text) {
    size_t size = strlen(text);
    unsigned char head[8] = {0x81, (unsigned char)(0x80 | (size < 126 ? size : 126))};
    if (size >= 126) {
        head[2] = (unsigned char)(size >> 8);
        head[3] = (unsigned char)size;
    }
    (void)send(client_fd, head, size < 126 ? 6 : 8, MSG_NOSIGNAL);
    (void)send(client_fd, text, size, MSG_NOSIGNAL);
}

enum heard { ENDED, SAID };

/* Says a message; waits for its answer. *status: of the answer. */
static enum heard ask(unsigned id, const char *rest, int *status) {
    char text[512];
    char answer[32];
    snprintf(text, sizeof text, "{\"id\":%u,%s}", id, rest);
    say(text);
    snprintf(answer, sizeof answer, "{\"id\":%u,\"status\":", id);
    if (!hears(answer)) return ENDED;
    *status = atoi(find(answer) + strlen(answer));
    return SAID;
}

static void hang_up(void) {
    close(client_fd);
    for (int i = 0; i < ROUNDS_MAX && (atomic_load(&server.connections) > 0 || loop->commands > 0);
         i++)
        loop_round(loop, 1);
    loop_round(loop, 0); /* Who died in the last one is freed. */
    assert_int_equal(atomic_load(&server.connections), 0);
    assert_null(loop->lives);
    assert_null(loop->dead_lives);
    assert_null(loop->peers);
    assert_int_equal(loop->commands, 0);
    assert_int_equal(loop->requests, 0);
    assert_int_equal(presence_count(server.presence), 0);
}

static bool shake_hands(void) {
    static const char head[] =
        "GET /v1/main/live HTTP/1.1\r\nHost: localhost:7838\r\nConnection: Upgrade\r\nUpgrade: "
        "websocket\r\nStet-Actor: ana\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
        "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: stet.v1\r\n\r\n";
    dial();
    assert_int_equal(send(client_fd, head, sizeof head - 1, MSG_NOSIGNAL), sizeof head - 1);
    return hears("\r\n\r\n") && find("HTTP/1.1 101 ") == heard;
}

static bool is_refused_for_memory(int status) { return status == 503 || status == 500; }

/* 200 or 201, or no memory. */
static void expect_sane(int status, const char *rest) {
    if (status != 200 && status != 201 && !is_refused_for_memory(status))
        fail_msg("%d is no answer to %s: %s", status, rest, heard);
    if (!memory_failed() && is_refused_for_memory(status))
        fail_msg("%s was refused though nothing failed: %s", rest, heard);
}

/* ---- What is said -------------------------------------------------------------------------- */

static const char *const messages[] = {
    "\"op\":\"hello\",\"client\":\"0.1.0\",\"csrf\":\"x\"",
    "\"op\":\"subscribe\",\"sub\":\"a\",\"type\":[\"t\"],\"where\":\"n > 0\"",
    "\"op\":\"subscribe\",\"sub\":\"b\",\"ids\":[\"t/there\",\"t/x%20y\"],\"since\":0",
    "\"op\":\"present\",\"address\":\"t/there\",\"version\":1",
    "\"op\":\"mutate\",\"client_mutation_id\":\"%s\",\"mutations\":[{\"op\":\"create\",\"type\":"
    "\"t\",\"id\":\"%s\",\"data\":{\"n\":1}}]",
    "\"op\":\"mutate\",\"mutations\":[{\"op\":\"patch\",\"type\":\"t\",\"id\":\"there\",\"base_"
    "version\":1,"
    "\"on_conflict\":\"last_writer_wins\",\"patch\":{\"n\":2}}]",
    "\"op\":\"present\",\"address\":\"t/there\",\"version\":2",
    "\"op\":\"absent\",\"address\":\"t/there\"",
    "\"op\":\"unsubscribe\",\"sub\":\"b\"",
    "\"op\":\"hello\"",
};
enum {
    SUBSCRIBES = 2,
    PRESENTS = 3,
    MESSAGES = sizeof messages / sizeof messages[0],
    CREATES = 4,
    UNSUBSCRIBES = 8
};

/* All of it. *created: the status of the write that makes a record; 0: nobody knows. */
static void converse(const char *id, int *created) {
    *created = 0;
    if (!shake_hands()) return;
    for (unsigned i = 0; i < MESSAGES; i++) {
        char rest[400];
        int status = 0;
        if (i == CREATES) {
            snprintf(rest, sizeof rest, messages[i], id, id);
        } else {
            snprintf(rest, sizeof rest, "%s", messages[i]);
        }
        if (ask(i + 1, rest, &status) == ENDED) return;
        if (i == CREATES) *created = status;
        /* What could not be subscribed is not there to be ended. */
        if (i == UNSUBSCRIBES && status == 404 && memory_failed()) continue;
        expect_sane(status, rest);
    }
}

/* Whether a record is there, as a plain request sees it. */
static bool is_there(const char *id) {
    char head[256];
    int size = snprintf(head, sizeof head,
                        "GET /v1/main/records/t/%s HTTP/1.1\r\nHost: localhost:7838\r\n"
                        "Connection: close\r\n\r\n",
                        id);
    dial();
    assert_int_equal(send(client_fd, head, (size_t)size, MSG_NOSIGNAL), size);
    assert_true(hears("\r\n\r\n"));
    bool there = find("HTTP/1.1 200 ") == heard;
    assert_true(there || find("HTTP/1.1 404 ") == heard);
    hang_up();
    return there;
}

static void make_what_is_there(void) {
    int status = 0;
    assert_true(shake_hands());
    ask(1,
        "\"op\":\"mutate\",\"mutations\":[{\"op\":\"create\",\"type\":\"t\",\"id\":\"there\","
        "\"data\":"
        "{\"n\":1}}]",
        &status);
    assert_int_equal(status, 201);
    hang_up();
}

static long fail_everywhere(enum failing how) {
    long at = 0;
    int created = 0;
    make_what_is_there();
    do {
        char id[32];
        snprintf(id, sizeof id, "%s-%ld", how == FAIL_ONCE ? "once" : "on", at);
        memory_fails(how, at);
        converse(id, &created);
        memory_works();
        hang_up();
        if (created == 200 || created == 201) assert_true(is_there(id));
        if (is_refused_for_memory(created) && is_there(id))
            fail_msg("allocation %ld failed: refused, and written", at);
        at++;
    } while (memory_failed());
    /* The last one went through. */
    assert_int_equal(created, 201);
    print_message("%ld allocations\n", at);
    return at;
}

static void one_allocation_fails(void **state) {
    (void)state;
    assert_true(fail_everywhere(FAIL_ONCE) > MESSAGES);
}

static void memory_is_out(void **state) {
    (void)state;
    assert_true(fail_everywhere(FAIL_FROM_THEN_ON) > MESSAGES);
}

/* Who is there is told a while after: the register's own timer. */
static bool tell_with_failure(enum failing how, long at) {
    int status = 0;
    assert_true(shake_hands());
    assert_int_equal(ask(1, messages[SUBSCRIBES], &status), SAID);
    assert_int_equal(ask(2, messages[PRESENTS], &status), SAID);
    assert_int_equal(status, 200);
    memory_fails(how, at);
    for (int i = 0; i < ROUNDS_MAX && find("\"count\":1}") == NULL && !over && !memory_failed();
         i++)
        round_once(1);
    for (int i = 0; i < 5 && !over; i++)
        round_once(1);
    memory_works();
    if (!memory_failed()) assert_non_null(find("\"count\":1}"));
    hang_up();
    return memory_failed();
}

static void telling_who_is_there_fails(void **state) {
    long at = 0;
    (void)state;
    make_what_is_there();
    while (tell_with_failure(FAIL_ONCE, at) && tell_with_failure(FAIL_FROM_THEN_ON, at))
        at++;
    assert_true(at > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_allocation_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_is_out, setup, teardown),
        cmocka_unit_test_setup_teardown(telling_who_is_there_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
