/*
 * Conflicts that wait for a person: lists, one with all it takes to settle it, settling, opening again. Many at once: bulk.c.
 */
#include "http/conflicts.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/handlers.h"
#include "http/terms.h"

/* ---- Reading ---- */

stet_status conflicts_take_filter(struct params *params, stet_conflict_list *list,
                                  stet_error *err) {
    uint64_t limit = 0, older = 0;
    stet_status status = params_u64(params, "limit", CONFLICTS_LIMIT_MAX, &limit, err);
    if (status == STET_OK && limit == 0 && params_has(params, "limit")) {
        error_set(err, STET_BAD_REQUEST, "the query parameter \"limit\" must be at least 1");
        error_field(err, "limit", CONFLICTS_LIMIT_MAX);
        status = STET_BAD_REQUEST;
    }
    if (status == STET_OK) status = params_u64(params, "older_than", UINT32_MAX, &older, err);
    if (status == STET_OK) status = params_text(params, "type", &list->type, err);
    if (status == STET_OK) status = params_text(params, "record", &list->record, err);
    if (status == STET_OK) status = params_text(params, "person", &list->person, err);
    if (status == STET_OK) status = params_text(params, "state", &list->state, err);
    if (status == STET_OK) status = params_text(params, "after", &list->after, err);
    list->limit = (unsigned)limit;
    list->older_than_s = (uint32_t)older;
    return status;
}

