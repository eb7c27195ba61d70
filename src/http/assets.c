/*
 * GET /, /assets/{name}, /sdk/ and /sdk/{name}: the console, and the packages with which applications talk to this server.
 *
 * All of it is the same for everybody and holds nothing of anybody, so nobody is asked who they are. Names of assets hold a hash of
 * their bytes: they are kept for a year, and "/", which names them, is asked for anew each time.
 */
#include "http/assets.h"

#include "base/view.h"
#include "http/handlers.h"
#include "http/request.h"
#include "http/welcome.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { ASSET_PATH_BYTES_MAX = 80, ETAG_BYTES = 24 };

/* Only what this server sends runs on its pages, and they talk to nobody else and stand in nobody else's frame. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'";

/* The console's service worker may answer for the page as well, one folder up, whatever the base path is. */
static const char worker_path[] = "/assets/console-worker.js";

static const struct asset *asset_find(stet_view path) {
    unsigned from = 0, to = asset_count;
    while (from < to) {
        unsigned middle = from + (to - from) / 2;
        stet_view there = view_of(assets[middle].path);
        int order = view_compare(path, there);
        if (order == 0) return &assets[middle];
        if (order < 0) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    return NULL;
}

/* "16 digits", "16 digits-br": each form has a tag of its own, since its bytes are others. */
static void format_tag(const struct asset *asset, enum coding coding, char out[ETAG_BYTES]) {
    const char *name = coding_name(coding);
    int size = snprintf(out, ETAG_BYTES, "\"%s%s%s\"", asset->hash, name == NULL ? "" : "-",
                        name == NULL ? "" : name);
    assert(size > 0 && size < ETAG_BYTES);
    (void)size;
}

static void add_header(struct reply *reply, const char *name, const char *value) {
    assert(reply->extra_count < REPLY_HEADERS_MAX);
    reply->extra[reply->extra_count].name = name;
    reply->extra[reply->extra_count++].value = value;
}

static void reply_asset(struct request *request, const struct asset *asset) {
    bool offered[CODING_COUNT];
    for (int i = 0; i < CODING_COUNT; i++)
        offered[i] = asset->forms[i].bytes != NULL;
    enum coding coding = coding_choose(request->headers.accept_encoding, offered);
    char tag[ETAG_BYTES];
    format_tag(asset, coding, tag);
    stet_view known = request->headers.if_none_match;
    struct reply reply = {
        .http = known.size > 0 && etag_list_names(known, view_of(tag)) ? 304 : 200,
        .body = view_make(asset->forms[coding].bytes, asset->forms[coding].size),
        .content_type = asset->content_type,
        .cache = asset->immutable ? "public, max-age=31536000, immutable" : "public, no-cache",
        .vary = "Accept-Encoding",
    };
    add_header(&reply, "ETag", tag);
    add_header(&reply, "X-Content-Type-Options", "nosniff");
    if (coding != CODING_IDENTITY && reply.http == 200)
        add_header(&reply, "Content-Encoding", coding_name(coding));
    if (strcmp(asset->path, worker_path) == 0) add_header(&reply, "Service-Worker-Allowed", "../");
    if (view_starts(view_of(asset->content_type), VIEW("text/html"))) {
        add_header(&reply, "Content-Security-Policy", policy);
        add_header(&reply, "Referrer-Policy", "no-referrer");
    }
    request_reply(request, &reply);
}

static void refuse_without_memory(struct request *request) {
    stet_error err = {.status = STET_NO_MEMORY, .message = "out of memory"};
    request_refuse(request, &err);
}

/* From "/base" to "/base/". */
static void send_on(struct request *request) {
    stet_view base = request->loop->server->gate.base_path;
    stet_view address = arena_format(&request->arena, "%.*s/", VIEW_ARG(base));
    struct reply reply = {
        .http = 308,
        .content_type = "text/plain",
        .cache = "public, no-cache",
        .vary = "Accept-Encoding",
    };
    if (address.bytes == NULL) {
        refuse_without_memory(request);
        return;
    }
    add_header(&reply, "Location", address.bytes);
    request_reply(request, &reply);
}

void handle_page(struct request *request) {
    if (!request_params_done(request)) return;
    if (request->path.size == 0) {
        send_on(request);
        return;
    }
    const struct asset *asset = asset_find(VIEW("/"));
    if (asset != NULL) {
        reply_asset(request, asset);
    } else {
        reply_welcome(request);
    }
}

/* prefix: with its slash at the end. */
static void reply_named(struct request *request, stet_view prefix, stet_view name) {
    char path[ASSET_PATH_BYTES_MAX];
    const struct asset *asset = NULL;
    if (!request_params_done(request)) return;
    if (prefix.size + name.size <= sizeof path) {
        memcpy(path, prefix.bytes, prefix.size);
        memcpy(path + prefix.size, name.bytes, name.size);
        asset = asset_find(view_make(path, prefix.size + name.size));
    }
    if (asset == NULL) {
        request_refuse_field(request, STET_NOT_FOUND, "path", "there is no file \"%.*s\" here",
                             VIEW_ARG(name));
        return;
    }
    reply_asset(request, asset);
}

void handle_asset(struct request *request) {
    reply_named(request, VIEW("/assets/"), request->match.captures[CAPTURE_NAME]);
}

void handle_package(struct request *request) {
    reply_named(request, VIEW("/sdk/"), request->match.captures[CAPTURE_NAME]);
}

/* ---- What there is to install ---- */

static void append_escaped(struct buffer *buffer, stet_view text) {
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.bytes[i];
        if (byte == '<' || byte == '>' || byte == '&' || byte == '"' || byte == '\'') {
            buffer_append_format(buffer, "&#%d;", byte);
        } else {
            buffer_append_char(buffer, byte);
        }
    }
}

