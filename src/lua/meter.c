/*
 * The meter: what a run may use, and how it ends when that is used up.
 *
 * Instructions are counted by Lua's count hook, work in C by meter_charge, and what an allocation copies by the allocator, so that nothing
 * takes long without being counted. A full memory forces a collection before it is a limit; a run may force only few, or at its bound it
 * would collect for every small text. Once stopped, the hook fires at every instruction and raises again, and what catches errors asks
 * meter_check: so nothing goes on.
 */
#include "base/error.h"
#include "base/limits.h"
#include "lua/state.h"

#include <stdlib.h>

enum {
    INTERVAL = 1000,
    INTERVAL_SLOW = 10, /* While instructions take long: those that copy or compare long texts. */
    COLLECTIONS_MAX = 16,
    COPY_BYTES_PER_INSTRUCTION = 64,
    COLLECT_BYTES = 1024 * 1024, /* Garbage that a run may leave before the collector starts. */
};
#define SLOW_NS (2 * CLOCK_NS_PER_MS)

static void look(lua_State *L, lua_Debug *debug);

void *meter_allocate(void *context, void *block, size_t old_size, size_t size) {
    struct sandbox *sandbox = context;
    struct meter *meter = &sandbox->meter;
    /* Without a block, old_size tells the kind of what will be there. */
    size_t old = block == NULL ? 0 : old_size;
    if (size == 0) {
        free(block);
        meter->bytes -= old;
        return NULL;
    }
    if (meter->armed && size > old) {
        size_t growth = size - old;
        if (meter->stop != METER_RUNS) return NULL;
        if (block == NULL && old_size == LUA_TSTRING && size > FUNCTION_TEXT_BYTES_MAX + 64) {
            meter->stop = METER_TEXT;
            return NULL;
        }
        if (growth > meter->bytes_max || meter->bytes > meter->bytes_max - growth) {
            /* Lua collects now and asks again. */
            if (++meter->collections > COLLECTIONS_MAX) meter->stop = METER_MEMORY;
            return NULL;
        }
        if (meter->bytes > meter->collect_bytes && !meter->hurried) {
            /* The collector can be started by the hook alone. Setting a hook allocates nothing. */
            meter->hurried = true;
            lua_sethook(sandbox->lua, look, LUA_MASKCOUNT, 1);
        }
        meter->left -= (int64_t)(size / COPY_BYTES_PER_INSTRUCTION);
        if (meter->left < 0) {
            meter->stop = METER_INSTRUCTIONS;
            return NULL;
        }
    }
    void *moved = realloc(block, size);
    if (moved == NULL) {
        /* Lua relies on it that shrinking works. */
        if (size <= old) return block;
        /* It is not said yet: Lua collects and asks again. */
        meter->system = true;
        return NULL;
    }
    meter->bytes += size - old;
    return moved;
}

static void look(lua_State *L, lua_Debug *debug) {
    (void)debug;
    struct sandbox *sandbox = sandbox_of(L);
    struct meter *meter = &sandbox->meter;
    if (meter->stop != METER_RUNS) meter_stop(L, meter->stop);
    meter->left -= meter->interval;
    if (meter->left < 0) meter_stop(L, METER_INSTRUCTIONS);
    if (meter->hurried) {
        meter->hurried = false;
        meter->collect_bytes = SIZE_MAX;
        lua_gc(L, LUA_GCRESTART);
        lua_sethook(L, look, LUA_MASKCOUNT, meter->interval);
    }
    if (meter->clock == NULL) return;
    int64_t now = clock_monotonic_ns(meter->clock);
    if (now > meter->deadline_ns) meter_stop(L, METER_TIME);
    if (now - meter->looked_ns > SLOW_NS && meter->interval > INTERVAL_SLOW) {
        meter->interval = INTERVAL_SLOW;
        lua_sethook(L, look, LUA_MASKCOUNT, meter->interval);
    }
    meter->looked_ns = now;
}

void meter_check_time(lua_State *L) {
    const struct meter *meter = &sandbox_of(L)->meter;
    if (meter->clock != NULL && clock_monotonic_ns(meter->clock) > meter->deadline_ns)
        meter_stop(L, METER_TIME);
}

static uint64_t bound_u64(uint64_t wanted, uint64_t most) {
    return wanted == 0 || wanted > most ? most : wanted;
}

