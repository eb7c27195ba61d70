/*
 * Redis as the store of versioned records, the way one would write it: a record is a hash of version and data; one Lua script checks
 * the version, writes the record, appends to the history (which is the feed as well: a stream) and keeps the mutation key for a day.
 * Every answered write is in the append-only file (`appendfsync always`); the rest is as Debian has it, but for the snapshots beside
 * that file, which are off: they would cost it something and add nothing.
 *
 * A key that was used is looked up only when the version does not fit: where it fits, the write cannot have happened.
 */
#include "spawn.h"
#include "target.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SHA_BYTES = 40 };

/* KEYS: record, history, mutation key. ARGV: version seen (0: none), data. Replies the new version, or nil. */
static const char put_script[] =
    "local seen = redis.call('HGET', KEYS[1], 'v')\n"
    "if (seen or '0') ~= ARGV[1] then return tonumber(redis.call('GET', KEYS[3])) end\n"
    "local version = tonumber(ARGV[1]) + 1\n"
    "redis.call('HSET', KEYS[1], 'v', version, 'd', ARGV[2])\n"
    "redis.call('XADD', KEYS[2], '*', 'r', KEYS[1], 'v', version, 'd', ARGV[2])\n"
    "redis.call('SET', KEYS[3], version, 'EX', 86400)\n"
    "return version\n";

/* The same without a version seen: adds one, and replies version and count. */
static const char add_script[] =
    "local done = redis.call('GET', KEYS[3])\n"
    "if done then return {tonumber(done), redis.call('HGET', KEYS[1], 'd')} end\n"
    "local version = redis.call('HINCRBY', KEYS[1], 'v', 1)\n"
    "local now = redis.call('HGET', KEYS[1], 'd')\n"
    "local data = '{\"count\":' .. string.format('%d', tonumber(string.match(now, '%d+')) + 1) .. "
    "'}'\n"
    "redis.call('HSET', KEYS[1], 'd', data)\n"
    "redis.call('XADD', KEYS[2], '*', 'r', KEYS[1], 'v', version, 'd', data)\n"
    "redis.call('SET', KEYS[3], version, 'EX', 86400)\n"
    "return {version, data}\n";

struct redis_link {
    struct link link;
    size_t in_size;
    char in[REPLY_BYTES_MAX];
};

static struct spawn spawn;
static char program[SPAWN_PATH_BYTES];
static char put_sha[SHA_BYTES + 1], add_sha[SHA_BYTES + 1];

/* ---- The protocol ------------------------------------------------------------------------ */

static char *put_bytes(char *out, const char *bytes, size_t size) {
    memcpy(out, bytes, size);
    return out + size;
}

static char *put_head(char *out, char mark, size_t number) {
    char digits[24];
    size_t at = sizeof digits;
    digits[--at] = '\n';
    digits[--at] = '\r';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    digits[--at] = mark;
    return put_bytes(out, digits + at, sizeof digits - at);
}

/* One word of a command, in two parts that stand together. */
static char *put_words(char *out, stet_view first, stet_view second) {
    out = put_head(out, '$', first.size + second.size);
    out = put_bytes(out, first.bytes, first.size);
    out = put_bytes(out, second.bytes, second.size);
    return put_bytes(out, "\r\n", 2);
}

static char *put_word(char *out, const char *bytes, size_t size) {
    return put_words(out, (stet_view){bytes, size}, (stet_view){bytes, 0});
}

#define PUT_TEXT(out, literal) put_word(out, (literal), sizeof(literal) - 1)

/* A value as the server sends it. */
struct value {
    char kind;      /* ':' number, '$' and '+' text, '-' error, '*' list, '0' nothing. */
    int64_t number; /* Of a list: its length. */
    stet_view text;
};

/* The bytes used by the value at the start (a list's are its head's), or 0 when it is not complete. */
static size_t take_value(stet_view bytes, struct value *value) {
    const char *end = bytes.size < 4 ? NULL : memchr(bytes.bytes + 1, '\n', bytes.size - 1);
    if (end == NULL) return 0;
    size_t head = (size_t)(end - bytes.bytes) + 1;
    *value = (struct value){.kind = bytes.bytes[0],
                            .number = strtoll(bytes.bytes + 1, NULL, 10),
                            .text = {bytes.bytes + 1, head - 3}};
    if (value->kind != '$' && value->kind != '*') return head;
    if (value->number < 0) {
        value->kind = '0';
        return head;
    }
    if (value->kind == '*') return head;
    size_t size = (size_t)value->number;
    if (bytes.size < head + size + 2) return 0;
    value->text = (stet_view){bytes.bytes + head, size};
    return head + size + 2;
}

