#include "http/request.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/view.h"
#include "http/body.h"
#include "http/problem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* A body that will be refused is read and dropped up to here so that the connection survives; a
 * larger one is answered at once and the connection closed. */
#define DRAIN_BYTES_MAX (1024u * 1024u)
#define REQUEST_BLOCK_BYTES 2048

/* ---- Birth and death ---- */

static struct request *request_create(struct loop *loop) {
    struct request *request = loop->request_pool;
    if (request == NULL) {
        request = calloc(1, sizeof *request);
        if (request == NULL) return NULL;
        arena_init(&request->arena, REQUEST_BLOCK_BYTES);
    } else {
        loop->request_pool = request->pool_next;
        loop->request_pool_count--;
        struct arena arena = request->arena;
        memset(request, 0, sizeof *request);
        request->arena = arena;
    }
    request->loop = loop;
    request->references = 1;
    loop->requests++;
    return request;
}

void request_unref(struct request *request) {
    assert(request->references > 0);
    if (--request->references > 0) return;
    struct loop *loop = request->loop;
    if (request->release != NULL) request->release(request);
    stet_command_destroy(request->command);
    stet_space_close(request->space);
    buffer_done(&request->body);
    loop->requests--;
    if (loop->request_pool_count >= REQUEST_POOL_MAX ||
        arena_footprint(&request->arena) > 64 * 1024) {
        arena_done(&request->arena);
        free(request);
        return;
    }
    arena_reset(&request->arena);
    request->pool_next = loop->request_pool;
    loop->request_pool = request;
    loop->request_pool_count++;
}

void request_pool_done(struct loop *loop) {
    while (loop->request_pool != NULL) {
        struct request *request = loop->request_pool;
        loop->request_pool = request->pool_next;
        arena_done(&request->arena);
        free(request);
    }
    loop->request_pool_count = 0;
}

/* ---- Answers ---- */

static void add_header(void *context, const char *name, const char *value) {
    (void)MHD_add_response_header(context, name, value);
}

void request_common_headers(struct request *request,
                            void (*add)(void *context, const char *name, const char *value),
                            void *context) {
    const struct gate *gate = &request->loop->server->gate;
    if (request->id.size > 0) add(context, "X-Request-Id", request->id_bytes);
    if (gate->origin_count == 0) {
        add(context, "Vary", "Authorization, Cookie");
        return;
    }
    add(context, "Vary", "Authorization, Cookie, Origin");
    stet_view origin = request->headers.origin;
    if (origin.size == 0 || !gate_origin_allowed(gate, origin)) return;
    add(context, "Access-Control-Allow-Origin", gate->any_origin ? "*" : origin.bytes);
    add(context, "Access-Control-Expose-Headers",
        "ETag, Location, Retry-After, Idempotency-Replayed, Preference-Applied, X-Request-Id, "
        "Stet-Seq, Allow");
}

static void format_etag(stet_version version, char out[24]) {
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = (char)('0' + version % 10);
        version /= 10;
    } while (version > 0);
    *out++ = '"';
    while (count > 0)
        *out++ = digits[--count];
    *out++ = '"';
    *out = '\0';
}

/* What the client said does not matter any more: no answer could be made. */
static void request_fail(struct request *request) {
    request->failed = true;
    request->answered = true;
    if (!request->suspended) return;
    request->suspended = false;
    request->loop->daemon_due = true;
    peer_cut(request->peer);
    MHD_resume_connection(request->peer->mhd); /* The handler is called again and says no. */
}

void request_reply_response(struct request *request, int http, struct MHD_Response *response,
                            const struct reply *reply) {
    assert(!request->answered);
    request_common_headers(request, add_header, response);
    add_header(response, "Cache-Control",
               reply->cache != NULL ? reply->cache : "private, no-cache, no-transform");
    if (reply->content_type != NULL) add_header(response, "Content-Type", reply->content_type);
    if (reply->etag != STET_VERSION_NONE) {
        char etag[24];
        format_etag(reply->etag, etag);
        add_header(response, "ETag", etag);
    }
    for (unsigned i = 0; i < reply->extra_count; i++)
        add_header(response, reply->extra[i].name, reply->extra[i].value);
    if (reply->close || request->ambiguous || request->loop->stopping)
        add_header(response, "Connection", "close");

    request->answered = true;
    request->http = http;
    if (request->peer->watched) peer_unwatch(request->peer);
    peer_enter(request->peer, PEER_REPLY);
    enum MHD_Result queued = MHD_queue_response(request->peer->mhd, (unsigned)http, response);
    MHD_destroy_response(response); /* The library holds its own reference. */
    if (queued != MHD_YES) {
        request_fail(request);
        return;
    }
    if (!request->suspended) return;
    request->suspended = false;
    request->loop->daemon_due = true;
    MHD_resume_connection(request->peer->mhd);
}

