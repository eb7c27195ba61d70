/*
 * For tests of writes: one engine in memory, driven by hand, with a clock and a randomness that repeat; writes in a word, answers as
 * values. Everything asserts; include it after cmocka.h. A test that opens the world closes it.
 */
#ifndef CORE_WRITE_FIXTURE_H
#define CORE_WRITE_FIXTURE_H

#include "base/clock.h"
#include "base/error.h"
#include "core/engine_fixture.h"
#include "core/resolve.h"
#include "doc/doc.h"

#include <sodium.h>

/* What came of a command. The texts live until the world closes. */
struct answer {
    stet_status status;
    stet_version version;
    stet_seq seq;
    stet_time updated_at;
    bool created, unchanged, replayed, merged, dropped, parked;
    const char *body;
    const char *message;
    const char *field;
    uint64_t limit;
};

struct world {
    struct fixture fixture;
    struct clock_manual clock;
    struct entropy_seeded entropy;
    struct arena arena;
    const struct module *const *modules;
    const char *data_dir; /* NULL: in memory. */
};

static struct world world;

enum { WORLD_START_S = 1700000000 };

static inline void world_reopen(void) {
    const struct engine_seams seams = {.manual = true,
                                       .clock = &world.clock.clock,
                                       .entropy = &world.entropy.entropy,
                                       .password_ops = 1,
                                       .password_memory_bytes = 8192};
    const stet_options options = {.data_dir = world.data_dir, .space_idle_s = 60};
    fixture_open_with(&world.fixture, &options, &seams, world.modules);
}

static inline void world_open_with(const struct module *const *modules, const char *data_dir) {
    assert_true(sodium_init() >= 0);
    world = (struct world){.modules = modules, .data_dir = data_dir};
    clock_manual_init(&world.clock, WORLD_START_S * CLOCK_NS_PER_S);
    entropy_seeded_init(&world.entropy, 1);
    arena_init(&world.arena, 65536);
    world_reopen();
}

static inline int world_open(void **state) {
    (void)state;
    world_open_with(fixture_no_modules, NULL);
    return 0;
}

static inline int world_close(void **state) {
    (void)state;
    fixture_close(&world.fixture);
    arena_done(&world.arena);
    return 0;
}

static inline void be(const char *actor) {
    world.fixture.actor = (stet_actor){.id = view_of(actor), .admin = true};
}

/* ---- Answers ----------------------------------------------------------------------------- */

static inline const char *world_text(stet_view view) {
    char *text = arena_bytes(&world.arena, view.size + 1);
    assert_non_null(text);
    if (view.size > 0) memcpy(text, view.bytes, view.size);
    text[view.size] = '\0';
    return text;
}

static inline struct answer answer_of(struct stet_command *command) {
    command_render(command);
    const stet_outcome *outcome = &command->outcome;
    return (struct answer){
        .status = outcome->status,
        .version = outcome->version,
        .seq = outcome->seq,
        .updated_at = outcome->updated_at,
        .created = outcome->created,
        .unchanged = outcome->unchanged,
        .replayed = outcome->replayed,
        .merged = outcome->merged,
        .dropped = outcome->dropped,
        .parked = outcome->parked,
        .body = world_text(outcome->body),
        .message = world_text(view_of(outcome->error.message)),
        .field = world_text(view_of(outcome->error.field)),
        .limit = outcome->error.limit,
    };
}

/* Finishes a submitted command, takes its answer, destroys it. */
static inline struct answer take(struct stet_command *command) {
    fixture_finish(&world.fixture, command);
    struct answer answer = answer_of(command);
    command_destroy(command);
    return answer;
}

static inline struct stet_command *submitted(struct stet_command *command) {
    stet_error err = {0};
    stet_status status =
        command_submit(world.fixture.space, &world.fixture.actor, command, NULL, &err);
    if (status != STET_OK) fail_msg("submit: %s", err.message);
    return command;
}

/* Submits without waiting, so that several land in one batch. */
static inline struct stet_command *start(const stet_write *write) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    assert_non_null(command);
    if (command_fill_write(command, write, &err) != STET_OK) fail_msg("fill: %s", err.message);
    return submitted(command);
}

/* A write from filling to its answer; a refusal at filling is an answer, too. */
static inline struct answer run(const stet_write *write) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    assert_non_null(command);
    stet_status status = command_fill_write(command, write, &err);
    if (status == STET_OK) return take(submitted(command));
    command_destroy(command);
    assert_int_equal(status, err.status);
    return (struct answer){.status = status,
                           .body = "",
                           .message = world_text(view_of(err.message)),
                           .field = world_text(view_of(err.field)),
                           .limit = err.limit};
}

