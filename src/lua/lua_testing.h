/*
 * What the tests of this folder share: one pool, and must_… helpers that run a source and compare.
 */
#ifndef LUA_LUA_TESTING_H
#define LUA_LUA_TESTING_H

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "lua/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Defined by the test: what its pool offers. */
static const struct sandbox_host test_hosts[];
static const size_t test_host_count;

static struct sandbox_pool *test_pool;
static struct arena test_arena;

static inline int setup_pool(void **state) {
    (void)state;
    stet_error err;
    arena_init(&test_arena, 16384);
    test_pool = sandbox_pool_create(test_hosts, test_host_count, &err);
    return test_pool == NULL;
}

static inline int teardown_pool(void **state) {
    (void)state;
    sandbox_pool_destroy(test_pool);
    arena_done(&test_arena);
    return 0;
}

#define LUA_TEST(name) cmocka_unit_test_setup_teardown(name, setup_pool, teardown_pool)

static inline struct doc *must_parse(const char *json) {
    struct doc *doc = arena_alloc(&test_arena, sizeof *doc);
    stet_error err;
    if (doc_parse(&test_arena, arena_copy(&test_arena, view_of(json)), NULL, doc, &err) != STET_OK)
        fail_msg("could not parse %s: %s", json, err.message);
    return doc;
}

/* Runs with an input (NULL: none). Everything else of `run` is the caller's. */
static inline stet_status run_source(struct sandbox_run *run, const char *source, const char *input,
                                     stet_error *err) {
    struct sandbox_chunk chunk = {.name = VIEW("test"), .source = view_of(source)};
    struct sandbox_input value = {.name = "input"};
    if (input != NULL) value.doc = must_parse(input);
    value.node = input == NULL ? DOC_NONE : 0;
    if (run->chunk == NULL) run->chunk = &chunk;
    run->inputs = &value;
    run->input_count = 1;
    run->arena = &test_arena;
    struct sandbox *sandbox = sandbox_pool_take(test_pool, err);
    assert_non_null(sandbox);
    stet_status status = sandbox_run(sandbox, run, err);
    sandbox_pool_give(test_pool, sandbox);
    if (run->chunk == &chunk) run->chunk = NULL;
    run->inputs = NULL;
    return status;
}

/* The result, as text. */
static inline const char *must_run(const char *source, const char *input) {
    struct sandbox_run run = {0};
    stet_error err = {0};
    stet_status status = run_source(&run, source, input, &err);
    if (status != STET_OK) fail_msg("%s: %s: %s", source, status_code(status), err.message);
    return arena_copy(&test_arena, run.result).bytes;
}

static inline void check_result(const char *source, const char *input, const char *expected) {
    const char *result = must_run(source, input);
    if (strcmp(result, expected) != 0)
        fail_msg("%s\n  expected %s\n  got      %s", source, expected, result);
}

static inline void check_error(const char *source, const char *input, stet_status expected,
                               const char *message) {
    struct sandbox_run run = {0};
    stet_error err = {0};
    stet_status status = run_source(&run, source, input, &err);
    if (status != expected)
        fail_msg("%s\n  expected %s\n  got      %s: %s", source, status_code(expected),
                 status_code(status), err.message);
    if (strcmp(err.message, message) != 0)
        fail_msg("%s\n  expected %s\n  got      %s", source, message, err.message);
}

static inline void check_limit(const char *source, const char *field) {
    /* Smaller than they could be, so that the tests are quick. */
    struct sandbox_run run = {.limits = {.instructions = 1000000, .memory_bytes = 8 << 20}};
    stet_error err = {0};
    stet_status status = run_source(&run, source, NULL, &err);
    if (status != STET_FUNCTION_LIMIT || strcmp(err.field, field) != 0)
        fail_msg("%.200s\n  expected the limit %s\n  got      %s: %s (%s)", source, field,
                 status_code(status), err.message, err.field);
}

#endif
