/* Lookups: one prepared statement each, rows copied into the caller's arena. */
#include "base/error.h"
#include "base/view.h"
#include "store/spine.h"
#include "store/sqlite/internal.h"

#include <stdlib.h>
#include <string.h>

static struct sqlite_store *store_of(struct store_reader *reader) {
    return (struct sqlite_store *)reader->store;
}

/*
 * The writer's own reader opens a transaction that lasts until the next commit or maintenance: only the writer changes the file, so it
 * sees the same either way, and each lookup is spared the locks.
 */
sqlite3_stmt *sqlite_lookup(struct sqlite_reader *reader, enum sql_statement which,
                            stet_error *err) {
    if (reader->connection != &reader->own && !connection_is_open(reader->connection)) {
        int result = connection_run(reader->connection, SQL_BEGIN_READ);
        if (result != SQLITE_OK) {
            connection_error(reader->connection, result, "begin reading", err);
            return NULL;
        }
    }
    return connection_statement(reader->connection, which, err);
}

static sqlite3_stmt *lookup(struct store_reader *base, enum sql_statement which, stet_error *err) {
    return sqlite_lookup((struct sqlite_reader *)base, which, err);
}

static stet_status read_error(struct store_reader *base, int result, stet_error *err) {
    const struct sqlite_reader *reader = (const struct sqlite_reader *)base;
    return connection_error(reader->connection, result, "read", err);
}

/* Why connection_statement gave none; err is filled already. */
stet_status sqlite_lookup_failed(const struct sqlite_reader *reader) {
    return connection_error(reader->connection, sqlite3_extended_errcode(reader->connection->db),
                            "read", NULL);
}

static stet_status lookup_failed(struct store_reader *base) {
    return sqlite_lookup_failed((const struct sqlite_reader *)base);
}

static void bind_view(sqlite3_stmt *statement, int index, stet_view text) {
    sqlite3_bind_text64(statement, index, text.size == 0 ? "" : text.bytes, text.size,
                        SQLITE_STATIC, SQLITE_UTF8);
}

static uint64_t column_u64(sqlite3_stmt *statement, int column) {
    return (uint64_t)sqlite3_column_int64(statement, column);
}

static uint64_t column_u64_or(sqlite3_stmt *statement, int column, uint64_t implied) {
    return sqlite3_column_type(statement, column) == SQLITE_NULL ? implied
                                                                 : column_u64(statement, column);
}

/* Copies a text or blob; false when memory is out. sqlite3_column_blob gives the stored bytes of either. */
static bool column_view(sqlite3_stmt *statement, int column, struct arena *arena, stet_view *view) {
    const void *bytes = sqlite3_column_blob(statement, column);
    *view = (stet_view){0};
    if (bytes == NULL) return true;
    *view = arena_copy(arena, view_make(bytes, (size_t)sqlite3_column_bytes(statement, column)));
    return view->bytes != NULL;
}

/* ---- Heads --------------------------------------------------------------------------------------------------- */

/* The table's row; version 0 where it has none. */
static bool column_row(sqlite3_stmt *statement, struct store_head *head) {
    *head = (struct store_head){.version = column_u64(statement, 0)};
    if (sqlite3_column_type(statement, 0) == SQLITE_NULL) return true;
    head->seq = column_u64(statement, 1);
    head->first = column_u64(statement, 2);
    int64_t flags = sqlite3_column_int64(statement, 3);
    head->deleted = (flags & SQL_FLAG_DELETED) != 0;
    head->forked = (flags & SQL_FLAG_FORKED) != 0;
    head->hash = column_u64(statement, 4);
    head->ordinal = column_u64_or(statement, 5, head->version);
    head->parent = column_u64(statement, 7);
    const void *spine = sqlite3_column_blob(statement, 6);
    return spine_decode(head, spine == NULL ? "" : spine,
                        (size_t)sqlite3_column_bytes(statement, 6));
}

/* The head of a record: its row, unless a later one waits. STET_CORRUPT: there is neither, or the row is damaged; err is not filled. */
static stet_status column_head(struct store_reader *reader, sqlite3_stmt *statement,
                               struct store_head *head, stet_error *err) {
    bool intact = column_row(statement, head);
    if (!intact) head->version = 0;
    stet_status status =
        head_settle((struct sqlite_reader *)reader, column_u64(statement, 2), head, err);
    return status == STET_OK && head->version == 0 ? STET_CORRUPT : status;
}

