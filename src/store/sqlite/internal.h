/*
 * What the files of the SQLite driver share. README.md tells how they work together.
 */
#ifndef STORE_SQLITE_INTERNAL_H
#define STORE_SQLITE_INTERNAL_H

#include "store/driver.h"
#include "store/sql.h"
#include "store/sqlite/late_heads.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

/* ---- connection.c: one SQLite handle with its prepared statements ------------------------------------------------ */

enum connection_role {
    CONNECTION_WRITE, /* The only one that writes. */
    CONNECTION_READ,
    CONNECTION_COPY, /* Copies the log back; never reads rows. */
};

struct connection {
    sqlite3 *db;
    /* Prepared on first use: an idle space should cost little. */
    sqlite3_stmt *statements[SQL_STATEMENTS];
};

struct connection_options {
    const char *path;
    const char *vfs;         /* NULL: the default. */
    const char *synchronous; /* NULL: "FULL". */
    size_t cache_bytes;
};

stet_status connection_open(struct connection *connection, enum connection_role role,
                            const struct connection_options *options, stet_error *err);

/* Accepts a zeroed or half-opened connection. */
void connection_close(struct connection *connection);

/* The statement, reset and ready to bind. NULL: err is filled. */
sqlite3_stmt *connection_statement(struct connection *connection, enum sql_statement which,
                                   stet_error *err);

/* Runs a statement without parameters that returns no row. The result is SQLite's, err is not filled. */
int connection_run(struct connection *connection, enum sql_statement which);

/* Whether a transaction, reading or writing, is open. */
bool connection_is_open(const struct connection *connection);

/* Ends whatever transaction is open, throwing away what was not committed. */
void connection_rollback(struct connection *connection);

/* Turns SQLite's result into ours and fills err: "could not <tried>: …". Never returns STET_OK. */
stet_status connection_error(const struct connection *connection, int result, const char *tried,
                             stet_error *err);

/* ---- dictionary.c: type names and their numbers ------------------------------------------------------------------- */

struct dictionary_type {
    stet_view name; /* Lives as long as the dictionary. */
    int64_t delta;  /* The writer's own: how the live count moves in the batch at hand. */
};

/*
 * Numbers run from 1. The writer adds a type while it stages a batch; others find it by name once it is published, but can
 * name a number at once, because rows with it are visible before store_commit returns.
 */
struct dictionary {
    pthread_rwlock_t lock;
    struct dictionary_type *types;
    uint32_t count;
    uint32_t published;
    uint32_t capacity;
    uint32_t *slots; /* Open addressing; 0 is free. */
    size_t slot_count;
};

stet_status dictionary_init(struct dictionary *dictionary);
void dictionary_done(struct dictionary *dictionary);
uint32_t dictionary_find(struct dictionary *dictionary,
                         stet_view name); /* Any thread; 0: unknown or not published. */
uint32_t dictionary_find_own(struct dictionary *dictionary,
                             stet_view name); /* The writer's, unpublished included. */
stet_view dictionary_name(struct dictionary *dictionary,
                          uint32_t number); /* Any thread; empty: unknown. */
stet_status dictionary_add(struct dictionary *dictionary, stet_view name,
                           uint32_t *number); /* The writer's. */
void dictionary_publish(struct dictionary *dictionary);
void dictionary_withdraw(
    struct dictionary *dictionary); /* Forgets what was added since the last publish. */

/* ---- batch_table.c: the batch at hand as tables for SQL ------------------------------------------------------------- */

enum batch_kind { BATCH_CHANGES, BATCH_RECORDS, BATCH_HEADS, BATCH_KEYS, BATCH_PARTS };

struct batch_source {
    const struct store_batch *batch; /* NULL between commits: the tables are empty. */
    const struct store_plan *plan;
    const uint32_t *numbers;        /* Of each change's type. */
    struct late_head *const *heads; /* Whose time has come to be written. */
    size_t head_count;
};

struct batch_tables {
    struct batch_source source;
    struct batch_part {
        enum batch_kind kind;
        const struct batch_source *source;
    } parts[BATCH_PARTS];
};

