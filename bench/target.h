/*
 * A target: a server under load. The generator (load.h) drives its links; a target turns operations into bytes and bytes into
 * replies, and starts and stops the server. Another server is another file with one more of these.
 *
 * What a target cannot do ends the program with a sentence: a figure must not come from half a server.
 */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include "stet.h"

#include <sys/types.h>

enum { REQUEST_BYTES_MAX = 4096, REPLY_BYTES_MAX = 16384 };

enum op_kind {
    OP_CREATE,       /* Of a record that is not there yet. */
    OP_PUT,          /* From version `base`. */
    OP_PATCH,        /* The same, with a merge patch. */
    OP_POST,         /* A new record whose id the server chooses. */
    OP_GET,          /* The whole record. */
    OP_GET_IF_MOVED, /* The record, unless it still has version `base`. */
    /*
     * Adds one to the member "count", however often the target has to try. A target that merges sends `data`, made from version
     * `base`; one that retries reads for itself. The body of the reply holds the new count.
     */
    OP_ADD,
    OP_BOOK, /* A record that takes a time of a room; REPLY_CONFLICT: somebody has it. */
    OP_ECHO, /* Nothing: what an answer costs that no record has a part in. */
};

enum {
    BOOKING_ID_BYTES = 24,
    BOOKING_ROOM_BYTES = 12,
    BOOKING_TIME_BYTES = 20,
    BOOKING_DATA_BYTES = 256
};
#define BOOKING_TYPE "booking"

/* NUL-terminated texts, but data. */
struct booking {
    char id[BOOKING_ID_BYTES];
    char room[BOOKING_ROOM_BYTES];
    char start[BOOKING_TIME_BYTES + 1], end[BOOKING_TIME_BYTES + 1]; /* "2027-01-01T09:00:00Z" */
    char data[BOOKING_DATA_BYTES]; /* A JSON object that says all this. */
    size_t data_size;
};

struct op {
    enum op_kind kind;
    stet_view space; /* Where there is such a thing. */
    stet_view type;
    stet_view id;
    stet_view data;
    stet_view key; /* A fresh UUIDv7 for writes. */
    uint64_t base;
    const struct booking *booking; /* OP_BOOK */
    bool minimal;                  /* Ask for the version alone. */
};

enum reply_kind { REPLY_OK, REPLY_CREATED, REPLY_NOT_MODIFIED, REPLY_CONFLICT, REPLY_REFUSED };

struct reply {
    enum reply_kind kind;
    uint64_t version; /* 0 when the reply names none. */
    uint64_t retries; /* What the target tried in vain before. */
    stet_view body;   /* Borrowed until the link's next send or close. */
};

struct target_options {
    const char *program;      /* The server's program, or NULL for the target's own choice. */
    const char *url;          /* A running server instead. */
    const char *token;        /* For it. */
    const char *dir;          /* Where a folder for the data may be made. */
    unsigned io_threads;      /* 0: the server's choice. */
    unsigned connections_max; /* The same. */
};

/* What the server itself counted: so many writes in so many durable commits. */
struct target_commits {
    double writes;
    double commits;
};

/* A connection. A target's own kind of link begins with this. */
struct link {
    int fd;    /* Readable when receive may have something to do. */
    int timer; /* The same, for a target that waits before it tries again; -1: none. */
};

struct target {
    const char *name;
    const char *const *variants; /* NULL-terminated: the ways it can be used; NULL: one way. */
    const char *variant;         /* Among those; set before links are opened. */
    bool many_processes; /* That share memory: what they take is not to be had by adding up. */

    /* Starts the server and fills pid; ends the program when it cannot. */
    void (*start)(struct target *target, const struct target_options *options);
    /* Also of one that did not start, and of one that was stopped; after it, start begins anew. */
    void (*stop)(struct target *target);
    struct link *(*open)(struct target *target);
    void (*close)(struct link *link);
    /* Whether it can be asked that, used in this way; NULL: whatever there is. */
    bool (*can)(const char *variant, const struct op *op);
    /* One operation at a time. */
    void (*send)(struct target *target, struct link *link, const struct op *op);
    /* False: not complete. Ends the program when the answer makes no sense. */
    bool (*receive)(struct target *target, struct link *link, const struct op *op,
                    struct reply *reply);
    /* Declares how records of a type are settled; `definition` as in PUT …/types/{type}. May be NULL. */
    void (*declare)(struct target *target, const char *type, const char *definition);
    /* Makes a space; NULL: there is but one place for records. */
    void (*make_space)(struct target *target, const char *name);
    /*
     * Creates records in bulk: `lines` of one JSON object each with type, id, data and client_mutation_id. All or the program ends.
     * May be NULL.
     */
    void (*import)(struct target *target, stet_view space, stet_view lines, size_t count);
    /* Makes what bookings need, with a meeting of an hour every two hours in so many rooms from 2027 on, `spans` in all. NULL: declare and
       import do. */
    void (*keep_bookings)(struct target *target, size_t rooms, size_t spans);
    /* Kills the server as a lost process would be, and starts it again on what it left. May be NULL. */
    void (*crash)(struct target *target);
    /* May be NULL. */
    void (*commits)(struct target *target, struct target_commits *commits);

    pid_t pid;           /* 0: not started by us. */
    double listening_ms; /* From the program's execution until it could be connected to. */
};

extern struct target target_stet;
extern struct target target_echo;
extern struct target target_redis;
extern struct target target_postgres; /* Where there is libpq; see meson.build. */
const char *postgres_conninfo(void);  /* Of the started one, for libpq. */
extern struct target target_etcd;     /* Where there is nghttp2. */

#endif
