/*
 * Stet over HTTP/1.1. Started with a fresh data directory on a free port; the token is the one that `stet init` prints.
 */
#include "target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDS "/v1/main/records/task"

static char folder[4096]; /* Of the server we started. */
static char common[512];  /* The header lines of every request. */
static size_t common_size;
static char token[128];

static void fail(const char *what) {
    fprintf(stderr, "http_load: %s%s%s\n", what, errno != 0 ? ": " : "",
            errno != 0 ? strerror(errno) : "");
    exit(1);
}

int target_connect(const struct target *target) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)target->port)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, target->host, &address.sin_addr) != 1) fail(target->host);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
    return fd;
}

/* ---- Start and stop ---------------------------------------------------------------------- */

/* Runs a command line and gives its output, NUL-terminated. */
static void run(const char *command, char *out, size_t size) {
    FILE *pipe = popen(command, "r");
    if (pipe == NULL) fail(command);
    size_t got = fread(out, 1, size - 1, pipe);
    out[got] = '\0';
    if (pclose(pipe) != 0) fail(command);
}

static void take_url(struct target *target, const char *url) {
    if (sscanf(url, "http://%63[^:/]:%d", target->host, &target->port) != 2) fail(url);
}

static void spawn(struct target *target, const struct target_options *options, const char *program,
                  const char *url_file) {
    char io_threads[16], data[4200];
    snprintf(io_threads, sizeof io_threads, "%u", options->io_threads);
    snprintf(data, sizeof data, "%s/data", folder);
    target->pid = fork();
    if (target->pid < 0) fail("fork");
    if (target->pid == 0) {
        execl(program, program, "serve", "--data", data, "--listen", "127.0.0.1:0", "--url-file",
              url_file, "--io-threads", io_threads, "--log-level", "error", (char *)NULL);
        _exit(127);
    }
}

static void wait_for_url(struct target *target, const char *url_file) {
    char url[256] = "";
    for (int tries = 0; tries < 500; tries++) {
        FILE *file = fopen(url_file, "re");
        if (file != NULL) {
            bool got = fgets(url, sizeof url, file) != NULL;
            fclose(file);
            if (got) break;
        }
        if (waitpid(target->pid, NULL, WNOHANG) != 0) fail("the server ended at once");
        usleep(20000);
    }
    take_url(target, url);
}

static void stet_start(struct target *target, const struct target_options *options) {
    char command[8500], out[1024], url_file[4200];
    const char *program = options->program != NULL ? options->program : "build/stet";
    errno = 0;
    if (options->url != NULL) {
        take_url(target, options->url);
        snprintf(token, sizeof token, "%s", options->token == NULL ? "" : options->token);
    } else {
        snprintf(folder, sizeof folder, "%s/http_load.XXXXXX", options->dir);
        if (mkdtemp(folder) == NULL) fail(folder);
        snprintf(command, sizeof command, "'%s' init --data '%s/data'", program, folder);
        run(command, out, sizeof out);
        const char *word = strstr(out, "stet_");
        if (word == NULL || sscanf(word, "%127s", token) != 1) fail("stet init printed no token");
        snprintf(url_file, sizeof url_file, "%s/url", folder);
        spawn(target, options, program, url_file);
        wait_for_url(target, url_file);
    }
    common_size = (size_t)snprintf(common, sizeof common,
                                   " HTTP/1.1\r\nHost: %s:%d\r\nAuthorization: Bearer %s\r\n",
                                   target->host, target->port, token);
}

static void stet_stop(struct target *target) {
    char command[4200];
    if (target->pid == 0) return;
    kill(target->pid, SIGTERM);
    waitpid(target->pid, NULL, 0);
    snprintf(command, sizeof command, "rm -rf -- '%s'", folder);
    if (system(command) != 0) fprintf(stderr, "http_load: could not remove %s\n", folder);
}

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

static char *put_line(char *out, const char *method, stet_view id) {
    out = put(out, (stet_view){method, strlen(method)});
    out = PUT_TEXT(out, " " RECORDS);
    if (id.size > 0) {
        *out++ = '/';
        out = put(out, id);
    }
    return put(out, (stet_view){common, common_size});
}

static char *put_write(char *out, const struct op *op) {
    if (op->minimal) out = PUT_TEXT(out, "Prefer: return=minimal\r\n");
    out = PUT_TEXT(out, "Idempotency-Key: ");
    out = put(out, op->key);
    out = PUT_TEXT(out, "\r\nContent-Type: application/json\r\nContent-Length: ");
    out = put_u64(out, op->data.size);
    out = PUT_TEXT(out, "\r\n\r\n");
    return put(out, op->data);
}

