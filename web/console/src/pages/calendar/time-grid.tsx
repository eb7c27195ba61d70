import { useEffect, useLayoutEffect, useMemo, useRef, type KeyboardEvent, type ReactNode } from 'react';
import { useMessages } from '../../i18n/messages';
import { classNames } from '../../ui';
import { placeOf, type Axis } from './axis';
import type { CalendarFormat } from './calendar-format';
import { closedIn, longOnes, placedIn, shortest, type GridColumn } from './columns';
import { dayOfClock } from './dates';
import type { CalendarType, Intervals } from './declaration';
import { isLong, moved, stretched, type Draft } from './draft';
import { EventBlock } from './event-block';
import { lookOf } from './event-look';
import { calendarMessages } from './messages';
import type { Shown } from './overlay';
import { useGridDrag, type Doing } from './use-grid-drag';
import { clockAt } from './zone';

/** Height of a minute, in pixels; an hour is 48. */
const minutePx = 0.8;
/** Where the grid is scrolled to at first, when nothing says better: minutes of the day. */
const morning = 7 * 60 + 30;

export interface TimeGridProps {
  readonly type: CalendarType;
  readonly kind: Intervals;
  readonly axis: Axis;
  readonly columns: readonly GridColumn[];
  readonly shown: readonly Shown[];
  /** Resources in the order of their colours. */
  readonly order: ReadonlyMap<string, number>;
  readonly nameOf: (resource: string) => string;
  readonly format: CalendarFormat;
  readonly now: number;
  readonly openKey: string | null;
  readonly doing: Doing | null;
  readonly onDoing: (doing: Doing | null) => void;
  readonly onDone: (doing: Doing) => void;
  readonly onOpen: (one: Shown) => void;
  readonly onDay: (day: string) => void;
  readonly say: (text: string) => void;
}

