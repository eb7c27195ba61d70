/*
 * Lua's patterns, matched by us: Lua's own matcher can run for a minute inside one call, where no hook counts. This one counts every step
 * against the run's instructions. The language is the manual's, section 6.4.1; letters and the like are those of ASCII.
 */
#ifndef LUA_PATTERN_H
#define LUA_PATTERN_H

#include "lua/state.h"

#include <stddef.h>

enum { PATTERN_CAPTURES_MAX = 32 };

struct pattern_capture {
    const char *from;
    ptrdiff_t size; /* Or one of the two below. */
};
enum { PATTERN_OPEN = -1, PATTERN_PLACE = -2 };

struct pattern {
    lua_State *lua;
    stet_view text;
    const char *end; /* Of the pattern. */
    int depth;
    int captured;
    struct pattern_capture captures[PATTERN_CAPTURES_MAX];
};

/* Whether the pattern, which stands at p, matches the text at `at`. @return where the match ends, or NULL. Raises for what is no pattern. */
const char *pattern_match(struct pattern *pattern, const char *at, const char *p);

/* Pushes capture i: a text or a place. Where nothing is captured, 0 is the whole match, from … to. */
void pattern_push_capture(struct pattern *pattern, int i, const char *from, const char *to);
/* All captures, or the whole match. @return how many. */
int pattern_push_captures(struct pattern *pattern, const char *from, const char *to);

/* No character of it means anything but itself. */
bool pattern_is_plain(stet_view pattern);

#endif
