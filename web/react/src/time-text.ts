/** Times and spans in words. */
import type { Time } from '@stet/client';
import type { Language } from './texts';

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

/** A span of seconds, as a countdown shows it: `45s`, `3 min`, `2 h 5 min`, `1 d 3 h`. Rounded up, so that zero is over. */
export function spanText(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 2 * minute) return `${whole}s`;
  const minutes = Math.ceil(whole / minute);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${hours / 24} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** How long ago something was: "2 minutes ago", "hace 2 minutos". */
export function agoText(language: Language, nowMs: number, time: Time): string {
  const then = Date.parse(time);
  if (Number.isNaN(then)) return time;
  const seconds = Math.round((then - nowMs) / 1000);
  const words = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  const size = Math.abs(seconds);
  if (size < minute) return words.format(seconds, 'second');
  if (size < hour) return words.format(Math.round(seconds / minute), 'minute');
  if (size < day) return words.format(Math.round(seconds / hour), 'hour');
  return words.format(Math.round(seconds / day), 'day');
}

/** A point in time in full, for tooltips and lists. */
export function timeText(language: Language, time: Time): string {
  const then = Date.parse(time);
  return Number.isNaN(then) ? time : new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' }).format(then);
}
