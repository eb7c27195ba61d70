/** Stories: what somebody does in a real browser against the real server. One browser plays all of them, each with its own server. */
import { mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { after, describe, test } from 'node:test';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { passwords, Stet, type Example } from './stet';

/** A browser window of somebody's own: cookies and storage are apart from all others'. */
export interface PersonOptions {
  readonly locale?: 'en' | 'es';
  readonly theme?: 'light' | 'dark';
  /** CSS pixels; default 1280 by 800. */
  readonly size?: { readonly width: number; readonly height: number };
  /** Log in before the page opens, by HTTP. Default: the form is there to be filled in. */
  readonly as?: string;
}

/** What a story plays on. */
export interface Stage {
  readonly server: Stet;
  /** A new person's window; {@link Stage.tab} opens its pages. */
  person(options?: PersonOptions): Promise<BrowserContext>;
  /** A tab of that window with the console. `route`: behind the `#`, such as `/records/tasks`. */
  tab(person: BrowserContext, route?: string): Promise<Page>;
  /** A tab of that window with the small application of `application/`, as if the server were the application's own. */
  application(person: BrowserContext): Promise<Page>;
  /** A person with one tab. */
  open(options?: PersonOptions & { readonly route?: string }): Promise<Page>;
}

export interface StoryOptions {
  /** Default `tasks`. */
  readonly example?: Example;
  /** Default 120,000. The longest are played first. */
  readonly timeoutMs?: number;
}

const output = resolve(process.env['STET_SCREENSHOTS'] ?? 'dist/screenshots');
/** What a story may take, unless it says otherwise. Machines are slow at times. */
const usualMsMax = 120_000;
/** How long Playwright waits for something to be there before it says that it is not. */
const actionMsMax = 30_000;

let browser: Promise<Browser> | null = null;
const theBrowser = (): Promise<Browser> => {
  const executablePath = process.env['CHROME_PATH'];
  if (executablePath === undefined) throw new Error('there is no Chromium');
  browser ??= chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-extensions', '--disable-background-networking', '--font-render-hinting=none', '--force-color-profile=srgb'],
  });
  return browser;
};

