// Runs the unit tests of the web: every NAME.test.ts(x) beside its NAME.ts(x), bundled by esbuild and run by Node's own test runner.
//
//   node scripts/test.mjs               all of them
//   node scripts/test.mjs client/src/rebase   only those whose path begins with this
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('..', import.meta.url));

const find = (folder) =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return name === 'node_modules' || name === 'dist' ? [] : find(path);
    return /\.test\.tsx?$/.test(name) ? [path] : [];
  });

const wanted = process.argv.slice(2);
const tests = ['client/src', 'react/src', 'console/src']
  .flatMap((folder) => find(join(top, folder)))
  .filter((path) => wanted.length === 0 || wanted.some((word) => relative(top, path).startsWith(word)));
const out = mkdtempSync(join(tmpdir(), 'stet-web-test-'));
try {
  await build({
    entryPoints: tests,
    outdir: out,
    outbase: top,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    jsx: 'automatic',
    sourcemap: 'inline',
    logLevel: 'warning',
    tsconfig: join(top, 'tsconfig.json'),
    // CommonJS packages in the bundle ask for what Node has built in.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  const files = tests.map((path) => join(out, relative(top, path)).replace(/\.tsx?$/, '.mjs'));
  // Node 18 hides its web cryptography behind a flag.
  const major = Number(process.versions.node.split('.')[0]);
  const flags = major < 20 ? ['--experimental-global-webcrypto'] : [];
  if (major >= 20) flags.push('--test-reporter=tap');
  const { status, stdout } = spawnSync(process.execPath, [...flags, '--enable-source-maps', '--test', ...files], {
    cwd: top,
    stdio: ['inherit', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 256 << 20,
  });
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(stdout)?.[1] ?? 0);
  // What went well is told by its number alone, unless one test was asked for.
  const shown = status === 0 && wanted.length === 0 ? '' : stdout;
  process.stdout.write(`${shown}${count('pass')} passed, ${count('fail') + count('cancelled')} failed\n`);
  process.exitCode = status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
