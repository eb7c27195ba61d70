/*
 * One run's view of the space: reads of one snapshot, which it notes, and writes kept back, which its own reads see. It knows nothing of
 * Lua.
 *
 * The snapshot is what was published when the first read began. A record that changed since is read as it was then, so a run never sees half
 * of a transaction, whatever others commit meanwhile; that it was overtaken is found when it is validated (core/readset.h). On the
 * sequencer, alone, it reads what is staged instead, and cannot be overtaken.
 *
 * Everything is read whole, and shown as far as who looks may see it: the caller, or an administrator where a function is declared so. What
 * the caller does not see counts as absent; fields hidden from them are left out, and stay as they are when they write the record.
 *
 * Everything is in the command's arena. Thread: whichever runs the function.
 */
#ifndef MODULES_FUNCTIONS_TRANSACTION_H
#define MODULES_FUNCTIONS_TRANSACTION_H

#include "core/function.h"

/* A record as the run sees it. data: borrowed from the arena. */
struct transaction_record {
    bool exists;
    uint64_t
        version; /* Of what was read; of a tombstone, too. 0: never existed, or written by this run. */
    bool written;   /* By this run. */
    bool known;     /* Of what is remembered: it was read. */
    uint64_t first; /* The position of its first version. */
    stet_view data;
    struct doc *doc; /* The data parsed; count 0: nobody asked for it yet. In the arena. */
    /* What access rules are asked about; NULL: none bind whoever may look. In the arena. */
    const struct store_change *row;
    bool met; /* Of what is remembered: the caller was shown it. */
};

/* A record about to be written; the last write counts. */
struct transaction_write {
    uint64_t hash; /* Of its name. */
    stet_view type, id;
    uint64_t version;               /* Of the head that was read; 0: it never existed. */
    bool lived;                     /* That head was no tombstone. */
    uint64_t first;                 /* As of the record. */
    stet_view before;               /* Its data. */
    const struct store_change *row; /* As of the record that was read. */
    bool by_caller; /* The caller wrote it, and not only functions that run as an administrator. */
    bool deletes;
    stet_view data;
    struct doc *doc; /* As of a record. */
};

struct transaction {
    struct stet_command *command;
    struct space *space;
    const stet_actor *actor; /* Who looks and writes now: the command's, or `admin`. */
    stet_actor admin;        /* The same, as an administrator. */
    struct arena *arena;
    struct store_reader *reader; /* NULL: one is taken when it is needed. */
    struct staging *staging;     /* Set: alone on the sequencer. */
    bool cached;                 /* On the client's thread: through its cache. */
    struct read_set *reads;
    bool begun;
    int64_t now;                  /* What its own writes carry as their time. */
    size_t reads_max;             /* Points and ranges together, … */
    size_t uncounted;             /* … but for so many, which are the functions themselves. */
    size_t bytes_max, read_bytes; /* Of the data of what was read. */
    size_t writes_max;
    bool lists;                      /* It may list. */
    struct transaction_record *seen; /* Beside the points of reads, as far as it reaches. */
    size_t seen_count;
    struct transaction_write *writes;
    size_t write_count, write_capacity;
    size_t write_bytes;
};

/*
 * All of them: STET_FUNCTION_LIMIT "reads", "writes" or "inline" (it may not go on here, a worker must run it);
 * STET_CONCURRENT_MODIFICATION: what the snapshot had is no longer kept, run it again; STET_NO_MEMORY, STET_IO, STET_CORRUPT.
 */

/* STET_BAD_REQUEST: no name of a record. STET_FORBIDDEN: a system record that the actor may not read. */
stet_status transaction_read(struct transaction *transaction, stet_view type, stet_view id,
                             struct transaction_record *record, stet_error *err);

/* Creates or replaces. data: a JSON object in the arena. STET_FORBIDDEN: what they do not see stands there, or has a value in data;
   STET_SYSTEM_TYPE, STET_BAD_REQUEST, STET_TOO_LARGE. */
stet_status transaction_put(struct transaction *transaction, stet_view type, stet_view id,
                            stet_view data, stet_error *err);
/* STET_NOT_FOUND as well. */
stet_status transaction_delete(struct transaction *transaction, stet_view type, stet_view id,
                               stet_error *err);

struct transaction_list {
    stet_view type, where, sort;
    unsigned limit; /* 0: all of them, and LIST_LIMIT_MAX is then a limit of the run. */
};
struct transaction_row {
    stet_view id;
    uint64_t version; /* 0: written by this run. */
    stet_view data;
};
/* The records of a type, the run's own writes included. STET_BAD_REQUEST, STET_FORBIDDEN, STET_INDEX_REQUIRED. transaction_list.c */
stet_status transaction_list(struct transaction *transaction, const struct transaction_list *list,
                             struct transaction_row **rows, size_t *count, stet_error *err);

/* A time that is looked for. Without buffers; for one that weighs 1, by the type's first declaration. */
struct transaction_gap {
    stet_view type;
    stet_view resource; /* Empty: the type's one calendar. */
    int64_t length, from;
};
/* The first start, `from` or later and within NEXT_FREE_DAYS, at which there is room. STET_BAD_REQUEST: the type declares nothing exclusive;
   STET_FORBIDDEN. transaction_slots.c */
stet_status transaction_free(struct transaction *transaction, const struct transaction_gap *gap,
                             bool *found, int64_t *start, stet_error *err);
/* Puts a record if there is room for it; else nothing is written, and in_the_way is a JSON list of what is: in the arena; empty: it was
   written. Statuses of transaction_free, transaction_put and exclusive_spans. */
stet_status transaction_book(struct transaction *transaction, stet_view type, stet_view id,
                             stet_view data, stet_view *in_the_way, stet_error *err);

/* The snapshot, which the first one of these fixes. */
uint64_t transaction_begin(struct transaction *transaction);
stet_status transaction_no_memory(stet_error *err);
/* Whether one more thing may be looked at. */
stet_status transaction_count_reads(struct transaction *transaction, stet_error *err);
/* So many bytes more were looked at. */
stet_status transaction_count_bytes(struct transaction *transaction, size_t bytes, stet_error *err);

/* Whether a point that was read may be named where others read it: not what only functions that run as an administrator looked at. */
bool transaction_may_name(const struct transaction *transaction, const struct read_point *point);

/* What was written becomes the command's mutations, each from the version that was read, prepared. */
stet_status transaction_finish(struct transaction *transaction, stet_error *err);

#endif
