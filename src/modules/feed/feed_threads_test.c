/*
 * The feed against real threads: a writer, two readers with clients of their own, workers that read the backlog. Every reader
 * sees every change once and in order, whatever the schedule.
 */
#include "modules/feed/feed.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/engine_fixture.h"

enum { CHANGES = 3000, READERS = 2, SUBSCRIPTIONS = 4 };

struct reader {
    struct fixture *fixture;
    uint64_t since;
    bool resubscribes;
    const char *failure;
};

struct follower {
    uint64_t expected;
    bool ready;
    stet_subscription *subscription;
};

static stet_subscription *subscribe(struct reader *reader, stet_client *client, uint64_t since,
                                    struct follower *follower) {
    stet_subscription *subscription = NULL;
    const stet_feed_options options = {.since = since};
    if (feed_subscribe(client, reader->fixture->space, &reader->fixture->actor, &options, follower,
                       &subscription, NULL) != STET_OK)
        reader->failure = "could not subscribe";
    return subscription;
}

/* Takes what there is. Now and then it goes away and comes back at the last position it may resume from. */
static void consume(struct reader *reader, stet_client *client, struct follower *follower) {
    stet_event event;
    while (feed_next(follower->subscription, &event)) {
        if (event.kind == STET_EVENT_READY) follower->ready = true;
        if (event.kind != STET_EVENT_CHANGE) continue;
        if (event.seq != follower->expected) reader->failure = "a change is missing or comes twice";
        follower->expected = event.seq + 1;
        if (reader->resubscribes && event.seq % 97 == 0) {
            feed_unsubscribe(follower->subscription);
            follower->subscription = subscribe(reader, client, event.resume, follower);
            if (follower->subscription == NULL) return;
        }
    }
}

static void *follow(void *context) {
    struct reader *reader = context;
    struct follower followers[SUBSCRIPTIONS] = {0};
    stet_client *client;
    size_t through = 0;
    if (client_create(reader->fixture->engine, &client, NULL) != STET_OK) return NULL;
    for (size_t index = 0; index < SUBSCRIPTIONS; index++) {
        followers[index].expected = reader->since + 1;
        followers[index].subscription = subscribe(reader, client, reader->since, &followers[index]);
        if (followers[index].subscription != NULL) consume(reader, client, &followers[index]);
    }
    while (reader->failure == NULL && through < SUBSCRIPTIONS) {
        struct pollfd descriptor = {.fd = client->fd, .events = POLLIN};
        stet_subscription *ready;
        if (poll(&descriptor, 1, 60000) == 0) reader->failure = "nothing came for a minute";
        while (client_next(client) != NULL)
            ;
        while ((ready = feed_ready(client)) != NULL)
            consume(reader, client, feed_context(ready));
        through = 0;
        for (size_t index = 0; index < SUBSCRIPTIONS; index++)
            through += followers[index].expected > CHANGES;
    }
    for (size_t index = 0; index < SUBSCRIPTIONS; index++)
        feed_unsubscribe(followers[index].subscription);
    client_destroy(client);
    return NULL;
}

static void write_all(struct fixture *fixture, uint64_t from, uint64_t to) {
    char data[32];
    for (uint64_t n = from; n <= to; n++) {
        snprintf(data, sizeof data, "{\"n\":%llu}", (unsigned long long)n);
        fixture_put(fixture, "tasks", "1", data);
    }
}

static void readers_miss_nothing_while_a_writer_writes(void **state) {
    (void)state;
    const struct engine_seams seams = {0};
    struct fixture fixture;
    pthread_t threads[READERS];
    struct reader readers[READERS];
    fixture_open_with(&fixture, NULL, &seams, fixture_no_modules);
    write_all(&fixture, 1, 200);
    for (size_t index = 0; index < READERS; index++) {
        readers[index] =
            (struct reader){.fixture = &fixture, .since = 100 * index, .resubscribes = index == 1};
        assert_int_equal(pthread_create(&threads[index], NULL, follow, &readers[index]), 0);
    }
    write_all(&fixture, 201, CHANGES);
    for (size_t index = 0; index < READERS; index++) {
        pthread_join(threads[index], NULL);
        if (readers[index].failure != NULL) fail_msg("%s", readers[index].failure);
    }
    fixture_close(&fixture);
}

/* What was written before the space was opened is in the store alone: the backlog comes from workers. */
static void a_backlog_from_disk_meets_a_writer(void **state) {
    (void)state;
    char folder[] = "/tmp/stet-feed-XXXXXX";
    const struct engine_seams seams = {.synchronous = "OFF"};
    struct fixture fixture;
    pthread_t thread;
    assert_non_null(mkdtemp(folder));
    const stet_options options = {.data_dir = folder};
    fixture_open_with(&fixture, &options, &seams, fixture_no_modules);
    write_all(&fixture, 1, 1500);
    fixture_close(&fixture);
    fixture_open_with(&fixture, &options, &seams, fixture_no_modules);
    struct reader reader = {.fixture = &fixture, .since = 0, .resubscribes = true};
    assert_int_equal(pthread_create(&thread, NULL, follow, &reader), 0);
    write_all(&fixture, 1501, CHANGES);
    pthread_join(thread, NULL);
    if (reader.failure != NULL) fail_msg("%s", reader.failure);
    fixture_close(&fixture);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_miss_nothing_while_a_writer_writes),
        cmocka_unit_test(a_backlog_from_disk_meets_a_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
