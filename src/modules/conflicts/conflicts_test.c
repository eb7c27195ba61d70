/* Writes that wait: parked, bounded, listed, and settled by their deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "core/render.h"
#include "modules/conflicts/conflicts_testing.h"
#include "store/driver.h"

#include <unistd.h>

enum { DAY_S = 24 * 3600 };

/* ---- Parking ----------------------------------------------------------------------------- */

TEST(a_conflicting_write_waits_with_a_deadline_and_a_fallback) {
    (void)state;
    be("zoe");
    must_put("1", none, "{\"amount\":1}");
    must_put("1", at(1), "{\"amount\":2}");
    be("ann");
    struct answer parked = must(ask("1", 1, "{\"amount\":3}"));
    check_json(parked.body, "/fallback", "\"server_wins\"");
    check_json(parked.body, "/deadline", "\"2023-11-15T22:13:20.000000000Z\"");
    check_data("1", 2, "{\"amount\":2}");
}

TEST(a_waiting_conflict_shows_all_sides_of_the_record_as_it_is_now) {
    (void)state;
    const char *id = parked_deal("1");
    be("zoe");
    must_put("1", at(2), "{\"amount\":5,\"title\":\"b\"}");
    const char *body = must(get_conflict(id)).body;
    check_json(body, "/state", "\"open\"");
    check_json(body, "/by", "\"ann\"");
    check_json(body, "/base", "{\"amount\":1,\"title\":\"a\"}");
    check_json(body, "/current", "{\"amount\":5,\"title\":\"b\"}");
    check_json(body, "/yours", "{\"amount\":3,\"title\":\"a\"}");
    check_json(body, "/merged/title", "\"b\"");
    check_json(body, "/fields/~1amount/state", "\"conflict\"");
    check_json(body, "/affected_data", "[\"/amount\"]");
    check_json(body, "/conflict_type", "\"concurrent_edit\"");
    check_json(body, "/auto_resolve_in", "86400");
    check_json(body, "/resolution_options", "[\"yours\",\"current\",\"fields\",\"custom\"]");
}

TEST(one_writer_may_wait_twice_for_one_record) {
    (void)state;
    const char *first = parked_deal("1");
    const char *second = must_park("1", 1, "{\"amount\":4,\"title\":\"a\"}");
    assert_string_not_equal(first, second);
    check_json(must(list_conflicts((stet_conflict_list){0})).body, "/open", "2");
}

TEST(a_record_has_a_bounded_number_of_open_conflicts) {
    (void)state;
    parked_deal("1");
    for (int i = 1; i < OPEN_CONFLICTS_PER_RECORD_MAX; i++)
        must_park("1", 1, "{\"amount\":9,\"title\":\"a\"}");
    struct answer refused = ask("1", 1, "{\"amount\":9,\"title\":\"a\"}");
    check_status(refused, STET_TOO_MANY_CONFLICTS);
    assert_string_equal(refused.field, "open_conflicts_per_record");
    assert_int_equal(refused.limit, OPEN_CONFLICTS_PER_RECORD_MAX);
    check_data("1", 2, "{\"amount\":2,\"title\":\"a\"}");
}

TEST(a_writer_has_a_bounded_number_of_open_conflicts) {
    (void)state;
    char id[16];
    for (int i = 0; i < OPEN_CONFLICTS_PER_ACTOR_MAX; i++) {
        snprintf(id, sizeof id, "%d", i);
        parked_deal(id);
    }
    be("zoe");
    must_put("last", none, "{\"amount\":1}");
    must_put("last", at(1), "{\"amount\":2}");
    be("ann");
    check_status(ask("last", 1, "{\"amount\":3}"), STET_TOO_MANY_CONFLICTS);
    be("cy");
    must_park("last", 1, "{\"amount\":3}");
}

TEST(a_type_says_how_long_and_for_whom_its_conflicts_wait) {
    (void)state;
    declare("task", (struct terms_of_type){.on_conflict = STET_STRATEGY_ASK,
                                           .fallback = STET_STRATEGY_MERGE,
                                           .deadline_s = 60,
                                           .who = "boss"});
    const char *id = parked_deal("1");
    const char *body = must(get_conflict(id)).body;
    check_json(body, "/for", "[\"boss\"]");
    check_json(body, "/auto_resolve_in", "60");
    check_json(body, "/fallback", "\"merge\"");
    check_json(inbox_of("boss").body, "/unread", "1");
    check_json(inbox_of("ann").body, "/unread", "0");
}

