import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConnectivity } from './connectivity';
import { createCredentials } from './credentials';
import { createHttp } from './http';
import type { Json } from './json';
import { createMemoryStorage } from './memory-storage';
import { createSession } from './session';
import { createTabHub, type TabHub } from './tab-hub';
import { createFakeClock } from './testing/fake-clock';
import { createFakeTransport } from './testing/fake-transport';

const who = (actor: string): Json => ({
  actor, kind: 'session', admin: false, server_admin: false, roles: ['sales'], scopes: ['read', 'write'], csrf: `csrf of ${actor}`,
});
const started = (user: string, more: Record<string, Json> = {}): Json => ({ session: 's', user, admin: false, csrf: `csrf of ${user}`, ...more });
const refused = (code: string): Json => ({ type: `urn:stet:problem:${code}`, code, detail: code, status: 401 });

const world = (options: { readonly token?: string; readonly cookies?: boolean } = {}) => {
  const hubs = new Map<string, TabHub>();
  const siblings = createTabHub();
  const clock = createFakeClock();
  const server = { actor: null as string | null, offline: false, requests: 0 };
  const fake = createFakeTransport();
  fake.handle((request) => {
    server.requests += 1;
    request = { ...request, path: request.path.replace('/v1/other/', '/v1/main/') };
    if (server.offline) return 'offline';
    if (request.path === '/v1/main/session?optional=1' && request.method === 'GET')
      return server.actor === null ? { body: { actor: null } } : { body: who(server.actor) };
    if (request.path === '/v1/main/session' && request.method === 'DELETE') {
      server.actor = null;
      return { body: { ended: 1 } };
    }
    if (request.path === '/v1/main/session' || request.path === '/v1/main/session/link') {
      const body: unknown = JSON.parse(request.body ?? '');
      if (JSON.stringify(body).includes('wrong')) return { status: 401, body: refused('LOGIN_FAILED') };
      server.actor = JSON.stringify(body).includes('ben') ? 'ben' : 'ana';
      return { status: 201, body: started(server.actor, JSON.stringify(body).includes('"token":true') ? { token: 'tok' } : {}) };
    }
    return server.actor === null ? { status: 401, body: refused('SESSION_ENDED') } : { body: {} };
  });
  const storage = createMemoryStorage('durable', clock.now);
  const open = (space = 'main') => {
    const hub = hubs.get(space) ?? createTabHub();
    hubs.set(space, hub);
    const credentials = createCredentials(options.token ?? null);
    const http = createHttp({ transport: fake.transport, clock, credentials, space, timeoutMs: 1000 });
    const connectivity = createConnectivity(null);
    const session = createSession({ http, credentials, tabs: hub.open(), space, siblings: siblings.open(), clock, storage, connectivity, cookies: options.cookies ?? true });
    const heard: string[] = [];
    session.live.subscribe(() => {
      const state = session.live.getSnapshot();
      heard.push(state.status === 'authenticated' ? state.who.actor : state.status === 'anonymous' ? `nobody ${state.reason ?? ''}`.trim() : '?');
    });
    return { session, credentials, http, heard, connectivity };
  };
  return { open, clock, server, fake };
};

test('a page finds out who it is, with the proof that writes need', async () => {
  const { open, clock, server } = world();
  server.actor = 'ana';
  const tab = open();
  tab.session.start();
  await clock.settle();
  assert.deepEqual(tab.heard, ['ana']);
  assert.equal(tab.credentials.csrf, 'csrf of ana');
});

test('a page learns which data the server has, remembers it, and asks again when it has others', async () => {
  const { open, clock, server, fake } = world();
  server.actor = 'ana';
  let data = 'd1';
  const other = { status: 404, body: { ...JSON.parse(JSON.stringify(refused('NOT_FOUND'))), status: 404, field: 'Stet-Space-Id' } };
  fake.handle((request) => {
    if (server.offline) return 'offline';
    return request.headers['Stet-Space-Id'] === undefined ? { body: { ...JSON.parse(JSON.stringify(who('ana'))), space_id: data } } : other;
  });
  const first = open();
  first.session.start();
  await clock.settle();
  assert.equal(first.credentials.spaceId, 'd1');
  data = 'd2';
  await assert.rejects(first.http.ask('PATCH', '/records/tasks/1', { body: {}, spaceId: 'd1' }, []), { field: 'Stet-Space-Id' });
  await clock.settle();
  assert.equal(first.credentials.spaceId, 'd2');
  server.offline = true;
  const second = open();
  second.session.start();
  await clock.settle();
  assert.equal(second.credentials.spaceId, 'd2');
  first.session.close();
  second.session.close();
});

test('that the server has other data one tab finds out, and all know it', async () => {
  const { open, clock, fake } = world();
  let data = 'd1';
  fake.handle(() => ({ body: { ...JSON.parse(JSON.stringify(who('ana'))), space_id: data } }));
  const [one, two] = [open(), open()];
  const heard: string[] = [];
  one.credentials.replaced = () => heard.push(`one ${one.credentials.spaceId}`);
  two.credentials.replaced = () => heard.push(`two ${two.credentials.spaceId}`);
  one.session.start();
  two.session.start();
  await clock.settle();
  assert.deepEqual(heard, [], 'the first are no others');
  data = 'd2';
  await one.session.refresh();
  await clock.settle();
  assert.deepEqual(heard, ['one d2', 'two d2']);
  await two.session.refresh();
  await clock.settle();
  assert.equal(heard.length, 2);
  one.session.close();
  two.session.close();
});

