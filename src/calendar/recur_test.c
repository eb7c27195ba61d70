#include "calendar/recur.h"

#include "base/limits.h"
#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <libical/ical.h>

static stet_error error;

static int64_t local(const char *text) {
    struct wall wall;
    assert_true(wall_parse(view_of(text), &wall));
    return wall.local;
}

static struct recur_rule must_parse(const char *text) {
    struct recur_rule rule;
    if (recur_parse(view_of(text), &rule, &error) != STET_OK)
        fail_msg("%s: %s", text, error.message);
    return rule;
}

/* The occurrences as one text of month-dayThour:minute. */
static void check(const char *text, const char *start, const char *to, const char *expected) {
    static struct recur_walk walk;
    struct recur_rule rule = must_parse(text);
    char told[2000] = "";
    size_t size = 0;
    int64_t at;
    enum recur_found found;
    recur_begin(&walk, &rule, local(start), 100000);
    while ((found = recur_next(&walk, local(to), &at)) == RECUR_FOUND) {
        struct civil date = civil_of(at);
        assert_true(size < sizeof told - 40);
        size +=
            (size_t)snprintf(told + size, sizeof told - size, "%s%02d-%02dT%02d:%02d",
                             size == 0 ? "" : " ", date.month, date.day, date.hour, date.minute);
    }
    assert_int_equal(found, RECUR_OVER);
    assert_string_equal(told, expected);
}

static void rules_say_when(void **state) {
    (void)state;
    check("FREQ=DAILY;COUNT=3", "2026-02-27T09:00", "2027-01-01",
          "02-27T09:00 02-28T09:00 03-01T09:00");
    check("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,TH;COUNT=4", "2026-09-01T09:00", "2027-01-01",
          "09-01T09:00 09-03T09:00 09-15T09:00 09-17T09:00");
    check("FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", "2026-01-30T18:00", "2027-01-01",
          "01-30T18:00 02-27T18:00 03-27T18:00");
    check("FREQ=MONTHLY;BYMONTHDAY=31", "2026-01-31T00:00", "2026-09-01",
          "01-31T00:00 03-31T00:00 05-31T00:00 07-31T00:00 08-31T00:00");
    check("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3", "2026-01-30T09:00", "2027-01-01",
          "01-30T09:00 02-27T09:00 03-31T09:00");
    check("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2024-02-29T12:00", "2034-01-01",
          "02-29T12:00 02-29T12:00 02-29T12:00");
    check("FREQ=DAILY;BYHOUR=9,17;BYMINUTE=0,30;COUNT=5", "2026-01-01T09:00", "2027-01-01",
          "01-01T09:00 01-01T09:30 01-01T17:00 01-01T17:30 01-02T09:00");
    check("FREQ=MINUTELY;INTERVAL=30;BYHOUR=9,10;BYDAY=MO", "2026-03-02T09:00", "2026-03-10",
          "03-02T09:00 03-02T09:30 03-02T10:00 03-02T10:30 03-09T09:00 03-09T09:30 03-09T10:00 "
          "03-09T10:30");
    check("FREQ=WEEKLY;BYDAY=MO;BYSETPOS=9", "2026-03-02T09:00", "2027-01-01", "03-02T09:00");
}

static void the_start_is_the_first_occurrence_whatever_the_rule_says(void **state) {
    (void)state;
    check("FREQ=WEEKLY;BYDAY=MO;COUNT=3", "2026-03-01T09:00", "2027-01-01",
          "03-01T09:00 03-02T09:00 03-09T09:00");
}

