/*
 * The seam between the portable part of the store (store.c) and what keeps the bytes: a struct of function pointers. A
 * driver embeds struct store and struct store_reader as the first member of its own, and hands out pointers to them.
 *
 * The portable part has validated the batch, derived the heads and kept the state before a driver is called; a driver
 * neither checks rules nor updates struct store itself, except that open fills it.
 *
 * Threads are as in store.h: commit, maintain and meta_put on the sequencer's thread; each reader on one thread at a time.
 */
#ifndef STORE_DRIVER_H
#define STORE_DRIVER_H

#include "store/store.h"

struct store_driver;

/* What store.c computes for each change of a batch; arrays of batch->change_count. */
struct store_plan {
    struct store_head *heads; /* After the change. */
    /* No later change of the batch is of the same record: this head is to be written. */
    bool *final;
    int8_t *live;    /* How the live count of the type moves: -1, 0 or 1. */
    size_t capacity; /* store.c's own, with the two below. */
    uint64_t *slots;
    size_t slot_count;
};

struct store {
    const struct store_driver *driver;
    struct store_state state; /* Filled by open, kept by store.c. */
    /* The writer's own reader; the driver opens and closes it with the store. */
    struct store_reader *writer;
    struct store_plan plan;
    bool failed; /* A commit had an unknown outcome: the store refuses every later one. */
    char advice[256];
};

struct store_reader {
    struct store *store;
};

/* The few numbers by which a walk through a record's past finds its way. */
struct store_link {
    uint64_t version;
    uint64_t ordinal;
    uint64_t prev;
    uint64_t skip;
    int64_t stamp;
};

/* Entries strictly between two places in the order of (index, key, record); a place need not be that of an entry. */
struct store_bounds {
    struct store_place {
        uint64_t index; /* Wider than an index, for the place behind all of them. */
        stet_view key;
        uint64_t record;
    } above, below;
};

struct store_driver {
    const char *name;

    stet_status (*open)(const struct store_options *options, struct store **store, stet_error *err);
    void (*close)(struct store *store);
    /* Statuses as store_commit. On failure nothing the driver remembers may have changed. */
    stet_status (*commit)(struct store *store, const struct store_batch *batch,
                          const struct store_plan *plan, stet_error *err);
    void (*maintain)(struct store *store);
    /* As store_entries_drop. */
    stet_status (*entries_drop)(struct store *store, uint32_t index, size_t limit, size_t *count,
                                stet_error *err);
    stet_status (*meta_put)(struct store *store, stet_view name, stet_view value, stet_error *err);
    void (*usage)(const struct store *store, struct store_usage *usage);
    stet_status (*used)(struct store *store, uint64_t *bytes);

    stet_status (*reader_open)(struct store *store, struct store_reader **reader, stet_error *err);
    void (*reader_close)(struct store_reader *reader);
    /* Between the two every lookup of the reader sees the same commit. They do not nest. */
    stet_status (*snapshot_begin)(struct store_reader *reader, stet_error *err);
    void (*snapshot_end)(struct store_reader *reader);

    stet_status (*clock)(struct store_reader *reader, struct store_state *state, stet_error *err);
    stet_status (*head)(struct store_reader *reader, stet_view type, stet_view id,
                        struct store_head *head, stet_error *err);
    /* By number; version 0 when there is no such record. */
    stet_status (*head_of)(struct store_reader *reader, uint64_t record, struct store_head *head,
                           stet_error *err);
    /* Both: STET_PRUNED when there is no such row. */
    stet_status (*change)(struct store_reader *reader, struct arena *arena, uint64_t seq,
                          bool with_data, struct store_change *change, stet_error *err);
    stet_status (*link)(struct store_reader *reader, uint64_t seq, struct store_link *link,
                        stet_error *err);
    stet_status (*since)(struct store_reader *reader, struct arena *arena, uint64_t after,
                         size_t limit, size_t bytes_max, bool with_data,
                         struct store_change *changes, size_t *count, stet_error *err);
    stet_status (*scan)(struct store_reader *reader, struct arena *arena, stet_view type,
                        stet_view after_id, size_t limit, struct store_row *rows, size_t *count,
                        stet_error *err);
    stet_status (*types)(struct store_reader *reader, struct arena *arena,
                         struct store_type **types, size_t *count, stet_error *err);
    stet_status (*key_find)(struct store_reader *reader, struct arena *arena,
                            const uint8_t key[STORE_KEY_BYTES], stet_view actor,
                            struct store_key *out, stet_error *err);
    stet_status (*entries)(struct store_reader *reader, struct arena *arena,
                           const struct store_bounds *bounds, bool reverse, size_t limit,
                           struct store_entry_row *rows, size_t *count, stet_error *err);
    stet_status (*entries_count)(struct store_reader *reader, const struct store_bounds *bounds,
                                 uint64_t limit, uint64_t *count, stet_error *err);
    stet_status (*entry_indexes)(struct store_reader *reader, uint32_t after, size_t limit,
                                 uint32_t *indexes, size_t *count, stet_error *err);
    stet_status (*meta_get)(struct store_reader *reader, struct arena *arena, stet_view name,
                            stet_view *value, stet_error *err);
    /* The engine's own check of its file; as store_check. */
    stet_status (*check)(struct store_reader *reader,
                         void (*report)(void *context, const char *finding), void *context,
                         uint64_t *findings, stet_error *err);

    /* Both NULL where nothing outlives the process. As store_backup; stop may be NULL. */
    stet_status (*backup)(struct store *store, const char *path, bool (*stop)(void *context),
                          void *context, stet_error *err);
    /* Sets the clock and keeps `lives` under STORE_META_LIVES, in one commit. */
    stet_status (*renew)(struct store *store, uint64_t seq, int64_t stamp, stet_view lives,
                         stet_error *err);
};

#define STORE_META_LIVES "store.lives"

extern const struct store_driver store_memory_driver;
extern const struct store_driver store_sqlite_driver;

/*
 * The lives of a store, oldest first: text of the form "from:to;from:to;". Each time it was renewed, its positions went on behind
 * `to` instead of behind `from`.
 */
struct store_life {
    uint64_t from;
    uint64_t to;
};
/* The next one from *text, which moves on. False at the end, and where it is damaged (then *text is not empty). */
bool store_life_next(stet_view *text, struct store_life *life);

/* The portable part of store_check, in check.c. The reader is inside a snapshot. */
stet_status check_log(struct store_reader *reader,
                      bool (*is_declared)(void *context, uint32_t index),
                      void (*report)(void *context, const char *finding), void *context,
                      uint64_t *findings, stet_error *err);

#endif
