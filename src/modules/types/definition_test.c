/* Definitions: what is refused, where, and what comes of those that are accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/view.h"
#include "modules/types/definition.h"

#define TEST(name) static void name(void **state)

static struct policy *must_compile(const char *text) {
    struct policy *policy = NULL;
    stet_error err = {0};
    if (definition_compile(VIEW("deal"), view_of(text), &policy, &err) != STET_OK)
        fail_msg("%s: %s (%s)", text, err.message, err.field);
    return policy;
}

struct refusal {
    const char *definition;
    const char *field;
};

static void check_refused(const struct refusal *refusals, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct policy *policy = NULL;
        stet_error err = {0};
        stet_status status =
            definition_compile(VIEW("deal"), view_of(refusals[i].definition), &policy, &err);
        if (status == STET_OK) fail_msg("accepted: %s", refusals[i].definition);
        if (status != STET_INVALID_TYPE)
            fail_msg("%s: %s", refusals[i].definition, status_code(status));
        if (strcmp(err.field, refusals[i].field) != 0)
            fail_msg("%s: %s (%s)", refusals[i].definition, err.field, err.message);
        assert_true(err.message[0] != '\0');
    }
}

#define CHECK_REFUSED(table) check_refused(table, sizeof table / sizeof table[0])

TEST(each_member_is_checked) {
    (void)state;
    static const struct refusal table[] = {
        {"{\"colour\":1}", "/colour"},
        {"{\"exclusive\":{}}", "/exclusive/start"},
        {"{\"access\":{\"read\":\"owner =\"}}", "/access/read"},
        {"{\"title\":1}", "/title"},
        {"{\"on_conflict\":\"sometimes\"}", "/on_conflict"},
        {"{\"on_conflict\":\"function:\"}", "/on_conflict"},
        {"{\"on_conflict\":\"function:f\",\"fields\":{\"/a\":{\"merge\":\"delta\"}}}",
         "/on_conflict"},
        {"{\"allow_overrides\":[\"function:f\"]}", "/allow_overrides/0"},
        {"{\"on_conflict\":1}", "/on_conflict"},
        {"{\"allow_overrides\":\"merge\"}", "/allow_overrides"},
        {"{\"allow_overrides\":[\"merge\",\"x\"]}", "/allow_overrides/1"},
        {"{\"ask\":1}", "/ask"},
        {"{\"ask\":{\"until\":1}}", "/ask/until"},
        {"{\"ask\":{\"deadline_s\":0}}", "/ask/deadline_s"},
        {"{\"ask\":{\"fallback\":\"ask\"}}", "/ask/fallback"},
        {"{\"ask\":{\"fallback\":\"newest\"}}", "/ask/fallback"},
        {"{\"ask\":{\"for\":[\"ann\",\"\"]}}", "/ask/for/1"},
        {"{\"ask\":{\"for\":[\"ann\",\"ann\"]}}", "/ask/for/1"},
        {"{\"preconditions\":true}", "/preconditions"},
        {"{\"units\":[[\"a\"]]}", "/units/0/0"},
        {"{\"index\":\"/a\"}", "/index"},
        {"{\"index\":[\"a\"]}", "/index/0"},
        {"{\"index\":[\"\"]}", "/index/0"},
        {"{\"index\":[\"/a\",[]]}", "/index/1"},
        {"{\"index\":[[\"/a\",\"-/a\"]]}", "/index/0"},
        {"{\"index\":[\"/a/*\"]}", "/index/0"},
        {"{\"index\":[\"/a\",[\"/a\"]]}", "/index/1"},
        {"{\"index\":[\"/a\"],\"unique\":[\"/a\"]}", "/unique/0"},
        {"{\"tags\":[\"\"]}", "/tags/0"},
        {"{\"tags\":[\"a:{b}\"]}", "/tags/0"},
        {"{\"tags\":[\"a:{/b\"]}", "/tags/0"},
        {"{\"retain\":{}}", "/retain"},
        {"{\"retain\":{\"versions\":0}}", "/retain/versions"},
        {"{\"retain\":{\"weeks\":1}}", "/retain/weeks"},
        {"{\"cache\":{\"ttl_s\":-1}}", "/cache/ttl_s"},
    };
    CHECK_REFUSED(table);
}

TEST(each_member_of_a_field_is_checked) {
    (void)state;
    static const struct refusal table[] = {
        {"{\"fields\":[]}", "/fields"},
        {"{\"fields\":{\"a\":{}}}", "/fields/a"},
        {"{\"fields\":{\"\":{\"type\":\"object\"}}}", "/fields//type"},
        {"{\"fields\":{\"\":{\"merge\":\"delta\"}}}", "/fields//merge"},
        {"{\"fields\":{\"/a\":1}}", "/fields/~1a"},
        {"{\"fields\":{\"/a\":{\"size\":1}}}", "/fields/~1a/size"},
        {"{\"fields\":{\"/a\":{\"type\":\"text\"}}}", "/fields/~1a/type"},
        {"{\"fields\":{\"/a\":{\"type\":[]}}}", "/fields/~1a/type"},
        {"{\"fields\":{\"/a\":{\"type\":[\"string\",1]}}}", "/fields/~1a/type"},
        {"{\"fields\":{\"/a\":{\"required\":1}}}", "/fields/~1a/required"},
        {"{\"fields\":{\"/*\":{\"required\":true}}}", "/fields/~1*/required"},
        {"{\"fields\":{\"/a/*\":{\"default\":1}}}", "/fields/~1a~1*/default"},
        {"{\"fields\":{\"/a\":{\"enum\":[]}}}", "/fields/~1a/enum"},
        {"{\"fields\":{\"/a\":{\"minimum\":\"1\"}}}", "/fields/~1a/minimum"},
        {"{\"fields\":{\"/a\":{\"max_bytes\":-1}}}", "/fields/~1a/max_bytes"},
        {"{\"fields\":{\"/a\":{\"merge\":\"best\"}}}", "/fields/~1a/merge"},
        {"{\"fields\":{\"/a\":{\"merge\":\"by_key\"}}}", "/fields/~1a/key"},
        {"{\"fields\":{\"/a\":{\"key\":\"id\"}}}", "/fields/~1a/key"},
        {"{\"fields\":{\"/a\":{\"title\":1}}}", "/fields/~1a/title"},
        {"{\"fields\":{\"/a\":{\"merge\":\"by_key\",\"key\":\"id\",\"fields\":{\"/"
         "q\":{\"x\":1}}}}}",
         "/fields/~1a/fields/~1q/x"},
    };
    CHECK_REFUSED(table);
}

