/*
 * A target: a server under load. http_load drives its connections; a target turns operations into bytes and bytes into replies,
 * and starts and stops the server. Another server is another file with one more of these.
 */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include "stet.h"

#include <sys/types.h>

enum { REQUEST_BYTES_MAX = 4096, REPLY_BYTES_MAX = 16384 };

enum op_kind {
    OP_CREATE,       /* Of a record that is not there yet. */
    OP_PUT,          /* From version `base`. */
    OP_POST,         /* A new record whose id the server chooses. */
    OP_GET,          /* The whole record. */
    OP_GET_IF_MOVED, /* The record, unless it still has version `base`. */
};

struct op {
    enum op_kind kind;
    stet_view id;
    stet_view data;
    stet_view key; /* A fresh UUIDv7 for writes. */
    uint64_t base;
    bool minimal; /* Ask for the version alone. */
};

enum reply_kind { REPLY_OK, REPLY_CREATED, REPLY_NOT_MODIFIED, REPLY_CONFLICT, REPLY_REFUSED };

struct reply {
    enum reply_kind kind;
    uint64_t version; /* 0 when the reply names none. */
    stet_view body;
};

struct target_options {
    const char *program; /* The server's program, or NULL for the target's own choice. */
    const char *url;     /* A running server instead. */
    const char *token;   /* For it. */
    const char *dir;     /* Where a folder for the data may be made. */
    unsigned io_threads; /* 0: the server's choice. */
};

/* What the server itself counted: so many writes in so many durable commits. */
struct target_commits {
    double writes;
    double commits;
};

struct target {
    const char *name;
    /* Starts the server and fills host, port and pid; ends the program when it cannot. */
    void (*start)(struct target *target, const struct target_options *options);
    void (*stop)(struct target *target); /* Once, at the end. */
    /* Writes a request of at most REQUEST_BYTES_MAX bytes; returns its size. */
    size_t (*encode)(struct target *target, const struct op *op, char *out);
    /* Bytes used by the reply at the start of `bytes`, or 0 when it is not complete. Ends the program when it makes no sense. */
    size_t (*decode)(struct target *target, const struct op *op, stet_view bytes,
                     struct reply *reply);
    /* May be NULL. */
    void (*commits)(struct target *target, struct target_commits *commits);

    char host[64]; /* IPv4. */
    int port;
    pid_t pid; /* 0: not started by us. */
};

extern struct target target_stet;

/* A connected, non-blocking TCP socket with TCP_NODELAY. Ends the program when it cannot. */
int target_connect(const struct target *target);

#endif
