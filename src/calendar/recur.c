#include "calendar/recur.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

#include <assert.h>
#include <stdlib.h>

/* Years from it on are still counted in an int. */
enum { INTERVAL_MAX = 1000000000 };

/* ---- Reading a rule ----------------------------------------------------------------------------------------------------------- */

struct part {
    stet_view name;
    stet_view value;
    stet_error *err;
};

static stet_status wrong(const struct part *part, const char *what) {
    return error_set(part->err, STET_INVALID_TIME,
                     "the recurrence rule's %.*s=%.*s is not valid: %s",
                     part->name.size > 16 ? 16 : (int)part->name.size, part->name.bytes,
                     part->value.size > 40 ? 40 : (int)part->value.size, part->value.bytes, what);
}

/* The text up to `separator`, and what is behind it; false at the end. */
static bool split(stet_view *rest, char separator, stet_view *piece) {
    if (rest->bytes == NULL) return false;
    const char *at = memchr(rest->bytes, separator, rest->size);
    if (at == NULL) {
        *piece = *rest;
        *rest = (stet_view){0};
        return true;
    }
    *piece = view_make(rest->bytes, (size_t)(at - rest->bytes));
    *rest = view_make(at + 1, rest->size - piece->size - 1);
    return true;
}

/* A whole number with an optional sign, its size at most `max`. */
static bool number(stet_view text, int64_t max, int64_t *value) {
    bool negative = false;
    if (text.size > 0 && (text.bytes[0] == '-' || text.bytes[0] == '+')) {
        negative = text.bytes[0] == '-';
        text = view_make(text.bytes + 1, text.size - 1);
    }
    uint64_t read;
    if (!view_parse_u64(text, &read) || read > (uint64_t)max) return false;
    *value = negative ? -(int64_t)read : (int64_t)read;
    return true;
}

static bool weekday_of(stet_view text, int *weekday) {
    static const char names[] = "MOTUWETHFRSASU";
    for (int i = 0; i < 7; i++) {
        if (!view_equal_nocase(text, view_make(names + 2 * i, 2))) continue;
        *weekday = i;
        return true;
    }
    return false;
}

static stet_status read_set(const struct part *part, int64_t low, int64_t high, uint64_t *set) {
    stet_view rest = part->value, piece;
    while (split(&rest, ',', &piece)) {
        int64_t value;
        if (!number(piece, high, &value) || value < low) return wrong(part, "out of its range");
        /* A leap second is the second before it, here as everywhere in POSIX. */
        *set |= UINT64_C(1) << (value == 60 ? 59 : value);
    }
    return STET_OK;
}

static stet_status read_days(const struct part *part, int64_t high, struct recur_days *days) {
    stet_view rest = part->value, piece;
    while (split(&rest, ',', &piece)) {
        int64_t value;
        if (!number(piece, high, &value) || value == 0) return wrong(part, "out of its range");
        uint64_t *set = value > 0 ? days->positive : days->negative;
        set[llabs(value) / 64] |= UINT64_C(1) << llabs(value) % 64;
        days->count++;
    }
    return STET_OK;
}

static stet_status read_weekdays(const struct part *part, struct recur_rule *rule) {
    stet_view rest = part->value, piece;
    while (split(&rest, ',', &piece)) {
        int weekday;
        int64_t nth = 0;
        if (piece.size < 2 || !weekday_of(view_make(piece.bytes + piece.size - 2, 2), &weekday) ||
            (piece.size > 2 &&
             (!number(view_make(piece.bytes, piece.size - 2), 53, &nth) || nth == 0))) {
            return wrong(part, "a day is MO to SU, with a number from 1 to 53 before it or none");
        }
        if (nth == 0) {
            rule->weekdays |= 1u << weekday;
        } else if (rule->nth_count < RECUR_LIST_MAX) {
            rule->nth[rule->nth_count++] = (struct recur_nth){(int8_t)weekday, (int16_t)nth};
        } else {
            return wrong(part, "the list is too long");
        }
    }
    return STET_OK;
}

