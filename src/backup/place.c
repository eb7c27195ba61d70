/*
 * What a folder is follows from the files in it, not from what this process knows: the data directory need not be the one that is backed up,
 * and a backup that is fetched knows none. Every data directory and every backup has stet.db; only a backup has a manifest.
 *
 * A folder of its own directly in a data directory is left alone by everything, and allowed.
 */
#include "backup/place.h"

#include "backup/files.h"
#include "backup/manifest.h"
#include "base/error.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool holds(const char *folder, const char *name) {
    char path[FILES_PATH_BYTES];
    return files_path(path, folder, name, NULL) == STET_OK && access(path, F_OK) == 0;
}

/* Links followed; of a folder that is to be made, the one above. False: neither is there, which making it will say. */
static bool resolve(const char *dir, char out[PATH_MAX]) {
    char above[FILES_PATH_BYTES], last[FILES_PATH_BYTES];
    if (realpath(dir, out) != NULL) return true;
    if (snprintf(above, sizeof above, "%s", dir) >= (int)sizeof above) return false;
    strcpy(last, above);
    if (realpath(dirname(above), out) == NULL) return false;
    const char *name = basename(last);
    size_t size = strlen(out);
    return snprintf(out + size, PATH_MAX - size, "/%s", name) < (int)(PATH_MAX - size);
}

stet_status place_check(const char *dir, stet_error *err) {
    char place[PATH_MAX];
    if (!resolve(dir, place)) return STET_OK;
    if (holds(place, "stet.db") && !holds(place, MANIFEST_NAME))
        return error_set(err, STET_BAD_REQUEST,
                         "\"%s\" is a data directory: backups need a folder of their own", dir);
    char *slash;
    while ((slash = strrchr(place, '/')) != NULL) {
        if (holds(place, "stet.db") && holds(place, MANIFEST_NAME))
            return error_set(
                err, STET_BAD_REQUEST,
                "\"%s\" is a backup, or lies in one, which nothing may be added to: name "
                "another folder",
                dir);
        bool own = strcmp(slash, "/spaces") == 0 || strcmp(slash, "/tmp") == 0;
        *slash = '\0';
        if (own && holds(place, "stet.db"))
            return error_set(err, STET_BAD_REQUEST,
                             "\"%s\" lies among the files of a data directory: backups need a "
                             "folder of their own",
                             dir);
    }
    return STET_OK;
}
