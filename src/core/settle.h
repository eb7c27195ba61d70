/*
 * Settling: what becomes of a write whose base is not the head. The strategies of section 5 of the design, over the field rules of
 * doc/rules.h. docs/http.md tells them to users.
 *
 * Cheap merges are made by the sequencer at once (MERGE_INLINE_STEPS_MAX); for a dear one the command takes a detour over a worker
 * (command->hop), at most PREPARE_RETRIES_MAX times, and is then merged by the sequencer under a hard limit, so progress is certain.
 */
#ifndef CORE_SETTLE_H
#define CORE_SETTLE_H

#include "core/staging.h"

/* A base that is not the head, and no equal result: the strategy decides. head: heads_get's, of the mutation's record. */
stet_status settle_stale(struct staging *staging, struct mutation *mutation,
                         struct store_head *head, stet_error *err);

/*
 * What the preparation could not compute. A version it did not find may have been committed, or staged, since: a client need not
 * wait for the answer to one write before it sends the next. Any other failure counts now. On STET_OK has_yours is set.
 */
stet_status settle_prepare_late(struct staging *staging, struct mutation *mutation,
                                const struct store_head *head, stet_error *err);

#endif
