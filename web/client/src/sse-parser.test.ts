import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSseParser } from './sse-parser';

const stream = '\uFEFFretry: 2000\n\nid: 41\nevent: change\ndata: {"seq":41,\ndata: "x":1}\n\n: comment\n\nevent: queue\r\ndata:{}\r\n\r\ndata: last\rid: 7\r\r';
const events = [
  { event: 'change', data: '{"seq":41,\n"x":1}', id: '41' },
  { event: 'queue', data: '{}', id: null },
  { event: 'message', data: 'last', id: '7' },
];

test('events come out whole, wherever the stream is cut', () => {
  assert.deepEqual(createSseParser()(stream), events);
  for (let cut = 1; cut < stream.length; cut++) {
    const parse = createSseParser();
    assert.deepEqual([...parse(stream.slice(0, cut)), ...parse(stream.slice(cut))], events, `cut at ${cut}`);
  }
  const parse = createSseParser();
  assert.deepEqual([...stream].flatMap((letter) => parse(letter)), events);
});

test('what is not finished is not told', () => {
  assert.deepEqual(createSseParser()('event: change\ndata: {}\n'), []);
});
