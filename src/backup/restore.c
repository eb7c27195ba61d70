/*
 * Verifying and restoring.
 *
 *   DIR (empty) ─locked─► DIR/restoring/…: copied and verified, opened, checked, renewed ─► moved into DIR ─► restoring removed
 *        ▲────────────────────── any failure: everything removed again ◄──────┘
 *
 * A directory with `restoring` in it is not opened by anybody (core/engine.c), so one that a crash left half restored is not
 * taken for a whole one.
 */
#include "backup/backup.h"
#include "backup/set.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_BYTES = 32, NS_PER_US = 1000 };

/* ---- Verifying --------------------------------------------------------------------------- */

static stet_status verify_space(const char *path, const struct manifest_space *space, int copy_fd,
                                const stet_backup_watch *watch, stet_error *err) {
    char file[FILES_PATH_BYTES];
    stet_status status = files_path(file, path, space->file, err);
    if (status != STET_OK) return status;
    return digest_file(file, space->file, &space->digest, copy_fd, watch, NULL, err);
}

static uint64_t pieces_of(const struct manifest *manifest) {
    uint64_t pieces = 0;
    for (size_t i = 0; i < manifest->count; i++)
        pieces += manifest->spaces[i].digest.piece_count;
    return pieces;
}

stet_status backup_verify(const char *path, const stet_backup_watch *watch,
                          stet_backup_report *report, stet_error *err) {
    struct manifest manifest;
    stet_status status = set_read(path, &manifest, err);
    if (status != STET_OK) return status;
    for (size_t i = 0; status == STET_OK && i < manifest.count; i++)
        status = verify_space(path, &manifest.spaces[i], -1, watch, err);
    for (size_t i = 0; status == STET_OK && i < manifest.count; i++)
        set_tell(watch, &manifest.spaces[i]);
    if (status == STET_OK && report != NULL) {
        set_report(path, &manifest, report);
        report->hashes = pieces_of(&manifest);
    }
    manifest_done(&manifest);
    return status;
}

/* ---- Restoring --------------------------------------------------------------------------- */

struct restoring {
    const char *path;
    const char *data_dir;
    const stet_backup_watch *watch;
    struct manifest manifest;
    struct dirlock *lock;
    bool made_dir;
    char stage[FILES_PATH_BYTES];  /* DIR/restoring */
    char spaces[FILES_PATH_BYTES]; /* DIR/spaces */
    uint64_t life;
    uint64_t forgotten;
    char finding[256]; /* The first thing that a check found. */
};

static bool is_built_in(const struct manifest_space *space) {
    return strcmp(space->name, "main") == 0 || strcmp(space->name, "stet") == 0;
}

static bool is_stopped(const struct restoring *restoring) {
    const stet_backup_watch *watch = restoring->watch;
    return watch != NULL && watch->stop != NULL && watch->stop(watch->context);
}

/* What is there before: nothing, or what a restore that was killed left. */
static stet_status check_target(struct restoring *restoring, stet_error *err) {
    struct stet_owner owner = {0};
    bool empty = true;
    if (stet_find_owner(restoring->data_dir, &owner, NULL) == STET_OK)
        return error_set(err, STET_BUSY, "\"%s\" is in use by process %lld%s%s",
                         restoring->data_dir, (long long)owner.pid,
                         owner.url[0] == '\0' ? "" : " at ", owner.url);
    restoring->made_dir = access(restoring->data_dir, F_OK) != 0;
    if (restoring->made_dir) return files_make_folder(restoring->data_dir, err);
    stet_status status = files_is_empty(restoring->data_dir, &empty, err);
    if (status != STET_OK || empty) return status;
    if (access(restoring->stage, F_OK) == 0)
        return error_set(err, STET_ALREADY_EXISTS,
                         "\"%s\" holds a restore that was not finished: empty it first",
                         restoring->data_dir);
    return error_set(err, STET_ALREADY_EXISTS,
                     "\"%s\" is not empty: restore into a new folder, then serve that",
                     restoring->data_dir);
}

