/*
 * The string table. What looks for patterns, repeats or formats is ours, counted and bounded; the rest is Lua's own, counted by the size of
 * its arguments.
 */
#include "base/limits.h"
#include "lua/pattern.h"
#include "lua/state.h"

#include <lualib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static stet_view check_text(lua_State *L, int index) {
    stet_view text;
    if (lua_type(L, index) != LUA_TSTRING) {
        luaL_checkany(L, index);
        luaL_argcheck(L, number_is(L, index), index, "a text expected");
        library_text(L, index); /* Numbers in full. */
        lua_replace(L, index);
    }
    text.bytes = lua_tolstring(L, index, &text.size);
    return text;
}

/* Where a search begins, from 0: the argument counts from 1, or from the end when it is negative. */
static size_t start_at(lua_State *L, int index, size_t size) {
    lua_Integer at = luaL_optinteger(L, index, 1);
    if (at > 0) return (lua_Unsigned)at - 1 > size ? size + 1 : (size_t)at - 1;
    if (at == 0 || at < -(lua_Integer)size) return 0;
    return size - (size_t)-at;
}

static int find_plain(lua_State *L, stet_view text, stet_view part, size_t start) {
    meter_charge_bytes(L, text.size - start + part.size);
    const char *found = part.size == 0
                            ? text.bytes + start
                            : memmem(text.bytes + start, text.size - start, part.bytes, part.size);
    if (found == NULL) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, found - text.bytes + 1);
    lua_pushinteger(L, found - text.bytes + (lua_Integer)part.size);
    return 2;
}

static int search(lua_State *L, bool find) {
    stet_view text = check_text(L, 1);
    stet_view p = check_text(L, 2);
    size_t start = start_at(L, 3, text.size);
    if (start > text.size) {
        lua_pushnil(L);
        return 1;
    }
    meter_charge_bytes(L, p.size);
    if (find && (lua_toboolean(L, 4) || pattern_is_plain(p))) return find_plain(L, text, p, start);
    bool anchored = p.size > 0 && p.bytes[0] == '^';
    struct pattern pattern = {.lua = L, .text = text, .end = p.bytes + p.size};
    const char *at = text.bytes + start;
    do {
        pattern.captured = 0;
        const char *end = pattern_match(&pattern, at, p.bytes + anchored);
        if (end == NULL) continue;
        if (!find) return pattern_push_captures(&pattern, at, end);
        lua_pushinteger(L, at - text.bytes + 1);
        lua_pushinteger(L, end - text.bytes);
        return pattern_push_captures(&pattern, NULL, NULL) + 2;
    } while (at++ < text.bytes + text.size && !anchored);
    lua_pushnil(L);
    return 1;
}

static int string_find(lua_State *L) { return search(L, true); }
static int string_match(lua_State *L) { return search(L, false); }

/* upvalues: text, pattern, where to go on, where the last match ended (or -1). */
static int gmatch_step(lua_State *L) {
    stet_view text;
    stet_view p;
    text.bytes = lua_tolstring(L, lua_upvalueindex(1), &text.size);
    p.bytes = lua_tolstring(L, lua_upvalueindex(2), &p.size);
    lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
    struct pattern pattern = {.lua = L, .text = text, .end = p.bytes + p.size};
    for (size_t at = (size_t)lua_tointeger(L, lua_upvalueindex(3)); at <= text.size; at++) {
        pattern.captured = 0;
        const char *end = pattern_match(&pattern, text.bytes + at, p.bytes);
        if (end == NULL || end - text.bytes == last) continue;
        lua_pushinteger(L, end - text.bytes);
        lua_pushvalue(L, -1);
        lua_replace(L, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return pattern_push_captures(&pattern, text.bytes + at, end);
    }
    lua_pushinteger(L, (lua_Integer)text.size + 1);
    lua_replace(L, lua_upvalueindex(3));
    return 0;
}

static int string_gmatch(lua_State *L) {
    stet_view text = check_text(L, 1);
    check_text(L, 2);
    size_t start = start_at(L, 3, text.size);
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)start);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_step, 4);
    return 1;
}

