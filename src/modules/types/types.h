/*
 * Types as records: what the owners of record types declare. See README.md.
 */
#ifndef MODULES_TYPES_TYPES_H
#define MODULES_TYPES_TYPES_H

#include "core/client.h"

extern const struct module types_module;

/* Each fills an empty command; submit it to the space whose types are meant. */
stet_status types_fill_write(struct stet_command *command, const stet_type_write *write,
                             stet_error *err);
stet_status types_fill_apply(struct stet_command *command, const stet_types_apply *apply,
                             stet_error *err);
stet_status types_fill_get(struct stet_command *command, stet_view name, stet_error *err);
stet_status types_fill_list(struct stet_command *command, stet_error *err);

#endif
