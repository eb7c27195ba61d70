/* The feed of types that let versions go: nobody is shown a gap as if there were none. */
#include "modules/feed/feed.h"

#include "base/clock.h"
#include "modules/feed/subscription.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine_fixture.h"
#include "core/policy.h"

#include <sodium.h>
#include <unistd.h>

static struct fixture fixture;
static stet_client *reader;
static char folder[64];

static void open_engine(void) {
    const struct engine_seams seams = {.manual = true};
    const stet_options options = {.data_dir = folder};
    fixture_open_with(&fixture, &options, &seams, fixture_no_modules);
    assert_int_equal(client_create(fixture.engine, &reader, NULL), STET_OK);
}

static void close_engine(void) {
    client_destroy(reader);
    fixture_close(&fixture);
}

static int setup(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/stet-retain-XXXXXX");
    if (sodium_init() < 0 || mkdtemp(folder) == NULL) return -1;
    open_engine();
    return 0;
}

static int teardown(void **state) {
    char command[96];
    (void)state;
    close_engine();
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* As the module that owns stet.type does: the type keeps only the last version. */
static void keep_only_the_last(const char *type) {
    struct arena arena;
    arena_init(&arena, 1024);
    struct policy *policy = arena_zalloc(&arena, 1, sizeof *policy);
    assert_non_null(policy);
    atomic_init(&policy->refs, 1);
    policy->arena = arena;
    policy->type = view_of(type);
    policy->version = policy->seq = 1;
    policy->retain_versions = 1;
    assert_int_equal(policies_reserve(fixture.space->policies, NULL), STET_OK);
    policies_stage(fixture.space->policies, view_of(type), policy);
    policies_publish(fixture.space->policies);
}

/* What a subscriber is told, as "c1 r2": kinds with their seqs. */
static const char *follow(stet_feed_options options) {
    static const char letters[] = {'c', 'r', 'b', 'x', 'e'};
    static char text[1024];
    stet_subscription *subscription = NULL;
    stet_event event;
    size_t used = 0;
    text[0] = '\0';
    assert_int_equal(
        feed_subscribe(reader, fixture.space, &fixture.actor, &options, NULL, &subscription, NULL),
        STET_OK);
    do {
        while (feed_next(subscription, &event)) {
            used +=
                (size_t)snprintf(text + used, sizeof text - used, "%s%c%llu", used > 0 ? " " : "",
                                 letters[event.kind], (unsigned long long)event.seq);
            assert_true(event.data.size > 0 && used < sizeof text);
        }
    } while (engine_step(fixture.engine) || feed_ready(reader) != NULL);
    feed_unsubscribe(subscription);
    return text;
}

static void put_all(void) {
    fixture_put(&fixture, "note", "1", "{\"n\":1}");
    fixture_put(&fixture, "task", "1", "{\"n\":1}");
    fixture_put(&fixture, "task", "1", "{\"n\":2}");
    fixture_put(&fixture, "note", "1", "{\"n\":2}");
    fixture_put(&fixture, "task", "1", "{\"n\":3}");
}

static void the_ring_still_has_what_the_store_let_go(void **state) {
    (void)state;
    keep_only_the_last("task");
    put_all();
    assert_string_equal(follow((stet_feed_options){0}), "c1 c2 c3 c4 c5 r5");
}

static void a_follower_of_what_was_let_go_is_reset(void **state) {
    (void)state;
    const stet_view task = {"task", 4}, note = {"note", 4};
    keep_only_the_last("task");
    put_all();
    close_engine();
    open_engine();
    assert_string_equal(follow((stet_feed_options){0}), "x3 c4 c5 r5");
    assert_string_equal(follow((stet_feed_options){.since = 2}), "x3 c4 c5 r5");
    assert_string_equal(follow((stet_feed_options){.since = 3}), "c4 c5 r5");
    assert_string_equal(follow((stet_feed_options){.types = &task, .type_count = 1}), "x3 c5 r5");
    assert_string_equal(follow((stet_feed_options){.types = &note, .type_count = 1}), "c1 c4 r5");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_ring_still_has_what_the_store_let_go, setup, teardown),
        cmocka_unit_test_setup_teardown(a_follower_of_what_was_let_go_is_reset, setup, teardown),
    };
    return cmocka_run_group_tests_name("feed_retain", tests, NULL, NULL);
}
