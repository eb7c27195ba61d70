#include "doc/myers.h"

#include "base/clock.h"
#include "doc/doc_testing.h"

#include <string.h>

enum { SIZE_MAX_TRIED = 24, ROUNDS = 20000 };

/* The length of the longest common subsequence, by the textbook. */
static unsigned common_length(const uint32_t *a, uint32_t a_count, const uint32_t *b,
                              uint32_t b_count) {
    unsigned table[SIZE_MAX_TRIED + 1][SIZE_MAX_TRIED + 1] = {0};
    for (uint32_t i = 1; i <= a_count; i++) {
        for (uint32_t j = 1; j <= b_count; j++) {
            unsigned longer = table[i - 1][j] > table[i][j - 1] ? table[i - 1][j] : table[i][j - 1];
            table[i][j] = a[i - 1] == b[j - 1] ? table[i - 1][j - 1] + 1 : longer;
        }
    }
    return table[a_count][b_count];
}

static uint32_t random_list(const struct entropy *entropy, uint32_t *list) {
    uint32_t count = (uint32_t)(entropy_u64(entropy) % (SIZE_MAX_TRIED + 1));
    uint64_t alphabet = 1 + entropy_u64(entropy) % 8;
    for (uint32_t i = 0; i < count; i++)
        list[i] = (uint32_t)(entropy_u64(entropy) % alphabet);
    return count;
}

/* Partners are equal, rise, and are as many as can be. */
static void as_much_is_shared_as_can_be(void **state) {
    (void)state;
    unsigned long long first = entropy_u64(entropy_system());
    print_message("%d seeds from %llu\n", ROUNDS, first);
    for (unsigned long long i = 0; i < ROUNDS; i++) {
        struct entropy_seeded seeded;
        entropy_seeded_init(&seeded, first + i);
        uint32_t a[SIZE_MAX_TRIED];
        uint32_t b[SIZE_MAX_TRIED];
        uint32_t match[SIZE_MAX_TRIED];
        uint32_t a_count = random_list(&seeded.entropy, a);
        uint32_t b_count = random_list(&seeded.entropy, b);
        uint64_t steps = 0;
        assert_int_equal(
            myers_match(&test_arena, a, a_count, b, b_count, match, &steps, UINT64_MAX), STET_OK);
        unsigned shared = 0;
        uint32_t next = 0;
        for (uint32_t j = 0; j < a_count; j++) {
            if (match[j] == MYERS_NONE) continue;
            if (match[j] < next || match[j] >= b_count || a[j] != b[match[j]])
                fail_msg("seed %llu: element %u", first + i, j);
            next = match[j] + 1;
            shared++;
        }
        if (shared != common_length(a, a_count, b, b_count))
            fail_msg("seed %llu: %u shared", first + i, shared);
        arena_reset(&test_arena);
    }
}

static void the_bound_is_kept(void **state) {
    (void)state;
    uint32_t a[1000];
    uint32_t b[1000];
    uint32_t match[1000];
    for (uint32_t i = 0; i < 1000; i++) {
        a[i] = 2 * i;
        b[i] = 2 * i + 1;
    }
    uint64_t steps = 5;
    assert_int_equal(myers_match(&test_arena, a, 1000, b, 1000, match, &steps, 1000),
                     STET_TOO_LARGE);
    assert_in_range(steps, 1001, 1100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(as_much_is_shared_as_can_be),
        ARENA_TEST(the_bound_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
