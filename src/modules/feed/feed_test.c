#include "modules/feed/feed.h"

#include "base/limits.h"
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

static stet_subscription *subscribe_with(stet_feed_options options, void *context) {
    stet_subscription *subscription = NULL;
    assert_int_equal(feed_subscribe(reader, fixture.space, &fixture.actor, &options, context,
                                    &subscription, NULL),
                     STET_OK);
    return subscription;
}

static stet_subscription *subscribe(uint64_t since) {
    return subscribe_with((stet_feed_options){.since = since}, NULL);
}

static void put(const char *type, const char *id, const char *data) {
    fixture_put(&fixture, type, id, data);
}

/* A transaction of one new record in each of the types, in order. */
static void put_together(const char *id, const char *const *types, size_t count) {
    stet_mutation mutations[8];
    for (size_t index = 0; index < count; index++)
        mutations[index] = fixture_mutation(&fixture, STET_OP_PUT, types[index], id, "{\"n\":1}");
    assert_int_equal(fixture_write(&fixture, mutations, count, NULL), STET_OK);
}

/* What is to be had now, as "c1 r2 b3 e": kinds with their seqs, "+" behind a change that may be resumed after. */
static const char *drain(stet_subscription *subscription) {
    static char text[8192];
    stet_event event;
    size_t used = 0;
    text[0] = '\0';
    while (feed_next(subscription, &event)) {
        static const char letters[] = {'c', 'r', 'b', 'x', 'e'};
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%c%llu%s", used > 0 ? " " : "",
                                 letters[event.kind], (unsigned long long)event.seq,
                                 event.kind == STET_EVENT_CHANGE && event.resume != 0 ? "+" : "");
        assert_true(event.data.size > 0);
        assert_true(used < sizeof text);
    }
    return text;
}

/* As an event loop does: workers and wake-ups, until nothing is ready. Gathers what each ready one says. */
static const char *settle(stet_subscription *subscription) {
    static char all[65536];
    stet_subscription *ready;
    size_t used = (size_t)snprintf(all, sizeof all, "%s", drain(subscription));
    do {
        engine_step(fixture.engine);
        ready = feed_ready(reader);
        if (ready != NULL) {
            const char *more = drain(ready);
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s",
                                     used > 0 && more[0] != '\0' ? " " : "", more);
        }
    } while (ready != NULL);
    return all;
}

static uint64_t bookmark(stet_subscription *subscription) {
    stet_event event;
    feed_bookmark(subscription, &event);
    assert_int_equal(event.kind, STET_EVENT_BOOKMARK);
    assert_int_equal(event.seq, event.resume);
    return event.seq;
}

static void changes_come_in_order_after_the_backlog(void **state) {
    (void)state;
    put("tasks", "1", "{}");
    put("tasks", "2", "{}");
    stet_subscription *subscription = subscribe(0);
    assert_string_equal(drain(subscription), "c1+ c2+ r2");
    assert_null(feed_ready(reader));
    put("tasks", "1", "{\"n\":1}");
    put("tasks", "1", NULL);
    assert_ptr_equal(feed_ready(reader), subscription);
    assert_null(feed_ready(reader));
    assert_string_equal(drain(subscription), "c3+ c4+");
    assert_string_equal(drain(subscription), "");
    feed_unsubscribe(subscription);
}

static void how_far_subscribers_are_behind_is_counted(void **state) {
    (void)state;
    struct space_counters *counters = &fixture.space->counters;
    for (int i = 0; i < 4; i++)
        put("tasks", i % 2 == 0 ? "1" : "2", i < 2 ? "{}" : "{\"n\":1}");
    stet_subscription *subscription = subscribe(0);
    assert_string_equal(drain(subscription), "c1+ c2+ c3+ c4+ r4");
    assert_int_equal(counters->lag_sum, 3 + 2 + 1 + 0);
    assert_int_equal(counters->lag_bucket[0], 2); /* 0 and 1 behind. */
    assert_int_equal(counters->lag_bucket[1], 1);
    assert_int_equal(counters->lag_bucket[2], 1);
    feed_unsubscribe(subscription);
}

