/** What waits for a person, told in the console: the inbox with its deadlines, and the history of a record. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { axe, screenshot, story, type Stage } from './harness';

const dialog = (page: Page) => page.getByRole('dialog');

/** Ben writes from an old version and asks for a person to decide. Answers the conflict's id. */
const park = async ({ server }: Stage, id: string, patch: Readonly<Record<string, unknown>>, theirs: Readonly<Record<string, unknown>>): Promise<string> => {
  const [ana, ben] = [await server.tokenFor('ana'), await server.tokenFor('ben')];
  const { version } = await server.record('tasks', id);
  await server.patch('tasks', id, theirs, ana);
  const { status, json } = await server.ask('PATCH', `/v1/main/records/tasks/${id}?on_conflict=ask`, patch, {
    token: ben,
    headers: { 'If-Match': `"${version}"`, 'Content-Type': 'application/merge-patch+json' },
  });
  assert.equal(status, 202, JSON.stringify(json));
  return String((json as { readonly conflict_id?: unknown }).conflict_id);
};

story('a conflict that waits is found in the inbox and decided', async (stage) => {
  await park(stage, '1', { status: 'done' }, { status: 'blocked' });
  await park(stage, '2', { priority: 3 }, { priority: 1 });
  const page = await stage.open({ as: 'ben', route: '/conflicts' });
  await page.getByRole('heading', { name: 'To be decided' }).waitFor();
  await page.getByRole('link', { name: 'Conflicts 2', exact: false }).first().waitFor();
  await page.getByText('left').first().waitFor();
  await axe(page);
  await screenshot(page, 'conflicts-light');
  await page.getByRole('button', { name: 'Decide: Task 1' }).click();
  await dialog(page).getByRole('heading', { name: 'This task changed while you were editing it' }).waitFor();
  await dialog(page).getByText('To be decided within').waitFor();
  await axe(page);
  await screenshot(page, 'conflicts-dialog-light');
  // Another page, and back: leaving is no answer.
  await page.evaluate(() => (location.hash = '#/queue'));
  await page.getByRole('heading', { name: 'Queue', level: 1 }).waitFor();
  await dialog(page).waitFor({ state: 'hidden' });
  await page.goBack();
  await dialog(page).getByText('To be decided within').waitFor();
  // It moves on while the dialog is open: what was chosen stays, and the dialog says so.
  await stage.server.patch('tasks', '1', { status: 'in progress' });
  await dialog(page).getByText('It changed again while you were deciding.').waitFor();
  await dialog(page).getByRole('button', { name: 'Refresh and apply my changes' }).click();
  await dialog(page).waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Decide: Task 1' }).waitFor({ state: 'detached' });
  assert.equal((await stage.server.record('tasks', '1')).data['status'], 'done');
  // The other one is settled from the list, as it stands.
  await page.getByRole('checkbox', { name: 'Select all that wait' }).check();
  await page.getByRole('button', { name: 'Keep as it is (1)' }).click();
  await dialog(page).getByRole('button', { name: 'Keep as it is' }).click();
  await page.getByRole('button', { name: 'Decide: Task 2' }).waitFor({ state: 'detached' });
  assert.equal((await stage.server.record('tasks', '2')).data['priority'], 1);
});

story('the inbox in Spanish, in the dark, on a narrow screen; and empty', async (stage) => {
  await park(stage, '1', { status: 'done' }, { status: 'blocked' });
  const page = await stage.open({ as: 'ben', locale: 'es', theme: 'dark', size: { width: 400, height: 800 }, route: '/conflicts' });
  await page.getByRole('button', { name: 'Decidir: Task 1' }).click();
  await dialog(page).getByRole('heading', { name: 'Esta tarea cambió mientras la editabas' }).waitFor();
  await axe(page);
  await screenshot(page, 'conflicts-dialog-narrow-dark');
  await dialog(page).getByRole('button', { name: 'Decidir más tarde' }).click();
  await page.getByText('No se guardó nada. Tus cambios esperan hasta que decidas.').waitFor();
  await axe(page);
  await screenshot(page, 'conflicts-narrow-dark');
  await page.getByRole('button', { name: 'Decidir: Task 1' }).click();
  await dialog(page).getByRole('button', { name: 'Descartar mis cambios' }).click();
  await page.getByRole('button', { name: 'Decidir: Task 1' }).waitFor({ state: 'detached' });
  assert.equal((await stage.server.record('tasks', '1')).data['status'], 'blocked');
  const other = await stage.open({ as: 'ana', route: '/conflicts' });
  await other.getByRole('heading', { name: 'Nothing to decide' }).waitFor();
  await axe(other);
  await screenshot(other, 'conflicts-empty-light');
});

