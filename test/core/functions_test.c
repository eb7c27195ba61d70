/* Calls of functions: what they read and write, what they answer, what they meet, and what bounds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "core/export.h"
#include "core/retry.h"
#include "modules/types/types.h"

#define FUNCTIONS_BESIDE &types_module,
#include "modules/functions/functions_testing.h"

#define TEST(name) static void name(void **state)

static const char increment[] = "local counter = get('task', input.id) or {n = 0}\n"
                                "counter.n = counter.n + (input.by or 1)\n"
                                "put('task', input.id, counter)\n"
                                "return counter.n";

/* So long that it is never tried where others wait. */
#define SLOWLY "local x = 0 for i = 1, 20000 do x = x + i end\n"

/* ---- Reading and writing ----------------------------------------------------------------- */

TEST(a_function_reads_and_writes_records) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    must_define("add", none, increment);
    struct answer answer = must(call("add", "{\"id\":\"a\",\"by\":5}"));
    check_json(answer.body, "/result", "6");
    check_json(answer.body, "/results/0/address", "\"task/a\"");
    check_json(answer.body, "/results/0/version", "2");
    check_json(answer.body, "/results/0/op", "\"update\"");
    check_json(answer.body, "/runs", "1");
    check_data("a", 2, "{\"n\":6}");
    must(call("add", "{\"id\":\"new\"}"));
    check_data("new", 1, "{\"n\":1}");
}

TEST(it_sees_its_own_writes) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    must_define("f", none,
                "put('task', 'a', {n = 2})\n"
                "local seen, version = get('task', 'a')\n"
                "delete('task', 'a')\n"
                "local gone = get('task', 'a')\n"
                "create('task', 'a', {n = 3})\n"
                "local again = patch('task', 'a', {m = 4})\n"
                "return {seen.n, version == nil, gone == nil, again.n, again.m}");
    struct answer answer = must(call("f", "null"));
    check_json(answer.body, "/result", "[2,true,true,3,4]");
    check_data("a", 2, "{\"n\":3,\"m\":4}");
}

TEST(what_comes_and_goes_within_a_run_is_not_written) {
    (void)state;
    must_define("f", none, "local id = create('task', nil, {n = 1}) delete('task', id) return id");
    struct answer answer = must(call("f", "null"));
    check_json(answer.body, "/results", "[]");
    assert_true(answer.unchanged);
}

TEST(numbers_and_spelling_survive_what_is_read_and_put_back) {
    (void)state;
    must_put("a", none, "{\"big\":123456789012345678901234567890,\"x\":1.10,\"n\":1}");
    must_define("f", none, "local r = get('task', 'a') r.n = 2 put('task', 'a', r)");
    must(call("f", "null"));
    check_data("a", 2, "{\"big\":123456789012345678901234567890,\"x\":1.10,\"n\":2}");
}

TEST(errors_about_data_can_be_caught) {
    (void)state;
    must_put("a", none, "{}");
    must_define("f", none, "local ok, why = pcall(create, 'task', 'a', {}) return {ok, why.code}");
    check_json(must(call("f", "null")).body, "/result", "[false,\"ALREADY_EXISTS\"]");
    must_define("g", none, "local ok, why = pcall(delete, 'task', 'b') return why.code");
    check_json(must(call("g", "null")).body, "/result", "\"NOT_FOUND\"");
}

TEST(a_runtime_error_has_its_line_and_writes_nothing) {
    (void)state;
    must_define("f", none, "put('task', 'a', {})\nlocal x = nil\nreturn x.y");
    struct answer answer = call("f", "null");
    check_status(answer, STET_FUNCTION_FAILED);
    check_json(answer.body, "/line", "3");
    check_json(answer.body, "/function", "\"f\"");
    check_status(read_record("a"), STET_NOT_FOUND);
}

TEST(functions_call_one_another_in_one_transaction) {
    (void)state;
    must_define("add", none, increment);
    must_define("twice", none, "call('add', {id = 'a'}) return call('add', {id = 'a', by = 10})");
    check_json(must(call("twice", "null")).body, "/result", "11");
    check_data("a", 1, "{\"n\":11}");
    must_define("loop", none, "return call('loop', nil)");
    struct answer answer = call("loop", "null");
    check_status(answer, STET_FUNCTION_LIMIT);
    assert_string_equal(answer.field, "depth");
}

