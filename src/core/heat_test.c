#include "core/heat.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs the above. */
#include <cmocka.h>
#include <stdio.h>

static void add(struct heat *heat, const char *id, unsigned times) {
    for (unsigned i = 0; i < times; i++)
        heat_add(heat, VIEW("deals"), view_of(id));
}

static void the_hottest_records_come_first(void **state) {
    (void)state;
    struct heat heat;
    struct heat_record top[2];
    heat_init(&heat);
    add(&heat, "cool", 1);
    add(&heat, "hot", 5);
    add(&heat, "warm", 3);
    assert_int_equal(heat_top(&heat, top, 2), 2);
    assert_int_equal(top[0].count, 5);
    assert_memory_equal(top[0].id, "hot", top[0].id_bytes);
    assert_int_equal(top[1].count, 3);
    heat_done(&heat);
}

static void a_hot_record_is_found_among_more_than_are_counted(void **state) {
    (void)state;
    struct heat heat;
    struct heat_record top[1];
    heat_init(&heat);
    for (unsigned i = 0; i < HOT_RECORDS_COUNTED * 4; i++) {
        char id[16];
        snprintf(id, sizeof id, "%u", i);
        add(&heat, id, 1);
        add(&heat, "hot", 1);
    }
    assert_int_equal(heat_top(&heat, top, 1), 1);
    assert_memory_equal(top[0].id, "hot", 3);
    assert_true(top[0].count - top[0].error <= HOT_RECORDS_COUNTED * 4);
    assert_true(top[0].count >= HOT_RECORDS_COUNTED * 4);
    heat_done(&heat);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hottest_records_come_first),
        cmocka_unit_test(a_hot_record_is_found_among_more_than_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
