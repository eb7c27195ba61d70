/** The same task open in the console twice: the first save is there at once, the second person is asked. */
import assert from 'node:assert/strict';
import { axe, screenshot, story } from './harness';

const words = {
  en: { save: 'Save', title: 'This task changed while you were editing it', apply: 'Refresh and apply my changes' },
  es: { save: 'Guardar', title: 'Esta tarea cambió mientras la editabas', apply: 'Refrescar y aplicar mis cambios' },
} as const;

for (const language of ['en', 'es'] as const) {
  const said = words[language];
  story(`in the console the second of two is asked (${language})`, async ({ server, open }) => {
    const ana = await open({ as: 'ana', locale: language, route: '/records/tasks/1' });
    const ben = await open({ as: 'ben', locale: language, theme: 'dark', route: '/records/tasks/1' });
    const status = (page: typeof ana) => page.getByRole('combobox', { name: 'Status' });
    await status(ana).selectOption('blocked');
    await status(ben).selectOption('done');
    await ana.getByRole('button', { name: said.save, exact: true }).click();
    await ana.getByText('v2', { exact: true }).waitFor();
    // Ben's page knows by now, and what he wrote stays.
    await ben.getByText('v2', { exact: true }).waitFor();
    assert.equal(await status(ben).locator('option:checked').textContent(), 'done');
    await ben.getByRole('button', { name: said.save, exact: true }).click();
    const dialog = ben.getByRole('dialog', { name: said.title });
    await dialog.waitFor();
    await axe(ben);
    await screenshot(ben, `console-conflict-${language}-dark`);
    await dialog.getByRole('button', { name: said.apply }).click();
    await dialog.waitFor({ state: 'hidden' });
    await ana.getByText('v3', { exact: true }).waitFor();
    assert.equal((await server.record('tasks', '1')).data['status'], 'done');
  });
}
