/*
 * Recurrence rules (RFC 5545, 3.3.10): "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=10" and a first time in, the times that follow out.
 *
 * A rule is taken period by period (a year, a month, …, a second): its days that pass the filters, times the times of day, are the
 * period's set, in order, of which BYSETPOS picks. Days that do not pass are passed over whole, also by rules that count in seconds.
 * All work is counted, so a rule that matches nothing ends, too.
 *
 * All is in local time, without a zone: calendar/series.h adds it. What the RFC leaves open: the first time is always an occurrence, and the
 * first of COUNT, whether the rule matches it or not. What it forbids (a BY… that a FREQ has no meaning for, COUNT with UNTIL) is
 * refused, with the name of the part.
 *
 * Pure: no clock, no allocation. A parsed rule may be read by any thread.
 */
#ifndef CALENDAR_RECUR_H
#define CALENDAR_RECUR_H

#include "calendar/civil.h"

enum recur_freq {
    RECUR_SECONDLY,
    RECUR_MINUTELY,
    RECUR_HOURLY,
    RECUR_DAILY,
    RECUR_WEEKLY,
    RECUR_MONTHLY,
    RECUR_YEARLY,
};

/* Numbers from -366 to 366 without 0, as a set. */
struct recur_days {
    uint64_t positive[6], negative[6];
    unsigned count;
};

enum { RECUR_LIST_MAX = 400 };

struct recur_rule {
    enum recur_freq freq;
    uint32_t interval; /* At least 1. */
    uint64_t count;    /* 0: not given. */
    bool has_until;
    struct wall until; /* Inclusive. A date: that whole day. With an offset ("Z"): an instant. */
    int week_start;    /* 0: Monday. */
    uint64_t seconds, minutes, hours; /* Sets; 0: not given. */
    unsigned months;                  /* Bit 1 to 12; 0: not given. */
    struct recur_days month_days, year_days, weeks;
    unsigned weekdays; /* Bit 0: every Monday. */
    struct recur_nth {
        int8_t weekday;
        int16_t nth; /* Of its month or year; negative from the end. */
    } nth[RECUR_LIST_MAX];
    size_t nth_count;
    int16_t positions[RECUR_LIST_MAX]; /* BYSETPOS. */
    size_t position_count;
};

/*
 * text: without "RRULE:"; at most RRULE_BYTES_MAX bytes.
 * STET_OK, or STET_INVALID_TIME: the message names the part that is wrong, and no field.
 */
stet_status recur_parse(stet_view text, struct recur_rule *rule, stet_error *err);

struct recur_walk {
    const struct recur_rule *rule;
    int64_t start; /* Local seconds. */
    uint64_t steps_left;
    uint64_t told; /* Occurrences, the first included. */
    bool over;
    /* The period at hand. */
    int64_t
        period; /* Local seconds, or days, at which it begins; years and months are counted in months. */
    bool filled;
    int64_t days[366];
    size_t day_count;
    uint8_t hour[24], minute[60], second[60];
    size_t hour_count, minute_count, second_count;
    uint64_t picks[RECUR_LIST_MAX]; /* By BYSETPOS, ascending. */
    size_t pick_count;
    uint64_t next; /* Of the period's set, or of its picks. */
};

/* start: the local time of the first occurrence. steps_max: what all calls together may do; about 10 ns each. */
void recur_begin(struct recur_walk *walk, const struct recur_rule *rule, int64_t start,
                 uint64_t steps_max);

enum recur_found {
    RECUR_FOUND,
    RECUR_OVER,      /* There are no more up to `to`. */
    RECUR_EXHAUSTED, /* Its steps are used up. */
};

/*
 * The next occurrence, later than the one before, and not later than `to` (local seconds). COUNT ends it here; UNTIL is left to the
 * caller, who knows the zone. After RECUR_OVER it may be called with a later `to`.
 */
enum recur_found recur_next(struct recur_walk *walk, int64_t to, int64_t *local);

#endif
