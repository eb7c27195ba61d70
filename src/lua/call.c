/*
 * What host functions see of a run. Everything that allocates in Lua runs below a lua_pcall of its own, so that no host function is left
 * by longjmp.
 */
#include "base/error.h"
#include "base/limits.h"
#include "doc/decimal.h"
#include "lua/state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { RESULTS_MAX = 16, HOST_INSTRUCTIONS = 50 };

struct sandbox_call {
    lua_State *lua;
    const struct sandbox_host *host;
    int arguments;            /* Those it was called with. */
    int results[RESULTS_MAX]; /* Where they are on the stack. */
    int result_count;
    int list; /* The list that results go to; 0: none. */
};

/* An error of a host function as the function meets it. */
static int raise_status(lua_State *L, stet_status status, const stet_error *err) {
    struct sandbox *sandbox = sandbox_of(L);
    meter_check(L);
    if (!sandbox_catchable(status)) {
        sandbox->fatal = *err;
        sandbox->fatal.status = status;
        meter_stop(L, METER_HOST);
    }
    lua_createtable(L, 0, 3);
    lua_pushstring(L, status_code(status));
    lua_setfield(L, -2, "code");
    lua_pushstring(L, err->message[0] != '\0' ? err->message : status_words(status));
    lua_setfield(L, -2, "message");
    if (err->field[0] != '\0') {
        lua_pushstring(L, err->field);
        lua_setfield(L, -2, "field");
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_error);
    lua_setmetatable(L, -2);
    return lua_error(L);
}

int call_host(lua_State *L) {
    const struct sandbox_host *host = lua_touserdata(L, lua_upvalueindex(1));
    struct sandbox_call call = {.lua = L, .host = host, .arguments = lua_gettop(L)};
    stet_error err = {0};
    meter_charge(L, HOST_INSTRUCTIONS);
    /* A call may take as long as a thousand instructions that the hook counts. */
    meter_check_time(L);
    stet_status status = host->call(&call, sandbox_of(L)->run->context, &err);
    if (status != STET_OK) return raise_status(L, status, &err);
    luaL_checkstack(L, call.result_count, NULL);
    for (int i = 0; i < call.result_count; i++)
        lua_pushvalue(L, call.results[i]);
    return call.result_count;
}

/* -- Entering Lua -- */

static stet_status stopped(struct sandbox_call *call, enum meter_stop why, stet_error *err) {
    struct sandbox *sandbox = sandbox_of(call->lua);
    if (sandbox->meter.stop == METER_RUNS) sandbox->meter.stop = why;
    return meter_status(sandbox, err);
}

/* Calls body with the value at `index` (0: nil) and the context; one result is left on the stack. */
static stet_status protect(struct sandbox_call *call, lua_CFunction body, int index, void *context,
                           stet_error *err) {
    lua_State *L = call->lua;
    if (!lua_checkstack(L, 8)) return stopped(call, meter_out_of_memory(sandbox_of(L)), err);
    lua_pushcfunction(L, body);
    if (index == 0)
        lua_pushnil(L);
    else
        lua_pushvalue(L, index);
    lua_pushlightuserdata(L, context);
    int status = lua_pcall(L, 2, 1, 0);
    if (status == LUA_OK) return STET_OK;
    if (status == LUA_ERRMEM) stopped(call, meter_out_of_memory(sandbox_of(L)), NULL);
    if (sandbox_of(L)->meter.stop != METER_RUNS) {
        lua_pop(L, 1);
        return stopped(call, METER_RUNS, err);
    }
    const char *message =
        lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "it cannot be read";
    error_set(err, STET_BAD_REQUEST, "%s: %s", call->host->name, message);
    lua_pop(L, 1);
    return STET_BAD_REQUEST;
}

/* -- Arguments -- */

size_t call_count(const struct sandbox_call *call) { return (size_t)call->arguments; }

/* The place on the stack, or 0 for what is not there. */
static int place(const struct sandbox_call *call, size_t index) {
    return index < (size_t)lua_gettop(call->lua) ? (int)index + 1 : 0;
}