TEST(contradictions_are_refused) {
    (void)state;
    static const struct refusal table[] = {
        {"{\"fields\":{\"/a\":{\"minimum\":2,\"maximum\":1.5}}}", "/fields/~1a/minimum"},
        {"{\"fields\":{\"/a\":{\"min_bytes\":2,\"max_bytes\":1}}}", "/fields/~1a/min_bytes"},
        {"{\"fields\":{\"/a\":{\"type\":\"string\",\"minimum\":2}}}", "/fields/~1a/minimum"},
        {"{\"fields\":{\"/a\":{\"type\":\"number\",\"max_bytes\":2}}}", "/fields/~1a/max_bytes"},
        {"{\"fields\":{\"/a\":{\"type\":\"string\",\"merge\":\"delta\"}}}", "/fields/~1a/merge"},
        {"{\"fields\":{\"/a\":{\"type\":\"number\",\"merge\":\"text\"}}}", "/fields/~1a/merge"},
        {"{\"fields\":{\"/a\":{\"type\":\"object\",\"merge\":\"set\"}}}", "/fields/~1a/merge"},
        {"{\"fields\":{\"/a\":{\"type\":\"string\",\"enum\":[\"x\",1]}}}", "/fields/~1a/enum/1"},
        {"{\"fields\":{\"/a\":{\"maximum\":5,\"enum\":[5,6]}}}", "/fields/~1a/enum/1"},
        {"{\"fields\":{\"/a\":{\"type\":\"integer\",\"default\":1.5}}}", "/fields/~1a/default"},
        {"{\"fields\":{\"/a\":{\"enum\":[\"x\"],\"default\":\"y\"}}}", "/fields/~1a/default"},
        {"{\"fields\":{\"/a\":{\"default\":{\"b\":1}},\"/a/b\":{\"type\":\"string\"}}}",
         "/fields/~1a/default/b"},
        {"{\"fields\":{\"/a\":{\"default\":{}},\"/a/b\":{\"required\":true}}}",
         "/fields/~1a/default/b"},
        {"{\"fields\":{\"/a\":{\"type\":\"string\"},\"/a/b/c\":{\"type\":\"string\"}}}",
         "/fields/~1a~1b~1c"},
        {"{\"fields\":{\"/a\":{\"type\":\"array\"},\"/a/b\":{\"type\":\"string\"}}}",
         "/fields/~1a~1b"},
        {"{\"fields\":{\"/a\":{\"merge\":\"delta\",\"minimum\":2,\"maximum\":1}}}",
         "/fields/~1a/minimum"},
    };
    CHECK_REFUSED(table);
}

