/*
 * Who sees what, by every path by which a record is read: people of a small company, their deals, and rules of which some are settled by
 * a role, others by the record. Written against stet.h, as a program that embeds the engine would be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stet.h"

#include "base/view.h"
#include "doc/doc.h"

#include <stdio.h>
#include <stdlib.h>

static stet_engine *engine;
static stet_space *space;
static stet_result *result; /* The last answer; its texts live until the next one. */
static struct arena arena;

static const stet_view sales_roles[] = {{"sales", 5}};
static const stet_view guest_roles[] = {{"guest", 5}};
static const stet_actor root = {.id = {"root", 4}, .admin = true};
/* May read every deal, by role. */
static const stet_actor sam = {.id = {"sam", 3}, .roles = sales_roles, .role_count = 1};
/* May read her own. */
static const stet_actor ann = {.id = {"ann", 3}};
static const stet_actor ben = {.id = {"ben", 3}};
/* Whose role no rule names. */
static const stet_actor gus = {.id = {"gus", 3}, .roles = guest_roles, .role_count = 1};

#define RULES                                                                                      \
    "\"access\":{\"read\":\"actor.roles contains 'sales' || owner = actor.id\",\"create\":true,"   \
    "\"update\":true,\"delete\":true,\"fields\":{\"/margin\":{\"hidden\":\"!(actor.roles "         \
    "contains "                                                                                    \
    "'sales') && stage != 'won'\"}}}"

/* ---- In a word --------------------------------------------------------------------------- */

struct asked {
    enum {
        ASK_LIST,
        ASK_HISTORY,
        ASK_DIFF,
        ASK_STATS,
        ASK_TREE,
        ASK_NOW,
        ASK_TYPE,
        ASK_EXPORT
    } kind;
    stet_list list;
    stet_history history;
    stet_version from, to;
    stet_view id;
    stet_type_write type;
    stet_export export;
};

static stet_status fill(stet_command *command, void *context, stet_error *err) {
    const struct asked *asked = context;
    switch (asked->kind) {
    case ASK_LIST: return stet_command_list(command, &asked->list, err);
    case ASK_HISTORY: return stet_command_history(command, &asked->history, err);
    case ASK_DIFF:
        return stet_command_diff(command, VIEW("deal"), asked->id, asked->from, asked->to, err);
    case ASK_STATS: return stet_command_stats(command, err);
    case ASK_TREE: return stet_command_tree_read(command, VIEW("deal"), asked->id, 0, err);
    case ASK_NOW: return stet_command_concurrency(command, VIEW("deal"), asked->id, err);
    case ASK_TYPE: return stet_command_type_write(command, &asked->type, err);
    case ASK_EXPORT: return stet_command_export(command, &asked->export, err);
    }
    return STET_MISUSE;
}

static stet_error err;

static stet_status ask(const stet_actor *actor, struct asked asked) {
    stet_result_destroy(result);
    result = NULL;
    err = (stet_error){0};
    return stet_run_blocking(space, actor, fill, &asked, &result, &err);
}

static const char *body(void) {
    stet_view copy = arena_copy(&arena, stet_result_outcome(result)->body);
    assert_non_null(copy.bytes);
    return copy.bytes;
}

static void must(stet_status status) {
    if (status != STET_OK) fail_msg("%s: %s %s", stet_status_code(status), err.field, err.message);
}

static const char *at(const char *pointer) {
    struct doc doc;
    assert_int_equal(doc_parse(&arena, view_of(body()), NULL, &doc, NULL), STET_OK);
    doc_node node = doc_pointer(&doc, view_of(pointer));
    return node == DOC_NONE ? "absent" : arena_copy(&arena, doc_text(&doc, node)).bytes;
}

static void check_at(const char *pointer, const char *expected) {
    const char *found = at(pointer);
    if (strcmp(found, expected) != 0) fail_msg("%s: %s in %s", pointer, found, body());
}

