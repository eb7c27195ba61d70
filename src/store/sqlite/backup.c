/*
 * Copies of a store, and what can be read from one without opening it as a store.
 *
 * VACUUM INTO reads one snapshot: the copy is the store as of one commit, however long it takes and whatever is written
 * meanwhile (a copy in steps starts over with every commit, and beside a steady writer never ends). It is made in SQLite's
 * rollback mode, so the file is whole by itself, and SQLite does not sync it: that is done here. While it runs the log cannot start over.
 *
 * A copy is only read here, never written to: who made it has its hash. What is asked is answered from the changes alone,
 * which are the truth whatever a format derives from them.
 */
#include "base/error.h"
#include "base/view.h"
#include "store/sqlite/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BACKUP_CACHE_BYTES = 4 * 1024 * 1024, STOP_ASKED_STEPS = 10000 };

struct stopper {
    bool (*stop)(void *context);
    void *context;
    bool stopped;
};

static int ask(void *context) {
    struct stopper *stopper = context;
    if (stopper->stop != NULL && stopper->stop(stopper->context)) stopper->stopped = true;
    return stopper->stopped ? 1 : 0;
}

/* ---- Making one ---------------------------------------------------------------------------------------------- */

/* Private to its owner before a byte is in it; SQLite takes an empty file for one that is not there. */
static stet_status file_make(const char *path, stet_error *err) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        stet_status status = errno == ENOSPC || errno == EDQUOT ? STET_NO_SPACE : STET_IO;
        return error_set(err, status, "could not create \"%s\": %s", path, strerror(errno));
    }
    close(fd);
    return STET_OK;
}

static stet_status file_sync(const char *path, stet_error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0) close(fd);
    if (failed == 0) return STET_OK;
    stet_status status = failed == ENOSPC || failed == EDQUOT ? STET_NO_SPACE : STET_IO;
    return error_set(err, status, "could not sync \"%s\": %s", path, strerror(failed));
}

static int vacuum_into(sqlite3 *db, const char *path) {
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db, "VACUUM INTO $1", -1, &statement, NULL);
    if (result == SQLITE_OK) sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
    if (result == SQLITE_OK) result = sqlite3_step(statement);
    sqlite3_finalize(statement);
    return result == SQLITE_DONE ? SQLITE_OK : result;
}

stet_status sqlite_backup(struct store *base, const char *path, bool (*stop)(void *context),
                          void *context, stet_error *err) {
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct stopper stopper = {.stop = stop, .context = context};
    struct connection reader = {0};
    const struct connection_options options = {
        .path = store->path, .vfs = store->vfs, .cache_bytes = BACKUP_CACHE_BYTES};
    /* One that reads only refuses to vacuum, whereto ever. */
    stet_status status = connection_open(&reader, CONNECTION_COPY, &options, err);
    if (status != STET_OK) return status;
    if (store->vfs == NULL) status = file_make(path, err);
    if (status != STET_OK) goto done;
    sqlite3_progress_handler(reader.db, STOP_ASKED_STEPS, ask, &stopper);
    int result = vacuum_into(reader.db, path);
    if (stopper.stopped) {
        status = error_set(err, STET_CANCELLED, "the backup was stopped");
    } else if (result != SQLITE_OK) {
        status = connection_error(&reader, result, "copy the store", err);
    } else if (store->vfs == NULL) {
        status = file_sync(path, err);
    }
    if (status != STET_OK && store->vfs == NULL) {
        unlink(path);
        char journal[4096];
        if (snprintf(journal, sizeof journal, "%s-journal", path) < (int)sizeof journal)
            unlink(journal);
    }
done:
    connection_close(&reader);
    return status;
}

/* ---- A store that begins anew ----------------------------------------------------------------------------------- */

static int write_life(struct connection *writer, uint64_t seq, int64_t stamp, stet_view lives) {
    sqlite3_stmt *statement = connection_statement(writer, SQL_CLOCK_SET, NULL);
    if (statement == NULL) return sqlite3_extended_errcode(writer->db);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)seq);
    sqlite3_bind_int64(statement, 2, stamp);
    int result = sqlite3_step(statement);
    sqlite3_reset(statement);
    if (result != SQLITE_DONE) return result;
    /* No head is missing: what is above it would be counted from there. */
    statement = connection_statement(writer, SQL_CLOCK_HEADS, NULL);
    if (statement == NULL) return sqlite3_extended_errcode(writer->db);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)seq);
    result = sqlite3_step(statement);
    sqlite3_reset(statement);
    if (result != SQLITE_DONE) return result;
    statement = connection_statement(writer, SQL_META_SET, NULL);
    if (statement == NULL) return sqlite3_extended_errcode(writer->db);
    sqlite3_bind_text(statement, 1, STORE_META_LIVES, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(statement, 2, lives.bytes, lives.size, SQLITE_STATIC);
    result = sqlite3_step(statement);
    sqlite3_reset(statement);
    return result == SQLITE_DONE ? SQLITE_OK : result;
}

