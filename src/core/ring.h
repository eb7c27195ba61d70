/*
 * Ring: the newest published changes of one space, in seq order, shared by all readers. The sequencer pushes a committed batch,
 * then moves `published`; a reader that follows by its own cursor takes references. What has left the ring is in the store.
 *
 * Invariants
 *   1. The ring holds the consecutive seqs (floor, published].
 *   2. published moves only after the batch is durable, and only to the end of a transaction.
 *   3. Whoever has seen published == n never finds a change ≤ n afterwards that was not there.
 *
 * Thread: ring_publish on the sequencer; everything else anywhere. The lock is held for copying pointers only.
 */
#ifndef CORE_RING_H
#define CORE_RING_H

#include "core/change.h"

#include <pthread.h>

struct ring {
    pthread_mutex_t lock;
    pthread_cond_t moved; /* For readers that wait for a position. */
    atomic_uint waiters;
    _Atomic uint64_t published;
    struct change **slots; /* RING_CHANGES of them; change n is in slot n % RING_CHANGES. */
    uint64_t floor;        /* The highest seq that is not in the ring. */
    size_t bytes;
    bool closed; /* Nobody publishes any more: waiting is pointless. Under the lock. */
};

stet_status ring_init(struct ring *ring, uint64_t published);
void ring_done(struct ring *ring);

/* Takes over one reference to each change. */
void ring_publish(struct ring *ring, struct change **changes, size_t count);

static inline uint64_t ring_published(struct ring *ring) {
    return atomic_load_explicit(&ring->published, memory_order_acquire);
}

/*
 * Up to max changes with seq > after, ascending, each with a reference for the caller. *count 0: nothing newer.
 * False when the ring no longer reaches back to after + 1: read the store, or forget what you cached.
 */
bool ring_take(struct ring *ring, uint64_t after, struct change **changes, size_t max,
               size_t *count);

/*
 * Whoever takes the changes at this seq from now on finds it without data; what was taken stays as it was. Where memory is out, the
 * ring forgets what is as old. The sequencer's thread.
 */
void ring_erase(struct ring *ring, uint64_t seq);

/* The change at a seq with a reference, or NULL. */
struct change *ring_find(struct ring *ring, uint64_t seq);

/* The same without a reference or a lock, for the sequencer, which alone puts in and takes out: borrowed until its next ring_publish. */
const struct change *ring_peek(const struct ring *ring, uint64_t seq);

/*
 * One version of a record, reached from the change `from` of it along prev and skip, with a reference; NULL: the way leaves the ring,
 * or there is no such version. from: any change of the record with that version or a later one.
 */
struct change *ring_find_version(struct ring *ring, const struct store_change *from,
                                 uint64_t version);

/* Where the way back from a change to an earlier ordinal of its record goes on. */
static inline uint64_t ring_way_back(const struct store_change *from, uint64_t ordinal) {
    uint64_t skipped = from->ordinal & (from->ordinal - 1); /* store/spine.h */
    return from->skip != 0 && skipped >= ordinal ? from->skip : from->prev;
}

/* The ordinal of the change that is there. */
static inline uint64_t ring_ordinal_back(const struct store_change *from, uint64_t ordinal) {
    uint64_t skipped = from->ordinal & (from->ordinal - 1);
    return from->skip != 0 && skipped >= ordinal ? skipped : from->ordinal - 1;
}

/* Waits until published ≥ seq, at most timeout_ms. False when it did not come to that. */
bool ring_wait(struct ring *ring, uint64_t seq, unsigned timeout_ms);

/* Wakes everybody who waits, for good. */
void ring_close(struct ring *ring);
bool ring_is_closed(struct ring *ring);

#endif
