/*
 * Cookies: finds one in what a browser sent, and writes the one that holds a session.
 *
 * The header is whatever a client likes to send. It is read once from left to right, nothing is decoded, and a name that stands twice
 * with different values is ambiguous: another site below the same domain can add a cookie of the same name, and whoever took either
 * one would let it choose whose session it is.
 *
 * Pure: bytes in, bytes out. Thread: any.
 */
#ifndef HTTP_COOKIE_H
#define HTTP_COOKIE_H

#include "base/arena.h"
#include "stet.h"

enum cookie_found { COOKIE_ABSENT, COOKIE_FOUND, COOKIE_AMBIGUOUS };

/* value: set when found; borrowed from the header, without the quotes that may stand around it. */
enum cookie_found cookie_find(stet_view header, stet_view name, stet_view *value);

struct cookie {
    stet_view name, value; /* Without a value: the browser is told to forget it. */
    stet_view path;
    uint64_t lifetime_s;
    bool secure;
};

/* The text of Set-Cookie, NUL-terminated; without bytes when memory is out. */
stet_view cookie_format(struct arena *arena, const struct cookie *cookie);

#endif
