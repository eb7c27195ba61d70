/** The console where things are not as usual: a proxy without WebSockets, a server that asks nobody, and people who share a browser. */
import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import type { Page } from 'playwright-core';
import { eventually, logIn, passwords, screenshot, story, type Stet } from './harness';

const status = (page: Page) => page.getByRole('combobox', { name: 'Status' });
const save = (page: Page) => page.getByRole('button', { name: 'Save', exact: true }).click();
const connection = (page: Page, words: string) => page.locator('.sidebar').getByRole('status').getByText(words, { exact: true });
const version = (page: Page, number: number) => page.getByText(`v${number}`, { exact: true });

/** Passes requests on, and refuses every WebSocket. Answers where it is, and its end. */
const proxyWithoutSockets = async (server: Stet): Promise<{ readonly url: string; close(): void }> => {
  const target = new URL(server.url);
  const proxy = createServer((asked, answer) => {
    const { origin, ...headers } = asked.headers;
    const on = request({ host: target.hostname, port: target.port, path: asked.url, method: asked.method, headers: { ...headers, host: target.host, ...(origin === undefined ? {} : { origin: target.origin }) } }, (got) => {
      answer.writeHead(got.statusCode ?? 502, got.headers);
      got.pipe(answer);
    });
    on.on('error', () => answer.destroy());
    answer.on('close', () => on.destroy());
    asked.pipe(on);
  });
  proxy.on('upgrade', (_asked, socket) => socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'));
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    close() {
      proxy.closeAllConnections();
      proxy.close();
    },
  };
};

story('where no WebSocket comes through the console lives by event streams, in several tabs', async ({ server, person }) => {
  const proxy = await proxyWithoutSockets(server);
  try {
    const ana = await person();
    await ana.grantPermissions(['local-network-access'], { origin: proxy.url });
    assert.equal((await ana.request.post(`${proxy.url}/v1/main/session`, { data: { user: 'ana', password: passwords[server.example] } })).status(), 201);
    const tabs: Page[] = [];
    for (const route of ['records/tasks/1', 'activity', 'records/tasks/1']) {
      const page = await ana.newPage();
      await page.goto(`${proxy.url}/#/${route}`);
      await connection(page, 'Live').waitFor();
      tabs.push(page);
    }
    const [one, activity, two] = tabs;
    if (one === undefined || two === undefined || activity === undefined) throw new Error('there are three tabs');
    await server.patch('tasks', '1', { status: 'blocked' });
    for (const page of [one, two]) await version(page, 2).waitFor();
    await status(one).selectOption('done');
    await save(one);
    await version(two, 3).waitFor();
    await activity.getByText('Print the posters for the open day').first().waitFor();
    assert.equal(await server.metric('stet_http_live_connections'), 0);
    assert.ok((await server.metric('stet_http_streams')) > 0);
  } finally {
    proxy.close();
  }
});

story('a server that asks nobody shows the console at once, and offers no way out', async ({ server, person, tab }) => {
  await server.stop();
  await server.start(['--no-auth']);
  const page = await tab(await person(), '/records/tasks/1');
  await status(page).selectOption('done');
  await save(page);
  await version(page, 2).waitFor();
  await page.goto('/#/people/me');
  await page.getByText('You are here without an account').waitFor();
  await page.getByRole('button', { name: /^Account/ }).click();
  await page.getByRole('menuitem', { name: 'Keyboard shortcuts' }).waitFor();
  assert.equal(await page.getByRole('menuitem', { name: 'Log out' }).count(), 0);
});

story('what somebody wrote before their session was ended waits for them, and is told to whoever else comes', async ({ server, person, tab }) => {
  const ana = await person({ as: 'ana' });
  const page = await tab(ana, '/records/tasks/1');
  // Several tabs of the console are one connection.
  const others = [await tab(ana, '/records/tasks'), await tab(ana, '/activity')];
  for (const other of [page, ...others]) await connection(other, 'Live').waitFor();
  await eventually(async () => assert.equal((await server.metric('stet_http_live_connections')) + (await server.metric('stet_http_streams')), 1));
  for (const other of others) await other.close();
  await ana.setOffline(true);
  await status(page).selectOption('done');
  await save(page);
  await connection(page, 'Offline · 1 change waits').waitFor();
  assert.equal((await server.ask('DELETE', '/v1/main/sessions?user=ana&all=1')).status, 200);
  await ana.setOffline(false);
  const over = page.getByRole('dialog', { name: 'Your session is over' });
  await over.waitFor();
  await over.getByRole('button', { name: 'Log out' }).click();
  await page.getByText('1 change waits on this device until whoever made it logs in.').waitFor();
  await screenshot(page, 'log-in-waiting');
  await logIn(page, 'ben', passwords[server.example]);
  await page.getByText('1 change of another person waits on this device until they log in here.').waitFor();
  await status(page).locator('option:checked', { hasText: 'open' }).waitFor({ state: 'attached' });
  assert.equal((await server.record('tasks', '1')).version, 1);
  await page.getByRole('button', { name: /^Account/ }).click();
  await page.getByRole('menuitem', { name: 'Log out', exact: true }).click();
  await logIn(page, 'ana', passwords[server.example]);
  await eventually(async () => assert.equal((await server.record('tasks', '1')).data['status'], 'done'));
  await page.getByText('of another person').waitFor({ state: 'detached' });
});
