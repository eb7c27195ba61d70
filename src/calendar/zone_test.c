#include "calendar/zone.h"

#include "base/limits.h"
#include "base/view.h"
#include "calendar/tzif.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

static stet_error error;

static const struct zone *must_find(const char *name) {
    const struct zone *zone = NULL;
    stet_status status = zone_find(view_of(name), &zone, &error);
    if (status != STET_OK) fail_msg("%s: %s", name, error.message);
    return zone;
}

static int64_t local(const char *text) {
    struct wall wall;
    assert_true(wall_parse(view_of(text), &wall));
    return wall.local;
}

/* A local time, the instant it is, and what the clock shows then. */
static void check(const char *zone_name, const char *text, enum zone_fit fit, const char *utc,
                  const char *shown) {
    const struct zone *zone = must_find(zone_name);
    struct zone_moment moment = zone_resolve(zone, local(text));
    assert_int_equal(moment.utc, local(utc));
    assert_int_equal(moment.fit, fit);
    assert_int_equal(moment.utc + moment.offset, local(text));
    assert_int_equal(moment.utc + zone_offset(zone, moment.utc), local(shown));
}

static void check_once(const char *zone, const char *text, const char *utc) {
    check(zone, text, ZONE_ONCE, utc, text);
}

static void berlin_skips_and_repeats_an_hour(void **state) {
    (void)state;
    check_once("Europe/Berlin", "2026-03-29T01:59:59", "2026-03-29T00:59:59");
    check("Europe/Berlin", "2026-03-29T02:00:00", ZONE_GAP, "2026-03-29T01:00:00",
          "2026-03-29T03:00:00");
    check("Europe/Berlin", "2026-03-29T02:30:00", ZONE_GAP, "2026-03-29T01:30:00",
          "2026-03-29T03:30:00");
    check_once("Europe/Berlin", "2026-03-29T03:00:00", "2026-03-29T01:00:00");
    check_once("Europe/Berlin", "2026-10-25T01:59:59", "2026-10-24T23:59:59");
    check("Europe/Berlin", "2026-10-25T02:00:00", ZONE_TWICE, "2026-10-25T00:00:00",
          "2026-10-25T02:00:00");
    check("Europe/Berlin", "2026-10-25T02:59:59", ZONE_TWICE, "2026-10-25T00:59:59",
          "2026-10-25T02:59:59");
    check_once("Europe/Berlin", "2026-10-25T03:00:00", "2026-10-25T02:00:00");
}

static void lord_howe_moves_by_half_an_hour(void **state) {
    (void)state;
    check("Australia/Lord_Howe", "2026-10-04T02:15:00", ZONE_GAP, "2026-10-03T15:45:00",
          "2026-10-04T02:45:00");
    check_once("Australia/Lord_Howe", "2026-10-04T02:30:00", "2026-10-03T15:30:00");
    check("Australia/Lord_Howe", "2026-04-05T01:45:00", ZONE_TWICE, "2026-04-04T14:45:00",
          "2026-04-05T01:45:00");
    check_once("Australia/Lord_Howe", "2026-04-05T01:29:59", "2026-04-04T14:29:59");
}

static void apia_has_no_30_december_2011(void **state) {
    (void)state;
    check_once("Pacific/Apia", "2011-12-29T23:59:59", "2011-12-30T09:59:59");
    check("Pacific/Apia", "2011-12-30T00:00:00", ZONE_GAP, "2011-12-30T10:00:00",
          "2011-12-31T00:00:00");
    check("Pacific/Apia", "2011-12-30T10:00:00", ZONE_GAP, "2011-12-30T20:00:00",
          "2011-12-31T10:00:00");
    check_once("Pacific/Apia", "2011-12-31T00:00:00", "2011-12-30T10:00:00");
}

/* What these zones call standard time is ahead of what they call daylight-saving. */
static void dublin_and_casablanca_save_backwards(void **state) {
    (void)state;
    check("Europe/Dublin", "2026-03-29T01:30:00", ZONE_GAP, "2026-03-29T01:30:00",
          "2026-03-29T02:30:00");
    check("Europe/Dublin", "2026-10-25T01:30:00", ZONE_TWICE, "2026-10-25T00:30:00",
          "2026-10-25T01:30:00");
    check_once("Europe/Dublin", "2060-07-01T12:00:00", "2060-07-01T11:00:00");
    check_once("Europe/Dublin", "2060-01-01T12:00:00", "2060-01-01T12:00:00");
    /* Ramadan of 2026 begins in February. */
    check("Africa/Casablanca", "2026-02-15T02:30:00", ZONE_TWICE, "2026-02-15T01:30:00",
          "2026-02-15T02:30:00");
    check("Africa/Casablanca", "2026-03-22T02:30:00", ZONE_GAP, "2026-03-22T02:30:00",
          "2026-03-22T03:30:00");
}