static void check_without(const char *text) {
    if (strstr(body(), text) != NULL) fail_msg("%s in %s", text, body());
}

static stet_status put_as(const stet_actor *actor, const char *id, const char *data,
                          stet_version base, stet_view parent) {
    stet_result_destroy(result);
    result = NULL;
    const stet_mutation mutation = {
        .op = STET_OP_PUT,
        .type = VIEW("deal"),
        .id = view_of(id),
        .body = view_of(data),
        .parent = parent,
        .sets_parent = parent.size > 0,
        .base = {.kind = base == 0 ? STET_BASE_NONE : STET_BASE_VERSION, .value = base}};
    const stet_write write = {.mutations = &mutation, .mutation_count = 1};
    return stet_write_blocking(space, actor, &write, &result, &err);
}

static void put(const char *id, const char *data, stet_version base) {
    must(put_as(&root, id, data, base, (stet_view){0}));
}

static void declare(const char *definition, stet_version base) {
    must(ask(&root, (struct asked){
                        .kind = ASK_TYPE,
                        .type = {.name = VIEW("deal"),
                                 .definition = view_of(definition),
                                 .base = {base == 0 ? STET_BASE_NONE : STET_BASE_VERSION, base}}}));
}

static stet_status read_as(const stet_actor *actor, const char *id, stet_at at, uint64_t value) {
    stet_result_destroy(result);
    result = NULL;
    const stet_read read = {.type = VIEW("deal"), .id = view_of(id), .at = at, .at_value = value};
    return stet_read_blocking(space, actor, &read, &result, &err);
}

/* Asks for a list of deals; its ids in order, as one text. */
static const char *ids(const stet_actor *actor, stet_list list) {
    static char text[256];
    struct doc doc;
    list.type = VIEW("deal");
    must(ask(actor, (struct asked){.kind = ASK_LIST, .list = list}));
    assert_int_equal(doc_parse(&arena, view_of(body()), NULL, &doc, NULL), STET_OK);
    doc_node records = doc_member(&doc, 0, VIEW("records"));
    text[0] = '\0';
    for (doc_node one = doc_first(&doc, records); one != DOC_NONE; one = doc_next(&doc, one)) {
        stet_view id;
        assert_int_equal(doc_string(&arena, &doc, doc_member(&doc, one, VIEW("id")), &id), STET_OK);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s",
                 text[0] == '\0' ? "" : " ", VIEW_ARG(id));
    }
    return text;
}

/* Everything about ann's deal "1", ben's "2" and nobody's "3". */
static int open_company(void **state) {
    (void)state;
    arena_init(&arena, 65536);
    must(stet_open(NULL, &engine, &err));
    must(stet_space_open_blocking(engine, VIEW("main"), &space, &err));
    declare("{\"index\":[\"/owner\",\"/margin\"]," RULES "}", 0);
    put("1", "{\"owner\":\"ann\",\"stage\":\"new\",\"margin\":5}", 0);
    put("2", "{\"owner\":\"ben\",\"stage\":\"new\",\"margin\":7}", 0);
    put("3", "{\"stage\":\"won\",\"margin\":9}", 0);
    return 0;
}

static int close_company(void **state) {
    (void)state;
    stet_result_destroy(result);
    result = NULL;
    stet_space_close(space);
    stet_close(engine);
    arena_done(&arena);
    return 0;
}

/* ---- One record -------------------------------------------------------------------------- */

static void a_record_is_there_for_those_who_may_read_it(void **state) {
    (void)state;
    must(read_as(&ann, "1", STET_AT_HEAD, 0));
    assert_int_equal(read_as(&ann, "2", STET_AT_HEAD, 0), STET_NOT_FOUND);
    char hidden[256], missing[256];
    snprintf(hidden, sizeof hidden, "%s", err.message);
    assert_int_equal(read_as(&ann, "none", STET_AT_HEAD, 0), STET_NOT_FOUND);
    snprintf(missing, sizeof missing, "%s", err.message);
    assert_string_equal(hidden, missing);
    must(read_as(&sam, "2", STET_AT_HEAD, 0));
    must(read_as(&root, "2", STET_AT_HEAD, 0));
    assert_int_equal(read_as(&gus, "1", STET_AT_HEAD, 0), STET_NOT_FOUND);
}

