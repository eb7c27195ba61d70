/** One source for many listeners: begun with the first, ended a moment after the last. */
import type { Clock } from './seams';

/** A component that is taken off and put back (a page turned, a strict mode) finds what it had. */
const LINGER_MS = 250;

export interface Shared {
  subscribe(listener: () => void): () => void;
  tell(): void;
  /** Somebody listens, or did a moment ago. */
  readonly active: boolean;
  close(): void;
}

/** @param begin called for the first listener; what it returns, after the last */
export const createShared = (clock: Clock, begin: () => () => void): Shared => {
  const listeners = new Set<() => void>();
  let end: (() => void) | null = null;
  let lingering: (() => void) | null = null;

  const stop = () => {
    lingering?.();
    lingering = null;
    end?.();
    end = null;
  };
  return {
    subscribe(listener) {
      const own = () => listener();
      listeners.add(own);
      lingering?.();
      lingering = null;
      end ??= begin();
      return () => {
        if (listeners.delete(own) && listeners.size === 0 && end !== null) lingering ??= clock.after(LINGER_MS, stop);
      };
    },
    tell() {
      for (const listener of [...listeners]) listener();
    },
    get active() {
      return listeners.size > 0 || end !== null;
    },
    close() {
      listeners.clear();
      stop();
    },
  };
};
