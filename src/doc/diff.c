#include "doc/diff.h"

#include "base/error.h"
#include "doc/item.h"
#include "doc/pointer.h"

/* Differences grow by doubling; recursion is bounded by the depth of the documents. */
struct diff {
    struct arena *arena;
    const struct doc *a;
    const struct doc *b;
    struct doc_difference *found;
    size_t count;
    size_t capacity;
};

static stet_status found_add(struct diff *diff, const struct pointer_path *path, doc_node an,
                             doc_node bn) {
    if (diff->count == diff->capacity) {
        size_t capacity = diff->capacity == 0 ? 8 : diff->capacity * 2;
        struct doc_difference *found = arena_alloc(diff->arena, capacity * sizeof *found);
        if (found == NULL) return STET_NO_MEMORY;
        if (diff->count > 0) memcpy(found, diff->found, diff->count * sizeof *found);
        diff->found = found;
        diff->capacity = capacity;
    }
    struct doc_difference *difference = &diff->found[diff->count];
    *difference = (struct doc_difference){.a = an, .b = bn};
    stet_status status = pointer_format(diff->arena, path, &difference->pointer);
    if (status == STET_OK) diff->count++;
    return status;
}

static stet_status diff_values(struct diff *diff, const struct pointer_path *path, doc_node an,
                               doc_node bn) {
    stet_status status = STET_OK;
    if (an == DOC_NONE || bn == DOC_NONE) return found_add(diff, path, an, bn);
    if (item_at(diff->a, an)->kind != DOC_OBJECT || item_at(diff->b, bn)->kind != DOC_OBJECT) {
        return doc_equal(diff->a, an, diff->b, bn) ? STET_OK : found_add(diff, path, an, bn);
    }
    uint32_t shared = 0;
    doc_node hint = doc_first(diff->b, bn);
    for (doc_node ac = doc_first(diff->a, an); ac != DOC_NONE; ac = doc_next(diff->a, ac)) {
        struct pointer_path member = path_member(path, diff->a, ac);
        doc_node bc = member_find_near(diff->b, bn, hint, member.key, member.key_escaped);
        if (bc != DOC_NONE) {
            shared++;
            hint = doc_next(diff->b, bc);
        }
        status = diff_values(diff, &member, ac, bc);
        if (status != STET_OK) return status;
    }
    if (shared == doc_count(diff->b, bn)) return STET_OK;
    for (doc_node bc = doc_first(diff->b, bn); bc != DOC_NONE; bc = doc_next(diff->b, bc)) {
        if (doc_member_like(diff->a, an, diff->b, bc) != DOC_NONE) continue;
        struct pointer_path member = path_member(path, diff->b, bc);
        status = found_add(diff, &member, DOC_NONE, bc);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

stet_status doc_diff(struct arena *arena, const struct doc *a, const struct doc *b,
                     struct doc_difference **out, size_t *count, stet_error *err) {
    struct diff diff = {.arena = arena, .a = a, .b = b};
    struct pointer_path root = {0};
    stet_status status = diff_values(&diff, &root, 0, 0);
    if (status != STET_OK) return error_set(err, status, "could not compare two documents");
    *out = diff.found;
    *count = diff.count;
    return STET_OK;
}
