/*
 * UUID version 7 (RFC 9562, 5.7): 48 bits of milliseconds, then randomness, so that new keys sort
 * near each other. Within one process and millisecond the twelve bits behind the time count up
 * (method 1 of section 6.2).
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/clock.h"

enum { UUID_BYTES = 16, UUID_TEXT_BYTES = 36 };

/* Any thread. Only with the system's clock do they count up; an injected clock gets random bits
 * there, so that a simulation repeats. */
void uuid_v7(const struct clock *clock, const struct entropy *entropy, uint8_t out[UUID_BYTES]);

/* Lower case, no NUL. */
void uuid_format(const uint8_t uuid[UUID_BYTES], char out[UUID_TEXT_BYTES]);

/* Accepts either case, any version; false for any other form. */
bool uuid_parse(stet_view text, uint8_t out[UUID_BYTES]);

static inline int uuid_version(const uint8_t uuid[UUID_BYTES]) { return uuid[6] >> 4; }

#endif
