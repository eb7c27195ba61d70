#include "core/repeat.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a series");
}

static stet_status refuse(stet_error *err, stet_status status, stet_view pointer,
                          const char *what) {
    error_set(err, status, "%s", what);
    error_field_view(err, pointer, 0);
    return status;
}

doc_node repeat_value(const struct doc *data, stet_view pointer) {
    doc_node node = pointer.size == 0 ? DOC_NONE : doc_pointer(data, pointer);
    return node != DOC_NONE && doc_kind(data, node) == DOC_NULL ? DOC_NONE : node;
}

stet_status repeat_text(struct arena *arena, const struct doc *data, stet_view pointer,
                        stet_view *text, stet_error *err) {
    doc_node node = repeat_value(data, pointer);
    *text = (stet_view){0};
    if (node == DOC_NONE) return STET_OK;
    stet_status status = doc_string(arena, data, node, text);
    if (status == STET_OK) return STET_OK;
    if (status == STET_NO_MEMORY) return no_memory(err);
    return refuse(err, STET_INVALID_TIME, pointer, "is not text");
}

static stet_status read_wall(struct arena *arena, const struct doc *data,
                             const struct exclusive_time *time, bool *there, struct wall *wall,
                             stet_error *err) {
    stet_view text, clock = {0};
    struct wall of_day;
    stet_status status = repeat_text(arena, data, time->pointer, &text, err);
    if (status == STET_OK) status = repeat_text(arena, data, time->clock, &clock, err);
    if (status != STET_OK) return status;
    *there = text.size > 0;
    if (text.size == 0 && clock.size == 0) return STET_OK;
    if (!wall_parse(text, wall))
        return refuse(err, STET_INVALID_TIME, time->pointer,
                      "is not a date or a time: \"2026-03-01T09:30\"");
    if (clock.size == 0) return STET_OK;
    if (wall->has_time || !wall_parse_time(clock, &of_day))
        return refuse(err, STET_INVALID_TIME, time->clock, "is not a time of day: \"09:30\"");
    wall->local += of_day.local;
    wall->ns = of_day.ns;
    wall->has_time = true;
    return STET_OK;
}

static stet_status read_zone(struct arena *arena, const struct exclusive *exclusive,
                             const struct doc *data, struct repeat *repeat, stet_error *err) {
    struct series *series = &repeat->series;
    stet_status status = repeat_text(arena, data, exclusive->tz, &repeat->zone_name, err);
    if (status != STET_OK) return status;
    if (repeat->zone_name.size == 0) {
        series->zone = exclusive->zone;
        if (series->zone != NULL) repeat->zone_name = zone_name(series->zone);
        if (series->zone == NULL && !series->start.has_offset) series->zone = zone_utc();
        return STET_OK;
    }
    status = zone_find(repeat->zone_name, &series->zone, err);
    if (status != STET_OK) error_field_view(err, exclusive->tz, 0);
    return status;
}

static stet_status read_end(struct arena *arena, const struct exclusive *exclusive,
                            const struct doc *data, struct repeat *repeat, stet_error *err) {
    struct series *series = &repeat->series;
    bool there;
    uint64_t seconds;
    if (exclusive->duration.size == 0) {
        stet_status status = read_wall(arena, data, &exclusive->end, &there, &series->end, err);
        if (status != STET_OK || there) return status;
        return refuse(err, STET_INVALID_TIME, exclusive->end.pointer, "is missing");
    }
    doc_node node = repeat_value(data, exclusive->duration);
    if (node == DOC_NONE || !doc_u64(data, node, &seconds) || seconds == 0 ||
        seconds > (uint64_t)SPAN_DAYS_MAX * CIVIL_DAY_S)
        return refuse(err, STET_INVALID_TIME, exclusive->duration,
                      "is not a whole number of seconds that a booking may take");
    /* Elapsed time, whatever the zone's clock does meanwhile: at the start's offset. */
    int64_t start = series_instant(series, &series->start) / CLOCK_NS_PER_S;
    series->end = series->start;
    series->end.has_time = true;
    series->end.has_offset = true;
    series->end.offset = 0;
    series->end.local = start + (int64_t)seconds;
    return STET_OK;
}

