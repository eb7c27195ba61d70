/* Lists of operations: pages over many, filters, what a restart leaves, and that no page looks at more than it may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/operations/internal.h"
#include "modules/operations/operations_testing.h"

enum { MANY = 300 };

static struct answer list_page(stet_operation_list list) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    return finish(command, operations_fill_list(command, &list, &err), &err);
}

/* The ids on all pages, each followed by a space. pages: out, may be NULL. */
static const char *listed(stet_operation_list list, size_t *pages) {
    static char ids[1 << 16];
    char after[64] = "";
    size_t size = 0, count = 0;
    ids[0] = 0;
    do {
        list.after = view_of(after);
        struct answer page = must(list_page(list));
        for (int i = 0;; i++) {
            char pointer[64];
            snprintf(pointer, sizeof pointer, "/operations/%d/id", i);
            const char *id = json_at(page.body, pointer);
            if (id == NULL) break;
            assert_true(list.limit == 0 || (unsigned)i < list.limit);
            assert_true(size + strlen(id) + 2 < sizeof ids);
            size += (size_t)sprintf(ids + size, "%.*s ", (int)strlen(id) - 2, id + 1);
        }
        const char *next = json_at(page.body, "/next");
        if (next == NULL) {
            after[0] = 0;
        } else {
            assert_true(view_compare(view_make(next + 1, strlen(next) - 2), list.after) > 0);
            snprintf(after, sizeof after, "%.*s", (int)strlen(next) - 2, next + 1);
        }
        count++;
    } while (after[0] != 0);
    if (pages != NULL) *pages = count;
    return ids;
}

#define check_listed(expected, ...)                                                                \
    assert_string_equal(listed((stet_operation_list){__VA_ARGS__}, NULL), (expected))

/* ---- Against a model ---------------------------------------------------------------------- */

/* One of many: its lane, agent, asker and status are by its number. Ids are out of their order on purpose. */
struct one {
    char id[16];
    unsigned number;
    const char *status;
};
static struct one many[MANY];

static int by_id(const void *a, const void *b) {
    return strcmp(((const struct one *)a)->id, ((const struct one *)b)->id);
}

static const char *lane_name(unsigned number) { return number % 3 == 0 ? "l" : "m"; }
static const char *agent_of(unsigned number) { return number % 5 == 0 ? "deep" : "x"; }

static void fill_many(void) {
    must(put_lane("l", "{\"width\":1000}"));
    must(put_lane("m", "{\"width\":1000}"));
    /* Begun all at once, so that they share their commits. */
    struct stet_command *commands[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        struct one *one = &many[i];
        *one = (struct one){.number = i, .status = "queued"};
        snprintf(one->id, sizeof one->id, "%u-%03u", i * 7919 % 10, i);
        const stet_operation_request request = {
            .id = view_of(one->id),
            .lane = view_of(lane_name(i)),
            .agent = view_of(agent_of(i)),
            .parent = i > 9 && i % 11 == 0 ? view_of(many[1].id) : (stet_view){0},
            .target = i % 13 == 0 ? VIEW("task/1") : (stet_view){0}};
        commands[i] = fresh();
        assert_int_equal(operations_fill_submit(commands[i], &request, NULL), STET_OK);
        submitted(commands[i]);
    }
    for (unsigned i = 0; i < MANY; i++)
        must(take(commands[i]));
    for (unsigned i = 3; i < MANY; i += 4) {
        commands[i] = fresh();
        assert_int_equal(
            operations_fill_cancel(commands[i], view_of(many[i].id), VIEW("enough"), NULL),
            STET_OK);
        submitted(commands[i]);
        many[i].status = "cancelled";
    }
    for (unsigned i = 3; i < MANY; i += 4)
        must(take(commands[i]));
    stet_claim claim = {.lane = VIEW("l"), .agent = VIEW("deep"), .hands = 1000, .max = 4};
    struct answer taken = must(claim_with(claim));
    for (int i = 0; i < 4; i++) {
        char pointer[64];
        snprintf(pointer, sizeof pointer, "/operations/%d/id", i);
        const char *id = json_at(taken.body, pointer);
        assert_non_null(id);
        for (unsigned n = 0; n < MANY; n++)
            if (strncmp(many[n].id, id + 1, strlen(many[n].id)) == 0) many[n].status = "running";
    }
    qsort(many, MANY, sizeof many[0], by_id);
}