static void an_event_tells_the_whole_change(void **state) {
    (void)state;
    stet_event event;
    stet_subscription *subscription = subscribe(0);
    assert_string_equal(drain(subscription), "r0");
    put("tasks", "1", "{\"n\":1}");
    put("tasks", "1", NULL);
    feed_ready(reader);
    assert_true(feed_next(subscription, &event));
    assert_true(view_starts(event.data, VIEW("{\"seq\":1,\"prev\":0,\"transaction\":1,"
                                             "\"op\":\"create\",\"record\":{\"type\":\"tasks\"")));
    assert_true(feed_next(subscription, &event));
    assert_non_null(memmem(event.data.bytes, event.data.size, "\"data\":{\"n\":1}", 14));
    assert_non_null(memmem(event.data.bytes, event.data.size, "\"deleted\":true", 14));
    assert_non_null(memmem(event.data.bytes, event.data.size, "\"created_by\":\"ann\"", 18));
    feed_unsubscribe(subscription);
}

static void from_now_begins_with_ready(void **state) {
    (void)state;
    put("tasks", "1", "{}");
    stet_subscription *subscription = subscribe_with((stet_feed_options){.from_now = true}, NULL);
    put("tasks", "2", "{}");
    assert_string_equal(drain(subscription), "r1");
    assert_string_equal(settle(subscription), "c2+");
    feed_unsubscribe(subscription);
}

static void filters_pick_types_and_records(void **state) {
    (void)state;
    const stet_view types[] = {VIEW("a"), VIEW("b")};
    const stet_view addresses[] = {VIEW("c/x%2F1"), VIEW("a/1")};
    stet_subscription *by_type =
        subscribe_with((stet_feed_options){.types = types, .type_count = 2}, NULL);
    stet_subscription *by_address =
        subscribe_with((stet_feed_options){.addresses = addresses, .address_count = 2}, NULL);
    stet_subscription *by_both = subscribe_with(
        (stet_feed_options){
            .types = types + 1, .type_count = 1, .addresses = addresses, .address_count = 2},
        NULL);
    assert_string_equal(drain(by_type), "r0");
    assert_string_equal(drain(by_address), "r0");
    assert_string_equal(drain(by_both), "r0");
    put("a", "1", "{}");
    put("c", "x/1", "{}");
    put("b", "1", "{}");
    put("c", "y", "{}");
    feed_ready(reader);
    assert_string_equal(drain(by_type), "c1+ c3+");
    assert_string_equal(drain(by_address), "c1+ c2+");
    assert_string_equal(drain(by_both), "c1+ c2+ c3+");
    assert_int_equal(bookmark(by_address), 4);
    feed_unsubscribe(by_type);
    feed_unsubscribe(by_address);
    put("a", "1", "{}");
    put("c", "x/1", "{\"n\":1}");
    assert_string_equal(settle(by_both), "c5+");
    feed_unsubscribe(by_both);
}

static void what_does_not_concern_a_subscriber_does_not_wake_it(void **state) {
    (void)state;
    const stet_view type = VIEW("a");
    stet_subscription *subscription =
        subscribe_with((stet_feed_options){.types = &type, .type_count = 1}, NULL);
    assert_string_equal(drain(subscription), "r0");
    put("b", "1", "{}");
    assert_null(feed_ready(reader));
    assert_int_equal(bookmark(subscription), 1);
    feed_unsubscribe(subscription);
}

static void bad_filters_are_refused(void **state) {
    (void)state;
    const stet_view bad_address = VIEW("a");
    const stet_view system_type = VIEW("stet.token");
    stet_view many[SUBSCRIPTION_FILTERS_MAX + 1];
    stet_subscription *subscription = NULL;
    stet_error err;
    stet_feed_options options = {.addresses = &bad_address, .address_count = 1};
    assert_int_equal(
        feed_subscribe(reader, fixture.space, &fixture.actor, &options, NULL, &subscription, &err),
        STET_BAD_REQUEST);
    assert_string_equal(err.field, "address");
    options = (stet_feed_options){.types = &system_type, .type_count = 1};
    assert_int_equal(
        feed_subscribe(reader, fixture.space, &fixture.actor, &options, NULL, &subscription, &err),
        STET_FORBIDDEN);
    for (int index = 0; index <= SUBSCRIPTION_FILTERS_MAX; index++)
        many[index] = VIEW("a");
    options = (stet_feed_options){.types = many, .type_count = SUBSCRIPTION_FILTERS_MAX + 1};
    assert_int_equal(
        feed_subscribe(reader, fixture.space, &fixture.actor, &options, NULL, &subscription, &err),
        STET_TOO_LARGE);
    assert_int_equal(err.limit, SUBSCRIPTION_FILTERS_MAX);
    assert_null(subscription);
}

