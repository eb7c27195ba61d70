/*
 * What the routes of operations share with those of functions, which become operations when asked to.
 *
 * Thread: the loop's.
 */
#ifndef HTTP_OPERATIONS_H
#define HTTP_OPERATIONS_H

#include "http/terms.h"

/* "class" of a body, and of a query. *out stays as it is when there is none. */
stet_status operations_read_class(const struct body *body, stet_class *out, stet_error *err);
stet_status operations_take_class(struct params *params, stet_class *out, stet_error *err);

/* Submits the operation that is asked for, and answers 202. The space is open. body: where it stands, in the request's arena; NULL: it
 * stands in none. */
void operations_submit(struct request *request, const stet_operation_request *asked,
                       const struct body *body);

/* The command's outcome, with Idempotency-Replayed where it is one: for what has neither ETag nor Location. */
void operations_reply(struct request *request);

#endif