stet_status sqlite_head(struct store_reader *reader, stet_view type, stet_view id,
                        struct store_head *head, stet_error *err) {
    stet_status status = STET_OK;
    struct store_head found;
    uint32_t number = dictionary_find(&store_of(reader)->types, type);
    if (number == 0) {
        memset(head, 0, sizeof *head);
        return STET_OK;
    }
    head_view_begin((struct sqlite_reader *)reader);
    sqlite3_stmt *statement = lookup(reader, SQL_HEAD_GET, err);
    if (statement == NULL) {
        status = lookup_failed(reader);
        head_view_end((struct sqlite_reader *)reader);
        return status;
    }
    sqlite3_bind_int64(statement, 1, number);
    bind_view(statement, 2, id);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        status = column_head(reader, statement, &found, err);
        if (status == STET_OK) *head = found;
        if (status == STET_CORRUPT)
            error_set(err, STET_CORRUPT, "the head of \"%.*s/%.*s\" is damaged", VIEW_ARG(type),
                      VIEW_ARG(id));
    } else if (result == SQLITE_DONE) {
        memset(head, 0, sizeof *head);
    } else {
        status = read_error(reader, result, err);
    }
    sqlite3_reset(statement);
    head_view_end((struct sqlite_reader *)reader);
    return status;
}

stet_status sqlite_head_of(struct store_reader *reader, uint64_t record, struct store_head *head,
                           stet_error *err) {
    stet_status status = STET_OK;
    struct store_head found = {0};
    head_view_begin((struct sqlite_reader *)reader);
    sqlite3_stmt *statement = lookup(reader, SQL_HEAD_OF, err);
    if (statement == NULL) {
        status = lookup_failed(reader);
        head_view_end((struct sqlite_reader *)reader);
        return status;
    }
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)record);
    int result = sqlite3_step(statement);
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
        status = read_error(reader, result, err);
    } else {
        bool intact = result == SQLITE_DONE || column_row(statement, &found);
        if (!intact) found.version = 0;
        status = head_settle((struct sqlite_reader *)reader, record, &found, err);
        if (status == STET_OK && found.version == 0 && !intact)
            status = error_set(err, STET_CORRUPT, "the head of record %llu is damaged",
                               (unsigned long long)record);
        if (status == STET_OK) *head = found;
    }
    sqlite3_reset(statement);
    head_view_end((struct sqlite_reader *)reader);
    return status;
}

stet_status sqlite_scan(struct store_reader *reader, struct arena *arena, stet_view type,
                        stet_view after_id, size_t limit, struct store_row *rows, size_t *count,
                        stet_error *err) {
    stet_status status = STET_OK;
    size_t found = 0;
    uint32_t number = dictionary_find(&store_of(reader)->types, type);
    if (number == 0) {
        *count = 0;
        return STET_OK;
    }
    head_view_begin((struct sqlite_reader *)reader);
    sqlite3_stmt *statement = lookup(reader, SQL_SCAN, err);
    if (statement == NULL) {
        status = lookup_failed(reader);
        head_view_end((struct sqlite_reader *)reader);
        return status;
    }
    sqlite3_bind_int64(statement, 1, number);
    bind_view(statement, 2, after_id);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)limit);
    int result = SQLITE_DONE;
    while (found < limit && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        status = column_head(reader, statement, &rows[found].head, err);
        if (status == STET_CORRUPT)
            error_set(err, STET_CORRUPT, "a head of type \"%.*s\" is damaged", VIEW_ARG(type));
        if (status != STET_OK) break;
        if (!column_view(statement, 8, arena, &rows[found].id)) {
            status = error_set(err, STET_NO_MEMORY, "could not list \"%.*s\"", VIEW_ARG(type));
            break;
        }
        found++;
    }
    if (result != SQLITE_ROW && result != SQLITE_DONE) status = read_error(reader, result, err);
    sqlite3_reset(statement);
    head_view_end((struct sqlite_reader *)reader);
    if (status == STET_OK) *count = found;
    return status;
}

/* ---- Changes ------------------------------------------------------------------------------------------------- */

