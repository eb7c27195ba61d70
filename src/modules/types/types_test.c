/* Types through the engine: declared, surveyed, in force for every kind of write, found again after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/policy.h"
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
    snprintf(folder, sizeof folder, "/tmp/stet-types-XXXXXX");
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

static void restart(void) {
    fixture_close(&world.fixture);
    world_reopen();
}

/* ---- In a word --------------------------------------------------------------------------- */

/* Submits a definition without waiting. */
static struct stet_command *start_type(stet_type_write write) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    assert_non_null(command);
    if (types_fill_write(command, &write, &err) != STET_OK) fail_msg("fill: %s", err.message);
    return submitted(command);
}

static stet_type_write type_write(const char *definition, stet_base base) {
    return (stet_type_write){.name = VIEW("task"), .definition = view_of(definition), .base = base};
}

static struct answer declare(const char *definition, stet_base base) {
    return take(start_type(type_write(definition, base)));
}

/* Onto whatever stands there. */
static struct answer redeclare(const char *definition, bool force) {
    stet_version version = fixture_version(&world.fixture, "stet.type", "task");
    stet_type_write write = type_write(definition, version == 0 ? none : at(version));
    write.force = force;
    return take(start_type(write));
}

static struct answer apply_types(const char *types, bool prune, bool dry_run) {
    struct stet_command *command = command_create(world.fixture.client);
    const stet_types_apply apply = {.types = view_of(types), .prune = prune, .dry_run = dry_run};
    stet_error err = {0};
    assert_non_null(command);
    stet_status status = types_fill_apply(command, &apply, &err);
    if (status == STET_OK) return take(submitted(command));
    command_destroy(command);
    return (struct answer){.status = status,
                           .body = "",
                           .message = world_text(view_of(err.message)),
                           .field = world_text(view_of(err.field))};
}

static struct answer get_type(const char *name) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_non_null(command);
    assert_int_equal(types_fill_get(command, view_of(name), NULL), STET_OK);
    return take(submitted(command));
}

static void check_refused_data(struct answer answer, const char *field) {
    check_status(answer, STET_INVALID_DATA);
    assert_string_equal(answer.field, field);
}

#define AMOUNT "{\"fields\":{\"/amount\":{\"type\":\"number\",\"maximum\":10}}}"

/* ---- Declaring --------------------------------------------------------------------------- */

TEST(a_definition_is_a_versioned_conditional_write) {
    (void)state;
    assert_true(must(declare("{\"title\":\"Tasks\"}", none)).created);
    check_status(declare("{}", none), STET_PRECONDITION_REQUIRED);
    check_status(declare("{}", absent), STET_ALREADY_EXISTS);
    assert_true(must(declare("{\"title\":\"Tasks\"}", at(1))).unchanged);
    assert_int_equal(must(declare("{\"title\":\"Jobs\"}", at(1))).version, 2);
    struct answer stale = declare("{\"title\":\"Work\"}", at(1));
    check_status(stale, STET_CONCURRENT_MODIFICATION);
    check_json(stale.body, "/current_version", "2");
    check_json(stale.body, "/current/title", "\"Jobs\"");
    check_json(get_type("task").body, "/title", "\"Jobs\"");
    stet_type_write gone = {.name = VIEW("task"), .deletes = true, .base = at(2)};
    must(take(start_type(gone)));
    check_status(get_type("task"), STET_DELETED);
    assert_null(policy_find(world.fixture.space, VIEW("task")));
    assert_int_equal(must(declare("{}", none)).version, 4);
}

TEST(an_invalid_definition_is_refused_by_its_pointer) {
    (void)state;
    struct answer answer = declare("{\"fields\":{\"/a\":{\"type\":\"text\"}}}", none);
    check_status(answer, STET_INVALID_TYPE);
    assert_string_equal(answer.field, "/fields/~1a/type");
}

TEST(only_administrators_declare) {
    (void)state;
    world.fixture.actor.admin = false;
    check_status(declare("{}", none), STET_FORBIDDEN);
}

