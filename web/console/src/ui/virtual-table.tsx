import { ArrowDown, ArrowUp } from 'lucide-react';
import { memo, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, type CSSProperties, type KeyboardEvent, type PointerEvent, type ReactNode } from 'react';
import { useMessages } from '../i18n/messages';
import { Checkbox } from './checkbox';
import { classNames } from './class-names';
import { uiMessages } from './messages';

export interface Column<Row> {
  readonly id: string;
  readonly label: string;
  /** Pixels. */
  readonly width: number;
  readonly align?: 'start' | 'end';
  readonly sortable?: boolean;
  /** Must depend on the row alone: rows that stay the same are not drawn again. */
  readonly cell: (row: Row) => ReactNode;
}

export interface VirtualTableProps<Row> {
  readonly label: string;
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  /** What a row is called when it is read out with its checkbox. */
  readonly nameOf?: (row: Row) => string;
  readonly columns: readonly Column<Row>[];
  readonly sort?: { readonly id: string; readonly descending: boolean } | null;
  readonly onSort?: (id: string) => void;
  readonly onResize?: (id: string, width: number) => void;
  /** Enter, or a click. */
  readonly onOpen?: (row: Row) => void;
  readonly activeKey?: string | null;
  readonly selected?: ReadonlySet<string>;
  readonly onSelect?: (keys: ReadonlySet<string>) => void;
  /** Words for the checkboxes, with `onSelect`. */
  readonly selectLabel?: { readonly all: string; readonly row: (name: string) => string };
  /** The end comes near: time for the next page. */
  readonly onEnd?: () => void;
  /** How many there are in all, when that is known and more than the rows. */
  readonly total?: number | null;
}

/** The same as `--row`. */
const rowHeight = 36;
/** Rows drawn beyond what is seen, so that a fast scroll finds them. */
const overscan = 8;
const columnWidthMin = 56;

