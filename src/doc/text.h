/*
 * The text of JSON strings: decoding escapes, and comparing and hashing without storing what was decoded. For this folder,
 * for expr/, which compares stored text where it lies, and for core/, which hashes requests. Every escaped text was validated by
 * the parser.
 */
#ifndef DOC_TEXT_H
#define DOC_TEXT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "stet.h"

/* Decodes the escape at *raw (a backslash), moves *raw past it (both halves of a surrogate pair) and writes 1 to 4 bytes. */
size_t text_unescape(const char **raw, char out[4]);

/* Decodes a whole text that holds escapes. STET_OK or STET_NO_MEMORY. */
stet_status text_decode(struct arena *arena, stet_view raw, stet_view *out);

/* Like memcmp with sizes, over the decoded bytes. */
int text_compare(stet_view a, bool a_escaped, stet_view b, bool b_escaped);

/* Whether the decoded text begins with, or holds, the decoded other one. Linear; nothing is allocated. */
bool text_starts(stet_view text, bool text_escaped, stet_view prefix, bool prefix_escaped);
bool text_contains(stet_view text, bool text_escaped, stet_view part, bool part_escaped);

/* Whether a key equals the token of a valid JSON pointer (~0 and ~1 in it). */
bool text_equal_token(stet_view raw, bool escaped, stet_view token);

/* Stable for ever; the same for the same decoded bytes. */
uint64_t text_hash(stet_view raw, bool escaped, uint64_t seed);

/* One multiplication that spreads two words over one. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b) {
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Odd, with about half of their bits set: the fractions of the square roots of 2, 3, 5, 7 and 11, made odd. */
#define HASH_K0 UINT64_C(0x6a09e667f3bcc909)
#define HASH_K1 UINT64_C(0xbb67ae8584caa73b)
#define HASH_K2 UINT64_C(0x3c6ef372fe94f82b)
#define HASH_K3 UINT64_C(0xa54ff53a5f1d36f1)
#define HASH_K4 UINT64_C(0x510e527fade682d1)

#endif
