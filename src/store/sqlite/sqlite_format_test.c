/* The file itself: older and newer formats, strangers, a second opener, an unclean stop, damage; and the folder's lock. */
#include "store/lock.h"
#include "store/testkit.h"

#include "base/arena.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

static struct store *open_main(void) {
    const struct store_options options = {.driver = "sqlite", .path = path};
    return kit_open(&options);
}

static stet_status try_open(stet_error *err) {
    const struct store_options options = {.driver = "sqlite", .path = path};
    struct store *store = NULL;
    stet_status status = store_open(&options, &store, err);
    store_close(store);
    return status;
}

static void run_sql(const char *sql) {
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

/* A store as format 0 had it: one record with two versions, and a key. */
static const char format_0[] =
    "CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, stamp "
    "INTEGER NOT NULL,"
    " keys_rotated_at INTEGER NOT NULL, keys_current INTEGER NOT NULL);"
    "CREATE TABLE type (type INTEGER PRIMARY KEY, name TEXT NOT NULL, live INTEGER NOT NULL, "
    "floor_seq INTEGER NOT NULL);"
    "CREATE TABLE record (type INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, seq "
    "INTEGER NOT NULL,"
    " first INTEGER, flags INTEGER, hash INTEGER NOT NULL, spine BLOB, PRIMARY KEY (type, id)) "
    "WITHOUT ROWID;"
    "CREATE TABLE change (seq INTEGER PRIMARY KEY, txn INTEGER, stamp INTEGER NOT NULL, type "
    "INTEGER NOT NULL,"
    " version INTEGER NOT NULL, base INTEGER, first INTEGER, prev INTEGER, skip INTEGER, op "
    "INTEGER NOT NULL,"
    " id TEXT NOT NULL, actor TEXT, key TEXT, source TEXT, merge TEXT, data TEXT);"
    "CREATE TABLE key_0 (key BLOB NOT NULL, actor TEXT NOT NULL, request BLOB NOT NULL, result "
    "BLOB,"
    " PRIMARY KEY (key, actor)) WITHOUT ROWID;"
    "CREATE TABLE key_1 (key BLOB NOT NULL, actor TEXT NOT NULL, request BLOB NOT NULL, result "
    "BLOB,"
    " PRIMARY KEY (key, actor)) WITHOUT ROWID;"
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "INSERT INTO clock VALUES (1, 2, 2000, 0, 0);"
    "INSERT INTO type VALUES (1, 'task', 1, 0);"
    "INSERT INTO record VALUES (1, 'a', 2, 2, 1, NULL, 7, NULL);"
    "INSERT INTO change VALUES (1, NULL, 1000, 1, 1, NULL, NULL, NULL, NULL, 1, 'a', 'bob', NULL, "
    "NULL, NULL, '{\"n\":1}');"
    "INSERT INTO change VALUES (2, NULL, 2000, 1, 2, NULL, 1, 1, NULL, 2, 'a', 'bob', NULL, NULL, "
    "NULL, '{\"n\":2}');"
    "INSERT INTO meta VALUES ('store.format', '0'), ('secret', 'kept');";

static void format_0_is_brought_forward(void **state) {
    (void)state;
    struct store_change change;
    struct arena arena;
    stet_view value;
    run_sql(format_0);
    struct store *store = open_main();
    struct store_reader *reader = store_writer_reader(store);
    arena_init(&arena, 1024);
    assert_int_equal(store_state(store)->seq, 2);
    struct store_head head = kit_head(reader, "task", "a");
    assert_int_equal(head.version, 2);
    assert_int_equal(head.ordinal, 2);
    assert_int_equal(kit_put(store, "task", "a", "{\"n\":3}"), 3);
    must(store_change_at(reader, &arena, 1, &change, err));
    assert_true(view_equal(change.data, VIEW("{\"n\":1}")));
    must(store_meta_get(reader, &arena, VIEW("secret"), &value, err));
    assert_true(view_equal(value, VIEW("kept")));
    kit_must_check(reader);
    arena_done(&arena);
    store_close(store);
    store = open_main();
    assert_int_equal(store_state(store)->seq, 3);
    store_close(store);
}

/* A store as format 1 had it: one record with two versions, one of which was imported, and a deleted one. */
static const char format_1[] =
    "CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, stamp "
    "INTEGER NOT NULL,"
    " keys_rotated_at INTEGER NOT NULL, keys_current INTEGER NOT NULL);"
    "CREATE TABLE type (type INTEGER PRIMARY KEY, name TEXT NOT NULL, live INTEGER NOT NULL,"
    " floor_seq INTEGER NOT NULL);"
    "CREATE TABLE record (type INTEGER NOT NULL, id TEXT NOT NULL, record INTEGER NOT NULL,"
    " PRIMARY KEY (type, id)) WITHOUT ROWID;"
    "CREATE TABLE head (record INTEGER PRIMARY KEY, version INTEGER, seq INTEGER, flags INTEGER,"
    " hash INTEGER, ordinal INTEGER, spine BLOB);"
    "CREATE TABLE change (seq INTEGER PRIMARY KEY, txn INTEGER, stamp INTEGER NOT NULL, type "
    "INTEGER NOT NULL,"
    " version INTEGER NOT NULL, base INTEGER, first INTEGER, prev INTEGER, skip INTEGER, ordinal "
    "INTEGER,"
    " op INTEGER NOT NULL, id TEXT NOT NULL, actor TEXT, key TEXT, source TEXT, merge TEXT, origin "
    "TEXT, data TEXT);"
    "CREATE TABLE key_0 (key BLOB NOT NULL, actor TEXT NOT NULL, request BLOB NOT NULL, result "
    "BLOB,"
    " PRIMARY KEY (key, actor)) WITHOUT ROWID;"
    "CREATE TABLE key_1 (key BLOB NOT NULL, actor TEXT NOT NULL, request BLOB NOT NULL, result "
    "BLOB,"
    " PRIMARY KEY (key, actor)) WITHOUT ROWID;"
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "INSERT INTO clock VALUES (1, 4, 4000, 0, 0);"
    "INSERT INTO type VALUES (1, 'task', 1, 0);"
    "INSERT INTO record VALUES (1, 'a', 1), (1, 'b', 2);"
    "INSERT INTO head VALUES (1, 10, 3, NULL, 7, 2, NULL), (2, 2, 4, 1, 0, NULL, NULL);"
    "INSERT INTO change VALUES (1, NULL, 1000, 1, 9, NULL, NULL, NULL, NULL, 1, 1, 'a', 'bob', "
    "NULL, 'import', NULL, '{\"created_by\":\"ann\"}', '{\"n\":1}');"
    "INSERT INTO change VALUES (2, NULL, 2000, 1, 1, NULL, NULL, NULL, NULL, NULL, 1, 'b', 'bob', "
    "NULL, NULL, NULL, NULL, '{}');"
    "INSERT INTO change VALUES (3, NULL, 3000, 1, 10, NULL, 1, 1, NULL, 2, 2, 'a', 'bob', NULL, "
    "NULL, NULL, NULL, '{\"n\":2}');"
    "INSERT INTO change VALUES (4, NULL, 4000, 1, 2, NULL, 2, 2, NULL, NULL, 3, 'b', 'bob', NULL, "
    "NULL, NULL, NULL, '{}');"
    "INSERT INTO meta VALUES ('store.format', '1');";

static void format_1_is_brought_forward(void **state) {
    (void)state;
    struct store_change change;
    struct kit_batch kit;
    struct arena arena;
    run_sql(format_1);
    struct store *store = open_main();
    struct store_reader *reader = store_writer_reader(store);
    arena_init(&arena, 1024);
    kit_must_check(reader);
    struct store_head head = kit_head(reader, "task", "a");
    assert_int_equal(head.version, 10);
    assert_int_equal(head.parent, 0);
    kit_begin(&kit, store);
    kit_child(&kit, STORE_CREATE, VIEW("task"), VIEW("c"), VIEW("{}"), VIEW("task/a"), head.first);
    kit_link(&kit, head.first, 5, false);
    kit_must_commit(&kit);
    must(store_change_at(reader, &arena, 3, &change, err));
    assert_true(view_equal(change.data, VIEW("{\"n\":2}")));
    assert_int_equal(change.parent.size, 0);
    must(store_change_at(reader, &arena, 5, &change, err));
    assert_true(view_equal(change.parent, VIEW("task/a")));
    kit_must_check(reader);
    arena_done(&arena);
    store_close(store);
    store = open_main();
    assert_int_equal(kit_head(store_writer_reader(store), "task", "c").parent, head.first);
    store_close(store);
}

/* A store as format 2 had it: a record with two versions, and its child; each head with its change. */
static const char format_2[] =
    "CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, stamp "
    "INTEGER NOT NULL,"
    " keys_rotated_at INTEGER NOT NULL, keys_current INTEGER NOT NULL);"
    "CREATE TABLE type (type INTEGER PRIMARY KEY, name TEXT NOT NULL, live INTEGER NOT NULL,"
    " floor_seq INTEGER NOT NULL);"
    "CREATE TABLE record (type INTEGER NOT NULL, id TEXT NOT NULL, record INTEGER NOT NULL,"
    " PRIMARY KEY (type, id)) WITHOUT ROWID;"
    "CREATE TABLE head (record INTEGER PRIMARY KEY, version INTEGER, seq INTEGER, flags INTEGER,"
    " hash INTEGER, ordinal INTEGER, spine BLOB, parent INTEGER);"
    "CREATE TABLE entry (idx INTEGER NOT NULL, key BLOB NOT NULL, record INTEGER NOT NULL,"
    " PRIMARY KEY (idx, key, record)) WITHOUT ROWID;"
    "CREATE TABLE change (seq INTEGER PRIMARY KEY, txn INTEGER, stamp INTEGER NOT NULL, type "
    "INTEGER NOT NULL,"
    " version INTEGER NOT NULL, base INTEGER, first INTEGER, prev INTEGER, skip INTEGER, ordinal "
    "INTEGER,"
    " op INTEGER NOT NULL, id TEXT NOT NULL, actor TEXT, key TEXT, source TEXT, merge TEXT, origin "
    "TEXT, parent TEXT, forked_from TEXT, data TEXT);"
    "CREATE TABLE key_0 (key BLOB NOT NULL, actor TEXT NOT NULL, request BLOB NOT NULL, result "
    "BLOB,"
    " PRIMARY KEY (key, actor)) WITHOUT ROWID;"
    "CREATE TABLE key_1 (key BLOB NOT NULL, actor TEXT NOT NULL, request BLOB NOT NULL, result "
    "BLOB,"
    " PRIMARY KEY (key, actor)) WITHOUT ROWID;"
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "INSERT INTO clock VALUES (1, 3, 3000, 0, 0);"
    "INSERT INTO type VALUES (1, 'task', 2, 0);"
    "INSERT INTO record VALUES (1, 'a', 1), (1, 'b', 2);"
    "INSERT INTO head VALUES (1, 2, 3, NULL, 7, NULL, NULL, NULL), (2, 1, 2, NULL, 8, NULL, NULL, "
    "1);"
    "INSERT INTO entry VALUES (0, x'0000000000000001', 2);"
    "INSERT INTO change VALUES (1, NULL, 1000, 1, 1, NULL, NULL, NULL, NULL, NULL, 1, 'a', 'bob', "
    "NULL, NULL, NULL, NULL, NULL, NULL, '{\"n\":1}');"
    "INSERT INTO change VALUES (2, NULL, 2000, 1, 1, NULL, NULL, NULL, NULL, NULL, 1, 'b', 'bob', "
    "NULL, NULL, NULL, NULL, 'task/a', NULL, '{}');"
    "INSERT INTO change VALUES (3, NULL, 3000, 1, 2, NULL, 1, 1, NULL, NULL, 2, 'a', 'bob', NULL, "
    "NULL, NULL, NULL, NULL, NULL, '{\"n\":2}');"
    "INSERT INTO meta VALUES ('store.format', '2');";

static void format_2_is_brought_forward(void **state) {
    (void)state;
    struct store_change change;
    struct arena arena;
    run_sql(format_2);
    struct store *store = open_main();
    struct store_reader *reader = store_writer_reader(store);
    arena_init(&arena, 1024);
    kit_must_check(reader);
    assert_int_equal(kit_head(reader, "task", "a").hash, 7);
    assert_int_equal(kit_head(reader, "task", "b").parent, 1);
    assert_int_equal(kit_put(store, "task", "a", "{\"n\":3}"), 3);
    must(store_change_at(reader, &arena, 3, &change, err));
    assert_true(view_equal(change.data, VIEW("{\"n\":2}")));
    must(store_change_at(reader, &arena, 4, &change, err));
    assert_true(view_equal(change.data, VIEW("{\"n\":3}")));
    kit_must_check(reader);
    arena_done(&arena);
    store_close(store);
    store = open_main();
    assert_int_equal(kit_head(store_writer_reader(store), "task", "a").version, 3);
    kit_must_check(store_writer_reader(store));
    store_close(store);
}

static void a_newer_format_is_refused_untouched(void **state) {
    (void)state;
    stet_error err;
    store_close(open_main());
    run_sql("UPDATE meta SET value = '99' WHERE name = 'store.format'");
    assert_int_equal(try_open(&err), STET_FORMAT);
    assert_non_null(strstr(err.message, "99"));
    run_sql("UPDATE meta SET value = '3' WHERE name = 'store.format'");
    store_close(open_main());
}

static void other_files_are_refused(void **state) {
    (void)state;
    stet_error err;
    run_sql("CREATE TABLE stranger (x)");
    assert_int_equal(try_open(&err), STET_CORRUPT);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 5000; i++)
        fputs("not a database ", file);
    fclose(file);
    assert_int_equal(try_open(&err), STET_CORRUPT);
}

