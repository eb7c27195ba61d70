/*
 * The parsed form of an expression, for this folder only.
 *
 * && and || hold any number of parts, so a tree is as deep as its brackets and negations: at most EXPR_DEPTH_MAX levels, which is
 * what matching recurses. Constants of the source are one JSON document, so that they compare as stored values do.
 */
#ifndef EXPR_NODE_H
#define EXPR_NODE_H

#include "expr/expr.h"

enum operand_kind {
    OPERAND_LITERAL,
    OPERAND_DATA,
    OPERAND_OLD,
    OPERAND_NEW,
    OPERAND_META,
    OPERAND_ACTOR_ID,
    OPERAND_ACTOR_ROLES,
};

struct operand {
    enum operand_kind kind;
    enum expr_meta meta;
    uint32_t literal;  /* Index into expr->literals. */
    stet_view pointer; /* Of DATA, OLD and NEW. */
};

enum node_kind {
    NODE_AND,
    NODE_OR,
    NODE_NOT,
    NODE_TRUE, /* `left` alone: it is true itself. */
    NODE_IS_NULL,
    NODE_IS_NOT_NULL,
    NODE_EQUAL,
    NODE_UNEQUAL,
    NODE_LESS,
    NODE_LESS_EQUAL,
    NODE_GREATER,
    NODE_GREATER_EQUAL,
    NODE_IN,
    NODE_CONTAINS,
    NODE_STARTS_WITH,
};

struct expr_node {
    enum node_kind kind;
    struct expr_node *first; /* The parts of AND and OR, what NOT negates. */
    struct expr_node *next;  /* Among the parts of the one above. */
    struct operand left, right;
};

struct expr {
    const struct expr_node *root;
    struct doc constants;     /* An array; its last element is null. */
    const doc_node *literals; /* Its elements. */
    uint32_t literal_count;   /* Without that null. */
};

/* RFC 3339, or a date alone, which means its first instant in UTC. */
bool expr_time(stet_view text, int64_t *ns);

/* <0, 0, >0 into *order; false when the two have no order: other kinds, or neither numbers, strings nor times. */
bool expr_order(const struct expr_value *a, const struct expr_value *b, int *order);

/* expr_truth of a part. */
enum expr_truth expr_node_truth(const struct expr *expr, const struct expr_subject *actor,
                                const struct expr_node *node);

struct expr_value expr_value_of(const struct doc *doc, doc_node node);

#endif