TEST(the_type_s_rules_hold_for_what_it_writes) {
    (void)state;
    struct stet_command *command = empty_command();
    const stet_type_write type = {
        .name = VIEW("task"),
        .definition = VIEW("{\"fields\":{\"/n\":{\"type\":\"integer\",\"maximum\":5}}}")};
    assert_int_equal(types_fill_write(command, &type, NULL), STET_OK);
    must(take(submitted(command)));
    must_define("add", none, increment);
    must(call("add", "{\"id\":\"a\",\"by\":5}"));
    struct answer answer = call("add", "{\"id\":\"a\"}");
    check_status(answer, STET_INVALID_DATA);
    check_json(answer.body, "/conflicts/0/field", "\"/n\"");
}

TEST(a_dry_run_says_what_it_would_do) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    must_define("add", none, increment);
    struct answer answer = must(call_of(&(stet_function_call){
        .name = VIEW("add"), .input = VIEW("{\"id\":\"a\"}"), .dry_run = true}));
    check_json(answer.body, "/result", "2");
    check_json(answer.body, "/mutations/0/data", "{\"n\":2}");
    check_json(answer.body, "/mutations/0/base_version", "1");
    check_data("a", 1, "{\"n\":1}");
}

/* Running it again would fail: the first answer counts. */
TEST(a_call_that_is_repeated_with_its_key_answers_as_the_first) {
    (void)state;
    must_define("once", none, "create('task', 'a', {n = 1}) return {made = true}");
    const stet_function_call asked = {.name = VIEW("once"), .mutation_key = VIEW("k1")};
    struct answer first = must(call_of(&asked));
    struct answer second = must(call_of(&asked));
    assert_true(second.replayed);
    assert_int_equal(second.seq, first.seq);
    check_json(second.body, "/result", "{\"made\":true}");
    check_json(second.body, "/results/0/address", "\"task/a\"");
    const stet_function_call other = {
        .name = VIEW("once"), .input = VIEW("1"), .mutation_key = VIEW("k1")};
    check_status(call_of(&other), STET_KEY_REUSED);
    check_json(receipt_of("k1").body, "/status", "\"confirmed\"");
}

TEST(a_run_repeats_with_its_seed_and_ids_are_uuids) {
    (void)state;
    must_define("f", none, "return {uuid(), uuid(), now()}");
    struct answer answer = must(call("f", "null"));
    const char *one = json_at(answer.body, "/result/0"), *two = json_at(answer.body, "/result/1");
    assert_int_equal(strlen(one), 38);
    assert_int_equal(one[15], '7');
    assert_string_not_equal(one, two);
    check_json(answer.body, "/result/2", "\"2023-11-14T22:13:20.000000000Z\"");
}

TEST(what_its_caller_may_not_do_it_may_not) {
    (void)state;
    must_define("f", none, "return get('stet.type', 'x')");
    check_json(must(call("f", "null")).body, "/result", "null");
    world.fixture.actor.admin = false;
    check_status(call_of(&(stet_function_call){.name = VIEW("f"), .class_ = STET_CLASS_HIGH}),
                 STET_FORBIDDEN);
}

/* ---- Lists ------------------------------------------------------------------------------- */

TEST(a_list_has_what_the_run_wrote) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    must_put("b", none, "{\"n\":2}");
    must_put("c", none, "{\"n\":3}");
    must_define("f", none,
                "put('task', 'b', {n = 9})\n"
                "put('task', 'd', {n = 0})\n"
                "delete('task', 'a')\n"
                "local found = {}\n"
                "for i, row in ipairs(list('task', {where = 'n < 9', sort = 'n'})) do\n"
                "  found[i] = row.id\n"
                "end\n"
                "return found");
    check_json(must(call("f", "null")).body, "/result", "[\"d\",\"c\"]");
}

TEST(a_limit_of_a_list_counts_what_is_left_after_its_own_writes) {
    (void)state;
    char id[8], data[16];
    for (int i = 0; i < 6; i++) {
        snprintf(id, sizeof id, "r%d", i);
        snprintf(data, sizeof data, "{\"n\":%d}", i);
        must_put(id, none, data);
    }
    must_define("f", none,
                "delete('task', 'r0') delete('task', 'r1')\n"
                "local ids = ''\n"
                "for _, row in ipairs(list('task', {sort = '-n', limit = 3})) do ids = ids .. "
                "row.id end\n"
                "for _, row in ipairs(list('task', {sort = 'n', limit = 3})) do ids = ids .. "
                "row.id end\n"
                "return ids");
    check_json(must(call("f", "null")).body, "/result", "\"r5r4r3r2r3r4\"");
}

