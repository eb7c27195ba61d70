#include "calendar/ical.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "calendar/series.h"
#include "calendar/windows_zones.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_BYTES = 75 };

/* ---- Lines -------------------------------------------------------------------------------------------------------------------- */

void ical_begin(struct ical_reader *reader, stet_view text) {
    /* Some programs begin a file with a byte order mark. */
    if (view_starts(text, VIEW("\xEF\xBB\xBF"))) text = view_make(text.bytes + 3, text.size - 3);
    *reader = (struct ical_reader){.rest = text, .line = 1};
}

static bool next_physical(struct ical_reader *reader, stet_view *line) {
    if (reader->rest.size == 0) return false;
    const char *end = memchr(reader->rest.bytes, '\n', reader->rest.size);
    size_t size = end == NULL ? reader->rest.size : (size_t)(end - reader->rest.bytes);
    *line = view_make(reader->rest.bytes, size);
    size_t skip = end == NULL ? size : size + 1;
    reader->rest = view_make(reader->rest.bytes + skip, reader->rest.size - skip);
    reader->line++;
    if (line->size > 0 && line->bytes[line->size - 1] == '\r') line->size--;
    return true;
}

static bool is_folded(const struct ical_reader *reader) {
    return reader->rest.size > 0 && (reader->rest.bytes[0] == ' ' || reader->rest.bytes[0] == '\t');
}

/* A content line, unfolded. Empty lines are passed over. STET_NOT_FOUND at the end. *number: of its first line. */
static stet_status next_line(struct ical_reader *reader, struct arena *arena, stet_view *line,
                             size_t *number) {
    do {
        *number = reader->line;
        if (!next_physical(reader, line)) return STET_NOT_FOUND;
    } while (line->size == 0);
    if (!is_folded(reader)) return STET_OK;
    struct ical_reader ahead = *reader;
    size_t size = line->size;
    stet_view more;
    while (is_folded(&ahead) && next_physical(&ahead, &more))
        size += more.size > 0 ? more.size - 1 : 0;
    if (size > ICAL_EVENT_BYTES_MAX) {
        *reader = ahead;
        return STET_TOO_LARGE;
    }
    char *whole = arena_bytes(arena, size + 1);
    if (whole == NULL) return STET_NO_MEMORY;
    size_t at = line->size;
    memcpy(whole, line->bytes, at);
    while (is_folded(reader) && next_physical(reader, &more)) {
        memcpy(whole + at, more.bytes + 1, more.size - 1);
        at += more.size - 1;
    }
    *line = view_make(whole, at);
    return STET_OK;
}

struct property {
    stet_view name, parameters, value;
};

/* NAME;PARAMETERS:VALUE; colons between quotes are the parameters'. */
static bool split_line(stet_view line, struct property *property) {
    bool quoted = false;
    size_t name = 0, colon;
    for (colon = 0; colon < line.size; colon++) {
        char c = line.bytes[colon];
        if (c == '"') quoted = !quoted;
        if (!quoted && name == 0 && (c == ';' || c == ':')) name = colon;
        if (!quoted && c == ':') break;
    }
    if (colon == line.size || name == 0) return false;
    property->name = view_make(line.bytes, name);
    property->parameters = name == colon ? view_make(line.bytes + name, 0)
                                         : view_make(line.bytes + name + 1, colon - name - 1);
    property->value = view_make(line.bytes + colon + 1, line.size - colon - 1);
    return true;
}

/* The value of a parameter, without quotes; empty: it is not there. */
static stet_view parameter(const struct property *property, const char *name) {
    stet_view rest = property->parameters;
    size_t name_size = strlen(name);
    while (rest.size > 0) {
        bool quoted = false;
        size_t size = 0;
        while (size < rest.size && (quoted || rest.bytes[size] != ';'))
            if (rest.bytes[size++] == '"') quoted = !quoted;
        if (size > name_size && rest.bytes[name_size] == '=' &&
            view_equal_nocase(view_make(rest.bytes, name_size), view_of(name))) {
            stet_view value = view_make(rest.bytes + name_size + 1, size - name_size - 1);
            if (value.size >= 2 && value.bytes[0] == '"')
                value = view_make(value.bytes + 1, value.size - 2);
            return value;
        }
        size_t skip = size < rest.size ? size + 1 : size;
        rest = view_make(rest.bytes + skip, rest.size - skip);
    }
    return (stet_view){0};
}

