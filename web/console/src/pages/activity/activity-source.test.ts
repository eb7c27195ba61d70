import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client, FeedEvent, HttpOptions, Interest } from '@stet/client';
import { createActivityLog } from './activity-log';
import { createActivitySource, type ActivityFilter } from './activity-source';

const settled = async () => {
  for (let turn = 0; turn < 200; turn += 1) await Promise.resolve();
};

/** A server whose changes are numbered, of which every second one is of a note. */
function world(newest: number, filter: ActivityFilter = { type: null, where: '' }) {
  const requests: string[] = [];
  const interests: { readonly interest: Interest; readonly listener: (event: FeedEvent) => void }[] = [];
  const change = (seq: number) => ({
    seq, op: 'update', record: { type: seq % 2 === 0 ? 'notes' : 'tasks', id: `r${seq}`, address: `x/r${seq}`, version: 2, updatedAt: 't', updatedBy: 'ana', data: { n: seq } },
  });
  const answer = (path: string, query: HttpOptions['query'] = {}) => {
    if (path.endsWith('/diff')) return { changes: [{ pointer: '/n', from: 1, to: 2 }] };
    if (query['events'] !== undefined) return { changes: [], next: newest };
    if (query['since'] === 'now') return { changes: [], next: newest };
    const since = Number(query['since']);
    const all = Array.from({ length: newest - since }, (_, index) => change(since + index + 1)).filter(({ record }) => query['type'] === undefined || record.type === query['type']);
    return { changes: all.slice(0, 1000), next: newest };
  };
  const client = {
    http: {
      request: (_method: string, path: string, options: HttpOptions = {}) => {
        requests.push(`${path} ${JSON.stringify(options.query)}`);
        const body = answer(path, options.query);
        return Promise.resolve({ status: 200, etag: null, body, text: JSON.stringify(body) });
      },
    },
    feed: {
      follow: (interest: Interest, listener: (event: FeedEvent) => void) => {
        const one = { interest, listener };
        interests.push(one);
        return () => interests.splice(interests.indexOf(one), 1);
      },
    },
  } as unknown as Client;
  const log = createActivityLog({ clock: { after: (_, callback) => (queueMicrotask(callback), () => undefined) } });
  return { log, requests, interests, source: createActivitySource(client, log, filter, () => 0) };
}

test('the last ones are shown, what comes is followed from there on, and the rest when asked', async () => {
  const { log, interests, source } = world(1000);
  source.start();
  await settled();
  assert.deepEqual([source.getSnapshot().status, source.getSnapshot().hasOlder], ['ready', true]);
  assert.deepEqual([log.getSnapshot().entries.length, log.getSnapshot().entries[0]?.seq], [400, 1000]);
  assert.deepEqual(interests.map(({ interest }) => interest), [{ since: 1000 }, { since: 1000, events: ['conflict', 'operation'] }]);
  await source.older();
  await source.older();
  await settled();
  assert.deepEqual([log.getSnapshot().entries.length, source.getSnapshot().hasOlder], [1000, false]);
  source.stop();
  assert.equal(interests.length, 0);
});

test('one type is asked for as such, and conflicts and operations are not', async () => {
  const { log, interests, requests, source } = world(100, { type: 'notes', where: 'n > 5' });
  source.start();
  await settled();
  assert.equal(log.getSnapshot().entries.length, 50);
  assert.deepEqual(interests.map(({ interest }) => interest), [{ since: 100, types: ['notes'], where: 'n > 5' }]);
  assert.equal(requests.some((request) => request.includes('events')), false);
});

test('what a change changed is asked for once', async () => {
  const { log, requests, source } = world(1);
  source.start();
  await settled();
  const [entry] = log.getSnapshot().entries;
  assert.ok(entry?.kind === 'change');
  source.explain(entry);
  source.explain(entry);
  await settled();
  const [explained] = log.getSnapshot().entries;
  assert.deepEqual(explained?.kind === 'change' ? explained.differences : null, [{ pointer: '/n', from: 1, to: 2 }]);
  assert.equal(requests.filter((request) => request.includes('/diff')).length, 1);
});
