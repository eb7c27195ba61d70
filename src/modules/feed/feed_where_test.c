/* Subscribers with the same condition share it: it is asked once, and whom it excludes is not woken. */
#include "modules/feed/feed.h"

#include "base/view.h"
#include "modules/feed/subscription.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine_fixture.h"

static struct fixture fixture;
static stet_client *reader;

static int open_engine(void **state) {
    (void)state;
    fixture_open(&fixture);
    assert_int_equal(client_create(fixture.engine, &reader, NULL), STET_OK);
    return 0;
}

static int close_engine(void **state) {
    (void)state;
    client_destroy(reader);
    fixture_close(&fixture);
    return 0;
}

static stet_subscription *subscribe(const char *where) {
    static const stet_view type = {"deals", 5};
    stet_subscription *subscription = NULL;
    stet_event event;
    stet_feed_options options = {
        .from_now = true, .types = &type, .type_count = 1, .where = view_of(where)};
    assert_int_equal(
        feed_subscribe(reader, fixture.space, &fixture.actor, &options, NULL, &subscription, NULL),
        STET_OK);
    assert_true(feed_next(subscription, &event));
    assert_int_equal(event.kind, STET_EVENT_READY);
    assert_false(feed_next(subscription, &event));
    return subscription;
}

static void put(const char *id, const char *data) { fixture_put(&fixture, "deals", id, data); }

/* The seqs to be had now, "<" behind those by which a record left. */
static const char *take(stet_subscription *subscription) {
    static char text[256];
    stet_event event;
    size_t used = 0;
    text[0] = '\0';
    while (feed_next(subscription, &event)) {
        bool left = memmem(event.data.bytes, event.data.size, "\"left\":true", 11) != NULL;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%llu%s", used > 0 ? " " : "",
                                 (unsigned long long)event.seq, left ? "<" : "");
    }
    return text;
}

static void who_shares_a_condition_sees_what_it_means(void **state) {
    (void)state;
    stet_subscription *first = subscribe("stage = 'won'");
    stet_subscription *second = subscribe("stage = 'won'");
    stet_subscription *other = subscribe("stage = 'lost'");
    assert_ptr_equal(first->filter->where, second->filter->where);
    assert_ptr_not_equal(first->filter->where, other->filter->where);
    put("1", "{\"stage\":\"won\"}");
    put("2", "{\"stage\":\"open\"}");
    put("1", "{\"stage\":\"lost\"}");
    put("2", "{\"stage\":\"won\"}");
    while (feed_ready(reader) != NULL)
        continue;
    assert_string_equal(take(first), "1 3< 4");
    assert_string_equal(take(second), "1 3< 4");
    assert_string_equal(take(other), "3");
    feed_unsubscribe(first);
    feed_unsubscribe(second);
    feed_unsubscribe(other);
}

static void whom_a_shared_condition_excludes_is_not_woken(void **state) {
    (void)state;
    stet_subscription *first = subscribe("stage = 'won'");
    stet_subscription *second = subscribe("stage = 'won'");
    put("1", "{\"stage\":\"open\"}");
    assert_null(feed_ready(reader));
    put("1", "{\"stage\":\"won\"}");
    assert_non_null(feed_ready(reader));
    assert_non_null(feed_ready(reader));
    assert_null(feed_ready(reader));
    assert_string_equal(take(first), "2");
    assert_string_equal(take(second), "2");
    feed_unsubscribe(first);
    feed_unsubscribe(second);
}

static void a_condition_outlives_its_first_subscriber(void **state) {
    (void)state;
    stet_subscription *first = subscribe("stage = 'won'");
    stet_subscription *second = subscribe("stage = 'won'");
    feed_unsubscribe(first);
    put("1", "{\"stage\":\"won\"}");
    put("2", "{\"stage\":\"open\"}");
    (void)feed_ready(reader);
    assert_string_equal(take(second), "1");
    stet_subscription *third = subscribe("stage = 'won'");
    assert_ptr_equal(second->filter->where, third->filter->where);
    feed_unsubscribe(second);
    feed_unsubscribe(third);
    third = subscribe("stage = 'won'");
    put("3", "{\"stage\":\"won\"}");
    (void)feed_ready(reader);
    assert_string_equal(take(third), "3");
    feed_unsubscribe(third);
}

static void more_changes_than_are_remembered_mean_the_same(void **state) {
    enum { COUNT = 3 * WHERE_VERDICTS };
    (void)state;
    stet_event event;
    stet_subscription *first = subscribe("stage = 'won'");
    stet_subscription *second = subscribe("stage = 'won'");
    for (unsigned i = 1; i <= COUNT; i++) {
        char id[12];
        snprintf(id, sizeof id, "%u", i);
        put(id, i % 3 == 0 ? "{\"stage\":\"won\"}" : "{\"stage\":\"open\"}");
    }
    while (feed_ready(reader) != NULL)
        continue;
    for (unsigned i = 3; i <= COUNT; i += 3) {
        assert_true(feed_next(first, &event));
        assert_int_equal(event.seq, i);
    }
    for (unsigned i = 3; i <= COUNT; i += 3) {
        assert_true(feed_next(second, &event));
        assert_int_equal(event.seq, i);
    }
    assert_false(feed_next(first, &event));
    assert_false(feed_next(second, &event));
    feed_unsubscribe(first);
    feed_unsubscribe(second);
}

#define WHERE_TEST(name) cmocka_unit_test_setup_teardown(name, open_engine, close_engine)

int main(void) {
    const struct CMUnitTest tests[] = {
        WHERE_TEST(who_shares_a_condition_sees_what_it_means),
        WHERE_TEST(whom_a_shared_condition_excludes_is_not_woken),
        WHERE_TEST(a_condition_outlives_its_first_subscriber),
        WHERE_TEST(more_changes_than_are_remembered_mean_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
