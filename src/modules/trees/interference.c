#include "modules/trees/interference.h"

#include "base/error.h"
#include "base/view.h"

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

stet_status interference_find(struct store_reader *reader, struct arena *arena,
                              const struct tree *tree, uint64_t seq,
                              const struct known_record *known, size_t known_count,
                              struct interferences *found, stet_error *err) {
    uint32_t first_touched = TREE_NONE;
    found->count = 0;
    found->rows = arena_zalloc(arena, tree->count + known_count + 1, sizeof *found->rows);
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
    if (found->count == 0 && first_touched != TREE_NONE)
        add(found, INTERFERENCE_CHANGED, &tree->nodes[first_touched].row);
    return STET_OK;
}
