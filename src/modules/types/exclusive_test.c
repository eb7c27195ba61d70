/* Exclusive intervals that are declared over records which are there already. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/sequencer.h"
#include "core/worker.h"
#include "core/write_fixture.h"
#include "modules/types/types.h"

#include <ftw.h>
#include <unistd.h>

#define TEST(name) static void name(void **state)

static const struct module *const modules[] = {&types_module, NULL};
static char folder[64];

static int setup(void **state) {
    (void)state;
    world_open_with(modules, NULL);
    return 0;
}

static int setup_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/stet-exclusive-XXXXXX");
    assert_non_null(mkdtemp(folder));
    world_open_with(modules, folder);
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static int teardown_folder(void **state) {
    world_close(state);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define ROOM                                                                                       \
    "{\"exclusive\":{\"resource\":\"/room\",\"start\":\"/start\",\"end\":\"/end\","                \
    "\"tz\":\"Europe/Berlin\"}}"

static struct stet_command *start_type(const char *definition, bool force, bool dry_run) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_version version = fixture_version(&world.fixture, "stet.type", "task");
    const stet_type_write write = {.name = VIEW("task"),
                                   .definition = view_of(definition),
                                   .base = version == 0 ? none : at(version),
                                   .force = force,
                                   .dry_run = dry_run};
    stet_error err = {0};
    if (types_fill_write(command, &write, &err) != STET_OK) fail_msg("fill: %s", err.message);
    return submitted(command);
}

static struct answer declare(const char *definition, bool force) {
    return take(start_type(definition, force, false));
}

/* On a day of March 2026, from hour to hour. */
static const char *booking(const char *room, int day, int from, int to) {
    return arena_format(&world.arena,
                        "{\"room\":\"%s\",\"start\":\"2026-03-%02dT%02d:00\",\"end\":\"2026-03-%02d"
                        "T%02d:00\"}",
                        room, day, from, day, to)
        .bytes;
}

TEST(overlaps_among_existing_records_are_told) {
    (void)state;
    must_put("a", none, booking("red", 2, 9, 11));
    must_put("b", none, booking("red", 2, 10, 12));
    must_put("c", none, booking("red", 2, 12, 13));
    must_put("d", none, booking("blue", 2, 9, 11));
    struct answer refused = declare(ROOM, false);
    check_status(refused, STET_TYPE_VIOLATED);
    assert_string_equal(refused.field, "/exclusive");
    check_json(refused.body, "/violations/count", "1");
    check_json(refused.body, "/violations/forcible", "true");
    check_json(refused.body, "/violations/examples/0/address", "\"task/b\"");
    check_json(refused.body, "/violations/examples/0/taken_by", "\"task/a\"");
    check_json(refused.body, "/violations/examples/0/field", "\"/room\"");
    check_status(take(start_type(ROOM, false, true)), STET_TYPE_VIOLATED);
    /* By force they stay as they are, and everything new is judged. */
    must(declare(ROOM, true));
    must(apply(STET_OP_PATCH, "b", at(1), "{\"note\":\"still here\"}"));
    check_status(try_put("e", none, booking("red", 2, 11, 12)), STET_SLOT_TAKEN);
    check_status(try_put("c", at(1), booking("red", 2, 11, 13)), STET_SLOT_TAKEN);
    must_put("b", at(2), booking("red", 2, 11, 12));
}

TEST(times_that_are_none_are_told) {
    (void)state;
    must_put("a", none, "{\"room\":\"red\",\"start\":\"soon\",\"end\":\"later\"}");
    struct answer refused = declare(ROOM, false);
    check_status(refused, STET_TYPE_VIOLATED);
    check_json(refused.body, "/violations/examples/0/address", "\"task/a\"");
    check_json(refused.body, "/violations/examples/0/field", "\"/start\"");
    struct answer forced = must(declare(ROOM, true));
    check_json(forced.body, "/forced/violations", "1");
    struct answer still = apply(STET_OP_PATCH, "a", at(1), "{\"note\":\"x\"}");
    check_status(still, STET_INVALID_TIME);
    assert_string_equal(still.field, "/start");
    must_put("a", at(1), booking("red", 2, 9, 10));
    check_status(try_put("b", none, booking("red", 2, 9, 10)), STET_SLOT_TAKEN);
    must_delete("a", at(2));
    must_put("b", none, booking("red", 2, 9, 10));
}

