/*
 * Keys of spans. core/exclusive.h tells what is in them.
 *
 *     tag; size of the resource, and its bytes; class; begin, end (8 bytes each); flags; weight (4), held until (8), original start (8)
 *
 * where the flags say which of the last three are there: those that are not as in nearly every booking.
 */
#include "core/exclusive.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "store/store.h"

#include <assert.h>
#include <sodium.h>

enum { HASH_BYTES = 16, CUT = 255, HAS_WEIGHT = 1, HAS_HOLD = 2, HAS_ORIGINAL = 4 };
enum { HEAD_BYTES = 3 + SPAN_RESOURCE_BYTES_MAX, KEY_BYTES_MAX = HEAD_BYTES + 16 + 1 + 4 + 16 };
static_assert(KEY_BYTES_MAX <= INDEX_KEY_BYTES_MAX, "a span's key is a key");
static_assert(SPAN_RESOURCE_BYTES_MAX < CUT, "the size of a resource is a byte");

#define CLASS_FIRST_NS (15 * 60 * CLOCK_NS_PER_S)

/* The longest span of a class: each has four times the length of the one before. */
static int64_t class_longest(unsigned class) { return CLASS_FIRST_NS << (2 * class); }

static unsigned class_of(int64_t length) {
    unsigned class = 0;
    while (class + 1 < SPAN_CLASSES && length > class_longest(class))
        class ++;
    assert(length <= class_longest(class));
    return class;
}

stet_status span_resource(struct arena *arena, stet_view resource, stet_view *kept) {
    *kept = resource;
    if (resource.size <= SPAN_RESOURCE_BYTES_MAX) return STET_OK;
    char *bytes = arena_bytes(arena, SPAN_RESOURCE_BYTES_MAX);
    if (bytes == NULL) return STET_NO_MEMORY;
    size_t begin = SPAN_RESOURCE_BYTES_MAX - HASH_BYTES;
    memcpy(bytes, resource.bytes, begin);
    crypto_generichash((unsigned char *)bytes + begin, HASH_BYTES,
                       (const unsigned char *)resource.bytes, resource.size, NULL, 0);
    *kept = view_make(bytes, SPAN_RESOURCE_BYTES_MAX);
    return STET_OK;
}

/* ---- Writing --------------------------------------------------------------------------------------------------------- */

static uint8_t *put_number(uint8_t *at, uint64_t number) {
    store_number_key(number, at);
    return at + STORE_NUMBER_BYTES;
}

/* The sign turned over, so that memcmp orders them. */
static uint8_t *put_time(uint8_t *at, int64_t ns) {
    return put_number(at, (uint64_t)ns ^ UINT64_C(1) << 63);
}

static uint8_t *put_resource(uint8_t *at, stet_view resource) {
    assert(resource.size <= SPAN_RESOURCE_BYTES_MAX);
    *at++ = SPAN_KEY_TAG;
    *at++ = (uint8_t)resource.size;
    if (resource.size > 0) memcpy(at, resource.bytes, resource.size);
    return at + resource.size;
}

stet_status span_key_make(struct arena *arena, const struct exclusive *exclusive,
                          const struct span *span, stet_view *key) {
    uint8_t *bytes = (uint8_t *)arena_bytes(arena, KEY_BYTES_MAX);
    stet_view resource;
    if (bytes == NULL || span_resource(arena, span->resource, &resource) != STET_OK)
        return STET_NO_MEMORY;
    int64_t begin = span->start - exclusive->buffer_before;
    int64_t end = span->end + exclusive->buffer_after;
    uint8_t flags = 0, *at = put_resource(bytes, resource);
    *at++ = (uint8_t)class_of(end - begin);
    at = put_time(put_time(at, begin), end);
    uint8_t *flags_at = at++;
    if (span->weight != 1) {
        flags |= HAS_WEIGHT;
        for (unsigned shift = 32; shift > 0; shift -= 8)
            *at++ = (uint8_t)(span->weight >> (shift - 8));
    }
    if (span->held_until != SPAN_BOOKED) {
        flags |= HAS_HOLD;
        at = put_time(at, span->held_until);
    }
    if (span->original_start != span->start) {
        flags |= HAS_ORIGINAL;
        at = put_time(at, span->original_start);
    }
    *flags_at = flags;
    *key = view_make(bytes, (size_t)(at - bytes));
    return STET_OK;
}