static void reply_body_free(void *context) { request_unref(context); }

void request_reply(struct request *request, const struct reply *reply) {
    bool bare = reply->http == 204 || reply->http == 304;
    size_t size = bare ? 0 : reply->body.size;
    request->references++;
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        size, (void *)(uintptr_t)reply->body.bytes, reply_body_free, request);
    if (response == NULL) {
        request->references--;
        request_fail(request);
        return;
    }
    struct reply whole = *reply;
    if (bare || (size == 0 && whole.content_type == NULL)) {
        whole.content_type = NULL;
    } else if (whole.content_type == NULL) {
        whole.content_type = "application/json";
    }
    request->reply_bytes = request->head ? 0 : size;
    request_reply_response(request, reply->http, response, &whole);
}

void request_refuse_http(struct request *request, const stet_error *err, int http,
                         stet_view members) {
    struct buffer buffer;
    buffer_init(&buffer, &request->arena, 0);
    struct problem problem = {
        .status = err->status,
        .http = http,
        .detail = view_of(err->message[0] != '\0' ? err->message : status_words(err->status)),
        .field = view_of(err->field),
        .limit = err->limit,
        .request_id = request->id,
        .members = members,
    };
    problem_write(&buffer, &request->arena, &problem);
    if (buffer_status(&buffer) != STET_OK) {
        request_fail(request);
        return;
    }
    struct reply reply = {
        .http = http,
        .body = buffer_view(&buffer),
        .content_type = "application/problem+json",
    };
    char wait[16];
    unsigned wait_s = problem_retry_after_s(err->status);
    if (wait_s > 0) {
        snprintf(wait, sizeof wait, "%u", wait_s);
        reply.extra[reply.extra_count].name = "Retry-After";
        reply.extra[reply.extra_count++].value = wait;
        metric_add(&request->loop->metrics.retries_told, 1);
    }
    if (http == 401) {
        reply.extra[reply.extra_count].name = "WWW-Authenticate";
        reply.extra[reply.extra_count++].value = "Bearer realm=\"stet\"";
    }
    char allow[ROUTE_ALLOW_BYTES];
    if (http == 405 && request->match.route != NULL) {
        route_allow(request->match.route, allow);
        reply.extra[reply.extra_count].name = "Allow";
        reply.extra[reply.extra_count++].value = allow;
    }
    if (err->cause[0] != '\0' && http >= 500) {
        LOG(LOG_ERROR, "request failed", log_text("request_id", request->id),
            log_text("code", view_of(status_code(err->status))),
            log_text("message", view_of(err->message)), log_text("cause", view_of(err->cause)));
    }
    request_reply(request, &reply);
}

void request_refuse(struct request *request, const stet_error *err) {
    request_refuse_http(request, err, status_http(err->status), (stet_view){0});
}

void request_refuse_field(struct request *request, stet_status status, const char *field,
                          const char *format, ...) {
    stet_error err;
    char message[sizeof err.message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    error_set(&err, status, "%s", message);
    error_field(&err, field, 0);
    request_refuse(request, &err);
}

void request_reply_outcome(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status != STET_OK) {
        stet_error err = outcome->error;
        err.status = outcome->status;
        request_refuse_http(request, &err, status_http(err.status), outcome->body);
        return;
    }
    struct reply reply = {.http = 200, .body = outcome->body};
    request_reply(request, &reply);
}

bool request_ok(struct request *request, stet_status status, const stet_error *err) {
    if (status == STET_OK) return true;
    request_refuse(request, err);
    return false;
}

