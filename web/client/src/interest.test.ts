import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coarse, concerns, interestKey, interestOf, isPlain } from './interest';
import type { FeedEvent } from './seams';
import { testRecord } from './testing/fake-parts';

const change = (address: string): FeedEvent => ({ kind: 'change', seq: 1, op: 'update', record: testRecord(address, 1, {}), left: false });

test('a change concerns who names its type, its address, or nothing at all', () => {
  assert.deepEqual(
    [{}, { types: ['tasks'] }, { types: ['notes'] }, { addresses: ['tasks/1'] }, { addresses: ['tasks/2'] }, { events: ['conflict'] as const }].map(
      (interest) => concerns(interest, change('tasks/1')),
    ),
    [true, true, false, true, false, false],
  );
});

test('what left sight concerns those of its type; presence only who has that record open', () => {
  assert.ok(concerns({ types: ['tasks'] }, { kind: 'revoked', seq: 1, address: 'tasks/1' }));
  assert.ok(!concerns({ addresses: ['tasks/2'] }, { kind: 'revoked', seq: 1, address: 'tasks/1' }));
  assert.ok(!concerns({ types: ['tasks'] }, { kind: 'presence', address: 'tasks/1', people: [] }));
  assert.ok(concerns({ addresses: ['tasks/1'] }, { kind: 'presence', address: 'tasks/1', people: [] }));
});

test('operations and their places concern who follows them', () => {
  const operation: FeedEvent = { kind: 'operation', seq: 1, event: 'progress', body: { operation: { id: 'o1' } } };
  const queue: FeedEvent = { kind: 'queue', body: { operations: [{ id: 'o1' }, 'nonsense'] } };
  for (const event of [operation, queue]) {
    assert.ok(concerns({ addresses: ['stet.operation/o1'] }, event));
    assert.ok(!concerns({ addresses: ['stet.operation/o2'] }, event));
  }
  assert.ok(concerns({ events: ['operation'] }, operation) && !concerns({ events: ['conflict'] }, operation));
});

test('a gap concerns everybody', () => {
  for (const kind of ['ready', 'reset'] as const) assert.ok(concerns({ addresses: ['x/1'] }, { kind, seq: 1 }));
});

test('interests that ask for the same have one key, wherever they begin', () => {
  assert.equal(interestKey({ types: ['b', 'a'], since: 3 }), interestKey({ types: ['a', 'b'] }));
  assert.notEqual(interestKey({ types: ['a'] }), interestKey({ addresses: ['a'] }));
  assert.deepEqual([isPlain({ types: ['a'] }), isPlain({ where: 'x' }), isPlain({ events: ['conflict'] })], [true, false, false]);
});

test('coarse is the same or more, by types', () => {
  assert.deepEqual(coarse({ types: ['a'], addresses: ['b%2Fc/1', 'a/2'], where: 'x' }), { types: ['a', 'b/c'] });
});

test('what another tab sent is decoded, and nothing else', () => {
  assert.deepEqual(interestOf({ types: ['a'], since: 4, other: 1 }, ''), { types: ['a'], since: 4 });
  assert.throws(() => interestOf({ types: 'a' }, ''));
  assert.throws(() => interestOf({ events: ['login'] }, ''));
});
