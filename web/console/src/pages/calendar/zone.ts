/** What a zone's clock shows. A *clock reading* is a number like an instant: the milliseconds since 1970 that a clock in UTC would show
 *  when the zone's clock shows the same. Arithmetic with readings is that of people: "the next day at nine". */
import { clockOfDay, type Day } from './dates';

const dayMs = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat | null>();

function formatOf(zone: string): Intl.DateTimeFormat | null {
  let format = formats.get(zone);
  if (format === undefined) {
    try {
      format = new Intl.DateTimeFormat('en-US', {
        timeZone: zone,
        calendar: 'gregory',
        numberingSystem: 'latn',
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch {
      format = null;
    }
    formats.set(zone, format);
  }
  return format;
}

/** Whether this browser knows the zone. One that it does not know is shown in UTC. */
export function isZone(zone: string): boolean {
  return zone !== '' && formatOf(zone) !== null;
}

/** The viewer's own. */
export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** How far the zone's clock is ahead of UTC at that instant, in milliseconds. */
export function offsetAt(instant: number, zone: string): number {
  const format = zone === 'UTC' ? null : formatOf(zone);
  if (format === null) return 0;
  const whole = Math.floor(instant / 1000) * 1000;
  const part: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(whole)) part[type] = Number(value);
  const clock = Date.UTC(
    part['year'] ?? 1970,
    (part['month'] ?? 1) - 1,
    part['day'] ?? 1,
    part['hour'] ?? 0,
    part['minute'] ?? 0,
    part['second'] ?? 0,
  );
  return clock - whole;
}

/** What the zone's clock shows at that instant. */
export function clockAt(instant: number, zone: string): number {
  return instant + offsetAt(instant, zone);
}

/** When the zone's clock shows this: the first time where it does so twice; what it skips is read with the offset before the gap. It is
 *  how the server reads local times (docs/calendar.md). */
export function instantAt(clock: number, zone: string): number {
  const before = offsetAt(clock - dayMs, zone);
  const after = offsetAt(clock + dayMs, zone);
  if (offsetAt(clock - before, zone) === before) return clock - before;
  if (offsetAt(clock - after, zone) === after) return clock - after;
  return clock - before;
}

/** When the day begins there. */
export function dayBegins(day: Day, zone: string): number {
  return instantAt(clockOfDay(day), zone);
}

/** A stretch in which the zone's clock runs evenly. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
}

/** The stretches of a day, cut where the zone's clock is put forward or back. It takes a day on which the clock shows at the end what it
 *  would have shown anyway for one on which nothing was changed, because asking for each hour costs a thousand times as much. */
export function stretchesOf(start: number, end: number, zone: string): readonly Stretch[] {
  const stretches: Stretch[] = [];
  let from = start;
  let offset = offsetAt(from, zone);
  if (offsetAt(end - 1, zone) === offset) return [{ start, end, offset }];
  for (let at = start; at < end; ) {
    const next = Math.min(at + 3_600_000, end);
    const there = next === end ? offsetAt(end - 1, zone) : offsetAt(next, zone);
    if (there !== offset) {
      const change = changeBetween(at, next, offset, zone);
      stretches.push({ start: from, end: change, offset });
      from = change;
      offset = there;
    }
    at = next;
  }
  stretches.push({ start: from, end, offset });
  return stretches;
}

/** To the second: the first instant after `low` with another offset. */
function changeBetween(low: number, high: number, offset: number, zone: string): number {
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2000) * 1000;
    if (middle <= low) break;
    if (offsetAt(middle, zone) === offset) low = middle;
    else high = middle;
  }
  return high;
}

/** `+02:00`, `Z` for none. */
export function offsetText(offset: number): string {
  if (offset === 0) return 'Z';
  const minutes = Math.abs(Math.round(offset / 60_000));
  const two = (number: number): string => String(number).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
