/* Declarations, times, spans and their keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/exclusive.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static struct arena arena;

static int setup(void **state) {
    (void)state;
    arena_init(&arena, 65536);
    return sodium_init() < 0;
}

static int teardown(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

static struct doc parse(const char *text) {
    struct doc doc;
    stet_error err = {0};
    if (doc_parse(&arena, view_of(text), NULL, &doc, &err) != STET_OK)
        fail_msg("%s: %s", err.message, text);
    return doc;
}

static stet_status compile(const char *text, const struct exclusive **first, stet_error *err) {
    struct doc *doc = arena_alloc(&arena, sizeof *doc);
    size_t count;
    *doc = parse(text);
    *err = (stet_error){0};
    return exclusive_compile(&arena, doc, 0, first, &count, err);
}

static const struct exclusive *must_compile(const char *text) {
    const struct exclusive *first;
    stet_error err;
    if (compile(text, &first, &err) != STET_OK) fail_msg("%s: %s %s", text, err.field, err.message);
    return first;
}

static int64_t utc(const char *text) {
    int64_t ns;
    assert_true(clock_parse_rfc3339(view_of(text), &ns));
    return ns;
}

#define ROOM                                                                                       \
    "{\"resource\":\"/room\",\"start\":\"/start\",\"end\":\"/end\",\"unless\":\"status = "         \
    "'cancelled'\",\"weight\":\"/seats\",\"capacity\":10,\"hold_expires\":\"/hold\","              \
    "\"allow_overlap\":\"/why\",\"buffer_before_s\":60,\"buffer_after_s\":120}"

#define HOURS(members) "{\"start\":\"/s\",\"end\":\"/e\",\"hours\":{" members "}}"

static void declarations_that_make_no_sense_are_refused_with_their_place(void **state) {
    static const struct {
        const char *text, *field;
    } cases[] = {
        {"1", "/exclusive"},
        {"{}", "/exclusive/start"},
        {"{\"start\":\"/s\"}", "/exclusive/end"},
        {"{\"start\":\"/s\",\"end\":\"/e\",\"duration\":\"/d\"}", "/exclusive/end"},
        {"{\"start\":\"s\",\"end\":\"/e\"}", "/exclusive/start"},
        {"{\"start\":[\"/d\"],\"end\":\"/e\"}", "/exclusive/start"},
        {"{\"start\":[\"/d\",\"/t\",\"/u\"],\"end\":\"/e\"}", "/exclusive/start"},
        {"{\"start\":\"/s\",\"end\":\"/e\",\"romm\":\"/r\"}", "/exclusive/romm"},
        {"{\"start\":\"/s\",\"end\":\"/e\",\"resource\":\"/r/*\"}", "/exclusive/resource"},
        {"{\"start\":\"/s\",\"end\":\"/e\",\"capacity\":0}", "/exclusive/capacity"},
        {"{\"start\":\"/s\",\"end\":\"/e\",\"capacity\":1.5}", "/exclusive/capacity"},
        {"{\"start\":\"/s\",\"end\":\"/e\",\"buffer_after_s\":-1}", "/exclusive/buffer_after_s"},
        {"{\"start\":\"/s\",\"end\":\"/e\",\"unless\":\"a =\"}", "/exclusive/unless"},
        {"{\"start\":\"/s\",\"end\":\"/e\",\"any_of\":\"/rooms\"}", "/exclusive/any_of"},
        {"{\"start\":\"/s\",\"end\":\"/e\",\"tz\":\"Mars/Olympus\"}", "/exclusive/tz"},
        {"{\"start\":\"/s\",\"end\":\"/e\",\"hours\":1}", "/exclusive/hours"},
        {HOURS("\"monday\":[]"), "/exclusive/hours/monday"},
        {HOURS("\"mon\":\"9-17\""), "/exclusive/hours/mon"},
        {HOURS("\"tue\":[[\"17:00\",\"09:00\"]]"), "/exclusive/hours/tue"},
        {HOURS("\"sun\":[[\"09:00\",\"25:00\"]]"), "/exclusive/hours/sun"},
        {HOURS("\"zone\":\"Mars/Olympus\""), "/exclusive/hours/zone"},
        {"{\"start\":\"/s\",\"end\":\"/e\",\"recurrence\":{}}", "/exclusive/recurrence/rrule"},
        {"[{\"start\":\"/s\",\"end\":\"/e\"},{\"start\":\"/s\",\"end\":\"/e\"}]", "/exclusive/1"},
        {"[{\"start\":\"/s\",\"end\":\"/e\"},1]", "/exclusive/1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct exclusive *first;
        stet_error err;
        assert_int_equal(compile(cases[i].text, &first, &err), STET_INVALID_TYPE);
        assert_string_equal(err.field, cases[i].field);
        assert_true(err.message[0] != '\0');
    }
}

static void a_list_keeps_its_order(void **state) {
    (void)state;
    const struct exclusive *first = must_compile(
        "[{\"start\":\"/s\",\"end\":\"/e\"},{\"start\":[\"/d\",\"/t\"],\"duration\":\"/n\"}]");
    assert_true(view_equal(first->where, VIEW("/exclusive/0")));
    assert_true(view_equal(first->next->start.clock, VIEW("/t")));
    assert_true(view_equal(first->next->duration, VIEW("/n")));
    assert_null(first->next->next);
}

static void times_are_read_as_people_write_them(void **state) {
    static const struct {
        const char *text, *clock, *utc; /* utc NULL: it is none. */
    } cases[] = {
        {"2026-03-01T09:30:00Z", "", "2026-03-01T09:30:00Z"},
        {"2026-03-01T09:30:00.25+01:00", "", "2026-03-01T08:30:00.25Z"},
        {"2026-03-01T09:30-05:00", "", "2026-03-01T14:30:00Z"},
        {"2026-03-01", "", "2026-03-01T00:00:00Z"},
        {"2026-03-01", "09:30Z", "2026-03-01T09:30:00Z"},
        {"2024-02-29", "", "2024-02-29T00:00:00Z"},
        {"2023-02-29", "", NULL},
        {"2026-03-01T09:30", "", NULL}, /* Neither offset nor zone. */
        {"2026-03-01T24:00Z", "", NULL},
        {"2026-13-01", "", NULL},
        {"2026-00-01", "", NULL},
        {"2026-03-01T09:30:00+24:00", "", NULL},
        {"2026-03-01T09:30:00Z ", "", NULL},
        {"2026-03-01T", "", NULL},
        {"2026-03-01T09:30Z", "09:30Z", NULL},
        {"1969-12-31", "", NULL},
        {"1970-01-01T00:00+01:00", "", NULL},
        {"9999-01-01", "", NULL},
        {"tomorrow", "", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stet_error err = {0};
        int64_t ns = 0;
        bool is = exclusive_instant(view_of(cases[i].text), view_of(cases[i].clock), NULL, &ns,
                                    &err) == STET_OK;
        if (is != (cases[i].utc != NULL)) fail_msg("%s %s", cases[i].text, cases[i].clock);
        if (is) assert_int_equal(ns, utc(cases[i].utc));
    }
}

