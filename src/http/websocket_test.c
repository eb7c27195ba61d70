#include "http/websocket.h"

#include "base/view.h"
#include "http/sha1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static void expect_sha1(const char *text, const char *digits) {
    uint8_t digest[SHA1_BYTES];
    char got[2 * SHA1_BYTES + 1];
    sha1(view_of(text), digest);
    for (int i = 0; i < SHA1_BYTES; i++)
        snprintf(got + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(got, digits);
}

static void sha1_is_that_of_the_standard(void **state) {
    (void)state;
    expect_sha1("", "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    expect_sha1("abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
    expect_sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    /* Around the ends of a block. */
    expect_sha1("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    expect_sha1("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "0098ba824b5c16427bd7a1122a5a442a25ec644d");
}

static void the_answer_to_a_key_is_that_of_the_standard(void **state) {
    char accept[WEBSOCKET_ACCEPT_BYTES + 1];
    (void)state;
    websocket_accept(VIEW("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void a_key_is_sixteen_bytes_in_base64(void **state) {
    (void)state;
    assert_true(websocket_key_is_valid(VIEW("dGhlIHNhbXBsZSBub25jZQ==")));
    assert_true(websocket_key_is_valid(VIEW("++++////++++////++++//==")));
    assert_false(websocket_key_is_valid(VIEW("")));
    assert_false(websocket_key_is_valid(VIEW("dGhlIHNhbXBsZSBub25jZQ=")));
    assert_false(websocket_key_is_valid(VIEW("dGhlIHNhbXBsZSBub25jZQ===")));
    assert_false(websocket_key_is_valid(VIEW("dGhlIHNhbXBsZSBub25jZQ=a")));
    assert_false(websocket_key_is_valid(VIEW("dGhlIHNhbXBsZSBub25j Q==")));
    assert_false(websocket_key_is_valid((stet_view){"dGhlIHNhbXBsZSBub25j\0Q==", 24}));
}

static void expect_head(size_t size, const char *bytes, size_t count) {
    char out[WEBSOCKET_HEAD_BYTES_MAX];
    assert_int_equal(websocket_put_head(out, size) - out, count);
    assert_memory_equal(out, bytes, count);
}

static void the_head_of_a_frame_has_the_shortest_size(void **state) {
    (void)state;
    expect_head(0, "\x81\x00", 2);
    expect_head(125, "\x81\x7D", 2);
    expect_head(126, "\x81\x7E\x00\x7E", 4);
    expect_head(65535, "\x81\x7E\xFF\xFF", 4);
    expect_head(65536, "\x81\x7F\x00\x00\x00\x00\x00\x01\x00\x00", 10);
}

static void words_are_found_in_lists(void **state) {
    (void)state;
    assert_true(websocket_names(VIEW("keep-alive, Upgrade"), VIEW("upgrade")));
    assert_true(websocket_names(VIEW("WebSocket"), VIEW("websocket")));
    assert_false(websocket_names(VIEW("upgrades"), VIEW("upgrade")));
    assert_false(websocket_names(VIEW(""), VIEW("upgrade")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha1_is_that_of_the_standard),
        cmocka_unit_test(the_answer_to_a_key_is_that_of_the_standard),
        cmocka_unit_test(a_key_is_sixteen_bytes_in_base64),
        cmocka_unit_test(the_head_of_a_frame_has_the_shortest_size),
        cmocka_unit_test(words_are_found_in_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
