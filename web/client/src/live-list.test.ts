import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LiveList, ListOptions } from './client';
import type { JsonObject } from './json';
import type { RecordOf } from './record';
import { createTestClient, testRecord, wireRecord, type TestClient } from './testing/fake-parts';
import { createSeededRandom } from './testing/seeded-random';

const task = (id: string, version: number, data: JsonObject, more: Partial<RecordOf> = {}) => testRecord(`tasks/${id}`, version, data, more);

const answerPage = (world: TestClient, records: readonly RecordOf[], more: { seq?: number; next?: string; total?: number } = {}) =>
  world.network.next().answer({ body: { records: records.map(wireRecord), seq: more.seq ?? 10, ...(more.next === undefined ? {} : { next: more.next }), ...(more.total === undefined ? {} : { total: more.total }) } });

const ids = (list: LiveList) => list.getSnapshot().items.map((item) => item.id).join(' ');

const change = (world: TestClient, record: RecordOf, op = 'update', left = false) =>
  world.feed.emit({ kind: 'change', seq: record.seq, op, record, left });

const open = async (options: ListOptions, records: readonly RecordOf[], more: { seq?: number; next?: string; total?: number } = {}) => {
  const world = createTestClient();
  const list = world.client.records.live('tasks', options);
  const told: string[] = [];
  const undo = list.subscribe(() => told.push(ids(list)));
  answerPage(world, records, more);
  await world.clock.settle();
  return { world, list, told, undo };
};

test('a list follows the feed from where its page was read, and lets go', async () => {
  const { world, list, undo } = await open({ where: 'done = false', limit: 2 }, [task('1', 1, {}), task('2', 1, {})], { seq: 17 });
  assert.deepEqual(world.network.lines.slice(1), ['GET /v1/main/records/tasks?where=done+%3D+false&limit=2']);
  assert.deepEqual(world.feed.interests, [{ types: ['tasks'], where: 'done = false', since: 17 }]);
  assert.deepEqual([list.getSnapshot().status, ids(list), list.getSnapshot().hasMore], ['ready', '1 2', false]);
  undo();
  await world.clock.advance(1000);
  assert.deepEqual(world.feed.interests, []);
});

test('changes move records, new ones take their place, those that left are gone', async () => {
  const { world, list } = await open({ sort: '-rank,name' }, [task('a', 1, { rank: 3 }), task('b', 1, { rank: 2, name: 'x' }), task('c', 1, { rank: 2, name: 'y' })]);
  const before = list.getSnapshot().items;
  change(world, task('c', 2, { rank: 9 }));
  assert.equal(ids(list), 'c a b');
  assert.equal(list.getSnapshot().items[1], before[0], 'the others are the same objects');
  change(world, task('d', 1, { rank: 2.5 }), 'create');
  assert.equal(ids(list), 'c a d b');
  change(world, task('a', 2, { rank: 3 }), 'update', true);
  change(world, task('d', 2, { rank: 2.5 }), 'delete');
  assert.equal(ids(list), 'c b');
  world.feed.emit({ kind: 'revoked', seq: 30, address: 'tasks/c' });
  assert.equal(ids(list), 'b');
  assert.deepEqual(before.map((item) => item.id), ['a', 'b', 'c'], 'what was handed out stays');
});

test('many changes of a tick are told once', async () => {
  const { world, told } = await open({}, [task('1', 1, { n: 0 })]);
  told.length = 0;
  for (let version = 2; version < 50; version++) change(world, task('1', version, { n: version }));
  await world.clock.advance(100);
  assert.equal(told.length, 1);
});

test('creations, removals and edits that wait show on top, and go when they were refused', async () => {
  const { world, list } = await open({ sort: 'title' }, [task('1', 1, { title: 'b' }), task('2', 1, { title: 'd' })]);
  const { records } = world.client;
  const made = records.create('tasks', { title: 'c' }, { id: 'n' });
  records.remove('tasks', '1');
  records.update('tasks', '2', { title: 'a' });
  assert.equal(ids(list), '2 n');
  const edit = world.client.store.getState().edits.find((one) => one.id === made.id);
  assert.ok(edit);
  // Confirmed before the feed says so: it does not go away in between.
  world.queue.emit({ kind: 'settled', edit, outcome: { kind: 'confirmed', record: task('n', 1, { title: 'c' }), merged: false, unchanged: false } });
  assert.equal(ids(list), '2 n');
  change(world, task('n', 1, { title: 'c' }), 'create');
  assert.equal(ids(list), '2 n');
  for (const one of world.client.store.getState().edits) world.queue.emit({ kind: 'settled', edit: one, outcome: { kind: 'discarded' } });
  assert.equal(ids(list), '1 n 2');
});

