#include "cli/file.h"

#include "base/error.h"
#include "base/view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024 };

stet_status file_read(const char *path, struct buffer *buffer, stet_error *err) {
    stet_status status = STET_OK;
    bool from_stdin = strcmp(path, "-") == 0;
    int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return error_set(err, STET_IO, "could not open \"%s\": %s", path, strerror(errno));
    for (;;) {
        char *room = buffer_reserve(buffer, READ_BYTES);
        if (room == NULL) {
            status = buffer_status(buffer);
            error_set(err, status,
                      status == STET_TOO_LARGE ? "\"%s\" is too large" : "out of memory for \"%s\"",
                      path);
            break;
        }
        ssize_t got = read(fd, room, READ_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            status = error_set(err, STET_IO, "could not read \"%s\": %s", path, strerror(errno));
        if (got <= 0) break;
        buffer_advance(buffer, (size_t)got);
    }
    if (!from_stdin) close(fd);
    return status;
}

stet_status file_write(const char *path, stet_view bytes, stet_error *err) {
    char temporary[PATH_MAX];
    int size = snprintf(temporary, sizeof temporary, "%s.%ld.new", path, (long)getpid());
    if (size < 0 || (size_t)size >= sizeof temporary) {
        return error_set(err, STET_BAD_REQUEST, "the file name \"%.60s…\" is too long", path);
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return error_set(err, STET_IO, "could not write \"%s\": %s", path, strerror(errno));
    size_t done = 0;
    while (done < bytes.size) {
        ssize_t put = write(fd, bytes.bytes + done, bytes.size - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) break;
        done += (size_t)put;
    }
    if (done < bytes.size || close(fd) != 0 || rename(temporary, path) != 0) {
        int saved = errno;
        if (done < bytes.size) close(fd);
        unlink(temporary);
        return error_set(err, STET_IO, "could not write \"%s\": %s", path, strerror(saved));
    }
    return STET_OK;
}
