/*
 * Settings of a space, and alerts, for the public interface.
 */
#include "base/error.h"
#include "modules/alerts/alerts.h"
#include "modules/settings/settings.h"
#include "stet.h"

#define NEED(condition)                                                                            \
    if (!(condition)) return error_set(err, STET_MISUSE, "a null pointer")

stet_status stet_command_settings_get(stet_command *command, stet_error *err) {
    NEED(command != NULL);
    return settings_fill_get(command, err);
}

stet_status stet_command_settings_put(stet_command *command, stet_view settings, stet_base base,
                                      stet_view mutation_key, bool dry_run, stet_error *err) {
    NEED(command != NULL);
    return settings_fill_put(command, settings, base, mutation_key, dry_run, err);
}

stet_status stet_command_alert_list(stet_command *command, const stet_alert_list *list,
                                    stet_error *err) {
    NEED(command != NULL && list != NULL);
    return alerts_fill_list(command, list, err);
}
