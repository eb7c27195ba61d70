import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryStorage } from './memory-storage';
import { resolvedChange } from './resolved-change';
import type { EditStorage } from './seams';
import { createTabBench } from './testing/tab-bench';

const patch = (members: Record<string, number>) => ({ op: 'patch', patch: members }) as const;
const create = { op: 'create', data: { a: 0, b: 0 } } as const;

test('what a tab makes is kept, sent, confirmed, and heard by all tabs in one order', async () => {
  const bench = createTabBench();
  const [one, two] = [bench.open('one'), bench.open('two')];
  await bench.clock.settle();
  await two.edit('e1', 'tasks/1', create);
  await two.edit('e2', 'tasks/1', patch({ a: 1 }), null);
  await bench.clock.settle();
  assert.deepEqual(two.heard, ['added e1', 'added e2', 'settled e1 confirmed', 'settled e2 confirmed']);
  assert.deepEqual(one.heard, two.heard);
  assert.deepEqual(bench.server.read('tasks/1')?.data, { a: 1, b: 0 });
  assert.deepEqual(await bench.storage.load(), []);
  bench.close();
});

test('an edit is kept before the network hears of it', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  await bench.clock.settle();
  bench.server.fate = () => 'hold';
  await tab.edit('e1', 'tasks/1', create);
  const [kept] = await bench.storage.load();
  assert.equal(kept?.edit.id, 'e1');
  await bench.clock.settle();
  assert.equal((await bench.storage.load())[0]?.edit.unsure, true);
  bench.close();
});

test('the leader dies mid-send: the next one sends again, and it takes effect once', async () => {
  const bench = createTabBench();
  const [one, two] = [bench.open('one'), bench.open('two')];
  await bench.clock.settle();
  bench.server.fate = () => 'hold';
  await two.edit('e1', 'tasks/1', create);
  await bench.clock.settle();
  assert.deepEqual(bench.server.arrived, ['e1']);
  bench.kill(one);
  bench.server.release();
  bench.server.fate = () => 'answer';
  await bench.clock.advance(100);
  assert.deepEqual(bench.server.arrived, ['e1', 'e1']);
  assert.equal(bench.server.effects.length, 1);
  assert.deepEqual(two.heard, ['added e1', 'settled e1 confirmed']);
  bench.close();
});

test('offline for days, 200 edits of 40 records arrive once each, in order', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  await bench.clock.settle();
  bench.network.online = false;
  for (let index = 0; index < 40; index++) bench.server.change(`tasks/${index}`, { n: 0 });
  for (let index = 0; index < 200; index++) await tab.edit(`e${index}`, `tasks/${index % 40}`, patch({ n: index }));
  await bench.clock.advance(3 * 86_400_000);
  assert.equal(bench.server.arrived.length, 0);
  bench.network.online = true;
  tab.queue.wake();
  await bench.clock.advance(1000);
  assert.equal(bench.server.effects.length, 200);
  for (let index = 0; index < 40; index++) {
    const keys = bench.server.effects.filter(({ address }) => address === `tasks/${index}`).map(({ key }) => key);
    assert.deepEqual(keys, [0, 1, 2, 3, 4].map((round) => `e${index + round * 40}`));
  }
  bench.close();
});

test('a refused edit is parked with what is behind it, the rest goes on; discarding it lets its followers go', async () => {
  const bench = createTabBench();
  const [one, two] = [bench.open('one'), bench.open('two')];
  await bench.clock.settle();
  bench.server.change('tasks/1', { a: 0, b: 0 });
  bench.server.change('tasks/2', { a: 0 });
  bench.server.fate = ([edit]) => (edit?.id === 'bad' ? 'refuse' : 'answer');
  await two.edit('bad', 'tasks/1', patch({ a: -1 }));
  await two.edit('next', 'tasks/1', patch({ b: 2 }));
  await two.edit('other', 'tasks/2', patch({ a: 3 }));
  await bench.clock.settle();
  assert.deepEqual(two.heard, ['added bad', 'added next', 'added other', 'changed bad rejected', 'settled other confirmed']);
  assert.equal(two.queue.list()[0]?.error?.code, 'INVALID_DATA');
  await Promise.all([two.queue.discard('bad'), bench.clock.settle()]);
  await bench.clock.settle();
  assert.deepEqual(one.heard.slice(5), ['settled bad discarded', 'settled next confirmed']);
  assert.deepEqual(bench.server.read('tasks/1')?.data, { a: 0, b: 2 });
  bench.close();
});