TEST(nobody_writes_conflicts_by_hand) {
    (void)state;
    stet_mutation one = {.op = STET_OP_PUT,
                         .type = VIEW("stet.conflict"),
                         .id = VIEW("mine"),
                         .body = VIEW("{\"state\":\"open\"}")};
    check_status(apply_one(one), STET_SYSTEM_TYPE);
}

TEST(what_was_only_tried_does_not_wait) {
    (void)state;
    parked_deal("1");
    stet_mutation one = mutation(STET_OP_PUT, "1", at(1), "{\"amount\":7}");
    one.on_conflict = STET_STRATEGY_ASK;
    must(run(&(stet_write){.mutations = &one, .mutation_count = 1, .dry_run = true}));
    check_json(must(list_conflicts((stet_conflict_list){0})).body, "/open", "1");
}

/* ---- Lists ------------------------------------------------------------------------------- */

enum { LARGE = 12, LARGE_BYTES = 900 * 1000 };

static void park_large(void) {
    char *data = malloc(LARGE_BYTES + 32), id[8];
    assert_non_null(data);
    memset(data, 'x', LARGE_BYTES + 32);
    memcpy(data, "{\"v\":\"", 6);
    memcpy(data + LARGE_BYTES, "\"}", 3);
    for (int i = 0; i < LARGE; i++) {
        snprintf(id, sizeof id, "%d", i);
        must_put(id, none, "{\"v\":\"1\"}");
        must_put(id, at(1), "{\"v\":\"2\"}");
        must_park(id, 1, data);
    }
    free(data);
}

/* How many rows the pages of a list have, each as long as it may be. */
static int count_rows(bool in_inbox, int *pages) {
    const char *next = "";
    int rows = 0;
    for (*pages = 0; next != NULL; ++*pages) {
        const char *body =
            in_inbox
                ? must(inbox((stet_inbox_list){.limit = 500, .after = view_of(next)})).body
                : must(list_conflicts((stet_conflict_list){.limit = 500, .after = view_of(next)}))
                      .body;
        char pointer[32];
        for (int i = 0;; i++, rows++) {
            snprintf(pointer, sizeof pointer, "/%s/%d", in_inbox ? "items" : "conflicts", i);
            if (json_at(body, pointer) == NULL) break;
        }
        next = json_at(body, "/next") == NULL ? NULL : unquoted(json_at(body, "/next"));
    }
    return rows;
}

/* Who reads them keeps others of the same thread waiting. */
TEST(a_page_of_large_conflicts_ends_early_and_the_next_goes_on) {
    (void)state;
    int pages;
    park_large();
    assert_int_equal(count_rows(false, &pages), LARGE);
    assert_int_equal(pages, 2);
    assert_int_equal(count_rows(true, &pages), LARGE);
    assert_int_equal(pages, 2);
}

TEST(open_conflicts_are_listed_by_their_deadlines) {
    (void)state;
    const char *first = parked_deal("1");
    pass(10);
    const char *second = parked_deal("2");
    const char *body = must(list_conflicts((stet_conflict_list){.limit = 1})).body;
    assert_string_equal(unquoted(json_at(body, "/conflicts/0/id")), first);
    const char *next = unquoted(json_at(body, "/next"));
    body = must(list_conflicts((stet_conflict_list){.limit = 1, .after = view_of(next)})).body;
    assert_string_equal(unquoted(json_at(body, "/conflicts/0/id")), second);
    check_no_json(body, "/next");
}

