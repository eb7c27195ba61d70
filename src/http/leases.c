#include "http/leases.h"

#include "base/error.h"
#include "base/view.h"
#include "http/bearer.h"
#include "http/body.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>

/* So many are bound before it is first asked which of them are finished. */
#define LEASES_LOOKED_AT 64

/* One lease of one connection. */
struct lease {
    struct waiter waiter; /* First: the context of its command. */
    struct loop *loop;
    struct peer *peer; /* NULL: the connection is gone. */
    struct lease *next;
    stet_space *space;
    stet_command *command; /* Under way; NULL: none. */
    uint64_t token;
    /* Who claimed it. Without their session: what they no longer hold is given back also when they logged out. */
    stet_actor actor;
    stet_view id;
    stet_view roles[]; /* The actor's; behind them the texts of all views. */
};

static stet_view lease_id(const struct lease *lease) { return lease->id; }

static stet_view text_put(char **at, stet_view text) {
    char *copy = *at;
    if (text.size > 0) memcpy(copy, text.bytes, text.size);
    *at += text.size;
    return view_make(copy, text.size);
}

static void lease_destroy(struct lease *lease) {
    stet_command_destroy(lease->command);
    stet_space_close(lease->space);
    free(lease);
}

/* NULL: memory is out, or the space is gone. */
static struct lease *lease_create(struct request *request, stet_view id, uint64_t token) {
    const stet_actor *actor = &request->actor;
    size_t size = id.size + actor->id.size + actor->role_count * sizeof(stet_view);
    for (size_t i = 0; i < actor->role_count; i++)
        size += actor->roles[i].size;
    struct lease *lease = calloc(1, sizeof *lease + size);
    if (lease == NULL) return NULL;
    char *text = (char *)&lease->roles[actor->role_count];
    lease->loop = request->loop;
    lease->token = token;
    lease->actor = *actor;
    lease->actor.session = (stet_view){0};
    lease->id = text_put(&text, id);
    lease->actor.id = text_put(&text, actor->id);
    for (size_t i = 0; i < actor->role_count; i++)
        lease->roles[i] = text_put(&text, actor->roles[i]);
    lease->actor.roles = lease->roles;
    if (stet_space_open(request->loop->client, request->match.captures[CAPTURE_SPACE],
                        &lease->space, NULL) == STET_OK)
        return lease;
    lease->space = NULL;
    lease_destroy(lease);
    return NULL;
}

/* False: it was not submitted, and done will not be called. */
static bool lease_submit(struct lease *lease, void (*done)(struct waiter *, stet_command *)) {
    lease->waiter.done = done;
    if (stet_submit(lease->space, &lease->actor, lease->command, &lease->waiter, NULL) != STET_OK)
        return false;
    lease->loop->commands++;
    if (stet_command_is_done(lease->command)) done(&lease->waiter, lease->command);
    return true;
}

/* ---- Giving back ------------------------------------------------------------------------- */

static void lease_returned(struct waiter *waiter, stet_command *command) {
    struct lease *lease = (struct lease *)waiter;
    (void)command;
    lease->loop->commands--;
    lease_destroy(lease);
}

/* Takes the lease, which has no command. */
static void lease_return(struct lease *lease) {
    const stet_operation_failure release = {
        .id = lease_id(lease), .lease = lease->token, .release = true};
    assert(lease->command == NULL);
    lease->command = stet_command_create(lease->loop->client);
    if (lease->command == NULL ||
        stet_command_operation_fail(lease->command, &release, NULL) != STET_OK) {
        lease_destroy(lease);
        return;
    }
    metric_add(&lease->loop->metrics.leases_returned, 1);
    if (!lease_submit(lease, lease_returned)) lease_destroy(lease);
}

/* ---- What was claimed -------------------------------------------------------------------- */

static struct lease *lease_of(struct request *request, const struct doc *doc, doc_node operation) {
    stet_view id;
    uint64_t token;
    doc_node id_node = doc_member(doc, operation, VIEW("id"));
    doc_node lease_node = doc_member(doc, operation, VIEW("lease"));
    doc_node token_node =
        lease_node == DOC_NONE ? DOC_NONE : doc_member(doc, lease_node, VIEW("token"));
    if (id_node == DOC_NONE || token_node == DOC_NONE || !doc_u64(doc, token_node, &token) ||
        doc_string(&request->arena, doc, id_node, &id) != STET_OK)
        return NULL;
    return lease_create(request, id, token);
}

