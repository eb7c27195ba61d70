/*
 * Sessions over HTTP: logging in, in a cookie or with a token in the answer, and out; who one is; one's sessions; one's password; links
 * that are used once; tickets for streams.
 *
 * What a login brings about goes out once, in the answer that is not kept. The cookie's path is the space, so that a browser sends it
 * nowhere else, and nothing but the server's answer to a logout takes it back: an answer to a request that came too late must not take away
 * the session that another tab began meanwhile.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/write.h"
#include "http/cookie.h"
#include "http/handlers.h"
#include "http/people.h"

#define SYSTEM_SPACE VIEW("stet")

/* ---- What all of them are made of ---- */

static void wipe_body(struct request *request) {
    if (request->body.size > 0) explicit_bzero(request->body.bytes, request->body.size);
}

stet_status people_body(struct request *request, struct body *body, member_set allowed,
                        stet_error *err) {
    struct doc *doc = arena_zalloc(&request->arena, 1, sizeof *doc);
    if (doc == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    request->release = wipe_body;
    stet_status status = params_finish(&request->params, err);
    if (status == STET_OK) status = request_json_body(request, doc, err);
    if (status == STET_OK) status = body_read(body, &request->arena, doc, 0, allowed, "", err);
    return status;
}

stet_status people_text(const struct body *body, enum member member, stet_view *out,
                        stet_error *err) {
    stet_status status = body_text(body, member, out, err);
    if (status == STET_OK && out->size == 0) status = body_bad(body, member, "is missing", err);
    return status;
}

stet_status people_scopes(const struct body *body, unsigned *scopes, stet_error *err) {
    const stet_view *names = NULL;
    size_t count = 0;
    stet_status status = body_texts(body, MEMBER_SCOPES, &names, &count, err);
    for (size_t i = 0; status == STET_OK && i < count; i++) {
        unsigned scope = stet_scope_parse(names[i]);
        if (scope == 0)
            return body_bad(body, MEMBER_SCOPES,
                            "may name read, write, work, priority, operate and export", err);
        *scopes |= scope;
    }
    if (status == STET_OK && body_has(body, MEMBER_SCOPES) && count == 0)
        status = body_bad(body, MEMBER_SCOPES, "must name a scope when it is there", err);
    return status;
}

static const struct sockaddr *peer_address(const struct request *request) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->peer->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info == NULL ? NULL : info->client_addr;
}

stet_view people_address(struct request *request) {
    char text[GATE_ADDRESS_BYTES];
    return arena_copy(&request->arena,
                      gate_client(&request->loop->server->gate, peer_address(request),
                                  request->headers.forwarded_for, text));
}

/* ---- Cookies ---- */

static bool set_cookie(struct request *request, stet_view whose, stet_view token,
                       uint64_t lifetime_s, struct reply *reply) {
    const struct http_server *server = request->loop->server;
    stet_view base = server->gate.base_path;
    bool admin = view_equal(whose, SYSTEM_SPACE);
    struct cookie cookie = {
        .name = admin ? COOKIE_ADMIN : COOKIE_SESSION,
        .value = token,
        .lifetime_s = lifetime_s,
        .path =
            admin ? arena_format(&request->arena, "%.*s/v1", VIEW_ARG(base))
                  : arena_format(&request->arena, "%.*s/v1/%.*s", VIEW_ARG(base), VIEW_ARG(whose)),
        .secure = server->tls_cert != NULL || gate_is_secure(&server->gate, peer_address(request),
                                                             request->headers.forwarded_proto),
    };
    stet_view text =
        cookie.path.bytes == NULL ? cookie.path : cookie_format(&request->arena, &cookie);
    if (text.bytes == NULL) {
        request_fail(request);
        return false;
    }
    reply->extra[reply->extra_count].name = "Set-Cookie";
    reply->extra[reply->extra_count++].value = text.bytes;
    return true;
}

