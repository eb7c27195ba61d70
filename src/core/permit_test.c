/*
 * Writing under access rules, end to end through the sequencer: who may do what to which record, what they are told, and what nobody is
 * told. core/access_test.c tests the rules by themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/write_fixture.h"

#include "core/access_fixture.h"
#include "core/policy_fixture.h"

#define TEST(name) static void name(void **state)

/* ---- People and rules --------------------------------------------------------------------- */

static void declare_access(stet_strategy strategy, const char *fields, const char *access) {
    declare_type(strategy, fields);
    give_access(access);
}

#define BOSS "actor.roles contains 'boss'"
static const char *const rules = "{`read`:`public || owner = actor.id || " BOSS "`,"
                                 "`create`:`owner = actor.id || " BOSS "`,"
                                 "`update`:`owner = actor.id || " BOSS "`,"
                                 "`delete`:`" BOSS "`,"
                                 "`fields`:{`/secret`:{`hidden`:`!(" BOSS ")`},"
                                 "`/deep/secret`:{`hidden`:`!(" BOSS ")`},"
                                 "`/price`:{`readonly`:`!(" BOSS ")`}}}";

#define MARK "s3cr3t"
static const char *const hers =
    "{\"owner\":\"ann\",\"public\":true,\"n\":1,\"price\":5,"
    "\"secret\":\"" MARK "\",\"deep\":{\"a\":1,\"secret\":\"" MARK "\"}}";
static const char *const hidden_one = "{\"owner\":\"zoe\",\"n\":1,\"secret\":\"" MARK "\"}";

/* a: ann's and public, b: nobody's business but zoe's. */
static int setup(void **state) {
    told_open(state);
    declare_access(STET_STRATEGY_REJECT, "{}", rules);
    as("zoe", "boss");
    must_put("a", none, hers);
    must_put("b", none, hidden_one);
    return 0;
}

static void check_denied(struct answer answer, stet_status status, const char *field) {
    check_status(answer, status);
    assert_string_equal(answer.field, field);
    assert_null(strstr(answer.body, MARK));
    assert_null(strstr(answer.message, MARK));
    assert_null(strstr(answer.body, "zoe"));
}

/* ---- Every verb, for every kind of person ------------------------------------------------- */

struct attempt {
    const char *who, *role;
    stet_op op;
    const char *id;
    int base; /* A version; 0: none; -1: absent. */
    const char *body;
    stet_status status;
    const char *field;
};

#define MINE "{\"owner\":\"ann\",\"public\":true,\"n\":2,\"price\":5,\"deep\":{\"a\":1}}"

