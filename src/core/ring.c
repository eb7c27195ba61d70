#include "core/ring.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* What one turn under the lock pushes and drops: freeing happens after it, so that readers never wait for the allocator. */
enum { TURN_CHANGES = 64, TURN_DROPPED = 2 * TURN_CHANGES };

static struct change **slot_of(struct ring *ring, uint64_t seq) {
    return &ring->slots[seq % RING_CHANGES];
}

stet_status ring_init(struct ring *ring, uint64_t published) {
    pthread_condattr_t attributes;
    *ring = (struct ring){.floor = published};
    ring->slots = calloc(RING_CHANGES, sizeof *ring->slots);
    if (ring->slots == NULL) return STET_NO_MEMORY;
    atomic_init(&ring->published, published);
    pthread_mutex_init(&ring->lock, NULL);
    pthread_condattr_init(&attributes);
    /* Waiting must not depend on the wall clock, which may jump. */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&ring->moved, &attributes);
    pthread_condattr_destroy(&attributes);
    return STET_OK;
}

void ring_done(struct ring *ring) {
    if (ring->slots == NULL) return;
    for (uint64_t seq = ring->floor + 1; seq <= ring_published(ring); seq++)
        change_unref(*slot_of(ring, seq));
    free(ring->slots);
    pthread_cond_destroy(&ring->moved);
    pthread_mutex_destroy(&ring->lock);
    *ring = (struct ring){0};
}

static struct change *drop_oldest(struct ring *ring) {
    struct change **slot = slot_of(ring, ++ring->floor);
    struct change *change = *slot;
    assert(change != NULL && change->row.seq == ring->floor);
    *slot = NULL;
    ring->bytes -= change->footprint;
    return change;
}

/* Puts in as many as one turn allows, makes room for them, and moves `published` with the last one. */
static size_t publish_turn(struct ring *ring, struct change **changes, size_t count,
                           struct change **dropped, size_t *dropped_count) {
    size_t put = 0;
    *dropped_count = 0;
    while (put < count && put < TURN_CHANGES) {
        struct change *change = changes[put];
        struct change **slot = slot_of(ring, change->row.seq);
        if (*slot != NULL) dropped[(*dropped_count)++] = drop_oldest(ring);
        assert(*slot == NULL);
        *slot = change;
        ring->bytes += change->footprint;
        put++;
    }
    return put;
}

void ring_publish(struct ring *ring, struct change **changes, size_t count) {
    struct change *dropped[TURN_DROPPED];
    size_t dropped_count = 0;
    size_t put = 0;
    uint64_t last;
    bool more;
    if (count == 0) return;
    last = changes[count - 1]->row.seq;
    assert(changes[0]->row.seq == ring_published(ring) + 1);
    assert(last == ring_published(ring) + count);
    assert(changes[count - 1]->row.transaction == last);
    do {
        pthread_mutex_lock(&ring->lock);
        put += publish_turn(ring, changes + put, count - put, dropped, &dropped_count);
        if (put == count && ring_published(ring) != last) {
            atomic_store_explicit(&ring->published, last, memory_order_release);
            if (atomic_load_explicit(&ring->waiters, memory_order_relaxed) > 0)
                pthread_cond_broadcast(&ring->moved);
        }
        while (ring->bytes > RING_BYTES_MAX && dropped_count < TURN_DROPPED &&
               ring->floor < changes[put - 1]->row.seq)
            dropped[dropped_count++] = drop_oldest(ring);
        more = put < count ||
               (ring->bytes > RING_BYTES_MAX && ring->floor < changes[put - 1]->row.seq);
        pthread_mutex_unlock(&ring->lock);
        for (size_t index = 0; index < dropped_count; index++)
            change_unref(dropped[index]);
    } while (more);
}

