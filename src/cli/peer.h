/*
 * Where a command's requests go: the server of --url, the server that owns --data, or, when nobody owns it, this process,
 * which then opens the directory, serves it to itself on a free loopback port and closes it at the end. All commands
 * thus have one way to do their work, and what they may do is decided in one place, the server.
 *
 * Thread: one for each peer.
 */
#ifndef CLI_PEER_H
#define CLI_PEER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "cli/args.h"
#include "stet.h"

#include <signal.h>

struct peer;

/**
 * @param peer  Out, owned: peer_close.
 * @return STET_OK
 *         STET_UNAVAILABLE  there is no such data directory, or libcurl is missing.
 *         STET_BUSY         another process holds the directory and does not say how to reach it.
 *         STET_BAD_REQUEST  the options contradict one another.
 */
stet_status peer_open(const struct args *args, struct peer **peer, stet_error *err);
void peer_close(struct peer *peer);

/* Serves this directory to this process, whether it exists already or not; nobody may own it. */
stet_status peer_open_scratch(const struct args *args, const char *data_dir, struct peer **peer,
                              stet_error *err);

/* One more connection to the same server, for a thread of its own; closed before the peer it was made from.
 * actor: as --actor, borrowed; NULL: none. */
stet_status peer_open_another(const struct peer *peer, const char *actor, struct peer **another,
                              stet_error *err);

/* Whether this is a data directory, rather than a place where stet_open would make one. */
bool peer_has_data(const char *data_dir);

/* "http://127.0.0.1:7838"; borrowed. */
const char *peer_url(const struct peer *peer);

enum { CALL_HEADERS_MAX = 8 };

struct answer;

struct call {
    const char *method;
    const char *path;                      /* From "/v1" on, encoded, with its query. */
    const char *content_type;              /* With a body. */
    stet_view body;                        /* bytes NULL: none. */
    const char *headers[CALL_HEADERS_MAX]; /* "Name: value"; the first NULL ends them. */
    bool repeatable; /* A read, or a write with a mutation key: sending it twice does no harm. */
    /* With a sink the body of a 200 goes there as it comes, however long that takes, and is not in the answer; a call that is sent
       again starts over with answer->received 0. False ends it: STET_CANCELLED. stop is asked while nothing comes; may be NULL. */
    bool (*sink)(void *context, const struct answer *answer, stet_view bytes);
    bool (*stop)(void *context);
    void *context;
};

struct answer {
    int http;       /* 200 … 599 */
    stet_view body; /* In the arena. */
    bool replayed;  /* The mutation key had taken effect before. */
    char type[64];  /* The media type. */
    unsigned retry_after_s;
    char digest[64];   /* Repr-Digest's SHA-256, base64; empty: none. */
    uint64_t length;   /* Content-Length; 0: not said. */
    uint64_t received; /* Given to the sink so far, before the bytes at hand. */
};

/**
 * Sends a request and waits for its answer, whatever it is. A repeatable one is sent again, with pauses, when the server
 * was busy or the connection broke.
 *
 * @return STET_OK           there is an answer; answer->http tells which.
 *         STET_UNAVAILABLE  the server could not be reached.
 */
stet_status peer_call(struct peer *peer, const struct call *call, struct arena *arena,
                      struct answer *answer, stet_error *err);

/* Takes what has arrived; false ends the transfer. */
typedef bool peer_sink(void *context, stet_view bytes);

struct peer_stream {
    const struct call *call; /* A read. */
    const char *accept;      /* The media type that is wanted. */
    peer_sink *sink;         /* Of a 2xx answer's body. */
    void *context;
    const volatile sig_atomic_t
        *stop;          /* Not 0: end. May be set by a signal. NULL: nobody ends it. */
    unsigned silence_s; /* A connection on which nothing came for so long is dead. 0: no bound. */
};

/**
 * Reads an answer of any length as it comes, once.
 *
 * @param answer  Out: http; the body only of what is not 2xx.
 * @return STET_OK           the answer has ended.
 *         STET_UNAVAILABLE  the server could not be reached, or the connection broke; the sink may have had a part.
 *         STET_CANCELLED    sink or stop ended it.
 */
stet_status peer_read(struct peer *peer, const struct peer_stream *stream, struct arena *arena,
                      struct answer *answer, stet_error *err);

/* Another connection to the same server, for another thread or during peer_read. Owned: peer_close, before that of the first. */
stet_status peer_share(const struct peer *of, struct peer **peer, stet_error *err);

/* Whether this process is the server: then nobody else can change anything. */
bool peer_is_own(const struct peer *peer);

#endif
