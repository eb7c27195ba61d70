/*
 * Random documents for tests: small alphabets, so that two of them often share keys, values and shapes.
 */
#ifndef DOC_RANDOM_DOC_H
#define DOC_RANDOM_DOC_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/view.h"

static inline uint64_t random_below(const struct entropy *entropy, uint64_t bound) {
    return entropy_u64(entropy) % bound;
}

static inline void random_scalar(const struct entropy *entropy, struct buffer *out) {
    static const char *const scalars[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1",
        "1.0",
        "10e-1",
        "2",
        "1e400",
        "18446744073709551616",
        "-7.250",
        "\"\"",
        "\"a\"",
        "\"\\u0061\"",
        "\"b\\n\"",
        "\"gr\xc3\xbc\xc3\x9f\"",
        "\"\\ud83d\\ude00\"",
        "\"a text that is longer than sixteen bytes\"",
        "\"\\u0000\"",
    };
    buffer_append_text(out, scalars[random_below(entropy, sizeof scalars / sizeof scalars[0])]);
}

static inline void random_blank(const struct entropy *entropy, struct buffer *out) {
    static const char *const blanks[] = {"", "", "", " ", "\n\t"};
    buffer_append_text(out, blanks[random_below(entropy, 5)]);
}

/* Appends a value at most depth levels high. objects_only: the root is an object, as records are. */
static inline void random_value(const struct entropy *entropy, struct buffer *out, unsigned depth,
                                bool object) {
    static const char *const keys[] = {
        "a", "b", "c", "d", "a/b", "t~", "", "\\u0065", "long key of many bytes", "x\\ny"};
    uint64_t kind = object ? 9 : random_below(entropy, 10);
    if (depth == 0 || kind < 4) {
        random_scalar(entropy, out);
        return;
    }
    bool is_object = kind >= 6;
    /* Now and then an object large enough to have its keys sorted. */
    uint64_t count =
        random_below(entropy, 40) == 0 ? 33 + random_below(entropy, 10) : random_below(entropy, 6);
    bool first = true;
    buffer_append_char(out, is_object ? '{' : '[');
    for (uint64_t i = 0; i < count; i++) {
        if (is_object && count <= 10 && random_below(entropy, 3) == 0) continue;
        if (!first) buffer_append_char(out, ',');
        first = false;
        random_blank(entropy, out);
        if (is_object) {
            if (count > 10) {
                buffer_append_format(out, "\"k%llu\":", (unsigned long long)i);
            } else {
                buffer_append_format(out, "\"%s\":", keys[i]);
            }
            random_blank(entropy, out);
        }
        random_value(entropy, out, depth - 1, false);
    }
    random_blank(entropy, out);
    buffer_append_char(out, is_object ? '}' : ']');
}

#endif
