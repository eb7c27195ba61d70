/*
 * Filling an index that is declared over existing records, while writes go on. core/index.h tells the steps.
 *
 * Why nothing is missed: from index_build_begin on every staged change keeps the new indexes. A chunk is read later, so it shows each
 * record as it was then, or newer; and it is put in only for records whose head is still the one that was read. A record
 * that changed in between had its entries staged with that change.
 */
#include "core/index.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/exclusive.h"
#include "core/heads.h"
#include "core/index_internal.h"
#include "core/spans.h"

#include <assert.h>
#include <stdlib.h>

struct index_build *index_build_of(const struct space *space, stet_view type) {
    const struct indexes *indexes = space->indexes;
    for (size_t i = 0; i < indexes->build_count; i++)
        if (view_equal(indexes->builds[i]->type, type)) return indexes->builds[i];
    return NULL;
}

/* ---- Beginning and ending -------------------------------------------------------------------------------------------- */

void index_build_free(struct index_build *build) {
    struct arena arena = build->arena; /* It holds the build, too. */
    arena_done(&arena);
}

static bool copy_defs(struct index_build *build, const struct index_def *defs, size_t count) {
    struct arena *arena = &build->arena;
    build->defs = arena_zalloc(arena, count, sizeof *build->defs);
    if (build->defs == NULL) return false;
    for (size_t i = 0; i < count; i++) {
        struct index_field *fields = arena_zalloc(arena, defs[i].field_count, sizeof *fields);
        if (fields == NULL) return false;
        for (size_t k = 0; k < defs[i].field_count; k++) {
            fields[k].descending = defs[i].fields[k].descending;
            fields[k].pointer = arena_copy(arena, defs[i].fields[k].pointer);
            if (fields[k].pointer.bytes == NULL) return false;
        }
        build->defs[i] = defs[i];
        build->defs[i].fields = fields;
    }
    build->count = count;
    return true;
}

stet_status index_build_begin(struct space *space, stet_view type, const struct index_def *defs,
                              size_t count, struct index_build **build, stet_error *err) {
    struct indexes *indexes = space->indexes;
    struct arena arena;
    if (index_build_of(space, type) != NULL)
        return error_set(err, STET_BUSY, "indexes of type \"%.*s\" are being filled already",
                         VIEW_ARG(type));
    if (indexes->build_count == INDEX_BUILDS_MAX) {
        error_set(err, STET_BUSY, "the indexes of too many types are being filled");
        error_field(err, "index", INDEX_BUILDS_MAX);
        return STET_BUSY;
    }
    arena_init(&arena, 4096);
    struct index_build *created = arena_zalloc(&arena, 1, sizeof *created);
    if (created != NULL) {
        created->arena = arena;
        created->type = arena_copy(&created->arena, type);
        created->suspects =
            arena_zalloc(&created->arena, INDEX_COLLISIONS_MAX, sizeof *created->suspects);
    }
    if (created == NULL || created->type.bytes == NULL || created->suspects == NULL ||
        !copy_defs(created, defs, count)) {
        arena_done(created == NULL ? &arena : &created->arena);
        return error_set(err, STET_NO_MEMORY, "out of memory for an index");
    }
    indexes->builds[indexes->build_count++] = created;
    *build = created;
    return STET_OK;
}

void index_build_end(struct space *space, struct index_build *build, bool kept) {
    struct indexes *indexes = space->indexes;
    if (build == NULL) return;
    for (size_t i = 0; i < indexes->build_count; i++) {
        if (indexes->builds[i] != build) continue;
        indexes->builds[i] = indexes->builds[--indexes->build_count];
        break;
    }
    for (size_t i = 0; !kept && i < build->count; i++)
        index_retire_at(space, build->defs[i].number, 0);
    index_build_free(build);
}

/* ---- On a worker ----------------------------------------------------------------------------------------------------- */

