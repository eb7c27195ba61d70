import { useCallback, useEffect, useRef, useState } from 'react';

export interface Action {
  readonly busy: boolean;
  /** Why the last one failed; null when it did not. */
  readonly error: unknown;
  /** Runs it unless one is under way; answers whether it was kept. */
  run(work: () => Promise<void>): Promise<boolean>;
  clear(): void;
}

/** Something that a form or a button does, one at a time. */
export function useAction(): Action {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const running = useRef(false);
  const there = useRef(true);
  useEffect(() => {
    there.current = true;
    return () => {
      there.current = false;
    };
  }, []);
  const run = useCallback(async (work: () => Promise<void>) => {
    if (running.current) return false;
    running.current = true;
    setBusy(true);
    setError(null);
    try {
      await work();
      return true;
    } catch (failure) {
      if (there.current) setError(failure);
      return false;
    } finally {
      running.current = false;
      if (there.current) setBusy(false);
    }
  }, []);
  const clear = useCallback(() => setError(null), []);
  return { busy, error, run, clear };
}
