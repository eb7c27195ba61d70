/*
 * Lists inside a transaction: the space's own lists (core/list.h) as of the snapshot, and on top of them what only this run can see, its own
 * writes and, alone on the sequencer, what is staged. What stands in both is taken from above.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/access.h"
#include "core/list.h"
#include "core/query.h"
#include "modules/functions/transaction.h"

#include <stdlib.h>

struct row {
    struct transaction_row shown;
    stet_view key;   /* To sort by. */
    size_t position; /* In which it came: decides among equal keys. */
};

struct listing {
    struct transaction *transaction;
    const struct transaction_list *list;
    struct query *query; /* NULL: nothing is asked for but the type. */
    struct row *rows;
    size_t count, capacity;
    bool keyed; /* Rows from above have to be put among those from below. */
};

/* ---- Rows -------------------------------------------------------------------------------- */

static stet_status add(struct listing *listing, const struct store_change *change, stet_view key,
                       stet_error *err) {
    struct arena *arena = listing->transaction->arena;
    if (listing->count == listing->capacity) {
        size_t capacity = listing->capacity == 0 ? 16 : 2 * listing->capacity;
        struct row *rows = arena_alloc(arena, capacity * sizeof *rows);
        if (rows == NULL) return transaction_no_memory(err);
        if (listing->count > 0) memcpy(rows, listing->rows, listing->count * sizeof *rows);
        listing->rows = rows;
        listing->capacity = capacity;
    }
    stet_view data;
    const struct transaction *transaction = listing->transaction;
    const struct viewer viewer = {.space = transaction->space, .actor = transaction->actor};
    stet_status status = viewer_data(&viewer, arena, change, &data);
    if (status != STET_OK) return transaction_no_memory(err);
    struct row *row = &listing->rows[listing->count];
    *row = (struct row){.shown = {.id = arena_copy(arena, change->id),
                                  .version = change->seq == 0 ? 0 : change->version,
                                  .data = arena_copy(arena, data)},
                        .key = arena_copy(arena, key),
                        .position = listing->count};
    if (row->shown.id.bytes == NULL || row->shown.data.bytes == NULL || row->key.bytes == NULL)
        return transaction_no_memory(err);
    listing->count++;
    return STET_OK;
}

static struct store_reader *reader_of(const struct transaction *transaction) {
    return transaction->staging == NULL ? transaction->reader
                                        : store_writer_reader(transaction->space->store);
}

static stet_status find_created(void *context, struct arena *arena,
                                const struct store_change *change, struct created *created) {
    struct listing *listing = context;
    return read_created(reader_of(listing->transaction), arena, change, created, NULL);
}

static stet_status sort_key(struct listing *listing, const struct store_change *change,
                            stet_view *key, bool *matches, stet_error *err) {
    struct query_record record = {.change = change,
                                  .arena = listing->transaction->arena,
                                  .find_created = find_created,
                                  .context = listing};
    const struct query *query = listing->query;
    *matches = true;
    *key = VIEW("");
    if (query == NULL) return STET_OK;
    stet_status status = query_record_init(&record, err);
    if (status != STET_OK) return status;
    if (query->where != NULL) *matches = query_record_matches(&record, query->where);
    if (record.status == STET_OK && *matches && query->sort_count > 0)
        status = query_sort_key(query, &record, key);
    if (record.status != STET_OK) status = record.status;
    return status == STET_OK ? status : error_set(err, status, "could not list records");
}

/* ---- What is on top ---------------------------------------------------------------------- */

static bool is_own(const struct listing *listing, stet_view id) {
    const struct transaction *transaction = listing->transaction;
    for (size_t i = 0; i < transaction->write_count; i++)
        if (view_equal(transaction->writes[i].id, id) &&
            view_equal(transaction->writes[i].type, listing->list->type))
            return true;
    return false;
}

/* The last staged change of the record, from there on. */
static bool is_staged(const struct listing *listing, stet_view id, size_t from) {
    const struct staging *staging = listing->transaction->staging;
    if (staging == NULL) return false;
    for (size_t i = from; i < staging->batch->change_count; i++) {
        const struct store_change *row = &staging->batch->changes[i]->row;
        if (view_equal(row->id, id) && view_equal(row->type, listing->list->type)) return true;
    }
    return false;
}

static size_t count_on_top(const struct listing *listing) {
    const struct transaction *transaction = listing->transaction;
    size_t count = 0;
    for (size_t i = 0; i < transaction->write_count; i++)
        count += view_equal(transaction->writes[i].type, listing->list->type);
    for (size_t i = 0;
         transaction->staging != NULL && i < transaction->staging->batch->change_count; i++)
        count += view_equal(transaction->staging->batch->changes[i]->row.type, listing->list->type);
    return count;
}

static stet_status add_on_top(struct listing *listing, const struct store_change *change,
                              stet_error *err) {
    stet_view key;
    bool matches;
    const struct transaction *transaction = listing->transaction;
    const struct viewer viewer = {.space = transaction->space, .actor = transaction->actor};
    struct store_change shown = *change;
    if (!viewer_sees(&viewer, change)) return STET_OK;
    /* What is hidden counts as absent in what is asked, too. */
    stet_status status = viewer_data(&viewer, transaction->arena, change, &shown.data);
    if (status == STET_OK) status = sort_key(listing, &shown, &key, &matches, err);
    return status == STET_OK && matches ? add(listing, change, key, err) : status;
}

static stet_status add_staged(struct listing *listing, stet_error *err) {
    const struct batch *batch = listing->transaction->staging->batch;
    stet_status status = STET_OK;
    for (size_t i = 0; status == STET_OK && i < batch->change_count; i++) {
        const struct change *change = batch->changes[i];
        if (!view_equal(change->row.type, listing->list->type) || change_is_delete(change) ||
            is_own(listing, change->row.id) || is_staged(listing, change->row.id, i + 1))
            continue;
        status = add_on_top(listing, &change->row, err);
    }
    return status;
}

