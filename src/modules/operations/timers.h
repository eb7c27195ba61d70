/*
 * A heap of moments, the earliest on top. What is in it holds its own place, so that it can be moved and taken out in O(log n); room
 * is made beforehand. Pure memory; the thread of its queue.
 */
#ifndef MODULES_OPERATIONS_TIMERS_H
#define MODULES_OPERATIONS_TIMERS_H

#include "modules/operations/queue.h"

struct timers {
    struct queue_timer **heap; /* From 1 on. */
    size_t count, capacity;
};

/* Room for so many. @return STET_NO_MEMORY */
stet_status timers_reserve(struct timers *timers, size_t count, stet_error *err);
void timers_done(struct timers *timers);
/* Puts it in, or moves it: it is due at `at`. QUEUE_NEVER takes it out. */
void timers_set(struct timers *timers, struct queue_timer *timer, int64_t at);
/* NULL: none. */
struct queue_timer *timers_first(const struct timers *timers);

#endif
