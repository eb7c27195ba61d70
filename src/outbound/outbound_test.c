/*
 * Webhooks from end to end: an engine with its threads on one side, on the other a server that answers as it is told to. Also the test's own
 * child, which writes and delivers until it is killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/view.h"
#include "doc/doc.h"
#include "outbound/sign.h"
#include "stet.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEST(name) static void name(void **state)

enum { DELIVERIES_MAX = 256, REQUEST_BYTES = 256 * 1024, WAIT_S = 120 };

static const char *program;
static const stet_actor admin = {.id = {"ann", 3}, .admin = true};

/* ---- A server ---------------------------------------------------------------------------- */

struct delivered {
    char *head, *body; /* Of the request. */
    struct timespec at;
};

static struct {
    int listener;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    const char *answers[16]; /* The first requests get these; all others 200. */
    size_t answer_count;
    bool silent; /* It never answers. */
    struct delivered deliveries[DELIVERIES_MAX];
    size_t count;
    bool stopping;
    const char *words; /* The body of its answers; NULL: "words". */
} server = {.listener = -1, .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

/* Reads one request. False: the other side left. */
static bool read_request(int connection, char *bytes, size_t *head_size) {
    size_t size = 0;
    for (;;) {
        ssize_t more = read(connection, bytes + size, REQUEST_BYTES - 1 - size);
        if (more <= 0) return false;
        size += (size_t)more;
        bytes[size] = '\0';
        char *end = strstr(bytes, "\r\n\r\n");
        if (end == NULL) continue;
        *head_size = (size_t)(end + 4 - bytes);
        const char *length = strcasestr(bytes, "content-length:");
        assert_non_null(length);
        if (size >= *head_size + strtoul(length + 15, NULL, 10)) return true;
    }
}

static void answer_one(int connection) {
    static char bytes[REQUEST_BYTES];
    size_t head_size;
    if (!read_request(connection, bytes, &head_size)) return;
    pthread_mutex_lock(&server.lock);
    assert_true(server.count < DELIVERIES_MAX);
    struct delivered *one = &server.deliveries[server.count];
    clock_gettime(CLOCK_MONOTONIC, &one->at);
    one->head = strndup(bytes, head_size);
    one->body = strdup(bytes + head_size);
    const char *answer =
        server.count < server.answer_count ? server.answers[server.count] : "200 Fine\r\n";
    server.count++;
    bool silent = server.silent;
    pthread_cond_broadcast(&server.moved);
    pthread_mutex_unlock(&server.lock);
    char text[4096];
    const char *words = server.words == NULL ? "words" : server.words;
    int size =
        snprintf(text, sizeof text, "HTTP/1.1 %sContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                 answer, strlen(words), words);
    /* Until the other side has had enough. */
    if (silent) silent = read(connection, bytes, sizeof bytes) > 0;
    if (!silent && write(connection, text, (size_t)size) != size) return;
}

static void *serve(void *context) {
    (void)context;
    for (;;) {
        int connection = accept(server.listener, NULL, NULL);
        pthread_mutex_lock(&server.lock);
        bool stopping = server.stopping;
        pthread_mutex_unlock(&server.lock);
        if (stopping) {
            if (connection >= 0) close(connection);
            return NULL;
        }
        if (connection < 0) continue;
        answer_one(connection);
        close(connection);
    }
}

/* Takes a free port, or the one it had; nobody is answered before server_run. */
static void server_listen(void) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int one = 1;
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server.listener >= 0);
    setsockopt(server.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, size), 0);
    getsockname(server.listener, (struct sockaddr *)&address, &size);
    server.port = ntohs(address.sin_port);
}

static void server_run(void) {
    server.stopping = false;
    assert_int_equal(listen(server.listener, 64), 0);
    assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void server_stop(void) {
    pthread_mutex_lock(&server.lock);
    server.stopping = true;
    pthread_mutex_unlock(&server.lock);
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listener);
    for (size_t i = 0; i < server.count; i++) {
        free(server.deliveries[i].head);
        free(server.deliveries[i].body);
    }
    server.count = server.answer_count = 0;
    server.silent = false;
    server.words = NULL;
}

static void server_answers(const char *answer) { server.answers[server.answer_count++] = answer; }

/* Waits for so many requests; fails when they do not come. */
static void must_receive(size_t count) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&server.lock);
    while (server.count < count)
        if (pthread_cond_timedwait(&server.moved, &server.lock, &until) != 0)
            fail_msg("%zu of %zu requests came", server.count, count);
    pthread_mutex_unlock(&server.lock);
}

