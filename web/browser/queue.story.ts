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
const claim = async (server: Stet, agent = 'planner'): Promise<{ readonly id: string; readonly lease: number }> => {
  const { json } = await server.ask('POST', '/v1/main/lanes/agents/claim', { agent, ttl_s: 60 });
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

story('a lane is paused, drained and taken up again from its card, and two agents are seen at work', async ({ server, open }) => {
  for (const [opType, agent] of [['alpha', 'planner'], ['beta', 'scout'], ['gamma', 'planner'], ['delta', 'scout']] as const) {
    assert.equal((await server.ask('POST', '/v1/main/operations', { lane: 'agents', agent, op_type: opType, input: {} })).status, 202);
  }
  assert.ok((await server.ask('PUT', '/v1/main/lanes/agents', { width: 2 })).status < 300);
  const page = await open({ as: 'olga', route: '/queue' });
  const act = async (what: string): Promise<void> => {
    await page.getByRole('button', { name: 'Actions for the lane agents' }).click();
    await page.getByRole('menuitem', { name: what }).click();
  };
  const tag = (words: string) => page.getByRole('listitem').getByText(words, { exact: true });
  await act('Pause');
  await tag('Paused').waitFor();
  const { json } = await server.ask('GET', '/v1/main/lanes/agents');
  assert.equal(isObject(json) && json['paused'], true);
  await act('Resume');
  await tag('Paused').waitFor({ state: 'detached' });
  await act('Drain');
  await tag('Draining').waitFor();
  assert.equal((await server.ask('POST', '/v1/main/operations', { lane: 'agents', agent: 'planner', op_type: 'late', input: {} })).status, 429);
  await act('Resume');
  await tag('Draining').waitFor({ state: 'detached' });
  for (const [opType, agent, percent] of [['alpha', 'planner', 30], ['beta', 'scout', 70]] as const) {
    const work = await claim(server, agent);
    await server.ask('POST', `/v1/main/operations/${work.id}/progress`, { lease: work.lease, percent, message: `${agent} is at it` });
    await row(page, opType).getByText(`${agent} is at it`).waitFor();
    assert.equal(await row(page, opType).getByRole('progressbar').getAttribute('aria-valuenow'), String(percent));
  }
  await row(page, 'delta').getByRole('img', { name: 'Position 2' }).waitFor();
  // Taken away from the agent that works on it.
  await row(page, 'alpha').click();
  await page.getByRole('region', { name: 'Operation' }).getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel the operation' }).click();
  await page.getByRole('region', { name: 'Operation' }).getByText('Cancelled').first().waitFor();
}, { example: 'tasks' });
