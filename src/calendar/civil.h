/*
 * Dates and times as people write them, in the proleptic Gregorian calendar, without any zone.
 *
 * A local time is counted like a UTC one, in seconds since 1970-01-01T00:00:00 of its own clock, so that arithmetic on it is arithmetic on
 * what the wall clock shows. What it is in UTC is calendar/zone.h's to say.
 *
 * Pure: no clock, no globals, no allocation.
 */
#ifndef CALENDAR_CIVIL_H
#define CALENDAR_CIVIL_H

#include "stet.h"

struct civil {
    int year;   /* 1 to 9999. */
    int month;  /* 1 to 12. */
    int day;    /* 1 to 31. */
    int hour;   /* 0 to 23. */
    int minute; /* 0 to 59. */
    int second; /* 0 to 59. */
};

#define CIVIL_DAY_S INT64_C(86400)

/* What instants in nanoseconds can hold, and some room for offsets: 1678 to 2261. */
enum { CIVIL_YEAR_MIN = 1678, CIVIL_YEAR_MAX = 2261 };

/* Days since 1970-01-01. Any year from -9999 to 9999; month and day need not be checked before: out of range ones go on counting. */
int64_t civil_days(int year, int month, int day);
int64_t civil_seconds(const struct civil *civil);
/* The reverse. seconds: of the years 1 to 9999. */
struct civil civil_of(int64_t seconds);
/* 0: Monday … 6: Sunday. */
int civil_weekday(int64_t days);
int civil_month_days(int year, int month);
/* Division that rounds down, as calendars need it before 1970. */
int64_t civil_floor_div(int64_t value, int64_t by);

/* A date, a time of day, or both, as a text says it. */
struct wall {
    int64_t local; /* Seconds of the local clock; of a time alone: since midnight. */
    int32_t ns;    /* 0 to 999999999. */
    bool has_date;
    bool has_time;
    bool has_offset; /* It says its own distance to UTC: "Z", "+02:00". */
    int32_t offset;  /* Seconds east of UTC. */
};

/*
 * Reads "2026-03-29", "2026-03-29T02:30", "…:00", "…:00.25", each of the times also with "Z" or an offset, a space or a "t" in the place of
 * "T". Years outside CIVIL_YEAR_MIN … MAX, a 30th of February, an hour 24 and a
 * second 60 are none. False: it is no such text.
 */
bool wall_parse(stet_view text, struct wall *wall);
/* Of "02:30", "02:30:00" and "02:30:00.5", without a date. */
bool wall_parse_time(stet_view text, struct wall *wall);

/* "2026-03-29T02:30:00", or with has_time false "2026-03-29"; 0-terminated, at most WALL_BYTES with the NUL. Returns the length. */
enum { WALL_BYTES = 40 };
size_t wall_format(const struct wall *wall, char out[WALL_BYTES]);

#endif
