/*
 * Lua to JSON. With an original, what is equal to it by value is copied from its text, so that reading a value and putting it back
 * changes nothing, and changing one field changes that field: the spelling of numbers, escapes, order and blanks of the rest stay.
 */
#include "doc/write.h"
#include "base/error.h"
#include "base/limits.h"
#include "doc/decimal.h"
#include "doc/text.h"
#include "lua/state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The way from the root to the value at hand, for messages and to notice circles. */
struct path {
    const struct path *parent;
    const void *table;
    stet_view key; /* bytes == NULL: the place. */
    size_t place;
};

struct writing {
    lua_State *lua;
    struct buffer *out;
    const struct doc *original;
    stet_error *err;
    uint32_t depth;
};

/* Writes the pointer to what is wrong; as much of it as there is room for. */
static size_t pointer_write(const struct path *path, char *out, size_t room) {
    if (path == NULL) return 0;
    size_t used = pointer_write(path->parent, out, room);
    if (used + 1 >= room) return used;
    out[used++] = '/';
    if (path->key.bytes == NULL) {
        int size = snprintf(out + used, room - used, "%zu", path->place);
        return used + (size_t)size < room ? used + (size_t)size : room - 1;
    }
    for (size_t i = 0; i < path->key.size && used + 2 < room; i++) {
        char c = path->key.bytes[i];
        if (c == '~' || c == '/') {
            out[used++] = '~';
            out[used++] = c == '~' ? '0' : '1';
        } else {
            out[used++] = c;
        }
    }
    return used;
}

static stet_status refuse(struct writing *writing, const struct path *path, const char *words) {
    char pointer[sizeof(((stet_error *)0)->field)];
    size_t size = pointer_write(path, pointer, sizeof pointer);
    stet_status status = error_set(writing->err, STET_BAD_REQUEST, "no JSON value at \"%.*s\": %s",
                                   (int)size, pointer, words);
    error_field_view(writing->err, view_make(pointer, size), 0);
    return status;
}

/* Copies the original's text in the place of what was written since `start`. */
static void keep(struct writing *writing, size_t start, doc_node node) {
    writing->out->size = start;
    buffer_append_view(writing->out, doc_text(writing->original, node));
}

static bool same_number(const struct writing *writing, stet_view text, doc_node node) {
    stet_view own = doc_text(writing->original, node);
    if (view_equal(own, text)) return true;
    struct decimal a = decimal_normalise(own);
    struct decimal b = decimal_normalise(text);
    return decimal_compare(&a, &b) == 0;
}

static bool same_text(const struct writing *writing, stet_view text, doc_node node) {
    bool escaped;
    stet_view raw = doc_string_raw(writing->original, node, &escaped);
    return escaped ? text_compare(raw, true, text, false) == 0 : view_equal(raw, text);
}

static stet_status write_value(struct writing *writing, int index, doc_node node,
                               const struct path *path, bool *same);

static doc_node kind_node(const struct writing *writing, doc_node node, enum doc_kind kind) {
    return node != DOC_NONE && doc_kind(writing->original, node) == kind ? node : DOC_NONE;
}

static stet_status write_list(struct writing *writing, int index, doc_node node, size_t count,
                              struct path *path, bool *same) {
    lua_State *L = writing->lua;
    size_t start = writing->out->size;
    node = kind_node(writing, node, DOC_ARRAY);
    doc_node child = node == DOC_NONE ? DOC_NONE : doc_first(writing->original, node);
    *same = node != DOC_NONE && doc_count(writing->original, node) == count;
    buffer_append_char(writing->out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buffer_append_char(writing->out, ',');
        bool same_child;
        path->key.bytes = NULL;
        path->place = i;
        lua_rawgeti(L, index, (lua_Integer)i + 1);
        stet_status status = write_value(writing, lua_gettop(L), child, path, &same_child);
        if (status != STET_OK) return status;
        lua_pop(L, 1);
        *same = *same && same_child;
        if (child != DOC_NONE) child = doc_next(writing->original, child);
    }
    buffer_append_char(writing->out, ']');
    if (*same) keep(writing, start, node);
    return STET_OK;
}