test('a login in one tab is seen by all, and so is a logout', async () => {
  const { open, clock } = world();
  const [one, two] = [open(), open()];
  one.session.start();
  two.session.start();
  await clock.settle();
  await one.session.logIn({ user: 'ana', password: 'x' });
  await clock.settle();
  assert.equal(two.credentials.csrf, 'csrf of ana');
  await two.session.logOut();
  await clock.settle();
  assert.deepEqual(one.heard, ['nobody', 'ana', 'nobody logged_out']);
  assert.deepEqual(two.heard, one.heard);
  assert.equal(one.credentials.csrf, null);
});

test('a login and a logout are seen by clients of other spaces, which ask the server what it means for them', async () => {
  const { open, clock } = world();
  const [one, other] = [open(), open('other')];
  one.session.start();
  other.session.start();
  await clock.settle();
  await one.session.logIn({ user: 'ana', password: 'x' });
  await clock.settle();
  assert.deepEqual(other.heard, ['nobody', 'ana']);
  assert.equal(other.credentials.csrf, 'csrf of ana');
  await other.session.logOut();
  await clock.settle();
  assert.deepEqual(one.heard, ['nobody', 'ana', 'nobody logged_out']);
  assert.equal(one.credentials.csrf, null);
});

test('a login in another space that means nothing here changes nothing', async () => {
  const { open, clock, server, fake } = world();
  const [one, other] = [open(), open('other')];
  server.actor = 'ana';
  one.session.start();
  other.session.start();
  await clock.settle();
  fake.handle(({ method, path }) => {
    if (path.startsWith('/v1/other/session')) return { status: method === 'POST' ? 201 : 200, body: method === 'POST' ? started('ben') : who('ben') };
    return { body: who('ana') };
  });
  await other.session.logIn({ user: 'ben', password: 'x' });
  await clock.settle();
  assert.deepEqual(one.heard, ['ana']);
  assert.deepEqual(other.heard, ['ana', '?', 'ben']);
});

test('a wrong password changes nothing', async () => {
  const { open, clock } = world();
  const tab = open();
  tab.session.start();
  await clock.settle();
  await assert.rejects(tab.session.logIn({ user: 'ana', password: 'wrong' }), { code: 'LOGIN_FAILED' });
  assert.deepEqual(tab.heard, ['nobody']);
});

test('a session that ended is noticed by the next refused request', async () => {
  const { open, clock, server } = world();
  server.actor = 'ana';
  const tab = open();
  tab.session.start();
  await clock.settle();
  server.actor = null;
  await assert.rejects(tab.http.request('GET', '/types'), { code: 'SESSION_ENDED' });
  await clock.settle();
  assert.deepEqual(tab.heard, ['ana', 'nobody ended']);
});

test('offline nobody knows; who it was last is remembered, and the question is asked until it is answered', async () => {
  const { open, clock, server } = world();
  server.actor = 'ana';
  const first = open();
  first.session.start();
  await clock.settle();
  first.session.close();
  server.offline = true;
  const second = open();
  second.session.start();
  await clock.advance(20_000);
  assert.deepEqual(second.heard, []);
  assert.equal(second.session.lastActor, 'ana');
  server.offline = false;
  await clock.advance(120_000);
  assert.deepEqual(second.heard, ['ana']);
});

test('where there is no jar for cookies a login gives a token', async () => {
  const { open } = world({ cookies: false });
  const tab = open();
  await tab.session.logIn({ user: 'ana', password: 'x' });
  assert.equal(tab.credentials.token, 'tok');
  await tab.session.logOut();
  assert.equal(tab.credentials.token, null);
});

test('with a token of the application other tabs are not listened to', async () => {
  const { open, clock, server } = world({ token: 'given' });
  server.actor = 'service';
  const [one, two] = [open(), open()];
  one.session.start();
  two.session.start();
  await clock.settle();
  await one.session.logOut();
  await clock.settle();
  assert.deepEqual(two.heard, ['service']);
  assert.equal(two.credentials.token, 'given');
});

test('closing leaves no timer', async () => {
  const { open, clock, server } = world();
  server.offline = true;
  const tab = open();
  tab.session.start();
  await clock.advance(10_000);
  tab.session.close();
  // What is being asked just now ends by itself.
  await clock.advance(60_000);
  assert.equal(clock.timers, 0);
});

test('a write that waits for its proof is not sent as the person who logged in meanwhile', async () => {
  const { open, clock, server, fake } = world();
  server.actor = 'ana';
  const tab = open();
  tab.session.start();
  await clock.settle();
  const proofs: (string | undefined)[] = [];
  fake.handle((request) => {
    if (request.path.endsWith('/session?optional=1')) return { body: who(server.actor ?? '') };
    proofs.push(request.headers['Stet-CSRF']);
    const fits = request.headers['Stet-CSRF'] === `csrf of ${server.actor}`;
    return fits ? { body: {} } : { status: 403, body: refused('CSRF_REQUIRED') };
  });
  // In another tab, whose word has not come here: the cookie is ben's now.
  server.actor = 'ben';
  const sent = tab.http.ask('PATCH', '/records/tasks/1', { body: {}, as: 'ana' }, []);
  await assert.rejects(sent, { code: 'UNAUTHENTICATED', status: 401 });
  assert.deepEqual(proofs, ['csrf of ana']);
  assert.deepEqual(tab.heard, ['ana', 'ben']);
  await assert.rejects(tab.http.ask('PATCH', '/records/tasks/1', { body: {}, as: 'ana' }, []), { code: 'UNAUTHENTICATED' });
  assert.equal(proofs.length, 1);
});

test('while somebody else logs in, this page acts for nobody', async () => {
  const { open, clock, server } = world();
  server.actor = 'ana';
  const tab = open();
  tab.session.start();
  await clock.settle();
  const login = tab.session.logIn({ user: 'ben', password: 'right' });
  await login;
  assert.deepEqual(tab.heard, ['ana', '?', 'ben']);
  assert.equal(tab.credentials.actor, 'ben');
});
