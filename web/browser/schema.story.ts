/** Schema: what is wrong with a definition is said where it is wrong, and nobody overwrites somebody else's. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { isObject, screenshot, story, type Stet } from './harness';

const definition = async (server: Stet): Promise<Readonly<Record<string, unknown>>> => {
  const { json } = await server.ask('GET', '/v1/main/types/tasks');
  assert.ok(isObject(json));
  return json;
};
const fieldOf = async (server: Stet, pointer: string): Promise<unknown> => {
  const { fields } = await definition(server);
  return isObject(fields) ? fields[pointer] : undefined;
};
const editor = (page: Page) => page.getByRole('form', { name: 'Edit tasks' });
const openField = async (page: Page, pointer: string): Promise<void> => editor(page).locator('button[aria-expanded]').filter({ hasText: pointer }).click();

story('a rule that cannot be is told at its field, and the definition is saved when it can', async ({ server, open }) => {
  const page = await open({ as: 'olga', route: '/schema/types/tasks' });
  await page.getByRole('link', { name: 'Edit' }).or(page.getByRole('button', { name: 'Edit' })).click();
  await openField(page, '/status');
  const merge = editor(page).getByLabel('When two change it');
  await merge.selectOption('delta');
  await editor(page).getByRole('button', { name: 'Save' }).click();
  const said = editor(page).getByRole('alert');
  await said.getByText('/fields/~1status').waitFor();
  assert.equal(await merge.getAttribute('aria-invalid'), 'true');
  assert.equal(await merge.evaluate((select) => select === document.activeElement), true, 'it has the focus');
  await screenshot(page, 'schema-wrong');
  assert.equal((await definition(server))['version'], 1, 'nothing was stored');

  await merge.selectOption('last_writer_wins');
  assert.equal(await said.count(), 0, 'what was said is gone with what was wrong');
  await editor(page).getByRole('button', { name: 'Check' }).click();
  await editor(page).getByText('It can be saved').waitFor();
  assert.equal((await definition(server))['version'], 1, 'trying stores nothing');
  await editor(page).getByRole('button', { name: 'Save' }).click();
  await page.getByText('tasks is declared').first().waitFor();
  assert.deepEqual(await fieldOf(server, '/status'), { type: 'string', enum: ['open', 'in progress', 'blocked', 'done'], default: 'open', merge: 'last_writer_wins' });
  await page.getByRole('row').filter({ hasText: '/status' }).getByText('the later one stays').waitFor();
});

story('records that do not fit are shown before they are passed over', async ({ server, open }) => {
  const page = await open({ as: 'olga', route: '/schema/types/tasks/edit' });
  await openField(page, '/priority');
  await editor(page).getByLabel('At most', { exact: true }).fill('2');
  await editor(page).getByRole('button', { name: 'Save' }).click();
  const said = editor(page).getByRole('alert');
  await said.getByText('records do not fit').first().waitFor();
  await said.getByRole('link', { name: /^tasks\// }).first().waitFor();
  const place = await said.boundingBox();
  assert.ok(place !== null && place.y > 90 && place.y < 400, `it is in sight, not at ${String(place?.y)}`);
  await screenshot(page, 'schema-violated');
  await said.getByRole('button', { name: 'Put it all the same' }).click();
  await page.getByText('tasks is declared').first().waitFor();
  const priority = await fieldOf(server, '/priority');
  assert.equal(isObject(priority) && priority['maximum'], 2);
});

story('a definition that somebody else changed meanwhile is not overwritten', async ({ server, open }) => {
  const page = await open({ as: 'olga', route: '/schema/types/tasks/edit' });
  await editor(page).getByLabel('Description').fill('Mine.');
  const { version, title, on_conflict, fields, index } = await definition(server);
  const put = await server.ask('PUT', '/v1/main/types/tasks', { title, on_conflict, fields, index, description: 'Theirs.' }, { headers: { 'If-Match': `"${String(version)}"` } });
  assert.equal(put.status, 200);
  await editor(page).getByRole('button', { name: 'Save' }).click();
  await editor(page).getByText('Somebody else changed the definition meanwhile').waitFor();
  assert.equal(await editor(page).getByLabel('Description').inputValue(), 'Mine.', 'what was typed can still be copied');
  assert.equal((await definition(server))['description'], 'Theirs.');
});

story('a type is made as JSON, in Spanish, and its versions are kept', async ({ server, open }) => {
  const page = await open({ as: 'olga', locale: 'es', theme: 'dark', route: '/schema' });
  await page.getByRole('button', { name: 'Tipo nuevo' }).click();
  await page.getByLabel('Nombre', { exact: false }).first().fill('rooms');
  await page.getByRole('tab', { name: 'JSON' }).click();
  const text = page.getByRole('textbox', { name: 'JSON' });
  await text.fill('{"title": ');
  await page.getByText('Una definición es un objeto JSON.').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Guardar' }).isDisabled(), true);
  await text.fill('{"title": "Sala", "fields": {"/seats": {"type": "integer", "minimum": 1}}}');
  await page.getByRole('button', { name: 'Guardar' }).click();
  await page.getByRole('heading', { name: 'Sala' }).waitFor();
  const { status, json } = await server.ask('GET', '/v1/main/types/rooms');
  assert.equal(status, 200);
  assert.equal(isObject(json) && json['title'], 'Sala');
  await page.getByRole('link', { name: 'Versiones' }).or(page.getByRole('button', { name: 'Versiones' })).click();
  await page.getByText('Primera versión').waitFor();
});

story('who is no administrator reads definitions and changes none', async ({ open }) => {
  const page = await open({ as: 'ana', route: '/schema/types/tasks/edit' });
  await page.getByRole('heading', { name: 'Task', exact: true }).waitFor();
  assert.equal(await page.getByRole('button', { name: /^(Edit|Save|New type)$/ }).count(), 0);
  assert.equal(await page.getByRole('form').count(), 0);
});
