/*
 * Places in the queue, for a subscriber that follows operations: the event `queue`, at most once in `places_ms` of the server's options and only when
 * something about them changed. The event has no id: it is no change, and no position moves with it.
 *
 * The queue is asked while one of the operations waits in it; after that not before something happens to one of them (places_wake).
 *
 * Thread: the loop's.
 */
#ifndef HTTP_PLACES_H
#define HTTP_PLACES_H

#include "http/loop.h"

struct places;

struct places_options {
    stet_view space;
    stet_actor actor;
    const stet_view *ids; /* Of the operations; at least one. */
    size_t count;
    void (*changed)(void *context); /* places_take has something. */
    void *context;
};

/* Everything is copied. STET_NOT_FOUND: no such space. */
stet_status places_create(struct loop *loop, const struct places_options *options,
                          struct places **places, stet_error *err);
/* Accepts NULL. */
void places_destroy(struct places *places);

/* Something happened to one of them: asks, now or as soon as the period allows, and tells what is said also when it is what was told last. */
void places_wake(struct places *places);

/* The event's data, borrowed until the next round; false: nothing has changed since it was taken last. Accepts NULL. */
bool places_take(struct places *places, stet_view *data);

/* What was taken last did not arrive. Accepts NULL. */
void places_again(struct places *places);

#endif
