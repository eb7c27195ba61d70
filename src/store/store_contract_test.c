/* What every driver must do, run against each of them. */
#include "store/contract.h"

#include "store/memory/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST(an_empty_store_has_nothing) {
    struct store_head head = kit_head(f->reader, "task", "1");
    struct store_type *types;
    size_t count = 9;
    assert_int_equal(head.version, 0);
    must(store_types(f->reader, &f->arena, &types, &count, err));
    assert_int_equal(count, 0);
    assert_int_equal(store_state(f->store)->seq, 0);
    assert_false(store_state(f->store)->recovered);
}

TEST(a_record_is_created_updated_deleted_and_created_again) {
    assert_int_equal(kit_put(f->store, "task", "1", "{\"a\":1}"), 1);
    assert_int_equal(kit_put(f->store, "task", "1", "{\"a\":2}"), 2);
    assert_int_equal(kit_delete(f->store, "task", "1"), 3);
    struct store_head head = kit_head(f->reader, "task", "1");
    assert_true(head.deleted);
    assert_int_equal(head.hash, 0);
    assert_int_equal(head.version, 3);
    assert_int_equal(kit_put(f->store, "task", "1", "{\"a\":3}"), 4);
    head = kit_head(f->reader, "task", "1");
    assert_false(head.deleted);
    assert_int_equal(head.seq, 4);
    assert_int_equal(head.first, 1);
    assert_int_equal(head.hash, view_hash(VIEW("{\"a\":3}"), 1));
}

TEST(a_change_comes_back_whole) {
    struct kit_batch kit;
    struct store_change change;
    kit_begin(&kit, f->store);
    struct store_change *made = kit_import(&kit, VIEW("task"), VIEW("1"), VIEW("{\"a\":1.10}"), 42);
    made->base_version = 7;
    made->by = VIEW("agent:x");
    made->key = VIEW("k-1");
    made->source = VIEW("import");
    made->merge = VIEW("{\"m\":1}");
    made->origin = VIEW("{\"created_by\":\"bob\"}");
    int64_t stamp = made->stamp;
    kit_must_commit(&kit);
    must(store_change_at(f->reader, &f->arena, 1, &change, err));
    assert_int_equal(change.seq, 1);
    assert_int_equal(change.transaction, 1);
    assert_int_equal(change.stamp, stamp);
    assert_int_equal(change.version, 42);
    assert_int_equal(change.base_version, 7);
    assert_int_equal(change.ordinal, 1);
    assert_int_equal(change.first, 1);
    assert_int_equal(change.prev, 0);
    assert_int_equal(change.op, STORE_CREATE);
    check_view(change.type, "task");
    check_view(change.id, "1");
    check_view(change.by, "agent:x");
    check_view(change.key, "k-1");
    check_view(change.source, "import");
    check_view(change.merge, "{\"m\":1}");
    check_view(change.origin, "{\"created_by\":\"bob\"}");
    check_view(change.data, "{\"a\":1.10}");
    assert_int_equal(store_change_at(f->reader, &f->arena, 2, &change, NULL), STET_PRUNED);
}

