/*
 * Writing: one batch, one transaction.
 *
 * When a batch fails. Until COMMIT runs, no frame in the log carries a commit mark, so whatever fails (a page spilled from a
 * full cache is written before COMMIT, too) is undone by ROLLBACK and nothing happened. COMMIT itself writes the frames, the
 * one with the mark last, then syncs, then publishes them in the log's index. SQLite says which call failed:
 *   SQLITE_FULL, SQLITE_IOERR_WRITE  a frame could not be written. The page (or, where a page was spilled and changed again and
 *                                    checksums were redone, the header) of the marked frame is written last, so that frame
 *                                    is missing or incomplete, its checksum does not hold, and recovery ignores the lot:
 *                                    nothing happened. The next commit overwrites the frames. Older bytes of the log
 *                                    that lie where the failed write stopped could complete the frame only if they
 *                                    were the same as its own: salt and checksum of an older frame differ, but a page
 *                                    may well be the same as before, or end like it. log_vfs.c looks, and turns
 *                                    that into the case below. This relies on SQLite not writing behind the marked frame,
 *                                    which it does only for devices without powersafe overwrite; there the outcome
 *                                    counts as unknown.
 *   SQLITE_BUSY                      the transaction did not begin to commit; nothing happened.
 *   anything else                    SQLITE_IOERR_FSYNC above all, but also a failure in the index after the sync: the frames
 *                                    may be durable although SQLite rolled back in memory. STET_COMMIT_UNKNOWN; the store
 *                                    takes no more writes, and the sync is not tried again, because after a failed
 *                                    one the system may call pages clean that never reached the disk.
 */
#include "base/error.h"
#include "base/view.h"
#include "store/sqlite/internal.h"

#include <stdlib.h>
#include <string.h>

/* Everything bound is borrowed until the statement is stepped; the batch outlives that. */
static void bind_text(sqlite3_stmt *statement, int index, stet_view text) {
    if (text.size == 0) {
        sqlite3_bind_null(statement, index);
    } else {
        sqlite3_bind_text64(statement, index, text.bytes, text.size, SQLITE_STATIC, SQLITE_UTF8);
    }
}

static int step(sqlite3_stmt *statement) {
    int result = sqlite3_step(statement);
    sqlite3_reset(statement);
    return result == SQLITE_DONE ? SQLITE_OK : result;
}

/* ---- Parts of a batch: each returns SQLite's result ------------------------------------------------------------- */

static int write_clock(struct connection *writer, uint64_t seq, int64_t stamp) {
    sqlite3_stmt *statement = connection_statement(writer, SQL_CLOCK_SET, NULL);
    if (statement == NULL) return sqlite3_extended_errcode(writer->db);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)seq);
    sqlite3_bind_int64(statement, 2, stamp);
    return step(statement);
}

static int write_type(struct connection *writer, uint32_t number, stet_view name) {
    sqlite3_stmt *statement = connection_statement(writer, SQL_TYPE_ADD, NULL);
    if (statement == NULL) return sqlite3_extended_errcode(writer->db);
    sqlite3_bind_int64(statement, 1, number);
    bind_text(statement, 2, name);
    return step(statement);
}

/* Finds the number of each change's type, making those that are missing. */
static int write_types(struct sqlite_store *store, const struct store_batch *batch) {
    uint32_t last = 0;
    for (size_t i = 0; i < batch->change_count; i++) {
        stet_view name = batch->changes[i].type;
        uint32_t number = last;
        if (last == 0 || !view_equal(store->types.types[last - 1].name, name)) {
            number = dictionary_find_own(&store->types, name);
        }
        if (number == 0) {
            if (dictionary_add(&store->types, name, &number) != STET_OK) return SQLITE_NOMEM;
            int result = write_type(&store->writer, number, name);
            if (result != SQLITE_OK) return result;
        }
        store->numbers[i] = last = number;
    }
    return SQLITE_OK;
}

static int write_live_counts(struct sqlite_store *store, const struct store_batch *batch,
                             const struct store_plan *plan) {
    struct dictionary_type *types = store->types.types;
    for (size_t i = 0; i < batch->change_count; i++)
        types[store->numbers[i] - 1].delta = 0;
    for (size_t i = 0; i < batch->change_count; i++)
        types[store->numbers[i] - 1].delta += plan->live[i];
    for (size_t i = 0; i < batch->change_count; i++) {
        struct dictionary_type *type = &types[store->numbers[i] - 1];
        if (type->delta == 0) continue;
        sqlite3_stmt *statement = connection_statement(&store->writer, SQL_TYPE_LIVE, NULL);
        if (statement == NULL) return sqlite3_extended_errcode(store->writer.db);
        sqlite3_bind_int64(statement, 1, type->delta);
        sqlite3_bind_int64(statement, 2, store->numbers[i]);
        type->delta = 0;
        int result = step(statement);
        if (result != SQLITE_OK) return result;
    }
    return SQLITE_OK;
}

