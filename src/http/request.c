#include "http/request.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/view.h"
#include "http/body.h"
#include "http/problem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* A body that will be refused is read and dropped up to here so that the connection survives; a
 * larger one is answered at once and the connection closed. */
#define DRAIN_BYTES_MAX (1024u * 1024u)
/* What a usual request needs, its body too: none has to ask for a block of its own. */
#define REQUEST_BLOCK_BYTES 8192

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

/* ---- Pieces handlers are made of ---- */

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

stet_status request_bad_media(const char *wanted, stet_error *err) {
    error_set(err, STET_UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be %s", wanted);
    error_field(err, "Content-Type", 0);
    return STET_UNSUPPORTED_MEDIA_TYPE;
}

stet_status request_json_body(struct request *request, struct doc *doc, stet_error *err) {
    enum media media = media_parse(request->headers.content_type);
    if (media != MEDIA_JSON && media != MEDIA_STET)
        return request_bad_media("application/json", err);
    return request_parse_body(request, doc, err);
}

bool request_params_done(struct request *request) {
    stet_error err;
    return request_ok(request, params_finish(&request->params, &err), &err);
}

/* ---- Commands ---- */

bool request_open_space_named(struct request *request, stet_view name) {
    stet_error err;
    stet_space_close(request->space);
    request->space = NULL;
    stet_status status = stet_space_open(request->loop->client, name, &request->space, &err);
    if (status == STET_NOT_FOUND) {
        error_set(&err, STET_NOT_FOUND, "there is no space \"%.*s\"", VIEW_ARG(name));
        error_field(&err, "space", 0);
    }
    return request_ok(request, status, &err);
}

bool request_open_space(struct request *request) {
    stet_view wanted = request->headers.space_id;
    /* It may be open already, by who asked for the actor. */
    if (request->space == NULL &&
        !request_open_space_named(request, request->match.captures[CAPTURE_SPACE]))
        return false;
    if (wanted.bytes == NULL || view_equal(wanted, stet_space_id(request->space))) return true;
    request_refuse_field(request, STET_NOT_FOUND, "Stet-Space-Id",
                         "the space has other data now than those that are meant");
    return false;
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

void request_submit_list(struct request *request, list_fill *fill) {
    stet_error err;
    stet_view after = {0};
    uint64_t limit = 0;
    stet_status status = params_u64(&request->params, "limit", LIST_LIMIT_MAX, &limit, &err);
    if (status == STET_OK) status = params_text(&request->params, "after", &after, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = fill(command, after, (unsigned)limit, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

/* ---- The body ---- */

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
    request_refuse_later(request, &err, 0);
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

/* Says no before the body is sent, when that spares much, the client asked first, or nobody knows where the body ends. */
static bool refuse_early(struct request *request) {
    uint64_t length = 0;
    if (request->refusal == NULL) return false;
    bool asked = request->headers.expect.size > 0;
    if (!asked && !request->ambiguous &&
        !(declared_length(request, &length) && length > DRAIN_BYTES_MAX))
        return false;
    request_refuse_http(request, request->refusal, request->refusal_http, (stet_view){0});
    return true;
}

static void request_begin(struct request *request, struct MHD_Connection *mhd, const char *method,
                          const char *version) {
    request->begun = true;
    request->started_ns = clock_monotonic_ns(clock_system());
    peer_enter(request->peer, PEER_BODY);
    request_admit(request, mhd, method, version);
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
    request_refuse_later(request, &err, 0);
}

static void request_run(struct request *request) {
    metric_add(&request->loop->metrics.bytes_in, request->body.size);
    if (request->refusal != NULL) {
        request_refuse_http(request, request->refusal, request->refusal_http, (stet_view){0});
        return;
    }
    peer_enter(request->peer, PEER_ENGINE);
    if (request->method == METHOD_OPTIONS) {
        request_reply_options(request);
    } else {
        request->call->handle(request);
    }
    assert(request->answered || request->suspended || request->taken_over);
}

/* ---- What the library calls ---- */

/* The library would take the query apart too. Our own parser does that, and when the library's memory for it runs out, it
 * neither answers nor says that the request is over. An empty query spares it: the text is its own, and it writes to it
 * next. */
static void hide_query(const char *target) {
    char *mark = strchr((char *)(uintptr_t)target, '?');
    if (mark != NULL && mark[1] != '\0') mark[1] = '\0';
}

void *request_callback_target(void *context, const char *target, struct MHD_Connection *mhd) {
    struct loop *loop = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct peer *peer = info == NULL ? NULL : info->socket_context;
    if (peer == NULL) return NULL;
    request_forget(peer);
    struct request *request = request_create(loop);
    if (request == NULL) return NULL;
    request->peer = peer;
    peer->request = request;
    request->target = arena_copy(&request->arena, view_of(target));
    if (request->target.bytes == NULL) request->failed = true;
    hide_query(target);
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

/* The target as the log may have it: a ticket may not have been used up yet. */
static stet_view target_to_log(const struct request *request) {
    stet_view target = request->target;
    const char *mark = target.size == 0 ? NULL : memchr(target.bytes, '?', target.size);
    if (mark == NULL || !params_has(&request->params, "ticket")) return target;
    return view_make(target.bytes, (size_t)(mark - target.bytes));
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
        log_text("actor", request->actor.id), log_text("method", view_of(method_name(method))),
        log_text("target", target_to_log(request)),
        log_text("operation", view_of(request->call == NULL ? "" : request->call->operation)),
        log_u64("status", (uint64_t)http), log_u64("bytes_in", request->body.size),
        log_u64("bytes_out", request->reply_bytes), log_u64("us", (uint64_t)(elapsed_ns / 1000)),
        log_text("complete", complete ? VIEW("true") : VIEW("false")));
}

static void request_complete(struct request *request, bool complete) {
    if (!request->taken_over && !request->accounted) request_account(request, complete);
    if (!complete && request->gone != NULL) request->gone(request);
    if (request->peer->watched) peer_unwatch(request->peer);
    request->peer->request = NULL;
    request->peer = NULL;
    request_unref(request);
}

void request_callback_completed(void *context, struct MHD_Connection *mhd, void **own,
                                enum MHD_RequestTerminationCode code) {
    struct request *request = *own;
    (void)context;
    (void)mhd;
    if (request == NULL) return;
    *own = NULL;
    request_complete(request, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

void request_forget(struct peer *peer) {
    if (peer->request != NULL) request_complete(peer->request, false);
}
