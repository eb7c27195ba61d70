/*
 * Times as people write them into records: with an offset, or as a clock on a wall shows them.
 */
#include "core/exclusive.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"

enum { YEAR_FIRST = 1970, YEAR_LAST = 2261, S_PER_DAY = 86400 };

static bool take_digits(stet_view *text, size_t count, uint32_t *value) {
    uint32_t result = 0;
    if (text->size < count) return false;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)(unsigned char)text->bytes[i] - '0';
        if (digit > 9) return false;
        result = 10 * result + digit;
    }
    *text = view_make(text->bytes + count, text->size - count);
    *value = result;
    return true;
}

static bool take_char(stet_view *text, char a, char b) {
    if (text->size == 0 || (text->bytes[0] != a && text->bytes[0] != b)) return false;
    *text = view_make(text->bytes + 1, text->size - 1);
    return true;
}

static bool is_leap(int32_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

static uint32_t days_in_month(int32_t year, uint32_t month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static bool take_date(stet_view *text, struct wall_time *wall) {
    uint32_t year, month, day;
    if (!take_digits(text, 4, &year) || !take_char(text, '-', '-') ||
        !take_digits(text, 2, &month) || !take_char(text, '-', '-') || !take_digits(text, 2, &day))
        return false;
    if (year < YEAR_FIRST || year > YEAR_LAST || month < 1 || month > 12 || day < 1 ||
        day > days_in_month((int32_t)year, month))
        return false;
    wall->year = (int32_t)year;
    wall->month = (uint8_t)month;
    wall->day = (uint8_t)day;
    return true;
}

static bool take_fraction(stet_view *text, uint32_t *ns) {
    size_t count = 0;
    while (count < text->size && text->bytes[count] >= '0' && text->bytes[count] <= '9')
        count++;
    if (count < 1 || count > 9 || !take_digits(text, count, ns)) return false;
    for (; count < 9; count++)
        *ns *= 10;
    return true;
}

static bool take_offset(stet_view *text, struct wall_time *wall) {
    uint32_t hours, minutes;
    if (text->size == 0) return true;
    wall->has_offset = true;
    if (take_char(text, 'Z', 'z')) return true;
    bool west = text->bytes[0] == '-';
    if (!take_char(text, '+', '-') || !take_digits(text, 2, &hours) || !take_char(text, ':', ':') ||
        !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    wall->offset_s = (int32_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

static bool take_clock(stet_view *text, struct wall_time *wall) {
    uint32_t hour, minute, second = 0;
    if (!take_digits(text, 2, &hour) || !take_char(text, ':', ':') ||
        !take_digits(text, 2, &minute))
        return false;
    if (take_char(text, ':', ':')) {
        if (!take_digits(text, 2, &second)) return false;
        if (take_char(text, '.', '.') && !take_fraction(text, &wall->nanosecond)) return false;
    }
    if (hour > 23 || minute > 59 || second > 59) return false;
    wall->hour = (uint8_t)hour;
    wall->minute = (uint8_t)minute;
    wall->second = (uint8_t)second;
    return take_offset(text, wall);
}

bool wall_time_parse(stet_view text, stet_view clock, struct wall_time *wall) {
    *wall = (struct wall_time){0};
    if (!take_date(&text, wall)) return false;
    if (clock.size > 0) return text.size == 0 && take_clock(&clock, wall) && clock.size == 0;
    wall->is_date = text.size == 0;
    if (wall->is_date) return true;
    return (take_char(&text, 'T', 't') || take_char(&text, ' ', ' ')) && take_clock(&text, wall) &&
           text.size == 0;
}

int64_t wall_time_ns(const struct wall_time *wall) {
    int64_t before = wall->year - 1;
    int64_t days = 365 * before + before / 4 - before / 100 + before / 400 - 719162;
    for (uint32_t month = 1; month < wall->month; month++)
        days += days_in_month(wall->year, month);
    days += wall->day - 1;
    int64_t s = days * S_PER_DAY + wall->hour * 3600 + wall->minute * 60 + wall->second;
    return s * CLOCK_NS_PER_S + wall->nanosecond;
}

stet_status wall_time_to_utc(const struct wall_time *wall, stet_view zone, int64_t *ns,
                             stet_error *err) {
    int64_t at = wall_time_ns(wall);
    if (wall->has_offset) {
        at -= wall->offset_s * CLOCK_NS_PER_S;
    } else if (zone.size == 0 && !wall->is_date) {
        return error_set(err, STET_INVALID_TIME, "has neither an offset (Z, +01:00) nor a zone");
    } else if (zone.size > 0 && !view_equal(zone, VIEW("UTC"))) {
        return error_set(err, STET_INVALID_TIME, "\"%.*s\" is not a time zone known here",
                         VIEW_ARG(zone));
    }
    if (at < 0) return error_set(err, STET_INVALID_TIME, "lies before 1970");
    *ns = at;
    return STET_OK;
}
