/*
 * The memory driver. Changes lie in an array by seq and are never moved; heads hang off them in a hash table by (type, id)
 * and, for scans, in an array per type in byte order of the ids.
 *
 * A commit allocates everything it needs first and then links it in, which cannot fail: that is its atomicity. One
 * read-write lock makes it visible whole; readers copy what they return into the caller's arena.
 */
#include "store/memory/memory.h"

#include "base/error.h"
#include "base/view.h"
#include "store/memory/internal.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tables -------------------------------------------------------------------------------------------------- */

static uint64_t record_hash(stet_view type, stet_view id) {
    return view_hash(id, view_hash(type, 0));
}

static uint64_t record_hash_of(const void *entry) {
    const struct memory_record *record = entry;
    return record_hash(record->type->name, record->id);
}

static uint64_t key_hash(const uint8_t key[STORE_KEY_BYTES], stet_view actor) {
    return view_hash(view_make(key, STORE_KEY_BYTES), view_hash(actor, 0));
}

static uint64_t key_hash_of(const void *entry) {
    const struct memory_key *key = entry;
    return key_hash(key->key.key, key->key.actor);
}

static void table_add(struct table *table, void *entry, uint64_t hash) {
    size_t at = (size_t)hash & (table->capacity - 1);
    assert(table->count < table->capacity);
    while (table->slots[at] != NULL)
        at = (at + 1) & (table->capacity - 1);
    table->slots[at] = entry;
    table->count++;
}

/* Room for more entries at no more than half load. */
static bool table_reserve(struct table *table, size_t more,
                          uint64_t (*hash_of)(const void *entry)) {
    size_t capacity = table->capacity == 0 ? 64 : table->capacity;
    while (capacity < 2 * (table->count + more))
        capacity *= 2;
    if (capacity == table->capacity) return true;
    struct table grown = {.slots = calloc(capacity, sizeof *grown.slots), .capacity = capacity};
    if (grown.slots == NULL) return false;
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->slots[i] != NULL) table_add(&grown, table->slots[i], hash_of(table->slots[i]));
    }
    free(table->slots);
    *table = grown;
    return true;
}

struct memory_record *memory_record_find(const struct memory_store *store, stet_view type,
                                         stet_view id) {
    const struct table *table = &store->records;
    if (table->count == 0) return NULL;
    for (size_t at = (size_t)record_hash(type, id);; at++) {
        struct memory_record *record = table->slots[at & (table->capacity - 1)];
        if (record == NULL) return NULL;
        if (view_equal(record->id, id) && view_equal(record->type->name, type)) return record;
    }
}

struct memory_key *memory_table_key(const struct table *table, const uint8_t key[STORE_KEY_BYTES],
                                    stet_view actor) {
    if (table->count == 0) return NULL;
    for (size_t at = (size_t)key_hash(key, actor);; at++) {
        struct memory_key *found = table->slots[at & (table->capacity - 1)];
        if (found == NULL) return NULL;
        if (memcmp(found->key.key, key, STORE_KEY_BYTES) == 0 &&
            view_equal(found->key.actor, actor))
            return found;
    }
}

static void keys_clear(struct table *table) {
    for (size_t i = 0; i < table->capacity; i++) {
        free(table->slots[i]);
        table->slots[i] = NULL;
    }
    table->count = 0;
}

struct memory_type *memory_type_find(const struct memory_store *store, stet_view name) {
    for (size_t i = 0; i < store->type_count; i++) {
        if (view_equal(store->types[i]->name, name)) return store->types[i];
    }
    return NULL;
}

/* ---- Committing ---------------------------------------------------------------------------------------------- */

/* Copies a view behind *at and moves *at past it. */
static stet_view place(char **at, stet_view view) {
    stet_view copy = {.bytes = *at, .size = view.size};
    if (view.size > 0) memcpy(*at, view.bytes, view.size);
    *at += view.size;
    return copy;
}

static size_t change_bytes(const struct store_change *change) {
    return sizeof *change + change->type.size + change->id.size + change->by.size +
           change->key.size + change->source.size + change->merge.size + change->origin.size +
           change->parent.size + change->forked_from.size + change->data.size;
}

