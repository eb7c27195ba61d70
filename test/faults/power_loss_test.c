/*
 * The power goes at random points of a workload; unsynced writes are kept, dropped or torn. After reopening, every acknowledged write
 * is there, none is there in part, and no refusal has become a lie. Prints the seed; STET_SEED repeats it, STET_SOAK=1 does
 * thousands.
 */
#include "bench.h"

#include "store/testkit.h"

#include <stdlib.h>

enum { STEPS = 12, CALLS_MAX = 120 };

static char folder[64];

static int setup(void **state) {
    (void)state;
    kit_folder(folder);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_remove(folder);
    return 0;
}

/* One life that ends in the dark, and the look at what is left. NULL: all is well. */
static const char *lose_power(const char *synchronous, uint64_t seed) {
    struct bench bench;
    struct entropy_seeded random;
    entropy_seeded_init(&random, seed);
    bench_init(&bench, folder, synchronous, seed);
    bench.cuts_power = true;
    fault_cut_power(bench.disk, entropy_u64(&random.entropy) % CALLS_MAX + 1);
    bool open = bench_open(&bench) == STET_OK;
    for (int step = 0; open && step < STEPS && !fault_happened(bench.disk); step++)
        bench_step(&bench);
    bool unsynced = bench.answered_unsynced;
    if (open) bench_close(&bench);
    fault_restore_power(bench.disk, seed);
    bench.cuts_power = bench.power_gone = false;
    const char *wrong = NULL;
    if (bench_open(&bench) != STET_OK) {
        wrong = "the space does not open";
    } else {
        wrong = bench_audit(&bench);
        if (wrong == NULL && !bench_step(&bench)) wrong = "the space takes no writes";
        if (wrong == NULL) wrong = bench_audit(&bench);
        if (wrong == NULL && synchronous == NULL && unsynced)
            wrong = "an answer left before a sync";
        bench_close(&bench);
    }
    bench_done(&bench);
    return wrong;
}

static unsigned lose_power_often(const char *synchronous, unsigned times, bool report) {
    uint64_t seed = bench_seed();
    unsigned failed = 0;
    for (unsigned i = 0; i < times; i++) {
        const char *wrong = lose_power(synchronous, seed + i);
        if (wrong == NULL) continue;
        failed++;
        if (report) print_error("STET_SEED=%llu: %s\n", (unsigned long long)(seed + i), wrong);
    }
    print_message("seed %llu: power lost %u times, synchronous=%s: %u audits failed\n",
                  (unsigned long long)seed, times, synchronous == NULL ? "FULL" : synchronous,
                  failed);
    return failed;
}

static void no_acknowledged_write_is_lost_with_the_power(void **state) {
    (void)state;
    assert_int_equal(lose_power_often(NULL, getenv("STET_SOAK") != NULL ? 5000 : 300, true), 0);
}

static void without_syncs_writes_are_lost_and_this_test_sees_it(void **state) {
    (void)state;
    assert_true(lose_power_often("OFF", 60, false) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_acknowledged_write_is_lost_with_the_power, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_syncs_writes_are_lost_and_this_test_sees_it, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("power_loss", tests, NULL, NULL);
}
