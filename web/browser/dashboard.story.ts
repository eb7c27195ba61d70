/** The dashboard: numbers that follow what is done, and alerts that come and go by themselves. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { eventually, screenshot, story, type Stet } from './harness';

const figure = (page: Page, name: string) => page.locator('section').filter({ has: page.getByRole('heading', { name, exact: true }) });
const number = async (page: Page, name: string): Promise<string> => (await figure(page, name).locator('strong').first().textContent()) ?? '';
const write = async (server: Stet, count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) await server.patch('tasks', '1', { notes: `turn ${turn}` });
};

story('writes become numbers and lines, which can be read as a table', async ({ server, open }) => {
  const page = await open({ as: 'olga', route: '/dashboard' });
  await figure(page, 'Writes').waitFor();
  // As long as nobody wrote there is no time of a commit.
  assert.equal(await number(page, 'Commit time'), '–');
  await eventually(async () => {
    await write(server, 5);
    assert.match(await number(page, 'Writes'), /^[\d.,]*[1-9]/);
  });
  await eventually(async () => assert.match(await number(page, 'Commit time'), /\d.* (µs|ms|s)/));
  const line = figure(page, 'Writes').getByRole('img');
  assert.match((await line.getAttribute('aria-label')) ?? '', /^writes a second: now .+, least .+, most .*[1-9]/);
  await eventually(async () => assert.match((await line.locator('path').last().getAttribute('d')) ?? '', /^M.*L/));
  await figure(page, 'Writes').getByRole('button', { name: 'Writes: As a table' }).click();
  const table = figure(page, 'Writes').getByRole('table');
  await table.waitFor();
  assert.ok((await table.getByRole('row').count()) > 2);
  await screenshot(page, 'dashboard-table');
});

story('an alert is set, fires and is over', async ({ server, open }) => {
  const page = await open({ as: 'olga', route: '/dashboard' });
  await page.getByRole('link', { name: 'Choose what to watch' }).click();
  await page.getByRole('button', { name: 'Watch something' }).click();
  const dialog = page.getByRole('dialog');
  const name = dialog.getByLabel('Name');
  await name.fill('agents behind');
  await dialog.getByText('No spaces').waitFor();
  await name.fill('agents-behind');
  await dialog.getByLabel('Measure').selectOption('queue_depth');
  await dialog.getByLabel('Above').fill('0');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('The settings are saved').first().waitFor();
  const { status } = await server.ask('POST', '/v1/main/operations', { lane: 'agents', agent: 'planner', op_type: 'trip', input: {} });
  assert.equal(status, 202);
  await page.getByRole('link', { name: 'Dashboard' }).click();
  const alert = page.getByRole('listitem').filter({ hasText: 'agents-behind' });
  await alert.getByText('Firing').waitFor();
  await alert.getByText('1, above 0').waitFor();
  await page.getByRole('row').filter({ hasText: 'agents' }).getByText('1', { exact: true }).waitFor();
  await screenshot(page, 'dashboard-alert');
  const { json } = await server.ask('GET', '/v1/main/operations');
  const id = /"id":"([^"]+)"/.exec(JSON.stringify(json))?.[1] ?? '';
  assert.equal((await server.ask('POST', `/v1/main/operations/${id}/cancel`, {})).status, 200);
  await alert.getByText('Over', { exact: true }).waitFor();
});

story('who is no administrator sees what everybody may see', async ({ open }) => {
  const page = await open({ as: 'ana', locale: 'es', theme: 'dark', route: '/dashboard' });
  await figure(page, 'Escrituras').waitFor();
  await page.getByText('Algunos números son para quien administra').waitFor();
  assert.equal(await figure(page, 'Tiempo de una confirmación').count(), 0);
});