/* Finds every version of a record by version, seq and stamp, and what lies between. */
static void check_versions(struct fixture *f, const char *id, uint64_t first_version,
                           uint64_t count) {
    struct store_head head = kit_head(f->reader, "task", id);
    struct store_change change, same;
    assert_int_equal(head.version, first_version + count - 1);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t version = first_version + i;
        char data[32];
        snprintf(data, sizeof data, "{\"n\":%llu}", (unsigned long long)version);
        arena_reset(&f->arena);
        must(store_find(f->reader, &f->arena, &head, STORE_BOUND_VERSION, version, &change, err));
        assert_int_equal(change.version, version);
        check_view(change.data, data);
        must(store_find(f->reader, &f->arena, &head, STORE_BOUND_SEQ, change.seq, &same, err));
        assert_int_equal(same.version, version);
        must(store_find(f->reader, &f->arena, &head, STORE_BOUND_STAMP, (uint64_t)change.stamp,
                        &same, err));
        assert_int_equal(same.version, version);
        must(store_find(f->reader, &f->arena, &head, STORE_BOUND_STAMP, (uint64_t)change.stamp + 1,
                        &same, err));
        assert_int_equal(same.version, version);
        stet_status before =
            store_find(f->reader, &f->arena, &head, STORE_BOUND_SEQ, change.seq - 1, &same, NULL);
        assert_int_equal(before, i == 0 ? STET_NOT_FOUND : STET_OK);
        if (i > 0) assert_int_equal(same.version, version - 1);
    }
    must(store_find(f->reader, &f->arena, &head, STORE_BOUND_VERSION, UINT64_MAX, &change, err));
    assert_int_equal(change.version, head.version);
    assert_int_equal(store_find(f->reader, &f->arena, &head, STORE_BOUND_VERSION, first_version - 1,
                                &change, NULL),
                     STET_NOT_FOUND);
    assert_int_equal(store_find(f->reader, &f->arena, &head, STORE_BOUND_STAMP, 1, &change, NULL),
                     STET_NOT_FOUND);
}

/* Commits versions of one record, with other records' changes between them. */
static void make_versions(struct fixture *f, const char *id, uint64_t first_version,
                          uint64_t count) {
    for (uint64_t made = 0; made < count;) {
        struct kit_batch kit;
        kit_begin(&kit, f->store);
        for (uint64_t i = 0; i < 50 && made < count; i++, made++) {
            char data[32];
            snprintf(data, sizeof data, "{\"n\":%llu}", (unsigned long long)(first_version + made));
            if (made == 0) {
                kit_import(&kit, VIEW("task"), view_of(id), view_of(data), first_version);
            } else {
                kit_change(&kit, STORE_UPDATE, VIEW("task"), view_of(id), view_of(data));
            }
            if (made % 3 == 0)
                kit_change(&kit, STORE_UPDATE, VIEW("other"), VIEW("busy"), VIEW("{}"));
        }
        kit_must_commit(&kit);
    }
}

TEST(every_version_is_found_by_version_seq_and_stamp) {
    make_versions(f, "long", 1, 2000);
    check_versions(f, "long", 1, 2000);
}

TEST(every_version_of_an_import_is_found) {
    make_versions(f, "import", 1000001, 300);
    check_versions(f, "import", 1000001, 300);
}

TEST(history_is_newest_first_and_pages) {
    struct store_change changes[8];
    size_t count;
    make_versions(f, "h", 5, 20);
    struct store_head head = kit_head(f->reader, "task", "h");
    must(store_history(f->reader, &f->arena, &head, 0, 8, true, changes, &count, err));
    assert_int_equal(count, 8);
    for (uint64_t i = 0; i < 8; i++)
        assert_int_equal(changes[i].version, 24 - i);
    check_view(changes[0].data, "{\"n\":24}");
    must(store_history(f->reader, &f->arena, &head, 8, 8, false, changes, &count, err));
    assert_int_equal(count, 3);
    assert_int_equal(changes[0].version, 7);
    assert_int_equal(changes[2].version, 5);
    check_view(changes[0].data, "");
    must(store_history(f->reader, &f->arena, &head, 5, 8, false, changes, &count, err));
    assert_int_equal(count, 0);
}

TEST(since_follows_the_log) {
    struct store_change changes[10];
    size_t count;
    for (int i = 0; i < 20; i++)
        kit_put(f->store, "task", i % 2 ? "a" : "b", "{\"text\":\"0123456789\"}");
    must(store_since(f->reader, &f->arena, 0, 10, 1 << 20, changes, &count, err));
    assert_int_equal(count, 10);
    assert_int_equal(changes[0].seq, 1);
    assert_int_equal(changes[9].seq, 10);
    must(store_since(f->reader, &f->arena, 15, 10, 1 << 20, changes, &count, err));
    assert_int_equal(count, 5);
    must(store_since(f->reader, &f->arena, 3, 10, 45, changes, &count, err));
    assert_int_equal(count, 2);
    must(store_since(f->reader, &f->arena, 3, 10, 1, changes, &count, err));
    assert_int_equal(count, 1);
    must(store_since(f->reader, &f->arena, 20, 10, 1, changes, &count, err));
    assert_int_equal(count, 0);
    must(store_since(f->reader, &f->arena, UINT64_MAX, 10, 1, changes, &count, err));
    assert_int_equal(count, 0);
}

