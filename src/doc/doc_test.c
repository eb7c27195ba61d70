#include "doc/doc_testing.h"

static void check_pointer(const struct doc *doc, const char *pointer, const char *expected) {
    doc_node node = doc_pointer(doc, view_of(pointer));
    if (expected == NULL) {
        assert_int_equal(node, DOC_NONE);
    } else {
        assert_int_not_equal(node, DOC_NONE);
        check_view(doc_text(doc, node), expected);
    }
}

static void pointers_follow_rfc_6901(void **state) {
    (void)state;
    struct doc doc = must_parse("{\"a\":[10,{\"b\":20},[30]],\"\":1,\"x/y\":2,\"t~1\":3,\" "
                                "\":4,\"e\\\"q\":5,\"q\\u00e9~\":6,\"0\":7}");
    check_pointer(&doc, "/a/0", "10");
    check_pointer(&doc, "/a/1/b", "20");
    check_pointer(&doc, "/a/2/0", "30");
    check_pointer(&doc, "/", "1");
    check_pointer(&doc, "/x~1y", "2");
    check_pointer(&doc, "/t~01", "3");
    check_pointer(&doc, "/ ", "4");
    check_pointer(&doc, "/e\"q", "5");
    check_pointer(&doc, "/q\xc3\xa9~0", "6");
    check_pointer(&doc, "/0", "7");
    assert_int_equal(doc_pointer(&doc, VIEW("")), 0);
}

static void pointers_find_escaped_and_long_keys_among_many(void **state) {
    (void)state;
    char text[4096], pointer[1024];
    size_t size = (size_t)snprintf(text, sizeof text, "{");
    for (int i = 0; i < 100; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "\"%d~/\":%d,", i, i);
    snprintf(text + size, sizeof text - size, "\"q\\u007e\":-1,\"%0600d~\":-2}", 0);
    struct doc doc = must_parse(text);
    check_pointer(&doc, "/7~0~1", "7");
    check_pointer(&doc, "/99~0~1", "99");
    check_pointer(&doc, "/100~0~1", NULL);
    check_pointer(&doc, "/7~1~0", NULL);
    check_pointer(&doc, "/q~0", "-1");
    snprintf(pointer, sizeof pointer, "/%0600d~0", 0);
    check_pointer(&doc, pointer, "-2");
}

static void pointers_to_nothing_find_nothing(void **state) {
    (void)state;
    struct doc doc = must_parse("{\"a\":[1,2],\"b\":\"s\"}");
    static const char *const none[] = {"a",     "/c",   "/a/2",          "/a/-", "/a/01",
                                       "/a/-1", "/a/x", "/a/4294967296", "/b/0", "/a/0/0",
                                       "/~",    "/~2",  "/a/",           "//"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        check_pointer(&doc, none[i], NULL);
}

static void elements_are_found_by_index(void **state) {
    (void)state;
    struct doc flat = must_parse("[0,1,2]");
    struct doc nested = must_parse("[[0],{\"a\":1},2]");
    check_view(doc_text(&flat, doc_element(&flat, 0, 2)), "2");
    check_view(doc_text(&nested, doc_element(&nested, 0, 1)), "{\"a\":1}");
    check_view(doc_text(&nested, doc_element(&nested, 0, 2)), "2");
    assert_int_equal(doc_element(&nested, 0, 3), DOC_NONE);
    assert_int_equal(doc_element(&flat, 1, 0), DOC_NONE);
    assert_int_equal(doc_member(&flat, 0, VIEW("a")), DOC_NONE);
}

static void strings_and_keys_are_decoded(void **state) {
    (void)state;
    struct doc doc = must_parse(
        "{\"k\\n\":\"\\\"\\\\\\/"
        "\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20aC\\ud83d\\uDE00\\u0000z\",\"p\":\"plain\",\"n\":1}");
    stet_view view;
    doc_node child = doc_first(&doc, 0);
    assert_int_equal(doc_key(&test_arena, &doc, child, &view), STET_OK);
    check_view(view, "k\n");
    check_view(doc_key_raw(&doc, child), "k\\n");
    assert_int_equal(doc_string(&test_arena, &doc, child, &view), STET_OK);
    assert_true(view_equal(view, VIEW("\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0z")));
    child = doc_next(&doc, child);
    assert_int_equal(doc_string(&test_arena, &doc, child, &view), STET_OK);
    check_view(view, "plain");
    assert_ptr_equal(view.bytes, doc_text(&doc, child).bytes + 1);
    assert_int_equal(doc_string(&test_arena, &doc, doc_next(&doc, child), &view), STET_BAD_REQUEST);
}

static void integers_are_read_in_any_spelling(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is;
        uint64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"-0.0e9", true, 0},
        {"7", true, 7},
        {"1.0", true, 1},
        {"10e-1", true, 1},
        {"1.5e1", true, 15},
        {"120E1", true, 1200},
        {"0.0012e6", true, 1200},
        {"18446744073709551615", true, UINT64_MAX},
        {"1844674407370955161.50e1", true, UINT64_C(18446744073709551615)},
        {"18446744073709551616", false, 0},
        {"1e19", true, UINT64_C(10000000000000000000)},
        {"2e19", false, 0},
        {"1e20", false, 0},
        {"1e1000000000000000000000", false, 0},
        {"0e1000000000000000000000", true, 0},
        {"-1", false, 0},
        {"0.5", false, 0},
        {"1.5", false, 0},
        {"\"1\"", false, 0},
        {"null", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct doc doc = must_parse(cases[i].text);
        uint64_t value = 42;
        assert_int_equal(doc_u64(&doc, 0, &value), cases[i].is);
        assert_int_equal(value, cases[i].is ? cases[i].value : 42);
    }
}

static void truth_is_read(void **state) {
    (void)state;
    struct doc doc = must_parse("[true,false,0]");
    bool value = false;
    assert_true(doc_bool(&doc, 1, &value));
    assert_true(value);
    assert_true(doc_bool(&doc, 2, &value));
    assert_false(value);
    assert_false(doc_bool(&doc, 3, &value));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(pointers_find_escaped_and_long_keys_among_many),
        ARENA_TEST(pointers_follow_rfc_6901),
        ARENA_TEST(pointers_to_nothing_find_nothing),
        ARENA_TEST(elements_are_found_by_index),
        ARENA_TEST(strings_and_keys_are_decoded),
        ARENA_TEST(integers_are_read_in_any_spelling),
        ARENA_TEST(truth_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