/* Appends the replacement text, with %0 to %9 filled in. */
static void replace_text(struct pattern *pattern, luaL_Buffer *buffer, stet_view with,
                         const char *from, const char *to) {
    lua_State *L = pattern->lua;
    meter_charge(L, with.size / 8);
    for (size_t i = 0; i < with.size; i++) {
        char c = with.bytes[i];
        if (c != '%') {
            luaL_addchar(buffer, c);
            continue;
        }
        c = ++i < with.size ? with.bytes[i] : '\0';
        if (c == '%') {
            luaL_addchar(buffer, '%');
        } else if (c == '0') {
            luaL_addlstring(buffer, from, (size_t)(to - from));
        } else if (c >= '1' && c <= '9') {
            pattern_push_capture(pattern, c - '1', from, to);
            if (lua_type(L, -1) == LUA_TNUMBER) {
                lua_tolstring(L, -1, NULL);
            }
            luaL_addvalue(buffer);
        } else {
            luaL_error(L, "invalid use of '%%' in replacement string");
        }
    }
}

/* Appends what stands in the place of one match. The replacement is argument 3. */
static void replace_one(struct pattern *pattern, luaL_Buffer *buffer, const char *from,
                        const char *to) {
    lua_State *L = pattern->lua;
    int kind = lua_type(L, 3);
    if (kind == LUA_TSTRING) {
        stet_view with;
        with.bytes = lua_tolstring(L, 3, &with.size);
        replace_text(pattern, buffer, with, from, to);
        return;
    }
    if (kind == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        int count = pattern_push_captures(pattern, from, to);
        lua_call(L, count, 1);
    } else {
        pattern_push_capture(pattern, 0, from, to);
        lua_gettable(L, 3);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(buffer, from, (size_t)(to - from));
        return;
    }
    if (lua_type(L, -1) != LUA_TSTRING && !number_is(L, -1))
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    if (lua_type(L, -1) != LUA_TSTRING) {
        library_text(L, -1);
        lua_remove(L, -2);
    }
    luaL_addvalue(buffer);
}

static int string_gsub(lua_State *L) {
    stet_view text = check_text(L, 1);
    stet_view p = check_text(L, 2);
    if (number_is(L, 3)) check_text(L, 3);
    int kind = lua_type(L, 3);
    luaL_argexpected(L, kind == LUA_TSTRING || kind == LUA_TTABLE || kind == LUA_TFUNCTION, 3,
                     "text/function/table");
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)text.size + 1);
    lua_settop(L, 4);
    bool anchored = p.size > 0 && p.bytes[0] == '^';
    struct pattern pattern = {.lua = L, .text = text, .end = p.bytes + p.size};
    const char *at = text.bytes;
    const char *last = text.bytes + text.size;
    const char *ended = NULL; /* The last match: an empty one right behind it does not count. */
    lua_Integer count = 0;
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    while (count < most) {
        meter_charge(L, 1); /* An empty pattern looks at nothing. */
        pattern.captured = 0;
        const char *end = pattern_match(&pattern, at, p.bytes + anchored);
        if (end != NULL && end != ended) {
            count++;
            replace_one(&pattern, &buffer, at, end);
            at = ended = end;
        } else if (at < last) {
            luaL_addchar(&buffer, *at++);
        } else {
            break;
        }
        if (anchored) break;
    }
    luaL_addlstring(&buffer, at, (size_t)(last - at));
    luaL_pushresult(&buffer);
    lua_pushinteger(L, count);
    return 2;
}

