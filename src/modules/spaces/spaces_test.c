/* Spaces: made, found again after a restart, deleted with their files, closed when idle, counted by a projection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/write_fixture.h"
#include "modules/spaces/spaces.h"

#include <dirent.h>
#include <ftw.h>
#include <unistd.h>

#define TEST(name) static void name(void **state)

static const struct module *const modules[] = {&spaces_module, NULL};
static char folder[64];

/* The world stands in the home space; a test enters others by name. */
static void enter(const char *name) {
    space_unref(world.fixture.space);
    world.fixture.space = NULL;
    stet_error err = {0};
    if (engine_space(world.fixture.engine, view_of(name), &world.fixture.space, &err) != STET_OK)
        fail_msg("%s: %s", name, err.message);
}

static stet_status try_enter(const char *name) {
    struct space *space = NULL;
    stet_status status = engine_space(world.fixture.engine, view_of(name), &space, NULL);
    space_unref(space);
    return status;
}

static int setup_memory(void **state) {
    (void)state;
    world_open_with(modules, NULL);
    enter("stet");
    return 0;
}

static int setup_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/stet-spaces-XXXXXX");
    assert_non_null(mkdtemp(folder));
    world_open_with(modules, folder);
    enter("stet");
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

static void restart(void) {
    fixture_close(&world.fixture);
    world_reopen();
    enter("stet");
}

static struct answer manage(stet_status (*fill)(struct stet_command *, stet_view, stet_error *),
                            const char *name) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    stet_status status = fill(command, view_of(name), &err);
    if (status == STET_OK) return take(submitted(command));
    command_destroy(command);
    return (struct answer){
        .status = status, .body = "", .message = "", .field = world_text(view_of(err.field))};
}

static struct answer create(const char *name) { return manage(spaces_fill_create, name); }
static struct answer delete (const char *name) { return manage(spaces_fill_delete, name); }

static struct answer list(void) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_int_equal(spaces_fill_list(command, NULL), STET_OK);
    return take(submitted(command));
}

/* The files of a space: its database and what stands beside it. */
static unsigned count_files(const char *name) {
    char path[80];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/spaces", folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += strncmp(entry->d_name, name, strlen(name)) == 0;
    closedir(dir);
    return count;
}

/* What the projection says, and what it would say if it were loaded now. */
static void check_projection(uint64_t expected) {
    struct space *home = world.fixture.engine->home;
    for (size_t i = 0; i < home->module_count; i++)
        if (home->modules[i].module == &spaces_module)
            assert_int_equal(*(uint64_t *)home->modules[i].state, expected);
}

TEST(a_new_space_is_listed_and_empty) {
    (void)state;
    struct answer made = must(create("deals"));
    check_json(made.body, "/name", "\"deals\"");
    check_no_json(made.body, "/_file");
    const char *listed = must(list()).body;
    check_json(listed, "/spaces/0/name", "\"main\"");
    check_json(listed, "/spaces/2/name", "\"deals\"");
    enter("deals");
    assert_int_equal(seq_now(), 0);
}

TEST(what_is_written_in_one_space_is_not_in_another) {
    (void)state;
    must(create("one"));
    must(create("two"));
    enter("one");
    must_put("1", none, "{\"n\":1}");
    enter("two");
    check_status(read_record("1"), STET_NOT_FOUND);
}

TEST(a_space_exists_once) {
    (void)state;
    must(create("deals"));
    check_status(create("deals"), STET_ALREADY_EXISTS);
    check_status(create("main"), STET_ALREADY_EXISTS);
}

TEST(names_are_checked) {
    (void)state;
    static const char *const bad[] = {"", "Deals", "1st", "-x", "a b", "a/b", "..", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct answer refused = create(bad[i]);
        check_status(refused, STET_BAD_REQUEST);
        assert_string_equal(refused.field, "space");
    }
    char name[SPACE_NAME_BYTES_MAX + 2];
    memset(name, 'a', sizeof name);
    name[SPACE_NAME_BYTES_MAX + 1] = '\0';
    check_status(create(name), STET_BAD_REQUEST);
    name[SPACE_NAME_BYTES_MAX] = '\0';
    must(create(name));
}

