/* Exports as of one position, and histories imported again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "core/export.h"
#include "core/policy.h"
#include "core/write_fixture.h"

#include <stdlib.h>

/* ---- Helpers ----------------------------------------------------------------------------- */

struct exported {
    char *text; /* Owned by the world. */
    stet_export_page page;
    unsigned pages;
    uint64_t lines, pruned, newer;
};

/* between: runs after each page, while nothing is held. */
static struct exported export_with(stet_export options, void (*between)(unsigned page)) {
    struct exported all = {0};
    struct buffer text;
    buffer_init(&text, &world.arena, 0);
    do {
        struct stet_command *command = command_create(world.fixture.client);
        stet_error err = {0};
        assert_non_null(command);
        if (export_fill(command, &options, &err) != STET_OK) fail_msg("%s", err.message);
        submitted(command);
        fixture_finish(&world.fixture, command);
        if (command->status != STET_OK) fail_msg("export: %s", command->error.message);
        all.page = export_page(command);
        all.lines += all.page.lines;
        all.pruned += all.page.pruned;
        all.newer += all.page.newer;
        buffer_append_view(&text, command->outcome.body);
        command_destroy(command);
        assert_true(all.page.next > options.after || all.page.end);
        options.as_of = all.page.as_of;
        options.after = all.page.next;
        if (between != NULL) between(all.pages);
        all.pages++;
    } while (!all.page.end);
    buffer_append_char(&text, '\0');
    assert_int_equal(buffer_status(&text), STET_OK);
    all.text = text.bytes;
    return all;
}

static struct exported export_all(bool history) {
    return export_with((stet_export){.history = history}, NULL);
}

static const char *line_at(const char *text, unsigned index) {
    for (; index > 0; index--)
        text = strchr(text, '\n') + 1;
    return world_text(view_make(text, (size_t)(strchr(text, '\n') - text)));
}

/* Each line without its position, which is the space's and not the record's. */
static const char *without_positions(const char *text) {
    struct buffer out;
    buffer_init(&out, &world.arena, 0);
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *type = strstr(line, "\"type\"");
        buffer_append_view(&out, view_make(type, (size_t)(strchr(line, '\n') + 1 - type)));
    }
    buffer_append_char(&out, '\0');
    assert_int_equal(buffer_status(&out), STET_OK);
    return out.bytes;
}

static stet_view text_of(const struct doc *doc, const char *name) {
    doc_node node = doc_member(doc, 0, view_of(name));
    stet_view text = {0};
    if (node != DOC_NONE) assert_int_equal(doc_string(&world.arena, doc, node, &text), STET_OK);
    return text;
}

static uint64_t number_of(const struct doc *doc, const char *name) {
    uint64_t number = 0;
    doc_node node = doc_member(doc, 0, view_of(name));
    if (node != DOC_NONE) assert_true(doc_u64(doc, node, &number));
    return number;
}

static stet_time time_of(const struct doc *doc, const char *name) {
    stet_view text = text_of(doc, name);
    int64_t ns = 0;
    if (text.size > 0) assert_true(clock_parse_rfc3339(text, &ns));
    return ns;
}

static stet_view raw_of(const struct doc *doc, const char *name) {
    doc_node node = doc_member(doc, 0, view_of(name));
    return node == DOC_NONE ? (stet_view){0} : doc_text(doc, node);
}

/* Writes one line of a history, as whoever imports it does. */
static struct answer import_line(const char *line) {
    struct doc doc;
    if (doc_parse(&world.arena, view_of(line), NULL, &doc, NULL) != STET_OK)
        fail_msg("not JSON: %s", line);
    bool deletes = view_equal(text_of(&doc, "op"), VIEW("delete"));
    stet_origin origin = {
        .history = true,
        .version = number_of(&doc, "version"),
        .base_version = number_of(&doc, "base_version"),
        .created_at = time_of(&doc, "created_at"),
        .created_by = text_of(&doc, "created_by"),
        .updated_at = time_of(&doc, "updated_at"),
        .updated_by = text_of(&doc, "updated_by"),
        .source = text_of(&doc, "source"),
        .mutation_key = text_of(&doc, "client_mutation_id"),
        .merge = raw_of(&doc, "merge"),
        .forked_from = text_of(&doc, "forked_from"),
    };
    stet_mutation one = {
        .op = deletes ? STET_OP_DELETE : STET_OP_PUT,
        .type = text_of(&doc, "type"),
        .id = text_of(&doc, "id"),
        .body = raw_of(&doc, "data"),
        .modified_at = time_of(&doc, "modified_at"),
        .parent = text_of(&doc, "parent"),
        .sets_parent = true,
        .origin = &origin,
    };
    return run(&(stet_write){.mutations = &one, .mutation_count = 1, .source = VIEW("import")});
}

