/*
 * Calendars: when records of a type with exclusive intervals take place, when there is room, one or all occurrences of a series changed, and
 * iCalendar in and out. See README.md.
 */
#ifndef MODULES_CALENDAR_CALENDAR_H
#define MODULES_CALENDAR_CALENDAR_H

#include "core/client.h"

/* Each fills an empty command; see the calls of the same names in stet.h. */
stet_status calendar_fill_range(struct stet_command *command, const stet_calendar *asked,
                                stet_error *err);
stet_status calendar_fill_free(struct stet_command *command, const stet_calendar_free *asked,
                               stet_error *err);
stet_status calendar_fill_series(struct stet_command *command, const stet_series_change *asked,
                                 stet_error *err);
stet_status calendar_fill_import(struct stet_command *command, const stet_calendar_import *asked,
                                 stet_error *err);

#endif
