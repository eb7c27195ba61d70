/*
 * How a list finds its records. In order of preference:
 *
 *   ordered     one range of an index whose order is the one asked for: the page stops as soon as it is full.
 *   candidates  ranges of an index, sorted here: everything in them is looked at, at most SCAN_RECORDS_MAX entries.
 *   ids         all records in the order of their ids, for a list without a sort: the page stops as soon as it is full.
 *   scan        all records, sorted here.
 *
 * The last two look at every record of the type, and so does an ordered range without bounds that hardly anything in it matches (its
 * pages end early, though). A list that would have to look at more than SCAN_RECORDS_MAX is refused with the index that would help.
 *
 * A list without a sort comes in any order there is: by id, or as the index has it.
 */
#ifndef CORE_QUERY_PLAN_H
#define CORE_QUERY_PLAN_H

#include "core/cursor.h"
#include "core/index.h"
#include "core/policy.h"
#include "core/query.h"

enum plan_kind { PLAN_IDS, PLAN_ORDERED, PLAN_CANDIDATES, PLAN_SCAN };

struct plan_range {
    stet_view from, to; /* As index_range gives them. */
};

struct plan {
    enum plan_kind kind;
    const struct index_def *index; /* Of ORDERED and CANDIDATES; lives as long as the policy. */
    struct plan_range *ranges;     /* ORDERED: one. */
    size_t range_count;
    /* What orders the page: the index's keys, the query's sort keys, or ids. */
    enum { PLAN_KEY_INDEX, PLAN_KEY_SORT, PLAN_KEY_ID } key;
    bool reverse; /* From the greatest key down. */
};

/*
 * Chooses. policy may be NULL. cursor: of the page before, or NULL; a list goes on as it began, and one whose index is gone is
 * STET_CURSOR_EXPIRED. count_all: everything that matches will be counted, so nothing can stop early.
 *
 * STET_INDEX_REQUIRED: query->index is set.
 */
stet_status plan_choose(struct arena *arena, struct store_reader *reader,
                        const struct policy *policy, struct query *query, uint64_t live,
                        bool count_all, const struct cursor *cursor, struct plan *plan,
                        stet_error *err);

/* As type definitions name a field of an index: its pointer, "-" before one that is descending. */
void plan_render_field(struct json_writer *writer, const struct index_field *field);

#endif
