import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rowsInSight } from './window';

test('of many rows only those near the sight are drawn, each at its place', () => {
  const rows = Array.from({ length: 2000 }, (_, index) => index);
  const { inSight, height } = rowsInSight(rows, (row) => (row === 3 ? 200 : 40), 40_000, 800);
  assert.equal(height, 1999 * 40 + 200);
  assert.deepEqual(inSight[0], { item: 985, start: 985 * 40 + 160 });
  assert.ok(inSight.length <= 45, `${inSight.length}`);
  assert.deepEqual(rowsInSight([], () => 1, 0, 100), { inSight: [], height: 0 });
});
