/*
 * Three-way merge: what two writers made of the same base, put together field by field.
 *
 * A field is a value that is merged as one: by default every value that is not an object. Objects recurse. Each field
 * is judged by a rule; the default rule takes the side that changed and calls it a conflict when both did, differently.
 * Deleting is a change like any other, so delete against edit is a conflict, at the pointer of what was deleted.
 *
 * Laws, property-tested: merge(b, x, b) = x, merge(b, b, x) = x, merge(b, x, x) = x; the second not under `immutable`, the
 * last not under rules that count (rules.h).
 */
#ifndef DOC_MERGE_H
#define DOC_MERGE_H

#include "doc/doc.h"

enum doc_field_state {
    DOC_SAME,          /* Both made the same change. */
    DOC_CLEAN_YOURS,   /* Only yours changed. */
    DOC_CLEAN_CURRENT, /* Only current changed. */
    DOC_MERGED,        /* Both changed; a rule combined them or chose between them. */
    DOC_CONFLICT,      /* Both changed; the rule cannot settle it. */
};

/* Whose value a rule gave up: last_writer_wins, first, min and max choose one side. Whoever wrote it should be told. */
enum doc_dropped { DOC_DROPPED_NONE, DOC_DROPPED_YOURS, DOC_DROPPED_CURRENT };

/* Why a function that was to settle a field failed to. */
struct doc_rule_error {
    stet_view function; /* Its name, in the arena. */
    stet_status status;
    stet_view detail; /* For people, in the arena. */
};

struct doc_merge_field {
    /* RFC 6901, in the arena; of the merged document. It names the same place in all three documents unless `list` is set. */
    stet_view pointer;
    /*
     * A field inside a list that is merged by_key: the pointer of the outermost such list, the beginning of `pointer`. The
     * list names the same place in all three documents; the element may stand elsewhere in each, so use the nodes below.
     * bytes == NULL: not in a list.
     */
    stet_view list;
    enum doc_field_state state;
    enum doc_dropped dropped;      /* Only of DOC_MERGED. */
    doc_node base, current, yours; /* DOC_NONE: absent there. */
    stet_view merged;              /* JSON text; empty: absent. A conflict holds current's value. */
    const char *rule; /* The name of the rule that judged, such as "reject". Lives for ever. */
    const struct doc_rule_error *error; /* Of DOC_CONFLICT; NULL: no function failed. */
};

/*
 * Rules per field: a tree that is descended along with the documents; rules.h compiles them. NULL is the default everywhere:
 * the root and every value without a rule of its own is judged by "reject", and objects recurse.
 */
struct doc_rules;

/*
 * Who can run the functions that rules name ("function:NAME"), as nothing in doc/ can. merge: the same value on three sides, JSON, empty: absent.
 * *merged: JSON in the arena; empty: it is left in conflict. STET_OK; STET_NO_MEMORY ends the merge; any other: the function failed, err says why, and the
 * field is in conflict with that as its `error`. merge NULL: not here, it takes too many steps.
 */
struct doc_functions {
    stet_status (*merge)(void *context, struct arena *arena, stet_view name, stet_view base,
                         stet_view current, stet_view yours, stet_view *merged, stet_error *err);
    void *context;
};

struct doc_merge_result {
    bool clean; /* No field is in conflict. */
    /* The whole document, in the arena; conflicting fields hold current's value. */
    stet_view merged;
    /* Only fields that changed on at least one side; in the order of the merged document. */
    struct doc_merge_field *fields;
    size_t field_count;
    /* Work done, about one for each node looked at: the same for the same documents, everywhere. */
    uint64_t steps;
};

/**
 * Merges. Arguments are borrowed until return, except that the result's nodes belong to base, current and yours.
 *
 * @param rules      NULL: defaults.
 * @param steps_max  0: no bound.
 *
 * @return STET_OK         also when there are conflicts: result->clean tells.
 *         STET_TOO_LARGE  err->field "steps": more than steps_max, result->steps holds a number past it, and nothing else in
 *                         result is set; or err->field "bytes": the merged text passes doc_limits_default.bytes_max.
 */
stet_status doc_merge(struct arena *arena, const struct doc *base, const struct doc *current,
                      const struct doc *yours, const struct doc_rules *rules, uint64_t steps_max,
                      struct doc_merge_result *result, stet_error *err);

/* The same with rules that may name functions; functions NULL, as above: what they are to merge is in conflict. */
stet_status doc_merge_with(struct arena *arena, const struct doc *base, const struct doc *current,
                           const struct doc *yours, const struct doc_rules *rules,
                           const struct doc_functions *functions, uint64_t steps_max,
                           struct doc_merge_result *result, stet_error *err);

#endif
