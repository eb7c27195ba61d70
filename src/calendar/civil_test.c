#include "calendar/civil.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static void every_day_is_the_one_that_libc_names(void **state) {
    (void)state;
    for (int64_t day = -110000; day < 120000; day++) {
        time_t time = (time_t)(day * CIVIL_DAY_S + 3661);
        struct tm expected;
        assert_non_null(gmtime_r(&time, &expected));
        struct civil civil = civil_of(time);
        assert_int_equal(civil.year, expected.tm_year + 1900);
        assert_int_equal(civil.month, expected.tm_mon + 1);
        assert_int_equal(civil.day, expected.tm_mday);
        assert_int_equal(civil.hour, 1);
        assert_int_equal(civil.minute, 1);
        assert_int_equal(civil.second, 1);
        assert_int_equal(civil_weekday(day), (expected.tm_wday + 6) % 7);
        assert_int_equal(civil_seconds(&civil), time);
        assert_true(civil.day <= civil_month_days(civil.year, civil.month));
    }
}

static void check_text(const char *text, const char *again, int has_offset, int32_t offset) {
    struct wall wall;
    char out[WALL_BYTES];
    assert_true(wall_parse(view_of(text), &wall));
    wall_format(&wall, out);
    assert_string_equal(out, again);
    assert_int_equal(wall.has_offset, has_offset);
    assert_int_equal(wall.offset, offset);
}

static void texts_are_read_and_written(void **state) {
    (void)state;
    check_text("2026-03-29", "2026-03-29", 0, 0);
    check_text("2026-03-29T02:30", "2026-03-29T02:30:00", 0, 0);
    check_text("2026-03-29 02:30:15", "2026-03-29T02:30:15", 0, 0);
    check_text("2026-03-29t02:30:15.25Z", "2026-03-29T02:30:15.250000000", 1, 0);
    check_text("2024-02-29T23:59:59+05:45", "2024-02-29T23:59:59", 1, 20700);
    check_text("1678-01-01T00:00:00-00:30", "1678-01-01T00:00:00", 1, -1800);
    check_text("2261-12-31", "2261-12-31", 0, 0);
    struct wall wall;
    assert_true(wall_parse_time(VIEW("02:30"), &wall));
    assert_int_equal(wall.local, 9000);
    assert_true(wall_parse_time(VIEW("23:59:59.999999999"), &wall));
    assert_int_equal(wall.ns, 999999999);
}

static void what_is_no_time_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "2026",
        "2026-3-29",
        "2026-13-01",
        "2026-00-01",
        "2026-02-29",
        "2100-02-29",
        "2026-04-31",
        "2026-01-00",
        "1677-12-31",
        "2262-01-01",
        "9999-01-01",
        "0000-01-01",
        "2026-03-29T",
        "2026-03-29T2:30",
        "2026-03-29T24:00",
        "2026-03-29T23:60",
        "2026-03-29T23:59:60",
        "2026-03-29T23:59:00.",
        "2026-03-29T23:59:00.1234567890",
        "2026-03-29T23:59Z ",
        "2026-03-29T23:59+2",
        "2026-03-29T23:59+24:00",
        "2026-03-29T23:59+0200",
        "2026-03-29Z",
        "+026-03-29",
        " 2026-03-29",
        "2026-03-29x",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct wall wall = {.ns = 7};
        if (wall_parse(view_of(texts[i]), &wall)) fail_msg("taken: \"%s\"", texts[i]);
        assert_int_equal(wall.ns, 7);
    }
    struct wall wall;
    assert_false(wall_parse_time(VIEW("02:30Z"), &wall));
    assert_false(wall_parse_time(VIEW("2026-03-29T02:30"), &wall));
    assert_false(wall_parse_time(VIEW("24:00"), &wall));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_is_the_one_that_libc_names),
        cmocka_unit_test(texts_are_read_and_written),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