static void resume_points_are_at_the_ends_of_transactions(void **state) {
    (void)state;
    const char *const types[] = {"a", "b", "a", "c"};
    const char *const other[] = {"b", "a", "b"};
    const stet_view followed = VIEW("a");
    stet_event event;
    put("a", "0", "{}");
    /* A transaction names a record once, so the types differ by their ids. */
    stet_mutation mutations[4];
    for (size_t index = 0; index < 4; index++)
        mutations[index] =
            fixture_mutation(&fixture, STET_OP_PUT, types[index], index == 2 ? "y" : "x", "{}");
    assert_int_equal(fixture_write(&fixture, mutations, 4, NULL), STET_OK);
    put_together("z", other, 2);
    stet_subscription *all = subscribe(0);
    stet_subscription *some =
        subscribe_with((stet_feed_options){.types = &followed, .type_count = 1}, NULL);
    assert_string_equal(drain(all), "c1+ c2 c3 c4 c5+ c6 c7+ r7");
    assert_true(feed_next(some, &event));
    assert_true(feed_next(some, &event));
    assert_int_equal(event.seq, 2);
    assert_int_equal(event.resume, 0);
    assert_int_equal(bookmark(some), 1);
    assert_true(feed_next(some, &event));
    assert_int_equal(event.seq, 4);
    assert_int_equal(event.resume, 5);
    assert_int_equal(bookmark(some), 5);
    assert_string_equal(drain(some), "c7+ r7");
    feed_unsubscribe(all);
    feed_unsubscribe(some);
}

static void live_transactions_are_delivered_whole_too(void **state) {
    (void)state;
    const char *const types[] = {"a", "b", "c"};
    const stet_view followed[] = {VIEW("a"), VIEW("b")};
    stet_event event;
    stet_subscription *some =
        subscribe_with((stet_feed_options){.types = followed, .type_count = 2}, NULL);
    assert_string_equal(drain(some), "r0");
    put_together("x", types, 3);
    assert_ptr_equal(feed_ready(reader), some);
    assert_true(feed_next(some, &event));
    assert_int_equal(bookmark(some), 0);
    assert_true(feed_next(some, &event));
    assert_int_equal(event.seq, 2);
    assert_int_equal(event.resume, 3);
    assert_false(feed_next(some, &event));
    feed_unsubscribe(some);
}

static void a_position_inside_a_transaction_means_before_it(void **state) {
    (void)state;
    const char *const types[] = {"a", "b", "c"};
    put("a", "0", "{}");
    put_together("x", types, 3);
    for (uint64_t since = 1; since <= 3; since++) {
        stet_subscription *subscription = subscribe(since);
        assert_string_equal(drain(subscription), "c2 c3 c4+ r4");
        feed_unsubscribe(subscription);
    }
    stet_subscription *subscription = subscribe(4);
    assert_string_equal(drain(subscription), "r4");
    feed_unsubscribe(subscription);
}

static void a_position_that_was_never_reached_is_reset(void **state) {
    (void)state;
    put("a", "0", "{}");
    stet_subscription *subscription = subscribe(99);
    assert_string_equal(drain(subscription), "x1 r1");
    put("a", "0", "{\"n\":1}");
    assert_string_equal(settle(subscription), "c2+");
    feed_unsubscribe(subscription);
}

/* Puts the ring in the state after a restart: everything is in the store alone. */
static void forget_ring(void) {
    uint64_t published = fixture_seq(&fixture);
    ring_done(&fixture.space->ring);
    assert_int_equal(ring_init(&fixture.space->ring, published), STET_OK);
}

static void a_backlog_behind_the_ring_is_read_from_the_store(void **state) {
    (void)state;
    const char *const types[] = {"a", "b", "c"};
    put("a", "0", "{}");
    put_together("x", types, 3);
    put("a", "0", "{\"n\":2}");
    forget_ring();
    stet_subscription *subscription = subscribe(0);
    assert_string_equal(drain(subscription), "");
    put("a", "1", "{}");
    assert_string_equal(settle(subscription), "c1+ c2 c3 c4+ c5+ c6+ r6");
    feed_unsubscribe(subscription);
    subscription = subscribe(3);
    assert_string_equal(settle(subscription), "c2 c3 c4+ c5+ c6+ r6");
    feed_unsubscribe(subscription);
}

