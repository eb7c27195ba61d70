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

#include "core/access.h"
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

/* What a plan is chosen by. */
struct plan_request {
    const struct policy *policy; /* Has the indexes; may be NULL. */
    /* Who looks: indexes on what may be hidden from them are not for them. */
    const struct sight *sight;
    const struct query *query;
    /* What holds for every record of the list: query->where, and what the viewer's read rule demands. NULL: nothing. */
    const struct expr *bounds;
    uint64_t live;  /* Records of the type. */
    bool count_all; /* Everything that matches will be counted, so nothing can stop early. */
    /* Of the page before, or NULL: a list goes on as it began, and one whose index is gone is STET_CURSOR_EXPIRED. */
    const struct cursor *cursor;
};

/* STET_INDEX_REQUIRED: *index is the one that would help, a JSON array, or empty. */
stet_status plan_choose(struct arena *arena, struct store_reader *reader,
                        const struct plan_request *request, struct plan *plan, stet_view *index,
                        stet_error *err);

/* As type definitions name a field of an index: its pointer, "-" before one that is descending. */
void plan_render_field(struct json_writer *writer, const struct index_field *field);

#endif
