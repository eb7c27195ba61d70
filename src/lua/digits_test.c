/*
 * Arithmetic on decimals: known results, and laws that hold for random numbers.
 */
#include "base/limits.h"
#include "base/view.h"
#include "lua/digits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct number {
    char bytes[DECIMAL_TEXT_MAX + 1];
};

static struct number number_of(const char *text) {
    struct number number;
    snprintf(number.bytes, sizeof number.bytes, "%s", text);
    return number;
}

static enum digits_fault try_compute(enum digits_operator op, const char *a, const char *b,
                                     struct number *out) {
    size_t size = 0;
    enum digits_fault fault = digits_compute(op, view_of(a), view_of(b), out->bytes, &size);
    if (fault == DIGITS_FINE) out->bytes[size] = '\0';
    return fault;
}

static void known_results(void **state) {
    (void)state;
    static const struct {
        const char *a;
        enum digits_operator op;
        const char *b, *expected;
    } cases[] = {
        {"1.10", DIGITS_ADD, "0.90", "2.00"},
        {"2", DIGITS_SUBTRACT, "0.50", "1.50"},
        {"0.50", DIGITS_SUBTRACT, "-0.5", "1.00"},
        {"0.1", DIGITS_SUBTRACT, "0.3", "-0.2"},
        {"1.10", DIGITS_MULTIPLY, "1.10", "1.2100"},
        {"-3", DIGITS_MULTIPLY, "0.50", "-1.50"},
        {"0", DIGITS_MULTIPLY, "-5.5", "0.0"},
        {"99999999999999999999", DIGITS_MULTIPLY, "99999999999999999999",
         "9999999999999999999800000000000000000001"},
        {"1e400", DIGITS_MULTIPLY, "1e-400", "1"},
        {"1", DIGITS_DIVIDE, "8", "0.125"},
        {"1", DIGITS_DIVIDE, "3", "0.3333333333333333333333333333333333"},
        {"2", DIGITS_DIVIDE, "3", "0.6666666666666666666666666666666667"},
        {"-2", DIGITS_DIVIDE, "3", "-0.6666666666666666666666666666666667"},
        {"100", DIGITS_DIVIDE, "0.25", "400"},
        {"0", DIGITS_DIVIDE, "7", "0"},
        {"1", DIGITS_DIVIDE, "1125899906842624",
         "0.00000000000000088817841970012523233890533447265625"},
        {"1e10", DIGITS_DIVIDE, "7", "1428571428.571428571428571428571429"},
        {"99999999999999999999999999999999995", DIGITS_DIVIDE,
         "99999999999999999999999999999999996", "1"},
        {"7.5", DIGITS_FLOOR_DIVIDE, "2", "3"},
        {"-7.5", DIGITS_FLOOR_DIVIDE, "2", "-4"},
        {"7.5", DIGITS_FLOOR_DIVIDE, "-2", "-4"},
        {"-7.5", DIGITS_FLOOR_DIVIDE, "-2", "3"},
        {"0.5", DIGITS_FLOOR_DIVIDE, "2", "0"},
        {"-0.5", DIGITS_FLOOR_DIVIDE, "2", "-1"},
        {"7.5", DIGITS_MODULO, "2", "1.5"},
        {"-7.5", DIGITS_MODULO, "2", "0.5"},
        {"7.5", DIGITS_MODULO, "-2", "-0.5"},
        {"-7.5", DIGITS_MODULO, "-2", "-1.5"},
        {"6.00", DIGITS_MODULO, "2", "0.00"},
        {"1.1", DIGITS_POWER, "2", "1.21"},
        {"2", DIGITS_POWER, "-2", "0.25"},
        {"-2", DIGITS_POWER, "3", "-8"},
        {"10", DIGITS_POWER, "0", "1"},
        {"0", DIGITS_POWER, "0", "1"},
        {"1.0", DIGITS_POWER, "1000000000000", "1"},
        {"-1", DIGITS_POWER, "1000000000001", "-1"},
        {"1e500", DIGITS_POWER, "2", "1e1000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct number out;
        assert_int_equal(try_compute(cases[i].op, cases[i].a, cases[i].b, &out), DIGITS_FINE);
        if (strcmp(out.bytes, cases[i].expected) != 0)
            fail_msg("%s %d %s: expected %s, got %s", cases[i].a, cases[i].op, cases[i].b,
                     cases[i].expected, out.bytes);
    }
}

static void known_faults(void **state) {
    (void)state;
    static const struct {
        const char *a;
        enum digits_operator op;
        const char *b;
        enum digits_fault fault;
    } cases[] = {
        {"1", DIGITS_DIVIDE, "0.00", DIGITS_BY_ZERO},
        {"0", DIGITS_DIVIDE, "0", DIGITS_BY_ZERO},
        {"1", DIGITS_MODULO, "0", DIGITS_BY_ZERO},
        {"1", DIGITS_FLOOR_DIVIDE, "-0", DIGITS_BY_ZERO},
        {"0", DIGITS_POWER, "-1", DIGITS_BY_ZERO},
        {"2", DIGITS_POWER, "0.5", DIGITS_EXPONENT},
        {"2", DIGITS_POWER, "1e30", DIGITS_EXPONENT},
        {"3", DIGITS_POWER, "100000", DIGITS_RANGE},
        {"10", DIGITS_POWER, "1001", DIGITS_RANGE},
        {"1e1000", DIGITS_MULTIPLY, "10", DIGITS_RANGE},
        {"1e-1000", DIGITS_DIVIDE, "10", DIGITS_RANGE},
        {"1e1001", DIGITS_MULTIPLY, "1", DIGITS_RANGE},
        {"1e999999999999999999999999", DIGITS_ADD, "1", DIGITS_RANGE},
        {"1e200", DIGITS_ADD, "1", DIGITS_RANGE},
        {"1e900", DIGITS_FLOOR_DIVIDE, "3", DIGITS_RANGE},
        {"1e900", DIGITS_MODULO, "1e-900", DIGITS_RANGE},
        {"1e150", DIGITS_FLOOR_DIVIDE, "3", DIGITS_RANGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct number out;
        if (try_compute(cases[i].op, cases[i].a, cases[i].b, &out) != cases[i].fault)
            fail_msg("%s %d %s", cases[i].a, cases[i].op, cases[i].b);
    }
}

static void rounding(void **state) {
    (void)state;
    static const struct {
        const char *a;
        int places;
        enum digits_rounding how;
        const char *expected;
    } cases[] = {
        {"1.005", 2, DIGITS_HALF_AWAY, "1.01"},  {"-1.005", 2, DIGITS_HALF_AWAY, "-1.01"},
        {"1.005", 2, DIGITS_HALF_EVEN, "1.00"},  {"1.015", 2, DIGITS_HALF_EVEN, "1.02"},
        {"1.0051", 2, DIGITS_HALF_EVEN, "1.01"}, {"1.5", 0, DIGITS_HALF_EVEN, "2"},
        {"0.5", 0, DIGITS_HALF_EVEN, "0"},       {"0.5", 0, DIGITS_HALF_AWAY, "1"},
        {"0.05", 0, DIGITS_HALF_AWAY, "0"},      {"9.99", 1, DIGITS_HALF_AWAY, "10.0"},
        {"1.21", 1, DIGITS_DOWN, "1.2"},         {"-1.21", 1, DIGITS_DOWN, "-1.3"},
        {"1.21", 1, DIGITS_UP, "1.3"},           {"-1.29", 1, DIGITS_UP, "-1.2"},
        {"0.0001", 0, DIGITS_UP, "1"},           {"-0.0001", 0, DIGITS_UP, "0"},
        {"-0.0001", 0, DIGITS_DOWN, "-1"},       {"1234", -2, DIGITS_HALF_AWAY, "1200"},
        {"1250", -2, DIGITS_HALF_AWAY, "1300"},  {"49", -2, DIGITS_HALF_AWAY, "0"},
        {"1", 3, DIGITS_HALF_AWAY, "1.000"},     {"0", 2, DIGITS_UP, "0.00"},
        {"1.20", 1, DIGITS_UP, "1.2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct number out;
        size_t size = 0;
        assert_int_equal(
            digits_round(view_of(cases[i].a), cases[i].places, cases[i].how, out.bytes, &size),
            DIGITS_FINE);
        out.bytes[size] = '\0';
        if (strcmp(out.bytes, cases[i].expected) != 0)
            fail_msg("round(%s, %d): expected %s, got %s", cases[i].a, cases[i].places,
                     cases[i].expected, out.bytes);
    }
}

static uint64_t random_state;
static unsigned draw(unsigned below) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % below;
}

static struct number random_number(unsigned digits_max, unsigned places_max) {
    struct number number;
    char *p = number.bytes;
    if (draw(3) == 0) *p++ = '-';
    *p++ = (char)('1' + draw(9));
    for (unsigned n = draw(digits_max); n > 0; n--)
        *p++ = (char)('0' + (draw(3) == 0 ? 9 * draw(2) : draw(10)));
    unsigned places = draw(places_max + 1);
    if (places > 0) *p++ = '.';
    for (; places > 0; places--)
        *p++ = (char)('0' + draw(10));
    *p = '\0';
    return number;
}

static bool same(const char *a, const char *b) {
    struct decimal left = decimal_normalise(view_of(a));
    struct decimal right = decimal_normalise(view_of(b));
    return decimal_compare(&left, &right) == 0;
}

static struct number must(enum digits_operator op, const struct number *a, const struct number *b) {
    struct number out = number_of("");
    if (try_compute(op, a->bytes, b->bytes, &out) != DIGITS_FINE)
        fail_msg("%s %d %s", a->bytes, op, b->bytes);
    return out;
}

static void laws(void **state) {
    (void)state;
    const char *seed = getenv("STET_SEED");
    random_state = seed == NULL ? 20261122 : strtoull(seed, NULL, 10);
    print_message("STET_SEED=%llu\n", (unsigned long long)random_state);
    struct number zero = number_of("0");
    for (int i = 0; i < 4000; i++) {
        struct number a = random_number(25, 8);
        struct number b = random_number(20, 8);
        struct number c = random_number(10, 4);
        struct number ab = must(DIGITS_MULTIPLY, &a, &b);
        struct number ba = must(DIGITS_MULTIPLY, &b, &a);
        assert_string_equal(ab.bytes, ba.bytes);
        /* (a + b) c = ac + bc */
        struct number sum = must(DIGITS_ADD, &a, &b);
        struct number left = must(DIGITS_MULTIPLY, &sum, &c);
        struct number ac = must(DIGITS_MULTIPLY, &a, &c);
        struct number bc = must(DIGITS_MULTIPLY, &b, &c);
        struct number right = must(DIGITS_ADD, &ac, &bc);
        if (!same(left.bytes, right.bytes)) fail_msg("(%s + %s) * %s", a.bytes, b.bytes, c.bytes);
        /* ab / b = a: an exact quotient is found. */
        struct number quotient = must(DIGITS_DIVIDE, &ab, &b);
        if (!same(quotient.bytes, a.bytes))
            fail_msg("%s * %s / %s = %s", a.bytes, b.bytes, b.bytes, quotient.bytes);
        /* a = b (a // b) + a % b, and the rest lies between 0 and b. */
        struct number floor = must(DIGITS_FLOOR_DIVIDE, &a, &b);
        struct number rest = must(DIGITS_MODULO, &a, &b);
        struct number whole = must(DIGITS_MULTIPLY, &floor, &b);
        struct number back = must(DIGITS_ADD, &whole, &rest);
        if (!same(back.bytes, a.bytes))
            fail_msg("%s // %s = %s, rest %s", a.bytes, b.bytes, floor.bytes, rest.bytes);
        struct decimal r = decimal_normalise(view_of(rest.bytes));
        struct decimal m = decimal_normalise(view_of(b.bytes));
        struct decimal z = decimal_normalise(view_of(zero.bytes));
        if (m.negative)
            assert_true(decimal_compare(&r, &m) > 0 && decimal_compare(&r, &z) <= 0);
        else
            assert_true(decimal_compare(&r, &m) < 0 && decimal_compare(&r, &z) >= 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_results),
        cmocka_unit_test(known_faults),
        cmocka_unit_test(rounding),
        cmocka_unit_test(laws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
