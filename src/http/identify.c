/*
 * Who sends a request. The first that is there counts, and nothing else is tried when it is not good:
 *
 *   Authorization: Bearer   the token of the data's owner, an API token, or a session's token
 *   ?ticket=                a ticket, where the feed is read
 *   Cookie: stet_session    a session of the people of this space
 *   Cookie: stet_admin      a session of the server's own people
 *   nothing                 with --no-auth: anybody
 *
 * A browser sends cookies along with whatever any page makes it send, so a cookie alone changes nothing: writes need the session's proof
 * in Stet-CSRF as well, which other sites cannot read.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/cookie.h"
#include "http/request.h"

#define SYSTEM_SPACE VIEW("stet")

static void refuse(struct request *request, stet_status status, const char *field,
                   const char *message) {
    stet_error err;
    error_set(&err, status, "%s", message);
    error_field(&err, field, status == STET_BAD_REQUEST ? ACTOR_BYTES_MAX : 0);
    request_refuse_later(request, &err, 0);
}

static bool equal_in_constant_time(stet_view a, stet_view b) {
    if (a.size != b.size) return false;
    unsigned char differs = 0;
    for (size_t i = 0; i < a.size; i++)
        differs |= (unsigned char)(a.bytes[i] ^ b.bytes[i]);
    return differs == 0;
}

stet_view request_space_name(const struct request *request) {
    stet_view name = request->match.captures[CAPTURE_SPACE];
    return name.size > 0 ? name : SYSTEM_SPACE;
}

bool actor_keep(struct arena *arena, const stet_actor *actor, stet_actor *copy) {
    stet_view *roles = arena_alloc(arena, (actor->role_count + 1) * sizeof *roles);
    *copy = *actor;
    copy->id = arena_copy(arena, actor->id);
    copy->session = arena_copy(arena, actor->session);
    copy->roles = roles;
    if (roles == NULL || copy->id.bytes == NULL || copy->session.bytes == NULL) return false;
    for (size_t i = 0; i < actor->role_count; i++) {
        roles[i] = arena_copy(arena, actor->roles[i]);
        if (roles[i].bytes == NULL) return false;
    }
    return true;
}

bool request_is_server_admin(const struct request *request) {
    return request->actor.admin && (request->identity == NULL ||
                                    view_equal(view_of(request->identity->space), SYSTEM_SPACE));
}

/* Who may do everything anyhow may say for whom: Stet-Actor, else `otherwise`. */
static void take_stet_actor(struct request *request, stet_view otherwise) {
    stet_view actor = request->headers.actor;
    stet_error err;
    request->actor = (stet_actor){.id = otherwise, .admin = true};
    if (actor.bytes == NULL) return;
    if (actor.size == 0 || actor.size > ACTOR_BYTES_MAX) {
        refuse(request, STET_BAD_REQUEST, "Stet-Actor", "Stet-Actor must have 1 to 256 bytes");
    } else if (text_check(actor, "Stet-Actor", &err) != STET_OK) {
        request_refuse_later(request, &err, 0);
    } else {
        request->actor.id = actor;
    }
}

/* What a page that follows the feed in the background sends by itself keeps nobody logged in. */
static stet_use use_of(const struct request *request) {
    return request->call != NULL && request->call->access == ACCESS_FEED ? STET_LOOK : STET_USE;
}

/* The space is opened for the request on the way: who its people are is asked there. */
static stet_status ask(struct request *request, stet_view token, stet_identity *identity,
                       stet_error *err) {
    stet_view name = request->match.captures[CAPTURE_SPACE];
    if (name.size > 0 && request->space == NULL) {
        /* That there is none is said later, to those who may know. */
        if (stet_space_open(request->loop->client, name, &request->space, err) != STET_OK)
            request->space = NULL;
    }
    return stet_authenticate_in(request->loop->client, request->space, token, use_of(request),
                                identity, err);
}

/* Sets the actor, or refuses; false then. field: the header it came in. */
static bool identify_token(struct request *request, stet_view token, const char *field) {
    stet_error err;
    stet_identity *identity = arena_alloc(&request->arena, sizeof *identity);
    stet_view *roles = arena_alloc(&request->arena, STET_ROLES_MAX * sizeof *roles);
    if (identity == NULL || roles == NULL) {
        request->failed = true;
        return false;
    }
    stet_status status = ask(request, token, identity, &err);
    if (status != STET_OK) {
        if (status == STET_UNAUTHENTICATED || status == STET_SESSION_ENDED)
            error_field(&err, field, 0);
        request_refuse_later(request, &err, 0);
        return false;
    }
    request_become(request, identity, roles);
    request->credential = token;
    return true;
}

