/*
 * Connections: many at once, in pieces, pipelined, slow, leaving early; limits; TLS; the stop.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ONE "/v1/main/records/t/1"
#define GET_ONE "GET " ONE " HTTP/1.1\r\nHost: localhost:%d\r\n\r\n"

static int setup(void **state) {
    (void)state;
    serve_plainly();
    return 0;
}

static int64_t now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void many_files(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= 16384) return;
    limit.rlim_cur = limit.rlim_max < 16384 ? limit.rlim_max : 16384;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void three_hundred_ready_at_once_are_all_answered(void **state) {
    enum { COUNT = 300, ROUNDS = 5 };
    struct wire wires[COUNT];
    (void)state;
    call("PUT", ONE, JSON, "{}");
    for (int i = 0; i < COUNT; i++)
        wires[i] = wire_open();
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < COUNT; i++) {
            /* Reads, and writes that have to wait for their commit, mixed. */
            if (i % 2 == 0) {
                wire_send(&wires[i], GET_ONE, port);
            } else {
                wire_send(&wires[i],
                          "PUT /v1/main/records/r/%d-%d HTTP/1.1\r\nHost: localhost:%d\r\n" JSON
                          "Content-Length: 2\r\n\r\n{}",
                          round, i, port);
            }
        }
        for (int i = 0; i < COUNT; i++) {
            assert_true(wire_answer(&wires[i], false, &got));
            assert_int_equal(got.status, i % 2 == 0 ? 200 : 201);
        }
    }
    for (int i = 0; i < COUNT; i++)
        wire_close(&wires[i]);
}

static void pipelined_requests_are_answered_in_order(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        wire_send(&wire,
                  "PUT /v1/main/records/p/%d HTTP/1.1\r\nHost: localhost:%d\r\n" JSON
                  "Content-Length: 7\r\n\r\n{\"i\":%d}GET /v1/main/records/p/%d HTTP/1.1\r\n"
                  "Host: localhost:%d\r\n\r\n",
                  i, port, i % 10, i, port);
    }
    for (int i = 0; i < 20; i++) {
        char data[32];
        snprintf(data, sizeof data, "\"data\":{\"i\":%d}", i % 10);
        assert_true(wire_answer(&wire, false, &got));
        expect_status(201);
        assert_true(wire_answer(&wire, false, &got));
        expect_status(200);
        expect_body(data);
    }
}

static void a_request_behind_a_long_poll_is_no_hang_up(void **state) {
    (void)state;
    wire_send(&wire, "GET /v1/main/changes?wait_s=1 HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", port);
    wire_send(&wire, GET_ONE, port);
    assert_true(wire_answer(&wire, false, &got));
    expect_status(200);
    expect_body("{\"changes\":[],\"next\":0}");
    assert_true(wire_answer(&wire, false, &got));
    expect_status(404);
}

static void a_request_may_come_byte_by_byte(void **state) {
    char text[256];
    (void)state;
    int size = snprintf(text, sizeof text,
                        "PUT " ONE " HTTP/1.1\r\nHost: localhost:%d\r\n" JSON
                        "Content-Length: 7\r\n\r\n{\"a\":1}",
                        port);
    for (int i = 0; i < size; i++)
        wire_send_bytes(&wire, text + i, 1);
    assert_true(wire_answer(&wire, false, &got));
    expect_status(201);
}