/* A header of a request, or NULL; in the arena. */
static const char *header_of(struct arena *arena, size_t index, const char *name) {
    char line[64];
    snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *found = strcasestr(server.deliveries[index].head, line);
    if (found == NULL) return NULL;
    found += strlen(line);
    return arena_copy(arena, view_make(found, strcspn(found, "\r"))).bytes;
}

/* ---- An engine --------------------------------------------------------------------------- */

static stet_engine *engine;
static stet_space *space;
static struct arena arena;

static const char *at(const char *json, const char *pointer) {
    struct doc doc;
    stet_view text = arena_copy(&arena, view_of(json));
    if (doc_parse(&arena, text, NULL, &doc, NULL) != STET_OK) fail_msg("not JSON: %s", json);
    doc_node node = doc_pointer(&doc, view_of(pointer));
    return node == DOC_NONE ? NULL : arena_copy(&arena, doc_text(&doc, node)).bytes;
}

#define check_at(json, pointer, expected)                                                          \
    do {                                                                                           \
        const char *json_ = (json), *found_ = at(json_, (pointer));                                \
        if (found_ == NULL) fail_msg("no %s in %s", (pointer), json_);                             \
        assert_string_equal(found_, (expected));                                                   \
    } while (0)

struct asking {
    enum {
        PUT_HANDLER,
        PUT_FUNCTION,
        PUT_RECORD,
        GET_RECORD,
        GET_HANDLER,
        LIST_OPERATIONS,
        LIST_LANE,
        RETRY_OPERATION,
        GET_OPERATION
    } what;
    const char *name, *text;
};

static stet_status fill(stet_command *command, void *context, stet_error *err) {
    const struct asking *asking = context;
    switch (asking->what) {
    case PUT_HANDLER:
        return stet_command_handler_write(
            command,
            &(stet_handler_write){.name = view_of(asking->name),
                                  .definition = view_of(asking->text)},
            err);
    case PUT_FUNCTION:
        return stet_command_function_write(
            command,
            &(stet_function_write){.name = view_of(asking->name),
                                   .definition = view_of(asking->text)},
            err);
    case GET_RECORD:
        return stet_command_read(
            command, &(stet_read){.type = view_of(asking->name), .id = view_of(asking->text)}, err);
    case LIST_LANE:
        return stet_command_operation_list(
            command,
            &(stet_operation_list){.lane = view_of(asking->name), .status = view_of(asking->text)},
            err);
    case PUT_RECORD: {
        stet_mutation one = {.op = STET_OP_CREATE,
                             .type = VIEW("task"),
                             .id = view_of(asking->name),
                             .body = view_of(asking->text)};
        return stet_command_write(command, &(stet_write){.mutations = &one, .mutation_count = 1},
                                  err);
    }
    case GET_HANDLER: return stet_command_handler_get(command, view_of(asking->name), err);
    case LIST_OPERATIONS:
        return stet_command_operation_list(
            command,
            &(stet_operation_list){.status = view_of(asking->text), .agent = VIEW("webhook:")},
            err);
    case GET_OPERATION: return stet_command_operation_get(command, view_of(asking->name), err);
    case RETRY_OPERATION: return stet_command_operation_retry(command, view_of(asking->name), err);
    }
    return STET_MISUSE;
}

static const char *ask_for(struct asking asking) {
    stet_result *result;
    stet_error err = {0};
    if (stet_run_blocking(space, &admin, fill, &asking, &result, &err) != STET_OK)
        fail_msg("%s", err.message);
    const stet_outcome *outcome = stet_result_outcome(result);
    if (outcome->status != STET_OK) fail_msg("%s", outcome->error.message);
    const char *body = arena_copy(&arena, outcome->body).bytes;
    stet_result_destroy(result);
    return body;
}

static void open_engine(const char *dir) {
    stet_error err = {0};
    const stet_options options = {.data_dir = dir, .sequencer_threads = 1, .worker_threads = 1};
    if (stet_open(&options, &engine, &err) != STET_OK) fail_msg("%s", err.message);
    assert_int_equal(stet_space_open_blocking(engine, VIEW("main"), &space, &err), STET_OK);
}

static void close_engine(void) {
    stet_space_close(space);
    stet_close(engine);
}

/* more: further members of the definition, beginning with a comma; of the webhook: `inside`. */
static void put_handler(const char *name, const char *inside, const char *more) {
    char definition[512];
    snprintf(definition, sizeof definition,
             "{\"on\":[\"create\"],\"type\":\"task\",\"webhook\":{\"url\":\"http://127.0.0.1:%u/"
             "hook\"%s}%s}",
             server.port, inside, more);
    ask_for((struct asking){PUT_HANDLER, name, definition});
}

