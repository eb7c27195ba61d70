// Plays the stories of the browser, each NAME.story.ts here, and says how many went as told.
//
//   node browser/run.mjs                     all of them
//   node browser/run.mjs log-in conflict     only the files whose names begin with these
//   STORY='wrong' node browser/run.mjs       only the stories whose names match
//
// STET_PROGRAM: the server, build/stet when not given. CHROME_PATH: the browser. Ends with 77, as skipped, where there is none.
// STORIES_AT_ONCE: how many are played at the same time; by default as many as there are processors, and one more.
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { at, consoleOptions, systemChromium, top } from '../scripts/places.mjs';

const wanted = process.argv.slice(2);
const program = resolve(process.env.STET_PROGRAM ?? at('../build/stet'));
const browser = systemChromium();
if (browser === undefined) {
  console.log('skipped: there is no Chromium (scripts/setup installs it; CHROME_PATH may name another)');
  process.exit(77);
}
if (!existsSync(program)) {
  console.error(`${program} is missing: run make first, or say STET_PROGRAM`);
  process.exit(1);
}
const stories = readdirSync(at('browser'))
  .filter((name) => name.endsWith('.story.ts') && (wanted.length === 0 || wanted.some((word) => name.startsWith(word))))
  .sort();
if (stories.length === 0) {
  console.error('there is no such story');
  process.exit(1);
}
// Below web/, where its packages are found. Two runs at once do not share it.
const out = at('dist', `stories-${process.pid}`);
mkdirSync(out, { recursive: true });
try {
  await build({
    absWorkingDir: top,
    stdin: {
      contents: [
        ...stories.map((name) => `import './browser/${name}';`),
        "import { playAll } from './browser/story';",
        'playAll();',
      ].join('\n'),
      resolveDir: top,
      loader: 'ts',
    },
    outfile: join(out, 'stories.mjs'),
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    sourcemap: 'inline',
    logLevel: 'warning',
    tsconfig: at('tsconfig.json'),
  });
  // The small application that some stories play with; see application/main.tsx.
  await build({
    ...consoleOptions,
    entryPoints: [{ in: 'browser/application/main.tsx', out: 'application' }],
    splitting: false,
    define: { 'process.env.NODE_ENV': '"production"' },
    outdir: out,
  });
  const { status } = spawnSync(process.execPath, ['--enable-source-maps', join(out, 'stories.mjs')], {
    cwd: top,
    stdio: 'inherit',
    env: { ...process.env, CHROME_PATH: browser, STET_PROGRAM: program, STET_TOP: resolve(top, '..'), STET_APPLICATION: out },
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