static const struct attempt attempts[] = {
    /* The owner. */
    {"ann", NULL, STET_OP_PUT, "a", 1, MINE, STET_OK, ""},
    {"ann", NULL, STET_OP_PATCH, "a", 1, "{\"n\":3}", STET_OK, ""},
    {"ann", NULL, STET_OP_PATCH_JSON, "a", 1, "[{\"op\":\"replace\",\"path\":\"/n\",\"value\":4}]",
     STET_OK, ""},
    {"ann", NULL, STET_OP_DELETE, "a", 1, NULL, STET_FORBIDDEN, ""},
    {"ann", NULL, STET_OP_CHECK, "a", 1, NULL, STET_OK, ""},
    {"ann", NULL, STET_OP_CREATE, "c", 0, "{\"owner\":\"ann\"}", STET_OK, ""},
    {"ann", NULL, STET_OP_CREATE, "c", 0, "{\"owner\":\"bob\"}", STET_FORBIDDEN, ""},
    {"ann", NULL, STET_OP_CREATE, "a", 0, "{\"owner\":\"ann\"}", STET_ALREADY_EXISTS, ""},
    {"ann", NULL, STET_OP_PUT, "a", 0, MINE, STET_PRECONDITION_REQUIRED, ""},
    /* Gives it away: what it becomes is not hers to change. */
    {"ann", NULL, STET_OP_PATCH, "a", 1, "{\"owner\":\"bob\"}", STET_FORBIDDEN, ""},
    /* Fields that are not hers. */
    {"ann", NULL, STET_OP_PATCH, "a", 1, "{\"price\":6}", STET_FORBIDDEN, "/price"},
    {"ann", NULL, STET_OP_PATCH, "a", 1, "{\"price\":null}", STET_FORBIDDEN, "/price"},
    {"ann", NULL, STET_OP_CREATE, "c", 0, "{\"owner\":\"ann\",\"price\":1}", STET_FORBIDDEN,
     "/price"},
    {"ann", NULL, STET_OP_CREATE, "c", 0, "{\"owner\":\"ann\",\"secret\":1}", STET_FORBIDDEN,
     "/secret"},
    {"ann", NULL, STET_OP_PUT, "a", 1, "{\"owner\":\"ann\",\"price\":5,\"secret\":2}",
     STET_FORBIDDEN, "/secret"},
    {"ann", NULL, STET_OP_PUT, "a", 1, "{\"owner\":\"ann\",\"price\":5,\"deep\":{\"secret\":2}}",
     STET_FORBIDDEN, "/deep/secret"},
    {"ann", NULL, STET_OP_PATCH, "a", 1, "{\"secret\":\"x\"}", STET_FORBIDDEN, "/secret"},
    {"ann", NULL, STET_OP_PATCH, "a", 1, "{\"secret\":null}", STET_FORBIDDEN, "/secret"},
    {"ann", NULL, STET_OP_PATCH, "a", 1, "{\"deep\":{\"secret\":null}}", STET_FORBIDDEN,
     "/deep/secret"},
    /* No patch finds out what is there. */
    {"ann", NULL, STET_OP_PATCH_JSON, "a", 1,
     "[{\"op\":\"test\",\"path\":\"/secret\",\"value\":\"" MARK "\"}]", STET_FORBIDDEN, "/secret"},
    {"ann", NULL, STET_OP_PATCH_JSON, "a", 1,
     "[{\"op\":\"test\",\"path\":\"/secret\",\"value\":\"guess\"}]", STET_FORBIDDEN, "/secret"},
    {"ann", NULL, STET_OP_PATCH_JSON, "a", 1,
     "[{\"op\":\"copy\",\"from\":\"/secret\",\"path\":\"/n\"}]", STET_FORBIDDEN, "/secret"},
    {"ann", NULL, STET_OP_PATCH_JSON, "a", 1,
     "[{\"op\":\"move\",\"from\":\"/deep/secret\",\"path\":\"/n\"}]", STET_FORBIDDEN,
     "/deep/secret"},
    {"ann", NULL, STET_OP_PATCH_JSON, "a", 1, "[{\"op\":\"remove\",\"path\":\"/secret\"}]",
     STET_FORBIDDEN, "/secret"},
    {"ann", NULL, STET_OP_PATCH_JSON, "a", 1,
     "[{\"op\":\"test\",\"path\":\"/deep\",\"value\":{\"a\":1}}]", STET_OK, ""},
    {"ann", NULL, STET_OP_PATCH_JSON, "a", 1,
     "[{\"op\":\"copy\",\"from\":\"/deep\",\"path\":\"/m\"}]", STET_OK, ""},
    /* One who reads it and no more. */
    {"bob", NULL, STET_OP_PUT, "a", 1, MINE, STET_FORBIDDEN, ""},
    {"bob", NULL, STET_OP_PATCH, "a", 1, "{\"n\":3}", STET_FORBIDDEN, ""},
    {"bob", NULL, STET_OP_PATCH_JSON, "a", 1, "[{\"op\":\"test\",\"path\":\"/n\",\"value\":7}]",
     STET_FORBIDDEN, ""},
    {"bob", NULL, STET_OP_DELETE, "a", 1, NULL, STET_FORBIDDEN, ""},
    {"bob", NULL, STET_OP_CHECK, "a", 1, NULL, STET_OK, ""},
    /* It is as if it was not there. */
    {"ann", NULL, STET_OP_PUT, "b", 1, "{\"owner\":\"ann\"}", STET_NOT_FOUND, ""},
    {"ann", NULL, STET_OP_PUT, "b", 7, "{\"owner\":\"ann\"}", STET_NOT_FOUND, ""},
    {"ann", NULL, STET_OP_PATCH, "b", 1, "{\"n\":3}", STET_NOT_FOUND, ""},
    {"ann", NULL, STET_OP_PATCH, "b", 1, "{\"secret\":3}", STET_NOT_FOUND, ""},
    {"ann", NULL, STET_OP_PATCH, "b", 0, "{\"n\":3}", STET_NOT_FOUND, ""},
    {"ann", NULL, STET_OP_DELETE, "b", 1, NULL, STET_FORBIDDEN, ""},
    {"ann", NULL, STET_OP_CHECK, "b", 1, NULL, STET_NOT_FOUND, ""},
    {"ann", NULL, STET_OP_CHECK, "b", 9, NULL, STET_NOT_FOUND, ""},
    {"ann", NULL, STET_OP_CREATE, "b", 0, "{\"owner\":\"ann\"}", STET_FORBIDDEN, ""},
    {"ann", NULL, STET_OP_PUT, "b", 0, "{\"owner\":\"ann\"}", STET_FORBIDDEN, ""},
    {"ann", NULL, STET_OP_PUT, "b", -1, "{\"owner\":\"ann\"}", STET_FORBIDDEN, ""},
    {"ann", NULL, STET_OP_CHECK, "b", -1, NULL, STET_FORBIDDEN, ""},
    /* A role that no rule names: public records, and nothing else. */
    {"eve", "guest", STET_OP_CREATE, "c", 0, "{\"owner\":\"ann\"}", STET_FORBIDDEN, ""},
    {"eve", "guest", STET_OP_DELETE, "nothing", 1, NULL, STET_FORBIDDEN, ""},
    {"eve", "guest", STET_OP_PATCH, "a", 1, "{\"n\":3}", STET_FORBIDDEN, ""},
    /* The role that may. */
    {"max", "boss", STET_OP_PATCH, "a", 1, "{\"price\":6,\"secret\":1}", STET_OK, ""},
    {"max", "boss", STET_OP_DELETE, "b", 1, NULL, STET_OK, ""},
};