static void a_hidden_field_is_not_in_it(void **state) {
    (void)state;
    must(read_as(&ann, "1", STET_AT_HEAD, 0));
    check_at("/data", "{\"owner\":\"ann\",\"stage\":\"new\"}");
    must(read_as(&sam, "1", STET_AT_HEAD, 0));
    check_at("/data/margin", "5");
    put("1", "{\"owner\":\"ann\",\"stage\":\"won\",\"margin\":5}", 1);
    must(read_as(&ann, "1", STET_AT_HEAD, 0));
    check_at("/data/margin", "5");
}

static void a_version_needs_the_record_as_it_is(void **state) {
    (void)state;
    put("1", "{\"owner\":\"ben\",\"stage\":\"new\",\"margin\":5}", 1);
    assert_int_equal(read_as(&ann, "1", STET_AT_VERSION, 1), STET_NOT_FOUND);
    assert_int_equal(read_as(&ben, "1", STET_AT_VERSION, 1), STET_NOT_FOUND);
    must(read_as(&ben, "1", STET_AT_VERSION, 2));
    must(read_as(&sam, "1", STET_AT_VERSION, 1));
    /* Nor do other questions about versions tell that it is there. */
    assert_int_equal(read_as(&ann, "1", STET_AT_VERSION, 99), STET_NOT_FOUND);
    assert_string_equal(err.message, "the record does not exist");
    assert_int_equal(read_as(&ann, "1", STET_AT_SEQ, 1), STET_NOT_FOUND);
    assert_string_equal(err.message, "the record does not exist");
}

static void a_tombstone_is_for_those_who_could_read_the_record(void **state) {
    (void)state;
    stet_result *deleted = NULL;
    must(stet_delete(space, &root, VIEW("deal/1"), 1, &deleted, &err));
    stet_result_destroy(deleted);
    assert_int_equal(read_as(&ann, "1", STET_AT_HEAD, 0), STET_DELETED);
    assert_int_equal(read_as(&ben, "1", STET_AT_HEAD, 0), STET_NOT_FOUND);
    assert_int_equal(read_as(&gus, "1", STET_AT_HEAD, 0), STET_NOT_FOUND);
}

static void rules_may_ask_who_created_a_record(void **state) {
    (void)state;
    declare("{\"access\":{\"read\":\"$created_by = actor.id\",\"create\":true,\"update\":true}}",
            1);
    must(put_as(&ann, "4", "{}", 0, (stet_view){0}));
    put("4", "{\"x\":1}", 1);
    must(read_as(&ann, "4", STET_AT_HEAD, 0));
    assert_int_equal(read_as(&ben, "4", STET_AT_HEAD, 0), STET_NOT_FOUND);
    assert_string_equal(ids(&ann, (stet_list){0}), "4");
}

/* ---- History and differences ------------------------------------------------------------- */

static void history_has_the_versions_one_may_read(void **state) {
    (void)state;
    put("1", "{\"owner\":\"ben\",\"stage\":\"new\",\"margin\":6}", 1);
    put("1", "{\"owner\":\"ann\",\"stage\":\"new\",\"margin\":8}", 2);
    struct asked asked = {.kind = ASK_HISTORY,
                          .history = {.type = VIEW("deal"), .id = VIEW("1"), .data = true}};
    must(ask(&ann, asked));
    check_at("/changes/0/version", "3");
    check_at("/changes/1/version", "1");
    check_at("/changes/2", "absent");
    check_without("margin");
    asked.history.data = false;
    must(ask(&ann, asked));
    check_at("/changes/1/version", "1");
    check_at("/changes/2", "absent");
    check_at("/changes/0/data", "absent");
    assert_int_equal(ask(&ben, asked), STET_NOT_FOUND);
    must(ask(&sam, asked));
    check_at("/changes/2/version", "1");
}

