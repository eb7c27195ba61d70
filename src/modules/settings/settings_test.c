/* Settings: what they must say, who may, defaults, bases, and secrets that nobody reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/write_fixture.h"
#include "modules/settings/settings.h"

#define TEST(name) static void name(void **state)

static const struct module *const modules[] = {&settings_module, NULL};

static int setup(void **state) {
    (void)state;
    world_open_with(modules, NULL);
    be("ann");
    return 0;
}

static struct answer put_settings(stet_base base, const char *settings) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    stet_status status =
        settings_fill_put(command, view_of(settings), base, (stet_view){0}, false, &err);
    if (status == STET_OK)
        status = command_submit(world.fixture.space, &world.fixture.actor, command, NULL, &err);
    if (status == STET_OK) return take(command);
    command_destroy(command);
    return (struct answer){.status = status,
                           .body = "",
                           .message = world_text(view_of(err.message)),
                           .field = world_text(view_of(err.field)),
                           .limit = err.limit};
}

static struct answer get_settings(void) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_int_equal(settings_fill_get(command, NULL), STET_OK);
    return take(submitted(command));
}

TEST(what_was_never_put_has_defaults) {
    (void)state;
    struct answer got = must(get_settings());
    assert_int_equal(got.version, 0);
    check_json(got.body, "/id", "\"space\"");
    check_json(got.body, "/version", "0");
    check_json(got.body, "/alerts", "{}");
}

TEST(who_sees_operations_is_one_of_three_words) {
    (void)state;
    struct answer refused = put_settings(none, "{\"operations\":\"all\"}");
    check_status(refused, STET_INVALID_SETTINGS);
    assert_string_equal(refused.field, "/operations");
    must(put_settings(none, "{\"operations\":\"private\"}"));
    world.fixture.actor.admin = false;
    check_json(must(get_settings()).body, "/operations", "\"private\"");
    assert_int_equal(world.fixture.space->operations_sight, OPERATIONS_PRIVATE);
}

TEST(what_was_put_is_answered) {
    (void)state;
    struct answer put =
        must(put_settings(none, "{\"alerts\":{\"deep\":{\"measure\":\"queue_depth\","
                                "\"above\":1.5e2}}}"));
    check_json(put.body, "/alerts/deep/above", "1.5e2");
    struct answer got = must(get_settings());
    assert_int_equal(got.version, put.version);
    check_json(got.body, "/alerts/deep/above", "1.5e2");
}

static stet_status write_task(const char *id) { return try_put(id, absent, "{}").status; }

TEST(limits_hold_from_the_write_that_follows_and_through_a_restart) {
    (void)state;
    char dir[] = "/tmp/stet-settings-XXXXXX";
    assert_non_null(mkdtemp(dir));
    world_close(state);
    world_open_with(modules, dir);
    be("ann");
    struct answer put = must(
        put_settings(none, "{\"limits\":{\"records\":1,\"writes_per_actor\":{\"rate\":0.5}}}"));
    check_json(put.body, "/limits/records", "1");
    must(try_put("1", absent, "{}"));
    assert_int_equal(write_task("2"), STET_QUOTA_EXCEEDED);
    fixture_close(&world.fixture);
    world_reopen();
    be("bob");
    world.fixture.actor.admin = false;
    check_json(must(get_settings()).body, "/limits",
               "{\"records\":1,\"writes_per_actor\":{\"rate\":0.5}}");
    assert_int_equal(write_task("2"), STET_QUOTA_EXCEEDED);
    assert_int_equal(write_task("2"), STET_TOO_MANY_REQUESTS);
    be("ann");
    must(put_settings(at(put.version), "{}"));
    world.fixture.actor.admin = false;
    assert_int_equal(write_task("2"), STET_OK);
    assert_int_equal(write_task("3"), STET_OK);
    fixture_close(&world.fixture);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    world.data_dir = NULL;
    world_reopen();
}

/* The settings of a space that is full, or whose administrator writes a lot, can always be changed. */
TEST(limits_never_stand_in_the_way_of_changing_them) {
    (void)state;
    struct answer put = must(put_settings(none, "{\"limits\":{\"records\":0,\"bytes\":0}}"));
    assert_int_equal(write_task("1"), STET_QUOTA_EXCEEDED);
    put = must(put_settings(at(put.version), "{\"limits\":{\"records\":0,\"bytes\":1}}"));
    assert_int_equal(write_task("1"), STET_QUOTA_EXCEEDED);
    must(put_settings(at(put.version), "{\"alerts\":{}}"));
    assert_int_equal(write_task("1"), STET_OK);
}

TEST(a_put_is_conditional) {
    (void)state;
    stet_version first = must(put_settings(none, "{}")).version;
    check_status(
        put_settings(none, "{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":0}}}"),
        STET_PRECONDITION_REQUIRED);
    must(put_settings(at(first), "{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":0}}}"));
    check_status(
        put_settings(at(first), "{\"alerts\":{\"b\":{\"measure\":\"rejections\",\"above\":1}}}"),
        STET_CONCURRENT_MODIFICATION);
}

TEST(only_an_administrator_may_put) {
    (void)state;
    world.fixture.actor.admin = false;
    check_status(put_settings(none, "{}"), STET_FORBIDDEN);
}

