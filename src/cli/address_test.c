#include "cli/address.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void check_path(const char *address, const char *path) {
    struct buffer out;
    stet_error err;
    buffer_init(&out, NULL, 0);
    stet_status status = address_path(&out, view_of(address), &err);
    if (path == NULL) {
        assert_int_equal(status, STET_BAD_REQUEST);
    } else {
        assert_int_equal(status, STET_OK);
        assert_true(view_equal(buffer_view(&out), view_of(path)));
    }
    buffer_done(&out);
}

static void the_first_slash_divides(void **state) {
    (void)state;
    check_path("tasks/1", "tasks/1");
    check_path("tasks/a/b", "tasks/a%2Fb");
    check_path("tasks/a%2Fb", "tasks/a%2Fb");
    check_path("a b/\xC3\xA4?#", "a%20b/%C3%A4%3F%23");
    check_path("tasks/..", "tasks/..");
}

static void what_is_no_address_is_refused(void **state) {
    (void)state;
    check_path("tasks", NULL);
    check_path("/1", NULL);
    check_path("tasks/", NULL);
    check_path("", NULL);
    check_path("tasks/50%", NULL);
    check_path("tasks/%4", NULL);
    check_path("tasks/%zz", NULL);
}

static void a_version_ends_an_address(void **state) {
    (void)state;
    stet_view address = VIEW("tasks/1@12");
    assert_int_equal(address_version(&address), 12);
    assert_true(view_equal(address, VIEW("tasks/1")));
    address = VIEW("users/a@b.org");
    assert_int_equal(address_version(&address), 0);
    assert_true(view_equal(address, VIEW("users/a@b.org")));
    address = VIEW("users/a@");
    assert_int_equal(address_version(&address), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_slash_divides),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_version_ends_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