static struct span_list spans_of(const struct exclusive *exclusive, const char *data) {
    struct doc doc = parse(data);
    struct span_list list;
    stet_error err = {0};
    if (exclusive_spans(&arena, exclusive, &doc, NULL, &list, &err) != STET_OK)
        fail_msg("%s: %s %s", data, err.field, err.message);
    return list;
}

#define AT "\"start\":\"2026-03-01T09:00Z\",\"end\":\"2026-03-01T10:00Z\""

static void zones_are_the_records_or_the_declarations(void **state) {
    (void)state;
    const struct exclusive *own = must_compile("{\"start\":\"/s\",\"end\":\"/e\",\"tz\":\"/tz\"}");
    const struct exclusive *fixed =
        must_compile("{\"start\":\"/s\",\"end\":\"/e\",\"tz\":\"Europe/Berlin\"}");
    const char *data =
        "{\"s\":\"2026-07-01T09:00\",\"e\":\"2026-07-02\",\"tz\":\"America/New_York\"}";
    struct span_list list = spans_of(own, data);
    assert_int_equal(list.spans[0].start, utc("2026-07-01T13:00:00Z"));
    assert_int_equal(list.spans[0].end, utc("2026-07-02T04:00:00Z"));
    list = spans_of(fixed, data);
    assert_int_equal(list.spans[0].start, utc("2026-07-01T07:00:00Z"));
    struct doc doc =
        parse("{\"s\":\"2026-07-01T09:00\",\"e\":\"2026-07-02\",\"tz\":\"Mars/Base\"}");
    stet_error err = {0};
    assert_int_equal(exclusive_spans(&arena, own, &doc, NULL, &list, &err), STET_INVALID_TIME);
    assert_string_equal(err.field, "/tz");
}

