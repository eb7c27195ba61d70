/* Copies of a store, and a store that begins anew. */
#include "store/testkit.h"

#include "base/arena.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[64];
    char path[96];
    char copy[96];
    struct store *store;
};

static int setup(void **state) {
    static struct fixture fixture;
    fixture = (struct fixture){0};
    kit_folder(fixture.folder);
    snprintf(fixture.path, sizeof fixture.path, "%s/main.db", fixture.folder);
    snprintf(fixture.copy, sizeof fixture.copy, "%s/copy.db", fixture.folder);
    const struct store_options options = {.driver = "sqlite", .path = fixture.path};
    fixture.store = kit_open(&options);
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    store_close(fixture->store);
    kit_remove(fixture->folder);
    return 0;
}

static struct store *open_copy(const struct fixture *fixture) {
    const struct store_options options = {.driver = "sqlite", .path = fixture->copy};
    return kit_open(&options);
}

static void check_sound(struct store *store) {
    struct store_reader *reader;
    must(store_reader_open(store, &reader, err));
    kit_must_check(reader);
    store_reader_close(reader);
}

static void a_copy_is_the_store_as_it_was(void **state) {
    struct fixture *f = *state;
    struct store_census census;
    struct stat info;
    kit_put(f->store, "task", "a", "{\"n\":1}");
    kit_put(f->store, "task", "a", "{\"n\":2}");
    kit_put(f->store, "task", "b", "{\"n\":3}");
    kit_delete(f->store, "task", "b");
    kit_put(f->store, "task", "c", "{\"n\":4}");
    must(store_backup(f->store, f->copy, NULL, NULL, err));
    kit_put(f->store, "task", "d", "{\"n\":5}");
    must(store_file_census(f->copy, &census, err));
    assert_int_equal(census.seq, 5);
    assert_int_equal(census.changes, 5);
    assert_int_equal(census.records, 3);
    assert_int_equal(census.live, 2);
    assert_int_equal(stat(f->copy, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);

    struct store *copy = open_copy(f);
    assert_int_equal(store_state(copy)->seq, 5);
    assert_false(store_state(copy)->recovered);
    assert_int_equal(kit_head(store_writer_reader(copy), "task", "a").version, 2);
    assert_int_equal(kit_head(store_writer_reader(copy), "task", "d").version, 0);
    check_sound(copy);
    assert_int_equal(kit_put(copy, "task", "a", "{\"n\":6}"), 3);
    store_close(copy);
}

static void reading_a_copy_leaves_nothing_beside_it(void **state) {
    struct fixture *f = *state;
    struct store_census census;
    struct arena arena;
    stet_view value;
    char beside[128];
    kit_put(f->store, "task", "a", "{}");
    must(store_meta_put(f->store, VIEW("secret"), VIEW("s3"), err));
    must(store_backup(f->store, f->copy, NULL, NULL, err));
    must(store_file_census(f->copy, &census, err));
    arena_init(&arena, 256);
    must(store_file_meta(f->copy, VIEW("secret"), &arena, &value, err));
    assert_int_equal(value.size, 2);
    assert_int_equal(store_file_meta(f->copy, VIEW("none"), &arena, &value, NULL), STET_NOT_FOUND);
    arena_done(&arena);
    static const char *const suffixes[] = {"-wal", "-shm", "-journal", "-lock"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(beside, sizeof beside, "%s%s", f->copy, suffixes[i]);
        assert_int_not_equal(access(beside, F_OK), 0);
    }
}

static stet_status collect(void *context, stet_view id, stet_view data, stet_error *err) {
    char *text = context;
    (void)err;
    sprintf(text + strlen(text), "%.*s=%.*s ", VIEW_ARG(id), VIEW_ARG(data));
    return STET_OK;
}

static void the_latest_data_of_a_copy_are_those_of_live_records(void **state) {
    struct fixture *f = *state;
    char text[256] = "";
    kit_put(f->store, "space", "b", "1");
    kit_put(f->store, "space", "a", "1");
    kit_put(f->store, "other", "a", "9");
    kit_put(f->store, "space", "a", "2");
    kit_delete(f->store, "space", "b");
    kit_put(f->store, "space", "c", "3");
    must(store_backup(f->store, f->copy, NULL, NULL, err));
    must(store_file_latest(f->copy, VIEW("space"), collect, text, err));
    assert_string_equal(text, "a=2 c=3 ");
    text[0] = '\0';
    must(store_file_latest(f->copy, VIEW("unknown"), collect, text, err));
    assert_string_equal(text, "");
}

static void a_copy_does_not_overwrite(void **state) {
    struct fixture *f = *state;
    kit_put(f->store, "task", "a", "{}");
    must(store_backup(f->store, f->copy, NULL, NULL, err));
    assert_int_equal(store_backup(f->store, f->copy, NULL, NULL, NULL), STET_IO);
    assert_int_equal(access(f->copy, F_OK), 0);
}

static bool stop_at_once(void *context) {
    (*(unsigned *)context)++;
    return true;
}

static void a_stopped_copy_leaves_nothing(void **state) {
    struct fixture *f = *state;
    unsigned asked = 0;
    for (int i = 0; i < 2000; i++) {
        char id[16];
        snprintf(id, sizeof id, "r%d", i);
        kit_put(f->store, "task", id, "{\"text\":\"some words that take room in the file\"}");
    }
    assert_int_equal(store_backup(f->store, f->copy, stop_at_once, &asked, NULL), STET_CANCELLED);
    assert_int_equal(asked, 1);
    assert_int_not_equal(access(f->copy, F_OK), 0);
    kit_put(f->store, "task", "after", "{}");
    must(store_backup(f->store, f->copy, NULL, NULL, err));
}

/* What a full disk says, without filling one: no file of this process may grow past a size. */
static void a_full_disk_is_told_and_leaves_nothing(void **state) {
    struct fixture *f = *state;
    struct rlimit before, small;
    stet_error err = {0};
    for (int i = 0; i < 500; i++) {
        char id[16];
        snprintf(id, sizeof id, "r%d", i);
        kit_put(f->store, "task", id, "{\"text\":\"some words that take room in the file\"}");
    }
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 32 * 1024;
    setrlimit(RLIMIT_FSIZE, &small);
    stet_status status = store_backup(f->store, f->copy, NULL, NULL, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    if (status != STET_NO_SPACE && status != STET_IO) fail_msg("%d: %s", status, err.message);
    assert_int_not_equal(access(f->copy, F_OK), 0);
    kit_put(f->store, "task", "after", "{}");
    check_sound(f->store);
}

struct writer {
    struct store *store;
    atomic_bool stop;
    atomic_uint written;
};

static void *write_on(void *context) {
    struct writer *writer = context;
    while (!atomic_load(&writer->stop)) {
        char id[16];
        snprintf(id, sizeof id, "r%u", atomic_load(&writer->written) % 50);
        kit_put(writer->store, "task", id, "{\"text\":\"written while it is copied\"}");
        atomic_fetch_add(&writer->written, 1);
    }
    return NULL;
}

static void copies_beside_a_writer_are_whole(void **state) {
    struct fixture *f = *state;
    struct writer writer = {.store = f->store};
    pthread_t thread;
    kit_put(f->store, "task", "first", "{}");
    assert_int_equal(pthread_create(&thread, NULL, write_on, &writer), 0);
    for (int i = 0; i < 5; i++) {
        struct store_census census;
        unsigned before = atomic_load(&writer.written);
        while (atomic_load(&writer.written) < before + 20)
            sched_yield();
        unsigned acknowledged = atomic_load(&writer.written);
        must(store_backup(f->store, f->copy, NULL, NULL, err));
        must(store_file_census(f->copy, &census, err));
        assert_true(census.seq >= acknowledged + 1);
        assert_int_equal(census.changes, census.seq);
        struct store *copy = open_copy(f);
        assert_int_equal(store_state(copy)->seq, census.seq);
        check_sound(copy);
        store_close(copy);
        unlink(f->copy);
    }
    atomic_store(&writer.stop, true);
    pthread_join(thread, NULL);
}

static void a_new_life_goes_on_behind_positions_nobody_saw(void **state) {
    struct fixture *f = *state;
    kit_put(f->store, "task", "a", "{\"n\":1}");
    kit_put(f->store, "task", "a", "{\"n\":2}");
    must(store_renew(f->store, 1000, err));
    assert_int_equal(store_state(f->store)->seq, 1000);
    assert_int_equal(store_state(f->store)->life, 1000);
    check_sound(f->store);
    /* The version that follows is the caller's to say; the first one in a life leaves out those of lost ones. */
    struct kit_batch kit;
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_UPDATE, VIEW("task"), VIEW("a"), VIEW("{\"n\":3}"))->version = 1001;
    kit_must_commit(&kit);
    assert_int_equal(store_state(f->store)->seq, 1001);
    assert_int_equal(kit_put(f->store, "task", "a", "{\"n\":4}"), 1002);
    check_sound(f->store);
    must(store_renew(f->store, 5000, err));
    must(store_renew(f->store, 6000, err));
    check_sound(f->store);
    store_close(f->store);
    const struct store_options options = {.driver = "sqlite", .path = f->path};
    f->store = kit_open(&options);
    assert_int_equal(store_state(f->store)->life, 6000);
    assert_int_equal(store_state(f->store)->seq, 6000);
    check_sound(f->store);
}

static void old_versions_are_found_across_lives(void **state) {
    struct fixture *f = *state;
    struct arena arena;
    struct store_change change;
    struct kit_batch kit;
    arena_init(&arena, 1024);
    kit_put(f->store, "task", "a", "{\"n\":1}");
    kit_put(f->store, "task", "a", "{\"n\":2}");
    must(store_renew(f->store, 1000, err));
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_UPDATE, VIEW("task"), VIEW("a"), VIEW("{\"n\":3}"))->version = 1001;
    kit_must_commit(&kit);
    struct store_reader *reader = store_writer_reader(f->store);
    struct store_head head = kit_head(reader, "task", "a");
    static const uint64_t asked[] = {1, 2, 3, 1000, 1001}, found[] = {1, 2, 2, 2, 1001};
    for (size_t i = 0; i < 5; i++) {
        must(store_find(reader, &arena, &head, STORE_BOUND_VERSION, asked[i], &change, err));
        assert_int_equal(change.version, found[i]);
    }
    arena_done(&arena);
}