static stet_status column_change(struct store_reader *reader, sqlite3_stmt *statement,
                                 struct arena *arena, bool with_data, struct store_change *change,
                                 stet_error *err) {
    struct store_change found = {0};
    found.seq = column_u64(statement, 0);
    found.transaction = column_u64_or(statement, 1, found.seq);
    found.stamp = sqlite3_column_int64(statement, 2);
    stet_view type = dictionary_name(&store_of(reader)->types, (uint32_t)column_u64(statement, 3));
    found.version = column_u64(statement, 4);
    found.base_version = column_u64_or(statement, 5, found.version - 1);
    found.first = column_u64_or(statement, 6, found.seq);
    found.prev = column_u64(statement, 7);
    found.skip = column_u64(statement, 8);
    found.ordinal = column_u64_or(statement, 9, found.version);
    int op = sqlite3_column_int(statement, 10);
    found.pruned = (op & SQL_OP_PRUNED) != 0;
    op &= ~SQL_OP_PRUNED;
    if (type.size == 0 || op < STORE_CREATE || op > STORE_DELETE) {
        return error_set(err, STET_CORRUPT, "change %llu is damaged",
                         (unsigned long long)found.seq);
    }
    found.op = (enum store_op)op;
    found.type = arena_copy(arena, type);
    if (found.type.bytes == NULL || !column_view(statement, 11, arena, &found.id) ||
        !column_view(statement, 12, arena, &found.by) ||
        !column_view(statement, 13, arena, &found.key) ||
        !column_view(statement, 14, arena, &found.source) ||
        !column_view(statement, 15, arena, &found.merge) ||
        !column_view(statement, 16, arena, &found.origin) ||
        !column_view(statement, 17, arena, &found.parent) ||
        !column_view(statement, 18, arena, &found.forked_from) ||
        (with_data && !column_view(statement, 19, arena, &found.data))) {
        return error_set(err, STET_NO_MEMORY, "could not read change %llu",
                         (unsigned long long)found.seq);
    }
    *change = found;
    return STET_OK;
}

static stet_status not_kept(uint64_t seq, stet_error *err) {
    return error_set(err, STET_PRUNED, "change %llu is not kept", (unsigned long long)seq);
}

stet_status sqlite_change(struct store_reader *reader, struct arena *arena, uint64_t seq,
                          bool with_data, struct store_change *change, stet_error *err) {
    stet_status status;
    sqlite3_stmt *statement = lookup(reader, with_data ? SQL_CHANGE_GET : SQL_CHANGE_GET_BARE, err);
    if (statement == NULL) return lookup_failed(reader);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)seq);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        status = column_change(reader, statement, arena, with_data, change, err);
    } else if (result == SQLITE_DONE) {
        status = not_kept(seq, err);
    } else {
        status = read_error(reader, result, err);
    }
    sqlite3_reset(statement);
    return status;
}

stet_status sqlite_link(struct store_reader *reader, uint64_t seq, struct store_link *link,
                        stet_error *err) {
    stet_status status = STET_OK;
    sqlite3_stmt *statement = lookup(reader, SQL_LINK, err);
    if (statement == NULL) return lookup_failed(reader);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)seq);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        link->version = column_u64(statement, 0);
        link->ordinal = column_u64_or(statement, 1, link->version);
        link->prev = column_u64(statement, 2);
        link->skip = column_u64(statement, 3);
        link->stamp = sqlite3_column_int64(statement, 4);
    } else if (result == SQLITE_DONE) {
        status = not_kept(seq, err);
    } else {
        status = read_error(reader, result, err);
    }
    sqlite3_reset(statement);
    return status;
}

stet_status sqlite_since(struct store_reader *reader, struct arena *arena, uint64_t after,
                         size_t limit, size_t bytes_max, bool with_data,
                         struct store_change *changes, size_t *count, stet_error *err) {
    stet_status status = STET_OK;
    size_t found = 0, bytes = 0;
    sqlite3_stmt *statement = lookup(reader, with_data ? SQL_SINCE : SQL_SINCE_BARE, err);
    if (statement == NULL) return lookup_failed(reader);
    if (after > INT64_MAX) limit = 0;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)after);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)limit);
    int result = SQLITE_DONE;
    while (found < limit && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        if (with_data) bytes += (size_t)sqlite3_column_bytes(statement, 19);
        if (found > 0 && bytes > bytes_max) break;
        status = column_change(reader, statement, arena, with_data, &changes[found], err);
        if (status != STET_OK) break;
        found++;
    }
    if (result != SQLITE_ROW && result != SQLITE_DONE) status = read_error(reader, result, err);
    sqlite3_reset(statement);
    if (status == STET_OK) *count = found;
    return status;
}

/* ---- Entries -------------------------------------------------------------------------------------------------- */

