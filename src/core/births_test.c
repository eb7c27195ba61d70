#include "core/births.h"

#include "base/limits.h"
#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check(const struct births *births, uint64_t instance, uint64_t first, int64_t at,
                  stet_view by) {
    const struct birth *birth = births_find(births, instance, first);
    assert_non_null(birth);
    assert_int_equal(birth->at, at);
    assert_true(view_equal(view_make(birth->by, birth->by_bytes), by));
}

static void nothing_is_remembered_at_first(void **state) {
    struct births births;
    (void)state;
    births_init(&births);
    assert_null(births_find(&births, 1, 1));
    births_done(&births);
}

static void one_is_found_by_instance_and_seq(void **state) {
    struct births births;
    (void)state;
    births_init(&births);
    births_put(&births, 1, 7, 100, VIEW("alice"));
    births_put(&births, 1, 8, 200, VIEW(""));
    births_put(&births, 2, 7, 300, VIEW("a longer name than alice"));
    check(&births, 1, 7, 100, VIEW("alice"));
    check(&births, 1, 8, 200, VIEW(""));
    check(&births, 2, 7, 300, VIEW("a longer name than alice"));
    assert_null(births_find(&births, 3, 7));
    births_done(&births);
}

static void a_collision_forgets_the_older_one(void **state) {
    struct births births;
    (void)state;
    births_init(&births);
    births_put(&births, 1, 7, 100, VIEW("alice"));
    births_put(&births, 1, 7 + BIRTHS_CACHED_MAX, 200, VIEW("bob"));
    assert_null(births_find(&births, 1, 7));
    check(&births, 1, 7 + BIRTHS_CACHED_MAX, 200, VIEW("bob"));
    births_done(&births);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_remembered_at_first),
        cmocka_unit_test(one_is_found_by_instance_and_seq),
        cmocka_unit_test(a_collision_forgets_the_older_one),
    };
    return cmocka_run_group_tests_name("births", tests, NULL, NULL);
}