static void provenance_names_no_hidden_field(void **state) {
    (void)state;
    declare("{\"on_conflict\":\"merge\",\"fields\":{\"/margin\":{\"merge\":\"delta\"},"
            "\"/n\":{\"merge\":\"delta\"}}," RULES "}",
            1);
    put("1", "{\"owner\":\"ann\",\"stage\":\"new\",\"margin\":6,\"n\":1}", 1);
    put("1", "{\"owner\":\"ann\",\"stage\":\"new\",\"margin\":7,\"n\":1}", 1);
    struct asked asked = {.kind = ASK_HISTORY,
                          .history = {.type = VIEW("deal"), .id = VIEW("1"), .limit = 1}};
    must(ask(&sam, asked));
    if (strstr(body(), "/margin") == NULL) fail_msg("%s", body());
    must(ask(&ann, asked));
    check_without("margin");
    check_at("/changes/0/merge/strategy", "\"merge\"");
    assert_string_not_equal(at("/changes/0/merge/conflict_id"), "absent");
}

static void differences_are_of_what_one_sees(void **state) {
    (void)state;
    put("1", "{\"owner\":\"ann\",\"stage\":\"new\",\"margin\":6,\"x\":1}", 1);
    put("1", "{\"owner\":\"ben\",\"stage\":\"new\",\"margin\":6,\"x\":1}", 2);
    put("1", "{\"owner\":\"ann\",\"stage\":\"new\",\"margin\":7,\"x\":2}", 3);
    struct asked asked = {.kind = ASK_DIFF, .id = VIEW("1"), .from = 1};
    must(ask(&ann, asked));
    check_at("/changes/0/pointer", "\"/x\"");
    check_at("/changes/1", "absent");
    asked.from = 3; /* ben's */
    assert_int_equal(ask(&ann, asked), STET_NOT_FOUND);
    assert_int_equal(ask(&ben, asked), STET_NOT_FOUND);
    must(ask(&sam, asked));
}

static void nobody_hears_of_the_state_of_what_they_may_not_read(void **state) {
    (void)state;
    must(ask(&ann, (struct asked){.kind = ASK_NOW, .id = VIEW("1")}));
    assert_int_equal(ask(&ann, (struct asked){.kind = ASK_NOW, .id = VIEW("2")}), STET_NOT_FOUND);
    assert_int_equal(ask(&ann, (struct asked){.kind = ASK_NOW, .id = VIEW("9")}), STET_NOT_FOUND);
}

/* ---- Lists ------------------------------------------------------------------------------- */

static void a_list_and_its_total_have_what_one_may_read(void **state) {
    (void)state;
    assert_string_equal(ids(&root, (stet_list){.total = true}), "1 2 3");
    check_at("/total", "3");
    assert_string_equal(ids(&sam, (stet_list){.total = true}), "1 2 3");
    check_at("/total", "3");
    assert_string_equal(ids(&ann, (stet_list){.total = true}), "1");
    check_at("/total", "1");
    check_without("margin");
    assert_string_equal(ids(&gus, (stet_list){.total = true, .explain = true}), "");
    check_at("/total", "0");
    check_at("/explain/rows_examined", "absent");
}

static void ones_own_records_are_found_by_the_index_on_their_owner(void **state) {
    (void)state;
    assert_string_equal(ids(&ann, (stet_list){.explain = true}), "1");
    check_at("/explain/index", "[\"/owner\"]");
    check_at("/explain/rows_examined", "absent");
    assert_string_equal(ids(&ann, (stet_list){.explain = true, .where = VIEW("stage = 'new'")}),
                        "1");
    check_at("/explain/index", "[\"/owner\"]");
    assert_string_equal(ids(&sam, (stet_list){.explain = true}), "1 2 3");
    check_at("/explain/index", "\"scan\"");
    check_at("/explain/rows_examined", "3");
}

