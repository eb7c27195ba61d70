/*
 * etcd over its own protocol, gRPC: nghttp2 does the frames, and the four messages that are needed are put together here
 * (etcdserverpb/rpc.proto). Its JSON gateway would be slower and is not used.
 *
 * A record is a key; etcd counts the versions of a key itself and keeps the past ones as revisions, which are the history and the feed.
 * A write is one transaction: if the key's version is the one seen, put the record and the mutation key, which hangs on a lease of a day.
 * If it is not, the mutation key is looked up: where the version fits, the write cannot have happened before.
 */
#include "spawn.h"
#include "target.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LEASE_S = 86400, LEASE_ID = 7838, GRPC_HEAD_BYTES = 5, TEXT_BYTES = 256 };

struct etcd_link {
    struct link link;
    nghttp2_session *session;
    bool done; /* The answer is complete. */
    size_t out_size, out_taken;
    size_t in_size;
    char status[TEXT_BYTES]; /* When it is not "0": what went wrong. */
    char out[REQUEST_BYTES_MAX];
    char in[REPLY_BYTES_MAX];
};

static struct spawn spawn;
static char program[SPAWN_PATH_BYTES];
static char authority[32];

/* ---- Messages ---------------------------------------------------------------------------- */

enum wire { WIRE_NUMBER = 0, WIRE_BYTES = 2 };

static char *put_number(char *out, uint64_t number) {
    for (; number >= 128; number >>= 7)
        *out++ = (char)(number | 128);
    *out++ = (char)number;
    return out;
}

static char *put_tag(char *out, unsigned field, enum wire wire) {
    return put_number(out, (uint64_t)field << 3 | wire);
}

static char *put_u64(char *out, unsigned field, uint64_t number) {
    return put_number(put_tag(out, field, WIRE_NUMBER), number);
}

static char *put_bytes(char *out, unsigned field, stet_view bytes) {
    out = put_number(put_tag(out, field, WIRE_BYTES), bytes.size);
    memcpy(out, bytes.bytes, bytes.size);
    return out + bytes.size;
}

static stet_view made(const char *from, const char *end) {
    return (stet_view){from, (size_t)(end - from)};
}

/* A field of a message: its bytes or its number. */
struct field {
    unsigned number;
    uint64_t value;
    stet_view bytes;
};

