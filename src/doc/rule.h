/*
 * Field rules of the three-way merge: the seam that a rule plugs into. For this folder; callers compile rules (rules.h).
 *
 * Rules form a tree that is descended along with the documents: one node for each token of a field's pointer, "*" for any.
 * A rule is a struct with a function. The merge itself settles what needs no rule (nobody changed, one side changed, both
 * made the same change) and asks the rule for the rest. Fields that only merge together (`units`) are looked at between
 * judging and writing: merge.c keeps those two apart for that.
 *
 * There are three kinds. A policy (reject, last_writer_wins, first) descends: objects recurse and what lies below without a
 * rule of its own is judged by it too. A rule about values (min, delta, text, …) takes what it finds as one. by_key turns a
 * list into something that recurses; merge_list.c does that.
 */
#ifndef DOC_RULE_H
#define DOC_RULE_H

#include "doc/decimal.h"
#include "doc/doc.h"
#include "doc/merge.h"

/* What a rule is asked about: one field on three sides. Nodes may be DOC_NONE. */
struct rule_question {
    struct arena *arena;
    const struct doc *base_doc, *current_doc, *yours_doc;
    doc_node base, current, yours;
    /* The field's own node: options. NULL: the default. */
    const struct doc_rules *rules;
    const struct doc_functions *functions;
    uint64_t
        steps_max; /* What the rule may spend; past it it may stop, and says that it spent more. */
};

struct rule_answer {
    enum doc_field_state state; /* CLEAN_YOURS, CLEAN_CURRENT, MERGED or CONFLICT. */
    enum doc_dropped dropped;
    stet_view merged; /* Of MERGED: JSON text that lives as long as the arena; empty: absent. */
    uint64_t steps;   /* Spent. */
    const struct doc_rule_error *error; /* Of CONFLICT: as in doc_merge_field. */
};

struct doc_rule {
    const char *name; /* As in a type's definition. */
    bool descends;    /* A policy. The rule itself judges what is not an object on some side. */
    bool keyed;       /* by_key. The rule itself judges what cannot be merged by element. */
    bool counts;      /* Asked also when both made the same change. */
    bool guards;      /* Asked also when only yours changed. */
    bool gathers;     /* What it makes has something of both sides: see rules_gather. */
    stet_status (*settle)(const struct rule_question *question, struct rule_answer *answer,
                          stet_error *err);
};

struct rule_options {
    stet_view key; /* by_key: the pointer inside an element. */
    bool has_minimum, has_maximum;
    struct decimal minimum, maximum;
    stet_view function; /* function: its name. */
    bool record;        /* function: of a whole record, which must stay an object. */
};

struct doc_rules {
    stet_view token;             /* Of the pointer, decoded. The root and "*" have none. */
    const struct doc_rule *rule; /* NULL: the policy above. */
    struct rule_options options;
    const struct doc_rules *const *children; /* In order of their tokens. */
    size_t child_count;
    const struct doc_rules *any; /* "*": what no child names; the elements of a by_key list. */
    uint32_t unit;               /* Which unit it belongs to, from 1; 0: none. */
    bool has_counts, has_guards, has_units; /* Here or below. */
    uint32_t unit_count;                    /* Of the root. */
};

extern const struct doc_rule rule_reject, rule_last_writer_wins, rule_first;
extern const struct doc_rule rule_atomic, rule_immutable, rule_unit;
extern const struct doc_rule rule_min, rule_max, rule_delta;
extern const struct doc_rule rule_set, rule_append, rule_by_key;
extern const struct doc_rule rule_text;
extern const struct doc_rule rule_function; /* Its name in a definition is "function:NAME". */

/* The rule of that name, or NULL. */
const struct doc_rule *rule_find(stet_view name);

/* Every name, for messages: "reject", "last_writer_wins", … */
extern const char rule_names[];

/* The node for a member, or NULL. raw: its key as written. */
const struct doc_rules *rules_member(const struct doc_rules *rules, stet_view raw, bool escaped);

/* The answers that several rules give. */
stet_status answer_conflict(struct rule_answer *answer);
stet_status answer_yours(const struct rule_question *question, struct rule_answer *answer);
stet_status answer_current(const struct rule_question *question, struct rule_answer *answer);

#endif
