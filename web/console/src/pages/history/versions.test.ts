import { StetError, type Client } from '@stet/client';
import assert from 'node:assert/strict';
import test from 'node:test';
import { compare, decodeEntry, readSnapshot, readTimeline, timeOf } from './versions';

const never = new AbortController().signal;

test('an entry tells who, when, and how it was merged', () => {
  const entry = decodeEntry({
    version: 3,
    op: 'put',
    at: '2026-01-01T00:00:00Z',
    by: 'user:ben',
    baseVersion: 1,
    merge: { strategy: 'merge', parents: [1, 2], conflictId: 'seq-3', fields: { '/stock': { from: 'rule', rule: 'delta' }, '/title': { from: 'yours' } } },
  });
  assert.deepEqual(entry?.merged, [
    { pointer: '/stock', from: 'rule', rule: 'delta' },
    { pointer: '/title', from: 'yours', rule: undefined },
  ]);
  assert.deepEqual([entry?.strategy, entry?.conflictId, decodeEntry({}), decodeEntry(null)], ['merge', 'seq-3', null, null]);
});

test('a timeline is read page by page, as far as it is wanted', async () => {
  const asked: unknown[] = [];
  const client = {
    http: {
      request: async (_: string, path: string, { query }: { readonly query: { readonly before?: number } }) => {
        asked.push([path, query.before]);
        const newest = (query.before ?? 4) - 1;
        return { body: { changes: [{ version: newest }], ...(newest > 1 ? { next: newest } : {}) } };
      },
    },
  } as unknown as Client;
  const some = await readTimeline(client, 'tasks', 'a/b', 2, never);
  assert.deepEqual([some.entries.map(({ version }) => version), some.more], [[3, 2], true]);
  assert.deepEqual(asked, [['/records/tasks/a%2Fb/history', undefined], ['/records/tasks/a%2Fb/history', 3]]);
  assert.equal((await readTimeline(client, 'tasks', '1', 9, never)).more, false);
});

test('what can no longer be seen is told and not thrown', async () => {
  const get = (code: 'DELETED' | 'PRUNED' | 'BUSY'): Client =>
    ({ records: { get: () => Promise.reject(new StetError({ code, detail: code })) } }) as unknown as Client;
  assert.equal((await readSnapshot(get('DELETED'), 'tasks', '1', { version: 2 }, never)).gone, 'deleted');
  assert.equal((await readSnapshot(get('PRUNED'), 'tasks', '1', { version: 2 }, never)).gone, 'pruned');
  await assert.rejects(readSnapshot(get('BUSY'), 'tasks', '1', { version: 2 }, never), { code: 'BUSY' });
});

test('two versions are compared by what they say, not by the order of members', () => {
  const fields = compare({ title: 'a', size: { w: 1, h: 2 }, old: true }, { title: 'b', size: { h: 2, w: 1 } });
  assert.deepEqual(
    fields.map(({ name, changed }) => [name, changed]),
    [['title', true], ['size', false], ['old', true]],
  );
});

test('a time without a zone is one of this place', () => {
  assert.equal(timeOf('2026-05-01T10:00'), new Date('2026-05-01T10:00').toISOString());
  assert.equal(timeOf(''), null);
  assert.equal(timeOf('soon'), null);
});