static stet_status copy_space(struct restoring *restoring, const struct manifest_space *space,
                              stet_error *err) {
    char path[FILES_PATH_BYTES];
    stet_status status = files_path(path, restoring->stage, space->file, err);
    if (status != STET_OK) return status;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return files_error(err, errno, "create", path);
    status = verify_space(restoring->path, space, fd, restoring->watch, err);
    if (status == STET_OK && fsync(fd) != 0) status = files_error(err, errno, "sync", path);
    close(fd);
    return status;
}

/* ---- A space, opened --------------------------------------------------------------------- */

static stet_status differs(const struct manifest_space *space, const char *what, uint64_t is,
                           uint64_t expected, stet_error *err) {
    error_set(err, STET_CORRUPT, "space \"%s\": %" PRIu64 " %s where the manifest says %" PRIu64,
              space->name, is, what, expected);
    error_field(err, space->file, 0);
    return STET_CORRUPT;
}

static stet_status compare_census(const struct manifest_space *space, const char *path,
                                  stet_error *err) {
    struct store_census census;
    const struct store_census *expected = &space->census;
    stet_status status = store_file_census(path, &census, err);
    if (status != STET_OK) return status;
    if (census.seq != expected->seq)
        return differs(space, "is its position", census.seq, expected->seq, err);
    if (census.changes != expected->changes)
        return differs(space, "changes", census.changes, expected->changes, err);
    if (census.records != expected->records)
        return differs(space, "records ever made", census.records, expected->records, err);
    if (census.live != expected->live)
        return differs(space, "records", census.live, expected->live, err);
    return STET_OK;
}

/* The records that the opened store finds by itself, from its heads. */
static stet_status compare_live(const struct manifest_space *space, struct store *store,
                                stet_error *err) {
    struct arena arena;
    struct store_type *types = NULL;
    size_t count = 0;
    uint64_t live = 0;
    arena_init(&arena, 1024);
    stet_status status = store_types(store_writer_reader(store), &arena, &types, &count, err);
    for (size_t i = 0; status == STET_OK && i < count; i++)
        live += types[i].live;
    arena_done(&arena);
    if (status == STET_OK && live != space->census.live)
        status = differs(space, "records", live, space->census.live, err);
    return status;
}

static void note_finding(void *context, const char *finding) {
    struct restoring *restoring = context;
    if (restoring->finding[0] == '\0')
        snprintf(restoring->finding, sizeof restoring->finding, "%s", finding);
}

/* What is declared only the space knows, once it is open; it empties what is not. */
static bool is_declared(void *context, uint32_t index) {
    (void)context, (void)index;
    return false;
}

static stet_status check_space(struct restoring *restoring, const struct manifest_space *space,
                               struct store *store, stet_error *err) {
    uint64_t findings = 0;
    restoring->finding[0] = '\0';
    stet_status status = store_check_declared(store_writer_reader(store), is_declared, note_finding,
                                              restoring, &findings, err);
    if (status == STET_OK && findings > 0) {
        status = error_set(err, STET_CORRUPT, "space \"%s\" is damaged: %s", space->name,
                           restoring->finding);
        error_field(err, space->file, 0);
    }
    return status;
}

/* Resolution tokens and list cursors of the time before are told by it, and it names the directory in backups. */
static stet_status renew_secret(struct store *store, stet_error *err) {
    uint8_t secret[SECRET_BYTES];
    const struct entropy *entropy = entropy_system();
    entropy->fill(entropy->context, secret, sizeof secret);
    return store_meta_put(store, VIEW("secret"), view_make(secret, sizeof secret), err);
}

/* ---- Spaces that the backup does not hold ------------------------------------------------ */

struct missing {
    const struct manifest *manifest;
    struct arena arena;
    stet_view *names;
    size_t count, capacity;
};

