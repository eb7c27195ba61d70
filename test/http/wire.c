#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

stet_engine *engine;
struct http_server *server;
int port;
struct wire wire = {.fd = -1};
struct answer got;

enum { PATIENCE_MS = 10000 };

/* ---- The server ---- */

void serve(const struct http_options *given) {
    struct http_options options = *given;
    stet_error err = {0};
    if (options.listen == NULL) options.listen = "127.0.0.1:0";
    if (stet_open(NULL, &engine, &err) != STET_OK) fail_msg("stet_open: %s", err.message);
    if (http_server_start(engine, &options, &server, &err) != STET_OK)
        fail_msg("http_server_start: %s (%s)", err.message, err.cause);
    const char *url = http_server_url(server);
    const char *host = strstr(url, "://") + 3;
    const char *colon = host[0] == '[' ? strchr(host, ']') + 1 : strchr(host, ':');
    port = atoi(colon + 1);
    wire = wire_open();
}

void serve_plainly(void) {
    struct http_options options = {.no_auth = true, .io_threads = 2};
    serve(&options);
}

void serve_stop(void) {
    http_server_stop(server);
    server = NULL;
}

int teardown(void **state) {
    (void)state;
    wire_close(&wire);
    answer_done(&got);
    serve_stop();
    stet_close(engine);
    engine = NULL;
    return 0;
}

/* ---- The client ---- */

int dial(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail_msg("socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

struct wire wire_open(void) {
    return (struct wire){.fd = dial()};
}

void wire_close(struct wire *one) {
    if (one->fd >= 0) close(one->fd);
    free(one->bytes);
    *one = (struct wire){.fd = -1};
}

void wire_send_bytes(struct wire *one, const void *bytes, size_t size) {
    const char *at = bytes;
    while (size > 0) {
        ssize_t sent = send(one->fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0) return; /* The answer, or its absence, will tell. */
        at += sent;
        size -= (size_t)sent;
    }
}

void wire_send(struct wire *one, const char *format, ...) {
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0) fail_msg("out of memory");
    wire_send_bytes(one, text, (size_t)size);
    free(text);
}

/* Receives more. False: the end, an error or nothing in time. */
static bool receive(struct wire *one, int timeout_ms) {
    struct pollfd poller = {.fd = one->fd, .events = POLLIN};
    if (poll(&poller, 1, timeout_ms) <= 0) return false;
    if (one->capacity - one->size < 65536) {
        one->capacity = one->capacity * 2 + 131072;
        one->bytes = realloc(one->bytes, one->capacity);
        if (one->bytes == NULL) fail_msg("out of memory");
    }
    ssize_t size = recv(one->fd, one->bytes + one->size, one->capacity - one->size - 1, 0);
    if (size <= 0) return false;
    one->size += (size_t)size;
    one->bytes[one->size] = '\0';
    return true;
}

static void take(struct wire *one, size_t size) {
    memmove(one->bytes, one->bytes + size, one->size - size);
    one->size -= size;
    if (one->bytes != NULL) one->bytes[one->size] = '\0';
}

static bool need(struct wire *one, size_t size) {
    while (one->size < size) {
        if (!receive(one, PATIENCE_MS)) return false;
    }
    return true;
}

bool wire_until(struct wire *one, const char *text) {
    for (;;) {
        char *found = one->size == 0 ? NULL : memmem(one->bytes, one->size, text, strlen(text));
        if (found != NULL) {
            take(one, (size_t)(found - one->bytes) + strlen(text));
            return true;
        }
        if (!receive(one, PATIENCE_MS)) return false;
    }
}

bool wire_closed(struct wire *one, int timeout_ms) {
    struct pollfd poller = {.fd = one->fd, .events = POLLIN};
    char byte;
    while (poll(&poller, 1, timeout_ms) > 0) {
        ssize_t size = recv(one->fd, &byte, 1, 0);
        if (size <= 0) return true;
    }
    return false;
}

void answer_done(struct answer *answer) {
    free(answer->head);
    free(answer->body);
    *answer = (struct answer){0};
}

static const char *find_header(const char *head, const char *name, char *out, size_t size) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) != 0 || line[2 + length] != ':') continue;
        const char *value = line + 3 + length;
        while (*value == ' ')
            value++;
        snprintf(out, size, "%.*s", (int)strcspn(value, "\r"), value);
        return out;
    }
    return NULL;
}

static bool read_chunks(struct wire *one, struct answer *answer) {
    for (;;) {
        char *end;
        while (one->size == 0 || (end = strstr(one->bytes, "\r\n")) == NULL) {
            if (!receive(one, PATIENCE_MS)) return false;
        }
        size_t size = strtoul(one->bytes, NULL, 16);
        take(one, (size_t)(end - one->bytes) + 2);
        if (!need(one, size + 2)) return false;
        answer->body = realloc(answer->body, answer->body_size + size + 1);
        memcpy(answer->body + answer->body_size, one->bytes, size);
        answer->body_size += size;
        answer->body[answer->body_size] = '\0';
        take(one, size + 2);
        if (size == 0) return true;
    }
}

