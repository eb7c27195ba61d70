/*
 * GET …/tree: a record with its descendants, nested, as of one position.
 */
#include "core/read.h"
#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "modules/trees/tree.h"
#include "modules/trees/trees.h"

struct rendering {
    struct stet_command *command;
    struct store_reader *reader;
    const struct viewer *viewer;
    const struct tree *tree;
    bool *seen; /* Of each node: it and all that it stands below. */
    struct json_writer *writer;
    stet_error *err;
};

/* Recurses as deep as trees are. */
static stet_status render_node(struct rendering *rendering, const struct tree_node *node) {
    struct json_writer *writer = rendering->writer;
    struct created created;
    stet_status status = read_created(rendering->reader, &rendering->command->arena, &node->row,
                                      &created, rendering->err);
    if (status != STET_OK) return status;
    json_object_begin(writer);
    render_record_members(writer, rendering->viewer, &node->row, &created);
    json_key(writer, VIEW("children"));
    json_array_begin(writer);
    for (uint32_t child = node->first_child; child != TREE_NONE && status == STET_OK;
         child = rendering->tree->nodes[child].next_sibling)
        if (rendering->seen[child]) status = render_node(rendering, &rendering->tree->nodes[child]);
    json_array_end(writer);
    json_object_end(writer);
    return status;
}

/* Parents come before their children. Returns how many are seen. */
static size_t mark_seen(const struct tree *tree, const struct viewer *viewer, bool *seen) {
    size_t count = 0;
    for (size_t i = 0; i < tree->count; i++) {
        seen[i] =
            (i == 0 || seen[tree->nodes[i].parent]) && viewer_sees(viewer, &tree->nodes[i].row);
        count += seen[i];
    }
    return count;
}

static stet_status read_rows(struct stet_command *command, struct store_reader *reader,
                             struct buffer *out, stet_error *err) {
    struct space *space = command->space;
    struct tree tree;
    struct json_writer writer;
    struct viewer viewer = command_viewer(command);
    char text[TREE_VERSION_BYTES_MAX];
    stet_status status = actor_demand(&command->actor, STET_SCOPE_READ, err);
    if (status == STET_OK) status = read_wait(space, command->read.min_seq, err);
    if (status == STET_OK)
        status = trees_read(space, reader, &command->arena, command->read.type, command->read.id,
                            &tree, err);
    if (status == STET_DELETED &&
        !trees_shows_tombstone(command, reader, command->read.type, command->read.id))
        status = error_set(err, STET_NOT_FOUND, "the record does not exist");
    if (status != STET_OK) return status;
    bool *seen = arena_zalloc(&command->arena, tree.count, sizeof *seen);
    if (seen == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a tree");
    size_t count = mark_seen(&tree, &viewer, seen);
    if (count == 0) return error_set(err, STET_NOT_FOUND, "the record does not exist");
    command->decided_seq = tree.seq;
    struct tree_version version = tree_version_of(&tree);
    json_begin(&writer, out);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("tree_version"), tree_version_format(&version, text));
    json_member_u64(&writer, VIEW("seq"), tree.seq);
    json_member_u64(&writer, VIEW("count"), count);
    json_key(&writer, VIEW("tree"));
    struct rendering rendering = {.command = command,
                                  .reader = reader,
                                  .viewer = &viewer,
                                  .tree = &tree,
                                  .seen = seen,
                                  .writer = &writer,
                                  .err = err};
    status = render_node(&rendering, &tree.nodes[0]);
    json_object_end(&writer);
    return status;
}

stet_status trees_fill_read(struct stet_command *command, stet_view type, stet_view id,
                            stet_seq min_seq, stet_error *err) {
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = check_type_name(type, "type", err);
    if (status == STET_OK) status = check_id(id, "id", err);
    if (status != STET_OK) return status;
    command->read = (stet_read){.type = arena_copy(&command->arena, type),
                                .id = arena_copy(&command->arena, id),
                                .min_seq = min_seq};
    if (command->read.type.bytes == NULL || command->read.id.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    command->kind = COMMAND_MODULE_READ;
    command->read_rows = read_rows;
    return STET_OK;
}