TEST(lists_are_narrowed_by_type_record_person_state_and_age) {
    (void)state;
    const char *first = parked_deal("1");
    pass(100);
    parked_deal("2");
    const struct {
        stet_conflict_list list;
        const char *second;
    } cases[] = {
        {{.record = VIEW("task/1")}, NULL},
        {{.older_than_s = 50}, NULL},
        {{.person = VIEW("ann"), .type = VIEW("task")}, "there"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *body = must(list_conflicts(cases[i].list)).body;
        assert_string_equal(unquoted(json_at(body, "/conflicts/0/id")), first);
        assert_int_equal(json_at(body, "/conflicts/1") != NULL, cases[i].second != NULL);
    }
    check_no_json(must(list_conflicts((stet_conflict_list){.type = VIEW("other")})).body,
                  "/conflicts/0");
    check_no_json(must(list_conflicts((stet_conflict_list){.person = VIEW("ben")})).body,
                  "/conflicts/0");
    check_no_json(must(list_conflicts((stet_conflict_list){.state = VIEW("expired")})).body,
                  "/conflicts/0");
    must(resolve(first, token_of(first), STET_CHOICE_CURRENT));
    const char *body = must(list_conflicts((stet_conflict_list){.state = VIEW("resolved")})).body;
    check_json(body, "/conflicts/0/resolved_by", "\"ann\"");
    check_no_json(body, "/conflicts/1");
    body = must(list_conflicts((stet_conflict_list){.state = VIEW("any"), .limit = 1})).body;
    assert_non_null(json_at(body, "/next"));
    check_status(list_conflicts((stet_conflict_list){.state = VIEW("shut")}), STET_BAD_REQUEST);
    check_status(list_conflicts((stet_conflict_list){.after = VIEW("x")}), STET_BAD_REQUEST);
    check_status(list_conflicts((stet_conflict_list){.record = VIEW("x")}), STET_BAD_REQUEST);
    check_status(list_conflicts((stet_conflict_list){.limit = 501}), STET_BAD_REQUEST);
}

TEST(a_conflict_that_never_was_is_not_found) {
    (void)state;
    check_status(get_conflict("nothing"), STET_NOT_FOUND);
    check_status(get_conflict("seq-1"), STET_NOT_FOUND);
    must_put("1", none, "{}");
    check_status(get_conflict("seq-1"), STET_NOT_FOUND);
    check_status(get_conflict("seq-99"), STET_NOT_FOUND);
}

/* ---- Deadlines --------------------------------------------------------------------------- */

TEST(at_its_deadline_the_server_wins_and_the_writer_is_told) {
    (void)state;
    const char *id = parked_deal("1");
    pass(DAY_S - 1);
    check_json(must(get_conflict(id)).body, "/state", "\"open\"");
    pass(1);
    const char *body = must(get_conflict(id)).body;
    check_json(body, "/state", "\"expired\"");
    check_json(body, "/choice", "\"server_wins\"");
    check_json(body, "/yours", "{\"amount\":3,\"title\":\"a\"}");
    check_data("1", 2, "{\"amount\":2,\"title\":\"a\"}");
    body = inbox_of("ann").body;
    check_json(body, "/items/0/state", "\"expired\"");
    check_json(body, "/unread", "1");
}

static void park_with_fallback(stet_strategy fallback, const char **id, const char *yours) {
    declare("task", (struct terms_of_type){
                        .on_conflict = STET_STRATEGY_ASK, .fallback = fallback, .deadline_s = 60});
    be("zoe");
    must_put("1", none, "{\"a\":1,\"b\":1}");
    be("ben");
    must_put("1", at(1), "{\"a\":2,\"b\":1}");
    be("ann");
    *id = must_park("1", 1, yours);
}

TEST(last_writer_wins_applies_the_write_at_its_deadline_and_tells_who_lost) {
    (void)state;
    const char *id;
    park_with_fallback(STET_STRATEGY_LAST_WRITER_WINS, &id, "{\"a\":3,\"b\":3}");
    pass(60);
    check_data("1", 3, "{\"a\":3,\"b\":3}");
    check_json(read_record("1").body, "/updated_by", "\"ann\"");
    check_json(must(get_conflict(id)).body, "/result_version", "3");
    check_json(history_of("1").body, "/changes/0/source", "\"expired\"");
    const char *body = inbox_of("ben").body;
    check_json(body, "/items/0/state", "\"overwritten\"");
    check_json(body, "/items/0/affected_data", "[\"/a\"]");
    check_json(body, "/items/0/overwritten_by", "\"ann\"");
}

TEST(a_patch_that_waited_takes_only_what_it_names_on_top) {
    (void)state;
    declare("task", (struct terms_of_type){.on_conflict = STET_STRATEGY_ASK,
                                           .fallback = STET_STRATEGY_LAST_WRITER_WINS,
                                           .deadline_s = 60});
    static const struct {
        const char *id, *patch;
        stet_op op;
    } table[] = {
        {"1", "{\"a\":3}", STET_OP_PATCH},
        {"2", "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":3}]", STET_OP_PATCH_JSON},
    };
    for (size_t i = 0; i < 2; i++) {
        be("ben");
        must_put(table[i].id, none, "{\"a\":1,\"b\":1}");
        must_put(table[i].id, at(1), "{\"a\":2,\"b\":2}");
        be("ann");
        must(apply_one(mutation(table[i].op, table[i].id, at(1), table[i].patch)));
    }
    pass(60);
    check_data("1", 3, "{\"a\":3,\"b\":2}");
    check_data("2", 3, "{\"a\":3,\"b\":2}");
    check_json(inbox_of("ben").body, "/items/0/affected_data", "[\"/a\"]");
}