static char *put_tag(char *out, uint64_t version) {
    *out++ = '"';
    out = put_u64(out, version);
    return PUT_TEXT(out, "\"\r\n");
}

static size_t stet_encode(struct target *target, const struct op *op, char *out) {
    char *end = out;
    (void)target;
    switch (op->kind) {
    case OP_CREATE:
        end = put_line(end, "PUT", op->id);
        end = PUT_TEXT(end, "If-None-Match: *\r\n");
        end = put_write(end, op);
        break;
    case OP_PUT:
        end = put_line(end, "PUT", op->id);
        end = PUT_TEXT(end, "If-Match: ");
        end = put_tag(end, op->base);
        end = put_write(end, op);
        break;
    case OP_POST:
        end = put_line(end, "POST", (stet_view){0});
        end = put_write(end, op);
        break;
    case OP_GET:
        end = put_line(end, "GET", op->id);
        end = PUT_TEXT(end, "\r\n");
        break;
    case OP_GET_IF_MOVED:
        end = put_line(end, "GET", op->id);
        end = PUT_TEXT(end, "If-None-Match: ");
        end = put_tag(end, op->base);
        end = PUT_TEXT(end, "\r\n");
        break;
    }
    return (size_t)(end - out);
}

/* ---- Replies ----------------------------------------------------------------------------- */

/* The number after a header's name, and after an opening quote; 0 without the header. `end`: of the header. */
static uint64_t header_number(const char *bytes, const char *end, const char *name) {
    size_t size = strlen(name);
    const char *line = bytes;
    while ((line = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        line++;
        if ((size_t)(end - line) <= size + 1) return 0;
        if (strncasecmp(line, name, size) != 0 || line[size] != ':') continue;
        line += size + 1;
        while (*line == ' ' || *line == '"')
            line++;
        return strtoull(line, NULL, 10);
    }
    return 0;
}

static enum reply_kind kind_of(int status) {
    switch (status) {
    case 200:
    case 204: return REPLY_OK;
    case 201: return REPLY_CREATED;
    case 304: return REPLY_NOT_MODIFIED;
    case 409:
    case 412: return REPLY_CONFLICT;
    default: return REPLY_REFUSED;
    }
}

static size_t stet_decode(struct target *target, const struct op *op, stet_view bytes,
                          struct reply *reply) {
    (void)target;
    (void)op;
    const char *head_end = bytes.size < 16 ? NULL : memmem(bytes.bytes, bytes.size, "\r\n\r\n", 4);
    if (head_end == NULL) return 0;
    size_t head = (size_t)(head_end - bytes.bytes) + 4;
    size_t body = header_number(bytes.bytes, head_end + 2, "Content-Length");
    if (memcmp(bytes.bytes, "HTTP/1.1 ", 9) != 0) {
        errno = 0;
        fail("the answer is not HTTP/1.1");
    }
    int status = atoi(bytes.bytes + 9);
    if (status == 204 || status == 304) body = 0;
    if (bytes.size < head + body) return 0;
    reply->kind = kind_of(status);
    reply->version = header_number(bytes.bytes, head_end + 2, "ETag");
    reply->body = (stet_view){bytes.bytes + head, body};
    if (reply->kind == REPLY_REFUSED) reply->body = (stet_view){bytes.bytes, head + body};
    return head + body;
}

/* ---- Metrics ----------------------------------------------------------------------------- */

/* The value of a sample of the space "main". */
static double sample(const char *text, const char *name) {
    char start[128];
    snprintf(start, sizeof start, "\n%s{space=\"main\"} ", name);
    const char *at = strstr(text, start);
    return at == NULL ? 0 : atof(at + strlen(start));
}

/* On a connection of its own, which the server closes at the end of the answer. */
static void stet_commits(struct target *target, struct target_commits *commits) {
    static char text[1 << 18];
    char request[1024];
    size_t size = 0;
    int fd = target_connect(target);
    int length =
        snprintf(request, sizeof request, "GET /metrics%sConnection: close\r\n\r\n", common);
    if (write(fd, request, (size_t)length) != length) fail("write");
    while (size < sizeof text - 1) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        poll(&ready, 1, -1);
        ssize_t got = read(fd, text + size, sizeof text - 1 - size);
        if (got <= 0) break;
        size += (size_t)got;
    }
    close(fd);
    text[size] = '\0';
    commits->writes = sample(text, "stet_batch_commands_sum");
    commits->commits = sample(text, "stet_batch_commands_count");
}

struct target target_stet = {
    .name = "stet",
    .start = stet_start,
    .stop = stet_stop,
    .encode = stet_encode,
    .decode = stet_decode,
    .commits = stet_commits,
};
