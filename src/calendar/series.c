#include "calendar/series.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "calendar/recur.h"

#include <stdlib.h>

struct expansion {
    const struct series *series;
    struct arena *arena;
    int64_t first;  /* Local seconds of the first start, by the clock that the series repeats by. */
    int64_t length; /* Nanoseconds; of whole days: seconds of the local clock. */
    bool whole_days;
    struct occurrence *list;
    size_t count, room;
    int64_t *excluded; /* Seconds UTC, ascending. */
    size_t excluded_count;
    int64_t *excluded_days; /* Days of the local clock, ascending. */
    size_t excluded_day_count;
    enum series_part part;
    stet_error *err;
};

bool series_parse_time(stet_view text, struct wall *wall) {
    if (wall_parse(text, wall)) return true;
    bool utc = text.size == 16 && text.bytes[15] == 'Z';
    if (text.size != 8 && text.size != 15 && !utc) return false;
    char spelled[24];
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (i == 4 || i == 6) spelled[size++] = '-';
        if (i == 11 || i == 13) spelled[size++] = ':';
        spelled[size++] = text.bytes[i];
    }
    return wall_parse(view_make(spelled, size), wall);
}

/* The instant at which the series' clock shows a time, in seconds; *offset: what was taken away. */
static int64_t resolve(const struct series *series, int64_t local, int32_t *offset) {
    if (series->zone == NULL) {
        *offset = series->start.offset;
        return local - *offset;
    }
    struct zone_moment moment = zone_resolve(series->zone, local);
    *offset = moment.offset;
    return moment.utc;
}

static int64_t instant_s(const struct series *series, const struct wall *wall) {
    int32_t offset;
    if (wall->has_offset) return wall->local - wall->offset;
    return resolve(series, wall->local, &offset);
}

int64_t series_instant(const struct series *series, const struct wall *wall) {
    return instant_s(series, wall) * CLOCK_NS_PER_S + wall->ns;
}

/* What the series' clock shows. */
static int64_t local_of(const struct series *series, const struct wall *wall) {
    if (!wall->has_offset) return wall->local;
    int64_t utc = wall->local - wall->offset;
    return utc + (series->zone == NULL ? series->start.offset : zone_offset(series->zone, utc));
}

static stet_status no_memory(struct expansion *expansion) {
    return error_set(expansion->err, STET_NO_MEMORY, "out of memory for a series");
}

/* The end of 2261, and so of every series: nanoseconds hardly reach further. */
#define TIME_ENDS_S INT64_C(9214646400)

static stet_status add(struct expansion *expansion, int64_t local, const struct wall *exact) {
    const struct series *series = expansion->series;
    struct occurrence one = {.local = local};
    int64_t start = resolve(series, local, &one.offset), end;
    if (exact != NULL && exact->has_offset) {
        /* It may be the second of a repeat. */
        start = exact->local - exact->offset;
        one.offset = (int32_t)(local - start);
    }
    if (start < 0)
        return error_set(expansion->err, STET_INVALID_TIME, "has a date that lies before 1970");
    if (expansion->whole_days) {
        int32_t offset;
        end = resolve(series, local + expansion->length, &offset);
    } else {
        end = start + (series->start.ns + expansion->length + CLOCK_NS_PER_S - 1) / CLOCK_NS_PER_S;
    }
    if (end > TIME_ENDS_S) return STET_OK;
    one.start = start * CLOCK_NS_PER_S + series->start.ns;
    one.end = expansion->whole_days ? end * CLOCK_NS_PER_S : one.start + expansion->length;
    if (start >= series->to || one.end <= series->from * CLOCK_NS_PER_S) return STET_OK;
    if (expansion->count == expansion->room) {
        size_t room = expansion->room == 0 ? 64 : expansion->room * 2;
        struct occurrence *more = arena_alloc(expansion->arena, room * sizeof *more);
        if (more == NULL) return no_memory(expansion);
        if (expansion->count > 0) memcpy(more, expansion->list, expansion->count * sizeof *more);
        expansion->list = more;
        expansion->room = room;
    }
    expansion->list[expansion->count++] = one;
    return STET_OK;
}

