/*
 * Limits hold, whatever a function tries: nothing in it goes on once one is passed.
 */
#include "lua/lua_testing.h"

static stet_status host_refuse(struct sandbox_call *call, void *context, stet_error *err);
static stet_status host_shout(struct sandbox_call *call, void *context, stet_error *err);

static stet_status host_sleep(struct sandbox_call *call, void *context, stet_error *err);

static const struct sandbox_host test_hosts[] = {
    {"refuse", host_refuse}, {"shout", host_shout}, {"sleep", host_sleep}};
static const size_t test_host_count = 3;

static void a_loop_ends(void **state) {
    (void)state;
    check_limit("while true do end", "instructions");
    check_limit("local function f() return f() end f()", "instructions");
    check_limit("for i = 1, math.huge do end", "instructions");
    check_limit("::a:: goto a", "instructions");
    check_limit(
        "local t = setmetatable({}, {__index = function(t, k) while true do end end}) return t.x",
        "instructions");
    check_limit("string.gsub('x', 'x', function() while true do end end)", "instructions");
    check_limit("table.sort({1, 2}, function() while true do end end)", "instructions");
}

static void nothing_catches_a_limit(void **state) {
    (void)state;
    static const char *const catchers[] = {
        "while true do pcall(function() while true do end end) end",
        "pcall(function() while true do end end) return 1",
        "pcall(pcall, pcall, function() while true do end end) return 1",
        "xpcall(function() while true do end end, function() while true do end end) return 1",
        "xpcall(function() while true do end end, function() return 1 end) return 1",
        "xpcall(error, function() while true do end end) return 1",
        "xpcall(error, function() xpcall(error, function() while true do end end) end) return 1",
        "local f = function() while true do end end while not pcall(f) do end return 1",
        ("local t = setmetatable({}, {__index = function() pcall(function() while true do end end) "
         "return 1 end}) return t.x"),
        "setmetatable(_ENV, nil) return 1",
        "local ok = pcall(table.sort, {1, 2, 3}, function() while true do end end) return ok",
    };
    for (size_t i = 0; i < sizeof catchers / sizeof *catchers; i++) {
        struct sandbox_run run = {.limits = {.instructions = 500000}};
        stet_error err = {0};
        stet_status status = run_source(&run, catchers[i], NULL, &err);
        if (i == 9) {
            assert_int_equal(status, STET_FUNCTION_FAILED);
            continue;
        }
        if (status != STET_FUNCTION_LIMIT) fail_msg("%s: %s", catchers[i], status_code(status));
        assert_string_equal(err.field, "instructions");
        assert_int_equal(err.limit, 500000);
    }
}

static stet_status host_refuse(struct sandbox_call *call, void *context, stet_error *err) {
    stet_view json;
    (void)context;
    stet_status status = call_json(call, 0, NULL, DOC_NONE, 0, &json, err);
    return status == STET_OK ? error_set(err, STET_SYSTEM_TYPE, "not this one") : status;
}

/* Runs itself, and that fails with many words. */
static stet_status host_shout(struct sandbox_call *call, void *context, stet_error *err) {
    static const struct sandbox_chunk chunk = {.name = VIEW("shout"),
                                               .source = VIEW("error(input)")};
    (void)context;
    return call_function(call, &chunk, 0, err);
}

/* Of what is refused or fails, again and again, nothing much may stay until the run ends. */
static void what_hosts_refuse_does_not_pile_up(void **state) {
    (void)state;
    check_limit("local s = ('x'):rep(1000000) while true do pcall(refuse, s) end", "memory");
    struct sandbox_run run = {.limits = {.instructions = 1000000}};
    stet_error err = {0};
    size_t before = arena_footprint(&test_arena);
    assert_int_equal(
        run_source(&run, "local s = ('x'):rep(500000) while true do pcall(shout, s) end return 1",
                   NULL, &err),
        STET_FUNCTION_LIMIT);
    assert_string_equal(err.field, "instructions");
    assert_true(arena_footprint(&test_arena) - before < (4u << 20));
}

