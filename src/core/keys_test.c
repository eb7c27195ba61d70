/*
 * Mutation keys and receipts: a key takes effect at most once, a repeated write gets the first answer, a refusal uses up nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "core/write_fixture.h"

#define TEST(name) static void name(void **state)

static const char uuid_key[] = "018f3e2a-7c00-7000-8000-000000000001";

static stet_mutation create(const char *id) {
    return mutation(STET_OP_CREATE, id, none, "{\"n\":1}");
}

TEST(a_repeated_write_gets_the_first_answer_and_writes_nothing) {
    (void)state;
    struct answer first = must(keyed(create("1"), uuid_key));
    uint64_t seq = seq_now();
    struct answer again = must(keyed(create("1"), uuid_key));
    assert_true(again.replayed);
    assert_true(again.created);
    assert_string_equal(again.body, first.body);
    assert_int_equal(again.version, first.version);
    assert_int_equal(seq_now(), seq);
}

TEST(a_replay_shows_the_first_result_after_the_record_moved_on) {
    (void)state;
    struct answer first = must(keyed(create("1"), "k"));
    must_put("1", at(1), "{\"n\":2}");
    must_delete("1", at(2));
    assert_string_equal(must(keyed(create("1"), "k")).body, first.body);
}

TEST(a_key_used_for_another_request_is_refused) {
    (void)state;
    must(keyed(create("1"), "k"));
    struct answer reused = keyed(create("2"), "k");
    check_status(reused, STET_KEY_REUSED);
    assert_string_equal(reused.field, "Idempotency-Key");
    check_status(keyed(mutation(STET_OP_PUT, "1", at(1), "{\"n\":1}"), "k"), STET_KEY_REUSED);
    check_status(keyed(mutation(STET_OP_CREATE, "1", none, "{\"n\": 1}"), "k"), STET_KEY_REUSED);
    stet_mutation other = create("1");
    other.on_conflict = STET_STRATEGY_LAST_WRITER_WINS;
    check_status(keyed(other, "k"), STET_KEY_REUSED);
    check_status(read_record("2"), STET_NOT_FOUND);
}

TEST(an_unchanged_write_uses_its_key_up) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    stet_mutation same = mutation(STET_OP_PUT, "1", at(1), "{\"n\":1}");
    assert_true(must(keyed(same, "k")).unchanged);
    must_put("1", at(1), "{\"n\":2}");
    struct answer again = must(keyed(same, "k"));
    assert_true(again.replayed);
    assert_true(again.unchanged);
    assert_int_equal(again.version, 1);
    check_data("1", 2, "{\"n\":2}");
}

TEST(a_refused_write_leaves_its_key_free) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    check_status(keyed(create("1"), "k"), STET_ALREADY_EXISTS);
    must_delete("1", at(1));
    assert_int_equal(must(keyed(create("1"), "k")).version, 3);
}

TEST(keys_belong_to_their_actor) {
    (void)state;
    must(keyed(create("1"), "k"));
    be("bob");
    struct answer bobs = must(keyed(create("2"), "k"));
    assert_false(bobs.replayed);
    be("ann");
    assert_true(must(keyed(create("1"), "k")).replayed);
}

TEST(two_writes_with_one_key_in_one_batch_take_effect_once) {
    (void)state;
    stet_mutation one = create("1"), other = create("2");
    stet_write write = {.mutations = &one, .mutation_count = 1, .mutation_key = VIEW("k")};
    struct stet_command *first = start(&write);
    struct stet_command *again = start(&write);
    write.mutations = &other;
    struct stet_command *reuse = start(&write);
    struct answer answer = must(take(first));
    struct answer replay = must(take(again));
    assert_true(replay.replayed);
    assert_string_equal(replay.body, answer.body);
    check_status(take(reuse), STET_KEY_REUSED);
    assert_int_equal(seq_now(), 1);
}

TEST(a_dry_run_uses_no_key_up) {
    (void)state;
    stet_mutation one = create("1");
    stet_write write = {
        .mutations = &one, .mutation_count = 1, .mutation_key = VIEW("k"), .dry_run = true};
    must(run(&write));
    assert_false(must(keyed(one, "k")).replayed);
}

TEST(a_generated_id_is_the_same_when_the_write_is_repeated) {
    (void)state;
    struct answer first = must(keyed(create(NULL), "k"));
    struct answer again = must(keyed(create(NULL), "k"));
    assert_true(again.replayed);
    assert_string_equal(json_at(again.body, "/id"), json_at(first.body, "/id"));
}

TEST(a_transaction_is_replayed_as_it_was_after_more_changes) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    must_put("2", none, "{\"n\":1}");
    const stet_mutation both[] = {
        mutation(STET_OP_PUT, "1", at(1), "{\"n\":2}"),
        mutation(STET_OP_CHECK, "2", at(1), NULL),
        mutation(STET_OP_CHECK, "3", absent, NULL),
        mutation(STET_OP_PUT, "2", at(1), "{\"n\":1}"),
        mutation(STET_OP_CREATE, "4", none, "{}"),
    };
    struct answer first = must(transact(both, 5, "k"));
    must_put("1", at(2), "{\"n\":3}");
    must_put("2", at(1), "{\"n\":4}");
    must_put("3", none, "{}");
    uint64_t seq = seq_now();
    struct answer again = must(transact(both, 5, "k"));
    assert_true(again.replayed);
    assert_string_equal(again.body, first.body);
    assert_int_equal(again.seq, first.seq);
    assert_int_equal(seq_now(), seq);
}

TEST(a_replayed_transaction_that_changed_nothing_has_a_position) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    const stet_mutation same[] = {mutation(STET_OP_PUT, "1", at(1), "{\"n\":1}")};
    assert_int_equal(must(transact(same, 1, "k")).seq, 1);
    assert_int_equal(must(transact(same, 1, "k")).seq, 1);
}

TEST(a_key_is_remembered_for_its_retention_and_forgotten_after_twice_that) {
    (void)state;
    must(keyed(create("1"), "old"));
    for (int day = 0; day < 6; day++) {
        char id[16], key[16];
        snprintf(id, sizeof id, "d%d", day);
        snprintf(key, sizeof key, "k%d", day);
        clock_manual_advance(&world.clock, 24 * 3600 * CLOCK_NS_PER_S);
        must(keyed(create(id), key));
    }
    assert_true(must(keyed(create("1"), "old")).replayed);
    for (int rotation = 0; rotation < 2; rotation++) {
        char key[16];
        snprintf(key, sizeof key, "r%d", rotation);
        clock_manual_advance(&world.clock, (KEY_RETENTION_S + 3600) * CLOCK_NS_PER_S);
        must(keyed(create(key), key));
    }
    check_status(keyed(create("1"), "old"), STET_ALREADY_EXISTS);
}

/* ---- Receipts ---------------------------------------------------------------------------- */

