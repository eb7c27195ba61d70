/*
 * Outbound: what the server sends by itself. One thread that takes the deliveries of webhooks out of their lanes and posts them.
 * See README.md.
 */
#ifndef OUTBOUND_OUTBOUND_H
#define OUTBOUND_OUTBOUND_H

#include "core/engine.h"

/* From now on deliveries are made. The thread is started by the first one; all ends with the engine. */
stet_status outbound_start(struct stet_engine *engine, stet_error *err);

#endif
