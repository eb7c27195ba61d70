/*
 * A copy of one space as a command: made on the engine's thread for copies. Without a path the file lies in the data directory's
 * tmp only while it is written; then it has no name any more and is gone with its last descriptor, whoever dies.
 */
#include "backup/backup.h"
#include "backup/digest.h"
#include "backup/files.h"
#include "backup/manifest.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"
#include "core/client.h"
#include "doc/write.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct copy {
    const char *path; /* NULL: temporary. */
    int fd;           /* -1: none. */
};

static void release(struct stet_command *command) {
    struct copy *copy = command->module_data;
    if (copy->fd >= 0) close(copy->fd);
    copy->fd = -1;
}

static bool is_stopped(void *context) {
    const struct stet_command *command = context;
    return atomic_load(&command->cancelled) || atomic_load(&command->client->engine->stopping);
}

static void render(struct buffer *out, const struct space *space,
                   const struct manifest_space *made) {
    struct json_writer writer;
    char hex[DIGEST_HEX_BYTES];
    const char *file = strrchr(space->file, '/');
    digest_hex(made->digest.whole, hex);
    json_begin(&writer, out);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("space"), view_of(space->name));
    json_member_text(&writer, VIEW("file"), view_of(file == NULL ? space->file : file + 1));
    json_member_u64(&writer, VIEW("bytes"), made->digest.bytes);
    json_member_text(&writer, VIEW("sha256"), view_of(hex));
    json_member_u64(&writer, VIEW("seq"), made->census.seq);
    json_member_u64(&writer, VIEW("changes"), made->census.changes);
    json_member_u64(&writer, VIEW("records"), made->census.records);
    json_member_u64(&writer, VIEW("live"), made->census.live);
    json_key(&writer, VIEW("made_at"));
    json_rfc3339(&writer, made->made_at);
    json_object_end(&writer);
    (void)json_end(&writer);
}

static stet_status make(struct stet_command *command, const char *path, struct buffer *out,
                        stet_error *err) {
    struct space *space = command->space;
    struct copy *copy = command->module_data;
    struct manifest_space made = {.made_at = clock_wall_ns(command->client->engine->clock)};
    const stet_backup_watch watch = {.stop = is_stopped, .context = command};
    stet_status status = store_backup(space->store, path, is_stopped, command, err);
    if (status != STET_OK) return status;
    status = store_file_census(path, &made.census, err);
    if (status == STET_OK)
        status = digest_file(path, space->name, NULL, -1, &watch, &made.digest, err);
    if (status == STET_OK && copy->path == NULL) {
        copy->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (copy->fd < 0) status = files_error(err, errno, "open", path);
    }
    if (status == STET_OK) render(out, space, &made);
    digest_done(&made.digest);
    if (status != STET_OK || copy->path == NULL) (void)unlink(path);
    return status;
}

static stet_status run(struct stet_command *command, struct store_reader *reader,
                       struct buffer *out, stet_error *err) {
    struct space *space = command->space;
    struct copy *copy = command->module_data;
    char path[ENGINE_PATH_BYTES];
    struct store_usage usage;
    stet_status status = STET_OK;
    (void)reader;
    command->decided_seq = ring_published(&space->ring);
    if (!command->actor.admin)
        return error_set(err, STET_FORBIDDEN, "only an administrator may back up a space");
    if (space->file == NULL)
        return error_set(err, STET_BAD_REQUEST, "a space in memory cannot be backed up");
    if (is_stopped(command)) return error_set(err, STET_CANCELLED, "the backup was stopped");
    if (copy->path == NULL) {
        status = engine_temporary(space->engine, path, err);
    } else if (strlen(copy->path) >= sizeof path) {
        status = error_set(err, STET_BAD_REQUEST, "the path is too long");
    } else {
        strcpy(path, copy->path);
    }
    if (status != STET_OK) return status;
    char folder[ENGINE_PATH_BYTES];
    strcpy(folder, path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL) *slash = '\0';
    store_usage(space->store, &usage);
    status = files_need(slash == NULL     ? "."
                        : slash == folder ? "/"
                                          : folder,
                        "the copy", usage.file_bytes + usage.log_bytes, err);
    return status == STET_OK ? make(command, path, out, err) : status;
}

stet_status backup_fill_copy(stet_command *command, const char *path, stet_error *err) {
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    struct copy *copy = arena_zalloc(&command->arena, 1, sizeof *copy);
    if (copy == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    *copy = (struct copy){.path = path, .fd = -1};
    command->kind = COMMAND_MODULE_READ;
    command->read_rows = run;
    command->copies = true;
    command->module_data = copy;
    command->release = release;
    return STET_OK;
}

int backup_take_file(stet_command *command) {
    if (command->release != release || !command->done) return -1;
    struct copy *copy = command->module_data;
    int fd = copy->fd;
    copy->fd = -1;
    return fd;
}
