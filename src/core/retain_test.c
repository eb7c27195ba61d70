/* Versions that types let go: with a change, and by age. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/policy.h"
#include "core/retain.h"
#include "core/sequencer.h"
#include "core/write_fixture.h"

#include <stdlib.h>

static void declare(uint32_t versions, uint32_t days) {
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
    policy->retain_days = days;
    assert_int_equal(policies_reserve(world.fixture.space->policies, NULL), STET_OK);
    policies_stage(world.fixture.space->policies, VIEW("task"), policy);
    policies_publish(world.fixture.space->policies);
}

/* The versions of a record that are still whole, as "3 4 ". */
static const char *kept(const char *id) {
    struct store_reader *reader = store_writer_reader(world.fixture.space->store);
    struct store_change changes[64];
    struct store_head head;
    size_t count;
    char *text = arena_bytes(&world.arena, 256);
    int size = 0;
    assert_int_equal(store_head(reader, VIEW("task"), view_of(id), &head, NULL), STET_OK);
    assert_int_equal(store_history(reader, &world.arena, &head, 0, 64, true, changes, &count, NULL),
                     STET_OK);
    text[0] = '\0';
    for (size_t i = count; i-- > 0;) {
        assert_int_equal(changes[i].pruned, changes[i].data.size == 0);
        if (!changes[i].pruned)
            size += snprintf(text + size, 256 - (size_t)size, "%llu ",
                             (unsigned long long)changes[i].version);
    }
    return text;
}

static void put_versions(const char *id, unsigned from, unsigned to) {
    for (unsigned i = from; i <= to; i++) {
        char data[32];
        snprintf(data, sizeof data, "{\"n\":%u}", i);
        must_put(id, i == 1 ? none : at(i - 1), data);
    }
}

static void pass_days(int days) {
    clock_manual_advance(&world.clock, (int64_t)days * 24 * 3600 * CLOCK_NS_PER_S);
}

/* Lets the sequencer do what is due: a jump of the clock is believed after a while. */
static void let_work(void) {
    for (int i = 0; i < 4; i++) {
        clock_manual_advance(&world.clock, (CLOCK_CONFIRM_S + DUE_RECHECK_S) * CLOCK_NS_PER_S);
        while (engine_step(world.fixture.engine))
            ;
    }
}

static void check_store(void) {
    struct store_reader *reader = store_writer_reader(world.fixture.space->store);
    uint64_t findings;
    assert_int_equal(store_check(reader, NULL, NULL, &findings, NULL), STET_OK);
    assert_int_equal(findings, 0);
}

/* ---- With a change --------------------------------------------------------------------------------------------------- */

static void without_a_word_everything_is_kept(void **state) {
    (void)state;
    put_versions("a", 1, 5);
    let_work();
    assert_string_equal(kept("a"), "1 2 3 4 5 ");
}

static void the_last_versions_are_kept(void **state) {
    (void)state;
    declare(3, 0);
    put_versions("a", 1, 7);
    assert_string_equal(kept("a"), "5 6 7 ");
    must_delete("a", at(7));
    assert_string_equal(kept("a"), "6 7 8 ");
    check_store();
}

static void a_batch_lets_go_of_its_own_versions(void **state) {
    (void)state;
    struct stet_command *commands[6];
    declare(2, 0);
    for (unsigned i = 0; i < 6; i++) {
        char data[32];
        snprintf(data, sizeof data, "{\"n\":%u}", i);
        stet_mutation one = mutation(STET_OP_PUT, "a", i == 0 ? none : at(i), data);
        commands[i] = start(&(stet_write){.mutations = &one, .mutation_count = 1});
    }
    for (unsigned i = 0; i < 6; i++)
        check_status(take(commands[i]), STET_OK);
    assert_string_equal(kept("a"), "5 6 ");
    check_store();
}

static void a_refused_write_lets_nothing_go(void **state) {
    (void)state;
    declare(1, 0);
    put_versions("a", 1, 2);
    const stet_mutation two[] = {mutation(STET_OP_PUT, "a", at(2), "{\"n\":3}"),
                                 mutation(STET_OP_PUT, "b", at(9), "{}")};
    struct answer refused = transact(two, 2, NULL);
    assert_int_not_equal(refused.status, STET_OK);
    assert_string_equal(kept("a"), "2 ");
    assert_int_equal(fixture_version(&world.fixture, "task", "a"), 2);
}

static void what_is_let_go_answers_so(void **state) {
    (void)state;
    declare(1, 0);
    put_versions("a", 1, 3);
    struct stet_command *command = command_create(world.fixture.client);
    command->kind = COMMAND_READ;
    command->read =
        (stet_read){.type = VIEW("task"), .id = VIEW("a"), .at = STET_AT_VERSION, .at_value = 1};
    check_status(take(submitted(command)), STET_PRUNED);
    struct answer history = history_of("a");
    check_json(history.body, "/changes/2/pruned", "true");
    check_json(history.body, "/changes/2/by", "\"ann\"");
}

