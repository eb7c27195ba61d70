import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCredentials } from './credentials';
import type { Change, Edit } from './edit';
import { createEditSender } from './edit-request';
import { createHttp } from './http';
import type { Json } from './json';
import { createFakeClock } from './testing/fake-clock';
import { createFakeTransport, type FakeAnswer } from './testing/fake-transport';

const edit = (id: string, change: Change, more: Partial<Edit> = {}): Edit => ({
  id, type: 'tasks', recordId: 'a/1', address: 'tasks/a%2F1', change, base: 3, baseData: { a: 0 },
  actor: 'ana', madeAt: '2026-01-01T00:00:00Z', state: 'pending', attempts: 0, ...more,
});
const patch: Change = { op: 'patch', patch: { a: 1 } };
const record = (version: number, more: { readonly [name: string]: Json } = {}): Json => ({
  type: 'tasks', id: 'a/1', address: 'tasks/a%2F1', version, seq: version,
  created_at: '', created_by: '', updated_at: '', updated_by: '', data: { snake_case: 1 }, ...more,
});
const problem = (code: string, status: number, more: { readonly [name: string]: Json } = {}): FakeAnswer => ({
  status, body: { type: `urn:stet:problem:${code}`, code, detail: code, status, ...more },
});

const world = (answer: (line: string) => FakeAnswer | 'offline') => {
  const clock = createFakeClock();
  const fake = createFakeTransport();
  const bodies: unknown[] = [];
  const headers: Readonly<Record<string, string>>[] = [];
  fake.handle((request) => {
    headers.push(request.headers);
    bodies.push(request.body === undefined ? null : JSON.parse(request.body));
    return answer(`${request.method} ${request.path}`);
  });
  const retry = { tries: 1, firstMs: 1, maxMs: 1 };
  const credentials = createCredentials(null);
  credentials.actor = 'ana';
  const http = createHttp({ transport: fake.transport, clock, credentials, space: 'main', timeoutMs: 1000, retry });
  return { sender: createEditSender(http), lines: fake.lines, bodies, headers };
};
const signal = new AbortController().signal;
const kinds = async (given: FakeAnswer | 'offline', unit: readonly Edit[]) => {
  const sent = await world(() => given).sender.send(unit, signal);
  if (sent.kind === 'later') return `later ${sent.error.code} ${sent.lost ? 'lost' : ''}`.trim();
  return [...sent.outcomes].map(([id, one]) => `${id} ${one.kind}`).join(', ');
};

test('an edit names the data that it was made for, and is parked where there are others', async () => {
  const made = edit('k', patch, { space: 'd1' });
  const other = problem('NOT_FOUND', 404, { field: 'Stet-Space-Id' });
  const { sender, headers } = world(() => other);
  const sent = await sender.send([made], signal);
  assert.deepEqual(headers.map((one) => one['Stet-Space-Id']), ['d1']);
  assert.ok(sent.kind === 'judged');
  const outcome = sent.outcomes.get('k');
  assert.deepEqual([outcome?.kind, outcome?.kind === 'rejected' && outcome.error.field], ['rejected', 'Stet-Space-Id']);
  assert.equal(await kinds(other, [edit('d', { op: 'delete' }, { space: 'd1' })]), 'd rejected');
  assert.equal(await kinds(other, [edit('a', patch, { space: 'd1', transaction: 't' }), edit('b', patch, { space: 'd1', transaction: 't' })]), 'a rejected, b rejected');
  // One that was sent before is not taken for refused there: nobody knows, and it stays where its author sees it.
  assert.equal((await sender.lookUp(made, signal))?.kind, 'rejected');
});