/* The value and, of a list, its members, at most two. */
static size_t take_reply(stet_view bytes, struct value values[3]) {
    size_t used = take_value(bytes, &values[0]);
    if (used == 0 || values[0].kind != '*') return used;
    for (int64_t i = 1; i <= values[0].number; i++) {
        if (i > 2) spawn_fail(&spawn, "an answer", "is a longer list than was asked for");
        size_t more = take_value((stet_view){bytes.bytes + used, bytes.size - used}, &values[i]);
        if (more == 0) return 0;
        used += more;
    }
    return used;
}

/* ---- Start and stop ---------------------------------------------------------------------- */

/* One command on a connection of its own, answered with one value. */
static void ask(const char *request, size_t size, struct value values[3],
                char in[REPLY_BYTES_MAX]) {
    size_t in_size = 0;
    int fd = spawn_connect(&spawn);
    if (write(fd, request, size) != (ssize_t)size) spawn_fail(&spawn, "write", strerror(errno));
    do {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        poll(&ready, 1, -1);
        ssize_t got = read(fd, in + in_size, REPLY_BYTES_MAX - in_size);
        if (got <= 0) spawn_fail_log(&spawn, "closed a connection");
        in_size += (size_t)got;
    } while (take_reply((stet_view){in, in_size}, values) == 0);
    close(fd);
}

static void load_script(const char *script, size_t size, char sha[SHA_BYTES + 1]) {
    char request[REQUEST_BYTES_MAX], in[REPLY_BYTES_MAX], *end = request;
    struct value values[3];
    end = put_head(end, '*', 3);
    end = PUT_TEXT(end, "SCRIPT");
    end = PUT_TEXT(end, "LOAD");
    end = put_word(end, script, size);
    ask(request, (size_t)(end - request), values, in);
    if (values[0].kind != '$' || values[0].text.size != SHA_BYTES)
        spawn_fail(&spawn, "a script", in);
    memcpy(sha, values[0].text.bytes, SHA_BYTES);
}

/* It listens while it still reads its file. */
static void wait_until_loaded(void) {
    static const char ping[] = "*1\r\n$4\r\nPING\r\n";
    char in[REPLY_BYTES_MAX];
    struct value values[3];
    for (;;) {
        ask(ping, sizeof ping - 1, values, in);
        if (values[0].kind == '+') return;
        if (memcmp(in, "-LOADING", 8) != 0) spawn_fail(&spawn, "PING", in);
        usleep(10000);
    }
}

static void run(struct target *target) {
    char port[16];
    snprintf(port, sizeof port, "%d", spawn.port);
    spawn_start(&spawn, (const char *[]){program, "--port", port, "--bind", "127.0.0.1", "--dir",
                                         spawn.folder, "--daemonize", "no", "--save", "",
                                         "--appendonly", "yes", "--appendfsync", "always", NULL});
    target->pid = spawn.pid;
    target->listening_ms = spawn.listening_ms;
    wait_until_loaded();
    load_script(put_script, sizeof put_script - 1, put_sha);
    load_script(add_script, sizeof add_script - 1, add_sha);
}

static void redis_start(struct target *target, const struct target_options *options) {
    static const char *const places[] = {"/usr/bin", NULL};
    spawn_prepare(&spawn, target->name, options->dir, NULL);
    if (!spawn_find("redis-server", places, program))
        spawn_fail(&spawn, "is not installed", "Debian's package is redis-server");
    run(target);
}

static void redis_stop(struct target *target) {
    spawn_done(&spawn);
    target->pid = 0;
}

static void redis_crash(struct target *target) {
    spawn_end(&spawn, SIGKILL);
    run(target);
}

/* ---- Links ------------------------------------------------------------------------------- */

static struct link *redis_open(struct target *target) {
    struct redis_link *link = malloc(sizeof *link);
    (void)target;
    if (link == NULL) spawn_fail(&spawn, "connect", "out of memory");
    link->link = (struct link){.fd = spawn_connect(&spawn), .timer = -1};
    link->in_size = 0;
    return &link->link;
}

