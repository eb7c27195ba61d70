/**
 * The vertical scale that the columns of a view share. It counts minutes of the day as a clock shows them, so that nine o'clock is at one
 * height in every column, and has room for what the clock shows twice on one of the days: there the others have a gap.
 *
 *   place   minutes from the top of the scale; what is drawn is a place times the height of a minute
 *   gap     places of one column that are no time of its day
 */
import { addDays, clockOfDay, type Day } from './dates';
import { dayBegins, stretchesOf, type Stretch } from './zone';

const minuteMs = 60_000;

export interface Axis {
  readonly zone: string;
  /** The length of the scale in minutes: 1,440, more when a day of it is longer. */
  readonly length: number;
  /** Where the hours begin, with what the clock shows there, in minutes. */
  readonly hours: readonly { readonly place: number; readonly minute: number; readonly again: boolean }[];
  readonly columns: ReadonlyMap<Day, Column>;
}

/** One day of the scale. */
export interface Column {
  readonly day: Day;
  readonly start: number;
  readonly end: number;
  readonly runs: readonly Run[];
  readonly gaps: readonly { readonly from: number; readonly to: number }[];
}

/** A stretch of the day, with where it is drawn. */
interface Run {
  readonly start: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/** What the scale has more than a day of 24 hours: `minutes` from the place on. */
interface Extra {
  readonly place: number;
  readonly minutes: number;
}

/** The scale for these days in that zone. */
export function axisOf(days: readonly Day[], zone: string): Axis {
  const cut = new Map<Day, readonly Stretch[]>();
  const extras: Extra[] = [];
  for (const day of days) {
    const stretches = stretchesOf(dayBegins(day, zone), dayBegins(addDays(day, 1), zone), zone);
    cut.set(day, stretches);
    const extra = extraOf(day, stretches);
    if (extra !== null && !extras.some((other) => other.place === extra.place)) extras.push(extra);
  }
  extras.sort((one, other) => one.place - other.place);
  const length = 1440 + extras.reduce((sum, extra) => sum + extra.minutes, 0);
  const columns = new Map<Day, Column>();
  for (const [day, stretches] of cut) columns.set(day, columnOf(day, stretches, extras, length));
  return { zone, length, hours: hoursOf(extras), columns };
}

/** Where the clock is put back, and by how much. */
function extraOf(day: Day, stretches: readonly Stretch[]): Extra | null {
  for (let index = 1; index < stretches.length; index += 1) {
    const before = stretches[index - 1];
    const after = stretches[index];
    if (before === undefined || after === undefined || after.offset >= before.offset) continue;
    return { place: (before.end + before.offset - clockOfDay(day)) / minuteMs, minutes: (before.offset - after.offset) / minuteMs };
  }
  return null;
}

function columnOf(day: Day, stretches: readonly Stretch[], extras: readonly Extra[], length: number): Column {
  const runs: Run[] = [];
  const own = extraOf(day, stretches);
  let used = 0;
  for (const [index, stretch] of stretches.entries()) {
    const minutes = (instant: number): number => (instant + stretch.offset - clockOfDay(day)) / minuteMs;
    const repeated = own !== null && index > 0 ? own.minutes : 0;
    // Cut where the scale has more than this day: the time goes on behind it.
    let from = Math.max(minutes(stretch.start) + repeated, used);
    const to = minutes(stretch.end) + repeated;
    let start = stretch.start;
    for (const extra of extras) {
      if (own !== null && extra.place === own.place) continue;
      const shift = shiftAt(from, extras, own);
      if (extra.place <= from || extra.place >= to) continue;
      const middle = stretch.start + (extra.place - minutes(stretch.start) - repeated) * minuteMs;
      runs.push({ start, end: middle, from: from + shift, to: extra.place + shift });
      start = middle;
      from = extra.place;
    }
    const shift = shiftAt(from, extras, own);
    runs.push({ start, end: stretch.end, from: from + shift, to: to + shift });
    used = to;
  }
  const gaps: { from: number; to: number }[] = [];
  let at = 0;
  for (const run of runs) {
    if (run.from > at) gaps.push({ from: at, to: run.from });
    at = run.to;
  }
  if (at < length) gaps.push({ from: at, to: length });
  return { day, start: stretches[0]?.start ?? 0, end: stretches[stretches.length - 1]?.end ?? 0, runs, gaps };
}

/** How far what begins at this minute is pushed down by what other days have more. */
function shiftAt(minute: number, extras: readonly Extra[], own: Extra | null): number {
  return extras.reduce(
    (sum, extra) => (extra.place <= minute && (own === null || extra.place !== own.place) ? sum + extra.minutes : sum),
    0,
  );
}

function hoursOf(extras: readonly Extra[]): { place: number; minute: number; again: boolean }[] {
  const hours = Array.from({ length: 24 }, (_, hour) => ({
    place: hour * 60 + extras.reduce((sum, extra) => (extra.place <= hour * 60 ? sum + extra.minutes : sum), 0),
    minute: hour * 60,
    again: false,
  }));
  for (const extra of extras) {
    for (let minute = extra.place - extra.minutes; minute < extra.place; minute += 60) {
      hours.push({ place: minute + extra.minutes, minute, again: true });
    }
  }
  return hours.sort((one, other) => one.place - other.place);
}

/** Where an instant of the day is drawn; what is before or after it is drawn at its border. */
export function placeOf(column: Column, instant: number): number {
  const first = column.runs[0];
  if (first === undefined || instant <= first.start) return first?.from ?? 0;
  for (const run of column.runs) {
    if (instant < run.end) return run.from + (instant - run.start) / minuteMs;
  }
  return column.runs[column.runs.length - 1]?.to ?? 0;
}

/** Which instant is drawn there; in a gap it is the one after it. */
export function instantOfPlace(column: Column, place: number): number {
  for (const run of column.runs) {
    if (place < run.from) return run.start;
    if (place < run.to) return run.start + (place - run.from) * minuteMs;
  }
  return column.end;
}
