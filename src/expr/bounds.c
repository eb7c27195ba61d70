/*
 * What the top of an expression says about one field. Parts joined by && all hold, so each may narrow the field down; what is
 * below || or ! says nothing here.
 */
#include "base/view.h"
#include "expr/node.h"

static bool is_field(const struct operand *operand, stet_view pointer) {
    return operand->kind == OPERAND_DATA && view_equal(operand->pointer, pointer);
}

/* The comparison seen from the other side. */
static enum node_kind turned(enum node_kind kind) {
    switch (kind) {
    case NODE_LESS: return NODE_GREATER;
    case NODE_LESS_EQUAL: return NODE_GREATER_EQUAL;
    case NODE_GREATER: return NODE_LESS;
    case NODE_GREATER_EQUAL: return NODE_LESS_EQUAL;
    case NODE_EQUAL: return NODE_EQUAL;
    case NODE_AND:
    case NODE_OR:
    case NODE_NOT:
    case NODE_TRUE:
    case NODE_IS_NULL:
    case NODE_IS_NOT_NULL:
    case NODE_UNEQUAL:
    case NODE_IN:
    case NODE_CONTAINS:
    case NODE_STARTS_WITH: break;
    }
    return NODE_TRUE;
}

/* How much a kind of bound narrows: a field can have several, and the best one counts. */
static int strength(enum expr_bounds_kind kind) {
    switch (kind) {
    case EXPR_BOUNDS_NONE: return 0;
    case EXPR_BOUNDS_RANGE: return 1;
    case EXPR_BOUNDS_PREFIX: return 2;
    case EXPR_BOUNDS_POINTS: return 3;
    case EXPR_BOUNDS_POINT: return 4;
    }
    return 0;
}

static void set_point(struct expr_bounds *bounds, enum expr_bounds_kind kind, doc_node point) {
    if (strength(bounds->kind) >= strength(kind)) return;
    bounds->kind = kind;
    bounds->point = point;
}

static int order_of(const struct doc *doc, doc_node a, doc_node b, bool *ordered) {
    struct expr_value left = expr_value_of(doc, a);
    struct expr_value right = expr_value_of(doc, b);
    int order = 0;
    *ordered = expr_order(&left, &right, &order);
    return order;
}

/* low: the value is a lower bound. */
static void narrow(struct expr_bounds *bounds, doc_node value, bool low, bool exclusive) {
    doc_node *side = low ? &bounds->low : &bounds->high;
    bool *side_exclusive = low ? &bounds->low_exclusive : &bounds->high_exclusive;
    enum doc_kind kind = doc_kind(bounds->doc, value);
    bool ordered;
    if (kind != DOC_NUMBER && kind != DOC_STRING) return; /* Never true: any superset will do. */
    if (strength(bounds->kind) > strength(EXPR_BOUNDS_RANGE)) return;
    if (bounds->kind == EXPR_BOUNDS_RANGE) {
        doc_node known = bounds->low != DOC_NONE ? bounds->low : bounds->high;
        if (doc_kind(bounds->doc, known) != kind) return; /* Likewise. */
    }
    if (*side != DOC_NONE) {
        int order = order_of(bounds->doc, value, *side, &ordered);
        if (!low) order = -order;
        if (order < 0 || (order == 0 && !exclusive)) return;
    }
    bounds->kind = EXPR_BOUNDS_RANGE;
    *side = value;
    *side_exclusive = exclusive;
}

