/*
 * The feed over HTTP: long polls, event streams, resuming, and five thousand who only listen.
 */
#include "wire.h"

#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SSE "Accept: text/event-stream\r\n"

static int setup(void **state) {
    (void)state;
    serve_plainly();
    return 0;
}

static void put(const char *target, const char *data) {
    call("PUT", target, JSON, data);
    expect_status(201);
}

static struct wire stream_open(const char *target, const char *headers) {
    struct wire one = wire_open();
    wire_send(&one, "GET %s HTTP/1.1\r\nHost: localhost:%d\r\n" SSE "%s\r\n", target, port,
              headers);
    if (!wire_until(&one, "HTTP/1.1 200 OK\r\n") || !wire_until(&one, "\r\n\r\n"))
        fail_msg("no stream from %s", target);
    return one;
}

static void expect_event(struct wire *stream, const char *text, const char *file, int line) {
    if (wire_until(stream, text)) return;
    print_error("not in the stream: %s\nleft: %s\n", text,
                stream->bytes == NULL ? "" : stream->bytes);
    _fail(file, line);
}
#define expect_event(stream, text) expect_event(stream, text, __FILE__, __LINE__)

/* The end of the stream is exactly this. */
static void expect_last_event(struct wire *stream, const char *text) {
    char left[256];
    size_t size = stream->size < sizeof left ? stream->size : sizeof left;
    struct pollfd poller = {.fd = stream->fd, .events = POLLIN};
    memcpy(left, stream->bytes, size);
    while (size < sizeof left && poll(&poller, 1, 10000) > 0) {
        ssize_t more = recv(stream->fd, left + size, sizeof left - size, 0);
        if (more <= 0) break;
        size += (size_t)more;
    }
    assert_int_equal(size, strlen(text));
    assert_memory_equal(left, text, size);
}

static void a_page_of_changes_says_where_to_go_on(void **state) {
    (void)state;
    put("/v1/main/records/t/1", "{}");
    put("/v1/main/records/t/2", "{}");
    put("/v1/main/records/u/1", "{}");
    call("GET", "/v1/main/changes?since=0&limit=2", "", NULL);
    expect_status(200);
    expect_body("\"address\":\"t/2\"");
    expect_no_body("\"address\":\"u/1\"");
    expect_body("\"next\":2}");
    call("GET", "/v1/main/changes?since=2", "", NULL);
    expect_body("\"address\":\"u/1\"");
    expect_body("\"next\":3}");
    call("GET", "/v1/main/changes", "", NULL);
    expect_body("{\"changes\":[],\"next\":3}");
    call("GET", "/v1/main/changes?since=0&type=u", "", NULL);
    expect_no_body("\"address\":\"t/1\"");
    expect_body("\"next\":3}");
    call("GET", "/v1/main/changes?since=0&id=t/2&id=t/1", "", NULL);
    expect_no_body("\"address\":\"u/1\"");
    expect_body("\"address\":\"t/2\"");
    call("GET", "/v1/main/changes?id=t", "", NULL);
    expect_problem(400, "BAD_REQUEST", "id");
    call("GET", "/v1/main/changes", "Accept: text/html\r\n", NULL);
    expect_problem(406, "NOT_ACCEPTABLE", "Accept");
}

static void changes_may_be_chosen_by_where(void **state) {
    (void)state;
    put("/v1/main/records/t/1", "{\"n\":1}");
    put("/v1/main/records/t/2", "{\"n\":2}");
    call("PUT", "/v1/main/records/t/2", JSON "If-Match: \"1\"\r\n", "{\"n\":0}");
    call("GET", "/v1/main/changes?since=0&where=n%3E1", "", NULL);
    expect_no_body("\"address\":\"t/1\"");
    expect_body("\"data\":{\"n\":2}}},{\"seq\":3");
    expect_body("\"data\":{\"n\":0}},\"left\":true}],\"next\":3}");
    struct wire stream = stream_open("/v1/main/changes?where=n%3E1", "");
    expect_event(&stream, "event: ready\n");
    put("/v1/main/records/t/3", "{\"n\":1}");
    put("/v1/main/records/t/4", "{\"n\":4}");
    expect_event(&stream, "id: 5\n");
    expect_event(&stream, "\"address\":\"t/4\"");
    wire_close(&stream);
    call("GET", "/v1/main/changes?where=n%3E", "", NULL);
    expect_problem(400, "BAD_REQUEST", "where");
}

