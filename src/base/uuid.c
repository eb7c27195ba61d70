#include "base/uuid.h"

#include <stdatomic.h>

/*
 * The millisecond and the counter of the latest UUID made from the system's clock, as one number:
 * ms << 12 | counter. The next is always larger: when the counter is used up, or the clock stepped
 * back, the time in the UUIDs runs ahead of the clock, which RFC 9562 allows (6.2).
 */
static _Atomic uint64_t latest;

static uint64_t next_in_process(uint64_t ms, unsigned random) {
    /* A new millisecond starts in the lower half, so that at least 2048 follow before the time runs
     * ahead. */
    uint64_t fresh = ms << 12 | (random & 0x7FF);
    uint64_t seen = atomic_load_explicit(&latest, memory_order_relaxed);
    uint64_t next;
    do {
        next = seen >> 12 >= ms ? seen + 1 : fresh;
    } while (!atomic_compare_exchange_weak_explicit(&latest, &seen, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return next;
}

void uuid_v7(const struct clock *clock, const struct entropy *entropy, uint8_t out[UUID_BYTES]) {
    uint8_t random[10];
    entropy->fill(entropy->context, random, sizeof random);
    unsigned random_a = (unsigned)random[0] << 8 | random[1];
    int64_t ns = clock_wall_ns(clock);
    uint64_t ms = ns < 0 ? 0 : (uint64_t)(ns / CLOCK_NS_PER_MS);
    /* A simulation must repeat whatever else the process made before, so an injected clock leaves
     * the counter alone. */
    uint64_t stamp =
        clock == clock_system() ? next_in_process(ms, random_a) : ms << 12 | (random_a & 0xFFF);

    for (int i = 0; i < 6; i++)
        out[i] = (uint8_t)(stamp >> (52 - 8 * i));
    out[6] = (uint8_t)(0x70 | (stamp >> 8 & 0x0F));
    out[7] = (uint8_t)stamp;
    for (int i = 8; i < UUID_BYTES; i++)
        out[i] = random[i - 6];
    out[8] = (uint8_t)(0x80 | (out[8] & 0x3F));
}

static bool is_hyphen(int position) {
    return position == 8 || position == 13 || position == 18 || position == 23;
}

void uuid_format(const uint8_t uuid[UUID_BYTES], char out[UUID_TEXT_BYTES]) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *next = uuid;
    for (int i = 0; i < UUID_TEXT_BYTES;) {
        if (is_hyphen(i)) {
            out[i++] = '-';
            continue;
        }
        out[i++] = digits[*next >> 4];
        out[i++] = digits[*next++ & 0x0F];
    }
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool uuid_parse(stet_view text, uint8_t out[UUID_BYTES]) {
    if (text.size != UUID_TEXT_BYTES) return false;
    uint8_t uuid[UUID_BYTES];
    uint8_t *next = uuid;
    for (int i = 0; i < UUID_TEXT_BYTES;) {
        if (is_hyphen(i)) {
            if (text.bytes[i++] != '-') return false;
            continue;
        }
        int high = hex_digit(text.bytes[i]);
        int low = hex_digit(text.bytes[i + 1]);
        if (high < 0 || low < 0) return false;
        *next++ = (uint8_t)(high << 4 | low);
        i += 2;
    }
    for (int i = 0; i < UUID_BYTES; i++)
        out[i] = uuid[i];
    return true;
}
