/* The inbox: what waits for a person, and what became of their changes without them. And the projection behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/conflicts/conflicts_testing.h"
#include "modules/conflicts/internal.h"

static struct answer mark(const char *const *ids, size_t count) {
    struct stet_command *command = new_command();
    stet_view views[8];
    stet_error err = {0};
    for (size_t i = 0; i < count; i++)
        views[i] = view_of(ids[i]);
    return take_filled(command, inbox_fill_read(command, ids == NULL ? NULL : views, count, &err),
                       &err);
}

static struct answer dismiss(const char *id) {
    struct stet_command *command = new_command();
    stet_error err = {0};
    return take_filled(command, inbox_fill_dismiss(command, view_of(id), &err), &err);
}

/* ben's amount is overwritten by ann, who had not seen it. Returns the notice's id. */
static const char *overwritten(const char *id) {
    be("zoe");
    must_put(id, none, "{\"amount\":1,\"title\":\"a\"}");
    be("ben");
    must_put(id, at(1), "{\"amount\":2,\"title\":\"a\"}");
    be("ann");
    must(overwrite(id, 1, "{\"amount\":3,\"title\":\"a\"}"));
    return unquoted(json_at(inbox_of("ben").body, "/items/0/id"));
}

TEST(whoever_is_overwritten_is_told) {
    (void)state;
    overwritten("1");
    const char *body = inbox_of("ben").body;
    check_json(body, "/items/0/state", "\"overwritten\"");
    check_json(body, "/items/0/address", "\"task/1\"");
    check_json(body, "/items/0/affected_data", "[\"/amount\"]");
    check_json(body, "/items/0/overwritten_by", "\"ann\"");
    check_json(body, "/items/0/lost_version", "2");
    check_json(body, "/items/0/result_version", "3");
    check_json(body, "/items/0/read", "false");
    check_json(inbox_of("ann").body, "/total", "0");
    check_json(inbox_of("zoe").body, "/total", "0");
}

TEST(one_unread_notice_stands_for_a_record) {
    (void)state;
    const char *id = overwritten("1");
    be("ben");
    must_put("1", at(3), "{\"amount\":3,\"title\":\"b\"}");
    be("ann");
    must(overwrite("1", 3, "{\"amount\":3,\"title\":\"c\"}"));
    const char *body = inbox_of("ben").body;
    check_json(body, "/total", "1");
    assert_string_equal(unquoted(json_at(body, "/items/0/id")), id);
    check_json(body, "/items/0/times", "2");
    check_json(body, "/items/0/affected_data", "[\"/amount\",\"/title\"]");
}

TEST(what_is_read_stays_read_until_something_new_happens) {
    (void)state;
    const char *id = overwritten("1");
    check_json(must(mark(&id, 1)).body, "/unread", "0");
    check_json(must(mark(&id, 1)).body, "/marked", "0");
    check_json(must(inbox((stet_inbox_list){.unread = true})).body, "/items", "[]");
    check_json(inbox_of("ben").body, "/items/0/read", "true");
    must_put("1", at(3), "{\"amount\":3,\"title\":\"b\"}");
    be("ann");
    must(overwrite("1", 3, "{\"amount\":3,\"title\":\"c\"}"));
    const char *body = inbox_of("ben").body;
    check_json(body, "/unread", "1");
    check_json(body, "/items/0/times", "1");
}

TEST(all_are_marked_at_once) {
    (void)state;
    overwritten("1");
    overwritten("2");
    check_json(inbox_of("ben").body, "/unread", "2");
    struct answer marked = must(mark(NULL, 0));
    check_json(marked.body, "/marked", "2");
    check_json(marked.body, "/unread", "0");
}

TEST(an_inbox_is_its_owners_alone) {
    (void)state;
    const char *id = overwritten("1");
    be("ann");
    check_status(mark(&id, 1), STET_NOT_FOUND);
    check_status(dismiss(id), STET_NOT_FOUND);
}

TEST(a_notice_is_dismissed_and_an_open_conflict_is_not) {
    (void)state;
    const char *id = overwritten("1");
    must(dismiss(id));
    check_json(inbox_of("ben").body, "/total", "0");
    check_status(dismiss(id), STET_NOT_FOUND);
    be("ann");
    check_status(dismiss(must_park("1", 2, "{\"amount\":9,\"title\":\"a\"}")), STET_FORBIDDEN);
}

TEST(the_newest_comes_first_page_by_page) {
    (void)state;
    overwritten("1");
    pass(1);
    overwritten("2");
    be("ben");
    const char *body = must(inbox((stet_inbox_list){.limit = 1})).body;
    check_json(body, "/items/0/address", "\"task/2\"");
    const char *next = unquoted(json_at(body, "/next"));
    body = must(inbox((stet_inbox_list){.limit = 1, .after = view_of(next)})).body;
    check_json(body, "/items/0/address", "\"task/1\"");
    check_no_json(body, "/next");
}

