#include "lua/digits.h"

#include "base/limits.h"
#include "base/view.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    ROOM = 4 * DECIMAL_DIGITS_MAX + 8,
    PLAIN_PLACES_MAX = DECIMAL_DIGITS_MAX + 20,
};

/* A whole number of `count` digits, the largest first and not 0 (zero has none), times 10^exponent. */
struct digits {
    bool negative;
    int count;
    int64_t exponent;
    uint8_t at[ROOM];
};

static bool digits_read(stet_view text, struct digits *digits) {
    struct decimal decimal = decimal_normalise(text);
    *digits = (struct digits){.negative = decimal.negative};
    if (decimal.digits.size == 0) return true;
    if (!decimal_in_bounds(&decimal)) return false;
    for (size_t i = 0; i < decimal.digits.size; i++) {
        if (decimal.digits.bytes[i] != '.')
            digits->at[digits->count++] = (uint8_t)(decimal.digits.bytes[i] - '0');
    }
    digits->exponent = decimal.exponent - digits->count + 1;
    return true;
}

/* Takes zeros off both ends. */
static void digits_trim(struct digits *digits) {
    int zeros = 0;
    while (zeros < digits->count && digits->at[zeros] == 0)
        zeros++;
    digits->count -= zeros;
    memmove(digits->at, digits->at + zeros, (size_t)digits->count);
    while (digits->count > 0 && digits->at[digits->count - 1] == 0) {
        digits->count--;
        digits->exponent++;
    }
    if (digits->count == 0) *digits = (struct digits){0};
}

/* Writes it with at least so many places. */
static enum digits_fault digits_write(struct digits *digits, int64_t places,
                                      char out[DECIMAL_TEXT_MAX], size_t *size) {
    digits_trim(digits);
    if (digits->count > DECIMAL_DIGITS_MAX) return DIGITS_RANGE;
    char text[DECIMAL_DIGITS_MAX + PLAIN_PLACES_MAX + 32];
    size_t used = 0;
    if (digits->negative) text[used++] = '-';
    /* decimal_delta writes out what was written out: so it is, unless it is far from 1. */
    bool plain = digits->exponent < 0 && digits->exponent >= -PLAIN_PLACES_MAX;
    int point = plain ? digits->count + (int)digits->exponent : digits->count;
    if (point <= 0) text[used++] = '0';
    if (point <= 0 && plain) text[used++] = '.';
    for (int i = point; i < 0; i++)
        text[used++] = '0';
    for (int i = 0; i < digits->count; i++) {
        if (i == point && i > 0) text[used++] = '.';
        text[used++] = (char)('0' + digits->at[i]);
    }
    if (!plain && digits->exponent != 0)
        used += (size_t)sprintf(text + used, "e%lld", (long long)digits->exponent);
    char zero[DECIMAL_DIGITS_MAX + 2] = "0.";
    size_t zero_size = 1;
    if (places > DECIMAL_DIGITS_MAX) places = DECIMAL_DIGITS_MAX;
    if (places > 0) {
        memset(zero + 2, '0', (size_t)places);
        zero_size = 2 + (size_t)places;
    }
    *size = decimal_delta(view_make(text, used), view_make(zero, zero_size), VIEW("0"), out);
    return *size == 0 ? DIGITS_RANGE : DIGITS_FINE;
}

/* Digits behind the point, as spelled; 0 with an exponent. */
static int64_t places_of(stet_view text) {
    const char *point = memchr(text.bytes, '.', text.size);
    if (point == NULL || memchr(text.bytes, 'e', text.size) != NULL ||
        memchr(text.bytes, 'E', text.size) != NULL)
        return 0;
    return text.bytes + text.size - point - 1;
}

static enum digits_fault multiply(const struct digits *a, const struct digits *b,
                                  struct digits *product) {
    unsigned sums[2 * DECIMAL_DIGITS_MAX + 1] = {0};
    int count = a->count + b->count;
    assert(a->count <= DECIMAL_DIGITS_MAX && b->count <= DECIMAL_DIGITS_MAX);
    for (int i = 0; i < a->count; i++) {
        for (int k = 0; k < b->count; k++)
            sums[i + k + 1] += (unsigned)a->at[i] * b->at[k];
    }
    *product = (struct digits){.negative = a->negative != b->negative,
                               .count = count,
                               .exponent = a->exponent + b->exponent};
    for (int i = count - 1; i > 0; i--)
        sums[i - 1] += sums[i] / 10;
    for (int i = 0; i < count; i++)
        product->at[i] = (uint8_t)(sums[i] % 10);
    digits_trim(product);
    return product->count > DECIMAL_DIGITS_MAX ? DIGITS_RANGE : DIGITS_FINE;
}

/* What is left of a division: count digits, zeros first. */
struct rest {
    int count;
    uint8_t at[ROOM];
};

static bool rest_is_zero(const struct rest *rest) {
    for (int i = 0; i < rest->count; i++) {
        if (rest->at[i] != 0) return false;
    }
    return true;
}

