/*
 * Exact sums of decimals. Every digit of the three numbers is added into one row of small counters, one for each power of ten
 * between the largest and the smallest digit; then carries are settled once. The bounds of decimal_in_bounds make that row
 * short.
 */
#include "base/limits.h"
#include "doc/decimal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    /* Powers of ten from 10^EXPONENT_MAX, and one more for the carry, down to the last digit of the smallest number. */
    ROW_SIZE = 2 * DECIMAL_EXPONENT_MAX + DECIMAL_DIGITS_MAX + 2,
    /* With an exponent on an operand, numbers are written out only this far from the point. */
    PLAIN_PLACES_MAX = 20,
};
static_assert(DECIMAL_TEXT_MAX >= ROW_SIZE + DECIMAL_DIGITS_MAX + 8,
              "sign, \"0.\" and the places that are padded fit too");

/* values[i] counts 10^(top - i). */
struct row {
    int64_t top;
    size_t size;
    int8_t values[ROW_SIZE];
};

static int64_t last_place(const struct decimal *decimal) {
    return decimal->exponent - (int64_t)decimal->digit_count + 1;
}

static void row_add(struct row *row, const struct decimal *decimal, bool negative) {
    size_t at = (size_t)(row->top - decimal->exponent);
    for (size_t i = 0; i < decimal->digits.size; i++) {
        char c = decimal->digits.bytes[i];
        if (c == '.') continue;
        assert(at < row->size);
        row->values[at] = (int8_t)(row->values[at] + (negative ? '0' - c : c - '0'));
        at++;
    }
}

/* What a counter hands on to the next power of ten, rounded down. */
static int carry_of(int value) { return value >= 0 ? value / 10 : -((9 - value) / 10); }

/* Makes every counter a digit 0 to 9, and tells whether the sum is negative: then the digits are those of its opposite. */
static bool row_settle(struct row *row) {
    int carry = 0;
    /* The first counter alone does not tell the sign: 1 and -10 make nothing. */
    for (size_t i = row->size; i-- > 0;)
        carry = carry_of(row->values[i] + carry);
    bool negative = carry < 0;
    for (size_t i = 0; i < row->size && negative; i++)
        row->values[i] = (int8_t)-row->values[i];
    carry = 0;
    for (size_t i = row->size; i-- > 0;) {
        int value = row->values[i] + carry;
        carry = carry_of(value);
        row->values[i] = (int8_t)(value - 10 * carry);
    }
    assert(carry == 0);
    return negative;
}

/* How a number was spelled: its decimal places, when it has no exponent. */
struct spelling {
    bool exponent;
    int64_t places;
};

static struct spelling spelling_of(stet_view text) {
    struct spelling spelling = {0};
    const char *end = text.bytes + text.size;
    const char *point = memchr(text.bytes, '.', text.size);
    spelling.exponent =
        memchr(text.bytes, 'e', text.size) != NULL || memchr(text.bytes, 'E', text.size) != NULL;
    if (spelling.exponent || point == NULL) return spelling;
    spelling.places = end - point - 1;
    if (spelling.places > DECIMAL_DIGITS_MAX) spelling.places = DECIMAL_DIGITS_MAX;
    return spelling;
}

static char digit_at(const struct row *row, int64_t place) {
    int64_t at = row->top - place;
    return at < 0 || at >= (int64_t)row->size ? '0' : (char)('0' + row->values[at]);
}

static size_t write_plain(const struct row *row, int64_t first, int64_t last, char *out) {
    char *p = out;
    for (int64_t place = first > 0 ? first : 0; place >= (last < 0 ? last : 0); place--) {
        if (place == -1) *p++ = '.';
        *p++ = digit_at(row, place);
    }
    return (size_t)(p - out);
}

static size_t write_scientific(const struct row *row, int64_t first, int64_t last, char *out) {
    char *p = out;
    for (int64_t place = first; place >= last; place--) {
        if (place == first - 1) *p++ = '.';
        *p++ = digit_at(row, place);
    }
    return (size_t)(p - out) + (size_t)sprintf(p, "e%lld", (long long)first);
}

size_t decimal_delta(stet_view a, stet_view b, stet_view c, char out[DECIMAL_TEXT_MAX]) {
    const struct decimal parts[] = {decimal_normalise(a), decimal_normalise(b),
                                    decimal_normalise(c)};
    int64_t top = INT64_MIN;
    int64_t bottom = INT64_MAX;
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].digits.size == 0) continue;
        if (!decimal_in_bounds(&parts[i])) return 0;
        if (parts[i].exponent > top) top = parts[i].exponent;
        if (last_place(&parts[i]) < bottom) bottom = last_place(&parts[i]);
    }
    struct row row;
    row.size = 0;
    bool negative = false;
    if (top != INT64_MIN) {
        row.top = top + 1;
        row.size = (size_t)(row.top - bottom + 1);
        assert(row.size <= ROW_SIZE);
        memset(row.values, 0, row.size);
        for (size_t i = 0; i < 3; i++)
            row_add(&row, &parts[i], parts[i].negative != (i == 2));
        negative = row_settle(&row);
    }

    size_t first_at = 0;
    while (first_at < row.size && row.values[first_at] == 0)
        first_at++;
    size_t last_at = row.size;
    while (last_at > first_at && row.values[last_at - 1] == 0)
        last_at--;
    bool zero = first_at == row.size;
    int64_t first = zero ? 0 : row.top - (int64_t)first_at;
    int64_t last = zero ? 0 : row.top - (int64_t)last_at + 1;
    if (first - last >= DECIMAL_DIGITS_MAX) return 0;
    if (first > DECIMAL_EXPONENT_MAX || first < -DECIMAL_EXPONENT_MAX) return 0;

    struct spelling a_spelling = spelling_of(a);
    struct spelling b_spelling = spelling_of(b);
    int64_t places = a_spelling.places > b_spelling.places ? a_spelling.places : b_spelling.places;
    if (negative) *out++ = '-';
    if ((a_spelling.exponent || b_spelling.exponent) &&
        (first > PLAIN_PLACES_MAX || last < -PLAIN_PLACES_MAX))
        return negative + write_scientific(&row, first, last, out);
    return negative + write_plain(&row, first, last < -places ? last : -places, out);
}
