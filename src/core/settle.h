/*
 * Settling: what becomes of a write whose base is not the head. The strategies of section 5 of the design, over the field rules of
 * doc/rules.h. docs/http.md tells them to users.
 *
 * Cheap merges are made by the sequencer at once (MERGE_INLINE_STEPS_MAX, MERGE_INLINE_BYTES_MAX). For a dear one the command takes
 * a detour over a worker (command->hop), at most PREPARE_RETRIES_MAX times; if the record has moved on every time it is merged by
 * the sequencer under MERGE_FORCED_STEPS_MAX, so progress is certain; past that limit the write is a conflict.
 *
 * Invariants
 *   1. A write that was settled by a strategy and changed the record carries its provenance (core/provenance.h).
 *   2. Whoever loses a value that the writer had not seen is named to the modules (`settled`), or the write is refused.
 */
#ifndef CORE_SETTLE_H
#define CORE_SETTLE_H

#include "core/staging.h"

/* Whether a request may choose the strategy it names, needed or not: who may not is to learn it early. STET_STRATEGY_NOT_ALLOWED. */
stet_status settle_check_strategy(const struct staging *staging, const struct mutation *mutation,
                                  stet_error *err);

/* Whether equal changes must be merged nevertheless, because the type has rules that count: a result equal to the head is then not
   "unchanged" before it was merged. */
bool settle_counts(struct staging *staging, const struct mutation *mutation);

/*
 * A base that is not the head: the strategy decides. head: heads_get's, of the mutation's record. On STET_OK the mutation is decided,
 * or command->hop is set and nothing is.
 */
stet_status settle_stale(struct staging *staging, struct mutation *mutation,
                         struct store_head *head, stet_error *err);

/*
 * What the preparation could not compute. A version it did not find may have been committed, or staged, since: a client need not
 * wait for the answer to one write before it sends the next. Any other failure counts now. On STET_OK has_yours is set.
 */
stet_status settle_prepare_late(struct staging *staging, struct mutation *mutation,
                                const struct store_head *head, stet_error *err);

#endif
