import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from './client';
import type { Conflict } from './conflict';
import type { Edit } from './edit';
import { StetError } from './error';
import { createTestClient, testRecord, wireRecord, type TestClient } from './testing/fake-parts';

interface Task {
  readonly title: string;
  readonly done?: boolean | null;
  readonly tags?: readonly string[];
}

/** Knows tasks/1 at this version. */
const known = async (world: TestClient, version = 1, data: Task = { title: 'a' }) => {
  const read = world.client.records.get('tasks', '1');
  world.network.next().answer({ body: wireRecord(testRecord('tasks/1', version, { ...data })) });
  await read;
};

const shown = (client: Client, address = 'tasks/1') => client.store.getState().records.get(address);
const onlyEdit = (world: TestClient): Edit => {
  const [edit, ...more] = world.client.store.getState().edits;
  assert.ok(edit !== undefined && more.length === 0);
  return edit;
};

test('an update shows at once, is kept, and is confirmed in one change', async () => {
  const world = createTestClient();
  const { client, queue, clock } = world;
  await known(world);
  const events: string[] = [];
  client.store.subscribe((state) => {
    const record = state.records.get('tasks/1');
    events.push(`${JSON.stringify(record?.data)} v${record?.record?.version} ${record?.phase} ${state.edits.length}`);
  });
  const write = client.records.update<Task>('tasks', '1', { title: 'b' });
  assert.deepEqual(shown(client)?.data, { title: 'b' });
  void write.local.then(() => events.push('kept'));
  void write.confirmed.then((outcome) => events.push(outcome.kind));
  await clock.settle();
  const edit = onlyEdit(world);
  assert.deepEqual(edit.change, { op: 'patch', patch: { title: 'b' } });
  assert.deepEqual([edit.base, edit.baseData, edit.actor, edit.after], [1, { title: 'a' }, 'ana', null]);
  queue.emit({
    kind: 'settled',
    edit,
    outcome: { kind: 'confirmed', record: testRecord('tasks/1', 2, { title: 'b' }), merged: false, unchanged: false },
  });
  await clock.settle();
  assert.deepEqual(events, ['{"title":"b"} v1 saving 1', 'kept', '{"title":"b"} v2 saved 0', 'confirmed'].sort((a, b) => events.indexOf(a) - events.indexOf(b)));
  assert.equal(events.length, 4);
});

test('a patch holds no more than what changes, and nothing is sent when nothing does', async () => {
  const world = createTestClient();
  await known(world, 1, { title: 'a', done: false, tags: ['x'] });
  world.client.records.update<Task>('tasks', '1', { title: 'b', done: false, tags: ['x'] });
  assert.deepEqual(onlyEdit(world).change, { op: 'patch', patch: { title: 'b' } });
  const edit = onlyEdit(world);
  const again = world.client.records.update<Task>('tasks', '1', (data) => ({ ...data }));
  let said: string | null = null;
  void again.confirmed.then(({ kind }) => (said = kind));
  await world.clock.settle();
  // It is on the screen, but not on the server: whoever saves twice is not told so before it is.
  assert.equal(said, null);
  assert.equal(world.client.store.getState().edits.length, 1);
  const record = testRecord('tasks/1', 2, { title: 'b', done: false, tags: ['x'] });
  world.queue.emit({ kind: 'settled', edit, outcome: { kind: 'confirmed', record, merged: false, unchanged: false } });
  await world.clock.settle();
  assert.equal(said, 'confirmed');
  const outcome = await world.client.records.update<Task>('tasks', '1', (data) => ({ ...data })).confirmed;
  assert.equal(outcome.kind === 'confirmed' && outcome.unchanged, true);
});

test('a save without a change says what became of the one before it', async () => {
  const world = createTestClient();
  await known(world);
  world.client.records.update<Task>('tasks', '1', { title: 'b' });
  const error = new StetError({ code: 'INVALID_DATA', detail: 'no' });
  world.queue.emit({ kind: 'changed', edit: { ...onlyEdit(world), state: 'rejected', error }, outcome: { kind: 'rejected', error } });
  assert.equal((await world.client.records.update<Task>('tasks', '1', { title: 'b' }).confirmed).kind, 'rejected');
});

test('what a merge patch cannot say is put as a whole', async () => {
  const world = createTestClient();
  await known(world, 1, { title: 'a', done: true });
  world.client.records.update<Task>('tasks', '1', (data) => ({ ...data, done: null }));
  assert.deepEqual(onlyEdit(world).change, { op: 'put', data: { title: 'a', done: null } });
});

