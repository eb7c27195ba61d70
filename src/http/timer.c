#include "http/timer.h"

#include <assert.h>
#include <stddef.h>

static uint32_t slot_of(int64_t tick) { return (uint32_t)((uint64_t)tick % WHEEL_SLOTS); }

void wheel_init(struct wheel *wheel, int64_t now_ms) {
    for (uint32_t i = 0; i < WHEEL_SLOTS; i++) {
        wheel->slots[i] = (struct timer){.next = &wheel->slots[i], .prev = &wheel->slots[i]};
    }
    for (uint32_t i = 0; i < WHEEL_SLOTS / 64; i++)
        wheel->occupied[i] = 0;
    wheel->tick = now_ms / WHEEL_TICK_MS;
}

void timer_cancel(struct wheel *wheel, struct timer *timer) {
    if (timer->next == NULL) return;
    struct timer *head = &wheel->slots[timer->slot];
    timer->prev->next = timer->next;
    timer->next->prev = timer->prev;
    timer->next = timer->prev = NULL;
    if (head->next == head) wheel->occupied[timer->slot / 64] &= ~(UINT64_C(1) << timer->slot % 64);
}

void timer_set(struct wheel *wheel, struct timer *timer, int64_t due_ms) {
    timer_cancel(wheel, timer);
    /* Rounded up, so that it never fires early; never in a slot the hand has left. */
    int64_t tick = (due_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
    if (tick < wheel->tick) tick = wheel->tick;
    timer->due_ms = due_ms;
    timer->slot = slot_of(tick);
    struct timer *head = &wheel->slots[timer->slot];
    timer->next = head;
    timer->prev = head->prev;
    head->prev->next = timer;
    head->prev = timer;
    wheel->occupied[timer->slot / 64] |= UINT64_C(1) << timer->slot % 64;
}

/* The first occupied slot at or after the hand, as a distance in ticks; -1: the wheel is empty. */
static int64_t distance(const struct wheel *wheel) {
    uint32_t start = slot_of(wheel->tick);
    for (uint32_t step = 0; step <= WHEEL_SLOTS / 64; step++) {
        uint32_t word = (start / 64 + step) % (WHEEL_SLOTS / 64);
        uint64_t bits = wheel->occupied[word];
        if (step == 0) bits &= ~UINT64_C(0) << start % 64;
        if (step == WHEEL_SLOTS / 64) bits &= ~(~UINT64_C(0) << start % 64);
        if (bits == 0) continue;
        uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
        return (slot + WHEEL_SLOTS - start) % WHEEL_SLOTS;
    }
    return -1;
}

struct timer *wheel_expired(struct wheel *wheel, int64_t now_ms) {
    int64_t now_tick = now_ms / WHEEL_TICK_MS;
    while (wheel->tick <= now_tick) {
        int64_t ahead = distance(wheel);
        if (ahead < 0 || wheel->tick + ahead > now_tick) {
            wheel->tick = now_tick; /* Not past it: the slot of this tick may still get timers. */
            return NULL;
        }
        wheel->tick += ahead;
        struct timer *head = &wheel->slots[slot_of(wheel->tick)];
        for (struct timer *timer = head->next; timer != head; timer = timer->next) {
            if (timer->due_ms > now_ms) continue; /* A later round of the wheel. */
            timer_cancel(wheel, timer);
            return timer;
        }
        if (wheel->tick == now_tick) return NULL;
        wheel->tick++;
    }
    return NULL;
}

int wheel_wait_ms(const struct wheel *wheel, int64_t now_ms) {
    int64_t ahead = distance(wheel);
    if (ahead < 0) return -1;
    int64_t due_ms = (wheel->tick + ahead) * WHEEL_TICK_MS;
    if (due_ms <= now_ms) {
        /* Only timers of later rounds are left in this slot: look again at the next tick. */
        return WHEEL_TICK_MS;
    }
    return (int)(due_ms - now_ms);
}
