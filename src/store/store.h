/*
 * The store: an ordered log of changes with lookups. It holds no rules: it neither knows what a conflict is nor who may
 * read; it keeps what the sequencer decided, durably, and finds it again.
 *
 * One struct store is one space's storage. Its only writer is the space's sequencer thread (store_commit and the store's own
 * reader); other threads read through readers of their own. Drivers (memory, sqlite, later postgres) implement
 * struct store_driver in store/driver.h and pass one contract suite.
 *
 * Layout, the same in every driver:
 *   clock    seq and stamp of the last commit
 *   type     dictionary of type names, with live record count and floor_seq (highest pruned seq)
 *   record   one narrow row a record, the *head*: version, seq of the latest change, deleted flag, value hash, spine
 *   change   append-only, keyed by seq: everything about one committed version, the data included
 *   entry    (index, key, record): index entries, in the order of memcmp; which record has which key is the caller's knowledge
 *   key      mutation keys, two generations
 *   meta     small named values: format version, instance id, secrets
 *
 * Spine. Finding version n of a record takes O(log² n) point lookups without an index over (record, version), whose random
 * inserts would dirty a page for each write: change n carries `prev` (seq of version n-1) and `skip` (seq of the version
 * whose ordinal is n's ordinal with its lowest set bit cleared; ordinals count a record's changes from 1). The head keeps the
 * seqs of the changes on its own skip path (at most one for each set bit), from which the next change's skip follows without
 * a read. Compare Fenwick, "A new data structure for cumulative frequency tables" (1994), for the ranges.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "stet.h"

struct store;
struct store_reader;

enum { STORE_SPINE_MAX = 32, STORE_KEY_BYTES = 16, STORE_HASH_BYTES = 16 };

enum store_op { STORE_CREATE = 1, STORE_UPDATE = 2, STORE_DELETE = 3 };

/* The head of a record. A value; nothing in it is borrowed. version 0: the record never existed. */
struct store_head {
    uint64_t version;
    uint64_t seq; /* Of the latest change. */
    /* Seq of the record's first change; the record's number. Never pruned, only emptied of data. */
    uint64_t first;
    uint64_t hash; /* doc_hash of the data; 0 for a tombstone. */
    /* How many changes the record has had; differs from version when an import set the first
     * version. */
    uint64_t ordinal;
    uint64_t parent; /* The number of the parent record (its `first`); 0: a root. */
    bool deleted;
    bool forked; /* Its latest change says what it was forked from. */
    /* Seqs on the skip path of `ordinal`, oldest first; popcount(ordinal) of them, the last is
     * seq. */
    uint64_t spine[STORE_SPINE_MAX];
};

/* One committed version of one record. Views are borrowed from the arena of the read, or until the commit returns. */
struct store_change {
    uint64_t seq;
    uint64_t transaction; /* The last seq of the transaction it belongs to. */
    /* Nanoseconds, hybrid logical clock; strictly increasing with seq (equal within nothing). */
    int64_t stamp;
    uint64_t version;
    uint64_t base_version; /* What the writer had read; 0 for a creation. */
    uint64_t first;        /* As in the head. */
    uint64_t prev;         /* Seq of the version before; 0 for the first. */
    uint64_t skip;         /* See "Spine"; 0 when the path ends. */
    uint64_t ordinal;
    enum store_op op;
    stet_view type;
    stet_view id;
    stet_view by;  /* Actor. */
    stet_view key; /* The client's mutation key as it wrote it; empty when none. */
    /* Where the write came from ("revert", "import", "resolve"); empty for a plain write. */
    stet_view source;
    stet_view merge; /* JSON: how it was settled; empty for a write onto the head. */
    /* JSON {created_at?, created_by?, updated_at?, updated_by?} of an import; else empty. */
    stet_view origin;
    stet_view parent; /* Address "type/id" of the parent record in this version; empty: a root. */
    stet_view
        forked_from; /* Address "type/id@version" of what it is a copy of; empty: of nothing. */
    /* With parent, its number: what the head will say. Only looked at by store_head_advance; reads leave it 0. */
    uint64_t parent_number;
    /* JSON object. A delete carries the last data. Empty when pruned down to its metadata. */
    stet_view data;
    bool pruned;
};