enum value_kind call_kind(const struct sandbox_call *call, size_t index) {
    lua_State *L = call->lua;
    int at = place(call, index);
    if (at == 0) return VALUE_ABSENT;
    switch (lua_type(L, at)) {
    case LUA_TNIL: return VALUE_ABSENT;
    case LUA_TBOOLEAN: return VALUE_BOOL;
    case LUA_TNUMBER: return VALUE_NUMBER;
    case LUA_TSTRING: return VALUE_TEXT;
    case LUA_TTABLE: {
        size_t count;
        if (!lua_checkstack(L, 4)) return VALUE_OTHER;
        enum shape shape = order_shape(L, at, &count);
        return shape == SHAPE_LIST ? VALUE_LIST : shape == SHAPE_MIXED ? VALUE_OTHER : VALUE_OBJECT;
    }
    default:
        if (value_is_null(L, at)) return VALUE_NULL;
        return number_is(L, at) ? VALUE_NUMBER : VALUE_OTHER;
    }
}

static stet_status expected(const struct sandbox_call *call, size_t index, const char *what,
                            stet_error *err) {
    if (index < (size_t)call->arguments)
        return error_set(err, STET_BAD_REQUEST, "%s expected as argument %zu of %s", what,
                         index + 1, call->host->name);
    return error_set(err, STET_BAD_REQUEST, "%s expected in the arguments of %s", what,
                     call->host->name);
}

stet_status call_text(struct sandbox_call *call, size_t index, stet_view *text, stet_error *err) {
    if (call_kind(call, index) != VALUE_TEXT) return expected(call, index, "a text", err);
    stet_view view;
    view.bytes = lua_tolstring(call->lua, place(call, index), &view.size);
    if (!view_is_utf8(view)) return expected(call, index, "text in UTF-8", err);
    *text = view;
    return STET_OK;
}

stet_status call_u64(struct sandbox_call *call, size_t index, uint64_t *value, stet_error *err) {
    char room[NUMBER_TEXT_MAX];
    if (call_kind(call, index) != VALUE_NUMBER) return expected(call, index, "a number", err);
    stet_view text = number_text(call->lua, place(call, index), room);
    struct decimal decimal;
    if (text.bytes != NULL) decimal = decimal_normalise(text);
    if (text.bytes == NULL || !decimal_u64(&decimal, value))
        return expected(call, index, "a whole number, 0 or more,", err);
    return STET_OK;
}

stet_status call_bool(struct sandbox_call *call, size_t index, bool *value, stet_error *err) {
    if (call_kind(call, index) != VALUE_BOOL) return expected(call, index, "true or false", err);
    *value = lua_toboolean(call->lua, place(call, index)) != 0;
    return STET_OK;
}

static int member_body(lua_State *L) {
    lua_pushstring(L, lua_touserdata(L, 2));
    lua_rawget(L, 1);
    return 1;
}

stet_status call_member(struct sandbox_call *call, size_t index, const char *name, size_t *member,
                        stet_error *err) {
    int at = place(call, index);
    if (at == 0 || !lua_istable(call->lua, at)) return expected(call, index, "an object", err);
    stet_status status = protect(call, member_body, at, (void *)(uintptr_t)name, err);
    if (status == STET_OK) *member = (size_t)lua_gettop(call->lua) - 1;
    return status;
}

stet_status call_length(struct sandbox_call *call, size_t index, size_t *length, stet_error *err) {
    int at = place(call, index);
    size_t count = 0;
    enum shape shape = SHAPE_MIXED;
    if (at != 0 && lua_istable(call->lua, at) && lua_checkstack(call->lua, 4))
        shape = order_shape(call->lua, at, &count);
    if (shape != SHAPE_LIST && shape != SHAPE_EMPTY) return expected(call, index, "a list", err);
    *length = count;
    return STET_OK;
}

stet_status call_element(struct sandbox_call *call, size_t index, size_t at, size_t *element,
                         stet_error *err) {
    int list = place(call, index);
    if (list == 0 || !lua_istable(call->lua, list)) return expected(call, index, "a list", err);
    if (!lua_checkstack(call->lua, 4))
        return stopped(call, meter_out_of_memory(sandbox_of(call->lua)), err);
    lua_rawgeti(call->lua, list, (lua_Integer)at + 1);
    *element = (size_t)lua_gettop(call->lua) - 1;
    return STET_OK;
}

