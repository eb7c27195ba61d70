/*
 * Provenance: what a version's history keeps of how it was settled, as the `merge` of its change.
 *
 *     {"strategy": "merge", "parents": [base, current],
 *      "fields": {pointer: {"from": "yours" | "current" | "both" | "rule", "rule"?, "dropped"?, "yours"?, "list"?}},
 *      "lists"?: {pointer: yours}}
 *     {"strategy": "last_writer_wins", "parents": [base, current], "over": {"from", "to"}}
 *     {"strategy": "resolve", "choice", "parents": [base, current], "fields"?: {pointer: {"from": as above | "base" | "custom", "rule"?}},
 *      "conflict_id"?}
 *
 * "fields" names what either side changed. Where the stored value is not yours' own, "yours" is kept (absent: yours had none),
 * and of lists whose elements were merged yours' whole list: with the base and the stored data that is enough to have yours again,
 * so that a merge can be reopened. As the reader's part the same object carries "conflict_id", "seq-" and the change's seq;
 * of a resolution it is the conflict that waited.
 */
#ifndef CORE_PROVENANCE_H
#define CORE_PROVENANCE_H

#include "core/change.h"
#include "doc/merge.h"
#include "doc/write.h"

struct viewer; /* core/access.h */

/* Of a clean merge. STET_OK, STET_NO_MEMORY. */
stet_status provenance_of_merge(struct arena *arena, stet_strategy strategy, uint64_t base_version,
                                uint64_t current_version, const struct doc_merge_result *result,
                                const struct doc *base, const struct doc *yours, stet_view *out,
                                stet_error *err);

/* Of a write on top of versions its writer had not seen. base_version 0: the writer named none that the record had. */
stet_status provenance_of_overwrite(struct arena *arena, stet_strategy strategy,
                                    uint64_t base_version, uint64_t current_version, stet_view *out,
                                    stet_error *err);

/* What somebody chose, beside what it was chosen from. */
struct provenance_choice {
    const char *choice;
    uint64_t base_version, current_version;
    stet_view conflict_id; /* Of the conflict that waited for it; empty: none did. */
    /* Of the three sides by the type's rules; NULL where one of them is not known: then no fields are named. */
    const struct doc_merge_result *merge;
    const struct doc *base, *current, *yours, *result;
    bool elements; /* The lists of the result have the places of the merged ones. */
};

/* Of a resolution. */
stet_status provenance_of_choice(struct arena *arena, const struct provenance_choice *made,
                                 stet_view *out, stet_error *err);

/* Writes a change's provenance as an answer shows it: with the conflict_id of an automatic merge, and without fields that are hidden
   from the viewer (NULL: nothing is). change->merge is not empty. */
void provenance_render(struct json_writer *writer, const struct viewer *viewer,
                       const struct store_change *change);

/* A provenance without the fields that touch hidden ones. of: the change it is of, for its conflict_id; NULL: without. What fails sticks
   in the writer's buffer. */
void provenance_render_without(struct json_writer *writer, struct arena *arena, stet_view merge,
                               const stet_view *hidden, size_t count,
                               const struct store_change *of);

/* Likewise of a change that was only tried, so has no conflict_id. */
void provenance_render_tried(struct json_writer *writer, const struct viewer *viewer,
                             const struct store_change *change);

/* Whether this change is an automatic merge, which can be shown and reopened as a conflict. */
bool provenance_is_merge(const struct store_change *change);

/* The parents of a merge; false when there are none. */
bool provenance_parents(struct arena *arena, const struct store_change *change,
                        uint64_t *base_version, uint64_t *current_version);

/* A field that one side or both had changed. */
struct provenance_field {
    stet_view pointer;
    bool same;    /* Both had made the same change. */
    bool by_rule; /* Both had changed it, and a rule combined them or chose between them. */
};

/* Of an automatic merge. *fields: in the arena. STET_OK, STET_CORRUPT, STET_NO_MEMORY. */
stet_status provenance_fields(struct arena *arena, const struct store_change *change,
                              struct provenance_field **fields, size_t *count, stet_error *err);

/*
 * What the writer of an automatic merge had written: from the base, the merged change and its provenance.
 *
 * @param yours  Out: JSON in the arena.
 * @return STET_OK, STET_NOT_FOUND: the change is no such merge; STET_CORRUPT, STET_NO_MEMORY.
 */
stet_status provenance_yours(struct arena *arena, stet_view base, const struct store_change *merged,
                             stet_view *yours, stet_error *err);

#endif
