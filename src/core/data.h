/*
 * Data against the type of its record: defaults put in and fields judged, before a write is staged. Done while preparing, on the
 * client's thread; the sequencer does it again only for what it did not see there: merged data, a patch made late, a type that has
 * changed since, a field that must not change while the record has moved on.
 *
 * A write is refused for its data only once everything before that in the order of outcomes (core/decide.h) has been settled: a
 * replay of a write that was valid then succeeds, and a stale one is a conflict first.
 */
#ifndef CORE_DATA_H
#define CORE_DATA_H

#include "core/staging.h"

/* While preparing, on what mutation->policy says: defaults, into what was sent as a whole; STET_TOO_LARGE, STET_NO_MEMORY. */
stet_status data_fill(struct stet_command *command, struct mutation *mutation, stet_error *err);
/* Likewise, once yours is known and before its change is built. STET_OK also for data that will be refused. */
stet_status data_judge(struct stet_command *command, struct mutation *mutation, stet_error *err);

/* On the sequencer's thread: what was sent as a whole becomes this instead, with defaults put in. */
stet_status data_replace(struct staging *staging, struct mutation *mutation,
                         const struct policy *policy, stet_view data, stet_error *err);

/*
 * The sequencer's thread, before data is staged. head: of the record before. data and hash: may be replaced, by data with defaults put in.
 *
 * @return STET_OK
 *         STET_INVALID_DATA  err->field is the pointer in the data.
 *         STET_TOO_LARGE, STET_NO_MEMORY, STET_IO, STET_CORRUPT
 */
stet_status data_check(struct staging *staging, const struct mutation *mutation,
                       const struct store_head *head, stet_view *data, uint64_t *hash,
                       stet_error *err);

#endif
