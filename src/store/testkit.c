/* See testkit.h. */
#include "store/testkit.h"

#include "base/arena.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void kit_begin(struct kit_batch *kit, struct store *store) {
    *kit = (struct kit_batch){.store = store};
    kit->batch.stamp = store_state(store)->stamp;
    arena_init(&kit->arena, 4096);
}

static void grow(struct kit_batch *kit) {
    if (kit->batch.change_count < kit->capacity) return;
    kit->capacity = kit->capacity == 0 ? 16 : 2 * kit->capacity;
    kit->batch.changes = realloc(kit->batch.changes, kit->capacity * sizeof *kit->batch.changes);
    kit->batch.heads = realloc(kit->batch.heads, kit->capacity * sizeof *kit->batch.heads);
    kit->batch.hashes = realloc(kit->batch.hashes, kit->capacity * sizeof *kit->batch.hashes);
    kit->after = realloc(kit->after, kit->capacity * sizeof *kit->after);
}

static struct store_change *add(struct kit_batch *kit, enum store_op op, stet_view type,
                                stet_view id, stet_view data, uint64_t version) {
    const struct store_state *state = store_state(kit->store);
    struct store_head head;
    grow(kit);
    size_t at = kit->batch.change_count++;
    stet_status status = store_head(store_writer_reader(kit->store), type, id, &head, &kit->error);
    if (status != STET_OK) {
        kit->failed = status;
        memset(&head, 0, sizeof head);
    }
    for (size_t i = 0; i < at; i++) {
        if (view_equal(kit->batch.changes[i].type, type) &&
            view_equal(kit->batch.changes[i].id, id)) {
            head = kit->after[i];
        }
    }
    kit->batch.stamp += 10;
    kit->batch.changes[at] =
        (struct store_change){.seq = state->seq + 1 + at,
                              .transaction = state->seq + 1 + at,
                              .stamp = kit->batch.stamp,
                              .version = version != 0 ? version : head.version + 1,
                              .base_version = head.version,
                              .op = op,
                              .type = arena_copy(&kit->arena, type),
                              .id = arena_copy(&kit->arena, id),
                              .by = VIEW("user:test"),
                              .data = arena_copy(&kit->arena, data)};
    kit->batch.heads[at] = head;
    kit->batch.hashes[at] = op == STORE_DELETE ? 0 : view_hash(data, 1);
    kit->after[at] = head;
    must(store_head_advance(&kit->after[at], &kit->batch.changes[at], kit->batch.hashes[at], err));
    return &kit->batch.changes[at];
}

struct store_change *kit_change(struct kit_batch *kit, enum store_op op, stet_view type,
                                stet_view id, stet_view data) {
    return add(kit, op, type, id, data, 0);
}

struct store_change *kit_child(struct kit_batch *kit, enum store_op op, stet_view type,
                               stet_view id, stet_view data, stet_view parent, uint64_t number) {
    struct store_change *change = add(kit, op, type, id, data, 0);
    size_t at = kit->batch.change_count - 1;
    change->parent = parent;
    change->parent_number = number;
    kit->after[at] = kit->batch.heads[at];
    must(store_head_advance(&kit->after[at], change, kit->batch.hashes[at], err));
    return change;
}

void kit_entry(struct kit_batch *kit, uint32_t index, stet_view key, uint64_t record, bool remove) {
    size_t at = kit->batch.entry_count++;
    kit->entries = realloc(kit->entries, kit->batch.entry_count * sizeof *kit->entries);
    kit->entries[at] = (struct store_entry){
        .index = index, .key = arena_copy(&kit->arena, key), .record = record, .remove = remove};
    kit->batch.entries = kit->entries;
}

void kit_link(struct kit_batch *kit, uint64_t parent, uint64_t child, bool remove) {
    uint8_t key[STORE_NUMBER_BYTES];
    store_number_key(parent, key);
    kit_entry(kit, STORE_INDEX_PARENT, view_make(key, sizeof key), child, remove);
}