static void a_second_opener_is_told_who_has_it(void **state) {
    (void)state;
    stet_error err;
    char pid[24];
    struct store *store = open_main();
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    assert_int_equal(try_open(&err), STET_BUSY);
    assert_non_null(strstr(err.message, pid));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(try_open(&err) == STET_BUSY ? 0 : 1);
    int status = 1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(kit_put(store, "task", "1", "{}"), 1);
    store_close(store);
    assert_int_equal(try_open(&err), STET_OK);
}

static void what_a_killed_process_committed_is_recovered(void **state) {
    (void)state;
    char log[96];
    struct stat info;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *store = open_main();
        for (int i = 0; i < 50; i++)
            kit_put(store, "task", "1", "{\"text\":\"before the kill\"}");
        _exit(0);
    }
    waitpid(child, NULL, 0);
    snprintf(log, sizeof log, "%s-wal", path);
    assert_int_equal(stat(log, &info), 0);
    assert_true(info.st_size > 0);
    struct store *store = open_main();
    assert_true(store_state(store)->recovered);
    assert_int_equal(stat(log, &info), 0);
    assert_int_equal(info.st_size, 0);
    assert_int_equal(store_state(store)->seq, 50);
    assert_int_equal(kit_head(store_writer_reader(store), "task", "1").version, 50);
    kit_must_check(store_writer_reader(store));
    store_close(store);
    assert_int_equal(stat(log, &info), -1);
    store = open_main();
    assert_false(store_state(store)->recovered);
    store_close(store);
}

