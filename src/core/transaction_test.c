/* Transactions: all or nothing, one report of everything that stands in the way, one position. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/write_fixture.h"

#define TEST(name) static void name(void **state)

TEST(a_transaction_commits_all_and_its_changes_share_its_last_position) {
    (void)state;
    must_put("0", none, "{}");
    const stet_mutation all[] = {
        mutation(STET_OP_CREATE, "1", none, "{\"n\":1}"),
        mutation(STET_OP_PUT, "2", none, "{\"n\":2}"),
        mutation(STET_OP_DELETE, "0", at(1), NULL),
    };
    struct answer answer = must(transact(all, 3, NULL));
    check_json(answer.body, "/seq", "4");
    check_json(answer.body, "/results/0/version", "1");
    check_json(answer.body, "/results/2/deleted", "true");
    check_json(history_of("1").body, "/changes/0/transaction", "4");
    check_json(history_of("2").body, "/changes/0/transaction", "4");
    check_json(history_of("0").body, "/changes/0/transaction", "4");
}

TEST(one_refusal_refuses_the_whole_transaction) {
    (void)state;
    must_put("2", none, "{\"n\":1}");
    uint64_t seq = seq_now();
    const stet_mutation all[] = {
        mutation(STET_OP_CREATE, "1", none, "{\"n\":1}"),
        mutation(STET_OP_PUT, "2", at(7), "{\"n\":2}"),
    };
    check_status(transact(all, 2, NULL), STET_CONCURRENT_MODIFICATION);
    check_status(read_record("1"), STET_NOT_FOUND);
    check_data("2", 1, "{\"n\":1}");
    assert_int_equal(seq_now(), seq);
}

TEST(the_report_holds_every_refusal_with_its_index) {
    (void)state;
    must_put("2", none, "{\"n\":1}");
    must_put("2", at(1), "{\"n\":2}");
    const stet_mutation all[] = {
        mutation(STET_OP_PUT, "2", at(1), "{\"n\":3}"), mutation(STET_OP_CREATE, "1", none, "{}"),
        mutation(STET_OP_CREATE, "2", none, "{}"),      mutation(STET_OP_DELETE, "9", at(1), NULL),
        mutation(STET_OP_CHECK, "2", at(1), NULL),
    };
    struct answer answer = transact(all, 5, NULL);
    check_status(answer, STET_CONCURRENT_MODIFICATION);
    check_json(answer.body, "/conflicts/0/index", "0");
    check_json(answer.body, "/conflicts/0/code", "\"CONCURRENT_MODIFICATION\"");
    check_json(answer.body, "/conflicts/0/current", "{\"n\":2}");
    check_json(answer.body, "/conflicts/1/index", "2");
    check_json(answer.body, "/conflicts/1/code", "\"ALREADY_EXISTS\"");
    check_json(answer.body, "/conflicts/2/code", "\"NOT_FOUND\"");
    check_json(answer.body, "/conflicts/3/index", "4");
    check_no_json(answer.body, "/conflicts/4");
}

TEST(a_check_that_fails_refuses_what_relied_on_it) {
    (void)state;
    must_put("1", none, "{}");
    must_put("1", at(1), "{\"n\":2}");
    const stet_mutation all[] = {
        mutation(STET_OP_CHECK, "1", at(1), NULL),
        mutation(STET_OP_CREATE, "2", none, "{}"),
    };
    check_status(transact(all, 2, NULL), STET_CONCURRENT_MODIFICATION);
    check_status(read_record("2"), STET_NOT_FOUND);
}

TEST(a_check_that_holds_writes_nothing) {
    (void)state;
    must_put("1", none, "{}");
    const stet_mutation all[] = {
        mutation(STET_OP_CHECK, "1", at(1), NULL),
        mutation(STET_OP_CHECK, "3", absent, NULL),
        mutation(STET_OP_CREATE, "2", none, "{}"),
    };
    must(transact(all, 3, NULL));
    check_data("1", 1, "{}");
    assert_int_equal(seq_now(), 2);
}

TEST(a_transaction_may_change_one_record_twice) {
    (void)state;
    const stet_mutation all[] = {
        mutation(STET_OP_CREATE, "1", none, "{\"n\":1}"),
        mutation(STET_OP_PATCH, "1", at(1), "{\"m\":2}"),
        mutation(STET_OP_DELETE, "1", at(2), NULL),
        mutation(STET_OP_PUT, "1", at(3), "{\"n\":4}"),
    };
    struct answer answer = must(transact(all, 4, NULL));
    check_json(answer.body, "/results/1/data", "{\"n\":1,\"m\":2}");
    check_json(answer.body, "/results/3/version", "4");
    check_data("1", 4, "{\"n\":4}");
}

TEST(a_dry_run_of_a_transaction_shows_what_would_be) {
    (void)state;
    const stet_mutation all[] = {
        mutation(STET_OP_CREATE, "1", none, "{\"n\":1}"),
        mutation(STET_OP_PUT, "1", at(1), "{\"n\":2}"),
        mutation(STET_OP_PUT, "1", at(2), "{\"n\":2}"),
    };
    const stet_write write = {
        .mutations = all, .mutation_count = 3, .transaction = true, .dry_run = true};
    struct stet_command *dry = start(&write);
    stet_mutation other = mutation(STET_OP_CREATE, "x", none, "{\"not\":\"yours\"}");
    struct stet_command *next = start(&(stet_write){.mutations = &other, .mutation_count = 1});
    struct answer answer = must(take(dry));
    must(take(next));
    check_json(answer.body, "/dry_run", "true");
    check_json(answer.body, "/seq", "2");
    check_json(answer.body, "/results/1/version", "2");
    check_json(answer.body, "/results/1/data", "{\"n\":2}");
    check_json(answer.body, "/results/2/unchanged", "true");
    check_json(answer.body, "/results/2/data", "{\"n\":2}");
    check_status(read_record("1"), STET_NOT_FOUND);
}

TEST(a_mutation_that_meets_its_own_transaction_is_told_so) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    const stet_mutation twice[] = {
        mutation(STET_OP_PUT, "1", at(1), "{\"n\":2}"),
        mutation(STET_OP_PUT, "1", at(1), "{\"n\":3}"),
    };
    const stet_write write = {.mutations = twice, .mutation_count = 2, .transaction = true};
    struct stet_command *refused = start(&write);
    /* Takes the seq that the refused transaction had for a moment. */
    stet_mutation other = mutation(STET_OP_CREATE, "x", none, "{\"not\":\"yours\"}");
    struct stet_command *next = start(&(stet_write){.mutations = &other, .mutation_count = 1});
    struct answer answer = take(refused);
    must(take(next));
    check_status(answer, STET_CONCURRENT_MODIFICATION);
    check_json(answer.body, "/conflicts/0/index", "1");
    check_json(answer.body, "/conflicts/0/current", "{\"n\":2}");
    check_no_json(answer.body, "/conflicts/0/resolution_token");
    assert_non_null(strstr(json_at(answer.body, "/conflicts/0/detail"), "earlier mutation"));
}

