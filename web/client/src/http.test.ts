import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCredentials } from './credentials';
import { StetError } from './error';
import { createHttp } from './http';
import { pauseMs, defaultRetry } from './retry';
import { createFakeClock } from './testing/fake-clock';
import { createFakeTransport } from './testing/fake-transport';

const make = (token: string | null = null) => {
  const clock = createFakeClock();
  const network = createFakeTransport();
  const credentials = createCredentials(token);
  const events: string[] = [];
  credentials.reached = (answered) => events.push(answered ? 'reached' : 'lost');
  credentials.refused = (error) => events.push(`refused ${error.code}`);
  const http = createHttp({ transport: network.transport, clock, credentials, space: 'my space', timeoutMs: 30_000 });
  /** The request's end as a word, put down with its time. */
  const watch = (name: string, work: Promise<unknown>) =>
    void work.then(
      () => events.push(`${clock.monotonic()} ${name} done`),
      (error: unknown) => events.push(`${clock.monotonic()} ${name} ${error instanceof StetError ? error.code : String(error)}`),
    );
  return { clock, network, credentials, http, events, watch };
};

test('a request says where, who and what', async () => {
  const { network, http, clock } = make('secret');
  void http.request('PUT', '/records/tasks/1', { query: { a: 'x y', b: ['1', '2'], c: true, d: undefined }, body: { n: 1 }, ifMatch: 3, key: 'k' });
  const { request } = network.next();
  assert.equal(request.path, '/v1/my%20space/records/tasks/1?a=x+y&b=1&b=2&c=1');
  assert.deepEqual(request.headers, {
    Accept: 'application/json',
    Authorization: 'Bearer secret',
    'Content-Type': 'application/json',
    'If-Match': '"3"',
    'Idempotency-Key': 'k',
  });
  assert.equal(request.body, '{"n":1}');
  network.next().answer({ status: 204 });
  await clock.settle();
  void http.request('GET', '//v1');
  assert.equal(network.next().request.path, '/v1');
});

test('an answer is read with its version, in camelCase', async () => {
  const { network, http } = make();
  const answer = http.request('GET', '/x');
  network.next().answer({ headers: { ETag: 'W/"12"' }, body: { a_b: 1, data: { c_d: 2 } } });
  assert.deepEqual(await answer, { status: 200, etag: 12, body: { aB: 1, data: { c_d: 2 } }, text: '{"a_b":1,"data":{"c_d":2}}' });
});

test('a read is tried three times, each pause a random part of a doubling one', async () => {
  const { network, http, clock, events, watch } = make();
  network.handle(() => 'offline');
  watch('read', http.request('GET', '/x'));
  await clock.advance(10_000);
  // The fake clock's chance is one half: 500 ms of 1,000, then 1,000 of 2,000.
  assert.deepEqual(events, ['lost', 'lost', 'lost', '1500 read NETWORK']);
  assert.equal(network.lines.length, 3);
  assert.deepEqual([2, 3, 4].map((attempt) => pauseMs(defaultRetry, attempt, null, 0.999)), [999, 1998, 3996]);
  assert.equal(pauseMs(defaultRetry, 30, null, 0.5), 15_000);
});

test('a write is tried again with its key only', async () => {
  const { network, http, clock, events, watch } = make();
  network.handle(() => 'offline');
  watch('bare', http.request('POST', '/x', { body: {} }));
  await clock.advance(10_000);
  watch('keyed', http.request('POST', '/x', { body: {}, key: 'k' }));
  await clock.advance(10_000);
  assert.deepEqual(events.filter((event) => event.includes('NETWORK')), ['0 bare NETWORK', '11500 keyed NETWORK']);
  assert.equal(network.lines.length, 4);
});

test('the server says how long to wait, and what cannot help is not tried', async () => {
  const { network, http, clock, events, watch } = make();
  let calls = 0;
  network.handle(() => {
    calls += 1;
    return calls === 1
      ? { status: 503, headers: { 'Retry-After': '7' }, body: { code: 'BUSY', detail: 'later' } }
      : { status: 422, body: { code: 'INVALID_DATA', detail: 'the data do not fit', field: '/title' } };
  });
  watch('read', http.request('GET', '/x'));
  await clock.advance(60_000);
  assert.deepEqual(events, ['reached', 'reached', '7500 read INVALID_DATA']);
});

