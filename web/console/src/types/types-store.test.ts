import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from '@stet/client';
import { createTypesStore } from './types-store';

test('what a list counts while the types are read is not taken back by what was counted before', async () => {
  const answers: ((text: string) => void)[] = [];
  const client = {
    http: { request: (_method: string, path: string) => new Promise((done) => answers.push((text) => done({ text: path === '/types' ? '{"types":[]}' : text }))) },
  } as unknown as Client;
  const store = createTypesStore(client);
  const counts = () => [...store.getSnapshot().counts];
  const answer = async (records: number) => {
    for (const done of answers.splice(0)) done(JSON.stringify({ types: { tasks: { records } } }));
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };
  const first = store.refresh();
  await answer(25);
  await first;
  const second = store.refresh();
  store.counted('tasks', 26);
  assert.deepEqual(counts(), [['tasks', 26]]);
  await answer(25);
  await second;
  assert.deepEqual(counts(), [['tasks', 26]]);
  const third = store.refresh();
  await answer(27);
  await third;
  assert.deepEqual(counts(), [['tasks', 27]]);
});