/* Until when the session may last, whatever is done in it. */
static uint64_t lifetime_s(struct request *request, stet_view answer) {
    struct doc doc;
    stet_view text = {0};
    stet_time ends_at = 0;
    int64_t now = clock_wall_ns(clock_system());
    if (doc_parse(&request->arena, answer, &body_limits, &doc, NULL) != STET_OK) return 0;
    doc_node node = doc_member(&doc, 0, VIEW("ends_at"));
    if (node == DOC_NONE || doc_string(&request->arena, &doc, node, &text) != STET_OK ||
        !time_parse(text, &ends_at) || ends_at <= now)
        return 0;
    return (uint64_t)(ends_at - now) / CLOCK_NS_PER_S;
}

/* ---- Logging in ---- */

static void logged_in(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    const bool *show_token = request->state;
    if (outcome->status != STET_OK) {
        request_reply_outcome(request);
        return;
    }
    struct reply reply = {.http = 201, .body = outcome->body, .cache = "no-store"};
    if (!*show_token &&
        !set_cookie(request, request_space_name(request), stet_command_secret(request->command),
                    lifetime_s(request, outcome->body), &reply))
        return;
    request_reply(request, &reply);
}

/* Nobody's: what a login does is done by who logs in. */
static void submit_as_nobody(struct request *request) {
    const stet_actor nobody = {.id = VIEW("anonymous")};
    request_submit_as(request, &nobody, logged_in);
}

