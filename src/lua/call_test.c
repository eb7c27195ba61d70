/*
 * Host functions: what they see, what they give, and how their errors reach a function.
 */
#include "lua/lua_testing.h"

/* kinds(…) → a text with one word for each argument. */
static stet_status host_kinds(struct sandbox_call *call, void *context, stet_error *err) {
    static const char *const names[] = {"absent", "null", "bool",   "number",
                                        "text",   "list", "object", "other"};
    (void)context;
    char out[256] = "";
    for (size_t i = 0; i < call_count(call); i++) {
        strcat(out, names[call_kind(call, i)]);
        strcat(out, " ");
    }
    return call_return_text(call, view_of(out), err);
}

/* json(value, original?) → its JSON, and whether it is the original's text. */
static stet_status host_json(struct sandbox_call *call, void *context, stet_error *err) {
    stet_view json;
    struct doc *original = NULL;
    (void)context;
    if (call_count(call) > 1) {
        stet_view text;
        stet_status status = call_text(call, 1, &text, err);
        if (status != STET_OK) return status;
        original = arena_alloc(call_arena(call), sizeof *original);
        status =
            doc_parse(call_arena(call), arena_copy(call_arena(call), text), NULL, original, err);
        if (status != STET_OK) return status;
    }
    stet_status status = call_json(call, 0, original, 0, 100, &json, err);
    return status == STET_OK ? call_return_text(call, json, err) : status;
}

/* fail(code): answers with that status. */
static stet_status host_fail(struct sandbox_call *call, void *context, stet_error *err) {
    (void)context;
    uint64_t code;
    stet_status status = call_u64(call, 0, &code, err);
    if (status != STET_OK) return status;
    error_set(err, (stet_status)code, "it was told to");
    error_field(err, "somewhere", 0);
    return (stet_status)code;
}

/* many(): several results of all kinds. */
static stet_status host_many(struct sandbox_call *call, void *context, stet_error *err) {
    (void)context;
    static const char json[] = "{\"z\":1.10,\"a\":[]}";
    stet_status status = call_return_nil(call, err);
    if (status == STET_OK) status = call_return_null(call, err);
    if (status == STET_OK) status = call_return_bool(call, true, err);
    if (status == STET_OK) status = call_return_u64(call, UINT64_MAX, err);
    if (status == STET_OK) status = call_return_text(call, VIEW("x"), err);
    if (status == STET_OK) status = call_return_json(call, VIEW(json), err);
    if (status == STET_OK) status = call_list_begin(call, err);
    for (uint64_t i = 0; i < 3 && status == STET_OK; i++)
        status = call_return_u64(call, i, err);
    if (status == STET_OK) status = call_list_end(call, err);
    return status;
}

/* options{where = …, limit = …, sort = […]} → where, limit, the sum of the lengths of sort */
static stet_status host_options(struct sandbox_call *call, void *context, stet_error *err) {
    (void)context;
    size_t member;
    size_t count = 0;
    size_t bytes = 0;
    stet_view where = VIEW("");
    uint64_t limit = 0;
    stet_status status = call_member(call, 0, "where", &member, err);
    if (status == STET_OK && call_kind(call, member) != VALUE_ABSENT)
        status = call_text(call, member, &where, err);
    if (status == STET_OK) status = call_member(call, 0, "limit", &member, err);
    if (status == STET_OK && call_kind(call, member) != VALUE_ABSENT)
        status = call_u64(call, member, &limit, err);
    if (status == STET_OK) status = call_member(call, 0, "sort", &member, err);
    if (status == STET_OK && call_kind(call, member) != VALUE_ABSENT)
        status = call_length(call, member, &count, err);
    for (size_t i = 0; i < count && status == STET_OK; i++) {
        size_t element;
        stet_view text = {0};
        status = call_element(call, member, i, &element, err);
        if (status == STET_OK) status = call_text(call, element, &text, err);
        bytes += text.size;
    }
    if (status == STET_OK) status = call_return_text(call, where, err);
    if (status == STET_OK) status = call_return_u64(call, limit, err);
    if (status == STET_OK) status = call_return_u64(call, bytes, err);
    return status;
}

