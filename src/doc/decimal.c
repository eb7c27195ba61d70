#include "doc/decimal.h"

#include "base/limits.h"
#include "base/view.h"

#include <assert.h>

/* Past this many digits an exponent cannot be within DECIMAL_EXACT_EXPONENT, whatever the shift. */
enum { EXPONENT_DIGITS_MAX = 19 };

static_assert(DECIMAL_EXACT_EXPONENT < INT64_MAX / 4,
              "an exponent of 19 digits, clamped, plus a shift does not overflow");

static inline bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

/* The exponent as a number, exact up to twice DECIMAL_EXACT_EXPONENT and clamped there: no shift brings it back. */
static int64_t exponent_value(stet_view digits, bool negative) {
    const int64_t clamp = 2 * DECIMAL_EXACT_EXPONENT;
    int64_t value = 0;
    if (digits.size > EXPONENT_DIGITS_MAX) {
        value = clamp;
    } else {
        for (size_t i = 0; i < digits.size && value < clamp; i++) {
            if (value > clamp / 10) {
                value = clamp;
            } else {
                value = value * 10 + (digits.bytes[i] - '0');
            }
        }
        if (value > clamp) value = clamp;
    }
    return negative ? -value : value;
}

/* p is behind the e. */
static void exponent_read(struct decimal *decimal, const char *p, const char *end) {
    decimal->exponent_negative = *p == '-';
    if (*p == '-' || *p == '+') p++;
    while (p < end && *p == '0')
        p++;
    decimal->exponent_text = view_make(p, (size_t)(end - p));
    if (decimal->exponent_text.size == 0) decimal->exponent_negative = false;
}

struct decimal decimal_normalise(stet_view text) {
    struct decimal decimal = {.digits = {.bytes = text.bytes}};
    const char *p = text.bytes;
    const char *end = text.bytes + text.size;
    bool negative = *p == '-';
    if (negative) p++;

    /* The first and the last digit that is not zero, the point, and where the digits end. */
    const char *first = NULL;
    const char *last = NULL;
    const char *point = NULL;
    for (; p < end; p++) {
        if (is_digit(*p)) {
            if (*p == '0') continue;
            if (first == NULL) first = p;
            last = p;
        } else if (*p == '.') {
            point = p;
        } else {
            break;
        }
    }
    if (first == NULL) return decimal;

    const char *units_end = point == NULL ? p : point;
    decimal.digits = view_make(first, (size_t)(last - first) + 1);
    decimal.digit_count =
        (uint32_t)decimal.digits.size - (first < units_end && last > units_end ? 1 : 0);
    decimal.negative = negative;
    decimal.shift = first < units_end ? units_end - first - 1 : units_end - first;
    decimal.exponent = decimal.shift;
    if (p == end) return decimal;

    exponent_read(&decimal, p + 1, end);
    int64_t exponent =
        exponent_value(decimal.exponent_text, decimal.exponent_negative) + decimal.shift;
    decimal.huge = exponent > DECIMAL_EXACT_EXPONENT || exponent < -DECIMAL_EXACT_EXPONENT;
    decimal.exponent = exponent;
    if (decimal.huge) decimal.exponent = exponent < 0 ? -1 : 1;
    return decimal;
}

/* a - b, exact while it is small; past the clamp only its sign means anything. */
static int64_t text_difference(stet_view a, stet_view b) {
    const int64_t clamp = INT64_C(1)
                          << 50; /* Far past any shift, which is at most a document's size. */
    size_t size = a.size > b.size ? a.size : b.size;
    int64_t difference = 0;
    for (size_t i = 0; i < size; i++) {
        int a_digit = i + a.size < size ? 0 : a.bytes[i + a.size - size] - '0';
        int b_digit = i + b.size < size ? 0 : b.bytes[i + b.size - size] - '0';
        difference = difference * 10 + (a_digit - b_digit);
        if (difference > clamp) return clamp;
        if (difference < -clamp) return -clamp;
    }
    return difference;
}

static int exponent_compare(const struct decimal *a, const struct decimal *b) {
    if (a->huge != b->huge) {
        const struct decimal *huge = a->huge ? a : b;
        int order = huge->exponent < 0 ? -1 : 1;
        return huge == a ? order : -order;
    }
    if (!a->huge || a->exponent != b->exponent)
        return (a->exponent > b->exponent) - (a->exponent < b->exponent);
    int64_t difference = text_difference(a->exponent_text, b->exponent_text);
    if (a->exponent_negative) difference = -difference;
    difference += a->shift - b->shift;
    return (difference > 0) - (difference < 0);
}

/* Digit by digit from the first; a number that ends is followed by zeros, so the longer one is greater. */
static int digits_compare(stet_view a, stet_view b) {
    size_t ai = 0;
    size_t bi = 0;
    for (;;) {
        if (ai < a.size && a.bytes[ai] == '.') ai++;
        if (bi < b.size && b.bytes[bi] == '.') bi++;
        if (ai == a.size || bi == b.size) return (ai < a.size) - (bi < b.size);
        if (a.bytes[ai] != b.bytes[bi]) return a.bytes[ai] < b.bytes[bi] ? -1 : 1;
        ai++;
        bi++;
    }
}

int decimal_compare(const struct decimal *a, const struct decimal *b) {
    int a_sign = a->digits.size == 0 ? 0 : a->negative ? -1 : 1;
    int b_sign = b->digits.size == 0 ? 0 : b->negative ? -1 : 1;
    if (a_sign != b_sign) return a_sign < b_sign ? -1 : 1;
    if (a_sign == 0) return 0;
    int order = exponent_compare(a, b);
    if (order == 0) order = digits_compare(a->digits, b->digits);
    return order * a_sign;
}

bool decimal_in_bounds(const struct decimal *decimal) {
    return decimal->digit_count <= DECIMAL_DIGITS_MAX && !decimal->huge &&
           decimal->exponent <= DECIMAL_EXPONENT_MAX && decimal->exponent >= -DECIMAL_EXPONENT_MAX;
}

bool decimal_u64(const struct decimal *decimal, uint64_t *out) {
    if (decimal->digits.size == 0) {
        *out = 0;
        return true;
    }
    if (decimal->negative || decimal->huge) return false;
    if (decimal->exponent < 0 || decimal->exponent > 19) return false;
    if (decimal->digit_count > decimal->exponent + 1) return false; /* A fraction. */
    uint64_t value = 0;
    for (size_t i = 0; i < decimal->digits.size; i++) {
        char c = decimal->digits.bytes[i];
        if (c == '.') continue;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(c - '0'), &value)) {
            return false;
        }
    }
    for (int64_t left = decimal->exponent + 1 - decimal->digit_count; left > 0; left--) {
        if (__builtin_mul_overflow(value, 10, &value)) return false;
    }
    *out = value;
    return true;
}