static void a_long_backlog_comes_in_pages_without_a_gap(void **state) {
    (void)state;
    enum { COUNT = 2 * CHANGES_LIMIT_MAX + 77 };
    const stet_view type = VIEW("a");
    stet_event event;
    uint64_t expected = 1;
    bool ready = false;
    for (int index = 0; index < COUNT; index++)
        put(index % 2 == 0 ? "a" : "b", "1", index % 4 < 2 ? "{\"n\":1}" : "{\"n\":2}");
    forget_ring();
    stet_subscription *subscription =
        subscribe_with((stet_feed_options){.types = &type, .type_count = 1}, NULL);
    do {
        while (feed_next(subscription, &event)) {
            if (event.kind == STET_EVENT_READY) {
                ready = true;
                continue;
            }
            assert_int_equal(event.kind, STET_EVENT_CHANGE);
            assert_int_equal(event.seq, expected);
            expected += 2;
        }
        engine_step(fixture.engine);
    } while (feed_ready(reader) != NULL);
    assert_true(ready);
    assert_true(expected > COUNT);
    feed_unsubscribe(subscription);
}

static void a_slow_subscriber_falls_behind_the_ring_and_catches_up(void **state) {
    (void)state;
    stet_event event;
    uint64_t expected = 1;
    stet_subscription *slow = subscribe(0);
    stet_subscription *quick = subscribe(0);
    assert_string_equal(drain(slow), "r0");
    assert_string_equal(drain(quick), "r0");
    for (int index = 0; index < RING_CHANGES + 500; index++) {
        put("a", "1", index % 2 == 0 ? "{\"n\":1}" : "{\"n\":2}");
        if (index % 1000 == 0) {
            while (feed_ready(reader) != NULL)
                ;
            while (feed_next(quick, &event))
                ;
        }
    }
    do {
        engine_step(fixture.engine);
        while (feed_next(slow, &event)) {
            assert_int_equal(event.kind, STET_EVENT_CHANGE);
            assert_int_equal(event.seq, expected++);
        }
        while (feed_ready(reader) != NULL)
            ;
    } while (slow->state != SUBSCRIPTION_LIVE || slow->cursor < slow->last_match);
    assert_int_equal(expected, RING_CHANGES + 501);
    feed_unsubscribe(slow);
    feed_unsubscribe(quick);
}

static void everybody_is_told_when_routing_was_overrun(void **state) {
    (void)state;
    const stet_view type = VIEW("never");
    stet_event event;
    uint64_t expected = 1;
    stet_subscription *idle =
        subscribe_with((stet_feed_options){.types = &type, .type_count = 1}, NULL);
    stet_subscription *all = subscribe(0);
    assert_string_equal(drain(idle), "r0");
    assert_string_equal(drain(all), "r0");
    for (int index = 0; index < RING_CHANGES + 5; index++)
        put("a", "1", index % 2 == 0 ? "{\"n\":1}" : "{\"n\":2}");
    put("never", "1", "{}");
    for (stet_subscription *ready;
         (ready = feed_ready(reader)) != NULL || engine_step(fixture.engine);) {
        while (ready != NULL && feed_next(ready, &event)) {
            assert_int_equal(event.kind, STET_EVENT_CHANGE);
            if (ready == all)
                assert_int_equal(event.seq, expected++);
            else
                assert_int_equal(event.seq, RING_CHANGES + 6);
        }
    }
    assert_int_equal(expected, RING_CHANGES + 7);
    assert_int_equal(bookmark(idle), RING_CHANGES + 6);
    feed_unsubscribe(idle);
    feed_unsubscribe(all);
}

static void unsubscribing_forgets_a_page_on_its_way(void **state) {
    (void)state;
    put("a", "0", "{}");
    forget_ring();
    stet_subscription *gone = subscribe(0);
    assert_string_equal(drain(gone), "");
    feed_unsubscribe(gone);
    engine_step(fixture.engine);
    assert_null(feed_ready(reader));
    /* The same, when the whole client goes. */
    gone = subscribe(0);
    assert_string_equal(drain(gone), "");
    client_destroy(reader);
    engine_step(fixture.engine);
    assert_int_equal(client_create(fixture.engine, &reader, NULL), STET_OK);
}