/* Registers the tables with the writer's connection, which they must outlive. Returns SQLite's result. */
int batch_tables_make(struct batch_tables *tables, sqlite3 *db);

/* ---- The store ------------------------------------------------------------------------------------------------ */

/* checkpoint.c tells the rule. */
struct checkpoint {
    pthread_mutex_t mutex;           /* Every checkpoint runs under it. */
    struct connection copier;        /* Opened when first needed. Under mutex. */
    bool copied_all;                 /* The last checkpoint left nothing to copy… Under mutex. */
    uint64_t copied_at;              /* …when this many commits had finished. Under mutex. */
    atomic_uint_fast64_t commits;    /* Finished. */
    atomic_uint_fast64_t log_frames; /* In the log after the last commit. */
    atomic_uint_fast64_t noted_frames; /* Of them, those the background thread was told of. */
    atomic_uint_fast64_t checkpoints;
    /* The writer waits its turn to finish: the background thread keeps away. */
    atomic_bool finishing;
    uint64_t finish_at_frames;       /* The writer's own. */
    struct sqlite_store *queue_next; /* The background thread's queue, under its mutex. */
    bool queued;
    bool erase_due; /* Older frames of the log still say what was erased. The writer's own. */
};

/* The two generations of mutation keys. */
struct key_generations {
    pthread_rwlock_t lock; /* Held for writing only around a commit that rotates. */
    unsigned current;      /* Which table is being filled. */
    bool any[2];           /* Whether the table holds a key; `max` is its highest. */
    uint8_t
        max[2]
           [STORE_KEY_BYTES]; /* Of the older table: exact. Of the current one: the writer's own. */
};

/* A seq that a record was last changed at, as of some commit. */
struct late_change {
    uint64_t record;
    uint64_t seq;
};

struct sqlite_reader {
    struct store_reader base;
    struct late_view view; /* Of the snapshot, or of the single lookup under way. */
    /* Where the view was left behind: the latest changes above the snapshot's heads_seq, by record. */
    struct late_change *overlay;
    size_t overlay_count;
    struct connection *connection; /* Its own, or the writer's. */
    struct connection own;
};

struct sqlite_store {
    struct store base;
    struct connection writer;
    struct sqlite_reader writer_reader;
    char *path;
    char *vfs;               /* NULL: the default. */
    struct log_vfs *log_vfs; /* Over it; the writer's only. */
    char *synchronous;       /* NULL: FULL. */
    int lock_fd;
    uint32_t page_bytes;
    size_t reader_cache_bytes;
    size_t wal_restart_bytes;
    struct dictionary types;
    struct key_generations keys;
    struct checkpoint checkpoint;
    struct late_heads late;
    struct batch_tables tables;
    sqlite3_stmt *page_count, *freelist_count; /* The writer's; NULL until they are asked. */
    uint32_t *numbers;                         /* Of the types of the batch at hand. */
    size_t number_capacity;
};

/* commit.c */
stet_status sqlite_commit(struct store *store, const struct store_batch *batch,
                          const struct store_plan *plan, stet_error *err);
stet_status sqlite_meta_put(struct store *store, stet_view name, stet_view value, stet_error *err);
stet_status sqlite_entries_drop(struct store *store, uint32_t index, size_t limit, size_t *count,
                                stet_error *err);
/* Writes all late heads, before a clean close. Statuses as store_commit. */
stet_status sqlite_heads_write(struct sqlite_store *store, stet_error *err);

/* heads.c: heads as one snapshot has them, wherever they stand. */
/* Where a lookup of heads begins and ends that is not inside a snapshot; inside one they do nothing. */
void head_view_begin(struct sqlite_reader *reader);
void head_view_end(struct sqlite_reader *reader);
/* In: what the table says of the record, version 0 when nothing. Out: its head, version 0 when it has none. */
stet_status head_settle(struct sqlite_reader *reader, uint64_t record, struct store_head *head,
                        stet_error *err);
