/*
 * Copying the log back into the file.
 *
 * The rule. SQLite before 3.51.3 can lose commits when a checkpoint starts on a fully copied log while a commit on another
 * connection restarts that log (sqlite.org/wal.html#walresetbug). So every checkpoint of a store runs in run(), under
 * one mutex, and:
 *   1. after one that copied everything, the next starts only when a commit has finished since. That commit either
 *      restarted the log or added to it, so the log is not fully copied any more, and stays that way until this checkpoint
 *      has done its work; a commit can restart only a fully copied log.
 *   2. The one that finishes the log so that it starts over runs on the writer's thread, where no commit can be under way.
 * `commits` is counted after COMMIT returned, and read after the checkpoint returned: a commit that was under way
 * meanwhile counts as later only once it is over.
 *
 * Who copies. One background thread for all stores of the process copies passively, twice for each turn of a log: idle
 * spaces cost no thread, and none of its work is in the way of a commit, except that its syncs keep the disk busy. A page
 * that many commits wrote is copied once a pass, so fewer passes are less work (four for each turn made the 99th percentile of
 * batches of 64 twice as long); the second begins shortly before the turn, so that little remains then. Past
 * wal_restart_bytes the writer waits for a pass that is under way, copies the small remainder between two batches, and the
 * next commit starts the log over. A reader inside a snapshot prevents that; the writer then tries again a quarter later rather
 * than after every batch.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "store/sqlite/internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { FRAME_HEADER_BYTES = 24, COPIER_CACHE_BYTES = 64 * 1024 };

/* ---- The one function ---------------------------------------------------------------------------------------- */

/* Under checkpoint.mutex. */
static int run(struct sqlite_store *store, sqlite3 *db, int mode) {
    struct checkpoint *checkpoint = &store->checkpoint;
    int log_frames = 0, copied_frames = 0;
    if (checkpoint->copied_all && atomic_load(&checkpoint->commits) == checkpoint->copied_at)
        return SQLITE_OK;
    int result = sqlite3_wal_checkpoint_v2(db, "main", mode, &log_frames, &copied_frames);
    checkpoint->copied_all = result == SQLITE_OK && log_frames == copied_frames;
    checkpoint->copied_at = atomic_load(&checkpoint->commits);
    atomic_fetch_add(&checkpoint->checkpoints, 1);
    return result;
}

/* ---- The background thread, one for the process ----------------------------------------------------------------- */

static struct {
    pthread_mutex_t users_mutex; /* Starting and stopping. */
    size_t users;
    pthread_t thread;
    pthread_mutex_t mutex; /* Everything below. */
    pthread_cond_t wake;   /* The queue grew, or stop. */
    pthread_cond_t rested; /* `busy` changed. */
    struct sqlite_store *first;
    struct sqlite_store *last;
    struct sqlite_store *busy;
    bool stop;
} background = {.users_mutex = PTHREAD_MUTEX_INITIALIZER,
                .mutex = PTHREAD_MUTEX_INITIALIZER,
                .wake = PTHREAD_COND_INITIALIZER,
                .rested = PTHREAD_COND_INITIALIZER};

/* Failures are left for the next time: the log keeps what was not copied, and a later copy writes all of it anew. */
void checkpoint_copy(struct sqlite_store *store) {
    struct checkpoint *checkpoint = &store->checkpoint;
    stet_status status = STET_OK;
    pthread_mutex_lock(&checkpoint->mutex);
    if (checkpoint->copier.db == NULL) {
        const struct connection_options options = {.path = store->path,
                                                   .vfs = store->vfs,
                                                   .synchronous = store->synchronous,
                                                   .cache_bytes = COPIER_CACHE_BYTES};
        status = connection_open(&checkpoint->copier, CONNECTION_COPY, &options, NULL);
    }
    if (status == STET_OK && !atomic_load(&checkpoint->finishing)) {
        run(store, checkpoint->copier.db, SQLITE_CHECKPOINT_PASSIVE);
    }
    pthread_mutex_unlock(&checkpoint->mutex);
}

static void *background_main(void *unused) {
    (void)unused;
    pthread_setname_np(pthread_self(), "checkpoint");
    pthread_mutex_lock(&background.mutex);
    while (!background.stop) {
        struct sqlite_store *store = background.first;
        if (store == NULL) {
            pthread_cond_wait(&background.wake, &background.mutex);
            continue;
        }
        background.first = store->checkpoint.queue_next;
        if (background.first == NULL) background.last = NULL;
        store->checkpoint.queued = false;
        background.busy = store;
        pthread_mutex_unlock(&background.mutex);
        checkpoint_copy(store);
        pthread_mutex_lock(&background.mutex);
        background.busy = NULL;
        pthread_cond_broadcast(&background.rested);
    }
    pthread_mutex_unlock(&background.mutex);
    return NULL;
}

static void background_queue(struct sqlite_store *store) {
    pthread_mutex_lock(&background.mutex);
    if (!store->checkpoint.queued) {
        store->checkpoint.queued = true;
        store->checkpoint.queue_next = NULL;
        if (background.last != NULL) {
            background.last->checkpoint.queue_next = store;
        } else {
            background.first = store;
        }
        background.last = store;
        pthread_cond_signal(&background.wake);
    }
    pthread_mutex_unlock(&background.mutex);
}

static void background_forget(struct sqlite_store *store) {
    pthread_mutex_lock(&background.mutex);
    struct sqlite_store *before = NULL;
    for (struct sqlite_store *at = background.first; at != NULL;
         before = at, at = at->checkpoint.queue_next) {
        if (at != store) continue;
        if (before != NULL) {
            before->checkpoint.queue_next = at->checkpoint.queue_next;
        } else {
            background.first = at->checkpoint.queue_next;
        }
        if (background.last == at) background.last = before;
        break;
    }
    while (background.busy == store)
        pthread_cond_wait(&background.rested, &background.mutex);
    pthread_mutex_unlock(&background.mutex);
}

