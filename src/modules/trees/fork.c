/*
 * POST …/fork: a copy of a record, or of a tree as of one position. Each copy names the version it was made from; versions never change, so
 * nothing that happens to the original meanwhile can make the copy wrong.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "core/render.h"
#include "modules/trees/plan.h"
#include "modules/trees/trees.h"

struct fork {
    stet_view type, id;
    stet_view new_id, parent;
    bool tree;
    bool planned;
};

/* Copies the nodes in their order: level by level, so that every parent is there before its children. */
static stet_status plan_copies(struct stet_command *command, const struct fork *fork,
                               const struct tree *tree, stet_error *err) {
    struct arena *arena = &command->arena;
    struct plan plan;
    stet_status status = plan_begin(&plan, command, tree->count, err);
    if (status != STET_OK) return status;
    for (size_t i = 0; i < tree->count; i++) {
        const struct tree_node *node = &tree->nodes[i];
        bool top = i == 0;
        stet_view id = top && fork->new_id.size > 0 ? fork->new_id : plan_new_id(command);
        struct mutation *mutation =
            plan_create(&plan, node->row.type, id, node->row.data, node->head.hash);
        mutation->generated_id = !top || fork->new_id.size == 0;
        mutation->forked_from = address_at(arena, node->row.type, node->row.id, node->row.version);
        mutation->sets_parent = true;
        mutation->parent = fork->parent;
        if (!top) {
            const struct mutation *parent = &command->mutations[node->parent];
            mutation->parent = address_of(arena, parent->type, parent->id);
        }
        if (id.size == 0 || mutation->forked_from.size == 0 || mutation->parent.bytes == NULL)
            return error_set(err, STET_NO_MEMORY, "out of memory for a copy");
    }
    return STET_OK;
}

static stet_status fork_hop(struct stet_command *command, struct store_reader *reader,
                            stet_error *err) {
    struct fork *fork = command->module_data;
    struct tree tree;
    stet_status status = trees_read_for(command, reader, fork->tree ? TREE_WHOLE : TREE_TOP,
                                        fork->type, fork->id, &tree, err);
    if (status == STET_OK) status = plan_copies(command, fork, &tree, err);
    fork->planned = status == STET_OK;
    return status;
}

static stet_status fork_begin(struct staging *staging, stet_error *err) {
    const struct fork *fork = staging->command->module_data;
    return fork->planned ? STET_OK : plan_again(staging->command, fork_hop, err);
}

stet_status trees_fill_fork(struct stet_command *command, const stet_fork *asked, stet_error *err) {
    struct arena *arena = &command->arena;
    stet_view parent_type, parent_id;
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = check_type_name(asked->type, "type", err);
    if (status == STET_OK) status = check_id(asked->id, "id", err);
    if (status == STET_OK && asked->new_id.size > 0) status = check_id(asked->new_id, "id", err);
    if (status != STET_OK) return status;
    struct fork *fork = arena_zalloc(arena, 1, sizeof *fork);
    if (fork == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    *fork = (struct fork){
        .type = arena_copy(arena, asked->type),
        .id = arena_copy(arena, asked->id),
        .new_id = arena_copy(arena, asked->new_id),
        .parent = VIEW(""),
        .tree = asked->tree,
    };
    if (asked->parent.size > 0) {
        status = address_parse(arena, asked->parent, &parent_type, &parent_id, err);
        if (status == STET_BAD_REQUEST) error_field(err, "parent", 0);
        if (status != STET_OK) return status;
        fork->parent = address_of(arena, parent_type, parent_id);
    }
    if (fork->type.bytes == NULL || fork->id.bytes == NULL || fork->new_id.bytes == NULL ||
        fork->parent.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    status = plan_fill(command, asked->mutation_key, asked->dry_run, fork_hop, err);
    if (status != STET_OK) return status;
    const stet_view parts[] = {VIEW("fork"), fork->type,   fork->id,
                               fork->new_id, fork->parent, fork->tree ? VIEW("tree") : VIEW("")};
    plan_hash(command, parts, sizeof parts / sizeof parts[0]);
    command->owner = &trees_module;
    command->module_data = fork;
    command->begin = fork_begin;
    return STET_OK;
}
