#include "core/read.h"

#include "base/clock.h"
#include "base/limits.h"
#include "doc/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine_fixture.h"

static struct fixture fixture;

static int open_engine(void **state) {
    (void)state;
    fixture_open(&fixture);
    return 0;
}

static int close_engine(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static void an_answer_rendered_late_does_not_bring_an_old_head_back(void **state) {
    (void)state;
    stet_client *other;
    assert_int_equal(client_create(fixture.engine, &other, NULL), STET_OK);
    fixture_put(&fixture, "task", "2", "{}");
    stet_mutation one = {
        .op = STET_OP_CREATE, .type = VIEW("task"), .id = VIEW("1"), .body = VIEW("{\"n\":1}")};
    struct stet_command *first = fixture_submit_write(&fixture, &one, 1, NULL);
    assert_true(engine_step(fixture.engine));
    /* Somebody else overwrites it, and a read of another record brings the first client's cache up to that. */
    stet_client *mine = fixture.client;
    fixture.client = other;
    assert_int_equal(fixture_put(&fixture, "task", "1", "{\"n\":2}"), 2);
    fixture.client = mine;
    assert_int_equal(fixture_version(&fixture, "task", "2"), 1);
    assert_ptr_equal(client_next(mine), first);
    command_render(first);
    assert_int_equal(first->outcome.version, 1);
    command_destroy(first);
    assert_int_equal(fixture_version(&fixture, "task", "1"), 2);
    client_destroy(other);
}

/* Runs a read as a worker would. The answer is owned by the caller, NULL on failure. */
static char *run(struct stet_command *command, stet_status expected, stet_error *err) {
    struct store_reader *reader;
    struct buffer out;
    char *text = NULL;
    stet_status status;
    command->space = space_ref(fixture.space);
    command->actor = fixture.actor;
    buffer_init(&out, NULL, 0);
    assert_int_equal(space_reader_take(fixture.space, &reader, NULL), STET_OK);
    status = read_run(command, reader, &out, err);
    space_reader_give(fixture.space, reader);
    assert_int_equal(status, expected);
    if (status == STET_OK) text = strndup(out.bytes, out.size);
    buffer_done(&out);
    command_destroy(command);
    return text;
}

static struct stet_command *command_of(enum command_kind kind) {
    struct stet_command *command = command_create(fixture.client);
    command->kind = kind;
    return command;
}

static char *list(const char *after, unsigned limit, stet_status expected, stet_error *err) {
    struct stet_command *command = command_of(COMMAND_LIST);
    command->list = (stet_list){.type = VIEW("tasks"), .after = view_of(after), .limit = limit};
    return run(command, expected, err);
}

static struct doc parse(struct arena *arena, const char *text) {
    /* An answer may be larger than any record. */
    const struct doc_limits limits = {
        .bytes_max = 64 << 20, .depth_max = JSON_DEPTH_MAX, .nodes_max = JSON_NODES_MAX};
    struct doc doc;
    assert_int_equal(doc_parse(arena, view_of(text), &limits, &doc, NULL), STET_OK);
    return doc;
}

static void check_at(const char *text, const char *pointer, const char *expected) {
    struct arena arena;
    struct doc doc;
    doc_node node;
    arena_init(&arena, 4096);
    doc = parse(&arena, text);
    node = doc_pointer(&doc, view_of(pointer));
    if (expected == NULL) {
        assert_int_equal(node, DOC_NONE);
    } else {
        assert_int_not_equal(node, DOC_NONE);
        stet_view value = doc_text(&doc, node);
        if (!view_equal(value, view_of(expected)))
            fail_msg("%s is %.*s, not %s, in %s", pointer, VIEW_ARG(value), expected, text);
    }
    arena_done(&arena);
}

/* "a:1 b:2": id and the data's n of each record. */
static void append_page(const char *text, char *out, size_t size) {
    struct arena arena;
    struct doc doc;
    doc_node records;
    arena_init(&arena, 4096);
    doc = parse(&arena, text);
    records = doc_pointer(&doc, VIEW("/records"));
    for (doc_node one = doc_first(&doc, records); one != DOC_NONE; one = doc_next(&doc, one)) {
        stet_view id = doc_text(&doc, doc_member(&doc, one, VIEW("id")));
        stet_view n =
            doc_text(&doc, doc_member(&doc, doc_member(&doc, one, VIEW("data")), VIEW("n")));
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%s%.*s:%.*s", used == 0 ? "" : " ", (int)id.size - 2,
                 id.bytes + 1, VIEW_ARG(n));
    }
    arena_done(&arena);
}

