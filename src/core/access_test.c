/*
 * Access rules by themselves: what compiles, what is settled for an actor alone, what a record decides, and what is left out and put
 * back. test/core/access_test.c tests the paths by which records are read.
 */
#include "core/access.h"

#include "base/view.h"
#include "core/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct policy policy;

static int begin(void **state) {
    (void)state;
    arena_init(&arena, 4096);
    return 0;
}

static int end(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

static const struct doc *parsed(const char *text) {
    struct doc *doc = arena_zalloc(&arena, 1, sizeof *doc);
    assert_non_null(doc);
    if (text == NULL) return NULL;
    assert_int_equal(doc_parse(&arena, view_of(text), NULL, doc, NULL), STET_OK);
    return doc;
}

/* Quotes of a rule may be single ones. */
static stet_status try_compile(const char *definition, stet_error *err) {
    const struct doc *doc = parsed(definition);
    policy = (struct policy){.type = VIEW("people")};
    return access_compile(&arena, doc, doc_member(doc, 0, VIEW("access")), &policy.access, err);
}

static void must_compile(const char *definition) {
    stet_error err = {0};
    if (try_compile(definition, &err) != STET_OK) fail_msg("%s %s", err.field, err.message);
}

static void must_refuse(const char *definition, const char *field, const char *message) {
    stet_error err = {0};
    stet_status status = try_compile(definition, &err);
    assert_true(status == STET_INVALID_TYPE || status == STET_TOO_LARGE);
    assert_string_equal(err.field, field);
    if (strstr(err.message, message) == NULL) fail_msg("%s", err.message);
}

static stet_view roles[2];

static stet_actor actor(const char *id, const char *role) {
    roles[0] = view_of(role);
    return (stet_actor){
        .id = view_of(id), .roles = role == NULL ? NULL : roles, .role_count = role != NULL};
}

static stet_status check(const stet_actor *who, enum access_verb verb, const char *before,
                         const char *after, stet_error *err) {
    struct access_record old = {.data = parsed(before)}, new = {.data = parsed(after)};
    return access_check(&policy, who, verb, before == NULL ? NULL : &old,
                        after == NULL ? NULL : &new, err);
}

static void check_redacted(const stet_actor *who, const char *data, const char *expected) {
    struct access_record record = {.data = parsed(data)};
    stet_view out;
    assert_int_equal(access_redact(&policy, who, &arena, &record, &out, NULL), STET_OK);
    assert_string_equal(arena_copy(&arena, out).bytes, expected);
}

static void check_restored(const stet_actor *who, const char *from, const char *data,
                           const char *expected) {
    struct access_record record = {.data = parsed(from)};
    stet_view out;
    stet_error err = {0};
    stet_status status = access_restore(&policy, who, &arena, &record, view_of(data), &out, &err);
    if (status != STET_OK) fail_msg("%s %s", err.field, err.message);
    assert_string_equal(arena_copy(&arena, out).bytes, expected);
}

static void check_not_restored(const stet_actor *who, const char *from, const char *data,
                               const char *field) {
    struct access_record record = {.data = parsed(from)};
    stet_view out;
    stet_error err = {0};
    assert_int_equal(access_restore(&policy, who, &arena, &record, view_of(data), &out, &err),
                     STET_FORBIDDEN);
    assert_string_equal(err.field, field);
}

/* ---- Compiling --------------------------------------------------------------------------- */

static void what_is_wrong_is_named_by_its_pointer(void **state) {
    (void)state;
    must_refuse("{\"access\":[]}", "/access", "is an object");
    must_refuse("{\"access\":{\"reed\":true}}", "/access/reed", "possible are read");
    must_refuse("{\"access\":{\"read\":1}}", "/access/read", "true, false or an expression");
    must_refuse("{\"access\":{\"read\":\"owner ==\"}}", "/access/read", "at byte");
    must_refuse("{\"access\":{\"read\":\"\"}}", "/access/read", "expected");
    must_refuse("{\"access\":{\"update\":\"actor.name = 'x'\"}}", "/access/update", "actor.id");
    must_refuse("{\"access\":{\"read\":\"new.a = 1\"}}", "/access/read", "nothing is written");
    must_refuse("{\"access\":{\"create\":\"old.a = 1\"}}", "/access/create", "no record before");
    must_refuse("{\"access\":{\"delete\":\"new.a = 1\"}}", "/access/delete", "nothing is written");
    must_refuse("{\"access\":{\"fields\":{\"salary\":{\"hidden\":true}}}}", "/access/fields/salary",
                "JSON pointer");
    must_refuse("{\"access\":{\"fields\":{\"\":{\"hidden\":true}}}}", "/access/fields/", "pointer");
    must_refuse("{\"access\":{\"fields\":{\"/lines/*/cost\":{\"hidden\":true}}}}",
                "/access/fields/~1lines~1*~1cost", "as a whole");
    must_refuse("{\"access\":{\"fields\":{\"/a\":{\"secret\":true}}}}", "/access/fields/~1a/secret",
                "hidden and readonly");
    must_refuse("{\"access\":{\"fields\":{\"/a\":{\"hidden\":\"old.a = 1\"}}}}",
                "/access/fields/~1a/hidden", "no record before");
}

static void a_definition_without_access_has_no_rules(void **state) {
    (void)state;
    must_compile("{}");
    assert_null(policy.access);
}

/* ---- For an actor alone ------------------------------------------------------------------ */

static void without_rules_members_may_do_all_and_others_nothing(void **state) {
    (void)state;
    must_compile("{}");
    stet_actor plain = actor("ann", NULL);
    stet_actor admin = {.id = VIEW("root"), .admin = true};
    for (int verb = ACCESS_READ; verb <= ACCESS_DELETE; verb++) {
        assert_false(access_binds(&policy, &plain, (enum access_verb)verb));
        assert_false(access_never(NULL, &plain, (enum access_verb)verb));
    }
    stet_actor guest = actor("gus", "guest");
    for (int verb = ACCESS_READ; verb <= ACCESS_DELETE; verb++) {
        assert_true(access_never(&policy, &guest, (enum access_verb)verb));
        assert_true(access_never(NULL, &guest, (enum access_verb)verb));
        assert_false(access_binds(NULL, &admin, (enum access_verb)verb));
    }
    assert_int_equal(check(&guest, ACCESS_READ, "{}", NULL, NULL), STET_NOT_FOUND);
    assert_int_equal(check(&guest, ACCESS_CREATE, NULL, "{}", NULL), STET_FORBIDDEN);
    stet_actor member = actor("ann", "member");
    assert_int_equal(check(&member, ACCESS_CREATE, NULL, "{}", NULL), STET_OK);
}

static void what_is_not_mentioned_is_denied(void **state) {
    (void)state;
    must_compile("{\"access\":{\"read\":true}}");
    stet_actor ann = actor("ann", NULL);
    assert_int_equal(check(&ann, ACCESS_READ, "{}", NULL, NULL), STET_OK);
    assert_int_equal(check(&ann, ACCESS_CREATE, NULL, "{}", NULL), STET_FORBIDDEN);
    assert_int_equal(check(&ann, ACCESS_UPDATE, "{}", "{\"a\":1}", NULL), STET_FORBIDDEN);
    assert_int_equal(check(&ann, ACCESS_DELETE, "{}", NULL, NULL), STET_FORBIDDEN);
    assert_true(access_never(&policy, &ann, ACCESS_DELETE));
    assert_false(access_binds(&policy, &ann, ACCESS_READ));
}

static void roles_alone_settle_a_rule_where_they_can(void **state) {
    (void)state;
    must_compile("{\"access\":{\"read\":\"owner = actor.id || actor.roles contains 'sales'\"}}");
    stet_actor sales = actor("sam", "sales");
    assert_false(access_binds(&policy, &sales, ACCESS_READ));
    stet_actor ann = actor("ann", NULL);
    assert_true(access_binds(&policy, &ann, ACCESS_READ));
    assert_false(access_never(&policy, &ann, ACCESS_READ));
    must_compile("{\"access\":{\"read\":\"owner = actor.id && actor.roles contains 'sales'\"}}");
    assert_true(access_never(&policy, &ann, ACCESS_READ));
    must_compile("{\"access\":{\"read\":\"!(actor.roles contains 'member')\"}}");
    assert_true(access_never(&policy, &ann, ACCESS_READ));
}

/* ---- With a record ----------------------------------------------------------------------- */

static void an_update_must_be_allowed_before_and_after(void **state) {
    (void)state;
    must_compile("{\"access\":{\"read\":true,\"update\":\"owner = actor.id\"}}");
    stet_actor ann = actor("ann", NULL);
    const char *mine = "{\"owner\":\"ann\"}", *theirs = "{\"owner\":\"ben\"}";
    assert_int_equal(check(&ann, ACCESS_UPDATE, mine, mine, NULL), STET_OK);
    assert_int_equal(check(&ann, ACCESS_UPDATE, theirs, mine, NULL), STET_FORBIDDEN);
    assert_int_equal(check(&ann, ACCESS_UPDATE, mine, theirs, NULL), STET_FORBIDDEN);
    must_compile("{\"access\":{\"read\":true,\"update\":\"old.owner = actor.id\"}}");
    assert_int_equal(check(&ann, ACCESS_UPDATE, mine, theirs, NULL), STET_OK);
    assert_int_equal(check(&ann, ACCESS_UPDATE, theirs, mine, NULL), STET_FORBIDDEN);
}

static void what_may_not_be_read_is_not_there(void **state) {
    (void)state;
    must_compile("{\"access\":{\"read\":\"owner = actor.id\",\"create\":true,\"update\":true,"
                 "\"delete\":true}}");
    stet_actor ann = actor("ann", NULL);
    const char *theirs = "{\"owner\":\"ben\"}";
    assert_int_equal(check(&ann, ACCESS_READ, theirs, NULL, NULL), STET_NOT_FOUND);
    assert_int_equal(check(&ann, ACCESS_UPDATE, theirs, "{\"owner\":\"ann\"}", NULL),
                     STET_NOT_FOUND);
    assert_int_equal(check(&ann, ACCESS_DELETE, theirs, NULL, NULL), STET_NOT_FOUND);
    assert_int_equal(check(&ann, ACCESS_CREATE, NULL, theirs, NULL), STET_OK);
    stet_actor admin = {.id = VIEW("root"), .admin = true};
    assert_int_equal(check(&admin, ACCESS_DELETE, theirs, NULL, NULL), STET_OK);
}

static void a_new_record_is_its_creators(void **state) {
    (void)state;
    must_compile("{\"access\":{\"create\":\"$created_by = actor.id && $type = 'people' && "
                 "$version is null\"}}");
    stet_actor ann = actor("ann", NULL);
    assert_int_equal(check(&ann, ACCESS_CREATE, NULL, "{}", NULL), STET_OK);
}

static void rules_see_who_created_a_record(void **state) {
    (void)state;
    must_compile("{\"access\":{\"read\":\"$created_by = actor.id\"}}");
    stet_actor ann = actor("ann", NULL);
    struct store_change change = {.seq = 5, .first = 2, .version = 3, .by = VIEW("ben")};
    const struct created created = {.by = VIEW("ann")};
    struct access_record record = {.change = &change, .data = parsed("{}"), .created = &created};
    assert_int_equal(access_check(&policy, &ann, ACCESS_READ, &record, NULL, NULL), STET_OK);
    record.created = NULL;
    assert_int_equal(access_check(&policy, &ann, ACCESS_READ, &record, NULL, NULL), STET_NOT_FOUND);
}

static void readonly_fields_keep_their_value(void **state) {
    (void)state;
    must_compile("{\"fields\":{\"/stage\":{\"default\":\"new\"}},\"access\":{\"read\":true,"
                 "\"create\":true,\"update\":true,\"fields\":{\"/stage\":{\"readonly\":"
                 "\"!(actor.roles contains 'lead')\"},\"/sum\":{\"readonly\":\"closed\"}}}}");
    stet_actor ann = actor("ann", NULL);
    stet_error err = {0};
    assert_int_equal(
        check(&ann, ACCESS_UPDATE, "{\"stage\":\"a\"}", "{\"stage\":\"a\",\"x\":1}", NULL),
        STET_OK);
    assert_int_equal(check(&ann, ACCESS_UPDATE, "{\"stage\":\"a\"}", "{\"stage\":\"b\"}", &err),
                     STET_FORBIDDEN);
    assert_string_equal(err.field, "/stage");
    assert_int_equal(check(&ann, ACCESS_UPDATE, "{\"stage\":\"a\"}", "{}", NULL), STET_FORBIDDEN);
    assert_int_equal(check(&ann, ACCESS_CREATE, NULL, "{\"stage\":\"a\"}", NULL), STET_FORBIDDEN);
    assert_int_equal(check(&ann, ACCESS_CREATE, NULL, "{\"stage\":\"new\"}", NULL), STET_OK);
    assert_int_equal(check(&ann, ACCESS_CREATE, NULL, "{}", NULL), STET_OK);
    /* Closed before or after: neither way does the sum change. */
    assert_int_equal(check(&ann, ACCESS_UPDATE, "{\"closed\":true,\"sum\":1}",
                           "{\"closed\":false,\"sum\":2}", NULL),
                     STET_FORBIDDEN);
    assert_int_equal(check(&ann, ACCESS_UPDATE, "{\"sum\":1}", "{\"closed\":true,\"sum\":2}", NULL),
                     STET_FORBIDDEN);
    assert_int_equal(check(&ann, ACCESS_UPDATE, "{\"sum\":1}", "{\"sum\":2}", NULL), STET_OK);
    stet_actor lead = actor("lea", "lead");
    assert_int_equal(check(&lead, ACCESS_UPDATE, "{\"stage\":\"a\"}", "{\"stage\":\"b\"}", NULL),
                     STET_OK);
}

/* ---- Hidden fields ----------------------------------------------------------------------- */

#define HIDING                                                                                     \
    "{\"fields\":{\"/salary\":{\"default\":0}},\"access\":{\"read\":true,\"create\":true,"         \
    "\"update\":true,\"fields\":{\"/salary\":{\"hidden\":\"!(actor.roles contains 'hr') && "       \
    "$data.id != actor.id\"},\"/home/geo\":{\"hidden\":true},\"/home/geo/lat\":{\"hidden\":true}," \
    "\"/0\":{\"hidden\":\"actor.id = 'eve'\"}}}}"

static void hidden_fields_are_left_out(void **state) {
    (void)state;
    must_compile(HIDING);
    stet_actor ann = actor("ann", NULL);
    check_redacted(&ann, "{\"id\": \"ben\", \"salary\":1.10,\"x\":[1,  2]}",
                   "{\"id\":\"ben\",\"x\":[1,  2]}");
    check_redacted(&ann, "{\"id\":\"ann\",\"salary\":1.10}", "{\"id\":\"ann\",\"salary\":1.10}");
    check_redacted(&ann, "{\"home\":{\"geo\":{\"lat\":1},\"city\":\"Bern\"},\"b\":1}",
                   "{\"home\":{\"city\":\"Bern\"},\"b\":1}");
    check_redacted(&ann, "{\"home\":{\"geo\":null}}", "{\"home\":{}}");
    check_redacted(&ann, "{\"home\":3}", "{\"home\":3}");
    check_redacted(&ann, "{\"0\":1}", "{\"0\":1}");
    stet_actor eve = actor("eve", NULL);
    check_redacted(&eve, "{\"0\":1,\"sal\\u0061ry\":2}", "{}");
    stet_actor admin = {.id = VIEW("root"), .admin = true};
    check_redacted(&admin, "{\"salary\":1}", "{\"salary\":1}");
}

static void a_list_on_the_way_is_hidden_whole(void **state) {
    (void)state;
    must_compile(HIDING);
    stet_actor ann = actor("ann", NULL);
    check_redacted(&ann, "{\"home\":[{\"geo\":1},2],\"b\":1}", "{\"b\":1}");
    check_restored(&ann, "{\"home\":[{\"geo\":1},2]}", "{\"b\":1}",
                   "{\"b\":1,\"home\":[{\"geo\":1},2]}");
    check_not_restored(&ann, "{\"home\":[{\"geo\":1},2]}", "{\"home\":[]}", "/home/geo");
}

static void what_may_be_hidden_is_known_by_role(void **state) {
    (void)state;
    must_compile(HIDING);
    stet_actor ann = actor("ann", NULL);
    assert_true(access_may_hide(&policy, &ann, VIEW("/salary")));
    assert_true(access_may_hide(&policy, &ann, VIEW("/salary/net")));
    assert_true(access_may_hide(&policy, &ann, VIEW("/home")));
    assert_true(access_may_hide(&policy, &ann, VIEW("")));
    assert_false(access_may_hide(&policy, &ann, VIEW("/salar")));
    assert_false(access_may_hide(&policy, &ann, VIEW("/salary2")));
    assert_false(access_may_hide(&policy, &ann, VIEW("/home/city")));
    stet_actor hr = actor("hal", "hr");
    assert_false(access_may_hide(&policy, &hr, VIEW("/salary")));
    assert_true(access_binds(&policy, &hr, ACCESS_READ));
}

static void hidden_fields_are_carried_over(void **state) {
    (void)state;
    must_compile(HIDING);
    stet_actor ann = actor("ann", NULL);
    check_restored(&ann, "{\"id\":\"b\",\"salary\":5}", "{\"id\":\"c\"}",
                   "{\"id\":\"c\",\"salary\":5}");
    check_restored(&ann, "{\"home\":{\"geo\":{\"lat\":1},\"city\":\"B\"}}", "{\"a\":1}",
                   "{\"a\":1,\"home\":{\"geo\":{\"lat\":1}}}");
    check_restored(&ann, "{\"home\":{\"geo\":1,\"city\":\"B\"}}", "{\"home\":{\"city\":\"C\"}}",
                   "{\"home\":{\"city\":\"C\",\"geo\":1}}");
    /* A default that the server put in gives way to what was there. */
    check_restored(&ann, "{\"id\":\"b\",\"salary\":5}", "{\"salary\":0}", "{\"salary\":5}");
    check_restored(&ann, "{\"id\":\"b\"}", "{\"id\":\"b\",\"n\":1}", "{\"id\":\"b\",\"n\":1}");
}

static void nobody_gives_a_hidden_field_a_value(void **state) {
    (void)state;
    must_compile(HIDING);
    stet_actor ann = actor("ann", NULL);
    check_not_restored(&ann, "{\"id\":\"b\",\"salary\":5}", "{\"salary\":6}", "/salary");
    check_not_restored(&ann, "{\"id\":\"b\",\"salary\":5}", "{\"salary\":5}", "/salary");
    check_not_restored(&ann, "{\"home\":{\"geo\":1}}", "{\"home\":3}", "/home/geo");
    check_not_restored(&ann, NULL, "{\"salary\":6}", "/salary");
    stet_error err = {0};
    assert_int_equal(check(&ann, ACCESS_CREATE, NULL, "{\"salary\":6}", &err), STET_FORBIDDEN);
    assert_string_equal(err.field, "/salary");
    assert_int_equal(check(&ann, ACCESS_UPDATE, "{\"salary\":6}", "{\"salary\":7}", NULL),
                     STET_FORBIDDEN);
    assert_int_equal(check(&ann, ACCESS_CREATE, NULL, "{\"salary\":0}", NULL), STET_OK);
}

static void restoring_what_was_redacted_gives_the_record_back(void **state) {
    (void)state;
    static const char *const records[] = {
        "{\"salary\":5}",
        "{\"home\":{\"geo\":{\"lat\":1},\"city\":\"B\"},\"salary\":null}",
        "{\"home\":[1,2],\"0\":{}}",
        "{\"home\":{},\"a\":[{\"salary\":1}]}",
    };
    must_compile(HIDING);
    stet_actor eve = actor("eve", NULL);
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        struct access_record record = {.data = parsed(records[i])};
        stet_view shown, whole;
        assert_int_equal(access_redact(&policy, &eve, &arena, &record, &shown, NULL), STET_OK);
        assert_int_equal(access_restore(&policy, &eve, &arena, &record, shown, &whole, NULL),
                         STET_OK);
        const struct doc *again = parsed(arena_copy(&arena, whole).bytes);
        assert_true(doc_equal(again, 0, record.data, 0));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_named_by_its_pointer),
        cmocka_unit_test(a_definition_without_access_has_no_rules),
        cmocka_unit_test(without_rules_members_may_do_all_and_others_nothing),
        cmocka_unit_test(what_is_not_mentioned_is_denied),
        cmocka_unit_test(roles_alone_settle_a_rule_where_they_can),
        cmocka_unit_test(an_update_must_be_allowed_before_and_after),
        cmocka_unit_test(what_may_not_be_read_is_not_there),
        cmocka_unit_test(a_new_record_is_its_creators),
        cmocka_unit_test(rules_see_who_created_a_record),
        cmocka_unit_test(readonly_fields_keep_their_value),
        cmocka_unit_test(hidden_fields_are_left_out),
        cmocka_unit_test(a_list_on_the_way_is_hidden_whole),
        cmocka_unit_test(what_may_be_hidden_is_known_by_role),
        cmocka_unit_test(hidden_fields_are_carried_over),
        cmocka_unit_test(nobody_gives_a_hidden_field_a_value),
        cmocka_unit_test(restoring_what_was_redacted_gives_the_record_back),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
