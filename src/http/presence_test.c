#include "http/presence.h"

#include "base/limits.h"
#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static struct presence *presence;
static unsigned woken[2];

static void wake(void *context, unsigned loop) {
    (void)context;
    woken[loop]++;
}

static int setup(void **state) {
    (void)state;
    woken[0] = woken[1] = 0;
    return presence_create(2, wake, NULL, &presence, NULL) == STET_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    presence_destroy(presence);
    return 0;
}

static struct presence_seat must_sit_nowhere(void) { return (struct presence_seat){0}; }

static void must_sit(struct presence_seat *seat, const char *address, unsigned loop,
                     const char *actor) {
    assert_int_equal(
        presence_sit(presence, VIEW("main"), view_of(address), loop, view_of(actor), seat, NULL),
        STET_OK);
}

static void expect_seen(const struct presence_seat *seat, const char *text) {
    struct buffer out;
    buffer_init(&out, NULL, 0);
    presence_write(presence, seat, &out);
    assert_int_equal(buffer_status(&out), STET_OK);
    assert_int_equal(out.size, strlen(text));
    assert_memory_equal(out.bytes, text, out.size);
    buffer_done(&out);
}

static void expect_readers(const char *space, const char *text) {
    struct buffer out;
    buffer_init(&out, NULL, 0);
    presence_write_readers(presence, view_of(space), VIEW("t/1"), &out);
    assert_int_equal(out.size, strlen(text));
    assert_memory_equal(out.bytes, text, out.size);
    buffer_done(&out);
}

#define EPOCH "1970-01-01T00:00:00.000000001Z"

static void those_who_are_there_stand_in_the_order_of_their_coming(void **state) {
    struct presence_seat ana = must_sit_nowhere();
    struct presence_seat ben = must_sit_nowhere();
    (void)state;
    must_sit(&ana, "t/1", 0, "ana");
    must_sit(&ben, "t/1", 1, "ben");
    expect_seen(&ana, "{\"address\":\"t/1\",\"people\":[],\"count\":0}");
    presence_come(presence, &ben, 3, 1);
    presence_come(presence, &ana, STET_VERSION_NONE, 1);
    expect_seen(
        &ana, "{\"address\":\"t/1\",\"people\":[{\"actor\":\"ben\",\"version\":3,\"since\":\"" EPOCH
              "\",\"self\":false},{\"actor\":\"ana\",\"version\":null,\"since\":\"" EPOCH
              "\",\"self\":true}],\"count\":2}");
    presence_go(presence, &ben);
    expect_readers(
        "main",
        "\"readers\":1,\"people\":[{\"actor\":\"ana\",\"version\":null,\"since\":\"" EPOCH "\"}]");
    expect_readers("other", "\"readers\":0,\"people\":[]");
    presence_leave(presence, &ana);
    presence_leave(presence, &ben);
    assert_int_equal(presence_count(presence), 0);
}

static void a_change_marks_all_at_the_record_and_wakes_their_loops_once(void **state) {
    struct presence_seat seats[4] = {0};
    (void)state;
    must_sit(&seats[0], "t/1", 0, "a");
    must_sit(&seats[1], "t/1", 1, "b");
    must_sit(&seats[2], "t/1", 1, "c");
    must_sit(&seats[3], "t/2", 0, "d");
    assert_null(presence_next(presence, 0));
    presence_come(presence, &seats[0], 1, 1);
    presence_come(presence, &seats[1], 1, 1);
    assert_int_equal(woken[0], 1);
    assert_int_equal(woken[1], 1);
    assert_ptr_equal(presence_next(presence, 0), &seats[0]);
    assert_null(presence_next(presence, 0));
    assert_non_null(presence_next(presence, 1));
    assert_non_null(presence_next(presence, 1));
    assert_null(presence_next(presence, 1));
    presence_come(presence, &seats[0], 1, 2); /* Nothing new. */
    assert_int_equal(woken[0], 1);
    presence_come(presence, &seats[0], 2, 2); /* Another version, and still since then. */
    assert_int_equal(woken[0], 2);
    assert_int_equal(seats[0].since, 1);
    for (int i = 0; i < 4; i++)
        presence_leave(presence, &seats[i]);
    /* Who left is not named any more. */
    assert_null(presence_next(presence, 0));
    assert_null(presence_next(presence, 1));
}

static void leaving_tells_the_others(void **state) {
    struct presence_seat ana = must_sit_nowhere();
    struct presence_seat ben = must_sit_nowhere();
    (void)state;
    must_sit(&ana, "t/1", 0, "ana");
    must_sit(&ben, "t/1", 0, "ben");
    presence_come(presence, &ana, 1, 1);
    while (presence_next(presence, 0) != NULL)
        continue;
    presence_leave(presence, &ana);
    assert_ptr_equal(presence_next(presence, 0), &ben);
    presence_leave(presence, &ana); /* Once is enough. */
    presence_leave(presence, &ben);
}

