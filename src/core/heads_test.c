/* The sequencer's heads: cached, staged, taken back exactly, and evicted only when nothing depends on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/view.h"
#include "core/heads.h"

#include <stdio.h>

#define TEST(name) static void name(void **state)

static struct store *store;
static struct heads heads;

static int setup(void **state) {
    (void)state;
    const struct store_options options = {.driver = "memory"};
    assert_int_equal(store_open(&options, &store, NULL), STET_OK);
    heads_init(&heads, 1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    heads_done(&heads);
    store_close(store);
    return 0;
}

static struct store_head *get(const char *id) {
    struct store_head *head;
    assert_int_equal(
        heads_get(&heads, store_writer_reader(store), VIEW("task"), view_of(id), &head, NULL),
        STET_OK);
    return head;
}

static void stage(const char *id, uint64_t version) {
    struct store_head *head = get(id);
    assert_int_equal(heads_stage(&heads, head, NULL), STET_OK);
    head->version = version;
}

TEST(a_record_nobody_wrote_has_version_0) {
    (void)state;
    assert_int_equal(get("1")->version, 0);
}

TEST(a_stored_head_is_found) {
    (void)state;
    struct store_change change = {.seq = 1,
                                  .transaction = 1,
                                  .stamp = 5,
                                  .version = 1,
                                  .op = STORE_CREATE,
                                  .type = VIEW("task"),
                                  .id = VIEW("1"),
                                  .by = VIEW("ann"),
                                  .data = VIEW("{}")};
    struct store_head before = {0};
    uint64_t hash = 7;
    struct store_batch batch = {
        .changes = &change, .heads = &before, .hashes = &hash, .change_count = 1, .stamp = 5};
    assert_int_equal(store_commit(store, &batch, NULL), STET_OK);
    assert_int_equal(get("1")->version, 1);
    assert_int_equal(get("1")->hash, 7);
}

TEST(a_staged_head_is_seen_by_the_next) {
    (void)state;
    stage("1", 4);
    assert_int_equal(get("1")->version, 4);
}

TEST(undo_restores_every_step_back_to_the_mark) {
    (void)state;
    stage("1", 1);
    size_t mark = heads_mark(&heads);
    stage("1", 2);
    stage("2", 1);
    stage("1", 3);
    heads_undo(&heads, mark);
    assert_int_equal(get("1")->version, 1);
    assert_int_equal(get("2")->version, 0);
    heads_undo(&heads, 0);
    assert_int_equal(get("1")->version, 0);
}

TEST(committed_heads_stay_and_are_not_undone) {
    (void)state;
    stage("1", 1);
    heads_commit(&heads);
    stage("1", 2);
    heads_undo(&heads, 0);
    assert_int_equal(get("1")->version, 1);
}

TEST(types_and_ids_do_not_run_together) {
    (void)state;
    struct store_head *head;
    stage("1x", 5);
    assert_int_equal(
        heads_get(&heads, store_writer_reader(store), VIEW("task1"), VIEW("x"), &head, NULL),
        STET_OK);
    assert_int_equal(head->version, 0);
}

TEST(the_cache_is_bounded_and_never_drops_what_is_staged) {
    (void)state;
    stage("staged", 9);
    for (unsigned i = 0; i < HEADS_CACHED_MAX + 1000; i++) {
        char id[16];
        snprintf(id, sizeof id, "%u", i);
        get(id);
        assert_true(heads.count <= HEADS_CACHED_MAX);
    }
    assert_int_equal(get("staged")->version, 9);
}

TEST(what_was_used_last_stays_longest) {
    (void)state;
    stage("kept", 9);
    heads_commit(&heads);
    for (unsigned i = 0; i < 2 * HEADS_CACHED_MAX; i++) {
        char id[16];
        snprintf(id, sizeof id, "%u", i);
        get(id);
        if (i % 1000 == 0) assert_int_equal(get("kept")->version, 9);
    }
}

TEST(a_head_just_given_out_stays_although_all_others_are_staged) {
    (void)state;
    for (unsigned i = 0; i < HEADS_CACHED_MAX; i++) {
        char id[16];
        snprintf(id, sizeof id, "%u", i);
        stage(id, 1);
    }
    struct store_head *head = get("given out");
    size_t count = heads.count;
    get("another");
    assert_int_equal(heads.count, count + 1);
    assert_ptr_equal(get("given out"), head);
}

#define HEADS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        HEADS(a_record_nobody_wrote_has_version_0),
        HEADS(a_stored_head_is_found),
        HEADS(a_staged_head_is_seen_by_the_next),
        HEADS(undo_restores_every_step_back_to_the_mark),
        HEADS(committed_heads_stay_and_are_not_undone),
        HEADS(types_and_ids_do_not_run_together),
        HEADS(the_cache_is_bounded_and_never_drops_what_is_staged),
        HEADS(what_was_used_last_stays_longest),
        HEADS(a_head_just_given_out_stays_although_all_others_are_staged),
    };
    return cmocka_run_group_tests_name("heads", tests, NULL, NULL);
}
