/*
 * The gate: who may talk to this server at all. The Host header must name it (or a page on another
 * site could make a browser speak to it through a name of its own), a browser's page must come from
 * it or from an allowed origin, and what a proxy says is believed only from proxies that are
 * trusted.
 *
 * Immutable after gate_init; any thread.
 */
#ifndef HTTP_GATE_H
#define HTTP_GATE_H

#include "base/limits.h"
#include "http/server.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* Four names for each listening socket, with and without a port, and those of the public URL. */
enum { GATE_HOSTS_MAX = 8 * HTTP_LISTENERS_MAX + 2 };

struct gate_network {
    uint8_t address[16]; /* IPv4 as v4-mapped. */
    unsigned bits;
};

struct gate {
    char hosts[GATE_HOSTS_MAX][280]; /* "localhost:7838" */
    unsigned host_count;
    struct gate_port {
        char text[8];    /* ":7838" */
        bool is_default; /* It may be left out. */
    } ports
        [HTTP_LISTENERS_MAX]; /* Of sockets on all addresses: every literal address with such a port is ours. */
    unsigned port_count;
    bool loopback;           /* Nothing listens on any other address. */
    char public_origin[280]; /* "https://stet.example.org"; "": none. */
    stet_view base_path;     /* Without a slash at the end; empty: none. */
    const char *const *origins;
    size_t origin_count;
    bool any_origin;
    struct gate_network *networks;
    size_t network_count;
};

/* addresses: what the sockets are bound to, with the real ports; at most HTTP_LISTENERS_MAX.
 * STET_BAD_REQUEST names the option. */
stet_status gate_init(struct gate *gate, const struct http_options *options,
                      const struct sockaddr_storage *addresses, size_t address_count,
                      stet_error *err);
void gate_done(struct gate *gate);

bool gate_is_loopback(const struct sockaddr_storage *address);
bool gate_host_allowed(const struct gate *gate, stet_view host);

/* An origin of another site that was allowed by name or by "*". */
bool gate_origin_allowed(const struct gate *gate, stet_view origin);
/* The page came from this server itself. host: the request's Host header. */
bool gate_origin_is_own(const struct gate *gate, stet_view origin, stet_view host);

bool gate_trusts(const struct gate *gate, const struct sockaddr *address);

/* Whether the client speaks TLS to whoever it sees, as far as we know: to a trusted proxy that says so, or, where none says anything,
 * to where the public URL leads. Of a server that does TLS itself this is not asked. */
bool gate_is_secure(const struct gate *gate, const struct sockaddr *peer,
                    stet_view forwarded_proto);

/* "127.0.0.1", "::1"; the client's address behind trusted proxies when they say it. */
enum { GATE_ADDRESS_BYTES = 64 };
stet_view gate_client(const struct gate *gate, const struct sockaddr *peer, stet_view forwarded_for,
                      char out[GATE_ADDRESS_BYTES]);

#endif
