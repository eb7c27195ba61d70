import assert from 'node:assert/strict';
import test from 'node:test';
import { editWords } from './edit-words';

test('an edit says which record it is of, and what it writes', () => {
  assert.deepEqual(editWords({ address: 'tasks/1', baseData: { title: 'Paint' }, change: { op: 'patch', patch: { status: 'done', due: null, tags: ['a'] } } }), {
    name: 'Paint',
    op: 'change',
    fields: [['status', 'done'], ['due', '–'], ['tags', '["a"]']],
  });
  assert.equal(editWords({ address: 'tasks/2', baseData: null, change: { op: 'create', data: { title: 'New one' } } }).name, 'New one');
  assert.deepEqual(editWords({ address: 'tasks/3', baseData: null, change: { op: 'delete' } }), { name: 'tasks/3', op: 'delete', fields: [] });
});

test('long texts are cut', () => {
  const [field] = editWords({ address: 'a/1', baseData: null, change: { op: 'patch', patch: { notes: 'x '.repeat(99) } } }).fields;
  assert.equal(field?.[1].length, 60);
});
