#include "calendar/ical.h"

#include "base/limits.h"
#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static stet_error error;
static struct arena arena;
static size_t line;
static struct ical_event event;

static stet_status next(struct ical_reader *reader) {
    error = (stet_error){0};
    return ical_next(reader, &arena, &event, &line, &error);
}

static void check_view(stet_view view, const char *expected) {
    if (!view_equal(view, view_of(expected)))
        fail_msg("\"%.*s\", not \"%s\"", VIEW_ARG(view), expected);
}

static void check_time(const struct ical_time *time, const char *expected, const char *zone) {
    char text[WALL_BYTES];
    wall_format(&time->wall, text);
    assert_string_equal(text, expected);
    check_view(time->zone, zone);
}

#define EVENT(lines) "BEGIN:VEVENT\r\nUID:1\r\n" lines "END:VEVENT\r\n"

static void an_event_is_read_with_all_it_has(void **state) {
    (void)state;
    struct ical_reader reader;
    ical_begin(&reader,
               VIEW("\xEF\xBB\xBF"
                    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:W. Europe Standard "
                    "Time\r\nBEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nEND:STANDARD\r\n"
                    "END:VTIMEZONE\r\n\r\nbegin:vevent\r\nUID:a@b\r\nDTSTART;TZID=\"W. Europe "
                    "Standard Time\":20260301T090000\r\nDURATION:PT1H30M\r\nSUMMARY;X-A=\"q:;\":Caf"
                    "\xC3\r\n \xA9\\, 1\\;2\\n\\\\end\r\nRRULE:FREQ=DAILY\r\nEXDATE;TZID=Europe/"
                    "Berlin:20260302T090000,20260303T090000\r\nEXDATE:20260304T080000Z\r\n"
                    "RDATE;TZID=America/New_York:20260309T090000\r\nTRANSP:TRANSPARENT\r\n"
                    "BEGIN:VALARM\r\nDESCRIPTION:ring\r\nEND:VALARM\r\nSTATUS:CONFIRMED\r\n"
                    "end:vevent\r\nEND:VCALENDAR\r\n"));
    assert_int_equal(next(&reader), STET_OK);
    assert_int_equal(line, 10);
    check_view(event.uid, "a@b");
    check_time(&event.start, "2026-03-01T09:00:00", "Europe/Berlin");
    check_time(&event.end, "2026-03-01T10:30:00", "Europe/Berlin");
    check_view(event.summary, "Caf\xC3\xA9, 1;2\n\\end");
    check_view(event.rrule, "FREQ=DAILY");
    assert_int_equal(event.exdate_count, 3);
    check_view(event.exdates[1], "2026-03-03T09:00:00");
    check_view(event.exdates[2], "2026-03-04T08:00:00Z");
    check_view(event.rdates[0], "2026-03-09T13:00:00Z");
    check_view(event.description, "");
    check_view(event.status, "CONFIRMED");
    assert_true(event.transparent);
    assert_int_equal(next(&reader), STET_NOT_FOUND);
}

static void ends_come_from_what_there_is(void **state) {
    (void)state;
    struct ical_reader reader;
    ical_begin(&reader, VIEW(EVENT("DTSTART;VALUE=DATE:20260228\r\n")
                                 EVENT("DTSTART:20260228T100000Z\r\nDTEND:20260228T110000Z\r\n")
                                     EVENT("DTSTART;VALUE=DATE:20260301\nDURATION:P2W\n")));
    assert_int_equal(next(&reader), STET_OK);
    check_time(&event.end, "2026-03-01", "");
    assert_int_equal(next(&reader), STET_OK);
    assert_true(event.end.wall.has_offset);
    check_time(&event.end, "2026-02-28T11:00:00", "");
    assert_int_equal(next(&reader), STET_OK);
    check_time(&event.end, "2026-03-15", "");
}

