import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Edit } from './edit';
import { createEditWriter, editsAtOnceMax } from './edit-writer';
import type { KeptEdit } from './seams';

const edit = (id: string): Edit => ({
  id, type: 'tasks', recordId: '1', address: 'tasks/1', change: { op: 'delete' },
  base: 1, baseData: {}, actor: 'ana', madeAt: '2026-01-01T00:00:00Z', state: 'pending', attempts: 0,
});

/** A storage whose transactions end when the test says so. */
const played = () => {
  const heard: string[] = [];
  const open: { readonly edits: readonly Edit[]; readonly end: () => void; readonly fail: () => void }[] = [];
  const writer = createEditWriter(
    {
      add: (edits) =>
        new Promise<readonly KeptEdit[]>((resolve, reject) => {
          heard.push(`write ${edits.map(({ id }) => id).join(' ')}`);
          open.push({ edits, end: () => resolve(edits.map((one, order) => ({ order, edit: one }))), fail: () => reject(new Error('no room')) });
        }),
    },
    (kept) => heard.push(`written ${kept.map((one) => one.edit.id).join(' ')}`),
  );
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const next = async (how: 'end' | 'fail') => {
    open.shift()?.[how]();
    await settle();
  };
  const add = (...ids: string[]) =>
    writer.add(ids.map(edit)).then(() => heard.push(`kept ${ids.join(' ')}`), () => heard.push(`refused ${ids.join(' ')}`));
  return { writer, heard, add, next };
};

test('what comes while a transaction is under way goes together into the next', async () => {
  const { writer, heard, add, next } = played();
  void add('a');
  void add('b', 'c');
  void add('d');
  assert.deepEqual([...writer.writing()].map(({ id }) => id), ['a', 'b', 'c', 'd']);
  await next('end');
  assert.equal(writer.size, 3);
  await next('end');
  assert.deepEqual(heard.filter((line) => line.startsWith('writ')), ['write a', 'written a', 'write b c d', 'written b c d']);
  assert.deepEqual(heard.filter((line) => !line.startsWith('write ')), ['written a', 'kept a', 'written b c d', 'kept b c', 'kept d']);
  assert.equal(writer.size, 0);
});

test('one that cannot be kept does not take the others with it', async () => {
  const { heard, add, next } = played();
  void add('a');
  void add('b');
  void add('c');
  await next('end');
  await next('fail');
  await next('fail');
  await next('end');
  assert.deepEqual(heard.filter((line) => /^(kept|refused)/.test(line)), ['kept a', 'refused b', 'kept c']);
  void add('d');
  await next('end');
  assert.equal(heard.at(-1), 'kept d');
});

test('a transaction takes no more than its bound, but never half of what was given at once', async () => {
  const { heard, add, next } = played();
  const names = (from: number, count: number) => Array.from({ length: count }, (_, index) => `e${from + index}`);
  void add('first');
  for (const name of names(0, editsAtOnceMax + 1)) void add(name);
  void add(...names(1000, editsAtOnceMax + 1));
  for (let turn = 0; turn < 4; turn++) await next('end');
  const writes = heard.filter((line) => line.startsWith('write ')).map((line) => line.split(' ').length - 1);
  assert.deepEqual(writes, [1, editsAtOnceMax, 1, editsAtOnceMax + 1]);
});