static stet_status read_positions(const struct part *part, struct recur_rule *rule) {
    stet_view rest = part->value, piece;
    while (split(&rest, ',', &piece)) {
        int64_t value;
        if (!number(piece, 366, &value) || value == 0) return wrong(part, "out of its range");
        if (rule->position_count == RECUR_LIST_MAX) return wrong(part, "the list is too long");
        rule->positions[rule->position_count++] = (int16_t)value;
    }
    return STET_OK;
}

static stet_status read_frequency(const struct part *part, struct recur_rule *rule) {
    static const char *const names[] = {"SECONDLY", "MINUTELY", "HOURLY", "DAILY",
                                        "WEEKLY",   "MONTHLY",  "YEARLY"};
    for (unsigned i = 0; i < 7; i++) {
        if (!view_equal_nocase(part->value, view_of(names[i]))) continue;
        rule->freq = (enum recur_freq)i;
        return STET_OK;
    }
    return wrong(part, "it is SECONDLY to YEARLY");
}

/* "20261231", "20261231T235959", "20261231T235959Z"; also as our own texts are written. */
static stet_status read_until(const struct part *part, struct recur_rule *rule) {
    stet_view text = part->value;
    char spelled[24];
    rule->has_until = true;
    if (wall_parse(text, &rule->until)) return STET_OK;
    bool utc = text.size == 16 && text.bytes[15] == 'Z';
    if (text.size != 8 && text.size != 15 && !utc) return wrong(part, "it is a date or a time");
    const char *t = text.bytes;
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (i == 4 || i == 6) spelled[size++] = '-';
        if (i == 11 || i == 13) spelled[size++] = ':';
        spelled[size++] = t[i];
    }
    if (!wall_parse(view_make(spelled, size), &rule->until))
        return wrong(part, "it is a date or a time");
    return STET_OK;
}

static stet_status read_part(const struct part *part, struct recur_rule *rule) {
    static const char *const names[] = {"FREQ",      "INTERVAL", "COUNT",   "UNTIL",   "WKST",
                                        "BYSECOND",  "BYMINUTE", "BYHOUR",  "BYDAY",   "BYMONTHDAY",
                                        "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS"};
    uint64_t months = 0;
    int64_t value;
    stet_status status;
    size_t which = 0;
    while (which < sizeof names / sizeof *names &&
           !view_equal_nocase(part->name, view_of(names[which])))
        which++;
    switch (which) {
    case 0: return read_frequency(part, rule);
    case 1:
        if (!number(part->value, INTERVAL_MAX, &value) || value < 1)
            return wrong(part, "it is 1 or more");
        rule->interval = (uint32_t)value;
        return STET_OK;
    case 2:
        if (!number(part->value, INT64_C(1000000000000), &value) || value < 1)
            return wrong(part, "it is 1 or more");
        rule->count = (uint64_t)value;
        return STET_OK;
    case 3: return read_until(part, rule);
    case 4:
        return weekday_of(part->value, &rule->week_start) ? STET_OK : wrong(part, "it is MO to SU");
    case 5: return read_set(part, 0, 60, &rule->seconds);
    case 6: return read_set(part, 0, 59, &rule->minutes);
    case 7: return read_set(part, 0, 23, &rule->hours);
    case 8: return read_weekdays(part, rule);
    case 9: return read_days(part, 31, &rule->month_days);
    case 10: return read_days(part, 366, &rule->year_days);
    case 11: return read_days(part, 53, &rule->weeks);
    case 12:
        status = read_set(part, 1, 12, &months);
        rule->months = (unsigned)months;
        return status;
    case 13: return read_positions(part, rule);
    }
    return wrong(part, "no such part is known");
}