static bool take_number(stet_view *rest, uint64_t *number) {
    *number = 0;
    for (unsigned shift = 0; shift < 64 && rest->size > 0; shift += 7) {
        uint8_t byte = (uint8_t)*rest->bytes++;
        rest->size--;
        *number |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

/* False at the end of the message. */
static bool take_field(stet_view *rest, struct field *field) {
    uint64_t tag, size;
    *field = (struct field){0};
    if (rest->size == 0) return false;
    if (!take_number(rest, &tag)) goto broken;
    field->number = (unsigned)(tag >> 3);
    if ((tag & 7) == WIRE_NUMBER) {
        if (!take_number(rest, &field->value)) goto broken;
        return true;
    }
    if ((tag & 7) != WIRE_BYTES || !take_number(rest, &size) || size > rest->size) goto broken;
    field->bytes = (stet_view){rest->bytes, size};
    rest->bytes += size;
    rest->size -= size;
    return true;
broken:
    spawn_fail(&spawn, "an answer", "is not the message that was asked for");
}

/* ---- What is asked ----------------------------------------------------------------------- */

static stet_view record_key(const struct op *op, char out[TEXT_BYTES]) {
    int size = snprintf(out, TEXT_BYTES, "%.*s/%.*s", (int)op->type.size, op->type.bytes,
                        (int)op->id.size, op->id.bytes);
    return (stet_view){out, (size_t)size};
}

/* PutRequest in a RequestOp. lease: 0 for none. */
static stet_view put_op(char out[REQUEST_BYTES_MAX], stet_view key, stet_view value,
                        uint64_t lease) {
    char inner[REQUEST_BYTES_MAX / 2], *end = inner;
    end = put_bytes(end, 1, key);
    end = put_bytes(end, 2, value);
    if (lease != 0) end = put_u64(end, 3, lease);
    return made(out, put_bytes(out, 2, made(inner, end)));
}

/* RangeRequest in a RequestOp. */
static stet_view get_op(char out[REQUEST_BYTES_MAX], stet_view key) {
    char inner[TEXT_BYTES * 2];
    return made(out, put_bytes(out, 1, made(inner, put_bytes(inner, 1, key))));
}

static size_t encode_txn(const struct op *op, char *out) {
    char id[TEXT_BYTES], key[TEXT_BYTES], version[24], part[REQUEST_BYTES_MAX], *end = out;
    stet_view name = record_key(op, id);
    stet_view mutation = {
        key, (size_t)snprintf(key, sizeof key, "key/%.*s", (int)op->key.size, op->key.bytes)};
    stet_view next = {version, (size_t)snprintf(version, sizeof version, "%llu",
                                                (unsigned long long)op->base + 1)};
    /* Compare: EQUAL and VERSION are 0, which is not written. */
    char *compare = put_bytes(part, 3, name);
    compare = put_u64(compare, 4, op->base);
    end = put_bytes(end, 1, made(part, compare));
    end = put_bytes(end, 2, put_op(part, name, op->data, 0));
    end = put_bytes(end, 2, put_op(part, mutation, next, LEASE_ID));
    end = put_bytes(end, 3, get_op(part, mutation));
    return (size_t)(end - out);
}

static bool etcd_can(const char *variant, const struct op *op) {
    (void)variant;
    switch (op->kind) {
    case OP_CREATE:
    case OP_GET: return true;
    case OP_PUT: return op->minimal;
    case OP_PATCH:
    case OP_POST:
    case OP_BOOK:
    case OP_GET_IF_MOVED:
    case OP_ADD:
    case OP_ECHO: return false;
    }
    return false;
}

/* ---- What is answered -------------------------------------------------------------------- */

/* The first KeyValue of a RangeResponse: its version and value. False: it has none. */
static bool take_range(stet_view range, uint64_t *version, stet_view *value) {
    struct field field, part;
    while (take_field(&range, &field)) {
        if (field.number != 2) continue;
        while (take_field(&field.bytes, &part)) {
            if (part.number == 4) *version = part.value;
            if (part.number == 5) *value = part.bytes;
        }
        return true;
    }
    return false;
}

static void reply_range(stet_view message, struct reply *reply) {
    if (!take_range(message, &reply->version, &reply->body)) reply->kind = REPLY_REFUSED;
}

/* What a transaction that did not succeed found: what its key stands for, when it happened before. */
static void reply_replay(stet_view response_op, struct reply *reply) {
    struct field range;
    stet_view version = {0};
    uint64_t ignored;
    reply->kind = REPLY_CONFLICT;
    if (!take_field(&response_op, &range) || range.number != 1) return;
    if (!take_range(range.bytes, &ignored, &version)) return;
    reply->kind = REPLY_OK;
    reply->version = strtoull(version.bytes, NULL, 10);
}

static void reply_txn(stet_view message, const struct op *op, struct reply *reply) {
    struct field field;
    stet_view first = {0};
    bool succeeded = false;
    while (take_field(&message, &field)) {
        if (field.number == 2) succeeded = field.value != 0;
        if (field.number == 3 && first.bytes == NULL) first = field.bytes;
    }
    /* It counts by one: the version after the one that was compared. */
    reply->version = op->base + 1;
    if (!succeeded) reply_replay(first, reply);
}

/* ---- Calls ------------------------------------------------------------------------------- */

static int take_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                       size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                       void *context) {
    struct etcd_link *link = context;
    (void)session;
    (void)frame;
    (void)flags;
    bool status = name_size == 11 && memcmp(name, "grpc-status", 11) == 0;
    bool why = name_size == 12 && memcmp(name, "grpc-message", 12) == 0;
    if (status || (why && value_size > 0)) /* In this order. */
        snprintf(link->status, sizeof link->status, "%.*s", (int)value_size, (const char *)value);
    return 0;
}

static int take_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
                     size_t size, void *context) {
    struct etcd_link *link = context;
    (void)session;
    (void)flags;
    (void)stream;
    if (size > sizeof link->in - link->in_size) spawn_fail(&spawn, "an answer", "is too long");
    memcpy(link->in + link->in_size, bytes, size);
    link->in_size += size;
    return 0;
}

static int take_end(nghttp2_session *session, int32_t stream, uint32_t error, void *context) {
    struct etcd_link *link = context;
    (void)session;
    (void)stream;
    link->done = true;
    if (error != NGHTTP2_NO_ERROR)
        snprintf(link->status, sizeof link->status, "stream error %u", error);
    return 0;
}

