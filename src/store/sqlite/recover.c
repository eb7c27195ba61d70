/*
 * After an unclean stop a log lies beside the file. Its frames may be in the system's page cache only: the process may have
 * died, or its sync failed, before they reached the disk, and a failed sync marks pages clean all the same, so that
 * syncing once more would prove nothing. Whatever recovery is about to believe is therefore written again, byte for byte,
 * and synced, before SQLite opens the file. (Frames that recovery will not believe are rewritten too; they stay as they are.)
 */
#include "base/error.h"
#include "store/sqlite/internal.h"

#include <stdlib.h>

/* SQLite's own VFS takes less than 128 KiB in one call. */
enum { REWRITE_BYTES = 64 * 1024 };

static int rewrite(sqlite3_file *file, sqlite3_int64 size, void *buffer) {
    int result = SQLITE_OK;
    for (sqlite3_int64 at = 0; result == SQLITE_OK && at < size; at += REWRITE_BYTES) {
        int part = size - at < REWRITE_BYTES ? (int)(size - at) : REWRITE_BYTES;
        result = file->pMethods->xRead(file, buffer, part, at);
        if (result == SQLITE_OK) result = file->pMethods->xWrite(file, buffer, part, at);
    }
    return result == SQLITE_OK ? file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) : result;
}

stet_status recover_log(const char *path, const char *vfs_name, bool *found, stet_error *err) {
    sqlite3_vfs *vfs = sqlite3_vfs_find(vfs_name);
    sqlite3_file *file = NULL;
    const char *names = NULL;
    void *buffer = NULL;
    sqlite3_int64 size = 0;
    int exists = 0, flags = 0;
    stet_status status = STET_OK;
    if (vfs == NULL) return error_set(err, STET_MISUSE, "there is no SQLite VFS \"%s\"", vfs_name);
    *found = false;

    char *log_path = sqlite3_mprintf("%s-wal", path);
    char *journal_path = sqlite3_mprintf("%s-journal", path);
    if (log_path != NULL && journal_path != NULL) {
        names = sqlite3_create_filename(path, journal_path, log_path, 0, NULL);
    }
    file = calloc(1, (size_t)vfs->szOsFile);
    buffer = malloc(REWRITE_BYTES);
    if (names == NULL || file == NULL || buffer == NULL) {
        status = error_set(err, STET_NO_MEMORY, "could not look for a log");
        goto done;
    }
    int result = vfs->xAccess(vfs, log_path, SQLITE_ACCESS_EXISTS, &exists);
    if (result != SQLITE_OK || !exists) goto result;
    result = vfs->xOpen(vfs, sqlite3_filename_wal(names), file,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL, &flags);
    if (result != SQLITE_OK) goto result;
    result = file->pMethods->xFileSize(file, &size);
    if (result == SQLITE_OK && size > 0) {
        *found = true;
        result = rewrite(file, size, buffer);
    }
    file->pMethods->xClose(file);
result:
    if (result != SQLITE_OK) {
        const struct connection none = {0};
        status = connection_error(&none, result, "recover the log", err);
    }
done:
    if (names != NULL) sqlite3_free_filename((char *)names);
    sqlite3_free(log_path);
    sqlite3_free(journal_path);
    free(file);
    free(buffer);
    return status;
}
