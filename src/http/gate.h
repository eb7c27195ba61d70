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

#include "http/server.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum { GATE_HOSTS_MAX = 12 };

struct gate_network {
    uint8_t address[16]; /* IPv4 as v4-mapped. */
    unsigned bits;
};

struct gate {
    char hosts[GATE_HOSTS_MAX][280]; /* "localhost:7838" */
    unsigned host_count;
    bool any_address;  /* Listening on all of them: every literal address with our port is ours. */
    char port[8];      /* ":7838" */
    bool port_default; /* It may be left out. */
    bool loopback;
    char public_origin[280]; /* "https://stet.example.org"; "": none. */
    stet_view base_path;     /* Without a slash at the end; empty: none. */
    const char *const *origins;
    size_t origin_count;
    bool any_origin;
    struct gate_network *networks;
    size_t network_count;
};

/* address: what the socket is bound to, with the real port. STET_BAD_REQUEST names the option. */
stet_status gate_init(struct gate *gate, const struct http_options *options,
                      const struct sockaddr_storage *address, stet_error *err);
void gate_done(struct gate *gate);

bool gate_is_loopback(const struct sockaddr_storage *address);
bool gate_host_allowed(const struct gate *gate, stet_view host);

/* An origin of another site that was allowed by name or by "*". */
bool gate_origin_allowed(const struct gate *gate, stet_view origin);
/* The page came from this server itself. host: the request's Host header. */
bool gate_origin_is_own(const struct gate *gate, stet_view origin, stet_view host);

bool gate_trusts(const struct gate *gate, const struct sockaddr *address);

/* "127.0.0.1", "::1"; the client's address behind trusted proxies when they say it. */
enum { GATE_ADDRESS_BYTES = 64 };
stet_view gate_client(const struct gate *gate, const struct sockaddr *peer, stet_view forwarded_for,
                      char out[GATE_ADDRESS_BYTES]);

#endif
