/*
 * RFC 6902: reading operations and carrying them out on a tree (tree.h), which takes apart only what they touch.
 */
#include "base/error.h"
#include "base/limits.h"
#include "doc/item.h"
#include "doc/patch.h"
#include "doc/pointer.h"
#include "doc/result.h"
#include "doc/tree.h"

#include <stdio.h>

struct operation {
    enum { OP_ADD, OP_REMOVE, OP_REPLACE, OP_MOVE, OP_COPY, OP_TEST } kind;
    stet_view path;
    stet_view from;  /* Of move and copy. */
    doc_node value;  /* In the patch; of add, replace and test. */
    uint32_t number; /* From 0, for errors. */
};

struct patcher {
    struct tree_work work;
    struct tree root;
    const struct doc *patch;
    size_t bytes_bound; /* The result is not larger than this. */
    stet_error *err;
};

/* ---- Failures ---- */

static stet_status fail_at(const struct patcher *patcher, stet_status status, uint32_t number,
                           const char *member, const char *what) {
    char field[64];
    snprintf(field, sizeof field, "/%u%s", number, member);
    error_set(patcher->err, status, "patch operation %u: %s", number, what);
    error_field(patcher->err, field, 0);
    return status;
}

static stet_status fail_limit(const struct patcher *patcher, uint32_t number, const char *field,
                              uint64_t limit) {
    error_set(patcher->err, STET_TOO_LARGE, "patch operation %u: more than %llu %s", number,
              (unsigned long long)limit, field);
    error_field(patcher->err, field, limit);
    return STET_TOO_LARGE;
}

/* What a tree function found wrong, said for the member of the operation that named the place. */
static stet_status fail_tree(const struct patcher *patcher, enum tree_outcome outcome,
                             uint32_t number, const char *member) {
    switch (outcome) {
    case TREE_DONE: return STET_OK;
    case TREE_ABSENT:
        return fail_at(patcher, STET_PATCH_FAILED, number, member, "the path does not exist");
    case TREE_INDEX:
        return fail_at(patcher, STET_PATCH_FAILED, number, member, "the index is not in the array");
    case TREE_STEPS: return fail_limit(patcher, number, "steps", PATCH_STEPS_MAX);
    case TREE_NO_MEMORY:
        return error_set(patcher->err, STET_NO_MEMORY, "could not apply the patch");
    }
    return STET_INTERNAL;
}

/* ---- Reading ---- */

static stet_status read_pointer(struct patcher *patcher, doc_node object, uint32_t number,
                                const char *name, stet_view *out) {
    char member[16];
    snprintf(member, sizeof member, "/%s", name);
    doc_node node = doc_member(patcher->patch, object, view_of(name));
    if (node == DOC_NONE) return fail_at(patcher, STET_BAD_REQUEST, number, member, "missing");
    stet_status status = doc_string(patcher->work.arena, patcher->patch, node, out);
    if (status == STET_BAD_REQUEST) return fail_at(patcher, status, number, member, "not a string");
    if (status != STET_OK) return error_set(patcher->err, status, "could not apply the patch");
    if (!pointer_is_valid(*out))
        return fail_at(patcher, STET_BAD_REQUEST, number, member, "not a JSON pointer");
    return STET_OK;
}

