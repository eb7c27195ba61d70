/* Taking a subscription back: whoever took more than could be passed on misses nothing, and gets nothing twice. */
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

static stet_subscription *subscribe(const char *type, uint64_t since) {
    stet_subscription *subscription = NULL;
    stet_view types[] = {view_of(type)};
    stet_feed_options options = {.since = since, .types = types, .type_count = 1};
    assert_int_equal(
        feed_subscribe(reader, fixture.space, &fixture.actor, &options, NULL, &subscription, NULL),
        STET_OK);
    return subscription;
}

static void put(const char *type, const char *id) {
    static unsigned count;
    char data[32];
    snprintf(data, sizeof data, "{\"n\":%u}", ++count);
    fixture_put(&fixture, type, id, data);
}

/* One new record of type a and two of type b. */
static void put_together(void) {
    static unsigned count;
    static const char *const types[] = {"a", "b", "b"};
    char ids[3][24];
    stet_mutation mutations[3];
    for (size_t index = 0; index < 3; index++) {
        snprintf(ids[index], sizeof ids[index], "together-%u", ++count);
        mutations[index] =
            fixture_mutation(&fixture, STET_OP_PUT, types[index], ids[index], "{\"n\":1}");
    }
    assert_int_equal(fixture_write(&fixture, mutations, 3, NULL), STET_OK);
}

static void forget_ring(void) {
    uint64_t published = fixture_seq(&fixture);
    ring_done(&fixture.space->ring);
    assert_int_equal(ring_init(&fixture.space->ring, published), STET_OK);
}

/* The seqs of up to so many changes to be had now, and "r" for ready. */
static const char *take(stet_subscription *subscription, unsigned count) {
    static char text[1024];
    stet_event event;
    size_t used = 0;
    text[0] = '\0';
    while (count-- > 0 && feed_next(subscription, &event)) {
        bool ready = event.kind == STET_EVENT_READY;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s%llu", used > 0 ? " " : "",
                                 ready ? "r" : "", (unsigned long long)event.seq);
    }
    return text;
}

static void let_workers_read(void) {
    do
        engine_step(fixture.engine);
    while (feed_ready(reader) != NULL);
}

static void live_changes_come_again(void **state) {
    (void)state;
    stet_subscription *subscription = subscribe("a", 0);
    assert_string_equal(take(subscription, 9), "r0");
    put("a", "1");
    put("b", "1");
    put("a", "2");
    put("a", "3");
    assert_ptr_equal(feed_ready(reader), subscription);
    assert_string_equal(take(subscription, 9), "1 3 4");
    feed_rewind(subscription, 1);
    assert_string_equal(take(subscription, 9), "3 4");
    feed_rewind(subscription, 3);
    put("a", "4");
    assert_null(feed_ready(reader));
    assert_string_equal(take(subscription, 9), "4 5");
    feed_rewind(subscription, 5);
    assert_string_equal(take(subscription, 9), "");
    put("a", "5");
    assert_ptr_equal(feed_ready(reader), subscription);
    assert_string_equal(take(subscription, 9), "6");
    feed_unsubscribe(subscription);
}

static void the_position_is_that_of_what_was_kept(void **state) {
    stet_event event;
    (void)state;
    stet_subscription *subscription = subscribe("a", 0);
    assert_string_equal(take(subscription, 9), "r0");
    put("a", "1");
    put("a", "2");
    (void)feed_ready(reader);
    assert_string_equal(take(subscription, 9), "1 2");
    feed_rewind(subscription, 1);
    feed_bookmark(subscription, &event);
    assert_int_equal(event.resume, 1);
    feed_unsubscribe(subscription);
}

static void a_backlog_in_the_ring_comes_again(void **state) {
    (void)state;
    for (int count = 0; count < 4; count++)
        put("a", "1");
    stet_subscription *subscription = subscribe("a", 0);
    assert_string_equal(take(subscription, 3), "1 2 3");
    feed_rewind(subscription, 1);
    assert_string_equal(take(subscription, 9), "2 3 4 r4");
    feed_unsubscribe(subscription);
}

static void a_page_is_gone_back_in_without_reading_it_again(void **state) {
    (void)state;
    for (int count = 0; count < 5; count++)
        put("a", "1");
    forget_ring();
    stet_subscription *subscription = subscribe("a", 0);
    assert_string_equal(take(subscription, 1), "");
    let_workers_read();
    assert_string_equal(take(subscription, 4), "1 2 3 4");
    feed_rewind(subscription, 2);
    assert_string_equal(take(subscription, 9), "3 4 5 r5");
    feed_unsubscribe(subscription);
}