/* ---- Meeting others ---------------------------------------------------------------------- */

TEST(on_a_hot_record_no_increment_is_lost) {
    (void)state;
    enum { CALLS = 200 };
    struct stet_command *calls[CALLS];
    must_put("hot", none, "{\"n\":0}");
    must_define("add", none, increment);
    must_define("slow", none, increment);
    for (int i = 0; i < CALLS; i++)
        calls[i] = start_call("add", "{\"id\":\"hot\"}");
    for (int i = 0; i < CALLS; i++)
        must(take(calls[i]));
    check_json(read_record("hot").body, "/data/n", "200");
}

/* Moves the clock until nobody waits any more. */
static void finish_all(struct stet_command **commands, size_t count) {
    for (bool done = false; !done;) {
        done = true;
        for (size_t i = 0; i < count; i++)
            done &= commands[i]->done;
        if (done) return;
        if (!engine_step(world.fixture.engine)) clock_manual_advance(&world.clock, 1000000);
        while (client_next(world.fixture.client) != NULL)
            ;
    }
}

/* One wins each round; the others are run again after their pauses, until they had as many runs as their class has. */
TEST(long_functions_are_run_again_within_bounds) {
    (void)state;
    enum { CALLS = 6 };
    struct stet_command *calls[CALLS];
    unsigned won = 0, rejected = 0;
    must_put("hot", none, "{\"n\":0}");
    must_define("slow", none,
                SLOWLY "local r = get('task', 'hot') r.n = r.n + 1 put('task', 'hot', r)");
    for (int i = 0; i < CALLS; i++)
        calls[i] =
            start_call_of(&(stet_function_call){.name = VIEW("slow"), .class_ = STET_CLASS_LOW});
    finish_all(calls, CALLS);
    for (int i = 0; i < CALLS; i++) {
        struct answer answer = take(calls[i]);
        const char *runs = json_at(answer.body, "/runs");
        assert_non_null(runs);
        assert_true(atoi(runs) <= (int)class_retries(STET_CLASS_LOW) + 1);
        won += answer.status == STET_OK;
        rejected += answer.status == STET_OPERATION_REJECTED;
    }
    assert_true(won >= 1);
    assert_int_equal(won + rejected, CALLS);
    char expected[16];
    snprintf(expected, sizeof expected, "%u", won);
    check_json(read_record("hot").body, "/data/n", expected);
}

/* Somebody is always faster, as long as that is possible: between its run and its turn the record changes. */
static struct answer finish_overtaken(stet_class class_) {
    must_put("hot", none, "{\"n\":0}");
    must_define("slow", none,
                SLOWLY "local r = get('task', 'hot') r.n = r.n + 1000 put('task', 'hot', r)");
    struct stet_command *slow =
        start_call_of(&(stet_function_call){.name = VIEW("slow"), .class_ = class_});
    unsigned writes = 0;
    stet_mutation by_hand = mutation(STET_OP_PUT, "hot", none, NULL);
    char data[32];
    while (!slow->done) {
        stet_version version = fixture_version(&world.fixture, "task", "hot");
        struct answer now = read_record("hot");
        snprintf(data, sizeof data, "{\"n\":%d}", atoi(json_at(now.body, "/data/n")) + 1);
        by_hand.base = at(version);
        by_hand.body = view_of(data);
        struct stet_command *write =
            start(&(stet_write){.mutations = &by_hand, .mutation_count = 1});
        /* It stands ahead of the function, which has not seen it when it runs. */
        while (workers_step(&world.fixture.engine->workers))
            ;
        while (sequencer_step(world.fixture.space->sequencer, 1) && !write->done)
            while (client_next(world.fixture.client) != NULL)
                ;
        while (!write->done) {
            clock_manual_advance(&world.clock, CLOCK_NS_PER_S);
            engine_step_batch(world.fixture.engine, world.fixture.space, 1);
            while (client_next(world.fixture.client) != NULL)
                ;
        }
        command_render(write);
        writes += write->outcome.status == STET_OK;
        command_destroy(write);
        clock_manual_advance(&world.clock, 3 * CLOCK_NS_PER_S);
        assert_true(writes < 1000);
    }
    return take(slow);
}