struct json_context {
    const struct doc *original;
    doc_node node;
    struct buffer out;
    stet_status status;
    stet_error err;
};

static int json_body(lua_State *L) {
    struct json_context *json = lua_touserdata(L, 2);
    lua_settop(L, 1);
    json->status = value_write(L, 1, json->original, json->node, &json->out, &json->err);
    return 0; /* Padded with nil. */
}

stet_status call_json(struct sandbox_call *call, size_t index, const struct doc *original,
                      doc_node node, size_t bytes_max, stet_view *json, stet_error *err) {
    struct json_context context = {.original = original, .node = node};
    if (bytes_max == 0) bytes_max = DATA_BYTES_MAX;
    buffer_init(&context.out, call_arena(call), bytes_max);
    stet_status status = protect(call, json_body, place(call, index), &context, err);
    if (status != STET_OK) return status;
    lua_pop(call->lua, 1);
    if (context.status != STET_OK) {
        if (err != NULL) *err = context.err;
        return context.status;
    }
    status = buffer_status(&context.out);
    if (status == STET_TOO_LARGE) {
        error_set(err, STET_FUNCTION_LIMIT, "a value for %s has more than %zu bytes",
                  call->host->name, bytes_max);
        error_field(err, "result", bytes_max);
        return STET_FUNCTION_LIMIT;
    }
    if (status != STET_OK) return error_set(err, status, "out of memory while reading a value");
    /* Also what the host then refuses stays there. */
    status = call_keep(call, context.out.size, err);
    if (status == STET_OK) *json = buffer_view(&context.out);
    return status;
}

/* -- Results -- */

/* A value on its way: push leaves it at the top, and may raise. */
struct result {
    void (*push)(lua_State *L, const struct result *result);
    bool boolean;
    uint64_t number;
    stet_view text;
    const struct doc *doc;
    doc_node node;
};

static void push_nil(lua_State *L, const struct result *result) {
    (void)result;
    lua_pushnil(L);
}
static void push_null(lua_State *L, const struct result *result) {
    (void)result;
    value_push_null(L);
}
static void push_bool(lua_State *L, const struct result *result) {
    lua_pushboolean(L, result->boolean);
}
static void push_text(lua_State *L, const struct result *result) {
    meter_charge_bytes(L, result->text.size);
    lua_pushlstring(L, result->text.bytes, result->text.size);
}
static void push_number(lua_State *L, const struct result *result) { number_push(L, result->text); }
static void push_doc(lua_State *L, const struct result *result) {
    value_push(L, result->doc, result->node);
}

/* 1: the list it goes to, or nil. */
static int result_body(lua_State *L) {
    const struct result *result = lua_touserdata(L, 2);
    result->push(L, result);
    if (lua_isnil(L, 1)) return 1;
    lua_rawseti(L, 1, (lua_Integer)lua_rawlen(L, 1) + 1);
    return 0;
}

/* What is at the top of the stack becomes a result. */
static stet_status add_result(struct sandbox_call *call, stet_error *err) {
    if (call->result_count == RESULTS_MAX)
        return error_set(err, STET_INTERNAL, "%s has too many results", call->host->name);
    call->results[call->result_count++] = lua_gettop(call->lua);
    return STET_OK;
}

static stet_status give(struct sandbox_call *call, struct result *result, stet_error *err) {
    stet_status status = protect(call, result_body, call->list, result, err);
    if (status != STET_OK) return status;
    if (call->list == 0) return add_result(call, err);
    lua_pop(call->lua, 1);
    return STET_OK;
}

stet_status call_return_nil(struct sandbox_call *call, stet_error *err) {
    return give(call, &(struct result){.push = push_nil}, err);
}

stet_status call_return_null(struct sandbox_call *call, stet_error *err) {
    return give(call, &(struct result){.push = push_null}, err);
}

stet_status call_return_bool(struct sandbox_call *call, bool value, stet_error *err) {
    return give(call, &(struct result){.push = push_bool, .boolean = value}, err);
}

