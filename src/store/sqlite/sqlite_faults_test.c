/*
 * What the driver does when the disk does not: every write, sync and truncation fails once in turn; the power goes at every
 * one of them; the disk is full or read-only. After each the store is audited: what was acknowledged is there, what was not is
 * whole or absent, and nothing else is.
 */
#include "store/sqlite/fault_vfs.h"
#include "store/testkit.h"

#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCHES = 14, RECORDS = 5 };

static const char vfs_name[] = "fault";

struct run {
    struct fault_disk *disk;
    const char *path;
    const char *synchronous;
    struct store *store;
    uint64_t acknowledged; /* Batches. */
    bool may_have_next;    /* The outcome of the batch after those is unknown. */
    bool answered_unsynced;
    char refusal[600]; /* Why a batch was refused the last time. */
};

/* Batch n has n % 4 + 1 changes: seqs up to and including it. */
static uint64_t seqs_through(uint64_t batches) {
    uint64_t seqs = 0;
    for (uint64_t n = 0; n < batches; n++)
        seqs += n % 4 + 1;
    return seqs;
}

static void data_of(uint64_t seq, char data[1200]) {
    int size = snprintf(data, 64, "{\"seq\":%llu,\"fill\":\"", (unsigned long long)seq);
    memset(data + size, 'a' + (int)(seq % 26), 1000);
    strcpy(data + size + 1000, "\"}");
}

static stet_status open_store(struct run *run) {
    stet_error err;
    const struct store_options options = {.driver = "sqlite",
                                          .path = run->path,
                                          .vfs = vfs_name,
                                          .synchronous = run->synchronous,
                                          .writer_cache_bytes = 32 * 1024,
                                          .wal_restart_bytes = 40000,
                                          .late_heads_max = 3};
    return store_open(&options, &run->store, &err);
}

static stet_status commit_batch(struct run *run, uint64_t batch) {
    struct kit_batch kit;
    stet_error err;
    kit_begin(&kit, run->store);
    for (uint64_t i = 0; i <= batch % 4; i++) {
        char id[24], data[1200];
        uint64_t seq = seqs_through(batch) + 1 + i;
        snprintf(id, sizeof id, "%llu", (unsigned long long)(seq * 7 % RECORDS));
        data_of(seq, data);
        kit_change(&kit, STORE_UPDATE, batch % 5 == 3 ? VIEW("note") : VIEW("task"), view_of(id),
                   view_of(data));
        kit_key(&kit, seq, VIEW("user"), VIEW("r"));
    }
    kit.batch.rotate_keys = batch == 9;
    stet_status status = kit_commit(&kit, &err);
    if (status != STET_OK)
        snprintf(run->refusal, sizeof run->refusal, "%s (%s)", err.message, err.cause);
    return status;
}

/* Opens the store and commits the rest of the batches. A failure that says nothing happened is tried again; one that leaves the
   outcome open ends the run. */
static void work(struct run *run) {
    for (int attempts = 0; open_store(run) != STET_OK; attempts++) {
        snprintf(run->refusal, sizeof run->refusal, "it does not open");
        if (attempts == 3) return;
    }
    for (int failures = 0; run->acknowledged < BATCHES && failures < 3;) {
        stet_status status = commit_batch(run, run->acknowledged);
        if (status == STET_OK) {
            run->acknowledged++;
            if (fault_unsynced(run->disk, "-wal") != 0) run->answered_unsynced = true;
            store_maintain(run->store);
            continue;
        }
        failures++;
        if (status == STET_COMMIT_UNKNOWN) {
            run->may_have_next = true;
            break;
        }
        assert_int_equal(store_state(run->store)->seq, seqs_through(run->acknowledged));
    }
    store_close(run->store);
    run->store = NULL;
}

static void count_finding(void *context, const char *finding) { (void)context, (void)finding; }

/* Compares what a reopened store holds with what was acknowledged. Returns what is wrong with it, NULL if nothing. */
static const char *audit(struct run *run) {
    struct arena arena;
    struct store_change change;
    struct store_key key;
    const char *wrong = NULL;
    uint64_t findings = 0;
    stet_error err;
    if (open_store(run) != STET_OK) return "the store does not open";
    struct store_reader *reader = store_writer_reader(run->store);
    uint64_t seq = store_state(run->store)->seq;
    arena_init(&arena, 4096);
    if (seq < seqs_through(run->acknowledged)) wrong = "an acknowledged batch is gone";
    if (seq > seqs_through(run->acknowledged) &&
        (!run->may_have_next || seq != seqs_through(run->acknowledged + 1))) {
        wrong = "a batch is there that should not be, or in part";
    }
    for (uint64_t at = 1; wrong == NULL && at <= seq; at++) {
        char data[1200];
        uint8_t key_bytes[STORE_KEY_BYTES] = {0};
        data_of(at, data);
        arena_reset(&arena);
        if (store_change_at(reader, &arena, at, &change, &err) != STET_OK ||
            !view_equal(change.data, view_of(data))) {
            wrong = "a change is missing or differs";
        }
        for (int i = 0; i < 8; i++)
            key_bytes[i] = (uint8_t)(at >> (56 - 8 * i));
        if (store_key_find(reader, &arena, key_bytes, VIEW("user"), &key, &err) != STET_OK)
            wrong = "a key is missing";
    }
    if (wrong == NULL &&
        (store_check(reader, count_finding, NULL, &findings, &err) != STET_OK || findings > 0)) {
        wrong = "the check has findings";
    }
    arena_done(&arena);
    store_close(run->store);
    run->store = NULL;
    return wrong;
}

