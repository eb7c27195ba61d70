#include "http/live_wire.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <sys/socket.h>

static ssize_t receive_tls(struct live_wire *wire, void *out, size_t size) {
    for (;;) {
        ssize_t taken = gnutls_record_recv(wire->tls, out, size);
        if (taken >= 0) return taken;
        if (taken == GNUTLS_E_AGAIN) return LIVE_WIRE_LATER;
        /* A warning, or a handshake asked for anew, is passed over. */
        if (taken == GNUTLS_E_INTERRUPTED) continue;
        if (gnutls_error_is_fatal((int)taken) || taken == GNUTLS_E_REHANDSHAKE)
            return LIVE_WIRE_GONE;
    }
}

ssize_t live_wire_receive(struct live_wire *wire, void *out, size_t size) {
    ssize_t taken;
    if (wire->tls != NULL) return receive_tls(wire, out, size);
    do {
        taken = recv(wire->fd, out, size, MSG_DONTWAIT);
    } while (taken < 0 && errno == EINTR);
    if (taken >= 0) return taken;
    return errno == EAGAIN || errno == EWOULDBLOCK ? LIVE_WIRE_LATER : LIVE_WIRE_GONE;
}

/* A record at most. One that did not fit into the socket is the session's from then on, and is finished by a call without bytes. */
static ssize_t send_record(struct live_wire *wire, const char *bytes, size_t size) {
    ssize_t sent;
    do {
        sent = wire->tls_unfinished > 0 ? gnutls_record_send(wire->tls, NULL, 0)
                                        : gnutls_record_send(wire->tls, bytes, size);
    } while (sent == GNUTLS_E_INTERRUPTED);
    if (sent == GNUTLS_E_AGAIN) {
        wire->tls_unfinished = size;
        return 0;
    }
    wire->tls_unfinished = 0;
    return sent < 0 ? LIVE_WIRE_GONE : sent;
}

static ssize_t send_tls(struct live_wire *wire, const char *bytes, size_t size) {
    size_t done = 0;
    while (done < size) {
        ssize_t sent = send_record(wire, bytes + done, size - done);
        if (sent < 0) return sent;
        if (sent == 0) break;
        assert((size_t)sent <= size - done);
        done += (size_t)sent;
    }
    return (ssize_t)done;
}

ssize_t live_wire_send(struct live_wire *wire, const void *bytes, size_t size) {
    ssize_t sent;
    if (wire->tls != NULL) return send_tls(wire, bytes, size);
    do {
        sent = send(wire->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) return sent;
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : LIVE_WIRE_GONE;
}

void live_wire_finish(struct live_wire *wire) {
    if (wire->tls != NULL) {
        (void)gnutls_bye(wire->tls, GNUTLS_SHUT_WR); /* As far as there is room for it. */
    } else {
        (void)shutdown(wire->fd, SHUT_WR);
    }
}
