#include "calendar/series.h"

#include "base/clock.h"
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
static enum series_part part;

static struct wall wall_of(const char *text) {
    struct wall wall;
    assert_true(series_parse_time(view_of(text), &wall));
    return wall;
}

static struct series series_of(const char *zone, const char *start, const char *end,
                               const char *rrule) {
    struct series series = {.start = wall_of(start),
                            .end = wall_of(end),
                            .rrule = view_of(rrule),
                            .from = INT64_MIN / CLOCK_NS_PER_S,
                            .to = wall_of("2030-01-01").local,
                            .occurrences_max = 100};
    if (zone != NULL) assert_int_equal(zone_find(view_of(zone), &series.zone, &error), STET_OK);
    return series;
}

/* "from/to" of each in UTC. */
static void check(const struct series *series, const char *expected) {
    struct occurrence *list;
    size_t count, size = 0;
    char told[4000] = "";
    if (series_expand(&arena, series, &list, &count, &part, &error) != STET_OK)
        fail_msg("%s", error.message);
    for (size_t i = 0; i < count; i++) {
        char from[WALL_BYTES], to[WALL_BYTES];
        struct wall start = {.local = list[i].start / CLOCK_NS_PER_S, .has_time = true};
        struct wall end = {.local = list[i].end / CLOCK_NS_PER_S, .has_time = true};
        wall_format(&start, from);
        wall_format(&end, to);
        size += (size_t)snprintf(told + size, sizeof told - size, "%s%.16s/%.16s",
                                 size == 0 ? "" : " ", from, to);
    }
    assert_string_equal(told, expected);
}

static void check_refused(const struct series *series, stet_status expected,
                          enum series_part expected_part, const char *says) {
    struct occurrence *list;
    size_t count;
    assert_int_equal(series_expand(&arena, series, &list, &count, &part, &error), expected);
    assert_int_equal(part, expected_part);
    if (strstr(error.message, says) == NULL) fail_msg("%s", error.message);
}

static void nine_o_clock_stays_nine_o_clock(void **state) {
    (void)state;
    struct series series =
        series_of("Europe/Berlin", "2026-03-27T09:00", "2026-03-27T10:00", "FREQ=DAILY;COUNT=4");
    check(&series, "2026-03-27T08:00/2026-03-27T09:00 2026-03-28T08:00/2026-03-28T09:00 "
                   "2026-03-29T07:00/2026-03-29T08:00 2026-03-30T07:00/2026-03-30T08:00");
}

static void a_gap_moves_an_occurrence_and_none_is_lost(void **state) {
    (void)state;
    struct series series =
        series_of("Europe/Berlin", "2026-03-28T02:30", "2026-03-28T03:00", "FREQ=DAILY;COUNT=3");
    check(&series, "2026-03-28T01:30/2026-03-28T02:00 2026-03-29T01:30/2026-03-29T02:00 "
                   "2026-03-30T00:30/2026-03-30T01:00");
    series =
        series_of("Europe/Berlin", "2026-10-24T02:30", "2026-10-24T03:00", "FREQ=DAILY;COUNT=3");
    check(&series, "2026-10-24T00:30/2026-10-24T01:00 2026-10-25T00:30/2026-10-25T01:00 "
                   "2026-10-26T01:30/2026-10-26T02:00");
}

static void whole_days_are_days_of_the_zone(void **state) {
    (void)state;
    struct series series =
        series_of("Europe/Berlin", "2026-03-28", "2026-03-30", "FREQ=WEEKLY;COUNT=2");
    check(&series, "2026-03-27T23:00/2026-03-29T22:00 2026-04-03T22:00/2026-04-05T22:00");
}

static void dates_are_left_out_and_added(void **state) {
    (void)state;
    struct series series =
        series_of("America/New_York", "2026-06-01T09:00", "2026-06-01T10:00", "FREQ=DAILY;COUNT=5");
    const stet_view exdates[] = {VIEW("2026-06-02T09:00"), VIEW("20260603T130000Z"),
                                 VIEW("2026-06-04")};
    const stet_view rdates[] = {VIEW("2026-06-09T15:00"), VIEW("20260610"),
                                VIEW("2026-06-05T09:00"), VIEW("2026-06-04T09:00")};
    series.exdates = exdates;
    series.exdate_count = 3;
    series.rdates = rdates;
    series.rdate_count = 4;
    check(&series, "2026-06-01T13:00/2026-06-01T14:00 2026-06-05T13:00/2026-06-05T14:00 "
                   "2026-06-09T19:00/2026-06-09T20:00 2026-06-10T13:00/2026-06-10T14:00");
}