bool wire_answer(struct wire *one, bool head_only, struct answer *answer) {
    char value[64];
    char *end;
    answer_done(answer);
again:
    while (one->size == 0 || (end = strstr(one->bytes, "\r\n\r\n")) == NULL) {
        if (!receive(one, PATIENCE_MS)) return false;
    }
    size_t size = (size_t)(end - one->bytes) + 2;
    free(answer->head);
    answer->head = strndup(one->bytes, size);
    take(one, size + 2);
    answer->status = atoi(answer->head + 9);
    if (answer->status == 100) goto again;
    bool empty = head_only || answer->status == 204 || answer->status == 304;
    if (!empty && find_header(answer->head, "Transfer-Encoding", value, sizeof value) != NULL)
        return read_chunks(one, answer);
    size_t length = 0;
    if (!empty && find_header(answer->head, "Content-Length", value, sizeof value) != NULL)
        length = strtoul(value, NULL, 10);
    if (!need(one, length)) return false;
    answer->body = malloc(length + 1);
    if (length > 0) memcpy(answer->body, one->bytes, length);
    answer->body[length] = '\0';
    answer->body_size = length;
    take(one, length);
    return true;
}

static void record_piece(FILE *file, const char *bytes, size_t size) {
    fprintf(file, "%zu:", size);
    fwrite(bytes, 1, size, file);
}

/* Each request and its answer into $STET_EXCHANGES, for test/http/exchanges_test.py: six pieces of "SIZE:BYTES". */
static void record_exchange(const char *method, const char *target, const char *headers,
                            const char *body) {
    const char *path = getenv("STET_EXCHANGES");
    if (path == NULL) return;
    FILE *file = fopen(path, "a");
    if (file == NULL) fail_msg("%s: %s", path, strerror(errno));
    const char *pieces[] = {method, target, headers, body == NULL ? "" : body, got.head};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        record_piece(file, pieces[i], strlen(pieces[i]));
    record_piece(file, got.body, got.body_size);
    if (fclose(file) != 0) fail_msg("%s: %s", path, strerror(errno));
}

void call(const char *method, const char *target, const char *headers, const char *body) {
    const char *host = strstr(headers, "Host:") == NULL ? "Host: localhost:%d\r\n" : "";
    char host_line[64];
    char length[64] = "";
    snprintf(host_line, sizeof host_line, host, port);
    if (body != NULL) snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    for (int attempt = 0;; attempt++) {
        if (wire.fd < 0) wire = wire_open();
        wire_send(&wire, "%s %s HTTP/1.1\r\n%s%s%s\r\n%s", method, target, host_line, headers,
                  length, body == NULL ? "" : body);
        if (wire_answer(&wire, strcmp(method, "HEAD") == 0, &got)) break;
        wire_close(&wire);
        if (attempt > 0) fail_msg("no answer to %s %s", method, target);
    }
    record_exchange(method, target, headers, body);
    const char *connection = header("Connection");
    if (connection != NULL && strcasecmp(connection, "close") == 0) wire_close(&wire);
}

const char *header(const char *name) {
    static char value[1024];
    return got.head == NULL ? NULL : find_header(got.head, name, value, sizeof value);
}

void wait_for_metric(const char *line) {
    for (int attempt = 0; attempt < 500; attempt++) {
        call("GET", "/metrics", "", NULL);
        if (strstr(got.body, line) != NULL) return;
        poll(NULL, 0, 10);
    }
    fail_msg("never in the metrics: %s", line);
}

/* ---- Expectations ---- */

static void wrong(const char *file, int line, const char *what, const char *wanted) {
    print_error("%s: wanted %s; got:\n%s\n%s\n", what, wanted, got.head == NULL ? "" : got.head,
                got.body == NULL ? "" : got.body);
    _fail(file, line);
}

void expect_status_at(int code, const char *file, int line) {
    char text[16];
    snprintf(text, sizeof text, "%d", code);
    if (got.status != code) wrong(file, line, "status", text);
}

void expect_body_at(const char *text, const char *file, int line) {
    if (got.body == NULL || strstr(got.body, text) == NULL) wrong(file, line, "in the body", text);
}

void expect_no_body_at(const char *text, const char *file, int line) {
    if (got.body != NULL && strstr(got.body, text) != NULL)
        wrong(file, line, "not in the body", text);
}

void expect_header_at(const char *name, const char *value, const char *file, int line) {
    const char *is = header(name);
    if (value == NULL && is == NULL) return;
    if (value == NULL || is == NULL || strcmp(is, value) != 0)
        wrong(file, line, name, value == NULL ? "(none)" : value);
}

void expect_problem_at(int http, const char *code, const char *field, const char *file, int line) {
    char text[256];
    expect_status_at(http, file, line);
    expect_header_at("Content-Type", "application/problem+json", file, line);
    snprintf(text, sizeof text, "\"status\":%d,", http);
    expect_body_at(text, file, line);
    snprintf(text, sizeof text, "\"code\":\"%s\"", code);
    expect_body_at(text, file, line);
    expect_body_at("\"detail\":\"", file, line);
    expect_body_at("\"request_id\":\"", file, line);
    if (field == NULL) return;
    snprintf(text, sizeof text, "\"field\":\"%s\"", field);
    expect_body_at(text, file, line);
}

const char *member(const char *name) {
    static char values[4][1024];
    static unsigned next;
    char key[64];
    char *out = values[next++ % 4];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = got.body == NULL ? NULL : strstr(got.body, key);
    if (at == NULL) {
        wrong(__FILE__, __LINE__, "member", name);
        return "";
    }
    at += strlen(key);
    if (*at == '"') {
        at++;
        snprintf(out, sizeof values[0], "%.*s", (int)strcspn(at, "\""), at);
    } else {
        snprintf(out, sizeof values[0], "%.*s", (int)strcspn(at, ",}"), at);
    }
    return out;
}
