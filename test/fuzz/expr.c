/*
 * An expression and a record: whatever parses can be matched, and what matches lies within the bounds of each field.
 */
#include "expr/node.h"
#include "fuzz.h"

static bool same(const struct expr_value *a, const struct expr_value *b) {
    int order;
    if (expr_order(a, b, &order)) return order == 0;
    if (a->kind != b->kind) return false;
    if (a->kind == EXPR_VALUE) return doc_equal(a->doc, a->node, b->doc, b->node);
    return a->kind == EXPR_NULL || a->boolean == b->boolean;
}

static bool among(const struct expr_bounds *bounds, const struct expr_value *value) {
    for (doc_node child = doc_first(bounds->doc, bounds->point); child != DOC_NONE;
         child = doc_next(bounds->doc, child)) {
        struct expr_value element = expr_value_of(bounds->doc, child);
        if (same(&element, value)) return true;
    }
    return false;
}

static void within(const struct expr_bounds *bounds, const struct expr_value *value) {
    struct expr_value point = expr_value_of(bounds->doc, bounds->point);
    struct expr_value low = expr_value_of(bounds->doc, bounds->low);
    struct expr_value high = expr_value_of(bounds->doc, bounds->high);
    int order;
    switch (bounds->kind) {
    case EXPR_BOUNDS_NONE: break;
    case EXPR_BOUNDS_POINT: REQUIRE(same(&point, value)); break;
    case EXPR_BOUNDS_POINTS: REQUIRE(among(bounds, value)); break;
    case EXPR_BOUNDS_PREFIX: REQUIRE(value->kind == EXPR_STRING); break;
    case EXPR_BOUNDS_RANGE:
        REQUIRE(bounds->low != DOC_NONE || bounds->high != DOC_NONE);
        if (bounds->low != DOC_NONE)
            REQUIRE(expr_order(value, &low, &order) &&
                    (bounds->low_exclusive ? order > 0 : order >= 0));
        if (bounds->high != DOC_NONE)
            REQUIRE(expr_order(value, &high, &order) &&
                    (bounds->high_exclusive ? order < 0 : order <= 0));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct arena arena;
    struct expr_options options = {.roots = EXPR_ROOT_ACTOR | EXPR_ROOT_OLD_NEW, .field = "where"};
    struct expr *expr;
    struct expr_field field;
    struct doc doc;
    arena_init(&arena, 4096);
    stet_view text = fuzz_text(&bytes, &size);
    stet_view json = fuzz_text(&bytes, &size);
    if (expr_field_parse(&arena, text, &options, &field, NULL) == STET_OK)
        REQUIRE(field.meta != EXPR_META_NONE || view_is_utf8(field.pointer));
    if (expr_parse(&arena, text, &options, &expr, NULL) != STET_OK) goto done;
    if (doc_parse(&arena, json, NULL, &doc, NULL) != STET_OK) doc = (struct doc){0};
    struct expr_subject subject = {.data = &doc,
                                   .old_data = &doc,
                                   .actor_id = VIEW("ann"),
                                   .actor_roles = &text,
                                   .actor_role_count = 1};
    if (!expr_matches(expr, &subject) || doc.count == 0) goto done;
    if (doc_kind(&doc, 0) != DOC_OBJECT) goto done;
    for (doc_node child = doc_first(&doc, 0); child != DOC_NONE; child = doc_next(&doc, child)) {
        stet_view key = doc_key_raw(&doc, child);
        stet_view pointer = arena_format(&arena, "/%.*s", VIEW_ARG(key));
        struct expr_bounds bounds;
        struct expr_value value = expr_value_of(&doc, doc_pointer(&doc, pointer));
        if (doc_pointer(&doc, pointer) != child) continue; /* Its key has escapes. */
        expr_bounds(expr, pointer, &bounds);
        within(&bounds, &value);
    }
done:
    fuzz_text_free(text);
    fuzz_text_free(json);
    arena_done(&arena);
    return 0;
}