static void rules_that_are_none_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } rules[] = {
        {"", "1 to 1024"},
        {"FREQ", "NAME=VALUE"},
        {"FREQ=", "NAME=VALUE"},
        {"INTERVAL=2", "FREQ is missing"},
        {"FREQ=FORTNIGHTLY", "FREQ=FORTNIGHTLY"},
        {"FREQ=DAILY;", "NAME=VALUE"},
        {"FREQ=DAILY;FREQ=DAILY", "twice"},
        {"FREQ=DAILY;INTERVAL=0", "INTERVAL=0"},
        {"FREQ=DAILY;INTERVAL=-1", "INTERVAL=-1"},
        {"FREQ=DAILY;INTERVAL=99999999999", "INTERVAL="},
        {"FREQ=DAILY;COUNT=0", "COUNT=0"},
        {"FREQ=DAILY;COUNT=1;UNTIL=20260101", "exclude"},
        {"FREQ=DAILY;UNTIL=tomorrow", "UNTIL=tomorrow"},
        {"FREQ=DAILY;UNTIL=20260230", "UNTIL=20260230"},
        {"FREQ=DAILY;BYHOUR=24", "BYHOUR=24"},
        {"FREQ=DAILY;BYHOUR=-1", "BYHOUR=-1"},
        {"FREQ=DAILY;BYHOUR=", "NAME=VALUE"},
        {"FREQ=DAILY;BYHOUR=1,,2", "BYHOUR=1,,2"},
        {"FREQ=DAILY;BYMONTH=13", "BYMONTH=13"},
        {"FREQ=DAILY;BYMONTHDAY=32", "BYMONTHDAY=32"},
        {"FREQ=DAILY;BYMONTHDAY=0", "BYMONTHDAY=0"},
        {"FREQ=DAILY;BYDAY=XX", "BYDAY=XX"},
        {"FREQ=MONTHLY;BYDAY=0MO", "BYDAY=0MO"},
        {"FREQ=MONTHLY;BYDAY=54MO", "BYDAY=54MO"},
        {"FREQ=WEEKLY;BYDAY=1MO", "number before a day"},
        {"FREQ=YEARLY;BYWEEKNO=3;BYDAY=1MO", "number before a day"},
        {"FREQ=MONTHLY;BYWEEKNO=3", "BYWEEKNO"},
        {"FREQ=WEEKLY;BYMONTHDAY=3", "BYMONTHDAY"},
        {"FREQ=DAILY;BYYEARDAY=3", "BYYEARDAY"},
        {"FREQ=DAILY;BYSETPOS=1", "BYSETPOS"},
        {"FREQ=DAILY;X-FOO=1", "X-FOO"},
        {"RRULE:FREQ=DAILY", "RRULE:FREQ"},
        {"FREQ=YEARLY;RSCALE=CHINESE", "RSCALE"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct recur_rule rule;
        if (recur_parse(view_of(rules[i].text), &rule, &error) != STET_INVALID_TIME)
            fail_msg("taken: %s", rules[i].text);
        if (strstr(error.message, rules[i].says) == NULL)
            fail_msg("%s: %s", rules[i].text, error.message);
    }
    char longest[RRULE_BYTES_MAX + 2];
    memset(longest, 'A', sizeof longest);
    struct recur_rule rule;
    assert_int_equal(recur_parse(view_make(longest, sizeof longest - 1), &rule, &error),
                     STET_INVALID_TIME);
}

/* Whatever a rule says, looking for its next occurrence ends soon. */
static void no_rule_takes_more_than_its_steps(void **state) {
    (void)state;
    static const char *const rules[] = {
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30,31",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
        "FREQ=SECONDLY;COUNT=1000000000",
        "FREQ=SECONDLY;BYHOUR=3;BYMINUTE=59;BYSECOND=59;BYDAY=SU;BYMONTHDAY=29;BYMONTH=2",
        "FREQ=SECONDLY;INTERVAL=1000000000",
        "FREQ=YEARLY;INTERVAL=1000000000",
        "FREQ=SECONDLY;INTERVAL=7919;BYSECOND=1;BYMINUTE=1;BYHOUR=1;BYYEARDAY=366,-366",
        "FREQ=MINUTELY;INTERVAL=1440;BYHOUR=10",
        "FREQ=YEARLY;BYDAY=53MO,-53TU;BYSETPOS=366,-366",
        "FREQ=YEARLY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23;BYDAY=MO,"
        "TU,WE,TH,FR,SA,SU;BYMINUTE=0,1,2,3,4,5,6,7,8,9;BYSECOND=0,1,2,3,4,5;BYSETPOS=1,-1,300,-"
        "300",
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        static struct recur_walk walk;
        struct recur_rule rule = must_parse(rules[i]);
        recur_begin(&walk, &rule, local("2026-03-01T09:00:00"), 50000);
        int64_t at, last = INT64_MIN;
        uint64_t told = 0;
        while (recur_next(&walk, local("2261-01-01"), &at) == RECUR_FOUND) {
            assert_true(at > last);
            last = at;
            told++;
        }
        assert_true(told <= 50001);
    }
}

/* ---- Against libical, which knows the same rules -------------------------------------------------------------------------------- */

static uint64_t seed;

static unsigned below(unsigned bound) {
    uint64_t z = seed += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return (unsigned)((z ^ z >> 31) % bound);
}

/* Ascending: libical takes times of day in the order in which they are written. */
static void add_list(char *text, const char *name, int low, int high, bool negatives) {
    sprintf(text + strlen(text), ";%s=", name);
    for (int value = low + (int)below(3), i = 0; i < 3 && value <= high; i++) {
        int sign = negatives && below(3) == 0 ? -1 : 1;
        sprintf(text + strlen(text), "%s%d", i == 0 ? "" : ",", sign * value);
        value += 1 + (int)below((unsigned)(high - low) / 2);
    }
}

