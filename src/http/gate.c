#include "http/gate.h"

#include "base/error.h"
#include "base/view.h"
#include "http/params.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* IPv4 as v4-mapped IPv6, so that one comparison serves both. False for other families. */
static bool address_bytes(const struct sockaddr *address, uint8_t out[16]) {
    if (address->sa_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
        return true;
    }
    if (address->sa_family != AF_INET) return false;
    memset(out, 0, 10);
    out[10] = out[11] = 0xFF;
    memcpy(out + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    return true;
}

static bool parse_address(const char *text, uint8_t out[16], bool *v4) {
    *v4 = inet_pton(AF_INET, text, out + 12) == 1;
    if (*v4) {
        memset(out, 0, 10);
        out[10] = out[11] = 0xFF;
        return true;
    }
    return inet_pton(AF_INET6, text, out) == 1;
}

bool gate_is_loopback(const struct sockaddr_storage *address) {
    uint8_t bytes[16];
    static const uint8_t one[16] = {[15] = 1};
    if (!address_bytes((const struct sockaddr *)address, bytes)) return false;
    if (memcmp(bytes, one, 16) == 0) return true;
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    return memcmp(bytes, mapped, 12) == 0 && bytes[12] == 127;
}

static void add_host(struct gate *gate, const char *name, const char *port, bool port_default) {
    assert(gate->host_count + 1 + port_default <= GATE_HOSTS_MAX);
    snprintf(gate->hosts[gate->host_count++], sizeof gate->hosts[0], "%s%s", name, port);
    if (port_default) snprintf(gate->hosts[gate->host_count++], sizeof gate->hosts[0], "%s", name);
}

static stet_status bad_option(stet_error *err, const char *option, const char *value,
                              const char *what) {
    error_set(err, STET_BAD_REQUEST, "%s \"%s\" %s", option, value, what);
    error_field(err, option, 0);
    return STET_BAD_REQUEST;
}

static stet_status add_public_url(struct gate *gate, const char *url, stet_error *err) {
    bool tls = strncmp(url, "https://", 8) == 0;
    if (!tls && strncmp(url, "http://", 7) != 0)
        return bad_option(err, "public-url", url, "must begin with http:// or https://");
    const char *host = url + (tls ? 8 : 7);
    size_t size = strcspn(host, "/?#");
    if (size == 0 || size > 255) return bad_option(err, "public-url", url, "names no host");
    char name[260];
    snprintf(name, sizeof name, "%.*s", (int)size, host);
    const char *bracket = strrchr(name, ']');
    const char *colon = strrchr(bracket == NULL ? name : bracket, ':');
    add_host(gate, name, "", false);
    if (colon == NULL) add_host(gate, name, tls ? ":443" : ":80", false);
    snprintf(gate->public_origin, sizeof gate->public_origin, "%s://%s", tls ? "https" : "http",
             name);
    return STET_OK;
}

static stet_status add_networks(struct gate *gate, const struct http_options *options,
                                stet_error *err) {
    gate->networks = calloc(options->trusted_proxy_count + 1, sizeof *gate->networks);
    if (gate->networks == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < options->trusted_proxy_count; i++) {
        const char *text = options->trusted_proxies[i];
        struct gate_network *network = &gate->networks[i];
        char name[64];
        size_t size = strcspn(text, "/");
        bool v4 = false;
        if (size >= sizeof name) return bad_option(err, "trusted-proxy", text, "is not an address");
        snprintf(name, sizeof name, "%.*s", (int)size, text);
        if (!parse_address(name, network->address, &v4))
            return bad_option(err, "trusted-proxy", text, "is not an address");
        uint64_t bits = v4 ? 32 : 128;
        if (text[size] == '/' &&
            (!view_parse_u64(view_of(text + size + 1), &bits) || bits > (v4 ? 32u : 128u)))
            return bad_option(err, "trusted-proxy", text, "is not a network");
        network->bits = (unsigned)bits + (v4 ? 96 : 0);
    }
    gate->network_count = options->trusted_proxy_count;
    return STET_OK;
}

/* The names of one listening socket. */
static stet_status add_listener(struct gate *gate, const struct http_options *options,
                                const struct sockaddr_storage *address, stet_error *err) {
    bool v6 = address->ss_family == AF_INET6;
    char name[INET6_ADDRSTRLEN + 3] = "";
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    static const uint8_t any4[16] = {[10] = 0xFF, [11] = 0xFF};
    static const uint8_t any6[16] = {0};
    if (!address_bytes((const struct sockaddr *)address, bytes))
        return bad_option(err, "listen", options->listen == NULL ? "" : options->listen,
                          "is not an internet address");
    uint16_t number = ntohs(v6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                               : ((const struct sockaddr_in *)address)->sin_port);
    struct gate_port port = {.is_default = number == (options->tls_cert != NULL ? 443 : 80)};
    snprintf(port.text, sizeof port.text, ":%u", number);
    if (v6) {
        inet_ntop(AF_INET6, bytes, text, sizeof text);
        snprintf(name, sizeof name, "[%s]", text);
    } else {
        inet_ntop(AF_INET, bytes + 12, name, sizeof name);
    }
    bool any = memcmp(bytes, any4, 16) == 0 || memcmp(bytes, any6, 16) == 0;
    if (any) gate->ports[gate->port_count++] = port;
    add_host(gate, name, port.text, port.is_default);
    if (any || gate_is_loopback(address)) {
        add_host(gate, "localhost", port.text, port.is_default);
        add_host(gate, "127.0.0.1", port.text, port.is_default);
        add_host(gate, "[::1]", port.text, port.is_default);
    }
    if (!gate_is_loopback(address)) gate->loopback = false;
    return STET_OK;
}

stet_status gate_init(struct gate *gate, const struct http_options *options,
                      const struct sockaddr_storage *addresses, size_t address_count,
                      stet_error *err) {
    *gate = (struct gate){.loopback = true};
    for (size_t i = 0; i < address_count; i++) {
        stet_status status = add_listener(gate, options, &addresses[i], err);
        if (status != STET_OK) return status;
    }
    if (options->public_url != NULL && options->public_url[0] != '\0') {
        stet_status status = add_public_url(gate, options->public_url, err);
        if (status != STET_OK) return status;
    }

    gate->base_path = view_of(options->base_path);
    while (gate->base_path.size > 0 && gate->base_path.bytes[gate->base_path.size - 1] == '/')
        gate->base_path.size--;
    if (gate->base_path.size > 0 && gate->base_path.bytes[0] != '/')
        return bad_option(err, "base-path", options->base_path, "must begin with a slash");

    gate->origins = options->allow_origins;
    gate->origin_count = options->allow_origin_count;
    for (size_t i = 0; i < gate->origin_count; i++) {
        const char *origin = gate->origins[i];
        if (strcmp(origin, "*") == 0) {
            gate->any_origin = true;
        } else if (strstr(origin, "://") == NULL || strchr(strstr(origin, "://") + 3, '/')) {
            return bad_option(err, "allow-origin", origin, "must be like https://app.example.org");
        }
    }
    return add_networks(gate, options, err);
}

void gate_done(struct gate *gate) {
    free(gate->networks);
    gate->networks = NULL;
}

/* A literal address cannot be rebound: it needs no name service. */
static bool is_literal(stet_view host, const struct gate_port *own) {
    stet_view port = view_of(own->text);
    bool has_port = host.size > port.size &&
                    memcmp(host.bytes + host.size - port.size, port.bytes, port.size) == 0;
    if (has_port) {
        host.size -= port.size;
    } else if (!own->is_default) {
        return false;
    }
    if (host.size >= 2 && host.bytes[0] == '[' && host.bytes[host.size - 1] == ']')
        host = view_make(host.bytes + 1, host.size - 2);
    char name[64];
    uint8_t bytes[16];
    bool v4;
    if (host.size == 0 || host.size >= sizeof name) return false;
    memcpy(name, host.bytes, host.size);
    name[host.size] = '\0';
    return parse_address(name, bytes, &v4);
}

bool gate_host_allowed(const struct gate *gate, stet_view host) {
    for (unsigned i = 0; i < gate->host_count; i++) {
        if (view_equal_nocase(host, view_of(gate->hosts[i]))) return true;
    }
    for (unsigned i = 0; i < gate->port_count; i++) {
        if (is_literal(host, &gate->ports[i])) return true;
    }
    return false;
}

bool gate_origin_allowed(const struct gate *gate, stet_view origin) {
    if (gate->any_origin) return true;
    for (size_t i = 0; i < gate->origin_count; i++) {
        if (view_equal_nocase(origin, view_of(gate->origins[i]))) return true;
    }
    return false;
}

bool gate_origin_is_own(const struct gate *gate, stet_view origin, stet_view host) {
    if (gate->public_origin[0] != '\0' && view_equal_nocase(origin, view_of(gate->public_origin)))
        return true;
    stet_view rest = origin;
    if (view_starts(rest, VIEW("http://"))) {
        rest = view_make(rest.bytes + 7, rest.size - 7);
    } else if (view_starts(rest, VIEW("https://"))) {
        rest = view_make(rest.bytes + 8, rest.size - 8);
    } else {
        return false;
    }
    return host.size > 0 && view_equal_nocase(rest, host);
}

static bool network_has(const struct gate_network *network, const uint8_t address[16]) {
    unsigned whole = network->bits / 8;
    unsigned rest = network->bits % 8;
    if (memcmp(network->address, address, whole) != 0) return false;
    if (rest == 0) return true;
    uint8_t mask = (uint8_t)(0xFF << (8 - rest));
    return (network->address[whole] & mask) == (address[whole] & mask);
}

static bool trusts_bytes(const struct gate *gate, const uint8_t bytes[16]) {
    for (size_t i = 0; i < gate->network_count; i++) {
        if (network_has(&gate->networks[i], bytes)) return true;
    }
    return false;
}

bool gate_trusts(const struct gate *gate, const struct sockaddr *address) {
    uint8_t bytes[16];
    return gate->network_count > 0 && address != NULL && address_bytes(address, bytes) &&
           trusts_bytes(gate, bytes);
}

bool gate_is_secure(const struct gate *gate, const struct sockaddr *peer,
                    stet_view forwarded_proto) {
    if (forwarded_proto.size == 0 || !gate_trusts(gate, peer))
        return strncmp(gate->public_origin, "https://", 8) == 0;
    /* The client's end is the first of them, and what an untrusted client wrote there only hurts itself. */
    stet_view first = {0};
    text_next(&forwarded_proto, ',', &first);
    return view_equal_nocase(first, VIEW("https"));
}

stet_view gate_client(const struct gate *gate, const struct sockaddr *peer, stet_view forwarded_for,
                      char out[GATE_ADDRESS_BYTES]) {
    out[0] = '\0';
    if (peer == NULL) return view_of(out);
    if (peer->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, out,
                  GATE_ADDRESS_BYTES);
    } else if (peer->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, out,
                  GATE_ADDRESS_BYTES);
    }
    if (forwarded_for.size == 0 || !gate_trusts(gate, peer)) return view_of(out);
    /* From the right: the first address that is not one of our proxies is the client's. */
    for (;;) {
        const char *comma = memrchr(forwarded_for.bytes, ',', forwarded_for.size);
        stet_view last = forwarded_for;
        if (comma != NULL) {
            last = view_make(comma + 1,
                             (size_t)(forwarded_for.bytes + forwarded_for.size - comma - 1));
        }
        last = text_trim(last);
        char name[GATE_ADDRESS_BYTES];
        uint8_t bytes[16];
        bool v4;
        if (last.size == 0 || last.size >= sizeof name) break;
        memcpy(name, last.bytes, last.size);
        name[last.size] = '\0';
        if (!parse_address(name, bytes, &v4)) break;
        memcpy(out, name, last.size + 1);
        if (comma == NULL || !trusts_bytes(gate, bytes)) break;
        forwarded_for.size = (size_t)(comma - forwarded_for.bytes);
    }
    return view_of(out);
}