static void import_all(const char *text) {
    for (unsigned i = 0; *text != '\0'; i++, text = strchr(text, '\n') + 1)
        must(import_line(line_at(text, 0)));
}

/* The same world, empty. What was exported stays. */
static void begin_anew(void) {
    fixture_close(&world.fixture);
    clock_manual_advance(&world.clock, 3600 * CLOCK_NS_PER_S);
    world_reopen();
}

static void check_store(void) {
    uint64_t findings;
    assert_int_equal(
        store_check(store_writer_reader(world.fixture.space->store), NULL, NULL, &findings, NULL),
        STET_OK);
    assert_int_equal(findings, 0);
}

static void keep_versions(uint32_t versions) {
    static uint64_t sequence;
    struct arena arena;
    arena_init(&arena, 1024);
    struct policy *policy = arena_zalloc(&arena, 1, sizeof *policy);
    assert_non_null(policy);
    atomic_init(&policy->refs, 1);
    policy->arena = arena;
    policy->type = VIEW("task");
    policy->version = policy->seq = ++sequence;
    policy->retain_versions = versions;
    assert_int_equal(policies_reserve(world.fixture.space->policies, NULL), STET_OK);
    policies_stage(world.fixture.space->policies, VIEW("task"), policy);
    policies_publish(world.fixture.space->policies);
}

#define TEST(name) static void name(void **state)

/* ---- As of one position ------------------------------------------------------------------ */

TEST(an_export_has_each_live_record_once) {
    (void)state;
    must_put("1", none, "{\"n\":1}");
    must_put("2", none, "{\"n\":2}");
    must_put("1", at(1), "{\"n\":3}");
    must_put("3", none, "{\"n\":4}");
    must_delete("2", at(1));
    struct exported all = export_all(false);
    assert_int_equal(all.lines, 2);
    assert_int_equal(all.page.as_of, 5);
    check_json(line_at(all.text, 0), "/id", "\"1\"");
    check_json(line_at(all.text, 0), "/version", "2");
    check_json(line_at(all.text, 0), "/data", "{\"n\":3}");
    check_json(line_at(all.text, 1), "/id", "\"3\"");
}

enum { MANY = 3000 };

static void meddle(unsigned page) {
    char id[32];
    if (page > 3) return;
    for (unsigned i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "%u", page * 701 + i * 17);
        stet_version version = read_record(id).version;
        if (i % 3 == 0) {
            must_delete(id, at(version));
        } else {
            must_put(id, at(version), "{\"n\":\"later\"}");
        }
        snprintf(id, sizeof id, "new-%u-%u", page, i);
        must_put(id, none, "{\"n\":\"new\"}");
    }
}

TEST(what_is_written_between_pages_changes_nothing) {
    char data[512];
    char id[32];
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "%u", i);
        snprintf(data, sizeof data, "{\"n\":%u,\"text\":\"%0400u\"}", i, i);
        must_put(id, none, data);
    }
    const char *before = export_all(false).text;
    struct exported during = export_with((stet_export){0}, meddle);
    assert_true(during.pages > 3);
    assert_int_equal(during.lines, MANY);
    assert_int_equal(during.newer, 0);
    assert_string_equal(during.text, before);
    assert_null(strstr(during.text, "later"));
}

TEST(where_is_asked_of_the_record_as_it_was_then) {
    (void)state;
    must_put("1", none, "{\"stage\":\"open\"}");
    must_put("2", none, "{\"stage\":\"open\"}");
    must_put("1", at(1), "{\"stage\":\"won\"}");
    stet_seq then = seq_now();
    must_put("2", at(1), "{\"stage\":\"won\"}");
    stet_export options = {.where = VIEW("stage = \"won\""), .as_of = then};
    struct exported state_then = export_with(options, NULL);
    assert_int_equal(state_then.lines, 1);
    check_json(line_at(state_then.text, 0), "/id", "\"1\"");
    options.history = true;
    struct exported history_then = export_with(options, NULL);
    assert_int_equal(history_then.lines, 2);
    check_json(line_at(history_then.text, 0), "/data", "{\"stage\":\"open\"}");
}