static void bind_place(sqlite3_stmt *statement, int first, const struct store_place *place) {
    sqlite3_bind_int64(statement, first, (sqlite3_int64)place->index);
    sqlite3_bind_blob64(statement, first + 1, place->key.size == 0 ? "" : place->key.bytes,
                        place->key.size, SQLITE_STATIC);
    sqlite3_bind_int64(statement, first + 2, (sqlite3_int64)place->record);
}

static void bind_bounds(sqlite3_stmt *statement, const struct store_bounds *bounds,
                        uint64_t limit) {
    bind_place(statement, 1, &bounds->above);
    bind_place(statement, 4, &bounds->below);
    sqlite3_bind_int64(statement, 7, limit > INT64_MAX ? INT64_MAX : (sqlite3_int64)limit);
}

stet_status sqlite_entries(struct store_reader *reader, struct arena *arena,
                           const struct store_bounds *bounds, bool reverse, size_t limit,
                           struct store_entry_row *rows, size_t *count, stet_error *err) {
    stet_status status = STET_OK;
    size_t found = 0;
    sqlite3_stmt *statement = lookup(reader, reverse ? SQL_ENTRY_SCAN_BACK : SQL_ENTRY_SCAN, err);
    if (statement == NULL) return lookup_failed(reader);
    bind_bounds(statement, bounds, limit);
    int result = SQLITE_DONE;
    while (found < limit && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        rows[found].record = column_u64(statement, 1);
        if (!column_view(statement, 0, arena, &rows[found].key)) {
            status = error_set(err, STET_NO_MEMORY, "could not read an index");
            break;
        }
        found++;
    }
    if (result != SQLITE_ROW && result != SQLITE_DONE) status = read_error(reader, result, err);
    sqlite3_reset(statement);
    if (status == STET_OK) *count = found;
    return status;
}

stet_status sqlite_entries_count(struct store_reader *reader, const struct store_bounds *bounds,
                                 uint64_t limit, uint64_t *count, stet_error *err) {
    sqlite3_stmt *statement = lookup(reader, SQL_ENTRY_COUNT, err);
    if (statement == NULL) return lookup_failed(reader);
    bind_bounds(statement, bounds, limit);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) *count = column_u64(statement, 0);
    sqlite3_reset(statement);
    return result == SQLITE_ROW ? STET_OK : read_error(reader, result, err);
}

stet_status sqlite_entry_indexes(struct store_reader *reader, uint32_t after, size_t limit,
                                 uint32_t *indexes, size_t *count, stet_error *err) {
    size_t found = 0;
    int result = SQLITE_ROW;
    sqlite3_int64 last = after;
    while (found < limit && result == SQLITE_ROW) {
        sqlite3_stmt *statement = lookup(reader, SQL_ENTRY_INDEX, err);
        if (statement == NULL) return lookup_failed(reader);
        sqlite3_bind_int64(statement, 1, last);
        result = sqlite3_step(statement);
        if (result == SQLITE_ROW) {
            last = sqlite3_column_int64(statement, 0);
            indexes[found++] = (uint32_t)last;
        }
        sqlite3_reset(statement);
    }
    if (result != SQLITE_ROW && result != SQLITE_DONE) return read_error(reader, result, err);
    *count = found;
    return STET_OK;
}

/* ---- The small tables ---------------------------------------------------------------------------------------- */

stet_status sqlite_clock(struct store_reader *reader, struct store_state *state, stet_error *err) {
    stet_status status = STET_OK;
    sqlite3_stmt *statement = lookup(reader, SQL_CLOCK_GET, err);
    if (statement == NULL) return lookup_failed(reader);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        *state = (struct store_state){.seq = column_u64(statement, 0),
                                      .stamp = sqlite3_column_int64(statement, 1),
                                      .keys_rotated_at = sqlite3_column_int64(statement, 2)};
    } else {
        status = result == SQLITE_DONE
                     ? error_set(err, STET_CORRUPT, "the store's clock is missing")
                     : read_error(reader, result, err);
    }
    sqlite3_reset(statement);
    return status;
}

