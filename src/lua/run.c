/*
 * One run: compiling or finding the function, giving it its inputs and globals of its own, and what becomes of its result or error.
 *
 * A function is compiled as the body of another one, whose only local is _ENV: so each run gets a closure of its own with its own globals,
 * for the price of one call, and a function may call itself while it runs.
 */
#include "base/error.h"
#include "base/limits.h"
#include "lua/state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRACE_LINES_MAX = 20,
    NAME_SHOWN_MAX = 40, /* Of a function's name in messages: Lua cuts at LUA_IDSIZE. */
    WORDS_SHOWN_MAX = sizeof((stet_error){0}.message), /* Of a message: an error keeps no more. */
    TRACE_INSTRUCTIONS = 1000,
};
#define CHUNKS_BYTES_MAX (16u * 1024u * 1024u) /* Compiled functions of one state. */

/* -- Compiling -- */

struct pieces {
    stet_view at[3];
    int next;
};

static const char *read_piece(lua_State *L, void *context, size_t *size) {
    (void)L;
    struct pieces *pieces = context;
    while (pieces->next < 3) {
        stet_view piece = pieces->at[pieces->next++];
        if (piece.size == 0) continue;
        *size = piece.bytes == NULL ? 0 : piece.size;
        return piece.bytes;
    }
    *size = 0;
    return NULL;
}

static void chunk_name(const struct sandbox_chunk *chunk, char out[LUA_IDSIZE + 2]) {
    size_t size = chunk->name.size < NAME_SHOWN_MAX ? chunk->name.size : NAME_SHOWN_MAX;
    while (size > 0 && size < chunk->name.size &&
           ((unsigned char)chunk->name.bytes[size] & 0xc0) == 0x80)
        size--;
    snprintf(out, LUA_IDSIZE + 2, "=function %.*s", (int)size, chunk->name.bytes);
}

/* Pushes what the pieces compile to; raises the compiler's message. Text only: bytecode is not checked by anybody. */
static void load(lua_State *L, const struct sandbox_chunk *chunk, stet_view before,
                 stet_view after) {
    struct pieces pieces = {.at = {before, chunk->source, after}};
    char name[LUA_IDSIZE + 2];
    chunk_name(chunk, name);
    int status = lua_load(L, read_piece, &pieces, name, "t");
    if (status == LUA_OK) return;
    meter_check(L);
    if (status == LUA_ERRMEM) meter_stop(L, meter_out_of_memory(sandbox_of(L)));
    sandbox_of(L)->not_compiled = true;
    lua_error(L);
}

/* Pushes a function that, called with an environment, returns the chunk's. */
static void compile(lua_State *L, const struct sandbox_chunk *chunk) {
    sandbox_of(L)->not_compiled = false;
    meter_charge(L, chunk->source.size / 4);
    /* Alone first, for what is no whole chunk could end the function around it. */
    load(L, chunk, VIEW(""), VIEW(""));
    lua_pop(L, 1);
    load(L, chunk, VIEW("local _ENV=...;return function(...)"), VIEW("\nend"));
}

static void forget_chunks(lua_State *L) {
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state_chunks);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state_versions);
    sandbox_of(L)->chunks = 0;
}

static void push_compiled(lua_State *L, const struct sandbox_chunk *chunk) {
    struct sandbox *sandbox = sandbox_of(L);
    if (chunk->version == 0) {
        compile(L, chunk);
        return;
    }
    lua_pushlstring(L, chunk->key.bytes, chunk->key.size);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_versions);
    lua_pushvalue(L, -2);
    bool known = lua_rawget(L, -2) == LUA_TNUMBER;
    bool same = known && (uint64_t)lua_tointeger(L, -1) == chunk->version;
    lua_pop(L, 2);
    if (same) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &state_chunks);
        lua_insert(L, -2);
        lua_rawget(L, -2);
        lua_remove(L, -2);
        return;
    }
    compile(L, chunk);
    if (!known && (sandbox->chunks >= FUNCTION_CHUNKS_MAX ||
                   sandbox->meter.bytes > sandbox->fresh_bytes + CHUNKS_BYTES_MAX))
        forget_chunks(L);
    if (!known || sandbox->chunks == 0) sandbox->chunks++;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_versions);
    lua_pushvalue(L, -3);
    lua_pushinteger(L, (lua_Integer)chunk->version);
    lua_rawset(L, -3);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_chunks);
    lua_pushvalue(L, -4);
    lua_pushvalue(L, -4);
    lua_rawset(L, -3);
    lua_pop(L, 2);
    lua_remove(L, -2);
    sandbox->compiled = true;
}

