import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSuspects } from './suspects';

/** Plays trials until there are none; answers who was convicted and how many trials it took. */
const play = (names: readonly string[], guilty: readonly string[]) => {
  const suspects = createSuspects<string>();
  const found: string[] = [];
  suspects.split(names);
  let trials = 0;
  for (let next = suspects.take(() => true); next !== null; next = suspects.take(() => true)) {
    trials += 1;
    if (!next.some((name) => guilty.includes(name))) suspects.clear(next);
    else if (next.length > 1) suspects.split(next);
    else {
      suspects.convict(next);
      found.push(...next);
    }
  }
  return { found: found.sort(), trials, innocent: suspects.innocent(), again: suspects.innocent(), left: names.filter((name) => suspects.has(name)) };
};
const names = Array.from({ length: 64 }, (_, index) => `n${index}`);

test('whoever is the reason is found, in few trials', () => {
  assert.deepEqual(play(names, ['n17']), { found: ['n17'], trials: 12, innocent: false, again: false, left: [] });
  const many = play(names, ['n0', 'n1', 'n40', 'n63']);
  assert.deepEqual(many.found, ['n0', 'n1', 'n40', 'n63']);
  assert.ok(many.trials < 50);
  assert.equal(play(names, names).found.length, 64);
});

test('when nobody is the reason that is said once', () => {
  assert.deepEqual(play(names, []), { found: [], trials: 2, innocent: true, again: false, left: [] });
});

test('who is gone meanwhile is not tried, and what could not be tried comes next', () => {
  const suspects = createSuspects<string>();
  suspects.split(['a', 'b', 'c', 'd']);
  const first = suspects.take((name) => name !== 'a');
  assert.deepEqual(first, ['b']);
  suspects.putBack(['b']);
  assert.deepEqual([suspects.has('a'), suspects.take(() => true), suspects.take(() => true), suspects.take(() => true)], [false, ['b'], ['c', 'd'], null]);
  suspects.reset();
  assert.equal(suspects.has('b'), false);
});
