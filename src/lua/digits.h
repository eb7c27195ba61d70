/*
 * Arithmetic on decimals as text: what Lua's operators do to numbers that doubles cannot say. Pure; knows no Lua.
 *
 * Sums, differences and products are exact, or there is no result: a number past DECIMAL_DIGITS_MAX digits or with an exponent past
 * DECIMAL_EXPONENT_MAX is never expanded. A quotient is exact when it ends within DECIMAL_DIGITS_MAX digits, else rounded to
 * DIGITS_QUOTIENT digits, ties to even. Results keep the decimal places of the operands: 1.10 + 0.90 is 2.00, 1.10 * 2 is 2.20.
 */
#ifndef LUA_DIGITS_H
#define LUA_DIGITS_H

#include "doc/decimal.h"

enum { DIGITS_QUOTIENT = 34 };

enum digits_operator {
    DIGITS_ADD,
    DIGITS_SUBTRACT,
    DIGITS_MULTIPLY,
    DIGITS_DIVIDE,
    DIGITS_FLOOR_DIVIDE, /* Rounded down, as Lua's //. */
    DIGITS_MODULO,       /* Has the sign of b. */
    DIGITS_POWER,        /* b is a whole number. */
};

enum digits_fault { DIGITS_FINE, DIGITS_RANGE, DIGITS_BY_ZERO, DIGITS_EXPONENT };

/* a, b: JSON numbers. out: the result, *size bytes without a NUL. Nothing is written when there is a fault. */
enum digits_fault digits_compute(enum digits_operator op, stet_view a, stet_view b,
                                 char out[DECIMAL_TEXT_MAX], size_t *size);

enum digits_rounding { DIGITS_HALF_AWAY, DIGITS_HALF_EVEN, DIGITS_DOWN, DIGITS_UP };

/* With exactly so many places behind the point; places ≤ DECIMAL_DIGITS_MAX, below 0: tens, hundreds, … DOWN: towards -∞; UP: towards +∞. */
enum digits_fault digits_round(stet_view a, int places, enum digits_rounding rounding,
                               char out[DECIMAL_TEXT_MAX], size_t *size);

#endif