void run_push_function(lua_State *L, const struct sandbox_chunk *chunk, const char *const *names,
                       int count) {
    int first = lua_gettop(L) - count + 1;
    luaL_checkstack(L, 10, NULL);
    push_compiled(L, chunk);
    lua_createtable(L, 0, count + 4);
    for (int i = 0; i < count; i++) {
        lua_pushvalue(L, first + i);
        lua_setfield(L, -2, names[i]);
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX,
                sandbox_of(L)->run->pure ? &state_environment_pure : &state_environment);
    lua_setmetatable(L, -2);
    lua_call(L, 1, 1);
    lua_insert(L, first);
}

/* -- Errors -- */

void run_trace_reset(struct sandbox *sandbox) { memset(&sandbox->trace, 0, sizeof sandbox->trace); }

/* The arena lives as long as the run, and a run may raise many errors. */
static stet_view words_shown(stet_view text) {
    if (text.size <= WORDS_SHOWN_MAX) return text;
    text.size = WORDS_SHOWN_MAX;
    while (text.size > 0 && ((unsigned char)text.bytes[text.size] & 0xc0) == 0x80)
        text.size--;
    return text;
}

static stet_view text_field(lua_State *L, int index, const char *name, struct arena *arena) {
    stet_view text = {0};
    lua_pushstring(L, name);
    if (lua_rawget(L, index) == LUA_TSTRING) {
        text.bytes = lua_tolstring(L, -1, &text.size);
        text = arena_copy(arena, words_shown(text));
        if (text.bytes == NULL) text.size = 0;
    }
    lua_pop(L, 1);
    return text;
}

int run_trace(lua_State *L) {
    struct sandbox *sandbox = sandbox_of(L);
    struct trace *trace = &sandbox->trace;
    struct arena *arena = sandbox->run->arena;
    struct buffer lines;
    buffer_init(&lines, arena, 0);
    lua_Debug debug;
    /* Not meter_charge: this is the handler of an error. The next charge notices. */
    sandbox->meter.left -= TRACE_INSTRUCTIONS;
    int shown = 0;
    for (int level = 0; shown < TRACE_LINES_MAX && lua_getstack(L, level, &debug); level++) {
        lua_getinfo(L, "Sln", &debug);
        if (debug.currentline <= 0) continue; /* Not Lua's. */
        if (shown++ == 0) {
            trace->line = (uint32_t)debug.currentline;
            memcpy(trace->where, debug.short_src, sizeof trace->where);
        } else {
            buffer_append_char(&lines, '\n');
        }
        buffer_append_format(&lines, "%s:%d:", debug.short_src, debug.currentline);
        if (debug.name != NULL)
            buffer_append_format(&lines, " in %s '%.*s'", debug.namewhat, NAME_SHOWN_MAX,
                                 debug.name);
    }
    if (buffer_status(&lines) == STET_OK) trace->lines = buffer_view(&lines);
    /* Memory may be out: then only where it was is told. */
    if (sandbox->meter.stop != METER_RUNS) return 1;
    if (lua_type(L, 1) == LUA_TSTRING) {
        trace->message.bytes = lua_tolstring(L, 1, &trace->message.size);
        trace->message = words_shown(trace->message);
        /* What is raised inside a library function, or on purpose, says no place. */
        if (trace->line == 0 || view_starts(trace->message, VIEW("function ")))
            trace->message = arena_copy(arena, trace->message);
        else
            trace->message = arena_format(arena, "%s:%u: %.*s", trace->where, trace->line,
                                          VIEW_ARG(trace->message));
    } else if (lua_istable(L, 1)) {
        trace->message = text_field(L, 1, "message", arena);
        trace->code = text_field(L, 1, "code", arena);
        stet_view words =
            trace->message.bytes == NULL ? VIEW("it raised an object") : trace->message;
        trace->message =
            arena_format(arena, "%s:%u: %.*s", trace->where, trace->line, VIEW_ARG(words));
    }
    return 1;
}

