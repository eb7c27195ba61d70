/** The queue: places count down while an agent works, work is asked for and cancelled. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { axe, isObject, screenshot, story, type Stet } from './harness';

const ask = async (server: Stet, opType: string): Promise<string> => {
  const { status, json } = await server.ask('POST', '/v1/main/operations', { lane: 'agents', agent: 'planner', op_type: opType, input: { goal: opType } });
  assert.equal(status, 202);
  return isObject(json) ? String(json['id']) : '';
};

/** Takes what is next, as an agent does. */
const claim = async (server: Stet): Promise<{ readonly id: string; readonly lease: number }> => {
  const { json } = await server.ask('POST', '/v1/main/lanes/agents/claim', { agent: 'planner', ttl_s: 60 });
  const [first]: readonly unknown[] = isObject(json) && Array.isArray(json['operations']) ? json['operations'] : [];
  const lease = isObject(first) ? first['lease'] : null;
  if (!isObject(first) || !isObject(lease)) throw new Error('there was nothing to claim');
  return { id: String(first['id']), lease: Number(lease['token']) };
};
const row = (page: Page, opType: string) => page.getByRole('row').filter({ hasText: opType });

story('places in the queue count down while an agent works', async ({ server, open }) => {
  for (const opType of ['first', 'second', 'third']) await ask(server, opType);
  const page = await open({ as: 'olga', route: '/queue' });
  await row(page, 'third').getByRole('img', { name: 'Position 3' }).waitFor();
  await page.getByText('stet agent planner').first().waitFor();

  const work = await claim(server);
  await row(page, 'third').getByRole('img', { name: 'Position 2' }).waitFor();
  await server.ask('POST', `/v1/main/operations/${work.id}/progress`, { lease: work.lease, percent: 40, message: 'halfway there' });
  await row(page, 'first').getByText('halfway there').waitFor();
  assert.equal(await row(page, 'first').getByRole('progressbar').getAttribute('aria-valuenow'), '40');
  await row(page, 'first').click();
  await page.getByRole('region', { name: 'Operation' }).getByText('halfway there').first().waitFor();
  await axe(page);
  await screenshot(page, 'queue');

  await server.ask('POST', `/v1/main/operations/${work.id}/complete`, { lease: work.lease, result: { done: true } });
  await page.getByRole('region', { name: 'Operation' }).getByText('Completed').first().waitFor();
  await claim(server);
  await row(page, 'third').getByRole('img', { name: 'Position 1' }).waitFor();
}, { example: 'tasks' });

story('work is asked for in the queue, and cancelled, in Spanish', async ({ server, open }) => {
  const page = await open({ as: 'olga', locale: 'es', theme: 'dark', route: '/queue' });
  await page.getByText('No hay nada en espera').waitFor();
  await axe(page);
  await page.getByRole('button', { name: 'Pedir trabajo' }).first().click();
  const form = page.getByRole('dialog');
  await form.getByRole('button', { name: 'Pedir', exact: true }).click();
  await form.getByText('Esto es necesario.').waitFor();
  await form.getByLabel('Agente', { exact: false }).last().fill('planner');
  await form.getByLabel('Entrada').fill('{"goal": "a trip"}');
  await form.getByLabel('Tipo de trabajo').fill('viaje');
  await form.getByRole('button', { name: 'Probar' }).click();
  await form.getByText('Quedaría en el puesto 1').waitFor();
  await axe(page);
  await form.getByRole('button', { name: 'Pedir', exact: true }).click();
  const panel = page.getByRole('region', { name: 'Operación' });
  await panel.getByText('viaje').first().waitFor();
  await screenshot(page, 'queue-asked-es');

  await panel.getByRole('button', { name: 'Cancelar' }).click();
  await page.getByRole('dialog').getByLabel('Por qué (opcional)').fill('ya no hace falta');
  await page.getByRole('dialog').getByRole('button', { name: 'Cancelar la operación' }).click();
  await panel.getByText('ya no hace falta').first().waitFor();
  const { json } = await server.ask('GET', '/v1/main/operations?status=cancelled');
  assert.equal(isObject(json) && Array.isArray(json['operations']) ? json['operations'].length : 0, 1);
}, { example: 'tasks' });

story('a lane is paused from its card', async ({ server, open }) => {
  await ask(server, 'first');
  const page = await open({ as: 'olga', route: '/queue' });
  await page.getByRole('button', { name: 'Actions for the lane agents' }).click();
  await page.getByRole('menuitem', { name: 'Pause' }).click();
  await page.getByRole('listitem').getByText('Paused').waitFor();
  const { json } = await server.ask('GET', '/v1/main/lanes/agents');
  assert.equal(isObject(json) && json['paused'], true);
}, { example: 'tasks' });