static void each_resource_is_taken_once(void **state) {
    (void)state;
    const struct exclusive *room = must_compile(ROOM);
    struct span_list list = spans_of(room, "{\"room\":[\"a\",\"b\",\"a\"],\"seats\":3," AT
                                           ",\"hold\":\"2026-02-01T00:00Z\"}");
    assert_int_equal(list.count, 2);
    assert_true(view_equal(list.spans[0].resource, VIEW("a")));
    assert_true(view_equal(list.spans[1].resource, VIEW("b")));
    assert_int_equal(list.spans[1].start, utc("2026-03-01T09:00:00Z"));
    assert_int_equal(list.spans[1].end, utc("2026-03-01T10:00:00Z"));
    assert_int_equal(list.spans[1].weight, 3);
    assert_int_equal(list.spans[1].held_until, utc("2026-02-01T00:00:00Z"));
}

static void what_is_cancelled_allowed_or_unplanned_takes_nothing(void **state) {
    static const char *const cases[] = {
        "{\"room\":\"a\",\"status\":\"cancelled\"," AT "}",
        "{\"room\":\"a\",\"why\":\"the boss says so\"," AT "}",
        "{\"room\":\"a\"}",
        "{\"room\":\"a\",\"start\":null,\"end\":null}",
        "{" AT "}",
        "{\"room\":null," AT "}",
        "{\"room\":[]," AT "}",
        "{\"room\":\"a\",\"seats\":0," AT "}",
        /* Nobody judges times of what is cancelled. */
        "{\"room\":\"a\",\"status\":\"cancelled\",\"start\":\"soon\"}",
    };
    (void)state;
    const struct exclusive *room = must_compile(ROOM);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(spans_of(room, cases[i]).count, 0);
    assert_int_equal(spans_of(room, "{\"room\":\"a\",\"why\":\"\"," AT "}").count, 1);
}

static void data_that_cannot_be_booked_names_its_field(void **state) {
    static const struct {
        const char *data;
        stet_status status;
        const char *field;
    } cases[] = {
        {"{\"room\":\"a\",\"start\":\"soon\",\"end\":\"2026-03-01\"}", STET_INVALID_TIME, "/start"},
        {"{\"room\":\"a\",\"start\":5,\"end\":\"2026-03-01\"}", STET_INVALID_TIME, "/start"},
        {"{\"room\":\"a\",\"start\":\"2026-03-01\"}", STET_INVALID_TIME, "/end"},
        {"{\"room\":\"a\",\"end\":\"2026-03-01\"}", STET_INVALID_TIME, "/start"},
        {"{\"room\":\"a\",\"start\":\"2026-03-02\",\"end\":\"2026-03-02\"}", STET_INVALID_TIME,
         "/end"},
        {"{\"room\":\"a\",\"start\":\"2026-03-02\",\"end\":\"2026-03-01\"}", STET_INVALID_TIME,
         "/end"},
        {"{\"room\":\"a\",\"start\":\"2026-03-02\",\"end\":\"2126-03-01\"}", STET_INVALID_TIME,
         "/end"},
        {"{\"room\":\"a\",\"hold\":\"x\"," AT "}", STET_INVALID_TIME, "/hold"},
        {"{\"room\":1," AT "}", STET_INVALID_DATA, "/room"},
        {"{\"room\":[\"a\",null]," AT "}", STET_INVALID_DATA, "/room"},
        {"{\"room\":\"\"," AT "}", STET_INVALID_DATA, "/room"},
        {"{\"room\":\"a\",\"seats\":11," AT "}", STET_INVALID_DATA, "/seats"},
        {"{\"room\":\"a\",\"seats\":-1," AT "}", STET_INVALID_DATA, "/seats"},
        {"{\"room\":\"a\",\"why\":true," AT "}", STET_INVALID_DATA, "/why"},
    };
    (void)state;
    const struct exclusive *room = must_compile(ROOM);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct doc doc = parse(cases[i].data);
        struct span_list list;
        stet_error err = {0};
        if (exclusive_spans(&arena, room, &doc, NULL, &list, &err) != cases[i].status)
            fail_msg("%s: %d", cases[i].data, err.status);
        assert_string_equal(err.field, cases[i].field);
    }
}