stet_status request_parse_body(struct request *request, struct doc *doc, stet_error *err) {
    stet_status status =
        doc_parse(&request->arena, request_body_view(request), &body_limits, doc, err);
    if (status == STET_BAD_JSON && err->field[0] == '\0') error_field(err, "body", 0);
    return status;
}

bool request_params_done(struct request *request) {
    stet_error err;
    return request_ok(request, params_finish(&request->params, &err), &err);
}

/* ---- Commands ---- */

bool request_open_space_named(struct request *request, stet_view name) {
    stet_error err;
    stet_status status = stet_space_open(request->loop->client, name, &request->space, &err);
    if (status == STET_NOT_FOUND) {
        error_set(&err, STET_NOT_FOUND, "there is no space \"%.*s\"", VIEW_ARG(name));
        error_field(&err, "space", 0);
    }
    return request_ok(request, status, &err);
}

bool request_open_space(struct request *request) {
    return request_open_space_named(request, request->match.captures[CAPTURE_SPACE]);
}

stet_command *request_command(struct request *request) {
    stet_command_destroy(request->command);
    request->command = stet_command_create(request->loop->client);
    if (request->command == NULL) {
        stet_error err;
        error_set(&err, STET_NO_MEMORY, "out of memory");
        request_refuse(request, &err);
    }
    return request->command;
}

static void request_command_done(struct waiter *waiter, stet_command *command) {
    struct request *request = (struct request *)waiter;
    (void)command;
    request->loop->commands--;
    request->next(request);
}

void request_wait(struct request *request) {
    if (request->suspended || request->answered) return;
    request->suspended = true;
    peer_enter(request->peer, PEER_ENGINE);
    MHD_suspend_connection(request->peer->mhd);
}

void request_submit_as(struct request *request, const stet_actor *actor,
                       void (*next)(struct request *request)) {
    stet_error err;
    request->waiter.done = request_command_done;
    request->next = next;
    stet_status status =
        stet_submit(request->space, actor, request->command, &request->waiter, &err);
    if (!request_ok(request, status, &err)) return;
    if (stet_command_is_done(request->command)) {
        next(request);
        return;
    }
    request->loop->commands++;
    request_wait(request);
}

void request_submit(struct request *request, void (*next)(struct request *request)) {
    stet_actor actor = request_actor(request);
    request_submit_as(request, &actor, next);
}

/* ---- Headers ---- */

struct header_word {
    const char *name;
    uint8_t size;
    bool once; /* Standing twice is refused: taking either one would be a guess. */
    uint16_t at;
};

#define HEADER(text, member, once)                                                                 \
    { text, sizeof(text) - 1, once, offsetof(struct headers, member) }

static const struct header_word header_words[] = {
    HEADER("Host", host, true),
    HEADER("Authorization", authorization, true),
    HEADER("Content-Type", content_type, true),
    HEADER("Content-Length", content_length, true),
    HEADER("Transfer-Encoding", transfer_encoding, true),
    HEADER("Expect", expect, false),
    HEADER("If-Match", if_match, true),
    HEADER("If-None-Match", if_none_match, false),
    HEADER("Prefer", prefer, false),
    HEADER("Idempotency-Key", idempotency_key, true),
    HEADER("Accept", accept, false),
    HEADER("Last-Event-ID", last_event_id, true),
    HEADER("Origin", origin, true),
    HEADER("Sec-Fetch-Site", fetch_site, false),
    HEADER("Access-Control-Request-Method", request_method, false),
    HEADER("Access-Control-Request-Headers", request_headers, false),
    HEADER("X-Request-Id", request_id, false),
    HEADER("Stet-Actor", actor, true),
    HEADER("X-Forwarded-For", forwarded_for, false),
    HEADER("X-Forwarded-Proto", forwarded_proto, false),
};

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size) {
    struct headers *headers = context;
    (void)kind;
    if (memchr(name, ' ', name_size) != NULL || memchr(name, '\t', name_size) != NULL)
        headers->blank_in_name = true;
    for (size_t i = 0; i < sizeof header_words / sizeof header_words[0]; i++) {
        const struct header_word *word = &header_words[i];
        if (word->size != name_size ||
            !view_equal_nocase(view_make(name, name_size), view_make(word->name, word->size)))
            continue;
        stet_view *out = (stet_view *)(void *)((char *)headers + word->at);
        if (out->bytes != NULL && word->once) headers->repeated = word->name;
        *out = text_trim(view_make(value == NULL ? "" : value, value_size));
        break;
    }
    return MHD_YES;
}