static stet_status row_keys(struct arena *arena, const struct index_build *build,
                            const struct store_change *change, struct index_chunk_row *row,
                            stet_error *err) {
    struct doc doc;
    struct index_key_parts *keys = arena_zalloc(arena, build->count, sizeof *keys);
    struct index_span_keys *spans = arena_zalloc(arena, build->count, sizeof *spans);
    if (keys == NULL || spans == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for an index");
    stet_status status = change_parse(arena, change->data, &doc, err);
    for (size_t i = 0; status == STET_OK && i < build->count; i++) {
        if (build->defs[i].exclusive != NULL) {
            status = index_span_keys(arena, &build->defs[i], &doc, true, NULL, &spans[i], err);
            continue;
        }
        status = index_key_make(arena, &build->defs[i], &doc, &keys[i]);
        if (status != STET_OK) error_set(err, status, "out of memory for an index");
    }
    row->keys = keys;
    row->spans = spans;
    return status;
}

stet_status index_build_chunk(const struct index_build *build, struct store_reader *reader,
                              struct arena *arena, stet_view after_id, struct index_chunk *chunk,
                              stet_error *err) {
    struct store_row *heads = arena_zalloc(arena, INDEX_BUILD_CHUNK, sizeof *heads);
    struct index_chunk_row *rows = arena_zalloc(arena, INDEX_BUILD_CHUNK, sizeof *rows);
    size_t found, count = 0;
    if (heads == NULL || rows == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for an index");
    stet_status status =
        store_scan(reader, arena, build->type, after_id, INDEX_BUILD_CHUNK, heads, &found, err);
    for (size_t i = 0; status == STET_OK && i < found; i++) {
        struct store_change change;
        if (heads[i].head.deleted) continue;
        status = store_change_at(reader, arena, heads[i].head.seq, &change, err);
        if (status != STET_OK) break;
        /* Written anew and pruned since its head was read: staged with that change. */
        if (change.pruned) continue;
        rows[count] = (struct index_chunk_row){
            .id = heads[i].id, .record = heads[i].head.first, .seq = heads[i].head.seq};
        status = row_keys(arena, build, &change, &rows[count++], err);
    }
    if (status != STET_OK) return status;
    *chunk = (struct index_chunk){
        .rows = rows,
        .count = count,
        .last = found < INDEX_BUILD_CHUNK,
        .next = found == 0 ? after_id : heads[found - 1].id,
    };
    return STET_OK;
}

/* ---- On the sequencer ------------------------------------------------------------------------------------------------ */

/* slot: NULL where it is a value. */
static void suspect(struct index_build *build, const struct index_def *def, stet_view key,
                    const struct slot *slot) {
    for (size_t i = 0; i < build->suspect_count; i++) {
        const struct index_suspect *other = &build->suspects[i];
        if (other->def == def && view_equal(other->key, key) &&
            (slot == NULL || (other->slot.record == slot->record &&
                              other->slot.begin == slot->begin && other->slot.end == slot->end)))
            return;
    }
    stet_view copy = {0};
    if (build->suspect_count < INDEX_COLLISIONS_MAX) copy = arena_copy(&build->arena, key);
    if (copy.bytes == NULL) {
        build->more_suspects = true;
        return;
    }
    build->suspects[build->suspect_count] = (struct index_suspect){.def = def, .key = copy};
    if (slot != NULL) build->suspects[build->suspect_count].slot = *slot;
    build->suspect_count++;
}

void index_build_suspect(struct index_build *build, const struct index_def *def, stet_view key) {
    suspect(build, def, key, NULL);
}

stet_status index_build_judge(struct space *space, struct batch *batch, struct index_build *build,
                              const struct index_def *def, stet_view key, uint64_t record,
                              stet_error *err) {
    struct slot_list hits = {0};
    struct slot slot;
    stet_view resource;
    bool room = true;
    if (!slot_of_key(key, record, &resource, &slot)) return STET_OK;
    stet_status status = spans_collide(space, batch, def, resource, &slot, NULL, &hits, &room, err);
    if (status == STET_OK && !room) {
        suspect(build, def, resource, &slot);
        for (size_t i = 0; i < hits.count; i++)
            suspect(build, def, resource, &hits.slots[i]);
    }
    slot_list_done(&hits);
    return status;
}

/* Whether the head is still the one that was read, what is staged included. */
static stet_status is_as_read(struct space *space, struct batch *batch,
                              const struct index_chunk_row *row, bool *same, stet_error *err) {
    struct store_head head;
    *same = false;
    for (size_t i = batch->change_count; i-- > 0;)
        if (batch->changes[i]->row.first == row->record) return STET_OK;
    stet_status status = store_records_of(store_writer_reader(space->store), NULL, &row->record, 1,
                                          false, &head, NULL, err);
    *same = status == STET_OK && head.seq == row->seq;
    return status;
}

/* Each is taken into the cache at once, for the next one to meet it. */
static stet_status fill_spans(struct space *space, struct batch *batch, struct index_build *build,
                              const struct index_def *def, const struct index_span_keys *keys,
                              uint64_t record, stet_error *err) {
    stet_status status = batch_reserve_entries(batch, keys->count, err);
    for (size_t i = 0; status == STET_OK && i < keys->count; i++) {
        const struct store_entry entry = {
            .index = def->number, .key = keys->keys[i], .record = record};
        status = index_build_judge(space, batch, build, def, entry.key, record, err);
        if (status != STET_OK) break;
        batch_add_entry(batch, &entry);
        spans_accept(space, batch);
        batch->entry_mark = batch->entry_count;
    }
    return status;
}

static stet_status fill_row(struct space *space, struct batch *batch, struct arena *arena,
                            struct index_build *build, const struct index_chunk_row *row,
                            stet_error *err) {
    bool same;
    stet_status status = is_as_read(space, batch, row, &same, err);
    if (status == STET_OK && same) status = batch_reserve_entries(batch, build->count, err);
    for (size_t i = 0; status == STET_OK && same && i < build->count; i++) {
        const struct index_def *def = &build->defs[i];
        const struct index_key_parts *parts = &row->keys[i];
        if (def->exclusive != NULL) {
            status = fill_spans(space, batch, build, def, &row->spans[i], row->record, err);
            continue;
        }
        const struct store_entry entry = {
            .index = def->number, .key = parts->key, .record = row->record};
        batch_add_entry(batch, &entry);
        if (!def->unique || parts->gap) continue;
        /* That a key is shared is enough to suspect it. */
        const struct index_key_parts by_key = {.key = parts->key, .exact = true};
        uint64_t holder;
        status = index_holder(space, batch, arena, def, &by_key, NULL, row->record, &holder, err);
        if (status == STET_OK && holder != 0) index_build_suspect(build, def, parts->key);
    }
    return status;
}

stet_status index_build_fill(struct space *space, struct batch *batch, struct arena *arena,
                             struct index_build *build, const struct index_chunk *chunk,
                             stet_error *err) {
    assert(batch->entry_count == batch->entry_mark);
    for (size_t i = 0; i < chunk->count; i++) {
        stet_status status = fill_row(space, batch, arena, build, &chunk->rows[i], err);
        if (status != STET_OK) return status;
    }
    /* They say what is so, whatever becomes of the command: its refusal, or its next hop, leaves them in the batch. */
    batch->entry_mark = batch->entry_count;
    return STET_OK;
}

/* ---- Collisions ------------------------------------------------------------------------------------------------------ */

/* The records under a key, what is staged included: at most holder_max of them. */
static stet_status holders_of(struct space *space, struct batch *batch, struct arena *arena,
                              const struct index_suspect *suspect, uint64_t *holders,
                              size_t holder_max, size_t *count, stet_error *err) {
    const struct store_entry *entry = NULL;
    struct store_entry_row *rows = arena_zalloc(arena, holder_max, sizeof *rows);
    uint8_t end[INDEX_KEY_BYTES_MAX + 1];
    size_t found;
    *count = 0;
    if (rows == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for an index");
    assert(suspect->key.size < sizeof end);
    memcpy(end, suspect->key.bytes, suspect->key.size);
    end[suspect->key.size] = 0;
    const struct store_entry_range range = {.index = suspect->def->number,
                                            .from = suspect->key,
                                            .to = view_make(end, suspect->key.size + 1)};
    stet_status status = store_entries_scan(store_writer_reader(space->store), arena, &range,
                                            holder_max, rows, &found, err);
    if (status != STET_OK) return status;
    for (size_t i = 0; i < found; i++)
        if (index_staged_entry(batch, range.index, suspect->key, rows[i].record) == NULL)
            holders[(*count)++] = rows[i].record;
    while (*count < holder_max &&
           (entry = batch_find_entry(batch, range.index, suspect->key, entry)) != NULL) {
        if (!entry->remove &&
            index_staged_entry(batch, range.index, suspect->key, entry->record) == entry)
            holders[(*count)++] = entry->record;
    }
    return STET_OK;
}

/* Where the key is not exact, only those count whose values another one has. */
static stet_status sort_out(struct space *space, struct batch *batch, struct arena *arena,
                            const struct index_suspect *suspect, uint64_t *holders, size_t *count,
                            stet_error *err) {
    size_t kept = 0;
    if (index_key_is_exact(suspect->key)) return STET_OK;
    for (size_t i = 0; i < *count; i++) {
        uint64_t other;
        struct index_key_parts parts = {.key = suspect->key, .exact = false};
        struct store_change row;
        struct doc doc;
        stet_status status = index_record_now(space, batch, arena, holders[i], true, &row, err);
        if (status == STET_OK) status = change_parse(arena, row.data, &doc, err);
        if (status == STET_OK)
            status = index_holder(space, batch, arena, suspect->def, &parts, &doc, holders[i],
                                  &other, err);
        if (status != STET_OK) return status;
        if (other != 0) holders[kept++] = holders[i];
    }
    *count = kept;
    return STET_OK;
}

stet_status index_build_collisions(struct space *space, struct batch *batch, struct arena *arena,
                                   const struct index_build *build,
                                   struct index_collision *examples, size_t example_max,
                                   size_t *example_count, uint64_t *collisions, bool *more,
                                   stet_error *err) {
    enum { HOLDERS_MAX = 256 };
    uint64_t holders[HOLDERS_MAX];
    *example_count = 0;
    *collisions = 0;
    *more = build->more_suspects;
    for (size_t i = 0; i < build->suspect_count; i++) {
        const struct index_suspect *suspect = &build->suspects[i];
        size_t count;
        if (suspect->def->exclusive != NULL) continue;
        stet_status status =
            holders_of(space, batch, arena, suspect, holders, HOLDERS_MAX, &count, err);
        if (status == STET_OK) *more = *more || count == HOLDERS_MAX;
        if (status == STET_OK)
            status = sort_out(space, batch, arena, suspect, holders, &count, err);
        if (status != STET_OK) return status;
        if (count < 2) continue;
        *collisions += count - 1;
        if (*example_count == example_max) continue;
        struct index_collision *example = &examples[(*example_count)++];
        example->index = suspect->def->number;
        status = index_address_of(space, batch, arena, holders[1], &example->address, err);
        if (status == STET_OK)
            status = index_address_of(space, batch, arena, holders[0], &example->taken_by, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

stet_status index_build_overlaps(struct space *space, struct batch *batch, struct arena *arena,
                                 const struct index_build *build, struct index_collision *examples,
                                 size_t example_max, size_t *example_count, uint64_t *overlaps,
                                 bool *more, stet_error *err) {
    struct slot_list hits = {0};
    stet_status status = STET_OK;
    *example_count = 0;
    *overlaps = 0;
    *more = build->more_suspects;
    for (size_t i = 0; status == STET_OK && i < build->suspect_count; i++) {
        const struct index_suspect *one = &build->suspects[i];
        bool there, room;
        if (one->def->exclusive == NULL) continue;
        status =
            spans_collide(space, batch, one->def, one->key, &one->slot, &there, &hits, &room, err);
        if (status != STET_OK || room || !there) continue;
        ++*overlaps;
        if (*example_count == example_max) continue;
        struct index_collision *example = &examples[(*example_count)++];
        example->index = one->def->number;
        status = index_address_of(space, batch, arena, one->slot.record, &example->address, err);
        if (status == STET_OK)
            status = index_address_of(space, batch, arena, hits.slots[0].record, &example->taken_by,
                                      err);
    }
    slot_list_done(&hits);
    return status;
}
