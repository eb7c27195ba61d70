/*
 * Trees: a record with all its descendants, read and written as a whole; forks and their merges.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/handlers.h"
#include "http/terms.h"

struct tree_plan {
    struct terms terms; /* First: terms_reply reads request->state as terms. */
    struct doc doc;
    struct body body;
    bool tree;
    stet_view tree_version, data, new_id;
    uint64_t into_version;
};

/* Each level of a tree is two of the document. */
static const struct doc_limits tree_limits = {
    .bytes_max = TRANSACTION_BYTES_MAX,
    .depth_max = JSON_DEPTH_MAX + 2 * TREE_DEPTH_MAX + 8,
    .nodes_max = 16 * JSON_NODES_MAX,
};

static struct tree_plan *plan_create(struct request *request, stet_error *err) {
    struct tree_plan *plan = arena_zalloc(&request->arena, 1, sizeof *plan);
    if (plan == NULL) error_set(err, STET_NO_MEMORY, "out of memory");
    request->state = plan;
    return plan;
}

/* An envelope; one that may be left out leaves every member absent. */
static stet_status read_envelope(struct request *request, struct tree_plan *plan,
                                 member_set allowed, stet_error *err) {
    enum media media = media_parse(request->headers.content_type);
    stet_view text = request_body_view(request);
    if (text.size == 0) text = VIEW("{}");
    if (text.size > 2 && media != MEDIA_JSON && media != MEDIA_STET) {
        error_set(err, STET_UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be application/json");
        error_field(err, "Content-Type", 0);
        return STET_UNSUPPORTED_MEDIA_TYPE;
    }
    stet_status status = doc_parse(&request->arena, text, &tree_limits, &plan->doc, err);
    if (status == STET_BAD_JSON && err->field[0] == '\0') error_field(err, "body", 0);
    if (status == STET_OK)
        status = body_read(&plan->body, &request->arena, &plan->doc, 0,
                           MEMBER_BIT(MEMBER_CLIENT_MUTATION_ID) | allowed, "", err);
    if (status == STET_OK) status = terms_read_body(&plan->terms, &plan->body, err);
    return status;
}

/* ---- Read -------------------------------------------------------------------------------- */

void handle_tree_get(struct request *request) {
    stet_error err;
    stet_seq min_seq = 0;
    stet_status status = params_u64(&request->params, "min_seq", UINT64_MAX, &min_seq, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_tree_read(command, request->match.captures[CAPTURE_TYPE],
                                    request->match.captures[CAPTURE_ID], min_seq, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

/* ---- Put and delete ---------------------------------------------------------------------- */

static stet_status read_edit(struct request *request, struct tree_plan *plan, bool deletes,
                             stet_error *err) {
    struct params *params = &request->params;
    stet_view in_body = {0};
    stet_status status = terms_read(&plan->terms, request, TERMS_KEY | TERMS_DRY_RUN, err);
    if (status == STET_OK) status = params_text(params, "tree_version", &plan->tree_version, err);
    if (status == STET_OK) status = params_finish(params, err);
    if (status == STET_OK)
        status = read_envelope(
            request, plan,
            MEMBER_BIT(MEMBER_TREE_VERSION) | (deletes ? 0 : MEMBER_BIT(MEMBER_TREE)), err);
    if (status == STET_OK) status = body_text(&plan->body, MEMBER_TREE_VERSION, &in_body, err);
    if (status != STET_OK) return status;
    if (in_body.size > 0 && plan->tree_version.size > 0 && !view_equal(in_body, plan->tree_version))
        return body_bad(&plan->body, MEMBER_TREE_VERSION, "differs from the one in the query", err);
    if (in_body.size > 0) plan->tree_version = in_body;
    if (deletes) return STET_OK;
    if (!body_has(&plan->body, MEMBER_TREE))
        return body_bad(&plan->body, MEMBER_TREE, "is missing", err);
    return body_json(&plan->body, MEMBER_TREE, false, &plan->data, err);
}

static void edit_tree(struct request *request, bool deletes) {
    stet_error err;
    struct tree_plan *plan = plan_create(request, &err);
    stet_status status = plan == NULL ? STET_NO_MEMORY : read_edit(request, plan, deletes, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    const stet_tree_write write = {
        .type = request->match.captures[CAPTURE_TYPE],
        .id = request->match.captures[CAPTURE_ID],
        .tree_version = plan->tree_version,
        .tree = plan->data,
        .mutation_key = plan->terms.key,
        .dry_run = plan->terms.dry_run,
    };
    status = deletes ? stet_command_tree_delete(command, &write, &err)
                     : stet_command_tree_put(command, &write, &err);
    if (request_ok(request, status, &err)) request_submit(request, terms_reply);
}

void handle_tree_put(struct request *request) { edit_tree(request, false); }
void handle_tree_delete(struct request *request) { edit_tree(request, true); }

/* ---- Fork -------------------------------------------------------------------------------- */

static stet_status read_fork(struct request *request, struct tree_plan *plan, stet_error *err) {
    struct params *params = &request->params;
    bool given = false;
    stet_status status = terms_read(&plan->terms, request, TERMS_KEY | TERMS_DRY_RUN, err);
    if (status == STET_OK) status = params_text(params, "id", &plan->new_id, err);
    if (status == STET_OK) status = params_flag(params, "tree", &plan->tree, err);
    if (status == STET_OK)
        status = params_maybe(params, "parent", &given, &plan->terms.parent, err);
    plan->terms.sets_parent = given;
    if (status == STET_OK) status = params_finish(params, err);
    if (status == STET_OK)
        status = read_envelope(
            request, plan,
            MEMBER_BIT(MEMBER_ID) | MEMBER_BIT(MEMBER_PARENT) | MEMBER_BIT(MEMBER_TREE), err);
    if (status == STET_OK) status = body_text(&plan->body, MEMBER_ID, &plan->new_id, err);
    if (status == STET_OK) status = body_flag(&plan->body, MEMBER_TREE, &plan->tree, err);
    return status;
}

static void fork_reply(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    const struct tree_plan *plan = request->state;
    if (outcome->status != STET_OK || plan->terms.dry_run || outcome->replayed) {
        terms_reply(request);
        return;
    }
    struct reply reply = {.http = 201, .body = outcome->body};
    request_reply(request, &reply);
}

void handle_fork(struct request *request) {
    stet_error err;
    struct tree_plan *plan = plan_create(request, &err);
    stet_status status = plan == NULL ? STET_NO_MEMORY : read_fork(request, plan, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    const stet_fork fork = {
        .type = request->match.captures[CAPTURE_TYPE],
        .id = request->match.captures[CAPTURE_ID],
        .new_id = plan->new_id,
        .parent = plan->terms.parent,
        .tree = plan->tree,
        .mutation_key = plan->terms.key,
        .dry_run = plan->terms.dry_run,
    };
    status = stet_command_fork(command, &fork, &err);
    if (request_ok(request, status, &err)) request_submit(request, fork_reply);
}

/* ---- Merge ------------------------------------------------------------------------------- */

/* The base is the fork's version. */
#define MERGE_TERMS (TERMS_KEY | TERMS_DRY_RUN | TERMS_BASE_VERSION | TERMS_STRATEGY)

static stet_status read_merge(struct request *request, struct tree_plan *plan, stet_error *err) {
    struct params *params = &request->params;
    stet_status status = terms_read(&plan->terms, request, MERGE_TERMS, err);
    if (status == STET_OK) status = params_flag(params, "tree", &plan->tree, err);
    if (status == STET_OK) status = params_finish(params, err);
    if (status == STET_OK)
        status = read_envelope(request, plan,
                               terms_members(MERGE_TERMS) | MEMBER_BIT(MEMBER_DATA) |
                                   MEMBER_BIT(MEMBER_INTO_VERSION) | MEMBER_BIT(MEMBER_TREE),
                               err);
    if (status == STET_OK) status = body_flag(&plan->body, MEMBER_TREE, &plan->tree, err);
    if (status == STET_OK) status = body_json(&plan->body, MEMBER_DATA, false, &plan->data, err);
    if (status == STET_OK)
        status = body_u64(&plan->body, MEMBER_INTO_VERSION, &plan->into_version, err);
    return status;
}

void handle_merge(struct request *request) {
    stet_error err;
    struct tree_plan *plan = plan_create(request, &err);
    stet_status status = plan == NULL ? STET_NO_MEMORY : read_merge(request, plan, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    const stet_merge merge = {
        .type = request->match.captures[CAPTURE_TYPE],
        .id = request->match.captures[CAPTURE_ID],
        .base_version = plan->terms.base.value,
        .on_conflict = plan->terms.on_conflict,
        .data = plan->data,
        .into_version = plan->into_version,
        .tree = plan->tree,
        .mutation_key = plan->terms.key,
        .dry_run = plan->terms.dry_run,
    };
    status = stet_command_merge(command, &merge, &err);
    if (request_ok(request, status, &err)) request_submit(request, terms_reply);
}