static void a_time_apart_from_its_date_is_refused_by_its_own_field(void **state) {
    static const struct {
        const char *from, *to, *field;
    } cases[] = {{"25:00", "26:00", "/from"}, {"09:00", "soon", "/to"}, {"22:00", "02:00", "/to"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct exclusive *own = must_compile("{\"start\":[\"/date\",\"/from\"],\"end\":[\"/"
                                                   "date\",\"/to\"],\"tz\":\"Europe/Berlin\"}");
        struct span_list list;
        struct doc doc;
        stet_error err;
        char text[128];
        snprintf(text, sizeof text, "{\"date\":\"2026-03-02\",\"from\":\"%s\",\"to\":\"%s\"}",
                 cases[i].from, cases[i].to);
        assert_int_equal(doc_parse(&arena, view_of(text), NULL, &doc, NULL), STET_OK);
        assert_int_equal(exclusive_spans(&arena, own, &doc, NULL, &list, &err), STET_INVALID_TIME);
        assert_string_equal(err.field, cases[i].field);
    }
}

static void a_duration_may_stand_for_the_end(void **state) {
    (void)state;
    const struct exclusive *by = must_compile("{\"start\":[\"/d\",\"/t\"],\"duration\":\"/n\"}");
    struct span_list list = spans_of(by, "{\"d\":\"2026-03-01\",\"t\":\"09:00Z\",\"n\":1800}");
    assert_int_equal(list.count, 1);
    assert_int_equal(list.spans[0].resource.size, 0);
    assert_int_equal(list.spans[0].end - list.spans[0].start, 1800 * CLOCK_NS_PER_S);
}

static void keys_say_what_they_were_made_of(void **state) {
    static char text[2 * SPAN_RESOURCE_BYTES_MAX];
    (void)state;
    const struct exclusive *room = must_compile(ROOM);
    memset(text, 'r', sizeof text);
    const struct span spans[] = {
        {.resource = VIEW("a"),
         .start = 5,
         .end = 7,
         .held_until = SPAN_BOOKED,
         .original_start = 5,
         .weight = 1},
        {.resource = VIEW(""),
         .start = 0,
         .end = INT64_C(366) * 86400 * CLOCK_NS_PER_S,
         .held_until = 99,
         .original_start = 3,
         .weight = 70000},
        {.resource = {text, sizeof text},
         .start = 5,
         .end = 7,
         .held_until = SPAN_BOOKED,
         .original_start = 9,
         .weight = 1},
    };
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        struct span_key read;
        stet_view key, kept;
        assert_int_equal(span_key_make(&arena, room, &spans[i], &key), STET_OK);
        assert_true(span_key_read(room, key, &read));
        assert_int_equal(span_resource(&arena, spans[i].resource, &kept), STET_OK);
        assert_true(view_equal(read.resource, kept));
        assert_int_equal(read.begin, spans[i].start - 60 * CLOCK_NS_PER_S);
        assert_int_equal(read.end, spans[i].end + 120 * CLOCK_NS_PER_S);
        assert_int_equal(read.span.start, spans[i].start);
        assert_int_equal(read.span.end, spans[i].end);
        assert_int_equal(read.span.weight, spans[i].weight);
        assert_int_equal(read.span.held_until, spans[i].held_until);
        assert_int_equal(read.span.original_start, spans[i].original_start);
        for (size_t size = 0; size < key.size; size++)
            assert_false(span_key_read(room, view_make(key.bytes, size), &read));
    }
}

