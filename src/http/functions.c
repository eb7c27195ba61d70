/*
 * Functions: their definitions, and calling them.
 */
#include "base/error.h"
#include "base/view.h"
#include "http/definitions.h"
#include "http/handlers.h"
#include "http/operations.h"

static stet_view function_name(const struct request *request) {
    return request->match.captures[CAPTURE_NAME];
}

/* ---- Definitions ------------------------------------------------------------------------- */

void handle_function_list(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_function_list(command, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

void handle_function_get(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_function_get(command, function_name(request), &err);
    if (request_ok(request, status, &err)) request_submit(request, definition_reply);
}

static void handle_write(struct request *request, bool deletes) {
    const unsigned parts = DEFINITION_TERMS | TERMS_ABSENT;
    stet_error err;
    struct definition *definition = NULL;
    stet_status status = definition_begin(request, parts, deletes, &definition, &err);
    if (status == STET_OK)
        status = definition_read(request, definition, parts, "the function's definition", &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    const stet_function_write write = {
        .name = function_name(request),
        .deletes = deletes,
        .definition = definition->text,
        .base = definition->terms.base,
        .mutation_key = definition->terms.key,
        .dry_run = definition->terms.dry_run,
    };
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_function_write(command, &write, &err);
    definition_submit(request, status, &err);
}

void handle_function_put(struct request *request) { handle_write(request, false); }
void handle_function_delete(struct request *request) { handle_write(request, true); }

void handle_functions_apply(struct request *request) {
    stet_error err;
    struct definition *all = NULL;
    stet_functions_apply apply = {0};
    stet_status status = definition_begin(request, TERMS_KEY | TERMS_DRY_RUN, false, &all, &err);
    if (status == STET_OK) status = params_flag(&request->params, "prune", &apply.prune, &err);
    if (status == STET_OK) status = definitions_read(request, all, MEMBER_FUNCTIONS, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    apply.functions = all->text;
    apply.mutation_key = all->terms.key;
    apply.dry_run = all->terms.dry_run;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_functions_apply(command, &apply, &err);
    if (request_ok(request, status, &err)) request_submit(request, terms_reply);
}

/* ---- Calls ------------------------------------------------------------------------------- */

struct call {
    struct terms terms;
    struct doc doc;
    stet_view input;
    stet_class class_;
    stet_view lane;
    bool async;
};

static stet_status read_envelope(struct request *request, struct call *call, stet_error *err) {
    struct body body;
    stet_status status = request_parse_body(request, &call->doc, err);
    if (status == STET_OK)
        status = body_read(&body, &request->arena, &call->doc, 0,
                           MEMBER_BIT(MEMBER_INPUT) | MEMBER_BIT(MEMBER_CLASS) |
                               MEMBER_BIT(MEMBER_LANE) | MEMBER_BIT(MEMBER_ASYNC) |
                               terms_members(TERMS_KEY),
                           "", err);
    if (status == STET_OK) status = terms_read_body(&call->terms, &body, err);
    if (status == STET_OK) status = operations_read_class(&body, &call->class_, err);
    if (status == STET_OK) status = body_text(&body, MEMBER_LANE, &call->lane, err);
    if (status == STET_OK) status = body_flag(&body, MEMBER_ASYNC, &call->async, err);
    if (status == STET_OK) body_value(&body, MEMBER_INPUT, &call->input);
    return status;
}

/* As with records: application/json is the input itself, application/stet+json an envelope around it. */
static stet_status read_call(struct request *request, struct call *call, stet_error *err) {
    struct params *params = &request->params;
    stet_status status = terms_read(&call->terms, request, TERMS_KEY | TERMS_DRY_RUN, err);
    if (status == STET_OK) status = operations_take_class(params, &call->class_, err);
    if (status == STET_OK) status = params_text(params, "lane", &call->lane, err);
    if (status == STET_OK) status = params_flag(params, "async", &call->async, err);
    if (status == STET_OK) status = params_finish(params, err);
    if (status != STET_OK) return status;
    enum media media = media_parse(request->headers.content_type);
    if (media == MEDIA_STET) {
        status = read_envelope(request, call, err);
    } else if (request->body.size > 0) {
        if (media != MEDIA_JSON)
            return request_bad_media("application/json or application/stet+json", err);
        call->input = request_body_view(request);
    }
    if (status != STET_OK || call->lane.size == 0 || call->async) return status;
    error_set(err, STET_BAD_REQUEST, "a lane is for calls with \"async\", which become operations");
    error_field(err, "lane", 0);
    return STET_BAD_REQUEST;
}

void handle_function_call(struct request *request) {
    stet_error err;
    struct call call = {0};
    stet_status status = read_call(request, &call, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    if (call.async) {
        const stet_operation_request asked = {
            .function = function_name(request),
            .input = call.input,
            .lane = call.lane,
            .class_ = call.class_,
            .mutation_key = call.terms.key,
            .dry_run = call.terms.dry_run,
        };
        operations_submit(request, &asked, NULL);
        return;
    }
    const stet_function_call asked = {
        .name = function_name(request),
        .input = call.input,
        .class_ = call.class_,
        .mutation_key = call.terms.key,
        .dry_run = call.terms.dry_run,
    };
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_function_call(command, &asked, &err);
    if (status == STET_BAD_JSON && err.field[0] == '\0') error_field(&err, "body", 0);
    if (request_ok(request, status, &err)) request_submit(request, operations_reply);
}