TEST(each_is_told_what_is_theirs_to_know) {
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        const struct attempt *one = &attempts[i];
        if (i > 0) setup(state);
        as(one->who, one->role);
        stet_base base = one->base > 0   ? at((stet_version)one->base)
                         : one->base < 0 ? absent
                                         : none;
        struct answer answer = apply(one->op, one->id, base, one->body);
        if (answer.status != one->status || strcmp(answer.field, one->field) != 0)
            fail_msg("attempt %zu: %s at \"%s\": %s", i, status_code(answer.status), answer.field,
                     answer.body);
        bool all = one->role != NULL && strcmp(one->role, "boss") == 0;
        if (!all && (strstr(answer.body, MARK) != NULL || strstr(answer.message, MARK) != NULL))
            fail_msg("attempt %zu tells: %s", i, answer.body);
        if (i + 1 < sizeof attempts / sizeof attempts[0]) world_close(state);
    }
}

/* Whoever may not read a record cannot tell it from one that is not there, but by trying to create it. */
TEST(what_one_may_not_read_is_as_what_is_not_there) {
    static const struct attempt tries[] = {
        {.op = STET_OP_PUT, .base = 1, .body = MINE},
        {.op = STET_OP_PUT, .base = 7, .body = MINE},
        {.op = STET_OP_PUT, .base = 1, .body = "{\"secret\":1}"},
        {.op = STET_OP_PATCH, .base = 1, .body = "{\"n\":1}"},
        {.op = STET_OP_PATCH, .base = 1, .body = "{\"secret\":1}"},
        {.op = STET_OP_PATCH, .base = 0, .body = "{\"n\":1}"},
        {.op = STET_OP_PATCH_JSON,
         .base = 1,
         .body = "[{\"op\":\"test\",\"path\":\"/n\",\"value\":1}]"},
        {.op = STET_OP_DELETE, .base = 1},
        {.op = STET_OP_DELETE, .base = 0},
        {.op = STET_OP_CHECK, .base = 1},
        {.op = STET_OP_CHECK, .base = 0},
        {.op = STET_OP_REVERT, .base = 1},
    };
    static const char *const rules_of[] = {
        rules,
        "{`read`:`owner = actor.id`,`create`:true,`update`:true,`delete`:true}",
        "{`read`:`owner = actor.id`,`update`:true}",
        "{`read`:`owner = actor.id`,`create`:true}",
        "{`create`:true,`update`:true}",
        "{}"};
    (void)state;
    for (size_t r = 0; r < sizeof rules_of / sizeof rules_of[0]; r++) {
        for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
            const struct attempt *one = &tries[i];
            struct answer answers[2];
            declare_access(STET_STRATEGY_MERGE, "{}", rules_of[r]);
            as("ann", NULL);
            for (size_t k = 0; k < 2; k++) {
                stet_mutation made =
                    mutation(one->op, k == 0 ? "b" : "x",
                             one->base > 0 ? at((stet_version)one->base) : none, one->body);
                made.revert_to = 1;
                answers[k] = apply_one(made);
            }
            if (answers[0].status != answers[1].status ||
                strcmp(answers[0].field, answers[1].field) != 0 ||
                strcmp(answers[0].body, answers[1].body) != 0)
                fail_msg("rules %zu, try %zu: %s, but %s", r, i, answers[0].body, answers[1].body);
            assert_int_not_equal(answers[0].status, STET_OK);
        }
    }
}

