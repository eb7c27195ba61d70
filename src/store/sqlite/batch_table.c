/*
 * The batch at hand as tables that SQL can read: batch_change, batch_record, batch_head, batch_key.
 *
 * A statement costs SQLite more to start and end than a row costs inside it: cursors, locks and a descent from the root each
 * time. So a batch is not written row by row; each table takes all of its rows by one INSERT … SELECT from a virtual
 * table, as PostgreSQL would from unnest(…). Values are not copied on the way.
 *
 * The tables are readable only while commit.c runs such a statement, on the writer's connection and thread.
 */
#include "store/sqlite/internal.h"

#include <string.h>

struct table {
    sqlite3_vtab vtab;
    const struct batch_part *part;
};

struct cursor {
    sqlite3_vtab_cursor cursor;
    size_t at;
};

static const char *const declarations[BATCH_PARTS] = {
    [BATCH_CHANGES] =
        ("CREATE TABLE x (seq, txn, stamp, type, version, base, first, prev, skip, "
         "ordinal, op, id, actor, key, source, merge, origin, parent, forked_from, hash, "
         "parent_record, data)"),
    [BATCH_RECORDS] = "CREATE TABLE x (type, id, record)",
    [BATCH_HEADS] = "CREATE TABLE x (record, version, seq, flags, hash, ordinal, spine, parent)",
    [BATCH_KEYS] = "CREATE TABLE x (key, actor, request, result)",
};

static const char *const names[BATCH_PARTS] = {
    [BATCH_CHANGES] = "batch_change",
    [BATCH_RECORDS] = "batch_record",
    [BATCH_HEADS] = "batch_head",
    [BATCH_KEYS] = "batch_key",
};

/* ---- Values -------------------------------------------------------------------------------------------------- */

static void give_text(sqlite3_context *context, stet_view text) {
    if (text.size > 0)
        sqlite3_result_text64(context, text.bytes, text.size, SQLITE_STATIC, SQLITE_UTF8);
}

static void give_u64(sqlite3_context *context, uint64_t value) {
    sqlite3_result_int64(context, (sqlite3_int64)value);
}

/* NULL, which is what SQLite takes no answer for, stands for what is implied. */
static void give_u64_unless(sqlite3_context *context, uint64_t value, uint64_t implied) {
    if (value != implied) give_u64(context, value);
}

static void change_column(const struct batch_source *source, size_t at, sqlite3_context *context,
                          int column) {
    const struct store_change *change = &source->batch->changes[at];
    switch (column) {
    case 0: give_u64(context, change->seq); break;
    case 1: give_u64_unless(context, change->transaction, change->seq); break;
    case 2: sqlite3_result_int64(context, change->stamp); break;
    case 3: give_u64(context, source->numbers[at]); break;
    case 4: give_u64(context, change->version); break;
    case 5: give_u64_unless(context, change->base_version, change->version - 1); break;
    case 6: give_u64_unless(context, change->first, change->seq); break;
    case 7: give_u64_unless(context, change->prev, 0); break;
    case 8: give_u64_unless(context, change->skip, 0); break;
    case 9: give_u64_unless(context, change->ordinal, change->version); break;
    case 10:
        sqlite3_result_int(context, (int)change->op + (change->pruned ? SQL_OP_PRUNED : 0));
        break;
    case 11: give_text(context, change->id); break;
    case 12: give_text(context, change->by); break;
    case 13: give_text(context, change->key); break;
    case 14: give_text(context, change->source); break;
    case 15: give_text(context, change->merge); break;
    case 16: give_text(context, change->origin); break;
    case 17: give_text(context, change->parent); break;
    case 18: give_text(context, change->forked_from); break;
    case 19: give_u64(context, source->plan->heads[at].hash); break;
    case 20: give_u64_unless(context, change->parent_number, 0); break;
    case 21: give_text(context, change->data); break;
    }
}

static void record_column(const struct batch_source *source, size_t at, sqlite3_context *context,
                          int column) {
    switch (column) {
    case 0: give_u64(context, source->numbers[at]); break;
    case 1: give_text(context, source->batch->changes[at].id); break;
    case 2: give_u64(context, source->batch->changes[at].first); break;
    }
}

static uint64_t head_flags(const struct late_head *head) {
    return (head->deleted ? SQL_FLAG_DELETED : 0) | (head->forked ? SQL_FLAG_FORKED : 0);
}

static void head_column(const struct batch_source *source, size_t at, sqlite3_context *context,
                        int column) {
    const struct late_head *head = source->heads[at];
    switch (column) {
    case 0: give_u64(context, head->record); break;
    case 1: give_u64(context, head->version); break;
    case 2: give_u64(context, head->seq); break;
    case 3: give_u64_unless(context, head_flags(head), 0); break;
    case 4: give_u64(context, head->hash); break;
    case 5: give_u64_unless(context, head->ordinal, head->version); break;
    case 6:
        if (head->spine_size > 0)
            sqlite3_result_blob64(context, head->spine, head->spine_size, SQLITE_STATIC);
        break;
    case 7: give_u64_unless(context, head->parent, 0); break;
    }
}

