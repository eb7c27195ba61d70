/* Settling a conflict, once; and opening one again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/reservations.h"
#include "modules/conflicts/conflicts_testing.h"

/* ---- Choices ----------------------------------------------------------------------------- */

TEST(yours_is_written_and_the_conflict_is_over_in_one_transaction) {
    (void)state;
    const char *id = parked_deal("1");
    struct answer settled = must(resolve(id, token_of(id), STET_CHOICE_YOURS));
    check_json(settled.body, "/state", "\"resolved\"");
    check_json(settled.body, "/record/data", "{\"amount\":3,\"title\":\"a\"}");
    check_json(settled.body, "/result_version", "3");
    assert_int_equal(settled.version, 3);
    check_data("1", 3, "{\"amount\":3,\"title\":\"a\"}");
    const char *history = history_of("1").body;
    check_json(history, "/changes/0/source", "\"resolve\"");
    check_json(history, "/changes/0/merge/strategy", "\"resolve\"");
    uint64_t seq, transaction;
    view_parse_u64(view_of(json_at(history, "/changes/0/seq")), &seq);
    view_parse_u64(view_of(json_at(history, "/changes/0/transaction")), &transaction);
    assert_int_equal(transaction, seq + 1);
}

TEST(history_leads_from_a_resolution_to_its_conflict) {
    (void)state;
    const char *id = parked_deal("1");
    must(resolve(id, token_of(id), STET_CHOICE_YOURS));
    const char *body = history_of("1").body;
    assert_string_equal(unquoted(json_at(body, "/changes/0/merge/conflict_id")), id);
    check_json(body, "/changes/0/merge/parents", "[1,2]");
    check_json(must(get_conflict(id)).body, "/state", "\"resolved\"");
}

static struct answer resolve_with(const char *id, const char *yours) {
    return take(start_resolve((stet_conflict_resolution){.id = view_of(id),
                                                         .token = view_of(token_of(id)),
                                                         .choice = STET_CHOICE_YOURS,
                                                         .yours = view_of(yours)}));
}

TEST(yours_may_be_sent_along_and_must_be_what_waits) {
    (void)state;
    const char *id = parked_deal("1");
    struct answer refused = resolve_with(id, "{\"amount\":4,\"title\":\"a\"}");
    check_status(refused, STET_BAD_REQUEST);
    assert_string_equal(refused.field, "yours");
    refused = resolve_with(id, "{");
    check_status(refused, STET_BAD_JSON);
    check_data("1", 2, "{\"amount\":2,\"title\":\"a\"}");
    must(resolve_with(id, "{ \"title\": \"a\", \"amount\": 3 }"));
    check_data("1", 3, "{\"amount\":3,\"title\":\"a\"}");
    id = must_park("1", 1, NULL);
    check_status(resolve_with(id, "{}"), STET_BAD_REQUEST);
    must(resolve_with(id, ""));
}

TEST(current_leaves_the_record_as_it_is) {
    (void)state;
    const char *id = parked_deal("1");
    be("ben");
    struct answer settled = must(resolve(id, token_of(id), STET_CHOICE_CURRENT));
    assert_true(settled.unchanged);
    check_json(settled.body, "/kept", "true");
    check_data("1", 2, "{\"amount\":2,\"title\":\"a\"}");
    /* Somebody else decided against ann's change: she is told. */
    check_json(inbox_of("ann").body, "/items/0/state", "\"resolved\"");
    check_json(inbox_of("ben").body, "/total", "0");
}

TEST(fields_are_chosen_one_by_one) {
    (void)state;
    const char *id = parked_deal("1");
    struct answer settled = must(take(start_resolve(
        (stet_conflict_resolution){.id = view_of(id),
                                   .token = view_of(token_of(id)),
                                   .choice = STET_CHOICE_FIELDS,
                                   .fields = VIEW("{\"/amount\":{\"value\":2.5}}")})));
    check_json(settled.body, "/record/data/amount", "2.5");
}

TEST(custom_data_is_written_as_it_is) {
    (void)state;
    const char *id = parked_deal("1");
    must(take(start_resolve((stet_conflict_resolution){.id = view_of(id),
                                                       .token = view_of(token_of(id)),
                                                       .choice = STET_CHOICE_CUSTOM,
                                                       .data = VIEW("{\"amount\":0}")})));
    check_data("1", 3, "{\"amount\":0}");
}

