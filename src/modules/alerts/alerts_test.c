/* Alerts by the clock: raised once, held, resolved, over a restart. The queue and the settings are stand-ins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/metrics.h"
#include "core/operation.h"
#include "core/staging.h"
#include "core/write_fixture.h"
#include "doc/write.h"
#include "modules/alerts/alerts.h"

#include <ftw.h>
#include <unistd.h>

#define TEST(name) static void name(void **state)

/* ---- A queue of sorts -------------------------------------------------------------------- */

static double depth;      /* Of lane "l", class high; everything else is unknown. */
static bool refuses;      /* It takes no operation. */
static unsigned spawned;  /* Operations asked for. */
static char posted[1024]; /* The input of the last one. */

static bool fake_gauge(void *state, enum module_measure measure, stet_view lane, stet_class class_,
                       const struct module_time *now, double *value) {
    (void)state, (void)now;
    if (measure != MEASURE_QUEUE_DEPTH || !view_equal(lane, VIEW("l")) || class_ != STET_CLASS_HIGH)
        return false;
    *value = depth;
    return true;
}

static stet_status fake_spawn(void *state, struct staging *staging,
                              const struct operation_spawn *spawn, stet_error *err) {
    (void)state, (void)staging;
    if (refuses) return error_set(err, STET_QUEUE_FULL, "full");
    assert_true(view_equal(spawn->handler, VIEW("stet.settings")));
    assert_true(view_equal(spawn->request.agent, VIEW("webhook:")));
    assert_true(view_starts(spawn->request.lane, VIEW("webhook-")));
    snprintf(posted, sizeof posted, "%.*s", VIEW_ARG(spawn->request.input));
    spawned++;
    return STET_OK;
}

static stet_status fake_decide(void *state, struct staging *staging, struct stet_command *command,
                               const struct module_time *now, stet_error *err) {
    const stet_view *said = command->module_data; /* Type, id and data. */
    (void)state, (void)now;
    return staging_put(staging, said[0], said[1], said[2], (stet_view){0}, NULL, err);
}

static stet_status fake_answer(struct stet_command *command, struct json_writer *writer,
                               stet_error *err) {
    (void)command, (void)err;
    json_object_begin(writer);
    json_object_end(writer);
    return STET_OK;
}

static const char *const fake_types[] = {"stet.operation", "stet.settings", NULL};
static const struct module fake_module = {.name = "fake",
                                          .types = fake_types,
                                          .decide = fake_decide,
                                          .spawn = fake_spawn,
                                          .gauge = fake_gauge};
static const struct module *const modules[] = {&alerts_module, &fake_module, NULL};
static char folder[64];

static int setup(void **state) {
    (void)state;
    depth = 0, spawned = 0, refuses = false;
    world_open_with(modules, NULL);
    be("ann");
    return 0;
}