void handle_conflict_list(struct request *request) {
    stet_error err;
    stet_conflict_list list = {0};
    stet_status status = conflicts_take_filter(&request->params, &list, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_conflict_list(command, &list, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

/* A conflict's tag is the version of its record: the precondition for opening it again. */
static void conflict_reply(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status != STET_OK) {
        request_reply_outcome(request);
        return;
    }
    struct reply reply = {.http = 200, .body = outcome->body, .etag = outcome->version};
    request_reply(request, &reply);
}

void handle_conflict_get(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status =
        stet_command_conflict_get(command, request->match.captures[CAPTURE_ID], &err);
    if (request_ok(request, status, &err)) request_submit(request, conflict_reply);
}

/* ---- Settling ---- */

stet_status conflicts_read_choice(const struct body *body, stet_conflict_resolution *resolution,
                                  stet_error *err) {
    stet_status status = body_text(body, MEMBER_RESOLUTION_TOKEN, &resolution->token, err);
    if (status == STET_OK) status = body_choice(body, &resolution->choice, err);
    if (status == STET_OK) status = body_json(body, MEMBER_YOURS, false, &resolution->yours, err);
    if (status == STET_OK) status = body_json(body, MEMBER_FIELDS, false, &resolution->fields, err);
    if (status == STET_OK) status = body_json(body, MEMBER_DATA, false, &resolution->data, err);
    if (status != STET_OK) return status;
    if (resolution->choice == STET_CHOICE_FIELDS && resolution->fields.size == 0)
        return body_bad(body, MEMBER_FIELDS, "is missing", err);
    if (resolution->choice == STET_CHOICE_CUSTOM && resolution->data.size == 0)
        return body_bad(body, MEMBER_DATA, "is missing", err);
    return STET_OK;
}

stet_status conflicts_take_terms(struct request *request, bool *dry_run, stet_error *err) {
    struct terms terms = {0};
    /* No key: it happens once anyway. */
    stet_status status = terms_read(&terms, request, TERMS_DRY_RUN, err);
    if (status == STET_OK) status = params_finish(&request->params, err);
    *dry_run = terms.dry_run;
    return status;
}

void handle_conflict_resolve(struct request *request) {
    stet_error err;
    struct doc doc;
    struct body body;
    stet_conflict_resolution resolution = {.id = request->match.captures[CAPTURE_ID]};
    stet_status status = conflicts_take_terms(request, &resolution.dry_run, &err);
    if (status == STET_OK) status = request_json_body(request, &doc, &err);
    if (status == STET_OK)
        status = body_read(&body, &request->arena, &doc, 0, CONFLICTS_CHOICE_MEMBERS, "", &err);
    if (status == STET_OK) status = conflicts_read_choice(&body, &resolution, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_conflict_resolve(command, &resolution, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

/* ---- Opening again ---- */

/* The version may stand in If-Match, in the query or in the body. */
static stet_status take_precondition(struct request *request, stet_version *version,
                                     stet_error *err) {
    struct terms terms = {0};
    struct doc doc;
    struct body body;
    stet_status status = terms_read(&terms, request, TERMS_BASE_VERSION, err);
    if (status == STET_OK) status = params_finish(&request->params, err);
    if (status == STET_OK && request->body.size > 0) {
        status = request_json_body(request, &doc, err);
        if (status == STET_OK)
            status = body_read(&body, &request->arena, &doc, 0, terms_members(TERMS_BASE_VERSION),
                               "", err);
        if (status == STET_OK) status = terms_read_body(&terms, &body, err);
    }
    if (status != STET_OK) return status;
    *version = terms.base.kind == STET_BASE_VERSION ? terms.base.value : STET_VERSION_NONE;
    return STET_OK;
}

void handle_conflict_reopen(struct request *request) {
    stet_error err;
    stet_version version = STET_VERSION_NONE;
    stet_status status = take_precondition(request, &version, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status =
        stet_command_conflict_reopen(command, request->match.captures[CAPTURE_ID], version, &err);
    if (request_ok(request, status, &err)) request_submit(request, conflict_reply);
}

/* ---- The inbox ---- */

void handle_inbox_list(struct request *request) {
    stet_error err;
    stet_inbox_list list = {0};
    uint64_t limit = 0;
    struct params *params = &request->params;
    stet_status status = params_u64(params, "limit", CONFLICTS_LIMIT_MAX, &limit, &err);
    if (status == STET_OK) status = params_flag(params, "unread", &list.unread, &err);
    if (status == STET_OK) status = params_text(params, "after", &list.after, &err);
    if (status == STET_OK) status = params_finish(params, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    list.limit = (unsigned)limit;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_inbox_list(command, &list, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

static stet_status read_ids(struct request *request, const struct body *body, stet_view **out,
                            size_t *count, stet_error *err) {
    doc_node node = body->nodes[MEMBER_IDS];
    *count = 0;
    if (doc_kind(body->doc, node) != DOC_ARRAY)
        return body_bad(body, MEMBER_IDS, "must be an array of ids", err);
    uint32_t size = doc_count(body->doc, node);
    *out = arena_alloc(&request->arena, (size + 1) * sizeof **out);
    if (*out == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    for (doc_node child = doc_first(body->doc, node); child != DOC_NONE;
         child = doc_next(body->doc, child)) {
        stet_status status = doc_string(&request->arena, body->doc, child, &(*out)[(*count)++]);
        if (status == STET_BAD_REQUEST)
            return body_bad(body, MEMBER_IDS, "must be an array of ids", err);
        if (status != STET_OK) return error_set(err, status, "out of memory");
    }
    return STET_OK;
}

void handle_inbox_read(struct request *request) {
    stet_error err;
    struct doc doc;
    struct body body;
    bool all = false;
    stet_view *ids = NULL;
    size_t count = 0;
    stet_status status = params_finish(&request->params, &err);
    if (status == STET_OK) status = request_json_body(request, &doc, &err);
    if (status == STET_OK)
        status = body_read(&body, &request->arena, &doc, 0,
                           MEMBER_BIT(MEMBER_IDS) | MEMBER_BIT(MEMBER_ALL), "", &err);
    if (status == STET_OK) status = body_flag(&body, MEMBER_ALL, &all, &err);
    if (status == STET_OK && all == body_has(&body, MEMBER_IDS))
        status = body_bad(&body, MEMBER_IDS, "or \"all\": true must be given, and not both", &err);
    if (status == STET_OK && !all) status = read_ids(request, &body, &ids, &count, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_inbox_read(command, all ? NULL : ids, count, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

void handle_inbox_dismiss(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status =
        stet_command_inbox_dismiss(command, request->match.captures[CAPTURE_ID], &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}
