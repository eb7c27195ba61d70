/*
 * Answers: replies, problem documents and the headers that all of them carry.
 */
#include "http/request.h"

#include "base/error.h"
#include "base/log.h"
#include "base/view.h"
#include "http/body.h"
#include "http/problem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static void add_header(void *context, const char *name, const char *value) {
    (void)MHD_add_response_header(context, name, value);
}

void request_common_headers(struct request *request, const char *vary,
                            void (*add)(void *context, const char *name, const char *value),
                            void *context) {
    const struct gate *gate = &request->loop->server->gate;
    if (request->id.size > 0) add(context, "X-Request-Id", request->id_bytes);
    if (gate->origin_count == 0) {
        if (vary != NULL || request->method == METHOD_GET)
            add(context, "Vary", vary != NULL ? vary : "Authorization, Cookie");
        return;
    }
    if (vary != NULL) add(context, "Vary", vary);
    add(context, "Vary", vary != NULL ? "Origin" : "Authorization, Cookie, Origin");
    stet_view origin = request->headers.origin;
    if (origin.size == 0 || !gate_origin_allowed(gate, origin)) return;
    add(context, "Access-Control-Allow-Origin", gate->any_origin ? "*" : origin.bytes);
    /* Its cookies come along only from the same site (SameSite=Lax). With "*" nobody was named to be trusted with them. */
    if (!gate->any_origin) add(context, "Access-Control-Allow-Credentials", "true");
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

void request_fail(struct request *request) {
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
    request_common_headers(request, reply->vary, add_header, response);
    /* No cache keeps answers to other methods, so there is nothing to tell it. */
    const char *cache = reply->cache;
    if (cache == NULL && request->method == METHOD_GET) cache = "private, no-cache, no-transform";
    if (cache != NULL) add_header(response, "Cache-Control", cache);
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
    unsigned wait_s =
        request->retry_after_s > 0 ? request->retry_after_s : problem_retry_after_s(err->status);
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
    if (http == 426) {
        reply.extra[reply.extra_count].name = "Upgrade";
        reply.extra[reply.extra_count++].value = "websocket";
        reply.extra[reply.extra_count].name = "Sec-WebSocket-Version";
        reply.extra[reply.extra_count++].value = "13";
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

void request_refuse_outcome(struct request *request, int http, const struct body *body) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    stet_error err = outcome->error;
    err.status = outcome->status;
    if (body != NULL) body_point(body, &err);
    request->retry_after_s = problem_outcome_retry_after_s(&request->arena, outcome);
    request_refuse_http(request, &err, http, outcome->body);
}

void request_reply_outcome(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status != STET_OK) {
        request_refuse_outcome(request, status_http(outcome->status), NULL);
        return;
    }
    struct reply reply = {.http = 200, .body = outcome->body};
    request_reply(request, &reply);
}

void request_reply_options(struct request *request) {
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
        reply.extra[2].value =
            "Authorization, Content-Type, If-Match, If-None-Match, "
            "Idempotency-Key, Prefer, Last-Event-ID, Stet-Actor, Stet-CSRF, Stet-Space-Id, "
            "X-Request-Id";
        reply.extra[3].name = "Access-Control-Max-Age";
        reply.extra[3].value = "600";
        reply.extra_count = 4;
    }
    request_reply(request, &reply);
}
