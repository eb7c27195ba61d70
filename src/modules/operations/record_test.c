#include "modules/operations/record.h"

#include "doc/doc_testing.h"

static const stet_view agents[] = {{"one", 3}, {"t\"wo", 4}};

/* One in which everything is said. */
static struct operation_record full(void) {
    return (struct operation_record){
        .status = OPERATION_RUNNING,
        .event = VIEW("OperationStarted"),
        .lane = VIEW("default"),
        .class_ = STET_CLASS_LOW,
        .effective = STET_CLASS_HIGH,
        .op_type = VIEW("print"),
        .agent = VIEW("printer"),
        .function = VIEW("sum"),
        .handler = VIEW("on-write"),
        .by = VIEW("Ada \"L\""),
        .cause_seq = 3,
        .input = VIEW("{\"status\":\"hers\",\"_created\":1,\"list\":[1.10,null]}"),
        .input_apart = true,
        .target = VIEW("bills/7"),
        .parent = VIEW("above"),
        .batch_key = VIEW("batch"),
        .depth = 2,
        .depends_on = {.items = agents, .count = 2},
        .created_at = 1700000000000000001,
        .queued_at = 1700000000000000002,
        .not_before = 1700000000000000003,
        .deadline = 1700000000000000004,
        .timeout_s = 5,
        .max_retries = 6,
        .retries = 7,
        .attempts = 8,
        .level = 9,
        .started_at = 1700000000000000010,
        .current_agent = VIEW("printer"),
        .worker = VIEW("2"),
        .agents = {.items = agents, .count = 2},
        .has_percent = true,
        .percent = 12.5,
        .estimated_s = 1.5,
        .message = VIEW("half"),
        .updates = {{.at = 1700000000000000011, .message = VIEW("begun"), .agent = VIEW("a")},
                    {.at = 1700000000000000012,
                     .has_percent = true,
                     .percent = 12.5,
                     .message = VIEW("half"),
                     .agent = VIEW("b")}},
        .update_count = 2,
        .finished_at = 1700000000000000013,
        .result = VIEW("[true]"),
        .result_apart = true,
        .error = VIEW("error"),
        .reason = VIEW("reason"),
        .turn = 14,
        .tag = 15,
        .token = 16,
        .held = true,
        .ttl_s = 17,
        .claimed_by = VIEW("somebody"),
        .batch = 18,
        .after = 19,
        .done = VIEW("hash"),
        .results = VIEW("[4,8]"),
    };
}

static void must_read(stet_view data, struct operation_record *record) {
    stet_error err = {0};
    if (record_read(&test_arena, data, record, &err) != STET_OK) fail_msg("%s", err.message);
}

static void check_same(stet_view data, struct operation_record *record) {
    stet_view again = record_write(&test_arena, record);
    if (!view_equal(again, data)) fail_msg("%.*s\n%.*s", VIEW_ARG(data), VIEW_ARG(again));
}

static void what_was_written_is_read(void **state) {
    (void)state;
    struct operation_record record = full(), read, bare = {0};
    stet_view data = record_write(&test_arena, &record);
    must_read(data, &read);
    assert_int_equal(read.update_count, 2);
    assert_int_equal(read.agents.count, 2);
    assert_true(view_equal(read.by, record.by));
    assert_int_equal(read.after, record.after);
    check_same(data, &read);

    bare.status = OPERATION_QUEUED;
    bare.lane = VIEW("default");
    bare.class_ = bare.effective = STET_CLASS_NORMAL;
    data = record_write(&test_arena, &bare);
    must_read(data, &read);
    check_same(data, &read);
}

/* The value with the members of every object in it, but for what somebody else wrote, the other way round. */
static void put_reversed(struct json_writer *writer, const struct doc *doc, doc_node node,
                         unsigned depth) {
    enum { MEMBERS_MAX = 64 };
    doc_node children[MEMBERS_MAX];
    size_t count = 0;
    bool ours = doc_kind(doc, node) == DOC_OBJECT || doc_kind(doc, node) == DOC_ARRAY;
    if (!ours || depth > 3) {
        json_raw(writer, doc_text(doc, node));
        return;
    }
    for (doc_node child = doc_first(doc, node); child != DOC_NONE; child = doc_next(doc, child)) {
        assert_true(count < MEMBERS_MAX);
        children[count++] = child;
    }
    bool object = doc_kind(doc, node) == DOC_OBJECT;
    if (object) {
        json_object_begin(writer);
    } else {
        json_array_begin(writer);
    }
    for (size_t i = 0; i < count; i++) {
        doc_node child = object ? children[count - 1 - i] : children[i];
        bool theirs = false;
        if (object) {
            json_key_raw(writer, doc_key_raw(doc, child));
            theirs = view_equal(doc_key_raw(doc, child), VIEW("input"));
        }
        put_reversed(writer, doc, child, theirs ? 4 : depth + 1);
    }
    if (object) {
        json_object_end(writer);
    } else {
        json_array_end(writer);
    }
}

