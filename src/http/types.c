/*
 * Types: definitions one by one, and a whole schema at once.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/handlers.h"
#include "http/terms.h"

struct type_plan {
    struct terms terms; /* First: terms_reply reads request->state as terms. */
    stet_type_write write;
    stet_types_apply apply;
    struct doc doc; /* The body, when it is an envelope. */
};

/* No strategy: a stale write of a definition is always refused. */
#define DEFINITION_TERMS (TERMS_KEY | TERMS_DRY_RUN | TERMS_BASE)

static struct type_plan *plan_create(struct request *request, stet_error *err) {
    struct type_plan *plan = arena_zalloc(&request->arena, 1, sizeof *plan);
    if (plan == NULL) {
        error_set(err, STET_NO_MEMORY, "out of memory");
        return NULL;
    }
    plan->write.name = request->match.captures[CAPTURE_TYPE];
    request->state = plan;
    return plan;
}

static stet_status bad_media(const char *wanted, stet_error *err) {
    error_set(err, STET_UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be %s", wanted);
    error_field(err, "Content-Type", 0);
    return STET_UNSUPPORTED_MEDIA_TYPE;
}

/* ---- Reading ----------------------------------------------------------------------------- */

void handle_type_list(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_type_list(command, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

static void get_reply(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status != STET_OK) {
        request_reply_outcome(request);
        return;
    }
    bool known = request->headers.if_none_match.bytes != NULL &&
                 etag_list_has(request->headers.if_none_match, outcome->version);
    struct reply reply = {
        .http = known ? 304 : 200, .body = outcome->body, .etag = outcome->version};
    request_reply(request, &reply);
}

void handle_type_get(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status =
        stet_command_type_get(command, request->match.captures[CAPTURE_TYPE], &err);
    if (request_ok(request, status, &err)) request_submit(request, get_reply);
}

/* ---- Writing ----------------------------------------------------------------------------- */

static stet_status read_envelope(struct request *request, struct type_plan *plan, stet_error *err) {
    struct body body;
    stet_status status = request_parse_body(request, &plan->doc, err);
    if (status == STET_OK)
        status = body_read(&body, &request->arena, &plan->doc, 0,
                           terms_members(DEFINITION_TERMS) | MEMBER_BIT(MEMBER_DATA), "", err);
    if (status == STET_OK) status = terms_read_body(&plan->terms, &body, err);
    if (status == STET_OK)
        status = body_json(&body, MEMBER_DATA, false, &plan->write.definition, err);
    if (status == STET_OK && !plan->write.deletes && !body_has(&body, MEMBER_DATA))
        status = body_bad(&body, MEMBER_DATA, "is missing", err);
    return status;
}

static stet_status read_definition(struct request *request, struct type_plan *plan,
                                   stet_error *err) {
    enum media media = media_parse(request->headers.content_type);
    if (request->body.size == 0 && plan->write.deletes) return STET_OK;
    if (media == MEDIA_STET || (media == MEDIA_JSON && plan->write.deletes))
        return read_envelope(request, plan, err);
    if (media != MEDIA_JSON) return bad_media("application/json or application/stet+json", err);
    plan->write.definition = request_body_view(request);
    if (plan->write.definition.size > 0) return STET_OK;
    error_set(err, STET_BAD_JSON, "the body is empty; it must be the type's definition");
    error_field(err, "body", 0);
    return STET_BAD_JSON;
}

static void handle_write(struct request *request, bool deletes) {
    stet_error err;
    struct type_plan *plan = plan_create(request, &err);
    stet_status status = plan == NULL ? err.status : STET_OK;
    if (status == STET_OK) {
        plan->write.deletes = deletes;
        status = terms_read(&plan->terms, request,
                            deletes ? DEFINITION_TERMS : DEFINITION_TERMS | TERMS_ABSENT, &err);
    }
    if (status == STET_OK)
        status = params_flag(&request->params, "force", &plan->write.force, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (status == STET_OK) status = read_definition(request, plan, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    plan->write.base = plan->terms.base;
    plan->write.mutation_key = plan->terms.key;
    plan->write.dry_run = plan->terms.dry_run;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_type_write(command, &plan->write, &err);
    if (status == STET_BAD_JSON && err.field[0] == '\0') error_field(&err, "body", 0);
    if (request_ok(request, status, &err)) request_submit(request, terms_reply);
}

void handle_type_put(struct request *request) { handle_write(request, false); }
void handle_type_delete(struct request *request) { handle_write(request, true); }

/* ---- A whole schema ---------------------------------------------------------------------- */

void handle_types_apply(struct request *request) {
    stet_error err;
    struct body body;
    struct type_plan *plan = plan_create(request, &err);
    stet_status status = plan == NULL ? err.status : STET_OK;
    if (status == STET_OK)
        status = terms_read(&plan->terms, request, TERMS_KEY | TERMS_DRY_RUN, &err);
    if (status == STET_OK)
        status = params_flag(&request->params, "force", &plan->apply.force, &err);
    if (status == STET_OK)
        status = params_flag(&request->params, "prune", &plan->apply.prune, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (status == STET_OK && media_parse(request->headers.content_type) != MEDIA_JSON)
        status = bad_media("application/json", &err);
    if (status == STET_OK) status = request_parse_body(request, &plan->doc, &err);
    if (status == STET_OK)
        status = body_read(&body, &request->arena, &plan->doc, 0,
                           MEMBER_BIT(MEMBER_TYPES) | terms_members(TERMS_KEY), "", &err);
    if (status == STET_OK) status = terms_read_body(&plan->terms, &body, &err);
    if (status == STET_OK) status = body_json(&body, MEMBER_TYPES, false, &plan->apply.types, &err);
    if (status == STET_OK && !body_has(&body, MEMBER_TYPES))
        status = body_bad(&body, MEMBER_TYPES, "is missing", &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    plan->apply.mutation_key = plan->terms.key;
    plan->apply.dry_run = plan->terms.dry_run;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_types_apply(command, &plan->apply, &err);
    if (request_ok(request, status, &err)) request_submit(request, terms_reply);
}