/* Grows with the types: a page of the list at a time, copied into the arena at the end. */
stet_status sqlite_types(struct store_reader *reader, struct arena *arena,
                         struct store_type **types, size_t *count, stet_error *err) {
    stet_status status = STET_OK;
    size_t found = 0, capacity = 0;
    struct store_type *list = NULL;
    sqlite3_stmt *statement = lookup(reader, SQL_TYPE_LIST, err);
    if (statement == NULL) return lookup_failed(reader);
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        if (found == capacity) {
            size_t larger = capacity == 0 ? 16 : 2 * capacity;
            struct store_type *grown = arena_zalloc(arena, larger, sizeof *grown);
            if (grown == NULL) {
                status = error_set(err, STET_NO_MEMORY, "could not list the types");
                break;
            }
            if (found > 0) memcpy(grown, list, found * sizeof *grown);
            list = grown;
            capacity = larger;
        }
        list[found].live = column_u64(statement, 2);
        list[found].floor_seq = column_u64(statement, 3);
        if (!column_view(statement, 1, arena, &list[found].name)) {
            status = error_set(err, STET_NO_MEMORY, "could not list the types");
            break;
        }
        found++;
    }
    if (result != SQLITE_ROW && result != SQLITE_DONE) status = read_error(reader, result, err);
    sqlite3_reset(statement);
    if (status != STET_OK) return status;
    *types = list;
    *count = found;
    return STET_OK;
}

static stet_status key_in_table(struct store_reader *reader, struct arena *arena, unsigned table,
                                const uint8_t key[STORE_KEY_BYTES], stet_view actor,
                                struct store_key *out, stet_error *err) {
    stet_status status = STET_OK;
    sqlite3_stmt *statement = lookup(reader, table == 0 ? SQL_KEY_GET_0 : SQL_KEY_GET_1, err);
    if (statement == NULL) return lookup_failed(reader);
    sqlite3_bind_blob(statement, 1, key, STORE_KEY_BYTES, SQLITE_STATIC);
    bind_view(statement, 2, actor);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        struct store_key found;
        memcpy(found.key, key, STORE_KEY_BYTES);
        found.actor = arena_copy(arena, actor);
        if (sqlite3_column_bytes(statement, 0) != STORE_HASH_BYTES) {
            status = error_set(err, STET_CORRUPT, "a mutation key is damaged");
        } else if (found.actor.bytes == NULL || !column_view(statement, 1, arena, &found.result)) {
            status = error_set(err, STET_NO_MEMORY, "could not look up a mutation key");
        } else {
            memcpy(found.request, sqlite3_column_blob(statement, 0), STORE_HASH_BYTES);
            *out = found;
        }
    } else {
        status = result == SQLITE_DONE ? STET_NOT_FOUND : read_error(reader, result, err);
    }
    sqlite3_reset(statement);
    return status;
}

static bool is_writers_own(const struct store_reader *base) {
    const struct sqlite_reader *reader = (const struct sqlite_reader *)base;
    return reader->connection != &reader->own;
}

/* A key above all that a table holds is not in it. With UUIDv7 that is nearly every new key, and no table is asked. */
static bool may_hold(const struct key_generations *keys, unsigned table,
                     const uint8_t key[STORE_KEY_BYTES]) {
    return keys->any[table] && memcmp(key, keys->max[table], STORE_KEY_BYTES) <= 0;
}

stet_status sqlite_key_find(struct store_reader *reader, struct arena *arena,
                            const uint8_t key[STORE_KEY_BYTES], stet_view actor,
                            struct store_key *out, stet_error *err) {
    struct key_generations *keys = &store_of(reader)->keys;
    bool writers_own = is_writers_own(reader); /* It is the writer who would hold the lock. */
    if (!writers_own) pthread_rwlock_rdlock(&keys->lock);
    unsigned older = 1 - keys->current;
    stet_status status = STET_NOT_FOUND;
    /* The highest key of the table being filled is the writer's own business. */
    if (!writers_own || may_hold(keys, keys->current, key))
        status = key_in_table(reader, arena, keys->current, key, actor, out, err);
    if (status == STET_NOT_FOUND && may_hold(keys, older, key))
        status = key_in_table(reader, arena, older, key, actor, out, err);
    if (!writers_own) pthread_rwlock_unlock(&keys->lock);
    return status;
}

stet_status sqlite_meta_get(struct store_reader *reader, struct arena *arena, stet_view name,
                            stet_view *value, stet_error *err) {
    stet_status status = STET_OK;
    sqlite3_stmt *statement = lookup(reader, SQL_META_GET, err);
    if (statement == NULL) return lookup_failed(reader);
    bind_view(statement, 1, name);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        if (!column_view(statement, 0, arena, value)) {
            status = error_set(err, STET_NO_MEMORY, "could not find \"%.*s\"", VIEW_ARG(name));
        }
    } else {
        status = result == SQLITE_DONE
                     ? error_set(err, STET_NOT_FOUND, "there is no \"%.*s\"", VIEW_ARG(name))
                     : read_error(reader, result, err);
    }
    sqlite3_reset(statement);
    return status;
}

