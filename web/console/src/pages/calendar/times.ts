/** Reads the times of a record as its type declares them, and writes others the way the record writes its own. */
import type { Json, JsonObject, Pointer } from '@stet/client';
import { numberOf, textOf, textsOf } from '../../outside';
import { clockOfDay, dayOfClock, isDay } from './dates';
import type { Intervals, TimeField } from './declaration';
import { patchOf, valueAt } from './pointer';
import { clockAt, instantAt, isZone, offsetAt, offsetText } from './zone';

export interface Times {
  readonly start: number;
  readonly end: number;
  /** Whole days: from the first one's midnight to the midnight after the last one. */
  readonly allDay: boolean;
  /** By whose clock the record writes its times; null where it does not say. */
  readonly zone: string | null;
  readonly resources: readonly string[];
}

interface Read {
  readonly instant: number;
  readonly wholeDay: boolean;
}

/** Null where the record has no times. */
export function timesOf(kind: Intervals, data: unknown): Times | null {
  const zone = zoneOf(kind, data);
  const start = readTime(kind.start, data, zone ?? 'UTC');
  if (start === null) return null;
  const resources = resourcesOf(kind, data);
  const seconds = kind.duration === null ? undefined : numberOf(valueAt(data, kind.duration));
  if (seconds !== undefined) return { start: start.instant, end: start.instant + seconds * 1000, allDay: false, zone, resources };
  const end = kind.end === null ? null : readTime(kind.end, data, zone ?? 'UTC');
  if (end === null || end.instant < start.instant) return null;
  return { start: start.instant, end: end.instant, allDay: start.wholeDay && end.wholeDay, zone, resources };
}

export function zoneOf(kind: Intervals, data: unknown): string | null {
  if (kind.zone === null) return null;
  const zone = 'name' in kind.zone ? kind.zone.name : textOf(valueAt(data, kind.zone.at));
  return zone !== undefined && isZone(zone) ? zone : null;
}

export function resourcesOf(kind: Intervals, data: unknown): readonly string[] {
  if (kind.resource === null) return [];
  const value = valueAt(data, kind.resource);
  const one = textOf(value);
  return one === undefined ? textsOf(value) : [one];
}

function readTime(field: TimeField, data: unknown, zone: string): Read | null {
  if ('at' in field) return parseTime(textOf(valueAt(data, field.at)), zone);
  const day = textOf(valueAt(data, field.date));
  const time = textOf(valueAt(data, field.time));
  if (day === undefined) return null;
  return parseTime(time === undefined ? day : `${day}T${time}`, zone);
}

/** A time as the server reads it: a day, a time with an offset, or one of the zone's clock. */
export function parseTime(text: string | undefined, zone: string): Read | null {
  if (text === undefined) return null;
  if (isDay(text)) return { instant: instantAt(clockOfDay(text), zone), wholeDay: true };
  const parts = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?([Zz]|[+-]\d{2}:?\d{2})?$/.exec(text);
  const [, day, minutes, seconds, offset] = parts ?? [];
  if (day === undefined || minutes === undefined || !isDay(day)) return null;
  const clock = Date.parse(`${day}T${minutes}${(seconds ?? ':00').slice(0, 7)}Z`);
  if (Number.isNaN(clock)) return null;
  if (offset === undefined) return { instant: instantAt(clock, zone), wholeDay: false };
  if (offset === 'Z' || offset === 'z') return { instant: clock, wholeDay: false };
  const [hour, minute] = [Number(offset.slice(1, 3)), Number(offset.slice(-2))];
  return { instant: clock - (offset.startsWith('-') ? -1 : 1) * (hour * 60 + minute) * 60_000, wholeDay: false };
}

/** Where something is to take place. */
export interface Placement {
  readonly start: number;
  readonly end: number;
  readonly allDay: boolean;
  /** One resource in the place of another; absent: as they are. */
  readonly resource?: { readonly from: string | null; readonly to: string };
}

/** The merge patch that puts a record there. Each field keeps its form: a day stays a day, a local time a local one, and one with an offset
 *  has one. `zone` is by whose clock local times are written when the record names none. */
export function placementPatch(kind: Intervals, data: JsonObject, to: Placement, zone: string): JsonObject {
  return patchOf(placementValues(kind, data, to, zone).filter(([at, value]) => JSON.stringify(valueAt(data, at)) !== JSON.stringify(value)));
}

/** The same with every value, also those that are there already: for an occurrence of a series, whose times are not those of the record. */
export function placementValues(kind: Intervals, data: JsonObject, to: Placement, zone: string): readonly (readonly [Pointer, Json])[] {
  const own = zoneOf(kind, data) ?? (kind.zone === null ? 'UTC' : zone);
  const values: [Pointer, Json][] = writeTime(kind.start, data, to.start, to.allDay, own);
  if (kind.duration !== null) values.push([kind.duration, Math.round((to.end - to.start) / 1000)]);
  else if (kind.end !== null) values.push(...writeTime(kind.end, data, to.end, to.allDay, own));
  if (kind.zone !== null && 'at' in kind.zone && zoneOf(kind, data) === null) values.push([kind.zone.at, zone]);
  if (to.resource !== undefined && kind.resource !== null) {
    const value = valueAt(data, kind.resource);
    values.push([kind.resource, Array.isArray(value) ? exchanged(textsOf(value), to.resource.from, to.resource.to) : to.resource.to]);
  }
  return values;
}

function exchanged(list: readonly string[], from: string | null, to: string): readonly string[] {
  return [...new Set([...list.map((one) => (one === from ? to : one)), ...(from === null ? [to] : [])])];
}

function writeTime(field: TimeField, data: JsonObject, instant: number, allDay: boolean, zone: string): [Pointer, Json][] {
  const clock = clockAt(instant, zone);
  if (!('at' in field)) {
    const text = new Date(clock).toISOString();
    return [
      [field.date, text.slice(0, 10)],
      [field.time, text.slice(11, 16)],
    ];
  }
  return [[field.at, timeText(instant, zone, allDay, textOf(valueAt(data, field.at)))]];
}

/** An instant as text; `like` is the text whose form it takes. */
export function timeText(instant: number, zone: string, allDay: boolean, like?: string): string {
  const clock = clockAt(instant, zone);
  if (allDay) return dayOfClock(clock);
  if (like !== undefined && /[Zz]$/.test(like)) return `${new Date(instant).toISOString().slice(0, 19)}Z`;
  const text = new Date(clock).toISOString();
  const withSeconds = clock % 60_000 !== 0 || (like !== undefined && /[T ]\d{2}:\d{2}:\d{2}/.test(like));
  const local = text.slice(0, withSeconds ? 19 : 16);
  const hasOffset = like !== undefined && /[+-]\d{2}:?\d{2}$/.test(like) && /[T ]/.test(like);
  // A local time that the clock shows a second time can only be said with its offset.
  const second = instantAt(clock, zone) !== instant;
  return hasOffset || second ? `${withSeconds ? local : `${local}:00`}${offsetText(offsetAt(instant, zone))}` : local;
}
