/*
 * Every allocation of a run fails in turn, of Lua's and of the arena: the answer is STET_NO_MEMORY or the right one, and the next run
 * works. A panic of Lua would end the test.
 */
#include "lua/lua_testing.h"

void *__real_arena_alloc(struct arena *arena, size_t size);
void *__real_arena_zalloc(struct arena *arena, size_t count, size_t size);
char *__real_arena_bytes(struct arena *arena, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_arena_alloc(struct arena *arena, size_t size);
void *__wrap_arena_zalloc(struct arena *arena, size_t count, size_t size);
char *__wrap_arena_bytes(struct arena *arena, size_t size);
void *__wrap_realloc(void *block, size_t size);

static long fail_at = -1; /* How many allocations work; -1: all. */
static long allocations;
static bool lasting; /* All after the first that fails fail, too: a collection does not help. */

static bool allowed(void) {
    if (fail_at < 0) return true;
    long n = allocations++;
    return lasting ? n < fail_at : n != fail_at;
}

void *__wrap_arena_alloc(struct arena *arena, size_t size) {
    return allowed() ? __real_arena_alloc(arena, size) : NULL;
}

void *__wrap_arena_zalloc(struct arena *arena, size_t count, size_t size) {
    return allowed() ? __real_arena_zalloc(arena, count, size) : NULL;
}

char *__wrap_arena_bytes(struct arena *arena, size_t size) {
    return allowed() ? __real_arena_bytes(arena, size) : NULL;
}

void *__wrap_realloc(void *block, size_t size) {
    return allowed() ? __real_realloc(block, size) : NULL;
}

static stet_status host_echo(struct sandbox_call *call, void *context, stet_error *err) {
    (void)context;
    stet_view json;
    size_t member;
    stet_status status = call_json(call, 0, NULL, 0, 0, &json, err);
    if (status == STET_OK) status = call_member(call, 0, "m", &member, err);
    if (status == STET_OK) status = call_list_begin(call, err);
    if (status == STET_OK) status = call_return_json(call, json, err);
    if (status == STET_OK) status = call_list_end(call, err);
    return status;
}

static stet_status host_inner(struct sandbox_call *call, void *context, stet_error *err) {
    (void)context;
    struct sandbox_chunk chunk = {.name = VIEW("inner"), .key = VIEW("inner"), .version = 1};
    chunk.source = VIEW("log(input) return {input, pcall(error, 'x')}");
    return call_function(call, &chunk, 0, err);
}

static const struct sandbox_host test_hosts[] = {{"echo", host_echo}, {"inner", host_inner}};
static const size_t test_host_count = 2;

static const char *const sources[] = {
    ("local t = {} for k, v in pairs(input) do t[#t + 1] = k end "
     "input.new = {b = 1, a = decimal('1.50') * 2} log('x', input.z) "
     "return {t, input, next(input), ('a,b'):gsub('%w', '<%0>'), string.format('%5.2f', 1.5)}"),
    ("local e = select(2, pcall(error, {code = 'A', message = 'b'})) "
     "local r = echo({m = 1, l = {1, 2}}) "
     "local c = setmetatable({}, {__tostring = function() return 'c' end}) table.sort(r) "
     "return {e, r, tostring(c), inner('y'), xpcall(error, function(m) return m .. '!' end, 'z')}"),
    ("local s = '' for i = 1, 200 do s = s .. i .. ',' end local t = {} "
     "for w in s:gmatch('%d+') do t[#t + 1] = w end "
     "table.sort(t, function(a, b) return a > b end) return table.concat(t, '-')"),
    "error('no' .. ' luck')",
    "x = = 1",
};

static void must_answer_or_be_out_of_memory(const char *source) {
    const char *input = "{\"z\":1.10,\"a\":[1,null,{\"\\u0062\":true}],\"long\":"
                        "\"0123456789012345678901234567890123456789"
                        "012345678901234567890123456789\"}";
    struct sandbox_run fine = {0};
    stet_error err = {0};
    stet_status expected = run_source(&fine, source, input, &err);
    const char *result = expected == STET_OK ? arena_copy(&test_arena, fine.result).bytes : NULL;
    struct sandbox_chunk chunk = {.name = VIEW("test"), .source = view_of(source)};
    struct doc *doc = must_parse(input);
    struct sandbox_input value = {.name = "input", .doc = doc, .node = 0};
    stet_status status = STET_NO_MEMORY;
    long last = 0;
    for (long n = 0; n < 100000; n = n < 400 ? n + 1 : n + 7) {
        struct arena arena;
        arena_init(&arena, 1024);
        struct sandbox_run run = {
            .chunk = &chunk, .inputs = &value, .input_count = 1, .arena = &arena};
        allocations = 0;
        fail_at = n;
        status = STET_NO_MEMORY;
        struct sandbox *sandbox = sandbox_pool_take(test_pool, &err);
        if (sandbox != NULL) status = sandbox_run(sandbox, &run, &err);
        fail_at = -1;
        if (status != expected && status != STET_NO_MEMORY)
            fail_msg("%s: after %ld allocations %s: %s", source, n, status_code(status),
                     err.message);
        if (status == STET_OK) {
            const char *got = arena_copy(&test_arena, run.result).bytes;
            assert_string_equal(got, result);
        }
        sandbox_pool_give(test_pool, sandbox);
        arena_done(&arena);
        last = n;
        if (allocations <= n) break; /* None failed. */
    }
    assert_true(last > 10 || expected != STET_OK); /* The others may do without. */
    assert_int_equal(status, expected);
}

static void a_run_survives_every_failure(void **state) {
    (void)state;
    lasting = true;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        must_answer_or_be_out_of_memory(sources[i]);
}

static void a_run_survives_a_failure_that_passes(void **state) {
    (void)state;
    lasting = false;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        must_answer_or_be_out_of_memory(sources[i]);
}

static void making_a_state_survives_every_failure(void **state) {
    (void)state;
    stet_error err = {0};
    struct sandbox *sandbox = NULL;
    lasting = true;
    for (long n = 0; sandbox == NULL; n++) {
        allocations = 0;
        fail_at = n;
        sandbox = sandbox_pool_take(test_pool, &err);
        fail_at = -1;
        if (sandbox == NULL) assert_int_equal(err.status, STET_NO_MEMORY);
        assert_true(n < 5000);
    }
    sandbox_pool_give(test_pool, sandbox);
    check_result("return 1", NULL, "1");
}

/* Of the run's own limit on memory, too: every size of it ends in the result or the limit. */
static void every_size_of_memory_is_a_limit(void **state) {
    (void)state;
    size_t ends = 0;
    for (size_t bytes = 1; bytes < 60000; bytes += 97) {
        struct sandbox_run run = {.limits = {.memory_bytes = bytes}};
        stet_error err = {0};
        stet_status status = run_source(&run, sources[1], "{\"z\":1.10}", &err);
        if (status == STET_OK) continue;
        ends++;
        if (status != STET_FUNCTION_LIMIT || strcmp(err.field, "memory") != 0)
            fail_msg("with %zu bytes: %s: %s", bytes, status_code(status), err.message);
    }
    assert_in_range(ends, 10, 600);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        LUA_TEST(a_run_survives_every_failure),
        LUA_TEST(a_run_survives_a_failure_that_passes),
        LUA_TEST(making_a_state_survives_every_failure),
        LUA_TEST(every_size_of_memory_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
