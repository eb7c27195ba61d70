/*
 * Files and folders of backups: paths, syncing, removing, room on the disk. No rules.
 */
#ifndef BACKUP_FILES_H
#define BACKUP_FILES_H

#include "stet.h"

enum { FILES_PATH_BYTES = 4096 };

/* STET_NO_SPACE or STET_IO: could not <tried> "<path>": why. */
stet_status files_error(stet_error *err, int number, const char *tried, const char *path);

/* "folder/name"; STET_BAD_REQUEST: too long. */
stet_status files_path(char path[FILES_PATH_BYTES], const char *folder, const char *name,
                       stet_error *err);

/* Makes a folder (0700) and syncs the one above. Existing: STET_OK. */
stet_status files_make_folder(const char *path, stet_error *err);
stet_status files_sync_folder(const char *path, stet_error *err);

/* Removes a folder with all that is in it, links not followed. What cannot be removed stays. */
void files_remove(const char *path);

/* STET_NO_SPACE unless so many bytes fit into a folder, with a little to spare. what: "the backup". */
stet_status files_need(const char *folder, const char *what, uint64_t bytes, stet_error *err);

/* Writes a file whole, synced. It must not exist. */
stet_status files_write(const char *path, stet_view bytes, stet_error *err);

/* Whether the folder has anything in it but "." and "..". */
stet_status files_is_empty(const char *path, bool *empty, stet_error *err);

#endif
