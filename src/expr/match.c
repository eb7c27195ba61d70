/*
 * Matching: two-valued. An absent field is worth null; a comparison that makes no sense (a text against a number) is false, and
 * only != is then true.
 */
#include "base/clock.h"
#include "base/view.h"
#include "doc/decimal.h"
#include "doc/text.h"
#include "expr/node.h"

#include <assert.h>
#include <stdio.h>

/* ---- Values ------------------------------------------------------------------------------ */

bool expr_time(stet_view text, int64_t *ns) {
    char whole[32];
    const size_t date_bytes = sizeof "2026-03-01" - 1;
    if (text.size != date_bytes) return clock_parse_rfc3339(text, ns);
    int size = snprintf(whole, sizeof whole, "%.*sT00:00:00Z", VIEW_ARG(text));
    return clock_parse_rfc3339(view_make(whole, (size_t)size), ns);
}

struct expr_value expr_value_of(const struct doc *doc, doc_node node) {
    struct expr_value value = {.kind = EXPR_NULL};
    if (node == DOC_NONE) return value;
    switch (doc_kind(doc, node)) {
    case DOC_NULL: break;
    case DOC_FALSE:
    case DOC_TRUE:
        value.kind = EXPR_BOOL;
        value.boolean = doc_kind(doc, node) == DOC_TRUE;
        break;
    case DOC_NUMBER:
        value.kind = EXPR_NUMBER;
        value.text = doc_text(doc, node);
        break;
    case DOC_STRING:
        value.kind = EXPR_STRING;
        value.text = doc_string_raw(doc, node, &value.escaped);
        break;
    case DOC_ARRAY:
    case DOC_OBJECT:
        value.kind = EXPR_VALUE;
        value.doc = doc;
        value.node = node;
        break;
    }
    return value;
}

static struct expr_value field_of(const struct doc *doc, stet_view pointer) {
    if (doc == NULL || doc->count == 0) return (struct expr_value){.kind = EXPR_NULL};
    return expr_value_of(doc, doc_pointer(doc, pointer));
}

static struct expr_value text_value(stet_view text) {
    return (struct expr_value){.kind = EXPR_STRING, .text = text};
}

static struct expr_value operand_value(const struct expr *expr, const struct expr_subject *subject,
                                       const struct operand *operand) {
    struct expr_value value = {.kind = EXPR_NULL};
    switch (operand->kind) {
    case OPERAND_LITERAL: return expr_value_of(&expr->constants, expr->literals[operand->literal]);
    case OPERAND_DATA: return field_of(subject->data, operand->pointer);
    case OPERAND_OLD: return field_of(subject->old_data, operand->pointer);
    case OPERAND_NEW: return field_of(subject->new_data, operand->pointer);
    case OPERAND_META:
        if (subject->meta != NULL) subject->meta(subject->context, operand->meta, &value);
        return value;
    case OPERAND_ACTOR_ID: return text_value(subject->actor_id);
    case OPERAND_ACTOR_ROLES:
        value.kind = EXPR_TEXTS;
        value.texts = subject->actor_roles;
        value.text_count = subject->actor_role_count;
        return value;
    }
    return value;
}

static bool is_number(const struct expr_value *value) {
    return value->kind == EXPR_NUMBER || value->kind == EXPR_U64;
}

/* digits has room for 20; the decimal borrows them. */
static struct decimal number_of(const struct expr_value *value, char digits[24]) {
    if (value->kind == EXPR_NUMBER) return decimal_normalise(value->text);
    int size = snprintf(digits, 24, "%llu", (unsigned long long)value->u64);
    return decimal_normalise(view_make(digits, (size_t)size));
}

static int number_order(const struct expr_value *a, const struct expr_value *b) {
    char a_digits[24];
    char b_digits[24];
    if (a->kind == EXPR_NUMBER && b->kind == EXPR_NUMBER && view_equal(a->text, b->text)) return 0;
    struct decimal ad = number_of(a, a_digits);
    struct decimal bd = number_of(b, b_digits);
    return decimal_compare(&ad, &bd);
}

