// Measures the console in the system's Chromium: its list of 10,000 records, while 5,000 changes a second come over the feed.
//
//   node bench/console.mjs [--quick] [--json FILE] [FILE.cpuprofile]    with a file: what the page did at 5,000 changes a second, for a browser's profiler
//
// STET_PROGRAM: the server, build/stet when not given. CHROME_PATH: the browser. Prints one row for each number of changes a second: how many came; how busy the
// page's thread was and the longest that one of its tasks was at work; the tasks that took over 50 ms by the wall's clock, what they waited for others on this
// machine included (the browser's own `longtask`), and the longest of them; how late the last change was seen. It fails when the list does not
// end as the server has it.
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { systemChromium } from '../scripts/places.mjs';

const top = fileURLToPath(new URL('..', import.meta.url));
const quick = process.argv.includes('--quick');
const json = process.argv.find((_, index, all) => all[index - 1] === '--json');
const keep = (row) => json !== undefined && appendFileSync(json, `${JSON.stringify(row)}\n`);
const profile = process.argv.find((one) => one.endsWith('.cpuprofile'));
const program = resolve(process.env.STET_PROGRAM ?? join(top, '../build/stet'));
const executablePath = systemChromium();
if (!executablePath) {
  console.log('the console is left out: there is no Chromium');
  process.exit(0);
}

const RECORDS = 10_000;
const SECONDS = quick ? 2 : 5;
const ROUNDS = quick ? 1 : 3;
const RATES = quick ? [0, 5000] : [0, 1000, 5000];
/** No task of the page may be at work for longer. */
const GOAL_MS = 50;
/** Changes of one transaction: few commits, so that the load takes little from the page that shares the machine with it. */
const PORTION = 250;
/** Transactions at a time. */
const WRITERS = 4;

