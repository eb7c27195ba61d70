import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deleteDB, openDB } from 'idb';
import type { Edit } from './edit';
import { StetError } from './error';
import { createIdbStorage, schemaVersion } from './idb-storage';

let count = 0;
const fresh = () => `stet test ${++count}`;
const edit = (id: string, more: Partial<Edit> = {}): Edit => ({
  id, type: 'tasks', recordId: '1', address: 'tasks/1', change: { op: 'patch', patch: { a: 1 } }, base: 3, baseData: { a: 0 },
  actor: 'ana', madeAt: '2026-01-01T00:00:00Z', state: 'pending', attempts: 0, ...more,
});
const ids = (kept: readonly { readonly edit: Edit }[]) => kept.map((one) => one.edit.id);

test('edits come back after the page is gone, in the order in which they were made', async () => {
  const name = fresh();
  const first = createIdbStorage(name);
  await first.add([edit('z')]);
  await first.add([edit('a'), edit('m')]);
  first.close();
  const second = createIdbStorage(name);
  assert.deepEqual(ids(await second.load()), ['z', 'a', 'm']);
  assert.equal(second.state, 'durable');
  second.close();
});

test('all that an edit says comes back, its error as an error', async () => {
  const storage = createIdbStorage(fresh());
  const error = new StetError({ code: 'INVALID_DATA', detail: 'too long', status: 422, field: '/a', problem: { code: 'INVALID_DATA' } });
  const whole = edit('e', { state: 'rejected', error, attempts: 2, onConflict: 'merge', transaction: 't', after: null, unsure: true });
  await storage.add([whole]);
  const [kept] = await storage.load();
  assert.deepEqual(kept?.edit, whole);
  assert.ok(kept.edit.error instanceof StetError);
  storage.close();
});

test('places go on growing when all is gone, and in a second tab', async () => {
  const name = fresh();
  const [one, two] = [createIdbStorage(name), createIdbStorage(name)];
  const [first] = await one.add([edit('a')]);
  await one.save([], ['a']);
  const [second] = await two.add([edit('b')]);
  assert.ok(first && second && second.order > first.order);
  one.close();
  two.close();
});

test('what another tab has removed is said to be missing; what the person deleted with the page open is kept anew', async () => {
  const name = fresh();
  const [one, two] = [createIdbStorage(name), createIdbStorage(name)];
  const [first, second] = await one.add([edit('a'), edit('b')]);
  assert.ok(first && second);
  await two.save([], ['a']);
  assert.deepEqual(await one.save([first, second], []), ['a']);
  assert.deepEqual(ids(await two.load()), ['b']);
  two.close();
  await deleteDB(name);
  assert.deepEqual(await one.load(), []);
  assert.deepEqual(await one.save([second], []), []);
  assert.deepEqual(ids(await one.load()), ['b']);
  assert.equal(one.state, 'durable');
  one.close();
});

test('a connection that the browser closed in silence costs nothing', async () => {
  const opened: IDBDatabase[] = [];
  const { open } = IDBFactory.prototype;
  IDBFactory.prototype.open = function (...given) {
    const request = open.apply(this, given);
    request.addEventListener('success', () => opened.push(request.result));
    return request;
  };
  const storage = createIdbStorage(fresh());
  await storage.add([edit('a')]);
  IDBFactory.prototype.open = open;
  for (const database of opened) database.close();
  await storage.add([edit('b')]);
  assert.deepEqual(ids(await storage.load()), ['a', 'b']);
  assert.equal(storage.state, 'durable');
  storage.close();
});

test('adding is all or nothing', async () => {
  const storage = createIdbStorage(fresh());
  await storage.add([edit('a')]);
  await assert.rejects(storage.add([edit('b'), edit('a')]), { code: 'STORAGE_FAILED' });
  assert.equal(storage.state, 'failed');
  assert.deepEqual(ids(await storage.load()), ['a']);
  assert.equal(storage.state, 'durable');
  storage.close();
});

test('saving replaces what is there, and does not bring back what was removed', async () => {
  const storage = createIdbStorage(fresh());
  const kept = await storage.add([edit('a'), edit('b')]);
  await storage.save([], ['a']);
  await storage.save(kept.map((one) => ({ ...one, edit: { ...one.edit, attempts: 5 } })), []);
  assert.deepEqual((await storage.load()).map((one) => [one.edit.id, one.edit.attempts]), [['b', 5]]);
  storage.close();
});

test('a database of the first schema keeps its edits', async () => {
  const name = fresh();
  const old = await openDB(name, 1, { upgrade: (database) => void database.createObjectStore('edits', { keyPath: 'id' }) });
  await old.put('edits', { id: 'old', order: 0, text: JSON.stringify(edit('old')) });
  old.close();
  const storage = createIdbStorage(name);
  assert.deepEqual(ids(await storage.load()), ['old']);
  await storage.add([edit('new')]);
  await storage.keepNote('actor', 'ana');
  assert.deepEqual(ids(await storage.load()), ['old', 'new']);
  assert.equal(await storage.note('actor'), 'ana');
  storage.close();
});

test('a database of a newer program is left alone', async () => {
  const name = fresh();
  const newer = await openDB(name, schemaVersion + 1, { upgrade: (database) => void database.createObjectStore('tomorrow') });
  newer.close();
  const storage = createIdbStorage(name);
  const heard: string[] = [];
  storage.subscribe((state) => heard.push(state));
  await assert.rejects(storage.load(), { code: 'STORAGE_FAILED' });
  await assert.rejects(storage.add([edit('a')]), { code: 'STORAGE_FAILED' });
  assert.deepEqual(heard, ['failed']);
  storage.close();
});

test('a newer program in another tab gets the database; this one says that it keeps nothing any more', async () => {
  const name = fresh();
  const storage = createIdbStorage(name);
  await storage.add([edit('a')]);
  const newer = await openDB(name, schemaVersion + 1);
  assert.equal(storage.state, 'failed');
  await assert.rejects(storage.add([edit('b')]), { code: 'STORAGE_FAILED' });
  assert.equal((await newer.getAll('edits')).length, 1);
  newer.close();
});

test('where the database cannot be opened edits are kept in memory, and it is told', async () => {
  const real = indexedDB;
  Object.defineProperty(globalThis, 'indexedDB', { configurable: true, value: undefined });
  try {
    const storage = createIdbStorage(fresh());
    await storage.add([edit('a')]);
    assert.equal(storage.state, 'memory');
    assert.deepEqual(ids(await storage.load()), ['a']);
  } finally {
    Object.defineProperty(globalThis, 'indexedDB', { configurable: true, value: real });
  }
});

test('what nobody can read is passed over, and stays', async () => {
  const name = fresh();
  const storage = createIdbStorage(name);
  await storage.add([edit('a')]);
  const raw = await openDB(name, schemaVersion);
  await raw.put('edits', { id: 'odd', order: 9, text: '{"id":7}' });
  await raw.put('edits', { id: 'broken', order: 10, text: '{' });
  assert.deepEqual(ids(await storage.load()), ['a']);
  assert.equal((await raw.getAll('edits')).length, 3);
  raw.close();
  storage.close();
});
