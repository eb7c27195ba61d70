/*
 * The bytes of a live connection: a socket, or with TLS the session that libmicrohttpd made on it. That is ours as long as the library's connection is
 * suspended: then it touches neither.
 *
 * (The library's own upgrade gives a pair of sockets instead. Debian 12's forwards between them and TLS four bytes at a time, as it
 * finds no memory left in the connection's pool: 160 KB/s.)
 *
 * Thread: the loop's.
 */
#ifndef HTTP_LIVE_WIRE_H
#define HTTP_LIVE_WIRE_H

#include <stddef.h>
#include <sys/types.h>

struct live_wire {
    int fd;    /* -1: none. */
    void *tls; /* A gnutls_session_t; NULL: plain. */
    size_t
        tls_unfinished; /* Bytes that the session has taken and could not send yet: they come first. */
};

enum { LIVE_WIRE_LATER = -1, LIVE_WIRE_GONE = -2 };

/* Bytes, at least one; 0: the end; LIVE_WIRE_LATER: nothing now; LIVE_WIRE_GONE. */
ssize_t live_wire_receive(struct live_wire *wire, void *out, size_t size);
/* The bytes taken, maybe 0; LIVE_WIRE_GONE. What was not taken must come again, and stand first then. */
ssize_t live_wire_send(struct live_wire *wire, const void *bytes, size_t size);
/* Says that nothing more will be sent. */
void live_wire_finish(struct live_wire *wire);

#endif