TEST(past_the_limit_one_notice_stands_for_all_further_ones) {
    (void)state;
    char id[16];
    for (int i = 0; i < NOTICES_PER_PERSON_MAX + 2; i++) {
        snprintf(id, sizeof id, "%d", i);
        be("zoe");
        must_put(id, none, "{\"amount\":1}");
        be("ben");
        must_put(id, at(1), "{\"amount\":2}");
        be("ann");
        must(overwrite(id, 1, "{\"amount\":3}"));
        pass_ms(1);
    }
    const char *body = inbox_of("ben").body;
    check_json(body, "/total", "1001");
    check_json(body, "/items/0/others", "2");
    check_json(body, "/items/0/address", "\"task/1001\"");
}

/* ---- The projection ---------------------------------------------------------------------- */

static struct conflicts *projection(void) { return world.fixture.space->modules[0].state; }

/* What the projection holds, as text in an order of its own. */
static const char *picture(void) {
    const struct board *board = &projection()->board;
    char *text = arena_bytes(&world.arena, 65536);
    size_t size =
        (size_t)snprintf(text, 65536, "%zu %zu %zu %zu;", board->ids.count, board->records.count,
                         board->writers.count, board->persons.count);
    for (size_t i = 0; i < board->open_count; i++) {
        const struct entry *entry = board->open[i];
        size += (size_t)snprintf(text + size, 65536 - size, "%.*s %llu %lld %llu;",
                                 VIEW_ARG(entry->id), (unsigned long long)entry->seq,
                                 (long long)entry->deadline, (unsigned long long)entry->first);
    }
    return text;
}

TEST(loading_the_heads_gives_what_applying_the_changes_gave) {
    (void)state;
    const char *first = parked_deal("1");
    parked_deal("2");
    pass(5);
    parked_deal("3");
    const char *notice = overwritten("4");
    must(dismiss(notice));
    overwritten("5");
    be("ann");
    must(resolve(first, token_of(first), STET_CHOICE_YOURS));
    const char *applied = picture();
    const char *bens = inbox_of("ben").body;
    assert_int_equal(space_load_modules(world.fixture.space, NULL), STET_OK);
    assert_string_equal(picture(), applied);
    check_json(inbox_of("ben").body, "/total", json_at(bens, "/total"));
}

TEST(a_refused_command_leaves_nothing_prepared_behind) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"amount\":1}");
    must_put("1", at(1), "{\"amount\":2}");
    be("ann");
    stet_mutation both[] = {mutation(STET_OP_PUT, "1", at(1), "{\"amount\":3}"),
                            mutation(STET_OP_PUT, "2", at(7), "{\"amount\":3}")};
    both[0].on_conflict = STET_STRATEGY_LAST_WRITER_WINS;
    assert_int_not_equal(transact(both, 2, NULL).status, STET_OK);
    check_json(inbox_of("zoe").body, "/total", "0");
    be("ann");
    must(overwrite("1", 1, "{\"amount\":3}"));
    check_json(inbox_of("zoe").body, "/total", "1");
    assert_int_equal(projection()->board.prepared_count, 0);
}

/* The seq of what was tried goes to somebody else's change. */
TEST(trying_again_and_again_leaves_nothing_to_gather) {
    (void)state;
    char data[32];
    parked_deal("1");
    for (int i = 0; i < 8; i++) {
        stet_mutation one = mutation(STET_OP_PUT, "1", at(1), "{\"amount\":7}");
        one.on_conflict = STET_STRATEGY_ASK;
        must(run(&(stet_write){.mutations = &one, .mutation_count = 1, .dry_run = true}));
        snprintf(data, sizeof data, "{\"n\":%d}", i);
        must_put("other", i == 0 ? none : at((stet_version)i), data);
    }
    assert_true(projection()->board.prepared_count <= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define IN_A_WORLD(name) cmocka_unit_test_setup_teardown(name, setup, world_close)
        IN_A_WORLD(whoever_is_overwritten_is_told),
        IN_A_WORLD(one_unread_notice_stands_for_a_record),
        IN_A_WORLD(what_is_read_stays_read_until_something_new_happens),
        IN_A_WORLD(all_are_marked_at_once),
        IN_A_WORLD(an_inbox_is_its_owners_alone),
        IN_A_WORLD(a_notice_is_dismissed_and_an_open_conflict_is_not),
        IN_A_WORLD(the_newest_comes_first_page_by_page),
        IN_A_WORLD(past_the_limit_one_notice_stands_for_all_further_ones),
        IN_A_WORLD(loading_the_heads_gives_what_applying_the_changes_gave),
        IN_A_WORLD(a_refused_command_leaves_nothing_prepared_behind),
        IN_A_WORLD(trying_again_and_again_leaves_nothing_to_gather),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
