import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StetError, type Client } from '@stet/client';
import { createDashboardStore } from './dashboard-store';

const settled = async () => {
  for (let turn = 0; turn < 40; turn += 1) await Promise.resolve();
};

function world(refuse: (path: string) => boolean = () => false) {
  const paths: string[] = [];
  let changes = 0;
  const client = {
    http: {
      request: (_method: string, path: string) => {
        paths.push(path);
        if (refuse(path)) return Promise.reject(new StetError({ code: 'FORBIDDEN', detail: 'no', status: 403 }));
        if (path === '/stats') changes += 10;
        const body = path === '/stats' ? { name: 'main', seq: changes, bytes: 5, activity: { changes, commands: changes } } : path === '/alerts' ? { alerts: [{ id: 'a', name: 'late', state: 'firing' }] } : { lanes: [] };
        const text = path === '//metrics' ? 'stet_http_connections 7\n' : JSON.stringify(body);
        return Promise.resolve({ status: 200, etag: null, body, text });
      },
    },
  } as unknown as Client;
  const timers: (() => void)[] = [];
  let at = 0;
  const store = createDashboardStore(client, true, {
    now: () => (at += 2000),
    hidden: () => false,
    after: (_, callback) => {
      timers.push(callback);
      return () => timers.splice(timers.indexOf(callback), 1);
    },
  });
  return { store, paths, timers, tick: async () => (timers.shift()?.(), settled()) };
}

test('each look becomes a point, as long as somebody looks', async () => {
  const { store, timers, tick } = world();
  const stop = store.subscribe(() => undefined);
  await settled();
  await tick();
  const { value } = store.getSnapshot();
  assert.deepEqual(value?.points.map(({ writesPerS, connections }) => [writesPerS, connections]), [[null, 7], [5, 7]]);
  assert.deepEqual(value?.alerts.map(({ name }) => name), ['late']);
  stop();
  assert.equal(timers.length, 0);
});

test('what is refused is not asked for again, and the rest is shown', async () => {
  const { store, paths, tick } = world((path) => path === '//metrics' || path === '/lanes');
  const stop = store.subscribe(() => undefined);
  await settled();
  await tick();
  assert.equal(store.getSnapshot().status, 'ready');
  assert.deepEqual([paths.filter((path) => path === '//metrics').length, paths.filter((path) => path === '/lanes').length, paths.filter((path) => path === '/stats').length], [1, 1, 2]);
  stop();
});

test('a look that failed leaves what was seen', async () => {
  let down = false;
  const { store, tick } = world(() => down);
  const stop = store.subscribe(() => undefined);
  await settled();
  down = true;
  await tick();
  assert.deepEqual([store.getSnapshot().status, store.getSnapshot().value?.look.stats.seq, store.getSnapshot().error instanceof StetError], ['ready', 10, true]);
  stop();
});
