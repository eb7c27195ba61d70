/*
 * Decimals as values of Lua: a number of a document whose spelling or size an integer cannot keep. Userdata that holds the text; the
 * operators go by digits.h. A result that is written as a plain integer and fits one is an integer again.
 *
 * Floats come from Lua itself (0.5 in a source, 1 / 3). Where one meets a decimal it counts as the shortest decimal that reads back as it,
 * so price * 0.1 is what it looks like.
 */
#include "base/limits.h"
#include "doc/doc.h"
#include "lua/digits.h"
#include "lua/state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

stet_view number_decimal(lua_State *L, int index) {
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return (stet_view){0};
    const void *meta = lua_topointer(L, -1);
    lua_pop(L, 1);
    if (meta != sandbox_of(L)->decimal_meta) return (stet_view){0};
    return view_make(lua_touserdata(L, index), lua_rawlen(L, index));
}

static void push_decimal(lua_State *L, stet_view text) {
    meter_charge_bytes(L, text.size);
    char *bytes = lua_newuserdatauv(L, text.size, 0);
    memcpy(bytes, text.bytes, text.size);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_decimal);
    lua_setmetatable(L, -2);
}

/* An integer as Lua would write it: no sign of zero, no zeros before it, within an int64. */
static bool read_integer(stet_view text, lua_Integer *out) {
    size_t at = text.bytes[0] == '-';
    if (text.size - at > 19 || text.size == at) return false;
    if (text.bytes[at] == '0' && text.size > 1) return false;
    uint64_t value = 0;
    for (size_t i = at; i < text.size; i++) {
        unsigned digit = (unsigned char)(text.bytes[i] - '0');
        if (digit > 9) return false;
        value = value * 10 + digit;
    }
    if (value > (uint64_t)INT64_MAX + at) return false;
    *out = at ? (lua_Integer)(0 - value) : (lua_Integer)value;
    return true;
}

void number_push(lua_State *L, stet_view text) {
    lua_Integer integer;
    if (read_integer(text, &integer))
        lua_pushinteger(L, integer);
    else
        push_decimal(L, text);
}

stet_view number_text(lua_State *L, int index, char room[NUMBER_TEXT_MAX]) {
    if (lua_type(L, index) != LUA_TNUMBER) return number_decimal(L, index);
    if (lua_isinteger(L, index)) {
        int size = snprintf(room, NUMBER_TEXT_MAX, "%lld", (long long)lua_tointeger(L, index));
        return view_make(room, (size_t)size);
    }
    double value = lua_tonumber(L, index);
    if (!isfinite(value)) return (stet_view){0};
    if (value == 0) return VIEW("0");
    int size = 0;
    for (int digits = 15; digits <= 17; digits++) {
        size = snprintf(room, NUMBER_TEXT_MAX, "%.*g", digits, value);
        if (strtod(room, NULL) == value) break;
    }
    return view_make(room, (size_t)size);
}

bool number_is(lua_State *L, int index) {
    return lua_type(L, index) == LUA_TNUMBER || number_decimal(L, index).bytes != NULL;
}

/* The text of an operand; raises for what is no number. */
static stet_view operand(lua_State *L, int index, char room[NUMBER_TEXT_MAX], const char *doing) {
    stet_view text = number_text(L, index, room);
    if (text.bytes != NULL) return text;
    if (lua_type(L, index) == LUA_TNUMBER)
        luaL_error(L, "attempt to %s inf or nan and a decimal", doing);
    /* What metatables call it, else Lua's name for its type. */
    const char *kind = luaL_typename(L, index);
    if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING) kind = lua_tostring(L, -1);
    luaL_error(L, "attempt to %s a decimal and a %s value", doing, kind);
    return text;
}

static void raise_fault(lua_State *L, enum digits_fault fault) {
    switch (fault) {
    case DIGITS_FINE: return;
    case DIGITS_RANGE:
        luaL_error(L, "a decimal has at most %d digits and an exponent within %d",
                   DECIMAL_DIGITS_MAX, DECIMAL_EXPONENT_MAX);
        return;
    case DIGITS_BY_ZERO: luaL_error(L, "attempt to divide a decimal by zero"); return;
    case DIGITS_EXPONENT: luaL_error(L, "a decimal can only be raised to a whole power"); return;
    }
}