/* Keys are blobs: an empty view binds as an empty one, which comes before all others. */
static void bind_place(sqlite3_stmt *statement, int first, uint64_t index, stet_view key,
                       uint64_t record) {
    sqlite3_bind_int64(statement, first, (sqlite3_int64)index);
    sqlite3_bind_blob64(statement, first + 1, key.size == 0 ? "" : key.bytes, key.size,
                        SQLITE_STATIC);
    sqlite3_bind_int64(statement, first + 2, (sqlite3_int64)record);
}

static int write_entries(struct connection *writer, const struct store_batch *batch) {
    for (size_t i = 0; i < batch->entry_count; i++) {
        const struct store_entry *entry = &batch->entries[i];
        sqlite3_stmt *statement =
            connection_statement(writer, entry->remove ? SQL_ENTRY_REMOVE : SQL_ENTRY_ADD, NULL);
        if (statement == NULL) return sqlite3_extended_errcode(writer->db);
        bind_place(statement, 1, entry->index, entry->key, entry->record);
        int result = step(statement);
        if (result != SQLITE_OK) return result;
    }
    return SQLITE_OK;
}

static int raise_floor(struct connection *writer, uint32_t type, uint64_t seq) {
    sqlite3_stmt *statement = connection_statement(writer, SQL_TYPE_FLOOR, NULL);
    if (statement == NULL) return sqlite3_extended_errcode(writer->db);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)seq);
    sqlite3_bind_int64(statement, 2, type);
    return step(statement);
}

static int write_prunes(struct sqlite_store *store, const struct store_batch *batch) {
    struct connection *writer = &store->writer;
    uint64_t floor = 0;
    for (size_t i = 0; i < batch->prune_count; i++) {
        const struct store_prune *prune = &batch->prunes[i];
        sqlite3_stmt *statement =
            connection_statement(writer, prune->erase ? SQL_CHANGE_ERASE : SQL_CHANGE_PRUNE, NULL);
        if (statement == NULL) return sqlite3_extended_errcode(writer->db);
        sqlite3_bind_int64(statement, 1, (sqlite3_int64)prune->seq);
        int result = step(statement);
        if (result != SQLITE_OK) return result;
        if (prune->seq > floor) floor = prune->seq;
        /* Once for each run of one type. */
        if (i + 1 < batch->prune_count && view_equal(batch->prunes[i + 1].type, prune->type))
            continue;
        uint32_t type = dictionary_find_own(&store->types, prune->type);
        if (type != 0) result = raise_floor(writer, type, floor);
        if (result != SQLITE_OK) return result;
        floor = 0;
    }
    return SQLITE_OK;
}

/* Empties the older table, which becomes the one being filled. */
static int rotate_keys(struct sqlite_store *store, int64_t stamp, unsigned table) {
    int result = connection_run(&store->writer, table == 0 ? SQL_KEY_CLEAR_0 : SQL_KEY_CLEAR_1);
    if (result != SQLITE_OK) return result;
    sqlite3_stmt *statement = connection_statement(&store->writer, SQL_KEYS_ROTATE, NULL);
    if (statement == NULL) return sqlite3_extended_errcode(store->writer.db);
    sqlite3_bind_int64(statement, 1, stamp);
    sqlite3_bind_int64(statement, 2, table);
    return step(statement);
}

static bool has_new_record(const struct store_batch *batch) {
    for (size_t i = 0; i < batch->change_count; i++) {
        if (batch->changes[i].first == batch->changes[i].seq) return true;
    }
    return false;
}

/* Those heads whose time has come. *until: see late_take. */
static int write_heads(struct sqlite_store *store, size_t change_count, enum late_amount amount,
                       uint64_t *until) {
    int result = SQLITE_OK;
    if (late_take(&store->late, change_count, amount, until) != STET_OK) return SQLITE_NOMEM;
    store->tables.source.heads = store->late.slice;
    store->tables.source.head_count = store->late.slice_count;
    if (store->late.slice_count > 0) result = connection_run(&store->writer, SQL_HEADS_PUT);
    store->tables.source.head_count = 0;
    if (result != SQLITE_OK || *until == 0) return result;
    sqlite3_stmt *statement = connection_statement(&store->writer, SQL_CLOCK_HEADS, NULL);
    if (statement == NULL) return sqlite3_extended_errcode(store->writer.db);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)*until);
    return step(statement);
}

