/*
 * Making a backup, and reading what it says of itself.
 *
 *   DIR/.stet-making-XXXXXXXX   locked by its maker ──everything synced──► DIR/stet-2026-11-22T05-10-00Z
 *        └─ its maker is gone: removed by the next one
 *
 * Which spaces. The copy of "stet" says which spaces there are. Some may come and go while they are copied, so "stet" is copied again until
 * every space it names was copied before it, from the file it names: then the set is one that was there.
 */
#include "backup/set.h"

#include "backup/place.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"
#include "core/change.h"
#include "core/data.h"
#include "core/engine.h"
#include "doc/doc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SUFFIX_MAX = 1000 };

/* ---- What a copy of "stet" says ---------------------------------------------------------- */

struct listing {
    struct arena arena;
    stet_status (*visit)(void *context, stet_view name, stet_view file, stet_error *err);
    void *context;
};

static stet_status list_one(void *context, stet_view id, stet_view data, stet_error *err) {
    struct listing *listing = context;
    struct doc doc;
    stet_view file = {.bytes = ""};
    arena_reset(&listing->arena);
    if (change_parse(&listing->arena, data, &doc, NULL) == STET_OK) {
        doc_node node = doc_member(&doc, 0, VIEW("_file"));
        if (node != DOC_NONE) (void)doc_string(&listing->arena, &doc, node, &file);
    }
    if (!manifest_is_file(id, file))
        return error_set(err, STET_CORRUPT, "the record of space \"%.*s\" is damaged",
                         VIEW_ARG(id));
    return listing->visit(listing->context, id, file, err);
}

stet_status set_spaces(const char *stet_copy,
                       stet_status (*visit)(void *context, stet_view name, stet_view file,
                                            stet_error *err),
                       void *context, stet_error *err) {
    struct listing listing = {.visit = visit, .context = context};
    arena_init(&listing.arena, 1024);
    stet_status status = store_file_latest(stet_copy, VIEW("stet.space"), list_one, &listing, err);
    arena_done(&listing.arena);
    return status;
}

stet_status set_source(const char *stet_copy, char source[MANIFEST_SOURCE_BYTES], stet_error *err) {
    struct arena arena;
    stet_view secret;
    uint8_t digest[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES];
    arena_init(&arena, 256);
    stet_status status = store_file_meta(stet_copy, VIEW("secret"), &arena, &secret, err);
    if (status == STET_OK) {
        digest_of(secret, digest);
        digest_hex(digest, hex);
        snprintf(source, MANIFEST_SOURCE_BYTES, "%.*s", MANIFEST_SOURCE_BYTES - 1, hex);
    }
    arena_done(&arena);
    return status;
}

/* ---- Leftovers ----------------------------------------------------------------------------- */

static int dir_lock(const char *dir) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX) != 0 && errno == EINTR)
        continue;
    return fd;
}

/* Under the folder's lock: a maker makes and locks its own folder under it, too. */
static void sweep(const char *dir) {
    char path[FILES_PATH_BYTES];
    struct dirent *entry;
    DIR *folder = opendir(dir);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        bool making = strncmp(entry->d_name, SET_MAKING, strlen(SET_MAKING)) == 0;
        bool removing = strncmp(entry->d_name, SET_REMOVING, strlen(SET_REMOVING)) == 0;
        if ((!making && !removing) || files_path(path, dir, entry->d_name, NULL) != STET_OK)
            continue;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) files_remove(path);
        if (fd >= 0) close(fd);
    }
    if (folder != NULL) closedir(folder);
}

void set_sweep(const char *dir) {
    int fd = dir_lock(dir);
    if (fd < 0) return;
    sweep(dir);
    close(fd);
}

/* ---- Making ------------------------------------------------------------------------------ */

struct making {
    const stet_backup *options;
    struct stet_engine *engine; /* NULL: copies are fetched. */
    char folder[FILES_PATH_BYTES];
    int lock;      /* On the folder; -1: it is not there. */
    bool made_dir; /* What backups lie in was not there before. */
    struct manifest manifest;
    struct manifest listed; /* What the latest copy of "stet" names. */
    stet_error *err;
};

static bool is_stopped(void *context) {
    const struct making *making = context;
    const stet_backup_watch *watch = &making->options->watch;
    return (making->engine != NULL && atomic_load(&making->engine->stopping)) ||
           (watch->stop != NULL && watch->stop(watch->context));
}

static bool is_asked_for(const struct making *making, stet_view name) {
    bool asked = making->options->space_count == 0;
    for (size_t i = 0; !asked && i < making->options->space_count; i++)
        asked = view_equal(making->options->spaces[i], name);
    return asked;
}