/*
 * Index numbers. The first two are the store's own words for how records hang together; from STORE_INDEX_FIRST on they are given
 * out by core, one for each index that a type declares, and never twice while entries of the old one are left.
 */
enum {
    STORE_INDEX_PARENT = 0, /* key: the parent's number; record: the child's. Live children only. */
    STORE_INDEX_FORK =
        1, /* key: a record's number and a version; record: what was forked from it. */
    STORE_INDEX_FIRST = 16,
};

/* One entry to be added or removed. Adding what is there, and removing what is not, does nothing. */
struct store_entry {
    uint32_t index;
    bool remove;
    stet_view key;   /* Bytes, compared with memcmp. Borrowed until the commit returns. */
    uint64_t record; /* Its number: head.first. */
};

/* A number as a key: 8 bytes, so that memcmp orders numbers. */
enum { STORE_NUMBER_BYTES = 8 };
static inline void store_number_key(uint64_t number, uint8_t out[STORE_NUMBER_BYTES]) {
    for (int i = STORE_NUMBER_BYTES; i-- > 0; number >>= 8)
        out[i] = (uint8_t)number;
}

/* A version that need not be kept any longer: its data goes, its metadata stays. Never the change of a head. */
struct store_prune {
    uint64_t seq;
    stet_view type; /* Of the change: its floor_seq rises to seq. */
    /* What it says of how it came about goes, too, and nothing of it is left in the file, nor soon in the log. */
    bool erase;
};

/* What a mutation key did; kept in the transaction of its effect. */
struct store_key {
    uint8_t key[STORE_KEY_BYTES]; /* The UUIDv7's own bytes, else a 128-bit hash of the text. */
    stet_view actor;
    uint8_t request[STORE_HASH_BYTES]; /* Hash of the request, to tell a replay from a reuse. */
    stet_view result;                  /* Opaque to the store; under 64 bytes for a single write. */
};

/* One commit. Heads are derived by the store from the changes and the heads they replace. */
struct store_batch {
    /* Ascending seq, consecutive, from state.seq + 1. prev, skip, ordinal, first: filled by the
     * store. */
    struct store_change *changes;
    /* Beside each change: in, the record's head before it (version 0: new); out, after it. Two
     * changes of one record in a batch: the caller passes the first's out as the second's in,
     * which store_head_advance computes beforehand. */
    struct store_head *heads;
    uint64_t *hashes; /* Beside each change: doc_hash of its data, 0 for a delete. */
    size_t change_count;
    const struct store_key *keys;
    size_t key_count;
    const struct store_entry *entries; /* Applied in this order: a later one overrules. */
    size_t entry_count;
    const struct store_prune *prunes; /* Applied last, so that it may name changes of this batch. */
    size_t prune_count;
    int64_t stamp;    /* The stamp of the last change, or the current one when there is none. */
    bool rotate_keys; /* Empty the older generation of keys and start filling it. */
};

/* Computes the head after a change, and fills change->prev, skip, ordinal and first. Pure. STET_TOO_LARGE when the spine is full.
   The parent is that of the change: one that stays where it is names its parent again. */
stet_status store_head_advance(struct store_head *head, struct store_change *change, uint64_t hash,
                               stet_error *err);

struct store_state {
    uint64_t seq; /* Of the last commit; 0 in a new space. */
    int64_t stamp;
    int64_t keys_rotated_at; /* Stamp of the last rotation; 0: never. */
    bool recovered;          /* The last close was unclean; recovery was done at open. */
    /* What store_renew said last; 0: never. Kept by store_open; not in what a driver's clock says. */
    uint64_t life;
};

