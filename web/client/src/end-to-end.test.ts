/** Clients against the real server, STET_PROGRAM; without it nothing is run here. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createClient, type Client, type Live, type WriteOutcome } from './index';

const program = process.env['STET_PROGRAM'];
const skip = program === undefined ? 'STET_PROGRAM is not set' : false;

interface Task {
  readonly title: string;
  readonly note?: string;
}

let server: ChildProcess | null = null;
let data = '';
let port = 0;

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });

const start = async (): Promise<void> => {
  assert.ok(program !== undefined);
  server = spawn(program, ['serve', '--data', data, '--listen', `127.0.0.1:${port}`, '--no-auth'], { stdio: 'ignore' });
  for (let tries = 0; tries < 400; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null);
    if (answer?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the server does not answer');
};

const stop = async (signal: NodeJS.Signals): Promise<void> => {
  const running = server;
  server = null;
  if (running === null) return;
  const ended = new Promise((resolve) => running.once('exit', resolve));
  running.kill(signal);
  await ended;
};

/** The first snapshot for which it holds. */
const until = <S>(live: Live<S>, holds: (state: S) => boolean): Promise<S> =>
  new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      undo();
      reject(new Error(`it did not come to it: ${JSON.stringify(live.getSnapshot())}`));
    }, 30_000);
    const look = () => {
      const state = live.getSnapshot();
      if (!holds(state)) return;
      clearTimeout(late);
      undo();
      resolve(state);
    };
    const undo = live.subscribe(look);
    queueMicrotask(look);
  });

const taken = (outcome: WriteOutcome<Task>) => {
  assert.equal(outcome.kind, 'confirmed', JSON.stringify(outcome));
  return outcome.kind === 'confirmed' ? outcome.record : null;
};

before(async () => {
  if (program === undefined) return;
  data = mkdtempSync(join(tmpdir(), 'stet-client-test-'));
  port = await freePort();
  await start();
});
after(async () => {
  await stop('SIGTERM');
  if (data !== '') rmSync(data, { recursive: true, force: true });
});

/** Two people, each in a browser of their own. */
const two = async (play: (ann: Client, bob: Client) => Promise<void>) => {
  const url = `http://127.0.0.1:${port}`;
  const [ann, bob] = [createClient({ url }), createClient({ url })];
  try {
    await play(ann, bob);
  } finally {
    await Promise.all([ann.close(), bob.close()]);
  }
};

test('what one writes the other sees, in lists and in single records', { skip }, () =>
  two(async (ann, bob) => {
    const list = bob.records.live<Task>('seen', { sort: 'title' });
    const stopList = list.subscribe(() => {});
    await until(list, (state) => state.status === 'ready');
    const made = taken(await ann.records.create<Task>('seen', { title: 'b' }, { id: '1' }).confirmed);
    assert.equal(made?.version, 1);
    await until(list, (state) => state.items.length === 1);
    const live = bob.records.watch<Task>('seen', '1');
    await until(live, (state) => state.record?.version === 1);
    taken(await ann.records.update<Task>('seen', '1', { title: 'a' }).confirmed);
    assert.equal((await until(live, (state) => state.record?.version === 2)).data?.title, 'a');
    assert.equal((await ann.records.remove('seen', '1').confirmed).kind, 'deleted');
    await until(list, (state) => state.items.length === 0);
    stopList();
  }),
);

test('the second to change a field gets a conflict, and applies theirs', { skip }, () =>
  two(async (ann, bob) => {
    taken(await ann.records.create<Task>('fought', { title: 'a' }, { id: '1' }).confirmed);
    await bob.records.get<Task>('fought', '1');
    taken(await ann.records.update<Task>('fought', '1', { title: 'from ann' }).confirmed);
    const outcome = await bob.records.update<Task>('fought', '1', { title: 'from bob' }).confirmed;
    assert.equal(outcome.kind, 'conflict');
    const state = bob.store.getState().records.get('fought/1');
    assert.deepEqual([state?.phase, state?.data?.['title']], ['conflict', 'from bob']);
    if (outcome.kind !== 'conflict') return;
    assert.deepEqual([outcome.conflict.base, outcome.conflict.current], [{ title: 'a' }, { title: 'from ann' }]);
    const resolved = await bob.conflicts.resolve(outcome.conflict, { choice: 'apply' });
    assert.equal(resolved.kind === 'resolved' && resolved.record?.data.title, 'from bob');
    assert.deepEqual(bob.store.getState().edits, []);
    assert.equal((await ann.records.get<Task>('fought', '1')).data.title, 'from bob');
  }),
);