static stet_status background_enter(void) {
    stet_status status = STET_OK;
    pthread_mutex_lock(&background.users_mutex);
    if (background.users == 0) {
        background.stop = false;
        if (pthread_create(&background.thread, NULL, background_main, NULL) != 0)
            status = STET_NO_MEMORY;
    }
    if (status == STET_OK) background.users++;
    pthread_mutex_unlock(&background.users_mutex);
    return status;
}

static void background_leave(void) {
    pthread_mutex_lock(&background.users_mutex);
    assert(background.users > 0);
    if (--background.users == 0) {
        pthread_mutex_lock(&background.mutex);
        background.stop = true;
        pthread_cond_signal(&background.wake);
        pthread_mutex_unlock(&background.mutex);
        pthread_join(background.thread, NULL);
    }
    pthread_mutex_unlock(&background.users_mutex);
}

/* ---- For the store ------------------------------------------------------------------------------------------- */

static int log_hook(void *context, sqlite3 *db, const char *name, int frames) {
    struct sqlite_store *store = context;
    (void)db, (void)name;
    atomic_store(&store->checkpoint.log_frames, (uint64_t)frames);
    return SQLITE_OK;
}

static uint64_t restart_frames(const struct sqlite_store *store) {
    return store->wal_restart_bytes / (store->page_bytes + FRAME_HEADER_BYTES) + 1;
}

stet_status checkpoint_init(struct sqlite_store *store, stet_error *err) {
    struct checkpoint *checkpoint = &store->checkpoint;
    checkpoint->finish_at_frames = restart_frames(store);
    if (background_enter() != STET_OK)
        return error_set(err, STET_NO_MEMORY, "could not start a thread");
    if (pthread_mutex_init(&checkpoint->mutex, NULL) != 0) {
        background_leave();
        return error_set(err, STET_NO_MEMORY, "could not make a lock");
    }
    sqlite3_wal_hook(store->writer.db, log_hook, store);
    return STET_OK;
}

void checkpoint_done(struct sqlite_store *store) {
    background_forget(store);
    connection_close(&store->checkpoint.copier);
    pthread_mutex_destroy(&store->checkpoint.mutex);
    background_leave();
}

void checkpoint_committed(struct sqlite_store *store) {
    struct checkpoint *checkpoint = &store->checkpoint;
    uint64_t frames = atomic_load(&checkpoint->log_frames),
             noted = atomic_load(&checkpoint->noted_frames);
    atomic_fetch_add(&checkpoint->commits, 1);
    if (frames < noted) {
        /* The log started over. */
        noted = 0;
        atomic_store(&checkpoint->noted_frames, 0);
        checkpoint->finish_at_frames = restart_frames(store);
    }
    uint64_t step = restart_frames(store) * 15 / 32 + 1;
    if (frames - noted < step || atomic_load(&checkpoint->finishing)) return;
    atomic_store(&checkpoint->noted_frames, frames);
    background_queue(store);
}

static bool log_is_empty(const struct sqlite_store *store) {
    struct stat file;
    char *path = sqlite3_mprintf("%s-wal", store->path);
    if (path == NULL) return false;
    bool empty = stat(path, &file) != 0 ? errno == ENOENT : file.st_size == 0;
    sqlite3_free(path);
    return empty;
}

/*
 * What was erased still stands in older frames of the log: it is copied back and cut to nothing. A reader in a snapshot is in the way of
 * that, then it is tried again after the next batch. A log that was copied by others since the last commit is not touched until
 * there is another commit (the rule); so there is one.
 */
static void checkpoint_erase(struct sqlite_store *store) {
    struct checkpoint *checkpoint = &store->checkpoint;
    pthread_mutex_lock(&checkpoint->mutex);
    bool copied =
        checkpoint->copied_all && atomic_load(&checkpoint->commits) == checkpoint->copied_at;
    pthread_mutex_unlock(&checkpoint->mutex);
    if (copied && store_meta_put(&store->base, VIEW("store.erased"), VIEW("1"), NULL) != STET_OK)
        return;
    if (checkpoint_truncate(store, NULL) == STET_OK) checkpoint->erase_due = !log_is_empty(store);
}

void checkpoint_maintain(struct sqlite_store *store) {
    struct checkpoint *checkpoint = &store->checkpoint;
    if (checkpoint->erase_due) checkpoint_erase(store);
    uint64_t frames = atomic_load(&checkpoint->log_frames);
    if (frames < checkpoint->finish_at_frames) return;
    /* Most is copied already, or being copied: wait for that between later batches, unless the log is far too long. */
    atomic_store(&checkpoint->finishing, true);
    if (pthread_mutex_trylock(&checkpoint->mutex) != 0) {
        if (frames < 4 * checkpoint->finish_at_frames) return;
        pthread_mutex_lock(&checkpoint->mutex);
    }
    run(store, store->writer.db, SQLITE_CHECKPOINT_PASSIVE);
    pthread_mutex_unlock(&checkpoint->mutex);
    atomic_store(&checkpoint->finishing, false);
    checkpoint->finish_at_frames = frames + restart_frames(store) / 4 + 1;
}

stet_status checkpoint_truncate(struct sqlite_store *store, stet_error *err) {
    pthread_mutex_lock(&store->checkpoint.mutex);
    int result = run(store, store->writer.db, SQLITE_CHECKPOINT_TRUNCATE);
    pthread_mutex_unlock(&store->checkpoint.mutex);
    if (result == SQLITE_OK) return STET_OK;
    return connection_error(&store->writer, result, "copy the log back", err);
}