/** Days, or resources on one day, over the hours. Drags and arrow keys move what is in it. */
export function TimeGrid(props: TimeGridProps): ReactNode {
  const { type, kind, axis, columns, shown, order, nameOf, format, now, openKey, doing, onDoing, onDone, onOpen, onDay, say } = props;
  const words = useMessages(calendarMessages);
  const body = useRef<HTMLDivElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const { zone } = axis;
  const drag = useGridDrag({ body, scroller, axis, columns, zone, minutePx, doing, onDoing, onDone });
  const today = dayOfClock(clockAt(now, zone));
  const byResource = columns.some((column) => column.resource !== null);
  const long = useMemo(() => longOnes(columns, shown, zone), [columns, shown, zone]);
  const rows = long.reduce((most, one) => Math.max(most, one.row + 1), 0);

  // At first the working day is in sight; later it stays where one scrolled to.
  const first = useRef(true);
  useLayoutEffect(() => {
    if (!first.current || scroller.current === null) return;
    first.current = false;
    scroller.current.scrollTop = morning * minutePx;
  }, []);
  // What is moved by keys must be seen.
  useEffect(() => {
    if (doing?.by === 'keys') body.current?.querySelector('.event-ghost')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [doing]);

  const labelOf = (one: Shown): string => words.event(format.spoken(one), one.resources.map(nameOf).join(', '));

  const onKeyDown = (event: KeyboardEvent, one: Shown, column: GridColumn): void => {
    const held = doing !== null && doing.by === 'keys' && doing.one?.key === one.key ? doing : null;
    if (held !== null && event.key === 'Enter') {
      event.preventDefault();
      onDoing(null);
      onDone(held);
      return;
    }
    if (held !== null && event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      onDoing(null);
      say(words.gaveUp);
      return;
    }
    const draft: Draft = held?.draft ?? { start: one.start, end: one.end, allDay: one.allDay, resource: column.resource };
    const next = keyed(event, draft);
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();
    onDoing({ how: event.shiftKey ? 'end' : 'move', by: 'keys', one, from: column.resource, draft: next });
    say(words.movedTo(format.spoken(next), next.resource === null ? '' : nameOf(next.resource)));
  };
  const keyed = (event: KeyboardEvent, draft: Draft): Draft | null => {
    if (event.ctrlKey || event.metaKey || event.altKey) return null;
    const step = event.key === 'ArrowUp' || event.key === 'ArrowLeft' ? -1 : 1;
    if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
      const by = isLong(draft) ? { days: step } : { minutes: step * 15 };
      return event.shiftKey ? stretched(draft, by, zone) : moved(draft, by, zone);
    }
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return null;
    if (event.shiftKey) return stretched(draft, { days: step }, zone);
    if (!byResource) return moved(draft, { days: step }, zone);
    const index = columns.findIndex((column) => column.resource === draft.resource);
    const target = columns[index + step];
    return target === undefined ? draft : { ...draft, resource: target.resource };
  };
  const giveUp = (one: Shown): void => {
    if (doing?.by === 'keys' && doing.one?.key === one.key) {
      onDoing(null);
      say(words.gaveUp);
    }
  };
  const open = (one: Shown): void => {
    if (!drag.wasDrag()) onOpen(one);
  };

  const ghost = doing === null ? null : ghostOf(doing);
  const columnStyle = { gridTemplateColumns: `repeat(${columns.length}, minmax(var(--calendar-column), 1fr))` };
  return (
    <div className="calendar-grid" ref={scroller} role="group" aria-label={words.grid}>
      <div className="calendar-inner">
        <div className="calendar-top">
          <div className="calendar-corner" />
          <div className="calendar-heads" style={columnStyle}>
            {columns.map((column) => (
              <ColumnHead key={column.key} column={column} format={format} today={today} nameOf={nameOf} onDay={onDay} order={order} />
            ))}
          </div>
          {rows === 0 && !(ghost !== null && isLong(ghost)) ? null : (
            <>
              <div className="calendar-corner calendar-corner-days">{words.allDay}</div>
              <div className="calendar-days" style={{ ...columnStyle, gridTemplateRows: `repeat(${Math.max(rows, 1)}, 1.5rem)` }}>
                {long.map(({ item, first: from, last, row, begins, ends }) => {
                  const column = columns[from];
                  if (column === undefined) return null;
                  return (
                    <EventBlock
                      key={`${item.key} ${from}`}
                      one={item}
                      look={lookOf(type, kind, item, order)}
                      label={labelOf(item)}
                      when={item.allDay ? '' : format.time(item.start)}
                      style={{ gridColumn: `${from + 1} / ${last + 2}`, gridRow: row + 1 }}
                      begins={begins}
                      ends={ends}
                      ghost={false}
                      lifted={doing?.one?.key === item.key}
                      open={openKey === item.key}
                      small
                      row
                      onOpen={() => open(item)}
                      onPointerDown={(event, how) => drag.begin(event, how, item, column)}
                      onKeyDown={(event) => onKeyDown(event, item, column)}
                      onBlur={() => giveUp(item)}
                    />
                  );
                })}
                {ghost !== null && isLong(ghost)
                  ? longOnes(columns, [{ ...ghost, resources: ghost.resource === null ? ghost.resources : [ghost.resource] }], zone).map((one) => (
                      <div key={one.first} className="event event-row event-ghost event-ghost-row" style={{ gridColumn: `${one.first + 1} / ${one.last + 2}`, gridRow: 1 }}>
                        <span className="event-title">{ghost.title}</span>
                      </div>
                    ))
                  : null}
              </div>
            </>
          )}
        </div>
        <div className="calendar-hours" style={{ height: axis.length * minutePx }}>
          <div className="calendar-scale" aria-hidden>
            {axis.hours.map((hour) =>
              hour.place === 0 ? null : (
                <span key={hour.place} style={{ top: hour.place * minutePx }}>
                  {format.hour(hour.minute)}
                  {hour.again ? <em> {words.again}</em> : null}
                </span>
              ),
            )}
          </div>
          <div className="calendar-body" ref={body} style={columnStyle}>
            {columns.map((column) => {
              const own = axis.columns.get(column.day);
              if (own === undefined) return null;
              const here = placedIn(axis, column, shown);
              const inGhost = ghost !== null && !isLong(ghost) && (column.resource === null || (ghost.resource ?? column.resource) === column.resource) ? placedIn(axis, { ...column, resource: null }, [ghost])[0] : undefined;
              return (
                <div
                  key={column.key}
                  className={classNames('calendar-column', column.day === today && 'calendar-column-today')}
                  data-column={column.key}
                  onPointerDown={(event) => drag.begin(event, 'create', null, column)}
                >
                  {closedIn(own, kind.hours, axis.length).map((one) => (
                    <span key={`closed ${one.from}`} className="calendar-closed" style={{ top: one.from * minutePx, height: (one.to - one.from) * minutePx }} aria-hidden />
                  ))}
                  {axis.hours.map((hour) => (
                    <span key={hour.place} className="calendar-line" style={{ top: hour.place * minutePx }} aria-hidden />
                  ))}
                  {own.gaps.map((gap) => (
                    <span key={`gap ${gap.from}`} className="calendar-gap" title={words.skipped} style={{ top: gap.from * minutePx, height: (gap.to - gap.from) * minutePx }} aria-hidden />
                  ))}
                  {here.map(({ item, segment, lane }) => {
                    const height = Math.max(segment.to - segment.from, shortest) * minutePx;
                    return (
                      <EventBlock
                        key={item.key}
                        one={item}
                        look={lookOf(type, kind, item, order)}
                        label={labelOf(item)}
                        when={height < 34 || lane.lanes > (columns.length > 4 ? 1 : 2) ? format.time(item.start) : format.span(item)}
                        style={{ top: segment.from * minutePx, height: height - 2, left: `${(lane.lane / lane.lanes) * 100}%`, width: `calc(${(lane.width / lane.lanes) * 100}% - 3px)` }}
                        begins={segment.begins}
                        ends={segment.ends}
                        ghost={false}
                        lifted={doing?.one?.key === item.key}
                        open={openKey === item.key}
                        small={height < 34}
                        row={false}
                        onOpen={() => open(item)}
                        onPointerDown={(event, how) => drag.begin(event, how, item, column)}
                        onKeyDown={(event) => onKeyDown(event, item, column)}
                        onBlur={() => giveUp(item)}
                      />
                    );
                  })}
                  {kind.bufferBeforeS + kind.bufferAfterS === 0
                    ? null
                    : here.map(({ item, segment }) => (
                        <span key={`buffer ${item.key}`} aria-hidden>
                          <Buffer from={segment.from - kind.bufferBeforeS / 60} to={segment.from} />
                          <Buffer from={segment.to} to={segment.to + kind.bufferAfterS / 60} />
                        </span>
                      ))}
                  {inGhost === undefined || ghost === null ? null : (
                    <div
                      className={classNames('event', 'event-ghost', ghost.colour)}
                      style={{ top: inGhost.segment.from * minutePx, height: Math.max(inGhost.segment.to - inGhost.segment.from, shortest) * minutePx - 2, left: 0, width: 'calc(100% - 3px)' }}
                    >
                      <span className="event-title">{ghost.title === '' ? words.create : ghost.title}</span>
                      <span className="event-when">{format.span(ghost)}</span>
                    </div>
                  )}
                  {column.day === today && now >= own.start && now < own.end ? <span className="calendar-now" style={{ top: placeOf(own, now) * minutePx }} aria-label={words.now} role="img" /> : null}
                </div>
              );
            })}
          </div>
        </div>
      </div>
    </div>
  );

  function ghostOf(of: Doing): Draft & { readonly title: string; readonly resources: readonly string[]; readonly colour: string } {
    const look = of.one === null ? null : lookOf(type, kind, of.one, order);
    return { ...of.draft, title: look?.title ?? '', resources: of.one?.resources ?? [], colour: look === null ? 'event-new' : `event-${look.colour}` };
  }
}

