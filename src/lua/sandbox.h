/*
 * The sandbox: runs functions written in Lua 5.4 over JSON values. It knows nothing of spaces and records; whoever runs a function
 * registers what it may call (hosts).
 *
 * A run is pure: it sees its inputs, what hosts answer, and numbers drawn from its seed, so the same run gives the same result on any
 * machine. It cannot leave its limits, and once it passed one nothing in it goes on (no pcall, no handler). States of Lua are reused, for a
 * fresh one costs more than most runs; nothing of a run can be seen by the next (isolation_test.c). docs/functions.md describes the language.
 *
 * Thread: a pool serves any number of threads; a sandbox belongs to one at a time.
 */
#ifndef LUA_SANDBOX_H
#define LUA_SANDBOX_H

#include "base/arena.h"
#include "base/clock.h"
#include "doc/doc.h"

struct sandbox_pool; /* States that wait to be used. */
struct sandbox;      /* One state of Lua, and the functions it has compiled. */
struct sandbox_call; /* One call of a host function by a run. */

/*
 * A function that the host offers to functions, by this name, as a global. Reads its arguments and gives its results with call_…
 * below. None of those leaves it by longjmp, so it may hold what it likes while it runs, and releases it before it returns.
 *
 * @param context  The run's.
 * @return STET_OK. Otherwise err is filled, and the run meets an error: one that the function may catch (sandbox_catchable) as an object
 *         {code: "NOT_FOUND", message, field}; or one that ends the run at once, with this status and err, whatever the function does.
 */
struct sandbox_host {
    const char *name;
    stet_status (*call)(struct sandbox_call *call, void *context, stet_error *err);
};

/* What pcall may catch: answers about the data and the request. Limits, conflicts, lack of memory, storage end the run. */
bool sandbox_catchable(stet_status status);

/* hosts: borrowed as long as the pool lives. @return NULL with err filled: STET_NO_MEMORY. */
struct sandbox_pool *sandbox_pool_create(const struct sandbox_host *hosts, size_t host_count,
                                         stet_error *err);
/* Everything that was taken has been given back. Accepts NULL. */
void sandbox_pool_destroy(struct sandbox_pool *pool);

/* A state, a waiting one if there is one. @return NULL with err filled: STET_NO_MEMORY. */
struct sandbox *sandbox_pool_take(struct sandbox_pool *pool, stet_error *err);
/* Gives it back. One that passed a limit is destroyed, as are those past FUNCTION_STATES_MAX. Accepts NULL. */
void sandbox_pool_give(struct sandbox_pool *pool, struct sandbox *sandbox);

/* A function's source. */
struct sandbox_chunk {
    stet_view
        key; /* Unique in the pool, as "space/function": its compiled form is kept under it … */
    uint64_t
        version; /* … until it comes with another version. Versions of different sources differ. 0: it is not kept. */
    stet_view name;   /* For messages: "function add:12: …". */
    stet_view source; /* UTF-8 text, never bytecode; at most FUNCTION_SOURCE_BYTES_MAX. */
};

/*
 * Compiles without running.
 *
 * @return STET_OK; STET_INVALID_FUNCTION: message has the line, err->limit is the line, too; STET_TOO_LARGE: err->field "source";
 *         STET_NO_MEMORY
 */
stet_status sandbox_check(struct sandbox *sandbox, const struct sandbox_chunk *chunk,
                          stet_error *err);

/* Bounds of one run, nested calls included; 0 takes the one of limits.h, and more than that counts as that. */
struct sandbox_limits {
    uint64_t
        instructions; /* FUNCTION_INSTRUCTIONS_MAX: of Lua's machine; what library functions do is counted alike. */
    size_t memory_bytes; /* FUNCTION_MEMORY_BYTES_MAX */
    uint32_t time_ms;    /* FUNCTION_MS_MAX: only when the run has a clock. */
    size_t result_bytes; /* FUNCTION_RESULT_BYTES_MAX */
};

/* A value that a function starts with: a global of that name, and in this order its arguments (`...`). */
struct sandbox_input {
    const char *name;
    const struct doc *doc; /* Borrowed for the run. */
    doc_node node;         /* DOC_NONE: nil. */
};

enum { SANDBOX_INPUTS_MAX = 8 };

/* One run. Zero what is not used. */
struct sandbox_run {
    /* In; borrowed for the run. */
    const struct sandbox_chunk *chunk;
    const struct sandbox_input *inputs;
    size_t input_count;
    bool pure;     /* No host function can be called: merges. */
    void *context; /* For the hosts. */
    uint64_t seed; /* Of math.random and call_random. */
    /* For time_ms. NULL: no bound on time; some instructions take long (comparing long texts), so only for tests. */
    const struct clock *clock;
    struct sandbox_limits limits;
    /* The result is written as a change of this one: values that are equal to it keep its spelling and order. NULL: none. */
    const struct doc *original;
    doc_node original_node;

    /* Out, in the arena; the log and what failed also when the run failed. */
    struct arena *arena;
    stet_view result;      /* JSON; "null" when nothing was returned. */
    bool result_absent;    /* Nothing, or nil, was returned. */
    stet_view log;         /* JSON array of the texts that were logged; empty: none. */
    uint64_t instructions; /* Used. */
    uint32_t line;         /* Where it failed, in its own source; 0: not known. */
    stet_view code; /* The code of an error object that nobody caught, as "NOT_FOUND"; or empty. */
    stet_view
        traceback; /* "function add:12: in function 'f'\n…": lines of sources only; or empty. */
};