/* Where this server is, as whoever asks sees it. */
static void append_address(struct buffer *buffer, const struct request *request) {
    const struct http_server *server = request->loop->server;
    if (server->gate.public_origin[0] != '\0') {
        append_escaped(buffer, view_of(server->gate.public_origin));
    } else {
        buffer_append_text(buffer, server->tls_cert != NULL ? "https://" : "http://");
        append_escaped(buffer, request->headers.host);
    }
    append_escaped(buffer, server->gate.base_path);
}

void handle_packages(struct request *request) {
    static const stet_view here = {"/sdk/", 5};
    struct buffer page;
    if (!request_params_done(request)) return;
    buffer_init(&page, &request->arena, 0);
    buffer_append_text(&page,
                       "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                       "<meta name=\"color-scheme\" content=\"light dark\">\n"
                       "<title>Packages of Stet " STET_VERSION_TEXT "</title>\n</head>\n<body>\n"
                       "<main>\n<h1>Packages of Stet " STET_VERSION_TEXT "</h1>\n");
    if (asset_find(VIEW("/sdk/stet-client.tgz")) == NULL) {
        buffer_append_text(&page, "<p>This server was built without the web console, and so "
                                  "without the packages.</p>\n");
    } else {
        buffer_append_text(&page, "<p>The client, for browsers and Node.js:</p>\n"
                                  "<pre>npm install ");
        append_address(&page, request);
        buffer_append_text(&page, "/sdk/stet-client.tgz</pre>\n"
                                  "<p>With the hooks and components for React:</p>\n"
                                  "<pre>npm install ");
        append_address(&page, request);
        buffer_append_text(&page, "/sdk/stet-client.tgz ");
        append_address(&page, request);
        buffer_append_text(&page, "/sdk/stet-react.tgz</pre>\n<ul>\n");
        for (unsigned i = 0; i < asset_count; i++) {
            stet_view path = view_of(assets[i].path);
            if (!view_starts(path, here)) continue;
            const char *name = assets[i].path + here.size;
            buffer_append_format(&page, "<li><a href=\"%s\">%s</a> (%zu bytes)</li>\n", name, name,
                                 assets[i].forms[CODING_IDENTITY].size);
        }
        buffer_append_text(&page, "</ul>\n");
    }
    buffer_append_text(&page, "</main>\n</body>\n</html>\n");
    if (buffer_status(&page) != STET_OK) {
        refuse_without_memory(request);
        return;
    }
    struct reply reply = {
        .http = 200,
        .body = buffer_view(&page),
        .content_type = "text/html; charset=utf-8",
        .cache = "no-cache",
        .vary = "Host",
    };
    add_header(&reply, "X-Content-Type-Options", "nosniff");
    add_header(&reply, "Content-Security-Policy", policy);
    add_header(&reply, "Referrer-Policy", "no-referrer");
    request_reply(request, &reply);
}