static stet_status read_operation(struct patcher *patcher, doc_node node, uint32_t number,
                                  struct operation *op) {
    static const char *const names[] = {"add", "remove", "replace", "move", "copy", "test"};
    if (doc_kind(patcher->patch, node) != DOC_OBJECT) {
        return fail_at(patcher, STET_BAD_REQUEST, number, "", "not an object");
    }
    stet_view name = {0};
    doc_node name_node = doc_member(patcher->patch, node, VIEW("op"));
    if (name_node == DOC_NONE) return fail_at(patcher, STET_BAD_REQUEST, number, "/op", "missing");
    stet_status status = doc_string(patcher->work.arena, patcher->patch, name_node, &name);
    if (status == STET_NO_MEMORY)
        return error_set(patcher->err, status, "could not apply the patch");
    uint32_t kind = 0;
    while (kind < 6 && !view_equal(name, view_of(names[kind])))
        kind++;
    if (kind == 6) return fail_at(patcher, STET_BAD_REQUEST, number, "/op", "unknown operation");

    *op = (struct operation){.kind = kind, .value = DOC_NONE, .number = number};
    status = read_pointer(patcher, node, number, "path", &op->path);
    if (status != STET_OK) return status;
    switch (op->kind) {
    case OP_REMOVE: return STET_OK;
    case OP_MOVE:
    case OP_COPY: return read_pointer(patcher, node, number, "from", &op->from);
    case OP_ADD:
    case OP_REPLACE:
    case OP_TEST: break;
    }
    op->value = doc_member(patcher->patch, node, VIEW("value"));
    if (op->value == DOC_NONE)
        return fail_at(patcher, STET_BAD_REQUEST, number, "/value", "missing");
    return STET_OK;
}

/* ---- Doing ---- */

static stet_status check_depth(struct patcher *patcher, const struct operation *op,
                               const struct tree *value) {
    uint32_t depth_max = doc_limits_default.depth_max;
    uint64_t depth = tree_height(&patcher->work, value);
    for (size_t i = 0; i < op->path.size; i++)
        depth += op->path.bytes[i] == '/';
    return depth > depth_max ? fail_limit(patcher, op->number, "depth", depth_max) : STET_OK;
}

/*
 * Copies can double a document each time, so its size is watched as it grows, not only when it is written. copied_bytes were
 * added just now. The bound forgets what was removed or replaced, hence the exact size before anything is refused.
 */
static stet_status check_bytes(struct patcher *patcher, const struct operation *op,
                               size_t copied_bytes) {
    size_t bytes_max = doc_limits_default.bytes_max;
    patcher->bytes_bound += copied_bytes + op->path.size + 4;
    if (patcher->bytes_bound <= bytes_max) return STET_OK;
    patcher->bytes_bound = tree_bytes(&patcher->work, &patcher->root);
    return patcher->bytes_bound > bytes_max ? fail_limit(patcher, op->number, "bytes", bytes_max)
                                            : STET_OK;
}

static stet_status do_add(struct patcher *patcher, const struct operation *op, struct tree value) {
    stet_status status = check_depth(patcher, op, &value);
    if (status != STET_OK) return status;
    enum tree_outcome outcome = tree_add(&patcher->work, &patcher->root, op->path, value);
    return fail_tree(patcher, outcome, op->number, "/path");
}

static stet_status do_replace(struct patcher *patcher, const struct operation *op,
                              struct tree value) {
    stet_status status = check_depth(patcher, op, &value);
    if (status != STET_OK) return status;
    enum tree_outcome outcome = tree_replace(&patcher->work, &patcher->root, op->path, value);
    return fail_tree(patcher, outcome, op->number, "/path");
}

static stet_status do_remove(struct patcher *patcher, const struct operation *op, stet_view path,
                             const char *member, struct tree *removed) {
    if (path.size == 0) {
        return fail_at(patcher, STET_PATCH_FAILED, op->number, member,
                       "the whole document cannot be removed");
    }
    enum tree_outcome outcome = tree_remove(&patcher->work, &patcher->root, path, removed);
    return fail_tree(patcher, outcome, op->number, member);
}

static stet_status do_move(struct patcher *patcher, const struct operation *op) {
    struct tree value;
    if (view_equal(op->path, op->from)) {
        enum tree_outcome outcome = tree_find(&patcher->work, &patcher->root, op->from, &value);
        return fail_tree(patcher, outcome, op->number, "/from");
    }
    if (view_starts(op->path, op->from) && op->path.bytes[op->from.size] == '/') {
        return fail_at(patcher, STET_PATCH_FAILED, op->number, "/path",
                       "a value cannot be moved into itself");
    }
    stet_status status = do_remove(patcher, op, op->from, "/from", &value);
    if (status != STET_OK) return status;
    return do_add(patcher, op, value);
}

