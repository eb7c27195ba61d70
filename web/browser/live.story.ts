/** What one does the others see at once, over one connection of the browser. */
import assert from 'node:assert/strict';
import type { BrowserContext, Page } from 'playwright-core';
import { eventually, story, type Stage, type Stet } from './harness';

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

const connections = async (server: Stet): Promise<number> => (await server.metric('stet_http_streams')) + (await server.metric('stet_http_live_connections'));
/** Tabs of one person with the small application, of which the first leads; all of them over one connection. */
const together = async ({ server, application }: Stage, ana: BrowserContext, count: number): Promise<Page[]> => {
  const tabs: Page[] = [];
  while (tabs.length < count) {
    const tab = await application(ana);
    await row(tab).waitFor();
    tabs.push(tab);
  }
  await eventually(async () => assert.equal(await connections(server), 1));
  await server.patch('tasks', '1', { status: 'blocked' });
  for (const tab of tabs) await row(tab).getByText('blocked').waitFor();
  return tabs;
};
const hearOfMore = async (server: Stet, tabs: readonly Page[]): Promise<void> => {
  await server.patch('tasks', '1', { status: 'done' });
  for (const tab of tabs) await row(tab).getByText('done').waitFor();
};

story('ten tabs share one connection, and another takes it over when theirs is closed', async (stage) => {
  const tabs = await together(stage, await stage.person({ as: 'ana' }), 10);
  await tabs.shift()?.close();
  await hearOfMore(stage.server, tabs);
  assert.equal(await connections(stage.server), 1);
});

story('over plain HTTP, without locks, three tabs share one connection all the same', async (stage) => {
  const ana = await stage.person({ as: 'ana' });
  await ana.addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { configurable: true, get: () => undefined }));
  const tabs = await together(stage, ana, 3);
  // It says that it goes; one that is killed is missed after a quarter of a minute.
  await tabs.shift()?.close({ runBeforeUnload: true });
  await hearOfMore(stage.server, tabs);
  await eventually(async () => assert.equal(await connections(stage.server), 1));
});
