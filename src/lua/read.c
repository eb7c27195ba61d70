/*
 * JSON to Lua. A value is copied whole: most functions look at most of a record, and a copy of 20 fields takes less time than 20
 * detours. Its document stays, for the order of keys.
 */
#include "base/error.h"
#include "lua/state.h"

#include <string.h>

void value_push_null(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &state_null); }

bool value_is_null(lua_State *L, int index) {
    return lua_type(L, index) == LUA_TUSERDATA && lua_touserdata(L, index) == sandbox_of(L)->null;
}

/* The document's place among those of the run. */
static lua_Integer doc_place(lua_State *L, const struct doc *doc) {
    struct sandbox *sandbox = sandbox_of(L);
    if (sandbox->doc_count > 0 && sandbox->docs[sandbox->doc_count - 1] == doc)
        return sandbox->doc_count - 1;
    if (sandbox->doc_count == sandbox->doc_capacity) {
        uint32_t capacity = sandbox->doc_capacity == 0 ? 16 : sandbox->doc_capacity * 2;
        const struct doc **docs = arena_alloc(sandbox->run->arena, capacity * sizeof *docs);
        if (docs == NULL) meter_stop(L, METER_NO_MEMORY);
        if (sandbox->doc_count > 0) memcpy(docs, sandbox->docs, sandbox->doc_count * sizeof *docs);
        sandbox->docs = docs;
        sandbox->doc_capacity = capacity;
    }
    sandbox->docs[sandbox->doc_count] = doc;
    return sandbox->doc_count++;
}

static void push_text(lua_State *L, const struct doc *doc, doc_node node) {
    bool escaped;
    stet_view text = doc_string_raw(doc, node, &escaped);
    if (escaped && doc_string(sandbox_of(L)->run->arena, doc, node, &text) != STET_OK)
        meter_stop(L, METER_NO_MEMORY);
    lua_pushlstring(L, text.bytes, text.size);
}

static void push_node(lua_State *L, const struct doc *doc, doc_node node, lua_Integer place);

static void push_object(lua_State *L, const struct doc *doc, doc_node node, lua_Integer place) {
    luaL_checkstack(L, 4, NULL);
    lua_createtable(L, 0, (int)doc_count(doc, node) + 1);
    for (doc_node child = doc_first(doc, node); child != DOC_NONE; child = doc_next(doc, child)) {
        stet_view key;
        if (doc_key(sandbox_of(L)->run->arena, doc, child, &key) != STET_OK)
            meter_stop(L, METER_NO_MEMORY);
        lua_pushlstring(L, key.bytes, key.size);
        push_node(L, doc, child, place);
        lua_rawset(L, -3);
    }
    order_mark_object(L, place << 32 | node);
}

static void push_list(lua_State *L, const struct doc *doc, doc_node node, lua_Integer place) {
    luaL_checkstack(L, 4, NULL);
    lua_Integer count = 0;
    lua_createtable(L, (int)doc_count(doc, node), 0);
    for (doc_node child = doc_first(doc, node); child != DOC_NONE; child = doc_next(doc, child)) {
        push_node(L, doc, child, place);
        lua_rawseti(L, -2, ++count);
    }
    order_mark_list(L);
}

static void push_node(lua_State *L, const struct doc *doc, doc_node node, lua_Integer place) {
    switch (doc_kind(doc, node)) {
    case DOC_NULL: value_push_null(L); return;
    case DOC_FALSE:
    case DOC_TRUE: lua_pushboolean(L, doc_kind(doc, node) == DOC_TRUE); return;
    case DOC_NUMBER: number_push(L, doc_text(doc, node)); return;
    case DOC_STRING: push_text(L, doc, node); return;
    case DOC_ARRAY: push_list(L, doc, node, place); return;
    case DOC_OBJECT: push_object(L, doc, node, place); return;
    }
}

void value_push(lua_State *L, const struct doc *doc, doc_node node) {
    meter_charge(L, doc_weight(doc, node));
    meter_charge_bytes(L, doc_text(doc, node).size);
    luaL_checkstack(L, 4, NULL);
    push_node(L, doc, node, doc_place(L, doc));
}
