/** Something of the server that a page shows as it is now: read when somebody looks, again when asked, and every so often if it is to follow. */
import type { Live } from '@stet/client';

export interface ResourceState<T> {
  /** `ready` also while it is read again, and when that failed: then `error` says why, and `value` is of before. */
  readonly status: 'loading' | 'ready' | 'error';
  readonly value: T | null;
  readonly error: unknown;
}

export interface Resource<T> extends Live<ResourceState<T>> {
  /** Reads it now; resolves when that is over, also when it failed. What was asked for before is given up. */
  refresh(): Promise<void>;
}

export interface ResourceOptions {
  /** Milliseconds between two readings while somebody looks; without: only when asked. */
  readonly everyMs?: number;
  readonly after?: (ms: number, callback: () => void) => () => void;
  /** Nobody sees the page: nothing is read. */
  readonly hidden?: () => boolean;
}

const afterTimeout = (ms: number, callback: () => void): (() => void) => {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
};
const pageHidden = (): boolean => globalThis.document?.visibilityState === 'hidden';

/** `read` is given what was read last, to add to it. */
export function createResource<T>(read: (signal: AbortSignal, before: T | null) => Promise<T>, { everyMs, after = afterTimeout, hidden = pageHidden }: ResourceOptions = {}): Resource<T> {
  let state: ResourceState<T> = { status: 'loading', value: null, error: null };
  let abort: AbortController | null = null;
  let undo: (() => void) | null = null;
  const listeners = new Set<() => void>();
  const set = (next: ResourceState<T>) => {
    state = next;
    listeners.forEach((listener) => listener());
  };
  const later = () => {
    undo?.();
    undo = null;
    if (everyMs === undefined || listeners.size === 0) return;
    undo = after(everyMs, () => (hidden() ? later() : void refresh()));
  };
  const refresh = async () => {
    abort?.abort();
    const mine = new AbortController();
    abort = mine;
    try {
      const value = await read(mine.signal, state.value);
      if (abort === mine) set({ status: 'ready', value, error: null });
    } catch (error) {
      if (abort === mine) set({ status: state.value === null ? 'error' : 'ready', value: state.value, error });
    }
    if (abort === mine) {
      abort = null;
      later();
    }
  };
  return {
    refresh,
    getSnapshot: () => state,
    subscribe: (listener) => {
      const first = listeners.size === 0;
      listeners.add(listener);
      if (first) void refresh();
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        undo?.();
        undo = null;
        abort?.abort();
        abort = null;
      };
    },
  };
}
