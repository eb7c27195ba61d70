/*
 * Heads as a reader's snapshot has them, whether they wait in memory, stand in the table, or must be made from a change; and what open
 * brings back into memory. late_heads.h tells who sees what.
 */
#include "base/error.h"
#include "store/spine.h"
#include "store/sqlite/internal.h"

#include <assert.h>
#include <stdlib.h>

static struct sqlite_store *store_of(const struct sqlite_reader *reader) {
    return (struct sqlite_store *)reader->base.store;
}

static stet_status step_failed(const struct sqlite_reader *reader, int result, stet_error *err) {
    return connection_error(reader->connection, result, "read", err);
}

/* A reading transaction of the reader's own; the writer's lasts for ever. */
static bool is_in_snapshot(const struct sqlite_reader *reader) {
    return reader->connection != &reader->own || connection_is_open(&reader->own);
}

void head_view_begin(struct sqlite_reader *reader) {
    /* A read that failed may have ended the snapshot (SQLite rolls back): then its view is over, too. */
    if (reader->view.open && is_in_snapshot(reader)) return;
    head_view_end(reader);
    if (reader->connection != &reader->own) {
        reader->view = (struct late_view){.open = true, .newest = true};
    } else {
        late_view_begin(&store_of(reader)->late, &reader->view);
    }
}

void head_view_end(struct sqlite_reader *reader) {
    if (is_in_snapshot(reader)) return;
    free(reader->overlay);
    reader->overlay = NULL;
    reader->overlay_count = 0;
    reader->view.open = false;
}

/* ---- From the change ------------------------------------------------------------------------------------------------ */

static stet_status change_missing(uint64_t seq, stet_error *err) {
    return error_set(err, STET_CORRUPT, "change %llu, which makes a head, is missing or damaged",
                     (unsigned long long)seq);
}

/* The spine is the skip path of the change. */
static stet_status spine_read(struct sqlite_reader *reader, uint64_t skip, struct store_head *head,
                              stet_error *err) {
    unsigned count = spine_count(head->ordinal);
    if (count == 0 || count > STORE_SPINE_MAX) return change_missing(head->seq, err);
    head->spine[count - 1] = head->seq;
    for (unsigned i = count - 1; i > 0; i--) {
        struct store_link link;
        if (skip == 0 || skip >= head->spine[i]) return change_missing(head->seq, err);
        head->spine[i - 1] = skip;
        stet_status status = sqlite_link(&reader->base, skip, &link, err);
        if (status == STET_PRUNED) return change_missing(skip, err);
        if (status != STET_OK) return status;
        skip = link.skip;
    }
    return STET_OK;
}

/* The head of a record after one of its changes. */
static stet_status head_after(struct sqlite_reader *reader, uint64_t seq, struct store_head *head,
                              stet_error *err) {
    stet_status status = STET_OK;
    struct store_head found = {.seq = seq, .first = seq};
    uint64_t skip = 0;
    sqlite3_stmt *statement = sqlite_lookup(reader, SQL_CHANGE_HEAD, err);
    if (statement == NULL) return sqlite_lookup_failed(reader);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)seq);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        found.version = (uint64_t)sqlite3_column_int64(statement, 0);
        if (sqlite3_column_type(statement, 1) != SQLITE_NULL)
            found.first = (uint64_t)sqlite3_column_int64(statement, 1);
        found.ordinal = sqlite3_column_type(statement, 2) == SQLITE_NULL
                            ? found.version
                            : (uint64_t)sqlite3_column_int64(statement, 2);
        found.deleted = (sqlite3_column_int(statement, 3) & ~SQL_OP_PRUNED) == STORE_DELETE;
        found.hash = (uint64_t)sqlite3_column_int64(statement, 4);
        found.parent = (uint64_t)sqlite3_column_int64(statement, 5);
        found.forked = sqlite3_column_type(statement, 6) != SQLITE_NULL;
        skip = (uint64_t)sqlite3_column_int64(statement, 7);
        if (found.version == 0) status = change_missing(seq, err);
    } else {
        status =
            result == SQLITE_DONE ? change_missing(seq, err) : step_failed(reader, result, err);
    }
    sqlite3_reset(statement);
    if (status == STET_OK) status = spine_read(reader, skip, &found, err);
    if (status == STET_OK) *head = found;
    return status;
}

/* ---- Changes above the heads in the table ------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
    const struct late_change *left = a, *right = b;
    if (left->record != right->record) return left->record < right->record ? -1 : 1;
    return left->seq < right->seq ? -1 : left->seq > right->seq;
}

/* Keeps the latest of each record, by record. */
static size_t latest_of_each(struct late_change *changes, size_t count) {
    size_t kept = 0;
    if (count > 1) qsort(changes, count, sizeof *changes, compare);
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && changes[i + 1].record == changes[i].record) continue;
        changes[kept++] = changes[i];
    }
    return kept;
}

/*
 * Which records changed above a seq, and when last. There are so many at most as come between two rounds of writing (late_heads.h), for
 * the table is never further behind. late: where the way back from each change is noted, too; NULL: nowhere.
 */
