import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heardOf, pageOf, titleOf } from './entry';

const now = '2026-11-22T10:00:00Z';

test('a page of changes becomes entries, and what is none is left out', () => {
  const { heard, next } = pageOf(
    {
      changes: [
        { seq: 5, op: 'create', record: { type: 'tasks', id: '1', address: 'tasks/1', version: 1, updatedAt: now, updatedBy: 'ana', data: { title: 'Paint' } } },
        { seq: 6, op: 'revoked', type: 'tasks', id: '2' },
        { seq: 7, event: 'OperationStarted', operation: { id: 'o1', lane: 'agents', agent: 'planner', by: 'ben', target: 'tasks/1' } },
        { seq: 8, event: 'opened', address: 'tasks/1', affectedData: ['/title'], conflict: { id: 'c1' }, user: 'ana' },
        'nonsense',
      ],
      next: 8,
    },
    now,
  );
  assert.equal(next, 8);
  assert.deepEqual(
    heard.map(({ entry }) => [entry.seq, entry.kind, entry.actor, entry.address]),
    [[5, 'change', 'ana', 'tasks/1'], [7, 'operation', 'ben', 'tasks/1'], [8, 'conflict', 'ana', 'tasks/1']],
  );
});

test('the feed tells the same, a reset becomes a gap, and the rest is no news', () => {
  assert.equal(heardOf({ kind: 'reset', seq: 9 }, now)?.entry.kind, 'gap');
  assert.equal(heardOf({ kind: 'ready', seq: 9 }, now), null);
  const heard = heardOf({ kind: 'operation', seq: 3, event: 'OperationProgress', body: { operation: { id: 'o', progress: { message: 'Comparing' } } } }, now);
  assert.deepEqual(heard?.entry.kind === 'operation' ? [heard.entry.message, heard.entry.at] : null, ['Comparing', now]);
});

test('an operation and a conflict say when it was, whenever one hears of it', () => {
  const [queued, started, settled] = pageOf(
    {
      changes: [
        { seq: 1, event: 'OperationQueued', operation: { id: 'o', queuedAt: '2026-11-22T08:00:00Z' } },
        { seq: 2, event: 'OperationStarted', operation: { id: 'o', queuedAt: '2026-11-22T08:00:00Z', startedAt: '2026-11-22T08:05:00Z' } },
        { seq: 3, event: 'resolved', conflict: { id: 'c', openedAt: '2026-11-22T07:00:00Z', resolvedAt: '2026-11-22T09:00:00Z', deadline: '2026-11-23T07:00:00Z' } },
      ],
      next: 3,
    },
    now,
  ).heard;
  assert.deepEqual([queued, started, settled].map((one) => one?.entry.at), ['2026-11-22T08:00:00Z', '2026-11-22T08:05:00Z', '2026-11-22T09:00:00Z']);
});

test('a record is called by a name in its data', () => {
  assert.equal(titleOf({ number: 'F-1', name: 'Lumbre' }), 'Lumbre');
  assert.equal(titleOf({ title: ' ', n: 3 }), null);
  assert.equal(titleOf({ title: 'x'.repeat(100) })?.length, 80);
});