/* However often others win, the last run of a structural function is alone. */
TEST(a_structural_function_commits_in_the_end) {
    (void)state;
    struct answer answer = must(finish_overtaken(STET_CLASS_STRUCTURAL));
    assert_true(atoi(json_at(answer.body, "/runs")) <=
                (int)class_retries(STET_CLASS_STRUCTURAL) + 1);
}

/* Not so those of others: but who lost three times has what it looked at for itself. */
TEST(a_long_function_that_lost_three_times_wins_the_fourth) {
    (void)state;
    struct answer answer = must(finish_overtaken(STET_CLASS_NORMAL));
    check_json(answer.body, "/runs", "4");
}

/* Low gives way instead. */
TEST(a_long_function_of_class_low_is_rejected_in_the_end) {
    (void)state;
    struct answer answer = finish_overtaken(STET_CLASS_LOW);
    check_status(answer, STET_OPERATION_REJECTED);
}

/* ---- Strict serializability -------------------------------------------------------------- */

static const char withdraw[] =
    SLOWLY "local a, b = get('task', 'a'), get('task', 'b')\n"
           "if a.n + b.n < 100 then return 'refused' end\n"
           "local mine = get('task', input) mine.n = mine.n - 100 put('task', input, mine)\n"
           "return 'paid'";

/* Two accounts may be overdrawn as long as both together are not. Each reads both and writes one. */
static long skewed_sum(void) {
    must_put("a", none, "{\"n\":50}");
    must_put("b", none, "{\"n\":50}");
    must_define("withdraw", none, withdraw);
    struct stet_command *calls[] = {start_call("withdraw", "\"a\""),
                                    start_call("withdraw", "\"b\"")};
    finish_all(calls, 2);
    must(take(calls[0]));
    must(take(calls[1]));
    return atol(json_at(read_record("a").body, "/data/n")) +
           atol(json_at(read_record("b").body, "/data/n"));
}

TEST(writes_that_are_skewed_are_found) {
    (void)state;
    assert_int_equal(skewed_sum(), 0);
}

TEST(under_snapshot_isolation_they_are_not) {
    (void)state;
    world.fixture.engine->seams.unvalidated_reads = true;
    assert_int_equal(skewed_sum(), -100);
}

/* Who books counts the bookings first: at most one may be made. */
static size_t booked(bool indexed) {
    if (indexed) {
        struct stet_command *command = empty_command();
        const stet_type_write type = {.name = VIEW("task"),
                                      .definition = VIEW("{\"index\":[\"/room\"]}")};
        assert_int_equal(types_fill_write(command, &type, NULL), STET_OK);
        must(take(submitted(command)));
    }
    must_put("other", none, "{\"room\":2}");
    must_define("book", none,
                "if #list('task', {where = 'room = 1'}) > 0 then return 'taken' end\n"
                "create('task', nil, {room = 1}) return 'booked'");
    struct stet_command *calls[] = {start_call("book", "null"), start_call("book", "null"),
                                    start_call("book", "null")};
    size_t booked = 0;
    finish_all(calls, 3);
    for (size_t i = 0; i < 3; i++)
        booked += strcmp(json_at(must(take(calls[i])).body, "/result"), "\"booked\"") == 0;
    return booked;
}

TEST(phantoms_are_found_in_a_scan) {
    (void)state;
    assert_int_equal(booked(false), 1);
}

TEST(phantoms_are_found_in_an_index) {
    (void)state;
    assert_int_equal(booked(true), 1);
}

TEST(under_snapshot_isolation_phantoms_are_not) {
    (void)state;
    world.fixture.engine->seams.unvalidated_reads = true;
    assert_int_equal(booked(true), 3);
}

/* A run that is overtaken by another version of its function is run again with that. */
TEST(a_function_that_is_replaced_meanwhile_is_the_new_one) {
    (void)state;
    must_define("f", none, SLOWLY "put('task', 'a', {v = 1})");
    struct stet_command *slow = start_call("f", "null");
    while (workers_step(&world.fixture.engine->workers))
        ;
    struct stet_command *put = empty_command();
    const char *definition = definition_of("put('task', 'a', {v = 2})");
    const stet_function_write write = {
        .name = VIEW("f"), .base = at(1), .definition = view_of(definition)};
    assert_int_equal(functions_fill_write(put, &write, NULL), STET_OK);
    /* The put is decided first: the call's turn comes after it. */
    struct space *space = world.fixture.space;
    submitted(put);
    struct stet_command *first = space->queue_first;
    if (first == slow) {
        space->queue_first = first->next;
        first->next = NULL;
        space->queue_last->next = first;
        space->queue_last = first;
    }
    must(take(put));
    must(take(slow));
    check_json(read_record("a").body, "/data/v", "2");
}