static void an_object_with_long_escaped_keys_does_not_pile_up(void **state) {
    (void)state;
    char *json = arena_bytes(&test_arena, 600100);
    strcpy(json, "{\"\\u0041");
    memset(json + strlen(json), 'x', 600000);
    strcpy(json + 8 + 600000, "\":1}");
    struct sandbox_run run = {.limits = {.memory_bytes = 8 << 20}};
    stet_error err = {0};
    assert_int_equal(run_source(&run, "while true do for k in pairs(input) do end end", json, &err),
                     STET_FUNCTION_LIMIT);
    assert_string_equal(err.field, "memory");
}

static void nothing_catches_the_end_of_memory(void **state) {
    (void)state;
    check_limit("local t = {} while true do t[#t + 1] = {} end", "memory");
    check_limit(
        "local t = {} while true do pcall(function() while true do t[#t + 1] = {} end end) end",
        "memory");
    check_limit(
        "local t = {} pcall(function() while true do t[#t + 1] = ('x'):rep(100000) .. #t end end) "
        "t = nil return 1",
        "memory");
    check_limit(
        "local t = {} xpcall(function() while true do t[#t + 1] = {} end end, function() t = nil "
        "return 1 end) return 1",
        "memory");
}

static void a_small_bound_is_a_bound(void **state) {
    (void)state;
    struct sandbox_run run = {.limits = {.memory_bytes = 200000, .instructions = 50000}};
    stet_error err = {0};
    assert_int_equal(
        run_source(&run, "local t = {} for i = 1, 1000 do t[i] = i end return #t", NULL, &err),
        STET_OK);
    assert_int_equal(
        run_source(&run, "local t = {} for i = 1, 4000 do t[i] = {i} end return #t", NULL, &err),
        STET_FUNCTION_LIMIT);
    assert_string_equal(err.field, "memory");
    assert_int_equal(err.limit, 200000);
    assert_int_equal(run_source(&run, "for i = 1, 100000 do end", NULL, &err), STET_FUNCTION_LIMIT);
    assert_string_equal(err.field, "instructions");
    assert_int_equal(err.limit, 50000);
    assert_in_range(run.instructions, 50000, 50000);
}

static void garbage_is_no_use_of_memory(void **state) {
    (void)state;
    /* 100 MB in all, and the second so quickly that no thousand instructions pass between two collections. */
    check_result("local s for i = 1, 1000 do s = ('x'):rep(100000) end return #s", NULL, "100000");
    check_result("local s for i = 1, 100 do s = ('x'):rep(1000000) end return #s", NULL, "1000000");
}

static void patterns_count_their_steps(void **state) {
    (void)state;
    /* The first took Lua's own matcher 78 s without one instruction. */
    check_limit("string.find(('a'):rep(50000), ('a?'):rep(20) .. ('a*'):rep(20) .. 'b')",
                "instructions");
    check_limit("string.find(('a'):rep(500000), '.-.-.-.-b')", "instructions");
    check_limit("string.match(('('):rep(500000), '%b()' .. '.-')\nfor i = 1, 100 do "
                "string.find(('('):rep(500000), '%b()x') end",
                "instructions");
    check_limit("return (('a'):rep(300000)):gsub('a*b', '')", "instructions");
    check_limit("for w in (('a'):rep(300000)):gmatch('a*b') do end", "instructions");
    check_limit("pcall(string.find, ('a'):rep(500000), '.-.-.-.-b') return 1", "instructions");
    check_limit("local set = '[' .. ('b'):rep(100000) .. ']' for i = 1, 1e6 do "
                "string.find(('a'):rep(1000), set) end",
                "instructions");
    check_limit("local a = ('a'):rep(500000) while true do string.find(a, a .. 'b', 1, true) end",
                "instructions");
}

