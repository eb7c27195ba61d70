#include "cli/supervisor.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_SOCKET = 3, MESSAGE_BYTES = 1024 };

/* Out: the number in a variable; 0 when it is not set. False: it is no number. */
static bool read_number(const char *name, uint64_t *out) {
    const char *text = getenv(name);
    *out = 0;
    return text == NULL || view_parse_u64(view_of(text), out);
}

static stet_status read_sockets(struct supervisor *supervisor, stet_error *err) {
    uint64_t pid;
    uint64_t count;
    if (!read_number("LISTEN_PID", &pid) || !read_number("LISTEN_FDS", &count))
        return error_set(err, STET_BAD_REQUEST, "LISTEN_PID and LISTEN_FDS must be numbers");
    if (pid != (uint64_t)getpid()) return STET_OK; /* They were meant for another process. */
    if (count > HTTP_LISTENERS_MAX) {
        return error_set(err, STET_BAD_REQUEST,
                         "%llu sockets were handed over, at most %d can be served",
                         (unsigned long long)count, HTTP_LISTENERS_MAX);
    }
    for (size_t i = 0; i < count; i++)
        supervisor->sockets[i] = FIRST_SOCKET + (int)i;
    supervisor->socket_count = (size_t)count;
    return STET_OK;
}

static stet_status read_notify(struct supervisor *supervisor, stet_error *err) {
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || path[0] == '\0') return STET_OK;
    size_t size = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || size >= sizeof supervisor->notify.sun_path) {
        return error_set(err, STET_BAD_REQUEST,
                         "NOTIFY_SOCKET must be the path of a socket, or @ and a name, not \"%s\"",
                         path);
    }
    supervisor->notify.sun_family = AF_UNIX;
    memcpy(supervisor->notify.sun_path, path, size);
    if (path[0] == '@') supervisor->notify.sun_path[0] = '\0';
    supervisor->notify_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    if (path[0] == '/') supervisor->notify_size += 1; /* Its NUL. */
    return STET_OK;
}

static stet_status read_watchdog(struct supervisor *supervisor, stet_error *err) {
    uint64_t pid;
    uint64_t us;
    if (!read_number("WATCHDOG_PID", &pid) || !read_number("WATCHDOG_USEC", &us) ||
        us > INT64_MAX / 1000)
        return error_set(err, STET_BAD_REQUEST, "WATCHDOG_PID and WATCHDOG_USEC must be numbers");
    if (pid == 0 || pid == (uint64_t)getpid()) supervisor->watchdog_ns = (int64_t)us * 1000;
    return STET_OK;
}

stet_status supervisor_read(struct supervisor *supervisor, stet_error *err) {
    static const char *const names[] = {"LISTEN_PID",    "LISTEN_FDS",   "LISTEN_FDNAMES",
                                        "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"};
    memset(supervisor, 0, sizeof *supervisor);
    stet_status status = read_sockets(supervisor, err);
    if (status == STET_OK) status = read_notify(supervisor, err);
    if (status == STET_OK) status = read_watchdog(supervisor, err);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    return status;
}

void supervisor_tell(const struct supervisor *supervisor, const char *format, ...) {
    char message[MESSAGE_BYTES];
    va_list arguments;
    if (supervisor->notify_size == 0) return;
    va_start(arguments, format);
    int size = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (size < 0) return;
    if ((size_t)size >= sizeof message) size = sizeof message - 1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    (void)!sendto(fd, message, (size_t)size, MSG_NOSIGNAL,
                  (const struct sockaddr *)&supervisor->notify, supervisor->notify_size);
    close(fd);
}
