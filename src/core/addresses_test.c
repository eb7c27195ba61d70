#include "core/addresses.h"

#include "base/limits.h"
#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check(const struct addresses *addresses, uint64_t instance, uint64_t record,
                  stet_view address) {
    assert_true(view_equal(addresses_find(addresses, instance, record), address));
}

static void nothing_is_remembered_at_first(void **state) {
    struct addresses addresses;
    (void)state;
    addresses_init(&addresses);
    check(&addresses, 1, 1, VIEW(""));
    addresses_done(&addresses);
}

static void one_is_found_by_instance_and_number(void **state) {
    struct addresses addresses;
    (void)state;
    addresses_init(&addresses);
    addresses_put(&addresses, 1, 7, VIEW("meeting/a"));
    addresses_put(&addresses, 1, 8, VIEW("meeting/b"));
    addresses_put(&addresses, 2, 7, VIEW("meeting/of another space"));
    check(&addresses, 1, 7, VIEW("meeting/a"));
    check(&addresses, 1, 8, VIEW("meeting/b"));
    check(&addresses, 2, 7, VIEW("meeting/of another space"));
    check(&addresses, 3, 7, VIEW(""));
    addresses_done(&addresses);
}

static void a_collision_forgets_the_older_one(void **state) {
    struct addresses addresses;
    (void)state;
    addresses_init(&addresses);
    addresses_put(&addresses, 1, 7, VIEW("meeting/a"));
    addresses_put(&addresses, 1, 7 + ADDRESSES_CACHED_MAX, VIEW("meeting/with a longer name"));
    check(&addresses, 1, 7, VIEW(""));
    check(&addresses, 1, 7 + ADDRESSES_CACHED_MAX, VIEW("meeting/with a longer name"));
    addresses_done(&addresses);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_remembered_at_first),
        cmocka_unit_test(one_is_found_by_instance_and_number),
        cmocka_unit_test(a_collision_forgets_the_older_one),
    };
    return cmocka_run_group_tests_name("addresses", tests, NULL, NULL);
}