function Buffer({ from, to }: { readonly from: number; readonly to: number }) {
  return to <= from ? null : <span className="calendar-buffer" style={{ top: from * minutePx, height: (to - from) * minutePx }} />;
}

interface ColumnHeadProps {
  readonly column: GridColumn;
  readonly format: CalendarFormat;
  readonly today: string;
  readonly nameOf: (resource: string) => string;
  readonly onDay: (day: string) => void;
  readonly order: ReadonlyMap<string, number>;
}

function ColumnHead({ column, format, today, nameOf, onDay, order }: ColumnHeadProps) {
  if (column.resource !== null) {
    return (
      <div className="calendar-head">
        <span className={`calendar-colour event-${(order.get(column.resource) ?? 0) % 6}`} aria-hidden />
        <span className="truncate">{nameOf(column.resource)}</span>
      </div>
    );
  }
  return (
    <button type="button" className={classNames('calendar-head', column.day === today && 'calendar-head-today')} aria-current={column.day === today ? 'date' : undefined} onClick={() => onDay(column.day)}>
      <span className="calendar-weekday">{format.weekday(column.day)}</span> <span className="calendar-number">{format.dayNumber(column.day)}</span>
      <span className="visually-hidden">, {format.longDay(column.day)}</span>
    </button>
  );
}
