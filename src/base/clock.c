#include "base/clock.h"

#include "base/view.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define S_PER_DAY 86400

static int64_t clock_ns(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return now.tv_sec * CLOCK_NS_PER_S + now.tv_nsec;
}

static int64_t system_wall_ns(void *context) {
    (void)context;
    return clock_ns(CLOCK_REALTIME);
}

static int64_t system_monotonic_ns(void *context) {
    (void)context;
    return clock_ns(CLOCK_MONOTONIC);
}

const struct clock *clock_system(void) {
    static const struct clock system = {
        .wall_ns = system_wall_ns,
        .monotonic_ns = system_monotonic_ns,
    };
    return &system;
}

/* ---- The system's randomness
 * ------------------------------------------------------------------------------- */

/* What a forked child finds in its copy of the buffer its parent hands out too, so a fork makes all
 * buffers stale. */
static _Atomic unsigned fork_generation = 1;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void fork_in_child(void) { atomic_fetch_add(&fork_generation, 1); }

static void fork_watch(void) { pthread_atfork(NULL, NULL, fork_in_child); }

static _Thread_local struct {
    unsigned char bytes[256];
    size_t left; /* Unused bytes, at the front. */
    unsigned generation;
} pool;

static void random_bytes(void *bytes, size_t size) {
    unsigned char *next = bytes;
    while (size > 0) {
        ssize_t got = getrandom(next, size, 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            /* Only a kernel without getrandom gets here. Going on would mean guessable tokens. */
            abort();
        }
        next += got;
        size -= (size_t)got;
    }
}

static void system_fill(void *context, void *bytes, size_t size) {
    (void)context;
    if (size > sizeof pool.bytes / 4) {
        random_bytes(bytes, size);
        return;
    }
    pthread_once(&fork_once, fork_watch);
    unsigned generation = atomic_load_explicit(&fork_generation, memory_order_relaxed);
    if (pool.left < size || pool.generation != generation) {
        random_bytes(pool.bytes, sizeof pool.bytes);
        pool.left = sizeof pool.bytes;
        pool.generation = generation;
    }
    pool.left -= size;
    memcpy(bytes, pool.bytes + pool.left, size);
    explicit_bzero(pool.bytes + pool.left, size); /* It may become a token. */
}

const struct entropy *entropy_system(void) {
    static const struct entropy system = {.fill = system_fill};
    return &system;
}

/* ---- For tests and the simulator
 * --------------------------------------------------------------------------- */

static int64_t manual_wall_ns(void *context) { return ((struct clock_manual *)context)->wall_ns; }

static int64_t manual_monotonic_ns(void *context) {
    return ((struct clock_manual *)context)->monotonic_ns;
}

void clock_manual_init(struct clock_manual *manual, int64_t wall_ns) {
    *manual = (struct clock_manual){
        .clock = {.wall_ns = manual_wall_ns,
                  .monotonic_ns = manual_monotonic_ns,
                  .context = manual},
        .wall_ns = wall_ns,
    };
}

void clock_manual_advance(struct clock_manual *manual, int64_t ns) {
    manual->wall_ns += ns;
    manual->monotonic_ns += ns;
}

