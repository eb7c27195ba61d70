/*
 * Index entries: what makes a declared index out of the store's (index, key, record) rows. Four things live here: the order of keys,
 * their upkeep while changes are staged, unique values, and the filling of an index that is declared over existing records.
 *
 * Keys. A key is the tuple of an index's fields, written so that memcmp orders keys as the values are ordered:
 *
 *     absent < null < false < true < numbers < strings < arrays and objects
 *
 * Numbers are exact decimals of any size, equal ones have equal keys however they are spelled; strings compare by the bytes of their
 * decoded UTF-8. A descending field is written with all bits turned over. No field's text is the beginning of another one, so tuples
 * compare field by field, and a range over the first fields is a range of bytes.
 *
 * What does not fit is cut. A field has INDEX_KEY_BYTES_MAX / fields bytes; a longer string or number keeps its beginning, a mark, and a
 * hash of the whole: equal values still have equal keys, and a cut value stands where its beginning belongs, but two that
 * begin alike are in no particular order. Arrays and objects are a mark and a hash, in no particular order. So: whoever reads by
 * index compares the values again (ranges never miss a record, they may find too many), and whoever sorts by index sorts
 * again among neighbours for which index_key_is_exact is false.
 *
 * Records that are deleted are in no index. A record is in an index also where fields are absent: that is a value like others.
 *
 * Unique. Two live records of a type may not have equal values in all fields of a unique index, unless one of the fields is absent or
 * null: those are not looked at, as in SQL. Cut keys are compared by their values.
 *
 * Numbers of indexes are given out once (index_number_new) and never again while rows of the old one are left. An index whose
 * number nobody names any more (retired, or left over when a fill was cut short by a crash) is emptied bit by bit between
 * batches.
 *
 * Threads: definitions and keys are immutable and for any thread; everything with a struct indexes or a space is the sequencer's, unless it
 * says otherwise.
 */
#ifndef CORE_INDEX_H
#define CORE_INDEX_H

#include "base/arena.h"
#include "doc/doc.h"
#include "store/store.h"

struct batch;
struct policy;
struct space;

struct exclusive; /* core/exclusive.h */

struct index_field {
    stet_view pointer; /* JSON pointer into the data. */
    bool descending;
};

/* Immutable; lives as long as the policy that holds it. */
struct index_def {
    uint32_t number; /* In the store; STORE_INDEX_FIRST or more. */
    bool unique;
    size_t field_count; /* 1 to INDEX_FIELDS_MAX. */
    const struct index_field *fields;
    /* Set: its keys are the spans that a record takes by this declaration, any number of them; there are no fields. */
    const struct exclusive *exclusive;
};

/* ---- Keys: any thread ------------------------------------------------------------------------------------------------ */

/* The key of a record's data in an index; in the arena. STET_OK or STET_NO_MEMORY. */
stet_status index_key(struct arena *arena, const struct index_def *def, const struct doc *doc,
                      stet_view *key);

/* False: a field of it was cut, or is an array or object; equal keys of that kind need not stand in the values' order. */
bool index_key_is_exact(stet_view key);

/* A value to look for. */
enum index_kind {
    INDEX_ABSENT,
    INDEX_NULL,
    INDEX_FALSE,
    INDEX_TRUE,
    INDEX_NUMBER, /* text: a JSON number. */
    INDEX_STRING, /* text: the decoded bytes. */
};
struct index_value {
    enum index_kind kind;
    stet_view text;
};

/*
 * What is asked of an index: its first equal_count fields have these values, and the next field lies between low and high. A range has
 * one kind: where one side is missing it ends with the kind of the other one (amount > 5 finds no strings). Of absent, null,
 * false and true both sides may differ: absent to null is "has no value". prefix: low is a string and the next field begins
 * with it; high is not looked at.
 */
struct index_query {
    const struct index_value *equal;
    size_t equal_count;
    const struct index_value *low; /* NULL: no bound. */
    const struct index_value *high;
    bool above_low;  /* low itself is not meant. */
    bool below_high; /* Likewise. */
    bool prefix;
};

