/*
 * What whoever starts a server can say and hear by way of the environment: listening sockets that are handed over, and a socket
 * for "ready", "stopping" and signs of life. The protocol is systemd's (sd_listen_fds(3), sd_notify(3)), which other supervisors
 * speak, too; it is small enough to need no library.
 *
 *     LISTEN_PID, LISTEN_FDS      descriptors 3, 4, … are listening sockets, if LISTEN_PID is this process
 *     NOTIFY_SOCKET               datagrams "KEY=value" go to this unix socket; "@name" is an abstract one
 *     WATCHDOG_USEC, _PID         without "WATCHDOG=1" for so long we are taken for dead, if WATCHDOG_PID is this process or unset
 *
 * Thread: one.
 */
#ifndef CLI_SUPERVISOR_H
#define CLI_SUPERVISOR_H

#include "base/limits.h"
#include "stet.h"

#include <sys/socket.h>
#include <sys/un.h>

struct supervisor {
    int sockets[HTTP_LISTENERS_MAX];
    size_t socket_count;
    struct sockaddr_un notify;
    socklen_t notify_size; /* 0: nobody listens. */
    int64_t watchdog_ns;   /* 0: nobody waits for signs of life. */
};

/**
 * Reads the environment and takes the variables out of it, so that they reach no child.
 *
 * @return STET_OK
 *         STET_BAD_REQUEST  they make no sense, or there are more than HTTP_LISTENERS_MAX sockets.
 */
stet_status supervisor_read(struct supervisor *supervisor, stet_error *err);

/* Sends a message, or nothing when nobody listens. What cannot be sent is lost: to hear us is the supervisor's concern. */
void supervisor_tell(const struct supervisor *supervisor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
