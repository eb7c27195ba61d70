#include "doc/decimal.h"
#include "doc/doc_testing.h"

static uint64_t hash_of(const char *text) {
    struct doc doc = must_parse(text);
    return doc_hash(&doc, 0);
}

static void check_equal(const char *a, const char *b) {
    struct doc ad = must_parse(a);
    struct doc bd = must_parse(b);
    if (!doc_equal(&ad, 0, &bd, 0) || !doc_equal(&bd, 0, &ad, 0))
        fail_msg("%s should equal %s", a, b);
    if (doc_hash(&ad, 0) != doc_hash(&bd, 0)) fail_msg("%s and %s hash differently", a, b);
}

static void check_differ(const char *a, const char *b) {
    struct doc ad = must_parse(a);
    struct doc bd = must_parse(b);
    if (doc_equal(&ad, 0, &bd, 0) || doc_equal(&bd, 0, &ad, 0))
        fail_msg("%s should differ from %s", a, b);
}

static void spelling_makes_no_difference(void **state) {
    (void)state;
    check_equal("{\"a\":1,\"b\":[true,null]}", " { \"b\" : [ true , null ] , \"a\" : 1 } ");
    check_equal("\"A\\n\\u00e9\\ud83d\\ude00\"", "\"\\u0041\\u000a\xc3\xa9\xf0\x9f\x98\x80\"");
    check_equal("{\"\\u0061bc\":0}", "{\"abc\":0}");
    check_equal("\"\\u0030123456789abcdef0123456789abcdef\"",
                "\"0123456789abcdef0123456789abcdef\"");
    check_equal("\"0123456789abcde\\u0066\"", "\"0123456789abcdef\"");
}

static void values_differ_when_they_differ(void **state) {
    (void)state;
    check_differ("\"e\xcc\x81\"", "\"\xc3\xa9\""); /* The same to the eye, other bytes. */
    check_differ("{\"a\":1}", "{\"a\":1,\"b\":1}");
    check_differ("{\"a\":null}", "{\"b\":null}");
    check_differ("[1,2]", "[2,1]");
    check_differ("[[1],2]", "[1,[2]]");
    check_differ("{}", "[]");
    check_differ("0", "\"0\"");
    check_differ("\"a\"", "\"a\\u0000\"");
    check_differ("null", "false");
}

static void numbers_are_compared_as_decimals(void **state) {
    (void)state;
    check_equal("1.0", "1e0");
    check_equal("1.0", "10e-1");
    check_equal("-0", "0");
    check_equal("0.000e99999999999999999999", "-0");
    check_equal("100", "1E+2");
    check_equal("0.00120", "12e-4");
    check_equal("1200000000000000000000000000000.5", "12000000000000000000000000000005e-1");
    check_equal("1e1000000000", "10e999999999");
    check_equal("1e100000000000000000000000", "10e99999999999999999999999");
    check_equal("0.1e-99999999999999999999999", "1e-100000000000000000000000");
    check_equal("1e2000000000000000000", "10e1999999999999999999");
    check_equal("1e0002000000000000000001", "10e2000000000000000000");
    check_equal("1e-0", "1");
    check_differ("1e1000000000", "1e1000000001");
    check_differ("1e100000000000000000000000", "1e99999999999999999999999");
    check_differ("1e100000000000000000000000", "1e-100000000000000000000000");
    check_differ("1", "-1");
    check_differ("18446744073709551615", "18446744073709551616");
    check_differ("0.1", "0.10000000000000000000000000000000001");
}

static int order(const char *a, const char *b) {
    struct decimal ad = decimal_normalise(view_of(a));
    struct decimal bd = decimal_normalise(view_of(b));
    int forth = decimal_compare(&ad, &bd);
    assert_int_equal(forth, -decimal_compare(&bd, &ad));
    return forth;
}

