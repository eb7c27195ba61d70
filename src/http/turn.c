#include "http/turn.h"

#include "base/clock.h"

#include <stddef.h>
#include <stdint.h>

/* The time after which requests have their turn. */
enum { SLICE_NS = 1000 * 1000 };

void turn_take(struct turns *turns, struct turn *turn) {
    if (turn->queued) return;
    turn->queued = true;
    turn->next = NULL;
    turn->prev = turns->last;
    *(turns->last != NULL ? &turns->last->next : &turns->first) = turn;
    turns->last = turn;
}

void turn_leave(struct turns *turns, struct turn *turn) {
    struct turn *next = turn->next;
    struct turn *prev = turn->prev;
    if (!turn->queued) return;
    turn->queued = false;
    *(prev != NULL ? &prev->next : &turns->first) = next;
    *(next != NULL ? &next->prev : &turns->last) = prev;
}

void turns_serve(struct turns *turns) {
    int64_t end_ns = 0;
    struct turn *turn;
    while ((turn = turns->first) != NULL) {
        int64_t now_ns = clock_monotonic_ns(clock_system());
        if (end_ns == 0) end_ns = now_ns + SLICE_NS;
        if (now_ns >= end_ns) return;
        turn_leave(turns, turn);
        turn->serve(turn);
    }
}
