/*
 * Field rules of the three-way merge: the seam that the rules of a type plug into.
 *
 * Rules form a tree that is descended along with the documents: one node for each token of a field's pointer, "*" for any.
 * A rule is a struct with a function. The merge itself settles what needs no rule (nobody changed, one side changed, both
 * made the same change) and asks the rule for the rest. Fields that only merge together (`units`) are looked at between
 * judging and writing: merge.c keeps those two apart for that.
 */
#ifndef DOC_RULE_H
#define DOC_RULE_H

#include "doc/doc.h"
#include "doc/merge.h"

/* What a rule is asked about: one field on three sides. Nodes may be DOC_NONE. */
struct rule_question {
    struct arena *arena;
    const struct doc *base_doc, *current_doc, *yours_doc;
    doc_node base, current, yours;
    /* The field's own node: options and nested fields. NULL: the default. */
    const struct doc_rules *rules;
    uint64_t steps_max; /* What the rule may spend. */
};

struct rule_answer {
    enum doc_field_state state; /* CLEAN_YOURS, CLEAN_CURRENT, MERGED or CONFLICT. */
    stet_view merged;           /* Of MERGED: JSON text in the arena; empty: absent. */
    uint64_t steps;             /* Spent. */
};

struct doc_rule {
    const char *name; /* As in a type's definition. */
    /* Objects are merged member by member; the rule judges what is not an object on some side. */
    bool descends;
    bool always; /* Asked also when one side did not change. */
    stet_status (*settle)(const struct rule_question *question, struct rule_answer *answer,
                          stet_error *err);
};

struct doc_rules {
    stet_view token;                  /* Of the pointer, decoded; "*" for any. The root has none. */
    const struct doc_rule *rule;      /* NULL: the default. */
    const struct doc_rules *children; /* Exact names before "*". */
    size_t child_count;
};

/* "reject": both changed, differently: a conflict. Objects recurse. */
extern const struct doc_rule rule_reject;

/* The rule at a node; the default for NULL. */
const struct doc_rule *rules_rule(const struct doc_rules *rules);

/* The node for a member, or NULL. raw: its key as written. */
const struct doc_rules *rules_member(const struct doc_rules *rules, stet_view raw, bool escaped);

#endif
