/* What a notice says of each loss, and that opening it again offers all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/conflicts/conflicts_testing.h"

#include "core/policy_fixture.h"

static const char *notice_of(const char *person) {
    return unquoted(json_at(inbox_of(person).body, "/items/0/id"));
}

/* Opens the person's notice again and returns the conflict. */
static const char *taken_up(const char *person) {
    const char *id = notice_of(person);
    uint64_t version;
    assert_true(
        view_parse_u64(view_of(json_at(must(get_conflict(id)).body, "/version")), &version));
    must(reopen(id, version));
    return must(get_conflict(id)).body;
}

/* ben writes `his` from version `base`; ann writes `hers` from there, too, without having seen it. */
static void lose(stet_version base, const char *his, const char *hers) {
    be("ben");
    must_put("1", at(base), his);
    be("ann");
    must(overwrite("1", base, hers));
}

TEST(each_lost_value_says_where_it_stands_and_what_replaced_it) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"a\":1,\"b\":1}");
    lose(1, "{\"a\":2,\"b\":1}", "{\"a\":3,\"b\":1}");
    lose(3, "{\"a\":3,\"b\":2}", "{\"a\":3,\"b\":3}");
    const char *body = must(get_conflict(notice_of("ben"))).body;
    check_json(body, "/affected_data", "[\"/a\",\"/b\"]");
    check_json(body, "/base_version", "1");
    check_json(body, "/lost/0",
               "{\"pointer\":\"/a\",\"version\":2,\"base_version\":1,\"replaced_version\":3,"
               "\"replaced_seq\":3,\"replaced_by\":\"ann\",\"strategy\":\"last_writer_wins\"}");
    check_json(body, "/lost/1/version", "4");
    check_json(body, "/lost/1/replaced_version", "5");
    check_json(body, "/yours", "{\"a\":2,\"b\":2}");
}

TEST(what_was_lost_at_different_times_is_offered_together) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"a\":1,\"b\":1,\"c\":1}");
    lose(1, "{\"a\":2,\"b\":1,\"c\":1}", "{\"a\":1,\"b\":1,\"c\":2}");
    be("zoe");
    must_put("1", at(3), "{\"a\":1,\"b\":1,\"c\":3}");
    lose(4, "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"b\":4,\"c\":3}");
    const char *body = taken_up("ben");
    check_json(body, "/base", "{\"a\":1,\"b\":1,\"c\":1}");
    check_json(body, "/yours", "{\"a\":2,\"b\":2,\"c\":1}");
    check_json(body, "/fields/~1a/state", "\"clean_yours\"");
    check_json(body, "/fields/~1b/state", "\"conflict\"");
    check_json(body, "/fields/~1c/state", "\"clean_current\"");
    must(take(start_resolve(
        (stet_conflict_resolution){.id = view_of(unquoted(json_at(body, "/id"))),
                                   .token = view_of(unquoted(json_at(body, "/resolution_token"))),
                                   .choice = STET_CHOICE_FIELDS,
                                   .fields = VIEW("{\"/b\":\"yours\"}")})));
    check_data("1", 7, "{\"a\":2,\"b\":2,\"c\":3}");
}

TEST(a_field_that_others_changed_since_is_in_question) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"a\":1,\"b\":1}");
    lose(1, "{\"a\":2,\"b\":1}", "{\"a\":3,\"b\":1}");
    be("zoe");
    must_put("1", at(3), "{\"a\":4,\"b\":1}");
    lose(4, "{\"a\":4,\"b\":2}", "{\"a\":4,\"b\":1}");
    check_json(taken_up("ben"), "/fields/~1a/state", "\"conflict\"");
}

TEST(of_a_field_lost_twice_the_newest_value_is_offered) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"a\":{\"x\":1}}");
    lose(1, "{\"a\":{\"x\":2}}", "{\"a\":{\"x\":3}}");
    lose(3, "{\"a\":{\"x\":5}}", "{\"a\":{\"x\":6}}");
    const char *body = must(get_conflict(notice_of("ben"))).body;
    check_json(body, "/affected_data", "[\"/a/x\"]");
    check_no_json(body, "/affected_left_out");
    check_json(body, "/yours", "{\"a\":{\"x\":5}}");
    lose(5, "{\"a\":7}", "{\"a\":8}");
    body = must(get_conflict(notice_of("ben"))).body;
    check_json(body, "/affected_data", "[\"/a\"]");
    check_json(body, "/yours", "{\"a\":7}");
}

TEST(values_find_their_place_where_the_base_has_none) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"k\":1}");
    /* What ann leaves of the object makes each of its members a loss of its own. */
    lose(1, "{\"k\":1,\"o\":{\"p/q\":{\"x\":2},\"z\":0}}", "{\"k\":1,\"o\":{\"z\":0}}");
    lose(3, "{\"k\":1,\"o\":{\"p/q\":{\"y\":3},\"z\":0}}", "{\"k\":1,\"o\":{\"p/q\":{},\"z\":0}}");
    lose(5, "{\"k\":1,\"o\":{\"p/q\":{\"w\":[4]},\"z\":0}}",
         "{\"k\":1,\"o\":{\"p/q\":{},\"z\":1}}");
    const char *body = must(get_conflict(notice_of("ben"))).body;
    check_json(body, "/yours/k", "1");
    check_json(body, "/yours/o/p~1q/w", "[4]");
    assert_non_null(json_at(body, "/lost/1"));
}

