/** What one does the others see at once, over one connection of the browser. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { eventually, story } from './harness';

const row = (page: Page, id = '1') => page.locator(`li[data-id="${id}"]`);
const form = (page: Page) => page.getByRole('form', { name: 'Task' });

story('what somebody else saves is seen at once, and who has it open', async ({ server, person, application }) => {
  const [ana, ben] = [await application(await person({ as: 'ana' })), await application(await person({ as: 'ben' }))];
  for (const page of [ana, ben]) {
    await page.getByRole('button', { name: 'Print the posters for the open day' }).click();
    await form(page).waitFor();
  }
  await form(ana).getByLabel('People').getByText('ben').waitFor();
  await form(ana).locator('input[name=status]').fill('blocked');
  await form(ana).getByRole('button', { name: 'Save' }).click();
  await row(ben).getByText('blocked').waitFor();
  assert.equal((await server.record('tasks', '1')).version, 2);
});

story('ten tabs share one connection, and another takes it over when theirs is closed', async ({ server, person, application }) => {
  const ana = await person({ as: 'ana' });
  const tabs: Page[] = [];
  for (let number = 0; number < 10; number += 1) {
    const tab = await application(ana);
    await row(tab).waitFor();
    tabs.push(tab);
  }
  const live = async (): Promise<number> => (await server.metric('stet_http_streams')) + (await server.metric('stet_http_live_connections'));
  await eventually(async () => assert.equal(await live(), 1));
  await server.patch('tasks', '1', { status: 'blocked' });
  for (const tab of tabs) await row(tab).getByText('blocked').waitFor();
  // The first tab has led since it was alone.
  await tabs.shift()?.close();
  await server.patch('tasks', '1', { status: 'done' });
  for (const tab of tabs) await row(tab).getByText('done').waitFor();
  assert.equal(await live(), 1);
}, { timeoutMs: 120_000 });

story('over plain HTTP, without locks, three tabs share one connection all the same', async ({ server, person, application }) => {
  const ana = await person({ as: 'ana' });
  await ana.addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { configurable: true, get: () => undefined }));
  const tabs: Page[] = [];
  for (let number = 0; number < 3; number += 1) {
    const tab = await application(ana);
    await row(tab).waitFor();
    tabs.push(tab);
  }
  const live = async (): Promise<number> => (await server.metric('stet_http_streams')) + (await server.metric('stet_http_live_connections'));
  await eventually(async () => assert.equal(await live(), 1));
  await server.patch('tasks', '1', { status: 'blocked' });
  for (const tab of tabs) await row(tab).getByText('blocked').waitFor();
  // It says that it goes; one that is killed is missed after a quarter of a minute.
  await tabs.shift()?.close({ runBeforeUnload: true });
  await server.patch('tasks', '1', { status: 'done' });
  for (const tab of tabs) await row(tab).getByText('done').waitFor();
  await eventually(async () => assert.equal(await live(), 1));
}, { timeoutMs: 120_000 });
