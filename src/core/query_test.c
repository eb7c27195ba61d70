/*
 * Lists with where, sort and fields: what each of them does, and random lists under random writes against a model, with and
 * without indexes to help. STET_SEED repeats a run.
 */
#include "core/query.h"

#include "base/clock.h"
#include "base/limits.h"
#include "core/index.h"
#include "core/list.h"
#include "core/policy.h"
#include "core/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "core/engine_fixture.h"

static struct fixture fixture;
static struct arena arena; /* Of a test. */

static int open_engine(void **state) {
    (void)state;
    fixture_open(&fixture);
    arena_init(&arena, 65536);
    return 0;
}

static int close_engine(void **state) {
    (void)state;
    arena_done(&arena);
    fixture_close(&fixture);
    return 0;
}

static char folder[64];

static int open_engine_on_disk(void **state) {
    (void)state;
    const struct engine_seams seams = {.manual = true, .synchronous = "OFF"};
    snprintf(folder, sizeof folder, "/tmp/query_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    const stet_options options = {.data_dir = folder};
    fixture_open_with(&fixture, &options, &seams, fixture_no_modules);
    arena_init(&arena, 65536);
    return 0;
}

static int close_engine_on_disk(void **state) {
    char command[96];
    close_engine(state);
    snprintf(command, sizeof command, "rm -rf -- '%s'", folder);
    return system(command);
}

/* ---- Lists in a word --------------------------------------------------------------------- */

struct answer {
    stet_status status;
    stet_error err;
    const char *body;
};

static const char *text_of(stet_view view) {
    stet_view copy = arena_copy(&arena, view);
    assert_non_null(copy.bytes);
    return copy.bytes;
}

static struct answer list_with(const stet_list *list) {
    struct stet_command *command = command_create(fixture.client);
    struct store_reader *reader;
    struct buffer out;
    struct answer answer = {.body = ""};
    command->kind = COMMAND_LIST;
    command->list = *list;
    command->space = space_ref(fixture.space);
    command->actor = fixture.actor;
    answer.status = query_parse(&command->arena, list, &command->query, &answer.err);
    buffer_init(&out, NULL, 0);
    if (answer.status == STET_OK) {
        assert_int_equal(space_reader_take(fixture.space, &reader, NULL), STET_OK);
        answer.status = read_run(command, reader, &out, &answer.err);
        space_reader_give(fixture.space, reader);
        if (answer.status == STET_OK) answer.body = text_of(buffer_view(&out));
        if (command->query != NULL && command->query->index.size > 0)
            answer.body = text_of(command->query->index);
    }
    buffer_done(&out);
    command_destroy(command);
    return answer;
}

static const char *must_list(const stet_list *list) {
    struct answer answer = list_with(list);
    if (answer.status != STET_OK) fail_msg("%s", answer.err.message);
    return answer.body;
}

static struct doc parse(const char *text) {
    const struct doc_limits limits = {
        .bytes_max = 64 << 20, .depth_max = JSON_DEPTH_MAX, .nodes_max = JSON_NODES_MAX};
    struct doc doc;
    assert_int_equal(doc_parse(&arena, view_of(text), &limits, &doc, NULL), STET_OK);
    return doc;
}

static const char *at(const char *text, const char *pointer) {
    struct doc doc = parse(text);
    doc_node node = doc_pointer(&doc, view_of(pointer));
    return node == DOC_NONE ? "absent" : text_of(doc_text(&doc, node));
}

static stet_view string_at(const char *text, const char *pointer) {
    struct doc doc = parse(text);
    doc_node node = doc_pointer(&doc, view_of(pointer));
    stet_view value = {0};
    if (node != DOC_NONE) assert_int_equal(doc_string(&arena, &doc, node, &value), STET_OK);
    return value;
}

/* "a b c": the ids of a page. */
static const char *ids(const char *text) {
    struct doc doc = parse(text);
    struct buffer out;
    doc_node records = doc_pointer(&doc, VIEW("/records"));
    buffer_init(&out, &arena, 0);
    for (doc_node one = doc_first(&doc, records); one != DOC_NONE; one = doc_next(&doc, one)) {
        stet_view id = doc_text(&doc, doc_member(&doc, one, VIEW("id")));
        if (out.size > 0) buffer_append_char(&out, ' ');
        buffer_append(&out, id.bytes + 1, id.size - 2);
    }
    return text_of(buffer_view(&out));
}

static stet_list tasks(const char *where, const char *sort) {
    return (stet_list){.type = VIEW("tasks"), .where = view_of(where), .sort = view_of(sort)};
}

#define check_ids(where, sort, expected)                                                           \
    do {                                                                                           \
        stet_list list_ = tasks(where, sort);                                                      \
        assert_string_equal(ids(must_list(&list_)), expected);                                     \
    } while (0)

static void put(const char *id, const char *data) { fixture_put(&fixture, "tasks", id, data); }

static void put_some(void) {
    put("a", "{\"n\":3,\"stage\":\"won\",\"tags\":[\"x\"],\"who\":{\"name\":\"Ann\",\"age\":30}}");
    put("b", "{\"n\":1,\"stage\":\"lost\"}");
    put("c", "{\"n\":2.5,\"stage\":\"won\",\"tags\":[]}");
    put("d", "{\"n\":\"1\"}");
    put("e", "{\"n\":null,\"stage\":\"won\"}");
}

/* ---- An index ---------------------------------------------------------------------------- */

/* Declares indexes of type "tasks", as the module that owns type definitions would: here before there are records. */
static void declare(const char *const *fields, size_t count) {
    struct policy *policy;
    struct arena own;
    struct index_def **defs;
    arena_init(&own, 4096);
    policy = arena_zalloc(&own, 1, sizeof *policy);
    atomic_init(&policy->refs, 1);
    policy->type = arena_copy(&own, VIEW("tasks"));
    policy->seq = 1;
    policy->overrides = ~0u;
    defs = arena_zalloc(&own, count, sizeof *defs);
    for (size_t index = 0; index < count; index++) {
        struct index_field *parts = arena_zalloc(&own, INDEX_FIELDS_MAX, sizeof *parts);
        stet_view rest = arena_copy(&own, view_of(fields[index]));
        defs[index] = arena_zalloc(&own, 1, sizeof *defs[index]);
        defs[index]->number = index_number_new(fixture.space);
        defs[index]->fields = parts;
        while (rest.size > 0) {
            const char *comma = memchr(rest.bytes, ',', rest.size);
            size_t size = comma == NULL ? rest.size : (size_t)(comma - rest.bytes);
            struct index_field *part = &parts[defs[index]->field_count++];
            part->descending = rest.bytes[0] == '-';
            part->pointer = view_make(rest.bytes + part->descending, size - part->descending);
            size += comma != NULL;
            rest = view_make(rest.bytes + size, rest.size - size);
        }
    }
    policy->indexes = defs;
    policy->index_count = count;
    policy->arena = own;
    assert_int_equal(policies_reserve(fixture.space->policies, NULL), STET_OK);
    policies_stage(fixture.space->policies, VIEW("tasks"), policy);
    policies_publish(fixture.space->policies);
}

#define DECLARE(...)                                                                               \
    do {                                                                                           \
        static const char *const fields_[] = {__VA_ARGS__};                                        \
        declare(fields_, sizeof fields_ / sizeof fields_[0]);                                      \
    } while (0)

/* ---- Where, sort, fields ----------------------------------------------------------------- */

static void where_chooses(void **state) {
    (void)state;
    put_some();
    check_ids("stage = 'won'", NULL, "a c e");
    check_ids("n >= 2", NULL, "a c");
    check_ids("n is null", NULL, "e");
    check_ids("$id in ['b','d','x']", NULL, "b d");
    check_ids("$version = 1 && $created_by = 'ann' && $type = 'tasks'", NULL, "a b c d e");
    check_ids("$created_at > '2026-01-01' && $parent is null && stage = 'lost'", NULL, "b");
    check_ids("tags contains 'x'", NULL, "a");
    check_ids("stage = 'none'", NULL, "");
}

static void sort_orders(void **state) {
    (void)state;
    put_some();
    check_ids(NULL, "n", "e b c a d");
    check_ids(NULL, "-n", "d a c b e");
    check_ids("stage = 'won'", "-n", "a c e");
    check_ids(NULL, "stage,-n", "d b a c e");
    check_ids(NULL, "-$id", "e d c b a");
    check_ids(NULL, "$id", "a b c d e");
    put("b", "{\"n\":0}");
    check_ids(NULL, "-$updated_at", "b e d c a");
    check_ids(NULL, "-$version,$id", "b a c d e");
    check_ids(NULL, "who.name,$seq", "c d e b a");
}

static void equal_records_stand_in_the_order_they_were_made_in(void **state) {
    (void)state;
    put("c", "{\"n\":1}");
    put("a", "{\"n\":1}");
    put("b", "{\"n\":1}");
    put("c", "{\"n\":1.0,\"x\":1}");
    check_ids(NULL, "n", "c a b");
}

static void fields_are_all_a_record_shows(void **state) {
    (void)state;
    put_some();
    stet_list list = tasks("$id = 'a'", NULL);
    list.fields = VIEW("stage, who.age");
    assert_string_equal(at(must_list(&list), "/records/0/data"),
                        "{\"stage\":\"won\",\"who\":{\"age\":30}}");
    list.fields = VIEW("/who/name,none,who.none,tags[0]");
    assert_string_equal(at(must_list(&list), "/records/0/data"),
                        "{\"tags\":[\"x\"],\"who\":{\"name\":\"Ann\"}}");
    list.fields = VIEW("who,who.name,n.deep");
    assert_string_equal(at(must_list(&list), "/records/0/data"),
                        "{\"who\":{\"name\":\"Ann\",\"age\":30}}");
    list.fields = VIEW("$data");
    assert_string_equal(at(must_list(&list), "/records/0/data/n"), "3");
    assert_string_equal(at(must_list(&list), "/records/0/version"), "1");
}

static void total_counts_what_matches(void **state) {
    (void)state;
    put_some();
    stet_list list = tasks("stage = 'won'", NULL);
    list.total = true;
    list.limit = 2;
    list.explain = true;
    const char *text = must_list(&list);
    assert_string_equal(ids(text), "a c");
    assert_string_equal(at(text, "/total"), "3");
    assert_string_equal(at(text, "/explain/index"), "\"scan\"");
    assert_string_equal(at(text, "/explain/rows_examined"), "5");
    assert_string_equal(at(text, "/explain/rows_matched"), "3");
    list.after = string_at(text, "/next");
    text = must_list(&list);
    assert_string_equal(ids(text), "e");
    assert_string_equal(at(text, "/total"), "3");
    assert_string_equal(at(text, "/next"), "absent");
    /* The count may be left out on the way. */
    list.total = false;
    assert_string_equal(ids(must_list(&list)), "e");
    list = tasks(NULL, "-n");
    list.total = true;
    assert_string_equal(at(must_list(&list), "/total"), "5");
}

static void check_refused(const stet_list *list, stet_status status, const char *field) {
    struct answer answer = list_with(list);
    assert_int_equal(answer.status, status);
    assert_string_equal(answer.err.field, field);
}

static void what_cannot_be_read_is_refused(void **state) {
    (void)state;
    stet_list list = tasks("n =", NULL);
    check_refused(&list, STET_BAD_REQUEST, "where");
    list = tasks(NULL, "n,");
    check_refused(&list, STET_BAD_REQUEST, "sort");
    list = tasks(NULL, "a,b,c,d,e,f,g,h,i");
    check_refused(&list, STET_TOO_LARGE, "sort");
    list = tasks(NULL, "--n");
    check_refused(&list, STET_BAD_REQUEST, "sort");
    list = (stet_list){.type = VIEW("tasks"), .fields = VIEW("$version")};
    check_refused(&list, STET_BAD_REQUEST, "fields");
    list = (stet_list){.type = VIEW("tasks"), .fields = VIEW("/a~")};
    check_refused(&list, STET_BAD_REQUEST, "fields");
}

static void commas_inside_quotes_part_nothing(void **state) {
    (void)state;
    put("a", "{\"x,y\":2}");
    put("b", "{\"x,y\":1}");
    check_ids(NULL, "$data[\"x,y\"],$id", "b a");
}

/* ---- Cursors ----------------------------------------------------------------------------- */

static void a_cursor_belongs_to_its_list(void **state) {
    (void)state;
    put_some();
    stet_list list = tasks("n > 0", "-n");
    list.limit = 1;
    stet_view cursor = string_at(must_list(&list), "/next");
    assert_int_not_equal(cursor.size, 0);
    list.after = cursor;
    assert_string_equal(ids(must_list(&list)), "c");
    list.limit = 5;
    list.fields = VIEW("n");
    assert_string_equal(ids(must_list(&list)), "c b");
    list.sort = VIEW("n");
    check_refused(&list, STET_BAD_REQUEST, "after");
    list = tasks("n > 1", "-n");
    list.after = cursor;
    check_refused(&list, STET_BAD_REQUEST, "after");
    list = tasks(NULL, NULL);
    list.after = cursor;
    check_refused(&list, STET_BAD_REQUEST, "after");
    list = tasks("n > 0", "-n");
    list.type = VIEW("deals");
    list.after = cursor;
    check_refused(&list, STET_BAD_REQUEST, "after");
}

/* Each byte of a cursor, changed, makes another one; none of them is taken, none does any harm. */
static void forged_cursors_are_refused(void **state) {
    (void)state;
    put_some();
    stet_list list = tasks("n > 0", "-n");
    list.limit = 1;
    stet_view cursor = string_at(must_list(&list), "/next");
    for (size_t index = 0; index < cursor.size; index++) {
        char forged[512];
        memcpy(forged, cursor.bytes, cursor.size);
        forged[index] = forged[index] == 'B' ? 'C' : 'B';
        list.after = view_make(forged, cursor.size);
        assert_int_equal(list_with(&list).status, STET_BAD_REQUEST);
        list.after = view_make(cursor.bytes, index == 0 ? 1 : index);
        assert_int_equal(list_with(&list).status, STET_BAD_REQUEST);
    }
}

/* ---- Indexes ----------------------------------------------------------------------------- */

static void check_index(const char *where, const char *sort, const char *index, const char *sorted,
                        const char *expected) {
    stet_list list = tasks(where, sort);
    list.explain = true;
    const char *text = must_list(&list);
    assert_string_equal(at(text, "/explain/index"), index);
    assert_string_equal(at(text, "/explain/sorted"), sorted);
    assert_string_equal(ids(text), expected);
}

static void indexes_are_used_where_they_help(void **state) {
    (void)state;
    DECLARE("/stage,-/n", "/n");
    put_some();
    check_index("stage = 'won'", "-n", "[\"/stage\",\"-/n\"]", "false", "a c e");
    check_index("stage = 'won'", "n", "[\"/stage\",\"-/n\"]", "false", "e c a");
    check_index("stage = 'won' && n > 2.5", NULL, "[\"/stage\",\"-/n\"]", "false", "a");
    check_index("stage = 'won'", "-$id", "[\"/stage\",\"-/n\"]", "true", "e c a");
    check_index("n >= 1 && n < 3", NULL, "[\"/n\"]", "false", "b c");
    check_index("n in [1, 3, 1.0]", "-$id", "[\"/n\"]", "true", "b a");
    check_index("n is null", "-n", "[\"/n\"]", "false", "e");
    check_index("n is null", "-$id", "[\"/n\"]", "true", "e");
    check_index("n = null", NULL, "[\"/n\"]", "false", "e");
    check_index(NULL, "-n", "[\"/n\"]", "false", "d a c b e");
    check_index(NULL, "stage,-n", "[\"/stage\",\"-/n\"]", "false", "d b a c e");
    check_index("stage starts_with 'wo'", "stage", "[\"/stage\",\"-/n\"]", "false", "a c e");
    check_index(NULL, "stage,n", "\"scan\"", "true", "d b e c a");
    check_index("tags contains 'x'", NULL, "\"scan\"", "false", "a");
    check_index("n > 1 || stage = 'won'", NULL, "\"scan\"", "false", "a c e");
    check_index("n = 'x'", NULL, "[\"/n\"]", "false", "");
    put("a", "{\"stage\":\"lost\",\"n\":9}");
    fixture_put(&fixture, "tasks", "c", NULL);
    check_index("stage = 'won'", "-n", "[\"/stage\",\"-/n\"]", "false", "e");
}

static void a_page_looks_at_little_more_than_it_shows(void **state) {
    (void)state;
    DECLARE("/stage,-/n");
    for (int index = 0; index < 500; index++) {
        char id[16], data[64];
        snprintf(id, sizeof id, "t%03d", index);
        snprintf(data, sizeof data, "{\"stage\":\"%s\",\"n\":%d}", index % 2 ? "won" : "lost",
                 index);
        put(id, data);
    }
    stet_list list = tasks("stage = 'won'", "-n");
    list.limit = 10;
    list.explain = true;
    const char *text = must_list(&list);
    assert_string_equal(ids(text), "t499 t497 t495 t493 t491 t489 t487 t485 t483 t481");
    assert_in_range(atoi(at(text, "/explain/rows_examined")), 11, 32);
    list.after = string_at(text, "/next");
    list.limit = 2;
    assert_string_equal(ids(must_list(&list)), "t479 t477");
}

static void a_list_whose_index_is_gone_starts_again(void **state) {
    (void)state;
    DECLARE("/n");
    put_some();
    stet_list list = tasks(NULL, "n");
    list.limit = 2;
    list.after = string_at(must_list(&list), "/next");
    DECLARE("/stage");
    check_refused(&list, STET_CURSOR_EXPIRED, "after");
}

/* ---- Against a model --------------------------------------------------------------------- */

static struct entropy_seeded seeded;
static uint64_t below(uint64_t bound) { return entropy_u64(&seeded.entropy) % bound; }

static void random_write(void) {
    static const char *const a[] = {
        "",          "\"a\":null,",  "\"a\":1,",      "\"a\":2,",    "\"a\":2.0,",
        "\"a\":-7,", "\"a\":\"x\",", "\"a\":\"xy\",", "\"a\":true,", "\"a\":10,"};
    static const char *const b[] = {"\"b\":1,", "\"b\":2,", "\"b\":3,", ""};
    char id[16], data[64];
    snprintf(id, sizeof id, "%02d", (int)below(40));
    if (below(5) == 0) {
        if (fixture_version(&fixture, "tasks", id) == 0) return;
        stet_mutation mutation = fixture_mutation(&fixture, STET_OP_DELETE, "tasks", id, NULL);
        (void)fixture_write(&fixture, &mutation, 1, NULL);
        return;
    }
    snprintf(data, sizeof data, "{%s%s\"c\":%d}", a[below(10)], b[below(4)], (int)below(1000));
    stet_mutation mutation = fixture_mutation(&fixture, STET_OP_PUT, "tasks", id, data);
    (void)fixture_write(&fixture, &mutation, 1, NULL);
}

static int rank(const struct doc *doc, doc_node node) {
    return node == DOC_NONE ? -1 : (int)doc_kind(doc, node);
}

static int value_order(const struct doc *a, doc_node an, const struct doc *b, doc_node bn) {
    int order = rank(a, an) - rank(b, bn);
    if (order != 0 || an == DOC_NONE) return order;
    if (doc_kind(a, an) == DOC_NUMBER) {
        double x = atof(text_of(doc_text(a, an)));
        double y = atof(text_of(doc_text(b, bn)));
        return (x > y) - (x < y);
    }
    return view_compare(doc_text(a, an), doc_text(b, bn));
}

struct shape {
    const char *where;
    const char *sort;
    const char *keys[3]; /* What it sorts by, for the model; "-" before for descending. */
};

static const struct shape shapes[] = {
    {NULL, "a", {"/a"}},
    {NULL, "-a,b", {"-/a", "/b"}},
    {"a = 2", "-b", {"-/b"}},
    {"a = 2 && b >= 2", NULL, {NULL}},
    {"a > 0", "a", {"/a"}},
    {"a > 0 && a <= 2", "-a", {"-/a"}},
    {"a in [1, 'x', null]", "c", {"/c"}},
    {"a in [1, 2]", NULL, {NULL}},
    {"a is null", "c", {"/c"}},
    {"a = null", "a,b", {"/a", "/b"}},
    {"a starts_with 'x'", "-b,-c", {"-/b", "-/c"}},
    {"b = 1", NULL, {NULL}},
    {"b = 1", "-$id", {NULL}},
    {"b = 1 && c > 500", "-a", {"-/a"}},
    {"b != 1", NULL, {NULL}},
    {"c < 300 || a = 2", "b,a", {"/b", "/a"}},
};

static bool out_of_order(const struct shape *shape, const struct doc *before, doc_node a,
                         const struct doc *after, doc_node b) {
    for (size_t key = 0; key < 3 && shape->keys[key] != NULL; key++) {
        bool descending = shape->keys[key][0] == '-';
        stet_view name = view_of(shape->keys[key] + descending + 1);
        int order =
            value_order(before, doc_member(before, a, name), after, doc_member(after, b, name));
        if (order != 0) return descending ? order < 0 : order > 0;
    }
    return false;
}

/* " 03:41 07:12 ": which records the model says match, with their seqs. */
static const char *model_of(const struct shape *shape, size_t *count) {
    stet_list list = tasks(NULL, NULL);
    struct expr *where = NULL;
    struct expr_options options = {0};
    struct buffer out;
    list.limit = 1000;
    struct doc doc = parse(must_list(&list));
    if (shape->where != NULL)
        assert_int_equal(expr_parse(&arena, view_of(shape->where), &options, &where, NULL),
                         STET_OK);
    buffer_init(&out, &arena, 0);
    doc_node records = doc_pointer(&doc, VIEW("/records"));
    *count = 0;
    for (doc_node one = doc_first(&doc, records); one != DOC_NONE; one = doc_next(&doc, one)) {
        stet_view text = doc_text(&doc, doc_member(&doc, one, VIEW("data")));
        struct doc data = parse(text_of(text));
        struct expr_subject subject = {.data = &data};
        if (where != NULL && !expr_matches(where, &subject)) continue;
        stet_view id = doc_text(&doc, doc_member(&doc, one, VIEW("id")));
        stet_view seq = doc_text(&doc, doc_member(&doc, one, VIEW("seq")));
        buffer_append_format(&out, " %.*s:%.*s ", (int)id.size - 2, id.bytes + 1, VIEW_ARG(seq));
        ++*count;
    }
    return text_of(buffer_view(&out));
}

static void random_list(uint64_t seed) {
    const struct shape *shape = &shapes[below(sizeof shapes / sizeof shapes[0])];
    stet_list list = tasks(shape->where, shape->sort);
    size_t expected, shown = 0;
    const char *model = model_of(shape, &expected);
    struct doc last_doc = {0};
    doc_node last = DOC_NONE;
    struct buffer seen;
    buffer_init(&seen, &arena, 0);
    do {
        list.limit = 1 + (unsigned)below(6);
        list.total = below(4) == 0;
        list.explain = true;
        const char *text = must_list(&list);
        struct doc doc = parse(text);
        doc_node records = doc_pointer(&doc, VIEW("/records"));
        if (list.total && shape->where != NULL && strtoul(at(text, "/total"), NULL, 10) != expected)
            fail_msg("seed %llu: where %s: total %s, not %zu", (unsigned long long)seed,
                     shape->where, at(text, "/total"), expected);
        for (doc_node one = doc_first(&doc, records); one != DOC_NONE; one = doc_next(&doc, one)) {
            char token[64];
            doc_node data = doc_member(&doc, one, VIEW("data"));
            stet_view id = doc_text(&doc, doc_member(&doc, one, VIEW("id")));
            snprintf(token, sizeof token, " %.*s:%s ", (int)id.size - 2, id.bytes + 1,
                     text_of(doc_text(&doc, doc_member(&doc, one, VIEW("seq")))));
            if (strstr(model, token) == NULL ||
                (seen.size > 0 && strstr(text_of(buffer_view(&seen)), token) != NULL) ||
                (last != DOC_NONE && out_of_order(shape, &last_doc, last, &doc, data)))
                fail_msg("seed %llu: where %s sort %s: %s does not belong there: %s; model %s",
                         (unsigned long long)seed, shape->where, shape->sort, token, text, model);
            buffer_append_text(&seen, token);
            last_doc = doc;
            last = data;
            shown++;
        }
        list.after = string_at(text, "/next");
        for (uint64_t writes = below(3) == 0 ? below(6) : 0; writes > 0; writes--)
            random_write();
    } while (list.after.size > 0);
    if (shown != expected)
        fail_msg("seed %llu: where %s sort %s: %s, not %s", (unsigned long long)seed, shape->where,
                 shape->sort, text_of(buffer_view(&seen)), model);
}

static void random_lists(int rounds) {
    const char *given = getenv("STET_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : entropy_u64(entropy_system());
    print_message("STET_SEED=%llu\n", (unsigned long long)seed);
    entropy_seeded_init(&seeded, seed);
    for (int index = 0; index < rounds; index++) {
        for (int writes = 0; writes < 10; writes++)
            random_write();
        random_list(seed);
        arena_reset(&arena);
    }
}

static void scanned_lists_under_writes_equal_the_model(void **state) {
    (void)state;
    random_lists(300);
}

static void indexed_lists_under_writes_equal_the_model(void **state) {
    (void)state;
    DECLARE("/a,-/b", "/b", "-/c,/a");
    random_lists(600);
}

static void stored_lists_under_writes_equal_the_model(void **state) {
    (void)state;
    DECLARE("-/a", "/b,/c", "/c");
    random_lists(100);
}

/* ---- Too much ---------------------------------------------------------------------------- */

static void too_much_change_expires_an_indexed_list(void **state) {
    (void)state;
    DECLARE("/n");
    char id[16];
    for (int index = 0; index <= LIST_REWINDS_MAX; index++) {
        snprintf(id, sizeof id, "%05d", index);
        put(id, "{\"n\":1}");
    }
    stet_list list = tasks(NULL, "n");
    list.limit = 1;
    list.after = string_at(must_list(&list), "/next");
    for (int index = 0; index <= LIST_REWINDS_MAX; index++) {
        snprintf(id, sizeof id, "%05d", index);
        put(id, "{\"n\":2}");
    }
    check_refused(&list, STET_CURSOR_EXPIRED, "after");
}

/* One more record than may be looked at without an index. */
static void put_too_many(void) {
    enum { TOGETHER = TRANSACTION_MUTATIONS_MAX };
    static stet_mutation mutations[TOGETHER];
    static char texts[TOGETHER][2][32];
    for (int index = 0; index <= SCAN_RECORDS_MAX; index += TOGETHER) {
        for (int one = 0; one < TOGETHER; one++) {
            snprintf(texts[one][0], sizeof texts[one][0], "%07d", index + one);
            snprintf(texts[one][1], sizeof texts[one][1], "{\"n\":%d,\"m\":%d}", index + one,
                     one % 10);
            mutations[one] = (stet_mutation){.op = STET_OP_CREATE,
                                             .type = VIEW("tasks"),
                                             .id = view_of(texts[one][0]),
                                             .body = view_of(texts[one][1])};
        }
        assert_int_equal(fixture_write(&fixture, mutations, TOGETHER, NULL), STET_OK);
    }
}

static void check_required(const char *where, const char *sort, const char *index) {
    stet_list list = tasks(where, sort);
    struct answer answer = list_with(&list);
    assert_int_equal(answer.status, STET_INDEX_REQUIRED);
    assert_int_equal(answer.err.limit, SCAN_RECORDS_MAX);
    assert_string_equal(answer.body, index);
}

static void too_many_records_need_an_index(void **state) {
    (void)state;
    DECLARE("/m");
    put_too_many();
    check_required("n = 5", NULL, "[\"/n\"]");
    check_required(NULL, "-n,m", "[\"-/n\",\"/m\"]");
    check_required("n > 5 && k = 'x' && j in [1,2]", "l", "[\"/k\",\"/l\",\"/n\"]");
    check_required("n != 5", NULL, "");
    check_required(NULL, "$updated_at", "");
    /* Few enough behind the index; in its order; or by id. */
    check_index("m = 5 && n < 100", NULL, "[\"/m\"]", "false",
                "0000005 0000015 0000025 0000035 0000045 0000055 0000065 0000075 0000085 0000095");
    check_index("m = 3 && n < 30", "-n", "[\"/m\"]", "true", "0000023 0000013 0000003");
    stet_list list = tasks(NULL, "m");
    list.limit = 3;
    assert_string_equal(ids(must_list(&list)), "0000000 0000010 0000020");
    list.sort = VIEW("$id");
    assert_string_equal(ids(must_list(&list)), "0000000 0000001 0000002");
    list = tasks("m = 5", NULL);
    list.limit = 1;
    list.total = true;
    assert_string_equal(at(must_list(&list), "/total"), "10100");
    check_required("m >= 0", "-n", "[\"-/n\",\"/m\"]");
}

#define WITH_ENGINE(name) cmocka_unit_test_setup_teardown(name, open_engine, close_engine)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_ENGINE(where_chooses),
        WITH_ENGINE(sort_orders),
        WITH_ENGINE(equal_records_stand_in_the_order_they_were_made_in),
        WITH_ENGINE(fields_are_all_a_record_shows),
        WITH_ENGINE(total_counts_what_matches),
        WITH_ENGINE(what_cannot_be_read_is_refused),
        WITH_ENGINE(commas_inside_quotes_part_nothing),
        WITH_ENGINE(a_cursor_belongs_to_its_list),
        WITH_ENGINE(forged_cursors_are_refused),
        WITH_ENGINE(scanned_lists_under_writes_equal_the_model),
        WITH_ENGINE(indexes_are_used_where_they_help),
        WITH_ENGINE(a_page_looks_at_little_more_than_it_shows),
        WITH_ENGINE(a_list_whose_index_is_gone_starts_again),
        WITH_ENGINE(indexed_lists_under_writes_equal_the_model),
        cmocka_unit_test_setup_teardown(stored_lists_under_writes_equal_the_model,
                                        open_engine_on_disk, close_engine_on_disk),
        WITH_ENGINE(too_much_change_expires_an_indexed_list),
        WITH_ENGINE(too_many_records_need_an_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
