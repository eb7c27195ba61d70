/*
 * The spine: which earlier changes of a record the head points at, so that any version is found in few lookups.
 *
 * The skip path of ordinal n is n, then n with its lowest set bit cleared, and so on down to one bit: popcount(n)
 * ordinals. 13 = 1101b has the path 13, 12, 8. Going from n to n+1 clears the trailing ones of n and sets the bit above
 * them, so the new path is the old one without its last trailing_ones(n) entries, and n+1 behind it. The new change's
 * skip is the entry before the last: no read is needed.
 */
#ifndef STORE_SPINE_H
#define STORE_SPINE_H

#include "store/store.h"

/* Entries in use for an ordinal. */
static inline unsigned spine_count(uint64_t ordinal) {
    return (unsigned)__builtin_popcountll(ordinal);
}

static inline uint64_t spine_low_bit(uint64_t ordinal) { return ordinal & (~ordinal + 1); }

/* The ordinal that spine[index] stands for: the index + 1 highest set bits of ordinal. */
uint64_t spine_ordinal(uint64_t ordinal, unsigned index);

/*
 * Stored form: the gaps between neighbours from the newest back, as base-128 varints, low bits first. The newest entry is
 * the head's seq and the count follows from the ordinal, so neither is stored; a record with one change needs no byte.
 */
enum { SPINE_BYTES_MAX = (STORE_SPINE_MAX - 1) * 10 };
size_t spine_encode(const struct store_head *head, uint8_t out[SPINE_BYTES_MAX]);

/* Fills head->spine from head->seq, head->ordinal and the stored form. False when they do not fit together. */
bool spine_decode(struct store_head *head, const void *bytes, size_t size);

#endif
