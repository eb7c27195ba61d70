import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conflict, Resolution } from './conflict';
import type { Edit } from './edit';
import type { Json } from './json';
import { resolutionBody } from './resolution';
import { resolvedChange } from './resolved-change';
import { createTestClient, testRecord, wireRecord, type TestClient } from './testing/fake-parts';

const conflictOf = (more: Partial<Conflict> = {}): Conflict => ({
  conflictType: 'concurrent_edit',
  address: 'tasks/1',
  detail: 'bob changed /title',
  expectedVersion: 1,
  currentVersion: 2,
  base: { title: 'a', note: 'n' },
  current: { title: 'theirs', note: 'n' },
  yours: { title: 'mine', note: 'm' },
  merged: { title: 'theirs', note: 'm' },
  fields: { '/title': { state: 'conflict', base: 'a', current: 'theirs', yours: 'mine' }, '/note': { state: 'yours', yours: 'm' } },
  clean: false,
  resolutionOptions: ['yours', 'current', 'fields', 'custom'],
  resolutionToken: 'token 1',
  edit: null,
  ...more,
});

const wire = (conflict: Conflict, more: { readonly [name: string]: Json } = {}) => ({
  code: 'CONCURRENT_MODIFICATION',
  detail: conflict.detail,
  conflict_type: conflict.conflictType,
  address: conflict.address,
  expected_version: conflict.expectedVersion,
  current_version: conflict.currentVersion,
  base: conflict.base,
  current: conflict.current,
  yours: conflict.yours,
  merged: conflict.merged,
  fields: JSON.parse(JSON.stringify(conflict.fields)),
  clean: conflict.clean,
  resolution_options: [...conflict.resolutionOptions],
  resolution_token: conflict.resolutionToken,
  ...more,
});

/** An edit of tasks/1 that met a conflict. */
const met = async () => {
  const world = createTestClient();
  const { client, network, queue, clock } = world;
  const read = client.records.get('tasks', '1');
  network.next().answer({ body: wireRecord(testRecord('tasks/1', 1, { title: 'a', note: 'n' })) });
  await read;
  const write = client.records.update('tasks', '1', { title: 'mine', note: 'm' });
  await write.local;
  const [edit] = client.store.getState().edits;
  assert.ok(edit);
  const conflict = conflictOf({ edit: write.id });
  queue.emit({ kind: 'changed', edit: { ...edit, state: 'conflict', conflict }, outcome: { kind: 'conflict', conflict } });
  await clock.settle();
  return { world, write, conflict };
};

const state = (world: TestClient) => world.client.store.getState().records.get('tasks/1');

test('how somebody settles a conflict becomes what the server is asked', () => {
  const body = (resolution: Resolution, more: Partial<Conflict> = {}) => {
    const { resolution_token: _, yours: __, ...rest } = resolutionBody(conflictOf(more), resolution);
    return rest;
  };
  assert.deepEqual(body({ choice: 'apply' }), { choice: 'fields', fields: { '/title': 'yours' } });
  assert.deepEqual(body({ choice: 'apply' }, { fields: {}, clean: true, resolutionOptions: ['merged', 'yours'] }), { choice: 'merged' });
  assert.deepEqual(body({ choice: 'apply' }, { fields: {}, current: null, resolutionOptions: ['yours', 'current', 'custom'] }), { choice: 'yours' });
  assert.deepEqual(body({ choice: 'discard' }), { choice: 'current' });
  assert.deepEqual(body({ choice: 'fields', fields: { '/title': { value: 'x' } } }), { choice: 'fields', fields: { '/title': { value: 'x' } } });
  assert.deepEqual(body({ choice: 'custom', data: { title: 'x' } }), { choice: 'custom', data: { title: 'x' } });
  assert.deepEqual(resolutionBody(conflictOf(), { choice: 'yours' })['yours'], { title: 'mine', note: 'm' });
  assert.equal('yours' in resolutionBody(conflictOf({ conflictId: 'c' }), { choice: 'yours' }), false);
});

