/*
 * A stretch of a calendar as iCalendar: each record that takes place in it once, whole series with their rule; occurrences that were changed by
 * themselves have their series' UID and a RECURRENCE-ID, and are not left out of it as well.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "calendar/ical.h"
#include "modules/calendar/internal.h"

#include <stdio.h>
#include <stdlib.h>

struct entry {
    struct shown shown;
    const struct exclusive *exclusive;
    int64_t original; /* Of an exception: its instant. */
};

struct writing {
    struct arena *arena;
    struct buffer *out;
    const stet_calendar_fields *fields;
    struct entry *entries;
    size_t count;
    const struct zone **zones; /* Each that is named, once. */
    size_t zone_count;
    int64_t from, to; /* What zones are told of: seconds. */
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a calendar");
}

/* A time as the file has it: by the clock of the series' zone, where there is one. */
static struct wall in_zone(const struct series *series, const struct wall *wall) {
    struct wall out = *wall;
    if (!wall->has_time || !wall->has_offset || series->zone == NULL) return out;
    int64_t utc = wall->local - wall->offset;
    out.local = utc + zone_offset(series->zone, utc);
    out.has_offset = false;
    out.offset = 0;
    /* The second of a repeat has no name in a zone. */
    if (zone_resolve(series->zone, out.local).utc != utc) return *wall;
    return out;
}

static void write_time(struct writing *writing, const char *name, const struct repeat *repeat,
                       const struct wall *wall) {
    struct wall shown = in_zone(&repeat->series, wall);
    stet_view zone = repeat->zone_name;
    if (shown.has_time && zone.size == 0 && !shown.has_offset) {
        shown.has_offset = true; /* UTC. */
        shown.offset = 0;
    }
    ical_write_time(writing->out, name, &shown, zone);
}

/* ---- Zones ------------------------------------------------------------------------------------------------------------------- */

static stet_status note_zone(struct writing *writing, const struct zone *zone, stet_error *err) {
    if (zone == NULL || zone == zone_utc()) return STET_OK;
    for (size_t i = 0; i < writing->zone_count; i++)
        if (writing->zones[i] == zone) return STET_OK;
    if (writing->zone_count % 16 == 0) {
        const struct zone **more =
            arena_alloc(writing->arena, (writing->zone_count + 16) * sizeof *more);
        if (more == NULL) return no_memory(err);
        if (writing->zone_count > 0)
            memcpy(more, writing->zones, writing->zone_count * sizeof *more);
        writing->zones = more;
    }
    writing->zones[writing->zone_count++] = zone;
    return STET_OK;
}

static void write_offset(struct buffer *out, const char *name, int32_t offset) {
    char text[16];
    int32_t size = offset < 0 ? -offset : offset;
    int length = snprintf(text, sizeof text, "%c%02d%02d", offset < 0 ? '-' : '+',
                          size / 3600 % 100, size / 60 % 60);
    if (size % 60 != 0)
        length += snprintf(text + length, sizeof text - (size_t)length, "%02d", size % 60);
    ical_write_raw(out, name, view_make(text, (size_t)length));
}

static void write_observance(struct buffer *out, const struct zone *zone, int64_t at,
                             int32_t before) {
    const char *kind = zone_is_dst(zone, at) ? "DAYLIGHT" : "STANDARD";
    struct wall start = {.local = at + before, .has_date = true, .has_time = true};
    ical_write_open(out, kind);
    ical_write_time(out, "DTSTART", &start, (stet_view){0});
    write_offset(out, "TZOFFSETFROM", before);
    write_offset(out, "TZOFFSETTO", zone_offset(zone, at));
    ical_write_close(out, kind);
}

