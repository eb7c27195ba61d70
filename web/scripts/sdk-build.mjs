// The packages: client/dist and react/dist (one ES module each, what they depend on left out, and their types), packed into dist/sdk.
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { at, top, version } from './places.mjs';
import { importedStyles, joinStyles } from './styles.mjs';
import { writeManifest } from './manifest.mjs';

const run = (command, ...rest) => {
  const { status, stdout, stderr, error } = spawnSync(command, rest, { cwd: top, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${rest.join(' ')}: ${error?.message ?? ''}\n${stdout}${stderr}`);
  return stdout;
};

/** Types are resolved as Node does it, too, where imports name files whole. */
const nameFilesWhole = (folder) => {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) nameFilesWhole(path);
    else if (entry.name.endsWith('.d.ts')) {
      const text = readFileSync(path, 'utf8');
      const whole = (from, open, name, close) => (/\.(js|css)$/.test(name) ? from + open + name + close : `${from}${open}${name}.js${close}`);
      writeFileSync(
        path,
        text.replace(/((?:from|import)\s*\(?)(['"])(\.{1,2}\/[^'"]+)(['"])/g, (_, ...parts) => whole(...parts.slice(0, 4))),
      );
    }
  }
};

const module = async (name, entry, banner) => {
  const dist = at(name, 'dist');
  rmSync(dist, { recursive: true, force: true });
  const { metafile, outputFiles } = await build({
    absWorkingDir: top,
    entryPoints: [entry],
    outfile: join(dist, 'index.js'),
    bundle: true,
    // What it depends on is installed beside it, once for all that use it.
    packages: 'external',
    external: ['@stet/*'],
    tsconfigRaw: { compilerOptions: { target: 'ES2022', jsx: 'react-jsx', verbatimModuleSyntax: true } },
    format: 'esm',
    target: ['es2022'],
    platform: 'neutral',
    jsx: 'automatic',
    banner: banner === undefined ? {} : { js: banner },
    metafile: true,
    write: false,
    logLevel: 'warning',
    charset: 'utf8',
  });
  mkdirSync(dist, { recursive: true });
  const script = outputFiles.find(({ path }) => path.endsWith('.js'));
  // A directive counts in the very first line alone.
  if (banner !== undefined && !script.text.startsWith(banner)) throw new Error(`${name}: the bundle does not begin with ${banner}`);
  // Style sheets go into one file of their own, which the application imports where it wants.
  writeFileSync(join(dist, 'index.js'), script.text);
  // The tests check types, all at once; here they are only written down.
  run(process.execPath, at('node_modules/typescript/bin/tsc'), '-p', at(name, 'tsconfig.json'), '--noCheck');
  nameFilesWhole(dist);
  return metafile;
};

/** Packs what a package.json calls the package, and returns the tarball's name. */
const pack = (name, out) => {
  const stage = mkdtempSync(join(tmpdir(), 'stet-pack-'));
  try {
    copyFileSync(at(name, 'package.json'), join(stage, 'package.json'));
    copyFileSync(at('..', 'LICENSE'), join(stage, 'LICENSE'));
    if (existsSync(at(name, 'README.md'))) copyFileSync(at(name, 'README.md'), join(stage, 'README.md'));
    cpSync(at(name, 'dist'), join(stage, 'dist'), { recursive: true });
    run('npm', 'pack', stage, '--pack-destination', out, '--ignore-scripts', '--silent');
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  return `stet-${name}-${version()}.tgz`;
};

export const buildSdk = async () => {
  const out = at('dist/sdk');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await module('client', 'client/src/index.ts');
  // Hooks and components run in the browser; servers that render ask to be told so.
  const { inputs } = await module('react', 'react/src/index.ts', "'use client';");
  const sheet = 'react/src/stet.css';
  const styles = existsSync(at(sheet)) ? [sheet] : importedStyles(inputs, 'react/src/index.ts');
  writeFileSync(at('react/dist/stet.css'), await joinStyles(styles, false));
  const rows = [];
  for (const name of ['client', 'react']) {
    const packed = pack(name, out);
    const newest = `stet-${name}.tgz`;
    copyFileSync(join(out, packed), join(out, newest));
    for (const file of [packed, newest]) rows.push({ path: `/sdk/${file}`, file, immutable: false });
  }
  const sizes = writeManifest(out, rows);
  console.log(`packages: ${sizes.slice().map(({ file, smallest }) => `${file} ${(smallest / 1000).toFixed(1)} KB`).join(', ')}`);
};
