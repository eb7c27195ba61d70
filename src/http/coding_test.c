#include "http/coding.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const bool all[CODING_COUNT] = {true, true, true};

static void check_all(const char *accept, enum coding wanted) {
    assert_int_equal(coding_choose(view_of(accept), all), wanted);
}

static void takes_the_smallest_of_what_is_wanted_equally(void **state) {
    (void)state;
    check_all("gzip, deflate, br, zstd", CODING_BROTLI);
    check_all("gzip, deflate", CODING_GZIP);
    check_all("GZIP", CODING_GZIP);
    check_all("x-gzip", CODING_GZIP);
    check_all("*", CODING_BROTLI);
    check_all("br;q=0.5, *;q=0.5", CODING_BROTLI);
}

static void sends_as_it_is_to_who_says_nothing_of_the_kind(void **state) {
    (void)state;
    check_all("", CODING_IDENTITY);
    check_all("deflate, zstd", CODING_IDENTITY);
    check_all("identity", CODING_IDENTITY);
    check_all(" , ;, ;;q=1", CODING_IDENTITY);
    assert_int_equal(coding_choose((stet_view){0}, all), CODING_IDENTITY);
}

static void weights_decide(void **state) {
    (void)state;
    check_all("br;q=0.2, gzip;q=0.8", CODING_GZIP);
    check_all("br; Q=0.2 , gzip ; q=0.8", CODING_GZIP);
    check_all("br;q=0, gzip", CODING_GZIP);
    check_all("br;q=0, *", CODING_GZIP);
    check_all("gzip;q=0.5, identity", CODING_IDENTITY);
    check_all("gzip;q=0.001", CODING_GZIP);
    check_all("gzip;q=1.000, br;q=0.999", CODING_GZIP);
}

static void a_weight_that_cannot_be_read_is_none(void **state) {
    (void)state;
    static const char *const bad[] = {"br;q=",      "br;q=x",      "br;q=2",  "br;q=-1",
                                      "br;q=1.001", "br;q=0.0001", "br;q=.5", "br;q=0,5"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_all(bad[i], CODING_IDENTITY);
}

static void who_refuses_everything_gets_it_as_it_is(void **state) {
    (void)state;
    check_all("*;q=0", CODING_IDENTITY);
    check_all("identity;q=0", CODING_IDENTITY);
    check_all("identity;q=0, gzip;q=0.1", CODING_GZIP);
}

static void only_what_there_is_is_chosen(void **state) {
    (void)state;
    static const bool gzip_only[CODING_COUNT] = {true, false, true};
    static const bool plain_only[CODING_COUNT] = {true, false, false};
    assert_int_equal(coding_choose(VIEW("br, gzip;q=0.1"), gzip_only), CODING_GZIP);
    assert_int_equal(coding_choose(VIEW("br, gzip"), plain_only), CODING_IDENTITY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_smallest_of_what_is_wanted_equally),
        cmocka_unit_test(sends_as_it_is_to_who_says_nothing_of_the_kind),
        cmocka_unit_test(weights_decide),
        cmocka_unit_test(a_weight_that_cannot_be_read_is_none),
        cmocka_unit_test(who_refuses_everything_gets_it_as_it_is),
        cmocka_unit_test(only_what_there_is_is_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