/* TEXT without its escapes. */
static stet_status unescape(struct arena *arena, stet_view value, stet_view *out) {
    char *text = arena_bytes(arena, value.size + 1);
    size_t size = 0;
    if (text == NULL) return STET_NO_MEMORY;
    for (size_t i = 0; i < value.size; i++) {
        char c = value.bytes[i];
        if (c == '\\' && i + 1 < value.size) {
            c = value.bytes[++i];
            if (c == 'n' || c == 'N') c = '\n';
        }
        text[size++] = c;
    }
    *out = view_make(text, size);
    return STET_OK;
}

/* ---- Values ------------------------------------------------------------------------------------------------------------------- */

struct reading {
    struct arena *arena;
    struct ical_event *event;
    size_t line; /* Of the property at hand. */
    stet_view duration;
    struct {
        struct property *list;
        size_t count;
    } exdates, rdates;
    stet_error *err;
};

static stet_status bad(struct reading *reading, stet_status status, const char *what,
                       stet_view value) {
    return error_set(reading->err, status, "%s: \"%.*s\"", what,
                     value.size > 60 ? 60 : (int)value.size, value.bytes);
}

/* "/example.org/20260301/Europe/Berlin" and "Romance Standard Time" are met as well. */
static stet_status read_zone(struct reading *reading, stet_view name, stet_view *out) {
    const struct zone *zone;
    *out = name;
    if (name.size == 0 || zone_find(name, &zone, NULL) == STET_OK) return STET_OK;
    stet_view known = windows_zone(name);
    for (size_t i = 1; known.size == 0 && i < name.size; i++) {
        stet_view rest = view_make(name.bytes + i, name.size - i);
        if (name.bytes[i - 1] == '/' && zone_find(rest, &zone, NULL) == STET_OK) known = rest;
    }
    if (known.size == 0) return bad(reading, STET_INVALID_TIME, "there is no time zone", name);
    *out = known;
    return STET_OK;
}

static stet_status read_time(struct reading *reading, const struct property *property,
                             struct ical_time *time) {
    time->given = true;
    /* Only as iCalendar writes it: "2026-03-01" is not. */
    if (memchr(property->value.bytes, '-', property->value.size) != NULL ||
        !series_parse_time(property->value, &time->wall))
        return bad(reading, STET_INVALID_TIME, "not a date or a time", property->value);
    if (time->wall.has_offset || !time->wall.has_time) return STET_OK;
    return read_zone(reading, parameter(property, "TZID"), &time->zone);
}

/* [+]P1DT2H30M15S or P2W, in seconds of whole days and of the rest. */
static bool read_duration(stet_view text, int64_t *days, int64_t *seconds) {
    size_t i = 0;
    bool in_time = false, any = false;
    *days = *seconds = 0;
    if (i < text.size && text.bytes[i] == '+') i++;
    if (i == text.size || text.bytes[i++] != 'P') return false;
    while (i < text.size) {
        if (text.bytes[i] == 'T') {
            in_time = true;
            i++;
            continue;
        }
        size_t from = i;
        uint64_t value;
        while (i < text.size && text.bytes[i] >= '0' && text.bytes[i] <= '9')
            i++;
        if (i == text.size || !view_parse_u64(view_make(text.bytes + from, i - from), &value) ||
            value > 1000000000)
            return false;
        switch (text.bytes[i++]) {
        case 'W': *days += 7 * (int64_t)value; break;
        case 'D': *days += (int64_t)value; break;
        case 'H': *seconds += 3600 * (int64_t)value; break;
        case 'M': *seconds += 60 * (int64_t)value; break;
        case 'S': *seconds += (int64_t)value; break;
        default: return false;
        }
        any = true;
    }
    return any && (in_time || *seconds == 0) && *days < 100000 && *seconds < INT64_C(10000000000);
}

