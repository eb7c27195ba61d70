#include "core/losses.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/diff.h"
#include "doc/rules.h"

#include <assert.h>

enum { STORED_CHUNK = 32 };

/* ---- Going back from version to version -------------------------------------------------- */

/* Memory first; from where that ends, the store in chunks. */
struct way_back {
    struct staging *staging;
    const struct mutation *mutation;
    uint64_t next_seq; /* 0: the end. */
    uint64_t below;    /* The version looked at last. */
    struct store_head stored;
    bool in_store;
    struct store_change chunk[STORED_CHUNK];
    size_t chunk_count, chunk_next;
};

static stet_status read_chunk(struct way_back *way, stet_error *err) {
    struct store_reader *reader = store_writer_reader(way->staging->space->store);
    stet_status status;
    if (!way->in_store) {
        status = store_head(reader, way->mutation->type, way->mutation->id, &way->stored, err);
        if (status != STET_OK) return status;
        way->in_store = true;
    }
    way->chunk_next = 0;
    way->chunk_count = 0;
    if (way->stored.version == 0 || way->below <= 1) return STET_OK;
    return store_history(reader, staging_arena(way->staging), &way->stored, way->below,
                         STORED_CHUNK, true, way->chunk, &way->chunk_count, err);
}

/* The version before the one given last. *found false: there is none, or it is not kept. */
static stet_status step(struct way_back *way, struct store_change *row, bool *found,
                        stet_error *err) {
    *found = false;
    if (!way->in_store) {
        if (way->next_seq == 0) return STET_OK;
        const struct change *change = batch_find_change(way->staging->batch, way->next_seq);
        if (change == NULL) change = ring_peek(&way->staging->space->ring, way->next_seq);
        if (change != NULL) {
            *row = change->row;
            way->next_seq = row->prev;
            way->below = row->version;
            *found = true;
            return STET_OK;
        }
    }
    if (way->chunk_next == way->chunk_count) {
        stet_status status = read_chunk(way, err);
        if (status != STET_OK) return status;
        if (way->chunk_count == 0) return STET_OK;
    }
    *row = way->chunk[way->chunk_next++];
    way->below = row->version;
    *found = true;
    return STET_OK;
}

/* ---- Who --------------------------------------------------------------------------------- */

/* A value that is lost, while its authors are looked for. */
struct open_value {
    stet_view pointer;
    bool gathers; /* By its rule: older versions put something into it, too. */
    bool told;    /* Its newest author is known; the search goes on for those before. */
};

struct looking {
    struct staging *staging;
    stet_view writer;
    struct settlement_loss *items; /* One for each pointer and author, as far as they are known. */
    size_t count, capacity;
    struct store_change newer; /* The version in whose favour the next older one is compared. */
    struct doc newer_doc;      /* count 0: a deletion. */
    struct open_value *open;
    size_t open_count;
    size_t bytes;
    uint64_t steps;
    bool whole; /* Too much to tell apart: from here on everybody loses the whole record. */
};