stet_status sqlite_renew(struct store *base, uint64_t seq, int64_t stamp, stet_view lives,
                         stet_error *err) {
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct connection *writer = &store->writer;
    connection_rollback(writer);
    stet_status status = sqlite_heads_write(store, err);
    if (status != STET_OK) return status;
    int result = connection_run(writer, SQL_BEGIN_WRITE);
    if (result == SQLITE_OK) result = write_life(writer, seq, stamp, lives);
    if (result == SQLITE_OK) result = connection_run(writer, SQL_COMMIT);
    if (result != SQLITE_OK) {
        status = connection_error(writer, result, "begin anew", err);
        connection_rollback(writer);
        return status;
    }
    checkpoint_committed(store);
    /* What is known of late heads is kept by seq, one beside the other: it starts over behind the gap. */
    size_t heads_max = store->late.heads_max;
    late_done(&store->late);
    if (late_init(&store->late, heads_max) != STET_OK) {
        base->failed = true;
        return error_set(err, STET_NO_MEMORY, "could not begin anew");
    }
    late_start(&store->late, seq);
    return STET_OK;
}

/* ---- Reading one --------------------------------------------------------------------------------------------- */

static stet_status file_error(sqlite3 *db, int result, const char *path, stet_error *err) {
    const struct connection connection = {.db = db};
    char tried[320];
    snprintf(tried, sizeof tried, "read \"%s\"", path);
    return connection_error(&connection, result, tried, err);
}

/* Creates nothing beside the file and changes nothing in it. */
static stet_status file_open(const char *path, sqlite3 **db, stet_error *err) {
    *db = NULL;
    int result = sqlite3_open_v2(path, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_EXRESCODE, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_exec(*db, "PRAGMA cache_size=-512; PRAGMA mmap_size=0;", NULL, NULL, NULL);
    if (result == SQLITE_OK) return STET_OK;
    stet_status status = file_error(*db, result, path, err);
    sqlite3_close(*db);
    *db = NULL;
    return status;
}

stet_status store_file_census(const char *path, struct store_census *census, stet_error *err) {
    sqlite3 *db;
    sqlite3_stmt *statement = NULL;
    stet_status status = file_open(path, &db, err);
    if (status != STET_OK) return status;
    int result = sqlite3_prepare_v2(db,
                                    "SELECT (SELECT seq FROM clock), count(*),"
                                    " count(CASE WHEN coalesce(prev, 0) = 0 THEN 1 END),"
                                    " count(CASE WHEN op & 15 = 1 THEN 1 END)"
                                    " - count(CASE WHEN op & 15 = 3 THEN 1 END) FROM change",
                                    -1, &statement, NULL);
    if (result == SQLITE_OK) result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        *census = (struct store_census){.seq = (uint64_t)sqlite3_column_int64(statement, 0),
                                        .changes = (uint64_t)sqlite3_column_int64(statement, 1),
                                        .records = (uint64_t)sqlite3_column_int64(statement, 2),
                                        .live = (uint64_t)sqlite3_column_int64(statement, 3)};
    } else {
        status = file_error(db, result, path, err);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return status;
}

stet_status store_file_meta(const char *path, stet_view name, struct arena *arena, stet_view *value,
                            stet_error *err) {
    sqlite3 *db;
    sqlite3_stmt *statement = NULL;
    stet_status status = file_open(path, &db, err);
    if (status != STET_OK) return status;
    int result = sqlite3_prepare_v2(db, sql_text[SQL_META_GET], -1, &statement, NULL);
    if (result == SQLITE_OK)
        sqlite3_bind_text64(statement, 1, name.bytes, name.size, SQLITE_STATIC, SQLITE_UTF8);
    if (result == SQLITE_OK) result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        const void *bytes = sqlite3_column_blob(statement, 0);
        size_t size = (size_t)sqlite3_column_bytes(statement, 0);
        *value = arena_copy(arena, view_make(bytes == NULL ? "" : bytes, size));
        if (value->bytes == NULL) status = error_set(err, STET_NO_MEMORY, "out of memory");
    } else {
        status = result == SQLITE_DONE
                     ? error_set(err, STET_NOT_FOUND, "could not find \"%.*s\"", VIEW_ARG(name))
                     : file_error(db, result, path, err);
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return status;
}

stet_status store_file_latest(const char *path, stet_view type,
                              stet_status (*visit)(void *context, stet_view id, stet_view data,
                                                   stet_error *err),
                              void *context, stet_error *err) {
    sqlite3 *db;
    sqlite3_stmt *statement = NULL;
    stet_status status = file_open(path, &db, err);
    if (status != STET_OK) return status;
    int result =
        sqlite3_prepare_v2(db,
                           "SELECT id, data FROM change AS latest WHERE op & 15 <> 3"
                           " AND type = (SELECT type FROM type WHERE CAST(name AS BLOB) = $1)"
                           " AND NOT EXISTS (SELECT 1 FROM change WHERE seq > latest.seq"
                           " AND type = latest.type AND id = latest.id) ORDER BY id",
                           -1, &statement, NULL);
    if (result == SQLITE_OK)
        sqlite3_bind_blob64(statement, 1, type.bytes, type.size, SQLITE_STATIC);
    if (result == SQLITE_OK) {
        while (status == STET_OK && (result = sqlite3_step(statement)) == SQLITE_ROW) {
            const char *id = (const char *)sqlite3_column_text(statement, 0);
            const char *data = (const char *)sqlite3_column_text(statement, 1);
            if (id == NULL || data == NULL) {
                status = error_set(err, STET_CORRUPT, "\"%s\" is damaged", path);
                break;
            }
            status = visit(context, view_make(id, (size_t)sqlite3_column_bytes(statement, 0)),
                           view_make(data, (size_t)sqlite3_column_bytes(statement, 1)), err);
        }
    }
    if (status == STET_OK && result != SQLITE_DONE) status = file_error(db, result, path, err);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return status;
}