/* The leases that the request's command answers, as a list. Not those for which there is no memory. */
static struct lease *leases_of(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    struct lease *first = NULL;
    struct doc doc;
    if (outcome->status != STET_OK ||
        doc_parse(&request->arena, outcome->body, &body_limits, &doc, NULL) != STET_OK)
        return NULL;
    doc_node next = doc_member(&doc, 0, VIEW("next"));
    doc_node list = doc_member(&doc, next != DOC_NONE ? next : 0, VIEW("operations"));
    doc_node one = list != DOC_NONE ? doc_first(&doc, list) : next;
    while (one != DOC_NONE) {
        struct lease *lease = lease_of(request, &doc, one);
        if (lease != NULL) {
            lease->next = first;
            first = lease;
        }
        one = list != DOC_NONE ? doc_next(&doc, one) : DOC_NONE;
    }
    return first;
}

static void return_all(struct lease *lease) {
    while (lease != NULL) {
        struct lease *next = lease->next;
        lease_return(lease);
        lease = next;
    }
}

/* ---- Binding ----------------------------------------------------------------------------- */

static void look_at(struct peer *peer);

static void bind_all(struct peer *peer, struct lease *lease) {
    while (lease != NULL) {
        struct lease *next = lease->next;
        lease->peer = peer;
        lease->next = peer->leases;
        peer->leases = lease;
        peer->lease_count++;
        lease = next;
    }
    if (peer->lease_count >= LEASES_LOOKED_AT && peer->lease_count >= 2 * peer->lease_count_seen)
        look_at(peer);
}

static void unlink_lease(struct peer *peer, struct lease *lease) {
    struct lease **at = &peer->leases;
    while (*at != lease)
        at = &(*at)->next;
    *at = lease->next;
    peer->lease_count--;
}

/* One whose command is under way is destroyed when that comes back. */
static void let_go(struct lease *lease) {
    lease->peer = NULL;
    lease->token = 0;
    if (lease->command == NULL) lease_destroy(lease);
}

static void looked(struct peer *peer);

void leases_unbind(struct peer *peer, stet_view id, uint64_t token) {
    struct lease *next;
    if (peer == NULL) return;
    for (struct lease *lease = peer->leases; lease != NULL; lease = next) {
        next = lease->next;
        if (lease->token != token || !view_equal(lease_id(lease), id)) continue;
        bool asked = lease->command != NULL;
        unlink_lease(peer, lease);
        let_go(lease);
        if (asked && --peer->leases_asked == 0) looked(peer);
    }
}

void leases_drop(struct peer *peer) {
    struct lease *lease = peer->leases;
    peer->leases = NULL;
    peer->lease_count = 0;
    while (lease != NULL) {
        struct lease *next = lease->next;
        if (peer->loop->stopping) {
            let_go(lease);
        } else if (lease->command != NULL) {
            lease->peer = NULL; /* Given back when the command comes back. */
        } else {
            lease_return(lease);
        }
        lease = next;
    }
}

/* ---- Asking whether it is still held ----------------------------------------------------- */

static bool is_running(struct lease *lease) {
    const stet_outcome *outcome = stet_command_outcome(lease->command);
    struct arena arena;
    struct doc doc;
    arena_init(&arena, 1024);
    /* When it cannot be known it is kept. */
    bool running = outcome->status != STET_OK && outcome->status != STET_NOT_FOUND;
    if (outcome->status == STET_OK) {
        bool parsed = doc_parse(&arena, outcome->body, &body_limits, &doc, NULL) == STET_OK;
        doc_node status = !parsed ? DOC_NONE : doc_pointer(&doc, VIEW("/operations/0/status"));
        running = !parsed ||
                  (status != DOC_NONE && view_equal(doc_text(&doc, status), VIEW("\"running\"")));
    }
    arena_done(&arena);
    return running;
}