void kit_prune(struct kit_batch *kit, uint64_t seq, stet_view type) {
    size_t at = kit->batch.prune_count++;
    kit->prunes = realloc(kit->prunes, kit->batch.prune_count * sizeof *kit->prunes);
    kit->prunes[at] = (struct store_prune){.seq = seq, .type = type};
    kit->batch.prunes = kit->prunes;
}

struct store_change *kit_import(struct kit_batch *kit, stet_view type, stet_view id, stet_view data,
                                uint64_t version) {
    return add(kit, STORE_CREATE, type, id, data, version);
}

void kit_transaction(struct kit_batch *kit) {
    uint64_t last = kit->batch.changes[kit->batch.change_count - 1].seq;
    for (size_t i = kit->transaction; i < kit->batch.change_count; i++)
        kit->batch.changes[i].transaction = last;
    kit->transaction = kit->batch.change_count;
}

void kit_key(struct kit_batch *kit, uint64_t number, stet_view actor, stet_view result) {
    if (kit->batch.key_count == kit->key_capacity) {
        kit->key_capacity = kit->key_capacity == 0 ? 16 : 2 * kit->key_capacity;
        kit->keys = realloc(kit->keys, kit->key_capacity * sizeof *kit->keys);
    }
    struct store_key *key = &kit->keys[kit->batch.key_count++];
    *key = (struct store_key){.actor = actor, .result = result};
    for (int i = 0; i < 8; i++)
        key->key[i] = (uint8_t)(number >> (56 - 8 * i));
    memset(key->request, (int)(number & 0xff), sizeof key->request);
    kit->batch.keys = kit->keys;
}

stet_status kit_commit(struct kit_batch *kit, stet_error *err) {
    kit->batch.keys = kit->keys;
    stet_status status =
        kit->failed != STET_OK ? kit->failed : store_commit(kit->store, &kit->batch, err);
    if (kit->failed != STET_OK && err != NULL) *err = kit->error;
    free(kit->batch.changes);
    free(kit->batch.heads);
    free(kit->batch.hashes);
    free(kit->after);
    free(kit->keys);
    free(kit->entries);
    free(kit->prunes);
    arena_done(&kit->arena);
    return status;
}

void kit_must_commit(struct kit_batch *kit) { must(kit_commit(kit, err)); }

uint64_t kit_put(struct store *store, const char *type, const char *id, const char *data) {
    struct kit_batch kit;
    kit_begin(&kit, store);
    struct store_head head = kit_head(store_writer_reader(store), type, id);
    kit_change(&kit, head.version == 0 || head.deleted ? STORE_CREATE : STORE_UPDATE, view_of(type),
               view_of(id), view_of(data));
    kit_must_commit(&kit);
    return head.version + 1;
}

uint64_t kit_delete(struct store *store, const char *type, const char *id) {
    struct kit_batch kit;
    kit_begin(&kit, store);
    uint64_t version =
        kit_change(&kit, STORE_DELETE, view_of(type), view_of(id), VIEW("{}"))->version;
    kit_must_commit(&kit);
    return version;
}

struct store *kit_open(const struct store_options *options) {
    struct store *store = NULL;
    must(store_open(options, &store, err));
    return store;
}

struct store_head kit_head(struct store_reader *reader, const char *type, const char *id) {
    struct store_head head;
    must(store_head(reader, view_of(type), view_of(id), &head, err));
    return head;
}

static void print_finding(void *context, const char *finding) {
    (void)context;
    print_error("check: %s\n", finding);
}

void kit_must_check(struct store_reader *reader) {
    uint64_t findings = 0;
    must(store_check(reader, print_finding, NULL, &findings, err));
    assert_int_equal(findings, 0);
}

void kit_folder(char path[64]) {
    snprintf(path, 64, "/tmp/stet-store-XXXXXX");
    assert_non_null(mkdtemp(path));
}

void kit_folder_in_memory(char path[64]) {
    if (access("/dev/shm", W_OK) != 0) {
        kit_folder(path);
        return;
    }
    snprintf(path, 64, "/dev/shm/stet-store-XXXXXX");
    assert_non_null(mkdtemp(path));
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where) {
    (void)about;
    (void)kind;
    (void)where;
    (void)remove(path);
    return 0;
}

void kit_remove(const char *folder) { (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS); }
