#include "base/view.h"

static unsigned char lower(unsigned char c) {
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

bool view_equal_nocase(stet_view a, stet_view b) {
    if (a.size != b.size) return false;
    if (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0) return true; /* Nearly always. */
    for (size_t i = 0; i < a.size; i++) {
        if (lower((unsigned char)a.bytes[i]) != lower((unsigned char)b.bytes[i])) return false;
    }
    return true;
}

int view_compare(stet_view a, stet_view b) {
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.bytes, b.bytes, size);
    if (order != 0) return order;
    return (a.size > b.size) - (a.size < b.size);
}

bool view_parse_u64(stet_view view, uint64_t *out) {
    if (view.size == 0 || view.size > 20) return false;
    uint64_t value = 0;
    for (size_t i = 0; i < view.size; i++) {
        unsigned digit = (unsigned)(unsigned char)view.bytes[i] - '0';
        if (digit > 9) return false;
        if (__builtin_mul_overflow(value, UINT64_C(10), &value)) return false;
        if (__builtin_add_overflow(value, (uint64_t)digit, &value)) return false;
    }
    *out = value;
    return true;
}

/* Eight bytes at a time: none below 0x20, none above 0x7E. */
static bool word_is_printable(uint64_t word) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = ones << 7;
    uint64_t delete = word ^ ones * 0x7F; /* A byte of zeros where there is a 0x7F. */
    return ((word | ((word - ones * 0x20) & ~word) | ((delete - ones) & ~delete)) & highs) == 0;
}

bool view_is_printable(stet_view view) {
    uint64_t word;
    if (view.size < sizeof word) {
        for (size_t i = 0; i < view.size; i++) {
            unsigned char c = (unsigned char)view.bytes[i];
            if (c < 0x20 || c >= 0x7F) return false;
        }
        return true;
    }
    for (size_t at = 0; at + sizeof word <= view.size; at += sizeof word) {
        memcpy(&word, view.bytes + at, sizeof word);
        if (!word_is_printable(word)) return false;
    }
    memcpy(&word, view.bytes + view.size - sizeof word,
           sizeof word); /* The rest, and some again. */
    return word_is_printable(word);
}

static bool is_continuation(unsigned char c) { return (c & 0xC0) == 0x80; }

/* The size of the well-formed sequence at p, which begins with a byte past 0x7F; 0 when there is
 * none. The bounds of the second byte shut out overlong forms, surrogates and what lies past
 * U+10FFFF (Unicode, table 3-7). */
static size_t sequence_size(const unsigned char *p, size_t left) {
    unsigned char c = p[0];
    if (c >= 0xC2 && c <= 0xDF) return left >= 2 && is_continuation(p[1]) ? 2 : 0;
    if (c >= 0xE0 && c <= 0xEF) {
        if (left < 3 || !is_continuation(p[1]) || !is_continuation(p[2])) return 0;
        if (c == 0xE0 && p[1] < 0xA0) return 0;
        if (c == 0xED && p[1] > 0x9F) return 0;
        return 3;
    }
    if (c >= 0xF0 && c <= 0xF4) {
        if (left < 4 || !is_continuation(p[1]) || !is_continuation(p[2])) return 0;
        if (!is_continuation(p[3])) return 0;
        if (c == 0xF0 && p[1] < 0x90) return 0;
        if (c == 0xF4 && p[1] > 0x8F) return 0;
        return 4;
    }
    return 0;
}

bool view_is_utf8(stet_view view) {
    const unsigned char *p = (const unsigned char *)view.bytes;
    size_t left = view.size;
    while (left > 0) {
        /* Most of what arrives is ASCII: look at sixteen bytes at once for one with the high
         * bit. */
        while (left >= 16) {
            uint64_t words[2];
            memcpy(words, p, sizeof words);
            if (((words[0] | words[1]) & UINT64_C(0x8080808080808080)) != 0) break;
            p += 16;
            left -= 16;
        }
        while (left > 0 && *p < 0x80) {
            p++;
            left--;
        }
        while (left > 0 && *p >= 0x80) {
            size_t size = sequence_size(p, left);
            if (size == 0) return false;
            p += size;
            left -= size;
        }
    }
    return true;
}

/* Both halves of the 128-bit product: every input bit reaches every output bit. */
static uint64_t fold(uint64_t a, uint64_t b) {
    __extension__ typedef unsigned __int128 u128;
    u128 product = (u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t view_hash(stet_view view, uint64_t seed) {
    const char *p = view.bytes;
    size_t left = view.size;
    uint64_t hash = seed ^ UINT64_C(0x9E3779B97F4A7C15);
    uint64_t word;
    for (; left >= sizeof word; p += sizeof word, left -= sizeof word) {
        memcpy(&word, p, sizeof word);
        hash = fold(hash ^ word, UINT64_C(0xD1342543DE82EF95));
    }
    word = 0;
    if (left > 0 && view.size >= sizeof word) {
        /* Overlapping what was taken already is cheaper than a copy of unknown size. */
        memcpy(&word, p + left - sizeof word, sizeof word);
    } else {
        for (size_t i = 0; i < left; i++)
            word |= (uint64_t)(unsigned char)p[i] << 8 * i;
    }
    hash = fold(hash ^ word, UINT64_C(0xAF251AF3B0F025B5));
    /* The size keeps "a" and "a\0" apart. */
    return fold(hash ^ view.size, UINT64_C(0xB564EF22EC7AECE5));
}
