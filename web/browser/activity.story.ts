/** Activity: what happens is told as it happens, in words, and stands still while somebody reads. */
import assert from 'node:assert/strict';
import { screenshot, story } from './harness';

story('a change is told in words as it happens, with what it changed', async ({ server, open }) => {
  const page = await open({ as: 'olga', route: '/activity' });
  const list = page.getByRole('region', { name: 'What happened, newest first' });
  await list.getByRole('heading', { name: 'Today' }).waitFor();
  await server.patch('tasks', '1', { status: 'blocked' }, await server.tokenFor('marta'));
  const line = list.getByRole('button', { name: /marta changed status from open to blocked on Print the posters for the open day/ });
  await line.waitFor();
  assert.equal(await list.getByRole('button').first().evaluate((button) => button.textContent), await line.evaluate((button) => button.textContent), 'newest first');
  await line.click();
  const change = list.getByRole('row').filter({ hasText: 'status' });
  assert.deepEqual(await change.locator('del, ins').allTextContents(), ['open', 'blocked']);
  await list.getByRole('link', { name: 'Its history' }).click();
  await page.waitForURL(/#\/history\/tasks\/1/);
});

story('long sentences have room on a narrow screen', async ({ server, open }) => {
  const notes = 'The printer in the hall is out of toner again, and nobody knows where the new one is.';
  for (const id of ['1', '2', '3']) await server.patch('tasks', id, { notes: `${id}: ${notes}` }, await server.tokenFor('marta'));
  const page = await open({ as: 'olga', size: { width: 390, height: 844 }, route: '/activity' });
  const list = page.getByRole('region', { name: 'What happened, newest first' });
  await list.getByRole('button', { name: /changed notes from .* to 1: The printer/ }).waitFor();
  // Each row begins where the one above ends, once all were measured.
  await page.waitForFunction(() => {
    const boxes = [...document.querySelectorAll('main [role="listitem"]')].map((row) => row.getBoundingClientRect()).sort((one, other) => one.top - other.top);
    return boxes.length > 4 && boxes.every((box, index) => index === 0 || Math.abs(box.top - (boxes[index - 1]?.bottom ?? 0)) < 1);
  });
  await screenshot(page, 'activity-narrow');
});

story('pausing holds what comes, counts it, and shows it afterwards', async ({ server, open }) => {
  const page = await open({ as: 'olga', locale: 'es', theme: 'dark', route: '/activity' });
  const list = page.getByRole('region', { name: 'Lo que pasó' });
  await list.getByRole('button').first().waitFor();
  await page.getByRole('button', { name: 'Pausar' }).click();
  for (const status of ['blocked', 'done', 'open']) await server.patch('tasks', '2', { status });
  const resume = page.getByRole('button', { name: /^Seguir.*3/ });
  await resume.waitFor();
  assert.equal(await list.getByText('blocked', { exact: true }).count(), 0);
  await screenshot(page, 'activity-paused-es');
  await resume.click();
  await list.getByText('blocked', { exact: true }).first().waitFor();
});

story('filters are in the address and hold for what comes, and a wrong one says so', async ({ server, open }) => {
  const page = await open({ as: 'olga', route: '/activity' });
  const list = page.getByRole('region', { name: 'What happened, newest first' });
  await page.getByLabel('Type', { exact: true }).selectOption('tasks');
  const where = page.getByLabel('Only where');
  await where.fill("status = 'done' &&");
  await where.press('Enter');
  await page.getByText('The expression cannot be read').waitFor();
  await where.fill("status = 'done'");
  await where.press('Enter');
  await page.waitForURL(/where=/);
  await server.patch('tasks', '1', { status: 'blocked' });
  await server.patch('tasks', '2', { status: 'done' });
  await list.getByRole('button', { name: /to done on Write the invitation letter/ }).waitFor();
  assert.equal(await list.getByText('blocked', { exact: true }).count(), 0);
  await page.reload();
  assert.equal(await where.inputValue(), "status = 'done'");
});

story('what happened while the connection was away is told when it is back', async ({ server, person, tab }) => {
  const olga = await person({ as: 'olga' });
  const page = await tab(olga, '/activity');
  const list = page.getByRole('region', { name: 'What happened, newest first' });
  await list.getByRole('button').first().waitFor();
  await server.stop();
  await page.getByText('it catches up when it is back').waitFor();
  await server.start();
  await server.patch('tasks', '1', { status: 'blocked' });
  await list.getByRole('button', { name: /from open to blocked/ }).waitFor({ timeout: 40_000 });
  assert.equal(await list.getByRole('button', { name: /from open to blocked/ }).count(), 1);
});
