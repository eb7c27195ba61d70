/*
 * Settings of a space: one record, stet.settings/space, that its administrators write as a whole. See README.md.
 */
#ifndef MODULES_SETTINGS_SETTINGS_H
#define MODULES_SETTINGS_SETTINGS_H

#include "core/client.h"

extern const struct module settings_module;

/* Each fills an empty command; submit it to the space whose settings are meant. */
stet_status settings_fill_get(struct stet_command *command, stet_error *err);
stet_status settings_fill_put(struct stet_command *command, stet_view settings, stet_base base,
                              stet_view mutation_key, bool dry_run, stet_error *err);

#endif
