/*
 * iCalendar (RFC 5545) as bytes: events out of a text, and a text of events.
 *
 * Reading takes one event at a time, so a file of any size needs memory for one. What is not understood is passed over: other components
 * (alarms inside an event, VTODO, VTIMEZONE: a TZID is the name of an IANA zone, or one that Windows uses), other properties. A bad event is
 * reported with its line, and the next one can be read.
 *
 * Pure: no I/O, no clock; a reader belongs to its thread.
 */
#ifndef CALENDAR_ICAL_H
#define CALENDAR_ICAL_H

#include "base/arena.h"
#include "base/buffer.h"
#include "calendar/civil.h"

struct ical_reader {
    stet_view rest;
    size_t line; /* Of what rest begins with, from 1. */
    bool begun;  /* There was a calendar or an event, or it was told that there is none. */
};

/* A time as a property has it: a date, a local time, or one in UTC. */
struct ical_time {
    struct wall wall;
    stet_view zone; /* TZID; empty: none. */
    bool given;
};

struct ical_event {
    size_t line; /* Of its BEGIN. */
    stet_view uid;
    struct ical_time start,
        end; /* end: as given, or start and DURATION, or as the RFC says without either. */
    struct ical_time recurrence_id;
    stet_view rrule;
    const stet_view *exdates,
        *rdates; /* Values as written; those of another zone than the start's are turned into UTC. */
    size_t exdate_count, rdate_count;
    stet_view summary, description, location, status;
    const stet_view *resources; /* RESOURCES, of all its lines. */
    size_t resource_count;
    bool transparent; /* TRANSP:TRANSPARENT: it takes no time. */
};

void ical_begin(struct ical_reader *reader, stet_view text);

/**
 * The next event. Its views are in the arena or in the text.
 *
 * @param line  Out: of what was wrong, or of the event.
 * @return STET_OK
 *         STET_NOT_FOUND     there are no more.
 *         STET_INVALID_TIME  a time, a duration or a zone that is none; go on with the next.
 *         STET_BAD_REQUEST   not iCalendar: neither a VCALENDAR nor an event in it; a line without a colon, an event without an end or a start; UID missing. Go on likewise.
 *         STET_TOO_LARGE     the event has more than ICAL_EVENT_BYTES_MAX. Go on likewise.
 *         STET_NO_MEMORY
 */
stet_status ical_next(struct ical_reader *reader, struct arena *arena, struct ical_event *event,
                      size_t *line, stet_error *err);

/* ---- Writing ------------------------------------------------------------------------------------------------------------------ */

/* "BEGIN:VCALENDAR" and what must follow it; and its end. */
void ical_write_begin(struct buffer *out);
void ical_write_end(struct buffer *out);
/* NAME:value, the value escaped as TEXT, lines folded between characters at 75 bytes. Empty values are not written. */
void ical_write_text(struct buffer *out, const char *name, stet_view value);
/* The same with a value that is no TEXT: a rule. Control characters in it are left out. */
void ical_write_raw(struct buffer *out, const char *name, stet_view value);
/* NAME;VALUE=DATE:20260301, NAME;TZID=Europe/Berlin:20260301T090000, NAME:20260301T080000Z (with an offset). zone empty: floating. */
void ical_write_time(struct buffer *out, const char *name, const struct wall *wall, stet_view zone);
/* BEGIN:name and END:name. */
void ical_write_open(struct buffer *out, const char *name);
void ical_write_close(struct buffer *out, const char *name);

#endif
