/*
 * Receipts of refused writes: a bounded memory of what became of mutation keys that took no effect. Keys that took effect are in
 * the store. The oldest is forgotten first. Thread: the sequencer's.
 */
#ifndef CORE_RECEIPTS_H
#define CORE_RECEIPTS_H

#include "store/store.h"

struct receipt {
    uint8_t key[STORE_KEY_BYTES];
    uint64_t actor_hash;
    stet_status status;
    uint64_t seq; /* The space's seq at the refusal. */
};

struct receipts {
    struct receipt *ring; /* Allocated with the first refusal. */
    uint64_t added;       /* Ever; the newest is in slot (added - 1) % RECEIPTS_REMEMBERED_MAX. */
};

void receipts_init(struct receipts *receipts);
void receipts_done(struct receipts *receipts);
void receipts_add(struct receipts *receipts,
                  const struct receipt *receipt); /* Forgets quietly when memory is out. */

/* A place in the list, and back to it: a refusal whose batch failed was never given. What it pushed out stays forgotten. */
static inline uint64_t receipts_mark(const struct receipts *receipts) { return receipts->added; }
void receipts_undo(struct receipts *receipts, uint64_t mark);

/* The newest for this key and actor; NULL when none is known. Borrowed until the next receipts_ call. */
const struct receipt *receipts_find(const struct receipts *receipts,
                                    const uint8_t key[STORE_KEY_BYTES], uint64_t actor_hash);

#endif