/* ---- Mutations --------------------------------------------------------------------------- */

static const stet_base none = {.kind = STET_BASE_NONE};
static const stet_base absent = {.kind = STET_BASE_ABSENT};
static inline stet_base at(stet_version version) {
    return (stet_base){.kind = STET_BASE_VERSION, .value = version};
}
static inline stet_base at_time(stet_time time) {
    return (stet_base){.kind = STET_BASE_UPDATED_AT, .value = (uint64_t)time};
}

static inline stet_mutation mutation(stet_op op, const char *id, stet_base base, const char *body) {
    return (stet_mutation){
        .op = op, .type = VIEW("task"), .id = view_of(id), .base = base, .body = view_of(body)};
}

static inline struct answer apply_one(stet_mutation one) {
    return run(&(stet_write){.mutations = &one, .mutation_count = 1});
}

static inline struct answer apply(stet_op op, const char *id, stet_base base, const char *body) {
    return apply_one(mutation(op, id, base, body));
}

static inline struct answer keyed(stet_mutation one, const char *key) {
    return run(&(stet_write){.mutations = &one, .mutation_count = 1, .mutation_key = view_of(key)});
}

static inline struct answer transact(const stet_mutation *mutations, size_t count,
                                     const char *key) {
    return run(&(stet_write){.mutations = mutations,
                             .mutation_count = count,
                             .transaction = true,
                             .mutation_key = view_of(key)});
}

static inline struct answer try_put(const char *id, stet_base base, const char *data) {
    return apply(STET_OP_PUT, id, base, data);
}

static inline struct answer must(struct answer answer) {
    if (answer.status != STET_OK) fail_msg("%s: %s", answer.message, answer.body);
    return answer;
}

static inline stet_version must_put(const char *id, stet_base base, const char *data) {
    return must(try_put(id, base, data)).version;
}

static inline stet_version must_delete(const char *id, stet_base base) {
    return must(apply(STET_OP_DELETE, id, base, NULL)).version;
}

/* ---- Looking ----------------------------------------------------------------------------- */

/* The JSON text at a pointer of a document; NULL when there is none. */
static inline const char *json_at(const char *text, const char *pointer) {
    struct doc doc;
    stet_error err = {0};
    if (doc_parse(&world.arena, view_of(text), NULL, &doc, &err) != STET_OK)
        fail_msg("not JSON (%s): %s", err.message, text);
    doc_node node = doc_pointer(&doc, view_of(pointer));
    return node == DOC_NONE ? NULL : world_text(doc_text(&doc, node));
}

#define check_json(text, pointer, expected)                                                        \
    do {                                                                                           \
        const char *found_ = json_at((text), (pointer));                                           \
        if (found_ == NULL) fail_msg("no %s in %s", (pointer), (text));                            \
        assert_string_equal(found_, (expected));                                                   \
    } while (0)

#define check_no_json(text, pointer) assert_null(json_at((text), (pointer)))

#define check_status(given, expected)                                                              \
    do {                                                                                           \
        struct answer answer_ = (given);                                                           \
        if (answer_.status != (expected))                                                          \
            fail_msg("%s, not %s: %s %s", status_code(answer_.status), status_code(expected),      \
                     answer_.message, answer_.body);                                               \
    } while (0)

static inline struct answer read_record(const char *id) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_non_null(command);
    command->kind = COMMAND_READ;
    command->read =
        (stet_read){.type = VIEW("task"), .id = arena_copy(&command->arena, view_of(id))};
    return take(submitted(command));
}

#define check_data(id, version_expected, data_expected)                                            \
    do {                                                                                           \
        struct answer read_ = read_record(id);                                                     \
        check_status(read_, STET_OK);                                                              \
        assert_int_equal(read_.version, (version_expected));                                       \
        check_json(read_.body, "/data", (data_expected));                                          \
    } while (0)

static inline uint64_t seq_now(void) { return fixture_seq(&world.fixture); }

static inline struct answer receipt_of(const char *key) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_non_null(command);
    assert_int_equal(command_set_key(command, view_of(key), NULL), STET_OK);
    command->kind = COMMAND_RECEIPT;
    return take(submitted(command));
}

static inline struct answer history_of(const char *id) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_non_null(command);
    command->kind = COMMAND_HISTORY;
    command->history =
        (stet_history){.type = VIEW("task"), .id = arena_copy(&command->arena, view_of(id))};
    return take(submitted(command));
}

#endif