static const char *expected(const char *lane, const char *agent, const char *status, bool parent,
                            bool target) {
    static char ids[1 << 14];
    size_t size = 0;
    ids[0] = 0;
    for (unsigned i = 0; i < MANY; i++) {
        const struct one *one = &many[i];
        bool open = strcmp(one->status, "cancelled") != 0;
        if (lane != NULL && strcmp(lane, lane_name(one->number)) != 0) continue;
        if (agent != NULL && strcmp(agent, agent_of(one->number)) != 0) continue;
        if (status != NULL && strcmp(status, "open") == 0 && !open) continue;
        if (status != NULL && strcmp(status, "open") != 0 && strcmp(status, one->status) != 0)
            continue;
        if (parent && (one->number <= 9 || one->number % 11 != 0)) continue;
        if (target && one->number % 13 != 0) continue;
        size += (size_t)sprintf(ids + size, "%s ", one->id);
    }
    assert_true(size > 0);
    return ids;
}

static void check_many(void) {
    static const char *const statuses[] = {NULL, "open", "queued", "running", "cancelled"};
    static const char *const lanes[] = {NULL, "l", "m"};
    const char *whole = NULL;
    for (unsigned i = 0; i < MANY; i++)
        if (many[i].number == 1) whole = many[i].id;
    for (size_t s = 0; s < sizeof statuses / sizeof statuses[0]; s++) {
        stet_view status = view_of(statuses[s]);
        bool running = statuses[s] != NULL && strcmp(statuses[s], "running") == 0;
        for (size_t l = 0; l < sizeof lanes / sizeof lanes[0]; l++) {
            if (running && l == 2) {
                check_listed("", .lane = VIEW("m"), .status = status, .limit = 7);
                continue;
            }
            check_listed(expected(lanes[l], NULL, statuses[s], false, false),
                         .lane = view_of(lanes[l]), .status = status, .limit = 7);
            check_listed(expected(lanes[l], "deep", statuses[s], false, false),
                         .lane = view_of(lanes[l]), .agent = VIEW("deep"), .status = status,
                         .limit = 1);
        }
        if (running) continue;
        check_listed(expected(NULL, NULL, statuses[s], true, false), .parent = view_of(whole),
                     .status = status);
        check_listed(expected(NULL, NULL, statuses[s], false, true), .target = VIEW("task/1"),
                     .status = status, .limit = 2);
    }
}

TEST(pages_are_by_id_and_as_filtered_and_a_restart_changes_nothing) {
    (void)state;
    fill_many();
    check_many();
    check_listed("", .by = VIEW("bob"), .status = VIEW("open"));
    check_listed("", .lane = VIEW("nowhere"), .status = VIEW("open"));
    reopen();
    be("ann");
    check_many();
}

TEST(the_last_page_says_so_even_if_it_is_full) {
    (void)state;
    must_submit("a");
    must_submit("b");
    must(submit((stet_operation_request){.id = VIEW("c"), .lane = VIEW("m")}));
    struct answer first = must(
        list_page((stet_operation_list){.status = VIEW("open"), .lane = VIEW("l"), .limit = 1}));
    check_json(first.body, "/next", "\"a\"");
    struct answer last = must(
        list_page((stet_operation_list){.status = VIEW("open"), .by = VIEW("ann"), .limit = 3}));
    assert_null(json_at(last.body, "/next"));
}

