/*
 * The math table: what gives the same result on every machine. Sines and logarithms differ in the last digit from one C library to the
 * next, so they are not there. Random numbers come from the run's seed.
 */
#include "lua/digits.h"
#include "lua/state.h"

#include <math.h>

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
uint64_t library_random(struct sandbox *sandbox) {
    uint64_t z = sandbox->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int math_random(lua_State *L) {
    struct sandbox *sandbox = sandbox_of(L);
    int arguments = lua_gettop(L);
    if (arguments == 0) {
        lua_pushnumber(L, (double)(library_random(sandbox) >> 11) * 0x1p-53);
        return 1;
    }
    lua_Integer low = arguments == 1 ? 1 : luaL_checkinteger(L, 1);
    lua_Integer high = luaL_checkinteger(L, arguments == 1 ? 1 : 2);
    luaL_argcheck(L, low <= high, arguments == 1 ? 1 : 2, "interval is empty");
    uint64_t span = (uint64_t)high - (uint64_t)low + 1;
    uint64_t drawn = library_random(sandbox);
    if (span != 0) {
        /* What is past the last whole multiple of the span would favour the low ones. */
        uint64_t unfair = (0 - span) % span;
        while (drawn < unfair)
            drawn = library_random(sandbox);
        drawn %= span;
    }
    lua_pushinteger(L, (lua_Integer)((uint64_t)low + drawn));
    return 1;
}

static void check_number(lua_State *L, int index) {
    luaL_checkany(L, index);
    luaL_argcheck(L, number_is(L, index), index, "a number expected");
}

static int whole(lua_State *L, bool up) {
    check_number(L, 1);
    lua_settop(L, 1);
    stet_view decimal = number_decimal(L, 1);
    if (decimal.bytes != NULL) {
        number_push_whole(L, decimal, up);
        return 1;
    }
    if (lua_isinteger(L, 1)) return 1;
    double value = up ? ceil(lua_tonumber(L, 1)) : floor(lua_tonumber(L, 1));
    lua_Integer integer;
    if (lua_numbertointeger(value, &integer))
        lua_pushinteger(L, integer);
    else
        lua_pushnumber(L, value);
    return 1;
}
static int math_floor(lua_State *L) { return whole(L, false); }
static int math_ceil(lua_State *L) { return whole(L, true); }

static int math_abs(lua_State *L) {
    check_number(L, 1);
    lua_settop(L, 1);
    stet_view decimal = number_decimal(L, 1);
    if (decimal.bytes != NULL) {
        if (decimal.bytes[0] == '-') lua_arith(L, LUA_OPUNM);
        return 1;
    }
    if (lua_isinteger(L, 1)) {
        lua_Integer value = lua_tointeger(L, 1);
        lua_pushinteger(L, value < 0 ? (lua_Integer)(0u - (lua_Unsigned)value) : value);
    } else {
        lua_pushnumber(L, fabs(lua_tonumber(L, 1)));
    }
    return 1;
}

static int extreme(lua_State *L, bool greatest) {
    int count = lua_gettop(L);
    int best = 1;
    meter_charge(L, (size_t)count);
    for (int i = 1; i <= count || i == 1; i++) {
        check_number(L, i);
        if (greatest ? lua_compare(L, best, i, LUA_OPLT) : lua_compare(L, i, best, LUA_OPLT))
            best = i;
    }
    lua_pushvalue(L, best);
    return 1;
}
static int math_max(lua_State *L) { return extreme(L, true); }
static int math_min(lua_State *L) { return extreme(L, false); }

static int math_sqrt(lua_State *L) {
    lua_pushnumber(L, sqrt(luaL_checknumber(L, 1)));
    return 1;
}

static int math_fmod(lua_State *L) {
    double by = luaL_checknumber(L, 2);
    lua_pushnumber(L, fmod(luaL_checknumber(L, 1), by));
    return 1;
}

static int math_tointeger(lua_State *L) {
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    if (number_decimal(L, 1).bytes != NULL) {
        /* Equal to its whole part, which may be spelled as an integer. */
        number_push_whole(L, number_decimal(L, 1), false);
        if (lua_isinteger(L, 2) && number_compare(L, 1, 2) == 0) return 1;
        lua_pushnil(L);
        return 1;
    }
    int is;
    lua_Integer value = lua_tointegerx(L, 1, &is);
    if (is && lua_type(L, 1) == LUA_TNUMBER)
        lua_pushinteger(L, value);
    else
        lua_pushnil(L);
    return 1;
}

static int math_type(lua_State *L) {
    luaL_checkany(L, 1);
    if (number_decimal(L, 1).bytes != NULL)
        lua_pushliteral(L, "decimal");
    else if (lua_type(L, 1) == LUA_TNUMBER)
        lua_pushstring(L, lua_isinteger(L, 1) ? "integer" : "float");
    else
        lua_pushnil(L);
    return 1;
}

static int math_ult(lua_State *L) {
    lua_Unsigned a = (lua_Unsigned)luaL_checkinteger(L, 1);
    lua_pushboolean(L, a < (lua_Unsigned)luaL_checkinteger(L, 2));
    return 1;
}

void library_math(lua_State *L) {
    static const luaL_Reg own[] = {
        {"random", math_random}, {"floor", math_floor}, {"ceil", math_ceil},
        {"abs", math_abs},       {"max", math_max},     {"min", math_min},
        {"sqrt", math_sqrt},     {"fmod", math_fmod},   {"tointeger", math_tointeger},
        {"type", math_type},     {"ult", math_ult},     {NULL, NULL},
    };
    lua_newtable(L);
    luaL_setfuncs(L, own, 0);
    lua_pushnumber(L, HUGE_VAL);
    lua_setfield(L, -2, "huge");
    lua_pushnumber(L, 3.141592653589793);
    lua_setfield(L, -2, "pi");
    lua_pushinteger(L, LUA_MAXINTEGER);
    lua_setfield(L, -2, "maxinteger");
    lua_pushinteger(L, LUA_MININTEGER);
    lua_setfield(L, -2, "mininteger");
}
