/*
 * Admission: from the headers to a route, an actor and the right to go on. What is wrong is noted, not answered: the body
 * has to be read first, so that the connection stays in step.
 */
#include "http/request.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

/* ---- Headers ---- */

struct header_word {
    const char *name;
    uint8_t size;
    bool once; /* Standing twice is refused: taking either one would be a guess. */
    uint16_t at;
};

#define HEADER(text, member, once)                                                                 \
    { text, sizeof(text) - 1, once, offsetof(struct headers, member) }

/* By length: a header is compared with the few that are as long. */
static const struct header_word header_words[] = {
    HEADER("Host", host, true),
    HEADER("Accept", accept, false),
    HEADER("Cookie", cookie, true),
    HEADER("Expect", expect, false),
    HEADER("Origin", origin, true),
    HEADER("Prefer", prefer, false),
    HEADER("If-Match", if_match, true),
    HEADER("Stet-CSRF", csrf, true),
    HEADER("Stet-Actor", actor, true),
    HEADER("Content-Type", content_type, true),
    HEADER("X-Request-Id", request_id, false),
    HEADER("Authorization", authorization, true),
    HEADER("If-None-Match", if_none_match, false),
    HEADER("Last-Event-ID", last_event_id, true),
    HEADER("Stet-Space-Id", space_id, true),
    HEADER("Content-Length", content_length, true),
    HEADER("Sec-Fetch-Site", fetch_site, false),
    HEADER("Accept-Encoding", accept_encoding, false),
    HEADER("Idempotency-Key", idempotency_key, true),
    HEADER("X-Forwarded-For", forwarded_for, false),
    HEADER("Transfer-Encoding", transfer_encoding, true),
    HEADER("X-Forwarded-Proto", forwarded_proto, false),
    HEADER("Access-Control-Request-Method", request_method, false),
    HEADER("Access-Control-Request-Headers", request_headers, false),
};

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size) {
    struct headers *headers = context;
    (void)kind;
    if (memchr(name, ' ', name_size) != NULL || memchr(name, '\t', name_size) != NULL)
        headers->blank_in_name = true;
    for (size_t i = 0; i < sizeof header_words / sizeof header_words[0]; i++) {
        const struct header_word *word = &header_words[i];
        if (word->size < name_size) continue;
        if (word->size > name_size) break;
        if (!view_equal_nocase(view_make(name, name_size), view_make(word->name, word->size)))
            continue;
        stet_view *out = (stet_view *)(void *)((char *)headers + word->at);
        if (out->bytes != NULL && word->once) {
            bool framing = out == &headers->content_length || out == &headers->transfer_encoding;
            *(framing ? &headers->end_repeated : &headers->repeated) = word->name;
        }
        *out = text_trim(view_make(value == NULL ? "" : value, value_size));
        break;
    }
    return MHD_YES;
}

/* ---- From target to handler ---- */

void request_refuse_later(struct request *request, const stet_error *err, int http) {
    if (request->refusal != NULL) return;
    request->refusal = arena_alloc(&request->arena, sizeof *err);
    if (request->refusal == NULL) {
        request->failed = true;
        return;
    }
    *request->refusal = *err;
    request->refusal_http = http == 0 ? status_http(err->status) : http;
}

static void refuse_later_field(struct request *request, stet_status status, const char *field,
                               uint64_t limit, const char *message) {
    stet_error err;
    error_set(&err, status, "%s", message);
    error_field(&err, field, limit);
    request_refuse_later(request, &err, 0);
}

static void make_request_id(struct request *request) {
    static const char digits[] = "0123456789abcdef";
    struct loop *loop = request->loop;
    char *out = request->id_bytes;
    size_t size = strlen(loop->request_id_prefix);
    memcpy(out, loop->request_id_prefix, size);
    uint64_t number = ++loop->request_ids;
    char reversed[16];
    unsigned count = 0;
    do {
        reversed[count++] = digits[number & 15];
        number >>= 4;
    } while (number > 0);
    while (count > 0)
        out[size++] = reversed[--count];
    out[size] = '\0';
    request->id = view_make(out, size);
}

static void take_request_id(struct request *request) {
    stet_view given = request->headers.request_id;
    if (!request_id_is_valid(given)) {
        make_request_id(request);
        return;
    }
    memcpy(request->id_bytes, given.bytes, given.size);
    request->id_bytes[given.size] = '\0';
    request->id = view_make(request->id_bytes, given.size);
}

/* Only this machine can ask: neither listening elsewhere nor behind a proxy. */
static bool metrics_are_open(const struct request *request) {
    const struct http_server *server = request->loop->server;
    return server->gate.loopback && server->gate.public_origin[0] == '\0' &&
           request->headers.forwarded_for.bytes == NULL && request->headers.authorization.size == 0;
}