static void what_is_hidden_is_absent_in_what_one_asks(void **state) {
    (void)state;
    put("4", "{\"owner\":\"ann\",\"stage\":\"won\",\"margin\":5}", 0);
    assert_string_equal(ids(&sam, (stet_list){.where = VIEW("margin = 5"), .explain = true}),
                        "1 4");
    check_at("/explain/index", "[\"/margin\"]");
    assert_string_equal(ids(&ann, (stet_list){.where = VIEW("margin = 5"), .explain = true}), "4");
    check_at("/explain/index", "[\"/owner\"]");
    assert_string_equal(ids(&ann, (stet_list){.where = VIEW("margin is null"), .total = true}),
                        "1");
    check_at("/total", "1");
    assert_string_equal(ids(&ann, (stet_list){.fields = VIEW("margin,owner")}), "1 4");
    check_at("/records/0/data", "{\"owner\":\"ann\"}");
    check_at("/records/1/data", "{\"owner\":\"ann\",\"margin\":5}");
}

static void nobody_sorts_by_what_may_be_hidden_from_them(void **state) {
    (void)state;
    stet_list list = {.type = VIEW("deal"), .sort = VIEW("-margin")};
    assert_int_equal(ask(&ann, (struct asked){.kind = ASK_LIST, .list = list}), STET_FORBIDDEN);
    assert_string_equal(err.field, "sort");
    assert_string_equal(ids(&sam, list), "3 2 1");
    put("4", "{\"owner\":\"ann\",\"stage\":\"a\",\"margin\":9}", 0);
    assert_string_equal(ids(&ann, (stet_list){.sort = VIEW("stage")}), "4 1");
    check_without("margin");
}

static void pages_of_ones_own_records_follow_one_another(void **state) {
    (void)state;
    char id[16], data[64], after[512];
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "p%02d", i);
        snprintf(data, sizeof data, "{\"owner\":\"%s\",\"stage\":\"new\"}", i % 4 ? "ben" : "ann");
        put(id, data, 0);
    }
    static const char *const sorts[] = {"", "$id", "-$id", "stage"};
    for (size_t i = 0; i < sizeof sorts / sizeof sorts[0]; i++) {
        int count = 0, pages = 0;
        after[0] = '\0';
        do {
            stet_list list = {.limit = 3, .after = view_of(after), .sort = view_of(sorts[i])};
            const char *page = ids(&ann, list);
            for (const char *c = page; *c != '\0'; c++)
                count += *c == ' ';
            count += page[0] != '\0';
            const char *next = at("/next");
            snprintf(after, sizeof after, "%s", next[0] == '"' ? next + 1 : "");
            if (after[0] != '\0') after[strlen(after) - 1] = '\0';
            assert_true(++pages < 20);
        } while (after[0] != '\0');
        assert_int_equal(count, 11);
    }
}

static void a_list_that_goes_on_forgets_what_was_taken_away(void **state) {
    (void)state;
    char after[512];
    put("4", "{\"owner\":\"ann\",\"stage\":\"new\"}", 0);
    put("5", "{\"owner\":\"ann\",\"stage\":\"new\"}", 0);
    assert_string_equal(ids(&ann, (stet_list){.limit = 1, .sort = VIEW("$id")}), "1");
    snprintf(after, sizeof after, "%s", at("/next") + 1);
    after[strlen(after) - 1] = '\0';
    put("4", "{\"owner\":\"ben\",\"stage\":\"new\"}", 1);
    put("5", "{\"owner\":\"ann\",\"stage\":\"old\"}", 1);
    const stet_list list = {.sort = VIEW("$id"), .after = view_of(after)};
    assert_string_equal(ids(&ann, list), "5");
    check_at("/records/0/data/stage", "\"new\"");
}

/* ---- Together ---------------------------------------------------------------------------- */

