/*
 * Joining the writes to the log.
 *
 * SQLite hands each frame of a commit down in two pieces, a header of 24 bytes and a page: some 400 calls of the system for a
 * batch of 256 writes, which cost about as much as the sync. Here the pieces gather in a buffer and go down together.
 *
 * What waits. Only frames without a commit mark (SQLite writes them in the order of the log; nobody looks at them before
 * a marked one follows). A marked header is put down at once with all that waits, and the page of a marked frame goes
 * straight through: so the page that completes a commit is the last thing written, by the call in which SQLite expects it,
 * and an error is reported by xWrite as it would be without us. Nothing waits when SQLite syncs, whether it does sync
 * (synchronous=OFF does not), or publishes a commit in the log's index. Where frames do wait (a full page cache spills before
 * COMMIT, a batch is rolled back), whatever else happens to the file through this handle comes after them; other handles
 * read published frames only.
 *
 * When a write fails. commit.c concludes that the commit did not happen, because the log's checksums run through every byte
 * up to the marked frame's last one. There is one way in which that would be wrong: the write stopped half-way, or
 * did nothing at all, over older bytes of the log that were the same as those it left out. So after a failed write the
 * file is read again. If a byte differs it was not written, so no sync and no power loss can bring it, and the error stands. If
 * nothing differs, or the file cannot be read, the result is SQLITE_IOERR_FSYNC: what commit.c takes for "unknown".
 */
#include "store/sqlite/log_vfs.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SQLite's own VFS takes less than 128 KiB in one call; half of that stays in the processor's cache meanwhile. */
enum { FRAME_HEADER_BYTES = 24, BUFFER_BYTES = 64 * 1024, READ_BACK_BYTES = 4096 };

struct log_vfs {
    sqlite3_vfs vfs;
    sqlite3_vfs *base;
    struct log_vfs *next;
    size_t users;
    char name[]; /* Of the VFS. */
};

/* The file of the VFS below follows it in memory. */
struct log_file {
    sqlite3_file file;
    sqlite3_file *base;
    unsigned char *buffer; /* NULL until the first frame. */
    int size;              /* What waits… */
    sqlite3_int64 at;      /* …and where it belongs. */
};

/* ---- Writing ------------------------------------------------------------------------------------------------- */

/* Whether the file may hold those bytes. */
static bool may_hold(sqlite3_file *base, const unsigned char *bytes, int size, sqlite3_int64 at) {
    unsigned char found[READ_BACK_BYTES];
    for (int done = 0; done < size;) {
        int part = size - done < READ_BACK_BYTES ? size - done : READ_BACK_BYTES;
        int result = base->pMethods->xRead(base, found, part, at + done);
        if (result == SQLITE_IOERR_SHORT_READ) return false; /* The file ends before. */
        if (result != SQLITE_OK) return true;
        if (memcmp(found, bytes + done, (size_t)part) != 0) return false;
        done += part;
    }
    return true;
}

static int put(struct log_file *file, const void *bytes, int size, sqlite3_int64 at) {
    int result = file->base->pMethods->xWrite(file->base, bytes, size, at);
    if (result == SQLITE_OK) return SQLITE_OK;
    int number = errno; /* SQLite asks for it later. */
    if (may_hold(file->base, bytes, size, at)) result = SQLITE_IOERR_FSYNC;
    errno = number;
    return result;
}

static int flush(struct log_file *file) {
    int size = file->size;
    if (size == 0) return SQLITE_OK;
    file->size = 0; /* A failed write is not tried again: SQLite gives the transaction up. */
    return put(file, file->buffer, size, file->at);
}

static bool is_marked(const unsigned char *header) {
    return (header[4] | header[5] | header[6] | header[7]) != 0;
}

/* Whether the buffer takes it. Its first piece is a header, and each later one follows the one before. */
static bool append(struct log_file *file, const void *bytes, int size, sqlite3_int64 at) {
    if (file->size == 0) {
        if (size != FRAME_HEADER_BYTES) return false;
        if (file->buffer == NULL) file->buffer = malloc(BUFFER_BYTES);
        if (file->buffer == NULL) return false;
        file->at = at;
    }
    if (at != file->at + file->size || size > BUFFER_BYTES - file->size) return false;
    memcpy(file->buffer + file->size, bytes, (size_t)size);
    file->size += size;
    return true;
}

static int log_write(sqlite3_file *base, const void *bytes, int size, sqlite3_int64 at) {
    struct log_file *file = (struct log_file *)base;
    if (!append(file, bytes, size, at)) {
        int result = flush(file);
        if (result != SQLITE_OK) return result;
        if (!append(file, bytes, size, at)) return put(file, bytes, size, at);
    }
    return size == FRAME_HEADER_BYTES && is_marked(bytes) ? flush(file) : SQLITE_OK;
}

/* ---- Everything else comes after what waits -------------------------------------------------------------------------- */

static int log_close(sqlite3_file *base) {
    struct log_file *file = (struct log_file *)base;
    flush(file); /* Frames that nobody needs: no marked one followed. */
    free(file->buffer);
    return file->base->pMethods->xClose(file->base);
}

static int log_read(sqlite3_file *base, void *bytes, int size, sqlite3_int64 at) {
    struct log_file *file = (struct log_file *)base;
    int result = flush(file);
    return result != SQLITE_OK ? result : file->base->pMethods->xRead(file->base, bytes, size, at);
}

static int log_truncate(sqlite3_file *base, sqlite3_int64 size) {
    struct log_file *file = (struct log_file *)base;
    int result = flush(file);
    return result != SQLITE_OK ? result : file->base->pMethods->xTruncate(file->base, size);
}

static int log_sync(sqlite3_file *base, int flags) {
    struct log_file *file = (struct log_file *)base;
    int result = flush(file);
    return result != SQLITE_OK ? result : file->base->pMethods->xSync(file->base, flags);
}

