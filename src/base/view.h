/*
 * Views: borrowed bytes with a size. The type is stet_view of the public header; these are the
 * everyday operations on it. Nothing here allocates. A view never owns: whoever hands one out says
 * how long it lasts.
 */
#ifndef BASE_VIEW_H
#define BASE_VIEW_H

#include "stet.h"

#include <string.h>

/* A literal as a view: VIEW("tasks"). */
#define VIEW(literal) ((stet_view){.bytes = (literal), .size = sizeof(literal) - 1})

/* printf: printf("%.*s", VIEW_ARG(view)). */
#define VIEW_ARG(view) (int)(view).size, (view).bytes

static inline stet_view view_of(const char *text) {
    return (stet_view){.bytes = text, .size = text == NULL ? 0 : strlen(text)};
}

static inline stet_view view_make(const void *bytes, size_t size) {
    return (stet_view){.bytes = bytes, .size = size};
}

static inline bool view_is_empty(stet_view view) { return view.size == 0; }

static inline bool view_equal(stet_view a, stet_view b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

/* ASCII case is ignored: header names, media types. */
bool view_equal_nocase(stet_view a, stet_view b);

static inline bool view_starts(stet_view view, stet_view prefix) {
    return view.size >= prefix.size &&
           (prefix.size == 0 || memcmp(view.bytes, prefix.bytes, prefix.size) == 0);
}

/* Order of memcmp, a prefix before what it begins: the order of ids in lists. Returns <0, 0, >0. */
int view_compare(stet_view a, stet_view b);

/* Parses a whole view of 1 to 20 decimal digits. False when it is anything else or passes
 * UINT64_MAX; out is untouched. */
bool view_parse_u64(stet_view view, uint64_t *out);

/* True when the bytes are well-formed UTF-8 (no overlong forms, no surrogates, nothing past
 * U+10FFFF). */
bool view_is_utf8(stet_view view);

/* True when all bytes are printable ASCII, as those of nearly all names are: nothing else has to be looked for then. */
bool view_is_printable(stet_view view);

/* 64-bit hash for hash tables and filters inside one process; not for anything stored or
 * security. */
uint64_t view_hash(stet_view view, uint64_t seed);

#endif
