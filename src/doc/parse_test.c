#include "doc/doc_testing.h"

static stet_error error;

static stet_status parse_with(const char *text, const struct doc_limits *limits) {
    struct doc doc;
    error = (stet_error){0};
    size_t size = strlen(text);
    char *exact = malloc(size == 0 ? 1 : size);
    assert_non_null(exact);
    memcpy(exact, text, size);
    stet_status status = doc_parse(&test_arena, view_make(exact, size), limits, &doc, &error);
    free(exact);
    return status;
}

static void check_refused(const char *text, const char *message) {
    assert_int_equal(parse_with(text, NULL), STET_BAD_JSON);
    assert_string_equal(error.message, message);
}

static void check_duplicate(const char *text, const char *pointer) {
    assert_int_equal(parse_with(text, NULL), STET_BAD_JSON);
    assert_string_equal(error.field, pointer);
}

static void every_kind_keeps_its_text(void **state) {
    (void)state;
    struct doc doc = must_parse(" [null, true ,false,-1.50E+3,\"a\\u0041\",[ ],{ \"k\" : {} }] ");
    static const struct {
        enum doc_kind kind;
        const char *text;
    } expected[] = {
        {DOC_NULL, "null"},
        {DOC_TRUE, "true"},
        {DOC_FALSE, "false"},
        {DOC_NUMBER, "-1.50E+3"},
        {DOC_STRING, "\"a\\u0041\""},
        {DOC_ARRAY, "[ ]"},
        {DOC_OBJECT, "{ \"k\" : {} }"},
    };
    assert_int_equal(doc_kind(&doc, 0), DOC_ARRAY);
    assert_int_equal(doc_count(&doc, 0), 7);
    assert_int_equal(doc_height(&doc, 0), 3);
    assert_int_equal(doc_weight(&doc, 0), 9);
    doc_node child = doc_first(&doc, 0);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(doc_kind(&doc, child), expected[i].kind);
        check_view(doc_text(&doc, child), expected[i].text);
        child = doc_next(&doc, child);
    }
    assert_int_equal(child, DOC_NONE);
}

static void errors_say_where_and_what(void **state) {
    struct doc doc;
    (void)state;
    assert_int_equal(doc_parse(&test_arena, (stet_view){0}, NULL, &doc, &error), STET_BAD_JSON);
    check_refused("", "byte 0: the text ends where a value is expected");
    check_refused("{\n \"a\": 1,\n \"b\" 2}", "byte 16, line 3: expected ':'");
    check_refused("[1,]", "byte 3: expected a value");
    check_refused("{\"a\":1,}", "byte 7: expected a key in quotes");
    check_refused("[1 2]", "byte 3: expected ',' or ']'");
    check_refused("{\"a\":1 2}", "byte 7: expected ',' or '}'");
    check_refused("[1", "byte 2: the text ends inside an array or object");
    check_refused("\"abc", "byte 4: the text ends inside a string");
    check_refused("\"\\x\"", "byte 1: invalid escape");
    check_refused("\"\\ud800\"", "byte 1: surrogate escape without its other half");
    check_refused("\"a\x01\"", "byte 2: control character in a string");
    check_refused("\"a\xff\"", "byte 2: invalid UTF-8");
    check_refused("-", "byte 1: invalid number");
    check_refused("1.e1", "byte 2: invalid number");
    check_refused("nul", "byte 0: invalid word");
    check_refused("1 1", "byte 2: text after the value");
    check_refused("\xef\xbb\xbf{}", "byte 0: expected a value");
}

static void duplicate_keys_are_refused_by_pointer(void **state) {
    (void)state;
    check_duplicate("{\"a\":1,\"a\":2}", "/a");
    check_duplicate("{\"a\":1,\"\\u0061\":2}", "/a");
    check_duplicate("{\"\\u0061\":1,\"a\":2}", "/a");
    check_duplicate("{\"\":1,\"\":2}", "/");
    check_duplicate("{\"x\":[0,{\"y/z\":{\"long enough for more than a word\":1,"
                    "\"long enough for more than a word\":1}}]}",
                    "/x/1/y~1z/long enough for more than a word");
    must_parse("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":2}}");
}

/* {"k0":0,…}, the last key equal to `twice` when that is not NULL. */
static char *object_of(size_t count, const char *twice) {
    char *text = malloc(count * 20 + 64);
    assert_non_null(text);
    char *p = text;
    *p++ = '{';
    for (size_t i = 0; i < count; i++)
        p += sprintf(p, "%s\"k%zu\":%zu", i == 0 ? "" : ",", i, i);
    if (twice != NULL) p += sprintf(p, ",\"%s\":1", twice);
    strcpy(p, "}");
    return text;
}

static void duplicates_are_found_at_every_size(void **state) {
    (void)state;
    for (size_t count = 1; count < 100; count++) {
        char *plain = object_of(count, NULL);
        char *twice = object_of(count, "k0");
        char *escaped = object_of(count, "\\u006b0");
        must_parse(plain);
        check_duplicate(twice, "/k0");
        check_duplicate(escaped, "/k0");
        free(plain);
        free(twice);
        free(escaped);
    }
}

