#include "http/websocket.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static void the_answer_to_a_key_is_that_of_the_standard(void **state) {
    char accept[WEBSOCKET_ACCEPT_BYTES + 1];
    (void)state;
    assert_true(websocket_accept(VIEW("dGhlIHNhbXBsZSBub25jZQ=="), accept));
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

static void a_masked_head_grows_with_what_follows(void **state) {
    (void)state;
    assert_int_equal(websocket_masked_head_bytes(0), 6);
    assert_int_equal(websocket_masked_head_bytes(125), 6);
    assert_int_equal(websocket_masked_head_bytes(126), 8);
    assert_int_equal(websocket_masked_head_bytes(65535), 8);
    assert_int_equal(websocket_masked_head_bytes(65536), 14);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_to_a_key_is_that_of_the_standard),
        cmocka_unit_test(a_key_is_sixteen_bytes_in_base64),
        cmocka_unit_test(the_head_of_a_frame_has_the_shortest_size),
        cmocka_unit_test(words_are_found_in_lists),
        cmocka_unit_test(a_masked_head_grows_with_what_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