void ring_erase(struct ring *ring, uint64_t seq) {
    const struct change *whole = ring_peek(ring, seq);
    if (whole == NULL) return;
    struct store_change row = whole->row;
    row.data = row.merge = row.origin = (stet_view){0};
    row.pruned = true;
    struct change *bare = change_from_row(&row);
    if (bare != NULL) {
        pthread_mutex_lock(&ring->lock);
        struct change **slot = slot_of(ring, seq), *old = *slot;
        *slot = bare;
        ring->bytes = ring->bytes - old->footprint + bare->footprint;
        pthread_mutex_unlock(&ring->lock);
        change_unref(old);
        return;
    }
    bool there = true;
    while (there) {
        pthread_mutex_lock(&ring->lock);
        there = ring->floor < seq;
        struct change *old = there ? drop_oldest(ring) : NULL;
        pthread_mutex_unlock(&ring->lock);
        change_unref(old);
    }
}

bool ring_take(struct ring *ring, uint64_t after, struct change **changes, size_t max,
               size_t *count) {
    bool reaches = true;
    size_t taken = 0;
    if (after < ring_published(ring)) {
        pthread_mutex_lock(&ring->lock);
        uint64_t published = ring_published(ring);
        reaches = after >= ring->floor;
        while (reaches && taken < max && after < published) {
            struct change *change = *slot_of(ring, ++after);
            assert(change != NULL && change->row.seq == after);
            changes[taken++] = change_ref(change);
        }
        pthread_mutex_unlock(&ring->lock);
    }
    *count = taken;
    return reaches;
}

struct change *ring_find(struct ring *ring, uint64_t seq) {
    struct change *change = NULL;
    pthread_mutex_lock(&ring->lock);
    if (seq > ring->floor && seq <= ring_published(ring)) change = change_ref(*slot_of(ring, seq));
    pthread_mutex_unlock(&ring->lock);
    return change;
}

const struct change *ring_peek(const struct ring *ring, uint64_t seq) {
    if (seq <= ring->floor || seq > atomic_load_explicit(&ring->published, memory_order_relaxed))
        return NULL;
    return ring->slots[seq % RING_CHANGES];
}

struct change *ring_find_version(struct ring *ring, const struct store_change *from,
                                 uint64_t version) {
    struct change *found = NULL;
    if (version > from->version || from->version - version >= from->ordinal) return NULL;
    uint64_t ordinal = from->ordinal - (from->version - version);
    pthread_mutex_lock(&ring->lock);
    uint64_t published = ring_published(ring);
    uint64_t seq = from->ordinal == ordinal ? from->seq : ring_way_back(from, ordinal);
    while (seq > ring->floor && seq <= published) {
        struct change *change = *slot_of(ring, seq);
        if (change->row.ordinal == ordinal) {
            found = change_ref(change);
            break;
        }
        seq = ring_way_back(&change->row, ordinal);
    }
    pthread_mutex_unlock(&ring->lock);
    return found;
}

bool ring_wait(struct ring *ring, uint64_t seq, unsigned timeout_ms) {
    struct timespec until;
    bool waiting = true;
    bool reached;
    if (ring_published(ring) >= seq) return true;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&ring->lock);
    atomic_fetch_add_explicit(&ring->waiters, 1, memory_order_relaxed);
    while (waiting && !ring->closed && ring_published(ring) < seq)
        waiting = pthread_cond_timedwait(&ring->moved, &ring->lock, &until) != ETIMEDOUT;
    atomic_fetch_sub_explicit(&ring->waiters, 1, memory_order_relaxed);
    reached = ring_published(ring) >= seq;
    pthread_mutex_unlock(&ring->lock);
    return reached;
}

void ring_close(struct ring *ring) {
    pthread_mutex_lock(&ring->lock);
    ring->closed = true;
    pthread_cond_broadcast(&ring->moved);
    pthread_mutex_unlock(&ring->lock);
}

bool ring_is_closed(struct ring *ring) {
    bool closed;
    pthread_mutex_lock(&ring->lock);
    closed = ring->closed;
    pthread_mutex_unlock(&ring->lock);
    return closed;
}
