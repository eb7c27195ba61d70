// Where things are, and what esbuild is told in every build.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder web/. */
export const top = fileURLToPath(new URL('..', import.meta.url));
export const at = (...parts) => join(top, ...parts);

/** The version of all of Stet: it stands in meson.build, and test/tidy sees that no package.json says another. */
export const version = () => {
  const found = /^\s*version: '([^']+)'/m.exec(readFileSync(at('..', 'meson.build'), 'utf8'));
  if (found === null) throw new Error('meson.build says no version');
  return found[1];
};

/** The system's Chromium, undefined where there is none. CHROME_PATH names another. First the one without windows: the same engine at half the work. */
export const systemChromium = () =>
  [process.env.CHROME_PATH, '/usr/bin/chromium-headless-shell', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable']
    .find((path) => path && existsSync(path));

/** The console is written for React and runs on Preact, which does the same in a tenth of the bytes: all of it is to be small. */
const preact = {
  react: 'preact/compat',
  'react-dom': 'preact/compat',
  'react-dom/client': 'preact/compat/client',
  'react/jsx-runtime': 'preact/jsx-runtime',
};

/** The console takes client and react from their sources, so that they are minified and shaken together with it. */
export const consoleOptions = {
  absWorkingDir: top,
  entryPoints: [{ in: 'console/src/main.tsx', out: 'console' }],
  bundle: true,
  splitting: true,
  format: 'esm',
  target: ['es2022'],
  jsx: 'automatic',
  tsconfig: at('tsconfig.json'),
  alias: { ...preact, '@stet/react/stet.css': at('react/src/stet.css') },
  loader: { '.svg': 'file', '.woff2': 'file' },
  logLevel: 'warning',
  charset: 'utf8',
  legalComments: 'none',
};