TEST(merge_at_the_deadline_leaves_what_still_conflicts_and_says_so) {
    (void)state;
    const char *id;
    park_with_fallback(STET_STRATEGY_MERGE, &id, "{\"a\":3,\"b\":3}");
    pass(60);
    check_data("1", 2, "{\"a\":2,\"b\":1}");
    const char *body = must(get_conflict(id)).body;
    check_json(body, "/state", "\"expired\"");
    check_json(body, "/choice", "\"server_wins\"");
    assert_non_null(json_at(body, "/explanation"));
}

TEST(merge_at_the_deadline_applies_what_has_become_clean) {
    (void)state;
    const char *id;
    park_with_fallback(STET_STRATEGY_MERGE, &id, "{\"a\":3,\"b\":3}");
    be("ben");
    must_put("1", at(2), "{\"a\":1,\"b\":1}");
    pass(60);
    check_data("1", 4, "{\"a\":3,\"b\":3}");
    check_json(must(get_conflict(id)).body, "/choice", "\"merge\"");
}

TEST(deadlines_pass_in_their_order_in_one_go) {
    (void)state;
    const char *first = parked_deal("1");
    pass(1);
    const char *second = parked_deal("2");
    pass(DAY_S);
    uint64_t earlier, later;
    assert_true(view_parse_u64(view_of(json_at(must(get_conflict(first)).body, "/seq")), &earlier));
    assert_true(view_parse_u64(view_of(json_at(must(get_conflict(second)).body, "/seq")), &later));
    assert_true(earlier < later);
    check_json(must(list_conflicts((stet_conflict_list){0})).body, "/open", "0");
}

TEST(a_deadline_that_passed_while_the_server_was_down_is_kept_afterwards) {
    (void)state;
    char dir[] = "/tmp/conflicts-XXXXXX";
    assert_non_null(mkdtemp(dir));
    world_open_with(conflict_modules, dir);
    const char *id = parked_deal("1");
    fixture_close(&world.fixture);
    clock_manual_advance(&world.clock, 2 * DAY_S * CLOCK_NS_PER_S);
    world_reopen();
    be("ann");
    pass(0);
    check_json(must(get_conflict(id)).body, "/state", "\"expired\"");
    check_data("1", 2, "{\"amount\":2,\"title\":\"a\"}");
    world_close(NULL);
    char remove[64];
    snprintf(remove, sizeof remove, "rm -r '%s'", dir);
    assert_int_equal(system(remove), 0);
}

TEST(a_jump_of_the_clock_settles_nothing_before_it_has_lasted) {
    (void)state;
    const char *id = parked_deal("1");
    world.clock.wall_ns += 2 * DAY_S * CLOCK_NS_PER_S;
    pass(1);
    check_json(must(get_conflict(id)).body, "/state", "\"open\"");
    for (int i = 0; i <= CLOCK_CONFIRM_S + DUE_RECHECK_S; i++)
        pass(1);
    check_json(must(get_conflict(id)).body, "/state", "\"expired\"");
}

/* ---- The record moves on ------------------------------------------------------------------ */

TEST(a_conflict_says_once_in_a_while_that_its_record_moved_on) {
    (void)state;
    const char *id = parked_deal("1");
    be("ben");
    for (stet_version version = 2; version < 12; version++)
        must_put("1", at(version), version % 2 == 0 ? "{\"amount\":8}" : "{\"amount\":9}");
    pass_ms(CONFLICT_CHANGED_MS);
    const char *body = must(list_conflicts((stet_conflict_list){0})).body;
    check_json(body, "/conflicts/0/event", "\"changed\"");
    check_json(body, "/conflicts/0/current_version", "12");
    check_json(body, "/conflicts/0/version", "2");
    pass(10);
    check_json(must(get_conflict(id)).body, "/version", "2");
}