/*
 * Runs the function and writes what it returns as JSON.
 *
 * @return STET_OK
 *         STET_INVALID_FUNCTION  as sandbox_check
 *         STET_FUNCTION_FAILED   an error that it raised or did not catch; message "function add:12: …".
 *         STET_FUNCTION_LIMIT    err->field: "instructions", "memory", "time", "result", "log" (FUNCTION_LOG_BYTES_MAX), "text"
 *                                (FUNCTION_TEXT_BYTES_MAX), "depth"; err->limit.
 *         STET_NO_MEMORY         the system's, not the run's.
 *         other                  what a host function answered that cannot be caught.
 */
stet_status sandbox_run(struct sandbox *sandbox, struct sandbox_run *run, stet_error *err);

/* -- For host functions. Indices of arguments count from 0; one that is not there is VALUE_ABSENT. -- */

enum value_kind {
    VALUE_ABSENT, /* nil */
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_NUMBER,
    VALUE_TEXT,
    VALUE_LIST,
    VALUE_OBJECT,
    VALUE_OTHER, /* A function: not data. */
};

size_t call_count(const struct sandbox_call *call);
enum value_kind call_kind(const struct sandbox_call *call, size_t index);

/* "a text expected as argument 2 of get": STET_BAD_REQUEST when it is of another kind. Views last until the host function returns. */
stet_status call_text(struct sandbox_call *call, size_t index, stet_view *text, stet_error *err);
stet_status call_u64(struct sandbox_call *call, size_t index, uint64_t *value, stet_error *err);
stet_status call_bool(struct sandbox_call *call, size_t index, bool *value, stet_error *err);

/*
 * A member of an argument that is an object, as a further argument: *member is its index. STET_BAD_REQUEST when the argument is no
 * object; a member that is not there is VALUE_ABSENT.
 */
stet_status call_member(struct sandbox_call *call, size_t index, const char *name, size_t *member,
                        stet_error *err);
/* The number of elements of a list, and one of them (from 0) as a further argument. */
stet_status call_length(struct sandbox_call *call, size_t index, size_t *length, stet_error *err);
stet_status call_element(struct sandbox_call *call, size_t index, size_t at, size_t *element,
                         stet_error *err);

/*
 * An argument as JSON, in the run's arena.
 *
 * @param original  The value that was read, or NULL. What is equal by value is copied from its text: numbers keep their spelling,
 *                  objects their order and blanks; equal as a whole, *json is the same bytes.
 * @return STET_OK; STET_BAD_REQUEST: no JSON value (a function, a circle, a number that is none, text that is not UTF-8, a list with
 *         holes): err->field is the JSON pointer; STET_FUNCTION_LIMIT: "depth" (JSON_DEPTH_MAX) or "result" (bytes_max; 0:
 *         DATA_BYTES_MAX); STET_NO_MEMORY
 */
stet_status call_json(struct sandbox_call *call, size_t index, const struct doc *original,
                      doc_node node, size_t bytes_max, stet_view *json, stet_error *err);

/*
 * Results, in order; a host function that gives none gives nil. STET_FUNCTION_LIMIT when the run's memory is out: return it.
 * doc: lives as long as the run (in its arena, say). The function gets a copy that it may change.
 */
stet_status call_return_nil(struct sandbox_call *call, stet_error *err);
stet_status call_return_null(struct sandbox_call *call, stet_error *err);
stet_status call_return_bool(struct sandbox_call *call, bool value, stet_error *err);
stet_status call_return_u64(struct sandbox_call *call, uint64_t value, stet_error *err);
stet_status call_return_text(struct sandbox_call *call, stet_view text, stet_error *err);
stet_status call_return_doc(struct sandbox_call *call, const struct doc *doc, doc_node node,
                            stet_error *err);
/* Parses JSON text, copied into the run's arena: STET_BAD_JSON, STET_TOO_LARGE. */
stet_status call_return_json(struct sandbox_call *call, stet_view json, stet_error *err);
/* What is returned is one list: begin, any number of call_return_…, end. They do not nest. */
stet_status call_list_begin(struct sandbox_call *call, stet_error *err);
stet_status call_list_end(struct sandbox_call *call, stet_error *err);

/*
 * Runs another function with the argument as its only input ("input"), within what is left of this run's limits; what it returns is
 * a result of this call. Its error is this call's. STET_FUNCTION_LIMIT "depth": FUNCTION_CALL_DEPTH_MAX.
 */
stet_status call_function(struct sandbox_call *call, const struct sandbox_chunk *chunk,
                          size_t index, stet_error *err);

/* Counts work that a host does for the run against its instructions; and 64 bits of its own, repeatable, sequence of random numbers. */
stet_status call_charge(struct sandbox_call *call, uint64_t instructions, stet_error *err);
/* Counts bytes that a host puts into the run's arena, where that may happen any number of times, against its memory. */
stet_status call_keep(struct sandbox_call *call, size_t bytes, stet_error *err);
uint64_t call_random(struct sandbox_call *call);
struct arena *call_arena(struct sandbox_call *call);

#endif
