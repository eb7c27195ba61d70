/*
 * Tables as lists and objects, and the order of their keys.
 *
 * Lua's own next goes by addresses and a seed, so it is never seen. A table that came from a document, or that array() or object() made, is
 * marked by its metatable. A marked object keeps, under hidden keys, where its document's keys stand, and the keys that came later in the
 * order they came: a new key is one that __newindex sees, so reading and changing what is there costs nothing extra. A key that is
 * taken out and put back stands where it stood. All other tables have their keys in the order 1 to n, numbers, texts by their bytes.
 */
#include "base/limits.h"
#include "lua/state.h"

#include <stdlib.h>
#include <string.h>

enum mark order_mark(lua_State *L, int index) {
    if (!lua_getmetatable(L, index)) return MARK_NONE;
    const void *meta = lua_topointer(L, -1);
    lua_pop(L, 1);
    const struct sandbox *sandbox = sandbox_of(L);
    return meta == sandbox->list_meta     ? MARK_LIST
           : meta == sandbox->object_meta ? MARK_OBJECT
                                          : MARK_NONE;
}

void order_mark_list(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_list);
    lua_setmetatable(L, -2);
}

void order_mark_object(lua_State *L, lua_Integer origin) {
    if (origin >= 0) {
        lua_pushinteger(L, origin);
        lua_rawsetp(L, -2, &state_origin);
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_object);
    lua_setmetatable(L, -2);
}

static bool is_hidden(lua_State *L, int index) { return lua_type(L, index) == LUA_TLIGHTUSERDATA; }

enum shape order_shape(lua_State *L, int index, size_t *count) {
    index = lua_absindex(L, index);
    enum mark mark = order_mark(L, index);
    size_t places = 0;
    size_t texts = 0;
    size_t others = 0;
    lua_Integer last = 0;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        lua_Integer place = 0;
        if (is_hidden(L, -1)) continue;
        if (lua_isinteger(L, -1)) place = lua_tointeger(L, -1);
        if (place > 0) {
            places++;
            if (place > last) last = place;
        } else if (lua_type(L, -1) == LUA_TSTRING) {
            texts++;
        } else {
            others++;
        }
    }
    /* Not meter_charge: hosts ask for shapes, and must not be left by a raise. The next charge notices. */
    sandbox_of(L)->meter.left -= (int64_t)(places + texts + others);
    *count = places + texts;
    bool list = places > 0 && texts == 0 && (size_t)last == places;
    if (others > 0) return SHAPE_MIXED;
    if (mark == MARK_OBJECT) return places > 0 ? SHAPE_MIXED : SHAPE_OBJECT;
    if (mark == MARK_LIST) return *count == 0 || list ? SHAPE_LIST : SHAPE_MIXED;
    if (*count == 0) return SHAPE_EMPTY;
    if (list) return SHAPE_LIST;
    return places == 0 ? SHAPE_OBJECT : SHAPE_MIXED;
}

/* A key that is to find its place. Rank: numbers, texts, false, true. */
struct sort_key {
    uint8_t rank;
    bool whole;
    lua_Integer integer;
    lua_Number number;
    stet_view text;
    size_t at;
};

static int sort_compare(const void *left, const void *right) {
    const struct sort_key *a = left;
    const struct sort_key *b = right;
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    if (a->rank == 1) return view_compare(a->text, b->text);
    if (a->whole && b->whole) return (a->integer > b->integer) - (a->integer < b->integer);
    /* A float that is a key is never whole, so it equals no integer; neighbours past 2^53 have no floats between them. */
    lua_Number x = a->whole ? (lua_Number)a->integer : a->number;
    lua_Number y = b->whole ? (lua_Number)b->integer : b->number;
    return (x > y) - (x < y);
}

static void sort_key_read(lua_State *L, int index, struct sort_key *key) {
    memset(key, 0, sizeof *key);
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        key->whole = lua_isinteger(L, index) != 0;
        if (key->whole)
            key->integer = lua_tointeger(L, index);
        else
            key->number = lua_tonumber(L, index);
        return;
    case LUA_TSTRING:
        key->rank = 1;
        key->text.bytes = lua_tolstring(L, index, &key->text.size);
        return;
    case LUA_TBOOLEAN: key->rank = lua_toboolean(L, index) ? 3 : 2; return;
    default: luaL_error(L, "a table with keys that are neither texts nor numbers has no order");
    }
}

static size_t log2_of(size_t n) {
    size_t log = 1;
    while (n >>= 1)
        log++;
    return log;
}

