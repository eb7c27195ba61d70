/*
 * PUT and DELETE …/tree: making a tree what the caller says, all or nothing.
 *
 *   fill    (client's thread)  the wanted tree is parsed into wanted nodes
 *   hop     (worker)           the tree is read; has it changed since the caller's tree version: refused, with names. Else the
 *                              difference becomes mutations
 *   begin   (sequencer)        whether what was read still holds: every node in its version, no child more or less. If not: hop again
 *   decide  (sequencer)        the mutations, as any others
 *
 * The order of mutations: from the top down in the tree as it is to be, so that every parent is there, in its place, when its children
 * come to it (no circle can arise on the way); then what is to go, from the bottom up.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "core/render.h"
#include "doc/write.h"
#include "modules/trees/interference.h"
#include "modules/trees/plan.h"
#include "modules/trees/trees.h"

#include <stdio.h>

/* A node as the caller wants it. */
struct wanted {
    stet_view type, id; /* id empty: a new one. */
    doc_node data;      /* DOC_NONE: as it is. */
    uint32_t parent;    /* Index of a wanted node. */
    uint32_t depth;
    bool has_children; /* False: those it has stay. */
    stet_view pointer; /* Where it stands in the request. */
};

/* A node of the tree as it will be. */
struct spot {
    uint32_t was;    /* Index in the tree as it is; TREE_NONE: it is new. */
    uint32_t wanted; /* Index of what is wanted; TREE_NONE: it only stays. */
    uint32_t parent; /* Index of a spot. */
    uint32_t depth;
    bool changed, moved, touched;
    stet_view type, id;
};

enum edit_kind { EDIT_CREATED, EDIT_CHANGED, EDIT_MOVED, EDIT_DELETED, EDIT_TOUCHED };

struct edit {
    stet_view type, id;
    struct tree_version base;
    bool deletes;
    struct doc doc;
    struct wanted *wanted;
    size_t wanted_count;
    bool planned;
    struct tree tree;
    uint32_t above; /* Records above the top. */
    struct spot *spots;
    size_t spot_count;
    uint32_t *spot_of; /* Beside the nodes of the tree: where each will be; TREE_NONE: it goes. */
    enum edit_kind *kinds; /* Beside the mutations. */
    struct tree_version now;
    struct interferences in_the_way;
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a tree");
}

/* ---- What is wanted ---------------------------------------------------------------------- */

static stet_status bad_node(const struct wanted *node, const char *member, const char *what,
                            stet_status status, uint64_t limit, stet_error *err) {
    char field[sizeof err->field];
    snprintf(field, sizeof field, "%.*s%s", VIEW_ARG(node->pointer), member);
    error_set(err, status, "%s %s", field, what);
    error_field(err, field, limit);
    return status;
}

static stet_status read_text(struct arena *arena, const struct doc *doc, doc_node node,
                             const char *member, stet_view *out, const struct wanted *wanted,
                             stet_error *err) {
    doc_node child = doc_member(doc, node, view_of(member + 1));
    if (child == DOC_NONE || doc_kind(doc, child) == DOC_NULL) return STET_OK;
    stet_status status = doc_string(arena, doc, child, out);
    if (status == STET_NO_MEMORY) return no_memory(err);
    if (status != STET_OK)
        return bad_node(wanted, member, "must be a string", STET_BAD_REQUEST, 0, err);
    status = out->size > 0 ? (member[1] == 't' ? check_type_name(*out, "type", err)
                                               : check_id(*out, "id", err))
                           : STET_OK;
    if (status == STET_BAD_REQUEST)
        return bad_node(wanted, member, "is not valid", STET_BAD_REQUEST, 0, err);
    return status;
}