TEST(the_versions_a_conflict_names_are_kept) {
    (void)state;
    const char *id = parked_deal("1");
    struct engine_module_state *module = &world.fixture.space->modules[0];
    assert_true(module->module->keeps(module->state, VIEW("task"), VIEW("1"), 1));
    assert_false(module->module->keeps(module->state, VIEW("task"), VIEW("2"), 1));
    must(resolve(id, token_of(id), STET_CHOICE_CURRENT));
    assert_false(module->module->keeps(module->state, VIEW("task"), VIEW("1"), 1));
}

/* ---- Counting and telling ---------------------------------------------------------------- */

static stet_status fail_with;
static struct store_driver failing;

static stet_status failing_commit(struct store *store, const struct store_batch *batch,
                                  const struct store_plan *plan, stet_error *err) {
    if (fail_with != STET_OK) return error_set(err, fail_with, "told to fail");
    return store_memory_driver.commit(store, batch, plan, err);
}

static void fail_commits(stet_status status) {
    failing = store_memory_driver;
    failing.commit = failing_commit;
    fail_with = status;
    world.fixture.space->store->driver = &failing;
}

static uint64_t counted(_Atomic uint64_t *counter) { return atomic_load(counter); }

TEST(what_fails_to_be_stored_is_not_counted) {
    (void)state;
    struct space_counters *counters = &world.fixture.space->counters;
    const char *id = parked_deal("1");
    assert_int_equal(counted(&counters->conflicts_opened), 1);
    fail_commits(STET_NO_SPACE);
    check_status(ask("1", 1, "{\"amount\":4,\"title\":\"a\"}"), STET_NO_SPACE);
    check_status(resolve(id, token_of(id), STET_CHOICE_YOURS), STET_NO_SPACE);
    check_status(overwrite("1", 1, "{\"amount\":5,\"title\":\"a\"}"), STET_NO_SPACE);
    assert_int_equal(counted(&counters->conflicts_opened), 1);
    assert_int_equal(counted(&counters->conflicts_resolved), 0);
    assert_int_equal(counted(&counters->notices), 0);
    fail_commits(STET_OK);
    must(resolve(id, token_of(id), STET_CHOICE_YOURS));
    assert_int_equal(counted(&counters->conflicts_resolved), 1);
    assert_int_equal(counted(&counters->resolution_bucket[0]), 1);
    be("cy");
    must(overwrite("1", 1, "{\"amount\":6,\"title\":\"a\"}"));
    assert_int_equal(counted(&counters->notices), 1);
    be("ann");
    must_park("1", 1, "{\"amount\":7,\"title\":\"a\"}");
    pass(DAY_S);
    assert_int_equal(counted(&counters->conflicts_expired), 1);
    assert_int_equal(counted(&counters->conflicts_opened), 2);
}

/* The newest event of the feed. */
static const char *last_event(void) {
    struct change *change = ring_find(&world.fixture.space->ring, seq_now());
    struct arena arena;
    struct buffer buffer;
    struct json_writer writer;
    assert_non_null(change);
    arena_init(&arena, 1024);
    buffer_init(&buffer, &arena, 0);
    json_begin(&writer, &buffer);
    render_conflict_event(&writer, NULL, &change->row);
    assert_int_equal(json_end(&writer), STET_OK);
    const char *text = world_text(buffer_view(&buffer));
    arena_done(&arena);
    change_unref(change);
    return text;
}

TEST(an_event_offers_merged_where_nothing_is_left_to_decide) {
    (void)state;
    parked_deal("1");
    check_json(last_event(), "/resolution_options",
               "[\"yours\",\"current\",\"fields\",\"custom\"]");
    be("ben");
    must_put("1", at(2), "{\"amount\":1,\"title\":\"b\"}");
    pass_ms(CONFLICT_CHANGED_MS);
    check_json(last_event(), "/event", "\"changed\"");
    check_json(last_event(), "/resolution_options",
               "[\"yours\",\"current\",\"merged\",\"fields\",\"custom\"]");
    must_put("1", at(3), "{\"amount\":9,\"title\":\"b\"}");
    pass_ms(CONFLICT_CHANGED_MS);
    check_json(last_event(), "/resolution_options",
               "[\"yours\",\"current\",\"fields\",\"custom\"]");
}

