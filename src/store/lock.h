/*
 * The lock of a data directory: one process serves it, and whoever comes second learns who does.
 *
 * DIR/stet.lock (mode 0600) is held with flock(2) for as long as the owner lives, so a crash leaves no lock behind, only a
 * file. Its text is one line of JSON, {"pid":…,"url":…,"token":…}: url and token are how a command line on the same
 * machine, run by the same user, talks to the owner instead. The file is never removed: removing a lock file races.
 */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include "base/arena.h"
#include "stet.h"

struct dirlock;

/*
 * Takes the lock, making the directory (mode 0700, its parent synced) when it is missing.
 *
 * @return STET_OK
 *         STET_BUSY  another process holds it; err's message names its pid and url.
 *         STET_IO, STET_NO_SPACE, STET_NO_MEMORY
 */
stet_status dirlock_acquire(const char *dir, struct dirlock **lock, stet_error *err);

/* Writes where the owner can be reached. Both without control characters, quotes or backslashes: else STET_MISUSE. */
stet_status dirlock_announce(struct dirlock *lock, stet_view url, stet_view token, stet_error *err);

/* Who holds the lock. url and token are in the arena, empty before dirlock_announce. STET_NOT_FOUND: nobody. */
stet_status dirlock_read(const char *dir, struct arena *arena, int64_t *pid, stet_view *url,
                         stet_view *token, stet_error *err);

/* Accepts NULL. */
void dirlock_release(struct dirlock *lock);

/*
 * The same for one file, without url: PATH is made (0600) and held. *fd is closed with file_lock_release. `what` names what
 * is locked in the error.
 */
stet_status file_lock_acquire(const char *path, const char *what, int *fd, stet_error *err);
void file_lock_release(int fd);

#endif