/* Whether the actor may come in here at all; what of it is theirs the engine knows. */
static bool is_let_in(const struct request *request) {
    bool system_space = view_equal(request->match.captures[CAPTURE_SPACE], VIEW("stet"));
    switch (request->call->access) {
    case ACCESS_NONE:
    case ACCESS_LOGIN:
    case ACCESS_LEAVE: return true;
    case ACCESS_ASK:
    case ACCESS_PERSON: /* The server's own people have their place there; tokens that are no administrator's do not. */
        return !system_space || request->actor.admin || request->identity->session[0] != '\0';
    case ACCESS_ACTOR:
    case ACCESS_FEED: return !system_space || request->actor.admin;
    case ACCESS_ADMIN: return request->actor.admin;
    case ACCESS_METRICS: /* A program that collects them has a token, and need not be able to do more. */
        return request_is_server_admin(request) || request->identity->token[0] != '\0';
    case ACCESS_SERVER: return request_is_server_admin(request);
    }
    return false;
}

/* A page that was just opened asks so who it is: it is no error that nobody is. */
static bool is_nobody(const struct request *request) {
    stet_view token;
    stet_view whose;
    return params_has(&request->params, "optional") && request->headers.authorization.size == 0 &&
           !request->loop->server->options.no_auth &&
           request_cookie(request, &token, &whose) == COOKIE_ABSENT;
}

static void check_access(struct request *request) {
    enum access access = request->call->access;
    if (access == ACCESS_NONE || access == ACCESS_LOGIN || access == ACCESS_LEAVE) return;
    if (access == ACCESS_METRICS && metrics_are_open(request)) return;
    if (access == ACCESS_ASK && is_nobody(request)) return;
    request_identify(request);
    if (request->refusal != NULL || request->failed || is_let_in(request)) return;
    refuse_later_field(request, STET_FORBIDDEN, "Authorization", 0,
                       access == ACCESS_SERVER || access == ACCESS_METRICS
                           ? "only an administrator of the server may do this"
                           : "only an administrator may do this");
}

/* A page of another site must not act with what its visitor's machine can reach. */
stet_status request_check_origin(const struct request *request, stet_error *err) {
    const struct gate *gate = &request->loop->server->gate;
    const struct headers *headers = &request->headers;
    if (headers->origin.size > 0) {
        if (gate_origin_is_own(gate, headers->origin, headers->host) ||
            gate_origin_allowed(gate, headers->origin))
            return STET_OK;
        error_set(err, STET_FORBIDDEN,
                  "pages of this origin may not write here; see --allow-origin");
        error_field(err, "Origin", 0);
        return STET_FORBIDDEN;
    }
    if (!view_equal(headers->fetch_site, VIEW("cross-site"))) return STET_OK;
    error_set(err, STET_FORBIDDEN, "pages of other sites may not write here; see --allow-origin");
    error_field(err, "Sec-Fetch-Site", 0);
    return STET_FORBIDDEN;
}

static void check_origin(struct request *request) {
    stet_error err;
    if (request->method == METHOD_GET || request->method == METHOD_OPTIONS) return;
    if (request_check_origin(request, &err) != STET_OK) request_refuse_later(request, &err, 0);
}

static void check_host(struct request *request) {
    const struct gate *gate = &request->loop->server->gate;
    stet_view host = request->headers.host;
    if (host.bytes == NULL) {
        if (!request->http_1_0)
            refuse_later_field(request, STET_BAD_REQUEST, "Host", 0, "the Host header is missing");
        return;
    }
    if (gate_host_allowed(gate, host)) return;
    refuse_later_field(request, STET_MISDIRECTED, "Host", 0,
                       "the Host header names another server; see --public-url");
}

/* A target may name the server as well, as if we were a proxy: then that counts, not Host. */
static stet_view target_path(struct request *request) {
    stet_view target = request->target;
    stet_view scheme = VIEW("http://");
    if (target.size > 0 && target.bytes[0] == '/') return target;
    if (!view_equal_nocase(view_make(target.bytes, target.size < 7 ? target.size : 7), scheme)) {
        scheme = VIEW("https://");
        if (target.size < 8 || !view_equal_nocase(view_make(target.bytes, 8), scheme))
            return target;
    }
    stet_view rest = view_make(target.bytes + scheme.size, target.size - scheme.size);
    size_t size = 0;
    while (size < rest.size && rest.bytes[size] != '/' && rest.bytes[size] != '?')
        size++;
    if (request->headers.host.bytes != NULL) request->headers.host = view_make(rest.bytes, size);
    return view_make(rest.bytes + size, rest.size - size);
}