static void large_objects_find_every_member(void **state) {
    (void)state;
    enum { COUNT = 60000 };
    char *text = object_of(COUNT, "\\u00e9");
    struct doc doc = must_parse(text);
    free(text);
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t value;
        char key[16];
        snprintf(key, sizeof key, "k%llu", (unsigned long long)i);
        doc_node node = doc_member(&doc, 0, view_of(key));
        assert_int_not_equal(node, DOC_NONE);
        assert_true(doc_u64(&doc, node, &value));
        assert_int_equal(value, i);
    }
    assert_int_not_equal(doc_member(&doc, 0, VIEW("\xc3\xa9")), DOC_NONE);
    assert_int_equal(doc_member(&doc, 0, VIEW("k60000")), DOC_NONE);
}

static void limits_are_named(void **state) {
    (void)state;
    const struct doc_limits limits = {.bytes_max = 20, .depth_max = 2, .nodes_max = 4};
    assert_int_equal(parse_with("[[1,2]]", &limits), STET_OK);
    assert_int_equal(parse_with("[[[]]]", &limits), STET_TOO_LARGE);
    assert_string_equal(error.field, "depth");
    assert_int_equal(error.limit, 2);
    assert_int_equal(parse_with("[1,2,3,4]", &limits), STET_TOO_LARGE);
    assert_string_equal(error.field, "nodes");
    assert_int_equal(error.limit, 4);
    assert_int_equal(parse_with("\"more than twenty bytes\"", &limits), STET_TOO_LARGE);
    assert_string_equal(error.field, "bytes");
    assert_int_equal(error.limit, 20);
}

static void depth_is_bounded_without_recursion(void **state) {
    (void)state;
    char text[2 * 600 + 1];
    memset(text, '[', 128);
    memset(text + 128, ']', 128);
    text[256] = '\0';
    assert_int_equal(parse_with(text, NULL), STET_OK);
    memset(text, '[', 129);
    memset(text + 129, ']', 129);
    text[258] = '\0';
    assert_int_equal(parse_with(text, NULL), STET_TOO_LARGE);
    assert_int_equal(error.limit, 128);
    const struct doc_limits deep = {.bytes_max = 10000, .depth_max = 100000, .nodes_max = 10000};
    memset(text, '[', 512);
    memset(text + 512, ']', 512);
    text[1024] = '\0';
    assert_int_equal(parse_with(text, &deep), STET_OK);
    memset(text, '[', 600);
    text[600] = '\0';
    assert_int_equal(parse_with(text, &deep), STET_TOO_LARGE);
    assert_int_equal(error.limit, DOC_DEPTH_BOUND);
}

/* Each stop of the string scanner at each offset from a block's beginning, and from the end of the text. */
static void strings_are_scanned_alike_at_every_offset(void **state) {
    (void)state;
    for (size_t before = 0; before < 40; before++) {
        for (size_t behind = 0; behind < 40; behind++) {
            char text[128];
            sprintf(text, "\"%.*s\\n%.*s\"", (int)before,
                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", (int)behind,
                    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
            struct doc doc = must_parse(text);
            stet_view decoded;
            assert_int_equal(doc_string(&test_arena, &doc, 0, &decoded), STET_OK);
            assert_int_equal(decoded.size, before + 1 + behind);
            text[1 + before] = '\t';
            assert_int_equal(parse_with(text, NULL), STET_BAD_JSON);
            text[1 + before] = (char)0xff;
            assert_int_equal(parse_with(text, NULL), STET_BAD_JSON);
            arena_reset(&test_arena);
        }
    }
}

/* Every sequence of two bytes and the edges of longer ones agree with the validator of base. */
static void utf8_is_checked_like_base_does(void **state) {
    (void)state;
    for (unsigned first = 0x80; first < 0x100; first++) {
        for (unsigned second = 0x7f; second < 0x100; second++) {
            for (unsigned tail = 0; tail < 3; tail++) {
                char text[8] = {'"', (char)first, (char)second, (char)0x80, (char)0xbf, 0};
                size_t size = 3 + tail;
                text[size] = '"';
                text[size + 1] = '\0';
                bool valid = view_is_utf8(view_make(text + 1, size - 1));
                assert_int_equal(parse_with(text, NULL) == STET_OK, valid);
            }
        }
        arena_reset(&test_arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(every_kind_keeps_its_text),
        ARENA_TEST(errors_say_where_and_what),
        ARENA_TEST(duplicate_keys_are_refused_by_pointer),
        ARENA_TEST(duplicates_are_found_at_every_size),
        ARENA_TEST(large_objects_find_every_member),
        ARENA_TEST(limits_are_named),
        ARENA_TEST(depth_is_bounded_without_recursion),
        ARENA_TEST(strings_are_scanned_alike_at_every_offset),
        ARENA_TEST(utf8_is_checked_like_base_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
