/*
 * The table table, ours because Lua's loops over whatever length it is told, uncounted. It looks at what is in a table, past any
 * metatable. The sort is a merge: stable, and an order function that contradicts itself only gives a strange order.
 */
#include "lua/state.h"

enum {
    UNPACK_MAX = 8000
}; /* Results of one unpack, for they are copied with every call they are handed to. */

static lua_Integer check_list(lua_State *L, int index) {
    luaL_checktype(L, index, LUA_TTABLE);
    if (order_mark(L, index) == MARK_OBJECT)
        luaL_argerror(L, index, "this is an object, not a list; see array()");
    return (lua_Integer)lua_rawlen(L, index);
}

/* For those that change it: library tables and globals are nobody's to change. */
static lua_Integer check_own_list(lua_State *L, int index) {
    lua_Integer size = check_list(L, index);
    if (order_mark(L, index) == MARK_NONE && luaL_getmetafield(L, index, "__metatable") != LUA_TNIL)
        luaL_argerror(L, index, "this table cannot be changed");
    return size;
}

static int table_insert(lua_State *L) {
    lua_Integer size = check_own_list(L, 1);
    int arguments = lua_gettop(L);
    lua_Integer at = size + 1;
    if (arguments == 3) {
        at = luaL_checkinteger(L, 2);
        luaL_argcheck(L, at >= 1 && at <= size + 1, 2, "position out of bounds");
    } else if (arguments != 2) {
        return luaL_error(L, "wrong number of arguments to 'insert'");
    }
    meter_charge(L, (size_t)(size + 1 - at) / 2);
    for (lua_Integer i = size; i >= at; i--) {
        lua_rawgeti(L, 1, i);
        lua_rawseti(L, 1, i + 1);
    }
    lua_settop(L, arguments);
    lua_rawseti(L, 1, at);
    return 0;
}

static int table_remove(lua_State *L) {
    lua_Integer size = check_own_list(L, 1);
    lua_Integer at = luaL_optinteger(L, 2, size);
    luaL_argcheck(L, (size == 0 && (at == 0 || at == size)) || (at >= 1 && at <= size + 1), 2,
                  "position out of bounds");
    meter_charge(L, at < size ? (size_t)(size - at) / 2 : 0);
    lua_rawgeti(L, 1, at);
    for (; at < size; at++) {
        lua_rawgeti(L, 1, at + 1);
        lua_rawseti(L, 1, at);
    }
    lua_pushnil(L);
    if (at >= 1)
        lua_rawseti(L, 1, at);
    else
        lua_pop(L, 1);
    return 1;
}

static int table_concat(lua_State *L) {
    lua_Integer size = check_list(L, 1);
    size_t between_size;
    const char *between = luaL_optlstring(L, 2, "", &between_size);
    lua_Integer from = luaL_optinteger(L, 3, 1);
    lua_Integer to = luaL_optinteger(L, 4, size);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (lua_Integer i = from; i <= to; i++) {
        lua_rawgeti(L, 1, i);
        if (lua_type(L, -1) != LUA_TSTRING) {
            if (!number_is(L, -1))
                return luaL_error(L, "invalid value (a %s) at index %I in table for 'concat'",
                                  luaL_typename(L, -1), (LUAI_UACINT)i);
            library_text(L, -1);
            lua_remove(L, -2);
        }
        meter_charge(L, 1 + lua_rawlen(L, -1) / 32);
        luaL_addvalue(&buffer);
        if (i == to) break; /* to may be the largest integer. */
        luaL_addlstring(&buffer, between, between_size);
        meter_charge_bytes(L, between_size);
    }
    luaL_pushresult(&buffer);
    return 1;
}

static int table_unpack(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer from = luaL_optinteger(L, 2, 1);
    lua_Integer to = luaL_optinteger(L, 3, (lua_Integer)lua_rawlen(L, 1));
    if (from > to) return 0;
    lua_Unsigned count = (lua_Unsigned)to - (lua_Unsigned)from;
    if (count >= UNPACK_MAX || !lua_checkstack(L, (int)count + 1))
        return luaL_error(L, "too many results to unpack");
    meter_charge(L, (size_t)count);
    for (lua_Integer i = from; i < to; i++)
        lua_rawgeti(L, 1, i);
    lua_rawgeti(L, 1, to);
    return (int)count + 1;
}