static void rules_hold_past_2037_and_the_table(void **state) {
    (void)state;
    check("Europe/Berlin", "2050-03-27T02:30:00", ZONE_GAP, "2050-03-27T01:30:00",
          "2050-03-27T03:30:00");
    check("America/New_York", "2099-11-01T01:30:00", ZONE_TWICE, "2099-11-01T05:30:00",
          "2099-11-01T01:30:00");
    check_once("America/New_York", "2261-07-01T12:00:00", "2261-07-01T16:00:00");
    check_once("America/Santiago", "2150-01-01T12:00:00", "2150-01-01T15:00:00");
    const struct zone *berlin = must_find("Europe/Berlin");
    struct civil far = {.year = 9998, .month = 7, .day = 1, .hour = 12};
    assert_int_equal(zone_resolve(berlin, civil_seconds(&far)).offset, 7200);
    far.month = 1;
    assert_int_equal(zone_resolve(berlin, civil_seconds(&far)).offset, 3600);
    struct civil early = {.year = 1, .month = 1, .day = 1};
    assert_int_equal(zone_resolve(berlin, civil_seconds(&early)).fit, ZONE_ONCE);
}

static void changes_follow_one_another(void **state) {
    (void)state;
    int64_t at = local("2026-01-01T00:00:00");
    const struct zone *berlin = must_find("Europe/Berlin");
    assert_true(zone_next_change(berlin, at, &at));
    assert_int_equal(at, local("2026-03-29T01:00:00"));
    assert_true(zone_is_dst(berlin, at));
    assert_false(zone_is_dst(berlin, at - 1));
    assert_true(zone_next_change(berlin, at, &at));
    assert_int_equal(at, local("2026-10-25T01:00:00"));
    int64_t last = at;
    for (int i = 0; i < 2000; i++) {
        assert_true(zone_next_change(berlin, at, &at));
        assert_true(at > last && at - last < 366 * CIVIL_DAY_S);
        assert_int_not_equal(zone_offset(berlin, at - 1), zone_offset(berlin, at));
        last = at;
    }
    assert_false(zone_next_change(zone_utc(), 0, &at));
    assert_false(zone_next_change(must_find("Asia/Tokyo"), local("2026-01-01"), &at));
}

/* ---- Against libc, which reads the same files with other code ------------------------------------------------------------------ */

static uint64_t seed = 20260301;