TEST(what_still_conflicts_is_not_merged) {
    (void)state;
    const char *id = parked_deal("1");
    check_status(resolve(id, token_of(id), STET_CHOICE_MERGED), STET_BAD_REQUEST);
    check_json(must(get_conflict(id)).body, "/state", "\"open\"");
}

TEST(a_waiting_deletion_is_carried_out_when_it_is_chosen) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"amount\":1}");
    must_put("1", at(1), "{\"amount\":2}");
    be("ann");
    const char *id = must_park("1", 1, NULL);
    check_json(must(get_conflict(id)).body, "/deletes", "true");
    must(resolve(id, token_of(id), STET_CHOICE_YOURS));
    check_status(read_record("1"), STET_DELETED);
}

TEST(a_write_that_met_a_deletion_brings_the_record_back_when_it_is_chosen) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"amount\":1}");
    must_delete("1", at(1));
    be("ann");
    const char *id = must_park("1", 1, "{\"amount\":3}");
    must(resolve(id, token_of(id), STET_CHOICE_YOURS));
    check_data("1", 3, "{\"amount\":3}");
}

/* ---- Tokens ------------------------------------------------------------------------------ */

TEST(without_a_token_nothing_is_overwritten) {
    (void)state;
    const char *id = parked_deal("1");
    check_status(resolve(id, "", STET_CHOICE_YOURS), STET_BAD_REQUEST);
    must(resolve(id, "", STET_CHOICE_CURRENT));
}

TEST(tokens_are_for_one_conflict_and_one_person) {
    (void)state;
    const char *first = parked_deal("1");
    const char *second = parked_deal("2");
    const char *token = token_of(first);
    check_status(resolve(second, token, STET_CHOICE_YOURS), STET_TOKEN_INVALID);
    check_status(resolve(first, "AAAA", STET_CHOICE_YOURS), STET_TOKEN_INVALID);
    be("ben");
    check_status(resolve(first, token, STET_CHOICE_YOURS), STET_TOKEN_INVALID);
}

TEST(a_record_that_moved_on_is_a_new_conflict) {
    (void)state;
    const char *id = parked_deal("1");
    const char *token = token_of(id);
    be("ben");
    must_put("1", at(2), "{\"amount\":7,\"title\":\"a\"}");
    be("ann");
    struct answer refused = resolve(id, token, STET_CHOICE_CURRENT);
    check_status(refused, STET_CONCURRENT_MODIFICATION);
    check_json(refused.body, "/current/amount", "7");
    check_json(refused.body, "/yours/amount", "3");
    check_json(refused.body, "/base/amount", "1");
    const char *again = unquoted(json_at(refused.body, "/resolution_token"));
    must(resolve(id, again, STET_CHOICE_YOURS));
    check_data("1", 4, "{\"amount\":3,\"title\":\"a\"}");
}

TEST(the_second_to_settle_is_told_who_was_first) {
    (void)state;
    const char *id = parked_deal("1");
    const char *token = token_of(id);
    be("ben");
    must(resolve(id, token_of(id), STET_CHOICE_CURRENT));
    be("ann");
    struct answer refused = resolve(id, token, STET_CHOICE_YOURS);
    check_status(refused, STET_ALREADY_RESOLVED);
    check_json(refused.body, "/conflict/resolved_by", "\"ben\"");
    check_json(refused.body, "/conflict/choice", "\"current\"");
    check_data("1", 2, "{\"amount\":2,\"title\":\"a\"}");
}

TEST(of_two_in_one_batch_one_wins) {
    (void)state;
    const char *id = parked_deal("1");
    const char *token = token_of(id);
    stet_conflict_resolution choice = {
        .id = view_of(id), .token = view_of(token), .choice = STET_CHOICE_YOURS};
    struct stet_command *first = start_resolve(choice);
    choice.choice = STET_CHOICE_CURRENT;
    struct stet_command *second = start_resolve(choice);
    must(take(first));
    check_status(take(second), STET_ALREADY_RESOLVED);
    check_data("1", 3, "{\"amount\":3,\"title\":\"a\"}");
}

TEST(after_its_deadline_a_conflict_is_settled) {
    (void)state;
    const char *id = parked_deal("1");
    const char *token = token_of(id);
    pass(24 * 3600 + 1);
    struct answer refused = resolve(id, token, STET_CHOICE_YOURS);
    check_status(refused, STET_ALREADY_RESOLVED);
    check_json(refused.body, "/conflict/state", "\"expired\"");
}

/* ---- Receipts ---------------------------------------------------------------------------- */

