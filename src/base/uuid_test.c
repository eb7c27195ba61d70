#include "base/uuid.h"
#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 4, PER_THREAD = 20000 };

static void the_fields_are_where_the_rfc_puts_them(void **state) {
    (void)state;
    struct clock_manual manual;
    struct entropy_seeded seeded;
    uint8_t uuid[UUID_BYTES];
    char text[UUID_TEXT_BYTES + 1] = {0};
    clock_manual_init(&manual, INT64_C(0x017F22E279B0) * CLOCK_NS_PER_MS + 999);
    entropy_seeded_init(&seeded, 1);
    uuid_v7(&manual.clock, &seeded.entropy, uuid);
    uuid_format(uuid, text);
    assert_memory_equal(text, "017f22e2-79b0-7", 15);
    assert_int_equal(uuid_version(uuid), 7);
    assert_int_equal(uuid[8] & 0xC0, 0x80);
}

static void a_simulation_repeats(void **state) {
    (void)state;
    struct clock_manual manual;
    clock_manual_init(&manual, 5000);
    uint8_t seen[2][10][UUID_BYTES];
    for (int round = 0; round < 2; round++) {
        struct entropy_seeded seeded;
        entropy_seeded_init(&seeded, 99);
        for (int i = 0; i < 10; i++)
            uuid_v7(&manual.clock, &seeded.entropy, seen[round][i]);
    }
    assert_memory_equal(seen[0], seen[1], sizeof seen[0]);
    assert_memory_not_equal(seen[0][0], seen[0][1], UUID_BYTES);
}

static void *draw(void *context) {
    uint8_t(*drawn)[UUID_BYTES] = context;
    for (int i = 0; i < PER_THREAD; i++)
        uuid_v7(clock_system(), entropy_system(), drawn[i]);
    return NULL;
}

static int by_stamp(const void *a, const void *b) { return memcmp(a, b, 8); }

/* Faster than the counter of one millisecond lasts, so the time in them runs ahead, too. */
static void threads_draw_increasing_and_different_ones(void **state) {
    (void)state;
    static uint8_t drawn[THREADS * PER_THREAD][UUID_BYTES];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, draw, drawn[i * PER_THREAD]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS * PER_THREAD; i++) {
        if (i % PER_THREAD != 0) assert_true(memcmp(drawn[i - 1], drawn[i], 8) < 0);
    }
    qsort(drawn, THREADS * PER_THREAD, UUID_BYTES, by_stamp);
    for (int i = 1; i < THREADS * PER_THREAD; i++) {
        assert_true(memcmp(drawn[i - 1], drawn[i], 8) != 0);
    }
}

static void text_is_read_back_in_either_case(void **state) {
    (void)state;
    uint8_t uuid[UUID_BYTES];
    char text[UUID_TEXT_BYTES];
    assert_true(uuid_parse(VIEW("017F22e2-79B0-4cc3-98c4-dC0c0c07398f"), uuid));
    assert_int_equal(uuid_version(uuid), 4);
    uuid_format(uuid, text);
    assert_memory_equal(text, "017f22e2-79b0-4cc3-98c4-dc0c0c07398f", UUID_TEXT_BYTES);
}

static void other_forms_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
                                      "017f22e2-79b0-7cc3-98c4-dc0c0c07398ff",
                                      "017f22e279b0-7cc3-98c4-dc0c0c07398f-",
                                      "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
                                      "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
                                      "017f22e2 79b0 7cc3 98c4 dc0c0c07398f"};
    uint8_t uuid[UUID_BYTES] = {1};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(uuid_parse(view_of(bad[i]), uuid));
    }
    assert_int_equal(uuid[0], 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fields_are_where_the_rfc_puts_them),
        cmocka_unit_test(a_simulation_repeats),
        cmocka_unit_test(threads_draw_increasing_and_different_ones),
        cmocka_unit_test(text_is_read_back_in_either_case),
        cmocka_unit_test(other_forms_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
