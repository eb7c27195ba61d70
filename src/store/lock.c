/* Locks on files; see lock.h. flock rather than fcntl: it belongs to the open file, so a second opener inside the same
   process is refused too, and closing some other descriptor of the file does not drop it. */
#include "store/lock.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/view.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_TEXT_BYTES_MAX = 4096 };

struct dirlock {
    int fd;
};

static stet_status io_error(stet_error *err, int number, const char *tried, const char *path) {
    stet_status status = number == ENOSPC || number == EDQUOT ? STET_NO_SPACE : STET_IO;
    error_set(err, status, "%s \"%s\": %s", tried, path, strerror(number));
    return status;
}

/* Reads the lock's text; empty on failure. A text without its end was caught half written, and is as good as none. */
static size_t text_read(int fd, char text[LOCK_TEXT_BYTES_MAX]) {
    ssize_t size = pread(fd, text, LOCK_TEXT_BYTES_MAX - 1, 0);
    if (size < 0) size = 0;
    text[size] = '\0';
    char *end = strchr(text, '\n');
    if (end == NULL) return 0;
    *end = '\0';
    return (size_t)(end - text);
}

/* The value of a string member; the writer below never needs an escape. */
static stet_view text_member(const char *text, const char *name) {
    char label[32];
    snprintf(label, sizeof label, "\"%s\":\"", name);
    const char *at = strstr(text, label);
    if (at == NULL) return (stet_view){0};
    at += strlen(label);
    const char *end = strchr(at, '"');
    return end == NULL ? (stet_view){0} : view_make(at, (size_t)(end - at));
}

static int64_t text_pid(const char *text) {
    const char *at = strstr(text, "\"pid\":");
    return at == NULL ? 0 : strtoll(at + 6, NULL, 10);
}

static bool text_is_plain(stet_view view) {
    for (size_t i = 0; i < view.size; i++) {
        unsigned char c = (unsigned char)view.bytes[i];
        if (c < 0x20 || c == 0x7f || c == '"' || c == '\\') return false;
    }
    return true;
}

static stet_status text_write(int fd, stet_view url, stet_view token, stet_error *err) {
    char text[LOCK_TEXT_BYTES_MAX];
    int size = snprintf(text, sizeof text, "{\"pid\":%ld,\"url\":\"%.*s\",\"token\":\"%.*s\"}\n",
                        (long)getpid(), VIEW_ARG(url), VIEW_ARG(token));
    if (size < 0 || (size_t)size >= sizeof text)
        return error_set(err, STET_MISUSE, "the url is too long");
    if (pwrite(fd, text, (size_t)size, 0) != size || ftruncate(fd, size) != 0) {
        return io_error(err, errno, "could not write", "stet.lock");
    }
    return STET_OK;
}

stet_status file_lock_acquire(const char *path, const char *what, int *fd, stet_error *err) {
    char text[LOCK_TEXT_BYTES_MAX];
    int opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (opened < 0) return io_error(err, errno, "could not open", path);
    if (flock(opened, LOCK_EX | LOCK_NB) != 0) {
        int number = errno;
        stet_status status = STET_BUSY;
        if (number != EWOULDBLOCK) {
            status = io_error(err, number, "could not lock", path);
        } else {
            text_read(opened, text);
            stet_view url = text_member(text, "url");
            error_set(err, STET_BUSY, "\"%s\" is in use by process %" PRId64 "%s%.*s", what,
                      text_pid(text), url.size == 0 ? "" : " at ", VIEW_ARG(url));
        }
        close(opened);
        return status;
    }
    stet_status status =
        text_write(opened, (stet_view){.bytes = ""}, (stet_view){.bytes = ""}, err);
    if (status != STET_OK) {
        close(opened);
        return status;
    }
    *fd = opened;
    return STET_OK;
}

void file_lock_release(int fd) {
    if (fd >= 0) close(fd);
}

static stet_status dir_create(const char *dir, stet_error *err) {
    char parent[PATH_MAX];
    if (mkdir(dir, 0700) != 0) {
        return errno == EEXIST ? STET_OK : io_error(err, errno, "could not create the folder", dir);
    }
    /* The new name must survive a power loss, or everything in it is lost with it. */
    snprintf(parent, sizeof parent, "%s", dir);
    int fd = open(dirname(parent), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return STET_OK; /* Not ours to read; nothing more can be done. */
    int failed = fsync(fd) != 0 ? errno : 0;
    close(fd);
    return failed != 0 && failed != EINVAL
               ? io_error(err, failed, "could not sync the folder above", dir)
               : STET_OK;
}

stet_status dirlock_acquire(const char *dir, struct dirlock **lock, stet_error *err) {
    char path[PATH_MAX];
    int fd = -1;
    if (snprintf(path, sizeof path, "%s/stet.lock", dir) >= (int)sizeof path) {
        return error_set(err, STET_MISUSE, "the folder's name is too long");
    }
    stet_status status = dir_create(dir, err);
    if (status == STET_OK) status = file_lock_acquire(path, dir, &fd, err);
    if (status != STET_OK) return status;
    struct dirlock *acquired = malloc(sizeof *acquired);
    if (acquired == NULL) {
        file_lock_release(fd);
        return error_set(err, STET_NO_MEMORY, "could not lock \"%s\"", dir);
    }
    acquired->fd = fd;
    *lock = acquired;
    return STET_OK;
}

stet_status dirlock_announce(struct dirlock *lock, stet_view url, stet_view token,
                             stet_error *err) {
    if (!text_is_plain(url) || !text_is_plain(token)) {
        return error_set(err, STET_MISUSE, "a url or token with quotes cannot be announced");
    }
    return text_write(lock->fd, url, token, err);
}

stet_status dirlock_read(const char *dir, struct arena *arena, int64_t *pid, stet_view *url,
                         stet_view *token, stet_error *err) {
    char path[PATH_MAX], text[LOCK_TEXT_BYTES_MAX];
    if (snprintf(path, sizeof path, "%s/stet.lock", dir) >= (int)sizeof path) {
        return error_set(err, STET_MISUSE, "the folder's name is too long");
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return error_set(err, STET_NOT_FOUND, "nobody serves \"%s\"", dir);
    }
    if (fd < 0) return io_error(err, errno, "could not open", path);
    /* A shared lock succeeds when the owner is gone. It is held for an instant; an owner that starts in it sees BUSY. */
    if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
        close(fd);
        return error_set(err, STET_NOT_FOUND, "nobody serves \"%s\"", dir);
    }
    text_read(fd, text);
    close(fd);
    stet_view found_url = arena_copy(arena, text_member(text, "url"));
    stet_view found_token = arena_copy(arena, text_member(text, "token"));
    if (found_url.bytes == NULL || found_token.bytes == NULL) {
        return error_set(err, STET_NO_MEMORY, "could not read \"%s\"", path);
    }
    *pid = text_pid(text);
    *url = found_url;
    *token = found_token;
    return STET_OK;
}

void dirlock_release(struct dirlock *lock) {
    if (lock == NULL) return;
    file_lock_release(lock->fd);
    free(lock);
}
