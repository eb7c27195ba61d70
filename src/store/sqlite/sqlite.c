/*
 * Opening and closing a store in an SQLite file.
 *
 * The order at open: our own lock (nobody else may be inside), recovery of a log left behind, the writer, the log copied
 * back whole when there was one, the schema or its migration, and what the writer remembers. Whatever fails undoes all
 * of it.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "store/lock.h"
#include "store/sqlite/internal.h"
#include "store/sqlite/log_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READER_CACHE_BYTES = 512 * 1024,
    WRITER_CACHE_BYTES = 16 * 1024 * 1024,
    SQLITE_FIXED_VERSION = 3051003, /* The first without the WAL-reset bug. */
    PAGE_BYTES = 4096,
};

/* ---- Schema -------------------------------------------------------------------------------------------------- */

/* The format of the file: -1 when it is new. */
static stet_status format_get(struct connection *writer, int *format, stet_error *err) {
    stet_status status = STET_OK;
    sqlite3_stmt *statement = NULL;
    int result =
        sqlite3_prepare_v2(writer->db, "SELECT count(*) FROM sqlite_schema", -1, &statement, NULL);
    if (result == SQLITE_OK) result = sqlite3_step(statement);
    bool empty = result == SQLITE_ROW && sqlite3_column_int(statement, 0) == 0;
    sqlite3_finalize(statement);
    if (result != SQLITE_ROW)
        return connection_error(writer, result, "read the store's format", err);
    if (empty) {
        *format = -1;
        return STET_OK;
    }
    statement = connection_statement(writer, SQL_META_GET, NULL);
    if (statement == NULL)
        return error_set(err, STET_CORRUPT, "the file is not a store of records");
    sqlite3_bind_text(statement, 1, "store.format", -1, SQLITE_STATIC);
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        *format = sqlite3_column_int(statement, 0);
        if (*format < 0) status = error_set(err, STET_CORRUPT, "the store's format is damaged");
    } else {
        status = result == SQLITE_DONE
                     ? error_set(err, STET_CORRUPT, "the file is not a store of records")
                     : connection_error(writer, result, "read the store's format", err);
    }
    sqlite3_reset(statement);
    return status;
}

static int format_set(struct connection *writer, int format) {
    char text[16];
    snprintf(text, sizeof text, "%d", format);
    sqlite3_stmt *statement = connection_statement(writer, SQL_META_SET, NULL);
    if (statement == NULL) return sqlite3_extended_errcode(writer->db);
    sqlite3_bind_text(statement, 1, "store.format", -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 2, text, (int)strlen(text), SQLITE_STATIC);
    int result = sqlite3_step(statement);
    sqlite3_reset(statement);
    return result == SQLITE_DONE ? SQLITE_OK : result;
}

/* Makes the schema, or brings an older one forward, in one transaction: a stop in between leaves the old format. */
static stet_status schema_ensure(struct sqlite_store *store, stet_error *err) {
    struct connection *writer = &store->writer;
    int format = -1;
    stet_status status = format_get(writer, &format, err);
    if (status != STET_OK || format == SQL_FORMAT) return status;
    if (format > SQL_FORMAT) {
        return error_set(err, STET_FORMAT, "\"%s\" has format %d; this version reads up to %d",
                         store->path, format, SQL_FORMAT);
    }
    int result = connection_run(writer, SQL_BEGIN_WRITE);
    if (result == SQLITE_OK && format < 0)
        result = sqlite3_exec(writer->db, sql_schema, NULL, NULL, NULL);
    for (int at = format; at >= 0 && result == SQLITE_OK && at < SQL_FORMAT; at++) {
        result = sqlite3_exec(writer->db, sql_migrations[at], NULL, NULL, NULL);
        if (result == SQLITE_OK) result = format_set(writer, at + 1);
    }
    if (result == SQLITE_OK) result = connection_run(writer, SQL_COMMIT);
    if (result == SQLITE_OK) return STET_OK;
    status = connection_error(writer, result, format < 0 ? "create the store" : "migrate the store",
                              err);
    connection_rollback(writer);
    return status;
}

/* ---- What the writer remembers ---------------------------------------------------------------------------------- */