static stet_status folder_make(struct making *making, stet_error *err) {
    const char *dir = making->options->dir;
    char name[64];
    stet_status status = place_check(dir, err);
    making->made_dir = status == STET_OK && access(dir, F_OK) != 0;
    if (status == STET_OK) status = files_make_folder(dir, err);
    if (status != STET_OK) return status;
    int above = dir_lock(dir);
    if (above < 0) return files_error(err, errno, "open", dir);
    sweep(dir);
    snprintf(name, sizeof name, SET_MAKING "%08x", (unsigned)entropy_u64(entropy_system()));
    status = files_path(making->folder, dir, name, err);
    if (status == STET_OK && mkdir(making->folder, 0700) != 0)
        status = files_error(err, errno, "create the folder", making->folder);
    if (status == STET_OK) {
        making->lock = open(making->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (making->lock < 0 || flock(making->lock, LOCK_EX | LOCK_NB) != 0)
            status = files_error(err, errno, "lock", making->folder);
    }
    close(above);
    return status;
}

/* What the files of a data directory take, logs included: a copy is never larger. */
static uint64_t engine_bytes(const struct stet_engine *engine) {
    static const char *const folders[] = {"", "/spaces"};
    uint64_t bytes = 0;
    for (size_t i = 0; i < 2; i++) {
        char path[FILES_PATH_BYTES];
        struct dirent *entry;
        struct stat info;
        snprintf(path, sizeof path, "%s%s", engine->data_dir, folders[i]);
        DIR *dir = opendir(path);
        while (dir != NULL && (entry = readdir(dir)) != NULL)
            if (strstr(entry->d_name, ".db") != NULL &&
                fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                S_ISREG(info.st_mode) && strstr(entry->d_name, "-shm") == NULL)
                bytes += (uint64_t)info.st_size;
        if (dir != NULL) closedir(dir);
    }
    return bytes;
}

static stet_status copy_from_engine(struct making *making, stet_view name, const char *path,
                                    stet_error *err) {
    struct space *space = NULL;
    struct store_usage usage;
    stet_status status = engine_space(making->engine, name, &space, err);
    if (status != STET_OK) return status;
    store_usage(space->store, &usage);
    status = files_need(making->folder, "the backup", usage.file_bytes + usage.log_bytes, err);
    if (status == STET_OK) status = store_backup(space->store, path, is_stopped, making, err);
    space_unref(space);
    return status;
}

static stet_status copy_space(struct making *making, stet_view name, stet_view file,
                              stet_error *err) {
    const stet_backup *options = making->options;
    char path[FILES_PATH_BYTES];
    char text[SPACE_NAME_BYTES_MAX + 1];
    char file_text[MANIFEST_FILE_BYTES];
    if (is_stopped(making)) return error_set(err, STET_CANCELLED, "the backup was stopped");
    snprintf(text, sizeof text, "%.*s", VIEW_ARG(name));
    snprintf(file_text, sizeof file_text, "%.*s", VIEW_ARG(file));
    stet_status status = files_path(path, making->folder, file_text, err);
    if (status != STET_OK) return status;
    int64_t made_at = clock_wall_ns(clock_system());
    (void)unlink(path);
    status = making->engine != NULL ? copy_from_engine(making, name, path, err)
                                    : options->fetch(options->fetch_context, text, path, err);
    if (status != STET_OK) {
        (void)unlink(path);
        return status;
    }
    struct manifest_space *space = manifest_find(&making->manifest, name);
    if (space == NULL) space = manifest_add(&making->manifest);
    if (space == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a backup");
    strcpy(space->name, text);
    strcpy(space->file, file_text);
    space->made_at = made_at;
    return STET_OK;
}

static stet_status note_listed(void *context, stet_view name, stet_view file, stet_error *err) {
    struct making *making = context;
    if (!is_asked_for(making, name)) return STET_OK;
    struct manifest_space *space = manifest_add(&making->listed);
    if (space == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a backup");
    snprintf(space->name, sizeof space->name, "%.*s", VIEW_ARG(name));
    snprintf(space->file, sizeof space->file, "%.*s", VIEW_ARG(file));
    return STET_OK;
}

/* Copies of spaces that are gone, or of another one of that name. */
static void drop_unlisted(struct making *making) {
    for (size_t i = making->manifest.count; i-- > 0;) {
        struct manifest_space *held = &making->manifest.spaces[i];
        char path[FILES_PATH_BYTES];
        if (strcmp(held->name, "main") == 0 || strcmp(held->name, "stet") == 0) continue;
        struct manifest_space *listed = manifest_find(&making->listed, view_of(held->name));
        if (listed != NULL && strcmp(listed->file, held->file) == 0) continue;
        if (files_path(path, making->folder, held->file, NULL) == STET_OK) (void)unlink(path);
        manifest_remove(&making->manifest, i);
    }
}

/* One round. *whole: every space that the newest list names was copied before that list was. */
static stet_status copy_round(struct making *making, bool *whole, stet_error *err) {
    char stet_copy[FILES_PATH_BYTES];
    stet_status status = files_path(stet_copy, making->folder, "stet.db", err);
    if (status == STET_OK) status = copy_space(making, VIEW("stet"), VIEW("stet.db"), err);
    if (status != STET_OK) return status;
    manifest_done(&making->listed);
    status = set_spaces(stet_copy, note_listed, making, err);
    if (status != STET_OK) return status;
    drop_unlisted(making);
    *whole = true;
    for (size_t i = 0; i < making->listed.count; i++) {
        const struct manifest_space *listed = &making->listed.spaces[i];
        if (manifest_find(&making->manifest, view_of(listed->name)) != NULL) continue;
        *whole = false;
        status = copy_space(making, view_of(listed->name), view_of(listed->file), err);
        if (status != STET_OK && status != STET_NOT_FOUND) return status;
    }
    return STET_OK;
}

static stet_status copy_all(struct making *making, stet_error *err) {
    stet_status status = STET_OK;
    bool whole = false;
    if (is_asked_for(making, VIEW("main")))
        status = copy_space(making, VIEW("main"), VIEW("main.db"), err);
    for (int round = 0; status == STET_OK && !whole; round++) {
        if (round == BACKUP_ROUNDS_MAX)
            return error_set(err, STET_BUSY,
                             "spaces come and go too fast to be backed up together");
        status = copy_round(making, &whole, err);
    }
    for (size_t i = 0; status == STET_OK && i < making->options->space_count; i++) {
        stet_view name = making->options->spaces[i];
        if (manifest_find(&making->manifest, name) != NULL) continue;
        status = error_set(err, STET_NOT_FOUND, "there is no space \"%.*s\"", VIEW_ARG(name));
        error_field(err, "space", 0);
    }
    return status;
}

static bool is_stopped_watch(void *context) { return is_stopped(context); }

static void forward(void *context, const char *what, uint64_t done, uint64_t total) {
    const stet_backup_watch *watch = &((const struct making *)context)->options->watch;
    if (watch->progress != NULL) watch->progress(watch->context, what, done, total);
}

static stet_status describe(struct making *making, struct manifest_space *space, stet_error *err) {
    char path[FILES_PATH_BYTES];
    const stet_backup_watch watch = {
        .progress = forward, .stop = is_stopped_watch, .context = making};
    stet_status status = files_path(path, making->folder, space->file, err);
    if (status == STET_OK) status = store_file_census(path, &space->census, err);
    if (status == STET_OK)
        status = digest_file(path, space->file, NULL, -1, &watch, &space->digest, err);
    if (status != STET_OK) return status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0) close(fd);
    return failed == 0 ? STET_OK : files_error(err, failed, "sync", path);
}

static stet_status write_manifest(struct making *making, stet_error *err) {
    struct buffer text, sums;
    char path[FILES_PATH_BYTES];
    buffer_init(&text, NULL, 0);
    buffer_init(&sums, NULL, 0);
    stet_status status = manifest_write(&making->manifest, &text, err);
    if (status == STET_OK)
        status = manifest_sums(&making->manifest, buffer_view(&text), &sums, err);
    if (status == STET_OK) status = files_path(path, making->folder, MANIFEST_NAME, err);
    if (status == STET_OK) status = files_write(path, buffer_view(&text), err);
    if (status == STET_OK) status = files_path(path, making->folder, MANIFEST_SUMS, err);
    if (status == STET_OK) status = files_write(path, buffer_view(&sums), err);
    if (status == STET_OK) status = files_sync_folder(making->folder, err);
    buffer_done(&sums);
    buffer_done(&text);
    return status;
}

/* Gives the folder its name: the moment at which the backup exists. */
static stet_status publish(struct making *making, char path[FILES_PATH_BYTES], stet_error *err) {
    char name[64], stem[48];
    struct tm utc;
    time_t seconds = (time_t)(making->manifest.made_at / CLOCK_NS_PER_S);
    gmtime_r(&seconds, &utc);
    strftime(stem, sizeof stem, SET_PREFIX "%Y-%m-%dT%H-%M-%SZ", &utc);
    for (int suffix = 1;; suffix++) {
        snprintf(name, sizeof name, suffix == 1 ? "%s" : "%s-%d", stem, suffix);
        stet_status status = files_path(path, making->options->dir, name, err);
        if (status != STET_OK) return status;
        if (rename(making->folder, path) == 0) break;
        if ((errno != EEXIST && errno != ENOTEMPTY) || suffix == SUFFIX_MAX)
            return files_error(err, errno, "name the backup", path);
    }
    strcpy(making->folder, path);
    return files_sync_folder(making->options->dir, err);
}

void set_tell(const stet_backup_watch *watch, const struct manifest_space *space) {
    if (watch == NULL || watch->space == NULL) return;
    watch->space(watch->context, space->name, space->census.seq, space->census.live,
                 space->census.changes, space->digest.bytes);
}

void set_report(const char *path, const struct manifest *manifest, stet_backup_report *report) {
    *report = (stet_backup_report){.made_at = manifest->made_at, .spaces = manifest->count};
    snprintf(report->path, sizeof report->path, "%s", path);
    for (size_t i = 0; i < manifest->count; i++) {
        report->changes += manifest->spaces[i].census.changes;
        report->records += manifest->spaces[i].census.live;
        report->bytes += manifest->spaces[i].digest.bytes;
    }
}

stet_status set_make(const stet_backup *options, bool scheduled, stet_backup_report *report,
                     stet_error *err) {
    struct making making = {.options = options, .engine = options->engine, .lock = -1};
    char path[FILES_PATH_BYTES];
    if (making.engine != NULL && making.engine->data_dir == NULL)
        return error_set(err, STET_BAD_REQUEST, "spaces in memory cannot be backed up");
    making.manifest.made_at = clock_wall_ns(clock_system());
    making.manifest.scheduled = scheduled;
    snprintf(making.manifest.program, sizeof making.manifest.program, "stet %s", STET_VERSION_TEXT);
    stet_status status = folder_make(&making, err);
    if (status == STET_OK && making.engine != NULL && options->space_count == 0)
        status = files_need(making.folder, "the backup", engine_bytes(making.engine), err);
    if (status == STET_OK) status = copy_all(&making, err);
    for (size_t i = 0; status == STET_OK && i < making.manifest.count; i++)
        status = describe(&making, &making.manifest.spaces[i], err);
    if (status == STET_OK) status = files_path(path, making.folder, "stet.db", err);
    if (status == STET_OK) status = set_source(path, making.manifest.source, err);
    if (status == STET_OK) status = write_manifest(&making, err);
    if (status == STET_OK) status = publish(&making, path, err);
    for (size_t i = 0; status == STET_OK && i < making.manifest.count; i++)
        set_tell(&options->watch, &making.manifest.spaces[i]);
    if (status == STET_OK && report != NULL) set_report(path, &making.manifest, report);
    if (status != STET_OK && making.lock >= 0) files_remove(making.folder);
    if (making.lock >= 0) close(making.lock);
    /* Empty, unless somebody else has begun there meanwhile. */
    if (status != STET_OK && making.made_dir) (void)rmdir(options->dir);
    manifest_done(&making.manifest);
    manifest_done(&making.listed);
    return status;
}

/* ---- Reading ----------------------------------------------------------------------------- */

static stet_status read_text(const char *path, const char *name, struct buffer *buffer,
                             stet_error *err) {
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        error_set(err, STET_CORRUPT, "\"%s\" is missing", name);
        error_field(err, name, 0);
        return STET_CORRUPT;
    }
    if (fd < 0) return files_error(err, errno, "open", path);
    stet_status status = STET_OK;
    for (;;) {
        char *room = buffer_reserve(buffer, 64 * 1024);
        if (room == NULL) {
            status = error_set(err, STET_NO_MEMORY, "out of memory to read \"%s\"", name);
            break;
        }
        ssize_t got = read(fd, room, 64 * 1024);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) status = files_error(err, errno, "read", path);
        if (got <= 0) break;
        buffer_advance(buffer, (size_t)got);
    }
    close(fd);
    return status;
}