TEST(a_type_without_rules_is_for_members_only) {
    (void)state;
    declare_type(STET_STRATEGY_REJECT, "{}");
    as("eve", "guest");
    check_denied(try_put("a", at(1), "{}"), STET_FORBIDDEN, "");
    check_denied(try_put("new", none, "{}"), STET_FORBIDDEN, "");
    check_denied(apply(STET_OP_DELETE, "nothing", at(1), NULL), STET_FORBIDDEN, "");
    as("eve", "member");
    check_status(try_put("a", at(1), "{}"), STET_OK);
    as("eve", NULL);
    check_status(try_put("new", none, "{}"), STET_OK);
}

/* ---- Hidden fields ------------------------------------------------------------------------ */

TEST(what_is_hidden_stays_when_the_record_is_replaced) {
    (void)state;
    as("ann", NULL);
    struct answer put = try_put("a", at(1), MINE);
    check_status(put, STET_OK);
    assert_null(strstr(put.body, MARK));
    as("zoe", "boss");
    struct answer read = read_record("a");
    check_json(read.body, "/data/secret", "\"" MARK "\"");
    check_json(read.body, "/data/deep/secret", "\"" MARK "\"");
    check_json(read.body, "/data/n", "2");
}

TEST(the_same_as_they_see_is_unchanged) {
    (void)state;
    as("ann", NULL);
    struct answer put = try_put(
        "a", at(1), "{\"owner\":\"ann\",\"public\":true,\"n\":1,\"price\":5,\"deep\":{\"a\":1}}");
    check_status(put, STET_OK);
    assert_true(put.unchanged);
    assert_null(strstr(put.body, MARK));
}

TEST(a_conflict_shows_each_what_they_see) {
    (void)state;
    as("zoe", "boss");
    must(apply(STET_OP_PATCH, "a", at(1), "{\"n\":5,\"secret\":\"" MARK "2\"}"));
    as("ann", NULL);
    struct answer lost = try_put("a", at(1), MINE);
    check_status(lost, STET_CONCURRENT_MODIFICATION);
    assert_null(strstr(lost.body, MARK));
    check_json(lost.body, "/base/n", "1");
    check_json(lost.body, "/current/n", "5");
    check_json(lost.body, "/yours/n", "2");
    check_json(lost.body, "/fields/~1n/state", "\"conflict\"");
    check_no_json(lost.body, "/fields/~1secret");
    check_no_json(lost.body, "/yours/secret");
    as("max", "boss");
    lost = try_put("a", at(1), MINE);
    check_json(lost.body, "/current/secret", "\"" MARK "2\"");
}

TEST(a_conflict_shows_no_base_that_was_not_theirs_to_read) {
    (void)state;
    as("zoe", "boss");
    must(apply(STET_OP_PATCH, "b", at(1), "{\"owner\":\"ann\",\"n\":2}"));
    must(apply(STET_OP_PATCH, "b", at(2), "{\"n\":3}"));
    as("ann", NULL);
    struct answer lost = try_put("b", at(1), "{\"owner\":\"ann\",\"n\":4}");
    check_status(lost, STET_CONCURRENT_MODIFICATION);
    check_json(lost.body, "/base", "null");
    check_json(lost.body, "/current/n", "3");
    assert_null(strstr(lost.body, MARK));
    /* Nor does a patch build on it. */
    lost = apply(STET_OP_PATCH, "b", at(1), "{\"n\":5}");
    check_status(lost, STET_CONCURRENT_MODIFICATION);
    check_json(lost.body, "/yours", "null");
    check_no_json(lost.body, "/resolution_token");
}

TEST(who_may_not_change_it_gets_no_conflict) {
    (void)state;
    as("zoe", "boss");
    must(apply(STET_OP_PATCH, "a", at(1), "{\"n\":5}"));
    as("bob", NULL);
    check_denied(try_put("a", at(1), MINE), STET_FORBIDDEN, "");
    as("ann", NULL);
    check_denied(apply(STET_OP_PATCH, "a", at(1), "{\"price\":9}"), STET_FORBIDDEN, "/price");
}

static struct answer resolve(const struct answer *conflict, stet_choice choice, const char *yours,
                             const char *data) {
    const char *token = json_at(conflict->body, "/resolution_token");
    assert_non_null(token);
    struct stet_command *command = command_create(world.fixture.client);
    const stet_resolution resolution = {
        .type = VIEW("task"),
        .id = VIEW("a"),
        .token = view_make(token + 1, strlen(token) - 2),
        .choice = choice,
        .yours = view_of(yours),
        .data = view_of(data),
    };
    stet_error err = {0};
    if (resolve_fill(command, &resolution, &err) != STET_OK) fail_msg("%s", err.message);
    return take(submitted(command));
}

