#include "modules/operations/timers.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"

stet_status timers_reserve(struct timers *timers, size_t count, stet_error *err) {
    if (count < timers->capacity) return STET_OK;
    size_t capacity = timers->capacity < 512 ? 1024 : 2 * timers->capacity;
    while (capacity <= count)
        capacity *= 2;
    struct queue_timer **grown = realloc(timers->heap, capacity * sizeof *grown);
    if (grown == NULL) return error_set(err, STET_NO_MEMORY, "no memory for the queue");
    timers->heap = grown;
    timers->capacity = capacity;
    return STET_OK;
}

void timers_done(struct timers *timers) {
    free(timers->heap);
    *timers = (struct timers){0};
}

static void put(struct timers *timers, struct queue_timer *timer, size_t index) {
    timers->heap[index] = timer;
    timer->index = (uint32_t)index;
}

static void rise(struct timers *timers, struct queue_timer *timer) {
    size_t index = timer->index;
    for (; index > 1 && timers->heap[index / 2]->at > timer->at; index /= 2)
        put(timers, timers->heap[index / 2], index);
    put(timers, timer, index);
}

static void sink(struct timers *timers, struct queue_timer *timer) {
    size_t index = timer->index;
    for (;;) {
        size_t child = 2 * index;
        if (child > timers->count) break;
        if (child < timers->count && timers->heap[child + 1]->at < timers->heap[child]->at) child++;
        if (timers->heap[child]->at >= timer->at) break;
        put(timers, timers->heap[child], index);
        index = child;
    }
    put(timers, timer, index);
}

static void take_out(struct timers *timers, struct queue_timer *timer) {
    struct queue_timer *last = timers->heap[timers->count--];
    if (last != timer) {
        put(timers, last, timer->index);
        rise(timers, last);
        sink(timers, last);
    }
    timer->index = 0;
}

void timers_set(struct timers *timers, struct queue_timer *timer, int64_t at) {
    timer->at = at;
    if (at == QUEUE_NEVER) {
        if (timer->index != 0) take_out(timers, timer);
        return;
    }
    if (timer->index == 0) {
        assert(timers->count + 1 < timers->capacity);
        put(timers, timer, ++timers->count);
    }
    rise(timers, timer);
    sink(timers, timer);
}

struct queue_timer *timers_first(const struct timers *timers) {
    return timers->count == 0 ? NULL : timers->heap[1];
}
