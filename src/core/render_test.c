#include "core/render.h"

#include "base/view.h"
#include "core/change_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct created created = {.at = 1000, .by = {"eve", 3}};

static struct store_change change_of(enum store_op op) {
    return (struct store_change){.seq = 7,
                                 .transaction = 8,
                                 .stamp = 1700000000123456789,
                                 .version = 3,
                                 .base_version = 2,
                                 .prev = 4,
                                 .ordinal = 3,
                                 .op = op,
                                 .type = VIEW("tasks"),
                                 .id = VIEW("a/b"),
                                 .by = VIEW("ann"),
                                 .data = VIEW("{\"n\":1.10}")};
}

static struct buffer text;

static void check_text(const char *expected) {
    buffer_append_char(&text, '\0');
    assert_int_equal(buffer_status(&text), STET_OK);
    assert_string_equal(text.bytes, expected);
    buffer_done(&text);
}

static struct json_writer begin(void) {
    struct json_writer writer;
    buffer_init(&text, NULL, 0);
    json_begin(&writer, &text);
    return writer;
}

#define METADATA                                                                                   \
    "\"type\":\"tasks\",\"id\":\"a/b\",\"address\":\"tasks/a%2Fb\",\"version\":3,\"seq\":7,"       \
    "\"created_at\":\"1970-01-01T00:00:00.000001000Z\",\"created_by\":\"eve\","                    \
    "\"updated_at\":\"2023-11-14T22:13:20.123456789Z\",\"updated_by\":\"ann\","                    \
    "\"last_modified\":\"1700000000123456789\""

static void a_record_has_its_metadata_and_its_data_as_stored(void **state) {
    (void)state;
    struct store_change change = change_of(STORE_UPDATE);
    struct json_writer writer = begin();
    change.key = VIEW("k\"1");
    render_record(&writer, NULL, &change, &created);
    check_text("{" METADATA ",\"client_mutation_id\":\"k\\\"1\",\"data\":{\"n\":1.10}}");
}

static void a_tombstone_has_no_data(void **state) {
    (void)state;
    struct store_change change = change_of(STORE_DELETE);
    struct json_writer writer = begin();
    render_record(&writer, NULL, &change, &created);
    check_text("{" METADATA ",\"deleted\":true}");
}

static void an_event_of_a_delete_has_the_last_data(void **state) {
    (void)state;
    struct store_change change = change_of(STORE_DELETE);
    struct json_writer writer = begin();
    render_event(&writer, NULL, &change, &created);
    check_text("{\"seq\":7,\"prev\":2,\"transaction\":8,\"op\":\"delete\",\"record\":{" METADATA
               ",\"deleted\":true,\"data\":{\"n\":1.10}}}");
}

static void an_import_speaks_for_itself(void **state) {
    (void)state;
    struct store_change change = change_of(STORE_CREATE);
    struct arena arena;
    struct created own;
    struct json_writer writer = begin();
    arena_init(&arena, 512);
    change.id = VIEW("1");
    change.origin =
        VIEW("{\"created_at\":\"5\",\"created_by\":\"old\","
             "\"updated_at\":\"1970-01-01T00:00:00.000000009Z\",\"updated_by\":\"older\"}");
    change_created(&arena, &change, &own);
    assert_int_equal(own.at, 5);
    assert_int_equal(change_updated_at(&arena, &change), 9);
    assert_true(view_equal(change_updated_by(&arena, &change), VIEW("older")));
    render_record(&writer, NULL, &change, &own);
    check_text("{\"type\":\"tasks\",\"id\":\"1\",\"address\":\"tasks/1\",\"version\":3,\"seq\":7,"
               "\"created_at\":\"1970-01-01T00:00:00.000000005Z\",\"created_by\":\"old\","
               "\"updated_at\":\"1970-01-01T00:00:00.000000009Z\",\"updated_by\":\"older\","
               "\"last_modified\":\"9\",\"data\":{\"n\":1.10}}");
    change.origin = (stet_view){0};
    change_created(&arena, &change, &own);
    assert_int_equal(own.at, change.stamp);
    assert_true(view_equal(own.by, VIEW("ann")));
    arena_done(&arena);
}