TEST(only_an_administrator_makes_and_deletes_spaces) {
    (void)state;
    must(create("deals"));
    world.fixture.actor.admin = false;
    check_status(create("more"), STET_FORBIDDEN);
    check_status(delete ("deals"), STET_FORBIDDEN);
    assert_int_equal(try_enter("deals"), STET_OK);
}

TEST(the_built_in_spaces_stay) {
    (void)state;
    check_status(delete ("main"), STET_FORBIDDEN);
    check_status(delete ("stet"), STET_FORBIDDEN);
}

TEST(a_deleted_space_is_gone_for_everybody) {
    (void)state;
    must(create("deals"));
    struct space *held;
    assert_int_equal(engine_space(world.fixture.engine, VIEW("deals"), &held, NULL), STET_OK);
    must(delete ("deals"));
    assert_int_equal(try_enter("deals"), STET_NOT_FOUND);
    struct stet_command *command = command_create(world.fixture.client);
    stet_mutation one = mutation(STET_OP_CREATE, "1", none, "{}");
    const stet_write write = {.mutations = &one, .mutation_count = 1};
    assert_int_equal(command_fill_write(command, &write, NULL), STET_OK);
    assert_int_equal(command_submit(held, &world.fixture.actor, command, NULL, NULL),
                     STET_NOT_FOUND);
    command_destroy(command);
    space_unref(held);
    check_status(delete ("deals"), STET_DELETED);
    check_status(delete ("never"), STET_NOT_FOUND);
}

TEST(a_space_made_anew_starts_empty_even_while_somebody_holds_the_old_one) {
    (void)state;
    must(create("deals"));
    enter("deals");
    must_put("1", none, "{\"n\":1}");
    struct space *old = space_ref(world.fixture.space);
    enter("stet");
    must(delete ("deals"));
    must(create("deals"));
    enter("deals");
    assert_ptr_not_equal(world.fixture.space, old);
    assert_int_equal(seq_now(), 0);
    check_status(read_record("1"), STET_NOT_FOUND);
    must_put("1", none, "{\"n\":2}");
    space_unref(old);
    engine_keep(world.fixture.engine);
    check_data("1", 1, "{\"n\":2}");
}

TEST(the_files_of_a_deleted_space_are_removed) {
    (void)state;
    must(create("deals"));
    must(create("kept"));
    enter("deals");
    must_put("1", none, "{}");
    enter("kept");
    enter("stet");
    assert_true(count_files("deals-") > 0);
    must(delete ("deals"));
    engine_keep(world.fixture.engine);
    assert_int_equal(count_files("deals-"), 0);
    assert_true(count_files("kept-") > 0);
    assert_int_equal(try_enter("kept"), STET_OK);
}

TEST(files_of_a_deleted_space_go_though_another_is_being_opened) {
    (void)state;
    must(create("deals"));
    must(create("other"));
    enter("deals");
    enter("other");
    struct space *other = world.fixture.space;
    space_ref(other);
    enter("stet");
    other->state = SPACE_OPENING;
    must(delete ("deals"));
    engine_keep(world.fixture.engine);
    other->state = SPACE_OPEN;
    space_unref(other);
    assert_int_equal(count_files("deals-"), 0);
    assert_true(count_files("other-") > 0);
}

TEST(the_files_of_a_space_in_use_stay_until_it_is_let_go) {
    (void)state;
    must(create("deals"));
    struct space *held;
    assert_int_equal(engine_space(world.fixture.engine, VIEW("deals"), &held, NULL), STET_OK);
    must(delete ("deals"));
    engine_keep(world.fixture.engine);
    assert_true(count_files("deals-") > 0);
    space_unref(held);
    engine_keep(world.fixture.engine);
    engine_keep(world.fixture.engine);
    assert_int_equal(count_files("deals-"), 0);
}

TEST(an_idle_space_is_closed_and_opened_again_with_its_records) {
    (void)state;
    must(create("deals"));
    enter("deals");
    must_put("1", none, "{\"n\":1}");
    uint64_t instance = world.fixture.space->instance;
    enter("stet");
    clock_manual_advance(&world.clock, 59 * CLOCK_NS_PER_S);
    engine_keep(world.fixture.engine);
    enter("deals");
    assert_int_equal(world.fixture.space->instance, instance);
    enter("stet");
    clock_manual_advance(&world.clock, 61 * CLOCK_NS_PER_S);
    engine_keep(world.fixture.engine);
    enter("deals");
    assert_int_not_equal(world.fixture.space->instance, instance);
    check_data("1", 1, "{\"n\":1}");
}