/* call(source, value): runs another function. */
static stet_status host_call(struct sandbox_call *call, void *context, stet_error *err) {
    (void)context;
    struct sandbox_chunk chunk = {.name = VIEW("inner"), .key = VIEW("inner"), .version = 0};
    stet_status status = call_text(call, 0, &chunk.source, err);
    return status == STET_OK ? call_function(call, &chunk, 1, err) : status;
}

/* again(value): runs a kept function that may call itself. */
static stet_status host_again(struct sandbox_call *call, void *context, stet_error *err) {
    (void)context;
    struct sandbox_chunk chunk = {
        .name = VIEW("again"),
        .key = VIEW("again"),
        .version = 1,
        .source = VIEW("mine = input if input > 0 then again(input - 1) end return mine"),
    };
    return call_function(call, &chunk, 0, err);
}

static stet_status host_charge(struct sandbox_call *call, void *context, stet_error *err) {
    (void)context;
    return call_charge(call, 1000000, err);
}

static const struct sandbox_host test_hosts[] = {
    {"kinds", host_kinds},     {"json", host_json}, {"fail", host_fail},   {"many", host_many},
    {"options", host_options}, {"call", host_call}, {"again", host_again}, {"charge", host_charge},
};
static const size_t test_host_count = sizeof test_hosts / sizeof *test_hosts;

static void arguments_have_kinds(void **state) {
    (void)state;
    check_result("return kinds(nil, null, true, 1, 1.5, decimal('2.0'), 'x', {1}, array(), {}, "
                 "object(), {a = 1}, print, "
                 "{1, a = 2})",
                 NULL,
                 "\"absent null bool number number number text list list object object object "
                 "other other \"");
}

static void arguments_are_checked(void **state) {
    (void)state;
    check_error("fail('x')", NULL, STET_FUNCTION_FAILED,
                "function test:1: a number expected as argument 1 of fail");
    check_error("fail(-1)", NULL, STET_FUNCTION_FAILED,
                "function test:1: a whole number, 0 or more, expected as argument 1 of fail");
    check_error("fail()", NULL, STET_FUNCTION_FAILED,
                "function test:1: a number expected in the arguments of fail");
    check_error("options(1)", NULL, STET_FUNCTION_FAILED,
                "function test:1: an object expected as argument 1 of options");
    check_error("options{where = 1}", NULL, STET_FUNCTION_FAILED,
                "function test:1: a text expected in the arguments of options");
    check_error("options{sort = {a = 1}}", NULL, STET_FUNCTION_FAILED,
                "function test:1: a list expected in the arguments of options");
    check_error("options{where = '\\xff'}", NULL, STET_FUNCTION_FAILED,
                "function test:1: text in UTF-8 expected in the arguments of options");
    check_result("return {options{where = 'a = 1', limit = decimal('7.0'), sort = {'x', 'yz'}}}",
                 NULL, "[\"a = 1\",7,3]");
    check_result("return {options{sort = {}}}", NULL, "[\"\",0,0]");
}

static void json_keeps_what_is_equal(void **state) {
    (void)state;
    check_result("return json({b = 1, a = decimal('2.0')}, '{\"b\": 1.0, \"a\":2}')", NULL,
                 "\"{\\\"b\\\": 1.0, \\\"a\\\":2}\"");
    check_result("local ok, e = pcall(json, {a = print}) return {e.code, e.field, e.message}", NULL,
                 "[\"BAD_REQUEST\",\"/a\",\"no JSON value at \\\"/a\\\": it is a function\"]");
    check_limit("pcall(json, ('x'):rep(200))", "result");
}

static void results_are_values(void **state) {
    (void)state;
    check_result("local a, b, c, d, e, f, g = many() return {a == nil, b, c, d, e, f, g, "
                 "select('#', many())}",
                 NULL,
                 "[true,null,true,18446744073709551615,\"x\",{\"z\":1.10,\"a\":[]},[0,1,2],7]");
}

static void some_errors_can_be_caught(void **state) {
    (void)state;
    char source[200];
    snprintf(source, sizeof source,
             "local ok, e = pcall(fail, %d) return {ok, e.code, e.message, e.field, tostring(e)}",
             STET_NOT_FOUND);
    check_result(source, NULL,
                 "[false,\"NOT_FOUND\",\"it was told to\",\"somewhere\",\"it was told to\"]");
    snprintf(source, sizeof source, "\nfail(%d)", STET_NOT_FOUND);
    check_error(source, NULL, STET_FUNCTION_FAILED, "function test:2: it was told to");
}

