/*
 * The feed: subscriptions to the changes of a space, as stet.h describes them. Every function here is what the public one of the
 * same name does.
 *
 * Thread: the client's.
 */
#ifndef FEED_FEED_H
#define FEED_FEED_H

#include "core/client.h"
#include "core/space.h"
#include "stet.h"

/* STET_BAD_REQUEST, STET_TOO_LARGE: a filter; err->field says which. STET_FORBIDDEN: a system type that is in no feed. */
stet_status feed_subscribe(stet_client *client, struct space *space, const stet_actor *actor,
                           const stet_feed_options *options, void *context,
                           stet_subscription **subscription, stet_error *err);
void feed_unsubscribe(stet_subscription *subscription); /* Accepts NULL. */
bool feed_next(stet_subscription *subscription, stet_event *event);
void feed_bookmark(stet_subscription *subscription, stet_event *event);
void feed_rewind(stet_subscription *subscription, uint64_t resume);
void *feed_context(const stet_subscription *subscription);
stet_subscription *feed_ready(stet_client *client);

#endif
