import { CalendarX2 } from 'lucide-react';
import { useLayoutEffect, useRef } from 'react';
import { useClient } from '@stet/react';
import { useMessages } from '../../i18n/messages';
import { hrefTo } from '../../routing/use-route';
import { Button, IconButton } from '../../ui';
import { useSource } from '../../use-source';
import { X } from 'lucide-react';
import type { CalendarFormat } from './calendar-format';
import type { CalendarType } from './declaration';
import { titleOf } from './event-look';
import { calendarMessages } from './messages';
import type { Refused } from './use-changes';

export interface RefusedPopoverProps {
  readonly refused: Refused;
  readonly type: CalendarType;
  readonly format: CalendarFormat;
  readonly nameOf: (resource: string) => string;
  readonly onClose: () => void;
}

/** So many of what is in the way are named. */
const namedMax = 4;

/** Where a booking was refused: what is in the way, and the next free times, each to be taken with one click. */
export function RefusedPopover({ refused, type, format, nameOf, onClose }: RefusedPopoverProps) {
  const words = useMessages(calendarMessages);
  const client = useClient();
  const box = useRef<HTMLDivElement>(null);
  const { one, taken } = refused;
  const addresses = [...new Set(taken.inTheWay.map((slot) => slot.address).filter((address) => address !== null))].slice(0, namedMax);
  const titles = useSource<ReadonlyMap<string, string>>(`titles ${client.space} ${addresses.join(' ')}`, () => ({
    atMostEveryMs: 1000,
    everyMs: null,
    read: async (signal) => {
      const found = new Map<string, string>();
      for (const address of addresses) {
        const [name, id] = address.split('/').map(decodeURIComponent);
        if (name === undefined || id === undefined) continue;
        const record = await client.records.get(name, id, { signal }).catch(() => null);
        if (record !== null) found.set(address, titleOf(type, record.data, id));
      }
      return found;
    },
  })).state.value;
  useLayoutEffect(() => {
    const shown = box.current;
    if (shown === null) return undefined;
    const anchor = one === null ? null : document.querySelector(`[data-key="${CSS.escape(one.key)}"]`);
    place(shown, anchor?.getBoundingClientRect() ?? null);
    (shown.querySelector<HTMLElement>('.calendar-slot') ?? shown.querySelector<HTMLElement>('button'))?.focus();
    return () => {
      if (anchor instanceof HTMLElement) anchor.focus();
    };
  }, [one]);
  const title = one === null ? '' : titleOf(type, one.data, one.id);
  return (
    <div
      ref={box}
      className="calendar-refused"
      role="alertdialog"
      aria-labelledby="calendar-refused-title"
      aria-describedby="calendar-refused-text"
      popover="manual"
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        event.stopPropagation();
        onClose();
      }}
    >
      <header>
        <CalendarX2 size={17} aria-hidden />
        <div>
          <h2 id="calendar-refused-title">{words.taken}</h2>
          <p id="calendar-refused-text" className="soft">
            {one === null ? words.takenNew : words.takenText(title)}
          </p>
        </div>
        <IconButton icon={X} size="small" label={words.close} onClick={onClose} />
      </header>
      <section>
        <h3>{words.inTheWay}</h3>
        <ul role="list">
          {taken.inTheWay.slice(0, namedMax).map((slot, index) => (
            <li key={index}>
              {slot.address === null ? <span>{words.somebody}</span> : <a href={hrefTo(['records', ...slot.address.split('/').map(decodeURIComponent)])}>{titles?.get(slot.address) ?? slot.address}</a>}
              <span className="soft">
                {[slot.resource === null ? null : nameOf(slot.resource), format.span({ ...slot, allDay: false })].filter((part) => part !== null).join(' · ')}
              </span>
            </li>
          ))}
          {taken.inTheWay.length > namedMax || taken.more > 0 ? <li className="soft">{words.moreInTheWay(taken.more + Math.max(0, taken.inTheWay.length - namedMax))}</li> : null}
        </ul>
      </section>
      <section>
        <h3>{words.nextFree}</h3>
        {taken.nextFree.length === 0 ? (
          <p className="soft">{words.noFree}</p>
        ) : (
          <div className="calendar-slots">
            {taken.nextFree.map((slot, index) => (
              <button
                key={index}
                type="button"
                className="calendar-slot"
                onClick={() => refused.take(slot.start, slot.end, slot.resource)}
              >
                <span className="visually-hidden">{words.take} </span>
                <strong>{format.spoken({ ...slot, allDay: refused.wanted.allDay })}</strong>
                {slot.resource === null ? null : <span className="soft">{nameOf(slot.resource)}</span>}
              </button>
            ))}
          </div>
        )}
      </section>
      <footer>
        <Button size="small" onClick={onClose}>
          {words.close}
        </Button>
      </footer>
    </div>
  );
}

/** Beside what was refused, or in the middle; always in sight. */
function place(shown: HTMLElement, anchor: DOMRect | null): void {
  shown.showPopover();
  const { width, height } = shown.getBoundingClientRect();
  const gap = 8;
  const beside = anchor === null ? (innerWidth - width) / 2 : anchor.right + gap + width <= innerWidth ? anchor.right + gap : anchor.left - gap - width;
  const top = anchor === null ? (innerHeight - height) / 2 : anchor.top;
  shown.style.left = `${Math.max(gap, Math.min(beside, innerWidth - width - gap))}px`;
  shown.style.top = `${Math.max(gap, Math.min(top, innerHeight - height - gap))}px`;
}
