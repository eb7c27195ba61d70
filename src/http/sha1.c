#include "http/sha1.h"

#include <assert.h>
#include <string.h>

enum { BLOCK_BYTES = 64, LENGTH_BYTES = 8 };

static uint32_t rotate(uint32_t word, unsigned bits) { return word << bits | word >> (32 - bits); }

static uint32_t load(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void store(uint8_t *bytes, uint32_t word) {
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(word >> (24 - 8 * i));
}

static void digest_block(uint32_t state[5], const uint8_t block[BLOCK_BYTES]) {
    uint32_t words[80];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 16; i++)
        words[i] = load(block + 4 * i);
    for (int i = 16; i < 80; i++)
        words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t mixed;
        if (i < 20) {
            mixed = ((b & c) | (~b & d)) + 0x5A827999;
        } else if (i < 40) {
            mixed = (b ^ c ^ d) + 0x6ED9EBA1;
        } else if (i < 60) {
            mixed = ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC;
        } else {
            mixed = (b ^ c ^ d) + 0xCA62C1D6;
        }
        uint32_t next = rotate(a, 5) + mixed + e + words[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void sha1(stet_view text, uint8_t out[SHA1_BYTES]) {
    uint32_t state[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t padded[2 * BLOCK_BYTES] = {0};
    assert(text.size <= SHA1_TEXT_BYTES_MAX);
    if (text.size > 0) memcpy(padded, text.bytes, text.size);
    padded[text.size] = 0x80;
    size_t size = text.size + 1 + LENGTH_BYTES <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    store(padded + size - 4, (uint32_t)(text.size * 8));
    for (size_t at = 0; at < size; at += BLOCK_BYTES)
        digest_block(state, padded + at);
    for (int i = 0; i < 5; i++)
        store(out + 4 * i, state[i]);
}
