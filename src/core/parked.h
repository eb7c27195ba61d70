/*
 * Parked writes as their writer sees them: the answer 202, and the receipt that follows the conflict until it ends. Core knows no
 * conflicts; it reads what the module that keeps them writes into its record:
 *
 *     state ("open" while it waits), event ("opened" in the version that parked it), address (of the record the write is for),
 *     base_version, current_version, deadline, fallback, and once it ended result_version with kept (true: the record stayed as it was).
 */
#ifndef CORE_PARKED_H
#define CORE_PARKED_H

#include "core/client.h"
#include "doc/write.h"

/* Whether a change is the one by which some write was parked: of a system type, and with the members above. arena: for a while. */
bool parked_is_kept(struct arena *arena, const struct store_change *change);

/* The members of the answer: {status, conflict_id, state, address, …}. kept: the change of the record that keeps the write. */
stet_status parked_render(struct arena *arena, struct json_writer *writer,
                          const struct store_change *kept, bool dry_run, stet_error *err);

/*
 * What has become of it by now, as the status of a receipt: "pending", "confirmed" or "rejected".
 *
 * @param kept     The change by which the write was parked.
 * @param version  Out: of the record, once confirmed; else 0.
 * Thread: the client's. Reads the store.
 */
stet_status parked_follow(struct stet_command *command, const struct store_change *kept,
                          stet_view *status, uint64_t *version, stet_error *err);

#endif
