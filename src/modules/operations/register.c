#include "modules/operations/register.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/view.h"

#define BUCKETS_FIRST 64
/* Idle ones that are not worth a sweep. */
#define IDLE_MIN 1024
/* A place has a lane, a line and an actor. */
#define RESERVED_MAX (3 * QUEUE_RESERVED_MAX)

static uint64_t hash_of(const struct register_ *reg, const struct register_key *key) {
    uint64_t seed = reg->seed ^ (uint64_t)(uintptr_t)key->lane;
    return view_hash(key->name, seed + (uint64_t)key->kind * 8 + key->for_);
}

static bool matches(const struct register_item *item, uint64_t hash,
                    const struct register_key *key) {
    return item->hash == hash && item->kind == key->kind && item->lane == key->lane &&
           item->for_ == key->for_ && view_equal(item->name, key->name);
}

static struct register_item *find(const struct register_ *reg, uint64_t hash,
                                  const struct register_key *key) {
    if (reg->bucket_count == 0) return NULL;
    struct register_item *item = reg->buckets[hash & (reg->bucket_count - 1)];
    while (item != NULL && !matches(item, hash, key))
        item = item->next;
    return item;
}

struct register_item *register_find(const struct register_ *reg, const struct register_key *key) {
    return find(reg, hash_of(reg, key), key);
}

static size_t block_bytes(enum register_kind kind) {
    switch (kind) {
    case REGISTER_LANE: return sizeof(struct lane_item);
    case REGISTER_LINE: return sizeof(struct queue_line);
    case REGISTER_ACTOR: return sizeof(struct queue_actor);
    }
    return 0;
}

static stet_status grow(struct register_ *reg, stet_error *err) {
    if (reg->count < reg->bucket_count) return STET_OK;
    size_t wanted = reg->bucket_count == 0 ? BUCKETS_FIRST : 2 * reg->bucket_count;
    struct register_item **buckets = calloc(wanted, sizeof *buckets);
    if (buckets == NULL) return error_set(err, STET_NO_MEMORY, "no memory for the queue");
    for (size_t i = 0; i < reg->bucket_count; i++) {
        for (struct register_item *item = reg->buckets[i], *next; item != NULL; item = next) {
            next = item->next;
            struct register_item **bucket = &buckets[item->hash & (wanted - 1)];
            item->next = *bucket;
            *bucket = item;
        }
    }
    reg->bytes += (wanted - reg->bucket_count) * sizeof *buckets;
    free(reg->buckets);
    reg->buckets = buckets;
    reg->bucket_count = wanted;
    return STET_OK;
}

static void forget_line(struct register_item *item) {
    struct queue_line *line = (struct queue_line *)item;
    if (item->lane->anyone == line) item->lane->anyone = NULL;
    if (item->lane->server == line) item->lane->server = NULL;
}

static void release(struct register_ *reg, struct register_item *item) {
    assert(item->uses == 0);
    reg->count--;
    reg->bytes -= block_bytes(item->kind) + item->name.size;
    if (item->kind != REGISTER_LANE) reg->idle--;
    if (item->kind == REGISTER_LINE) forget_line(item);
    free(item);
}

static void sweep(struct register_ *reg) {
    for (size_t i = 0; i < reg->bucket_count; i++) {
        struct register_item **link = &reg->buckets[i];
        while (*link != NULL) {
            struct register_item *item = *link;
            if (item->kind == REGISTER_LANE || item->uses > 0 ||
                item->reserved + RESERVED_MAX >= reg->reservations) {
                link = &item->next;
            } else {
                *link = item->next;
                release(reg, item);
            }
        }
    }
    reg->swept = reg->reservations;
}

stet_status register_make(struct register_ *reg, const struct register_key *key,
                          struct register_item **made, stet_error *err) {
    reg->reservations++;
    uint64_t hash = hash_of(reg, key);
    struct register_item *item = find(reg, hash, key);
    if (item == NULL) {
        /* Each sweep pays for itself: so many reservations, and so much to be gained. */
        if (reg->idle > IDLE_MIN && reg->idle > reg->count / 2 &&
            reg->reservations - reg->swept > reg->count + 2 * RESERVED_MAX)
            sweep(reg);
        stet_status status = grow(reg, err);
        if (status != STET_OK) return status;
        size_t bytes = block_bytes(key->kind);
        item = calloc(1, bytes + key->name.size);
        if (item == NULL) return error_set(err, STET_NO_MEMORY, "no memory for the queue");
        char *name = (char *)item + bytes;
        if (key->name.size > 0) memcpy(name, key->name.bytes, key->name.size);
        item->hash = hash;
        item->lane = key->lane;
        item->kind = (uint8_t)key->kind;
        item->for_ = (uint8_t)key->for_;
        item->name = view_make(name, key->name.size);
        struct register_item **bucket = &reg->buckets[hash & (reg->bucket_count - 1)];
        item->next = *bucket;
        *bucket = item;
        reg->count++;
        reg->bytes += bytes + key->name.size;
        if (key->kind != REGISTER_LANE) reg->idle++;
    }
    item->reserved = reg->reservations;
    *made = item;
    return STET_OK;
}

void register_use(struct register_ *reg, struct register_item *item) {
    if (item->uses++ == 0) reg->idle--;
}

void register_unuse(struct register_ *reg, struct register_item *item) {
    assert(item->uses > 0);
    if (--item->uses == 0) reg->idle++;
}

void register_drop_lane(struct register_ *reg, struct queue_lane *lane) {
    for (size_t i = 0; i < reg->bucket_count; i++) {
        struct register_item **link = &reg->buckets[i];
        while (*link != NULL) {
            struct register_item *item = *link;
            if (item->lane != lane) {
                link = &item->next;
                continue;
            }
            *link = item->next;
            release(reg, item);
        }
    }
    struct lane_item *own = (struct lane_item *)((char *)lane - offsetof(struct lane_item, lane));
    struct register_item **link = &reg->buckets[own->item.hash & (reg->bucket_count - 1)];
    while (*link != &own->item)
        link = &(*link)->next;
    *link = own->item.next;
    release(reg, &own->item);
}

void register_clear(struct register_ *reg) {
    for (size_t i = 0; i < reg->bucket_count; i++) {
        for (struct register_item *item = reg->buckets[i], *next; item != NULL; item = next) {
            next = item->next;
            free(item);
        }
    }
    free(reg->buckets);
    *reg = (struct register_){.seed = reg->seed};
}
