/** Two change the same field, in an application written with the packages: the second is asked, and each way out does what it says. That the
 *  same holds for the console, in both languages, is told in `console-conflict.story.ts`. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { axe, screenshot, story, type Stet } from './harness';

const form = (page: Page) => page.getByRole('form', { name: 'Task' });
const dialog = (page: Page) => page.getByRole('dialog');
const row = (page: Page, id: string) => page.locator(`li[data-id="${id}"]`);
const side = (page: Page, name: string) => dialog(page).getByRole('radio', { name: new RegExp(`^${name}`) });
const press = (page: Page, name: string) => dialog(page).getByRole('button', { name }).click();
const gone = (page: Page) => dialog(page).waitFor({ state: 'hidden' });
const saved = async (server: Stet, id: string): Promise<readonly unknown[]> => {
  const { version, data } = await server.record('tasks', id);
  return [version, data['status'], data['assignee']];
};

story('in an application the second is asked, and each way out does what it says', async ({ server, person, application }) => {
  const ben = await application(await person({ as: 'ben' }));
  const ana = await server.tokenFor('ana');
  /** Ben has the open task before him; Ana was faster, and Ben saves another status. Ben also changes the assignee, which nobody else did. */
  const meet = async (id: string): Promise<void> => {
    await row(ben, id).getByRole('button').click();
    await form(ben).waitFor();
    await server.patch('tasks', id, { status: 'blocked' }, ana);
    await form(ben).locator('input[name=status]').fill('done');
    await form(ben).locator('input[name=assignee]').fill('ben');
    await form(ben).getByRole('button', { name: 'Save' }).click();
    await dialog(ben).getByRole('heading', { name: 'This task changed while you were editing it' }).waitFor();
  };

  await meet('1');
  for (const name of ['Before', 'Now', 'Yours']) await side(ben, name).waitFor();
  assert.equal(await side(ben, 'Yours').isChecked(), true);
  await axe(ben);
  await screenshot(ben, 'conflict');
  // Escape decides nothing, and the change waits; the page asks again when it is opened again.
  await ben.keyboard.press('Escape');
  await gone(ben);
  await ben.reload();
  await dialog(ben).waitFor();
  assert.deepEqual(await saved(server, '1'), [2, 'blocked', 'dora']);
  await press(ben, 'Refresh and apply my changes');
  await gone(ben);
  await row(ben, '1').getByText('done').waitFor();
  assert.deepEqual(await saved(server, '1'), [3, 'done', 'ben']);

  await meet('3');
  await press(ben, 'Discard my changes');
  await gone(ben);
  await row(ben, '3').getByText('blocked').waitFor();
  assert.deepEqual(await saved(server, '3'), [2, 'blocked', 'bob']);

  await meet('5');
  await side(ben, 'Now').check();
  await press(ben, 'Refresh and apply my changes');
  await gone(ben);
  assert.deepEqual(await saved(server, '5'), [3, 'blocked', 'ben']);

  await meet('8');
  // Before the page can know: the answer is on its way when it changes again.
  let faster = true;
  await ben.context().route(/\/resolve$/, async (route) => {
    if (faster) await server.patch('tasks', '8', { status: 'open' });
    faster = false;
    await route.continue();
  });
  await press(ben, 'Refresh and apply my changes');
  await dialog(ben).getByText('It changed again while you were deciding.').waitFor();
  await dialog(ben).getByText('open', { exact: true }).first().waitFor();
  await screenshot(ben, 'conflict-again');
  await press(ben, 'Refresh and apply my changes');
  await gone(ben);
  assert.deepEqual(await saved(server, '8'), [4, 'done', 'ben']);
});
