/*
 * Operations: submitting them, looking at them, and what their agents say about them. Claiming is in claims.c.
 */
#include "http/operations.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/handlers.h"
#include "http/leases.h"
#include "http/mutations.h"

static stet_view operation_id(const struct request *request) {
    return request->match.captures[CAPTURE_ID];
}

/* ---- Answers ----------------------------------------------------------------------------- */

static void mark_replayed(struct reply *reply, const stet_outcome *outcome) {
    if (!outcome->replayed) return;
    reply->extra[reply->extra_count].name = "Idempotency-Replayed";
    reply->extra[reply->extra_count++].value = "true";
}

/* body: what was asked; a member of it that the refusal names is pointed at. NULL: nothing there can be wrong. */
static void reply_to(struct request *request, const struct body *body) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status != STET_OK) {
        request_refuse_outcome(request, status_http(outcome->status), body);
        return;
    }
    struct reply reply = {.http = 200, .body = outcome->body};
    mark_replayed(&reply, outcome);
    request_reply(request, &reply);
}

void operations_reply(struct request *request) { reply_to(request, NULL); }

/* The answer's id, which is its first member: an answer is not parsed for it unless it has escapes. */
static bool id_of(struct request *request, stet_view body, stet_view *id) {
    static const char before[] = "{\"id\":\"";
    struct doc doc;
    if (view_starts(body, VIEW(before))) {
        const char *begin = body.bytes + sizeof before - 1;
        size_t left = body.size - (sizeof before - 1);
        const char *end = memchr(begin, '"', left);
        *id = view_make(begin, end == NULL ? 0 : (size_t)(end - begin));
        if (end != NULL && memchr(begin, '\\', id->size) == NULL) return true;
    }
    if (doc_parse(&request->arena, body, &body_limits, &doc, NULL) != STET_OK) return false;
    doc_node node = doc_member(&doc, 0, VIEW("id"));
    return node != DOC_NONE && doc_string(&request->arena, &doc, node, id) == STET_OK;
}

/* NULL when memory is out: the answer does without. */
static const char *location(struct request *request, stet_view body) {
    stet_view id;
    if (!id_of(request, body, &id)) return NULL;
    stet_view encoded = percent_encode(&request->arena, id);
    if (encoded.bytes == NULL) return NULL;
    return arena_format(&request->arena, "%.*s/v1/%.*s/operations/%.*s",
                        VIEW_ARG(request->loop->server->gate.base_path),
                        VIEW_ARG(request->match.captures[CAPTURE_SPACE]), VIEW_ARG(encoded))
        .bytes;
}

struct submission {
    const struct body *body; /* NULL: what was asked for does not stand in a body. */
    bool dry_run;
};

static void refuse_submitted(struct request *request, const struct submission *submission,
                             stet_error *err) {
    if (submission->body != NULL) body_point(submission->body, err);
    request_refuse(request, err);
}

/* Accepted, and not done: 202. Of a dry run there is nothing to be found. */
static void reply_submitted(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    const struct submission *submission = request->state;
    if (outcome->status != STET_OK) {
        request_refuse_outcome(request, status_http(outcome->status), submission->body);
        return;
    }
    struct reply reply = {.http = 202, .body = outcome->body};
    const char *place = submission->dry_run ? NULL : location(request, outcome->body);
    mark_replayed(&reply, outcome);
    if (place != NULL) {
        reply.extra[reply.extra_count].name = "Location";
        reply.extra[reply.extra_count++].value = place;
    }
    request_reply(request, &reply);
}

/* ---- Submitting -------------------------------------------------------------------------- */

stet_status operations_read_class(const struct body *body, stet_class *out, stet_error *err) {
    stet_view text = {0};
    stet_status status = body_text(body, MEMBER_CLASS, &text, err);
    if (status != STET_OK || text.size == 0) return status;
    if (stet_class_parse(text, out, err) == STET_OK) return STET_OK;
    return body_bad(body, MEMBER_CLASS, "must be low, normal, high, urgent or structural", err);
}

stet_status operations_take_class(struct params *params, stet_class *out, stet_error *err) {
    stet_view text = {0};
    stet_status status = params_text(params, "class", &text, err);
    if (status != STET_OK || text.size == 0) return status;
    if (stet_class_parse(text, out, err) == STET_OK) return STET_OK;
    error_set(err, STET_BAD_REQUEST,
              "the query parameter \"class\" must be low, normal, high, urgent or structural");
    error_field(err, "class", 0);
    return STET_BAD_REQUEST;
}

