import assert from 'node:assert/strict';
import test from 'node:test';
import { chordOf, createKeyReader, type Command } from './commands';

const command = (id: string, keys: string): Command => ({ id, label: id, keys, group: '', run: () => undefined });
const press = (key: string, held: Partial<Record<'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey', boolean>> = {}) =>
  chordOf({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...held });

test('a chord is written as commands write it', () => {
  assert.deepEqual(
    [press('n'), press('K', { ctrlKey: true }), press('k', { metaKey: true }), press('?', { shiftKey: true }), press('Delete', { shiftKey: true }), press(' ')],
    ['n', 'Mod+k', 'Mod+k', '?', 'Shift+Delete', 'Space'],
  );
});

test('keys one after the other are one command', () => {
  const read = createKeyReader();
  const commands = [command('records', 'g r'), command('refresh', 'r')];
  assert.equal(read('g', 0, commands), null);
  assert.equal(read('r', 100, commands)?.id, 'records');
  assert.equal(read('r', 200, commands)?.id, 'refresh');
});

test('a sequence that takes too long is none', () => {
  const read = createKeyReader(1000);
  const commands = [command('records', 'g r'), command('refresh', 'r')];
  assert.equal(read('g', 0, commands), null);
  assert.equal(read('r', 1500, commands)?.id, 'refresh');
});

test('what was offered last comes first', () => {
  const read = createKeyReader();
  assert.equal(read('n', 0, [command('shell', 'n'), command('page', 'n')])?.id, 'page');
});
