#include "backup/files.h"

#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Beyond what is copied: names, folders, a log. */
#define SPARE_BYTES (UINT64_C(1) << 20)

stet_status files_error(stet_error *err, int number, const char *tried, const char *path) {
    stet_status status =
        number == ENOSPC || number == EDQUOT || number == EFBIG ? STET_NO_SPACE : STET_IO;
    return error_set(err, status, "could not %s \"%s\": %s", tried, path, strerror(number));
}

stet_status files_path(char path[FILES_PATH_BYTES], const char *folder, const char *name,
                       stet_error *err) {
    int size = snprintf(path, FILES_PATH_BYTES, "%s/%s", folder, name);
    if (size >= 0 && size < FILES_PATH_BYTES) return STET_OK;
    return error_set(err, STET_BAD_REQUEST, "the path of \"%s\" is too long", name);
}

stet_status files_sync_folder(const char *path, stet_error *err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0) close(fd);
    /* Some file systems have nothing to sync about a folder. */
    return failed == 0 || failed == EINVAL ? STET_OK : files_error(err, failed, "sync", path);
}

stet_status files_make_folder(const char *path, stet_error *err) {
    char above[FILES_PATH_BYTES];
    if (mkdir(path, 0700) != 0)
        return errno == EEXIST ? STET_OK : files_error(err, errno, "create the folder", path);
    if (snprintf(above, sizeof above, "%s", path) >= (int)sizeof above)
        return error_set(err, STET_BAD_REQUEST, "the path \"%s\" is too long", path);
    return files_sync_folder(dirname(above), err);
}

static void remove_below(int folder, const char *name) {
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    if (dir == NULL) {
        if (fd >= 0) close(fd);
        (void)unlinkat(folder, name, 0);
        return;
    }
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_below(dirfd(dir), entry->d_name);
    closedir(dir);
    (void)unlinkat(folder, name, AT_REMOVEDIR);
}

void files_remove(const char *path) { remove_below(AT_FDCWD, path); }

stet_status files_need(const char *folder, const char *what, uint64_t bytes, stet_error *err) {
    struct statvfs info;
    if (statvfs(folder, &info) != 0) return files_error(err, errno, "look at the disk of", folder);
    uint64_t room = (uint64_t)info.f_bavail * info.f_frsize;
    if (room >= bytes + SPARE_BYTES) return STET_OK;
    return error_set(err, STET_NO_SPACE,
                     "%s needs %" PRIu64 " MiB in \"%s\", where %" PRIu64 " MiB are free", what,
                     (bytes + SPARE_BYTES + (1 << 20) - 1) >> 20, folder, room >> 20);
}

stet_status files_write(const char *path, stet_view bytes, stet_error *err) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return files_error(err, errno, "create", path);
    int failed = 0;
    for (size_t done = 0; done < bytes.size && failed == 0;) {
        ssize_t put = write(fd, bytes.bytes + done, bytes.size - done);
        if (put >= 0)
            done += (size_t)put;
        else if (errno != EINTR)
            failed = errno;
    }
    if (failed == 0 && fsync(fd) != 0) failed = errno;
    if (close(fd) != 0 && failed == 0) failed = errno;
    return failed == 0 ? STET_OK : files_error(err, failed, "write", path);
}

stet_status files_is_empty(const char *path, bool *empty, stet_error *err) {
    DIR *dir = opendir(path);
    struct dirent *entry;
    if (dir == NULL) return files_error(err, errno, "look into", path);
    *empty = true;
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) *empty = false;
    closedir(dir);
    return STET_OK;
}
