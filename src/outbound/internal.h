/*
 * Shared by outbound.c (the thread), lanes.c (what it does) and errands.c (what it asks the queue). All of it belongs to that thread but where it says otherwise.
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
    stet_view asked_to;         /* ASKING: its list is empty up to there. In head_bytes. */
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

/* ---- lanes.c ---- */

void lane_set_step(struct outbound *outbound, struct lane *lane, enum lane_step step);
/* Waits, and then finds out what its head is. */
void lane_wait(struct outbound *outbound, struct lane *lane, int64_t ms);
void lane_drop_delivery(struct outbound *outbound, struct lane *lane);

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

/* ---- errands.c: each submits a command, which comes back to lanes_complete, or lets its lane wait ---- */

enum errand_kind { ERRAND_LOOK, ERRAND_ASK, ERRAND_CLAIM, ERRAND_TELL, ERRAND_END };

/* What a command is for; in its arena. */
struct errand {
    enum errand_kind kind;
    struct outlet *outlet;
    struct lane *lane;
    bool failed;   /* END: it is to be tried again. */
    bool released; /* END: it was given back. */
};

/* After the queue could not be asked; and how often it hears of a delivery that takes long. */
enum { TROUBLE_MS = 2000, TELL_MS = 5000 };

/* Which lanes of a space have something to be delivered. */
void errand_look(struct outbound *outbound, struct outlet *outlet);
void errand_ask(struct outbound *outbound, struct lane *lane);
void errand_claim(struct outbound *outbound, struct lane *lane);
void errand_tell(struct outbound *outbound, struct lane *lane);
void errand_complete(struct outbound *outbound, struct lane *lane);
enum ending { ENDING_RETRIED, ENDING_GIVEN_UP, ENDING_RELEASED };
void errand_fail(struct outbound *outbound, struct lane *lane, enum ending ending, stet_view why);
void errand_give_back(struct outbound *outbound, struct lane *lane, stet_view id, uint64_t lease);
/* What of an answer can be kept in JSON: whole characters, or nothing. */
stet_view post_text(const struct post *post);

#endif
