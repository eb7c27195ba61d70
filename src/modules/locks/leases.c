#include "modules/locks/leases.h"

#include "base/view.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS_FIRST = 64, HEAP_FIRST = 64 };
#define NOT_IN_HEAP SIZE_MAX

stet_status leases_init(struct leases *leases, uint64_t hash_seed) {
    *leases = (struct leases){.hash_seed = hash_seed, .bucket_count = BUCKETS_FIRST};
    leases->buckets = calloc(BUCKETS_FIRST, sizeof *leases->buckets);
    return leases->buckets == NULL ? STET_NO_MEMORY : STET_OK;
}

static void entry_destroy(struct lock_entry *entry) {
    free(entry->lease);
    free(entry->prepared);
    free(entry);
}

void leases_done(struct leases *leases) {
    for (size_t i = 0; leases->buckets != NULL && i < leases->bucket_count; i++) {
        while (leases->buckets[i] != NULL) {
            struct lock_entry *entry = leases->buckets[i];
            leases->buckets[i] = entry->bucket_next;
            entry_destroy(entry);
        }
    }
    free(leases->buckets);
    free(leases->heap);
    *leases = (struct leases){0};
}

/* ---- Names ------------------------------------------------------------------------------- */

static struct lock_entry **bucket_of(const struct leases *leases, uint64_t hash) {
    return &leases->buckets[hash & (leases->bucket_count - 1)];
}

struct lock_entry *leases_find(const struct leases *leases, stet_view name) {
    uint64_t hash = view_hash(name, leases->hash_seed);
    struct lock_entry *entry = *bucket_of(leases, hash);
    while (entry != NULL && (entry->hash != hash || !view_equal(entry_name(entry), name)))
        entry = entry->bucket_next;
    return entry;
}

/* Longer rows cost time, not correctness: without memory the buckets stay as they are. */
static void grow_buckets(struct leases *leases) {
    size_t count = leases->bucket_count * 2;
    struct lock_entry **old = leases->buckets;
    struct lock_entry **buckets = calloc(count, sizeof *buckets);
    if (buckets == NULL) return;
    size_t old_count = leases->bucket_count;
    leases->buckets = buckets;
    leases->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct lock_entry *entry = old[i];
            old[i] = entry->bucket_next;
            struct lock_entry **bucket = bucket_of(leases, entry->hash);
            entry->bucket_next = *bucket;
            *bucket = entry;
        }
    }
    free(old);
}

static bool reserve_heap(struct leases *leases) {
    if (leases->entry_count < leases->heap_capacity) return true;
    size_t capacity = leases->heap_capacity == 0 ? HEAP_FIRST : leases->heap_capacity * 2;
    struct lock_entry **heap = realloc(leases->heap, capacity * sizeof *heap);
    if (heap == NULL) return false;
    leases->heap = heap;
    leases->heap_capacity = capacity;
    return true;
}

struct lock_entry *leases_need(struct leases *leases, stet_view name) {
    struct lock_entry *entry = leases_find(leases, name);
    if (entry != NULL) return entry;
    if (!reserve_heap(leases)) return NULL;
    entry = malloc(sizeof *entry + name.size);
    if (entry == NULL) return NULL;
    *entry = (struct lock_entry){
        .hash = view_hash(name, leases->hash_seed),
        .heap_index = NOT_IN_HEAP,
        .name_bytes = name.size,
    };
    memcpy(entry->name, name.bytes, name.size);
    if (leases->entry_count >= leases->bucket_count) grow_buckets(leases);
    struct lock_entry **bucket = bucket_of(leases, entry->hash);
    entry->bucket_next = *bucket;
    *bucket = entry;
    leases->entry_count++;
    return entry;
}

void leases_drop_unused(struct leases *leases, struct lock_entry *entry) {
    if (entry->held || entry->first != NULL) return;
    struct lock_entry **slot = bucket_of(leases, entry->hash);
    while (*slot != entry)
        slot = &(*slot)->bucket_next;
    *slot = entry->bucket_next;
    leases->entry_count--;
    entry_destroy(entry);
}

/* ---- Leases by their end ----------------------------------------------------------------- */

static void heap_place(struct leases *leases, size_t index, struct lock_entry *entry) {
    leases->heap[index] = entry;
    entry->heap_index = index;
}