test('a refused edit is sent again with another change, under its own key', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  await bench.clock.settle();
  bench.server.change('tasks/1', { a: 0 });
  bench.server.fate = () => 'refuse';
  await tab.edit('e1', 'tasks/1', patch({ a: -1 }));
  await bench.clock.settle();
  bench.server.fate = () => 'answer';
  await tab.queue.retry('e1', patch({ a: 1 }));
  await bench.clock.settle();
  assert.deepEqual(tab.heard, ['added e1', 'changed e1 rejected', 'changed e1 pending', 'settled e1 confirmed']);
  assert.equal(bench.server.read('tasks/1')?.data['a'], 1);
  bench.close();
});

test('an edit that may have arrived cannot be taken back, and its outcome comes', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  await bench.clock.settle();
  bench.server.fate = () => 'lose answer';
  await tab.edit('e1', 'tasks/1', create);
  await bench.clock.settle();
  await assert.rejects(tab.queue.discard('e1'), { code: 'COMMIT_UNKNOWN' });
  bench.server.fate = () => 'answer';
  await bench.clock.advance(60_000);
  assert.equal(bench.server.effects.length, 1);
  assert.deepEqual(tab.heard, ['added e1', 'settled e1 confirmed']);
  bench.close();
});

test('one that was refused for a while can be taken back, for the server said that it was not done', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  await bench.clock.settle();
  bench.server.fate = () => 'busy';
  await tab.edit('e1', 'tasks/1', create);
  await bench.clock.settle();
  await tab.queue.discard('e1');
  assert.deepEqual(tab.heard, ['added e1', 'settled e1 discarded']);
  await bench.clock.advance(600_000);
  assert.deepEqual(bench.server.arrived, ['e1']);
  bench.close();
});

test('two edits of one field, one behind the other, do not meet each other', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  await bench.clock.settle();
  bench.server.change('tasks/1', { a: 0 });
  bench.server.fate = () => 'hold';
  await tab.edit('e1', 'tasks/1', patch({ a: 1 }));
  await bench.clock.settle();
  await tab.edit('e2', 'tasks/1', patch({ a: 2 }));
  bench.server.fate = () => 'answer';
  bench.server.release();
  await bench.clock.settle();
  assert.deepEqual(tab.heard.slice(2), ['settled e1 confirmed', 'settled e2 confirmed']);
  bench.close();
});

test('somebody else changed what the second touches: it is a conflict and overwrites nothing', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  await bench.clock.settle();
  bench.server.change('tasks/1', { a: 0, b: 0 });
  bench.network.online = false;
  await tab.edit('e1', 'tasks/1', patch({ a: 1 }));
  await tab.edit('e2', 'tasks/1', patch({ b: 1 }));
  bench.server.change('tasks/1', { a: 0, b: 7 });
  bench.network.online = true;
  tab.queue.wake();
  await bench.clock.settle();
  assert.deepEqual(tab.heard.slice(2), ['settled e1 confirmed', 'changed e2 conflict']);
  assert.deepEqual(bench.server.read('tasks/1')?.data, { a: 1, b: 7 });
  bench.close();
});

test('a conflict that was settled lets the next go from the version that it became', async () => {
  const bench = createTabBench();
  const [one, two] = [bench.open('one'), bench.open('two')];
  await bench.clock.settle();
  bench.server.change('tasks/1', { a: 0, b: 0 });
  bench.network.online = false;
  await two.edit('e1', 'tasks/1', patch({ a: 1 }));
  await two.edit('e2', 'tasks/1', patch({ a: 2 }));
  bench.server.change('tasks/1', { a: 9, b: 0 });
  bench.network.online = true;
  one.queue.wake();
  await bench.clock.settle();
  assert.equal(two.queue.list()[0]?.state, 'conflict');
  bench.server.change('tasks/1', { a: 1, b: 0 });
  const record = bench.server.read('tasks/1');
  assert.ok(record);
  await Promise.all([two.queue.settle('e1', { kind: 'confirmed', record, merged: true, unchanged: false }), bench.clock.settle()]);
  await bench.clock.settle();
  assert.equal(bench.server.read('tasks/1')?.data['a'], 2);
  assert.deepEqual(two.queue.list(), []);
  bench.close();
});

