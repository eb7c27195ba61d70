#include "http/cookie.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum cookie_found find(const char *header, stet_view *value) {
    *value = (stet_view){0};
    return cookie_find(view_of(header), VIEW("stet_session"), value);
}

static void check_found(const char *header, const char *wanted) {
    stet_view value;
    assert_int_equal(find(header, &value), COOKIE_FOUND);
    assert_int_equal(value.size, strlen(wanted));
    assert_memory_equal(value.bytes, wanted, value.size);
}

static void check_absent(const char *header) {
    stet_view value;
    assert_int_equal(find(header, &value), COOKIE_ABSENT);
}

static void finds_a_cookie_among_others(void **state) {
    (void)state;
    check_found("stet_session=abc", "abc");
    check_found("a=1; stet_session=abc; b=2", "abc");
    check_found("a=1;stet_session=abc", "abc");
    check_found("  a = 1 ;  stet_session = abc  ", "abc");
    check_found("stet_session=\"abc\"", "abc");
    check_found("stet_session=a=b=", "a=b=");
    check_found("stet_session=", "");
    check_found("stet_session=\"", "\"");
}

static void takes_no_other_name_for_it(void **state) {
    (void)state;
    check_absent("");
    check_absent(";;; ;=;==; =x");
    check_absent("stet_session");
    check_absent("xstet_session=abc; stet_sessionx=abc; Stet_Session=abc");
    check_absent("a=\"; stet_sessio\"; n=1");
}

static void does_not_choose_between_two(void **state) {
    stet_view value;
    (void)state;
    assert_int_equal(find("stet_session=a; stet_session=b", &value), COOKIE_AMBIGUOUS);
    assert_int_equal(find("stet_session=a; x=1; stet_session=a; stet_session=", &value),
                     COOKIE_AMBIGUOUS);
    check_found("stet_session=a; stet_session=a", "a");
}

/* In a block of exactly its size, so that a byte read too far is seen. */
static void reads_no_byte_too_many(void **state) {
    static const char alphabet[] = "stet_session==;;  \"a";
    unsigned seed = 7;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[48];
        size_t size = 0;
        while (size < sizeof text && (seed = seed * 1103515245u + 12345u, (seed >> 16) % 29 != 0)) {
            if ((seed >> 20) % 7 == 0 && size + 12 <= sizeof text) {
                memcpy(text + size, "stet_session", 12);
                size += 12;
            } else {
                text[size++] = alphabet[(seed >> 18) % (sizeof alphabet - 1)];
            }
        }
        char *copy = malloc(size == 0 ? 1 : size);
        stet_view value = {0};
        assert_non_null(copy);
        memcpy(copy, text, size);
        if (cookie_find(view_make(copy, size), VIEW("stet_session"), &value) == COOKIE_FOUND)
            assert_true(value.bytes >= copy && value.bytes + value.size <= copy + size);
        free(copy);
    }
}

static void writes_what_a_browser_keeps(void **state) {
    struct arena arena;
    struct cookie cookie = {.name = VIEW("stet_session"),
                            .value = VIEW("abc"),
                            .path = VIEW("/v1/main"),
                            .lifetime_s = 60};
    (void)state;
    arena_init(&arena, 1024);
    assert_string_equal(cookie_format(&arena, &cookie).bytes,
                        "stet_session=abc; Path=/v1/main; Max-Age=60; HttpOnly; SameSite=Lax");
    cookie.secure = true;
    cookie.value = VIEW("");
    assert_string_equal(cookie_format(&arena, &cookie).bytes,
                        "stet_session=; Path=/v1/main; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_a_cookie_among_others), cmocka_unit_test(takes_no_other_name_for_it),
        cmocka_unit_test(does_not_choose_between_two), cmocka_unit_test(reads_no_byte_too_many),
        cmocka_unit_test(writes_what_a_browser_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
