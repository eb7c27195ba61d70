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

story('two people who change different fields are not asked, and both stand', async ({ server, person, application }) => {
  const [ana, ben] = [await application(await person({ as: 'ana' })), await application(await person({ as: 'ben' }))];
  await openTask(ana);
  await openTask(ben);
  await edit(ana, 'status', 'in progress');
  await edit(ben, 'assignee', 'ben');
  await save(ana);
  await row(ana, '1').and(ana.locator('[data-phase="saved"]')).waitFor();
  await save(ben);
  await row(ben, '1').and(ben.locator('[data-phase="saved"]')).waitFor();
  assert.equal(await ben.getByRole('dialog').count(), 0);
  const { version, data } = await server.record('tasks', '1');
  assert.deepEqual([version, data['status'], data['assignee']], [3, 'in progress', 'ben']);
});

story('tags and words of notes unite without a dialog', async ({ server, person, application }) => {
  const ana = await application(await person({ as: 'ana' }));
  await openTask(ana);
  await edit(ana, 'notes', 'A2, glossy; the shop needs two days.');
  await server.patch('tasks', '1', { notes: 'A2, matte; the shop needs three days.', tags: ['print', 'urgent'] });
  await save(ana);
  await row(ana, '1').and(ana.locator('[data-phase="saved"]')).waitFor();
  const { data } = await server.record('tasks', '1');
  assert.equal(data['notes'], 'A2, glossy; the shop needs three days.');
  assert.equal(await ana.getByRole('dialog').count(), 0);
});