/* "function add:3: …" */
static uint32_t line_of(stet_view message, size_t prefix) {
    uint32_t line = 0;
    if (message.size <= prefix || message.bytes[prefix] != ':') return 0;
    for (size_t i = prefix + 1;
         i < message.size && message.bytes[i] >= '0' && message.bytes[i] <= '9'; i++)
        line = line * 10 + (uint32_t)(message.bytes[i] - '0');
    return line;
}

/* Bytes that are no UTF-8 would not pass through JSON. */
static void error_text(stet_error *err, stet_status status, stet_view text) {
    error_set(err, status, "%s", "");
    error_message(err, view_is_utf8(text) ? text : VIEW("it raised a text that is not UTF-8"));
}

static stet_status compile_failed(lua_State *L, stet_error *err) {
    stet_view message = {0};
    if (lua_type(L, -1) == LUA_TSTRING) message.bytes = lua_tolstring(L, -1, &message.size);
    error_text(err, STET_INVALID_FUNCTION, message);
    /* The name may hold colons; what follows it is ":3: ". */
    uint32_t line = 0;
    for (size_t i = 0; i < message.size && line == 0; i++)
        line = line_of(message, i);
    error_field(err, "source", line);
    return STET_INVALID_FUNCTION;
}

stet_status run_failed(lua_State *L, int status, stet_error *err) {
    struct sandbox *sandbox = sandbox_of(L);
    stet_status answer;
    if (status == LUA_ERRMEM && sandbox->meter.stop == METER_RUNS)
        sandbox->meter.stop = meter_out_of_memory(sandbox);
    if (sandbox->meter.stop != METER_RUNS) {
        answer = meter_status(sandbox, err);
    } else if (sandbox->not_compiled) {
        answer = compile_failed(L, err);
    } else {
        stet_view message = sandbox->trace.message;
        if (message.bytes == NULL && lua_type(L, -1) == LUA_TSTRING)
            message.bytes = lua_tolstring(L, -1, &message.size);
        if (message.bytes == NULL) message = VIEW("it raised a value that is no message");
        error_text(err, STET_FUNCTION_FAILED, message);
        answer = STET_FUNCTION_FAILED;
    }
    sandbox->not_compiled = false;
    lua_pop(L, 1);
    return answer;
}

/* -- Running -- */

struct body {
    struct sandbox_run *run;
    stet_status status; /* Of writing the result. */
    stet_error err;
};

static int prepare_body(lua_State *L) {
    const struct sandbox_chunk *chunk = lua_touserdata(L, 1);
    push_compiled(L, chunk);
    return 0;
}

static int check_body(lua_State *L) {
    const struct sandbox_chunk *chunk = lua_touserdata(L, 1);
    compile(L, chunk);
    return 0;
}

static void write_result(lua_State *L, struct body *body) {
    struct sandbox_run *run = body->run;
    struct buffer out;
    buffer_init(&out, run->arena, sandbox_of(L)->meter.limits.result_bytes);
    body->status = value_write(L, -1, run->original, run->original_node, &out, &body->err);
    if (body->status == STET_BAD_REQUEST) {
        body->status = STET_FUNCTION_FAILED;
        body->err.status = STET_FUNCTION_FAILED;
    }
    if (body->status != STET_OK) return;
    if (buffer_status(&out) != STET_OK)
        meter_stop(L, buffer_status(&out) == STET_TOO_LARGE ? METER_RESULT : METER_NO_MEMORY);
    run->result = buffer_view(&out);
    run->result_absent = lua_isnil(L, -1);
}

static int run_body(lua_State *L) {
    struct body *body = lua_touserdata(L, 1);
    struct sandbox_run *run = body->run;
    const char *names[SANDBOX_INPUTS_MAX];
    assert(run->input_count <= SANDBOX_INPUTS_MAX);
    int count = (int)run->input_count;
    for (int i = 0; i < count; i++) {
        names[i] = run->inputs[i].name;
        if (run->inputs[i].node == DOC_NONE)
            lua_pushnil(L);
        else
            value_push(L, run->inputs[i].doc, run->inputs[i].node);
    }
    run_push_function(L, run->chunk, names, count);
    lua_call(L, count, 1);
    write_result(L, body);
    return 0;
}

