#include "core/batch.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

#include <assert.h>
#include <stdlib.h>

/* More than twice the keys of a full batch, so that probes stay short. */
enum { KEY_SLOTS = 4096, FIRST_CAPACITY = 64, ENTRY_SLOTS = 4096 };

void batch_init(struct batch *batch) { *batch = (struct batch){0}; }

void batch_done(struct batch *batch) {
    batch_reset(batch);
    free(batch->changes);
    free(batch->before);
    free(batch->rows);
    free(batch->hashes);
    free(batch->keys);
    free(batch->key_slots);
    free(batch->entries);
    free(batch->entry_next);
    free(batch->entry_slots);
    free(batch->prunes);
    free(batch->commands);
    batch_init(batch);
}

static size_t slot_of(const uint8_t key[STORE_KEY_BYTES]) {
    uint64_t tail; /* The random half of a UUIDv7. */
    memcpy(&tail, key + 8, sizeof tail);
    return (size_t)((tail * UINT64_C(0x9E3779B97F4A7C15)) >> 52);
}

static size_t entry_slot(uint32_t index, stet_view key) {
    return (size_t)view_hash(key, index) & (ENTRY_SLOTS - 1);
}

void batch_reset_staged(struct batch *batch) {
    /* Not one by one: their keys went with the commands, which may have been answered by now. */
    if (batch->entry_count > 0)
        memset(batch->entry_slots, 0, ENTRY_SLOTS * sizeof *batch->entry_slots);
    batch->entry_count = 0;
    batch->entry_mark = batch->prune_mark = 0;
    batch_truncate(batch, 0);
    if (batch->key_count > 0) memset(batch->key_slots, 0, KEY_SLOTS * sizeof *batch->key_slots);
    batch->key_count = 0;
}

void batch_reset(struct batch *batch) {
    batch_reset_staged(batch);
    batch->command_count = 0;
}

/* Grows one array to a capacity; the old one stays valid when memory is out. */
static bool grow(void *array, size_t element_bytes, size_t capacity) {
    void *old;
    memcpy(&old, array, sizeof old);
    void *grown = realloc(old, element_bytes * capacity);
    if (grown == NULL) return false;
    memcpy(array, &grown, sizeof grown);
    return true;
}

stet_status batch_reserve(struct batch *batch, stet_error *err) {
    if (batch->change_count == batch->change_capacity) {
        size_t capacity = batch->change_capacity == 0 ? FIRST_CAPACITY : batch->change_capacity * 2;
        if (!grow(&batch->changes, sizeof *batch->changes, capacity) ||
            !grow(&batch->before, sizeof *batch->before, capacity) ||
            !grow(&batch->rows, sizeof *batch->rows, capacity) ||
            !grow(&batch->hashes, sizeof *batch->hashes, capacity))
            return error_set(err, STET_NO_MEMORY, "out of memory for a batch");
        batch->change_capacity = capacity;
    }
    if (batch->key_count == batch->key_capacity) {
        size_t capacity = batch->key_capacity == 0 ? FIRST_CAPACITY : batch->key_capacity * 2;
        if (!grow(&batch->keys, sizeof *batch->keys, capacity))
            return error_set(err, STET_NO_MEMORY, "out of memory for a batch");
        batch->key_capacity = capacity;
    }
    if (batch->key_slots == NULL) {
        batch->key_slots = calloc(KEY_SLOTS, sizeof *batch->key_slots);
        if (batch->key_slots == NULL)
            return error_set(err, STET_NO_MEMORY, "out of memory for a batch");
    }
    return STET_OK;
}

void batch_add_change(struct batch *batch, struct change *change, const struct store_head *before) {
    assert(batch->change_count < batch->change_capacity);
    size_t i = batch->change_count++;
    batch->changes[i] = change_ref(change);
    batch->before[i] = *before;
    batch->hashes[i] = change->hash;
}

void batch_truncate(struct batch *batch, size_t change_count) {
    while (batch->change_count > change_count)
        change_unref(batch->changes[--batch->change_count]);
    while (batch->entry_count > batch->entry_mark) {
        size_t last = --batch->entry_count;
        batch->entry_slots[entry_slot(batch->entries[last].index, batch->entries[last].key)] =
            batch->entry_next[last];
    }
    batch->prune_count = batch->prune_mark;
    batch->rule_steps = RRULE_STEPS_PER_REQUEST_MAX;
}

void batch_mark(struct batch *batch) {
    batch->entry_mark = batch->entry_count;
    batch->prune_mark = batch->prune_count;
    batch->rule_steps = RRULE_STEPS_PER_REQUEST_MAX;
}