/* The list at the top, of count keys, is replaced by a sorted one. */
static void sort_list(lua_State *L, size_t count) {
    meter_charge(L, count * log2_of(count));
    int list = lua_gettop(L);
    struct sort_key *keys = lua_newuserdatauv(L, count * sizeof *keys, 0);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        sort_key_read(L, -1, &keys[i]);
        keys[i].at = i + 1;
        lua_pop(L, 1); /* The list holds it. */
    }
    qsort(keys, count, sizeof *keys, sort_compare);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, list, (lua_Integer)keys[i].at);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_replace(L, list);
    lua_settop(L, list);
}

static size_t keys_sorted(lua_State *L, int index) {
    lua_newtable(L);
    size_t count = 0;
    bool sequence = true;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        if (is_hidden(L, -1)) continue;
        count++;
        sequence = sequence && lua_isinteger(L, -1) && lua_tointeger(L, -1) == (lua_Integer)count;
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, (lua_Integer)count);
    }
    meter_charge(L, count);
    if (!sequence) sort_list(L, count);
    return count;
}

/* Where a marked object came from; DOC_NONE when it came from nowhere. */
static doc_node origin_of(lua_State *L, int index, const struct doc **doc) {
    doc_node node = DOC_NONE;
    if (lua_rawgetp(L, index, &state_origin) == LUA_TNUMBER) {
        lua_Integer origin = lua_tointeger(L, -1);
        *doc = sandbox_of(L)->docs[origin >> 32];
        node = (doc_node)(origin & UINT32_MAX);
    }
    lua_pop(L, 1);
    return node;
}

static void push_key(lua_State *L, const struct doc *doc, doc_node child) {
    stet_view key;
    if (doc_key(sandbox_of(L)->run->arena, doc, child, &key) != STET_OK)
        meter_stop(L, METER_NO_MEMORY);
    /* One with escapes is a copy. */
    if (key.bytes != doc_key_raw(doc, child).bytes && !meter_keep(&sandbox_of(L)->meter, key.size))
        meter_stop(L, METER_MEMORY);
    lua_pushlstring(L, key.bytes, key.size);
}

static size_t keys_of_object(lua_State *L, int index) {
    const struct doc *doc = NULL;
    doc_node node = origin_of(L, index, &doc);
    size_t count = 0;
    lua_createtable(L, node == DOC_NONE ? 0 : (int)doc_count(doc, node), 0);
    for (doc_node child = node == DOC_NONE ? DOC_NONE : doc_first(doc, node); child != DOC_NONE;
         child = doc_next(doc, child)) {
        push_key(L, doc, child);
        lua_rawseti(L, -2, (lua_Integer)++count);
    }
    if (lua_rawgetp(L, index, &state_order) == LUA_TTABLE) {
        lua_Integer later = (lua_Integer)lua_rawlen(L, -1);
        for (lua_Integer i = 1; i <= later; i++) {
            lua_rawgeti(L, -1, i);
            lua_rawseti(L, -3, (lua_Integer)++count);
        }
    }
    lua_pop(L, 1);
    meter_charge(L, count);
    return count;
}

size_t order_keys(lua_State *L, int index) {
    index = lua_absindex(L, index);
    luaL_checkstack(L, 8, NULL);
    return order_mark(L, index) == MARK_OBJECT ? keys_of_object(L, index) : keys_sorted(L, index);
}

/* The table's key at the top, which is a text, comes after all others unless it has a place. */
static void remember_key(lua_State *L, int index) {
    const struct doc *doc = NULL;
    doc_node node = origin_of(L, index, &doc);
    stet_view key;
    key.bytes = lua_tolstring(L, -1, &key.size);
    if (node != DOC_NONE && doc_member(doc, node, key) != DOC_NONE) return;
    if (lua_rawgetp(L, index, &state_order) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, index, &state_order);
    }
    lua_pushvalue(L, -2);
    bool known = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 1);
    if (!known) {
        lua_pushvalue(L, -2);
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
        lua_pushvalue(L, -2);
        lua_pushboolean(L, 1);
        lua_rawset(L, -3);
    }
    lua_pop(L, 1);
}

static int object_newindex(lua_State *L) {
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "the keys of an object are texts, not a %s", luaL_typename(L, 2));
    if (lua_isnil(L, 3)) return 0;
    lua_pushvalue(L, 2);
    remember_key(L, 1);
    lua_settop(L, 3);
    lua_rawset(L, 1);
    return 0;
}

static int list_newindex(lua_State *L) {
    if (!lua_isinteger(L, 2) || lua_tointeger(L, 2) < 1)
        return luaL_error(L, "a list has the places 1 to n and no other keys");
    lua_rawset(L, 1);
    return 0;
}

