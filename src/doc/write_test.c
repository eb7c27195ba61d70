#include "doc/write.h"

#include "doc/doc_testing.h"

static void strings_are_escaped_and_come_back(void **state) {
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, &test_arena, 0);
    stet_view text = VIEW("a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\0z\xc3\xa9");
    json_string(&buffer, text);
    assert_int_equal(buffer_status(&buffer), STET_OK);
    check_view(buffer_view(&buffer),
               "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000z\xc3\xa9\"");
    struct doc doc = must_parse_view(buffer_view(&buffer));
    stet_view decoded;
    assert_int_equal(doc_string(&test_arena, &doc, 0, &decoded), STET_OK);
    assert_true(view_equal(decoded, text));
}

/* Strings are looked at eight bytes at a time: every byte at every place of one of up to 20 comes out as its escape says. */
static void a_byte_is_escaped_wherever_it_stands(void **state) {
    (void)state;
    char text[20];
    for (unsigned c = 0; c < 128; c++) {
        for (size_t size = 1; size <= sizeof text; size++) {
            for (size_t at = 0; at < size; at++) {
                struct buffer quoted, body;
                arena_reset(&test_arena);
                buffer_init(&quoted, &test_arena, 0);
                buffer_init(&body, &test_arena, 0);
                memset(text, 'x', sizeof text);
                text[at] = (char)c;
                buffer_append_char(&body, '"');
                json_string_body(&body, view_make(text, size));
                buffer_append_char(&body, '"');
                json_string(&quoted, view_make(text, size));
                assert_true(view_equal(buffer_view(&quoted), buffer_view(&body)));
            }
        }
    }
}

static void the_writer_places_commas(void **state) {
    (void)state;
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, &test_arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("a\n"), VIEW("x"));
    json_key(&writer, VIEW("list"));
    json_array_begin(&writer);
    json_u64(&writer, UINT64_MAX);
    json_null(&writer);
    json_array_begin(&writer);
    json_array_end(&writer);
    json_object_begin(&writer);
    json_object_end(&writer);
    json_array_end(&writer);
    json_member_u64(&writer, VIEW("n"), 0);
    json_member_bool(&writer, VIEW("t"), true);
    json_member_raw(&writer, VIEW("raw"), VIEW("1.10"));
    json_key_raw(&writer, VIEW("k\\u0041"));
    json_u64_text(&writer, 7);
    json_key(&writer, VIEW("at"));
    json_rfc3339(&writer, 1);
    json_members_raw(&writer, VIEW("\"b\":1,\"c\":[]"));
    json_member_bool(&writer, VIEW("last"), false);
    json_object_end(&writer);
    assert_int_equal(json_end(&writer), STET_OK);
    check_view(buffer_view(&buffer),
               "{\"a\\n\":\"x\",\"list\":[18446744073709551615,null,[],{}],\"n\":0,\"t\":true,"
               "\"raw\":1.10,"
               "\"k\\u0041\":\"7\",\"at\":\"1970-01-01T00:00:00.000000001Z\","
               "\"b\":1,\"c\":[],\"last\":false}");
}

static void a_failure_sticks(void **state) {
    (void)state;
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, &test_arena, 8);
    json_begin(&writer, &buffer);
    json_array_begin(&writer);
    json_text(&writer, VIEW("longer than that"));
    json_null(&writer);
    json_array_end(&writer);
    assert_int_equal(json_end(&writer), STET_TOO_LARGE);
}

static void levels_remember_what_they_are(void **state) {
    (void)state;
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, &test_arena, 0);
    json_begin(&writer, &buffer);
    for (int i = 0; i < JSON_WRITER_DEPTH_MAX / 2; i++) {
        json_array_begin(&writer);
        json_object_begin(&writer);
        json_key(&writer, VIEW("k"));
    }
    json_null(&writer);
    for (int i = 0; i < JSON_WRITER_DEPTH_MAX / 2; i++) {
        json_object_end(&writer);
        json_array_end(&writer);
    }
    assert_int_equal(json_end(&writer), STET_OK);
    must_parse_view(buffer_view(&buffer));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(strings_are_escaped_and_come_back),
        ARENA_TEST(a_byte_is_escaped_wherever_it_stands),
        ARENA_TEST(the_writer_places_commas),
        ARENA_TEST(a_failure_sticks),
        ARENA_TEST(levels_remember_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
