/*
 * Lanes: looking at them, their settings, and whether they take and start operations.
 */
#include "base/error.h"
#include "http/definitions.h"
#include "http/handlers.h"

static stet_view lane_name(const struct request *request) {
    return request->match.captures[CAPTURE_LANE];
}

void handle_lane_list(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_lane_list(command, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

/* Most of what it says is true for the moment only: no ETag. */
void handle_lane_get(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_lane_get(command, lane_name(request), &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

/* Settings are changed one by one, so most do not care what the others are: a base may be named, and need not. */
void handle_lane_put(struct request *request) {
    const unsigned parts = TERMS_BASE_VERSION | TERMS_ABSENT;
    stet_error err;
    struct definition *settings = NULL;
    stet_status status = definition_begin(request, parts, false, &settings, &err);
    if (status == STET_OK)
        status = definition_read(request, settings, parts, "the lane's settings", &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_lane_put(command, lane_name(request), settings->text,
                                   settings->terms.base, &err);
    definition_submit(request, status, &err);
}

static void change_course(struct request *request, stet_lane_move move) {
    stet_error err;
    struct doc doc;
    struct body body;
    stet_status status = params_finish(&request->params, &err);
    if (status == STET_OK && request->body.size > 0) {
        status = request_json_body(request, &doc, &err);
        if (status == STET_OK) status = body_read(&body, &request->arena, &doc, 0, 0, "", &err);
    }
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_lane_move(command, lane_name(request), move, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

void handle_lane_pause(struct request *request) { change_course(request, STET_LANE_PAUSE); }
void handle_lane_resume(struct request *request) { change_course(request, STET_LANE_RESUME); }
void handle_lane_drain(struct request *request) { change_course(request, STET_LANE_DRAIN); }
