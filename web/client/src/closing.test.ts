import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient, StetError, type ClientOptions } from './index';
import { createMemoryStorage } from './memory-storage';
import { createFakeClock } from './testing/fake-clock';
import { createFakeTransport } from './testing/fake-transport';

/** How it ended: `done`, a code, or what became of a write. */
const ending = (work: Promise<unknown>): Promise<string> =>
  work.then(
    (result) => (typeof result === 'object' && result !== null && 'error' in result && result.error instanceof StetError ? `rejected: ${result.error.message}` : 'done'),
    (error: unknown) => (error instanceof StetError ? `${error.code}: ${error.message}` : String(error)),
  );
const closedWords = 'the client was closed';

/** One request of each kind. */
const askAll = (options: ClientOptions) => {
  const client = createClient({ url: 'http://stet.test', token: 't', socket: null, ...options });
  const live = client.records.live('tasks');
  live.subscribe(() => {});
  client.records.watch('tasks', '1').subscribe(() => {});
  const unknown = client.records.update('tasks', '2', { done: true });
  const made = client.records.create('tasks', { title: 'x' });
  const endings = [
    client.records.get('tasks', '1'),
    client.http.request('POST', '/x', { key: 'k' }),
    client.session.refresh(),
    client.operations.result('o1'),
    unknown.local,
    unknown.confirmed,
    made.confirmed,
  ].map(ending);
  return { client, endings };
};

const wanted = [...Array.from({ length: 5 }, () => `ABORTED: ${closedWords}`), ...Array.from({ length: 2 }, () => `rejected: ${closedWords}`)];

test('closing gives up what is under way, and says so', async () => {
  const clock = createFakeClock();
  const network = createFakeTransport();
  const { client, endings } = askAll({ transport: network.transport, clock });
  await clock.settle();
  assert.ok(network.pending.length > 3);
  const signals = network.pending.map(({ request }) => request.signal);
  await Promise.all([client.close(), clock.settle()]);
  assert.deepEqual(await Promise.all(endings), wanted);
  assert.ok(signals.every((signal) => signal?.aborted === true), 'requests are given up on the wire, too');
  assert.equal(clock.timers, 0);
});

test('closing gives up what waits to be tried again; afterwards nothing is sent', async () => {
  const clock = createFakeClock();
  const network = createFakeTransport();
  network.handle(() => 'offline');
  const { client, endings } = askAll({ transport: network.transport, clock });
  await clock.advance(10);
  await Promise.all([client.close(), clock.settle()]);
  assert.deepEqual(await Promise.all(endings), wanted);
  assert.equal(clock.timers, 0);
  const sent = network.lines.length;
  assert.equal(await ending(client.records.get('tasks', '1')), `ABORTED: ${closedWords}`);
  assert.equal(await ending(client.records.create('tasks', {}).confirmed), `rejected: ${closedWords}`);
  assert.equal(await ending(client.operations.result('o1')), `ABORTED: ${closedWords}`);
  assert.equal(network.lines.length, sent);
});

test('an edit that was on its way when the client was closed stays kept, to be sent again', async () => {
  const clock = createFakeClock();
  const network = createFakeTransport();
  const storage = createMemoryStorage('durable');
  network.handle(({ path }) => (path.includes('/session') ? { body: { actor: 'ana', kind: 'token', admin: false, server_admin: false, roles: [], scopes: [] } } : { body: { status: 'ok', version: '0.1.0' } }));
  const client = createClient({ url: 'http://stet.test', token: 't', socket: null, transport: network.transport, clock, storage });
  await clock.settle();
  network.handle(null);
  const write = client.records.create('tasks', { title: 'x' }, { id: '1' });
  await write.local;
  await clock.settle();
  assert.match(network.lines.at(-1) ?? '', /^POST .*tasks$/);
  await Promise.all([client.close(), clock.settle()]);
  assert.equal(await ending(write.confirmed), `rejected: ${closedWords}`);
  const [kept] = await storage.load();
  assert.deepEqual([kept?.edit.id, kept?.edit.state, kept?.edit.unsure], [write.id, 'pending', true]);
});

test('nothing of a closed client keeps the process alive', async () => {
  const before = process.getActiveResourcesInfo().sort();
  const { client, endings } = askAll({ transport: () => new Promise(() => {}) });
  await new Promise((resolve) => setTimeout(resolve, 20));
  await client.close();
  assert.deepEqual(await Promise.all(endings), wanted);
  assert.deepEqual(process.getActiveResourcesInfo().sort(), before);
});
