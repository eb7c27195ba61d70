#include "cli/convert.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* `expected` NULL: the text does not fit. */
static void check(const char *kind, const char *text, const char *expected) {
    struct convert convert;
    struct arena arena;
    struct buffer out;
    stet_error err;
    arena_init(&arena, 1024);
    buffer_init(&out, NULL, 0);
    assert_int_equal(convert_parse(view_of(kind), &convert, &err), STET_OK);
    stet_status status = convert_write(&convert, &arena, view_of(text), &out, &err);
    if (expected == NULL) {
        if (status != STET_BAD_REQUEST) print_error("%s: \"%s\" was taken\n", kind, text);
        assert_int_equal(status, STET_BAD_REQUEST);
    } else {
        if (status != STET_OK) print_error("%s: \"%s\": %s\n", kind, text, err.message);
        assert_int_equal(status, STET_OK);
        buffer_append_char(&out, '\0');
        assert_string_equal(out.bytes, expected);
    }
    buffer_done(&out);
    arena_done(&arena);
}

static void numbers_keep_their_digits(void **state) {
    (void)state;
    check("number", "12.50", "12.50");
    check("number", " -3 ", "-3");
    check("number", "+7", "7");
    check("number", "0", "0");
    check("number", "0.10", "0.10");
    check("number", "123456789012345678901234567890.1", "123456789012345678901234567890.1");
    check("number", "1e-5", "1e-5");
    check("number(.,)", "1.234.567,50", "1234567.50");
    check("number(,.)", "1,234.50", "1234.50");
    check("number(,)", "3,5", "3.5");
    check("number( ,)", "-12 345,6", "-12345.6");
}

static void what_is_no_number_is_refused(void **state) {
    static const char *const bad[] = {"",    "1,234", "007", "1.", ".5",  "1 2",   "--1",
                                      "0x1", "1e",    "nan", "-",  "+-1", "12abc", "1.2.3"};
    static const char *const grouped[] = {"1,23",   "12,3456", ",123", "1234,567",
                                          "1,,234", "1,234,5", "1.5,5"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check("number", bad[i], NULL);
    for (size_t i = 0; i < sizeof grouped / sizeof grouped[0]; i++)
        check("number(,.)", grouped[i], NULL);
}

static void booleans_are_words(void **state) {
    (void)state;
    check("boolean", "TRUE", "true");
    check("boolean", "no", "false");
    check("boolean", "1", "true");
    check("boolean", "maybe", NULL);
    check("boolean", "", NULL);
    check("boolean(ja/nein)", "Ja", "true");
    check("boolean(ja/nein)", "nein", "false");
    check("boolean(ja/nein)", "yes", NULL);
}

static void dates_become_those_of_iso_8601(void **state) {
    (void)state;
    check("date", "2026-02-28", "\"2026-02-28\"");
    check("date", "2024-02-29", "\"2024-02-29\"");
    check("date(dd.mm.yyyy)", "03.11.2025", "\"2025-11-03\"");
    check("date(d.m.yyyy)", "3.1.2025", "\"2025-01-03\"");
    check("date(mm/dd/yyyy)", "12/31/1999", "\"1999-12-31\"");
    check("date", "2026-02-29", NULL);
    check("date", "1900-02-29", NULL);
    check("date", "2026-13-01", NULL);
    check("date", "2026-00-10", NULL);
    check("date", "2026-1-10", NULL);
    check("date", "2026-01-10 ", "\"2026-01-10\"");
    check("date", "2026-01-10T00:00", NULL);
    check("date(dd.mm.yyyy)", "3.11.2025", NULL);
    check("date(dd.mm.yyyy)", "03.11.25", NULL);
}

static void lists_leave_out_what_is_empty(void **state) {
    (void)state;
    check("list", "a; b ;;c;", "[\"a\",\"b\",\"c\"]");
    check("list(|)", "a;b|c", "[\"a;b\",\"c\"]");
    check("list(, )", "a, b,c", "[\"a\",\"b,c\"]");
    check("list", "", "[]");
    check("list", "\"", "[\"\\\"\"]");
}

static void text_and_json_are_what_they_are(void **state) {
    (void)state;
    check("text", " 007\t\"x\" ", "\" 007\\t\\\"x\\\" \"");
    check("json", " {\"a\": [1]} ", "{\"a\": [1]}");
    check("json", "{\"a\":1,\"a\":2}", NULL);
    check("json", "{", NULL);
}

static void nonsense_is_not_taken_for_a_kind(void **state) {
    static const char *const bad[] = {
        "",        "numbers",        "number(",      "number(..)",
        "date()",  "date(yyyy)",     "date(yy-m-d)", "boolean(ja)",
        "text(x)", "boolean(ja/ja)", "number(abc)",  "date(yyyymmdyd)"};
    struct convert convert;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (convert_parse(view_of(bad[i]), &convert, NULL) != STET_BAD_REQUEST)
            fail_msg("number %zu was taken", i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_keep_their_digits),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(booleans_are_words),
        cmocka_unit_test(dates_become_those_of_iso_8601),
        cmocka_unit_test(lists_leave_out_what_is_empty),
        cmocka_unit_test(text_and_json_are_what_they_are),
        cmocka_unit_test(nonsense_is_not_taken_for_a_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
