/**
 * Something that is being moved, stretched or made: where it would take place if one let go now. Pointer and keyboard make the same
 * drafts. Days are counted by the clock (the next day at nine is at nine), minutes as they pass.
 */
import { instantOfPlace, placeOf, type Axis, type Column } from './axis';
import { addDays, clockOfDay, dayOfClock, type Day } from './dates';
import { clockAt, dayBegins, instantAt } from './zone';

const minuteMs = 60_000;
/** What a pointer or an arrow key moves by, in minutes. */
export const stepMinutes = 15;

export interface Draft {
  readonly start: number;
  readonly end: number;
  readonly allDay: boolean;
  /** In which resource's column it is; null where columns are no resources. */
  readonly resource: string | null;
}

/** By whole days, and by minutes. */
export function moved(draft: Draft, by: { readonly days?: number; readonly minutes?: number }, zone: string): Draft {
  const days = by.days ?? 0;
  const shift = (instant: number): number => (days === 0 ? instant : instantAt(clockAt(instant, zone) + days * 86_400_000, zone));
  if (draft.allDay) return { ...draft, start: shift(draft.start), end: shift(draft.end) };
  const start = shift(draft.start) + (by.minutes ?? 0) * minuteMs;
  return { ...draft, start, end: start + draft.end - draft.start };
}

/** Ends later or earlier; never before it has lasted one step. Whole days are stretched by days. */
export function stretched(draft: Draft, by: { readonly days?: number; readonly minutes?: number }, zone: string): Draft {
  const days = by.days ?? 0;
  let end = days === 0 ? draft.end : instantAt(clockAt(draft.end, zone) + days * 86_400_000, zone);
  if (!draft.allDay) end += (by.minutes ?? 0) * minuteMs;
  const least = draft.allDay ? instantAt(clockAt(draft.start, zone) + 86_400_000, zone) : draft.start + stepMinutes * minuteMs;
  return { ...draft, end: Math.max(end, least) };
}

/** Begins earlier or later, its end stays. */
export function stretchedStart(draft: Draft, start: number): Draft {
  return { ...draft, start: Math.min(start, draft.end - stepMinutes * minuteMs) };
}

/** The step of the clock that is nearest to a place of a column. */
export function snapped(column: Column, place: number, rounding: 'nearest' | 'before' = 'nearest'): number {
  const steps = place / stepMinutes;
  return instantOfPlace(column, (rounding === 'nearest' ? Math.round(steps) : Math.floor(steps)) * stepMinutes);
}

/** Moved by a pointer: it was taken hold of `grabMs` after its start, and is over this place now. */
export function dragged(draft: Draft, column: Column, place: number, grabMs: number, resource: string | null, zone: string): Draft {
  if (draft.allDay) return movedToDay(draft, column.day, zone);
  const grabbed = instantOfPlace(column, Math.max(0, place));
  const start = snapped(column, placeOf(column, Math.max(grabbed - grabMs, column.start)));
  const before = grabbed - grabMs < column.start ? Math.round((column.start - (grabbed - grabMs)) / (stepMinutes * minuteMs)) * stepMinutes * minuteMs : 0;
  return { start: start - before, end: start - before + draft.end - draft.start, allDay: false, resource };
}

/** To another day, at the same time by the clock. */
export function movedToDay(draft: Draft, day: Day, zone: string): Draft {
  const from = dayOfClock(clockAt(draft.start, zone));
  return moved(draft, { days: Math.round((clockOfDay(day) - clockOfDay(from)) / 86_400_000) }, zone);
}

/** Made by a drag from one place to another, in either direction. */
export function spanned(column: Column, from: number, to: number, resource: string | null): Draft {
  const start = snapped(column, Math.min(from, to), 'before');
  const end = Math.max(snapped(column, Math.max(from, to)), start + stepMinutes * minuteMs);
  return { start, end: Math.min(end, column.end), allDay: false, resource };
}

/** The whole of one day. */
export function wholeDay(day: Day, zone: string, resource: string | null): Draft {
  return { start: dayBegins(day, zone), end: dayBegins(addDays(day, 1), zone), allDay: true, resource };
}

export function sameDraft(one: Draft, other: Draft): boolean {
  return one.start === other.start && one.end === other.end && one.allDay === other.allDay && one.resource === other.resource;
}

/** What of an occurrence is drawn in a column: from where to where, and whether it goes on beyond. */
export interface Segment {
  readonly from: number;
  readonly to: number;
  readonly begins: boolean;
  readonly ends: boolean;
}

/** Null when nothing of it is on that day. */
export function segmentOf(axis: Axis, day: Day, span: { readonly start: number; readonly end: number }): Segment | null {
  const column = axis.columns.get(day);
  if (column === undefined) return null;
  const end = Math.max(span.end, span.start + 1);
  if (end <= column.start || span.start >= column.end) return null;
  const ends = span.end <= column.end;
  return {
    from: placeOf(column, span.start),
    // What ends at midnight ends at the bottom of its day, not at the top of the next.
    to: span.end >= column.end ? (column.runs[column.runs.length - 1]?.to ?? axis.length) : placeOf(column, span.end),
    begins: span.start >= column.start,
    ends,
  };
}

/** Whether it stands above the hours: whole days, and what lasts a day or longer. */
export function isLong(span: { readonly start: number; readonly end: number; readonly allDay: boolean }): boolean {
  return span.allDay || span.end - span.start >= 86_400_000;
}

/** Where a long one lies over the days of a view: the first and the last column, and whether it goes on. */
export function reachOf(
  days: readonly Day[],
  span: { readonly start: number; readonly end: number },
  zone: string,
): { readonly first: number; readonly last: number; readonly begins: boolean; readonly ends: boolean } | null {
  const start = dayOfClock(clockAt(span.start, zone));
  const end = dayOfClock(clockAt(Math.max(span.end - 1, span.start), zone));
  const first = days.findIndex((day) => day >= start);
  const before = days.filter((day) => day <= end).length - 1;
  if (first < 0 || before < first) return null;
  return { first, last: before, begins: days[first] === start, ends: days[before] === end };
}
