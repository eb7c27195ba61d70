/*
 * Time and randomness as seams: code that decides takes a time; the edges ask a clock. Tests and
 * the simulator put their own.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "stet.h"

struct clock {
    int64_t (*wall_ns)(void *context); /* Nanoseconds since 1970-01-01 UTC. May jump either way. */
    int64_t (*monotonic_ns)(void *context); /* Never goes back; arbitrary origin. */
    void *context;
};

struct entropy {
    /* Cannot fail. Any thread for the system's. */
    void (*fill)(void *context, void *bytes, size_t size);
    void *context;
};

const struct clock *clock_system(void);
const struct entropy *entropy_system(void); /* getrandom(2), buffered per thread. */

static inline int64_t clock_wall_ns(const struct clock *clock) {
    return clock->wall_ns(clock->context);
}
static inline int64_t clock_monotonic_ns(const struct clock *clock) {
    return clock->monotonic_ns(clock->context);
}

/* A clock that moves only when told, and repeatable randomness from a seed: for tests and the
 * simulator. */
struct clock_manual {
    struct clock clock;
    int64_t wall_ns;
    int64_t monotonic_ns;
};
void clock_manual_init(struct clock_manual *manual, int64_t wall_ns);
void clock_manual_advance(struct clock_manual *manual, int64_t ns); /* Both clocks. */

struct entropy_seeded {
    struct entropy entropy;
    uint64_t state; /* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
};
void entropy_seeded_init(struct entropy_seeded *seeded, uint64_t seed);
uint64_t entropy_u64(const struct entropy *entropy);

#define CLOCK_NS_PER_S INT64_C(1000000000)
#define CLOCK_NS_PER_MS INT64_C(1000000)

/* RFC 3339 in UTC with nine digits: "2026-03-01T12:00:00.000000001Z", always CLOCK_RFC3339_BYTES
 * bytes, no NUL. ns ≥ 0. */
enum { CLOCK_RFC3339_BYTES = 30 };
void clock_format_rfc3339(int64_t ns, char out[CLOCK_RFC3339_BYTES]);

/* Reads RFC 3339 with any offset and 0 to 9 digits of fraction. False when malformed or before
 * 1970. */
bool clock_parse_rfc3339(stet_view text, int64_t *ns);

#endif