test('a member of a transaction is put right here and goes with the others: it is not saved without them', async () => {
  const { world, write, conflict } = await met();
  const [edit] = world.client.store.getState().edits;
  assert.ok(edit);
  const member: Edit = { ...edit, transaction: 't1' };
  const { conflict: _, ...rest } = member;
  world.queue.emit({ kind: 'changed', edit: member });
  world.queue.emit({ kind: 'added', edits: [{ ...rest, id: 'other', address: 'tasks/2', recordId: '2', state: 'pending' }] });
  const outcome = await world.client.conflicts.resolve(conflict, { choice: 'apply' });
  assert.equal(outcome.kind, 'resolved');
  assert.deepEqual(world.network.pending, []);
  const now = world.client.store.getState().edits.find(({ id }) => id === write.id);
  assert.deepEqual([now?.state, now?.base, now?.baseData], ['pending', conflict.currentVersion, conflict.current]);
  assert.deepEqual(now?.change, { op: 'patch', patch: { title: 'mine', note: 'm' } });
});

test('a resolution becomes a change of what is there now', () => {
  const field = { state: 'conflict', base: 1, current: 2, yours: 3 };
  const conflict = conflictOf({
    base: { a: { b: 1 }, c: 1 }, current: { a: { b: 2 }, c: 1 }, yours: { a: { b: 3 }, c: 1 }, merged: { a: { b: 2 }, c: 9 },
    fields: { '/a/b': field },
  });
  const change = (resolution: Resolution, more: Partial<Conflict> = {}) => resolvedChange({ ...conflict, ...more }, resolution);
  assert.deepEqual(change({ choice: 'apply' }), { op: 'patch', patch: { a: { b: 3 }, c: 9 } });
  assert.deepEqual(change({ choice: 'merged' }), { op: 'patch', patch: { c: 9 } });
  assert.deepEqual(change({ choice: 'yours' }), { op: 'patch', patch: { a: { b: 3 } } });
  assert.deepEqual(change({ choice: 'fields', fields: { '/a/b': 'base' } }), { op: 'patch', patch: { a: { b: 1 }, c: 9 } });
  assert.deepEqual(change({ choice: 'fields', fields: { '/a/b': { value: null } } }), { op: 'put', data: { a: { b: null }, c: 9 } });
  assert.deepEqual(change({ choice: 'custom', data: { c: 1 } }), { op: 'patch', patch: { a: null } });
  assert.deepEqual(change({ choice: 'apply' }, { yours: null }), { op: 'delete' });
  assert.deepEqual(change({ choice: 'apply' }, { current: null, fields: {} }), { op: 'create', data: { a: { b: 3 }, c: 1 } });
});

test('a write that met a conflict says so, and its value stays on the screen', async () => {
  const { world, write, conflict } = await met();
  assert.deepEqual(await write.confirmed, { kind: 'conflict', conflict });
  assert.deepEqual([state(world)?.phase, state(world)?.data], ['conflict', { title: 'mine', note: 'm' }]);
  assert.deepEqual(world.client.conflicts.live.getSnapshot().mine, [conflict]);
  assert.equal(world.client.conflicts.live.getSnapshot(), world.client.conflicts.live.getSnapshot());
});

test('discarding asks nobody and shows the server at once', async () => {
  const { world, conflict } = await met();
  world.client.conflicts.opened(conflict);
  await world.clock.advance(4000);
  const outcome = await world.client.conflicts.resolve(conflict, { choice: 'discard' });
  assert.equal(outcome.kind, 'resolved');
  assert.deepEqual(state(world)?.data, { title: 'theirs', note: 'n' });
  assert.deepEqual([world.network.pending.length, world.client.store.getState().edits.length], [0, 0]);
  assert.deepEqual(world.client.metrics().resolveMs, { count: 1, p50: 4000, p95: 4000, max: 4000 });
});

test('a second conflict while applying takes the place of the first, and is applied in turn', async () => {
  const { world, write, conflict } = await met();
  const first = world.client.conflicts.resolve(conflict, { choice: 'apply' });
  assert.deepEqual(world.network.next().line, 'POST /v1/main/records/tasks/1/resolve');
  const next = conflictOf({ edit: write.id, currentVersion: 3, current: { title: 'theirs again', note: 'n' }, resolutionToken: 'token 2' });
  world.network.next().answer({ status: 409, body: wire(next) });
  assert.deepEqual(await first, { kind: 'conflict', conflict: next });
  assert.deepEqual(world.client.conflicts.live.getSnapshot().mine, [next]);
  assert.deepEqual(state(world)?.data, { title: 'mine', note: 'm' });
  const second = world.client.conflicts.resolve(next, { choice: 'apply' });
  assert.deepEqual(world.network.next().body, {
    resolution_token: 'token 2',
    yours: { title: 'mine', note: 'm' },
    choice: 'fields',
    fields: { '/title': 'yours' },
  });
  world.network.next().answer({ body: wireRecord(testRecord('tasks/1', 4, { title: 'mine', note: 'm' })) });
  assert.equal((await second).kind, 'resolved');
  assert.deepEqual([state(world)?.phase, state(world)?.record?.version, state(world)?.edits], ['saved', 4, []]);
});