stet_status call_return_u64(struct sandbox_call *call, uint64_t value, stet_error *err) {
    char text[NUMBER_TEXT_MAX];
    int size = snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return give(call, &(struct result){.push = push_number, .text = view_make(text, (size_t)size)},
                err);
}

stet_status call_return_text(struct sandbox_call *call, stet_view text, stet_error *err) {
    return give(call, &(struct result){.push = push_text, .text = text}, err);
}

stet_status call_return_doc(struct sandbox_call *call, const struct doc *doc, doc_node node,
                            stet_error *err) {
    return give(call, &(struct result){.push = push_doc, .doc = doc, .node = node}, err);
}

stet_status call_return_json(struct sandbox_call *call, stet_view json, stet_error *err) {
    struct arena *arena = call_arena(call);
    struct doc *doc = arena_alloc(arena, sizeof *doc);
    stet_view text = arena_copy(arena, json);
    if (doc == NULL || text.bytes == NULL) return stopped(call, METER_NO_MEMORY, err);
    stet_status status = doc_parse(arena, text, NULL, doc, err);
    return status == STET_OK ? call_return_doc(call, doc, 0, err) : status;
}

static int list_body(lua_State *L) {
    lua_newtable(L);
    order_mark_list(L);
    return 1;
}

stet_status call_list_begin(struct sandbox_call *call, stet_error *err) {
    assert(call->list == 0);
    stet_status status = protect(call, list_body, 0, NULL, err);
    if (status == STET_OK) call->list = lua_gettop(call->lua);
    return status;
}

stet_status call_list_end(struct sandbox_call *call, stet_error *err) {
    assert(call->list != 0);
    lua_pushvalue(call->lua, call->list);
    call->list = 0;
    return add_result(call, err);
}

/* -- The run -- */

/* 1: the value, 2: the chunk. */
static int function_body(lua_State *L) {
    static const char *const names[] = {"input"};
    const struct sandbox_chunk *chunk = lua_touserdata(L, 2);
    lua_settop(L, 1);
    run_push_function(L, chunk, names, 1);
    lua_call(L, 1, 1);
    return 1;
}

stet_status call_function(struct sandbox_call *call, const struct sandbox_chunk *chunk,
                          size_t index, stet_error *err) {
    lua_State *L = call->lua;
    struct sandbox *sandbox = sandbox_of(L);
    if (sandbox->depth + 1 >= FUNCTION_CALL_DEPTH_MAX) return stopped(call, METER_DEPTH, err);
    if (!lua_checkstack(L, 8)) return stopped(call, meter_out_of_memory(sandbox_of(L)), err);
    int at = place(call, index);
    run_trace_reset(sandbox);
    lua_pushcfunction(L, run_trace);
    int handler = lua_gettop(L);
    lua_pushcfunction(L, function_body);
    if (at == 0)
        lua_pushnil(L);
    else
        lua_pushvalue(L, at);
    lua_pushlightuserdata(L, (void *)(uintptr_t)chunk);
    sandbox->depth++;
    int status = lua_pcall(L, 2, 1, handler);
    sandbox->depth--;
    if (status != LUA_OK) return run_failed(L, status, err);
    return add_result(call, err);
}

stet_status call_charge(struct sandbox_call *call, uint64_t instructions, stet_error *err) {
    struct meter *meter = &sandbox_of(call->lua)->meter;
    meter->left -= instructions > INT32_MAX ? INT32_MAX : (int64_t)instructions;
    return meter->left < 0 ? stopped(call, METER_INSTRUCTIONS, err) : STET_OK;
}

stet_status call_keep(struct sandbox_call *call, size_t bytes, stet_error *err) {
    struct meter *meter = &sandbox_of(call->lua)->meter;
    return meter_keep(meter, bytes) ? STET_OK : stopped(call, METER_MEMORY, err);
}

uint64_t call_random(struct sandbox_call *call) { return library_random(sandbox_of(call->lua)); }

struct arena *call_arena(struct sandbox_call *call) {
    return sandbox_of(call->lua)->run->arena;
}