static uint64_t random_u64(void) {
    uint64_t z = seed += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

/* Brute force over the instants around it: the first at which the clock shows this, else the offset before the gap. */
static int64_t resolve_slowly(const struct zone *zone, int64_t wanted) {
    int64_t change = wanted - 27 * 3600;
    int32_t offset = zone_offset(zone, change);
    for (;;) {
        int64_t next;
        bool more = zone_next_change(zone, change, &next) && next <= wanted + 27 * 3600;
        int64_t time = wanted - offset;
        if (!more || time < next) return time;
        int32_t after = zone_offset(zone, next);
        if (wanted - after < next) return time; /* The gap. */
        change = next;
        offset = after;
    }
}

static void check_zone(const char *name) {
    const struct zone *zone = must_find(name);
    setenv("TZ", name, 1);
    tzset();
    static const char *const around[] = {"1883-01-01", "1918-01-01", "1945-04-01",
                                         "1999-12-31", "2037-10-01", "2038-06-01"};
    for (int i = 0; i < 60; i++) {
        int64_t from = i < 6 ? local(around[i]) : local("1880-01-01");
        int64_t width = i < 6 ? 366 * CIVIL_DAY_S : local("2261-12-30") - from;
        int64_t utc = from + (int64_t)(random_u64() % (uint64_t)width);
        int64_t change;
        if (i % 2 == 0 && zone_next_change(zone, utc, &change))
            utc = change - (int64_t)(random_u64() % 2);
        time_t time = (time_t)utc;
        struct tm shown;
        assert_non_null(localtime_r(&time, &shown));
        if (shown.tm_gmtoff != zone_offset(zone, utc))
            fail_msg("%s at %lld: %ld, not %d", name, (long long)utc, shown.tm_gmtoff,
                     (int)zone_offset(zone, utc));
        int64_t wall = utc + shown.tm_gmtoff + (int64_t)(random_u64() % 7201) - 3600;
        struct zone_moment moment = zone_resolve(zone, wall);
        if (moment.utc != resolve_slowly(zone, wall))
            fail_msg("%s: local %lld is %lld, not %lld", name, (long long)wall,
                     (long long)moment.utc, (long long)resolve_slowly(zone, wall));
    }
}

static void every_zone_agrees_with_libc(void **state) {
    (void)state;
    FILE *list = fopen("/usr/share/zoneinfo/tzdata.zi", "re");
    if (list == NULL) skip();
    char line[256], name[128];
    int zones = 0;
    while (fgets(line, sizeof line, list) != NULL) {
        if (sscanf(line, "Z %127s", name) != 1 && sscanf(line, "L %*s %127s", name) != 1) continue;
        if (strcmp(name, "Factory") == 0 || strlen(name) < 4) continue;
        check_zone(name);
        zones++;
    }
    fclose(list);
    unsetenv("TZ");
    assert_true(zones > 300);
}

static void zones_that_do_not_exist_are_named(void **state) {
    (void)state;
    static const char *const names[] = {"",
                                        "Europe/Atlantis",
                                        "Europe",
                                        "europe/berlin",
                                        "/etc/passwd",
                                        "../../../etc/passwd",
                                        "Europe/../Europe/Berlin",
                                        "Europe//Berlin",
                                        "right/Europe/Berlin",
                                        "posix/Europe/Berlin",
                                        "tzdata.zi",
                                        "leapseconds",
                                        "CET ",
                                        "+02:00",
                                        "Europe/Berlin/"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct zone *zone = NULL;
        assert_int_equal(zone_find(view_of(names[i]), &zone, &error), STET_INVALID_TIME);
        assert_null(zone);
        assert_non_null(strstr(error.message, names[i]));
    }
    char longest[300];
    memset(longest, 'A', sizeof longest);
    const struct zone *zone;
    assert_int_equal(zone_find(view_make(longest, sizeof longest), &zone, &error),
                     STET_INVALID_TIME);
    assert_int_equal(zone_find(view_make("UTC\0x", 5), &zone, &error), STET_INVALID_TIME);
}

static void a_zone_is_read_once(void **state) {
    (void)state;
    assert_ptr_equal(must_find("Asia/Kathmandu"), must_find("Asia/Kathmandu"));
    assert_ptr_equal(must_find("UTC"), zone_utc());
    assert_int_equal(zone_name(must_find("Asia/Kathmandu")).size, 14);
    stet_view version = zone_data_version();
    assert_true(version.size >= 5 && version.bytes[0] == '2');
}

static void damaged_files_are_refused(void **state) {
    (void)state;
    FILE *file = fopen("/usr/share/zoneinfo/Europe/Berlin", "re");
    assert_non_null(file);
    static char bytes[8192], damaged[8192];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    struct tzif table;
    for (size_t cut = 0; cut < size; cut++) {
        /* Only the last line may be missing, as in the first version of the format. */
        char *exact = malloc(cut + 1);
        assert_non_null(exact);
        memcpy(exact, bytes, cut);
        stet_status status = tzif_read(view_make(exact, cut), &table, &error);
        if (status == STET_OK) free(table.periods);
        assert_true(status == STET_CORRUPT || cut > size - 40);
        free(exact);
    }
    for (int i = 0; i < 3000; i++) {
        memcpy(damaged, bytes, size);
        for (int k = 0; k < 3; k++)
            damaged[random_u64() % size] = (char)random_u64();
        if (tzif_read(view_make(damaged, size), &table, &error) == STET_OK) {
            assert_true(table.count >= 1);
            for (size_t p = 1; p < table.count; p++)
                assert_true(table.periods[p].from > table.periods[p - 1].from);
            free(table.periods);
        }
    }
}

static void *find_many(void *context) {
    (void)context;
    static const char *const names[] = {"Asia/Tokyo", "America/Denver", "Africa/Cairo",
                                        "Europe/Rome", "Pacific/Chatham"};
    for (int i = 0; i < 2000; i++) {
        const struct zone *zone;
        assert_int_equal(zone_find(view_of(names[i % 5]), &zone, NULL), STET_OK);
        assert_true(zone_resolve(zone, 1800000000).utc != 0);
    }
    return NULL;
}

static void threads_find_the_same_zones(void **state) {
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, find_many, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_find_the_same_zones),
        cmocka_unit_test(berlin_skips_and_repeats_an_hour),
        cmocka_unit_test(lord_howe_moves_by_half_an_hour),
        cmocka_unit_test(apia_has_no_30_december_2011),
        cmocka_unit_test(dublin_and_casablanca_save_backwards),
        cmocka_unit_test(rules_hold_past_2037_and_the_table),
        cmocka_unit_test(changes_follow_one_another),
        cmocka_unit_test(every_zone_agrees_with_libc),
        cmocka_unit_test(zones_that_do_not_exist_are_named),
        cmocka_unit_test(a_zone_is_read_once),
        cmocka_unit_test(damaged_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