/* The cursor of the next page in `cursor`, or "". */
static void next_of(const char *text, char *cursor, size_t size) {
    struct arena arena;
    struct doc doc;
    doc_node node;
    arena_init(&arena, 4096);
    doc = parse(&arena, text);
    node = doc_pointer(&doc, VIEW("/next"));
    cursor[0] = '\0';
    if (node != DOC_NONE) {
        stet_view value = doc_text(&doc, node);
        snprintf(cursor, size, "%.*s", (int)value.size - 2, value.bytes + 1);
    }
    arena_done(&arena);
}

static void put_n(const char *id, int n) {
    char data[32];
    snprintf(data, sizeof data, "{\"n\":%d}", n);
    fixture_put(&fixture, "tasks", id, data);
}

static void a_list_shows_the_live_records_in_order(void **state) {
    (void)state;
    char page[256] = "";
    put_n("c", 1);
    put_n("a", 2);
    put_n("b", 3);
    put_n("a", 4);
    fixture_put(&fixture, "tasks", "c", NULL);
    fixture_put(&fixture, "others", "x", "{}");
    char *text = list(NULL, 0, STET_OK, NULL);
    append_page(text, page, sizeof page);
    assert_string_equal(page, "a:4 b:3");
    check_at(text, "/seq", "6");
    check_at(text, "/next", NULL);
    check_at(text, "/total", NULL);
    check_at(text, "/records/0/version", "2");
    free(text);
}

static char *list_deleted(const char *after, unsigned limit, stet_status expected) {
    struct stet_command *command = command_of(COMMAND_LIST);
    command->list = (stet_list){
        .type = VIEW("tasks"), .after = view_of(after), .limit = limit, .deleted = true};
    return run(command, expected, NULL);
}

/* As they were last, and only while they are deleted: also for a page that belongs to an earlier snapshot. */
static void a_list_of_deleted_records_shows_what_they_were(void **state) {
    char page[256] = "", cursor[64];
    (void)state;
    put_n("a", 1);
    put_n("b", 2);
    put_n("c", 3);
    put_n("d", 4);
    fixture_put(&fixture, "tasks", "a", NULL);
    fixture_put(&fixture, "tasks", "c", NULL);
    fixture_put(&fixture, "tasks", "d", NULL);
    put_n("d", 5);
    char *text = list_deleted(NULL, 1, STET_OK);
    append_page(text, page, sizeof page);
    check_at(text, "/records/0/deleted", "true");
    check_at(text, "/records/0/version", "2");
    next_of(text, cursor, sizeof cursor);
    free(text);
    put_n("c", 6);
    fixture_put(&fixture, "tasks", "b", NULL);
    text = list_deleted(cursor, 5, STET_OK);
    append_page(text, page, sizeof page);
    assert_string_equal(page, "a:1 c:3");
    free(text);
    page[0] = '\0';
    text = list_deleted(NULL, 5, STET_OK);
    append_page(text, page, sizeof page);
    assert_string_equal(page, "a:1 b:2");
    free(text);
    /* Their pages and those of a list do not mix. */
    list(cursor, 5, STET_BAD_REQUEST, NULL);
}

static void a_list_counts_when_asked(void **state) {
    (void)state;
    put_n("a", 1);
    put_n("b", 1);
    fixture_put(&fixture, "tasks", "a", NULL);
    struct stet_command *command = command_of(COMMAND_LIST);
    command->list = (stet_list){.type = VIEW("tasks"), .total = true};
    char *text = run(command, STET_OK, NULL);
    check_at(text, "/total", "1");
    free(text);
    command = command_of(COMMAND_LIST);
    command->list = (stet_list){.type = VIEW("nothing"), .total = true};
    text = run(command, STET_OK, NULL);
    check_at(text, "/total", "0");
    check_at(text, "/records", "[]");
    free(text);
}

