/* Receipts of refusals: the newest counts, the oldest is forgotten first, a failed batch leaves none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "core/receipts.h"

#include <string.h>

#define TEST(name) static void name(void **state)

static struct receipts receipts;

static int setup(void **state) {
    (void)state;
    receipts_init(&receipts);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    receipts_done(&receipts);
    return 0;
}

static void add(uint64_t key, uint64_t actor, stet_status status) {
    struct receipt receipt = {.actor_hash = actor, .status = status, .seq = key};
    memcpy(receipt.key, &key, sizeof key);
    receipts_add(&receipts, &receipt);
}

static stet_status find(uint64_t key, uint64_t actor) {
    uint8_t bytes[STORE_KEY_BYTES] = {0};
    memcpy(bytes, &key, sizeof key);
    const struct receipt *receipt = receipts_find(&receipts, bytes, actor);
    return receipt == NULL ? STET_OK : receipt->status;
}

TEST(nothing_is_known_of_a_key_nobody_used) {
    (void)state;
    assert_int_equal(find(1, 1), STET_OK);
}

TEST(a_refusal_is_found_by_key_and_actor) {
    (void)state;
    add(1, 1, STET_NOT_FOUND);
    assert_int_equal(find(1, 1), STET_NOT_FOUND);
    assert_int_equal(find(1, 2), STET_OK);
    assert_int_equal(find(2, 1), STET_OK);
}

TEST(the_newest_refusal_counts) {
    (void)state;
    add(1, 1, STET_NOT_FOUND);
    add(1, 1, STET_DELETED);
    assert_int_equal(find(1, 1), STET_DELETED);
}

TEST(the_oldest_is_forgotten_first) {
    (void)state;
    for (uint64_t key = 1; key <= RECEIPTS_REMEMBERED_MAX + 1; key++)
        add(key, 1, STET_NOT_FOUND);
    assert_int_equal(find(1, 1), STET_OK);
    assert_int_equal(find(2, 1), STET_NOT_FOUND);
    assert_int_equal(find(RECEIPTS_REMEMBERED_MAX + 1, 1), STET_NOT_FOUND);
}

TEST(those_of_a_failed_batch_are_taken_back) {
    (void)state;
    add(1, 1, STET_NOT_FOUND);
    uint64_t mark = receipts_mark(&receipts);
    add(1, 1, STET_DELETED);
    add(2, 1, STET_DELETED);
    receipts_undo(&receipts, mark);
    assert_int_equal(find(1, 1), STET_NOT_FOUND);
    assert_int_equal(find(2, 1), STET_OK);
}

#define RECEIPTS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        RECEIPTS(nothing_is_known_of_a_key_nobody_used),
        RECEIPTS(a_refusal_is_found_by_key_and_actor),
        RECEIPTS(the_newest_refusal_counts),
        RECEIPTS(the_oldest_is_forgotten_first),
        RECEIPTS(those_of_a_failed_batch_are_taken_back),
    };
    return cmocka_run_group_tests_name("receipts", tests, NULL, NULL);
}
