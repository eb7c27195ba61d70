import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Edit } from './edit';
import { createEditList } from './edit-list';
import { backoffMs, due, lastOf, parallelMax, type Pauses } from './schedule';

const edit = (id: string, address: string, more: Partial<Edit> = {}): Edit => ({
  id, type: 'tasks', recordId: address, address, change: { op: 'patch', patch: {} }, base: 1, baseData: {}, actor: 'ana',
  madeAt: '2026-01-01T00:00:00Z', state: 'pending', attempts: 0, ...more,
});
const listOf = (...edits: readonly Edit[]) => {
  const list = createEditList();
  for (const [order, one] of edits.entries()) list.put({ order, edit: one });
  return list;
};
const free: Pauses = { inFlight: new Set(), held: new Set(), notBefore: new Map(), lostUntil: null };
const goes = (edits: readonly Edit[], pauses: Partial<Pauses> = {}, now = 0) => {
  const { units, againAt } = due(listOf(...edits), { ...free, ...pauses }, 'ana', now);
  return [units.map((unit) => unit.map(({ id }) => id).join('+')).join(' '), againAt];
};

test('records go side by side, the edits of one record one after the other', () => {
  assert.deepEqual(goes([edit('a1', 'a'), edit('a2', 'a'), edit('b1', 'b')]), ['a1 b1', null]);
  assert.deepEqual(goes([edit('a1', 'a'), edit('a2', 'a')], { inFlight: new Set(['a1']) }), ['', null]);
  const many = Array.from({ length: parallelMax + 2 }, (_, index) => edit(`e${index}`, `r${index}`));
  assert.equal(goes(many)[0], many.slice(0, parallelMax).map(({ id }) => id).join(' '));
  assert.equal(goes(many, { inFlight: new Set(['e0', 'e1']) })[0], 'e2 e3 e4 e5');
});

test('what was refused holds back its own record; what waits for a person on the server does not', () => {
  for (const state of ['rejected', 'conflict'] as const)
    assert.equal(goes([edit('a1', 'a', { state }), edit('a2', 'a'), edit('b1', 'b')])[0], 'b1');
  assert.equal(goes([edit('a1', 'a', { state: 'parked' }), edit('a2', 'a')])[0], 'a2');
});

test('the edits of others wait for them, and hold nobody back', () => {
  assert.equal(goes([edit('a1', 'a', { actor: 'ben' }), edit('a2', 'a')])[0], 'a2');
});

test('a transaction goes as a whole, or waits for what stands before any of it', () => {
  const [one, two] = [edit('t1', 'a', { transaction: 't' }), edit('t2', 'b', { transaction: 't' })];
  assert.equal(goes([one, two])[0], 't1+t2');
  assert.equal(goes([edit('b0', 'b', { state: 'rejected' }), one, two])[0], '');
  assert.equal(goes([one, { ...two, state: 'conflict' }])[0], '');
  assert.equal(goes([one, two, edit('a2', 'a'), edit('b2', 'b')])[0], 't1+t2');
  assert.equal(goes([one, two], { held: new Set(['t2']) })[0], '');
});

test('one that may have arrived is asked about whatever stands before it', () => {
  assert.equal(goes([edit('a1', 'a', { state: 'rejected' }), edit('a2', 'a', { unsure: true })])[0], 'a2');
});

test('pauses: of one edit, and of the network, after which one goes alone', () => {
  const edits = [edit('a1', 'a'), edit('b1', 'b')];
  assert.deepEqual(goes(edits, { notBefore: new Map([['a1', 500]]) }, 100), ['b1', 500]);
  assert.deepEqual(goes(edits, { lostUntil: 900 }, 100), ['', 900]);
  assert.deepEqual(goes(edits, { lostUntil: 900 }, 900), ['a1', null]);
});

test('pauses double up to a minute, each a random part', () => {
  assert.deepEqual([1, 2, 3, 7, 100].map((failures) => backoffMs(failures, 1)), [1_000, 2_000, 4_000, 60_000, 60_000]);
  assert.equal(backoffMs(3, 0.5), 2_000);
});

test('what an edit is made on is the last of its author', () => {
  const list = listOf(edit('a1', 'a'), edit('a2', 'a', { actor: 'ben' }), edit('b1', 'b'));
  assert.deepEqual([lastOf(list, 'a', 'ana'), lastOf(list, 'a', 'ben'), lastOf(list, 'c', 'ana')], ['a1', 'a2', null]);
});