void handle_login(struct request *request) {
    stet_error err;
    struct body body;
    stet_login login = {.address = people_address(request)};
    request->state = arena_zalloc(&request->arena, 1, sizeof(bool));
    stet_status status = request->state == NULL
                             ? error_set(&err, STET_NO_MEMORY, "out of memory")
                             : people_body(request, &body,
                                           MEMBER_BIT(MEMBER_USER) | MEMBER_BIT(MEMBER_PASSWORD) |
                                               MEMBER_BIT(MEMBER_NAME) | MEMBER_BIT(MEMBER_TOKEN),
                                           &err);
    if (status == STET_OK) status = people_text(&body, MEMBER_USER, &login.user, &err);
    if (status == STET_OK) status = people_text(&body, MEMBER_PASSWORD, &login.password, &err);
    if (status == STET_OK) status = body_text(&body, MEMBER_NAME, &login.name, &err);
    if (status == STET_OK) status = body_flag(&body, MEMBER_TOKEN, &login.show_token, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    *(bool *)request->state = login.show_token;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_login(command, &login, &err);
    if (status != STET_OK) body_point(&body, &err);
    if (request_ok(request, status, &err)) submit_as_nobody(request);
}

void handle_link_redeem(struct request *request) {
    stet_error err;
    struct body body;
    stet_redemption redemption = {.address = people_address(request)};
    const member_set members = MEMBER_BIT(MEMBER_LINK) | MEMBER_BIT(MEMBER_USER) |
                               MEMBER_BIT(MEMBER_NAME) | MEMBER_BIT(MEMBER_PASSWORD) |
                               MEMBER_BIT(MEMBER_DEVICE) | MEMBER_BIT(MEMBER_TOKEN);
    request->state = arena_zalloc(&request->arena, 1, sizeof(bool));
    stet_status status = request->state == NULL ? error_set(&err, STET_NO_MEMORY, "out of memory")
                                                : people_body(request, &body, members, &err);
    if (status == STET_OK) status = people_text(&body, MEMBER_LINK, &redemption.token, &err);
    if (status == STET_OK) status = body_text(&body, MEMBER_USER, &redemption.user, &err);
    if (status == STET_OK) status = body_text(&body, MEMBER_NAME, &redemption.name, &err);
    if (status == STET_OK) status = people_text(&body, MEMBER_PASSWORD, &redemption.password, &err);
    if (status == STET_OK) status = body_text(&body, MEMBER_DEVICE, &redemption.device, &err);
    if (status == STET_OK) status = body_flag(&body, MEMBER_TOKEN, &redemption.show_token, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    *(bool *)request->state = redemption.show_token;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_link_redeem(command, &redemption, &err);
    if (status != STET_OK) body_point(&body, &err);
    if (request_ok(request, status, &err)) submit_as_nobody(request);
}

/* ---- Logging out ---- */

static void reply_logged_out(struct request *request, stet_view whose, stet_view body) {
    struct reply reply = {.http = 200, .body = body, .cache = "no-store"};
    if (whose.size == 0 || set_cookie(request, whose, (stet_view){0}, 0, &reply))
        request_reply(request, &reply);
}

/* The space whose cookie the request came with; empty: it came with a token. */
static stet_view cookie_space(const struct request *request) {
    return request->headers.authorization.size > 0 ? (stet_view){0}
                                                   : view_of(request->identity->space);
}

static void logged_out(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status == STET_OK) {
        reply_logged_out(request, cookie_space(request), outcome->body);
    } else if (outcome->status == STET_SESSION_ENDED) {
        reply_logged_out(request, cookie_space(request), VIEW("{\"ended\":0}"));
    } else {
        request_reply_outcome(request);
    }
}

/* What is no session any more is logged out already, and its cookie is of no use. */
static bool reply_over_already(struct request *request) {
    stet_view token = {0};
    stet_view whose;
    stet_status status = request->refusal->status;
    if (status != STET_SESSION_ENDED && status != STET_UNAUTHENTICATED) return false;
    if (request->headers.authorization.size > 0 ||
        request_cookie(request, &token, &whose) == COOKIE_ABSENT)
        return false;
    reply_logged_out(request, whose, VIEW("{\"ended\":0}"));
    return true;
}

void handle_logout(struct request *request) {
    stet_error err;
    if (!request_params_done(request)) return;
    request_identify(request);
    if (request->failed) {
        request_fail(request);
    } else if (request->refusal != NULL) {
        if (!reply_over_already(request)) request_refuse(request, request->refusal);
    } else if (!request_open_space(request)) {
        return;
    } else if (request->identity == NULL || request->identity->session[0] == '\0') {
        request_refuse_field(request, STET_FORBIDDEN, "Authorization",
                             "there is no session to end: a token is revoked instead");
    } else {
        /* A session of the server's own people ends where it is, wherever they are. */
        const stet_identity *identity = request->identity;
        stet_view home = view_of(identity->space);
        stet_view roles[STET_ROLES_MAX];
        stet_actor actor;
        stet_identity_actor(identity, home, roles, &actor);
        if (!request_open_space_named(request, home)) return;
        stet_command *command = request_command(request);
        if (command == NULL) return;
        stet_status status = stet_command_session_end(command, (stet_view){0}, &err);
        if (request_ok(request, status, &err)) request_submit_as(request, &actor, logged_out);
    }
}

/* ---- Who one is ---- */

static void write_credential(const struct request *request, struct json_writer *writer) {
    const stet_identity *identity = request->identity;
    if (identity == NULL) {
        bool open = request->headers.authorization.size == 0;
        json_member_text(writer, VIEW("kind"), open ? VIEW("anybody") : VIEW("owner"));
        return;
    }
    bool session = identity->session[0] != '\0';
    json_member_text(writer, VIEW("kind"), session ? VIEW("session") : VIEW("token"));
    json_member_text(writer, VIEW("space"), view_of(identity->space));
    if (session) json_member_text(writer, VIEW("session"), view_of(identity->session));
    if (identity->csrf[0] != '\0') json_member_text(writer, VIEW("csrf"), view_of(identity->csrf));
    if (identity->expires_at != 0) {
        json_key(writer, VIEW("expires_at"));
        json_rfc3339(writer, identity->expires_at);
    }
    if (identity->ends_at != 0) {
        json_key(writer, VIEW("ends_at"));
        json_rfc3339(writer, identity->ends_at);
    }
}

static void write_rights(const struct request *request, struct json_writer *writer) {
    const stet_actor *actor = &request->actor;
    json_member_bool(writer, VIEW("admin"), actor->admin);
    json_member_bool(writer, VIEW("server_admin"), request_is_server_admin(request));
    json_key(writer, VIEW("roles"));
    json_array_begin(writer);
    for (size_t i = 0; i < actor->role_count; i++)
        json_text(writer, actor->roles[i]);
    json_array_end(writer);
    unsigned scopes = actor->scopes == 0 ? STET_SCOPES_DEFAULT : actor->scopes;
    json_key(writer, VIEW("scopes"));
    json_array_begin(writer);
    for (unsigned scope = 1; stet_scope_name(scope) != NULL; scope <<= 1)
        if (actor->admin || (scopes & scope) != 0)
            json_text(writer, view_of(stet_scope_name(scope)));
    json_array_end(writer);
}

void handle_session_get(struct request *request) {
    struct buffer buffer;
    struct json_writer writer;
    stet_error err;
    bool optional = false;
    bool nobody = request->actor.id.size == 0;
    stet_status status = params_flag(&request->params, "optional", &optional, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (status == STET_OK && nobody && !optional) {
        status = STET_UNAUTHENTICATED;
        error_set(&err, status, "send a token (Authorization: Bearer TOKEN), or log in");
        error_field(&err, "Authorization", 0);
    }
    if (!request_ok(request, status, &err)) return;
    /* Whether there is such a space is not for nobody to know. */
    if (!nobody && !request_open_space(request)) return;
    buffer_init(&buffer, &request->arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    if (nobody) {
        json_key(&writer, VIEW("actor"));
        json_null(&writer);
    } else {
        json_member_text(&writer, VIEW("actor"), request->actor.id);
        json_member_text(&writer, VIEW("space_id"), stet_space_id(request->space));
        write_rights(request, &writer);
        write_credential(request, &writer);
    }
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        request_refuse(request, &err);
        return;
    }
    struct reply reply = {.http = 200, .body = buffer_view(&buffer), .cache = "no-store"};
    request_reply(request, &reply);
}

/* ---- One's sessions ---- */

void handle_session_list(struct request *request) {
    stet_error err;
    stet_view user = {0};
    stet_status status = params_text(&request->params, "user", &user, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_session_list(command, user, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

void handle_session_end_all(struct request *request) {
    stet_error err;
    stet_view user = {0};
    bool all = false;
    stet_status status = params_text(&request->params, "user", &user, &err);
    if (status == STET_OK) status = params_flag(&request->params, "all", &all, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_session_end_all(command, user, !all, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

void handle_session_rename(struct request *request) {
    stet_error err;
    struct body body;
    stet_view name = {0};
    stet_status status = people_body(request, &body, MEMBER_BIT(MEMBER_NAME), &err);
    if (status == STET_OK && !body_has(&body, MEMBER_NAME))
        status = body_bad(&body, MEMBER_NAME, "is missing", &err);
    if (status == STET_OK) status = body_text(&body, MEMBER_NAME, &name, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_session_rename(command, request->match.captures[CAPTURE_ID], name, &err);
    if (status != STET_OK) body_point(&body, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

void handle_session_end(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status =
        stet_command_session_end(command, request->match.captures[CAPTURE_ID], &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

void handle_password(struct request *request) {
    stet_error err;
    struct body body;
    stet_password_change change = {.address = people_address(request)};
    stet_status status =
        people_body(request, &body, MEMBER_BIT(MEMBER_OLD) | MEMBER_BIT(MEMBER_NEW), &err);
    if (status == STET_OK) status = people_text(&body, MEMBER_OLD, &change.old_password, &err);
    if (status == STET_OK) status = people_text(&body, MEMBER_NEW, &change.new_password, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_password(command, &change, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

/* ---- Tickets ---- */

static void reply_ticket(struct request *request, const stet_ticket *ticket) {
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, &request->arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("ticket"), view_of(ticket->text));
    json_key(&writer, VIEW("expires_at"));
    json_rfc3339(&writer, ticket->expires_at);
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK) {
        request_fail(request);
        return;
    }
    struct reply reply = {.http = 201, .body = buffer_view(&buffer), .cache = "no-store"};
    request_reply(request, &reply);
}

void handle_ticket_create(struct request *request) {
    stet_error err;
    stet_ticket ticket;
    stet_identity *identity = arena_zalloc(&request->arena, 1, sizeof *identity);
    if (!request_params_done(request) || !request_open_space(request)) return;
    if (identity == NULL) {
        request_fail(request);
        return;
    }
    if (request->identity != NULL) {
        *identity = *request->identity;
    } else {
        memcpy(identity->actor, request->actor.id.bytes, request->actor.id.size);
        identity->admin = true;
    }
    stet_status status =
        stet_ticket_create(request->loop->client, request->space, identity, &ticket, &err);
    if (request_ok(request, status, &err)) reply_ticket(request, &ticket);
}
