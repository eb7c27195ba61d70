import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createIds } from './uuid';
import { CLIENT_VERSION, versionsFit } from './version';

test('ids are UUIDs of version 7 that only grow, also when the clock goes back', () => {
  let now = 0x0198_0000_0000;
  const next = createIds({ now: () => now }, (bytes) => bytes.fill(0xff));
  assert.match(next(), /^01980000-0000-77ff-bfff-ffffffffffff$/);
  const ids: string[] = [];
  for (let index = 0; index < 10_000; index++) {
    if (index === 100) now -= 5000;
    if (index === 200) now += 5001;
    ids.push(next());
  }
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual([...ids].sort(), ids);
  assert.equal(new Set(ids).size, ids.length);
});

test('client and server fit with the same major version, before 1.0 with the same minor one as well', () => {
  const fits = ['1.2.3 1.9.0', '0.1.0 0.1.9', '0.1.0 0.1.0-rc1'];
  const fail = ['1.0.0 2.0.0', '0.1.0 0.2.0', '0.1.0 1.1.0', '0.1.0 ', '0.1.0 latest'];
  for (const pair of fits) assert.ok(versionsFit(pair.split(' ')[0] ?? '', pair.split(' ')[1] ?? ''), pair);
  for (const pair of fail) assert.ok(!versionsFit(pair.split(' ')[0] ?? '', pair.split(' ')[1] ?? ''), pair);
});

test('the version is the package’s', () => {
  const found = /"version": "([^"]+)"/.exec(readFileSync('client/package.json', 'utf8'));
  assert.equal(found?.[1], CLIENT_VERSION);
});
