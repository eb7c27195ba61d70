/**
 * Something that is read over HTTP and kept true: read when it is first looked at, again when it is told of a change, and in between every
 * so often. Changes that come faster are read together; nobody looks: nothing is read.
 */
import type { Live } from '@stet/client';

export interface SourceState<T> {
  readonly status: 'loading' | 'ready' | 'error';
  /** What was read last; it stays when a later reading fails. */
  readonly value: T | null;
  readonly error: unknown;
}

export interface SourceOptions<T> {
  read(signal: AbortSignal): Promise<T>;
  /** Readings are at least so far apart, in milliseconds. */
  readonly atMostEveryMs: number;
  /** It is read again after so long without being told; null: never. */
  readonly everyMs: number | null;
  /** Listens for changes as long as somebody looks; returns its undo. */
  readonly follow?: (changed: () => void) => () => void;
  readonly clock: SourceClock;
}
export interface SourceClock {
  /** Milliseconds that only go forward. */
  now(): number;
  /** Returns its undo. */
  after(ms: number, callback: () => void): () => void;
}

export interface Source<T> extends Live<SourceState<T>> {
  /** Reads again at once; a reading that is under way is given up, for it may have begun before what one wants to see. */
  refresh(): void;
}

/** The browser's clock; hidden pages are slowed down by the browser itself. */
export const pageClock: SourceClock = {
  now: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

export function createSource<T>(options: SourceOptions<T>): Source<T> {
  const { clock } = options;
  const listeners = new Set<() => void>();
  let state: SourceState<T> = { status: 'loading', value: null, error: null };
  let reading: AbortController | null = null;
  let again = false;
  let lastAt = Number.NEGATIVE_INFINITY;
  let undoTimer: (() => void) | null = null;
  let unfollow: (() => void) | null = null;

  const tell = (next: SourceState<T>): void => {
    state = next;
    for (const listener of [...listeners]) listener();
  };
  const wait = (ms: number): void => {
    undoTimer?.();
    undoTimer = clock.after(ms, () => {
      undoTimer = null;
      start();
    });
  };
  const start = (): void => {
    if (listeners.size === 0) return;
    if (reading !== null) {
      again = true;
      return;
    }
    undoTimer?.();
    undoTimer = null;
    const mine = new AbortController();
    reading = mine;
    again = false;
    lastAt = clock.now();
    const done = (next: SourceState<T>): void => {
      if (reading !== mine) return;
      reading = null;
      if (again) wait(options.atMostEveryMs);
      else if (options.everyMs !== null) wait(options.everyMs);
      tell(next);
    };
    options.read(mine.signal).then(
      (value) => done({ status: 'ready', value, error: null }),
      (error: unknown) => done({ status: 'error', value: state.value, error }),
    );
  };
  const changed = (): void => {
    if (reading !== null) again = true;
    else wait(Math.max(0, options.atMostEveryMs - (clock.now() - lastAt)));
  };

  return {
    getSnapshot: () => state,
    subscribe: (listener) => {
      listeners.add(listener);
      if (listeners.size === 1) {
        unfollow = options.follow?.(changed) ?? null;
        start();
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        unfollow?.();
        unfollow = null;
        undoTimer?.();
        undoTimer = null;
        reading?.abort();
        reading = null;
      };
    },
    refresh: () => {
      reading?.abort();
      reading = null;
      start();
    },
  };
}