TEST(only_an_administrator_exports) {
    (void)state;
    must_put("1", none, "{}");
    struct stet_command *command = command_create(world.fixture.client);
    assert_int_equal(export_fill(command, &(stet_export){0}, NULL), STET_OK);
    world.fixture.actor.admin = false;
    check_status(take(submitted(command)), STET_FORBIDDEN);
}

TEST(a_position_that_is_not_reached_is_refused) {
    (void)state;
    must_put("1", none, "{}");
    struct stet_command *command = command_create(world.fixture.client);
    assert_int_equal(export_fill(command, &(stet_export){.as_of = 9}, NULL), STET_OK);
    struct answer answer = take(submitted(command));
    check_status(answer, STET_BAD_REQUEST);
    assert_string_equal(answer.field, "as_of");
}

/* ---- Versions that are not kept ---------------------------------------------------------- */

TEST(a_state_that_was_let_go_is_shown_as_it_is_now_and_counted) {
    (void)state;
    keep_versions(1);
    must_put("1", none, "{\"n\":1}");
    must_put("2", none, "{\"n\":1}");
    stet_seq then = seq_now();
    must_put("1", at(1), "{\"n\":2}");
    must_delete("2", at(1));
    struct exported all = export_with((stet_export){.as_of = then}, NULL);
    assert_int_equal(all.lines, 1);
    assert_int_equal(all.newer, 2);
    check_json(line_at(all.text, 0), "/data", "{\"n\":2}");
    check_json(line_at(all.text, 0), "/seq", "1"); /* Its place: who goes on does so behind it. */
}

TEST(a_history_begins_where_none_is_missing) {
    (void)state;
    keep_versions(3);
    must_put("1", none, "{\"n\":1}");
    for (stet_version version = 1; version < 6; version++) {
        char data[32];
        snprintf(data, sizeof data, "{\"n\":%u}", (unsigned)version + 1);
        must_put("1", at(version), data);
    }
    struct exported all = export_all(true);
    assert_int_equal(all.lines, 3);
    assert_int_equal(all.pruned, 3);
    check_json(line_at(all.text, 0), "/version", "4");
    check_json(line_at(all.text, 0), "/created_at", "\"2023-11-14T22:13:20.000000000Z\"");
    begin_anew();
    import_all(all.text);
    check_data("1", 6, "{\"n\":6}");
    check_store();
}

/* ---- There and back ---------------------------------------------------------------------- */

static void make_a_past(void) {
    be("ann");
    must_put("1", none, "{\"n\":1.10}");
    clock_manual_advance(&world.clock, 17 * CLOCK_NS_PER_S);
    be("ben");
    keyed(mutation(STET_OP_PUT, "1", at(1), "{\"n\":2}"), "bens-own-key");
    must_put("2", none, "{\"ä\":[]}");
    must(apply_one((stet_mutation){.op = STET_OP_CREATE,
                                   .type = VIEW("task"),
                                   .id = VIEW("2/a b"),
                                   .parent = VIEW("task/2"),
                                   .sets_parent = true,
                                   .body = VIEW("{}")}));
    stet_mutation both[] = {mutation(STET_OP_PUT, "1", at(2), "{\"n\":3}"),
                            mutation(STET_OP_PUT, "3", none, "{\"n\":3}")};
    must(transact(both, 2, "both"));
    must_delete("3", at(1));
    must_put("3", at(2), "{\"back\":true}");
    must_delete("3", at(3));
    stet_mutation winner = mutation(STET_OP_PUT, "1", at(1), "{\"n\":4}");
    winner.on_conflict = STET_STRATEGY_LAST_WRITER_WINS;
    winner.modified_at = 1600000000000000001;
    must(apply_one(winner));
    stet_mutation back = mutation(STET_OP_REVERT, "1", at(4), NULL);
    back.revert_to = 2;
    must(apply_one(back));
    stet_origin origin = {.version = 41, .created_at = 5, .created_by = VIEW("eve")};
    stet_mutation old = mutation(STET_OP_CREATE, "old", none, "{}");
    old.origin = &origin;
    must(run(&(stet_write){.mutations = &old, .mutation_count = 1, .source = VIEW("import")}));
    must_put("old", at(41), "{\"n\":42}");
}

