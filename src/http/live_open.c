/*
 * GET …/live: the handshake, up to where the connection is ours.
 */
#include "base/error.h"
#include "base/view.h"
#include "http/bearer.h"
#include "http/handlers.h"
#include "http/live_connection.h"
#include "http/websocket.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SUBPROTOCOL "stet.v1"

/* ---- What is asked for ---- */

/* Only looked for here, so that other requests pay nothing for them. */
struct asked {
    stet_view upgrade, connection, key, version;
    bool repeated; /* One of the last two. */
    bool speaks;   /* The subprotocol is offered. */
};

static void take_once(struct asked *asked, stet_view *out, stet_view value) {
    if (out->bytes != NULL) asked->repeated = true;
    *out = value;
}

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *key,
                                   size_t key_size, const char *text, size_t text_size) {
    struct asked *asked = context;
    stet_view name = view_make(key, key_size);
    stet_view value = text_trim(view_make(text == NULL ? "" : text, text_size));
    (void)kind;
    if (view_equal_nocase(name, VIEW("Upgrade"))) asked->upgrade = value;
    if (view_equal_nocase(name, VIEW("Connection"))) asked->connection = value;
    if (view_equal_nocase(name, VIEW("Sec-WebSocket-Key"))) take_once(asked, &asked->key, value);
    if (view_equal_nocase(name, VIEW("Sec-WebSocket-Version")))
        take_once(asked, &asked->version, value);
    if (view_equal_nocase(name, VIEW("Sec-WebSocket-Protocol")) &&
        websocket_names(value, VIEW(SUBPROTOCOL)))
        asked->speaks = true;
    return MHD_YES;
}

static void refuse_upgrade(struct request *request, const char *field, const char *message) {
    stet_error err;
    error_set(&err, STET_UPGRADE_REQUIRED, "%s", message);
    error_field(&err, field, 0);
    request_refuse(request, &err);
}

/* False: refused. */
static bool read_handshake(struct request *request, struct asked *asked) {
    stet_error err;
    (void)MHD_get_connection_values_n(request->peer->mhd, MHD_HEADER_KIND, take_header, asked);
    if (request->head || request->http_1_0 || !websocket_names(asked->upgrade, VIEW("websocket")) ||
        !websocket_names(asked->connection, VIEW("upgrade"))) {
        refuse_upgrade(request, "Upgrade", "here is only a WebSocket: see docs/live.md");
        return false;
    }
    if (!view_equal(asked->version, VIEW("13"))) {
        refuse_upgrade(request, "Sec-WebSocket-Version", "only version 13 is spoken here");
        return false;
    }
    if (asked->repeated || !websocket_key_is_valid(asked->key)) {
        request_refuse_field(request, STET_BAD_REQUEST, "Sec-WebSocket-Key",
                             "the key must be 16 bytes in base64, and stand once");
        return false;
    }
    if (!asked->speaks) {
        request_refuse_field(request, STET_BAD_REQUEST, "Sec-WebSocket-Protocol",
                             "the subprotocol " SUBPROTOCOL " must be offered");
        return false;
    }
    return request_ok(request, request_check_origin(request, &err), &err);
}

/* ---- The connection ---- */

static bool keep_texts(struct live *live, const struct request *request) {
    struct arena *arena = &live->arena;
    if (!actor_keep(arena, &request->actor, &live->actor)) return false;
    live->space_name = arena_copy(arena, request->match.captures[CAPTURE_SPACE]);
    live->request_id = arena_copy(arena, request->id);
    live->credential = arena_copy(arena, request->credential);
    if (request->by_cookie) live->csrf = arena_copy(arena, view_of(request->identity->csrf));
    return live->space_name.bytes != NULL && live->request_id.bytes != NULL &&
           live->credential.bytes != NULL && (!request->by_cookie || live->csrf.bytes != NULL);
}

static struct live *live_create(struct request *request, stet_error *err) {
    struct live *live = calloc(1, sizeof *live);
    if (live == NULL) {
        error_set(err, STET_NO_MEMORY, "out of memory");
        return NULL;
    }
    live->loop = request->loop;
    live->wire.fd = -1;
    arena_init(&live->arena, 512);
    live->proven = !request->by_cookie;
    if (keep_texts(live, request) && bearer_create(request, &live->bearer, err) == STET_OK)
        return live;
    error_set(err, STET_NO_MEMORY, "out of memory");
    live_free(live);
    return NULL;
}

/* ---- Without TLS: the socket is taken over ---- */

static bool take_socket(struct request *request, struct live *live) {
    struct live_wire wire = {.fd = fcntl(request->peer->fd, F_DUPFD_CLOEXEC, 0)};
    if (wire.fd < 0) return false;
    if (!live_start(live, &wire)) {
        close(wire.fd);
        return false;
    }
    atomic_fetch_add(&request->loop->server->connections, 1);
    request->taken_over = true;
    return true;
}

/* ---- With TLS: the library's connection is suspended, and its session ours ---- */

/* The library ends it, or its client is gone. */
static void session_gone(struct request *request) {
    struct live *live = request->state;
    if (live == NULL) return;
    request->state = NULL;
    live->request = NULL;
    live_die(live);
}

static bool take_session(struct request *request, struct live *live) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->peer->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    struct live_wire wire = {.fd = request->peer->fd};
    if (info == NULL || info->tls_session == NULL) return false;
    wire.tls = info->tls_session;
    if (!live_start(live, &wire)) return false;
    live->request = request;
    request->state = live;
    request->gone = session_gone;
    request->release = session_gone;
    request_wait(request);
    return true;
}

/* ---- Both ---- */

static void add_line(void *context, const char *name, const char *value) {
    buffer_append_format(context, "%s: %s\r\n", name, value);
}

/* The first of what is sent. */
static bool write_head(struct request *request, struct live *live, stet_view key) {
    char accept[WEBSOCKET_ACCEPT_BYTES + 1];
    char date[40];
    struct tm tm;
    struct buffer head;
    time_t now = time(NULL);
    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    if (!websocket_accept(key, accept)) return false;
    buffer_init(&head, NULL, 0);
    buffer_append_format(&head,
                         "HTTP/1.1 101 Switching Protocols\r\nDate: %s\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
                         "Sec-WebSocket-Protocol: " SUBPROTOCOL "\r\n",
                         date, accept);
    request_common_headers(request, NULL, add_line, &head);
    buffer_append_text(&head, "\r\n");
    live->rest = head.bytes;
    live->rest_size = head.size;
    return buffer_status(&head) == STET_OK;
}

void handle_live(struct request *request) {
    stet_error err;
    struct asked asked = {0};
    stet_view ticket; /* Used up when the actor was found out, unless Authorization beat it. */
    stet_status status = params_text(&request->params, "ticket", &ticket, &err);
    if (!request_ok(request, status, &err) || !request_params_done(request) ||
        !request_open_space(request) || !read_handshake(request, &asked))
        return;
    struct live *live = live_create(request, &err);
    if (live == NULL) {
        request_refuse(request, &err);
        return;
    }
    live->space = request->space;
    request->space = NULL;
    bool tls = request->loop->server->tls_cert != NULL;
    if (write_head(request, live, asked.key) &&
        (tls ? take_session(request, live) : take_socket(request, live))) {
        request->http = 101;
        request->accounted = true;
        request_account(request, true);
        return;
    }
    live_free(live);
    error_set(&err, STET_NO_MEMORY, "out of memory");
    request_refuse(request, &err);
}
