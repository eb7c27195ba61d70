#include "core/query_plan.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

#include <assert.h>

/* What one index can do for a query. */
struct offer {
    const struct index_def *index;
    struct expr_bounds bounds[INDEX_FIELDS_MAX];
    size_t equal_count; /* Leading fields with one value each. */
    /* What the field after them may be: one range, or several values; not both. */
    bool ranged;
    bool listed;
    bool ordered; /* Its order is the one asked for. */
    bool reverse;
};

/* ---- Values ------------------------------------------------------------------------------ */

/* False: a list or an object, which no index finds. */
static bool value_of(struct arena *arena, const struct doc *doc, doc_node node,
                     struct index_value *value, stet_status *status) {
    switch (doc_kind(doc, node)) {
    case DOC_NULL: value->kind = INDEX_NULL; return true;
    case DOC_FALSE: value->kind = INDEX_FALSE; return true;
    case DOC_TRUE: value->kind = INDEX_TRUE; return true;
    case DOC_NUMBER:
        value->kind = INDEX_NUMBER;
        value->text = doc_text(doc, node);
        return true;
    case DOC_STRING:
        value->kind = INDEX_STRING;
        if (doc_string(arena, doc, node, &value->text) != STET_OK) *status = STET_NO_MEMORY;
        return true;
    case DOC_ARRAY:
    case DOC_OBJECT: break;
    }
    return false;
}

static bool is_scalar(const struct doc *doc, doc_node node) {
    enum doc_kind kind = doc_kind(doc, node);
    return kind != DOC_ARRAY && kind != DOC_OBJECT;
}

/* null is also what is absent, which is another key: two values, so not an equality an index can go on behind. */
static bool is_one_value(const struct expr_bounds *bounds) {
    return bounds->kind == EXPR_BOUNDS_POINT && is_scalar(bounds->doc, bounds->point) &&
           doc_kind(bounds->doc, bounds->point) != DOC_NULL;
}

static bool is_one_range(const struct expr_bounds *bounds) {
    return bounds->kind == EXPR_BOUNDS_RANGE || bounds->kind == EXPR_BOUNDS_PREFIX ||
           (bounds->kind == EXPR_BOUNDS_POINT && doc_kind(bounds->doc, bounds->point) == DOC_NULL);
}

static bool is_some_values(const struct expr_bounds *bounds) {
    if (bounds->kind != EXPR_BOUNDS_POINTS) return false;
    for (doc_node child = doc_first(bounds->doc, bounds->point); child != DOC_NONE;
         child = doc_next(bounds->doc, child)) {
        if (!is_scalar(bounds->doc, child)) return false;
    }
    return true;
}

/* ---- What an index offers ---------------------------------------------------------------- */

static bool has_one_value(const struct offer *offer, stet_view pointer) {
    for (size_t index = 0; index < offer->equal_count; index++) {
        if (view_equal(offer->index->fields[index].pointer, pointer)) return true;
    }
    return false;
}

/* Whether the index has its records in the order asked for: fields with one value order nothing. */
static void judge_order(const struct query *query, struct offer *offer) {
    const struct index_def *def = offer->index;
    size_t at = offer->equal_count;
    bool any = false;
    if (offer->listed) return;
    for (size_t index = 0; index < query->sort_count; index++) {
        const struct query_sort *sort = &query->sort[index];
        if (sort->field.meta == EXPR_META_NONE && has_one_value(offer, sort->field.pointer))
            continue;
        if (sort->field.meta != EXPR_META_NONE || at == def->field_count ||
            !view_equal(def->fields[at].pointer, sort->field.pointer))
            return;
        bool turned = def->fields[at].descending != sort->descending;
        if (any && turned != offer->reverse) return;
        offer->reverse = turned;
        any = true;
        at++;
    }
    offer->ordered = true;
}

static void judge(const struct plan_request *request, const struct index_def *def,
                  struct offer *offer) {
    *offer = (struct offer){.index = def};
    for (size_t field = 0; request->bounds != NULL && field < def->field_count; field++) {
        struct expr_bounds *bounds = &offer->bounds[field];
        expr_bounds(request->bounds, def->fields[field].pointer, bounds);
        if (is_one_value(bounds)) {
            offer->equal_count++;
            continue;
        }
        offer->ranged = is_one_range(bounds);
        offer->listed = is_some_values(bounds);
        break;
    }
    judge_order(request->query, offer);
}