static uint64_t splitmix64(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static void seeded_fill(void *context, void *bytes, size_t size) {
    struct entropy_seeded *seeded = context;
    unsigned char *next = bytes;
    while (size > 0) {
        uint64_t word = splitmix64(&seeded->state);
        size_t part = size < sizeof word ? size : sizeof word;
        memcpy(next, &word, part);
        next += part;
        size -= part;
    }
}

void entropy_seeded_init(struct entropy_seeded *seeded, uint64_t seed) {
    *seeded = (struct entropy_seeded){
        .entropy = {.fill = seeded_fill, .context = seeded},
        .state = seed,
    };
}

uint64_t entropy_u64(const struct entropy *entropy) {
    uint64_t value;
    entropy->fill(entropy->context, &value, sizeof value);
    return value;
}

/* ---- RFC 3339
 * ---------------------------------------------------------------------------------------------- */

static bool is_leap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

static int days_in_month(int64_t year, int month) {
    static const signed char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01 to the first of January; year ≥ 1970. */
static int64_t days_before_year(int64_t year) {
    int64_t past = year - 1;
    return 365 * (year - 1970) + (past / 4 - 1969 / 4) - (past / 100 - 1969 / 100) +
           (past / 400 - 1969 / 400);
}

static char *put_digits(char *out, int width, int64_t value) {
    for (int i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + width;
}

void clock_format_rfc3339(int64_t ns, char out[CLOCK_RFC3339_BYTES]) {
    if (ns < 0) ns = 0;
    int64_t s = ns / CLOCK_NS_PER_S;
    int64_t days = s / S_PER_DAY;
    int64_t year =
        1970 + days / 366; /* At most the right one; the years that remain are counted up. */
    while (days_before_year(year + 1) <= days)
        year++;
    days -= days_before_year(year);
    int month = 1;
    while (days >= days_in_month(year, month))
        days -= days_in_month(year, month++);

    char *next = put_digits(out, 4, year);
    *next++ = '-';
    next = put_digits(next, 2, month);
    *next++ = '-';
    next = put_digits(next, 2, days + 1);
    *next++ = 'T';
    next = put_digits(next, 2, s % S_PER_DAY / 3600);
    *next++ = ':';
    next = put_digits(next, 2, s % 3600 / 60);
    *next++ = ':';
    next = put_digits(next, 2, s % 60);
    *next++ = '.';
    next = put_digits(next, 9, ns % CLOCK_NS_PER_S);
    *next = 'Z';
}

/* Takes exactly count digits off the front. */
static bool take_digits(stet_view *text, size_t count, int64_t *value) {
    if (text->size < count) return false;
    int64_t result = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)(unsigned char)text->bytes[i] - '0';
        if (digit > 9) return false;
        result = result * 10 + digit;
    }
    text->bytes += count;
    text->size -= count;
    *value = result;
    return true;
}

/* Takes one byte off the front if it is one of those in set. Returns it, or 0. */
static char take_char(stet_view *text, const char *set) {
    if (text->size == 0 || text->bytes[0] == '\0' || strchr(set, text->bytes[0]) == NULL) return 0;
    char c = text->bytes[0];
    text->bytes++;
    text->size--;
    return c;
}

static bool take_fraction(stet_view *text, int64_t *ns) {
    size_t count = 0;
    while (count < text->size && text->bytes[count] >= '0' && text->bytes[count] <= '9')
        count++;
    if (count < 1 || count > 9 || !take_digits(text, count, ns)) return false;
    for (; count < 9; count++)
        *ns *= 10;
    return true;
}

static bool take_offset(stet_view *text, int64_t *offset_s) {
    char sign = take_char(text, "Zz+-");
    if (sign == 0) return false;
    *offset_s = 0;
    if (sign == 'Z' || sign == 'z') return true;
    int64_t hours;
    int64_t minutes;
    if (!take_digits(text, 2, &hours) || !take_char(text, ":")) return false;
    if (!take_digits(text, 2, &minutes) || hours > 23 || minutes > 59) return false;
    *offset_s = (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
    return true;
}

bool clock_parse_rfc3339(stet_view text, int64_t *ns) {
    int64_t year, month, day, hour, minute, second, offset_s;
    int64_t fraction = 0;
    if (!take_digits(&text, 4, &year) || !take_char(&text, "-")) return false;
    if (!take_digits(&text, 2, &month) || !take_char(&text, "-")) return false;
    if (!take_digits(&text, 2, &day) || !take_char(&text, "Tt ")) return false;
    if (!take_digits(&text, 2, &hour) || !take_char(&text, ":")) return false;
    if (!take_digits(&text, 2, &minute) || !take_char(&text, ":")) return false;
    if (!take_digits(&text, 2, &second)) return false;
    if (take_char(&text, ".") && !take_fraction(&text, &fraction)) return false;
    if (!take_offset(&text, &offset_s) || text.size != 0) return false;

    /* 1969-12-31 with an offset can lie in 1970, and is not worth the trouble. */
    if (year < 1970 || month < 1 || month > 12) return false;
    if (day < 1 || day > days_in_month(year, (int)month)) return false;
    /* A leap second is read as the second after it: there is no place for it in seconds since
     * 1970. */
    if (hour > 23 || minute > 59 || second > 60 || (second == 60 && minute != 59)) return false;

    int64_t days = days_before_year(year) + day - 1;
    for (int m = 1; m < month; m++)
        days += days_in_month(year, m);
    int64_t s = days * S_PER_DAY + hour * 3600 + minute * 60 + second - offset_s;
    int64_t result;
    if (s < 0 || __builtin_mul_overflow(s, CLOCK_NS_PER_S, &result)) return false;
    if (__builtin_add_overflow(result, fraction, &result)) return false;
    *ns = result;
    return true;
}