static struct answer concurrency_of(const char *id) {
    struct stet_command *command = new_command();
    stet_error err = {0};
    return take_filled(command,
                       conflicts_fill_concurrency(command, VIEW("task"), view_of(id), &err), &err);
}

TEST(before_writing_one_may_ask_what_the_record_is_in_for) {
    (void)state;
    const char *id = parked_deal("1");
    const char *body = must(concurrency_of("1")).body;
    check_json(body, "/current_version", "2");
    check_json(body, "/last_modified_by", "\"ben\"");
    check_json(body, "/has_conflicts", "true");
    assert_string_equal(unquoted(json_at(body, "/conflicts/0")), id);
    must(resolve(id, token_of(id), STET_CHOICE_CURRENT));
    check_json(must(concurrency_of("1")).body, "/has_conflicts", "false");
    must_delete("1", at(2));
    check_json(must(concurrency_of("1")).body, "/deleted", "true");
    check_status(concurrency_of("2"), STET_NOT_FOUND);
}

TEST(a_space_that_takes_no_writes_still_says_what_waits) {
    (void)state;
    const char *id = parked_deal("1");
    atomic_store(&world.fixture.space->halted, true);
    check_json(must(list_conflicts((stet_conflict_list){0})).body, "/open", "1");
    check_status(resolve(id, token_of(id), STET_CHOICE_CURRENT), STET_UNAVAILABLE);
    check_json(must(get_conflict(id)).body, "/state", "\"open\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define IN_A_WORLD(name) cmocka_unit_test_setup_teardown(name, setup, world_close)
        IN_A_WORLD(a_conflicting_write_waits_with_a_deadline_and_a_fallback),
        IN_A_WORLD(a_waiting_conflict_shows_all_sides_of_the_record_as_it_is_now),
        IN_A_WORLD(one_writer_may_wait_twice_for_one_record),
        IN_A_WORLD(a_record_has_a_bounded_number_of_open_conflicts),
        IN_A_WORLD(a_writer_has_a_bounded_number_of_open_conflicts),
        IN_A_WORLD(a_type_says_how_long_and_for_whom_its_conflicts_wait),
        IN_A_WORLD(nobody_writes_conflicts_by_hand),
        IN_A_WORLD(what_was_only_tried_does_not_wait),
        IN_A_WORLD(open_conflicts_are_listed_by_their_deadlines),
        IN_A_WORLD(a_page_of_large_conflicts_ends_early_and_the_next_goes_on),
        IN_A_WORLD(lists_are_narrowed_by_type_record_person_state_and_age),
        IN_A_WORLD(a_conflict_that_never_was_is_not_found),
        IN_A_WORLD(at_its_deadline_the_server_wins_and_the_writer_is_told),
        IN_A_WORLD(last_writer_wins_applies_the_write_at_its_deadline_and_tells_who_lost),
        IN_A_WORLD(a_patch_that_waited_takes_only_what_it_names_on_top),
        IN_A_WORLD(merge_at_the_deadline_leaves_what_still_conflicts_and_says_so),
        IN_A_WORLD(merge_at_the_deadline_applies_what_has_become_clean),
        IN_A_WORLD(deadlines_pass_in_their_order_in_one_go),
        cmocka_unit_test(a_deadline_that_passed_while_the_server_was_down_is_kept_afterwards),
        IN_A_WORLD(a_jump_of_the_clock_settles_nothing_before_it_has_lasted),
        IN_A_WORLD(a_conflict_says_once_in_a_while_that_its_record_moved_on),
        IN_A_WORLD(the_versions_a_conflict_names_are_kept),
        IN_A_WORLD(what_fails_to_be_stored_is_not_counted),
        IN_A_WORLD(an_event_offers_merged_where_nothing_is_left_to_decide),
        IN_A_WORLD(before_writing_one_may_ask_what_the_record_is_in_for),
        IN_A_WORLD(a_space_that_takes_no_writes_still_says_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
