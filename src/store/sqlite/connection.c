/* One SQLite handle: settings, prepared statements, and what SQLite's results mean to us. */
#include "base/error.h"
#include "store/sqlite/internal.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BUSY_YIELDS = 100, BUSY_NAP_US = 500, BUSY_NAPS_MAX = 4000 };

/* Counting every allocation takes a lock that all threads share. Where the host program has started SQLite already, its
   own choice stands. */
static void configure(void) { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

/* Locks of our own threads are held for microseconds; SQLite's own handler would begin with a sleep of a millisecond. */
static int wait_for_lock(void *unused, int tries) {
    (void)unused;
    if (tries >= BUSY_YIELDS + BUSY_NAPS_MAX) return 0;
    if (tries < BUSY_YIELDS) {
        sched_yield();
    } else {
        usleep(BUSY_NAP_US);
    }
    return 1;
}

static int execute(struct connection *connection, const char *sql) {
    return sqlite3_exec(connection->db, sql, NULL, NULL, NULL);
}

/* Takes the log into use, and makes sure that SQLite did: it answers with the mode it has. */
static int use_log(struct connection *connection) {
    sqlite3_stmt *statement = NULL;
    int result =
        sqlite3_prepare_v2(connection->db, "PRAGMA journal_mode=WAL", -1, &statement, NULL);
    if (result == SQLITE_OK) {
        result = sqlite3_step(statement);
        if (result == SQLITE_ROW) {
            const char *mode = (const char *)sqlite3_column_text(statement, 0);
            result = mode != NULL && strcmp(mode, "wal") == 0 ? SQLITE_OK : SQLITE_CANTOPEN;
        }
    }
    sqlite3_finalize(statement);
    return result;
}

stet_status connection_open(struct connection *connection, enum connection_role role,
                            const struct connection_options *options, stet_error *err) {
    char sql[512];
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (role == CONNECTION_WRITE) flags |= SQLITE_OPEN_CREATE;
    static pthread_once_t configured = PTHREAD_ONCE_INIT;
    pthread_once(&configured, configure);
    memset(connection, 0, sizeof *connection);
    int result = sqlite3_open_v2(options->path, &connection->db, flags, options->vfs);
    if (result != SQLITE_OK) goto done;
    sqlite3_busy_handler(connection->db, wait_for_lock, NULL);
    /* The copier and readers close while others are at work: only the writer, closing last, may tidy up the log. */
    if (role != CONNECTION_WRITE)
        sqlite3_db_config(connection->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (role == CONNECTION_COPY)
        sqlite3_db_config(connection->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
    snprintf(sql, sizeof sql,
             "PRAGMA page_size=4096; PRAGMA cache_size=-%llu; PRAGMA mmap_size=0; PRAGMA "
             "temp_store=MEMORY;"
             "PRAGMA synchronous=%s; PRAGMA secure_delete=FAST; PRAGMA wal_autocheckpoint=0;",
             (unsigned long long)(options->cache_bytes / 1024 + 1),
             options->synchronous == NULL ? "FULL" : options->synchronous);
    result = execute(connection, sql);
    if (result == SQLITE_OK && role == CONNECTION_WRITE) result = use_log(connection);
    if (result == SQLITE_OK && role == CONNECTION_READ)
        result = execute(connection, "PRAGMA query_only=1");
done:
    if (result == SQLITE_OK) return STET_OK;
    stet_status status = connection_error(connection, result, "open the store", err);
    connection_close(connection);
    return status;
}

void connection_close(struct connection *connection) {
    for (int i = 0; i < SQL_STATEMENTS; i++) {
        sqlite3_finalize(connection->statements[i]);
        connection->statements[i] = NULL;
    }
    sqlite3_close(connection->db);
    connection->db = NULL;
}

static int prepare(struct connection *connection, enum sql_statement which) {
    if (connection->statements[which] != NULL) return SQLITE_OK;
    return sqlite3_prepare_v3(connection->db, sql_text[which], -1, SQLITE_PREPARE_PERSISTENT,
                              &connection->statements[which], NULL);
}

sqlite3_stmt *connection_statement(struct connection *connection, enum sql_statement which,
                                   stet_error *err) {
    int result = prepare(connection, which);
    if (result == SQLITE_OK) return connection->statements[which];
    connection_error(connection, result, "prepare a statement", err);
    return NULL;
}

int connection_run(struct connection *connection, enum sql_statement which) {
    int result = prepare(connection, which);
    if (result != SQLITE_OK) return result;
    result = sqlite3_step(connection->statements[which]);
    sqlite3_reset(connection->statements[which]);
    return result == SQLITE_DONE ? SQLITE_OK : result;
}

bool connection_is_open(const struct connection *connection) {
    return connection->db != NULL && !sqlite3_get_autocommit(connection->db);
}

void connection_rollback(struct connection *connection) {
    for (int i = 0; i < SQL_STATEMENTS; i++)
        sqlite3_reset(connection->statements[i]);
    if (connection_is_open(connection)) connection_run(connection, SQL_ROLLBACK);
}

static stet_status status_of(int result, int system_errno, const char **words) {
    *words = sqlite3_errstr(result & 0xff);
    switch (result & 0xff) {
    case SQLITE_NOMEM: *words = "out of memory"; return STET_NO_MEMORY;
    case SQLITE_FULL: *words = "the disk is full"; return STET_NO_SPACE;
    case SQLITE_TOOBIG: *words = "too large for the storage"; return STET_TOO_LARGE;
    case SQLITE_READONLY: *words = "the disk or file is read-only"; return STET_IO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: *words = "another process has locked the file"; return STET_IO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: *words = "the file is damaged"; return STET_CORRUPT;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISUSE:
    case SQLITE_RANGE: *words = "the batch does not fit what is stored"; return STET_INTERNAL;
    }
    if (result == SQLITE_IOERR_NOMEM) {
        *words = "out of memory";
        return STET_NO_MEMORY;
    }
    if (system_errno == ENOSPC || system_errno == EDQUOT) {
        *words = "the disk is full";
        return STET_NO_SPACE;
    }
    if (system_errno == EROFS) *words = "the disk is read-only";
    return STET_IO;
}

/* SQLite notes the system's error for most failures, but not for those of COMMIT; its VFS still knows it then. */
static int system_error(const struct connection *connection, int result) {
    sqlite3_vfs *vfs = NULL;
    if (connection->db == NULL || (result & 0xff) != SQLITE_IOERR) return 0;
    int number = sqlite3_system_errno(connection->db);
    if (number != 0) return number;
    if (sqlite3_file_control(connection->db, "main", SQLITE_FCNTL_VFS_POINTER, &vfs) != SQLITE_OK ||
        vfs == NULL || vfs->xGetLastError == NULL) {
        return 0;
    }
    return vfs->xGetLastError(vfs, 0, NULL);
}

stet_status connection_error(const struct connection *connection, int result, const char *tried,
                             stet_error *err) {
    const char *words;
    int system_errno = system_error(connection, result);
    stet_status status = status_of(result, system_errno, &words);
    error_set(err, status, "could not %s: %s", tried, words);
    error_cause(err, "sqlite %d: %s%s%s", result,
                connection->db == NULL ? "" : sqlite3_errmsg(connection->db),
                system_errno == 0 ? "" : "; errno ",
                system_errno == 0 ? "" : strerror(system_errno));
    return status;
}
