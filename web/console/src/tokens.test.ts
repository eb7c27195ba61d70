import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';

/** The tests are bundled elsewhere; they are started in the repository or in its folder web. */
const path = ['console/src/tokens.css', 'web/console/src/tokens.css'].find((name) => existsSync(name));
assert.ok(path, 'start this in the repository, or in web');
const css = readFileSync(path, 'utf8');

/** Of `light-dark(a, b)` the one of a theme. */
const colours = (theme: 'light' | 'dark'): ReadonlyMap<string, string> =>
  new Map([...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);/g)].map(([, name = '', day = '', night = '']) => [name, theme === 'light' ? day : night]));

const luminance = (colour: string): number => {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a: string, b: string): number => {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
};

for (const theme of ['light', 'dark'] as const) {
  const known = colours(theme);
  const colour = (name: string): string => known.get(name) ?? assert.fail(name);
  test(`text keeps 4.5:1 on all it may stand on, ${theme}`, () => {
    const grounds = ['paper', 'surface', 'sunken', 'hover', 'selected'];
    const pairs = [
      ...['ink', 'ink-soft', 'ink-faint'].flatMap((ink) => [...grounds, 'added', 'removed'].map((ground) => [ink, ground] as const)),
      ...['accent', 'danger', 'warning', 'info', 'success'].flatMap((ink) => [...grounds, `${ink}-soft`].map((ground) => [ink, ground] as const)),
      ...([['on-accent', 'accent'], ['on-accent', 'accent-hover'], ['on-danger', 'danger'], ['on-danger', 'danger-hover'], ['paper', 'ink']] as const),
    ];
    assert.deepEqual(pairs.filter(([ink, ground]) => contrast(colour(ink), colour(ground)) < 4.5), []);
  });
  test(`the border of a control keeps 3:1, ${theme}`, () => {
    assert.deepEqual(['paper', 'surface', 'sunken'].filter((ground) => contrast(colour('control-line'), colour(ground)) < 3), []);
  });
}
