/** What people do with records: edit by keyboard, put right what was refused, change many, keep a view, bring back what was deleted. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { axe, screenshot, story, type Stet } from './harness';

const grid = (page: Page) => page.getByRole('grid', { name: 'Task' });
const panel = (page: Page) => page.locator('.panel');
const dataOf = async (server: Stet, id: string): Promise<Readonly<Record<string, unknown>>> => (await server.record('tasks', id)).data;

story('a task is opened, changed and saved by keyboard alone', async ({ server, open }) => {
  const page = await open({ as: 'ana', route: '/records/tasks' });
  await grid(page).waitFor();
  await grid(page).getByRole('row').nth(1).focus();
  await page.keyboard.press('Enter');
  const title = panel(page).getByRole('textbox', { name: 'Title' });
  await title.waitFor();
  await axe(page);
  await title.focus();
  await page.keyboard.press('Control+a');
  await page.keyboard.type('Print all the posters');
  await page.keyboard.press('Control+s');
  await panel(page).getByText('Saved').waitFor();
  assert.equal((await dataOf(server, '1'))['title'], 'Print all the posters');
  await page.getByRole('button', { name: 'Undo', exact: true }).click();
  await page.getByText('The last change is undone').waitFor();
  assert.equal((await dataOf(server, '1'))['title'], 'Print the posters for the open day');
  await screenshot(page, 'record-panel');
});

story('a form says what is wrong before and after it was sent', async ({ server, open }) => {
  const page = await open({ as: 'ana', route: '/records/tasks/1', theme: 'dark' });
  const priority = panel(page).getByRole('textbox', { name: 'Priority' });
  await priority.fill('7');
  await panel(page).getByText('At most 3.').waitFor();
  await axe(page);
  await screenshot(page, 'record-invalid-dark');
  await panel(page).getByRole('button', { name: 'Save', exact: true }).click();
  assert.equal((await dataOf(server, '1'))['priority'], 2, 'nothing was sent');
  await panel(page).getByRole('button', { name: 'Discard my changes' }).click();
  await panel(page).getByRole('tab', { name: 'JSON' }).click();
  const json = panel(page).getByRole('textbox', { name: 'JSON' });
  await json.fill('{\n  "title": "x",\n}');
  await panel(page).getByText('Not valid JSON at line 3, column 1.').waitFor();
  await json.fill('{"title": "x", "status": "sleeping"}');
  await panel(page).getByRole('button', { name: 'Save', exact: true }).click();
  // The server knows better than the form, and its answer stands at the text that was refused.
  await panel(page).locator('.field-error, .notice-danger').first().waitFor();
  assert.equal((await dataOf(server, '1'))['title'], 'Print the posters for the open day');
  assert.match(await json.inputValue(), /sleeping/);
});

story('several tasks are changed at once, each with its own answer', async ({ server, open }) => {
  const page = await open({ as: 'ana', route: '/records/tasks' });
  await page.getByRole('checkbox', { name: 'Select Print the posters for the open day' }).check();
  await page.getByRole('checkbox', { name: 'Select Write the invitation letter' }).check();
  await page.getByRole('button', { name: 'Change…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Change 2 records' });
  await dialog.getByRole('checkbox', { name: 'Priority' }).check();
  await dialog.getByRole('textbox', { name: 'Priority' }).fill('3');
  await axe(page);
  await dialog.getByRole('button', { name: 'Change them' }).click();
  await dialog.getByText('2 of 2 done').waitFor();
  await screenshot(page, 'bulk-edit');
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  assert.deepEqual([(await dataOf(server, '1'))['priority'], (await dataOf(server, '2'))['priority']], [3, 3]);
});

story('a filter is completed, its mistakes are marked, and it is kept as a view', async ({ open }) => {
  const page = await open({ as: 'ana', route: '/records/tasks' });
  await grid(page).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('sta');
  await page.keyboard.press('Tab');
  await page.keyboard.type('= "do');
  await page.keyboard.press('Tab');
  const filter = page.getByRole('combobox', { name: 'Filter' });
  assert.equal((await filter.inputValue()).trim(), 'status = "done"');
  await filter.fill('status = "done" &&');
  await page.keyboard.press('Enter');
  await page.getByText('This filter cannot be read').waitFor();
  await axe(page);
  await screenshot(page, 'filter-wrong');
  await filter.fill('status = "done"');
  await page.keyboard.press('Enter');
  await page.getByText('This filter cannot be read').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Views' }).click();
  await page.getByRole('menuitem', { name: 'Save this view…' }).click();
  await page.getByRole('dialog').getByRole('textbox', { name: 'Name' }).fill('Done ones');
  await page.keyboard.press('Enter');
  await page.getByText('The view is saved').first().waitFor();
  await page.goto('/#/records/tasks');
  await page.reload();
  await grid(page).waitFor();
  await page.getByRole('button', { name: 'Views' }).click();
  await page.getByRole('menuitemcheckbox', { name: /Done ones/ }).click();
  await page.waitForURL(/where=status/);
  assert.equal(await filter.inputValue(), 'status = "done"');
});

story('a deleted task waits in the trash and comes back', async ({ server, open }) => {
  const page = await open({ as: 'ana', route: '/records/tasks/1' });
  await panel(page).getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByText('Print the posters for the open day is in the trash').waitFor();
  await page.goto('/#/records/tasks?trash=1');
  const back = page.getByRole('button', { name: 'Bring back: Print the posters for the open day' });
  await back.waitFor();
  await axe(page);
  await screenshot(page, 'trash');
  await back.click();
  await page.getByText('The trash is empty').waitFor();
  assert.equal((await dataOf(server, '1'))['title'], 'Print the posters for the open day');
});

story('everything is found by name', async ({ open }) => {
  const page = await open({ as: 'ana', route: '/records' });
  await page.getByRole('heading', { name: 'Records', level: 1 }).waitFor();
  await page.keyboard.press('Control+k');
  const box = page.getByRole('combobox', { name: 'Pages, types, records by id, actions' });
  await box.waitFor();
  await axe(page);
  await box.fill('posters');
  await page.getByRole('option', { name: /Print the posters for the open day/ }).waitFor();
  await screenshot(page, 'palette');
  await page.keyboard.press('Enter');
  await panel(page).getByRole('heading', { name: 'Print the posters for the open day' }).waitFor();
  await page.locator('body').press('?');
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
});