static void decimals_are_ordered(void **state) {
    (void)state;
    /* Each is less than the next. */
    static const char *const rising[] = {
        "-1e99999999999999999999999",
        "-9e99999999999999999999998",
        "-1e1000",
        "-12.5",
        "-12.49",
        "-0.1",
        "-1e-99999999999999999999998",
        "-1e-99999999999999999999999",
        "0",
        "1e-99999999999999999999999",
        "1e-99999999999999999999998",
        "9.9e-5",
        "1e-4",
        "0.9",
        "0.99",
        "1",
        "1.01",
        "9",
        "10",
        "10.5",
        "1e3",
        "1e2000000000000000000",
        "1e2000000000000000001",
        "9e99999999999999999999998",
        "1e99999999999999999999999",
    };
    size_t count = sizeof rising / sizeof rising[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++)
            assert_int_equal(order(rising[i], rising[k]), (i > k) - (i < k));
    }
}

static bool in_bounds(const char *text) {
    struct decimal decimal = decimal_normalise(view_of(text));
    return decimal_in_bounds(&decimal);
}

static void arithmetic_has_bounds(void **state) {
    (void)state;
    char digits[102];
    memset(digits, '7', 101);
    digits[101] = '\0';
    assert_false(in_bounds(digits));
    digits[100] = '0'; /* Zeros at the end are part of the exponent. */
    assert_true(in_bounds(digits));
    assert_true(in_bounds("1e1000"));
    assert_true(in_bounds("1e-1000"));
    assert_true(in_bounds("0e99999999999999999999999"));
    assert_false(in_bounds("10e1000"));
    assert_false(in_bounds("1e-1001"));
    assert_false(in_bounds("1e99999999999999999999999"));
}

/* These live on disks: a test that fails here means that the hash changed, which it must not. */
static void hashes_never_change(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t hash;
    } vectors[] = {
        {"null", UINT64_C(0x6a09e667f3bcc909)},
        {"true", UINT64_C(0x3c6ef372fe94f82b)},
        {"false", UINT64_C(0xbb67ae8584caa73b)},
        {"0", UINT64_C(0x2e665350e14b8549)},
        {"1", UINT64_C(0xaefd0316986ea474)},
        {"-1", UINT64_C(0x8fefc7a4d874fdbf)},
        {"1.10", UINT64_C(0x305b0a482df1bc50)},
        {"18446744073709551616", UINT64_C(0x2bd4936f16e46642)},
        {"1e400", UINT64_C(0x31802307bb9ed857)},
        {"1e99999999999999999999999", UINT64_C(0xad325b5bd4e5c2a6)},
        {"3.14159265358979323846264338327950288", UINT64_C(0xa9ae73cd75ffc60d)},
        {"\"\"", UINT64_C(0xd5dd1efefaf8b994)},
        {"\"a\"", UINT64_C(0xa8f9c2e104b25ef0)},
        {"\"01234567\"", UINT64_C(0xf50a04a51f530fe8)},
        {"\"0123456789abcdef\"", UINT64_C(0x950b55a450ff1cd9)},
        {"\"0123456789abcdef0\"", UINT64_C(0x93d023289f6e818c)},
        {"\"\\u0000\"", UINT64_C(0x743839ed16d619a2)},
        {"\"gr\\u00fc\\u00dfe\"", UINT64_C(0x2dcb766dac0af25e)},
        {"[]", UINT64_C(0xbecec387d1952f8f)},
        {"[1,2,3]", UINT64_C(0xd1bc62c317e52461)},
        {"[[],[[]]]", UINT64_C(0x469617ba7e718f8f)},
        {"{}", UINT64_C(0xac4173dda15ea585)},
        {"{\"a\":1}", UINT64_C(0xf2c1d05df8a8717b)},
        {"{\"a\":1,\"b\":{\"c\":[true,null]}}", UINT64_C(0x55956a9654b59ecb)},
        {"\"ab\"", UINT64_C(0x834017d2f007f0d8)},
        {"\"abc\"", UINT64_C(0x5b26c0034dc02980)},
        {"\"abcd\"", UINT64_C(0x8eba8bd2e0a2e205)},
        {"\"abcdefg\"", UINT64_C(0x97cb9963ca808194)},
        {"\"abcdefghi\"", UINT64_C(0x0a552bf8e71a1645)},
        {"\"abcdefghijkl\"", UINT64_C(0xd0f0b2511c3ca6c2)},
        {"\"abcdefghijklmno\"", UINT64_C(0xad4960cf81c7adbf)},
        {"\"The quick brown fox jumps over 13 lazy dogs\"", UINT64_C(0x486864909a15bc0e)},
        {"123456789012345678901234567890", UINT64_C(0xb33694001a6d2d70)},
        {"-0.00125e-7", UINT64_C(0x67ca6c57a122d20b)},
    };
    bool good = true;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint64_t hash = hash_of(vectors[i].text);
        if (hash == vectors[i].hash) continue;
        good = false;
        print_error("%s hashes to 0x%016llx\n", vectors[i].text, (unsigned long long)hash);
    }
    assert_true(good);
}