static stet_status write_object(struct writing *writing, int index, doc_node node,
                                struct path *path, bool *same) {
    lua_State *L = writing->lua;
    size_t start = writing->out->size;
    node = kind_node(writing, node, DOC_OBJECT);
    size_t members = 0;
    *same = node != DOC_NONE;
    buffer_append_char(writing->out, '{');
    size_t count = order_keys(L, index);
    int keys = lua_gettop(L);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, keys, (lua_Integer)i);
        stet_view key;
        key.bytes = lua_tolstring(L, -1, &key.size);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, index) == LUA_TNIL) {
            lua_pop(L, 2);
            continue;
        }
        path->key = key;
        if (!view_is_utf8(key)) return refuse(writing, path, "its key is not UTF-8");
        if (members++ > 0) buffer_append_char(writing->out, ',');
        doc_node child = node == DOC_NONE ? DOC_NONE : doc_member(writing->original, node, key);
        bool same_child;
        if (child == DOC_NONE) {
            json_string(writing->out, key);
        } else {
            buffer_append_char(writing->out, '"');
            buffer_append_view(writing->out, doc_key_raw(writing->original, child));
            buffer_append_char(writing->out, '"');
        }
        buffer_append_char(writing->out, ':');
        stet_status status = write_value(writing, lua_gettop(L), child, path, &same_child);
        if (status != STET_OK) return status;
        lua_pop(L, 2);
        *same = *same && same_child;
    }
    lua_pop(L, 1);
    buffer_append_char(writing->out, '}');
    *same = *same && members == doc_count(writing->original, node);
    if (*same) keep(writing, start, node);
    return STET_OK;
}

static stet_status write_table(struct writing *writing, int index, doc_node node,
                               const struct path *parent, bool *same) {
    lua_State *L = writing->lua;
    struct path path = {.parent = parent, .table = lua_topointer(L, index)};
    for (const struct path *above = parent; above != NULL; above = above->parent) {
        if (above->table == path.table)
            return refuse(writing, parent, "it holds itself: a circle has no end");
    }
    if (writing->depth == JSON_DEPTH_MAX) {
        error_set(writing->err, STET_FUNCTION_LIMIT,
                  "the value has more than %d lists and objects inside one another",
                  JSON_DEPTH_MAX);
        error_field(writing->err, "depth", JSON_DEPTH_MAX);
        return STET_FUNCTION_LIMIT;
    }
    luaL_checkstack(L, 8, NULL);
    writing->depth++;
    size_t count;
    stet_status status = STET_OK;
    enum shape shape = order_shape(L, index, &count);
    /* {} in the place of a list is an empty list. */
    if (shape == SHAPE_EMPTY && kind_node(writing, node, DOC_ARRAY) != DOC_NONE) shape = SHAPE_LIST;
    switch (shape) {
    case SHAPE_LIST: status = write_list(writing, index, node, count, &path, same); break;
    case SHAPE_EMPTY:
    case SHAPE_OBJECT: status = write_object(writing, index, node, &path, same); break;
    case SHAPE_MIXED:
        status = refuse(writing, parent,
                        "a list has the places 1 to n without holes, and an object texts as keys");
        break;
    }
    writing->depth--;
    return status;
}

/* Scalars: what was written is in the buffer's end, and the original's text takes its place when it is the same. */
static stet_status settle(struct writing *writing, size_t start, doc_node node, bool same_value,
                          bool *same) {
    *same = same_value;
    if (same_value) keep(writing, start, node);
    return STET_OK;
}

static stet_status write_literal(struct writing *writing, const char *text, enum doc_kind kind,
                                 doc_node node, bool *same) {
    buffer_append_text(writing->out, text);
    *same = kind_node(writing, node, kind) != DOC_NONE;
    return STET_OK;
}

static stet_status write_number(struct writing *writing, int index, doc_node node,
                                const struct path *path, bool *same) {
    char room[NUMBER_TEXT_MAX];
    size_t start = writing->out->size;
    stet_view text = number_text(writing->lua, index, room);
    if (text.bytes == NULL) return refuse(writing, path, "inf and nan are not numbers of JSON");
    buffer_append_view(writing->out, text);
    bool same_value =
        kind_node(writing, node, DOC_NUMBER) != DOC_NONE && same_number(writing, text, node);
    return settle(writing, start, node, same_value, same);
}