TEST(system_types_are_not_declared) {
    (void)state;
    struct stet_command *command = command_create(world.fixture.client);
    const stet_type_write write = {.name = VIEW("stet.type"), .definition = VIEW("{}")};
    assert_int_equal(types_fill_write(command, &write, NULL), STET_SYSTEM_TYPE);
    command_destroy(command);
    check_status(
        apply_one((stet_mutation){
            .op = STET_OP_PUT, .type = VIEW("stet.type"), .id = VIEW("task"), .body = VIEW("{}")}),
        STET_SYSTEM_TYPE);
}

/* ---- Data -------------------------------------------------------------------------------- */

TEST(every_kind_of_write_is_validated) {
    (void)state;
    stet_version old = must_put("a", none, "{\"amount\":11}");
    stet_version version = must_put("a", at(old), "{\"amount\":1}");
    must(redeclare(AMOUNT, false));
    check_refused_data(apply(STET_OP_CREATE, "b", none, "{\"amount\":11}"), "/amount");
    check_refused_data(try_put("b", none, "{\"amount\":\"1\"}"), "/amount");
    check_refused_data(try_put("a", at(version), "{\"amount\":11}"), "/amount");
    check_refused_data(apply(STET_OP_PATCH, "a", at(version), "{\"amount\":11}"), "/amount");
    check_refused_data(apply(STET_OP_PATCH_JSON, "a", at(version),
                             "[{\"op\":\"replace\",\"path\":\"/amount\",\"value\":12}]"),
                       "/amount");
    stet_mutation revert = mutation(STET_OP_REVERT, "a", at(version), NULL);
    revert.revert_to = old;
    check_refused_data(apply_one(revert), "/amount");
    const stet_origin origin = {.version = 5};
    stet_mutation import = mutation(STET_OP_CREATE, "c", none, "{\"amount\":11}");
    import.origin = &origin;
    check_refused_data(apply_one(import), "/amount");
    const stet_mutation both[] = {mutation(STET_OP_PUT, "d", none, "{\"amount\":1}"),
                                  mutation(STET_OP_PUT, "e", none, "{\"amount\":11}")};
    struct answer refused = transact(both, 2, NULL);
    check_status(refused, STET_INVALID_DATA);
    check_json(refused.body, "/conflicts/0/index", "1");
    check_json(refused.body, "/conflicts/0/field", "\"/amount\"");
    must_put("a", at(version), "{\"amount\":10}");
    must_delete("a", at(version + 1));
}

TEST(what_a_merge_makes_is_validated) {
    (void)state;
    must(redeclare(
        "{\"allow_overrides\":[\"last_writer_wins\"],\"fields\":{\"/n\":{\"maximum\":2}}}", false));
    must_put("a", none, "{\"n\":1}");
    must_put("a", at(1), "{\"n\":2}");
    stet_mutation patch = mutation(STET_OP_PATCH_JSON, "a", at(1),
                                   "[{\"op\":\"copy\",\"from\":\"/n\",\"path\":\"/m\"},"
                                   "{\"op\":\"replace\",\"path\":\"/n\",\"value\":3}]");
    patch.on_conflict = STET_STRATEGY_LAST_WRITER_WINS;
    check_refused_data(apply_one(patch), "/n");
}

TEST(a_stale_or_replayed_write_is_not_asked_for_its_data) {
    (void)state;
    must_put("a", none, "{\"amount\":11}");
    must(keyed(mutation(STET_OP_PUT, "a", at(1), "{\"amount\":12}"), "k"));
    must_put("a", at(2), "{}");
    must(redeclare(AMOUNT, false));
    assert_true(must(keyed(mutation(STET_OP_PUT, "a", at(1), "{\"amount\":12}"), "k")).replayed);
    check_status(try_put("a", at(1), "{\"amount\":13}"), STET_CONCURRENT_MODIFICATION);
}

TEST(defaults_are_stored) {
    (void)state;
    must(redeclare("{\"fields\":{\"/stage\":{\"default\":\"new\",\"required\":true}}}", false));
    must_put("a", none, "{}");
    check_data("a", 1, "{\"stage\":\"new\"}");
    assert_true(must(try_put("a", at(1), "{}")).unchanged);
    check_refused_data(apply(STET_OP_PATCH, "a", at(1), "{\"stage\":null}"), "/stage");
}

