/** People: whoever is invited comes in, a lost password is set anew, and access that is taken away is gone at once. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { isObject, logIn, passwords, screenshot, story, type Stet } from './harness';

const password = 'a lamp behind the door';
/** A link that was just made, as it can be copied. */
const linkIn = async (page: Page): Promise<string> => {
  const field = page.getByRole('group', { name: 'The link is ready' }).getByRole('textbox');
  await field.waitFor();
  assert.equal(await field.evaluate((input) => input === document.activeElement), true, 'it has the focus, to be copied at once');
  return field.inputValue();
};
const choosePassword = async (page: Page, chosen: string): Promise<void> => {
  await page.getByRole('heading', { name: 'Choose a password' }).waitFor();
  await page.getByLabel('Password', { exact: false }).first().fill(chosen);
  await page.getByLabel('Password, once more', { exact: false }).fill(chosen);
  await page.getByRole('button', { name: 'Set it and log in' }).click();
  await page.getByRole('heading', { name: 'Records', level: 1 }).or(page.getByText('Print the posters for the open day')).first().waitFor();
};

story('somebody is invited, opens the link and is in', async ({ open, person }) => {
  const olga = await open({ as: 'olga', route: '/people' });
  await olga.getByRole('button', { name: 'Invite', exact: true }).click();
  const dialog = olga.getByRole('dialog', { name: 'Invite somebody' });
  const name = dialog.getByLabel('Name', { exact: true });
  await name.waitFor();
  assert.equal(await name.evaluate((input) => input === document.activeElement), true, 'one can type at once');
  await name.fill('Zoe Marín');
  await dialog.getByLabel('Login name').fill('zoe');
  await dialog.getByLabel('Roles').fill('sales');
  await dialog.getByRole('button', { name: 'Make the link' }).click();
  const link = await linkIn(olga);
  await screenshot(olga, 'people-invited');
  await dialog.getByRole('button', { name: 'Done' }).click();
  await olga.getByRole('tab', { name: 'Links that wait' }).click();
  await olga.getByRole('row').filter({ hasText: 'zoe' }).getByText('Invitation').waitFor();

  const zoe = await (await person()).newPage();
  await zoe.goto(link);
  await choosePassword(zoe, password);
  assert.ok(!zoe.url().includes(link.slice(-20)), 'the secret leaves the address');

  // They stand among the users, with the name and the role they were given, and the link waits no more.
  await olga.reload();
  await olga.getByText('No link waits').waitFor();
  await olga.getByRole('tab', { name: 'Users' }).click();
  await olga.getByRole('row').filter({ hasText: 'Zoe Marín' }).getByText('sales').waitFor();
  // And can come again with the password.
  const again = await (await person()).newPage();
  await again.goto('/');
  await logIn(again, 'zoe', password);
});

story('a link sets a new password, once', async ({ open, person, server }) => {
  const olga = await open({ as: 'olga', route: '/people/users/ana' });
  const panel = olga.getByRole('region', { name: 'Show ana' });
  await panel.getByRole('button', { name: 'Make the link' }).click();
  const link = await linkIn(olga);
  const ana = await (await person()).newPage();
  await ana.goto(link);
  await choosePassword(ana, password);
  const refused = await server.ask('POST', '/v1/main/session', { user: 'ana', password: passwords[server.example] }, { token: null });
  assert.equal(refused.status, 401);
  const late = await (await person()).newPage();
  await late.goto(link);
  await late.getByLabel('Password', { exact: false }).first().fill('another one entirely');
  await late.getByLabel('Password, once more', { exact: false }).fill('another one entirely');
  await late.getByRole('button', { name: 'Set it and log in' }).click();
  await late.getByText('This link was used already, or is too old.').waitFor();
});

story('a session that is ended elsewhere is over there', async ({ open }) => {
  const there = await open({ as: 'ana', route: '/records/tasks' });
  await there.getByText('Print the posters for the open day').waitFor();
  const here = await open({ as: 'ana', route: '/people' });
  const mine = here.getByRole('listitem').filter({ hasText: 'This one' });
  await mine.waitFor();
  assert.equal(await mine.getByRole('button', { name: 'End' }).count(), 0, 'nobody shuts themselves out by mistake');
  await here.getByRole('button', { name: 'End', exact: true }).click();
  await here.getByRole('dialog').getByText('logged out within a second').waitFor();
  await here.getByRole('dialog').getByRole('button', { name: 'End', exact: true }).click();
  await here.getByText('The session is over', { exact: true }).first().waitFor();
  await there.getByText('Your session is over').first().waitFor();
  await there.locator('input[name=password]').waitFor();
});

