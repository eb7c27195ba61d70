/*
 * Backups: making, verifying and restoring them. What a backup is stands in README.md; the public calls in stet.h are these.
 *
 * Nothing here knows where a space's copy comes from: an engine in this process, or a server far away whose answer
 * was written to a file. A copy is a file that store_backup made.
 */
#ifndef BACKUP_BACKUP_H
#define BACKUP_BACKUP_H

#include "stet.h"

struct stet_engine;

stet_status backup_verify(const char *path, const stet_backup_watch *watch,
                          stet_backup_report *report, stet_error *err);
stet_status backup_restore(const char *path, const char *data_dir, const stet_backup_watch *watch,
                           stet_backup_report *report, stet_error *err);
stet_status backup_schedule(struct stet_engine *engine, const stet_backup_schedule *schedule,
                            stet_error *err);

/* One space's copy into a file, as a command; copy.c. */
stet_status backup_fill_copy(stet_command *command, const char *path, stet_error *err);
int backup_take_file(stet_command *command);

#endif