test('logout with waiting edits: another person is sent for, the first one waits', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  await bench.clock.settle();
  bench.server.change('tasks/1', { a: 0, b: 0 });
  bench.network.online = false;
  await tab.edit('ana1', 'tasks/1', patch({ a: 1 }));
  bench.actor = 'ben';
  bench.network.online = true;
  await tab.edit('ben1', 'tasks/1', patch({ b: 1 }));
  await bench.clock.settle();
  assert.deepEqual(bench.server.arrived, ['ben1']);
  assert.deepEqual(tab.queue.list().map(({ id }) => id), ['ana1']);
  bench.actor = 'ana';
  tab.queue.wake();
  await bench.clock.settle();
  assert.deepEqual(bench.server.arrived, ['ben1', 'ana1']);
  assert.deepEqual(bench.server.read('tasks/1')?.data, { a: 1, b: 1 });
  bench.close();
});

test('a page that is loaded anew goes on with what was kept', async () => {
  const bench = createTabBench();
  const first = bench.open('one');
  await bench.clock.settle();
  bench.server.fate = () => 'lose request';
  await first.edit('e1', 'tasks/1', create);
  await bench.clock.settle();
  bench.kill(first);
  bench.server.fate = () => 'answer';
  const second = bench.open('two');
  await bench.clock.advance(100);
  assert.deepEqual(second.heard, ['loaded e1', 'settled e1 confirmed']);
  bench.close();
});

test('every message may be lost once: all tabs end up with the same', async () => {
  for (let drop = 0; drop < 12; drop++) {
    const bench = createTabBench();
    const [one, two] = [bench.open('one'), bench.open('two')];
    await bench.clock.settle();
    let count = 0;
    bench.hub.deliver = () => count++ !== drop;
    await two.edit('e1', 'tasks/1', create);
    await bench.clock.advance(10_000);
    assert.deepEqual(two.queue.list(), [], `after loss ${drop}`);
    assert.deepEqual(one.queue.list(), [], `after loss ${drop}`);
    assert.ok(two.heard.includes('settled e1 confirmed'), `after loss ${drop}: ${two.heard.join(', ')}`);
    assert.equal(bench.server.effects.length, 1);
    bench.close();
  }
});

test('a discarded edit does not come back when the leader died before it could say so', async () => {
  const bench = createTabBench();
  const [one, two] = [bench.open('one'), bench.open('two')];
  await bench.clock.settle();
  bench.network.online = false;
  await two.edit('e1', 'tasks/1', create);
  await bench.clock.settle();
  bench.hub.deliver = (from) => from !== 'one';
  await one.queue.discard('e1');
  bench.kill(one);
  bench.hub.deliver = () => true;
  bench.network.online = true;
  await bench.clock.advance(20_000);
  assert.deepEqual(bench.server.arrived, []);
  assert.deepEqual(two.heard, ['added e1', 'settled e1 discarded']);
  bench.close();
});

test('what other tabs post is looked at before it is believed', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  const stranger = bench.hub.open('stranger');
  await bench.clock.settle();
  for (const nonsense of [null, 7, 'x', {}, [], '{"part":"stet.queue"', '{"part":"stet.queue","kind":"added"}',
    '{"part":"stet.queue","kind":"added","again":false,"kept":[{"order":1,"edit":{"id":"evil"}}]}',
    '{"part":"stet.queue","kind":"change","term":"x","number":1,"change":{"kind":"settled"}}',
    '{"part":"stet.queue","kind":"command","from":"stranger","number":1,"command":{"op":"burn"}}']) stranger.post(nonsense);
  await bench.clock.settle();
  assert.deepEqual(tab.heard, []);
  assert.deepEqual(tab.queue.list(), []);
  bench.close();
});

