/*
 * Turns: connections that have something to send stand in a queue and are served in slices of a millisecond, between which requests have
 * theirs. Whatever is published while one waits goes out with the same call: the more there is to do, the cheaper each event becomes.
 *
 * Thread: the loop's.
 */
#ifndef HTTP_TURN_H
#define HTTP_TURN_H

#include <stdbool.h>

struct turn {
    void (*serve)(struct turn *turn); /* Sends a bounded part; takes another turn for the rest. */
    bool queued;
    struct turn *prev, *next;
};

struct turns {
    struct turn *first, *last;
};

/* Its turn will come; nothing when it is in the queue already. */
void turn_take(struct turns *turns, struct turn *turn);
/* Out of the queue, if it is in it. */
void turn_leave(struct turns *turns, struct turn *turn);
/* Serves those whose turn it is, until requests have theirs. Some wait then: turns->first is not NULL. */
void turns_serve(struct turns *turns);

#endif