TEST(transactions_stay_together) {
    struct kit_batch kit;
    struct store_change changes[8];
    size_t count;
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_CREATE, VIEW("a"), VIEW("1"), VIEW("{}"));
    kit_transaction(&kit);
    kit_change(&kit, STORE_CREATE, VIEW("a"), VIEW("2"), VIEW("{}"));
    kit_change(&kit, STORE_CREATE, VIEW("b"), VIEW("1"), VIEW("{}"));
    kit_change(&kit, STORE_UPDATE, VIEW("a"), VIEW("2"), VIEW("{}"));
    kit_transaction(&kit);
    kit_must_commit(&kit);
    must(store_since(f->reader, &f->arena, 0, 8, 1 << 20, changes, &count, err));
    assert_int_equal(count, 4);
    assert_int_equal(changes[0].transaction, 1);
    for (int i = 1; i < 4; i++)
        assert_int_equal(changes[i].transaction, 4);
}

TEST(a_batch_may_change_a_record_more_than_once) {
    struct kit_batch kit;
    struct store_change change;
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_CREATE, VIEW("task"), VIEW("1"), VIEW("{\"n\":1}"));
    kit_change(&kit, STORE_UPDATE, VIEW("task"), VIEW("1"), VIEW("{\"n\":2}"));
    kit_change(&kit, STORE_DELETE, VIEW("task"), VIEW("1"), VIEW("{\"n\":2}"));
    kit_change(&kit, STORE_CREATE, VIEW("task"), VIEW("1"), VIEW("{\"n\":4}"));
    kit_must_commit(&kit);
    struct store_head head = kit_head(f->reader, "task", "1");
    assert_int_equal(head.version, 4);
    assert_false(head.deleted);
    must(store_find(f->reader, &f->arena, &head, STORE_BOUND_VERSION, 2, &change, err));
    check_view(change.data, "{\"n\":2}");
}

TEST(scan_lists_ids_in_byte_order) {
    static const char *const ids[] = {"b", "a", "aa", "ab", "\xc3\xa9", "c/d", "B", "a0"};
    static const char *const sorted[] = {"B", "a", "a0", "aa", "ab", "b", "c/d", "\xc3\xa9"};
    struct store_row rows[8];
    size_t count;
    for (int i = 0; i < 8; i++)
        kit_put(f->store, "task", ids[i], "{}");
    kit_put(f->store, "other", "a1", "{}");
    kit_delete(f->store, "task", "ab");
    must(store_scan(f->reader, &f->arena, VIEW("task"), VIEW(""), 5, rows, &count, err));
    assert_int_equal(count, 5);
    for (int i = 0; i < 5; i++)
        check_view(rows[i].id, sorted[i]);
    assert_true(rows[4].head.deleted);
    must(store_scan(f->reader, &f->arena, VIEW("task"), rows[4].id, 8, rows, &count, err));
    assert_int_equal(count, 3);
    for (int i = 0; i < 3; i++)
        check_view(rows[i].id, sorted[5 + i]);
    must(store_scan(f->reader, &f->arena, VIEW("nothing"), VIEW(""), 8, rows, &count, err));
    assert_int_equal(count, 0);
}

TEST(live_counts_follow_creations_and_deletions) {
    struct store_type *types;
    size_t count;
    for (int i = 0; i < 5; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        kit_put(f->store, "task", id, "{}");
    }
    kit_delete(f->store, "task", "2");
    kit_put(f->store, "other", "1", "{}");
    must(store_types(f->reader, &f->arena, &types, &count, err));
    assert_int_equal(count, 2);
    check_view(types[0].name, "task");
    assert_int_equal(types[0].live, 4);
    assert_int_equal(types[1].live, 1);
    kit_put(f->store, "task", "2", "{}");
    must(store_types(f->reader, &f->arena, &types, &count, err));
    assert_int_equal(types[0].live, 5);
}