test('a number that was rounded when it was read is never saved so, be it in a list or in the whole', async () => {
  const world = createTestClient();
  const { client } = world;
  const read = client.records.get('tasks', '1');
  world.network.next().answer({ body: wireRecord(testRecord('tasks/1', 1, { big: 2 ** 60, list: [2 ** 60, 1], title: 'a' })) });
  await read;
  interface Data { readonly big: number; readonly list: readonly number[]; readonly title: string | null }
  for (const change of [(data: Data) => ({ ...data, title: null }), (data: Data) => ({ ...data, list: [...data.list, 2] })]) {
    const outcome = await client.records.update<Data>('tasks', '1', change).confirmed;
    assert.equal(outcome.kind === 'rejected' && outcome.error.code, 'BAD_REQUEST');
  }
  client.records.update<Data>('tasks', '1', (data) => ({ ...data, title: 'b' }));
  assert.deepEqual(onlyEdit(world).change, { op: 'patch', patch: { title: 'b' } });
});

test('a whole document that is given back sends what differs, and no number that nobody touched', async () => {
  const { client, network, ...world } = createTestClient();
  const read = client.records.get('tasks', '1');
  const data = '{"title":"a","ratio":0.1234567890123456789,"big":12345678901234567890,"list":[1.00000000000000000001],"deep":{"n":2.718281828459045235,"t":"x"}}';
  const text = JSON.stringify(wireRecord(testRecord('tasks/1', 1, {}))).replace('"data":{}', `"data":${data}`);
  network.next().answer({ raw: text, headers: { 'Content-Type': 'application/json' } });
  const { data: whole } = await read;
  client.records.update('tasks', '1', { ...whole, title: 'b' });
  client.records.update<typeof whole>('tasks', '1', (seen) => ({ ...seen, deep: { n: 2.718281828459045235, t: 'y' } }));
  client.records.update('tasks', '1', { ratio: 0.5 });
  const changes = client.store.getState().edits.map(({ change }) => change);
  assert.deepEqual(changes, [{ op: 'patch', patch: { title: 'b' } }, { op: 'patch', patch: { deep: { t: 'y' } } }, { op: 'patch', patch: { ratio: 0.5 } }]);
  assert.ok(world.queue.list().length === 3);
});

test('a form that was opened at an older version changes what stood there then', async () => {
  const world = createTestClient();
  const { client, feed } = world;
  const undo = client.records.watch('tasks', '1').subscribe(() => {});
  world.network.next().answer({ body: wireRecord(testRecord('tasks/1', 1, { title: 'a', tags: [] })) });
  await world.clock.settle();
  feed.emit({ kind: 'change', seq: 2, op: 'update', record: testRecord('tasks/1', 2, { title: 'b', tags: [] }), left: false });
  // The form held the title "a" of version 1, and only its tags were changed in it.
  client.records.update<Task>('tasks', '1', { title: 'a', tags: ['new'] }, { base: 1 });
  const edit = onlyEdit(world);
  assert.deepEqual([edit.base, edit.baseData, edit.change], [1, { title: 'a', tags: [] }, { op: 'patch', patch: { tags: ['new'] } }]);
  assert.deepEqual(shown(client)?.data, { title: 'b', tags: ['new'] });
  undo();
});

test('edits wait on each other in order, and the second names the first', async () => {
  const world = createTestClient();
  await known(world);
  const first = world.client.records.update<Task>('tasks', '1', { title: 'b' });
  world.client.records.update<Task>('tasks', '1', { title: 'c' });
  const [, second] = world.client.store.getState().edits;
  assert.deepEqual([second?.after, second?.base, second?.baseData], [first.id, 1, { title: 'b' }]);
  assert.deepEqual(shown(world.client)?.data, { title: 'c' });
});

test('what cannot be kept is not shown any longer', async () => {
  const world = createTestClient();
  await known(world);
  world.queue.fail(new StetError({ code: 'STORAGE_FAILED', detail: 'no room' }));
  const write = world.client.records.update<Task>('tasks', '1', { title: 'b' });
  assert.deepEqual(shown(world.client)?.data, { title: 'b' });
  await assert.rejects(write.local, { code: 'STORAGE_FAILED' });
  assert.equal((await write.confirmed).kind, 'rejected');
  assert.deepEqual(shown(world.client)?.data, { title: 'a' });
  assert.deepEqual(world.client.store.getState().edits, []);
});

