/* Backups as folders: making one, reading one's manifest, listing those in a folder. */
#ifndef BACKUP_SET_H
#define BACKUP_SET_H

#include "backup/files.h"
#include "backup/manifest.h"

/* As backup_make; the mark says that a schedule may remove it some day. */
stet_status set_make(const stet_backup *options, bool scheduled, stet_backup_report *report,
                     stet_error *err);

/*
 * Reads and checks what is small: the manifest against SHA256SUMS, and that exactly the files it names are there. Their contents are
 * not looked at.
 */
stet_status set_read(const char *path, struct manifest *manifest, stet_error *err);

/* What a data directory is called in a manifest, from a copy of its space "stet". */
stet_status set_source(const char *stet_copy, char source[MANIFEST_SOURCE_BYTES], stet_error *err);

/* Tells a watch of one space. */
void set_tell(const stet_backup_watch *watch, const struct manifest_space *space);

void set_report(const char *path, const struct manifest *manifest, stet_backup_report *report);

/* Folders of other makings in dir that nobody is at work on any more, and half-removed backups. */
void set_sweep(const char *dir);

/* The name of the space in the list of a copy of "stet", and the file it is in: calls visit for each. */
stet_status set_spaces(const char *stet_copy,
                       stet_status (*visit)(void *context, stet_view name, stet_view file,
                                            stet_error *err),
                       void *context, stet_error *err);

#define SET_PREFIX "stet-"
#define SET_MAKING ".stet-making-"
#define SET_REMOVING ".stet-removing-"

#endif