TEST(what_was_shown_is_what_a_choice_is_made_of) {
    const stet_choice choices[] = {STET_CHOICE_YOURS, STET_CHOICE_CURRENT, STET_CHOICE_CUSTOM};
    const char *const expected[] = {"2", "5", "8"};
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        if (i > 0) setup(state);
        as("zoe", "boss");
        must(apply(STET_OP_PATCH, "a", at(1), "{\"n\":5,\"secret\":\"" MARK "2\"}"));
        as("ann", NULL);
        struct answer lost = try_put("a", at(1), MINE);
        const char *yours = json_at(lost.body, "/yours");
        struct answer settled =
            resolve(&lost, choices[i], yours,
                    "{\"owner\":\"ann\",\"public\":true,\"n\":8,\"price\":5,\"deep\":{\"a\":1}}");
        check_status(settled, STET_OK);
        assert_null(strstr(settled.body, MARK));
        as("zoe", "boss");
        struct answer read = read_record("a");
        check_json(read.body, "/data/n", expected[i]);
        check_json(read.body, "/data/secret", "\"" MARK "2\"");
        check_json(read.body, "/data/deep/secret", "\"" MARK "\"");
        if (i + 1 < sizeof choices / sizeof choices[0]) world_close(state);
    }
}

TEST(a_merge_leaves_alone_what_its_writer_does_not_see) {
    (void)state;
    declare_access(STET_STRATEGY_MERGE, "{\"/secret\":{\"merge\":\"last_writer_wins\"}}", rules);
    as("zoe", "boss");
    must(apply(STET_OP_PATCH, "a", at(1), "{\"m\":5,\"secret\":\"" MARK "2\"}"));
    as("ann", NULL);
    struct answer merged = try_put("a", at(1), MINE);
    check_status(merged, STET_OK);
    assert_true(merged.merged);
    assert_null(strstr(merged.body, MARK));
    as("zoe", "boss");
    struct answer read = read_record("a");
    check_json(read.body, "/data/n", "2");
    check_json(read.body, "/data/m", "5");
    check_json(read.body, "/data/secret", "\"" MARK "2\"");
}

TEST(the_last_writer_wins_what_they_see) {
    (void)state;
    declare_access(STET_STRATEGY_LAST_WRITER_WINS, "{}", rules);
    as("zoe", "boss");
    must(apply(STET_OP_PATCH, "a", at(1), "{\"m\":5,\"secret\":\"" MARK "2\"}"));
    as("ann", NULL);
    check_status(try_put("a", at(1), MINE), STET_OK);
    must(apply(STET_OP_PATCH, "a", at(1), "{\"n\":6}"));
    as("zoe", "boss");
    struct answer read = read_record("a");
    check_json(read.body, "/data/n", "6");
    check_no_json(read.body, "/data/m");
    check_json(read.body, "/data/secret", "\"" MARK "2\"");
}

TEST(a_merge_is_judged_by_what_comes_of_it) {
    (void)state;
    declare_access(STET_STRATEGY_MERGE, "{}",
                   "{`read`:true,`create`:true,`update`:`" BOSS " || !(new.a && new.b)`}");
    must_put("m", none, "{\"a\":false,\"b\":false}");
    as("ann", NULL);
    must(apply(STET_OP_PATCH, "m", at(1), "{\"a\":true}"));
    check_denied(apply(STET_OP_PATCH, "m", at(1), "{\"b\":true}"), STET_FORBIDDEN, "");
}

TEST(nobody_goes_back_to_what_they_may_not_change) {
    (void)state;
    as("zoe", "boss");
    must(apply(STET_OP_PATCH, "a", at(1), "{\"secret\":\"" MARK "2\"}"));
    must(apply(STET_OP_PATCH, "a", at(2), "{\"n\":2}"));
    as("ann", NULL);
    stet_mutation revert = mutation(STET_OP_REVERT, "a", at(3), NULL);
    revert.revert_to = 1;
    check_denied(apply_one(revert), STET_FORBIDDEN, "/secret");
    revert.revert_to = 2;
    check_status(apply_one(revert), STET_OK);
}

TEST(what_comes_back_from_an_earlier_life_is_judged_as_new) {
    (void)state;
    as("zoe", "boss");
    must_delete("a", at(1));
    as("ann", NULL);
    stet_mutation revert = mutation(STET_OP_REVERT, "a", at(2), NULL);
    revert.revert_to = 1;
    check_status(apply_one(revert), STET_FORBIDDEN);
    check_status(try_put("a", at(2), "{\"owner\":\"ann\"}"), STET_OK);
}