TEST(immutable_fields_are_kept_by_every_write) {
    (void)state;
    must(redeclare("{\"fields\":{\"/id\":{\"merge\":\"immutable\"}}}", false));
    must_put("a", none, "{\"id\":1}");
    check_refused_data(try_put("a", at(1), "{\"id\":2}"), "/id");
    check_refused_data(apply(STET_OP_PATCH, "a", at(1), "{\"id\":null}"), "/id");
    must_put("a", at(1), "{\"id\":1,\"x\":1}");
    must_delete("a", at(2));
    must_put("a", at(3), "{\"id\":2}"); /* Another record, in a way. */
}

TEST(preconditions_may_be_optional) {
    (void)state;
    must_put("a", none, "{\"n\":1}");
    check_status(try_put("a", none, "{\"n\":2}"), STET_PRECONDITION_REQUIRED);
    must(redeclare("{\"preconditions\":\"optional\"}", false));
    assert_int_equal(must_put("a", none, "{\"n\":2}"), 2);
    must(apply(STET_OP_PATCH, "a", none, "{\"m\":3}"));
    check_data("a", 3, "{\"n\":2,\"m\":3}");
    check_status(try_put("a", at(1), "{}"), STET_CONCURRENT_MODIFICATION);
    check_status(apply(STET_OP_CREATE, "a", none, "{}"), STET_ALREADY_EXISTS);
    assert_int_equal(must_delete("a", none), 4);
}

TEST(a_type_that_changes_between_preparing_and_deciding_counts) {
    (void)state;
    must_put("a", none, "{}");
    const stet_mutation invalid = mutation(STET_OP_PUT, "b", none, "{\"amount\":11}");
    const stet_mutation bare = mutation(STET_OP_PUT, "c", none, "{}");
    stet_type_write write = type_write(
        "{\"fields\":{\"/amount\":{\"maximum\":10,\"default\":1,\"required\":true}}}", none);
    write.force = true;
    struct stet_command *type = start_type(write);
    while (fixture_version(&world.fixture, "stet.type", "task") == 0) {
        /* The definition is about to be staged by the next step: what is submitted now is prepared without it. */
        struct stet_command *first =
            start(&(stet_write){.mutations = &invalid, .mutation_count = 1});
        struct stet_command *second = start(&(stet_write){.mutations = &bare, .mutation_count = 1});
        struct answer answer = take(first);
        if (answer.status == STET_OK) {
            must(take(second));
            must_delete("b", none.kind == STET_BASE_NONE ? at(answer.version) : none);
            must_delete("c", at(fixture_version(&world.fixture, "task", "c")));
            continue;
        }
        check_refused_data(answer, "/amount");
        must(take(second));
        check_json(read_record("c").body, "/data", "{\"amount\":1}");
    }
    must(take(type));
}

/* ---- Surveys ----------------------------------------------------------------------------- */

static void put_many(size_t count, const char *format) {
    char id[32], data[64];
    for (size_t i = 0; i < count; i++) {
        snprintf(id, sizeof id, "r%04zu", i);
        snprintf(data, sizeof data, format, i);
        must_put(id, none, data);
    }
}

TEST(records_that_do_not_fit_are_counted_and_shown) {
    (void)state;
    put_many(600, "{\"amount\":%zu}");
    struct answer refused = redeclare(AMOUNT, false);
    check_status(refused, STET_TYPE_VIOLATED);
    check_json(refused.body, "/violations/count", "589");
    check_json(refused.body, "/violations/forcible", "true");
    check_json(refused.body, "/violations/examples/0/address", "\"task/r0011\"");
    check_json(refused.body, "/violations/examples/0/field", "\"/amount\"");
    check_status(get_type("task"), STET_NOT_FOUND);
    must_put("free", none, "{\"amount\":11}");
}

