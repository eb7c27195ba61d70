/*
 * A hash table over a queue in which whoever was used meanwhile gets a second turn (CLOCK): being found then writes to the entry
 * alone, not to its neighbours, which have seldom been near for long. Entries of a space are valid for one generation: when the
 * ring no longer reaches back to what was applied, the generation ends, and its entries are dropped as they are met or leave the
 * queue.
 */
#include "core/cache.h"

#include "base/view.h"
#include "core/space.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 64, SYNC_CHANGES = 64, LAG_CHANGES = RING_CHANGES / 16 };

struct cache_entry {
    struct cache_value value; /* First: a value's address is its entry's. */
    struct cache_entry *next; /* In the bucket. */
    uint64_t hash;
    uint64_t instance;
    uint64_t generation;
    struct cache_entry *newer, *older;
    bool used; /* Found since it was put in, or since it got its second turn. */
};

void cache_init(struct cache *cache, size_t bytes_max) {
    *cache = (struct cache){.bytes_max = bytes_max};
}

static uint64_t hash_of(uint64_t hash_seed, stet_view type, stet_view id) {
    return view_hash(id, view_hash(type, hash_seed));
}

static struct cache_entry **bucket_of(struct cache *cache, uint64_t hash) {
    return &cache->buckets[hash & (cache->bucket_count - 1)];
}

static size_t bytes_of(const struct cache_entry *entry) {
    return sizeof *entry + sizeof(struct cache_entry *) + entry->value.head->footprint;
}