static void pages_hold_at_the_first_ones_snapshot(void **state) {
    (void)state;
    char all[256] = "";
    char cursor[1024];
    put_n("a", 1);
    put_n("b", 2);
    put_n("c", 3);
    put_n("d", 4);
    char *text = list(NULL, 2, STET_OK, NULL);
    append_page(text, all, sizeof all);
    next_of(text, cursor, sizeof cursor);
    free(text);
    put_n("bb", 9);
    put_n("c", 9);
    fixture_put(&fixture, "tasks", "d", NULL);
    put_n("e", 9);
    text = list(cursor, 2, STET_OK, NULL);
    append_page(text, all, sizeof all);
    check_at(text, "/seq", "4");
    next_of(text, cursor, sizeof cursor);
    free(text);
    assert_string_equal(all, "a:1 b:2 c:3 d:4");
    /* "e" is there, though not as of the snapshot. */
    text = list(cursor, 2, STET_OK, NULL);
    check_at(text, "/records", "[]");
    check_at(text, "/next", NULL);
    free(text);
}

static void check_bad_cursor(const char *cursor) {
    stet_error err = {0};
    list(cursor, 2, STET_BAD_REQUEST, &err);
    assert_string_equal(err.field, "after");
}

static void cursors_are_checked(void **state) {
    (void)state;
    check_bad_cursor("x");
    check_bad_cursor("!!!!");
    check_bad_cursor("AAAAAAAAAAAAAA");
    check_bad_cursor("AQAAAAAAAAAB");
    stet_error err = {0};
    list("AQAAAAAAAAAJYQ", 2, STET_CURSOR_EXPIRED, &err);
}

static void put_many(const char *data) {
    for (int index = 0; index < LIST_REWINDS_MAX + 1; index++) {
        char id[16];
        snprintf(id, sizeof id, "t%06d", index);
        fixture_put(&fixture, "tasks", id, data);
    }
}

static void too_much_change_expires_a_cursor(void **state) {
    (void)state;
    char cursor[1024];
    stet_error err = {0};
    put_n("a", 1);
    put_many("{\"n\":1}");
    put_many(NULL);
    put_n("z", 1);
    char *text = list(NULL, 1, STET_OK, NULL);
    next_of(text, cursor, sizeof cursor);
    free(text);
    put_many("{\"n\":2}");
    list(cursor, 2, STET_CURSOR_EXPIRED, &err);
    assert_int_equal(err.limit, LIST_REWINDS_MAX);
    text = list(NULL, 2, STET_OK, NULL);
    check_at(text, "/records/1/data/n", "2");
    free(text);
}

static void a_long_page_ends_early(void **state) {
    (void)state;
    size_t size = 900 * 1024;
    char *data = malloc(size + 32);
    char cursor[1024];
    char id[16];
    int shown = 0;
    int pages = 0;
    int length = snprintf(data, 32, "{\"n\":1,\"text\":\"");
    memset(data + length, 'x', size);
    memcpy(data + length + size, "\"}", 3);
    for (int index = 0; index < 12; index++) {
        snprintf(id, sizeof id, "%02d", index);
        fixture_put(&fixture, "tasks", id, data);
    }
    cursor[0] = '\0';
    do {
        char page[256] = "";
        char *text = list(cursor, 0, STET_OK, NULL);
        assert_true(strlen(text) < LIST_PAGE_BYTES_MAX + DATA_BYTES_MAX + 4096);
        append_page(text, page, sizeof page);
        for (const char *at = page; (at = strchr(at, ':')) != NULL; at++)
            shown++;
        next_of(text, cursor, sizeof cursor);
        free(text);
        pages++;
    } while (cursor[0] != '\0');
    assert_int_equal(shown, 12);
    assert_int_equal(pages, 2);
    free(data);
}

static void system_types_are_not_listed(void **state) {
    (void)state;
    struct stet_command *command = command_of(COMMAND_LIST);
    command->list = (stet_list){.type = VIEW("stet.token")};
    run(command, STET_FORBIDDEN, NULL);
}