static stet_status check_data(const struct doc *doc, const struct wanted *node, stet_error *err) {
    if (node->data == DOC_NONE) return STET_OK;
    if (doc_kind(doc, node->data) != DOC_OBJECT)
        return bad_node(node, "/data", "must be a JSON object", STET_BAD_REQUEST, 0, err);
    if (doc_text(doc, node->data).size > DATA_BYTES_MAX)
        return bad_node(node, "/data", "is too large", STET_TOO_LARGE, DATA_BYTES_MAX, err);
    if (doc_height(doc, node->data) > JSON_DEPTH_MAX)
        return bad_node(node, "/data", "is nested too deep", STET_TOO_LARGE, JSON_DEPTH_MAX, err);
    if (doc_weight(doc, node->data) > JSON_NODES_MAX)
        return bad_node(node, "/data", "has too many values", STET_TOO_LARGE, JSON_NODES_MAX, err);
    return STET_OK;
}

/* One node with all below it. */
static stet_status read_wanted(struct arena *arena, struct edit *edit, doc_node at, uint32_t parent,
                               stet_view pointer, stet_error *err) {
    const struct doc *doc = &edit->doc;
    uint32_t self = (uint32_t)edit->wanted_count;
    uint32_t depth = self == 0 ? 0 : edit->wanted[parent].depth + 1;
    if (edit->wanted_count == TREE_NODES_MAX || depth >= TREE_DEPTH_MAX) {
        bool deep = depth >= TREE_DEPTH_MAX;
        error_set(err, STET_TOO_LARGE,
                  deep ? "the tree is too deep" : "the tree has too many nodes");
        error_field(err, "/tree", deep ? TREE_DEPTH_MAX : TREE_NODES_MAX);
        return STET_TOO_LARGE;
    }
    struct wanted *node = &edit->wanted[edit->wanted_count++];
    *node = (struct wanted){.parent = parent, .depth = depth, .pointer = pointer};
    if (doc_kind(doc, at) != DOC_OBJECT)
        return bad_node(node, "", "must be an object", STET_BAD_REQUEST, 0, err);
    node->data = doc_member(doc, at, VIEW("data"));
    doc_node children = doc_member(doc, at, VIEW("children"));
    stet_status status = check_data(doc, node, err);
    if (status == STET_OK) status = read_text(arena, doc, at, "/type", &node->type, node, err);
    if (status == STET_OK) status = read_text(arena, doc, at, "/id", &node->id, node, err);
    if (status != STET_OK) return status;
    if (self == 0) {
        if (node->type.size == 0) node->type = edit->type;
        if (node->id.size == 0) node->id = edit->id;
        if (!view_equal(node->type, edit->type) || !view_equal(node->id, edit->id))
            return bad_node(node, "/id", "differs from the record that is put", STET_BAD_REQUEST, 0,
                            err);
    }
    if (node->type.size == 0) node->type = edit->wanted[parent].type;
    node->has_children = children != DOC_NONE && doc_kind(doc, children) != DOC_NULL;
    if (!node->has_children) return STET_OK;
    if (doc_kind(doc, children) != DOC_ARRAY)
        return bad_node(node, "/children", "must be an array", STET_BAD_REQUEST, 0, err);
    size_t index = 0;
    for (doc_node child = doc_first(doc, children); child != DOC_NONE && status == STET_OK;
         child = doc_next(doc, child)) {
        stet_view below = arena_format(arena, "%.*s/children/%zu", VIEW_ARG(pointer), index++);
        if (below.bytes == NULL) return no_memory(err);
        status = read_wanted(arena, edit, child, self, below, err);
    }
    return status;
}

static stet_status check_twice(const struct edit *edit, stet_error *err) {
    for (size_t i = 0; i < edit->wanted_count; i++) {
        const struct wanted *node = &edit->wanted[i];
        for (size_t j = 0; j < i && node->id.size > 0; j++)
            if (view_equal(node->id, edit->wanted[j].id) &&
                view_equal(node->type, edit->wanted[j].type))
                return bad_node(node, "", "stands twice in the tree", STET_BAD_REQUEST, 0, err);
    }
    return STET_OK;
}

