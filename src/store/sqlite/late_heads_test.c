/*
 * Heads that are written late: what waits, what was written and what only the changes tell must look the same to everybody, at any
 * moment. Each test keeps its own idea of the heads, computed before the store hears of a change.
 */
#include "store/driver.h"
#include "store/sqlite/internal.h"
#include "store/testkit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RECORDS = 7, LATE_MAX = 3, READERS = 6 };

/* The heads of all records, as they should be. */
struct model {
    struct store_head heads[RECORDS];
};

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

/* Syncs only where they are watched. */
static struct store *open_at(const char *file, const char *vfs) {
    const struct store_options options = {.driver = "sqlite",
                                          .path = file,
                                          .vfs = vfs,
                                          .synchronous = vfs == NULL ? "OFF" : "FULL",
                                          .late_heads_max = LATE_MAX};
    return kit_open(&options);
}

static uint64_t next_random(uint64_t *random) {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static const char *id_of(size_t record) {
    static const char *const ids[RECORDS] = {"a", "b", "c", "d", "e", "f", "g"};
    return ids[record];
}

/* One to four changes of random records: creations, updates, deletions, children. */
static void stage_some(struct kit_batch *kit, struct store *store, struct model *model,
                       uint64_t *random) {
    size_t count = 1 + next_random(random) % 4;
    kit_begin(kit, store);
    for (size_t i = 0; i < count; i++) {
        /* Uneven, so that some change in every batch and some hardly ever. */
        size_t at = (next_random(random) % RECORDS) * (next_random(random) % RECORDS) / RECORDS;
        struct store_head *head = &model->heads[at];
        bool exists = head->version != 0 && !head->deleted;
        bool remove = exists && head->parent == 0 && at != 0 && next_random(random) % 5 == 0;
        uint64_t parent = head->parent;
        if (head->version == 0 && at == RECORDS - 1) parent = model->heads[0].first;
        if (parent != 0) {
            kit_child(kit, exists ? STORE_UPDATE : STORE_CREATE, VIEW("task"), view_of(id_of(at)),
                      VIEW("{\"child\":1}"), VIEW("task/a"), parent);
            if (!exists)
                kit_link(kit, parent, kit->after[kit->batch.change_count - 1].first, false);
        } else {
            kit_change(kit,
                       remove   ? STORE_DELETE
                       : exists ? STORE_UPDATE
                                : STORE_CREATE,
                       VIEW("task"), view_of(id_of(at)), VIEW("{\"data\":1}"));
        }
        *head = kit->after[kit->batch.change_count - 1];
    }
}

static void commit_some(struct store *store, struct model *model, uint64_t *random) {
    struct kit_batch kit;
    stage_some(&kit, store, model, random);
    kit_must_commit(&kit);
}

static void check_head(const struct store_head *found, const struct store_head *expected) {
    assert_int_equal(found->version, expected->version);
    if (expected->version == 0) return;
    assert_int_equal(found->seq, expected->seq);
    assert_int_equal(found->first, expected->first);
    assert_int_equal(found->hash, expected->hash);
    assert_int_equal(found->ordinal, expected->ordinal);
    assert_int_equal(found->parent, expected->parent);
    assert_int_equal(found->deleted, expected->deleted);
    assert_int_equal(found->forked, expected->forked);
    size_t spine = (size_t)__builtin_popcountll(expected->ordinal);
    assert_memory_equal(found->spine, expected->spine, spine * sizeof found->spine[0]);
}

/* By name, by number, and in a list. */
static void check_heads(struct store_reader *reader, const struct model *model) {
    struct store_row rows[RECORDS + 1];
    struct arena arena;
    size_t count = 0, expected = 0;
    arena_init(&arena, 4096);
    for (size_t i = 0; i < RECORDS; i++) {
        struct store_head head = kit_head(reader, "task", id_of(i));
        check_head(&head, &model->heads[i]);
        uint64_t number = model->heads[i].first;
        if (model->heads[i].version == 0) continue;
        /* store_records_of would end the snapshot. */
        must(store_sqlite_driver.head_of(reader, number, &head, err));
        check_head(&head, &model->heads[i]);
    }
    must(store_scan(reader, &arena, VIEW("task"), VIEW(""), RECORDS + 1, rows, &count, err));
    for (size_t i = 0; i < RECORDS; i++) {
        if (model->heads[i].version == 0) continue;
        assert_true(expected < count);
        check_head(&rows[expected++].head, &model->heads[i]);
    }
    assert_int_equal(count, expected);
    arena_done(&arena);
}

static int64_t ask(const char *file, const char *sql) {
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

/* ---- Tests -------------------------------------------------------------------------------------------------------- */

static void heads_wait_and_are_written_in_rounds(void **state) {
    (void)state;
    struct store *store = open_at(path, NULL);
    kit_put(store, "task", "a", "{}");
    kit_put(store, "task", "b", "{}");
    assert_int_equal(ask(path, "SELECT count(*) FROM head"), 0);
    kit_put(store, "task", "c", "{}");
    for (int i = 0; i < 3; i++)
        kit_put(store, "task", "d", "{}");
    assert_int_equal(ask(path, "SELECT count(*) FROM head"), 3);
    assert_int_equal(ask(path, "SELECT heads_seq FROM clock"), 3);
    /* One record that changes all the time is written now and then. */
    for (int i = 0; i < 40; i++)
        kit_put(store, "task", "d", "{}");
    assert_true(ask(path, "SELECT heads_seq FROM clock") > 30);
    assert_true(ask(path, "SELECT version FROM head WHERE record = 4") > 30);
    store_close(store);
    assert_int_equal(ask(path, "SELECT heads_seq FROM clock"), 46);
    assert_int_equal(ask(path, "SELECT version FROM head WHERE record = 4"), 43);
}

static void what_waits_is_bounded(void **state) {
    (void)state;
    struct store *store = open_at(path, NULL);
    struct late_heads *late = &((struct sqlite_store *)store)->late;
    for (int i = 0; i < 400; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        kit_put(store, "task", id, "{}");
        assert_true(late->count <= 6 * LATE_MAX);
        assert_true(late->kept - late->written <= 6 * LATE_MAX);
        assert_true(late->kept - late->forgotten <= 10 * LATE_MAX);
    }
    kit_must_check(store_writer_reader(store));
    store_close(store);
}

/* Readers that began at different commits, some long ago, each see the heads of theirs while everything goes on. */
static void a_snapshot_keeps_its_heads(void **state) {
    (void)state;
    struct model now = {0}, seen[READERS];
    struct store_reader *readers[READERS];
    const char *given = getenv("STET_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) | 1,
             random = seed;
    unsigned left[READERS] = {0};
    struct store *store = open_at(path, NULL);
    print_message("# STET_SEED=%llu\n", (unsigned long long)seed);
    for (int i = 0; i < READERS; i++)
        must(store_reader_open(store, &readers[i], err));
    kit_put(store, "task", "a", "{\"data\":1}");
    now.heads[0] = kit_head(store_writer_reader(store), "task", "a");
    for (int step = 0; step < 1500; step++) {
        for (int i = 0; i < READERS; i++) {
            if (left[i]-- > 0) {
                if (next_random(&random) % 3 == 0) check_heads(readers[i], &seen[i]);
                continue;
            }
            store_sqlite_driver.snapshot_end(readers[i]);
            check_heads(readers[i], &now);
            must(store_sqlite_driver.snapshot_begin(readers[i], err));
            /* The snapshot is taken by the first look. */
            struct store_state clock;
            must(store_sqlite_driver.clock(readers[i], &clock, err));
            seen[i] = now;
            left[i] = (unsigned)(next_random(&random) % (i == 0 ? 100 : 12));
        }
        commit_some(store, &now, &random);
        check_heads(store_writer_reader(store), &now);
    }
    for (int i = 0; i < READERS; i++) {
        store_sqlite_driver.snapshot_end(readers[i]);
        kit_must_check(readers[i]);
        store_reader_close(readers[i]);
    }
    store_close(store);
}

/* A stop after any number of changes: what waited is found from the changes. Also in a copy by VACUUM INTO. */
static void a_stop_loses_no_head(void **state) {
    (void)state;
    struct model model = {0};
    uint64_t random = 88172645463325252u;
    char copy[96], vacuumed[96], sql[512];
    struct store *store = open_at(path, NULL);
    snprintf(copy, sizeof copy, "%s/copy", folder);
    snprintf(vacuumed, sizeof vacuumed, "%s/vacuumed", folder);
    kit_put(store, "task", "a", "{\"data\":1}");
    model.heads[0] = kit_head(store_writer_reader(store), "task", "a");
    for (int step = 0; step < 40; step++) {
        struct model after = model;
        snprintf(sql, sizeof sql, "cp %s %s; cp %s-wal %s-wal", path, copy, path, copy);
        assert_int_equal(system(sql), 0);
        snprintf(sql, sizeof sql, "VACUUM INTO '%s'", vacuumed);
        sqlite3 *db;
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        const char *files[] = {copy, vacuumed};
        for (int i = 0; i < 2; i++) {
            struct store *opened = open_at(files[i], NULL);
            after = model;
            check_heads(store_writer_reader(opened), &after);
            kit_must_check(store_writer_reader(opened));
            uint64_t luck = random;
            for (int more = 0; more < step % 7; more++)
                commit_some(opened, &after, &luck);
            check_heads(store_writer_reader(opened), &after);
            store_close(opened);
            assert_int_equal(ask(files[i], "SELECT heads_seq = seq FROM clock"), 1);
            opened = open_at(files[i], NULL);
            check_heads(store_writer_reader(opened), &after);
            store_close(opened);
            snprintf(sql, sizeof sql, "rm %s*", files[i]);
            assert_int_equal(system(sql), 0);
        }
        commit_some(store, &model, &random);
    }
    store_close(store);
}

/* ---- In the middle of a commit: SQLite's own VFS, with a look at the store in each sync of the log -------------------- */

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *base;
    sqlite3_io_methods methods;
    int (*read)(sqlite3_file *file, void *bytes, int size, sqlite3_int64 at);
    struct store_reader *reader; /* NULL: no look. */
    const struct model *before;
    unsigned looks;
    bool fail;
    bool fail_reads;
} middle;

static int sync_in_the_middle(sqlite3_file *file, int flags) {
    (void)file, (void)flags;
    if (middle.reader == NULL) return SQLITE_OK;
    check_heads(middle.reader, middle.before);
    middle.looks++;
    return middle.fail ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int read_in_the_middle(sqlite3_file *file, void *bytes, int size, sqlite3_int64 at) {
    return middle.fail_reads ? SQLITE_IOERR_READ : middle.read(file, bytes, size, at);
}

static int middle_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                       int *out_flags) {
    (void)vfs;
    int result = middle.base->xOpen(middle.base, name, file, flags, out_flags);
    if (result != SQLITE_OK || !(flags & SQLITE_OPEN_WAL)) return result;
    middle.methods = *file->pMethods;
    middle.methods.xSync = sync_in_the_middle;
    middle.read = file->pMethods->xRead;
    middle.methods.xRead = read_in_the_middle;
    file->pMethods = &middle.methods;
    return result;
}

static int setup_middle(void **state) {
    middle.base = sqlite3_vfs_find(NULL);
    middle.vfs = *middle.base;
    middle.vfs.zName = "middle";
    middle.vfs.xOpen = middle_open;
    sqlite3_vfs_register(&middle.vfs, 0);
    return setup(state);
}

static int teardown_middle(void **state) {
    sqlite3_vfs_unregister(&middle.vfs);
    memset(&middle, 0, sizeof middle);
    return teardown(state);
}

static void nobody_sees_a_head_before_its_commit(void **state) {
    (void)state;
    struct model now = {0}, before;
    struct kit_batch kit;
    uint64_t random = 1234567;
    stet_error err;
    struct store *store = open_at(path, "middle");
    struct store_reader *reader;
    must(store_reader_open(store, &reader, err));
    kit_put(store, "task", "a", "{\"data\":1}");
    now.heads[0] = kit_head(store_writer_reader(store), "task", "a");
    for (int step = 0; step < 60; step++) {
        before = now;
        middle.before = &before;
        middle.reader = reader;
        commit_some(store, &now, &random);
        middle.reader = NULL;
        check_heads(reader, &now);
    }
    assert_true(middle.looks >= 60);
    /* Nor when the commit fails. */
    before = now;
    stage_some(&kit, store, &now, &random);
    middle.reader = reader;
    middle.fail = true;
    assert_int_equal(kit_commit(&kit, &err), STET_COMMIT_UNKNOWN);
    middle.reader = NULL;
    check_heads(reader, &before);
    check_heads(store_writer_reader(store), &before);
    store_reader_close(reader);
    store_close(store);
}

/* A failed read ends SQLite's transaction: what the reader knew of it must not outlive that, or its next snapshot would show old
   heads. */
static void a_failed_read_ends_what_the_snapshot_knew(void **state) {
    (void)state;
    struct store *store = open_at(path, "middle");
    struct store_reader *reader;
    struct store_change changes[8];
    struct store_head head;
    struct arena arena;
    size_t count;
    stet_error err;
    arena_init(&arena, 4096);
    must(store_reader_open(store, &reader, err));
    kit_put(store, "task", "a", "{}");
    must(store_sqlite_driver.snapshot_begin(reader, err));
    /* Between the beginning and the first look: the reader has to ask what it sees. */
    kit_put(store, "task", "a", "{}");
    head = kit_head(reader, "task", "a");
    assert_int_equal(head.version, 2);
    middle.fail_reads = true;
    assert_int_equal(store_since(reader, &arena, 0, 8, SIZE_MAX, changes, &count, &err), STET_IO);
    middle.fail_reads = false;
    kit_put(store, "task", "a", "{}");
    store_sqlite_driver.snapshot_end(reader);
    must(store_sqlite_driver.snapshot_begin(reader, err));
    head = kit_head(reader, "task", "a");
    assert_int_equal(head.version, 3);
    kit_put(store, "task", "a", "{}");
    head = kit_head(reader, "task", "a");
    assert_int_equal(head.version, 3);
    store_sqlite_driver.snapshot_end(reader);
    head = kit_head(reader, "task", "a");
    assert_int_equal(head.version, 4);
    arena_done(&arena);
    store_reader_close(reader);
    store_close(store);
}

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

struct watching {
    struct store *store;
    atomic_bool stop;
    atomic_uint failures;
    atomic_uint looks;
};

/* Versions of the records move together, two by two: each commit changes both. Whoever sees one without the other fails. */
static void *watch(void *context) {
    struct watching *watching = context;
    struct store_reader *reader;
    stet_error err;
    if (store_reader_open(watching->store, &reader, &err) != STET_OK) {
        atomic_fetch_add(&watching->failures, 1);
        return NULL;
    }
    uint64_t last = 0;
    while (!atomic_load(&watching->stop)) {
        struct store_head left, right;
        bool right_order = store_sqlite_driver.snapshot_begin(reader, &err) == STET_OK &&
                           store_head(reader, VIEW("pair"), VIEW("left"), &left, &err) == STET_OK &&
                           store_head(reader, VIEW("pair"), VIEW("right"), &right, &err) == STET_OK;
        if (!right_order || left.version != right.version || left.version < last)
            atomic_fetch_add(&watching->failures, 1);
        last = left.version;
        store_sqlite_driver.snapshot_end(reader);
        atomic_fetch_add(&watching->looks, 1);
    }
    store_reader_close(reader);
    return NULL;
}

static void commits_are_seen_whole_by_other_threads(void **state) {
    (void)state;
    struct watching watching = {.store = open_at(path, NULL)};
    pthread_t threads[2];
    struct kit_batch kit;
    /* A type's name is known to readers only after its first commit: one that looks then may find the second record, but not the first. */
    kit_put(watching.store, "pair", "other", "{}");
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, watch, &watching), 0);
    for (int i = 0; i < 400 || atomic_load(&watching.looks) < 400; i++) {
        kit_begin(&kit, watching.store);
        kit_change(&kit, STORE_UPDATE, VIEW("pair"), VIEW("left"), VIEW("{}"));
        kit_change(&kit, STORE_UPDATE, VIEW("pair"), VIEW("right"), VIEW("{}"));
        kit_must_commit(&kit);
        store_maintain(watching.store);
    }
    atomic_store(&watching.stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&watching.failures), 0);
    store_close(watching.store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(heads_wait_and_are_written_in_rounds, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_keeps_its_heads, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stop_loses_no_head, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_sees_a_head_before_its_commit, setup_middle,
                                        teardown_middle),
        cmocka_unit_test_setup_teardown(a_failed_read_ends_what_the_snapshot_knew, setup_middle,
                                        teardown_middle),
        cmocka_unit_test_setup_teardown(commits_are_seen_whole_by_other_threads, setup, teardown),
    };
    return cmocka_run_group_tests_name("late_heads", tests, NULL, NULL);
}
