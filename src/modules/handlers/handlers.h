/*
 * Handlers: reactions to changes, conflicts, alerts and what happens to operations. See README.md.
 */
#ifndef MODULES_HANDLERS_HANDLERS_H
#define MODULES_HANDLERS_HANDLERS_H

#include "core/client.h"

extern const struct module handlers_module;

/* Each fills an empty command; submit it to the space whose handlers are meant. */
stet_status handlers_fill_write(struct stet_command *command, const stet_handler_write *write,
                                stet_error *err);
stet_status handlers_fill_get(struct stet_command *command, stet_view name, stet_error *err);
stet_status handlers_fill_list(struct stet_command *command, stet_error *err);

#endif
