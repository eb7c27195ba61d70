import { useCallback, useRef, useSyncExternalStore } from 'react';
import { useStet } from './provider';

const nothing = (): void => {};

/** The time in milliseconds since 1970, as of the last tick; null while a server renders. `everyMs` null: it stands still. */
export function useNow(everyMs: number | null): number | null {
  const { clock } = useStet();
  const seen = useRef<number | null>(null);
  const subscribe = useCallback(
    (listener: () => void) => {
      if (everyMs === null) return nothing;
      return clock.every(everyMs, () => {
        seen.current = clock.now();
        listener();
      });
    },
    [clock, everyMs],
  );
  const snapshot = (): number => {
    seen.current ??= clock.now();
    return seen.current;
  };
  return useSyncExternalStore(subscribe, snapshot, () => null);
}