test('each kind of change is the request that the server knows, with its key in it', async () => {
  const { sender, lines, bodies } = world(() => ({ body: record(4) }));
  await sender.send([edit('k1', { op: 'create', data: { a: 1 }, parent: 'p/1' }, { base: null })], signal);
  await sender.send([edit('k2', { op: 'put', data: { a: 1 } })], signal);
  await sender.send([edit('k3', patch, { onConflict: 'newest' })], signal);
  await sender.send([edit('k4', { op: 'delete' })], signal);
  assert.deepEqual(lines, [
    'POST /v1/main/records/tasks',
    'PUT /v1/main/records/tasks/a%2F1',
    'PATCH /v1/main/records/tasks/a%2F1',
    'DELETE /v1/main/records/tasks/a%2F1?base_version=3&client_mutation_id=k4',
  ]);
  assert.deepEqual(bodies, [
    { id: 'a/1', client_mutation_id: 'k1', data: { a: 1 }, parent: 'p/1' },
    { base_version: 3, client_mutation_id: 'k2', data: { a: 1 } },
    { base_version: 3, on_conflict: 'newest', modified_at: '2026-01-01T00:00:00Z', client_mutation_id: 'k3', patch: { a: 1 } },
    null,
  ]);
});

test('the same edit is the same request, however often and whatever became of it before', async () => {
  const { sender, bodies } = world(() => 'offline');
  await sender.send([edit('k1', patch)], signal);
  await sender.send([edit('k1', patch, { attempts: 7, unsure: true, after: 'k0' })], signal);
  assert.equal(JSON.stringify(bodies[0]), JSON.stringify(bodies[1]));
});

test('what the server says of one edit', async () => {
  const conflict = {
    expected_version: 3, current_version: 4, base: {}, current: {}, yours: {}, merged: {}, fields: {}, clean: false,
    resolution_options: ['yours'], resolution_token: 't', address: 'tasks/a%2F1', conflict_type: 'concurrent_edit',
  };
  const cases: readonly (readonly [FakeAnswer | 'offline', string])[] = [
    [{ body: record(4) }, 'k confirmed'],
    [{ body: record(4, { deleted: true }) }, 'k deleted'],
    [{ body: record(4, { applied: false }) }, 'k dropped'],
    [{ status: 202, body: { status: 'parked', conflict_id: 'c', address: 'x', deadline: 'd', fallback: 'server_wins' } }, 'k parked'],
    [problem('CONCURRENT_MODIFICATION', 409, conflict), 'k conflict'],
    [problem('INVALID_DATA', 422), 'k rejected'],
    [problem('FORBIDDEN', 403), 'k rejected'],
    [problem('ALREADY_EXISTS', 409), 'k rejected'],
    [problem('BUSY', 503), 'later BUSY'],
    [problem('COMMIT_UNKNOWN', 503), 'later COMMIT_UNKNOWN'],
    [problem('SESSION_ENDED', 401), 'later SESSION_ENDED'],
    ['offline', 'later NETWORK lost'],
    [{ status: 502, raw: '<html>', headers: { 'content-type': 'text/html' } }, 'later NOT_STET lost'],
    // A network that wants to be logged into first answers everything with success.
    [{ status: 200, raw: '<html>', headers: { 'content-type': 'text/html' } }, 'later NOT_STET lost'],
    [{ status: 200, body: { surprise: true } }, 'later NOT_STET lost'],
  ];
  for (const [answer, expected] of cases) assert.equal(await kinds(answer, [edit('k', patch)]), expected);
});

test('deleting what is deleted already is done', async () => {
  assert.equal(await kinds(problem('DELETED', 404, { version: 5 }), [edit('k', { op: 'delete' })]), 'k deleted');
  assert.equal(await kinds(problem('NOT_FOUND', 404), [edit('k', { op: 'delete' })]), 'k rejected');
});

test('edits of one transaction go together, and are judged together', async () => {
  const unit = [edit('k1', patch, { transaction: 't' }), edit('k2', { op: 'create', data: {} }, { transaction: 't', base: null })];
  const { sender, lines, bodies } = world(() => ({ body: { results: [record(4), record(1)], seq: 9 } }));
  const sent = await sender.send(unit, signal);
  assert.deepEqual(lines, ['POST /v1/main/transactions']);
  assert.deepEqual(bodies, [{
    client_mutation_id: 't',
    mutations: [
      { op: 'patch', type: 'tasks', id: 'a/1', base_version: 3, patch: { a: 1 } },
      { op: 'create', type: 'tasks', id: 'a/1', data: {} },
    ],
  }]);
  assert.ok(sent.kind === 'judged' && sent.outcomes.size === 2);
  const conflicts = { conflicts: [{ index: 1, resolution_token: 't', address: 'tasks/a%2F1' }] };
  assert.equal(await kinds(problem('CONCURRENT_MODIFICATION', 409, conflicts), unit), 'k2 conflict');
  assert.equal(await kinds(problem('INVALID_DATA', 422), unit), 'k1 rejected, k2 rejected');
});

