/*
 * Leases and the connections they were claimed over.
 *
 * What a client claimed and never heard of, because it left before the answer was written, is given back at once. A client may also
 * bind what it claims to its connection: when that ends, for whatever reason, what is still held is given back. Either is an ordinary
 * release with the lease's token: a lease that ended meanwhile is none of ours any more, and the release comes to nothing.
 *
 * When giving back fails (memory, a full queue), the lease's own time ends it. When the server stops nothing is given back: leases
 * survive a restart, and the agent has done nothing wrong.
 *
 * A connection's list holds no more than is claimed and unfinished: what is finished over another connection is found when the list
 * has doubled, or the connection idles.
 *
 * Thread: the loop's.
 */
#ifndef HTTP_LEASES_H
#define HTTP_LEASES_H

#include "http/request.h"

/* A command that may claim something, and may wait for it. In the request's arena; first in request->state. */
struct lease_wait {
    bool bind;
    bool waits; /* The client is watched meanwhile; when it leaves, so does its claim. */
    void (*reply)(struct request *request);
};

/* Submits request->command, whose answer names what was claimed: under "operations", or as "next". */
void leases_submit(struct request *request, struct lease_wait *wait);

/* An operation that is finished needs not be given back. */
void leases_unbind(struct peer *peer, stet_view id, uint64_t lease);

/* The connection ends. */
void leases_drop(struct peer *peer);

/* The connection idles: true when it has something bound. The queue is then asked whether that is still so, and the connection goes on
 * or is cut. */
bool leases_keep(struct peer *peer);

#endif