static stet_status state_load(struct sqlite_store *store, stet_error *err) {
    bool recovered = store->base.state.recovered;
    stet_status status = sqlite_clock(store->base.writer, &store->base.state, err);
    store->base.state.recovered = recovered;
    return status;
}

/* Numbers run from 1 without gaps, because dictionary_add gives them out and types are never removed. */
static stet_status types_load(struct sqlite_store *store, stet_error *err) {
    stet_status status = STET_OK;
    int result;
    sqlite3_stmt *statement = connection_statement(&store->writer, SQL_TYPE_LIST, err);
    if (statement == NULL) return STET_CORRUPT;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        uint32_t number;
        const void *name = sqlite3_column_blob(statement, 1);
        if (name == NULL) {
            status = error_set(err, STET_CORRUPT, "the table of types is damaged");
            break;
        }
        status = dictionary_add(
            &store->types, view_make(name, (size_t)sqlite3_column_bytes(statement, 1)), &number);
        if (status != STET_OK) {
            error_set(err, status, "could not load the types");
            break;
        }
        if (number != sqlite3_column_int64(statement, 0)) {
            status = error_set(err, STET_CORRUPT, "the table of types is damaged");
            break;
        }
    }
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
        status = connection_error(&store->writer, result, "load the types", err);
    }
    sqlite3_reset(statement);
    dictionary_publish(&store->types);
    return status;
}

static stet_status keys_load(struct sqlite_store *store, stet_error *err) {
    sqlite3_stmt *statement = connection_statement(&store->writer, SQL_CLOCK_GET, err);
    if (statement == NULL) return STET_CORRUPT;
    int result = sqlite3_step(statement);
    store->keys.current = result == SQLITE_ROW && sqlite3_column_int(statement, 3) == 1 ? 1 : 0;
    sqlite3_reset(statement);
    for (unsigned table = 0; table < 2; table++) {
        statement =
            connection_statement(&store->writer, table == 0 ? SQL_KEY_MAX_0 : SQL_KEY_MAX_1, err);
        if (statement == NULL) return STET_CORRUPT;
        result = sqlite3_step(statement);
        if (result == SQLITE_ROW && sqlite3_column_bytes(statement, 0) == STORE_KEY_BYTES) {
            memcpy(store->keys.max[table], sqlite3_column_blob(statement, 0), STORE_KEY_BYTES);
            store->keys.any[table] = true;
        }
        sqlite3_reset(statement);
        if (result != SQLITE_ROW && result != SQLITE_DONE) {
            return connection_error(&store->writer, result, "load the mutation keys", err);
        }
    }
    return STET_OK;
}

static stet_status page_bytes_load(struct sqlite_store *store, stet_error *err) {
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(store->writer.db, "PRAGMA page_size", -1, &statement, NULL);
    if (result == SQLITE_OK) result = sqlite3_step(statement);
    store->page_bytes =
        result == SQLITE_ROW ? (uint32_t)sqlite3_column_int(statement, 0) : PAGE_BYTES;
    sqlite3_finalize(statement);
    return result == SQLITE_ROW ? STET_OK
                                : connection_error(&store->writer, result, "open the store", err);
}

static stet_status tables_make(struct sqlite_store *store, stet_error *err) {
    int result = batch_tables_make(&store->tables, store->writer.db);
    return result == SQLITE_OK ? STET_OK
                               : connection_error(&store->writer, result, "open the store", err);
}

/* ---- Opening and closing ------------------------------------------------------------------------------------- */

/* Records are private to the user who serves them. SQLite gives the log the file's own mode. */
static stet_status file_create(const char *path, stet_error *err) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
        return STET_OK;
    }
    if (errno == EEXIST) return STET_OK;
    stet_status status = errno == ENOSPC || errno == EDQUOT ? STET_NO_SPACE : STET_IO;
    return error_set(err, status, "could not create \"%s\": %s", path, strerror(errno));
}

static void advise(struct sqlite_store *store) {
    if (sqlite3_libversion_number() >= SQLITE_FIXED_VERSION) return;
    snprintf(store->base.advice, sizeof store->base.advice,
             "SQLite %s has the WAL-reset bug (fixed in 3.51.3); Stet's checkpoint rule avoids it, "
             "but no other program may "
             "write to the data while it is served",
             sqlite3_libversion());
}