void operations_submit(struct request *request, const stet_operation_request *asked,
                       const struct body *body) {
    stet_error err;
    struct submission *submission = arena_zalloc(&request->arena, 1, sizeof *submission);
    stet_command *command = request_command(request);
    if (command == NULL) return;
    if (submission == NULL) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        request_refuse(request, &err);
        return;
    }
    submission->body = body;
    submission->dry_run = asked->dry_run;
    request->state = submission;
    stet_status status = stet_command_operation_submit(command, asked, &err);
    if (status == STET_OK) {
        request_submit(request, reply_submitted);
    } else {
        refuse_submitted(request, submission, &err);
    }
}

static stet_status read_times(const struct body *body, stet_operation_request *asked,
                              stet_error *err) {
    stet_status status = body_time(body, MEMBER_NOT_BEFORE, &asked->not_before, err);
    if (status == STET_OK) status = body_time(body, MEMBER_DEADLINE, &asked->deadline, err);
    if (status == STET_OK)
        status = body_unsigned(body, MEMBER_TIMEOUT_S, UINT32_MAX, &asked->timeout_s, err);
    if (status != STET_OK) return status;
    if (body_has(body, MEMBER_NOT_BEFORE) && asked->not_before <= 0)
        return body_bad(body, MEMBER_NOT_BEFORE, "must be after 1970", err);
    if (body_has(body, MEMBER_DEADLINE) && asked->deadline <= 0)
        return body_bad(body, MEMBER_DEADLINE, "must be after 1970", err);
    if (body_has(body, MEMBER_TIMEOUT_S) && asked->timeout_s == 0)
        return body_bad(body, MEMBER_TIMEOUT_S, "must be at least 1", err);
    return STET_OK;
}

static stet_status read_request(const struct body *body, stet_operation_request *asked,
                                stet_error *err) {
    const struct {
        enum member member;
        stet_view *out;
    } texts[] = {
        {MEMBER_ID, &asked->id},
        {MEMBER_LANE, &asked->lane},
        {MEMBER_OP_TYPE, &asked->op_type},
        {MEMBER_AGENT, &asked->agent},
        {MEMBER_FUNCTION, &asked->function},
        {MEMBER_TARGET, &asked->target},
        {MEMBER_PARENT, &asked->parent},
        {MEMBER_BATCH_KEY, &asked->batch_key},
    };
    stet_status status = STET_OK;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && status == STET_OK; i++)
        status = body_text(body, texts[i].member, texts[i].out, err);
    body_value(body, MEMBER_INPUT, &asked->input);
    if (status == STET_OK) status = operations_read_class(body, &asked->class_, err);
    if (status == STET_OK)
        status =
            body_texts(body, MEMBER_DEPENDS_ON, &asked->depends_on, &asked->depends_on_count, err);
    if (status == STET_OK) status = read_times(body, asked, err);
    if (status != STET_OK) return status;
    asked->sets_max_retries = body_has(body, MEMBER_MAX_RETRIES);
    return body_unsigned(body, MEMBER_MAX_RETRIES, UINT32_MAX, &asked->max_retries, err);
}

#define REQUEST_MEMBERS                                                                            \
    (MEMBER_BIT(MEMBER_ID) | MEMBER_BIT(MEMBER_LANE) | MEMBER_BIT(MEMBER_CLASS) |                  \
     MEMBER_BIT(MEMBER_OP_TYPE) | MEMBER_BIT(MEMBER_AGENT) | MEMBER_BIT(MEMBER_FUNCTION) |         \
     MEMBER_BIT(MEMBER_INPUT) | MEMBER_BIT(MEMBER_TARGET) | MEMBER_BIT(MEMBER_PARENT) |            \
     MEMBER_BIT(MEMBER_DEPENDS_ON) | MEMBER_BIT(MEMBER_BATCH_KEY) |                                \
     MEMBER_BIT(MEMBER_NOT_BEFORE) | MEMBER_BIT(MEMBER_DEADLINE) | MEMBER_BIT(MEMBER_TIMEOUT_S) |  \
     MEMBER_BIT(MEMBER_MAX_RETRIES))

struct reading {
    struct doc doc;
    struct body body;
};

