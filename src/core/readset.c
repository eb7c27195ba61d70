/*
 * See core/readset.h. Points are found by a table of their names, as a run may read thousands; ranges are few and looked through.
 *
 * What the sequencer compares. A point: the head's version, which names its data for ever. A range of an index: whether a key in it came
 * or went (the ring of key changes), while the index is still declared; records whose keys stayed are points of their own. A whole
 * type: when any of its records changed last.
 */
#include "core/readset.h"

#include "base/error.h"
#include "base/view.h"
#include "core/engine.h"
#include "core/index.h"
#include "core/policy.h"
#include "core/render.h"

#include <assert.h>

enum { SLOTS_FIRST = 32, ITEMS_FIRST = 8 };

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for what was read");
}

void read_set_init(struct read_set *set, struct arena *arena, uint64_t seq) {
    *set = (struct read_set){.arena = arena, .seq = seq};
}

/* ---- Points ------------------------------------------------------------------------------ */

static uint64_t name_hash(stet_view type, stet_view id) {
    return view_hash(id, view_hash(type, 0));
}

/* The slot of a name: where it is, or where it would go. */
static uint32_t *find_slot(const struct read_set *set, stet_view type, stet_view id) {
    size_t mask = set->slot_count - 1;
    for (size_t at = name_hash(type, id) & mask;; at = (at + 1) & mask) {
        if (set->slots[at] == 0) return &set->slots[at];
        const struct read_point *point = &set->points[set->slots[at] - 1];
        if (view_equal(point->id, id) && view_equal(point->type, type)) return &set->slots[at];
    }
}

const struct read_point *read_set_find(const struct read_set *set, stet_view type, stet_view id) {
    if (set->slot_count == 0) return NULL;
    const uint32_t *slot = find_slot(set, type, id);
    return *slot == 0 ? NULL : &set->points[*slot - 1];
}

/* Room for one more; a table at most half full, so that looking ends soon. */
static stet_status grow_points(struct read_set *set, stet_error *err) {
    if (set->point_count == set->point_capacity) {
        size_t capacity = set->point_capacity == 0 ? ITEMS_FIRST : 2 * set->point_capacity;
        struct read_point *points = arena_alloc(set->arena, capacity * sizeof *points);
        if (points == NULL) return no_memory(err);
        if (set->point_count > 0) memcpy(points, set->points, set->point_count * sizeof *points);
        set->points = points;
        set->point_capacity = capacity;
    }
    if (2 * (set->point_count + 1) <= set->slot_count) return STET_OK;
    size_t count = set->slot_count == 0 ? SLOTS_FIRST : 2 * set->slot_count;
    uint32_t *slots = arena_zalloc(set->arena, count, sizeof *slots);
    if (slots == NULL) return no_memory(err);
    set->slots = slots;
    set->slot_count = count;
    for (size_t i = 0; i < set->point_count; i++)
        *find_slot(set, set->points[i].type, set->points[i].id) = (uint32_t)i + 1;
    return STET_OK;
}

stet_status read_set_point(struct read_set *set, stet_view type, stet_view id, uint64_t version,
                           stet_error *err) {
    if (read_set_find(set, type, id) != NULL) return STET_OK;
    stet_status status = grow_points(set, err);
    if (status != STET_OK) return status;
    struct read_point *point = &set->points[set->point_count];
    *point = (struct read_point){
        .type = arena_copy(set->arena, type), .id = arena_copy(set->arena, id), .version = version};
    if (point->type.bytes == NULL || point->id.bytes == NULL) return no_memory(err);
    *find_slot(set, point->type, point->id) = (uint32_t)++set->point_count;
    return STET_OK;
}

/* ---- Ranges ------------------------------------------------------------------------------ */

static bool is_within(const struct read_range *inner, const struct read_range *outer) {
    if (!view_equal(inner->type, outer->type)) return false;
    if (outer->index == 0) return true;
    return inner->index == outer->index && view_compare(inner->from, outer->from) >= 0 &&
           (outer->to.size == 0 || (inner->to.size > 0 && view_compare(inner->to, outer->to) <= 0));
}

stet_status read_set_range(struct read_set *set, const struct read_range *range, stet_error *err) {
    for (size_t i = 0; i < set->range_count; i++)
        if (is_within(range, &set->ranges[i])) return STET_OK;
    if (set->range_count == set->range_capacity) {
        size_t capacity = set->range_capacity == 0 ? ITEMS_FIRST : 2 * set->range_capacity;
        struct read_range *ranges = arena_alloc(set->arena, capacity * sizeof *ranges);
        if (ranges == NULL) return no_memory(err);
        if (set->range_count > 0) memcpy(ranges, set->ranges, set->range_count * sizeof *ranges);
        set->ranges = ranges;
        set->range_capacity = capacity;
    }
    struct read_range *copy = &set->ranges[set->range_count];
    *copy = (struct read_range){.type = arena_copy(set->arena, range->type),
                                .index = range->index,
                                .from = arena_copy(set->arena, range->from),
                                .to = arena_copy(set->arena, range->to)};
    if (copy->type.bytes == NULL || copy->from.bytes == NULL || copy->to.bytes == NULL)
        return no_memory(err);
    set->range_count++;
    return STET_OK;
}

/* ---- Validation -------------------------------------------------------------------------- */

/* An index that is no longer declared is no longer kept, so nothing would be seen in it. */
static bool is_declared(const struct space *space, const struct read_range *range) {
    const struct policy *policy = policy_staged(space, range->type);
    for (size_t i = 0; policy != NULL && i < policy->index_count; i++)
        if (policy->indexes[i]->number == range->index) return true;
    return false;
}

static bool has_moved(struct staging *staging, const struct read_range *range, uint64_t seq) {
    enum index_changed changed =
        range->index == 0 ? type_changed_since(staging->space, staging->batch, range->type, seq)
                          : index_changed_since(staging->space, staging->batch, range->index,
                                                range->from, range->to, seq);
    return changed != INDEX_UNCHANGED || (range->index != 0 && !is_declared(staging->space, range));
}

static stet_status moved_record(struct staging *staging, const struct read_point *point,
                                stet_view *stale, stet_error *err) {
    struct buffer buffer;
    buffer_init(&buffer, staging_arena(staging), 0);
    address_format(&buffer, point->type, point->id);
    if (buffer_status(&buffer) != STET_OK) return no_memory(err);
    if (stale != NULL) *stale = buffer_view(&buffer);
    return error_set(err, STET_CONCURRENT_MODIFICATION, "\"%.*s\" changed since it was read",
                     VIEW_ARG(buffer_view(&buffer)));
}

stet_status staging_validate_reads(struct staging *staging, const struct read_set *set,
                                   stet_view *stale, stet_error *err) {
    struct space *space = staging->space;
    struct store_reader *reader = store_writer_reader(space->store);
    if (set->current || space->engine->seams.unvalidated_reads) return STET_OK;
    for (size_t i = 0; i < set->point_count; i++) {
        const struct read_point *point = &set->points[i];
        struct store_head *head;
        stet_status status = heads_get(&space->heads, reader, point->type, point->id, &head, err);
        if (status != STET_OK) return status;
        if (head->version != point->version) return moved_record(staging, point, stale, err);
    }
    for (size_t i = 0; i < set->range_count; i++) {
        if (!has_moved(staging, &set->ranges[i], set->seq)) continue;
        if (stale != NULL) *stale = set->ranges[i].type;
        return error_set(err, STET_CONCURRENT_MODIFICATION,
                         "records of type \"%.*s\" changed since they were listed",
                         VIEW_ARG(set->ranges[i].type));
    }
    return STET_OK;
}