TEST(a_tombstone_says_nothing_to_those_who_could_not_read_the_record) {
    (void)state;
    as("zoe", "boss");
    must_delete("b", at(1));
    as("ann", NULL);
    check_denied(apply(STET_OP_PATCH, "b", at(1), "{\"n\":1}"), STET_NOT_FOUND, "");
    check_denied(try_put("b", at(1), "{\"owner\":\"ann\"}"), STET_NOT_FOUND, "");
    check_denied(apply(STET_OP_CHECK, "b", at(2), NULL), STET_NOT_FOUND, "");
    check_status(try_put("b", none, "{\"owner\":\"ann\"}"), STET_OK);
}

/* ---- Answers ------------------------------------------------------------------------------ */

TEST(an_existing_record_is_shown_as_they_see_it) {
    (void)state;
    as("ann", NULL);
    struct answer exists = apply(STET_OP_CREATE, "a", none, "{\"owner\":\"ann\"}");
    check_status(exists, STET_ALREADY_EXISTS);
    check_json(exists.body, "/record/data/n", "1");
    assert_null(strstr(exists.body, MARK));
}

TEST(a_failed_test_of_a_patch_is_no_way_to_guess) {
    (void)state;
    as("ann", NULL);
    const char *guess = "[{\"op\":\"test\",\"path\":\"\",\"value\":" MINE "}]";
    struct answer failed = apply(STET_OP_PATCH_JSON, "a", at(1), guess);
    check_status(failed, STET_CONCURRENT_MODIFICATION);
    assert_null(strstr(failed.body, MARK));
}

TEST(a_try_and_a_preview_show_as_much_as_the_write_would) {
    (void)state;
    as("zoe", "boss");
    declare_access(STET_STRATEGY_MERGE, "{}", rules);
    must(apply(STET_OP_PATCH, "a", at(1), "{\"m\":5,\"secret\":\"" MARK "2\"}"));
    as("ann", NULL);
    const stet_base bases[] = {at(1), at(2)};
    for (size_t i = 0; i < 2; i++) {
        stet_mutation one = mutation(STET_OP_PUT, "a", bases[i], MINE);
        struct answer tried =
            run(&(stet_write){.mutations = &one, .mutation_count = 1, .dry_run = true});
        check_status(tried, STET_OK);
        assert_null(strstr(tried.body, MARK));
        tried = run(&(stet_write){.mutations = &one, .mutation_count = 1, .preview = true});
        check_status(tried, STET_OK);
        assert_null(strstr(tried.body, MARK));
        check_json(tried.body, "/result/n", "2");
    }
}

TEST(a_replay_shows_what_they_see_now) {
    (void)state;
    as("zoe", "boss");
    stet_mutation one = mutation(STET_OP_PATCH, "a", at(1), "{\"n\":9}");
    struct answer first = keyed(one, "k");
    assert_non_null(strstr(first.body, MARK));
    as("zoe", "guest");
    struct answer again = keyed(one, "k");
    check_status(again, STET_OK);
    assert_true(again.replayed);
    assert_null(strstr(again.body, MARK));
}

TEST(a_transaction_names_only_what_each_may_know) {
    (void)state;
    as("ann", NULL);
    const stet_mutation both[] = {mutation(STET_OP_PUT, "a", at(7), MINE),
                                  mutation(STET_OP_PATCH, "b", at(1), "{\"n\":1}")};
    struct answer refused = transact(both, 2, NULL);
    assert_null(strstr(refused.body, MARK));
    assert_null(strstr(refused.body, "current_version\":1,\"last_modified_by\":\"zoe\",\"b"));
    check_json(refused.body, "/conflicts/1/code", "\"NOT_FOUND\"");
    check_no_json(refused.body, "/conflicts/1/current_version");
    check_status(read_record("a"), STET_OK);
    as("zoe", "boss");
    check_json(read_record("a").body, "/version", "1");
}

TEST(a_record_that_goes_out_of_sight_is_answered_bare) {
    (void)state;
    declare_access(STET_STRATEGY_REJECT, "{}",
                   "{`read`:`owner = actor.id`,`create`:true,`update`:true}");
    as("ann", NULL);
    struct answer dropped = try_put("box", none, "{\"owner\":\"zoe\",\"note\":\"" MARK "\"}");
    check_status(dropped, STET_OK);
    check_no_json(dropped.body, "/data");
    check_json(dropped.body, "/version", "1");
}

/* ---- Places ------------------------------------------------------------------------------- */

TEST(nothing_is_put_below_what_one_may_not_read) {
    (void)state;
    as("ann", NULL);
    stet_mutation child = mutation(STET_OP_CREATE, "child", none, "{\"owner\":\"ann\"}");
    child.sets_parent = true;
    child.parent = VIEW("task/b");
    check_denied(apply_one(child), STET_NOT_FOUND, "parent");
    child.parent = VIEW("task/a");
    check_status(apply_one(child), STET_OK);
}