TEST(keys_of_writes_that_changed_nothing_survive_a_long_quiet) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    stet_mutation same = mutation(STET_OP_PUT, "1", at(1), "{\"n\":1}");
    clock_manual_advance(&world.clock, (KEY_RETENTION_S + 3600) * CLOCK_NS_PER_S);
    for (int i = 0; i < 4; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        assert_true(must(keyed(same, key)).unchanged);
        clock_manual_advance(&world.clock, CLOCK_NS_PER_S);
    }
    must_put("1", at(1), "{\"n\":2}");
    assert_true(must(keyed(same, "k0")).replayed);
}

TEST(a_receipt_of_what_took_effect_says_where) {
    (void)state;
    must(keyed(create("1"), "k"));
    struct answer receipt = must(receipt_of("k"));
    check_json(receipt.body, "/client_mutation_id", "\"k\"");
    check_json(receipt.body, "/status", "\"confirmed\"");
    check_json(receipt.body, "/results/0/address", "\"task/1\"");
    check_json(receipt.body, "/results/0/version", "1");
    check_json(receipt.body, "/seq", "1");
}

TEST(a_receipt_of_a_refusal_says_how) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    check_status(keyed(mutation(STET_OP_PUT, "1", at(9), "{\"n\":2}"), "stale"),
                 STET_CONCURRENT_MODIFICATION);
    check_status(keyed(create("1"), "exists"), STET_ALREADY_EXISTS);
    check_status(keyed(mutation(STET_OP_DELETE, "2", none, NULL), "nothing"), STET_NOT_FOUND);
    check_json(receipt_of("stale").body, "/status", "\"conflict\"");
    check_json(receipt_of("exists").body, "/status", "\"rejected\"");
    check_json(receipt_of("exists").body, "/code", "\"ALREADY_EXISTS\"");
    check_json(receipt_of("nothing").body, "/status", "\"rejected\"");
    check_json(receipt_of("nothing").body, "/code", "\"NOT_FOUND\"");
}