static char folder[64], path[80];

static int group_setup(void **state) {
    (void)state;
    kit_folder(folder);
    snprintf(path, sizeof path, "%s/main", folder);
    return 0;
}

static int group_teardown(void **state) {
    (void)state;
    kit_remove(folder);
    return 0;
}

static struct run run_create(const char *synchronous) {
    struct run run = {
        .disk = fault_disk_create(vfs_name), .path = path, .synchronous = synchronous};
    assert_non_null(run.disk);
    return run;
}

static void every_call_fails_once(enum fault_mode mode) {
    uint64_t nth = 0;
    bool happened = true;
    unsigned unknown = 0;
    for (nth = 1; happened; nth++) {
        struct run run = run_create(NULL);
        fault_fail(run.disk, nth, mode);
        work(&run);
        happened = fault_happened(run.disk);
        fault_fail(run.disk, 0, mode);
        const char *wrong = audit(&run);
        if (wrong != NULL) fail_msg("call %llu: %s", (unsigned long long)nth, wrong);
        if (run.may_have_next) unknown++;
        assert_false(run.answered_unsynced);
        if (!run.may_have_next && run.acknowledged != BATCHES) {
            fail_msg("call %llu: the store goes no further than batch %llu: %s",
                     (unsigned long long)nth, (unsigned long long)run.acknowledged, run.refusal);
        }
        fault_disk_destroy(run.disk);
    }
    print_message("# %llu calls failed in turn, %u left the outcome open\n",
                  (unsigned long long)nth - 2, unknown);
    assert_true(nth > 100);
    assert_true(unknown > 0);
}

static void every_write_sync_and_truncation_may_fail(void **state) {
    (void)state;
    every_call_fails_once(FAULT_IO);
}

static void every_write_may_stop_half_way(void **state) {
    (void)state;
    every_call_fails_once(FAULT_TORN);
}

/* Cuts the power at each call in turn, `rounds` times with different luck. Returns how many audits failed. */
static unsigned cut_everywhere(const char *synchronous, unsigned rounds, uint64_t seed,
                               bool report) {
    unsigned failed = 0;
    uint64_t cuts = 0;
    for (unsigned round = 0; round < rounds; round++) {
        bool happened = true;
        for (uint64_t nth = 1; happened; nth++) {
            struct run run = run_create(synchronous);
            fault_cut_power(run.disk, nth);
            work(&run);
            happened = fault_happened(run.disk);
            /* What the power took in mid-commit may be whole or absent, whatever the driver could say about it. */
            run.may_have_next = run.acknowledged < BATCHES;
            fault_restore_power(run.disk, seed + round * 100000 + nth);
            const char *wrong = audit(&run);
            if (wrong != NULL && report) {
                print_error("seed %llu, round %u, call %llu: %s\n", (unsigned long long)seed, round,
                            (unsigned long long)nth, wrong);
            }
            if (wrong != NULL) failed++;
            cuts++;
            fault_disk_destroy(run.disk);
        }
    }
    print_message("# seed %llu: power cut %llu times, synchronous=%s, %u audits failed\n",
                  (unsigned long long)seed, (unsigned long long)cuts,
                  synchronous == NULL ? "FULL" : synchronous, failed);
    return failed;
}

static uint64_t seed_of_run(void) {
    const char *seed = getenv("STET_SEED");
    return seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
}

static void power_may_go_at_any_call(void **state) {
    (void)state;
    assert_int_equal(
        cut_everywhere(NULL, getenv("STET_SOAK") != NULL ? 100 : 3, seed_of_run(), true), 0);
}

static void without_syncs_power_loss_loses_commits(void **state) {
    (void)state;
    assert_true(cut_everywhere("OFF", 1, seed_of_run(), false) > 0);
}