static stet_status read_dates(struct arena *arena, const struct doc *data, stet_view pointer,
                              const stet_view **out, size_t *count, stet_error *err) {
    doc_node node = repeat_value(data, pointer);
    *count = 0;
    if (node == DOC_NONE) return STET_OK;
    if (doc_kind(data, node) != DOC_ARRAY)
        return refuse(err, STET_INVALID_TIME, pointer, "is not a list of dates");
    uint32_t size = doc_count(data, node);
    if (size > SERIES_DATES_MAX) {
        error_set(err, STET_TOO_LARGE, "has more than %d dates", SERIES_DATES_MAX);
        error_field_view(err, pointer, SERIES_DATES_MAX);
        return STET_TOO_LARGE;
    }
    stet_view *dates = arena_zalloc(arena, size + 1, sizeof *dates);
    if (dates == NULL) return no_memory(err);
    for (doc_node one = doc_first(data, node); one != DOC_NONE; one = doc_next(data, one)) {
        stet_status status = doc_string(arena, data, one, &dates[(*count)++]);
        if (status == STET_NO_MEMORY) return no_memory(err);
        if (status != STET_OK)
            return refuse(err, STET_INVALID_TIME, pointer, "is not a list of dates");
    }
    *out = dates;
    return STET_OK;
}

static stet_status read_rule(struct arena *arena, const struct exclusive *exclusive,
                             const struct doc *data, struct repeat *repeat, stet_error *err) {
    const struct exclusive_recurrence *recurrence = &exclusive->recurrence;
    struct series *series = &repeat->series;
    if (!exclusive->repeats) return STET_OK;
    stet_status status = repeat_text(arena, data, recurrence->rrule, &series->rrule, err);
    if (status == STET_OK)
        status = read_dates(arena, data, recurrence->exdate, &series->exdates,
                            &series->exdate_count, err);
    if (status == STET_OK)
        status =
            read_dates(arena, data, recurrence->rdate, &series->rdates, &series->rdate_count, err);
    repeat->repeats = series->rrule.size > 0 || series->rdate_count > 0;
    /* Of what happens once nothing is left out. */
    if (!repeat->repeats) series->exdate_count = 0;
    return status;
}

stet_status repeat_read(struct arena *arena, const struct exclusive *exclusive,
                        const struct doc *data, struct repeat *out, stet_error *err) {
    struct repeat repeat = {0};
    struct series *series = &repeat.series;
    stet_status status =
        read_wall(arena, data, &exclusive->start, &repeat.there, &series->start, err);
    if (status == STET_OK && repeat.there) {
        status = read_zone(arena, exclusive, data, &repeat, err);
        if (status == STET_OK) status = read_end(arena, exclusive, data, &repeat, err);
        if (status == STET_OK) status = read_rule(arena, exclusive, data, &repeat, err);
    }
    if (status != STET_OK) return status;
    if (repeat.there) {
        repeat.all_day = !series->start.has_time && !series->end.has_time;
        series->from = INT64_MIN / CLOCK_NS_PER_S;
        series->to =
            series_instant(series, &series->start) / CLOCK_NS_PER_S + SERIES_DAYS_MAX * CIVIL_DAY_S;
        series->occurrences_max = SERIES_OCCURRENCES_MAX;
    }
    *out = repeat;
    return STET_OK;
}

stet_status repeat_expand(struct arena *arena, const struct exclusive *exclusive,
                          const struct repeat *repeat, struct occurrence **list, size_t *count,
                          stet_error *err) {
    enum series_part part = SERIES_START;
    stet_status status = series_expand(arena, &repeat->series, list, count, &part, err);
    if (status == STET_OK || err == NULL || err->field[0] != '\0') return status;
    stet_view pointer = exclusive->start.pointer;
    switch (part) {
    case SERIES_START: break;
    case SERIES_END:
        pointer = exclusive->duration.size > 0 ? exclusive->duration : exclusive->end.pointer;
        break;
    case SERIES_RRULE: pointer = exclusive->recurrence.rrule; break;
    case SERIES_EXDATE: pointer = exclusive->recurrence.exdate; break;
    case SERIES_RDATE: pointer = exclusive->recurrence.rdate; break;
    }
    error_field_view(err, pointer, err->limit);
    return status;
}

stet_status repeat_exception(struct arena *arena, const struct exclusive *exclusive,
                             const struct doc *data, stet_view *series, stet_view *original_start,
                             stet_error *err) {
    stet_status status = repeat_text(arena, data, exclusive->recurrence.series, series, err);
    if (status == STET_OK)
        status =
            repeat_text(arena, data, exclusive->recurrence.original_start, original_start, err);
    return status;
}
