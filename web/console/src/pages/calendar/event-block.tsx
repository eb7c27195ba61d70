import { Clock3, Repeat2 } from 'lucide-react';
import type { CSSProperties, KeyboardEvent, PointerEvent } from 'react';
import { useMessages } from '../../i18n/messages';
import { classNames } from '../../ui';
import type { EventLook } from './event-look';
import { calendarMessages } from './messages';
import type { Shown } from './overlay';

export interface EventBlockProps {
  readonly one: Shown;
  readonly look: EventLook;
  /** What is read out besides what is seen: the day, the times, and where. */
  readonly label: string;
  readonly when: string;
  readonly style: CSSProperties;
  readonly begins: boolean;
  readonly ends: boolean;
  /** It is the copy that is being moved. */
  readonly ghost: boolean;
  /** It was taken from here and is somewhere else now. */
  readonly lifted: boolean;
  readonly open: boolean;
  readonly small: boolean;
  readonly row: boolean;
  readonly onOpen: () => void;
  readonly onPointerDown: (event: PointerEvent, how: 'move' | 'start' | 'end') => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
  readonly onBlur: () => void;
}

/** One occurrence in the grid: a button that can be moved. */
export function EventBlock({ one, look, label, when, style, begins, ends, ghost, lifted, open, small, row, onOpen, onPointerDown, onKeyDown, onBlur }: EventBlockProps) {
  const words = useMessages(calendarMessages);
  return (
    <div
      className={classNames(
        'event',
        `event-${look.colour}`,
        row && 'event-row',
        small && 'event-small',
        ghost && 'event-ghost',
        lifted && 'event-lifted',
        open && 'event-open',
        one.pending && 'event-pending',
        (look.held || look.tentative) && 'event-held',
        !begins && 'event-goes-before',
        !ends && 'event-goes-on',
      )}
      style={style}
      onPointerDown={(event) => onPointerDown(event, 'move')}
    >
      <button type="button" className="event-main" data-key={one.key} aria-current={open || undefined} aria-busy={one.pending || undefined} onClick={onOpen} onKeyDown={onKeyDown} onBlur={onBlur}>
        <span className="event-title">
          {look.title}
          {look.repeats ? <Repeat2 size={11} aria-label={words.repeats} /> : null}
          {look.held ? <Clock3 size={11} aria-hidden /> : null}
        </span>
        <span className="event-when">{when}</span>
        <span className="visually-hidden">, {label}</span>
      </button>
      {row ? null : (
        <>
          {begins ? <span className="event-handle event-handle-start" aria-hidden onClick={onOpen} onPointerDown={(event) => onPointerDown(event, 'start')} /> : null}
          {ends ? <span className="event-handle event-handle-end" aria-hidden onClick={onOpen} onPointerDown={(event) => onPointerDown(event, 'end')} /> : null}
        </>
      )}
    </div>
  );
}
