import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const lines = (text: string) => text.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('import '));

test('the examples of docs/client.md are those that are compiled', () => {
  const compiled = lines(readFileSync('client/src/testing/client-examples.ts', 'utf8'));
  const shown = [...readFileSync('../docs/client.md', 'utf8').matchAll(/```ts\n(.*?)```/gs)].flatMap((found) => lines(found[1] ?? ''));
  assert.ok(shown.length > 20);
  let at = 0;
  for (const line of shown) {
    const found = compiled.indexOf(line, line.startsWith('interface') || line === '}' || line.startsWith('readonly') ? 0 : at);
    assert.notEqual(found, -1, `not compiled, or not in this order: ${line}`);
    at = Math.max(at, found);
  }
});
