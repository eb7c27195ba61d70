/*
 * Values on their way from JSON to Lua and back: nothing is lost, and the order is the document's.
 */
#include "lua/lua_testing.h"

static const struct sandbox_host test_hosts[1];
static const size_t test_host_count = 0;

static void an_input_comes_back_as_it_was(void **state) {
    (void)state;
    static const char *const values[] = {
        "null",
        "true",
        "false",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "1.10",
        "1e400",
        "-0",
        "18446744073709551616",
        "0.1",
        "\"\"",
        "\"a\\\"b\\u0000\"",
        "[]",
        "{}",
        "[null,1,[],{}]",
        "{\"z\":1,\"a\":{\"b\":[1.50]},\"m\":null}",
        "123456789012345678901234567890.123456789",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        check_result("return input", values[i], values[i]);
}

static void what_is_not_changed_keeps_its_spelling(void **state) {
    (void)state;
    const char *text = "{ \"a\" : 1.0e0, \"\\u0062\" : [ 1 , 2.50 ], \"c\":\"\\u00e4\", \"d\": 1 }";
    struct {
        const char *source, *expected;
    } cases[] = {
        {"return input", text},
        {"input.d = 1; input.c = 'ä'; return input", text},
        {"return {d = decimal('1.00'), c = 'ä', b = {1, decimal('2.5')}, a = 1}", text},
        {"input.d = 2; return input",
         "{\"a\":1.0e0,\"\\u0062\":[ 1 , 2.50 ],\"c\":\"\\u00e4\",\"d\":2}"},
        {"input.b[1] = 7; return input",
         "{\"a\":1.0e0,\"\\u0062\":[7,2.50],\"c\":\"\\u00e4\",\"d\": 1 }"},
    };
    for (size_t i = 0; i < 4; i++) {
        struct sandbox_run run = {.original = must_parse(text), .original_node = 0};
        stet_error err = {0};
        assert_int_equal(run_source(&run, cases[i].source, text, &err), STET_OK);
        assert_string_equal(arena_copy(&test_arena, run.result).bytes, cases[i].expected);
    }
}

static void pairs_goes_in_the_order_of_the_document(void **state) {
    (void)state;
    const char *keys = "local k = array() for key in pairs(input) do k[#k + 1] = key end return k";
    check_result(keys, "{\"z\":1,\"a\":2,\"m\":3,\"10\":4,\"b\":5}",
                 "[\"z\",\"a\",\"m\",\"10\",\"b\"]");
    check_result(keys, "[5,6,7]", "[1,2,3]");
}

static void new_keys_come_last_in_the_order_they_came(void **state) {
    (void)state;
    check_result("input.q = 1; input.b = 2; input.a = nil; input.c = 3; input.a = 4; return input",
                 "{\"z\":0,\"a\":0}", "{\"z\":0,\"a\":4,\"q\":1,\"b\":2,\"c\":3}");
    check_result("local o = object(); o.z = 1; o.a = 2; o.z = nil; o.z = 3; return o", NULL,
                 "{\"z\":3,\"a\":2}");
    check_result(
        "rawset(input, 'y', 1); rawset(input, 'x', 2); rawset(input, 'z', 9); return input",
        "{\"z\":0}", "{\"z\":9,\"y\":1,\"x\":2}");
}

static void plain_tables_are_sorted(void **state) {
    (void)state;
    check_result("return {b = 1, a = 2, ['ä'] = 3, B = 4, [''] = 5}", NULL,
                 "{\"\":5,\"B\":4,\"a\":2,\"b\":1,\"ä\":3}");
    check_result(
        "local k = {} for key in pairs({[3] = 1, [1] = 1, [2.5] = 1, [-1] = 1, x = 1, a = 1,"
        "[true] = 1, [false] = 1}) do k[#k + 1] = tostring(key) end return k",
        NULL, "[\"-1\",\"1\",\"2.5\",\"3\",\"a\",\"x\",\"false\",\"true\"]");
    check_error(
        "for k in pairs({[{}] = 1, [print] = 2}) do end", NULL, STET_FUNCTION_FAILED,
        "function test:1: a table with keys that are neither texts nor numbers has no order");
}

static void next_and_pairs_allow_removal(void **state) {
    (void)state;
    check_result("local n = 0 for k, v in pairs(input) do input[k] = nil; n = n + v end "
                 "return {n, next(input) == nil, input}",
                 "{\"a\":1,\"b\":2,\"c\":3}", "[6,true,{}]");
    check_result(
        "local out = {} local k, v = next(input) while k do out[#out + 1] = k; input[k] = nil; "
        "k, v = next(input, k) end return out",
        "{\"z\":1,\"b\":2,\"c\":3}", "[\"z\",\"b\",\"c\"]");
    check_result("local a, b = next(input, 'a') local c = next(input, 'c') return {a, b, c == nil}",
                 "{\"c\":0,\"a\":1,\"b\":2,\"d\":3}", "[\"b\",2,false]");
    check_error("next(input, 'zz')", "{\"a\":1}", STET_FUNCTION_FAILED,
                "function test:1: no such key for next");
}

static void lists_and_objects_are_told_apart(void **state) {
    (void)state;
    check_result("return {{}, array(), object(), {1}, {a = 1}, array{}, is_array(input.l), "
                 "is_array(input.o), is_array({}), is_array({1})}",
                 "{\"l\":[],\"o\":{}}", "[{},[],{},[1],{\"a\":1},[],true,false,false,true]");
    check_result("input.l[1] = nil; return input", "{\"l\":[1]}", "{\"l\":[]}");
    check_error("input[1] = 2", "{}", STET_FUNCTION_FAILED,
                "function test:1: the keys of an object are texts, not a number");
    check_error("input.x = 2", "[]", STET_FUNCTION_FAILED,
                "function test:1: a list has the places 1 to n and no other keys");
    check_error("table.insert(input, 2)", "{}", STET_FUNCTION_FAILED,
                "function test:1: bad argument #1 to 'insert' (this is an object, not a list; see "
                "array())");
}

static void an_empty_table_takes_the_place_of_a_list(void **state) {
    (void)state;
    const char *text = "{\"tags\":[\"a\"],\"o\":{\"x\":1}}";
    struct sandbox_run run = {.original = must_parse(text)};
    stet_error err = {0};
    assert_int_equal(run_source(&run, "input.tags = {} input.o = {} return input", text, &err),
                     STET_OK);
    assert_string_equal(arena_copy(&test_arena, run.result).bytes, "{\"tags\":[],\"o\":{}}");
}

static void null_is_a_value_and_nil_is_absence(void **state) {
    (void)state;
    check_result(
        "return {input.a == null, input.b == nil, input.a == nil, type(input.a), #input.l, "
        "tostring(null), {x = null, y = nil}}",
        "{\"a\":null,\"l\":[null,null]}", "[true,true,false,\"null\",2,\"null\",{\"x\":null}]");
    struct sandbox_run run = {0};
    stet_error err = {0};
    assert_int_equal(run_source(&run, "return nil", NULL, &err), STET_OK);
    assert_true(run.result_absent);
    assert_int_equal(run_source(&run, "return null", NULL, &err), STET_OK);
    assert_false(run.result_absent);
}

static void what_json_cannot_say_is_refused(void **state) {
    (void)state;
    struct {
        const char *source, *message;
    } cases[] = {
        {"return print", "no JSON value at \"\": it is a function"},
        {"return {a = {1, print}}", "no JSON value at \"/a/1\": it is a function"},
        {"return 0/0", "no JSON value at \"\": inf and nan are not numbers of JSON"},
        {"return {['x/y'] = 1/0}",
         "no JSON value at \"/x~1y\": inf and nan are not numbers of JSON"},
        {"local t = {} t.t = {t} return {a = t}",
         "no JSON value at \"/a/t/0\": it holds itself: a circle has no end"},
        {"return {1, 2, nil, 4}", NULL},
        {"return {a = {1, x = 2}}", "no JSON value at \"/a\": a list has the places 1 to n without "
                                    "holes, and an object texts as keys"},
        {"local a = array() a[2] = 1 return a", "no JSON value at \"\": a list has the places 1 to "
                                                "n without holes, and an object texts as keys"},
        {"return {[true] = 1}", "no JSON value at \"\": a list has the places 1 to n without "
                                "holes, and an object texts as keys"},
        {"return '\\xff'", "no JSON value at \"\": its text is not UTF-8"},
        {"return {['\\xff'] = 1}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sandbox_run run = {0};
        stet_error err = {0};
        stet_status status = run_source(&run, cases[i].source, NULL, &err);
        if (status != STET_FUNCTION_FAILED)
            fail_msg("%s: %s", cases[i].source, status_code(status));
        if (cases[i].message != NULL) assert_string_equal(err.message, cases[i].message);
    }
}

static void depth_and_size_of_a_result_are_bounded(void **state) {
    (void)state;
    check_limit("local t = {} for i = 1, 200 do t = {t} end return t", "depth");
    check_limit("local t = {'0123456789'} for i = 1, 40 do t = {t, t} end return t", "result");
    check_limit("local t = {} for i = 1, 100 do t[i] = ('x'):rep(20000) end return t", "result");
    struct sandbox_run run = {.limits = {.result_bytes = 10}};
    stet_error err = {0};
    assert_int_equal(run_source(&run, "return '12345678'", NULL, &err), STET_OK);
    assert_int_equal(run_source(&run, "return '123456789'", NULL, &err), STET_FUNCTION_LIMIT);
    assert_string_equal(err.field, "result");
    assert_int_equal(err.limit, 10);
}

static void integers_are_integers_and_the_rest_are_decimals(void **state) {
    (void)state;
    check_result(
        "local t = {} for i, v in ipairs(input) do t[i] = math.type(v) end return t",
        "[1,-1,9223372036854775807,9223372036854775808,1.0,1e2,0.5,-0]",
        "[\"integer\",\"integer\",\"integer\",\"decimal\",\"decimal\",\"decimal\",\"decimal\","
        "\"decimal\"]");
    check_result("return {type(input), type(1), tostring(input), input .. '!', '!' .. input}",
                 "1.10", "[\"decimal\",\"number\",\"1.10\",\"1.10!\",\"!1.10\"]");
}

static void decimals_are_exact(void **state) {
    (void)state;
    check_result("return input[1] + input[2]", "[0.1,0.2]", "0.3");
    check_result(
        "return {input + 1, 1 + input, input - 1, input * 2, -input, input / 2, input // 1, "
        "input % 1, input ^ 2}",
        "1.10", "[2.10,2.10,0.10,2.20,-1.10,0.55,1,0.10,1.2100]");
    check_result("return {input + 1}", "9223372036854775807.0", "[9223372036854775808.0]");
    check_result("return {input * 0.1, 0.1 + input}", "3.0", "[0.30,3.1]");
    check_result("return {input / 3, 1 / input}", "1.0",
                 "[0.3333333333333333333333333333333333,1]");
    check_result("return {input - 1, math.type(input - 1)}", "1e3", "[999,\"integer\"]");
}

static void decimals_compare_by_value(void **state) {
    (void)state;
    check_result(
        "return {input < 2, input <= 1, input > 1.05, input == decimal('1.1'), input == 1.1, "
        "equal(input, 1.1), equal({a = {1, input}}, {a = {decimal('1.0'), 1.1}}), "
        "input < math.huge, input > -math.huge, input < 0/0, equal(1, 1.0), equal({}, array())}",
        "1.10", "[true,false,true,true,false,true,true,true,true,false,true,false]");
    check_result(
        "return {round(input, 2), round(-input), round(2.5), round(2.5, 0, 'half_even'), "
        "math.floor(input), math.ceil(input), math.abs(-input), math.max(1, input, 3), "
        "math.min(input, 2), math.tointeger(decimal('3.00')), math.tointeger(input) == nil, "
        "string.format('%.2f|%8.1f|%s|%d', input, input, input, 7)}",
        "1.005", "[1.01,-1,3,2,1,2,1.005,3,1.005,3,true,\"1.00|     1.0|1.005|7\"]");
}

static void arithmetic_that_makes_no_sense_says_so(void **state) {
    (void)state;
    check_error("return input + nil", "1.1", STET_FUNCTION_FAILED,
                "function test:1: attempt to add a decimal and a nil value");
    check_error("return null + input", "1.1", STET_FUNCTION_FAILED,
                "function test:1: attempt to add a decimal and a null value");
    check_error("return 1 + null", NULL, STET_FUNCTION_FAILED,
                "function test:1: attempt to perform arithmetic on a null value (global 'null')");
    check_error("return '10' + 1", NULL, STET_FUNCTION_FAILED,
                "function test:1: attempt to perform arithmetic on a string value (constant '10')");
    check_error("return input / 0", "1.1", STET_FUNCTION_FAILED,
                "function test:1: attempt to divide a decimal by zero");
    check_error("return input * input", "1e900", STET_FUNCTION_FAILED,
                "function test:1: a decimal has at most 100 digits and an exponent within 1000");
    check_error("return input < 'x'", "1.1", STET_FUNCTION_FAILED,
                "function test:1: attempt to compare a decimal and a string value");
    check_error("return input + 0/0", "1.1", STET_FUNCTION_FAILED,
                "function test:1: attempt to add inf or nan and a decimal");
    check_error("return decimal('1.')", NULL, STET_FUNCTION_FAILED,
                "function test:1: not a number, as JSON writes them");
}

static void floats_are_written_with_as_few_digits_as_say_them(void **state) {
    (void)state;
    check_result("return {0.1, 0.1 + 0.2, 10 / 2, 1e300, 1 / 3, -0.0, tostring(0.1 + 0.2), "
                 "tostring(5.0), tostring(1e15), tostring(-0.0), 2^53}",
                 NULL,
                 "[0.1,0.30000000000000004,5,1e+300,0.3333333333333333,0,\"0.30000000000000004\","
                 "\"5.0\",\"1e+15\",\"-0.0\",9007199254740992]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        LUA_TEST(an_input_comes_back_as_it_was),
        LUA_TEST(what_is_not_changed_keeps_its_spelling),
        LUA_TEST(pairs_goes_in_the_order_of_the_document),
        LUA_TEST(new_keys_come_last_in_the_order_they_came),
        LUA_TEST(plain_tables_are_sorted),
        LUA_TEST(next_and_pairs_allow_removal),
        LUA_TEST(lists_and_objects_are_told_apart),
        LUA_TEST(an_empty_table_takes_the_place_of_a_list),
        LUA_TEST(null_is_a_value_and_nil_is_absence),
        LUA_TEST(what_json_cannot_say_is_refused),
        LUA_TEST(depth_and_size_of_a_result_are_bounded),
        LUA_TEST(integers_are_integers_and_the_rest_are_decimals),
        LUA_TEST(decimals_are_exact),
        LUA_TEST(decimals_compare_by_value),
        LUA_TEST(arithmetic_that_makes_no_sense_says_so),
        LUA_TEST(floats_are_written_with_as_few_digits_as_say_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
