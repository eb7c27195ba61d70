import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differencesMax, differencesOf, fieldName, sameJson } from './differences';

test('fields that changed, came and went are named, and objects are gone into', () => {
  assert.deepEqual(differencesOf({ a: 1, b: { c: 'x', d: 1 }, gone: true }, { a: 2, b: { c: 'y', d: 1 }, new: null }), [
    { pointer: '/a', from: 1, to: 2 },
    { pointer: '/b/c', from: 'x', to: 'y' },
    { pointer: '/gone', from: true },
    { pointer: '/new', to: null },
  ]);
});

test('lists are one value, and the order of members does not count', () => {
  assert.deepEqual(differencesOf({ list: [1, 2], same: { a: 1, b: [{ x: 1 }] } }, { list: [2, 1], same: { b: [{ x: 1 }], a: 1 } }), [
    { pointer: '/list', from: [1, 2], to: [2, 1] },
  ]);
  assert.equal(sameJson([], {}), false);
  assert.equal(sameJson({ a: null }, {}), false);
});

test('a record with very many fields is not compared for ever', () => {
  const wide = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`f${index}`, index]));
  assert.equal(differencesOf({}, wide).length, differencesMax);
});

test('names are dotted, with their slashes back', () => {
  assert.equal(fieldName('/address/city'), 'address.city');
  assert.equal(fieldName('/a~1b/c~0d'), 'a/b.c~d');
});