TEST(a_forced_definition_says_so) {
    (void)state;
    must_put("a", none, "{\"amount\":11}");
    struct answer forced = must(redeclare(AMOUNT, true));
    check_json(forced.body, "/forced/violations", "1");
    check_json(forced.body, "/forced/by", "\"ann\"");
    check_refused_data(try_put("a", at(1), "{\"amount\":12}"), "/amount");
    /* As long as the fields stay, so does the mark, and nothing is looked through again. */
    struct answer same = must(redeclare("{\"title\":\"T\",\"fields\":{\"/amount\":{\"type\":"
                                        "\"number\",\"maximum\":10}}}",
                                        false));
    check_json(same.body, "/forced/violations", "1");
    must_put("a", at(1), "{\"amount\":1}");
    struct answer other = must(redeclare("{\"fields\":{\"/amount\":{\"maximum\":9}}}", false));
    check_no_json(other.body, "/forced");
}

/* The command goes over to the workers, which look at so many pages of records. */
static void step_survey(int pages) {
    struct stet_engine *engine = world.fixture.engine;
    assert_true(sequencer_step(world.fixture.space->sequencer, 64));
    for (int i = 0; i < pages; i++)
        assert_true(workers_step(&engine->workers));
}

TEST(a_write_during_the_survey_is_judged) {
    (void)state;
    put_many(1000, "{\"amount\":1,\"n\":%zu}");
    struct stet_command *type = start_type(type_write(AMOUNT, none));
    step_survey(2);
    const stet_mutation writes[] = {
        mutation(STET_OP_PUT, "r0000", at(1), "{\"amount\":99}"),
        mutation(STET_OP_PUT, "r0999", at(1), "{\"amount\":99}"),
        mutation(STET_OP_PUT, "new", none, "{\"amount\":98}"),
        mutation(STET_OP_PUT, "fixed", none, "{\"amount\":97}"),
        mutation(STET_OP_PUT, "fixed", at(1), "{\"amount\":1}"),
        mutation(STET_OP_PUT, "gone", none, "{\"amount\":96}"),
        mutation(STET_OP_DELETE, "gone", at(1), NULL),
    };
    enum { COUNT = sizeof writes / sizeof writes[0] };
    struct stet_command *commands[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        commands[i] = start(&(stet_write){.mutations = &writes[i], .mutation_count = 1});
    for (size_t i = 0; i < COUNT; i++)
        must(take(commands[i]));
    struct answer refused = take(type);
    check_status(refused, STET_TYPE_VIOLATED);
    check_json(refused.body, "/violations/count", "3");
    assert_null(policy_find(world.fixture.space, VIEW("task")));
}

TEST(two_definitions_at_once_have_one_winner) {
    (void)state;
    put_many(10, "{\"amount\":%zu}");
    struct stet_command *first = start_type(type_write(AMOUNT, none));
    struct stet_command *second =
        start_type(type_write("{\"fields\":{\"/amount\":{\"minimum\":0}}}", none));
    struct answer a = take(first), b = take(second);
    assert_true((a.status == STET_OK) != (b.status == STET_OK));
    check_status(a.status == STET_OK ? b : a, STET_PRECONDITION_REQUIRED);
}

TEST(a_dry_run_surveys_and_stores_nothing) {
    (void)state;
    must_put("a", none, "{\"amount\":11}");
    stet_type_write write = type_write(AMOUNT, none);
    write.dry_run = true;
    check_status(take(start_type(write)), STET_TYPE_VIOLATED);
    write.force = true;
    check_json(must(take(start_type(write))).body, "/forced/violations", "1");
    check_status(get_type("task"), STET_NOT_FOUND);
    must_put("b", none, "{\"amount\":12}");
}

/* ---- Indexes ----------------------------------------------------------------------------- */

TEST(unique_values_among_existing_records_are_found) {
    (void)state;
    put_many(600, "{\"n\":%zu}");
    must_put("twin", none, "{\"n\":7}");
    struct answer refused = redeclare("{\"unique\":[\"/n\"]}", true);
    check_status(refused, STET_TYPE_VIOLATED);
    check_json(refused.body, "/violations/count", "1");
    check_json(refused.body, "/violations/forcible", "false");
    check_json(refused.body, "/violations/examples/0/field", "\"/n\"");
    must_put("twin", at(1), "{\"n\":-7}");
    must(redeclare("{\"unique\":[\"/n\"]}", false));
    check_status(try_put("x", none, "{\"n\":5.0}"), STET_UNIQUE_VIOLATION);
    must_delete("r0005", at(1));
    must_put("x", none, "{\"n\":5.0}");
}

static struct answer take_done(struct stet_command *command) {
    while (client_next(world.fixture.client) != NULL)
        ;
    assert_true(command->done);
    struct answer answer = answer_of(command);
    command_destroy(command);
    return answer;
}

TEST(writes_during_the_filling_are_in_the_index) {
    (void)state;
    put_many(600, "{\"n\":%zu}");
    struct stet_engine *engine = world.fixture.engine;
    struct stet_command *type = start_type(type_write("{\"unique\":[\"/n\"]}", none));
    for (int step = 0; step < 6 && !type->done; step++) {
        char id[16], data[32];
        snprintf(id, sizeof id, "%c%d", step % 2 == 0 ? 'a' : 'z', step);
        snprintf(data, sizeof data, "{\"n\":%d}", 10000 + step);
        stet_mutation put = mutation(STET_OP_PUT, "", none, data);
        put.id = view_of(id);
        struct stet_command *write = start(&(stet_write){.mutations = &put, .mutation_count = 1});
        sequencer_step(world.fixture.space->sequencer, 64);
        workers_step(&engine->workers);
        must(take_done(write));
    }
    must(take(type));
    check_status(try_put("y", none, "{\"n\":10000}"), STET_UNIQUE_VIOLATION);
    check_status(try_put("y", none, "{\"n\":10001}"), STET_UNIQUE_VIOLATION);
    check_status(try_put("y", none, "{\"n\":599}"), STET_UNIQUE_VIOLATION);
    must_put("y", none, "{\"n\":-1}");
}

/* ---- Applying a schema ------------------------------------------------------------------- */

TEST(an_apply_writes_what_differs) {
    (void)state;
    struct answer first = must(apply_types("{\"a\":{},\"b\":{\"index\":[\"/x\"]}}", false, false));
    check_json(first.body, "/types/a/change", "\"created\"");
    struct answer dry =
        must(apply_types("{\"b\":{\"index\":[\"/x\"],\"title\":\"B\"}}", true, true));
    check_json(dry.body, "/types/a/change", "\"deleted\"");
    check_json(dry.body, "/types/b/change", "\"changed\"");
    check_json(dry.body, "/types/b/changed", "[\"/title\"]");
    check_json(dry.body, "/dry_run", "true");
    assert_true(must(apply_types("{\"a\":{},\"b\":{\"index\":[\"/x\"]}}", true, false)).unchanged);
    struct answer last = must(apply_types("{\"b\":{\"index\":[\"/y\"]},\"c\":{}}", true, false));
    check_json(last.body, "/types/a/change", "\"deleted\"");
    check_json(last.body, "/types/b/version", "2");
    check_json(last.body, "/types/c/change", "\"created\"");
}

TEST(an_apply_is_all_or_nothing) {
    (void)state;
    must_put("x", none, "{\"amount\":11}");
    struct answer refused = apply_types("{\"a\":{},\"task\":" AMOUNT "}", false, false);
    check_status(refused, STET_TYPE_VIOLATED);
    check_json(refused.body, "/conflicts/0/type_name", "\"task\"");
    check_json(refused.body, "/conflicts/0/violations/count", "1");
    check_status(get_type("a"), STET_NOT_FOUND);
    struct answer invalid = apply_types("{\"a\":{},\"b/c\":{\"colour\":1}}", false, false);
    check_status(invalid, STET_INVALID_TYPE);
    assert_string_equal(invalid.field, "/types/b~1c/colour");
    check_status(apply_types("{}", false, false), STET_BAD_REQUEST);
    check_status(apply_types("{\"stet.x\":{}}", false, false), STET_SYSTEM_TYPE);
    check_status(apply_types("{\"x\":1}", false, false), STET_INVALID_TYPE);
}

TEST(many_types_are_applied_at_once) {
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, &world.arena, 0);
    for (int i = 0; i < 300; i++)
        buffer_append_format(&buffer, "%s\"t%d\":{\"unique\":[\"/n\"]}", i == 0 ? "{" : ",", i);
    buffer_append_char(&buffer, '}');
    must(apply_types(world_text(buffer_view(&buffer)), false, false));
    stet_mutation put = mutation(STET_OP_PUT, "a", none, "{\"n\":1}");
    put.type = VIEW("t9");
    check_status(apply_one(put), STET_OK);
    put.id = VIEW("b");
    check_status(apply_one(put), STET_UNIQUE_VIOLATION);
    must(apply_types("{\"t0\":{}}", true, false));
    assert_null(policy_find(world.fixture.space, VIEW("t7")));
}

