/** Several tabs of one person, and two people, with the small application. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { screenshot, story } from './harness';

const first = 'Print the posters for the open day';
const form = (page: Page) => page.getByRole('form', { name: 'Task' });
const edit = async (page: Page, field: string, value: string): Promise<void> => form(page).locator(`input[name=${field}]`).fill(value);
const openTask = async (page: Page, title = first): Promise<void> => {
  await page.getByRole('button', { name: title }).click();
  await form(page).waitFor();
};
const row = (page: Page, id: string) => page.locator(`li[data-id="${id}"]`);
const save = (page: Page) => form(page).getByRole('button', { name: 'Save' }).click();

story('a save is there at once, then confirmed, and another tab sees it live', async ({ server, person, application }) => {
  const ana = await person({ as: 'ana' });
  const [one, two] = [await application(ana), await application(ana)];
  await row(two, '1').waitFor();
  await openTask(one);
  await edit(one, 'status', 'blocked');
  await save(one);
  await row(one, '1').getByText('blocked').waitFor();
  await row(two, '1').getByText('blocked').waitFor();
  await one.locator('li[data-id="1"][data-phase="saved"]').waitFor();
  const record = await server.record('tasks', '1');
  assert.equal(record.version, 2);
  assert.equal(record.data['status'], 'blocked');
  await screenshot(one, 'application');
});