static void young_versions_are_kept_although_there_are_many(void **state) {
    (void)state;
    declare(2, 10);
    put_versions("a", 1, 4);
    assert_string_equal(kept("a"), "1 2 3 4 ");
    pass_days(11);
    let_work();
    assert_string_equal(kept("a"), "3 4 ");
    check_store();
}

/* ---- By age ---------------------------------------------------------------------------------------------------------- */

static void old_versions_are_swept(void **state) {
    (void)state;
    declare(0, 10);
    put_versions("a", 1, 3);
    pass_days(6);
    put_versions("a", 4, 5);
    put_versions("b", 1, 1);
    assert_string_equal(kept("a"), "1 2 3 4 5 ");
    pass_days(6);
    let_work();
    assert_string_equal(kept("a"), "4 5 ");
    pass_days(6);
    let_work();
    assert_string_equal(kept("a"), "5 ");
    assert_string_equal(kept("b"), "1 ");
    put_versions("b", 2, 2);
    assert_string_equal(kept("b"), "2 ");
    check_store();
}

static void a_new_definition_reaches_back(void **state) {
    (void)state;
    put_versions("a", 1, 5);
    declare(2, 0);
    put_versions("b", 1, 1);
    let_work();
    assert_string_equal(kept("a"), "4 5 ");
}

static void a_sweep_takes_many_steps(void **state) {
    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        char id[16];
        snprintf(id, sizeof id, "r%u", i);
        put_versions(id, 1, 2);
    }
    declare(1, 0);
    put_versions("z", 1, 1);
    let_work();
    assert_string_equal(kept("r0"), "2 ");
    assert_string_equal(kept("r399"), "2 ");
    check_store();
}

/* ---- What is needed -------------------------------------------------------------------------------------------------- */

static uint64_t needed;

static bool keeps(void *state, stet_view type, stet_view id, uint64_t version) {
    (void)state;
    return view_equal(type, VIEW("task")) && view_equal(id, VIEW("a")) && version == needed;
}

static const struct module keeper = {.name = "keeper", .keeps = keeps};
static const struct module *const keeper_modules[] = {&keeper, NULL};

static int setup_keeper(void **state) {
    (void)state;
    world_open_with(keeper_modules, NULL);
    return 0;
}

static void what_a_module_names_is_kept_until_it_does_not(void **state) {
    (void)state;
    declare(1, 0);
    needed = 2;
    put_versions("a", 1, 5);
    assert_string_equal(kept("a"), "2 5 ");
    let_work();
    assert_string_equal(kept("a"), "2 5 ");
    needed = 0;
    clock_manual_advance(&world.clock, RETAIN_SWEEP_S * CLOCK_NS_PER_S);
    let_work();
    assert_string_equal(kept("a"), "5 ");
    check_store();
}

static void what_was_forked_from_is_kept(void **state) {
    (void)state;
    declare(1, 0);
    put_versions("a", 1, 1);
    stet_mutation one = mutation(STET_OP_PUT, "copy", none, "{\"n\":1}");
    struct stet_command *command = command_create(world.fixture.client);
    const stet_write write = {.mutations = &one, .mutation_count = 1};
    assert_int_equal(command_fill_write(command, &write, NULL), STET_OK);
    command->mutations[0].forked_from = VIEW("task/a@1");
    check_status(take(submitted(command)), STET_OK);
    command = command_create(world.fixture.client);
    one.id = VIEW("other");
    assert_int_equal(command_fill_write(command, &write, NULL), STET_OK);
    command->mutations[0].forked_from = VIEW("task/a@2");
    check_status(take(submitted(command)), STET_NOT_FOUND);
    put_versions("a", 2, 4);
    let_work();
    assert_string_equal(kept("a"), "1 4 ");
    check_store();
}

int main(void) {
#define IN(setup, name) cmocka_unit_test_setup_teardown(name, setup, world_close)
    const struct CMUnitTest tests[] = {
        IN(world_open, without_a_word_everything_is_kept),
        IN(world_open, the_last_versions_are_kept),
        IN(world_open, a_batch_lets_go_of_its_own_versions),
        IN(world_open, a_refused_write_lets_nothing_go),
        IN(world_open, what_is_let_go_answers_so),
        IN(world_open, young_versions_are_kept_although_there_are_many),
        IN(world_open, old_versions_are_swept),
        IN(world_open, a_new_definition_reaches_back),
        IN(world_open, a_sweep_takes_many_steps),
        IN(setup_keeper, what_a_module_names_is_kept_until_it_does_not),
        IN(world_open, what_was_forked_from_is_kept),
    };
    return cmocka_run_group_tests_name("core_retain", tests, NULL, NULL);
}
