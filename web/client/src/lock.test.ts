import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeyLocks } from './lock';
import { createTabHub } from './tab-hub';

test('a key at work in one tab is refused at once in every tab, and free afterwards', async () => {
  const hub = createTabHub();
  const [one, two] = [createKeyLocks(hub.open(), 'stet'), createKeyLocks(hub.open(), 'stet')];
  let finish = (_result: number) => {};
  const first = one.run('invoice', () => new Promise<number>((resolve) => (finish = resolve)));
  await assert.rejects(two.run('invoice', async () => 2), { code: 'OPERATION_IN_PROGRESS' });
  await assert.rejects(one.run('invoice', async () => 2), { code: 'OPERATION_IN_PROGRESS' });
  assert.equal(await two.run('other', async () => 3), 3);
  finish(1);
  assert.equal(await first, 1);
  assert.equal(await two.run('invoice', async () => 4), 4);
});

test('what the work throws is thrown, and the key is free', async () => {
  const locks = createKeyLocks(createTabHub().open(), 'stet');
  await assert.rejects(locks.run('k', () => Promise.reject(new Error('mine'))), /mine/);
  assert.equal(await locks.run('k', async () => undefined), undefined);
});

test('a tab that dies lets go', async () => {
  const hub = createTabHub();
  const dying = createKeyLocks(hub.open('dying'), 'stet');
  const other = createKeyLocks(hub.open('other'), 'stet');
  void dying.run('k', () => new Promise(() => {}));
  await assert.rejects(other.run('k', async () => 1), { code: 'OPERATION_IN_PROGRESS' });
  hub.kill('dying');
  assert.equal(await other.run('k', async () => 1), 1);
});

test('closing tells the work, and takes no more', async () => {
  const locks = createKeyLocks(createTabHub().open(), 'stet');
  const running = locks.run('k', (signal) => new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve('told'))));
  locks.close();
  assert.equal(await running, 'told');
  await assert.rejects(locks.run('k', async () => 1), { code: 'ABORTED' });
});
