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
    size_t count;
    size_t next;
};

void receipts_init(struct receipts *receipts);
void receipts_done(struct receipts *receipts);
void receipts_add(struct receipts *receipts,
                  const struct receipt *receipt); /* Forgets quietly when memory is out. */
const struct receipt *receipts_find(const struct receipts *receipts,
                                    const uint8_t key[STORE_KEY_BYTES], uint64_t actor_hash);

#endif