static void others_end_the_run(void **state) {
    (void)state;
    static const stet_status ends[] = {STET_CONCURRENT_MODIFICATION,
                                       STET_FUNCTION_LIMIT,
                                       STET_NO_MEMORY,
                                       STET_IO,
                                       STET_BUSY,
                                       STET_CORRUPT,
                                       STET_INTERNAL,
                                       STET_OPERATION_REJECTED};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char source[200];
        snprintf(source, sizeof source, "log('a') pcall(pcall, fail, %d) log('b') return 1",
                 ends[i]);
        struct sandbox_run run = {0};
        stet_error err = {0};
        assert_int_equal(run_source(&run, source, NULL, &err), ends[i]);
        assert_string_equal(err.message, "it was told to");
        assert_string_equal(err.field, "somewhere");
        assert_string_equal(arena_copy(&test_arena, run.log).bytes, "[\"a\"]");
    }
}

static void functions_call_one_another(void **state) {
    (void)state;
    check_result("x = 1 return {call('x = 2 return {x, input}', 5), x}", NULL, "[[2,5],1]");
    check_result("return {again(5), mine == nil}", NULL, "[5,true]");
    check_error("\ncall('\\n\\nerror(1 .. \"!\")')", NULL, STET_FUNCTION_FAILED,
                "function test:2: function inner:3: 1!");
    check_result("local ok, e = pcall(call, 'error({code = \"X\", message = \"y\"})') return {ok, "
                 "e.code, e.message}",
                 NULL, "[false,\"FUNCTION_FAILED\",\"function inner:1: y\"]");
    check_result("local ok, e = pcall(call, 'x = =') return {ok, e.code, e.message}", NULL,
                 "[false,\"INVALID_FUNCTION\",\"function inner:1: unexpected symbol near '='\"]");
    check_limit("pcall(again, 100)", "depth");
    check_limit("pcall(call, 'while true do end')", "instructions");
    check_limit("pcall(charge) return 1", "instructions");
}

static void a_pure_run_has_no_hosts(void **state) {
    (void)state;
    struct sandbox_run run = {.pure = true};
    stet_error err = {0};
    assert_int_equal(
        run_source(&run, "return kinds == nil and many == nil and string ~= nil", NULL, &err),
        STET_OK);
    assert_string_equal(arena_copy(&test_arena, run.result).bytes, "true");
}

static void merges_get_three_inputs(void **state) {
    (void)state;
    struct sandbox_chunk chunk = {.name = VIEW("sum"),
                                  .source = VIEW("local b = ... if base == nil then return nil end "
                                                 "return current + yours - b")};
    struct doc *one = must_parse("1.10");
    struct sandbox_input inputs[] = {
        {"base", one, 0}, {"current", must_parse("2.20"), 0}, {"yours", must_parse("5"), 0}};
    struct sandbox_run run = {
        .chunk = &chunk, .inputs = inputs, .input_count = 3, .pure = true, .arena = &test_arena};
    stet_error err = {0};
    struct sandbox *sandbox = sandbox_pool_take(test_pool, &err);
    assert_int_equal(sandbox_run(sandbox, &run, &err), STET_OK);
    assert_string_equal(arena_copy(&test_arena, run.result).bytes, "6.10");
    inputs[0].node = DOC_NONE;
    assert_int_equal(sandbox_run(sandbox, &run, &err), STET_OK);
    assert_true(run.result_absent);
    sandbox_pool_give(test_pool, sandbox);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        LUA_TEST(arguments_have_kinds),       LUA_TEST(arguments_are_checked),
        LUA_TEST(json_keeps_what_is_equal),   LUA_TEST(results_are_values),
        LUA_TEST(some_errors_can_be_caught),  LUA_TEST(others_end_the_run),
        LUA_TEST(functions_call_one_another), LUA_TEST(a_pure_run_has_no_hosts),
        LUA_TEST(merges_get_three_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
