/*
 * Spaces as records: which spaces there are beside "main" and "stet", which always are. See README.md.
 */
#ifndef MODULES_SPACES_SPACES_H
#define MODULES_SPACES_SPACES_H

#include "core/client.h"

extern const struct module spaces_module;

/* Each fills an empty command; submit it to the home space. */
stet_status spaces_fill_create(struct stet_command *command, stet_view name, stet_error *err);
stet_status spaces_fill_delete(struct stet_command *command, stet_view name, stet_error *err);
stet_status spaces_fill_list(struct stet_command *command, stet_error *err);

#endif