static void queue_remove(struct cache *cache, struct cache_entry *entry) {
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void queue_insert(struct cache *cache, struct cache_entry *entry) {
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void entry_remove(struct cache *cache, struct cache_entry *entry) {
    struct cache_entry **link = bucket_of(cache, entry->hash);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    queue_remove(cache, entry);
    cache->count--;
    cache->bytes -= bytes_of(entry);
    change_unref(entry->value.head);
    free(entry);
}

void cache_done(struct cache *cache) {
    while (cache->oldest != NULL)
        entry_remove(cache, cache->oldest);
    free(cache->buckets);
    *cache = (struct cache){.bytes_max = cache->bytes_max};
}

static struct cache_entry *entry_find(struct cache *cache, uint64_t instance, uint64_t hash,
                                      stet_view type, stet_view id) {
    struct cache_entry *entry = cache->count == 0 ? NULL : *bucket_of(cache, hash);
    while (entry != NULL && (entry->hash != hash || entry->instance != instance ||
                             !view_equal(entry->value.head->row.id, id) ||
                             !view_equal(entry->value.head->row.type, type)))
        entry = entry->next;
    return entry;
}

static struct cache_space *space_of(struct cache *cache, const struct space *space) {
    size_t count = sizeof cache->spaces / sizeof cache->spaces[0];
    return &cache->spaces[space->instance % count];
}

static void head_replace(struct cache *cache, struct cache_entry *entry, struct change *head) {
    cache->bytes += head->footprint;
    cache->bytes -= entry->value.head->footprint;
    change_ref(head);
    change_unref(entry->value.head);
    entry->value.head = head;
}

/* Drops the oldest until the bound holds, those that were used at their second turn. False when `kept` itself had to go. */
static bool shrink(struct cache *cache, const struct cache_entry *kept) {
    bool stays = true;
    while (cache->bytes > cache->bytes_max) {
        struct cache_entry *oldest = cache->oldest;
        if (oldest->used) {
            oldest->used = false;
            queue_remove(cache, oldest);
            queue_insert(cache, oldest);
            continue;
        }
        if (oldest == kept) stays = false;
        entry_remove(cache, oldest);
    }
    return stays;
}

static void apply(struct cache *cache, const struct cache_space *known, struct change *change,
                  uint64_t hash) {
    struct cache_entry *entry =
        entry_find(cache, known->instance, hash, change->row.type, change->row.id);
    if (entry == NULL || entry->generation != known->generation) return;
    if (entry->value.head->row.seq < change->row.seq) head_replace(cache, entry, change);
}

/* In steps over all of them, as each is most likely in nobody's caches: so the waits overlap. */
static void apply_all(struct cache *cache, struct cache_space *known, struct change **changes,
                      size_t count) {
    uint64_t hashes[SYNC_CHANGES];
    for (size_t index = 0; index < count; index++)
        __builtin_prefetch(changes[index]->bytes);
    for (size_t index = 0; index < count; index++) {
        const struct store_change *row = &changes[index]->row;
        hashes[index] = hash_of(known->hash_seed, row->type, row->id);
        __builtin_prefetch(bucket_of(cache, hashes[index]));
    }
    for (size_t index = 0; index < count; index++)
        __builtin_prefetch(*bucket_of(cache, hashes[index]));
    for (size_t index = 0; index < count; index++) {
        known->applied = changes[index]->row.seq;
        apply(cache, known, changes[index], hashes[index]);
        change_unref(changes[index]);
    }
}

uint64_t cache_sync(struct cache *cache, struct space *space) {
    struct cache_space *known = space_of(cache, space);
    uint64_t published = ring_published(&space->ring);
    bool reaches = known->instance == space->instance;
    /* With nothing cached there is nothing to bring up to date. */
    if (cache->count == 0 && reaches) known->applied = published;
    while (reaches && known->applied < published) {
        struct change *changes[SYNC_CHANGES];
        size_t count;
        reaches = ring_take(&space->ring, known->applied, changes, SYNC_CHANGES, &count);
        apply_all(cache, known, changes, count);
    }
    if (!reaches) {
        *known = (struct cache_space){.instance = space->instance,
                                      .hash_seed = space->hash_seed,
                                      .applied = published,
                                      .generation = ++cache->generations};
    }
    shrink(cache, NULL);
    return known->applied;
}

void cache_keep_up(struct cache *cache, struct space *space) {
    if (ring_published(&space->ring) - space_of(cache, space)->applied > LAG_CHANGES)
        cache_sync(cache, space);
}

struct cache_value *cache_find(struct cache *cache, struct space *space, stet_view type,
                               stet_view id) {
    const struct cache_space *known = space_of(cache, space);
    struct cache_entry *entry;
    if (known->instance != space->instance) return NULL;
    entry = entry_find(cache, space->instance, hash_of(space->hash_seed, type, id), type, id);
    if (entry == NULL) return NULL;
    if (entry->generation != known->generation) {
        entry_remove(cache, entry);
        return NULL;
    }
    entry->used = true;
    return &entry->value;
}

/* Keeps the table at most full; when memory is out it just gets slower. False when there is no table at all. */
static bool make_room(struct cache *cache) {
    size_t count = cache->bucket_count == 0 ? BUCKETS_MIN : cache->bucket_count * 2;
    struct cache_entry **old = cache->buckets;
    size_t old_count = cache->bucket_count;
    struct cache_entry **buckets;
    if (cache->count < cache->bucket_count) return true;
    buckets = calloc(count, sizeof *buckets);
    if (buckets == NULL) return old != NULL;
    cache->buckets = buckets;
    cache->bucket_count = count;
    for (size_t index = 0; index < old_count; index++) {
        struct cache_entry *entry = old[index];
        while (entry != NULL) {
            struct cache_entry *next = entry->next;
            struct cache_entry **bucket = bucket_of(cache, entry->hash);
            entry->next = *bucket;
            *bucket = entry;
            entry = next;
        }
    }
    free(old);
    return true;
}

static struct cache_entry *entry_insert(struct cache *cache, const struct cache_space *known,
                                        uint64_t hash, struct change *head) {
    struct cache_entry *entry;
    struct cache_entry **bucket;
    if (!make_room(cache)) return NULL;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    entry->instance = known->instance;
    entry->generation = known->generation;
    entry->hash = hash;
    entry->value.head = change_ref(head);
    bucket = bucket_of(cache, hash);
    entry->next = *bucket;
    *bucket = entry;
    queue_insert(cache, entry);
    cache->count++;
    cache->bytes += bytes_of(entry);
    return entry;
}

struct cache_value *cache_put(struct cache *cache, struct space *space, struct change *head) {
    const struct cache_space *known = space_of(cache, space);
    uint64_t hash = hash_of(space->hash_seed, head->row.type, head->row.id);
    struct cache_value *value;
    struct cache_entry *entry;
    /* Without a sync nobody would apply what comes after. */
    if (known->instance != space->instance) return NULL;
    value = cache_find(cache, space, head->row.type, head->row.id);
    if (value != NULL) {
        entry = (struct cache_entry *)value;
        if (value->head->row.seq < head->row.seq) head_replace(cache, entry, head);
    } else {
        entry = entry_insert(cache, known, hash, head);
    }
    return entry != NULL && shrink(cache, entry) ? &entry->value : NULL;
}

void cache_offer(struct cache *cache, struct space *space, struct change *change) {
    const struct cache_space *known = space_of(cache, space);
    if (known->instance == space->instance && change->row.seq > known->applied)
        cache_put(cache, space, change);
}
