/*
 * Nothing of a run can be seen by the next one in the same state, and nothing leads out of the sandbox.
 */
#include "lua/lua_testing.h"

static const struct sandbox_host test_hosts[1];
static const size_t test_host_count = 0;

/* Runs both in one state, the second must return true. */
static void check_gone(const char *first, const char *second) {
    struct sandbox_run run = {0};
    stet_error err = {0};
    (void)run_source(&run, first, "{\"a\":1}", &err); /* Some of them fail, and try all the same. */
    check_result(second, "{\"a\":1}", "true");
}

static void globals_die_with_their_run(void **state) {
    (void)state;
    check_gone("x = 1; pairs = nil; string = {}; input = 7", "return x == nil and pairs ~= nil and "
                                                             "string.rep ~= nil and input.a == 1");
    check_gone("_ENV.x = 1", "return _ENV.x == nil and x == nil");
    check_gone("local _ENV = {} y = 1", "return y == nil");
    check_gone("_G = _ENV", "return _G == nil");
    check_gone("function tostring() return 'mine' end", "return tostring(1) == '1'");
}

static void library_tables_cannot_be_changed(void **state) {
    (void)state;
    static const char *const names[] = {"string", "table", "math", "utf8"};
    char source[256];
    for (size_t i = 0; i < 4; i++) {
        snprintf(source, sizeof source, "%s.len = 1", names[i]);
        check_error(source, NULL, STET_FUNCTION_FAILED,
                    "function test:1: this table cannot be changed");
        snprintf(source, sizeof source, "rawset(%s, 'len', 1)", names[i]);
        check_error(source, NULL, STET_FUNCTION_FAILED,
                    "function test:1: this table cannot be changed");
        snprintf(source, sizeof source, "setmetatable(%s, {})", names[i]);
        check_error(source, NULL, STET_FUNCTION_FAILED,
                    "function test:1: the metatable of this table cannot be changed");
        snprintf(source, sizeof source, "return getmetatable(%s)", names[i]);
        check_result(source, NULL, "false");
        static const char *const ways[] = {
            "table.insert(%s, 1)",
            "table.move({1}, 1, 1, 1, %s)",
            "table.sort(%s)",
            "table.remove(%s)",
            "for k in pairs(%s) do %1$s[k] = nil end error('x')",
            "array(%s) error('x')",
            "object(%s) error('x')",
        };
        for (size_t k = 0; k < 7; k++) {
            snprintf(source, sizeof source, ways[k], names[i]);
            stet_error err = {0};
            assert_int_equal(run_source(&(struct sandbox_run){0}, source, NULL, &err),
                             STET_FUNCTION_FAILED);
        }
    }
    check_result(
        "return {string.len('abc'), #table.pack(1, 2), math.floor(1.5), utf8.len('ä'), #string, "
        "next(string) == nil}",
        NULL, "[3,2,1,1,0,true]");
}

static void text_methods_cannot_be_changed(void **state) {
    (void)state;
    check_result("return getmetatable('')", NULL, "false");
    check_gone("getmetatable('').__index = nil", "return ('x'):rep(2) == 'xx'");
    check_gone("local s = 'x' s.len = 1", "return ('x'):len() == 1");
    check_gone("setmetatable('', {})", "return ('x'):len() == 1");
    check_gone("rawset(getmetatable(''), '__index', {})", "return ('x'):len() == 1");
}

static void values_of_the_sandbox_cannot_be_changed(void **state) {
    (void)state;
    check_gone("null.x = 1", "return null == input.b or null ~= nil");
    check_gone("setmetatable(null, {})", "return tostring(null) == 'null'");
    check_gone("local d = decimal('1.5') d.x = 1", "return tostring(decimal('1.5')) == '1.5'");
    check_result("return {getmetatable(null), getmetatable(decimal('1')), getmetatable(input), "
                 "getmetatable(input.l), getmetatable(_ENV)}",
                 "{\"l\":[]}", "[false,false,false,false,false]");
    check_gone("setmetatable(input, {__index = function() return 9 end})", "return input.b == nil");
    check_gone("local ok, e = pcall(error, {code = 1}) e.code = 2", "return true");
}

