import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pointOf, withPoint, type Look } from './dashboard-history';
import { parseMetrics } from './metrics-text';
import { statsOf } from './stats';

const look = (at: number, changes: number, metrics: string | null, activity: object = {}): Look => ({
  at,
  stats: statsOf({ seq: changes, bytes: 10, activity: { changes, commands: changes, conflicts: { concurrent_edit: 0 }, cache: { hits: 0, misses: 0 }, commits: { first_bucket_us: 1000, buckets: [0, 0] }, ...activity } }),
  lanes: [],
  metrics: metrics === null ? null : parseMetrics(metrics),
});

test('the first look has no rates, the second has those in between', () => {
  const first = look(0, 100, 'stet_http_requests_total{route="/a"} 10\nstet_http_connections 3');
  const second = look(2000, 140, 'stet_http_requests_total{route="/a"} 30\nstet_http_connections 4', {
    conflicts: { concurrent_edit: 10 }, cache: { hits: 3, misses: 1 }, commits: { first_bucket_us: 1000, buckets: [8, 0] },
  });
  assert.deepEqual([pointOf(null, first).writesPerS, pointOf(null, first).connections], [null, 3]);
  const point = pointOf(first, second);
  assert.deepEqual([point.writesPerS, point.requestsPerS, point.conflictShare, point.cacheShare, point.commitP50Ms, point.connections], [20, 10, 0.25, 0.75, 0.5, 4]);
});

test('whoever may not read the metrics or the activity sees what there is', () => {
  const plain = (at: number, seq: number): Look => ({ at, stats: statsOf({ seq }), lanes: [], metrics: null });
  const point = pointOf(plain(0, 10), plain(1000, 15));
  assert.deepEqual([point.writesPerS, point.requestsPerS, point.conflictShare, point.connections], [5, null, null, null]);
});

test('a server that was started anew shows no wild numbers', () => {
  assert.equal(pointOf(look(0, 5000, null), look(2000, 4, null)).writesPerS, 2);
});

test('the history is bounded', () => {
  const one = pointOf(null, look(1, 1, null));
  let points = withPoint([], one, 2);
  points = withPoint(withPoint(points, { ...one, at: 2 }, 2), { ...one, at: 3 }, 2);
  assert.deepEqual(points.map(({ at }) => at), [2, 3]);
});