story('who is disabled is out, and comes back when they are enabled', async ({ open, server }) => {
  const ana = await open({ as: 'ana', route: '/records/tasks' });
  await ana.getByText('Print the posters for the open day').waitFor();
  const olga = await open({ as: 'olga', route: '/people/users/ana' });
  await olga.getByRole('button', { name: 'Disable' }).click();
  const sure = olga.getByRole('dialog', { name: 'Disable ana?' });
  await sure.getByText('cannot log in again').waitFor();
  await sure.getByRole('button', { name: 'Disable' }).click();
  await olga.getByRole('row').filter({ hasText: 'ana' }).getByText('Disabled').waitFor();
  await ana.getByText('Your session is over').first().waitFor();
  const ask = () => server.ask('POST', '/v1/main/session', { user: 'ana', password: passwords[server.example] }, { token: null });
  assert.equal((await ask()).status, 401);
  await olga.getByRole('button', { name: 'Enable' }).click();
  await olga.getByRole('dialog').getByRole('button', { name: 'Enable' }).click();
  await olga.getByRole('row').filter({ hasText: 'ana' }).getByText('Active').waitFor();
  assert.equal((await ask()).status, 201);
});

/** Somebody of the space `stet`, logged in there: an administrator of the whole server. */
const asServerAdmin = async (server: Stet, page: Page, route: string): Promise<void> => {
  const user = { id: 'root', password, roles: ['admin'] };
  assert.equal((await server.ask('POST', '/v1/stet/users', user)).status, 201);
  assert.equal((await page.request.post('/v1/stet/session', { data: { user: user.id, password } })).status(), 201);
  await page.goto(`/#${route}`);
};

story('a token is shown once, works, and is refused when it is revoked', async ({ person, server }) => {
  const page = await (await person()).newPage();
  await asServerAdmin(server, page, '/people/tokens');
  await page.getByRole('button', { name: 'New token' }).click();
  const dialog = page.getByRole('dialog', { name: 'Make a token' });
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.getByText('This is needed.').waitFor();
  await dialog.getByLabel('Acts as').fill('importer');
  await dialog.getByLabel('What it is for').fill('the night import');
  await dialog.getByRole('button', { name: 'Create' }).click();
  const secret = await dialog.getByRole('textbox', { name: 'The token is ready' }).inputValue();
  await screenshot(page, 'people-token');
  const who = await server.ask('GET', '/v1/main/session', undefined, { token: secret });
  assert.equal(isObject(who.json) && who.json['actor'], 'importer');
  await dialog.getByRole('button', { name: 'Done' }).click();
  const row = page.getByRole('row').filter({ hasText: 'the night import' });
  await row.waitFor();
  assert.ok(!(await page.content()).includes(secret), 'it is shown this once');
  await page.reload();
  await row.waitFor();
  assert.ok(!(await page.content()).includes(secret));
  await row.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await row.waitFor({ state: 'detached' });
  assert.equal((await server.ask('GET', '/v1/main/session', undefined, { token: secret })).status, 401);
});

story('who is no administrator finds their own account, in Spanish', async ({ open, server }) => {
  const page = await open({ as: 'ana', locale: 'es', route: '/people' });
  await page.getByLabel('Contraseña actual').fill('nope');
  await page.getByLabel('Contraseña nueva').fill('corta');
  await page.getByRole('button', { name: 'Cambiar la contraseña' }).click();
  await page.getByText('Al menos 8 caracteres, como mucho 1024.').waitFor();
  await page.getByLabel('Contraseña actual').fill(passwords[server.example]);
  await page.getByLabel('Contraseña nueva').fill(password);
  await page.getByRole('button', { name: 'Cambiar la contraseña' }).click();
  await page.getByText('La contraseña está cambiada').first().waitFor();
  assert.equal((await server.ask('POST', '/v1/main/session', { user: 'ana', password }, { token: null })).status, 201);
  assert.equal(await page.getByRole('tab').count(), 0);
});