test('a transaction that met somebody else is put right, and saved as a whole', { skip }, () =>
  two(async (ann, bob) => {
    for (const id of ['1', '2']) taken(await ann.records.create<Task>('both', { title: 'a' }, { id }).confirmed);
    for (const id of ['1', '2']) await bob.records.get<Task>('both', id);
    taken(await ann.records.update<Task>('both', '1', { title: 'from ann', note: 'hers' }).confirmed);
    const patch = { op: 'patch', patch: { title: 'from bob' } } as const;
    const { writes } = bob.records.transact([{ type: 'both', id: '1', ...patch }, { type: 'both', id: '2', ...patch }]);
    const outcome = await writes[0]?.confirmed;
    assert.equal(outcome?.kind, 'conflict');
    if (outcome?.kind !== 'conflict') return;
    assert.equal((await ann.records.get<Task>('both', '2')).version, 1);
    await bob.conflicts.resolve(outcome.conflict, { choice: 'apply' });
    assert.equal((await writes[1]?.confirmed)?.kind, 'confirmed');
    assert.deepEqual(bob.store.getState().edits, []);
    assert.deepEqual((await ann.records.get<Task>('both', '1')).data, { title: 'from bob', note: 'hers' });
    assert.deepEqual((await ann.records.get<Task>('both', '2')).data, { title: 'from bob' });
  }),
);

test('a server that dies loses nothing and doubles nothing', { skip }, () =>
  two(async (ann, bob) => {
    taken(await ann.records.create<Task>('kept', { title: '0' }, { id: '1' }).confirmed);
    const writes = Array.from({ length: 10 }, (_, index) => ann.records.update<Task>('kept', '1', { title: `${index + 1}` }));
    await writes[0]?.confirmed;
    await stop('SIGKILL');
    const late = ann.records.update<Task>('kept', '1', { note: 'while it was away' });
    await late.local;
    assert.equal(ann.store.getState().records.get('kept/1')?.data?.['note'], 'while it was away');
    await start();
    taken(await late.confirmed);
    const record = await bob.records.get<Task>('kept', '1');
    assert.deepEqual([record.version, record.data], [12, { title: '10', note: 'while it was away' }]);
    assert.equal(ann.store.getState().edits.length, 0);
  }),
);

test('a server that comes back with other data: what was read before is forgotten, and what is made then is for these', { skip }, () =>
  two(async (ann, bob) => {
    taken(await ann.records.create<Task>('kept', { title: 'old' }, { id: '2' }).confirmed);
    for (let round = 1; round <= 3; round++) taken(await ann.records.update<Task>('kept', '2', { note: `${round}` }).confirmed);
    taken(await ann.records.create<Task>('kept', { title: 'old' }, { id: '3' }).confirmed);
    const watched = ann.records.watch<Task>('kept', '3');
    const stopWatching = watched.subscribe(() => {});
    await until(watched, (state) => !state.stale);
    await stop('SIGKILL');
    const before = ann.records.update<Task>('kept', '3', { title: 'meant for the old' });
    rmSync(data, { recursive: true, force: true });
    await start();
    for (const id of ['2', '3']) await bob.http.request('PUT', `/records/kept/${id}`, { body: { title: 'new' } });
    const refused = await before.confirmed;
    assert.equal(refused.kind === 'rejected' && refused.error.field, 'Stet-Space-Id');
    await ann.discard(before.id);
    await until(watched, (state) => !state.stale && state.data?.title === 'new');
    await ann.records.get<Task>('kept', '2');
    assert.deepEqual(ann.store.getState().records.get('kept/2')?.data, { title: 'new' });
    taken(await ann.records.update<Task>('kept', '2', { note: 'for these' }).confirmed);
    stopWatching();
  }),
);
