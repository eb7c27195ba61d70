/*
 * Webhooks: the seam between those who have something to be posted and the runner that posts it (src/outbound), which is above them.
 *
 * A delivery is an operation whose agent is WEBHOOK_AGENT in a lane whose name begins with WEBHOOK_LANE_PREFIX. It is asked for with
 * staging_spawn, whose `handler` says where the runner finds the URL, the secret and the headers at the time of the delivery: the name
 * of a handler, or "stet.settings" with the input's "alert" being the name NAME of an alert there: then the URL is at /alerts/NAME/webhook/url
 * of the record stet.settings/space, and the secret, if any, at /_secrets/NAME. What is posted is the operation's input. Nobody else may use that agent's
 * name: neither to submit operations nor to claim them.
 *
 * Whoever learns that such an operation is queued says so with outbound_wish. The runner then looks at the space's lanes.
 */
#ifndef CORE_OUTBOUND_H
#define CORE_OUTBOUND_H

#include "core/engine.h"

#define WEBHOOK_AGENT VIEW("webhook:")
#define WEBHOOK_LANE_PREFIX VIEW("webhook-")

/* One for each space, zeroed, for as long as the space is open: so wishing cannot fail. */
struct outbound_wish {
    struct outbound_wish *next;
    struct space *space; /* While it is listed: a reference. */
};

/* The space's lanes are to be looked at. Any thread; never blocks. Without a runner nothing happens. */
void outbound_wish(struct space *space, struct outbound_wish *wish);

/* For the runner. wake: called under the lock when something is wished; must not block. NULL: there is no runner any more. */
void outbound_attach(struct stet_engine *engine, void (*wake)(void *context), void *context);
/* The next space, with a reference for the caller, or NULL. */
struct space *outbound_take(struct stet_engine *engine);

#endif
