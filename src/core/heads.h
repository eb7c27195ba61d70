/*
 * Heads: what the sequencer knows of the records it decides about. A bounded cache over the store's head rows, with a journal of
 * what the batch at hand has staged, so that a refused command and a failed commit can be taken back exactly.
 *
 * An entry changed since the last commit is pinned: it is the only place where the staged head stands.
 *
 * Thread: the sequencer's.
 */
#ifndef CORE_HEADS_H
#define CORE_HEADS_H

#include "store/store.h"

struct head_entry;

struct heads {
    struct head_entry **buckets;
    size_t bucket_count; /* A power of two. */
    size_t count;
    struct head_entry *newest, *oldest; /* By use. */
    struct head_undo *journal;
    size_t journal_count, journal_capacity;
    uint64_t hash_seed;
};

/* hash_seed: unknown to those who choose the names of records. */
void heads_init(struct heads *heads, uint64_t hash_seed);
void heads_done(struct heads *heads);

/* The head as of now, staged changes included: from the cache, else from the store. Borrowed while it is among the
   HEADS_CACHED_MAX asked for last, and until what was staged is taken back. */
stet_status heads_get(struct heads *heads, struct store_reader *reader, stet_view type,
                      stet_view id, struct store_head **head, stet_error *err);

/* Notes the head just returned by heads_get as about to be changed. */
stet_status heads_stage(struct heads *heads, struct store_head *head, stet_error *err);

/* A place in the journal, and back to it. */
static inline size_t heads_mark(const struct heads *heads) { return heads->journal_count; }
void heads_undo(struct heads *heads, size_t mark);

/* What was staged is durable. */
void heads_commit(struct heads *heads);

#endif
