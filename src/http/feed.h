/*
 * What a subscriber of the feed asks for, in the words of the query and of a message alike.
 *
 * Thread: any.
 */
#ifndef HTTP_FEED_H
#define HTTP_FEED_H

#include "base/arena.h"
#include "base/limits.h"
#include "stet.h"

/**
 * Adds what `events` names: "conflict" or "operation".
 *
 * @return STET_OK, STET_BAD_REQUEST: it is something else; err->field is "events". STET_NO_MEMORY
 */
stet_status feed_add_events(struct arena *arena, stet_feed_options *options, stet_view name,
                            stet_error *err);

/**
 * The operations that are named by address, whose places in the queue are told, too.
 *
 * @param field  What an error calls the addresses.
 * @param ids    Out, in the arena or borrowed from the options.
 * @return STET_OK, STET_BAD_REQUEST: an address is not valid. STET_NO_MEMORY
 */
stet_status feed_operations(struct arena *arena, const stet_feed_options *options,
                            const char *field, stet_view ids[SUBSCRIPTION_FILTERS_MAX],
                            size_t *count, stet_error *err);

#endif
