/** What people do with records: edit by keyboard, put right what was refused, change many, keep a view, bring back what was deleted. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { axe, eventually, screenshot, story, type Stet } from './harness';

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
  await panel(page).locator('.field-error').getByText(/^\/status: /).waitFor();
  // What is told there is not told once more.
  assert.equal(await page.getByText('was not saved').count(), 0);
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
  // Somebody is faster with one of them.
  await server.patch('tasks', '2', { priority: 1 });
  await dialog.getByRole('button', { name: 'Change them' }).click();
  await dialog.getByText('1 of 2 done').waitFor();
  await dialog.getByText('1 changed meanwhile and were left alone').waitFor();
  await screenshot(page, 'bulk-edit');
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  const priorities = async (): Promise<readonly unknown[]> => [(await dataOf(server, '1'))['priority'], (await dataOf(server, '2'))['priority']];
  assert.deepEqual(await priorities(), [3, 1]);
  await page.getByRole('button', { name: 'Undo', exact: true }).click();
  await page.getByText('As before again: 1').waitFor();
  assert.deepEqual(await priorities(), [2, 1]);
  // What was refused is still selected; with another one it goes to the trash, and comes back.
  await page.getByRole('checkbox', { name: 'Select Print the posters for the open day' }).check();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await page.getByRole('dialog', { name: 'Delete 2 records' }).getByRole('button', { name: 'Delete them' }).click();
  await page.getByRole('dialog').getByText('2 of 2 done').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
  await page.getByRole('checkbox', { name: 'Select Print the posters for the open day' }).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Undo', exact: true }).click();
  await page.getByText('As before again: 2').waitFor();
  await page.getByRole('checkbox', { name: 'Select Print the posters for the open day' }).waitFor();
  assert.deepEqual(await priorities(), [2, 1]);
});

story('a filter is completed, its mistakes are marked, and it is kept as a view for all tabs', async ({ open, tab }) => {
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
  await page.getByRole('button', { name: 'Done ones' }).click();
  await page.getByRole('menuitem', { name: 'Rename this view…' }).click();
  await page.getByRole('dialog').getByRole('textbox', { name: 'Name' }).fill('Finished');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Finished' }).waitFor();
  const other = await tab(page.context(), '/records/tasks');
  await other.getByRole('button', { name: 'Views' }).click();
  await other.getByRole('menuitemcheckbox', { name: /Finished/ }).click();
  await other.waitForURL(/where=status/);
  assert.equal(await other.getByRole('combobox', { name: 'Filter' }).inputValue(), 'status = "done"');
  await page.getByRole('button', { name: 'Finished' }).click();
  await page.getByRole('menuitem', { name: 'Delete this view' }).click();
  await other.getByRole('button', { name: 'Views' }).waitFor();
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

story('nobody loses what they wrote: an undo after others, a record that was deleted, a name that is taken', async ({ server, open }) => {
  const page = await open({ as: 'ana', route: '/records/tasks/3' });
  const status = panel(page).getByRole('combobox', { name: 'Status' });
  const save = () => panel(page).getByRole('button', { name: 'Save', exact: true }).click();
  const undo = page.getByRole('button', { name: 'Undo', exact: true });
  // What somebody else wrote in the same field since is not taken from them.
  await status.selectOption('blocked');
  await save();
  await undo.waitFor();
  await server.patch('tasks', '3', { status: 'done' });
  await undo.click();
  await page.getByText('Somebody changed the same since; what they did would be lost.').waitFor();
  assert.equal((await dataOf(server, '3'))['status'], 'done');
  // What they wrote elsewhere stays, and mine goes back.
  await status.selectOption('open');
  await save();
  await undo.waitFor();
  await server.patch('tasks', '3', { title: 'Book the small hall' });
  await undo.click();
  await page.getByText('The last change is undone').waitFor();
  const now = await dataOf(server, '3');
  assert.deepEqual([now['status'], now['title']], ['done', 'Book the small hall']);
  // It is deleted while I write: the form stays, and saving asks whether it shall come back.
  await panel(page).getByRole('heading', { name: 'Book the small hall' }).waitFor();
  await status.selectOption('in progress');
  const { version } = await server.record('tasks', '3');
  assert.equal((await server.ask('DELETE', '/v1/main/records/tasks/3', undefined, { headers: { 'If-Match': `"${version}"` } })).status, 200);
  await panel(page).getByText('Somebody deleted it while you were writing').waitFor();
  await axe(page);
  await save();
  const dialog = page.getByRole('dialog', { name: 'This task was deleted while you were editing it' });
  await dialog.waitFor();
  await axe(page);
  await screenshot(page, 'record-deleted-meanwhile');
  await dialog.getByRole('button', { name: 'Restore it with my changes' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await eventually(async () => assert.equal((await dataOf(server, '3'))['status'], 'in progress'));
  await panel(page).getByRole('textbox', { name: 'Title' }).waitFor();
  // A copy under a name that is taken: said at the name, once, and the copy stays.
  await panel(page).getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Duplicate' }).click();
  const id = panel(page).getByRole('textbox', { name: 'Id' });
  await id.fill('4');
  await panel(page).getByRole('button', { name: 'Create' }).click();
  await panel(page).getByText('The record exists already').waitFor();
  assert.equal(await page.getByText('was not saved').count(), 0);
  await id.fill('3-again');
  await panel(page).getByRole('textbox', { name: 'Title' }).fill('=SUM(1;2) "chairs", tables');
  await panel(page).getByRole('button', { name: 'Create' }).click();
  await panel(page).getByRole('heading', { name: '=SUM(1;2)' }).waitFor();
  assert.equal((await dataOf(server, '3-again'))['status'], 'in progress');
  await page.getByRole('navigation', { name: 'Types' }).getByText('26', { exact: true }).waitFor();
  // A spreadsheet that opens the list computes nothing of it.
  await page.goto('/#/records/tasks?where=status%20%3D%20%22in%20progress%22&sort=title');
  await grid(page).waitFor();
  await page.getByRole('button', { name: 'Actions', exact: true }).last().click();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'Export as CSV' }).click()]);
  const lines = readFileSync(await file.path(), 'utf8').split('\r\n');
  assert.match(lines[0] ?? '', /^\uFEFFid,title,status,/);
  assert.ok(lines.includes(lines.find((line) => line.startsWith(`3-again,"'=SUM(1;2) ""chairs"", tables",in progress,`)) ?? ''), lines.join('\n'));
  assert.ok(lines.slice(1, -1).every((line) => line.includes(',in progress,')), 'only what is shown');
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
