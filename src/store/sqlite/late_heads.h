/*
 * Heads that are written late.
 *
 * A commit appends its changes, which is cheap however many records there are. Overwriting the heads of random records is not: each
 * lies on a page of its own, and a page is what the log takes. So the new heads wait here, in memory, and go to their table in
 * rounds: once enough of them wait, those that wait are sorted by record, and each commit takes the next few along. By then several of
 * them share a page. When the last one of a round is written, the same commit raises clock.heads_seq: the table has all heads as of that
 * seq. After a stop what is missing is found again from the changes above it (heads.c).
 *
 * Who sees what. Readers in other threads read an older commit than the last one, so a head that waits here may be too new for
 * them, and the table as they see it may miss heads that have gone from here. For a record and a reader that sees everything up to S:
 *   - The latest change of the record known here is at most S: its head is the one.
 *   - It is above S: its predecessors are followed (`prev`, kept for every change above `forgotten`) to the one that S sees. Only the
 *     last head of a record is kept whole; an older one is made from the change it belongs to.
 *   - Nothing is known here of the record, or nothing above `forgotten`: what the table says, as that reader sees it, holds. For it has
 *     all heads up to heads_seq, and what a round wrote is forgotten only when the next round is complete.
 *   - Since the reader began, so much was written that `forgotten` is above its heads_seq: it is left behind, and finds for itself what
 *     changed in between.
 *
 *   change:   staged → kept (durable) → written by a round → forgotten
 *   list:     filling → written in slices → waiting for the round after it → forgotten in slices
 *
 * Heads are staged before COMMIT, so that whoever sees the commit finds them, and withdrawn when it fails; nobody whose S is older looks
 * at them. A head here is never changed, but replaced by another, so that withdrawing cannot fail.
 *
 * Thread: the writer's, but for late_view_begin and late_find. A mutex guards what they look at.
 */
#ifndef STORE_SQLITE_LATE_HEADS_H
#define STORE_SQLITE_LATE_HEADS_H

#include "store/driver.h"

#include <pthread.h>

/* One head, packed. Its spine is as in the table. */
struct late_head {
    struct late_head *next; /* In its bucket. */
    uint64_t record;
    uint64_t seq;
    uint64_t version;
    uint64_t hash;
    uint64_t ordinal;
    uint64_t parent;
    uint32_t list; /* The last list that names it: rounds, counted. */
    uint16_t spine_size;
    bool deleted;
    bool forked;
    uint8_t spine[];
};

/* Records to be written, or forgotten, by one round. */
struct late_list {
    uint64_t *records;
    size_t count;
    size_t capacity;
    size_t done;    /* How many of them are. */
    uint64_t until; /* Every change of theirs up to here is meant. */
};

/* What a batch puts into the place of what. */
struct late_staged {
    struct late_head *after;
    struct late_head *before; /* NULL: there was none. */
};

struct late_heads {
    pthread_mutex_t mutex;
    /* Under the mutex; only the writer changes them. */
    struct late_head **buckets;
    size_t bucket_count; /* A power of two. */
    size_t count;
    uint64_t *prev; /* Of each change above `forgotten`, by seq modulo prev_size. */
    size_t prev_size;
    uint64_t kept;      /* The last durable seq. */
    uint64_t written;   /* As clock.heads_seq. */
    uint64_t forgotten; /* At most `written`. */

    /* The writer's own. */
    size_t heads_max; /* A round begins when so many wait, or twice as many changes were made. */
    uint32_t round;   /* Number of the list that is being filled. */
    bool is_writing;
    struct late_list filling, writing, waiting, forgetting;
    struct late_staged *staged;
    size_t staged_count;
    size_t staged_capacity;
    size_t filled_before;     /* filling.count before the batch. */
    struct late_head **slice; /* Of `writing`, what the commit at hand takes along. */
    size_t slice_count;
    size_t slice_capacity;
};

stet_status late_init(struct late_heads *late, size_t heads_max);
void late_done(struct late_heads *late); /* Accepts a zeroed one. */

/* At open: the table has all heads up to `written`. Then what came after it, changes in order of their seqs, and each changed record's head. */
void late_start(struct late_heads *late, uint64_t written);
stet_status late_load_change(struct late_heads *late, uint64_t seq, uint64_t prev);
stet_status late_load_head(struct late_heads *late, const struct store_head *head);

/* Whether anything waits. */
bool late_is_empty(const struct late_heads *late);

/* What a commit of so many changes takes along: late->slice. *until: what clock.heads_seq becomes with it, 0 when it stays. `all`: everything
   that waits; for a store that is being closed. */
enum late_amount { LATE_SLICE, LATE_ALL };
stet_status late_take(struct late_heads *late, size_t change_count, enum late_amount amount,
                      uint64_t *until);

/* Before COMMIT: the heads of the batch. After it: one of the other two, which do not fail. `until` as late_take gave it. */
stet_status late_stage(struct late_heads *late, const struct store_batch *batch,
                       const struct store_plan *plan);
void late_keep(struct late_heads *late, uint64_t kept, uint64_t until);
void late_withdraw(struct late_heads *late);

/* What a reader knows of the commit it sees. */
struct late_view {
    bool open;
    bool newest; /* The writer's own reader: sees everything. */
    /* When it began: the least it sees of the changes, and of the heads in the table. */
    uint64_t kept;
    uint64_t written;
    bool exact;   /* `seq` is known: */
    uint64_t seq; /* all that it sees. */
};

enum late_found {
    LATE_TABLE,  /* What the table says holds. */
    LATE_HEAD,   /* *head is filled. */
    LATE_CHANGE, /* The head after the change *seq. */
    LATE_ABSENT, /* The record is newer than the view. */
    LATE_ASK,    /* What the view sees must be known exactly. */
    LATE_BEHIND, /* The view is too old. */
};

/* Any thread. The first one before the reader's snapshot is taken. */
void late_view_begin(struct late_heads *late, struct late_view *view);
enum late_found late_find(struct late_heads *late, const struct late_view *view, uint64_t record,
                          struct store_head *head, uint64_t *seq);

#endif
