/*
 * Writes of one record: create, put, patch, delete, revert, and the resolution of a conflict.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/handlers.h"
#include "http/terms.h"

struct write_plan {
    struct terms terms; /* First: terms_reply reads request->state as terms. */
    stet_mutation mutation;
    struct doc doc; /* The envelope, when there is one. */
    bool preview;
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory");
}

static stet_status bad_media(struct request *request, const char *wanted, stet_error *err) {
    error_set(err, STET_UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be %s%s", wanted,
              request->headers.content_type.size == 0 ? "; there is none" : "");
    error_field(err, "Content-Type", 0);
    return STET_UNSUPPORTED_MEDIA_TYPE;
}

static struct write_plan *plan_create(struct request *request, stet_op op, stet_error *err) {
    struct write_plan *plan = arena_zalloc(&request->arena, 1, sizeof *plan);
    if (plan == NULL) {
        no_memory(err);
        return NULL;
    }
    plan->mutation.op = op;
    plan->mutation.type = request->match.captures[CAPTURE_TYPE];
    plan->mutation.id = request->match.captures[CAPTURE_ID];
    request->state = plan;
    return plan;
}

static void plan_submit(struct request *request, struct write_plan *plan) {
    stet_error err;
    plan->mutation.base = plan->terms.base;
    plan->mutation.on_conflict = plan->terms.on_conflict;
    plan->mutation.modified_at = plan->terms.modified_at;
    plan->mutation.parent = plan->terms.parent;
    plan->mutation.sets_parent = plan->terms.sets_parent;
    plan->mutation.lock = plan->terms.lock;
    plan->mutation.lock_token = plan->terms.lock_token;
    stet_write write = {
        .mutations = &plan->mutation,
        .mutation_count = 1,
        .mutation_key = plan->terms.key,
        .dry_run = plan->terms.dry_run,
        .preview = plan->preview,
        /* Of what has no address yet, Location is read from the record. */
        .minimal =
            plan->terms.prefer == PREFER_MINIMAL && request->match.captures[CAPTURE_ID].size > 0,
    };
    if (!request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_write(command, &write, &err);
    if (status == STET_BAD_JSON && err.field[0] == '\0') error_field(&err, "body", 0);
    if (request_ok(request, status, &err))
        request_submit(request, plan->preview ? request_reply_outcome : terms_reply);
}

/* ---- Create and put ---- */

static stet_status read_data_envelope(struct request *request, struct write_plan *plan,
                                      stet_error *err) {
    struct body body;
    stet_view id = {0};
    stet_status status = request_parse_body(request, &plan->doc, err);
    if (status == STET_OK) {
        status = body_read(&body, &request->arena, &plan->doc, 0,
                           terms_members(TERMS_CREATING) | MEMBER_BIT(MEMBER_ID) |
                               MEMBER_BIT(MEMBER_DATA),
                           "", err);
    }
    if (status == STET_OK) status = terms_read_body(&plan->terms, &body, err);
    if (status == STET_OK) status = body_text(&body, MEMBER_ID, &id, err);
    if (status == STET_OK) status = body_json(&body, MEMBER_DATA, false, &plan->mutation.body, err);
    if (status != STET_OK) return status;
    if (!body_has(&body, MEMBER_DATA)) return body_bad(&body, MEMBER_DATA, "is missing", err);
    if (id.size == 0) return STET_OK;
    if (plan->mutation.id.size > 0 && !view_equal(id, plan->mutation.id))
        return body_bad(&body, MEMBER_ID, "differs from the id already given", err);
    plan->mutation.id = id;
    return STET_OK;
}

static stet_status read_data(struct request *request, struct write_plan *plan, stet_error *err) {
    switch (media_parse(request->headers.content_type)) {
    case MEDIA_JSON: plan->mutation.body = request_body_view(request); break;
    case MEDIA_STET: return read_data_envelope(request, plan, err);
    case MEDIA_NONE:
    case MEDIA_OTHER:
    case MEDIA_MERGE_PATCH:
    case MEDIA_JSON_PATCH:
    case MEDIA_NDJSON: return bad_media(request, "application/json or application/stet+json", err);
    }
    if (plan->mutation.body.size > 0) return STET_OK;
    error_set(err, STET_BAD_JSON, "the body is empty; it must be the record's data");
    error_field(err, "body", 0);
    return STET_BAD_JSON;
}

static void handle_data(struct request *request, stet_op op) {
    stet_error err;
    struct write_plan *plan = plan_create(request, op, &err);
    stet_status status = plan == NULL ? err.status : STET_OK;
    if (status == STET_OK) status = terms_read(&plan->terms, request, TERMS_CREATING, &err);
    if (status == STET_OK && op == STET_OP_CREATE)
        status = params_text(&request->params, "id", &plan->mutation.id, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (status == STET_OK) status = read_data(request, plan, &err);
    if (request_ok(request, status, &err)) plan_submit(request, plan);
}

void handle_record_create(struct request *request) { handle_data(request, STET_OP_CREATE); }
void handle_record_put(struct request *request) { handle_data(request, STET_OP_PUT); }

/* ---- Patch ---- */

static stet_status read_patch_envelope(struct request *request, struct write_plan *plan,
                                       stet_error *err) {
    struct body body;
    stet_status status = request_parse_body(request, &plan->doc, err);
    if (status == STET_OK) {
        status = body_read(&body, &request->arena, &plan->doc, 0,
                           terms_members(TERMS_DATA) | MEMBER_BIT(MEMBER_PATCH), "", err);
    }
    if (status == STET_OK) status = terms_read_body(&plan->terms, &body, err);
    if (status == STET_OK) status = body_json(&body, MEMBER_PATCH, true, &plan->mutation.body, err);
    if (status != STET_OK) return status;
    if (!body_has(&body, MEMBER_PATCH)) return body_bad(&body, MEMBER_PATCH, "is missing", err);
    bool list = doc_kind(&plan->doc, body.nodes[MEMBER_PATCH]) == DOC_ARRAY;
    plan->mutation.op = list ? STET_OP_PATCH_JSON : STET_OP_PATCH;
    return STET_OK;
}

static stet_status read_patch(struct request *request, struct write_plan *plan, stet_error *err) {
    switch (media_parse(request->headers.content_type)) {
    case MEDIA_MERGE_PATCH: plan->mutation.op = STET_OP_PATCH; break;
    case MEDIA_JSON_PATCH: plan->mutation.op = STET_OP_PATCH_JSON; break;
    case MEDIA_JSON:
    case MEDIA_STET: return read_patch_envelope(request, plan, err);
    case MEDIA_NONE:
    case MEDIA_OTHER:
    case MEDIA_NDJSON:
        return bad_media(request,
                         "application/merge-patch+json, application/json-patch+json, "
                         "application/json or application/stet+json",
                         err);
    }
    plan->mutation.body = request_body_view(request);
    if (plan->mutation.body.size > 0) return STET_OK;
    error_set(err, STET_BAD_JSON, "the body is empty; it must be a patch");
    error_field(err, "body", 0);
    return STET_BAD_JSON;
}

void handle_record_patch(struct request *request) {
    stet_error err;
    struct write_plan *plan = plan_create(request, STET_OP_PATCH, &err);
    stet_status status = plan == NULL ? err.status : STET_OK;
    if (status == STET_OK) status = terms_read(&plan->terms, request, TERMS_DATA, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (status == STET_OK) status = read_patch(request, plan, &err);
    if (request_ok(request, status, &err)) plan_submit(request, plan);
}

/* ---- Delete and revert ---- */

/* An envelope that may be left out. */
static stet_status read_optional(struct request *request, struct write_plan *plan,
                                 member_set allowed, struct body *body, stet_error *err) {
    if (request->body.size == 0) return STET_OK;
    enum media media = media_parse(request->headers.content_type);
    if (media != MEDIA_JSON && media != MEDIA_STET)
        return bad_media(request, "application/json or application/stet+json", err);
    stet_status status = request_parse_body(request, &plan->doc, err);
    if (status == STET_OK) {
        status = body_read(body, &request->arena, &plan->doc, 0, allowed, "", err);
    }
    if (status == STET_OK) status = terms_read_body(&plan->terms, body, err);
    return status;
}

void handle_record_delete(struct request *request) {
    stet_error err;
    struct body body;
    struct write_plan *plan = plan_create(request, STET_OP_DELETE, &err);
    stet_status status = plan == NULL ? err.status : STET_OK;
    if (status == STET_OK) status = terms_read(&plan->terms, request, TERMS_RECORD, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (status == STET_OK)
        status = read_optional(request, plan, terms_members(TERMS_RECORD), &body, &err);
    if (request_ok(request, status, &err)) plan_submit(request, plan);
}

/* A write that changes nothing but what the record stands below. */
void handle_move(struct request *request) {
    stet_error err;
    struct body body;
    struct write_plan *plan = plan_create(request, STET_OP_PATCH, &err);
    stet_status status = plan == NULL ? err.status : STET_OK;
    if (status == STET_OK) status = terms_read(&plan->terms, request, TERMS_DATA, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (status == STET_OK)
        status = read_optional(request, plan, terms_members(TERMS_DATA), &body, &err);
    if (!request_ok(request, status, &err)) return;
    if (!plan->terms.sets_parent) {
        request_refuse_field(request, STET_BAD_REQUEST, "/parent",
                             "\"parent\" must say where to, or be null for a root");
        return;
    }
    plan->mutation.body = VIEW("{}");
    plan_submit(request, plan);
}

void handle_revert(struct request *request) {
    stet_error err;
    struct body body;
    uint64_t to = 0;
    uint64_t body_to = 0;
    struct write_plan *plan = plan_create(request, STET_OP_REVERT, &err);
    stet_status status = plan == NULL ? err.status : STET_OK;
    if (status == STET_OK) status = terms_read(&plan->terms, request, TERMS_RECORD, &err);
    if (status == STET_OK) status = params_u64(&request->params, "to", UINT64_MAX, &to, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (status == STET_OK)
        status = read_optional(request, plan, terms_members(TERMS_RECORD) | MEMBER_BIT(MEMBER_TO),
                               &body, &err);
    if (status == STET_OK && request->body.size > 0)
        status = body_u64(&body, MEMBER_TO, &body_to, &err);
    if (!request_ok(request, status, &err)) return;
    if (to == 0) to = body_to;
    if (to == 0 || (body_to != 0 && body_to != to)) {
        request_refuse_field(request, STET_BAD_REQUEST, "to",
                             "\"to\" must name the one version to go back to");
        return;
    }
    plan->mutation.revert_to = to;
    plan_submit(request, plan);
}

/* ---- Preview ---- */

/* As of a write, but for a key: it does nothing that could be repeated. */
#define PREVIEW_TERMS (TERMS_CREATING & ~(unsigned)TERMS_KEY)

/* Data as for PUT, or a patch. */
static stet_status read_preview(struct request *request, struct write_plan *plan, stet_error *err) {
    struct body body;
    enum media media = media_parse(request->headers.content_type);
    if (media != MEDIA_JSON && media != MEDIA_STET)
        return bad_media(request, "application/json or application/stet+json", err);
    stet_status status = request_parse_body(request, &plan->doc, err);
    if (status == STET_OK)
        status = body_read(&body, &request->arena, &plan->doc, 0,
                           terms_members(PREVIEW_TERMS) | MEMBER_BIT(MEMBER_DATA) |
                               MEMBER_BIT(MEMBER_PATCH),
                           "", err);
    if (status == STET_OK) status = terms_read_body(&plan->terms, &body, err);
    if (status != STET_OK) return status;
    bool patches = body_has(&body, MEMBER_PATCH);
    if (patches == body_has(&body, MEMBER_DATA))
        return body_bad(&body, MEMBER_DATA, "or /patch must be given, and only one of them", err);
    if (!patches) return body_json(&body, MEMBER_DATA, false, &plan->mutation.body, err);
    bool list = doc_kind(&plan->doc, body.nodes[MEMBER_PATCH]) == DOC_ARRAY;
    plan->mutation.op = list ? STET_OP_PATCH_JSON : STET_OP_PATCH;
    return body_json(&body, MEMBER_PATCH, true, &plan->mutation.body, err);
}

void handle_merge_preview(struct request *request) {
    stet_error err;
    struct write_plan *plan = plan_create(request, STET_OP_PUT, &err);
    stet_status status = plan == NULL ? err.status : STET_OK;
    if (status == STET_OK) status = terms_read(&plan->terms, request, PREVIEW_TERMS, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (status == STET_OK) status = read_preview(request, plan, &err);
    if (!request_ok(request, status, &err)) return;
    plan->preview = true;
    plan_submit(request, plan);
}

/* ---- Resolve ---- */

static stet_status read_resolution(struct request *request, struct write_plan *plan,
                                   stet_resolution *resolution, stet_error *err) {
    struct body body;
    enum media media = media_parse(request->headers.content_type);
    if (media != MEDIA_JSON && media != MEDIA_STET)
        return bad_media(request, "application/json", err);
    stet_status status = request_parse_body(request, &plan->doc, err);
    if (status == STET_OK) {
        status = body_read(&body, &request->arena, &plan->doc, 0,
                           MEMBER_BIT(MEMBER_RESOLUTION_TOKEN) | MEMBER_BIT(MEMBER_CHOICE) |
                               MEMBER_BIT(MEMBER_YOURS) | MEMBER_BIT(MEMBER_FIELDS) |
                               MEMBER_BIT(MEMBER_DATA),
                           "", err);
    }
    if (status == STET_OK)
        status = body_text(&body, MEMBER_RESOLUTION_TOKEN, &resolution->token, err);
    if (status == STET_OK && resolution->token.size == 0)
        return body_bad(&body, MEMBER_RESOLUTION_TOKEN, "is missing", err);
    if (status == STET_OK) status = body_choice(&body, &resolution->choice, err);
    if (status == STET_OK) status = body_json(&body, MEMBER_YOURS, true, &resolution->yours, err);
    if (status == STET_OK)
        status = body_json(&body, MEMBER_FIELDS, false, &resolution->fields, err);
    if (status == STET_OK) status = body_json(&body, MEMBER_DATA, false, &resolution->data, err);
    if (status != STET_OK) return status;
    if (resolution->choice == STET_CHOICE_FIELDS && resolution->fields.size == 0)
        return body_bad(&body, MEMBER_FIELDS, "is missing", err);
    if (resolution->choice == STET_CHOICE_CUSTOM && resolution->data.size == 0)
        return body_bad(&body, MEMBER_DATA, "is missing", err);
    return STET_OK;
}

void handle_resolve(struct request *request) {
    stet_error err;
    struct write_plan *plan = plan_create(request, STET_OP_PUT, &err);
    stet_resolution resolution = {
        .type = request->match.captures[CAPTURE_TYPE],
        .id = request->match.captures[CAPTURE_ID],
    };
    stet_status status = plan == NULL ? err.status : STET_OK;
    /* The token is the key. */
    if (status == STET_OK) status = terms_read(&plan->terms, request, TERMS_DRY_RUN, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (status == STET_OK) status = read_resolution(request, plan, &resolution, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    resolution.dry_run = plan->terms.dry_run;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_resolve(command, &resolution, &err);
    if (request_ok(request, status, &err)) request_submit(request, terms_reply);
}
