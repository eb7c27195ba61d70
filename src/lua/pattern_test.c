/*
 * Our patterns against Lua's own: the same answers, or an error from both, for what people write and for random patterns.
 */
#include "lua/lua_testing.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static const struct sandbox_host test_hosts[1];
static const size_t test_host_count = 0;

static uint64_t random_state;

static unsigned draw(unsigned below) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % below;
}

static void quote(const char *text, size_t size, char *out) {
    char *p = out;
    *p++ = '\'';
    for (size_t i = 0; i < size; i++)
        p += sprintf(p, "\\x%02x", (unsigned char)text[i]);
    *p++ = '\'';
    *p = '\0';
}

/* All four functions at once, their results as one text. */
static const char *const judge =
    "local s, p, i = %s, %s, %d "
    "local function show(...) local t = {} for k = 1, select('#', ...) do local v = (select(k, "
    "...)) "
    "t[k] = type(v) .. ':' .. tostring(v) end return table.concat(t, ',') end "
    "local function try(f, ...) local t = table.pack(pcall(f, ...)) if t[1] then return "
    "show(table.unpack(t, 2, t.n)) "
    "end return 'error' end "
    "local function each(s, p) local t = {} for a, b in string.gmatch(s, p) do t[#t + 1] = show(a, "
    "b) "
    "if #t > 50 then break end end return table.concat(t, ';') end "
    "local all = try(string.find, s, p, i) .. '|' .. try(string.match, s, p, i) .. '|' .. "
    "try(each, s, p) .. '|' .. "
    "try(string.gsub, s, p, '<%%0%%1>') .. '|' .. try(string.gsub, s, p, '%%%%', 2) .. '|' .. "
    "try(string.gsub, s, p, function(a, b) if a == 'a' then return nil end return b or 'F' end) .. "
    "'|' .. "
    "try(string.gsub, s, p, {a = 'A', b = false, [1] = 1.5}) "
    "return (all:gsub('[^\\32-\\126]', function(c) return '#' .. c:byte() end))";

static void check_same(lua_State *reference, struct sandbox *sandbox, struct arena *arena,
                       const char *text, size_t text_size, const char *p, size_t p_size,
                       int start) {
    char quoted_text[512];
    char quoted_pattern[512];
    char source[4096];
    quote(text, text_size, quoted_text);
    quote(p, p_size, quoted_pattern);
    snprintf(source, sizeof source, judge, quoted_text, quoted_pattern, start);
    lua_settop(reference, 0);
    if (luaL_dostring(reference, source) != LUA_OK) fail_msg("%s", lua_tostring(reference, -1));
    struct sandbox_chunk chunk = {.name = VIEW("p"), .source = view_of(source)};
    struct sandbox_run run = {.chunk = &chunk, .arena = arena};
    stet_error err = {0};
    stet_status status = sandbox_run(sandbox, &run, &err);
    if (status != STET_OK) fail_msg("%s: %s", source, err.message);
    struct doc doc;
    stet_view result;
    assert_int_equal(doc_parse(arena, run.result, NULL, &doc, &err), STET_OK);
    assert_int_equal(doc_string(arena, &doc, 0, &result), STET_OK);
    const char *expected = lua_tostring(reference, -1);
    if (!view_equal(result, view_of(expected)))
        fail_msg("text %s pattern %s from %d\n  Lua:  %s\n  here: %.*s", quoted_text,
                 quoted_pattern, start, expected, VIEW_ARG(result));
}