static stet_status keep_property(struct reading *reading, const struct property *property,
                                 struct property **list, size_t *count) {
    if (*count % 16 == 0) {
        struct property *more = arena_alloc(reading->arena, (*count + 16) * sizeof *more);
        if (more == NULL) return error_set(reading->err, STET_NO_MEMORY, "out of memory");
        if (*count > 0) memcpy(more, *list, *count * sizeof *more);
        *list = more;
    }
    if (*count >= SERIES_DATES_MAX)
        return error_set(reading->err, STET_TOO_LARGE, "the event has more than %d dates",
                         SERIES_DATES_MAX);
    (*list)[(*count)++] = *property;
    return STET_OK;
}

static stet_status read_text(struct reading *reading, const struct property *property,
                             stet_view *out) {
    if (!view_is_utf8(property->value))
        return error_set(reading->err, STET_BAD_REQUEST, "the text of %.*s is not UTF-8",
                         VIEW_ARG(property->name));
    if (unescape(reading->arena, property->value, out) == STET_OK) return STET_OK;
    return error_set(reading->err, STET_NO_MEMORY, "out of memory");
}

/* Texts with commas between them; one inside a text has a backslash before it. */
static stet_status read_resources(struct reading *reading, const struct property *property) {
    struct ical_event *event = reading->event;
    stet_view rest = property->value;
    for (bool more = true; more;) {
        struct property one = *property;
        size_t size = 0;
        stet_view *names;
        while (size < rest.size && rest.bytes[size] != ',')
            size += rest.bytes[size] == '\\' && size + 1 < rest.size ? 2 : 1;
        more = size < rest.size;
        one.value = view_make(rest.bytes, size);
        rest = view_make(rest.bytes + size + more, rest.size - size - more);
        if (one.value.size == 0) continue;
        if (event->resource_count == SPAN_RESOURCES_MAX)
            return error_set(reading->err, STET_TOO_LARGE, "the event has more than %d resources",
                             SPAN_RESOURCES_MAX);
        names = arena_alloc(reading->arena, (event->resource_count + 1) * sizeof *names);
        if (names == NULL) return error_set(reading->err, STET_NO_MEMORY, "out of memory");
        for (size_t i = 0; i < event->resource_count; i++)
            names[i] = event->resources[i];
        stet_status status = read_text(reading, &one, &names[event->resource_count]);
        if (status != STET_OK) return status;
        event->resources = names;
        event->resource_count++;
    }
    return STET_OK;
}

static stet_status read_property(struct reading *reading, const struct property *property) {
    struct ical_event *event = reading->event;
    const struct {
        const char *name;
        stet_view *text;
        struct ical_time *time;
    } known[] = {
        {"UID", &event->uid, NULL},
        {"SUMMARY", &event->summary, NULL},
        {"DESCRIPTION", &event->description, NULL},
        {"LOCATION", &event->location, NULL},
        {"STATUS", &event->status, NULL},
        {"DTSTART", NULL, &event->start},
        {"DTEND", NULL, &event->end},
        {"RECURRENCE-ID", NULL, &event->recurrence_id},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!view_equal_nocase(property->name, view_of(known[i].name))) continue;
        if (known[i].time == &event->recurrence_id && parameter(property, "RANGE").size > 0)
            return error_set(reading->err, STET_INVALID_TIME,
                             "RECURRENCE-ID with a RANGE is not understood");
        if (known[i].text != NULL) return read_text(reading, property, known[i].text);
        return read_time(reading, property, known[i].time);
    }
    if (view_equal_nocase(property->name, VIEW("RRULE"))) {
        if (event->rrule.size > 0)
            return bad(reading, STET_INVALID_TIME, "a second recurrence rule", property->value);
        event->rrule = property->value;
    } else if (view_equal_nocase(property->name, VIEW("DURATION"))) {
        reading->duration = property->value;
    } else if (view_equal_nocase(property->name, VIEW("EXDATE"))) {
        return keep_property(reading, property, &reading->exdates.list, &reading->exdates.count);
    } else if (view_equal_nocase(property->name, VIEW("RDATE"))) {
        return keep_property(reading, property, &reading->rdates.list, &reading->rdates.count);
    } else if (view_equal_nocase(property->name, VIEW("RESOURCES"))) {
        return read_resources(reading, property);
    } else if (view_equal_nocase(property->name, VIEW("TRANSP"))) {
        event->transparent = view_equal_nocase(property->value, VIEW("TRANSPARENT"));
    }
    return STET_OK;
}