static void a_hundred_are_shown_and_all_are_counted(void **state) {
    enum { COUNT = PRESENCE_SHOWN_MAX + 5 };
    struct presence_seat *seats = calloc(COUNT, sizeof *seats);
    struct buffer out;
    unsigned shown = 0;
    (void)state;
    assert_non_null(seats);
    for (int i = 0; i < COUNT; i++) {
        must_sit(&seats[i], "t/1", 0, "a");
        presence_come(presence, &seats[i], 1, 1);
    }
    buffer_init(&out, NULL, 0);
    presence_write(presence, &seats[0], &out);
    buffer_append_char(&out, '\0');
    for (const char *at = out.bytes; (at = strstr(at, "\"actor\"")) != NULL; at++)
        shown++;
    assert_int_equal(shown, PRESENCE_SHOWN_MAX);
    assert_non_null(strstr(out.bytes, "\"count\":105}"));
    for (int i = 0; i < COUNT; i++)
        presence_leave(presence, &seats[i]);
    buffer_done(&out);
    free(seats);
}

static void the_register_is_bounded(void **state) {
    static const char actors[] = "abcdefghijklmnopqrst";
    struct presence_seat *seats = calloc(PRESENCE_SEATS_MAX + 1, sizeof *seats);
    stet_error err;
    char address[32];
    (void)state;
    assert_non_null(seats);
    for (int i = 0; i < PRESENCE_SEATS_MAX; i++) {
        snprintf(address, sizeof address, "t/%d", i / 2);
        assert_int_equal(presence_sit(presence, VIEW("main"), view_of(address), 0,
                                      view_make(&actors[i % 20], 1), &seats[i], NULL),
                         STET_OK);
    }
    assert_int_equal(presence_sit(presence, VIEW("main"), VIEW("t/1"), 0, VIEW("new"),
                                  &seats[PRESENCE_SEATS_MAX], &err),
                     STET_BUSY);
    assert_int_equal(err.limit, PRESENCE_SEATS_MAX);
    presence_leave(presence, &seats[0]);
    must_sit(&seats[0], "t/1", 0, "a");
    for (int i = 0; i < PRESENCE_SEATS_MAX; i++)
        presence_leave(presence, &seats[i]);
    free(seats);
}

static void one_user_does_not_take_all_of_it(void **state) {
    struct presence_seat *seats = calloc(PRESENCE_USER_SEATS_MAX + 1, sizeof *seats);
    struct presence_seat other = {0};
    struct presence_seat elsewhere = {0};
    struct presence_seat *last = &seats[PRESENCE_USER_SEATS_MAX];
    stet_error err;
    char address[32];
    (void)state;
    assert_non_null(seats);
    for (int i = 0; i < PRESENCE_USER_SEATS_MAX; i++) {
        snprintf(address, sizeof address, "t/%d", i);
        must_sit(&seats[i], address, i % 2 == 0 ? 0 : 1, "ana");
    }
    assert_int_equal(presence_sit(presence, VIEW("main"), VIEW("t/1"), 0, VIEW("ana"), last, &err),
                     STET_TOO_MANY_REQUESTS);
    assert_int_equal(err.limit, PRESENCE_USER_SEATS_MAX);
    must_sit(&other, "t/1", 0, "ben");
    /* Another space has people of its own, though one of them may be called the same. */
    assert_int_equal(
        presence_sit(presence, VIEW("more"), VIEW("t/1"), 0, VIEW("ana"), &elsewhere, NULL),
        STET_OK);
    presence_leave(presence, &seats[7]);
    must_sit(last, "t/1", 0, "ana");
    for (int i = 0; i <= PRESENCE_USER_SEATS_MAX; i++)
        presence_leave(presence, &seats[i]);
    presence_leave(presence, &other);
    presence_leave(presence, &elsewhere);
    free(seats);
}

/* A loop's thread: its seats come and go at records it shares with the other one. */
static void *loop_works(void *context) {
    enum { SEATS = 8, ROUNDS = 500 };
    unsigned loop = *(const unsigned *)context;
    struct presence_seat seats[SEATS] = {0};
    struct buffer out;
    buffer_init(&out, NULL, 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < SEATS; i++) {
            stet_view address = i % 2 == 0 ? VIEW("t/1") : VIEW("t/2");
            if (presence_sit(presence, VIEW("main"), address, loop, VIEW("a"), &seats[i], NULL) !=
                STET_OK)
                return NULL;
            presence_come(presence, &seats[i], round + 1, 0);
        }
        struct presence_seat *marked;
        while ((marked = presence_next(presence, loop)) != NULL) {
            buffer_reset(&out);
            presence_write(presence, marked, &out);
        }
        for (unsigned i = 0; i < SEATS; i++) {
            if (i % 4 == 0) presence_go(presence, &seats[i]);
            presence_leave(presence, &seats[i]);
        }
    }
    buffer_done(&out);
    return context;
}

static void loops_use_it_at_once_and_leave_nothing_behind(void **state) {
    static const unsigned loops[2] = {0, 1};
    pthread_t threads[2];
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, loop_works, (void *)(uintptr_t)&loops[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *done = NULL;
        assert_int_equal(pthread_join(threads[i], &done), 0);
        assert_ptr_equal(done, &loops[i]);
    }
    assert_int_equal(presence_count(presence), 0);
    assert_null(presence_next(presence, 0));
    assert_null(presence_next(presence, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(those_who_are_there_stand_in_the_order_of_their_coming),
        TEST(a_change_marks_all_at_the_record_and_wakes_their_loops_once),
        TEST(leaving_tells_the_others),
        TEST(a_hundred_are_shown_and_all_are_counted),
        TEST(the_register_is_bounded),
        TEST(one_user_does_not_take_all_of_it),
        TEST(loops_use_it_at_once_and_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
