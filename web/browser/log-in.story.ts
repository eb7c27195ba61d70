/** Somebody logs in and sees what there is. */
import assert from 'node:assert/strict';
import { axe, logIn, passwords, screenshot, story } from './harness';

story('somebody logs in and sees the tasks', async ({ server, open }) => {
  const page = await open({ route: '/records/tasks' });
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  await axe(page);
  await screenshot(page, 'log-in');
  await logIn(page, 'ana', passwords[server.example]);
  await page.getByText('Print the posters for the open day').waitFor();
  await screenshot(page, 'tasks');
});

story('the form says so when the password is wrong, in Spanish', async ({ server, open }) => {
  const page = await open({ locale: 'es' });
  await page.getByLabel('Nombre').fill('ana');
  await page.getByLabel('Contraseña').fill('not this one');
  await page.getByRole('button', { name: 'Entrar' }).click();
  await page.getByText('El nombre o la contraseña no son correctos.').waitFor();
  assert.equal(await server.metric('stet_logins_total', 'result="refused"'), 1);
  await axe(page);
});

story('the first page can be used within a second', async ({ person, tab }) => {
  const ana = await person();
  // Without anything kept from before; the compiler of the browser is warm after the first.
  const times: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const page = await tab(ana);
    await page.getByLabel('Password').waitFor();
    times.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN));
    const addresses = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => new URL(name).origin));
    assert.deepEqual([...new Set(addresses)], [new URL(page.url()).origin]);
    await page.close();
  }
  console.log(`# first paint after ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  assert.ok(Math.min(...times) < 1000, `${times.join(', ')} ms`);
});
