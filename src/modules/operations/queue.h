/*
 * The lanes of one space, as a data structure: who waits in which order, who is next for whom, and how many are ahead. Memory only, no
 * clock and no I/O; everything here is a function of what the records say and of the times passed in, so that lanes survive a
 * restart exactly.
 *
 * An entry is a block inside its operation. In a lane it is
 *
 *   ready    it could be started: in the tree of its level, where `ahead` counts, and in the line of whom it is for
 *   delayed  it waits for a time (not_before, a retry's pause) or for other operations; keeps its turn, nobody counts it as ahead
 *   running  it takes a place of the lane, or shares one with its batch
 *
 *            queue_insert          queue_start              queue_remove
 *   out ───────────────► ready ◄──────────────► running ─────────────────► out
 *                         ▲ │      queue_return     │
 *              queue_tick │ ▼ queue_delay           │ queue_return
 *                        delayed ◄──────────────────┘
 *
 * Order inside a lane: level, then (fair lanes) the tag, then the turn. The levels are low, normal, high and top, for urgent and
 * structural have one priority. An entry that has waited age_s stands one level higher, after twice that two, at most at high; where it
 * got to is a function of since, age_s and the time of the last queue_tick.
 *
 * fair: start-time fair queueing with unit cost (Goyal, Vin, Cheng, "Start-Time Fair Queueing", IEEE/ACM Transactions on Networking 1997):
 * an actor's next operation gets the tag max(virtual time of the class, the actor's last tag + 1), so that actors alternate. The
 * tag is decided once (queue_tag), stands in the record, and makes the order a static key. In a fair lane who was lifted stands before the
 * level's own, because tags of different classes cannot be compared.
 *
 * Two treaps find everything in O(log n): one for each lane and level, with sizes, and one for each lane, level and addressee. Their
 * priorities are a hash of the turn. Nothing is allocated but by queue_reserve and the lanes' making; all other moves cannot fail.
 *
 * Thread: the sequencer's.
 */
#ifndef MODULES_OPERATIONS_QUEUE_H
#define MODULES_OPERATIONS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stet.h"

struct queue;
struct queue_entry;
struct queue_lane;

#define QUEUE_NEVER INT64_MAX
#define QUEUE_CLASSES                                                                              \
    (STET_CLASS_STRUCTURAL + 1) /* Arrays by stet_class; [STET_CLASS_DEFAULT] stays empty. */

enum queue_level { QUEUE_LOW, QUEUE_NORMAL, QUEUE_HIGH, QUEUE_TOP, QUEUE_LEVELS };

enum queue_state { QUEUE_OUT, QUEUE_READY, QUEUE_DELAYED, QUEUE_RUNNING };

/* Whom an operation is for. The server's own runners take only what is for them: functions and webhooks. */
enum queue_for { QUEUE_FOR_ANYONE, QUEUE_FOR_AGENT, QUEUE_FOR_SERVER };

/* A place in the heap of times. */
struct queue_timer {
    int64_t at;
    uint32_t index; /* In the heap, from 1; 0: it is not there. */
    bool lifts;     /* A lane's, for its next lift; else an entry's. */
};

/* In the operation; zeroed when new. Others read class_, level, state, lane, turn, tag, since and timer.at; nothing is to be written. */
struct queue_entry {
    /* By level and by line: smaller and larger. Running: before and behind in the ring of its batch. */
    struct queue_entry *child[2][2];
    int64_t oldest;    /* Of the subtree by level: the smallest since … */
    int64_t next_lift; /* … and when the first of it is to be lifted. */
    struct queue_lane *lane;
    struct queue_line *line;   /* Of whom it is for. */
    struct queue_actor *actor; /* Who asked for it. */
    stet_view batch_key;       /* The operation's text; empty: none. */
    uint64_t turn;
    uint64_t tag;
    int64_t since;            /* It waits since then, as far as age is concerned. */
    struct queue_timer timer; /* Delayed: until when; QUEUE_NEVER: until told. */
    uint32_t size;            /* Of the subtree by level. */
    uint8_t class_;           /* Effective: stet_class. */
    uint8_t level;            /* Where it stands: queue_level. */
    uint8_t lifted;           /* By how many levels. */
    uint8_t state;            /* queue_state */
};