static void add_weekdays(char *text, bool numbers) {
    static const char *const names[] = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"};
    strcat(text, ";BYDAY=");
    bool first = true;
    for (unsigned day = below(3); day < 7; day += 1 + below(4), first = false) {
        if (!first) strcat(text, ",");
        if (numbers) sprintf(text + strlen(text), "%d", (below(2) ? 1 : -1) * (1 + (int)below(4)));
        strcat(text, names[day]);
    }
}

/* Rules that people and programs write. libical does not find days from a month's end unless it counts in months, nor other months than the
   first when it counts in years. */
static void make_rule(char *text) {
    static const char *const names[] = {"HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"};
    unsigned freq = below(5);
    sprintf(text, "FREQ=%s;INTERVAL=%u", names[freq], 1 + below(freq == 4 ? 2 : 4));
    bool months = freq != 2 && below(3) == 0;
    if (months) add_list(text, "BYMONTH", 1, 12, false);
    bool month_days = freq != 2 && (freq != 4 || months) && below(3) == 0;
    if (month_days) add_list(text, "BYMONTHDAY", 1, 28, freq == 3);
    if (below(2)) add_weekdays(text, freq == 3 && !month_days && below(2));
    if (freq != 0 && below(4) == 0) add_list(text, "BYHOUR", 0, 23, false);
    if (below(4) == 0) add_list(text, "BYMINUTE", 0, 59, false);
}

static size_t by_libical(const char *text, int64_t start, int64_t to, int64_t *out, size_t max) {
    struct icalrecurrencetype rule = icalrecurrencetype_from_string(text);
    struct civil first = civil_of(start);
    struct icaltimetype begin = icaltime_null_time();
    begin.year = first.year, begin.month = first.month, begin.day = first.day;
    begin.hour = first.hour, begin.minute = first.minute, begin.second = first.second;
    icalrecur_iterator *iterator = icalrecur_iterator_new(rule, begin);
    size_t count = 0;
    while (iterator != NULL && count < max) {
        struct icaltimetype at = icalrecur_iterator_next(iterator);
        struct civil date = {at.year, at.month, at.day, at.hour, at.minute, at.second};
        if (icaltime_is_null_time(at) || civil_seconds(&date) > to) break;
        out[count++] = civil_seconds(&date);
    }
    if (iterator != NULL) icalrecur_iterator_free(iterator);
    return count;
}

static void rules_agree_with_libical(void **state) {
    (void)state;
    enum { MOST = 200 };
    int64_t theirs[MOST];
    size_t compared = 0;
    /* libical takes milliseconds for some. */
    const char *more = getenv("RECUR_ROUNDS");
    uint64_t rounds = more == NULL ? 120 : strtoull(more, NULL, 10);
    for (uint64_t round = 0; round < rounds; round++) {
        static struct recur_walk walk;
        char text[400];
        seed = 1000003 * round;
        make_rule(text);
        struct recur_rule rule = must_parse(text);
        int64_t start = local("2026-01-01T10:20:00") + (int64_t)below(400) * CIVIL_DAY_S;
        int64_t to = start + 3 * 365 * CIVIL_DAY_S, at;
        size_t count = by_libical(text, start, to, theirs, MOST);
        recur_begin(&walk, &rule, start, 10000000);
        for (size_t i = 0; i < count;) {
            if (recur_next(&walk, to, &at) != RECUR_FOUND)
                fail_msg("%llu: %s ends after %zu of %zu", (unsigned long long)round, text, i,
                         count);
            /* The start is always among ours. */
            if (at == start && theirs[i] != start) continue;
            if (at != theirs[i])
                fail_msg("%llu: %s: number %zu is %lld, not %lld", (unsigned long long)round, text,
                         i, (long long)at, (long long)theirs[i]);
            i++;
            compared++;
        }
        if (count < MOST && recur_next(&walk, to, &at) == RECUR_FOUND &&
            !(at == start && count == 0))
            fail_msg("%llu: %s goes on after %zu", (unsigned long long)round, text, count);
    }
    assert_true(compared > 10 * rounds);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_say_when),
        cmocka_unit_test(the_start_is_the_first_occurrence_whatever_the_rule_says),
        cmocka_unit_test(rules_that_are_none_are_refused),
        cmocka_unit_test(no_rule_takes_more_than_its_steps),
        cmocka_unit_test(rules_agree_with_libical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
