/*
 * POST …/records/{type}/{id}/purge: a record is erased for good. A body with a reason is required, so that nobody does it by a slip.
 */
#include "base/error.h"
#include "base/view.h"
#include "http/body.h"
#include "http/handlers.h"
#include "http/params.h"
#include "http/request.h"

void handle_purge(struct request *request) {
    stet_error err;
    struct doc doc;
    struct body body;
    stet_purge purge = {.type = request->match.captures[CAPTURE_TYPE],
                        .id = request->match.captures[CAPTURE_ID]};
    stet_status status = params_flag(&request->params, "dry_run", &purge.dry_run, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (status == STET_OK) status = request_json_body(request, &doc, &err);
    if (status == STET_OK)
        status = body_read(&body, &request->arena, &doc, 0, MEMBER_BIT(MEMBER_REASON), "", &err);
    if (status == STET_OK) status = body_text(&body, MEMBER_REASON, &purge.reason, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_purge(command, &purge, &err);
    if (status != STET_OK) body_point(&body, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}
