/* Retries by class: how many, how soon, with what right. */
#include "base/limits.h"
#include "core/retry.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const stet_class classes[] = {STET_CLASS_LOW, STET_CLASS_NORMAL, STET_CLASS_HIGH,
                                     STET_CLASS_URGENT, STET_CLASS_STRUCTURAL};
enum { CLASSES = sizeof classes / sizeof classes[0] };

static void importance_buys_patience(void **state) {
    (void)state;
    for (size_t i = 1; i < CLASSES; i++) {
        assert_true(class_retries(classes[i]) >= class_retries(classes[i - 1]));
        assert_true(class_priority(classes[i]) >= class_priority(classes[i - 1]));
    }
    assert_int_equal(class_retries(STET_CLASS_LOW), 3);
    assert_int_equal(class_retries(STET_CLASS_DEFAULT), class_retries(STET_CLASS_NORMAL));
    assert_int_equal(class_retries(STET_CLASS_STRUCTURAL), 20);
    assert_int_equal(class_priority(STET_CLASS_DEFAULT), class_priority(STET_CLASS_NORMAL));
}

static void the_first_rerun_is_at_once(void **state) {
    (void)state;
    for (size_t i = 0; i < CLASSES; i++) {
        struct retry_step step = retry_next(classes[i], 1, 3, false, UINT64_MAX);
        assert_int_equal(step.kind, RETRY_AGAIN);
        assert_int_equal(step.delay_ns, 0);
        assert_int_equal(step.level, 1);
    }
}

/* The largest of many draws is just below the bound, which doubles up to the cap; the smallest is near nothing. */
static void pauses_are_drawn_from_a_range_that_doubles(void **state) {
    (void)state;
    int64_t bound = RETRY_BASE_MS * INT64_C(1000000);
    for (unsigned retries = 2; retries <= 20; retries++) {
        int64_t least = INT64_MAX, most = 0;
        uint64_t draw = 7;
        for (int i = 0; i < 2000; i++) {
            draw = draw * 6364136223846793005u + 1442695040888963407u;
            int64_t delay = retry_next(STET_CLASS_LOW, retries, 20, false, draw >> 11).delay_ns;
            assert_true(delay >= 0 && delay <= bound);
            least = delay < least ? delay : least;
            most = delay > most ? delay : most;
        }
        assert_true(most > bound - bound / 50);
        assert_true(least < bound / 50);
        bound = bound * 2 < RETRY_CAP_MS * INT64_C(1000000) ? bound * 2
                                                            : RETRY_CAP_MS * INT64_C(1000000);
    }
}

static void every_conflict_raises_the_level_until_it_reserves(void **state) {
    (void)state;
    for (unsigned retries = 1; retries <= 5; retries++) {
        struct retry_step step = retry_next(STET_CLASS_NORMAL, retries, 5, false, 1);
        assert_int_equal(step.level, retries);
        assert_int_equal(step.reserves, retries >= RESERVATION_LEVEL);
    }
}

static void who_reserves_does_not_pause(void **state) {
    (void)state;
    assert_true(retry_next(STET_CLASS_HIGH, RESERVATION_LEVEL - 1, 10, false, 12345).delay_ns > 0);
    for (unsigned retries = RESERVATION_LEVEL; retries <= 10; retries++)
        assert_int_equal(retry_next(STET_CLASS_HIGH, retries, 10, false, 12345).delay_ns, 0);
}

static void low_never_reserves(void **state) {
    (void)state;
    for (unsigned retries = 1; retries <= 10; retries++)
        assert_false(retry_next(STET_CLASS_LOW, retries, 10, false, 1).reserves);
}

static void after_the_last_one_it_is_rejected(void **state) {
    (void)state;
    for (size_t i = 0; i < CLASSES; i++) {
        unsigned max = class_retries(classes[i]);
        assert_int_equal(retry_next(classes[i], max, max, false, 1).kind, RETRY_AGAIN);
        struct retry_step over = retry_next(classes[i], max + 1, max, true, 1);
        assert_int_equal(over.kind, RETRY_EXHAUSTED);
        assert_false(over.reserves);
    }
    assert_int_equal(retry_next(STET_CLASS_HIGH, 1, 0, false, 1).kind, RETRY_EXHAUSTED);
}

static void the_last_run_of_a_structural_function_is_alone(void **state) {
    (void)state;
    assert_int_equal(retry_next(STET_CLASS_STRUCTURAL, 20, 20, true, 1).kind, RETRY_EXCLUSIVE);
    assert_int_equal(retry_next(STET_CLASS_STRUCTURAL, 19, 20, true, 1).kind, RETRY_AGAIN);
    assert_int_equal(retry_next(STET_CLASS_URGENT, 20, 20, true, 1).kind, RETRY_AGAIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(importance_buys_patience),
        cmocka_unit_test(the_first_rerun_is_at_once),
        cmocka_unit_test(pauses_are_drawn_from_a_range_that_doubles),
        cmocka_unit_test(every_conflict_raises_the_level_until_it_reserves),
        cmocka_unit_test(who_reserves_does_not_pause),
        cmocka_unit_test(low_never_reserves),
        cmocka_unit_test(after_the_last_one_it_is_rejected),
        cmocka_unit_test(the_last_run_of_a_structural_function_is_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