/* ---- The projection ---------------------------------------------------------------------- */

static uint64_t policy_seq(const char *type) {
    const struct policy *policy = policy_find(world.fixture.space, view_of(type));
    uint64_t seq = policy == NULL ? 0 : policy->seq;
    policy_unref(policy);
    return seq;
}

TEST(definitions_are_found_again_after_a_restart) {
    (void)state;
    must(redeclare("{\"fields\":{\"/amount\":{\"maximum\":10}},\"unique\":[\"/n\"]}", false));
    must_put("a", none, "{\"n\":1}");
    must(apply_types("{\"gone\":{},\"kept\":{}}", false, false));
    must(apply_types("{\"kept\":{},\"task\":{\"fields\":{\"/amount\":{\"maximum\":10}},\"unique\":["
                     "\"/n\"]}}",
                     true, false));
    uint64_t before[] = {policy_seq("task"), policy_seq("kept"), policy_seq("gone")};
    restart();
    uint64_t after[] = {policy_seq("task"), policy_seq("kept"), policy_seq("gone")};
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(after[2], 0);
    check_refused_data(try_put("b", none, "{\"amount\":11}"), "/amount");
    check_status(try_put("b", none, "{\"n\":1}"), STET_UNIQUE_VIOLATION);
    must(redeclare("{\"index\":[\"/m\"]}", false));
    must_put("b", none, "{\"n\":1}");
}