/* Far more changes than are kept in memory: the first have to be read from the store. */
static void a_poll_that_does_not_wait_gets_what_is_stored(void **state) {
    char *body = malloc(80 * 1000);
    (void)state;
    for (int round = 0; round < 17; round++) {
        int size = sprintf(body, "{\"mutations\":[");
        for (int i = 0; i < 1000; i++)
            size += sprintf(body + size,
                            "%s{\"op\":\"create\",\"type\":\"t\",\"id\":\"%d\",\"data\":{}}",
                            i == 0 ? "" : ",", round * 1000 + i);
        sprintf(body + size, "]}");
        call("POST", "/v1/main/transactions", JSON, body);
        expect_status(200);
    }
    free(body);
    put("/v1/main/records/u/1", "{}");
    call("GET", "/v1/main/changes?since=0&limit=1", "", NULL);
    expect_status(200);
    expect_body("{\"changes\":[{\"seq\":1,");
    expect_body("\"next\":1000}");
    call("GET", "/v1/main/changes?since=0&type=u", "", NULL);
    expect_body("\"address\":\"u/1\"");
    call("GET", "/v1/main/changes?since=0&type=none", "", NULL);
    expect_body("{\"changes\":[],\"next\":17001}");
}

static void a_waiting_poll_is_woken_by_a_write(void **state) {
    struct wire poller = wire_open();
    struct answer answer = {0};
    (void)state;
    wire_send(&poller,
              "GET /v1/main/changes?wait_s=30&type=t HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", port);
    wait_for_metric("stet_http_long_polls 1\n");
    put("/v1/main/records/other/1", "{}");
    put("/v1/main/records/t/1", "{\"woke\":1}");
    assert_true(wire_answer(&poller, false, &answer));
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body, "\"woke\":1"));
    assert_null(strstr(answer.body, "\"address\":\"other/1\""));
    answer_done(&answer);
    wire_close(&poller);
}

static void a_stream_sends_backlog_ready_and_changes(void **state) {
    (void)state;
    put("/v1/main/records/t/1", "{\n  \"lines\": true\r\n}");
    struct wire stream = stream_open("/v1/main/changes?since=0", "");
    expect_event(&stream, "retry: 2000\n\n");
    expect_event(&stream, "id: 1\nevent: change\ndata: {\"seq\":1,");
    expect_event(&stream, "data:   \"lines\": true\n"); /* A line break ends a field. */
    expect_event(&stream, "event: ready\ndata: {\"seq\":1}\n\n");
    put("/v1/main/records/t/2", "{\"live\":1}");
    expect_event(&stream, "id: 2\nevent: change\n");
    expect_event(&stream, "\"live\":1");
    wire_close(&stream);

    stream = stream_open("/v1/main/changes?since=0", "Last-Event-ID: 1\r\n");
    expect_event(&stream, "retry: 2000\n\nid: 2\nevent: change\n");
    wire_close(&stream);
    stream = stream_open("/v1/main/changes", "");
    expect_event(&stream, "retry: 2000\n\nid: 2\nevent: ready\n");
    wire_close(&stream);
}

static void no_resume_point_splits_a_transaction(void **state) {
    (void)state;
    struct wire stream = stream_open("/v1/main/changes", "");
    expect_event(&stream, "event: ready\n");
    call("POST", "/v1/main/transactions", JSON,
         "{\"mutations\":[{\"op\":\"create\",\"type\":\"t\",\"id\":\"1\",\"data\":{}},"
         "{\"op\":\"create\",\"type\":\"t\",\"id\":\"2\",\"data\":{}},"
         "{\"op\":\"create\",\"type\":\"t\",\"id\":\"3\",\"data\":{}}]}");
    expect_status(200);
    expect_event(&stream, "\n\nevent: change\ndata: {\"seq\":1,");
    expect_event(&stream, "\n\nevent: change\ndata: {\"seq\":2,");
    expect_event(&stream, "\n\nid: 3\nevent: change\ndata: {\"seq\":3,");
    wire_close(&stream);
    call("GET", "/v1/main/changes?since=0&limit=1", "", NULL);
    expect_body("\"seq\":3,");
    expect_body("\"next\":3}");
}