static void random_numbers_repeat(void **state) {
    (void)state;
    const char *draw =
        "local t = {} for i = 1, 8 do t[i] = math.random(1, 1000) end t[9] = math.random() "
        "return t";
    struct sandbox_run run = {.seed = 7};
    stet_error err = {0};
    assert_int_equal(run_source(&run, draw, NULL, &err), STET_OK);
    const char *first = arena_copy(&test_arena, run.result).bytes;
    (void)must_run("return math.random()", NULL);
    assert_int_equal(run_source(&run, draw, NULL, &err), STET_OK);
    assert_string_equal(arena_copy(&test_arena, run.result).bytes, first);
    run.seed = 8;
    assert_int_equal(run_source(&run, draw, NULL, &err), STET_OK);
    assert_string_not_equal(arena_copy(&test_arena, run.result).bytes, first);
}

static void what_would_lead_out_is_not_there(void **state) {
    (void)state;
    check_result("local there = array() for _, name in ipairs{'io', 'os', 'debug', 'package', "
                 "'require', 'load', "
                 "'loadstring', 'dofile', 'loadfile', 'coroutine', 'collectgarbage', '_G', 'warn', "
                 "'_VERSION', 'unpack', 'setfenv'} do if _ENV[name] ~= nil then there[#there + 1] "
                 "= name end end "
                 "return there",
                 NULL, "[]");
    check_result(
        "return {string.dump == nil, string.pack == nil, math.randomseed == nil, math.exp == nil}",
        NULL, "[true,true,true,true]");
    static const char *const fields[] = {"__gc", "__mode", "__close", "__metatable", "__pairs"};
    char source[128];
    char message[128];
    for (size_t i = 0; i < 5; i++) {
        snprintf(source, sizeof source, "setmetatable({}, {%s = 1})", fields[i]);
        snprintf(message, sizeof message, "function test:1: %s is not available in functions",
                 fields[i]);
        check_error(source, NULL, STET_FUNCTION_FAILED, message);
    }
    /* Nor do they come in later. */
    check_result(
        "local m = {__index = function() return 1 end} local t = setmetatable({}, m) m.__gc = 1 "
        "m.__index = nil m.__mode = 'k' return {t.x, getmetatable(t) == m}",
        NULL, "[1,true]");
    check_error("local x <close> = setmetatable({}, {})", NULL, STET_FUNCTION_FAILED,
                "function test:1: variable 'x' got a non-closable value");
}

static void no_address_is_shown(void **state) {
    (void)state;
    check_result("return {tostring({}), tostring(print), tostring(input), string.format('%s', {})}",
                 "{}", "[\"table\",\"function\",\"table\",\"table\"]");
    check_error("string.format('%p', {})", NULL, STET_FUNCTION_FAILED,
                "function test:1: invalid conversion '%p' in format");
}

static void bytecode_is_not_compiled(void **state) {
    (void)state;
    check_error("\x1bLua", NULL, STET_INVALID_FUNCTION,
                "attempt to load a binary chunk (mode is 't')");
    stet_error err = {0};
    /* What is no chunk of its own cannot end the function that is put around it. */
    assert_int_equal(run_source(&(struct sandbox_run){0}, "end, function()", NULL, &err),
                     STET_INVALID_FUNCTION);
    assert_int_equal(
        run_source(&(struct sandbox_run){0}, "return 1 end, load function f()", NULL, &err),
        STET_INVALID_FUNCTION);
    check_result("return 1 -- a comment without an end of line", NULL, "1");
}

/* A compiled function that is kept has globals and locals of its own in every run. */
static void a_kept_function_starts_afresh(void **state) {
    (void)state;
    struct sandbox_chunk chunk = {
        .key = VIEW("main/count"),
        .version = 1,
        .name = VIEW("count"),
        .source = VIEW(
            "n = (n or 0) + 1 local m = (m or 0) + 1 t = t or {} t[#t + 1] = n return {n, m, #t}"),
    };
    stet_error err = {0};
    for (int i = 0; i < 3; i++) {
        struct sandbox_run run = {.chunk = &chunk};
        assert_int_equal(run_source(&run, NULL, NULL, &err), STET_OK);
        assert_string_equal(arena_copy(&test_arena, run.result).bytes, "[1,1,1]");
    }
    chunk.version = 2;
    chunk.source = VIEW("return 'second'");
    struct sandbox_run run = {.chunk = &chunk};
    assert_int_equal(run_source(&run, NULL, NULL, &err), STET_OK);
    assert_string_equal(arena_copy(&test_arena, run.result).bytes, "\"second\"");
    /* The same version is not looked at again; another key is another function. */
    chunk.source = VIEW("return 'unseen'");
    assert_int_equal(run_source(&run, NULL, NULL, &err), STET_OK);
    assert_string_equal(arena_copy(&test_arena, run.result).bytes, "\"second\"");
    chunk.key = VIEW("other/count");
    assert_int_equal(run_source(&run, NULL, NULL, &err), STET_OK);
    assert_string_equal(arena_copy(&test_arena, run.result).bytes, "\"unseen\"");
}

