/*
 * Projections: what apply makes of the changes equals what load makes of the live heads, whatever was staged, refused and taken
 * back in between.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "modules/spaces/spaces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine_fixture.h"

/* ---- A module that watches everything: the version of each live record ------------------- */

enum { IDS = 12 };

struct watch {
    stet_version live[IDS];
};

static stet_status watch_open(struct space *space, void **state, stet_error *err) {
    (void)space;
    (void)err;
    *state = calloc(1, sizeof(struct watch));
    return *state == NULL ? STET_NO_MEMORY : STET_OK;
}

static void watch_reset(void *state) { *(struct watch *)state = (struct watch){0}; }

static stet_version *watch_place(void *state, const struct store_change *change) {
    return &((struct watch *)state)->live[atoi(change->id.bytes)];
}

static stet_status watch_load(void *state, const struct store_change *head, stet_error *err) {
    (void)err;
    if (view_equal(head->type, VIEW("tasks"))) *watch_place(state, head) = head->version;
    return STET_OK;
}

static void watch_apply(void *state, const struct store_change *change) {
    if (view_equal(change->type, VIEW("tasks")))
        *watch_place(state, change) = change->op == STORE_DELETE ? 0 : change->version;
}

/* Refuses the odd ones that say so: something staged before has to be taken back then. */
static stet_status watch_check(void *state, const struct proposal *proposal, stet_error *err) {
    (void)state;
    (void)err;
    return view_equal(proposal->data, VIEW("{\"n\":13}")) ? STET_FORBIDDEN : STET_OK;
}

static const struct module watch_module = {
    .name = "watch",
    .space = "main",
    .loads_all = true,
    .open = watch_open,
    .close = free,
    .reset = watch_reset,
    .load = watch_load,
    .check = watch_check,
    .apply = watch_apply,
};

/* Ids are two digits and a letter, so that atoi stops inside the text. */
static void random_mutations(struct entropy_seeded *random, struct fixture *fixture, size_t count,
                             stet_mutation *mutations, char ids[][8], char bodies[][16]) {
    uint64_t start = entropy_u64(&random->entropy);
    for (size_t index = 0; index < count; index++) {
        uint64_t draw = entropy_u64(&random->entropy);
        /* A transaction names a record once. */
        snprintf(ids[index], 8, "%02dx", (int)((start % IDS + index) % IDS));
        snprintf(bodies[index], 16, "{\"n\":%d}", (int)((draw >> 8) % 15));
        mutations[index] =
            fixture_mutation(fixture, (draw >> 16) % 4 == 0 ? STET_OP_DELETE : STET_OP_PUT, "tasks",
                             ids[index], bodies[index]);
        if (mutations[index].op == STET_OP_DELETE) mutations[index].body = (stet_view){0};
        if ((draw >> 24) % 8 == 0 && mutations[index].base.value > 1) mutations[index].base.value--;
    }
}

static void apply_and_load_agree_after_any_schedule(void **state) {
    (void)state;
    const struct engine_seams seams = {.manual = true};
    const struct module *const modules[] = {&watch_module, NULL};
    const char *given = getenv("STET_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : entropy_u64(entropy_system());
    struct entropy_seeded random;
    struct fixture fixture;
    size_t refused = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    entropy_seeded_init(&random, seed);
    fixture_open_with(&fixture, NULL, &seams, modules);
    for (int round = 0; round < 1500; round++) {
        struct stet_command *commands[4];
        stet_mutation mutations[3];
        char ids[3][8], bodies[3][16];
        for (int index = 0; index < 4; index++) {
            size_t count = 1 + entropy_u64(&random.entropy) % 3;
            random_mutations(&random, &fixture, count, mutations, ids, bodies);
            commands[index] = fixture_submit_write(&fixture, mutations, count, NULL);
        }
        engine_step_batch(fixture.engine, fixture.space, 1 + entropy_u64(&random.entropy) % 4);
        for (int index = 0; index < 4; index++) {
            fixture_finish(&fixture, commands[index]);
            command_render(commands[index]);
            refused += commands[index]->outcome.status != STET_OK;
            command_destroy(commands[index]);
        }
        struct watch applied = *(struct watch *)fixture.space->modules[0].state;
        assert_int_equal(space_load_modules(fixture.space, NULL), STET_OK);
        struct watch loaded = *(struct watch *)fixture.space->modules[0].state;
        if (memcmp(&applied, &loaded, sizeof applied) != 0)
            fail_msg("they differ in round %d", round);
    }
    assert_true(refused > 100);
    fixture_close(&fixture);
}

/* ---- spaces ------------------------------------------------------------------------------ */

static stet_status submit_home(struct fixture *fixture, struct stet_command *command) {
    stet_status status;
    assert_int_equal(command_submit(fixture->engine->home, &fixture->actor, command, NULL, NULL),
                     STET_OK);
    fixture_finish(fixture, command);
    command_render(command);
    status = command->outcome.status;
    command_destroy(command);
    return status;
}

static stet_status create_space(struct fixture *fixture, int number) {
    struct stet_command *command = command_create(fixture->client);
    char name[16];
    snprintf(name, sizeof name, "s%d", number);
    assert_int_equal(spaces_fill_create(command, view_of(name), NULL), STET_OK);
    return submit_home(fixture, command);
}

static stet_status delete_space(struct fixture *fixture, int number) {
    struct stet_command *command = command_create(fixture->client);
    char name[16];
    snprintf(name, sizeof name, "s%d", number);
    assert_int_equal(spaces_fill_delete(command, view_of(name), NULL), STET_OK);
    return submit_home(fixture, command);
}

static void the_count_of_spaces_is_the_same_after_a_load(void **state) {
    (void)state;
    const struct engine_seams seams = {.manual = true};
    const struct module *const modules[] = {&spaces_module, NULL};
    struct fixture fixture;
    int number = 0;
    fixture_open_with(&fixture, NULL, &seams, modules);
    while (number < SPACES_MAX - 2)
        assert_int_equal(create_space(&fixture, number++), STET_OK);
    assert_int_equal(create_space(&fixture, number), STET_TOO_LARGE);
    assert_int_equal(space_load_modules(fixture.engine->home, NULL), STET_OK);
    assert_int_equal(create_space(&fixture, number), STET_TOO_LARGE);
    assert_int_equal(delete_space(&fixture, 0), STET_OK);
    assert_int_equal(space_load_modules(fixture.engine->home, NULL), STET_OK);
    assert_int_equal(create_space(&fixture, number++), STET_OK);
    assert_int_equal(create_space(&fixture, number), STET_TOO_LARGE);
    fixture_close(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apply_and_load_agree_after_any_schedule),
        cmocka_unit_test(the_count_of_spaces_is_the_same_after_a_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