/* by has rest->count digits or fewer. */
static int rest_compare(const struct rest *rest, const struct digits *by) {
    int lead = rest->count - by->count;
    for (int i = 0; i < rest->count; i++) {
        int digit = i < lead ? 0 : by->at[i - lead];
        if (rest->at[i] != digit) return rest->at[i] < digit ? -1 : 1;
    }
    return 0;
}

static void rest_subtract(struct rest *rest, const struct digits *by) {
    int lead = rest->count - by->count;
    int borrow = 0;
    for (int i = rest->count - 1; i >= 0; i--) {
        int value = rest->at[i] - borrow - (i < lead ? 0 : by->at[i - lead]);
        borrow = value < 0;
        rest->at[i] = (uint8_t)(value + 10 * borrow);
    }
    assert(borrow == 0);
}

/* Brings the next digit of the number that is divided down, and returns the next one of the quotient. */
static uint8_t rest_step(struct rest *rest, const struct digits *by, uint8_t digit) {
    /* The first digit is 0: what is left is smaller than the divisor. */
    memmove(rest->at, rest->at + 1, (size_t)rest->count - 1);
    rest->at[rest->count - 1] = digit;
    uint8_t quotient = 0;
    for (; rest_compare(rest, by) >= 0; quotient++)
        rest_subtract(rest, by);
    return quotient;
}

/* Whether what was cut off, which is not nothing, takes the last digit up. half: how it compares with a half. */
static bool rounds_up(enum digits_rounding rounding, bool negative, int half, bool odd) {
    switch (rounding) {
    case DIGITS_HALF_AWAY: return half >= 0;
    case DIGITS_HALF_EVEN: return half > 0 || (half == 0 && odd);
    case DIGITS_DOWN: return negative;
    case DIGITS_UP: return !negative;
    }
    return false;
}

/* Adds one in the last place; the number may grow by a digit. */
static void digits_increment(struct digits *digits) {
    int i = digits->count - 1;
    for (; i >= 0 && digits->at[i] == 9; i--)
        digits->at[i] = 0;
    if (i >= 0) {
        digits->at[i]++;
        return;
    }
    memmove(digits->at + 1, digits->at, (size_t)digits->count);
    digits->at[0] = 1;
    digits->count++;
}

static enum digits_fault divide(const struct digits *a, const struct digits *b,
                                struct digits *quotient) {
    if (b->count == 0) return DIGITS_BY_ZERO;
    *quotient = (struct digits){.negative = a->negative != b->negative,
                                .exponent = a->exponent - b->exponent};
    if (a->count == 0) return DIGITS_FINE;
    struct rest rest = {.count = b->count + 1};
    bool exact = false;
    for (int i = 0; quotient->count < DECIMAL_DIGITS_MAX && !exact; i++) {
        uint8_t digit = rest_step(&rest, b, i < a->count ? a->at[i] : 0);
        if (quotient->count > 0 || digit > 0) quotient->at[quotient->count++] = digit;
        if (i >= a->count) quotient->exponent--;
        exact = i >= a->count - 1 && rest_is_zero(&rest);
    }
    if (exact || quotient->count <= DIGITS_QUOTIENT) return DIGITS_FINE;
    /* What is cut off is never exactly a half: the quotient does not end here. */
    bool up = quotient->at[DIGITS_QUOTIENT] >= 5;
    quotient->exponent += quotient->count - DIGITS_QUOTIENT;
    quotient->count = DIGITS_QUOTIENT;
    if (up) digits_increment(quotient);
    return DIGITS_FINE;
}

/* Both as whole numbers of the same power of ten. */
static bool align(struct digits *a, struct digits *b) {
    int64_t exponent = a->exponent < b->exponent ? a->exponent : b->exponent;
    if (a->count == 0) exponent = b->exponent;
    struct digits *both[] = {a, b};
    for (size_t i = 0; i < 2; i++) {
        struct digits *one = both[i];
        if (one->count == 0) continue;
        int64_t more = one->exponent - exponent;
        if (one->count + more > 3 * DECIMAL_DIGITS_MAX) return false;
        one->count += (int)more;
        one->exponent = exponent;
    }
    return true;
}

static enum digits_fault floor_divide(struct digits *a, struct digits *b, struct digits *quotient,
                                      struct digits *modulo) {
    if (b->count == 0) return DIGITS_BY_ZERO;
    if (!align(a, b)) return DIGITS_RANGE;
    struct rest rest = {.count = b->count + 1};
    *quotient = (struct digits){.negative = a->negative != b->negative};
    for (int i = 0; i < a->count; i++) {
        uint8_t digit = rest_step(&rest, b, a->at[i]);
        if (quotient->count > 0 || digit > 0) quotient->at[quotient->count++] = digit;
    }
    *modulo = (struct digits){.negative = b->negative, .exponent = b->exponent};
    if (quotient->negative && a->count > 0 && !rest_is_zero(&rest)) {
        digits_increment(quotient);
        struct rest whole = {.count = rest.count};
        memcpy(whole.at + 1, b->at, (size_t)b->count);
        struct digits taken = {.count = rest.count};
        memcpy(taken.at, rest.at, (size_t)rest.count);
        rest_subtract(&whole, &taken);
        rest = whole;
    }
    modulo->count = rest.count;
    memcpy(modulo->at, rest.at, (size_t)rest.count);
    digits_trim(modulo);
    return DIGITS_FINE;
}

