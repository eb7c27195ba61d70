/*
 * Shared by outbound.c (the thread) and lanes.c (what it does). All of it belongs to that thread but where it says otherwise.
 *
 * A lane, while something is to be delivered in it:
 *
 *              a look found it          its head may be tried           taken
 *   (none) ───────────────► ASKING ───────────────────────► CLAIMING ─────────► POSTING
 *      ▲                      ▲  │ its head waits for a retry   │                   │ answered, or not
 *      │                      │  ▼                              │ nothing           ▼
 *      └──────────────────────┼─WAITING                         │                 ENDING
 *      └──────────────────────┼─────────────────────────────────┘                   │
 *                             └─────────────────────────────────────────────────────┘
 */
#ifndef OUTBOUND_INTERNAL_H
#define OUTBOUND_INTERNAL_H

#include "core/client.h"
#include "core/outbound.h"
#include "outbound/post.h"

struct outbound;
struct outlet;

enum lane_step {
    LANE_ASKING,   /* Whether its head waits for a retry. */
    LANE_WAITING,  /* Until a time, or until fewer are under way. */
    LANE_CLAIMING, /* The next. */
    LANE_POSTING,
    LANE_ENDING, /* The queue is told how it went. */
};

/* One delivery in hand. */
struct delivery {
    struct arena arena; /* What the claim answered, and the request. */
    stet_view id;
    uint64_t lease;
    uint64_t retries;
    struct post post;
    int64_t told_at; /* Monotonic: when the queue last heard that we are alive. */
    bool lost;       /* It is ours no more: cancelled, or somebody else's. */
};

struct lane {
    struct lane *next;
    struct outlet *outlet;
    enum lane_step step;
    bool fresh;     /* What a process before this one had in hand is to be given back first. */
    bool asks;      /* WAITING: its head is to be asked for before anything is claimed. */
    bool telling;   /* The queue is being told that a delivery is still in hand. */
    bool again;     /* Something may have been queued since it was claimed from. */
    int64_t until;  /* WAITING: monotonic. */
    stet_view head; /* Which one its head is, where that waited; owned by head_bytes. */
    char head_bytes[ID_BYTES_MAX];
    struct stet_command *claim; /* CLAIMING. */
    struct delivery *delivery;  /* POSTING and ENDING. */
    char name[LANE_BYTES_MAX + 1];
};

/* A space in which something is to be delivered. */
struct outlet {
    struct outlet *next;
    struct space *space; /* A reference. */
    bool look, looking;
    int64_t look_at; /* Monotonic: not earlier. */
    size_t errands;
    struct lane *lanes;
};

struct outbound {
    struct engine_companion companion;
    stet_engine *engine;
    int wake; /* eventfd; any thread. */
    pthread_t thread;
    bool started;         /* Under the engine's lock of wishes. */
    atomic_bool stopping; /* Any thread. */
    stet_client *client;
    struct outlet *outlets;
    struct posts posts;
    size_t under_way;   /* Lanes that are CLAIMING, POSTING or ENDING. */
    atomic_bool warned; /* That libcurl is missing. */
    _Atomic uint64_t delivered, failed, running;
};

/* Something is to be delivered there. Takes the reference. */
void lanes_wish(struct outbound *outbound, struct space *space);
/* A command came back. */
void lanes_complete(struct outbound *outbound, struct stet_command *command);
/* A request is done. */
void lanes_posted(struct outbound *outbound, struct post *post);
/* Begins what may begin now. Returns when it is to be called again at the latest, monotonic; INT64_MAX: when something happens. */
int64_t lanes_advance(struct outbound *outbound);
/* Gives everything back that is in hand. True: there is nothing left. To be called until it is. */
bool lanes_stop(struct outbound *outbound);

#endif