static void until_is_the_last_in_its_own_terms(void **state) {
    (void)state;
    struct series series = series_of("Asia/Tokyo", "2026-06-01T08:00", "2026-06-01T09:00",
                                     "FREQ=DAILY;UNTIL=20260602T230000Z");
    const char *three = "2026-05-31T23:00/2026-06-01T00:00 2026-06-01T23:00/2026-06-02T00:00 "
                        "2026-06-02T23:00/2026-06-03T00:00";
    check(&series, three);
    series.rrule = VIEW("FREQ=DAILY;UNTIL=20260603T080000");
    check(&series, three);
    series.rrule = VIEW("FREQ=DAILY;UNTIL=20260603");
    check(&series, three);
}

static void an_offset_without_a_zone_repeats_at_that_offset(void **state) {
    (void)state;
    struct series series = series_of(NULL, "2026-03-28T23:30:00-05:00", "2026-03-29T05:00:00Z",
                                     "FREQ=WEEKLY;BYDAY=SA;COUNT=2");
    check(&series, "2026-03-29T04:30/2026-03-29T05:00 2026-04-05T04:30/2026-04-05T05:00");
    /* The second 02:30 of that night. */
    series = series_of("Europe/Berlin", "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00",
                       "FREQ=DAILY;COUNT=2");
    check(&series, "2026-10-25T01:30/2026-10-25T02:00 2026-10-26T01:30/2026-10-26T02:00");
}

static void only_what_is_asked_for_is_told(void **state) {
    (void)state;
    struct series series = series_of("UTC", "2000-01-01T09:00", "2000-01-01T10:00", "FREQ=DAILY");
    series.from = wall_of("2026-03-01T09:30").local;
    series.to = wall_of("2026-03-03T09:00").local;
    check(&series, "2026-03-01T09:00/2026-03-01T10:00 2026-03-02T09:00/2026-03-02T10:00");
    series.from = wall_of("2026-03-01T10:00").local;
    check(&series, "2026-03-02T09:00/2026-03-02T10:00");
}

