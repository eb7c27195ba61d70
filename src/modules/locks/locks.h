/*
 * Locks: a name that one holder at a time may have, for a while. See README.md for the invariants.
 */
#ifndef MODULES_LOCKS_LOCKS_H
#define MODULES_LOCKS_LOCKS_H

#include "core/client.h"

extern const struct module locks_module;

/* Each fills an empty command; see the calls of the same names in stet.h. */
stet_status locks_fill_acquire(struct stet_command *command, const stet_lock_request *asked,
                               stet_error *err);
stet_status locks_fill_renew(struct stet_command *command, stet_view name, uint64_t token,
                             unsigned ttl_s, stet_error *err);
stet_status locks_fill_release(struct stet_command *command, stet_view name, uint64_t token,
                               stet_error *err);
stet_status locks_fill_read(struct stet_command *command, stet_view name, stet_error *err);
stet_status locks_fill_list(struct stet_command *command, stet_view after, unsigned limit,
                            stet_error *err);

#endif