/* ---- Administrators ----------------------------------------------------------------------- */

TEST(administrators_pass_and_it_is_noted) {
    (void)state;
    be("root");
    must(apply(STET_OP_PATCH, "a", at(1), "{\"n\":3}"));
    check_json(history_of("a").body, "/changes/0/bypass", "true");
    must(apply(STET_OP_CREATE, "own", none, "{\"owner\":\"root\"}"));
    check_no_json(history_of("own").body, "/changes/0/bypass");
    must_delete("own", at(1));
    check_json(history_of("own").body, "/changes/0/bypass", "true");
}

TEST(an_administrator_with_the_role_needs_no_bypass) {
    (void)state;
    as("root", "boss");
    world.fixture.actor.admin = true;
    must(apply(STET_OP_PATCH, "a", at(1), "{\"n\":3}"));
    check_no_json(history_of("a").body, "/changes/0/bypass");
}

TEST(where_there_are_no_rules_there_is_no_bypass) {
    (void)state;
    declare_type(STET_STRATEGY_REJECT, "{}");
    as("root", "guest");
    world.fixture.actor.admin = true;
    must(apply(STET_OP_PATCH, "a", at(1), "{\"n\":3}"));
    check_no_json(history_of("a").body, "/changes/0/bypass");
}

/* ---- Rules that change -------------------------------------------------------------------- */

TEST(the_rules_in_force_count_not_those_when_it_was_prepared) {
    (void)state;
    as("ann", NULL);
    stet_mutation patch = mutation(STET_OP_PATCH, "a", at(1), "{\"secret\":1}");
    stet_mutation put = mutation(STET_OP_PUT, "a", at(1), MINE);
    declare_access(STET_STRATEGY_REJECT, "{}", "{`read`:true,`update`:true}");
    struct stet_command *one = start(&(stet_write){.mutations = &patch, .mutation_count = 1});
    struct stet_command *two = start(&(stet_write){.mutations = &put, .mutation_count = 1});
    declare_access(STET_STRATEGY_REJECT, "{}", rules);
    check_denied(take(one), STET_FORBIDDEN, "/secret");
    check_status(take(two), STET_OK);
    as("zoe", "boss");
    check_json(read_record("a").body, "/data/secret", "\"" MARK "\"");
}

/* ---- Scopes ------------------------------------------------------------------------------- */

TEST(scopes_are_demanded_before_anything) {
    (void)state;
    as("zoe", "boss");
    world.fixture.actor.scopes = STET_SCOPE_READ;
    check_status(try_put("a", at(1), MINE), STET_FORBIDDEN);
    check_status(read_record("a"), STET_OK);
    world.fixture.actor.scopes = STET_SCOPE_WRITE;
    check_status(read_record("a"), STET_FORBIDDEN);
    check_status(history_of("a"), STET_FORBIDDEN);
    check_status(receipt_of("k"), STET_OK);
    check_status(try_put("a", at(1), MINE), STET_OK);
}

/* ---- Chance ------------------------------------------------------------------------------- */

