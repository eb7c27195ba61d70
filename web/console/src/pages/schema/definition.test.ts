import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choicesOf, choicesText, definitionOf, freshPointer, indexLines, indexOf, jsonOf, memberAt, placeOf, ruleOf, violationsOf, withFieldRenamed, withMember } from './definition';

test('a definition is what is left without the record', () => {
  assert.deepEqual(definitionOf({ id: 'deals', version: 3, seq: 9, title: 'Deals', forced: { violations: 2 }, on_conflict: 'merge' }), { title: 'Deals', on_conflict: 'merge' });
});

test('members are put and taken, in their place', () => {
  const definition = { title: 'x', fields: { '/a': { type: 'string' } } };
  assert.deepEqual(withMember(definition, ['fields', '/a', 'required'], true), { title: 'x', fields: { '/a': { type: 'string', required: true } } });
  assert.deepEqual(withMember(definition, ['fields', '/b', 'type'], 'number'), { title: 'x', fields: { '/a': { type: 'string' }, '/b': { type: 'number' } } });
  assert.deepEqual(withMember(definition, ['title'], undefined), { fields: { '/a': { type: 'string' } } });
  assert.deepEqual(Object.keys(withMember(definition, ['title'], 'y')), ['title', 'fields']);
  assert.equal(memberAt(definition, ['fields', '/a', 'type']), 'string');
  assert.equal(memberAt(definition, ['title', 'x']), undefined);
});

test('a field is renamed where it stands, unless the name is taken', () => {
  const definition = { fields: { '/a': { type: 'string' }, '/b': {} } };
  assert.deepEqual(withFieldRenamed(definition, '/a', '/c'), { fields: { '/c': { type: 'string' }, '/b': {} } });
  assert.equal(withFieldRenamed(definition, '/a', '/b'), definition);
  assert.equal(freshPointer({ fields: { '/field': {}, '/field_2': {} } }), '/field_3');
});

test('the server says where something is wrong', () => {
  assert.deepEqual(placeOf('/fields/~1amount/minimum'), { section: 'fields', field: '/amount', member: 'minimum' });
  assert.deepEqual(placeOf('/fields/~1a~1b'), { section: 'fields', field: '/a/b', member: null });
  assert.deepEqual(placeOf('/access/read'), { section: 'access', field: null, member: 'read' });
  assert.deepEqual(placeOf('/colour'), { section: 'colour', field: null, member: null });
});

test('indexes, rules and choices are written as lines and read back', () => {
  const index = ['/stage', ['/owner', '-/amount']];
  assert.equal(indexLines(index), '/stage\n/owner, -/amount');
  assert.deepEqual(indexOf(' /stage \n\n/owner,-/amount'), index);
  assert.equal(indexOf(' \n'), undefined);
  assert.deepEqual(['true', ' false', "a = 'x'", ''].map(ruleOf), [true, false, "a = 'x'", undefined]);
  const choices = ['new', 'on hold', '3', 3, null, 'true', 'a,b'];
  assert.equal(choicesText(choices), 'new, on hold, "3", 3, null, "true", "a,b"');
  assert.deepEqual(choicesOf(choicesText(choices)), choices);
  assert.equal(choicesOf('"open'), null);
  assert.equal(choicesOf(' '), undefined);
});

test('violations are read from the problem', () => {
  assert.deepEqual(violationsOf({ violations: { count: 88, forcible: true, examples: [{ address: 'deals/1', field: '/amount', detail: 'must be at least 1' }, 'x'] } }), {
    count: 88, forcible: true, examples: [{ address: 'deals/1', field: '/amount', detail: 'must be at least 1' }],
  });
  assert.equal(violationsOf({}), null);
  assert.equal(jsonOf('{'), undefined);
});