/* *factors: the exponent, when the result keeps the places of that many factors; else 0. */
static enum digits_fault power(struct digits *a, stet_view exponent, struct digits *result,
                               uint64_t *factors) {
    struct decimal decimal = decimal_normalise(exponent);
    bool inverse = decimal.negative;
    decimal.negative = false;
    uint64_t times;
    if (!decimal_u64(&decimal, &times)) return DIGITS_EXPONENT;
    *factors = inverse || times > DECIMAL_DIGITS_MAX ? 0 : times;
    /* Only powers of ten do not grow by digits, and they soon leave the exponents. */
    if (a->count > 0 && times > 2 * DECIMAL_EXPONENT_MAX)
        times = 2 * DECIMAL_EXPONENT_MAX + times % 2;
    *result = (struct digits){.count = 1, .at = {1}};
    struct digits square = *a;
    for (;;) {
        struct digits product;
        if (times % 2 == 1) {
            if (multiply(result, &square, &product) != DIGITS_FINE) return DIGITS_RANGE;
            *result = product;
        }
        times /= 2;
        if (times == 0) break;
        if (multiply(&square, &square, &product) != DIGITS_FINE) return DIGITS_RANGE;
        square = product;
    }
    if (!inverse) return DIGITS_FINE;
    struct digits one = {.count = 1, .at = {1}};
    struct digits below = *result;
    return divide(&one, &below, result);
}

static enum digits_fault sum(stet_view a, stet_view b, bool subtract, char *out, size_t *size) {
    char opposite[DECIMAL_TEXT_MAX];
    if (subtract) {
        /* The places of both count, so the second is negated and added. */
        bool negative = b.bytes[0] == '-';
        if (b.size + 1 > sizeof opposite) return DIGITS_RANGE;
        opposite[0] = '-';
        memcpy(opposite + 1, b.bytes, b.size);
        b = negative ? view_make(opposite + 2, b.size - 1) : view_make(opposite, b.size + 1);
    }
    *size = decimal_delta(a, b, VIEW("0"), out);
    return *size == 0 ? DIGITS_RANGE : DIGITS_FINE;
}

enum digits_fault digits_compute(enum digits_operator op, stet_view a, stet_view b,
                                 char out[DECIMAL_TEXT_MAX], size_t *size) {
    if (op == DIGITS_ADD || op == DIGITS_SUBTRACT)
        return sum(a, b, op == DIGITS_SUBTRACT, out, size);
    struct digits left, right, result, other;
    if (!digits_read(a, &left) || !digits_read(b, &right)) return DIGITS_RANGE;
    int64_t places = 0;
    uint64_t factors = 0;
    enum digits_fault fault = DIGITS_FINE;
    switch (op) {
    case DIGITS_ADD:
    case DIGITS_SUBTRACT: break;
    case DIGITS_MULTIPLY:
        places = places_of(a) + places_of(b);
        fault = multiply(&left, &right, &result);
        break;
    case DIGITS_DIVIDE: fault = divide(&left, &right, &result); break;
    case DIGITS_FLOOR_DIVIDE: fault = floor_divide(&left, &right, &result, &other); break;
    case DIGITS_MODULO:
        places = places_of(a) > places_of(b) ? places_of(a) : places_of(b);
        fault = floor_divide(&left, &right, &other, &result);
        break;
    case DIGITS_POWER:
        fault = power(&left, b, &result, &factors);
        places = places_of(a) * (int64_t)factors;
        break;
    }
    return fault == DIGITS_FINE ? digits_write(&result, places, out, size) : fault;
}

enum digits_fault digits_round(stet_view a, int places, enum digits_rounding rounding,
                               char out[DECIMAL_TEXT_MAX], size_t *size) {
    struct digits digits;
    if (places > DECIMAL_DIGITS_MAX || places < -DECIMAL_EXPONENT_MAX || !digits_read(a, &digits))
        return DIGITS_RANGE;
    int64_t cut = -places - digits.exponent; /* Digits that go. */
    if (digits.count > 0 && cut > 0) {
        int keep = cut > digits.count ? -1 : digits.count - (int)cut;
        /* Of what goes: how it compares with a half. */
        int half = -1;
        if (keep >= 0) {
            half = digits.at[keep] < 5 ? -1 : digits.at[keep] > 5 || keep + 1 < digits.count;
        }
        bool odd = keep > 0 && digits.at[keep - 1] % 2 == 1;
        bool up = rounds_up(rounding, digits.negative, half, odd);
        digits.count = keep < 0 ? 0 : keep;
        digits.exponent = -places;
        if (up) digits_increment(&digits);
    }
    return digits_write(&digits, places, out, size);
}
