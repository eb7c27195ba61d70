/*
 * Erasing a record for good: what all its versions said goes, from the file, the log and memory; that there were versions stays, and a
 * tombstone that says who erased it, when and why. What else holds something of it is looked for by a worker: records of modules,
 * which their modules make say nothing of it, or which are named in the answer.
 *
 *     prepared ──► a worker looks (hop) ──► decided: tombstone, versions, modules' records ──► one commit
 *
 * Between the look and the decision others may have written; what they wrote is in the ring or the batch, and is looked at then.
 */
#ifndef CORE_PURGE_H
#define CORE_PURGE_H

#include "core/command.h"

/* See stet_command_purge. */
stet_status command_fill_purge(struct stet_command *command, const stet_purge *purge,
                               stet_error *err);

/* Decides a mutation that purges: the sequencer's. */
stet_status purge_decide(struct staging *staging, struct mutation *mutation,
                         struct store_head *head, stet_error *err);

#endif
