/** Changes of one occurrence of a series, of it and those that follow, or of all. See docs/calendar.md. */
import type { JsonObject } from '@stet/client';
import { clockOfDay, dayOfClock, weekdayOf } from './dates';
import type { Intervals } from './declaration';
import type { Occurrence } from './occurrence';
import { patched, patchOf } from './pointer';
import { countLeft, ruleOf, shiftedDates, shiftedUntil, weeklyBefore, type Shift } from './series-dates';
import { placementPatch, placementValues, timesOf, type Placement } from './times';
import { clockAt, instantAt } from './zone';

export type Scope = 'one' | 'following' | 'all';

export interface SeriesRequest {
  readonly scope: Scope;
  readonly base_version: number;
  readonly original_start?: string;
  readonly patch?: JsonObject;
  readonly delete?: true;
}

/** The body that moves it. `data` is the record's. The weekdays of a weekly rule, its end and the dates that it leaves out or adds move along,
 *  for else it would come back to the day from which it was taken, or what was left out would be there again. */
export function moveInSeries(kind: Intervals, occurrence: Occurrence, scope: Scope, to: Placement, zone: string): SeriesRequest {
  const own = occurrence.zone ?? zone;
  const { data } = occurrence;
  if (scope === 'one') return { ...head(occurrence, scope), patch: patchOf(placementValues(kind, data, to, zone)) };
  const byMs = clockAt(to.start, own) - clockAt(occurrence.start, own);
  const shift: Shift = { byMs, days: Math.round((clockOfDay(dayOf(to.start, own)) - clockOfDay(dayOf(occurrence.start, own))) / 86_400_000) };
  const first = timesOf(kind, data);
  const rule = movedRule(ruleOf(kind, data), shift, own, scope === 'following' && first !== null ? [dayOf(first.start, own), dayOf(occurrence.start, own)] : null);
  const along = (patch: JsonObject): JsonObject => ({
    ...patched(patch, patchOf(rule === undefined || kind.recurrence === null ? [] : [[kind.recurrence.rrule, rule]])),
    ...(byMs === 0 ? {} : patchOf(shiftedDates(kind, data, shift, own, scope === 'following' ? occurrence.start : undefined))),
  });
  if (scope === 'following') return { ...head(occurrence, scope), patch: along(patchOf(placementValues(kind, data, to, zone))) };
  if (first === null) return { ...head(occurrence, scope), patch: along({}) };
  const start = instantAt(clockAt(first.start, own) + byMs, own);
  const all: Placement = { ...to, start, end: to.allDay ? instantAt(clockAt(first.start, own) + byMs + (clockAt(to.end, own) - clockAt(to.start, own)), own) : start + (to.end - to.start) };
  return { ...head(occurrence, scope), patch: along(placementPatch(kind, data, all, zone)) };
}

/** The rule of a series that moves; undefined where it stays as it is. `begins`: the days on which the series and the new one begin, which has
 *  what is left of COUNT. The server reckons that by itself where it is not given a rule. */
function movedRule(rule: string | undefined, shift: Shift, zone: string, begins: readonly [string, string] | null): string | undefined {
  if (rule === undefined || shift.byMs === 0) return undefined;
  const onDays = shiftedRule(rule, shift.days);
  const moved = shiftedUntil(onDays ?? rule, shift, zone);
  if (moved === rule) return undefined;
  return onDays === undefined || begins === null ? moved : countLeft(moved, weeklyBefore(rule, ...begins));
}

/** The body that changes something else of it. */
export function patchInSeries(occurrence: Occurrence, scope: Scope, patch: JsonObject): SeriesRequest {
  return { ...head(occurrence, scope), patch };
}

export function deleteInSeries(occurrence: Occurrence, scope: Scope): SeriesRequest {
  return { ...head(occurrence, scope), delete: true };
}

function head(occurrence: Occurrence, scope: Scope): SeriesRequest {
  return {
    scope,
    base_version: occurrence.version,
    ...(scope === 'all' || occurrence.originalStart === null ? {} : { original_start: occurrence.originalStart }),
  };
}

function dayOf(instant: number, zone: string): string {
  return dayOfClock(clockAt(instant, zone));
}

const weekdays = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'];

/** A weekly rule whose weekdays are so many days later; undefined where there is nothing to move, or the rule is one that moves with the
 *  start by itself. */
export function shiftedRule(rule: string | undefined, days: number): string | undefined {
  if (rule === undefined || days === 0 || !/(^|;)FREQ=WEEKLY(;|$)/i.test(rule)) return undefined;
  const found = /(^|;)BYDAY=([A-Z,]+)/i.exec(rule);
  if (found === null) return undefined;
  const moved = (found[2] ?? '').split(',').map((name) => {
    const index = weekdays.indexOf(name.toUpperCase());
    return index < 0 ? name : (weekdays[(((index + days) % 7) + 7) % 7] ?? name);
  });
  return rule.replace(found[0], `${found[1] ?? ''}BYDAY=${moved.join(',')}`);
}

/** How a record repeats, for people; null for a rule that has no short words here: then the rule itself is shown. */
export interface RuleWords {
  readonly every: 'DAILY' | 'WEEKLY' | 'MONTHLY' | 'YEARLY';
  readonly interval: number;
  /** ISO numbers. */
  readonly weekdays: readonly number[];
  readonly count: number | null;
  readonly until: string | null;
}

export function ruleWords(rule: string): RuleWords | null {
  const parts = new Map(rule.toUpperCase().split(';').map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)] as const));
  for (const name of parts.keys()) if (!['FREQ', 'INTERVAL', 'BYDAY', 'COUNT', 'UNTIL', 'WKST'].includes(name)) return null;
  const every = parts.get('FREQ');
  if (every !== 'DAILY' && every !== 'WEEKLY' && every !== 'MONTHLY' && every !== 'YEARLY') return null;
  const days = (parts.get('BYDAY') ?? '').split(',').filter((name) => name !== '');
  const numbers = days.map((name) => weekdays.indexOf(name) + 1);
  if (numbers.includes(0)) return null;
  const until = parts.get('UNTIL');
  return {
    every,
    interval: Number(parts.get('INTERVAL') ?? 1),
    weekdays: numbers,
    count: parts.has('COUNT') ? Number(parts.get('COUNT')) : null,
    until: until === undefined ? null : `${until.slice(0, 4)}-${until.slice(4, 6)}-${until.slice(6, 8)}`,
  };
}

/** The rule of a series that is made here: every day, every week on the start's weekday, every month. */
export function simpleRule(every: RuleWords['every'], day: string, count: number | null): string {
  const weekday = every === 'WEEKLY' ? `;BYDAY=${weekdays[weekdayOf(day) - 1] ?? 'MO'}` : '';
  return `FREQ=${every}${weekday}${count === null ? '' : `;COUNT=${count}`}`;
}
