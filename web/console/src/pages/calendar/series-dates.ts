/** What a series says of single times of its own: those it leaves out, those it adds, and its last. When the series moves they move along,
 *  for else what was left out would be back, and what was near the end would fall out of it. */
import type { Json, Pointer } from '@stet/client';
import { textOf, textsOf } from '../../outside';
import { addDays, clockOfDay, dayOfClock, weekdayOf, weekStart, type Day } from './dates';
import type { Intervals } from './declaration';
import { valueAt } from './pointer';
import { parseTime, timeText } from './times';
import { clockAt, instantAt } from './zone';

/** By how much a series moves: by the clock, in milliseconds, and in days. */
export interface Shift {
  readonly byMs: number;
  readonly days: number;
}

/** A time as it is written, later or earlier; what cannot be read stays. Days without a time move by whole days. */
export function shiftedTime(text: string, { byMs, days }: Shift, zone: string): string {
  const read = parseTime(text, zone);
  if (read === null) return text;
  const by = read.wholeDay ? days * 86_400_000 : byMs;
  return timeText(instantAt(clockAt(read.instant, zone) + by, zone), zone, read.wholeDay, text);
}

/** The values that move its dates along; only those of `from` or later, where it is said. Empty where it names none. */
export function shiftedDates(kind: Intervals, data: unknown, shift: Shift, zone: string, from?: number): readonly (readonly [Pointer, Json])[] {
  if (kind.recurrence === null) return [];
  return [kind.recurrence.exdate, kind.recurrence.rdate].flatMap((at): readonly (readonly [Pointer, Json])[] => {
    const dates = at === null ? [] : textsOf(valueAt(data, at));
    const moved = dates.filter((text) => from === undefined || (parseTime(text, zone)?.instant ?? from) >= dayOrTime(text, from, zone)).map((text) => shiftedTime(text, shift, zone));
    return at === null || dates.length === 0 ? [] : [[at, moved]];
  });
}

/** A day without a time belongs to what follows on that day. */
function dayOrTime(text: string, from: number, zone: string): number {
  return parseTime(text, zone)?.wholeDay === true ? instantAt(clockOfDay(dayOfClock(clockAt(from, zone))), zone) : from;
}

/** A rule whose last time (UNTIL) is later or earlier by so much; the same where it has none. */
export function shiftedUntil(rule: string, { byMs, days }: Shift, zone: string): string {
  return rule.replace(/(^|;)UNTIL=(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})(Z?))?/i, (all: string, before: string, year: string, month: string, day: string, hour?: string, minute?: string, second?: string, utc?: string) => {
    const date = `${year}-${month}-${day}`;
    if (hour === undefined) return `${before}UNTIL=${addDays(date, days).replaceAll('-', '')}`;
    const clock = Date.parse(`${date}T${hour}:${minute ?? '00'}:${second ?? '00'}Z`);
    if (Number.isNaN(clock)) return all;
    const moved = utc === undefined || utc === '' ? clock + byMs : instantAt(clockAt(clock, zone) + byMs, zone);
    return `${before}UNTIL=${new Date(moved).toISOString().slice(0, 19).replace(/[-:]/g, '')}${utc ?? ''}`;
  });
}

const weekdays = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'];

/** How many of a weekly rule's days come before `day`. The first day counts, whatever weekday it is. */
export function weeklyBefore(rule: string, first: Day, day: Day): number {
  const days = new Set((/(?:^|;)BYDAY=([A-Z,]+)/i.exec(rule)?.[1] ?? '').toUpperCase().split(','));
  const interval = Number(/(?:^|;)INTERVAL=(\d+)/i.exec(rule)?.[1] ?? 1);
  const begin = clockOfDay(weekStart(first, 1));
  let count = 0;
  for (let at = first; at < day; at = addDays(at, 1)) {
    const week = Math.round((clockOfDay(weekStart(at, 1)) - begin) / (7 * 86_400_000));
    if (at === first || (days.has(weekdays[weekdayOf(at) - 1] ?? '') && week % interval === 0)) count += 1;
  }
  return count;
}

/** A rule with what is left of its COUNT after so many; the same where it has none. */
export function countLeft(rule: string, gone: number): string {
  return rule.replace(/(^|;)COUNT=(\d+)/i, (_all: string, before: string, count: string) => `${before}COUNT=${Math.max(1, Number(count) - gone)}`);
}

/** The text of a record's rule. */
export const ruleOf = (kind: Intervals, data: unknown): string | undefined => (kind.recurrence === null ? undefined : textOf(valueAt(data, kind.recurrence.rrule)));