/* ---- Dates that are left out -------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool is_among(const int64_t *sorted, size_t count, int64_t value) {
    return count > 0 && bsearch(&value, sorted, count, sizeof *sorted, by_value) != NULL;
}

static stet_status read_date(struct expansion *expansion, stet_view text, struct wall *wall) {
    if (series_parse_time(text, wall)) return STET_OK;
    return error_set(expansion->err, STET_INVALID_TIME,
                     "\"%.*s\" is not a date or a time: \"2026-03-01T09:30\"",
                     text.size > 40 ? 40 : (int)text.size, text.bytes);
}

static stet_status check_count(struct expansion *expansion, size_t count) {
    if (count <= SERIES_DATES_MAX) return STET_OK;
    error_set(expansion->err, STET_TOO_LARGE, "has more than %d dates", SERIES_DATES_MAX);
    error_field(expansion->err, "", SERIES_DATES_MAX);
    return STET_TOO_LARGE;
}

static stet_status read_excluded(struct expansion *expansion) {
    const struct series *series = expansion->series;
    expansion->part = SERIES_EXDATE;
    stet_status status = check_count(expansion, series->exdate_count);
    if (status != STET_OK || series->exdate_count == 0) return status;
    expansion->excluded = arena_zalloc(expansion->arena, series->exdate_count, sizeof(int64_t));
    expansion->excluded_days =
        arena_zalloc(expansion->arena, series->exdate_count, sizeof(int64_t));
    if (expansion->excluded == NULL || expansion->excluded_days == NULL)
        return no_memory(expansion);
    for (size_t i = 0; i < series->exdate_count; i++) {
        struct wall wall;
        status = read_date(expansion, series->exdates[i], &wall);
        if (status != STET_OK) return status;
        if (wall.has_time) {
            expansion->excluded[expansion->excluded_count++] = instant_s(series, &wall);
        } else {
            expansion->excluded_days[expansion->excluded_day_count++] =
                civil_floor_div(wall.local, CIVIL_DAY_S);
        }
    }
    qsort(expansion->excluded, expansion->excluded_count, sizeof(int64_t), by_value);
    qsort(expansion->excluded_days, expansion->excluded_day_count, sizeof(int64_t), by_value);
    return STET_OK;
}

static bool is_excluded(const struct expansion *expansion, const struct occurrence *one) {
    return is_among(expansion->excluded, expansion->excluded_count,
                    civil_floor_div(one->start, CLOCK_NS_PER_S)) ||
           is_among(expansion->excluded_days, expansion->excluded_day_count,
                    civil_floor_div(one->local, CIVIL_DAY_S));
}

/* ---- The rule and the dates that are added -------------------------------------------------------------------------------------- */

static bool is_past_until(const struct expansion *expansion, const struct recur_rule *rule,
                          int64_t local) {
    const struct wall *until = &rule->until;
    int32_t offset;
    if (!rule->has_until) return false;
    if (!until->has_time)
        return civil_floor_div(local, CIVIL_DAY_S) > civil_floor_div(until->local, CIVIL_DAY_S);
    if (until->has_offset)
        return resolve(expansion->series, local, &offset) > until->local - until->offset;
    return local > until->local;
}

static stet_status too_many(struct expansion *expansion) {
    uint64_t most = expansion->series->occurrences_max;
    error_set(expansion->err, STET_TOO_LARGE,
              "has more than %llu occurrences in the time that is planned ahead",
              (unsigned long long)most);
    error_field(expansion->err, "", most);
    return STET_TOO_LARGE;
}

static stet_status follow_rule(struct expansion *expansion, struct recur_walk *walk) {
    const struct series *series = expansion->series;
    /* No zone is further from UTC than this. */
    int64_t to = series->to + 26 * 3600, local;
    enum recur_found found;
    while ((found = recur_next(walk, to, &local)) == RECUR_FOUND) {
        if (is_past_until(expansion, walk->rule, local)) return STET_OK;
        stet_status status =
            add(expansion, local, local == expansion->first ? &series->start : NULL);
        if (status != STET_OK) return status;
        if (expansion->count > series->occurrences_max + series->exdate_count)
            return too_many(expansion);
    }
    if (found == RECUR_OVER) return STET_OK;
    bool alone = series->steps == NULL || *series->steps >= RRULE_STEPS_MAX;
    uint64_t most = alone ? RRULE_STEPS_MAX : RRULE_STEPS_PER_REQUEST_MAX;
    error_set(expansion->err, STET_TOO_LARGE, "takes more than %llu steps to follow%s",
              (unsigned long long)most, alone ? "" : ", with the others of the request");
    error_field(expansion->err, "", most);
    return STET_TOO_LARGE;
}

