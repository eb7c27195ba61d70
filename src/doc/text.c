/*
 * Escapes are rare, so each function has a straight path for text without them. With them, decoded bytes pass through a
 * small window; nothing is allocated.
 *
 * The hash takes 16 bytes at a time. What remains at the end (1 to 16 bytes, or none of an empty text) is padded with
 * zeros and mixed with the total size, so padding cannot be confused with text. Words are little-endian everywhere.
 */
#include "doc/text.h"

#include "base/view.h"

#include <assert.h>

static unsigned hex_digit(char c) {
    if (c <= '9') return (unsigned)(c - '0');
    return (unsigned)((c | 0x20) - 'a') + 10;
}

static uint32_t hex4(const char *p) {
    return hex_digit(p[0]) << 12 | hex_digit(p[1]) << 8 | hex_digit(p[2]) << 4 | hex_digit(p[3]);
}

static size_t utf8_encode(uint32_t point, char out[4]) {
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

size_t text_unescape(const char **raw, char out[4]) {
    const char *p = *raw;
    assert(*p == '\\');
    *raw = p + 2;
    switch (p[1]) {
    case 'b': out[0] = '\b'; return 1;
    case 'f': out[0] = '\f'; return 1;
    case 'n': out[0] = '\n'; return 1;
    case 'r': out[0] = '\r'; return 1;
    case 't': out[0] = '\t'; return 1;
    case 'u': break;
    default: out[0] = p[1]; return 1;
    }
    uint32_t point = hex4(p + 2);
    *raw = p + 6;
    if (point >= 0xd800 && point < 0xdc00) {
        point = 0x10000 + ((point - 0xd800) << 10) + (hex4(p + 8) - 0xdc00);
        *raw = p + 12;
    }
    return utf8_encode(point, out);
}

stet_status text_decode(struct arena *arena, stet_view raw, stet_view *out) {
    char *bytes =
        arena_bytes(arena, raw.size); /* An escape is never shorter than what it stands for. */
    if (bytes == NULL) return STET_NO_MEMORY;
    const char *p = raw.bytes;
    const char *end = raw.bytes + raw.size;
    char *to = bytes;
    while (p < end) {
        const char *escape = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((escape == NULL ? end : escape) - p);
        memcpy(to, p, plain);
        to += plain;
        p += plain;
        if (escape == NULL) break;
        char decoded[4];
        size_t size = text_unescape(&p, decoded);
        memcpy(to, decoded, size);
        to += size;
    }
    *out = view_make(bytes, (size_t)(to - bytes));
    return STET_OK;
}

/* Decoded bytes one by one, -1 at the end. */
struct text_reader {
    const char *p;
    const char *end;
    char pending[4];
    size_t pending_size;
    size_t pending_next;
    bool escaped;
};

static struct text_reader reader_of(stet_view raw, bool escaped) {
    return (struct text_reader){.p = raw.bytes, .end = raw.bytes + raw.size, .escaped = escaped};
}

static int reader_next(struct text_reader *reader) {
    if (reader->pending_next < reader->pending_size)
        return (unsigned char)reader->pending[reader->pending_next++];
    if (reader->p == reader->end) return -1;
    if (*reader->p != '\\' || !reader->escaped) return (unsigned char)*reader->p++;
    reader->pending_size = text_unescape(&reader->p, reader->pending);
    reader->pending_next = 1;
    return (unsigned char)reader->pending[0];
}

int text_compare(stet_view a, bool a_escaped, stet_view b, bool b_escaped) {
    if (!a_escaped && !b_escaped) return view_compare(a, b);
    struct text_reader ar = reader_of(a, a_escaped);
    struct text_reader br = reader_of(b, b_escaped);
    for (;;) {
        int ac = reader_next(&ar);
        int bc = reader_next(&br);
        if (ac != bc) return ac < bc ? -1 : 1;
        if (ac == -1) return 0;
    }
}

bool text_starts(stet_view text, bool text_escaped, stet_view prefix, bool prefix_escaped) {
    if (!text_escaped && !prefix_escaped) return view_starts(text, prefix);
    struct text_reader reader = reader_of(text, text_escaped);
    struct text_reader wanted = reader_of(prefix, prefix_escaped);
    for (;;) {
        int c = reader_next(&wanted);
        if (c == -1) return true;
        if (reader_next(&reader) != c) return false;
    }
}

/* Hashes modulo the Mersenne prime 2^61 - 1, in which the window below slides (Karp and Rabin, 1987). */
#define WINDOW_PRIME ((UINT64_C(1) << 61) - 1)
#define WINDOW_BASE (HASH_K0 % WINDOW_PRIME)

static uint64_t window_multiply(uint64_t a, uint64_t b) {
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    uint64_t sum = (uint64_t)(product & WINDOW_PRIME) + (uint64_t)(product >> 61);
    return sum >= WINDOW_PRIME ? sum - WINDOW_PRIME : sum;
}

static uint64_t window_append(uint64_t hash, int c) {
    uint64_t sum = window_multiply(hash, WINDOW_BASE) + (uint64_t)c + 1;
    return sum >= WINDOW_PRIME ? sum - WINDOW_PRIME : sum;
}

/* c was appended so many bytes ago that WINDOW_BASE to that power is `power`. */
static uint64_t window_remove(uint64_t hash, int c, uint64_t power) {
    uint64_t gone = window_multiply((uint64_t)c + 1, power);
    return hash >= gone ? hash - gone : hash + WINDOW_PRIME - gone;
}

static bool reader_starts(struct text_reader reader, struct text_reader wanted) {
    for (;;) {
        int c = reader_next(&wanted);
        if (c == -1) return true;
        if (reader_next(&reader) != c) return false;
    }
}

/* Two readers go over the text, as far apart as the part is long; only where the hashes agree are bytes compared. */
static bool contains_decoded(struct text_reader lead, struct text_reader part) {
    struct text_reader trail = lead;
    struct text_reader rest = part;
    uint64_t wanted = 0;
    uint64_t hash = 0;
    uint64_t power = 1;
    for (int c = reader_next(&rest); c != -1; c = reader_next(&rest)) {
        int first = reader_next(&lead);
        if (first == -1) return false;
        wanted = window_append(wanted, c);
        hash = window_append(hash, first);
        power = window_multiply(power, WINDOW_BASE);
    }
    for (;;) {
        if (hash == wanted && reader_starts(trail, part)) return true;
        int next = reader_next(&lead);
        if (next == -1) return false;
        hash = window_remove(window_append(hash, next), reader_next(&trail), power);
    }
}

bool text_contains(stet_view text, bool text_escaped, stet_view part, bool part_escaped) {
    if (part.size == 0) return true;
    if (!text_escaped && !part_escaped)
        return text.size >= part.size &&
               memmem(text.bytes, text.size, part.bytes, part.size) != NULL;
    return contains_decoded(reader_of(text, text_escaped), reader_of(part, part_escaped));
}

bool text_equal_token(stet_view raw, bool escaped, stet_view token) {
    struct text_reader reader = reader_of(raw, escaped);
    for (size_t i = 0; i < token.size; i++) {
        char c = token.bytes[i];
        if (c == '~') c = token.bytes[++i] == '0' ? '~' : '/';
        if (reader_next(&reader) != (unsigned char)c) return false;
    }
    return reader_next(&reader) == -1;
}

static inline uint64_t load8(const char *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline uint64_t load4(const char *p) {
    uint32_t word;
    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

/* 0 to 8 bytes, zeros behind them. The two loads overlap, which changes nothing: both hold the same bytes there. */
static inline uint64_t load_part(const char *p, size_t size) {
    if (size >= 8) return load8(p);
    if (size >= 4) return load4(p) | load4(p + size - 4) << (8 * (size - 4));
    if (size == 0) return 0;
    return (uint64_t)(unsigned char)p[0] |
           (uint64_t)(unsigned char)p[size / 2] << (8 * (size / 2)) |
           (uint64_t)(unsigned char)p[size - 1] << (8 * (size - 1));
}

static inline uint64_t hash_block(uint64_t hash, const char *p) {
    return hash_mix(load8(p) ^ hash, load8(p + 8) ^ HASH_K0);
}

/* The last 0 to 16 bytes. */
static inline uint64_t hash_last(uint64_t hash, const char *p, size_t size, uint64_t total) {
    uint64_t low = load_part(p, size);
    uint64_t high = size > 8 ? load_part(p + 8, size - 8) : 0;
    return hash_mix(low ^ hash ^ HASH_K1, high ^ HASH_K2 ^ total * HASH_K3);
}

static uint64_t hash_escaped(stet_view raw, uint64_t seed) {
    struct text_reader reader = reader_of(raw, true);
    char block[16];
    size_t size = 0;
    uint64_t total = 0;
    uint64_t hash = seed;
    for (int c = reader_next(&reader); c != -1; c = reader_next(&reader)) {
        if (size == sizeof block) {
            hash = hash_block(hash, block);
            size = 0;
        }
        block[size++] = (char)c;
        total++;
    }
    return hash_last(hash, block, size, total);
}

uint64_t text_hash(stet_view raw, bool escaped, uint64_t seed) {
    if (escaped) return hash_escaped(raw, seed);
    const char *p = raw.bytes;
    size_t left = raw.size;
    uint64_t hash = seed;
    while (left > 16) {
        hash = hash_block(hash, p);
        p += 16;
        left -= 16;
    }
    return hash_last(hash, p, left, raw.size);
}