/* Each damage to the store as it stands, one after the other, must be found. */
static void must_find_each(const char *const *damage, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t findings = 0;
        char keep[256];
        snprintf(keep, sizeof keep, "cp %s %s.good", path, path);
        assert_int_equal(system(keep), 0);
        run_sql(damage[i]);
        struct store *store = open_main();
        must(store_check(store_writer_reader(store), NULL, NULL, &findings, err));
        store_close(store);
        if (findings == 0) fail_msg("not found: %s", damage[i]);
        snprintf(keep, sizeof keep, "mv %s.good %s", path, path);
        assert_int_equal(system(keep), 0);
    }
}

static void the_check_finds_what_was_damaged(void **state) {
    (void)state;
    static const char *const damage[] = {
        "UPDATE change SET prev = 1 WHERE seq = 5",
        "UPDATE change SET version = 9 WHERE seq = 4",
        "DELETE FROM change WHERE seq = 3",
        "UPDATE head SET seq = 4 WHERE record = 1",
        "DELETE FROM head WHERE record = 1",
        "UPDATE head SET record = 9 WHERE record = 1",
        "UPDATE head SET hash = hash + 1 WHERE record = 1",
        "INSERT INTO head (record, version, seq, hash) VALUES (4, 1, 4, 0)",
        "UPDATE type SET live = 5",
        "UPDATE change SET stamp = 1 WHERE seq = 4",
        "UPDATE change SET txn = 9 WHERE seq = 5",
        "UPDATE clock SET seq = 7",
        "DELETE FROM record WHERE id = 'b'",
    };
    struct store *store = open_main();
    for (int i = 0; i < 3; i++) {
        kit_put(store, "task", "a", "{}");
        kit_put(store, "task", "b", "{}");
    }
    kit_must_check(store_writer_reader(store));
    store_close(store);
    must_find_each(damage, sizeof damage / sizeof damage[0]);
}

