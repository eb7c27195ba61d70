import { useEffect, useRef, useState, type PointerEvent as ReactPointerEvent, type RefObject } from 'react';
import type { Axis } from './axis';
import type { GridColumn } from './columns';
import { dragged, sameDraft, snapped, spanned, stretchedStart, type Draft } from './draft';
import { instantOfPlace, placeOf } from './axis';
import type { Shown } from './overlay';

/** What is being done with the pointer or the keys. */
export interface Doing {
  readonly how: 'move' | 'end' | 'start' | 'create';
  readonly by: 'pointer' | 'keys';
  /** What is moved; null for something new. */
  readonly one: Shown | null;
  /** The resource of the column in which it was taken. */
  readonly from: string | null;
  readonly draft: Draft;
}

interface Options {
  readonly body: RefObject<HTMLDivElement | null>;
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly axis: Axis;
  readonly columns: readonly GridColumn[];
  readonly zone: string;
  /** Height of a minute, in pixels. */
  readonly minutePx: number;
  readonly doing: Doing | null;
  readonly onDoing: (doing: Doing | null) => void;
  readonly onDone: (doing: Doing) => void;
}

/** Pixels that a pointer must go before it is a drag and not a click. */
const threshold = 4;
/** Pixels from the border within which a drag scrolls, and how far each time. */
const edge = 28;
const edgeStep = 14;

export interface GridDrag {
  /** For the pointer going down on something, or on a free place of a column. */
  begin(event: ReactPointerEvent, how: Doing['how'], one: Shown | null, column: GridColumn): void;
  /** A drag just ended: the click that follows is not one. */
  readonly wasDrag: () => boolean;
}

/** Drags in the hours: move, stretch at either end, and make. The draft follows the pointer; letting go is done, Escape gives up. */
export function useGridDrag(options: Options): GridDrag {
  const newest = useRef(options);
  useEffect(() => {
    newest.current = options;
  });
  const [active, setActive] = useState<{ how: Doing['how']; one: Shown | null; column: GridColumn; grabMs: number; at: number; x: number; y: number; moving: boolean; pointer: number } | null>(null);
  const dragEnded = useRef(0);

  useEffect(() => {
    if (active === null) return undefined;
    let moving = active.moving;
    const over = (event: PointerEvent): { column: GridColumn; place: number } | null => {
      const { body, columns, minutePx } = newest.current;
      const found = [...(body.current?.querySelectorAll<HTMLElement>('[data-column]') ?? [])];
      if (found.length === 0) return null;
      const rects = found.map((element) => element.getBoundingClientRect());
      let index = rects.findIndex((rect) => event.clientX >= rect.left && event.clientX < rect.right);
      if (index < 0) index = event.clientX < (rects[0]?.left ?? 0) ? 0 : rects.length - 1;
      const rect = rects[index];
      const column = columns[index];
      return rect === undefined || column === undefined ? null : { column, place: (event.clientY - rect.top) / minutePx };
    };
    const scroll = (event: PointerEvent): void => {
      const box = newest.current.scroller.current;
      if (box === null) return;
      const rect = box.getBoundingClientRect();
      if (event.clientY > rect.bottom - edge) box.scrollTop += edgeStep;
      else if (event.clientY < rect.top + edge) box.scrollTop -= edgeStep;
    };
    const draftOf = (event: PointerEvent): Draft | null => {
      const { axis, zone } = newest.current;
      const at = over(event);
      if (at === null) return null;
      const own = axis.columns.get(active.how === 'create' ? active.column.day : at.column.day);
      if (own === undefined) return null;
      const { one } = active;
      if (one === null) return spanned(own, active.at, at.place, active.column.resource);
      const before: Draft = { start: one.start, end: one.end, allDay: one.allDay, resource: active.column.resource };
      if (active.how === 'move') return dragged(before, own, at.place, active.grabMs, at.column.resource, zone);
      const instant = snapped(own, Math.min(Math.max(at.place, 0), axis.length));
      return active.how === 'start' ? stretchedStart(before, instant) : { ...before, end: Math.max(instant, before.start + 15 * 60_000) };
    };
    const doingOf = (draft: Draft): Doing => ({ how: active.how, by: 'pointer', one: active.one, from: active.column.resource, draft });
    const onMove = (event: PointerEvent): void => {
      if (event.pointerId !== active.pointer) return;
      if (!moving && Math.hypot(event.clientX - active.x, event.clientY - active.y) < threshold) return;
      moving = true;
      scroll(event);
      const draft = draftOf(event);
      if (draft !== null) newest.current.onDoing(doingOf(draft));
    };
    const stop = (): void => {
      setActive(null);
      newest.current.onDoing(null);
    };
    const onUp = (event: PointerEvent): void => {
      if (event.pointerId !== active.pointer) return;
      const draft = moving ? draftOf(event) : null;
      if (moving) dragEnded.current = event.timeStamp;
      stop();
      if (draft === null) return;
      const { one } = active;
      if (one !== null && sameDraft(draft, { start: one.start, end: one.end, allDay: one.allDay, resource: active.column.resource })) return;
      newest.current.onDone(doingOf(draft));
    };
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      event.stopPropagation();
      dragEnded.current = performance.now();
      stop();
    };
    window.addEventListener('pointermove', onMove);
    window.addEventListener('pointerup', onUp);
    window.addEventListener('pointercancel', stop);
    window.addEventListener('keydown', onKey, true);
    return () => {
      window.removeEventListener('pointermove', onMove);
      window.removeEventListener('pointerup', onUp);
      window.removeEventListener('pointercancel', stop);
      window.removeEventListener('keydown', onKey, true);
    };
  }, [active]);

  return {
    begin: (event, how, one, column) => {
      if (event.button !== 0 || (event.pointerType === 'touch' && how === 'create')) return;
      const own = newest.current.axis.columns.get(column.day);
      const element = newest.current.body.current?.querySelector<HTMLElement>(`[data-column="${CSS.escape(column.key)}"]`);
      if (own === undefined || element === null || element === undefined) return;
      event.stopPropagation();
      const place = (event.clientY - element.getBoundingClientRect().top) / newest.current.minutePx;
      const grabMs = one === null ? 0 : Math.max(0, instantOfPlace(own, Math.max(0, place)) - one.start);
      setActive({ how, one, column, grabMs, at: Math.max(0, place), x: event.clientX, y: event.clientY, moving: false, pointer: event.pointerId });
    },
    wasDrag: () => performance.now() - dragEnded.current < 250,
  };
}

/** Where an instant is drawn in its column, in pixels. */
export function topOf(axis: Axis, column: GridColumn, instant: number, minutePx: number): number | null {
  const own = axis.columns.get(column.day);
  return own === undefined || instant < own.start || instant >= own.end ? null : placeOf(own, instant) * minutePx;
}
