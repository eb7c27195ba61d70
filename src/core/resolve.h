/*
 * Resolving a conflict by token. The token is a keyed MAC over what the conflict was (record, base, current, a hash of what the
 * writer wanted, actor, expiry); nothing is stored. It is also the resolution's mutation key, so that a second use is told so.
 */
#ifndef CORE_RESOLVE_H
#define CORE_RESOLVE_H

#include "core/client.h"

/* token: RESOLUTION_TOKEN_BYTES_MAX + 1 bytes, NUL-terminated. */
void resolve_make_token(struct stet_command *command, const struct mutation *mutation,
                        uint64_t base, uint64_t current, char *token);

/* Copies a resolution into a command. */
stet_status resolve_fill(struct stet_command *command, const stet_resolution *resolution,
                         stet_error *err);

/* Checks the token and turns the command into the write it stands for: onto the current version of the conflict. */
stet_status resolve_prepare(struct stet_command *command, stet_error *err);

#endif