TEST(a_history_goes_there_and_back_byte_by_byte) {
    (void)state;
    make_a_past();
    struct exported first = export_all(true);
    assert_int_equal(first.lines, seq_now());
    const char *state_before = export_all(false).text;
    begin_anew();
    be("importer");
    import_all(first.text);
    assert_string_equal(without_positions(export_all(true).text), without_positions(first.text));
    assert_string_equal(without_positions(export_all(false).text), without_positions(state_before));
    check_store();
    /* Here the audit log says who acted here, and what the import said stands beside it. */
    const char *history = history_of("1").body;
    check_json(history, "/changes/4/by", "\"importer\"");
    check_json(history, "/changes/4/origin/updated_by", "\"ann\"");
    check_json(read_record("1").body, "/updated_by", "\"ben\"");
}

TEST(importing_twice_changes_nothing) {
    (void)state;
    make_a_past();
    const char *text = export_all(true).text;
    uint64_t seq = seq_now();
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        struct answer answer = must(import_line(line_at(line, 0)));
        assert_true(answer.unchanged);
    }
    assert_int_equal(seq_now(), seq);
}

#define LINE(version, data)                                                                        \
    "{\"type\":\"task\",\"id\":\"1\",\"version\":" #version ",\"op\":\"update\",\"data\":" data "}"

TEST(versions_follow_one_another_or_are_refused) {
    (void)state;
    check_status(import_line(LINE(3, "{\"n\":3}")), STET_NOT_FOUND);
    must(import_line("{\"type\":\"task\",\"id\":\"1\",\"version\":3,\"op\":\"update\","
                     "\"created_at\":\"2026-01-01T00:00:00Z\",\"data\":{\"n\":3}}"));
    struct answer gap = import_line(LINE(5, "{\"n\":5}"));
    check_status(gap, STET_NOT_FOUND);
    assert_string_equal(gap.field, "version");
    must(import_line(LINE(4, "{\"n\":4}")));
    check_status(import_line(LINE(4, "{\"n\":\"other\"}")), STET_ALREADY_EXISTS);
    check_status(import_line(LINE(2, "{\"n\":2}")), STET_ALREADY_EXISTS);
    assert_true(must(import_line(LINE(3, "{\"n\":3}"))).unchanged);
    check_data("1", 4, "{\"n\":4}");
}

TEST(a_history_does_not_go_on_over_what_was_written_here) {
    (void)state;
    must(import_line(LINE(1, "{\"n\":1}")));
    must_put("1", at(1), "{\"n\":\"here\"}");
    check_status(import_line(LINE(2, "{\"n\":2}")), STET_ALREADY_EXISTS);
    check_status(import_line(LINE(3, "{\"n\":3}")), STET_ALREADY_EXISTS);
    check_data("1", 2, "{\"n\":\"here\"}");
}

TEST(a_tombstone_keeps_its_version_where_nothing_else_is_left) {
    (void)state;
    must(import_line("{\"type\":\"task\",\"id\":\"1\",\"version\":7,\"op\":\"delete\","
                     "\"created_at\":\"2026-01-01T00:00:00Z\",\"data\":{\"n\":6}}"));
    check_status(read_record("1"), STET_DELETED);
    assert_int_equal(must_put("1", at(7), "{}"), 8);
    check_store();
}

TEST(only_an_administrator_imports_a_history) {
    (void)state;
    world.fixture.actor.admin = false;
    check_status(import_line(LINE(1, "{}")), STET_FORBIDDEN);
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(an_export_has_each_live_record_once),
        RUN(what_is_written_between_pages_changes_nothing),
        RUN(where_is_asked_of_the_record_as_it_was_then),
        RUN(only_an_administrator_exports),
        RUN(a_position_that_is_not_reached_is_refused),
        RUN(a_state_that_was_let_go_is_shown_as_it_is_now_and_counted),
        RUN(a_history_begins_where_none_is_missing),
        RUN(a_history_goes_there_and_back_byte_by_byte),
        RUN(importing_twice_changes_nothing),
        RUN(versions_follow_one_another_or_are_refused),
        RUN(a_history_does_not_go_on_over_what_was_written_here),
        RUN(a_tombstone_keeps_its_version_where_nothing_else_is_left),
        RUN(only_an_administrator_imports_a_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