static void more_subscribers_than_pages_wait_their_turn(void **state) {
    (void)state;
    enum { COUNT = 3 * FEED_JOBS_MAX + 1 };
    stet_subscription *subscriptions[COUNT];
    int ready = 0;
    put("a", "0", "{}");
    put("a", "1", "{}");
    forget_ring();
    for (int index = 0; index < COUNT; index++) {
        subscriptions[index] = subscribe(0);
        assert_string_equal(drain(subscriptions[index]), "");
    }
    assert_int_equal(reader->feed->reading, FEED_JOBS_MAX);
    feed_unsubscribe(subscriptions[COUNT - 1]);
    for (stet_subscription *one;
         (one = feed_ready(reader)) != NULL || engine_step(fixture.engine);) {
        if (one == NULL) continue;
        assert_string_equal(drain(one), "c1+ c2+ r2");
        ready++;
    }
    assert_int_equal(ready, COUNT - 1);
    for (int index = 0; index < COUNT - 1; index++)
        feed_unsubscribe(subscriptions[index]);
}

static void held_pages_are_bounded_and_read_again(void **state) {
    (void)state;
    enum { COUNT = 150, RECORDS = 20 };
    stet_subscription *subscriptions[COUNT];
    char *data = malloc(120000);
    int size = snprintf(data, 64, "{\"text\":\"");
    memset(data + size, 'x', 100000);
    snprintf(data + size + 100000, 8, "\"}");
    for (int index = 0; index < RECORDS; index++) {
        char id[16];
        snprintf(id, sizeof id, "%d", index);
        put("a", id, data);
    }
    free(data);
    forget_ring();
    for (int index = 0; index < COUNT; index++) {
        subscriptions[index] = subscribe(0);
        assert_string_equal(drain(subscriptions[index]), "");
    }
    /* Nobody reads what arrives. */
    while (engine_step(fixture.engine))
        while (feed_ready(reader) != NULL)
            assert_true(reader->feed->held_bytes <= FEED_HELD_BYTES_MAX);
    assert_true(reader->feed->held_bytes > FEED_HELD_BYTES_MAX / 2);
    for (int index = 0; index < COUNT; index++) {
        stet_event event;
        uint64_t expected = 1;
        while (expected <= RECORDS) {
            while (feed_next(subscriptions[index], &event)) {
                if (event.kind == STET_EVENT_CHANGE) assert_int_equal(event.seq, expected++);
            }
            engine_step(fixture.engine);
            while (feed_ready(reader) != NULL)
                ;
        }
    }
    for (int index = 0; index < COUNT; index++)
        feed_unsubscribe(subscriptions[index]);
    assert_int_equal(reader->feed->held_bytes, 0);
}

static void two_clients_follow_by_themselves(void **state) {
    (void)state;
    stet_client *other;
    stet_subscription *second = NULL;
    const stet_feed_options options = {.from_now = true};
    assert_int_equal(client_create(fixture.engine, &other, NULL), STET_OK);
    stet_subscription *first = subscribe(0);
    assert_int_equal(
        feed_subscribe(other, fixture.space, &fixture.actor, &options, &other, &second, NULL),
        STET_OK);
    assert_ptr_equal(feed_context(second), &other);
    assert_string_equal(drain(first), "r0");
    assert_string_equal(drain(second), "r0");
    put("a", "1", "{}");
    assert_ptr_equal(feed_ready(other), second);
    assert_ptr_equal(feed_ready(reader), first);
    assert_string_equal(drain(first), "c1+");
    assert_string_equal(drain(second), "c1+");
    feed_unsubscribe(second);
    client_destroy(other);
    put("a", "2", "{}");
    assert_string_equal(settle(first), "c2+");
    feed_unsubscribe(first);
}

static void subscribers_of_one_client_share_the_text(void **state) {
    (void)state;
    stet_event one, other;
    stet_subscription *first = subscribe(0);
    stet_subscription *second = subscribe(0);
    drain(first);
    drain(second);
    put("a", "1", "{}");
    feed_ready(reader);
    assert_true(feed_next(first, &one));
    assert_true(feed_next(second, &other));
    assert_ptr_equal(one.data.bytes, other.data.bytes);
    feed_unsubscribe(first);
    feed_unsubscribe(second);
}

