#include "http/live_frame.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

/* The text of the only message in the buffer, of less than 126 bytes. */
static void expect_message(struct buffer *out, const char *text) {
    assert_int_equal(buffer_status(out), STET_OK);
    assert_int_equal(out->size, strlen(text) + 2);
    assert_int_equal((unsigned char)out->bytes[0], 0x81);
    assert_int_equal(out->bytes[1], strlen(text));
    assert_memory_equal(out->bytes + 2, text, strlen(text));
    buffer_reset(out);
}

static void an_event_has_its_subscription_and_position(void **state) {
    struct buffer out;
    (void)state;
    buffer_init(&out, NULL, 0);
    live_put_event(&out, VIEW("\"a\""), VIEW("change"), 7, VIEW("{\"seq\":7}"));
    expect_message(&out, "{\"sub\":\"a\",\"event\":\"change\",\"id\":7,\"data\":{\"seq\":7}}");
    live_put_event(&out, VIEW("\"a\""), VIEW("change"), 0, VIEW("{}"));
    expect_message(&out, "{\"sub\":\"a\",\"event\":\"change\",\"data\":{}}");
    live_put_event(&out, (stet_view){0}, VIEW("auth"), 0, VIEW("{}"));
    expect_message(&out, "{\"event\":\"auth\",\"data\":{}}");
    buffer_done(&out);
}

static void an_answer_says_what_is_said_in_headers_else(void **state) {
    struct buffer out;
    (void)state;
    buffer_init(&out, NULL, 0);
    live_put_answer(&out,
                    &(struct live_answer){.id = UINT64_MAX, .status = 200, .body = VIEW("{}")});
    expect_message(&out, "{\"id\":18446744073709551615,\"status\":200,\"body\":{}}");
    live_put_answer(
        &out,
        &(struct live_answer){
            .id = 1, .status = 503, .replayed = true, .retry_after_s = 5, .body = VIEW("{}")});
    expect_message(&out,
                   "{\"id\":1,\"status\":503,\"replayed\":true,\"retry_after_s\":5,\"body\":{}}");
    buffer_done(&out);
}

/* It took effect; for the rest, memory was out. */
static void an_answer_without_a_body_is_json_all_the_same(void **state) {
    struct buffer out;
    (void)state;
    buffer_init(&out, NULL, 0);
    live_put_answer(&out, &(struct live_answer){.id = 1, .status = 201});
    expect_message(&out, "{\"id\":1,\"status\":201,\"body\":null}");
    buffer_done(&out);
}

static void the_longest_name_fits(void **state) {
    char name[64 * 6 + 2];
    char number[8];
    struct buffer out;
    (void)state;
    memset(name, 'x', sizeof name);
    buffer_init(&out, NULL, 0);
    live_put_event(&out, view_make(name, sizeof name), VIEW("operation"), UINT64_MAX, VIEW("{}"));
    size_t size = out.size - 4; /* The head has four bytes. */
    memcpy(number, out.bytes, 4);
    assert_int_equal((unsigned char)number[2] << 8 | (unsigned char)number[3], size);
    stet_view end = VIEW("\"event\":\"operation\",\"id\":18446744073709551615,\"data\":{}}");
    assert_memory_equal(out.bytes + out.size - end.size, end.bytes, end.size);
    buffer_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_has_its_subscription_and_position),
        cmocka_unit_test(an_answer_says_what_is_said_in_headers_else),
        cmocka_unit_test(an_answer_without_a_body_is_json_all_the_same),
        cmocka_unit_test(the_longest_name_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
