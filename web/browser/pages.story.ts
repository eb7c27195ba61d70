/** Every page of the console, as an administrator and as somebody else, with something on it and with nothing: axe-core finds no barrier in
 *  either theme, and what can be seen is kept. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { axe, isObject, screenshot, story, type Example, type Stet } from './harness';

/** What each page is asked to show. The first part is the page's folder in console/src/pages. */
const routes: Readonly<Record<Example, readonly string[]>> = {
  crm: [
    'records', 'records/customers', 'history/customers/ID', 'conflicts', 'activity', 'calendar/events', 'queue', 'dashboard', 'people',
    'people/users/ana', 'people/me', 'people/links', 'people/tokens', 'schema', 'schema/types/customers', 'schema/functions', 'schema/handlers', 'schema/settings',
  ],
  tasks: [],
  empty: ['records', 'history/tasks/none', 'conflicts', 'activity', 'calendar', 'queue', 'dashboard', 'people/links', 'schema'],
};

/** Something to see on each page that the example leaves empty. Answers the id of a customer. */
const prepare = async (server: Stet): Promise<string> => {
  const listed = await server.ask('GET', '/v1/main/records/customers?limit=1');
  const [first]: readonly unknown[] = isObject(listed.json) && Array.isArray(listed.json['records']) ? listed.json['records'] : [];
  if (!isObject(first) || typeof first['id'] !== 'string') throw new Error('there is no customer');
  const id = first['id'];
  for (const number of [1, 2, 3]) {
    const { status } = await server.ask('POST', '/v1/main/operations', { lane: 'agents', agent: 'planner', op_type: `offer ${number}`, input: { number } });
    assert.equal(status, 202);
  }
  return id;
};

for (const [who, example, user, locale] of [
  ['an administrator', 'crm', 'olga', 'en'],
  ['a member', 'crm', 'ana', 'es'],
  ['an administrator', 'empty', 'olga', 'es'],
  ['a member', 'empty', 'ben', 'en'],
] as const) {
  const state = example === 'empty' ? 'empty' : 'filled';
  story(`no page has barriers for ${who}, ${state}`, async ({ server, open }) => {
    const id = example === 'empty' ? '' : await prepare(server);
    const page = await open({ as: user, locale, route: `/${routes[example][0]}` });
    const visited = new Set<string>();
    for (const route of routes[example]) {
      await page.goto(`/#/${route.replace('ID', encodeURIComponent(id))}`);
      await page.locator('main h1').waitFor();
      // Lines that stand for what is still being fetched give way to it.
      await page.locator('main:not(:has(.skeletons))').waitFor();
      await axe(page);
      await screenshot(page, `page-${user}-${state}-${route.replaceAll('/', '-').toLowerCase()}-light`);
      // The other theme has the same parts in other colours.
      await page.emulateMedia({ colorScheme: 'dark' });
      await axe(page, undefined, ['color-contrast']);
      await screenshot(page, `page-${user}-${state}-${route.replaceAll('/', '-').toLowerCase()}-dark`);
      await page.emulateMedia({ colorScheme: 'light' });
      visited.add(route.split('/')[0] ?? '');
    }
    const pages = readdirSync('console/src/pages', { withFileTypes: true }).filter((one) => one.isDirectory());
    assert.deepEqual([...visited].sort(), pages.map((one) => one.name).sort(), 'each page is looked at');
  }, { example, timeoutMs: 480_000 });
}
