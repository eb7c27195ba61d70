/* Signatures, against what another implementation says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/view.h"
#include "outbound/sign.h"

#include <sodium.h>

#define TEST(name) static void name(void **state)

/* Python: hmac.new(b"s3cret", b'1700000000.{"a":1}', hashlib.sha256).hexdigest() */
TEST(the_time_and_the_body_are_signed) {
    struct arena arena;
    (void)state;
    arena_init(&arena, 1024);
    assert_true(sodium_init() >= 0);
    stet_view signature = sign_body(&arena, VIEW("s3cret"), 1700000000, VIEW("{\"a\":1}"));
    assert_string_equal(
        signature.bytes,
        "t=1700000000,v1=1698a50bc74d1ff1db85c4e0a5297c2ad9fdba245d5737cdb789e4cc6e098940");
    stet_view other = sign_body(&arena, VIEW("s3cret"), 1700000001, VIEW("{\"a\":1}"));
    assert_false(view_equal(view_make(signature.bytes + 13, 67), view_make(other.bytes + 13, 67)));
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_time_and_the_body_are_signed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
