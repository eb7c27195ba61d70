/* Keys are ordered as values are, and ranges hold what they should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/view.h"
#include "core/index.h"
#include "doc/decimal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;
static uint64_t seed = 1;

static uint32_t draw(uint32_t bound) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % bound;
}

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 65536);
    return sodium_init() < 0;
}

static int teardown(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

/* ---- Values ---------------------------------------------------------------------------------------------------------- */

/* A document {"a": …, "b": …} of texts; NULL leaves the member away. */
static struct doc document(const char *a, const char *b) {
    struct doc doc;
    stet_error err = {0};
    stet_view text = arena_format(
        &arena, "{%s%s%s%s%s}", a == NULL ? "" : "\"a\":", a == NULL ? "" : a,
        a != NULL && b != NULL ? "," : "", b == NULL ? "" : "\"b\":", b == NULL ? "" : b);
    if (doc_parse(&arena, text, NULL, &doc, &err) != STET_OK)
        fail_msg("%s: %s", err.message, text.bytes);
    return doc;
}

static const struct index_field by_a[] = {{.pointer = {"/a", 2}}};
static const struct index_field by_a_down[] = {{.pointer = {"/a", 2}, .descending = true}};
static const struct index_def up = {.number = 20, .field_count = 1, .fields = by_a};
static const struct index_def down = {.number = 21, .field_count = 1, .fields = by_a_down};

static stet_view key_of(const struct index_def *def, const char *a, const char *b) {
    struct doc doc = document(a, b);
    stet_view key;
    assert_int_equal(index_key(&arena, def, &doc, &key), STET_OK);
    assert_true(key.size <= INDEX_KEY_BYTES_MAX);
    return key;
}

static int rank_of(const struct doc *doc, doc_node node) {
    static const int ranks[] = {
        [DOC_NULL] = 1,   [DOC_FALSE] = 2, [DOC_TRUE] = 3,  [DOC_NUMBER] = 4,
        [DOC_STRING] = 5, [DOC_ARRAY] = 6, [DOC_OBJECT] = 6};
    return node == DOC_NONE ? 0 : ranks[doc_kind(doc, node)];
}

/* The order the keys must have. */
static int value_compare(const struct doc *x, const struct doc *y, const char *pointer) {
    doc_node xn = doc_pointer(x, view_of(pointer)), yn = doc_pointer(y, view_of(pointer));
    int order = rank_of(x, xn) - rank_of(y, yn);
    if (order != 0 || xn == DOC_NONE) return order;
    if (doc_kind(x, xn) == DOC_NUMBER) {
        const struct decimal xd = decimal_normalise(doc_text(x, xn));
        const struct decimal yd = decimal_normalise(doc_text(y, yn));
        return decimal_compare(&xd, &yd);
    }
    if (doc_kind(x, xn) != DOC_STRING) return 0;
    stet_view xs, ys;
    assert_int_equal(doc_string(&arena, x, xn, &xs), STET_OK);
    assert_int_equal(doc_string(&arena, y, yn, &ys), STET_OK);
    return view_compare(xs, ys);
}

static int sign(int order) { return (order > 0) - (order < 0); }

/* A random JSON text, drawn so that many are near one another. */
static const char *draw_value(void) {
    static const char *const few[] = {"null",
                                      "false",
                                      "true",
                                      "0",
                                      "-0.0",
                                      "1",
                                      "1.0",
                                      "10e-1",
                                      "-1",
                                      "1.5",
                                      "0.01",
                                      "99",
                                      "100",
                                      "1e2",
                                      "-1e-5",
                                      "1e400",
                                      "-1e400",
                                      "1e-400",
                                      "\"\"",
                                      "\"a\"",
                                      "\"\\u0000\"",
                                      "\"a\\u0000\"",
                                      "\"a\\u0000b\"",
                                      "\"a\\u0001\"",
                                      "\"\\u00ff\"",
                                      "\"ab\"",
                                      "[]",
                                      "{}",
                                      "1e64",
                                      "1e63",
                                      "1e-64",
                                      "1e-65",
                                      "1e255",
                                      "1e256",
                                      "1e65536",
                                      "-1e65535",
                                      "9007199254740993"};
    switch (draw(5)) {
    case 0: return NULL;
    case 1:
        return arena_format(&arena, "%s%u.%ue%s%u", draw(2) ? "-" : "", draw(200), draw(1000),
                            draw(2) ? "-" : "", draw(draw(2) ? 4 : 700))
            .bytes;
    case 2: return arena_format(&arena, "%s%u", draw(2) ? "-" : "", draw(100000)).bytes;
    case 3: {
        char text[16];
        size_t size = draw(6);
        for (size_t i = 0; i < size; i++)
            text[i] = "abz~ "[draw(5)];
        text[size] = '\0';
        return arena_format(&arena, "\"%s\"", text).bytes;
    }
    default: return few[draw(sizeof few / sizeof few[0])];
    }
}

