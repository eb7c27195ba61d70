/** Tells the server what was counted since it was last told: no names, no data (docs/http.md, "What clients report"). */
import type { Credentials } from './credentials';
import type { HttpCore } from './http';
import { REPORT_MS } from './limits';
import type { MetricsRecorder, Totals } from './metrics';
import type { Clock } from './seams';

/** No number of a report may be more. */
const COUNT_MAX = 1_000_000;

const times = ['confirm', 'resolve', 'queueWait'] as const;
const memberOf = { confirm: 'confirm_ms', resolve: 'resolve_ms', queueWait: 'queue_wait_ms' } as const;

const bounded = (value: number) => Math.min(COUNT_MAX, Math.max(0, value));

/** The body of a report; null when nothing happened since. */
export const reportOf = (before: Totals | null, now: Totals): { readonly [member: string]: unknown } | null => {
  const body: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(now.counters)) {
    const known = Object.entries(before?.counters ?? {}).find(([other]) => other === name)?.[1] ?? 0;
    if (value > known) body[name] = bounded(value - known);
  }
  for (const name of times) {
    const [was, is] = [before?.times[name], now.times[name]];
    if (is.count === (was?.count ?? 0)) continue;
    body[memberOf[name]] = {
      sum: Math.round((is.sumMs - (was?.sumMs ?? 0)) * 1000) / 1000,
      counts: is.buckets.map((value, index) => bounded(value - (was?.buckets[index] ?? 0))),
    };
  }
  return Object.keys(body).length === 0 ? null : body;
};

/** Reports every minute until it is closed. A report whose answer is missed is not repeated: it would count twice. */
export const createReporter = (http: HttpCore, clock: Clock, metrics: MetricsRecorder, credentials: Credentials): (() => void) => {
  const closed = new AbortController();
  let before: Totals | null = null;
  let undo: () => void = () => {};

  const report = async () => {
    const now = metrics.totals();
    const body = reportOf(before, now);
    // A page whose person is not logged in yet has nobody to report as.
    if (body !== null && (credentials.token !== null || credentials.csrf !== null)) {
      before = now;
      await http.request('POST', '/telemetry', { body, signal: closed.signal }).catch(() => {});
    }
    if (!closed.signal.aborted) undo = clock.after(REPORT_MS, () => void report());
  };
  undo = clock.after(REPORT_MS, () => void report());
  return () => {
    closed.abort();
    undo();
  };
};