static stet_status do_copy(struct patcher *patcher, const struct operation *op) {
    struct tree value;
    enum tree_outcome outcome = tree_find(&patcher->work, &patcher->root, op->from, &value);
    if (outcome != TREE_DONE) return fail_tree(patcher, outcome, op->number, "/from");
    outcome = tree_copy(&patcher->work, &value, &value);
    if (outcome != TREE_DONE) return fail_tree(patcher, outcome, op->number, "/from");
    size_t copied_bytes = tree_bytes(&patcher->work, &value);
    stet_status status = do_add(patcher, op, value);
    if (status != STET_OK) return status;
    return check_bytes(patcher, op, copied_bytes);
}

static stet_status do_test(struct patcher *patcher, const struct operation *op) {
    struct tree value;
    enum tree_outcome outcome = tree_find(&patcher->work, &patcher->root, op->path, &value);
    if (outcome == TREE_STEPS || outcome == TREE_NO_MEMORY)
        return fail_tree(patcher, outcome, op->number, "/path");
    if (outcome == TREE_DONE && tree_equal(&patcher->work, &value, patcher->patch, op->value))
        return STET_OK;
    error_set(patcher->err, STET_CONCURRENT_MODIFICATION, "patch operation %u: \"%.*s\" %s",
              op->number, VIEW_ARG(op->path),
              outcome == TREE_DONE ? "has another value" : "does not exist");
    error_field_view(patcher->err, op->path, 0);
    return STET_CONCURRENT_MODIFICATION;
}

static stet_status do_operation(struct patcher *patcher, const struct operation *op) {
    struct tree value =
        op->value == DOC_NONE ? (struct tree){0} : tree_span(patcher->patch, op->value);
    struct tree removed;
    switch (op->kind) {
    case OP_ADD: return do_add(patcher, op, value);
    case OP_REMOVE: return do_remove(patcher, op, op->path, "/path", &removed);
    case OP_REPLACE: return do_replace(patcher, op, value);
    case OP_MOVE: return do_move(patcher, op);
    case OP_COPY: return do_copy(patcher, op);
    case OP_TEST: return do_test(patcher, op);
    }
    return STET_INTERNAL;
}

stet_status doc_json_patch(struct arena *arena, const struct doc *target, const struct doc *patch,
                           stet_view *out, stet_error *err) {
    struct patcher patcher = {
        .work = {.arena = arena, .steps_max = PATCH_STEPS_MAX},
        .root = tree_span(target, 0),
        .patch = patch,
        .bytes_bound = target->text.size + patch->text.size,
        .err = err,
    };
    if (doc_kind(patch, 0) != DOC_ARRAY) {
        error_set(err, STET_BAD_REQUEST, "a JSON patch is an array of operations");
        error_field(err, "", 0);
        return STET_BAD_REQUEST;
    }
    if (doc_count(patch, 0) > PATCH_OPS_MAX)
        return fail_limit(&patcher, PATCH_OPS_MAX, "operations", PATCH_OPS_MAX);
    uint32_t number = 0;
    for (doc_node node = doc_first(patch, 0); node != DOC_NONE; node = doc_next(patch, node)) {
        struct operation op;
        stet_status status = read_operation(&patcher, node, number, &op);
        if (status == STET_OK) status = do_operation(&patcher, &op);
        if (status == STET_OK && patcher.work.steps > PATCH_STEPS_MAX) {
            status = fail_limit(&patcher, number, "steps", PATCH_STEPS_MAX);
        }
        if (status != STET_OK) return status;
        number++;
    }
    struct buffer buffer;
    result_begin(&buffer, arena, target->text.size + patch->text.size);
    tree_write(&patcher.root, &buffer);
    return result_end(&buffer, "the patched document", out, err);
}