static stet_status add_own(struct listing *listing, stet_error *err) {
    struct transaction *transaction = listing->transaction;
    stet_status status = STET_OK;
    for (size_t i = 0; status == STET_OK && i < transaction->write_count; i++) {
        const struct transaction_write *write = &transaction->writes[i];
        if (write->deletes || !view_equal(write->type, listing->list->type)) continue;
        const struct store_change change = {.op = STORE_UPDATE,
                                            .type = write->type,
                                            .id = write->id,
                                            .version = write->version + 1,
                                            .first = write->lived ? write->first : 0,
                                            .by = transaction->command->actor.id,
                                            .stamp = transaction->now,
                                            .data = write->data};
        status = add_on_top(listing, &change, err);
    }
    return status;
}

/* ---- The list ---------------------------------------------------------------------------- */

static stet_status take(void *context, const struct store_change *change, stet_error *err) {
    struct listing *listing = context;
    struct transaction *transaction = listing->transaction;
    stet_view key;
    bool matches;
    if (is_own(listing, change->id) || is_staged(listing, change->id, 0)) return STET_OK;
    stet_status status = transaction_count_bytes(transaction, change->data.size, err);
    if (status == STET_OK && listing->keyed) {
        status = sort_key(listing, change, &key, &matches, err);
    } else {
        key = VIEW("");
    }
    return status == STET_OK ? add(listing, change, key, err) : status;
}

static int compare(const void *a, const void *b) {
    const struct row *left = a, *right = b;
    int order = view_compare(left->key, right->key);
    if (order != 0) return order;
    return (left->position > right->position) - (left->position < right->position);
}

static stet_status reads_too_many(const struct transaction *transaction, stet_error *err) {
    const struct read_set *reads = transaction->reads;
    if (reads->point_count + reads->range_count <= transaction->reads_max + transaction->uncounted)
        return STET_OK;
    error_set(err, STET_FUNCTION_LIMIT, "it may look at %zu records", transaction->reads_max);
    error_field(err, "reads", transaction->reads_max);
    return STET_FUNCTION_LIMIT;
}

static stet_status too_many(stet_error *err) {
    error_set(err, STET_FUNCTION_LIMIT,
              "the list has more than %d records: give it a limit, or ask for less",
              LIST_LIMIT_MAX);
    error_field(err, "reads", LIST_LIMIT_MAX);
    return STET_FUNCTION_LIMIT;
}

static stet_status collect(struct listing *listing, unsigned limit, stet_error *err) {
    struct transaction *transaction = listing->transaction;
    const stet_list asked = {.type = listing->list->type,
                             .where = listing->list->where,
                             .sort = listing->list->sort,
                             .limit = limit};
    struct list_collect collected = {.space = transaction->space,
                                     .actor = transaction->actor,
                                     .list = &asked,
                                     .query = listing->query,
                                     .snapshot = transaction_begin(transaction),
                                     .reads =
                                         transaction->staging == NULL ? transaction->reads : NULL,
                                     .take = take,
                                     .context = listing};
    stet_status status = list_collect(&collected, reader_of(transaction), err);
    if (status == STET_CURSOR_EXPIRED)
        return error_set(err, STET_CONCURRENT_MODIFICATION,
                         "too many of the records changed while they were listed");
    if (status == STET_OK && collected.more) {
        error_set(err, STET_FUNCTION_LIMIT, "the list would look at too many records");
        error_field(err, "reads", LIST_ROWS_MAX);
        return STET_FUNCTION_LIMIT;
    }
    return status;
}

stet_status transaction_list(struct transaction *transaction, const struct transaction_list *list,
                             struct transaction_row **rows, size_t *count, stet_error *err) {
    struct listing listing = {.transaction = transaction, .list = list};
    if (!transaction->lists) {
        error_set(err, STET_FUNCTION_LIMIT, "it lists records");
        error_field(err, "inline", 0);
        return STET_FUNCTION_LIMIT;
    }
    stet_status status = check_type_name(list->type, "type", err);
    if (status == STET_OK) status = transaction_count_reads(transaction, err);
    if (status != STET_OK) return status;
    const stet_list asked = {.type = list->type, .where = list->where, .sort = list->sort};
    status = query_parse(transaction->arena, &asked, &listing.query, err);
    size_t wanted = list->limit == 0 ? LIST_LIMIT_MAX + 1 : list->limit;
    size_t on_top = count_on_top(&listing);
    listing.keyed = on_top > 0 && listing.query != NULL && listing.query->sort_count > 0;
    /* As many rows may turn out to be others on top, and one more tells whether there is more. */
    if (status == STET_OK) status = collect(&listing, (unsigned)(wanted + on_top), err);
    if (status == STET_OK && transaction->staging != NULL) status = add_staged(&listing, err);
    if (status == STET_OK) status = add_own(&listing, err);
    if (status != STET_OK) return status;
    if (listing.keyed) qsort(listing.rows, listing.count, sizeof *listing.rows, compare);
    if (list->limit == 0 && listing.count > LIST_LIMIT_MAX) return too_many(err);
    *count = listing.count < wanted ? listing.count : wanted;
    *rows = arena_alloc(transaction->arena, (*count + 1) * sizeof **rows);
    if (*rows == NULL) return transaction_no_memory(err);
    for (size_t i = 0; i < *count; i++)
        (*rows)[i] = listing.rows[i].shown;
    /* Every record that was examined counts, also those that did not match. */
    return reads_too_many(transaction, err);
}
