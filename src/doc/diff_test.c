#include "doc/doc_testing.h"

/* Differences as lines "pointer: a -> b", '-' for absent. */
static void check_diff(const char *a, const char *b, const char *expected) {
    struct doc ad = must_parse(a);
    struct doc bd = must_parse(b);
    struct doc_difference *differences;
    size_t count;
    assert_int_equal(doc_diff(&test_arena, &ad, &bd, &differences, &count, NULL), STET_OK);
    char text[1024] = "";
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        const struct doc_difference *d = &differences[i];
        stet_view at = d->a == DOC_NONE ? VIEW("-") : doc_text(&ad, d->a);
        stet_view bt = d->b == DOC_NONE ? VIEW("-") : doc_text(&bd, d->b);
        size += (size_t)snprintf(text + size, sizeof text - size, "%.*s: %.*s -> %.*s\n",
                                 VIEW_ARG(d->pointer), VIEW_ARG(at), VIEW_ARG(bt));
    }
    assert_string_equal(text, expected);
}

static void equal_documents_do_not_differ(void **state) {
    (void)state;
    check_diff("{\"a\":1.0,\"b\":[1,{\"c\":2}]}", "{\"b\":[1,{\"c\":2e0}],\"a\":1}", "");
}

static void objects_recurse_and_the_rest_is_one_value(void **state) {
    (void)state;
    check_diff("{\"a\":{\"b\":1,\"c\":2},\"l\":[1,2],\"gone\":0}",
               "{\"new\":{},\"l\":[1,3],\"a\":{\"c\":3,\"b\":1,\"d\":4}}",
               "/a/c: 2 -> 3\n/a/d: - -> 4\n/l: [1,2] -> [1,3]\n/gone: 0 -> -\n/new: - -> {}\n");
}

static void the_root_may_differ(void **state) {
    (void)state;
    check_diff("1", "2", ": 1 -> 2\n");
    check_diff("{}", "[]", ": {} -> []\n");
}

static void keys_become_tokens(void **state) {
    (void)state;
    check_diff("{\"a/b\":{\"c~d\":1,\"\":2,\"\\u0065\\/\":3}}", "{\"a/b\":{}}",
               "/a~1b/c~0d: 1 -> -\n/a~1b/: 2 -> -\n/a~1b/e~1: 3 -> -\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(equal_documents_do_not_differ),
        ARENA_TEST(objects_recurse_and_the_rest_is_one_value),
        ARENA_TEST(the_root_may_differ),
        ARENA_TEST(keys_become_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