/* Where an entry belongs. Borrowed for the call, but batch_key, which lives as long as the entry waits. */
struct queue_place {
    stet_view lane;
    stet_class class_; /* Effective: the maximum along its parents. */
    enum queue_for for_;
    stet_view agent; /* QUEUE_FOR_AGENT: its name. */
    stet_view actor;
    stet_view batch_key;
    uint64_t turn; /* The seq at queueing; no two entries of a lane have one. */
    uint64_t tag;  /* queue_tag's answer when it was queued. */
    /* Since when its waiting counts: the later of queueing and not_before. The clock is the caller's; all times here are of one clock. */
    int64_t since;
};

struct queue_lane_settings {
    unsigned width; /* At least 1. */
    unsigned age_s; /* 0: nobody is lifted. */
    bool fair;      /* Round robin between actors inside a class. */
    bool paused;    /* Nothing is started. */
    bool draining;  /* Kept for the caller: it takes nothing more. */
};

/* Others read it; context is the caller's own. */
struct queue_lane {
    struct queue_lane *next; /* All lanes, in the order they were made. */
    void *context;
    stet_view name; /* Lives as long as the lane. */
    struct queue_lane_settings settings;
    uint32_t ready[QUEUE_CLASSES]; /* Entries by effective class, wherever they were lifted to. */
    uint32_t delayed[QUEUE_CLASSES];
    uint32_t running[QUEUE_CLASSES];
    uint32_t ready_count, delayed_count, running_count; /* Their sums. */
    uint32_t places; /* Taken: running ones, a batch counting as one. */

    struct queue_lane
        *server_next; /* Of those where something is ready for the server's runners. */
    struct queue_lane **server_link; /* NULL: it is none of them. */

    /* The queue's own. */
    struct queue_entry *tree[QUEUE_LEVELS];
    struct queue_line *anyone, *server; /* NULL: none yet. */
    uint64_t
        started[QUEUE_LEVELS]; /* Fair: the largest tag started while any of the class is here. */
    struct queue_timer timer;  /* The next lift. */
    uint64_t seed;             /* Of the treaps. */
};

stet_status queue_create(uint64_t seed, struct queue **made, stet_error *err);
/* The lanes go; entries are the caller's. Accepts NULL. */
void queue_destroy(struct queue *queue);
/* Forgets all entries and lanes: before the projection is loaded anew. Entries of before must be zeroed when they are inserted again. */
void queue_reset(struct queue *queue);

/* Bytes of memory: entries in lanes, lanes, names and tables. */
size_t queue_bytes(const struct queue *queue);
/* Entries in lanes, all states. */
size_t queue_count(const struct queue *queue);
/* Running ones of class urgent and structural, in all lanes. */
size_t queue_urgent_running(const struct queue *queue);

/* -- Lanes -- */

/* Finds or makes; a new one is 1 wide, with age_s 300. @return STET_NO_MEMORY */
stet_status queue_lane_make(struct queue *queue, stet_view name, struct queue_lane **lane,
                            stet_error *err);
struct queue_lane *queue_lane_find(const struct queue *queue, stet_view name); /* NULL: none. */
struct queue_lane *queue_lanes(const struct queue *queue); /* The first; then ->next. */
/* Removes an empty lane. */
void queue_lane_remove(struct queue *queue, struct queue_lane *lane);
/* Changes settings. Another `fair` or age_s sorts the lane anew, O(n log n). Follow with queue_tick. */
void queue_lane_set(struct queue *queue, struct queue_lane *lane,
                    const struct queue_lane_settings *settings);
/* The smallest since of those ready at a level; QUEUE_NEVER: nobody is. */
int64_t queue_lane_oldest(const struct queue_lane *lane, enum queue_level level);
/* How many of an actor's entries wait in a lane, ready or delayed. */
size_t queue_actor_waiting(const struct queue *queue, const struct queue_lane *lane,
                           stet_view actor);
/* The first lane where something is ready for the server's runners (whether it may start is for queue_next); then ->server_next. */
struct queue_lane *queue_server_lanes(const struct queue *queue);

/* -- Moves. None but queue_reserve can fail -- */

/*
 * Makes room for one more entry at a place: its lane, line and actor are known from then on. What was reserved stays until queue_reset or
 * the next reservations sweep it up; it is good for the next queue_insert of the same place, with no other reservation in between
 * than those of the same batch of inserts (at most QUEUE_RESERVED_MAX).
 */
#define QUEUE_RESERVED_MAX 1024
stet_status queue_reserve(struct queue *queue, const struct queue_place *place, stet_error *err);