const confirm = (world: TestClient, id: string, record: RecordOf) => {
  const edit = world.client.store.getState().edits.find((one) => one.id === id);
  assert.ok(edit);
  world.queue.emit({ kind: 'settled', edit, outcome: { kind: 'confirmed', record, merged: false, unchanged: false } });
};

test('under a condition a creation shows at once, unless it cannot match, and stays when the feed tells of it', async () => {
  const { world, list } = await open({ where: 'done = false' }, []);
  const made = world.client.records.create('tasks', { done: false }, { id: 'n' });
  world.client.records.create('tasks', { done: true }, { id: 'other' });
  world.client.records.create('tasks', {}, { id: 'unsaid' });
  assert.equal(ids(list), 'n unsaid');
  world.client.records.update('tasks', 'unsaid', { done: true });
  assert.equal(ids(list), 'n');
  const record = task('n', 11, { done: false }, { clientMutationId: made.id });
  confirm(world, made.id, record);
  assert.equal(ids(list), 'n', 'it does not go away between its confirmation and the feed');
  change(world, record, 'create');
  await world.clock.advance(2_000);
  assert.equal(ids(list), 'n');
  assert.equal(world.network.pending.length, 0, 'nothing had to be asked for');
});

test('what was made here and turns out not to match goes when the server has said so', async () => {
  const { world, list } = await open({ where: 'stage = "open"' }, [task('1', 1, {})]);
  const made = world.client.records.create('tasks', { title: 'x' }, { id: 'n' });
  assert.equal(ids(list), '1 n');
  confirm(world, made.id, task('n', 11, { title: 'x' }));
  await world.clock.advance(600);
  assert.equal(ids(list), '1 n');
  // Read before it was made: that says nothing of it.
  answerPage(world, [task('1', 1, {})], { seq: 10 });
  await world.clock.settle();
  assert.equal(ids(list), '1 n');
  await world.clock.advance(600);
  answerPage(world, [task('1', 1, {})], { seq: 11 });
  await world.clock.settle();
  assert.equal(ids(list), '1');
  await world.clock.advance(2_000);
  assert.equal(world.network.pending.length, 0);
});

test('what a default of the server fills in is looked at when it is confirmed', async () => {
  const { world, list } = await open({ where: 'stage = "open"' }, []);
  const made = world.client.records.create('tasks', {}, { id: 'n' });
  assert.equal(ids(list), 'n');
  confirm(world, made.id, task('n', 11, { stage: 'new' }));
  assert.equal(ids(list), '');
  await world.clock.advance(2_000);
  assert.equal(world.network.pending.length, 0);
});

test('what was made here and waits is there after the list was read anew', async () => {
  for (const where of [undefined, 'done = false']) {
    const { world, list } = await open(where === undefined ? {} : { where }, [task('1', 1, {})]);
    world.client.records.create('tasks', { done: false }, { id: 'n' });
    assert.equal(ids(list), '1 n');
    void list.refresh();
    answerPage(world, [task('1', 1, {})], { seq: 12 });
    await world.clock.settle();
    assert.equal(ids(list), '1 n', where);
  }
});

test('pages belong together: what changed since they were read comes with its page', async () => {
  const { world, list } = await open({ limit: 2 }, [task('1', 1, {}), task('2', 1, {})], { next: 'c1' });
  change(world, task('9', 1, {}), 'create');
  change(world, task('4', 2, {}), 'delete');
  change(world, task('15', 1, {}), 'create');
  assert.equal(ids(list), '1 15 2', 'the one behind the end waits');
  const more = list.more();
  assert.equal(list.getSnapshot().loadingMore, true);
  assert.match(world.network.next().request.path, /after=c1/);
  answerPage(world, [task('3', 1, {}), task('4', 1, {})], { next: 'c2' });
  await more;
  assert.deepEqual([ids(list), list.getSnapshot().hasMore, list.getSnapshot().loadingMore], ['1 15 2 3', true, false]);
  const last = list.more();
  answerPage(world, [task('5', 1, {})]);
  await last;
  assert.deepEqual([ids(list), list.getSnapshot().hasMore], ['1 15 2 3 5 9', false]);
});

test('a cursor that expired reads the list anew, as far as it was shown', async () => {
  const { world, list } = await open({ limit: 1 }, [task('1', 1, {})], { next: 'c1' });
  const more = list.more();
  world.network.next().answer({ status: 410, body: { code: 'CURSOR_EXPIRED', detail: 'start again' } });
  await world.clock.settle();
  answerPage(world, [task('0', 1, {})], { seq: 20, next: 'c2' });
  await more;
  assert.deepEqual([ids(list), list.getSnapshot().error], ['0', null]);
  assert.deepEqual(world.feed.interests, [{ types: ['tasks'], since: 20 }]);
});

