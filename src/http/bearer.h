/*
 * In whose name something waits: an event stream, a long poll, a claim, a lock that is not free yet. A request is let in once; what
 * waits is asked about again, at least every BEARER_CHECK_MS, so that logging out, revoking a token or taking a role away ends it
 * within a second.
 *
 * Thread: the loop's.
 */
#ifndef HTTP_BEARER_H
#define HTTP_BEARER_H

#include "http/request.h"

enum { BEARER_CHECK_MS = 400 };

enum bearer_state {
    BEARER_GOOD,
    BEARER_CHANGED, /* They are who they were, with other rights. */
    BEARER_OVER,
};

/* What those who wait are told, as JSON; they end with it. */
#define BEARER_CHANGED_JSON                                                                        \
    "{\"changed\":true,\"detail\":\"your rights were changed: connect again\"}"
#define BEARER_SESSION_ENDED_JSON                                                                  \
    "{\"code\":\"SESSION_ENDED\",\"detail\":\"the session is over: log in again\"}"
#define BEARER_TOKEN_ENDED_JSON                                                                    \
    "{\"code\":\"UNAUTHENTICATED\",\"detail\":\"the token was revoked or has expired\"}"

struct bearer;

/* *out: owned, bearer_destroy; NULL when nothing can end what the request was let in with. STET_NO_MEMORY */
stet_status bearer_create(const struct request *request, struct bearer **out, stet_error *err);
void bearer_destroy(struct bearer *bearer); /* Accepts NULL. */

/* err: filled unless it is BEARER_GOOD. bearer: NULL is good. When it cannot be known, all is as it was. */
enum bearer_state bearer_check(struct loop *loop, stet_space *space, struct bearer *bearer,
                               stet_error *err);
/* Likewise of a request that waits itself. */
enum bearer_state bearer_check_request(const struct request *request, stet_error *err);

/* Starts asking, when something begins to wait. */
void bearer_watch(struct loop *loop);

#endif