TEST(the_receipt_of_a_waiting_write_follows_its_conflict) {
    (void)state;
    parked_deal("1");
    stet_mutation one = mutation(STET_OP_PUT, "1", at(1), "{\"amount\":6}");
    one.on_conflict = STET_STRATEGY_ASK;
    const char *id = unquoted(json_at(must(keyed(one, "key-1")).body, "/conflict_id"));
    check_json(must(receipt_of("key-1")).body, "/status", "\"pending\"");
    must(resolve(id, token_of(id), STET_CHOICE_YOURS));
    check_json(must(receipt_of("key-1")).body, "/status", "\"confirmed\"");
    one.body = VIEW("{\"amount\":5}");
    id = unquoted(json_at(must(keyed(one, "key-2")).body, "/conflict_id"));
    must(resolve(id, token_of(id), STET_CHOICE_CURRENT));
    check_json(must(receipt_of("key-2")).body, "/status", "\"rejected\"");
}

/* ---- Opening again ----------------------------------------------------------------------- */

TEST(an_expired_conflict_is_opened_again_and_settled) {
    (void)state;
    const char *id = parked_deal("1");
    pass(24 * 3600);
    struct answer refused = reopen(id, STET_VERSION_NONE);
    check_status(refused, STET_PRECONDITION_REQUIRED);
    check_status(reopen(id, 1), STET_CONCURRENT_MODIFICATION);
    struct answer opened = must(reopen(id, 2));
    check_json(opened.body, "/state", "\"open\"");
    check_json(opened.body, "/event", "\"reopened\"");
    check_status(reopen(id, 3), STET_ALREADY_EXISTS);
    must(resolve(id, token_of(id), STET_CHOICE_YOURS));
    check_data("1", 3, "{\"amount\":3,\"title\":\"a\"}");
    check_status(reopen(id, 4), STET_ALREADY_RESOLVED);
}

TEST(what_was_overwritten_is_brought_back_by_reopening_the_notice) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"amount\":1,\"title\":\"a\"}");
    be("ben");
    must_put("1", at(1), "{\"amount\":2,\"title\":\"a\"}");
    be("ann");
    must(overwrite("1", 1, "{\"amount\":1,\"title\":\"b\"}"));
    const char *id = unquoted(json_at(inbox_of("ben").body, "/items/0/id"));
    check_json(must(get_conflict(id)).body, "/yours/amount", "2");
    check_json(must(get_conflict(id)).body, "/result/title", "\"b\"");
    must(reopen(id, 1));
    const char *body = must(get_conflict(id)).body;
    check_json(body, "/merged", "{\"amount\":2,\"title\":\"b\"}");
    must(resolve(id, token_of(id), STET_CHOICE_MERGED));
    check_data("1", 4, "{\"amount\":2,\"title\":\"b\"}");
}

static const char *merged_deal(void) {
    be("zoe");
    must_put("1", none, "{\"amount\":1,\"title\":\"a\"}");
    be("ben");
    must_put("1", at(1), "{\"amount\":2,\"title\":\"a\"}");
    be("ann");
    stet_mutation one = mutation(STET_OP_PUT, "1", at(1), "{\"amount\":1,\"title\":\"b\"}");
    one.on_conflict = STET_STRATEGY_MERGE;
    return unquoted(json_at(must(apply_one(one)).body, "/merge/conflict_id"));
}

TEST(an_automatic_merge_is_shown_with_both_sides) {
    (void)state;
    const char *id = merged_deal();
    assert_string_equal(id, "seq-3");
    const char *body = must(get_conflict(id)).body;
    check_json(body, "/state", "\"merged\"");
    check_json(body, "/base", "{\"amount\":1,\"title\":\"a\"}");
    check_json(body, "/current", "{\"amount\":2,\"title\":\"a\"}");
    check_json(body, "/yours", "{\"amount\":1,\"title\":\"b\"}");
    check_json(body, "/result", "{\"amount\":2,\"title\":\"b\"}");
    check_json(body, "/merge/fields/~1title/from", "\"yours\"");
    /* No field was changed by both, so all are shown that either side changed. */
    check_json(body, "/affected_data", "[\"/amount\",\"/title\"]");
    check_json(body, "/conflict_type", "\"version_mismatch\"");
}

