#include "http_link.h"

#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_link {
    struct link link;
    size_t in_size;
    char in[REPLY_BYTES_MAX];
};

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

/* Bytes used by the reply at the start of `bytes`, or 0 when it is not complete. */
static size_t decode(stet_view bytes, struct reply *reply) {
    const char *head_end = bytes.size < 16 ? NULL : memmem(bytes.bytes, bytes.size, "\r\n\r\n", 4);
    if (head_end == NULL) return 0;
    size_t head = (size_t)(head_end - bytes.bytes) + 4;
    size_t body = header_number(bytes.bytes, head_end + 2, "Content-Length");
    if (memcmp(bytes.bytes, "HTTP/1.1 ", 9) != 0) {
        errno = 0;
        server_fail("the answer is not HTTP/1.1");
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

/* ---- Links ------------------------------------------------------------------------------- */

struct link *http_link_open(int fd) {
    struct http_link *link = malloc(sizeof *link);
    if (link == NULL) server_fail("out of memory for connections");
    link->link = (struct link){.fd = fd, .timer = -1};
    link->in_size = 0;
    return &link->link;
}

void http_link_close(struct link *link) {
    close(link->fd);
    free(link);
}

void http_link_send(struct link *link, const char *request, size_t size) {
    /* A connection with nothing under way takes a request of this size whole. */
    if (send(link->fd, request, size, MSG_NOSIGNAL) != (ssize_t)size)
        server_fail("a connection was lost");
}

bool http_link_receive(struct target *target, struct link *base, const struct op *op,
                       struct reply *reply) {
    struct http_link *link = (struct http_link *)base;
    (void)target;
    (void)op;
    ssize_t got = recv(base->fd, link->in + link->in_size, sizeof link->in - link->in_size, 0);
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) server_fail("the server closed a connection, or an answer is too long");
    link->in_size += (size_t)got;
    size_t used = decode((stet_view){link->in, link->in_size}, reply);
    if (used == 0) return false;
    errno = 0;
    if (used != link->in_size) server_fail("an answer is longer than it says");
    link->in_size = 0;
    return true;
}
