/* What the files of the memory driver share. */
#ifndef STORE_MEMORY_INTERNAL_H
#define STORE_MEMORY_INTERNAL_H

#include "store/driver.h"
#include "store/memory/entries.h"
#include "store/memory/memory.h"

#include <pthread.h>

/* Open addressing over pointers; grown before a commit links anything, so that adding cannot fail. */
struct table {
    void **slots;
    size_t capacity; /* A power of two, or 0. */
    size_t count;
};

struct memory_type {
    stet_view name;
    uint64_t live;
    uint64_t floor_seq;
    struct memory_record **records; /* In byte order of their ids. */
    size_t count;
    size_t capacity;
};

struct memory_record {
    struct memory_type *type;
    struct store_head head;
    stet_view id; /* Points behind the struct. */
};

struct memory_key {
    struct store_key key; /* Views point behind the struct. */
};

struct memory_meta {
    struct memory_meta *next;
    stet_view name;
    stet_view value;
};

struct memory_store {
    struct store base;
    pthread_rwlock_t lock; /* Everything below; the writer's thread reads without it. */
    struct store_change **changes;
    size_t change_count;
    size_t change_capacity;
    uint64_t change_bytes; /* What all of them take. */
    struct memory_type **types;
    size_t type_count;
    size_t type_capacity;
    struct table records;
    struct table keys[2];
    unsigned keys_current;
    struct entries entries;
    struct memory_meta *meta;
    /* As of the last commit, for other threads; base.state is the sequencer's. */
    struct store_state state;
    unsigned fail_after;
    stet_status fail_status;
    enum memory_failure failure;
};

struct memory_reader {
    struct store_reader base;
    bool snapshot; /* The lock is held from snapshot_begin to snapshot_end. */
};

/* ---- memory.c: under the lock. NULL when there is none ------------------------------------------------------------ */

struct memory_record *memory_record_find(const struct memory_store *store, stet_view type,
                                         stet_view id);
struct memory_key *memory_table_key(const struct table *table, const uint8_t key[STORE_KEY_BYTES],
                                    stet_view actor);
struct memory_type *memory_type_find(const struct memory_store *store, stet_view name);

/* The index of the first record whose id is not below id, or with `past` above it. */
size_t memory_type_bound(const struct memory_type *type, stet_view id, bool past);

/* ---- read.c: the driver's reading entries ---------------------------------------------------------------------------- */

stet_status memory_snapshot_begin(struct store_reader *reader, stet_error *err);
void memory_snapshot_end(struct store_reader *reader);
stet_status memory_reader_open(struct store *store, struct store_reader **reader, stet_error *err);
void memory_reader_close(struct store_reader *reader);
stet_status memory_clock(struct store_reader *reader, struct store_state *state, stet_error *err);
stet_status memory_head(struct store_reader *reader, stet_view type, stet_view id,
                        struct store_head *head, stet_error *err);
stet_status memory_head_of(struct store_reader *reader, uint64_t number, struct store_head *head,
                           stet_error *err);
stet_status memory_change(struct store_reader *reader, struct arena *arena, uint64_t seq,
                          bool with_data, struct store_change *change, stet_error *err);
stet_status memory_link(struct store_reader *reader, uint64_t seq, struct store_link *link,
                        stet_error *err);
stet_status memory_since(struct store_reader *reader, struct arena *arena, uint64_t after,
                         size_t limit, size_t bytes_max, bool with_data,
                         struct store_change *changes, size_t *count, stet_error *err);
stet_status memory_scan(struct store_reader *reader, struct arena *arena, stet_view name,
                        stet_view after_id, size_t limit, struct store_row *rows, size_t *count,
                        stet_error *err);
stet_status memory_types(struct store_reader *reader, struct arena *arena,
                         struct store_type **types, size_t *count, stet_error *err);
stet_status memory_key_find(struct store_reader *reader, struct arena *arena,
                            const uint8_t key[STORE_KEY_BYTES], stet_view actor,
                            struct store_key *out, stet_error *err);
stet_status memory_entries(struct store_reader *reader, struct arena *arena,
                           const struct store_bounds *bounds, bool reverse, size_t limit,
                           struct store_entry_row *rows, size_t *count, stet_error *err);
stet_status memory_entries_count(struct store_reader *reader, const struct store_bounds *bounds,
                                 uint64_t limit, uint64_t *count, stet_error *err);
stet_status memory_entry_indexes(struct store_reader *reader, uint32_t after, size_t limit,
                                 uint32_t *indexes, size_t *count, stet_error *err);
stet_status memory_meta_get(struct store_reader *reader, struct arena *arena, stet_view name,
                            stet_view *value, stet_error *err);
stet_status memory_check(struct store_reader *reader,
                         void (*report)(void *context, const char *finding), void *context,
                         uint64_t *findings, stet_error *err);

#endif
