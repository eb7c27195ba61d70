import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepFiles } from './kept-files';

const base = 'https://stet.example/desk/';

/** A browser's caches as maps of maps, and a server that can go away; `asked` lists what reached it. */
function world(build: string, before: Map<string, Map<string, Response>> = new Map()) {
  const asked: string[] = [];
  const server = { status: 200, away: false };
  const fetch = async (request: Request): Promise<Response> => {
    asked.push(request.url);
    if (server.away) throw new TypeError('nobody there');
    return new Response(`${build} ${request.url}`, { status: server.status });
  };
  const open = async (name: string) => {
    const held = before.get(name) ?? new Map<string, Response>();
    before.set(name, held);
    const cache: Pick<Cache, 'match' | 'addAll'> = {
      match: async (what) => held.get(what instanceof Request ? what.url : String(what))?.clone(),
      addAll: async (all) => {
        for (const what of all) if (what instanceof Request) held.set(what.url, await fetch(what));
      },
    };
    return cache;
  };
  const kept = keepFiles({
    base,
    files: ['', 'assets/console-A1.js'],
    build,
    caches: { open, keys: async () => [...before.keys()], delete: async (name) => before.delete(name) },
    fetch,
  });
  return { kept, asked, server, before };
}

/** What a page's address asks for: a Request of Node cannot be a navigation. */
const going = (url: string): Request => {
  const request = new Request(url);
  Object.defineProperty(request, 'mode', { value: 'navigate' });
  return request;
};
const said = async (answer: Promise<Response> | null): Promise<string | null> => (answer === null ? null : (await answer).text());

test('the page comes from the server while it is there, and from here when it is away', async () => {
  const { kept, asked, server } = world('one');
  await kept.install();
  asked.length = 0;
  assert.equal(await said(kept.answer(going(base))), `one ${base}`);
  assert.deepEqual(asked, [base]);
  server.away = true;
  assert.equal(await said(kept.answer(going(`${base}#/main/records`))), `one ${base}`);
});

test('a page that the browser has asked for already is not asked for again', async () => {
  const { kept, asked } = world('one');
  await kept.install();
  asked.length = 0;
  assert.equal(await said(kept.answer(going(base), Promise.resolve(new Response('asked before')))), 'asked before');
  assert.deepEqual(asked, []);
  assert.equal(await said(kept.answer(going(base), Promise.reject(new TypeError('nobody there')))), `one ${base}`);
  assert.equal(await said(kept.answer(going(base), Promise.resolve(undefined))), `one ${base}`);
  assert.deepEqual(asked, [base]);
});

test("a proxy's word that nobody is behind it counts as away; a refusal of the server's own does not", async () => {
  const { kept, server } = world('one');
  await kept.install();
  server.status = 502;
  assert.equal((await kept.answer(going(base)))?.status, 200);
  server.status = 429;
  assert.equal((await kept.answer(going(base)))?.status, 429);
});

test('a file of this build is not asked for again; another is', async () => {
  const { kept, asked } = world('one');
  await kept.install();
  asked.length = 0;
  assert.equal(await said(kept.answer(new Request(`${base}assets/console-A1.js`))), `one ${base}assets/console-A1.js`);
  assert.deepEqual(asked, []);
  assert.equal(kept.answer(new Request(`${base}assets/console-B2.js`)), null);
});

test('the interface, writes and other pages are none of its business', async () => {
  const { kept } = world('one');
  await kept.install();
  assert.equal(kept.answer(new Request(`${base}v1/main/session`)), null);
  assert.equal(kept.answer(new Request(base, { method: 'POST' })), null);
  assert.equal(kept.answer(going(`${base}sdk/`)), null);
  assert.equal(kept.answer(going('https://stet.example/')), null);
});

test('a new build forgets the one before, and what others keep at this origin stays', async () => {
  const { kept, before } = world('one');
  await kept.install();
  before.set('of somebody else', new Map());
  const next = world('two', before);
  await next.kept.install();
  await next.kept.activate();
  assert.deepEqual([...before.keys()], ['of somebody else', `stet-console ${base} two`]);
});

test('away from the first visit on, the error is the browser’s own', async () => {
  const { kept, server } = world('one');
  server.away = true;
  await assert.rejects(async () => kept.answer(going(base)), TypeError);
});