test('nothing is left when all is closed', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  await bench.clock.settle();
  bench.server.fate = () => 'busy';
  await tab.edit('e1', 'tasks/1', create);
  await bench.clock.settle();
  bench.close();
  await bench.clock.settle();
  assert.equal(bench.clock.timers, 0);
});

test('tabs without locks: what was taken back in one is not sent by another, nor sent twice', async () => {
  const bench = createTabBench({ apart: true });
  const one = bench.open('one');
  await bench.clock.settle();
  bench.network.online = false;
  bench.server.change('tasks/1', { a: 0, b: 0 });
  bench.server.change('tasks/2', { a: 0 });
  await one.edit('back', 'tasks/1', patch({ a: 1 }));
  await one.edit('stays', 'tasks/2', patch({ a: 2 }));
  const two = bench.open('two');
  await bench.clock.settle();
  assert.deepEqual(two.heard, ['loaded back stays']);
  await one.queue.discard('back');
  bench.network.online = true;
  one.queue.wake();
  await bench.clock.settle();
  two.queue.wake();
  await bench.clock.advance(5_000);
  assert.deepEqual(bench.server.arrived, ['stays']);
  assert.deepEqual([bench.server.read('tasks/1')?.data['a'], bench.server.read('tasks/2')?.data['a']], [0, 2]);
  assert.deepEqual([...two.heard].sort(), ['loaded back stays', 'settled back discarded', 'settled stays confirmed']);
  bench.close();
});

test('a storage that cannot be read says nothing of what waits: nothing is given up for it', async () => {
  const inner = createMemoryStorage('durable');
  let broken = false;
  const storage: EditStorage = {
    ...inner,
    get state() { return broken ? 'failed' : 'durable'; },
    load: () => (broken ? Promise.reject(new Error('disk')) : inner.load()),
  };
  const bench = createTabBench({ storage });
  const [one, two] = [bench.open('one'), bench.open('two')];
  await bench.clock.settle();
  bench.network.online = false;
  bench.server.change('tasks/1', { a: 0 });
  await two.edit('e1', 'tasks/1', patch({ a: 1 }));
  await bench.clock.settle();
  let reads = 0;
  // The first read of the new leader is still of a storage that is well, and fails under way.
  Object.assign(storage, { load: () => { reads += 1; broken = true; return Promise.reject(new Error('disk')); } });
  bench.kill(one);
  await bench.clock.advance(60_000);
  assert.ok(reads > 1);
  assert.deepEqual(two.heard, ['added e1']);
  bench.network.online = true;
  two.queue.wake();
  await bench.clock.advance(60_000);
  assert.deepEqual(two.heard, ['added e1', 'settled e1 confirmed']);
  bench.close();
});

test('what could not be read when the page was opened is sent when it can be', async () => {
  const inner = createMemoryStorage('durable');
  let broken = true;
  const bench = createTabBench({ storage: { ...inner, load: () => (broken ? Promise.reject(new Error('disk')) : inner.load()) } });
  bench.server.change('tasks/1', { a: 0 });
  await inner.add([{
    id: 'kept', type: 'tasks', recordId: '1', address: 'tasks/1', change: patch({ a: 1 }), base: 1, baseData: { a: 0 }, actor: 'ana',
    madeAt: '2026-01-01T00:00:00Z', state: 'pending', attempts: 0,
  }]);
  const tab = bench.open('one');
  await bench.clock.advance(30_000);
  assert.deepEqual(tab.heard, []);
  broken = false;
  await bench.clock.advance(120_000);
  assert.deepEqual(tab.heard, ['added kept', 'settled kept confirmed']);
  bench.close();
});