static void flat_answers_put_data_beside_metadata(void **state) {
    (void)state;
    struct store_change change = change_of(STORE_UPDATE);
    struct json_writer writer = begin();
    change.data = VIEW("{\"name\":\"x\",\"version\":99,\"on\":true}");
    json_object_begin(&writer);
    render_flat_members(&writer, &change, &created);
    json_object_end(&writer);
    check_text("{\"id\":\"a/b\",\"version\":3,\"seq\":7,"
               "\"created_at\":\"1970-01-01T00:00:00.000001000Z\",\"created_by\":\"eve\","
               "\"updated_at\":\"2023-11-14T22:13:20.123456789Z\",\"updated_by\":\"ann\","
               "\"last_modified\":\"1700000000123456789\",\"name\":\"x\",\"on\":true}");
}

#define HISTORY                                                                                    \
    "{\"version\":3,\"seq\":7,\"transaction\":8,\"op\":\"update\",\"base_version\":2,"             \
    "\"at\":\"2023-11-14T22:13:20.123456789Z\",\"by\":\"ann\""

static void history_says_where_a_version_came_from(void **state) {
    (void)state;
    struct store_change change = change_of(STORE_UPDATE);
    struct json_writer writer = begin();
    render_history_entry(&writer, NULL, &change, false);
    check_text(HISTORY "}");
    writer = begin();
    change.source = VIEW("revert:12");
    render_history_entry(&writer, NULL, &change, true);
    check_text(HISTORY ",\"source\":\"revert\",\"reverted_to\":12,\"data\":{\"n\":1.10}}");
    writer = begin();
    change.source = VIEW("resolve");
    change.merge = VIEW("{\"strategy\":\"yours\"}");
    change.data = (stet_view){0};
    change.pruned = true;
    render_history_entry(&writer, NULL, &change, true);
    check_text(HISTORY
               ",\"source\":\"resolve\",\"merge\":{\"strategy\":\"yours\"},\"pruned\":true}");
}

static void check_parse(const char *address, const char *type, const char *id) {
    struct arena arena;
    stet_view type_read, id_read;
    arena_init(&arena, 512);
    assert_int_equal(address_parse(&arena, view_of(address), &type_read, &id_read, NULL), STET_OK);
    assert_true(view_equal(type_read, view_of(type)));
    assert_true(view_equal(id_read, view_of(id)));
    arena_done(&arena);
}

static void check_bad(const char *address) {
    struct arena arena;
    stet_view type, id;
    stet_error err = {0};
    arena_init(&arena, 512);
    assert_int_equal(address_parse(&arena, view_of(address), &type, &id, &err), STET_BAD_REQUEST);
    assert_string_equal(err.field, "address");
    arena_done(&arena);
}

static void addresses_are_read_as_they_are_written(void **state) {
    (void)state;
    check_parse("tasks/1", "tasks", "1");
    check_parse("a%2fb/%C3%A9%25", "a/b", "\xc3\xa9%");
    check_bad("");
    check_bad("tasks");
    check_bad("/1");
    check_bad("tasks/");
    check_bad("tasks/1/2");
    check_bad("tasks/1@3");
    check_bad("tasks/%");
    check_bad("tasks/%4");
    check_bad("tasks/%4g");
    buffer_init(&text, NULL, 0);
    address_format(&text, VIEW("t y"), VIEW("\xc3\xa9@~"));
    check_text("t%20y/%C3%A9%40~");
}

static void what_is_a_modules_own_is_not_shown(void **state) {
    (void)state;
    struct store_change change = change_of(STORE_UPDATE);
    change.type = VIEW("stet.x");
    change.data = VIEW("{\"a\":1,\"_secret\":2,\"b\":{\"_c\":3}}");
    struct json_writer writer = begin();
    render_history_entry(&writer, NULL, &change, true);
    buffer_append_char(&text, '\0');
    assert_non_null(strstr(text.bytes, "\"data\":{\"a\":1,\"b\":{\"_c\":3}}"));
    assert_null(strstr(text.bytes, "secret"));
    buffer_done(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_has_its_metadata_and_its_data_as_stored),
        cmocka_unit_test(a_tombstone_has_no_data),
        cmocka_unit_test(an_event_of_a_delete_has_the_last_data),
        cmocka_unit_test(an_import_speaks_for_itself),
        cmocka_unit_test(flat_answers_put_data_beside_metadata),
        cmocka_unit_test(what_is_a_modules_own_is_not_shown),
        cmocka_unit_test(history_says_where_a_version_came_from),
        cmocka_unit_test(addresses_are_read_as_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