static stet_status expand_rule(struct expansion *expansion) {
    const struct series *series = expansion->series;
    struct recur_rule *rule = arena_alloc(expansion->arena, sizeof *rule);
    struct recur_walk *walk = arena_alloc(expansion->arena, sizeof *walk);
    if (rule == NULL || walk == NULL) return no_memory(expansion);
    expansion->part = SERIES_RRULE;
    stet_status status = recur_parse(series->rrule, rule, expansion->err);
    if (status != STET_OK) return status;
    uint64_t steps = RRULE_STEPS_MAX;
    if (series->steps != NULL && *series->steps < steps) steps = *series->steps;
    recur_begin(walk, rule, expansion->first, steps);
    status = follow_rule(expansion, walk);
    if (series->steps != NULL) *series->steps -= steps - walk->steps_left;
    return status;
}

static stet_status add_dates(struct expansion *expansion) {
    const struct series *series = expansion->series;
    expansion->part = SERIES_RDATE;
    stet_status status = check_count(expansion, series->rdate_count);
    for (size_t i = 0; status == STET_OK && i < series->rdate_count; i++) {
        struct wall wall;
        status = read_date(expansion, series->rdates[i], &wall);
        if (status != STET_OK) return status;
        int64_t local = local_of(series, &wall);
        if (!wall.has_time && series->start.has_time) {
            int64_t day = civil_floor_div(expansion->first, CIVIL_DAY_S) * CIVIL_DAY_S;
            local += expansion->first - day;
        }
        status = add(expansion, local, &wall);
    }
    return status;
}

static int by_start(const void *a, const void *b) {
    const struct occurrence *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* In order, each once, and without what is left out. */
static void settle(struct expansion *expansion) {
    size_t kept = 0;
    if (expansion->count > 1)
        qsort(expansion->list, expansion->count, sizeof *expansion->list, by_start);
    for (size_t i = 0; i < expansion->count; i++) {
        const struct occurrence one = expansion->list[i];
        if (is_excluded(expansion, &one)) continue;
        if (kept > 0 && expansion->list[kept - 1].start == one.start) continue;
        expansion->list[kept++] = one;
    }
    expansion->count = kept;
}

static stet_status measure(struct expansion *expansion) {
    const struct series *series = expansion->series;
    /* Nobody may have looked at it yet: centuries do not go into nanoseconds. */
    if (instant_s(series, &series->end) - instant_s(series, &series->start) >
        (SPAN_DAYS_MAX + 1) * CIVIL_DAY_S) {
        expansion->part = SERIES_END;
        return error_set(expansion->err, STET_INVALID_TIME, "is more than %d days after the start",
                         SPAN_DAYS_MAX);
    }
    int64_t start = series_instant(series, &series->start);
    int64_t end = series_instant(series, &series->end);
    expansion->first = local_of(series, &series->start);
    expansion->whole_days = !series->start.has_time && !series->end.has_time;
    expansion->length =
        expansion->whole_days ? series->end.local - series->start.local : end - start;
    expansion->part = SERIES_END;
    if (end <= start || expansion->length <= 0)
        return error_set(expansion->err, STET_INVALID_TIME, "lies before the start, or on it");
    return STET_OK;
}

stet_status series_expand(struct arena *arena, const struct series *series,
                          struct occurrence **list, size_t *count, enum series_part *part,
                          stet_error *err) {
    struct expansion expansion = {.series = series, .arena = arena, .err = err};
    stet_status status = measure(&expansion);
    if (status == STET_OK) status = read_excluded(&expansion);
    if (status == STET_OK) {
        status = series->rrule.size > 0 ? expand_rule(&expansion)
                                        : add(&expansion, expansion.first, &series->start);
    }
    if (status == STET_OK) status = add_dates(&expansion);
    if (status == STET_OK) {
        settle(&expansion);
        if (expansion.count > series->occurrences_max) status = too_many(&expansion);
    }
    if (status != STET_OK) {
        *part = expansion.part;
        return status;
    }
    *list = expansion.list;
    *count = expansion.count;
    return STET_OK;
}