TEST(an_empty_definition_has_the_defaults) {
    (void)state;
    struct policy *policy = must_compile("{}");
    assert_int_equal(policy->on_conflict, STET_STRATEGY_REJECT);
    assert_int_equal(policy->overrides, 1u << STET_STRATEGY_MERGE | 1u << STET_STRATEGY_ASK);
    assert_int_equal(policy->ask.deadline_s, 86400);
    assert_int_equal(policy->ask.fallback, STET_STRATEGY_SERVER_WINS);
    assert_false(policy->preconditions_optional);
    assert_null(policy->validator);
    assert_null(policy->rules);
    assert_int_equal(policy->index_count, 0);
    policy_unref(policy);
}

TEST(a_full_definition_is_compiled) {
    (void)state;
    struct policy *policy = must_compile(
        "{\"title\":\"Deals\",\"on_conflict\":\"merge\",\"allow_overrides\":[\"newest\"],"
        "\"ask\":{\"deadline_s\":60,\"fallback\":\"merge\",\"for\":[\"ann\",\"bob\"]},"
        "\"preconditions\":\"optional\",\"units\":[[\"/start\",\"/end\"]],"
        "\"fields\":{\"/amount\":{\"type\":\"number\",\"merge\":\"delta\",\"minimum\":0},"
        "\"/id\":{\"merge\":\"immutable\"}},"
        "\"index\":[\"/stage\",[\"/owner\",\"-/amount\"]],\"unique\":[\"/id\"],"
        "\"tags\":[\"project:{/project_id}\"],\"retain\":{\"versions\":10,\"days\":30},"
        "\"cache\":{\"ttl_s\":5}}");
    assert_int_equal(policy->on_conflict, STET_STRATEGY_MERGE);
    assert_int_equal(policy->overrides, 1u << STET_STRATEGY_NEWEST);
    assert_int_equal(policy->ask.deadline_s, 60);
    assert_int_equal(policy->ask.who_count, 2);
    assert_true(policy->preconditions_optional);
    assert_true(policy->counts);
    assert_true(policy->checks_old);
    assert_int_equal(policy->index_count, 3);
    assert_int_equal(policy->indexes[1]->field_count, 2);
    assert_true(policy->indexes[1]->fields[1].descending);
    assert_true(policy->indexes[2]->unique);
    assert_int_equal(policy->retain_versions, 10);
    assert_int_equal(policy->retain_days, 30);
    policy_unref(policy);
}

TEST(equal_indexes_keep_their_numbers) {
    (void)state;
    struct policy *old = must_compile(
        "{\"index\":[\"/a\",[\"/b\",\"-/c\"]],\"unique\":[\"/d\"],\"_indexes\":[7,8,9]}");
    struct policy *policy =
        must_compile("{\"index\":[[\"/b\",\"-/c\"],\"/d\",\"/a\"],\"_indexes\":[1,2,3]}");
    assert_int_equal(definition_take_numbers(policy, old), 1);
    assert_int_equal(policy->indexes[0]->number, 8);
    assert_int_equal(policy->indexes[1]->number, 0); /* No longer unique: another index. */
    assert_int_equal(policy->indexes[2]->number, 7);
    policy_unref(old);
    policy_unref(policy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_member_is_checked),
        cmocka_unit_test(each_member_of_a_field_is_checked),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(an_empty_definition_has_the_defaults),
        cmocka_unit_test(a_full_definition_is_compiled),
        cmocka_unit_test(equal_indexes_keep_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
