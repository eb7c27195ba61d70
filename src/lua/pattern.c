#include "lua/pattern.h"

#include <string.h>

enum { DEPTH_MAX = 200 };

static bool is_upper(unsigned char c) { return c >= 'A' && c <= 'Z'; }
static bool is_lower(unsigned char c) { return c >= 'a' && c <= 'z'; }
static bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
static bool is_letter(unsigned char c) { return is_upper(c) || is_lower(c); }
static bool is_graphic(unsigned char c) { return c > ' ' && c < 127; }

/* A class by its letter; a letter that names none is itself. */
static bool in_class(unsigned char c, unsigned char name) {
    bool in;
    switch (name | 32) {
    case 'a': in = is_letter(c); break;
    case 'c': in = c < 32 || c == 127; break;
    case 'd': in = is_digit(c); break;
    case 'g': in = is_graphic(c); break;
    case 'l': in = is_lower(c); break;
    case 'p': in = is_graphic(c) && !is_letter(c) && !is_digit(c); break;
    case 's': in = c == ' ' || (c >= 9 && c <= 13); break;
    case 'u': in = is_upper(c); break;
    case 'w': in = is_letter(c) || is_digit(c); break;
    case 'x': in = is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f'); break;
    default: return name == c;
    }
    if (!is_letter(name)) return name == c;
    return is_upper(name) ? !in : in;
}

/* Behind the item that begins at p: a character, a class or a set. */
static const char *item_end(struct pattern *pattern, const char *p) {
    lua_State *L = pattern->lua;
    if (*p == '%') {
        if (p + 1 >= pattern->end) luaL_error(L, "malformed pattern (ends with '%%')");
        return p + 2;
    }
    if (*p != '[') return p + 1;
    const char *begin = p++;
    if (p < pattern->end && *p == '^') p++;
    do { /* A ']' that comes first is itself. */
        if (p >= pattern->end) luaL_error(L, "malformed pattern (missing ']')");
        if (*p++ == '%') p++;
    } while (p >= pattern->end || *p != ']');
    meter_charge(L, (size_t)(p - begin) / 8);
    return p + 1;
}

/* A set from its '[' to `end`, behind its ']'. */
static bool in_set(struct pattern *pattern, unsigned char c, const char *p, const char *end) {
    const char *last = end - 1;
    meter_charge(pattern->lua, (size_t)(end - p) / 8);
    bool found = true;
    p++;
    if (*p == '^') {
        found = false;
        p++;
    }
    while (p < last) {
        if (*p == '%' && p + 1 < last) {
            if (in_class(c, (unsigned char)p[1])) return found;
            p += 2;
        } else if (p + 2 < last && p[1] == '-') {
            if (c >= (unsigned char)p[0] && c <= (unsigned char)p[2]) return found;
            p += 3;
        } else {
            if ((unsigned char)*p == c) return found;
            p++;
        }
    }
    return !found;
}

/* Whether the item p … end matches the one character at `at`. */
static bool matches_one(struct pattern *pattern, const char *at, const char *p, const char *end) {
    meter_charge(pattern->lua, 1);
    if (at >= pattern->text.bytes + pattern->text.size) return false;
    unsigned char c = (unsigned char)*at;
    switch (*p) {
    case '.': return true;
    case '%': return in_class(c, (unsigned char)p[1]);
    case '[': return in_set(pattern, c, p, end);
    default: return (unsigned char)*p == c;
    }
}

/* The longest run of the item that lets the rest match. */
static const char *match_most(struct pattern *pattern, const char *at, const char *p,
                              const char *end) {
    size_t count = 0;
    while (matches_one(pattern, at + count, p, end))
        count++;
    for (;; count--) {
        const char *found = pattern_match(pattern, at + count, end + 1);
        if (found != NULL || count == 0) return found;
    }
}

/* The shortest. */
static const char *match_least(struct pattern *pattern, const char *at, const char *p,
                               const char *end) {
    for (;; at++) {
        const char *found = pattern_match(pattern, at, end + 1);
        if (found != NULL) return found;
        if (!matches_one(pattern, at, p, end)) return NULL;
    }
}

static const char *match_open(struct pattern *pattern, const char *at, const char *p) {
    bool place = p + 1 < pattern->end && p[1] == ')';
    if (pattern->captured == PATTERN_CAPTURES_MAX) luaL_error(pattern->lua, "too many captures");
    pattern->captures[pattern->captured++] =
        (struct pattern_capture){at, place ? PATTERN_PLACE : PATTERN_OPEN};
    const char *found = pattern_match(pattern, at, p + (place ? 2 : 1));
    if (found == NULL) pattern->captured--;
    return found;
}

static const char *match_close(struct pattern *pattern, const char *at, const char *p) {
    int i = pattern->captured - 1;
    while (i >= 0 && pattern->captures[i].size != PATTERN_OPEN)
        i--;
    if (i < 0) luaL_error(pattern->lua, "invalid pattern capture");
    pattern->captures[i].size = at - pattern->captures[i].from;
    const char *found = pattern_match(pattern, at, p + 1);
    if (found == NULL) pattern->captures[i].size = PATTERN_OPEN;
    return found;
}