static ssize_t give_data(nghttp2_session *session, int32_t stream, uint8_t *out, size_t room,
                         uint32_t *flags, nghttp2_data_source *source, void *context) {
    struct etcd_link *link = context;
    (void)session;
    (void)stream;
    (void)source;
    size_t size = link->out_size - link->out_taken;
    if (size > room) size = room;
    memcpy(out, link->out + link->out_taken, size);
    link->out_taken += size;
    if (link->out_taken == link->out_size) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)size;
}

/* All that the session wants to say, in one piece where it fits: its answers to pings, too. */
static void flush(struct etcd_link *link) {
    char out[2 * REQUEST_BYTES_MAX];
    const uint8_t *bytes;
    size_t size = 0;
    ssize_t got;
    while ((got = nghttp2_session_mem_send(link->session, &bytes)) > 0) {
        if ((size_t)got > sizeof out - size) spawn_fail(&spawn, "a request", "is too long");
        memcpy(out + size, bytes, (size_t)got);
        size += (size_t)got;
    }
    if (got < 0) spawn_fail(&spawn, "a request", nghttp2_strerror((int)got));
    if (size > 0 && send(link->link.fd, out, size, MSG_NOSIGNAL) != (ssize_t)size)
        spawn_fail(&spawn, "a connection was lost", strerror(errno));
}