/* ---- Order ----------------------------------------------------------------------------------------------------------- */

static void keys_are_ordered_as_values_are(void **state) {
    (void)state;
    const struct index_field fields[] = {{.pointer = VIEW("/a")},
                                         {.pointer = VIEW("/b"), .descending = true}};
    const struct index_def both = {.number = 22, .field_count = 2, .fields = fields};
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 200000; i++) {
        const char *a = draw_value(), *b = draw_value(), *c = draw_value(), *d = draw_value();
        struct doc x = document(a, b), y = document(c, d);
        int order = value_compare(&x, &y, "/a");
        stet_view kx, ky;
        assert_int_equal(index_key(&arena, &up, &x, &kx), STET_OK);
        assert_int_equal(index_key(&arena, &up, &y, &ky), STET_OK);
        bool exact = index_key_is_exact(kx) && index_key_is_exact(ky);
        if (exact && sign(view_compare(kx, ky)) != sign(order))
            fail_msg("%s against %s", a == NULL ? "absent" : a, c == NULL ? "absent" : c);
        if (order == 0) order = -value_compare(&x, &y, "/b");
        assert_int_equal(index_key(&arena, &both, &x, &kx), STET_OK);
        assert_int_equal(index_key(&arena, &both, &y, &ky), STET_OK);
        exact = index_key_is_exact(kx) && index_key_is_exact(ky);
        if (exact && sign(view_compare(kx, ky)) != sign(order))
            fail_msg("%.*s against %.*s", VIEW_ARG(x.text), VIEW_ARG(y.text));
        arena_reset(&arena);
    }
}

static void equal_values_have_equal_keys(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"1", "1.000"},
        {"100", "1e2"},
        {"-0", "0e7"},
        {"0.10", "1e-1"},
        {"\"a\"", "\"\\u0061\""},
        {"[1,2]", "[1.0,2e0]"},
        {"{\"x\":1,\"y\":2}", "{\"y\":2,\"x\":1}"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_true(view_equal(key_of(&up, pairs[i][0], NULL), key_of(&up, pairs[i][1], NULL)));
    assert_false(view_equal(key_of(&up, "[1,2]", NULL), key_of(&up, "[2,1]", NULL)));
}

/* A string of `size` times `c`, then `tail`. */
static const char *long_string(size_t size, char c, const char *tail) {
    char *text = arena_bytes(&arena, size + strlen(tail) + 3);
    text[0] = '"';
    memset(text + 1, c, size);
    sprintf(text + 1 + size, "%s\"", tail);
    return text;
}

static void long_strings_are_cut(void **state) {
    (void)state;
    stet_view short_key = key_of(&up, long_string(900, 'a', ""), NULL);
    stet_view x = key_of(&up, long_string(5000, 'a', "x"), NULL);
    stet_view y = key_of(&up, long_string(5000, 'a', "y"), NULL);
    assert_true(index_key_is_exact(short_key));
    assert_false(index_key_is_exact(x));
    assert_false(view_equal(x, y));
    assert_true(view_equal(x, key_of(&up, long_string(5000, 'a', "x"), NULL)));
    assert_true(view_compare(short_key, x) < 0);
    assert_true(view_compare(x, key_of(&up, "\"b\"", NULL)) < 0);
    assert_true(view_compare(x, key_of(&up, long_string(900, 'a', "b"), NULL)) < 0);
}

static void long_numbers_are_cut(void **state) {
    (void)state;
    char digits[4000];
    memset(digits, '7', sizeof digits);
    digits[sizeof digits - 1] = '\0';
    const char *x = arena_format(&arena, "0.%s1", digits).bytes;
    const char *y = arena_format(&arena, "0.%s2", digits).bytes;
    stet_view kx = key_of(&up, x, NULL);
    assert_false(index_key_is_exact(kx));
    assert_false(view_equal(kx, key_of(&up, y, NULL)));
    assert_true(
        view_equal(kx, key_of(&up, arena_format(&arena, "%s1e-4000", digits + 0).bytes, NULL)));
    assert_true(view_compare(kx, key_of(&up, "0.78", NULL)) < 0);
    assert_true(view_compare(kx, key_of(&up, "0.7", NULL)) > 0);
    stet_view huge = key_of(&up, "1e99999999999999999999", NULL);
    assert_false(index_key_is_exact(huge));
    assert_true(view_compare(key_of(&up, "9e999999999999999999", NULL), huge) < 0);
    assert_true(view_compare(huge, key_of(&up, "\"\"", NULL)) < 0);
}

