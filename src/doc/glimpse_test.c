/*
 * A glimpse tells of members what parsing tells, and of damaged text nothing that crashes.
 */
#include "doc/glimpse.h"

#include "doc/doc_testing.h"
#include "doc/random_doc.h"

static const stet_view keys[] = {{"a", 1}, {"b", 1}, {"a/b", 3}, {"", 0}};
enum { KEYS = sizeof keys / sizeof keys[0] };

static void check_glimpse(const char *text, const char *expected) {
    struct doc doc;
    assert_true(doc_glimpse(&test_arena, view_of(text), keys, 2, &doc));
    struct doc wanted = must_parse(expected);
    if (!doc_equal(&doc, 0, &wanted, 0)) fail_msg("%s: %.*s", text, VIEW_ARG(doc.text));
}

static void only_what_is_asked_for_is_seen(void **state) {
    (void)state;
    check_glimpse("{\"a\":1,\"c\":2,\"b\":3}", "{\"a\":1,\"b\":3}");
    check_glimpse(" { \"c\" : [ {\"a\":9} , \"]\" ] , \"a\" : \"x\\\"}\" } ", "{\"a\":\"x\\\"}\"}");
    check_glimpse("{\"c\":{\"b\":1,\"d\":\"\\\\\"},\"b\":-1.5e3}", "{\"b\":-1.5e3}");
    check_glimpse("{\"c\":\"a\\\\\\\"b\",\"a\":{\"b\":[]}}", "{\"a\":{\"b\":[]}}");
    check_glimpse("{\"c\":true}", "{}");
    check_glimpse("{}", "{}");
}

static void names_with_escapes_are_left_to_the_parser(void **state) {
    (void)state;
    struct doc doc;
    assert_false(doc_glimpse(&test_arena, VIEW("{\"\\u0061\":1}"), keys, 2, &doc));
    assert_false(doc_glimpse(&test_arena, VIEW("{\"x\\\"\":1,\"a\":2}"), keys, 2, &doc));
}

/* Every beginning of a text, and every text with one byte changed, in a block of its own size, so that reading past it is seen. */
static void damaged_text_is_not_read_past(void **state) {
    (void)state;
    const char *text = "{\"c\":[1,{\"d\":\"\\\\\\\"\"}],\"b\":null,\"a\":\"x\"}";
    size_t size = strlen(text);
    for (size_t cut = 0; cut <= size; cut++) {
        for (size_t change = 0; change < (cut < size ? 1 : size); change++) {
            static const char bytes[] = "\"\\{}[],: x";
            for (size_t b = 0; b < sizeof bytes - 1; b++) {
                struct doc doc;
                char *copy = malloc(cut + 1);
                assert_non_null(copy);
                memcpy(copy, text, cut);
                if (cut == size) copy[change] = bytes[b];
                char *exact = cut == 0 ? copy : realloc(copy, cut);
                (void)doc_glimpse(&test_arena, view_make(exact, cut), keys, 2, &doc);
                free(exact);
            }
        }
    }
}

static void it_tells_what_parsing_tells(void **state) {
    (void)state;
    const char *text = getenv("STET_SEED");
    unsigned long long first =
        text == NULL ? entropy_u64(entropy_system()) : strtoull(text, NULL, 10);
    size_t seen = 0;
    print_message("seeds from %llu (STET_SEED repeats)\n", first);
    for (uint64_t i = 0; i < 3000; i++) {
        struct entropy_seeded seeded;
        struct buffer buffer;
        struct doc doc;
        entropy_seeded_init(&seeded, first + i);
        arena_reset(&test_arena);
        buffer_init(&buffer, &test_arena, 0);
        random_value(&seeded.entropy, &buffer, 4, true);
        struct doc whole;
        assert_int_equal(doc_parse(&test_arena, buffer_view(&buffer), NULL, &whole, NULL), STET_OK);
        if (!doc_glimpse(&test_arena, buffer_view(&buffer), keys, KEYS, &doc)) continue;
        for (size_t k = 0; k < KEYS; k++) {
            doc_node a = doc_member(&whole, 0, keys[k]), b = doc_member(&doc, 0, keys[k]);
            bool same = a == DOC_NONE || b == DOC_NONE ? a == b : doc_equal(&whole, a, &doc, b);
            if (!same) fail_msg("seed %llu", (unsigned long long)(first + i));
            seen += a != DOC_NONE;
        }
    }
    assert_true(seen > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(only_what_is_asked_for_is_seen),
        ARENA_TEST(names_with_escapes_are_left_to_the_parser),
        ARENA_TEST(damaged_text_is_not_read_past),
        ARENA_TEST(it_tells_what_parsing_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
