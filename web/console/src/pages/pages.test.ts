import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pages } from './pages';

test('each page has a path and a key of its own', () => {
  assert.equal(new Set(pages.map((page) => page.path)).size, pages.length);
  assert.deepEqual(
    pages.map((page) => page.shortcut).filter((shortcut, index, all) => shortcut !== undefined && all.indexOf(shortcut) !== index),
    [],
  );
});