static stet_status read_body(struct stet_command *command, struct edit *edit, stet_view body,
                             stet_error *err) {
    /* Each level of the tree is two of the document. */
    static const struct doc_limits limits = {
        .bytes_max = TRANSACTION_BYTES_MAX,
        .depth_max = JSON_DEPTH_MAX + 2 * TREE_DEPTH_MAX + 4,
        .nodes_max = 16 * JSON_NODES_MAX,
    };
    struct arena *arena = &command->arena;
    stet_view kept = arena_copy(arena, body);
    edit->wanted = arena_zalloc(arena, TREE_NODES_MAX, sizeof *edit->wanted);
    if (kept.bytes == NULL || edit->wanted == NULL) return no_memory(err);
    stet_status status = doc_parse(arena, kept, &limits, &edit->doc, err);
    if (status == STET_OK) status = read_wanted(arena, edit, 0, 0, VIEW("/tree"), err);
    if (status == STET_OK) status = check_twice(edit, err);
    return status;
}

/* ---- The tree as it will be -------------------------------------------------------------- */

static uint32_t add_spot(struct edit *edit, struct spot spot) {
    edit->spots[edit->spot_count] = spot;
    if (spot.was != TREE_NONE) edit->spot_of[spot.was] = (uint32_t)edit->spot_count;
    return (uint32_t)edit->spot_count++;
}