test('a transaction that met somebody else can be taken back, also when the answer before was lost', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  await bench.clock.settle();
  bench.server.change('tasks/1', { a: 0 });
  bench.server.change('tasks/2', { a: 0 });
  bench.server.fate = () => 'lose request';
  const member = (id: string, address: string) => ({
    id, type: 'tasks', recordId: address.slice(6), address, change: patch({ a: 1 }), base: 1, baseData: { a: 0 }, actor: 'ana',
    madeAt: '2026-01-01T00:00:00Z', state: 'pending', attempts: 0, transaction: 't1',
  }) as const;
  await tab.queue.add([member('m1', 'tasks/1'), member('m2', 'tasks/2')]);
  await bench.clock.settle();
  assert.deepEqual(tab.queue.list().map(({ unsure }) => unsure), [true, true]);
  bench.server.change('tasks/1', { a: 5 });
  bench.server.fate = () => 'answer';
  await bench.clock.advance(5_000);
  assert.deepEqual(tab.queue.list().map(({ state, unsure }) => [state, unsure]), [['conflict', undefined], ['pending', undefined]]);
  await tab.queue.discard('m1');
  assert.deepEqual(tab.queue.list(), []);
  bench.close();
});

test('a transaction whose conflict was put right goes out again as a whole', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  await bench.clock.settle();
  bench.server.change('tasks/1', { a: 0 });
  bench.server.change('tasks/2', { a: 0 });
  const member = (id: string, address: string) => ({
    id, type: 'tasks', recordId: address.slice(6), address, change: patch({ a: 1 }), base: 1, baseData: { a: 0 }, actor: 'ana',
    madeAt: '2026-01-01T00:00:00Z', state: 'pending', attempts: 0, transaction: 't1',
  }) as const;
  bench.server.change('tasks/1', { a: 5 });
  await tab.queue.add([member('m1', 'tasks/1'), member('m2', 'tasks/2')]);
  await bench.clock.settle();
  const [met] = tab.queue.list();
  assert.ok(met?.conflict);
  const { conflict, ...rest } = met;
  const change = resolvedChange(conflict, { choice: 'yours' });
  await tab.queue.update({ ...rest, state: 'pending', base: conflict.currentVersion, baseData: conflict.current, change });
  await bench.clock.settle();
  assert.deepEqual(bench.server.arrived, ['m1+m2', 'm1+m2']);
  assert.deepEqual([bench.server.read('tasks/1')?.data, bench.server.read('tasks/2')?.data], [{ a: 1 }, { a: 1 }]);
  assert.deepEqual(tab.queue.list(), []);
  bench.close();
});

test('a tab that is behind does not undo what went on meanwhile', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  await bench.clock.settle();
  bench.server.change('tasks/1', { a: 0 });
  bench.server.fate = () => 'hold';
  await tab.edit('e1', 'tasks/1', patch({ a: 1 }));
  await bench.clock.settle();
  const [sent] = tab.queue.list();
  assert.ok(sent);
  const { unsure: _unsure, ...stale } = sent;
  await tab.queue.update({ ...stale, state: 'conflict' });
  assert.deepEqual(tab.queue.list(), [sent]);
  bench.close();
});

test('another change that cannot be made any more is refused, not forgotten', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  await bench.clock.settle();
  bench.server.change('tasks/1', { a: 0 });
  bench.server.fate = () => 'hold';
  await tab.edit('e1', 'tasks/1', patch({ a: 1 }));
  await bench.clock.settle();
  // Somebody else has sent it again meanwhile.
  await assert.rejects(tab.queue.retry('e1', patch({ a: 2 })), { code: 'COMMIT_UNKNOWN' });
  await tab.queue.retry('e1', patch({ a: 1 }));
  await tab.queue.retry('e1');
  bench.server.fate = () => 'answer';
  bench.server.release();
  await bench.clock.settle();
  await assert.rejects(tab.queue.retry('e1', patch({ a: 2 })), { code: 'NOT_FOUND' });
  await tab.queue.retry('e1');
  bench.close();
});

test('another change to one that waits, and was not sent, takes the place of the first', async () => {
  const bench = createTabBench();
  const tab = bench.open('one');
  await bench.clock.settle();
  bench.server.change('tasks/1', { a: 0 });
  bench.network.online = false;
  await tab.edit('e1', 'tasks/1', patch({ a: 1 }));
  await bench.clock.settle();
  if (tab.queue.list()[0]?.unsure === true) throw new Error('it was sent');
  await tab.queue.retry('e1', patch({ a: 2 }));
  bench.network.online = true;
  tab.queue.wake();
  await bench.clock.advance(1000);
  assert.equal(bench.server.read('tasks/1')?.data['a'], 2);
  bench.close();
});