static int compute(lua_State *L, enum digits_operator op, const char *doing) {
    char a_room[NUMBER_TEXT_MAX];
    char b_room[NUMBER_TEXT_MAX];
    char out[DECIMAL_TEXT_MAX];
    size_t size = 0;
    stet_view a = operand(L, 1, a_room, doing);
    stet_view b = operand(L, 2, b_room, doing);
    meter_charge(L, op <= DIGITS_SUBTRACT ? 20 : op == DIGITS_MULTIPLY ? 100 : 2000);
    raise_fault(L, digits_compute(op, a, b, out, &size));
    number_push(L, view_make(out, size));
    return 1;
}

static int meta_add(lua_State *L) { return compute(L, DIGITS_ADD, "add"); }
static int meta_sub(lua_State *L) { return compute(L, DIGITS_SUBTRACT, "subtract"); }
static int meta_mul(lua_State *L) { return compute(L, DIGITS_MULTIPLY, "multiply"); }
static int meta_div(lua_State *L) { return compute(L, DIGITS_DIVIDE, "divide"); }
static int meta_idiv(lua_State *L) { return compute(L, DIGITS_FLOOR_DIVIDE, "divide"); }
static int meta_mod(lua_State *L) { return compute(L, DIGITS_MODULO, "divide"); }
static int meta_pow(lua_State *L) { return compute(L, DIGITS_POWER, "raise"); }

static int meta_unm(lua_State *L) {
    stet_view text = number_decimal(L, 1);
    if (decimal_normalise(text).digits.size == 0) {
        lua_settop(L, 1);
        return 1;
    }
    if (text.bytes[0] == '-') {
        number_push(L, view_make(text.bytes + 1, text.size - 1));
        return 1;
    }
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    luaL_addchar(&buffer, '-');
    luaL_addlstring(&buffer, text.bytes, text.size);
    luaL_pushresult(&buffer);
    size_t size;
    const char *bytes = lua_tolstring(L, -1, &size);
    number_push(L, view_make(bytes, size));
    return 1;
}

int number_compare(lua_State *L, int a, int b) {
    char a_room[NUMBER_TEXT_MAX];
    char b_room[NUMBER_TEXT_MAX];
    struct decimal left = decimal_normalise(number_text(L, a, a_room));
    struct decimal right = decimal_normalise(number_text(L, b, b_room));
    meter_charge_bytes(L, left.digits.size + right.digits.size);
    return decimal_compare(&left, &right);
}

/* inf is past every decimal; nan is comparable with nothing. */
static int ordered(lua_State *L, bool or_equal) {
    for (int i = 1; i <= 2; i++) {
        if (!number_is(L, i)) {
            char room[NUMBER_TEXT_MAX];
            operand(L, i, room, "compare");
        }
        double value = lua_type(L, i) == LUA_TNUMBER ? lua_tonumber(L, i) : 0;
        if (isfinite(value)) continue;
        lua_pushboolean(L, !isnan(value) && (value < 0) == (i == 1));
        return 1;
    }
    int order = number_compare(L, 1, 2);
    lua_pushboolean(L, order < 0 || (or_equal && order == 0));
    return 1;
}
static int meta_lt(lua_State *L) { return ordered(L, false); }
static int meta_le(lua_State *L) { return ordered(L, true); }

static int meta_eq(lua_State *L) {
    bool decimals = number_decimal(L, 1).bytes != NULL && number_decimal(L, 2).bytes != NULL;
    lua_pushboolean(L, decimals && number_compare(L, 1, 2) == 0);
    return 1;
}

static int meta_tostring(lua_State *L) {
    stet_view text = number_decimal(L, 1);
    lua_pushlstring(L, text.bytes, text.size);
    return 1;
}