static stet_status find_key(struct fixture *f, uint64_t number, const char *actor,
                            struct store_key *key) {
    uint8_t bytes[STORE_KEY_BYTES] = {0};
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    return store_key_find(f->reader, &f->arena, bytes, view_of(actor), key, NULL);
}

static void put_key(struct fixture *f, uint64_t number, const char *actor, bool rotate) {
    struct kit_batch kit;
    kit_begin(&kit, f->store);
    kit_key(&kit, number, view_of(actor), VIEW("result"));
    kit.batch.rotate_keys = rotate;
    kit_must_commit(&kit);
}

TEST(keys_belong_to_an_actor) {
    struct store_key key;
    put_key(f, 7, "alice", false);
    assert_int_equal(find_key(f, 7, "alice", &key), STET_OK);
    check_view(key.result, "result");
    check_view(key.actor, "alice");
    assert_int_equal(key.request[0], 7);
    assert_int_equal(find_key(f, 7, "bob", &key), STET_NOT_FOUND);
    assert_int_equal(find_key(f, 8, "alice", &key), STET_NOT_FOUND);
    put_key(f, 7, "", false);
    assert_int_equal(find_key(f, 7, "", &key), STET_OK);
}

TEST(keys_live_for_two_generations) {
    struct store_key key;
    put_key(f, 5, "a", false);
    put_key(f, 900, "a", false);
    put_key(f, 100, "a", true);
    assert_int_equal(store_state(f->store)->keys_rotated_at, store_state(f->store)->stamp);
    assert_int_equal(find_key(f, 5, "a", &key), STET_OK);
    assert_int_equal(find_key(f, 900, "a", &key), STET_OK);
    assert_int_equal(find_key(f, 100, "a", &key), STET_OK);
    put_key(f, 50, "a", true);
    assert_int_equal(find_key(f, 5, "a", &key), STET_NOT_FOUND);
    assert_int_equal(find_key(f, 900, "a", &key), STET_NOT_FOUND);
    assert_int_equal(find_key(f, 100, "a", &key), STET_OK);
    assert_int_equal(find_key(f, 50, "a", &key), STET_OK);
}

TEST(named_values_are_replaced) {
    stet_view value;
    assert_int_equal(store_meta_get(f->reader, &f->arena, VIEW("secret"), &value, NULL),
                     STET_NOT_FOUND);
    must(store_meta_put(f->store, VIEW("secret"), view_make("\0\1\2", 3), err));
    must(store_meta_get(f->reader, &f->arena, VIEW("secret"), &value, err));
    assert_int_equal(value.size, 3);
    assert_memory_equal(value.bytes, "\0\1\2", 3);
    must(store_meta_put(f->store, VIEW("secret"), VIEW("x"), err));
    must(store_meta_get(f->reader, &f->arena, VIEW("secret"), &value, err));
    check_view(value, "x");
    assert_int_equal(store_meta_put(f->store, VIEW("store.format"), VIEW("9"), NULL), STET_MISUSE);
}

TEST(ids_and_data_are_any_bytes) {
    struct kit_batch kit;
    struct store_row rows[4];
    struct store_change change;
    struct store_head head;
    size_t count, big = 1024 * 1024;
    stet_view id = view_make("a\0b\xff\x01/", 6), nul = view_make("a\0", 2);
    char *data = malloc(big);
    for (size_t i = 0; i < big; i++)
        data[i] = (char)(i * 31 + i / 256);
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_CREATE, VIEW("ta\xff sk"), id, view_make(data, big));
    kit_change(&kit, STORE_CREATE, VIEW("ta\xff sk"), nul, VIEW("{}"));
    kit_must_commit(&kit);
    must(store_head(f->reader, VIEW("ta\xff sk"), id, &head, err));
    assert_int_equal(head.version, 1);
    must(store_head(f->reader, VIEW("ta\xff sk"), VIEW("a"), &head, err));
    assert_int_equal(head.version, 0);
    must(store_change_at(f->reader, &f->arena, 1, &change, err));
    assert_true(view_equal(change.id, id));
    assert_true(view_equal(change.data, view_make(data, big)));
    must(store_scan(f->reader, &f->arena, VIEW("ta\xff sk"), VIEW("a"), 4, rows, &count, err));
    assert_int_equal(count, 2);
    assert_true(view_equal(rows[0].id, nul));
    assert_true(view_equal(rows[1].id, id));
    free(data);
}