static void key_column(const struct batch_source *source, size_t at, sqlite3_context *context,
                       int column) {
    const struct store_key *key = &source->batch->keys[at];
    switch (column) {
    case 0: sqlite3_result_blob(context, key->key, STORE_KEY_BYTES, SQLITE_STATIC); break;
    case 1:
        sqlite3_result_text64(context, key->actor.size == 0 ? "" : key->actor.bytes,
                              key->actor.size, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case 2: sqlite3_result_blob(context, key->request, STORE_HASH_BYTES, SQLITE_STATIC); break;
    case 3:
        if (key->result.size > 0)
            sqlite3_result_blob64(context, key->result.bytes, key->result.size, SQLITE_STATIC);
        break;
    }
}

/* ---- Rows ---------------------------------------------------------------------------------------------------- */

static const struct batch_part *part_of(const sqlite3_vtab_cursor *base) {
    return ((const struct table *)base->pVtab)->part;
}

static size_t row_count(const struct batch_part *part) {
    const struct batch_source *source = part->source;
    if (part->kind == BATCH_HEADS) return source->head_count;
    if (source->batch == NULL) return 0;
    return part->kind == BATCH_KEYS ? source->batch->key_count : source->batch->change_count;
}

/* Only records that are new have a row of their own. */
static bool is_row(const struct batch_part *part, size_t at) {
    if (part->kind != BATCH_RECORDS) return true;
    const struct store_change *change = &part->source->batch->changes[at];
    return change->first == change->seq;
}

static int cursor_settle(struct cursor *cursor) {
    const struct batch_part *part = part_of(&cursor->cursor);
    size_t count = row_count(part);
    while (cursor->at < count && !is_row(part, cursor->at))
        cursor->at++;
    return SQLITE_OK;
}

static int batch_filter(sqlite3_vtab_cursor *base, int plan, const char *text, int count,
                        sqlite3_value **values) {
    struct cursor *cursor = (struct cursor *)base;
    (void)plan, (void)text, (void)count, (void)values;
    cursor->at = 0;
    return cursor_settle(cursor);
}

static int batch_next(sqlite3_vtab_cursor *base) {
    struct cursor *cursor = (struct cursor *)base;
    cursor->at++;
    return cursor_settle(cursor);
}

static int batch_eof(sqlite3_vtab_cursor *base) {
    return ((struct cursor *)base)->at >= row_count(part_of(base));
}

static int batch_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
    struct cursor *cursor = (struct cursor *)base;
    const struct batch_part *part = part_of(base);
    switch (part->kind) {
    case BATCH_CHANGES: change_column(part->source, cursor->at, context, column); break;
    case BATCH_RECORDS: record_column(part->source, cursor->at, context, column); break;
    case BATCH_HEADS: head_column(part->source, cursor->at, context, column); break;
    case BATCH_KEYS: key_column(part->source, cursor->at, context, column); break;
    case BATCH_PARTS: break;
    }
    return SQLITE_OK;
}

static int batch_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
    *rowid = (sqlite3_int64)((struct cursor *)base)->at;
    return SQLITE_OK;
}

static int batch_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **opened) {
    struct cursor *cursor = sqlite3_malloc(sizeof *cursor);
    (void)vtab;
    if (cursor == NULL) return SQLITE_NOMEM;
    memset(&cursor->cursor, 0, sizeof cursor->cursor);
    cursor->at = 0;
    *opened = &cursor->cursor;
    return SQLITE_OK;
}

static int batch_close(sqlite3_vtab_cursor *base) {
    sqlite3_free(base);
    return SQLITE_OK;
}

/* ---- Tables -------------------------------------------------------------------------------------------------- */

static int batch_connect(sqlite3 *db, void *context, int count, const char *const *arguments,
                         sqlite3_vtab **connected, char **message) {
    const struct batch_part *part = context;
    (void)count, (void)arguments, (void)message;
    int result = sqlite3_declare_vtab(db, declarations[part->kind]);
    if (result != SQLITE_OK) return result;
    struct table *table = sqlite3_malloc(sizeof *table);
    if (table == NULL) return SQLITE_NOMEM;
    *table = (struct table){.part = part};
    *connected = &table->vtab;
    return SQLITE_OK;
}

static int batch_disconnect(sqlite3_vtab *vtab) {
    sqlite3_free(vtab);
    return SQLITE_OK;
}

/* There is one way to read it: all of it, in order. */
static int batch_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
    (void)vtab;
    info->estimatedCost = 1000;
    info->estimatedRows = 1000;
    return SQLITE_OK;
}

/* Without xCreate the table is there by its name and cannot be made another time. */
static const sqlite3_module module = {
    .iVersion = 1,
    .xConnect = batch_connect,
    .xBestIndex = batch_best_index,
    .xDisconnect = batch_disconnect,
    .xOpen = batch_open,
    .xClose = batch_close,
    .xFilter = batch_filter,
    .xNext = batch_next,
    .xEof = batch_eof,
    .xColumn = batch_column,
    .xRowid = batch_rowid,
};

int batch_tables_make(struct batch_tables *tables, sqlite3 *db) {
    int result = SQLITE_OK;
    for (int kind = 0; result == SQLITE_OK && kind < BATCH_PARTS; kind++) {
        tables->parts[kind] =
            (struct batch_part){.kind = (enum batch_kind)kind, .source = &tables->source};
        result = sqlite3_create_module(db, names[kind], &module, &tables->parts[kind]);
    }
    return result;
}