/* The notes below the table of RFC 5545, 3.3.10. */
static stet_status check_rule(const struct recur_rule *rule, stet_error *err) {
    const char *why = NULL;
    if (rule->count > 0 && rule->has_until) {
        why = "COUNT and UNTIL exclude each other";
    } else if (rule->weeks.count > 0 && rule->freq != RECUR_YEARLY) {
        why = "BYWEEKNO goes with FREQ=YEARLY only";
    } else if (rule->year_days.count > 0 && rule->freq >= RECUR_DAILY &&
               rule->freq <= RECUR_MONTHLY) {
        why = "BYYEARDAY does not go with FREQ=DAILY, WEEKLY or MONTHLY";
    } else if (rule->month_days.count > 0 && rule->freq == RECUR_WEEKLY) {
        why = "BYMONTHDAY does not go with FREQ=WEEKLY";
    } else if (rule->nth_count > 0 && (rule->freq < RECUR_MONTHLY ||
                                       (rule->freq == RECUR_YEARLY && rule->weeks.count > 0))) {
        why = "a number before a day in BYDAY goes with FREQ=MONTHLY or YEARLY, without BYWEEKNO";
    } else if (rule->position_count > 0 && rule->weekdays == 0 && rule->nth_count == 0 &&
               rule->month_days.count + rule->year_days.count + rule->weeks.count == 0 &&
               rule->months == 0 && rule->hours == 0 && rule->minutes == 0 && rule->seconds == 0) {
        why = "BYSETPOS needs another BY… to pick from";
    }
    if (why == NULL) return STET_OK;
    return error_set(err, STET_INVALID_TIME, "the recurrence rule is not valid: %s", why);
}

stet_status recur_parse(stet_view text, struct recur_rule *out, stet_error *err) {
    struct recur_rule rule = {.interval = 1};
    stet_view seen[16];
    size_t parts = 0;
    if (text.size == 0 || text.size > RRULE_BYTES_MAX) {
        stet_status status = error_set(err, STET_INVALID_TIME,
                                       "a recurrence rule has 1 to %d bytes", RRULE_BYTES_MAX);
        error_field(err, "", text.size == 0 ? 0 : RRULE_BYTES_MAX);
        return status;
    }
    bool has_frequency = false;
    stet_view rest = text, piece;
    while (split(&rest, ';', &piece)) {
        struct part part = {.err = err};
        stet_view value = piece;
        if (!split(&value, '=', &part.name) || value.bytes == NULL || value.size == 0)
            return error_set(err, STET_INVALID_TIME,
                             "the recurrence rule is not valid: its parts are NAME=VALUE");
        part.value = value;
        for (size_t i = 0; i < parts; i++)
            if (view_equal_nocase(seen[i], part.name)) return wrong(&part, "it is there twice");
        if (parts == sizeof seen / sizeof *seen) return wrong(&part, "there are too many parts");
        seen[parts++] = part.name;
        has_frequency = has_frequency || view_equal_nocase(part.name, VIEW("FREQ"));
        stet_status status = read_part(&part, &rule);
        if (status != STET_OK) return status;
    }
    if (!has_frequency)
        return error_set(err, STET_INVALID_TIME,
                         "the recurrence rule is not valid: FREQ is missing");
    stet_status status = check_rule(&rule, err);
    if (status == STET_OK) *out = rule;
    return status;
}

/* ---- The days of a period ----------------------------------------------------------------------------------------------------- */

static bool has(const struct recur_days *days, int value, int length) {
    int from_end = length - value + 1;
    return (days->positive[value / 64] >> value % 64 & 1) ||
           (days->negative[from_end / 64] >> from_end % 64 & 1);
}

static int year_length(int year) { return civil_month_days(year, 2) == 29 ? 366 : 365; }

/* The first day of a year's week 1: the first week with at least four days in it. */
static int64_t first_week(int year, int week_start) {
    int64_t first = civil_days(year, 1, 1);
    int into = (civil_weekday(first) - week_start + 7) % 7;
    return into <= 3 ? first - into : first + 7 - into;
}

/* Whether a day lies in one of the weeks, as weeks of its own calendar year or of the ones beside it. */
static bool in_weeks(const struct recur_rule *rule, int64_t day, int year) {
    for (int y = year - 1; y <= year + 1; y++) {
        int64_t from = first_week(y, rule->week_start);
        int64_t to = first_week(y + 1, rule->week_start);
        if (day < from || day >= to) continue;
        return has(&rule->weeks, (int)((day - from) / 7) + 1, (int)((to - from) / 7));
    }
    return false;
}