/* Random writes between the pages of random lists: every list shows the model as of its first page. */
static void random_lists(uint64_t seed) {
    enum { IDS = 30, LISTS = 25 };
    struct entropy_seeded random;
    int model[IDS];
    entropy_seeded_init(&random, seed);
    for (int id = 0; id < IDS; id++)
        model[id] = -1;
    for (int round = 0; round < LISTS; round++) {
        char expected[1024] = "", all[1024] = "", cursor[1024] = "";
        bool first = true;
        do {
            if (first || entropy_u64(&random.entropy) % 2 == 0) {
                for (int count = (int)(entropy_u64(&random.entropy) % 8); count > 0; count--) {
                    int id = (int)(entropy_u64(&random.entropy) % IDS);
                    char name[16];
                    snprintf(name, sizeof name, "%02d", id);
                    if (model[id] >= 0 && entropy_u64(&random.entropy) % 4 == 0) {
                        fixture_put(&fixture, "tasks", name, NULL);
                        model[id] = -1;
                    } else {
                        model[id] = (int)(entropy_u64(&random.entropy) % 100000);
                        put_n(name, model[id]);
                    }
                }
            }
            for (int id = 0; first && id < IDS; id++) {
                size_t used = strlen(expected);
                if (model[id] >= 0)
                    snprintf(expected + used, sizeof expected - used, "%s%02d:%d",
                             used == 0 ? "" : " ", id, model[id]);
            }
            first = false;
            char *text =
                list(cursor, 1 + (unsigned)(entropy_u64(&random.entropy) % 7), STET_OK, NULL);
            append_page(text, all, sizeof all);
            next_of(text, cursor, sizeof cursor);
            free(text);
        } while (cursor[0] != '\0');
        if (strcmp(all, expected) != 0) print_error("seed %llu\n", (unsigned long long)seed);
        assert_string_equal(all, expected);
    }
}

