/*
 * The life of a request.
 *
 *   target known ─▶ headers known: route, gate, limits ─▶ body collected ─▶ handler
 *       handler ─▶ reply at once
 *              └─▶ command submitted: the connection is suspended ─▶ completed ─▶ reply, resume
 *
 * A request dies when both the connection and the response that borrows its memory have let go.
 *
 * Thread: its loop's.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/buffer.h"
#include "doc/doc.h"
#include "http/cookie.h"
#include "http/loop.h"
#include "http/params.h"
#include "http/route.h"

enum { REQUEST_ID_BYTES_MAX = 64 };

struct body;

/* The context of a submitted command. */
struct waiter {
    void (*done)(struct waiter *waiter, stet_command *command);
};

/* Borrowed from the library until the request is completed. Empty: not sent. */
struct headers {
    stet_view host, authorization, accept_encoding, content_type, content_length, transfer_encoding,
        expect;
    stet_view if_match, if_none_match, prefer, idempotency_key, accept, last_event_id;
    stet_view origin, fetch_site, request_method, request_headers;
    stet_view request_id, actor, forwarded_for, forwarded_proto, cookie, csrf, space_id;
    const char *repeated;     /* The name of a header that must not stand twice and does. */
    const char *end_repeated; /* Likewise, of one that says where the request ends. */
    bool blank_in_name;       /* "Content-Length : 5", which others may read as we do not. */
};

struct request {
    struct waiter waiter;
    struct loop *loop;
    struct peer *peer; /* NULL once the connection has let go. */
    unsigned references;
    struct arena arena;

    stet_view target; /* As sent. */
    stet_view path;   /* Without base path and query. */
    enum method method;
    bool head;
    bool http_1_0;
    struct route_match match;
    const struct route_call *call;
    struct headers headers;
    struct params params;
    struct buffer body;
    uint64_t body_discarded;
    stet_view id; /* X-Request-Id. */
    char id_bytes[REQUEST_ID_BYTES_MAX + 1];
    stet_actor actor;
    stet_view credential; /* The token that `identity` was found by; empty: none, or a ticket. */
    bool by_cookie;       /* It came in a cookie. */
    const stet_identity
        *identity; /* Of a token or session; NULL: it is an actor that no one can revoke. */

    stet_space *space;
    stet_command *command;
    void (*next)(struct request *request); /* What to do with the completed command. */
    void (*gone)(struct request *request); /* The client left while we waited; no answer. */
    void (*stop)(struct request *request); /* The server stops while we wait: come to an end. */
    /* Who waits may do so no longer, or with other rights only (bearer.h). why: borrowed. */
    void (*over)(struct request *request, const stet_error *why);
    void (*release)(struct request *request); /* Frees what `state` holds. */
    void *state;                              /* The handler's own. */

    stet_error *refusal; /* Known before the body is; answered after it. */
    int refusal_http;
    bool begun, suspended, answered, failed;
    bool ambiguous;  /* Where it ends may be read in two ways: the connection ends with it. */
    bool accounted;  /* Before its end: it goes on as something else. */
    bool taken_over; /* The socket now belongs to a stream; not an answer of ours. */

    unsigned
        retry_after_s; /* Said with a refusal, when more is known than its status tells; 0: not. */
    int http;          /* The answer's code; 0: none yet. */
    uint64_t reply_bytes;
    int64_t started_ns;
    struct request *pool_next;
};

static inline stet_actor request_actor(const struct request *request) { return request->actor; }

/* ---- What handlers end in ---- */

enum { REPLY_HEADERS_MAX = 6 };

struct reply {
    int http;
    stet_view body;           /* In the request's arena or its command's outcome; not copied. */
    const char *content_type; /* NULL: application/json. */
    stet_version etag;        /* STET_VERSION_NONE: none. */
    const char *cache;        /* NULL: the usual of its method. */
    const char *vary;         /* What of the request it depends on; NULL: on who asks. */
    struct {
        const char *name;
        const char *value; /* Copied by the library. */
    } extra[REPLY_HEADERS_MAX];
    unsigned extra_count;
    bool close; /* Not to be used for another request. */
};

/* Answers. Resumes the connection when it was suspended. */
void request_reply(struct request *request, const struct reply *reply);

/* Answers with a response of the handler's own making, which gets the usual headers; the reference
 * to it is taken. */
void request_reply_response(struct request *request, int http, struct MHD_Response *response,
                            const struct reply *reply);

/* A list that takes "after" and "limit" and nothing else: fills the request's command, submits it and answers with its outcome. */
typedef stet_status list_fill(stet_command *command, stet_view after, unsigned limit,
                              stet_error *err);
void request_submit_list(struct request *request, list_fill *fill);

/* Answers with a problem document. err: borrowed. */
void request_refuse(struct request *request, const stet_error *err);
void request_refuse_http(struct request *request, const stet_error *err, int http,
                         stet_view members);