static int write_batch(struct sqlite_store *store, const struct store_batch *batch,
                       const struct store_plan *plan, unsigned table, uint64_t *until) {
    struct connection *writer = &store->writer;
    int result = write_clock(writer, store->base.state.seq + batch->change_count, batch->stamp);
    if (result == SQLITE_OK) result = write_types(store, batch);
    store->tables.source =
        (struct batch_source){.batch = batch, .plan = plan, .numbers = store->numbers};
    if (batch->change_count > 0) {
        if (result == SQLITE_OK) result = connection_run(writer, SQL_CHANGES_ADD);
        if (result == SQLITE_OK && has_new_record(batch))
            result = connection_run(writer, SQL_RECORDS_ADD);
        if (result == SQLITE_OK) result = write_live_counts(store, batch, plan);
    }
    if (result == SQLITE_OK && batch->rotate_keys) result = rotate_keys(store, batch->stamp, table);
    if (result == SQLITE_OK && batch->key_count > 0)
        result = connection_run(writer, table == 0 ? SQL_KEYS_ADD_0 : SQL_KEYS_ADD_1);
    if (result == SQLITE_OK) result = write_entries(writer, batch);
    if (result == SQLITE_OK) result = write_prunes(store, batch);
    if (result == SQLITE_OK) result = write_heads(store, batch->change_count, LATE_SLICE, until);
    store->tables.source = (struct batch_source){0};
    return result;
}

/* ---- The transaction ----------------------------------------------------------------------------------------- */

static bool has_powersafe_overwrite(struct connection *writer) {
    int powersafe = -1;
    return sqlite3_file_control(writer->db, "main", SQLITE_FCNTL_POWERSAFE_OVERWRITE, &powersafe) ==
               SQLITE_OK &&
           powersafe == 1;
}

/* Commits what was written; the header comment gives the reasons. */
static stet_status commit(struct sqlite_store *store, stet_error *err) {
    int result = connection_run(&store->writer, SQL_COMMIT);
    if (result == SQLITE_OK) return STET_OK;
    stet_status status = connection_error(&store->writer, result, "commit", err);
    bool before_sync = (result & 0xff) == SQLITE_BUSY ||
                       (((result & 0xff) == SQLITE_FULL || result == SQLITE_IOERR_WRITE) &&
                        has_powersafe_overwrite(&store->writer));
    connection_rollback(&store->writer);
    if (before_sync) return status;
    if (err != NULL) err->status = STET_COMMIT_UNKNOWN;
    return STET_COMMIT_UNKNOWN;
}

/*
 * A read transaction that the writer's reader left open is ended, not raised to a writing one: a reader or the copier that
 * met the log's index in the middle of a change takes the write lock for an instant, and SQLite waits for that only
 * when a transaction begins.
 */
static int begin(struct sqlite_store *store) {
    if (connection_is_open(&store->writer)) connection_rollback(&store->writer);
    return connection_run(&store->writer, SQL_BEGIN_WRITE);
}

static bool numbers_reserve(struct sqlite_store *store, size_t count) {
    if (count <= store->number_capacity) return true;
    uint32_t *numbers = realloc(store->numbers, 2 * count * sizeof *numbers);
    if (numbers == NULL) return false;
    store->numbers = numbers;
    store->number_capacity = 2 * count;
    return true;
}

/* After a durable commit: the highest key of each table, by which lookups pass over the older one. */
static void keys_note(struct sqlite_store *store, const struct store_batch *batch, unsigned table) {
    struct key_generations *keys = &store->keys;
    if (batch->rotate_keys) {
        keys->current = table;
        keys->any[table] = false;
    }
    for (size_t i = 0; i < batch->key_count; i++) {
        const uint8_t *key = batch->keys[i].key;
        if (keys->any[table] && memcmp(key, keys->max[table], STORE_KEY_BYTES) <= 0) continue;
        memcpy(keys->max[table], key, STORE_KEY_BYTES);
        keys->any[table] = true;
    }
}

static bool erases(const struct store_batch *batch) {
    for (size_t i = 0; i < batch->prune_count; i++)
        if (batch->prunes[i].erase) return true;
    return false;
}

/* Whether pages that become free are emptied as well, at the price of writing them. */
static int secure_delete(struct sqlite_store *store, bool whole) {
    return sqlite3_exec(store->writer.db,
                        whole ? "PRAGMA secure_delete=ON" : "PRAGMA secure_delete=FAST", NULL, NULL,
                        NULL);
}