static void many_fields_share_the_room(void **state) {
    (void)state;
    struct index_field fields[INDEX_FIELDS_MAX];
    for (size_t i = 0; i < INDEX_FIELDS_MAX; i++)
        fields[i] = (struct index_field){.pointer = i % 2 ? VIEW("/a") : VIEW("/b")};
    const struct index_def wide = {.number = 23, .field_count = INDEX_FIELDS_MAX, .fields = fields};
    key_of(&wide, long_string(3000, 'x', ""), long_string(3000, 'y', ""));
    char zeros[600];
    for (size_t i = 0; i < 99; i++)
        memcpy(zeros + 6 * i, "\\u0000", 6);
    zeros[6 * 99] = '\0';
    key_of(&wide, long_string(0, 'x', zeros), long_string(20, 'y', zeros));
}

/* ---- Ranges ---------------------------------------------------------------------------------------------------------- */

static struct index_value as_value(const struct doc *doc, const char *pointer) {
    struct index_value value = {.kind = INDEX_ABSENT};
    doc_node node = doc_pointer(doc, view_of(pointer));
    if (node == DOC_NONE) return value;
    switch (doc_kind(doc, node)) {
    case DOC_NULL: value.kind = INDEX_NULL; break;
    case DOC_FALSE: value.kind = INDEX_FALSE; break;
    case DOC_TRUE: value.kind = INDEX_TRUE; break;
    case DOC_NUMBER:
        value = (struct index_value){.kind = INDEX_NUMBER, .text = doc_text(doc, node)};
        break;
    case DOC_STRING:
        value.kind = INDEX_STRING;
        assert_int_equal(doc_string(&arena, doc, node, &value.text), STET_OK);
        break;
    case DOC_ARRAY:
    case DOC_OBJECT: break;
    }
    return value;
}

static bool is_other(const struct doc *doc, const char *pointer) {
    return rank_of(doc, doc_pointer(doc, view_of(pointer))) == 6;
}

/* Whether the value of /a lies in the query's range, as the header says. */
static bool in_range(const struct doc *x, const struct doc *low, const struct doc *high,
                     const struct index_query *query) {
    int rank = rank_of(x, doc_pointer(x, VIEW("/a")));
    if (query->low != NULL) {
        int order = value_compare(x, low, "/a");
        if (order < 0 || (order == 0 && query->above_low)) return false;
        if (query->high == NULL && rank != rank_of(low, doc_pointer(low, VIEW("/a")))) return false;
    }
    if (query->high != NULL) {
        int order = value_compare(x, high, "/a");
        if (order > 0 || (order == 0 && query->below_high)) return false;
        if (query->low == NULL && rank != rank_of(high, doc_pointer(high, VIEW("/a"))))
            return false;
    }
    if (query->low != NULL && query->high != NULL) {
        int low_rank = rank_of(low, doc_pointer(low, VIEW("/a")));
        int high_rank = rank_of(high, doc_pointer(high, VIEW("/a")));
        if (low_rank != high_rank && (low_rank > 3 || high_rank > 3)) return false;
    }
    return true;
}

static bool holds(stet_view from, stet_view to, stet_view key) {
    return view_compare(key, from) >= 0 && (to.size == 0 || view_compare(key, to) < 0);
}

static void ranges_hold_what_they_ask_for(void **state) {
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 100000; i++) {
        const struct index_def *def = draw(2) ? &up : &down;
        struct doc low = document(draw_value(), NULL), high = document(draw_value(), NULL);
        if (is_other(&low, "/a") || is_other(&high, "/a")) continue;
        struct index_value low_value = as_value(&low, "/a"), high_value = as_value(&high, "/a");
        struct index_query query = {.above_low = draw(2), .below_high = draw(2)};
        if (draw(4) > 0) query.low = &low_value;
        if (draw(4) > 0) query.high = &high_value;
        stet_view from, to;
        assert_int_equal(index_range(&arena, def, &query, &from, &to), STET_OK);
        for (int k = 0; k < 8; k++) {
            const char *text = draw_value();
            struct doc x = document(text, NULL);
            stet_view key;
            assert_int_equal(index_key(&arena, def, &x, &key), STET_OK);
            if (holds(from, to, key) != in_range(&x, &low, &high, &query))
                fail_msg("%s in %.*s to %.*s, %d %d %d %d", text == NULL ? "absent" : text,
                         VIEW_ARG(low.text), VIEW_ARG(high.text), query.low != NULL,
                         query.high != NULL, query.above_low, query.below_high);
        }
        arena_reset(&arena);
    }
}