static int string_rep(lua_State *L) {
    stet_view text = check_text(L, 1);
    lua_Integer times = luaL_checkinteger(L, 2);
    stet_view between = lua_isnoneornil(L, 3) ? VIEW("") : check_text(L, 3);
    if (times <= 0 || text.size + between.size == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if ((lua_Unsigned)times > FUNCTION_TEXT_BYTES_MAX / (text.size + between.size) + 1)
        meter_stop(L, METER_TEXT);
    size_t total = (text.size + between.size) * (size_t)times - between.size;
    if (total > FUNCTION_TEXT_BYTES_MAX) meter_stop(L, METER_TEXT);
    meter_charge_bytes(L, total);
    luaL_Buffer buffer;
    char *p = luaL_buffinitsize(L, &buffer, total + between.size);
    memcpy(p, text.bytes, text.size);
    memcpy(p + text.size, between.bytes, between.size);
    /* What is there is copied behind itself, so that many small pieces take no longer than few large ones. */
    for (size_t size = text.size + between.size; size < total;) {
        size_t more = size < total - size ? size : total - size;
        memcpy(p + size, p, more);
        size += more;
    }
    luaL_pushresultsize(&buffer, total);
    return 1;
}

/* -- format -- */

struct directive {
    char flags[8];
    int width;     /* -1: none. */
    int precision; /* Likewise. */
    char kind;
};

enum { FIELD_MAX = 512 }; /* %99.99f of the largest double has 309 + 1 + 99 characters. */

static const char *read_two_digits(lua_State *L, const char *p, const char *end, int *out) {
    *out = 0;
    for (int i = 0; p < end && *p >= '0' && *p <= '9'; i++, p++) {
        if (i == 2) luaL_error(L, "invalid conversion in format: width or precision too long");
        *out = *out * 10 + (*p - '0');
    }
    return p;
}

static const char *read_directive(lua_State *L, const char *p, const char *end,
                                  struct directive *directive) {
    size_t flags = 0;
    *directive = (struct directive){.width = -1, .precision = -1};
    while (p < end && *p != '\0' && strchr("-+ #0", *p) != NULL) {
        if (flags == 5) luaL_error(L, "invalid conversion in format: too many flags");
        directive->flags[flags++] = *p++;
    }
    if (p < end && *p >= '1' && *p <= '9') p = read_two_digits(L, p, end, &directive->width);
    if (p < end && *p == '.') p = read_two_digits(L, p + 1, end, &directive->precision);
    if (p >= end) luaL_error(L, "invalid conversion in format: it ends there");
    directive->kind = *p;
    return p + 1;
}

/* A conversion of C from the parts that were read, so that nothing else can stand in it. */
static void make_conversion(const struct directive *directive, const char *kind, char out[32]) {
    char *p = out;
    *p++ = '%';
    p += sprintf(p, "%s", directive->flags);
    if (directive->width >= 0) p += sprintf(p, "%d", directive->width);
    if (directive->precision >= 0) p += sprintf(p, ".%d", directive->precision);
    sprintf(p, "%s", kind);
}

static void format_text(lua_State *L, luaL_Buffer *buffer, const struct directive *directive,
                        int argument) {
    stet_view text;
    library_text(L, argument);
    text.bytes = lua_tolstring(L, -1, &text.size);
    if (directive->precision >= 0 && text.size > (size_t)directive->precision)
        text.size = (size_t)directive->precision;
    size_t pad = directive->width > (int)text.size && text.size < 100
                     ? (size_t)directive->width - text.size
                     : 0;
    bool left = strchr(directive->flags, '-') != NULL;
    /* The text leaves the stack only when it is copied: the buffer may want the place above. */
    char field[FIELD_MAX];
    if (text.size + pad <= sizeof field) {
        memset(field, ' ', text.size + pad);
        memcpy(field + (left ? 0 : pad), text.bytes, text.size);
        lua_pop(L, 1);
        luaL_addlstring(buffer, field, text.size + pad);
    } else if (directive->precision < 0) {
        luaL_addvalue(buffer);
    }
}

/* Decimals are rounded as they are, not as doubles; half goes to even, as with floats that say a half exactly. */
static void format_float(lua_State *L, luaL_Buffer *buffer, const struct directive *directive,
                         int argument) {
    char conversion[32];
    char field[FIELD_MAX];
    char kind[2] = {directive->kind, '\0'};
    stet_view decimal = number_decimal(L, argument);
    if (decimal.bytes != NULL && (directive->kind == 'f' || directive->kind == 'F')) {
        struct directive text = *directive;
        int top = lua_gettop(L);
        lua_pushcfunction(L, number_round);
        lua_pushvalue(L, argument);
        lua_pushinteger(L, directive->precision < 0 ? 6 : directive->precision);
        lua_pushliteral(L, "half_even");
        lua_call(L, 3, 1);
        text.precision = -1;
        /* The buffer wants its own value at the top: bring the text where the argument was. */
        lua_replace(L, argument);
        lua_settop(L, top);
        format_text(L, buffer, &text, argument);
        return;
    }
    double value;
    if (decimal.bytes != NULL) {
        char room[FIELD_MAX];
        if (decimal.size >= sizeof room) luaL_argerror(L, argument, "the decimal is too long");
        memcpy(room, decimal.bytes, decimal.size);
        room[decimal.size] = '\0';
        char *end;
        value = strtod(room, &end);
    } else {
        value = luaL_checknumber(L, argument);
    }
    if (isnan(value)) value = NAN; /* Without a sign that depends on the machine. */
    make_conversion(directive, kind, conversion);
    int size = snprintf(field, sizeof field, conversion, value);
    luaL_addlstring(buffer, field, (size_t)size);
}

static void format_integer(lua_State *L, luaL_Buffer *buffer, const struct directive *directive,
                           int argument) {
    char conversion[32];
    char field[FIELD_MAX];
    char kind[4] = {'l', 'l', directive->kind == 'i' ? 'd' : directive->kind, '\0'};
    lua_Integer value = luaL_checkinteger(L, argument);
    make_conversion(directive, kind, conversion);
    int size = snprintf(field, sizeof field, conversion, (long long)value);
    luaL_addlstring(buffer, field, (size_t)size);
}

static void format_one(lua_State *L, luaL_Buffer *buffer, const struct directive *directive,
                       int argument) {
    char c;
    switch (directive->kind) {
    case 'd':
    case 'i':
    case 'x':
    case 'X':
    case 'o': format_integer(L, buffer, directive, argument); return;
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case 'a':
    case 'A': format_float(L, buffer, directive, argument); return;
    case 'c':
        c = (char)luaL_checkinteger(L, argument);
        luaL_addlstring(buffer, &c, 1);
        return;
    case 's':
        luaL_checkany(L, argument);
        format_text(L, buffer, directive, argument);
        return;
    default: luaL_error(L, "invalid conversion '%%%c' in format", directive->kind);
    }
}

static int string_format(lua_State *L) {
    stet_view format = check_text(L, 1);
    int arguments = lua_gettop(L);
    int argument = 1;
    meter_charge(L, format.size / 8);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    const char *end = format.bytes + format.size;
    for (const char *p = format.bytes; p < end;) {
        if (*p != '%') {
            luaL_addchar(&buffer, *p++);
            continue;
        }
        if (++p < end && *p == '%') {
            luaL_addchar(&buffer, *p++);
            continue;
        }
        struct directive directive;
        p = read_directive(L, p, end, &directive);
        meter_charge(L, 20);
        if (++argument > arguments) return luaL_argerror(L, argument, "no value");
        format_one(L, &buffer, &directive, argument);
    }
    luaL_pushresult(&buffer);
    return 1;
}

void library_strings(lua_State *L) {
    static const char *const counted[] = {"len",     "sub",   "byte",  "char",
                                          "reverse", "lower", "upper", NULL};
    static const luaL_Reg own[] = {
        {"find", string_find}, {"match", string_match},   {"gmatch", string_gmatch},
        {"gsub", string_gsub}, {"format", string_format}, {"rep", string_rep},
        {NULL, NULL},
    };
    lua_pushcfunction(L, luaopen_string);
    lua_call(L, 0, 1);
    library_counted(L, counted);
    luaL_setfuncs(L, own, 0);
}