/* Moves an entry to where its wake_at belongs. */
static void heap_settle(struct leases *leases, struct lock_entry *entry) {
    size_t index = entry->heap_index;
    while (index > 0 && leases->heap[(index - 1) / 2]->wake_at > entry->wake_at) {
        heap_place(leases, index, leases->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= leases->heap_count) break;
        if (child + 1 < leases->heap_count &&
            leases->heap[child + 1]->wake_at < leases->heap[child]->wake_at)
            child++;
        if (leases->heap[child]->wake_at >= entry->wake_at) break;
        heap_place(leases, index, leases->heap[child]);
        index = child;
    }
    heap_place(leases, index, entry);
}

static void heap_remove(struct leases *leases, struct lock_entry *entry) {
    size_t index = entry->heap_index;
    if (index == NOT_IN_HEAP) return;
    struct lock_entry *last = leases->heap[--leases->heap_count];
    entry->heap_index = NOT_IN_HEAP;
    if (last == entry) return;
    heap_place(leases, index, last);
    heap_settle(leases, last);
}

struct lock_entry *leases_first_due(const struct leases *leases) {
    return leases->heap_count == 0 ? NULL : leases->heap[0];
}

/* ---- Holding ----------------------------------------------------------------------------- */

struct lease *lease_create(stet_view holder, stet_view note, uint32_t ttl_s) {
    struct lease *lease = malloc(sizeof *lease + holder.size + note.size);
    if (lease == NULL) return NULL;
    if (holder.size > 0) memcpy(lease->bytes, holder.bytes, holder.size);
    if (note.size > 0) memcpy(lease->bytes + holder.size, note.bytes, note.size);
    lease->ttl_s = ttl_s;
    lease->holder = view_make(lease->bytes, holder.size);
    lease->note = view_make(lease->bytes + holder.size, note.size);
    return lease;
}

void leases_extend(struct leases *leases, struct lock_entry *entry, int64_t ends_at) {
    entry->ends_at = entry->wake_at = ends_at;
    heap_settle(leases, entry);
}

void leases_put_off(struct leases *leases, struct lock_entry *entry, int64_t wake_at) {
    entry->wake_at = wake_at;
    heap_settle(leases, entry);
}

void leases_hold(struct leases *leases, struct lock_entry *entry, uint64_t token, int64_t ends_at) {
    assert(entry->prepared != NULL);
    free(entry->lease);
    entry->lease = entry->prepared;
    entry->prepared = NULL;
    entry->held = true;
    entry->token = token;
    if (entry->heap_index == NOT_IN_HEAP) {
        assert(leases->heap_count < leases->heap_capacity);
        heap_place(leases, leases->heap_count++, entry);
    }
    leases_extend(leases, entry, ends_at);
}

void leases_free(struct leases *leases, struct lock_entry *entry) {
    heap_remove(leases, entry);
    free(entry->lease);
    entry->lease = NULL;
    entry->held = false;
}

void leases_reset(struct leases *leases) {
    for (size_t i = 0; i < leases->bucket_count; i++) {
        for (struct lock_entry *entry = leases->buckets[i]; entry != NULL;
             entry = entry->bucket_next) {
            entry->held = false;
            entry->heap_index = NOT_IN_HEAP;
        }
    }
    leases->heap_count = 0;
    leases->unswept = true;
}

void leases_sweep(struct leases *leases) {
    if (!leases->unswept) return;
    leases->unswept = false;
    for (size_t i = 0; i < leases->bucket_count; i++) {
        struct lock_entry *next;
        for (struct lock_entry *entry = leases->buckets[i]; entry != NULL; entry = next) {
            next = entry->bucket_next;
            leases_drop_unused(leases, entry);
        }
    }
}

/* ---- Waiting ----------------------------------------------------------------------------- */

void waiter_join(struct leases *leases, struct lock_entry *entry, struct lock_waiter *waiter) {
    assert(waiter->entry == NULL);
    waiter->entry = entry;
    waiter->tag = ++leases->last_tag;
    waiter->next = NULL;
    waiter->previous = entry->last;
    if (entry->last != NULL) {
        entry->last->next = waiter;
    } else {
        entry->first = waiter;
    }
    entry->last = waiter;
    entry->waiting++;
}

void waiter_leave(struct lock_waiter *waiter) {
    struct lock_entry *entry = waiter->entry;
    if (entry == NULL) return;
    if (waiter->previous != NULL) {
        waiter->previous->next = waiter->next;
    } else {
        entry->first = waiter->next;
    }
    if (waiter->next != NULL) {
        waiter->next->previous = waiter->previous;
    } else {
        entry->last = waiter->previous;
    }
    entry->waiting--;
    waiter->entry = NULL;
}
