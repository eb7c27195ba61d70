/*
 * Submitting: where a command goes. Writes and receipts go to the space's sequencer, scans to a worker; point reads are answered
 * here and now, on the client's thread.
 */
#ifndef CORE_SUBMIT_H
#define CORE_SUBMIT_H

#include "core/client.h"

/* See stet_submit. */
stet_status command_submit(struct space *space, const stet_actor *actor,
                           struct stet_command *command, void *context, stet_error *err);

/* Takes a command with a hop to a worker, from where it goes to the sequencer. Any thread. STET_BUSY, STET_SHUTTING_DOWN. */
stet_status command_detour(struct stet_command *command, stet_error *err);

/* See stet_cancel. */
void command_cancel(struct stet_command *command);

#endif