static struct store_change *change_copy(const struct store_change *change) {
    struct store_change *copy = malloc(change_bytes(change));
    if (copy == NULL) return NULL;
    char *at = (char *)(copy + 1);
    *copy = *change;
    copy->type = place(&at, change->type);
    copy->id = place(&at, change->id);
    copy->by = place(&at, change->by);
    copy->key = place(&at, change->key);
    copy->source = place(&at, change->source);
    copy->merge = place(&at, change->merge);
    copy->origin = place(&at, change->origin);
    copy->parent = place(&at, change->parent);
    copy->forked_from = place(&at, change->forked_from);
    copy->parent_number = 0;
    copy->data = place(&at, change->data);
    return copy;
}

static struct memory_key *key_copy(const struct store_key *key) {
    struct memory_key *copy = malloc(sizeof *copy + key->actor.size + key->result.size);
    if (copy == NULL) return NULL;
    char *at = (char *)(copy + 1);
    copy->key = *key;
    copy->key.actor = place(&at, key->actor);
    copy->key.result = place(&at, key->result);
    return copy;
}

static struct memory_record *record_create(struct memory_type *type, stet_view id) {
    struct memory_record *record = malloc(sizeof *record + id.size);
    if (record == NULL) return NULL;
    char *at = (char *)(record + 1);
    *record = (struct memory_record){.type = type};
    record->id = place(&at, id);
    return record;
}

/* A type stays when the commit that needed it fails: without records it is not seen. */
static struct memory_type *type_ensure(struct memory_store *store, stet_view name) {
    struct memory_type *type = memory_type_find(store, name);
    if (type != NULL) return type;
    if (store->type_count == store->type_capacity) {
        size_t capacity = store->type_capacity == 0 ? 8 : 2 * store->type_capacity;
        struct memory_type **types = realloc(store->types, capacity * sizeof *types);
        if (types == NULL) return NULL;
        store->types = types;
        store->type_capacity = capacity;
    }
    type = malloc(sizeof *type + name.size);
    if (type == NULL) return NULL;
    char *at = (char *)(type + 1);
    *type = (struct memory_type){0};
    type->name = place(&at, name);
    store->types[store->type_count++] = type;
    return type;
}

static bool type_reserve(struct memory_type *type, size_t more) {
    size_t capacity = type->capacity == 0 ? 64 : type->capacity;
    while (capacity < type->count + more)
        capacity *= 2;
    if (capacity == type->capacity) return true;
    struct memory_record **records = realloc(type->records, capacity * sizeof *records);
    if (records == NULL) return false;
    type->records = records;
    type->capacity = capacity;
    return true;
}