static stet_status add(struct looking *looking, stet_view pointer, const struct store_change *by,
                       stet_error *err) {
    if (view_equal(by->by, looking->writer)) return STET_OK;
    if (looking->count == looking->capacity) {
        size_t capacity = looking->capacity == 0 ? 8 : looking->capacity * 2;
        struct settlement_loss *items =
            arena_alloc(staging_arena(looking->staging), capacity * sizeof *items);
        if (items == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
        if (looking->count > 0) memcpy(items, looking->items, looking->count * sizeof *items);
        looking->items = items;
        looking->capacity = capacity;
    }
    looking->items[looking->count++] =
        (struct settlement_loss){.pointer = pointer, .by = by->by, .version = by->version};
    return STET_OK;
}

/* One of several authors of a value; their newest version is enough. */
static stet_status add_another(struct looking *looking, stet_view pointer,
                               const struct store_change *by, stet_error *err) {
    for (size_t i = looking->count; i-- > 0;) {
        const struct settlement_loss *item = &looking->items[i];
        looking->steps++;
        if (item->pointer.bytes == pointer.bytes && view_equal(item->by, by->by)) return STET_OK;
    }
    return add(looking, pointer, by, err);
}

/* The newest version of each author is enough. */
static stet_status add_whole(struct looking *looking, const struct store_change *by,
                             stet_error *err) {
    for (size_t i = looking->count; i-- > 0;)
        if (looking->items[i].pointer.size == 0 && view_equal(looking->items[i].by, by->by))
            return STET_OK;
    return add(looking, (stet_view){.bytes = "", .size = 0}, by, err);
}

static stet_status read_doc(struct looking *looking, const struct store_change *row,
                            struct doc *doc, stet_error *err) {
    *doc = (struct doc){0};
    if (row->op == STORE_DELETE || row->pruned) return STET_OK;
    looking->bytes += row->data.size;
    return change_parse(staging_arena(looking->staging), row->data, doc, err);
}

static doc_node find(const struct doc *doc, stet_view pointer) {
    return doc->count == 0 ? DOC_NONE : doc_pointer(doc, pointer);
}

/*
 * Every open value that differs between the newer version and the older one was written by the newer one. Who replaced a plain
 * value lost it alone: they had decided about what stood there before. A list, or what a rule puts together, has something
 * of everybody who changed it since the base.
 */
static stet_status settle_open(struct looking *looking, const struct doc *older, bool last,
                               stet_error *err) {
    size_t kept = 0;
    for (size_t i = 0; i < looking->open_count; i++) {
        struct open_value *value = &looking->open[i];
        doc_node node = find(&looking->newer_doc, value->pointer);
        looking->steps++;
        if (!doc_equal(older, find(older, value->pointer), &looking->newer_doc, node) ||
            (last && !value->told)) {
            /* One version alone may be too much to tell apart, while everybody waits. */
            if (looking->steps > OVERWRITE_STEPS_MAX) {
                looking->whole = true;
                return add_whole(looking, &looking->newer, err);
            }
            stet_status status = value->told
                                     ? add_another(looking, value->pointer, &looking->newer, err)
                                     : add(looking, value->pointer, &looking->newer, err);
            if (status != STET_OK) return status;
            value->told = true;
            if (!value->gathers &&
                (node == DOC_NONE || doc_kind(&looking->newer_doc, node) != DOC_ARRAY))
                continue;
        }
        looking->open[kept++] = *value;
    }
    looking->open_count = kept;
    return STET_OK;
}

/* One version further back. base: it is the one the writer started from. */
static stet_status look(struct looking *looking, const struct store_change *older, bool base,
                        stet_error *err) {
    struct doc doc;
    stet_status status = STET_OK;
    if (!looking->whole && looking->newer_doc.count == 0 && looking->newer.op != STORE_DELETE)
        status = read_doc(looking, &looking->newer, &looking->newer_doc, err);
    if (status == STET_OK && !looking->whole) {
        status = read_doc(looking, older, &doc, err);
        if (status == STET_OK) status = settle_open(looking, &doc, base, err);
        looking->newer_doc = doc;
    }
    if (status != STET_OK) return status;
    looking->newer = *older;
    if (looking->open_count > 0 &&
        (looking->bytes > OVERWRITE_BYTES_MAX || looking->steps > OVERWRITE_STEPS_MAX))
        looking->whole = true;
    if (looking->whole && !base) return add_whole(looking, older, err);
    return STET_OK;
}

/* ---- All --------------------------------------------------------------------------------- */

stet_status losses_check(uint64_t base_version, const struct store_head *head, stet_error *err) {
    uint64_t first = head->version - head->ordinal; /* The version before the record's first. */
    uint64_t behind = head->version - (base_version > first ? base_version : first);
    if (behind <= OVERWRITE_VERSIONS_MAX) return STET_OK;
    error_set(err, STET_CONCURRENT_MODIFICATION,
              "the write was made from more than %d versions ago: it is too late to tell whose "
              "work it would overwrite",
              OVERWRITE_VERSIONS_MAX);
    error_field(err, "base_version", OVERWRITE_VERSIONS_MAX);
    return STET_CONCURRENT_MODIFICATION;
}

/* Whether the writer overwrites only what is theirs, which needs no comparing. */
static stet_status only_own(struct looking *looking, struct way_back way, uint64_t base_version,
                            bool *own, stet_error *err) {
    struct store_change row;
    bool found = true;
    *own = true;
    if (!view_equal(looking->newer.by, looking->writer)) *own = false;
    while (*own && way.next_seq != 0 && !way.in_store) {
        stet_status status = step(&way, &row, &found, err);
        if (status != STET_OK) return status;
        if (!found || row.version <= base_version) return STET_OK;
        *own = view_equal(row.by, looking->writer);
    }
    if (way.in_store) *own = false;
    return STET_OK;
}

static stet_status open_values(struct looking *looking, const struct mutation *mutation,
                               const stet_view *pointers, size_t pointer_count, stet_error *err) {
    struct arena *arena = staging_arena(looking->staging);
    const struct policy *policy = policy_staged(looking->staging->space, mutation->type);
    looking->open = arena_zalloc(arena, pointer_count + 1, sizeof *looking->open);
    if (looking->open == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
    for (size_t i = 0; i < pointer_count; i++) {
        struct open_value *value = &looking->open[looking->open_count++];
        value->pointer = pointers[i];
        if (rules_gather(arena, policy == NULL ? NULL : policy->rules, value->pointer,
                         &value->gathers) != STET_OK)
            return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
    }
    return STET_OK;
}

stet_status losses_find(struct staging *staging, const struct mutation *mutation,
                        const struct store_head *head, uint64_t base_version,
                        const stet_view *pointers, size_t pointer_count, struct losses *losses,
                        stet_error *err) {
    struct looking looking = {
        .staging = staging, .writer = staging->command->actor.id, .whole = pointers == NULL};
    struct way_back way = {.staging = staging,
                           .mutation = mutation,
                           .next_seq = head->seq,
                           .below = head->version + 1};
    struct store_change row;
    bool found = true, own;
    *losses = (struct losses){0};
    if (pointers != NULL && pointer_count == 0) return STET_OK;
    stet_status status = losses_check(base_version, head, err);
    if (status != STET_OK) return status;
    status = open_values(&looking, mutation, pointers, pointer_count, err);
    if (status != STET_OK) return status;
    status = step(&way, &looking.newer, &found, err);
    if (status == STET_OK && !found)
        status = error_set(err, STET_CONCURRENT_MODIFICATION,
                           "it is not known whose work the write would overwrite");
    if (status != STET_OK) return status;
    status = only_own(&looking, way, base_version, &own, err);
    if (status != STET_OK || own) return status;
    if (looking.whole) status = add_whole(&looking, &looking.newer, err);
    while (status == STET_OK && found && looking.newer.version > base_version &&
           (looking.whole || looking.open_count > 0)) {
        status = step(&way, &row, &found, err);
        if (status == STET_OK && found)
            status = look(&looking, &row, row.version <= base_version, err);
    }
    /* The way ended early: whoever made the oldest version that is known. */
    for (size_t i = 0; status == STET_OK && i < looking.open_count && !looking.whole; i++)
        status = add_another(&looking, looking.open[i].pointer, &looking.newer, err);
    if (status != STET_OK) return status;
    *losses = (struct losses){.items = looking.items, .count = looking.count};
    return STET_OK;
}

stet_status losses_pointers(struct arena *arena, const struct doc *base, const struct doc *current,
                            const struct doc *result, stet_view **pointers, size_t *count,
                            stet_error *err) {
    struct doc_difference *differences = NULL;
    size_t difference_count = 0;
    stet_status status = doc_diff(arena, base, current, &differences, &difference_count, err);
    if (status != STET_OK) return status;
    *count = 0;
    *pointers = arena_alloc(arena, (difference_count + 1) * sizeof **pointers);
    if (*pointers == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a merge");
    for (size_t i = 0; i < difference_count; i++) {
        const struct doc_difference *difference = &differences[i];
        if (result != NULL &&
            doc_equal(current, difference->b, result, doc_pointer(result, difference->pointer)))
            continue;
        (*pointers)[(*count)++] = difference->pointer;
    }
    return STET_OK;
}