TEST(an_idle_space_in_memory_stays) {
    (void)state;
    enter("main");
    must_put("1", none, "{\"n\":1}");
    enter("stet");
    clock_manual_advance(&world.clock, 3600 * CLOCK_NS_PER_S);
    engine_keep(world.fixture.engine);
    enter("main");
    check_data("1", 1, "{\"n\":1}");
}

TEST(a_space_in_use_is_never_idle) {
    (void)state;
    must(create("deals"));
    enter("deals");
    uint64_t instance = world.fixture.space->instance;
    clock_manual_advance(&world.clock, 3600 * CLOCK_NS_PER_S);
    engine_keep(world.fixture.engine);
    must_put("1", none, "{}");
    assert_int_equal(world.fixture.space->instance, instance);
}

TEST(spaces_and_their_records_survive_a_restart) {
    (void)state;
    must(create("deals"));
    enter("deals");
    must_put("1", none, "{\"n\":1}");
    restart();
    check_json(must(list()).body, "/spaces/2/name", "\"deals\"");
    enter("deals");
    check_data("1", 1, "{\"n\":1}");
}

TEST(the_projection_loaded_equals_the_projection_applied) {
    (void)state;
    must(create("one"));
    must(create("two"));
    must(create("three"));
    must(delete ("two"));
    check_projection(2);
    assert_int_equal(space_load_modules(world.fixture.engine->home, NULL), STET_OK);
    check_projection(2);
    restart();
    check_projection(2);
    must(create("two"));
    check_projection(3);
}

TEST(there_is_a_limit) {
    (void)state;
    struct space *home = world.fixture.engine->home;
    *(uint64_t *)home->modules[0].state = SPACES_MAX - 3;
    must(create("last"));
    struct answer refused = create("one-more");
    check_status(refused, STET_TOO_LARGE);
    assert_int_equal(refused.limit, SPACES_MAX);
}

TEST(times_increase_across_a_restart_though_the_clock_went_back) {
    (void)state;
    enter("main");
    stet_time before = must(try_put("1", none, "{}")).updated_at;
    world.clock.wall_ns -= 3600 * CLOCK_NS_PER_S;
    restart();
    enter("main");
    assert_true(must(try_put("2", none, "{}")).updated_at > before);
}

#define MEMORY(test) cmocka_unit_test_setup_teardown(test, setup_memory, world_close)
#define FOLDER(test) cmocka_unit_test_setup_teardown(test, setup_folder, teardown_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        MEMORY(a_new_space_is_listed_and_empty),
        MEMORY(what_is_written_in_one_space_is_not_in_another),
        MEMORY(a_space_exists_once),
        MEMORY(names_are_checked),
        MEMORY(only_an_administrator_makes_and_deletes_spaces),
        MEMORY(the_built_in_spaces_stay),
        MEMORY(a_deleted_space_is_gone_for_everybody),
        MEMORY(a_space_made_anew_starts_empty_even_while_somebody_holds_the_old_one),
        FOLDER(a_space_made_anew_starts_empty_even_while_somebody_holds_the_old_one),
        FOLDER(the_files_of_a_deleted_space_are_removed),
        FOLDER(files_of_a_deleted_space_go_though_another_is_being_opened),
        FOLDER(the_files_of_a_space_in_use_stay_until_it_is_let_go),
        FOLDER(an_idle_space_is_closed_and_opened_again_with_its_records),
        MEMORY(an_idle_space_in_memory_stays),
        FOLDER(a_space_in_use_is_never_idle),
        FOLDER(spaces_and_their_records_survive_a_restart),
        FOLDER(the_projection_loaded_equals_the_projection_applied),
        MEMORY(there_is_a_limit),
        FOLDER(times_increase_across_a_restart_though_the_clock_went_back),
    };
    return cmocka_run_group_tests_name("spaces", tests, NULL, NULL);
}