test('a record that was never seen is read before it is changed', async () => {
  const world = createTestClient();
  const write = world.client.records.update<Task>('tasks', '1', { title: 'b' });
  assert.equal(world.network.next().line, 'GET /v1/main/records/tasks/1');
  world.network.next().answer({ body: wireRecord(testRecord('tasks/1', 7, { title: 'a' })) });
  await write.local;
  assert.equal(onlyEdit(world).base, 7);
  const missing = world.client.records.remove('tasks', '2');
  world.network.next().answer({ status: 404, body: { code: 'NOT_FOUND', detail: 'no record' } });
  await assert.rejects(missing.local, { code: 'NOT_FOUND' });
  const outcome = await missing.confirmed;
  assert.equal(outcome.kind === 'rejected' && outcome.error.code, 'NOT_FOUND');
});

test('a deletion and a creation show at once; what is no JSON is refused', async () => {
  const world = createTestClient();
  const { client } = world;
  await known(world);
  client.records.remove('tasks', '1');
  assert.deepEqual([shown(client)?.data, shown(client)?.status, shown(client)?.phase], [null, 'deleted', 'saving']);
  const made = client.records.create<Task>('tasks', { title: 'new' }, { id: 'a/b' });
  assert.equal(made.address, 'tasks/a%2Fb');
  assert.deepEqual([shown(client, made.address)?.status, shown(client, made.address)?.record], ['ready', null]);
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  await assert.rejects(client.records.create('tasks', cyclic).local, { code: 'BAD_JSON' });
  await assert.rejects(client.records.update('tasks', '1', { title: 'x' }).local, { code: 'NOT_FOUND' });
});

test('a transaction is one name for all its edits, and each stands on the one before', async () => {
  const world = createTestClient();
  await known(world);
  const { id, writes } = world.client.records.transact([
    { op: 'patch', type: 'tasks', id: '1', patch: { title: 'b' } },
    { op: 'patch', type: 'tasks', id: '1', patch: { done: true } },
    { op: 'create', type: 'tasks', id: '2', data: { title: 'n' } },
  ]);
  const { edits } = world.client.store.getState();
  assert.deepEqual(edits.map((edit) => edit.transaction), [id, id, id]);
  assert.deepEqual(edits.map((edit) => edit.after), [null, writes[0]?.id, null]);
  // The feed names the transaction: all of it is down before its answer comes.
  world.feed.emit({ kind: 'ready', seq: 0 });
  const undo = world.client.records.watch('tasks', '1').subscribe(() => {});
  world.feed.emit({ kind: 'change', seq: 2, op: 'update', record: testRecord('tasks/1', 2, { title: 'b', done: true }, { clientMutationId: id }), left: false });
  assert.equal(shown(world.client)?.phase, 'saved');
  undo();
});

test('somebody else logs in: what the one before saw is gone, and what they wrote is kept for them', async () => {
  const world = createTestClient();
  await known(world);
  world.client.records.update<Task>('tasks', '1', { title: 'b' });
  world.logIn('bob');
  assert.equal(shown(world.client)?.record, null);
  assert.equal(world.client.store.getState().edits.length, 0);
  assert.equal(world.queue.list().length, 1);
  world.logIn('ana');
  assert.equal(world.client.store.getState().edits.length, 1);
});

test('what somebody has waiting is not on the screen of the next, nor under what they write, and comes back with its author', async () => {
  const world = createTestClient();
  await known(world);
  world.client.records.update<Task>('tasks', '1', { title: 'of ana' });
  const conflict: Conflict = {
    conflictType: 'concurrent_edit', address: 'tasks/1', detail: '', expectedVersion: 1, currentVersion: 2, base: null, current: null, yours: null,
    merged: null, fields: {}, clean: false, resolutionOptions: [], resolutionToken: 't', edit: onlyEdit(world).id,
  };
  world.queue.emit({ kind: 'changed', edit: { ...onlyEdit(world), state: 'conflict', conflict }, outcome: { kind: 'conflict', conflict } });
  assert.equal(world.client.conflicts.live.getSnapshot().mine.length, 1);
  world.logIn('bob');
  await known(world, 2, { title: 'b' });
  assert.deepEqual(shown(world.client)?.data, { title: 'b' });
  assert.deepEqual([shown(world.client)?.phase, shown(world.client)?.edits.length], ['idle', 0]);
  assert.equal(world.client.conflicts.live.getSnapshot().mine.length, 0);
  world.client.records.update<Task>('tasks', '1', { title: 'of ana' });
  const own = world.client.store.getState().edits.find(({ actor }) => actor === 'bob');
  assert.deepEqual([own?.change, own?.after, own?.baseData], [{ op: 'patch', patch: { title: 'of ana' } }, null, { title: 'b' }]);
  world.logIn('ana');
  assert.equal(shown(world.client)?.phase, 'conflict');
  world.logIn(null);
  assert.equal(shown(world.client)?.edits.length, 0);
});

