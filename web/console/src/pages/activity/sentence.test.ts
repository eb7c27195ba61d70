import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FieldDifference } from '../../differences';
import type { ChangeEntry, Entry } from './entry';
import { sentenceOf, sentenceText, valueWords } from './sentence';

const change = (op: ChangeEntry['op'], differences: readonly FieldDifference[] | null): ChangeEntry => ({
  kind: 'change', key: 'k', seq: 1, at: '2026-11-22T10:00:00Z', actor: 'user:ana', address: 'tasks/1', op, type: 'tasks', id: '1', version: 2, title: 'Paint the fence', differences,
});
const both = (entry: Entry): readonly string[] => [sentenceText(sentenceOf(entry, 'en')), sentenceText(sentenceOf(entry, 'es'))];

test('a change says who changed what from what to what', () => {
  assert.deepEqual(both(change('update', [{ pointer: '/status', from: 'open', to: 'done' }])), [
    'ana changed status from open to done on Paint the fence',
    'ana cambió status de open a done en Paint the fence',
  ]);
});

test('of several fields the first is told and the others are counted', () => {
  assert.deepEqual(both(change('update', [{ pointer: '/n', to: 1 }, { pointer: '/a', from: 1 }, { pointer: '/b', from: 1 }])), [
    'ana changed n from nothing to 1 and 2 more fields on Paint the fence',
    'ana cambió n de nada a 1 y 2 campos más en Paint the fence',
  ]);
});

test('long texts are only named, and creations and deletions have their own words', () => {
  assert.equal(both(change('update', [{ pointer: '/notes', from: 'a', to: 'b'.repeat(500) }]))[0], 'ana changed notes on Paint the fence');
  assert.deepEqual(both(change('create', [])), ['ana created Paint the fence', 'ana creó Paint the fence']);
  assert.deepEqual(both(change('delete', [])), ['ana deleted Paint the fence', 'ana borró Paint the fence']);
  assert.equal(both(change('update', null))[0], 'ana changed Paint the fence');
});

test('operations and conflicts are told of, those of tomorrow too', () => {
  const operation: Entry = { kind: 'operation', key: 'k', seq: 1, at: '', actor: 'ana', address: null, event: 'OperationCompleted', operationId: 'o', lane: 'agents', task: null, worker: 'planner', message: null };
  assert.deepEqual(both(operation), ['planner completed a request in agents', 'planner terminó una petición en agents']);
  assert.equal(both({ ...operation, event: 'OperationQueued' })[0], 'ana asked for a request to planner in agents');
  assert.equal(both({ ...operation, event: 'OperationDreamt' })[0], 'ana moved a request to planner in agents');
  assert.deepEqual(both({ ...operation, event: 'OperationQueued', task: 'trip' }), ['ana asked for trip by planner in agents', 'ana pidió trip para planner en agents']);
  assert.equal(both({ ...operation, task: 'trip' })[0], 'planner completed trip in agents');
  const conflict: Entry = { kind: 'conflict', key: 'k', seq: 1, at: '', actor: 'ben', address: 'deals/1', event: 'opened', conflictId: 'c', fields: ['/amount', '/stage'] };
  assert.deepEqual(both(conflict), ['ben met a conflict on deals/1: amount and stage', 'ben encontró un conflicto en deals/1: amount y stage']);
});

test('values are short and never empty', () => {
  assert.deepEqual(
    [null, '', ' \n', true, 1.5, 'a\n b', ['x', 'y'], [{}, {}], { a: 1 }].map((value) => valueWords(value, 'en')),
    ['nothing', 'nothing', 'nothing', 'yes', '1.5', 'a b', 'x, y', '2 entries', '{"a":1}'],
  );
  assert.equal(valueWords('z'.repeat(99), 'en').length, 48);
});