/* A time, or a string that is one: what is compared with a time. */
static bool time_of(const struct expr_value *value, int64_t *ns) {
    if (value->kind == EXPR_TIME) *ns = value->ns;
    return value->kind == EXPR_TIME ||
           (value->kind == EXPR_STRING && !value->escaped && expr_time(value->text, ns));
}

bool expr_order(const struct expr_value *a, const struct expr_value *b, int *order) {
    if (is_number(a) && is_number(b)) {
        *order = number_order(a, b);
        return true;
    }
    if (a->kind == EXPR_STRING && b->kind == EXPR_STRING) {
        *order = text_compare(a->text, a->escaped, b->text, b->escaped);
        return true;
    }
    if (a->kind == EXPR_TIME || b->kind == EXPR_TIME) {
        int64_t a_ns, b_ns;
        if (!time_of(a, &a_ns) || !time_of(b, &b_ns)) return false;
        *order = (a_ns > b_ns) - (a_ns < b_ns);
        return true;
    }
    return false;
}

static bool values_equal(const struct expr_value *a, const struct expr_value *b) {
    int order;
    if (expr_order(a, b, &order)) return order == 0;
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case EXPR_NULL: return true;
    case EXPR_BOOL: return a->boolean == b->boolean;
    case EXPR_VALUE: return doc_equal(a->doc, a->node, b->doc, b->node);
    case EXPR_NUMBER:
    case EXPR_U64:
    case EXPR_STRING:
    case EXPR_TIME:
    case EXPR_TEXTS: break; /* Ordered above; roles have no equal. */
    }
    return false;
}

/* Whether a list has an equal element. */
static bool list_has(const struct expr_value *list, const struct expr_value *wanted) {
    if (list->kind == EXPR_TEXTS) {
        for (size_t index = 0; index < list->text_count; index++) {
            struct expr_value text = text_value(list->texts[index]);
            if (values_equal(&text, wanted)) return true;
        }
        return false;
    }
    if (list->kind != EXPR_VALUE || doc_kind(list->doc, list->node) != DOC_ARRAY) return false;
    for (doc_node child = doc_first(list->doc, list->node); child != DOC_NONE;
         child = doc_next(list->doc, child)) {
        struct expr_value element = expr_value_of(list->doc, child);
        if (values_equal(&element, wanted)) return true;
    }
    return false;
}

static bool contains(const struct expr_value *whole, const struct expr_value *part) {
    if (whole->kind == EXPR_STRING && part->kind == EXPR_STRING)
        return text_contains(whole->text, whole->escaped, part->text, part->escaped);
    return list_has(whole, part);
}

static bool starts_with(const struct expr_value *whole, const struct expr_value *prefix) {
    char text[CLOCK_RFC3339_BYTES];
    struct expr_value shown = *whole;
    if (whole->kind == EXPR_TIME && whole->ns >= 0) {
        clock_format_rfc3339(whole->ns, text);
        shown = text_value(view_make(text, sizeof text));
    }
    return shown.kind == EXPR_STRING && prefix->kind == EXPR_STRING &&
           text_starts(shown.text, shown.escaped, prefix->text, prefix->escaped);
}

/* ---- Nodes ------------------------------------------------------------------------------- */

static bool compares(const struct expr *expr, const struct expr_subject *subject,
                     const struct expr_node *node) {
    struct expr_value left = operand_value(expr, subject, &node->left);
    struct expr_value right = operand_value(expr, subject, &node->right);
    int order = 0;
    switch (node->kind) {
    case NODE_EQUAL: return values_equal(&left, &right);
    case NODE_UNEQUAL: return !values_equal(&left, &right);
    case NODE_LESS: return expr_order(&left, &right, &order) && order < 0;
    case NODE_LESS_EQUAL: return expr_order(&left, &right, &order) && order <= 0;
    case NODE_GREATER: return expr_order(&left, &right, &order) && order > 0;
    case NODE_GREATER_EQUAL: return expr_order(&left, &right, &order) && order >= 0;
    case NODE_IN: return list_has(&right, &left);
    case NODE_CONTAINS: return contains(&left, &right);
    case NODE_STARTS_WITH: return starts_with(&left, &right);
    case NODE_AND:
    case NODE_OR:
    case NODE_NOT:
    case NODE_TRUE:
    case NODE_IS_NULL:
    case NODE_IS_NOT_NULL: break;
    }
    assert(false);
    return false;
}

