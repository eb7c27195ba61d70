/*
 * Plumbing of the store's tests: a batch under construction, and calls that must succeed. Compiled into tests only.
 */
#ifndef STORE_TESTKIT_H
#define STORE_TESTKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/view.h"
#include "store/store.h"

/* A batch being built. The heads it starts from come from the store, or from an earlier change of the same batch. */
struct kit_batch {
    struct store *store;
    struct store_batch batch;
    size_t capacity;
    struct store_head *after; /* Beside the changes: their heads afterwards. */
    struct store_key *keys;
    size_t key_capacity;
    struct store_entry *entries;
    struct store_prune *prunes;
    size_t transaction; /* Index of the first change of the transaction being built. */
    struct arena arena;
    stet_status failed; /* A head could not be read; kit_commit returns it. */
    stet_error error;
};

void kit_begin(struct kit_batch *kit, struct store *store);

/* Adds a change; returns it for the test to adorn before kit_commit. data is copied. */
struct store_change *kit_change(struct kit_batch *kit, enum store_op op, stet_view type,
                                stet_view id, stet_view data);

/* As kit_change, under a parent: its address and number. */
struct store_change *kit_child(struct kit_batch *kit, enum store_op op, stet_view type,
                               stet_view id, stet_view data, stet_view parent, uint64_t number);

/* Adds an entry to the batch, or removes one. key is copied. */
void kit_entry(struct kit_batch *kit, uint32_t index, stet_view key, uint64_t record, bool remove);

/* The tree's entry of a child. */
void kit_link(struct kit_batch *kit, uint64_t parent, uint64_t child, bool remove);

void kit_prune(struct kit_batch *kit, uint64_t seq, stet_view type);

/* As kit_change with a creation at the given first version. */
struct store_change *kit_import(struct kit_batch *kit, stet_view type, stet_view id, stet_view data,
                                uint64_t version);

/* Every change since the last call, or the start, is one transaction. Without it each change is its own. */
void kit_transaction(struct kit_batch *kit);

/* A key made of one number; big-endian, so that numbers order keys. */
void kit_key(struct kit_batch *kit, uint64_t number, stet_view actor, stet_view result);

/* Commits and frees what the kit holds. */
stet_status kit_commit(struct kit_batch *kit, stet_error *err);
void kit_must_commit(struct kit_batch *kit);

/* One change, one commit. Returns the version. */
uint64_t kit_put(struct store *store, const char *type, const char *id, const char *data);
uint64_t kit_delete(struct store *store, const char *type, const char *id);

struct store *kit_open(const struct store_options *options);
struct store_head kit_head(struct store_reader *reader, const char *type, const char *id);

/* Runs store_check, prints what it finds, and fails the test if that is anything. */
void kit_must_check(struct store_reader *reader);

/* A new folder under the system's temporary one; removed with everything in it by kit_remove. */
void kit_folder(char path[64]);
/* Likewise, on no disk where there is such a place: for what makes thousands of them and says nothing of disks. */
void kit_folder_in_memory(char path[64]);
void kit_remove(const char *folder);

#define must(call)                                                                                 \
    do {                                                                                           \
        stet_error must_err_ = {0};                                                                \
        stet_error *const err = &must_err_;                                                        \
        stet_status must_status_ = (call);                                                         \
        if (must_status_ != STET_OK)                                                               \
            fail_msg("%s: %s (%s)", #call, must_err_.message, must_err_.cause);                    \
    } while (0)

#endif
