#include "http/frame.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdint.h>
#include <stdlib.h>

/* The text of an event, which never passes its bound. */
static void expect_frame(const stet_event *event, const char *text) {
    size_t breaks;
    size_t size_max = frame_bytes_max(event, &breaks);
    char *out = malloc(size_max);
    assert_non_null(out);
    size_t size = (size_t)(frame_put(out, event, breaks) - out);
    assert_in_range(size, 1, size_max);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(out, text, size);
    free(out);
}

static void an_event_has_id_name_and_data(void **state) {
    stet_event event = {.kind = STET_EVENT_CHANGE, .seq = 7, .resume = 7, .data = VIEW("{}")};
    (void)state;
    expect_frame(&event, "id: 7\nevent: change\ndata: {}\n\n");
}

static void inside_a_transaction_there_is_no_id(void **state) {
    stet_event event = {.kind = STET_EVENT_CONFLICT, .seq = 7, .data = VIEW("{\"a\":1}")};
    (void)state;
    expect_frame(&event, "event: conflict\ndata: {\"a\":1}\n\n");
}

static void every_line_of_the_data_gets_its_own_field(void **state) {
    stet_event event = {.kind = STET_EVENT_BOOKMARK, .data = VIEW("{\n\"a\":\r1\r\n}")};
    (void)state;
    expect_frame(&event, "event: bookmark\ndata: {\ndata: \"a\":\ndata: 1\ndata: \ndata: }\n\n");
}

static void the_bound_holds_for_the_largest_frame(void **state) {
    char breaks_text[1000];
    stet_event event = {.kind = STET_EVENT_BOOKMARK,
                        .resume = UINT64_MAX,
                        .data = {breaks_text, sizeof breaks_text}};
    (void)state;
    memset(breaks_text, '\n', sizeof breaks_text);
    size_t breaks;
    size_t size_max = frame_bytes_max(&event, &breaks);
    char *out = malloc(size_max);
    assert_non_null(out);
    assert_int_equal(breaks, sizeof breaks_text);
    assert_in_range(frame_put(out, &event, breaks) - out, 1, size_max);
    free(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_has_id_name_and_data),
        cmocka_unit_test(inside_a_transaction_there_is_no_id),
        cmocka_unit_test(every_line_of_the_data_gets_its_own_field),
        cmocka_unit_test(the_bound_holds_for_the_largest_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
