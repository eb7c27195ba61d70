#include "core/cache.h"

#include "base/clock.h"
#include "core/change_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct change *publish(struct space *space, const char *id, uint64_t version) {
    struct change *change =
        fixture_change("tasks", id, ring_published(&space->ring) + 1, version, "{\"n\":1}");
    ring_publish(&space->ring, &(struct change *){change_ref(change)}, 1);
    return change;
}

static struct cache_value *find(struct cache *cache, struct space *space, const char *id) {
    return cache_find(cache, space, VIEW("tasks"), view_of(id));
}

static void put(struct cache *cache, struct space *space, struct change *head) {
    assert_non_null(cache_put(cache, space, head));
}

static void a_sync_brings_entries_up_to_date(void **state) {
    (void)state;
    struct space space;
    struct cache cache;
    fixture_space_init(&space, 1, 0);
    cache_init(&cache, 1 << 20);
    struct change *first = publish(&space, "a", 1);
    assert_int_equal(cache_sync(&cache, &space), 1);
    assert_null(find(&cache, &space, "a"));
    put(&cache, &space, first);
    struct change *second = publish(&space, "a", 2);
    assert_int_equal(find(&cache, &space, "a")->head->row.version, 1);
    assert_int_equal(cache_sync(&cache, &space), 2);
    assert_ptr_equal(find(&cache, &space, "a")->head, second);
    put(&cache, &space, first);
    assert_ptr_equal(find(&cache, &space, "a")->head, second);
    change_unref(first);
    change_unref(second);
    cache_done(&cache);
    ring_done(&space.ring);
}

static void entries_beyond_the_rings_reach_are_forgotten(void **state) {
    (void)state;
    struct space space;
    struct cache cache;
    fixture_space_init(&space, 1, 0);
    cache_init(&cache, 1 << 20);
    struct change *first = publish(&space, "a", 1);
    cache_sync(&cache, &space);
    put(&cache, &space, first);
    change_unref(first);
    for (uint64_t version = 1; version <= RING_CHANGES + 1; version++)
        change_unref(publish(&space, "b", version));
    assert_int_equal(cache_sync(&cache, &space), RING_CHANGES + 2);
    assert_null(find(&cache, &space, "a"));
    assert_int_equal(cache.count, 0);
    cache_done(&cache);
    ring_done(&space.ring);
}

static void spaces_that_share_a_place_push_each_other_out(void **state) {
    (void)state;
    struct space one, other;
    struct cache cache;
    fixture_space_init(&one, 1, 0);
    fixture_space_init(&other, 33, 0);
    cache_init(&cache, 1 << 20);
    struct change *first = publish(&one, "a", 1);
    cache_sync(&cache, &one);
    put(&cache, &one, first);
    cache_sync(&cache, &other);
    assert_null(find(&cache, &other, "a"));
    assert_null(find(&cache, &one, "a"));
    assert_null(cache_put(&cache, &one, first));
    cache_sync(&cache, &one);
    assert_null(find(&cache, &one, "a"));
    change_unref(first);
    cache_done(&cache);
    ring_done(&one.ring);
    ring_done(&other.ring);
}

static void bytes_are_bounded_and_the_least_used_leave(void **state) {
    (void)state;
    struct space space;
    struct cache cache;
    char id[16];
    fixture_space_init(&space, 1, 0);
    cache_init(&cache, 20000);
    for (int index = 0; index < 500; index++) {
        snprintf(id, sizeof id, "%d", index);
        struct change *change = publish(&space, id, 1);
        cache_sync(&cache, &space);
        put(&cache, &space, change);
        change_unref(change);
        assert_true(cache.bytes <= cache.bytes_max);
        assert_non_null(find(&cache, &space, "0"));
    }
    assert_null(find(&cache, &space, "1"));
    assert_non_null(find(&cache, &space, "499"));
    cache.bytes_max = 10;
    struct change *large = publish(&space, "large", 1);
    cache_sync(&cache, &space);
    assert_null(cache_put(&cache, &space, large));
    assert_int_equal(cache.bytes, 0);
    change_unref(large);
    cache_done(&cache);
    ring_done(&space.ring);
}

/* A cache, used as the read path uses it, always answers with the newest published change of a record. */
static void random_schedule(uint64_t seed) {
    enum { IDS = 40, STEPS = 3000 };
    struct entropy_seeded random;
    struct space space;
    struct cache cache;
    struct change *model[IDS] = {0};
    char id[16];
    entropy_seeded_init(&random, seed);
    fixture_space_init(&space, 5, 0);
    cache_init(&cache, 2000 + entropy_u64(&random.entropy) % 20000);
    for (int step = 0; step < STEPS; step++) {
        uint64_t draw = entropy_u64(&random.entropy);
        size_t index = draw % IDS;
        snprintf(id, sizeof id, "%zu", index);
        if ((draw >> 32) % 400 == 0) {
            /* The ring moves on past its reach. */
            for (int more = 0; more < RING_CHANGES; more++)
                change_unref(publish(&space, "elsewhere", 1));
        } else if ((draw >> 32) % 3 == 0) {
            uint64_t version = model[index] == NULL ? 1 : model[index]->row.version + 1;
            change_unref(model[index]);
            model[index] = publish(&space, id, version);
        } else {
            assert_int_equal(cache_sync(&cache, &space), ring_published(&space.ring));
            struct cache_value *value = find(&cache, &space, id);
            if (value != NULL) {
                if (value->head != model[index])
                    print_error("seed %llu\n", (unsigned long long)seed);
                assert_ptr_equal(value->head, model[index]);
            } else if (model[index] != NULL) {
                cache_put(&cache, &space, model[index]);
            }
        }
    }
    for (int index = 0; index < IDS; index++)
        change_unref(model[index]);
    cache_done(&cache);
    ring_done(&space.ring);
}

static void random_schedules_agree_with_a_model(void **state) {
    (void)state;
    const char *given = getenv("STET_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : entropy_u64(entropy_system());
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 20; round++)
        random_schedule(seed + (uint64_t)round);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sync_brings_entries_up_to_date),
        cmocka_unit_test(entries_beyond_the_rings_reach_are_forgotten),
        cmocka_unit_test(spaces_that_share_a_place_push_each_other_out),
        cmocka_unit_test(bytes_are_bounded_and_the_least_used_leave),
        cmocka_unit_test(random_schedules_agree_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