/* %bxy: from an x to the y that closes it. */
static const char *match_balance(struct pattern *pattern, const char *at, const char *p) {
    if (p + 1 >= pattern->end)
        luaL_error(pattern->lua, "malformed pattern (missing arguments to '%%b')");
    const char *last = pattern->text.bytes + pattern->text.size;
    const char *begin = at;
    if (at >= last || *at != p[0]) return NULL;
    size_t open = 1;
    for (at++; at < last; at++) {
        if (*at == p[1]) {
            if (--open == 0) break;
        } else if (*at == p[0]) {
            open++;
        }
    }
    meter_charge(pattern->lua, (size_t)(at - begin));
    return at < last ? at + 1 : NULL;
}

/* %f[set]: between a character outside the set and one in it; before and behind the text stands a NUL. */
static bool at_frontier(struct pattern *pattern, const char *at, const char *p, const char *end) {
    const char *last = pattern->text.bytes + pattern->text.size;
    unsigned char before = at == pattern->text.bytes ? 0 : (unsigned char)at[-1];
    unsigned char here = at == last ? 0 : (unsigned char)*at;
    return !in_set(pattern, before, p, end) && in_set(pattern, here, p, end);
}

/* %1: what capture 1 matched. */
static const char *match_again(struct pattern *pattern, const char *at, char digit) {
    int i = digit - '1';
    if (i < 0 || i >= pattern->captured || pattern->captures[i].size == PATTERN_OPEN)
        luaL_error(pattern->lua, "invalid capture index %%%d in pattern", i + 1);
    ptrdiff_t size = pattern->captures[i].size;
    if (size < 0) return NULL; /* A place matches no text. */
    meter_charge_bytes(pattern->lua, (size_t)size);
    if (pattern->text.bytes + pattern->text.size - at < size) return NULL;
    return memcmp(pattern->captures[i].from, at, (size_t)size) == 0 ? at + size : NULL;
}

/* What follows % and is no class: *done when the match is decided, else goes on at *at and *p. */
static bool match_special(struct pattern *pattern, const char **at, const char **p) {
    switch ((*p)[1]) {
    case 'b':
        *at = match_balance(pattern, *at, *p + 2);
        *p += 4;
        return true;
    case 'f': {
        *p += 2;
        if (*p >= pattern->end || **p != '[')
            luaL_error(pattern->lua, "missing '[' after '%%f' in pattern");
        const char *end = item_end(pattern, *p);
        if (!at_frontier(pattern, *at, *p, end)) *at = NULL;
        *p = end;
        return true;
    }
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        *at = match_again(pattern, *at, (*p)[1]);
        *p += 2;
        return true;
    default: return false;
    }
}

static const char *match_here(struct pattern *pattern, const char *at, const char *p) {
    while (at != NULL && p < pattern->end) {
        meter_charge(pattern->lua, 1);
        if (*p == '(') return match_open(pattern, at, p);
        if (*p == ')') return match_close(pattern, at, p);
        if (*p == '$' && p + 1 == pattern->end)
            return at == pattern->text.bytes + pattern->text.size ? at : NULL;
        if (*p == '%' && p + 1 < pattern->end && match_special(pattern, &at, &p)) continue;
        const char *end = item_end(pattern, p);
        char repeat = end < pattern->end ? *end : '\0';
        if (repeat == '*') return match_most(pattern, at, p, end);
        if (repeat == '-') return match_least(pattern, at, p, end);
        if (repeat == '+')
            return matches_one(pattern, at, p, end) ? match_most(pattern, at + 1, p, end) : NULL;
        bool one = matches_one(pattern, at, p, end);
        if (repeat == '?') {
            if (one) {
                const char *found = pattern_match(pattern, at + 1, end + 1);
                if (found != NULL) return found;
            }
            p = end + 1;
        } else {
            at = one ? at + 1 : NULL;
            p = end;
        }
    }
    return at;
}

const char *pattern_match(struct pattern *pattern, const char *at, const char *p) {
    if (pattern->depth == DEPTH_MAX) luaL_error(pattern->lua, "pattern too complex");
    pattern->depth++;
    const char *found = match_here(pattern, at, p);
    pattern->depth--;
    return found;
}

void pattern_push_capture(struct pattern *pattern, int i, const char *from, const char *to) {
    lua_State *L = pattern->lua;
    if (i >= pattern->captured) {
        if (i != 0) luaL_error(L, "invalid capture index %%%d", i + 1);
        lua_pushlstring(L, from, (size_t)(to - from));
        return;
    }
    const struct pattern_capture *capture = &pattern->captures[i];
    if (capture->size == PATTERN_OPEN) luaL_error(L, "unfinished capture");
    if (capture->size == PATTERN_PLACE)
        lua_pushinteger(L, capture->from - pattern->text.bytes + 1);
    else
        lua_pushlstring(L, capture->from, (size_t)capture->size);
}

int pattern_push_captures(struct pattern *pattern, const char *from, const char *to) {
    int count = pattern->captured == 0 && from != NULL ? 1 : pattern->captured;
    luaL_checkstack(pattern->lua, count, "too many captures");
    for (int i = 0; i < count; i++)
        pattern_push_capture(pattern, i, from, to);
    return count;
}

bool pattern_is_plain(stet_view pattern) {
    for (size_t i = 0; i < pattern.size; i++) {
        if (pattern.bytes[i] != '\0' && strchr("^$*+?.([%-", pattern.bytes[i]) != NULL)
            return false;
    }
    return true;
}