stet_status sqlite_commit(struct store *base, const struct store_batch *batch,
                          const struct store_plan *plan, stet_error *err) {
    struct sqlite_store *store = (struct sqlite_store *)base;
    unsigned table = batch->rotate_keys ? 1 - store->keys.current : store->keys.current;
    stet_status status = STET_OK;
    if (!numbers_reserve(store, batch->change_count))
        return error_set(err, STET_NO_MEMORY, "could not stage a batch");
    /* While the generations trade places no reader may look a key up. */
    if (batch->rotate_keys) pthread_rwlock_wrlock(&store->keys.lock);
    uint64_t until = 0;
    bool erase = erases(batch);
    if (erase && connection_is_open(&store->writer)) connection_rollback(&store->writer);
    int result = erase ? secure_delete(store, true) : SQLITE_OK;
    if (result == SQLITE_OK) result = begin(store);
    if (result == SQLITE_OK) result = write_batch(store, batch, plan, table, &until);
    if (result == SQLITE_OK && late_stage(&store->late, batch, plan) != STET_OK)
        result = SQLITE_NOMEM;
    if (result != SQLITE_OK) {
        status = connection_error(&store->writer, result, "write a batch", err);
        connection_rollback(&store->writer);
    } else {
        status = commit(store, err);
    }
    /* A failure leaves every batch as thorough, which is slow only. */
    if (erase) (void)secure_delete(store, false);
    if (status == STET_OK) {
        if (erase) store->checkpoint.erase_due = true;
        late_keep(&store->late, store->base.state.seq + batch->change_count, until);
        dictionary_publish(&store->types);
        keys_note(store, batch, table);
        checkpoint_committed(store);
    } else {
        late_withdraw(&store->late);
        dictionary_withdraw(&store->types);
    }
    if (batch->rotate_keys) pthread_rwlock_unlock(&store->keys.lock);
    return status;
}

stet_status sqlite_meta_put(struct store *base, stet_view name, stet_view value, stet_error *err) {
    struct sqlite_store *store = (struct sqlite_store *)base;
    stet_status status = STET_OK;
    int result = begin(store);
    if (result == SQLITE_OK) {
        sqlite3_stmt *statement = connection_statement(&store->writer, SQL_META_SET, NULL);
        if (statement == NULL) {
            result = sqlite3_extended_errcode(store->writer.db);
        } else {
            bind_text(statement, 1, name);
            sqlite3_bind_blob64(statement, 2, value.size == 0 ? "" : value.bytes, value.size,
                                SQLITE_STATIC);
            result = step(statement);
        }
    }
    if (result != SQLITE_OK) {
        status = connection_error(&store->writer, result, "keep a named value", err);
        connection_rollback(&store->writer);
        return status;
    }
    status = commit(store, err);
    if (status == STET_OK) checkpoint_committed(store);
    return status;
}

stet_status sqlite_entries_drop(struct store *base, uint32_t index, size_t limit, size_t *count,
                                stet_error *err) {
    struct sqlite_store *store = (struct sqlite_store *)base;
    size_t dropped = 0;
    int result = begin(store);
    if (result == SQLITE_OK) {
        sqlite3_stmt *statement = connection_statement(&store->writer, SQL_ENTRY_DROP, NULL);
        if (statement == NULL) {
            result = sqlite3_extended_errcode(store->writer.db);
        } else {
            sqlite3_bind_int64(statement, 1, index);
            sqlite3_bind_int64(statement, 2, (sqlite3_int64)limit);
            result = step(statement);
            dropped = (size_t)sqlite3_changes(store->writer.db);
        }
    }
    if (result != SQLITE_OK) {
        stet_status status =
            connection_error(&store->writer, result, "drop the entries of an index", err);
        connection_rollback(&store->writer);
        return status;
    }
    stet_status status = commit(store, err);
    if (status != STET_OK) return status;
    checkpoint_committed(store);
    *count = dropped;
    return STET_OK;
}

stet_status sqlite_heads_write(struct sqlite_store *store, stet_error *err) {
    stet_status status = STET_OK;
    while (status == STET_OK && !late_is_empty(&store->late)) {
        uint64_t until = 0;
        int result = begin(store);
        if (result == SQLITE_OK) result = write_heads(store, 0, LATE_ALL, &until);
        if (result != SQLITE_OK) {
            status = connection_error(&store->writer, result, "write the heads", err);
            connection_rollback(&store->writer);
        } else {
            status = commit(store, err);
        }
        if (status == STET_OK) {
            late_keep(&store->late, store->late.kept, until);
            checkpoint_committed(store);
        } else {
            late_withdraw(&store->late);
        }
    }
    return status;
}