static void a_closed_space_ends_its_subscriptions(void **state) {
    (void)state;
    stet_event event;
    stet_subscription *subscription = subscribe(0);
    assert_string_equal(drain(subscription), "r0");
    ring_close(&fixture.space->ring);
    space_poke(fixture.space);
    assert_ptr_equal(feed_ready(reader), subscription);
    assert_true(feed_next(subscription, &event));
    assert_int_equal(event.kind, STET_EVENT_END);
    assert_true(view_equal(event.data, VIEW("{\"code\":\"SHUTTING_DOWN\"}")));
    assert_false(feed_next(subscription, &event));
    feed_unsubscribe(subscription);
}

static void a_deleted_space_says_so(void **state) {
    (void)state;
    stet_event event;
    stet_subscription *subscription = subscribe(0);
    assert_string_equal(drain(subscription), "r0");
    engine_space_drop(fixture.engine, VIEW("main"), VIEW("{}"));
    assert_ptr_equal(feed_ready(reader), subscription);
    assert_true(feed_next(subscription, &event));
    assert_true(view_equal(event.data, VIEW("{\"code\":\"NOT_FOUND\"}")));
    feed_unsubscribe(subscription);
}

/* ---- Where ------------------------------------------------------------------------------- */

static stet_subscription *subscribe_where(const char *where, uint64_t since) {
    return subscribe_with((stet_feed_options){.since = since, .where = view_of(where)}, NULL);
}

/* As drain, with "<" behind what left. */
static const char *drain_left(stet_subscription *subscription) {
    static char text[1024];
    stet_event event;
    size_t used = 0;
    text[0] = '\0';
    while (feed_next(subscription, &event)) {
        bool left = memmem(event.data.bytes, event.data.size, ",\"left\":true}", 13) != NULL;
        if (event.kind != STET_EVENT_CHANGE) continue;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%llu%s", used > 0 ? " " : "",
                                 (unsigned long long)event.seq, left ? "<" : "");
    }
    return text;
}

/* Records that come, stay, leave, return, are deleted inside and outside, and never were there. */
static void put_comings_and_goings(void) {
    put("deals", "1", "{\"stage\":\"won\"}");          /* 1: comes */
    put("deals", "2", "{\"stage\":\"open\"}");         /* 2: is not there */
    put("deals", "1", "{\"stage\":\"won\",\"n\":1}");  /* 3: stays */
    put("deals", "2", "{\"stage\":\"open\",\"n\":1}"); /* 4 */
    put("deals", "1", "{\"stage\":\"lost\"}");         /* 5: leaves */
    put("deals", "1", "{\"stage\":\"lost\",\"n\":1}"); /* 6 */
    put("deals", "2", "{\"stage\":\"won\"}");          /* 7: comes */
    put("deals", "2", NULL);                           /* 8: deleted inside */
    put("deals", "1", NULL);                           /* 9: deleted outside */
    put("deals", "2", "{\"stage\":\"open\"}");         /* 10: back, outside */
}

static void where_shows_what_matches_or_did(void **state) {
    (void)state;
    put_comings_and_goings();
    stet_subscription *late = subscribe_where("stage = 'won'", 0);
    assert_string_equal(drain_left(late), "1 3 5< 7 8");
    feed_unsubscribe(late);
}

static void where_means_the_same_live(void **state) {
    (void)state;
    stet_subscription *live = subscribe_where("stage = 'won'", 0);
    stet_subscription *other = subscribe_where("stage != 'won' && $created_by = 'ann'", 0);
    drain(live);
    drain(other);
    put_comings_and_goings();
    while (feed_ready(reader) != NULL)
        ;
    assert_string_equal(drain_left(live), "1 3 5< 7 8");
    assert_string_equal(drain_left(other), "2 4 5 6 7< 9 10");
    feed_unsubscribe(live);
    feed_unsubscribe(other);
}

