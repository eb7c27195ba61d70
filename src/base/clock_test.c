#include "base/clock.h"
#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void check_format(int64_t ns, const char *expected) {
    char text[CLOCK_RFC3339_BYTES + 1] = {0};
    clock_format_rfc3339(ns, text);
    assert_string_equal(text, expected);
    int64_t back = -1;
    assert_true(clock_parse_rfc3339(view_of(expected), &back));
    assert_true(back == ns);
}

static void check_parse(const char *text, int64_t expected) {
    int64_t ns = -1;
    if (!clock_parse_rfc3339(view_of(text), &ns)) fail_msg("%s", text);
    assert_true(ns == expected);
}

static void instants_have_one_spelling(void **state) {
    (void)state;
    check_format(0, "1970-01-01T00:00:00.000000000Z");
    check_format(1, "1970-01-01T00:00:00.000000001Z");
    check_format(951782400 * CLOCK_NS_PER_S, "2000-02-29T00:00:00.000000000Z");
    check_format(4107542400 * CLOCK_NS_PER_S - 1, "2100-02-28T23:59:59.999999999Z");
    check_format(4107542400 * CLOCK_NS_PER_S, "2100-03-01T00:00:00.000000000Z");
    check_format(INT64_MAX, "2262-04-11T23:47:16.854775807Z");
}

static void every_day_agrees_with_the_system(void **state) {
    (void)state;
    for (int64_t day = 0; day < 106000; day++) {
        time_t s = day * 86400 + 86399;
        struct tm parts;
        char expected[64];
        gmtime_r(&s, &parts);
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.000000007Z", &parts);
        check_format(s * CLOCK_NS_PER_S + 7, expected);
    }
}

static void offsets_and_short_fractions_are_read(void **state) {
    (void)state;
    check_parse("1970-01-01T02:00:00+02:00", 0);
    check_parse("1970-01-01T00:00:00-00:30", 1800 * CLOCK_NS_PER_S);
    check_parse("1970-01-01t00:00:01z", CLOCK_NS_PER_S);
    check_parse("1970-01-01 00:00:01.5Z", 1500 * CLOCK_NS_PER_MS);
    check_parse("2016-12-31T23:59:60Z", 1483228800 * CLOCK_NS_PER_S);
}

static void what_is_not_an_instant_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "1970-01-01",
                                      "1970-01-01T00:00:00",
                                      "1970-01-01T00:00Z",
                                      "1970-1-01T00:00:00Z",
                                      "1970-01-01T00:00:00.Z",
                                      "1970-01-01T00:00:00.1234567890Z",
                                      "1970-01-01T00:00:00Zx",
                                      "1970-02-29T00:00:00Z",
                                      "2100-02-29T00:00:00Z",
                                      "1970-00-01T00:00:00Z",
                                      "1970-13-01T00:00:00Z",
                                      "1970-01-00T00:00:00Z",
                                      "1970-04-31T00:00:00Z",
                                      "1970-01-01T24:00:00Z",
                                      "1970-01-01T00:60:00Z",
                                      "1970-01-01T00:00:61Z",
                                      "1970-01-01T00:00:60Z",
                                      "1970-01-01T00:00:00+24:00",
                                      "1970-01-01T00:00:00+01:60",
                                      "1970-01-01T00:00:00+0100",
                                      "1969-12-31T23:59:59Z",
                                      "1970-01-01T00:00:00+00:01",
                                      "2262-04-11T23:47:16.854775808Z",
                                      "9999-12-31T23:59:59Z",
                                      "-970-01-01T00:00:00Z"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ns = 42;
        if (clock_parse_rfc3339(view_of(bad[i]), &ns)) fail_msg("%s", bad[i]);
        assert_true(ns == 42);
    }
    int64_t ns;
    assert_false(clock_parse_rfc3339(VIEW("1970-01-01\0"
                                          "00:00:00Z"),
                                     &ns));
}

static void a_manual_clock_moves_only_when_told(void **state) {
    (void)state;
    struct clock_manual manual;
    clock_manual_init(&manual, 1000);
    assert_int_equal(clock_wall_ns(&manual.clock), 1000);
    int64_t before = clock_monotonic_ns(&manual.clock);
    clock_manual_advance(&manual, 5);
    assert_int_equal(clock_wall_ns(&manual.clock), 1005);
    assert_int_equal(clock_monotonic_ns(&manual.clock), before + 5);
}

static void the_system_clock_runs(void **state) {
    (void)state;
    assert_true(clock_wall_ns(clock_system()) > 1700000000 * CLOCK_NS_PER_S);
    int64_t before = clock_monotonic_ns(clock_system());
    assert_true(clock_monotonic_ns(clock_system()) >= before);
}

static void a_seed_repeats_its_randomness(void **state) {
    (void)state;
    struct entropy_seeded one, two;
    entropy_seeded_init(&one, 1234567);
    entropy_seeded_init(&two, 1234567);
    /* The first value of SplitMix64 for this seed, as its authors' program gives it. */
    assert_true(entropy_u64(&one.entropy) == UINT64_C(6457827717110365317));
    entropy_u64(&two.entropy);
    for (int i = 0; i < 100; i++) {
        assert_true(entropy_u64(&one.entropy) == entropy_u64(&two.entropy));
    }
}

static void the_system_fills_any_size(void **state) {
    (void)state;
    const struct entropy *entropy = entropy_system();
    for (size_t size = 0; size < 400; size++) {
        unsigned char bytes[402] = {0};
        unsigned char seen[400] = {0};
        for (int round = 0; round < 12; round++) {
            entropy->fill(entropy->context, bytes + 1, size);
            for (size_t i = 0; i < size; i++)
                seen[i] |= bytes[i + 1];
        }
        for (size_t i = 0; i < size; i++)
            assert_int_not_equal(seen[i], 0);
        assert_int_equal(bytes[0], 0);
        assert_int_equal(bytes[size + 1], 0);
    }
}

static void a_forked_child_draws_other_numbers(void **state) {
    (void)state;
    entropy_u64(entropy_system());
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint64_t value = entropy_u64(entropy_system());
        _exit(write(ends[1], &value, sizeof value) == sizeof value ? 0 : 1);
    }
    uint64_t ours = entropy_u64(entropy_system());
    uint64_t theirs = 0;
    assert_int_equal(read(ends[0], &theirs, sizeof theirs), sizeof theirs);
    int ended;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(ours != theirs);
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instants_have_one_spelling),
        cmocka_unit_test(every_day_agrees_with_the_system),
        cmocka_unit_test(offsets_and_short_fractions_are_read),
        cmocka_unit_test(what_is_not_an_instant_is_refused),
        cmocka_unit_test(a_manual_clock_moves_only_when_told),
        cmocka_unit_test(the_system_clock_runs),
        cmocka_unit_test(a_seed_repeats_its_randomness),
        cmocka_unit_test(the_system_fills_any_size),
        cmocka_unit_test(a_forked_child_draws_other_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
