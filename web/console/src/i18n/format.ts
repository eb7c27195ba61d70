import { localeOf, useLanguage, type Language } from './language';

/** Numbers and times as people of a language write them, in this browser's time zone. */
export interface Format {
  number(value: number, digits?: number): string;
  percent(share: number): string;
  date(time: string | number): string;
  dateTime(time: string | number): string;
  time(time: string | number): string;
  /** "3 minutes ago", "in 2 hours"; `now` in milliseconds since 1970. */
  relative(time: string | number, now: number): string;
  bytes(count: number): string;
  /** A span of milliseconds: `640 ms`, `3.2 s`, `4 min`. */
  duration(ms: number): string;
  list(words: readonly string[]): string;
  /** Picks the word for a count. */
  plural(count: number, one: string, other: string): string;
}

const steps: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['second', 60],
  ['minute', 60],
  ['hour', 24],
  ['day', 30],
  ['month', 12],
  ['year', Infinity],
];

/** Makes the formats of one language as a region writes it; kept, for making one takes milliseconds. */
export function createFormat(language: string): Format {
  const numbers = new Map<number, Intl.NumberFormat>();
  const number = (value: number, digits = 0) => {
    let format = numbers.get(digits);
    if (!format) numbers.set(digits, (format = new Intl.NumberFormat(language, { maximumFractionDigits: digits, useGrouping: true })));
    return format.format(value);
  };
  const percent = new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 });
  const date = new Intl.DateTimeFormat(language, { dateStyle: 'medium' });
  const dateTime = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' });
  const clock = new Intl.DateTimeFormat(language, { timeStyle: 'short' });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  const list = new Intl.ListFormat(language, { type: 'conjunction' });
  const plural = new Intl.PluralRules(language);
  const safely = (time: string | number, show: (at: Date) => string) => {
    const at = new Date(time);
    return Number.isNaN(at.getTime()) ? String(time) : show(at);
  };
  return {
    number,
    percent: (share) => percent.format(share),
    date: (time) => safely(time, (at) => date.format(at)),
    dateTime: (time) => safely(time, (at) => dateTime.format(at)),
    time: (time) => safely(time, (at) => clock.format(at)),
    relative: (time, now) =>
      safely(time, (at) => {
        let span = Math.round((at.getTime() - now) / 1000);
        for (const [unit, count] of steps) {
          if (Math.abs(span) < count) return relative.format(span, unit);
          span = Math.round(span / count);
        }
        return date.format(at);
      }),
    bytes: (count) => {
      const units = ['B', 'KB', 'MB', 'GB', 'TB'];
      let value = count;
      let unit = 0;
      while (value >= 1000 && unit < units.length - 1) {
        value /= 1000;
        unit += 1;
      }
      return `${number(value, value < 10 && unit > 0 ? 1 : 0)} ${units[unit] ?? ''}`;
    },
    duration: (ms) => {
      if (ms < 1000) return `${number(ms, ms < 10 ? 1 : 0)} ms`;
      if (ms < 60_000) return `${number(ms / 1000, 1)} s`;
      if (ms < 3_600_000) return `${number(ms / 60_000, 0)} min`;
      return `${number(ms / 3_600_000, 1)} h`;
    },
    list: (words) => list.format(words),
    plural: (count, one, other) => (plural.select(count) === 'one' ? one : other),
  };
}

const made = new Map<Language, Format>();
/** The formats of the language that is on. */
export function formatOf(language: Language): Format {
  let format = made.get(language);
  if (!format) made.set(language, (format = createFormat(localeOf(language))));
  return format;
}
export const useFormat = (): Format => formatOf(useLanguage());
