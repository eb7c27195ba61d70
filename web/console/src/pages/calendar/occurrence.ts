/** What takes place, as `GET …/calendar/{type}` tells it. */
import type { JsonObject } from '@stet/client';
import { instantOf, isObject, listOf, numberOf, objectOf, textOf, textsOf } from '../../outside';
import { isJsonObject } from './pointer';
import type { Json } from '@stet/client';

export interface Occurrence {
  /** Of this occurrence, among all that are shown. */
  readonly key: string;
  readonly id: string;
  readonly address: string;
  readonly version: number;
  readonly start: number;
  readonly end: number;
  readonly allDay: boolean;
  readonly zone: string | null;
  readonly resources: readonly string[];
  /** The id of the record that repeats, and when this one was to begin. */
  readonly series: string | null;
  readonly originalStart: string | null;
  readonly heldUntil: number | null;
  readonly data: JsonObject;
}

export interface CalendarPage {
  readonly occurrences: readonly Occurrence[];
  readonly next: string | null;
  readonly tzdata: string;
}

/** A page in the client's camelCase; occurrences that cannot be read are left out. */
export function calendarPageOf(body: unknown): CalendarPage {
  const page = objectOf(body);
  return {
    occurrences: listOf(page['occurrences'])
      .map(occurrenceOf)
      .filter((one) => one !== null),
    next: textOf(page['next']) ?? null,
    tzdata: textOf(page['tzdata']) ?? '',
  };
}

function occurrenceOf(value: unknown): Occurrence | null {
  if (!isObject(value)) return null;
  const id = textOf(value['id']);
  const address = textOf(value['address']);
  const start = instantOf(value['start']);
  const end = instantOf(value['end']);
  const version = numberOf(value['version']);
  if (id === undefined || address === undefined || start === undefined || end === undefined || version === undefined) return null;
  const originalStart = textOf(value['originalStart']) ?? null;
  return {
    key: originalStart === null ? address : `${address}@${originalStart}`,
    id,
    address,
    version,
    start,
    end,
    allDay: value['allDay'] === true,
    zone: textOf(value['zone']) ?? null,
    resources: textsOf(value['resources']),
    series: textOf(value['series']) ?? null,
    originalStart,
    heldUntil: instantOf(value['heldUntil']) ?? null,
    data: dataOf(value['data']),
  };
}

/** Data that came as JSON is JSON. */
function dataOf(value: unknown): JsonObject {
  const json = jsonOf(value);
  return isJsonObject(json) ? json : {};
}

function jsonOf(value: unknown): Json {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map(jsonOf);
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([name, inside]) => [name, jsonOf(inside)]));
  return null;
}

/** Whether it is one of many that one record makes: such a change asks which of them it is about. */
export function isRepeating(occurrence: Occurrence): boolean {
  return occurrence.series !== null && occurrence.series === occurrence.id && occurrence.originalStart !== null;
}

/** The whole list of what has become of it: the pages of one stretch of time, without those that came twice. */
export function joined(pages: readonly CalendarPage[]): readonly Occurrence[] {
  const byKey = new Map<string, Occurrence>();
  for (const page of pages) for (const one of page.occurrences) byKey.set(one.key, one);
  return [...byKey.values()].sort((one, other) => one.start - other.start || (one.key < other.key ? -1 : 1));
}