static void note(const struct expr *expr, const struct expr_node *node, stet_view pointer,
                 struct expr_bounds *bounds) {
    enum node_kind kind = node->kind;
    const struct operand *value = &node->right;
    if (kind == NODE_IS_NULL && is_field(&node->left, pointer))
        set_point(bounds, EXPR_BOUNDS_POINT, expr->literals[expr->literal_count]);
    if (kind == NODE_IS_NULL || kind == NODE_IS_NOT_NULL || kind == NODE_TRUE) return;
    if (!is_field(&node->left, pointer)) {
        if (!is_field(&node->right, pointer)) return;
        kind = turned(kind);
        value = &node->left;
    }
    if (value->kind != OPERAND_LITERAL) return;
    doc_node constant = expr->literals[value->literal];
    switch (kind) {
    case NODE_EQUAL: set_point(bounds, EXPR_BOUNDS_POINT, constant); break;
    case NODE_IN:
        if (doc_kind(bounds->doc, constant) == DOC_ARRAY)
            set_point(bounds, EXPR_BOUNDS_POINTS, constant);
        break;
    case NODE_STARTS_WITH:
        if (doc_kind(bounds->doc, constant) == DOC_STRING)
            set_point(bounds, EXPR_BOUNDS_PREFIX, constant);
        break;
    case NODE_GREATER: narrow(bounds, constant, true, true); break;
    case NODE_GREATER_EQUAL: narrow(bounds, constant, true, false); break;
    case NODE_LESS: narrow(bounds, constant, false, true); break;
    case NODE_LESS_EQUAL: narrow(bounds, constant, false, false); break;
    case NODE_AND:
    case NODE_OR:
    case NODE_NOT:
    case NODE_TRUE:
    case NODE_IS_NULL:
    case NODE_IS_NOT_NULL:
    case NODE_UNEQUAL:
    case NODE_CONTAINS: break;
    }
}

static void visit(const struct expr *expr, const struct expr_node *node, stet_view pointer,
                  struct expr_bounds *bounds) {
    if (node->kind == NODE_OR || node->kind == NODE_NOT) return;
    if (node->kind != NODE_AND) {
        note(expr, node, pointer, bounds);
        return;
    }
    for (const struct expr_node *part = node->first; part != NULL; part = part->next)
        visit(expr, part, pointer, bounds);
}

void expr_bounds(const struct expr *expr, stet_view pointer, struct expr_bounds *out) {
    *out = (struct expr_bounds){
        .doc = &expr->constants, .point = DOC_NONE, .low = DOC_NONE, .high = DOC_NONE};
    visit(expr, expr->root, pointer, out);
}

/* ---- Which fields ------------------------------------------------------------------------ */

static size_t add_field(const struct operand *operand, stet_view *pointers, size_t count,
                        size_t max) {
    if (operand->kind != OPERAND_DATA || count == max) return count;
    for (size_t index = 0; index < count; index++) {
        if (view_equal(pointers[index], operand->pointer)) return count;
    }
    pointers[count] = operand->pointer;
    return count + 1;
}

static size_t add_fields(const struct expr_node *node, stet_view *pointers, size_t count,
                         size_t max) {
    if (node->kind == NODE_OR || node->kind == NODE_NOT) return count;
    if (node->kind == NODE_AND) {
        for (const struct expr_node *part = node->first; part != NULL; part = part->next)
            count = add_fields(part, pointers, count, max);
        return count;
    }
    count = add_field(&node->left, pointers, count, max);
    return add_field(&node->right, pointers, count, max);
}

size_t expr_bounded_fields(const struct expr *expr, stet_view *pointers, size_t max) {
    return add_fields(expr->root, pointers, 0, max);
}

static size_t add_all(const struct expr_node *node, stet_view *pointers, size_t count, size_t max) {
    const struct operand *operands[] = {&node->left, &node->right};
    for (const struct expr_node *part = node->first; part != NULL; part = part->next)
        count = add_all(part, pointers, count, max);
    for (size_t i = 0; i < 2; i++) {
        if (operands[i]->kind != OPERAND_DATA) continue;
        if (count < max) pointers[count] = operands[i]->pointer;
        count++;
    }
    return count;
}

size_t expr_fields(const struct expr *expr, stet_view *pointers, size_t max) {
    return add_all(expr->root, pointers, 0, max);
}