static void no_answer_leaves_before_a_sync(void **state) {
    (void)state;
    struct run run = run_create(NULL);
    work(&run);
    assert_int_equal(run.acknowledged, BATCHES);
    assert_false(run.answered_unsynced);
    fault_disk_destroy(run.disk);
    run = run_create("OFF");
    work(&run);
    assert_true(run.answered_unsynced);
    fault_disk_destroy(run.disk);
}

static void after_a_failed_sync_nothing_more_is_written(void **state) {
    (void)state;
    struct run run = run_create(NULL);
    assert_int_equal(open_store(&run), STET_OK);
    assert_int_equal(commit_batch(&run, run.acknowledged++), STET_OK);
    /* The copier takes some of the failures; a commit has fewer than ten calls. */
    for (uint64_t nth = 1; !run.may_have_next; nth = nth % 10 + 1) {
        fault_fail(run.disk, nth, FAULT_IO);
        stet_status status = commit_batch(&run, run.acknowledged);
        if (status == STET_OK) run.acknowledged++;
        if (status == STET_COMMIT_UNKNOWN) run.may_have_next = true;
    }
    fault_fail(run.disk, 0, FAULT_IO);
    assert_int_equal(commit_batch(&run, run.acknowledged), STET_COMMIT_UNKNOWN);
    assert_int_equal(store_meta_put(run.store, VIEW("x"), VIEW("y"), NULL), STET_COMMIT_UNKNOWN);
    struct store_head head;
    must(store_head(store_writer_reader(run.store), VIEW("task"), VIEW("1"), &head, err));
    store_close(run.store);
    assert_null(audit(&run));
    assert_int_equal(open_store(&run), STET_OK);
    assert_true(!store_state(run.store)->recovered);
    store_close(run.store);
    fault_disk_destroy(run.disk);
}

static void a_full_disk_stops_writes_until_there_is_room(void **state) {
    (void)state;
    struct run run = run_create(NULL);
    stet_error err;
    assert_int_equal(open_store(&run), STET_OK);
    fault_quota(run.disk, fault_used(run.disk) + 60000);
    stet_status status = STET_OK;
    while (status == STET_OK) {
        status = commit_batch(&run, run.acknowledged);
        if (status == STET_OK) run.acknowledged++;
        store_maintain(run.store);
    }
    assert_int_equal(status, STET_NO_SPACE);
    /* The log may have been copied back meanwhile; then it starts over and there is a little room. */
    status = commit_batch(&run, run.acknowledged);
    if (status == STET_OK) {
        run.acknowledged++;
    } else {
        assert_int_equal(status, STET_NO_SPACE);
    }
    assert_int_equal(store_state(run.store)->seq, seqs_through(run.acknowledged));
    struct kit_batch kit;
    kit_begin(&kit, run.store);
    char *big = malloc(200000);
    memset(big, 'x', 200000);
    kit_change(&kit, STORE_CREATE, VIEW("big"), VIEW("1"), view_make(big, 200000));
    free(big);
    assert_int_equal(kit_commit(&kit, &err), STET_NO_SPACE);
    assert_non_null(strstr(err.message, "full"));
    fault_quota(run.disk, 0);
    while (run.acknowledged < BATCHES)
        assert_int_equal(commit_batch(&run, run.acknowledged++), STET_OK);
    store_close(run.store);
    assert_null(audit(&run));
    fault_disk_destroy(run.disk);
}

static void a_read_only_disk_is_named(void **state) {
    (void)state;
    struct run run = run_create(NULL);
    struct kit_batch kit;
    stet_error err;
    assert_int_equal(open_store(&run), STET_OK);
    assert_int_equal(commit_batch(&run, run.acknowledged++), STET_OK);
    fault_read_only(run.disk, true);
    kit_begin(&kit, run.store);
    kit_change(&kit, STORE_CREATE, VIEW("task"), VIEW("x"), VIEW("{}"));
    assert_int_equal(kit_commit(&kit, &err), STET_IO);
    assert_non_null(strstr(err.message, "read-only"));
    fault_read_only(run.disk, false);
    assert_int_equal(commit_batch(&run, run.acknowledged++), STET_OK);
    store_close(run.store);
    assert_null(audit(&run));
    fault_disk_destroy(run.disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_write_sync_and_truncation_may_fail),
        cmocka_unit_test(every_write_may_stop_half_way),
        cmocka_unit_test(power_may_go_at_any_call),
        cmocka_unit_test(without_syncs_power_loss_loses_commits),
        cmocka_unit_test(no_answer_leaves_before_a_sync),
        cmocka_unit_test(after_a_failed_sync_nothing_more_is_written),
        cmocka_unit_test(a_full_disk_stops_writes_until_there_is_room),
        cmocka_unit_test(a_read_only_disk_is_named),
    };
    return cmocka_run_group_tests_name("sqlite_faults", tests, group_setup, group_teardown);
}
