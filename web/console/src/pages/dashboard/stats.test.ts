import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conflictsByType, statsOf } from './stats';

test('an administrator sees what the space does', () => {
  const stats = statsOf({
    name: 'main', seq: 7, types: { tasks: { records: 3 }, secrets: {}, 'stet.type': { records: 1 } }, conflicts: { open: 2 }, hot_records: [{ address: 'tasks/1', conflicts: 4 }, 'x'],
    bytes: 100, log_bytes: 20, limits: { records: { used: 3, limit: 10 }, writes_per_actor: { rate: 0.5, burst: 2 } },
    activity: {
      commands: 9, changes: 8, conflicts: { version_mismatch: 1, concurrent_edit: 2, agent_override: 0 }, stale: { merged: 3, conflict: 1 }, cache: { hits: 5, misses: 1 }, feed: { subscribers: 4 },
      contended: [{ type: 'tasks', field: '/n', strategy: 'merge', conflicts: 2 }], commits: { failures: 0, first_bucket_us: 64, buckets: [1, 2] }, waiting: 1, halted: false,
    },
  });
  assert.deepEqual(stats.types, [{ name: 'tasks', records: 3, system: false }, { name: 'secrets', records: null, system: false }, { name: 'stet.type', records: 1, system: true }]);
  assert.deepEqual(stats.limits, [{ name: 'records', limit: 10, used: 3 }]);
  assert.deepEqual(stats.writesPerActor, { rate: 0.5, burst: 2 });
  assert.deepEqual(stats.hotRecords, [{ address: 'tasks/1', conflicts: 4 }]);
  assert.deepEqual([stats.activity?.conflicts, stats.activity?.stale, stats.activity?.merged, stats.activity?.commitBuckets], [3, 4, 3, [1, 2]]);
});

test('others see what they may, and nonsense is nothing', () => {
  assert.equal(statsOf({ name: 'main', seq: 1, types: {} }).activity, null);
  assert.deepEqual(statsOf(null).types, []);
});

test('conflicts are put together by type, the most contended first', () => {
  const one = (type: string, field: string, conflicts: number) => ({ type, field, strategy: 'merge', conflicts });
  assert.deepEqual(
    conflictsByType([one('a', '/x', 1), one('b', '/y', 2), one('a', '/z', 3)]).map(({ type, conflicts, fields }) => [type, conflicts, fields.map(({ field }) => field)]),
    [['a', 4, ['/z', '/x']], ['b', 2, ['/y']]],
  );
});