/* One value of an EXDATE or RDATE, as a record keeps it: "2026-03-01T09:00:00" by the start's clock, or in UTC. */
static stet_status read_date(struct reading *reading, const struct property *property,
                             stet_view value, stet_view *out) {
    struct property one = {property->name, property->parameters, value};
    struct ical_time time = {0};
    char text[WALL_BYTES + 1];
    const struct zone *zone = NULL;
    const char *slash = memchr(value.bytes, '/', value.size);
    /* A period: its length is the series'. */
    if (slash != NULL) one.value.size = (size_t)(slash - value.bytes);
    stet_status status = read_time(reading, &one, &time);
    if (status != STET_OK) return status;
    if (time.zone.size > 0 && !view_equal(time.zone, reading->event->start.zone)) {
        status = zone_find(time.zone, &zone, reading->err);
        if (status != STET_OK) return status;
        time.wall.local = zone_resolve(zone, time.wall.local).utc;
        time.wall.has_offset = true;
    }
    size_t size = wall_format(&time.wall, text);
    if (time.wall.has_offset) text[size++] = 'Z';
    *out = arena_copy(reading->arena, view_make(text, size));
    return out->bytes == NULL ? error_set(reading->err, STET_NO_MEMORY, "out of memory") : STET_OK;
}

static stet_status read_dates(struct reading *reading, const struct property *list, size_t count,
                              const stet_view **out, size_t *out_count) {
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        most++;
        for (size_t k = 0; k < list[i].value.size; k++)
            most += list[i].value.bytes[k] == ',';
    }
    if (most > SERIES_DATES_MAX)
        return error_set(reading->err, STET_TOO_LARGE, "the event has more than %d dates",
                         SERIES_DATES_MAX);
    stet_view *dates = arena_zalloc(reading->arena, most + 1, sizeof *dates);
    if (dates == NULL) return error_set(reading->err, STET_NO_MEMORY, "out of memory");
    *out_count = 0;
    for (size_t i = 0; i < count; i++) {
        stet_view rest = list[i].value;
        while (rest.size > 0) {
            const char *comma = memchr(rest.bytes, ',', rest.size);
            size_t size = comma == NULL ? rest.size : (size_t)(comma - rest.bytes);
            stet_status status =
                read_date(reading, &list[i], view_make(rest.bytes, size), &dates[(*out_count)++]);
            if (status != STET_OK) return status;
            size_t skip = comma == NULL ? size : size + 1;
            rest = view_make(rest.bytes + skip, rest.size - skip);
        }
    }
    *out = dates;
    return STET_OK;
}

/* Where only a length is given, or nothing (RFC 5545, 3.6.1). */
static stet_status find_end(struct reading *reading) {
    struct ical_event *event = reading->event;
    int64_t days = 0, seconds = 0;
    if (event->end.given) {
        if (event->end.wall.has_time == event->start.wall.has_time) return STET_OK;
        return error_set(reading->err, STET_INVALID_TIME,
                         "one of DTSTART and DTEND is a date, and the other one a time");
    }
    if (reading->duration.size > 0 && !read_duration(reading->duration, &days, &seconds))
        return bad(reading, STET_INVALID_TIME, "not a duration", reading->duration);
    if (reading->duration.size == 0 && !event->start.wall.has_time) days = 1;
    event->end = event->start;
    event->end.wall.local += days * CIVIL_DAY_S + seconds;
    return STET_OK;
}