static void put_record(const char *id, const char *data) {
    ask_for((struct asking){PUT_RECORD, id, data});
}

/* The operations in a status, once there are so many. */
static const char *must_have(const char *status, size_t count) {
    for (int tries = 0; tries < WAIT_S * 50; tries++) {
        const char *body = ask_for((struct asking){LIST_OPERATIONS, NULL, status});
        char pointer[48];
        snprintf(pointer, sizeof pointer, "/operations/%zu", count - 1);
        if (at(body, pointer) != NULL) return body;
        poll(NULL, 0, 20);
    }
    fail_msg("there were never %zu operations that are %s", count, status);
    return NULL;
}

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 65536);
    server_listen();
    open_engine(NULL);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    close_engine();
    server_stop();
    server.port = 0;
    arena_done(&arena);
    return 0;
}

/* ---- Delivering -------------------------------------------------------------------------- */

TEST(a_change_is_posted_and_signed) {
    (void)state;
    server_run();
    put_handler("h", ",\"secret\":\"s3cret\",\"headers\":{\"X-Key\":\"k3y\"}", "");
    put_record("1", "{\"n\":1}");
    must_receive(1);
    const char *body = server.deliveries[0].body;
    const char *id = header_of(&arena, 0, "Stet-Delivery");
    assert_memory_equal(server.deliveries[0].head, "POST /hook HTTP/1.1\r\n", 21);
    assert_string_equal(header_of(&arena, 0, "Stet-Event"), "create");
    assert_string_equal(header_of(&arena, 0, "X-Key"), "k3y");
    assert_string_equal(header_of(&arena, 0, "Content-Type"), "application/json; charset=utf-8");
    int64_t seconds = strtoll(header_of(&arena, 0, "Stet-Timestamp"), NULL, 10);
    assert_string_equal(header_of(&arena, 0, "Stet-Signature"),
                        sign_body(&arena, VIEW("s3cret"), seconds, view_of(body)).bytes);
    assert_memory_equal(at(body, "/delivery") + 1, id, strlen(id));
    check_at(body, "/space", "\"main\"");
    check_at(body, "/handler", "\"h\"");
    check_at(body, "/change/address", "\"task/1\"");
    check_at(body, "/change/data", "{\"n\":1}");
    const char *done = must_have("completed", 1);
    assert_memory_equal(at(done, "/operations/0/id") + 1, id, strlen(id));
}

TEST(a_large_record_is_posted_whole) {
    (void)state;
    char *data = malloc(64 * 1024);
    server_run();
    put_handler("h", "", "");
    int size = snprintf(data, 32, "{\"n\":\"");
    memset(data + size, 'x', 60000);
    strcpy(data + size + 60000, "\"}");
    put_record("1", data);
    must_receive(1);
    assert_string_equal(at(server.deliveries[0].body, "/change/data"), data);
    assert_null(header_of(&arena, 0, "Stet-Signature"));
    free(data);
}

/* Not before the time the other side asks for, and nothing overtakes what waits. */
TEST(one_that_fails_is_tried_again_before_the_next) {
    (void)state;
    server_answers("503 Busy\r\nRetry-After: 2\r\n");
    server_run();
    put_handler("h", "", "");
    put_record("1", "{\"n\":1}");
    put_record("2", "{\"n\":2}");
    must_receive(3);
    check_at(server.deliveries[0].body, "/change/address", "\"task/1\"");
    check_at(server.deliveries[1].body, "/change/address", "\"task/1\"");
    check_at(server.deliveries[2].body, "/change/address", "\"task/2\"");
    assert_string_equal(header_of(&arena, 0, "Stet-Delivery"),
                        header_of(&arena, 1, "Stet-Delivery"));
    assert_string_not_equal(header_of(&arena, 1, "Stet-Delivery"),
                            header_of(&arena, 2, "Stet-Delivery"));
    assert_string_equal(header_of(&arena, 0, "Stet-Attempt"), "1");
    assert_string_equal(header_of(&arena, 1, "Stet-Attempt"), "2");
    assert_string_equal(header_of(&arena, 2, "Stet-Attempt"), "1");
    const struct timespec *first = &server.deliveries[0].at, *second = &server.deliveries[1].at;
    int64_t ms =
        (second->tv_sec - first->tv_sec) * 1000 + (second->tv_nsec - first->tv_nsec) / 1000000;
    if (ms < 1900) fail_msg("tried again after %lld ms", (long long)ms);
    must_have("completed", 2);
}

