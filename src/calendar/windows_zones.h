/*
 * The names that Windows and Exchange give to time zones, as they stand in .ics files, to IANA zones: the ones in everyday use, by their
 * first territory in the Unicode CLDR's table.
 */
#ifndef CALENDAR_WINDOWS_ZONES_H
#define CALENDAR_WINDOWS_ZONES_H

#include "base/view.h"

/* "Romance Standard Time" is "Europe/Paris"; empty: not known. */
stet_view windows_zone(stet_view name);

#endif