/** Beside the server's own files, and under the same policy as the console. */
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'";
const applicationPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Tasks</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="application.css"><script type="module" src="application.js"></script></head>
<body><div id="root"></div></body></html>`;
const serveApplication = (context: BrowserContext): Promise<unknown> =>
  context.route(/\/application\/(application\.(js|css))?$/, (route) => {
    const name = /application\.(?:js|css)$/.exec(new URL(route.request().url()).pathname)?.[0];
    const body = name === undefined ? applicationPage : readFileSync(join(process.env['STET_APPLICATION'] ?? '.', name), 'utf8');
    const contentType = name === undefined ? 'text/html' : name.endsWith('.js') ? 'text/javascript' : 'text/css';
    return route.fulfill({ body, contentType: `${contentType}; charset=utf-8`, headers: { 'Content-Security-Policy': policy } });
  });

interface Told {
  readonly name: string;
  readonly play: (stage: Stage) => Promise<void>;
  readonly options: StoryOptions;
}
const told: Told[] = [];
let passed = 0;
let failed = 0;
const only = new RegExp(process.env['STORY'] ?? '');

const slug = (words: string): string => words.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 80);

/** Registers a story. It fails, too, when a page threw an error nobody caught, or broke the Content-Security-Policy. */
export function story(name: string, play: (stage: Stage) => Promise<void>, options: StoryOptions = {}): void {
  if (!only.test(name)) return;
  told.push({ name, play, options });
}

async function tell({ name, play, options }: Told): Promise<void> {
  const wrong: string[] = [];
  const said: string[] = [];
  const people: BrowserContext[] = [];
  const server = await Stet.begin(options.example ?? 'tasks');
  const watch = (page: Page): void => {
    page.setDefaultTimeout(actionMsMax);
    page.on('pageerror', (error) => wrong.push(`a page threw: ${error.stack ?? error.message}`));
    page.on('console', (message) => {
      const text = message.text();
      said.push(`${message.type()}: ${text}`);
      if (text.includes('Content Security Policy')) wrong.push(text);
    });
  };
  const person = async ({ locale = 'en', theme = 'light', size = { width: 1280, height: 800 }, as }: PersonOptions = {}): Promise<BrowserContext> => {
    const context = await (await theBrowser()).newContext({
      baseURL: server.url,
      locale: locale === 'es' ? 'es-ES' : 'en-GB',
      colorScheme: theme,
      viewport: size,
      reducedMotion: 'reduce',
      timezoneId: 'Europe/Madrid',
    });
    people.push(context);
    // To Chromium a page that a test made up comes from nowhere, and so may not open a WebSocket to this machine unasked.
    await context.grantPermissions(['local-network-access'], { origin: server.url });
    context.on('page', watch);
    await serveApplication(context);
    if (as !== undefined) {
      const answer = await context.request.post('/v1/main/session', { data: { user: as, password: passwords[server.example] } });
      if (answer.status() !== 201) throw new Error(`${as} cannot log in: ${answer.status()} ${await answer.text()}`);
    }
    return context;
  };
  const application = async (context: BrowserContext): Promise<Page> => {
    const page = await context.newPage();
    await page.goto('/application/');
    return page;
  };
  const tab = async (context: BrowserContext, route = ''): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(route === '' ? '/' : `/#${route}`);
    return page;
  };
  let succeeded = false;
  try {
    await play({ server, person, tab, application, open: async ({ route, ...rest } = {}) => tab(await person(rest), route) });
    if (wrong.length > 0) throw new Error(wrong.join('\n'));
    succeeded = true;
  } catch (error) {
    // What could be seen, and what the pages said, tell more than the error.
    let number = 0;
    for (const page of people.flatMap((context) => context.pages())) {
      number += 1;
      await screenshot(page, `failed-${slug(name)}-${number}`).catch(() => undefined);
    }
    console.log(`# "${name}" failed; see ${output}/failed-${slug(name)}-*.png`);
    for (const line of [...wrong, ...said].slice(-40)) console.log(`#   ${line.replaceAll('\n', '\n#   ')}`);
    throw error;
  } finally {
    if (succeeded) passed += 1;
    else failed += 1;
    for (const context of people) await context.close().catch(() => undefined);
    await server.close();
  }
}

/** Plays what was registered, several at once since they mostly wait for each other's processes, closes the browser, and says last of all
 *  how they ended. */
export function playAll(): void {
  const atOnce = Number(process.env['STORIES_AT_ONCE'] ?? availableParallelism() + 1);
  // The long ones first: none is left to be waited for alone.
  const inOrder = [...told].sort((one, other) => (other.options.timeoutMs ?? usualMsMax) - (one.options.timeoutMs ?? usualMsMax));
  describe('stories', { concurrency: atOnce }, () => {
    for (const one of inOrder) void test(one.name, { timeout: one.options.timeoutMs ?? usualMsMax }, () => tell(one));
    after(async () => {
      process.once('exit', () => console.log(`${passed} passed, ${failed} failed`));
      await (await browser?.catch(() => undefined))?.close();
    });
  });
}

/** Fills in the form that a page shows to whoever is not logged in. */
export async function logIn(page: Page, user: string, password: string): Promise<void> {
  await page.locator('input[name=user]').fill(user);
  await page.locator('input[name=password]').fill(password);
  await page.locator('input[name=password]').press('Enter');
  await page.locator('input[name=password]').waitFor({ state: 'detached' });
}

/** Keeps what can be seen as build output: dist/screenshots/NAME.png. */
export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(output, { recursive: true });
  await page.screenshot({ path: join(output, `${name}.png`), animations: 'disabled' });
}
