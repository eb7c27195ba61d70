import type { HttpAnswer, HttpOptions } from '@stet/client';
import assert from 'node:assert/strict';
import test from 'node:test';
import { createTrash, decodeDeleted } from './trash-store';

const row = (id: string, version = 2) => ({ type: 't', id, version, updated_at: '2026-11-22T10:00:00Z', updated_by: 'ana', deleted: true, data: { snake_case: 1 } });
const server = (pages: Readonly<Record<string, object>>) => {
  const asked: string[] = [];
  const request = async (method: string, path: string, options: HttpOptions = {}): Promise<HttpAnswer> => {
    asked.push(`${method} ${path} ${JSON.stringify(options.query ?? options.body)}`);
    const body = method === 'GET' ? pages[String(options.query?.['after'] ?? '')] : {};
    return Promise.resolve({ status: 200, etag: null, body, text: JSON.stringify(body) });
  };
  return { asked, http: { request } };
};
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('names in the data are the application’s own', () => {
  assert.deepEqual(decodeDeleted(JSON.stringify({ records: [row('a'), { id: 3 }, null], next: 'x' })), {
    records: [{ id: 'a', version: 2, deletedAt: '2026-11-22T10:00:00Z', deletedBy: 'ana', data: { snake_case: 1 } }],
    next: 'x',
  });
});

test('pages follow one another until there are no more', async () => {
  const { asked, http } = server({ '': { records: [row('a')], next: 'n' }, n: { records: [row('b')] } });
  const trash = createTrash({ http }, 't');
  trash.subscribe(() => undefined);
  await settled();
  trash.more();
  await settled();
  trash.more();
  await settled();
  assert.deepEqual(trash.getSnapshot().records.map(({ id }) => id), ['a', 'b']);
  assert.equal(asked.length, 2);
});

test('one that is brought back leaves the list, based on its deletion', async () => {
  const { asked, http } = server({ '': { records: [row('a/b', 7)] } });
  const trash = createTrash({ http }, 't', () => 'k');
  trash.subscribe(() => undefined);
  await settled();
  const [first] = trash.getSnapshot().records;
  assert.ok(first);
  await trash.restore(first);
  assert.deepEqual(trash.getSnapshot().records, []);
  assert.equal(asked.at(-1), 'POST /records/t/a%2Fb/revert {"to":6,"base_version":7}');
});
