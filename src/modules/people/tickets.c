#include "modules/people/tickets.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

struct ticket {
    struct ticket *next;
    struct secret_hash hash;
    uint64_t space;
    int64_t ends_at;
    stet_identity identity;
};

/* The oldest first: all live for as long, so those that are over stand at the beginning. */
struct tickets {
    pthread_mutex_t lock;
    struct ticket *first, *last;
    size_t count;
};

struct tickets *tickets_create(void) {
    struct tickets *tickets = calloc(1, sizeof *tickets);
    if (tickets != NULL) pthread_mutex_init(&tickets->lock, NULL);
    return tickets;
}

static void drop_first(struct tickets *tickets) {
    struct ticket *first = tickets->first;
    tickets->first = first->next;
    if (tickets->first == NULL) tickets->last = NULL;
    tickets->count--;
    sodium_memzero(first, sizeof *first);
    free(first);
}

void tickets_destroy(struct tickets *tickets) {
    if (tickets == NULL) return;
    while (tickets->first != NULL)
        drop_first(tickets);
    pthread_mutex_destroy(&tickets->lock);
    free(tickets);
}

/* Under the lock. */
static void drop_old(struct tickets *tickets, int64_t now) {
    while (tickets->first != NULL && tickets->first->ends_at <= now)
        drop_first(tickets);
}

/* Whether one more is too many, for this actor or for all. Under the lock. */
static bool is_full(const struct tickets *tickets, const char *actor) {
    size_t own = 0;
    if (tickets->count >= TICKETS_MAX) return true;
    for (const struct ticket *ticket = tickets->first; ticket != NULL; ticket = ticket->next)
        own += strcmp(ticket->identity.actor, actor) == 0;
    return own >= TICKETS_PER_ACTOR_MAX;
}

stet_status tickets_add(struct tickets *tickets, const struct secret_hash *hash, uint64_t space,
                        const stet_identity *identity, int64_t now, stet_error *err) {
    struct ticket *ticket = malloc(sizeof *ticket);
    if (ticket == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a ticket");
    *ticket = (struct ticket){.hash = *hash,
                              .space = space,
                              .ends_at = now + TICKET_TTL_S * CLOCK_NS_PER_S,
                              .identity = *identity};
    pthread_mutex_lock(&tickets->lock);
    drop_old(tickets, now);
    bool full = is_full(tickets, identity->actor);
    if (!full && tickets->last != NULL) tickets->last->next = ticket;
    if (!full && tickets->first == NULL) tickets->first = ticket;
    if (!full) tickets->last = ticket;
    tickets->count += !full;
    pthread_mutex_unlock(&tickets->lock);
    if (!full) return STET_OK;
    free(ticket);
    error_set(err, STET_TOO_MANY_REQUESTS, "too many tickets wait to be used");
    error_field(err, "ticket", TICKETS_PER_ACTOR_MAX);
    return STET_TOO_MANY_REQUESTS;
}

bool tickets_take(struct tickets *tickets, const struct secret_hash *hash, uint64_t space,
                  int64_t now, stet_identity *identity) {
    struct ticket **slot = &tickets->first, *before = NULL;
    bool found = false;
    pthread_mutex_lock(&tickets->lock);
    drop_old(tickets, now);
    while (*slot != NULL &&
           !((*slot)->space == space && secret_equal(hash, secret_text(&(*slot)->hash)))) {
        before = *slot;
        slot = &(*slot)->next;
    }
    struct ticket *ticket = *slot;
    if (ticket != NULL) {
        found = true;
        *identity = ticket->identity;
        *slot = ticket->next;
        if (tickets->last == ticket) tickets->last = before;
        tickets->count--;
    }
    pthread_mutex_unlock(&tickets->lock);
    if (!found) return false;
    sodium_memzero(ticket, sizeof *ticket);
    free(ticket);
    return true;
}
