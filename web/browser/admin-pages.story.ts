/** Every page of administration, for everybody who may come to it: nothing for axe to find, and nothing wider than the screen. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { axe, passwords, screenshot, story, type Stage, type Stet } from './harness';

/** Makes something to see on each page. */
const fill = async (server: Stet): Promise<void> => {
  await server.patch('tasks', '1', { status: 'blocked', notes: 'The printer is out of paper.' });
  await server.patch('tasks', '2', { status: 'done' });
  const asked = [
    server.ask('PUT', '/v1/main/settings', { limits: { records: 1000 }, alerts: { behind: { measure: 'queue_depth', above: 0 } } }),
    server.ask('POST', '/v1/main/operations', { lane: 'agents', agent: 'planner', op_type: 'trip', input: {} }),
    server.ask('POST', '/v1/main/links', { kind: 'invite', user: 'zoe', roles: ['sales'] }),
    server.ask('PUT', '/v1/main/functions/close', { source: 'return function (input)\n  return input\nend\n' }),
  ];
  for (const { status, json } of await Promise.all(asked)) assert.ok(status < 300, JSON.stringify(json));
};

/** Where to go, and what is there when the page has come. */
interface Stop {
  readonly route: string;
  readonly shows: (page: Page) => ReturnType<Page['locator']>;
}
const stop = (route: string, shows: (page: Page) => ReturnType<Page['locator']>): Stop => ({ route, shows });
const activity = stop('/activity', (page) => page.locator('.activity-line, .empty').first());
const dashboard = stop('/dashboard', (page) => page.getByRole('heading', { name: 'Storage' }));

const looks = [[1280, 'light'], [1280, 'dark'], [390, 'dark']] as const;

/** Looks at each stop in both themes, wide and narrow. */
const look = async (page: Page, who: string, stops: readonly Stop[]): Promise<void> => {
  for (const { route, shows } of stops) {
    await page.goto(`/#${route}`);
    await shows(page).waitFor();
    for (const [width, colorScheme] of looks) {
      await page.setViewportSize({ width, height: 844 });
      await page.emulateMedia({ colorScheme });
      await axe(page);
      await screenshot(page, `admin-${who}${route.replaceAll('/', '-')}-${width}-${colorScheme}`);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(over <= 0, `${route} is ${over} pixels wider than ${width}`);
    }
  }
};

const editStop = stop('/schema/types/tasks/edit', (page) => page.getByRole('button', { name: 'Save' }));
const typeStop = stop('/schema/types/tasks', (page) => page.getByRole('row').filter({ hasText: '/status' }));

story('a member finds pages that all can use', async ({ server, open }: Stage) => {
  await fill(server);
  const page = await open({ as: 'ana', route: '/activity' });
  await look(page, 'member', [activity, dashboard, stop('/people', (at) => at.getByText('This one')), typeStop, stop('/schema/settings', (at) => at.getByText('behind', { exact: true }))]);
}, { timeoutMs: 180_000 });

story('an administrator of the space finds pages that all can use', async ({ server, open }) => {
  await fill(server);
  const page = await open({ as: 'olga', route: '/activity' });
  await look(page, 'admin', [
    activity,
    dashboard,
    stop('/people', (at) => at.getByRole('row').filter({ hasText: 'ben' })),
    stop('/people/users/ana', (at) => at.getByRole('region', { name: 'Show ana' }).getByText('Not logged in anywhere.')),
    stop('/people/links', (at) => at.getByRole('row').filter({ hasText: 'zoe' })),
    stop('/people/me', (at) => at.getByText('This one')),
    typeStop,
    editStop,
    stop('/schema/types/tasks/versions', (at) => at.getByText('First version')),
    stop('/schema/functions/close', (at) => at.getByText('return input')),
    stop('/schema/handlers', (at) => at.getByText('There is no handler')),
    stop('/schema/settings', (at) => at.getByText('behind', { exact: true })),
  ]);
}, { timeoutMs: 300_000 });

story('an administrator of the server finds pages that all can use, with content and without', async ({ server, person }) => {
  const page = await (await person()).newPage();
  const password = passwords[server.example];
  assert.equal((await server.ask('POST', '/v1/stet/users', { id: 'root', password, roles: ['admin'] })).status, 201);
  assert.equal((await page.request.post('/v1/stet/session', { data: { user: 'root', password } })).status(), 201);
  await look(page, 'server', [dashboard, stop('/people/tokens', (at) => at.getByRole('button', { name: 'New token' })), stop('/people/me', (at) => at.getByText('account of the server')), stop('/people/links', (at) => at.getByText('No link waits'))]);
  // A space of which nobody made anything yet.
  assert.ok((await server.ask('PUT', '/v1/fresh')).status < 300);
  await look(page, 'fresh', ['activity', 'people', 'schema'].map((name) => stop(`/~fresh/${name}`, (at) => at.locator('.empty').first())));
}, { timeoutMs: 240_000 });

story('the dialogs of administration are named and can be used', async ({ open }) => {
  const page = await open({ as: 'olga', route: '/people' });
  const each = async (name: string, opens: () => Promise<void>): Promise<void> => {
    await opens();
    await page.getByRole('dialog').waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await axe(page);
      await screenshot(page, `admin-dialog-${name}-${colorScheme}`);
    }
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  };
  await each('invite', () => page.getByRole('button', { name: 'Invite', exact: true }).click());
  await each('add', () => page.getByRole('button', { name: 'Add with a password' }).click());
  await page.goto('/#/people/users/ben');
  await each('disable', () => page.getByRole('button', { name: 'Disable' }).click());
  await page.goto('/#/schema/settings');
  await each('alert', () => page.getByRole('button', { name: 'Watch something' }).click());
}, { timeoutMs: 120_000 });
