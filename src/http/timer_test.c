#include "http/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct wheel wheel;

/* Turns the wheel to a time; how many timers fired. */
static int turn(int64_t now_ms) {
    int fired = 0;
    struct timer *timer;
    while ((timer = wheel_expired(&wheel, now_ms)) != NULL) {
        assert_true(timer->due_ms <= now_ms);
        fired++;
    }
    return fired;
}

static void it_never_fires_early_and_soon_after(void **state) {
    (void)state;
    for (int64_t due_ms = 1000; due_ms < 1100; due_ms++) {
        struct timer timer = {0};
        wheel_init(&wheel, 1000);
        timer_set(&wheel, &timer, due_ms);
        for (int64_t now_ms = 1000; now_ms < due_ms; now_ms++)
            assert_int_equal(turn(now_ms), 0);
        assert_int_equal(turn(due_ms + WHEEL_TICK_MS), 1);
        assert_false(timer_is_set(&timer));
    }
}

static void a_deadline_past_one_round_waits_its_rounds(void **state) {
    struct timer timer = {0};
    int64_t round_ms = WHEEL_TICK_MS * WHEEL_SLOTS;
    (void)state;
    wheel_init(&wheel, 0);
    timer_set(&wheel, &timer, 3 * round_ms + 100);
    for (int64_t now_ms = 0; now_ms < 3 * round_ms + 100; now_ms += 500)
        assert_int_equal(turn(now_ms), 0);
    assert_int_equal(turn(3 * round_ms + 1000), 1);
}

static void cancelled_and_moved_timers_do_not_fire(void **state) {
    struct timer timers[3] = {{0}};
    (void)state;
    wheel_init(&wheel, 0);
    for (int i = 0; i < 3; i++)
        timer_set(&wheel, &timers[i], 100);
    timer_cancel(&wheel, &timers[0]);
    timer_cancel(&wheel, &timers[0]);
    timer_set(&wheel, &timers[1], 5000);
    assert_int_equal(turn(1000), 1);
    assert_false(timer_is_set(&timers[2]));
    assert_int_equal(turn(6000), 1);
    assert_int_equal(wheel_wait_ms(&wheel, 6000), -1);
}

static void a_deadline_in_the_past_fires_at_the_next_turn(void **state) {
    struct timer timer = {0};
    (void)state;
    wheel_init(&wheel, 10000);
    (void)turn(10000);
    timer_set(&wheel, &timer, 5);
    assert_int_equal(turn(10000 + WHEEL_TICK_MS), 1);
}

static void the_wait_ends_by_the_first_deadline(void **state) {
    struct timer timer = {0};
    (void)state;
    wheel_init(&wheel, 0);
    assert_int_equal(wheel_wait_ms(&wheel, 0), -1);
    timer_set(&wheel, &timer, 1000);
    assert_in_range(wheel_wait_ms(&wheel, 0), 1000, 1000 + WHEEL_TICK_MS);
    assert_in_range(wheel_wait_ms(&wheel, 900), 100, 100 + WHEEL_TICK_MS);
    assert_in_range(wheel_wait_ms(&wheel, 2000), 0, WHEEL_TICK_MS);
}

static void a_timer_may_set_others_while_the_wheel_turns(void **state) {
    struct timer first = {0};
    struct timer second = {0};
    (void)state;
    wheel_init(&wheel, 0);
    timer_set(&wheel, &first, 100);
    assert_ptr_equal(wheel_expired(&wheel, 2000), &first);
    timer_set(&wheel, &second, 1500);
    assert_ptr_equal(wheel_expired(&wheel, 2000), &second);
    assert_null(wheel_expired(&wheel, 2000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_never_fires_early_and_soon_after),
        cmocka_unit_test(a_deadline_past_one_round_waits_its_rounds),
        cmocka_unit_test(cancelled_and_moved_timers_do_not_fire),
        cmocka_unit_test(a_deadline_in_the_past_fires_at_the_next_turn),
        cmocka_unit_test(the_wait_ends_by_the_first_deadline),
        cmocka_unit_test(a_timer_may_set_others_while_the_wheel_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
