#include "http/live_message.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static struct arena arena;
static struct live_message message;
static stet_error err;

static stet_status decode(const char *text) {
    arena_reset(&arena);
    memset(&err, 0, sizeof err);
    return live_message_read(&arena, view_of(text), &message, &err);
}

static void must_read(const char *text) {
    stet_status status = decode(text);
    if (status != STET_OK) fail_msg("%s: %s (%s)", text, err.message, err.field);
}

/* With the id known, so that it can be answered. */
static void expect_refused(const char *text, const char *field) {
    assert_int_not_equal(decode(text), STET_OK);
    assert_string_equal(err.field, field);
    assert_true(message.has_id);
    assert_int_equal(message.id, 9);
}

static void expect_view(stet_view view, const char *text) {
    assert_int_equal(view.size, strlen(text));
    assert_memory_equal(view.bytes, text, view.size);
}

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 1024);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

static void hello_may_say_nothing(void **state) {
    (void)state;
    must_read("{\"id\":0,\"op\":\"hello\"}");
    assert_int_equal(message.op, LIVE_HELLO);
    assert_true(message.has_id);
    assert_int_equal(message.client.size, 0);
    must_read("{\"op\":\"hello\",\"client\":\"0.1.0\",\"csrf\":\"x\",\"id\":18446744073709551615}");
    assert_int_equal(message.id, UINT64_MAX);
    expect_view(message.client, "0.1.0");
    expect_view(message.csrf, "x");
}

static void a_subscription_is_read_as_the_query_is(void **state) {
    (void)state;
    must_read("{\"id\":1,\"op\":\"subscribe\",\"sub\":\"a\",\"type\":[\"t\",\"u\"],"
              "\"ids\":[\"t/1%2F2\"],\"where\":\"n = 1\",\"events\":[\"conflict\"],\"since\":7}");
    assert_int_equal(message.op, LIVE_SUBSCRIBE);
    expect_view(message.sub, "a");
    assert_int_equal(message.feed.type_count, 3);
    expect_view(message.feed.types[1], "u");
    expect_view(message.feed.types[2], "stet.conflict");
    assert_int_equal(message.feed.address_count, 1);
    expect_view(message.feed.addresses[0], "t/1%2F2");
    expect_view(message.feed.where, "n = 1");
    assert_false(message.feed.from_now);
    assert_int_equal(message.feed.since, 7);
    must_read("{\"id\":1,\"op\":\"subscribe\",\"sub\":\"a\",\"since\":\"now\"}");
    assert_true(message.feed.from_now);
    must_read("{\"id\":1,\"op\":\"subscribe\",\"sub\":\"a\",\"since\":null}");
    assert_true(message.feed.from_now);
    must_read("{\"id\":1,\"op\":\"subscribe\",\"sub\":\"a\",\"since\":0}");
    assert_false(message.feed.from_now);
}

static void several_mutations_are_a_transaction(void **state) {
    (void)state;
    must_read("{\"id\":1,\"op\":\"mutate\",\"client_mutation_id\":\"k\",\"mutations\":"
              "[{\"op\":\"create\",\"type\":\"t\",\"data\":{}}]}");
    assert_int_equal(message.mutation_count, 1);
    assert_false(message.transaction);
    expect_view(message.terms.key, "k");
    must_read("{\"id\":1,\"op\":\"mutate\",\"transaction\":true,\"mutations\":"
              "[{\"op\":\"create\",\"type\":\"t\",\"data\":{}}]}");
    assert_true(message.transaction);
    must_read("{\"id\":1,\"op\":\"mutate\",\"mutations\":[{\"op\":\"delete\",\"type\":\"t\",\"id\":"
              "\"1\"},{\"op\":\"delete\",\"type\":\"t\",\"id\":\"2\"}]}");
    assert_true(message.transaction);
    expect_refused(
        "{\"id\":9,\"op\":\"mutate\",\"transaction\":false,\"mutations\":[{\"op\":\"delete\","
        "\"type\":\"t\",\"id\":\"1\"},{\"op\":\"delete\",\"type\":\"t\",\"id\":\"2\"}]}",
        "/transaction");
}

