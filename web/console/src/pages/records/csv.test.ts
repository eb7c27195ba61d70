import assert from 'node:assert/strict';
import test from 'node:test';
import { csvCell, csvLine } from './csv';

test('a text that a spreadsheet would run is shown instead', () => {
  assert.deepEqual(['=1+1', '+49 30', '-2', '@SUM(A1)', '\tx'].map(csvCell), [`"'=1+1"`, `"'+49 30"`, `"'-2"`, `"'@SUM(A1)"`, `"'\tx"`]);
});

test('numbers stay numbers, below zero too', () => {
  assert.deepEqual([-2, 1.5, true, null, undefined].map(csvCell), ['-2', '1.5', 'true', '', '']);
});

test('commas, quotes, line breaks and blanks at the ends are quoted', () => {
  assert.equal(csvLine(['a,b', 'say "hi"', 'two\nlines', ' x ', 'plain']), '"a,b","say ""hi""","two\nlines"," x ",plain\r\n');
});

test('lists and objects are JSON', () => {
  assert.equal(csvCell(['a', 1]), '"[""a"",1]"');
});
