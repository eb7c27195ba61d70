/*
 * What functions find as globals. The tables of the library are shared by all runs of a state, so nobody can change them: each is an empty
 * table before the real one. Globals of a run's own go into a table that dies with it.
 */
#include "base/limits.h"
#include "doc/write.h"
#include "lua/state.h"

#include <lualib.h>
#include <math.h>
#include <string.h>

/* -- Functions of Lua's own library, counted -- */

static int counted(lua_State *L) {
    int arguments = lua_gettop(L);
    size_t work = 1 + (size_t)arguments / 8;
    for (int i = 1; i <= arguments && i <= 4; i++) {
        if (lua_type(L, i) == LUA_TSTRING) work += lua_rawlen(L, i) / 16;
    }
    meter_charge(L, work);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void library_counted(lua_State *L, const char *const *names) {
    lua_newtable(L);
    for (; *names != NULL; names++) {
        lua_getfield(L, -2, *names);
        lua_pushcclosure(L, counted, 1);
        lua_setfield(L, -2, *names);
    }
    lua_remove(L, -2);
}

/* -- Text -- */

static void push_float(lua_State *L, int index) {
    char room[NUMBER_TEXT_MAX];
    double value = lua_tonumber(L, index);
    if (isnan(value)) {
        lua_pushliteral(L, "nan");
    } else if (isinf(value)) {
        lua_pushstring(L, value < 0 ? "-inf" : "inf");
    } else if (value == 0) {
        lua_pushstring(L, signbit(value) ? "-0.0" : "0.0");
    } else {
        stet_view text = number_text(L, index, room);
        bool integral = memchr(text.bytes, '.', text.size) == NULL &&
                        memchr(text.bytes, 'e', text.size) == NULL;
        lua_pushlstring(L, text.bytes, text.size);
        if (!integral) return;
        lua_pushliteral(L, ".0");
        lua_concat(L, 2);
    }
}

/* No addresses: they differ from run to run. */
void library_text(lua_State *L, int index) {
    index = lua_absindex(L, index);
    luaL_checkstack(L, 4, NULL);
    if (luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) {
        lua_pushvalue(L, index);
        lua_call(L, 1, 1);
        if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "'__tostring' must return a string");
        return;
    }
    char room[NUMBER_TEXT_MAX];
    stet_view text;
    switch (lua_type(L, index)) {
    case LUA_TSTRING: lua_pushvalue(L, index); return;
    case LUA_TNUMBER:
        if (!lua_isinteger(L, index)) {
            push_float(L, index);
            return;
        }
        text = number_text(L, index, room);
        lua_pushlstring(L, text.bytes, text.size);
        return;
    case LUA_TBOOLEAN: lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false"); return;
    default: lua_pushstring(L, value_is_null(L, index) ? "null" : luaL_typename(L, index)); return;
    }
}

static int base_tostring(lua_State *L) {
    luaL_checkany(L, 1);
    library_text(L, 1);
    return 1;
}

static int base_type(lua_State *L) {
    luaL_checkany(L, 1);
    if (value_is_null(L, 1))
        lua_pushliteral(L, "null");
    else if (number_decimal(L, 1).bytes != NULL)
        lua_pushliteral(L, "decimal");
    else
        lua_pushstring(L, luaL_typename(L, 1));
    return 1;
}

/* A decimal is a number already; everything else goes to Lua's own, which is the upvalue. */
static int base_tonumber(lua_State *L) {
    if (lua_gettop(L) == 1 && number_decimal(L, 1).bytes != NULL) return 1;
    return counted(L);
}