const folder = mkdtempSync(join(tmpdir(), 'stet-console-bench-'));
const median = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
let server = null;
let browser = null;
try {
  const data = join(folder, 'data');
  if (spawnSync(program, ['init', '--data', data]).status !== 0) throw new Error('stet init failed');
  const urlFile = join(folder, 'url');
  server = spawn(program, ['serve', '--data', data, '--listen', '127.0.0.1:0', '--no-auth', '--url-file', urlFile, '--log-level', 'error'], { stdio: 'inherit' });
  while (!existsSync(urlFile) || readFileSync(urlFile, 'utf8') === '') await pause(20);
  const url = readFileSync(urlFile, 'utf8').trim();
  const ask = async (method, path, body) => {
    const answer = await fetch(`${url}/v1/main${path}`, { method, headers: { 'Content-Type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${(await answer.text()).slice(0, 400)}`);
    return answer.json();
  };
  await ask('PUT', '/types/parts', { fields: { '/title': { type: 'string' }, '/count': { type: 'integer' } } });
  for (let first = 0; first < RECORDS; first += 1000) {
    const mutations = Array.from({ length: 1000 }, (_, index) => ({ op: 'create', type: 'parts', id: String(first + index).padStart(5, '0'), data: { title: `Part ${first + index}`, count: 0 } }));
    await ask('POST', '/transactions', { mutations });
  }

  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.addInitScript(() => {
    window.longTasks = [];
    new PerformanceObserver((list) => {
      for (const { duration, startTime } of list.getEntries()) window.longTasks.push({ duration, startTime });
    }).observe({ entryTypes: ['longtask'] });
  });
  const visits = [];
  for (let visit = 0; visit < (quick ? 3 : 9); visit += 1) {
    await page.goto('about:blank');
    const began = performance.now();
    await page.goto(`${url}/#/records/parts`, { waitUntil: 'commit' });
    await page.locator('[role=grid] [role=row]').nth(3).waitFor();
    visits.push(performance.now() - began);
    // Later visits are those of somebody who was here before: the service worker is there, and stands between.
    await page.evaluate(() => navigator.serviceWorker.ready.then(({ active }) => active?.state));
    await page.waitForTimeout(500);
  }
  console.log('');
  console.log(`The console's first page, until its list is shown: ${visits[0].toFixed(0)} ms the first time, ${median(visits.slice(1)).toFixed(0)} ms with a filled cache (goal 1000 ms)`);
  keep({ bench: 'console first page', first_ms: visits[0], cached_ms: median(visits.slice(1)) });
  // All of it is loaded by scrolling to the end of what is there.
  const rows = () => page.evaluate(() => Math.round((document.querySelector('.grid-body')?.clientHeight ?? 0) / 36));
  const until = Date.now() + 120_000;
  while ((await rows()) < RECORDS && Date.now() < until) {
    await page.evaluate(() => {
      const grid = document.querySelector('[role=grid]');
      grid.scrollTop = grid.scrollHeight;
    });
    await page.waitForTimeout(30);
  }
  const loaded = await rows();
  if (loaded < RECORDS) throw new Error(`the list has only ${loaded} records`);
  await page.evaluate(() => {
    document.querySelector('[role=grid]').scrollTop = 0;
  });
  await page.waitForTimeout(1000);

  let count = 0;
  const versions = [];
  /** The text of a transaction, made before the clock runs. */
  const portion = (first) => {
    count += 1;
    const mutations = Array.from({ length: PORTION }, (_, index) => {
      const number = (first + index) % RECORDS;
      const base = versions[number] ?? 1;
      versions[number] = base + 1;
      return { op: 'patch', type: 'parts', id: String(number).padStart(5, '0'), base_version: base, patch: { count } };
    });
    return JSON.stringify({ mutations });
  };
  const write = async (body) => {
    const answer = await fetch(`${url}/v1/main/transactions`, { method: 'POST', headers: { 'Content-Type': 'application/json', Prefer: 'return=minimal' }, body });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`transaction: ${answer.status} ${text.slice(0, 400)}`);
  };
  const change = async (rate) => {
    const portions = Array.from({ length: Math.ceil((rate * SECONDS) / PORTION) }, (_, index) => portion(index * PORTION));
    const began = performance.now();
    let next = 0;
    // Several transactions at a time, of other records each: one waits for the disk while the next is read.
    const writer = async () => {
      for (let mine = next++; mine < portions.length; mine = next++) {
        const ahead = ((mine * PORTION) / rate) * 1000 - (performance.now() - began);
        if (ahead > 0) await pause(ahead);
        await write(portions[mine]);
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, writer));
    const ahead = SECONDS * 1000 - (performance.now() - began);
    if (ahead > 0) await pause(ahead);
    return { sent: portions.length * PORTION, seconds: (performance.now() - began) / 1000 };
  };
  /** Tasks of the page's thread that the browser tells of: how long each was at work, in milliseconds. Not what it waited for others on this machine. */
  const tasksIn = (trace) => {
    const { traceEvents: events } = JSON.parse(trace.toString());
    const main = new Set(events.filter((one) => one.name === 'thread_name' && one.args.name === 'CrRendererMain').map((one) => `${one.pid} ${one.tid}`));
    const times = events.filter((one) => one.ph === 'X' && one.name === 'ThreadControllerImpl::RunTask' && main.has(`${one.pid} ${one.tid}`)).map((one) => (one.tdur ?? one.dur) / 1000);
    if (times.length === 0) throw new Error('no figure: the browser tells of no tasks');
    return times;
  };

  console.log('');
  console.log(`The console's list of ${RECORDS.toLocaleString('en')} records in ${await browser.version()}, medians of ${ROUNDS}`);
  console.log('changes/s wanted   came  thread at work   its longest task   tasks told as long   the longest   last one seen');
  for (const rate of RATES) {
    const results = [];
    const cdp = profile !== undefined && rate === RATES.at(-1) ? await page.context().newCDPSession(page) : null;
    await cdp?.send('Profiler.enable');
    await cdp?.send('Profiler.start');
    for (let round = 0; round < ROUNDS; round += 1) {
      await page.evaluate(() => {
        window.longTasks = [];
      });
      await browser.startTracing(page, { categories: ['toplevel'] });
      const { sent, seconds } = await change(rate);
      const ended = performance.now();
      if (rate > 0) {
        // The last portion's records are as the server has them.
        const { records } = await ask('GET', '/records/parts?limit=1');
        const [record] = records;
        await page.locator('[role=row]').filter({ hasText: record.data.title }).filter({ hasText: String(record.data.count) }).first().waitFor({ timeout: 30_000 });
      }
      const late = performance.now() - ended;
      await page.waitForTimeout(300);
      const work = tasksIn(await browser.stopTracing());
      const tasks = await page.evaluate(() => window.longTasks.map(({ duration }) => duration));
      results.push({ came: sent / seconds, tasks: tasks.length, longest: Math.max(0, ...tasks), late, work: Math.max(...work), busy: work.reduce((sum, one) => sum + one, 0) / seconds / 10 });
    }
    if (cdp !== null) writeFileSync(profile, JSON.stringify((await cdp.send('Profiler.stop')).profile));
    const of = (name, digits = 0) => median(results.map((one) => one[name])).toFixed(digits);
    keep({ bench: 'console', rate, ...Object.fromEntries(['came', 'busy', 'work', 'tasks', 'longest', 'late'].map((name) => [name, Number(of(name, 1))])) });
    const missed = of('work') > GOAL_MS ? '  MISSED' : '';
    console.log(
      `${String(rate).padStart(16)} ${of('came').padStart(6)} ${of('busy').padStart(13)} % ${of('work', 1).padStart(15)} ms ${of('tasks').padStart(19)} ${of('longest').padStart(12)} ms ${of('late').padStart(13)} ms${missed}`,
    );
  }
} finally {
  await browser?.close();
  server?.kill();
  rmSync(folder, { recursive: true, force: true });
}
