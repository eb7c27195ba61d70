import { StetError, type HttpAnswer, type HttpOptions } from '@stet/client';
import assert from 'node:assert/strict';
import test from 'node:test';
import { portions, runBulk, undoBulk, type BulkResult } from './bulk';

const answer: HttpAnswer = { status: 200, etag: null, body: {}, text: '{}' };
const short = (results: readonly BulkResult[]) => results.map(({ id, outcome }) => `${id} ${outcome}`);
/** Refuses what `refuse` has a code for; a transaction with one of them as a whole. */
const server = (refuse: Readonly<Record<string, 'CONCURRENT_MODIFICATION' | 'FORBIDDEN' | 'NETWORK'>>) => {
  const asked: string[] = [];
  const throwFor = (ids: readonly string[]) => {
    const code = ids.map((id) => refuse[id]).find((found) => found !== undefined);
    if (code) throw new StetError({ code, detail: code, status: code === 'NETWORK' ? 0 : 409 });
  };
  const request = (method: string, path: string, options?: HttpOptions): Promise<HttpAnswer> => {
    const body = options?.body as { mutations?: { id: string; base_version: number }[] } | undefined;
    asked.push(`${method} ${path}${body?.mutations ? ` ${body.mutations.map(({ id, base_version }) => `${id}@${base_version}`).join(' ')}` : ''}`);
    return new Promise((resolve) => {
      throwFor(body?.mutations?.map(({ id }) => id) ?? [decodeURIComponent(path.split('/')[3] ?? '')]);
      // Each becomes the version after its base, but what is called "same" was so already.
      const made = body?.mutations?.map(({ id, base_version: base }) => (id === 'same' ? { version: base, unchanged: true } : { version: base + 1 }));
      resolve({ ...answer, body: made ? { results: made } : { version: (options?.ifMatch ?? 0) + 1 } });
    });
  };
  return { asked, request };
};
const options = () => ({ signal: new AbortController().signal, onProgress: () => undefined, key: () => 'k' });

test('a portion that is taken is one request', async () => {
  const http = server({});
  assert.deepEqual(short(await runBulk(http, 't', [{ id: 'a', version: 1 }, { id: 'b', version: 7 }], { op: 'delete' }, options())), ['a done', 'b done']);
  assert.deepEqual(http.asked, ['POST /transactions a@1 b@7']);
});

test('of a portion that is refused each record has its own answer', async () => {
  const http = server({ b: 'CONCURRENT_MODIFICATION', 'c/d': 'FORBIDDEN' });
  const results = await runBulk(http, 't', ['a', 'b', 'c/d'].map((id) => ({ id, version: 1 })), { op: 'patch', patch: { x: 1 } }, options());
  assert.deepEqual(short(results), ['a done', 'b conflict', 'c/d refused']);
  assert.equal(http.asked.at(-1), 'PATCH /records/t/c%2Fd');
});

test('without an answer nothing is sent again', async () => {
  const http = server({ a: 'NETWORK' });
  assert.deepEqual(short(await runBulk(http, 't', [{ id: 'a', version: 1 }], { op: 'delete' }, options())), ['a refused']);
  assert.equal(http.asked.length, 1);
});

test('giving up stops before the next portion', async () => {
  const http = server({});
  const stop = new AbortController();
  const targets = Array.from({ length: 120 }, (_, index) => ({ id: String(index), version: 1 }));
  const results = await runBulk(http, 't', targets, { op: 'delete' }, { signal: stop.signal, onProgress: () => stop.abort(), key: () => 'k' });
  assert.equal(results.length, 50);
});

test('portions keep the order and lose nothing', () => {
  assert.deepEqual(portions([1, 2, 3, 4, 5], 2), [[1, 2], [3, 4], [5]]);
});

test('what was done is undone record by record, from the version that it made', async () => {
  const http = server({});
  const results = await runBulk(http, 't', [{ id: 'a', version: 1 }, { id: 'same', version: 4 }, { id: 'b/c', version: 7 }], { op: 'delete' }, options());
  assert.deepEqual(results.map(({ version }) => version), [2, null, 8]);
  const later = server({ a: 'CONCURRENT_MODIFICATION' });
  assert.deepEqual(await undoBulk(later, 't', results, () => 'k'), { undone: 1, left: 1 });
  assert.deepEqual(later.asked, ['POST /records/t/a/revert', 'POST /records/t/b%2Fc/revert']);
});

test('of what was refused one by one nothing is undone', async () => {
  const results = await runBulk(server({ b: 'FORBIDDEN' }), 't', ['a', 'b'].map((id) => ({ id, version: 3 })), { op: 'delete' }, options());
  assert.deepEqual(results.map(({ version }) => version), [4, null]);
});