void request_become(struct request *request, const stet_identity *identity, stet_view *roles) {
    request->identity = identity;
    stet_identity_actor(identity, request_space_name(request), roles, &request->actor);
}

/* ---- Authorization ----------------------------------------------------------------------- */

static bool is_local_token(const struct request *request, stet_view token) {
    const char *local = request->loop->server->options.local_token;
    return local != NULL && equal_in_constant_time(token, view_of(local));
}

static void identify_bearer(struct request *request) {
    stet_view scheme = {0};
    stet_view token = request->headers.authorization;
    text_next(&token, ' ', &scheme);
    token = text_trim(token);
    if (token.size == 0 || !view_equal_nocase(scheme, VIEW("Bearer"))) {
        refuse(request, STET_UNAUTHENTICATED, "Authorization",
               "only Authorization: Bearer TOKEN is understood");
    } else if (is_local_token(request, token)) {
        take_stet_actor(request, VIEW("local"));
    } else {
        (void)identify_token(request, token, "Authorization");
    }
}

/* ---- Cookies ----------------------------------------------------------------------------- */

enum cookie_found request_cookie(const struct request *request, stet_view *token,
                                 stet_view *whose) {
    enum cookie_found found = COOKIE_ABSENT;
    stet_view header = request->headers.cookie;
    *whose = request_space_name(request);
    if (!view_equal(*whose, SYSTEM_SPACE)) found = cookie_find(header, COOKIE_SESSION, token);
    if (found != COOKIE_ABSENT) return found;
    *whose = SYSTEM_SPACE;
    return cookie_find(header, COOKIE_ADMIN, token);
}

static void check_csrf(struct request *request) {
    stet_view proof = request->headers.csrf;
    if (request->method == METHOD_GET) return;
    if (equal_in_constant_time(proof, view_of(request->identity->csrf)) && proof.size > 0) return;
    refuse(request, STET_CSRF_REQUIRED, "Stet-CSRF",
           proof.size == 0
               ? "a write with a cookie needs the header Stet-CSRF, as the session says it"
               : "Stet-CSRF is not that of this session: ask for the session again");
}

static void identify_cookie(struct request *request) {
    stet_view token = {0};
    stet_view whose;
    switch (request_cookie(request, &token, &whose)) {
    case COOKIE_ABSENT:
        refuse(request, STET_UNAUTHENTICATED, "Authorization",
               "send a token (Authorization: Bearer TOKEN), or log in");
        return;
    case COOKIE_AMBIGUOUS:
        refuse(request, STET_UNAUTHENTICATED, "Cookie",
               "the session's cookie must stand only once: delete the cookies of this site");
        return;
    case COOKIE_FOUND: break;
    }
    if (!identify_token(request, token, "Cookie")) return;
    request->by_cookie = true;
    const stet_identity *identity = request->identity;
    if (identity->session[0] == '\0' || !view_equal(view_of(identity->space), whose)) {
        refuse(request, STET_UNAUTHENTICATED, "Cookie",
               "what the cookie holds is no session of this space");
        return;
    }
    check_csrf(request);
}

/* ---- Tickets ----------------------------------------------------------------------------- */

/* Used once, by a stream that cannot send headers. */
static void identify_ticket(struct request *request) {
    stet_error err;
    stet_view ticket = {0};
    stet_identity *identity = arena_alloc(&request->arena, sizeof *identity);
    stet_view *roles = arena_alloc(&request->arena, STET_ROLES_MAX * sizeof *roles);
    if (identity == NULL || roles == NULL) {
        request->failed = true;
        return;
    }
    stet_status status = params_text(&request->params, "ticket", &ticket, &err);
    if (status == STET_OK)
        status = stet_space_open(request->loop->client, request_space_name(request),
                                 &request->space, &err);
    if (status == STET_OK)
        status = stet_ticket_redeem(request->loop->client, request->space, ticket, identity, &err);
    if (status == STET_OK) {
        request_become(request, identity, roles);
        return;
    }
    if (status == STET_UNAUTHENTICATED || status == STET_SESSION_ENDED)
        error_field(&err, "ticket", 0);
    request_refuse_later(request, &err, 0);
}

void request_identify(struct request *request) {
    if (request->call->access == ACCESS_FEED && request->headers.authorization.size == 0 &&
        params_has(&request->params, "ticket")) {
        identify_ticket(request);
    } else if (request->headers.authorization.size > 0) {
        identify_bearer(request);
    } else if (request->loop->server->options.no_auth) {
        take_stet_actor(request, VIEW("anonymous"));
    } else {
        identify_cookie(request);
    }
}