static int log_size(sqlite3_file *base, sqlite3_int64 *size) {
    struct log_file *file = (struct log_file *)base;
    int result = flush(file);
    return result != SQLITE_OK ? result : file->base->pMethods->xFileSize(file->base, size);
}

static int log_lock(sqlite3_file *base, int level) {
    struct log_file *file = (struct log_file *)base;
    return file->base->pMethods->xLock(file->base, level);
}

static int log_unlock(sqlite3_file *base, int level) {
    struct log_file *file = (struct log_file *)base;
    return file->base->pMethods->xUnlock(file->base, level);
}

static int log_check_reserved(sqlite3_file *base, int *reserved) {
    struct log_file *file = (struct log_file *)base;
    return file->base->pMethods->xCheckReservedLock(file->base, reserved);
}

static int log_control(sqlite3_file *base, int operation, void *argument) {
    struct log_file *file = (struct log_file *)base;
    int result = flush(file);
    return result != SQLITE_OK
               ? result
               : file->base->pMethods->xFileControl(file->base, operation, argument);
}

static int log_sector_size(sqlite3_file *base) {
    struct log_file *file = (struct log_file *)base;
    return file->base->pMethods->xSectorSize(file->base);
}

static int log_characteristics(sqlite3_file *base) {
    struct log_file *file = (struct log_file *)base;
    return file->base->pMethods->xDeviceCharacteristics(file->base);
}

/* A log is neither mapped nor shared: version 1 does. */
static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_check_reserved,
    .xFileControl = log_control,
    .xSectorSize = log_sector_size,
    .xDeviceCharacteristics = log_characteristics,
};

/* ---- The VFS ------------------------------------------------------------------------------------------------- */

static sqlite3_vfs *below(sqlite3_vfs *vfs) { return ((struct log_vfs *)vfs)->base; }

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *opened, int flags,
                    int *out_flags) {
    sqlite3_vfs *base = below(vfs);
    struct log_file *file = (struct log_file *)opened;
    if (!(flags & SQLITE_OPEN_WAL)) return base->xOpen(base, name, opened, flags, out_flags);
    *file = (struct log_file){.base = (sqlite3_file *)(file + 1)};
    file->base->pMethods = NULL;
    int result = base->xOpen(base, name, file->base, flags, out_flags);
    /* Whatever the one below opened must be closed through us, even if it failed. */
    if (file->base->pMethods != NULL) file->file.pMethods = &log_methods;
    return result;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_folder) {
    return below(vfs)->xDelete(below(vfs), name, sync_folder);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
    return below(vfs)->xAccess(below(vfs), name, flags, out);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int size, char *out) {
    return below(vfs)->xFullPathname(below(vfs), name, size, out);
}

static int vfs_randomness(sqlite3_vfs *vfs, int size, char *out) {
    return below(vfs)->xRandomness(below(vfs), size, out);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us) { return below(vfs)->xSleep(below(vfs), us); }

static int vfs_time(sqlite3_vfs *vfs, double *out) {
    return below(vfs)->xCurrentTime(below(vfs), out);
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *out) {
    return below(vfs)->xGetLastError == NULL ? 0 : below(vfs)->xGetLastError(below(vfs), size, out);
}

/* ---- Those in use -------------------------------------------------------------------------------------------- */

static pthread_mutex_t in_use_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct log_vfs *in_use;

static struct log_vfs *create(sqlite3_vfs *base) {
    static const char suffix[] = "+log";
    size_t name_bytes = strlen(base->zName) + sizeof suffix;
    struct log_vfs *created = calloc(1, sizeof *created + name_bytes);
    if (created == NULL) return NULL;
    snprintf(created->name, name_bytes, "%s%s", base->zName, suffix);
    created->base = base;
    created->vfs = (sqlite3_vfs){.iVersion = 1,
                                 .szOsFile = (int)sizeof(struct log_file) + base->szOsFile,
                                 .mxPathname = base->mxPathname,
                                 .zName = created->name,
                                 .xOpen = vfs_open,
                                 .xDelete = vfs_delete,
                                 .xAccess = vfs_access,
                                 .xFullPathname = vfs_full_path,
                                 .xRandomness = vfs_randomness,
                                 .xSleep = vfs_sleep,
                                 .xCurrentTime = vfs_time,
                                 .xGetLastError = vfs_last_error};
    if (sqlite3_vfs_register(&created->vfs, 0) != SQLITE_OK) {
        free(created);
        return NULL;
    }
    return created;
}

struct log_vfs *log_vfs_acquire(const char *base_name) {
    sqlite3_vfs *base = sqlite3_vfs_find(base_name);
    if (base == NULL) return NULL;
    pthread_mutex_lock(&in_use_mutex);
    struct log_vfs *found = in_use;
    while (found != NULL && found->base != base)
        found = found->next;
    if (found == NULL) {
        found = create(base);
        if (found != NULL) {
            found->next = in_use;
            in_use = found;
        }
    }
    if (found != NULL) found->users++;
    pthread_mutex_unlock(&in_use_mutex);
    return found;
}

void log_vfs_release(struct log_vfs *log_vfs) {
    if (log_vfs == NULL) return;
    pthread_mutex_lock(&in_use_mutex);
    if (--log_vfs->users == 0) {
        struct log_vfs **link = &in_use;
        while (*link != log_vfs)
            link = &(*link)->next;
        *link = log_vfs->next;
        sqlite3_vfs_unregister(&log_vfs->vfs);
        free(log_vfs);
    }
    pthread_mutex_unlock(&in_use_mutex);
}

const char *log_vfs_name(const struct log_vfs *log_vfs) { return log_vfs->name; }
