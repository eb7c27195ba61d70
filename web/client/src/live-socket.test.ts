import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLiveSocket } from './live-socket';
import type { SocketEvents } from './seams';
import { createFakeClock } from './testing/fake-clock';

const open = (csrf: string | null = null) => {
  const clock = createFakeClock();
  const log: string[] = [];
  let server: SocketEvents | null = null;
  const wire = openLiveSocket(
    {
      url: 'ws://stet.test/v1/main/live', clock, version: '0.1.0', csrf,
      socket: (url, protocols, events) => {
        log.push(`connect ${url} ${protocols.join()}`);
        server = events;
        return { send: (text) => log.push(`send ${text}`), close: () => log.push('hang up') };
      },
    },
    {
      open: () => log.push('open'),
      event: (sub, event, id) => log.push(`event ${sub} ${event.kind} ${id}`),
      refused: (sub, error) => log.push(`refused ${sub} ${error.code}`),
      close: () => log.push('close'),
    },
  );
  const say = (message: unknown) => server?.message(typeof message === 'string' ? message : JSON.stringify(message));
  return { clock, wire, log, say, answer: () => server?.open(), drop: () => server?.close(), since: () => log.splice(0) };
};

test('it says hello with the proof of its session, and subscribes by names', () => {
  const { wire, answer, since } = open('proof');
  answer();
  assert.deepEqual(since(), [
    'connect ws://stet.test/v1/main/live stet.v1', 'send {"id":1,"op":"hello","client":"0.1.0","csrf":"proof"}', 'open',
  ]);
  wire.subscribe('s1', { types: ['tasks'], where: 'done', since: 3 }, 7);
  wire.subscribe('s2', { addresses: ['tasks/1'] }, null);
  wire.unsubscribe('s1');
  assert.deepEqual(since(), [
    'send {"id":2,"op":"subscribe","sub":"s1","type":["tasks"],"where":"done","since":7}',
    'send {"id":3,"op":"subscribe","sub":"s2","ids":["tasks/1"]}',
    'send {"id":4,"op":"unsubscribe","sub":"s1"}',
  ]);
});

test('events go to their subscription with their place; a refusal to whoever asked', () => {
  const { wire, answer, say, since } = open();
  answer();
  wire.subscribe('s1', { types: ['tasks'] }, null);
  since();
  say({ id: 2, status: 200, body: { seq: 4 } });
  say({ sub: 's1', event: 'bookmark', data: { seq: 5 }, id: 5 });
  say({ event: 'what a newer server says', data: {} });
  say({ id: 2, status: 400, body: { code: 'BAD_REQUEST', detail: 'late' } });
  wire.subscribe('s2', { types: ['?'] }, null);
  say({ id: 3, status: 400, body: { code: 'BAD_REQUEST', detail: 'no such type' } });
  assert.deepEqual(since().filter((line) => !line.startsWith('send')), ['event s1 bookmark 5', 'refused s2 BAD_REQUEST']);
});

test('a silence is broken by a hello, and ends it when nothing answers', async () => {
  const { clock, answer, say, since } = open();
  answer();
  say({ id: 1, status: 200, body: { version: '0.1.0', heartbeat_s: 10 } });
  await clock.advance(15_000);
  since();
  say({ id: 9, status: 200 });
  await clock.advance(10_000);
  assert.deepEqual(since(), ['send {"id":3,"op":"hello","client":"0.1.0"}']);
  await clock.advance(10_000);
  assert.deepEqual(since(), ['hang up', 'close']);
  await clock.advance(60_000);
  assert.deepEqual(since(), []);
});

test('what never opens, or speaks no sense, is over once', async () => {
  const silent = open();
  await silent.clock.advance(15_000);
  silent.drop();
  assert.deepEqual(silent.since().slice(1), ['hang up', 'close']);
  const strange = open();
  strange.answer();
  strange.since();
  strange.say('<html>');
  strange.say({ event: 'bookmark', data: { seq: 1 } });
  assert.deepEqual(strange.since(), ['hang up', 'close']);
});

test('records that are open are told up to a bound, and taken back', () => {
  const { wire, answer, since } = open();
  answer();
  since();
  for (let index = 0; index < 70; index++) wire.present(`tasks/${index}`, 1);
  assert.equal(since().length, 60);
  wire.absent('tasks/65');
  wire.absent('tasks/0');
  wire.present('tasks/65', null);
  assert.deepEqual(since(), ['send {"id":62,"op":"absent","address":"tasks/0"}', 'send {"id":63,"op":"present","address":"tasks/65","version":null}']);
  wire.close();
  assert.deepEqual(since(), ['hang up']);
});
