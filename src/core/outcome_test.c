/* Outcomes: a success shows the record, a refusal holds the members of its problem, "code" and "detail" first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/write_fixture.h"

#define TEST(name) static void name(void **state)

static void check_problem(struct answer answer, const char *code) {
    char begin[64];
    snprintf(begin, sizeof begin, "{\"code\":\"%s\",\"detail\":\"", code);
    if (strncmp(answer.body, begin, strlen(begin)) != 0) fail_msg("%s", answer.body);
    assert_true(strlen(answer.message) > 0);
}

TEST(a_success_shows_the_record_as_it_is_now) {
    (void)state;
    struct answer made = must(try_put("a/b", none, "{\"n\":1}"));
    check_json(made.body, "/type", "\"task\"");
    check_json(made.body, "/id", "\"a/b\"");
    check_json(made.body, "/address", "\"task/a%2Fb\"");
    check_json(made.body, "/version", "1");
    check_json(made.body, "/seq", "1");
    check_json(made.body, "/created_by", "\"ann\"");
    check_json(made.body, "/data", "{\"n\":1}");
    check_no_json(made.body, "/deleted");
}

TEST(a_minimal_answer_has_its_numbers_and_no_body) {
    (void)state;
    stet_mutation one = mutation(STET_OP_CREATE, "1", none, "{}");
    struct answer made =
        must(run(&(stet_write){.mutations = &one, .mutation_count = 1, .minimal = true}));
    assert_string_equal(made.body, "");
    assert_int_equal(made.version, 1);
    assert_int_equal(made.seq, 1);
    assert_true(made.created);
}

TEST(a_missing_base_is_answered_with_the_version_to_name) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    struct answer refused = try_put("1", none, "{\"n\":2}");
    check_problem(refused, "PRECONDITION_REQUIRED");
    check_json(refused.body, "/current_version", "1");
    check_json(refused.body, "/address", "\"task/1\"");
}

TEST(what_exists_already_is_shown) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    struct answer refused = apply(STET_OP_CREATE, "1", none, "{\"n\":2}");
    check_problem(refused, "ALREADY_EXISTS");
    check_json(refused.body, "/current_version", "1");
    check_json(refused.body, "/record/data", "{\"n\":1}");
    assert_int_equal(refused.version, 1);
}

TEST(what_is_deleted_is_answered_with_the_tombstones_version) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    must_delete("1", at(1));
    struct answer refused = apply(STET_OP_DELETE, "1", at(1), NULL);
    check_problem(refused, "DELETED");
    check_json(refused.body, "/version", "2");
    assert_int_equal(refused.version, 2);
}

TEST(a_refused_transaction_counts_what_stood_in_the_way) {
    (void)state;
    const stet_mutation all[] = {
        mutation(STET_OP_DELETE, "1", none, NULL),
        mutation(STET_OP_CREATE, "2", none, "{}"),
        mutation(STET_OP_DELETE, "3", none, NULL),
    };
    struct answer refused = transact(all, 3, NULL);
    check_problem(refused, "NOT_FOUND");
    assert_non_null(strstr(refused.message, "2 of the 3"));
}

TEST(a_deletion_answers_with_the_tombstone) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    struct answer gone = must(apply(STET_OP_DELETE, "1", at(1), NULL));
    check_json(gone.body, "/deleted", "true");
    check_json(gone.body, "/version", "2");
    assert_false(gone.created);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WORLD(a_success_shows_the_record_as_it_is_now),
        WORLD(a_minimal_answer_has_its_numbers_and_no_body),
        WORLD(a_missing_base_is_answered_with_the_version_to_name),
        WORLD(what_exists_already_is_shown),
        WORLD(what_is_deleted_is_answered_with_the_tombstones_version),
        WORLD(a_refused_transaction_counts_what_stood_in_the_way),
        WORLD(a_deletion_answers_with_the_tombstone),
    };
    return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
