/*
 * Locks. An acquisition may wait for its turn: the connection is suspended meanwhile, and a client that leaves takes its request along,
 * so that nobody holds a lock who is no longer there.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/doc.h"
#include "http/bearer.h"
#include "http/body.h"
#include "http/handlers.h"
#include "http/terms.h"

#include <stdio.h>

struct lock_plan {
    struct terms terms;
    struct doc doc;
    uint64_t ttl_s, wait_s, token;
    stet_view note;
};

static stet_view lock_name(const struct request *request) {
    return request->match.captures[CAPTURE_ID];
}

static void reply_lock(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status != STET_OK) {
        request_refuse_outcome(request, status_http(outcome->status), NULL);
        return;
    }
    struct reply reply = {.http = outcome->created ? 201 : 200, .body = outcome->body};
    if (outcome->replayed) {
        reply.extra[0].name = "Idempotency-Replayed";
        reply.extra[0].value = "true";
        reply.extra_count = 1;
    }
    request_reply(request, &reply);
}

/* ---- Acquire ----------------------------------------------------------------------------- */

static void acquire_cancel(struct request *request) { stet_cancel(request->command); }

static void acquire_over(struct request *request, const stet_error *why) {
    request_refuse_later(request, why, 0);
    stet_cancel(request->command);
}

/* Its client may have left: then there is nobody to answer, and this was the last that was wanted of the request. */
static void acquire_done(struct request *request) {
    if (request->answered || request->peer == NULL) {
        request_unref(request);
        return;
    }
    request->gone = NULL;
    request->stop = NULL;
    request->over = NULL;
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status == STET_CANCELLED && request->loop->stopping) {
        stet_error err;
        error_set(&err, STET_SHUTTING_DOWN, "the server is stopping");
        request_refuse(request, &err);
    } else if (outcome->status == STET_CANCELLED && request->refusal != NULL) {
        request_refuse(request, request->refusal);
    } else {
        reply_lock(request);
    }
    request_unref(request);
}

/* In C 0 stands for what is usual; over HTTP that is said by leaving it out. */
static stet_status read_ttl(const struct body *body, struct lock_plan *plan, stet_error *err) {
    stet_status status = body_u64(body, MEMBER_TTL_S, &plan->ttl_s, err);
    if (status == STET_OK && body_has(body, MEMBER_TTL_S) && plan->ttl_s == 0)
        status = body_bad(body, MEMBER_TTL_S, "must be at least 1", err);
    return status;
}

static stet_status read_ttl_param(struct params *params, struct lock_plan *plan, stet_error *err) {
    stet_status status = params_u64(params, "ttl_s", LOCK_TTL_S_MAX, &plan->ttl_s, err);
    if (status != STET_OK || plan->ttl_s != 0 || !params_has(params, "ttl_s")) return status;
    error_set(err, STET_BAD_REQUEST, "the query parameter \"ttl_s\" must be at least 1");
    error_field(err, "ttl_s", 0);
    return STET_BAD_REQUEST;
}

static stet_status read_acquire(struct request *request, struct lock_plan *plan, stet_error *err) {
    struct params *params = &request->params;
    struct body body;
    stet_status status = terms_read(&plan->terms, request, TERMS_KEY | TERMS_DRY_RUN, err);
    if (status == STET_OK) status = read_ttl_param(params, plan, err);
    if (status == STET_OK) status = params_u64(params, "wait_s", WAIT_S_MAX, &plan->wait_s, err);
    if (status == STET_OK) status = params_text(params, "note", &plan->note, err);
    if (status == STET_OK) status = params_finish(params, err);
    if (status != STET_OK || request->body.size == 0) return status;
    status = request_parse_body(request, &plan->doc, err);
    if (status == STET_OK)
        status = body_read(&body, &request->arena, &plan->doc, 0,
                           MEMBER_BIT(MEMBER_TTL_S) | MEMBER_BIT(MEMBER_WAIT_S) |
                               MEMBER_BIT(MEMBER_NOTE) | MEMBER_BIT(MEMBER_CLIENT_MUTATION_ID),
                           "", err);
    if (status == STET_OK) status = terms_read_body(&plan->terms, &body, err);
    if (status == STET_OK) status = read_ttl(&body, plan, err);
    if (status == STET_OK) status = body_u64(&body, MEMBER_WAIT_S, &plan->wait_s, err);
    if (status == STET_OK) status = body_text(&body, MEMBER_NOTE, &plan->note, err);
    return status;
}