/* ---- From target to handler ---- */

static void refuse_later(struct request *request, const stet_error *err, int http) {
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
    refuse_later(request, &err, 0);
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

static bool take_request_id(struct request *request) {
    stet_view given = request->headers.request_id;
    if (given.size == 0 || !request_id_is_valid(given)) {
        make_request_id(request);
        return true;
    }
    if (given.size < sizeof request->id_bytes) {
        memcpy(request->id_bytes, given.bytes, given.size);
        request->id_bytes[given.size] = '\0';
        request->id = view_make(request->id_bytes, given.size);
        return true;
    }
    make_request_id(request);
    return true;
}

static bool equal_in_constant_time(stet_view a, stet_view b) {
    if (a.size != b.size) return false;
    unsigned char differs = 0;
    for (size_t i = 0; i < a.size; i++)
        differs |= (unsigned char)(a.bytes[i] ^ b.bytes[i]);
    return differs == 0;
}

/* Who may do everything anyhow may say for whom: Stet-Actor, else `otherwise`. */
static void take_stet_actor(struct request *request, stet_view otherwise) {
    stet_view actor = request->headers.actor;
    stet_error err;
    request->actor_admin = true;
    request->actor_id = otherwise;
    if (actor.bytes == NULL) return;
    if (actor.size == 0 || actor.size > ACTOR_BYTES_MAX) {
        refuse_later_field(request, STET_BAD_REQUEST, "Stet-Actor", ACTOR_BYTES_MAX,
                           "Stet-Actor must have 1 to 256 bytes");
    } else if (text_check(actor, "Stet-Actor", &err) != STET_OK) {
        refuse_later(request, &err, 0);
    } else {
        request->actor_id = actor;
    }
}

/* Sets the actor, or refuses. */
static void authenticate(struct request *request) {
    const struct http_options *options = &request->loop->server->options;
    stet_view header = request->headers.authorization;
    stet_view scheme = {0};
    stet_view token = header;
    if (header.size == 0) {
        if (options->no_auth) {
            take_stet_actor(request, VIEW("anonymous"));
            return;
        }
        refuse_later_field(request, STET_UNAUTHENTICATED, "Authorization", 0,
                           "send a token: Authorization: Bearer TOKEN");
        return;
    }
    text_next(&token, ' ', &scheme);
    token = text_trim(token);
    if (!view_equal_nocase(scheme, VIEW("Bearer")) || token.size == 0) {
        refuse_later_field(request, STET_UNAUTHENTICATED, "Authorization", 0,
                           "only Authorization: Bearer TOKEN is understood");
        return;
    }
    if (options->local_token != NULL &&
        equal_in_constant_time(token, view_of(options->local_token))) {
        take_stet_actor(request, VIEW("local"));
        return;
    }
    stet_identity identity;
    stet_error err;
    stet_status status = stet_authenticate(request->loop->client, token, &identity, &err);
    if (status != STET_OK) {
        if (status == STET_UNAUTHENTICATED) error_field(&err, "Authorization", 0);
        refuse_later(request, &err, 0);
        return;
    }
    request->actor_id = arena_copy(&request->arena, view_of(identity.actor));
    request->actor_admin = identity.admin;
    if (request->actor_id.bytes == NULL) request->failed = true;
}

/* Only this machine can ask: neither listening elsewhere nor behind a proxy. */
static bool metrics_are_open(const struct request *request) {
    const struct http_server *server = request->loop->server;
    return server->gate.loopback && server->gate.public_origin[0] == '\0' &&
           request->headers.forwarded_for.bytes == NULL && request->headers.authorization.size == 0;
}

static void check_access(struct request *request) {
    enum access access = request->call->access;
    bool system_space = view_equal(request->match.captures[CAPTURE_SPACE], VIEW("stet"));
    if (access == ACCESS_NONE) return;
    if (access == ACCESS_METRICS && metrics_are_open(request)) return;
    authenticate(request);
    if (request->refusal != NULL || request->failed || request->actor_admin) return;
    if (access == ACCESS_ADMIN || system_space) {
        refuse_later_field(request, STET_FORBIDDEN, "Authorization", 0,
                           "only an administrator may do this");
    }
}

/* A page of another site must not act with what its visitor's machine can reach. */
static void check_origin(struct request *request) {
    const struct gate *gate = &request->loop->server->gate;
    const struct headers *headers = &request->headers;
    if (request->method == METHOD_GET || request->method == METHOD_OPTIONS) return;
    if (headers->origin.size > 0) {
        if (gate_origin_is_own(gate, headers->origin, headers->host) ||
            gate_origin_allowed(gate, headers->origin))
            return;
        refuse_later_field(request, STET_FORBIDDEN, "Origin", 0,
                           "pages of this origin may not write here; see --allow-origin");
    } else if (view_equal(headers->fetch_site, VIEW("cross-site"))) {
        refuse_later_field(request, STET_FORBIDDEN, "Sec-Fetch-Site", 0,
                           "pages of other sites may not write here; see --allow-origin");
    }
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

static void find_route(struct request *request) {
    stet_error err;
    stet_view path = request->target;
    stet_view query = {0};
    const char *mark = memchr(path.bytes, '?', path.size);
    if (mark != NULL) {
        query = view_make(mark + 1, (size_t)(path.bytes + path.size - mark - 1));
        path.size = (size_t)(mark - path.bytes);
    }
    stet_view base = request->loop->server->gate.base_path;
    if (base.size > 0) {
        bool below =
            view_starts(path, base) && (path.size == base.size || path.bytes[base.size] == '/');
        if (below) {
            path = view_make(path.bytes + base.size, path.size - base.size);
        } else if (!view_equal(path, VIEW("/healthz"))) {
            path = VIEW("");
        }
    }
    request->path = path;
    stet_status status = route_find(&request->arena, path, &request->match, &err);
    if (status != STET_OK) {
        refuse_later(request, &err, 0);
        return;
    }
    if (request->match.route == NULL) {
        error_set(&err, STET_NOT_FOUND, "there is nothing at this path");
        error_field(&err, "path", 0);
        refuse_later(request, &err, 0);
        return;
    }
    status = params_parse(&request->arena, query, &request->params, &err);
    if (status != STET_OK) {
        refuse_later(request, &err, 0);
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

/* Content-Length as a number; false when there is none. MHD has checked it. */
static bool declared_length(const struct request *request, uint64_t *length) {
    return request->headers.content_length.size > 0 &&
           view_parse_u64(request->headers.content_length, length);
}

static size_t body_limit(const struct request *request) {
    if (request->call == NULL) return 0;
    size_t limit = request->call->body_bytes_max;
    return limit == 0 ? 4096 : limit; /* A read's body means nothing; a small one is let pass. */
}

static void refuse_too_large(struct request *request) {
    stet_error err;
    size_t limit = body_limit(request);
    error_set(&err, STET_TOO_LARGE, "the body must have at most %zu bytes", limit);
    error_field(&err, "body", limit);
    refuse_later(request, &err, 0);
}

static void prepare_body(struct request *request) {
    uint64_t length = 0;
    bool declared = declared_length(request, &length);
    if (!declared && request->headers.transfer_encoding.size == 0) return;
    size_t limit = body_limit(request);
    if (request->refusal == NULL && declared && length > limit) refuse_too_large(request);
    if (request->refusal != NULL || !declared || length > 4096) {
        buffer_init(&request->body, NULL, 0);
        return;
    }
    buffer_init(&request->body, &request->arena, 0);
    if (buffer_reserve(&request->body, (size_t)length) == NULL) request->failed = true;
}

/* Says no before the body is sent, when that spares much or the client asked first. */
static bool refuse_early(struct request *request) {
    uint64_t length = 0;
    if (request->refusal == NULL) return false;
    bool asked = request->headers.expect.size > 0;
    if (!asked && !(declared_length(request, &length) && length > DRAIN_BYTES_MAX)) return false;
    request_refuse_http(request, request->refusal, request->refusal_http, (stet_view){0});
    return true;
}

static void check_head_size(struct request *request, struct MHD_Connection *mhd) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (info == NULL || info->header_size <= HTTP_HEADER_BYTES_MAX) return;
    stet_error err;
    error_set(&err, STET_TOO_LARGE, "the request line and headers must have at most %d bytes",
              HTTP_HEADER_BYTES_MAX);
    error_field(&err, "headers", HTTP_HEADER_BYTES_MAX);
    refuse_later(request, &err, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE);
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
    if (headers->repeated != NULL) {
        refuse_later_field(request, STET_BAD_REQUEST, headers->repeated, 0,
                           "the header must stand only once");
    }
    request->ambiguous = request->refusal != NULL;
}

static void request_begin(struct request *request, struct MHD_Connection *mhd, const char *method,
                          const char *version) {
    request->begun = true;
    request->started_ns = clock_monotonic_ns(clock_system());
    request->http_1_0 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    request->method = method_parse(view_of(method));
    if (request->method == METHOD_HEAD) {
        request->method = METHOD_GET;
        request->head = true;
    }
    peer_enter(request->peer, PEER_BODY);
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
    prepare_body(request);
}

/* The rest of the body will not be waited for: says why on the bare socket and hangs up. The
 * library takes no answer in the middle of a body. */
static void refuse_raw(struct request *request, const stet_error *err) {
    struct loop *loop = request->loop;
    struct buffer document;
    buffer_init(&document, &request->arena, 0);
    struct problem problem = {
        .status = err->status,
        .http = status_http(err->status),
        .detail = view_of(err->message),
        .field = view_of(err->field),
        .limit = err->limit,
        .request_id = request->id,
    };
    problem_write(&document, &request->arena, &problem);
    if (loop->server->tls_cert == NULL && buffer_status(&document) == STET_OK) {
        char head[320];
        int size = snprintf(head, sizeof head,
                            "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\n"
                            "Content-Length: %zu\r\nX-Request-Id: %s\r\n"
                            "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                            problem.http, MHD_get_reason_phrase_for((unsigned)problem.http),
                            document.size, request->id_bytes);
        (void)send(request->peer->fd, head, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE);
        (void)send(request->peer->fd, document.bytes, document.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    request->http = problem.http;
    request->answered = true;
    request->failed = true;
    peer_cut(request->peer);
}

void request_expired(struct request *request) {
    stet_error err;
    error_set(&err, STET_REQUEST_TIMEOUT, "the whole request must arrive within %u seconds",
              request->loop->server->options.body_timeout_s);
    error_field(&err, "body", request->loop->server->options.body_timeout_s);
    refuse_raw(request, &err);
}

void request_abandon(struct request *request) {
    void (*gone)(struct request * request) = request->gone;
    request->gone = NULL;
    if (gone != NULL) gone(request);
    if (!request->answered) request_fail(request);
}

static void request_body(struct request *request, const char *bytes, size_t size) {
    if (request->answered) return;
    if (request->refusal == NULL && request->body.size + size > body_limit(request))
        refuse_too_large(request);
    if (request->refusal != NULL) {
        request->body_discarded += size;
        if (request->body_discarded > DRAIN_BYTES_MAX) refuse_raw(request, request->refusal);
        return;
    }
    buffer_append(&request->body, bytes, size);
    if (buffer_status(&request->body) == STET_OK) return;
    stet_error err;
    error_set(&err, STET_NO_MEMORY, "out of memory");
    refuse_later(request, &err, 0);
}

static void reply_options(struct request *request) {
    char allow[ROUTE_ALLOW_BYTES];
    const struct gate *gate = &request->loop->server->gate;
    const struct headers *headers = &request->headers;
    route_allow(request->match.route, allow);
    struct reply reply = {.http = 204, .extra = {{"Allow", allow}}, .extra_count = 1};
    if (headers->origin.size > 0 && headers->request_method.size > 0 &&
        gate_origin_allowed(gate, headers->origin)) {
        reply.extra[1].name = "Access-Control-Allow-Methods";
        reply.extra[1].value = allow;
        reply.extra[2].name = "Access-Control-Allow-Headers";
        reply.extra[2].value = "Authorization, Content-Type, If-Match, If-None-Match, "
                               "Idempotency-Key, Prefer, Last-Event-ID, Stet-Actor, X-Request-Id";
        reply.extra[3].name = "Access-Control-Max-Age";
        reply.extra[3].value = "600";
        reply.extra_count = 4;
    }
    request_reply(request, &reply);
}

static void request_run(struct request *request) {
    metric_add(&request->loop->metrics.bytes_in, request->body.size);
    if (request->refusal != NULL) {
        request_refuse_http(request, request->refusal, request->refusal_http, (stet_view){0});
        return;
    }
    peer_enter(request->peer, PEER_ENGINE);
    if (request->method == METHOD_OPTIONS) {
        reply_options(request);
    } else {
        request->call->handle(request);
    }
    assert(request->answered || request->suspended || request->taken_over);
}

/* ---- What the library calls ---- */

void *request_callback_target(void *context, const char *target, struct MHD_Connection *mhd) {
    struct loop *loop = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct peer *peer = info == NULL ? NULL : info->socket_context;
    if (peer == NULL) return NULL;
    struct request *request = request_create(loop);
    if (request == NULL) return NULL;
    request->peer = peer;
    peer->request = request;
    request->target = arena_copy(&request->arena, view_of(target));
    if (request->target.bytes == NULL) request->failed = true;
    /* The first request's headers were due since accept; a later one's since its first line. */
    if (peer->phase == PEER_REPLY) peer_enter(peer, PEER_HEADER);
    return request;
}

enum MHD_Result request_callback_handle(void *context, struct MHD_Connection *mhd, const char *url,
                                        const char *method, const char *version,
                                        const char *upload_data, size_t *upload_data_size,
                                        void **own) {
    struct request *request = *own;
    (void)context;
    (void)url;
    if (request == NULL || request->failed) return MHD_NO;
    if (!request->begun) {
        request_begin(request, mhd, method, version);
        if (!request->failed) refuse_early(request);
    } else if (*upload_data_size > 0) {
        request_body(request, upload_data, *upload_data_size);
        *upload_data_size = 0;
    } else if (!request->answered && !request->suspended) {
        request_run(request);
    }
    return request->failed || request->taken_over ? MHD_NO : MHD_YES;
}

void request_account(struct request *request, bool complete) {
    struct loop *loop = request->loop;
    if (!request->begun) return;
    int64_t elapsed_ns = clock_monotonic_ns(clock_system()) - request->started_ns;
    unsigned route =
        request->match.route == NULL ? route_count : (unsigned)(request->match.route - routes);
    enum method method = request->head ? METHOD_HEAD : request->method;
    int http = request->http == 0 ? 499 : request->http;
    metrics_count(&loop->metrics, route, method, http, elapsed_ns, 0, request->reply_bytes);
    if (!complete) metric_add(&loop->metrics.aborted, 1);
    if (!loop->server->options.access_log || !log_enabled(LOG_INFO)) return;
    char address[GATE_ADDRESS_BYTES];
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->peer->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    stet_view client = gate_client(&loop->server->gate, info == NULL ? NULL : info->client_addr,
                                   request->headers.forwarded_for, address);
    LOG(LOG_INFO, "request", log_text("request_id", request->id), log_text("client", client),
        log_text("actor", request->actor_id), log_text("method", view_of(method_name(method))),
        log_text("target", request->target), log_u64("status", (uint64_t)http),
        log_u64("bytes_in", request->body.size), log_u64("bytes_out", request->reply_bytes),
        log_u64("us", (uint64_t)(elapsed_ns / 1000)),
        log_text("complete", complete ? VIEW("true") : VIEW("false")));
}

void request_callback_completed(void *context, struct MHD_Connection *mhd, void **own,
                                enum MHD_RequestTerminationCode code) {
    struct request *request = *own;
    (void)context;
    (void)mhd;
    if (request == NULL) return;
    *own = NULL;
    bool complete = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (!request->taken_over) request_account(request, complete);
    if (!complete && request->gone != NULL) request->gone(request);
    if (request->peer->watched) peer_unwatch(request->peer);
    request->peer->request = NULL;
    request->peer = NULL;
    request_unref(request);
}