/* ---- Where it came from ------------------------------------------------------------------ */

TEST(history_says_which_function_made_a_version_and_from_what) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    must_put("b", none, "{\"n\":2}");
    must_define("sum", none,
                "local a, b = get('task', 'a'), get('task', 'b')\n"
                "get('task', 'nothing')\n"
                "put('task', 'total', {n = a.n + b.n})");
    must(call("sum", "null"));
    struct answer history = must(history_of("total"));
    check_json(history.body, "/changes/0/function", "\"sum@1\"");
    check_json(history.body, "/changes/0/inputs", "[\"task/a@1\",\"task/b@1\"]");
    check_no_json(history.body, "/changes/0/origin");
    check_no_json(must(history_of("a")).body, "/changes/0/function");
}

/* Exported with the history, and kept by an import as what was said elsewhere. */
TEST(an_import_keeps_by_what_a_version_was_made) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    must_define("copy", none, "put('task', 'b', get('task', 'a'))");
    must(call("copy", "null"));
    struct stet_command *command = empty_command();
    const stet_export export = {.history = true};
    assert_int_equal(export_fill(command, &export, NULL), STET_OK);
    struct answer lines = must(take(submitted(command)));
    assert_non_null(strstr(lines.body, "\"function\":\"copy@1\",\"inputs\":[\"task/a@1\"]"));
    const stet_origin origin = {.history = true,
                                .version = 1,
                                .created_at = 1,
                                .function = VIEW("copy@1"),
                                .inputs = VIEW("[\"task/a@1\"]")};
    stet_mutation imported = mutation(STET_OP_PUT, "c", none, "{\"n\":1}");
    imported.origin = &origin;
    must(run(&(stet_write){.mutations = &imported, .mutation_count = 1, .source = VIEW("import")}));
    struct answer history = must(history_of("c"));
    check_no_json(history.body, "/changes/0/function");
    check_json(history.body, "/changes/0/origin/function", "\"copy@1\"");
    check_json(history.body, "/changes/0/origin/inputs", "[\"task/a@1\"]");
}

/* ---- Merging ----------------------------------------------------------------------------- */

static void declare_type_as(const char *definition) {
    struct stet_command *command = empty_command();
    const stet_type_write type = {.name = VIEW("task"), .definition = view_of(definition)};
    assert_int_equal(types_fill_write(command, &type, NULL), STET_OK);
    must(take(submitted(command)));
}

TEST(a_function_merges_a_field) {
    (void)state;
    declare_type_as("{\"on_conflict\":\"merge\",\"fields\":{\"/n\":{\"merge\":\"function:sum\"}}}");
    must_define("sum", none, "return current + yours");
    must_put("a", none, "{\"n\":1,\"m\":1}");
    must_put("a", at(1), "{\"n\":10,\"m\":1}");
    struct answer answer = must(try_put("a", at(1), "{\"n\":100,\"m\":2}"));
    assert_true(answer.merged);
    check_data("a", 3, "{\"n\":110,\"m\":2}");
    check_json(must(history_of("a")).body, "/changes/0/merge/fields/~1n/rule", "\"function\"");
}

TEST(a_function_is_a_strategy) {
    (void)state;
    declare_type_as("{\"on_conflict\":\"function:join\"}");
    must_define("join", none, "return {from = {base.n, current.n, yours.n}}");
    must_put("a", none, "{\"n\":1}");
    must_put("a", at(1), "{\"n\":2}");
    must(try_put("a", at(1), "{\"n\":3}"));
    check_data("a", 3, "{\"from\":[1,2,3]}");
}

TEST(what_a_function_cannot_merge_is_a_conflict) {
    (void)state;
    static const char *const sources[] = {"return nil", "return 1", "error('no')",
                                          "return get('task', 'a')", "while true do end"};
    declare_type_as("{\"on_conflict\":\"function:join\"}");
    must_put("a", none, "{\"n\":1}");
    must_put("a", at(1), "{\"n\":2}");
    check_status(try_put("a", at(1), "{\"n\":3}"), STET_CONCURRENT_MODIFICATION);
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        must_define("join", i == 0 ? none : at(i), sources[i]);
        struct answer answer = try_put("a", at(1), "{\"n\":3}");
        check_status(answer, STET_CONCURRENT_MODIFICATION);
        check_json(answer.body, "/clean", "false");
    }
    check_data("a", 2, "{\"n\":2}");
}

