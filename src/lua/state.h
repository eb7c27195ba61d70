/*
 * What the parts of the sandbox share: the state, its meter, and how they stop a run. For this folder only.
 *
 * "May raise" means: leaves by a Lua error (longjmp), so the caller holds nothing but stack slots, arena and Lua values, and was called
 * from below a lua_pcall. All else returns.
 */
#ifndef LUA_STATE_H
#define LUA_STATE_H

#include "base/buffer.h"
#include "base/view.h"
#include "lua/sandbox.h"

#include <lauxlib.h>
#include <locale.h>
#include <lua.h>

/* Why nothing in a run goes on any more. Once set it stays until the run has ended. */
enum meter_stop {
    METER_RUNS,
    METER_INSTRUCTIONS,
    METER_MEMORY,
    METER_TIME,
    METER_RESULT,
    METER_LOG,
    METER_TEXT,
    METER_DEPTH,
    METER_NO_MEMORY, /* The system's. */
    METER_HOST,      /* A host function said so: sandbox->fatal. */
};

/* What a run used and may use. */
struct meter {
    enum meter_stop stop;
    bool armed;           /* During a run; allocations outside are only counted. */
    int64_t left;         /* Instructions; below 0: stop. */
    size_t bytes;         /* That Lua holds at the moment. */
    size_t bytes_max;     /* Of these, while armed. */
    size_t collect_bytes; /* From here on the collector runs; short runs end before. */
    bool hurried;         /* The hook fires early, to start the collector. */
    uint32_t collections; /* That a full memory forced. */
    size_t kept_bytes;    /* Beside Lua's memory, in the run's arena, until it ends. */
    bool system;          /* It was the system that had no memory. */
    int64_t deadline_ns;  /* On the clock. */
    int64_t looked_ns;    /* When the clock was last asked. */
    int interval;         /* Instructions between two looks. */
    const struct clock *clock;
    struct sandbox_limits limits; /* Of the run, all set. */
};

/* What is known of an error. */
struct trace {
    stet_view
        message; /* bytes == NULL: none; it was neither a text nor an object with a message. */
    stet_view code;
    stet_view lines;
    char where[LUA_IDSIZE]; /* "function add" */
    uint32_t line;
};

struct sandbox {
    lua_State *lua;
    const struct sandbox_host *hosts;
    size_t host_count;
    struct meter meter;
    size_t fresh_bytes;   /* Of a state that has compiled nothing. */
    size_t base_bytes;    /* With its compiled functions. */
    uint32_t chunks;      /* Compiled functions that are kept. */
    bool compiled;        /* Since base_bytes was measured. */
    bool spoiled;         /* A run passed a limit here: not to be used again. */
    struct sandbox *next; /* In the pool. */
    locale_t locale; /* "C", so that texts compare and numbers look the same in every program. */
    const void *list_meta, *object_meta, *decimal_meta, *null; /* To tell values apart quickly. */

    /* Of the run at hand. */
    struct sandbox_run *run;
    uint64_t random;
    uint32_t depth; /* Of functions that call one another. */
    struct buffer log;
    const struct doc **docs; /* That objects came from; an object holds its place here. */
    uint32_t doc_count, doc_capacity;
    lua_Integer next_at; /* Where next() is in the keys it keeps. */
    stet_error fatal;    /* With METER_HOST. */
    bool not_compiled;   /* The error is one of the compiler's. */
    struct trace trace;
};

static inline struct sandbox *sandbox_of(lua_State *L) {
    return *(struct sandbox **)lua_getextraspace(L);
}

/* -- meter.c -- */

void *meter_allocate(void *context, void *block, size_t old_size, size_t size);
void meter_arm(struct sandbox *sandbox, const struct sandbox_run *run);
void meter_disarm(struct sandbox *sandbox);

/* Stops the run; raises. */
_Noreturn void meter_stop(lua_State *L, enum meter_stop why);
/* Why, when Lua says that memory is out. */
enum meter_stop meter_out_of_memory(const struct sandbox *sandbox);
/* Raises again when the run was stopped: after everything that catches errors. */
void meter_check(lua_State *L);
/* Raises when the time is over. */
void meter_check_time(lua_State *L);
/* Counts work in C; raises when that was too much. */
static inline void meter_charge(lua_State *L, size_t instructions) {
    struct meter *meter = &sandbox_of(L)->meter;
    meter->left -= (int64_t)instructions;
    if (meter->left < 0 && meter->armed) meter_stop(L, METER_INSTRUCTIONS);
}
/* The work of touching bytes once. */
static inline void meter_charge_bytes(lua_State *L, size_t bytes) { meter_charge(L, bytes / 32); }