/* The entries that hold every answer to a query (see "What does not fit"): half-open, for store_entries_scan; in the arena. An
   impossible query gives an empty range (from = to, not empty). STET_OK or STET_NO_MEMORY. */
stet_status index_range(struct arena *arena, const struct index_def *def,
                        const struct index_query *query, stet_view *from, stet_view *to);

/* ---- Upkeep: the sequencer's thread --------------------------------------------------------------------------------------- */

struct indexes; /* In struct space. */

/* As of the store's last commit. */
stet_status indexes_create(struct indexes **indexes, struct store *store, stet_error *err);
void indexes_destroy(struct indexes *indexes); /* Accepts NULL. */

/* One record about to be changed. Borrowed for the call. */
struct index_change {
    stet_view type;
    uint64_t record; /* Its number: the head's `first` after the change. */
    stet_view
        before; /* Data of the live head before; empty: there was none. Only read where index_concerns. */
    stet_view after;        /* Data after; empty: it is deleted. */
    uint64_t parent_before; /* Of the live head; 0: none. */
    uint64_t parent_after;
    uint64_t fork; /* With forked_from: the number and version of what it is a copy of; else 0. */
    uint64_t fork_version;
};

/* Whether index_stage will look at `before` for this type: read the old data only then. */
bool index_concerns(const struct space *space, const struct policy *policy, stet_view type);

/*
 * Puts the entries of one change into the batch: of the type's own indexes (policy->indexes; policy may be NULL), of those being filled
 * for it, and those of the tree. All of it or nothing. Call it when the change is numbered and before it is added to the batch; keys are
 * in the arena, which lives until the batch is committed. batch_truncate takes the entries back with their change.
 *
 * @return STET_OK
 *         STET_UNIQUE_VIOLATION  err->field is the pointer of the index's first field, *taken_by (may be NULL) the address
 *                                of the record that has the value, in the arena.
 *         STET_NO_MEMORY, STET_IO, STET_CORRUPT
 */
stet_status index_stage(struct space *space, struct batch *batch, struct arena *arena,
                        const struct policy *policy, const struct index_change *change,
                        stet_view *taken_by, stet_error *err);

/* Whether something was forked from this version of a record. batch: what is staged; may be NULL. */
stet_status index_is_forked(struct space *space, const struct batch *batch, uint64_t record,
                            uint64_t version, bool *forked, stet_error *err);

/* ---- Validating what was read ---------------------------------------------------------------------------------------- */

enum index_changed { INDEX_UNCHANGED, INDEX_CHANGED, INDEX_UNKNOWN };

/*
 * Whether an entry of the index in from <= key < to (to empty: no bound) was added or removed after seq, by commands staged before the
 * one at hand included. INDEX_UNKNOWN: the ring no longer reaches back to seq (INDEX_RING_MAX changes of keys are remembered): read again.
 * May answer CHANGED for a range whose bounds begin with the same INDEX_RING_KEY_BYTES bytes as a key that changed beside it.
 * A seq below which the space was opened is unknown.
 */
enum index_changed index_changed_since(const struct space *space, const struct batch *batch,
                                       uint32_t index, stet_view from, stet_view to, uint64_t seq);

/*
 * Whether a record of the type was created, changed or deleted after seq, by commands staged before the one at hand included. A few types
 * share a place, so it may say CHANGED of one that did not. UNKNOWN: seq is from before the space was opened.
 */
enum index_changed type_changed_since(const struct space *space, const struct batch *batch,
                                      stet_view type, uint64_t seq);

/* The batch is durable: its entries go into the ring. */
void index_publish(struct space *space, const struct batch *batch);

/* ---- Declaring an index over records that are there ------------------------------------------------------------------ */