static void chunked_bodies_are_understood(void **state) {
    (void)state;
    wire_send(&wire,
              "PUT " ONE " HTTP/1.1\r\nHost: localhost:%d\r\n" JSON
              "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4;x=y\r\n\":1}\r\n0\r\nT: x\r\n\r\n",
              port);
    assert_true(wire_answer(&wire, false, &got));
    expect_status(201);
    expect_body("{\"a\":1}");
    wire_send(&wire, GET_ONE, port);
    assert_true(wire_answer(&wire, false, &got));
    expect_status(200);
    wire_send(&wire,
              "PUT " ONE " HTTP/1.1\r\nHost: localhost:%d\r\n" JSON
              "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
              port);
    assert_true(wire_answer(&wire, false, &got));
    expect_status(400); /* What one of two servers in a row would take for the next request. */
    assert_true(wire_closed(&wire, 10000));
    wire_close(&wire);
    wire = wire_open();
    wire_send(&wire, "PUT " ONE " HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length : 30\r\n\r\n",
              port);
    assert_true(wire_answer(&wire, false, &got));
    expect_problem(400, "BAD_REQUEST", "headers");
    assert_true(wire_closed(&wire, 10000));
    wire_close(&wire);
    wire = wire_open();
    wire_send(&wire,
              "PUT " ONE " HTTP/1.1\r\nHost: localhost:%d\r\n" JSON
              "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
              port);
    assert_true(wire_answer(&wire, false, &got)); /* At once: nobody knows what to wait for. */
    expect_problem(400, "BAD_REQUEST", "Transfer-Encoding");
    assert_true(wire_closed(&wire, 10000));
}

/* Whether the library sees the end of input at once depends on how the bytes arrive; the body's deadline does not. */
static void a_truncated_body_writes_nothing(void **state) {
    struct http_options options = {.no_auth = true, .body_timeout_s = 1};
    (void)state;
    serve(&options);
    wire = wire_open();
    wire_send(&wire,
              "PUT " ONE " HTTP/1.1\r\nHost: localhost:%d\r\n" JSON "Content-Length: 8\r\n\r\n{}",
              port);
    shutdown(wire.fd, SHUT_WR);
    assert_true(wire_closed(&wire, 10000));
    wire_close(&wire);
    call("GET", ONE, "", NULL);
    expect_problem(404, "NOT_FOUND", NULL);
}

static void a_body_that_is_asked_about_is_refused_unsent(void **state) {
    (void)state;
    wire_send(&wire,
              "PUT " ONE " HTTP/1.1\r\nHost: localhost:%d\r\n" JSON
              "Content-Length: 9000000\r\nExpect: 100-continue\r\n\r\n",
              port);
    assert_true(wire_answer(&wire, false, &got));
    expect_problem(413, "TOO_LARGE", "body");
    wire_close(&wire);
    wire = wire_open();
    wire_send(&wire,
              "PUT " ONE " HTTP/1.1\r\nHost: localhost:%d\r\n" JSON
              "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
              port);
    assert_true(wire_until(&wire, "HTTP/1.1 100 Continue\r\n\r\n"));
    wire_send(&wire, "{}");
    assert_true(wire_answer(&wire, false, &got));
    expect_status(201);
}

static void endless_chunks_are_cut_off(void **state) {
    char chunk[65536 + 16];
    (void)state;
    wire_send(&wire,
              "PUT " ONE " HTTP/1.1\r\nHost: localhost:%d\r\n" JSON
              "Transfer-Encoding: chunked\r\n\r\n",
              port);
    int size = snprintf(chunk, sizeof chunk, "10000\r\n");
    memset(chunk + size, 'x', 65536);
    memcpy(chunk + size + 65536, "\r\n", 2);
    for (int i = 0; i < 200; i++)
        wire_send_bytes(&wire, chunk, (size_t)size + 65538);
    if (wire_answer(&wire, false, &got)) expect_problem(413, "TOO_LARGE", "body");
    assert_true(wire_closed(&wire, 10000));
}

static void what_is_no_http_is_refused(void **state) {
    static const char *const texts[] = {
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /v1 HTTP/1.1\r\nno colon here\r\n\r\n",
        "PUT " ONE " HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "PUT " ONE " HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "PUT " ONE " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct wire one = wire_open();
        wire_send(&one, "%s", texts[i]);
        shutdown(one.fd, SHUT_WR);
        if (wire_answer(&one, false, &got)) assert_in_range(got.status, 400, 505);
        wire_close(&one);
    }
    call("GET", "/healthz", "", NULL);
    expect_status(200);
}