/* The changes of the stretch one by one: what the zone's rule is, tzdata does not say. */
static void write_zone(struct writing *writing, const struct zone *zone) {
    struct buffer *out = writing->out;
    int64_t at = writing->from;
    ical_write_open(out, "VTIMEZONE");
    ical_write_text(out, "TZID", zone_name(zone));
    write_observance(out, zone, at, zone_offset(zone, at));
    for (int i = 0; i < CALENDAR_ZONE_CHANGES_MAX; i++) {
        int64_t next;
        if (!zone_next_change(zone, at, &next) || next > writing->to) break;
        write_observance(out, zone, next, zone_offset(zone, next - 1));
        at = next;
    }
    ical_write_close(out, "VTIMEZONE");
}

/* ---- Events ------------------------------------------------------------------------------------------------------------------ */

/* Whether an occurrence was changed by itself, in this file. */
static bool has_exception(const struct writing *writing, const struct entry *entry, int64_t at) {
    for (size_t i = 0; i < writing->count; i++) {
        const struct entry *other = &writing->entries[i];
        if (view_equal(other->shown.series, entry->shown.change.id) && other->original == at)
            return true;
    }
    return false;
}

static void write_dates(struct writing *writing, const struct entry *entry, const char *name,
                        const stet_view *dates, size_t count, bool left_out) {
    const struct repeat *repeat = &entry->shown.repeat;
    for (size_t i = 0; i < count; i++) {
        struct wall wall;
        if (!series_parse_time(dates[i], &wall)) continue;
        if (!wall.has_time && repeat->series.start.has_time) {
            /* A day stands for its occurrence. */
            struct wall first = in_zone(&repeat->series, &repeat->series.start);
            wall.local += first.local - civil_floor_div(first.local, CIVIL_DAY_S) * CIVIL_DAY_S;
            wall.has_time = true;
        }
        if (left_out && has_exception(writing, entry, series_instant(&repeat->series, &wall)))
            continue;
        write_time(writing, name, repeat, &wall);
    }
}

/* One line for each, so that a file that is read again books the same. */
static void write_resources(struct writing *writing, const struct entry *entry) {
    const struct doc *doc = &entry->shown.doc;
    stet_view pointer = entry->exclusive->resource, name;
    doc_node node = pointer.size == 0 ? DOC_NONE : doc_pointer(doc, pointer);
    if (node == DOC_NONE) return;
    if (doc_kind(doc, node) == DOC_STRING) {
        ical_write_text(writing->out, "RESOURCES",
                        shown_text(writing->arena, &entry->shown, pointer));
    } else if (doc_kind(doc, node) == DOC_ARRAY) {
        for (doc_node one = doc_first(doc, node); one != DOC_NONE; one = doc_next(doc, one))
            if (doc_string(writing->arena, doc, one, &name) == STET_OK)
                ical_write_text(writing->out, "RESOURCES", name);
    }
}

static void write_event(struct writing *writing, const struct entry *entry) {
    const struct shown *shown = &entry->shown;
    const struct series *series = &shown->repeat.series;
    struct buffer *out = writing->out;
    int64_t stamp = shown->change.stamp / CLOCK_NS_PER_S;
    struct wall made = {.local = stamp, .has_date = true, .has_time = true, .has_offset = true};
    struct wall original;
    char sequence[24];
    ical_write_open(out, "VEVENT");
    ical_write_text(out, "UID", shown->series.size > 0 ? shown->series : shown->change.id);
    ical_write_time(out, "DTSTAMP", &made, (stet_view){0});
    int size = snprintf(sequence, sizeof sequence, "%llu",
                        (unsigned long long)(shown->change.version - 1));
    ical_write_raw(out, "SEQUENCE", view_make(sequence, (size_t)size));
    if (shown->series.size > 0 && series_parse_time(shown->original_start, &original))
        write_time(writing, "RECURRENCE-ID", &shown->repeat, &original);
    write_time(writing, "DTSTART", &shown->repeat, &series->start);
    write_time(writing, "DTEND", &shown->repeat, &series->end);
    ical_write_raw(out, "RRULE", series->rrule);
    write_dates(writing, entry, "EXDATE", series->exdates, series->exdate_count, true);
    write_dates(writing, entry, "RDATE", series->rdates, series->rdate_count, false);
    ical_write_text(out, "SUMMARY", shown_text(writing->arena, shown, writing->fields->summary));
    ical_write_text(out, "DESCRIPTION",
                    shown_text(writing->arena, shown, writing->fields->description));
    ical_write_text(out, "LOCATION", shown_text(writing->arena, shown, writing->fields->location));
    write_resources(writing, entry);
    stet_view status = shown_text(writing->arena, shown, writing->fields->status);
    static const char *const words[] = {"TENTATIVE", "CONFIRMED", "CANCELLED"};
    for (size_t i = 0; i < 3; i++)
        if (view_equal_nocase(status, view_of(words[i])))
            ical_write_raw(out, "STATUS", view_of(words[i]));
    ical_write_close(out, "VEVENT");
}