static stet_status changed_records(struct sqlite_reader *reader, uint64_t above, uint64_t through,
                                   struct late_heads *late, struct late_change **changes,
                                   size_t *count, stet_error *err) {
    struct late_change *list = NULL;
    size_t found = 0, capacity = 0;
    uint64_t last = above;
    stet_status status = STET_OK;
    sqlite3_stmt *statement = sqlite_lookup(reader, SQL_CHANGED, err);
    if (statement == NULL) return sqlite_lookup_failed(reader);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)above);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)through);
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        uint64_t seq = (uint64_t)sqlite3_column_int64(statement, 0);
        /* A damaged tree may answer with rows that nobody asked for. */
        if (seq <= last || seq > through) {
            status = change_missing(seq, err);
            break;
        }
        last = seq;
        if (found == capacity) {
            size_t larger = capacity == 0 ? 1024 : 2 * capacity;
            struct late_change *grown = realloc(list, larger * sizeof *grown);
            if (grown != NULL) list = grown;
            if (grown == NULL) {
                status = error_set(err, STET_NO_MEMORY, "could not collect the latest changes");
                break;
            }
            capacity = larger;
        }
        bool created = sqlite3_column_type(statement, 1) == SQLITE_NULL;
        list[found++] = (struct late_change){
            .record = created ? seq : (uint64_t)sqlite3_column_int64(statement, 1), .seq = seq};
        if (late == NULL) continue;
        uint64_t prev = (uint64_t)sqlite3_column_int64(statement, 2);
        /* Whoever follows it must come to an end. */
        if (prev >= seq) {
            status = change_missing(seq, err);
            break;
        }
        if (late_load_change(late, seq, prev) != STET_OK) {
            status = error_set(err, STET_NO_MEMORY, "could not collect the latest changes");
            break;
        }
    }
    if (result != SQLITE_ROW && result != SQLITE_DONE) status = step_failed(reader, result, err);
    sqlite3_reset(statement);
    if (status != STET_OK) {
        free(list);
        return status;
    }
    *count = latest_of_each(list, found);
    *changes = list;
    return STET_OK;
}

/* What the snapshot says of itself. */
static stet_status clock_read(struct sqlite_reader *reader, uint64_t *seq, uint64_t *written,
                              stet_error *err) {
    sqlite3_stmt *statement = sqlite_lookup(reader, SQL_CLOCK_GET, err);
    if (statement == NULL) return sqlite_lookup_failed(reader);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        *seq = (uint64_t)sqlite3_column_int64(statement, 0);
        *written = (uint64_t)sqlite3_column_int64(statement, 4);
    }
    sqlite3_reset(statement);
    if (result == SQLITE_DONE) return error_set(err, STET_CORRUPT, "the store's clock is missing");
    return result == SQLITE_ROW ? STET_OK : step_failed(reader, result, err);
}

stet_status heads_load(struct sqlite_store *store, stet_error *err) {
    struct sqlite_reader *reader = &store->writer_reader;
    struct late_change *changes = NULL;
    uint64_t seq = 0, written = 0;
    size_t count = 0;
    stet_status status = clock_read(reader, &seq, &written, err);
    if (status != STET_OK) return status;
    if (written > seq) return error_set(err, STET_CORRUPT, "the store's clock is damaged");
    late_start(&store->late, written);
    status = changed_records(reader, written, seq, &store->late, &changes, &count, err);
    for (size_t i = 0; status == STET_OK && i < count; i++) {
        struct store_head head;
        status = head_after(reader, changes[i].seq, &head, err);
        if (status == STET_OK && late_load_head(&store->late, &head) != STET_OK)
            status = error_set(err, STET_NO_MEMORY, "could not load the latest heads");
    }
    free(changes);
    return status;
}

/* ---- One head ---------------------------------------------------------------------------------------------------------- */

/* A reader that was left behind finds out once for all its snapshot. */
static stet_status settle_behind(struct sqlite_reader *reader, uint64_t record,
                                 struct store_head *head, stet_error *err) {
    if (reader->overlay == NULL) {
        uint64_t seq = 0, written = 0;
        stet_status status = clock_read(reader, &seq, &written, err);
        if (status == STET_OK)
            status = changed_records(reader, written, seq, NULL, &reader->overlay,
                                     &reader->overlay_count, err);
        if (status != STET_OK) return status;
    }
    size_t low = 0, high = reader->overlay_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct late_change *change = &reader->overlay[middle];
        if (change->record == record)
            return head->seq == change->seq ? STET_OK : head_after(reader, change->seq, head, err);
        if (change->record < record) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return STET_OK;
}

stet_status head_settle(struct sqlite_reader *reader, uint64_t record, struct store_head *head,
                        stet_error *err) {
    struct late_heads *late = &store_of(reader)->late;
    uint64_t seq = 0, written;
    assert(reader->view.open);
    enum late_found found = late_find(late, &reader->view, record, head, &seq);
    if (found == LATE_ASK) {
        stet_status status = clock_read(reader, &reader->view.seq, &written, err);
        if (status != STET_OK) return status;
        reader->view.exact = true;
        found = late_find(late, &reader->view, record, head, &seq);
    }
    switch (found) {
    case LATE_ABSENT: *head = (struct store_head){0}; return STET_OK;
    case LATE_CHANGE: return head_after(reader, seq, head, err);
    case LATE_BEHIND: return settle_behind(reader, record, head, err);
    case LATE_ASK:
    case LATE_TABLE:
    case LATE_HEAD: break;
    }
    assert(found != LATE_ASK);
    return STET_OK;
}
