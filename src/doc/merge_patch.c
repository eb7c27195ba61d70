/*
 * RFC 7396. The result is written from left to right in one walk; recursion is bounded by the depth of the patch.
 */
#include "base/error.h"
#include "doc/item.h"
#include "doc/patch.h"
#include "doc/result.h"
#include "doc/splice.h"

/* A patch where there is nothing to patch: itself without its nulls. */
static void patch_alone(struct buffer *out, const struct doc *patch, doc_node node) {
    if (item_at(patch, node)->kind != DOC_OBJECT) {
        buffer_append_view(out, doc_text(patch, node));
        return;
    }
    struct splice splice;
    splice_begin(&splice, out, true);
    for (doc_node child = doc_first(patch, node); child != DOC_NONE;
         child = doc_next(patch, child)) {
        const struct doc_item *item = item_at(patch, child);
        if (item->kind == DOC_NULL) continue;
        if (item->kind == DOC_OBJECT) {
            splice_value(&splice, item_key(patch, item));
            patch_alone(out, patch, child);
        } else {
            splice_keep(&splice, patch, child);
        }
    }
    splice_end(&splice);
}

static void patch_value(struct buffer *out, const struct doc *target, doc_node node,
                        const struct doc *patch, doc_node change);

/* Both are objects. */
static void patch_object(struct buffer *out, const struct doc *target, doc_node node,
                         const struct doc *patch, doc_node change) {
    struct splice splice;
    splice_begin(&splice, out, true);
    uint32_t found = 0;
    for (doc_node child = doc_first(target, node); child != DOC_NONE;
         child = doc_next(target, child)) {
        doc_node value = doc_member_like(patch, change, target, child);
        if (value == DOC_NONE) {
            splice_keep(&splice, target, child);
            continue;
        }
        found++;
        if (item_at(patch, value)->kind == DOC_NULL) continue;
        splice_value(&splice, doc_key_raw(target, child));
        patch_value(out, target, child, patch, value);
    }
    if (found < doc_count(patch, change)) {
        for (doc_node value = doc_first(patch, change); value != DOC_NONE;
             value = doc_next(patch, value)) {
            const struct doc_item *item = item_at(patch, value);
            if (item->kind == DOC_NULL || doc_member_like(target, node, patch, value) != DOC_NONE)
                continue;
            if (item->kind == DOC_OBJECT) {
                splice_value(&splice, item_key(patch, item));
                patch_alone(out, patch, value);
            } else {
                splice_keep(&splice, patch, value);
            }
        }
    }
    splice_end(&splice);
}

static void patch_value(struct buffer *out, const struct doc *target, doc_node node,
                        const struct doc *patch, doc_node change) {
    if (item_at(patch, change)->kind != DOC_OBJECT || item_at(target, node)->kind != DOC_OBJECT) {
        patch_alone(out, patch, change);
    } else if (doc_count(patch, change) == 0) {
        buffer_append_view(out, doc_text(target, node));
    } else {
        patch_object(out, target, node, patch, change);
    }
}

stet_status doc_merge_patch(struct arena *arena, const struct doc *target, const struct doc *patch,
                            stet_view *out, stet_error *err) {
    struct buffer buffer;
    result_begin(&buffer, arena, (target == NULL ? 0 : target->text.size) + patch->text.size);
    if (target == NULL) {
        patch_alone(&buffer, patch, 0);
    } else {
        patch_value(&buffer, target, 0, patch, 0);
    }
    return result_end(&buffer, "the patched document", out, err);
}
