/*
 * Calendars, for the public interface.
 */
#include "base/error.h"
#include "modules/calendar/calendar.h"
#include "stet.h"

#define NEED(condition)                                                                            \
    if (!(condition)) return error_set(err, STET_MISUSE, "a null pointer")

stet_status stet_command_calendar(stet_command *command, const stet_calendar *calendar,
                                  stet_error *err) {
    NEED(command != NULL && calendar != NULL);
    NEED(calendar->resource_count == 0 || calendar->resources != NULL);
    return calendar_fill_range(command, calendar, err);
}

stet_status stet_command_calendar_free(stet_command *command, const stet_calendar_free *asked,
                                       stet_error *err) {
    NEED(command != NULL && asked != NULL);
    NEED(asked->resource_count == 0 || asked->resources != NULL);
    return calendar_fill_free(command, asked, err);
}

stet_status stet_command_series(stet_command *command, const stet_series_change *change,
                                stet_error *err) {
    NEED(command != NULL && change != NULL);
    return calendar_fill_series(command, change, err);
}

stet_status stet_command_calendar_import(stet_command *command, const stet_calendar_import *asked,
                                         stet_error *err) {
    NEED(command != NULL && asked != NULL);
    return calendar_fill_import(command, asked, err);
}
