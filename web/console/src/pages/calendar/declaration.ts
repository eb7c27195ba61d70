/** What the definition of a type says about time: which of its records take time of what. See docs/bookings.md. */
import type { Pointer } from '@stet/client';
import { isObject, listOf, numberOf, objectOf, textOf, textsOf } from '../../outside';
import type { Weekday } from './dates';

/** The pointer of a time; or of a date, and of a time of day. */
export type TimeField = { readonly at: Pointer } | { readonly date: Pointer; readonly time: Pointer };

/** One kind of interval of a type. */
export interface Intervals {
  /** Whether the server keeps them apart; else they are only shown. */
  readonly exclusive: boolean;
  /** Where what is taken stands; null: the type is one calendar. */
  readonly resource: Pointer | null;
  /** It is a list of texts. */
  readonly resourceList: boolean;
  readonly anyOf: Pointer | null;
  readonly start: TimeField;
  readonly end: TimeField | null;
  /** In the place of `end`: a number of seconds. */
  readonly duration: Pointer | null;
  /** The pointer of the zone, or its name. */
  readonly zone: { readonly at: Pointer } | { readonly name: string } | null;
  readonly capacity: number;
  readonly weight: Pointer | null;
  readonly bufferBeforeS: number;
  readonly bufferAfterS: number;
  readonly holdExpires: Pointer | null;
  readonly allowOverlap: Pointer | null;
  readonly recurrence: { readonly rrule: Pointer; readonly exdate: Pointer | null; readonly rdate: Pointer | null } | null;
  readonly hours: Hours | null;
}

/** Working hours: minutes of the day from and to, by weekday, in a zone. */
export interface Hours {
  readonly zone: string;
  readonly days: ReadonlyMap<Weekday, readonly (readonly [number, number])[]>;
}

/** A type that has times. */
export interface CalendarType {
  readonly type: string;
  readonly title: string;
  readonly kinds: readonly Intervals[];
  /** The field that says what a record is, for people. */
  readonly titleField: Pointer;
  /** Fields that a new record cannot do without, with their kinds and defaults. */
  readonly required: readonly { readonly field: Pointer; readonly kind: string; readonly values: readonly string[] }[];
  /** Where a status stands, for what is cancelled or tentative. */
  readonly statusField: Pointer | null;
}

/** The types with times among the definitions that `GET …/types` answers, as the server writes them. */
export function calendarTypesOf(answer: unknown): readonly CalendarType[] {
  return listOf(objectOf(answer)['types'])
    .map((one) => typeOf(objectOf(one)))
    .filter((one) => one !== null);
}

function typeOf(definition: Readonly<Record<string, unknown>>): CalendarType | null {
  const type = textOf(definition['id']);
  if (type === undefined || type.startsWith('stet.')) return null;
  const fields = objectOf(definition['fields']);
  const declared = definition['exclusive'];
  const all = Array.isArray(declared) ? declared : [declared];
  const kinds = all.map((one) => intervalsOf(one, fields)).filter((one) => one !== null);
  if (kinds.length === 0) {
    const shown = shownOnly(fields);
    if (shown === null) return null;
    kinds.push(shown);
  }
  return {
    type,
    title: textOf(definition['title']) ?? type,
    kinds,
    titleField: ['/title', '/name', '/subject', '/summary'].find((field) => field in fields) ?? '/title',
    statusField: '/status' in fields ? '/status' : null,
    required: Object.entries(fields)
      .filter(([field, rule]) => objectOf(rule)['required'] === true && objectOf(rule)['default'] === undefined && !field.includes('*'))
      .map(([field, rule]) => ({
        field,
        kind: textOf(objectOf(rule)['type']) ?? textsOf(objectOf(rule)['type'])[0] ?? 'string',
        values: textsOf(objectOf(rule)['enum']),
      })),
  };
}

/** Types that declare nothing and have a start and an end are shown as they are. */
function shownOnly(fields: Readonly<Record<string, unknown>>): Intervals | null {
  const pairs = [['/start', '/end'], ['/starts_at', '/ends_at'], ['/start_at', '/end_at'], ['/from', '/to'], ['/start_date', '/end_date']] as const;
  const found = pairs.find(([start, end]) => start in fields && end in fields);
  if (found === undefined) return null;
  return {
    ...nothing,
    exclusive: false,
    start: { at: found[0] },
    end: { at: found[1] },
    zone: '/tz' in fields ? { at: '/tz' } : null,
  };
}

const nothing = {
  exclusive: true,
  resource: null,
  resourceList: false,
  anyOf: null,
  end: null,
  duration: null,
  zone: null,
  capacity: 1,
  weight: null,
  bufferBeforeS: 0,
  bufferAfterS: 0,
  holdExpires: null,
  allowOverlap: null,
  recurrence: null,
  hours: null,
} as const;

function intervalsOf(value: unknown, fields: Readonly<Record<string, unknown>>): Intervals | null {
  if (!isObject(value)) return null;
  const start = timeFieldOf(value['start']);
  if (start === null) return null;
  const zone = textOf(value['tz']);
  const recurrence = objectOf(value['recurrence']);
  const rrule = textOf(recurrence['rrule']);
  const resource = textOf(value['resource']) ?? null;
  return {
    ...nothing,
    resource,
    resourceList: resource !== null && objectOf(fields[resource])['type'] === 'array',
    anyOf: textOf(value['any_of']) ?? null,
    start,
    end: timeFieldOf(value['end']),
    duration: textOf(value['duration']) ?? null,
    zone: zone === undefined ? null : zone.startsWith('/') ? { at: zone } : { name: zone },
    capacity: numberOf(value['capacity']) ?? 1,
    weight: textOf(value['weight']) ?? null,
    bufferBeforeS: numberOf(value['buffer_before_s']) ?? 0,
    bufferAfterS: numberOf(value['buffer_after_s']) ?? 0,
    holdExpires: textOf(value['hold_expires']) ?? null,
    allowOverlap: textOf(value['allow_overlap']) ?? null,
    recurrence: rrule === undefined ? null : { rrule, exdate: textOf(recurrence['exdate']) ?? null, rdate: textOf(recurrence['rdate']) ?? null },
    hours: hoursOf(value['hours']),
  };
}

function timeFieldOf(value: unknown): TimeField | null {
  if (typeof value === 'string') return { at: value };
  const [date, time] = textsOf(value);
  return date === undefined || time === undefined ? null : { date, time };
}

const weekdays: readonly (readonly [string, Weekday])[] = [['mon', 1], ['tue', 2], ['wed', 3], ['thu', 4], ['fri', 5], ['sat', 6], ['sun', 7]];

function hoursOf(value: unknown): Hours | null {
  if (!isObject(value)) return null;
  const days = new Map<Weekday, readonly (readonly [number, number])[]>();
  for (const [name, weekday] of weekdays) {
    const open: [number, number][] = [];
    for (const pair of listOf(value[name])) {
      const [from, to] = textsOf(pair).map(minuteOf);
      if (from !== undefined && to !== undefined) open.push([from, to]);
    }
    if (open.length > 0) days.set(weekday, open);
  }
  return { zone: textOf(value['zone']) ?? 'UTC', days };
}

function minuteOf(text: string): number {
  const [hour, minute] = text.split(':').map(Number);
  return (hour ?? 0) * 60 + (minute ?? 0);
}