test('a tab counts the writes that it made, and each time one was sent again', async () => {
  const world = createTestClient();
  await known(world);
  world.client.records.update<Task>('tasks', '1', { title: 'b' });
  const edit = onlyEdit(world);
  for (const attempts of [1, 1, 2, 3]) world.queue.emit({ kind: 'changed', edit: { ...edit, attempts } });
  const other: Edit = { ...edit, id: 'of another tab', attempts: 1 };
  world.queue.emit({ kind: 'added', edits: [other] });
  world.queue.emit({ kind: 'changed', edit: { ...other, attempts: 2 } });
  const record = testRecord('tasks/1', 3, { title: 'b' });
  for (const one of [edit, other]) world.queue.emit({ kind: 'settled', edit: one, outcome: { kind: 'confirmed', record, merged: false, unchanged: false } });
  const { writes, confirmed, retries } = world.client.metrics();
  assert.deepEqual([writes, confirmed, retries], [1, 1, 2]);
});

test('counts and times of writes', async () => {
  const world = createTestClient();
  const { client, queue, clock } = world;
  await known(world);
  client.records.update<Task>('tasks', '1', { title: 'b' });
  await clock.advance(120);
  const edit = onlyEdit(world);
  queue.emit({ kind: 'settled', edit, outcome: { kind: 'confirmed', record: testRecord('tasks/1', 3, { title: 'b' }), merged: true, unchanged: false } });
  const { writes, confirmed, merged, confirmMs } = client.metrics();
  assert.deepEqual([writes, confirmed, merged, confirmMs], [1, 1, 1, { count: 1, p50: 120, p95: 120, max: 120 }]);
});

test('a record that is watched is read once, followed from there, and let go', async () => {
  const world = createTestClient();
  const { client, clock, network, feed } = world;
  const [first, second] = [client.records.watch('tasks', '1'), client.records.watch('tasks', '1')];
  const undo = [first.subscribe(() => {}), second.subscribe(() => {})];
  assert.equal(first.getSnapshot().status, 'loading');
  network.next().answer({ body: wireRecord(testRecord('tasks/1', 4, { title: 'a' }, { seq: 40 })) });
  await clock.settle();
  assert.deepEqual(network.pending, []);
  assert.deepEqual(feed.interests, [{ addresses: ['tasks/1'], since: 40 }]);
  assert.deepEqual(feed.present_, ['tasks/1@4']);
  feed.emit({ kind: 'change', seq: 41, op: 'update', record: testRecord('tasks/1', 5, { title: 'b' }, { seq: 41 }), left: false });
  await clock.advance(20);
  assert.deepEqual(feed.present_, ['tasks/1@5']);
  feed.emit({ kind: 'reset', seq: 90 });
  network.next().answer({ body: wireRecord(testRecord('tasks/1', 2, { title: 'restored' }, { seq: 88 })) });
  await clock.settle();
  assert.deepEqual([first.getSnapshot().data, first.getSnapshot().record?.version], [{ title: 'restored' }, 2]);
  for (const one of undo) one();
  // Put back within a moment, nothing is read or followed again.
  const again = client.records.watch('tasks', '1').subscribe(() => {});
  await clock.advance(1000);
  assert.equal(feed.interests.length, 1);
  again();
  await clock.advance(1000);
  assert.deepEqual([feed.interests, feed.present_, network.pending], [[], [], []]);
  await client.close();
  assert.equal(clock.timers, 0);
});

test('many records of a type are followed as the type', async () => {
  const world = createTestClient();
  const { client, clock, network, feed } = world;
  network.handle((request) => ({ body: wireRecord(testRecord(decodeURIComponent(request.path.replace('/v1/main/records/', '')), 1, {})) }));
  const undo = Array.from({ length: 40 }, (_, id) => client.records.watch('tasks', `${id}`).subscribe(() => {}));
  await clock.settle();
  assert.deepEqual(feed.interests, [{ types: ['tasks'] }]);
  const reads = network.lines.length;
  feed.emit({ kind: 'ready', seq: 1 });
  await clock.settle();
  assert.equal(network.lines.length - reads, 40, 'read anew, for what came before is not known');
  for (const one of undo.slice(4)) one();
  await clock.advance(1000);
  assert.equal(feed.interests.length, 4);
  for (const one of undo) one();
  await clock.advance(1000);
  assert.deepEqual(feed.interests, []);
});
