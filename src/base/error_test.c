#include "base/error.h"
#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void every_status_has_its_row(void **state) {
    (void)state;
    assert_string_equal(status_code(STET_CONCURRENT_MODIFICATION), "CONCURRENT_MODIFICATION");
    assert_int_equal(status_http(STET_CONCURRENT_MODIFICATION), 409);
    assert_int_equal(status_http(STET_OK), 200);
    assert_int_equal(status_retry(STET_BUSY), STATUS_RETRY_LATER);
    assert_int_equal(status_retry(STET_COMMIT_UNKNOWN), STATUS_RETRY_SAME_KEY);
#define STATUS(name, value, http, retry, words)                                                    \
    assert_int_equal(STET_##name, value);                                                          \
    assert_string_equal(status_code(STET_##name), #name);                                          \
    assert_string_equal(status_words(STET_##name), words);                                         \
    assert_in_range(status_http(STET_##name), 200, 599);
#include "base/status.def"
#undef STATUS
}

static void an_unknown_status_reads_as_internal(void **state) {
    (void)state;
    assert_string_equal(status_code((stet_status)9999), "INTERNAL");
    assert_string_equal(status_code((stet_status)-1), "INTERNAL");
    assert_int_equal(status_http((stet_status)9999), 500);
}

static void setting_an_error_clears_what_stood_there(void **state) {
    (void)state;
    stet_error err;
    memset(&err, 'x', sizeof err);
    assert_int_equal(error_set(&err, STET_TOO_LARGE, "could not write \"%s\"", "a/1"),
                     STET_TOO_LARGE);
    assert_int_equal(err.status, STET_TOO_LARGE);
    assert_string_equal(err.message, "could not write \"a/1\"");
    assert_string_equal(err.field, "");
    assert_string_equal(err.cause, "");
    assert_int_equal(err.limit, 0);
    error_field(&err, "/title", 100);
    error_cause(&err, "errno %d", 5);
    assert_string_equal(err.field, "/title");
    assert_int_equal(err.limit, 100);
    assert_string_equal(err.cause, "errno 5");
}

static void nobody_asking_is_fine(void **state) {
    (void)state;
    assert_int_equal(error_set(NULL, STET_IO, "%s", "x"), STET_IO);
    error_field(NULL, "x", 1);
    error_field_view(NULL, VIEW("x"), 1);
    error_cause(NULL, "x");
}

static void an_error_can_be_wrapped_in_itself(void **state) {
    (void)state;
    stet_error err;
    error_set(&err, STET_IO, "disk on fire");
    error_set(&err, STET_IO, "could not open: %s", err.message);
    assert_string_equal(err.message, "could not open: disk on fire");
    error_cause(&err, "first");
    error_cause(&err, "%s, then second", err.cause);
    assert_string_equal(err.cause, "first, then second");
}

static void a_message_gets_its_subject(void **state) {
    (void)state;
    char field[120];
    stet_error err;
    error_set(&err, STET_BAD_REQUEST, "is missing");
    error_subject(&err, "all of it");
    assert_string_equal(err.message, "all of it is missing");
    error_set(&err, STET_BAD_REQUEST, "is missing");
    error_field(&err, "/on", 7);
    error_subject(&err, "all of it");
    assert_string_equal(err.message, "/on is missing");
    assert_string_equal(err.field, "/on");
    assert_int_equal(err.limit, 7);
    /* However long the name, what is wrong with it can be read. */
    for (size_t shift = 0; shift < 3; shift++) {
        size_t size = shift;
        memset(field, 'x', shift);
        for (; size + 3 < sizeof field; size += 3)
            memcpy(field + size, "\xE2\x82\xAC", 3);
        field[size] = '\0';
        error_set(&err, STET_BAD_REQUEST, "is missing");
        error_field(&err, field, 0);
        error_subject(&err, "all of it");
        assert_true(view_is_utf8(view_of(err.message)));
        assert_non_null(strstr(err.message, "\xE2\x80\xA6 is missing"));
    }
    error_subject(NULL, "x");
}

/* Characters of each length are moved over the place where the text is cut. */
static void what_is_no_text_is_told_as_question_marks(void **state) {
    (void)state;
    stet_error err;
    /* Cut through a character, as "%.*s" does; a lone byte; and what is well stays. */
    error_set(&err, STET_BAD_REQUEST, "\"%.*s\" is none", 3, "h\xC3\xA9\xC3\xA9");
    assert_string_equal(err.message, "\"h\xC3\xA9\" is none");
    error_set(&err, STET_BAD_REQUEST, "\"%.*s\" is none", 4, "h\xC3\xA9\xC3\xA9");
    assert_string_equal(err.message, "\"h\xC3\xA9?\" is none");
    error_set(&err, STET_BAD_REQUEST, "\xFF\xE2\x82 \xF0\x9F\x98\x80\xED\xA0\x80");
    assert_string_equal(err.message, "??? \xF0\x9F\x98\x80???");
}

static void a_long_text_is_cut_between_characters(void **state) {
    (void)state;
    static const char *const characters[] = {"a", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t i = 0; i < 4; i++) {
        for (size_t shift = 0; shift < 4; shift++) {
            char text[1024];
            size_t size = shift;
            memset(text, 'x', shift);
            while (size < 400) {
                memcpy(text + size, characters[i], i + 1);
                size += i + 1;
            }
            text[size] = '\0';
            stet_error err;
            error_set(&err, STET_IO, "%s", text);
            error_cause(&err, "%s", text);
            error_field_view(&err, view_make(text, size), 0);
            assert_true(view_is_utf8(view_of(err.message)));
            assert_true(view_is_utf8(view_of(err.cause)));
            assert_true(view_is_utf8(view_of(err.field)));
            assert_in_range(strlen(err.message), sizeof err.message - 1 - i,
                            sizeof err.message - 1);
            assert_in_range(strlen(err.field), sizeof err.field - 1 - i, sizeof err.field - 1);
            assert_memory_equal(err.message, text, strlen(err.message));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_row),
        cmocka_unit_test(an_unknown_status_reads_as_internal),
        cmocka_unit_test(setting_an_error_clears_what_stood_there),
        cmocka_unit_test(nobody_asking_is_fine),
        cmocka_unit_test(an_error_can_be_wrapped_in_itself),
        cmocka_unit_test(a_message_gets_its_subject),
        cmocka_unit_test(what_is_no_text_is_told_as_question_marks),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
