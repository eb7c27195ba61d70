import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketGrowth, doublingBuckets, growth, quantile, rateOf, shareOf } from './rates';

test('a counter that fell was begun anew', () => {
  assert.equal(growth(10, 25), 15);
  assert.equal(growth(100, 7), 7);
  assert.equal(rateOf(10, 20, 2), 5);
  assert.equal(rateOf(100, 6, 2), 3);
  assert.equal(rateOf(1, 2, 0), null);
});

test('a share is of what came in between, and of nothing there is none', () => {
  assert.equal(shareOf({ part: 1, whole: 10 }, { part: 3, whole: 20 }), 0.2);
  assert.equal(shareOf({ part: 1, whole: 10 }, { part: 1, whole: 10 }), null);
  assert.equal(shareOf({ part: 0, whole: 0 }, { part: 5, whole: 4 }), 1);
});

test('a quantile lies where its observations are', () => {
  const buckets = [{ upTo: 1, count: 50 }, { upTo: 2, count: 100 }, { upTo: Infinity, count: 100 }];
  assert.equal(quantile(buckets, 0.5), 1);
  assert.equal(quantile(buckets, 0.75), 1.5);
  assert.equal(quantile(buckets, 1), 2);
  assert.equal(quantile([{ upTo: 1, count: 0 }, { upTo: Infinity, count: 3 }], 0.5), 1);
  assert.equal(quantile([], 0.5), null);
});

test('histograms are compared bucket by bucket unless they were begun anew', () => {
  const before = doublingBuckets(64, [1, 2, 3]);
  assert.deepEqual(before, [{ upTo: 64, count: 1 }, { upTo: 128, count: 3 }, { upTo: Infinity, count: 6 }]);
  assert.deepEqual(bucketGrowth(before, doublingBuckets(64, [2, 2, 4])).map(({ count }) => count), [1, 1, 2]);
  assert.deepEqual(bucketGrowth(before, doublingBuckets(64, [0, 1, 0])).map(({ count }) => count), [0, 1, 1]);
});
