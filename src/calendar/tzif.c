#include "calendar/tzif.h"

#include "base/error.h"
#include "base/view.h"
#include "calendar/civil.h"

#include <assert.h>
#include <stdlib.h>

#define RULE_FROM_S INT64_C(-2208988800) /* 1900. */
enum { HEADER_BYTES = 44, CYCLE_YEARS = 400, OFFSET_MAX = 26 * 3600 };

struct reader {
    const unsigned char *next;
    const unsigned char *end;
};

struct counts {
    uint32_t isut, isstd, leap, time, type, name;
};

/* One day of the year in the rule at the file's end, and the local time at which the clock changes. */
struct change_rule {
    char
        kind; /* 'M': month, week and weekday; 'J': day 1 to 365, no leap day; 'N': day 0 to 365. */
    int month, week, weekday; /* weekday 0: Sunday, as POSIX has it. */
    int day;
    int32_t time; /* Seconds after midnight; may be negative or past a day. */
};

struct footer {
    bool has_dst;
    int32_t standard, daylight; /* Seconds east of UTC. */
    struct change_rule to_daylight, to_standard;
};

static uint32_t be32(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p) {
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static bool take_header(struct reader *reader, char *version, struct counts *counts) {
    if (reader->end - reader->next < HEADER_BYTES || memcmp(reader->next, "TZif", 4) != 0)
        return false;
    *version = (char)reader->next[4];
    const unsigned char *p = reader->next + 20;
    *counts = (struct counts){be32(p),      be32(p + 4),  be32(p + 8),
                              be32(p + 12), be32(p + 16), be32(p + 20)};
    reader->next += HEADER_BYTES;
    /* Far beyond any zone, and small enough for all sums below. */
    return counts->time <= 100000 && counts->type >= 1 && counts->type <= 256 &&
           counts->name <= 100000 && counts->leap <= 100000 && counts->isstd <= 256 &&
           counts->isut <= 256;
}

static size_t body_bytes(const struct counts *counts, size_t time_bytes) {
    return counts->time * (time_bytes + 1) + (size_t)counts->type * 6 + counts->name +
           counts->leap * (time_bytes + 4) + counts->isstd + counts->isut;
}

/* ---- The rule at the end: a POSIX TZ text with the extensions of RFC 9636 ------------------------------------------------- */

static bool take(stet_view *text, char c) {
    if (text->size == 0 || text->bytes[0] != c) return false;
    *text = view_make(text->bytes + 1, text->size - 1);
    return true;
}

static bool take_number(stet_view *text, int max, int *value) {
    size_t digits = 0;
    *value = 0;
    while (text->size > 0 && text->bytes[0] >= '0' && text->bytes[0] <= '9' && digits < 4) {
        *value = *value * 10 + (text->bytes[0] - '0');
        *text = view_make(text->bytes + 1, text->size - 1);
        digits++;
    }
    return digits > 0 && *value <= max;
}

/* "CET", "<+0330>" */
static bool take_abbreviation(stet_view *text) {
    size_t size = 0;
    if (take(text, '<')) {
        while (size < text->size && text->bytes[size] != '>')
            size++;
        if (size == text->size) return false;
        *text = view_make(text->bytes + size + 1, text->size - size - 1);
        return true;
    }
    while (size < text->size && ((text->bytes[size] >= 'A' && text->bytes[size] <= 'Z') ||
                                 (text->bytes[size] >= 'a' && text->bytes[size] <= 'z')))
        size++;
    *text = view_make(text->bytes + size, text->size - size);
    return size >= 3;
}

/* [+-]h[h][:mm[:ss]]; up to 167 hours. */
static bool take_clock(stet_view *text, int32_t *seconds) {
    int sign = 1, hours, minutes = 0, rest = 0;
    if (take(text, '-')) {
        sign = -1;
    } else {
        (void)take(text, '+');
    }
    if (!take_number(text, 167, &hours)) return false;
    if (take(text, ':')) {
        if (!take_number(text, 59, &minutes)) return false;
        if (take(text, ':') && !take_number(text, 59, &rest)) return false;
    }
    *seconds = sign * (hours * 3600 + minutes * 60 + rest);
    return true;
}

static bool take_change(stet_view *text, struct change_rule *rule) {
    *rule = (struct change_rule){.time = 2 * 3600};
    if (!take(text, ',')) return false;
    if (take(text, 'M')) {
        rule->kind = 'M';
        if (!take_number(text, 12, &rule->month) || rule->month < 1 || !take(text, '.') ||
            !take_number(text, 5, &rule->week) || rule->week < 1 || !take(text, '.') ||
            !take_number(text, 6, &rule->weekday)) {
            return false;
        }
    } else if (take(text, 'J')) {
        rule->kind = 'J';
        if (!take_number(text, 365, &rule->day) || rule->day < 1) return false;
    } else {
        rule->kind = 'N';
        if (!take_number(text, 365, &rule->day)) return false;
    }
    return !take(text, '/') || take_clock(text, &rule->time);
}

static bool read_footer(stet_view text, struct footer *footer) {
    *footer = (struct footer){0};
    int32_t west;
    if (!take_abbreviation(&text) || !take_clock(&text, &west)) return false;
    footer->standard = -west;
    if (text.size == 0) return true;
    footer->has_dst = true;
    footer->daylight = footer->standard + 3600;
    if (!take_abbreviation(&text)) return false;
    if (text.size > 0 && text.bytes[0] != ',') {
        if (!take_clock(&text, &west)) return false;
        footer->daylight = -west;
    }
    return take_change(&text, &footer->to_daylight) && take_change(&text, &footer->to_standard) &&
           text.size == 0;
}

/* The local time of a change in a year, by the clock that shows `offset`, as seconds UTC. */
static int64_t change_at(const struct change_rule *rule, int year, int32_t offset) {
    int64_t days;
    if (rule->kind == 'M') {
        int64_t first = civil_days(year, rule->month, 1);
        int first_weekday = (civil_weekday(first) + 1) % 7; /* 0: Sunday. */
        int day = (rule->weekday - first_weekday + 7) % 7 + (rule->week - 1) * 7;
        while (day >= civil_month_days(year, rule->month))
            day -= 7;
        days = first + day;
    } else if (rule->kind == 'J') {
        bool leap = civil_month_days(year, 2) == 29;
        days = civil_days(year, 1, 1) + rule->day - 1 + (leap && rule->day >= 60);
    } else {
        days = civil_days(year, 1, 1) + rule->day;
    }
    return days * CIVIL_DAY_S + rule->time - offset;
}

/* ---- The table ------------------------------------------------------------------------------------------------------------ */

/* There is room. What changes nothing is left out; so is what does not come later, which a rule that overlaps the list would give. */
static void add(struct tzif *tzif, int64_t from, int32_t offset, bool dst) {
    struct tzif_period *last = &tzif->periods[tzif->count - 1];
    if (from <= last->from) return;
    if (last->offset == offset && last->dst == dst) return;
    tzif->periods[tzif->count++] = (struct tzif_period){from, offset, dst};
}

static void write_out(struct tzif *tzif, const struct footer *footer) {
    struct tzif_period last = tzif->periods[tzif->count - 1];
    if (!footer->has_dst) {
        /* It says what holds from the last change on, which the list's last period should say, too. */
        if (tzif->count == 1) tzif->periods[0].offset = footer->standard;
        return;
    }
    /* Some files begin with a change at the beginning of time. */
    int year = last.from < RULE_FROM_S ? 1900 : civil_of(last.from + last.offset).year;
    /* One year more than the cycle: what repeats must not contain the seam between list and rule. */
    for (int i = 0; i <= CYCLE_YEARS + 1; i++, year++) {
        int64_t on = change_at(&footer->to_daylight, year, footer->standard);
        int64_t off = change_at(&footer->to_standard, year, footer->daylight);
        if (on < off) {
            add(tzif, on, footer->daylight, true);
            add(tzif, off, footer->standard, false);
        } else {
            add(tzif, off, footer->standard, false);
            add(tzif, on, footer->daylight, true);
        }
    }
    int64_t end = tzif->periods[tzif->count - 1].from;
    if (end - last.from > TZIF_CYCLE_S) tzif->repeats_from = end;
}

static stet_status corrupt(stet_error *err) {
    return error_set(err, STET_CORRUPT, "the zone's file cannot be read");
}

stet_status tzif_read(stet_view bytes, struct tzif *out, stet_error *err) {
    struct reader reader = {(const unsigned char *)bytes.bytes,
                            (const unsigned char *)bytes.bytes + bytes.size};
    char version;
    struct counts counts;
    size_t time_bytes = 4;
    if (!take_header(&reader, &version, &counts)) return corrupt(err);
    if (version >= '2') {
        /* The first part is for readers of 32 bits, and need not hold anything. */
        size_t skip = body_bytes(&counts, 4);
        if ((size_t)(reader.end - reader.next) < skip) return corrupt(err);
        reader.next += skip;
        time_bytes = 8;
        if (!take_header(&reader, &version, &counts)) return corrupt(err);
    }
    size_t size = body_bytes(&counts, time_bytes);
    if ((size_t)(reader.end - reader.next) < size) return corrupt(err);
    const unsigned char *times = reader.next;
    const unsigned char *indexes = times + counts.time * time_bytes;
    const unsigned char *types = indexes + counts.time;
    reader.next += size;

    struct footer footer = {0};
    bool has_footer = false;
    if (time_bytes == 8 && reader.end - reader.next >= 2 && *reader.next == '\n') {
        const unsigned char *text = reader.next + 1;
        const unsigned char *end = memchr(text, '\n', (size_t)(reader.end - text));
        if (end == NULL) return corrupt(err);
        has_footer = end > text;
        if (has_footer && !read_footer(view_make(text, (size_t)(end - text)), &footer))
            return corrupt(err);
    }

    struct tzif tzif = {.repeats_from = INT64_MAX};
    tzif.periods = malloc((1 + counts.time + (footer.has_dst ? 2 * (CYCLE_YEARS + 2) : 0)) *
                          sizeof *tzif.periods);
    if (tzif.periods == NULL) return error_set(err, STET_NO_MEMORY, "could not read the zone");
    for (uint32_t i = 0; i <= counts.time; i++) {
        /* Before the first change: type 0 (RFC 9636, 3.2). */
        unsigned index = i == 0 ? 0 : indexes[i - 1];
        const unsigned char *type = types + (size_t)index * 6;
        int32_t offset = index < counts.type ? (int32_t)be32(type) : INT32_MAX;
        if (offset > OFFSET_MAX || offset < -OFFSET_MAX) {
            free(tzif.periods);
            return corrupt(err);
        }
        if (i == 0) {
            tzif.periods[tzif.count++] = (struct tzif_period){INT64_MIN, offset, type[4] != 0};
            continue;
        }
        const unsigned char *time = times + (size_t)(i - 1) * time_bytes;
        add(&tzif, time_bytes == 8 ? be64(time) : (int32_t)be32(time), offset, type[4] != 0);
    }
    if (has_footer) write_out(&tzif, &footer);
    assert(tzif.count >= 1);
    *out = tzif;
    return STET_OK;
}
