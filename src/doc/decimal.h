/*
 * Decimals: what a JSON number means, without turning it into a double and without ever expanding an exponent.
 *
 * A number is read as  sign  d1.d2d3…dn × 10^exponent  with d1 and dn not zero, so equal values have equal parts however they
 * were spelled: 1.0, 1e0 and 10e-1 are all +1 × 10^0. The digits stay where they are in the text. Exponents past
 * ±DECIMAL_EXACT_EXPONENT (even ones with a million digits) are compared as text.
 */
#ifndef DOC_DECIMAL_H
#define DOC_DECIMAL_H

#include "stet.h"

#define DECIMAL_EXACT_EXPONENT INT64_C(2000000000000000000)

struct decimal {
    stet_view digits;     /* d1 … dn in the source; may hold one '.'. Empty: the value is zero. */
    uint32_t digit_count; /* n. */
    bool negative;        /* False for zero, -0 too. */
    bool huge;            /* |exponent| > DECIMAL_EXACT_EXPONENT: `exponent` is only its sign. */
    int64_t exponent;     /* Of d1. */
    stet_view exponent_text; /* The source's digits after e, without sign and leading zeros. */
    bool exponent_negative;
    int64_t shift; /* exponent = ± exponent_text + shift. */
};

/* text: one valid JSON number, borrowed as long as the decimal lives. */
struct decimal decimal_normalise(stet_view text);

/* <0, 0, >0. Exact for every pair of JSON numbers. */
int decimal_compare(const struct decimal *a, const struct decimal *b);

/*
 * Whether arithmetic may use the number: at most DECIMAL_DIGITS_MAX digits, an exponent within
 * ±DECIMAL_EXPONENT_MAX. Past that a rule that adds calls a conflict, so that nothing is expanded.
 */
bool decimal_in_bounds(const struct decimal *decimal);

/* Room for what decimal_delta writes. */
enum { DECIMAL_TEXT_MAX = 2400 };

/*
 * Writes a + b - c, exactly, without a NUL. It has as many decimal places as a or b was spelled with ("1.10" and "0.90" make
 * "2.00"), and an exponent only when one of them had one and the number is far from 1. Swapping a and b makes no difference.
 *
 * @return the bytes written; 0: a number or the result is out of bounds (decimal_in_bounds), and nothing was written.
 */
size_t decimal_delta(stet_view a, stet_view b, stet_view c, char out[DECIMAL_TEXT_MAX]);

/* True when the value is an integer 0 … UINT64_MAX. */
bool decimal_u64(const struct decimal *decimal, uint64_t *out);

#endif