test('a key that was used in other words: what became of it then counts', async () => {
  const { sender } = world((line) => {
    if (line.startsWith('PATCH')) return problem('KEY_REUSED', 422);
    const results = [{ address: 'tasks/a%2F1', version: 4, seq: 4 }];
    if (line.startsWith('GET /v1/main/mutations/')) return { body: { client_mutation_id: 'k', status: 'confirmed', results } };
    return { body: record(4) };
  });
  const sent = await sender.send([edit('k', patch)], signal);
  assert.equal(sent.kind === 'judged' && sent.outcomes.get('k')?.kind, 'confirmed');
});

test('a key that was used in other words, of which nothing is known: it is refused, and not dropped', async () => {
  const { sender } = world((line) => (line.startsWith('PATCH') ? problem('KEY_REUSED', 422) : problem('NOT_FOUND', 404)));
  const sent = await sender.send([edit('k', patch)], signal);
  assert.equal(sent.kind === 'judged' && sent.outcomes.get('k')?.kind, 'rejected');
});

test('what was taken is never said to be taken back, be its version pruned, or the record gone or out of sight', async () => {
  const receipt = { client_mutation_id: 'k', status: 'confirmed', results: [{ seq: 4, version: 4 }] };
  const look = async (versioned: FakeAnswer, newest: FakeAnswer) => {
    const { sender } = world((line) => (line.includes('/mutations/') ? { body: receipt } : line.includes('version=') ? versioned : newest));
    const found = await sender.lookUp(edit('k', patch), signal);
    return found?.kind === 'confirmed' ? `confirmed ${found.record.version}` : found?.kind === 'deleted' ? `deleted ${found.version}` : found?.kind ?? null;
  };
  assert.equal(await look(problem('PRUNED', 410), { body: record(7) }), 'confirmed 7');
  assert.equal(await look(problem('DELETED', 404), problem('DELETED', 404, { version: 9 })), 'deleted 9');
  assert.equal(await look(problem('FORBIDDEN', 403), problem('NOT_FOUND', 404)), 'deleted 4');
  assert.equal(await look(problem('BUSY', 503), { body: record(7) }), null);
});

test('who is not there any more sends nothing', async () => {
  const { sender, lines } = world(() => ({ body: record(4) }));
  const sent = await sender.send([edit('k', patch, { actor: 'ben' })], signal);
  assert.ok(sent.kind === 'later' && !sent.lost);
  assert.deepEqual(lines, []);
});

test('looking up: taken, never seen, waiting, no answer', async () => {
  const look = (status: string, who = 'ana') => {
    const receipt = { client_mutation_id: 'k', status, results: [{ seq: 4, version: 4 }] };
    const { sender } = world((line) => ({ body: line.includes('/mutations/') ? receipt : line.includes('/session') ? { actor: who } : record(4) }));
    return sender.lookUp(edit('k', patch), signal);
  };
  // Somebody else has logged in through another tab: the server says nothing to them of what ana wrote.
  assert.equal(await look('unknown', 'ben'), null);
  const forbidden = await world(() => problem('FORBIDDEN', 403)).sender.lookUp(edit('k', patch), signal);
  assert.ok(forbidden?.kind === 'rejected' && forbidden.error.code === 'FORBIDDEN');
  assert.equal((await look('confirmed'))?.kind, 'confirmed');
  assert.equal((await look('unknown'))?.kind, 'discarded');
  assert.equal(await look('pending'), null);
  assert.equal(await world(() => 'offline').sender.lookUp(edit('k', patch), signal), null);
});
