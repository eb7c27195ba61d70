/*
 * Tickets: each stands for an identity in one space, once, for TICKET_TTL_S. Kept in memory and bounded.
 *
 * Thread: any; it has a lock. Takes a time, asks no clock.
 */
#ifndef MODULES_PEOPLE_TICKETS_H
#define MODULES_PEOPLE_TICKETS_H

#include "modules/people/secret.h"

struct tickets;

/* NULL: memory is out. */
struct tickets *tickets_create(void);
void tickets_destroy(struct tickets *tickets);

/* Keeps an identity for whoever brings the secret with this hash. space: an opening of one, which its instance tells apart from all
   others. now: monotonic. STET_TOO_MANY_REQUESTS, STET_NO_MEMORY. */
stet_status tickets_add(struct tickets *tickets, const struct secret_hash *hash, uint64_t space,
                        const stet_identity *identity, int64_t now, stet_error *err);
/* Takes it. False: there is none (any more). */
bool tickets_take(struct tickets *tickets, const struct secret_hash *hash, uint64_t space,
                  int64_t now, stet_identity *identity);

#endif
