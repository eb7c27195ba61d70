/** The fields with which something is made or changed on the calendar: from their texts to data, or to what is wrong. */
import type { Json, JsonObject, Pointer } from '@stet/client';
import { addDays, dayOfClock } from './dates';
import type { CalendarType, Intervals } from './declaration';
import type { Draft } from './draft';
import { patchOf, patched, valueAt } from './pointer';
import { simpleRule } from './series';
import { parseTime, placementValues } from './times';
import { clockAt } from './zone';

export interface EventForm {
  readonly title: string;
  /** As inputs of kind `datetime-local` and `date` have them, by the clock of the zone that is shown. The last of whole days is in them. */
  readonly start: string;
  readonly end: string;
  readonly allDay: boolean;
  readonly resource: string;
  readonly every: '' | 'DAILY' | 'WEEKLY' | 'MONTHLY' | 'YEARLY';
  readonly count: string;
  /** Other fields that the type asks for, by pointer. */
  readonly others: Readonly<Record<Pointer, string>>;
}
export type EventFault = 'needed' | 'not_time' | 'end_before_start';
export type EventFaults = Readonly<Record<string, EventFault>>;

/** The form for a draft. */
export function formOf(draft: Draft, title: string, zone: string): EventForm {
  const text = (instant: number): string => new Date(clockAt(instant, zone)).toISOString();
  return {
    title,
    start: draft.allDay ? text(draft.start).slice(0, 10) : text(draft.start).slice(0, 16),
    end: draft.allDay ? addDays(dayOfClock(clockAt(draft.end, zone)), -1) : text(draft.end).slice(0, 16),
    allDay: draft.allDay,
    resource: draft.resource ?? '',
    every: '',
    count: '',
    others: {},
  };
}

/** Whole days on or off: the texts take the form that fits. */
export function withAllDay(form: EventForm, allDay: boolean): EventForm {
  if (allDay === form.allDay) return form;
  if (allDay) return { ...form, allDay, start: form.start.slice(0, 10), end: form.end.slice(0, 10) };
  return { ...form, allDay, start: `${form.start.slice(0, 10)}T09:00`, end: `${form.end.slice(0, 10)}T10:00` };
}

/** When and where the form puts it, or what is wrong with its times. */
export function draftOf(form: EventForm, zone: string): Draft | EventFaults {
  const start = parseTime(form.start === '' ? undefined : form.start, zone);
  const end = parseTime(form.end === '' ? undefined : form.allDay ? nextDay(form.end) : form.end, zone);
  const faults: Record<string, EventFault> = {};
  if (start === null) faults['start'] = form.start === '' ? 'needed' : 'not_time';
  if (end === null) faults['end'] = form.end === '' ? 'needed' : 'not_time';
  if (start === null || end === null) return faults;
  if (end.instant <= start.instant) return { end: 'end_before_start' };
  return { start: start.instant, end: end.instant, allDay: form.allDay, resource: form.resource === '' ? null : form.resource };
}
function nextDay(day: string): string | undefined {
  return /^\d{4}-\d{2}-\d{2}$/.test(day) ? addDays(day, 1) : undefined;
}

export function isDraft(value: Draft | EventFaults): value is Draft {
  return typeof value['start'] === 'number';
}

/** The data of a new record, or what is wrong. */
export function newData(type: CalendarType, kind: Intervals, form: EventForm, zone: string): { readonly data: JsonObject; readonly draft: Draft } | { readonly faults: EventFaults } {
  const draft = draftOf(form, zone);
  const faults: Record<string, EventFault> = isDraft(draft) ? {} : { ...draft };
  if (form.title.trim() === '') faults['title'] = 'needed';
  const others: [Pointer, Json][] = [];
  for (const { field, kind: kindOf } of otherFields(type, kind)) {
    const text = (form.others[field] ?? '').trim();
    if (text === '') faults[field] = 'needed';
    else others.push([field, kindOf === 'number' || kindOf === 'integer' ? Number(text) : kindOf === 'boolean' ? text === 'true' : kindOf === 'array' ? [text] : text]);
  }
  if (!isDraft(draft) || Object.keys(faults).length > 0) return { faults };
  const recurrence: [Pointer, Json][] =
    form.every === '' || kind.recurrence === null
      ? []
      : [[kind.recurrence.rrule, simpleRule(form.every, dayOfClock(clockAt(draft.start, zone)), /^\d+$/.test(form.count.trim()) ? Number(form.count) : null)]];
  const base = patched({}, patchOf([[type.titleField, form.title.trim()], ...others, ...recurrence]));
  // A field that holds lists gets a list.
  const seeded = kind.resource !== null && draft.resource !== null && kind.resourceList ? patched(base, patchOf([[kind.resource, []]])) : base;
  const values = placementValues(kind, seeded, { start: draft.start, end: draft.end, allDay: draft.allDay, ...(draft.resource === null ? {} : { resource: { from: null, to: draft.resource } }) }, zone);
  return { data: patched(seeded, patchOf(values)), draft };
}

/** What the type asks for besides title, times and resource. */
export function otherFields(type: CalendarType, kind: Intervals): CalendarType['required'] {
  const own = new Set<string>([type.titleField, ...pointersOf(kind)]);
  return type.required.filter(({ field }) => !own.has(field));
}

function pointersOf(kind: Intervals): readonly Pointer[] {
  const times = [kind.start, kind.end].flatMap((field) => (field === null ? [] : 'at' in field ? [field.at] : [field.date, field.time]));
  return [...times, kind.duration, kind.resource, kind.zone !== null && 'at' in kind.zone ? kind.zone.at : null].filter((pointer) => pointer !== null);
}

/** The merge patch from what is there to what the form says, without its times; null when nothing but times was changed. */
export function titlePatch(type: CalendarType, data: JsonObject, form: EventForm): JsonObject | null {
  if (form.title.trim() === '' || valueAt(data, type.titleField) === form.title.trim()) return null;
  return patchOf([[type.titleField, form.title.trim()]]);
}