TEST(a_receipt_of_an_unheard_key_is_unknown_as_of_a_position) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    struct answer receipt = must(receipt_of("never"));
    check_json(receipt.body, "/status", "\"unknown\"");
    check_json(receipt.body, "/seq", "1");
}

TEST(a_receipt_waits_for_the_write_submitted_before_it) {
    (void)state;
    stet_mutation one = create("1");
    struct stet_command *write =
        start(&(stet_write){.mutations = &one, .mutation_count = 1, .mutation_key = VIEW("k")});
    struct stet_command *receipt = command_create(world.fixture.client);
    assert_int_equal(command_set_key(receipt, VIEW("k"), NULL), STET_OK);
    receipt->kind = COMMAND_RECEIPT;
    submitted(receipt);
    check_json(must(take(receipt)).body, "/status", "\"confirmed\"");
    must(take(write));
}

TEST(a_later_success_replaces_the_receipt_of_a_refusal) {
    (void)state;
    stet_mutation put = mutation(STET_OP_PUT, "1", at(1), "{\"n\":2}");
    check_status(keyed(put, "k"), STET_NOT_FOUND);
    must_put("1", none, "{\"n\":1}");
    must(keyed(put, "k"));
    check_json(receipt_of("k").body, "/status", "\"confirmed\"");
}

TEST(receipts_belong_to_their_actor) {
    (void)state;
    must(keyed(create("1"), "k"));
    be("bob");
    check_json(receipt_of("k").body, "/status", "\"unknown\"");
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_repeated_write_gets_the_first_answer_and_writes_nothing),
        WORLD(a_replay_shows_the_first_result_after_the_record_moved_on),
        WORLD(a_key_used_for_another_request_is_refused),
        WORLD(an_unchanged_write_uses_its_key_up),
        WORLD(a_refused_write_leaves_its_key_free),
        WORLD(keys_belong_to_their_actor),
        WORLD(two_writes_with_one_key_in_one_batch_take_effect_once),
        WORLD(a_dry_run_uses_no_key_up),
        WORLD(a_generated_id_is_the_same_when_the_write_is_repeated),
        WORLD(a_transaction_is_replayed_as_it_was_after_more_changes),
        WORLD(a_replayed_transaction_that_changed_nothing_has_a_position),
        WORLD(a_key_is_remembered_for_its_retention_and_forgotten_after_twice_that),
        WORLD(keys_of_writes_that_changed_nothing_survive_a_long_quiet),
        WORLD(a_receipt_of_what_took_effect_says_where),
        WORLD(a_receipt_of_a_refusal_says_how),
        WORLD(a_receipt_of_an_unheard_key_is_unknown_as_of_a_position),
        WORLD(a_receipt_waits_for_the_write_submitted_before_it),
        WORLD(a_later_success_replaces_the_receipt_of_a_refusal),
        WORLD(receipts_belong_to_their_actor),
    };
    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