struct store_options {
    const char *driver; /* "sqlite" or "memory". */
    /* The space's file; unused by memory. Created when missing. Borrowed for the call. */
    const char *path;
    const char *vfs; /* SQLite VFS by name, NULL for the default: the seam of the fault tests. */
    size_t reader_cache_bytes; /* Page cache of a reader; 0: 512 KiB. */
    size_t writer_cache_bytes; /* 0: 16 MiB. */
    size_t wal_restart_bytes;  /* 0: WAL_BYTES_RESTART. Tests make it small. */
    size_t late_heads_max;     /* 0: LATE_HEADS_MAX. Tests make it small. */
    /* NULL: "FULL". Only the test that proves FULL is needed passes another. */
    const char *synchronous;
};

/*
 * Opens a space's storage, migrating an older format forward and recovering after an unclean stop (recovered frames are
 * written and synced anew before anything is served).
 *
 * @return STET_OK
 *         STET_BUSY      another process has it open; err names it.
 *         STET_FORMAT    written by a newer version.
 *         STET_CORRUPT, STET_IO, STET_NO_SPACE
 */
stet_status store_open(const struct store_options *options, struct store **store, stet_error *err);

/* Closes after every reader is closed. A clean close leaves no log behind. */
void store_close(struct store *store);

/* Words for the operator about the engine underneath, e.g. that this SQLite has the WAL-reset bug; "" when there are none. */
const char *store_advice(const struct store *store);

/* Borrowed: the state as of the last commit. Sequencer's thread. */
const struct store_state *store_state(const struct store *store);

/*
 * Makes a batch durable: all of it or nothing. On success the state has moved on.
 *
 * @return STET_OK
 *         STET_NO_SPACE, STET_IO, STET_TOO_LARGE, STET_NO_MEMORY   failed before the commit; rolled back, nothing happened;
 *                             the store can go on.
 *         STET_COMMIT_UNKNOWN the commit itself failed: it may or may not be found after the next open. The caller must stop
 *                             writing. No fsync is retried.
 * Thread: the sequencer's.
 */
stet_status store_commit(struct store *store, struct store_batch *batch, stet_error *err);

/* Between two batches: housekeeping that must happen on the writer's thread (finishing a checkpoint once the log has grown). */
void store_maintain(struct store *store);

/* The writer's own reader, for the sequencer's thread; sees every commit. Owned by the store. */
struct store_reader *store_writer_reader(struct store *store);

/* A reader for one thread. Sees what was committed when each call began. */
stet_status store_reader_open(struct store *store, struct store_reader **reader, stet_error *err);
void store_reader_close(struct store_reader *reader);

/* ---- Lookups: all return STET_OK, STET_NOT_FOUND where it says so, STET_IO, STET_CORRUPT ------------------------------ */

/* head->version is 0 when the record never existed. */
stet_status store_head(struct store_reader *reader, stet_view type, stet_view id,
                       struct store_head *head, stet_error *err);

/* The change at a seq. STET_PRUNED when it is not kept (or never was). */
stet_status store_change_at(struct store_reader *reader, struct arena *arena, uint64_t seq,
                            struct store_change *change, stet_error *err);

enum store_bound { STORE_BOUND_VERSION, STORE_BOUND_SEQ, STORE_BOUND_STAMP };

/*
 * The newest change of a record whose version, seq or stamp is at most bound.
 * STET_NOT_FOUND: the record's first change is later. STET_PRUNED: the change is no longer kept.
 * For an exact version the caller compares change->version.
 */
stet_status store_find(struct store_reader *reader, struct arena *arena,
                       const struct store_head *head, enum store_bound kind, uint64_t bound,
                       struct store_change *change, stet_error *err);

/* As store_find, without the change's data. */
stet_status store_find_bare(struct store_reader *reader, struct arena *arena,
                            const struct store_head *head, enum store_bound kind, uint64_t bound,
                            struct store_change *change, stet_error *err);

