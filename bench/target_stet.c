/*
 * Stet over HTTP/1.1. See server.h for how it is started.
 */
#include "http_link.h"
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Requests ---------------------------------------------------------------------------- */

static char *put(char *out, stet_view text) {
    memcpy(out, text.bytes, text.size);
    return out + text.size;
}

#define PUT_TEXT(out, literal) put(out, (stet_view){(literal), sizeof(literal) - 1})

static char *put_u64(char *out, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return put(out, (stet_view){digits + at, sizeof digits - at});
}

static char *put_line(char *out, const char *method, const struct op *op) {
    out = put(out, (stet_view){method, strlen(method)});
    out = PUT_TEXT(out, " /v1/");
    out = put(out, op->space);
    out = PUT_TEXT(out, "/records/");
    out = put(out, op->type);
    if (op->id.size > 0) {
        *out++ = '/';
        out = put(out, op->id);
    }
    return put(out, (stet_view){server_lines, server_lines_size});
}

static char *put_write(char *out, const struct op *op, const char *media) {
    if (op->minimal) out = PUT_TEXT(out, "Prefer: return=minimal\r\n");
    out = PUT_TEXT(out, "Idempotency-Key: ");
    out = put(out, op->key);
    out = PUT_TEXT(out, "\r\nContent-Type: application/");
    out = put(out, (stet_view){media, strlen(media)});
    out = PUT_TEXT(out, "\r\nContent-Length: ");
    out = put_u64(out, op->data.size);
    out = PUT_TEXT(out, "\r\n\r\n");
    return put(out, op->data);
}

static char *put_tag(char *out, uint64_t version) {
    *out++ = '"';
    out = put_u64(out, version);
    return PUT_TEXT(out, "\"\r\n");
}

static size_t encode(const struct op *op, char *out) {
    char *end = out;
    switch (op->kind) {
    case OP_CREATE:
    case OP_BOOK:
        end = put_line(end, "PUT", op);
        end = PUT_TEXT(end, "If-None-Match: *\r\n");
        end = put_write(end, op, "json");
        break;
    case OP_PUT:
        end = put_line(end, "PUT", op);
        end = PUT_TEXT(end, "If-Match: ");
        end = put_tag(end, op->base);
        end = put_write(end, op, "json");
        break;
    case OP_PATCH:
    case OP_ADD:
        end = put_line(end, "PATCH", op);
        end = PUT_TEXT(end, "If-Match: ");
        end = put_tag(end, op->base);
        end = put_write(end, op, "merge-patch+json");
        break;
    case OP_POST:
        end = put_line(end, "POST", op);
        end = put_write(end, op, "json");
        break;
    case OP_GET:
        end = put_line(end, "GET", op);
        end = PUT_TEXT(end, "\r\n");
        break;
    case OP_ECHO: break; /* See stet_can. */
    case OP_GET_IF_MOVED:
        end = put_line(end, "GET", op);
        end = PUT_TEXT(end, "If-None-Match: ");
        end = put_tag(end, op->base);
        end = PUT_TEXT(end, "\r\n");
        break;
    }
    return (size_t)(end - out);
}

/* ---- Links ------------------------------------------------------------------------------- */

static struct link *link_open(struct target *target) {
    (void)target;
    return http_link_open(server_connect());
}

static bool stet_can(const char *variant, const struct op *op) {
    (void)variant;
    return op->kind != OP_ECHO; /* That is target_echo.c's. */
}

static void link_send(struct target *target, struct link *link, const struct op *op) {
    char out[REQUEST_BYTES_MAX];
    (void)target;
    http_link_send(link, out, encode(op, out));
}

/* ---- Requests by the way ----------------------------------------------------------------- */

static void stet_declare(struct target *target, const char *type, const char *definition) {
    char request[REQUEST_BYTES_MAX], answer[REPLY_BYTES_MAX];
    (void)target;
    int size = snprintf(request, sizeof request,
                        "PUT /v1/main/types/%s%sConnection: close\r\nContent-Type: application/json"
                        "\r\nContent-Length: %zu\r\n\r\n%s",
                        type, server_lines, strlen(definition), definition);
    server_ask(request, (size_t)size, answer, sizeof answer);
    errno = 0;
    if (strncmp(answer, "HTTP/1.1 20", 11) != 0) server_fail(answer);
}

static void stet_make_space(struct target *target, const char *name) {
    char request[1024], answer[REPLY_BYTES_MAX];
    (void)target;
    int size =
        snprintf(request, sizeof request,
                 "PUT /v1/%s%sConnection: close\r\nContent-Length: 0\r\n\r\n", name, server_lines);
    server_ask(request, (size_t)size, answer, sizeof answer);
    errno = 0;
    if (strncmp(answer, "HTTP/1.1 20", 11) != 0) server_fail(answer);
}

static void stet_import(struct target *target, stet_view space, stet_view lines, size_t count) {
    char answer[REPLY_BYTES_MAX], want[64];
    char *request = malloc(lines.size + 1024);
    (void)target;
    if (request == NULL) server_fail("out of memory for an import");
    int head = snprintf(request, 1024,
                        "POST /v1/%.*s/import%sConnection: close\r\n"
                        "Content-Type: application/x-ndjson\r\nContent-Length: %zu\r\n\r\n",
                        (int)space.size, space.bytes, server_lines, lines.size);
    memcpy(request + head, lines.bytes, lines.size);
    server_ask(request, (size_t)head + lines.size, answer, sizeof answer);
    free(request);
    snprintf(want, sizeof want, "\"imported\":%zu,", count);
    errno = 0;
    if (strncmp(answer, "HTTP/1.1 200", 12) != 0 || strstr(answer, want) == NULL)
        server_fail(answer);
}

/* The sum of a sample over the spaces. */
static double sample(const char *text, const char *name) {
    char start[128];
    double sum = 0;
    snprintf(start, sizeof start, "\n%s{space=\"", name);
    while ((text = strstr(text, start)) != NULL) {
        text += strlen(start);
        const char *value = strchr(text, ' ');
        if (value != NULL) sum += atof(value);
    }
    return sum;
}

static void stet_commits(struct target *target, struct target_commits *commits) {
    static char text[1 << 18];
    char request[1024];
    (void)target;
    int size =
        snprintf(request, sizeof request, "GET /metrics%sConnection: close\r\n\r\n", server_lines);
    server_ask(request, (size_t)size, text, sizeof text);
    commits->writes = sample(text, "stet_batch_commands_sum");
    commits->commits = sample(text, "stet_batch_commands_count");
}

static const struct target_options *used_options; /* The program's. */

static void stet_start(struct target *target, const struct target_options *options) {
    used_options = options;
    server_start(options, &target->pid);
    target->listening_ms = server_listening_ms;
}

static void stet_stop(struct target *target) {
    server_stop(target->pid);
    target->pid = 0;
}

static void stet_crash(struct target *target) { server_crash(used_options, &target->pid); }

struct target target_stet = {
    .name = "stet",
    .start = stet_start,
    .stop = stet_stop,
    .crash = stet_crash,
    .open = link_open,
    .close = http_link_close,
    .can = stet_can,
    .send = link_send,
    .receive = http_link_receive,
    .declare = stet_declare,
    .make_space = stet_make_space,
    .import = stet_import,
    .commits = stet_commits,
};