static void a_page_that_is_used_up_is_read_again(void **state) {
    (void)state;
    for (int count = 0; count < 5; count++)
        put("a", "1");
    forget_ring();
    stet_subscription *subscription = subscribe("a", 0);
    assert_string_equal(take(subscription, 1), "");
    let_workers_read();
    assert_string_equal(take(subscription, 5), "1 2 3 4 5");
    put("a", "2");
    (void)feed_ready(reader);
    forget_ring();
    feed_rewind(subscription, 2);
    assert_string_equal(take(subscription, 3), "3 4 5");
    let_workers_read();
    assert_string_equal(take(subscription, 9), "6 r6");
    feed_unsubscribe(subscription);
}

static void a_page_on_its_way_is_given_up(void **state) {
    (void)state;
    stet_subscription *subscription = subscribe("a", 0);
    assert_string_equal(take(subscription, 9), "r0");
    put("a", "1");
    put("a", "2");
    (void)feed_ready(reader);
    assert_string_equal(take(subscription, 9), "1 2");
    for (int count = 0; count < 300; count++) /* More than the window remembers. */
        put("a", "3");
    (void)feed_ready(reader);
    forget_ring();
    assert_string_equal(take(subscription, 1), "");
    feed_rewind(subscription, 1);
    assert_string_equal(take(subscription, 1), "");
    let_workers_read();
    assert_string_equal(take(subscription, 3), "2 3 4");
    feed_unsubscribe(subscription);
}

/* ---- Any order of events ---- */

enum { TAKEN_MAX = 4096 };

struct reading {
    stet_subscription *subscription;
    uint64_t seqs[TAKEN_MAX];
    uint64_t resumes[TAKEN_MAX];
    size_t count;
    size_t firm; /* Behind these, all were changes. */
};

static uint32_t state_of_random;
static uint32_t random_below(uint32_t bound) {
    state_of_random = state_of_random * 1664525 + 1013904223;
    return (state_of_random >> 8) % bound;
}

static void read_some(struct reading *reading, unsigned count) {
    stet_event event;
    while (count-- > 0 && feed_next(reading->subscription, &event)) {
        if (event.kind != STET_EVENT_CHANGE) {
            assert_int_equal(event.kind, STET_EVENT_READY);
            reading->firm = reading->count;
            continue;
        }
        assert_in_range(reading->count, 0, TAKEN_MAX - 1);
        reading->seqs[reading->count] = event.seq;
        reading->resumes[reading->count++] = event.resume;
    }
}

static void go_back(struct reading *reading) {
    if (reading->count == reading->firm) return;
    size_t kept = reading->firm + random_below((uint32_t)(reading->count - reading->firm));
    if (reading->resumes[kept] == 0) return;
    feed_rewind(reading->subscription, reading->resumes[kept]);
    reading->count = kept + 1;
}

static void any_order_of_reading_and_going_back_misses_nothing(void **state) {
    enum { ROUNDS = 60, STEPS = 150 };
    static struct reading reading;
    (void)state;
    for (uint32_t seed = 1; seed <= ROUNDS; seed++) {
        uint64_t start = fixture_seq(&fixture);
        stet_event event;
        state_of_random = seed;
        reading = (struct reading){.subscription = subscribe("a", start)};
        for (int step = 0; step < STEPS; step++) {
            switch (random_below(8)) {
            case 0: put("a", "1"); break;
            case 1: put("b", "1"); break;
            case 2: put_together(); break;
            case 3: let_workers_read(); break;
            case 4:
                if (random_below(4) == 0) forget_ring();
                break;
            case 5: go_back(&reading); break;
            default: read_some(&reading, 1 + random_below(6)); break;
            }
        }
        for (int turn = 0; turn < 20; turn++) {
            read_some(&reading, UINT32_MAX);
            let_workers_read();
        }
        /* Another one that never goes back. */
        stet_subscription *plain = subscribe("a", start);
        size_t index = 0;
        for (int turn = 0; turn < 20; turn++) {
            while (feed_next(plain, &event)) {
                if (event.kind != STET_EVENT_CHANGE) continue;
                if (index >= reading.count || reading.seqs[index] != event.seq)
                    fail_msg("seed %u: change %llu is missing or not in its place", seed,
                             (unsigned long long)event.seq);
                index++;
            }
            let_workers_read();
        }
        assert_int_equal(index, reading.count);
        feed_unsubscribe(plain);
        feed_unsubscribe(reading.subscription);
    }
}

#define REWIND_TEST(name) cmocka_unit_test_setup_teardown(name, open_engine, close_engine)

int main(void) {
    const struct CMUnitTest tests[] = {
        REWIND_TEST(live_changes_come_again),
        REWIND_TEST(the_position_is_that_of_what_was_kept),
        REWIND_TEST(a_backlog_in_the_ring_comes_again),
        REWIND_TEST(a_page_is_gone_back_in_without_reading_it_again),
        REWIND_TEST(a_page_that_is_used_up_is_read_again),
        REWIND_TEST(a_page_on_its_way_is_given_up),
        REWIND_TEST(any_order_of_reading_and_going_back_misses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
