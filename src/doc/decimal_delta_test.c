/*
 * Sums of decimals against whole numbers: a number with at most PLACES decimals is a count of 10^-PLACES.
 */
#include "base/clock.h"
#include "doc/decimal.h"
#include "doc/doc_testing.h"

enum { PLACES = 9, ROUNDS = 100000 };

/* A random number as text, and what it counts. */
static int64_t random_number(const struct entropy *entropy, char text[64]) {
    int64_t unit = 1;
    int places = (int)(entropy_u64(entropy) % (PLACES + 1));
    for (int i = 0; i < PLACES - places; i++)
        unit *= 10;
    /* Few digits more often than many. */
    int64_t digits = (int64_t)(entropy_u64(entropy) >> (30 + entropy_u64(entropy) % 34)) %
                     (INT64_C(1000000000000000000) / unit);
    bool negative = entropy_u64(entropy) % 3 == 0;
    if (entropy_u64(entropy) % 4 == 0) {
        snprintf(text, 64, "%s%llde-%d", negative ? "-" : "", (long long)digits, places);
    } else {
        int64_t whole = digits;
        int64_t one = 1;
        for (int i = 0; i < places; i++)
            one *= 10;
        whole = digits / one;
        int size = snprintf(text, 64, "%s%lld", negative ? "-" : "", (long long)whole);
        if (places > 0)
            snprintf(text + size, 64 - (size_t)size, ".%0*lld", places, (long long)(digits % one));
    }
    return negative ? -digits * unit : digits * unit;
}

static void sums_are_those_of_whole_numbers(void **state) {
    (void)state;
    unsigned long long first = entropy_u64(entropy_system());
    print_message("%d seeds from %llu\n", ROUNDS, first);
    for (unsigned long long i = 0; i < ROUNDS; i++) {
        struct entropy_seeded seeded;
        entropy_seeded_init(&seeded, first + i);
        char a[64];
        char b[64];
        char c[64];
        int64_t sum = random_number(&seeded.entropy, a);
        sum += random_number(&seeded.entropy, b);
        sum -= random_number(&seeded.entropy, c);
        char expected[64];
        int size = snprintf(expected, sizeof expected, "%llde-%d", (long long)sum, PLACES);
        char text[DECIMAL_TEXT_MAX];
        size_t text_size = decimal_delta(view_of(a), view_of(b), view_of(c), text);
        if (text_size == 0) fail_msg("seed %llu: %s + %s - %s", first + i, a, b, c);
        struct doc written = must_parse_view(view_make(text, text_size));
        struct doc wanted = must_parse_view(view_make(expected, (size_t)size));
        if (!doc_equal(&written, 0, &wanted, 0))
            fail_msg("seed %llu: %s + %s - %s = %.*s", first + i, a, b, c, (int)text_size, text);
        arena_reset(&test_arena);
    }
}

static void check_delta(const char *a, const char *b, const char *c, const char *expected) {
    char text[DECIMAL_TEXT_MAX];
    size_t size = decimal_delta(view_of(a), view_of(b), view_of(c), text);
    check_view(view_make(text, size), expected);
}

static void the_bounds_are_those_of_the_limits(void **state) {
    (void)state;
    check_delta("9e1000", "0", "0", "9e1000");
    check_delta("9e1000", "1e1000", "0", "");
    check_delta("1e1001", "0", "0", "");
    check_delta("1e-1000", "1e-1000", "0", "2e-1000");
    check_delta("1e-1001", "0", "0", "");
    check_delta(
        "1e99", "1", "0",
        "1.000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000000000000001e99");
    check_delta("1e100", "1", "0", "");
    check_delta("1e1000", "1e-1000", "1e-1000", "1e1000"); /* The longest row. */
    check_delta("0", "0", "1e1000000000000000000000", "");
    check_delta("0e1000000000000000000000", "1", "0", "1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(sums_are_those_of_whole_numbers),
        ARENA_TEST(the_bounds_are_those_of_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
