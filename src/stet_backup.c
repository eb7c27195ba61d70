/* The public calls around backups; what they do is in src/backup/. */
#include "backup/backup.h"
#include "backup/set.h"
#include "base/error.h"

#include <sodium.h>

#define NEED(condition)                                                                            \
    if (!(condition)) return error_set(err, STET_MISUSE, "a null pointer")

/* Backups are verified and restored without an engine, so nobody may have started it yet. */
static stet_status start(stet_error *err) {
    return sodium_init() < 0 ? error_set(err, STET_INTERNAL, "libsodium could not be started")
                             : STET_OK;
}

stet_status stet_backup_make(const stet_backup *options, stet_backup_report *report,
                             stet_error *err) {
    NEED(options != NULL && options->dir != NULL);
    NEED((options->engine != NULL) != (options->fetch != NULL));
    NEED(options->space_count == 0 || options->spaces != NULL);
    stet_status status = start(err);
    return status == STET_OK ? set_make(options, false, report, err) : status;
}

stet_status stet_backup_verify(const char *path, const stet_backup_watch *watch,
                               stet_backup_report *report, stet_error *err) {
    NEED(path != NULL);
    stet_status status = start(err);
    return status == STET_OK ? backup_verify(path, watch, report, err) : status;
}

stet_status stet_restore(const char *path, const char *data_dir, const stet_backup_watch *watch,
                         stet_backup_report *report, stet_error *err) {
    NEED(path != NULL && data_dir != NULL);
    stet_status status = start(err);
    return status == STET_OK ? backup_restore(path, data_dir, watch, report, err) : status;
}

stet_status stet_backup_start(stet_engine *engine, const stet_backup_schedule *schedule,
                              stet_error *err) {
    NEED(engine != NULL && schedule != NULL);
    return backup_schedule(engine, schedule, err);
}

stet_status stet_command_backup(stet_command *command, const char *path, stet_error *err) {
    NEED(command != NULL);
    return backup_fill_copy(command, path, err);
}

int stet_command_take_file(stet_command *command) {
    return command == NULL ? -1 : backup_take_file(command);
}