static void a_tree_ends_where_ones_sight_ends(void **state) {
    (void)state;
    must(put_as(&root, "c1", "{\"owner\":\"ann\"}", 0, VIEW("deal/1")));
    must(put_as(&root, "c2", "{\"owner\":\"ben\"}", 0, VIEW("deal/1")));
    must(put_as(&root, "c3", "{\"owner\":\"ann\"}", 0, VIEW("deal/c2")));
    must(ask(&ann, (struct asked){.kind = ASK_TREE, .id = VIEW("1")}));
    check_at("/count", "2");
    check_at("/tree/children/0/id", "\"c1\"");
    check_at("/tree/children/1", "absent");
    check_without("margin");
    must(ask(&sam, (struct asked){.kind = ASK_TREE, .id = VIEW("1")}));
    check_at("/count", "4");
    assert_int_equal(ask(&ben, (struct asked){.kind = ASK_TREE, .id = VIEW("1")}), STET_NOT_FOUND);
}

static void counts_are_for_those_who_see_all(void **state) {
    (void)state;
    must(ask(&sam, (struct asked){.kind = ASK_STATS}));
    check_at("/types/deal/records", "3");
    must(ask(&ann, (struct asked){.kind = ASK_STATS}));
    check_at("/types/deal", "{}");
    /* A type without rules is for members. */
    stet_result *note = NULL;
    must(stet_put(space, &root, VIEW("note/1"), VIEW("{}"), STET_VERSION_NONE, &note, &err));
    stet_result_destroy(note);
    must(ask(&ann, (struct asked){.kind = ASK_STATS}));
    check_at("/types/note/records", "1");
    must(ask(&gus, (struct asked){.kind = ASK_STATS}));
    check_at("/types/note", "absent");
}

static void an_export_has_what_one_may_read(void **state) {
    (void)state;
    stet_actor exporter = ann;
    put("1", "{\"owner\":\"ben\",\"stage\":\"new\",\"margin\":61}", 1);
    put("1", "{\"owner\":\"ann\",\"stage\":\"new\",\"margin\":62}", 2);
    put("3", "{\"owner\":\"ann\",\"stage\":\"won\",\"margin\":63}", 1);
    put("3", "{\"owner\":\"ben\",\"stage\":\"won\",\"margin\":64}", 2);
    struct asked asked = {.kind = ASK_EXPORT};
    assert_int_equal(ask(&ann, asked), STET_FORBIDDEN);
    exporter.scopes = STET_SCOPE_READ | STET_SCOPE_EXPORT;
    must(ask(&exporter, asked));
    check_without("margin");
    check_without("\"ben\"");
    assert_non_null(strstr(body(), "\"id\":\"1\""));
    asked.export.history = true;
    must(ask(&exporter, asked));
    check_without("margin");
    check_without("\"ben\"");
    assert_non_null(strstr(body(), "\"version\":1"));
    asked.export.where = VIEW("margin = 62");
    must(ask(&exporter, asked));
    assert_string_equal(body(), "");
    /* A state of the past is not for who may not read what became of it. */
    asked = (struct asked){.kind = ASK_EXPORT};
    asked.export.as_of = stet_space_seq(space) - 1;
    must(ask(&exporter, asked));
    check_without("\"id\":\"3\"");
    must(ask(&root, asked));
    assert_non_null(strstr(body(), "\"margin\":63"));
}

static void without_the_scope_nothing_is_read(void **state) {
    (void)state;
    stet_actor writer = ann;
    writer.scopes = STET_SCOPE_WRITE;
    assert_int_equal(read_as(&writer, "1", STET_AT_HEAD, 0), STET_FORBIDDEN);
    assert_int_equal(ask(&writer, (struct asked){.kind = ASK_LIST, .list = {.type = VIEW("deal")}}),
                     STET_FORBIDDEN);
    assert_int_equal(ask(&writer, (struct asked){.kind = ASK_STATS}), STET_FORBIDDEN);
    assert_int_equal(ask(&writer, (struct asked){.kind = ASK_TREE, .id = VIEW("1")}),
                     STET_FORBIDDEN);
    assert_int_equal(ask(&writer, (struct asked){.kind = ASK_NOW, .id = VIEW("1")}),
                     STET_FORBIDDEN);
}