/* ---- Reading --------------------------------------------------------------------------------------------------------- */

static const uint8_t *take_number(const uint8_t *at, unsigned bytes, uint64_t *number) {
    *number = 0;
    for (unsigned i = 0; i < bytes; i++)
        *number = *number << 8 | at[i];
    return at + bytes;
}

static const uint8_t *take_time(const uint8_t *at, int64_t *ns) {
    uint64_t number;
    at = take_number(at, STORE_NUMBER_BYTES, &number);
    *ns = (int64_t)(number ^ UINT64_C(1) << 63);
    return at;
}

bool span_key_read(const struct exclusive *exclusive, stet_view key, struct span_key *out) {
    const uint8_t *at = (const uint8_t *)key.bytes;
    if (key.size < 2 || at[0] != SPAN_KEY_TAG || key.size < 2u + at[1] + 1 + 16 + 1) return false;
    struct span *span = &out->span;
    out->resource = span->resource = view_make(at + 2, at[1]);
    at = take_time(take_time(at + 2 + at[1] + 1, &out->begin), &out->end);
    uint8_t flags = *at++;
    size_t rest = (flags & HAS_WEIGHT ? 4u : 0) + (flags & HAS_HOLD ? 8u : 0) +
                  (flags & HAS_ORIGINAL ? 8u : 0);
    if ((size_t)(at - (const uint8_t *)key.bytes) + rest != key.size) return false;
    span->start = out->begin + exclusive->buffer_before;
    span->end = out->end - exclusive->buffer_after;
    span->weight = 1;
    span->held_until = SPAN_BOOKED;
    span->original_start = span->start;
    if (flags & HAS_WEIGHT) {
        uint64_t weight;
        at = take_number(at, 4, &weight);
        span->weight = (uint32_t)weight;
    }
    if (flags & HAS_HOLD) at = take_time(at, &span->held_until);
    if (flags & HAS_ORIGINAL) take_time(at, &span->original_start);
    return true;
}

/* ---- Ranges ---------------------------------------------------------------------------------------------------------- */

stet_status span_range(struct arena *arena, stet_view resource, unsigned class, int64_t from,
                       int64_t to, stet_view *first, stet_view *end) {
    enum { BYTES = HEAD_BYTES + 8 };
    uint8_t *bytes = (uint8_t *)arena_bytes(arena, 2 * BYTES);
    if (bytes == NULL) return STET_NO_MEMORY;
    int64_t longest = class_longest(class);
    int64_t earliest = from < INT64_MIN + longest ? INT64_MIN : from - longest + 1;
    for (int side = 0; side < 2; side++) {
        uint8_t *start = bytes + side * BYTES, *at = put_resource(start, resource);
        *at++ = (uint8_t) class;
        at = put_time(at, side == 0 ? earliest : to);
        *(side == 0 ? first : end) = view_make(start, (size_t)(at - start));
    }
    return STET_OK;
}

stet_status span_range_all(struct arena *arena, stet_view resource, stet_view *first,
                           stet_view *end) {
    uint8_t *bytes = (uint8_t *)arena_bytes(arena, 2 * HEAD_BYTES);
    if (bytes == NULL) return STET_NO_MEMORY;
    uint8_t *at = put_resource(bytes, resource);
    *first = view_make(bytes, (size_t)(at - bytes));
    at = put_resource(bytes + HEAD_BYTES, resource);
    *at++ = SPAN_CLASSES;
    *end = view_make(bytes + HEAD_BYTES, (size_t)(at - bytes - HEAD_BYTES));
    return STET_OK;
}
