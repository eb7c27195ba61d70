/*
 * For this folder's tests: parking, settling and looking in a word, over core/write_fixture.h. Include it after cmocka.h.
 */
#ifndef CONFLICTS_TESTING_H
#define CONFLICTS_TESTING_H

#include "core/policy.h"
#include "core/write_fixture.h"
#include "modules/conflicts/conflicts.h"

#define TEST(name) static void name(void **state)

static const struct module *const conflict_modules[] = {&conflicts_module, NULL};

static inline int setup(void **state) {
    (void)state;
    world_open_with(conflict_modules, NULL);
    be("ann");
    return 0;
}

static inline struct stet_command *new_command(void) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_non_null(command);
    return command;
}

static inline struct answer take_filled(struct stet_command *command, stet_status status,
                                        const stet_error *err) {
    if (status == STET_OK) return take(submitted(command));
    command_destroy(command);
    return (struct answer){.status = status,
                           .body = "",
                           .message = world_text(view_of(err->message)),
                           .field = world_text(view_of(err->field)),
                           .limit = err->limit};
}

static inline const char *unquoted(const char *json) {
    assert_non_null(json);
    return world_text(view_make(json + 1, strlen(json) - 2));
}

/* Lets time pass and everything happen that it makes due. */
static inline void pass_ms(int64_t ms) {
    clock_manual_advance(&world.clock, ms * CLOCK_NS_PER_MS);
    while (engine_step(world.fixture.engine))
        continue;
}
static inline void pass(int64_t seconds) { pass_ms(seconds * 1000); }

/* ---- Policies ---------------------------------------------------------------------------- */

struct terms_of_type {
    stet_strategy on_conflict, fallback;
    uint32_t deadline_s;
    const char *who;
};

static inline void declare(const char *type, struct terms_of_type terms) {
    struct arena arena;
    arena_init(&arena, 1024);
    struct policy *policy = arena_zalloc(&arena, 1, sizeof *policy);
    stet_view *who = arena_alloc(&arena, sizeof *who);
    policy->refs = 1;
    policy->type = arena_copy(&arena, view_of(type));
    policy->seq = 1;
    policy->on_conflict = terms.on_conflict;
    policy->overrides = 0;
    policy->ask.deadline_s = terms.deadline_s;
    policy->ask.fallback = terms.fallback;
    if (terms.who != NULL) {
        *who = arena_copy(&arena, view_of(terms.who));
        policy->ask.who = who;
        policy->ask.who_count = 1;
    }
    policy->arena = arena;
    struct policies *policies = world.fixture.space->policies;
    assert_int_equal(policies_reserve(policies, NULL), STET_OK);
    policies_stage(policies, view_of(type), policy);
    policies_publish(policies);
}

/* ---- Doing ------------------------------------------------------------------------------- */

static inline struct answer ask(const char *id, stet_version base, const char *data) {
    stet_mutation one = mutation(data == NULL ? STET_OP_DELETE : STET_OP_PUT, id, at(base), data);
    one.on_conflict = STET_STRATEGY_ASK;
    return apply_one(one);
}

static inline struct answer overwrite(const char *id, stet_version base, const char *data) {
    stet_mutation one = mutation(STET_OP_PUT, id, at(base), data);
    one.on_conflict = STET_STRATEGY_LAST_WRITER_WINS;
    return apply_one(one);
}

/* Parks a write and returns the conflict's id. */
static inline const char *must_park(const char *id, stet_version base, const char *data) {
    const char *body = must(ask(id, base, data)).body;
    if (json_at(body, "/conflict_id") == NULL) fail_msg("not parked: %s", body);
    return unquoted(json_at(body, "/conflict_id"));
}

/* A record of two versions, the second by ben, and ann's write from the first, which waits. */
static inline const char *parked_deal(const char *id) {
    be("zoe");
    must_put(id, none, "{\"amount\":1,\"title\":\"a\"}");
    be("ben");
    must_put(id, at(1), "{\"amount\":2,\"title\":\"a\"}");
    be("ann");
    return must_park(id, 1, "{\"amount\":3,\"title\":\"a\"}");
}

static inline struct answer get_conflict(const char *id) {
    struct stet_command *command = new_command();
    stet_error err = {0};
    return take_filled(command, conflicts_fill_get(command, view_of(id), &err), &err);
}

static inline struct answer list_conflicts(stet_conflict_list list) {
    struct stet_command *command = new_command();
    stet_error err = {0};
    return take_filled(command, conflicts_fill_list(command, &list, &err), &err);
}

static inline const char *token_of(const char *id) {
    const char *body = must(get_conflict(id)).body;
    if (json_at(body, "/resolution_token") == NULL) fail_msg("no token: %s", body);
    return unquoted(json_at(body, "/resolution_token"));
}

static inline struct stet_command *start_resolve(stet_conflict_resolution resolution) {
    struct stet_command *command = new_command();
    stet_error err = {0};
    if (conflicts_fill_resolve(command, &resolution, &err) != STET_OK) fail_msg("%s", err.message);
    return submitted(command);
}

static inline struct answer resolve(const char *id, const char *token, stet_choice choice) {
    return take(start_resolve(
        (stet_conflict_resolution){.id = view_of(id), .token = view_of(token), .choice = choice}));
}

static inline struct answer reopen(const char *id, stet_version precondition) {
    struct stet_command *command = new_command();
    stet_error err = {0};
    return take_filled(command, conflicts_fill_reopen(command, view_of(id), precondition, &err),
                       &err);
}

static inline struct answer inbox(stet_inbox_list list) {
    struct stet_command *command = new_command();
    stet_error err = {0};
    return take_filled(command, inbox_fill_list(command, &list, &err), &err);
}

static inline struct answer inbox_of(const char *person) {
    be(person);
    return must(inbox((stet_inbox_list){0}));
}

#endif
