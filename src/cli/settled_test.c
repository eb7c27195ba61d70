#include "cli/settled.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/view.h"

#define TEST(name) static void name(void **state)

static void check_words(const char *merge, const char *expected) {
    struct arena arena;
    struct doc doc;
    arena_init(&arena, 1024);
    assert_int_equal(doc_parse(&arena, view_of(merge), NULL, &doc, NULL), STET_OK);
    stet_view words = settled_words(&arena, &doc, 0);
    assert_int_equal(words.size, strlen(expected));
    if (words.size > 0) assert_memory_equal(words.bytes, expected, words.size);
    arena_done(&arena);
}

TEST(a_merge_says_whose_values_stand) {
    (void)state;
    check_words(
        "{\"strategy\":\"merge\",\"parents\":[1,2],\"fields\":{\"/a\":{\"from\":\"yours\"},"
        "\"/b\":{\"from\":\"current\"},\"/c\":{\"from\":\"yours\"},"
        "\"/n\":{\"from\":\"rule\",\"rule\":\"delta\",\"yours\":1},"
        "\"/f\":{\"from\":\"rule\",\"rule\":\"first\",\"dropped\":\"yours\"}}}",
        "merged 1 onto 2: writer's /a, /c; kept /b; delta /n; first (the writer gave way) /f");
}

TEST(long_lists_of_fields_are_cut) {
    (void)state;
    check_words(
        "{\"parents\":[1,2],\"fields\":{\"/1\":{\"from\":\"both\"},\"/2\":{\"from\":\"both\"},"
        "\"/3\":{\"from\":\"both\"},\"/4\":{\"from\":\"both\"},\"/5\":{\"from\":\"both\"}}}",
        "merged 1 onto 2: the same /1, /2, /3, /4 and 1 more");
}

TEST(overwriting_and_resolving_have_words_of_their_own) {
    (void)state;
    check_words("{\"strategy\":\"newest\",\"parents\":[1,4],\"over\":{\"from\":2,\"to\":4}}",
                "newest over 2 to 4");
    check_words("{\"strategy\":\"resolve\",\"choice\":\"yours\",\"parents\":[1,3]}",
                "resolved (yours) onto 3");
    check_words(
        "{\"strategy\":\"resolve\",\"choice\":\"fields\",\"parents\":[1,3],\"fields\":{\"/a\":{"
        "\"from\":\"yours\"},\"/b\":{\"from\":\"custom\"},\"/c\":{\"from\":\"base\"}}}",
        "resolved (fields) onto 3: writer's /a; written anew /b; as before /c");
}

TEST(what_is_not_known_is_not_invented) {
    (void)state;
    check_words("{}", "");
    check_words("[]", "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_merge_says_whose_values_stand),
        cmocka_unit_test(long_lists_of_fields_are_cut),
        cmocka_unit_test(overwriting_and_resolving_have_words_of_their_own),
        cmocka_unit_test(what_is_not_known_is_not_invented),
    };
    return cmocka_run_group_tests_name("settled", tests, NULL, NULL);
}