/*
 * How the module that owns type definitions does it, by hops of one command between sequencer and workers:
 *
 *   1 sequencer  index_number_new for each new index; index_build_begin: from now on every staged change of the type keeps the new
 *                indexes, too (unique or not: nothing is refused for an index that is not declared yet).
 *   2 worker     index_build_chunk: the keys of the next INDEX_BUILD_CHUNK records, read from the store.
 *   3 sequencer  index_build_fill: entries of those records that have not changed since step 2 (the others were seen to by step 1).
 *                Back to 2 until the chunk says `last`.
 *   4 sequencer  index_build_collisions tells what breaks a unique index. Then stage the type's record, whose policy names the
 *                numbers, in the same batch.
 *   5 sequencer  index_build_end: kept = true when that is durable (struct module.published), else false, which retires them.
 *
 * A command may be decided twice, where its batch fails as a whole: filling a chunk again does no harm. A build that nobody ends is given
 * up when the space closes; its rows are dropped at the next open.
 */
struct index_build;

/* A number no index of the space has, nor has left rows of. */
uint32_t index_number_new(struct space *space);

/* A type names this number: to be said of each when definitions are loaded, as an index without rows leaves no trace in the store. */
void index_number_taken(struct space *space, uint32_t number);

/* defs: copied; their numbers are new. At most one build for each type (STET_BUSY) and INDEX_BUILDS_MAX in a space. */
stet_status index_build_begin(struct space *space, stet_view type, const struct index_def *defs,
                              size_t count, struct index_build **build, stet_error *err);

/* One page of records with their keys. */
struct index_chunk {
    struct index_chunk_row *rows;
    size_t count;
    bool last;      /* No record comes after these. */
    stet_view next; /* after_id of the next chunk; in the arena. */
};

/* Any thread, with a reader of its own: reads nothing of the build that changes. The chunk is in the arena. */
stet_status index_build_chunk(const struct index_build *build, struct store_reader *reader,
                              struct arena *arena, stet_view after_id, struct index_chunk *chunk,
                              stet_error *err);

/*
 * arena: lives until the batch is committed, as does the chunk; both may be emptied in the next hop. Comes before anything else the
 * command stages. The entries stay in the batch even where the command is refused or takes its next hop.
 */
stet_status index_build_fill(struct space *space, struct batch *batch, struct arena *arena,
                             struct index_build *build, const struct index_chunk *chunk,
                             stet_error *err);

struct index_collision {
    uint32_t index;     /* Its number. */
    stet_view address;  /* A record whose values… */
    stet_view taken_by; /* …this one has, too. */
};

/*
 * How many records have a value in a new unique index that another one has; examples: up to example_max of them. As of the batch at
 * hand. Exact up to INDEX_COLLISIONS_MAX different values that several records have; *more says that there are others.
 */
stet_status index_build_collisions(struct space *space, struct batch *batch, struct arena *arena,
                                   const struct index_build *build,
                                   struct index_collision *examples, size_t example_max,
                                   size_t *example_count, uint64_t *collisions, bool *more,
                                   stet_error *err);

/* Likewise: spans of records that there is no room for beside the others, in the new indexes of spans. */
stet_status index_build_overlaps(struct space *space, struct batch *batch, struct arena *arena,
                                 const struct index_build *build, struct index_collision *examples,
                                 size_t example_max, size_t *example_count, uint64_t *overlaps,
                                 bool *more, stet_error *err);

/* kept false: its indexes are retired. Frees the build. Accepts NULL. */
void index_build_end(struct space *space, struct index_build *build, bool kept);

/* ---- Getting rid of rows ---------------------------------------------------------------------------------------------- */

/* Nobody names the index any more, as of the last commit: its rows are removed by and by, once lists that read it are through
   (INDEX_RETIRE_S). Forgetting to say so costs room until the
   next open, nothing else. */
void index_retire(struct space *space, uint32_t number);

/* At open, when the policies are loaded: retires every index in the store that is none of these. */
stet_status index_retire_others(struct space *space, bool (*known)(void *context, uint32_t number),
                                void *context, stet_error *err);

/* When index_maintain will have something to do, on the monotonic clock; MODULE_NEVER: never. */
int64_t index_next(const struct space *space);

/* Between batches: removes some rows. True: there is more to do at once. */
bool index_maintain(struct space *space, int64_t monotonic);

#endif