static stet_status altered(const char *name, const char *how, stet_error *err) {
    error_set(err, STET_CORRUPT, "\"%s\" %s", name, how);
    error_field(err, name, 0);
    return STET_CORRUPT;
}

/* Both texts must be what the manifest says they are; which of the two was altered is told by the manifest's own hash. */
static stet_status compare_sums(const struct manifest *manifest, stet_view text, stet_view sums,
                                stet_error *err) {
    struct buffer expected;
    buffer_init(&expected, NULL, 0);
    stet_status status = manifest_sums(manifest, text, &expected, err);
    if (status == STET_OK && !view_equal(buffer_view(&expected), sums)) {
        size_t line = 1;
        for (size_t i = 0; i < sums.size && i < expected.size && sums.bytes[i] == expected.bytes[i];
             i++)
            if (sums.bytes[i] == '\n') line++;
        char how[96];
        snprintf(how, sizeof how, "does not agree with \"" MANIFEST_NAME "\": see line %zu", line);
        status = altered(MANIFEST_SUMS, how, err);
    }
    buffer_done(&expected);
    return status;
}

static stet_status check_manifest_hash(stet_view text, stet_view sums, stet_error *err) {
    uint8_t digest[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES];
    digest_of(text, digest);
    digest_hex(digest, hex);
    if (view_starts(sums, view_of(hex))) return STET_OK;
    return altered(MANIFEST_NAME, "was altered, or \"" MANIFEST_SUMS "\" was: their hashes differ",
                   err);
}

