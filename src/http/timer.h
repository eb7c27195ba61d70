/*
 * Timers: a hashed wheel (Varghese and Lauck, SOSP 1987). Setting and cancelling cost O(1), so a
 * deadline can be moved with every request. A timer never fires early and at most WHEEL_TICK_MS
 * late.
 *
 * Thread: that of the loop it belongs to.
 */
#ifndef HTTP_TIMER_H
#define HTTP_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WHEEL_TICK_MS = 32, WHEEL_SLOTS = 2048 };

struct timer {
    struct timer *next; /* NULL: not set. */
    struct timer *prev;
    void (*fire)(struct timer *timer); /* Called by the loop; set by the owner before timer_set. */
    int64_t due_ms;
    uint32_t slot;
};

struct wheel {
    struct timer slots[WHEEL_SLOTS];
    uint64_t occupied[WHEEL_SLOTS / 64];
    int64_t tick; /* Everything before it has fired. */
};

void wheel_init(struct wheel *wheel, int64_t now_ms);

/* Sets or moves. A timer that was never set must be zeroed. due_ms in the past: the next tick. */
void timer_set(struct wheel *wheel, struct timer *timer, int64_t due_ms);
void timer_cancel(struct wheel *wheel, struct timer *timer);
static inline bool timer_is_set(const struct timer *timer) { return timer->next != NULL; }

/* Takes out one timer that is due; NULL when none is left. */
struct timer *wheel_expired(struct wheel *wheel, int64_t now_ms);

/* Milliseconds until the wheel wants to be looked at; -1: nothing is set. */
int wheel_wait_ms(const struct wheel *wheel, int64_t now_ms);

#endif
