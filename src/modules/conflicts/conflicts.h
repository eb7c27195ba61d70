/*
 * Conflicts that wait for a person, their deadlines, and notices to those whose change did not stay. See README.md.
 */
#ifndef MODULES_CONFLICTS_CONFLICTS_H
#define MODULES_CONFLICTS_CONFLICTS_H

#include "core/client.h"

extern const struct module conflicts_module;

/* Each fills an empty command; see stet.h, stet_command_conflict_… and stet_command_inbox_…. */
stet_status conflicts_fill_list(struct stet_command *command, const stet_conflict_list *list,
                                stet_error *err);
stet_status conflicts_fill_get(struct stet_command *command, stet_view id, stet_error *err);
stet_status conflicts_fill_resolve(struct stet_command *command,
                                   const stet_conflict_resolution *resolution, stet_error *err);
stet_status conflicts_fill_reopen(struct stet_command *command, stet_view id,
                                  stet_version precondition, stet_error *err);
/* What anybody who is about to change a record wants to know: its version, and which conflicts wait for it. */
stet_status conflicts_fill_concurrency(struct stet_command *command, stet_view type, stet_view id,
                                       stet_error *err);
stet_status inbox_fill_list(struct stet_command *command, const stet_inbox_list *list,
                            stet_error *err);
stet_status inbox_fill_read(struct stet_command *command, const stet_view *ids, size_t count,
                            stet_error *err);
stet_status inbox_fill_dismiss(struct stet_command *command, stet_view id, stet_error *err);

#endif