static void an_answer_to_a_write_shows_no_hidden_field(void **state) {
    (void)state;
    must(put_as(&ann, "9", "{\"owner\":\"ann\",\"stage\":\"new\"}", 0, (stet_view){0}));
    put("9", "{\"owner\":\"ann\",\"stage\":\"new\",\"margin\":3}", 1);
    const stet_mutation patch = {.op = STET_OP_PATCH,
                                 .type = VIEW("deal"),
                                 .id = VIEW("9"),
                                 .body = VIEW("{\"stage\":\"x\"}"),
                                 .base = {.kind = STET_BASE_VERSION, .value = 2}};
    const stet_write write = {.mutations = &patch, .mutation_count = 1, .mutation_key = VIEW("k")};
    for (int i = 0; i < 2; i++) { /* The second time it is a replay. */
        stet_result_destroy(result);
        must(stet_write_blocking(space, &ann, &write, &result, &err));
        check_at("/version", "3");
        check_without("margin");
    }
    put("9", "{\"owner\":\"ben\",\"stage\":\"new\",\"margin\":3}", 3);
    /* The version was hers; a replay shows what rules let her see of that version. */
    stet_result_destroy(result);
    must(stet_write_blocking(space, &ann, &write, &result, &err));
    check_at("/version", "3");
    check_without("margin");
}

/* ---- The documentation ------------------------------------------------------------------- */

/* Every definition of docs/access.md is one. */
static void the_examples_of_the_documentation_are_types(void **state) {
    (void)state;
    static char page[65536];
    const char *path = getenv("ACCESS_PAGE");
    FILE *file = path == NULL ? NULL : fopen(path, "rb");
    if (file == NULL) fail_msg("could not open the page: set ACCESS_PAGE");
    size_t size = fread(page, 1, sizeof page - 1, file);
    fclose(file);
    page[size] = '\0';
    stet_version version = 1;
    char *block = page;
    while ((block = strstr(block, "```json\n")) != NULL) {
        block += strlen("```json\n");
        char *end = strstr(block, "```");
        assert_non_null(end);
        *end = '\0';
        declare(block, version);
        assert_int_equal(stet_result_outcome(result)->version, ++version);
        block = end + 1;
    }
    assert_true(version >= 5);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, open_company, close_company)

int main(void) {
    const struct CMUnitTest tests[] = {
        STORY(a_record_is_there_for_those_who_may_read_it),
        STORY(a_hidden_field_is_not_in_it),
        STORY(a_version_needs_the_record_as_it_is),
        STORY(a_tombstone_is_for_those_who_could_read_the_record),
        STORY(rules_may_ask_who_created_a_record),
        STORY(history_has_the_versions_one_may_read),
        STORY(provenance_names_no_hidden_field),
        STORY(differences_are_of_what_one_sees),
        STORY(nobody_hears_of_the_state_of_what_they_may_not_read),
        STORY(a_list_and_its_total_have_what_one_may_read),
        STORY(ones_own_records_are_found_by_the_index_on_their_owner),
        STORY(what_is_hidden_is_absent_in_what_one_asks),
        STORY(nobody_sorts_by_what_may_be_hidden_from_them),
        STORY(pages_of_ones_own_records_follow_one_another),
        STORY(a_list_that_goes_on_forgets_what_was_taken_away),
        STORY(a_tree_ends_where_ones_sight_ends),
        STORY(counts_are_for_those_who_see_all),
        STORY(an_export_has_what_one_may_read),
        STORY(without_the_scope_nothing_is_read),
        STORY(an_answer_to_a_write_shows_no_hidden_field),
        STORY(the_examples_of_the_documentation_are_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