int order_rawset(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    luaL_checkany(L, 3);
    lua_settop(L, 3);
    enum mark mark = order_mark(L, 1);
    if (mark == MARK_NONE && luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "this table cannot be changed");
    if (mark == MARK_OBJECT) object_newindex(L);
    if (mark == MARK_LIST) list_newindex(L);
    if (mark == MARK_NONE || (mark == MARK_OBJECT && lua_gettop(L) == 3)) lua_rawset(L, 1);
    lua_settop(L, 1);
    return 1;
}

/* The first key from place `at` of the list of keys that is still there, with its value. */
static int next_from(lua_State *L, int table, int keys, lua_Integer at, lua_Integer *found) {
    for (;; at++) {
        if (lua_rawgeti(L, keys, at) == LUA_TNIL) {
            *found = at;
            return 1;
        }
        lua_pushvalue(L, -1);
        if (lua_rawget(L, table) != LUA_TNIL) {
            *found = at;
            return 2;
        }
        lua_pop(L, 2);
    }
}

/* upvalues: keys, table, place. */
static int pairs_step(lua_State *L) {
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(3));
    lua_Integer found;
    int results = next_from(L, lua_upvalueindex(2), lua_upvalueindex(1), at, &found);
    lua_pushinteger(L, found + 1);
    lua_replace(L, lua_upvalueindex(3));
    meter_charge(L, (size_t)(found - at));
    return results;
}

int order_pairs(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    order_keys(L, 1);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 1);
    lua_pushcclosure(L, pairs_step, 3);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* Keys are kept from one call to the next, with the table at place 0. */
int order_next(lua_State *L) {
    struct sandbox *sandbox = sandbox_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    bool kept = lua_rawgetp(L, LUA_REGISTRYINDEX, &state_next) == LUA_TTABLE;
    if (kept) {
        lua_rawgeti(L, 3, 0);
        lua_rawgeti(L, 3, sandbox->next_at);
        kept = lua_rawequal(L, 1, -2) && !lua_isnil(L, 2) && lua_rawequal(L, 2, -1);
    }
    lua_Integer at = sandbox->next_at + 1;
    if (!kept) {
        lua_settop(L, 2);
        size_t count = order_keys(L, 1);
        lua_pushvalue(L, 1);
        lua_rawseti(L, 3, 0);
        at = 1;
        if (!lua_isnil(L, 2)) {
            bool found = false;
            for (; !found && at <= (lua_Integer)count; at++) {
                lua_rawgeti(L, 3, at);
                found = lua_rawequal(L, 2, -1) != 0;
                lua_pop(L, 1);
            }
            meter_charge(L, (size_t)at);
            if (!found) return luaL_error(L, "no such key for next");
        }
        lua_pushvalue(L, 3);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &state_next);
        sandbox->next_at = 0;
    }
    lua_settop(L, 3);
    int results = next_from(L, 1, 3, at, &sandbox->next_at);
    return results;
}

int order_array(lua_State *L) {
    size_t count;
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
    } else {
        luaL_checktype(L, 1, LUA_TTABLE);
        if (order_mark(L, 1) == MARK_LIST) return 1;
        if (lua_getmetatable(L, 1)) return luaL_error(L, "this table is an object already");
        enum shape shape = order_shape(L, 1, &count);
        if (shape != SHAPE_EMPTY && shape != SHAPE_LIST)
            return luaL_error(L, "a list has the places 1 to n and no other keys");
    }
    order_mark_list(L);
    return 1;
}

int order_object(lua_State *L) {
    size_t count;
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        order_mark_object(L, -1);
        return 1;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    if (order_mark(L, 1) == MARK_OBJECT) return 1;
    if (lua_getmetatable(L, 1)) return luaL_error(L, "this table is a list already");
    enum shape shape = order_shape(L, 1, &count);
    if (shape != SHAPE_EMPTY && shape != SHAPE_OBJECT)
        return luaL_error(L, "the keys of an object are texts");
    count = order_keys(L, 1);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i);
        remember_key(L, 1);
        lua_pop(L, 1);
    }
    lua_settop(L, 1);
    order_mark_object(L, -1);
    return 1;
}

int order_is_array(lua_State *L) {
    size_t count;
    lua_pushboolean(L, lua_istable(L, 1) && order_shape(L, 1, &count) == SHAPE_LIST);
    return 1;
}

static const void *make_meta(lua_State *L, const void *name, lua_CFunction newindex) {
    lua_newtable(L);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushcfunction(L, newindex);
    lua_setfield(L, -2, "__newindex");
    const void *pointer = lua_topointer(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, name);
    return pointer;
}

void order_open(lua_State *L) {
    struct sandbox *sandbox = sandbox_of(L);
    sandbox->list_meta = make_meta(L, &state_list, list_newindex);
    sandbox->object_meta = make_meta(L, &state_object, object_newindex);
}
