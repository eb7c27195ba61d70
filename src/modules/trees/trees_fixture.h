/*
 * For tests of trees: a world with this module alone, and trees in a word. Include it after cmocka.h.
 */
#ifndef MODULES_TREES_TREES_FIXTURE_H
#define MODULES_TREES_TREES_FIXTURE_H

#include "core/write_fixture.h"
#include "modules/trees/trees.h"

#define TEST(name) static void name(void **state)
#define WORLD(name) cmocka_unit_test_setup_teardown(name, open_world, world_close)

static const struct module *const tree_modules[] = {&trees_module, NULL};

static inline int open_world(void **state) {
    (void)state;
    world_open_with(tree_modules, NULL);
    return 0;
}

static inline stet_mutation under(stet_mutation one, const char *parent) {
    one.parent = view_of(parent);
    one.sets_parent = true;
    return one;
}

static inline struct answer put_under(const char *id, stet_base base, const char *parent,
                                      const char *data) {
    return apply_one(under(mutation(STET_OP_PUT, id, base, data), parent));
}

/* a, under it b, under it c. */
static inline void chain(void) {
    must_put("a", none, "{}");
    must(put_under("b", none, "task/a", "{}"));
    must(put_under("c", none, "task/b", "{}"));
}

/* Submits what was filled; a refusal at filling is an answer, too. */
static inline struct answer finish(struct stet_command *command, stet_status status,
                                   const stet_error *err) {
    if (status == STET_OK) return take(submitted(command));
    command_destroy(command);
    return (struct answer){.status = status,
                           .body = "",
                           .message = world_text(view_of(err->message)),
                           .field = world_text(view_of(err->field)),
                           .limit = err->limit};
}

static inline struct answer tree_of(const char *id) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    return finish(command, trees_fill_read(command, VIEW("task"), view_of(id), 0, &err), &err);
}

/* A text that a JSON document has at "/tree_version", without its quotes. */
static inline stet_view version_in(const char *seen) {
    const char *quoted = json_at(seen, "/tree_version");
    assert_non_null(quoted);
    return view_make(quoted + 1, strlen(quoted) - 2);
}

static inline stet_tree_write tree_write(const char *id, const char *seen, const char *tree) {
    return (stet_tree_write){.type = VIEW("task"),
                             .id = view_of(id),
                             .tree_version = version_in(seen),
                             .tree = view_of(tree)};
}

static inline struct answer run_tree(const stet_tree_write *write) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_error err = {0};
    return finish(command, trees_fill_put(command, write, &err), &err);
}

static inline struct stet_command *start_tree(const char *id, const char *seen, const char *tree) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_tree_write write = tree_write(id, seen, tree);
    assert_int_equal(trees_fill_put(command, &write, NULL), STET_OK);
    return submitted(command);
}

static inline struct answer put_tree(const char *id, const char *seen, const char *tree) {
    stet_tree_write write = tree_write(id, seen, tree);
    return run_tree(&write);
}

static inline struct answer keyed_tree(const char *id, const char *seen, const char *tree,
                                       const char *key) {
    stet_tree_write write = tree_write(id, seen, tree);
    write.mutation_key = view_of(key);
    return run_tree(&write);
}

static inline struct answer dry_tree(const char *id, const char *seen, const char *tree) {
    stet_tree_write write = tree_write(id, seen, tree);
    write.dry_run = true;
    return run_tree(&write);
}

static inline struct answer delete_tree(const char *id, const char *seen) {
    struct stet_command *command = command_create(world.fixture.client);
    stet_tree_write write = tree_write(id, seen, NULL);
    stet_error err = {0};
    return finish(command, trees_fill_delete(command, &write, &err), &err);
}

#endif