void handle_operation_submit(struct request *request) {
    stet_error err;
    struct terms terms;
    stet_operation_request asked = {0};
    struct reading *reading = arena_zalloc(&request->arena, 1, sizeof *reading);
    stet_status status = reading == NULL
                             ? error_set(&err, STET_NO_MEMORY, "out of memory")
                             : terms_read(&terms, request, TERMS_KEY | TERMS_DRY_RUN, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (status == STET_OK) status = request_json_body(request, &reading->doc, &err);
    if (status == STET_OK)
        status = body_read(&reading->body, &request->arena, &reading->doc, 0,
                           REQUEST_MEMBERS | terms_members(TERMS_KEY), "", &err);
    if (status == STET_OK) status = read_request(&reading->body, &asked, &err);
    if (status == STET_OK) status = terms_read_body(&terms, &reading->body, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    asked.mutation_key = terms.key;
    asked.dry_run = terms.dry_run;
    operations_submit(request, &asked, &reading->body);
}

/* ---- Looking ----------------------------------------------------------------------------- */

/* Its place in the queue is true for the moment only: no ETag, or a cache would show an old one. */
void handle_operation_get(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_operation_get(command, operation_id(request), &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

void handle_operation_list(struct request *request) {
    stet_error err;
    stet_operation_list list = {0};
    const struct {
        const char *name;
        stet_view *out;
    } texts[] = {
        {"lane", &list.lane},     {"agent", &list.agent},   {"by", &list.by},
        {"parent", &list.parent}, {"target", &list.target}, {"status", &list.status},
        {"after", &list.after},
    };
    uint64_t limit = 0;
    stet_status status = params_u64(&request->params, "limit", LIST_LIMIT_MAX, &limit, &err);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && status == STET_OK; i++)
        status = params_text(&request->params, texts[i].name, texts[i].out, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    list.limit = (unsigned)limit;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_operation_list(command, &list, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

/* ---- Changing its course ----------------------------------------------------------------- */

/* The body's members, when there is one. */
static stet_status read_members(struct request *request, struct body *body, struct doc *doc,
                                member_set allowed, bool required, stet_error *err) {
    stet_status status = params_finish(&request->params, err);
    if (status != STET_OK) return status;
    for (int i = 0; i < MEMBER_COUNT; i++)
        body->nodes[i] = DOC_NONE;
    if (!required && request->body.size == 0) return STET_OK;
    status = request_json_body(request, doc, err);
    return status == STET_OK ? body_read(body, &request->arena, doc, 0, allowed, "", err) : status;
}

void handle_operation_cancel(struct request *request) {
    stet_error err;
    struct doc doc;
    struct body body;
    stet_view reason = {0};
    stet_status status = read_members(request, &body, &doc, MEMBER_BIT(MEMBER_REASON), false, &err);
    if (status == STET_OK) status = body_text(&body, MEMBER_REASON, &reason, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_operation_cancel(command, operation_id(request), reason, &err);
    if (status != STET_OK) body_point(&body, &err);
    if (request_ok(request, status, &err)) request_submit(request, operations_reply);
}

void handle_operation_retry(struct request *request) {
    stet_error err;
    struct doc doc;
    struct body body;
    stet_status status = read_members(request, &body, &doc, 0, false, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_operation_retry(command, operation_id(request), &err);
    if (request_ok(request, status, &err)) request_submit(request, operations_reply);
}

/* ---- From its agent ---------------------------------------------------------------------- */

static stet_status read_lease(const struct body *body, uint64_t *lease, stet_error *err) {
    stet_status status = body_u64(body, MEMBER_LEASE, lease, err);
    if (status != STET_OK) return status;
    if (*lease > 0) return STET_OK;
    return body_bad(body, MEMBER_LEASE, "must be the token of the lease, which claiming answered",
                    err);
}

static void reply_progress(struct request *request) { reply_to(request, request->state); }

void handle_operation_progress(struct request *request) {
    stet_error err;
    struct doc doc;
    struct body *body = arena_zalloc(&request->arena, 1, sizeof *body);
    stet_operation_progress progress = {.id = operation_id(request)};
    stet_status status =
        body == NULL ? error_set(&err, STET_NO_MEMORY, "out of memory")
                     : read_members(request, body, &doc,
                                    MEMBER_BIT(MEMBER_LEASE) | MEMBER_BIT(MEMBER_PERCENT) |
                                        MEMBER_BIT(MEMBER_MESSAGE) | MEMBER_BIT(MEMBER_ESTIMATED_S),
                                    true, &err);
    if (status == STET_OK) status = read_lease(body, &progress.lease, &err);
    if (status == STET_OK) status = body_number(body, MEMBER_PERCENT, &progress.percent, &err);
    if (status == STET_OK) status = body_text(body, MEMBER_MESSAGE, &progress.message, &err);
    if (status == STET_OK)
        status = body_number(body, MEMBER_ESTIMATED_S, &progress.estimated_s, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    request->state = body;
    progress.sets_percent = body_has(body, MEMBER_PERCENT);
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_operation_progress(command, &progress, &err);
    if (status != STET_OK) body_point(body, &err);
    if (request_ok(request, status, &err)) request_submit(request, reply_progress);
}

/* The connection is no longer bound to what is finished. */
struct ending {
    struct lease_wait wait; /* First: leases_submit's. */
    struct body body;
    stet_view id;
    uint64_t lease;
};

static void reply_ended(struct request *request) {
    const struct ending *ending = request->state;
    if (stet_command_outcome(request->command)->status == STET_OK)
        leases_unbind(request->peer, ending->id, ending->lease);
    reply_to(request, &ending->body);
}

static struct ending *ending_create(struct request *request, stet_error *err) {
    struct ending *ending = arena_zalloc(&request->arena, 1, sizeof *ending);
    if (ending == NULL) {
        error_set(err, STET_NO_MEMORY, "out of memory");
        return NULL;
    }
    ending->id = operation_id(request);
    ending->wait.reply = reply_ended;
    request->state = ending;
    return ending;
}

static stet_status read_completion(struct request *request, struct ending *ending, struct doc *doc,
                                   stet_operation_completion *completion, stet_error *err) {
    struct body *body = &ending->body;
    stet_mutation *mutations = NULL;
    stet_status status = read_members(request, body, doc,
                                      MEMBER_BIT(MEMBER_LEASE) | MEMBER_BIT(MEMBER_RESULT) |
                                          MEMBER_BIT(MEMBER_MUTATIONS) |
                                          MEMBER_BIT(MEMBER_CLAIM_NEXT) | MEMBER_BIT(MEMBER_BIND),
                                      true, err);
    if (status == STET_OK) status = read_lease(body, &ending->lease, err);
    if (status == STET_OK)
        status = mutations_read(body, &mutations, &completion->mutation_count, err);
    if (status == STET_OK)
        status = body_flag(body, MEMBER_CLAIM_NEXT, &completion->claims_next, err);
    if (status == STET_OK) status = body_flag(body, MEMBER_BIND, &ending->wait.bind, err);
    if (status != STET_OK) return status;
    if (ending->wait.bind && !completion->claims_next)
        return body_bad(body, MEMBER_BIND, "belongs to claim_next", err);
    body_value(body, MEMBER_RESULT, &completion->result);
    completion->mutations = mutations;
    completion->lease = ending->lease;
    return STET_OK;
}

void handle_operation_complete(struct request *request) {
    stet_error err;
    struct doc doc;
    stet_operation_completion completion = {.id = operation_id(request)};
    struct ending *ending = ending_create(request, &err);
    stet_status status =
        ending == NULL ? err.status : read_completion(request, ending, &doc, &completion, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_operation_complete(command, &completion, &err);
    if (status != STET_OK) body_point(&ending->body, &err);
    if (!request_ok(request, status, &err)) return;
    if (completion.claims_next) {
        leases_submit(request, &ending->wait);
    } else {
        request_submit(request, reply_ended);
    }
}

static stet_status read_failure(const struct body *body, stet_operation_failure *failure,
                                stet_error *err) {
    uint64_t after_s = 0;
    stet_status status = read_lease(body, &failure->lease, err);
    if (status == STET_OK) status = body_text(body, MEMBER_ERROR, &failure->error, err);
    if (status == STET_OK) status = body_flag(body, MEMBER_RETRY, &failure->retry, err);
    if (status == STET_OK) status = body_u64(body, MEMBER_RETRY_AFTER_S, &after_s, err);
    if (status != STET_OK) return status;
    if (after_s > 0 && !failure->retry)
        return body_bad(body, MEMBER_RETRY_AFTER_S, "belongs to retry", err);
    failure->retry_after_s = after_s < UINT32_MAX ? (unsigned)after_s : UINT32_MAX;
    return STET_OK;
}

static void handle_failure(struct request *request, bool release) {
    stet_error err;
    struct doc doc;
    stet_operation_failure failure = {.id = operation_id(request), .release = release};
    struct ending *ending = ending_create(request, &err);
    member_set others = release ? 0
                                : MEMBER_BIT(MEMBER_ERROR) | MEMBER_BIT(MEMBER_RETRY) |
                                      MEMBER_BIT(MEMBER_RETRY_AFTER_S);
    stet_status status = ending == NULL
                             ? err.status
                             : read_members(request, &ending->body, &doc,
                                            MEMBER_BIT(MEMBER_LEASE) | others, true, &err);
    if (status == STET_OK) status = read_failure(&ending->body, &failure, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    ending->lease = failure.lease;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_operation_fail(command, &failure, &err);
    if (status != STET_OK) body_point(&ending->body, &err);
    if (request_ok(request, status, &err)) request_submit(request, reply_ended);
}

void handle_operation_fail(struct request *request) { handle_failure(request, false); }
void handle_operation_release(struct request *request) { handle_failure(request, true); }
