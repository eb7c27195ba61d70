import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chartPoints, chartTop } from './chart-scale';

test('zero is at the bottom, the top a little above the greatest value', () => {
  assert.equal(chartTop([[0, null], [null]]), 1);
  assert.equal(chartTop([[1, 5], [null, 10]]), 10.8);
});

test('time goes from edge to edge, and what is not known has no place', () => {
  const place = { width: 100, height: 12, top: 10 };
  assert.deepEqual(chartPoints([1000, 2000, 3000], [0, null, 10], place), [[0, 11], [50, null], [100, 1]]);
  assert.deepEqual(chartPoints([5], [0], place), [[0, 11]]);
});
