import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json, JsonObject } from './json';
import { applyMergePatch, applyMergePatches, diffMergePatch, minimalPatch, rebase, sameJson } from './merge-patch';
import { createSeededRandom, type SeededRandom } from './testing/seeded-random';

/** The examples of RFC 7396, Appendix A, whose documents are objects. */
const examples: readonly (readonly [JsonObject, JsonObject, JsonObject])[] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

test('a merge patch does what RFC 7396 says', () => {
  for (const [target, patch, result] of examples) assert.deepEqual(applyMergePatch(target, patch), result);
});

test('what a patch leaves alone stays the same object', () => {
  const target = { kept: { deep: 1 }, changed: { a: 1, b: { c: 1 } } };
  const made = applyMergePatch(target, { changed: { a: 2 } });
  assert.equal(made['kept'], target.kept);
  assert.equal(applyMergePatch(target, { changed: { a: 1 } }), target);
});

test('names of the prototype are names like any other', () => {
  const patch: JsonObject = JSON.parse('{"__proto__":{"polluted":1},"toString":null,"constructor":"x"}');
  const made = applyMergePatch({}, patch);
  assert.deepEqual(Object.keys(made), ['__proto__', 'constructor']);
  assert.equal(Object.getPrototypeOf(made), Object.prototype);
  assert.equal(Reflect.get({}, 'polluted'), undefined);
  assert.deepEqual(Object.keys(diffMergePatch({}, made) ?? {}), ['__proto__', 'constructor']);
});

test('no merge patch sets a member to null', () => {
  assert.equal(diffMergePatch({ a: 1 }, { a: null }), null);
  assert.equal(diffMergePatch({}, { a: { b: null } }), null);
  assert.equal(diffMergePatch({ a: { b: 1 } }, { a: { b: null } }), null);
  assert.deepEqual(diffMergePatch({ a: null }, { a: null, b: [null] }), { b: [null] });
});

const anyJson = (random: SeededRandom, depth: number, nulls: boolean): Json => {
  switch (random.below(depth > 0 ? 6 : 4)) {
    case 0:
      return random.below(3);
    case 1:
      return random.pick(['', 'a', '~/"']);
    case 2:
      return random.next() < 0.5;
    case 3:
      return nulls ? null : 'n';
    case 4:
      return Array.from({ length: random.below(3) }, () => anyJson(random, depth - 1, true));
    default:
      return anyObject(random, depth - 1, nulls);
  }
};
const anyObject = (random: SeededRandom, depth: number, nulls: boolean): JsonObject =>
  Object.fromEntries(Array.from({ length: random.below(4) }, () => [random.pick(['a', 'b', 'c', '__proto__']), anyJson(random, depth, nulls)]));

test('laws, for documents of all kinds', () => {
  const seed = Number(process.env['STET_TEST_SEED'] ?? Date.now() % 1_000_000_000);
  const random = createSeededRandom(seed);
  for (let round = 0; round < 4000; round++) {
    const says = `seed ${seed}, round ${round}`;
    const [from, to, other] = [anyObject(random, 3, true), anyObject(random, 3, round % 2 === 0), anyObject(random, 3, true)];
    const [copyFrom, copyTo] = [JSON.stringify(from), JSON.stringify(to)];
    const patch = diffMergePatch(from, to);
    if (patch !== null) {
      assert.ok(sameJson(applyMergePatch(from, patch), to), `${says}: the difference leads from one to the other`);
      assert.deepEqual(minimalPatch(from, patch), patch, `${says}: it holds nothing that changes nothing`);
      assert.equal(applyMergePatch(to, patch), to, `${says}: it does nothing the second time`);
    }
    assert.deepEqual(diffMergePatch(from, from), {}, says);
    const given = anyObject(random, 3, true);
    assert.ok(sameJson(applyMergePatch(from, minimalPatch(from, given)), applyMergePatch(from, given)), `${says}: the minimal patch does the same`);
    assert.ok(sameJson(rebase(from, to, from), to), `${says}: nobody else changed anything`);
    assert.ok(sameJson(rebase(from, from, other), other), `${says}: nothing was changed here`);
    assert.ok(sameJson(rebase(from, to, to), to), `${says}: both did the same`);
    assert.equal(JSON.stringify(from), copyFrom, `${says}: nothing given is changed`);
    assert.equal(JSON.stringify(to), copyTo, `${says}: nothing given is changed`);
  }
});

test('patches one after the other copy the document once, and leave that and themselves as they were', () => {
  const document: JsonObject = { title: 'one', inner: { left: 1, right: 2 } };
  const patches: readonly JsonObject[] = [{ title: 'two' }, { inner: { left: 3 } }, { title: null, added: { deep: true } }, { inner: { right: null } }, { added: { more: 1 } }];
  const before = JSON.stringify([document, patches]);
  assert.deepEqual(applyMergePatches(document, patches), { inner: { left: 3 }, added: { deep: true, more: 1 } });
  assert.deepEqual(applyMergePatches(document, patches), patches.reduce((data, patch) => applyMergePatch(data, patch), document));
  assert.equal(JSON.stringify([document, patches]), before);
  assert.equal(applyMergePatches(document, [{ title: 'one' }, {}]), document);
});