/* Up to limit changes of a record, newest first, versions below before_version (0: from the head). Stops at pruned ones.
   with_data false leaves data empty. *count says how many. */
stet_status store_history(struct store_reader *reader, struct arena *arena,
                          const struct store_head *head, uint64_t before_version, size_t limit,
                          bool with_data, struct store_change *changes, size_t *count,
                          stet_error *err);

/* Up to limit changes with seq > after, ascending, without their data. */
stet_status store_since_bare(struct store_reader *reader, struct arena *arena, uint64_t after,
                             size_t limit, struct store_change *changes, size_t *count,
                             stet_error *err);

/* Up to limit changes with seq > after, ascending, at most bytes_max of data (but at least one). */
stet_status store_since(struct store_reader *reader, struct arena *arena, uint64_t after,
                        size_t limit, size_t bytes_max, struct store_change *changes, size_t *count,
                        stet_error *err);

struct store_row {
    stet_view id; /* In the arena. */
    struct store_head head;
};

/* Up to limit heads of a type in byte order of their ids, after after_id (empty: from the start), tombstones included. */
stet_status store_scan(struct store_reader *reader, struct arena *arena, stet_view type,
                       stet_view after_id, size_t limit, struct store_row *rows, size_t *count,
                       stet_error *err);

struct store_type {
    stet_view name;
    uint64_t live;      /* Records that are not deleted. */
    uint64_t floor_seq; /* The highest pruned seq of this type; 0: nothing was pruned. */
};
stet_status store_types(struct store_reader *reader, struct arena *arena, struct store_type **types,
                        size_t *count, stet_error *err);

/* ---- By number, and by index --------------------------------------------------------------------------------------- */

/*
 * Heads by record number, with the change each of them points at, all as of one commit. heads[i].version is 0 where there is no
 * such record. changes may be NULL when only the heads are wanted; with_data false leaves their data empty.
 */
stet_status store_records_of(struct store_reader *reader, struct arena *arena,
                             const uint64_t *records, size_t count, bool with_data,
                             struct store_head *heads, struct store_change *changes,
                             stet_error *err);

/* One of them, by its name: type and id are in the arena, empty when there is no such record. */
stet_status store_head_of(struct store_reader *reader, struct arena *arena, uint64_t record,
                          stet_view *type, stet_view *id, struct store_head *head, stet_error *err);

struct store_entry_row {
    stet_view key; /* In the arena. */
    uint64_t record;
};

/* Which entries: from <= key < to, in the order of (key, record). */
struct store_entry_range {
    uint32_t index;
    stet_view from; /* Empty: from the first. */
    stet_view to;   /* Empty: to the last. */
    /* Where the page before ended: rows behind this one, in the direction of the scan. after_record 0: from the start. */
    stet_view after_key;
    uint64_t after_record;
    bool reverse;
};

/* Up to limit entries. Fewer than limit: there are no more. */
stet_status store_entries_scan(struct store_reader *reader, struct arena *arena,
                               const struct store_entry_range *range, size_t limit,
                               struct store_entry_row *rows, size_t *count, stet_error *err);

/* Entries in a range (after_key and reverse are not looked at), counted up to limit. */
stet_status store_entries_count(struct store_reader *reader, const struct store_entry_range *range,
                                uint64_t limit, uint64_t *count, stet_error *err);

/* Up to limit numbers above `after` of indexes that have entries, ascending. after UINT32_MAX finds none. */
stet_status store_entry_indexes(struct store_reader *reader, uint32_t after, size_t limit,
                                uint32_t *indexes, size_t *count, stet_error *err);

/* Removes up to limit entries of an index nobody uses any more. Durable when it returns. *count: how many there were; fewer than limit:
   none is left. The sequencer's thread, between batches. Statuses as store_commit. */
stet_status store_entries_drop(struct store *store, uint32_t index, size_t limit, size_t *count,
                               stet_error *err);