static struct answer take_done(struct stet_command *command) {
    while (client_next(world.fixture.client) != NULL)
        ;
    assert_true(command->done);
    struct answer answer = answer_of(command);
    command_destroy(command);
    return answer;
}

/* What is booked while the index is filled is in it, whether before or behind the place that the filling has reached. */
TEST(writes_during_the_filling_are_judged_with_it) {
    (void)state;
    char id[32];
    for (int i = 0; i < 600; i++) {
        snprintf(id, sizeof id, "r%04d", i);
        must_put(id, none, booking(arena_format(&world.arena, "room-%d", i).bytes, 2, 9, 10));
    }
    struct stet_command *type = start_type(ROOM, false, false);
    for (int step = 0; step < 8 && !type->done; step++) {
        stet_mutation put =
            mutation(STET_OP_PUT, "", none,
                     booking(arena_format(&world.arena, "room-%d", 700 + step).bytes, 2, 9, 10));
        snprintf(id, sizeof id, "%c%d", step % 2 == 0 ? 'a' : 'z', step);
        put.id = view_of(id);
        struct stet_command *write = start(&(stet_write){.mutations = &put, .mutation_count = 1});
        sequencer_step(world.fixture.space->sequencer, 64);
        workers_step(&world.fixture.engine->workers);
        must(take_done(write));
    }
    must(take(type));
    check_status(try_put("y", none, booking("room-700", 2, 9, 10)), STET_SLOT_TAKEN);
    check_status(try_put("y", none, booking("room-701", 2, 9, 10)), STET_SLOT_TAKEN);
    check_status(try_put("y", none, booking("room-0", 2, 9, 10)), STET_SLOT_TAKEN);
    check_status(try_put("y", none, booking("room-599", 2, 9, 10)), STET_SLOT_TAKEN);
    must_put("y", none, booking("room-599", 2, 10, 11));
}

TEST(an_overlap_made_during_the_filling_is_told) {
    (void)state;
    char id[32];
    for (int i = 0; i < 300; i++) {
        snprintf(id, sizeof id, "r%04d", i);
        must_put(id, none, booking(arena_format(&world.arena, "room-%d", i).bytes, 2, 9, 10));
    }
    struct stet_command *type = start_type(ROOM, false, false);
    sequencer_step(world.fixture.space->sequencer, 64);
    workers_step(&world.fixture.engine->workers);
    stet_mutation put = mutation(STET_OP_PUT, "late", none, booking("room-7", 2, 9, 10));
    struct stet_command *write = start(&(stet_write){.mutations = &put, .mutation_count = 1});
    sequencer_step(world.fixture.space->sequencer, 64);
    must(take_done(write));
    struct answer refused = take(type);
    check_status(refused, STET_TYPE_VIOLATED);
    check_json(refused.body, "/violations/count", "1");
}

TEST(a_definition_is_found_again_with_what_is_booked) {
    (void)state;
    must(declare(ROOM, false));
    stet_version a = must_put("a", none, booking("red", 2, 9, 10));
    fixture_close(&world.fixture);
    world_reopen();
    check_status(try_put("b", none, booking("red", 2, 9, 10)), STET_SLOT_TAKEN);
    /* What else is declared leaves the rows as they are; another interval is filled anew. */
    must(declare("{\"title\":\"T\",\"exclusive\":{\"resource\":\"/room\",\"start\":\"/start\","
                 "\"end\":\"/end\",\"tz\":\"Europe/Berlin\",\"capacity\":2}}",
                 false));
    must_put("b", none, booking("red", 2, 9, 10));
    check_status(declare(ROOM, false), STET_TYPE_VIOLATED);
    must_delete("a", at(a));
    must(declare(ROOM, false));
    check_status(try_put("c", none, booking("red", 2, 9, 10)), STET_SLOT_TAKEN);
    must(declare("{}", false));
    must_put("c", none, booking("red", 2, 9, 10));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define IN_MEMORY(name) cmocka_unit_test_setup_teardown(name, setup, world_close)
        IN_MEMORY(overlaps_among_existing_records_are_told),
        IN_MEMORY(times_that_are_none_are_told),
        IN_MEMORY(writes_during_the_filling_are_judged_with_it),
        IN_MEMORY(an_overlap_made_during_the_filling_is_told),
        cmocka_unit_test_setup_teardown(a_definition_is_found_again_with_what_is_booked,
                                        setup_folder, teardown_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
