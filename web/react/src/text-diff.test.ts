import assert from 'node:assert/strict';
import test from 'node:test';
import { diffText } from './text-diff';

const written = (before: string, after: string): string =>
  diffText(before, after)
    .map(({ kind, text }) => (kind === 'same' ? text : kind === 'added' ? `[+${text}]` : `[-${text}]`))
    .join('');

test('one word replaced by another', () => {
  assert.equal(written('paint the red fence', 'paint the blue fence'), 'paint the [-red ][+blue ]fence');
});

test('nothing, something, and the same', () => {
  assert.deepEqual(diffText('', ''), []);
  assert.equal(written('', 'new'), '[+new]');
  assert.equal(written('old', ''), '[-old]');
  assert.equal(written('same words', 'same words'), 'same words');
});

test('words taken out and put in at several places', () => {
  assert.equal(written('a b c d e f g', 'a x c d f g h'), 'a [-b ][+x ]c d [-e ]f [-g][+g h]');
});

test('both sides can be read back from the pieces, whatever the texts', () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % below;
  };
  const words = ['one ', 'two ', 'three', '\n', ' ', 'four\t'];
  for (let round = 0; round < 500; round++) {
    const make = (): string => Array.from({ length: random(30) }, () => words[random(words.length)]).join('');
    const before = make();
    const after = make();
    const pieces = diffText(before, after);
    const side = (without: string): string =>
      pieces
        .filter(({ kind }) => kind !== without)
        .map(({ text }) => text)
        .join('');
    assert.equal(side('added'), before);
    assert.equal(side('removed'), after);
  }
});

test('texts too different to compare are shown as replaced, and quickly', () => {
  const before = Array.from({ length: 20_000 }, (_, index) => `a${index}`).join(' ');
  const after = Array.from({ length: 20_000 }, (_, index) => `b${index}`).join(' ');
  assert.deepEqual(
    diffText(before, after).map(({ kind }) => kind),
    ['removed', 'added'],
  );
});