static bool node_matches(const struct expr *expr, const struct expr_subject *subject,
                         const struct expr_node *node) {
    struct expr_value value;
    switch (node->kind) {
    case NODE_AND:
        for (const struct expr_node *part = node->first; part != NULL; part = part->next) {
            if (!node_matches(expr, subject, part)) return false;
        }
        return true;
    case NODE_OR:
        for (const struct expr_node *part = node->first; part != NULL; part = part->next) {
            if (node_matches(expr, subject, part)) return true;
        }
        return false;
    case NODE_NOT: return !node_matches(expr, subject, node->first);
    case NODE_TRUE:
        value = operand_value(expr, subject, &node->left);
        return value.kind == EXPR_BOOL && value.boolean;
    case NODE_IS_NULL: return operand_value(expr, subject, &node->left).kind == EXPR_NULL;
    case NODE_IS_NOT_NULL: return operand_value(expr, subject, &node->left).kind != EXPR_NULL;
    case NODE_EQUAL:
    case NODE_UNEQUAL:
    case NODE_LESS:
    case NODE_LESS_EQUAL:
    case NODE_GREATER:
    case NODE_GREATER_EQUAL:
    case NODE_IN:
    case NODE_CONTAINS:
    case NODE_STARTS_WITH: return compares(expr, subject, node);
    }
    return false;
}

bool expr_matches(const struct expr *expr, const struct expr_subject *subject) {
    return node_matches(expr, subject, expr->root);
}

/* ---- For an actor alone ------------------------------------------------------------------ */

static bool needs_record(const struct operand *operand) {
    switch (operand->kind) {
    case OPERAND_DATA:
    case OPERAND_OLD:
    case OPERAND_NEW:
    case OPERAND_META: return true;
    case OPERAND_LITERAL:
    case OPERAND_ACTOR_ID:
    case OPERAND_ACTOR_ROLES: break;
    }
    return false;
}

/* The operand on the right that is not there reads as a constant. */
static bool has_right(const struct expr_node *node) {
    return node->kind != NODE_TRUE && node->kind != NODE_IS_NULL && node->kind != NODE_IS_NOT_NULL;
}

enum expr_truth expr_node_truth(const struct expr *expr, const struct expr_subject *actor,
                                const struct expr_node *node) {
    bool depends = false;
    if (node->kind == NODE_NOT) {
        enum expr_truth truth = expr_node_truth(expr, actor, node->first);
        return truth == EXPR_DEPENDS ? truth : truth == EXPR_TRUE ? EXPR_FALSE : EXPR_TRUE;
    }
    if (node->kind != NODE_AND && node->kind != NODE_OR) {
        if (needs_record(&node->left) || (has_right(node) && needs_record(&node->right)))
            return EXPR_DEPENDS;
        return node_matches(expr, actor, node) ? EXPR_TRUE : EXPR_FALSE;
    }
    /* One part that is false settles &&, one that is true settles ||. */
    enum expr_truth settles = node->kind == NODE_AND ? EXPR_FALSE : EXPR_TRUE;
    for (const struct expr_node *part = node->first; part != NULL; part = part->next) {
        enum expr_truth truth = expr_node_truth(expr, actor, part);
        if (truth == settles) return settles;
        depends = depends || truth == EXPR_DEPENDS;
    }
    return depends ? EXPR_DEPENDS : settles == EXPR_FALSE ? EXPR_TRUE : EXPR_FALSE;
}

enum expr_truth expr_truth(const struct expr *expr, const struct expr_subject *actor) {
    return expr_node_truth(expr, actor, expr->root);
}

static bool names(const struct expr_node *node, enum operand_kind kind) {
    for (const struct expr_node *part = node->first; part != NULL; part = part->next)
        if (names(part, kind)) return true;
    bool joins = node->kind == NODE_AND || node->kind == NODE_OR || node->kind == NODE_NOT;
    return !joins && (node->left.kind == kind || (has_right(node) && node->right.kind == kind));
}

bool expr_names_old(const struct expr *expr) { return names(expr->root, OPERAND_OLD); }
bool expr_names_new(const struct expr *expr) { return names(expr->root, OPERAND_NEW); }