/* The common case: a field of the request is not valid. */
void request_refuse_field(struct request *request, stet_status status, const char *field,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The refusal that is the command's outcome. What its "retry_after" says stands in Retry-After. body: what was asked for, when the
 * refusal's field may be a member of that; NULL: it is none. */
void request_refuse_outcome(struct request *request, int http, const struct body *body);
/* The command's outcome as it is: its body, or its problem. No ETag: that is for records. */
void request_reply_outcome(struct request *request);

/* OPTIONS: Allow, and what a browser asks before it writes. */
void request_reply_options(struct request *request);
/* No answer can be made: ends the connection. */
void request_fail(struct request *request);

/* Opens the space named in the path, or refuses and returns false. */
bool request_open_space(struct request *request);
bool request_open_space_named(struct request *request, stet_view name);

/* A fresh command as request->command, or refuses and returns NULL. */
stet_command *request_command(struct request *request);

/* Submits request->command as `actor`; `next` runs when it is complete, perhaps at once. */
void request_submit_as(struct request *request, const stet_actor *actor,
                       void (*next)(struct request *request));
void request_submit(struct request *request, void (*next)(struct request *request));

/* Suspends the connection: for what waits for something else than request->command. */
void request_wait(struct request *request);

/* Refuses and returns false when status is not STET_OK; for chains of parsing. */
bool request_ok(struct request *request, stet_status status, const stet_error *err);
/* params_finish, likewise. */
bool request_params_done(struct request *request);

/* The whole body; never without bytes, also when it is empty. */
static inline stet_view request_body_view(const struct request *request) {
    stet_view view = buffer_view(&request->body);
    return view.bytes != NULL ? view : (stet_view){.bytes = "", .size = 0};
}

/* The body as JSON: STET_BAD_JSON, STET_TOO_LARGE. doc: lives as long as the request. */
stet_status request_parse_body(struct request *request, struct doc *doc, stet_error *err);

/* Likewise of a body that must be JSON: STET_UNSUPPORTED_MEDIA_TYPE, too. */
stet_status request_json_body(struct request *request, struct doc *doc, stet_error *err);
/* STET_UNSUPPORTED_MEDIA_TYPE; wanted: what the Content-Type must be. */
stet_status request_bad_media(const char *wanted, stet_error *err);

/* ---- Admission (admit.c) ---- */

/* Reads the headers, finds the route and the actor. What is wrong is left in request->refusal. */
void request_admit(struct request *request, struct MHD_Connection *mhd, const char *method,
                   const char *version);
/* STET_FORBIDDEN: a page of a site that was not allowed sends it. */
stet_status request_check_origin(const struct request *request, stet_error *err);

/* ---- Who it is (identify.c) ---- */

#define COOKIE_SESSION VIEW("stet_session")
#define COOKIE_ADMIN VIEW("stet_admin")

/* The cookie that counts here; COOKIE_FOUND: *token, borrowed. *whose: the space whose session it may hold. */
enum cookie_found request_cookie(const struct request *request, stet_view *token, stet_view *whose);
/* Sets the actor, or notes a refusal. */
void request_identify(struct request *request);
/* identity and roles (room for STET_ROLES_MAX): in the request's arena. */
void request_become(struct request *request, const stet_identity *identity, stet_view *roles);
/* Copies an actor with its texts into an arena. False: memory is out. */
bool actor_keep(struct arena *arena, const stet_actor *actor, stet_actor *copy);
/* The space in the path; "stet" where there is none. */
stet_view request_space_name(const struct request *request);
bool request_is_server_admin(const struct request *request);

/* Notes a refusal unless there is one. http 0: the status table's. */
void request_refuse_later(struct request *request, const stet_error *err, int http);

/* ---- For the loop ---- */

/* The body's deadline has passed: 408 where it can be said, then the end. */
void request_expired(struct request *request);
/* The client has left while the request waited. */
void request_abandon(struct request *request);
/* Completes the peer's request, if any, when the library will not: it refused it by itself. */
void request_forget(struct peer *peer);

void *request_callback_target(void *loop, const char *target, struct MHD_Connection *mhd);
enum MHD_Result request_callback_handle(void *loop, struct MHD_Connection *mhd, const char *url,
                                        const char *method, const char *version,
                                        const char *upload_data, size_t *upload_data_size,
                                        void **context);
void request_callback_completed(void *loop, struct MHD_Connection *mhd, void **context,
                                enum MHD_RequestTerminationCode code);
void request_unref(struct request *request);
void request_pool_done(struct loop *loop);

/* The headers every answer carries, given to `add` one by one: for answers made by hand. vary: as in struct reply. */
void request_common_headers(struct request *request, const char *vary,
                            void (*add)(void *context, const char *name, const char *value),
                            void *context);

/* One line in the access log, and the counters. */
void request_account(struct request *request, bool complete);

#endif