static int bounds_worth(const struct offer *offer) {
    return (int)offer->equal_count * 4 + (offer->listed ? 3 : offer->ranged ? 2 : 0);
}

/* Narrow and in order is best, then narrow, then in order. */
static int worth(const struct offer *offer) {
    int bounds = bounds_worth(offer);
    if (offer->ordered) bounds += bounds > 0 ? 100 : 1;
    return bounds;
}

/* ---- Ranges ------------------------------------------------------------------------------ */

/* One range: the equal fields, and what bounds the next one. point: of a list of values, or DOC_NONE. */
static stet_status make_range(struct arena *arena, const struct offer *offer, doc_node point,
                              struct plan_range *out) {
    struct index_value equal[INDEX_FIELDS_MAX];
    struct index_value low = {.kind = INDEX_ABSENT};
    struct index_value high = {.kind = INDEX_NULL};
    struct index_query query = {.equal = equal, .equal_count = offer->equal_count};
    stet_status status = STET_OK;
    const struct expr_bounds *bounds =
        offer->equal_count < offer->index->field_count ? &offer->bounds[offer->equal_count] : NULL;
    for (size_t field = 0; field < offer->equal_count; field++)
        (void)value_of(arena, offer->bounds[field].doc, offer->bounds[field].point, &equal[field],
                       &status);
    if (point != DOC_NONE) {
        (void)value_of(arena, bounds->doc, point, &low, &status);
        high = low;
        if (low.kind == INDEX_NULL) low.kind = INDEX_ABSENT;
        query.low = &low;
        query.high = &high;
    } else if (offer->ranged) {
        doc_node from = bounds->kind == EXPR_BOUNDS_PREFIX ? bounds->point : bounds->low;
        bool null = bounds->kind == EXPR_BOUNDS_POINT;
        if (null || from != DOC_NONE) query.low = &low;
        if (null || bounds->high != DOC_NONE) query.high = &high;
        if (from != DOC_NONE && !null) (void)value_of(arena, bounds->doc, from, &low, &status);
        if (bounds->high != DOC_NONE)
            (void)value_of(arena, bounds->doc, bounds->high, &high, &status);
        query.above_low = bounds->low_exclusive;
        query.below_high = bounds->high_exclusive;
        query.prefix = bounds->kind == EXPR_BOUNDS_PREFIX;
    }
    if (status != STET_OK) return status;
    return index_range(arena, offer->index, &query, &out->from, &out->to);
}

static bool same_range(const struct plan_range *a, const struct plan_range *b) {
    return view_equal(a->from, b->from) && view_equal(a->to, b->to);
}

/* Ranges of several values; equal values give equal ranges, which count once. */
static stet_status make_ranges(struct arena *arena, const struct offer *offer, struct plan *plan) {
    const struct expr_bounds *bounds = offer->listed ? &offer->bounds[offer->equal_count] : NULL;
    size_t count = bounds == NULL ? 1 : doc_count(bounds->doc, bounds->point);
    plan->ranges = arena_zalloc(arena, count + 1, sizeof *plan->ranges);
    plan->range_count = 0;
    if (plan->ranges == NULL) return STET_NO_MEMORY;
    if (bounds == NULL) {
        plan->range_count = 1;
        return make_range(arena, offer, DOC_NONE, &plan->ranges[0]);
    }
    for (doc_node child = doc_first(bounds->doc, bounds->point); child != DOC_NONE;
         child = doc_next(bounds->doc, child)) {
        struct plan_range *range = &plan->ranges[plan->range_count];
        bool known = false;
        stet_status status = make_range(arena, offer, child, range);
        if (status != STET_OK) return status;
        for (size_t index = 0; index < plan->range_count && !known; index++)
            known = same_range(&plan->ranges[index], range);
        if (!known) plan->range_count++;
    }
    return STET_OK;
}

static stet_status count_entries(struct store_reader *reader, const struct plan *plan,
                                 uint64_t *total, stet_error *err) {
    *total = 0;
    for (size_t index = 0; index < plan->range_count && *total <= SCAN_RECORDS_MAX; index++) {
        struct store_entry_range range = {.index = plan->index->number,
                                          .from = plan->ranges[index].from,
                                          .to = plan->ranges[index].to};
        uint64_t count = 0;
        stet_status status =
            store_entries_count(reader, &range, SCAN_RECORDS_MAX + 1 - *total, &count, err);
        if (status != STET_OK) return status;
        *total += count;
    }
    return STET_OK;
}

