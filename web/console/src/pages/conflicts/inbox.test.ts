import type { Client, HttpOptions } from '@stet/client';
import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeItem, readInbox, settleMany } from './inbox';

const line = (id: string, more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> => ({
  id,
  version: 1,
  state: 'open',
  address: 'tasks/1',
  recordType: 'tasks',
  recordId: '1',
  affectedData: ['/status'],
  for: ['ben'],
  read: false,
  ...more,
});
const server = (answer: (path: string, options: HttpOptions) => unknown): { readonly client: Client; readonly asked: string[] } => {
  const asked: string[] = [];
  const client = {
    http: {
      request: async (method: string, path: string, options: HttpOptions = {}) => {
        asked.push(`${method} ${path} ${JSON.stringify(options.query ?? options.body)}`);
        return { status: 200, etag: null, text: '', body: answer(path, options) };
      },
    },
  } as unknown as Client;
  return { client, asked };
};
const never = new AbortController().signal;

test('a line is named, and one of an unknown state is left out', () => {
  assert.deepEqual(
    [decodeItem(line('a'))?.fields, decodeItem(line('a'))?.read, decodeItem(line('a', { state: 'frozen' })), decodeItem(7)],
    [['/status'], false, null, null],
  );
});

test('short pages are read on until there are as many as wanted', async () => {
  const pages = [{ items: [line('a')], unread: 3, next: 'x' }, { items: [], unread: 3, next: 'y' }, { items: [line('b')], unread: 3, next: 'z' }];
  let page = 0;
  const { client, asked } = server(() => pages[page++]);
  const inbox = await readInbox(client, 'mine', 2, never);
  assert.deepEqual([inbox.items.map(({ id }) => id), inbox.unread, inbox.more], [['a', 'b'], 3, true]);
  assert.deepEqual(asked, ['GET /inbox {"limit":2}', 'GET /inbox {"limit":2,"after":"x"}', 'GET /inbox {"limit":2,"after":"y"}']);
});

test('many are settled five hundred at a time, and refusals are told', async () => {
  const { client, asked } = server((_, { body }) => {
    const { conflicts } = body as { readonly conflicts: readonly { readonly id: string }[] };
    return { results: conflicts.map(({ id }) => (id === '7' ? { id, resolved: false, code: 'ALREADY_RESOLVED', detail: 'too late' } : { id, resolved: true })) };
  });
  const settled = await settleMany(client, Array.from({ length: 501 }, (_, index) => String(index)), 'current');
  assert.deepEqual([settled, asked.length], [{ resolved: 500, refused: [{ id: '7', why: 'too late' }] }, 2]);
});
