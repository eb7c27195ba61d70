/*
 * How often somebody may try: a bucket of attempts for each account and each address, filled again at an even pace. The memory is bounded: in
 * a table of fixed size the newcomer takes the place of whoever tried longest ago among those that share its row. Keys are hashed under a
 * key of the table's own, so that nobody can choose whom they push out.
 *
 * Thread: any; it has a lock. Takes a time, asks no clock.
 */
#ifndef MODULES_PEOPLE_ATTEMPTS_H
#define MODULES_PEOPLE_ATTEMPTS_H

#include "base/clock.h"

struct attempts;

/* NULL: memory is out. */
struct attempts *attempts_create(const struct entropy *entropy);
void attempts_destroy(struct attempts *attempts);

enum attempts_kind { ATTEMPTS_ACCOUNT, ATTEMPTS_ADDRESS };

/* Takes one attempt. False: there is none left; *wait_s says after how many seconds there will be. scope: the space, so that its people's
   names are its own; not looked at for addresses. now: monotonic. */
bool attempts_take(struct attempts *attempts, enum attempts_kind kind, stet_view scope,
                   stet_view name, int64_t now, uint64_t *wait_s);
/* Gives one back: it succeeded. */
void attempts_give(struct attempts *attempts, enum attempts_kind kind, stet_view scope,
                   stet_view name, int64_t now);

#endif
