/*
 * A three-way merge of one record by its type's rules, apart from where and when it is made: on the sequencer's thread when it is
 * cheap, ahead of it at preparation or on a worker when it is not. Pure.
 *
 * A merge made ahead is good for one head and one policy only; whoever uses it compares.
 */
#ifndef CORE_MERGING_H
#define CORE_MERGING_H

#include "core/change.h"
#include "core/policy.h"
#include "doc/merge.h"

struct merging {
    /* What it is good for. */
    uint64_t head_seq;
    uint64_t policy_seq; /* 0: the type has no policy. */
    stet_strategy strategy;
    /* More steps than were allowed, or the result would be too large: nothing below `parsed` is set. */
    bool too_dear;
    struct doc base, current, yours;
    struct doc_merge_result result;
    /* Of a clean one: what is to be stored, its hash and its provenance. */
    struct doc merged;
    uint64_t hash;
    stet_view provenance;
};

static inline uint64_t policy_seq(const struct policy *policy) {
    return policy == NULL ? 0 : policy->seq;
}

/* Whether functions that merge (rules "function:NAME") may run where a merge is made. */
enum merging_functions {
    MERGING_ELSEWHERE, /* No: with one of them it is too dear here. */
    MERGING_BRIEFLY,   /* Somebody waits. */
    MERGING_FULLY,     /* On a worker. */
};
struct merging_runner {
    struct space *space;
    enum merging_functions functions;
};
/* For doc_merge_with. runner: borrowed as long as the result. What a function cannot settle, or fails to, is a conflict. */
struct doc_functions merging_functions(struct merging_runner *runner);

/* Tells the operator of a function that failed in a merge; not more often than once a minute for a space. Any thread. */
void merging_report(struct space *space, const struct doc_merge_result *result);

struct merging_sides {
    struct merging_runner runner;
    const struct policy *policy; /* NULL: the default rules. */
    stet_strategy strategy;      /* For the provenance. */
    const struct store_change *base, *current;
    stet_view yours;
    const struct doc *yours_doc; /* Used when it was parsed from yours. */
};

/*
 * Merges. steps_max: as doc_merge. What is kept is in the arena or borrowed from the sides.
 *
 * @return STET_OK, also with conflicts (result.clean) and when it is too dear (too_dear); STET_CORRUPT, STET_NO_MEMORY.
 */
stet_status merging_run(struct arena *arena, struct merging_sides *sides, uint64_t steps_max,
                        struct merging *merging, stet_error *err);

/* Whether a document was parsed from this very text. */
static inline bool doc_is_of(const struct doc *doc, stet_view text) {
    return doc->count > 0 && doc->text.bytes == text.bytes && doc->text.size == text.size;
}

/* A patch applied to a record's data: a JSON object, parsed too, and its hash. STET_PATCH_FAILED, STET_CONCURRENT_MODIFICATION, … as doc/patch.h. */
stet_status merging_patch(struct arena *arena, stet_op op, const struct doc *patch, stet_view onto,
                          stet_view *data, struct doc *result, uint64_t *hash, stet_error *err);

#endif