static stet_status check_folder(const char *path, const struct manifest *manifest,
                                stet_error *err) {
    struct dirent *entry;
    stet_status status = STET_OK;
    DIR *dir = opendir(path);
    if (dir == NULL) return files_error(err, errno, "look into", path);
    while (status == STET_OK && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        bool known = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
                     strcmp(name, MANIFEST_NAME) == 0 || strcmp(name, MANIFEST_SUMS) == 0;
        for (size_t i = 0; !known && i < manifest->count; i++)
            known = strcmp(manifest->spaces[i].file, name) == 0;
        if (!known) status = altered(name, "does not belong to the backup", err);
    }
    closedir(dir);
    for (size_t i = 0; status == STET_OK && i < manifest->count; i++) {
        char file[FILES_PATH_BYTES];
        struct stat info;
        status = files_path(file, path, manifest->spaces[i].file, err);
        if (status == STET_OK && lstat(file, &info) != 0)
            status = altered(manifest->spaces[i].file, "is missing", err);
        else if (status == STET_OK && !S_ISREG(info.st_mode))
            status = altered(manifest->spaces[i].file, "is not a file", err);
    }
    return status;
}

/* Words for who names the folder that holds the backups. */
static stet_status not_a_backup(const char *path, stet_error *err) {
    char newest[256] = "";
    struct dirent *entry;
    DIR *dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (strncmp(entry->d_name, SET_PREFIX, strlen(SET_PREFIX)) == 0 &&
            strcmp(entry->d_name, newest) > 0)
            snprintf(newest, sizeof newest, "%s", entry->d_name);
    if (dir != NULL) closedir(dir);
    if (dir == NULL) return error_set(err, STET_NOT_FOUND, "there is no backup \"%s\"", path);
    if (newest[0] == '\0')
        return error_set(err, STET_NOT_FOUND, "\"%s\" is not a backup: it has no \"%s\"", path,
                         MANIFEST_NAME);
    return error_set(err, STET_NOT_FOUND,
                     "\"%s\" is not a backup but holds some; the newest is \"%s\"", path, newest);
}

