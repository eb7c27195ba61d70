import { Repeat2 } from 'lucide-react';
import { useMessages } from '../../i18n/messages';
import { classNames } from '../../ui';
import type { CalendarFormat } from './calendar-format';
import { dayOfClock, type Day } from './dates';
import type { CalendarType, Intervals } from './declaration';
import { lookOf } from './event-look';
import { calendarMessages } from './messages';
import type { Shown } from './overlay';
import { clockAt, dayBegins } from './zone';

export interface AgendaProps {
  readonly type: CalendarType;
  readonly kind: Intervals;
  readonly days: readonly Day[];
  readonly shown: readonly Shown[];
  readonly order: ReadonlyMap<string, number>;
  readonly nameOf: (resource: string) => string;
  readonly format: CalendarFormat;
  readonly zone: string;
  readonly now: number;
  readonly openKey: string | null;
  readonly onOpen: (one: Shown) => void;
}

/** What takes place, day after day, as a list: for narrow screens, and for those who listen. */
export function Agenda({ type, kind, days, shown, order, nameOf, format, zone, now, openKey, onOpen }: AgendaProps) {
  const words = useMessages(calendarMessages);
  const today = dayOfClock(clockAt(now, zone));
  return (
    <div className="agenda">
      {days.map((day, index) => {
        const start = dayBegins(day, zone);
        const next = days[index + 1];
        const end = next === undefined ? start + 86_400_000 : dayBegins(next, zone);
        const here = shown.filter((one) => one.start < end && Math.max(one.end, one.start + 1) > start);
        if (here.length === 0) return null;
        return (
          <section key={day} className="agenda-day" aria-label={format.longDay(day)}>
            <h2 className={classNames(day === today && 'agenda-today')}>
              <span>{format.dayNumber(day)}</span> {format.longDay(day)}
            </h2>
            <ul role="list">
              {here.map((one) => {
                const look = lookOf(type, kind, one, order);
                return (
                  <li key={one.key}>
                    <button type="button" data-key={one.key} className={classNames('agenda-item', `event-${look.colour}`, one.pending && 'event-pending')} aria-current={openKey === one.key || undefined} onClick={() => onOpen(one)}>
                      <span className="agenda-when">{one.allDay ? words.allDay : format.span({ ...one, start: Math.max(one.start, start), end: Math.min(one.end, end) })}</span>
                      <span className="agenda-what">
                        <strong>
                          {look.title} {look.repeats ? <Repeat2 size={12} aria-label={words.repeats} /> : null}
                        </strong>
                        <span className="soft">{one.resources.map(nameOf).join(', ')}</span>
                      </span>
                    </button>
                  </li>
                );
              })}
            </ul>
          </section>
        );
      })}
    </div>
  );
}
