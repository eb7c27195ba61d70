/*
 * The sequencer's heads: a chained hash table with a list by use. An entry holds its key and a whole store_head; entries named by
 * the journal are pinned, for they are ahead of the store.
 */
#include "core/heads.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS_FIRST = 256, JOURNAL_FIRST = 64, EVICT_LOOKS = 64 };

struct head_entry {
    struct head_entry *chain;
    struct head_entry *newer, *older;
    uint64_t hash;
    unsigned pins; /* How many journal lines name it. */
    struct store_head head;
    uint32_t type_bytes;
    uint32_t id_bytes;
    char key[]; /* type, then id. */
};

struct head_undo {
    struct head_entry *entry;
    struct store_head before;
};

void heads_init(struct heads *heads, uint64_t hash_seed) {
    *heads = (struct heads){.hash_seed = hash_seed};
}

void heads_done(struct heads *heads) {
    struct head_entry *entry = heads->newest;
    while (entry != NULL) {
        struct head_entry *older = entry->older;
        free(entry);
        entry = older;
    }
    free(heads->buckets);
    free(heads->journal);
    *heads = (struct heads){0};
}

static void unlink_use(struct heads *heads, struct head_entry *entry) {
    if (entry->newer != NULL) {
        entry->newer->older = entry->older;
    } else {
        heads->newest = entry->older;
    }
    if (entry->older != NULL) {
        entry->older->newer = entry->newer;
    } else {
        heads->oldest = entry->newer;
    }
}

static void link_newest(struct heads *heads, struct head_entry *entry) {
    entry->newer = NULL;
    entry->older = heads->newest;
    if (heads->newest != NULL) heads->newest->newer = entry;
    heads->newest = entry;
    if (heads->oldest == NULL) heads->oldest = entry;
}

static void remove_entry(struct heads *heads, struct head_entry *entry) {
    struct head_entry **slot = &heads->buckets[entry->hash & (heads->bucket_count - 1)];
    while (*slot != entry)
        slot = &(*slot)->chain;
    *slot = entry->chain;
    unlink_use(heads, entry);
    heads->count--;
    free(entry);
}

/* Makes room, skipping what the batch has staged; but does not look far, for a large batch may have staged whatever is old, and who was
   just handed out must stay. */
static void evict(struct heads *heads) {
    struct head_entry *entry = heads->oldest;
    for (int looked = 0; entry != NULL && looked < EVICT_LOOKS && heads->count >= HEADS_CACHED_MAX;
         looked++) {
        struct head_entry *newer = entry->newer;
        if (entry->pins == 0) remove_entry(heads, entry);
        entry = newer;
    }
}

static stet_status grow(struct heads *heads, stet_error *err) {
    if (heads->count < heads->bucket_count) return STET_OK;
    size_t bucket_count = heads->bucket_count == 0 ? BUCKETS_FIRST : heads->bucket_count * 2;
    struct head_entry **buckets = calloc(bucket_count, sizeof *buckets);
    if (buckets == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for record heads");
    for (struct head_entry *entry = heads->newest; entry != NULL; entry = entry->older) {
        struct head_entry **slot = &buckets[entry->hash & (bucket_count - 1)];
        entry->chain = *slot;
        *slot = entry;
    }
    free(heads->buckets);
    heads->buckets = buckets;
    heads->bucket_count = bucket_count;
    return STET_OK;
}

static struct head_entry *find(const struct heads *heads, uint64_t hash, stet_view type,
                               stet_view id) {
    if (heads->bucket_count == 0) return NULL;
    struct head_entry *entry = heads->buckets[hash & (heads->bucket_count - 1)];
    for (; entry != NULL; entry = entry->chain) {
        if (entry->hash == hash && entry->type_bytes == type.size && entry->id_bytes == id.size &&
            memcmp(entry->key, type.bytes, type.size) == 0 &&
            memcmp(entry->key + type.size, id.bytes, id.size) == 0)
            return entry;
    }
    return NULL;
}

stet_status heads_get(struct heads *heads, struct store_reader *reader, stet_view type,
                      stet_view id, struct store_head **head, stet_error *err) {
    uint64_t hash = view_hash(id, view_hash(type, heads->hash_seed));
    struct head_entry *entry = find(heads, hash, type, id);
    if (entry != NULL) {
        if (heads->newest != entry) {
            unlink_use(heads, entry);
            link_newest(heads, entry);
        }
        *head = &entry->head;
        return STET_OK;
    }
    struct store_head stored;
    stet_status status = store_head(reader, type, id, &stored, err);
    if (status != STET_OK) return status;
    if (heads->count >= HEADS_CACHED_MAX) evict(heads);
    status = grow(heads, err);
    if (status != STET_OK) return status;
    entry = malloc(sizeof *entry + type.size + id.size);
    if (entry == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for record heads");
    entry->hash = hash;
    entry->pins = 0;
    entry->head = stored;
    entry->type_bytes = (uint32_t)type.size;
    entry->id_bytes = (uint32_t)id.size;
    memcpy(entry->key, type.bytes, type.size);
    memcpy(entry->key + type.size, id.bytes, id.size);
    struct head_entry **slot = &heads->buckets[hash & (heads->bucket_count - 1)];
    entry->chain = *slot;
    *slot = entry;
    link_newest(heads, entry);
    heads->count++;
    *head = &entry->head;
    return STET_OK;
}

static struct head_entry *entry_of(struct store_head *head) {
    return (struct head_entry *)((char *)head - offsetof(struct head_entry, head));
}

stet_status heads_stage(struct heads *heads, struct store_head *head, stet_error *err) {
    if (heads->journal_count == heads->journal_capacity) {
        size_t capacity =
            heads->journal_capacity == 0 ? JOURNAL_FIRST : heads->journal_capacity * 2;
        struct head_undo *journal = realloc(heads->journal, capacity * sizeof *journal);
        if (journal == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a batch");
        heads->journal = journal;
        heads->journal_capacity = capacity;
    }
    struct head_entry *entry = entry_of(head);
    entry->pins++;
    heads->journal[heads->journal_count++] = (struct head_undo){.entry = entry, .before = *head};
    return STET_OK;
}

void heads_undo(struct heads *heads, size_t mark) {
    assert(mark <= heads->journal_count);
    while (heads->journal_count > mark) {
        struct head_undo *undo = &heads->journal[--heads->journal_count];
        undo->entry->head = undo->before;
        undo->entry->pins--;
    }
}

void heads_commit(struct heads *heads) {
    for (size_t i = 0; i < heads->journal_count; i++)
        heads->journal[i].entry->pins--;
    heads->journal_count = 0;
}