story('the history of a record is compared, and an earlier version put back', async (stage) => {
  const { server } = stage;
  const [ana, ben] = [await server.tokenFor('ana'), await server.tokenFor('ben')];
  await server.patch('tasks', '1', { status: 'blocked' }, ana);
  await server.patch('tasks', '1', { notes: 'A2, glossy; the shop needs two days and a deposit.' }, ben);
  const merged = await server.ask('PATCH', '/v1/main/records/tasks/1', { priority: 1 }, {
    token: ana,
    headers: { 'If-Match': '"2"', 'Content-Type': 'application/merge-patch+json' },
  });
  assert.equal(merged.status, 200, JSON.stringify(merged.json));
  const page = await stage.open({ as: 'ben', route: '/history/tasks/1' });
  await page.getByRole('heading', { name: 'Version 3 and version 4' }).waitFor();
  await page.getByText('Merged (merge)').click();
  await axe(page);
  await screenshot(page, 'history-light');
  await page.getByRole('link', { name: 'Version 3' }).click();
  await page.getByRole('heading', { name: 'Version 2 and version 3' }).waitFor();
  await page.locator('ins').first().waitFor();
  await screenshot(page, 'history-text-light');
  await page.getByRole('button', { name: 'Put version 3 back' }).click();
  await dialog(page).getByRole('button', { name: 'Put version 3 back' }).click();
  await page.getByRole('heading', { name: 'Version 4 and version 5' }).waitFor();
  assert.equal((await server.record('tasks', '1')).data['priority'], 2);
  // A link to two versions leads there again, for somebody else as well.
  const other = await stage.open({ as: 'ana', locale: 'es', theme: 'dark', route: '/history/tasks/1?left=1&right=4' });
  await other.getByRole('heading', { name: 'Versión 1 y versión 4' }).waitFor();
  await other.getByRole('rowheader', { name: 'Status' }).waitFor();
  await axe(other);
  await screenshot(other, 'history-dark');
});

story('a conflict that somebody else settles, a record that is gone, and a notice that is put away', async (stage) => {
  const { server } = stage;
  const first = await park(stage, '1', { status: 'done' }, { status: 'blocked' });
  await park(stage, '2', { status: 'done', assignee: 'ben' }, { status: 'blocked' });
  const page = await stage.open({ as: 'ben', route: '/conflicts' });
  const decide = (name: string) => page.getByRole('button', { name: `Decide: ${name}` });
  const unread = (count: number) => page.getByRole('link', { name: `Conflicts ${count}`, exact: false }).first().waitFor();
  await decide('Task 1').waitFor();
  await unread(2);
  await page.getByText('24 h left').first().waitFor();
  // Somebody decides while the dialog is open: it gives way, and a notice says who it was.
  await decide('Task 1').click();
  await dialog(page).waitFor();
  const settled = await server.ask('POST', '/v1/main/conflicts/resolve', { conflicts: [{ id: first, choice: 'current' }] });
  assert.equal(settled.status, 200, JSON.stringify(settled.json));
  await dialog(page).waitFor({ state: 'hidden' });
  await page.getByText('admin decided it.').waitFor();
  await page.getByRole('button', { name: 'Dismiss: Task 1' }).click();
  await page.getByText('admin decided it.').waitFor({ state: 'detached' });
  // The record is deleted: to decide is to bring it back, or to let it go.
  const { version } = await server.record('tasks', '2');
  assert.equal((await server.ask('DELETE', '/v1/main/records/tasks/2', undefined, { headers: { 'If-Match': `"${version}"` } })).status, 200);
  await decide('Task 2').click();
  await dialog(page).getByRole('heading', { name: 'This task was deleted while you were editing it' }).waitFor();
  await dialog(page).getByRole('button', { name: 'Leave it deleted' }).click();
  await page.getByRole('heading', { name: 'Nothing to decide' }).waitFor();
  assert.equal((await server.ask('GET', '/v1/main/records/tasks/2')).status, 404);
  // As it was at a time.
  await page.goto('/#/history/tasks/1');
  const travel = async (time: string, said: string): Promise<void> => {
    await page.getByLabel('As it was at').fill(time);
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByText(said).waitFor();
  };
  await travel('2001-01-01T00:00:01', 'At that time it did not exist.');
  await travel('2099-01-01T00:00:01', 'At that time it was version 2.');
});
