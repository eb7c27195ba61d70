import { useCallback, useEffect, useMemo, useRef, useState, type RefObject } from 'react';
import { rowsInSight, type Sight } from './window';

/**
 * Draws only the rows in sight of a box that scrolls. Each drawn row is measured: give it `measure` as its ref and its key as `data-key`.
 *
 * @param estimate  Pixels of a row that was not drawn yet.
 */
export function useWindow<I extends { readonly key: string }>(box: RefObject<HTMLElement | null>, items: readonly I[], estimate: number): { readonly inSight: readonly Sight<I>[]; readonly height: number; readonly measure: (row: HTMLElement | null) => void } {
  const heights = useRef(new Map<string, number>());
  const [measured, setMeasured] = useState(0);
  const [view, setView] = useState({ top: 0, height: 800 });
  const watcher = useRef<ResizeObserver | null>(null);
  useEffect(() => {
    const shown = box.current;
    if (!shown) return undefined;
    const look = () => setView((before) => (before.top === shown.scrollTop && before.height === shown.clientHeight ? before : { top: shown.scrollTop, height: shown.clientHeight }));
    look();
    shown.addEventListener('scroll', look, { passive: true });
    const size = new ResizeObserver(look);
    size.observe(shown);
    return () => {
      shown.removeEventListener('scroll', look);
      size.disconnect();
    };
  }, [box]);
  const measure = useCallback((row: HTMLElement | null) => {
    if (!row) return;
    watcher.current ??= new ResizeObserver((entries, observer) => {
      let changed = false;
      for (const { target } of entries) {
        // A row that went away shrinks to nothing at last. A cleanup of the ref would not do: Preact keeps one for each function, not for each row.
        if (!target.isConnected) {
          observer.unobserve(target);
          continue;
        }
        const key = target instanceof HTMLElement ? target.dataset['key'] : undefined;
        const height = target.getBoundingClientRect().height;
        if (key === undefined || height === 0 || heights.current.get(key) === height) continue;
        heights.current.set(key, height);
        changed = true;
      }
      if (changed) setMeasured((count) => count + 1);
    });
    watcher.current.observe(row);
  }, []);
  useEffect(() => {
    // Rows that are gone are forgotten, so that memory stays bounded with the list.
    if (heights.current.size <= 2 * items.length + 100) return;
    const there = new Set(items.map(({ key }) => key));
    for (const key of heights.current.keys()) if (!there.has(key)) heights.current.delete(key);
  }, [items]);
  const { inSight, height } = useMemo(() => rowsInSight(items, ({ key }) => heights.current.get(key) ?? estimate, view.top, view.height), [items, estimate, view, measured]);
  return { inSight, height, measure };
}