/* The tag that an operation queued now is to have; 0 where the lane is not fair. Needs no reservation. */
uint64_t queue_tag(const struct queue *queue, stet_view lane, stet_class class_, stet_view actor);

/* Puts an entry where it belongs, ready, or delayed when not_before is later than the last tick. After queue_reserve of the place. */
void queue_insert(struct queue *queue, struct queue_entry *entry, const struct queue_place *place,
                  int64_t not_before);
/* As queue_insert, for one that is running: at load. mate: of its batch, running too; NULL: it has a place of its own. */
void queue_insert_running(struct queue *queue, struct queue_entry *entry,
                          const struct queue_place *place, struct queue_entry *mate);
/* A waiting one is ready, or not before some time; QUEUE_NEVER: until this is called again. */
void queue_delay(struct queue *queue, struct queue_entry *entry, int64_t not_before);
/* Another effective class, at the same turn. tag: of the new class, by queue_tag. */
void queue_reclass(struct queue *queue, struct queue_entry *entry, stet_class class_, uint64_t tag);
/* ready → running. mate: of its batch, running already; NULL: it takes a place. */
void queue_start(struct queue *queue, struct queue_entry *entry, struct queue_entry *mate);
/* running → ready or delayed, at its old turn. */
void queue_return(struct queue *queue, struct queue_entry *entry, int64_t not_before);
/* Any state → out. */
void queue_remove(struct queue *queue, struct queue_entry *entry);

/*
 * It is now so late: entries whose not_before came become ready, those who waited age_s are lifted. ready (may be NULL) is told of each
 * that became ready; it may look, but not move. O(log n) for each one moved. Times never go back: an earlier now is taken as the last one.
 */
typedef void queue_ready_fn(void *context, struct queue_entry *entry);
void queue_tick(struct queue *queue, int64_t now, queue_ready_fn *ready, void *context);
/* When queue_tick will next have something to do; QUEUE_NEVER: nothing. */
int64_t queue_next_tick(const struct queue *queue);

/* -- Questions -- */

/* How many ready ones are before it: all levels above and its own, whomever they are for. For a delayed one: as if it were ready; 0 else. */
size_t queue_ahead(const struct queue *queue, const struct queue_entry *entry);

enum queue_verdict {
    QUEUE_TAKE,
    QUEUE_NOTHING, /* Nothing is ready that it may take. */
    QUEUE_PAUSED,  /* The lane is. */
    QUEUE_FULL,    /* All places are taken. */
    QUEUE_IN_LINE, /* The lane is 1 wide, and the first is for somebody else. */
};

/* Who asks. */
struct queue_taker {
    enum queue_for as; /* AGENT or SERVER. */
    stet_view agent;
};

/*
 * What somebody may take now. A lane 1 wide gives its first or nothing; a wider one the first that is for the taker (an agent: or for
 * anyone). Urgent and structural ones are given also when all places are taken, while fewer than URGENT_RUNNING_MAX of them run.
 * Nothing is moved: queue_start does that.
 */
enum queue_verdict queue_next(const struct queue *queue, const struct queue_lane *lane,
                              const struct queue_taker *taker, struct queue_entry **entry);

/*
 * The same, as things would stand when what is decided already has been done: for who takes several in one step, or gives one back in it.
 */
struct queue_supposed {
    const struct queue_entry
        *behind;   /* A ready one: it is gone, and all before it. NULL: nobody. */
    size_t places; /* So many are taken then. */
    size_t urgent; /* So many urgent and structural ones run then. */
};
enum queue_verdict queue_next_as_if(const struct queue *queue, const struct queue_lane *lane,
                                    const struct queue_taker *taker,
                                    const struct queue_supposed *supposed,
                                    struct queue_entry **entry);

/*
 * The one after `entry` in the same batch: the next that the taker may take, if it stands at the same level and has the same batch_key (not
 * empty); in a lane 1 wide, if it also stands right behind. Nobody is overtaken by it but who could not have been taken. NULL:
 * the batch ends. Ask before starting `entry`, then start both with one place: queue_start(next, entry).
 */
struct queue_entry *queue_batch_next(const struct queue *queue, const struct queue_entry *entry,
                                     const struct queue_taker *taker);

/* The ready ones of a lane in order; NULL: no more. O(log n) each. */
struct queue_entry *queue_first(const struct queue_lane *lane);
struct queue_entry *queue_after(const struct queue_entry *entry);

#endif