/* Everything below a node that nobody said anything about stays where it is. */
static stet_status keep_below(struct edit *edit, uint32_t spot, stet_error *err) {
    const struct tree *tree = &edit->tree;
    uint32_t was = edit->spots[spot].was;
    for (uint32_t child = tree->nodes[was].first_child; child != TREE_NONE;
         child = tree->nodes[child].next_sibling) {
        if (edit->spot_of[child] != TREE_NONE) continue; /* It is wanted elsewhere. */
        if (edit->spot_count == TREE_NODES_MAX) {
            error_set(err, STET_TOO_LARGE, "the tree would have too many nodes");
            error_field(err, "/tree", TREE_NODES_MAX);
            return STET_TOO_LARGE;
        }
        uint32_t kept = add_spot(edit, (struct spot){
                                           .was = child,
                                           .wanted = TREE_NONE,
                                           .parent = spot,
                                           .depth = edit->spots[spot].depth + 1,
                                           .type = tree->nodes[child].row.type,
                                           .id = tree->nodes[child].row.id,
                                       });
        stet_status status = keep_below(edit, kept, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

static void touch(struct edit *edit, uint32_t spot) {
    for (;;) {
        edit->spots[spot].touched = true;
        if (spot == 0) return;
        spot = edit->spots[spot].parent;
    }
}

/* Whether what is wanted differs from what they see of the node. */
static stet_status is_changed(struct stet_command *command, const struct edit *edit,
                              const struct spot *spot, bool *changed, stet_error *err) {
    const struct viewer viewer = command_viewer(command);
    struct arena *arena = &command->arena;
    stet_view shown;
    const struct tree_node *node = &edit->tree.nodes[spot->was];
    doc_node data = spot->wanted == TREE_NONE ? DOC_NONE : edit->wanted[spot->wanted].data;
    struct doc now;
    *changed = false;
    if (data == DOC_NONE || view_equal(doc_text(&edit->doc, data), node->row.data)) return STET_OK;
    *changed = true;
    stet_status status = viewer_data(&viewer, arena, &node->row, &shown);
    if (status != STET_OK) return error_set(err, status, "a tree could not be compared");
    bool whole = shown.bytes == node->row.data.bytes;
    if (whole && doc_hash(&edit->doc, data) != node->head.hash) return STET_OK;
    status = change_parse(arena, shown, &now, err);
    if (status == STET_OK) *changed = !doc_equal(&edit->doc, data, &now, 0);
    return status;
}

static stet_status place_wanted(struct stet_command *command, struct edit *edit, stet_error *err) {
    for (uint32_t i = 0; i < edit->wanted_count; i++) {
        const struct wanted *wanted = &edit->wanted[i];
        struct spot spot = {
            .was = TREE_NONE,
            .wanted = i,
            .parent = wanted->parent,
            .depth = wanted->depth,
            .type = wanted->type,
            .id = wanted->id,
        };
        if (spot.id.size > 0) spot.was = trees_find(&edit->tree, spot.type, spot.id);
        if (spot.was == TREE_NONE && wanted->data == DOC_NONE)
            return bad_node(wanted, "/data", "is missing: the node is new", STET_BAD_REQUEST, 0,
                            err);
        if (spot.id.size == 0) spot.id = plan_new_id(command);
        if (spot.id.size == 0) return no_memory(err);
        add_spot(edit, spot);
    }
    for (uint32_t i = 0; i < edit->wanted_count; i++) {
        if (edit->wanted[i].has_children || edit->spots[i].was == TREE_NONE) continue;
        stet_status status = keep_below(edit, i, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

/* Says of each spot what has to be done with it. */
static stet_status compare(struct stet_command *command, struct edit *edit, stet_error *err) {
    const struct tree *tree = &edit->tree;
    for (uint32_t i = 0; i < edit->spot_count; i++) {
        struct spot *spot = &edit->spots[i];
        if (edit->above + spot->depth >= TREE_DEPTH_MAX) {
            error_set(err, STET_TOO_LARGE, "the tree would be too deep");
            error_field(err, "/tree", TREE_DEPTH_MAX);
            return STET_TOO_LARGE;
        }
        if (spot->was == TREE_NONE) {
            touch(edit, i);
            continue;
        }
        stet_status status = is_changed(command, edit, spot, &spot->changed, err);
        if (status != STET_OK) return status;
        uint32_t old_parent = tree->nodes[spot->was].parent;
        spot->moved = i != 0 && edit->spots[spot->parent].was != old_parent;
        if (spot->changed || spot->moved) touch(edit, i);
        if (spot->moved && edit->spot_of[old_parent] != TREE_NONE)
            touch(edit, edit->spot_of[old_parent]);
    }
    for (size_t i = 1; i < tree->count; i++) {
        uint32_t parent = edit->spot_of[tree->nodes[i].parent];
        if (edit->spot_of[i] == TREE_NONE && parent != TREE_NONE) touch(edit, parent);
    }
    return STET_OK;
}

/* ---- Mutations --------------------------------------------------------------------------- */

static struct mutation *plan_spot(struct plan *plan, struct edit *edit, const struct spot *spot,
                                  enum edit_kind *kind) {
    doc_node wanted = spot->wanted == TREE_NONE ? DOC_NONE : edit->wanted[spot->wanted].data;
    if (spot->was == TREE_NONE) {
        *kind = EDIT_CREATED;
        return plan_create(plan, spot->type, spot->id, doc_text(&edit->doc, wanted),
                           doc_hash(&edit->doc, wanted));
    }
    const struct tree_node *node = &edit->tree.nodes[spot->was];
    *kind = spot->moved ? EDIT_MOVED : spot->changed ? EDIT_CHANGED : EDIT_TOUCHED;
    stet_view data = spot->changed ? doc_text(&edit->doc, wanted) : node->row.data;
    uint64_t hash = spot->changed ? doc_hash(&edit->doc, wanted) : node->head.hash;
    struct mutation *mutation =
        plan_put(plan, spot->type, spot->id, node->head.version, data, hash);
    mutation->touches = true;
    mutation->whole = !spot->changed;
    return mutation;
}

static stet_status plan_spots(struct plan *plan, struct edit *edit, stet_error *err) {
    struct stet_command *command = plan->command;
    for (uint32_t depth = 0; depth < TREE_DEPTH_MAX; depth++) {
        for (uint32_t i = 0; i < edit->spot_count; i++) {
            const struct spot *spot = &edit->spots[i];
            if (spot->depth != depth || !spot->touched) continue;
            size_t index = command->mutation_count;
            struct mutation *mutation = plan_spot(plan, edit, spot, &edit->kinds[index]);
            mutation->sets_parent = i != 0 && (spot->was == TREE_NONE || spot->moved);
            if (!mutation->sets_parent) continue;
            const struct spot *parent = &edit->spots[spot->parent];
            mutation->parent = address_of(&command->arena, parent->type, parent->id);
            if (mutation->parent.size == 0) return no_memory(err);
        }
    }
    return STET_OK;
}

static stet_status make_plan(struct stet_command *command, struct edit *edit, stet_error *err) {
    struct arena *arena = &command->arena;
    size_t capacity = edit->tree.count + TREE_NODES_MAX;
    struct plan plan;
    edit->spots = arena_zalloc(arena, TREE_NODES_MAX, sizeof *edit->spots);
    edit->spot_of = arena_alloc(arena, edit->tree.count * sizeof *edit->spot_of);
    edit->kinds = arena_zalloc(arena, capacity, sizeof *edit->kinds);
    if (edit->spots == NULL || edit->spot_of == NULL || edit->kinds == NULL) return no_memory(err);
    edit->spot_count = 0;
    for (size_t i = 0; i < edit->tree.count; i++)
        edit->spot_of[i] = TREE_NONE;
    stet_status status = plan_begin(&plan, command, capacity, err);
    if (status == STET_OK && !edit->deletes) {
        status = place_wanted(command, edit, err);
        if (status == STET_OK) status = compare(command, edit, err);
        if (status == STET_OK) status = plan_spots(&plan, edit, err);
    }
    if (status != STET_OK) return status;
    /* Level by level, so backwards no child outlives its parent. */
    for (size_t i = edit->tree.count; i-- > 0;) {
        if (edit->spot_of[i] != TREE_NONE) continue;
        edit->kinds[command->mutation_count] = EDIT_DELETED;
        plan_delete(&plan, &edit->tree.nodes[i].row);
    }
    edit->planned = true;
    return STET_OK;
}

/* ---- Hop --------------------------------------------------------------------------------- */

static stet_status count_above(struct store_reader *reader, struct arena *arena,
                               const struct tree *tree, uint32_t *above, stet_error *err) {
    uint64_t parent = tree->nodes[0].head.parent;
    *above = 0;
    while (parent != 0 && *above < TREE_DEPTH_MAX) {
        struct store_head head;
        stet_status status = store_records_of(reader, arena, &parent, 1, false, &head, NULL, err);
        if (status != STET_OK) return status;
        parent = head.parent;
        ++*above;
    }
    return STET_OK;
}

static stet_status refuse_stale(struct stet_command *command, struct edit *edit,
                                struct store_reader *reader, stet_error *err) {
    struct known_record *known =
        arena_zalloc(&command->arena, edit->wanted_count + 1, sizeof *known);
    if (known == NULL) return no_memory(err);
    for (size_t i = 0; i < edit->wanted_count; i++)
        known[i] = (struct known_record){.type = edit->wanted[i].type, .id = edit->wanted[i].id};
    stet_status status = interference_find(reader, &command->arena, &edit->tree, edit->base.seq,
                                           known, edit->wanted_count, &edit->in_the_way, err);
    if (status != STET_OK) return status;
    return error_set(err, STET_CONCURRENT_MODIFICATION,
                     "%zu of the tree's nodes were changed by others since it was read; read it "
                     "again, and put your change on top",
                     edit->in_the_way.count > 0 ? edit->in_the_way.count : 1);
}

static stet_status edit_hop(struct stet_command *command, struct store_reader *reader,
                            stet_error *err) {
    struct edit *edit = command->module_data;
    edit->planned = false;
    stet_status status =
        trees_read_for(command, reader, TREE_WHOLE, edit->type, edit->id, &edit->tree, err);
    if (status == STET_OK)
        status = count_above(reader, &command->arena, &edit->tree, &edit->above, err);
    if (status != STET_OK) return status;
    edit->now = tree_version_of(&edit->tree);
    if (!tree_version_same(&edit->now, &edit->base))
        return refuse_stale(command, edit, reader, err);
    return make_plan(command, edit, err);
}

/* ---- On the sequencer -------------------------------------------------------------------- */

static stet_status edit_begin(struct staging *staging, stet_error *err) {
    struct stet_command *command = staging->command;
    struct edit *edit = command->module_data;
    bool same = edit->planned;
    /* Where nothing is written it is enough that it was so when it was read. */
    if (same && command->mutation_count > 0) {
        stet_status status = plan_holds(staging, &edit->tree, &same, err);
        if (status != STET_OK) return status;
    }
    if (same) return STET_OK;
    edit->planned = false;
    return plan_again(command, edit_hop, err);
}

/* ---- Answers ----------------------------------------------------------------------------- */

static void render_change(struct json_writer *writer, stet_view type, stet_view id,
                          uint64_t version, const char *word) {
    json_object_begin(writer);
    json_key(writer, VIEW("address"));
    render_address(writer, type, id);
    json_member_u64(writer, VIEW("version"), version);
    json_member_text(writer, VIEW("change"), view_of(word));
    json_object_end(writer);
}

static const char *const edit_words[] = {
    [EDIT_CREATED] = "created", [EDIT_CHANGED] = "changed", [EDIT_MOVED] = "moved",
    [EDIT_DELETED] = "deleted", [EDIT_TOUCHED] = "touched",
};

/* The tree's version after the change, from what was read and what was written. */
static struct tree_version version_after(const struct stet_command *command,
                                         const struct edit *edit) {
    struct tree_version version;
    tree_version_begin(&version, command->decided_seq);
    for (size_t i = 0; i < edit->tree.count; i++) {
        const struct tree_node *node = &edit->tree.nodes[i];
        bool written = edit->spot_of[i] == TREE_NONE || edit->spots[edit->spot_of[i]].touched;
        if (!written) tree_version_add(&version, node->number, node->head.version);
    }
    for (size_t i = 0; i < command->mutation_count; i++) {
        const struct mutation *mutation = &command->mutations[i];
        if (edit->kinds[i] != EDIT_DELETED)
            tree_version_add(&version, mutation->change->row.first, mutation->after_version);
    }
    return version;
}

static stet_status answer_replay(struct stet_command *command, struct json_writer *writer,
                                 stet_error *err) {
    struct store_reader *reader;
    size_t offset = 0;
    uint64_t seq, last = 0;
    unsigned flags;
    stet_status status = space_reader_take(command->space, &reader, err);
    if (status != STET_OK) return status;
    json_key(writer, VIEW("changes"));
    json_array_begin(writer);
    while (status == STET_OK &&
           command_decode_result(command->replay.result, &offset, &seq, &flags)) {
        struct store_change row;
        status = store_change_at(reader, &command->arena, seq, &row, err);
        if (status != STET_OK) break;
        last = row.transaction;
        render_change(writer, row.type, row.id, row.version,
                      row.op == STORE_CREATE   ? "created"
                      : row.op == STORE_DELETE ? "deleted"
                                               : "changed");
    }
    json_array_end(writer);
    space_reader_give(command->space, reader);
    command->outcome.seq = last == 0 ? command->decided_seq : last;
    return status;
}

static stet_status edit_answer(struct stet_command *command, struct json_writer *writer,
                               stet_error *err) {
    const struct edit *edit = command->module_data;
    stet_outcome *outcome = &command->outcome;
    char text[TREE_VERSION_BYTES_MAX];
    stet_status status = STET_OK;
    json_object_begin(writer);
    if (command->replayed) {
        outcome->replayed = true;
        status = answer_replay(command, writer, err);
    } else {
        struct tree_version after =
            command->mutation_count == 0 ? edit->now : version_after(command, edit);
        if (!command->dry_run && !edit->deletes)
            json_member_text(writer, VIEW("tree_version"), tree_version_format(&after, text));
        if (!edit->deletes) json_member_u64(writer, VIEW("count"), after.count);
        json_key(writer, VIEW("changes"));
        json_array_begin(writer);
        for (size_t i = 0; i < command->mutation_count; i++) {
            const struct mutation *mutation = &command->mutations[i];
            render_change(writer, mutation->type, mutation->id, mutation->after_version,
                          edit_words[edit->kinds[i]]);
        }
        json_array_end(writer);
        outcome->unchanged = command->mutation_count == 0;
        if (outcome->unchanged) json_member_bool(writer, VIEW("unchanged"), true);
    }
    json_member_u64(writer, VIEW("seq"), outcome->seq);
    if (command->key.size > 0) json_member_text(writer, VIEW("client_mutation_id"), command->key);
    if (command->dry_run) json_member_bool(writer, VIEW("dry_run"), true);
    json_object_end(writer);
    return status;
}

/* Who changed what in the meantime. */
static void edit_explain(struct stet_command *command, struct json_writer *writer) {
    const struct edit *edit = command->module_data;
    const struct viewer viewer = command_viewer(command);
    char text[TREE_VERSION_BYTES_MAX];
    if (command->status != STET_CONCURRENT_MODIFICATION) return;
    json_member_text(writer, VIEW("tree_version"), tree_version_format(&edit->now, text));
    json_key(writer, VIEW("nodes"));
    json_array_begin(writer);
    for (size_t i = 0; i < edit->in_the_way.count; i++) {
        const struct interference *node = &edit->in_the_way.rows[i];
        if (!viewer_sees(&viewer, &node->row)) continue;
        json_object_begin(writer);
        json_key(writer, VIEW("address"));
        render_address(writer, node->row.type, node->row.id);
        json_member_text(writer, VIEW("change"), view_of(interference_word(node->kind)));
        json_member_u64(writer, VIEW("version"), node->row.version);
        json_member_text(writer, VIEW("by"), node->row.by);
        json_key(writer, VIEW("at"));
        json_rfc3339(writer, node->row.stamp);
        json_object_end(writer);
    }
    json_array_end(writer);
}

/* ---- Filling ----------------------------------------------------------------------------- */

static stet_status fill(struct stet_command *command, const stet_tree_write *asked, bool deletes,
                        stet_error *err) {
    struct arena *arena = &command->arena;
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = check_type_name(asked->type, "type", err);
    if (status == STET_OK) status = check_id(asked->id, "id", err);
    if (status != STET_OK) return status;
    struct edit *edit = arena_zalloc(arena, 1, sizeof *edit);
    if (edit == NULL) return no_memory(err);
    edit->type = arena_copy(arena, asked->type);
    edit->id = arena_copy(arena, asked->id);
    edit->deletes = deletes;
    if (edit->type.bytes == NULL || edit->id.bytes == NULL) return no_memory(err);
    if (asked->tree_version.size == 0) {
        error_set(err, STET_PRECONDITION_REQUIRED,
                  "the write must name the tree_version it was made from");
        error_field(err, "tree_version", 0);
        return STET_PRECONDITION_REQUIRED;
    }
    if (!tree_version_parse(asked->tree_version, &edit->base)) {
        error_set(err, STET_BAD_REQUEST, "the tree_version is not one that a tree was read with");
        error_field(err, "tree_version", 0);
        return STET_BAD_REQUEST;
    }
    if (!deletes) status = read_body(command, edit, asked->tree, err);
    if (status == STET_OK)
        status = plan_fill(command, asked->mutation_key, asked->dry_run, edit_hop, err);
    if (status != STET_OK) return status;
    const stet_view parts[] = {deletes ? VIEW("delete tree") : VIEW("put tree"), edit->type,
                               edit->id, asked->tree_version, asked->tree};
    plan_hash(command, parts, sizeof parts / sizeof parts[0]);
    command->owner = &trees_module;
    command->module_data = edit;
    command->begin = edit_begin;
    command->answer = edit_answer;
    command->answers_replay = true;
    command->explain = edit_explain;
    return STET_OK;
}

stet_status trees_fill_put(struct stet_command *command, const stet_tree_write *asked,
                           stet_error *err) {
    return fill(command, asked, false, err);
}

stet_status trees_fill_delete(struct stet_command *command, const stet_tree_write *asked,
                              stet_error *err) {
    return fill(command, asked, true, err);
}
