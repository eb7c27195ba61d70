/* A batch while it is collected: changes by seq, keys by actor, references given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/view.h"
#include "core/batch.h"
#include "core/change_fixture.h"

#define TEST(name) static void name(void **state)

static struct batch batch;

static int setup(void **state) {
    (void)state;
    batch_init(&batch);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    batch_done(&batch);
    return 0;
}

static struct change *add(uint64_t seq) {
    const struct store_head before = {0};
    struct change *change = fixture_change("task", "1", seq, 1, "{}");
    assert_int_equal(batch_reserve(&batch, NULL), STET_OK);
    batch_add_change(&batch, change, &before);
    return change;
}

static void add_key(uint64_t number, stet_view actor) {
    struct store_key key = {.actor = actor};
    memcpy(key.key, &number, sizeof number);
    assert_int_equal(batch_reserve(&batch, NULL), STET_OK);
    batch_add_key(&batch, &key);
}

static bool has_key(uint64_t number, stet_view actor) {
    uint8_t key[STORE_KEY_BYTES] = {0};
    memcpy(key, &number, sizeof number);
    return batch_find_key(&batch, key, actor) != NULL;
}

TEST(a_change_is_found_by_its_seq) {
    (void)state;
    assert_null(batch_find_change(&batch, 5));
    struct change *first = add(5), *second = add(6);
    assert_ptr_equal(batch_find_change(&batch, 5), first);
    assert_ptr_equal(batch_find_change(&batch, 6), second);
    assert_null(batch_find_change(&batch, 4));
    assert_null(batch_find_change(&batch, 7));
    change_unref(first);
    change_unref(second);
}

TEST(truncation_gives_references_back) {
    (void)state;
    struct change *first = add(1), *second = add(2);
    batch_truncate(&batch, 1);
    assert_int_equal(atomic_load(&first->refs), 2);
    assert_int_equal(atomic_load(&second->refs), 1);
    batch_reset(&batch);
    assert_int_equal(atomic_load(&first->refs), 1);
    change_unref(first);
    change_unref(second);
}

TEST(a_full_batch_of_keys_that_look_alike_is_searched_exactly) {
    (void)state;
    for (uint64_t i = 0; i < COMMIT_BATCH_MAX; i++)
        add_key(i, VIEW("ann"));
    for (uint64_t i = 0; i < COMMIT_BATCH_MAX; i++)
        assert_true(has_key(i, VIEW("ann")));
    assert_false(has_key(COMMIT_BATCH_MAX, VIEW("ann")));
    assert_false(has_key(0, VIEW("bob")));
}

TEST(a_reset_batch_knows_no_key) {
    (void)state;
    add_key(1, VIEW("ann"));
    batch_reset_staged(&batch);
    assert_false(has_key(1, VIEW("ann")));
    add_key(2, VIEW("ann"));
    assert_true(has_key(2, VIEW("ann")));
}

static const struct store_entry *stage_entry(char *key) {
    const struct store_entry entry = {.index = 7, .key = view_make(key, 3), .record = 1};
    assert_int_equal(batch_reserve_entries(&batch, 1, NULL), STET_OK);
    batch_add_entry(&batch, &entry);
    return batch_find_entry(&batch, 7, VIEW("key"), NULL);
}

/* Keys of entries live in commands, which may be answered, and their memory used again, before the batch is reset. */
TEST(a_reset_looks_at_no_key_of_an_entry) {
    (void)state;
    char key[3] = {'k', 'e', 'y'};
    assert_non_null(stage_entry(key));
    memcpy(key, "???", sizeof key);
    batch_reset(&batch);
    memcpy(key, "key", sizeof key);
    const struct store_entry *found = stage_entry(key);
    assert_non_null(found);
    assert_null(batch_find_entry(&batch, 7, VIEW("key"), found));
}

#define BATCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        BATCH(a_change_is_found_by_its_seq),
        BATCH(truncation_gives_references_back),
        BATCH(a_full_batch_of_keys_that_look_alike_is_searched_exactly),
        BATCH(a_reset_batch_knows_no_key),
        BATCH(a_reset_looks_at_no_key_of_an_entry),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
