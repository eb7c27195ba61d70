import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Edit } from './edit';
import type { Json, JsonObject } from './json';
import { createSeededRandom } from './testing/seeded-random';
import { EditStack, fold, phaseOf } from './view';

const patch = (number: number, what: JsonObject, more: Partial<Edit> = {}): Edit => ({
  id: `e${number}`, type: 'tasks', recordId: '1', address: 'tasks/1', change: { op: 'patch', patch: what },
  base: 1, baseData: { a: 'at first' }, after: null, actor: 'ana', madeAt: '2026-01-01T00:00:00Z', state: 'pending', attempts: 0, ...more,
});

test('a stack shows what its edits show one after the other, however they grow and the record changes below', () => {
  const seeded = createSeededRandom(7);
  const random = seeded.next;
  const pick = <T>(all: readonly T[]): T => {
    const found = all[Math.floor(random() * all.length)];
    if (found === undefined) throw new RangeError('nothing to pick');
    return found;
  };
  const value = (depth: number): Json =>
    depth > 0 && random() < 0.4 ? Object.fromEntries(['x', 'y'].filter(() => random() < 0.6).map((name) => [name, value(depth - 1)])) : pick<Json>([null, 1, 2, 'text', [1], [{ x: null }]]);
  const object = (): JsonObject => Object.fromEntries(['a', 'b', '__proto__'].filter(() => random() < 0.5).map((name) => [name, value(2)]));
  for (let round = 0; round < 400; round++) {
    const stack = new EditStack();
    const edits: Edit[] = [];
    for (let step = 0; step < 6; step++) {
      const state = pick<Edit['state']>(['pending', 'pending', 'pending', 'conflict', 'rejected', 'parked']);
      edits.push(patch(step, object(), { state, ...(random() < 0.05 ? { change: { op: 'put', data: object() } } : {}) }));
      const data = random() < 0.1 ? null : object();
      const before = pick(['idle', 'saved'] as const);
      const put = stack.put(edits, data, before);
      assert.deepEqual(put.data, fold(data, edits), `round ${round}, step ${step}`);
      assert.equal(put.phase, phaseOf(edits, before));
    }
  }
});

test('what a stack shows is not changed by the edits that come later', () => {
  const stack = new EditStack();
  const edits = [patch(1, { a: { x: 1 } })];
  const shown = stack.put(edits, {}, 'idle').data;
  stack.put([...edits, patch(2, { a: { x: 2 } })], {}, 'idle');
  assert.deepEqual(shown, { a: { x: 1 } });
  assert.deepEqual(edits[0]?.change, { op: 'patch', patch: { a: { x: 1 } } });
});
