/*
 * Types: definitions one by one, and a whole schema at once.
 */
#include "base/error.h"
#include "http/definitions.h"
#include "http/handlers.h"

/* ---- Reading ----------------------------------------------------------------------------- */

void handle_type_list(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_type_list(command, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

void handle_type_get(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status =
        stet_command_type_get(command, request->match.captures[CAPTURE_TYPE], &err);
    if (request_ok(request, status, &err)) request_submit(request, definition_reply);
}

/* ---- Writing ----------------------------------------------------------------------------- */

static void handle_write(struct request *request, bool deletes) {
    const unsigned parts = DEFINITION_TERMS | TERMS_ABSENT;
    stet_error err;
    struct definition *definition = NULL;
    stet_type_write write = {.name = request->match.captures[CAPTURE_TYPE], .deletes = deletes};
    stet_status status = definition_begin(request, parts, deletes, &definition, &err);
    if (status == STET_OK) status = params_flag(&request->params, "force", &write.force, &err);
    if (status == STET_OK)
        status = definition_read(request, definition, parts, "the type's definition", &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    write.definition = definition->text;
    write.base = definition->terms.base;
    write.mutation_key = definition->terms.key;
    write.dry_run = definition->terms.dry_run;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_type_write(command, &write, &err);
    definition_submit(request, status, &err);
}

void handle_type_put(struct request *request) { handle_write(request, false); }
void handle_type_delete(struct request *request) { handle_write(request, true); }

/* ---- A whole schema ---------------------------------------------------------------------- */

void handle_types_apply(struct request *request) {
    stet_error err;
    struct definition *all = NULL;
    stet_types_apply apply = {0};
    stet_status status = definition_begin(request, TERMS_KEY | TERMS_DRY_RUN, false, &all, &err);
    if (status == STET_OK) status = params_flag(&request->params, "force", &apply.force, &err);
    if (status == STET_OK) status = params_flag(&request->params, "prune", &apply.prune, &err);
    if (status == STET_OK) status = definitions_read(request, all, MEMBER_TYPES, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    apply.types = all->text;
    apply.mutation_key = all->terms.key;
    apply.dry_run = all->terms.dry_run;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_types_apply(command, &apply, &err);
    if (request_ok(request, status, &err)) request_submit(request, terms_reply);
}
