/*
 * Deciding: what becomes of one command, given the heads as the commands before it left them. No I/O but lookups in the space's
 * own store, no clock but the time passed in. The rules are section 5 of the design; docs/http.md tells them to users.
 *
 * Order of outcomes: mutation key → halted space → for each mutation: owner of the type → permission → existence → unchanged → precondition →
 * strategy → modules' checks → staged. A command is staged whole or not at all.
 */
#ifndef CORE_DECIDE_H
#define CORE_DECIDE_H

#include "core/batch.h"
#include "core/space.h"

/*
 * Stages what the command does into batch, or records why not in the command. Afterwards the command is decided, unless it is held
 * (command->held: it waits) or has a hop (command->hop: it takes a detour and comes back); then nothing was staged.
 */
void decide(struct space *space, struct batch *batch, struct stet_command *command,
            const struct module_time *time);

/* Forgets a decision, so that the command can be decided again. */
void decide_reset(struct stet_command *command);

#endif
