#include "modules/operations/by_id.h"
#include "base/view.h"
#include "modules/operations/internal.h"

#include <assert.h>

static bool is_before(const struct operation *a, const struct operation *b) {
    return view_compare(a->id, b->id) < 0;
}

/* Into what stands before the operation, and what stands behind it. */
static void split(struct operation *root, enum by_id_tree tree, const struct operation *operation,
                  struct operation **before, struct operation **behind) {
    if (root == NULL) {
        *before = *behind = NULL;
    } else if (is_before(root, operation)) {
        split(root->by_id[tree][1], tree, operation, &root->by_id[tree][1], behind);
        *before = root;
    } else {
        split(root->by_id[tree][0], tree, operation, before, &root->by_id[tree][0]);
        *behind = root;
    }
}

static struct operation *join(struct operation *before, struct operation *behind,
                              enum by_id_tree tree) {
    if (before == NULL) return behind;
    if (behind == NULL) return before;
    if (before->hash > behind->hash) {
        before->by_id[tree][1] = join(before->by_id[tree][1], behind, tree);
        return before;
    }
    behind->by_id[tree][0] = join(before, behind->by_id[tree][0], tree);
    return behind;
}

void by_id_insert(struct operation **root, enum by_id_tree tree, struct operation *operation) {
    while (*root != NULL && (*root)->hash >= operation->hash) {
        assert(*root != operation);
        root = &(*root)->by_id[tree][is_before(*root, operation)];
    }
    split(*root, tree, operation, &operation->by_id[tree][0], &operation->by_id[tree][1]);
    *root = operation;
}

void by_id_remove(struct operation **root, enum by_id_tree tree, struct operation *operation) {
    while (*root != operation) {
        assert(*root != NULL);
        root = &(*root)->by_id[tree][is_before(*root, operation)];
    }
    *root = join(operation->by_id[tree][0], operation->by_id[tree][1], tree);
    operation->by_id[tree][0] = operation->by_id[tree][1] = NULL;
}

bool by_id_walk(const struct operation *root, enum by_id_tree tree, stet_view after,
                bool (*visit)(void *context, const struct operation *operation), void *context) {
    for (; root != NULL; root = root->by_id[tree][1]) {
        if (view_compare(root->id, after) <= 0) continue;
        if (!by_id_walk(root->by_id[tree][0], tree, after, visit, context)) return false;
        if (!visit(context, root)) return false;
    }
    return true;
}