static void lists_under_writes_equal_the_snapshot(void **state) {
    (void)state;
    const char *given = getenv("STET_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : entropy_u64(entropy_system());
    print_message("seed %llu\n", (unsigned long long)seed);
    random_lists(seed);
}

static char *history(stet_version before, unsigned limit, bool data) {
    struct stet_command *command = command_of(COMMAND_HISTORY);
    command->history = (stet_history){
        .type = VIEW("tasks"), .id = VIEW("a"), .before = before, .limit = limit, .data = data};
    return run(command, STET_OK, NULL);
}

static void history_is_paged_newest_first(void **state) {
    (void)state;
    for (int n = 1; n <= 5; n++)
        put_n("a", n);
    fixture_put(&fixture, "tasks", "a", NULL);
    char *text = history(0, 2, true);
    check_at(text, "/changes/0/version", "6");
    check_at(text, "/changes/0/op", "\"delete\"");
    check_at(text, "/changes/1/version", "5");
    check_at(text, "/changes/1/data", "{\"n\":5}");
    check_at(text, "/changes/2", NULL);
    check_at(text, "/next", "5");
    free(text);
    text = history(5, 4, false);
    check_at(text, "/changes/0/version", "4");
    check_at(text, "/changes/0/data", NULL);
    check_at(text, "/changes/3/version", "1");
    check_at(text, "/changes/3/op", "\"create\"");
    check_at(text, "/next", NULL);
    free(text);
    text = history(1, 0, false);
    check_at(text, "/changes", "[]");
    check_at(text, "/next", NULL);
    free(text);
}

static void a_long_history_is_shown_whole(void **state) {
    (void)state;
    stet_version before = 0;
    stet_version expected = 300;
    for (int n = 1; n <= 300; n++)
        put_n("a", n);
    while (expected > 0) {
        char *text = history(before, 130, true);
        struct arena arena;
        arena_init(&arena, 4096);
        struct doc doc = parse(&arena, text);
        doc_node changes = doc_pointer(&doc, VIEW("/changes"));
        for (doc_node one = doc_first(&doc, changes); one != DOC_NONE; one = doc_next(&doc, one)) {
            uint64_t version = 0;
            assert_true(doc_u64(&doc, doc_member(&doc, one, VIEW("version")), &version));
            assert_int_equal(version, expected--);
        }
        before = 0;
        if (doc_pointer(&doc, VIEW("/next")) != DOC_NONE)
            doc_u64(&doc, doc_pointer(&doc, VIEW("/next")), &before);
        arena_done(&arena);
        free(text);
        assert_true((before == 0) == (expected == 0));
    }
}

static struct stet_command *diff_of(stet_version from, stet_version to) {
    struct stet_command *command = command_of(COMMAND_DIFF);
    command->read = (stet_read){.type = VIEW("tasks"), .id = VIEW("a")};
    command->diff_from = from;
    command->diff_to = to;
    return command;
}

static void a_difference_names_what_changed(void **state) {
    (void)state;
    stet_error err;
    fixture_put(&fixture, "tasks", "a", "{\"n\":1,\"gone\":true,\"same\":[1]}");
    fixture_put(&fixture, "tasks", "a", "{\"n\":2,\"same\":[1],\"new\":{\"x\":null}}");
    char *text = run(diff_of(1, 0), STET_OK, NULL);
    assert_string_equal(text, "{\"from\":1,\"to\":2,\"changes\":["
                              "{\"pointer\":\"/n\",\"from\":1,\"to\":2},"
                              "{\"pointer\":\"/gone\",\"from\":true},"
                              "{\"pointer\":\"/new\",\"to\":{\"x\":null}}]}");
    free(text);
    fixture_put(&fixture, "tasks", "a", NULL);
    text = run(diff_of(3, 1), STET_OK, NULL);
    assert_string_equal(text, "{\"from\":3,\"to\":1,\"changes\":[{\"pointer\":\"\",\"to\":"
                              "{\"n\":1,\"gone\":true,\"same\":[1]}}]}");
    free(text);
    run(diff_of(4, 0), STET_NOT_FOUND, &err);
    assert_string_equal(err.field, "from");
    run(diff_of(1, 9), STET_NOT_FOUND, &err);
    assert_string_equal(err.field, "to");
}

static void stats_count_and_checks_find_nothing(void **state) {
    (void)state;
    put_n("a", 1);
    put_n("b", 1);
    char *text = run(command_of(COMMAND_STATS), STET_OK, NULL);
    check_at(text, "/name", "\"main\"");
    check_at(text, "/seq", "2");
    check_at(text, "/types/tasks/records", "2");
    free(text);
    text = run(command_of(COMMAND_CHECK), STET_OK, NULL);
    check_at(text, "/ok", "true");
    check_at(text, "/findings", "[]");
    free(text);
}

static char *stats_of(bool admin) {
    fixture.actor.admin = admin;
    return run(command_of(COMMAND_STATS), STET_OK, NULL);
}

static void stats_tell_administrators_what_the_space_does(void **state) {
    (void)state;
    put_n("a", 1);
    put_n("a", 2);
    contention_note(&fixture.space->contention, VIEW("tasks"), VIEW("/lines/3/n"),
                    STET_STRATEGY_DEFAULT);
    char *text = stats_of(true);
    check_at(text, "/activity/changes", "2");
    check_at(text, "/activity/commands", "2");
    check_at(text, "/activity/stale/conflict", "0");
    check_at(
        text, "/activity/contended",
        "[{\"type\":\"tasks\",\"field\":\"/lines/*/n\",\"strategy\":\"reject\",\"conflicts\":1}]");
    check_at(text, "/activity/waiting", "0");
    check_at(text, "/activity/halted", "false");
    free(text);
    text = stats_of(false);
    assert_null(strstr(text, "activity"));
    free(text);
}

#define WITH_ENGINE(test) cmocka_unit_test_setup_teardown(test, open_engine, close_engine)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_ENGINE(an_answer_rendered_late_does_not_bring_an_old_head_back),
        WITH_ENGINE(a_list_shows_the_live_records_in_order),
        WITH_ENGINE(a_list_of_deleted_records_shows_what_they_were),
        WITH_ENGINE(a_list_counts_when_asked),
        WITH_ENGINE(pages_hold_at_the_first_ones_snapshot),
        WITH_ENGINE(cursors_are_checked),
        WITH_ENGINE(too_much_change_expires_a_cursor),
        WITH_ENGINE(a_long_page_ends_early),
        WITH_ENGINE(system_types_are_not_listed),
        WITH_ENGINE(lists_under_writes_equal_the_snapshot),
        WITH_ENGINE(history_is_paged_newest_first),
        WITH_ENGINE(a_long_history_is_shown_whole),
        WITH_ENGINE(a_difference_names_what_changed),
        WITH_ENGINE(stats_count_and_checks_find_nothing),
        WITH_ENGINE(stats_tell_administrators_what_the_space_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