static void library_functions_count_their_work(void **state) {
    (void)state;
    struct sandbox_run run = {0};
    assert_int_equal(
        run_source(&run, "return (('x'):rep(500000):gsub('', '')) == nil", NULL, &(stet_error){0}),
        STET_OK);
    assert_true(run.instructions > 500000);
    check_limit("('x'):rep(1 << 40)", "text");
    check_limit("('x'):rep(100, ('y'):rep(100000))", "text");
    check_limit("local s = 'x' while true do s = s .. s end", "text");
    check_limit(
        "local t = {} for i = 1, 30 do t[i] = ('x'):rep(100000) end return #table.concat(t)",
        "text");
    check_limit("pcall(string.rep, 'x', 1 << 40) return 1", "text");
    check_limit("local t = {} for i = 1, 60000 do t[i] = i end "
                "while true do table.insert(t, 1, 0) end",
                "instructions");
    check_limit("local t = {} for i = 1, 60000 do t[i] = i end while true do table.sort(t) end",
                "instructions");
    check_limit("local t = {} for i = 1, 60000 do t['k' .. i] = i end while true do pairs(t) end",
                "instructions");
    check_limit(
        "local t = {} for i = 1, 60000 do t['k' .. i] = i end while true do next(t) t.k1 = 1 end",
        "instructions");
    check_limit("local s = ('x'):rep(500000) while true do s:upper() end", "instructions");
    check_limit("local s = ('x'):rep(500000) while true do utf8.len(s) end", "instructions");
    check_limit("local s = ('x'):rep(500000) while true do local t = s .. 'y' end", "instructions");
    check_limit("local s = ('1'):rep(500000) while true do tonumber(s) end", "instructions");
    check_limit("table.move({}, 1, 1 << 60, 1)", "instructions");
    check_limit("return table.concat({}, ',', 1, 0), table.concat(setmetatable({'a'}, {__index = "
                "function() "
                "return 'a' end, __len = function() return 1 << 60 end}), ',', 1, 1) , (function() "
                "while true "
                "do end end)()",
                "instructions");
    check_result("return {('').rep('', 1 << 60), #('ab'):rep(3, '-')}", NULL, "[\"\",8]");
    check_limit("local x = decimal('1.' .. ('3'):rep(80)) while true do local y = 1 / x end",
                "instructions");
}

static void copies_are_counted(void **state) {
    (void)state;
    check_limit("local a = {} for i = 1, 1000 do a[i] = i end while true do equal(a, "
                "{table.unpack(a)}) end",
                "instructions");
    check_limit("while true do equal(input, input) local a = {} for i = 1, 100 do a[i] = i end "
                "for k, v in pairs(a) do end end",
                "instructions");
    check_error("return table.unpack({}, 1, 1e7)", NULL, STET_FUNCTION_FAILED,
                "function test:1: too many results to unpack");
}

static void deep_recursion_is_an_error(void **state) {
    (void)state;
    struct sandbox_run run = {.limits = {.memory_bytes = 1000000}};
    stet_error err = {0};
    /* Lua's own bound on its stack would be 16 MB; memory ends first. */
    assert_int_equal(run_source(&run, "local function f() return 1 + f() end f()", NULL, &err),
                     STET_FUNCTION_LIMIT);
    assert_string_equal(err.field, "memory");
    assert_int_equal(
        run_source(&(struct sandbox_run){0},
                   "local t = setmetatable({}, {__index = function(t, k) return t[k .. 'x'] end}) "
                   "return t.x",
                   NULL, &err),
        STET_FUNCTION_FAILED);
    assert_non_null(strstr(err.message, "C stack overflow"));
}

static void time_is_a_limit(void **state) {
    (void)state;
    /* A clock that moves a millisecond each time somebody looks. */
    struct clock_manual clock;
    clock_manual_init(&clock, 0);
    struct sandbox_run run = {.clock = &clock.clock, .limits = {.time_ms = 1}};
    stet_error err = {0};
    assert_int_equal(
        run_source(&run, "local n = 0 for i = 1, 100000 do n = n + i end return n", NULL, &err),
        STET_OK);
    run.clock = clock_system();
    assert_int_equal(
        run_source(&run, "pcall(function() while true do end end) while true do end", NULL, &err),
        STET_FUNCTION_LIMIT);
    assert_string_equal(err.field, "time");
    assert_int_equal(err.limit, 1);
}

/* Takes 10 ms of the clock that it is given. */
static stet_status host_sleep(struct sandbox_call *call, void *context, stet_error *err) {
    (void)call;
    (void)err;
    clock_manual_advance(context, 10 * CLOCK_NS_PER_MS);
    return STET_OK;
}

