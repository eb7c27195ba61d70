import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCredentials } from './credentials';
import { openEventStreams } from './event-streams';
import type { TransportAnswer } from './seams';
import { createFakeClock } from './testing/fake-clock';

const world = () => {
  const clock = createFakeClock();
  const log: string[] = [];
  const streams: ReadableStreamDefaultController<Uint8Array>[] = [];
  let status = 200;
  const wire = openEventStreams(
    {
      clock,
      credentials: createCredentials('tok'),
      space: 'main',
      transport: (request) => {
        log.push(`GET ${request.path} ${request.headers['Authorization'] ?? ''}`);
        const stream = new ReadableStream<Uint8Array>({ start: (controller) => void streams.push(controller) });
        const answer: TransportAnswer = {
          status, stream, header: () => null,
          text: () => Promise.resolve(JSON.stringify({ code: status === 401 ? 'SESSION_ENDED' : 'BAD_REQUEST', detail: 'no' })),
        };
        return Promise.resolve(answer);
      },
    },
    {
      open: () => log.push('open'),
      event: (sub, event, id) => log.push(`event ${sub} ${event.kind} ${id}`),
      refused: (sub, error) => log.push(`refused ${sub} ${error.code}`),
      close: () => log.push('close'),
    },
  );
  /** A stream hands its bytes on in turns of its own, which no clock of a test counts. */
  const turns = async () => {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    clock, wire, turns,
    since: () => log.splice(0),
    refuse: (next: number) => { status = next; },
    say: (index: number, text: string) => streams[index]?.enqueue(new TextEncoder().encode(text)),
    end: (index: number) => streams[index]?.close(),
  };
};

test('each subscription is a stream of its own, from where it was', async () => {
  const { wire, turns, since, say } = world();
  wire.subscribe('s1', { types: ['tasks'], where: 'a = 1' }, 7);
  await turns();
  wire.subscribe('s2', { addresses: ['tasks/1'], events: ['conflict'] }, null);
  await turns();
  assert.deepEqual(since(), [
    'GET /v1/main/changes?type=tasks&where=a+%3D+1&since=7 Bearer tok', 'open',
    'GET /v1/main/changes?id=tasks%2F1&events=conflict&since=now Bearer tok',
  ]);
  say(1, 'id: 9\nevent: bookmark\ndata: {"seq":9}\n\n');
  say(0, 'event: ready\ndata: {"se');
  await turns();
  say(0, 'q":8}\n\n');
  await turns();
  assert.deepEqual(since(), ['event s2 bookmark 9', 'event s1 ready null']);
  wire.unsubscribe('s2');
  say(0, 'id: 10\nevent: bookmark\ndata: {"seq":10}\n\n');
  await turns();
  assert.deepEqual(since(), ['event s1 bookmark 10']);
  wire.close();
  await turns();
  assert.deepEqual(since(), []);
});

test('a stream that ends, falls silent or is refused for its session ends them all; one that asks for nonsense only itself', async () => {
  for (const why of ['end', 'silence', 'session'] as const) {
    const { clock, wire, turns, since, end, refuse } = world();
    wire.subscribe('s1', {}, null);
    await turns();
    if (why === 'end') end(0);
    if (why === 'silence') await clock.advance(40_000);
    if (why === 'session') {
      refuse(401);
      wire.subscribe('s2', {}, null);
    }
    await turns();
    assert.deepEqual(since().filter((line) => !line.startsWith('GET')), ['open', 'close'], why);
  }
  const { wire, turns, since, refuse } = world();
  wire.subscribe('s1', {}, null);
  await turns();
  refuse(400);
  wire.subscribe('s2', {}, null);
  await turns();
  assert.deepEqual(since().filter((line) => !line.startsWith('GET')), ['open', 'refused s2 BAD_REQUEST']);
  wire.close();
});