static stet_status write_text(struct writing *writing, int index, doc_node node,
                              const struct path *path, bool *same) {
    size_t start = writing->out->size;
    stet_view text;
    text.bytes = lua_tolstring(writing->lua, index, &text.size);
    meter_charge_bytes(writing->lua, text.size);
    if (!view_is_utf8(text)) return refuse(writing, path, "its text is not UTF-8");
    json_string(writing->out, text);
    bool same_value =
        kind_node(writing, node, DOC_STRING) != DOC_NONE && same_text(writing, text, node);
    return settle(writing, start, node, same_value, same);
}

static stet_status write_value(struct writing *writing, int index, doc_node node,
                               const struct path *path, bool *same) {
    lua_State *L = writing->lua;
    meter_charge(L, 1);
    *same = false;
    /* Past its bound: the caller says so, but not after walking over all the rest. */
    if (buffer_status(writing->out) != STET_OK) return STET_OK;
    switch (lua_type(L, index)) {
    case LUA_TNIL: return write_literal(writing, "null", DOC_NULL, node, same);
    case LUA_TBOOLEAN:
        return lua_toboolean(L, index) ? write_literal(writing, "true", DOC_TRUE, node, same)
                                       : write_literal(writing, "false", DOC_FALSE, node, same);
    case LUA_TNUMBER: return write_number(writing, index, node, path, same);
    case LUA_TSTRING: return write_text(writing, index, node, path, same);
    case LUA_TTABLE: return write_table(writing, index, node, path, same);
    default: break;
    }
    if (value_is_null(L, index)) return write_literal(writing, "null", DOC_NULL, node, same);
    if (number_is(L, index)) return write_number(writing, index, node, path, same);
    return refuse(writing, path, "it is a function");
}

stet_status value_write(lua_State *L, int index, const struct doc *original, doc_node node,
                        struct buffer *out, stet_error *err) {
    struct writing writing = {.lua = L, .out = out, .original = original, .err = err};
    bool same;
    luaL_checkstack(L, 8, NULL);
    return write_value(&writing, lua_absindex(L, index), original == NULL ? DOC_NONE : node, NULL,
                       &same);
}

/* -- Equality -- */

static bool equal(lua_State *L, int a, int b, uint32_t depth);

/* Places and texts as keys. */
static bool equal_tables(lua_State *L, int a, int b, uint32_t depth) {
    size_t a_count;
    size_t b_count;
    enum shape a_shape = order_shape(L, a, &a_count);
    enum shape b_shape = order_shape(L, b, &b_count);
    if (depth == JSON_DEPTH_MAX)
        luaL_error(L, "values with more than %d tables inside one another", JSON_DEPTH_MAX);
    luaL_checkstack(L, 8, NULL);
    /* What JSON makes of them must be equal: {} is an object. */
    bool a_list = a_shape == SHAPE_LIST;
    bool b_list = b_shape == SHAPE_LIST;
    if (a_shape == SHAPE_MIXED || b_shape == SHAPE_MIXED) return lua_rawequal(L, a, b) != 0;
    if (a_list != b_list || a_count != b_count) return false;
    lua_pushnil(L);
    while (lua_next(L, a)) {
        if (lua_type(L, -2) == LUA_TLIGHTUSERDATA) {
            lua_pop(L, 1);
            continue;
        }
        lua_pushvalue(L, -2);
        bool same = lua_rawget(L, b) != LUA_TNIL &&
                    equal(L, lua_absindex(L, -2), lua_absindex(L, -1), depth + 1);
        lua_pop(L, 2);
        if (!same) {
            lua_pop(L, 1);
            return false;
        }
    }
    return true;
}

static bool equal(lua_State *L, int a, int b, uint32_t depth) {
    meter_charge(L, 1);
    if (lua_rawequal(L, a, b)) return true;
    if (number_is(L, a) && number_is(L, b)) {
        char a_room[NUMBER_TEXT_MAX];
        char b_room[NUMBER_TEXT_MAX];
        if (number_text(L, a, a_room).bytes == NULL || number_text(L, b, b_room).bytes == NULL)
            return false; /* inf equals inf: above. */
        return number_compare(L, a, b) == 0;
    }
    return lua_istable(L, a) && lua_istable(L, b) && equal_tables(L, a, b, depth);
}

int value_equal(lua_State *L) {
    luaL_checkany(L, 1);
    luaL_checkany(L, 2);
    lua_pushboolean(L, equal(L, 1, 2, 0));
    return 1;
}