static void many_functions_do_not_fill_a_state(void **state) {
    (void)state;
    stet_error err = {0};
    for (int i = 0; i < 3 * FUNCTION_CHUNKS_MAX; i++) {
        char key[32];
        char source[64];
        char expected[16];
        snprintf(key, sizeof key, "main/f%d", i);
        snprintf(source, sizeof source, "return %d", i);
        snprintf(expected, sizeof expected, "%d", i);
        struct sandbox_chunk chunk = {
            .key = view_of(key), .version = 1, .name = VIEW("f"), .source = view_of(source)};
        struct sandbox_run run = {.chunk = &chunk};
        assert_int_equal(run_source(&run, NULL, NULL, &err), STET_OK);
        assert_string_equal(arena_copy(&test_arena, run.result).bytes, expected);
    }
}

static void errors_name_their_line(void **state) {
    (void)state;
    check_error("local x\nreturn x.y", NULL, STET_FUNCTION_FAILED,
                "function test:2: attempt to index a nil value (local 'x')");
    check_error("error('no luck')", NULL, STET_FUNCTION_FAILED, "function test:1: no luck");
    check_error("error('no luck', 0)", NULL, STET_FUNCTION_FAILED, "function test:1: no luck");
    check_error("\n\nerror({message = 'odd', code = 'ODD'})", NULL, STET_FUNCTION_FAILED,
                "function test:3: odd");
    check_error("error({})", NULL, STET_FUNCTION_FAILED, "function test:1: it raised an object");
    check_error("error()", NULL, STET_FUNCTION_FAILED, "it raised a value that is no message");
    check_error("error('\\xff', 0)", NULL, STET_FUNCTION_FAILED,
                "it raised a text that is not UTF-8");
    check_error("x = = 1", NULL, STET_INVALID_FUNCTION,
                "function test:1: unexpected symbol near '='");
    struct sandbox_run run = {0};
    stet_error err = {0};
    assert_int_equal(run_source(&run, "\n\nif x", NULL, &err), STET_INVALID_FUNCTION);
    assert_int_equal(err.limit, 3);
    assert_int_equal(
        run_source(&run, "local function f()\n  error('x')\nend\n\nlocal function g() f() end g()",
                   NULL, &err),
        STET_FUNCTION_FAILED);
    assert_int_equal(run.line, 2);
    assert_string_equal(
        arena_copy(&test_arena, run.traceback).bytes,
        "function test:2: in upvalue 'f'\nfunction test:5: in local 'g'\nfunction test:5:");
    assert_int_equal(run_source(&run, "error({message = 'odd', code = 'ODD'})", NULL, &err),
                     STET_FUNCTION_FAILED);
    assert_string_equal(arena_copy(&test_arena, run.code).bytes, "ODD");
    struct sandbox_chunk chunk = {
        .name = VIEW("a name that is so long that Lua would cut it off somewhere in the midst"),
        .source = VIEW("x()")};
    run = (struct sandbox_run){.chunk = &chunk};
    assert_int_equal(run_source(&run, NULL, NULL, &err), STET_FUNCTION_FAILED);
    assert_string_equal(
        err.message, "function a name that is so long that Lua would cu:1: attempt to call a nil "
                     "value (global 'x')");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        LUA_TEST(globals_die_with_their_run),
        LUA_TEST(library_tables_cannot_be_changed),
        LUA_TEST(text_methods_cannot_be_changed),
        LUA_TEST(values_of_the_sandbox_cannot_be_changed),
        LUA_TEST(random_numbers_repeat),
        LUA_TEST(what_would_lead_out_is_not_there),
        LUA_TEST(no_address_is_shown),
        LUA_TEST(bytecode_is_not_compiled),
        LUA_TEST(a_kept_function_starts_afresh),
        LUA_TEST(many_functions_do_not_fill_a_state),
        LUA_TEST(errors_name_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
