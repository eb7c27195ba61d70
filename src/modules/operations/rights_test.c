/* Who sees an operation, who may steer it, and which scope each call needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/operations/operations_testing.h"

static const stet_view sales[] = {{"sales", 5}};
static const stet_view members[] = {{"member", 6}};

/* Somebody with the role "sales". */
static void am_seller(const char *actor, unsigned scopes) {
    am(actor);
    world.fixture.actor.scopes = scopes;
    world.fixture.actor.roles = sales;
    world.fixture.actor.role_count = 1;
}

/* As the space's settings would. */
static void show_to(enum operations_sight sight) {
    atomic_store(&world.fixture.space->operations_sight, (int)sight);
}

static struct answer list(const char *status) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    const stet_operation_list asked = {.status = view_of(status)};
    return finish(command, operations_fill_list(command, &asked, &err), &err);
}

static struct answer places(const char *id) {
    struct stet_command *command = fresh();
    const stet_view ids[] = {view_of(id)};
    stet_error err = {0};
    return finish(command, operations_fill_status(command, ids, 1, &err), &err);
}

static void check_lists(const char *expected) {
    check_json(must(list("open")).body, "/operations/0/id", expected);
    check_json(must(list("")).body, "/operations/0/id", expected);
}

TEST(who_has_a_role_sees_and_steers_only_their_own) {
    (void)state;
    am_seller("bob", 0);
    must_submit("bobs");
    am_seller("eve", 0);
    check_status(get("bobs"), STET_NOT_FOUND);
    check_status(cancel("bobs"), STET_NOT_FOUND);
    check_status(retry("bobs"), STET_NOT_FOUND);
    check_json(must(list("open")).body, "/operations", "[]");
    check_json(must(list("")).body, "/operations", "[]");
    check_json(must(places("bobs")).body, "/operations", "[]");
    must_submit("eves");
    check_lists("\"eves\"");
    /* That somebody is before her she has to know. */
    check_json(must(get("eves")).body, "/ahead", "1");
    am_seller("bob", 0);
    check_lists("\"bobs\"");
    must(cancel("bobs"));
    must(retry("bobs"));
}

TEST(who_has_one_in_hand_sees_it_but_does_not_cancel_it) {
    (void)state;
    am_seller("bob", 0);
    must_submit("a");
    am_seller("eve", 0);
    uint64_t lease = must_claim("x", "a");
    check_json(must(get("a")).body, "/status", "\"running\"");
    check_json(must(list("running")).body, "/operations/0/id", "\"a\"");
    check_status(cancel("a"), STET_FORBIDDEN);
    must(complete("a", lease));
    check_status(get("a"), STET_NOT_FOUND);
}

TEST(who_operates_sees_and_steers_all) {
    (void)state;
    am_seller("bob", 0);
    must_submit("a");
    am_seller("eve", STET_SCOPE_OPERATE);
    check_json(must(get("a")).body, "/id", "\"a\"");
    check_lists("\"a\"");
    must(cancel("a"));
    must(put_lane("l", "{\"width\":2}"));
    must(move_lane("l", STET_LANE_PAUSE));
    am_seller("eve", STET_SCOPES_DEFAULT);
    check_status(put_lane("l", "{\"width\":3}"), STET_FORBIDDEN);
    check_status(move_lane("l", STET_LANE_RESUME), STET_FORBIDDEN);
}

TEST(a_service_sees_all_unless_the_settings_say_otherwise) {
    (void)state;
    am_seller("bob", 0);
    must_submit("a");
    am("service");
    check_lists("\"a\"");
    show_to(OPERATIONS_PRIVATE);
    am("service");
    check_status(get("a"), STET_NOT_FOUND);
    be("root");
    check_json(must(get("a")).body, "/id", "\"a\"");
}

TEST(members_see_all_where_the_settings_let_them) {
    (void)state;
    am_seller("bob", 0);
    must_submit("a");
    am_seller("ann", 0);
    world.fixture.actor.roles = members;
    check_status(get("a"), STET_NOT_FOUND);
    show_to(OPERATIONS_FOR_MEMBERS);
    am_seller("ann", 0);
    check_status(get("a"), STET_NOT_FOUND);
    world.fixture.actor.roles = members;
    check_json(must(get("a")).body, "/id", "\"a\"");
}

TEST(nobody_hangs_work_on_what_they_do_not_see) {
    (void)state;
    am_seller("bob", 0);
    must_submit("a");
    am_seller("eve", 0);
    const stet_view depends[] = {VIEW("a")};
    struct answer part = submit((stet_operation_request){.lane = VIEW("l"), .parent = VIEW("a")});
    check_status(part, STET_NOT_FOUND);
    assert_string_equal(part.field, "parent");
    struct answer later = submit(
        (stet_operation_request){.lane = VIEW("l"), .depends_on = depends, .depends_on_count = 1});
    check_status(later, STET_NOT_FOUND);
    assert_string_equal(later.field, "depends_on");
    am_seller("bob", 0);
    must(cancel("a"));
    am_seller("eve", 0);
    check_status(submit((stet_operation_request){.lane = VIEW("l"), .parent = VIEW("a")}),
                 STET_NOT_FOUND);
    check_status(submit((stet_operation_request){
                     .lane = VIEW("l"), .depends_on = depends, .depends_on_count = 1}),
                 STET_NOT_FOUND);
}

TEST(each_call_needs_its_scope) {
    (void)state;
    am_seller("bob", STET_SCOPE_READ);
    check_status(submit((stet_operation_request){.lane = VIEW("l")}), STET_FORBIDDEN);
    check_status(claim_with(claim_of("x")), STET_FORBIDDEN);
    am_seller("bob", STET_SCOPE_WRITE);
    must_submit("a");
    check_status(get("a"), STET_FORBIDDEN);
    check_status(list("open"), STET_FORBIDDEN);
    check_status(get_lane("l"), STET_FORBIDDEN);
    check_status(submit((stet_operation_request){.lane = VIEW("l"), .class_ = STET_CLASS_HIGH}),
                 STET_FORBIDDEN);
    am_seller("bob", STET_SCOPE_WRITE | STET_SCOPE_PRIORITY);
    must(submit((stet_operation_request){.lane = VIEW("m"), .class_ = STET_CLASS_HIGH}));
    am_seller("bob", STET_SCOPE_WORK);
    uint64_t lease = must_claim("x", "a");
    am_seller("bob", STET_SCOPE_READ | STET_SCOPE_WRITE);
    check_status(heartbeat("a", lease), STET_FORBIDDEN);
    check_status(complete("a", lease), STET_FORBIDDEN);
    am_seller("bob", STET_SCOPE_WORK);
    must(complete("a", lease));
    am_seller("bob", STET_SCOPE_READ);
    check_status(cancel("a"), STET_FORBIDDEN);
    check_status(complete("a", lease), STET_FORBIDDEN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_has_a_role_sees_and_steers_only_their_own, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(who_has_one_in_hand_sees_it_but_does_not_cancel_it, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(who_operates_sees_and_steers_all, setup, world_close),
        cmocka_unit_test_setup_teardown(a_service_sees_all_unless_the_settings_say_otherwise, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(members_see_all_where_the_settings_let_them, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(nobody_hangs_work_on_what_they_do_not_see, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(each_call_needs_its_scope, setup, world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
