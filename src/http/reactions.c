/*
 * Handlers, which react to changes. (A route's own handler is something else: handlers.h.)
 */
#include "base/error.h"
#include "http/definitions.h"
#include "http/handlers.h"

static stet_view handler_name(const struct request *request) {
    return request->match.captures[CAPTURE_NAME];
}

void handle_handler_list(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_handler_list(command, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

/* With how far it has come, which its version does not tell: no ETag. */
void handle_handler_get(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_handler_get(command, handler_name(request), &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

static void handle_write(struct request *request, bool deletes) {
    const unsigned parts = DEFINITION_TERMS | TERMS_ABSENT;
    stet_error err;
    struct definition *definition = NULL;
    stet_status status = definition_begin(request, parts, deletes, &definition, &err);
    if (status == STET_OK)
        status = definition_read(request, definition, parts, "the handler's definition", &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    const stet_handler_write write = {
        .name = handler_name(request),
        .deletes = deletes,
        .definition = definition->text,
        .base = definition->terms.base,
        .mutation_key = definition->terms.key,
        .dry_run = definition->terms.dry_run,
    };
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_handler_write(command, &write, &err);
    definition_submit(request, status, &err);
}

void handle_handler_put(struct request *request) { handle_write(request, false); }
void handle_handler_delete(struct request *request) { handle_write(request, true); }
