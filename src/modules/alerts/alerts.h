/*
 * Alerts: thresholds of a space's settings, watched. See README.md.
 */
#ifndef MODULES_ALERTS_ALERTS_H
#define MODULES_ALERTS_ALERTS_H

#include "core/client.h"

extern const struct module alerts_module;

/* Fills an empty command; submit it to the space whose alerts are meant. */
stet_status alerts_fill_list(struct stet_command *command, const stet_alert_list *list,
                             stet_error *err);

#endif
