#include "cli/row_ids.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static uint64_t add(struct row_ids *ids, unsigned number, uint64_t line) {
    char id[32];
    uint64_t before = UINT64_MAX;
    int size = snprintf(id, sizeof id, "customer-%u", number);
    assert_int_equal(row_ids_add(ids, view_make(id, (size_t)size), line, &before), STET_OK);
    return before;
}

static void an_id_is_known_from_its_first_line_on(void **state) {
    struct row_ids ids = {0};
    (void)state;
    for (unsigned i = 0; i < 20000; i++)
        assert_int_equal(add(&ids, i, i + 2), 0);
    for (unsigned i = 0; i < 20000; i++)
        assert_int_equal(add(&ids, i, 99999), i + 2);
    assert_int_equal(ids.count, 20000);
    assert_false(ids.full);
    row_ids_done(&ids);
}

static void past_its_bound_it_says_that_it_is_full(void **state) {
    struct row_ids ids = {0};
    (void)state;
    assert_int_equal(add(&ids, 1, 2), 0);
    ids.count = ROW_IDS_MAX;
    assert_int_equal(add(&ids, 2, 3), 0);
    assert_true(ids.full);
    assert_int_equal(add(&ids, 1, 4), 2);
    row_ids_done(&ids);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_known_from_its_first_line_on),
        cmocka_unit_test(past_its_bound_it_says_that_it_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
