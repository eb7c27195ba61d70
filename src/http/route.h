/*
 * Routes: one table says which path takes which methods, what handles them, how large a body may be
 * and who may call. Matching, 405 with Allow, OPTIONS and the metrics' labels all come from it.
 */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "base/arena.h"
#include "stet.h"

enum method {
    METHOD_GET,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_COUNT,
    METHOD_HEAD = METHOD_COUNT, /* Served as GET. */
    METHOD_OPTIONS,
    METHOD_OTHER,
};

enum access {
    ACCESS_NONE,
    ACCESS_LOGIN,   /* Nobody is asked who they are: that is what it is about. */
    ACCESS_LEAVE,   /* The handler finds out: a session that is over is an answer there. */
    ACCESS_PERSON,  /* An actor, also of the space "stet". */
    ACCESS_ASK,     /* Likewise; who asks for it (`optional`) may be nobody. */
    ACCESS_ACTOR,   /* An actor; in the space "stet" an administrator. */
    ACCESS_FEED,    /* Likewise; a session is not used by it, so that a forgotten page times out. */
    ACCESS_ADMIN,   /* An administrator of the space. */
    ACCESS_SERVER,  /* An administrator of the server. */
    ACCESS_METRICS, /* Anybody where only this machine can listen, else the server's. */
};

/* What stands in a path between the fixed words. */
enum capture {
    CAPTURE_SPACE,
    CAPTURE_TYPE,
    CAPTURE_ID,
    CAPTURE_KEY,
    CAPTURE_TOKEN,
    CAPTURE_LANE,
    CAPTURE_NAME,
    CAPTURE_COUNT
};

struct request;
typedef void route_handler(struct request *request);

struct route_call {
    route_handler *handle; /* NULL: the method is not allowed. */
    enum access access;
    size_t body_bytes_max;
    /* The operation's id in docs/openapi.yaml: programs are generated from it, so it never changes. */
    const char *operation;
};

enum { ROUTE_SEGMENTS_MAX = 6, ROUTES_MAX = 96 };

struct route {
    const char *pattern; /* "/v1/{space}/stats" */
    struct route_call calls[METHOD_COUNT];
};

extern const struct route routes[];
extern const unsigned route_count;

struct route_match {
    const struct route *route;         /* NULL: no such path. */
    stet_view captures[CAPTURE_COUNT]; /* Decoded; borrowed from the path or in the arena. */
};

enum method method_parse(stet_view text);
const char *method_name(enum method method); /* "GET"; "OTHER" for what is not known. */

/**
 * Finds the route of a path. Segments are split first and decoded then, so an encoded slash belongs
 * to its segment.
 *
 * @param path  Raw, without query and base path.
 * @return STET_OK          match->route may be NULL.
 *         STET_BAD_REQUEST a segment is not valid; err->field says which ("id").
 */
stet_status route_find(struct arena *arena, stet_view path, struct route_match *match,
                       stet_error *err);

/* "GET, HEAD, PUT, OPTIONS" into out (ROUTE_ALLOW_BYTES with the NUL). */
enum { ROUTE_ALLOW_BYTES = 64 };
void route_allow(const struct route *route, char out[ROUTE_ALLOW_BYTES]);

#endif
