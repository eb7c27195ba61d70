/** The console while the network or the server is away, and in several tabs: nothing is lost, and nothing arrives twice. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { axe, eventually, isObject, logIn, passwords, screenshot, story, type Stet } from './harness';

const first = 'Print the posters for the open day';
const status = (page: Page) => page.getByRole('combobox', { name: 'Status' });
const save = (page: Page) => page.getByRole('button', { name: 'Save', exact: true }).click();
const connection = (page: Page, words: string) => page.locator('.sidebar').getByRole('status').getByText(words, { exact: true });

/** The states that a task went through, oldest first. */
const history = async (server: Stet, id: string): Promise<readonly unknown[]> => {
  const { json } = await server.ask('GET', `/v1/main/records/tasks/${id}/history?data=1`);
  const versions: readonly unknown[] = isObject(json) && Array.isArray(json['changes']) ? json['changes'] : [json];
  return versions.map((one) => (isObject(one) && isObject(one['data']) ? one['data']['status'] : one)).reverse();
};

story('in the console what is edited without a network outlives the page, and arrives once, in order', async ({ server, person, tab }) => {
  const ana = await person({ as: 'ana' });
  const page = await tab(ana, '/records/tasks/1');
  await status(page).waitFor();
  await connection(page, 'Live').waitFor();
  // The console's own files come to this machine a moment after the first page.
  await page.evaluate(() => navigator.serviceWorker.ready.then(({ active }) => active?.state));
  await ana.setOffline(true);
  await status(page).selectOption('in progress');
  await save(page);
  await page.getByRole('grid').getByText('in progress').first().waitFor();
  await status(page).selectOption('done');
  await save(page);
  await connection(page, 'Offline · 2 changes wait').waitFor();
  await page.getByText('You are offline.').waitFor();
  await screenshot(page, 'console-offline');
  assert.equal((await server.record('tasks', '1')).version, 1);
  await page.reload();
  await page.getByRole('heading', { name: 'The server does not answer' }).waitFor();
  await page.getByText('2 changes are kept here and will be sent then, in order.').waitFor();
  await page.getByRole('listitem').filter({ hasText: first }).filter({ hasText: 'in progress' }).waitFor();
  await page.getByRole('listitem').filter({ hasText: first }).filter({ hasText: 'done' }).waitFor();
  await axe(page);
  await screenshot(page, 'console-away');
  await ana.setOffline(false);
  await status(page).waitFor();
  const again = await tab(ana, '/records/tasks/1');
  await eventually(async () => assert.equal((await server.record('tasks', '1')).data['status'], 'done'));
  await status(again).locator('option:checked', { hasText: 'done' }).waitFor({ state: 'attached' });
  await connection(again, 'Live').waitFor();
  assert.deepEqual(await history(server, '1'), ['open', 'in progress', 'done']);
});

story('in the console the server is killed while it saves, and comes back: nothing is lost, nothing is there twice', async ({ server, open }) => {
  const page = await open({ as: 'ana', route: '/records/tasks/1' });
  await status(page).waitFor();
  await connection(page, 'Live').waitFor();
  // The write reaches the server, and its answer never reaches the page.
  let killed: Promise<void> | null = null;
  await page.context().route(/\/records\/tasks\/1(\?|$)/, async (route) => {
    if (route.request().method() === 'GET' || killed !== null) return route.continue();
    await route.fetch();
    killed = server.kill();
    await killed;
    return route.abort('connectionreset');
  });
  await status(page).selectOption('blocked');
  await save(page);
  await eventually(() => assert.notEqual(killed, null));
  await killed;
  await status(page).selectOption('done');
  await save(page);
  await server.start();
  await eventually(async () => assert.equal((await server.record('tasks', '1')).data['status'], 'done'));
  await connection(page, 'Live').waitFor();
  await page.getByText('v3', { exact: true }).waitFor();
  assert.deepEqual(await history(server, '1'), ['open', 'blocked', 'done']);
});

story('who logs out of the console in one tab is out in all, and in again in all', async ({ server, person, tab }) => {
  const ana = await person({ as: 'ana' });
  const tabs = [await tab(ana, '/records/tasks'), await tab(ana, '/activity')] as const;
  await tabs[0].getByText(first).waitFor();
  await tabs[1].getByRole('heading', { name: 'Activity', level: 1 }).waitFor();
  await tabs[0].getByRole('button', { name: /^Account/ }).click();
  await tabs[0].getByRole('menuitem', { name: 'Log out', exact: true }).click();
  for (const page of tabs) await page.getByRole('heading', { name: 'Log in' }).waitFor();
  await logIn(tabs[1], 'ben', passwords[server.example]);
  for (const page of tabs) await page.getByRole('button', { name: /^Account/ }).getByText('ben', { exact: true }).waitFor();
});

story('a console that was reloaded while the server was dead goes on by itself when it is back', async ({ server, open }) => {
  const page = await open({ as: 'ana', route: '/records/tasks/1', locale: 'es', theme: 'dark', size: { width: 390, height: 800 } });
  await status(page).waitFor();
  await page.evaluate(() => navigator.serviceWorker.ready.then(({ active }) => active?.state));
  await server.kill();
  await page.reload();
  await page.getByRole('heading', { name: 'El servidor no responde' }).waitFor();
  await axe(page);
  await screenshot(page, 'console-away-dark-es');
  await server.start();
  await status(page).waitFor();
});
