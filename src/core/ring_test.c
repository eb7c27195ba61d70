#include "core/ring.h"

#include "base/limits.h"
#include "core/change_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct ring ring;

static void open_at(uint64_t published) { assert_int_equal(ring_init(&ring, published), STET_OK); }

static void publish(uint64_t first, uint64_t last) {
    for (uint64_t seq = first; seq <= last; seq++) {
        struct change *change = fixture_change("tasks", "1", seq, seq, "{}");
        ring_publish(&ring, &change, 1);
    }
}

static void check_take(uint64_t after, size_t max, uint64_t first, size_t expected) {
    struct change *changes[64];
    size_t count = 99;
    assert_true(max <= 64);
    assert_true(ring_take(&ring, after, changes, max, &count));
    assert_int_equal(count, expected);
    for (size_t index = 0; index < count; index++) {
        assert_int_equal(changes[index]->row.seq, first + index);
        change_unref(changes[index]);
    }
}

static void check_out_of_reach(uint64_t after) {
    struct change *changes[4];
    size_t count = 99;
    assert_false(ring_take(&ring, after, changes, 4, &count));
    assert_int_equal(count, 0);
}

static void takes_what_is_newer_in_order(void **state) {
    (void)state;
    open_at(10);
    check_take(10, 8, 0, 0);
    publish(11, 15);
    assert_int_equal(ring_published(&ring), 15);
    check_take(10, 8, 11, 5);
    check_take(12, 2, 13, 2);
    check_take(15, 8, 0, 0);
    check_out_of_reach(9);
    ring_done(&ring);
}

static void a_batch_appears_as_a_whole(void **state) {
    (void)state;
    struct change *batch[200];
    open_at(0);
    for (size_t index = 0; index < 200; index++) {
        batch[index] = fixture_change("tasks", "1", index + 1, index + 1, "{}");
        batch[index]->row.transaction = 200;
    }
    ring_publish(&ring, batch, 200);
    assert_int_equal(ring_published(&ring), 200);
    check_take(136, 64, 137, 64);
    ring_done(&ring);
}

static void the_oldest_leave_when_it_is_full(void **state) {
    (void)state;
    open_at(0);
    publish(1, RING_CHANGES + 100);
    check_out_of_reach(99);
    check_take(100, 4, 101, 4);
    assert_null(ring_find(&ring, 100));
    struct change *found = ring_find(&ring, 101);
    assert_non_null(found);
    change_unref(found);
    assert_null(ring_find(&ring, RING_CHANGES + 101));
    ring_done(&ring);
}

static void a_batch_larger_than_the_ring_leaves_its_end(void **state) {
    (void)state;
    size_t count = RING_CHANGES + 500;
    struct change **batch = calloc(count, sizeof(struct change *));
    open_at(0);
    for (size_t index = 0; index < count; index++) {
        batch[index] = fixture_change("tasks", "1", index + 1, index + 1, "{}");
        batch[index]->row.transaction = count;
    }
    ring_publish(&ring, batch, count);
    check_out_of_reach(499);
    check_take(500, 2, 501, 2);
    check_take(count - 1, 2, count, 1);
    free(batch);
    ring_done(&ring);
}

static void bytes_are_bounded(void **state) {
    (void)state;
    size_t size = 1024 * 1024;
    char *data = malloc(size + 1);
    memset(data, ' ', size);
    data[size] = '\0';
    open_at(0);
    for (uint64_t seq = 1; seq <= 40; seq++) {
        struct change *change = fixture_change("tasks", "1", seq, seq, data);
        ring_publish(&ring, &change, 1);
        assert_true(ring.bytes <= RING_BYTES_MAX);
    }
    check_out_of_reach(8);
    check_take(38, 4, 39, 2);
    free(data);
    ring_done(&ring);
}

static void a_taken_change_outlives_the_ring(void **state) {
    (void)state;
    struct change *taken;
    size_t count;
    open_at(0);
    publish(1, 1);
    assert_true(ring_take(&ring, 0, &taken, 1, &count));
    ring_done(&ring);
    assert_int_equal(taken->row.seq, 1);
    change_unref(taken);
}

static void waiting_ends_at_the_time_limit_and_at_the_close(void **state) {
    (void)state;
    open_at(5);
    assert_true(ring_wait(&ring, 5, 0));
    assert_false(ring_wait(&ring, 6, 1));
    ring_close(&ring);
    assert_true(ring_is_closed(&ring));
    assert_false(ring_wait(&ring, 6, 60000));
    ring_done(&ring);
}

static void *publish_slowly(void *context) {
    (void)context;
    publish(1, 20000);
    return NULL;
}

/* Readers see every seq once, in order, or are told that they are too late. */
static void *follow(void *context) {
    uint64_t *seen = context;
    uint64_t position = 0;
    while (position < 20000) {
        struct change *changes[16];
        size_t count;
        ring_wait(&ring, position + 1, 60000);
        if (!ring_take(&ring, position, changes, 16, &count)) {
            position = ring_published(&ring);
            continue;
        }
        for (size_t index = 0; index < count; index++) {
            if (changes[index]->row.seq != position + 1) return NULL;
            position = changes[index]->row.seq;
            (*seen)++;
            change_unref(changes[index]);
        }
    }
    return context;
}

static void readers_follow_a_writer(void **state) {
    (void)state;
    pthread_t writer, readers[2];
    uint64_t seen[2] = {0, 0};
    void *result;
    open_at(0);
    for (int index = 0; index < 2; index++)
        assert_int_equal(pthread_create(&readers[index], NULL, follow, &seen[index]), 0);
    assert_int_equal(pthread_create(&writer, NULL, publish_slowly, NULL), 0);
    pthread_join(writer, NULL);
    for (int index = 0; index < 2; index++) {
        pthread_join(readers[index], &result);
        assert_ptr_equal(result, &seen[index]);
    }
    ring_done(&ring);
}

static void what_is_erased_is_there_without_its_data(void **state) {
    struct change *changes[4];
    size_t count;
    (void)state;
    open_at(0);
    publish(1, 3);
    struct change *taken = ring_find(&ring, 2);
    ring_erase(&ring, 2);
    ring_erase(&ring, 77); /* Not there: nothing. */
    check_take(0, 8, 1, 3);
    assert_true(ring_take(&ring, 1, changes, 1, &count));
    assert_true(changes[0]->row.pruned);
    assert_int_equal(changes[0]->row.data.size, 0);
    assert_int_equal(changes[0]->row.version, 2);
    assert_int_equal(taken->row.data.size, 2);
    change_unref(changes[0]);
    change_unref(taken);
    publish(4, 5); /* The ring's count of bytes still holds. */
    ring_done(&ring);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_is_newer_in_order),
        cmocka_unit_test(a_batch_appears_as_a_whole),
        cmocka_unit_test(the_oldest_leave_when_it_is_full),
        cmocka_unit_test(a_batch_larger_than_the_ring_leaves_its_end),
        cmocka_unit_test(bytes_are_bounded),
        cmocka_unit_test(a_taken_change_outlives_the_ring),
        cmocka_unit_test(waiting_ends_at_the_time_limit_and_at_the_close),
        cmocka_unit_test(readers_follow_a_writer),
        cmocka_unit_test(what_is_erased_is_there_without_its_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
