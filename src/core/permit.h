/*
 * Permission to write: what access rules (core/access.h) say about a mutation, judged by the sequencer against the record as it stands
 * and the policy in force.
 *
 * Twice: before anything that depends on the record's state is decided, so that a refusal tells nobody what they may not know; and
 * again for what is staged, which may be a merge that nobody sent. What was judged the first time is not judged again.
 *
 *   who may not read the record    it is not there; in its place they create nothing
 *   stale                          what they set out to do must leave readonly fields alone, and they must be allowed to change the record
 *                                  as it stands, or into what they sent; otherwise they get no conflict but STET_FORBIDDEN
 *   merged                         the change from the record as it stands to the result
 *
 * Administrators pass; what they could not have done with their roles alone is marked in the change's origin: "bypass". Records of system
 * types are their modules' business.
 *
 * Thread: the sequencer's.
 */
#ifndef CORE_PERMIT_H
#define CORE_PERMIT_H

#include "core/staging.h"
#include "core/veil.h"

/* Through which the command's actor sees records of a type. policy: the one in force for it. */
static inline struct veil permit_veil(struct staging *staging, const struct policy *policy) {
    return (struct veil){.space = staging->space,
                         .policy = policy,
                         .actor = &staging->command->actor,
                         .arena = staging_arena(staging)};
}

/*
 * Before the outcomes. head: the record's. Puts what is hidden into the mutation's yours.
 *
 * @return STET_OK; STET_NOT_FOUND, STET_FORBIDDEN; STET_IO, STET_CORRUPT, STET_NO_MEMORY.
 */
stet_status permit_mutation(struct staging *staging, struct mutation *mutation,
                            const struct store_head *head, stet_error *err);

/* Before a result is staged. data: the data after; of a deletion the last. Sets mutation->bypass. */
stet_status permit_staged(struct staging *staging, struct mutation *mutation, enum store_op op,
                          const struct store_head *head, stet_view data, stet_error *err);

/* Whether the command's actor may read a record as it stands, so that a write may name it. head: of one that exists. */
stet_status permit_reading(struct staging *staging, stet_view type, const struct store_head *head,
                           bool *may, stet_error *err);

/* Likewise whether they may change it at all. STET_OK, STET_FORBIDDEN, STET_NOT_FOUND. For modules that settle something about it. */
stet_status permit_change(struct staging *staging, stet_view type, stet_view id, stet_error *err);

/* Whether a version that the mutation says it was made from may be known to the actor. */
stet_status permit_base(struct staging *staging, const struct mutation *mutation,
                        const struct store_change *base, bool *may, stet_error *err);

#endif