TEST(a_value_that_was_taken_out_is_taken_out_again) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"a\":1,\"b\":1}");
    lose(1, "{\"b\":1}", "{\"a\":2,\"b\":1}");
    lose(3, "{\"a\":2,\"b\":2}", "{\"a\":2,\"b\":3}");
    check_json(must(get_conflict(notice_of("ben"))).body, "/yours", "{\"b\":2}");
}

TEST(a_deletion_that_did_not_stay_is_offered_as_one) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"a\":1}");
    be("ben");
    must_delete("1", at(1));
    be("ann");
    must(overwrite("1", 1, "{\"a\":2}"));
    const char *body = taken_up("ben");
    check_json(body, "/deletes", "true");
    must(resolve(unquoted(json_at(body, "/id")), unquoted(json_at(body, "/resolution_token")),
                 STET_CHOICE_YOURS));
    check_status(read_record("1"), STET_DELETED);
}

TEST(what_a_deletion_took_is_offered_whole) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"a\":1,\"b\":1}");
    be("zoe");
    must_put("1", at(1), "{\"a\":1,\"b\":2}");
    be("ben");
    must_put("1", at(2), "{\"a\":2,\"b\":2}");
    be("ann");
    stet_mutation one = mutation(STET_OP_DELETE, "1", at(1), NULL);
    one.on_conflict = STET_STRATEGY_LAST_WRITER_WINS;
    must(apply_one(one));
    check_json(taken_up("ben"), "/yours", "{\"a\":2,\"b\":2}");
}

TEST(a_read_notice_keeps_what_it_says_until_it_is_dealt_with) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"a\":1,\"b\":1}");
    lose(1, "{\"a\":2,\"b\":1}", "{\"a\":3,\"b\":1}");
    be("ben");
    stet_error err = {0};
    struct stet_command *command = new_command();
    must(take_filled(command, inbox_fill_read(command, NULL, 0, &err), &err));
    lose(3, "{\"a\":3,\"b\":2}", "{\"a\":3,\"b\":3}");
    const char *body = inbox_of("ben").body;
    check_json(body, "/unread", "1");
    check_json(body, "/items/0/times", "1");
    check_json(body, "/items/0/affected_data", "[\"/a\",\"/b\"]");
}

TEST(a_question_is_not_replaced_by_a_notice) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"a\":1,\"b\":1}");
    lose(1, "{\"a\":2,\"b\":1}", "{\"a\":3,\"b\":1}");
    const char *id = unquoted(json_at(taken_up("ben"), "/id"));
    lose(3, "{\"a\":3,\"b\":2}", "{\"a\":3,\"b\":3}");
    check_json(must(get_conflict(id)).body, "/state", "\"open\"");
    check_json(inbox_of("ben").body, "/total", "2");
    lose(5, "{\"a\":5,\"b\":3}", "{\"a\":6,\"b\":3}");
    check_json(inbox_of("ben").body, "/total", "2");
    pass(24 * 3600);
    lose(7, "{\"a\":7,\"b\":3}", "{\"a\":8,\"b\":3}");
    check_json(must(get_conflict(id)).body, "/state", "\"expired\"");
    check_json(inbox_of("ben").body, "/total", "2");
}

TEST(past_the_limit_the_oldest_losses_are_counted) {
    (void)state;
    char his[4096] = "{\"first\":2", hers[4096] = "{\"first\":3", field[32];
    be("zoe");
    must_put("1", none, "{\"first\":1}");
    lose(1, "{\"first\":2}", "{\"first\":3}");
    for (int i = 0; i < CONFLICT_POINTERS_MAX; i++) {
        snprintf(field, sizeof field, ",\"f%d\":1", i);
        strcat(his, field);
        snprintf(field, sizeof field, ",\"f%d\":2", i);
        strcat(hers, field);
    }
    his[strlen("{\"first\":")] = '3';
    strcat(his, "}");
    strcat(hers, "}");
    lose(3, his, hers);
    const char *body = must(get_conflict(notice_of("ben"))).body;
    check_json(body, "/affected_left_out", "1");
    check_json(body, "/affected_data/0", "\"/f0\"");
    check_json(body, "/yours/f99", "1");
    check_json(body, "/yours/first", "3");
    lose(5, "{\"first\":9}", "{\"first\":8}");
    body = must(get_conflict(notice_of("ben"))).body;
    assert_non_null(json_at(body, "/affected_left_out"));
}

TEST(a_name_too_long_to_be_noted_still_has_its_value) {
    (void)state;
    enum { LONG = NOTICE_POINTER_BYTES_MAX + 1 };
    char *name = calloc(1, LONG + 1), *his = calloc(1, LONG + 32), *hers = calloc(1, LONG + 32);
    memset(name, 'n', LONG);
    sprintf(his, "{\"%s\":2}", name);
    sprintf(hers, "{\"%s\":3}", name);
    be("zoe");
    must_put("1", none, "{}");
    lose(1, his, hers);
    const char *body = must(get_conflict(notice_of("ben"))).body;
    check_json(body, "/affected_left_out", "1");
    check_json(body, "/yours", his);
    check_json(taken_up("ben"), "/yours", his);
    free(name);
    free(his);
    free(hers);
}

