/*
 * From an operation to a request: where to, signed with what, and with which body. The definition is looked up when it is delivered, so
 * what changed since the operation was queued counts, and no operation holds a secret.
 *
 * The body is the operation's input with "delivery" and "space" before it, and with the data of the change where the operation only
 * says where they stand.
 */
#ifndef OUTBOUND_DELIVERY_H
#define OUTBOUND_DELIVERY_H

#include "core/client.h"
#include "outbound/post.h"

/**
 * @param operation  As a claim answers it.
 * @param seconds    The time that is signed.
 * @param request    Out: all of it in the arena.
 *
 * @return STET_OK
 *         STET_NOT_FOUND   nobody wants it posted any more: the handler is gone, or reacts otherwise now.
 *         STET_IO, STET_CORRUPT, STET_NO_MEMORY
 */
stet_status delivery_compose(stet_client *client, struct space *space, struct arena *arena,
                             const struct doc *operation, doc_node node, int64_t seconds,
                             struct post_request *request, stet_error *err);

#endif
