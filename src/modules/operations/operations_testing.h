/*
 * For tests of operations: an engine driven by hand, and the calls in a word. Include after cmocka.h.
 */
#ifndef MODULES_OPERATIONS_OPERATIONS_TESTING_H
#define MODULES_OPERATIONS_OPERATIONS_TESTING_H

#include "core/write_fixture.h"
#include "modules/operations/operations.h"

#include <ftw.h>
#include <unistd.h>

#define TEST(name) static void name(void **state)

static const struct module *const only_operations[] = {&operations_module, NULL};
static char folder[64];

static inline int setup(void **state) {
    (void)state;
    world_open_with(only_operations, NULL);
    return 0;
}

static inline int setup_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/stet-operations-XXXXXX");
    assert_non_null(mkdtemp(folder));
    world_open_with(only_operations, folder);
    return 0;
}

static inline int remove_one(const char *path, const struct stat *info, int kind,
                             struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static inline int teardown_folder(void **state) {
    world_close(state);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void reopen(void) {
    fixture_close(&world.fixture);
    world_reopen();
}

/* All that is ready or due, until nothing is. */
static inline void work(void) {
    while (engine_step(world.fixture.engine)) {
        while (client_next(world.fixture.client) != NULL)
            ;
        if (world.fixture.space->queue_first == NULL) break;
    }
    while (client_next(world.fixture.client) != NULL)
        ;
}

static inline void pass_ms(int64_t ms) {
    clock_manual_advance(&world.clock, ms * CLOCK_NS_PER_MS);
    work();
    work();
}

static inline void pass(int64_t seconds) { pass_ms(seconds * 1000); }

static inline void am(const char *actor) {
    be(actor);
    world.fixture.actor.admin = false;
}

/* A refusal at filling is an answer, too. */
static inline struct answer finish(struct stet_command *command, stet_status status,
                                   const stet_error *err) {
    if (status == STET_OK) return take(submitted(command));
    command_destroy(command);
    assert_int_equal(status, err->status);
    return (struct answer){.status = status,
                           .body = "",
                           .message = world_text(view_of(err->message)),
                           .field = world_text(view_of(err->field)),
                           .limit = err->limit};
}

static inline struct stet_command *fresh(void) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_non_null(command);
    return command;
}

static inline struct answer submit(stet_operation_request request) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    return finish(command, operations_fill_submit(command, &request, &err), &err);
}

/* Into the lane "l", with this id. */
static inline struct answer must_submit(const char *id) {
    return must(submit((stet_operation_request){.id = view_of(id), .lane = VIEW("l")}));
}

static inline struct answer get(const char *id) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    return finish(command, operations_fill_get(command, view_of(id), &err), &err);
}

static inline stet_claim claim_of(const char *agent) {
    return (stet_claim){.lane = VIEW("l"), .agent = view_of(agent)};
}

static inline struct answer claim_with(stet_claim claim) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    return finish(command, operations_fill_claim(command, &claim, &err), &err);
}

/* Begins to claim; it may wait. */
static inline struct stet_command *start_claim(stet_claim claim) {
    struct stet_command *command = fresh();
    assert_int_equal(operations_fill_claim(command, &claim, NULL), STET_OK);
    submitted(command);
    work();
    return command;
}

static inline uint64_t lease_at(const char *body, int index) {
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/operations/%d/lease/token", index);
    const char *text = json_at(body, pointer);
    if (text == NULL) fail_msg("no %s in %s", pointer, body);
    return strtoull(text, NULL, 10);
}

/* Claims what must be this one. */
static inline uint64_t must_claim(const char *agent, const char *id) {
    struct answer answer = must(claim_with(claim_of(agent)));
    char quoted[600];
    snprintf(quoted, sizeof quoted, "\"%s\"", id);
    check_json(answer.body, "/operations/0/id", quoted);
    return lease_at(answer.body, 0);
}

static inline void must_find_nothing(stet_claim claim) {
    struct answer answer = must(claim_with(claim));
    check_json(answer.body, "/operations", "[]");
}

static inline struct answer tell(const char *id, uint64_t lease, double percent,
                                 const char *message) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    const stet_operation_progress progress = {.id = view_of(id),
                                              .lease = lease,
                                              .sets_percent = percent >= 0,
                                              .percent = percent,
                                              .message = view_of(message)};
    return finish(command, operations_fill_progress(command, &progress, &err), &err);
}

static inline struct answer heartbeat(const char *id, uint64_t lease) {
    return tell(id, lease, -1, NULL);
}

static inline struct answer complete_with(const char *id, uint64_t lease, const char *result,
                                          const stet_mutation *mutations, size_t count) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    const stet_operation_completion completion = {.id = view_of(id),
                                                  .lease = lease,
                                                  .result = view_of(result),
                                                  .mutations = mutations,
                                                  .mutation_count = count};
    return finish(command, operations_fill_complete(command, &completion, &err), &err);
}

static inline struct answer complete(const char *id, uint64_t lease) {
    return complete_with(id, lease, "{\"done\":true}", NULL, 0);
}

static inline struct answer fail_with(stet_operation_failure failure) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    return finish(command, operations_fill_fail(command, &failure, &err), &err);
}

static inline struct answer cancel(const char *id) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    return finish(command, operations_fill_cancel(command, view_of(id), VIEW("enough"), &err),
                  &err);
}

static inline struct answer retry(const char *id) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    return finish(command, operations_fill_retry(command, view_of(id), &err), &err);
}

static inline struct answer put_lane(const char *name, const char *settings) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    return finish(command,
                  lanes_fill_put(command, view_of(name), view_of(settings), (stet_base){0}, &err),
                  &err);
}

static inline struct answer move_lane(const char *name, stet_lane_move move) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    return finish(command, lanes_fill_move(command, view_of(name), move, &err), &err);
}

static inline struct answer get_lane(const char *name) {
    struct stet_command *command = fresh();
    stet_error err = {0};
    return finish(command, lanes_fill_get(command, view_of(name), &err), &err);
}

#define check_is(id, pointer, expected)                                                            \
    do {                                                                                           \
        struct answer shown_ = must(get(id));                                                      \
        check_json(shown_.body, (pointer), (expected));                                            \
    } while (0)

#endif