static void a_slow_reader_lags_and_misses_nothing(void **state) {
    enum { COUNT = 300 };
    char target[64];
    char text[64];
    static char data[20000];
    (void)state;
    struct wire stream = stream_open("/v1/main/changes", "");
    expect_event(&stream, "event: ready\n");
    snprintf(data, sizeof data, "{\"a\":\"");
    memset(data + 6, 'x', sizeof data - 16);
    memcpy(data + sizeof data - 10, "\"}", 3);
    for (int i = 1; i <= COUNT; i++) { /* 6 MB, which no socket holds. */
        snprintf(target, sizeof target, "/v1/main/records/t/%d", i);
        put(target, data);
    }
    wait_for_metric("stet_http_streams_lagging 1\n");
    for (int i = 1; i <= COUNT; i++) {
        snprintf(text, sizeof text, "id: %d\nevent: change\n", i);
        expect_event(&stream, text);
    }
    wait_for_metric("stet_http_streams_lagging 0\n");
    wire_close(&stream);
}

static void bad_questions_get_problems_not_streams(void **state) {
    (void)state;
    call("HEAD", "/v1/main/changes", SSE, NULL);
    expect_status(200);
    expect_header("Content-Type", "text/event-stream");
    call("GET", "/v1/nowhere/changes", SSE, NULL);
    expect_problem(404, "NOT_FOUND", "space");
    call("GET", "/v1/main/changes?since=x", SSE, NULL);
    expect_problem(400, "BAD_REQUEST", "since");
    call("GET", "/v1/main/changes", SSE "Last-Event-ID: x\r\n", NULL);
    expect_problem(400, "BAD_REQUEST", "Last-Event-ID");
}

static void a_quiet_stream_gets_its_position(void **state) {
    struct http_options options = {.no_auth = true, .bookmark_s = 1, .io_threads = 1};
    (void)state;
    serve(&options);
    struct wire stream = stream_open("/v1/main/changes?type=followed", "");
    expect_event(&stream, "event: ready\n");
    put("/v1/main/records/other/1", "{}");
    expect_event(&stream, "id: 1\nevent: bookmark\ndata: {\"seq\":1}\n\n");
    expect_event(&stream, "event: bookmark\n");
    wire_close(&stream);
}

static void a_stream_ends_with_its_token(void **state) {
    struct http_options options = {.local_token = "secret", .bookmark_s = 1, .io_threads = 1};
    char line[256];
    char token[64];
    (void)state;
    serve(&options);
    call("POST", "/v1/stet/tokens", JSON "Authorization: Bearer secret\r\n", "{\"actor\":\"bob\"}");
    expect_status(201);
    snprintf(token, sizeof token, "/v1/stet/tokens/%s", member("id"));
    snprintf(line, sizeof line, "Authorization: Bearer %s\r\n", member("token"));
    struct wire stream = stream_open("/v1/main/changes", line);
    struct wire mine = stream_open("/v1/main/changes", "Authorization: Bearer secret\r\n");
    expect_event(&stream, "event: bookmark\n");
    call("DELETE", token, "Authorization: Bearer secret\r\n", NULL);
    expect_status(200);
    expect_event(&stream, "event: auth\ndata: {\"code\":\"UNAUTHENTICATED\",\"detail\":\"the token "
                          "was revoked or has expired\"}\n\n");
    assert_true(wire_closed(&stream, 1000));
    expect_event(&mine, "event: bookmark\n");
    expect_event(&mine, "event: bookmark\n");
    wire_close(&stream);
    wire_close(&mine);
}

static void a_revoked_token_is_told_nothing_more(void **state) {
    struct http_options options = {.local_token = "secret", .io_threads = 1};
    char token[64];
    char line[256];
    struct wire poll = {.fd = -1};
    (void)state;
    serve(&options);
    call("POST", "/v1/stet/tokens", JSON "Authorization: Bearer secret\r\n", "{\"actor\":\"bob\"}");
    expect_status(201);
    snprintf(token, sizeof token, "/v1/stet/tokens/%s", member("id"));
    snprintf(line, sizeof line, "Authorization: Bearer %s\r\n", member("token"));
    struct wire stream = stream_open("/v1/main/changes", line);
    expect_event(&stream, "event: ready\ndata: {\"seq\":0}\n\n");
    poll = wire_open();
    wire_send(&poll, "GET /v1/main/changes?wait_s=60 HTTP/1.1\r\nHost: localhost:%d\r\n%s\r\n",
              port, line);
    wait_for_metric("stet_http_long_polls 1\n");
    call("DELETE", token, "Authorization: Bearer secret\r\n", NULL);
    expect_status(200);
    call("PUT", "/v1/main/records/t/1", JSON "Authorization: Bearer secret\r\n", "{\"a\":1}");
    expect_status(201);
    expect_last_event(&stream, "event: auth\ndata: {\"code\":\"UNAUTHENTICATED\",\"detail\":\"the "
                               "token was revoked or has expired\"}\n\n");
    assert_true(wire_answer(&poll, false, &got));
    expect_problem(401, "UNAUTHENTICATED", "Authorization");
    wire_close(&poll);
    wire_close(&stream);
}