/* ---- The index that would help ----------------------------------------------------------- */

void plan_render_field(struct json_writer *writer, const struct index_field *field) {
    char text[1024];
    bool fits = field->pointer.size < sizeof text;
    if (!field->descending || !fits) {
        json_text(writer, field->pointer); /* A longer one is nobody's to read anyway. */
        return;
    }
    text[0] = '-';
    memcpy(text + 1, field->pointer.bytes, field->pointer.size);
    json_text(writer, view_make(text, field->pointer.size + 1));
}

static void suggest_field(struct json_writer *writer, stet_view pointer, bool descending,
                          stet_view *named, size_t *count) {
    if (*count == INDEX_FIELDS_MAX) return;
    for (size_t index = 0; index < *count; index++) {
        if (view_equal(named[index], pointer)) return;
    }
    named[(*count)++] = pointer;
    plan_render_field(writer, &(struct index_field){pointer, descending});
}

/* First what has one value, then what is sorted by, then what has several or a range. */
static void suggest(const struct plan_request *request, struct json_writer *writer, size_t *count) {
    const struct query *query = request->query;
    stet_view fields[INDEX_FIELDS_MAX];
    stet_view named[INDEX_FIELDS_MAX];
    struct expr_bounds bounds;
    size_t bounded = request->bounds == NULL
                         ? 0
                         : expr_bounded_fields(request->bounds, fields, INDEX_FIELDS_MAX);
    size_t field_count = 0;
    for (size_t index = 0; index < bounded; index++)
        if (!sight_may_hide(request->sight, fields[index])) fields[field_count++] = fields[index];
    for (size_t index = 0; index < field_count; index++) {
        expr_bounds(request->bounds, fields[index], &bounds);
        if (is_one_value(&bounds)) suggest_field(writer, fields[index], false, named, count);
    }
    for (size_t index = 0; index < query->sort_count; index++) {
        if (query->sort[index].field.meta != EXPR_META_NONE) break;
        suggest_field(writer, query->sort[index].field.pointer, query->sort[index].descending,
                      named, count);
    }
    for (size_t index = 0; index < field_count; index++) {
        expr_bounds(request->bounds, fields[index], &bounds);
        if (!is_one_range(&bounds) && !is_some_values(&bounds)) continue;
        suggest_field(writer, fields[index], false, named, count);
        break;
    }
}

static stet_status index_required(struct arena *arena, const struct plan_request *request,
                                  stet_view *index, stet_error *err) {
    struct buffer buffer;
    struct json_writer writer;
    size_t count = 0;
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    json_array_begin(&writer);
    suggest(request, &writer, &count);
    json_array_end(&writer);
    if (json_end(&writer) != STET_OK)
        return error_set(err, STET_NO_MEMORY, "out of memory for a list");
    if (count > 0) {
        *index = buffer_view(&buffer);
        error_set(err, STET_INDEX_REQUIRED,
                  "this list would look at more than %d records; declare the index %.*s",
                  SCAN_RECORDS_MAX, VIEW_ARG(*index));
    } else {
        error_set(
            err, STET_INDEX_REQUIRED,
            "this list would look at more than %d records, and compares no field in a way that "
            "an index could help with",
            SCAN_RECORDS_MAX);
    }
    error_field(err,
                request->query->sort_count == 0 || request->query->where != NULL ? "where" : "sort",
                SCAN_RECORDS_MAX);
    return STET_INDEX_REQUIRED;
}

/* ---- Choosing ---------------------------------------------------------------------------- */

/* As the store has its records anyway. */
static bool is_by_id(const struct query *query) {
    return query->sort_count == 0 || (query->sort_count == 1 && !query->sort[0].descending &&
                                      query->sort[0].field.meta == EXPR_META_ID);
}

static void plan_without_index(const struct query *query, bool count_all, struct plan *plan) {
    bool by_id = is_by_id(query);
    *plan = (struct plan){.kind = by_id && !count_all ? PLAN_IDS : PLAN_SCAN,
                          .key = by_id ? PLAN_KEY_ID : PLAN_KEY_SORT};
}