static void find_route(struct request *request) {
    stet_error err;
    stet_view path = target_path(request);
    stet_view query = {0};
    const char *mark = memchr(path.bytes, '?', path.size);
    if (mark != NULL) {
        query = view_make(mark + 1, (size_t)(path.bytes + path.size - mark - 1));
        path.size = (size_t)(mark - path.bytes);
    }
    stet_view base = request->loop->server->gate.base_path;
    bool is_base = base.size > 0 && view_equal(path, base);
    if (base.size > 0) {
        bool below = is_base || (view_starts(path, base) && path.bytes[base.size] == '/');
        if (below) {
            path = view_make(path.bytes + base.size, path.size - base.size);
        } else if (!view_equal(path, VIEW("/healthz"))) {
            path = VIEW("");
        }
    }
    request->path = path;
    /* The base path without its slash is the page, too, which sends on to where its relative addresses lead right. */
    stet_status status =
        route_find(&request->arena, is_base ? VIEW("/") : path, &request->match, &err);
    if (status != STET_OK) {
        request_refuse_later(request, &err, 0);
        return;
    }
    if (request->match.route == NULL) {
        error_set(&err, STET_NOT_FOUND, "there is nothing at this path");
        error_field(&err, "path", 0);
        request_refuse_later(request, &err, 0);
        return;
    }
    status = params_parse(&request->arena, query, &request->params, &err);
    if (status != STET_OK) {
        request_refuse_later(request, &err, 0);
        return;
    }
    if (request->method == METHOD_OPTIONS) return;
    if (request->method < METHOD_COUNT)
        request->call = &request->match.route->calls[request->method];
    if (request->call != NULL && request->call->handle != NULL) return;
    request->call = NULL;
    refuse_later_field(request, STET_METHOD_NOT_ALLOWED, "method", 0,
                       "the method is not allowed here; see Allow");
}

static void check_head_size(struct request *request, struct MHD_Connection *mhd) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (info == NULL || info->header_size <= HTTP_HEADER_BYTES_MAX) return;
    stet_error err;
    error_set(&err, STET_TOO_LARGE, "the request line and headers must have at most %d bytes",
              HTTP_HEADER_BYTES_MAX);
    error_field(&err, "headers", HTTP_HEADER_BYTES_MAX);
    request_refuse_later(request, &err, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE);
}

/* What decides where the request ends must be beyond doubt, or a proxy before us and we could take
 * one request for two. */
static void check_framing(struct request *request) {
    const struct headers *headers = &request->headers;
    stet_view coding = headers->transfer_encoding;
    if (headers->blank_in_name) {
        refuse_later_field(request, STET_BAD_REQUEST, "headers", 0,
                           "a header's name must not contain blanks");
    }
    if (headers->content_length.bytes != NULL && coding.bytes != NULL) {
        refuse_later_field(request, STET_BAD_REQUEST, "Transfer-Encoding", 0,
                           "Content-Length and Transfer-Encoding exclude each other");
    }
    if (coding.size > 0 && !view_equal_nocase(coding, VIEW("chunked"))) {
        refuse_later_field(request, STET_BAD_REQUEST, "Transfer-Encoding", 0,
                           "only chunked is understood");
    }
    if (headers->end_repeated != NULL) {
        refuse_later_field(request, STET_BAD_REQUEST, headers->end_repeated, 0,
                           "the header must stand only once");
    }
    request->ambiguous = request->refusal != NULL;
    if (headers->repeated != NULL) {
        refuse_later_field(request, STET_BAD_REQUEST, headers->repeated, 0,
                           "the header must stand only once");
    }
}

void request_admit(struct request *request, struct MHD_Connection *mhd, const char *method,
                   const char *version) {
    request->http_1_0 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    request->method = method_parse(view_of(method));
    if (request->method == METHOD_HEAD) {
        request->method = METHOD_GET;
        request->head = true;
    }
    (void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, take_header, &request->headers);
    take_request_id(request);
    check_framing(request);
    check_head_size(request, mhd);
    if (request->refusal == NULL) find_route(request);
    bool open = request->call != NULL && request->call->access == ACCESS_NONE;
    if (request->refusal == NULL && !open) check_host(request);
    if (request->refusal == NULL) check_origin(request);
    if (request->refusal == NULL && request->call != NULL) check_access(request);
    if (request->refusal == NULL && request->loop->stopping) {
        refuse_later_field(request, STET_SHUTTING_DOWN, "", 0, "the server is stopping");
    }
}