/* Accepts a half-opened store. Clean: the log is copied back, and SQLite, closing last, removes it. */
static void store_release(struct sqlite_store *store, bool clean) {
    if (store->base.writer != NULL) {
        connection_rollback(&store->writer);
        /* What cannot be written now is found again from the changes. */
        if (clean) clean = sqlite_heads_write(store, NULL) != STET_COMMIT_UNKNOWN;
        if (clean) checkpoint_truncate(store, NULL);
        checkpoint_done(store);
    }
    /* After a failed commit the log is evidence: the next open recovers from it, nothing may be copied now. */
    if (!clean && store->writer.db != NULL) {
        sqlite3_db_config(store->writer.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
    sqlite3_finalize(store->page_count);
    sqlite3_finalize(store->freelist_count);
    connection_close(&store->writer);
    file_lock_release(store->lock_fd);
    dictionary_done(&store->types);
    late_done(&store->late);
    pthread_rwlock_destroy(&store->keys.lock);
    free(store->numbers);
    free(store->path);
    free(store->vfs);
    log_vfs_release(store->log_vfs);
    free(store->synchronous);
    free(store);
}

static void sqlite_close(struct store *base) {
    store_release((struct sqlite_store *)base, !base->failed);
}

static bool copy_text(const char *from, char **to) {
    *to = from == NULL ? NULL : strdup(from);
    return from == NULL || *to != NULL;
}

static struct sqlite_store *store_create(const struct store_options *options) {
    struct sqlite_store *store = calloc(1, sizeof *store);
    if (store == NULL) return NULL;
    store->base.driver = &store_sqlite_driver;
    store->lock_fd = -1;
    store->reader_cache_bytes =
        options->reader_cache_bytes != 0 ? options->reader_cache_bytes : READER_CACHE_BYTES;
    store->wal_restart_bytes =
        options->wal_restart_bytes != 0 ? options->wal_restart_bytes : WAL_BYTES_RESTART;
    store->writer_reader =
        (struct sqlite_reader){.base = {.store = &store->base}, .connection = &store->writer};
    head_view_begin(&store->writer_reader);
    if (dictionary_init(&store->types) != STET_OK) {
        free(store);
        return NULL;
    }
    if (pthread_rwlock_init(&store->keys.lock, NULL) != 0) {
        dictionary_done(&store->types);
        free(store);
        return NULL;
    }
    size_t late_max = options->late_heads_max != 0 ? options->late_heads_max : LATE_HEADS_MAX;
    if (late_init(&store->late, late_max) != STET_OK) {
        pthread_rwlock_destroy(&store->keys.lock);
        dictionary_done(&store->types);
        free(store);
        return NULL;
    }
    if (!copy_text(options->path, &store->path) || !copy_text(options->vfs, &store->vfs) ||
        !copy_text(options->synchronous, &store->synchronous)) {
        store_release(store, false);
        return NULL;
    }
    store->log_vfs = log_vfs_acquire(store->vfs);
    if (store->log_vfs == NULL) {
        store_release(store, false);
        return NULL;
    }
    return store;
}

static stet_status lock_file(struct sqlite_store *store, stet_error *err) {
    char *lock_path;
    if (asprintf(&lock_path, "%s-lock", store->path) < 0)
        return error_set(err, STET_NO_MEMORY, "could not lock the store");
    stet_status status = file_lock_acquire(lock_path, store->path, &store->lock_fd, err);
    free(lock_path);
    return status;
}

static stet_status sqlite_open(const struct store_options *options, struct store **out,
                               stet_error *err) {
    if (options->path == NULL) return error_set(err, STET_MISUSE, "the sqlite driver needs a path");
    if (sqlite3_vfs_find(options->vfs) == NULL)
        return error_set(err, STET_MISUSE, "there is no SQLite VFS \"%s\"", options->vfs);
    struct sqlite_store *store = store_create(options);
    if (store == NULL)
        return error_set(err, STET_NO_MEMORY, "could not open \"%s\"", options->path);
    const struct connection_options writer_options = {
        .path = store->path,
        .vfs = log_vfs_name(store->log_vfs),
        .synchronous = store->synchronous,
        .cache_bytes =
            options->writer_cache_bytes != 0 ? options->writer_cache_bytes : WRITER_CACHE_BYTES};

    stet_status status = lock_file(store, err);
    if (status == STET_OK)
        status = recover_log(store->path, store->vfs, &store->base.state.recovered, err);
    if (status == STET_OK && store->vfs == NULL) status = file_create(store->path, err);
    if (status == STET_OK)
        status = connection_open(&store->writer, CONNECTION_WRITE, &writer_options, err);
    if (status == STET_OK) status = page_bytes_load(store, err);
    if (status == STET_OK) status = tables_make(store, err);
    if (status != STET_OK) goto fail;
    status = checkpoint_init(store, err);
    if (status != STET_OK) goto fail;
    store->base.writer = &store->writer_reader.base;
    if (store->base.state.recovered) status = checkpoint_truncate(store, err);
    if (status == STET_OK) status = schema_ensure(store, err);
    if (status == STET_OK) status = state_load(store, err);
    if (status == STET_OK) status = types_load(store, err);
    if (status == STET_OK) status = keys_load(store, err);
    if (status == STET_OK) status = heads_load(store, err);
    if (status != STET_OK) goto fail;
    connection_rollback(&store->writer);
    checkpoint_committed(store);
    advise(store);
    *out = &store->base;
    return STET_OK;
fail:
    store_release(store, false);
    return status;
}

/* A transaction that the writer's reader left open would keep SQLite from copying the log back. */
static void sqlite_maintain(struct store *base) {
    struct sqlite_store *store = (struct sqlite_store *)base;
    if (connection_is_open(&store->writer)) connection_rollback(&store->writer);
    if (!base->failed) checkpoint_maintain(store);
}

static void sqlite_usage(const struct store *base, struct store_usage *usage) {
    const struct sqlite_store *store = (const struct sqlite_store *)base;
    struct stat file;
    uint64_t frames = atomic_load(&store->checkpoint.log_frames);
    *usage = (struct store_usage){.log_bytes = frames * (store->page_bytes + 24),
                                  .checkpoints = atomic_load(&store->checkpoint.checkpoints)};
    if (stat(store->path, &file) == 0) usage->file_bytes = (uint64_t)file.st_size;
}

/* One number. The statement stays prepared. */
static bool ask_number(struct sqlite_store *store, sqlite3_stmt **statement, const char *sql,
                       uint64_t *number) {
    if (*statement == NULL &&
        sqlite3_prepare_v3(store->writer.db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) !=
            SQLITE_OK)
        return false;
    bool known = sqlite3_step(*statement) == SQLITE_ROW;
    if (known) *number = (uint64_t)sqlite3_column_int64(*statement, 0);
    sqlite3_reset(*statement);
    return known;
}

static stet_status sqlite_used(struct store *base, uint64_t *bytes) {
    struct sqlite_store *store = (struct sqlite_store *)base;
    uint64_t pages, free_pages;
    if (!ask_number(store, &store->page_count, "PRAGMA page_count", &pages) ||
        !ask_number(store, &store->freelist_count, "PRAGMA freelist_count", &free_pages))
        return STET_IO;
    *bytes = (pages - free_pages) * store->page_bytes;
    return STET_OK;
}

const struct store_driver store_sqlite_driver = {
    .name = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .commit = sqlite_commit,
    .maintain = sqlite_maintain,
    .entries_drop = sqlite_entries_drop,
    .meta_put = sqlite_meta_put,
    .usage = sqlite_usage,
    .used = sqlite_used,
    .reader_open = sqlite_reader_open,
    .reader_close = sqlite_reader_close,
    .snapshot_begin = sqlite_snapshot_begin,
    .snapshot_end = sqlite_snapshot_end,
    .clock = sqlite_clock,
    .head = sqlite_head,
    .head_of = sqlite_head_of,
    .change = sqlite_change,
    .link = sqlite_link,
    .since = sqlite_since,
    .scan = sqlite_scan,
    .types = sqlite_types,
    .key_find = sqlite_key_find,
    .entries = sqlite_entries,
    .entries_count = sqlite_entries_count,
    .entry_indexes = sqlite_entry_indexes,
    .meta_get = sqlite_meta_get,
    .check = sqlite_check,
    .backup = sqlite_backup,
    .renew = sqlite_renew,
};
