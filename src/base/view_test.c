#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool utf8(const char *text) { return view_is_utf8(view_of(text)); }

static void equality_is_by_bytes(void **state) {
    (void)state;
    assert_true(view_equal(VIEW("abc"), VIEW("abc")));
    assert_false(view_equal(VIEW("abc"), VIEW("abd")));
    assert_false(view_equal(VIEW("abc"), VIEW("ab")));
    assert_true(view_equal((stet_view){0}, VIEW("")));
}

static void case_is_ignored_for_ascii_only(void **state) {
    (void)state;
    assert_true(view_equal_nocase(VIEW("If-Match"), VIEW("iF-mATCH")));
    assert_false(view_equal_nocase(VIEW("@["), VIEW("`{")));
    assert_false(view_equal_nocase(VIEW("\xC3\x84"), VIEW("\xC3\xA4")));
}

static void a_prefix_sorts_before_what_it_begins(void **state) {
    (void)state;
    assert_true(view_compare(VIEW("a"), VIEW("ab")) < 0);
    assert_true(view_compare(VIEW("ab"), VIEW("a")) > 0);
    assert_true(view_compare(VIEW("b"), VIEW("ab")) > 0);
    assert_true(view_compare(VIEW("\xC3"), VIEW("a")) > 0);
    assert_int_equal(view_compare((stet_view){0}, VIEW("")), 0);
    assert_true(view_starts(VIEW("stet.type"), VIEW("stet.")));
    assert_false(view_starts(VIEW("ste"), VIEW("stet.")));
    assert_true(view_starts(VIEW("x"), (stet_view){0}));
}

static void numbers_parse_up_to_the_last_and_not_past_it(void **state) {
    (void)state;
    uint64_t value = 7;
    assert_true(view_parse_u64(VIEW("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(view_parse_u64(VIEW("00000000000000000012"), &value));
    assert_int_equal(value, 12);
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "-1",
                                      "+1",
                                      "1.0",
                                      "0x1",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "000000000000000000001"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(view_parse_u64(view_of(bad[i]), &value));
    }
    assert_int_equal(value, 12);
}

static void utf8_takes_the_first_and_last_of_each_length(void **state) {
    (void)state;
    assert_true(utf8(""));
    assert_true(utf8("\x7F"));
    assert_true(utf8("\xC2\x80\xDF\xBF"));
    assert_true(utf8("\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"));
    assert_true(utf8("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"));
    assert_true(view_is_utf8(VIEW("a\0b")));
}

static void utf8_refuses_overlong_surrogate_and_cut_forms(void **state) {
    (void)state;
    static const char *const bad[] = {
        "\x80",         "\xC0\x80",         "\xC1\xBF",         "\xC2",
        "\xC2\x41",     "\xE0\x80\x80",     "\xE0\x9F\xBF",     "\xE2\x82",
        "\xED\xA0\x80", "\xED\xBF\xBF",     "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF",
        "\xF0\x9F\x98", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
        "\xFE"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(utf8(bad[i]));
}

/* The fast path looks at sixteen bytes at once: a bad byte must be found wherever it stands. */
static void utf8_finds_a_bad_byte_at_every_position(void **state) {
    (void)state;
    char text[70];
    for (size_t size = 1; size <= sizeof text; size++) {
        for (size_t at = 0; at < size; at++) {
            memset(text, 'a', sizeof text);
            assert_true(view_is_utf8(view_make(text, size)));
            text[at] = (char)0xBF;
            assert_false(view_is_utf8(view_make(text, size)));
            if (at + 1 < size) {
                text[at] = (char)0xC3;
                text[at + 1] = (char)0xA4;
                assert_true(view_is_utf8(view_make(text, size)));
            }
        }
    }
}

/* Every sequence of up to three bytes against the definition, decoded the slow way. */
static void utf8_agrees_with_its_definition(void **state) {
    (void)state;
    for (unsigned word = 0; word < 0x1000000; word += word < 0x10000 ? 1 : 7) {
        unsigned char bytes[3] = {(unsigned char)(word >> 16), (unsigned char)(word >> 8),
                                  (unsigned char)word};
        bool expected = true;
        for (size_t i = 0; i < 3 && expected;) {
            unsigned char c = bytes[i];
            size_t size = c < 0x80 ? 1 : (c & 0xE0) == 0xC0 ? 2 : (c & 0xF0) == 0xE0 ? 3 : 9;
            unsigned point = size == 1 ? c : size == 2 ? c & 0x1Fu : c & 0x0Fu;
            expected = size <= 3 - i;
            for (size_t k = 1; expected && k < size; k++) {
                expected = (bytes[i + k] & 0xC0) == 0x80;
                point = point << 6 | (bytes[i + k] & 0x3Fu);
            }
            if (size == 2 && point < 0x80) expected = false;
            if (size == 3 && (point < 0x800 || (point >= 0xD800 && point <= 0xDFFF)))
                expected = false;
            i += size;
        }
        if (view_is_utf8(view_make(bytes, 3)) != expected) fail_msg("%06x", word);
    }
}

static void hash_depends_on_seed_size_and_every_byte(void **state) {
    (void)state;
    char text[40] = {0};
    for (size_t size = 0; size < sizeof text; size++) {
        uint64_t hash = view_hash(view_make(text, size), 1);
        assert_true(hash == view_hash(view_make(text, size), 1));
        assert_true(hash != view_hash(view_make(text, size), 2));
        assert_true(hash != view_hash(view_make(text, size + 1), 1));
        for (size_t i = 0; i < size; i++) {
            text[i] ^= 1;
            assert_true(hash != view_hash(view_make(text, size), 1));
            text[i] ^= 1;
        }
    }
}

static void printable_is_what_is_neither_control_nor_beyond_ascii(void **state) {
    (void)state;
    char text[24];
    for (size_t size = 0; size <= sizeof text; size++) {
        memset(text, 'a', sizeof text);
        assert_true(view_is_printable(view_make(text, size)));
        for (size_t at = 0; at < size; at++) {
            for (int c = 0; c < 256; c++) {
                text[at] = (char)c;
                assert_int_equal(view_is_printable(view_make(text, size)), c >= 0x20 && c < 0x7F);
            }
            text[at] = 'a';
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable_is_what_is_neither_control_nor_beyond_ascii),
        cmocka_unit_test(equality_is_by_bytes),
        cmocka_unit_test(case_is_ignored_for_ascii_only),
        cmocka_unit_test(a_prefix_sorts_before_what_it_begins),
        cmocka_unit_test(numbers_parse_up_to_the_last_and_not_past_it),
        cmocka_unit_test(utf8_takes_the_first_and_last_of_each_length),
        cmocka_unit_test(utf8_refuses_overlong_surrogate_and_cut_forms),
        cmocka_unit_test(utf8_finds_a_bad_byte_at_every_position),
        cmocka_unit_test(utf8_agrees_with_its_definition),
        cmocka_unit_test(hash_depends_on_seed_size_and_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