static void a_stream_ends_with_its_space(void **state) {
    (void)state;
    call("PUT", "/v1/team", "", NULL);
    expect_status(201);
    struct wire stream = stream_open("/v1/team/changes", "");
    expect_event(&stream, "event: ready\n");
    call("DELETE", "/v1/team", "", NULL);
    expect_status(200);
    expect_event(&stream, "event: end\n");
    assert_true(wire_closed(&stream, 1000));
    wire_close(&stream);
}

/* ---- Five thousand ---- */

/* Sanitizers keep shadows and quarantines: what memory costs is measured without them. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CHECKED_MEMORY true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CHECKED_MEMORY true
#endif
#if !defined(CHECKED_MEMORY)
#define CHECKED_MEMORY false
#endif

static size_t resident_bytes(void) {
    char line[256];
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    if (fgets(line, sizeof line, file) != NULL) sscanf(line, "%*u %zu", &pages);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Mean time of a write, in microseconds. */
static int64_t write_time_us(const char *type) {
    enum { WRITES = 500 };
    char target[64];
    int64_t begin = now_us();
    for (int i = 0; i < WRITES; i++) {
        snprintf(target, sizeof target, "/v1/main/records/%s/%d", type, i);
        put(target, "{}");
    }
    return (now_us() - begin) / WRITES;
}

/* ---- Those who take nothing ---- */

/* Bytes in use in all arenas, by glibc's own account. */
static size_t heap_bytes(void) {
    char *text = NULL;
    size_t size = 0;
    size_t fast = 0, rest = 0, system = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    assert_int_equal(malloc_info(0, file), 0);
    fclose(file);
    /* The sums stand behind the last arena. */
    char *last = text;
    for (char *at = text; (at = strstr(at, "</heap>")) != NULL; at++)
        last = at;
    const char *at = strstr(last, "<total type=\"fast\"");
    if (at == NULL || sscanf(at, "<total type=\"fast\" count=\"%*u\" size=\"%zu\"", &fast) != 1)
        fail_msg("malloc_info says nothing of \"fast\"");
    at = strstr(last, "<total type=\"rest\"");
    if (at == NULL || sscanf(at, "<total type=\"rest\" count=\"%*u\" size=\"%zu\"", &rest) != 1)
        fail_msg("malloc_info says nothing of \"rest\"");
    at = strstr(last, "<system type=\"current\"");
    if (at == NULL || sscanf(at, "<system type=\"current\" size=\"%zu\"", &system) != 1)
        fail_msg("malloc_info says nothing of \"system\"");
    free(text);
    return system - fast - rest;
}

