/*
 * The engine on a disk that fails: every answer stays true, the engine lives, and it works again when the disk does.
 */
#include "bench.h"

#include "base/view.h"
#include "store/testkit.h"

#include <string.h>

enum { STEPS = 12 };

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

static void reopen(struct bench *bench) {
    for (int attempt = 0; bench_open(bench) != STET_OK; attempt++)
        assert_true(attempt < 3);
}

static void must_audit(struct bench *bench, uint64_t nth) {
    const char *wrong = bench_audit(bench);
    if (wrong != NULL) fail_msg("call %llu: %s", (unsigned long long)nth, wrong);
}

/* After a commit of unknown outcome: every write is refused and says why, reads go on; only a new opening helps. */
static void check_halted(struct bench *bench) {
    assert_int_equal(bench_put(bench, 0, 10), STET_UNAVAILABLE);
    assert_non_null(strstr(bench->last_message, "takes no writes until"));
    bench_close(bench);
    reopen(bench);
}

struct tally {
    unsigned failures, unknown;
};

/* The whole workload while one call fails. False: the workload makes fewer calls than that. */
static bool run_with_fault(uint64_t nth, enum fault_mode mode, struct tally *tally) {
    struct bench bench;
    bench_init(&bench, folder, NULL, 7);
    fault_fail(bench.disk, nth, mode);
    reopen(&bench);
    for (int step = 0; step < STEPS; step++) {
        if (bench_step(&bench)) continue;
        tally->failures++;
        if (bench.last_failure == STET_COMMIT_UNKNOWN) {
            tally->unknown++;
            check_halted(&bench);
        }
        assert_true(bench_step(&bench));
    }
    bool happened = fault_happened(bench.disk);
    fault_fail(bench.disk, 0, mode);
    must_audit(&bench, nth);
    bench_close(&bench);
    assert_int_equal(bench_open(&bench), STET_OK);
    must_audit(&bench, nth);
    assert_true(bench_step(&bench));
    assert_false(bench.answered_unsynced);
    bench_close(&bench);
    bench_done(&bench);
    return happened;
}

static void fail_each_call(enum fault_mode mode) {
    struct tally tally = {0};
    uint64_t nth = 1;
    while (run_with_fault(nth, mode, &tally))
        nth++;
    print_message(
        "%llu calls failed in turn: %u batches refused, %u of them with an open outcome\n",
        (unsigned long long)nth - 1, tally.failures, tally.unknown);
    assert_true(nth > 50);
    assert_true(tally.failures > tally.unknown);
    assert_true(tally.unknown > 0);
}

static void every_write_sync_and_truncation_may_fail_once(void **state) {
    (void)state;
    fail_each_call(FAULT_IO);
}

static void every_write_may_stop_half_way_once(void **state) {
    (void)state;
    fail_each_call(FAULT_TORN);
}

static void a_full_disk_refuses_writes_until_there_is_room(void **state) {
    (void)state;
    struct bench bench;
    bench_init(&bench, folder, NULL, 7);
    reopen(&bench);
    assert_int_equal(bench_put(&bench, 1, 100), STET_OK);
    fault_quota(bench.disk, fault_used(bench.disk) + 50000);
    stet_status status = STET_OK;
    for (int i = 0; i < 100 && status == STET_OK; i++)
        status = bench_put(&bench, 2, 3000);
    assert_int_equal(status, STET_NO_SPACE);
    assert_int_equal(stet_status_http(status), 507);
    assert_int_equal(bench_put(&bench, 3, 60000), STET_NO_SPACE);
    must_audit(&bench, 0);
    fault_quota(bench.disk, 0);
    assert_int_equal(bench_put(&bench, 3, 60000), STET_OK);
    assert_true(bench_step(&bench));
    must_audit(&bench, 0);
    bench_close(&bench);
    bench_done(&bench);
}

static void a_read_only_disk_refuses_writes_until_it_is_not(void **state) {
    (void)state;
    struct bench bench;
    bench_init(&bench, folder, NULL, 7);
    reopen(&bench);
    assert_int_equal(bench_put(&bench, 1, 100), STET_OK);
    fault_read_only(bench.disk, true);
    assert_int_equal(bench_put(&bench, 1, 100), STET_IO);
    assert_int_equal(bench_put(&bench, 1, 100), STET_IO);
    must_audit(&bench, 0);
    fault_read_only(bench.disk, false);
    assert_int_equal(bench_put(&bench, 1, 100), STET_OK);
    must_audit(&bench, 0);
    bench_close(&bench);
    bench_done(&bench);
}

static void no_answer_leaves_before_the_sync(void **state) {
    (void)state;
    struct bench bench;
    bench_init(&bench, folder, NULL, 7);
    reopen(&bench);
    for (int step = 0; step < STEPS; step++)
        assert_true(bench_step(&bench));
    assert_int_equal(bench.answers_watched, STEPS);
    assert_false(bench.answered_unsynced);
    bench_close(&bench);
    bench_done(&bench);
}

static void without_syncs_answers_leave_early_and_this_test_sees_it(void **state) {
    (void)state;
    struct bench bench;
    bench_init(&bench, folder, "OFF", 7);
    reopen(&bench);
    assert_true(bench_step(&bench));
    assert_true(bench.answered_unsynced);
    bench_close(&bench);
    bench_done(&bench);
}

#define ON_A_DISK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_A_DISK(every_write_sync_and_truncation_may_fail_once),
        ON_A_DISK(every_write_may_stop_half_way_once),
        ON_A_DISK(a_full_disk_refuses_writes_until_there_is_room),
        ON_A_DISK(a_read_only_disk_refuses_writes_until_it_is_not),
        ON_A_DISK(no_answer_leaves_before_the_sync),
        ON_A_DISK(without_syncs_answers_leave_early_and_this_test_sees_it),
    };
    return cmocka_run_group_tests_name("engine_faults", tests, NULL, NULL);
}