static void http_1_0_is_served(void **state) {
    (void)state;
    wire_send(&wire, "GET /healthz HTTP/1.0\r\n\r\n");
    assert_true(wire_answer(&wire, false, &got));
    expect_status(200);
    assert_true(wire_closed(&wire, 10000));
}

static void slow_clients_are_cut_off_and_harm_nobody(void **state) {
    enum { COUNT = 1000 };
    static const char head[] = "PUT " ONE " HTTP/1.1\r\nHost: localhost\r\nX-Slow: abcdefghij";
    struct http_options options = {
        .no_auth = true, .header_timeout_s = 1, .body_timeout_s = 1, .io_threads = 2};
    static struct wire slow[COUNT];
    int answered = 0;
    int closed = 0;
    (void)state;
    many_files();
    serve(&options);
    call("PUT", ONE, JSON, "{}");
    for (int i = 0; i < COUNT; i++) {
        slow[i] = wire_open();
        assert_true(slow[i].fd >= 0);
        /* Every second one has its headers through and is slow in the body. */
        if (i % 2 == 1) {
            wire_send(&slow[i],
                      "PUT " ONE " HTTP/1.1\r\nHost: localhost:%d\r\n" JSON
                      "Content-Length: 1000\r\n\r\n",
                      port);
        }
    }
    int64_t begin = now_ms();
    for (size_t sent = 0; now_ms() - begin < 1900; sent++) {
        for (int i = 0; i < COUNT; i++)
            (void)!send(slow[i].fd, &head[sent % sizeof head], 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        int64_t start = now_ms();
        call("GET", ONE, "", NULL);
        expect_status(200);
        assert_in_range(now_ms() - start, 0, 400);
        poll(NULL, 0, 500);
    }
    for (int i = 0; i < COUNT; i++) {
        if (i % 2 == 1 && wire_answer(&slow[i], false, &got)) {
            expect_problem(408, "REQUEST_TIMEOUT", "body");
            answered++;
        }
        closed += wire_closed(&slow[i], 2000);
        wire_close(&slow[i]);
    }
    assert_int_equal(closed, COUNT);
    assert_true(answered > COUNT / 2 * 9 / 10);
    wait_for_metric("stet_http_connections 1\n");
    expect_body("stet_http_slow_clients_total{phase=\"header\"} 500\n");
    expect_body("stet_http_slow_clients_total{phase=\"body\"} 500\n");
}

static void idle_connections_are_closed(void **state) {
    struct http_options options = {.no_auth = true, .idle_timeout_s = 1, .io_threads = 1};
    (void)state;
    serve(&options);
    call("GET", "/healthz", "", NULL);
    assert_true(wire_closed(&wire, 3000));
}

static void connections_are_limited(void **state) {
    struct http_options options = {.no_auth = true, .connections_max = 10, .io_threads = 2};
    struct wire wires[20];
    int refused = 0;
    (void)state;
    serve(&options);
    call("GET", "/healthz", "", NULL);
    for (int i = 0; i < 20; i++)
        wires[i] = wire_open();
    for (int i = 0; i < 20; i++) {
        wire_send(&wires[i], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        refused += !wire_answer(&wires[i], false, &got);
    }
    assert_int_equal(refused, 11);
    for (int i = 0; i < 20; i++)
        wire_close(&wires[i]);
    for (int attempt = 0; attempt < 100; attempt++) {
        struct wire one = wire_open();
        wire_send(&one, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        bool served = wire_answer(&one, false, &got);
        wire_close(&one);
        if (served) return;
        poll(NULL, 0, 20);
    }
    fail_msg("places were not given back");
}

static void a_poller_that_leaves_is_forgotten(void **state) {
    struct wire pollers[50];
    (void)state;
    for (int i = 0; i < 50; i++) {
        pollers[i] = wire_open();
        wire_send(&pollers[i],
                  "GET /v1/main/changes?wait_s=60 HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", port);
    }
    wait_for_metric("stet_http_long_polls 50\n");
    for (int i = 0; i < 50; i++)
        wire_close(&pollers[i]);
    wait_for_metric("stet_http_long_polls 0\n");
    wait_for_metric("stet_feed_subscribers{space=\"main\"} 0\n");
    wait_for_metric("stet_http_connections 1\n");
}

static void a_stop_finishes_what_runs(void **state) {
    struct wire poller = wire_open();
    struct wire stream = wire_open();
    struct wire half = wire_open();
    (void)state;
    wire_send(&poller, "GET /v1/main/changes?wait_s=60 HTTP/1.1\r\nHost: localhost:%d\r\n\r\n",
              port);
    wire_send(&stream,
              "GET /v1/main/changes HTTP/1.1\r\nHost: localhost:%d\r\n"
              "Accept: text/event-stream\r\n\r\n",
              port);
    wire_send(&half, "GET /v1 HT");
    assert_true(wire_until(&stream, "event: ready\n"));
    wait_for_metric("stet_http_long_polls 1\n");
    int64_t begin = now_ms();
    serve_stop();
    assert_in_range(now_ms() - begin, 0, 5000);
    assert_true(wire_until(&stream, "event: end\ndata: {\"code\":\"SHUTTING_DOWN\"}\n\n"));
    assert_true(wire_closed(&stream, 1000));
    assert_true(wire_answer(&poller, false, &got));
    expect_status(200);
    expect_body("\"changes\":[]");
    expect_header("Connection", "close");
    assert_true(wire_closed(&half, 1000));
    assert_int_equal(dial(), -1);
    wire_close(&poller);
    wire_close(&stream);
    wire_close(&half);
}

static void *writer_main(void *context) {
    struct wire one = wire_open();
    struct answer answer = {0};
    int *acknowledged = context;
    for (int i = 0; i < 100000; i++) {
        wire_send(&one,
                  "PUT /v1/main/records/w/%d HTTP/1.1\r\nHost: localhost:%d\r\n" JSON
                  "Content-Length: 2\r\n\r\n{}",
                  i, port);
        if (!wire_answer(&one, false, &answer) || answer.status != 201) break;
        *acknowledged = i + 1;
    }
    answer_done(&answer);
    wire_close(&one);
    return NULL;
}

static void a_stop_under_load_loses_no_answer(void **state) {
    enum { WRITERS = 4 };
    pthread_t threads[WRITERS];
    int acknowledged[WRITERS] = {0};
    (void)state;
    for (int i = 0; i < WRITERS; i++)
        pthread_create(&threads[i], NULL, writer_main, &acknowledged[i]);
    for (int i = 0; i < 50; i++)
        call("GET", "/metrics", "", NULL);
    serve_stop();
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    wire_close(&wire);
    for (int i = 0; i < WRITERS; i++) {
        struct http_options options = {.listen = "127.0.0.1:0", .no_auth = true, .io_threads = 1};
        char target[64];
        if (server == NULL) {
            assert_int_equal(http_server_start(engine, &options, &server, NULL), STET_OK);
            port = atoi(strrchr(http_server_url(server), ':') + 1);
        }
        if (acknowledged[i] == 0) continue;
        snprintf(target, sizeof target, "/v1/main/records/w/%d", acknowledged[i] - 1);
        call("GET", target, "", NULL);
        expect_status(200);
    }
}

static void ipv6_is_listened_on(void **state) {
    struct http_options options = {.listen = "[::1]:0", .no_auth = true, .io_threads = 1};
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    (void)state;
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    bool has_v6 = probe >= 0 && bind(probe, (struct sockaddr *)&address, sizeof address) == 0;
    if (probe >= 0) close(probe);
    if (!has_v6) skip();
    serve(&options);
    assert_int_equal(strncmp(http_server_url(server), "http://[::1]:", 13), 0);
    address.sin6_port = htons((uint16_t)port);
    wire_close(&wire);
    wire.fd = socket(AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(connect(wire.fd, (struct sockaddr *)&address, sizeof address), 0);
    wire_send(&wire, "GET /v1 HTTP/1.1\r\nHost: [::1]:%d\r\n\r\n", port);
    assert_true(wire_answer(&wire, false, &got));
    expect_status(200);
}

/* ---- TLS: openssl makes the certificate and is the client ---- */

static char tls_folder[] = "/tmp/stet-tls-XXXXXX";

static bool run(const char *format, ...) {
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    return system(command) == 0;
}

static void tls_serves_requests_and_streams(void **state) {
    char cert[64];
    char key[64];
    (void)state;
    assert_non_null(mkdtemp(tls_folder));
    snprintf(cert, sizeof cert, "%s/cert.pem", tls_folder);
    snprintf(key, sizeof key, "%s/key.pem", tls_folder);
    assert_true(run("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
                    "-addext subjectAltName=DNS:localhost -keyout %s -out %s 2>/dev/null",
                    key, cert));
    struct http_options options = {
        .no_auth = true, .tls_cert = cert, .tls_key = key, .io_threads = 2};
    serve(&options);
    assert_int_equal(strncmp(http_server_url(server), "https://", 8), 0);
    assert_true(run("curl -sf --cacert %s -o %s/out https://localhost:%d" ONE
                    " -X PUT -H 'Content-Type: application/json' -d '{\"tls\":true}' &&"
                    " grep -q '\"tls\":true' %s/out",
                    cert, tls_folder, port, tls_folder));
    /* The stream stays open until curl's time is up: 28. */
    run("curl -sN --cacert %s -o %s/out --max-time 1 -H 'Accept: text/event-stream' "
        "'https://localhost:%d/v1/main/changes?since=0'",
        cert, tls_folder, port);
    assert_true(run("grep -q 'event: ready' %s/out && grep -q '\"tls\":true' %s/out", tls_folder,
                    tls_folder));
    /* A stream that is open while the server stops gets its end. */
    assert_true(run("(curl -sN --cacert %s -o %s/end --max-time 20 -H 'Accept: text/event-stream' "
                    "'https://localhost:%d/v1/main/changes'; touch %s/done) &",
                    cert, tls_folder, port, tls_folder));
    for (int i = 0; i < 500 && !run("grep -qs 'event: ready' %s/end", tls_folder); i++)
        poll(NULL, 0, 10);
    serve_stop();
    for (int i = 0; i < 500 && !run("test -e %s/done", tls_folder); i++)
        poll(NULL, 0, 10);
    assert_true(run("grep -q 'event: end' %s/end", tls_folder));
    assert_true(run("rm -r %s", tls_folder));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define OWN_SERVER(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        TEST(three_hundred_ready_at_once_are_all_answered),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(a_request_behind_a_long_poll_is_no_hang_up),
        TEST(a_request_may_come_byte_by_byte),
        TEST(chunked_bodies_are_understood),
        OWN_SERVER(a_truncated_body_writes_nothing),
        TEST(a_body_that_is_asked_about_is_refused_unsent),
        TEST(endless_chunks_are_cut_off),
        TEST(what_is_no_http_is_refused),
        TEST(http_1_0_is_served),
        OWN_SERVER(slow_clients_are_cut_off_and_harm_nobody),
        OWN_SERVER(idle_connections_are_closed),
        OWN_SERVER(connections_are_limited),
        TEST(a_poller_that_leaves_is_forgotten),
        TEST(a_stop_finishes_what_runs),
        TEST(a_stop_under_load_loses_no_answer),
        OWN_SERVER(ipv6_is_listened_on),
        OWN_SERVER(tls_serves_requests_and_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