TEST(an_automatic_merge_is_taken_back_by_reopening_it) {
    (void)state;
    const char *id = merged_deal();
    check_status(reopen(id, STET_VERSION_NONE), STET_PRECONDITION_REQUIRED);
    check_status(reopen(id, 2), STET_CONCURRENT_MODIFICATION);
    must(reopen(id, 3));
    const char *body = must(get_conflict(id)).body;
    check_json(body, "/yours/title", "\"b\"");
    check_json(body, "/affected_data", "[\"/amount\",\"/title\"]");
    must(take(
        start_resolve((stet_conflict_resolution){.id = view_of(id),
                                                 .token = view_of(token_of(id)),
                                                 .choice = STET_CHOICE_CUSTOM,
                                                 .data = VIEW("{\"amount\":2,\"title\":\"a\"}")})));
    check_data("1", 4, "{\"amount\":2,\"title\":\"a\"}");
}

/* ---- Reserved records -------------------------------------------------------------------- */

static void reserve_deal(const char *id) {
    const struct rank rank = {.level = RESERVATION_LEVEL,
                              .class_ = STET_CLASS_HIGH,
                              .stamp = 1,
                              .operation = VIEW("busy")};
    const struct reserved_record record = {.type = VIEW("task"), .id = view_of(id)};
    reservations_take(world.fixture.space, &rank, &record, 1,
                      clock_monotonic_ns(&world.clock.clock) + 30 * CLOCK_NS_PER_S);
}

TEST(settling_waits_for_an_operation_that_reserved_the_record) {
    (void)state;
    const char *id = parked_deal("1");
    const char *token = token_of(id);
    reserve_deal("1");
    struct stet_command *waiting = start_resolve((stet_conflict_resolution){
        .id = view_of(id), .token = view_of(token), .choice = STET_CHOICE_YOURS});
    pass_ms(RESERVATION_WAIT_MS_MAX - 1);
    assert_false(waiting->done);
    check_json(must(get_conflict(id)).body, "/state", "\"open\"");
    reservations_release(world.fixture.space, VIEW("busy"));
    must_put("other", none, "{}");
    check_status(take(waiting), STET_OK);
    check_data("1", 3, "{\"amount\":3,\"title\":\"a\"}");
}

TEST(a_deadline_does_not_wait_for_it) {
    (void)state;
    declare("task", (struct terms_of_type){.on_conflict = STET_STRATEGY_ASK,
                                           .fallback = STET_STRATEGY_LAST_WRITER_WINS,
                                           .deadline_s = 10});
    parked_deal("1");
    pass(9);
    reserve_deal("1");
    pass(1);
    check_data("1", 3, "{\"amount\":3,\"title\":\"a\"}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define IN_A_WORLD(name) cmocka_unit_test_setup_teardown(name, setup, world_close)
        IN_A_WORLD(settling_waits_for_an_operation_that_reserved_the_record),
        IN_A_WORLD(a_deadline_does_not_wait_for_it),
        IN_A_WORLD(yours_is_written_and_the_conflict_is_over_in_one_transaction),
        IN_A_WORLD(history_leads_from_a_resolution_to_its_conflict),
        IN_A_WORLD(yours_may_be_sent_along_and_must_be_what_waits),
        IN_A_WORLD(current_leaves_the_record_as_it_is),
        IN_A_WORLD(fields_are_chosen_one_by_one),
        IN_A_WORLD(custom_data_is_written_as_it_is),
        IN_A_WORLD(what_still_conflicts_is_not_merged),
        IN_A_WORLD(a_waiting_deletion_is_carried_out_when_it_is_chosen),
        IN_A_WORLD(a_write_that_met_a_deletion_brings_the_record_back_when_it_is_chosen),
        IN_A_WORLD(without_a_token_nothing_is_overwritten),
        IN_A_WORLD(tokens_are_for_one_conflict_and_one_person),
        IN_A_WORLD(a_record_that_moved_on_is_a_new_conflict),
        IN_A_WORLD(the_second_to_settle_is_told_who_was_first),
        IN_A_WORLD(of_two_in_one_batch_one_wins),
        IN_A_WORLD(after_its_deadline_a_conflict_is_settled),
        IN_A_WORLD(the_receipt_of_a_waiting_write_follows_its_conflict),
        IN_A_WORLD(an_expired_conflict_is_opened_again_and_settled),
        IN_A_WORLD(what_was_overwritten_is_brought_back_by_reopening_the_notice),
        IN_A_WORLD(an_automatic_merge_is_shown_with_both_sides),
        IN_A_WORLD(an_automatic_merge_is_taken_back_by_reopening_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