static void known_patterns_match_as_in_lua(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"hello world", "o w"},
        {"hello", "l+"},
        {"key = value", "(%w+)%s*=%s*(%w+)"},
        {"2026-11-22", "(%d+)-(%d+)-(%d+)"},
        {"THE (quick) fox", "%((%a+)%)"},
        {"f(a(b)c)d", "%b()"},
        {"THE quick", "%f[%a]%a+%f[%A]"},
        {"aaa", "a-"},
        {"aaa", "^a-$"},
        {"abcabc", "(a)(b)%1"},
        {"xyxy", "(xy)%1"},
        {"", ""},
        {"abc", ""},
        {"abc", "()"},
        {"a.b", "."},
        {"a.b", "%."},
        {"]", "[]]"},
        {"a]b", "[^]]+"},
        {"a-z", "[a%-z]+"},
        {"abc", "[a-]"},
        {"-", "[a-]"},
        {"x^y", "[x^]+"},
        {"abc", "%"},
        {"abc", "[a"},
        {"abc", "(a"},
        {"abc", "a)"},
        {"abc", "%b"},
        {"abc", "%f"},
        {"abc", "%1"},
        {"abc", "(a)%2"},
        {"a$b", "a$b"},
        {"a$", "a$$"},
        {"hello", "^h"},
        {"ohello", "^h"},
        {"aaab", "a?a?a?b"},
        {"  trim  ", "^%s*(.-)%s*$"},
        {"a,b,,c", "([^,]*)"},
        {"abc", "[%a-z]"},
        {"abc", "((a)(b))"},
        {"ab12", "[%d%u]"},
        {"Ab12_", "%x*%U"},
        {"abc", "[^%a]"},
    };
    lua_State *reference = luaL_newstate();
    stet_error err;
    luaL_openlibs(reference);
    struct sandbox *sandbox = sandbox_pool_take(test_pool, &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int start = -2; start <= 3; start++)
            check_same(reference, sandbox, &test_arena, cases[i][0], strlen(cases[i][0]),
                       cases[i][1], strlen(cases[i][1]), start);
    }
    sandbox_pool_give(test_pool, sandbox);
    lua_close(reference);
}

static size_t random_pattern(char *out) {
    static const char *const pieces[] = {
        "a",  "b",  "c",    ".",    "%a",    "%d",  "%W",    "[ab]", "[^a]", "[a-c]",
        "*",  "+",  "-",    "?",    "(",     ")",   "()",    "^",    "$",    "%1",
        "%2", "%%", "[%w]", "%bab", "%f[a]", "\0x", "[^]a]", "%s",   "[a-]", "%"};
    size_t size = 0;
    for (unsigned n = draw(7); n-- > 0;) {
        unsigned piece = draw(30);
        size_t piece_size = piece == 25 ? 1 : strlen(pieces[piece]);
        memcpy(out + size, pieces[piece], piece_size);
        size += piece_size;
    }
    return size;
}

static void random_patterns_match_as_in_lua(void **state) {
    (void)state;
    const char *seed = getenv("STET_SEED");
    const uint64_t seeded = seed == NULL ? 20261122 : strtoull(seed, NULL, 10);
    random_state = seeded;
    print_message("STET_SEED=%llu\n", (unsigned long long)seeded);
    lua_State *reference = luaL_newstate();
    stet_error err;
    struct arena arena;
    arena_init(&arena, 65536);
    luaL_openlibs(reference);
    struct sandbox *sandbox = sandbox_pool_take(test_pool, &err);
    for (int i = 0; i < 1500; i++) {
        char text[16];
        char p[64];
        static const char letters[] = "aabbc1 \0-";
        size_t text_size = draw(12);
        for (size_t k = 0; k < text_size; k++)
            text[k] = letters[draw(9)];
        size_t p_size = random_pattern(p);
        check_same(reference, sandbox, &arena, text, text_size, p, p_size, (int)draw(8) - 3);
        arena_reset(&arena);
    }
    sandbox_pool_give(test_pool, sandbox);
    arena_done(&arena);
    lua_close(reference);
}

