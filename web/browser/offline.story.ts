/** The network goes, the page is reloaded, the server dies: nothing is lost, and nothing arrives twice. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { eventually, isObject, logIn, passwords, screenshot, story, type Stet } from './harness';

const form = (page: Page) => page.getByRole('form', { name: 'Task' });
const row = (page: Page, id = '1') => page.locator(`li[data-id="${id}"]`);
const change = async (page: Page, title: string, field: string, value: string): Promise<void> => {
  await page.getByRole('button', { name: title }).click();
  await form(page).waitFor();
  await form(page).locator(`input[name=${field}]`).fill(value);
  await form(page).getByRole('button', { name: 'Save' }).click();
};
const saved = (page: Page, id = '1') => page.locator(`li[data-id="${id}"][data-phase="saved"]`).waitFor();

/** The versions of a record, oldest first: what each changed it to. */
const history = async (server: Stet, id: string): Promise<readonly unknown[]> => {
  const { json } = await server.ask('GET', `/v1/main/records/tasks/${id}/history?data=1`);
  const versions: readonly unknown[] = isObject(json) && Array.isArray(json['changes']) ? json['changes'] : [json];
  return versions.map((one) => (isObject(one) && isObject(one['data']) ? one['data']['status'] : one)).reverse();
};

story('what is edited without a network survives a reload and arrives once, in order', async ({ server, person, application }) => {
  const ana = await person({ as: 'ana' });
  const page = await application(ana);
  await row(page).waitFor();
  await ana.setOffline(true);
  await change(page, 'Print the posters for the open day', 'status', 'in progress');
  await row(page).getByText('in progress').waitFor();
  await form(page).getByRole('button', { name: 'Close' }).click();
  await change(page, 'Print the posters for the open day', 'status', 'done');
  await row(page).getByText('done').waitFor();
  await page.getByText('You are offline.').waitFor();
  await screenshot(page, 'offline');
  assert.equal((await server.record('tasks', '1')).version, 1);
  // The page itself is there, as that of an application with a service worker would be.
  await page.reload();
  await page.getByRole('heading', { name: 'Tasks' }).waitFor();
  await ana.setOffline(false);
  await row(page).getByText('done').waitFor();
  await saved(page);
  await eventually(async () => assert.equal((await server.record('tasks', '1')).data['status'], 'done'));
  assert.deepEqual(await history(server, '1'), ['open', 'in progress', 'done']);
});

story('the server is killed while it saves, and comes back: nothing is lost, nothing is there twice', async ({ server, person, application }) => {
  const ana = await person({ as: 'ana' });
  const page = await application(ana);
  await row(page).waitFor();
  // The write reaches the server, and its answer never reaches the page.
  let killed: Promise<void> | null = null;
  await ana.route(/\/records\/tasks\/1(\?|$)/, async (route) => {
    if (route.request().method() === 'GET' || killed !== null) return route.continue();
    await route.fetch();
    killed = server.kill();
    await killed;
    return route.abort('connectionreset');
  });
  await change(page, 'Print the posters for the open day', 'status', 'blocked');
  await row(page).getByText('blocked').waitFor();
  await eventually(() => assert.notEqual(killed, null));
  await killed;
  await change(page, 'Order chairs', 'status', 'done');
  await server.start();
  await eventually(async () => {
    assert.equal((await server.record('tasks', '13')).data['status'], 'done');
  });
  await saved(page, '13');
  await saved(page, '1');
  assert.deepEqual(await history(server, '1'), ['open', 'blocked']);
  assert.deepEqual(await history(server, '13'), ['open', 'done']);
});

story('who logs out in one tab is out in all, and in again in all', async ({ server, person, application }) => {
  const ana = await person({ as: 'ana' });
  const tabs = [await application(ana), await application(ana), await application(ana)] as const;
  for (const tab of tabs) await row(tab).waitFor();
  await tabs[1].getByRole('button', { name: 'Log out' }).click();
  for (const tab of tabs) await tab.getByRole('form', { name: 'Log in' }).waitFor();
  await logIn(tabs[2], 'ben', passwords[server.example]);
  for (const tab of tabs) await tab.getByText('ben', { exact: true }).first().waitFor();
});