TEST(a_batch_that_breaks_the_rules_is_refused_whole) {
    struct kit_batch kit;
    kit_put(f->store, "task", "1", "{}");
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_CREATE, VIEW("task"), VIEW("2"), VIEW("{}"));
    kit_change(&kit, STORE_CREATE, VIEW("task"), VIEW("3"), VIEW("{}"))->seq++;
    assert_int_equal(kit_commit(&kit, NULL), STET_MISUSE);
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_CREATE, VIEW("task"), VIEW("2"), VIEW("{}"))->transaction = 9;
    assert_int_equal(kit_commit(&kit, NULL), STET_MISUSE);
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_UPDATE, VIEW("task"), VIEW("1"), VIEW("{}"))->version = 3;
    assert_int_equal(kit_commit(&kit, NULL), STET_MISUSE);
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_UPDATE, VIEW("task"), VIEW("1"), VIEW("{}"))->stamp = 1;
    assert_int_equal(kit_commit(&kit, NULL), STET_MISUSE);
    assert_int_equal(store_state(f->store)->seq, 1);
    assert_int_equal(kit_head(f->reader, "task", "2").version, 0);
    assert_int_equal(kit_put(f->store, "task", "1", "{}"), 2);
}

TEST(a_key_used_twice_takes_the_batch_with_it) {
    struct kit_batch kit;
    stet_error err;
    put_key(f, 1, "a", false);
    kit_begin(&kit, f->store);
    kit_change(&kit, STORE_CREATE, VIEW("fresh"), VIEW("1"), VIEW("{}"));
    kit_key(&kit, 1, VIEW("a"), VIEW("other"));
    assert_int_equal(kit_commit(&kit, &err), STET_INTERNAL);
    assert_int_equal(kit_head(f->reader, "fresh", "1").version, 0);
    assert_int_equal(store_state(f->store)->seq, 0);
    assert_int_equal(kit_put(f->store, "fresh", "2", "{}"), 1);
}

TEST(the_writer_sees_its_commits_between_lookups) {
    struct store_reader *writer = store_writer_reader(f->store);
    assert_int_equal(kit_head(writer, "task", "1").version, 0);
    for (uint64_t i = 1; i <= 100; i++) {
        kit_put(f->store, "task", "1", "{}");
        assert_int_equal(kit_head(writer, "task", "1").version, i);
        if (i % 7 == 0) store_maintain(f->store);
    }
}

struct racing {
    struct fixture *f;
    atomic_bool stop;
    atomic_uint_fast64_t committed;
    atomic_uint failures;
};

/* Each batch writes both records with the same number: a reader must never see one newer than what it saw, nor less than
   what was committed before it looked. */
static void *race_reader(void *context) {
    struct racing *racing = context;
    struct store_reader *reader;
    struct arena arena;
    stet_error err;
    uint64_t last = 0;
    if (store_reader_open(racing->f->store, &reader, &err) != STET_OK) {
        atomic_fetch_add(&racing->failures, 1);
        return NULL;
    }
    arena_init(&arena, 4096);
    while (!atomic_load(&racing->stop)) {
        struct store_head a, b;
        struct store_change change;
        uint64_t committed = atomic_load(&racing->committed);
        bool good = store_head(reader, VIEW("r"), VIEW("a"), &a, &err) == STET_OK &&
                    store_head(reader, VIEW("r"), VIEW("b"), &b, &err) == STET_OK;
        good = good && a.version >= committed && b.version >= a.version && a.version >= last;
        good =
            good && (a.version == 0 || (store_find(reader, &arena, &a, STORE_BOUND_VERSION,
                                                   a.version / 2 + 1, &change, &err) == STET_OK &&
                                        change.version == a.version / 2 + 1));
        if (!good) atomic_fetch_add(&racing->failures, 1);
        last = a.version;
        arena_reset(&arena);
    }
    arena_done(&arena);
    store_reader_close(reader);
    return NULL;
}