static void those_who_take_nothing_hold_little_and_slow_nobody(void **state) {
    /* Many: what else happens in the process meanwhile, 64 KiB or so, is spread over them. */
    enum { COUNT = 120, WRITES = 3000, MORE = 50, DATA_BYTES = 1000 };
    static struct wire stuck[COUNT];
    char target[64], text[64], data[DATA_BYTES];
    (void)state;
    memset(data, 'x', sizeof data);
    memcpy(data, "{\"a\":\"", 6);
    memcpy(data + sizeof data - 3, "\"}", 3);
    for (int i = 1; i <= WRITES; i++) {
        snprintf(target, sizeof target, "/v1/main/records/t/%d", i);
        put(target, data);
    }
    struct wire reading = stream_open("/v1/main/changes?type=t", "");
    expect_event(&reading, "event: ready\n");
    for (int i = 0; i < COUNT; i++) {
        int little = 4096;
        stuck[i] = wire_open();
        /* Not of the first, which will read: a window that small is given out in steps of 200 ms. */
        if (i > 0) setsockopt(stuck[i].fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
        wire_send(&stuck[i],
                  "GET /v1/main/changes?type=t&since=0 HTTP/1.1\r\nHost: localhost:%d\r\n" SSE
                  "\r\n",
                  port);
    }
    snprintf(text, sizeof text, "stet_http_streams_lagging %d\n", COUNT);
    wait_for_metric(text);
    for (int i = WRITES + 1; i <= WRITES + MORE; i++) {
        snprintf(target, sizeof target, "/v1/main/records/t/%d", i);
        put(target, data);
        snprintf(text, sizeof text, "id: %d\nevent: change\n", i);
        expect_event(&reading, text);
    }
    /* One of them begins to read, and has missed nothing. */
    for (int i = 1; i <= WRITES + MORE; i++) {
        snprintf(text, sizeof text, "id: %d\nevent: change\n", i);
        expect_event(&stuck[0], text);
    }
    wire_close(&stuck[0]);
    snprintf(text, sizeof text, "stet_http_streams %d\n", COUNT);
    wait_for_metric(text);
    /* Only now: what that one's reading filled buffers and caches with is not the others'. */
    size_t with = CHECKED_MEMORY ? 0 : heap_bytes();
    for (int i = 1; i < COUNT; i++)
        wire_close(&stuck[i]);
    wait_for_metric("stet_http_streams 1\n");
    size_t without = CHECKED_MEMORY ? 0 : heap_bytes();
    size_t each = (with - without) / (COUNT - 1);
    if (!CHECKED_MEMORY) {
        print_message("a stream whose reader takes nothing: %zu bytes\n", each);
        /* An event and what any subscriber costs; not what would have fitted into one call. */
        assert_in_range(each, 100, 4 * DATA_BYTES);
    }
    wire_close(&reading);
}

static void five_thousand_listeners_cost_little(void **state) {
    enum { COUNT = 5000 };
    static int sockets[COUNT];
    char request[160];
    struct rlimit limit;
    (void)state;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < 2 * COUNT + 300) skip(); /* Both ends live in this process. */
    struct http_options options = {.no_auth = true, .io_threads = 2};
    serve(&options);
    int64_t before_us = write_time_us("before");
    int size = snprintf(
        request, sizeof request,
        "GET /v1/main/changes?type=followed HTTP/1.1\r\nHost: localhost:%d\r\n" SSE "\r\n", port);
    malloc_trim(0);
    size_t before = resident_bytes();
    for (int i = 0; i < COUNT; i++) {
        sockets[i] = dial();
        assert_true(sockets[i] >= 0);
        assert_int_equal(send(sockets[i], request, (size_t)size, MSG_NOSIGNAL), size);
    }
    for (int i = 0; i < COUNT; i++) {
        char bytes[2048];
        size_t got_bytes = 0;
        do {
            ssize_t more = recv(sockets[i], bytes + got_bytes, sizeof bytes - 1 - got_bytes, 0);
            assert_true(more > 0);
            got_bytes += (size_t)more;
            bytes[got_bytes] = '\0';
        } while (strstr(bytes, "event: ready\n") == NULL);
    }
    size_t cost = resident_bytes() - before;
    print_message("5000 streams: %zu KiB, %zu bytes each\n", cost / 1024, cost / COUNT);
    if (!CHECKED_MEMORY) assert_in_range(cost, 0, 64u * 1024 * 1024);
    int64_t with_us = write_time_us("unfollowed");
    print_message("a write: %lld us without listeners, %lld us with them\n", (long long)before_us,
                  (long long)with_us);
    /* Generous, for a busy machine: what matters is that it is not a thousand listeners' work. */
    assert_in_range(with_us, 0, before_us * 4 + 1000);
    put("/v1/main/records/followed/1", "{\"to\":\"all\"}");
    for (int i = 0; i < COUNT; i++) {
        char bytes[2048];
        struct pollfd poller = {.fd = sockets[i], .events = POLLIN};
        assert_int_equal(poll(&poller, 1, 10000), 1);
        ssize_t more = recv(sockets[i], bytes, sizeof bytes - 1, 0);
        assert_true(more > 0);
        bytes[more] = '\0';
        assert_non_null(strstr(bytes, "followed/1"));
        close(sockets[i]);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_page_of_changes_says_where_to_go_on),
        TEST(changes_may_be_chosen_by_where),
        TEST(a_poll_that_does_not_wait_gets_what_is_stored),
        TEST(a_waiting_poll_is_woken_by_a_write),
        TEST(a_stream_sends_backlog_ready_and_changes),
        TEST(no_resume_point_splits_a_transaction),
        TEST(a_slow_reader_lags_and_misses_nothing),
        TEST(those_who_take_nothing_hold_little_and_slow_nobody),
        TEST(bad_questions_get_problems_not_streams),
        TEST(a_stream_ends_with_its_space),
        cmocka_unit_test_teardown(a_quiet_stream_gets_its_position, teardown),
        cmocka_unit_test_teardown(a_stream_ends_with_its_token, teardown),
        cmocka_unit_test_teardown(a_revoked_token_is_told_nothing_more, teardown),
        cmocka_unit_test_teardown(five_thousand_listeners_cost_little, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