TEST(one_that_keeps_failing_is_shown_and_the_next_goes_on) {
    (void)state;
    server_answers("302 Elsewhere\r\nLocation: /other\r\n");
    server_run();
    put_handler("h", "", ",\"max_retries\":0");
    put_record("1", "{\"n\":1}");
    put_record("2", "{\"n\":2}");
    must_receive(2);
    assert_memory_equal(server.deliveries[1].head, "POST /hook", 10);
    check_at(server.deliveries[1].body, "/change/address", "\"task/2\"");
    const char *failed = must_have("failed", 1);
    must_have("completed", 1);
    char *id = strdup(at(failed, "/operations/0/id") + 1);
    id[strlen(id) - 1] = '\0';
    for (int tries = 0; tries < WAIT_S * 50; tries++) {
        const char *shown = ask_for((struct asking){GET_HANDLER, "h", NULL});
        if (strcmp(at(shown, "/failed"), "1") == 0) {
            check_at(shown, "/last_error", "\"answered 302: words\"");
            break;
        }
        poll(NULL, 0, 20);
    }
    /* By hand. */
    ask_for((struct asking){RETRY_OPERATION, id, NULL});
    must_receive(3);
    assert_string_equal(header_of(&arena, 2, "Stet-Delivery"), id);
    must_have("completed", 2);
    free(id);
}

TEST(one_that_was_delivered_is_posted_again_by_hand) {
    static char long_answer[1200];
    (void)state;
    /* So long that the result stands in a record of its own. */
    memset(long_answer, '"', sizeof long_answer - 1);
    server.words = long_answer;
    server_run();
    put_handler("h", "", "");
    put_record("1", "{\"n\":1}");
    must_receive(1);
    const char *id = header_of(&arena, 0, "Stet-Delivery");
    must_have("completed", 1);
    const char *queued = ask_for((struct asking){RETRY_OPERATION, id, NULL});
    check_at(queued, "/status", "\"queued\"");
    check_at(queued, "/event", "\"OperationQueued\"");
    assert_null(at(queued, "/result"));
    must_receive(2);
    assert_string_equal(header_of(&arena, 1, "Stet-Delivery"), id);
    assert_string_equal(server.deliveries[1].body, server.deliveries[0].body);
    must_have("completed", 1);
    assert_memory_equal(at(ask_for((struct asking){GET_OPERATION, id, NULL}), "/result/body"),
                        "\"\\\"", 3);
}

TEST(a_server_that_was_down_is_told_later) {
    (void)state;
    put_handler("h", "", "");
    put_record("1", "{\"n\":1}");
    put_record("2", "{\"n\":2}");
    must_have("retrying", 1);
    server_run();
    must_receive(2);
    check_at(server.deliveries[0].body, "/change/address", "\"task/1\"");
    check_at(server.deliveries[1].body, "/change/address", "\"task/2\"");
}

static stet_status submit_stranger(stet_command *command, void *context, stet_error *err) {
    return stet_command_operation_submit(command, context, err);
}

static stet_status claim_stranger(stet_command *command, void *context, stet_error *err) {
    return stet_command_claim(command, context, err);
}

TEST(nobody_else_posts_or_takes_what_is_posted) {
    stet_operation_request posts = {.agent = VIEW("webhook:")};
    stet_operation_request stands_in_the_way = {.lane = VIEW("webhook-h"), .agent = VIEW("a")};
    stet_claim takes = {.lane = VIEW("webhook-h"), .agent = VIEW("webhook:")};
    stet_result *result;
    (void)state;
    assert_int_equal(stet_run_blocking(space, &admin, submit_stranger, &posts, &result, NULL),
                     STET_FORBIDDEN);
    assert_int_equal(
        stet_run_blocking(space, &admin, submit_stranger, &stands_in_the_way, &result, NULL),
        STET_FORBIDDEN);
    assert_int_equal(stet_run_blocking(space, &admin, claim_stranger, &takes, &result, NULL),
                     STET_FORBIDDEN);
    server_run();
}

TEST(closing_does_not_wait_for_an_answer) {
    (void)state;
    server.silent = true;
    server_run();
    put_handler("h", "", ",\"timeout_s\":60");
    put_record("1", "{\"n\":1}");
    must_receive(1);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    close_engine();
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 30);
    open_engine(NULL);
}

/* ---- Killed ------------------------------------------------------------------------------ */

static char folder[64];

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

