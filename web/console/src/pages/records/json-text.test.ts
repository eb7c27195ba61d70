import assert from 'node:assert/strict';
import test from 'node:test';
import { parseJsonObject } from './json-text';

/** `line:column` of what is wrong. */
const wrongAt = (text: string): string => {
  const read = parseJsonObject(text);
  return read.ok ? 'nothing' : `${read.reason} ${read.line}:${read.column}`;
};

test('an object is read', () => {
  assert.deepEqual(parseJsonObject(' {"a": [1, -2.5e3, true, null, "\\u00e9\\n"]} '), { ok: true, value: { a: [1, -2500, true, null, 'é\n'] } });
});

test('what is wrong is named by its line and column', () => {
  assert.equal(wrongAt('{\n  "a": 1,\n}'), 'syntax 3:1');
  assert.equal(wrongAt('{"a": tru}'), 'syntax 1:7');
  assert.equal(wrongAt('{"a" 1}'), 'syntax 1:6');
  assert.equal(wrongAt('{"a": 01}'), 'syntax 1:8');
  assert.equal(wrongAt('{"a": "x}'), 'syntax 1:7');
  assert.equal(wrongAt('{"a": 1} x'), 'syntax 1:10');
  assert.equal(wrongAt(''), 'syntax 1:1');
});

test('a name twice is refused, for one value would be lost', () => {
  assert.equal(wrongAt('{"a": 1,\n "a": 2}'), 'duplicate 2:2');
});

test('data is an object', () => {
  assert.equal(wrongAt('[1]'), 'object 1:1');
});

test('it takes what JSON.parse takes and nothing else', () => {
  for (const text of ['{}', '{"a":{}}', '{"a":[]}', '{"a":"\\ud800"}', '{"a":1e400}', '{"a":.5}', '{"a":+1}', "{'a':1}", '{"a":1,}', '{"a":[1,]}', '{"a":"\t"}', '{a:1}', '{"a":NaN}', '\uFEFF{}']) {
    let taken = true;
    try {
      JSON.parse(text);
    } catch {
      taken = false;
    }
    assert.equal(parseJsonObject(text).ok, taken, text);
  }
});
