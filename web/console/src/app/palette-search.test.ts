import assert from 'node:assert/strict';
import test from 'node:test';
import { byGroup, matchScore, parseAddress, searchExpression } from './palette-search';

test('what begins with the text comes before what has it somewhere', () => {
  const order = ['Open records', 'Records', 'Theme: dark', 'Record history'].filter((label) => matchScore(label, 'rec') > 0).sort((a, b) => matchScore(b, 'rec') - matchScore(a, 'rec'));
  assert.deepEqual(order, ['Records', 'Record history', 'Open records']);
});

test('letters in order are enough, out of order are not', () => {
  assert.ok(matchScore('Calendar', 'cdr') > 0);
  assert.equal(matchScore('Calendar', 'rdc'), 0);
});

test('an address names one record; ids may hold slashes', () => {
  assert.deepEqual(parseAddress('tasks/a/b', ['tasks']), { type: 'tasks', id: 'a/b' });
  assert.equal(parseAddress('nothing/1', ['tasks']), null);
  assert.equal(parseAddress('tasks/', ['tasks']), null);
});

test('quotes in what is searched stay inside the string', () => {
  assert.equal(searchExpression(undefined, 'a"b\\'), '$id starts_with "a\\"b\\\\"');
});

test('entries of a group stand together, whenever they were declared', () => {
  const entries = ['go records', 'all help', 'go queue', 'all theme'].map((text) => ({ group: text.split(' ')[0] ?? '', text }));
  assert.deepEqual(byGroup(entries).map(({ text }) => text), ['go records', 'go queue', 'all help', 'all theme']);
});