struct change *batch_find_change(const struct batch *batch, uint64_t seq) {
    if (batch->change_count == 0) return NULL;
    uint64_t first = batch->changes[0]->row.seq;
    if (seq < first || seq - first >= batch->change_count) return NULL;
    return batch->changes[seq - first];
}

void batch_add_key(struct batch *batch, const struct store_key *key) {
    assert(batch->key_count < batch->key_capacity && batch->key_count < KEY_SLOTS / 2);
    batch->keys[batch->key_count++] = *key;
    size_t slot = slot_of(key->key);
    while (batch->key_slots[slot] != 0)
        slot = (slot + 1) % KEY_SLOTS;
    batch->key_slots[slot] = (uint16_t)batch->key_count;
}

const struct store_key *batch_find_key(const struct batch *batch,
                                       const uint8_t key[STORE_KEY_BYTES], stet_view actor) {
    if (batch->key_count == 0) return NULL;
    for (size_t slot = slot_of(key); batch->key_slots[slot] != 0; slot = (slot + 1) % KEY_SLOTS) {
        const struct store_key *candidate = &batch->keys[batch->key_slots[slot] - 1];
        if (memcmp(candidate->key, key, STORE_KEY_BYTES) == 0 &&
            view_equal(candidate->actor, actor))
            return candidate;
    }
    return NULL;
}

/* ---- Entries and prunes ------------------------------------------------------------------ */

stet_status batch_reserve_entries(struct batch *batch, size_t count, stet_error *err) {
    size_t needed = batch->entry_count + count, capacity = batch->entry_capacity;
    if (batch->entry_slots == NULL)
        batch->entry_slots = calloc(ENTRY_SLOTS, sizeof *batch->entry_slots);
    if (batch->entry_slots == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for a batch");
    if (needed <= capacity) return STET_OK;
    if (capacity == 0) capacity = FIRST_CAPACITY;
    while (capacity < needed)
        capacity *= 2;
    if (!grow(&batch->entries, sizeof *batch->entries, capacity) ||
        !grow(&batch->entry_next, sizeof *batch->entry_next, capacity))
        return error_set(err, STET_NO_MEMORY, "out of memory for a batch");
    batch->entry_capacity = capacity;
    return STET_OK;
}

void batch_add_entry(struct batch *batch, const struct store_entry *entry) {
    assert(batch->entry_count < batch->entry_capacity && batch->entry_count < UINT32_MAX - 1);
    uint32_t *slot = &batch->entry_slots[entry_slot(entry->index, entry->key)];
    size_t i = batch->entry_count++;
    batch->entries[i] = *entry;
    batch->entry_next[i] = *slot;
    *slot = (uint32_t)i + 1;
}

const struct store_entry *batch_find_entry(const struct batch *batch, uint32_t index, stet_view key,
                                           const struct store_entry *after) {
    if (batch->entry_count == 0) return NULL;
    uint32_t at = after == NULL ? batch->entry_slots[entry_slot(index, key)]
                                : batch->entry_next[after - batch->entries];
    for (; at != 0; at = batch->entry_next[at - 1]) {
        const struct store_entry *entry = &batch->entries[at - 1];
        if (entry->index == index && view_equal(entry->key, key)) return entry;
    }
    return NULL;
}

stet_status batch_reserve_prune(struct batch *batch, stet_error *err) {
    if (batch->prune_count < batch->prune_capacity) return STET_OK;
    size_t capacity = batch->prune_capacity == 0 ? FIRST_CAPACITY : batch->prune_capacity * 2;
    if (!grow(&batch->prunes, sizeof *batch->prunes, capacity))
        return error_set(err, STET_NO_MEMORY, "out of memory for a batch");
    batch->prune_capacity = capacity;
    return STET_OK;
}

void batch_add_prune(struct batch *batch, uint64_t seq, stet_view type) {
    assert(batch->prune_count < batch->prune_capacity);
    batch->prunes[batch->prune_count++] = (struct store_prune){.seq = seq, .type = type};
}

void batch_add_erase(struct batch *batch, uint64_t seq, stet_view type) {
    batch_add_prune(batch, seq, type);
    batch->prunes[batch->prune_count - 1].erase = true;
}

stet_status batch_reserve_commands(struct batch *batch, size_t count) {
    if (batch->command_capacity >= count) return STET_OK;
    if (!grow(&batch->commands, sizeof *batch->commands, count)) return STET_NO_MEMORY;
    batch->command_capacity = count;
    return STET_OK;
}

void batch_add_command(struct batch *batch, struct stet_command *command) {
    assert(batch->command_count < batch->command_capacity);
    batch->commands[batch->command_count++] = command;
}