/* Any writes in any order by people whom rules bind: nothing they are answered has the mark in it, and none of them changes it. */
TEST(whatever_they_try_the_secret_stays_theirs_not) {
    static const char *const who[] = {"ann", "bob", "eve", "cat"};
    static const char *const bodies[] = {
        MINE,
        "{\"owner\":\"ann\"}",
        "{\"owner\":\"bob\",\"public\":true}",
        "{\"n\":3}",
        "{\"public\":false}",
        "{\"owner\":\"bob\"}",
        "{\"secret\":\"guess\"}",
        "{\"secret\":null,\"deep\":null}",
        "[{\"op\":\"copy\",\"from\":\"/secret\",\"path\":\"/n\"}]",
        "[{\"op\":\"move\",\"from\":\"/deep\",\"path\":\"/n\"}]",
        "[{\"op\":\"test\",\"path\":\"/secret\",\"value\":\""
        "s3cr"
        "\"}]",
        "[{\"op\":\"add\",\"path\":\"/deep/b\",\"value\":2}]",
        "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/n\"}]",
    };
    static const stet_strategy strategies[] = {STET_STRATEGY_REJECT, STET_STRATEGY_MERGE,
                                               STET_STRATEGY_LAST_WRITER_WINS,
                                               STET_STRATEGY_SERVER_WINS, STET_STRATEGY_ASK};
    enum { BODIES = sizeof bodies / sizeof bodies[0] };
    uint32_t seed = 7;
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        uint32_t chance[6];
        for (size_t i = 0; i < 6; i++) {
            seed = seed * 1664525u + 1013904223u;
            chance[i] = seed >> 12;
        }
        if (round % 40 == 0) declare_access(strategies[round / 40 % 5], "{}", rules);
        const char *id = chance[0] % 2 ? "a" : "b";
        if (round % 25 == 0) {
            as("zoe", "boss");
            stet_version now = fixture_version(&world.fixture, "task", id);
            must_put(id, at(now), id[0] == 'a' ? hers : hidden_one);
        }
        as(who[chance[1] % 4], chance[1] % 7 == 0 ? "guest" : NULL);
        const char *body = bodies[chance[2] % BODIES];
        stet_op op = body[0] == '['        ? STET_OP_PATCH_JSON
                     : chance[3] % 3 == 0  ? STET_OP_PATCH
                     : chance[3] % 11 == 0 ? STET_OP_CREATE
                     : chance[3] % 13 == 0 ? STET_OP_DELETE
                                           : STET_OP_PUT;
        stet_version head = fixture_version(&world.fixture, "task", id);
        stet_version base = head > chance[4] % 4 ? head - chance[4] % 4 : 1;
        stet_mutation one =
            mutation(op, id, op == STET_OP_CREATE || chance[4] % 9 == 0 ? none : at(base),
                     op == STET_OP_DELETE ? NULL : body);
        if (chance[5] % 10 == 0) one = mutation(STET_OP_REVERT, id, at(base), NULL);
        one.revert_to = 1 + chance[5] % head;
        struct answer answer = run(&(stet_write){.mutations = &one,
                                                 .mutation_count = 1,
                                                 .dry_run = chance[5] % 7 == 0,
                                                 .preview = chance[5] % 7 == 1});
        if (strstr(answer.body, MARK) != NULL || strstr(answer.message, MARK) != NULL)
            fail_msg("round %u: %s tried %s: %s", round, world.fixture.actor.id.bytes, body,
                     answer.body);
        as("zoe", "boss");
        struct answer read = read_record(id);
        if (read.status == STET_OK) {
            const char *secret = json_at(read.body, "/data/secret");
            if (secret == NULL || strcmp(secret, "\"" MARK "\"") != 0)
                fail_msg("round %u: %s lost the secret: %s", round, body, read.body);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_is_told_what_is_theirs_to_know, setup, world_close),
        cmocka_unit_test_setup_teardown(what_one_may_not_read_is_as_what_is_not_there, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_type_without_rules_is_for_members_only, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(what_is_hidden_stays_when_the_record_is_replaced, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(the_same_as_they_see_is_unchanged, setup, world_close),
        cmocka_unit_test_setup_teardown(a_conflict_shows_each_what_they_see, setup, world_close),
        cmocka_unit_test_setup_teardown(a_conflict_shows_no_base_that_was_not_theirs_to_read, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(who_may_not_change_it_gets_no_conflict, setup, world_close),
        cmocka_unit_test_setup_teardown(what_was_shown_is_what_a_choice_is_made_of, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_merge_leaves_alone_what_its_writer_does_not_see, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(the_last_writer_wins_what_they_see, setup, world_close),
        cmocka_unit_test_setup_teardown(a_merge_is_judged_by_what_comes_of_it, setup, world_close),
        cmocka_unit_test_setup_teardown(nobody_goes_back_to_what_they_may_not_change, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(what_comes_back_from_an_earlier_life_is_judged_as_new,
                                        setup, world_close),
        cmocka_unit_test_setup_teardown(
            a_tombstone_says_nothing_to_those_who_could_not_read_the_record, setup, world_close),
        cmocka_unit_test_setup_teardown(an_existing_record_is_shown_as_they_see_it, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_failed_test_of_a_patch_is_no_way_to_guess, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_try_and_a_preview_show_as_much_as_the_write_would, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_replay_shows_what_they_see_now, setup, world_close),
        cmocka_unit_test_setup_teardown(a_transaction_names_only_what_each_may_know, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_record_that_goes_out_of_sight_is_answered_bare, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(nothing_is_put_below_what_one_may_not_read, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(administrators_pass_and_it_is_noted, setup, world_close),
        cmocka_unit_test_setup_teardown(an_administrator_with_the_role_needs_no_bypass, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(where_there_are_no_rules_there_is_no_bypass, setup,
                                        world_close),
        cmocka_unit_test_setup_teardown(the_rules_in_force_count_not_those_when_it_was_prepared,
                                        setup, world_close),
        cmocka_unit_test_setup_teardown(scopes_are_demanded_before_anything, setup, world_close),
        cmocka_unit_test_setup_teardown(whatever_they_try_the_secret_stays_theirs_not, setup,
                                        world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
