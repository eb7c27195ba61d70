/*
 * What settling one conflict and settling many have in common. Thread: the loop's.
 */
#ifndef HTTP_CONFLICTS_H
#define HTTP_CONFLICTS_H

#include "http/body.h"
#include "http/request.h"

#define CONFLICTS_CHOICE_MEMBERS                                                                   \
    (MEMBER_BIT(MEMBER_RESOLUTION_TOKEN) | MEMBER_BIT(MEMBER_CHOICE) | MEMBER_BIT(MEMBER_FIELDS) | \
     MEMBER_BIT(MEMBER_DATA) | MEMBER_BIT(MEMBER_YOURS))

/* Token, choice, yours, fields and data of one. */
stet_status conflicts_read_choice(const struct body *body, stet_conflict_resolution *resolution,
                                  stet_error *err);

/* Which conflicts, from the query. */
stet_status conflicts_take_filter(struct params *params, stet_conflict_list *list, stet_error *err);

/* dry_run, and nothing else that a write may say. Finishes the parameters. */
stet_status conflicts_take_terms(struct request *request, bool *dry_run, stet_error *err);

#endif
