/*
 * For tests of what types decide, without the module that keeps types: policies in a word, and a module that keeps parked writes and
 * remembers what it was told. Include it after core/write_fixture.h.
 */
#ifndef CORE_POLICY_FIXTURE_H
#define CORE_POLICY_FIXTURE_H

#include "core/policy.h"
#include "core/staging.h"
#include "doc/merge.h"

/* Declares the type "task" from now on. fields: as in a type's definition. */
static inline void declare_type(stet_strategy strategy, const char *fields) {
    static uint64_t seq = 1000;
    struct arena arena;
    struct doc definition;
    stet_error err = {0};
    arena_init(&arena, 4096);
    stet_view text = arena_format(&arena, "{\"fields\":%s}", fields);
    if (doc_parse(&arena, text, NULL, &definition, &err) != STET_OK) fail_msg("%s", err.message);
    struct policy *policy = arena_zalloc(&arena, 1, sizeof *policy);
    struct doc_rules *rules = NULL;
    if (rules_compile(&arena, &definition, doc_member(&definition, 0, VIEW("fields")), DOC_NONE,
                      &rules, &err) != STET_OK)
        fail_msg("%s: %s", err.field, err.message);
    atomic_init(&policy->refs, 1);
    policy->type = VIEW("task");
    policy->version = ++seq;
    policy->seq = seq;
    policy->on_conflict = strategy;
    policy->overrides = 1u << STET_STRATEGY_MERGE | 1u << STET_STRATEGY_ASK;
    policy->rules = rules;
    policy->counts = rules_count(rules);
    policy->ask.deadline_s = 60;
    policy->ask.fallback = STET_STRATEGY_SERVER_WINS;
    policy->arena = arena;
    struct policies *policies = world.fixture.space->policies;
    assert_int_equal(policies_reserve(policies, NULL), STET_OK);
    policies_stage(policies, policy->type, policy);
    policies_publish(policies);
}

/* ---- What modules are told --------------------------------------------------------------- */

enum { TOLD_LOSSES_MAX = 64 };

static struct {
    unsigned count;
    enum settlement_kind kind;
    uint64_t base_version, head_version;
    bool has_merge, clean, deletes;
    const char *result;
    size_t loss_count;
    struct {
        const char *pointer, *by;
        uint64_t version;
    } losses[TOLD_LOSSES_MAX];
    bool parks; /* Keep what waits. */
    stet_status refuses;
    unsigned parked;
} told;

static inline stet_status told_park(struct staging *staging, const struct settlement *settlement,
                                    stet_error *err) {
    struct mutation *mutation = settlement->mutation;
    stet_view id = arena_format(staging_arena(staging), "waiting-%u", ++told.parked);
    stet_view data = arena_format(
        staging_arena(staging),
        "{\"state\":\"open\",\"event\":\"opened\",\"address\":\"task/"
        "%.*s\",\"current_version\":%llu,"
        "\"fallback\":\"server_wins\",\"deadline\":\"2030-01-01T00:00:00Z\",\"yours\":%.*s}",
        VIEW_ARG(mutation->id), (unsigned long long)settlement->head->version,
        settlement->yours.size == 0 ? 4 : (int)settlement->yours.size,
        settlement->yours.size == 0 ? "null" : settlement->yours.bytes);
    mutation->conflict_id = id;
    return staging_put(staging, VIEW("stet.waiting"), id, data, (stet_view){0}, NULL, err);
}

static inline stet_status told_settled(void *state, struct staging *staging,
                                       const struct settlement *settlement, stet_error *err) {
    (void)state;
    told.count++;
    told.kind = settlement->kind;
    told.base_version = settlement->base_version;
    told.head_version = settlement->head->version;
    told.has_merge = settlement->merge != NULL;
    told.clean = told.has_merge && settlement->merge->clean;
    told.deletes = settlement->deletes;
    told.result = world_text(settlement->result);
    told.loss_count = settlement->loss_count;
    for (size_t i = 0; i < settlement->loss_count && i < TOLD_LOSSES_MAX; i++) {
        told.losses[i].pointer = world_text(settlement->losses[i].pointer);
        told.losses[i].by = world_text(settlement->losses[i].by);
        told.losses[i].version = settlement->losses[i].version;
    }
    if (told.refuses != STET_OK) return error_set(err, told.refuses, "not now");
    if (settlement->kind == SETTLEMENT_PARKED && told.parks)
        return told_park(staging, settlement, err);
    return STET_OK;
}

static const char *const told_types[] = {"stet.waiting", NULL};
static const struct module told_module = {
    .name = "told", .types = told_types, .settled = told_settled};
static const struct module *const told_modules[] = {&told_module, NULL};

static inline int told_open(void **state) {
    (void)state;
    memset(&told, 0, sizeof told);
    world_open_with(told_modules, NULL);
    return 0;
}

#define check_told(kind_expected)                                                                  \
    do {                                                                                           \
        assert_int_equal(told.kind, (kind_expected));                                              \
        assert_int_equal(told.count, 1);                                                           \
        told.count = 0;                                                                            \
    } while (0)

#define check_loss(index, pointer_expected, by_expected, version_expected)                         \
    do {                                                                                           \
        assert_true(told.loss_count > (index));                                                    \
        assert_string_equal(told.losses[index].pointer, (pointer_expected));                       \
        assert_string_equal(told.losses[index].by, (by_expected));                                 \
        assert_int_equal(told.losses[index].version, (version_expected));                          \
    } while (0)

#endif