/* STET_NOT_FOUND when the key took no effect yet (or long ago): the usual answer, so err is left as it is. result is in the arena. */
stet_status store_key_find(struct store_reader *reader, struct arena *arena,
                           const uint8_t key[STORE_KEY_BYTES], stet_view actor,
                           struct store_key *out, stet_error *err);

/* Small named values. Get: STET_NOT_FOUND. Put is durable when it returns; the sequencer's thread, between batches. */
stet_status store_meta_get(struct store_reader *reader, struct arena *arena, stet_view name,
                           stet_view *value, stet_error *err);
stet_status store_meta_put(struct store *store, stet_view name, stet_view value, stet_error *err);

/*
 * Verifies everything that can be verified (the engine's own integrity check; heads against changes; versions without gap or
 * fork; prev and skip; stamps and seqs increasing; transactions whole; live counts; parents; that entries name records). Calls report for each finding; may take long.
 * STET_OK when the check ran, whatever it found; *findings counts.
 */
stet_status store_check(struct store_reader *reader,
                        void (*report)(void *context, const char *finding), void *context,
                        uint64_t *findings, stet_error *err);

/*
 * As store_check, while indexes come and go: the rows of one that is no longer declared go later than the declaration, and may name records
 * that were deleted meanwhile. is_declared: whether the index of a number is kept up to date; with report's context.
 */
stet_status store_check_declared(struct store_reader *reader,
                                 bool (*is_declared)(void *context, uint32_t index),
                                 void (*report)(void *context, const char *finding), void *context,
                                 uint64_t *findings, stet_error *err);

/* ---- Copies ------------------------------------------------------------------------------------------------------- */

/*
 * Writes the store as of one commit into a new file of the same format, synced, while the store is in use. Takes as long as
 * reading and writing all of it; meanwhile the log cannot start over.
 *
 * @param path  Must not exist. Removed again on failure.
 * @param stop  Asked now and then, on this thread; true ends it. May be NULL.
 * @return STET_OK, STET_BAD_REQUEST: the driver keeps nothing in files, STET_CANCELLED, STET_NO_SPACE, STET_IO, STET_CORRUPT
 * Thread: any, while the store is open.
 */
stet_status store_backup(struct store *store, const char *path, bool (*stop)(void *context),
                         void *context, stet_error *err);

/* What the changes of a store add up to. */
struct store_census {
    uint64_t seq;     /* The clock's. */
    uint64_t changes; /* Pruned ones included. */
    uint64_t records; /* Ever created. */
    uint64_t live;    /* Not deleted. */
};

/* The census of a file that store_backup made. Reads the whole file, leaves it and its folder as they are. */
stet_status store_file_census(const char *path, struct store_census *census, stet_error *err);

/* A named value of such a file. STET_NOT_FOUND. */
stet_status store_file_meta(const char *path, stet_view name, struct arena *arena, stet_view *value,
                            stet_error *err);

/* The last data of all live records of a type in such a file, by id. The views are the visitor's for the call. */
stet_status store_file_latest(const char *path, stet_view type,
                              stet_status (*visit)(void *context, stet_view id, stet_view data,
                                                   stet_error *err),
                              void *context, stet_error *err);

/*
 * Begins a new life, for a store that was put back from an older copy: positions go on behind `seq`, which nobody ever saw, so
 * that none is given out twice. store_check knows the gap. The sequencer's thread, before anybody else has a reader.
 *
 * @param seq  Above the current one, else STET_MISUSE.
 */
stet_status store_renew(struct store *store, uint64_t seq, stet_error *err);

/* Sizes for stats and metrics. Any thread. */
struct store_usage {
    uint64_t file_bytes;
    uint64_t log_bytes;
    uint64_t checkpoints;
};
void store_usage(const struct store *store, struct store_usage *usage);

/* The bytes in use as of the last commit: of the file's pages those that hold something, as what was let go is used again before the file
   grows. STET_OK, STET_IO. The sequencer's thread; microseconds. */
stet_status store_used(struct store *store, uint64_t *bytes);

#endif
