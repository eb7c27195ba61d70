/*
 * Mutations as a transaction and a completion say them: `[{"op", "type", "id", …}]`.
 *
 * Thread: the loop's.
 */
#ifndef HTTP_MUTATIONS_H
#define HTTP_MUTATIONS_H

#include "http/body.h"

/**
 * Reads the member "mutations".
 *
 * @param mutations  Out, in the body's arena; texts are borrowed from its document. NULL without any.
 * @return STET_OK
 *         STET_BAD_REQUEST  err->field points into the body.
 *         STET_TOO_LARGE    more than TRANSACTION_MUTATIONS_MAX.
 */
stet_status mutations_read(const struct body *body, stet_mutation **mutations, size_t *count,
                           stet_error *err);

#endif
