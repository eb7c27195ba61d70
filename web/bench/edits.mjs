// Measures 1,000 edits in the system's Chromium: until they are on the screen, rebased over what others change, and until they are kept.
//
//   node bench/edits.mjs [--quick] [--json FILE]
//
// CHROME_PATH: the browser. Storage is named; IndexedDB waits for the disk with each transaction, and the page goes on meanwhile.
import { build } from 'esbuild';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { systemChromium } from '../scripts/places.mjs';

const top = fileURLToPath(new URL('..', import.meta.url));
const quick = process.argv.includes('--quick');
const json = process.argv.find((_, index, all) => all[index - 1] === '--json');
const keep = (row) => json !== undefined && appendFileSync(json, `${JSON.stringify(row)}\n`);
const rounds = quick ? 5 : 15;
const GOAL_MS = 50;
const executablePath = systemChromium();
if (!executablePath) {
  console.log('edits in the browser are left out: there is no Chromium');
  process.exit(0);
}

const { outputFiles } = await build({
  entryPoints: [join(top, 'bench/kept-edits-page.ts')],
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  target: 'es2022',
  logLevel: 'warning',
  tsconfig: join(top, 'tsconfig.json'),
});
const server = createServer((request, response) => {
  const isScript = request.url === '/page.js';
  response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
  response.end(isScript ? outputFiles[0].contents : '<!doctype html><title>edits</title><script type="module" src="/page.js"></script>');
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const median = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
let browser = null;
try {
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.waitForFunction(() => 'measure' in window);
  console.log('');
  console.log(`The client, in Chromium ${await browser.version()}: 1,000 edits, medians of ${rounds}, the longest behind`);
  console.log('records   storage         on the screen            goal   all kept after');
  let made = 0;
  for (const storage of ['memory', 'IndexedDB']) {
    for (const records of [1, 1000]) {
      const results = [];
      for (let round = 0; round < rounds + 3; round += 1) {
        made += 1;
        const result = await page.evaluate(([count, kind, name]) => window.measure(count, kind, name), [records, storage, `bench${made}`]);
        // The first ones are compiled while they run.
        if (round >= 3) results.push(result);
      }
      const shown = results.map((one) => one.shownMs);
      const missed = median(shown) > GOAL_MS ? '  MISSED' : '';
      const kept = median(results.map((one) => one.keptMs));
      keep({ bench: 'client in the browser', storage, records, ms: median(shown), longest_ms: Math.max(...shown), kept_ms: kept });
      console.log(
        `${String(records).padStart(7)}   ${storage.padEnd(11)} ${median(shown).toFixed(1).padStart(7)} ms ${Math.max(...shown).toFixed(1).padStart(8)} ms ${String(GOAL_MS).padStart(5)} ms ${kept.toFixed(1).padStart(11)} ms${missed}`,
      );
    }
  }
} finally {
  await browser?.close();
  server.close();
}
