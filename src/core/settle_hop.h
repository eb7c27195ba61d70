/*
 * Merging away from the sequencer: on a worker where it is dear, on the client's thread where guessing the head is worth while. What
 * comes out is good for the head it was made with, and the sequencer compares.
 */
#ifndef CORE_SETTLE_HOP_H
#define CORE_SETTLE_HOP_H

#include "core/command.h"

/* For command->hop: merges every stale mutation that is to be merged with its record as it is stored now. A worker. */
stet_status settle_hop(struct stet_command *command, struct store_reader *reader, stet_error *err);

/* Whether a stale write would be merged, so that the rest is worth a look. Needs mutation->policy. */
bool settle_merges(const struct mutation *mutation);

/*
 * At preparation: notes the base where it is in memory, and merges a write that is stale already. A large one is left to a worker:
 * then command->hop is set. current: the newest change of the record the client knows; NULL: none, then nothing is done. Needs
 * mutation->policy. STET_OK, STET_NO_MEMORY; whatever else is in the way, the sequencer finds out.
 */
stet_status settle_ahead(struct stet_command *command, struct mutation *mutation,
                         struct change *current, stet_error *err);

#endif