/* Every span is in the range of its class for every interval that it overlaps, and in that of no other resource. */
static void ranges_hold_what_overlaps(void **state) {
    uint64_t seed = 7;
    (void)state;
    const struct exclusive *plain = must_compile("{\"start\":\"/s\",\"end\":\"/e\"}");
    for (int round = 0; round < 3000; round++) {
        int64_t draw[4];
        for (int i = 0; i < 4; i++) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            draw[i] = (int64_t)(seed >> 34) * 100000 % (INT64_C(300) * 86400 * CLOCK_NS_PER_S);
        }
        int64_t length = draw[1] >> (draw[3] % 30);
        struct span span = {.resource = VIEW("room"),
                            .start = draw[0],
                            .end = draw[0] + length + 1,
                            .held_until = SPAN_BOOKED,
                            .original_start = draw[0],
                            .weight = 1};
        int64_t from = draw[2], to = from + (draw[3] >> 8) + 1;
        bool overlaps = span.start < to && span.end > from, found = false;
        stet_view key, first, end;
        assert_int_equal(span_key_make(&arena, plain, &span, &key), STET_OK);
        for (unsigned class = 0; class < SPAN_CLASSES; class ++) {
            assert_int_equal(span_range(&arena, VIEW("room"), class, from, to, &first, &end),
                             STET_OK);
            found = found || (view_compare(key, first) >= 0 && view_compare(key, end) < 0);
            assert_int_equal(span_range(&arena, VIEW("roof"), class, from, to, &first, &end),
                             STET_OK);
            assert_false(view_compare(key, first) >= 0 && view_compare(key, end) < 0);
        }
        if (overlaps) assert_true(found);
        assert_int_equal(span_range_all(&arena, VIEW("room"), &first, &end), STET_OK);
        assert_true(view_compare(key, first) >= 0 && view_compare(key, end) < 0);
    }
}

static void a_series_takes_each_of_its_occurrences(void **state) {
    const struct exclusive *exclusive = must_compile(
        "{\"resource\":\"/room\",\"start\":\"/start\",\"end\":\"/end\",\"tz\":\"/tz\","
        "\"recurrence\":{\"rrule\":\"/rrule\",\"exdate\":\"/exdate\",\"rdate\":\"/rdate\"}}");
    struct doc data = parse("{\"room\":\"red\",\"start\":\"2026-03-28T09:00\",\"end\":"
                            "\"2026-03-28T10:00\",\"tz\":\"Europe/Berlin\",\"rrule\":"
                            "\"FREQ=DAILY;COUNT=3\",\"exdate\":[\"2026-03-29T09:00\"],\"rdate\":["
                            "\"2026-04-02T12:00\"]}");
    const char *const starts[] = {"2026-03-28T08:00:00Z", "2026-03-30T07:00:00Z",
                                  "2026-04-02T10:00:00Z"};
    struct span_list list;
    stet_error err = {0};
    (void)state;
    assert_int_equal(exclusive_spans(&arena, exclusive, &data, NULL, &list, &err), STET_OK);
    assert_int_equal(list.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(list.spans[i].start, utc(starts[i]));
        assert_int_equal(list.spans[i].original_start, utc(starts[i]));
        assert_int_equal(list.spans[i].end - list.spans[i].start, 3600 * CLOCK_NS_PER_S);
    }
    data = parse("{\"room\":\"red\",\"start\":\"2026-03-28T09:00\",\"end\":"
                 "\"2026-03-28T10:00\",\"rrule\":\"FREQ=MINUTELY\",\"tz\":\"UTC\"}");
    assert_int_equal(exclusive_spans(&arena, exclusive, &data, NULL, &list, &err), STET_TOO_LARGE);
    assert_string_equal(err.field, "/rrule");
    assert_int_equal(err.limit, SERIES_OCCURRENCES_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_series_takes_each_of_its_occurrences),
        cmocka_unit_test(declarations_that_make_no_sense_are_refused_with_their_place),
        cmocka_unit_test(a_list_keeps_its_order),
        cmocka_unit_test(a_time_apart_from_its_date_is_refused_by_its_own_field),
        cmocka_unit_test(times_are_read_as_people_write_them),
        cmocka_unit_test(zones_are_the_records_or_the_declarations),
        cmocka_unit_test(each_resource_is_taken_once),
        cmocka_unit_test(what_is_cancelled_allowed_or_unplanned_takes_nothing),
        cmocka_unit_test(data_that_cannot_be_booked_names_its_field),
        cmocka_unit_test(a_duration_may_stand_for_the_end),
        cmocka_unit_test(keys_say_what_they_were_made_of),
        cmocka_unit_test(ranges_hold_what_overlaps),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
