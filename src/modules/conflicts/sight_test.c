/* Who sees a conflict, and what of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "modules/conflicts/conflicts_testing.h"

#include "core/access_fixture.h"

#define MARK "s3cr3t"
#define BOSS "actor.roles contains 'boss'"
static const char rules[] = "{`read`:`public || owner = actor.id || " BOSS "`,"
                            "`create`:`" BOSS "`,`update`:`owner = actor.id || " BOSS "`,"
                            "`delete`:`" BOSS "`,"
                            "`fields`:{`/secret`:{`hidden`:`!(" BOSS ")`}}}";

#define DATA(public, n, secret)                                                                    \
    "{\"owner\":\"ann\",\"public\":" public ",\"n\":" n ",\"secret\":\"" MARK secret "\"}"

static void declare_with(stet_strategy fallback) {
    declare("task", (struct terms_of_type){
                        .on_conflict = STET_STRATEGY_ASK, .fallback = fallback, .deadline_s = 60});
    give_access(rules);
}

/* ann's record, changed by zoe, and ann's own write from before, which waits. Returns its id. */
static const char *waiting(const char *public) {
    declare_with(STET_STRATEGY_LAST_WRITER_WINS);
    bool open = strcmp(public, "true") == 0;
    as("zoe", "boss");
    must_put("a", none, open ? DATA("true", "1", "") : DATA("false", "1", ""));
    must_put("a", at(1), open ? DATA("true", "2", "2") : DATA("false", "2", "2"));
    as("ann", NULL);
    return must_park("a", 1,
                     open ? "{\"owner\":\"ann\",\"public\":true,\"n\":3}"
                          : "{\"owner\":\"ann\",\"public\":false,\"n\":3}");
}

static void check_silent(struct answer answer) {
    if (strstr(answer.body, MARK) != NULL) fail_msg("tells: %s", answer.body);
}

static struct answer read_conflict_as_record(const char *id) {
    struct stet_command *command = new_command();
    command->kind = COMMAND_READ;
    command->read =
        (stet_read){.type = VIEW("stet.conflict"), .id = arena_copy(&command->arena, view_of(id))};
    return take(submitted(command));
}

TEST(everybody_sees_the_sides_as_they_see_the_record) {
    (void)state;
    const char *id = waiting("true");
    struct answer shown = must(get_conflict(id));
    check_silent(shown);
    check_json(shown.body, "/current", "{\"owner\":\"ann\",\"public\":true,\"n\":2}");
    check_json(shown.body, "/yours", "{\"owner\":\"ann\",\"public\":true,\"n\":3}");
    as("bob", NULL);
    check_silent(must(get_conflict(id)));
    check_silent(must(list_conflicts((stet_conflict_list){0})));
    check_silent(must(list_conflicts((stet_conflict_list){.state = VIEW("any")})));
    as("zoe", "boss");
    check_json(must(get_conflict(id)).body, "/current/secret", "\"" MARK "2\"");
}

TEST(the_record_that_keeps_it_shows_no_data) {
    (void)state;
    const char *id = waiting("true");
    check_silent(must(read_conflict_as_record(id)));
    as("zoe", "boss");
    check_silent(must(read_conflict_as_record(id)));
}

TEST(who_may_not_read_the_record_meets_no_conflict) {
    (void)state;
    const char *id = waiting("false");
    as("bob", NULL);
    check_status(get_conflict(id), STET_NOT_FOUND);
    check_status(read_conflict_as_record(id), STET_FORBIDDEN);
    check_status(resolve(id, "", STET_CHOICE_CURRENT), STET_NOT_FOUND);
    check_status(reopen(id, 1), STET_NOT_FOUND);
    const char *list = must(list_conflicts((stet_conflict_list){0})).body;
    check_json(list, "/conflicts", "[]");
    check_json(list, "/open", "0");
    list = must(list_conflicts((stet_conflict_list){.state = VIEW("any")})).body;
    check_json(list, "/conflicts", "[]");
    as("zoe", "boss");
    check_json(must(list_conflicts((stet_conflict_list){0})).body, "/open", "1");
}

TEST(who_only_reads_takes_nobody_s_write_from_them) {
    (void)state;
    const char *id = waiting("true");
    as("bob", NULL);
    check_status(resolve(id, "", STET_CHOICE_CURRENT), STET_FORBIDDEN);
    check_status(resolve(id, token_of(id), STET_CHOICE_YOURS), STET_FORBIDDEN);
    as("ann", NULL);
    check_status(resolve(id, "", STET_CHOICE_CURRENT), STET_OK);
}

TEST(what_was_hidden_meanwhile_changed_stays) {
    (void)state;
    const char *id = waiting("true");
    struct answer settled = must(resolve(id, token_of(id), STET_CHOICE_YOURS));
    check_silent(settled);
    check_silent(must(get_conflict(id)));
    as("zoe", "boss");
    check_data("a", 3, DATA("true", "3", "2"));
}