/* Each is followed by an event that is well, which must still be read. */
static void a_bad_event_is_told_by_its_line_and_the_next_is_read(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        stet_status status;
        size_t line;
        const char *says;
    } cases[] = {
        {"BEGIN:VEVENT\nUID:1\nEND:VEVENT\n", STET_BAD_REQUEST, 1, "no DTSTART"},
        {"BEGIN:VEVENT\nDTSTART:20260301\nEND:VEVENT\n", STET_BAD_REQUEST, 1, "no UID"},
        {"BEGIN:VEVENT\nUID:1\nDTSTART:20260230\nEND:VEVENT\n", STET_INVALID_TIME, 3, "20260230"},
        {"BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Moon:20260201T000000\nEND:VEVENT\n", STET_INVALID_TIME,
         3, "Moon"},
        {"BEGIN:VEVENT\nUID:1\nnonsense\nDTSTART:20260201\nEND:VEVENT\n", STET_BAD_REQUEST, 3,
         "nonsense"},
        {"BEGIN:VEVENT\nUID:1\nDTSTART:20260201\nDURATION:P\nEND:VEVENT\n", STET_INVALID_TIME, 1,
         "duration"},
        {"BEGIN:VEVENT\nUID:1\nDTSTART:20260201\nDURATION:P99999999999D\nEND:VEVENT\n",
         STET_INVALID_TIME, 1, "duration"},
        {"BEGIN:VEVENT\nUID:1\nDTSTART:20260201\nDTEND:20260201T100000\nEND:VEVENT\n",
         STET_INVALID_TIME, 1, "date"},
        {"BEGIN:VEVENT\nUID:1\nRRULE:FREQ=DAILY\nRRULE:FREQ=DAILY\nEND:VEVENT\n", STET_INVALID_TIME,
         4, "second"},
        {"BEGIN:VEVENT\nUID:1\nSUMMARY:\xFF\nDTSTART:20260201\nEND:VEVENT\n", STET_BAD_REQUEST, 3,
         "UTF-8"},
        {"BEGIN:VEVENT\nUID:1\nBEGIN:VEVENT\nEND:VEVENT\n", STET_BAD_REQUEST, 3, "inside"},
        {"BEGIN:VEVENT\nUID:1\nEND:VALARM\nEND:VEVENT\n", STET_BAD_REQUEST, 3, "did not begin"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1000];
        struct ical_reader reader;
        snprintf(text, sizeof text, "%sBEGIN:VEVENT\nUID:good\nDTSTART:20260301\nEND:VEVENT\n",
                 cases[i].lines);
        ical_begin(&reader, view_of(text));
        stet_status status = next(&reader);
        if (status != cases[i].status || line != cases[i].line ||
            strstr(error.message, cases[i].says) == NULL)
            fail_msg("%zu: %d at line %zu: %s", i, (int)status, line, error.message);
        assert_int_equal(next(&reader), STET_OK);
        check_view(event.uid, "good");
    }
    struct ical_reader reader;
    ical_begin(&reader, VIEW("BEGIN:VEVENT\nUID:1\nDTSTART:20260201\n"));
    assert_int_equal(next(&reader), STET_BAD_REQUEST);
    assert_int_equal(next(&reader), STET_NOT_FOUND);
}

