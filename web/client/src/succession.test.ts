import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Change, Edit, WriteOutcome } from './edit';
import type { JsonObject } from './json';
import type { Merge } from './record';
import { succeed } from './succession';

const edit = (change: Change, base = 3, baseData: JsonObject = { a: 0, b: 0 }): Edit => ({
  id: 'e', type: 'tasks', recordId: '1', address: 'tasks/1', change, base, baseData,
  actor: 'ana', madeAt: '', state: 'pending', attempts: 0,
});
const patch = (members: JsonObject): Change => ({ op: 'patch', patch: members });
const became = (data: JsonObject, version = 4, merge?: Merge): WriteOutcome => ({
  kind: 'confirmed', merged: merge !== undefined, unchanged: false,
  record: {
    type: 'tasks', id: '1', address: 'tasks/1', version, seq: 9, createdAt: '', createdBy: '', updatedAt: '', updatedBy: '', data,
    ...(merge && { merge }),
  },
});
const rule = (pointer: string, name: string): Merge => ({ strategy: 'merge', parents: [3, 4], fields: { [pointer]: { from: 'rule', rule: name } } });

test('the next edit goes on from the version that the one before became', () => {
  const later = succeed(edit(patch({ a: 1 })), became({ a: 1, b: 0 }), edit(patch({ a: 2 })), true);
  assert.deepEqual([later.base, later.baseData], [4, { a: 1, b: 0 }]);
});

test('what others changed elsewhere does not matter', () => {
  const later = succeed(edit(patch({ a: 1 })), became({ a: 1, b: 7 }, 5), edit(patch({ a: 2 })), true);
  assert.equal(later.base, 5);
});

test('what others changed in the same place keeps the old base', () => {
  const before = edit(patch({ b: 2 }));
  assert.equal(succeed(edit(patch({ a: 1 })), became({ a: 1, b: 7 }, 5), before, true), before);
});

test('one whose author had not seen the one before keeps its base where they touch', () => {
  const same = edit(patch({ a: 2 }));
  assert.equal(succeed(edit(patch({ a: 1 })), became({ a: 1, b: 0 }), same, false), same);
  assert.equal(succeed(edit(patch({ a: 1 })), became({ a: 1, b: 0 }), edit(patch({ b: 2 })), false).base, 4);
});

test('a whole document and a deletion need all of it to be as expected', () => {
  const put = edit({ op: 'put', data: { a: 2, b: 2 } });
  assert.equal(succeed(edit(patch({ a: 1 })), became({ a: 1, b: 0 }), put, true).base, 4);
  assert.equal(succeed(edit(patch({ a: 1 })), became({ a: 1, b: 7 }, 5), put, true).base, 3);
  assert.equal(succeed(edit(patch({ a: 1 })), became({ a: 1, b: 7 }, 5), edit({ op: 'delete' }), true).base, 3);
});

test('nested members are told apart', () => {
  const base = { who: { name: 'x', age: 1 } };
  const first = edit(patch({ who: { name: 'y' } }), 3, base);
  const outcome = became({ who: { name: 'y', age: 2 } }, 5);
  assert.equal(succeed(first, outcome, edit(patch({ who: { name: 'z' } }), 3, base), true).base, 5);
  assert.equal(succeed(first, outcome, edit(patch({ who: { age: 9 } }), 3, base), true).base, 3);
});

test('numbers that are counted together are carried over, not counted twice', () => {
  const later = succeed(edit(patch({ a: 5 }), 3, { a: 4 }), became({ a: 6 }, 5, rule('/a', 'delta')), edit(patch({ a: 6 }), 3, { a: 4 }), true);
  assert.deepEqual([later.base, later.change], [5, patch({ a: 7 })]);
});

test('lists that are appended to are carried over', () => {
  const base = { l: ['x'] };
  const later = succeed(edit(patch({ l: ['x', 'y'] }), 3, base), became({ l: ['x', 'theirs', 'y'] }, 5, rule('/l', 'append')),
    edit(patch({ l: ['x', 'y', 'z'] }), 3, base), true);
  assert.deepEqual(later.change, patch({ l: ['x', 'theirs', 'y', 'z'] }));
});

test('behind a creation it gets its first base; behind what came to nothing it stays', () => {
  const made = { ...edit({ op: 'create', data: { a: 0 } }), base: null, baseData: null };
  assert.equal(succeed(made, became({ a: 0 }, 1), { ...edit(patch({ a: 1 })), base: null, baseData: null }, true).base, 1);
  const later = edit(patch({ a: 1 }));
  for (const outcome of [{ kind: 'discarded' }, { kind: 'deleted', version: 4 }] as const) assert.equal(succeed(edit(patch({})), outcome, later, true), later);
});

test('one that was made from a newer version stays with it', () => {
  const later = edit(patch({ a: 2 }), 7);
  assert.equal(succeed(edit(patch({ a: 1 })), became({ a: 1, b: 0 }, 5), later, true), later);
});
