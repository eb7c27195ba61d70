/*
 * What the routes of people share: bodies with secrets in them, and answers that nobody may keep.
 *
 * Thread: the loop's.
 */
#ifndef HTTP_PEOPLE_H
#define HTTP_PEOPLE_H

#include "http/body.h"
#include "http/request.h"

/* Reads a JSON body with these members. It is wiped when the request is done with. STET_BAD_REQUEST, … */
stet_status people_body(struct request *request, struct body *body, member_set allowed,
                        stet_error *err);
/* A text that has to be there. */
stet_status people_text(const struct body *body, enum member member, stet_view *out,
                        stet_error *err);
/* "scopes" as a set of STET_SCOPE_…; 0 when it is not there. */
stet_status people_scopes(const struct body *body, unsigned *scopes, stet_error *err);

/* The address that the request comes from. */
stet_view people_address(struct request *request);

/* Answers what the command made: 201, and no cache may keep it. */
void people_made(struct request *request);

#endif
