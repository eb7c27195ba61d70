/*
 * For tests of functions: an engine with the modules that matter, functions put and called in a word. Include it after cmocka.h.
 */
#ifndef MODULES_FUNCTIONS_TESTING_H
#define MODULES_FUNCTIONS_TESTING_H

#include "core/write_fixture.h"
#include "doc/write.h"
#include "modules/functions/functions.h"

/* Modules beside, each with its comma: defined before this is included. */
#ifndef FUNCTIONS_BESIDE
#define FUNCTIONS_BESIDE
#endif

static const struct module *const function_modules[] = {&functions_module, FUNCTIONS_BESIDE NULL};

/* Without validating what was read, too: what a test shows must then fail. */
static bool snapshot_isolation;

static inline int functions_setup(void **state) {
    (void)state;
    world_open_with(function_modules, NULL);
    world.fixture.engine->seams.unvalidated_reads = snapshot_isolation;
    return 0;
}

static inline struct stet_command *empty_command(void) {
    struct stet_command *command = command_create(world.fixture.client);
    assert_non_null(command);
    return command;
}

static inline struct answer refused_at_filling(struct stet_command *command, stet_status status,
                                               const stet_error *err) {
    command_destroy(command);
    return (struct answer){.status = status,
                           .body = "",
                           .message = world_text(view_of(err->message)),
                           .field = world_text(view_of(err->field)),
                           .limit = err->limit};
}

/* A definition of nothing but its source. */
static inline const char *definition_of(const char *source) {
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, &world.arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("source"), view_of(source));
    json_object_end(&writer);
    assert_int_equal(json_end(&writer), STET_OK);
    return world_text(buffer_view(&buffer));
}

static inline struct answer put_definition(const char *name, stet_base base,
                                           const char *definition) {
    struct stet_command *command = empty_command();
    stet_error err = {0};
    const stet_function_write write = {
        .name = view_of(name), .base = base, .definition = view_of(definition)};
    stet_status status = functions_fill_write(command, &write, &err);
    if (status != STET_OK) return refused_at_filling(command, status, &err);
    return take(submitted(command));
}

static inline stet_version must_define(const char *name, stet_base base, const char *source) {
    return must(put_definition(name, base, definition_of(source))).version;
}

static inline struct stet_command *start_call_of(const stet_function_call *call) {
    struct stet_command *command = empty_command();
    stet_error err = {0};
    if (functions_fill_call(command, call, &err) != STET_OK) fail_msg("call: %s", err.message);
    return submitted(command);
}

static inline struct stet_command *start_call(const char *name, const char *input) {
    return start_call_of(&(stet_function_call){.name = view_of(name), .input = view_of(input)});
}

static inline struct answer call(const char *name, const char *input) {
    return take(start_call(name, input));
}

static inline struct answer call_of(const stet_function_call *asked) {
    return take(start_call_of(asked));
}

#define FUNCTIONS(test) cmocka_unit_test_setup_teardown(test, functions_setup, world_close)

#endif