static bool is_nth(const struct recur_rule *rule, int64_t day, const struct civil *date) {
    int weekday = civil_weekday(day);
    bool of_month = rule->freq == RECUR_MONTHLY || rule->months != 0;
    int64_t first =
        of_month ? civil_days(date->year, date->month, 1) : civil_days(date->year, 1, 1);
    int length = of_month ? civil_month_days(date->year, date->month) : year_length(date->year);
    int from_start = (int)(day - first) / 7 + 1;
    int from_end = -((length - 1 - (int)(day - first)) / 7 + 1);
    for (size_t i = 0; i < rule->nth_count; i++) {
        if (rule->nth[i].weekday != weekday) continue;
        if (rule->nth[i].nth == from_start || rule->nth[i].nth == from_end) return true;
    }
    return false;
}

/* What the rule does not say comes from the first time. */
static bool fits_start(const struct recur_walk *walk, int64_t day, const struct civil *date) {
    const struct recur_rule *rule = walk->rule;
    struct civil first = civil_of(walk->start);
    bool days_given = rule->weekdays != 0 || rule->nth_count > 0 || rule->month_days.count > 0 ||
                      rule->year_days.count > 0;
    if (days_given || rule->freq < RECUR_WEEKLY) return true;
    if (rule->freq == RECUR_WEEKLY || rule->weeks.count > 0)
        return civil_weekday(day) == civil_weekday(civil_floor_div(walk->start, CIVIL_DAY_S));
    if (date->day != first.day) return false;
    return rule->freq == RECUR_MONTHLY || rule->months != 0 || date->month == first.month;
}

static bool day_passes(const struct recur_walk *walk, int64_t day) {
    const struct recur_rule *rule = walk->rule;
    struct civil date = civil_of(day * CIVIL_DAY_S);
    if (rule->months != 0 && !(rule->months >> date.month & 1)) return false;
    if (rule->weeks.count > 0 && !in_weeks(rule, day, date.year)) return false;
    if (rule->year_days.count > 0) {
        int of_year = (int)(day - civil_days(date.year, 1, 1)) + 1;
        if (!has(&rule->year_days, of_year, year_length(date.year))) return false;
    }
    if (rule->month_days.count > 0 &&
        !has(&rule->month_days, date.day, civil_month_days(date.year, date.month)))
        return false;
    if (rule->weekdays != 0 || rule->nth_count > 0) {
        bool every = rule->weekdays >> civil_weekday(day) & 1;
        if (!every && !(rule->nth_count > 0 && is_nth(rule, day, &date))) return false;
    }
    return fits_start(walk, day, &date);
}

/* ---- Periods ------------------------------------------------------------------------------------------------------------------ */

static size_t members(uint64_t set, int otherwise, uint8_t *out) {
    size_t count = 0;
    if (set == 0) {
        out[0] = (uint8_t)otherwise;
        return 1;
    }
    for (int i = 0; i < 60; i++)
        if (set >> i & 1) out[count++] = (uint8_t)i;
    return count;
}

static bool one_of(uint64_t set, int value) { return set == 0 || (set >> value & 1); }

/* The times of day of the period's set. For short periods what the period does not fix comes from the rule, if it passes there. */
static bool fill_times(struct recur_walk *walk) {
    const struct recur_rule *rule = walk->rule;
    struct civil first = civil_of(walk->start);
    struct civil at = rule->freq < RECUR_DAILY ? civil_of(walk->period) : first;
    if (rule->freq < RECUR_DAILY && !one_of(rule->hours, at.hour)) return false;
    if (rule->freq < RECUR_HOURLY && !one_of(rule->minutes, at.minute)) return false;
    if (rule->freq < RECUR_MINUTELY && !one_of(rule->seconds, at.second)) return false;
    walk->hour_count = members(rule->freq < RECUR_DAILY ? 0 : rule->hours, at.hour, walk->hour);
    walk->minute_count =
        members(rule->freq < RECUR_HOURLY ? 0 : rule->minutes,
                rule->freq < RECUR_HOURLY ? at.minute : first.minute, walk->minute);
    walk->second_count =
        members(rule->freq < RECUR_MINUTELY ? 0 : rule->seconds,
                rule->freq < RECUR_MINUTELY ? at.second : first.second, walk->second);
    return true;
}