test('what comes too late is given up, and nothing of it goes on', async () => {
  const { network, http, clock, events, watch } = make();
  watch('write', http.request('POST', '/x', { body: {}, timeoutMs: 1000 }));
  await clock.advance(999);
  assert.deepEqual(events, []);
  await clock.advance(1);
  assert.deepEqual(events, ['1000 write TIMEOUT']);
  assert.equal(network.pending.length, 0);
  assert.equal(clock.timers, 0);
});

test('a caller that gives up hears so at once, in a pause as well', async () => {
  const { network, http, clock, events, watch } = make();
  const [first, second] = [new AbortController(), new AbortController()];
  watch('asking', http.request('GET', '/x', { signal: first.signal }));
  first.abort();
  await clock.settle();
  network.handle(() => 'offline');
  watch('pausing', http.request('GET', '/x', { signal: second.signal }));
  await clock.advance(100);
  second.abort();
  await clock.settle();
  assert.deepEqual(events, ['0 asking ABORTED', 'lost', '100 pausing ABORTED']);
  assert.equal(clock.timers, 0);
});

test('a proxy’s page is no answer of Stet', async () => {
  const { network, http, clock, events, watch } = make();
  const page = { headers: { 'Content-Type': 'text/html' }, raw: '<html>Bad gateway</html>' };
  for (const answer of [{ status: 200, ...page }, { status: 404, ...page }, { status: 500, raw: '{"code":' }, { status: 200, headers: { 'Content-Type': 'application/json' }, raw: '{' }]) {
    watch(String(answer.status), http.request('POST', '/x', { body: {} }));
    network.next().answer(answer);
    await clock.settle();
  }
  assert.deepEqual(events.filter((event) => event !== 'reached'), ['0 200 NOT_STET', '0 404 NOT_STET', '0 500 NOT_STET', '0 200 NOT_STET']);
  // A gateway that finds nobody behind it is worth another try.
  network.handle(() => ({ status: 502, ...page }));
  const before = network.lines.length;
  watch('read', http.request('GET', '/x'));
  await clock.advance(10_000);
  assert.equal(network.lines.length - before, 3);
});

test('a code of a newer server is told by its status', async () => {
  const { network, http } = make();
  const ask = async (status: number, code: string) => {
    const answer = http.request('POST', '/x', { body: {} });
    network.next().answer({ status, body: { code, detail: 'of a newer server' } });
    return answer.catch((error: unknown) => error);
  };
  const [refused, failed] = [await ask(422, 'MARTIAN'), await ask(500, 'MARTIAN')];
  assert.ok(refused instanceof StetError && refused.code === 'BAD_REQUEST' && refused.status === 422 && !refused.retryable);
  assert.ok(failed instanceof StetError && failed.code === 'INTERNAL');
  assert.equal(refused.message, 'of a newer server');
});

test('the proof that a write needs is looked up once when the server demands it', async () => {
  const { network, http, credentials, clock, events, watch } = make();
  credentials.renew = async () => {
    events.push('renew');
    credentials.csrf = 'proof';
    return true;
  };
  network.handle((request) =>
    request.headers['Stet-CSRF'] === 'proof' ? { status: 204 } : { status: 403, body: { code: 'CSRF_REQUIRED', detail: 'no proof' } },
  );
  watch('write', http.request('POST', '/x', { body: {} }));
  await clock.settle();
  assert.deepEqual(events, ['reached', 'renew', 'reached', '0 write done']);
  network.handle(() => ({ status: 403, body: { code: 'CSRF_REQUIRED', detail: 'no proof' } }));
  watch('again', http.request('POST', '/x', { body: {} }));
  await clock.settle();
  assert.deepEqual(events.slice(4), ['reached', 'renew', 'reached', '0 again CSRF_REQUIRED']);
});

test('a session that is over is told of, a failed login is not', async () => {
  const { network, http, clock, events, watch } = make();
  for (const code of ['SESSION_ENDED', 'LOGIN_FAILED']) {
    watch(code, http.request('POST', '/x', { body: {} }));
    network.next().answer({ status: 401, body: { code, detail: '' } });
    await clock.settle();
  }
  assert.deepEqual(events, ['reached', 'refused SESSION_ENDED', '0 SESSION_ENDED SESSION_ENDED', 'reached', '0 LOGIN_FAILED LOGIN_FAILED']);
});