TEST(what_a_failed_batch_staged_is_forgotten) {
    (void)state;
    must(redeclare("{\"title\":\"T\"}", false));
    struct space *space = world.fixture.space;
    uint64_t seq = policy_seq("task");
    assert_int_equal(policies_reserve(space->policies, NULL), STET_OK);
    policies_stage(space->policies, VIEW("task"), NULL);
    assert_null(policy_staged(space, VIEW("task")));
    assert_int_equal(space_load_modules(space, NULL), STET_OK);
    assert_int_equal(policy_seq("task"), seq);
    assert_int_equal(policy_staged(space, VIEW("task"))->seq, seq);
    assert_int_equal(must(redeclare("{\"title\":\"U\"}", false)).version, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define IN_MEMORY(name) cmocka_unit_test_setup_teardown(name, setup, world_close)
        IN_MEMORY(a_definition_is_a_versioned_conditional_write),
        IN_MEMORY(an_invalid_definition_is_refused_by_its_pointer),
        IN_MEMORY(only_administrators_declare),
        IN_MEMORY(system_types_are_not_declared),
        IN_MEMORY(every_kind_of_write_is_validated),
        IN_MEMORY(what_a_merge_makes_is_validated),
        IN_MEMORY(a_stale_or_replayed_write_is_not_asked_for_its_data),
        IN_MEMORY(defaults_are_stored),
        IN_MEMORY(immutable_fields_are_kept_by_every_write),
        IN_MEMORY(preconditions_may_be_optional),
        IN_MEMORY(a_type_that_changes_between_preparing_and_deciding_counts),
        IN_MEMORY(records_that_do_not_fit_are_counted_and_shown),
        IN_MEMORY(a_forced_definition_says_so),
        IN_MEMORY(a_write_during_the_survey_is_judged),
        IN_MEMORY(two_definitions_at_once_have_one_winner),
        IN_MEMORY(a_dry_run_surveys_and_stores_nothing),
        IN_MEMORY(unique_values_among_existing_records_are_found),
        IN_MEMORY(writes_during_the_filling_are_in_the_index),
        IN_MEMORY(an_apply_writes_what_differs),
        IN_MEMORY(an_apply_is_all_or_nothing),
        IN_MEMORY(many_types_are_applied_at_once),
        IN_MEMORY(what_a_failed_batch_staged_is_forgotten),
        cmocka_unit_test_setup_teardown(definitions_are_found_again_after_a_restart, setup_folder,
                                        teardown_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
