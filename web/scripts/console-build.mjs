// The console, as the program serves it: console/dist/index.html and assets/NAME-HASH.EXT, each beside its compressed forms, and
// manifest.json, from which scripts/embed-files makes C.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { at, consoleOptions, top, version } from './places.mjs';
import { fillPage, importedStyles, joinStyles } from './styles.mjs';
import { writeManifest } from './manifest.mjs';

/** All of it, compressed. A budget that is passed stops the build: the first page is to be usable within a second. */
const COMPRESSED_BYTES_MAX = 250_000;

const hashed = (name, text) => {
  const hash = createHash('sha256').update(text).digest('base64url').replace(/[-_]/g, 'x').slice(0, 8).toUpperCase();
  return `${basename(name, extname(name))}-${hash}${extname(name)}`;
};

/** What `output` imports at once, and what that does, and so on. */
const importedAtOnce = (outputs, output, found = new Set()) => {
  for (const { path, kind } of outputs[output].imports) {
    if (kind !== 'import-statement' || found.has(path) || outputs[path] === undefined) continue;
    found.add(path);
    importedAtOnce(outputs, path, found);
  }
  return found;
};

/** Its name stays: by that the browser knows it, and sees that there is a new one. */
const WORKER = 'assets/console-worker.js';

/** The service worker, which is told what there is to keep: other files make another worker. */
const buildWorker = async (files) => {
  const hash = createHash('sha256');
  for (const [name, bytes] of [...files].sort(([one], [other]) => (one < other ? -1 : 1))) hash.update(name).update(bytes);
  const names = [...files.keys()].map((name) => (name === 'index.html' ? '' : name)).sort();
  const { outputFiles } = await build({
    absWorkingDir: top,
    entryPoints: ['console/src/offline/worker.ts'],
    bundle: true,
    format: 'iife',
    target: consoleOptions.target,
    tsconfig: consoleOptions.tsconfig,
    minify: true,
    write: false,
    legalComments: 'none',
    define: { STET_FILES: JSON.stringify(names), STET_BUILD: JSON.stringify(hash.digest('hex').slice(0, 16)) },
  });
  return Buffer.from(outputFiles[0].contents);
};

export const buildConsole = async () => {
  const dist = at('console/dist');
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(join(dist, 'assets'), { recursive: true });
  const { metafile, outputFiles } = await build({
    ...consoleOptions,
    minify: true,
    define: { 'process.env.NODE_ENV': '"production"', STET_VERSION: JSON.stringify(version()) },
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    assetNames: '[name]-[hash]',
    outdir: join(dist, 'assets'),
    metafile: true,
    write: false,
  });
  const entry = consoleOptions.entryPoints[0].in;
  const files = new Map();
  for (const { path, contents } of outputFiles) {
    if (!path.endsWith('.css')) files.set(`assets/${basename(path)}`, Buffer.from(contents));
  }
  const styles = await joinStyles(importedStyles(metafile.inputs, entry), true);
  const stylesName = hashed('console.css', styles);
  if (styles !== '') files.set(`assets/${stylesName}`, Buffer.from(styles));

  const icon = readFileSync(at('console/icon.svg'));
  const iconName = hashed('icon.svg', icon);
  files.set(`assets/${iconName}`, icon);

  const first = Object.keys(metafile.outputs).find((name) => metafile.outputs[name].entryPoint === entry);
  const shared = [...importedAtOnce(metafile.outputs, first)].map((name) => basename(name));
  const page = fillPage(at('console/index.html'), {
    icon: iconName,
    styles: styles === '' ? [] : [stylesName],
    first: basename(first),
    shared,
  });
  files.set('index.html', Buffer.from(page));
  files.set(WORKER, await buildWorker(files));

  const rows = [];
  for (const [name, bytes] of files) {
    writeFileSync(join(dist, name), bytes);
    rows.push({ path: name === 'index.html' ? '/' : `/${name}`, file: name, immutable: name !== 'index.html' && name !== WORKER });
  }
  const sizes = writeManifest(dist, rows);
  const sum = (names) => sizes.filter(({ file }) => names.has(file)).reduce((total, { smallest }) => total + smallest, 0);
  const frame = ['index.html', `assets/${stylesName}`, `assets/${iconName}`];
  const needed = (output) => [output, ...importedAtOnce(metafile.outputs, output)].map((name) => `assets/${basename(name)}`);
  // A page is what is imported late; it needs what the first does, too.
  const pages = Object.keys(metafile.outputs)
    .filter((name) => metafile.outputs[name].entryPoint !== undefined && name !== first)
    .map((name) => ({ name: basename(name), size: sum(new Set([...frame, ...needed(first), ...needed(name)])) }))
    .sort((one, other) => other.size - one.size);
  const begin = sum(new Set([...frame, ...needed(first)]));
  const largest = pages[0] ?? { name: basename(first), size: begin };
  const all = sum(new Set(rows.map(({ file }) => file)));
  const kb = (bytes) => `${(bytes / 1000).toFixed(1)} KB`;
  console.log(
    `console: ${rows.length} files, ${kb(all)} compressed (at most ${kb(COMPRESSED_BYTES_MAX)}); ${kb(begin)} before anything shows, ` +
      `at most ${kb(largest.size)} for a page (${largest.name})`,
  );
  if (all > COMPRESSED_BYTES_MAX) {
    for (const { file, smallest } of [...sizes].sort((a, b) => b.smallest - a.smallest).slice(0, 8)) console.error(`  ${kb(smallest)}  ${file}`);
    const inputs = metafile.outputs[first].inputs;
    for (const name of Object.keys(inputs).sort((a, b) => inputs[b].bytesInOutput - inputs[a].bytesInOutput).slice(0, 12)) {
      console.error(`  ${kb(inputs[name].bytesInOutput)} (not compressed)  ${name}`);
    }
    rmSync(join(dist, 'manifest.json'));
    throw new Error(`the console is ${kb(all)} compressed, more than ${kb(COMPRESSED_BYTES_MAX)}`);
  }
};