static int meta_concat(lua_State *L) {
    for (int i = 1; i <= 2; i++) {
        if (lua_type(L, i) != LUA_TSTRING && !number_is(L, i))
            return luaL_error(L, "attempt to concatenate a %s value", luaL_typename(L, i));
    }
    library_text(L, 1);
    library_text(L, 2);
    lua_concat(L, 2);
    return 1;
}

/* Whether the text is one number of JSON. */
static bool is_json_number(stet_view text) {
    size_t i = 0;
    size_t digits = 0;
#define DIGIT(at) ((at) < text.size && (unsigned char)(text.bytes[at] - '0') < 10)
    if (i < text.size && text.bytes[i] == '-') i++;
    bool zero = i < text.size && text.bytes[i] == '0';
    for (; DIGIT(i); i++)
        digits++;
    if (digits == 0 || (zero && digits > 1)) return false;
    if (i < text.size && text.bytes[i] == '.') {
        for (i++, digits = 0; DIGIT(i); i++)
            digits++;
        if (digits == 0) return false;
    }
    if (i < text.size && (text.bytes[i] == 'e' || text.bytes[i] == 'E')) {
        i++;
        if (i < text.size && (text.bytes[i] == '-' || text.bytes[i] == '+')) i++;
        for (digits = 0; DIGIT(i); i++)
            digits++;
        if (digits == 0) return false;
    }
#undef DIGIT
    return i == text.size;
}

int number_decimal_new(lua_State *L) {
    char room[NUMBER_TEXT_MAX];
    stet_view text;
    if (lua_type(L, 1) == LUA_TSTRING) {
        text.bytes = lua_tolstring(L, 1, &text.size);
        meter_charge_bytes(L, text.size);
        if (!is_json_number(text)) return luaL_error(L, "not a number, as JSON writes them");
    } else {
        text = number_text(L, 1, room);
        if (text.bytes == NULL)
            return luaL_argerror(L, 1, "a number, or the text of one, expected");
    }
    push_decimal(L, text);
    return 1;
}

static stet_view whole_or_raise(lua_State *L, stet_view text, int places,
                                enum digits_rounding rounding, char *out) {
    size_t size = 0;
    meter_charge(L, 20);
    raise_fault(L, digits_round(text, places, rounding, out, &size));
    return view_make(out, size);
}

int number_round(lua_State *L) {
    char room[NUMBER_TEXT_MAX];
    char out[DECIMAL_TEXT_MAX];
    static const char *const modes[] = {"half_up", "half_even", "down", "up", NULL};
    static const enum digits_rounding roundings[] = {DIGITS_HALF_AWAY, DIGITS_HALF_EVEN,
                                                     DIGITS_DOWN, DIGITS_UP};
    stet_view text = number_text(L, 1, room);
    lua_Integer places = luaL_optinteger(L, 2, 0);
    int mode = luaL_checkoption(L, 3, "half_up", modes);
    if (text.bytes == NULL) return luaL_argerror(L, 1, "a number expected");
    if (places < -DECIMAL_EXPONENT_MAX || places > DECIMAL_DIGITS_MAX)
        return luaL_argerror(L, 2, "too many places");
    number_push(L, whole_or_raise(L, text, (int)places, roundings[mode], out));
    return 1;
}

void number_push_whole(lua_State *L, stet_view decimal, bool up) {
    char out[DECIMAL_TEXT_MAX];
    number_push(L, whole_or_raise(L, decimal, 0, up ? DIGITS_UP : DIGITS_DOWN, out));
}

void number_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"__add", meta_add},       {"__sub", meta_sub},   {"__mul", meta_mul},
        {"__div", meta_div},       {"__idiv", meta_idiv}, {"__mod", meta_mod},
        {"__pow", meta_pow},       {"__unm", meta_unm},   {"__lt", meta_lt},
        {"__le", meta_le},         {"__eq", meta_eq},     {"__tostring", meta_tostring},
        {"__concat", meta_concat}, {NULL, NULL},
    };
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushliteral(L, "decimal");
    lua_setfield(L, -2, "__name");
    sandbox_of(L)->decimal_meta = lua_topointer(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state_decimal);
}
