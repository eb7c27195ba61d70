/*
 * A read set: what a computation outside the sequencer looked at, so that its writes are committed only if all of that is still so.
 * Points are records by version (absent ones included), ranges are index keys or whole types: a record that came to match since
 * (a phantom) is a change, too. With it transactions of functions are strictly serializable: Kung and Robinson, "On optimistic
 * methods for concurrency control" (1981), backward validation, with ranges of index keys in the place of predicates.
 *
 * Filled on one thread in a command's arena; validated on the sequencer's.
 */
#ifndef CORE_READSET_H
#define CORE_READSET_H

#include "core/staging.h"

struct read_point {
    stet_view type, id;
    uint64_t version; /* Of the head that was seen; 0: it never existed. Tombstones have theirs. */
};

struct read_range {
    stet_view type;
    uint32_t index;     /* 0: every record of the type. */
    stet_view from, to; /* from <= key < to; to empty: no bound. */
};

struct read_set {
    struct arena *arena;
    uint64_t seq; /* Of the snapshot. */
    bool current; /* It was read through the staging itself, so nothing can have moved. */
    struct read_point *points;
    size_t point_count, point_capacity;
    uint32_t *slots; /* Of a point by its name, + 1; slot_count of them, a power of two. */
    size_t slot_count;
    struct read_range *ranges;
    size_t range_count, range_capacity;
};

void read_set_init(struct read_set *set, struct arena *arena, uint64_t seq);

/*
 * Copies what they are given. A point that is there already is not added again, nor is a range that lies within one that is there. Not
 * bounded by themselves: who fills one bounds it. STET_NO_MEMORY.
 */
stet_status read_set_point(struct read_set *set, stet_view type, stet_view id, uint64_t version,
                           stet_error *err);
stet_status read_set_range(struct read_set *set, const struct read_range *range, stet_error *err);

/* What was read of a record already; NULL: nothing. */
const struct read_point *read_set_find(const struct read_set *set, stet_view type, stet_view id);

/*
 * Whether everything is as it was read, changes staged before this command included.
 *
 * @param stale  Out, may be NULL: with STET_CONCURRENT_MODIFICATION the address of a record, or the type of a range, that moved;
 *               in the staging's arena.
 * @return STET_OK, STET_CONCURRENT_MODIFICATION (also when the ring of key changes no longer reaches back to set->seq),
 *         STET_IO, STET_CORRUPT, STET_NO_MEMORY
 */
stet_status staging_validate_reads(struct staging *staging, const struct read_set *set,
                                   stet_view *stale, stet_error *err);

#endif