void handle_lock_acquire(struct request *request) {
    stet_error err;
    struct lock_plan *plan = arena_zalloc(&request->arena, 1, sizeof *plan);
    stet_status status = plan == NULL ? error_set(&err, STET_NO_MEMORY, "out of memory")
                                      : read_acquire(request, plan, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    const stet_lock_request asked = {
        .name = lock_name(request),
        .ttl_s = plan->ttl_s > UINT32_MAX ? UINT32_MAX : (unsigned)plan->ttl_s,
        .wait_s = plan->wait_s > UINT32_MAX ? UINT32_MAX : (unsigned)plan->wait_s,
        .note = plan->note,
        .mutation_key = plan->terms.key,
        .dry_run = plan->terms.dry_run,
    };
    status = stet_command_lock_acquire(command, &asked, &err);
    if (!request_ok(request, status, &err)) return;
    if (plan->wait_s == 0 || request->loop->stopping) {
        request_submit(request, reply_lock);
        return;
    }
    request->gone = acquire_cancel;
    request->stop = acquire_cancel;
    request->references++; /* acquire_done's. */
    request_submit(request, acquire_done);
    if (request->suspended) {
        request->over = acquire_over;
        bearer_watch(request->loop);
        peer_watch(request->peer);
    } else if (!stet_command_is_done(command)) {
        request->gone = NULL;
        request_unref(request); /* Refused: acquire_done will not be called. */
    }
}

/* ---- The others -------------------------------------------------------------------------- */

static stet_status read_renew(struct request *request, struct lock_plan *plan, stet_error *err) {
    struct params *params = &request->params;
    struct body body;
    stet_status status = params_u64(params, "token", UINT64_MAX, &plan->token, err);
    if (status == STET_OK) status = read_ttl_param(params, plan, err);
    if (status == STET_OK) status = params_finish(params, err);
    if (status != STET_OK || request->body.size == 0) return status;
    status = request_parse_body(request, &plan->doc, err);
    if (status == STET_OK)
        status = body_read(&body, &request->arena, &plan->doc, 0,
                           MEMBER_BIT(MEMBER_TTL_S) | MEMBER_BIT(MEMBER_TOKEN), "", err);
    if (status == STET_OK) status = read_ttl(&body, plan, err);
    if (status == STET_OK) status = body_u64(&body, MEMBER_TOKEN, &plan->token, err);
    return status;
}

static bool need_token(struct request *request, uint64_t token) {
    if (token > 0) return true;
    request_refuse_field(request, STET_BAD_REQUEST, "token",
                         "the token of the lock is missing: acquiring it answered one");
    return false;
}

void handle_lock_renew(struct request *request) {
    stet_error err;
    struct lock_plan plan = {0};
    stet_status status = read_renew(request, &plan, &err);
    if (!request_ok(request, status, &err) || !need_token(request, plan.token) ||
        !request_open_space(request))
        return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    unsigned ttl_s = plan.ttl_s > UINT32_MAX ? UINT32_MAX : (unsigned)plan.ttl_s;
    status = stet_command_lock_renew(command, lock_name(request), plan.token, ttl_s, &err);
    if (request_ok(request, status, &err)) request_submit(request, reply_lock);
}

void handle_lock_release(struct request *request) {
    stet_error err;
    uint64_t token = 0;
    stet_status status = params_u64(&request->params, "token", UINT64_MAX, &token, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (!request_ok(request, status, &err) || !need_token(request, token) ||
        !request_open_space(request))
        return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_lock_release(command, lock_name(request), token, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

/* What one lock says is true for the moment only, and has no version of its own to compare. */
void handle_lock_get(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_lock_read(command, lock_name(request), &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

void handle_lock_list(struct request *request) {
    request_submit_list(request, stet_command_lock_list);
}