static void a_slow_host_is_called_no_more_once_time_is_over(void **state) {
    (void)state;
    struct clock_manual clock;
    clock_manual_init(&clock, 0);
    struct sandbox_run run = {.clock = &clock.clock, .context = &clock, .limits = {.time_ms = 25}};
    stet_error err = {0};
    assert_int_equal(run_source(&run, "while true do pcall(sleep) end", NULL, &err),
                     STET_FUNCTION_LIMIT);
    assert_string_equal(err.field, "time");
    assert_int_equal(clock_monotonic_ns(&clock.clock), 30 * CLOCK_NS_PER_MS);
}

/* What no instruction counts: each of these takes as long as a thousand others. */
static void time_ends_what_is_not_counted(void **state) {
    (void)state;
    static const char *const sources[] = {
        "local x = ('x'):rep(1000000) local a, b = x .. 'a', x .. 'b' while true do local c = a < "
        "b end",
        "local x = ('x'):rep(1000000) local a, b = x .. 'a', x .. 'b' while true do local c = a == "
        "b end",
        "local function f(...) while true do local n = select('#', ...) end end "
        "f(('x'):rep(200000):byte(1, -1))",
        "local function f(...) return f(1, ...) end f()",
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        struct sandbox_run run = {.clock = clock_system(), .limits = {.time_ms = 30}};
        stet_error err = {0};
        assert_int_equal(run_source(&run, sources[i], NULL, &err), STET_FUNCTION_LIMIT);
        assert_string_equal(err.field, "time");
    }
}

static void the_log_is_bounded_and_kept(void **state) {
    (void)state;
    struct sandbox_run run = {0};
    stet_error err = {0};
    assert_int_equal(
        run_source(&run, "log('a', 1, 1.5, null, {}) print('b\"') return 1", NULL, &err), STET_OK);
    assert_string_equal(arena_copy(&test_arena, run.log).bytes,
                        "[\"a\\t1\\t1.5\\tnull\\ttable\",\"b\\\"\"]");
    assert_int_equal(run_source(&run, "log('before') error('x')", NULL, &err),
                     STET_FUNCTION_FAILED);
    assert_string_equal(arena_copy(&test_arena, run.log).bytes, "[\"before\"]");
    assert_int_equal(
        run_source(&run, "log('one') while true do pcall(log, ('x'):rep(1000)) end", NULL, &err),
        STET_FUNCTION_LIMIT);
    assert_string_equal(err.field, "log");
    assert_in_range(run.log.size, FUNCTION_LOG_BYTES_MAX - 2000, FUNCTION_LOG_BYTES_MAX + 1);
    must_parse(arena_copy(&test_arena, run.log).bytes);
}

static void a_source_is_bounded(void **state) {
    (void)state;
    char *source = arena_alloc(&test_arena, FUNCTION_SOURCE_BYTES_MAX + 2);
    memset(source, ' ', FUNCTION_SOURCE_BYTES_MAX + 1);
    source[FUNCTION_SOURCE_BYTES_MAX + 1] = '\0';
    check_error(source, NULL, STET_TOO_LARGE, "a function's source has at most 262144 bytes");
    source[FUNCTION_SOURCE_BYTES_MAX] = '\0';
    check_result(source, NULL, "null");
}

/* Limits, the next run, and the one after do not know of each other. */
static void a_limit_leaves_nothing_behind(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        check_limit("x = 1 while true do end", "instructions");
        check_result("return x == nil", NULL, "true");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        LUA_TEST(a_loop_ends),
        LUA_TEST(nothing_catches_a_limit),
        LUA_TEST(what_hosts_refuse_does_not_pile_up),
        LUA_TEST(an_object_with_long_escaped_keys_does_not_pile_up),
        LUA_TEST(nothing_catches_the_end_of_memory),
        LUA_TEST(a_small_bound_is_a_bound),
        LUA_TEST(garbage_is_no_use_of_memory),
        LUA_TEST(patterns_count_their_steps),
        LUA_TEST(library_functions_count_their_work),
        LUA_TEST(copies_are_counted),
        LUA_TEST(deep_recursion_is_an_error),
        LUA_TEST(time_is_a_limit),
        LUA_TEST(a_slow_host_is_called_no_more_once_time_is_over),
        LUA_TEST(time_ends_what_is_not_counted),
        LUA_TEST(the_log_is_bounded_and_kept),
        LUA_TEST(a_source_is_bounded),
        LUA_TEST(a_limit_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
