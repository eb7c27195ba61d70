/*
 * Values that collide: the link gives doc_hash to this test (--wrap), which makes every value the same to it.
 */
#include "doc/value_table.h"

#include "base/buffer.h"
#include "base/limits.h"
#include "doc/doc_testing.h"
#include "doc/rules.h"

uint64_t __real_doc_hash(const struct doc *doc, doc_node node);
uint64_t __wrap_doc_hash(const struct doc *doc, doc_node node);

static bool collide;

uint64_t __wrap_doc_hash(const struct doc *doc, doc_node node) {
    return collide ? 7 : __real_doc_hash(doc, node);
}

static int setup_colliding(void **state) {
    collide = true;
    return setup_arena(state);
}

static int teardown_colliding(void **state) {
    collide = false;
    return teardown_arena(state);
}

static void equal_values_are_one(void **state) {
    (void)state;
    struct doc list =
        must_parse("[1,\"1\",1.0,[1],[1e0],{\"a\":1,\"b\":2},{\"b\":2,\"a\":1},null]");
    struct value_table table;
    assert_int_equal(value_table_init(&table, &test_arena, doc_count(&list, 0)), STET_OK);
    static const uint32_t expected[] = {0, 1, 0, 2, 2, 3, 3, 4};
    size_t i = 0;
    for (doc_node child = doc_first(&list, 0); child != DOC_NONE; child = doc_next(&list, child)) {
        uint32_t index;
        assert_true(value_table_add(&table, &list, child, &index));
        assert_int_equal(index, expected[i++]);
    }
    assert_int_equal(table.count, 5);
}

/* A set of many colliding values on each side. */
static void a_flood_of_collisions_is_a_conflict(void **state) {
    (void)state;
    struct buffer text;
    struct doc sides[2];
    for (int side = 0; side < 2; side++) {
        buffer_init(&text, &test_arena, 0);
        buffer_append_char(&text, '[');
        for (int i = 0; i < 5000; i++)
            buffer_append_format(&text, "%s{\"k\":%d}", i == 0 ? "" : ",", 2 * i + side);
        buffer_append_char(&text, ']');
        sides[side] = must_parse_view(buffer_view(&text));
    }
    static const char *const definitions[] = {
        "{\"fields\":{\"\":{\"merge\":\"set\"}}}",
        "{\"fields\":{\"\":{\"merge\":\"by_key\",\"key\":\"k\"}}}",
    };
    for (size_t i = 0; i < 2; i++) {
        struct doc definition = must_parse(definitions[i]);
        struct doc base = must_parse("[]");
        struct doc_rules *rules;
        struct doc_merge_result result;
        assert_int_equal(rules_compile(&test_arena, &definition,
                                       doc_member(&definition, 0, VIEW("fields")), DOC_NONE, &rules,
                                       NULL),
                         STET_OK);
        assert_int_equal(
            doc_merge(&test_arena, &base, &sides[0], &sides[1], rules, 0, &result, NULL), STET_OK);
        assert_false(result.clean);
        assert_true(result.steps < MERGE_LIST_STEPS_MAX + 100000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(equal_values_are_one),
        cmocka_unit_test_setup_teardown(equal_values_are_one, setup_colliding, teardown_colliding),
        cmocka_unit_test_setup_teardown(a_flood_of_collisions_is_a_conflict, setup_colliding,
                                        teardown_colliding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