static void period_days(const struct recur_walk *walk, int64_t *first, int64_t *count) {
    int year = (int)civil_floor_div(walk->period, 12);
    int month = (int)(walk->period - (int64_t)year * 12) + 1;
    switch (walk->rule->freq) {
    case RECUR_YEARLY:
        *first = civil_days(year, 1, 1);
        *count = year_length(year);
        return;
    case RECUR_MONTHLY:
        *first = civil_days(year, month, 1);
        *count = civil_month_days(year, month);
        return;
    case RECUR_WEEKLY:
        *first = walk->period;
        *count = 7;
        return;
    case RECUR_DAILY:
        *first = walk->period;
        *count = 1;
        return;
    case RECUR_HOURLY:
    case RECUR_MINUTELY:
    case RECUR_SECONDLY: break;
    }
    *first = civil_floor_div(walk->period, CIVIL_DAY_S);
    *count = 1;
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t times_of_day(const struct recur_walk *walk) {
    return (uint64_t)walk->hour_count * walk->minute_count * walk->second_count;
}

static void pick(struct recur_walk *walk) {
    uint64_t total = walk->day_count * times_of_day(walk);
    walk->pick_count = 0;
    for (size_t i = 0; i < walk->rule->position_count; i++) {
        int position = walk->rule->positions[i];
        uint64_t distance = (uint64_t)abs(position);
        if (distance > total) continue;
        walk->picks[walk->pick_count++] = position > 0 ? distance - 1 : total - distance;
    }
    qsort(walk->picks, walk->pick_count, sizeof *walk->picks, by_number);
}

static bool spend(struct recur_walk *walk, uint64_t steps) {
    if (walk->steps_left < steps) {
        walk->steps_left = 0;
        return false;
    }
    walk->steps_left -= steps;
    return true;
}

static int64_t period_length_s(enum recur_freq freq) {
    return freq == RECUR_HOURLY ? 3600 : freq == RECUR_MINUTELY ? 60 : 1;
}

/* To the next period; of short ones to the first at `from` or later, in whole intervals. */
static void advance(struct recur_walk *walk, int64_t from) {
    const struct recur_rule *rule = walk->rule;
    int64_t interval = rule->interval;
    walk->filled = false;
    switch (rule->freq) {
    case RECUR_YEARLY: walk->period += 12 * interval; return;
    case RECUR_MONTHLY: walk->period += interval; return;
    case RECUR_WEEKLY: walk->period += 7 * interval; return;
    case RECUR_DAILY: walk->period += interval; return;
    case RECUR_HOURLY:
    case RECUR_MINUTELY:
    case RECUR_SECONDLY: break;
    }
    interval *= period_length_s(rule->freq);
    int64_t missing = from - walk->period;
    int64_t count = missing <= interval ? 1 : (missing + interval - 1) / interval;
    walk->period += count * interval;
}

/* Where the next period that can hold something begins at the earliest, of short periods whose day or hour does not pass. */
static int64_t next_chance(const struct recur_walk *walk, bool day_fits) {
    int64_t unit = CIVIL_DAY_S;
    if (day_fits) {
        struct civil at = civil_of(walk->period);
        if (walk->rule->freq >= RECUR_DAILY) return 0;
        if (!one_of(walk->rule->hours, at.hour)) {
            unit = 3600;
        } else {
            unit = walk->rule->freq == RECUR_SECONDLY && !one_of(walk->rule->minutes, at.minute)
                       ? 60
                       : 1;
        }
    }
    return (civil_floor_div(walk->period, unit) + 1) * unit;
}

static int64_t period_from(const struct recur_walk *walk) {
    int64_t first, count;
    if (walk->rule->freq < RECUR_DAILY) return walk->period;
    period_days(walk, &first, &count);
    return first * CIVIL_DAY_S;
}

/* Sets the period's set up. False: nothing is in it; *from then says where to go on. */
static bool fill(struct recur_walk *walk, int64_t *from) {
    int64_t first, count;
    period_days(walk, &first, &count);
    walk->day_count = 0;
    walk->next = 0;
    for (int64_t day = first; day < first + count; day++)
        if (day_passes(walk, day)) walk->days[walk->day_count++] = day;
    *from = next_chance(walk, walk->day_count > 0);
    if (walk->day_count == 0 || !fill_times(walk)) return false;
    if (walk->rule->position_count > 0) pick(walk);
    walk->filled = true;
    return true;
}

static int64_t member(const struct recur_walk *walk, uint64_t index) {
    uint64_t of_day = times_of_day(walk);
    uint64_t time = index % of_day;
    uint64_t second = time % walk->second_count;
    uint64_t minute = time / walk->second_count % walk->minute_count;
    uint64_t hour = time / walk->second_count / walk->minute_count;
    return walk->days[index / of_day] * CIVIL_DAY_S + walk->hour[hour] * 3600 +
           walk->minute[minute] * 60 + walk->second[second];
}

/* The next of the period's set that is later than the first time. */
static bool take(struct recur_walk *walk, int64_t *local) {
    bool picks = walk->rule->position_count > 0;
    uint64_t total = picks ? walk->pick_count : walk->day_count * times_of_day(walk);
    if (walk->next == 0 && !picks) {
        /* Only the first period has some before it; they are passed over at once. */
        uint64_t low = 0, high = total;
        while (low < high) {
            uint64_t middle = low + (high - low) / 2;
            if (member(walk, middle) <= walk->start) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        walk->next = low;
    }
    while (walk->next < total) {
        uint64_t index = picks ? walk->picks[walk->next] : walk->next;
        bool again = picks && walk->next > 0 && walk->picks[walk->next - 1] == index;
        *local = member(walk, index);
        if (*local > walk->start && !again) return true;
        walk->next++;
    }
    return false;
}

void recur_begin(struct recur_walk *walk, const struct recur_rule *rule, int64_t start,
                 uint64_t steps_max) {
    struct civil first = civil_of(start);
    int64_t day = civil_floor_div(start, CIVIL_DAY_S);
    walk->rule = rule;
    walk->start = start;
    walk->steps_left = steps_max;
    walk->told = 0;
    walk->over = false;
    walk->filled = false;
    walk->next = 0;
    switch (rule->freq) {
    case RECUR_YEARLY: walk->period = (int64_t)first.year * 12; break;
    case RECUR_MONTHLY: walk->period = (int64_t)first.year * 12 + first.month - 1; break;
    case RECUR_WEEKLY: walk->period = day - (civil_weekday(day) - rule->week_start + 7) % 7; break;
    case RECUR_DAILY: walk->period = day; break;
    case RECUR_HOURLY:
    case RECUR_MINUTELY:
    case RECUR_SECONDLY:
        walk->period = start - (start - civil_floor_div(start, period_length_s(rule->freq)) *
                                            period_length_s(rule->freq));
        break;
    }
}

enum recur_found recur_next(struct recur_walk *walk, int64_t to, int64_t *local) {
    const struct recur_rule *rule = walk->rule;
    assert(to < INT64_C(250000000000)); /* Year 9892: what civil_of can name. */
    if (walk->over || (rule->count > 0 && walk->told >= rule->count)) return RECUR_OVER;
    if (walk->told == 0) {
        if (walk->start > to) return RECUR_OVER;
        walk->told = 1;
        *local = walk->start;
        return RECUR_FOUND;
    }
    for (;;) {
        if (!walk->filled) {
            if (period_from(walk) > to) return RECUR_OVER;
            int64_t from;
            uint64_t days = rule->freq == RECUR_YEARLY    ? 366
                            : rule->freq == RECUR_MONTHLY ? 31
                            : rule->freq == RECUR_WEEKLY  ? 7
                                                          : 1;
            if (!spend(walk, days)) return RECUR_EXHAUSTED;
            if (!fill(walk, &from)) {
                advance(walk, from);
                continue;
            }
        }
        if (!spend(walk, 1)) return RECUR_EXHAUSTED;
        if (!take(walk, local)) {
            advance(walk, 0);
            continue;
        }
        if (*local > to) return RECUR_OVER;
        walk->next++;
        walk->told++;
        return RECUR_FOUND;
    }
}
