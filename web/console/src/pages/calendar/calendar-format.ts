/** Days and times of the calendar in words: by a language, and by the clock of a zone. */
import { clockOfDay, type Day } from './dates';
import { isZone, offsetAt, offsetText } from './zone';

export interface CalendarFormat {
  /** `09:30`, `9:30 am`. */
  time(instant: number): string;
  /** `09:30 – 10:30`; with days where it is more than one. */
  span(span: { readonly start: number; readonly end: number; readonly allDay: boolean }): string;
  /** `Tuesday 17 November, 09:30 to 10:30`: for those who listen. */
  spoken(span: { readonly start: number; readonly end: number; readonly allDay: boolean }): string;
  /** `Tue` and `17`. */
  weekday(day: Day): string;
  dayNumber(day: Day): string;
  /** `Tuesday, 17 November 2026`. */
  longDay(day: Day): string;
  /** `16 – 22 Nov 2026`. */
  days(from: Day, to: Day): string;
  /** An hour of the scale: minutes of the day. */
  hour(minute: number): string;
  /** `Europe/Madrid (GMT+1)`. */
  zoneName(instant: number): string;
}

const made = new Map<string, CalendarFormat>();

export function calendarFormat(language: string, zone: string): CalendarFormat {
  const key = `${language} ${zone}`;
  let format = made.get(key);
  if (format === undefined) {
    format = create(language, isZone(zone) ? zone : 'UTC', zone);
    made.set(key, format);
  }
  return format;
}

function create(language: string, timeZone: string, name: string): CalendarFormat {
  const clock = new Intl.DateTimeFormat(language, { hour: 'numeric', minute: '2-digit', timeZone });
  const hour = new Intl.DateTimeFormat(language, { hour: 'numeric', minute: '2-digit', timeZone: 'UTC' });
  const weekday = new Intl.DateTimeFormat(language, { weekday: 'short', timeZone: 'UTC' });
  const number = new Intl.DateTimeFormat(language, { day: 'numeric', timeZone: 'UTC' });
  const long = new Intl.DateTimeFormat(language, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });
  const plain = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
  const shortDay = new Intl.DateTimeFormat(language, { weekday: 'short', day: 'numeric', month: 'short', timeZone });
  const spokenDay = new Intl.DateTimeFormat(language, { weekday: 'long', day: 'numeric', month: 'long', timeZone });
  const sameDay = (one: number, other: number): boolean => shortDay.format(one) === shortDay.format(other);
  // The last day of whole days is the one before their end.
  const last = (span: { readonly start: number; readonly end: number }): number => Math.max(span.start, span.end - 1);
  const range = (span: { readonly start: number; readonly end: number; readonly allDay: boolean }, day: Intl.DateTimeFormat, to: string): string => {
    if (span.allDay) return sameDay(span.start, last(span)) ? day.format(span.start) : `${day.format(span.start)}${to}${day.format(last(span))}`;
    if (sameDay(span.start, last(span))) return clock.formatRange(span.start, span.end);
    return `${day.format(span.start)}, ${clock.format(span.start)}${to}${day.format(span.end)}, ${clock.format(span.end)}`;
  };
  return {
    time: (instant) => clock.format(instant),
    span: (span) => range(span, shortDay, ' – '),
    spoken: (span) => (span.allDay || !sameDay(span.start, last(span)) ? range(span, spokenDay, ' – ') : `${spokenDay.format(span.start)}, ${range(span, spokenDay, ' – ')}`),
    weekday: (day) => weekday.format(clockOfDay(day)),
    dayNumber: (day) => number.format(clockOfDay(day)),
    longDay: (day) => long.format(clockOfDay(day)),
    days: (from, to) => (from === to ? long.format(clockOfDay(from)) : plain.formatRange(clockOfDay(from), clockOfDay(to))),
    hour: (minute) => hour.format(minute * 60_000),
    zoneName: (instant) => {
      const offset = offsetText(offsetAt(instant, timeZone));
      return `${name.replaceAll('_', ' ')} (UTC${offset === 'Z' ? '' : offset})`;
    },
  };
}