static int setup_folder(void **state) {
    setup(state);
    world_close(state);
    snprintf(folder, sizeof folder, "/tmp/stet-alerts-XXXXXX");
    assert_non_null(mkdtemp(folder));
    world_open_with(modules, folder);
    be("ann");
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static int teardown_folder(void **state) {
    world_close(state);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

/* ---- In a word --------------------------------------------------------------------------- */

static void settle(void) {
    while (engine_step(world.fixture.engine))
        while (client_next(world.fixture.client) != NULL)
            ;
}

static void pass(unsigned seconds) {
    for (unsigned i = 0; i < seconds; i++) {
        clock_manual_advance(&world.clock, CLOCK_NS_PER_S);
        settle();
    }
}

static void put_system(const char *type, const char *id, const char *data) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_view *said = arena_zalloc(&command->arena, 3, sizeof *said);
    said[0] = view_of(type);
    said[1] = view_of(id);
    said[2] = view_of(data);
    command->kind = COMMAND_MODULE;
    command->owner = &fake_module;
    command->module_data = said;
    command->answer = fake_answer;
    must(take(submitted(command)));
    settle();
}

static void put_settings(const char *settings) { put_system("stet.settings", "space", settings); }

static const char *list_alerts(const char *wanted) {
    struct stet_command *command = command_create(world.fixture.client);
    const stet_alert_list list = {.state = view_of(wanted)};
    assert_int_equal(alerts_fill_list(command, &list, NULL), STET_OK);
    return must(take(submitted(command))).body;
}

static unsigned count(const char *wanted) {
    unsigned found = 0;
    for (const char *at = list_alerts(wanted); (at = strstr(at, "\"measure\":")) != NULL; at++)
        found++;
    return found;
}

static void put_operation(const char *id, const char *data) {
    put_system("stet.operation", id, data);
}

#define DEEP(more)                                                                                 \
    "{\"alerts\":{\"deep\":{\"measure\":\"queue_depth\",\"lane\":\"l\",\"class\":\"high\","        \
    "\"above\":10" more "}}}"

/* ---- Tests ------------------------------------------------------------------------------- */

TEST(a_threshold_that_is_passed_is_an_alert) {
    (void)state;
    put_settings(DEEP(""));
    depth = 10;
    pass(3);
    assert_int_equal(count("any"), 0); /* Above, not at. */
    depth = 12.3456;
    pass(3);
    assert_int_equal(count("firing"), 1);
    const char *alerts = list_alerts("");
    check_json(alerts, "/alerts/0/name", "\"deep\"");
    check_json(alerts, "/alerts/0/measure", "\"queue_depth\"");
    check_json(alerts, "/alerts/0/lane", "\"l\"");
    check_json(alerts, "/alerts/0/class", "\"high\"");
    check_json(alerts, "/alerts/0/value", "12.346");
    check_json(alerts, "/alerts/0/threshold", "10");
    check_json(alerts, "/alerts/0/severity", "\"warning\"");
    check_json(alerts, "/alerts/0/state", "\"firing\"");
    depth = 10;
    pass(2);
    assert_int_equal(count("firing"), 0);
    assert_int_equal(count("resolved"), 1);
    alerts = list_alerts("any");
    check_json(alerts, "/alerts/0/version", "2");
    check_json(alerts, "/alerts/0/value", "12.346");
    assert_non_null(json_at(alerts, "/alerts/0/resolved_at"));
}

TEST(it_must_hold_before_anything_is_said) {
    (void)state;
    put_settings(DEEP(",\"for_s\":5"));
    depth = 11;
    pass(4);
    depth = 0;
    pass(1); /* Not long enough: it begins anew. */
    depth = 11;
    pass(5);
    assert_int_equal(count("any"), 0);
    pass(2);
    assert_int_equal(count("firing"), 1);
    depth = 0;
    pass(4);
    depth = 11;
    pass(1);
    depth = 0;
    pass(5);
    assert_int_equal(count("firing"), 1);
    pass(2);
    assert_int_equal(count("resolved"), 1);
}

TEST(between_the_two_bounds_it_stays_what_it_is) {
    (void)state;
    put_settings(DEEP(",\"clear_below\":4"));
    depth = 8;
    pass(3);
    assert_int_equal(count("any"), 0);
    depth = 11;
    pass(3);
    depth = 5;
    pass(10);
    assert_int_equal(count("firing"), 1);
    depth = 4;
    pass(2);
    assert_int_equal(count("firing"), 0);
}

TEST(without_its_definition_it_is_resolved) {
    (void)state;
    put_settings(DEEP(""));
    depth = 11;
    pass(2);
    put_settings("{\"alerts\":{}}");
    pass(2);
    assert_int_equal(count("resolved"), 1);
    assert_int_equal(count("firing"), 0);
}

TEST(a_restart_raises_nothing_twice) {
    (void)state;
    put_settings(DEEP(",\"for_s\":2"));
    depth = 11;
    pass(4);
    assert_int_equal(count("firing"), 1);
    fixture_close(&world.fixture);
    world_reopen();
    be("ann");
    settle();
    pass(10);
    assert_int_equal(count("any"), 1);
    depth = 0;
    pass(4);
    assert_int_equal(count("resolved"), 1);
}

TEST(each_time_is_a_record_of_its_own) {
    (void)state;
    put_settings(DEEP(""));
    for (int i = 0; i < 3; i++) {
        depth = 11;
        pass(2);
        depth = 0;
        pass(2);
    }
    assert_int_equal(count("resolved"), 3);
}

TEST(what_is_over_is_kept_for_a_week) {
    (void)state;
    put_settings(DEEP(""));
    depth = 11;
    pass(2);
    depth = 0;
    pass(2);
    for (int day = 0; day < 6; day++) {
        clock_manual_advance(&world.clock, INT64_C(86400) * CLOCK_NS_PER_S);
        pass(1);
    }
    assert_int_equal(count("any"), 1);
    clock_manual_advance(&world.clock, INT64_C(90000) * CLOCK_NS_PER_S);
    pass(2);
    /* A jump of the wall clock is believed after a while only. */
    for (int i = 0; i < 10 && count("any") > 0; i++)
        pass(60);
    assert_int_equal(count("any"), 0);
}

TEST(conflicts_are_counted_by_the_minute) {
    (void)state;
    put_settings("{\"alerts\":{\"fights\":{\"measure\":\"conflict_rate\",\"above\":0.4}}}");
    pass(1);
    stet_version first = must_put("a", none, "{\"n\":1}");
    must_put("a", at(first), "{\"n\":2}");
    pass(2);
    assert_int_equal(count("any"), 0);
    for (int i = 0; i < 4; i++)
        check_status(try_put("a", at(first), "{\"n\":3}"), STET_CONCURRENT_MODIFICATION);
    pass(2);
    assert_int_equal(count("firing"), 1);
    pass(61);
    assert_int_equal(count("firing"), 0);
}

TEST(a_rejection_of_class_high_is_told_at_once) {
    (void)state;
    put_operation("one", "{\"event\":\"OperationRejected\",\"lane\":\"l\",\"class\":\"normal\"}");
    put_operation("two",
                  "{\"event\":\"OperationQueued\",\"lane\":\"l\",\"class\":\"high\",\"input\":"
                  "\"OperationRejected\"}");
    assert_int_equal(count("any"), 0);
    put_operation("three",
                  "{\"event\":\"OperationRejected\",\"lane\":\"l\",\"class\":\"structural\"}");
    pass(1);
    assert_int_equal(count("firing"), 1);
    const char *alerts = list_alerts("firing");
    check_json(alerts, "/alerts/0/operation", "\"three\"");
    check_json(alerts, "/alerts/0/severity", "\"critical\"");
    check_json(alerts, "/alerts/0/name", "\"operation_rejected\"");
    for (int i = 0; i < 16; i++)
        pass(60);
    assert_int_equal(count("firing"), 0);
    assert_int_equal(count("resolved"), 1);
}

TEST(rejections_have_a_threshold_too) {
    (void)state;
    put_settings("{\"alerts\":{\"r\":{\"measure\":\"rejections\",\"class\":\"low\",\"above\":1}}}");
    pass(1);
    put_operation("one", "{\"event\":\"OperationRejected\",\"lane\":\"l\",\"class\":\"low\"}");
    put_operation("two", "{\"event\":\"OperationRejected\",\"lane\":\"l\",\"class\":\"normal\"}");
    pass(2);
    assert_int_equal(count("any"), 0);
    put_operation("three", "{\"event\":\"OperationRejected\",\"lane\":\"l\",\"class\":\"low\"}");
    pass(2);
    assert_int_equal(count("firing"), 1);
    pass(61);
    assert_int_equal(count("firing"), 0);
}

TEST(a_webhook_is_told_of_both_ends) {
    (void)state;
    put_settings(DEEP(",\"webhook\":{\"url\":\"http://x/\",\"secret\":\"s\"}"));
    depth = 11;
    pass(3);
    assert_int_equal(spawned, 1);
    check_json(posted, "/alert", "\"deep\"");
    check_json(posted, "/state", "\"firing\"");
    assert_non_null(json_at(posted, "/id"));
    depth = 0;
    pass(3);
    assert_int_equal(spawned, 2);
    check_json(posted, "/state", "\"resolved\"");
    check_json(posted, "/alert", "\"deep\"");
}

TEST(an_alert_that_cannot_be_posted_is_raised_all_the_same) {
    (void)state;
    refuses = true;
    put_settings(DEEP(",\"webhook\":{\"url\":\"http://x/\"}"));
    depth = 11;
    pass(3);
    assert_int_equal(count("firing"), 1);
}

static void see_metric(void *context, const char *name, const char *help, stet_metric_kind kind,
                       const char *suffix, const char *labels, double value) {
    (void)help, (void)kind, (void)suffix;
    if (strcmp(name, "stet_alerts_firing") == 0 && strstr(labels, "warning") != NULL &&
        strstr(labels, "space=\"main\"") != NULL)
        *(double *)context = value;
}

TEST(the_metrics_count_what_stands) {
    double firing = -1;
    (void)state;
    put_settings(DEEP(""));
    metrics_visit(world.fixture.engine, see_metric, &firing);
    assert_true(firing == 0);
    depth = 11;
    pass(2);
    metrics_visit(world.fixture.engine, see_metric, &firing);
    assert_true(firing == 1);
}

TEST(a_list_has_pages) {
    (void)state;
    put_settings(DEEP(""));
    for (int i = 0; i < 3; i++) {
        depth = 11;
        pass(2);
        depth = 0;
        pass(2);
    }
    stet_view after = {0};
    unsigned seen = 0, pages = 0;
    do {
        struct stet_command *command = command_create(world.fixture.client);
        const stet_alert_list list = {.state = VIEW("any"), .limit = 2, .after = after};
        assert_int_equal(alerts_fill_list(command, &list, NULL), STET_OK);
        const char *body = must(take(submitted(command))).body;
        for (const char *at = body; (at = strstr(at, "\"measure\":")) != NULL; at++)
            seen++;
        const char *next = json_at(body, "/next");
        after = next == NULL ? (stet_view){0} : view_make(next + 1, strlen(next) - 2);
        pages++;
    } while (after.size > 0 && pages < 9);
    assert_int_equal(seen, 3);
    assert_int_equal(pages, 2);
    struct stet_command *command = command_create(world.fixture.client);
    const stet_alert_list wrong = {.state = VIEW("loud")};
    assert_int_equal(alerts_fill_list(command, &wrong, NULL), STET_BAD_REQUEST);
    command_destroy(command);
}

#define IN(test, before, after) cmocka_unit_test_setup_teardown(test, before, after)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN(a_threshold_that_is_passed_is_an_alert, setup, world_close),
        IN(it_must_hold_before_anything_is_said, setup, world_close),
        IN(between_the_two_bounds_it_stays_what_it_is, setup, world_close),
        IN(without_its_definition_it_is_resolved, setup, world_close),
        IN(a_restart_raises_nothing_twice, setup_folder, teardown_folder),
        IN(each_time_is_a_record_of_its_own, setup, world_close),
        IN(what_is_over_is_kept_for_a_week, setup, world_close),
        IN(conflicts_are_counted_by_the_minute, setup, world_close),
        IN(a_rejection_of_class_high_is_told_at_once, setup, world_close),
        IN(rejections_have_a_threshold_too, setup, world_close),
        IN(a_webhook_is_told_of_both_ends, setup, world_close),
        IN(an_alert_that_cannot_be_posted_is_raised_all_the_same, setup, world_close),
        IN(the_metrics_count_what_stands, setup, world_close),
        IN(a_list_has_pages, setup, world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