void meter_arm(struct sandbox *sandbox, const struct sandbox_run *run) {
    struct meter *meter = &sandbox->meter;
    const struct sandbox_limits *wanted = &run->limits;
    meter->limits = (struct sandbox_limits){
        .instructions = bound_u64(wanted->instructions, FUNCTION_INSTRUCTIONS_MAX),
        .memory_bytes = bound_u64(wanted->memory_bytes, FUNCTION_MEMORY_BYTES_MAX),
        .time_ms = (uint32_t)bound_u64(wanted->time_ms, FUNCTION_MS_MAX),
        .result_bytes = bound_u64(wanted->result_bytes, FUNCTION_RESULT_BYTES_MAX),
    };
    meter->stop = METER_RUNS;
    meter->left = (int64_t)meter->limits.instructions;
    meter->bytes_max = sandbox->base_bytes + meter->limits.memory_bytes;
    meter->collect_bytes = meter->bytes + COLLECT_BYTES;
    meter->hurried = false;
    meter->collections = 0;
    meter->kept_bytes = 0;
    meter->system = false;
    meter->interval = meter->left < INTERVAL ? (int)meter->left : INTERVAL;
    meter->clock = run->clock;
    if (run->clock != NULL) {
        meter->looked_ns = clock_monotonic_ns(run->clock);
        meter->deadline_ns = meter->looked_ns + (int64_t)meter->limits.time_ms * CLOCK_NS_PER_MS;
    }
    lua_gc(sandbox->lua, LUA_GCSTOP);
    lua_sethook(sandbox->lua, look, LUA_MASKCOUNT, meter->interval);
    meter->armed = true;
}

void meter_disarm(struct sandbox *sandbox) {
    sandbox->meter.armed = false;
    lua_sethook(sandbox->lua, NULL, 0, 0);
}

_Noreturn void meter_stop(lua_State *L, enum meter_stop why) {
    struct sandbox *sandbox = sandbox_of(L);
    if (sandbox->meter.stop == METER_RUNS) {
        sandbox->meter.stop = why;
        sandbox->meter.interval = 1;
        lua_sethook(L, look, LUA_MASKCOUNT, 1);
    }
    /* Nothing that allocates: memory may be what is out. */
    lua_pushlightuserdata(L, NULL);
    lua_error(L);
    abort();
}

enum meter_stop meter_out_of_memory(const struct sandbox *sandbox) {
    const struct meter *meter = &sandbox->meter;
    return meter->armed && !meter->system ? METER_MEMORY : METER_NO_MEMORY;
}

void meter_check(lua_State *L) {
    enum meter_stop stop = sandbox_of(L)->meter.stop;
    if (stop == METER_RUNS) return;
    /* The allocator can stop a run, but not set the hook. */
    lua_sethook(L, look, LUA_MASKCOUNT, 1);
    meter_stop(L, stop);
}

static stet_status limit(stet_error *err, const char *field, uint64_t limit, const char *words) {
    error_set(err, STET_FUNCTION_LIMIT, "the function passed its limit of %llu %s",
              (unsigned long long)limit, words);
    error_field(err, field, limit);
    return STET_FUNCTION_LIMIT;
}

stet_status meter_status(const struct sandbox *sandbox, stet_error *err) {
    const struct sandbox_limits *limits = &sandbox->meter.limits;
    switch (sandbox->meter.stop) {
    case METER_INSTRUCTIONS:
        return limit(err, "instructions", limits->instructions, "instructions");
    case METER_MEMORY: return limit(err, "memory", limits->memory_bytes, "bytes of memory");
    case METER_TIME: return limit(err, "time", limits->time_ms, "milliseconds");
    case METER_RESULT: return limit(err, "result", limits->result_bytes, "bytes for a result");
    case METER_LOG: return limit(err, "log", FUNCTION_LOG_BYTES_MAX, "bytes in its log");
    case METER_TEXT: return limit(err, "text", FUNCTION_TEXT_BYTES_MAX, "bytes in one text");
    case METER_DEPTH:
        return limit(err, "depth", FUNCTION_CALL_DEPTH_MAX, "functions that call one another");
    case METER_NO_MEMORY:
        return error_set(err, STET_NO_MEMORY, "out of memory while running a function");
    case METER_HOST:
        if (err != NULL) *err = sandbox->fatal;
        return sandbox->fatal.status;
    case METER_RUNS: break;
    }
    return error_set(err, STET_INTERNAL, "a function stopped for no reason");
}