stet_status set_read(const char *path, struct manifest *manifest, stet_error *err) {
    char manifest_path[FILES_PATH_BYTES], sums_path[FILES_PATH_BYTES];
    struct buffer text, sums;
    *manifest = (struct manifest){0};
    stet_status status = files_path(manifest_path, path, MANIFEST_NAME, err);
    if (status == STET_OK) status = files_path(sums_path, path, MANIFEST_SUMS, err);
    if (status != STET_OK) return status;
    /* One of the two is enough to tell a damaged backup from no backup. */
    if (access(manifest_path, F_OK) != 0 && access(sums_path, F_OK) != 0)
        return not_a_backup(path, err);
    buffer_init(&text, NULL, 0);
    buffer_init(&sums, NULL, 0);
    status = read_text(manifest_path, MANIFEST_NAME, &text, err);
    if (status == STET_OK) status = read_text(sums_path, MANIFEST_SUMS, &sums, err);
    if (status == STET_OK)
        status = check_manifest_hash(buffer_view(&text), buffer_view(&sums), err);
    if (status == STET_OK) status = manifest_parse(manifest, buffer_view(&text), err);
    if (status == STET_OK)
        status = compare_sums(manifest, buffer_view(&text), buffer_view(&sums), err);
    if (status == STET_OK) status = check_folder(path, manifest, err);
    if (status != STET_OK) manifest_done(manifest);
    buffer_done(&sums);
    buffer_done(&text);
    return status;
}
