import { StetError, type Client, type Live, type Operation, type OperationState } from '@stet/client';
import { useMemo } from 'react';
import { polled } from './polled';
import { useStet, type ViewClock } from './provider';
import { useLive } from './use-live';

/** How it stands with a queue: as seen from one operation, or of a lane as a whole. */
export interface QueueStatus {
  readonly status: 'loading' | 'ready' | 'error';
  /** Of an operation that waits: 1 is next. */
  readonly position: number | null;
  readonly ahead: number | null;
  /** Of the operation; of a lane: what one that came now would wait. Null: nobody can tell yet. */
  readonly estimatedWaitS: number | null;
  /** How many wait, and how many are at work; of a lane only. */
  readonly queued: number | null;
  readonly running: number | null;
  readonly paused: boolean;
  readonly operation: Operation | null;
  readonly error: Error | null;
}

const loading: QueueStatus = {
  status: 'loading',
  position: null,
  ahead: null,
  estimatedWaitS: null,
  queued: null,
  running: null,
  paused: false,
  operation: null,
  error: null,
};
const nothingKnown: OperationState = { status: 'loading', operation: null, error: null };
const laneEveryMs = 5_000;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);

/** Names what a lane's answer says. */
export function decodeLane(body: unknown): QueueStatus {
  if (!isObject(body) || typeof body['id'] !== 'string') {
    return { ...loading, status: 'error', error: new StetError({ code: 'NOT_STET', detail: 'the answer is no lane' }) };
  }
  const queued = isObject(body['queued']) ? Object.values(body['queued']) : [];
  return {
    ...loading,
    status: 'ready',
    estimatedWaitS: numberOf(body['estimatedWaitS']),
    queued: queued.reduce<number>((sum, count) => sum + (numberOf(count) ?? 0), 0),
    running: numberOf(body['running']),
    paused: body['paused'] === true,
  };
}

/** A lane, asked for every five seconds: the feed does not tell of lanes. */
export function laneStatus(client: Client, clock: ViewClock, lane: string): Live<QueueStatus> {
  return polled(clock, laneEveryMs, loading, async (before, signal) => {
    try {
      return decodeLane((await client.http.request('GET', `/lanes/${encodeURIComponent(lane)}`, { signal })).body);
    } catch (reason) {
      return { ...before, status: 'error', error: reason instanceof Error ? reason : new Error(String(reason)) };
    }
  });
}

const ofOperation = ({ status, operation, error }: OperationState): QueueStatus => ({
  ...loading,
  status,
  position: operation?.position ?? null,
  ahead: operation?.ahead ?? null,
  estimatedWaitS: operation?.estimatedWaitS ?? null,
  operation,
  error,
});

/** The place and the wait of one operation, as they change; or how full a lane is. */
export function useQueueStatus(of: { readonly operation: string } | { readonly lane: string }): QueueStatus {
  const { client, clock } = useStet();
  const id = 'operation' in of ? of.operation : null;
  const lane = 'lane' in of ? of.lane : null;
  const operation = useMemo(() => (client === null || id === null ? null : client.operations.watch(id)), [client, id]);
  const whole = useMemo(() => (client === null || lane === null ? null : laneStatus(client, clock, lane)), [client, clock, lane]);
  const one = useLive(operation, nothingKnown);
  const all = useLive(whole, loading);
  return useMemo(() => (id === null ? all : ofOperation(one)), [id, all, one]);
}