static void redis_close(struct link *link) {
    close(link->fd);
    free(link);
}

static bool redis_can(const char *variant, const struct op *op) {
    (void)variant;
    switch (op->kind) {
    case OP_CREATE:
    case OP_GET:
    case OP_ADD: return true;
    case OP_PUT: return op->minimal;
    case OP_PATCH:
    case OP_POST:
    case OP_BOOK:
    case OP_GET_IF_MOVED:
    case OP_ECHO: return false;
    }
    return false;
}

static char *put_record(char *out, const struct op *op) {
    char name[128];
    int size = snprintf(name, sizeof name, "%.*s/", (int)op->type.size, op->type.bytes);
    return put_words(out, (stet_view){name, (size_t)size}, op->id);
}

/* The script's name, its keys, and how many arguments follow: 0 to 2. */
static char *put_call(char *out, const char *sha, const struct op *op, size_t arguments) {
    out = put_head(out, '*', 6 + arguments);
    out = PUT_TEXT(out, "EVALSHA");
    out = put_word(out, sha, SHA_BYTES);
    out = PUT_TEXT(out, "3");
    out = put_record(out, op);
    out = PUT_TEXT(out, "changes");
    return put_words(out, (stet_view){"key:", 4}, op->key);
}

static size_t encode(const struct op *op, char *out) {
    char *end = out, base[24];
    switch (op->kind) {
    case OP_CREATE:
    case OP_PUT:
        end = put_call(end, put_sha, op, 2);
        end = put_word(end, base,
                       (size_t)snprintf(base, sizeof base, "%llu", (unsigned long long)op->base));
        end = put_word(end, op->data.bytes, op->data.size);
        break;
    case OP_ADD: end = put_call(end, add_sha, op, 0); break;
    case OP_GET:
        end = put_head(end, '*', 4);
        end = PUT_TEXT(end, "HMGET");
        end = put_record(end, op);
        end = PUT_TEXT(end, "v");
        end = PUT_TEXT(end, "d");
        break;
    case OP_PATCH:
    case OP_POST:
    case OP_BOOK:
    case OP_GET_IF_MOVED:
    case OP_ECHO: spawn_fail(&spawn, "an operation", "that is not written for it");
    }
    return (size_t)(end - out);
}

static void redis_send(struct target *target, struct link *link, const struct op *op) {
    char out[REQUEST_BYTES_MAX];
    size_t size = encode(op, out);
    (void)target;
    if (send(link->fd, out, size, MSG_NOSIGNAL) != (ssize_t)size)
        spawn_fail(&spawn, "a connection was lost", strerror(errno));
}

static void use_values(const struct value values[3], stet_view all, struct reply *reply) {
    *reply = (struct reply){.kind = REPLY_OK};
    switch (values[0].kind) {
    case ':': reply->version = (uint64_t)values[0].number; return;
    case '0': reply->kind = REPLY_CONFLICT; return;
    case '*':
        if (values[0].number != 2 || values[2].kind != '$') break;
        /* The version is text where it was stored, and a number where a script counted it. */
        reply->version = values[1].kind == ':' ? (uint64_t)values[1].number
                                               : strtoull(values[1].text.bytes, NULL, 10);
        reply->body = values[2].text;
        return;
    }
    reply->kind = REPLY_REFUSED;
    reply->body = all;
}

static bool redis_receive(struct target *target, struct link *base, const struct op *op,
                          struct reply *reply) {
    struct redis_link *link = (struct redis_link *)base;
    struct value values[3];
    (void)target;
    (void)op;
    ssize_t got = recv(base->fd, link->in + link->in_size, sizeof link->in - link->in_size, 0);
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) spawn_fail_log(&spawn, "closed a connection, or an answer is too long");
    link->in_size += (size_t)got;
    stet_view all = {link->in, link->in_size};
    size_t used = take_reply(all, values);
    if (used == 0) return false;
    if (used != link->in_size) spawn_fail(&spawn, "an answer", "is longer than it says");
    link->in_size = 0;
    use_values(values, all, reply);
    return true;
}

struct target target_redis = {
    .name = "redis",
    .start = redis_start,
    .stop = redis_stop,
    .crash = redis_crash,
    .open = redis_open,
    .close = redis_close,
    .can = redis_can,
    .send = redis_send,
    .receive = redis_receive,
};