static void members_may_stand_in_another_order(void **state) {
    (void)state;
    struct operation_record record = full(), read;
    struct buffer buffer;
    struct json_writer writer;
    stet_view data = record_write(&test_arena, &record);
    struct doc doc = must_parse_view(data);
    buffer_init(&buffer, &test_arena, 0);
    json_begin(&writer, &buffer);
    put_reversed(&writer, &doc, 0, 0);
    assert_int_equal(json_end(&writer), STET_OK);
    assert_true(view_starts(buffer_view(&buffer), VIEW("{\"_results\":")));
    must_read(buffer_view(&buffer), &read);
    check_same(data, &read);
}

/* Each member in turn stands last; the others keep their order. */
static void any_member_may_stand_elsewhere(void **state) {
    (void)state;
    struct operation_record record = full();
    stet_view data = record_write(&test_arena, &record);
    struct doc doc = must_parse_view(data);
    for (doc_node moved = doc_first(&doc, 0); moved != DOC_NONE; moved = doc_next(&doc, moved)) {
        struct operation_record read;
        struct buffer buffer;
        struct json_writer writer;
        buffer_init(&buffer, &test_arena, 0);
        json_begin(&writer, &buffer);
        json_object_begin(&writer);
        for (int last = 0; last < 2; last++) {
            for (doc_node child = doc_first(&doc, 0); child != DOC_NONE;
                 child = doc_next(&doc, child)) {
                if ((child == moved) != (last == 1)) continue;
                json_key_raw(&writer, doc_key_raw(&doc, child));
                json_raw(&writer, doc_text(&doc, child));
            }
        }
        json_object_end(&writer);
        assert_int_equal(json_end(&writer), STET_OK);
        must_read(buffer_view(&buffer), &read);
        check_same(data, &read);
    }
}

static void what_nobody_knows_is_passed_over(void **state) {
    (void)state;
    struct operation_record read;
    must_read(VIEW("{\"status\":\"queued\",\"later\":{\"lane\":\"x\"},\"lane\":\"default\","
                   "\"class\":\"low\",\"progress\":{\"mood\":1,\"percent\":3}}"),
              &read);
    check_view(read.lane, "default");
    assert_true(read.has_percent && read.percent == 3);
    stet_error err = {0};
    assert_int_equal(record_read(&test_arena, VIEW("{\"status\":\"queued\"}"), &read, &err),
                     STET_CORRUPT);
    assert_int_equal(record_read(&test_arena, VIEW("[\"status\"]"), &read, &err), STET_CORRUPT);
}

static void what_is_visible_is_all_but_the_queues_own(void **state) {
    (void)state;
    struct operation_record record = full();
    struct buffer buffer;
    stet_view data = record_write(&test_arena, &record);
    buffer_init(&buffer, &test_arena, 0);
    buffer_append_char(&buffer, '{');
    buffer_append_view(&buffer, record.visible);
    buffer_append_char(&buffer, '}');
    struct doc all = must_parse_view(data), visible = must_parse_view(buffer_view(&buffer));
    size_t hidden = 0;
    for (doc_node child = doc_first(&all, 0); child != DOC_NONE; child = doc_next(&all, child)) {
        stet_view key = doc_key_raw(&all, child);
        doc_node same = doc_member(&visible, 0, key);
        bool own = key.bytes[0] == '_';
        assert_true(own == (same == DOC_NONE));
        hidden += own;
        if (!own) assert_true(view_equal(doc_text(&visible, same), doc_text(&all, child)));
    }
    assert_int_equal(doc_count(&visible, 0) + hidden, doc_count(&all, 0));
    assert_true(hidden > 10);
}

static void check_seconds(double seconds, const char *expected) {
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, &test_arena, 0);
    json_begin(&writer, &buffer);
    json_seconds(&writer, seconds);
    assert_int_equal(json_end(&writer), STET_OK);
    check_view(buffer_view(&buffer), expected);
}

static void seconds_are_told_to_the_millisecond(void **state) {
    (void)state;
    char expected[40];
    for (unsigned ms = 0; ms < 12345678; ms += ms < 2000 ? 1 : 4567) {
        arena_reset(&test_arena);
        snprintf(expected, sizeof expected, "%.10g", (double)ms / 1000);
        check_seconds((double)ms / 1000, expected);
    }
    check_seconds(0.0004, "0");
    check_seconds(0.0005, "0.001");
    check_seconds(1.9999, "2");
    check_seconds(999999.9994, "999999.999");
    check_seconds(1234567.125, "1234567.125");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(what_was_written_is_read),
        ARENA_TEST(members_may_stand_in_another_order),
        ARENA_TEST(any_member_may_stand_elsewhere),
        ARENA_TEST(what_nobody_knows_is_passed_over),
        ARENA_TEST(seconds_are_told_to_the_millisecond),
        ARENA_TEST(what_is_visible_is_all_but_the_queues_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