static stet_status finish_event(struct reading *reading) {
    struct ical_event *event = reading->event;
    reading->line = event->line;
    if (event->uid.size == 0)
        return error_set(reading->err, STET_BAD_REQUEST, "the event has no UID");
    if (!event->start.given)
        return error_set(reading->err, STET_BAD_REQUEST, "the event has no DTSTART");
    stet_status status = find_end(reading);
    if (status == STET_OK)
        status = read_dates(reading, reading->exdates.list, reading->exdates.count, &event->exdates,
                            &event->exdate_count);
    if (status == STET_OK)
        status = read_dates(reading, reading->rdates.list, reading->rdates.count, &event->rdates,
                            &event->rdate_count);
    return status;
}

static stet_status line_failed(struct reading *reading, stet_status status) {
    if (status == STET_TOO_LARGE)
        return error_set(reading->err, status, "a line has more than %u bytes",
                         ICAL_EVENT_BYTES_MAX);
    if (status == STET_NOT_FOUND)
        return error_set(reading->err, STET_BAD_REQUEST, "the event has no END:VEVENT");
    return error_set(reading->err, STET_NO_MEMORY, "out of memory");
}

/* From behind BEGIN:VEVENT to its end. What is wrong is remembered, and the rest is passed over. */
static stet_status read_event(struct ical_reader *reader, struct reading *reading) {
    stet_status failed = STET_OK;
    size_t failed_line = 0, from = reader->rest.size, depth = 0;
    for (;;) {
        struct property property;
        stet_view line;
        stet_status status = next_line(reader, reading->arena, &line, &reading->line);
        if (status == STET_NOT_FOUND || status == STET_NO_MEMORY)
            return line_failed(reading, status);
        if (status == STET_TOO_LARGE) {
            if (failed == STET_OK) failed = line_failed(reading, status);
            if (failed_line == 0) failed_line = reading->line;
            continue;
        }
        if (view_equal_nocase(line, VIEW("END:VEVENT")) && depth == 0) break;
        if (failed != STET_OK) continue;
        if (from - reader->rest.size > ICAL_EVENT_BYTES_MAX) {
            status = error_set(reading->err, STET_TOO_LARGE, "the event has more than %u bytes",
                               ICAL_EVENT_BYTES_MAX);
        } else if (!split_line(line, &property)) {
            status = bad(reading, STET_BAD_REQUEST, "not a line of iCalendar", line);
        } else if (view_equal_nocase(property.name, VIEW("BEGIN"))) {
            if (view_equal_nocase(property.value, VIEW("VEVENT"))) {
                status = error_set(reading->err, STET_BAD_REQUEST, "an event inside an event");
            } else {
                depth++;
            }
        } else if (view_equal_nocase(property.name, VIEW("END"))) {
            if (depth == 0) {
                status =
                    error_set(reading->err, STET_BAD_REQUEST, "something ends that did not begin");
            } else {
                depth--;
            }
        } else if (depth == 0) {
            status = read_property(reading, &property);
        }
        if (status == STET_NO_MEMORY) return status;
        if (status != STET_OK) {
            failed = status;
            failed_line = reading->line;
            depth = 0;
        }
    }
    if (failed == STET_OK) return finish_event(reading);
    reading->line = failed_line;
    return failed;
}

stet_status ical_next(struct ical_reader *reader, struct arena *arena, struct ical_event *event,
                      size_t *line, stet_error *err) {
    struct reading reading = {.arena = arena, .event = event, .err = err};
    for (;;) {
        stet_view text;
        stet_status status = next_line(reader, arena, &text, line);
        if (status == STET_NOT_FOUND && !reader->begun) {
            reader->begun = true;
            *line = 1;
            return error_set(err, STET_BAD_REQUEST, "there is no BEGIN:VCALENDAR");
        }
        if (status == STET_NOT_FOUND) return status;
        if (status == STET_TOO_LARGE) continue; /* Outside of any event. */
        if (status != STET_OK) return error_set(err, STET_NO_MEMORY, "out of memory");
        reader->begun |= view_equal_nocase(text, VIEW("BEGIN:VCALENDAR"));
        if (!view_equal_nocase(text, VIEW("BEGIN:VEVENT"))) continue;
        reader->begun = true;
        *event = (struct ical_event){.line = *line};
        status = read_event(reader, &reading);
        *line = reading.line;
        return status;
    }
}