/* Every byte of a text of any length counts, and so does its length. */
static void hashes_see_every_byte(void **state) {
    (void)state;
    for (size_t size = 0; size <= 40; size++) {
        char text[48] = "\"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH";
        strcpy(text + 1 + size, "\"");
        uint64_t hash = hash_of(text);
        for (size_t i = 1; i <= size; i++) {
            char kept = text[i];
            text[i] = '!';
            assert_true(hash_of(text) != hash);
            text[i] = kept;
        }
        strcpy(text + 1 + size, "0\"");
        assert_true(hash_of(text) != hash);
        arena_reset(&test_arena);
    }
}

/* Similar values: no two of 20,000 may share a hash, nor the low half of one more often than chance has it. */
static void hashes_spread(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    uint64_t *hashes = calloc(COUNT, sizeof *hashes);
    assert_non_null(hashes);
    size_t same_low = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        char text[64];
        snprintf(text, sizeof text, i % 2 == 0 ? "{\"a\":%u,\"b\":[%u]}" : "{\"b\":%u,\"a\":[%u]}",
                 i / 2, i % 7);
        hashes[i] = hash_of(text);
        arena_reset(&test_arena);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = i + 1; k < COUNT; k++) {
            assert_true(hashes[i] != hashes[k]);
            same_low += (uint32_t)hashes[i] == (uint32_t)hashes[k];
        }
    }
    assert_in_range(same_low, 0, 4); /* 0.05 expected. */
    free(hashes);
}

static void large_objects_compare_in_any_order(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    char *up = malloc(COUNT * 20);
    char *down = malloc(COUNT * 20);
    assert_non_null(up);
    assert_non_null(down);
    char *u = up;
    char *d = down;
    for (int i = 0; i < COUNT; i++) {
        u += sprintf(u, "%c\"k%d\":%d", i == 0 ? '{' : ',', i, i);
        d += sprintf(d, "%c\"k%d\":%d", i == 0 ? '{' : ',', COUNT - 1 - i, COUNT - 1 - i);
    }
    strcpy(u, "}");
    strcpy(d, "}");
    check_equal(up, down);
    free(up);
    free(down);
}

static void absent_equals_absent_only(void **state) {
    (void)state;
    struct doc doc = must_parse("null");
    assert_true(doc_equal(&doc, DOC_NONE, &doc, DOC_NONE));
    assert_false(doc_equal(&doc, 0, &doc, DOC_NONE));
    assert_false(doc_equal(&doc, DOC_NONE, &doc, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(spelling_makes_no_difference),
        ARENA_TEST(values_differ_when_they_differ),
        ARENA_TEST(numbers_are_compared_as_decimals),
        ARENA_TEST(decimals_are_ordered),
        ARENA_TEST(arithmetic_has_bounds),
        ARENA_TEST(hashes_never_change),
        ARENA_TEST(hashes_see_every_byte),
        ARENA_TEST(hashes_spread),
        ARENA_TEST(large_objects_compare_in_any_order),
        ARENA_TEST(absent_equals_absent_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
