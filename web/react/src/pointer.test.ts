import assert from 'node:assert/strict';
import test from 'node:test';
import { partsOf, pointerOf, sameJson, valueAt, withValueAt } from './pointer';

test('a pointer names members with slashes and tildes', () => {
  assert.deepEqual(partsOf('/a~1b/~0c/0'), ['a/b', '~c', '0']);
  assert.equal(pointerOf(['a/b', '~c', '0']), '/a~1b/~0c/0');
});

test('a value is found in objects and lists, and not on a prototype', () => {
  const data = { a: { b: [1, { c: 2 }] } };
  assert.equal(valueAt(data, '/a/b/1/c'), 2);
  assert.equal(valueAt(data, '/toString'), undefined);
  assert.deepEqual(valueAt(data, ''), data);
});

test('a change copies the way to it and keeps the order of members', () => {
  const data = { a: 1, b: { c: 2 }, d: 3 };
  const changed = withValueAt(data, '/b/c', 9);
  assert.equal(JSON.stringify(changed), '{"a":1,"b":{"c":9},"d":3}');
  assert.deepEqual(data, { a: 1, b: { c: 2 }, d: 3 });
  assert.equal(JSON.stringify(withValueAt(data, '/e/f', true)), '{"a":1,"b":{"c":2},"d":3,"e":{"f":true}}');
});

test('a place is taken out of an object and of a list', () => {
  assert.deepEqual(withValueAt({ a: 1, b: 2 }, '/a', undefined), { b: 2 });
  assert.deepEqual(withValueAt({ list: [1, 2, 3] }, '/list/1', undefined), { list: [1, 3] });
  assert.deepEqual(withValueAt({ list: [1] }, '/list/1', 2), { list: [1, 2] });
});

test('a member named __proto__ is a member like any other', () => {
  const changed = withValueAt({ a: 1 }, '/__proto__', { polluted: true });
  assert.equal(JSON.stringify(changed), '{"a":1,"__proto__":{"polluted":true}}');
  assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
});

test('two values are the same whatever the order of members', () => {
  assert.equal(sameJson({ a: [1, { b: null }], c: 1 }, { c: 1, a: [1, { b: null }] }), true);
  assert.equal(sameJson({ a: 1 }, { b: 1 }), false);
  assert.equal(sameJson([1], [1, 2]), false);
  assert.equal(sameJson([], {}), false);
});