struct told {
    unsigned count;
    char first[256];
};

static void tell(void *context, const char *finding) {
    struct told *told = context;
    if (told->count++ == 0) snprintf(told->first, sizeof told->first, "%s", finding);
}

/* A gap that no life explains is damage, and so is a version that jumps without one. */
static void gaps_without_a_life_are_found(void **state) {
    struct fixture *f = *state;
    sqlite3 *db;
    struct told told = {0};
    uint64_t findings = 0;
    kit_put(f->store, "task", "a", "{\"n\":1}");
    must(store_renew(f->store, 1000, err));
    store_close(f->store);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM meta WHERE name = 'store.lives'", 0, 0, 0), 0);
    sqlite3_close(db);
    const struct store_options options = {.driver = "sqlite", .path = f->path};
    f->store = kit_open(&options);
    must(store_check(store_writer_reader(f->store), tell, &told, &findings, err));
    assert_int_equal(findings, 1);
    assert_string_equal(told.first, "the clock says seq 1000, the last change is 1");
    store_close(f->store);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "INSERT INTO meta VALUES ('store.lives', '1:1000;x')", 0, 0, 0), 0);
    sqlite3_close(db);
    stet_error err = {0};
    assert_int_equal(store_open(&options, &f->store, &err), STET_CORRUPT);
    assert_string_equal(err.message, "the list of the store's lives is damaged");
    f->store = NULL;
}