/* ---- Readers ------------------------------------------------------------------------------------------------- */

stet_status sqlite_reader_open(struct store *base, struct store_reader **reader, stet_error *err) {
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct sqlite_reader *opened = sqlite3_malloc(sizeof *opened);
    const struct connection_options options = {.path = store->path,
                                               .vfs = store->vfs,
                                               .synchronous = store->synchronous,
                                               .cache_bytes = store->reader_cache_bytes};
    if (opened == NULL) return error_set(err, STET_NO_MEMORY, "could not open a reader");
    memset(opened, 0, sizeof *opened);
    opened->base.store = base;
    opened->connection = &opened->own;
    stet_status status = connection_open(&opened->own, CONNECTION_READ, &options, err);
    if (status != STET_OK) {
        sqlite3_free(opened);
        return status;
    }
    *reader = &opened->base;
    return STET_OK;
}

void sqlite_reader_close(struct store_reader *base) {
    struct sqlite_reader *reader = (struct sqlite_reader *)base;
    connection_close(&reader->own);
    free(reader->overlay);
    sqlite3_free(reader);
}

stet_status sqlite_snapshot_begin(struct store_reader *base, stet_error *err) {
    struct sqlite_reader *reader = (struct sqlite_reader *)base;
    if (connection_is_open(reader->connection)) return STET_OK;
    head_view_begin(reader);
    int result = connection_run(reader->connection, SQL_BEGIN_READ);
    if (result == SQLITE_OK) return STET_OK;
    head_view_end(reader);
    return connection_error(reader->connection, result, "begin reading", err);
}

void sqlite_snapshot_end(struct store_reader *base) {
    struct sqlite_reader *reader = (struct sqlite_reader *)base;
    if (reader->connection != &reader->own) return;
    if (connection_is_open(reader->connection) &&
        connection_run(reader->connection, SQL_COMMIT) != SQLITE_OK)
        connection_rollback(reader->connection);
    head_view_end(reader);
}

/* A statement that counts what must not be. */
static stet_status check_none(struct sqlite_reader *reader, enum sql_statement which,
                              const char *words, void (*report)(void *context, const char *finding),
                              void *context, uint64_t *findings, stet_error *err) {
    sqlite3_stmt *statement = lookup(&reader->base, which, err);
    if (statement == NULL) return lookup_failed(&reader->base);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW && sqlite3_column_int64(statement, 0) != 0) {
        ++*findings;
        if (report != NULL) report(context, words);
    }
    sqlite3_reset(statement);
    return result == SQLITE_ROW ? STET_OK : read_error(&reader->base, result, err);
}

/* What check.c cannot see: heads that no record leads to, and what changes say of heads. */
static stet_status check_heads(struct sqlite_reader *reader,
                               void (*report)(void *context, const char *finding), void *context,
                               uint64_t *findings, stet_error *err) {
    stet_status status =
        check_none(reader, SQL_HEADS_ASTRAY, "there are not as many heads as records", report,
                   context, findings, err);
    if (status != STET_OK) return status;
    return check_none(reader, SQL_HEADS_DIFFER, "a head differs from what its change says of it",
                      report, context, findings, err);
}

/* What SQLite itself finds wrong with the file. */
stet_status sqlite_check(struct store_reader *base,
                         void (*report)(void *context, const char *finding), void *context,
                         uint64_t *findings, stet_error *err) {
    struct sqlite_reader *reader = (struct sqlite_reader *)base;
    sqlite3_stmt *statement = NULL;
    int result =
        sqlite3_prepare_v2(reader->connection->db, "PRAGMA integrity_check", -1, &statement, NULL);
    while (result == SQLITE_OK || result == SQLITE_ROW) {
        result = sqlite3_step(statement);
        if (result != SQLITE_ROW) break;
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        if (text != NULL && strcmp(text, "ok") == 0) continue;
        ++*findings;
        if (report != NULL) report(context, text == NULL ? "damaged" : text);
    }
    sqlite3_finalize(statement);
    return result == SQLITE_DONE
               ? check_heads(reader, report, context, findings, err)
               : connection_error(reader->connection, result, "check the file", err);
}