static int table_pack(lua_State *L) {
    int count = lua_gettop(L);
    meter_charge(L, (size_t)count);
    lua_createtable(L, count, 1);
    lua_insert(L, 1);
    for (int i = count; i >= 1; i--)
        lua_rawseti(L, 1, i);
    lua_pushinteger(L, count);
    lua_setfield(L, 1, "n");
    return 1;
}

static int table_move(lua_State *L) {
    check_list(L, 1);
    lua_Integer from = luaL_checkinteger(L, 2);
    lua_Integer end = luaL_checkinteger(L, 3);
    lua_Integer to = luaL_checkinteger(L, 4);
    int target = lua_isnoneornil(L, 5) ? 1 : 5;
    check_own_list(L, target);
    lua_settop(L, 5);
    if (end >= from) {
        luaL_argcheck(L, from > 0 || end < LUA_MAXINTEGER + from, 3, "too many elements to move");
        lua_Integer count = end - from + 1;
        luaL_argcheck(L, to <= LUA_MAXINTEGER - count + 1, 4, "destination wrap around");
        bool upwards = to > end || to <= from || target != 1;
        for (lua_Integer i = 0; i < count; i++) {
            lua_Integer at = upwards ? i : count - 1 - i;
            meter_charge(L, 1);
            lua_rawgeti(L, 1, from + at);
            lua_rawseti(L, target, to + at);
        }
    }
    lua_pushvalue(L, target);
    return 1;
}

/* Stack: 1 the table, 2 the function or nil, 3 the table that is merged into. Whether t[a] comes before t[b]. */
static bool comes_before(lua_State *L, int table, lua_Integer a, lua_Integer b) {
    bool before;
    meter_charge(L, 2);
    if (lua_isnil(L, 2)) {
        lua_rawgeti(L, table, a);
        lua_rawgeti(L, table, b);
        before = lua_compare(L, -2, -1, LUA_OPLT) != 0;
        lua_pop(L, 2);
    } else {
        lua_pushvalue(L, 2);
        lua_rawgeti(L, table, a);
        lua_rawgeti(L, table, b);
        lua_call(L, 2, 1);
        before = lua_toboolean(L, -1) != 0;
        lua_pop(L, 1);
    }
    return before;
}

/* Merges from … middle - 1 and middle … end - 1 of one table into the other. */
static void merge(lua_State *L, int source, int target, lua_Integer from, lua_Integer middle,
                  lua_Integer end) {
    lua_Integer left = from;
    lua_Integer right = middle;
    for (lua_Integer i = from; i < end; i++) {
        bool take_right = left == middle || (right < end && comes_before(L, source, right, left));
        lua_rawgeti(L, source, take_right ? right++ : left++);
        lua_rawseti(L, target, i);
    }
    meter_charge(L, (size_t)(end - from));
}

static int table_sort(lua_State *L) {
    lua_Integer size = check_own_list(L, 1);
    if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    if (size < 2) return 0;
    luaL_argcheck(L, size < INT32_MAX / 4, 1, "too many elements to sort");
    lua_createtable(L, (int)size, 0);
    int source = 1;
    for (lua_Integer width = 1; width < size; width *= 2) {
        int target = 4 - source;
        for (lua_Integer from = 1; from <= size; from += 2 * width) {
            lua_Integer middle = from + width <= size ? from + width : size + 1;
            lua_Integer end = middle + width <= size ? middle + width : size + 1;
            merge(L, source, target, from, middle, end);
        }
        source = target;
    }
    for (lua_Integer i = 1; source == 3 && i <= size; i++) {
        lua_rawgeti(L, 3, i);
        lua_rawseti(L, 1, i);
    }
    return 0;
}

void library_tables(lua_State *L) {
    static const luaL_Reg own[] = {
        {"insert", table_insert}, {"remove", table_remove},
        {"concat", table_concat}, {"unpack", table_unpack},
        {"pack", table_pack},     {"move", table_move},
        {"sort", table_sort},     {NULL, NULL},
    };
    lua_newtable(L);
    luaL_setfuncs(L, own, 0);
}
