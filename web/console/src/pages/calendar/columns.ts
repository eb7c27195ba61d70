/** What the columns of a view are, and what of what takes place is drawn in which. */
import type { Axis, Column } from './axis';
import type { Day } from './dates';
import { isLong, reachOf, segmentOf, type Segment } from './draft';
import type { Hours } from './declaration';
import { lanesOf, type Lane } from './lanes';
import { addDays, clockOfDay, dayOfClock, weekdayOf } from './dates';
import { instantAt, clockAt } from './zone';
import { placeOf } from './axis';

/** A column: a day, or a resource on one day. */
export interface GridColumn {
  readonly key: string;
  readonly day: Day;
  readonly resource: string | null;
}

/** The columns of a week, or of one day by resource. */
export function columnsOf(days: readonly Day[], resources: readonly string[] | null): readonly GridColumn[] {
  const [day] = days;
  if (days.length === 1 && day !== undefined && resources !== null && resources.length > 0) {
    return resources.map((resource) => ({ key: `${day} ${resource}`, day, resource }));
  }
  return days.map((one) => ({ key: one, day: one, resource: null }));
}

export interface Placed<T> {
  readonly item: T;
  readonly segment: Segment;
  readonly lane: Lane;
}
type Item = { readonly start: number; readonly end: number; readonly allDay: boolean; readonly resources: readonly string[] };

/** What stands in the hours of a column, with its lane. */
export function placedIn<T extends Item>(axis: Axis, column: GridColumn, items: readonly T[]): readonly Placed<T>[] {
  const here: { item: T; segment: Segment }[] = [];
  for (const item of items) {
    if (isLong(item) || (column.resource !== null && !item.resources.includes(column.resource))) continue;
    const segment = segmentOf(axis, column.day, item);
    if (segment !== null) here.push({ item, segment });
  }
  const lanes = lanesOf(here.map(({ segment }) => ({ start: segment.from, end: Math.max(segment.to, segment.from + shortest) })));
  return here.map((one, index) => ({ ...one, lane: lanes[index] ?? { lane: 0, lanes: 1, width: 1 } }));
}

/** Nothing is drawn lower than so many minutes: it has to hold a line of text. */
export const shortest = 22;

export interface LongPlaced<T> {
  readonly item: T;
  readonly first: number;
  readonly last: number;
  readonly row: number;
  readonly begins: boolean;
  readonly ends: boolean;
}

/** What stands above the hours: from which column to which, and in which row. */
export function longOnes<T extends Item>(columns: readonly GridColumn[], items: readonly T[], zone: string): readonly LongPlaced<T>[] {
  const found: Omit<LongPlaced<T>, 'row'>[] = [];
  const days = [...new Set(columns.map((column) => column.day))];
  for (const item of items) {
    if (!isLong(item)) continue;
    if (columns.some((column) => column.resource !== null)) {
      const reach = reachOf(days, item, zone);
      if (reach === null) continue;
      for (const [index, column] of columns.entries()) {
        if (column.resource !== null && item.resources.includes(column.resource)) found.push({ item, first: index, last: index, begins: reach.begins, ends: reach.ends });
      }
    } else {
      const reach = reachOf(days, item, zone);
      if (reach !== null) found.push({ item, ...reach });
    }
  }
  const rows = rowsOf(found);
  return found.map((one, index) => ({ ...one, row: rows[index] ?? 0 }));
}

function rowsOf(spans: readonly { readonly first: number; readonly last: number }[]): readonly number[] {
  const rows: number[] = [];
  const taken: { first: number; last: number }[][] = [];
  for (const span of spans) {
    let row = taken.findIndex((others) => others.every((other) => other.last < span.first || other.first > span.last));
    if (row < 0) row = taken.push([]) - 1;
    taken[row]?.push(span);
    rows.push(row);
  }
  return rows;
}

/** The places of a column that are outside of working hours. */
export function closedIn(column: Column, hours: Hours | null, length: number): readonly { readonly from: number; readonly to: number }[] {
  if (hours === null || hours.days.size === 0) return [];
  const open: [number, number][] = [];
  // Working hours have a zone of their own: up to two of its days are in one of ours.
  const first = dayOfClock(clockAt(column.start, hours.zone));
  for (const day of [first, addDays(first, 1)]) {
    for (const [from, to] of hours.days.get(weekdayOf(day)) ?? []) {
      const start = instantAt(clockOfDay(day) + from * 60_000, hours.zone);
      const end = instantAt(clockOfDay(day) + to * 60_000, hours.zone);
      if (end > column.start && start < column.end) open.push([placeOf(column, start), end >= column.end ? length : placeOf(column, end)]);
    }
  }
  const closed: { from: number; to: number }[] = [];
  let at = 0;
  for (const [from, to] of open.sort(([one], [other]) => one - other)) {
    if (from > at) closed.push({ from: at, to: from });
    at = Math.max(at, to);
  }
  if (at < length) closed.push({ from: at, to: length });
  return closed;
}
