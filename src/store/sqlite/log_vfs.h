/*
 * An SQLite VFS over another that hands the log down in large pieces; log_vfs.c tells how and why that is safe. Everything but
 * what is written to a log passes through.
 */
#ifndef STORE_SQLITE_LOG_VFS_H
#define STORE_SQLITE_LOG_VFS_H

struct log_vfs;

/*
 * The VFS over the one of that name (NULL: SQLite's default), registered with SQLite while anybody uses it. Stores over the
 * same one share it. NULL: out of memory, or there is no such VFS.
 *
 * Thread: any.
 */
struct log_vfs *log_vfs_acquire(const char *base_name);

/* Every file must be closed. Accepts NULL. */
void log_vfs_release(struct log_vfs *log_vfs);

/* For sqlite3_open_v2; lives as long as the VFS. */
const char *log_vfs_name(const struct log_vfs *log_vfs);

#endif
