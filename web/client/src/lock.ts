import { StetError } from './error';
import { closedError } from './problem';
import type { TabLink } from './seams';

/** One at a time for each key, in all tabs. */
export interface KeyLocks {
  /** Runs `work`, or rejects at once with `OPERATION_IN_PROGRESS` when the key is at work here or in another tab. The signal ends with the client. */
  run<R>(key: string, work: (signal: AbortSignal) => Promise<R>): Promise<R>;
  close(): void;
}

/** @param name  the same for all tabs of one server and space */
export function createKeyLocks(tabs: TabLink, name: string): KeyLocks {
  const closed = new AbortController();
  return {
    async run<R>(key: string, work: (signal: AbortSignal) => Promise<R>): Promise<R> {
      if (closed.signal.aborted) throw closedError();
      let outcome: { readonly result: R } | null = null;
      const held = await tabs.tryHold(`${name}:key:${key}`, async () => {
        outcome = { result: await work(closed.signal) };
      });
      const done = takeOutcome<R>(outcome);
      if (!held || done === null) throw new StetError({ code: 'OPERATION_IN_PROGRESS', detail: `"${key}" is at work here or in another tab` });
      return done.result;
    },
    close: () => closed.abort(),
  };
}

/** Assignments in a callback are unknown to the compiler. */
const takeOutcome = <R>(outcome: { readonly result: R } | null): { readonly result: R } | null => outcome;
