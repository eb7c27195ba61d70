#include "http/bearer.h"

#include "base/error.h"
#include "base/view.h"
#include "http/live.h"
#include "http/stream.h"

#include <stdlib.h>

enum {
    /* The streams are asked about in so many portions, so that many of them do not hold up requests. */
    PORTIONS = 8,
    PORTION_MS = BEARER_CHECK_MS / PORTIONS,
};

/* An identity without the room for the roles it does not have, which are two thirds of it: thousands may wait. */
enum {
    HEAD_BYTES = offsetof(stet_identity, roles),
    TAIL_AT = HEAD_BYTES + sizeof((stet_identity *)NULL)->roles,
    TAIL_BYTES = sizeof(stet_identity) - TAIL_AT,
};

struct bearer {
    unsigned char head[HEAD_BYTES], tail[TAIL_BYTES];
    size_t roles_size;
    char roles[];
};

static void pack(struct bearer *bearer, const stet_identity *identity) {
    memcpy(bearer->head, identity, HEAD_BYTES);
    memcpy(bearer->tail, (const char *)identity + TAIL_AT, TAIL_BYTES);
    if (bearer->roles_size > 0) memcpy(bearer->roles, identity->roles, bearer->roles_size);
}

static void unpack(const struct bearer *bearer, stet_identity *identity) {
    memset(identity, 0, sizeof *identity);
    memcpy(identity, bearer->head, HEAD_BYTES);
    memcpy((char *)identity + TAIL_AT, bearer->tail, TAIL_BYTES);
    if (bearer->roles_size > 0) memcpy(identity->roles, bearer->roles, bearer->roles_size);
}

stet_status bearer_create(const struct request *request, struct bearer **out, stet_error *err) {
    const stet_identity *identity = request->identity;
    *out = NULL;
    if (identity == NULL) return STET_OK;
    size_t roles_size = identity->role_count * sizeof identity->roles[0];
    struct bearer *bearer = calloc(1, sizeof *bearer + roles_size);
    if (bearer == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    bearer->roles_size = roles_size;
    pack(bearer, identity);
    *out = bearer;
    return STET_OK;
}

void bearer_destroy(struct bearer *bearer) { free(bearer); }

/* identity: brought up to date while it is good, so that asking again stays cheap. */
static enum bearer_state ask(struct loop *loop, stet_space *space, stet_identity *identity,
                             stet_error *err) {
    bool changed = false;
    switch (stet_identity_check(loop->client, space, identity, &changed, err)) {
    case STET_OK: break;
    case STET_UNAUTHENTICATED:
    case STET_SESSION_ENDED: return BEARER_OVER;
    default: return BEARER_GOOD; /* It cannot be known now. */
    }
    if (!changed) return BEARER_GOOD;
    error_set(err, STET_BUSY, "your rights were changed meanwhile: ask again");
    return BEARER_CHANGED;
}

enum bearer_state bearer_check(struct loop *loop, stet_space *space, struct bearer *bearer,
                               stet_error *err) {
    stet_identity identity;
    if (bearer == NULL) return BEARER_GOOD;
    unpack(bearer, &identity);
    enum bearer_state state = ask(loop, space, &identity, err);
    if (state == BEARER_GOOD) pack(bearer, &identity);
    return state;
}

enum bearer_state bearer_check_request(const struct request *request, stet_error *err) {
    if (request->identity == NULL) return BEARER_GOOD;
    stet_identity identity = *request->identity;
    return ask(request->loop, request->space, &identity, err);
}

/* ---- Asking again and again -------------------------------------------------------------- */

static bool check_requests(struct loop *loop) {
    bool any = false;
    stet_error err;
    for (struct peer *peer = loop->peers; peer != NULL; peer = peer->next) {
        struct request *request = peer->request;
        if (request == NULL || !request->suspended || request->over == NULL ||
            request->identity == NULL)
            continue;
        any = true;
        enum bearer_state state = bearer_check_request(request, &err);
        if (state == BEARER_GOOD) continue;
        void (*over)(struct request * request, const stet_error *why) = request->over;
        request->over = NULL;
        over(request, &err);
    }
    return any;
}

static void bearer_fire(struct timer *timer) {
    struct loop *loop = (struct loop *)((char *)timer - offsetof(struct loop, bearer_timer));
    bool streams = stream_check_some(loop, PORTIONS);
    bool lives = live_check_some(loop, PORTIONS);
    if (loop->bearer_portion == 0) loop->bearer_requests = check_requests(loop);
    loop->bearer_portion = (loop->bearer_portion + 1) % PORTIONS;
    if ((streams || lives || loop->bearer_requests) && !loop->stopping)
        timer_set(&loop->wheel, timer, loop->now_ms + PORTION_MS);
}

void bearer_watch(struct loop *loop) {
    loop->bearer_requests = true; /* Until it is known. */
    if (timer_is_set(&loop->bearer_timer) || loop->stopping) return;
    loop->bearer_timer.fire = bearer_fire;
    timer_set(&loop->wheel, &loop->bearer_timer, loop->now_ms + PORTION_MS);
}
