/*
 * A client's read cache: heads by (space instance, type, id), bounded in bytes; what was not used lately leaves first. One thread.
 */
#ifndef CORE_CACHE_H
#define CORE_CACHE_H

#include "core/change.h"

struct space;
struct cache_entry;

struct cache_space {
    uint64_t instance;
    uint64_t hash_seed;
    uint64_t applied;    /* Everything published up to here has been applied to the entries. */
    uint64_t generation; /* Entries of another generation are void. */
};

struct cache {
    struct cache_entry **buckets;
    size_t bucket_count;
    size_t count;
    size_t bytes;
    size_t bytes_max;
    struct cache_entry *newest, *oldest;
    struct cache_space spaces[32]; /* Direct-mapped by instance; a collision forgets. */
    uint64_t generations;
};

struct cache_value {
    struct change *head; /* Owned by the cache. */
};

void cache_init(struct cache *cache, size_t bytes_max);
void cache_done(struct cache *cache);

/* Brings the space's entries up to what is published. Returns the position they are at. */
uint64_t cache_sync(struct cache *cache, struct space *space);

/* For who writes and does not read: a sync now and then, before the ring no longer reaches back to what the entries are at. */
void cache_keep_up(struct cache *cache, struct space *space);

/* NULL: not cached. Borrowed until the next cache_ call. */
struct cache_value *cache_find(struct cache *cache, struct space *space, stet_view type,
                               stet_view id);

/*
 * head: read after the last cache_sync, so that it is the newest up to there. Takes a reference of its own; an entry that is newer
 * already stays. NULL when memory is out, which is no harm.
 */
struct cache_value *cache_put(struct cache *cache, struct space *space, struct change *head);

/*
 * Some change of the past, published: kept only where the next cache_sync would still meet whatever came after it. One from
 * before the last sync may have been overwritten since by a change that was not applied because nothing was cached.
 */
void cache_offer(struct cache *cache, struct space *space, struct change *change);

#endif