/** Any number of rows of one line each, of which only those in sight are drawn. Arrow keys move, Enter opens, Space selects. */
export function VirtualTable<Row>(props: VirtualTableProps<Row>) {
  const { label, rows, keyOf, nameOf = keyOf, columns, sort = null, onSort, onResize, onOpen, activeKey = null, selected, onSelect, selectLabel, onEnd, total = null } = props;
  const words = useMessages(uiMessages);
  const box = useRef<HTMLDivElement>(null);
  // Until the table's own height is known: no more than a window holds.
  const [range, setRange] = useState(() => ({ first: 0, last: Math.ceil((globalThis.innerHeight ?? 0) / rowHeight) }));
  const [focused, setFocused] = useState(0);
  const measure = useCallback(() => {
    const shown = box.current;
    if (!shown) return;
    const first = Math.max(0, Math.floor(shown.scrollTop / rowHeight) - overscan);
    const last = Math.ceil((shown.scrollTop + shown.clientHeight) / rowHeight) + overscan;
    setRange((before) => (before.first === first && before.last === last ? before : { first, last }));
  }, []);
  useLayoutEffect(() => {
    measure();
    const shown = box.current;
    if (!shown) return undefined;
    const watcher = new ResizeObserver(measure);
    watcher.observe(shown);
    return () => watcher.disconnect();
  }, [measure]);
  const nearEnd = range.last >= rows.length;
  const askForMore = useRef(onEnd);
  useEffect(() => {
    askForMore.current = onEnd;
  });
  useEffect(() => {
    if (nearEnd && rows.length > 0) askForMore.current?.();
  }, [nearEnd, rows.length]);

  const template = useMemo(() => [selected ? '2.5rem' : '', ...columns.map((column) => `${column.width}px`), 'minmax(0, 1fr)'].filter(Boolean).join(' '), [columns, selected !== undefined]);
  const newest = useRef({ onOpen, onSelect, selected, rows, keyOf });
  useEffect(() => {
    newest.current = { onOpen, onSelect, selected, rows, keyOf };
  });
  const lastToggled = useRef<number | null>(null);
  const open = useCallback((row: Row) => newest.current.onOpen?.(row), []);
  const toggle = useCallback((index: number, through: boolean) => {
    const now = newest.current;
    const next = new Set(now.selected);
    const row = now.rows[index];
    if (row === undefined) return;
    const on = !next.has(now.keyOf(row));
    const from = through && lastToggled.current !== null ? lastToggled.current : index;
    for (const other of now.rows.slice(Math.min(from, index), Math.max(from, index) + 1)) {
      if (on) next.add(now.keyOf(other));
      else next.delete(now.keyOf(other));
    }
    lastToggled.current = index;
    now.onSelect?.(next);
  }, []);

  const goTo = (index: number) => {
    const to = Math.max(0, Math.min(rows.length - 1, index));
    const shown = box.current;
    setFocused(to);
    if (!shown) return;
    const top = to * rowHeight;
    const room = shown.clientHeight - rowHeight;
    if (top < shown.scrollTop) shown.scrollTop = top;
    else if (top + rowHeight > shown.scrollTop + room) shown.scrollTop = top + rowHeight - room;
    measure();
    requestAnimationFrame(() => shown.querySelector<HTMLElement>(`[data-index="${to}"]`)?.focus({ preventScroll: true }));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!(event.target instanceof HTMLElement) || event.target.dataset['index'] === undefined) return;
    const page = Math.max(1, Math.floor((box.current?.clientHeight ?? 0) / rowHeight) - 2);
    const to: Readonly<Record<string, number>> = { ArrowDown: focused + 1, ArrowUp: focused - 1, PageDown: focused + page, PageUp: focused - page, Home: 0, End: rows.length - 1 };
    const index = to[event.key];
    if (index !== undefined) {
      event.preventDefault();
      goTo(index);
      if (event.shiftKey && onSelect && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) toggle(Math.max(0, Math.min(rows.length - 1, index)), false);
      return;
    }
    const row = rows[focused];
    if (row === undefined) return;
    if (event.key === 'Enter') {
      event.preventDefault();
      onOpen?.(row);
    } else if (event.key === ' ' && onSelect) {
      event.preventDefault();
      toggle(focused, event.shiftKey);
    }
  };
  const allSelected = selected !== undefined && rows.length > 0 && selected.size >= rows.length && rows.every((row) => selected.has(keyOf(row)));
  const offset = selected ? 2 : 1;
  const style: CSSProperties & Record<'--grid-columns', string> = { '--grid-columns': template };
  return (
    <div ref={box} className="grid" role="grid" aria-label={label} aria-rowcount={(total ?? rows.length) + 1} aria-multiselectable={onSelect ? true : undefined} onScroll={measure} onKeyDown={onKeyDown} style={style}>
      <div className="grid-inner">
        <div className="grid-row grid-head" role="row" aria-rowindex={1}>
          {selected ? (
            <span className="grid-cell grid-cell-check" role="columnheader" aria-colindex={1}>
              <Checkbox
                aria-label={selectLabel?.all ?? label}
                checked={allSelected}
                partly={selected.size > 0 && !allSelected}
                onChange={() => onSelect?.(allSelected ? new Set() : new Set(rows.map(keyOf)))}
              />
            </span>
          ) : null}
          {columns.map((column, index) => (
            <ColumnHead key={column.id} column={column} index={index + offset} sort={sort?.id === column.id ? sort : null} {...(onSort && column.sortable === true ? { onSort } : {})} {...(onResize ? { onResize } : {})} sortLabel={words.sortBy(column.label)} />
          ))}
        </div>
        <div className="grid-body" role="rowgroup" style={{ height: rows.length * rowHeight }}>
          {rows.slice(range.first, range.last).map((row, at) => {
            const index = range.first + at;
            const key = keyOf(row);
            return (
              <Line<Row>
                key={key}
                row={row}
                index={index}
                name={nameOf(row)}
                columns={columns}
                active={key === activeKey}
                focusable={index === Math.min(focused, rows.length - 1)}
                selected={selected?.has(key) ?? null}
                canOpen={onOpen !== undefined}
                open={open}
                toggle={toggle}
                onFocus={setFocused}
                selectLabel={selectLabel?.row}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface LineProps<Row> {
  readonly row: Row;
  readonly index: number;
  readonly name: string;
  readonly columns: readonly Column<Row>[];
  readonly active: boolean;
  readonly focusable: boolean;
  /** null: rows are not to be selected. */
  readonly selected: boolean | null;
  readonly canOpen: boolean;
  readonly open: (row: Row) => void;
  readonly toggle: (index: number, through: boolean) => void;
  readonly onFocus: (index: number) => void;
  readonly selectLabel: ((name: string) => string) | undefined;
}

function LineOf<Row>({ row, index, name, columns, active, focusable, selected, canOpen, open, toggle, onFocus, selectLabel }: LineProps<Row>) {
  const offset = selected === null ? 1 : 2;
  return (
    <div
      className={classNames('grid-row', canOpen && 'grid-row-open', active && 'grid-row-active')}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected ?? undefined}
      aria-current={active || undefined}
      tabIndex={focusable ? 0 : -1}
      data-index={index}
      style={{ transform: `translateY(${index * rowHeight}px)` }}
      onFocus={(event) => {
        if (event.target === event.currentTarget) onFocus(index);
      }}
      onClick={() => open(row)}
    >
      {selected === null ? null : (
        <span className="grid-cell grid-cell-check" role="gridcell" aria-colindex={1} onClick={(event) => event.stopPropagation()}>
          <Checkbox aria-label={selectLabel?.(name) ?? name} checked={selected} tabIndex={-1} onClick={(event) => toggle(index, event.shiftKey)} onChange={() => undefined} />
        </span>
      )}
      {columns.map((column, at) => (
        <span key={column.id} className={classNames('grid-cell', column.align === 'end' && 'grid-cell-end')} role="gridcell" aria-colindex={at + offset}>
          {column.cell(row)}
        </span>
      ))}
    </div>
  );
}
const Line = memo(LineOf) as typeof LineOf;

interface ColumnHeadProps<Row> {
  readonly column: Column<Row>;
  readonly index: number;
  readonly sort: { readonly descending: boolean } | null;
  readonly onSort?: (id: string) => void;
  readonly onResize?: (id: string, width: number) => void;
  readonly sortLabel: string;
}

function ColumnHead<Row>({ column, index, sort, onSort, onResize, sortLabel }: ColumnHeadProps<Row>) {
  const Arrow = sort?.descending === true ? ArrowDown : ArrowUp;
  // The handle is for pointers; by keyboard the heading itself is made wider.
  const resize = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 16 : event.key === 'ArrowLeft' ? -16 : 0;
    if (step === 0 || !event.shiftKey || !onResize) return;
    event.preventDefault();
    onResize(column.id, Math.max(columnWidthMin, column.width + step));
  };
  const drag = (start: PointerEvent<HTMLSpanElement>) => {
    const handle = start.currentTarget;
    const from = start.clientX;
    handle.setPointerCapture(start.pointerId);
    handle.onpointermove = (event) => onResize?.(column.id, Math.max(columnWidthMin, Math.round(column.width + event.clientX - from)));
    handle.onpointerup = handle.onpointercancel = () => {
      handle.onpointermove = handle.onpointerup = handle.onpointercancel = null;
    };
  };
  return (
    <span
      className={classNames('grid-cell', column.align === 'end' && 'grid-cell-end')}
      role="columnheader"
      aria-colindex={index}
      aria-sort={sort ? (sort.descending ? 'descending' : 'ascending') : onSort ? 'none' : undefined}
    >
      {onSort ? (
        <button type="button" className="grid-sort" data-sorted={sort ? '' : undefined} title={sortLabel} aria-keyshortcuts={onResize ? 'Shift+ArrowLeft Shift+ArrowRight' : undefined} onClick={() => onSort(column.id)} onKeyDown={resize}>
          <span className="truncate">{column.label}</span>
          {sort ? <Arrow size={12} aria-hidden /> : null}
        </button>
      ) : (
        <span className="truncate">{column.label}</span>
      )}
      {onResize ? (
        <span
          className="grid-resize"
          aria-hidden
          onPointerDown={drag}
        />
      ) : null}
    </span>
  );
}