static void large_and_deep_files_cost_what_they_are(void **state) {
    (void)state;
    struct buffer text;
    buffer_init(&text, NULL, 0);
    buffer_append_text(&text, "BEGIN:VEVENT\nUID:1\nDESCRIPTION:");
    for (unsigned i = 0; i < ICAL_EVENT_BYTES_MAX / 50; i++)
        buffer_append_text(&text, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n ");
    buffer_append_text(&text, "\nEND:VEVENT\n");
    buffer_append_text(&text, "BEGIN:VEVENT\nUID:2\nDTSTART:20260301\n");
    for (int i = 0; i < 100000; i++)
        buffer_append_text(&text, "BEGIN:X\n");
    buffer_append_text(&text, "END:VEVENT\n");
    assert_int_equal(buffer_status(&text), STET_OK);
    struct ical_reader reader;
    ical_begin(&reader, buffer_view(&text));
    assert_int_equal(next(&reader), STET_TOO_LARGE);
    assert_int_equal(next(&reader), STET_TOO_LARGE);
    assert_int_equal(next(&reader), STET_NOT_FOUND);
    buffer_done(&text);
}

static void what_is_written_is_folded_and_read_again(void **state) {
    (void)state;
    struct buffer out;
    struct wall start, end;
    const char *summary = "Gr\xC3\xBC\xC3\x9F\x65, aus; \\K\xC3\xB6ln\n\xF0\x9F\x98\x80 "
                          "\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0"
                          "\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80 and more";
    assert_true(wall_parse(VIEW("2026-03-01T09:00"), &start));
    assert_true(wall_parse(VIEW("2026-03-01T10:00+01:00"), &end));
    buffer_init(&out, NULL, 0);
    ical_write_begin(&out);
    ical_write_open(&out, "VEVENT");
    ical_write_text(&out, "UID", VIEW("1"));
    ical_write_time(&out, "DTSTART", &start, VIEW("Europe/Berlin"));
    ical_write_time(&out, "DTEND", &end, VIEW("Europe/Berlin"));
    ical_write_text(&out, "SUMMARY", view_of(summary));
    ical_write_raw(&out, "RRULE", VIEW("FREQ=DAILY\r\nBEGIN:VEVENT"));
    ical_write_close(&out, "VEVENT");
    ical_write_end(&out);
    stet_view text = buffer_view(&out), rest = text;
    while (rest.size > 0) {
        const char *end_of = memchr(rest.bytes, '\n', rest.size);
        size_t size = (size_t)(end_of - rest.bytes) + 1;
        assert_true(size <= 77 && end_of[-1] == '\r');
        assert_true(view_is_utf8(view_make(rest.bytes, size)));
        rest = view_make(rest.bytes + size, rest.size - size);
    }
    struct ical_reader reader;
    ical_begin(&reader, text);
    assert_int_equal(next(&reader), STET_OK);
    check_view(event.summary, summary);
    check_time(&event.start, "2026-03-01T09:00:00", "Europe/Berlin");
    check_time(&event.end, "2026-03-01T09:00:00", "");
    check_view(event.rrule, "FREQ=DAILYBEGIN:VEVENT");
    buffer_done(&out);
}

static void rubbish_never_breaks_the_reader(void **state) {
    (void)state;
    static const char sample[] = "BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=\"Europe/Berlin\":"
                                 "20260301T090000\r\nEXDATE:20260302,20260303T000000Z\r\n "
                                 ",20260304\r\nRRULE:FREQ=DAILY\r\nDURATION:P1DT2H\r\n"
                                 "SUMMARY:a\\nb\\\r\n\r\nEND:VEVENT\r\n";
    uint64_t seed = 42;
    for (int round = 0; round < 20000; round++) {
        size_t size = sizeof sample - 1;
        char *text = malloc(size);
        assert_non_null(text);
        memcpy(text, sample, size);
        for (int i = 0; i < 4; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            text[(seed >> 33) % size] = ":;,\"\\\r\n \tTZ0\xFF"[(seed >> 20) % 14];
        }
        struct ical_reader reader;
        ical_begin(&reader, view_make(text, size));
        for (int i = 0; i < 10 && next(&reader) != STET_NOT_FOUND; i++)
            assert_true(line >= 1);
        free(text);
        if (round % 100 == 0) arena_reset(&arena);
    }
}

static int begin(void **state) {
    (void)state;
    arena_init(&arena, 4096);
    return 0;
}

static int end(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_is_read_with_all_it_has, begin, end),
        cmocka_unit_test_setup_teardown(ends_come_from_what_there_is, begin, end),
        cmocka_unit_test_setup_teardown(a_bad_event_is_told_by_its_line_and_the_next_is_read, begin,
                                        end),
        cmocka_unit_test_setup_teardown(large_and_deep_files_cost_what_they_are, begin, end),
        cmocka_unit_test_setup_teardown(what_is_written_is_folded_and_read_again, begin, end),
        cmocka_unit_test_setup_teardown(rubbish_never_breaks_the_reader, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
