/** Counts and times since the start of this page, in bounded memory (invariant 5). */
import type { Distribution, Metrics } from './client';
import type { WriteOutcome } from './edit';
import { SAMPLES_MAX, STARTS_MAX } from './limits';
import type { MutationId } from './record';
import type { Clock } from './seams';

/** Upper ends of the buckets that are reported, in milliseconds; what took longer counts in the one behind them (docs/http.md, "What clients report"). */
export const BUCKETS_MS: readonly number[] = [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000];

/** Times in milliseconds: each of the `SAMPLES_MAX` that are kept is any of those that came, with equal chance. */
class Times {
  private readonly clock: Clock;
  private readonly samples: number[] = [];
  /** One more than there are bounds. */
  readonly buckets: number[] = Array.from({ length: BUCKETS_MS.length + 1 }, () => 0);
  count = 0;
  sumMs = 0;
  private max = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  add(ms: number): void {
    this.count += 1;
    this.sumMs += ms;
    this.max = Math.max(this.max, ms);
    const found = BUCKETS_MS.findIndex((bound) => ms <= bound);
    const bucket = found === -1 ? BUCKETS_MS.length : found;
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1;
    if (this.samples.length < SAMPLES_MAX) this.samples.push(ms);
    else {
      const place = Math.floor(this.clock.random() * this.count);
      if (place < SAMPLES_MAX) this.samples[place] = ms;
    }
  }

  distribution(): Distribution {
    const sorted = [...this.samples].sort((left, right) => left - right);
    const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
    return { count: this.count, p50: at(0.5), p95: at(0.95), max: this.max };
  }
}

/** When something began; the oldest is forgotten when too many never end. */
class Starts {
  private readonly starts = new Map<string, number>();

  has(id: string): boolean {
    return this.starts.has(id);
  }

  begin(id: string, at: number): void {
    if (this.starts.has(id)) return;
    this.starts.set(id, at);
    for (const oldest of this.starts.keys()) {
      if (this.starts.size <= STARTS_MAX) break;
      this.starts.delete(oldest);
    }
  }

  end(id: string): number | null {
    const at = this.starts.get(id);
    this.starts.delete(id);
    return at ?? null;
  }
}

const counters = ['writes', 'confirmed', 'conflicts', 'merged', 'rejected', 'retries', 'rollbacks'] as const;
export type Counter = (typeof counters)[number];

/** Everything counted so far, as it is reported: the reporter sends what was added since. */
export interface Totals {
  readonly counters: Readonly<Record<Counter, number>>;
  readonly times: Readonly<Record<'confirm' | 'resolve' | 'queueWait', { readonly buckets: readonly number[]; readonly sumMs: number; readonly count: number }>>;
}

export interface MetricsRecorder {
  /** A write of this page. */
  made(id: MutationId): void;
  /** What the server said of it; also of one that waits for its person now. */
  settled(id: MutationId, outcome: WriteOutcome): void;
  retried(): void;
  /** A write is sent once more. */
  resent(id: MutationId): void;
  /** Somebody sees a conflict; `id` names it. */
  opened(id: string): void;
  resolved(id: string): void;
  /** Somebody began to wait for an operation, and it started or ended. */
  queued(id: string): void;
  started(id: string): void;
  snapshot(): Metrics;
  totals(): Totals;
}

export const createMetrics = (clock: Clock): MetricsRecorder => {
  const counts: Record<Counter, number> = { writes: 0, confirmed: 0, conflicts: 0, merged: 0, rejected: 0, retries: 0, rollbacks: 0 };
  const [confirm, resolve, queueWait] = [new Times(clock), new Times(clock), new Times(clock)];
  const [writes, dialogs, operations] = [new Starts(), new Starts(), new Starts()];

  const end = (starts: Starts, id: string, times: Times) => {
    const at = starts.end(id);
    if (at !== null) times.add(clock.monotonic() - at);
  };

  return {
    made(id) {
      counts.writes += 1;
      writes.begin(id, clock.monotonic());
    },
    settled(id, outcome) {
      // Every tab hears of every write; the one that made it counts it.
      if (!writes.has(id)) return;
      switch (outcome.kind) {
        case 'confirmed':
        case 'deleted':
          counts.confirmed += 1;
          if (outcome.kind === 'confirmed' && outcome.merged) counts.merged += 1;
          end(writes, id, confirm);
          break;
        case 'conflict':
          counts.conflicts += 1;
          break;
        case 'rejected':
          counts.rejected += 1;
          break;
        case 'dropped':
        case 'discarded':
          // What was on the screen is taken off it again.
          counts.rollbacks += 1;
          writes.end(id);
          break;
        case 'parked':
          break;
      }
    },
    retried() {
      counts.retries += 1;
    },
    resent(id) {
      if (writes.has(id)) counts.retries += 1;
    },
    opened: (id) => dialogs.begin(id, clock.monotonic()),
    resolved: (id) => end(dialogs, id, resolve),
    queued: (id) => operations.begin(id, clock.monotonic()),
    started: (id) => end(operations, id, queueWait),
    snapshot: () => ({
      ...counts,
      conflictRate: counts.writes === 0 ? 0 : counts.conflicts / counts.writes,
      retryRate: counts.writes === 0 ? 0 : counts.retries / counts.writes,
      confirmMs: confirm.distribution(),
      resolveMs: resolve.distribution(),
      queueWaitMs: queueWait.distribution(),
    }),
    totals: () => {
      const of = (times: Times) => ({ buckets: [...times.buckets], sumMs: times.sumMs, count: times.count });
      return { counters: { ...counts }, times: { confirm: of(confirm), resolve: of(resolve), queueWait: of(queueWait) } };
    },
  };
};
