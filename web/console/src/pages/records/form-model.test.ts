import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeType, type TypeDefinition } from '../../types/type-definition';
import { applyDraft, defaultsOf, fieldOfError, formOf, missingFields, readField, rebaseData, sameJson, withValue, writtenAs, type FormField } from './form-model';

const typeOf = (fields: object): TypeDefinition => {
  const type = decodeType({ id: 't', version: 1, fields });
  assert.ok(type);
  return type;
};
const deals = typeOf({
  '/title': { type: 'string', required: true, min_bytes: 1, max_bytes: 20 },
  '/stage': { type: 'string', enum: ['new', 'won'], default: 'new' },
  '/amount': { type: 'number', minimum: 0 },
  '/count': { type: 'integer' },
  '/vat': { type: ['string', 'null'] },
  '/notes': { type: 'string', max_bytes: 100000 },
  '/address': { type: 'object', default: {} },
  '/address/city': { type: 'string', title: 'Town' },
  '/tags': { type: 'array' },
  '/tags/*': { type: 'string' },
  '/done': { type: 'boolean' },
});
const fieldOf = (pointer: string, type = deals, data = {}): FormField => {
  const field = formOf(type, data).flatMap((group) => group.fields).find((candidate) => candidate.pointer === pointer);
  assert.ok(field, pointer);
  return field;
};
const read = (pointer: string, text: string) => readField(fieldOf(pointer), text);

test('the definition says which control a field has', () => {
  assert.deepEqual(
    formOf(deals, {}).map((group) => [group.label, group.fields.map((field) => `${field.label}: ${field.control}`)]),
    [
      [null, ['Title: line', 'Stage: choice', 'Amount: number', 'Count: number', 'Vat: line', 'Notes: text', 'Tags: words', 'Done: switch']],
      ['Address', ['Town: line']],
    ],
  );
});

test('what is not declared is shown as it is', () => {
  const controls = formOf(undefined, { a: 1, b: true, c: 'x', d: 'x\ny', e: ['a'], f: { g: 1 }, h: '2026-11-22' }).flatMap((group) => group.fields).map((field) => field.control);
  assert.deepEqual(controls, ['number', 'switch', 'line', 'text', 'words', 'json', 'date']);
});

test('numbers are read as people write them, and kept within their bounds', () => {
  assert.deepEqual(read('/amount', ' 12,5 '), { value: 12.5, wrong: null });
  assert.deepEqual(read('/amount', '-1').wrong, { kind: 'minimum', bound: 0 });
  assert.deepEqual(read('/amount', '1 000').wrong, { kind: 'number' });
  assert.deepEqual(read('/count', '1.5').wrong, { kind: 'integer' });
});

test('texts are bound in bytes of UTF-8', () => {
  assert.deepEqual(read('/title', 'ü'.repeat(11)).wrong, { kind: 'maxBytes', bound: 20 });
  assert.deepEqual(read('/title', '').wrong, { kind: 'required' });
});

test('what is left empty goes, or is null where that may be', () => {
  assert.deepEqual(read('/amount', ''), { value: undefined, wrong: null });
  assert.deepEqual(read('/vat', ''), { value: null, wrong: null });
});

test('what is written and read again is the same', () => {
  const data = { title: 'x', stage: 'won', amount: 1.5, tags: ['a', 'b'], done: true, address: { city: 'Graz' } };
  for (const field of formOf(deals, data).flatMap((group) => group.fields)) {
    const value = field.pointer.split('/').slice(1).reduce<unknown>((part, name) => (part as Record<string, unknown> | undefined)?.[name], data);
    if (value !== undefined) assert.deepEqual(readField(field, writtenAs(field, value as never)), { value, wrong: null }, field.pointer);
  }
});

test('a draft changes what was written and nothing else', () => {
  const data = { title: 'x', amount: 3, more: { deep: 1 } };
  const groups = formOf(deals, data);
  assert.deepEqual(applyDraft(data, groups, new Map([['/title', 'y'], ['/amount', ''], ['/address/city', 'Graz']])).data, { title: 'y', more: { deep: 1 }, address: { city: 'Graz' } });
  assert.equal(applyDraft(data, groups, new Map([['/title', 'x']])).data, data);
  assert.deepEqual([...applyDraft(data, groups, new Map([['/amount', 'much']])).wrong], [['/amount', { kind: 'number' }]]);
});

test('a new record begins with its defaults and says what it lacks', () => {
  const data = defaultsOf(deals);
  assert.deepEqual(data, { stage: 'new', address: {} });
  assert.deepEqual([...missingFields(data, formOf(deals, data)).keys()], ['/title']);
});

test('taking out what is not there changes nothing', () => {
  const data = { a: 1 };
  assert.equal(withValue(data, '/b', undefined), data);
  assert.equal(withValue(data, '/b/c', undefined), data);
});

test('equal JSON is equal whatever the order of names', () => {
  assert.ok(sameJson({ a: [1, { b: null }], c: 'x' }, { c: 'x', a: [1, { b: null }] }));
  assert.ok(!sameJson({ a: 1 }, { a: 1, b: 2 }));
  assert.ok(!sameJson([1], [2]));
});

test('what others changed meanwhile stays when an edited text is put on it', () => {
  const base = { a: 1, b: { x: 1, y: 1 }, c: 3 };
  assert.deepEqual(rebaseData(base, { a: 2, b: { x: 1, y: 2 } }, { a: 1, b: { x: 9, y: 1 }, c: 3, d: 4 }), { a: 2, b: { x: 9, y: 2 }, d: 4 });
  assert.equal(rebaseData(base, base, base), base);
});

test('the server may name a field in what was sent, or something in it', () => {
  const groups = formOf(deals, {});
  assert.deepEqual(['/amount', '/data/amount', '/patch/address/city', '/tags/3', '/nothing', null].map((field) => fieldOfError(field, groups)), ['/amount', '/amount', '/address/city', '/tags', null, null]);
});