TEST(readers_on_other_threads_see_whole_commits) {
    enum { READERS = 3, COMMITS = 300 };
    struct racing racing = {.f = f};
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race_reader, &racing), 0);
    for (uint64_t i = 1; i <= COMMITS; i++) {
        struct kit_batch kit;
        kit_begin(&kit, f->store);
        kit_change(&kit, STORE_UPDATE, VIEW("r"), VIEW("a"), VIEW("{}"));
        kit_change(&kit, STORE_UPDATE, VIEW("r"), VIEW("b"), VIEW("{}"));
        kit_transaction(&kit);
        kit_must_commit(&kit);
        atomic_store(&racing.committed, i);
        store_maintain(f->store);
    }
    atomic_store(&racing.stop, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&racing.failures), 0);
}

static void a_memory_commit_fails_when_told(void **state) {
    (void)state;
    const struct store_options options = {.driver = "memory"};
    struct store *store = kit_open(&options);
    struct kit_batch kit;
    memory_fail_commit(store, 1, STET_NO_SPACE, MEMORY_FAILS_BEFORE);
    assert_int_equal(kit_put(store, "task", "1", "{}"), 1);
    kit_begin(&kit, store);
    kit_change(&kit, STORE_UPDATE, VIEW("task"), VIEW("1"), VIEW("{}"));
    assert_int_equal(kit_commit(&kit, NULL), STET_NO_SPACE);
    assert_int_equal(kit_put(store, "task", "1", "{}"), 2);
    memory_fail_commit(store, 0, STET_COMMIT_UNKNOWN, MEMORY_FAILS_AFTER);
    kit_begin(&kit, store);
    kit_change(&kit, STORE_UPDATE, VIEW("task"), VIEW("1"), VIEW("{}"));
    assert_int_equal(kit_commit(&kit, NULL), STET_COMMIT_UNKNOWN);
    assert_int_equal(kit_head(store_writer_reader(store), "task", "1").version, 3);
    kit_begin(&kit, store);
    assert_int_equal(kit_commit(&kit, NULL), STET_COMMIT_UNKNOWN);
    store_close(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_store_has_nothing),
        cmocka_unit_test(a_record_is_created_updated_deleted_and_created_again),
        cmocka_unit_test(a_change_comes_back_whole),
        cmocka_unit_test(every_version_is_found_by_version_seq_and_stamp),
        cmocka_unit_test(every_version_of_an_import_is_found),
        cmocka_unit_test(history_is_newest_first_and_pages),
        cmocka_unit_test(since_follows_the_log),
        cmocka_unit_test(transactions_stay_together),
        cmocka_unit_test(a_batch_may_change_a_record_more_than_once),
        cmocka_unit_test(scan_lists_ids_in_byte_order),
        cmocka_unit_test(live_counts_follow_creations_and_deletions),
        cmocka_unit_test(keys_belong_to_an_actor),
        cmocka_unit_test(keys_live_for_two_generations),
        cmocka_unit_test(named_values_are_replaced),
        cmocka_unit_test(ids_and_data_are_any_bytes),
        cmocka_unit_test(a_batch_that_breaks_the_rules_is_refused_whole),
        cmocka_unit_test(a_key_used_twice_takes_the_batch_with_it),
        cmocka_unit_test(the_writer_sees_its_commits_between_lookups),
        cmocka_unit_test(readers_on_other_threads_see_whole_commits),
        cmocka_unit_test(a_memory_commit_fails_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