/* What was committed after the heads in the table, at open. */
stet_status heads_load(struct sqlite_store *store, stet_error *err);

/* read.c: the driver's reading entries. */
stet_status sqlite_reader_open(struct store *base, struct store_reader **reader, stet_error *err);
void sqlite_reader_close(struct store_reader *base);
stet_status sqlite_snapshot_begin(struct store_reader *base, stet_error *err);
void sqlite_snapshot_end(struct store_reader *base);
stet_status sqlite_clock(struct store_reader *reader, struct store_state *state, stet_error *err);
stet_status sqlite_head(struct store_reader *reader, stet_view type, stet_view id,
                        struct store_head *head, stet_error *err);
stet_status sqlite_head_of(struct store_reader *reader, uint64_t record, struct store_head *head,
                           stet_error *err);
stet_status sqlite_change(struct store_reader *reader, struct arena *arena, uint64_t seq,
                          bool with_data, struct store_change *change, stet_error *err);
stet_status sqlite_link(struct store_reader *reader, uint64_t seq, struct store_link *link,
                        stet_error *err);
stet_status sqlite_since(struct store_reader *reader, struct arena *arena, uint64_t after,
                         size_t limit, size_t bytes_max, bool with_data,
                         struct store_change *changes, size_t *count, stet_error *err);
stet_status sqlite_scan(struct store_reader *reader, struct arena *arena, stet_view type,
                        stet_view after_id, size_t limit, struct store_row *rows, size_t *count,
                        stet_error *err);
stet_status sqlite_types(struct store_reader *reader, struct arena *arena,
                         struct store_type **types, size_t *count, stet_error *err);
stet_status sqlite_key_find(struct store_reader *reader, struct arena *arena,
                            const uint8_t key[STORE_KEY_BYTES], stet_view actor,
                            struct store_key *out, stet_error *err);
stet_status sqlite_entries(struct store_reader *reader, struct arena *arena,
                           const struct store_bounds *bounds, bool reverse, size_t limit,
                           struct store_entry_row *rows, size_t *count, stet_error *err);
stet_status sqlite_entries_count(struct store_reader *reader, const struct store_bounds *bounds,
                                 uint64_t limit, uint64_t *count, stet_error *err);
stet_status sqlite_entry_indexes(struct store_reader *reader, uint32_t after, size_t limit,
                                 uint32_t *indexes, size_t *count, stet_error *err);
stet_status sqlite_meta_get(struct store_reader *reader, struct arena *arena, stet_view name,
                            stet_view *value, stet_error *err);
stet_status sqlite_check(struct store_reader *base,
                         void (*report)(void *context, const char *finding), void *context,
                         uint64_t *findings, stet_error *err);

/* The statement to bind and step, inside the transaction that the reader reads in. NULL: err is filled, and sqlite_lookup_failed tells
   why. */
sqlite3_stmt *sqlite_lookup(struct sqlite_reader *reader, enum sql_statement which,
                            stet_error *err);
stet_status sqlite_lookup_failed(const struct sqlite_reader *reader);

/* backup.c */
stet_status sqlite_backup(struct store *base, const char *path, bool (*stop)(void *context),
                          void *context, stet_error *err);
stet_status sqlite_renew(struct store *base, uint64_t seq, int64_t stamp, stet_view lives,
                         stet_error *err);

/* recover.c */
stet_status recover_log(const char *path, const char *vfs, bool *found, stet_error *err);

/* checkpoint.c */
stet_status checkpoint_init(struct sqlite_store *store, stet_error *err);
void checkpoint_done(struct sqlite_store *store); /* Waits for a copy that is under way. */
void checkpoint_committed(
    struct sqlite_store *store); /* After each commit, on the writer's thread. */
void checkpoint_maintain(struct sqlite_store *store);
void checkpoint_copy(struct sqlite_store *store); /* What the background thread does; any thread. */
stet_status checkpoint_truncate(struct sqlite_store *store,
                                stet_error *err); /* Before others use the store, or after. */

#endif
