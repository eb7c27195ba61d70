/*
 * The table of a space's locks: who holds which name until when, and who waits for it, in which order. Memory only: what must
 * survive a restart is in the `stet.lock` records, from which the table is filled. No I/O and no clock of its own.
 *
 * A name has an entry while it is held or waited for. Leases stand in a heap by the time they end.
 *
 * Thread: the sequencer's.
 */
#ifndef MODULES_LOCKS_LEASES_H
#define MODULES_LOCKS_LEASES_H

#include "base/arena.h"
#include "stet.h"

/* A holder's lease. One block of memory, with the text behind it. */
struct lease {
    uint32_t ttl_s;
    stet_view holder;
    stet_view note;
    char bytes[];
};

struct lock_waiter {
    struct lock_waiter *next, *previous;
    struct lock_entry *entry; /* NULL: does not wait. */
    uint64_t tag;             /* By which its command is woken; of this space, never used twice. */
    void *context;
};

struct lock_entry {
    struct lock_entry *bucket_next;
    uint64_t hash;
    bool held;
    uint64_t token; /* Of the lease, also of the last one after a reset. */
    uint64_t seq;   /* Of its record. */
    int64_t acquired_at;
    int64_t ends_at; /* Monotonic. */
    int64_t wake_at; /* What the heap goes by: ends_at, or later when a release failed. */
    size_t heap_index;
    struct lease *lease;
    struct lease *prepared; /* Of an acquisition that is being staged. */
    struct lock_waiter *first, *last;
    size_t waiting;
    size_t name_bytes;
    char name[];
};

struct leases {
    struct lock_entry **buckets;
    size_t bucket_count; /* A power of two. */
    size_t entry_count;
    struct lock_entry **heap;
    size_t heap_count, heap_capacity;
    uint64_t hash_seed;
    uint64_t last_tag;
    bool unswept; /* A reset may have left entries that nobody needs. */
};

stet_status leases_init(struct leases *leases, uint64_t hash_seed);
void leases_done(struct leases *leases);

/* NULL: neither held nor waited for. */
struct lock_entry *leases_find(const struct leases *leases, stet_view name);

/* The entry of a name, made when there is none, with room for a lease in the heap. NULL: out of memory. */
struct lock_entry *leases_need(struct leases *leases, stet_view name);

/* Frees an entry that is neither held nor waited for; leaves any other alone. */
void leases_drop_unused(struct leases *leases, struct lock_entry *entry);

/* A lease to prepare; NULL: out of memory. */
struct lease *lease_create(stet_view holder, stet_view note, uint32_t ttl_s);

/* The prepared lease begins. It has room: see leases_need. */
void leases_hold(struct leases *leases, struct lock_entry *entry, uint64_t token, int64_t ends_at);
/* The lease goes on until another time. */
void leases_extend(struct leases *leases, struct lock_entry *entry, int64_t ends_at);
/* Its end is to be looked at again only then. */
void leases_put_off(struct leases *leases, struct lock_entry *entry, int64_t wake_at);
/* Nobody holds it any more. The entry stays. */
void leases_free(struct leases *leases, struct lock_entry *entry);

/* The lease that ends first; NULL: nothing is held. */
struct lock_entry *leases_first_due(const struct leases *leases);

/* Forgets who holds what, but not who waits; leases that are loaded again go on as they were. */
void leases_reset(struct leases *leases);
void leases_sweep(struct leases *leases);

/* At the end of the row. */
void waiter_join(struct leases *leases, struct lock_entry *entry, struct lock_waiter *waiter);
void waiter_leave(struct lock_waiter *waiter); /* Accepts one that does not wait. */

static inline stet_view entry_name(const struct lock_entry *entry) {
    return (stet_view){.bytes = entry->name, .size = entry->name_bytes};
}

#endif
