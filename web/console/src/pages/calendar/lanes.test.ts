import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lanesOf, type Span } from './lanes';

const spans = (...pairs: [number, number][]): Span[] => pairs.map(([start, end]) => ({ start, end }));
const drawn = (...pairs: [number, number][]): string[] => lanesOf(spans(...pairs)).map((one) => `${one.lane}/${one.lanes}+${one.width}`);

test('what does not overlap has all the room', () => {
  assert.deepEqual(drawn([0, 60], [60, 120], [200, 260]), ['0/1+1', '0/1+1', '0/1+1']);
});

test('two that overlap share it, and the third after them has it again', () => {
  assert.deepEqual(drawn([0, 60], [30, 90], [90, 120]), ['0/2+1', '1/2+1', '0/1+1']);
});

test('a lane that is free again is used again', () => {
  assert.deepEqual(drawn([0, 100], [0, 30], [40, 80]), ['0/2+1', '1/2+1', '1/2+1']);
});

test('one with nothing beside it is drawn over the lanes that are free', () => {
  assert.deepEqual(drawn([0, 100], [0, 30], [0, 20], [50, 90]), ['0/3+1', '1/3+1', '2/3+1', '1/3+2']);
});

test('one of no length keeps its moment', () => {
  assert.deepEqual(drawn([10, 10], [10, 10]), ['0/2+1', '1/2+1']);
});

test('spans of one lane never overlap, whatever comes', () => {
  const seed = Date.now() % 100_000;
  let state = seed;
  const next = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state % below;
  };
  for (let round = 0; round < 200; round += 1) {
    const some = Array.from({ length: 1 + next(20) }, () => {
      const start = next(1000);
      return { start, end: start + next(300) };
    });
    const lanes = lanesOf(some);
    for (const [one, left] of some.entries()) {
      for (const [other, right] of some.entries()) {
        const overlap = left.start < Math.max(right.end, right.start + 1) && right.start < Math.max(left.end, left.start + 1);
        if (one >= other || !overlap) continue;
        const [a, b] = [lanes[one], lanes[other]];
        assert.ok(a !== undefined && b !== undefined && a.lanes === b.lanes, `seed ${seed}`);
        assert.ok(a.lane + a.width <= b.lane || b.lane + b.width <= a.lane, `seed ${seed}`);
      }
    }
  }
});
