#include "calendar/civil.h"

#include "base/view.h"

#include <stdio.h>

int64_t civil_floor_div(int64_t value, int64_t by) { return value / by - (value % by < 0); }

/* The year is taken to begin in March, so that the leap day is its last (H. Hinnant, "chrono-compatible low-level date algorithms"). */
int64_t civil_days(int year, int month, int day) {
    int64_t months = (int64_t)year * 12 + month - 1;
    int64_t y = civil_floor_div(months, 12);
    int64_t m = months - y * 12; /* 0: January. */
    if (m < 2) y--;
    int64_t era = civil_floor_div(y, 400);
    int64_t of_era = y - era * 400;
    int64_t from_march = (m + 10) % 12;
    int64_t of_year = (153 * from_march + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t civil_seconds(const struct civil *civil) {
    return civil_days(civil->year, civil->month, civil->day) * CIVIL_DAY_S + civil->hour * 3600 +
           civil->minute * 60 + civil->second;
}

struct civil civil_of(int64_t seconds) {
    int64_t days = civil_floor_div(seconds, CIVIL_DAY_S);
    int rest = (int)(seconds - days * CIVIL_DAY_S);
    days += 719468;
    int64_t era = civil_floor_div(days, 146097);
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t from_march = (5 * of_year + 2) / 153;
    int month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    return (struct civil){
        .year = (int)(y + era * 400 + (month <= 2)),
        .month = month,
        .day = (int)(of_year - (153 * from_march + 2) / 5 + 1),
        .hour = rest / 3600,
        .minute = rest / 60 % 60,
        .second = rest % 60,
    };
}

int civil_weekday(int64_t days) {
    int64_t since_monday = days + 3; /* 1970-01-01 was a Thursday. */
    return (int)(since_monday - civil_floor_div(since_monday, 7) * 7);
}

int civil_month_days(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* Exactly `count` digits. */
static bool take_digits(stet_view *text, int count, int *value) {
    if (text->size < (size_t)count) return false;
    *value = 0;
    for (int i = 0; i < count; i++) {
        char c = text->bytes[i];
        if (c < '0' || c > '9') return false;
        *value = *value * 10 + (c - '0');
    }
    *text = view_make(text->bytes + count, text->size - (size_t)count);
    return true;
}

static bool take_char(stet_view *text, char c) {
    if (text->size == 0 || text->bytes[0] != c) return false;
    *text = view_make(text->bytes + 1, text->size - 1);
    return true;
}

static bool take_date(stet_view *text, int64_t *days) {
    int year, month, day;
    if (!take_digits(text, 4, &year) || !take_char(text, '-') || !take_digits(text, 2, &month) ||
        !take_char(text, '-') || !take_digits(text, 2, &day)) {
        return false;
    }
    if (year < CIVIL_YEAR_MIN || year > CIVIL_YEAR_MAX || month < 1 || month > 12 || day < 1 ||
        day > civil_month_days(year, month)) {
        return false;
    }
    *days = civil_days(year, month, day);
    return true;
}

static bool take_fraction(stet_view *text, int32_t *ns) {
    int32_t unit = 100000000;
    size_t digits = 0;
    *ns = 0;
    while (text->size > 0 && text->bytes[0] >= '0' && text->bytes[0] <= '9') {
        if (++digits > 9) return false;
        *ns += (text->bytes[0] - '0') * unit;
        unit /= 10;
        *text = view_make(text->bytes + 1, text->size - 1);
    }
    return digits > 0;
}

static bool take_time(stet_view *text, int64_t *seconds, int32_t *ns) {
    int hour, minute, second = 0;
    *ns = 0;
    if (!take_digits(text, 2, &hour) || !take_char(text, ':') || !take_digits(text, 2, &minute)) {
        return false;
    }
    if (take_char(text, ':')) {
        if (!take_digits(text, 2, &second)) return false;
        if (take_char(text, '.') && !take_fraction(text, ns)) return false;
    }
    if (hour > 23 || minute > 59 || second > 59) return false;
    *seconds = hour * 3600 + minute * 60 + second;
    return true;
}

/* "Z" or "+02:00"; what ends here has none. */
static bool take_offset(stet_view *text, struct wall *wall) {
    if (text->size == 0) return true;
    wall->has_offset = true;
    if (take_char(text, 'Z') || take_char(text, 'z')) return true;
    int sign = text->bytes[0] == '-' ? -1 : 1;
    int hours, minutes;
    if ((!take_char(text, '+') && !take_char(text, '-')) || !take_digits(text, 2, &hours) ||
        !take_char(text, ':') || !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    wall->offset = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool wall_parse(stet_view text, struct wall *wall) {
    struct wall read = {.has_date = true};
    int64_t days;
    if (!take_date(&text, &days)) return false;
    read.local = days * CIVIL_DAY_S;
    if (text.size > 0) {
        int64_t seconds;
        if (!take_char(&text, 'T') && !take_char(&text, 't') && !take_char(&text, ' '))
            return false;
        if (!take_time(&text, &seconds, &read.ns) || !take_offset(&text, &read)) return false;
        read.local += seconds;
        read.has_time = true;
    }
    if (text.size > 0) return false;
    *wall = read;
    return true;
}

bool wall_parse_time(stet_view text, struct wall *wall) {
    struct wall read = {.has_time = true};
    if (!take_time(&text, &read.local, &read.ns) || text.size > 0) return false;
    *wall = read;
    return true;
}

size_t wall_format(const struct wall *wall, char out[WALL_BYTES]) {
    struct civil civil = civil_of(wall->local);
    int size;
    if (!wall->has_time) {
        size =
            snprintf(out, WALL_BYTES, "%04d-%02d-%02d", civil.year % 10000, civil.month, civil.day);
    } else if (wall->ns == 0) {
        size = snprintf(out, WALL_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d", civil.year % 10000,
                        civil.month, civil.day, civil.hour, civil.minute, civil.second);
    } else {
        size =
            snprintf(out, WALL_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%09d", civil.year % 10000,
                     civil.month, civil.day, civil.hour, civil.minute, civil.second, (int)wall->ns);
    }
    return (size_t)size;
}