/* A function that fails is told apart from one that will not settle it: to the writer, and to the operator once a minute. */
struct reports {
    unsigned count;
    char last[256];
};

static void note_report(void *context, stet_severity severity, const char *message) {
    struct reports *reports = context;
    assert_int_equal(severity, STET_REPORT_WARNING);
    reports->count++;
    snprintf(reports->last, sizeof reports->last, "%s", message);
}

TEST(a_function_that_fails_to_merge_is_named) {
    (void)state;
    static const char *const sources[][2] = {{"return 1", "\"FUNCTION_FAILED\""},
                                             {"error('no')", "\"FUNCTION_FAILED\""},
                                             {"while true do end", "\"FUNCTION_LIMIT\""}};
    struct reports reports = {0};
    world.fixture.engine->options.report = note_report;
    world.fixture.engine->options.report_context = &reports;
    declare_type_as("{\"on_conflict\":\"function:join\"}");
    must_put("a", none, "{\"n\":1}");
    must_put("a", at(1), "{\"n\":2}");
    struct answer answer = try_put("a", at(1), "{\"n\":3}");
    check_json(answer.body, "/fields//rule_error/code", "\"NOT_FOUND\"");
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        must_define("join", i == 0 ? none : at(i), sources[i][0]);
        answer = try_put("a", at(1), "{\"n\":3}");
        check_status(answer, STET_CONCURRENT_MODIFICATION);
        check_json(answer.body, "/fields//rule_error/function", "\"join\"");
        check_json(answer.body, "/fields//rule_error/code", sources[i][1]);
        assert_non_null(strstr(answer.body, "\"detail\":"));
    }
    assert_int_equal(reports.count, 1);
    assert_non_null(strstr(reports.last, "function \"join\" failed to merge"));
    clock_manual_advance(&world.clock, 61 * CLOCK_NS_PER_S);
    check_status(try_put("a", at(1), "{\"n\":3}"), STET_CONCURRENT_MODIFICATION);
    assert_int_equal(reports.count, 2);
    assert_non_null(strstr(reports.last, "FUNCTION_LIMIT"));
    must_define("join", at(3), "return nil");
    clock_manual_advance(&world.clock, 61 * CLOCK_NS_PER_S);
    answer = try_put("a", at(1), "{\"n\":3}");
    check_status(answer, STET_CONCURRENT_MODIFICATION);
    assert_null(strstr(answer.body, "rule_error"));
    assert_int_equal(reports.count, 2);
}

TEST(it_is_named_at_its_field) {
    (void)state;
    declare_type_as("{\"on_conflict\":\"merge\",\"fields\":{\"/n\":{\"merge\":\"function:sum\"}}}");
    must_define("sum", none, "error('too much')");
    must_put("a", none, "{\"n\":1,\"m\":1}");
    must_put("a", at(1), "{\"n\":10,\"m\":2}");
    struct answer answer = try_put("a", at(1), "{\"n\":100,\"m\":3}");
    check_status(answer, STET_CONCURRENT_MODIFICATION);
    check_json(answer.body, "/fields/~1n/rule_error/function", "\"sum\"");
    assert_non_null(strstr(answer.body, "too much"));
    assert_null(strstr(strstr(answer.body, "rule_error") + 1, "rule_error")); /* Not at /m. */
}

/* ---- Limits ------------------------------------------------------------------------------ */

#define check_limit(name, field_expected)                                                          \
    do {                                                                                           \
        struct answer limited_ = call(name, "null");                                               \
        check_status(limited_, STET_FUNCTION_LIMIT);                                               \
        assert_string_equal(limited_.field, (field_expected));                                     \
        assert_true(limited_.limit > 0);                                                           \
    } while (0)

/* Each patch makes a megabyte that is refused. */
TEST(what_a_run_makes_in_vain_counts_as_its_memory) {
    (void)state;
    must_define("f", none,
                "create('task', 'a', {s = ('x'):rep(1000000)})\n"
                "local patched = {t = ('y'):rep(100000)}\n"
                "while true do pcall(patch, 'task', 'a', patched) end");
    check_limit("f", "memory");
    must_define("g", none,
                "create('task', 'a', {s = ('x'):rep(100000)})\n"
                "local n = 0\n"
                "for i = 1, 400 do n = n + #get('task', 'a').s end return n");
    check_json(must(call("g", "null")).body, "/result", "40000000");
}

