/*
 * A disk in memory that fails on demand: an SQLite VFS for tests. Compiled into tests only; core's tests use it, too,
 * through store_options.vfs.
 *
 * Each file has the bytes a running system sees, the bytes that would survive a power loss, and the writes and truncations
 * between the two. A sync moves them over. A power loss keeps each of them, drops it, or tears it at 512-byte sectors, at
 * random from a seed. A sync that fails leaves its writes visible and, at random, durable or not: a later sync
 * will not write them, as on Linux.
 *
 * A path's folder need not exist. Any thread.
 */
#ifndef STORE_SQLITE_FAULT_VFS_H
#define STORE_SQLITE_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

struct fault_disk;

enum fault_mode {
    FAULT_IO, /* The call fails without effect: an I/O error. */
    FAULT_TORN, /* A write puts down its first half, then the disk is full; other calls as FAULT_IO. */
};

/* Registers a VFS of that name (kept by reference until destroyed) with an empty disk. NULL: out of memory. */
struct fault_disk *fault_disk_create(const char *name);

/* Every file must be closed. */
void fault_disk_destroy(struct fault_disk *disk);

/* The nth write, sync or truncation from now fails, once. 0: none does. */
void fault_fail(struct fault_disk *disk, uint64_t nth, enum fault_mode mode);

/* The nth write, sync or truncation from now does not happen any more, nor does anything after it: the power is gone. */
void fault_cut_power(struct fault_disk *disk, uint64_t nth);

/* Whether what fault_fail or fault_cut_power ordered has come to pass. */
bool fault_happened(const struct fault_disk *disk);

/* The power returns: every file must be closed. Decides what survived. */
void fault_restore_power(struct fault_disk *disk, uint64_t seed);

/* Files together may have this many bytes; growing past it is "disk full". 0: no bound. */
void fault_quota(struct fault_disk *disk, uint64_t bytes);
uint64_t fault_used(struct fault_disk *disk);

/* Writes fail with EROFS. */
void fault_read_only(struct fault_disk *disk, bool read_only);

/* Writes and truncations that no sync has followed, in files whose name ends so. */
uint64_t fault_unsynced(struct fault_disk *disk, const char *suffix);

#endif