static void bombs_and_nonsense_are_refused(void **state) {
    (void)state;
    struct series series = series_of("UTC", "2026-01-01T09:00", "2026-01-01T10:00", "FREQ=DAILY");
    check_refused(&series, STET_TOO_LARGE, SERIES_RRULE, "more than 100 occurrences");
    assert_int_equal(error.limit, 100);
    series.rrule = VIEW("FREQ=SECONDLY;COUNT=1000000000");
    check_refused(&series, STET_TOO_LARGE, SERIES_RRULE, "more than 100 occurrences");
    series.rrule = VIEW("FREQ=MINUTELY;BYSECOND=59;BYSETPOS=2");
    check_refused(&series, STET_TOO_LARGE, SERIES_RRULE, "steps");
    assert_int_equal(error.limit, RRULE_STEPS_MAX);
    series.rrule = VIEW("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30");
    check(&series, "2026-01-01T09:00/2026-01-01T10:00");
    series.rrule = VIEW("FREQ=NEVER");
    check_refused(&series, STET_INVALID_TIME, SERIES_RRULE, "FREQ=NEVER");
    series.rrule = VIEW("FREQ=DAILY;COUNT=2");
    const stet_view none[] = {VIEW("2026-02-30")};
    series.exdates = none;
    series.exdate_count = 1;
    check_refused(&series, STET_INVALID_TIME, SERIES_EXDATE, "2026-02-30");
    series.exdate_count = 0;
    series.rdates = none;
    series.rdate_count = 1;
    check_refused(&series, STET_INVALID_TIME, SERIES_RDATE, "2026-02-30");
    static stet_view many[SERIES_DATES_MAX + 1];
    series.rdates = many;
    series.rdate_count = SERIES_DATES_MAX + 1;
    check_refused(&series, STET_TOO_LARGE, SERIES_RDATE, "dates");
    series = series_of("UTC", "2026-01-01T09:00", "2026-01-01T09:00", "FREQ=DAILY");
    check_refused(&series, STET_INVALID_TIME, SERIES_END, "before the start");
    series = series_of("UTC", "2026-01-02", "2026-01-01", "");
    check_refused(&series, STET_INVALID_TIME, SERIES_END, "before the start");
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

static void a_series_ends_with_the_last_year_that_there_is(void **state) {
    (void)state;
    struct series series =
        series_of("Europe/Berlin", "2261-10-10T09:00", "2261-10-10T10:00", "FREQ=MONTHLY");
    series.to = series.start.local + SERIES_DAYS_MAX * CIVIL_DAY_S;
    check(&series, "2261-10-10T07:00/2261-10-10T08:00 2261-11-10T08:00/2261-11-10T09:00 "
                   "2261-12-10T08:00/2261-12-10T09:00");
}

static void what_does_not_fit_before_the_end_of_time_is_left_out(void **state) {
    (void)state;
    static const stet_view dates[] = {{.bytes = "2261-12-30", .size = 10}};
    struct series series = series_of(NULL, "2260-01-01", "2260-12-31", "");
    series.zone = zone_utc();
    series.rdates = dates;
    series.rdate_count = 1;
    series.to = series.start.local + SERIES_DAYS_MAX * CIVIL_DAY_S;
    check(&series, "2260-01-01T00:00/2260-12-31T00:00");
}

static void a_date_before_1970_is_refused(void **state) {
    (void)state;
    static const stet_view dates[] = {{.bytes = "1678-01-01", .size = 10}};
    struct series series = series_of("Europe/Berlin", "2026-01-01T09:00", "2026-01-01T10:00", "");
    series.rdates = dates;
    series.rdate_count = 1;
    check_refused(&series, STET_INVALID_TIME, SERIES_RDATE, "before 1970");
}

static void centuries_are_no_occurrence(void **state) {
    (void)state;
    struct series series = series_of(NULL, "1678-01-01", "2261-12-31", "FREQ=DAILY");
    series.zone = zone_utc();
    check_refused(&series, STET_INVALID_TIME, SERIES_END, "days after the start");
}

static void what_rules_take_together_is_bounded(void **state) {
    (void)state;
    uint64_t steps = 3 * RRULE_STEPS_MAX / 2;
    struct series series = series_of(NULL, "2026-01-01T00:00Z", "2026-01-01T00:01Z",
                                     "FREQ=SECONDLY;BYHOUR=3;BYMINUTE=3;BYSECOND=3");
    series.to = series.start.local + SERIES_DAYS_MAX * CIVIL_DAY_S;
    series.occurrences_max = SERIES_OCCURRENCES_MAX;
    series.steps = &steps;
    check_refused(&series, STET_TOO_LARGE, SERIES_RRULE, "steps to follow");
    assert_int_equal(error.limit, RRULE_STEPS_MAX);
    assert_int_equal(steps, RRULE_STEPS_MAX / 2);
    check_refused(&series, STET_TOO_LARGE, SERIES_RRULE, "with the others of the request");
    assert_int_equal(error.limit, RRULE_STEPS_PER_REQUEST_MAX);
    assert_int_equal(steps, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nine_o_clock_stays_nine_o_clock, begin, end),
        cmocka_unit_test_setup_teardown(a_gap_moves_an_occurrence_and_none_is_lost, begin, end),
        cmocka_unit_test_setup_teardown(whole_days_are_days_of_the_zone, begin, end),
        cmocka_unit_test_setup_teardown(dates_are_left_out_and_added, begin, end),
        cmocka_unit_test_setup_teardown(until_is_the_last_in_its_own_terms, begin, end),
        cmocka_unit_test_setup_teardown(an_offset_without_a_zone_repeats_at_that_offset, begin,
                                        end),
        cmocka_unit_test_setup_teardown(only_what_is_asked_for_is_told, begin, end),
        cmocka_unit_test_setup_teardown(bombs_and_nonsense_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_series_ends_with_the_last_year_that_there_is, begin, end),
        cmocka_unit_test_setup_teardown(what_does_not_fit_before_the_end_of_time_is_left_out, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_date_before_1970_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(centuries_are_no_occurrence, begin, end),
        cmocka_unit_test_setup_teardown(what_rules_take_together_is_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