static int base_log(lua_State *L) {
    struct buffer *log = &sandbox_of(L)->log;
    int count = lua_gettop(L);
    luaL_Buffer line;
    luaL_buffinit(L, &line);
    for (int i = 1; i <= count; i++) {
        if (i > 1) luaL_addchar(&line, '\t');
        library_text(L, i);
        luaL_addvalue(&line);
    }
    luaL_pushresult(&line);
    stet_view text;
    text.bytes = lua_tolstring(L, -1, &text.size);
    meter_charge_bytes(L, text.size);
    if (!view_is_utf8(text)) return luaL_error(L, "only UTF-8 can be logged");
    size_t before = log->size;
    buffer_append_char(log, before == 0 ? '[' : ',');
    json_string(log, text);
    if (buffer_status(log) == STET_OK) return 0;
    enum meter_stop why = buffer_status(log) == STET_TOO_LARGE ? METER_LOG : METER_NO_MEMORY;
    /* What was logged before stays. */
    log->size = before;
    log->status = STET_OK;
    meter_stop(L, why);
}

/* -- Errors -- */

/* After lua_pcall: raises again what nobody may catch. */
static void pass_on(lua_State *L, int status) {
    meter_check(L);
    if (status == LUA_ERRMEM) meter_stop(L, meter_out_of_memory(sandbox_of(L)));
}

static int base_pcall(lua_State *L) {
    luaL_checkany(L, 1);
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    if (status != LUA_OK) pass_on(L, status);
    lua_pushboolean(L, status == LUA_OK);
    lua_insert(L, 1);
    return lua_gettop(L);
}

/* Hooks do not run while one raises, so a handler must not begin then: it could not be stopped. */
static int handle(lua_State *L) {
    if (sandbox_of(L)->meter.stop != METER_RUNS) return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

static int base_xpcall(lua_State *L) {
    luaL_checktype(L, 2, LUA_TFUNCTION);
    int arguments = lua_gettop(L) - 2;
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, handle, 1);
    lua_replace(L, 2);
    /* lua_pcall wants the handler below the function. */
    lua_pushvalue(L, 1);
    lua_copy(L, 2, 1);
    lua_replace(L, 2);
    int status = lua_pcall(L, arguments, LUA_MULTRET, 1);
    if (status != LUA_OK) pass_on(L, status);
    lua_pushboolean(L, status == LUA_OK);
    lua_replace(L, 1);
    return lua_gettop(L);
}

/* -- Metatables -- */

/*
 * A table gets a copy of what its metatable says at that moment. So __gc and __mode, which would show when memory is collected, and __close,
 * which could run behind an error, cannot come in later, nor a changed metatable change how the machine treats a table.
 */
static int base_setmetatable(lua_State *L) {
    static const char *const allowed[] = {
        "__index", "__newindex", "__call", "__tostring", "__name", "__eq",   "__lt",   "__le",
        "__len",   "__concat",   "__add",  "__sub",      "__mul",  "__div",  "__idiv", "__mod",
        "__pow",   "__unm",      "__band", "__bor",      "__bxor", "__bnot", "__shl",  "__shr",
    };
    static const char *const refused[] = {"__gc", "__mode", "__close", "__metatable", "__pairs"};
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    lua_settop(L, 2);
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "the metatable of this table cannot be changed");
    if (!lua_isnil(L, 2)) {
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
            lua_pushstring(L, refused[i]);
            if (lua_rawget(L, 2) != LUA_TNIL)
                return luaL_error(L, "%s is not available in functions", refused[i]);
            lua_pop(L, 1);
        }
        lua_createtable(L, 0, 4);
        for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
            lua_pushstring(L, allowed[i]);
            lua_pushvalue(L, -1);
            if (lua_rawget(L, 2) == LUA_TNIL)
                lua_pop(L, 2);
            else
                lua_rawset(L, -3);
        }
        lua_pushvalue(L, 2);
        lua_rawsetp(L, -2, &state_snapshot);
    } else {
        lua_pushnil(L);
    }
    meter_charge(L, 20);
    lua_setmetatable(L, 1);
    lua_settop(L, 1);
    return 1;
}

static int base_getmetatable(lua_State *L) {
    luaL_checkany(L, 1);
    if (!lua_getmetatable(L, 1)) {
        lua_pushnil(L);
        return 1;
    }
    if (lua_rawgetp(L, -1, &state_snapshot) == LUA_TNIL) lua_pushboolean(L, 0);
    return 1;
}

/* -- Making it -- */

