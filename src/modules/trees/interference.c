#include "modules/trees/interference.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/render.h"

#include <assert.h>

const char *interference_word(enum interference_kind kind) {
    switch (kind) {
    case INTERFERENCE_CHANGED: return "changed";
    case INTERFERENCE_ADDED: return "added";
    case INTERFERENCE_MOVED: return "moved";
    case INTERFERENCE_DELETED: return "deleted";
    }
    assert(!"a kind of interference");
    return "changed";
}

static void add(struct interferences *found, enum interference_kind kind,
                const struct store_change *row) {
    found->rows[found->count++] = (struct interference){.kind = kind, .row = *row};
}

/* What became of a node since seq. *touched: nothing of its own. */
static stet_status judge(struct store_reader *reader, struct arena *arena,
                         const struct tree_node *node, uint64_t seq, enum interference_kind *kind,
                         bool *touched, stet_error *err) {
    struct store_change before;
    *touched = false;
    stet_status status = store_find(reader, arena, &node->head, STORE_BOUND_SEQ, seq, &before, err);
    if (status == STET_NOT_FOUND || (status == STET_OK && before.op == STORE_DELETE)) {
        *kind = INTERFERENCE_ADDED;
        return STET_OK;
    }
    *kind = INTERFERENCE_CHANGED;
    if (status == STET_PRUNED) return STET_OK;
    if (status != STET_OK) return status;
    if (!view_equal(before.parent, node->row.parent)) {
        *kind = INTERFERENCE_MOVED;
        return STET_OK;
    }
    *touched = !before.pruned && view_equal(before.data, node->row.data);
    return STET_OK;
}

/* A record that was known to be in the tree and is not any more. */
static stet_status judge_gone(struct store_reader *reader, struct arena *arena,
                              const struct known_record *known, uint64_t seq,
                              struct interferences *found, stet_error *err) {
    struct store_head head;
    struct store_change row;
    stet_status status = store_head(reader, known->type, known->id, &head, err);
    if (status != STET_OK || head.version == 0 || head.seq <= seq) return status;
    status = store_change_at(reader, arena, head.seq, &row, err);
    if (status == STET_OK)
        add(found, head.deleted ? INTERFERENCE_DELETED : INTERFERENCE_MOVED, &row);
    return status;
}

/* ---- Those that left --------------------------------------------------------------------- */

enum { DEPARTED_CHUNK = 64 };

static bool is_named(const struct interferences *found, stet_view type, stet_view id) {
    for (size_t i = 0; i < found->count; i++)
        if (view_equal(found->rows[i].row.type, type) && view_equal(found->rows[i].row.id, id))
            return true;
    return false;
}

/* Whether the record stood below a node of the tree, or below one that left it, at seq. */
static stet_status stood_inside(struct store_reader *reader, struct arena *arena,
                                const struct tree *tree, uint64_t seq,
                                const struct store_head *head, const struct interferences *found,
                                bool *inside, stet_error *err) {
    struct store_change before;
    stet_view type, id;
    *inside = false;
    stet_status status = store_find_bare(reader, arena, head, STORE_BOUND_SEQ, seq, &before, err);
    if (status == STET_NOT_FOUND || status == STET_PRUNED) return STET_OK;
    if (status != STET_OK || before.op == STORE_DELETE || view_is_empty(before.parent))
        return status;
    status = address_parse(arena, before.parent, &type, &id, err);
    if (status != STET_OK) return status;
    *inside = trees_find(tree, type, id) != TREE_NONE || is_named(found, type, id);
    return STET_OK;
}

/* Looks once through what was committed since seq. *more: somebody was found; those who stood below them may be next. */
static stet_status find_departed(struct store_reader *reader, struct arena *arena,
                                 const struct tree *tree, uint64_t seq, size_t found_max,
                                 struct interferences *found, bool *more, stet_error *err) {
    struct store_change changes[DEPARTED_CHUNK];
    size_t count = DEPARTED_CHUNK, seen = 0;
    *more = false;
    for (uint64_t after = seq; count == DEPARTED_CHUNK && seen < TREE_DEPARTED_CHANGES_MAX;
         after = changes[count - 1].seq) {
        stet_status status =
            store_since_bare(reader, arena, after, DEPARTED_CHUNK, changes, &count, err);
        if (status != STET_OK || count == 0) return status;
        seen += count;
        for (size_t i = 0; i < count; i++) {
            stet_view type = changes[i].type, id = changes[i].id;
            struct store_head head;
            bool inside;
            if (found->count == found_max) return STET_OK;
            if (trees_find(tree, type, id) != TREE_NONE || is_named(found, type, id)) continue;
            status = store_head(reader, type, id, &head, err);
            if (status == STET_OK && head.version == 0) continue;
            if (status == STET_OK)
                status = stood_inside(reader, arena, tree, seq, &head, found, &inside, err);
            if (status == STET_OK && inside) {
                const struct known_record known = {.type = type, .id = id};
                status = judge_gone(reader, arena, &known, seq, found, err);
                *more = true;
            }
            if (status != STET_OK) return status;
        }
    }
    return STET_OK;
}

/* ---- All --------------------------------------------------------------------------------- */

stet_status interference_find(struct store_reader *reader, struct arena *arena,
                              const struct tree *tree, uint64_t seq,
                              const struct known_record *known, size_t known_count,
                              struct interferences *found, stet_error *err) {
    uint32_t first_touched = TREE_NONE;
    found->count = 0;
    size_t found_max = tree->count + known_count + TREE_NODES_MAX;
    found->rows = arena_zalloc(arena, found_max + 1, sizeof *found->rows);
    if (found->rows == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a tree");
    for (size_t i = 0; i < tree->count; i++) {
        enum interference_kind kind;
        bool touched;
        if (tree->nodes[i].head.seq <= seq) continue;
        stet_status status = judge(reader, arena, &tree->nodes[i], seq, &kind, &touched, err);
        if (status != STET_OK) return status;
        if (!touched) add(found, kind, &tree->nodes[i].row);
        if (touched && first_touched == TREE_NONE) first_touched = (uint32_t)i;
    }
    for (size_t i = 0; i < known_count; i++) {
        if (trees_find(tree, known[i].type, known[i].id) != TREE_NONE) continue;
        stet_status status = judge_gone(reader, arena, &known[i], seq, found, err);
        if (status != STET_OK) return status;
    }
    /* What the caller did not name has to be looked for; at most as many times as a tree is deep. */
    bool more = true;
    for (unsigned depth = 0; depth < TREE_DEPTH_MAX && more; depth++) {
        stet_status status = find_departed(reader, arena, tree, seq, found_max, found, &more, err);
        if (status != STET_OK) return status;
    }
    if (found->count == 0 && first_touched != TREE_NONE)
        add(found, INTERFERENCE_CHANGED, &tree->nodes[first_touched].row);
    return STET_OK;
}
