import assert from 'node:assert/strict';
import test from 'node:test';
import type { FieldDefinition } from '../../types/type-definition';
import { applySuggestion, completeFilter, errorPlace, fieldPath, filterExample, tokenize } from './filter-completion';

const field = (pointer: string, more: Partial<FieldDefinition> = {}): FieldDefinition => ({
  pointer, kinds: [], required: false, title: null, description: null, fallback: undefined, choices: null, minimum: null, maximum: null, minBytes: null, maxBytes: null, merge: null, immutable: false, ...more,
});
const fields = [field('/stage', { kinds: ['string'], choices: ['new', 'won', 'lost'] }), field('/amount', { kinds: ['number'] }), field('/done', { kinds: ['boolean'] }), field('/address/city', { kinds: ['string'] }), field('/tags', { kinds: ['array'] }), field('/tags/*')];
/** `|` marks the caret. */
const offered = (marked: string): readonly string[] => {
  const caret = marked.indexOf('|');
  return completeFilter(marked.replace('|', ''), caret, fields, (path) => (path === 'address.city' ? ['Graz', 'Linz'] : [])).suggestions.map(({ text }) => text);
};

test('at the beginning stand fields, of the data first', () => {
  assert.deepEqual(offered('|').slice(0, 5), ['stage', 'amount', 'done', 'address.city', 'tags']);
  assert.deepEqual(offered('up|'), ['$updated_at', '$updated_by']);
  assert.deepEqual(offered('stage = "won" && am|'), ['amount']);
});

test('the example is made of the fields of the type', () => {
  assert.equal(filterExample(fields), 'stage = "new" && amount > 1');
  assert.equal(filterExample([field('/name', { kinds: ['string'] }), field('/tags/*', { kinds: ['string'] })]), 'name starts_with "A"');
  assert.equal(filterExample([field('/address/size', { kinds: ['integer'], minimum: 10 })]), 'address.size > 10');
  assert.equal(filterExample([]), '');
});

test('behind a field stand the operators that fit it', () => {
  assert.deepEqual(offered('amount |').slice(0, 4), ['=', '!=', '<', '<=']);
  assert.deepEqual(offered('tags |'), ['contains', 'is null', 'is not null']);
  assert.deepEqual(offered('address.city st|'), ['starts_with']);
});

test('behind an operator stand values: of the enum, or seen ones', () => {
  assert.deepEqual(offered('stage = |'), ['"new"', '"won"', '"lost"']);
  assert.deepEqual(offered('stage = "w|'), ['"won"', '"new"']);
  assert.deepEqual(offered('done = |'), ['true', 'false']);
  assert.deepEqual(offered('address.city = "|'), ['"Graz"', '"Linz"']);
});

test('inside a list stand values, then a comma or its end', () => {
  assert.deepEqual(offered('stage in |'), ['[']);
  assert.deepEqual(offered('stage in ["new", |'), ['"new"', '"won"', '"lost"']);
  assert.deepEqual(offered('stage in ["new" |'), [',', ']']);
  assert.deepEqual(offered('stage in ["new"] |'), ['&&', '||']);
});

test('behind a comparison stands what joins it to another', () => {
  assert.deepEqual(offered('amount > 3 |'), ['&&', '||']);
  assert.deepEqual(offered('stage is |'), ['null', 'not null']);
});

test('a suggestion takes the place of what was begun', () => {
  const text = 'stage = "w';
  const completion = completeFilter(text, text.length, fields, () => []);
  const [won] = completion.suggestions;
  assert.ok(won);
  assert.deepEqual(applySuggestion(text, completion, won), { text: 'stage = "won" ', caret: 14 });
});

test('the middle of a word is replaced as a whole', () => {
  const completion = completeFilter('amou = 3', 2, fields, () => []);
  assert.deepEqual([completion.from, completion.to], [0, 4]);
});

test('names that are no words stand in brackets', () => {
  assert.deepEqual([fieldPath('/a/b'), fieldPath('/odd name'), fieldPath('/a/odd name/b')], ['a.b', '$data["odd name"]', 'a["odd name"].b']);
});

test('every sign of a text is in a token or a blank', () => {
  for (const text of ['a="x" && !(b in [1,2.5]) || c is not null', "t contains 'it\\'s'", '$data["odd"] = 1 ~ ü', 'x = "open']) {
    const covered = tokenize(text).map(({ from, to }) => text.slice(from, to)).join('');
    assert.equal(covered.replaceAll(/\s/g, ''), text.replaceAll(/\s/g, ''));
  }
});

test('the place of an error is counted in bytes and shown in signs', () => {
  assert.equal(errorPlace('ü = 1 &&', 'expected a field or a value at byte 10, found the end'), 8);
  assert.equal(errorPlace('x', 'something else'), null);
});
