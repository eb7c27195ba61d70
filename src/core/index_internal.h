/* What the files of the index share; for index*.c only. */
#ifndef CORE_INDEX_INTERNAL_H
#define CORE_INDEX_INTERNAL_H

#include "core/batch.h"
#include "core/index.h"
#include "core/slots.h"
#include "core/space.h"

struct index_key_parts {
    stet_view key;
    bool gap;   /* A field is absent or null: unique does not look at it. */
    bool exact; /* As index_key_is_exact. */
};

/* As index_key, with what else is known of it. */
stet_status index_key_make(struct arena *arena, const struct index_def *def, const struct doc *doc,
                           struct index_key_parts *parts);

/* The keys of a record in an index of spans, in their order. */
struct index_span_keys {
    stet_view *keys;
    size_t count;
};

/*
 * lenient: a record whose times are none takes nothing, which is how such records are kept that were there before the declaration; else
 * that is refused: INVALID_TIME, INVALID_DATA, TOO_LARGE. steps: as for exclusive_spans. In the arena.
 */
stet_status index_span_keys(struct arena *arena, const struct index_def *def, const struct doc *doc,
                            bool lenient, uint64_t *steps, struct index_span_keys *keys,
                            stet_error *err);

/* One change of a key, cut to what the ring keeps. */
struct index_ring_slot {
    uint64_t seq;
    uint32_t index;
    uint16_t size;
    bool cut;
    uint8_t key[INDEX_RING_KEY_BYTES];
};

struct indexes {
    struct index_ring_slot *ring; /* INDEX_RING_MAX slots; NULL until the first entry. */
    uint64_t ring_count; /* Ever put in; the next one goes to this modulo INDEX_RING_MAX. */
    uint64_t ring_floor; /* It knows of every change with a seq above this. */
    uint64_t
        *type_changes;   /* The seq of the last change by types, TYPE_CHANGES_KEPT; NULL: none. */
    uint64_t type_floor; /* It knows of every change with a seq above this. */
    struct index_build *builds[INDEX_BUILDS_MAX];
    size_t build_count;
    struct index_retired {
        uint32_t number;
        int64_t at; /* Monotonic: not before. */
    } * retired;
    size_t retired_count, retired_capacity;
    uint32_t next_number;
    bool has_forks; /* False: no record of the space is a fork. */
};

/* A value that several records have in a unique index that is being filled, or had when it was put in. */
struct index_suspect {
    const struct index_def *def;
    stet_view key;    /* Of a span: its resource. */
    struct slot slot; /* Of a span. */
};

struct index_build {
    stet_view type;
    struct index_def *defs;
    size_t count;
    struct index_suspect *suspects; /* INDEX_COLLISIONS_MAX of them. */
    size_t suspect_count;
    bool more_suspects;
    struct arena arena; /* All of the above. */
};

struct index_chunk_row {
    stet_view id;
    uint64_t record;
    uint64_t seq;                        /* Of the head whose data the keys are of. */
    const struct index_key_parts *keys;  /* One for each index of the build… */
    const struct index_span_keys *spans; /* …or, for one of spans, these. */
};

/* As index_retire, not before that monotonic time; 0: at once, as nobody ever read it. */
void index_retire_at(struct space *space, uint32_t number, int64_t at);

void index_build_free(struct index_build *build);

/* The build for a type, or NULL. */
struct index_build *index_build_of(const struct space *space, stet_view type);

/* Notes that records may share the value. */
void index_build_suspect(struct index_build *build, const struct index_def *def, stet_view key);

/* Where there is no room for a span, notes it and what is in its way: which of them came first is only known when all are there. */
stet_status index_build_judge(struct space *space, struct batch *batch, struct index_build *build,
                              const struct index_def *def, stet_view key, uint64_t record,
                              stet_error *err);

/* The record, other than `record`, that has these values: staged changes count. *holder 0: none has. fields of `doc` are compared
   where the key is not exact. */
stet_status index_holder(struct space *space, struct batch *batch, struct arena *arena,
                         const struct index_def *def, const struct index_key_parts *parts,
                         const struct doc *doc, uint64_t record, uint64_t *holder, stet_error *err);

/* What the batch says last of a record under a key; NULL: nothing. */
const struct store_entry *index_staged_entry(const struct batch *batch, uint32_t index,
                                             stet_view key, uint64_t record);

/* A record as it stands with what is staged; row->version 0: there is none. */
stet_status index_record_now(struct space *space, struct batch *batch, struct arena *arena,
                             uint64_t record, bool with_data, struct store_change *row,
                             stet_error *err);

/* "type/id" of a record by number, staged ones included; in the arena. */
stet_status index_address_of(struct space *space, struct batch *batch, struct arena *arena,
                             uint64_t record, stet_view *address, stet_error *err);

#endif
