/*
 * The settings of a space, and the alerts that they say when to raise.
 */
#include "base/error.h"
#include "base/limits.h"
#include "http/definitions.h"
#include "http/handlers.h"

void handle_settings_get(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_settings_get(command, &err);
    if (request_ok(request, status, &err)) request_submit(request, definition_reply);
}

void handle_settings_put(struct request *request) {
    const unsigned parts = DEFINITION_TERMS | TERMS_ABSENT;
    stet_error err;
    struct definition *settings = NULL;
    stet_status status = definition_begin(request, parts, false, &settings, &err);
    if (status == STET_OK)
        status = definition_read(request, settings, parts, "the space's settings", &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    const struct terms *terms = &settings->terms;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_settings_put(command, settings->text, terms->base, terms->key,
                                       terms->dry_run, &err);
    definition_submit(request, status, &err);
}

void handle_alert_list(struct request *request) {
    stet_error err;
    stet_alert_list list = {0};
    uint64_t limit = 0;
    stet_status status = params_text(&request->params, "state", &list.state, &err);
    if (status == STET_OK)
        status = params_u64(&request->params, "limit", LIST_LIMIT_MAX, &limit, &err);
    if (status == STET_OK) status = params_text(&request->params, "after", &list.after, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    list.limit = (unsigned)limit;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_alert_list(command, &list, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}
