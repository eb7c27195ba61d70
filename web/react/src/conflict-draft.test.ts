import type { Conflict, JsonObject } from '@stet/client';
import assert from 'node:assert/strict';
import test from 'node:test';
import { choose, isReady, meetAgain, previewOf, resolutionOf, startDraft, write } from './conflict-draft';

const conflict = (changes: Partial<Conflict> = {}): Conflict => ({
  conflictType: 'concurrent_edit',
  address: 'tasks/1',
  detail: 'ann changed /title after you read version 1, and you changed it too',
  expectedVersion: 1,
  currentVersion: 2,
  lastModifiedBy: 'ann',
  base: { title: 'Fence', owner: 'bob', done: false },
  current: { title: 'Red fence', owner: 'ann', done: false },
  yours: { title: 'Blue fence', owner: 'bob', done: true },
  merged: { title: 'Red fence', owner: 'ann', done: true },
  fields: {
    '/title': { state: 'conflict', base: 'Fence', current: 'Red fence', yours: 'Blue fence', by: 'ann' },
    '/owner': { state: 'clean_current', base: 'bob', current: 'ann', yours: 'bob' },
    '/done': { state: 'clean_yours', base: false, current: false, yours: true },
  },
  clean: false,
  resolutionOptions: ['yours', 'current', 'fields', 'custom'],
  resolutionToken: 'one',
  edit: 'e1',
  ...changes,
});
const merged: JsonObject = { title: 'Red fence', owner: 'ann', done: true };

test('at first all that I wrote is applied, onto what is there now', () => {
  const draft = startDraft(conflict());
  assert.deepEqual(previewOf(draft), { ...merged, title: 'Blue fence' });
  assert.deepEqual(resolutionOf(draft), { choice: 'apply' });
  assert.deepEqual(draft.merged.map(({ pointer }) => pointer), ['/owner', '/done']);
});

test('each field can be theirs, as it was before, or written anew', () => {
  const draft = startDraft(conflict());
  const theirs = choose(draft, '/title', 'theirs');
  assert.deepEqual([previewOf(theirs), resolutionOf(theirs)], [merged, { choice: 'fields', fields: { '/title': 'current' } }]);
  const before = choose(draft, '/title', 'before');
  assert.deepEqual(previewOf(before), { ...merged, title: 'Fence' });
  assert.deepEqual(resolutionOf(before), { choice: 'fields', fields: { '/title': 'base' } });
  const anew = write(theirs, '/title', 'Green fence');
  assert.deepEqual(previewOf(anew), { ...merged, title: 'Green fence' });
  assert.deepEqual(resolutionOf(anew), { choice: 'fields', fields: { '/title': { value: 'Green fence' } } });
  assert.deepEqual(resolutionOf(write(anew, '/title', 'Blue fence')), { choice: 'apply' });
});

test('what makes no sense cannot be sent, unless another value is taken', () => {
  const wrong = write(startDraft(conflict()), '/title', undefined);
  assert.equal(isReady(wrong), false);
  assert.equal(isReady(choose(wrong, '/title', 'theirs')), true);
  assert.equal(isReady(write(wrong, '/title', 'x')), true);
});

test('when it moves on, choices and typed values stay, and fields that changed again are marked', () => {
  const typed = write(startDraft(conflict()), '/title', 'Green fence');
  const newer = conflict({
    currentVersion: 3,
    resolutionToken: 'two',
    current: { title: 'Black fence', owner: 'ann', done: false },
    fields: {
      '/title': { state: 'conflict', base: 'Fence', current: 'Black fence', yours: 'Blue fence', by: 'eve' },
      '/done': { state: 'conflict', base: false, current: false, yours: true },
    },
  });
  const draft = meetAgain(typed, newer);
  assert.equal(draft.round, 1);
  assert.deepEqual(
    draft.fields.map(({ pointer, pick, typed: value, changedAgain }) => [pointer, pick, value, changedAgain]),
    [
      ['/title', 'mine', 'Green fence', true],
      ['/done', 'mine', undefined, false],
    ],
  );
});

test('read anew without having moved on it is not said to have changed', () => {
  const draft = meetAgain(write(startDraft(conflict()), '/title', 'Green fence'), conflict({ resolutionToken: 'fresh' }));
  assert.deepEqual([draft.round, draft.conflict.resolutionToken, draft.fields[0]?.typed, draft.fields[0]?.changedAgain], [0, 'fresh', 'Green fence', false]);
});

test('a record that was deleted is restored, one that I delete is deleted', () => {
  const restore = startDraft(conflict({ current: null, merged: null, fields: {} }));
  assert.deepEqual([restore.kind, previewOf(restore), resolutionOf(restore)], ['restore', conflict().yours, { choice: 'apply' }]);
  const remove = startDraft(conflict({ yours: null, merged: null, fields: {} }));
  assert.deepEqual([remove.kind, previewOf(remove), resolutionOf(remove)], ['delete', null, { choice: 'apply' }]);
});

test('without a base every field that differs is decided, and the whole is sent', () => {
  const draft = startDraft(conflict({ base: null, merged: null, fields: {} }));
  assert.deepEqual(draft.fields.map(({ pointer }) => pointer), ['/title', '/owner', '/done']);
  const chosen = choose(draft, '/owner', 'theirs');
  assert.deepEqual(resolutionOf(chosen), { choice: 'custom', data: { title: 'Blue fence', owner: 'ann', done: true } });
});

test('with nothing left to decide the merged record is taken', () => {
  const draft = startDraft(conflict({ clean: true, fields: { '/done': { state: 'clean_yours', base: false, current: false, yours: true } } }));
  assert.deepEqual(resolutionOf(draft), { choice: 'merged' });
});

test('taking a field out is a choice like any other', () => {
  const draft = startDraft(
    conflict({ merged: { title: 'Red fence', owner: 'ann' }, fields: { '/title': { state: 'conflict', base: 'Fence', current: 'Red fence' } } }),
  );
  assert.deepEqual(previewOf(draft), { owner: 'ann' });
  assert.deepEqual(resolutionOf(draft), { choice: 'apply' });
});