TEST(what_makes_no_sense_is_refused_where_it_stands) {
    static const struct {
        const char *settings, *field;
    } rows[] = {
        {"{\"limit\":{}}", "/limit"},
        {"{\"limits\":[]}", "/limits"},
        {"{\"limits\":{\"records\":-1}}", "/limits/records"},
        {"{\"limits\":{\"writes_per_actor\":{\"rate\":0}}}", "/limits/writes_per_actor/rate"},
        {"{\"alerts\":[]}", "/alerts"},
        {"{\"alerts\":{\"a b\":{}}}", "/alerts"},
        {"{\"alerts\":{\"\":{}}}", "/alerts"},
        {"{\"alerts\":{\"a\":1}}", "/alerts/a"},
        {"{\"alerts\":{\"a\":{}}}", "/alerts/a/measure"},
        {"{\"alerts\":{\"a\":{\"measure\":\"speed\",\"above\":1}}}", "/alerts/a/measure"},
        {"{\"alerts\":{\"a\":{\"measure\":\"rejections\"}}}", "/alerts/a/above"},
        {"{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":\"1\"}}}", "/alerts/a/above"},
        {"{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":-1}}}", "/alerts/a/above"},
        {"{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":1e999}}}", "/alerts/a/above"},
        {"{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":1,\"clear_below\":2}}}",
         "/alerts/a/clear_below"},
        {"{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":1,\"for_s\":86401}}}",
         "/alerts/a/for_s"},
        {"{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":1,\"for_s\":0.5}}}",
         "/alerts/a/for_s"},
        {"{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":1,\"class\":\"top\"}}}",
         "/alerts/a/class"},
        {"{\"alerts\":{\"a\":{\"measure\":\"conflict_rate\",\"above\":1,\"lane\":\"l\"}}}",
         "/alerts/a/lane"},
        {"{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":1,\"severity\":\"bad\"}}}",
         "/alerts/a/severity"},
        {"{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":1,\"webhook\":\"u\"}}}",
         "/alerts/a/webhook"},
        {"{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":1,\"webhook\":{\"url\":\"ftp://"
         "x\"}}}}",
         "/alerts/a/webhook/url"},
        {"{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":1,\"webhook\":{\"url\":\"http://"
         "x\","
         "\"secret\":null}}}}",
         "/alerts/a/webhook/secret"},
        {"{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":1,\"abov\":2}}}",
         "/alerts/a/abov"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct answer refused = put_settings(none, rows[i].settings);
        if (refused.status != STET_INVALID_SETTINGS || strcmp(refused.field, rows[i].field) != 0)
            fail_msg("%s: %s at \"%s\": %s", rows[i].settings, status_code(refused.status),
                     refused.field, refused.message);
        if (strncmp(refused.message, refused.field, strlen(refused.field)) != 0)
            fail_msg("%s: %s", rows[i].settings, refused.message);
    }
    assert_int_equal(seq_now(), 0);
}

TEST(a_secret_is_kept_and_never_shown) {
    static const char with[] =
        "{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":1,\"webhook\":"
        "{\"url\":\"http://x/token\",\"secret\":\"hush\"}}}}";
    static const char kept[] =
        "{\"alerts\":{\"a\":{\"measure\":\"rejections\",\"above\":2,\"webhook\":"
        "{\"url\":\"http://x/token\",\"secret\":null}}}}";
    (void)state;
    struct answer first = must(put_settings(none, with));
    assert_null(strstr(first.body, "hush"));
    must(put_settings(at(first.version), kept));
    assert_null(strstr(must(get_settings()).body, "hush"));
    check_json(get_settings().body, "/alerts/a/webhook/secret", "null");

    struct store_reader *reader;
    struct store_head head;
    struct store_change row;
    assert_int_equal(space_reader_take(world.fixture.space, &reader, NULL), STET_OK);
    assert_int_equal(store_head(reader, VIEW("stet.settings"), VIEW("space"), &head, NULL),
                     STET_OK);
    assert_int_equal(store_change_at(reader, &world.arena, head.seq, &row, NULL), STET_OK);
    check_json(world_text(row.data), "/_secrets/a", "\"hush\"");
    space_reader_give(world.fixture.space, reader);

    world.fixture.actor.admin = false;
    assert_null(strstr(must(get_settings()).body, "token"));
    check_json(get_settings().body, "/alerts/a/above", "2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_never_put_has_defaults, setup, world_close),
        cmocka_unit_test_setup_teardown(who_sees_operations_is_one_of_three_words, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(what_was_put_is_answered, setup, world_close),
        cmocka_unit_test_setup_teardown(
            limits_hold_from_the_write_that_follows_and_through_a_restart, setup, world_close),
        cmocka_unit_test_setup_teardown(limits_never_stand_in_the_way_of_changing_them, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_put_is_conditional, setup, world_close),
        cmocka_unit_test_setup_teardown(only_an_administrator_may_put, setup, world_close),
        cmocka_unit_test_setup_teardown(what_makes_no_sense_is_refused_where_it_stands, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_secret_is_kept_and_never_shown, setup, world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
