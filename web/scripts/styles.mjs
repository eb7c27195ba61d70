// One style sheet out of all that a program imports.
//
// esbuild makes one for each page that is loaded late, and loads none of them by itself. All of ours together are small, so they
// become one file, loaded first: a page that comes late is never seen without its styles.
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { top } from './places.mjs';

/** Style sheets below `entry` in the order in which they are imported, what is loaded late last. `inputs`: esbuild's metafile. */
export const importedStyles = (inputs, entry) => {
  const styles = [];
  const seen = new Set();
  const late = [];
  const visit = (name) => {
    if (seen.has(name) || inputs[name] === undefined) return;
    seen.add(name);
    if (name.endsWith('.css')) styles.push(name);
    for (const { path, kind } of inputs[name].imports) {
      if (kind === 'dynamic-import') late.push(path);
      else if (!name.endsWith('.css')) visit(path);
    }
  };
  visit(entry);
  while (late.length > 0) visit(late.shift());
  return styles;
};

/** The style sheets as one, minified or not: text. */
export const joinStyles = async (styles, minify) => {
  if (styles.length === 0) return '';
  const { outputFiles } = await build({
    absWorkingDir: top,
    stdin: { contents: styles.map((name) => `@import ${JSON.stringify('./' + name)};`).join('\n'), resolveDir: top, loader: 'css' },
    bundle: true,
    minify,
    write: false,
    outdir: join(top, 'console/dist'),
    target: ['chrome123', 'firefox125', 'safari17.5'],
    loader: { '.svg': 'dataurl' },
    logLevel: 'warning',
    charset: 'utf8',
    legalComments: 'none',
  });
  return outputFiles[0].text;
};

/** The page with links to what was built: `icon`, `styles` and `first` (the script), `shared` (what the script imports at once). */
export const fillPage = (path, { icon, styles, first, shared }) => {
  const page = readFileSync(path, 'utf8');
  const mark = /^<!-- styles and scripts: .*-->\n/m;
  if (!mark.test(page)) throw new Error(`${path} does not say where styles and scripts go`);
  const lines = [
    `<link rel="icon" type="image/svg+xml" href="assets/${icon}">`,
    ...styles.map((name) => `<link rel="stylesheet" href="assets/${name}">`),
    ...shared.map((name) => `<link rel="modulepreload" href="assets/${name}">`),
    `<script type="module" src="assets/${first}"></script>`,
  ];
  return page.replace(mark, lines.join('\n') + '\n');
};