/* What string.format has in common with Lua's. */
static void formats_are_lua_s(void **state) {
    (void)state;
    static const char *const calls[] = {
        "string.format('%5d|%-5d|%05d|%+d|%x|%X|%o|%c', 42, 42, 42, 42, 255, 255, 8, 65)",
        "string.format('%.3f|%10.2f|%e|%g|%G|%a', 3.14159, 2.5, 12345.678, 1e20, 1e-10, 1.0)",
        "string.format('%s|%10s|%-10s|%.2s', 'abc', 'abc', 'abc', 'abc')",
        "string.format('%%|%s|%s|%s', true, nil, 12)",
        "string.format('%d', 3.0)",
        "('x'):rep(3, ',') .. ('ab'):rep(1, '-') .. ('ab'):rep(0) .. ('abc'):rep(5)",
        "('hello'):sub(2, -2) .. ('x'):byte() .. ('abc'):upper() .. ('abc'):reverse() .. #('abc')",
        "table.concat({1, 2, 'x'}, '-') .. table.concat({}, ',')",
        "table.concat({1, 2, 3}, ',', 2, 3)",
        "select('#', table.unpack({1, nil, 3}, 1, 3)) .. table.pack(1, nil, 3).n",
    };
    lua_State *reference = luaL_newstate();
    luaL_openlibs(reference);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char source[512];
        snprintf(source, sizeof source, "return tostring(%s)", calls[i]);
        assert_int_equal(luaL_dostring(reference, source), LUA_OK);
        char expected[512];
        snprintf(expected, sizeof expected, "\"%s\"", lua_tostring(reference, -1));
        check_result(source, NULL, expected);
        lua_settop(reference, 0);
    }
    lua_close(reference);
    check_error(
        "string.format('%d', 1.5)", NULL, STET_FUNCTION_FAILED,
        "function test:1: bad argument #2 to 'format' (number has no integer representation)");
    check_error("string.format('%d')", NULL, STET_FUNCTION_FAILED,
                "function test:1: bad argument #2 to 'format' (no value)");
    check_error("string.format('%123d', 1)", NULL, STET_FUNCTION_FAILED,
                "function test:1: invalid conversion in format: width or precision too long");
    check_error("string.format('%', 1)", NULL, STET_FUNCTION_FAILED,
                "function test:1: invalid conversion in format: it ends there");
    check_error("string.format('%n', 1)", NULL, STET_FUNCTION_FAILED,
                "function test:1: invalid conversion '%n' in format");
    check_result("return #string.format('%99.99f', -1e308)", NULL, "410");
    check_result("return #string.format('%s%s', ('x'):rep(1000), ('y'):rep(600))", NULL, "1600");
}

static void tables_are_changed_as_in_lua(void **state) {
    (void)state;
    check_result(
        "local t = {1, 2, 3} table.insert(t, 4) table.insert(t, 1, 0) local r = table.remove(t, 2) "
        "local l = table.remove(t) return {t, r, l, table.remove({}) == nil, table.move({1, 2, 3}, "
        "2, 3, 1), "
        "table.move({1, 2, 3}, 1, 3, 2)}",
        NULL, "[[0,2,3],1,4,true,[2,3,3],[1,1,2,3]]");
    check_error("table.insert({1}, 5, 1)", NULL, STET_FUNCTION_FAILED,
                "function test:1: bad argument #2 to 'insert' (position out of bounds)");
    check_error("table.sort({1, 'x'})", NULL, STET_FUNCTION_FAILED,
                "function test:1: attempt to compare string with number");
    /* Stable, for every size; and an order that contradicts itself ends, too. */
    check_result(
        "for n = 0, 40 do local t = {} for i = 1, n do t[i] = {k = (i * 7) % 5, i = i} end "
        "table.sort(t, function(a, b) return a.k < b.k end) for i = 2, n do local a, b = t[i - 1], "
        "t[i] "
        "if a.k > b.k or (a.k == b.k and a.i > b.i) then error('not sorted') end end "
        "if #t ~= n then error('lost some') end end "
        "local t = {5, 3, 9, 1} table.sort(t, function() return true end) local s = 0 "
        "for _, v in ipairs(t) do s = s + v end local d = {decimal('1.5'), 1, decimal('0.5')} "
        "table.sort(d) "
        "return {s, d}",
        NULL, "[18,[0.5,1,1.5]]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        LUA_TEST(known_patterns_match_as_in_lua),
        LUA_TEST(random_patterns_match_as_in_lua),
        LUA_TEST(formats_are_lua_s),
        LUA_TEST(tables_are_changed_as_in_lua),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
