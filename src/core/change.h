/*
 * A change in memory: one committed (or about to be committed) version of one record, counted by reference and immutable once
 * published. The thread that prepares a write builds it once; the sequencer numbers it; the store, the ring, the caches and
 * the feed share it without copying.
 */
#ifndef CORE_CHANGE_H
#define CORE_CHANGE_H

#include "base/view.h"
#include "doc/doc.h"
#include "store/store.h"

#include <stdatomic.h>
#include <string.h>

struct change {
    atomic_uint refs;
    struct store_change row; /* Its views point into bytes. Numbers are filled by the sequencer. */
    uint64_t hash;           /* doc_hash of row.data; 0 for a delete. Only where `hashed`. */
    size_t footprint;        /* Bytes of this block. */
    char bytes[];
};

/* What a change is built from; everything is copied into one block. */
struct change_parts {
    enum store_op op;
    stet_view type;
    stet_view id;
    stet_view by;
    stet_view key;
    stet_view source;
    stet_view merge;
    stet_view origin;
    stet_view parent;
    stet_view forked_from;
    stet_view data;
    uint64_t base_version;
    uint64_t hash;
};

/* A change with one reference; NULL when memory is out. */
struct change *change_create(const struct change_parts *parts);

/* A change read from the store, copied out of the arena of the read. */
struct change *change_from_row(const struct store_change *row);

struct change *change_ref(struct change *change);
void change_unref(struct change *change); /* Accepts NULL. Any thread. */

/* What a purge leaves: its tombstone says that in `source`, which no write can say, and the reason in `merge`. */
#define SOURCE_PURGE VIEW("purge")
static inline bool row_is_purge(const struct store_change *row) {
    return row->op == STORE_DELETE && row->source.size == 5 &&
           memcmp(row->source.bytes, "purge", 5) == 0;
}

static inline bool change_is_delete(const struct change *change) {
    return change->row.op == STORE_DELETE;
}

/* Parses the data of a stored change. STET_CORRUPT when it is not JSON, STET_NO_MEMORY. */
stet_status change_parse(struct arena *arena, stet_view data, struct doc *doc, stet_error *err);

/* "stet." begins the names of system types. */
bool type_is_system(stet_view type);

#endif