test('after a reset all is read anew, whatever its versions', async () => {
  const { world, list } = await open({}, [task('1', 7, { t: 'x' }), task('2', 7, { t: 'x' })]);
  world.feed.emit({ kind: 'reset', seq: 5 });
  world.feed.emit({ kind: 'reset', seq: 6 });
  await world.clock.advance(300);
  assert.equal(world.network.pending.length, 1, 'once for both');
  answerPage(world, [task('2', 3, { t: 'restored' })], { seq: 6 });
  await world.clock.settle();
  assert.equal(ids(list), '2');
  assert.deepEqual(list.getSnapshot().items[0]?.data, { t: 'restored' });
});

test('the total is kept by the feed, and asked for where the feed cannot tell', async () => {
  const { world, list } = await open({ total: true, limit: 1 }, [task('1', 1, {})], { next: 'c', total: 5 });
  change(world, task('8', 1, {}), 'create');
  change(world, task('1', 2, {}), 'delete');
  assert.equal(list.getSnapshot().total, 5);
  change(world, task('9', 4, {}));
  await world.clock.advance(300);
  assert.match(world.network.next().request.path, /limit=1&total=1$/);
  answerPage(world, [], { total: 6 });
  await world.clock.settle();
  assert.equal(list.getSnapshot().total, 6);
});

test('a list that cannot be read says so, and is read when the feed is back', async () => {
  const world = createTestClient();
  const list = world.client.records.live('tasks');
  list.subscribe(() => {});
  world.network.next().answer({ status: 403, body: { code: 'FORBIDDEN', detail: 'not yours' } });
  await world.clock.settle();
  assert.deepEqual([list.getSnapshot().status, list.getSnapshot().error?.code], ['error', 'FORBIDDEN']);
  world.feed.setState('open');
  answerPage(world, [task('1', 1, {})]);
  await world.clock.settle();
  assert.deepEqual([list.getSnapshot().status, list.getSnapshot().error, ids(list)], ['ready', null, '1']);
});

test('somebody else logs in: the list is theirs', async () => {
  const { world, list } = await open({}, [task('1', 1, {}), task('2', 1, {})]);
  world.logIn('bob');
  assert.equal(ids(list), '', 'nothing of the person before is shown');
  await world.clock.settle();
  answerPage(world, [task('2', 1, { own: true })]);
  await world.clock.settle();
  assert.equal(ids(list), '2');
  assert.equal(list.getSnapshot().items[0]?.data?.['own'], true);
});

test('without a sort the order is the one in which the server sends', async () => {
  const byCreation = [task('z', 1, {}, { createdAt: '2026-11-22T10:00:01Z' }), task('a', 1, {}, { createdAt: '2026-11-22T10:00:02.5Z' })];
  const { world, list } = await open({ where: 'x = 1' }, byCreation);
  assert.equal(ids(list), 'z a');
  change(world, task('m', 1, {}, { createdAt: '2026-11-22T10:00:02Z' }));
  assert.equal(ids(list), 'z m a');
});

test('a random feed leaves what the server would list', async () => {
  const seed = Number(process.env['STET_TEST_SEED'] ?? Date.now() % 1_000_000_000);
  const random = createSeededRandom(seed);
  for (let round = 0; round < 10; round++) {
    const server = new Map<string, RecordOf>();
    const { world, list } = await open({ sort: '-rank' }, []);
    for (let seq = 11; seq < 200; seq++) {
      const id = `${random.below(30)}`;
      const before = server.get(id);
      const version = (before?.version ?? 0) + 1;
      const gone = before !== undefined && random.next() < 0.3;
      const record = task(id, version, { rank: random.pick([null, true, 1, 2, 10, 'a', 'é', '\u{10000}', '\uffff']) }, { seq, createdAt: before?.createdAt ?? `2026-11-22T10:00:00.${seq + 1000}Z` });
      if (gone) server.delete(id);
      else server.set(id, record);
      change(world, record, gone ? 'delete' : 'update');
      if (random.next() < 0.1) await world.clock.advance(random.below(20));
      if (random.next() < 0.2) ids(list);
      // A tombstone is remembered with its version; a creation after it counts on.
      if (gone) server.set(id, { ...record, deleted: true });
    }
    const rank = (value: unknown) => (value === null ? 1 : value === true ? 3 : typeof value === 'number' ? 4 : 5);
    const compare = (left: RecordOf, right: RecordOf) => {
      const [a, b] = [left.data['rank'], right.data['rank']];
      const order = rank(a) - rank(b) || (typeof a === 'number' && typeof b === 'number' ? a - b : typeof a === 'string' && typeof b === 'string' ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : 0);
      return -order || (left.createdAt < right.createdAt ? -1 : left.createdAt > right.createdAt ? 1 : 0);
    };
    const expected = [...server.values()].filter((record) => record.deleted !== true).sort(compare);
    assert.equal(ids(list), expected.map((record) => record.id).join(' '), `seed ${seed}, round ${round}`);
  }
});
