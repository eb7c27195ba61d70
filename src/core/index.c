/*
 * Upkeep of indexes while changes are staged: entries, unique values, the ring of changed keys, and rows that nobody needs.
 */
#include "core/index.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/engine.h"
#include "core/exclusive.h"
#include "core/index_internal.h"
#include "core/policy.h"
#include "core/render.h"
#include "core/spans.h"

#include <assert.h>
#include <stdlib.h>

/* ---- The space's part ------------------------------------------------------------------------------------------------ */

stet_status indexes_create(struct indexes **indexes, struct store *store, stet_error *err) {
    struct store_reader *reader = store_writer_reader(store);
    struct indexes *created = calloc(1, sizeof *created);
    uint32_t numbers[64];
    size_t count = sizeof numbers / sizeof numbers[0];
    if (created == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a space");
    created->next_number = STORE_INDEX_FIRST;
    created->ring_floor = created->type_floor = store_state(store)->seq;
    while (count == sizeof numbers / sizeof numbers[0]) {
        stet_status status =
            store_entry_indexes(reader, created->next_number - 1, count, numbers, &count, err);
        if (status != STET_OK) {
            indexes_destroy(created);
            return status;
        }
        if (count > 0) created->next_number = numbers[count - 1] + 1;
    }
    const struct store_entry_range forks = {.index = STORE_INDEX_FORK};
    uint64_t fork_count;
    stet_status status = store_entries_count(reader, &forks, 1, &fork_count, err);
    if (status != STET_OK) {
        indexes_destroy(created);
        return status;
    }
    created->has_forks = fork_count > 0;
    *indexes = created;
    return STET_OK;
}

void indexes_destroy(struct indexes *indexes) {
    if (indexes == NULL) return;
    while (indexes->build_count > 0)
        index_build_free(indexes->builds[--indexes->build_count]);
    free(indexes->ring);
    free(indexes->type_changes);
    free(indexes->retired);
    free(indexes);
}

uint32_t index_number_new(struct space *space) {
    assert(space->indexes->next_number < UINT32_MAX);
    return space->indexes->next_number++;
}

void index_number_taken(struct space *space, uint32_t number) {
    if (number >= space->indexes->next_number) space->indexes->next_number = number + 1;
}

/* ---- Who has a value ------------------------------------------------------------------------------------------------- */

/* The latest change of a record that is staged in the batch; NULL: none is. */
static const struct change *staged_change(const struct batch *batch, uint64_t record) {
    for (size_t i = batch->change_count; i-- > 0;)
        if (batch->changes[i]->row.first == record) return batch->changes[i];
    return NULL;
}

stet_status index_record_now(struct space *space, struct batch *batch, struct arena *arena,
                             uint64_t record, bool with_data, struct store_change *row,
                             stet_error *err) {
    struct store_head head;
    const struct change *staged = staged_change(batch, record);
    if (staged != NULL) {
        *row = staged->row;
        return STET_OK;
    }
    return store_records_of(store_writer_reader(space->store), arena, &record, 1, with_data, &head,
                            row, err);
}

stet_status index_address_of(struct space *space, struct batch *batch, struct arena *arena,
                             uint64_t record, stet_view *address, stet_error *err) {
    struct store_change row;
    struct buffer buffer;
    stet_status status = index_record_now(space, batch, arena, record, false, &row, err);
    if (status != STET_OK) return status;
    buffer_init(&buffer, arena, 0);
    address_format(&buffer, row.type, row.id);
    if (buffer_status(&buffer) != STET_OK)
        return error_set(err, STET_NO_MEMORY, "out of memory for an address");
    *address = buffer_view(&buffer);
    return STET_OK;
}

/* Whether a record that has the same key has the same values, too. */
static stet_status has_values(struct space *space, struct batch *batch, struct arena *arena,
                              const struct index_def *def, bool exact, const struct doc *doc,
                              uint64_t record, bool *has, stet_error *err) {
    struct store_change row;
    struct doc other;
    *has = true;
    if (exact) return STET_OK;
    stet_status status = index_record_now(space, batch, arena, record, true, &row, err);
    if (status == STET_OK) status = change_parse(arena, row.data, &other, err);
    if (status != STET_OK) return status;
    for (size_t i = 0; *has && i < def->field_count; i++) {
        *has = doc_equal(doc, doc_pointer(doc, def->fields[i].pointer), &other,
                         doc_pointer(&other, def->fields[i].pointer));
    }
    return STET_OK;
}

const struct store_entry *index_staged_entry(const struct batch *batch, uint32_t index,
                                             stet_view key, uint64_t record) {
    const struct store_entry *entry = NULL;
    while ((entry = batch_find_entry(batch, index, key, entry)) != NULL)
        if (entry->record == record) break;
    return entry;
}

stet_status index_holder(struct space *space, struct batch *batch, struct arena *arena,
                         const struct index_def *def, const struct index_key_parts *parts,
                         const struct doc *doc, uint64_t record, uint64_t *holder,
                         stet_error *err) {
    enum { PAGE = 16 };
    const struct store_entry *entry = NULL;
    bool has = false;
    stet_status status;
    *holder = 0;
    while ((entry = batch_find_entry(batch, def->number, parts->key, entry)) != NULL) {
        if (entry->record == record || entry->remove ||
            index_staged_entry(batch, def->number, parts->key, entry->record) != entry)
            continue;
        status = has_values(space, batch, arena, def, parts->exact, doc, entry->record, &has, err);
        if (status != STET_OK) return status;
        if (has) *holder = entry->record;
        if (has) return STET_OK;
    }
    /* No key begins another, so this range holds one. */
    struct store_entry_row rows[PAGE];
    struct store_entry_range range = {.index = def->number, .from = parts->key};
    char *end = arena_bytes(arena, parts->key.size + 1);
    size_t count = PAGE;
    if (end == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for an index");
    memcpy(end, parts->key.bytes, parts->key.size);
    end[parts->key.size] = '\0';
    range.to = view_make(end, parts->key.size + 1);
    while (count == PAGE) {
        status = store_entries_scan(store_writer_reader(space->store), arena, &range, PAGE, rows,
                                    &count, err);
        if (status != STET_OK) return status;
        for (size_t i = 0; i < count; i++) {
            if (rows[i].record == record ||
                index_staged_entry(batch, def->number, parts->key, rows[i].record) != NULL)
                continue;
            status =
                has_values(space, batch, arena, def, parts->exact, doc, rows[i].record, &has, err);
            if (status != STET_OK) return status;
            if (has) *holder = rows[i].record;
            if (has) return STET_OK;
        }
        if (count > 0) {
            range.after_key = rows[count - 1].key;
            range.after_record = rows[count - 1].record;
        }
    }
    return STET_OK;
}

/* ---- Staging --------------------------------------------------------------------------------------------------------- */

bool index_concerns(const struct space *space, const struct policy *policy, stet_view type) {
    return (policy != NULL && policy->index_count > 0) || index_build_of(space, type) != NULL;
}

/* What index_stage collects before it changes anything. */
struct stager {
    struct space *space;
    struct batch *batch;
    struct arena *arena;
    const struct index_change *change;
    struct doc before, after;
    bool has_before, has_after;
    struct store_entry *entries;
    size_t entry_count, entry_capacity;
    stet_view *taken_by;
    stet_error *err;
};

/* Room for so many more. */
static stet_status make_room(struct stager *stager, size_t more) {
    if (stager->entry_count + more <= stager->entry_capacity) return STET_OK;
    size_t capacity = 2 * stager->entry_capacity + more;
    struct store_entry *grown = arena_zalloc(stager->arena, capacity, sizeof *grown);
    if (grown == NULL) return error_set(stager->err, STET_NO_MEMORY, "out of memory for an index");
    memcpy(grown, stager->entries, stager->entry_count * sizeof *grown);
    stager->entries = grown;
    stager->entry_capacity = capacity;
    return STET_OK;
}

static void collect(struct stager *stager, uint32_t index, stet_view key, bool remove) {
    assert(stager->entry_count < stager->entry_capacity);
    stager->entries[stager->entry_count++] = (struct store_entry){
        .index = index, .key = key, .record = stager->change->record, .remove = remove};
}

static stet_status refuse_taken(struct stager *stager, const struct index_def *def,
                                uint64_t holder) {
    stet_view address;
    stet_status status = index_address_of(stager->space, stager->batch, stager->arena, holder,
                                          &address, stager->err);
    if (status != STET_OK) return status;
    if (stager->taken_by != NULL) *stager->taken_by = address;
    error_set(stager->err, STET_UNIQUE_VIOLATION, "\"%.*s\" has this value already",
              VIEW_ARG(address));
    error_field_view(stager->err, def->fields[0].pointer, 0);
    return STET_UNIQUE_VIOLATION;
}

/* One command holds up all others for as long as it takes to book what it books. */
static stet_status check_spans(struct stager *stager, const struct index_def *def, size_t more) {
    const struct batch *batch = stager->batch;
    size_t there = batch->entry_count - batch->entry_mark + stager->entry_count;
    if (there + more <= SPANS_PER_REQUEST_MAX) return STET_OK;
    error_set(stager->err, STET_TOO_LARGE,
              "is one booking too many for one request, with %d in all", SPANS_PER_REQUEST_MAX);
    error_field_view(stager->err, def->exclusive->start.pointer, SPANS_PER_REQUEST_MAX);
    return STET_TOO_LARGE;
}

/* What a change does to an index of spans: those that stay are not touched, and not judged. */
static stet_status stage_spans(struct stager *stager, const struct index_def *def,
                               struct index_build *build) {
    struct index_span_keys old = {0}, new = {0};
    stet_status status = STET_OK;
    /* What was booked must be found again, whatever it takes. */
    uint64_t *after_steps = build == NULL ? &stager->batch->rule_steps : NULL;
    if (stager->has_before)
        status =
            index_span_keys(stager->arena, def, &stager->before, true, NULL, &old, stager->err);
    if (status == STET_OK && stager->has_after)
        status = index_span_keys(stager->arena, def, &stager->after, build != NULL, after_steps,
                                 &new, stager->err);
    if (status == STET_OK && new.count > 0) status = check_spans(stager, def, new.count);
    if (status == STET_OK) status = make_room(stager, old.count + new.count);
    if (status != STET_OK) return status;
    for (size_t i = 0, j = 0; i < old.count || j < new.count;) {
        int order = i == old.count   ? 1
                    : j == new.count ? -1
                                     : view_compare(old.keys[i], new.keys[j]);
        if (order < 0) collect(stager, def->number, old.keys[i], true);
        /* While the index is filled the old entry may be missing yet. */
        if (order > 0 || (order == 0 && build != NULL))
            collect(stager, def->number, new.keys[j], false);
        if (order > 0 && build != NULL) {
            status = index_build_judge(stager->space, stager->batch, build, def, new.keys[j],
                                       stager->change->record, stager->err);
            if (status != STET_OK) return status;
        }
        i += order <= 0;
        j += order >= 0;
    }
    return STET_OK;
}

/* build: what the index is being filled for, which refuses nothing yet; NULL: it is declared. */
static stet_status stage_index(struct stager *stager, const struct index_def *def,
                               struct index_build *build) {
    const struct index_change *change = stager->change;
    struct index_key_parts old = {0}, new = {0};
    uint64_t holder = 0;
    stet_status status = STET_OK;
    if (def->exclusive != NULL) return stage_spans(stager, def, build);
    if (stager->has_before) status = index_key_make(stager->arena, def, &stager->before, &old);
    if (status == STET_OK && stager->has_after)
        status = index_key_make(stager->arena, def, &stager->after, &new);
    if (status != STET_OK) return error_set(stager->err, status, "out of memory for an index");
    status = make_room(stager, 2);
    if (status != STET_OK) return status;
    if (view_equal(old.key, new.key)) {
        /* While the index is filled the old entry may be missing yet; and a value that stays may be shared. */
        if (build == NULL || new.key.size == 0) return STET_OK;
    } else if (old.key.size > 0) {
        collect(stager, def->number, old.key, true);
    }
    if (new.key.size == 0) return STET_OK;
    collect(stager, def->number, new.key, false);
    if (!def->unique || new.gap) return STET_OK;
    status = index_holder(stager->space, stager->batch, stager->arena, def, &new, &stager->after,
                          change->record, &holder, stager->err);
    if (status != STET_OK || holder == 0) return status;
    if (build == NULL) return refuse_taken(stager, def, holder);
    index_build_suspect(build, def, new.key);
    return STET_OK;
}

static stet_status number_key(struct stager *stager, uint64_t number, uint64_t second,
                              stet_view *key) {
    uint8_t bytes[2 * STORE_NUMBER_BYTES];
    store_number_key(number, bytes);
    store_number_key(second, bytes + STORE_NUMBER_BYTES);
    *key = arena_copy(stager->arena,
                      view_make(bytes, second == 0 ? STORE_NUMBER_BYTES : sizeof bytes));
    if (key->bytes == NULL)
        return error_set(stager->err, STET_NO_MEMORY, "out of memory for an index");
    return STET_OK;
}

/* A tombstone is nobody's child. */
static stet_status stage_tree(struct stager *stager) {
    const struct index_change *change = stager->change;
    stet_view key;
    stet_status status = STET_OK;
    if (change->parent_before != change->parent_after && change->parent_before != 0) {
        status = number_key(stager, change->parent_before, 0, &key);
        if (status == STET_OK) collect(stager, STORE_INDEX_PARENT, key, true);
    }
    if (status == STET_OK && change->parent_before != change->parent_after &&
        change->parent_after != 0) {
        status = number_key(stager, change->parent_after, 0, &key);
        if (status == STET_OK) collect(stager, STORE_INDEX_PARENT, key, false);
    }
    if (status == STET_OK && change->fork != 0) {
        status = number_key(stager, change->fork, change->fork_version, &key);
        if (status == STET_OK) collect(stager, STORE_INDEX_FORK, key, false);
        stager->space->indexes->has_forks = true;
    }
    return status;
}

static stet_status parse_sides(struct stager *stager) {
    const struct index_change *change = stager->change;
    stet_status status = STET_OK;
    stager->has_before = change->before.size > 0;
    stager->has_after = change->after.size > 0;
    if (stager->has_before)
        status = change_parse(stager->arena, change->before, &stager->before, stager->err);
    if (status == STET_OK && stager->has_after)
        status = change_parse(stager->arena, change->after, &stager->after, stager->err);
    return status;
}

stet_status index_stage(struct space *space, struct batch *batch, struct arena *arena,
                        const struct policy *policy, const struct index_change *change,
                        stet_view *taken_by, stet_error *err) {
    struct index_build *build = index_build_of(space, change->type);
    size_t declared = policy == NULL ? 0 : policy->index_count;
    size_t filling = build == NULL ? 0 : build->count;
    bool in_tree = change->parent_before != change->parent_after || change->fork != 0;
    if (declared + filling == 0 && !in_tree) return STET_OK;
    struct stager stager = {.space = space,
                            .batch = batch,
                            .arena = arena,
                            .change = change,
                            .taken_by = taken_by,
                            .err = err};
    stager.entry_capacity = 2 * (declared + filling) + 3;
    stager.entries = arena_zalloc(arena, stager.entry_capacity, sizeof *stager.entries);
    if (stager.entries == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for an index");
    stet_status status = stage_tree(&stager);
    if (status == STET_OK && declared + filling > 0) status = parse_sides(&stager);
    for (size_t i = 0; status == STET_OK && i < declared; i++) {
        index_number_taken(space, policy->indexes[i]->number);
        status = stage_index(&stager, policy->indexes[i], NULL);
    }
    for (size_t i = 0; status == STET_OK && i < filling; i++)
        status = stage_index(&stager, &build->defs[i], build);
    if (status == STET_OK) status = batch_reserve_entries(batch, stager.entry_count, err);
    if (status != STET_OK) return status;
    for (size_t i = 0; i < stager.entry_count; i++)
        batch_add_entry(batch, &stager.entries[i]);
    return STET_OK;
}

stet_status index_is_forked(struct space *space, const struct batch *batch, uint64_t record,
                            uint64_t version, bool *forked, stet_error *err) {
    uint8_t from[2 * STORE_NUMBER_BYTES], to[2 * STORE_NUMBER_BYTES];
    uint64_t count;
    *forked = false;
    if (!space->indexes->has_forks) return STET_OK;
    store_number_key(record, from);
    store_number_key(version, from + STORE_NUMBER_BYTES);
    store_number_key(record, to);
    store_number_key(version + 1, to + STORE_NUMBER_BYTES);
    const struct store_entry_range range = {.index = STORE_INDEX_FORK,
                                            .from = view_make(from, sizeof from),
                                            .to = view_make(to, sizeof to)};
    stet_status status =
        store_entries_count(store_writer_reader(space->store), &range, 1, &count, err);
    *forked = status == STET_OK &&
              (count > 0 || (batch != NULL &&
                             batch_find_entry(batch, STORE_INDEX_FORK, range.from, NULL) != NULL));
    return status;
}

/* ---- The ring -------------------------------------------------------------------------------------------------------- */

/* <0, 0, >0 as the key of a slot lies before, at or behind a bound; 0 also when it is cut where they would differ. */
static int slot_compare(const struct index_ring_slot *slot, stet_view bound) {
    size_t size = slot->size < bound.size ? slot->size : bound.size;
    int order = memcmp(slot->key, bound.bytes, size);
    if (order != 0) return order;
    if (slot->cut && bound.size >= slot->size) return 0;
    return (slot->size > bound.size) - (slot->size < bound.size);
}

static bool slot_within(const struct index_ring_slot *slot, stet_view from, stet_view to) {
    if (from.size > 0 && slot_compare(slot, from) < 0) return false;
    if (to.size == 0) return true;
    int order = slot_compare(slot, to);
    return order < 0 || (order == 0 && slot->cut);
}

static bool key_within(stet_view key, stet_view from, stet_view to) {
    return view_compare(key, from) >= 0 && (to.size == 0 || view_compare(key, to) < 0);
}

enum index_changed index_changed_since(const struct space *space, const struct batch *batch,
                                       uint32_t index, stet_view from, stet_view to, uint64_t seq) {
    const struct indexes *indexes = space->indexes;
    if (seq < indexes->ring_floor) return INDEX_UNKNOWN;
    for (size_t i = 0; i < batch->entry_mark; i++) {
        const struct store_entry *entry = &batch->entries[i];
        if (entry->index == index && key_within(entry->key, from, to)) return INDEX_CHANGED;
    }
    uint64_t oldest =
        indexes->ring_count < INDEX_RING_MAX ? 0 : indexes->ring_count - INDEX_RING_MAX;
    for (uint64_t at = indexes->ring_count; at-- > oldest;) {
        const struct index_ring_slot *slot = &indexes->ring[at % INDEX_RING_MAX];
        if (slot->seq <= seq) break;
        if (slot->index == index && slot_within(slot, from, to)) return INDEX_CHANGED;
    }
    return INDEX_UNCHANGED;
}

static uint64_t *type_place(const struct space *space, stet_view type) {
    return &space->indexes->type_changes[view_hash(type, space->hash_seed) % TYPE_CHANGES_KEPT];
}

enum index_changed type_changed_since(const struct space *space, const struct batch *batch,
                                      stet_view type, uint64_t seq) {
    const struct indexes *indexes = space->indexes;
    if (seq < indexes->type_floor) return INDEX_UNKNOWN;
    if (indexes->type_changes != NULL && *type_place(space, type) > seq) return INDEX_CHANGED;
    for (size_t i = 0; i < batch->change_count; i++)
        if (view_equal(batch->changes[i]->row.type, type)) return INDEX_CHANGED;
    return INDEX_UNCHANGED;
}

static void note_types(struct space *space, const struct batch *batch) {
    struct indexes *indexes = space->indexes;
    if (batch->change_count == 0) return;
    if (indexes->type_changes == NULL)
        indexes->type_changes = calloc(TYPE_CHANGES_KEPT, sizeof *indexes->type_changes);
    if (indexes->type_changes == NULL) {
        indexes->type_floor = space->seq; /* What is not remembered is unknown. */
        return;
    }
    for (size_t i = 0; i < batch->change_count; i++)
        *type_place(space, batch->changes[i]->row.type) = batch->changes[i]->row.seq;
}

/* An entry does not say of which change it is; the last seq of its batch is as good, as nobody has seen a part of a batch. */
void index_publish(struct space *space, const struct batch *batch) {
    struct indexes *indexes = space->indexes;
    note_types(space, batch);
    if (batch->entry_count == 0) return;
    if (indexes->ring == NULL) {
        indexes->ring = calloc(INDEX_RING_MAX, sizeof *indexes->ring);
        if (indexes->ring == NULL) {
            /* What is not remembered is unknown. */
            indexes->ring_floor = space->seq;
            return;
        }
    }
    for (size_t i = 0; i < batch->entry_count; i++) {
        const struct store_entry *entry = &batch->entries[i];
        struct index_ring_slot *slot = &indexes->ring[indexes->ring_count % INDEX_RING_MAX];
        if (indexes->ring_count >= INDEX_RING_MAX) indexes->ring_floor = slot->seq;
        indexes->ring_count++;
        slot->seq = space->seq;
        slot->index = entry->index;
        slot->cut = entry->key.size > INDEX_RING_KEY_BYTES;
        slot->size = (uint16_t)(slot->cut ? INDEX_RING_KEY_BYTES : entry->key.size);
        memcpy(slot->key, entry->key.bytes, slot->size);
    }
}

/* ---- Getting rid of rows --------------------------------------------------------------------------------------------- */

void index_retire_at(struct space *space, uint32_t number, int64_t at) {
    struct indexes *indexes = space->indexes;
    for (size_t i = 0; i < indexes->retired_count; i++)
        if (indexes->retired[i].number == number) return;
    if (indexes->retired_count == indexes->retired_capacity) {
        size_t capacity = indexes->retired_capacity == 0 ? 16 : 2 * indexes->retired_capacity;
        struct index_retired *grown = realloc(indexes->retired, capacity * sizeof *grown);
        if (grown == NULL) return; /* The next open finds it. */
        indexes->retired = grown;
        indexes->retired_capacity = capacity;
    }
    indexes->retired[indexes->retired_count++] = (struct index_retired){.number = number, .at = at};
    if (at == 0) space->chores = true;
}

/* A list that began while the index was declared may still be reading it. */
void index_retire(struct space *space, uint32_t number) {
    index_retire_at(space, number,
                    clock_monotonic_ns(space->engine->clock) + INDEX_RETIRE_S * CLOCK_NS_PER_S);
}

stet_status index_retire_others(struct space *space, bool (*known)(void *context, uint32_t number),
                                void *context, stet_error *err) {
    struct store_reader *reader = store_writer_reader(space->store);
    uint32_t numbers[64], after = STORE_INDEX_FIRST - 1;
    size_t count = sizeof numbers / sizeof numbers[0];
    while (count == sizeof numbers / sizeof numbers[0]) {
        stet_status status = store_entry_indexes(reader, after, count, numbers, &count, err);
        if (status != STET_OK) return status;
        for (size_t i = 0; i < count; i++)
            if (!known(context, numbers[i])) index_retire_at(space, numbers[i], 0);
        if (count > 0) after = numbers[count - 1];
    }
    return STET_OK;
}

/* The one whose time is next; NULL when there is none. */
static struct index_retired *next_retired(const struct indexes *indexes) {
    struct index_retired *next = NULL;
    for (size_t i = 0; i < indexes->retired_count; i++)
        if (next == NULL || indexes->retired[i].at < next->at) next = &indexes->retired[i];
    return next;
}

int64_t index_next(const struct space *space) {
    const struct index_retired *next = next_retired(space->indexes);
    return next == NULL ? MODULE_NEVER : next->at;
}

bool index_maintain(struct space *space, int64_t now) {
    struct indexes *indexes = space->indexes;
    struct index_retired *retired = next_retired(indexes);
    size_t dropped;
    stet_error err = {0};
    if (retired == NULL || retired->at > now) return false;
    stet_status status =
        store_entries_drop(space->store, retired->number, INDEX_DROP_ROWS, &dropped, &err);
    if (status != STET_OK) {
        /* Nobody waits for it: the next open tries again. */
        if (status == STET_COMMIT_UNKNOWN) atomic_store(&space->halted, true);
        engine_report(space->engine, STET_REPORT_ERROR,
                      "space \"%s\": rows of a former index could not be removed: %s (%s)",
                      space->name, err.message, err.cause);
        indexes->retired_count = 0;
        return false;
    }
    if (dropped < INDEX_DROP_ROWS) *retired = indexes->retired[--indexes->retired_count];
    return index_next(space) <= now;
}