#define HEADER(name, value, size)                                                                  \
    {                                                                                              \
        (uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, (size),                           \
            NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE                           \
    }
#define HEADER_TEXT(name, value) HEADER(name, value, sizeof(value) - 1)

/* The message is in link->out, behind room for its head. */
static void call(struct etcd_link *link, const char *path, size_t message_size) {
    const nghttp2_nv headers[] = {
        HEADER_TEXT(":method", "POST"),      HEADER_TEXT(":scheme", "http"),
        HEADER(":path", path, strlen(path)), HEADER(":authority", authority, strlen(authority)),
        HEADER_TEXT("te", "trailers"),       HEADER_TEXT("content-type", "application/grpc"),
    };
    const nghttp2_data_provider body = {.read_callback = give_data};
    link->out[0] = 0; /* Not compressed. */
    for (int i = 0; i < 4; i++)
        link->out[1 + i] = (char)(message_size >> (24 - 8 * i));
    link->out_size = GRPC_HEAD_BYTES + message_size;
    link->out_taken = link->in_size = 0;
    link->done = false;
    link->status[0] = '\0';
    int32_t stream = nghttp2_submit_request(link->session, NULL, headers,
                                            sizeof headers / sizeof *headers, &body, NULL);
    if (stream < 0) spawn_fail(&spawn, "a request", nghttp2_strerror(stream));
    flush(link);
}

/* The message once it is there; what went wrong instead of it is in link->status. */
static bool answered(struct etcd_link *link, stet_view *message) {
    uint8_t bytes[REPLY_BYTES_MAX];
    ssize_t got = recv(link->link.fd, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) spawn_fail_log(&spawn, "closed a connection");
    ssize_t used = nghttp2_session_mem_recv(link->session, bytes, (size_t)got);
    if (used != got) spawn_fail(&spawn, "an answer", nghttp2_strerror((int)used));
    if (!link->done) {
        flush(link);
        return false;
    }
    *message = (stet_view){link->in + GRPC_HEAD_BYTES,
                           link->in_size < GRPC_HEAD_BYTES ? 0 : link->in_size - GRPC_HEAD_BYTES};
    return true;
}

/* ---- Links ------------------------------------------------------------------------------- */

static struct link *etcd_open(struct target *target) {
    struct etcd_link *link = calloc(1, sizeof *link);
    nghttp2_session_callbacks *callbacks = NULL;
    (void)target;
    if (link == NULL || nghttp2_session_callbacks_new(&callbacks) != 0)
        spawn_fail(&spawn, "connect", "out of memory");
    nghttp2_session_callbacks_set_on_header_callback(callbacks, take_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, take_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, take_end);
    if (nghttp2_session_client_new(&link->session, callbacks, link) != 0 ||
        nghttp2_submit_settings(link->session, NGHTTP2_FLAG_NONE, NULL, 0) != 0)
        spawn_fail(&spawn, "connect", "out of memory");
    nghttp2_session_callbacks_del(callbacks);
    link->link = (struct link){.fd = spawn_connect(&spawn), .timer = -1};
    return &link->link;
}

static void etcd_close(struct link *base) {
    struct etcd_link *link = (struct etcd_link *)base;
    nghttp2_session_del(link->session);
    close(base->fd);
    free(link);
}

static void etcd_send(struct target *target, struct link *base, const struct op *op) {
    struct etcd_link *link = (struct etcd_link *)base;
    char *message = link->out + GRPC_HEAD_BYTES, id[TEXT_BYTES];
    (void)target;
    if (op->kind == OP_GET) {
        char *end = put_bytes(message, 1, record_key(op, id));
        call(link, "/etcdserverpb.KV/Range", (size_t)(end - message));
    } else {
        call(link, "/etcdserverpb.KV/Txn", encode_txn(op, message));
    }
}

static bool etcd_receive(struct target *target, struct link *base, const struct op *op,
                         struct reply *reply) {
    struct etcd_link *link = (struct etcd_link *)base;
    stet_view message;
    (void)target;
    if (!answered(link, &message)) return false;
    *reply = (struct reply){.kind = REPLY_OK};
    if (strcmp(link->status, "0") != 0)
        *reply =
            (struct reply){.kind = REPLY_REFUSED, .body = {link->status, strlen(link->status)}};
    else if (op->kind == OP_GET)
        reply_range(message, reply);
    else
        reply_txn(message, op, reply);
    return true;
}

/* ---- Start and stop ---------------------------------------------------------------------- */

static void grant_lease(struct target *target) {
    struct etcd_link *link = (struct etcd_link *)etcd_open(target);
    char *message = link->out + GRPC_HEAD_BYTES, *end = message;
    struct pollfd ready = {.fd = link->link.fd, .events = POLLIN};
    stet_view answer;
    end = put_u64(end, 1, LEASE_S);
    end = put_u64(end, 2, LEASE_ID);
    call(link, "/etcdserverpb.Lease/LeaseGrant", (size_t)(end - message));
    do
        poll(&ready, 1, -1);
    while (!answered(link, &answer));
    if (strcmp(link->status, "0") != 0) spawn_fail(&spawn, "a lease", link->status);
    etcd_close(&link->link);
}

static void run(struct target *target) {
    char data[SPAWN_PATH_BYTES + 8], url[64];
    snprintf(data, sizeof data, "%s/data", spawn.folder);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", spawn.port);
    snprintf(authority, sizeof authority, "127.0.0.1:%d", spawn.port);
    /* It has no peers, so that nobody needs to know the port it would meet them on. */
    spawn_start(&spawn, (const char *[]){program,
                                         "--name",
                                         "bench",
                                         "--data-dir",
                                         data,
                                         "--listen-client-urls",
                                         url,
                                         "--advertise-client-urls",
                                         url,
                                         "--listen-peer-urls",
                                         "http://127.0.0.1:0",
                                         "--initial-advertise-peer-urls",
                                         "http://127.0.0.1:0",
                                         "--initial-cluster",
                                         "bench=http://127.0.0.1:0",
                                         "--quota-backend-bytes",
                                         "8589934592",
                                         "--logger",
                                         "zap",
                                         "--log-level",
                                         "error",
                                         NULL});
    target->pid = spawn.pid;
    target->listening_ms = spawn.listening_ms;
}

static void etcd_start(struct target *target, const struct target_options *options) {
    static const char *const places[] = {"/usr/bin", NULL};
    spawn_prepare(&spawn, target->name, options->dir, NULL);
    if (!spawn_find("etcd", places, program))
        spawn_fail(&spawn, "is not installed", "Debian's package is etcd-server");
    run(target);
    grant_lease(target);
}

static void etcd_stop(struct target *target) {
    spawn_done(&spawn);
    target->pid = 0;
}

static void etcd_crash(struct target *target) {
    spawn_end(&spawn, SIGKILL);
    run(target);
}

struct target target_etcd = {
    .name = "etcd",
    .start = etcd_start,
    .stop = etcd_stop,
    .crash = etcd_crash,
    .open = etcd_open,
    .close = etcd_close,
    .can = etcd_can,
    .send = etcd_send,
    .receive = etcd_receive,
};
