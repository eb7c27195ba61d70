import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportOf } from './report';
import { createMetrics } from './metrics';
import { createFakeClock } from './testing/fake-clock';
import { createTestClient } from './testing/fake-parts';
import type { Json, JsonObject } from './json';

const wire = (version: number, status: string, more: JsonObject = {}): JsonObject => ({ id: 'o1', version, lane: 'agents', class: 'normal', status, ...more });
const camel = (version: number, status: string, more: { readonly [name: string]: Json } = {}): JsonObject => ({ operation: wire(version, status, more) });

test('an operation is asked for once, and watched from its place to its result', async () => {
  const { client, network, feed, clock } = createTestClient();
  const submitted = client.operations.submit({ lane: 'agents', agent: 'planner', opType: 'plan', input: { goal_text: 'x' }, timeoutS: 5 });
  const { body, request } = network.next();
  assert.deepEqual(body, { lane: 'agents', agent: 'planner', op_type: 'plan', input: { goal_text: 'x' }, timeout_s: 5 });
  assert.match(request.headers['Idempotency-Key'] ?? '', /^[0-9a-f-]{36}$/);
  network.next().answer({ status: 202, body: wire(1, 'queued', { position: 3, ahead: 2, estimated_wait_s: 20 }) });
  const { id } = await submitted;
  const live = client.operations.watch(id);
  assert.equal(live.getSnapshot().operation?.position, 3);
  const told: string[] = [];
  live.subscribe(() => {
    const { operation } = live.getSnapshot();
    told.push(`${operation?.status} ${operation?.position ?? ''} ${operation?.progress?.percent ?? ''}`);
  });
  network.next().answer({ body: wire(1, 'queued', { position: 2 }) });
  await clock.advance(2000);
  assert.deepEqual(feed.interests, [{ addresses: ['stet.operation/o1'] }]);
  feed.emit({ kind: 'queue', body: { operations: [{ id: 'o1', status: 'queued', position: 1, ahead: 0 }] } });
  feed.emit({ kind: 'operation', seq: 5, event: 'OperationStarted', body: camel(2, 'running') });
  // A place that was told late is of an operation that waits no more.
  feed.emit({ kind: 'queue', body: { operations: [{ id: 'o1', status: 'queued', position: 1 }] } });
  feed.emit({ kind: 'operation', seq: 6, event: 'OperationProgress', body: camel(3, 'running', { progress: { percent: 40 } }) });
  feed.emit({ kind: 'operation', seq: 5, event: 'OperationStarted', body: camel(2, 'running') });
  const result = client.operations.result(id);
  feed.emit({ kind: 'operation', seq: 7, event: 'OperationCompleted', body: camel(4, 'completed', { result: { found: 1 } }) });
  network.next().answer({ body: wire(4, 'completed', { result: { found_it: 1 } }) });
  assert.deepEqual((await result).result, { found_it: 1 });
  assert.deepEqual(told, ['queued 2 ', 'queued 1 ', 'running  ', 'running  40', 'completed  ']);
  assert.equal(client.metrics().queueWaitMs.p50, 2000);
  await client.close();
  assert.equal(clock.timers, 0);
});

test('a watched operation that is not there says so, and a result that is waited for rejects', async () => {
  const { client, network, clock } = createTestClient();
  const live = client.operations.watch('nope');
  live.subscribe(() => {});
  network.next().answer({ status: 404, body: { code: 'NOT_FOUND', detail: 'no operation' } });
  await clock.settle();
  assert.deepEqual([live.getSnapshot().status, live.getSnapshot().error?.code], ['error', 'NOT_FOUND']);
  await assert.rejects(client.operations.result('nope'), { code: 'NOT_FOUND' });
  const abort = new AbortController();
  const waiting = client.operations.result('other', { signal: abort.signal });
  abort.abort();
  await assert.rejects(waiting, { code: 'ABORTED' });
});

test('cancelling is told to whoever watches', async () => {
  const { client, network, clock } = createTestClient();
  const live = client.operations.watch('o1');
  live.subscribe(() => {});
  network.next().answer({ body: wire(1, 'queued', { position: 1 }) });
  await clock.settle();
  const cancelled = client.operations.cancel('o1');
  network.next().answer({ body: wire(2, 'cancelled') });
  assert.equal((await cancelled).status, 'cancelled');
  assert.equal(live.getSnapshot().operation?.status, 'cancelled');
});

test('hostile events do not end the page', async () => {
  const { client, network, feed, clock } = createTestClient();
  const live = client.operations.watch('o1');
  live.subscribe(() => {});
  network.next().answer({ body: wire(1, 'queued') });
  await clock.settle();
  for (const body of [{}, { operations: 1 }, { operations: [{ id: 1 }] }]) feed.emit({ kind: 'queue', body });
  feed.emit({ kind: 'operation', seq: 1, event: 'x', body: { operation: { id: 1 } } });
  assert.equal(live.getSnapshot().operation?.status, 'queued');
  assert.equal(live.getSnapshot().error?.code, 'NOT_STET');
});

test('a report says what was added since the last one', () => {
  const clock = createFakeClock();
  const metrics = createMetrics(clock);
  metrics.opened('c');
  metrics.resolved('c');
  metrics.made('e1');
  metrics.retried();
  const first = metrics.totals();
  const zero = Array.from({ length: 14 }, () => 0);
  assert.deepEqual(reportOf(null, first), { writes: 1, retries: 1, resolve_ms: { sum: 0, counts: [1, ...zero.slice(1)] } });
  assert.equal(reportOf(first, metrics.totals()), null);
  metrics.made('e2');
  assert.deepEqual(reportOf(first, metrics.totals()), { writes: 1 });
});
