/*
 * Copying the log back while commits and reads go on. The log is made to start over as often as possible, so that
 * checkpoints and restarts of the log meet; but the window of the WAL-reset bug is some nanoseconds wide, and without the rule
 * of checkpoint.c millions of checkpoints passed it by. So one test puts a commit into that window by schedule (without the
 * rule the file is damaged at once), and one asserts the rule. synchronous=OFF, for speed: the bug is in the log's index,
 * not on the disk. STET_SOAK=1: ten times as many commits.
 */
#include "store/sqlite/internal.h"
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

/* Under a sanitizer, which is a check of another kind, a commit takes ten times as long. */
static uint64_t commits_of_a_run(void) {
    const char *sanitizer = getenv("STET_SANITIZER");
    if (getenv("STET_SOAK") != NULL) return 1000000;
    return sanitizer != NULL && sanitizer[0] != '\0' ? 10000 : 100000;
}

static void no_commit_is_lost_between_checkpoints(void **state) {
    (void)state;
    const uint64_t commits = commits_of_a_run();
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

struct copying {
    struct store *store;
    atomic_bool stop;
};

static void *copy_on(void *context) {
    struct copying *copying = context;
    while (!atomic_load(&copying->stop))
        checkpoint_copy((struct sqlite_store *)copying->store);
    return NULL;
}

/* The background thread, as it were, without a pause: the log is fully copied, and starts over, at nearly every commit. */
static void no_commit_is_lost_while_copying_without_pause(void **state) {
    (void)state;
    const uint64_t commits = commits_of_a_run();
    struct copying copying = {.store = open_restless()};
    struct store_usage usage;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, copy_on, &copying), 0);
    for (uint64_t i = 0; i < commits; i++)
        commit_one(copying.store, i);
    atomic_store(&copying.stop, true);
    pthread_join(thread, NULL);
    store_usage(copying.store, &usage);
    print_message("# %llu commits, %llu checkpoints, log %llu bytes\n", (unsigned long long)commits,
                  (unsigned long long)usage.checkpoints, (unsigned long long)usage.log_bytes);
    audit(copying.store, commits);
    store_close(copying.store);
}

static uint64_t checkpoints_of(struct store *store) {
    struct store_usage usage;
    store_usage(store, &usage);
    return usage.checkpoints;
}

/* The rule itself, whatever the luck of the schedule. */
static void a_fully_copied_log_is_left_alone_until_a_commit(void **state) {
    (void)state;
    const struct store_options options = {.driver = "sqlite", .path = path, .synchronous = "OFF"};
    struct store *store = kit_open(&options);
    struct sqlite_store *sqlite = (struct sqlite_store *)store;
    for (uint64_t i = 0; i < 5; i++) {
        commit_one(store, i);
        store_maintain(store);
        uint64_t before = checkpoints_of(store);
        checkpoint_copy(sqlite);
        assert_int_equal(checkpoints_of(store), before + 1);
        checkpoint_copy(sqlite);
        must(checkpoint_truncate(sqlite, err));
        assert_int_equal(checkpoints_of(store), before + 1);
    }
    /* What a reader still looks at is not copied in full: trying again is safe, and needed. */
    struct store_reader *reader;
    must(store_reader_open(store, &reader, err));
    must(store->driver->snapshot_begin(reader, err));
    struct store_state seen;
    must(store->driver->clock(reader, &seen, err));
    commit_one(store, 5);
    uint64_t before = checkpoints_of(store);
    checkpoint_copy(sqlite);
    checkpoint_copy(sqlite);
    assert_int_equal(checkpoints_of(store), before + 2);
    store->driver->snapshot_end(reader);
    store_reader_close(reader);
    store_close(store);
}

/*
 * The bug by schedule. A checkpoint that finds the log's header changed calls xUnfetch after reading it and before
 * it looks at how much is copied: the one place at which a commit of another connection can be put where it does harm. The
 * VFS is SQLite's own with that call replaced.
 */
static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *base;
    sqlite3_io_methods methods;
    struct store *store; /* Whose next commit happens in xUnfetch; NULL: none. */
    uint64_t number;     /* Of that commit. */
} schedule;

static int commit_in_between(sqlite3_file *file, sqlite3_int64 at, void *page) {
    (void)file, (void)at, (void)page;
    struct store *store = schedule.store;
    schedule.store = NULL;
    if (store != NULL) commit_one(store, schedule.number);
    return SQLITE_OK;
}

static int schedule_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                         int *out_flags) {
    (void)vfs;
    int result = schedule.base->xOpen(schedule.base, name, file, flags, out_flags);
    if (result != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB)) return result;
    schedule.methods = *file->pMethods;
    assert_true(schedule.methods.iVersion >= 3);
    schedule.methods.xUnfetch = commit_in_between;
    file->pMethods = &schedule.methods;
    return result;
}

static void a_commit_inside_a_checkpoint_is_not_lost(void **state) {
    (void)state;
    enum { ROUNDS = 20, COMMITS = 10 };
    schedule.base = sqlite3_vfs_find(NULL);
    schedule.vfs = *schedule.base;
    schedule.vfs.zName = "schedule";
    schedule.vfs.xOpen = schedule_open;
    sqlite3_vfs_register(&schedule.vfs, 0);
    const struct store_options options = {
        .driver = "sqlite", .path = path, .vfs = "schedule", .synchronous = "OFF"};
    struct store *store = kit_open(&options);
    struct sqlite_store *sqlite = (struct sqlite_store *)store;
    uint64_t number = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < COMMITS; i++)
            commit_one(store, number++);
        sqlite->checkpoint.finish_at_frames = 0; /* The writer copies everything… */
        store_maintain(store);
        schedule.number = number;
        schedule.store = store;
        checkpoint_copy(sqlite); /* …and here the rule says that nothing may start. */
        if (schedule.store != NULL) commit_in_between(NULL, 0, NULL);
        number++;
        checkpoint_copy(sqlite);
    }
    audit(store, number);
    store_close(store);
    store = kit_open(&options);
    audit(store, number);
    store_close(store);
    sqlite3_vfs_unregister(&schedule.vfs);
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
        cmocka_unit_test_setup_teardown(no_commit_is_lost_while_copying_without_pause, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_fully_copied_log_is_left_alone_until_a_commit, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_commit_inside_a_checkpoint_is_not_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(readers_writer_and_checkpoints_get_along, setup, teardown),
        cmocka_unit_test_setup_teardown(many_stores_share_one_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_sqlite_is_warned_of, setup, teardown),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
