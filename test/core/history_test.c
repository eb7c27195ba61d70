/*
 * A record's past: reads at a version, a seq and a time, reverting, and what the history says of it.
 */
#include "doc/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine_fixture.h"

static struct fixture fixture;
static char answer[4096];
static stet_time updated_at;

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

static stet_status run(struct stet_command *command) {
    stet_status status;
    assert_int_equal(command_submit(fixture.space, &fixture.actor, command, NULL, NULL), STET_OK);
    fixture_finish(&fixture, command);
    command_render(command);
    status = command->outcome.status;
    updated_at = command->outcome.updated_at;
    snprintf(answer, sizeof answer, "%.*s", VIEW_ARG(command->outcome.body));
    command_destroy(command);
    return status;
}

static stet_status read_at(stet_at at, uint64_t value) {
    struct stet_command *command = command_create(fixture.client);
    command->kind = COMMAND_READ;
    command->read =
        (stet_read){.type = VIEW("tasks"), .id = VIEW("1"), .at = at, .at_value = value};
    return run(command);
}

static void check_answer(const char *pointer, const char *expected) {
    struct arena arena;
    struct doc doc;
    arena_init(&arena, 1024);
    assert_int_equal(doc_parse(&arena, view_of(answer), NULL, &doc, NULL), STET_OK);
    doc_node node = doc_pointer(&doc, view_of(pointer));
    assert_int_not_equal(node, DOC_NONE);
    if (!view_equal(doc_text(&doc, node), view_of(expected)))
        fail_msg("%s is %.*s, not %s", pointer, VIEW_ARG(doc_text(&doc, node)), expected);
    arena_done(&arena);
}

static void put(const char *data) { fixture_put(&fixture, "tasks", "1", data); }

/* Version n is {"n":n} at seq 2n - 1; between them stands another record. Version 3 is a delete. */
static void tell_story(void) {
    put("{\"n\":1}");
    fixture_put(&fixture, "tasks", "2", "{\"n\":1}");
    put("{\"n\":2}");
    fixture_put(&fixture, "tasks", "2", "{\"n\":2}");
    put(NULL);
    fixture_put(&fixture, "tasks", "2", "{\"n\":3}");
    stet_mutation again = {
        .op = STET_OP_PUT, .type = VIEW("tasks"), .id = VIEW("1"), .body = VIEW("{\"n\":4}")};
    assert_int_equal(fixture_write(&fixture, &again, 1, NULL), STET_OK);
}

static void a_version_reads_as_it_was(void **state) {
    (void)state;
    tell_story();
    assert_int_equal(read_at(STET_AT_VERSION, 2), STET_OK);
    check_answer("/data", "{\"n\":2}");
    check_answer("/seq", "3");
    assert_int_equal(read_at(STET_AT_VERSION, 3), STET_DELETED);
    assert_int_equal(read_at(STET_AT_VERSION, 4), STET_OK);
    assert_int_equal(read_at(STET_AT_VERSION, 5), STET_NOT_FOUND);
    assert_int_equal(read_at(STET_AT_HEAD, 0), STET_OK);
    check_answer("/version", "4");
}

static void a_seq_reads_as_the_space_stood_then(void **state) {
    (void)state;
    tell_story();
    assert_int_equal(read_at(STET_AT_SEQ, 1), STET_OK);
    check_answer("/version", "1");
    assert_int_equal(read_at(STET_AT_SEQ, 2), STET_OK);
    check_answer("/version", "1");
    assert_int_equal(read_at(STET_AT_SEQ, 4), STET_OK);
    check_answer("/version", "2");
    assert_int_equal(read_at(STET_AT_SEQ, 6), STET_DELETED);
    assert_int_equal(read_at(STET_AT_SEQ, 0), STET_NOT_FOUND);
}

static void a_time_reads_as_the_space_stood_then(void **state) {
    (void)state;
    tell_story();
    assert_int_equal(read_at(STET_AT_VERSION, 2), STET_OK);
    stet_time second = updated_at;
    assert_int_equal(read_at(STET_AT_TIME, (uint64_t)second), STET_OK);
    check_answer("/version", "2");
    assert_int_equal(read_at(STET_AT_TIME, (uint64_t)second - 1), STET_OK);
    check_answer("/version", "1");
    assert_int_equal(read_at(STET_AT_TIME, 1), STET_NOT_FOUND);
    assert_int_equal(read_at(STET_AT_TIME, (uint64_t)(stet_time)-1), STET_NOT_FOUND);
}

static stet_status revert(stet_version base, stet_version to) {
    const stet_mutation mutation = {
        .op = STET_OP_REVERT,
        .type = VIEW("tasks"),
        .id = VIEW("1"),
        .base = {.kind = STET_BASE_VERSION, .value = base},
        .revert_to = to,
    };
    char *body = NULL;
    stet_status status = fixture_write(&fixture, &mutation, 1, &body);
    snprintf(answer, sizeof answer, "%s", body);
    free(body);
    return status;
}

static void reverting_is_a_write_like_any_other(void **state) {
    (void)state;
    struct stet_command *command;
    put("{\"n\":1}");
    put("{\"n\":2}");
    assert_int_equal(revert(1, 1), STET_CONCURRENT_MODIFICATION);
    check_answer("/current_version", "2");
    assert_int_equal(revert(2, 9), STET_NOT_FOUND);
    assert_int_equal(revert(2, 1), STET_OK);
    check_answer("/version", "3");
    check_answer("/data", "{\"n\":1}");
    command = command_create(fixture.client);
    command->kind = COMMAND_HISTORY;
    command->history = (stet_history){.type = VIEW("tasks"), .id = VIEW("1"), .limit = 1};
    assert_int_equal(run(command), STET_OK);
    check_answer("/changes/0/source", "\"revert\"");
    check_answer("/changes/0/reverted_to", "1");
    check_answer("/next", "3");
}

static void a_difference_runs_as_a_command(void **state) {
    (void)state;
    struct stet_command *command = command_create(fixture.client);
    put("{\"n\":1}");
    put("{\"n\":2}");
    command->kind = COMMAND_DIFF;
    command->read = (stet_read){.type = VIEW("tasks"), .id = VIEW("1")};
    command->diff_from = 1;
    assert_int_equal(run(command), STET_OK);
    assert_string_equal(
        answer, "{\"from\":1,\"to\":2,\"changes\":[{\"pointer\":\"/n\",\"from\":1,\"to\":2}]}");
}

#define WITH_ENGINE(test) cmocka_unit_test_setup_teardown(test, open_engine, close_engine)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_ENGINE(a_version_reads_as_it_was),
        WITH_ENGINE(a_seq_reads_as_the_space_stood_then),
        WITH_ENGINE(a_time_reads_as_the_space_stood_then),
        WITH_ENGINE(reverting_is_a_write_like_any_other),
        WITH_ENGINE(a_difference_runs_as_a_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