static void a_prefix_is_a_range(void **state) {
    (void)state;
    const struct index_value low = {.kind = INDEX_STRING, .text = VIEW("ab")};
    const struct index_query query = {.low = &low, .prefix = true};
    const struct index_def *const defs[] = {&up, &down};
    for (size_t i = 0; i < 2; i++) {
        stet_view from, to;
        assert_int_equal(index_range(&arena, defs[i], &query, &from, &to), STET_OK);
        assert_true(holds(from, to, key_of(defs[i], "\"ab\"", NULL)));
        assert_true(holds(from, to, key_of(defs[i], "\"abc\"", NULL)));
        assert_true(holds(from, to, key_of(defs[i], long_string(3000, 'a', "") - 0, NULL)) ==
                    false);
        assert_false(holds(from, to, key_of(defs[i], "\"a\"", NULL)));
        assert_false(holds(from, to, key_of(defs[i], "\"ac\"", NULL)));
        assert_false(holds(from, to, key_of(defs[i], "7", NULL)));
    }
}

static void equal_fields_narrow_a_range(void **state) {
    (void)state;
    const struct index_field fields[] = {{.pointer = VIEW("/b"), .descending = true},
                                         {.pointer = VIEW("/a")}};
    const struct index_def def = {.number = 24, .field_count = 2, .fields = fields};
    const struct index_value won = {.kind = INDEX_STRING, .text = VIEW("won")};
    const struct index_value ten = {.kind = INDEX_NUMBER, .text = VIEW("1e1")};
    struct index_query query = {.equal = &won, .equal_count = 1};
    stet_view from, to;
    assert_int_equal(index_range(&arena, &def, &query, &from, &to), STET_OK);
    assert_true(holds(from, to, key_of(&def, NULL, "\"won\"")));
    assert_true(holds(from, to, key_of(&def, "\"x\"", "\"won\"")));
    assert_false(holds(from, to, key_of(&def, "9", "\"lost\"")));
    query.low = &ten;
    assert_int_equal(index_range(&arena, &def, &query, &from, &to), STET_OK);
    assert_true(holds(from, to, key_of(&def, "10", "\"won\"")));
    assert_true(holds(from, to, key_of(&def, "11", "\"won\"")));
    assert_false(holds(from, to, key_of(&def, "9.99", "\"won\"")));
    assert_false(holds(from, to, key_of(&def, "\"11\"", "\"won\"")));
    assert_false(holds(from, to, key_of(&def, "11", "\"wo\"")));
}

static void long_bounds_find_too_many_rather_than_too_few(void **state) {
    (void)state;
    const char *text = long_string(3000, 'a', "m");
    const struct index_value bound = {.kind = INDEX_STRING,
                                      .text = view_make(text + 1, strlen(text) - 2)};
    struct index_query query = {.low = &bound, .high = &bound};
    const struct index_def *const defs[] = {&up, &down};
    for (size_t i = 0; i < 4; i++) {
        stet_view from, to;
        query.above_low = query.below_high = i >= 2;
        assert_int_equal(index_range(&arena, defs[i % 2], &query, &from, &to), STET_OK);
        assert_true(holds(from, to, key_of(defs[i % 2], text, NULL)));
        assert_false(holds(from, to, key_of(defs[i % 2], "\"b\"", NULL)));
        assert_false(holds(from, to, key_of(defs[i % 2], "\"aa\"", NULL)));
    }
    query = (struct index_query){.equal = &bound, .equal_count = 1};
    stet_view from, to;
    assert_int_equal(index_range(&arena, &up, &query, &from, &to), STET_OK);
    assert_true(holds(from, to, key_of(&up, text, NULL)));
    assert_false(holds(from, to, key_of(&up, long_string(3000, 'a', "n"), NULL)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_are_ordered_as_values_are, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_values_have_equal_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(long_strings_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(long_numbers_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(many_fields_share_the_room, setup, teardown),
        cmocka_unit_test_setup_teardown(ranges_hold_what_they_ask_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_prefix_is_a_range, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_fields_narrow_a_range, setup, teardown),
        cmocka_unit_test_setup_teardown(long_bounds_find_too_many_rather_than_too_few, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("core_index_key", tests, NULL, NULL);
}