/* Counts bytes that stay in the run's arena, however often they are made. False: that is more than its memory; the run is to be stopped. */
static inline bool meter_keep(struct meter *meter, size_t bytes) {
    meter->kept_bytes += bytes;
    return meter->kept_bytes <= meter->limits.memory_bytes;
}

/* The status of a stopped run, with err filled. */
stet_status meter_status(const struct sandbox *sandbox, stet_error *err);

/* -- order.c: tables as lists and objects, in an order that is always the same. -- */

enum shape { SHAPE_EMPTY, SHAPE_LIST, SHAPE_OBJECT, SHAPE_MIXED };

enum mark { MARK_NONE, MARK_LIST, MARK_OBJECT };
enum mark order_mark(lua_State *L, int index);

/* Makes the table at the top a list or an object. origin of objects: (place in docs << 32 | node), or -1. May raise. */
void order_mark_list(lua_State *L);
void order_mark_object(lua_State *L, lua_Integer origin);

/* What the table is when it is written. Never raises. */
enum shape order_shape(lua_State *L, int index, size_t *count);

/* Pushes a list of the table's keys in order, some of which may no longer be there. May raise. @return how many. */
size_t order_keys(lua_State *L, int index);

void order_open(lua_State *L); /* Makes the metatables. */
int order_next(lua_State *L);
int order_pairs(lua_State *L);
int order_rawset(lua_State *L);
int order_array(lua_State *L);
int order_object(lua_State *L);
int order_is_array(lua_State *L);

/* -- number.c: decimals as values of Lua. -- */

void number_open(lua_State *L);
/* The text of a decimal, or bytes == NULL. Lives as long as the value. */
stet_view number_decimal(lua_State *L, int index);
/* Pushes what JSON's number says: an integer when it is written as one and fits, else a decimal. May raise. */
void number_push(lua_State *L, stet_view text);
/* The text of an integer, a float or a decimal; 0 for inf, nan and what is no number. Floats get the fewest digits that say them. */
enum { NUMBER_TEXT_MAX = 32 };
stet_view number_text(lua_State *L, int index, char room[NUMBER_TEXT_MAX]);
int number_decimal_new(lua_State *L);
int number_round(lua_State *L);
/* <0, 0, >0. Both are numbers of any kind that number_text can say. */
int number_compare(lua_State *L, int a, int b);
bool number_is(lua_State *L, int index);
/* Pushes the largest integer that is not above, or the smallest that is not below the decimal. May raise. */
void number_push_whole(lua_State *L, stet_view decimal, bool up);

/* -- read.c, write.c: JSON to Lua and back. -- */

/* Pushes a value. May raise. doc: lives as long as the run. */
void value_push(lua_State *L, const struct doc *doc, doc_node node);
void value_push_null(lua_State *L);
bool value_is_null(lua_State *L, int index);

/* As call_json. May raise when memory or instructions are out. */
stet_status value_write(lua_State *L, int index, const struct doc *original, doc_node node,
                        struct buffer *out, stet_error *err);
/* Equality by value, as JSON has it: 1 equals decimal("1.0"). May raise. */
int value_equal(lua_State *L);

/* -- library_….c -- */

void library_open(lua_State *L);
void library_strings(lua_State *L); /* Each of these pushes its table. */
void library_tables(lua_State *L);
void library_math(lua_State *L);
/* Pushes what tostring says. May raise. */
void library_text(lua_State *L, int index);
/* The table at the top gives way to one with these of its functions, which count their work. */
void library_counted(lua_State *L, const char *const *names);
uint64_t library_random(struct sandbox *sandbox);

/* -- call.c -- */

int call_host(lua_State *L);

/* -- run.c -- */

/*
 * The count values at the top become the arguments of the chunk's function, which is put below them, and globals of these names in an
 * environment of its own. Raises a message when it does not compile.
 */
void run_push_function(lua_State *L, const struct sandbox_chunk *chunk, const char *const *names,
                       int count);
/* The message handler of every lua_pcall whose error is told to people: notes where it was and what it says. */
int run_trace(lua_State *L);
void run_trace_reset(struct sandbox *sandbox);
/* What the error that lua_pcall left at the top means. Pops it. */
stet_status run_failed(lua_State *L, int status, stet_error *err);

/* Names of hidden things: addresses as keys. */
extern const char state_null, state_decimal, state_list, state_object, state_origin, state_order,
    state_chunks, state_versions, state_globals, state_globals_pure, state_environment,
    state_environment_pure, state_error, state_snapshot, state_next;

#endif