TEST(a_creation_that_meets_its_own_transaction_is_told_so) {
    (void)state;
    const stet_mutation twice[] = {
        mutation(STET_OP_CREATE, "1", none, "{\"n\":1}"),
        mutation(STET_OP_CREATE, "1", none, "{\"n\":2}"),
    };
    const stet_write write = {.mutations = twice, .mutation_count = 2, .transaction = true};
    struct stet_command *refused = start(&write);
    stet_mutation other = mutation(STET_OP_CREATE, "x", none, "{\"not\":\"yours\"}");
    struct stet_command *next = start(&(stet_write){.mutations = &other, .mutation_count = 1});
    struct answer answer = take(refused);
    must(take(next));
    check_json(answer.body, "/conflicts/0/code", "\"ALREADY_EXISTS\"");
    check_json(answer.body, "/conflicts/0/record/data", "{\"n\":1}");
}

TEST(a_refused_write_leaves_no_trace_in_the_writes_behind_it) {
    (void)state;
    const stet_mutation refused[] = {
        mutation(STET_OP_CREATE, "1", none, "{\"n\":1}"),
        mutation(STET_OP_DELETE, "9", none, NULL),
    };
    stet_mutation again = mutation(STET_OP_CREATE, "1", none, "{\"n\":2}");
    struct stet_command *first =
        start(&(stet_write){.mutations = refused, .mutation_count = 2, .transaction = true});
    struct stet_command *second = start(&(stet_write){.mutations = &again, .mutation_count = 1});
    check_status(take(first), STET_NOT_FOUND);
    assert_int_equal(must(take(second)).seq, 1);
    check_data("1", 1, "{\"n\":2}");
}

TEST(a_full_transaction_commits) {
    (void)state;
    static stet_mutation all[TRANSACTION_MUTATIONS_MAX];
    static char ids[TRANSACTION_MUTATIONS_MAX][16];
    for (int i = 0; i < TRANSACTION_MUTATIONS_MAX; i++) {
        snprintf(ids[i], sizeof ids[i], "%d", i);
        all[i] = mutation(STET_OP_CREATE, ids[i], none, "{}");
    }
    must(transact(all, TRANSACTION_MUTATIONS_MAX, "k"));
    assert_int_equal(seq_now(), TRANSACTION_MUTATIONS_MAX);
    assert_true(must(transact(all, TRANSACTION_MUTATIONS_MAX, "k")).replayed);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_transaction_commits_all_and_its_changes_share_its_last_position),
        WORLD(one_refusal_refuses_the_whole_transaction),
        WORLD(the_report_holds_every_refusal_with_its_index),
        WORLD(a_check_that_fails_refuses_what_relied_on_it),
        WORLD(a_check_that_holds_writes_nothing),
        WORLD(a_transaction_may_change_one_record_twice),
        WORLD(a_dry_run_of_a_transaction_shows_what_would_be),
        WORLD(a_mutation_that_meets_its_own_transaction_is_told_so),
        WORLD(a_creation_that_meets_its_own_transaction_is_told_so),
        WORLD(a_refused_write_leaves_no_trace_in_the_writes_behind_it),
        WORLD(a_full_transaction_commits),
    };
    return cmocka_run_group_tests_name("transaction", tests, NULL, NULL);
}