/* ---- All of it --------------------------------------------------------------------------------------------------------------- */

static int by_record(const void *a, const void *b) {
    const struct hit *const *x = a, *const *y = b;
    return ((*x)->record > (*y)->record) - ((*x)->record < (*y)->record);
}

static stet_status read_entries(struct writing *writing, struct store_reader *reader,
                                const struct sight *sight, const struct hits *hits,
                                stet_error *err) {
    const struct hit **order = arena_alloc(writing->arena, (hits->count + 1) * sizeof *order);
    writing->entries = arena_zalloc(writing->arena, hits->count + 1, sizeof *writing->entries);
    if (order == NULL || writing->entries == NULL) return no_memory(err);
    for (size_t i = 0; i < hits->count; i++)
        order[i] = &hits->list[i];
    if (hits->count > 1) qsort(order, hits->count, sizeof *order, by_record);
    size_t bytes = 0;
    for (size_t i = 0; i < hits->count; i++) {
        struct entry *entry = &writing->entries[writing->count];
        bool seen,
            again = writing->count > 0 &&
                    writing->entries[writing->count - 1].shown.change.first == order[i]->record;
        if (again) continue;
        stet_status status =
            shown_read(writing->arena, reader, sight, order[i], &entry->shown, &seen, err);
        if (status != STET_OK) return status;
        if (!seen) continue;
        entry->exclusive = order[i]->exclusive;
        const struct series *series = &entry->shown.repeat.series;
        struct wall original;
        if (entry->shown.series.size > 0 &&
            series_parse_time(entry->shown.original_start, &original))
            entry->original = series_instant(series, &original);
        int64_t start = series_instant(series, &series->start) / CLOCK_NS_PER_S;
        if (start < writing->from) writing->from = start;
        status = note_zone(writing, series->zone, err);
        if (status != STET_OK) return status;
        writing->count++;
        bytes += entry->shown.change.data.size;
        if (bytes > CALENDAR_TEXT_BYTES_MAX) {
            error_set(err, STET_TOO_LARGE,
                      "the calendar is too large to be sent at once; ask for less of it");
            error_field(err, "to", CALENDAR_TEXT_BYTES_MAX);
            return STET_TOO_LARGE;
        }
    }
    return STET_OK;
}

stet_status ics_write(struct stet_command *command, struct store_reader *reader,
                      const struct sight *sight, const struct hits *hits,
                      const struct stretch *stretch, const stet_calendar_fields *fields,
                      struct buffer *out, stet_error *err) {
    struct writing writing = {.arena = &command->arena,
                              .out = out,
                              .fields = fields,
                              .from = stretch->from / CLOCK_NS_PER_S,
                              .to = stretch->to / CLOCK_NS_PER_S + 366 * CIVIL_DAY_S};
    stet_status status = read_entries(&writing, reader, sight, hits, err);
    if (status != STET_OK) return status;
    ical_write_begin(out);
    for (size_t i = 0; i < writing.zone_count; i++)
        write_zone(&writing, writing.zones[i]);
    for (size_t i = 0; i < writing.count; i++)
        write_event(&writing, &writing.entries[i]);
    ical_write_end(out);
    return STET_OK;
}