static int refuse_change(lua_State *L) { return luaL_error(L, "this table cannot be changed"); }

/* A metatable through which a table shows the one at the top, which is popped, and which is put at the top. */
static void push_window(lua_State *L) {
    lua_createtable(L, 0, 3);
    lua_insert(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
}

/* The table at the top becomes a field of the one below, read only. */
static void set_library(lua_State *L, const char *name) {
    push_window(L);
    lua_pushcfunction(L, refuse_change);
    lua_setfield(L, -2, "__newindex");
    lua_newtable(L);
    lua_insert(L, -2);
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, name);
}

static void open_base(lua_State *L) {
    static const char *const names[] = {"assert", "error",    "ipairs", "select",
                                        "rawget", "rawequal", "rawlen", NULL};
    static const luaL_Reg own[] = {
        {"next", order_next},
        {"pairs", order_pairs},
        {"rawset", order_rawset},
        {"pcall", base_pcall},
        {"xpcall", base_xpcall},
        {"setmetatable", base_setmetatable},
        {"getmetatable", base_getmetatable},
        {"tostring", base_tostring},
        {"type", base_type},
        {"log", base_log},
        {"print", base_log},
        {"array", order_array},
        {"object", order_object},
        {"is_array", order_is_array},
        {"decimal", number_decimal_new},
        {"round", number_round},
        {"equal", value_equal},
        {NULL, NULL},
    };
    lua_pushcfunction(L, luaopen_base);
    lua_call(L, 0, 1); /* The table of globals: it is replaced below. */
    lua_getfield(L, -1, "tonumber");
    lua_insert(L, -2);
    library_counted(L, names);
    luaL_setfuncs(L, own, 0);
    lua_insert(L, -2);
    lua_pushcclosure(L, base_tonumber, 1);
    lua_setfield(L, -2, "tonumber");
    value_push_null(L);
    lua_setfield(L, -2, "null");
}

static void open_utf8(lua_State *L) {
    static const char *const names[] = {"char", "codepoint", "len", "offset", "codes", NULL};
    lua_pushcfunction(L, luaopen_utf8);
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "charpattern");
    lua_insert(L, -2);
    library_counted(L, names);
    lua_insert(L, -2);
    lua_setfield(L, -2, "charpattern");
}

static void open_null(lua_State *L) {
    sandbox_of(L)->null = lua_newuserdatauv(L, 0, 0);
    lua_createtable(L, 0, 2);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushliteral(L, "null");
    lua_setfield(L, -2, "__name");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state_null);
}

static int error_tostring(lua_State *L) {
    lua_getfield(L, 1, "message");
    library_text(L, -1);
    return 1;
}

static void open_error(lua_State *L) {
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushliteral(L, "error");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state_error);
}

/* Texts know the functions of string, and no arithmetic. Expects the string table at the top and leaves it. */
static void open_text_methods(lua_State *L) {
    lua_pushliteral(L, "");
    lua_pushvalue(L, -2);
    push_window(L);
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

/* The table of globals at the top: what a run's own globals fall back to. */
static void set_environment(lua_State *L, const void *name) {
    push_window(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, name);
}

void library_open(lua_State *L) {
    struct sandbox *sandbox = sandbox_of(L);
    open_null(L);
    open_error(L);
    open_base(L);
    library_strings(L);
    open_text_methods(L);
    set_library(L, "string");
    library_tables(L);
    set_library(L, "table");
    library_math(L);
    set_library(L, "math");
    open_utf8(L);
    set_library(L, "utf8");
    lua_pushvalue(L, -1);
    set_environment(L, &state_environment_pure);

    /* With hosts: the same, and they. */
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, -3)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    for (size_t i = 0; i < sandbox->host_count; i++) {
        lua_pushlightuserdata(L, (void *)(uintptr_t)&sandbox->hosts[i]);
        lua_pushcclosure(L, call_host, 1);
        lua_setfield(L, -2, sandbox->hosts[i].name);
    }
    set_environment(L, &state_environment);
    lua_pop(L, 1);

    /* What Lua's library opened stays nowhere. */
    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}