static void where_means_the_same_behind_the_ring(void **state) {
    (void)state;
    put_comings_and_goings();
    for (int index = 0; index <= RING_CHANGES; index++)
        put("noise", "1", index % 2 == 0 ? "{\"n\":1}" : "{\"n\":2}");
    stet_subscription *late = subscribe_where("stage = 'won' && $created_by = 'ann'", 0);
    char all[64] = "";
    for (;;) {
        const char *some = drain_left(late);
        if (some[0] != '\0') snprintf(all + strlen(all), sizeof all - strlen(all), "%s", some);
        engine_step(fixture.engine);
        if (feed_ready(reader) == NULL) break;
    }
    assert_string_equal(all, "1 3 5< 7 8");
    feed_unsubscribe(late);
}

static void a_transaction_ends_at_its_last_match(void **state) {
    (void)state;
    static const char *const types[] = {"deals", "noise", "other"};
    stet_subscription *live = subscribe_where("$type = 'deals'", 0);
    drain(live);
    put_together("1", types, 3);
    assert_ptr_equal(feed_ready(reader), live);
    assert_string_equal(drain(live), "c1+");
    assert_int_equal(bookmark(live), 3);
    feed_unsubscribe(live);
}

static void a_bad_where_is_refused(void **state) {
    (void)state;
    stet_subscription *none = NULL;
    stet_error err = {0};
    stet_feed_options options = {.where = VIEW("stage =")};
    assert_int_equal(
        feed_subscribe(reader, fixture.space, &fixture.actor, &options, NULL, &none, &err),
        STET_BAD_REQUEST);
    assert_null(none);
}

static void an_idle_subscription_is_small(void **state) {
    (void)state;
    const stet_view address = VIEW("tasks/01890a5d-ac96-774b-bcce-b302099a8057");
    struct filter *filter;
    const stet_feed_options options = {.addresses = &address, .address_count = 1};
    assert_int_equal(filter_create(fixture.space, &fixture.actor, &options, &filter, NULL),
                     STET_OK);
    size_t topic = 40 + address.size;
    size_t own = sizeof(struct stet_subscription) + sizeof(struct topic_node);
    size_t named = sizeof *filter + sizeof(struct filter_record) + address.size + 16;
    /* Three blocks with a header and rounding each, and two places in the table. */
    assert_true(own + named + topic + 3 * 24 + 16 <= 512);
    filter_unref(filter);
}

#define WITH_ENGINE(test) cmocka_unit_test_setup_teardown(test, open_engine, close_engine)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_ENGINE(changes_come_in_order_after_the_backlog),
        WITH_ENGINE(how_far_subscribers_are_behind_is_counted),
        WITH_ENGINE(an_event_tells_the_whole_change),
        WITH_ENGINE(from_now_begins_with_ready),
        WITH_ENGINE(filters_pick_types_and_records),
        WITH_ENGINE(what_does_not_concern_a_subscriber_does_not_wake_it),
        WITH_ENGINE(bad_filters_are_refused),
        WITH_ENGINE(resume_points_are_at_the_ends_of_transactions),
        WITH_ENGINE(live_transactions_are_delivered_whole_too),
        WITH_ENGINE(a_position_inside_a_transaction_means_before_it),
        WITH_ENGINE(a_position_that_was_never_reached_is_reset),
        WITH_ENGINE(a_backlog_behind_the_ring_is_read_from_the_store),
        WITH_ENGINE(a_long_backlog_comes_in_pages_without_a_gap),
        WITH_ENGINE(a_slow_subscriber_falls_behind_the_ring_and_catches_up),
        WITH_ENGINE(everybody_is_told_when_routing_was_overrun),
        WITH_ENGINE(unsubscribing_forgets_a_page_on_its_way),
        WITH_ENGINE(more_subscribers_than_pages_wait_their_turn),
        WITH_ENGINE(held_pages_are_bounded_and_read_again),
        WITH_ENGINE(two_clients_follow_by_themselves),
        WITH_ENGINE(subscribers_of_one_client_share_the_text),
        WITH_ENGINE(a_closed_space_ends_its_subscriptions),
        WITH_ENGINE(a_deleted_space_says_so),
        WITH_ENGINE(where_shows_what_matches_or_did),
        WITH_ENGINE(where_means_the_same_live),
        WITH_ENGINE(where_means_the_same_behind_the_ring),
        WITH_ENGINE(a_transaction_ends_at_its_last_match),
        WITH_ENGINE(a_bad_where_is_refused),
        WITH_ENGINE(an_idle_subscription_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