static void a_life_does_not_go_back(void **state) {
    struct fixture *f = *state;
    kit_put(f->store, "task", "a", "{}");
    assert_int_equal(store_renew(f->store, 1, NULL), STET_MISUSE);
    assert_int_equal(store_state(f->store)->seq, 1);
}

static void what_is_in_memory_only_says_so(void **state) {
    struct fixture *f = *state;
    const struct store_options options = {.driver = "memory"};
    struct store *store = kit_open(&options);
    stet_error err = {0};
    assert_int_equal(store_backup(store, f->copy, NULL, NULL, &err), STET_BAD_REQUEST);
    assert_string_equal(err.message, "a space in memory cannot be backed up");
    assert_int_equal(store_renew(store, 10, NULL), STET_BAD_REQUEST);
    store_close(store);
}

#define WITH_STORE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_copy_is_the_store_as_it_was),
        WITH_STORE(reading_a_copy_leaves_nothing_beside_it),
        WITH_STORE(the_latest_data_of_a_copy_are_those_of_live_records),
        WITH_STORE(a_copy_does_not_overwrite),
        WITH_STORE(a_stopped_copy_leaves_nothing),
        WITH_STORE(a_full_disk_is_told_and_leaves_nothing),
        WITH_STORE(copies_beside_a_writer_are_whole),
        WITH_STORE(a_new_life_goes_on_behind_positions_nobody_saw),
        WITH_STORE(old_versions_are_found_across_lives),
        WITH_STORE(gaps_without_a_life_are_found),
        WITH_STORE(a_life_does_not_go_back),
        WITH_STORE(what_is_in_memory_only_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