TEST(a_rule_that_chose_is_named) {
    (void)state;
    declare_type(STET_STRATEGY_MERGE, "{\"/a\":{\"merge\":\"last_writer_wins\"}}");
    be("zoe");
    must_put("1", none, "{\"a\":1,\"b\":1}");
    be("ben");
    must_put("1", at(1), "{\"a\":2,\"b\":1}");
    be("ann");
    must_put("1", at(1), "{\"a\":3,\"b\":2}");
    const char *body = must(get_conflict(notice_of("ben"))).body;
    check_json(body, "/state", "\"settled\"");
    check_json(body, "/lost/0/rule", "\"last_writer_wins\"");
    check_json(body, "/lost/0/strategy", "\"merge\"");
    check_json(body, "/yours", "{\"a\":2,\"b\":1}");
    body = must(get_conflict("seq-3")).body;
    check_json(body, "/affected_data", "[\"/a\"]");
    check_json(body, "/conflict_type", "\"concurrent_edit\"");
}

/* The type keeps so many versions from now on; those before go. */
static void retain(uint32_t versions) {
    static uint64_t sequence;
    struct arena arena;
    arena_init(&arena, 1024);
    struct policy *policy = arena_zalloc(&arena, 1, sizeof *policy);
    assert_non_null(policy);
    atomic_init(&policy->refs, 1);
    policy->arena = arena;
    policy->type = VIEW("task");
    policy->version = policy->seq = ++sequence;
    policy->overrides = ~0u;
    policy->retain_versions = versions;
    struct policies *policies = world.fixture.space->policies;
    assert_int_equal(policies_reserve(policies, NULL), STET_OK);
    policies_stage(policies, VIEW("task"), policy);
    policies_publish(policies);
    for (int i = 0; i < 4; i++)
        pass(CLOCK_CONFIRM_S + DUE_RECHECK_S);
}

TEST(what_is_no_longer_kept_is_not_offered_and_said_to_be_missing) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"a\":1,\"b\":1}");
    lose(1, "{\"a\":2,\"b\":1}", "{\"a\":3,\"b\":1}");
    lose(3, "{\"a\":3,\"b\":2}", "{\"a\":3,\"b\":3}");
    retain(2);
    const char *id = notice_of("ben");
    const char *body = must(get_conflict(id)).body;
    check_json(body, "/not_kept", "1");
    check_json(body, "/yours", "{\"a\":3,\"b\":2}");
}

TEST(a_notice_of_which_nothing_is_kept_cannot_be_taken_up) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"a\":1}");
    lose(1, "{\"a\":2}", "{\"a\":3}");
    retain(1);
    const char *id = notice_of("ben");
    check_json(must(get_conflict(id)).body, "/yours", "null");
    check_status(reopen(id, 1), STET_PRUNED);
}

TEST(what_is_left_of_a_notice_can_be_taken_up) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"a\":1,\"b\":1}");
    lose(1, "{\"a\":2,\"b\":1}", "{\"a\":3,\"b\":1}");
    lose(3, "{\"a\":3,\"b\":2}", "{\"a\":3,\"b\":3}");
    retain(2);
    const char *body = taken_up("ben");
    check_json(body, "/yours/b", "2");
    assert_non_null(json_at(body, "/explanation"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define IN_A_WORLD(name) cmocka_unit_test_setup_teardown(name, setup, world_close)
        IN_A_WORLD(each_lost_value_says_where_it_stands_and_what_replaced_it),
        IN_A_WORLD(what_was_lost_at_different_times_is_offered_together),
        IN_A_WORLD(a_field_that_others_changed_since_is_in_question),
        IN_A_WORLD(of_a_field_lost_twice_the_newest_value_is_offered),
        IN_A_WORLD(values_find_their_place_where_the_base_has_none),
        IN_A_WORLD(a_value_that_was_taken_out_is_taken_out_again),
        IN_A_WORLD(a_deletion_that_did_not_stay_is_offered_as_one),
        IN_A_WORLD(what_a_deletion_took_is_offered_whole),
        IN_A_WORLD(a_read_notice_keeps_what_it_says_until_it_is_dealt_with),
        IN_A_WORLD(a_question_is_not_replaced_by_a_notice),
        IN_A_WORLD(past_the_limit_the_oldest_losses_are_counted),
        IN_A_WORLD(a_name_too_long_to_be_noted_still_has_its_value),
        IN_A_WORLD(a_rule_that_chose_is_named),
        IN_A_WORLD(what_is_no_longer_kept_is_not_offered_and_said_to_be_missing),
        IN_A_WORLD(a_notice_of_which_nothing_is_kept_cannot_be_taken_up),
        IN_A_WORLD(what_is_left_of_a_notice_can_be_taken_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