static stet_status plan_with(struct arena *arena, const struct query *query,
                             const struct offer *offer, bool count_all, struct plan *plan,
                             stet_error *err) {
    bool early = offer->ordered && !count_all;
    bool by_index = offer->ordered || query->sort_count == 0;
    *plan = (struct plan){.kind = early ? PLAN_ORDERED : PLAN_CANDIDATES,
                          .index = offer->index,
                          .key = by_index ? PLAN_KEY_INDEX : PLAN_KEY_SORT,
                          .reverse = offer->ordered && offer->reverse};
    if (make_ranges(arena, offer, plan) != STET_OK)
        return error_set(err, STET_NO_MEMORY, "out of memory for a list");
    return STET_OK;
}

/* Whether its order would tell of values that the viewer may not see. */
static bool is_out_of_sight(const struct sight *sight, const struct index_def *index) {
    for (size_t i = 0; i < index->field_count; i++)
        if (sight_may_hide(sight, index->fields[i].pointer)) return true;
    return false;
}

/* The best index that `fits`; NULL in best->index: none. */
static void best_offer(const struct plan_request *request, bool ordered, struct offer *best) {
    const struct policy *policy = request->policy;
    *best = (struct offer){0};
    for (size_t index = 0; policy != NULL && index < policy->index_count; index++) {
        struct offer offer;
        /* Spans say nothing of a record's fields. */
        if (policy->indexes[index]->exclusive != NULL) continue;
        if (is_out_of_sight(request->sight, policy->indexes[index])) continue;
        judge(request, policy->indexes[index], &offer);
        /* Without a sort every order will do, which is no reason to use an index. */
        if (bounds_worth(&offer) == 0 && (request->query->sort_count == 0 || !offer.ordered))
            continue;
        if (ordered && !offer.ordered) continue;
        if (best->index == NULL || worth(&offer) > worth(best)) *best = offer;
    }
}

static stet_status expired(stet_error *err) {
    error_set(err, STET_CURSOR_EXPIRED,
              "the index of this list is gone; start it again without \"after\"");
    error_field(err, "after", 0);
    return STET_CURSOR_EXPIRED;
}

/* As the page before was made. Its cursor is genuine, so what does not fit is what changed since. */
static stet_status plan_again(struct arena *arena, const struct plan_request *request,
                              struct plan *plan, stet_error *err) {
    const struct policy *policy = request->policy;
    const struct cursor *cursor = request->cursor;
    if (cursor->index == 0) {
        plan_without_index(request->query, request->count_all, plan);
        return STET_OK;
    }
    for (size_t index = 0; policy != NULL && index < policy->index_count; index++) {
        struct offer offer;
        if (policy->indexes[index]->number != cursor->index ||
            is_out_of_sight(request->sight, policy->indexes[index]))
            continue;
        judge(request, policy->indexes[index], &offer);
        stet_status status =
            plan_with(arena, request->query, &offer, request->count_all, plan, err);
        if (status == STET_OK && plan->reverse != cursor->reverse) return expired(err);
        return status;
    }
    return expired(err);
}

/* A list that only its viewer's rights narrow can always go through all records by id. */
static bool is_plain(const struct plan_request *request) {
    return request->query->where == NULL && is_by_id(request->query) && !request->count_all;
}

stet_status plan_choose(struct arena *arena, struct store_reader *reader,
                        const struct plan_request *request, struct plan *plan, stet_view *index,
                        stet_error *err) {
    const struct query *query = request->query;
    bool count_all = request->count_all;
    struct offer best;
    uint64_t entries = 0;
    stet_status status;
    if (request->cursor != NULL) return plan_again(arena, request, plan, err);
    best_offer(request, false, &best);
    if (best.index != NULL) {
        status = plan_with(arena, query, &best, count_all, plan, err);
        if (status != STET_OK || plan->kind == PLAN_ORDERED) return status;
        status = count_entries(reader, plan, &entries, err);
        if (status != STET_OK || entries <= SCAN_RECORDS_MAX) return status;
        best_offer(request, true, &best);
        if (best.index != NULL && !count_all)
            return plan_with(arena, query, &best, count_all, plan, err);
        if (!is_plain(request)) return index_required(arena, request, index, err);
    }
    plan_without_index(query, count_all, plan);
    if (is_plain(request)) return STET_OK;
    if (request->live > SCAN_RECORDS_MAX) return index_required(arena, request, index, err);
    return STET_OK;
}
