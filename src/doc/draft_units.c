/*
 * Drafting "units": each of their fields is a draft of its own, exact, with nothing below it and no other rule.
 */
#include "doc/draft.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

/* Some draft below (itself not) that belongs to a unit, or else any that has a rule; NULL: nothing lies below. */
static const struct draft *draft_below(const struct draft *draft, bool unit) {
    const struct draft *found = NULL;
    if (draft->any != NULL) found = unit ? draft_below(draft->any, true) : draft_entry(draft->any);
    for (const struct draft *child = draft->first; child != NULL && found == NULL;
         child = child->next) {
        if (!unit) return draft_entry(child);
        found = child->unit != 0 ? child : draft_below(child, true);
    }
    return found;
}

static stet_status refuse_overlap(struct compiler *compiler, const struct pointer_path *where,
                                  const struct draft *other) {
    return REFUSE(compiler, where,
                  "overlaps with \"%.*s\": a field, with all below it, is in one unit only",
                  VIEW_ARG(other->where));
}

static stet_status check_unit_path(struct compiler *compiler, stet_view pointer,
                                   const struct pointer_path *where) {
    const struct draft *draft = &compiler->root;
    stet_view token;
    while (draft != NULL) {
        if (draft->unit != 0) return refuse_overlap(compiler, where, draft);
        if (!pointer_next(&pointer, &token)) break;
        if (draft->rule != NULL && !draft->rule->descends)
            return REFUSE(compiler, where, "lies below \"%.*s\", which has a rule of its own (%s)",
                          VIEW_ARG(draft->where), draft->rule->name);
        if (pointer_decode(compiler->arena, token, &token) != STET_OK)
            return draft_fail_memory(compiler);
        draft = draft_find(draft, token);
    }
    if (draft == NULL) return STET_OK;
    const struct draft *below = draft_below(draft, true);
    if (below != NULL) return refuse_overlap(compiler, where, below);
    const struct draft *ruled =
        draft->rule != NULL && draft->rule != &rule_reject ? draft : draft_below(draft, false);
    if (ruled == NULL) return STET_OK;
    return REFUSE(
        compiler, where,
        "has a rule of its own at \"%.*s\": what is in a unit merges only as the unit does",
        VIEW_ARG(ruled->where));
}

static stet_status draft_unit_field(struct compiler *compiler, doc_node node,
                                    const struct pointer_path *where) {
    if (doc_kind(compiler->definition, node) != DOC_STRING)
        return REFUSE(compiler, where, "is a JSON pointer such as \"/start\"");
    stet_view pointer;
    stet_status status = draft_text(compiler, node, &pointer);
    if (status != STET_OK) return status;
    stet_view rest = pointer;
    stet_view token;
    if (pointer.size == 0)
        return REFUSE(compiler, where, "is the whole record: declare its root \"atomic\" for that");
    while (pointer_is_valid(rest) && pointer_next(&rest, &token)) {
        if (view_equal(token, VIEW("*")))
            return REFUSE(compiler, where, "a unit names its fields one by one, without \"*\"");
    }
    if (pointer_is_valid(pointer)) {
        status = check_unit_path(compiler, pointer, where);
        if (status != STET_OK) return status;
    }
    struct draft *draft;
    status = draft_path(compiler, &compiler->root, pointer, where, &draft);
    if (status != STET_OK) return status;
    if (pointer_format(compiler->arena, where, &draft->where) != STET_OK)
        return draft_fail_memory(compiler);
    draft->rule = &rule_unit;
    draft->unit = compiler->units;
    compiler->used = true;
    return STET_OK;
}

/* The path to an element of a list in the definition. text: room for the index. */
static struct pointer_path path_index(struct compiler *compiler, const struct pointer_path *parent,
                                      size_t index) {
    return path_name(parent, arena_format(compiler->arena, "%zu", index));
}

stet_status draft_units(struct compiler *compiler, doc_node units,
                        const struct pointer_path *where) {
    const struct doc *definition = compiler->definition;
    if (doc_kind(definition, units) != DOC_ARRAY)
        return REFUSE(compiler, where, "is a list of lists of JSON pointers");
    if (doc_count(definition, units) > TYPE_UNITS_MAX) {
        return draft_fail_at(
            compiler, where,
            error_set(compiler->err, STET_TOO_LARGE, "a type has at most %d units", TYPE_UNITS_MAX),
            TYPE_UNITS_MAX);
    }
    for (doc_node unit = doc_first(definition, units); unit != DOC_NONE;
         unit = doc_next(definition, unit)) {
        struct pointer_path at = path_index(compiler, where, compiler->units++);
        if (at.key.bytes == NULL) return draft_fail_memory(compiler);
        if (doc_kind(definition, unit) != DOC_ARRAY || doc_count(definition, unit) == 0)
            return REFUSE(compiler, &at, "is a list of the pointers of fields that merge together");
        size_t index = 0;
        for (doc_node node = doc_first(definition, unit); node != DOC_NONE;
             node = doc_next(definition, node)) {
            struct pointer_path field = path_index(compiler, &at, index++);
            if (field.key.bytes == NULL) return draft_fail_memory(compiler);
            stet_status status = draft_unit_field(compiler, node, &field);
            if (status != STET_OK) return status;
        }
    }
    return STET_OK;
}