size_t memory_type_bound(const struct memory_type *type, stet_view id, bool past) {
    size_t low = 0, high = type->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = view_compare(type->records[middle]->id, id);
        if (order < 0 || (past && order == 0)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void type_insert(struct memory_type *type, struct memory_record *record) {
    size_t at = memory_type_bound(type, record->id, false);
    assert(type->count < type->capacity);
    memmove(&type->records[at + 1], &type->records[at], (type->count - at) * sizeof *type->records);
    type->records[at] = record;
    type->count++;
}

/* What a commit allocated and has not linked in yet. */
struct staged {
    struct store_change **changes;
    /* Beside the changes: the record to write; owned where `created`. */
    struct memory_record **records;
    bool *created;
    struct memory_key **keys;
    /* Beside the entries: NULL for one to be removed. */
    struct entry_node **entries;
    /* Beside the prunes: the change without its data; once applied, the one it took the place of. */
    struct store_change **bare;
    size_t change_count;
    size_t key_count;
    size_t entry_count;
    size_t prune_count;
};

static void staged_done(struct staged *staged, bool linked) {
    for (size_t i = 0; !linked && staged->changes != NULL && i < staged->change_count; i++)
        free(staged->changes[i]);
    for (size_t i = 0;
         !linked && staged->records != NULL && staged->created != NULL && i < staged->change_count;
         i++) {
        if (staged->created[i]) free(staged->records[i]);
    }
    for (size_t i = 0; !linked && staged->keys != NULL && i < staged->key_count; i++)
        free(staged->keys[i]);
    for (size_t i = 0; !linked && staged->entries != NULL && i < staged->entry_count; i++)
        free(staged->entries[i]);
    for (size_t i = 0; staged->bare != NULL && i < staged->prune_count; i++)
        free(staged->bare[i]);
    free(staged->entries);
    free(staged->bare);
    free(staged->changes);
    free(staged->records);
    free(staged->created);
    free(staged->keys);
}

static stet_status stage(struct memory_store *store, const struct store_batch *batch,
                         const struct store_plan *plan, struct staged *staged) {
    size_t count = batch->change_count;
    staged->change_count = count;
    staged->key_count = batch->key_count;
    staged->changes = calloc(count + 1, sizeof *staged->changes);
    staged->records = calloc(count + 1, sizeof *staged->records);
    staged->created = calloc(count + 1, sizeof *staged->created);
    staged->keys = calloc(batch->key_count + 1, sizeof *staged->keys);
    staged->entry_count = batch->entry_count;
    staged->prune_count = batch->prune_count;
    staged->entries = calloc(batch->entry_count + 1, sizeof *staged->entries);
    staged->bare = calloc(batch->prune_count + 1, sizeof *staged->bare);
    if (staged->changes == NULL || staged->records == NULL || staged->created == NULL ||
        staged->keys == NULL || staged->entries == NULL || staged->bare == NULL) {
        return STET_NO_MEMORY;
    }
    if (store->change_count + count > store->change_capacity) {
        size_t capacity = store->change_capacity == 0 ? 256 : store->change_capacity;
        while (capacity < store->change_count + count)
            capacity *= 2;
        struct store_change **changes = realloc(store->changes, capacity * sizeof *changes);
        if (changes == NULL) return STET_NO_MEMORY;
        store->changes = changes;
        store->change_capacity = capacity;
    }
    if (!table_reserve(&store->records, count, record_hash_of)) return STET_NO_MEMORY;
    struct table *keys =
        &store->keys[batch->rotate_keys ? !store->keys_current : store->keys_current];
    if (!table_reserve(keys, batch->key_count, key_hash_of)) return STET_NO_MEMORY;

    for (size_t i = 0; i < count; i++) {
        const struct store_change *change = &batch->changes[i];
        struct memory_type *type = type_ensure(store, change->type);
        if (type == NULL || !type_reserve(type, count)) return STET_NO_MEMORY;
        staged->changes[i] = change_copy(change);
        if (staged->changes[i] == NULL) return STET_NO_MEMORY;
        if (!plan->final[i]) continue;
        staged->records[i] = memory_record_find(store, change->type, change->id);
        if (staged->records[i] != NULL) continue;
        staged->records[i] = record_create(type, change->id);
        if (staged->records[i] == NULL) return STET_NO_MEMORY;
        staged->created[i] = true;
    }
    for (size_t i = 0; i < batch->key_count; i++) {
        staged->keys[i] = key_copy(&batch->keys[i]);
        if (staged->keys[i] == NULL) return STET_NO_MEMORY;
    }
    for (size_t i = 0; i < batch->entry_count; i++) {
        if (batch->entries[i].remove) continue;
        staged->entries[i] = entries_make(&store->entries, &batch->entries[i]);
        if (staged->entries[i] == NULL) return STET_NO_MEMORY;
    }
    for (size_t i = 0; i < batch->prune_count; i++) {
        uint64_t seq = batch->prunes[i].seq;
        struct store_change bare =
            *(seq <= store->change_count ? store->changes[seq - 1]
                                         : staged->changes[seq - 1 - store->change_count]);
        bare.data = (stet_view){0};
        if (batch->prunes[i].erase) bare.merge = bare.origin = (stet_view){0};
        bare.pruned = true;
        staged->bare[i] = change_copy(&bare);
        if (staged->bare[i] == NULL) return STET_NO_MEMORY;
    }
    return STET_OK;
}

static void prune(struct memory_store *store, const struct store_prune *prune,
                  struct store_change **bare) {
    struct store_change **kept = &store->changes[prune->seq - 1], *whole = *kept;
    struct memory_type *type = memory_type_find(store, prune->type);
    *kept = *bare;
    *bare = whole;
    store->change_bytes -= change_bytes(whole) - change_bytes(*kept);
    if (type != NULL && prune->seq > type->floor_seq) type->floor_seq = prune->seq;
}

/* Links everything staged in; cannot fail. */
static void apply(struct memory_store *store, const struct store_batch *batch,
                  const struct store_plan *plan, const struct staged *staged) {
    for (size_t i = 0; i < batch->change_count; i++) {
        struct memory_record *record = staged->records[i];
        memory_type_find(store, batch->changes[i].type)->live += (uint64_t)(int64_t)plan->live[i];
        store->changes[store->change_count++] = staged->changes[i];
        store->change_bytes += change_bytes(staged->changes[i]);
        if (record == NULL) continue;
        record->head = plan->heads[i];
        if (!staged->created[i]) continue;
        type_insert(record->type, record);
        table_add(&store->records, record, record_hash_of(record));
    }
    if (batch->rotate_keys) {
        store->keys_current = !store->keys_current;
        keys_clear(&store->keys[store->keys_current]);
        store->state.keys_rotated_at = batch->stamp;
    }
    for (size_t i = 0; i < batch->key_count; i++) {
        table_add(&store->keys[store->keys_current], staged->keys[i], key_hash_of(staged->keys[i]));
    }
    for (size_t i = 0; i < batch->entry_count; i++) {
        const struct store_entry *entry = &batch->entries[i];
        if (entry->remove) {
            entries_remove(&store->entries, entry->index, entry->key, entry->record);
        } else {
            entries_link(&store->entries, staged->entries[i]);
        }
    }
    for (size_t i = 0; i < batch->prune_count; i++)
        prune(store, &batch->prunes[i], &staged->bare[i]);
    store->state.seq += batch->change_count;
    store->state.stamp = batch->stamp;
}

/* A key that took effect in this generation already would take effect twice: the caller looks before it commits. */
static bool keys_repeat(const struct memory_store *store, const struct store_batch *batch) {
    const struct table *table = &store->keys[store->keys_current];
    for (size_t i = 0; !batch->rotate_keys && i < batch->key_count; i++) {
        if (memory_table_key(table, batch->keys[i].key, batch->keys[i].actor) != NULL) return true;
    }
    return false;
}

static stet_status memory_commit(struct store *base, const struct store_batch *batch,
                                 const struct store_plan *plan, stet_error *err) {
    struct memory_store *store = (struct memory_store *)base;
    struct staged staged = {0};
    stet_status failing = STET_OK;
    if (store->fail_status != STET_OK && store->fail_after-- == 0) {
        failing = store->fail_status;
        store->fail_status = STET_OK;
    }
    if (failing != STET_OK && store->failure == MEMORY_FAILS_BEFORE) {
        return error_set(err, failing, "could not commit: a failure was asked for");
    }
    if (keys_repeat(store, batch))
        return error_set(err, STET_INTERNAL, "a mutation key was committed before");
    pthread_rwlock_wrlock(&store->lock);
    stet_status status = stage(store, batch, plan, &staged);
    if (status == STET_OK) apply(store, batch, plan, &staged);
    pthread_rwlock_unlock(&store->lock);
    staged_done(&staged, status == STET_OK);
    if (status != STET_OK) return error_set(err, status, "could not commit: out of memory");
    if (failing != STET_OK)
        return error_set(err, failing, "could not commit: a failure was asked for");
    return STET_OK;
}

static stet_status memory_entries_drop(struct store *base, uint32_t index, size_t limit,
                                       size_t *count, stet_error *err) {
    struct memory_store *store = (struct memory_store *)base;
    const struct store_place before = {.index = index};
    size_t dropped = 0;
    (void)err;
    pthread_rwlock_wrlock(&store->lock);
    while (dropped < limit) {
        const struct entry_node *node = entries_beside(&store->entries, &before, false);
        if (node == NULL || node->index != index) break;
        entries_remove(&store->entries, index, node->key, node->record);
        dropped++;
    }
    pthread_rwlock_unlock(&store->lock);
    *count = dropped;
    return STET_OK;
}

void memory_fail_commit(struct store *base, unsigned after, stet_status status,
                        enum memory_failure failure) {
    struct memory_store *store = (struct memory_store *)base;
    assert(base->driver == &store_memory_driver);
    store->fail_after = after;
    store->fail_status = status;
    store->failure = failure;
}

static stet_status memory_meta_put(struct store *base, stet_view name, stet_view value,
                                   stet_error *err) {
    struct memory_store *store = (struct memory_store *)base;
    struct memory_meta *meta = malloc(sizeof *meta + name.size + value.size), **link;
    if (meta == NULL)
        return error_set(err, STET_NO_MEMORY, "could not keep \"%.*s\"", VIEW_ARG(name));
    char *at = (char *)(meta + 1);
    meta->name = place(&at, name);
    meta->value = place(&at, value);
    pthread_rwlock_wrlock(&store->lock);
    for (link = &store->meta; *link != NULL; link = &(*link)->next) {
        if (view_equal((*link)->name, name)) {
            struct memory_meta *old = *link;
            *link = old->next;
            free(old);
            break;
        }
    }
    meta->next = store->meta;
    store->meta = meta;
    pthread_rwlock_unlock(&store->lock);
    return STET_OK;
}

static void memory_maintain(struct store *store) { (void)store; }

static void memory_usage(const struct store *base, struct store_usage *usage) {
    (void)base;
    *usage = (struct store_usage){0};
}

static stet_status memory_used(struct store *base, uint64_t *bytes) {
    *bytes = ((const struct memory_store *)base)->change_bytes;
    return STET_OK;
}

/* ---- Opening ------------------------------------------------------------------------------------------------- */

static void memory_close(struct store *base) {
    struct memory_store *store = (struct memory_store *)base;
    for (size_t i = 0; i < store->change_count; i++)
        free(store->changes[i]);
    free(store->changes);
    for (size_t i = 0; i < store->type_count; i++) {
        for (size_t k = 0; k < store->types[i]->count; k++)
            free(store->types[i]->records[k]);
        free(store->types[i]->records);
        free(store->types[i]);
    }
    free(store->types);
    entries_done(&store->entries);
    free(store->records.slots);
    for (int i = 0; i < 2; i++) {
        keys_clear(&store->keys[i]);
        free(store->keys[i].slots);
    }
    while (store->meta != NULL) {
        struct memory_meta *next = store->meta->next;
        free(store->meta);
        store->meta = next;
    }
    free(base->writer);
    pthread_rwlock_destroy(&store->lock);
    free(store);
}

static stet_status memory_open(const struct store_options *options, struct store **store,
                               stet_error *err) {
    (void)options;
    struct memory_store *opened = calloc(1, sizeof *opened);
    if (opened == NULL) return error_set(err, STET_NO_MEMORY, "could not open the store");
    opened->base.driver = &store_memory_driver;
    if (pthread_rwlock_init(&opened->lock, NULL) != 0) {
        free(opened);
        return error_set(err, STET_NO_MEMORY, "could not open the store");
    }
    stet_status status = memory_reader_open(&opened->base, &opened->base.writer, err);
    if (status != STET_OK) {
        memory_close(&opened->base);
        return status;
    }
    *store = &opened->base;
    return STET_OK;
}

const struct store_driver store_memory_driver = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .commit = memory_commit,
    .maintain = memory_maintain,
    .entries_drop = memory_entries_drop,
    .meta_put = memory_meta_put,
    .usage = memory_usage,
    .used = memory_used,
    .reader_open = memory_reader_open,
    .reader_close = memory_reader_close,
    .snapshot_begin = memory_snapshot_begin,
    .snapshot_end = memory_snapshot_end,
    .clock = memory_clock,
    .head = memory_head,
    .head_of = memory_head_of,
    .change = memory_change,
    .link = memory_link,
    .since = memory_since,
    .scan = memory_scan,
    .types = memory_types,
    .key_find = memory_key_find,
    .entries = memory_entries,
    .entries_count = memory_entries_count,
    .entry_indexes = memory_entry_indexes,
    .meta_get = memory_meta_get,
    .check = memory_check,
};