/* ---- Writing ------------------------------------------------------------------------------------------------------------------ */

struct folder {
    struct buffer *out;
    size_t column;
};

/* One character, with a fold before it where it would not fit. */
static void put(struct folder *folder, const char *bytes, size_t size) {
    if (folder->column + size > LINE_BYTES) {
        buffer_append(folder->out, "\r\n ", 3);
        folder->column = 1;
    }
    buffer_append(folder->out, bytes, size);
    folder->column += size;
}

static size_t character_bytes(stet_view text, size_t at) {
    unsigned char c = (unsigned char)text.bytes[at];
    size_t size = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    return at + size > text.size ? text.size - at : size;
}

static void write_line(struct buffer *out, const char *name, stet_view value, bool text) {
    struct folder folder = {.out = out};
    for (size_t i = 0; name[i] != '\0'; i++)
        put(&folder, name + i, 1);
    put(&folder, ":", 1);
    for (size_t i = 0; i < value.size;) {
        char c = value.bytes[i];
        size_t size = character_bytes(value, i);
        if (text && c == '\n') {
            put(&folder, "\\n", 2);
        } else if (text && (c == '\\' || c == ';' || c == ',')) {
            char escaped[2] = {'\\', c};
            put(&folder, escaped, 2);
        } else if ((unsigned char)c >= 0x20 || c == '\t') {
            put(&folder, value.bytes + i, size);
        }
        i += size;
    }
    buffer_append(out, "\r\n", 2);
}

void ical_write_text(struct buffer *out, const char *name, stet_view value) {
    if (value.size > 0) write_line(out, name, value, true);
}

void ical_write_raw(struct buffer *out, const char *name, stet_view value) {
    if (value.size > 0) write_line(out, name, value, false);
}

void ical_write_open(struct buffer *out, const char *name) {
    ical_write_raw(out, "BEGIN", view_of(name));
}

void ical_write_close(struct buffer *out, const char *name) {
    ical_write_raw(out, "END", view_of(name));
}

void ical_write_begin(struct buffer *out) {
    ical_write_open(out, "VCALENDAR");
    ical_write_raw(out, "VERSION", VIEW("2.0"));
    ical_write_raw(out, "PRODID", VIEW("-//Stet//Stet//EN"));
}

void ical_write_end(struct buffer *out) { ical_write_close(out, "VCALENDAR"); }

void ical_write_time(struct buffer *out, const char *name, const struct wall *wall,
                     stet_view zone) {
    char head[32 + ZONE_NAME_BYTES_MAX + 8], value[24];
    int64_t at = wall->has_offset ? wall->local - wall->offset : wall->local;
    struct civil civil = civil_of(at);
    int size = snprintf(value, sizeof value, "%04d%02d%02d", civil.year % 10000, civil.month % 100,
                        civil.day % 100);
    if (wall->has_time)
        size +=
            snprintf(value + size, sizeof value - (size_t)size, "T%02d%02d%02d%s", civil.hour % 100,
                     civil.minute % 100, civil.second % 100, wall->has_offset ? "Z" : "");
    if (!wall->has_time) {
        snprintf(head, sizeof head, "%.30s;VALUE=DATE", name);
    } else if (wall->has_offset || zone.size == 0 || zone.size > ZONE_NAME_BYTES_MAX) {
        snprintf(head, sizeof head, "%.30s", name);
    } else {
        snprintf(head, sizeof head, "%.30s;TZID=%.*s", name, VIEW_ARG(zone));
    }
    ical_write_raw(out, head, view_make(value, (size_t)size));
}