/* The child: says each record that is stored, and goes on delivering until it is killed. */
static int be_killed(const char *dir, unsigned from, unsigned to) {
    arena_init(&arena, 65536);
    open_engine(dir);
    for (unsigned i = from; i < to; i++) {
        char id[16];
        snprintf(id, sizeof id, "%u", i);
        put_record(id, "{}");
        if (write(STDOUT_FILENO, ".", 1) != 1) return 1;
    }
    poll(NULL, 0, -1);
    return 0;
}

static pid_t start_child(unsigned from, unsigned to, int *out) {
    char first[16], last[16];
    int ends[2];
    snprintf(first, sizeof first, "%u", from);
    snprintf(last, sizeof last, "%u", to);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(program, program, "be-killed", folder, first, last, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    *out = ends[0];
    return child;
}

static void kill_child(pid_t child, int out) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(out);
}

TEST(nothing_is_lost_when_the_server_is_killed) {
    enum { EACH = 8, ROUNDS = 3 };
    (void)state;
    arena_init(&arena, 65536);
    snprintf(folder, sizeof folder, "/tmp/stet-outbound-XXXXXX");
    assert_non_null(mkdtemp(folder));
    server_listen();
    open_engine(folder);
    put_handler("h", "", "");
    ask_for((struct asking){PUT_FUNCTION, "count",
                            "{\"source\":\"local c = get('counter', 'c') or {n = 0}\\n"
                            "c.n = c.n + 1\\nput('counter', 'c', c)\"}"});
    ask_for((struct asking){PUT_HANDLER, "f",
                            "{\"on\":[\"create\"],\"type\":\"task\",\"function\":\"count\"}"});
    close_engine();
    server_run();
    for (unsigned round = 0; round < ROUNDS; round++) {
        int out;
        char dot;
        pid_t child = start_child(round * EACH, (round + 1) * EACH, &out);
        for (unsigned i = 0; i < EACH; i++)
            assert_int_equal(read(out, &dot, 1), 1);
        /* With some delivered and some not. */
        must_receive(round * EACH + round + 1);
        kill_child(child, out);
    }
    int out;
    pid_t child = start_child(0, 0, &out);
    /* Each at least once, under one name of its own, and none before all before it were delivered. */
    size_t seen = 0, next = 0;
    const char *ids[EACH * ROUNDS] = {0};
    while (seen < EACH * ROUNDS) {
        must_receive(next + 1);
        char address[32];
        snprintf(address, sizeof address, "\"task/%zu\"", seen);
        const char *found = at(server.deliveries[next].body, "/change/address");
        const char *id = header_of(&arena, next, "Stet-Delivery");
        if (strcmp(found, address) == 0) {
            for (size_t i = 0; i < seen; i++)
                assert_string_not_equal(ids[i], id);
            ids[seen++] = id;
        } else {
            /* Once more: its answer was not stored when the child was killed. */
            assert_true(seen > 0);
            assert_string_equal(ids[seen - 1], id);
        }
        next++;
    }
    kill_child(child, out);
    /* What a function does takes effect once. */
    open_engine(folder);
    const char *open;
    do {
        open = ask_for((struct asking){LIST_LANE, "handler-f", "open"});
        poll(NULL, 0, 20);
    } while (at(open, "/operations/0") != NULL);
    check_at(ask_for((struct asking){GET_RECORD, "counter", "c"}), "/data/n", "24");
    check_at(ask_for((struct asking){GET_HANDLER, "f", NULL}), "/reactions", "24");
    close_engine();
    server_stop();
    server.port = 0;
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    arena_done(&arena);
}

int main(int count, char **arguments) {
    program = arguments[0];
    if (count == 5 && strcmp(arguments[1], "be-killed") == 0)
        return be_killed(arguments[2], (unsigned)strtoul(arguments[3], NULL, 10),
                         (unsigned)strtoul(arguments[4], NULL, 10));
    signal(SIGPIPE, SIG_IGN);
#define WORLD(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        WORLD(a_change_is_posted_and_signed),
        WORLD(a_large_record_is_posted_whole),
        WORLD(one_that_fails_is_tried_again_before_the_next),
        WORLD(one_that_keeps_failing_is_shown_and_the_next_goes_on),
        WORLD(one_that_was_delivered_is_posted_again_by_hand),
        WORLD(a_server_that_was_down_is_told_later),
        WORLD(nobody_else_posts_or_takes_what_is_posted),
        WORLD(closing_does_not_wait_for_an_answer),
        cmocka_unit_test(nothing_is_lost_when_the_server_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
