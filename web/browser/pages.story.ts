/** Every page of the console, for everybody who may come to it, with something on it and with nothing: axe-core finds no barrier, nothing is
 *  wider than the screen, and what can be seen is kept. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { axe, passwords, screenshot, story, type Stet } from './harness';

/** How a page is looked at. `contrast`: the same parts as in the look before, in other colours. */
interface Look {
  readonly name: string;
  readonly width: number;
  readonly theme: 'light' | 'dark';
  readonly judge: 'all' | 'contrast';
}
const wideLight: Look = { name: 'light', width: 1280, theme: 'light', judge: 'all' };
const wideDark: Look = { name: 'dark', width: 1280, theme: 'dark', judge: 'all' };
const darkColours: Look = { ...wideDark, judge: 'contrast' };
const narrowLight: Look = { name: 'light-narrow', width: 390, theme: 'light', judge: 'all' };
const narrowDark: Look = { name: 'dark-narrow', width: 390, theme: 'dark', judge: 'all' };

/** Goes to each route and looks. Answers the folders of console/src/pages that were seen. */
const tour = async (page: Page, who: string, routes: readonly string[], looks: readonly Look[]): Promise<ReadonlySet<string>> => {
  const seen = new Set<string>();
  for (const route of routes) {
    await page.goto(`/#/${route}`);
    // The page before this one is gone with the next frame; lines that stand for what is being fetched give way to it.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await page.locator('main h1').waitFor();
    await page.locator('main:not(:has(.skeletons))').waitFor();
    for (const { name, width, theme, judge } of looks) {
      await page.setViewportSize({ width, height: 844 });
      await page.emulateMedia({ colorScheme: theme });
      // Beside a panel is the page that was judged before.
      const beside = (await page.locator('main .panel').count()) === 0 ? undefined : '.panel';
      await axe(page, beside, judge === 'all' ? undefined : ['color-contrast']);
      await screenshot(page, `page-${who}-${route.replace(/[^a-z0-9]+/gi, '-').toLowerCase()}-${name}`);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(over <= 0, `${route} is ${over} pixels wider than ${width}`);
    }
    seen.add(route.replace(/^~[^/]*\//, '').split('/')[0] ?? '');
  }
  return seen;
};

/** Something to see on each page that the example leaves empty. */
const fill = async (server: Stet): Promise<void> => {
  const asked = [
    server.ask('PUT', '/v1/main/settings', { limits: { records: 100_000 }, alerts: { behind: { measure: 'queue_depth', above: 0 } } }),
    server.ask('POST', '/v1/main/operations', { lane: 'agents', agent: 'planner', op_type: 'offer', input: { number: 1 } }),
    server.ask('POST', '/v1/main/operations', { lane: 'agents', agent: 'planner', op_type: 'offer', input: { number: 2 } }),
    server.ask('POST', '/v1/main/links', { kind: 'invite', user: 'zoe', roles: ['sales'] }),
    server.ask('PUT', '/v1/main/functions/close', { source: 'return function (input)\n  return input\nend\n' }),
  ];
  for (const { status, json } of await Promise.all(asked)) assert.ok(status < 300, JSON.stringify(json));
};

const customer = 'c-0001';
const work = ['records', 'records/customers', 'records/customers?new=1', `records/customers/${customer}`, `history/customers/${customer}`, 'conflicts', 'activity', 'calendar/events', 'queue', 'dashboard'];
const administration = [
  'people', 'people/users/ana', 'people/me', 'people/links', 'people/tokens',
  'schema', 'schema/types/customers', 'schema/types/customers/edit', 'schema/types/customers/versions', 'schema/functions', 'schema/functions/close', 'schema/handlers', 'schema/settings',
];
const empty = ['records', 'history/tasks/none', 'conflicts', 'activity', 'calendar', 'queue', 'dashboard', 'people', 'people/links', 'schema'];

const isEachPage = (seen: ReadonlySet<string>): void => {
  const folders = readdirSync('console/src/pages', { withFileTypes: true }).filter((one) => one.isDirectory());
  assert.deepEqual([...seen].sort(), folders.map(({ name }) => name).sort(), 'each page is looked at');
};
const long = 480_000;

story('no page has barriers for an administrator', async ({ server, open }) => {
  await fill(server);
  const page = await open({ as: 'olga' });
  await tour(page, 'olga', work, [wideLight, darkColours, narrowDark]);
}, { example: 'crm', timeoutMs: long });

story('no page of administration has barriers', async ({ server, open }) => {
  await fill(server);
  const page = await open({ as: 'olga' });
  await tour(page, 'olga', administration, [wideLight, darkColours, narrowDark]);
}, { example: 'crm', timeoutMs: long });

story('no page has barriers for a member, in Spanish', async ({ server, open }) => {
  await fill(server);
  const page = await open({ as: 'ana', locale: 'es', theme: 'dark' });
  isEachPage(await tour(page, 'ana', [...work, 'people', 'schema', 'schema/types/customers', 'schema/settings'], [wideDark, narrowLight]));
}, { example: 'crm', timeoutMs: long });

story('no page has barriers when there is nothing to show', async ({ server, open, person }) => {
  isEachPage(await tour(await open({ as: 'olga', locale: 'es' }), 'olga-empty', empty, [narrowLight]));
  isEachPage(await tour(await open({ as: 'ben', theme: 'dark' }), 'ben-empty', empty, [wideDark]));
  // The server's own administrator, and a space of which nobody made anything yet.
  const password = passwords[server.example];
  assert.equal((await server.ask('POST', '/v1/stet/users', { id: 'root', password, roles: ['admin'] })).status, 201);
  assert.ok((await server.ask('PUT', '/v1/fresh')).status < 300);
  const root = await (await person()).newPage();
  assert.equal((await root.request.post('/v1/stet/session', { data: { user: 'root', password } })).status(), 201);
  await tour(root, 'root', ['people/tokens', 'people/me', 'people/links', '~fresh/activity', '~fresh/people', '~fresh/schema'], [wideLight]);
}, { example: 'empty', timeoutMs: long });

story('the dialogs of administration have no barriers', async ({ open }) => {
  const page = await open({ as: 'olga', route: '/people' });
  const each = async (name: string, opens: () => Promise<void>): Promise<void> => {
    await opens();
    await page.getByRole('dialog').waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await axe(page, undefined, colorScheme === 'light' ? undefined : ['color-contrast']);
      await screenshot(page, `dialog-${name}-${colorScheme}`);
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
});