static stet_status note_missing(void *context, stet_view name, stet_view file, stet_error *err) {
    struct missing *missing = context;
    (void)file;
    if (manifest_find(missing->manifest, name) != NULL) return STET_OK;
    if (missing->count == missing->capacity) {
        size_t capacity = missing->capacity == 0 ? 16 : missing->capacity * 2;
        stet_view *names = arena_alloc(&missing->arena, capacity * sizeof *names);
        if (names == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
        if (missing->count > 0) memcpy(names, missing->names, missing->count * sizeof *names);
        missing->names = names;
        missing->capacity = capacity;
    }
    stet_view kept = arena_copy(&missing->arena, name);
    if (kept.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    missing->names[missing->count++] = kept;
    return STET_OK;
}

/* Deletes the record of a space: an ordinary change, so that its history says what happened. */
static stet_status forget_space(struct store *store, struct arena *arena, stet_view name,
                                stet_error *err) {
    const struct store_state *state = store_state(store);
    struct store_head head;
    struct store_change before;
    uint64_t hash = 0;
    int64_t now = clock_wall_ns(clock_system());
    stet_status status =
        store_head(store_writer_reader(store), VIEW("stet.space"), name, &head, err);
    if (status == STET_OK)
        status = store_change_at(store_writer_reader(store), arena, head.seq, &before, err);
    if (status != STET_OK) return status;
    struct store_change change = {
        .seq = state->seq + 1,
        .transaction = state->seq + 1,
        .stamp = now > state->stamp ? now : state->stamp + 1,
        .version = head.version < state->life ? state->life + 1 : head.version + 1,
        .base_version = head.version,
        .op = STORE_DELETE,
        .type = VIEW("stet.space"),
        .id = name,
        .by = VIEW("stet"),
        .source = VIEW("restore"),
        .data = before.data,
    };
    struct store_batch batch = {.changes = &change,
                                .heads = &head,
                                .hashes = &hash,
                                .change_count = 1,
                                .stamp = change.stamp};
    return store_commit(store, &batch, err);
}

static stet_status forget_missing(struct restoring *restoring, struct store *store,
                                  const struct missing *missing, stet_error *err) {
    struct arena arena;
    stet_status status = STET_OK;
    arena_init(&arena, 4096);
    for (size_t i = 0; status == STET_OK && i < missing->count; i++) {
        arena_reset(&arena);
        status = forget_space(store, &arena, missing->names[i], err);
        if (status == STET_OK) restoring->forgotten++;
    }
    arena_done(&arena);
    return status;
}

/* ---- All of it --------------------------------------------------------------------------- */

static stet_status open_space(struct restoring *restoring, const struct manifest_space *space,
                              stet_error *err) {
    char path[FILES_PATH_BYTES];
    struct store *store = NULL;
    struct missing missing = {.manifest = &restoring->manifest};
    arena_init(&missing.arena, 1024);
    stet_status status = files_path(path, restoring->stage, space->file, err);
    if (status == STET_OK) status = compare_census(space, path, err);
    if (status == STET_OK && strcmp(space->name, "stet") == 0)
        status = set_spaces(path, note_missing, &missing, err);
    const struct store_options options = {.driver = "sqlite", .path = path};
    if (status == STET_OK) status = store_open(&options, &store, err);
    if (status == STET_OK) status = compare_live(space, store, err);
    if (status == STET_OK) status = check_space(restoring, space, store, err);
    if (status == STET_OK) {
        uint64_t seq = store_state(store)->seq;
        status = store_renew(store, restoring->life > seq ? restoring->life : seq + 1, err);
    }
    if (status == STET_OK) status = renew_secret(store, err);
    if (status == STET_OK) status = forget_missing(restoring, store, &missing, err);
    store_close(store);
    arena_done(&missing.arena);
    if (status != STET_OK) return status;
    /* The lock's file would be no harm, but it names this process. */
    size_t size = strlen(path);
    snprintf(path + size, sizeof path - size, "-lock");
    (void)unlink(path);
    path[size] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0) close(fd);
    return failed == 0 ? STET_OK : files_error(err, failed, "sync", path);
}

static stet_status move_space(struct restoring *restoring, const struct manifest_space *space,
                              stet_error *err) {
    char from[FILES_PATH_BYTES], to[FILES_PATH_BYTES];
    stet_status status = files_path(from, restoring->stage, space->file, err);
    if (status == STET_OK)
        status = files_path(to, is_built_in(space) ? restoring->data_dir : restoring->spaces,
                            space->file, err);
    if (status == STET_OK && rename(from, to) != 0) status = files_error(err, errno, "move", from);
    return status;
}

static stet_status settle(struct restoring *restoring, stet_error *err) {
    stet_status status = STET_OK;
    if (mkdir(restoring->spaces, 0700) != 0)
        return files_error(err, errno, "create the folder", restoring->spaces);
    for (size_t i = 0; status == STET_OK && i < restoring->manifest.count; i++)
        status = move_space(restoring, &restoring->manifest.spaces[i], err);
    if (status == STET_OK) status = files_sync_folder(restoring->spaces, err);
    if (status == STET_OK) status = files_sync_folder(restoring->data_dir, err);
    if (status == STET_OK && rmdir(restoring->stage) != 0)
        status = files_error(err, errno, "remove", restoring->stage);
    return status == STET_OK ? files_sync_folder(restoring->data_dir, err) : status;
}

static void undo(struct restoring *restoring) {
    char path[FILES_PATH_BYTES];
    /* `restoring` last: while it is there nobody takes the rest for a data directory. */
    if (files_path(path, restoring->data_dir, "main.db", NULL) == STET_OK) (void)unlink(path);
    if (files_path(path, restoring->data_dir, "stet.db", NULL) == STET_OK) (void)unlink(path);
    files_remove(restoring->spaces);
    files_remove(restoring->stage);
    if (files_path(path, restoring->data_dir, "stet.lock", NULL) == STET_OK) (void)unlink(path);
}

static stet_status restore(struct restoring *restoring, stet_error *err) {
    struct manifest *manifest = &restoring->manifest;
    uint64_t bytes = 0;
    for (size_t i = 0; i < manifest->count; i++)
        bytes += manifest->spaces[i].digest.bytes;
    stet_status status = files_need(restoring->data_dir, "the restored data", bytes, err);
    if (status == STET_OK && mkdir(restoring->stage, 0700) != 0)
        status = files_error(err, errno, "create the folder", restoring->stage);
    for (size_t i = 0; status == STET_OK && i < manifest->count; i++)
        status = copy_space(restoring, &manifest->spaces[i], err);
    for (size_t i = 0; status == STET_OK && i < manifest->count; i++) {
        status = is_stopped(restoring) ? error_set(err, STET_CANCELLED, "stopped") : STET_OK;
        if (status == STET_OK) status = open_space(restoring, &manifest->spaces[i], err);
    }
    return status == STET_OK ? settle(restoring, err) : status;
}

stet_status backup_restore(const char *path, const char *data_dir, const stet_backup_watch *watch,
                           stet_backup_report *report, stet_error *err) {
    struct restoring restoring = {.path = path,
                                  .data_dir = data_dir,
                                  .watch = watch,
                                  .life = (uint64_t)(clock_wall_ns(clock_system()) / NS_PER_US)};
    stet_status status = files_path(restoring.stage, data_dir, "restoring", err);
    if (status == STET_OK) status = files_path(restoring.spaces, data_dir, "spaces", err);
    if (status == STET_OK) status = set_read(path, &restoring.manifest, err);
    if (status != STET_OK) return status;
    status = check_target(&restoring, err);
    if (status != STET_OK) {
        manifest_done(&restoring.manifest);
        return status;
    }
    status = dirlock_acquire(data_dir, &restoring.lock, err);
    if (status == STET_OK) {
        status = restore(&restoring, err);
        if (status != STET_OK) undo(&restoring);
    }
    dirlock_release(restoring.lock);
    if (status != STET_OK && restoring.made_dir) (void)rmdir(data_dir);
    for (size_t i = 0; status == STET_OK && i < restoring.manifest.count; i++)
        set_tell(watch, &restoring.manifest.spaces[i]);
    if (status == STET_OK && report != NULL) {
        set_report(path, &restoring.manifest, report);
        report->hashes = pieces_of(&restoring.manifest);
        report->forgotten = restoring.forgotten;
    }
    manifest_done(&restoring.manifest);
    return status;
}
