import type { Live } from '@stet/client';
import type { ViewClock } from './provider';

/** A value that is asked for again and again while somebody looks: for what the feed does not tell. A page in the background does not
 *  ask. `ask` never rejects: a failure is part of the value. Answers that come out of order are left out. */
export function polled<S>(clock: ViewClock, everyMs: number, first: S, ask: (before: S, signal: AbortSignal) => Promise<S>): Live<S> {
  const listeners = new Set<() => void>();
  let value = first;
  let stop: (() => void) | null = null;

  const start = (): (() => void) => {
    const gone = new AbortController();
    let asking = false;
    const round = (): void => {
      if (asking || (typeof document !== 'undefined' && document.visibilityState === 'hidden')) return;
      asking = true;
      void ask(value, gone.signal).then((next) => {
        asking = false;
        if (gone.signal.aborted || next === value) return;
        value = next;
        for (const listener of [...listeners]) listener();
      });
    };
    const undo = clock.every(everyMs, round);
    round();
    return () => {
      undo();
      gone.abort();
    };
  };

  return {
    subscribe(listener) {
      const own = (): void => listener();
      listeners.add(own);
      stop ??= start();
      return () => {
        if (!listeners.delete(own) || listeners.size > 0 || stop === null) return;
        stop();
        stop = null;
      };
    },
    getSnapshot: () => value,
  };
}
