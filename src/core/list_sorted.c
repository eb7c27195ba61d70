/*
 * Pages of lists that are not in the order of ids: rows come from an index or from a scan of all heads, and the first `limit` of
 * them behind the cursor are kept in a heap, whose root is the one that would go next.
 *
 * Snapshots. Index entries are of the heads of now. A record whose head is not newer than the snapshot S is as the index says. All
 * others, those that changed after S, are found in the log of changes from S on: that is read *after* the index, so whatever the
 * index was read beside is in it. Each of them is looked at as of S and takes its place by its key at S; one that the index
 * had shown before it changed is the same row, and counts once. A scan of heads needs none of this: it meets every record.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/list.h"
#include "core/space.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Entries are read with their records' data, each perhaps DATA_BYTES_MAX long. */
enum { ENTRIES_CHUNK = 32, HEADS_CHUNK = 128, CHANGES_CHUNK = 64, CHANGES_BYTES = 1024 * 1024 };

struct sorted_row {
    uint8_t *key; /* Owned. */
    size_t size;
    size_t capacity;
    uint64_t record;
    uint64_t seq;          /* Of the change to show. */
    struct change *change; /* Itself, a reference; NULL: to be read again. */
};

struct sorted {
    struct list_page *page;
    struct sorted_row *rows; /* A heap while it is filled. */
    size_t count;
    size_t count_max;  /* One more than is shown: whether there is more. */
    size_t kept_bytes; /* Of the changes that rows hold. */
    bool early;        /* The index was left before its end, … */
    uint8_t *horizon;  /* … at this key and record: nothing behind it is known. Owned. */
    size_t horizon_size;
    uint64_t horizon_record;
    uint64_t *counted; /* With a total: records the index showed. Owned. */
    size_t counted_count;
    size_t counted_capacity;
    /* Numbers of records that changed after the snapshot; LIST_REWINDS_MAX. Owned. */
    uint64_t *changed;
    size_t changed_count;
    uint64_t changed_to; /* Changes were looked at up to here. */
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a list");
}

/* ---- Order ------------------------------------------------------------------------------- */

/* <0: a comes before b on the list. */
static int order_of(const struct sorted *sorted, stet_view a, uint64_t a_record, stet_view b,
                    uint64_t b_record) {
    int order = view_compare(a, b);
    if (order == 0) order = (a_record > b_record) - (a_record < b_record);
    return sorted->page->plan.reverse ? -order : order;
}

static stet_view key_of(const struct sorted_row *row) { return view_make(row->key, row->size); }

static bool before(const struct sorted *sorted, size_t a, size_t b) {
    const struct sorted_row *rows = sorted->rows;
    return order_of(sorted, key_of(&rows[a]), rows[a].record, key_of(&rows[b]), rows[b].record) < 0;
}

static void swap_rows(struct sorted *sorted, size_t a, size_t b) {
    struct sorted_row row = sorted->rows[a];
    sorted->rows[a] = sorted->rows[b];
    sorted->rows[b] = row;
}

static void sift_down(struct sorted *sorted, size_t at, size_t count) {
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count) return;
        if (child + 1 < count && before(sorted, child, child + 1)) child++;
        if (!before(sorted, at, child)) return;
        swap_rows(sorted, at, child);
        at = child;
    }
}

