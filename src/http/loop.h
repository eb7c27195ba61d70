/*
 * An event loop: one thread that owns a libmicrohttpd daemon, a stet_client and the connections
 * handed to it. Nothing in it is touched by another thread but the mailbox, and what is atomic: the stop
 * flag, the counters, the word that presence changed.
 *
 *     outer epoll set ── the daemon's own epoll descriptor   → MHD_run
 *                     ├─ the client's descriptor             → completions, ready subscriptions
 *                     ├─ the mailbox                         → new sockets, the order to stop
 *                     ├─ the listening sockets (loop 0 only)  → accept, dealt out in turn
 *                     └─ sockets of waiting peers, streams, live ones→ somebody left, room to write
 *
 * We drive the daemon ourselves because the library's thread stalls when 128 or more connections
 * are ready at once: after each MHD_run we ask MHD_get_timeout and run again while it says 0.
 */
#ifndef HTTP_LOOP_H
#define HTTP_LOOP_H

#include "base/buffer.h"
#include "base/limits.h"
#include "http/gate.h"
#include "http/metrics.h"
#include "http/server.h"
#include "http/timer.h"
#include "http/turn.h"

#include <microhttpd.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

struct lease;
struct live;
struct presence;
struct request;
struct stream;
struct loop;

/* First member of whatever is watched by the outer epoll set. */
enum source_kind {
    SOURCE_DAEMON,
    SOURCE_CLIENT,
    SOURCE_MAILBOX,
    SOURCE_LISTENER,
    SOURCE_PEER,
    SOURCE_STREAM,
    SOURCE_LIVE,
};
struct source {
    enum source_kind kind;
};

/*
 * A connection, from accept to close.
 *
 *   HEADER ──request line and headers──▶ BODY ──whole──▶ ENGINE ──answer──▶ REPLY ──next line──▶ HEADER
 *      └──────────deadline──────────┴──deadline──▶ CUT ◀───────────────deadline──┘
 *
 * HEADER, BODY and REPLY (sending, then idle) have total deadlines; ENGINE has none here, for the
 * engine bounds its own waits.
 */
enum peer_phase { PEER_HEADER, PEER_BODY, PEER_ENGINE, PEER_REPLY, PEER_CUT };

struct peer {
    struct source source;
    enum peer_phase phase;
    int fd;
    bool watched; /* In the outer epoll set, for EPOLLRDHUP. */
    struct loop *loop;
    struct MHD_Connection *mhd;
    struct request *request; /* The current one; NULL between two. */
    int64_t deadline_ms;     /* 0: none. The timer fires then or before, and looks again. */
    struct timer timer;
    struct lease *leases; /* Bound to this connection; leases.c's, as all that follows. */
    unsigned lease_count;
    unsigned lease_count_seen; /* When they were last looked at. */
    unsigned leases_asked;     /* Of those that are being looked at now. */
    bool leases_wanted;        /* The connection goes on if some are left, else it is cut. */
    struct peer *prev, *next;
};

/* A listening socket. */
struct listener {
    struct source source;
    int fd;
};

struct http_server {
    stet_engine *engine;
    struct http_options options; /* Defaults filled in. */
    struct gate gate;
    char *url;
    char *tls_cert, *tls_key;                      /* The files' contents. */
    struct listener listeners[HTTP_LISTENERS_MAX]; /* Loop 0's. */
    unsigned listener_count;
    struct loop *loops;
    unsigned loop_count;
    unsigned next_loop; /* Loop 0's. */
    struct presence *presence;
    atomic_uint connections;
    atomic_ullong connections_total, connections_refused;
    atomic_bool stopping;
};

struct loop {
    struct http_server *server;
    unsigned index;
    pthread_t thread;
    bool running;  /* The thread was started and not joined; server.c's. */
    sem_t started; /* Posted once start_status is known. */
    stet_status start_status;
    stet_error start_error;
    int epoll_fd;
    struct source daemon_source, client_source, mailbox_source;
    struct MHD_Daemon *daemon;
    stet_client *client;
    bool daemon_due;  /* Something happened that MHD_run must see. */
    bool peer_closed; /* Set by every close: did the library tell us of one? */

    int mailbox_fd;
    pthread_mutex_t mailbox_mutex;
    int *mailbox; /* Sockets on their way here. */
    unsigned mailbox_count, mailbox_capacity;

    int64_t now_ms; /* Monotonic; read once per round. */
    atomic_uint rounds;
    struct wheel wheel;
    struct timer accept_timer; /* Out of descriptors: try again later. */

    struct peer *peers;
    struct stream *streams;
    unsigned stream_count;
    struct live *lives;
    unsigned live_count;
    struct live *live_bearer_next;
    struct live *dead_lives;
    struct buffer live_out;   /* What a live connection sends next, while it is gathered. */
    atomic_bool presence_due; /* Some of its seats are marked; set by other threads, too. */
    struct timer presence_timer;
    struct turns turns;         /* Of those that have something to send. */
    struct stream *bearer_next; /* Whose bearer is asked about next. */
    struct timer bearer_timer;
    unsigned bearer_portion;
    bool bearer_requests;        /* Some that wait were let in with what can end. */
    struct stream *dead_streams; /* Freed after the round, as events may still name them. */
    struct request *request_pool;
    unsigned request_pool_count;
    unsigned requests;    /* Begun and not completed. */
    unsigned commands;    /* Submitted and not handed back. */
    uint64_t request_ids; /* Counts up; makes request ids. */
    char request_id_prefix[12];
    bool stopping;
    int64_t stop_deadline_ms;
    struct metrics metrics;
    char *scratch; /* LOOP_SCRATCH_BYTES for what is rendered and sent at once. */
};

enum { LOOP_SCRATCH_BYTES = 64 * 1024, REQUEST_POOL_MAX = 512, STOP_GRACE_MS = 10000 };

/* What other threads may use: before any loop starts. loop_unprepare accepts a zeroed loop. */
stet_status loop_prepare(struct loop *loop, struct http_server *server, unsigned index,
                         stet_error *err);
void loop_unprepare(struct loop *loop);

/* Starts the thread; returns once it serves or has failed. loop_join waits for its end. */
stet_status loop_start(struct loop *loop, stet_error *err);
void loop_join(struct loop *loop);

/* Any thread: look at the mailbox and at server->stopping. */
void loop_wake(struct loop *loop);

/* The pieces of the thread, for tests and the fuzz target: all three from one thread. */
stet_status loop_init(struct loop *loop, stet_error *err);
void loop_round(struct loop *loop, int wait_ms); /* Waits at most so long; -1: as needed. */
void loop_done(struct loop *loop);

/* Takes over a connected, non-blocking socket that was counted in server->connections. */
void loop_add_socket(struct loop *loop, int fd);
/* Gives back a place under the limit of connections. */
void loop_release_place(struct loop *loop);

/* Moves a peer to a phase and sets its deadline. */
void peer_enter(struct peer *peer, enum peer_phase phase);
/* Watches a suspended peer for its leaving; the end of the watch. */
void peer_watch(struct peer *peer);
void peer_unwatch(struct peer *peer);
/* Ends the connection without an answer. */
void peer_cut(struct peer *peer);

#endif
