/*
 * Where backups must not lie: among Stet's own files.
 */
#ifndef BACKUP_PLACE_H
#define BACKUP_PLACE_H

#include "stet.h"

/*
 * Whether backups may be made in a folder, which need not be there yet. STET_BAD_REQUEST: it is a data directory or a backup, lies
 * in one of a data directory's own folders, or inside a backup.
 */
stet_status place_check(const char *dir, stet_error *err);

#endif