static void sift_up(struct sorted *sorted, size_t at) {
    while (at > 0 && before(sorted, (at - 1) / 2, at)) {
        swap_rows(sorted, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

/* Heapsort's second half: the rows in the order of the list. */
static void sort_rows(struct sorted *sorted) {
    for (size_t count = sorted->count; count > 1; count--) {
        swap_rows(sorted, 0, count - 1);
        sift_down(sorted, 0, count - 1);
    }
}

static void drop_change(struct sorted *sorted, struct sorted_row *row) {
    if (row->change != NULL) sorted->kept_bytes -= row->change->footprint;
    change_unref(row->change);
    row->change = NULL;
}

/* In the order of an index hardly any row is pushed out again: its change is worth keeping, up to what a page holds. */
static void keep_change(struct sorted *sorted, struct sorted_row *row,
                        const struct store_change *change) {
    if (sorted->page->plan.kind != PLAN_ORDERED) return;
    if (sorted->kept_bytes + change->data.size > LIST_PAGE_BYTES_MAX) return;
    row->change = change_from_row(change);
    if (row->change != NULL) sorted->kept_bytes += row->change->footprint;
}

static stet_status set_row(struct sorted *sorted, struct sorted_row *row, stet_view key,
                           const struct store_change *change, stet_error *err) {
    if (row->capacity < key.size) {
        uint8_t *bytes = realloc(row->key, key.size);
        if (bytes == NULL) return no_memory(err);
        row->key = bytes;
        row->capacity = key.size;
    }
    if (key.size > 0) memcpy(row->key, key.bytes, key.size);
    row->size = key.size;
    row->record = change->first;
    row->seq = change->seq;
    drop_change(sorted, row);
    keep_change(sorted, row, change);
    return STET_OK;
}

/* Keeps a row if it is among the first behind the cursor. */
static stet_status keep_row(struct sorted *sorted, stet_view key, const struct store_change *change,
                            stet_error *err) {
    const struct list_page *page = sorted->page;
    const struct sorted_row *last = &sorted->rows[0];
    uint64_t record = change->first;
    stet_status status;
    if (page->has_cursor &&
        order_of(sorted, key, record, page->cursor.key, page->cursor.record) <= 0)
        return STET_OK;
    if (sorted->count < sorted->count_max) {
        status = set_row(sorted, &sorted->rows[sorted->count], key, change, err);
        if (status == STET_OK) sift_up(sorted, sorted->count++);
        return status;
    }
    if (order_of(sorted, key, record, key_of(last), last->record) >= 0) return STET_OK;
    status = set_row(sorted, &sorted->rows[0], key, change, err);
    if (status == STET_OK) sift_down(sorted, 0, sorted->count);
    return status;
}

/* ---- Rows -------------------------------------------------------------------------------- */

static stet_status note_counted(struct sorted *sorted, uint64_t record, stet_error *err) {
    if (!sorted->page->command->list.total) return STET_OK;
    if (sorted->counted_count == sorted->counted_capacity) {
        size_t capacity = sorted->counted_capacity == 0 ? 256 : 2 * sorted->counted_capacity;
        uint64_t *counted = realloc(sorted->counted, capacity * sizeof *counted);
        if (counted == NULL) return no_memory(err);
        sorted->counted = counted;
        sorted->counted_capacity = capacity;
    }
    sorted->counted[sorted->counted_count++] = record;
    return STET_OK;
}

/* Whether a record is in one of the ranges of the plan, which has an index. */
static stet_status is_in_plan(struct list_page *page, struct query_record *record, bool *within,
                              stet_error *err) {
    const struct plan *plan = &page->plan;
    stet_view key;
    *within = false;
    stet_status status = index_key(&page->record_arena, plan->index, &record->doc, &key);
    if (status != STET_OK) return error_set(err, status, "out of memory for a list");
    for (size_t i = 0; i < plan->range_count && !*within; i++)
        *within = view_compare(key, plan->ranges[i].from) >= 0 &&
                  (plan->ranges[i].to.size == 0 || view_compare(key, plan->ranges[i].to) < 0);
    return STET_OK;
}

/*
 * Somebody relies on the list: every record in its ranges counts, also one that does not match now. A record that changed after the snapshot is
 * of no concern where it was outside of them then; if it came into them, their keys show it.
 */
static stet_status note_read(struct list_page *page, struct query_record *record, stet_view known,
                             stet_error *err) {
    bool within = true;
    stet_status status = STET_OK;
    if (page->reads == NULL || page->plan.index == NULL) return STET_OK;
    if (view_is_empty(known) && record->doc.count == 0) status = query_record_init(record, err);
    if (status == STET_OK && view_is_empty(known)) status = is_in_plan(page, record, &within, err);
    if (status != STET_OK || !within) return status;
    const struct store_change *change = record->change;
    return read_set_point(page->reads, change->type, change->id, change->version, err);
}

/* The ranges that were looked at: of one that was left early, only as far as that. */
static stet_status note_ranges(struct sorted *sorted, stet_error *err) {
    struct list_page *page = sorted->page;
    const struct plan *plan = &page->plan;
    stet_status status = STET_OK;
    if (page->reads == NULL || plan->index == NULL) return STET_OK;
    for (size_t i = 0; status == STET_OK && i < plan->range_count; i++) {
        struct read_range range = {.type = page->command->list.type,
                                   .index = plan->index->number,
                                   .from = plan->ranges[i].from,
                                   .to = plan->ranges[i].to};
        if (sorted->early && plan->reverse) {
            range.from = view_make(sorted->horizon, sorted->horizon_size);
        } else if (sorted->early) {
            /* Just behind the horizon, which is within. */
            char *end = arena_bytes(&page->command->arena, sorted->horizon_size + 1);
            if (end == NULL) return no_memory(err);
            memcpy(end, sorted->horizon, sorted->horizon_size);
            end[sorted->horizon_size] = '\0';
            range.to = view_make(end, sorted->horizon_size + 1);
        }
        status = read_set_range(page->reads, &range, err);
    }
    return status;
}

/* A record as of the snapshot. known: its key in the index, or empty. */
static stet_status take_row(struct sorted *sorted, const struct store_change *change,
                            stet_view known, stet_error *err) {
    struct list_page *page = sorted->page;
    struct query_record record;
    stet_view key = known;
    bool wants;
    stet_status status = list_wants(page, change, &record, &wants, err);
    if (status == STET_OK) status = note_read(page, &record, known, err);
    if (status != STET_OK || !wants) return status;
    page->rows_matched++;
    switch (page->plan.key) {
    case PLAN_KEY_INDEX:
        if (view_is_empty(known))
            status = index_key(&page->record_arena, page->plan.index, &record.doc, &key);
        break;
    case PLAN_KEY_SORT: status = query_sort_key(page->query, &record, &key); break;
    case PLAN_KEY_ID: key = change->id; break;
    }
    if (status != STET_OK) return error_set(err, status, "could not sort a list");
    /* What changed may belong behind the end of what was read of the index. */
    if (sorted->early && view_is_empty(known) &&
        order_of(sorted, key, change->first, view_make(sorted->horizon, sorted->horizon_size),
                 sorted->horizon_record) > 0)
        return STET_OK;
    return keep_row(sorted, key, change, err);
}

/* ---- From all heads ---------------------------------------------------------------------- */

static stet_status scan_required(stet_error *err) {
    error_set(err, STET_INDEX_REQUIRED,
              "this list would look at more than %d records, deleted ones included",
              SCAN_RECORDS_MAX);
    error_field(err, "where", SCAN_RECORDS_MAX);
    return STET_INDEX_REQUIRED;
}

static stet_status take_heads(struct sorted *sorted, stet_error *err) {
    struct list_page *page = sorted->page;
    struct store_row rows[HEADS_CHUNK];
    size_t count = HEADS_CHUNK;
    while (count == HEADS_CHUNK) {
        arena_reset(&page->rows_arena);
        stet_status status = store_scan(page->reader, &page->rows_arena, page->command->list.type,
                                        page->next.key, HEADS_CHUNK, rows, &count, err);
        if (status != STET_OK) return status;
        for (size_t index = 0; index < count; index++) {
            struct store_change change;
            arena_reset(&page->record_arena);
            status = list_change_at(page, &rows[index].head, &change, err);
            if (status == STET_OK) status = take_row(sorted, &change, (stet_view){0}, err);
            if (status != STET_OK && status != STET_NOT_FOUND) return status;
            list_end_at(page, rows[index].id, 0);
        }
        page->rows_seen += count;
        if (page->rows_seen > 2 * (size_t)SCAN_RECORDS_MAX) return scan_required(err);
    }
    return STET_OK;
}

/* ---- From an index ----------------------------------------------------------------------- */

/* One chunk of entries with their records, all of which are as the index says unless they changed after the snapshot. */
static stet_status take_entries(struct sorted *sorted, const struct store_entry_row *entries,
                                size_t count, stet_error *err) {
    struct list_page *page = sorted->page;
    struct store_head heads[ENTRIES_CHUNK];
    struct store_change changes[ENTRIES_CHUNK];
    uint64_t records[ENTRIES_CHUNK] = {0};
    stet_status status;
    for (size_t index = 0; index < count; index++)
        records[index] = entries[index].record;
    status = store_records_of(page->reader, &page->rows_arena, records, count, true, heads, changes,
                              err);
    for (size_t index = 0; status == STET_OK && index < count; index++) {
        size_t matched = page->rows_matched;
        page->rows_seen++;
        if (heads[index].version == 0 || heads[index].seq > page->snapshot ||
            heads[index].deleted || view_is_empty(changes[index].data))
            continue;
        arena_reset(&page->record_arena);
        status = take_row(sorted, &changes[index], entries[index].key, err);
        if (status == STET_OK && page->rows_matched > matched)
            status = note_counted(sorted, records[index], err);
    }
    return status;
}

static stet_status note_horizon(struct sorted *sorted, const struct store_entry_row *last,
                                stet_error *err) {
    uint8_t *bytes = realloc(sorted->horizon, last->key.size + 1);
    if (bytes == NULL) return no_memory(err);
    memcpy(bytes, last->key.bytes, last->key.size);
    sorted->horizon = bytes;
    sorted->horizon_size = last->key.size;
    sorted->horizon_record = last->record;
    return STET_OK;
}

/* The list's own range from the cursor on, until the page is full. */
static stet_status take_ordered(struct sorted *sorted, stet_error *err) {
    struct list_page *page = sorted->page;
    const struct plan *plan = &page->plan;
    struct store_entry_range range = {.index = plan->index->number,
                                      .from = plan->ranges[0].from,
                                      .to = plan->ranges[0].to,
                                      .reverse = plan->reverse};
    if (page->has_cursor) {
        range.after_key = page->cursor.key;
        range.after_record = page->cursor.record;
    }
    for (;;) {
        struct store_entry_row entries[ENTRIES_CHUNK];
        size_t left = sorted->count_max - sorted->count;
        size_t chunk = left < ENTRIES_CHUNK ? left : ENTRIES_CHUNK;
        size_t count = 0;
        if (page->bounds != NULL && chunk < ENTRIES_CHUNK / 2) chunk = ENTRIES_CHUNK / 2;
        arena_reset(&page->rows_arena);
        stet_status status = store_entries_scan(page->reader, &page->rows_arena, &range, chunk,
                                                entries, &count, err);
        if (status == STET_OK) status = take_entries(sorted, entries, count, err);
        if (status == STET_OK && count > 0) status = note_horizon(sorted, &entries[count - 1], err);
        if (status != STET_OK || count < chunk) return status;
        range.after_key = view_make(sorted->horizon, sorted->horizon_size);
        range.after_record = sorted->horizon_record;
        sorted->early = true;
        if (sorted->count == sorted->count_max || page->rows_seen >= LIST_ROWS_MAX) return STET_OK;
        sorted->early = false;
    }
}

/* Everything in the ranges. */
static stet_status take_candidates(struct sorted *sorted, stet_error *err) {
    struct list_page *page = sorted->page;
    const struct plan *plan = &page->plan;
    for (size_t index = 0; index < plan->range_count; index++) {
        struct store_entry_range range = {.index = plan->index->number,
                                          .from = plan->ranges[index].from,
                                          .to = plan->ranges[index].to};
        size_t count = ENTRIES_CHUNK;
        while (count == ENTRIES_CHUNK) {
            struct store_entry_row entries[ENTRIES_CHUNK];
            arena_reset(&page->rows_arena);
            stet_status status = store_entries_scan(page->reader, &page->rows_arena, &range,
                                                    ENTRIES_CHUNK, entries, &count, err);
            if (status == STET_OK) status = take_entries(sorted, entries, count, err);
            if (status == STET_OK && count > 0)
                status = note_horizon(sorted, &entries[count - 1], err);
            if (status != STET_OK) return status;
            range.after_key = view_make(sorted->horizon, sorted->horizon_size);
            range.after_record = sorted->horizon_record;
            if (page->rows_seen > 2 * (size_t)SCAN_RECORDS_MAX) return scan_required(err);
        }
    }
    return STET_OK;
}

/* ---- What changed after the snapshot ----------------------------------------------------- */

static stet_status note_changed(struct sorted *sorted, const struct store_change *change,
                                stet_error *err) {
    struct list_page *page = sorted->page;
    sorted->changed_to = change->seq;
    if (change->first > page->snapshot || !view_equal(change->type, page->command->list.type))
        return STET_OK;
    for (size_t index = 0; index < sorted->changed_count; index++) {
        if (sorted->changed[index] == change->first) return STET_OK;
    }
    if (sorted->changed_count == LIST_REWINDS_MAX) return list_expired(err);
    sorted->changed[sorted->changed_count++] = change->first;
    return STET_OK;
}

/* What the ring still has. */
static stet_status changed_in_ring(struct sorted *sorted, stet_error *err) {
    struct ring *ring = &sorted->page->command->space->ring;
    struct change *changes[CHANGES_CHUNK];
    size_t count = CHANGES_CHUNK;
    stet_status status = STET_OK;
    while (status == STET_OK && count == CHANGES_CHUNK) {
        if (!ring_take(ring, sorted->changed_to, changes, CHANGES_CHUNK, &count)) return STET_OK;
        for (size_t index = 0; index < count; index++) {
            if (status == STET_OK) status = note_changed(sorted, &changes[index]->row, err);
            change_unref(changes[index]);
        }
    }
    return status;
}

/* The rest, and what is durable and not yet published: the index may show it already. */
static stet_status changed_in_store(struct sorted *sorted, stet_error *err) {
    struct list_page *page = sorted->page;
    struct store_change changes[CHANGES_CHUNK];
    size_t seen = 0;
    size_t count = 1;
    while (count > 0) {
        arena_reset(&page->rows_arena);
        stet_status status = store_since(page->reader, &page->rows_arena, sorted->changed_to,
                                         CHANGES_CHUNK, CHANGES_BYTES, changes, &count, err);
        for (size_t index = 0; status == STET_OK && index < count; index++)
            status = note_changed(sorted, &changes[index], err);
        if (status != STET_OK) return status;
        seen += count;
        if (seen > LIST_ROWS_MAX) return list_expired(err);
    }
    return STET_OK;
}

static bool is_known(const struct sorted *sorted, uint64_t record) {
    for (size_t index = 0; index < sorted->count; index++) {
        if (sorted->rows[index].record == record) return true;
    }
    for (size_t index = 0; index < sorted->counted_count; index++) {
        if (sorted->counted[index] == record) return true;
    }
    return false;
}

static stet_status take_changed(struct sorted *sorted, stet_error *err) {
    struct list_page *page = sorted->page;
    stet_status status;
    sorted->changed_to = page->snapshot;
    sorted->changed = malloc(LIST_REWINDS_MAX * sizeof *sorted->changed);
    if (sorted->changed == NULL) return no_memory(err);
    status = changed_in_ring(sorted, err);
    if (status == STET_OK) status = changed_in_store(sorted, err);
    for (size_t index = 0; status == STET_OK && index < sorted->changed_count; index++) {
        struct store_change change;
        struct store_head head;
        stet_view type, id;
        if (is_known(sorted, sorted->changed[index])) continue;
        arena_reset(&page->record_arena);
        status = store_head_of(page->reader, &page->record_arena, sorted->changed[index], &type,
                               &id, &head, err);
        if (status == STET_OK) status = list_change_at(page, &head, &change, err);
        if (status == STET_OK) status = take_row(sorted, &change, (stet_view){0}, err);
        if (status == STET_NOT_FOUND) status = STET_OK;
    }
    return status;
}

/* ---- The page ---------------------------------------------------------------------------- */

static stet_status show_row(struct sorted *sorted, const struct sorted_row *row, stet_error *err) {
    struct list_page *page = sorted->page;
    struct store_change change;
    stet_status status;
    arena_reset(&page->record_arena);
    if (row->change != NULL) return list_show(page, &row->change->row, (stet_view){0}, err);
    status = store_change_at(page->reader, &page->record_arena, row->seq, &change, err);
    if (status == STET_PRUNED || (status == STET_OK && view_is_empty(change.data)))
        return list_expired(err);
    return status == STET_OK ? list_show(page, &change, (stet_view){0}, err) : status;
}

static stet_status show_rows(struct sorted *sorted, stet_error *err) {
    struct list_page *page = sorted->page;
    sort_rows(sorted);
    for (size_t index = 0; index < sorted->count; index++) {
        const struct sorted_row *row = &sorted->rows[index];
        stet_status status;
        if (list_is_full(page)) {
            page->more = true;
            return STET_OK;
        }
        status = show_row(sorted, row, err);
        if (status != STET_OK) return status;
        list_end_at(page, key_of(row), row->record);
    }
    if (sorted->early) {
        /* Everything that was found is shown, and there was not enough of it before the page had to end. */
        page->more = true;
        list_end_at(page, view_make(sorted->horizon, sorted->horizon_size), sorted->horizon_record);
    }
    return STET_OK;
}

static void sorted_done(struct sorted *sorted) {
    for (size_t index = 0; sorted->rows != NULL && index < sorted->count_max; index++) {
        free(sorted->rows[index].key);
        change_unref(sorted->rows[index].change);
    }
    free(sorted->rows);
    free(sorted->horizon);
    free(sorted->counted);
    free(sorted->changed);
}

stet_status list_sorted(struct list_page *page, stet_error *err) {
    struct sorted sorted = {.page = page, .count_max = page->limit + 1};
    stet_status status = STET_OK;
    sorted.rows = calloc(sorted.count_max, sizeof *sorted.rows);
    if (sorted.rows == NULL) return no_memory(err);
    switch (page->plan.kind) {
    case PLAN_ORDERED: status = take_ordered(&sorted, err); break;
    case PLAN_CANDIDATES: status = take_candidates(&sorted, err); break;
    case PLAN_SCAN: status = take_heads(&sorted, err); break;
    case PLAN_IDS: assert(!"a plan of this file"); break;
    }
    if (status == STET_OK && page->plan.kind != PLAN_SCAN) status = take_changed(&sorted, err);
    if (status == STET_OK) status = note_ranges(&sorted, err);
    if (status == STET_OK) status = show_rows(&sorted, err);
    sorted_done(&sorted);
    return status;
}