static void an_address_is_taken_apart(void **state) {
    (void)state;
    must_read("{\"id\":1,\"op\":\"present\",\"address\":\"t%20t/a%2Fb\",\"version\":3}");
    expect_view(message.type, "t t");
    expect_view(message.id_of, "a/b");
    assert_int_equal(message.version, 3);
    must_read("{\"id\":1,\"op\":\"present\",\"address\":\"t/1\",\"version\":null}");
    assert_int_equal(message.version, STET_VERSION_NONE);
    must_read("{\"id\":1,\"op\":\"absent\",\"address\":\"t/1\"}");
    assert_int_equal(message.op, LIVE_ABSENT);
    expect_refused("{\"id\":9,\"op\":\"absent\",\"address\":\"t/1\",\"version\":1}", "/version");
    expect_refused("{\"id\":9,\"op\":\"present\",\"address\":\"t\"}", "/address");
    expect_refused("{\"id\":9,\"op\":\"present\",\"address\":\"/1\"}", "/address");
    expect_refused("{\"id\":9,\"op\":\"present\",\"address\":\"t/\"}", "/address");
    expect_refused("{\"id\":9,\"op\":\"present\",\"address\":\"t/1/2\"}", "/address");
    expect_refused("{\"id\":9,\"op\":\"present\",\"address\":\"t/%zz\"}", "/address");
}

static void what_does_not_belong_is_named(void **state) {
    (void)state;
    expect_refused("{\"id\":9,\"op\":\"hello\",\"sub\":\"a\"}", "/sub");
    expect_refused("{\"id\":9,\"op\":\"subscribe\",\"sub\":1}", "/sub");
    expect_refused("{\"id\":9,\"op\":\"subscribe\",\"sub\":\"a\",\"type\":\"t\"}", "/type");
    expect_refused("{\"id\":9,\"op\":\"subscribe\",\"sub\":\"a\",\"ids\":[\"\"]}", "/ids");
    expect_refused("{\"id\":9,\"op\":\"subscribe\",\"sub\":\"a\",\"since\":-1}", "/since");
    expect_refused("{\"id\":9,\"op\":\"subscribe\",\"sub\":\"a\",\"events\":[\"x\"]}", "/events");
    expect_refused("{\"id\":9,\"op\":\"mutate\"}", "/mutations");
    expect_refused("{\"id\":9,\"op\":\"mutate\",\"mutations\":[1]}", "/mutations/0");
    expect_refused("{\"id\":9,\"op\":\"Hello\"}", "/op");
    expect_refused("{\"id\":9,\"op\":1}", "/op");
}

static void a_message_without_an_id_cannot_be_answered(void **state) {
    const char *const texts[] = {"",
                                 "x",
                                 "[]",
                                 "{}",
                                 "{\"id\":-1,\"op\":\"hello\"}",
                                 "{\"id\":\"1\",\"op\":\"hello\"}",
                                 "{\"id\":1.5,\"op\":\"hello\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_not_equal(decode(texts[i]), STET_OK);
        assert_false(message.has_id);
    }
}

static void lists_are_bounded(void **state) {
    char text[1024];
    (void)state;
    for (int count = 64; count <= 65; count++) {
        int size = snprintf(text, sizeof text,
                            "{\"id\":9,\"op\":\"subscribe\",\"sub\":\"a\",\"type\":[\"t\"");
        for (int i = 1; i < count; i++)
            size += snprintf(text + size, sizeof text - (size_t)size, ",\"t\"");
        snprintf(text + size, sizeof text - (size_t)size, "]}");
        assert_int_equal(decode(text), count == 64 ? STET_OK : STET_TOO_LARGE);
    }
    assert_string_equal(err.field, "/type");
    assert_int_equal(err.limit, 64);
}

static void versions_fit_by_major_and_before_one_by_minor(void **state) {
    static const struct {
        const char *client, *server;
        bool fit;
    } rows[] = {
        {"0.1.0", "0.1.9", true},  {"0.1.0", "0.2.0", false},   {"1.0.0", "1.7.0", true},
        {"2.0.0", "1.0.0", false}, {"1", "1.0.0", false},       {"", "0.1.0", false},
        {"x.y", "0.1.0", false},   {"0.1-beta", "0.1.0", true}, {"0.1", "0.1.0", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(live_versions_fit(view_of(rows[i].client), view_of(rows[i].server)),
                         rows[i].fit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_may_say_nothing),
        cmocka_unit_test(a_subscription_is_read_as_the_query_is),
        cmocka_unit_test(several_mutations_are_a_transaction),
        cmocka_unit_test(an_address_is_taken_apart),
        cmocka_unit_test(what_does_not_belong_is_named),
        cmocka_unit_test(a_message_without_an_id_cannot_be_answered),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(versions_fit_by_major_and_before_one_by_minor),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
