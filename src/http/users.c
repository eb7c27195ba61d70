/*
 * The users of a space, and the links by which they come in for the first time or again.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/handlers.h"
#include "http/people.h"
#include "http/terms.h"

void people_made(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status != STET_OK) {
        request_reply_outcome(request);
        return;
    }
    struct reply reply = {.http = 201, .body = outcome->body, .cache = "no-store"};
    request_reply(request, &reply);
}

/* ---- Users ---- */

void handle_user_list(struct request *request) {
    request_submit_list(request, stet_command_user_list);
}

void handle_user_get(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_user_get(command, request->match.captures[CAPTURE_ID], &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

static stet_status read_user(struct request *request, struct body *body, stet_user *user,
                             stet_error *err) {
    const member_set members = MEMBER_BIT(MEMBER_ID) | MEMBER_BIT(MEMBER_NAME) |
                               MEMBER_BIT(MEMBER_EMAIL) | MEMBER_BIT(MEMBER_ROLES) |
                               MEMBER_BIT(MEMBER_SCOPES) | MEMBER_BIT(MEMBER_DISABLED) |
                               MEMBER_BIT(MEMBER_PASSWORD);
    stet_status status = people_body(request, body, members, err);
    if (status == STET_OK) status = people_text(body, MEMBER_ID, &user->id, err);
    if (status == STET_OK) status = body_text(body, MEMBER_NAME, &user->name, err);
    if (status == STET_OK) status = body_text(body, MEMBER_EMAIL, &user->email, err);
    if (status == STET_OK)
        status = body_texts(body, MEMBER_ROLES, &user->roles, &user->role_count, err);
    if (status == STET_OK) status = people_scopes(body, &user->scopes, err);
    if (status == STET_OK) status = body_flag(body, MEMBER_DISABLED, &user->disabled, err);
    if (status == STET_OK) status = body_text(body, MEMBER_PASSWORD, &user->password, err);
    return status;
}

void handle_user_create(struct request *request) {
    stet_error err;
    struct body body;
    stet_user user = {0};
    stet_status status = read_user(request, &body, &user, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_user_create(command, &user, &err);
    if (status != STET_OK) body_point(&body, &err);
    if (request_ok(request, status, &err)) request_submit(request, people_made);
}

void handle_user_patch(struct request *request) {
    stet_error err;
    struct terms terms = {0};
    struct doc doc;
    enum media media = media_parse(request->headers.content_type);
    stet_status status = terms_read(&terms, request, TERMS_BASE_VERSION, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (status == STET_OK && media != MEDIA_JSON && media != MEDIA_MERGE_PATCH)
        status = request_bad_media("application/merge-patch+json", &err);
    if (status == STET_OK) status = request_parse_body(request, &doc, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_user_patch(command, request->match.captures[CAPTURE_ID],
                                     request_body_view(request), terms.base, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

void handle_user_password(struct request *request) {
    stet_error err;
    struct body body;
    stet_password_change change = {.user = request->match.captures[CAPTURE_ID],
                                   .address = people_address(request)};
    stet_status status = people_body(request, &body, MEMBER_BIT(MEMBER_NEW), &err);
    if (status == STET_OK) status = people_text(&body, MEMBER_NEW, &change.new_password, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_password(command, &change, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

/* ---- Links ---- */

static stet_status read_kind(const struct body *body, stet_link_kind *kind, stet_error *err) {
    stet_view text = {0};
    stet_status status = people_text(body, MEMBER_KIND, &text, err);
    if (status != STET_OK) return status;
    if (view_equal(text, VIEW("invite"))) {
        *kind = STET_LINK_INVITE;
    } else if (view_equal(text, VIEW("reset"))) {
        *kind = STET_LINK_RESET;
    } else {
        status = body_bad(body, MEMBER_KIND, "must be \"invite\" or \"reset\"", err);
    }
    return status;
}

static stet_status read_link(struct request *request, struct body *body, stet_link *link,
                             stet_error *err) {
    const member_set members = MEMBER_BIT(MEMBER_KIND) | MEMBER_BIT(MEMBER_USER) |
                               MEMBER_BIT(MEMBER_NAME) | MEMBER_BIT(MEMBER_ROLES) |
                               MEMBER_BIT(MEMBER_SCOPES) | MEMBER_BIT(MEMBER_TTL_S) |
                               MEMBER_BIT(MEMBER_REPLACE);
    stet_status status = people_body(request, body, members, err);
    if (status == STET_OK) status = read_kind(body, &link->kind, err);
    if (status == STET_OK) status = body_text(body, MEMBER_USER, &link->user, err);
    if (status == STET_OK) status = body_text(body, MEMBER_NAME, &link->name, err);
    if (status == STET_OK)
        status = body_texts(body, MEMBER_ROLES, &link->roles, &link->role_count, err);
    if (status == STET_OK) status = people_scopes(body, &link->scopes, err);
    if (status == STET_OK)
        status = body_unsigned(body, MEMBER_TTL_S, LINK_TTL_S_MAX, &link->expires_s, err);
    if (status == STET_OK) status = body_flag(body, MEMBER_REPLACE, &link->replace, err);
    if (status == STET_OK && link->kind == STET_LINK_RESET && link->user.size == 0)
        status = body_bad(body, MEMBER_USER, "is missing: whose password is reset?", err);
    return status;
}

/* The link as a person gets it. What it is worth stands behind the #, so that no server on the way sees or logs it. */
static void link_made(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    const struct http_server *server = request->loop->server;
    stet_view token = stet_command_secret(request->command);
    if (outcome->status != STET_OK || token.size == 0 || outcome->body.size < 2) {
        people_made(request);
        return;
    }
    stet_view url = view_of(server->options.public_url);
    if (url.size == 0) url = view_of(server->url);
    while (url.size > 0 && url.bytes[url.size - 1] == '/')
        url.size--;
    stet_view body = arena_format(&request->arena, "%.*s,\"url\":\"%.*s/#/link/%.*s/%.*s\"}",
                                  (int)outcome->body.size - 1, outcome->body.bytes, VIEW_ARG(url),
                                  VIEW_ARG(request_space_name(request)), VIEW_ARG(token));
    if (body.bytes == NULL) {
        request_fail(request);
        return;
    }
    struct reply reply = {.http = 201, .body = body, .cache = "no-store"};
    request_reply(request, &reply);
}

void handle_link_create(struct request *request) {
    stet_error err;
    struct body body;
    stet_link link = {0};
    stet_status status = read_link(request, &body, &link, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_link_create(command, &link, &err);
    if (status != STET_OK) body_point(&body, &err);
    if (request_ok(request, status, &err)) request_submit(request, link_made);
}

void handle_link_list(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_link_list(command, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

void handle_link_revoke(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status =
        stet_command_link_revoke(command, request->match.captures[CAPTURE_ID], &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}
