/*
 * Copying the log back while commits and reads go on. The log is made to start over as often as possible, so that
 * checkpoints and restarts of the log meet: with the WAL-reset bug and without the rule of checkpoint.c, commits get lost
 * here. synchronous=OFF, for speed: the bug is in the log's index, not on the disk. STET_SOAK=1: ten times as many commits.
 */
#include "store/testkit.h"

#include "base/arena.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS = 64 };

static char folder[64], path[80];

static int setup(void **state) {
    (void)state;
    kit_folder(folder);
    snprintf(path, sizeof path, "%s/main", folder);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_remove(folder);
    return 0;
}

static struct store *open_restless(void) {
    /* Restarts every few commits. */
    const struct store_options options = {
        .driver = "sqlite", .path = path, .synchronous = "OFF", .wal_restart_bytes = 30000};
    return kit_open(&options);
}

static void commit_one(struct store *store, uint64_t number) {
    struct kit_batch kit;
    char id[24], data[48];
    snprintf(id, sizeof id, "%llu", (unsigned long long)(number % RECORDS));
    snprintf(data, sizeof data, "{\"n\":%llu}", (unsigned long long)number);
    kit_begin(&kit, store);
    kit_change(&kit, STORE_UPDATE, VIEW("task"), view_of(id), view_of(data));
    kit_must_commit(&kit);
}

static void audit(struct store *store, uint64_t count) {
    struct arena arena;
    struct store_change change;
    arena_init(&arena, 1024);
    assert_int_equal(store_state(store)->seq, count);
    for (uint64_t seq = 1; seq <= count; seq++) {
        char data[48];
        snprintf(data, sizeof data, "{\"n\":%llu}", (unsigned long long)(seq - 1));
        arena_reset(&arena);
        must(store_change_at(store_writer_reader(store), &arena, seq, &change, err));
        assert_true(view_equal(change.data, view_of(data)));
    }
    arena_done(&arena);
    kit_must_check(store_writer_reader(store));
}

static void no_commit_is_lost_between_checkpoints(void **state) {
    (void)state;
    const uint64_t commits = getenv("STET_SOAK") != NULL ? 1000000 : 100000;
    struct store_usage usage;
    struct store *store = open_restless();
    for (uint64_t i = 0; i < commits; i++) {
        commit_one(store, i);
        store_maintain(store);
    }
    store_usage(store, &usage);
    print_message("# %llu commits, %llu checkpoints, log %llu bytes\n", (unsigned long long)commits,
                  (unsigned long long)usage.checkpoints, (unsigned long long)usage.log_bytes);
    assert_true(usage.checkpoints > commits / 100);
    assert_true(usage.log_bytes < 1000000);
    audit(store, commits);
    store_close(store);
    store = open_restless();
    audit(store, commits);
    store_close(store);
}

struct reading {
    struct store *store;
    atomic_bool stop;
    atomic_uint_fast64_t committed;
    atomic_uint failures;
};

static void *read_on(void *context) {
    struct reading *reading = context;
    struct store_reader *reader;
    struct store_change changes[32];
    struct arena arena;
    stet_error err;
    if (store_reader_open(reading->store, &reader, &err) != STET_OK) {
        atomic_fetch_add(&reading->failures, 1);
        return NULL;
    }
    arena_init(&arena, 4096);
    while (!atomic_load(&reading->stop)) {
        size_t count = 0;
        uint64_t committed = atomic_load(&reading->committed);
        uint64_t after = committed > 16 ? committed - 16 : 0;
        stet_status status = store_since(reader, &arena, after, 32, 1 << 20, changes, &count, &err);
        bool good = status == STET_OK && after + count >= committed;
        for (size_t i = 0; good && i < count; i++)
            good = changes[i].seq == after + 1 + i;
        if (!good) atomic_fetch_add(&reading->failures, 1);
        arena_reset(&arena);
    }
    arena_done(&arena);
    store_reader_close(reader);
    return NULL;
}

static void readers_writer_and_checkpoints_get_along(void **state) {
    (void)state;
    enum { READERS = 2, COMMITS = 5000 };
    struct reading reading = {.store = open_restless()};
    pthread_t threads[READERS];
    struct store_usage usage;
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &reading), 0);
    for (uint64_t i = 0; i < COMMITS; i++) {
        commit_one(reading.store, i);
        atomic_store(&reading.committed, i + 1);
        store_maintain(reading.store);
    }
    atomic_store(&reading.stop, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    store_usage(reading.store, &usage);
    assert_int_equal(atomic_load(&reading.failures), 0);
    assert_true(usage.checkpoints > 10);
    audit(reading.store, COMMITS);
    store_close(reading.store);
}

static void many_stores_share_one_thread(void **state) {
    (void)state;
    enum { STORES = 8 };
    struct store *stores[STORES];
    char paths[STORES][96];
    for (int i = 0; i < STORES; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%d", folder, i);
        const struct store_options options = {
            .driver = "sqlite", .path = paths[i], .synchronous = "OFF", .wal_restart_bytes = 30000};
        stores[i] = kit_open(&options);
    }
    for (uint64_t n = 0; n < 200; n++) {
        for (int i = 0; i < STORES; i++) {
            commit_one(stores[i], n);
            store_maintain(stores[i]);
        }
        if (n == 100) {
            store_close(stores[0]);
            const struct store_options options = {
                .driver = "sqlite", .path = paths[0], .synchronous = "OFF"};
            stores[0] = kit_open(&options);
        }
    }
    for (int i = 0; i < STORES; i++) {
        audit(stores[i], 200);
        store_close(stores[i]);
    }
}

static void an_old_sqlite_is_warned_of(void **state) {
    (void)state;
    struct store *store = open_restless();
    assert_int_equal(store_advice(store)[0] == '\0', sqlite3_libversion_number() >= 3051003);
    store_close(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_commit_is_lost_between_checkpoints, setup, teardown),
        cmocka_unit_test_setup_teardown(readers_writer_and_checkpoints_get_along, setup, teardown),
        cmocka_unit_test_setup_teardown(many_stores_share_one_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_sqlite_is_warned_of, setup, teardown),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