TEST(every_limit_has_its_name) {
    (void)state;
    must_define("loop", none, "while true do end");
    check_limit("loop", "instructions");
    must_define("caught", none, "pcall(function() while true do end end) return 1");
    check_limit("caught", "instructions");
    must_define("reads", none, "for i = 1, 20000 do get('task', 'r' .. i) end");
    check_limit("reads", "reads");
    must_define("writes", none, "for i = 1, 2000 do put('task', 'r' .. i, {}) end");
    check_limit("writes", "writes");
    must_define("memory", none, "local t = {} for i = 1, 1e8 do t[i] = {i} end");
    check_limit("memory", "memory");
}

TEST(a_definition_s_own_limits_are_lower) {
    (void)state;
    must(put_definition(
        "f", none,
        "{\"source\":\"for i = 1, 4 do get('task', 'r' .. i) end\",\"limits\":{\"reads\":3}}"));
    check_limit("f", "reads");
}

TEST(results_must_be_json) {
    (void)state;
    must_define("circle", none, "local t = {} t.t = t return t");
    assert_int_not_equal(call("circle", "null").status, STET_OK);
    must_define("function", none, "return function() end");
    assert_int_not_equal(call("function", "null").status, STET_OK);
}

TEST(what_is_not_there_is_not_found) {
    (void)state;
    struct answer answer = call("nobody", "null");
    check_status(answer, STET_NOT_FOUND);
    assert_string_equal(answer.field, "function");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FUNCTIONS(a_function_reads_and_writes_records),
        FUNCTIONS(it_sees_its_own_writes),
        FUNCTIONS(what_comes_and_goes_within_a_run_is_not_written),
        FUNCTIONS(numbers_and_spelling_survive_what_is_read_and_put_back),
        FUNCTIONS(errors_about_data_can_be_caught),
        FUNCTIONS(a_runtime_error_has_its_line_and_writes_nothing),
        FUNCTIONS(functions_call_one_another_in_one_transaction),
        FUNCTIONS(the_type_s_rules_hold_for_what_it_writes),
        FUNCTIONS(a_dry_run_says_what_it_would_do),
        FUNCTIONS(a_call_that_is_repeated_with_its_key_answers_as_the_first),
        FUNCTIONS(a_run_repeats_with_its_seed_and_ids_are_uuids),
        FUNCTIONS(what_its_caller_may_not_do_it_may_not),
        FUNCTIONS(a_list_has_what_the_run_wrote),
        FUNCTIONS(a_limit_of_a_list_counts_what_is_left_after_its_own_writes),
        FUNCTIONS(on_a_hot_record_no_increment_is_lost),
        FUNCTIONS(long_functions_are_run_again_within_bounds),
        FUNCTIONS(a_long_function_that_lost_three_times_wins_the_fourth),
        FUNCTIONS(a_long_function_of_class_low_is_rejected_in_the_end),
        FUNCTIONS(a_structural_function_commits_in_the_end),
        FUNCTIONS(writes_that_are_skewed_are_found),
        FUNCTIONS(under_snapshot_isolation_they_are_not),
        FUNCTIONS(phantoms_are_found_in_a_scan),
        FUNCTIONS(phantoms_are_found_in_an_index),
        FUNCTIONS(under_snapshot_isolation_phantoms_are_not),
        FUNCTIONS(a_function_that_is_replaced_meanwhile_is_the_new_one),
        FUNCTIONS(history_says_which_function_made_a_version_and_from_what),
        FUNCTIONS(an_import_keeps_by_what_a_version_was_made),
        FUNCTIONS(a_function_merges_a_field),
        FUNCTIONS(a_function_is_a_strategy),
        FUNCTIONS(what_a_function_cannot_merge_is_a_conflict),
        FUNCTIONS(a_function_that_fails_to_merge_is_named),
        FUNCTIONS(it_is_named_at_its_field),
        FUNCTIONS(every_limit_has_its_name),
        FUNCTIONS(what_a_run_makes_in_vain_counts_as_its_memory),
        FUNCTIONS(a_definition_s_own_limits_are_lower),
        FUNCTIONS(results_must_be_json),
        FUNCTIONS(what_is_not_there_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
