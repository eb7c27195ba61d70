/** Days as the calendar counts them: plain dates, with no zone and no clock. */

/** `2026-03-29`. */
export type Day = string;
/** Monday is 1, Sunday is 7. */
export type Weekday = 1 | 2 | 3 | 4 | 5 | 6 | 7;

const dayMs = 86_400_000;

/** Milliseconds of the day's midnight as if its zone were UTC; not a point in time. */
export function clockOfDay(day: Day): number {
  return Date.parse(`${day}T00:00:00Z`);
}

/** The day that a clock reading (see `zone.ts`) is in. */
export function dayOfClock(clock: number): Day {
  return new Date(clock).toISOString().slice(0, 10);
}

export function addDays(day: Day, count: number): Day {
  return dayOfClock(clockOfDay(day) + count * dayMs);
}

/** How many days `to` is after `from`. */
export function daysBetween(from: Day, to: Day): number {
  return Math.round((clockOfDay(to) - clockOfDay(from)) / dayMs);
}

/** The days from `first` on. */
export function daysFrom(first: Day, count: number): readonly Day[] {
  return Array.from({ length: count }, (_, index) => addDays(first, index));
}

export function weekdayOf(day: Day): Weekday {
  const sundayFirst = new Date(clockOfDay(day)).getUTCDay();
  return toWeekday(sundayFirst === 0 ? 7 : sundayFirst);
}

/** The first day of the week that `day` is in. */
export function weekStart(day: Day, first: Weekday): Day {
  return addDays(day, -((weekdayOf(day) - first + 7) % 7));
}

/** ISO 8601: the week with the year's first Thursday is the first. */
export function isoWeekOf(day: Day): { readonly year: number; readonly week: number } {
  const thursday = addDays(weekStart(day, 1), 3);
  const year = Number(thursday.slice(0, 4));
  return { year, week: Math.floor(daysBetween(`${thursday.slice(0, 4)}-01-01`, thursday) / 7) + 1 };
}

/** Whether it is a day that there is: `2026-02-30` is none. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const clock = clockOfDay(text);
  return !Number.isNaN(clock) && dayOfClock(clock) === text;
}

/** With which day the week begins where this language is spoken. Browsers that cannot tell get ISO's Monday, but for those
 *  regions of which everybody knows. */
export function firstWeekdayOf(locale: string): Weekday {
  try {
    const about: unknown = new Intl.Locale(locale);
    if (typeof about === 'object' && about !== null) {
      const told = 'weekInfo' in about ? about.weekInfo : callOf(about, 'getWeekInfo');
      if (typeof told === 'object' && told !== null && 'firstDay' in told && typeof told.firstDay === 'number') {
        return toWeekday(told.firstDay);
      }
    }
  } catch {
    // Not a locale: as if it could not tell.
  }
  return /-(US|CA|MX|BR|JP|IL|IN)\b/.test(locale) ? 7 : 1;
}

function callOf(holder: object, name: string): unknown {
  const method: unknown = Reflect.get(holder, name);
  return typeof method === 'function' ? Reflect.apply(method, holder, []) : undefined;
}

function toWeekday(number: number): Weekday {
  switch (number) {
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
      return number;
    default:
      return 1;
  }
}