TEST(what_they_send_along_is_what_they_were_shown) {
    (void)state;
    const char *id = waiting("true");
    const char *token = token_of(id);
    struct answer settled = take(start_resolve(
        (stet_conflict_resolution){.id = view_of(id),
                                   .token = view_of(token),
                                   .choice = STET_CHOICE_YOURS,
                                   .yours = view_of(json_at(get_conflict(id).body, "/yours"))}));
    check_status(settled, STET_OK);
}

TEST(a_fallback_has_the_rights_of_its_writer_and_leaves_alone_what_they_did_not_see) {
    (void)state;
    waiting("true");
    pass(61);
    as("zoe", "boss");
    check_data("a", 3, DATA("true", "3", "2"));
}

TEST(a_fallback_that_rules_forbid_by_then_lets_the_record_stand) {
    (void)state;
    const char *id = waiting("true");
    as("zoe", "boss");
    must(apply(STET_OP_PATCH, "a", at(2), "{\"owner\":\"cat\"}"));
    pass(61);
    struct answer shown = must(get_conflict(id));
    check_json(shown.body, "/state", "\"expired\"");
    check_json(shown.body, "/kept", "true");
    check_json(read_record("a").body, "/data/n", "2");
}

TEST(who_lost_sight_of_the_record_keeps_what_they_wrote_and_no_more) {
    (void)state;
    const char *id = waiting("false");
    as("zoe", "boss");
    must(apply(STET_OP_PATCH, "a", at(2), "{\"owner\":\"cat\",\"n\":77}"));
    pass(2);
    as("ann", NULL);
    struct answer shown = must(get_conflict(id));
    check_silent(shown);
    check_json(shown.body, "/current", "null");
    check_json(shown.body, "/base", "null");
    check_json(shown.body, "/yours", "{\"owner\":\"ann\",\"public\":false,\"n\":3}");
    check_no_json(shown.body, "/last_modified_by");
    check_no_json(shown.body, "/current_version");
    check_no_json(shown.body, "/resolution_token");
    assert_null(strstr(shown.body, "77"));
    struct answer items = must(inbox((stet_inbox_list){0}));
    assert_null(strstr(items.body, "zoe"));
    check_no_json(items.body, "/items/0/current_version");
}

TEST(a_notice_shows_what_was_lost_as_they_see_it) {
    (void)state;
    declare_with(STET_STRATEGY_SERVER_WINS);
    as("zoe", "boss");
    must_put("a", none, DATA("true", "1", ""));
    as("ann", NULL);
    must_put("a", at(1), "{\"owner\":\"ann\",\"public\":true,\"n\":2}");
    /* The type allows no other strategy by request; so it changes. */
    declare("task", (struct terms_of_type){.on_conflict = STET_STRATEGY_LAST_WRITER_WINS});
    give_access(rules);
    as("zoe", "boss");
    must_put("a", at(1), DATA("true", "9", "9"));
    as("ann", NULL);
    struct answer items = must(inbox((stet_inbox_list){0}));
    check_silent(items);
    const char *id = unquoted(json_at(items.body, "/items/0/id"));
    check_silent(must(get_conflict(id)));
    check_json(get_conflict(id).body, "/yours/n", "2");
    as("zoe", "boss");
    must(apply(STET_OP_PATCH, "a", at(3), "{\"owner\":\"cat\",\"public\":false}"));
    as("ann", NULL);
    struct answer after = must(get_conflict(id));
    check_json(after.body, "/yours", "null");
    check_json(after.body, "/result", "null");
    check_status(reopen(id, 1), STET_NOT_FOUND);
}

TEST(scopes_are_demanded) {
    (void)state;
    const char *id = waiting("true");
    world.fixture.actor.scopes = STET_SCOPE_READ;
    check_status(get_conflict(id), STET_OK);
    check_status(resolve(id, token_of(id), STET_CHOICE_YOURS), STET_FORBIDDEN);
    check_status(reopen(id, 1), STET_FORBIDDEN);
    world.fixture.actor.scopes = STET_SCOPE_WRITE;
    check_status(get_conflict(id), STET_FORBIDDEN);
    check_status(list_conflicts((stet_conflict_list){0}), STET_FORBIDDEN);
    check_status(list_conflicts((stet_conflict_list){.state = VIEW("any")}), STET_FORBIDDEN);
    check_status(inbox((stet_inbox_list){0}), STET_FORBIDDEN);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, world_close)
    const struct CMUnitTest tests[] = {
        CASE(everybody_sees_the_sides_as_they_see_the_record),
        CASE(the_record_that_keeps_it_shows_no_data),
        CASE(who_may_not_read_the_record_meets_no_conflict),
        CASE(who_only_reads_takes_nobody_s_write_from_them),
        CASE(what_was_hidden_meanwhile_changed_stays),
        CASE(what_they_send_along_is_what_they_were_shown),
        CASE(a_fallback_has_the_rights_of_its_writer_and_leaves_alone_what_they_did_not_see),
        CASE(a_fallback_that_rules_forbid_by_then_lets_the_record_stand),
        CASE(who_lost_sight_of_the_record_keeps_what_they_wrote_and_no_more),
        CASE(a_notice_shows_what_was_lost_as_they_see_it),
        CASE(scopes_are_demanded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
