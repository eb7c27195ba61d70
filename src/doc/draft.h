/*
 * Rules on their way from a definition to the tree that merging descends. For draft.c, draft_units.c and compile.c only.
 */
#ifndef DOC_DRAFT_H
#define DOC_DRAFT_H

#include "doc/pointer.h"
#include "doc/rule.h"

/* What the definition says of one place, and below it. Everything hangs below a root without token. */
struct draft {
    struct draft *next; /* Sibling. */
    struct draft *first;
    struct draft *any;
    stet_view token;
    stet_view where; /* The entry in the definition: "/fields/~1amount"; bytes == NULL: has none. */
    const struct doc_rule *rule;
    struct rule_options options;
    uint32_t unit;
    uint32_t depth;           /* Tokens from the root. */
    struct doc_rules *frozen; /* Of this draft alone. */
};

struct compiler {
    struct arena *arena;
    const struct doc *definition;
    struct draft root;
    uint32_t fields;
    uint32_t units;
    uint32_t nodes;
    bool used; /* Some field has a rule, or there is a unit. */
    stet_error *err;
};

static inline struct pointer_path path_name(const struct pointer_path *parent, stet_view name) {
    return (struct pointer_path){.parent = parent, .key = name};
}

/* Adds the place in the definition to the error that was set. */
stet_status draft_fail_at(struct compiler *compiler, const struct pointer_path *where,
                          stet_status status, uint64_t limit);
stet_status draft_fail_memory(struct compiler *compiler);

#define REFUSE(compiler, where, ...)                                                               \
    draft_fail_at(compiler, where, error_set((compiler)->err, STET_INVALID_TYPE, __VA_ARGS__), 0)

/* Counts what TYPE_RULE_NODES_MAX bounds. */
stet_status draft_count(struct compiler *compiler, size_t count);

/* The child that an exact token names, or NULL. */
struct draft *draft_find(const struct draft *draft, stet_view token);

/* The draft at the end of a pointer from `draft`, made when it is not there. where: the place that holds the pointer. */
stet_status draft_path(struct compiler *compiler, struct draft *draft, stet_view pointer,
                       const struct pointer_path *where, struct draft **out);

/* A string of the definition, decoded. node: a string. */
stet_status draft_text(struct compiler *compiler, doc_node node, stet_view *out);

/* Some draft at or below that stands in the definition. */
const struct draft *draft_entry(const struct draft *draft);

stet_status draft_fields(struct compiler *compiler, struct draft *root, doc_node fields,
                         const struct pointer_path *where);
stet_status draft_units(struct compiler *compiler, doc_node units,
                        const struct pointer_path *where);

#endif