test('an answer that was lost is found to have taken effect', async () => {
  const { world, conflict } = await met();
  const resolved = world.client.conflicts.resolve(conflict, { choice: 'yours' });
  world.network.next().fail();
  await world.clock.advance(500);
  world.network.next().answer({ status: 409, body: { code: 'ALREADY_RESOLVED', detail: 'settled already' } });
  await world.clock.settle();
  world.network.next().answer({ body: wireRecord(testRecord('tasks/1', 3, { title: 'mine', note: 'm' })) });
  assert.equal((await resolved).kind, 'resolved');
  assert.deepEqual([state(world)?.edits, state(world)?.record?.version], [[], 3]);
});

test('what cannot be settled now stays as it is', async () => {
  const { world, conflict } = await met();
  const refused = world.client.conflicts.resolve(conflict, { choice: 'custom', data: { title: 1 } });
  world.network.next().answer({ status: 422, body: { code: 'INVALID_DATA', detail: 'the data do not fit', field: '/title' } });
  await assert.rejects(refused, { code: 'INVALID_DATA' });
  assert.equal(state(world)?.phase, 'conflict');
});

test('what waits on the server is read, again after each event, and settled by its id', async () => {
  const world = createTestClient();
  const { client, network, clock, feed } = world;
  const told: number[] = [];
  const undo = client.conflicts.live.subscribe(() => told.push(client.conflicts.live.getSnapshot().unread));
  assert.match(network.next().line, /^GET \/v1\/main\/inbox/);
  network.next().answer({ body: { items: [{ id: 'c1', record_type: 'tasks' }], unread: 1, total: 1, seq: 3 } });
  await clock.settle();
  assert.deepEqual(client.conflicts.live.getSnapshot().waiting, [{ id: 'c1', recordType: 'tasks' }]);
  for (let index = 0; index < 5; index++) feed.emit({ kind: 'conflict', seq: 4, event: 'changed', body: {} });
  await clock.advance(300);
  assert.equal(network.pending.length, 1, 'asked once for all of them');
  network.next().answer({ body: { items: [{ id: 'c1' }, { id: 'c2' }], unread: 2, total: 2, seq: 4 } });
  await clock.settle();
  assert.deepEqual(told, [1, 2]);

  const shown = client.conflicts.get('c1');
  network.next().answer({ body: wire(conflictOf(), { conflict_id: 'c1', deadline: '2026-11-23T10:00:00Z', fallback: 'server_wins' }) });
  const resolving = client.conflicts.resolve(await shown, { choice: 'apply' });
  assert.equal(network.next().line, 'POST /v1/main/conflicts/c1/resolve');
  network.next().answer({ body: { id: 'c1', state: 'resolved', conflict_type: 'concurrent_edit', record: wireRecord(testRecord('tasks/1', 3, {})) } });
  await clock.settle();
  network.next().answer({ body: { items: [], unread: 0, total: 0, seq: 5 } });
  const outcome = await resolving;
  assert.equal(outcome.kind === 'resolved' && outcome.record?.version, 3);

  const late = client.conflicts.resolve(conflictOf({ conflictId: 'c2' }), { choice: 'yours' });
  network.next().answer({ status: 409, body: { code: 'ALREADY_RESOLVED', detail: 'bob was first', conflict: { resolved_by: 'bob' } } });
  await clock.settle();
  network.next().answer({ body: wireRecord(testRecord('tasks/1', 3, {})) });
  await clock.settle();
  network.next().answer({ body: { items: [], unread: 0, total: 0, seq: 5 } });
  assert.deepEqual(await late, { kind: 'already_resolved', by: 'bob' });
  undo();
  await client.close();
  assert.equal(clock.timers, 0);
});