TEST(a_list_of_all_shows_where_those_stand_that_wait) {
    (void)state;
    must_submit("a");
    must_submit("b");
    must_submit("c");
    must(submit(
        (stet_operation_request){.id = VIEW("d"), .lane = VIEW("l"), .target = VIEW("task/1")}));
    must_claim("x", "a");
    must(cancel("b"));
    struct answer all = must(list_page((stet_operation_list){0}));
    check_json(all.body, "/operations/0/status", "\"running\"");
    assert_null(json_at(all.body, "/operations/0/position"));
    check_json(all.body, "/operations/1/status", "\"cancelled\"");
    assert_null(json_at(all.body, "/operations/1/position"));
    check_json(all.body, "/operations/2/position", "1");
    check_json(all.body, "/operations/3/position", "2");
    check_json(all.body, "/operations/3/ahead", "1");
    struct answer about = must(list_page((stet_operation_list){.target = VIEW("task/1")}));
    check_json(about.body, "/operations/0/id", "\"d\"");
    check_json(about.body, "/operations/0/position", "2");
    assert_null(json_at(about.body, "/operations/1"));
}

/* Only the worker's part of it. */
static void read_ahead(struct stet_command *command) {
    struct store_reader *reader;
    stet_status (*hop)(struct stet_command *, struct store_reader *, stet_error *) = command->hop;
    assert_non_null(hop);
    assert_int_equal(space_reader_take(world.fixture.space, &reader, NULL), STET_OK);
    command->hop = NULL;
    command->space = world.fixture.space;
    assert_int_equal(hop(command, reader, NULL), STET_OK);
    command->space = NULL;
    space_reader_give(world.fixture.space, reader);
}

/* What a worker has read is not what is so any more when its turn comes. */
TEST(a_list_of_all_says_what_is_so_when_it_is_answered) {
    (void)state;
    must(submit(
        (stet_operation_request){.id = VIEW("a"), .lane = VIEW("l"), .target = VIEW("task/1")}));
    must(submit(
        (stet_operation_request){.id = VIEW("b"), .lane = VIEW("l"), .target = VIEW("task/1")}));
    const stet_operation_list queued = {.status = VIEW("queued"), .target = VIEW("task/1")};
    struct stet_command *scan = fresh();
    assert_int_equal(operations_fill_list(scan, &queued, NULL), STET_OK);
    read_ahead(scan);
    must(cancel("a"));
    submitted(scan);
    struct answer page = must(take(scan));
    check_json(page.body, "/operations/0/id", "\"b\"");
    check_json(page.body, "/operations/0/position", "1");
    assert_null(json_at(page.body, "/operations/1"));
}

/* ---- Bounds -------------------------------------------------------------------------------- */

/* So many that wait, ids from 00000, and behind them one for somebody. */
static void fill_haystack(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        char id[16];
        snprintf(id, sizeof id, "%05u", i);
        must_submit(id);
    }
    must(submit(
        (stet_operation_request){.id = VIEW("needle"), .lane = VIEW("other"), .agent = VIEW("x")}));
}

TEST(a_page_ends_when_it_has_looked_at_many) {
    (void)state;
    size_t pages;
    fill_haystack(LIST_OPEN_ROWS_MAX + 10);
    stet_operation_list list = {.status = VIEW("open"), .agent = VIEW("x")};
    struct answer first = must(list_page(list));
    check_json(first.body, "/operations", "[]");
    assert_non_null(json_at(first.body, "/next"));
    assert_string_equal(listed(list, &pages), "needle ");
    assert_int_equal(pages, 2);
    /* A lane, and what is worked on, are found at once. */
    assert_string_equal(
        listed((stet_operation_list){.status = VIEW("open"), .lane = VIEW("other")}, &pages),
        "needle ");
    assert_int_equal(pages, 1);
    stet_claim claim = {.lane = VIEW("other"), .agent = VIEW("x")};
    must(claim_with(claim));
    assert_string_equal(listed((stet_operation_list){.status = VIEW("running")}, &pages),
                        "needle ");
    assert_int_equal(pages, 1);
    must(cancel("needle"));
    check_listed("", .status = VIEW("running"));
}

#define OPERATIONS(name) cmocka_unit_test_setup_teardown(name, setup, world_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            pages_are_by_id_and_as_filtered_and_a_restart_changes_nothing, setup_folder,
            teardown_folder),
        OPERATIONS(the_last_page_says_so_even_if_it_is_full),
        OPERATIONS(a_list_of_all_shows_where_those_stand_that_wait),
        OPERATIONS(a_list_of_all_says_what_is_so_when_it_is_answered),
        OPERATIONS(a_page_ends_when_it_has_looked_at_many),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