static void the_check_finds_damaged_trees_and_indexes(void **state) {
    (void)state;
    static const char *const damage[] = {
        "UPDATE head SET parent = NULL WHERE record = 2",
        "UPDATE head SET parent = 9 WHERE record = 2",
        "UPDATE change SET parent = NULL WHERE seq = 2",
        "DELETE FROM entry WHERE idx = 0",
        "INSERT INTO entry VALUES (0, x'0000000000000001', 1)",
        "INSERT INTO entry VALUES (1, x'00000000000000010000000000000001', 77)",
        "INSERT INTO entry VALUES (20, x'61', 3)", /* A change, but no record. */
        "INSERT INTO entry VALUES (20, x'61', 4)", /* Deleted. */
        "UPDATE change SET data = NULL, op = op + 16 WHERE seq = 3",
        "UPDATE type SET floor_seq = 0",
    };
    struct kit_batch kit;
    struct store *store = open_main();
    kit_put(store, "task", "a", "{}");
    kit_begin(&kit, store);
    kit_child(&kit, STORE_CREATE, VIEW("task"), VIEW("b"), VIEW("{}"), VIEW("task/a"), 1);
    kit_link(&kit, 1, 2, false);
    kit_entry(&kit, 20, VIEW("key"), 2, false);
    kit_must_commit(&kit);
    kit_put(store, "task", "a", "{}");
    kit_put(store, "task", "c", "{}");
    kit_delete(store, "task", "c");
    kit_begin(&kit, store);
    kit_prune(&kit, 1, VIEW("task"));
    kit_must_commit(&kit);
    kit_must_check(store_writer_reader(store));
    store_close(store);
    must_find_each(damage, sizeof damage / sizeof damage[0]);
}