/* Compiles what is not compiled yet, outside the run's bounds: it is kept for those after it. */
static stet_status prepare(struct sandbox *sandbox, const struct sandbox_chunk *chunk,
                           lua_CFunction how, stet_error *err) {
    lua_State *L = sandbox->lua;
    if (chunk->source.size > FUNCTION_SOURCE_BYTES_MAX) {
        error_set(err, STET_TOO_LARGE, "a function's source has at most %u bytes",
                  FUNCTION_SOURCE_BYTES_MAX);
        error_field(err, "source", FUNCTION_SOURCE_BYTES_MAX);
        return STET_TOO_LARGE;
    }
    if (!view_is_utf8(chunk->source)) {
        error_set(err, STET_INVALID_FUNCTION, "a function's source is UTF-8 text");
        error_field(err, "source", 0);
        return STET_INVALID_FUNCTION;
    }
    size_t before = sandbox->meter.bytes;
    sandbox->meter.stop = METER_RUNS;
    lua_settop(L, 0);
    lua_gc(L, LUA_GCSTOP);
    lua_pushcfunction(L, how);
    lua_pushlightuserdata(L, (void *)(uintptr_t)chunk);
    int status = lua_pcall(L, 1, 0, 0);
    if (status != LUA_OK) {
        if (status == LUA_ERRMEM) sandbox->spoiled = true;
        return run_failed(L, status, err);
    }
    if (sandbox->compiled && sandbox->meter.bytes > before)
        sandbox->base_bytes += sandbox->meter.bytes - before;
    return STET_OK;
}

stet_status sandbox_check(struct sandbox *sandbox, const struct sandbox_chunk *chunk,
                          stet_error *err) {
    locale_t locale = uselocale(sandbox->locale);
    stet_status status = prepare(sandbox, chunk, check_body, err);
    uselocale(locale);
    return status;
}

/* The log as JSON. What cannot be finished is not shown. */
static void finish_log(struct sandbox *sandbox) {
    struct buffer *log = &sandbox->log;
    if (log->size == 0) return;
    log->size_max += 1;
    buffer_append_char(log, ']');
    if (buffer_status(log) == STET_OK) sandbox->run->log = buffer_view(log);
}

static stet_status run_protected(struct sandbox *sandbox, struct sandbox_run *run,
                                 stet_error *err) {
    lua_State *L = sandbox->lua;
    struct body body = {.run = run};
    meter_arm(sandbox, run);
    run_trace_reset(sandbox);
    lua_settop(L, 0);
    lua_pushcfunction(L, run_trace);
    lua_pushcfunction(L, run_body);
    lua_pushlightuserdata(L, &body);
    int status = lua_pcall(L, 1, 0, 1);
    stet_status answer = body.status;
    if (status != LUA_OK) {
        answer = run_failed(L, status, err);
        run->line = sandbox->trace.line;
        run->code = sandbox->trace.code;
        run->traceback = sandbox->trace.lines;
    } else if (answer != STET_OK && err != NULL) {
        *err = body.err;
    }
    if (answer != STET_OK) run->result = (stet_view){0};
    int64_t left = sandbox->meter.left > 0 ? sandbox->meter.left : 0;
    run->instructions = sandbox->meter.limits.instructions - (uint64_t)left;
    if (sandbox->meter.stop != METER_RUNS) sandbox->spoiled = true;
    meter_disarm(sandbox);
    return answer;
}

stet_status sandbox_run(struct sandbox *sandbox, struct sandbox_run *run, stet_error *err) {
    locale_t locale = uselocale(sandbox->locale);
    run->result = run->log = run->code = run->traceback = (stet_view){0};
    run->result_absent = false;
    run->instructions = run->line = 0;
    sandbox->run = run;
    sandbox->random = run->seed;
    sandbox->depth = 0;
    sandbox->docs = NULL;
    sandbox->doc_count = sandbox->doc_capacity = 0;
    buffer_init(&sandbox->log, run->arena, FUNCTION_LOG_BYTES_MAX);
    stet_status status = prepare(sandbox, run->chunk, prepare_body, err);
    if (status == STET_OK) status = run_protected(sandbox, run, err);
    finish_log(sandbox);
    sandbox->run = NULL;
    uselocale(locale);
    return status;
}