/* All have been looked at. */
static void looked(struct peer *peer) {
    peer->lease_count_seen = peer->lease_count;
    if (!peer->leases_wanted) return;
    peer->leases_wanted = false;
    if (peer->phase != PEER_REPLY || peer->request != NULL) return;
    if (peer->lease_count > 0) {
        peer_enter(peer, PEER_REPLY);
    } else {
        peer_cut(peer);
    }
}

static void lease_looked_at(struct waiter *waiter, stet_command *command) {
    struct lease *lease = (struct lease *)waiter;
    struct peer *peer = lease->peer;
    bool running = is_running(lease);
    lease->loop->commands--;
    stet_command_destroy(command);
    lease->command = NULL;
    if (peer == NULL) {
        if (lease->token == 0 || lease->loop->stopping) {
            lease_destroy(lease);
        } else {
            lease_return(lease);
        }
        return;
    }
    if (!running) {
        unlink_lease(peer, lease);
        lease_destroy(lease);
    }
    if (--peer->leases_asked == 0) looked(peer);
}

static void look_at(struct peer *peer) {
    struct lease *next;
    if (peer->leases_asked > 0) return;
    peer->leases_asked = 1; /* This function's own. */
    for (struct lease *lease = peer->leases; lease != NULL; lease = next) {
        stet_view id = lease_id(lease);
        next = lease->next;
        lease->command = stet_command_create(lease->loop->client);
        if (lease->command == NULL) continue;
        peer->leases_asked++;
        if (stet_command_queue_status(lease->command, &id, 1, NULL) == STET_OK &&
            lease_submit(lease, lease_looked_at))
            continue;
        peer->leases_asked--;
        stet_command_destroy(lease->command);
        lease->command = NULL;
    }
    if (--peer->leases_asked == 0) looked(peer);
}

bool leases_keep(struct peer *peer) {
    if (peer->leases == NULL || peer->loop->stopping) return false;
    peer->leases_wanted = true;
    look_at(peer);
    return true;
}

/* ---- The command that claims ------------------------------------------------------------- */

static void wait_cancel(struct request *request) { stet_cancel(request->command); }

static void wait_over(struct request *request, const stet_error *why) {
    request_refuse_later(request, why, 0);
    stet_cancel(request->command);
}

/* The answer did not go out. */
static void answer_lost(struct request *request) {
    if (!request->loop->stopping) return_all(leases_of(request));
}

/* Before the event that says so has been looked at: an answer would seem to be sent, and nobody would read it. */
static bool has_left(const struct peer *peer) {
    struct pollfd one = {.fd = peer->fd, .events = POLLRDHUP};
    return poll(&one, 1, 0) > 0 && (one.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static void wait_done(struct request *request) {
    const struct lease_wait *wait = request->state;
    const stet_outcome *outcome = stet_command_outcome(request->command);
    stet_error err;
    request->gone = NULL;
    request->stop = NULL;
    request->over = NULL;
    if (request->answered || request->peer == NULL) {
        return_all(leases_of(request));
    } else if (outcome->status == STET_CANCELLED && request->loop->stopping) {
        error_set(&err, STET_SHUTTING_DOWN, "the server is stopping");
        request_refuse(request, &err);
    } else if (outcome->status == STET_CANCELLED && request->refusal != NULL) {
        request_refuse(request, request->refusal);
    } else if (has_left(request->peer)) {
        return_all(leases_of(request));
        request_fail(request);
    } else if (wait->bind) {
        bind_all(request->peer, leases_of(request));
        wait->reply(request);
    } else {
        request->gone = answer_lost;
        wait->reply(request);
    }
    request_unref(request);
}

void leases_submit(struct request *request, struct lease_wait *wait) {
    request->state = wait;
    request->references++; /* wait_done's. */
    if (wait->waits) {
        request->gone = wait_cancel;
        request->stop = wait_cancel;
    }
    request_submit(request, wait_done);
    if (request->suspended) {
        if (!wait->waits) return;
        request->over = wait_over;
        bearer_watch(request->loop);
        peer_watch(request->peer);
    } else if (!stet_command_is_done(request->command)) {
        request->gone = NULL;
        request_unref(request); /* Refused: wait_done will not be called. */
    }
}