static void files_are_private(void **state) {
    (void)state;
    static const char *const suffixes[] = {"", "-wal", "-lock"};
    struct store *store = open_main();
    kit_put(store, "task", "1", "{}");
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char name[96];
        struct stat info;
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        assert_int_equal(stat(name, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
    }
    store_close(store);
}

static void a_folder_that_is_not_there_is_an_io_error(void **state) {
    (void)state;
    const struct store_options options = {.driver = "sqlite", .path = "/nonexistent/stet/main"};
    struct store *store = NULL;
    stet_error err;
    assert_int_equal(store_open(&options, &store, &err), STET_IO);
}

static void the_folder_lock_names_its_owner(void **state) {
    (void)state;
    struct dirlock *lock, *second;
    struct arena arena;
    struct stat info;
    stet_error err;
    stet_view url, token;
    int64_t pid = 0;
    char data[96], file[128];
    snprintf(data, sizeof data, "%s/data", folder);
    snprintf(file, sizeof file, "%s/stet.lock", data);
    arena_init(&arena, 1024);
    assert_int_equal(dirlock_read(data, &arena, &pid, &url, &token, &err), STET_NOT_FOUND);
    must(dirlock_acquire(data, &lock, err));
    assert_int_equal(stat(data, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(stat(file, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    must(dirlock_read(data, &arena, &pid, &url, &token, err));
    assert_int_equal(pid, getpid());
    assert_int_equal(url.size, 0);
    must(dirlock_announce(lock, VIEW("http://127.0.0.1:7838"), VIEW("secret-token"), err));
    assert_int_equal(dirlock_announce(lock, VIEW("a\"b"), VIEW(""), &err), STET_MISUSE);
    must(dirlock_read(data, &arena, &pid, &url, &token, err));
    assert_true(view_equal(url, VIEW("http://127.0.0.1:7838")));
    assert_true(view_equal(token, VIEW("secret-token")));
    assert_int_equal(dirlock_acquire(data, &second, &err), STET_BUSY);
    assert_non_null(strstr(err.message, "http://127.0.0.1:7838"));
    dirlock_release(lock);
    assert_int_equal(dirlock_read(data, &arena, &pid, &url, &token, &err), STET_NOT_FOUND);
    must(dirlock_acquire(data, &lock, err));
    dirlock_release(lock);
    unlink(file);
    rmdir(data);
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(format_0_is_brought_forward, setup, teardown),
        cmocka_unit_test_setup_teardown(format_1_is_brought_forward, setup, teardown),
        cmocka_unit_test_setup_teardown(format_2_is_brought_forward, setup, teardown),
        cmocka_unit_test_setup_teardown(a_newer_format_is_refused_untouched, setup, teardown),
        cmocka_unit_test_setup_teardown(other_files_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_opener_is_told_who_has_it, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_killed_process_committed_is_recovered, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_check_finds_what_was_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(the_check_finds_damaged_trees_and_indexes, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_private, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_is_not_there_is_an_io_error, setup, teardown),
        cmocka_unit_test_setup_teardown(the_folder_lock_names_its_owner, setup, teardown),
    };
    return cmocka_run_group_tests_name("sqlite_format", tests, NULL, NULL);
}
