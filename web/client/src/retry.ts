/** When a request is tried again: what the status table allows, three times, ever later, each a random part of its pause. */
import type { StetError } from './error';
import { abortedError, networkError } from './problem';
import type { Clock } from './seams';
import { codes } from './status';

export interface RetryPolicy {
  /** The first one counted. */
  readonly tries: number;
  readonly firstMs: number;
  /** No pause is longer, but for what the server asks for. */
  readonly maxMs: number;
}
/** 3 tries from 1,000 ms, doubling. */
export const defaultRetry: RetryPolicy = { tries: 3, firstMs: 1000, maxMs: 30_000 };

/** The pause before try `attempt` (from 2 on): anything up to the doubled one, and no less than what the server asked for. */
export const pauseMs = (policy: RetryPolicy, attempt: number, asked: number | null, random: number): number => {
  const ceiling = Math.min(policy.maxMs, policy.firstMs * 2 ** Math.max(0, attempt - 2));
  const jittered = Math.floor(random * ceiling);
  return asked === null ? jittered : asked + jittered;
};

/** Whether the same may be sent again. A write needs its key for that: without one it could take effect twice. */
export const mayRetry = (error: StetError, safe: boolean, keyed: boolean): boolean => {
  if (!safe && !keyed) return false;
  return error.retryable || codes[error.code].retry === 'same_key';
};

/** Waits; rejects with ABORTED as soon as the signal says so. */
export const pause = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortedError());
      return;
    }
    const abort = () => {
      undo();
      reject(abortedError());
    };
    const undo = clock.after(ms, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    signal?.addEventListener('abort', abort, { once: true });
  });

/** Runs `work` until it succeeds, may not be tried again, or the tries are used up. */
export const withRetry = async <R>(
  clock: Clock,
  policy: RetryPolicy,
  options: { readonly safe: boolean; readonly keyed: boolean; readonly signal?: AbortSignal; readonly retried?: () => void },
  work: () => Promise<R>,
): Promise<R> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (thrown) {
      const error = networkError(thrown);
      if (attempt >= policy.tries || !mayRetry(error, options.safe, options.keyed)) throw error;
      options.retried?.();
      await pause(clock, pauseMs(policy, attempt + 1, error.retryAfterMs, clock.random()), options.signal);
    }
  }
};
